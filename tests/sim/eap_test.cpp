// SPDX-License-Identifier: Apache-2.0
// EAP in IKE_AUTH: RFC 7296 2.16, RFC 5998. Left begins and is the user, right is the gateway.
#include <boost/test/unit_test.hpp>

#include "eap/conversation.h"
#include "sim/pair.h"
#include "sim/world/scripted_peer.h"
#include "support/pki.h"

using namespace svti;
using namespace svti::sim;
using model::AuthMethod;
using model::Cause;
using sa::Notice;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;

namespace {

const test::Holder& root() {
  static const test::Holder kRoot = test::new_root("C=CH, O=Example, CN=Root");
  return kRoot;
}

struct Case {
  AuthMethod method = AuthMethod::EapMschapv2;
  AuthMethod gateway = AuthMethod::PresharedKey;  // how it proves itself; an EAP method: EAP alone
  std::string_view user = "joe@example.com";      // EAP identity of the user, empty: its IKE identity
  std::string_view expected = "%any";             // remote-eap-id of the gateway, empty: none
  std::string_view password = "clientPass";       // that the user has; empty: no eap-key
  std::string_view known = "joe@example.com clientPass";
  model::GlobalOptions global = {};
};

std::pair<std::string_view, std::string_view> split(std::string_view text) {
  const std::size_t space = text.find(' ');
  return {text.substr(0, space), text.substr(space + 1)};
}

ConfigurationParts user_parts(const Case& what) {
  model::Vpn vpn = left_vpn();
  vpn.authentication.local = what.method;
  vpn.authentication.remote = what.gateway;
  if (what.gateway == AuthMethod::Certificate) {
    vpn.authentication.authorities = {test::authority("root", root())};
    vpn.remote_id = identity("right.example");
  }
  if (!what.user.empty()) vpn.authentication.local_eap_id = identity(what.user);
  ConfigurationParts out{.vpns = {std::move(vpn)}, .global = what.global};
  if (!what.password.empty()) out.eap_keys = {{what.user.empty() ? kLeft : what.user, what.password}};
  return out;
}

ConfigurationParts gateway_parts(const Case& what) {
  model::Vpn vpn = right_vpn();
  vpn.authentication.local = what.gateway;
  vpn.authentication.remote = what.method;
  ConfigurationParts out{.global = what.global};
  if (what.gateway == AuthMethod::Certificate) {
    const auto holder = test::issue(test::request("C=CH, O=Example, CN=right", {test::dns("right.example")}), root());
    vpn.authentication.certificates = {test::local_certificate("right", holder, {root().certificate})};
    out.private_keys = {test::private_key(holder)};
    vpn.local_id = identity("right.example");
  }
  if (!what.expected.empty()) vpn.authentication.remote_eap_id = identity(what.expected);
  if (!what.known.empty()) out.eap_keys = {split(what.known)};
  out.vpns = {std::move(vpn)};
  return out;
}

struct EapPair : Pair {
  explicit EapPair(const Case& what, std::uint64_t seed = 1) : EapPair(what, what, seed) {}
  EapPair(const Case& ours, const Case& theirs, std::uint64_t seed = 1) : Pair(user_parts(ours), gateway_parts(theirs), seed) {}

