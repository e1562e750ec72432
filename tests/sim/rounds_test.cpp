// SPDX-License-Identifier: Apache-2.0
// More than one round of authentication: RFC 4739. Left begins.
#include <boost/test/unit_test.hpp>

#include "sim/pair.h"
#include "sim/world/scripted_peer.h"
#include "support/pki.h"

using namespace svti;
using namespace svti::sim;
using model::AuthMethod;
using sa::Notice;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;

namespace {

using Methods = std::vector<AuthMethod>;
constexpr AuthMethod kPsk = AuthMethod::PresharedKey;
constexpr AuthMethod kCert = AuthMethod::Certificate;
constexpr AuthMethod kEap = AuthMethod::EapMschapv2;

const test::Holder& root() {
  static const test::Holder kRoot = test::new_root("C=CH, O=Example, CN=Root");
  return kRoot;
}
const test::Holder& holder(bool left) {
  static const test::Holder kLeftOne = test::issue(test::request("C=CH, O=Example, CN=left", {test::dns("left.example")}), root());
  static const test::Holder kRightOne = test::issue(test::request("C=CH, O=Example, CN=right", {test::dns("right.example")}), root());
  return left ? kLeftOne : kRightOne;
}

std::string text_of(const Methods& methods) {
  std::string out;
  for (const AuthMethod one : methods) out += (out.empty() ? "" : "+") + std::string(name_of(one));
  return out;
}

// what `rounds` of the left, and of the right, are as it is configured on one of them
model::Vpn vpn_of(bool left, const Methods& lefts, const Methods& rights) {
  model::Vpn vpn = left ? left_vpn() : right_vpn();
  const Methods& ours = left ? lefts : rights;
  const Methods& theirs = left ? rights : lefts;
  const auto certificate = test::local_certificate(left ? "left" : "right", holder(left), {root().certificate});
  const auto trusted = test::authority("root", root());
  model::Authentication& how = vpn.authentication;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const auto id = ours[i] == kCert ? std::optional(identity(left ? "left.example" : "right.example")) : std::nullopt;
    const auto user = ours[i] == kEap ? std::optional(identity("joe@example.com")) : std::nullopt;
    if (i > 0) {
      how.further_local.push_back({ours[i], id, user, {}, {}, {}});
      if (ours[i] == kCert) how.further_local.back().certificates = {certificate};
      continue;
    }
    how.local = ours[i];
    how.local_eap_id = user;
    if (ours[i] == kCert) how.certificates = {certificate};
    if (id) vpn.local_id = id;
  }
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    const auto id = theirs[i] == kCert ? std::optional(identity(left ? "right.example" : "left.example")) : std::nullopt;
    const auto user = theirs[i] == kEap ? std::optional(identity("%any")) : std::nullopt;
    if (i > 0) {
      how.further_remote.push_back({theirs[i], id, user, {}, {}, {}});
      if (theirs[i] == kCert) how.further_remote.back().authorities = {trusted};
      continue;
    }
    how.remote = theirs[i];
    how.remote_eap_id = user;
    if (theirs[i] == kCert) how.authorities = {trusted};
    if (id) vpn.remote_id = id;
  }
  return vpn;
}

ConfigurationParts parts_of(bool left, const Methods& lefts, const Methods& rights, std::string_view password = "clientPass") {
  ConfigurationParts out{.vpns = {vpn_of(left, lefts, rights)}};
  out.private_keys = {test::private_key(holder(left))};
  out.eap_keys = {{"joe@example.com", password}};
  return out;
}

struct RoundsPair : Pair {
  RoundsPair(const Methods& lefts, const Methods& rights, std::uint64_t seed = 1)
      : Pair(parts_of(true, lefts, rights), parts_of(false, lefts, rights), seed) {}
  RoundsPair(ConfigurationParts of_left, ConfigurationParts of_right, std::uint64_t seed = 1)
      : Pair(std::move(of_left), std::move(of_right), seed) {}

  void try_to_connect(seconds time = seconds(5)) {
    BOOST_TEST_REQUIRE(left.initiate("right").has_value());
    world.run_for(time);
  }
  static std::string reasons(Node& node) {
    std::string out;
    for (const auto& one : node.explanations()) out += one.reason + "\n";
    return out;
  }
  void check_down(std::string_view left_reason, std::string_view right_reason) {
    BOOST_TEST(left.child_sas().empty());
    BOOST_TEST(right.child_sas().empty());
    BOOST_TEST(right.count(Notice::Kind::ChildUp) == 0U);
    BOOST_TEST(reasons(left).find(left_reason) != std::string::npos, reasons(left));
    BOOST_TEST(reasons(right).find(right_reason) != std::string::npos, reasons(right));
    world.run_for(seconds(200));
    check_nothing_left();
  }
};

