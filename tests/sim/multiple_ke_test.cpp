// SPDX-License-Identifier: Apache-2.0
// IKE_INTERMEDIATE and additional key exchanges: RFC 9242, RFC 9370.
#include <boost/test/unit_test.hpp>

#include "sim/pair.h"
#include "sim/world/scripted_peer.h"

using namespace svti;
using namespace svti::sim;
using sa::Notice;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;

namespace {

const std::string kIke = std::string(kCheapIke) + "/ke1_ecp256/ke3_ecp384";
const std::string kEsp = "aes128-gcm-128/curve25519/ke1_ecp256/ke2_ecp384";

Change proposes(std::string ike, std::string esp = std::string(kCheapEsp)) {
  return [=](model::Vpn& vpn) {
    vpn.ike.proposals = {ike_proposal(ike)};
    vpn.ipsec.esp_proposals = {esp_proposal(esp)};
  };
}

std::vector<std::string> recorded;
void record(World& world) {
  recorded.clear();
  world.lose = [](const Node&, const wire::Header& header, const model::Datagram&) {
    recorded.push_back(wire::to_string(header.exchange) + (header.response ? " response " : " request ") +
                       std::to_string(header.message_id));
    return false;
  };
}

std::size_t additional(const std::vector<wire::Transform>& transforms) {
  return static_cast<std::size_t>(
      std::count_if(transforms.begin(), transforms.end(), [](const auto& one) { return wire::is_additional_ke(one.type) && one.id != 0; }));
}

// a responder and a peer that says what it is told
struct Hostile {
  explicit Hostile(std::string_view proposal)
      : world(7),
        responder(world.add("right", address(kRight), configuration({.vpns = {vpn_for(proposal)}}))),
        peer(world.chance(), {address(kLeft), 500}, {address(kRight), 500}, proposal) {}
  ~Hostile() {
    for (const std::string& violation : world.violations()) BOOST_ERROR(violation);
  }
  static model::Vpn vpn_for(std::string_view proposal) {
    model::Vpn vpn = right_vpn();
    vpn.ike.proposals = {ike_proposal(proposal)};
    return vpn;
  }
  bool init(bool says_intermediate = true) {
    auto payloads = peer.init_payloads();
    if (says_intermediate)
      payloads.push_back(wire::NotifyPayload{NotifyType::IntermediateExchangeSupported, wire::ProtocolId::None, {}, {}});
    const auto answers = responder.inject(peer.init(payloads));
    return answers.size() == 1 && peer.accept_init(answers[0].payload);
  }
  std::optional<ScriptedPeer::Payloads> ask(ExchangeType exchange, const ScriptedPeer::Payloads& payloads, std::uint32_t id) {
    const auto answers = responder.inject(peer.request(exchange, payloads, id));
    return answers.empty() ? std::nullopt : peer.open(answers[0].payload);
  }
  void check_unauthenticated() {
    BOOST_TEST(responder.ike_sas().empty());
    BOOST_TEST(responder.kernel().sad().empty());
    world.run_for(seconds(60));
    BOOST_TEST(responder.core().ike_sas() == 0U);
  }
  World world;
  Node& responder;
  ScriptedPeer peer;
};

wire::KePayload ke_of(wire::KeGroup group, Entropy& entropy) {
  return {group, to_bytes(crypto::KeyExchange::create(group, entropy).value()->public_value())};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(multiple_key_exchanges)

// IKE_SA_INIT; IKE_INTERMEDIATE { KEi(1) } --> <-- { KEr(1) } for each; IKE_AUTH
BOOST_AUTO_TEST_CASE(each_additional_key_exchange_has_an_ike_intermediate_of_its_own) {
  Pair pair(proposes(kIke), proposes(kIke));
  record(pair.world);
  pair.connect();
  const std::vector<std::string> expected = {"IKE_SA_INIT request 0",       "IKE_SA_INIT response 0",     "IKE_INTERMEDIATE request 1",
                                             "IKE_INTERMEDIATE response 1", "IKE_INTERMEDIATE request 2", "IKE_INTERMEDIATE response 2",
                                             "IKE_AUTH request 3",          "IKE_AUTH response 3"};
  BOOST_TEST(recorded == expected, boost::test_tools::per_element());
  BOOST_TEST(additional(pair.left.ike_sas()[0].transforms) == 2U);
  pair.check_one_pair();
}

// CREATE_CHILD_SA { SA, Ni, KEi, TSi, TSr } --> <-- { SA, Nr, KEr, TSi, TSr, N(ADDITIONAL_KEY_EXCHANGE) };
// IKE_FOLLOWUP_KE { KEi(1), N(ADDITIONAL_KEY_EXCHANGE) } --> <-- { KEr(1), N(ADDITIONAL_KEY_EXCHANGE) }; the last answer without
BOOST_AUTO_TEST_CASE(both_kinds_of_rekey_go_on_with_ike_followup_ke_from_either_end) {
  Pair pair(proposes(kIke, kEsp), proposes(kIke, kEsp));
  pair.connect();
  BOOST_TEST(additional(pair.left.child_sas()[0].transforms) == 0U);  // of IKE_AUTH: derived from the IKE SA
  for (Node* rekeyer : {&pair.left, &pair.right}) {
    const std::string vpn = rekeyer == &pair.left ? "right" : "left";
    record(pair.world);
    BOOST_TEST(rekeyer->rekey(vpn, "net").has_value());
    pair.world.run_for(seconds(20));
    BOOST_TEST(std::count_if(recorded.begin(), recorded.end(), [](const auto& one) { return one.starts_with("IKE_FOLLOWUP_KE"); }) == 4);
    pair.check_one_pair();
    BOOST_TEST(additional(pair.left.child_sas()[0].transforms) == 2U);
    record(pair.world);
    const auto before = pair.left.ike_sas()[0].initiator_spi;
    BOOST_TEST(rekeyer->rekey(vpn).has_value());
    pair.world.run_for(seconds(20));
    BOOST_TEST(std::count_if(recorded.begin(), recorded.end(), [](const auto& one) { return one.starts_with("IKE_FOLLOWUP_KE"); }) == 4);
    BOOST_TEST(pair.left.ike_sas()[0].initiator_spi != before);
    pair.check_one_pair();
  }
  BOOST_TEST(pair.right.logged("KEi N(ADDITIONAL_KEY_EXCHANGE) }"));
}

BOOST_AUTO_TEST_CASE(a_new_child_sa_and_a_childless_beginning_have_them_too) {
  const auto childless = [](model::Vpn& vpn) {
    proposes(kIke, kEsp)(vpn);
    vpn.ike.childless = model::Childless::Prefer;
  };
  Pair pair(childless, childless);
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(2));
  pair.check_one_pair();
  BOOST_TEST(additional(pair.left.child_sas()[0].transforms) == 2U);
}

BOOST_AUTO_TEST_CASE(what_may_be_left_out_is_left_out_with_a_peer_that_does_not_do_it) {
  const std::string optional = std::string(kCheapIke) + "/ke1_ecp256,ke1_none";
  for (const bool left_has : {true, false}) {
    Pair pair(proposes(left_has ? optional : std::string(kCheapIke)), proposes(left_has ? std::string(kCheapIke) : optional));
    pair.connect();
    pair.check_one_pair();
    BOOST_TEST(additional(pair.left.ike_sas()[0].transforms) == 0U);
  }
  Pair both(proposes(optional), proposes(optional));
  both.connect();
  both.check_one_pair();
  BOOST_TEST(additional(both.left.ike_sas()[0].transforms) == 1U);
  Pair refused(proposes(std::string(kCheapIke) + "/ke1_ecp256"), proposes(std::string(kCheapIke)));
  BOOST_TEST_REQUIRE(refused.left.initiate("right").has_value());
  refused.world.run_for(seconds(40));
  BOOST_TEST(refused.left.count(Notice::Kind::IkeFailed) == 1U);
  BOOST_TEST(refused.right.explanations().back().reason.find("ke1_ecp256") != std::string::npos,
             refused.right.explanations().back().reason);
  refused.check_nothing_left();
}

// RFC 9370 2.2.1
BOOST_AUTO_TEST_CASE(no_method_is_used_twice) {
  const std::string same = std::string(kCheapIke) + "/ke1_curve25519,ke1_ecp256/ke2_ecp256,ke2_ecp384,ke2_none";
  Pair pair(proposes(same), proposes(same));
  pair.connect();
  std::set<std::uint16_t> ids;
  std::size_t count = 0;
  const auto transforms = pair.left.ike_sas()[0].transforms;
  for (const auto& one : transforms) {
    if (one.type != wire::TransformType::KeyExchange && !wire::is_additional_ke(one.type)) continue;
    ids.insert(one.id);
    ++count;
  }
  BOOST_TEST(count == 3U);
  BOOST_TEST(ids.size() == 3U);
}

BOOST_AUTO_TEST_CASE(seven_of_them_go_through_in_fragments_too) {
  const std::string seven =
      std::string(kCheapIke) + "/ke1_modp2048/ke2_modp3072/ke3_modp4096/ke4_ecp256/ke5_ecp384/ke6_ecp521/ke7_modp6144";
  model::GlobalOptions global;
  global.fragment_size = 576;
  Pair pair(proposes(seven), proposes(seven), global);
  pair.connect();
  pair.check_one_pair();
  BOOST_TEST(pair.left.logged("sending IKE_INTERMEDIATE request 3 to " + std::string(kRight) + ":500 { KEi } in 2 fragments"));
}

BOOST_AUTO_TEST_CASE(with_a_ppk_and_a_nat_it_is_the_same) {
  ConfigurationParts left{.vpns = {left_vpn()}, .ppks = {{"quantum.example", "secret"}}},
      right = {.vpns = {right_vpn()}, .ppks = left.ppks};
  for (ConfigurationParts* end : {&left, &right}) {
    proposes(kIke, kEsp)(end->vpns[0]);
    end->vpns[0].ike.ppk_id = identity("quantum.example");
    end->vpns[0].ike.udp_encap = true;
  }
  Pair pair(std::move(left), std::move(right));
  pair.connect();
  pair.check_one_pair();
  BOOST_TEST(pair.left.ike_sas()[0].ppk);
}

BOOST_AUTO_TEST_CASE(messages_may_be_lost_come_twice_or_overtake_each_other) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      const Change left = [](model::Vpn& vpn) {
        proposes(kIke, kEsp)(vpn);
        vpn.ike.keying_tries = 0;
      };
      model::GlobalOptions global;
      if (seed % 2 == 0) global.fragment_size = 128;
      Pair pair(left, proposes(kIke, kEsp), global, seed);
      pair.world.weather = {.loss = 0.1, .duplication = 0.3, .least_delay = milliseconds(1), .most_delay = milliseconds(400)};
      BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
      BOOST_TEST_REQUIRE(
          pair.world.run_until([&] { return pair.left.child_sas().size() == 1 && pair.right.child_sas().size() == 1; }, seconds(2000)));
      // both ends rekey both SAs, sometimes at once
      for (int round = 0; round < 4; ++round) {
        (void)pair.left.rekey("right", round % 2 == 0 ? "net" : "");
        pair.world.run_for(milliseconds(static_cast<int>(seed % 3) * 500));
        (void)pair.right.rekey("left", round % 2 == 0 ? "net" : "");
        pair.world.run_for(seconds(60));
      }
      pair.world.weather = {};
      pair.world.run_for(seconds(400));
      pair.check_one_pair();
    }
  }
}

