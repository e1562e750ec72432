// SPDX-License-Identifier: Apache-2.0
#include "kernel/link_message.h"

#include <net/if.h>
#include <netinet/in.h>
// the kernel's headers want libc's before them
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/svti.h>

#include <initializer_list>

namespace svti::kernel {

namespace {

constexpr std::uint16_t kAcknowledged = NLM_F_REQUEST | NLM_F_ACK;
constexpr std::uint16_t kDump = NLM_F_REQUEST | NLM_F_DUMP;
constexpr std::string_view kKind = "svti";

void put(Bytes& out, std::uint16_t type, ByteView value) {
  const nlattr header{static_cast<std::uint16_t>(NLA_HDRLEN + value.size()), type};
  const auto* octets = reinterpret_cast<const std::uint8_t*>(&header);
  out.insert(out.end(), octets, octets + sizeof(header));
  out.insert(out.end(), value.begin(), value.end());
  out.resize(NLA_ALIGN(out.size()));
}

void put_u32(Bytes& out, std::uint16_t type, std::uint32_t value) {
  put(out, type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)});
}

Bytes zero_ended(std::string_view text) {
  Bytes out(text.begin(), text.end());
  out.push_back(0);
  return out;
}

ifinfomsg link(std::uint32_t ifindex) {
  ifinfomsg out{};
  out.ifi_index = static_cast<int>(ifindex);
  return out;
}

MessageBuilder change(std::uint32_t ifindex) {
  MessageBuilder message(RTM_NEWLINK, kAcknowledged);
  message.append(link(ifindex));
  return message;
}

void put_info(MessageBuilder& message, const Bytes& data) {
  Bytes info;
  put(info, IFLA_INFO_KIND, zero_ended(kKind));
  put(info, IFLA_INFO_DATA, data);
  message.attribute(IFLA_LINKINFO, ByteView(info));
}

// Status of IPv6 on the interface; what is not told is not switched off.
bool has_ipv6(const Attributes& attributes) {
  const auto families = attributes.find(IFLA_AF_SPEC);
  const auto by_family = families ? Attributes::parse(*families) : Result<Attributes>(Attributes{});
  const auto ipv6 = by_family ? by_family->find(AF_INET6) : std::nullopt;
  const auto parsed = ipv6 ? Attributes::parse(*ipv6) : Result<Attributes>(Attributes{});
  const auto settings = parsed ? parsed->find(IFLA_INET6_CONF) : std::nullopt;
  constexpr std::size_t kAt = DEVCONF_DISABLE_IPV6 * sizeof(std::int32_t);
  if (!settings || settings->size() < kAt + sizeof(std::int32_t)) return true;
  return read_struct<std::int32_t>(settings->subspan(kAt), "setting").value() == 0;
}

Status read_svti(const Attributes& attributes, LinkDetails& out) {
  const auto nested = attributes.find(IFLA_LINKINFO);
  if (!nested) return {};
  const auto info = Attributes::parse(*nested);
  if (!info) return fail(info.error());
  out.is_svti = info->text(IFLA_INFO_KIND) == kKind;
  const auto data = info->find(IFLA_INFO_DATA);
  if (!out.is_svti || !data) return {};
  const auto options = Attributes::parse(*data);
  if (!options) return fail(options.error());
  out.status.svti_id = options->get<std::uint32_t>(IFLA_SVTI_ID).value_or(0);
  out.underlying = options->get<std::uint32_t>(IFLA_SVTI_LINK).value_or(0);
  return {};
}

}  // namespace

Bytes encode_add_svti(const model::SvtiInterface& svti, std::uint32_t underlying, std::optional<std::int32_t> nsid) {
  MessageBuilder message(RTM_NEWLINK, kAcknowledged | NLM_F_CREATE | NLM_F_EXCL);
  message.append(link(0));
  message.attribute(IFLA_IFNAME, ByteView(zero_ended(svti.name)));
  message.attribute(IFLA_GROUP, model::kLinkGroup);
  if (svti.mtu) message.attribute(IFLA_MTU, *svti.mtu);
  if (nsid) message.attribute(IFLA_LINK_NETNSID, *nsid);
  Bytes data;
  put_u32(data, IFLA_SVTI_ID, svti.svti_id);
  if (underlying != 0) put_u32(data, IFLA_SVTI_LINK, underlying);
  put_info(message, data);
  return message.take();
}

Bytes encode_delete_link(std::uint32_t ifindex) {
  MessageBuilder message(RTM_DELLINK, kAcknowledged);
  message.append(link(ifindex));
  return message.take();
}

Bytes encode_set_mtu(std::uint32_t ifindex, std::uint32_t mtu) {
  MessageBuilder message = change(ifindex);
  message.attribute(IFLA_MTU, mtu);
  return message.take();
}

Bytes encode_set_group(std::uint32_t ifindex, std::uint32_t group) {
  MessageBuilder message = change(ifindex);
  message.attribute(IFLA_GROUP, group);
  return message.take();
}

