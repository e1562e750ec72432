// SPDX-License-Identifier: Apache-2.0
#include "svtictl/decode.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/svti.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace svti::svtictl {
namespace {

// Copied to where it is aligned for the headers in it; `message` may lie anywhere.
class Message {
 public:
  explicit Message(ByteView message) : words_((message.size() + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t)) {
    if (!message.empty()) std::memcpy(words_.data(), message.data(), message.size());
    whole_ = nlmsg_ok(get(), static_cast<int>(message.size())) != 0;
  }

  // holds a header of this type and a family header of `size` octets behind it
  bool is(int type, std::size_t size) const {
    return whole_ && get()->nlmsg_type == type && get()->nlmsg_len >= static_cast<std::size_t>(NLMSG_HDRLEN) + size;
  }
  bool whole() const { return whole_; }
  nlmsghdr* get() const { return reinterpret_cast<nlmsghdr*>(words_.data()); }
  template <typename Header>
  const Header& header() const {
    return *static_cast<const Header*>(nlmsg_data(get()));
  }

 private:
  mutable std::vector<std::uint64_t> words_;
  bool whole_ = false;
};

// Attributes of one level, by type. Those the policy names have at least the size it names.
template <int kMax>
class Attributes {
 public:
  // of a message behind its family header
  static std::optional<Attributes> of(const Message& message, std::size_t header, const nla_policy* policy) {
    Attributes out;
    if (nlmsg_parse(message.get(), static_cast<int>(header), out.table_.data(), kMax, policy) < 0) return std::nullopt;
    return out;
  }
  static std::optional<Attributes> in(const nlattr* nest, const nla_policy* policy) {
    Attributes out;
    if (nla_parse_nested(out.table_.data(), kMax, const_cast<nlattr*>(nest), policy) < 0) return std::nullopt;
    return out;
  }

  const nlattr* operator[](int type) const { return table_[static_cast<std::size_t>(type)]; }
  std::uint32_t u32(int type, std::uint32_t absent = 0) const { return has(type) ? nla_get_u32((*this)[type]) : absent; }
  std::uint8_t u8(int type, std::uint8_t absent = 0) const { return has(type) ? nla_get_u8((*this)[type]) : absent; }
  std::uint16_t u16_network(int type) const { return has(type) ? ntohs(nla_get_u16((*this)[type])) : std::uint16_t{0}; }
  std::string text(int type) const { return has(type) ? nla_get_string((*this)[type]) : ""; }
  bool has(int type) const { return (*this)[type] != nullptr; }
  std::optional<IpAddress> address(int type) const {
    if (!has(type)) return std::nullopt;
    const auto address = IpAddress::from_bytes(octets(type));
    return address ? std::optional(*address) : std::nullopt;
  }
  ByteView octets(int type) const {
    return {static_cast<const std::uint8_t*>(nla_data((*this)[type])), static_cast<std::size_t>(nla_len((*this)[type]))};
  }

