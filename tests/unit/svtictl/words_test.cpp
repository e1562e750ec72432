// SPDX-License-Identifier: Apache-2.0
#include "svtictl/words.h"

#include <linux/rtnetlink.h>

#include <boost/test/unit_test.hpp>

namespace svti::svtictl {
namespace {

BOOST_AUTO_TEST_SUITE(words)

BOOST_AUTO_TEST_CASE(an_svti_id_is_decimal_or_hexadecimal_and_never_zero) {
  BOOST_TEST(parse_svti_id("100").value() == 100U);
  BOOST_TEST(parse_svti_id("0x64").value() == 100U);
  BOOST_TEST(parse_svti_id("4294967295").value() == 4294967295U);
  BOOST_TEST(parse_svti_id("0xFFFFFFFF").value() == 4294967295U);
  for (const char* wrong : {"", "0", "0x0", "0x", "4294967296", "0x100000000", "-1", "+1", "010", "1 ", " 1", "1x", "x1", "1.0"}) {
    BOOST_TEST(!parse_svti_id(wrong), "accepted '" << wrong << "'");
  }
}

BOOST_AUTO_TEST_CASE(the_name_of_an_svti_begins_with_svti_and_fits_the_kernel) {
  BOOST_TEST(parse_svti_name("svti100").value() == "svti100");
  BOOST_TEST(parse_svti_name("svti-trusted-1").value() == "svti-trusted-1");
  BOOST_TEST(parse_svti_name("svti").value() == "svti");
  for (const char* wrong : {"", "tun0", "SVTI1", "svti/1", "svti 1", "svti:1", "svti12345678901x", "svt"}) {
    BOOST_TEST(!parse_svti_name(wrong), "accepted '" << wrong << "'");
  }
  BOOST_TEST(parse_svti_name("tun0").error().message == "'tun0' is no name for an SVTI: it must begin with 'svti'");
}

BOOST_AUTO_TEST_CASE(an_interface_address_keeps_its_host_bits) {
  const auto address = parse_interface_address("10.0.0.1/24");
  BOOST_REQUIRE(address);
  BOOST_TEST(address->address.to_string() == "10.0.0.1");
  BOOST_TEST(address->length == 24);
  BOOST_TEST(parse_interface_address("2001:db8::1").value().length == 128);
  for (const char* wrong : {"", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/24/1", "10.0.0/24", "::1/129", "::1/-1"}) {
    BOOST_TEST(!parse_interface_address(wrong), "accepted '" << wrong << "'");
  }
}

BOOST_AUTO_TEST_CASE(numbers_have_ranges) {
  BOOST_TEST(parse_mtu("68").value() == 68U);
  BOOST_TEST(parse_mtu("65535").value() == 65535U);
  BOOST_TEST(!parse_mtu("67"));
  BOOST_TEST(!parse_mtu("65536"));
  BOOST_TEST(!parse_table("0"));
  BOOST_TEST(parse_table("4294967295").value() == 4294967295U);
  BOOST_TEST(parse_u32("0").value() == 0U);
  BOOST_TEST(!parse_u32("4294967296"));
  BOOST_TEST(!parse_u32(""));
}

BOOST_AUTO_TEST_CASE(route_types_and_families_are_words) {
  BOOST_TEST(parse_route_type("throw").value() == RTN_THROW);
  BOOST_TEST(parse_route_type("unicast").value() == RTN_UNICAST);
  BOOST_TEST(!parse_route_type("local"));
  BOOST_TEST((parse_families("both").value() == std::vector{IpFamily::V4, IpFamily::V6}));
  BOOST_TEST((parse_families("ipv6").value() == std::vector{IpFamily::V6}));
  BOOST_TEST(!parse_families("inet"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace svti::svtictl
