// SPDX-License-Identifier: Apache-2.0
// Shell completion from the tree of commands.
#pragma once

#include <string>
#include <vector>

namespace svti::svtictl {

struct Keyword {
  std::string name;
  bool takes_value = false;
};

// A command and what may follow it.
struct Command {
  std::string name;
  std::vector<Command> commands;
  std::vector<Keyword> keywords;
  std::vector<std::string> options;  // with dashes
};

// a script for bash that completes `root` and everything below
std::string bash_completion(const Command& root);

}  // namespace svti::svtictl