 private:
  std::array<nlattr*, kMax + 1> table_{};
};

template <std::size_t kSize>
using Policy = std::array<nla_policy, kSize>;

// a policy from pairs of attribute and rule
template <int kMax>
Policy<kMax + 1> policy(std::initializer_list<std::pair<int, nla_policy>> rules) {
  Policy<kMax + 1> out{};
  for (const auto& [type, rule] : rules) out[static_cast<std::size_t>(type)] = rule;
  return out;
}

constexpr nla_policy kU8{NLA_U8, 0, 0};
constexpr nla_policy kU16{NLA_U16, 0, 0};
constexpr nla_policy kU32{NLA_U32, 0, 0};
constexpr nla_policy kText{NLA_STRING, 0, 0};
constexpr nla_policy kName{NLA_STRING, 0, IFNAMSIZ};
constexpr nla_policy kNest{NLA_NESTED, 0, 0};

// a string may come without its final zero; nla_get_string would then read on
bool terminated(const nlattr* attribute) {
  const auto* text = static_cast<const char*>(nla_data(attribute));
  return std::memchr(text, 0, static_cast<std::size_t>(nla_len(attribute))) != nullptr;
}

std::optional<IpFamily> family_of(int family) {
  if (family == AF_INET) return IpFamily::V4;
  if (family == AF_INET6) return IpFamily::V6;
  return std::nullopt;
}

std::string oper_status(std::uint8_t state) {
  // RFC 2863 names; IF_OPER_* in their order
  constexpr std::array kNames{"UNKNOWN", "NOT-PRESENT", "DOWN", "LOWER-LAYER-DOWN", "TESTING", "DORMANT", "UP"};
  return state < kNames.size() ? kNames[state] : fmt::format("{}", state);
}

void read_counters(const nlattr* attribute, Svti& out) {
  // The struct grows from kernel to kernel: read what both sides know.
  rtnl_link_stats64 stats{};
  std::memcpy(&stats, nla_data(attribute), std::min(sizeof stats, static_cast<std::size_t>(nla_len(attribute))));
  out.in = {stats.rx_bytes, stats.rx_packets, stats.rx_dropped, stats.rx_errors};
  out.out = {stats.tx_bytes, stats.tx_packets, stats.tx_dropped, stats.tx_errors};
}

void read_reasons(nlattr* xstats, Svti& out) {
  nlattr* attribute = nullptr;
  int rest = 0;
  nla_for_each_nested(attribute, xstats, rest) {
    const auto type = static_cast<std::uint32_t>(nla_type(attribute));
    if (type == SVTI_XSTATS_UNSPEC || nla_len(attribute) != static_cast<int>(sizeof(std::uint64_t))) continue;  // 0 is padding
    out.reasons.push_back({type, nla_get_u64(attribute)});
  }
}

// the part of an svti that stands in IFLA_LINKINFO; false when its mandatory svti-id is missing
bool read_link_info(const Attributes<IFLA_INFO_MAX>& info, Svti& out) {
  static const auto kPolicy = policy<IFLA_SVTI_MAX>({{IFLA_SVTI_ID, kU32},
                                                     {IFLA_SVTI_LINK, kU32},
                                                     {IFLA_SVTI_SP_HASH_IPV4_LOCAL, kU8},
                                                     {IFLA_SVTI_SP_HASH_IPV4_REMOTE, kU8},
                                                     {IFLA_SVTI_SP_HASH_IPV6_LOCAL, kU8},
                                                     {IFLA_SVTI_SP_HASH_IPV6_REMOTE, kU8},
                                                     {IFLA_SVTI_AUTO_MTU, kU8},
                                                     {IFLA_SVTI_SA_PER_CPU, kU8}});
  if (!info.has(IFLA_INFO_DATA)) return false;
  const auto data = Attributes<IFLA_SVTI_MAX>::in(info[IFLA_INFO_DATA], kPolicy.data());
  if (!data || !data->has(IFLA_SVTI_ID)) return false;
  out.id = data->u32(IFLA_SVTI_ID);
  out.link_index = data->u32(IFLA_SVTI_LINK);
  out.auto_mtu = data->u8(IFLA_SVTI_AUTO_MTU) != 0;
  out.sa_per_cpu = data->u8(IFLA_SVTI_SA_PER_CPU) != 0;
  if (data->has(IFLA_SVTI_SP_HASH_IPV4_LOCAL)) {
    out.sp_hash_ipv4 = {data->u8(IFLA_SVTI_SP_HASH_IPV4_LOCAL), data->u8(IFLA_SVTI_SP_HASH_IPV4_REMOTE)};
    out.sp_hash_ipv6 = {data->u8(IFLA_SVTI_SP_HASH_IPV6_LOCAL), data->u8(IFLA_SVTI_SP_HASH_IPV6_REMOTE)};
  }
  if (info.has(IFLA_INFO_XSTATS)) read_reasons(const_cast<nlattr*>(info[IFLA_INFO_XSTATS]), out);
  return true;
}

// RTA_MULTIPATH: rtnexthop records, each with its own length and attributes
bool read_multipath(ByteView octets, Route& out) {
  while (octets.size() >= sizeof(rtnexthop)) {
    rtnexthop hop{};
    std::memcpy(&hop, octets.data(), sizeof hop);
    if (hop.rtnh_len < sizeof hop || hop.rtnh_len > octets.size()) return false;
    NextHop next;
    next.device_index = static_cast<std::uint32_t>(hop.rtnh_ifindex);
    next.link_down = (hop.rtnh_flags & RTNH_F_LINKDOWN) != 0;
    std::array<nlattr*, RTA_MAX + 1> attributes{};
    auto* const first = reinterpret_cast<nlattr*>(const_cast<std::uint8_t*>(octets.data()) + sizeof hop);
    if (nla_parse(attributes.data(), RTA_MAX, first, static_cast<int>(hop.rtnh_len - sizeof hop), nullptr) < 0) return false;
    if (const nlattr* gateway = attributes[RTA_GATEWAY]; gateway != nullptr) {
      const ByteView address(static_cast<const std::uint8_t*>(nla_data(gateway)), static_cast<std::size_t>(nla_len(gateway)));
      if (const auto parsed = IpAddress::from_bytes(address)) next.gateway = *parsed;
    }
    out.next_hops.push_back(next);
    octets = octets.subspan(std::min<std::size_t>(RTNH_ALIGN(hop.rtnh_len), octets.size()));
  }
  return octets.empty();
}

// a prefix whose address the kernel leaves out when it is zero; nothing when the length does not fit the family
std::optional<Prefix> prefix_of(IpFamily family, const std::optional<IpAddress>& address, std::uint8_t length) {
  const IpAddress base = address.value_or(IpAddress::any(family));
  if (base.family() != family || length > base.bits()) return std::nullopt;
  return Prefix(base, length);
}

using View = Attributes<SVTI_A_MAX>;

std::optional<View> view_of(const Message& message, std::uint16_t family, std::uint8_t command) {
  static const auto kPolicy = policy<SVTI_A_MAX>(
      {{SVTI_A_DIR, kU8},          {SVTI_A_FAMILY, kU8},         {SVTI_A_PROTO, kU8},          {SVTI_A_SPORT, kU16},
       {SVTI_A_DPORT, kU16},       {SVTI_A_MARK, kU32},          {SVTI_A_SRC_LEN, kU8},        {SVTI_A_DST_LEN, kU8},
       {SVTI_A_SPORT_MASK, kU16},  {SVTI_A_DPORT_MASK, kU16},    {SVTI_A_MARK_MASK, kU32},     {SVTI_A_INDEX, kU32},
       {SVTI_A_PRIORITY, kU32},    {SVTI_A_ACTION, kU8},         {SVTI_A_TEMPLATES, kU8},      {SVTI_A_TYPE, kU8},
       {SVTI_A_HASHED, kU8},       {SVTI_A_BUCKET_SRC_LEN, kU8}, {SVTI_A_BUCKET_DST_LEN, kU8}, {SVTI_A_BUCKET_PORTS, kU8},
       {SVTI_A_BUCKET_SIZE, kU32}, {SVTI_A_BUCKET_POS, kU32},    {SVTI_A_SPI, kU32},           {SVTI_A_REQID, kU32},
       {SVTI_A_MODE, kU8},         {SVTI_A_OUTBOUND, kU8},       {SVTI_A_USABLE, kU8},         {SVTI_A_WAY, kU8},
       {SVTI_A_MTU, kU32},         {SVTI_A_VERDICT, kU32},       {SVTI_A_TUPLES, kU32},        {SVTI_A_PROBES, kU32},
       {SVTI_A_CANDIDATES, kU32},  {SVTI_A_OUT_IFINDEX, kU32}});
  if (!message.is(family, sizeof(genlmsghdr)) || message.header<genlmsghdr>().cmd != command) return std::nullopt;
  return View::of(message, sizeof(genlmsghdr), kPolicy.data());
}

std::optional<SpdPolicy> policy_in(const View& view) {
  const auto family = family_of(view.u8(SVTI_A_FAMILY));
  if (!family || !view.has(SVTI_A_INDEX)) return std::nullopt;
  const auto source = prefix_of(*family, view.address(SVTI_A_SADDR), view.u8(SVTI_A_SRC_LEN));
  const auto destination = prefix_of(*family, view.address(SVTI_A_DADDR), view.u8(SVTI_A_DST_LEN));
  if (!source || !destination) return std::nullopt;

  SpdPolicy out;
  out.out = view.u8(SVTI_A_DIR) == XFRM_POLICY_OUT;
  out.source = *source;
  out.destination = *destination;
  out.protocol = view.u8(SVTI_A_PROTO);
  out.source_port = view.u16_network(SVTI_A_SPORT);
  out.source_port_mask = view.u16_network(SVTI_A_SPORT_MASK);
  out.destination_port = view.u16_network(SVTI_A_DPORT);
  out.destination_port_mask = view.u16_network(SVTI_A_DPORT_MASK);
  out.mark = view.u32(SVTI_A_MARK);
  out.mark_mask = view.u32(SVTI_A_MARK_MASK);
  out.index = view.u32(SVTI_A_INDEX);
  out.priority = view.u32(SVTI_A_PRIORITY);
  out.blocks = view.u8(SVTI_A_ACTION) != XFRM_POLICY_ALLOW;
  out.sub = view.u8(SVTI_A_TYPE) == XFRM_POLICY_TYPE_SUB;
  out.templates = view.u8(SVTI_A_TEMPLATES);
  out.hashed = view.u8(SVTI_A_HASHED) != 0;
  out.bucket_source = view.u8(SVTI_A_BUCKET_SRC_LEN);
  out.bucket_destination = view.u8(SVTI_A_BUCKET_DST_LEN);
  out.bucket_ports = view.u8(SVTI_A_BUCKET_PORTS) != 0;
  out.bucket_size = view.u32(SVTI_A_BUCKET_SIZE);
  out.bucket_position = view.u32(SVTI_A_BUCKET_POS);
  return out;
}

// what a trace tells of a state; its addresses are apart
SadState state_in(const View& view) {
  SadState out;
  out.spi = ntohl(view.u32(SVTI_A_SPI));
  out.reqid = view.u32(SVTI_A_REQID);
  out.mode = view.u8(SVTI_A_MODE);
  out.outbound = view.u8(SVTI_A_OUTBOUND) != 0;
  out.usable = view.u8(SVTI_A_USABLE);
  return out;
}

bool forwards(std::uint8_t type) { return type != RTN_THROW && type != RTN_BLACKHOLE && type != RTN_UNREACHABLE && type != RTN_PROHIBIT; }

}  // namespace

