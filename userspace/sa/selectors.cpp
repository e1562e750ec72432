// SPDX-License-Identifier: Apache-2.0
#include "sa/selectors.h"

#include <algorithm>
#include <bit>

namespace svti::sa {

using model::Direction;
using wire::TrafficSelector;

namespace {

struct PortMask {
  std::uint16_t port = 0;
  std::uint16_t mask = 0;
};

// the fewest value/mask pairs that cover first..last, as prefixes cover an address range
std::vector<PortMask> port_masks(std::uint32_t first, std::uint32_t last) {
  std::vector<PortMask> out;
  while (first <= last) {
    std::uint32_t size = first == 0 ? 0x10000 : first & (~first + 1);
    while (size > last - first + 1) size >>= 1;
    out.push_back({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(~(size - 1))});
    first += size;
  }
  return out;
}

// smaller wins in the kernel: the narrower the selectors, the smaller. Steps leave room for the protocol and port.
std::uint32_t computed_priority(const model::PolicyId& id) {
  static constexpr std::uint32_t kWidest = 400'000;
  std::uint32_t width = kWidest - 1024U * (std::uint32_t{id.source.length()} + id.destination.length());
  if (id.protocol != 0) width -= 512;
  for (const std::uint16_t mask : {id.source_port_mask, id.destination_port_mask}) {
    width -= static_cast<std::uint32_t>(std::popcount(mask)) * 8;
  }
  return width;
}

struct Side {
  Prefix prefix;
  PortMask ports;
};

std::vector<Side> sides_of(const TrafficSelector& selector) {
  std::vector<Side> out;
  const auto masks = port_masks(selector.start_port, selector.end_port);
  for (const Prefix& prefix : selector.prefixes()) {
    for (const PortMask& mask : masks) out.push_back({prefix, mask});
  }
  return out;
}

void add_pair(const Side& local, const Side& remote, std::uint8_t protocol, const PolicyTarget& target,
              std::vector<model::SetPolicy>& out) {
  for (const Direction direction : {Direction::Out, Direction::In, Direction::Forward}) {
    const bool outbound = direction == Direction::Out;
    const Side& source = outbound ? local : remote;
    const Side& destination = outbound ? remote : local;
    model::SetPolicy set;
    set.id = {direction,
              source.prefix,
              destination.prefix,
              protocol,
              source.ports.port,
              source.ports.mask,
              destination.ports.port,
              destination.ports.mask,
              outbound ? target.policy->svti_id_out : target.policy->svti_id_in};
    set.action = target.policy->action;
    set.priority = target.policy->priority != 0 ? target.policy->priority : computed_priority(set.id);
    set.mode = target.policy->mode;
    set.reqid = target.reqid;
    set.tunnel_source = outbound ? target.local : target.remote;
    set.tunnel_destination = outbound ? target.remote : target.local;
    out.push_back(std::move(set));
  }
}

}  // namespace

Selectors selectors_of(const std::vector<model::SelectorConfig>& configured, const IpAddress& dynamic) {
  Selectors out;
  for (const model::SelectorConfig& one : configured) {
    out.push_back(TrafficSelector::of(one.subnet.value_or(Prefix::host(dynamic)), one.protocol, one.start_port, one.end_port));
  }
  return out;
}

Selectors narrow(const Selectors& ours, const Selectors& theirs) {
  Selectors out;
  for (const TrafficSelector& mine : ours) {
    for (const TrafficSelector& yours : theirs) {
      for (const TrafficSelector& common : wire::intersect(mine, yours)) {
        const bool covered = std::any_of(out.begin(), out.end(), [&](const TrafficSelector& other) { return other.contains(common); });
        if (covered) continue;
        std::erase_if(out, [&](const TrafficSelector& other) { return common.contains(other); });
        out.push_back(common);
      }
    }
  }
  return out;
}

bool within(const Selectors& inner, const Selectors& outer) {
  return std::all_of(inner.begin(), inner.end(), [&](const TrafficSelector& one) {
    return std::any_of(outer.begin(), outer.end(), [&](const TrafficSelector& other) { return other.contains(one); });
  });
}

std::vector<model::SetPolicy> policies_for(const Selectors& local, const Selectors& remote, const PolicyTarget& target) {
  std::vector<model::SetPolicy> out;
  for (const TrafficSelector& mine : local) {
    for (const TrafficSelector& yours : remote) {
      if (mine.start.family() != yours.start.family()) continue;
      if (mine.protocol != 0 && yours.protocol != 0 && mine.protocol != yours.protocol) continue;
      const std::uint8_t protocol = mine.protocol != 0 ? mine.protocol : yours.protocol;
      const auto local_sides = sides_of(mine);
      const auto remote_sides = sides_of(yours);
      if (out.size() + 3 * local_sides.size() * remote_sides.size() > kMaxPolicies) return {};
      for (const Side& local_side : local_sides) {
        for (const Side& remote_side : remote_sides) add_pair(local_side, remote_side, protocol, target, out);
      }
    }
  }
  return out;
}

std::string to_string(const Selectors& selectors) {
  std::string out;
  for (std::size_t i = 0; i < selectors.size(); ++i) out += (i == 0 ? "" : ", ") + selectors[i].to_string();
  return out.empty() ? "nothing" : out;
}

}  // namespace svti::sa
