// SPDX-License-Identifier: Apache-2.0
#include "sa/selectors.h"

#include <algorithm>
#include <bit>

namespace svti::sa {

using model::Direction;
using wire::TrafficSelector;

namespace {

// IANA protocol numbers
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIcmpV6 = 58;

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

// The two port fields of an outbound policy. Inbound they change places, but for ICMP's.
struct Ports {
  PortMask local;
  PortMask remote;
};

bool is_icmp(std::uint8_t protocol) { return protocol == kIcmp || protocol == kIcmpV6; }

// Types and codes first..last, each type * 256 + code, with the type where the kernel has the source port and the code where it
// has the destination port.
std::vector<Ports> icmp_masks(std::uint32_t first, std::uint32_t last) {
  std::vector<Ports> out;
  while (first <= last) {
    const std::uint32_t type = first >> 8;
    const std::uint32_t whole_types = (first & 0xff) == 0 ? (last + 1 - first) >> 8 : 0;
    if (whole_types == 256) return {Ports{}};
    if (whole_types > 0) {
      for (const PortMask& types : port_masks(type, type + whole_types - 1)) out.push_back({types, {}});
      first += whole_types << 8;
      continue;
    }
    const std::uint32_t end = std::min(last, first | 0xff);
    for (const PortMask& codes : port_masks(first & 0xff, end & 0xff)) {
      out.push_back({{static_cast<std::uint16_t>(type), 0xffff}, codes});
    }
    first = end + 1;
  }
  return out;
}

// RFC 4301 4.4.1.1: an ICMP packet has one type and code, which both selectors have to allow.
std::vector<Ports> ports_of(const TrafficSelector& local, const TrafficSelector& remote, std::uint8_t protocol) {
  if (is_icmp(protocol)) {
    if (local.opaque_port() || remote.opaque_port()) return {};
    return icmp_masks(std::max(local.start_port, remote.start_port), std::min(local.end_port, remote.end_port));
  }
  std::vector<Ports> out;
  const auto remote_masks = port_masks(remote.start_port, remote.end_port);
  for (const PortMask& mine : port_masks(local.start_port, local.end_port)) {
    for (const PortMask& yours : remote_masks) out.push_back({mine, yours});
  }
  return out;
}

void add_pair(const Prefix& local, const Prefix& remote, std::uint8_t protocol, const Ports& ports, const PolicyTarget& target,
              std::vector<model::SetPolicy>& out) {
  const bool transport = target.policy->negotiated() && target.policy->mode == model::Mode::Transport;
  for (const Direction direction : {Direction::Out, Direction::In, Direction::Forward}) {
    if (transport && direction == Direction::Forward) continue;  // what is ours is not forwarded
    const bool outbound = direction == Direction::Out;
    const bool as_written = outbound || is_icmp(protocol);
    const PortMask& source_port = as_written ? ports.local : ports.remote;
    const PortMask& destination_port = as_written ? ports.remote : ports.local;
    model::SetPolicy set;
    set.id = {direction,
              outbound ? local : remote,
              outbound ? remote : local,
              protocol,
              source_port.port,
              source_port.mask,
              destination_port.port,
              destination_port.mask,
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
  return selectors_of(configured, std::vector<Prefix>{Prefix::host(dynamic)});
}

Selectors selectors_of(const std::vector<model::SelectorConfig>& configured, const std::vector<Prefix>& dynamic) {
  Selectors out;
  for (const model::SelectorConfig& one : configured) {
    for (const Prefix& prefix : one.subnet ? std::vector<Prefix>{*one.subnet} : dynamic) {
      out.push_back(TrafficSelector::of(prefix, one.protocol, one.start_port, one.end_port));
    }
  }
  return out;
}

void pair_families(Selectors& local, Selectors& remote) {
  const auto has = [](const Selectors& list, IpFamily family) {
    return std::any_of(list.begin(), list.end(), [&](const TrafficSelector& one) { return one.start.family() == family; });
  };
  for (const IpFamily family : {IpFamily::V4, IpFamily::V6}) {
    if (has(local, family) && has(remote, family)) continue;
    for (Selectors* side : {&local, &remote})
      std::erase_if(*side, [&](const TrafficSelector& one) { return one.start.family() == family; });
  }
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
      const auto local_prefixes = mine.prefixes();
      const auto remote_prefixes = yours.prefixes();
      const auto ports = ports_of(mine, yours, protocol);
      if (out.size() + 3 * local_prefixes.size() * remote_prefixes.size() * ports.size() > kMaxPolicies) return {};
      for (const Prefix& local_prefix : local_prefixes) {
        for (const Prefix& remote_prefix : remote_prefixes) {
          for (const Ports& pair : ports) add_pair(local_prefix, remote_prefix, protocol, pair, target, out);
        }
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
