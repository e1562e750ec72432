// SPDX-License-Identifier: Apache-2.0
// Commands about the daemon itself.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>

#include "control/command_table.h"
#include "control/render_vici.h"
#include "model/algorithm.h"

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

void add_priorities(vici::Section& parent, std::string_view name, const model::TaskState::ByPriority& tasks) {
  parent.add_section(name)
      .add_number("critical", tasks.critical)
      .add_number("high", tasks.high)
      .add_number("medium", tasks.medium)
      .add_number("low", tasks.low);
}

void add(model::TaskState::ByPriority& sum, const model::TaskState::ByPriority& one) {
  sum.critical += one.critical;
  sum.high += one.high;
  sum.medium += one.medium;
  sum.low += one.low;
}

Reply stats(const Call& call) {
  std::uint64_t total = 0, half_open = 0;
  model::TaskState tasks;
  for (const std::string& vrf : call.service.vrfs()) {
    const model::RuntimeState state = call.service.summary(vrf);
    total += state.ike_sas_total;
    half_open += state.ike_sas_half_open;
    // the workers serve all VRFs
    tasks.workers_total = std::max(tasks.workers_total, state.tasks.workers_total);
    tasks.workers_idle = std::max(tasks.workers_idle, state.tasks.workers_idle);
    add(tasks.workers, state.tasks.workers);
    add(tasks.queued, state.tasks.queued);
    tasks.scheduled += state.tasks.scheduled;
  }
  const auto now = std::chrono::system_clock::now();
  vici::Message message;
  message.add_section("uptime")
      .add("running", elapsed_text(std::chrono::duration_cast<std::chrono::seconds>(now - call.started)))
      .add("since", fmt::format("{:%b %d %H:%M:%S %Y}", fmt::localtime(std::chrono::system_clock::to_time_t(call.started))));
  vici::Section& workers = message.add_section("workers");
  workers.add_number("total", tasks.workers_total).add_number("idle", tasks.workers_idle);
  add_priorities(workers, "active", tasks.workers);
  add_priorities(message, "queues", tasks.queued);
  message.add_number("scheduled", tasks.scheduled);
  message.add_section("ikesas").add_number("total", total).add_number("half-open", half_open);
  message.add_list("plugins", {});
  return message;
}

void add(model::Counters& sum, const model::Counters& one) {
  for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += one.values[i];
}

Reply get_counters(const Call& call) {
  const auto all = call.parameters.flag("all", false);
  if (!all) return failure(all.error().message);
  const std::string* name = call.parameters.find("name");
  vici::Message message;
  vici::Section& counters = message.add_section("counters");
  model::Counters global;
  bool found = name == nullptr;
  for (const std::string& vrf : call.service.vrfs()) {
    const model::RuntimeState state = call.service.summary(vrf);
    add(global, state.counters);
    for (const auto& [vpn, values] : state.vpn_counters) {
      const std::string full = model::qualified_name(vrf, vpn);
      if (!*all && (name == nullptr || full != *name)) continue;
      found = true;
      add_counters(counters, full, values);
    }
  }
  if (!found && !*all) return failure(fmt::format("no counters of a VPN \"{}\"", printable(*name)));
  if (!*all && name == nullptr) add_counters(counters, "", global);
  message.add_flag("success", true);
  return message;
}

Reply reset_counters(const Call& call) {
  const auto all = call.parameters.flag("all", false);
  if (!all) return failure(all.error().message);
  const std::string* name = call.parameters.find("name");
  if (name != nullptr && !*all) {
    const auto [vrf, vpn] = model::split_qualified_name(*name);
    const Status reset = call.service.reset_counters(vrf, vpn, false);
    return reset ? success() : failure(reset.error().message);
  }
  for (const std::string& vrf : call.service.vrfs()) {
    if (const Status reset = call.service.reset_counters(vrf, {}, *all); !reset) return failure(reset.error().message);
  }
  return success();
}

// The value of each is who implements it: OpenSSL for all but what is combined of it.
Reply get_algorithms(const Call&) {
  constexpr std::string_view kBy = "openssl";
  vici::Message message;
  const auto add_kind = [&](std::string_view section_name, model::AlgorithmKind kind) {
    vici::Section& section = message.add_section(section_name);
    for (const model::Algorithm& one : model::algorithms()) {
      if (one.kind != kind) continue;
      const std::string name = vici_name(model::to_transform(one));
      if (section.find(name) == nullptr) section.add(name, kBy);  // key lengths share a name
    }
  };
  add_kind("encryption", model::AlgorithmKind::Encryption);
  add_kind("integrity", model::AlgorithmKind::Integrity);
  add_kind("aead", model::AlgorithmKind::Aead);
  message.add_section("hasher").add("HASH_SHA1", kBy).add("HASH_SHA2_256", kBy).add("HASH_SHA2_384", kBy).add("HASH_SHA2_512", kBy);
  add_kind("prf", model::AlgorithmKind::Prf);
  message.add_section("xof");
  message.add_section("kdf").add("KDF_PRF_PLUS", "svti-iked");
  message.add_section("drbg");
  add_kind("ke", model::AlgorithmKind::DhGroup);
  message.add_section("rng").add("RNG_STRONG", kBy);
  message.add_section("nonce-gen").add("NONCE_GEN", "svti-iked");
  return message;
}

Reply reload_settings(const Call& call) {
  if (!call.loaded.reload) return failure("the daemon has no configuration file to read again");
  const Status reloaded = call.loaded.reload();
  return reloaded ? success() : failure(reloaded.error().message);
}

constexpr Command kCommands[] = {
    {"version", version},
    {"stats", stats},
    {"reload-settings", reload_settings},
    {"get-algorithms", get_algorithms},
    {"get-counters", get_counters},
    {"reset-counters", reset_counters},
};

}  // namespace

std::span<const Command> daemon_commands() { return kCommands; }

}  // namespace svti::control
