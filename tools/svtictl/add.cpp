// SPDX-License-Identifier: Apache-2.0
// svtictl add: RTM_NEWLINK by hand, then addresses, then up.
#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/svti.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "svtictl/links.h"
#include "svtictl/netns.h"
#include "svtictl/verbs.h"

namespace svti::svtictl {
namespace {

// The namespace in which encrypted packets travel, when it is another one than the interface's.
struct LinkNamespace {
  Netns netns;
  std::int32_t nsid;
};

Result<std::optional<LinkNamespace>> link_namespace(Netlink& netlink, const std::string& name) {
  if (name.empty()) return std::nullopt;
  auto netns = Netns::open(name);
  if (!netns) return fail(netns.error());
  const auto self = Netns::self();
  if (!self) return fail(self.error());
  if (netns->same_as(*self)) return std::nullopt;
  const auto nsid = nsid_for(netlink, *netns);
  if (!nsid) return fail(nsid.error());
  return LinkNamespace{std::move(*netns), *nsid};
}

// index of the underlying link, which lives in the link namespace
Result<std::uint32_t> underlying_index(Netlink& netlink, const std::optional<LinkNamespace>& where, const AddArguments& arguments) {
  if (arguments.dev.empty()) return 0;
  if (!where) {
    const auto link = find_link(netlink, arguments.dev);
    if (!link) return fail(link.error());
    return link->index;
  }
  auto there = Netlink::open_in(where->netns);
  if (!there) return fail(there.error());
  const auto link = find_link(*there, arguments.dev);
  if (!link) {
    Error error = link.error();
    return fail({error.fault, fmt::format("in network namespace '{}': {}", arguments.link_netns, error.message)});
  }
  return link->index;
}

Request new_link(const AddArguments& arguments, std::uint32_t underlying, const std::optional<LinkNamespace>& where) {
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  request.header(ifinfomsg{}).put_text(IFLA_IFNAME, arguments.name);
  if (arguments.mtu) request.put_u32(IFLA_MTU, *arguments.mtu);
  if (where) request.put_i32(IFLA_LINK_NETNSID, where->nsid);
  request.nest(IFLA_LINKINFO, [&](Request& info) {
    info.put_text(IFLA_INFO_KIND, "svti").nest(IFLA_INFO_DATA, [&](Request& data) {
      data.put_u32(IFLA_SVTI_ID, arguments.id);
      if (underlying != 0) data.put_u32(IFLA_SVTI_LINK, underlying);
      put_sp_hash(data, arguments.sp_hash_ipv4, arguments.sp_hash_ipv6);
    });
  });
  return request;
}

Error creation_refused(const AddArguments& arguments, const KernelError& error) {
  std::string fix;
  if (error.code == EOPNOTSUPP && access("/sys/module/svti", F_OK) != 0) {
    fix = "the module svti is not loaded: 'modprobe svti' (scripts/build-kmod builds it)";
  } else if (error.code == EEXIST && error.text.empty()) {
    fix = fmt::format("an interface of that name exists: choose another name or 'svtictl delete {}' first", arguments.name);
  } else if (error.code == EEXIST) {
    fix = "choose another; 'svtictl show' lists those of this network namespace";
  }
  return refusal(fmt::format("cannot add {}", arguments.name), error, fix);
}

KernelResult<void> add_address(Netlink& netlink, std::uint32_t index, const InterfaceAddress& address) {
  ifaddrmsg header{};
  header.ifa_family = address.address.is_v4() ? AF_INET : AF_INET6;
  header.ifa_prefixlen = address.length;
  header.ifa_index = index;
  Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
  request.header(header).put(IFA_LOCAL, address.address.bytes()).put(IFA_ADDRESS, address.address.bytes());
  return netlink.execute(request);
}

KernelResult<void> set_up(Netlink& netlink, std::uint32_t index) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(index);
  header.ifi_flags = IFF_UP;
  header.ifi_change = IFF_UP;
  Request request(RTM_NEWLINK, 0);
  request.header(header);
  return netlink.execute(request);
}

// Up comes last, and apart from the creation: the kernel closes a device that it moves out of its link namespace.
Status set_up_as_asked(Netlink& netlink, std::uint32_t index, const AddArguments& arguments) {
  for (const InterfaceAddress& address : arguments.addresses) {
    if (const auto added = add_address(netlink, index, address); !added) {
      const std::string text = fmt::format("{}/{}", address.address.to_string(), address.length);
      return fail(refusal(fmt::format("cannot add address {} to {}", text, arguments.name), added.error()));
    }
  }
  if (!arguments.up) return {};
  if (const auto up = set_up(netlink, index); !up) return fail(refusal(fmt::format("cannot set {} up", arguments.name), up.error()));
  return {};
}

}  // namespace

Result<std::string> run(const AddArguments& arguments, const Style& style) {
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  const auto where = link_namespace(*netlink, arguments.link_netns);
  if (!where) return fail(where.error());
  const auto underlying = underlying_index(*netlink, *where, arguments);
  if (!underlying) return fail(underlying.error());

  Request request = new_link(arguments, *underlying, *where);
  if (const auto created = netlink->execute(request); !created) return fail(creation_refused(arguments, created.error()));
  const auto link = find_link(*netlink, arguments.name);
  if (!link) return fail(link.error());
  if (const auto done = set_up_as_asked(*netlink, link->index, arguments); !done) {
    static_cast<void>(delete_link(*netlink, link->index));  // the first error is the one to tell
    return fail(done.error());
  }
  if (!style.json) return "";
  const auto made = read_svtis(*netlink, arguments.name);
  if (!made) return fail(made.error());
  return render_interface(made->front(), style);
}

}  // namespace svti::svtictl
