// SPDX-License-Identifier: Apache-2.0
// Commands about SAs: list them, set them up, take them down, rekey them.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "control/command_table.h"
#include "control/render_vici.h"

namespace svti::control {

namespace {

Result<std::optional<std::uint32_t>> unique_id(const vici::Message& parameters, std::string_view name) {
  if (parameters.find(name) == nullptr) return std::nullopt;
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
  const std::string* child = call.parameters.find("child");
  if (!call.requester->listens_to("list-sa")) return vici::Message{};

  const ChildFilter wanted = [name = child ? std::optional(*child) : std::nullopt, id = *child_id](const model::ChildSaState& candidate) {
    return (!name || candidate.name == *name) && (!id || candidate.unique_id == *id);
  };
  const bool only_with_children = child != nullptr || child_id->has_value();

  struct Listing {
    model::RuntimeState state;
    std::size_t next_sa = 0;
    std::vector<vici::Message> events;  // of the SA before next_sa, those left to send in reverse order
  };
  auto listing = std::make_shared<Listing>();
  listing->state = call.service.state(std::string(model::kMainVrf));
  std::erase_if(listing->state.ike_sas, [&](const model::IkeSaState& sa) {
    if (ike != nullptr && sa.name != *ike) return true;
    if (*ike_id && sa.unique_id != **ike_id) return true;
    return only_with_children && std::none_of(sa.children.begin(), sa.children.end(), wanted);
  });

  return Streamed{"list-sa",
                  [listing, wanted]() -> std::optional<vici::Message> {
                    if (listing->events.empty()) {
                      if (listing->next_sa == listing->state.ike_sas.size()) return std::nullopt;
                      listing->events = list_sa_events(std::exchange(listing->state.ike_sas[listing->next_sa++], {}), wanted);
                      std::reverse(listing->events.begin(), listing->events.end());
                    }
                    vici::Message event = std::move(listing->events.back());
                    listing->events.pop_back();
                    return event;
                  },
                  {}};
}

using engine::Target;

// `ike` is a VPN, `child` a security policy. Whether the VPN is there is for the service to say: its SAs may outlive its configuration.
Result<Target> find_target(const Call& call) {
  const vici::Message& parameters = call.parameters;
  for (const char* id : {"ike-id", "child-id"}) {
    if (parameters.find(id) != nullptr) return config_error(fmt::format("{} is not supported yet: name the VPN with ike", id));
  }
  const std::string vpn(parameters.text("ike"));
  const std::string policy(parameters.text("child"));
  if (!vpn.empty()) return Target{std::string(model::kMainVrf), vpn, policy};
  if (policy.empty()) return config_error("missing name: ike takes a VPN, child a security-policy");

  std::optional<Target> found;
  const model::ConfigurationPtr configuration = call.service.configuration(std::string(model::kMainVrf));
  for (const auto& [name, candidate] : configuration->vpns) {
    if (candidate->find_policy(policy) == nullptr) continue;
    if (found)
      return config_error(fmt::format("VPNs {} and {} both have a security-policy {}: name one with ike", found->vpn, name, policy));
    found = Target{std::string(model::kMainVrf), name, policy};
  }
  if (!found) return config_error(fmt::format("no VPN has a security-policy \"{}\"", printable(policy)));
  return *found;
}

engine::Service::Done answer_with_outcome(const Call& call) {
  return [client = std::weak_ptr(call.requester), request = call.request](const Status& outcome) {
    if (const auto requester = client.lock()) requester->respond(request, outcome ? success() : failure(outcome.error().message));
  };
}

LogSink report_progress(const Call& call, std::int64_t level) {
  return [client = std::weak_ptr(call.requester), request = call.request, level](const LogLine& line) {
    if (line.level > level) return;
    if (const auto requester = client.lock()) requester->send_event(request, "control-log", log_event(line));
  };
}

using Operation = void (engine::Service::*)(const Target&, milliseconds, LogSink, engine::Service::Done);

// initiate and terminate: timeout in ms, 0 waits for the end, -1 (and async) does not wait at all
Reply run(const Call& call, Operation operation) {
  const Result<Target> target = find_target(call);
  if (!target) return failure(target.error().message);
  const auto timeout = call.parameters.number("timeout", 0, -1, std::numeric_limits<std::int32_t>::max());
  if (!timeout) return failure(timeout.error().message);
  const auto level = call.parameters.number("loglevel", 1, -1, 4);
  if (!level) return failure(level.error().message);
  const auto async = call.parameters.flag("async", false);
  if (!async) return failure(async.error().message);

  (call.service.*operation)(*target, milliseconds(std::max<std::int64_t>(*timeout, 0)), report_progress(call, *level),
                            answer_with_outcome(call));
  // What failed at once has been answered by now, and this is dropped.
  if (*timeout < 0 || *async) call.requester->respond(call.request, success());
  return Deferred{};
}

Reply initiate(const Call& call) { return run(call, &engine::Service::initiate); }
Reply terminate(const Call& call) { return run(call, &engine::Service::terminate); }

Reply rekey(const Call& call) {
  const Result<Target> target = find_target(call);
  if (!target) return failure(target.error().message);
  const auto reauth = call.parameters.flag("reauth", false);
  if (!reauth) return failure(reauth.error().message);
  if (*reauth) return failure("reauthentication is not supported yet: terminate and initiate the VPN");
  call.service.rekey(*target, answer_with_outcome(call));
  return Deferred{};
}

constexpr Command kCommands[] = {
    {"list-sas", list_sas},
    {"initiate", initiate},
    {"terminate", terminate},
    {"rekey", rekey},
};

}  // namespace

std::span<const Command> sa_commands() { return kCommands; }

}  // namespace svti::control
