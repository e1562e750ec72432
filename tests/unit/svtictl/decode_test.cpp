// SPDX-License-Identifier: Apache-2.0
// Messages of a Linux 6.x kernel as it sent them, and messages about an SVTI put together here.
#include "svtictl/decode.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/svti.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>

namespace svti::svtictl {
namespace {

Bytes hex(const char* digits) { return from_hex(digits).value(); }

Bytes u64_octets(std::uint64_t value) {
  Bytes out(sizeof value);
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

// what the kernel says about svti100, id 100, over ifindex 7 of namespace 3
Request svti_link(bool with_id = true) {
  ifinfomsg header{};
  header.ifi_index = 5;
  header.ifi_flags = IFF_UP;
  rtnl_link_stats64 stats{};
  stats.rx_packets = 1;
  stats.rx_bytes = 2;
  stats.rx_dropped = 3;
  stats.rx_errors = 4;
  stats.tx_packets = 5;
  stats.tx_bytes = 6;
  stats.tx_dropped = 7;
  stats.tx_errors = 8;
  Request request(RTM_NEWLINK, 0);
  request.header(header).put_text(IFLA_IFNAME, "svti100").put_u32(IFLA_MTU, 1400).put_u8(IFLA_OPERSTATE, IF_OPER_LOWERLAYERDOWN);
  request.put(IFLA_STATS64, {reinterpret_cast<const std::uint8_t*>(&stats), sizeof stats}).put_i32(IFLA_LINK_NETNSID, 3);
  request.nest(IFLA_LINKINFO, [&](Request& info) {
    info.put_text(IFLA_INFO_KIND, "svti");
    info.nest(IFLA_INFO_DATA, [&](Request& data) {
      if (with_id) data.put_u32(IFLA_SVTI_ID, 4294967295);
      data.put_u32(IFLA_SVTI_LINK, 7);
    });
    info.nest(IFLA_INFO_XSTATS, [](Request& reasons) {
      reasons.put(SVTI_XSTATS_TX_NO_POLICY, u64_octets(9));
      reasons.put(SVTI_XSTATS_UNSPEC, {});  // padding
      reasons.put(SVTI_XSTATS_RX_MALFORMED, u64_octets(10));
      reasons.put(SVTI_XSTATS_MAX + 1, u64_octets(11));  // of a newer module
      reasons.put_u32(SVTI_XSTATS_RX_DOWN, 12);          // not a u64
    });
  });
  return request;
}

BOOST_AUTO_TEST_SUITE(decode)

BOOST_AUTO_TEST_CASE(a_refusal_carries_the_sentence_behind_the_echoed_request) {
  const auto end = decode_end(hex(
      "68000000020000020700000099510000a1ffffff3c000000100005060700000000000000000000000000000000000000000000000a000300737674693900000010"
      "00128009000100737674690000000018000100556e6b6e6f776e20646576696365207479706500"));
  BOOST_REQUIRE(!end);
  BOOST_TEST(end.error().code == EOPNOTSUPP);
  BOOST_TEST(end.error().text == "Unknown device type");
}

BOOST_AUTO_TEST_CASE(a_refusal_carries_the_sentence_behind_a_capped_request) {
  Request request(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS);
  nlmsgerr header{};
  header.error = -EEXIST;
  header.msg.nlmsg_len = 400;  // of the request, which is not echoed
  request.header(header).put_text(NLMSGERR_ATTR_MSG, "svti-id 100 is taken.");
  const auto end = decode_end(request.view());
  BOOST_REQUIRE(!end);
  BOOST_TEST(end.error().code == EEXIST);
  BOOST_TEST(end.error().text == "svti-id 100 is taken");
}

BOOST_AUTO_TEST_CASE(an_acknowledgement_and_the_end_of_a_dump_are_success) {
  Request ack(NLMSG_ERROR, NLM_F_CAPPED);
  ack.header(nlmsgerr{});
  BOOST_TEST(decode_end(ack.view()).has_value());
  BOOST_TEST(decode_end(hex("1400000003000200070000009951000000000000")).has_value());
}

BOOST_AUTO_TEST_CASE(the_end_of_a_dump_can_be_a_refusal) {
  const auto end = decode_end(hex("14000000030002000700000099510000feffffff"));
  BOOST_REQUIRE(!end);
  BOOST_TEST(end.error().code == ENOENT);
}

BOOST_AUTO_TEST_CASE(an_echoed_length_that_lies_does_not_lead_out_of_the_message) {
  for (const std::uint32_t length : {0U, 15U, 21U, 4096U, 0xffffffffU}) {
    Request request(NLMSG_ERROR, NLM_F_ACK_TLVS);
    nlmsgerr header{};
    header.error = -EINVAL;
    header.msg.nlmsg_len = length;
    request.header(header).put_text(NLMSGERR_ATTR_MSG, "text");
    const auto end = decode_end(request.view());
    BOOST_REQUIRE(!end);
    BOOST_TEST(end.error().code == EINVAL);
    BOOST_TEST(end.error().text == "");
  }
}

BOOST_AUTO_TEST_CASE(an_svti_with_all_its_attributes) {
  const auto link = decode_link(svti_link().view());
  BOOST_REQUIRE(link);
  BOOST_REQUIRE(link->svti);
  const Svti& svti = *link->svti;
  BOOST_TEST(svti.name == "svti100");
  BOOST_TEST(svti.index == 5U);
  BOOST_TEST(svti.id == 4294967295U);
  BOOST_TEST(svti.mtu == 1400U);
  BOOST_TEST(svti.enabled);
  BOOST_TEST(!svti.promiscuous);
  BOOST_TEST(svti.oper_status == "LOWER-LAYER-DOWN");
  BOOST_TEST(svti.link_index == 7U);
  BOOST_TEST(svti.link_nsid.value() == 3);
  BOOST_TEST(svti.in.packets == 1U);
  BOOST_TEST(svti.in.octets == 2U);
  BOOST_TEST(svti.in.discards == 3U);
  BOOST_TEST(svti.in.errors == 4U);
  BOOST_TEST(svti.out.packets == 5U);
  BOOST_TEST(svti.out.octets == 6U);
  BOOST_TEST(svti.out.discards == 7U);
  BOOST_TEST(svti.out.errors == 8U);
  BOOST_REQUIRE(svti.reasons.size() == 3U);
  BOOST_TEST(svti.reasons[0].type == static_cast<std::uint32_t>(SVTI_XSTATS_TX_NO_POLICY));
  BOOST_TEST(svti.reasons[0].packets == 9U);
  BOOST_TEST(svti.reasons[1].type == static_cast<std::uint32_t>(SVTI_XSTATS_RX_MALFORMED));
  BOOST_TEST(svti.reasons[1].packets == 10U);
  BOOST_TEST(svti.reasons[2].type == static_cast<std::uint32_t>(SVTI_XSTATS_MAX + 1));
  BOOST_TEST(svti.reasons[2].packets == 11U);
}

BOOST_AUTO_TEST_CASE(an_svti_without_its_id_is_refused) { BOOST_TEST(!decode_link(svti_link(false).view())); }

BOOST_AUTO_TEST_CASE(a_link_of_another_kind_is_no_svti) {
  Request request(RTM_NEWLINK, 0);
  request.header(ifinfomsg{}).put_text(IFLA_IFNAME, "v0").nest(IFLA_LINKINFO, [](Request& info) { info.put_text(IFLA_INFO_KIND, "veth"); });
  const auto link = decode_link(request.view());
  BOOST_REQUIRE(link);
  BOOST_TEST(link->name == "v0");
  BOOST_TEST(link->kind == "veth");
  BOOST_TEST(!link->svti.has_value());
}

BOOST_AUTO_TEST_CASE(a_message_cut_anywhere_is_refused_or_read_within_its_bounds) {
  const Request request = svti_link();
  const Bytes whole = to_bytes(request.view());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    // The header still promises the whole.
    BOOST_TEST(!decode_link(ByteView(whole).first(length)));
    if (length < NLMSG_HDRLEN) continue;
    // The header is true to what is left: the sanitizers watch that nothing behind it is read.
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    const auto claimed = static_cast<std::uint32_t>(length);
    std::memcpy(cut.data(), &claimed, sizeof claimed);
    const auto link = decode_link(cut);
    BOOST_TEST((!link || !link->svti || link->svti->id == 4294967295U));
  }
}

BOOST_AUTO_TEST_CASE(a_name_without_its_zero_is_refused) {
  Request request(RTM_NEWLINK, 0);
  request.header(ifinfomsg{}).put(IFLA_IFNAME, as_bytes("svti"));
  BOOST_TEST(!decode_link(request.view()));
}

BOOST_AUTO_TEST_CASE(addresses_of_both_families) {
  const auto v4 =
      decode_address(hex("4c000000140002000700000099510000021880000200000008000100"
                         "0a090001080002000a0900010700030076300000080008008000000014000600ffffffffffffffff0cd702000cd70200"));
  BOOST_REQUIRE(v4);
  BOOST_TEST(v4->first == 2U);
  BOOST_TEST(v4->second == "10.9.0.1/24");
  const auto v6 = decode_address(hex(
      "5000000014000200070000009951000"
      "00a8080fe01000000140001000000000000000000000000000000000114000600ffffffffffffffff09d7020009d70200080008008000000005000b0001000000"));
  BOOST_REQUIRE(v6);
  BOOST_TEST(v6->second == "::1/128");
}

BOOST_AUTO_TEST_CASE(a_route_through_a_device) {
  const auto route =
      decode_route(hex("4400000018002200070000009951000002100000dc0300011000000008000f00dc000000080001000a050000080007000a09000108000500"
                       "0a0900090800040002000000"));
  BOOST_REQUIRE(route);
  BOOST_TEST(route->table == 220U);
  BOOST_TEST(route->type == RTN_UNICAST);
  BOOST_TEST(route->prefix.to_string() == "10.5.0.0/16");
  BOOST_TEST(route->source.value().to_string() == "10.9.0.1");
  BOOST_TEST(route->protocol == 3);
  BOOST_REQUIRE(route->next_hops.size() == 1U);
  BOOST_TEST(route->next_hops[0].device_index == 2U);
  BOOST_TEST(route->next_hops[0].gateway.value().to_string() == "10.9.0.9");
  BOOST_TEST(route->next_hops[0].link_down);
}

BOOST_AUTO_TEST_CASE(a_route_of_several_next_hops) {
  const char* const digits =
      "5800000018002200070000009951000002100000dcdb00011000000008000f00dc000000080001000a070000080006000900000024000900"
      "1000100002000000080005000a0900091000100002000000080005000a09000a";
  const auto route = decode_route(hex(digits));
  BOOST_REQUIRE(route);
  BOOST_TEST(route->metric == 9U);
  BOOST_TEST(route->protocol == kProtocolSvti);
  BOOST_REQUIRE(route->next_hops.size() == 2U);
  BOOST_TEST(route->next_hops[1].gateway.value().to_string() == "10.9.0.10");

  // A next hop that claims to be longer than what holds it, or shorter than itself.
  for (const int length : {0, 7, 33, 255}) {
    Bytes wrong = hex(digits);
    wrong[wrong.size() - 32] = static_cast<std::uint8_t>(length);
    BOOST_TEST(!decode_route(wrong));
  }
}

BOOST_AUTO_TEST_CASE(an_ipv6_throw_route_names_no_device) {
  const auto route = decode_route(hex(
      "740000001800220007000000995100000a800000dcdb00090000000008000f00dc0000001400010020010db800000000000000000000000108000600000400000800"
      "04000100000024000c0000000000000000000000000000000000000000000000000000000000000000000500140000000000"));
  BOOST_REQUIRE(route);
  BOOST_TEST(route->type == RTN_THROW);
  BOOST_TEST(route->prefix.to_string() == "2001:db8::1/128");
  BOOST_TEST(route->metric == 1024U);
  BOOST_TEST(route->next_hops.empty());
}

BOOST_AUTO_TEST_CASE(a_route_whose_prefix_is_longer_than_its_family_is_refused) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = 33;
  Request request(RTM_NEWROUTE, 0);
  request.header(header);
  BOOST_TEST(!decode_route(request.view()));
}

BOOST_AUTO_TEST_CASE(a_rule_with_all_its_conditions) {
  const auto rule = decode_rule(hex(
      "6400000020000200070000009951000002100800fc0000010200000008000f00a086010008000e00ffffffff05001500db0000000700030076300000080006006300"
      "000008000a000500000008001000ff000000080001000a010000080002000a000000"));
  BOOST_REQUIRE(rule);
  BOOST_TEST((rule->family == IpFamily::V4));
  BOOST_TEST(rule->priority == 99U);
  BOOST_TEST(rule->table == 100000U);
  BOOST_TEST(rule->protocol == kProtocolSvti);
  BOOST_TEST(rule->inverted);
  BOOST_TEST(rule->from.value().to_string() == "10.0.0.0/8");
  BOOST_TEST(rule->to.value().to_string() == "10.1.0.0/16");
  BOOST_TEST(rule->input_device == "v0");
  BOOST_TEST(rule->mark == 5U);
  BOOST_TEST(rule->mask == 255U);
}

BOOST_AUTO_TEST_CASE(an_sa_and_its_device) {
  const auto decoded = [](std::uint8_t protocol, const Bytes& offload) {
    xfrm_usersa_info info{};
    info.family = AF_INET;
    info.id.proto = protocol;
    info.id.spi = htonl(0xc0ffee01);
    info.id.daddr.a4 = htonl(0xc0000202);
    info.saddr.a4 = htonl(0xc0000201);
    info.reqid = 7;
    Request request(XFRM_MSG_NEWSA, 0);
    request.header(info).put_u32(XFRMA_IF_ID, 100);
    if (!offload.empty()) request.put(XFRMA_OFFLOAD_DEV, offload);
    return decode_offloaded_sa(request.view());
  };
  const auto software = decoded(IPPROTO_ESP, {});
  BOOST_REQUIRE(software);
  BOOST_TEST(software->spi == 0xc0ffee01U);
  BOOST_TEST(software->source.to_string() == "192.0.2.1");
  BOOST_TEST(software->destination.to_string() == "192.0.2.2");
  BOOST_TEST(software->svti_id == 100U);
  BOOST_TEST(software->device_index == 0U);
  const auto inbound = decoded(IPPROTO_ESP, hex("0300000002000000"));
  BOOST_REQUIRE(inbound);
  BOOST_TEST(inbound->device_index == 3U);
  BOOST_TEST((inbound->inbound && !inbound->packet));
  const auto packet = decoded(IPPROTO_ESP, hex("0300000004000000"));
  BOOST_REQUIRE(packet);
  BOOST_TEST((!packet->inbound && packet->packet));
  BOOST_TEST(!decoded(IPPROTO_ESP, hex("03000000")));  // cut short
  BOOST_TEST(!decoded(IPPROTO_COMP, {}));
}

BOOST_AUTO_TEST_CASE(an_ipv6_rule) {
  const auto rule = decode_rule(hex(
      "500000002000020007000000995100000a002000dc0000010000000008000f00dc00000008000e00ffffffff050015000000000008000600dc000000140002002001"
      "0db8000000000000000000000000"));
  BOOST_REQUIRE(rule);
  BOOST_TEST((rule->family == IpFamily::V6));
  BOOST_TEST(rule->from.value().to_string() == "2001:db8::/32");
  BOOST_TEST(!rule->to.has_value());
  BOOST_TEST(rule->table == 220U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace svti::svtictl