KernelResult<void> decode_end(ByteView view) {
  const KernelError malformed{EBADMSG, "answer cut short"};
  const Message message(view);
  if (!message.whole()) return tl::unexpected(malformed);
  const nlmsghdr* const header = message.get();
  const bool done = header->nlmsg_type == NLMSG_DONE;
  if (!done && header->nlmsg_type != NLMSG_ERROR) return tl::unexpected(malformed);

  const std::size_t payload = header->nlmsg_len - static_cast<std::size_t>(NLMSG_HDRLEN);
  if (done && payload < sizeof(int)) return {};  // old style: nothing to say
  if (payload < (done ? sizeof(int) : sizeof(nlmsgerr))) return tl::unexpected(malformed);
  const int code = -message.header<int>();
  if (code == 0) return {};

  KernelError error{code, {}};
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return tl::unexpected(error);
  // Attributes stand behind the fixed part, and behind the echoed request when the kernel did not cap it.
  std::size_t fixed = done ? sizeof(int) : sizeof(nlmsgerr);
  if (!done && (header->nlmsg_flags & NLM_F_CAPPED) == 0) {
    const std::size_t echoed = message.header<nlmsgerr>().msg.nlmsg_len;
    if (echoed < static_cast<std::size_t>(NLMSG_HDRLEN) || echoed > payload) return tl::unexpected(error);
    fixed += NLMSG_ALIGN(echoed) - static_cast<std::size_t>(NLMSG_HDRLEN);
  }
  if (fixed > payload) return tl::unexpected(error);
  static const auto kPolicy = policy<NLMSGERR_ATTR_MAX>({{NLMSGERR_ATTR_MSG, kText}});
  const auto attributes = Attributes<NLMSGERR_ATTR_MAX>::of(message, fixed, kPolicy.data());
  if (attributes && attributes->has(NLMSGERR_ATTR_MSG) && terminated((*attributes)[NLMSGERR_ATTR_MSG])) {
    error.text = attributes->text(NLMSGERR_ATTR_MSG);
    while (!error.text.empty() && (error.text.back() == '.' || error.text.back() == '\n')) error.text.pop_back();
  }
  return tl::unexpected(error);
}

