// SPDX-License-Identifier: Apache-2.0
// Pools of virtual addresses, as they are configured (the guide's "Virtual IP pools") and as they are doing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace svti::model {

// Addresses that can be handed out, both ends included, of one family.
struct AddressRange {
  IpAddress first, last;

  bool contains(const IpAddress& address) const { return address.family() == first.family() && first <= address && address <= last; }
  bool overlaps(const AddressRange& other) const {
    return first.family() == other.first.family() && first <= other.last && other.first <= last;
  }
  bool operator==(const AddressRange&) const = default;
};

// "192.0.2.7", "192.0.2.10-192.0.2.99" or "192.0.2.0/24". Of a subnet with more than two addresses the first and the last are not handed
// out: network and broadcast, with IPv6 the anycast address of its routers and, for likeness, the last.
Result<AddressRange> parse_address_range(std::string_view text);

// how many; UINT64_MAX stands for that many or more
std::uint64_t size_of(const AddressRange& range);
// The address behind; behind the last of a family comes its first.
IpAddress next_address(const IpAddress& address);

struct Pool {
  std::string name;
  std::vector<AddressRange> ranges;  // in the order in which they are used up
  std::vector<IpAddress> dns, nbns, dhcp;
  std::vector<Prefix> subnets;  // behind us, as INTERNAL_IP4_SUBNET and INTERNAL_IP6_SUBNET tell; from clients of the control socket alone

  bool operator==(const Pool&) const = default;
};

struct LeaseState {
  IpAddress address;
  std::string identity;  // empty: not known, kept aside for an SA of a former run
  bool online = false;
};

struct PoolState {
  std::string name;
  IpAddress base;          // the first that can be handed out
  std::uint64_t size = 0;  // of all ranges together, see size_of()
  std::uint64_t online = 0, offline = 0;
  std::vector<LeaseState> leases;  // by address, when they were asked for
};

}  // namespace svti::model
