// SPDX-License-Identifier: Apache-2.0
// IKE SAs that begin without a CHILD SA: RFC 6023.
#include <boost/test/unit_test.hpp>

#include "sim/pair.h"
#include "sim/world/scripted_peer.h"

using namespace svti;
using namespace svti::sim;
using model::Childless;
using sa::Notice;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;

namespace {

Change childless(Childless value, std::string esp = std::string(kCheapEsp)) {
  return [=](model::Vpn& vpn) {
    vpn.ike.childless = value;
    vpn.ipsec.esp_proposals = {esp_proposal(esp)};
  };
}

void record(World& world, std::vector<std::string>& into) {
  world.lose = [&into](const Node&, const wire::Header& header, const model::Datagram&) {
    into.push_back(wire::to_string(header.exchange) + (header.response ? " response" : " request"));
    return false;
  };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(childless_ike_sa)

// IKE_AUTH { IDi, AUTH } --> <-- { IDr, AUTH };  CREATE_CHILD_SA { SA, Ni, KEi, TSi, TSr } --> <-- { SA, Nr, KEr, TSi, TSr }
BOOST_AUTO_TEST_CASE(the_first_child_sa_has_a_key_exchange_of_its_own) {
  for (const Childless ours : {Childless::Prefer, Childless::Force}) {
    for (const Childless theirs : {Childless::Allow, Childless::Force}) {
      BOOST_TEST_CONTEXT(name_of(ours) << ", " << name_of(theirs)) {
        Pair pair(childless(ours, "aes128-gcm-128/ecp256"), childless(theirs, "aes128-gcm-128/ecp256"));
        std::vector<std::string> exchanges;
        record(pair.world, exchanges);
        pair.connect();
        const std::vector<std::string> expected = {"IKE_SA_INIT request", "IKE_SA_INIT response",    "IKE_AUTH request",
                                                   "IKE_AUTH response",   "CREATE_CHILD_SA request", "CREATE_CHILD_SA response"};
        BOOST_TEST(exchanges == expected, boost::test_tools::per_element());
        BOOST_TEST(pair.right.logged("received IKE_AUTH request 1 { IDi AUTH N(QCD_TOKEN) N(INITIAL_CONTACT) N(SUPPORTED_AUTH_METHODS) }"));
        BOOST_TEST(pair.left.logged("received IKE_AUTH response 1 { IDr AUTH N(QCD_TOKEN) }"));
        BOOST_TEST(pair.right.logged("received CREATE_CHILD_SA request 2 { SA Ni KEi TSi TSr }"));
        pair.check_one_pair();
        BOOST_TEST(pair.right.rekey("left", "net").has_value());
        BOOST_TEST(pair.right.rekey("left").has_value());
        pair.world.run_for(seconds(20));
        pair.check_one_pair();
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(all_policies_that_are_wanted_come_one_after_the_other) {
  const auto two = [](model::Vpn& vpn, std::string_view local, std::string_view remote) {
    vpn.ike.childless = Childless::Prefer;
    vpn.policies.push_back(security_policy("second", local, remote));
  };
  Pair pair([&](model::Vpn& vpn) { two(vpn, "10.3.0.0/24", "10.4.0.0/24"); },
            [&](model::Vpn& vpn) { two(vpn, "10.4.0.0/24", "10.3.0.0/24"); });
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(1));
  BOOST_TEST(pair.left.child_sas().size() == 2U);
  BOOST_TEST(pair.right.child_sas().size() == 2U);
}

BOOST_AUTO_TEST_CASE(prefer_does_without_where_the_peer_never_does_and_force_gives_up) {
  {
    Pair pair(childless(Childless::Prefer), childless(Childless::Never));
    pair.connect();
    BOOST_TEST(
        pair.right.logged("received IKE_AUTH request 1 { IDi AUTH N(QCD_TOKEN) N(INITIAL_CONTACT) SA TSi TSr N(SUPPORTED_AUTH_METHODS) }"));
    pair.check_one_pair();
  }
  Pair pair(childless(Childless::Force), childless(Childless::Never));
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(40));
  BOOST_TEST(pair.left.count(Notice::Kind::IkeFailed) == 1U);
  BOOST_TEST(pair.left.explanations().back().advice.leaf == "vpn right ike-policy childless");
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(a_responder_that_forces_it_gives_no_child_sa_in_ike_auth) {
  Pair pair(childless(Childless::Allow), childless(Childless::Force));
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(1));
  BOOST_TEST(pair.left.core().ike_sas() == 1U);
  BOOST_TEST(pair.left.child_sas().empty());
  BOOST_TEST(pair.right.child_sas().empty());
  BOOST_TEST(pair.left.count(Notice::Kind::ChildFailed) == 1U);
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());  // on the IKE SA that stands it is allowed
  pair.world.run_for(seconds(1));
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(messages_may_be_lost_or_come_twice) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Pair pair([](model::Vpn& vpn) { vpn.ike.childless = Childless::Prefer, vpn.ike.keying_tries = 0; }, {}, {}, seed);
    pair.world.weather = {.loss = 0.15, .duplication = 0.3, .least_delay = milliseconds(1), .most_delay = milliseconds(400)};
    BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
    BOOST_TEST(pair.world.run_until([&] { return pair.left.child_sas().size() == 1 && pair.right.child_sas().size() == 1; }, seconds(1200)),
               "seed " << seed);
    pair.world.weather = {};
    pair.world.run_for(seconds(60));
    pair.check_one_pair();
  }
}

// A responder with `never`, and with `allow`: what a peer may leave out of IKE_AUTH, and what is then there
BOOST_AUTO_TEST_CASE(an_initiator_leaves_out_all_three_payloads_or_none) {
  for (const Childless value : {Childless::Allow, Childless::Never}) {
    for (const bool all : {true, false}) {
      BOOST_TEST_CONTEXT(name_of(value) << (all ? ", all" : ", only TSr")) {
        World world(3);
        model::Vpn vpn = right_vpn();
        vpn.ike.childless = value;
        Node& responder = world.add("right", address(kRight), configuration({.vpns = {vpn}}));
        ScriptedPeer peer(world.chance(), {address(kLeft), 500}, {address(kRight), 500});
        auto offered = peer.init_payloads();
        offered.push_back(wire::VendorIdPayload{Bytes(40, 1)});  // room for the announcement
        const auto answers = responder.inject(peer.init(offered));
        BOOST_TEST_REQUIRE(answers.size() == 1U);
        const auto init = wire::parse_message(answers[0].payload);
        BOOST_TEST(has_notify(init->payloads, NotifyType::ChildlessIkev2Supported) == (value == Childless::Allow));
        BOOST_TEST_REQUIRE(peer.accept_init(answers[0].payload));
        auto payloads = peer.auth_payloads();
        std::erase_if(payloads, [&](const wire::Payload& payload) {
          const PayloadType type = wire::type_of(payload);
          return type == PayloadType::TsResponder ||
                 (all && (type == PayloadType::SecurityAssociation || type == PayloadType::TsInitiator));
        });
        const auto auth = peer.open(responder.inject(peer.request(ExchangeType::IkeAuth, payloads)).at(0).payload);
        BOOST_TEST_REQUIRE(auth.has_value());
        BOOST_TEST(responder.child_sas().empty());
        const bool refused = all && value == Childless::Never;
        BOOST_TEST(responder.ike_sas().size() == (refused ? 0U : 1U));
        BOOST_TEST(has_notify(*auth, NotifyType::InvalidSyntax) == refused);
        BOOST_TEST(has_notify(*auth, NotifyType::TsUnacceptable) == !all);
        for (const std::string& violation : world.violations()) BOOST_ERROR(violation);
      }
    }
  }
}

// an answer is never larger than what it answers: where nobody asks for it, it is left out rather than a cookie asked for
BOOST_AUTO_TEST_CASE(the_announcement_costs_no_cookie) {
  World world(3);
  Node& responder = world.add("right", address(kRight), configuration({.vpns = {right_vpn()}}));
  ScriptedPeer peer(world.chance(), {address(kLeft), 500}, {address(kRight), 500});
  const model::Datagram request = peer.init();
  const auto answers = responder.inject(request);
  BOOST_TEST_REQUIRE(answers.size() == 1U);
  BOOST_TEST(answers[0].payload.size() <= request.payload.size());
  const auto init = wire::parse_message(answers[0].payload);
  BOOST_TEST(!has_notify(init->payloads, NotifyType::Cookie));
  BOOST_TEST(!has_notify(init->payloads, NotifyType::ChildlessIkev2Supported));
}

BOOST_AUTO_TEST_SUITE_END()