// Both ends rekey the same SA at the same instant: one of the two goes on, whichever message comes first.
BOOST_AUTO_TEST_CASE(of_two_rekeys_that_cross_one_stays) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    for (const std::string policy : {"net", ""}) {
      BOOST_TEST_CONTEXT("seed " << seed << (policy.empty() ? ", IKE SA" : ", CHILD SA")) {
        Pair pair(proposes(kIke, kEsp), proposes(kIke, kEsp), {}, seed);
        pair.connect();
        pair.world.weather = {.loss = seed % 4 == 0 ? 0.1 : 0.0,
                              .duplication = 0,
                              .least_delay = milliseconds(1),
                              .most_delay = milliseconds(seed % 2 == 0 ? 1 : 60)};
        BOOST_TEST(pair.left.rekey("right", policy).has_value());
        if (seed % 5 == 0) pair.world.run_for(milliseconds(30));
        BOOST_TEST(pair.right.rekey("left", policy).has_value());
        pair.world.run_for(seconds(30));
        pair.world.weather = {};
        pair.world.run_for(seconds(300));
        pair.check_one_pair();
        BOOST_TEST(additional(policy.empty() ? pair.left.ike_sas()[0].transforms : pair.left.child_sas()[0].transforms) == 2U);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_go_on_is_waited_for_and_then_forgotten) {
  for (const std::string policy : {"net", ""}) {
    Pair pair(proposes(kIke, kEsp), proposes(kIke, kEsp));
    pair.connect();
    pair.world.lose = [&](const Node& from, const wire::Header& header, const model::Datagram&) {
      return &from == &pair.right && header.exchange == ExchangeType::IkeFollowupKe && !header.response;
    };
    BOOST_TEST(pair.right.rekey("left", policy).has_value());
    pair.world.run_for(seconds(70));
    BOOST_TEST(pair.left.logged("the peer does not go on with its additional key exchanges"));
    pair.world.lose = {};
    pair.world.run_for(seconds(400));  // its next retransmission gets STATE_NOT_FOUND, and it begins anew
    pair.check_one_pair();
    BOOST_TEST(pair.right.rekey("left", policy).has_value());
    pair.world.run_for(seconds(30));
    pair.check_one_pair();
  }
}

// --- hostile peers ----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(nothing_but_what_was_agreed_on_comes_before_ike_auth) {
  {
    Hostile one{kCheapIke};  // not agreed on at all
    BOOST_TEST_REQUIRE(one.init(false));
    BOOST_TEST(!one.ask(ExchangeType::IkeIntermediate, {}, 1));
    BOOST_TEST(!one.ask(ExchangeType::IkeFollowupKe, {ke_of(wire::KeGroup::Ecp256, one.world.chance())}, 1));
    one.check_unauthenticated();
  }
  {
    Hostile one{std::string(kCheapIke) + "/ke1_ecp256"};  // IKE_AUTH too early
    BOOST_TEST_REQUIRE(one.init());
    BOOST_TEST(!one.ask(ExchangeType::IkeAuth, one.peer.auth_payloads(), 1));
    BOOST_TEST(!one.ask(ExchangeType::CreateChildSa, {}, 1));
    BOOST_TEST(!one.ask(ExchangeType::IkeFollowupKe, {ke_of(wire::KeGroup::Ecp256, one.world.chance())}, 1));
    one.check_unauthenticated();
  }
  Hostile one{std::string(kCheapIke) + "/ke1_ecp256"};  // additional key exchanges without IKE_INTERMEDIATE
  BOOST_TEST(!one.init(false));
  one.check_unauthenticated();
}