  void try_to_connect(seconds time = seconds(5)) {
    BOOST_TEST_REQUIRE(left.initiate("right").has_value());
    world.run_for(time);
  }
  void check_up(AuthMethod method, std::string_view user) {
    check_one_pair();
    for (Node* node : {&left, &right}) {
      const model::IkeSaState state = node->ike_sas()[0];
      BOOST_TEST(state.eap_method == name_of(method));
      BOOST_TEST((node == &left ? state.local_eap_id : state.remote_eap_id) == user);
      BOOST_TEST((node == &left ? state.remote_eap_id : state.local_eap_id) == "");
    }
  }
  // what the last explanation of a node says
  std::string reason(Node& node) { return node.explanations().empty() ? std::string() : node.explanations().back().reason; }
  void check_down(std::string_view left_reason, std::string_view right_reason) {
    BOOST_TEST(left.count(Notice::Kind::IkeUp) == 0U);
    BOOST_TEST(right.count(Notice::Kind::IkeUp) == 0U);
    BOOST_TEST(left.child_sas().empty());
    BOOST_TEST(right.child_sas().empty());
    BOOST_TEST(reason(left).find(left_reason) != std::string::npos, reason(left));
    BOOST_TEST(reason(right).find(right_reason) != std::string::npos, reason(right));
    for (Node* node : {&left, &right}) {
      if (!node->explanations().empty() && !(node == &left ? left_reason : right_reason).empty())
        BOOST_TEST(!node->explanations().back().advice.text.empty());
    }
    world.run_for(seconds(200));
    check_nothing_left();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(extensible_authentication)

// IKE_AUTH { IDi SA TSi TSr } --> <-- { IDr AUTH EAP }, { EAP } --> <-- { EAP } ..., { AUTH } --> <-- { AUTH SA TSi TSr }
BOOST_AUTO_TEST_CASE(each_method_with_each_way_of_the_gateway_to_prove_itself) {
  for (const AuthMethod method : {AuthMethod::EapMschapv2, AuthMethod::EapMd5}) {
    for (const AuthMethod gateway : {AuthMethod::PresharedKey, AuthMethod::Certificate}) {
      for (const std::string_view expected : {"%any", "joe@example.com", "*@example.com"}) {
        BOOST_TEST_CONTEXT(name_of(method) << ' ' << name_of(gateway) << ' ' << expected) {
          EapPair pair({.method = method, .gateway = gateway, .expected = expected});
          pair.connect();
          pair.check_up(method, "joe@example.com");
          BOOST_TEST(pair.right.logged("{ IDi "));
          BOOST_TEST(!pair.right.logged("{ IDi AUTH"));
          BOOST_TEST(pair.right.logged("{ AUTH N(QCD_TOKEN) }"));
          BOOST_TEST(pair.left.logged(gateway == AuthMethod::Certificate ? "{ IDr CERT AUTH EAP }" : "{ IDr AUTH EAP }"));
          BOOST_TEST(pair.left.logged("{ AUTH N(QCD_TOKEN) SA TSi TSr"));
          BOOST_TEST(pair.right.logged("asked for its EAP identity") == (expected != "joe@example.com"));
          // SK_d is the same whoever authenticated how
          BOOST_TEST(pair.right.rekey("left", "net").has_value());
          pair.world.run_for(seconds(10));
          BOOST_TEST(pair.right.rekey("left").has_value());
          pair.world.run_for(seconds(20));
          pair.check_up(method, "joe@example.com");
          pair.left.close();
          pair.world.run_for(seconds(20));
          pair.check_nothing_left();
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(without_eap_identities_it_is_the_ike_identity_that_counts) {
  EapPair pair({.user = "", .expected = "", .known = "192.0.2.1 clientPass"});
  pair.connect();
  pair.check_up(AuthMethod::EapMschapv2, "192.0.2.1");
}

BOOST_AUTO_TEST_CASE(eap_alone_proves_both_ends) {
  const AuthMethod both = AuthMethod::EapMschapv2;
  EapPair pair({.gateway = both});
  pair.connect();
  pair.check_up(both, "joe@example.com");
  BOOST_TEST(pair.right.logged("N(EAP_ONLY_AUTHENTICATION)"));
  BOOST_TEST(pair.left.logged("{ IDr EAP }"));

  // the other way round neither end takes it for more than it is
  EapPair wrong({.gateway = both, .password = "sesame"});
  wrong.try_to_connect();
  wrong.check_down("the server refuses user joe@example.com: error 691", "the password does not match");
}

BOOST_AUTO_TEST_CASE(eap_alone_is_an_affair_of_both_ends) {
  const AuthMethod both = AuthMethod::EapMschapv2;
  EapPair ours({.gateway = both}, {.gateway = AuthMethod::PresharedKey});
  ours.try_to_connect();
  ours.check_down("it used authentication method 2, eap-mschapv2 is configured", "");
  EapPair theirs({.gateway = AuthMethod::PresharedKey}, {.gateway = both});
  theirs.try_to_connect();
  theirs.check_down("the peer answered AUTHENTICATION_FAILED", "it wants us to authenticate ourselves by other means than EAP");
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_refused_and_both_ends_know_why) {
  for (const AuthMethod method : {AuthMethod::EapMschapv2, AuthMethod::EapMd5}) {
    EapPair pair({.method = method, .password = "sesame"});
    pair.try_to_connect();
    BOOST_CHECK(pair.left.explanations().back().cause == Cause::Authentication);
    BOOST_CHECK(pair.right.explanations().back().cause == Cause::Authentication);
    pair.check_down(method == AuthMethod::EapMd5 ? "it refuses EAP identity joe@example.com or its password"
                                                 : "the server refuses user joe@example.com: error 691, wrong user or password",
                    "EAP with joe@example.com failed: the password does not match");
  }
}

BOOST_AUTO_TEST_CASE(an_unknown_user_is_refused_and_only_the_gateway_knows_why) {
  for (const AuthMethod method : {AuthMethod::EapMschapv2, AuthMethod::EapMd5}) {
    EapPair pair({.method = method, .user = "eve"});
    pair.try_to_connect();
    BOOST_CHECK(pair.right.explanations().back().cause == Cause::NoKey);
    pair.check_down(method == AuthMethod::EapMd5 ? "it refuses EAP identity eve" : "error 691", "no eap-key for its EAP identity eve");
  }
  EapPair other({.expected = "*@example.org"});
  other.try_to_connect();
  other.check_down("error 691", "its EAP identity is joe@example.com, remote-eap-id is *@example.org");
}

BOOST_AUTO_TEST_CASE(what_is_configured_otherwise_at_the_other_end_is_told) {
  EapPair methods({.method = AuthMethod::EapMd5}, {.method = AuthMethod::EapMschapv2});
  methods.try_to_connect();
  methods.check_down("it refuses EAP identity", "it does not do EAP-MSCHAPv2, but EAP-MD5");

  EapPair no_key({.password = ""});
  no_key.try_to_connect();
  no_key.check_down("no eap-key for our EAP identity joe@example.com", "");

  // the gateway wants a pre-shared key
  Pair plain(user_parts({}), {.vpns = {right_vpn()}});
  BOOST_TEST_REQUIRE(plain.left.initiate("right").has_value());
  plain.world.run_for(seconds(5));
  BOOST_TEST(plain.right.explanations().back().reason == "it asks for EAP, pre-shared-key is configured");
  BOOST_TEST(plain.left.explanations().back().reason.find("it knows no 192.0.2.1 who uses EAP") != std::string::npos);
  // and the user would not
  Pair eager({.vpns = {left_vpn()}}, gateway_parts({}));
  BOOST_TEST_REQUIRE(eager.left.initiate("right").has_value());
  eager.world.run_for(seconds(5));
  BOOST_TEST(eager.right.explanations().back().reason == "it used authentication method 2, eap-mschapv2 is configured");
}

BOOST_AUTO_TEST_CASE(a_gateway_with_another_secret_is_not_told_who_the_user_is) {
  ConfigurationParts gateway = gateway_parts({});
  gateway.secret = "another";
  Pair pair(user_parts({}), std::move(gateway));
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(5));
  BOOST_TEST(pair.left.explanations().back().reason.find("pre-shared key") != std::string::npos);
  BOOST_TEST(!pair.right.logged("{ EAP }"));
  pair.world.run_for(seconds(100));
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(who_asks_eap_of_the_peer_cannot_begin) {
  EapPair pair({});
  BOOST_TEST_REQUIRE(pair.right.initiate("left").has_value());
  pair.world.run_for(seconds(5));
  BOOST_TEST(pair.reason(pair.right).find("remote-auth-method eap-mschapv2 is for peers that begin") != std::string::npos);
  pair.world.run_for(seconds(100));
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(every_message_may_be_lost_or_come_twice) {
  for (const AuthMethod method : {AuthMethod::EapMschapv2, AuthMethod::EapMd5}) {
    for (std::uint32_t message = 1; message <= 6; ++message) {
      for (const bool response : {false, true}) {
        BOOST_TEST_CONTEXT(name_of(method) << ' ' << message << ' ' << response) {
          EapPair pair({.method = method, .gateway = AuthMethod::Certificate});
          bool lost = false;
          pair.world.lose = [&](const Node&, const wire::Header& header, const model::Datagram&) {
            if (lost || header.message_id != message || header.response != response) return false;
            return lost = true;
          };
          pair.try_to_connect(seconds(30));
          BOOST_TEST((lost || message > (method == AuthMethod::EapMd5 ? 4U : 5U)));
          pair.check_up(method, "joe@example.com");
        }
      }
    }
    EapPair doubled({.method = method});
    doubled.world.weather.duplication = 1.0;
    doubled.try_to_connect();
    doubled.check_up(method, "joe@example.com");
  }
}

BOOST_AUTO_TEST_CASE(on_a_bad_network_it_comes_up_in_the_end) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    BOOST_TEST_CONTEXT(seed) {
      EapPair pair({.method = seed % 2 == 0 ? AuthMethod::EapMschapv2 : AuthMethod::EapMd5,
                    .gateway = seed % 3 == 0 ? AuthMethod::Certificate : AuthMethod::PresharedKey},
                   seed);
      pair.world.weather = {.loss = 0.15, .duplication = 0.1, .least_delay = milliseconds(10), .most_delay = milliseconds(200)};
      for (int attempt = 0; attempt < 5 && pair.left.child_sas().empty(); ++attempt) pair.try_to_connect(seconds(200));
      pair.world.weather = {};
      pair.world.run_for(seconds(200));
      pair.check_one_pair();
    }
  }
}

BOOST_AUTO_TEST_CASE(messages_go_in_fragments) {
  model::GlobalOptions small;
  small.fragment_size = 200;
  EapPair pair({.gateway = AuthMethod::Certificate, .global = small});
  pair.connect();
  pair.check_up(AuthMethod::EapMschapv2, "joe@example.com");
  BOOST_TEST(pair.right.logged("fragments"));
}

// one user is one peer, whatever IKE identity its host shows
BOOST_AUTO_TEST_CASE(the_eap_identity_counts_as_who_the_peer_is) {
  const Case what;
  ConfigurationParts gateway = gateway_parts(what);
  gateway.vpns[0].remote_address.reset();
  ConfigurationParts user = user_parts(what);
  user.vpns[0].local_id = identity("laptop.example");
  Pair twice(std::move(user), std::move(gateway));
  twice.connect();
  // from another host under another IKE identity
  ConfigurationParts elsewhere = user_parts(what);
  elsewhere.vpns[0].local_id = identity("phone.example");
  elsewhere.vpns[0].local_address = address("192.0.2.3");
  Node& phone = twice.world.add("phone", address("192.0.2.3"), configuration(std::move(elsewhere)));
  BOOST_TEST_REQUIRE(phone.initiate("right").has_value());
  twice.world.run_for(seconds(5));
  // it says INITIAL_CONTACT: what the laptop had is from before
  BOOST_TEST(phone.child_sas().size() == 1U);
  BOOST_TEST_REQUIRE(twice.right.ike_sas().size() == 1U);
  BOOST_TEST(twice.right.ike_sas()[0].remote_id == "phone.example");
}

// --- strangers --------------------------------------------------------------------------------------------------------------

namespace {

struct Stranger {
  explicit Stranger(const Case& what = {})
      : world(3),
        gateway(world.add("right", address(kRight), configuration(gateway_parts(what)))),
        peer(world.chance(), {address(kLeft), 500}, {address(kRight), 500}) {}
  ~Stranger() {
    for (const std::string& violation : world.violations()) BOOST_ERROR(violation);
  }

  using Payloads = ScriptedPeer::Payloads;
  std::optional<Payloads> ask(const model::Datagram& request) {
    const auto answers = gateway.inject(request);
    if (answers.size() != 1) return std::nullopt;
    return peer.open(answers[0].payload);
  }
  std::optional<Payloads> ask(const Payloads& payloads, ExchangeType exchange = ExchangeType::IkeAuth) {
    return ask(peer.request(exchange, payloads));
  }
  // up to the first EAP packet, which is returned
  Bytes begin() {
    const auto answers = gateway.inject(peer.init());
    BOOST_TEST_REQUIRE(peer.accept_init(answers.at(0).payload));
    Payloads first = peer.auth_payloads();
    std::erase_if(first, [](const wire::Payload& one) { return wire::type_of(one) == PayloadType::Authentication; });
    return eap_in(ask(first));
  }
  static Bytes eap_in(const std::optional<Payloads>& answer) {
    if (!answer) return {};
    for (const wire::Payload& payload : *answer) {
      if (const auto* eap = std::get_if<wire::EapPayload>(&payload)) return eap->data;
    }
    return {};
  }
  static Bytes response(ByteView request, eap::Type type, ByteView data) {
    return eap::encode_packet(eap::Code::Response, request[1], type, data);
  }
  void check_unauthenticated() {
    BOOST_TEST(gateway.ike_sas().empty());
    BOOST_TEST(gateway.kernel().sad().empty());
    BOOST_TEST(gateway.kernel().spd().empty());
  }
  void check_nothing_left() {
    check_unauthenticated();
    world.run_for(seconds(70));
    BOOST_TEST(gateway.core().ike_sas() == 0U);
    BOOST_TEST(!gateway.core().next_deadline().has_value());
  }

  World world;
  Node& gateway;
  ScriptedPeer peer;
};

}  // namespace

// CVE-2026-78135, CVE-2026-77206, CVE-2021-45079: nothing but EAP and, when that is through, AUTH
BOOST_AUTO_TEST_CASE(in_the_middle_of_eap_nothing_else_goes) {
  const Bytes success = {3, 0, 0, 4};
  for (int kind = 0; kind < 9; ++kind) {
    BOOST_TEST_CONTEXT(kind) {
      Stranger stranger;
      const Bytes request = stranger.begin();
      BOOST_TEST_REQUIRE(request.size() >= 5U);
      ScriptedPeer::Payloads payloads = stranger.peer.auth_payloads();
      ExchangeType exchange = ExchangeType::IkeAuth;
      switch (kind) {
        case 0:  // an honest AUTH of the pre-shared key, as if nothing had been
          break;
        case 1:
          payloads = {payloads[1]};
          break;
        case 2:
          payloads = {wire::EapPayload{success}};
          break;
        case 3:
          payloads = {wire::EapPayload{success}, payloads[1]};
          break;
        case 4:
          payloads = {};
          break;
        case 5:
          payloads = {wire::EapPayload{}};
          break;
        case 6:
          payloads = {wire::EapPayload{Stranger::response(request, eap::Type::Identity, as_bytes("x"))},
                      wire::EapPayload{Stranger::response(request, eap::Type::Identity, as_bytes("x"))}};
          break;
        case 7:
          exchange = ExchangeType::CreateChildSa;
          payloads = {payloads[2], wire::NoncePayload{Bytes(32, 1)}, payloads[3], payloads[4]};
          break;
        default:
          exchange = ExchangeType::Informational;
          payloads = {wire::DeletePayload{wire::ProtocolId::Ike, {}}};
          break;
      }
      const auto answer = stranger.ask(payloads, exchange);
      if (exchange == ExchangeType::CreateChildSa) BOOST_TEST(!answer.has_value());
      if (exchange == ExchangeType::Informational) {
        BOOST_TEST_REQUIRE(answer.has_value());
        BOOST_TEST(answer->empty());
      }
      if (answer && exchange == ExchangeType::IkeAuth && Stranger::eap_in(answer).empty())
        BOOST_TEST(has_notify(*answer, NotifyType::AuthenticationFailed));
      if (answer && !Stranger::eap_in(answer).empty()) BOOST_TEST(Stranger::eap_in(answer)[0] == 4);
      stranger.check_nothing_left();
    }
  }
}

// Some users' programs do not answer a refusal by EAP, but in an INFORMATIONAL (RFC 7296 2.21.2).
BOOST_AUTO_TEST_CASE(who_breaks_off_is_answered_and_what_it_was_told_is_known) {
  for (const bool known : {true, false}) {
    const std::string_view user = known ? "joe@example.com" : "eve@example.com";
    Stranger stranger;
    Bytes packet = stranger.begin();
    eap::Peer wrong(eap::Type::MsChapV2, to_bytes(as_bytes(user)), Secret(as_bytes("sesame")), stranger.world.chance());
    for (int i = 0; i < 2; ++i) packet = Stranger::eap_in(stranger.ask({wire::EapPayload{wrong.receive(packet).packet}}));
    const auto answer =
        stranger.ask({wire::NotifyPayload{NotifyType::AuthenticationFailed, wire::ProtocolId::None, {}, {}}}, ExchangeType::Informational);
    BOOST_TEST_REQUIRE(answer.has_value());
    BOOST_TEST(answer->empty());
    const model::Explanation& why = stranger.gateway.explanations().back();
    BOOST_TEST(why.vpn == "left");
    BOOST_TEST(why.reason == "it broke off EAP (AUTHENTICATION_FAILED), having been told as " + std::string(user) + " that " +
                                 (known ? "the password does not match" : "no eap-key for its EAP identity eve@example.com"));
    BOOST_TEST(!stranger.ask(stranger.peer.auth_payloads()).has_value());
    stranger.check_nothing_left();
  }
}

BOOST_AUTO_TEST_CASE(after_eap_has_failed_there_is_no_way_back) {
  Stranger stranger;
  const Bytes request = stranger.begin();
  const Bytes failure = Stranger::eap_in(stranger.ask({wire::EapPayload{Stranger::response(request, eap::Type::Nak, Bytes{4})}}));
  BOOST_TEST_REQUIRE(failure.size() == 4U);
  BOOST_TEST(failure[0] == 4);
  BOOST_TEST(!stranger.ask({wire::EapPayload{Stranger::response(request, eap::Type::Identity, as_bytes("joe@example.com"))}}).has_value());
  BOOST_TEST(!stranger.ask(stranger.peer.auth_payloads()).has_value());
  stranger.check_nothing_left();
}

// Who has the password and not the keys: EAP was passed on from elsewhere, which is what AUTH behind it is for (RFC 7296 2.16).
BOOST_AUTO_TEST_CASE(an_auth_that_is_not_made_with_what_eap_gave_is_refused) {
  for (const AuthMethod method : {AuthMethod::EapMschapv2, AuthMethod::EapMd5}) {
    Stranger stranger({.method = method, .expected = "joe@example.com"});
    Bytes packet = stranger.begin();
    eap::Peer user(method == AuthMethod::EapMd5 ? eap::Type::Md5Challenge : eap::Type::MsChapV2, to_bytes(as_bytes("joe@example.com")),
                   Secret(as_bytes("clientPass")), stranger.world.chance());
    eap::Step step = user.receive(packet);
    while (step.kind == eap::Step::Kind::Send) {
      packet = Stranger::eap_in(stranger.ask({wire::EapPayload{step.packet}}));
      step = user.receive(packet);
    }
    BOOST_CHECK(step.kind == eap::Step::Kind::Success);
    stranger.check_unauthenticated();
    const auto answer = stranger.ask({stranger.peer.auth_payloads()[1]});
    BOOST_TEST_REQUIRE(answer.has_value());
    BOOST_TEST(has_notify(*answer, NotifyType::AuthenticationFailed));
    BOOST_TEST(stranger.gateway.explanations().back().reason.find("its AUTH was not made with the key that EAP gave") == 0U);
    stranger.check_nothing_left();
  }
}

BOOST_AUTO_TEST_CASE(a_stranger_has_a_minute_and_no_more) {
  for (const bool goes_on : {false, true}) {
    Stranger stranger;
    const Bytes request = stranger.begin();
    if (goes_on) {
      stranger.world.run_for(seconds(50));
      const auto next = stranger.ask({wire::EapPayload{Stranger::response(request, eap::Type::Identity, as_bytes("joe@example.com"))}});
      BOOST_TEST(!Stranger::eap_in(next).empty());
    }
    BOOST_TEST(stranger.gateway.core().ike_sas() == 1U);
    stranger.world.run_for(seconds(goes_on ? 15 : 65));
    BOOST_TEST(stranger.gateway.core().ike_sas() == 0U);
    BOOST_TEST(stranger.gateway.explanations().back().reason == "it did not go on with EAP");
  }
}

BOOST_AUTO_TEST_SUITE_END()