// an IKE_SA_INIT request that leaves room for CERTREQ and MULTIPLE_AUTH_SUPPORTED in an answer that is not larger
ScriptedPeer::Payloads roomy(const ScriptedPeer& peer) {
  ScriptedPeer::Payloads out = peer.init_payloads();
  out.emplace_back(wire::NotifyPayload{NotifyType::MultipleAuthSupported, wire::ProtocolId::None, {}, Bytes(100)});
  return out;
}

const std::vector<Methods> kOfLeft = {{kPsk},        {kCert},       {kEap},        {kPsk, kPsk},       {kCert, kPsk},
                                      {kPsk, kCert}, {kCert, kEap}, {kEap, kCert}, {kEap, kPsk, kEap}, {kCert, kCert, kPsk, kEap}};
const std::vector<Methods> kOfRight = {{kPsk}, {kCert}, {kPsk, kCert}, {kCert, kPsk}, {kPsk, kPsk, kCert}};

}  // namespace

BOOST_AUTO_TEST_SUITE(several_rounds)

BOOST_AUTO_TEST_CASE(whatever_each_end_has_to_prove_in_whatever_order) {
  for (const Methods& lefts : kOfLeft) {
    for (const Methods& rights : kOfRight) {
      BOOST_TEST_CONTEXT(text_of(lefts) << " | " << text_of(rights)) {
        RoundsPair pair(lefts, rights);
        pair.connect();
        pair.check_one_pair();
        const bool several = lefts.size() + rights.size() > 2;
        BOOST_TEST(pair.left.logged("N(MULTIPLE_AUTH_SUPPORTED)") == several);
        BOOST_TEST(pair.right.logged("N(MULTIPLE_AUTH_SUPPORTED)") == several);
        BOOST_TEST(pair.right.logged("N(ANOTHER_AUTH_FOLLOWS)") == several);
        BOOST_TEST(pair.right.rekey("left", "net").has_value());
        pair.world.run_for(seconds(10));
        BOOST_TEST(pair.left.rekey("right").has_value());
        pair.world.run_for(seconds(20));
        pair.check_one_pair();
        pair.left.close();
        pair.world.run_for(seconds(20));
        pair.check_nothing_left();
      }
    }
  }
}

// { IDi CERT AUTH N(ANOTHER_AUTH_FOLLOWS) SA TSi TSr } --> <-- { IDr AUTH }, { IDi } --> <-- { EAP }, ... { AUTH } --> <-- { AUTH SA TSi
// TSr }
BOOST_AUTO_TEST_CASE(the_messages_are_those_of_the_rfc) {
  RoundsPair pair({kCert, kEap}, {kPsk});
  pair.connect();
  BOOST_TEST(pair.right.logged("{ IDi CERT AUTH N(ANOTHER_AUTH_FOLLOWS) N(MULTIPLE_AUTH_SUPPORTED)"));
  BOOST_TEST(pair.left.logged("{ IDr AUTH }"));
  BOOST_TEST(pair.right.logged("{ IDi }"));
  BOOST_TEST(pair.left.logged("{ EAP }"));
  BOOST_TEST(pair.left.logged("{ AUTH N(QCD_TOKEN) SA TSi TSr"));
  RoundsPair of_right({kPsk}, {kPsk, kCert});
  of_right.connect();
  BOOST_TEST(of_right.left.logged("{ IDr AUTH N(ANOTHER_AUTH_FOLLOWS) }"));
  BOOST_TEST(of_right.right.logged("{ }"));
  BOOST_TEST(of_right.left.logged("{ IDr CERT AUTH N(QCD_TOKEN) SA TSi TSr"));
}

BOOST_AUTO_TEST_CASE(the_last_identity_of_an_end_is_who_it_is) {
  RoundsPair pair({kPsk, kCert}, {kPsk});
  pair.connect();
  BOOST_TEST_REQUIRE(pair.right.ike_sas().size() == 1U);
  BOOST_TEST(pair.right.ike_sas()[0].remote_id == "left.example");
  BOOST_TEST(pair.left.ike_sas()[0].local_id == "left.example");
}

