// SPDX-License-Identifier: Apache-2.0
// Commands about SAs: list them, set them up, take them down, rekey them; and about the traps that bring them up.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "control/command_table.h"
#include "control/option_values.h"
#include "control/render_vici.h"

namespace svti::control {

namespace {

using engine::Target;

// an id, 0 where none is given
Result<std::uint32_t> unique_id(const vici::Message& parameters, std::string_view name) {
  const auto value = parameters.number(name, 0, 0, std::numeric_limits<std::uint32_t>::max());
  if (!value) return fail(value.error());
  return static_cast<std::uint32_t>(*value);
}

Reply list_sas(const Call& call) {
  const auto ike_id = unique_id(call.parameters, "ike-id");
  if (!ike_id) return failure(ike_id.error().message);
  const auto child_id = unique_id(call.parameters, "child-id");
  if (!child_id) return failure(child_id.error().message);
  const std::string* ike = call.parameters.find("ike");
  const std::string child(call.parameters.text("child"));
  if (!call.requester->listens_to("list-sa")) return vici::Message{};

  struct Listing {
    std::vector<std::pair<std::string, std::uint32_t>> sas;  // VRF and unique id, in reverse order
    std::vector<vici::Message> events;                       // of the SA before, those left to send in reverse order
  };
  auto listing = std::make_shared<Listing>();
  const auto [ike_vrf, vpn] = model::split_qualified_name(ike != nullptr ? *ike : std::string());
  for (const std::string& vrf : call.service.vrfs()) {
    if (ike != nullptr && vrf != ike_vrf) continue;
    for (const std::uint32_t id : call.service.ike_sas({vrf, vpn, child, *ike_id, *child_id})) listing->sas.emplace_back(vrf, id);
  }
  std::reverse(listing->sas.begin(), listing->sas.end());

  const ChildFilter wanted = [child, id = *child_id](const model::ChildSaState& candidate) {
    return (child.empty() || candidate.name == child) && (id == 0 || candidate.unique_id == id);
  };
  return Streamed{"list-sa",
                  [listing, wanted, &service = call.service]() -> std::optional<vici::Message> {
                    while (listing->events.empty()) {
                      if (listing->sas.empty()) return std::nullopt;
                      const auto [vrf, id] = std::move(listing->sas.back());
                      listing->sas.pop_back();
                      auto sa = service.ike_sa(vrf, id);
                      if (!sa) continue;  // gone meanwhile
                      sa->name = model::qualified_name(vrf, sa->name);
                      listing->events = list_sa_events(*sa, wanted);
                      std::reverse(listing->events.begin(), listing->events.end());
                    }
                    vici::Message event = std::move(listing->events.back());
                    listing->events.pop_back();
                    return event;
                  },
                  {}};
}

// the only VPN with a policy of that name, in any VRF
Result<Target> find_policy(const Call& call, const std::string& policy) {
  std::optional<Target> found;
  for (const std::string& vrf : call.service.vrfs()) {
    for (const auto& [name, candidate] : call.service.configuration(vrf)->vpns) {
      if (candidate->find_policy(policy) == nullptr) continue;
      if (found) {
        return config_error(fmt::format("VPNs {} and {} both have a security-policy {}: name one with ike",
                                        model::qualified_name(found->vrf, found->vpn), model::qualified_name(vrf, name), policy));
      }
      found = Target{vrf, name, policy};
    }
  }
  if (found) return *found;
  for (const auto& [name, connection] : call.loaded.catalogue.connections()) {
    if (!connection.refusal.empty() && connection.vpn->find_policy(policy) != nullptr)
      return Target{std::string(model::kMainVrf), name, policy};
  }
  return config_error(fmt::format("no VPN has a security-policy \"{}\"", printable(policy)));
}

// `ike` is a VPN, `child` a security policy, `ike-id` and `child-id` are SAs. Whether it is there is for the service to say: SAs may
// outlive their configuration.
Result<Target> find_target(const Call& call) {
  const vici::Message& parameters = call.parameters;
  const auto ike_id = unique_id(parameters, "ike-id");
  if (!ike_id) return fail(ike_id.error());
  const auto child_id = unique_id(parameters, "child-id");
  if (!child_id) return fail(child_id.error());
  const std::string vpn(parameters.text("ike"));
  const std::string policy(parameters.text("child"));
  if (vpn.empty() && policy.empty() && *ike_id == 0 && *child_id == 0)
    return config_error("missing name: ike takes a VPN, child a security-policy, ike-id and child-id an SA");
  Target target;
  if (!vpn.empty()) {
    auto [vrf, name] = model::split_qualified_name(vpn);
    target = {std::move(vrf), std::move(name), policy, *ike_id, *child_id};
  } else if (*ike_id == 0 && *child_id == 0) {
    return find_policy(call, policy);
  } else {
    // ids are unique over all VRFs
    for (const std::string& vrf : call.service.vrfs()) {
      target = {vrf, {}, policy, *ike_id, *child_id};
      if (call.service.matching(target) > 0) break;
    }
  }
  return target;
}

// What was loaded is brought to the engine first: who loads and initiates expects that.
Result<Target> find_configured(const Call& call) {
  if (const Status applied = call.loaded.overlay.apply(); !applied) return fail(applied.error());
  auto target = find_target(call);
  if (!target || target->vrf != model::kMainVrf) return target;
  const auto connection = call.loaded.catalogue.connections().find(target->vpn);
  if (connection != call.loaded.catalogue.connections().end() && !connection->second.refusal.empty())
    return config_error(fmt::format("connection {}: {}", target->vpn, connection->second.refusal));
  return target;
}

// `counted`: keys that tell how many SAs the command was about
engine::Service::Done answer_with_outcome(const Call& call, std::vector<std::pair<std::string, std::size_t>> counted = {}) {
  return [client = std::weak_ptr(call.requester), request = call.request, counted = std::move(counted)](const Status& outcome) {
    const auto requester = client.lock();
    if (!requester) return;
    vici::Message response = outcome ? success() : failure(outcome.error().message);
    for (const auto& [name, count] : counted) response.add_number(name, outcome || name == "matches" ? count : 0);
    requester->respond(request, response);
  };
}

LogSink report_progress(const Call& call, std::int64_t level) {
  return [client = std::weak_ptr(call.requester), request = call.request, level](const LogLine& line) {
    if (line.level > level) return;
    if (const auto requester = client.lock()) requester->send_event(request, "control-log", log_event(line));
  };
}

struct Waiting {
  milliseconds timeout{0};
  bool answer_now = false;
  std::int64_t level = 1;
};

// timeout in ms, 0 waits for the end, -1 (and async) does not wait at all
Result<Waiting> waiting_of(const Call& call, std::string_view also_now) {
  const auto timeout = call.parameters.number("timeout", 0, -1, std::numeric_limits<std::int32_t>::max());
  if (!timeout) return fail(timeout.error());
  const auto level = call.parameters.number("loglevel", 1, -1, 4);
  if (!level) return fail(level.error());
  const auto now = call.parameters.flag(also_now, false);
  if (!now) return fail(now.error());
  return Waiting{milliseconds(std::max<std::int64_t>(*timeout, 0)), *timeout < 0 || *now, *level};
}

// an address that nhrpd gives to a connection without one; nothing: it is not given
Result<std::optional<IpAddress>> host_of(const vici::Message& parameters, std::string_view name) {
  const std::string* text = parameters.find(name);
  if (text == nullptr || text->empty() || *text == "%any") return std::optional<IpAddress>();
  const auto address = IpAddress::parse(*text);
  if (!address) return config_error(fmt::format("{} \"{}\" is not an address", name, printable(*text)));
  return std::optional<IpAddress>(*address);
}

Reply initiate(const Call& call) {
  const auto mine = host_of(call.parameters, "my-host"), other = host_of(call.parameters, "other-host");
  if (!mine) return failure(mine.error().message);
  if (!other) return failure(other.error().message);
  const auto waiting = waiting_of(call, "async");
  if (!waiting) return failure(waiting.error().message);
  Result<Target> target = find_configured(call);
  if (!target) return failure(target.error().message);
  target->local = *mine;
  target->remote = *other;
  call.service.initiate(*target, waiting->timeout, report_progress(call, waiting->level), answer_with_outcome(call));
  // What failed at once has been answered by now, and this is dropped.
  if (waiting->answer_now) call.requester->respond(call.request, success());
  return Deferred{};
}

Reply no_sa(std::string_view verb) {
  vici::Message response = failure(fmt::format("no matching SAs to {} found", verb));
  response.add_number("matches", 0);
  return response;
}

Reply terminate(const Call& call) {
  const auto waiting = waiting_of(call, "force");  // whoever forces it does not wait for the peer
  if (!waiting) return failure(waiting.error().message);
  const Result<Target> target = find_target(call);
  if (!target) return failure(target.error().message);
  const std::size_t matches = call.service.matching(*target);
  if (matches == 0) return no_sa("terminate");
  call.service.terminate(*target, waiting->timeout, report_progress(call, waiting->level),
                         answer_with_outcome(call, {{"matches", matches}, {"terminated", matches}}));
  if (waiting->answer_now) {
    vici::Message response = success();
    response.add_number("matches", matches).add_number("terminated", matches);
    call.requester->respond(call.request, response);
  }
  return Deferred{};
}

Reply rekey(const Call& call) {
  Result<Target> target = find_target(call);
  if (!target) return failure(target.error().message);
  const auto reauth = call.parameters.flag("reauth", false);
  if (!reauth) return failure(reauth.error().message);
  if (*reauth && (!target->policy.empty() || target->child_id != 0)) return failure("reauth is for an IKE SA: expected ike or ike-id");
  target->reauthenticate = *reauth;
  const std::size_t matches = call.service.matching(*target);
  if (matches == 0) return no_sa("rekey");
  call.service.rekey(*target, answer_with_outcome(call, {{"matches", matches}}));
  return Deferred{};
}

// an address, a subnet or a range
Result<std::optional<model::AddressRange>> peers_at(std::string_view text) {
  if (text.empty()) return std::optional<model::AddressRange>();
  if (const auto subnet = Prefix::parse(text)) return std::optional(model::AddressRange{subnet->first(), subnet->last()});
  auto range = model::parse_address_range(text);
  if (!range) return config_error(fmt::format("invalid peer-ip \"{}\": expected an address, a subnet, or FIRST-LAST", printable(text)));
  return std::optional(*range);
}

Reply redirect(const Call& call) {
  const std::string_view to = call.parameters.text("gateway");
  if (to.empty()) return failure("missing gateway: an address or a host name to redirect to");
  const auto gateway = wire::GatewayIdentity::parse(to);
  if (!gateway) return failure(fmt::format("gateway \"{}\": {}", printable(to), gateway.error().message));
  const auto ike_id = unique_id(call.parameters, "ike-id");
  if (!ike_id) return failure(ike_id.error().message);
  engine::RedirectedPeers peers;
  const auto addresses = peers_at(call.parameters.text("peer-ip"));
  if (!addresses) return failure(addresses.error().message);
  peers.addresses = *addresses;
  if (const std::string_view id = call.parameters.text("peer-id"); !id.empty()) {
    const auto identity = parse_peer_identity(id);
    if (!identity) return failure("invalid peer-id: " + identity.error().message);
    peers.id = *identity;
  }
  auto [vrf, vpn] = model::split_qualified_name(call.parameters.text("ike"));
  if (vpn.empty() && *ike_id == 0 && !peers.addresses && !peers.id)
    return failure("missing redirect selector: ike, ike-id, peer-ip or peer-id");
  const auto asked = call.service.redirect({std::move(vrf), std::move(vpn), {}, *ike_id, 0}, peers, *gateway);
  if (!asked || *asked == 0) {
    vici::Message response = failure(asked ? "no matching SAs to redirect found" : asked.error().message);
    response.add_number("matches", 0);
    return response;
  }
  vici::Message response = success();
  response.add_number("matches", *asked);
  return response;
}

Reply install(const Call& call) {
  const Result<Target> target = find_configured(call);
  if (!target) return failure(target.error().message);
  const Status installed = call.service.install(*target);
  return installed ? success() : failure(installed.error().message);
}

Reply uninstall(const Call& call) {
  const Result<Target> target = find_configured(call);
  if (!target) return failure(target.error().message);
  const Status removed = call.service.uninstall(*target);
  return removed ? success() : failure(removed.error().message);
}

constexpr Command kCommands[] = {
    {"list-sas", list_sas}, {"initiate", initiate}, {"terminate", terminate}, {"rekey", rekey},
    {"redirect", redirect}, {"install", install},   {"uninstall", uninstall},
};

}  // namespace

std::span<const Command> sa_commands() { return kCommands; }

}  // namespace svti::control
