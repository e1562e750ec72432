// SPDX-License-Identifier: Apache-2.0
// The messages of NETLINK_ROUTE that make, change and tell SVTI links, and give them addresses. No socket here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "kernel/netlink_message.h"
#include "model/links.h"

namespace svti::kernel {

// `underlying`: ifindex in the link namespace, 0 none. `nsid`: of the link namespace when it is another than the socket's.
Bytes encode_add_svti(const model::SvtiInterface& svti, std::uint32_t underlying, std::optional<std::int32_t> nsid);
Bytes encode_delete_link(std::uint32_t ifindex);
Bytes encode_set_mtu(std::uint32_t ifindex, std::uint32_t mtu);
Bytes encode_set_group(std::uint32_t ifindex, std::uint32_t group);
Bytes encode_set_alias(std::uint32_t ifindex, const std::string& alias);  // empty: none
Bytes encode_set_underlying(std::uint32_t ifindex, std::uint32_t underlying);
Bytes encode_set_flags(std::uint32_t ifindex, std::uint32_t flags, std::uint32_t mask);  // IFF_UP, IFF_PROMISC
Bytes encode_address(std::uint32_t ifindex, const model::InterfaceAddress& address, bool add);

Bytes encode_dump_links_with_counters();
Bytes encode_get_link(const std::string& name);
// the number that the socket's namespace has for the one behind `descriptor`: asked for, or given if it has none
Bytes encode_get_nsid(int descriptor);
Bytes encode_new_nsid(int descriptor);

struct LinkDetails {
  model::LinkStatus status;  // without addresses
  bool is_svti = false;
  std::optional<std::int32_t> nsid;  // of its link namespace, when that is another
  std::uint32_t underlying = 0;      // ifindex there
};
// none: not about a link as a whole
Result<std::optional<LinkDetails>> decode_link_details(const MessageView& message);
// none: no number is assigned
Result<std::optional<std::int32_t>> decode_nsid(const MessageView& message);

}  // namespace svti::kernel
