// SPDX-License-Identifier: Apache-2.0
// What initiate, terminate and rekey share: VPN [POLICY] on the command line, and a command whose outcome is one line.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "ikectl/verbs.h"
#include "vici/message.h"

namespace svti::ikectl {

struct Target {
  std::string vpn;
  std::string policy;  // empty: all of the VPN's

  std::string name() const { return policy.empty() ? vpn : vpn + " " + policy; }
};

// `target` must live as long as `verb`.
void add_target(CLI::App& verb, Target& target);

// Runs the VICI command `verb` with ike and child added to `parameters`, shows its control-log lines, and prints "NAME: `done`" or what
// failed.
void run_on_target(Context& context, std::string_view verb, std::string_view done, const Target& target, vici::Message parameters);

}  // namespace svti::ikectl