BOOST_AUTO_TEST_CASE(one_proof_that_fails_is_enough) {
  const Methods lefts = {kPsk, kEap};
  const Methods rights = {kPsk};
  RoundsPair password(parts_of(true, lefts, rights, "sesame"), parts_of(false, lefts, rights));
  password.try_to_connect();
  password.check_down("error 691", "the password does not match");

  // a certificate of an authority of that name that is not trusted
  const test::Holder impostor = test::new_root("C=CH, O=Example, CN=Root");
  const test::Holder forged = test::issue(test::request("C=CH, O=Example, CN=left", {test::dns("left.example")}), impostor);
  ConfigurationParts left = parts_of(true, {kPsk, kCert}, {kPsk});
  left.vpns[0].authentication.further_local[0].certificates = {test::local_certificate("left", forged, {impostor.certificate})};
  left.private_keys = {test::private_key(forged)};
  RoundsPair chain(std::move(left), parts_of(false, {kPsk, kCert}, {kPsk}));
  chain.try_to_connect();
  chain.check_down("AUTHENTICATION_FAILED", "C=CH, O=Example, CN=left");

  // the identity of the second round
  ConfigurationParts right = parts_of(false, {kPsk, kCert}, {kPsk});
  right.vpns[0].authentication.further_remote[0].id = identity("*.example.org");
  RoundsPair id(parts_of(true, {kPsk, kCert}, {kPsk}), std::move(right));
  id.try_to_connect();
  id.check_down("AUTHENTICATION_FAILED", "it says it is left.example, remote-id is *.example.org");

  // of the responder, which has accepted the initiator by then, or not
  ConfigurationParts strict = parts_of(true, {kPsk}, {kPsk, kCert});
  strict.vpns[0].authentication.further_remote[0].authorities = {test::authority("impostor", impostor)};
  RoundsPair responder(std::move(strict), parts_of(false, {kPsk}, {kPsk, kCert}));
  responder.try_to_connect();
  BOOST_TEST(responder.left.child_sas().empty());
  BOOST_TEST(responder.reasons(responder.left).find("CN=right") != std::string::npos, responder.reasons(responder.left));
  responder.world.run_for(seconds(200));
  responder.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(as_many_rounds_at_both_ends) {
  const std::string_view unable = "the peer does not do several rounds of authentication (RFC 4739)";
  {
    RoundsPair pair(parts_of(true, {kPsk, kPsk}, {kPsk}), parts_of(false, {kPsk}, {kPsk}));
    pair.try_to_connect();
    pair.check_down(unable, "");
  }
  {
    RoundsPair pair(parts_of(true, {kPsk}, {kPsk}), parts_of(false, {kPsk, kPsk}, {kPsk}));
    pair.try_to_connect();
    pair.check_down("AUTHENTICATION_FAILED", unable);
  }
  {
    RoundsPair pair(parts_of(true, {kPsk, kPsk}, {kPsk}), parts_of(false, {kPsk, kPsk, kPsk}, {kPsk}));
    pair.try_to_connect();
    pair.check_down("AUTHENTICATION_FAILED", "it authenticates itself 2 times, and has to 3 times");
  }
  {
    RoundsPair pair(parts_of(true, {kPsk, kPsk, kPsk}, {kPsk}), parts_of(false, {kPsk, kPsk}, {kPsk}));
    pair.try_to_connect();
    pair.check_down("AUTHENTICATION_FAILED", "it wants to authenticate itself more often than the 2 times configured");
  }
  {
    RoundsPair pair(parts_of(true, {kPsk, kPsk}, {kPsk, kPsk}), parts_of(false, {kPsk, kPsk}, {kPsk}));
    pair.try_to_connect();
    BOOST_TEST(pair.reasons(pair.left).find("it authenticates itself once, and has to 2 times") != std::string::npos,
               pair.reasons(pair.left));
    pair.world.run_for(seconds(200));
    pair.check_nothing_left();
  }
  {
    RoundsPair pair(parts_of(true, {kPsk, kPsk}, {kPsk}), parts_of(false, {kPsk, kPsk}, {kPsk, kPsk}));
    pair.try_to_connect();
    pair.check_down("it wants to authenticate itself more often than the once configured", "");
  }
  // methods in another order
  {
    RoundsPair pair(parts_of(true, {kPsk, kEap}, {kPsk}), parts_of(false, {kPsk, kPsk}, {kPsk}));
    pair.try_to_connect();
    pair.check_down("AUTHENTICATION_FAILED", "it asks for EAP, pre-shared-key is configured");
  }
}

BOOST_AUTO_TEST_CASE(every_message_may_be_lost_or_come_twice) {
  const Methods lefts = {kCert, kEap, kPsk};
  const Methods rights = {kPsk, kCert};
  for (std::uint32_t message = 1; message <= 8; ++message) {
    for (const bool response : {false, true}) {
      BOOST_TEST_CONTEXT(message << ' ' << response) {
        RoundsPair pair(lefts, rights);
        bool lost = false;
        pair.world.lose = [&](const Node&, const wire::Header& header, const model::Datagram&) {
          if (lost || header.message_id != message || header.response != response) return false;
          return lost = true;
        };
        pair.try_to_connect(seconds(30));
        BOOST_TEST((lost || message > 6U));
        pair.check_one_pair();
      }
    }
  }
  RoundsPair doubled(lefts, rights);
  doubled.world.weather.duplication = 1.0;
  doubled.try_to_connect();
  doubled.check_one_pair();
}

BOOST_AUTO_TEST_CASE(on_a_bad_network_it_comes_up_in_the_end) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    BOOST_TEST_CONTEXT(seed) {
      RoundsPair pair(kOfLeft[seed % kOfLeft.size()], kOfRight[seed % kOfRight.size()], seed);
      pair.world.weather = {.loss = 0.15, .duplication = 0.1, .least_delay = milliseconds(10), .most_delay = milliseconds(200)};
      for (int attempt = 0; attempt < 5 && pair.left.child_sas().empty(); ++attempt) pair.try_to_connect(seconds(200));
      pair.world.weather = {};
      pair.world.run_for(seconds(200));
      pair.check_one_pair();
    }
  }
}

