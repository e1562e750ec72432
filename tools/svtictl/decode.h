// SPDX-License-Identifier: Apache-2.0
// rtnetlink messages to values. Each takes one whole message, nlmsghdr included, and holds it to its own lengths: a message that
// is cut short, of another type or with an attribute of the wrong size yields nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "svtictl/netlink.h"
#include "svtictl/values.h"

namespace svti::svtictl {

// RTM_NEWLINK of any kind.
struct Link {
  std::uint32_t index = 0;
  std::string name;
  std::string kind;          // IFLA_INFO_KIND, empty for a physical device
  std::optional<Svti> svti;  // when the kind is "svti" and its svti-id is there; names of link and namespace not looked up
};

// NLMSG_ERROR (also an acknowledgement) or NLMSG_DONE: success, or the kernel's refusal with its sentence.
KernelResult<void> decode_end(ByteView message);
std::optional<Link> decode_link(ByteView message);
// RTM_NEWADDR: index of the device, "address/length"
std::optional<std::uint32_t> decode_deleted_link(ByteView message);  // RTM_DELLINK: its ifindex
std::optional<std::pair<std::uint32_t, std::string>> decode_address(ByteView message);
// RTM_NEWROUTE of IPv4 or IPv6; device names are not looked up. Cache entries and local tables' rows are routes too.
std::optional<Route> decode_route(ByteView message);
// RTM_NEWRULE of IPv4 or IPv6 whose action is a table
std::optional<Rule> decode_rule(ByteView message);
// XFRM_MSG_NEWSA of ESP or AH with an SPI; the device's name is not looked up
std::optional<OffloadedSa> decode_offloaded_sa(ByteView message);
// RTM_NEWNSID: the number, NETNSA_NSID_NOT_ASSIGNED (-1) included
std::optional<std::int32_t> decode_nsid(ByteView message);

// CTRL_CMD_NEWFAMILY: the number of the family
std::optional<std::uint16_t> decode_family(ByteView message);
// SVTI_CMD_GET_POLICY, SVTI_CMD_GET_STATE and SVTI_CMD_TRACE of the generic netlink family with that number
std::optional<SpdPolicy> decode_policy(ByteView message, std::uint16_t family);
std::optional<SadState> decode_state(ByteView message, std::uint16_t family);
std::optional<Trace> decode_trace(ByteView message, std::uint16_t family);

}  // namespace svti::svtictl
