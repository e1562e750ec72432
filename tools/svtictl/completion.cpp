// SPDX-License-Identifier: Apache-2.0
// svtictl completion: the script is the same text for everyone; only names of interfaces and namespaces are looked up as one types.
#include "svtictl/completion.h"

#include <fmt/format.h>

#include <set>
#include <string_view>
#include <utility>

#include "svtictl/verbs.h"

namespace svti::svtictl {
namespace {

// Words that may stand after a keyword or option, as a shell word list. Any other keyword's value is not completed.
constexpr std::pair<std::string_view, std::string_view> kValues[] = {
    {"-n|--netns|link-netns", "$(ls /run/netns 2>/dev/null)"},
    {"dev", "$(ls /sys/class/net 2>/dev/null)"},
    {"type", "unicast throw blackhole unreachable prohibit"},
    {"family", "ipv4 ipv6 both"},
    {"dir", "out in"},
    {"proto", "icmp icmpv6 tcp udp sctp gre esp"},
    {"--color|--colour", "auto always never"},
    {"completion", "bash"},
    {"delete|set|show|stats|spd|sad|trace", "$(cd /sys/class/net && compgen -G 'svti*')"},
};

// what is completed above, apart from verbs and options
const std::set<std::string_view> kCompleted{"link-netns", "dev", "type", "family", "dir", "proto"};

// "  <path>) words=...": one line for a command, then those of the commands below
void add_cases(const Command& command, const std::string& path, const std::vector<std::string>& inherited, std::string& cases,
               std::string& paths, std::set<std::string>& silent) {
  std::string words;
  for (const Command& sub : command.commands) words += sub.name + " ";
  for (const Keyword& keyword : command.keywords) {
    words += keyword.name + " ";
    if (keyword.takes_value && !kCompleted.contains(keyword.name)) silent.insert(keyword.name);
  }
  std::set<std::string> options(inherited.begin(), inherited.end());
  options.insert(command.options.begin(), command.options.end());
  for (const std::string& option : options) words += option + " ";
  words.pop_back();
  cases += fmt::format("    \"{}\") words=\"{}\" ;;\n", path, words);
  if (!path.empty()) paths += fmt::format("{}\"{}\"", paths.empty() ? "" : "|", path);
  for (const Command& sub : command.commands) {
    add_cases(sub, path.empty() ? sub.name : path + " " + sub.name, {options.begin(), options.end()}, cases, paths, silent);
  }
}

}  // namespace

std::string bash_completion(const Command& root) {
  std::string cases;
  std::string paths;
  std::set<std::string> silent;
  add_cases(root, "", {}, cases, paths, silent);

  std::string values;
  for (const auto& [after, words] : kValues) values += fmt::format("    {}) words=\"{}\" ;;\n", after, words);
  std::string none;
  for (const std::string& name : silent) none += (none.empty() ? "" : "|") + name;

  return fmt::format(R"(# bash completion for {0}, made by '{0} completion bash'
_{0}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} path="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${{path:+$path }}${{COMP_WORDS[i]}}" in
      {1}) path="${{path:+$path }}${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$path" in
{2}  esac
  # A route's or rule's delete and show take no interface first.
  case "$path:$previous" in
    route*:delete|route*:show|rule*:delete|rule*:show) ;;
    *) case "$previous" in
{3}    {4}) words="" ;;
    esac ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -F _{0} {0}
)",
                     root.name, paths, cases, values, none);
}

Result<std::string> run(const PrintArguments& arguments, const Style&) { return arguments.text; }

}  // namespace svti::svtictl