// CVE-2026-78135: between the rounds the peer is not authenticated, whatever it has proven
BOOST_AUTO_TEST_CASE(between_the_rounds_nothing_else_goes) {
  for (int kind = 0; kind < 9; ++kind) {
    BOOST_TEST_CONTEXT(kind) {
      World world(3);
      Node& gateway = world.add("right", address(kRight), configuration(parts_of(false, {kPsk, kCert}, {kPsk})));
      ScriptedPeer peer(world.chance(), {address(kLeft), 500}, {address(kRight), 500});
      const auto answers = gateway.inject(peer.init(roomy(peer)));
      BOOST_TEST_REQUIRE(peer.accept_init(answers.at(0).payload));
      const auto ask = [&](ExchangeType exchange, const ScriptedPeer::Payloads& payloads) -> std::optional<ScriptedPeer::Payloads> {
        const auto sent = gateway.inject(peer.request(exchange, payloads));
        if (sent.size() != 1) return std::nullopt;
        return peer.open(sent[0].payload);
      };
      const ScriptedPeer::Payloads honest = peer.auth_payloads();
      const auto notify = [](NotifyType type) { return wire::NotifyPayload{type, wire::ProtocolId::None, {}, {}}; };
      ScriptedPeer::Payloads first = honest;
      first.emplace_back(notify(NotifyType::MultipleAuthSupported));
      if (kind != 0) first.emplace_back(notify(NotifyType::AnotherAuthFollows));
      auto answer = ask(ExchangeType::IkeAuth, first);
      BOOST_TEST_REQUIRE(answer.has_value());
      BOOST_TEST(has_notify(*answer, NotifyType::AuthenticationFailed) == (kind == 0));  // 0: it means to be done after the first
      ExchangeType exchange = ExchangeType::IkeAuth;
      ScriptedPeer::Payloads second;
      switch (kind) {
        case 1:  // nothing: as if it had no round left
          break;
        case 2:  // the pre-shared key once more
          second = {honest[0], honest[1]};
          break;
        case 3:  // the whole of it once more
          second = honest;
          break;
        case 4:  // whom a certificate would name, without a proof
          second = {honest[0]};
          break;
        case 5:
          second = {wire::EapPayload{Bytes{3, 0, 0, 4}}};
          break;
        case 6:
          exchange = ExchangeType::CreateChildSa;
          second = {honest[2], wire::NoncePayload{Bytes(32, 1)}, honest[3], honest[4]};
          break;
        case 7:
          exchange = ExchangeType::Informational;
          second = {wire::DeletePayload{wire::ProtocolId::Ike, {}}};
          break;
        default:
          second = {honest[1]};
          break;
      }
      if (kind != 0) answer = ask(exchange, second);
      if (exchange == ExchangeType::CreateChildSa) BOOST_TEST(!answer.has_value());
      if (exchange == ExchangeType::IkeAuth) {
        BOOST_TEST_REQUIRE(answer.has_value());
        BOOST_TEST((has_notify(*answer, NotifyType::AuthenticationFailed) || has_notify(*answer, NotifyType::InvalidSyntax)));
      }
      BOOST_TEST(gateway.count(Notice::Kind::IkeUp) == 0U);
      BOOST_TEST(gateway.kernel().sad().empty());
      world.run_for(seconds(70));
      BOOST_TEST(gateway.core().ike_sas() == 0U);
      BOOST_TEST(gateway.kernel().sad().empty());
      BOOST_TEST(!gateway.core().next_deadline().has_value());
      for (const std::string& violation : world.violations()) BOOST_ERROR(violation);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