std::optional<std::uint32_t> decode_deleted_link(ByteView view) {
  const Message message(view);
  if (!message.is(RTM_DELLINK, sizeof(ifinfomsg))) return std::nullopt;
  return static_cast<std::uint32_t>(message.header<ifinfomsg>().ifi_index);
}

std::optional<Link> decode_link(ByteView view) {
  static const auto kPolicy = policy<IFLA_MAX>({{IFLA_IFNAME, kName},
                                                {IFLA_MTU, kU32},
                                                {IFLA_OPERSTATE, kU8},
                                                {IFLA_LINK_NETNSID, kU32},
                                                {IFLA_PROMISCUITY, kU32},
                                                {IFLA_LINKINFO, kNest}});
  static const auto kInfoPolicy = policy<IFLA_INFO_MAX>({{IFLA_INFO_KIND, kText}});
  const Message message(view);
  if (!message.is(RTM_NEWLINK, sizeof(ifinfomsg))) return std::nullopt;
  const auto attributes = Attributes<IFLA_MAX>::of(message, sizeof(ifinfomsg), kPolicy.data());
  if (!attributes || !attributes->has(IFLA_IFNAME) || !terminated((*attributes)[IFLA_IFNAME])) return std::nullopt;

  const auto& header = message.header<ifinfomsg>();
  Link out{static_cast<std::uint32_t>(header.ifi_index), attributes->text(IFLA_IFNAME), {}, {}};
  if (!attributes->has(IFLA_LINKINFO)) return out;
  const auto info = Attributes<IFLA_INFO_MAX>::in((*attributes)[IFLA_LINKINFO], kInfoPolicy.data());
  if (!info) return std::nullopt;
  if (!info->has(IFLA_INFO_KIND) || !terminated((*info)[IFLA_INFO_KIND])) return out;
  out.kind = info->text(IFLA_INFO_KIND);
  if (out.kind != "svti") return out;

  Svti svti;
  if (!read_link_info(*info, svti)) return std::nullopt;
  svti.name = out.name;
  svti.index = out.index;
  svti.mtu = attributes->u32(IFLA_MTU);
  svti.enabled = (header.ifi_flags & IFF_UP) != 0;
  svti.promiscuous = attributes->u32(IFLA_PROMISCUITY) != 0;
  svti.oper_status = oper_status(attributes->u8(IFLA_OPERSTATE));
  if (attributes->has(IFLA_LINK_NETNSID)) svti.link_nsid = static_cast<std::int32_t>(attributes->u32(IFLA_LINK_NETNSID));
  if (attributes->has(IFLA_STATS64)) read_counters((*attributes)[IFLA_STATS64], svti);
  out.svti = std::move(svti);
  return out;
}