BOOST_AUTO_TEST_CASE(an_additional_key_exchange_that_was_not_agreed_on_is_bad_syntax) {
  const std::string proposal = std::string(kCheapIke) + "/ke1_ecp256";
  SeededEntropy entropy(1);
  wire::KePayload off_the_curve = ke_of(wire::KeGroup::Ecp256, entropy);
  off_the_curve.data.back() ^= 1;
  const ScriptedPeer::Payloads bad[] = {{},
                                        {ke_of(wire::KeGroup::Curve25519, entropy)},
                                        {ke_of(wire::KeGroup::Ecp384, entropy)},
                                        {off_the_curve},
                                        {wire::KePayload{wire::KeGroup::Ecp256, {}}},
                                        {wire::KePayload{wire::KeGroup::MlKem768, Bytes(1184)}},
                                        {ke_of(wire::KeGroup::Ecp256, entropy), ke_of(wire::KeGroup::Ecp256, entropy)},
                                        {wire::NoncePayload{Bytes(32, 1)}}};
  for (const auto& payloads : bad) {
    Hostile one{proposal};
    BOOST_TEST_REQUIRE(one.init());
    const auto answer = one.ask(ExchangeType::IkeIntermediate, payloads, 1);
    BOOST_TEST_REQUIRE(answer.has_value());
    BOOST_TEST((has_notify(*answer, NotifyType::InvalidSyntax) || has_notify(*answer, NotifyType::AuthenticationFailed)));
    BOOST_TEST(!one.ask(ExchangeType::IkeIntermediate, {ke_of(wire::KeGroup::Ecp256, entropy)}, 2));
    one.check_unauthenticated();
  }
}

