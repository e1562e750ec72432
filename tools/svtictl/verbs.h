// SPDX-License-Identifier: Apache-2.0
// The verbs: what the user asked for (…Arguments, already checked word by word) and the function that does it. Each returns the
// text for standard output, which may be empty, or one sentence that says what is wrong and what to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "svtictl/render.h"
#include "svtictl/values.h"

namespace svti::svtictl {

// An address with the length of its network; host bits stay.
struct InterfaceAddress {
  IpAddress address;
  std::uint8_t length = 0;
};

struct AddArguments {
  std::string name;
  std::uint32_t id = 0;
  std::string dev;         // underlying link, in the link namespace; empty: none
  std::string link_netns;  // empty: the namespace the interface is made in
  std::optional<std::uint32_t> mtu;
  std::optional<SpHash> sp_hash_ipv4;
  std::optional<SpHash> sp_hash_ipv6;
  bool up = false;
  std::vector<InterfaceAddress> addresses;
};
// All or nothing: an interface that could be made but not set up as asked is removed again.
Result<std::string> run(const AddArguments& arguments, const Style& style);

struct SetArguments {
  std::string name;
  std::string dev;                   // empty: as it is
  std::optional<std::uint32_t> mtu;  // 0: that of the tunnel
  std::optional<bool> sa_per_cpu;
  std::optional<SpHash> sp_hash_ipv4;
  std::optional<SpHash> sp_hash_ipv6;
};
// All or nothing.
Result<std::string> run(const SetArguments& arguments, const Style& style);

struct DeleteArguments {
  std::string name;
};
Result<std::string> run(const DeleteArguments& arguments, const Style& style);

struct ShowArguments {
  std::string name;  // empty: all
};
Result<std::string> run(const ShowArguments& arguments, const Style& style);

// Prints what becomes of SVTIs, one line (or JSON object) for each change, until it is ended or its output is closed.
struct MonitorArguments {
  std::string name;  // empty: all
};
Result<std::string> run(const MonitorArguments& arguments, const Style& style);

struct StatsArguments {
  std::string name;  // empty: all
};
Result<std::string> run(const StatsArguments& arguments, const Style& style);

// Words that describe a packet; `from` and `to` come together or not at all.
struct FlowArguments {
  std::optional<IpAddress> from;
  std::optional<IpAddress> to;
  bool out = true;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint32_t mark = 0;
};

// The policies in order of match; with a packet, which one it meets and how long that takes to find.
struct SpdArguments {
  std::string name;
  FlowArguments flow;
};
Result<std::string> run(const SpdArguments& arguments, const Style& style);

struct SadArguments {
  std::string name;
};
Result<std::string> run(const SadArguments& arguments, const Style& style);

// What would happen to a packet, and why.
struct TraceArguments {
  std::string name;
  FlowArguments flow;
};
Result<std::string> run(const TraceArguments& arguments, const Style& style);

struct RouteShowArguments {
  std::uint32_t table = kDefaultTable;
};
Result<std::string> run(const RouteShowArguments& arguments, const Style& style);

struct RouteAddArguments {
  Prefix prefix;
  std::uint8_t type = 1;  // RTN_UNICAST
  std::string dev;        // empty unless the type is unicast
  std::optional<IpAddress> source;
  std::uint32_t metric = 0;  // 0: the kernel's choice
  std::uint32_t table = kDefaultTable;
};
Result<std::string> run(const RouteAddArguments& arguments, const Style& style);

// Removes the route of protocol svti with these properties; routes that others made stay.
struct RouteDeleteArguments {
  Prefix prefix;
  std::uint8_t type = 0;     // 0: any
  std::string dev;           // empty: any
  std::uint32_t metric = 0;  // 0: any
  std::uint32_t table = kDefaultTable;
};
Result<std::string> run(const RouteDeleteArguments& arguments, const Style& style);

struct RuleShowArguments {
  std::uint32_t table = kDefaultTable;
};
Result<std::string> run(const RuleShowArguments& arguments, const Style& style);

struct RuleAddArguments {
  std::vector<IpFamily> families{IpFamily::V4, IpFamily::V6};
  std::uint32_t priority = kDefaultPriority;
  std::uint32_t table = kDefaultTable;
};
// All or nothing over the families.
Result<std::string> run(const RuleAddArguments& arguments, const Style& style);

// Removes the rules of protocol svti with these properties; it is an error when a family has none.
struct RuleDeleteArguments {
  std::vector<IpFamily> families{IpFamily::V4, IpFamily::V6};
  std::uint32_t priority = kDefaultPriority;
  std::uint32_t table = kDefaultTable;
};
Result<std::string> run(const RuleDeleteArguments& arguments, const Style& style);

// The devices that can offload ESP, and for each SA of this namespace who encrypts or decrypts it.
struct OffloadShowArguments {};
Result<std::string> run(const OffloadShowArguments& arguments, const Style& style);

// Text that was ready when the command line had been read: a completion script.
struct PrintArguments {
  std::string text;
};
Result<std::string> run(const PrintArguments& arguments, const Style& style);

using Verb = std::variant<ShowArguments, MonitorArguments, AddArguments, SetArguments, DeleteArguments, StatsArguments, SpdArguments,
                          SadArguments, TraceArguments, RouteShowArguments, RouteAddArguments, RouteDeleteArguments, RuleShowArguments,
                          RuleAddArguments, RuleDeleteArguments, OffloadShowArguments, PrintArguments>;

}  // namespace svti::svtictl
