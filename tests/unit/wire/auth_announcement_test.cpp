// SPDX-License-Identifier: Apache-2.0
#include "wire/auth_announcement.h"

#include <boost/test/unit_test.hpp>

using namespace svti;
using namespace svti::wire;

BOOST_AUTO_TEST_SUITE(auth_announcement)

// RFC 9593 3.2.1 to 3.2.3
BOOST_AUTO_TEST_CASE(announcements_have_two_three_or_more_octets) {
  const std::vector<AuthAnnouncement> all = {
      {AuthMethod::SharedKeyMic, 0, {}}, {AuthMethod::EcdsaP256, 2, {}}, {AuthMethod::DigitalSignature, 0, *from_hex("300506032b6570")}};
  const Bytes data = encode_auth_announcements(all);
  BOOST_TEST(to_hex(data) ==
             "0202"
             "030902"
             "0a0e00300506032b6570");
  const auto read = parse_auth_announcements(data);
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST((*read == all));
  BOOST_TEST(parse_auth_announcements({})->empty());
}

BOOST_AUTO_TEST_CASE(methods_that_are_not_known_are_read_over_and_lengths_that_cannot_be_refused) {
  const auto read =
      parse_auth_announcements(*from_hex("02ff"
                                         "04ee0107"
                                         "0202"));
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST(read->size() == 3U);
  for (const char* wrong : {"00", "01", "02", "0302", "0202ff0e", "020e", "030e00", "0102", "0002"}) {
    const auto refused = parse_auth_announcements(*from_hex(wrong));
    BOOST_TEST_CONTEXT(wrong) {
      BOOST_TEST_REQUIRE(!refused.has_value());
      BOOST_CHECK(refused.error().fault == Fault::Peer);
    }
  }
  Bytes many;
  for (int i = 0; i < 256; ++i) many.insert(many.end(), {2, 2});
  BOOST_TEST(!parse_auth_announcements(many).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
