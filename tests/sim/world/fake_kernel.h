// SPDX-License-Identifier: Apache-2.0
// A kernel's SPD and SAD as far as the protocol core can tell: what was installed, who claims which policy, and where a packet goes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sa/effects.h"

namespace svti::sim {

// An inner packet: addresses alone, protocol and ports are left out (0).
struct Packet {
  IpAddress source, destination;
};

class FakeKernel {
 public:
  struct Sa {
    std::uint32_t child = 0;
    model::AddSa sa;
    std::uint64_t order = 0;  // of installation: the newest outbound SA is used
  };
  struct Policy {
    model::SetPolicy set;                                            // the form of the last of the claims
    std::vector<std::pair<std::uint64_t, model::SetPolicy>> claims;  // owner and form, in the order they were made
  };

  // Each returns what was wrong with the request, empty when nothing was.
  std::string install(std::uint32_t child, model::AddSa sa);
  std::string remove(const model::SaId& id);
  std::string move(const model::MoveSa& move);
  void claim(std::uint64_t owner, std::vector<model::SetPolicy> policies);
  std::string release(std::uint64_t owner);
  // what a restart of the daemon that takes nothing over does
  void flush();

  // the policy with the smallest priority that the packet matches; null: none
  const model::SetPolicy* lookup(model::Direction direction, const Packet& packet) const;
  // newest usable for the policy; null: none
  const Sa* outbound(const model::SetPolicy& policy) const;
  const Sa* find(const model::SaId& id) const;

  const std::map<model::SaId, Sa>& sad() const { return sad_; }
  const std::map<model::PolicyId, Policy>& spd() const { return spd_; }

 private:
  void drop_claims(std::uint64_t owner, const std::vector<model::PolicyId>& ids);

  std::map<model::SaId, Sa> sad_;
  std::map<model::PolicyId, Policy> spd_;
  std::map<std::uint64_t, std::vector<model::PolicyId>> claims_;
  std::uint64_t next_order_ = 1;
};

}  // namespace svti::sim
