// SPDX-License-Identifier: Apache-2.0
// Commands about the daemon itself.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include "control/command_table.h"
#include "control/render_vici.h"

namespace svti::control {

namespace {

Reply version(const Call& call) {
  utsname host{};
  uname(&host);
  vici::Message message;
  message.add("daemon", "svti-iked").add("version", call.version);
  message.add("sysname", host.sysname).add("release", host.release).add("machine", host.machine);
  return message;
}

// "3 days", the largest whole unit
std::string elapsed_text(std::chrono::seconds elapsed) {
  const auto count = elapsed.count();
  const auto unit = [](auto n, std::string_view name) { return fmt::format("{} {}{}", n, name, n == 1 ? "" : "s"); };
  if (count < 120) return unit(count, "second");
  if (count < 120 * 60) return unit(count / 60, "minute");
  if (count < 48 * 3600) return unit(count / 3600, "hour");
  return unit(count / 86400, "day");
}

Reply stats(const Call& call) {
  const auto now = std::chrono::system_clock::now();
  const model::RuntimeState state = call.service.state(std::string(model::kMainVrf));
  vici::Message message;
  message.add_section("uptime")
      .add("running", elapsed_text(std::chrono::duration_cast<std::chrono::seconds>(now - call.started)))
      .add("since", fmt::format("{:%b %d %H:%M:%S %Y}", fmt::localtime(std::chrono::system_clock::to_time_t(call.started))));
  message.add_section("ikesas").add_number("total", state.ike_sas_total).add_number("half-open", state.ike_sas_half_open);
  return message;
}

Reply get_counters(const Call& call) {
  const auto all = call.parameters.flag("all", false);
  if (!all) return failure(all.error().message);
  const model::RuntimeState state = call.service.state(std::string(model::kMainVrf));
  const std::string* name = call.parameters.find("name");
  vici::Message message;
  vici::Section& counters = message.add_section("counters");
  if (*all) {
    for (const auto& [vpn, values] : state.vpn_counters) add_counters(counters, vpn, values);
  } else if (name == nullptr) {
    add_counters(counters, "", state.counters);
  } else {
    const auto found = state.vpn_counters.find(*name);
    if (found == state.vpn_counters.end()) return failure(fmt::format("no counters of a VPN \"{}\"", printable(*name)));
    add_counters(counters, *name, found->second);
  }
  message.add_flag("success", true);
  return message;
}

constexpr Command kCommands[] = {
    {"version", version},
    {"stats", stats},
    {"get-counters", get_counters},
};

}  // namespace

std::span<const Command> daemon_commands() { return kCommands; }

}  // namespace svti::control