Bytes encode_set_alias(std::uint32_t ifindex, const std::string& alias) {
  MessageBuilder message = change(ifindex);
  message.attribute(IFLA_IFALIAS, as_bytes(alias));  // of length 0: taken away
  return message.take();
}

Bytes encode_set_underlying(std::uint32_t ifindex, std::uint32_t underlying) {
  MessageBuilder message = change(ifindex);
  Bytes data;
  put_u32(data, IFLA_SVTI_LINK, underlying);
  put_info(message, data);
  return message.take();
}

Bytes encode_set_flags(std::uint32_t ifindex, std::uint32_t flags, std::uint32_t mask) {
  MessageBuilder message(RTM_NEWLINK, kAcknowledged);
  ifinfomsg header = link(ifindex);
  header.ifi_flags = flags;
  header.ifi_change = mask;
  message.append(header);
  return message.take();
}

Bytes encode_address(std::uint32_t ifindex, const model::InterfaceAddress& address, bool add) {
  MessageBuilder message(add ? RTM_NEWADDR : RTM_DELADDR, add ? kAcknowledged | NLM_F_CREATE | NLM_F_EXCL : kAcknowledged);
  ifaddrmsg header{};
  header.ifa_family = address.address.family() == IpFamily::V4 ? AF_INET : AF_INET6;
  header.ifa_prefixlen = address.prefix_length;
  header.ifa_index = ifindex;
  message.append(header);
  message.attribute(IFA_LOCAL, address.address.bytes());
  message.attribute(IFA_ADDRESS, address.address.bytes());
  return message.take();
}

Bytes encode_dump_links_with_counters() {
  MessageBuilder message(RTM_GETLINK, kDump);
  message.append(ifinfomsg{});
  return message.take();
}

Bytes encode_get_link(const std::string& name) {
  MessageBuilder message(RTM_GETLINK, NLM_F_REQUEST);
  message.append(ifinfomsg{});
  message.attribute(IFLA_IFNAME, ByteView(zero_ended(name)));
  return message.take();
}

Bytes encode_get_nsid(int descriptor) {
  MessageBuilder message(RTM_GETNSID, NLM_F_REQUEST);
  message.append(rtgenmsg{AF_UNSPEC});
  message.attribute(NETNSA_FD, static_cast<std::uint32_t>(descriptor));
  return message.take();
}

Bytes encode_new_nsid(int descriptor) {
  MessageBuilder message(RTM_NEWNSID, kAcknowledged);
  message.append(rtgenmsg{AF_UNSPEC});
  message.attribute(NETNSA_FD, static_cast<std::uint32_t>(descriptor));
  message.attribute(NETNSA_NSID, std::int32_t{NETNSA_NSID_NOT_ASSIGNED});  // the kernel chooses
  return message.take();
}

Result<std::optional<LinkDetails>> decode_link_details(const MessageView& message) {
  if (message.type != RTM_NEWLINK) return std::nullopt;
  const auto header = read_struct<ifinfomsg>(message.payload, "ifinfomsg");
  if (!header) return fail(header.error());
  if (header->ifi_family != AF_UNSPEC) return std::nullopt;
  const auto attributes = Attributes::parse(behind(message.payload, sizeof(ifinfomsg)));
  if (!attributes) return fail(attributes.error());

  LinkDetails out;
  model::LinkStatus& status = out.status;
  status.ifindex = static_cast<std::uint32_t>(header->ifi_index);
  status.name = attributes->text(IFLA_IFNAME).value_or("");
  status.up = (header->ifi_flags & IFF_UP) != 0;
  status.promiscuous = (header->ifi_flags & IFF_PROMISC) != 0;
  status.group = attributes->get<std::uint32_t>(IFLA_GROUP).value_or(0);
  status.mtu = attributes->get<std::uint32_t>(IFLA_MTU).value_or(0);
  status.oper_status = attributes->get<std::uint8_t>(IFLA_OPERSTATE).value_or(0);
  status.description = attributes->text(IFLA_IFALIAS).value_or("");
  status.ipv6_enabled = has_ipv6(*attributes);
  out.nsid = attributes->get<std::int32_t>(IFLA_LINK_NETNSID);
  if (const auto stats = attributes->get<rtnl_link_stats64>(IFLA_STATS64)) {
    status.counters = {stats->rx_bytes, stats->rx_packets, stats->rx_dropped, stats->rx_errors,
                       stats->tx_bytes, stats->tx_packets, stats->tx_dropped, stats->tx_errors};
  }
  if (const Status read = read_svti(*attributes, out); !read) return fail(read.error());
  return out;
}

Result<std::optional<std::int32_t>> decode_nsid(const MessageView& message) {
  if (message.type != RTM_NEWNSID) return std::nullopt;
  const auto attributes = Attributes::parse(behind(message.payload, sizeof(rtgenmsg)));
  if (!attributes) return fail(attributes.error());
  const auto nsid = attributes->get<std::int32_t>(NETNSA_NSID);
  if (!nsid || *nsid < 0) return std::nullopt;
  return *nsid;
}

}  // namespace svti::kernel
