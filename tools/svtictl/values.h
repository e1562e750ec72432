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

// From which prefix lengths on policies of one family are hashed.
struct SpHash {
  std::uint8_t local = 0;
  std::uint8_t remote = 0;
};

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
  bool auto_mtu = false;  // it follows the SAs
  bool sa_per_cpu = false;
  bool enabled = false;  // IFF_UP
  bool promiscuous = false;
  std::string oper_status;                // RFC 2863 name in capitals: UP, DOWN, UNKNOWN, ...
  std::uint32_t link_index = 0;           // of the underlying link, in the link namespace; 0: none
  std::string link;                       // its name, empty when there is none or it cannot be looked up
  std::optional<std::int32_t> link_nsid;  // set when the link namespace is another one than the interface's
  std::string link_netns;                 // name of that namespace under /run/netns, empty when it has none there
  std::vector<std::string> addresses;     // "10.0.0.1/24"
  std::optional<SpHash> sp_hash_ipv4;     // nothing: an older module
  std::optional<SpHash> sp_hash_ipv6;
  Counters in;
  Counters out;
  std::vector<ReasonCount> reasons;  // in the order of the kernel
};

// A policy as the SVTI has it in its SPD.
struct SpdPolicy {
  bool out = false;  // else in
  Prefix source;
  Prefix destination;
  std::uint8_t protocol = 0;  // 0: any
  std::uint16_t source_port = 0;
  std::uint16_t source_port_mask = 0;
  std::uint16_t destination_port = 0;
  std::uint16_t destination_port_mask = 0;
  std::uint32_t mark = 0;
  std::uint32_t mark_mask = 0;
  std::uint32_t index = 0;
  std::uint32_t priority = 0;
  bool blocks = false;
  bool sub = false;  // of the stock SPD's sub policies
  std::uint8_t templates = 0;
  // where it sits
  bool hashed = false;  // by the thresholds; else by its own prefix lengths
  std::uint8_t bucket_source = 0;
  std::uint8_t bucket_destination = 0;
  bool bucket_ports = false;  // protocol or ports are in the key as well
  std::uint32_t bucket_size = 0;
  std::uint32_t bucket_position = 0;
};

// A state as the SVTI has it in its SAD.
struct SadState {
  std::uint32_t spi = 0;
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint8_t mode = 0;  // XFRM_MODE_*
  std::uint32_t reqid = 0;
  bool outbound = false;
  std::uint8_t usable = 0;  // as SVTI_A_USABLE
  std::uint8_t way = 0;     // SVTI_WAY_*
  std::optional<std::uint32_t> mtu;
};

// A device that can do something of ESP.
struct OffloadDevice {
  std::string name;
  bool crypto = false;          // esp-hw-offload
  bool inner_checksum = false;  // esp-tx-csum-hw-offload
};

// An ESP or AH SA of the kernel, and what a device does for it.
struct OffloadedSa {
  std::uint32_t spi = 0;
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint32_t reqid = 0;
  std::uint32_t svti_id = 0;       // 0: none
  std::uint32_t device_index = 0;  // 0: no device, the kernel does all
  std::string device;
  bool inbound = false;  // known of those with a device alone
  bool packet = false;   // the device does all of ESP, not only the cryptography
};

// A packet to look up.
struct Flow {
  bool out = true;
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0;       // ICMP: type
  std::uint16_t destination_port = 0;  // ICMP: code
  std::uint32_t mark = 0;
};

// What would happen to it.
struct Trace {
  std::uint32_t verdict = 0;  // 0: passes; else SVTI_XSTATS_*
  std::uint32_t tuples = 0;
  std::uint32_t probes = 0;
  std::uint32_t candidates = 0;
  std::uint8_t way = 0;
  std::optional<SpdPolicy> policy;  // without its place
  std::optional<SadState> state;    // without its addresses
  std::optional<std::uint32_t> mtu;
  std::uint32_t out_index = 0;
  std::string out_device;
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
