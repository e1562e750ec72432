// SPDX-License-Identifier: Apache-2.0
#include "control/commands.h"

#include <algorithm>
#include <map>

#include "control/command_table.h"

namespace svti::control {

namespace {

const std::map<std::string_view, Reply (*)(const Call&)>& commands() {
  static const auto kAll = [] {
    std::map<std::string_view, Reply (*)(const Call&)> all;
    for (const auto table : {daemon_commands(), sa_commands(), load_commands(), list_commands(), svti_commands(), svti_config_commands(),
                             key_commands(), explain_commands()}) {
      for (const Command& command : table) all.emplace(command.name, command.carry_out);
    }
    return all;
  }();
  return kAll;
}

constexpr std::string_view kEvents[] = {"log", "control-log", "list-sa", "list-policy", "list-conn", "list-cert", "list-authority",
                                        // what happens to SAs
                                        "ike-updown", "ike-rekey", "ike-update", "child-updown", "child-rekey", "alert",
                                        // the same for FRR's nhrpd
                                        "child-state-installed", "child-state-rekeyed", "child-state-destroying",
                                        // our own
                                        "svti-config", "svti-state", "svti-change", "svti-log", "svti-explain"};

}  // namespace

std::optional<Reply> carry_out(std::string_view command, const Call& call) {
  const auto found = commands().find(command);
  if (found == commands().end()) return std::nullopt;
  return found->second(call);
}

bool is_known_event(std::string_view event) { return std::find(std::begin(kEvents), std::end(kEvents), event) != std::end(kEvents); }

vici::Message success() {
  vici::Message message;
  message.add_flag("success", true);
  return message;
}

vici::Message failure(std::string_view reason) {
  vici::Message message;
  message.add_flag("success", false).add("errmsg", reason.substr(0, vici::kMaxValueSize));
  return message;
}

}  // namespace svti::control