std::optional<std::pair<std::uint32_t, std::string>> decode_address(ByteView view) {
  const Message message(view);
  if (!message.is(RTM_NEWADDR, sizeof(ifaddrmsg))) return std::nullopt;
  const auto attributes = Attributes<IFA_MAX>::of(message, sizeof(ifaddrmsg), nullptr);
  if (!attributes) return std::nullopt;
  // IFA_LOCAL is ours where the two differ (a peer address, IPv4); IPv6 has only IFA_ADDRESS.
  const auto address = attributes->address(attributes->has(IFA_LOCAL) ? IFA_LOCAL : IFA_ADDRESS);
  if (!address) return std::nullopt;
  const auto& header = message.header<ifaddrmsg>();
  return std::pair(header.ifa_index, fmt::format("{}/{}", address->to_string(), header.ifa_prefixlen));
}

std::optional<Route> decode_route(ByteView view) {
  static const auto kPolicy = policy<RTA_MAX>({{RTA_TABLE, kU32}, {RTA_OIF, kU32}, {RTA_PRIORITY, kU32}});
  const Message message(view);
  if (!message.is(RTM_NEWROUTE, sizeof(rtmsg))) return std::nullopt;
  const auto& header = message.header<rtmsg>();
  const auto family = family_of(header.rtm_family);
  const auto attributes = Attributes<RTA_MAX>::of(message, sizeof(rtmsg), kPolicy.data());
  if (!family || !attributes) return std::nullopt;
  const auto prefix = prefix_of(*family, attributes->address(RTA_DST), header.rtm_dst_len);
  if (!prefix) return std::nullopt;

  Route out;
  out.table = attributes->u32(RTA_TABLE, header.rtm_table);
  out.type = header.rtm_type;
  out.prefix = *prefix;
  out.source = attributes->address(RTA_PREFSRC);
  out.metric = attributes->u32(RTA_PRIORITY);
  out.protocol = header.rtm_protocol;
  if (!forwards(out.type)) return out;  // IPv6 names the loopback device here, which means nothing
  if (attributes->has(RTA_MULTIPATH)) {
    if (!read_multipath(attributes->octets(RTA_MULTIPATH), out)) return std::nullopt;
  } else if (attributes->has(RTA_OIF)) {
    const bool link_down = (header.rtm_flags & RTNH_F_LINKDOWN) != 0;
    out.next_hops.push_back({attributes->address(RTA_GATEWAY), attributes->u32(RTA_OIF), {}, link_down, {}});
  }
  return out;
}

