// SPDX-License-Identifier: Apache-2.0
// svti-explain: why the last negotiations of a VPN ended as they did, an event each, newest first.
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "control/command_table.h"

namespace svti::control {

namespace {

using model::Explanation;

std::string_view name_of(model::Cause cause) { return model::kCauseNames[static_cast<std::size_t>(cause)]; }
std::string_view name_of(model::Verdict verdict) { return model::kVerdictNames[static_cast<std::size_t>(verdict)]; }
std::string_view name_of(model::Side side) { return model::kSideNames[static_cast<std::size_t>(side)]; }

// Explanations are bounded (model/explanation.h): one is always smaller than a packet may be.
vici::Message event_of(const Explanation& one) {
  vici::Message out;
  out.add("vpn", one.vpn).add("policy", one.policy).add("exchange", one.exchange);
  out.add("role", one.initiator ? "initiator" : "responder");
  out.add_flag("rekey", one.rekey).add_flag("succeeded", one.succeeded).add_flag("authenticated", one.authenticated);
  out.add("cause", name_of(one.cause)).add("reason", printable(one.reason, 4 * model::kMaxValueText));
  out.add("local", one.local.to_string()).add("remote", one.remote.to_string());
  out.add("local-id", one.local_id).add("remote-id", one.remote_id);
  out.add_number("age", one.age.count()).add_number("repeated", one.repeated);
  vici::Section& tables = out.add_section("tables");
  for (std::size_t i = 0; i < one.tables.size(); ++i) {
    vici::Section& table = tables.add_section(std::to_string(i + 1));
    table.add("title", one.tables[i].title);
    vici::Section& rows = table.add_section("rows");
    for (std::size_t k = 0; k < one.tables[i].rows.size(); ++k) {
      const model::Comparison& row = one.tables[i].rows[k];
      rows.add_section(std::to_string(k + 1))
          .add("what", row.what)
          .add("ours", row.ours)
          .add("theirs", row.theirs)
          .add("verdict", name_of(row.verdict));
    }
  }
  vici::Section& rejected = out.add_section("rejected");
  for (std::size_t i = 0; i < one.rejected.size(); ++i) {
    const model::RejectedVpn& vpn = one.rejected[i];
    rejected.add_section(std::to_string(i + 1)).add("vpn", vpn.vpn).add("leaf", vpn.leaf).add("ours", vpn.ours).add("theirs", vpn.theirs);
  }
  out.add_number("rejected-more", one.rejected_more);
  if (one.sent) {
    out.add_section("sent")
        .add("exchange", one.sent->exchange)
        .add("from", one.sent->from.to_string())
        .add("to", one.sent->to.to_string())
        .add_number("times", one.sent->times)
        .add_number("over", one.sent->over.count())
        .add("icmp", one.sent->icmp);
  }
  out.add_section("advice").add("side", name_of(one.advice.side)).add("leaf", one.advice.leaf).add("text", one.advice.text);
  return out;
}

Reply explain(const Call& call) {
  if (!call.requester->listens_to("svti-explain")) return failure("the answer comes in svti-explain events: register for them first");
  const std::string vpn(call.parameters.text("vpn"));
  // outside VRF main a VPN is VRF/NAME
  const std::size_t slash = vpn.find('/');
  const std::string vrf = slash == std::string::npos ? std::string(model::kMainVrf) : vpn.substr(0, slash);
  const std::string name = slash == std::string::npos ? vpn : vpn.substr(slash + 1);
  auto all = std::make_shared<std::vector<Explanation>>(call.service.explain(vrf, name));
  if (!name.empty() && all->empty() && !call.service.configuration(vrf)->vpns.contains(name))
    return failure(fmt::format("no VPN \"{}\" is configured", printable(vpn)));
  return Streamed{"svti-explain",
                  [all, next = std::size_t{0}]() mutable -> std::optional<vici::Message> {
                    if (next == all->size()) return std::nullopt;
                    return event_of((*all)[next++]);
                  },
                  success()};
}

constexpr Command kCommands[] = {{"svti-explain", explain}};

}  // namespace

std::span<const Command> explain_commands() { return kCommands; }

}  // namespace svti::control
