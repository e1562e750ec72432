// SPDX-License-Identifier: Apache-2.0
#include "engine/expiry.h"

#include <boost/test/unit_test.hpp>

#include "support/pki.h"

using namespace svti;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(expiry)

BOOST_AUTO_TEST_CASE(what_expires_within_thirty_days_is_said_and_what_has_expired_too) {
  model::Configuration configuration;
  const test::Holder root = test::new_root("CN=root");
  configuration.certificates = {test::local_certificate("gw", test::issue(test::request("CN=gw"), root))};
  configuration.authorities = {test::authority("ca", root)};
  BOOST_TEST(engine::expiry_warnings(configuration, test::kToday).empty());
  const auto near = engine::expiry_warnings(configuration, test::kToday + 24h * 360);
  BOOST_TEST_REQUIRE(near.size() == 2U);
  BOOST_TEST(near.front().text == "certificate gw (CN=gw) expires on 2027-11-01, in 5 days: have it renewed");
  BOOST_TEST(near.front().level == 0);
  const auto over = engine::expiry_warnings(configuration, test::kToday + 24h * 366);
  BOOST_TEST(over.back().text == "certificate-authority ca (CN=root) expired on 2027-11-01: replace it");
  const auto early = engine::expiry_warnings(configuration, test::kToday - 24h * 3);
  BOOST_TEST(early.front().text == "certificate gw (CN=gw) is valid only from 2026-10-31: is the clock right?");
}

BOOST_AUTO_TEST_CASE(the_state_has_each_of_them) {
  model::Configuration configuration;
  const test::Holder root = test::new_root("CN=root");
  configuration.certificates = {test::local_certificate("gw", test::issue(test::request("CN=gw"), root))};
  configuration.authorities = {test::authority("ca", root)};
  const auto validity = [&](std::chrono::hours later) { return engine::certificate_states(configuration, test::kToday + later); };
  BOOST_TEST_REQUIRE(validity(0h).size() == 2U);
  BOOST_TEST(validity(0h)[0].name == "gw");
  BOOST_TEST(validity(0h)[1].authority);
  BOOST_CHECK(validity(0h)[0].validity == model::Validity::Valid);
  BOOST_CHECK(validity(24h * 360)[0].validity == model::Validity::ExpiresSoon);
  BOOST_CHECK(validity(24h * 366)[1].validity == model::Validity::Expired);
  BOOST_CHECK(validity(-24h * 3)[0].validity == model::Validity::NotYetValid);
}

BOOST_AUTO_TEST_SUITE_END()
