// SPDX-License-Identifier: Apache-2.0
// The command line, in CLI11. Verbs take keywords like ip(8): `id 100` and `--id 100` are the same.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "svtictl/verbs.h"

namespace svti::svtictl {

constexpr int kExitOk = 0;
constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

enum class Colour { Never, Always, Auto };

// What to do.
struct Invocation {
  std::string netns;  // run in this network namespace; empty: in the caller's
  bool json = false;
  Colour colour = Colour::Auto;
  Verb verb;
};

// Nothing to do: help that was asked for (kExitOk) or a command line that makes no sense (kExitUsage).
struct Stop {
  int exit_code = kExitOk;
  std::string text;  // whole lines, or for kExitUsage one sentence without a final stop
};

// `words` is the command line without the program's name
std::variant<Invocation, Stop> parse_command_line(const std::vector<std::string>& words);

}  // namespace svti::svtictl