BOOST_AUTO_TEST_CASE(ike_intermediate_is_bounded_and_is_in_what_auth_is_made_over) {
  {
    Hostile one{kCheapIke};
    BOOST_TEST_REQUIRE(one.init());
    std::uint32_t id = 1;
    while (id < 100 && one.ask(ExchangeType::IkeIntermediate, {}, id)) ++id;
    BOOST_TEST(id == sa::kMaxIntermediateExchanges + 1);
    one.check_unauthenticated();
  }
  {
    Hostile one{kCheapIke};
    BOOST_TEST_REQUIRE(one.init());
    BOOST_TEST(!one.ask(ExchangeType::IkeIntermediate, {wire::VendorIdPayload{Bytes(20000, 1)}}, 1));
    BOOST_TEST(one.ask(ExchangeType::IkeIntermediate, {}, 1).has_value());
    // an AUTH that leaves it out
    const auto answer = one.ask(ExchangeType::IkeAuth, one.peer.auth_payloads(), 2);
    BOOST_TEST_REQUIRE(answer.has_value());
    BOOST_TEST(has_notify(*answer, NotifyType::AuthenticationFailed));
    one.check_unauthenticated();
  }
  Hostile one{kCheapIke};  // said and not used: AUTH is as ever
  BOOST_TEST_REQUIRE(one.init());
  BOOST_TEST(one.ask(ExchangeType::IkeAuth, one.peer.auth_payloads(), 1).has_value());
  BOOST_TEST(one.responder.child_sas().size() == 1U);
  BOOST_TEST(!one.ask(ExchangeType::IkeIntermediate, {}, 2));
  BOOST_TEST(one.responder.ike_sas().size() == 1U);
}

