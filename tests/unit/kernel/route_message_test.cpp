// SPDX-License-Identifier: Apache-2.0
// Octets of NETLINK_ROUTE: links above all, since kernels without svti.ko cannot show one. Routes and rules meet a real kernel in
// netlink_kernel_test.cpp.
#include "kernel/route_message.h"

#include <net/if.h>
#include <netinet/in.h>
// the kernel's headers want libc's before them
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/svti.h>

#include <boost/test/unit_test.hpp>

using namespace svti;
using namespace svti::kernel;

namespace {

Bytes attribute(std::uint16_t type, ByteView value) {
  const auto size = static_cast<std::uint16_t>(NLA_HDRLEN + value.size());
  Bytes out(reinterpret_cast<const std::uint8_t*>(&size), reinterpret_cast<const std::uint8_t*>(&size) + 2);
  out.insert(out.end(), reinterpret_cast<const std::uint8_t*>(&type), reinterpret_cast<const std::uint8_t*>(&type) + 2);
  out.insert(out.end(), value.begin(), value.end());
  out.resize(NLA_ALIGN(out.size()));
  return out;
}

template <typename T>
Bytes octets_of(const T& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), reinterpret_cast<const std::uint8_t*>(&value) + sizeof(T)};
}

Bytes link_info(const char* kind, std::uint32_t svti_id) {
  Bytes name = to_bytes(as_bytes(kind));
  name.push_back(0);
  const Bytes data = attribute(IFLA_SVTI_ID, octets_of(svti_id));
  return attribute(IFLA_LINKINFO, concat({attribute(IFLA_INFO_KIND, name), attribute(IFLA_INFO_DATA, data)}));
}

Bytes link_payload(unsigned flags, const Bytes& attributes, unsigned char family = AF_UNSPEC) {
  ifinfomsg link{};
  link.ifi_family = family;
  link.ifi_index = 12;
  link.ifi_flags = flags;
  return concat({octets_of(link), attribute(IFLA_IFNAME, as_bytes(std::string_view("svti100\0", 8))), attributes});
}

LinkAnswer decoded(std::uint16_t type, const Bytes& payload) {
  const auto out = decode_link({type, 0, 0, payload});
  BOOST_REQUIRE_MESSAGE(out, out.error().message);
  BOOST_REQUIRE(out->has_value());
  return **out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(route_message)

BOOST_AUTO_TEST_CASE(an_svti_link_tells_id_and_state) {
  const LinkAnswer up = decoded(RTM_NEWLINK, link_payload(IFF_UP, link_info("svti", 100)));
  BOOST_TEST(up.ifindex == 12);
  BOOST_TEST(up.svti_id == 100U);
  BOOST_TEST(up.up);
  BOOST_TEST(!up.deleted);
  BOOST_TEST(!decoded(RTM_NEWLINK, link_payload(0, link_info("svti", 100))).up);
  // the last message about a link still has the flag
  const LinkAnswer gone = decoded(RTM_DELLINK, link_payload(IFF_UP, link_info("svti", 100)));
  BOOST_TEST(gone.deleted);
  BOOST_TEST(!gone.up);
}

BOOST_AUTO_TEST_CASE(other_links_have_no_svti_id) {
  BOOST_TEST(decoded(RTM_NEWLINK, link_payload(IFF_UP, link_info("xfrm", 100))).svti_id == 0U);
  BOOST_TEST(decoded(RTM_NEWLINK, link_payload(IFF_UP, {})).svti_id == 0U);
  // its SAs are in another namespace than ours
  const Bytes elsewhere = concat({link_info("svti", 100), attribute(IFLA_LINK_NETNSID, octets_of(std::int32_t{0}))});
  BOOST_TEST(decoded(RTM_NEWLINK, link_payload(IFF_UP, elsewhere)).svti_id == 0U);
  // of a bridge, about its port
  const Bytes port = link_payload(IFF_UP, link_info("svti", 100), AF_BRIDGE);
  BOOST_TEST(!decode_link({RTM_NEWLINK, 0, 0, port})->has_value());
  BOOST_TEST(!decode_link({RTM_NEWROUTE, 0, 0, port})->has_value());
}

BOOST_AUTO_TEST_CASE(a_link_cut_anywhere_is_never_read_past) {
  const Bytes whole = link_payload(IFF_UP, link_info("svti", 100));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes exact(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto out = decode_link({RTM_NEWLINK, 0, 0, exact});
    // an SVTI is only seen when all of it is there
    BOOST_REQUIRE(!out || !*out || (*out)->svti_id == 0);
    BOOST_REQUIRE(out || size != sizeof(ifinfomsg));
  }
}

BOOST_AUTO_TEST_CASE(a_route_to_an_svti_octet_by_octet) {
  // ip route replace 10.2.0.0/16 dev <ifindex 12> table 220 proto 219 scope link
  BOOST_TEST(to_hex(encode(model::AddRoute{{*Prefix::parse("10.2.0.0/16"), 220, 100}}, 12)) ==
             "34000000"
             "1800"
             "0505"
             "00000000"
             "00000000"  // NEWROUTE; REQUEST, ACK, REPLACE, CREATE
             "02"
             "10"
             "00"
             "00"
             "00"
             "db"
             "fd"
             "01"
             "00000000"  // family, lengths, tos, table, protocol, link, unicast
             "0800"
             "0100"
             "0a020000"
             "0800"
             "0f00"
             "dc000000"
             "0800"
             "0400"
             "0c000000");
  // the default route has no destination attribute
  BOOST_TEST(to_hex(encode(model::AddRoute{{*Prefix::parse("::/0"), 220, 0}}, 0)) ==
             "24000000"
             "1800"
             "0505"
             "00000000"
             "00000000"
             "0a"
             "00"
             "00"
             "00"
             "00"
             "db"
             "00"
             "09"
             "00000000"  // throw
             "0800"
             "0f00"
             "dc000000");
}

BOOST_AUTO_TEST_CASE(routes_of_others_and_copies_are_not_ours) {
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_protocol = RTPROT_BOOT;
  BOOST_TEST(!decode_route({RTM_NEWROUTE, 0, 0, octets_of(route)})->has_value());
  route.rtm_protocol = model::kRouteProtocol;
  BOOST_TEST(decode_route({RTM_NEWROUTE, 0, 0, octets_of(route)})->has_value());
  route.rtm_flags = RTM_F_CLONED;
  BOOST_TEST(!decode_route({RTM_NEWROUTE, 0, 0, octets_of(route)})->has_value());
  route.rtm_flags = 0;
  route.rtm_dst_len = 33;
  BOOST_TEST(!decode_route({RTM_NEWROUTE, 0, 0, octets_of(route)}));
  route.rtm_dst_len = 16;
  const Bytes wrong_size = concat({octets_of(route), attribute(RTA_DST, Bytes(16))});
  BOOST_TEST(!decode_route({RTM_NEWROUTE, 0, 0, wrong_size}));
  BOOST_TEST(!decode_route({RTM_NEWROUTE, 0, 0, Bytes(3)}));
}

BOOST_AUTO_TEST_SUITE_END()
