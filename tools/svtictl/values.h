// SPDX-License-Identifier: Apache-2.0
// What svtictl reads from the kernel and prints: plain values, no netlink in them and no layout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"

namespace svti::svtictl {

// Table, priority and route protocol number of svti-iked and svtictl (docs/adr). 219 is unassigned in the kernel's and iproute2's lists.
constexpr std::uint32_t kDefaultTable = 220;
constexpr std::uint32_t kDefaultPriority = 220;
constexpr std::uint8_t kProtocolSvti = 219;

// Packets and octets of one direction since the interface was made.
struct Counters {
  std::uint64_t octets = 0;
  std::uint64_t packets = 0;
  std::uint64_t discards = 0;
  std::uint64_t errors = 0;
};

// One IFLA_INFO_XSTATS counter; `type` is a SVTI_XSTATS_* value, possibly one that a newer module added.
struct ReasonCount {
  std::uint32_t type = 0;
  std::uint64_t packets = 0;
};

// An interface of kind "svti".
struct Svti {
  std::string name;
  std::uint32_t index = 0;
  std::uint32_t id = 0;
  std::uint32_t mtu = 0;  // octets of inner packet
  bool enabled = false;   // IFF_UP
  bool promiscuous = false;
  std::string oper_status;                // RFC 2863 name in capitals: UP, DOWN, UNKNOWN, ...
  std::uint32_t link_index = 0;           // of the underlying link, in the link namespace; 0: none
  std::string link;                       // its name, empty when there is none or it cannot be looked up
  std::optional<std::int32_t> link_nsid;  // set when the link namespace is another one than the interface's
  std::string link_netns;                 // name of that namespace under /run/netns, empty when it has none there
  std::vector<std::string> addresses;     // "10.0.0.1/24"
  Counters in;
  Counters out;
  std::vector<ReasonCount> reasons;  // in the order of the kernel
};

struct NextHop {
  std::optional<IpAddress> gateway;
  std::uint32_t device_index = 0;
  std::string device;
  bool link_down = false;                // the device has no carrier: an SVTI without a usable SA
  std::optional<std::uint32_t> svti_id;  // set when the device is an SVTI
};

// A route of either family.
struct Route {
  std::uint32_t table = kDefaultTable;
  std::uint8_t type = 0;  // RTN_*
  Prefix prefix;
  std::vector<NextHop> next_hops;  // none for throw, blackhole, unreachable, prohibit
  std::optional<IpAddress> source;
  std::uint32_t metric = 0;
  std::uint8_t protocol = 0;  // RTPROT_* or kProtocolSvti
};

// A policy-routing rule of either family that sends to a table.
struct Rule {
  IpFamily family = IpFamily::V4;
  std::uint32_t priority = 0;
  std::uint32_t table = 0;
  std::uint8_t protocol = 0;
  bool inverted = false;  // "not": applies to what does not match
  std::optional<Prefix> from;
  std::optional<Prefix> to;
  std::string input_device;
  std::string output_device;
  std::uint32_t mark = 0;
  std::uint32_t mask = 0;
};

}  // namespace svti::svtictl
