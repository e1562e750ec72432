// SPDX-License-Identifier: Apache-2.0
// The last explanations: of each VPN and security-policy, and of peers for whom no VPN was found. Bounded by the configuration, whatever
// peers send.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/explanation.h"

namespace svti::engine {

class Explanations {
 public:
  void record(model::Explanation explanation);
  // what is about VPNs or security-policies that are not configured any more goes
  void keep_only(const model::Configuration& configuration);

  // newest first, with their age
  std::vector<model::Explanation> of(const std::string& vpn, TimePoint now) const;
  std::vector<model::Explanation> strangers(TimePoint now) const;

 private:
  // What somebody unauthenticated did stands apart: it must not push out what is known of the real peer.
  struct Key {
    bool authenticated = false;
    std::string policy;
    auto operator<=>(const Key&) const = default;
  };
  void remember_stranger(model::Explanation explanation);

  std::map<std::string, std::map<Key, model::Explanation>, std::less<>> by_vpn_;
  std::deque<model::Explanation> strangers_;  // newest first
};

}  // namespace svti::engine