BOOST_AUTO_TEST_CASE(ike_followup_ke_that_belongs_to_nothing_is_state_not_found) {
  Hostile one{kCheapIke};
  BOOST_TEST_REQUIRE(one.init());
  BOOST_TEST_REQUIRE(one.ask(ExchangeType::IkeAuth, one.peer.auth_payloads(), 1).has_value());
  const wire::KePayload ke = ke_of(wire::KeGroup::Ecp256, one.world.chance());
  const auto link = [](Bytes data) {
    return wire::NotifyPayload{NotifyType::AdditionalKeyExchange, wire::ProtocolId::None, {}, std::move(data)};
  };
  for (const Bytes& data : {Bytes{}, Bytes(16, 0), Bytes(5000, 1)}) {
    const auto answer = one.ask(ExchangeType::IkeFollowupKe, {ke, link(data)}, data.empty() ? 2 : data.size() == 16 ? 3 : 4);
    BOOST_TEST_REQUIRE(answer.has_value());
    BOOST_TEST(has_notify(*answer, NotifyType::StateNotFound));
  }
  BOOST_TEST(one.responder.child_sas().size() == 1U);
  const auto malformed = one.ask(ExchangeType::IkeFollowupKe, {ke}, 5);
  BOOST_TEST_REQUIRE(malformed.has_value());
  BOOST_TEST(has_notify(*malformed, NotifyType::InvalidSyntax));
  one.world.run_for(seconds(30));  // its inbound SA lingers
  one.check_unauthenticated();
}

BOOST_AUTO_TEST_SUITE_END()
