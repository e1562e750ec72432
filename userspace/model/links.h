// SPDX-License-Identifier: Apache-2.0
// The network interfaces of one namespace, as far as SVTIs that the configuration makes are concerned: what the kernel has, and what can be
// asked of it. Every call blocks until the kernel has answered, and happens in the event loop's thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/config.h"

namespace svti::model {

// Group (IFLA_GROUP) of the interfaces that the daemon made or adopted: so it finds its own after a crash. `ip link show group 219`.
inline constexpr std::uint32_t kLinkGroup = 219;

// RFC 2863, by the numbers of the kernel's IF_OPER_*
inline constexpr std::array<std::string_view, 7> kOperStatusNames = {"UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN",
                                                                     "TESTING", "DORMANT",    "UP"};

struct LinkCounters {
  std::uint64_t in_octets = 0, in_packets = 0, in_discards = 0, in_errors = 0;
  std::uint64_t out_octets = 0, out_packets = 0, out_discards = 0, out_errors = 0;
};

// An interface that the kernel has.
struct LinkStatus {
  std::uint32_t ifindex = 0;
  std::string name;
  std::uint32_t svti_id = 0;  // 0: not an SVTI
  std::uint32_t group = 0;
  std::uint32_t mtu = 0;
  bool up = false;  // is told to be
  bool promiscuous = false;
  std::uint8_t oper_status = 0;
  std::string description;                  // its alias
  std::vector<InterfaceAddress> addresses;  // as listed, those of IPv6 that the kernel made itself included
  bool ipv6_enabled = true;
  // Of an interface that was asked for, and only then: the protected packets travel where it is to have them, and its underlying interface
  // (or that there is none) is the one wanted.
  bool link_vrf_fits = false, link_interface_fits = false;
  LinkCounters counters;
};

class Links {
 public:
  virtual ~Links() = default;

  // The SVTIs, and whatever else has the name of one that is asked for.
  virtual Result<std::vector<LinkStatus>> list(const std::vector<SvtiInterface>& asked) = 0;
  // Makes the interface: down, without addresses, in group kLinkGroup. Its link namespace, and the interface in it, must be there.
  virtual Status add(const SvtiInterface& svti) = 0;
  virtual Status remove(const LinkStatus& link) = 0;

  // one at a time, each made or refused by itself
  virtual Status adopt(const LinkStatus& link) = 0;  // into kLinkGroup
  virtual Status set_link_interface(const LinkStatus& link, const SvtiInterface& svti) = 0;
  virtual Status set_mtu(const LinkStatus& link, std::uint32_t mtu) = 0;
  virtual Status set_up(const LinkStatus& link, bool up) = 0;
  virtual Status set_promiscuous(const LinkStatus& link, bool promiscuous) = 0;
  virtual Status set_description(const LinkStatus& link, const std::string& description) = 0;
  virtual Status set_ipv6(const LinkStatus& link, bool enabled) = 0;  // off: the kernel drops the IPv6 addresses
  virtual Status add_address(const LinkStatus& link, const InterfaceAddress& address) = 0;
  virtual Status remove_address(const LinkStatus& link, const InterfaceAddress& address) = 0;
};

}  // namespace svti::model
