// SPDX-License-Identifier: Apache-2.0
#include "engine/policy_table.h"

#include <algorithm>

namespace svti::engine {

using model::SetPolicy;

namespace {

bool is_routed(const SetPolicy& policy) {
  return policy.id.direction == model::Direction::Out && policy.id.if_id != 0 &&
         (policy.action == model::PolicyAction::Esp || policy.action == model::PolicyAction::Ah);
}

// the same to the kernel
bool same(const SetPolicy& one, const SetPolicy& other) {
  return one.action == other.action && one.priority == other.priority && one.mode == other.mode && one.reqid == other.reqid &&
         one.tunnel_source == other.tunnel_source && one.tunnel_destination == other.tunnel_destination;
}

}  // namespace

void PolicyTable::count_route(const SetPolicy& policy, int change) {
  if (!is_routed(policy)) return;
  const auto add = [change](std::size_t& count) { count = static_cast<std::size_t>(static_cast<long>(count) + change); };
  const auto count = [&](const Destination& destination, const IpAddress* source = nullptr) {
    auto [entry, inserted] = wanted_.try_emplace(destination);
    add(entry->second.count);
    if (source != nullptr) {
      auto& sources = entry->second.sources;
      if (change > 0 || sources.contains(*source)) add(sources[*source]);
      if (sources.contains(*source) && sources[*source] == 0) sources.erase(*source);
    }
    if (entry->second.count == 0) wanted_.erase(entry);
    changed_.push_back(destination.prefix);
  };
  const bool from_ours = policy.id.source == Prefix::host(policy.id.source.address()) && addresses_.contains(policy.id.source.address());
  count({policy.id.destination, policy.id.if_id}, from_ours ? &policy.id.source.address() : nullptr);
  if (policy.id.destination.contains(policy.tunnel_destination)) count({Prefix::host(policy.tunnel_destination), 0});
  // Wider than our own side of the policy: what comes out of the tunnel for us must not be routed back into it.
  const Prefix& ours = policy.id.source;
  if (policy.id.destination != ours && policy.id.destination.contains(ours)) count({ours, 0});
}

PolicyTable::Requests PolicyTable::claim(std::uint64_t owner, const std::vector<SetPolicy>& policies) {
  Requests out;
  std::vector<model::PolicyId> ids;
  for (const SetPolicy& policy : policies) ids.push_back(policy.id);
  std::sort(ids.begin(), ids.end());
  std::vector<model::PolicyId> before = std::exchange(owners_[owner], ids);
  for (const SetPolicy& policy : policies) {
    auto& claims = policies_[policy.id];
    const bool in_kernel = !claims.empty() && same(claims.back().policy, policy);
    if (!claims.empty()) count_route(claims.back().policy, -1);
    std::erase_if(claims, [&](const Claim& claim) { return claim.owner == owner; });
    count_route(policy, 1);
    if (!in_kernel) out.emplace_back(policy);
    claims.push_back({owner, policy});
  }
  for (const model::PolicyId& id : before) {
    if (!std::binary_search(ids.begin(), ids.end(), id)) drop_claim(owner, id, out);
  }
  update_routes(out);
  return out;
}

void PolicyTable::drop_claim(std::uint64_t owner, const model::PolicyId& id, Requests& out) {
  const auto entry = policies_.find(id);
  if (entry == policies_.end()) return;
  auto& claims = entry->second;
  const SetPolicy in_kernel = claims.back().policy;
  count_route(in_kernel, -1);
  std::erase_if(claims, [&](const Claim& claim) { return claim.owner == owner; });
  if (claims.empty()) {
    policies_.erase(entry);
    out.emplace_back(model::DeletePolicy{id});
    return;
  }
  count_route(claims.back().policy, 1);
  if (!same(claims.back().policy, in_kernel)) out.emplace_back(claims.back().policy);
}

PolicyTable::Requests PolicyTable::release(std::uint64_t owner) {
  const auto owned = owners_.find(owner);
  if (owned == owners_.end()) return {};
  Requests out;
  for (const model::PolicyId& id : owned->second) drop_claim(owner, id, out);
  owners_.erase(owned);
  update_routes(out);
  return out;
}

void PolicyTable::update_routes(Requests& out) {
  std::sort(changed_.begin(), changed_.end());
  changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
  Requests throws, routes, removed_routes, removed_throws;
  for (const Prefix& prefix : std::exchange(changed_, {})) {
    // a throw route (svti_id 0) sorts first and wins: nothing may hide the way to a peer
    const auto first = wanted_.lower_bound({prefix, 0});
    const auto next = wanted_.upper_bound({prefix, UINT32_MAX});
    const bool any = routing_.install_routes && first != next;
    const auto present = routes_.find(prefix);
    if (!any) {
      if (present == routes_.end()) continue;
      (present->second.id.svti_id == 0 ? removed_throws : removed_routes).emplace_back(model::DeleteRoute{present->second.id});
      routes_.erase(present);
      continue;
    }
    const std::uint32_t svti_id = first->first.svti_id == 0 ? 0 : std::prev(next)->first.svti_id;
    Route route{{prefix, routing_.table, svti_id}, std::nullopt};
    if (svti_id != 0 && !std::prev(next)->second.sources.empty()) route.source = std::prev(next)->second.sources.begin()->first;
    if (present != routes_.end() && present->second == route) continue;
    // the kernel replaces a route with the same destination and table
    (svti_id == 0 ? throws : routes).emplace_back(model::AddRoute{route.id, route.source});
    routes_[prefix] = route;
  }
  Requests new_rules, removed_rules;
  for (const IpFamily family : {IpFamily::V4, IpFamily::V6}) {
    const model::RuleId id{family, routing_.table, routing_.priority};
    const bool needed = std::any_of(routes_.begin(), routes_.end(), [&](const auto& route) { return route.first.family() == family; });
    if (needed && rules_.insert(id).second) new_rules.emplace_back(model::AddRule{id});
    if (!needed && rules_.erase(id) > 0) removed_rules.emplace_back(model::DeleteRule{id});
  }
  for (Requests* part : {&throws, &routes, &new_rules, &removed_rules, &removed_routes, &removed_throws}) {
    std::move(part->begin(), part->end(), std::back_inserter(out));
  }
}

PolicyTable::Requests PolicyTable::set_routing(const RoutingOptions& options) {
  if (options == routing_) return {};
  Requests out;
  // all of the old out of the way first: table and priority are part of what a route and a rule are
  for (const model::RuleId& rule : rules_) out.emplace_back(model::DeleteRule{rule});
  for (const auto& [prefix, route] : routes_) out.emplace_back(model::DeleteRoute{route.id});
  rules_.clear();
  routes_.clear();
  routing_ = options;
  for (const auto& [destination, count] : wanted_) changed_.push_back(destination.prefix);
  update_routes(out);
  return out;
}

PolicyTable::Requests PolicyTable::routes_through(std::uint32_t svti_id) const {
  Requests out;
  for (const auto& [prefix, route] : routes_) {
    if (route.id.svti_id == svti_id) out.emplace_back(model::AddRoute{route.id, route.source});
  }
  return out;
}

bool PolicyTable::wants(const model::RouteId& id) const {
  const auto found = routes_.find(id.destination);
  return found != routes_.end() && found->second.id == id;
}

}  // namespace svti::engine
