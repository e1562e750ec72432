// SPDX-License-Identifier: Apache-2.0
// Look-ups of interfaces that several verbs share.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "svtictl/decode.h"
#include "svtictl/netlink.h"

namespace svti::svtictl {

// the interface of that name, of whatever kind; an error that says so when there is none
Result<Link> find_link(Netlink& netlink, const std::string& name);
// every interface by its index
Result<std::map<std::uint32_t, Link>> all_links(Netlink& netlink);
// the SVTI of that name, or all by index when the name is empty: state, counters, addresses, names of link and link namespace
Result<std::vector<Svti>> read_svtis(Netlink& netlink, const std::string& name);
// the thresholds that are given, as attributes of IFLA_INFO_DATA
void put_sp_hash(Request& data, const std::optional<SpHash>& ipv4, const std::optional<SpHash>& ipv6);
// RTM_DELLINK by index
KernelResult<void> delete_link(Netlink& netlink, std::uint32_t index);

}  // namespace svti::svtictl
