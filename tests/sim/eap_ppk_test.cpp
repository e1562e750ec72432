// SPDX-License-Identifier: Apache-2.0
// Postquantum preshared keys with EAP: RFC 8784 3. Left begins and is the user, right is the gateway.
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "auth/ppk.h"
#include "eap/conversation.h"
#include "sim/pair.h"
#include "sim/world/scripted_peer.h"

using namespace svti;
using namespace svti::sim;
using model::AuthMethod;
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

constexpr std::string_view kKey = "quantum.example 0123456789abcdef0123456789abcdef";
constexpr std::string_view kOtherSecret = "quantum.example another";
constexpr std::string_view kOtherKey = "other.example x";
constexpr std::string_view kId = "quantum.example";

struct How {
  AuthMethod method = AuthMethod::EapMschapv2;    // EapMd5: makes no key
  AuthMethod gateway = AuthMethod::PresharedKey;  // EapMschapv2: EAP alone (RFC 5998)
};
const How kHows[] = {{}, {.method = AuthMethod::EapMd5}, {.gateway = AuthMethod::EapMschapv2}};

ConfigurationParts end_parts(bool user, const How& how, const End& end) {
  model::Vpn vpn = user ? left_vpn() : right_vpn();
  vpn.authentication.local = user ? how.method : how.gateway;
  vpn.authentication.remote = user ? how.gateway : how.method;
  (user ? vpn.authentication.local_eap_id : vpn.authentication.remote_eap_id) = identity(user ? "joe@example.com" : "%any");
  if (!end.ppk_id.empty()) vpn.ike.ppk_id = identity(end.ppk_id);
  vpn.ike.ppk_required = end.required;
  ConfigurationParts out{.vpns = {std::move(vpn)}};
  out.eap_keys = {{"joe@example.com", "clientPass"}};
  if (const std::size_t space = end.has.find(' '); space != std::string_view::npos)
    out.ppks = {{end.has.substr(0, space), end.has.substr(space + 1)}};
  return out;
}

struct EapPpkPair : Pair {
  EapPpkPair(const How& how, const End& ours, const End& theirs, std::uint64_t seed = 1)
      : Pair(end_parts(true, how, ours), end_parts(false, how, theirs), seed) {}

