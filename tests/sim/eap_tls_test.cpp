// SPDX-License-Identifier: Apache-2.0
// EAP-TLS in IKE_AUTH: RFC 5216, RFC 9190, RFC 5998. Left begins and is the user, right is the gateway.
#include <boost/test/unit_test.hpp>

#include "sim/pair.h"
#include "support/pki.h"

using namespace svti;
using namespace svti::sim;
using model::AuthMethod;
using model::Cause;
using sa::Notice;

namespace {

const test::Holder& root() {
  static const test::Holder kRoot = test::new_root("C=CH, O=Example, CN=Root");
  return kRoot;
}

struct End {
  std::string_view name;         // its certificate's, as dNSName
  std::string_view ike_id = {};  // empty: `name`
  std::string_view eap_id = {};  // local-eap-id
  std::string_view peer = {};    // remote-eap-id
  const test::Holder* issuer = nullptr;
  const test::Holder* trusts = nullptr;
  std::chrono::sys_seconds until = test::kToday + std::chrono::hours(24 * 365);
  crypto::KeyType key = crypto::KeyType::EcdsaP256;
};

test::Holder holder_of(const End& end) {
  crypto::CertificateRequest what = test::request("C=CH, O=Example, CN=" + std::string(end.name), {test::dns(end.name)});
  what.not_after = end.until;
  return test::issue(what, end.issuer == nullptr ? root() : *end.issuer, end.key);
}

ConfigurationParts parts_of(model::Vpn vpn, AuthMethod local, AuthMethod remote, const End& end, std::string_view peer) {
  const test::Holder own = holder_of(end);
  vpn.authentication.local = local;
  vpn.authentication.remote = remote;
  vpn.authentication.certificates = {test::local_certificate(std::string(end.name), own)};
  vpn.authentication.authorities = {test::authority("root", end.trusts == nullptr ? root() : *end.trusts)};
  vpn.local_id = identity(end.ike_id.empty() ? end.name : end.ike_id);
  vpn.remote_id = identity(peer);
  if (!end.eap_id.empty()) vpn.authentication.local_eap_id = identity(end.eap_id);
  if (!end.peer.empty()) vpn.authentication.remote_eap_id = identity(end.peer);
  return {.vpns = {std::move(vpn)}, .private_keys = {test::private_key(own)}};
}

struct TlsPair : Pair {
  // `gateway_by`: how the gateway proves itself
  TlsPair(AuthMethod gateway_by, const End& user, const End& gateway, std::uint64_t seed = 1)
      : Pair(parts_of(left_vpn(), AuthMethod::EapTls, gateway_by, user, gateway.ike_id.empty() ? gateway.name : gateway.ike_id),
             parts_of(right_vpn(), gateway_by, AuthMethod::EapTls, gateway, user.ike_id.empty() ? user.name : user.ike_id), seed) {}

  void try_to_connect(seconds time = seconds(5)) {
    BOOST_TEST_REQUIRE(left.initiate("right").has_value());
    world.run_for(time);
  }
  std::string reason(Node& node) { return node.explanations().empty() ? std::string() : node.explanations().back().reason; }
  void check_up(std::string_view user) {
    check_one_pair();
    BOOST_TEST(left.ike_sas()[0].eap_method == "eap-tls");
    BOOST_TEST(left.ike_sas()[0].local_eap_id == user);
    BOOST_TEST(right.ike_sas()[0].remote_eap_id == user);
  }
  void check_down(Cause left_cause, std::string_view left_reason, Cause right_cause, std::string_view right_reason) {
    BOOST_TEST(left.child_sas().empty());
    BOOST_TEST(right.child_sas().empty());
    BOOST_TEST(reason(left).find(left_reason) != std::string::npos, reason(left));
    BOOST_TEST(reason(right).find(right_reason) != std::string::npos, reason(right));
    BOOST_TEST((left.explanations().back().cause == left_cause));
    BOOST_TEST((right.explanations().back().cause == right_cause));
    BOOST_TEST(!left.explanations().back().advice.text.empty());
    BOOST_TEST(!right.explanations().back().advice.text.empty());
    world.run_for(seconds(200));
    check_nothing_left();
  }
};

const std::string kRealm = "@#" + to_hex(as_bytes("@example"));
const End kUser{.name = "joe.example"}, kGateway{.name = "gw.example"};

}  // namespace

