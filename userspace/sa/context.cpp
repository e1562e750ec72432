// SPDX-License-Identifier: Apache-2.0
#include "sa/context.h"

#include <algorithm>

#include "sa/ike_sa.h"

namespace svti::sa {

Context::Context(Entropy& source, SourceAddress lookup) : entropy(source), source_address(std::move(lookup)) {}
Context::~Context() = default;

std::vector<IpAddress> Context::addresses() {
  if (!one_look) return local_addresses();
  if (!one_look->seen) one_look->seen = local_addresses();
  return *one_look->seen;
}

std::uint32_t ReqidTable::unused(const Key& key) {
  for (const model::PolicyId& id : key.outbound) {
    const auto seed = seeds_.find(id);
    if (seed != seeds_.end() && !uses_.contains(seed->second)) return seed->second;
  }
  while (uses_.contains(next_)) next_ = next_ == model::kReqidLast ? model::kReqidFirst : next_ + 1;
  const std::uint32_t out = next_;
  next_ = next_ == model::kReqidLast ? model::kReqidFirst : next_ + 1;
  return out;
}

ReqidTable::Key ReqidTable::key_of(const std::vector<model::SetPolicy>& policies) {
  Key key;
  for (const model::SetPolicy& policy : policies) {
    if (policy.id.direction != model::Direction::Out) continue;
    key.outbound.push_back(policy.id);
    key.local = policy.tunnel_source;
    key.remote = policy.tunnel_destination;
  }
  return key;
}

std::uint32_t ReqidTable::acquire(const std::vector<model::SetPolicy>& policies) {
  Key key = key_of(policies);
  auto [found, inserted] = reqids_.try_emplace(key, 0);
  if (inserted) found->second = unused(key);
  Use& use = uses_[found->second];
  if (inserted) use.keys.push_back(std::move(key));
  ++use.count;
  return found->second;
}

std::uint32_t ReqidTable::share(std::uint32_t reqid) {
  ++uses_.at(reqid).count;
  return reqid;
}

void ReqidTable::moved(std::uint32_t reqid, const std::vector<model::SetPolicy>& policies) {
  const auto use = uses_.find(reqid);
  Key key = key_of(policies);
  if (use == uses_.end() || !reqids_.try_emplace(key, reqid).second) return;
  use->second.keys.push_back(std::move(key));
}

void ReqidTable::release(std::uint32_t reqid) {
  const auto use = uses_.find(reqid);
  if (use == uses_.end() || --use->second.count > 0) return;
  for (const Key& key : use->second.keys) reqids_.erase(key);
  uses_.erase(use);
}

void ReturnNotes::add(const Endpoint& to, std::string text, TimePoint now) {
  static constexpr std::size_t kMost = 256;
  if (notes_.size() == kMost && !notes_.contains(to)) {
    notes_.erase(std::min_element(notes_.begin(), notes_.end(), [](const auto& a, const auto& b) { return a.second.at < b.second.at; }));
  }
  notes_[to] = {printable(text), now};
}

std::string ReturnNotes::about(const Endpoint& to, TimePoint since) const {
  const auto found = notes_.find(to);
  return found == notes_.end() || found->second.at < since ? std::string() : found->second.text;
}

bool RateLimit::allows(TimePoint now) {
  if (!since_ || now - *since_ >= period_) {
    since_ = now;
    used_ = 0;
  }
  if (used_ == count_) return false;
  ++used_;
  return true;
}

wire::IkeSpi Context::new_ike_spi() {
  for (;;) {
    const wire::IkeSpi spi = entropy.u64();
    if (spi != 0 && ike_spis.insert(spi).second) return spi;
  }
}

std::uint32_t Context::new_child_spi() {
  for (;;) {
    const std::uint32_t spi = entropy.u32();
    if (spi > 255 && child_spis.insert(spi).second) return spi;
  }
}

void Context::count(model::Counter counter, const model::Vpn* vpn) {
  ++counters[counter];
  if (vpn != nullptr) ++vpn_counters[vpn->name][counter];
}

std::uint64_t Context::jittered(std::uint64_t amount, std::optional<std::uint64_t> spread) {
  const std::uint64_t most = std::min(spread.value_or(amount / 10), amount == 0 ? 0 : amount - 1);
  return amount - (most == 0 ? 0 : entropy.below(most + 1));
}

Duration Context::jittered(seconds time, std::optional<seconds> spread) {
  const Duration whole = time;
  const Duration most = spread ? std::min(Duration(*spread), whole) : whole / 10;
  return whole - Duration(static_cast<Duration::rep>(entropy.below(static_cast<std::uint64_t>(most.count()) + 1)));
}

}  // namespace svti::sa
