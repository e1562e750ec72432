// SPDX-License-Identifier: Apache-2.0
// Traffic selectors: from configuration, narrowed (RFC 7296 2.9), and as the kernel's policies.
#pragma once

#include <vector>

#include "model/config.h"
#include "model/kernel.h"
#include "wire/payload.h"

namespace svti::sa {

using Selectors = std::vector<wire::TrafficSelector>;

// `dynamic` stands for a selector without a subnet: the outer address of that side
Selectors selectors_of(const std::vector<model::SelectorConfig>& configured, const IpAddress& dynamic);
// ... or several prefixes: virtual addresses, or what they may turn out to be
Selectors selectors_of(const std::vector<model::SelectorConfig>& configured, const std::vector<Prefix>& dynamic);

// Takes out what has no counterpart of its family on the other side: virtual addresses may be of both, a policy's subnet is of one.
void pair_families(Selectors& local, Selectors& remote);

// what both lists cover, in our order, nothing twice; empty: nothing in common
Selectors narrow(const Selectors& ours, const Selectors& theirs);
// every selector of `inner` lies within one of `outer`
bool within(const Selectors& inner, const Selectors& outer);

// `limit`: more policies than this are refused (an empty result): a peer may not make us fill the kernel
inline constexpr std::size_t kMaxPolicies = 1024;

struct PolicyTarget {
  const model::SecurityPolicy* policy = nullptr;
  IpAddress local, remote;  // outer
  std::uint32_t reqid = 0;
};

// Out, In and Forward policies for each pair of prefixes and ports. RFC 4301 4.4.1; one kernel policy holds one pair.
std::vector<model::SetPolicy> policies_for(const Selectors& local, const Selectors& remote, const PolicyTarget& target);

std::string to_string(const Selectors& selectors);

}  // namespace svti::sa