  void check_up(bool with_ppk) {
    connect();
    check_one_pair();
    for (Node* node : {&left, &right}) BOOST_TEST(node->ike_sas()[0].ppk == with_ppk);
    BOOST_TEST(right.ike_sas()[0].remote_eap_id == "joe@example.com");
    // what the first IKE_AUTH messages say is said without it
    BOOST_TEST(!right.logged("{ IDi N(PPK_IDENTITY)"));
    // what is derived from SK_d afterwards
    BOOST_TEST(right.rekey("left", "net").has_value());
    world.run_for(seconds(10));
    BOOST_TEST(right.rekey("left").has_value());
    world.run_for(seconds(20));
    check_one_pair();
    BOOST_TEST(left.ike_sas()[0].ppk == with_ppk);
  }
  void try_to_connect() {
    BOOST_TEST_REQUIRE(left.initiate("right").has_value());
    world.run_for(seconds(40));
  }
  // down, `node` having said why
  const model::Explanation& check_down(Node& node, Cause cause, std::string_view reason) {
    try_to_connect();
    for (const Node* one : {&left, &right}) BOOST_TEST(one->count(Notice::Kind::IkeUp) == 0U);
    BOOST_TEST_REQUIRE(!node.explanations().empty());
    const model::Explanation& why = node.explanations().back();
    BOOST_CHECK(why.cause == cause);
    BOOST_TEST(why.reason.find(reason) != std::string::npos, why.reason);
    BOOST_TEST(!why.advice.text.empty());
    world.run_for(seconds(200));
    check_nothing_left();
    return why;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ppk_with_eap)

// { AUTH N(PPK_IDENTITY) [N(NO_PPK_AUTH)] } --> <-- { AUTH N(PPK_IDENTITY) SA TSi TSr }
BOOST_AUTO_TEST_CASE(both_ends_have_it_required_or_not) {
  for (const How& how : kHows) {
    for (const bool left_requires : {false, true}) {
      for (const bool right_requires : {false, true}) {
        BOOST_TEST_CONTEXT(name_of(how.method) << ' ' << name_of(how.gateway) << ' ' << left_requires << right_requires) {
          EapPpkPair pair(how, {kId, left_requires, kKey}, {right_requires ? kId : std::string_view(), right_requires, kKey});
          pair.check_up(true);
          BOOST_TEST(pair.right.logged(left_requires ? "{ AUTH N(PPK_IDENTITY) N(QCD_TOKEN) }"
                                                     : "{ AUTH N(PPK_IDENTITY) N(NO_PPK_AUTH) N(QCD_TOKEN) }"));
          BOOST_TEST(pair.left.logged("{ AUTH N(PPK_IDENTITY) N(QCD_TOKEN) SA"));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(an_end_without_it_is_met_without_where_it_is_not_required) {
  for (const How& how : kHows) {
    BOOST_TEST_CONTEXT(name_of(how.method) << ' ' << name_of(how.gateway)) {
      EapPpkPair(how, End{kId, false, kKey}, End{}).check_up(false);                      // the peer knows nothing of PPKs
      EapPpkPair(how, End{}, End{kId, false, kKey}).check_up(false);                      // nor does ours
      EapPpkPair(how, End{kId, false, kKey}, End{{}, false, kOtherKey}).check_up(false);  // NO_PPK_AUTH counts
      EapPpkPair(how, End{kId, false, kKey}, End{"other.example", false, kKey}).check_up(false);
      EapPpkPair(how, End{kId, false, kOtherKey}, End{{}, false, kKey}).check_up(false);  // a ppk-id of a key that is not there
    }
  }
}

BOOST_AUTO_TEST_CASE(an_end_without_it_is_refused_where_it_is_required) {
  const auto check = [](const End& ours, const End& theirs, bool at_left, std::string_view reason) {
    for (const How& how : kHows) {
      BOOST_TEST_CONTEXT(reason << ", " << name_of(how.method) << ' ' << name_of(how.gateway)) {
        EapPpkPair pair(how, ours, theirs);
        pair.check_down(at_left ? pair.left : pair.right, Cause::NoPpk, reason);
      }
    }
  };
  check({kId, true, kKey}, {}, true, "the peer uses no postquantum preshared keys");
  check({kId, true, {}}, {kId, true, kKey}, true, "there is no ppk with the id quantum.example");
  check({}, {kId, true, kKey}, false, "it uses no postquantum preshared key, and ppk-required is set");
  check({}, {kId, true, {}}, false, "it uses no postquantum preshared key, and ppk-required is set");
  check({kId, true, kKey}, {{}, false, kOtherKey}, false, "it uses the PPK quantum.example, which is not here, and does not go on without");
  check({kId, false, kKey}, {{}, true, kOtherKey}, false, "it uses the PPK quantum.example, which is not here, and ppk-required is set");
  check({kId, true, kKey}, {"other.example", true, kKey}, false, "it uses the PPK quantum.example, which is not the ppk-id of left");
}

// One that is to use a PPK of which nothing is said when the time has come; it is refused before EAP where that is known before.
BOOST_AUTO_TEST_CASE(a_peer_without_ppks_is_refused_before_it_shows_its_password) {
  EapPpkPair pair({}, {}, {kId, true, kKey});
  pair.check_down(pair.right, Cause::NoPpk, "it uses no postquantum preshared key");
  BOOST_TEST(!pair.right.logged("is to prove itself by"));
  BOOST_TEST(!pair.left.logged("{ IDr AUTH EAP"));
}

BOOST_AUTO_TEST_CASE(another_secret_under_the_same_id_fails_to_authenticate_and_both_ends_know_why) {
  for (const How& how : kHows) {
    for (const bool required : {false, true}) {
      BOOST_TEST_CONTEXT(name_of(how.method) << ' ' << name_of(how.gateway) << ' ' << required) {
        EapPpkPair pair(how, {kId, required, kKey}, {kId, required, kOtherSecret});
        const model::Explanation& why =
            pair.check_down(pair.right, Cause::WrongKey,
                            "its AUTH was not made with the key that EAP gave and the PPK quantum.example: it has another PPK");
        BOOST_TEST(why.advice.leaf == "ppk ppk secret");
        const model::Explanation& told = pair.left.explanations().back();
        BOOST_TEST(
            told.reason.find("AUTHENTICATION_FAILED to EAP identity joe@example.com, of which EAP has succeeded: it may lack our PPK") !=
                std::string::npos,
            told.reason);
        BOOST_TEST(told.advice.leaf == "ppk ppk secret");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(messages_may_be_lost_or_come_twice) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const How& how = kHows[seed % std::size(kHows)];
    ConfigurationParts ours = end_parts(true, how, {kId, seed % 2 == 0, kKey});
    ours.vpns[0].ike.keying_tries = 0;
    Pair pair(std::move(ours), end_parts(false, how, {kId, true, kKey}), seed);
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

// What stands beside no AUTH is not what the keys are made of, whatever it is.
BOOST_AUTO_TEST_CASE(a_ppk_that_is_named_before_its_time_is_ignored) {
  const Bytes identities[] = {{}, {2}, {1, 'x'}, Bytes(60000, 2), auth::encode_ppk_identity(as_bytes(kId))};
  for (const bool said : {false, true}) {
    for (const Bytes& named : identities) {
      World world(3);
      Node& gateway = world.add("right", address(kRight), configuration(end_parts(false, {}, {kId, said, kKey})));
      ScriptedPeer peer(world.chance(), {address(kLeft), 500}, {address(kRight), 500});
      auto offered = peer.init_payloads();
      if (said) offered.push_back(wire::NotifyPayload{NotifyType::UsePpk, wire::ProtocolId::None, {}, {}});
      BOOST_TEST_REQUIRE(peer.accept_init(gateway.inject(peer.init(offered)).at(0).payload));
      auto payloads = peer.auth_payloads();
      std::erase_if(payloads, [](const wire::Payload& one) { return std::holds_alternative<wire::AuthPayload>(one); });
      payloads.push_back(wire::NotifyPayload{NotifyType::PpkIdentity, wire::ProtocolId::None, {}, named});
      payloads.push_back(wire::NotifyPayload{NotifyType::NoPpkAuth, wire::ProtocolId::None, {}, Bytes(32, 7)});
      const auto begun = peer.open(gateway.inject(peer.request(ExchangeType::IkeAuth, payloads)).at(0).payload);
      BOOST_TEST_REQUIRE(begun.has_value());
      BOOST_TEST(!has_notify(*begun, NotifyType::PpkIdentity));
      const bool eap =
          std::any_of(begun->begin(), begun->end(), [](const wire::Payload& one) { return std::holds_alternative<wire::EapPayload>(one); });
      BOOST_TEST(eap);
    }
  }
}

// RFC 4739 with RFC 8784 is refused by name, whoever wants it.
constexpr std::string_view kNoRounds = "a PPK together with several rounds of authentication is not supported yet";

ConfigurationParts two_rounds(bool user, bool eap_first, const End& end) {
  ConfigurationParts out = end_parts(user, {}, end);
  model::Authentication& how = out.vpns[0].authentication;
  auto& method = user ? how.local : how.remote;
  auto& eap_id = user ? how.local_eap_id : how.remote_eap_id;
  model::FurtherRound further{AuthMethod::PresharedKey, {}, {}, {}, {}, {}};
  if (!eap_first) {
    std::swap(method, further.method);
    std::swap(eap_id, further.eap_id);
  }
  (user ? how.further_local : how.further_remote).push_back(std::move(further));
  return out;
}

std::string reasons(const Node& node) {
  std::string out;
  for (const auto& one : node.explanations()) out += one.reason + "\n";
  return out;
}

BOOST_AUTO_TEST_CASE(a_client_with_several_rounds_refuses_its_ppk) {
  for (const bool eap_first : {false, true}) {
    Pair pair(two_rounds(true, eap_first, {kId, false, kKey}), two_rounds(false, eap_first, {{}, false, kKey}));
    BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
    pair.world.run_for(seconds(40));
    BOOST_TEST(pair.left.count(Notice::Kind::IkeUp) + pair.right.count(Notice::Kind::IkeUp) == 0U);
    BOOST_TEST(reasons(pair.left).find(kNoRounds) != std::string::npos, reasons(pair.left));
    pair.world.run_for(seconds(200));
    pair.check_nothing_left();
  }
}

BOOST_AUTO_TEST_CASE(a_gateway_with_several_rounds_refuses_a_ppk) {
  for (const bool required : {false, true}) {
    World world(3);
    Node& gateway = world.add("right", address(kRight), configuration(two_rounds(false, true, {{}, required, kKey})));
    ScriptedPeer peer(world.chance(), {address(kLeft), 500}, {address(kRight), 500});
    const auto ask = [&](const ScriptedPeer::Payloads& payloads) {
      return peer.open(gateway.inject(peer.request(ExchangeType::IkeAuth, payloads)).at(0).payload).value();
    };
    const auto notify = [](NotifyType type, Bytes data = {}) {
      return wire::NotifyPayload{type, wire::ProtocolId::None, {}, std::move(data)};
    };
    auto offered = peer.init_payloads();
    offered.push_back(notify(NotifyType::UsePpk));
    offered.push_back(notify(NotifyType::MultipleAuthSupported, Bytes(100)));
    BOOST_TEST_REQUIRE(peer.accept_init(gateway.inject(peer.init(offered)).at(0).payload));
    auto payloads = peer.auth_payloads();
    std::erase_if(payloads, [](const wire::Payload& one) { return std::holds_alternative<wire::AuthPayload>(one); });
    payloads.push_back(notify(NotifyType::MultipleAuthSupported));
    auto answer = ask(payloads);
    if (!required) {  // then it is known when the peer names one
      eap::Peer user(eap::Type::MsChapV2, to_bytes(as_bytes(std::string_view("joe@example.com"))),
                     Secret(as_bytes(std::string_view("clientPass"))), world.chance());
      for (bool through = false; !through;) {
        const auto found = std::find_if(answer.begin(), answer.end(),
                                        [](const wire::Payload& one) { return std::holds_alternative<wire::EapPayload>(one); });
        BOOST_TEST_REQUIRE((found != answer.end()));
        const eap::Step step = user.receive(std::get<wire::EapPayload>(*found).data);
        BOOST_TEST_REQUIRE((step.kind != eap::Step::Kind::Failure));
        through = step.kind == eap::Step::Kind::Success;
        if (!through) answer = ask({wire::EapPayload{step.packet}});
      }
      answer = ask({wire::AuthPayload{wire::AuthMethod::SharedKeyMic, Bytes(32, 1)},
                    notify(NotifyType::PpkIdentity, auth::encode_ppk_identity(as_bytes(kId)))});
    }
    BOOST_TEST(has_notify(answer, NotifyType::AuthenticationFailed));
    BOOST_TEST(reasons(gateway).find(kNoRounds) != std::string::npos, reasons(gateway));
    BOOST_TEST(gateway.ike_sas().empty());
  }
}

BOOST_AUTO_TEST_SUITE_END()
