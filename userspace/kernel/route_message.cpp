// SPDX-License-Identifier: Apache-2.0
#include "kernel/route_message.h"

#include <net/if.h>
#include <netinet/in.h>
// the kernel's headers want libc's before them
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/svti.h>

namespace svti::kernel {

namespace {

constexpr std::uint16_t kAcknowledged = NLM_F_REQUEST | NLM_F_ACK;
constexpr std::uint16_t kDump = NLM_F_REQUEST | NLM_F_DUMP;
constexpr std::uint32_t kLoopback = 1;  // ifindex of lo, in every namespace

std::uint8_t to_af(IpFamily family) { return family == IpFamily::V4 ? AF_INET : AF_INET6; }

Result<IpFamily> to_family(unsigned family) {
  if (family == AF_INET) return IpFamily::V4;
  if (family == AF_INET6) return IpFamily::V6;
  return system_error("rtnetlink: address family " + std::to_string(family));
}

rtmsg make_route(const model::RouteId& id) {
  rtmsg out{};
  out.rtm_family = to_af(id.destination.family());
  out.rtm_dst_len = id.destination.length();
  out.rtm_table = RT_TABLE_UNSPEC;  // RTA_TABLE says it
  out.rtm_protocol = model::kRouteProtocol;
  out.rtm_type = id.svti_id == 0 ? RTN_THROW : RTN_UNICAST;
  out.rtm_scope = RT_SCOPE_UNIVERSE;
  return out;
}

void put_destination(MessageBuilder& message, const model::RouteId& id) {
  if (id.destination.length() > 0) message.attribute(RTA_DST, id.destination.address().bytes());
  message.attribute(RTA_TABLE, id.table);
}

void put_address(MessageBuilder& message, const model::AddressId& id, int ifindex) {
  ifaddrmsg header{};
  header.ifa_family = to_af(id.address.family());
  header.ifa_prefixlen = id.address.bits();
  header.ifa_scope = RT_SCOPE_UNIVERSE;
  header.ifa_index = static_cast<std::uint32_t>(ifindex);
  // nobody else can have it: it was assigned, and an SVTI has no link to ask on
  if (id.address.is_v6()) header.ifa_flags = IFA_F_NODAD;
  message.append(header);
  message.attribute(IFA_LOCAL, id.address.bytes());
  message.attribute(IFA_ADDRESS, id.address.bytes());
}

// "from all lookup TABLE", which fits both making and finding
void put_rule(MessageBuilder& message, const model::RuleId& id) {
  fib_rule_hdr header{};
  header.family = to_af(id.family);
  header.table = RT_TABLE_UNSPEC;  // FRA_TABLE says it
  header.action = FR_ACT_TO_TBL;
  message.append(header);
  message.attribute(FRA_TABLE, id.table);
  message.attribute(FRA_PRIORITY, id.priority);
  message.attribute(FRA_PROTOCOL, model::kRouteProtocol);
}

}  // namespace

Bytes encode(const model::AddRoute& request, int ifindex) {
  MessageBuilder message(RTM_NEWROUTE, kAcknowledged | NLM_F_CREATE | NLM_F_REPLACE);
  rtmsg route = make_route(request.id);
  if (request.id.svti_id != 0) route.rtm_scope = RT_SCOPE_LINK;
  message.append(route);
  put_destination(message, request.id);
  if (request.id.svti_id != 0) message.attribute(RTA_OIF, static_cast<std::uint32_t>(ifindex));
  if (request.source) message.attribute(RTA_PREFSRC, request.source->bytes());
  return message.take();
}

Bytes encode(const model::DeleteRoute& request, int ifindex) {
  MessageBuilder message(RTM_DELROUTE, kAcknowledged);
  rtmsg route = make_route(request.id);
  route.rtm_scope = RT_SCOPE_NOWHERE;  // any, for a deletion
  // A route whose interface is not known may be of either type: its protocol, table and destination must do.
  if (request.id.svti_id == kNotAnSvti) route.rtm_type = RTN_UNSPEC;
  message.append(route);
  put_destination(message, request.id);
  // IPv6 does not compare the type; a throw route is one through lo there.
  if (request.id.svti_id == 0 && request.id.destination.family() == IpFamily::V6) message.attribute(RTA_OIF, kLoopback);
  if (ifindex != 0) message.attribute(RTA_OIF, static_cast<std::uint32_t>(ifindex));
  return message.take();
}

Bytes encode(const model::AddAddress& request, int ifindex) {
  MessageBuilder message(RTM_NEWADDR, kAcknowledged | NLM_F_CREATE | NLM_F_EXCL);
  put_address(message, request.id, ifindex);
  message.attribute(IFA_PROTO, model::kRouteProtocol);
  return message.take();
}

Bytes encode(const model::DeleteAddress& request, int ifindex) {
  MessageBuilder message(RTM_DELADDR, kAcknowledged);
  put_address(message, request.id, ifindex);
  return message.take();
}

Bytes encode(const model::AddRule& request) {
  MessageBuilder message(RTM_NEWRULE, kAcknowledged | NLM_F_CREATE);
  put_rule(message, request.id);
  return message.take();
}

Bytes encode(const model::DeleteRule& request) {
  MessageBuilder message(RTM_DELRULE, kAcknowledged);
  put_rule(message, request.id);
  return message.take();
}

Bytes encode_get_route(const IpAddress& destination) {
  MessageBuilder message(RTM_GETROUTE, NLM_F_REQUEST);
  rtmsg route{};
  route.rtm_family = to_af(destination.family());
  route.rtm_dst_len = destination.bits();
  message.append(route);
  message.attribute(RTA_DST, destination.bytes());
  // rules may look at these
  message.attribute(RTA_IP_PROTO, std::uint8_t{IPPROTO_UDP});
  message.attribute(RTA_DPORT, htons(500));
  return message.take();
}

Bytes encode_dump_routes(IpFamily family) {
  MessageBuilder message(RTM_GETROUTE, kDump);
  rtmsg route{};
  route.rtm_family = to_af(family);
  route.rtm_protocol = model::kRouteProtocol;
  message.append(route);
  return message.take();
}

Bytes encode_dump_rules(IpFamily family) {
  MessageBuilder message(RTM_GETRULE, kDump);
  fib_rule_hdr header{};
  header.family = to_af(family);
  message.append(header);
  return message.take();
}

Bytes encode_dump_links() {
  MessageBuilder message(RTM_GETLINK, kDump);
  message.append(ifinfomsg{});
  message.attribute(IFLA_EXT_MASK, std::uint32_t{RTEXT_FILTER_SKIP_STATS});
  return message.take();
}

Bytes encode_dump_addresses() {
  MessageBuilder message(RTM_GETADDR, kDump);
  message.append(ifaddrmsg{});
  return message.take();
}

Result<std::optional<AddressAnswer>> decode_address(const MessageView& message) {
  if (message.type != RTM_NEWADDR)
    return system_error("rtnetlink: message type " + std::to_string(message.type) + " where an address was due");
  const auto header = read_struct<ifaddrmsg>(message.payload, "ifaddrmsg");
  if (!header) return fail(header.error());
  if (!to_family(header->ifa_family)) return std::nullopt;
  const auto attributes = Attributes::parse(behind(message.payload, sizeof(ifaddrmsg)));
  if (!attributes) return fail(attributes.error());
  // IPv6 has IFA_LOCAL with a peer's address alone
  const auto local = attributes->find(IFA_LOCAL);
  const auto octets = local ? local : attributes->find(IFA_ADDRESS);
  if (!octets) return system_error("rtnetlink: an address without an address");
  const auto address = IpAddress::from_bytes(*octets);
  if (!address || address->family() != *to_family(header->ifa_family)) return system_error("rtnetlink: bad address");
  if (header->ifa_prefixlen > address->bits()) return system_error("rtnetlink: prefix length " + std::to_string(header->ifa_prefixlen));
  AddressAnswer out{*address, header->ifa_prefixlen, static_cast<int>(header->ifa_index)};
  out.ours = attributes->get<std::uint8_t>(IFA_PROTO) == model::kRouteProtocol;
  const std::uint32_t flags = attributes->get<std::uint32_t>(IFA_FLAGS).value_or(header->ifa_flags);
  out.usable = header->ifa_scope == RT_SCOPE_UNIVERSE && (flags & (IFA_F_TENTATIVE | IFA_F_DEPRECATED | IFA_F_DADFAILED)) == 0;
  return out;
}

Result<std::optional<RouteAnswer>> decode_route(const MessageView& message) {
  if (message.type != RTM_NEWROUTE)
    return system_error("rtnetlink: message type " + std::to_string(message.type) + " where a route was due");
  const auto route = read_struct<rtmsg>(message.payload, "rtmsg");
  if (!route) return fail(route.error());
  if (route->rtm_protocol != model::kRouteProtocol || (route->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  const auto family = to_family(route->rtm_family);
  if (!family) return fail(family.error());
  const auto attributes = Attributes::parse(behind(message.payload, sizeof(rtmsg)));
  if (!attributes) return fail(attributes.error());

  IpAddress address = IpAddress::any(*family);
  if (const auto octets = attributes->find(RTA_DST)) {
    const auto destination = IpAddress::from_bytes(*octets);
    if (!destination || destination->family() != *family) return system_error("rtnetlink: bad destination of a route");
    address = *destination;
  }
  if (route->rtm_dst_len > address.bits()) return system_error("rtnetlink: prefix length " + std::to_string(route->rtm_dst_len));
  RouteAnswer out;
  out.destination = Prefix(address, route->rtm_dst_len);
  out.table = attributes->get<std::uint32_t>(RTA_TABLE).value_or(route->rtm_table);
  out.is_throw = route->rtm_type == RTN_THROW;
  out.ifindex = attributes->get<int>(RTA_OIF).value_or(0);
  return out;
}

Result<std::optional<model::RuleId>> decode_rule(const MessageView& message) {
  if (message.type != RTM_NEWRULE) return system_error("rtnetlink: message type " + std::to_string(message.type) + " where a rule was due");
  const auto header = read_struct<fib_rule_hdr>(message.payload, "fib_rule_hdr");
  if (!header) return fail(header.error());
  const auto attributes = Attributes::parse(behind(message.payload, sizeof(fib_rule_hdr)));
  if (!attributes) return fail(attributes.error());
  if (header->action != FR_ACT_TO_TBL || attributes->get<std::uint8_t>(FRA_PROTOCOL) != model::kRouteProtocol) return std::nullopt;
  const auto family = to_family(header->family);
  if (!family) return fail(family.error());
  return model::RuleId{*family, attributes->get<std::uint32_t>(FRA_TABLE).value_or(header->table),
                       attributes->get<std::uint32_t>(FRA_PRIORITY).value_or(0)};
}

Result<IpAddress> decode_source_address(const MessageView& message) {
  if (message.type != RTM_NEWROUTE)
    return system_error("rtnetlink: message type " + std::to_string(message.type) + " where a route was due");
  const auto route = read_struct<rtmsg>(message.payload, "rtmsg");
  if (!route) return fail(route.error());
  const auto attributes = Attributes::parse(behind(message.payload, sizeof(rtmsg)));
  if (!attributes) return fail(attributes.error());
  const auto octets = attributes->find(RTA_PREFSRC);
  if (!octets) return system_error("the route has no source address");
  return IpAddress::from_bytes(*octets);
}

Result<int> decode_route_device(const MessageView& message) {
  if (message.type != RTM_NEWROUTE)
    return system_error("rtnetlink: message type " + std::to_string(message.type) + " where a route was due");
  const auto attributes = Attributes::parse(behind(message.payload, sizeof(rtmsg)));
  if (!attributes) return fail(attributes.error());
  const auto device = attributes->get<int>(RTA_OIF);
  if (!device) return system_error("the route leads by no interface");
  return *device;
}

bool is_path_event(const MessageView& message) {
  if (message.type == RTM_NEWADDR || message.type == RTM_DELADDR) return true;
  if (message.type != RTM_NEWROUTE && message.type != RTM_DELROUTE) return false;
  const auto route = read_struct<rtmsg>(message.payload, "rtmsg");
  return route && route->rtm_protocol != model::kRouteProtocol && (route->rtm_flags & RTM_F_CLONED) == 0;
}

Result<std::optional<LinkAnswer>> decode_link(const MessageView& message) {
  if (message.type != RTM_NEWLINK && message.type != RTM_DELLINK) return std::nullopt;
  const auto link = read_struct<ifinfomsg>(message.payload, "ifinfomsg");
  if (!link) return fail(link.error());
  if (link->ifi_family != AF_UNSPEC) return std::nullopt;
  const auto attributes = Attributes::parse(behind(message.payload, sizeof(ifinfomsg)));
  if (!attributes) return fail(attributes.error());

  LinkAnswer out;
  out.ifindex = link->ifi_index;
  out.deleted = message.type == RTM_DELLINK;
  out.up = !out.deleted && (link->ifi_flags & IFF_UP) != 0;
  out.running = out.up && (link->ifi_flags & IFF_RUNNING) != 0;
  out.name = attributes->text(IFLA_IFNAME).value_or("");
  const auto nested = attributes->find(IFLA_LINKINFO);
  // With a link namespace of its own it belongs to the SAs there, not to ours.
  if (!nested || attributes->find(IFLA_LINK_NETNSID)) return out;
  const auto info = Attributes::parse(*nested);
  if (!info) return fail(info.error());
  const auto data = info->find(IFLA_INFO_DATA);
  if (info->text(IFLA_INFO_KIND) != "svti" || !data) return out;
  const auto options = Attributes::parse(*data);
  if (!options) return fail(options.error());
  out.svti_id = options->get<std::uint32_t>(IFLA_SVTI_ID).value_or(0);
  return out;
}

}  // namespace svti::kernel
