// SPDX-License-Identifier: Apache-2.0
// What initiate, terminate and rekey share: VPN [POLICY] on the command line, and a command whose outcome is one line.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "ikectl/verbs.h"
#include "vici/message.h"

namespace svti::ikectl {

struct VpnName {
  std::string vrf = "main";
  std::string vpn;

  std::string qualified() const { return vrf == "main" ? vpn : vrf + "/" + vpn; }  // as VICI names it
};
// "hq" in `vrf` (empty: main), or "red/hq" where no `vrf` is given
VpnName vpn_name(const std::string& vrf, const std::string& vpn);

// Words of the command line as one path: a single one may be a whole line, of several each is a word whatever blanks are in it.
std::string path_of(const std::vector<std::string>& words);

struct Target {
  std::string vrf;
  std::string vpn;
  std::string policy;  // empty: all of the VPN's

  std::string qualified_vpn() const { return vpn_name(vrf, vpn).qualified(); }
  std::string name() const { return policy.empty() ? qualified_vpn() : qualified_vpn() + " " + policy; }
};

// `target` must live as long as `verb`.
void add_target(CLI::App& verb, Target& target);

// Runs the VICI command `verb` with ike and child added to `parameters`, shows its control-log lines, and prints "NAME: `done`" or what
// failed.
void run_on_target(Context& context, std::string_view verb, std::string_view done, const Target& target, vici::Message parameters);

}  // namespace svti::ikectl
