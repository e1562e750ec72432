// SPDX-License-Identifier: Apache-2.0
// What a Configuration payload says (RFC 7296 3.15).
#include "wire/configuration.h"

#include <boost/test/unit_test.hpp>

#include "support.h"

using namespace svti;
using namespace svti::wire;

namespace {

Result<Configuration> read(std::string_view digits) {
  const auto payloads = parse_one(PayloadType::Configuration, hex(digits));
  if (!payloads) return fail(payloads.error());
  return read_configuration(std::get<ConfigPayload>(payloads->front()));
}

std::string octets_of(const ConfigPayload& payload) { return to_hex(ByteView(encode_payloads({payload})).subspan(kGenericHeaderSize)); }

}  // namespace

BOOST_AUTO_TEST_CASE(attributes_of_all_kinds_are_read) {
  const auto all = read(
      "02 000000"
      "0001 0004 c0a86301"                             // INTERNAL_IP4_ADDRESS
      "0002 0004 ffffff00"                             // INTERNAL_IP4_NETMASK
      "0003 0004 c0a80363"                             // INTERNAL_IP4_DNS, twice
      "0003 0004 c0a80364"                             //
      "0004 0004 c0a80365"                             // INTERNAL_IP4_NBNS
      "0006 0004 c0a80366"                             // INTERNAL_IP4_DHCP
      "0007 0005 73766e6931"                           // APPLICATION_VERSION
      "0008 0011 20010db8000000000000000000000005 40"  // INTERNAL_IP6_ADDRESS
      "000a 0010 20010db8000000000000000000000053"     // INTERNAL_IP6_DNS
      "000c 0010 20010db8000000000000000000000054"     // INTERNAL_IP6_DHCP
      "000d 0008 c0a80000 ffff0000"                    // INTERNAL_IP4_SUBNET
      "000e 0004 0001 0008"                            // SUPPORTED_ATTRIBUTES
      "000f 0011 20010db8000100000000000000000000 30"  // INTERNAL_IP6_SUBNET
      "4001 0003 aabbcc"                               // of private use
      "0019 0007 6578616d706c65");                     // INTERNAL_DNS_DOMAIN (RFC 8598)
  BOOST_TEST_REQUIRE(all.has_value());
  BOOST_CHECK((all->addresses == std::vector{address("192.168.99.1"), address("2001:db8::5")}));
  BOOST_CHECK(all->netmask == address("255.255.255.0"));
  BOOST_CHECK((all->dns == std::vector{address("192.168.3.99"), address("192.168.3.100"), address("2001:db8::53")}));
  BOOST_CHECK((all->nbns == std::vector{address("192.168.3.101")}));
  BOOST_CHECK((all->dhcp == std::vector{address("192.168.3.102"), address("2001:db8::54")}));
  BOOST_CHECK((all->subnets == std::vector{prefix("192.168.0.0/16"), prefix("2001:db8:1::/48")}));
  BOOST_TEST(all->asks_version);
  BOOST_TEST(!all->asks_supported);  // it tells them
}

// Out of the logs (enc = 3) of two charons, 5.9.8 of Debian 12: one asks with `vips = 0.0.0.0, ::`, the other has pools 192.168.99.0/24 and
// 2001:db8:99::/64 with dns, nbns, dhcp and subnet.
BOOST_AUTO_TEST_CASE(strongswans_request_and_reply) {
  const auto asked = read("01000000 00010000 00080000");
  BOOST_TEST_REQUIRE(asked.has_value());
  BOOST_CHECK((asked->addresses == std::vector{IpAddress::any(IpFamily::V4), IpAddress::any(IpFamily::V6)}));
  BOOST_TEST(asked->dns.empty());
  const auto told = read(
      "02000000 00010004C0A86301 0008001120010DB800990000000000000000000140 00030004C0A80363 000A001020010DB8000000000000000000000053"
      "00040004C0A80362 00060004C0A80361 000D00080A020000FFFFFF00");
  BOOST_TEST_REQUIRE(told.has_value());
  BOOST_CHECK((told->addresses == std::vector{address("192.168.99.1"), address("2001:db8:99::1")}));
  BOOST_CHECK((told->dns == std::vector{address("192.168.3.99"), address("2001:db8::53")}));
  BOOST_CHECK((told->nbns == std::vector{address("192.168.3.98")}));
  BOOST_CHECK((told->dhcp == std::vector{address("192.168.3.97")}));
  BOOST_CHECK((told->subnets == std::vector{prefix("10.2.0.0/24")}));
}

