// SPDX-License-Identifier: Apache-2.0
// Postquantum preshared keys: RFC 8784.
#include "auth/ppk.h"

#include <boost/test/unit_test.hpp>

#include "sim/pair.h"
#include "sim/world/scripted_peer.h"

using namespace svti;
using namespace svti::sim;
using model::Cause;
using sa::Notice;
using wire::ExchangeType;
using wire::NotifyType;

namespace {

struct End {
  std::string_view ppk_id = {};  // empty: none
  bool required = false;
  std::string_view has = {};  // "id secret"; empty: none
};

ConfigurationParts end_parts(model::Vpn vpn, const End& end) {
  if (!end.ppk_id.empty()) vpn.ike.ppk_id = identity(end.ppk_id);
  vpn.ike.ppk_required = end.required;
  ConfigurationParts out{.vpns = {std::move(vpn)}};
  if (const std::size_t space = end.has.find(' '); space != std::string_view::npos)
    out.ppks = {{end.has.substr(0, space), end.has.substr(space + 1)}};
  return out;
}

constexpr std::string_view kKey = "quantum.example 0123456789abcdef0123456789abcdef";
constexpr std::string_view kOtherSecret = "quantum.example another";
constexpr std::string_view kId = "quantum.example";

struct PpkPair : Pair {
  PpkPair(const End& ours, const End& theirs) : Pair(end_parts(left_vpn(), ours), end_parts(right_vpn(), theirs)) {}
  void try_to_connect() {
    BOOST_TEST_REQUIRE(left.initiate("right").has_value());
    world.run_for(seconds(40));
  }
  void check_up(bool with_ppk) {
    connect();
    check_one_pair();
    BOOST_TEST(left.ike_sas()[0].ppk == with_ppk);
    BOOST_TEST(right.ike_sas()[0].ppk == with_ppk);
    // what is derived from SK_d afterwards
    BOOST_TEST(right.rekey("left", "net").has_value());
    world.run_for(seconds(10));
    check_one_pair();
    BOOST_TEST(right.rekey("left").has_value());
    world.run_for(seconds(20));
    check_one_pair();
    BOOST_TEST(left.ike_sas()[0].ppk == with_ppk);
    BOOST_TEST(left.rekey("right", "net").has_value());
    world.run_for(seconds(10));
    check_one_pair();
  }
  void check_down(Node& node, std::string_view reason) {
    try_to_connect();
    BOOST_TEST(left.count(Notice::Kind::IkeUp) == 0U);
    BOOST_TEST_REQUIRE(!node.explanations().empty());
    const model::Explanation& why = node.explanations().back();
    BOOST_CHECK(why.cause == Cause::NoPpk);
    BOOST_TEST(why.reason.find(reason) != std::string::npos, why.reason);
    BOOST_TEST(!why.advice.text.empty());
    world.run_for(seconds(200));
    check_nothing_left();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ppk)

// IKE_SA_INIT { SA, KE, Ni, N(USE_PPK) } --> <-- { SA, KE, Nr, N(USE_PPK) }
// IKE_AUTH { IDi, AUTH, N(PPK_IDENTITY), [N(NO_PPK_AUTH)], ... } --> <-- { IDr, AUTH, N(PPK_IDENTITY), ... }
BOOST_AUTO_TEST_CASE(both_ends_have_it_required_or_not) {
  for (const bool left_requires : {false, true}) {
    for (const bool right_requires : {false, true}) {
      for (const std::string_view right_id : {std::string_view(), kId}) {
        PpkPair pair({kId, left_requires, kKey}, {right_id, right_requires, kKey});
        pair.check_up(true);
        BOOST_TEST(pair.right.logged("{ IDi AUTH N(PPK_IDENTITY) N(NO_PPK_AUTH)") == !left_requires);
        BOOST_TEST(pair.left.logged("{ IDr AUTH N(PPK_IDENTITY)"));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(an_end_without_it_is_met_without_where_it_is_not_required) {
  PpkPair(End{kId, false, kKey}, End{}).check_up(false);                              // the peer knows nothing of PPKs
  PpkPair(End{}, End{kId, false, kKey}).check_up(false);                              // nor does ours
  PpkPair(End{kId, false, kKey}, End{{}, false, "other.example x"}).check_up(false);  // NO_PPK_AUTH counts
  PpkPair(End{kId, false, kKey}, End{"other.example", false, kKey}).check_up(false);  // it is there, and not for this peer
  PpkPair(End{kId, false, "other.example x"}, End{{}, false, kKey}).check_up(false);  // a ppk-id of a key that is not there
}

BOOST_AUTO_TEST_CASE(an_end_without_it_is_refused_where_it_is_required) {
  const auto check = [](const End& ours, const End& theirs, bool at_left, std::string_view reason) {
    BOOST_TEST_CONTEXT(reason) {
      PpkPair pair(ours, theirs);
      pair.check_down(at_left ? pair.left : pair.right, reason);
    }
  };
  check({kId, true, kKey}, {}, true, "the peer uses no postquantum preshared keys");
  check({kId, true, {}}, {kId, true, kKey}, true, "there is no ppk with the id quantum.example");
  check({{}, true, kKey}, {kId, true, kKey}, true, "ppk-required is set, and no ppk-id");
  check({}, {kId, true, kKey}, false, "it uses no postquantum preshared key");
  check({}, {kId, true, {}}, false, "it uses no postquantum preshared key");
  check({kId, true, kKey}, {{}, false, "other.example x"}, false, "it uses the PPK quantum.example, which is not here, and does not go on");
  check({kId, false, kKey}, {{}, true, "other.example x"}, false, "it uses the PPK quantum.example, which is not here, and ppk-required");
  check({kId, true, kKey}, {"other.example", true, kKey}, false, "it uses the PPK quantum.example, which is not the ppk-id");
}

BOOST_AUTO_TEST_CASE(the_explanation_shows_the_keys_there_are_and_names_the_one_that_is_missing) {
  PpkPair pair({kId, true, kKey}, {{}, false, "other.example x"});
  pair.try_to_connect();
  const model::Explanation& why = pair.right.explanations().back();
  BOOST_TEST(why.advice.leaf == "ppk");
  BOOST_TEST(why.advice.text.find("quantum.example") != std::string::npos);
  BOOST_TEST(why.tables.back().title == "postquantum preshared keys");
  BOOST_TEST(why.tables.back().rows.at(0).ours == "other.example");
}

BOOST_AUTO_TEST_CASE(another_secret_under_the_same_id_fails_to_authenticate) {
  for (const bool required : {false, true}) {
    PpkPair pair({kId, required, kKey}, {kId, required, kOtherSecret});
    pair.try_to_connect();
    BOOST_TEST(pair.left.count(Notice::Kind::IkeUp) == 0U);
    BOOST_TEST(pair.right.count(Notice::Kind::IkeUp) == 0U);
    pair.world.run_for(seconds(200));
    pair.check_nothing_left();
  }
}

BOOST_AUTO_TEST_CASE(messages_may_be_lost_or_come_twice) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    ConfigurationParts ours = end_parts(left_vpn(), {kId, seed % 2 == 0, kKey});
    ours.vpns[0].ike.keying_tries = 0;
    Pair pair(std::move(ours), end_parts(right_vpn(), {kId, true, kKey}), seed);
    pair.world.weather = {.loss = 0.15, .duplication = 0.3, .least_delay = milliseconds(1), .most_delay = milliseconds(400)};
    BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
    BOOST_TEST(
        pair.world.run_until([&] { return pair.left.child_sas().size() == 1 && pair.right.child_sas().size() == 1; }, seconds(1200)));
    pair.world.weather = {};
    pair.world.run_for(seconds(60));
    pair.check_one_pair();
    BOOST_TEST(pair.left.ike_sas()[0].ppk);
  }
}

// A peer that names a PPK without USE_PPK, or in a form that is none: what it says is not believed, and nothing is there afterwards.
BOOST_AUTO_TEST_CASE(hostile_ppk_identities_are_refused) {
  const Bytes identities[] = {
      {}, {2}, {1, 'x'}, {0, 'q'}, Bytes(60000, 2), auth::encode_ppk_identity(as_bytes(std::string_view("nobody")))};
  for (const bool said : {false, true}) {
    for (const Bytes& identity_data : identities) {
      for (const Bytes& no_ppk_auth : {Bytes{}, Bytes(32, 7), Bytes(5000, 7)}) {
        World world(3);
        Node& responder = world.add("right", address(kRight), configuration(end_parts(right_vpn(), {{}, true, kKey})));
        ScriptedPeer peer(world.chance(), {address(kLeft), 500}, {address(kRight), 500});
        auto offered = peer.init_payloads();
        if (said) offered.push_back(wire::NotifyPayload{NotifyType::UsePpk, wire::ProtocolId::None, {}, {}});
        const auto answers = responder.inject(peer.init(offered));
        BOOST_TEST_REQUIRE(answers.size() == 1U);
        BOOST_TEST(has_notify(wire::parse_message(answers[0].payload)->payloads, NotifyType::UsePpk) == said);
        BOOST_TEST_REQUIRE(peer.accept_init(answers[0].payload));
        auto payloads = peer.auth_payloads();
        payloads.push_back(wire::NotifyPayload{NotifyType::PpkIdentity, wire::ProtocolId::None, {}, identity_data});
        payloads.push_back(wire::NotifyPayload{NotifyType::NoPpkAuth, wire::ProtocolId::None, {}, no_ppk_auth});
        const auto auth = peer.open(responder.inject(peer.request(ExchangeType::IkeAuth, payloads)).at(0).payload);
        BOOST_TEST_REQUIRE(auth.has_value());
        BOOST_TEST(has_notify(*auth, NotifyType::AuthenticationFailed));
        BOOST_TEST(responder.ike_sas().empty());
        BOOST_TEST(responder.kernel().sad().empty());
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