std::optional<Rule> decode_rule(ByteView view) {
  static const auto kPolicy = policy<FRA_MAX>({{FRA_PRIORITY, kU32},
                                               {FRA_TABLE, kU32},
                                               {FRA_PROTOCOL, kU8},
                                               {FRA_FWMARK, kU32},
                                               {FRA_FWMASK, kU32},
                                               {FRA_IIFNAME, kName},
                                               {FRA_OIFNAME, kName}});
  const Message message(view);
  if (!message.is(RTM_NEWRULE, sizeof(fib_rule_hdr))) return std::nullopt;
  const auto& header = message.header<fib_rule_hdr>();
  const auto family = family_of(header.family);
  const auto attributes = Attributes<FRA_MAX>::of(message, sizeof(fib_rule_hdr), kPolicy.data());
  if (!family || !attributes || header.action != FR_ACT_TO_TBL) return std::nullopt;

  Rule out;
  out.family = *family;
  out.priority = attributes->u32(FRA_PRIORITY);
  out.table = attributes->u32(FRA_TABLE, header.table);
  out.protocol = attributes->u8(FRA_PROTOCOL);
  out.inverted = (header.flags & FIB_RULE_INVERT) != 0;
  if (header.src_len != 0 || attributes->has(FRA_SRC)) {
    out.from = prefix_of(*family, attributes->address(FRA_SRC), header.src_len);
    if (!out.from) return std::nullopt;
  }
  if (header.dst_len != 0 || attributes->has(FRA_DST)) {
    out.to = prefix_of(*family, attributes->address(FRA_DST), header.dst_len);
    if (!out.to) return std::nullopt;
  }
  for (const auto& [type, name] : {std::pair{FRA_IIFNAME, &out.input_device}, std::pair{FRA_OIFNAME, &out.output_device}}) {
    if (attributes->has(type) && terminated((*attributes)[type])) *name = attributes->text(type);
  }
  out.mark = attributes->u32(FRA_FWMARK);
  out.mask = attributes->u32(FRA_FWMASK);
  return out;
}

std::optional<OffloadedSa> decode_offloaded_sa(ByteView view) {
  constexpr std::uint8_t kPacket = 4;  // XFRM_OFFLOAD_PACKET, which the headers of 6.1 lack
  static const auto kPolicy = policy<XFRMA_MAX>({{XFRMA_IF_ID, kU32}});
  const Message message(view);
  if (!message.is(XFRM_MSG_NEWSA, sizeof(xfrm_usersa_info))) return std::nullopt;
  const auto& header = message.header<xfrm_usersa_info>();
  const auto family = family_of(header.family);
  if (!family || header.id.spi == 0 || (header.id.proto != IPPROTO_ESP && header.id.proto != IPPROTO_AH)) return std::nullopt;
  const auto attributes = Attributes<XFRMA_MAX>::of(message, sizeof(xfrm_usersa_info), kPolicy.data());
  if (!attributes) return std::nullopt;
  const auto address = [&](const xfrm_address_t& octets) {
    return IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(&octets), *family == IpFamily::V4 ? 4U : 16U}).value();
  };
  OffloadedSa out;
  out.spi = ntohl(header.id.spi);
  out.source = address(header.saddr);
  out.destination = address(header.id.daddr);
  out.protocol = header.id.proto;
  out.reqid = header.reqid;
  out.svti_id = attributes->u32(XFRMA_IF_ID);
  if (!attributes->has(XFRMA_OFFLOAD_DEV)) return out;
  xfrm_user_offload offload{};
  const ByteView octets = attributes->octets(XFRMA_OFFLOAD_DEV);
  if (octets.size() < sizeof offload) return std::nullopt;
  std::memcpy(&offload, octets.data(), sizeof offload);
  out.device_index = static_cast<std::uint32_t>(offload.ifindex);
  out.inbound = (offload.flags & XFRM_OFFLOAD_INBOUND) != 0;
  out.packet = (offload.flags & kPacket) != 0;
  return out;
}

