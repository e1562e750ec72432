// SPDX-License-Identifier: Apache-2.0
#include "base/ip.h"

#include <boost/test/unit_test.hpp>

using namespace svti;

BOOST_AUTO_TEST_SUITE(ip)

BOOST_AUTO_TEST_CASE(addresses_parse_and_print_in_the_canonical_form) {
  for (const auto& [text, canonical] :
       {std::pair{"192.0.2.1", "192.0.2.1"}, {"2001:DB8:0:0::1", "2001:db8::1"}, {"::", "::"}, {"0.0.0.0", "0.0.0.0"}}) {
    BOOST_TEST(IpAddress::parse(text)->to_string() == canonical);
  }
  for (const char* bad : {"", "192.0.2", "192.0.2.256", "192.0.2.1/24", "fe80::1%eth0", " 192.0.2.1"})
    BOOST_TEST(!IpAddress::parse(bad), bad);
  BOOST_TEST(!IpAddress::parse(std::string_view("192.0.2.1\0x", 11)));
}

BOOST_AUTO_TEST_CASE(prefixes_refuse_host_bits_and_impossible_lengths) {
  BOOST_TEST(Prefix::parse("10.1.0.0/16")->to_string() == "10.1.0.0/16");
  BOOST_TEST(Prefix::parse("10.1.2.3")->to_string() == "10.1.2.3/32");
  BOOST_TEST(Prefix::parse("2001:db8::/32")->last().to_string() == "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
  const auto host_bits = Prefix::parse("10.1.2.3/16");
  BOOST_REQUIRE(!host_bits);
  BOOST_TEST(host_bits.error().message.find("10.1.0.0/16") != std::string::npos);
  for (const char* bad : {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8 "}) BOOST_TEST(!Prefix::parse(bad), bad);
}

BOOST_AUTO_TEST_CASE(a_prefix_contains_what_shares_its_bits) {
  const Prefix net = *Prefix::parse("192.168.128.0/17");
  BOOST_TEST(net.contains(*IpAddress::parse("192.168.255.255")));
  BOOST_TEST(!net.contains(*IpAddress::parse("192.168.127.255")));
  BOOST_TEST(net.contains(*Prefix::parse("192.168.200.0/24")));
  BOOST_TEST(!net.contains(*Prefix::parse("192.168.0.0/16")));
  BOOST_TEST(!Prefix::any(IpFamily::V4).contains(*IpAddress::parse("::1")));
  BOOST_TEST(net.first().to_string() == "192.168.128.0");
  BOOST_TEST(net.last().to_string() == "192.168.255.255");
}

BOOST_AUTO_TEST_CASE(an_endpoint_prints_as_urls_do) {
  BOOST_TEST((Endpoint{*IpAddress::parse("192.0.2.1"), 500}).to_string() == "192.0.2.1:500");
  BOOST_TEST((Endpoint{*IpAddress::parse("2001:db8::1"), 4500}).to_string() == "[2001:db8::1]:4500");
}

BOOST_AUTO_TEST_SUITE_END()
