// SPDX-License-Identifier: Apache-2.0
// svtictl route: the routes that lead traffic into SVTIs, in a table of their own.
#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "svtictl/links.h"
#include "svtictl/verbs.h"

namespace svti::svtictl {
namespace {

unsigned char address_family(IpFamily family) { return family == IpFamily::V4 ? AF_INET : AF_INET6; }

// Tables above 255 do not fit the header; the attribute always does.
Request route_request(int type, int flags, rtmsg header, std::uint32_t table) {
  header.rtm_table = table < RT_TABLE_COMPAT ? static_cast<unsigned char>(table) : static_cast<unsigned char>(RT_TABLE_UNSPEC);
  Request request(type, flags);
  request.header(header).put_u32(RTA_TABLE, table);
  return request;
}

rtmsg header_for(const Prefix& prefix) {
  rtmsg header{};
  header.rtm_family = address_family(prefix.family());
  header.rtm_dst_len = prefix.length();
  header.rtm_protocol = kProtocolSvti;
  return header;
}

Status read_routes(Netlink& netlink, IpFamily family, std::uint32_t table, std::vector<Route>& out) {
  rtmsg header{};
  header.rtm_family = address_family(family);
  Request request = route_request(RTM_GETROUTE, NLM_F_DUMP, header, table);
  const auto answers = netlink.query(request);
  if (!answers && answers.error().code == ENOENT) return {};  // a table comes into being with its first route
  if (!answers) return fail(refusal(fmt::format("cannot list the routes of table {}", table), answers.error()));
  for (const Bytes& answer : *answers) {
    auto route = decode_route(answer);
    if (route && route->table == table) out.push_back(std::move(*route));
  }
  return {};
}

Status name_devices(Netlink& netlink, std::vector<Route>& routes) {
  const auto links = all_links(netlink);
  if (!links) return fail(links.error());
  for (Route& route : routes) {
    for (NextHop& hop : route.next_hops) {
      const auto found = links->find(hop.device_index);
      if (found == links->end()) continue;
      hop.device = found->second.name;
      if (found->second.svti) hop.svti_id = found->second.svti->id;
    }
  }
  return {};
}

// index of the interface of that name, 0 for no name
Result<std::uint32_t> device_index(Netlink& netlink, const std::string& name) {
  if (name.empty()) return 0;
  const auto link = find_link(netlink, name);
  if (!link) return fail(link.error());
  return link->index;
}

}  // namespace

Result<std::string> run(const RouteShowArguments& arguments, const Style& style) {
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  std::vector<Route> routes;
  for (const IpFamily family : {IpFamily::V4, IpFamily::V6}) {
    if (const auto read = read_routes(*netlink, family, arguments.table, routes); !read) return fail(read.error());
  }
  if (const auto named = name_devices(*netlink, routes); !named) return fail(named.error());
  return render_routes(routes, arguments.table, style);
}

Result<std::string> run(const RouteAddArguments& arguments, const Style& style) {
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  const auto index = device_index(*netlink, arguments.dev);
  if (!index) return fail(index.error());

  rtmsg header = header_for(arguments.prefix);
  header.rtm_type = arguments.type;
  // An SVTI has no neighbours: what is routed to it is on its link.
  header.rtm_scope = arguments.type == RTN_UNICAST ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  Request request = route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, header, arguments.table);
  request.put(RTA_DST, arguments.prefix.address().bytes());
  if (*index != 0) request.put_u32(RTA_OIF, *index);
  if (arguments.source) request.put(RTA_PREFSRC, arguments.source->bytes());
  if (arguments.metric != 0) request.put_u32(RTA_PRIORITY, arguments.metric);
  if (const auto added = netlink->execute(request); !added) {
    std::string fix;
    if (added.error().code == EEXIST) fix = fmt::format("'svtictl route show table {}' shows the route that is there", arguments.table);
    if (added.error().code == ENETDOWN) fix = fmt::format("'ip link set {} up' first", arguments.dev);
    return fail(refusal(fmt::format("cannot add route {} to table {}", arguments.prefix.to_string(), arguments.table), added.error(), fix));
  }
  return render_done("added", arguments.prefix.to_string(), style);
}

Result<std::string> run(const RouteDeleteArguments& arguments, const Style& style) {
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  const auto index = device_index(*netlink, arguments.dev);
  if (!index) return fail(index.error());

  rtmsg header = header_for(arguments.prefix);
  header.rtm_type = arguments.type;
  header.rtm_scope = RT_SCOPE_NOWHERE;  // any
  Request request = route_request(RTM_DELROUTE, 0, header, arguments.table);
  request.put(RTA_DST, arguments.prefix.address().bytes());
  if (*index != 0) request.put_u32(RTA_OIF, *index);
  if (arguments.metric != 0) request.put_u32(RTA_PRIORITY, arguments.metric);
  if (const auto deleted = netlink->execute(request); !deleted) {
    const std::string fix = deleted.error().code != ESRCH
                                ? ""
                                : fmt::format("there is none of protocol svti: 'svtictl route show table {}' lists all", arguments.table);
    return fail(
        refusal(fmt::format("cannot delete route {} of table {}", arguments.prefix.to_string(), arguments.table), deleted.error(), fix));
  }
  return render_done("deleted", arguments.prefix.to_string(), style);
}

}  // namespace svti::svtictl
