// SPDX-License-Identifier: Apache-2.0
// REDIRECT and REDIRECTED_FROM (RFC 5685 7.2, 7.3).
#include "wire/redirect.h"

#include <boost/test/unit_test.hpp>

#include "unit/wire/support.h"

using namespace svti;
using namespace svti::wire;

BOOST_AUTO_TEST_SUITE(redirect)

BOOST_AUTO_TEST_CASE(gateways_by_address_and_by_name) {
  const Bytes nonce(32, 0xab);
  struct Case {
    const char* gateway;
    const char* octets;
  };
  for (const Case& one : {Case{"192.0.2.3", "01 04 c0000203"}, Case{"2001:db8::3", "02 10 20010db8000000000000000000000003"},
                          Case{"gw2.example.org", "03 0f 6777322e6578616d706c652e6f7267"}}) {
    const auto gateway = GatewayIdentity::parse(one.gateway).value();
    BOOST_TEST(gateway.to_string() == one.gateway);
    BOOST_TEST((encode_redirect(gateway) == hex(one.octets)));
    const Bytes with_nonce = encode_redirect(gateway, nonce);
    BOOST_TEST((with_nonce == concat({hex(one.octets), nonce})));
    const auto parsed = parse_redirect(with_nonce);
    BOOST_TEST_REQUIRE(parsed.has_value());
    BOOST_TEST((parsed->gateway == gateway));
    BOOST_TEST((parsed->nonce == nonce));
    BOOST_TEST(parse_redirect(encode_redirect(gateway))->nonce.empty());
    for (std::size_t size = 0; size < hex(one.octets).size(); ++size)
      BOOST_TEST(!parse_redirect(ByteView(with_nonce).first(size)).has_value());
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_gateway_is_refused) {
  for (const char* octets :
       {"00 04 c0000203", "04 04 c0000203", "01 03 c00002", "01 05 c000020300", "01 10 20010db8000000000000000000000003", "02 04 c0000203",
        "03 00", "03 02 6100", "03 02 610a", "03 02 2e61", "03 03 612062", "03 01 ff"})
    BOOST_TEST(!parse_redirect(hex(octets)).has_value(), octets);
  for (const char* text : {"", " ", "192.0.2", "192.0.2.300", "1234", "a b", "-a", ".a", "fe80::1%eth0", "a_b", "http://a"})
    BOOST_TEST(!GatewayIdentity::parse(text).has_value(), text);
  BOOST_TEST(!GatewayIdentity::parse(std::string(256, 'a')).has_value());
  BOOST_TEST(GatewayIdentity::parse(std::string(255, 'a')).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
