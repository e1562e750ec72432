// SPDX-License-Identifier: Apache-2.0
// The commands by file: each file of them offers a table. For commands.cpp and those files.
#pragma once

#include <span>

#include "control/commands.h"

namespace svti::control {

struct Command {
  std::string_view name;
  Reply (*carry_out)(const Call& call);
};

std::span<const Command> daemon_commands();
std::span<const Command> sa_commands();
std::span<const Command> load_commands();
std::span<const Command> list_commands();
std::span<const Command> svti_commands();
std::span<const Command> explain_commands();
std::span<const Command> svti_config_commands();
std::span<const Command> key_commands();

}  // namespace svti::control
