// SPDX-License-Identifier: Apache-2.0
// Who needs which policy, and the reverse routes and rules that follow from it (the guide's "Reverse route injection").
//
// A policy has one place in the kernel and may have several owners: a trap, a CHILD SA, the CHILD SA it is being rekeyed to. The kernel has
// the form that the latest claim gave it, until the last owner lets go. A route exists while an outbound policy of an SVTI leads to its
// destination, the rule while there is a route of its family. A destination that covers the peer's own address gets a throw route for
// the peer beside it: IKE and ESP to the peer must not be routed into the tunnel they carry. So does one that covers our own side of the
// policy (remote 0.0.0.0/0, or 10.0.0.0/8 of a site that is 10.1.0.0/16): the site keeps the routes it has. A route that leads into the
// tunnel from a virtual address of ours makes that the source of what has none yet.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "model/kernel.h"

namespace svti::engine {

struct RoutingOptions {
  bool install_routes = false;
  std::uint32_t table = 220;
  std::uint32_t priority = 220;

  bool operator==(const RoutingOptions&) const = default;
};

// Pure: says what to ask of the kernel, in order. Routes come after the throw routes that guard them, rules last; removal goes the other
// way.
class PolicyTable {
 public:
  using Requests = std::vector<model::KernelRequest>;

  // replaces what `owner` claimed before
  Requests claim(std::uint64_t owner, const std::vector<model::SetPolicy>& policies);
  Requests release(std::uint64_t owner);
  Requests set_routing(const RoutingOptions& options);
  // Virtual addresses of this host: said before policies that lead from them are claimed.
  void add_address(const IpAddress& address) { addresses_.insert(address); }
  void remove_address(const IpAddress& address) { addresses_.erase(address); }
  // the interface came up: the kernel has forgotten the routes through it
  Requests routes_through(std::uint32_t svti_id) const;

  bool wants(const model::PolicyId& id) const { return policies_.contains(id); }
  bool wants(const model::RouteId& id) const;
  bool wants(const model::RuleId& id) const { return rules_.contains(id); }

 private:
  struct Claim {
    std::uint64_t owner = 0;
    model::SetPolicy policy;
  };
  struct Destination {
    Prefix prefix;
    std::uint32_t svti_id = 0;  // 0: throw
    auto operator<=>(const Destination&) const = default;
  };

  void drop_claim(std::uint64_t owner, const model::PolicyId& id, Requests& out);
  void update_routes(Requests& out);

  std::map<model::PolicyId, std::vector<Claim>> policies_;  // claims in the order they were made; the last is in the kernel
  std::map<std::uint64_t, std::vector<model::PolicyId>> owners_;
  RoutingOptions routing_;
  // How many policies in force want a destination, by prefix: where several SVTIs want the same, the one with the highest id has it.
  struct Want {
    std::size_t count = 0;
    std::map<IpAddress, std::size_t> sources;  // virtual addresses, and how many of the policies lead from each
  };
  struct Route {
    model::RouteId id;
    std::optional<IpAddress> source;
    bool operator==(const Route&) const = default;
  };
  std::map<Destination, Want> wanted_;
  std::map<Prefix, Route> routes_;  // in the kernel
  std::set<IpAddress> addresses_;
  std::set<model::RuleId> rules_;
  std::vector<Prefix> changed_;  // prefixes whose wanted_ changed since the last update_routes()

  void count_route(const model::SetPolicy& policy, int change);
};

}  // namespace svti::engine
