// SPDX-License-Identifier: Apache-2.0
#include "engine/explanations.h"

#include <boost/test/unit_test.hpp>

namespace svti::engine {

using model::Cause;
using model::Explanation;

namespace {

TimePoint at(int time) { return TimePoint(seconds(time)); }

Explanation failed(const std::string& vpn, const std::string& policy, Cause cause, int time) {
  Explanation out;
  out.vpn = vpn;
  out.policy = policy;
  out.cause = cause;
  out.at = at(time);
  out.authenticated = true;
  return out;
}

Explanation stranger(const std::string& address, Cause cause, int time) {
  Explanation out = failed({}, {}, cause, time);
  out.authenticated = false;
  out.remote = {IpAddress::parse(address).value(), 500};
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_last_of_the_ike_sa_and_of_each_policy_is_kept_newest_first) {
  Explanations all;
  all.record(failed("hq", "", Cause::NoAnswer, 1));
  all.record(failed("hq", "net", Cause::TrafficSelectors, 5));
  all.record(failed("hq", "voice", Cause::ChildProposal, 3));
  all.record(failed("hq", "", Cause::WrongKey, 2));
  all.record(failed("lab", "", Cause::Kernel, 9));
  const auto out = all.of("hq", at(15));
  BOOST_TEST_REQUIRE(out.size() == 3U);
  BOOST_TEST((out[0].cause == Cause::TrafficSelectors));
  BOOST_TEST(out[0].age.count() == 10);
  BOOST_TEST((out[1].cause == Cause::ChildProposal));
  BOOST_TEST((out[2].cause == Cause::WrongKey));
  BOOST_TEST(all.of("nowhere", at(15)).empty());
}

BOOST_AUTO_TEST_CASE(what_an_unauthenticated_peer_does_pushes_nothing_of_the_real_one_out) {
  Explanations all;
  Explanation up = failed("hq", "", Cause::None, 1);
  up.succeeded = true;
  all.record(up);
  Explanation forged = failed("hq", "", Cause::IkeProposal, 2);
  forged.authenticated = false;
  all.record(forged);
  all.record(forged);
  BOOST_TEST_REQUIRE(all.of("hq", at(3)).size() == 2U);
  BOOST_TEST(!all.of("hq", at(3))[0].authenticated);
  BOOST_TEST(all.of("hq", at(3))[1].succeeded);
  // once it works again the refusal does not matter any more
  up.at = at(4);
  all.record(up);
  BOOST_TEST(all.of("hq", at(5)).size() == 1U);
}

BOOST_AUTO_TEST_CASE(strangers_are_a_bounded_number_and_the_same_one_counts_once) {
  Explanations all;
  for (int i = 0; i < 200; ++i) all.record(stranger("203.0.113." + std::to_string(i % 250), Cause::NoVpn, i));
  BOOST_TEST(all.strangers(at(200)).size() == model::kMaxStrangers);
  BOOST_TEST(all.strangers(at(200))[0].remote.address.to_string() == "203.0.113.199");
  for (int i = 0; i < 5; ++i) all.record(stranger("198.51.100.1", Cause::NoVpn, 200 + i));
  const auto out = all.strangers(at(210));
  BOOST_TEST(out.size() == model::kMaxStrangers);
  BOOST_TEST(out[0].repeated == 4U);
  BOOST_TEST(out[1].remote.address.to_string() == "203.0.113.199");
}

BOOST_AUTO_TEST_CASE(what_is_not_configured_any_more_is_forgotten) {
  Explanations all;
  all.record(failed("hq", "", Cause::NoAnswer, 1));
  all.record(failed("hq", "gone", Cause::TrafficSelectors, 1));
  all.record(failed("lab", "", Cause::NoAnswer, 1));
  model::Configuration configuration;
  auto hq = std::make_shared<model::Vpn>();
  configuration.vpns["hq"] = hq;
  all.keep_only(configuration);
  BOOST_TEST(all.of("hq", at(1)).size() == 1U);
  BOOST_TEST(all.of("lab", at(1)).empty());
}

}  // namespace svti::engine