std::optional<std::int32_t> decode_nsid(ByteView view) {
  static const auto kPolicy = policy<NETNSA_MAX>({{NETNSA_NSID, kU32}});
  const Message message(view);
  if (!message.is(RTM_NEWNSID, sizeof(rtgenmsg))) return std::nullopt;
  const auto attributes = Attributes<NETNSA_MAX>::of(message, sizeof(rtgenmsg), kPolicy.data());
  if (!attributes || !attributes->has(NETNSA_NSID)) return std::nullopt;
  return static_cast<std::int32_t>(attributes->u32(NETNSA_NSID));
}

std::optional<std::uint16_t> decode_family(ByteView octets) {
  static const auto kPolicy = policy<CTRL_ATTR_MAX>({{CTRL_ATTR_FAMILY_ID, kU16}});
  const Message message(octets);
  if (!message.is(GENL_ID_CTRL, sizeof(genlmsghdr))) return std::nullopt;
  const auto attributes = Attributes<CTRL_ATTR_MAX>::of(message, sizeof(genlmsghdr), kPolicy.data());
  if (!attributes || !attributes->has(CTRL_ATTR_FAMILY_ID)) return std::nullopt;
  return nla_get_u16((*attributes)[CTRL_ATTR_FAMILY_ID]);
}

std::optional<SpdPolicy> decode_policy(ByteView octets, std::uint16_t family) {
  const Message message(octets);
  const auto view = view_of(message, family, SVTI_CMD_GET_POLICY);
  return view ? policy_in(*view) : std::nullopt;
}

std::optional<SadState> decode_state(ByteView octets, std::uint16_t family) {
  const Message message(octets);
  const auto view = view_of(message, family, SVTI_CMD_GET_STATE);
  if (!view || !view->has(SVTI_A_SPI)) return std::nullopt;
  const auto source = view->address(SVTI_A_SADDR);
  const auto destination = view->address(SVTI_A_DADDR);
  if (!source || !destination) return std::nullopt;
  SadState out = state_in(*view);
  out.source = *source;
  out.destination = *destination;
  out.protocol = view->u8(SVTI_A_PROTO);
  out.way = view->u8(SVTI_A_WAY);
  if (view->has(SVTI_A_MTU)) out.mtu = view->u32(SVTI_A_MTU);
  return out;
}

std::optional<Trace> decode_trace(ByteView octets, std::uint16_t family) {
  const Message message(octets);
  const auto view = view_of(message, family, SVTI_CMD_TRACE);
  if (!view || !view->has(SVTI_A_VERDICT)) return std::nullopt;
  Trace out;
  out.verdict = view->u32(SVTI_A_VERDICT);
  out.tuples = view->u32(SVTI_A_TUPLES);
  out.probes = view->u32(SVTI_A_PROBES);
  out.candidates = view->u32(SVTI_A_CANDIDATES);
  out.way = view->u8(SVTI_A_WAY);
  if (view->has(SVTI_A_INDEX)) out.policy = policy_in(*view);
  if (view->has(SVTI_A_SPI)) out.state = state_in(*view);
  if (view->has(SVTI_A_MTU)) out.mtu = view->u32(SVTI_A_MTU);
  out.out_index = view->u32(SVTI_A_OUT_IFINDEX);
  return out;
}

}  // namespace svti::svtictl