BOOST_AUTO_TEST_SUITE(eap_tls)

BOOST_AUTO_TEST_CASE(each_kind_of_key_with_each_way_of_the_gateway_to_prove_itself) {
  for (const AuthMethod gateway : {AuthMethod::EapTls, AuthMethod::Certificate, AuthMethod::PresharedKey}) {
    for (const auto key : {crypto::KeyType::Rsa, crypto::KeyType::EcdsaP384, crypto::KeyType::Ed25519}) {
      BOOST_TEST_CONTEXT(name_of(gateway) << ' ' << crypto::to_string(key)) {
        TlsPair pair(gateway, {.name = "joe.example", .key = key}, {.name = "gw.example", .key = key});
        pair.connect();
        pair.check_up("joe.example");
        BOOST_TEST(pair.left.logged("TLSv1.3, TLS_"));
        BOOST_TEST(pair.right.logged("TLSv1.3, TLS_"));
        BOOST_TEST(pair.right.logged("N(EAP_ONLY_AUTHENTICATION)") == (gateway == AuthMethod::EapTls));
        BOOST_TEST(pair.right.rekey("left").has_value());
        pair.world.run_for(seconds(20));
        pair.check_up("joe.example");
        pair.left.close();
        pair.world.run_for(seconds(20));
        pair.check_nothing_left();
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_identity_is_asked_for_and_has_to_stand_in_the_certificate) {
  TlsPair asked(AuthMethod::EapTls, {.name = "joe.example", .ike_id = "laptop.example", .eap_id = "joe.example"},
                {.name = "gw.example", .peer = "%any"});
  asked.connect();
  asked.check_up("joe.example");

  // RFC 9190 2.1.4: the realm alone goes in clear, and the certificate says who it is
  TlsPair anonymous(AuthMethod::EapTls, {.name = "joe.example", .ike_id = "laptop.example", .eap_id = kRealm},
                    {.name = "gw.example", .peer = "*.example"});
  anonymous.connect();
  BOOST_TEST(anonymous.right.ike_sas()[0].remote_eap_id == "joe.example");

  // the gateway looks at another name than the user has
  TlsPair other(AuthMethod::EapTls, {.name = "joe.example", .ike_id = "laptop.example", .eap_id = kRealm},
                {.name = "gw.example", .peer = "*.org"});
  other.try_to_connect();
  other.check_down(Cause::Authentication, "it broke TLS off: ", Cause::Certificate, "is not of *.org, its EAP identity");

  TlsPair pattern(AuthMethod::EapTls, {.name = "joe.example", .eap_id = "joe.example"}, {.name = "gw.example", .peer = "*.org"});
  pattern.try_to_connect();
  pattern.check_down(Cause::Authentication, "it broke TLS off: ", Cause::Certificate,
                     "its EAP identity is joe.example, remote-eap-id is *.org");

  // nobody is whom its certificate does not name
  TlsPair fixed(AuthMethod::EapTls, kUser, {.name = "gw.example", .peer = "eve.example"});
  fixed.try_to_connect();
  fixed.check_down(Cause::Authentication, "it broke TLS off: ", Cause::Certificate, "is not of eve.example, its EAP identity");
  TlsPair gateway(AuthMethod::EapTls, kUser, {.name = "gw.example", .ike_id = "other.example"});
  gateway.try_to_connect();
  gateway.check_down(Cause::Certificate, "is not of other.example, who the gateway has to be", Cause::Authentication, "it broke TLS off: ");
  TlsPair mine(AuthMethod::EapTls, {.name = "joe.example", .eap_id = "eve.example"}, kGateway);
  mine.try_to_connect();
  BOOST_TEST(mine.reason(mine.left).find("none of our certificates is of eve.example, our EAP identity") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_gateway_that_proved_itself_before_may_have_a_server_of_another_name) {
  for (const std::string_view server : {"", "gw.example", "*.example", "other.example"}) {
    BOOST_TEST_CONTEXT(server) {
      TlsPair pair(AuthMethod::PresharedKey, {.name = "joe.example", .peer = server}, {.name = "gw.example", .ike_id = "site.example"});
      pair.try_to_connect();
      const bool up = server == "gw.example" || server == "*.example";
      BOOST_TEST(pair.left.child_sas().size() == (up ? 1U : 0U));
      if (!up) BOOST_TEST(pair.reason(pair.left).find("who the gateway has to be") != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_chain_that_is_not_trusted_is_refused_and_both_ends_know_why) {
  const test::Holder other = test::new_root("C=CH, O=Other, CN=Root");
  TlsPair user(AuthMethod::EapTls, {.name = "joe.example", .issuer = &other}, kGateway);
  user.try_to_connect();
  user.check_down(Cause::Authentication, "it broke TLS off: unknown CA", Cause::Certificate,
                  "EAP with joe.example failed: certificate \"C=CH, O=Example, CN=joe.example\" was issued by \"C=CH, O=Other, CN=Root\"");
  TlsPair gateway(AuthMethod::EapTls, kUser, {.name = "gw.example", .issuer = &other});
  gateway.try_to_connect();
  gateway.check_down(Cause::Certificate, "was issued by \"C=CH, O=Other, CN=Root\"", Cause::Authentication, "it broke TLS off: unknown CA");

  TlsPair expired(AuthMethod::EapTls, {.name = "joe.example", .until = test::kToday - std::chrono::hours(1)}, kGateway);
  expired.try_to_connect();
  expired.check_down(Cause::Authentication, "it broke TLS off: certificate expired", Cause::Certificate, "expired on ");
}

BOOST_AUTO_TEST_CASE(without_the_signer_it_fails_and_says_so) {
  for (const bool at_gateway : {false, true}) {
    TlsPair pair(AuthMethod::EapTls, kUser, kGateway);
    (at_gateway ? pair.right : pair.left).signer_gone = true;
    pair.try_to_connect();
    const auto signer = at_gateway ? Cause::Authentication : Cause::Signer, told = at_gateway ? Cause::Signer : Cause::Authentication;
    const std::string_view why = "our certificate cannot sign: the signer is gone", alert = "it broke TLS off: internal error";
    pair.check_down(signer, at_gateway ? alert : why, told, at_gateway ? why : alert);
  }
}

// Who answers late is waited for, and not for ever.
BOOST_AUTO_TEST_CASE(an_answer_may_come_later_or_never) {
  TlsPair slow(AuthMethod::EapTls, kUser, kGateway);
  slow.world.answer_after = seconds(2);
  slow.try_to_connect(seconds(30));
  slow.check_up("joe.example");

  TlsPair never(AuthMethod::EapTls, kUser, kGateway);
  never.world.answer_after = seconds(1000);
  never.try_to_connect(seconds(60));
  BOOST_TEST(never.reason(never.right).find("the signer did not answer in time") != std::string::npos, never.reason(never.right));
  never.world.run_for(seconds(300));
  BOOST_TEST(never.right.ike_sas().empty());
}

BOOST_AUTO_TEST_CASE(lost_and_doubled_messages_do_no_harm) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    BOOST_TEST_CONTEXT(seed) {
      TlsPair pair(seed % 2 == 0 ? AuthMethod::EapTls : AuthMethod::Certificate, kUser, kGateway, seed);
      pair.world.weather = {.loss = 0.1, .duplication = 0.1, .least_delay = milliseconds(10), .most_delay = milliseconds(200)};
      for (int attempt = 0; attempt < 5 && pair.left.child_sas().empty(); ++attempt) pair.try_to_connect(seconds(200));
      pair.world.weather = {};
      pair.world.run_for(seconds(200));
      pair.check_one_pair();
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