BOOST_AUTO_TEST_CASE(values_of_a_wrong_length_are_refused) {
  struct Rule {
    unsigned type;
    std::vector<std::size_t> right;
  };
  const std::vector<Rule> rules = {{1, {0, 4}},   {2, {0, 4}},   {3, {0, 4}},  {4, {0, 4}},         {6, {0, 4}},  {8, {0, 17}},
                                   {10, {0, 16}}, {12, {0, 16}}, {13, {0, 8}}, {14, {0, 2, 4, 16}}, {15, {0, 17}}};
  for (const Rule& rule : rules) {
    for (std::size_t size = 0; size <= 20; ++size) {
      Writer body;
      body.u32(0x01000000);
      body.u16(static_cast<std::uint16_t>(rule.type));
      body.u16(static_cast<std::uint16_t>(size));
      body.zeros(size);
      const bool right = std::find(rule.right.begin(), rule.right.end(), size) != rule.right.end() || (rule.type == 14 && size % 2 == 0);
      BOOST_TEST(parse_one(PayloadType::Configuration, body.view()).has_value() == right, rule.type << " with " << size << " octets");
    }
  }
  // RFC 7296 3.15: what is not known may be as long as it likes
  BOOST_TEST(read("01 000000 7fff 0003 aabbcc").has_value());
}

BOOST_AUTO_TEST_CASE(prefixes_and_netmasks_that_are_none_are_refused) {
  BOOST_TEST(!read("02 000000 0008 0011 20010db8000000000000000000000005 81").has_value());
  BOOST_TEST(!read("02 000000 000f 0011 20010db8000000000000000000000005 ff").has_value());
  BOOST_TEST(!read("02 000000 0002 0004 ff00ff00").has_value());
  BOOST_TEST(!read("02 000000 000d 0008 0a000000 00ffffff").has_value());
  BOOST_TEST(read("02 000000 000d 0008 0a000000 00000000").value().subnets.at(0).to_string() == "0.0.0.0/0");
}

BOOST_AUTO_TEST_CASE(the_number_of_attributes_is_bounded) {
  Writer body;
  body.u32(0x01000000);
  for (std::size_t i = 0; i < kMaxConfigAttributes; ++i) body.u32(0x00010000);
  BOOST_TEST(parse_one(PayloadType::Configuration, body.view()).has_value());
  body.u32(0x00010000);
  BOOST_TEST(refused(parse_one(PayloadType::Configuration, body.view())));
}

BOOST_AUTO_TEST_CASE(a_request_asks_with_empty_values) {
  BOOST_TEST(octets_of(request_configuration({IpAddress::any(IpFamily::V4)})) ==
             "01000000"
             "00010000"
             "00030000"
             "00040000"
             "00060000"
             "000d0000");
  BOOST_TEST(octets_of(request_configuration({address("2001:db8::5")})) ==
             "01000000"
             "0008001120010db800000000000000000000000580"
             "000a0000"
             "000c0000"
             "000f0000");
}

BOOST_AUTO_TEST_CASE(a_reply_tells_what_there_is) {
  Configuration reply;
  reply.addresses = {address("192.168.99.1")};
  reply.dns = {address("192.168.3.99"), address("2001:db8::53")};
  reply.nbns = {address("192.168.3.98"), address("2001:db8::54")};  // the latter has no attribute
  reply.dhcp = {address("192.168.3.97")};
  reply.subnets = {prefix("10.0.0.0/9")};
  reply.asks_version = true;
  const std::string octets = octets_of(write_configuration(ConfigType::Reply, reply));
  BOOST_TEST(octets ==
             "02000000"
             "00010004c0a86301"
             "00030004c0a80363"
             "000a001020010db8000000000000000000000053"
             "00040004c0a80362"
             "00060004c0a80361"
             "000d00080a000000ff800000"
             "00070000");
  const auto again = read(octets);
  BOOST_TEST_REQUIRE(again.has_value());
  reply.nbns.pop_back();
  BOOST_CHECK(*again == reply);
}
