// SPDX-License-Identifier: Apache-2.0
#include "sim/world/fake_kernel.h"

#include <algorithm>

namespace svti::sim {

namespace {

bool matches(const model::PolicyId& id, const Packet& packet) {
  return id.protocol == 0 && id.source_port_mask == 0 && id.destination_port_mask == 0 && id.source.contains(packet.source) &&
         id.destination.contains(packet.destination);
}

}  // namespace

std::string FakeKernel::install(std::uint32_t child, model::AddSa sa) {
  const model::SaId id = sa.id;
  if (sad_.contains(id)) return "an SA is installed that is there already: " + model::describe(model::DeleteSa{id});
  sad_.emplace(id, Sa{child, std::move(sa), next_order_++});
  return {};
}

std::string FakeKernel::remove(const model::SaId& id) {
  if (sad_.erase(id) == 0) return "an SA is removed that is not there: " + model::describe(model::DeleteSa{id});
  return {};
}

std::string FakeKernel::move(const model::MoveSa& move) {
  const auto found = sad_.find(move.id);
  if (found == sad_.end()) return "an SA is moved that is not there: " + model::describe(move);
  const model::SaId id{move.destination, move.id.spi, move.id.protocol};
  model::AddSa* sa = &found->second.sa;
  if (id != move.id) {
    if (sad_.contains(id)) return "an SA is moved to where there is one: " + model::describe(move);
    Sa copy{found->second.child, {}, next_order_++};
    copy.sa.direction = sa->direction;
    copy.sa.mode = sa->mode;
    copy.sa.reqid = sa->reqid;
    copy.sa.if_id = sa->if_id;
    copy.sa.encryption = sa->encryption;
    copy.sa.integrity = sa->integrity;
    copy.sa.encryption_key = sa->encryption_key.clone();
    copy.sa.integrity_key = sa->integrity_key.clone();
    copy.sa.esn = sa->esn;
    sa = &sad_.emplace(id, std::move(copy)).first->second.sa;
    sa->id = id;
  }
  sa->source = move.source;
  sa->encapsulation = move.encapsulation;
  return {};
}

void FakeKernel::drop_claims(std::uint64_t owner, const std::vector<model::PolicyId>& ids) {
  for (const model::PolicyId& id : ids) {
    const auto policy = spd_.find(id);
    if (policy == spd_.end()) continue;
    std::erase_if(policy->second.claims, [&](const auto& claim) { return claim.first == owner; });
    if (policy->second.claims.empty()) {
      spd_.erase(policy);
    } else {
      policy->second.set = policy->second.claims.back().second;
    }
  }
}

void FakeKernel::claim(std::uint64_t owner, std::vector<model::SetPolicy> policies) {
  const std::vector<model::PolicyId> before = std::exchange(claims_[owner], {});
  for (model::SetPolicy& set : policies) {
    claims_[owner].push_back(set.id);
    Policy& policy = spd_[set.id];
    std::erase_if(policy.claims, [&](const auto& claim) { return claim.first == owner; });
    policy.claims.emplace_back(owner, set);
    policy.set = std::move(set);
  }
  std::vector<model::PolicyId> gone;
  const std::vector<model::PolicyId>& now = claims_[owner];
  std::copy_if(before.begin(), before.end(), std::back_inserter(gone),
               [&](const model::PolicyId& id) { return std::find(now.begin(), now.end(), id) == now.end(); });
  drop_claims(owner, gone);
}

std::string FakeKernel::release(std::uint64_t owner) {
  const auto claims = claims_.find(owner);
  if (claims == claims_.end()) return "owner " + std::to_string(owner) + " releases policies that it never claimed";
  const std::vector<model::PolicyId> ids = std::move(claims->second);
  claims_.erase(claims);
  drop_claims(owner, ids);
  return {};
}

void FakeKernel::flush() {
  sad_.clear();
  spd_.clear();
  claims_.clear();
}

const model::SetPolicy* FakeKernel::lookup(model::Direction direction, const Packet& packet) const {
  const model::SetPolicy* best = nullptr;
  for (const auto& [id, policy] : spd_) {
    if (id.direction != direction || !matches(id, packet)) continue;
    if (best == nullptr || policy.set.priority < best->priority) best = &policy.set;
  }
  return best;
}

const FakeKernel::Sa* FakeKernel::outbound(const model::SetPolicy& policy) const {
  const Sa* best = nullptr;
  for (const auto& [id, entry] : sad_) {
    const bool usable = entry.sa.direction == model::Direction::Out && entry.sa.reqid == policy.reqid &&
                        id.destination == policy.tunnel_destination &&
                        (id.protocol == wire::ProtocolId::Ah) == (policy.action == model::PolicyAction::Ah) &&
                        entry.sa.source == policy.tunnel_source && entry.sa.if_id == policy.id.if_id;
    if (usable && (best == nullptr || entry.order > best->order)) best = &entry;
  }
  return best;
}

const FakeKernel::Sa* FakeKernel::find(const model::SaId& id) const {
  const auto found = sad_.find(id);
  return found == sad_.end() ? nullptr : &found->second;
}

}  // namespace svti::sim
