// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "ikectl/verbs.h"

namespace svti::ikectl {

namespace {

// Names of VPNs and policies come from the running daemon; without one there are none to offer.
constexpr std::string_view kBash = R"bash(# bash completion of ikectl
_ikectl_names() {
  ikectl show config nodefault 2>/dev/null | awk -v kind="$1" -v vpn="$2" '
    $1 == "vpn" { current = $2 }
    kind == "vpn" && $1 == "vpn" { print $2 }
    kind == "pool" && $1 == "pool" { print $2 }
    kind == "policy" && $1 == "security-policy" && current == vpn { print $2 }'
}

_ikectl() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local -a words=()
  local i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --socket|--color|--timeout|--loglevel|--confirm|--vrf|--vpn|--subsystem|--level|--peers) ((i++)) ;;
      -*) ;;
      *) words+=("${COMP_WORDS[i]}") ;;
    esac
  done

  local offer=""
  case $previous in
    --socket) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --color) offer="auto always never" ;;
    --confirm) offer="60s 5m" ;;
    --vpn) offer=$(_ikectl_names vpn) ;;
    --subsystem) offer="asn1 child config daemon encoding ike ipsec job kernel manager network" ;;
    --level) offer="0 1 2 3 4" ;;
    --timeout|--loglevel|--vrf|--peers) return ;;
    *)
      case "${#words[@]} ${words[0]}" in
        "0 ") offer="check diff load confirm rollback set delete edit initiate terminate rekey redirect show explain log pki version completion" ;;
        "1 load"|"1 check"|"1 diff") COMPREPLY=($(compgen -f -- "$current")); return ;;
        "1 initiate"|"1 terminate"|"1 rekey"|"1 redirect"|"1 explain") offer=$(_ikectl_names vpn) ;;
        "2 initiate"|"2 terminate"|"2 rekey") offer=$(_ikectl_names policy "${words[1]}") ;;
        "1 show") offer="config state pools" ;;
        "2 show")
          case ${words[1]} in
            config) offer="nodefault --resolved --secrets" ;;
            state) offer="$(_ikectl_names vpn) --vrf --secrets" ;;
            pools) offer="$(_ikectl_names pool) --leases --vrf" ;;
          esac ;;
        "1 pki") offer="ca issue crl show verify config" ;;
        "2 pki"|"3 pki") COMPREPLY=($(compgen -f -- "$current")); return ;;
        "1 completion") offer="bash" ;;
      esac
      offer+=" --help --json --socket --color" ;;
  esac
  COMPREPLY=($(compgen -W "$offer" -- "$current"))
}
complete -F _ikectl ikectl
)bash";

}  // namespace

void add_completion(CLI::App& app, Context&) {
  CLI::App* verb = app.add_subcommand("completion", "Print a completion script for a shell");
  const auto shell = std::make_shared<std::string>();
  verb->add_option("SHELL", *shell, "bash")->required()->check(CLI::IsMember({"bash"}));
  verb->footer(
      "Examples:\n"
      "  source <(ikectl completion bash)\n"
      "  ikectl completion bash > /etc/bash_completion.d/ikectl");
  verb->callback([shell] { std::cout << kBash; });
}

}  // namespace svti::ikectl
