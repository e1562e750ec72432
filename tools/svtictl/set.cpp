// SPDX-License-Identifier: Apache-2.0
// svtictl set: RTM_NEWLINK for an interface that exists. The kernel changes all that is asked for, or nothing.
#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/svti.h>

#include "svtictl/links.h"
#include "svtictl/netns.h"
#include "svtictl/verbs.h"

namespace svti::svtictl {
namespace {

// index of the underlying link, which lives in the link namespace of the interface
Result<std::uint32_t> underlying_index(Netlink& netlink, const Svti& svti, const std::string& dev) {
  if (!svti.link_nsid) {
    const auto link = find_link(netlink, dev);
    if (!link) return fail(link.error());
    return link->index;
  }
  const auto named = find_netns(netlink, *svti.link_nsid);
  if (!named) {
    return config_error(
        fmt::format("the link namespace of {} has no name in /run/netns, so '{}' cannot be looked up there; give it one with "
                    "'ip netns attach'",
                    svti.name, dev));
  }
  auto there = Netlink::open_in(named->netns);
  if (!there) return fail(there.error());
  const auto link = find_link(*there, dev);
  if (!link) return fail({link.error().fault, fmt::format("in network namespace '{}': {}", named->name, link.error().message)});
  return link->index;
}

}  // namespace

Result<std::string> run(const SetArguments& arguments, const Style& style) {
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  const auto found = read_svtis(*netlink, arguments.name);
  if (!found) return fail(found.error());
  const Svti& svti = found->front();
  std::uint32_t underlying = 0;
  if (!arguments.dev.empty()) {
    const auto index = underlying_index(*netlink, svti, arguments.dev);
    if (!index) return fail(index.error());
    underlying = *index;
  }

  ifinfomsg header{};
  header.ifi_index = static_cast<int>(svti.index);
  Request request(RTM_NEWLINK, 0);
  request.header(header);
  if (arguments.mtu.value_or(0) != 0) request.put_u32(IFLA_MTU, *arguments.mtu);
  request.nest(IFLA_LINKINFO, [&](Request& info) {
    info.put_text(IFLA_INFO_KIND, "svti").nest(IFLA_INFO_DATA, [&](Request& data) {
      if (underlying != 0) data.put_u32(IFLA_SVTI_LINK, underlying);
      if (arguments.sa_per_cpu) data.put_u8(IFLA_SVTI_SA_PER_CPU, *arguments.sa_per_cpu ? 1 : 0);
      if (arguments.mtu) data.put_u8(IFLA_SVTI_AUTO_MTU, *arguments.mtu == 0 ? 1 : 0);
      put_sp_hash(data, arguments.sp_hash_ipv4, arguments.sp_hash_ipv6);
    });
  });
  if (const auto changed = netlink->execute(request); !changed) {
    return fail(refusal(fmt::format("cannot change {}", arguments.name), changed.error()));
  }
  if (!style.json) return "";
  const auto changed = read_svtis(*netlink, arguments.name);
  if (!changed) return fail(changed.error());
  return render_interface(changed->front(), style);
}

}  // namespace svti::svtictl
