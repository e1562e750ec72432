// SPDX-License-Identifier: Apache-2.0
#include "engine/explanations.h"

#include <algorithm>

namespace svti::engine {

using model::Explanation;

void Explanations::record(Explanation explanation) {
  if (explanation.vpn.empty()) return remember_stranger(std::move(explanation));
  // Our own attempts are nobody else's doing, whether or not the peer came to prove who it is.
  const bool ours = explanation.authenticated || explanation.initiator;
  auto& of_vpn = by_vpn_[explanation.vpn];
  // what was refused before does not matter once it works
  if (explanation.succeeded && explanation.policy.empty()) of_vpn.erase(Key{false, {}});
  Key key{ours, explanation.policy};
  of_vpn.insert_or_assign(std::move(key), std::move(explanation));
}

void Explanations::remember_stranger(Explanation explanation) {
  const auto same = std::find_if(strangers_.begin(), strangers_.end(), [&](const Explanation& one) {
    return one.remote.address == explanation.remote.address && one.cause == explanation.cause && one.remote_id == explanation.remote_id;
  });
  if (same != strangers_.end()) {
    explanation.repeated = same->repeated + 1;
    strangers_.erase(same);
  }
  strangers_.push_front(std::move(explanation));
  if (strangers_.size() > model::kMaxStrangers) strangers_.pop_back();
}

void Explanations::keep_only(const model::Configuration& configuration) {
  std::erase_if(by_vpn_, [&](const auto& entry) { return !configuration.vpns.contains(entry.first); });
  for (auto& [name, explanations] : by_vpn_) {
    const model::Vpn& vpn = *configuration.vpns.find(name)->second;
    std::erase_if(explanations,
                  [&](const auto& entry) { return !entry.first.policy.empty() && vpn.find_policy(entry.first.policy) == nullptr; });
  }
}

std::vector<Explanation> Explanations::of(const std::string& vpn, TimePoint now) const {
  std::vector<Explanation> out;
  const auto found = by_vpn_.find(vpn);
  if (found == by_vpn_.end()) return out;
  for (const auto& [key, one] : found->second) out.push_back(one);
  // A CHILD SA is made in the same moment as its IKE SA, and after it.
  std::stable_sort(out.begin(), out.end(), [](const Explanation& a, const Explanation& b) {
    return a.at != b.at ? a.at > b.at : a.policy.empty() < b.policy.empty();
  });
  for (Explanation& one : out) one.age = std::chrono::duration_cast<seconds>(now - one.at);
  return out;
}

std::vector<Explanation> Explanations::strangers(TimePoint now) const {
  std::vector<Explanation> out(strangers_.begin(), strangers_.end());
  for (Explanation& one : out) one.age = std::chrono::duration_cast<seconds>(now - one.at);
  return out;
}

}  // namespace svti::engine
