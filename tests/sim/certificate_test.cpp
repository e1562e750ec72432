// SPDX-License-Identifier: Apache-2.0
// Authentication by certificates: RFC 7296 2.15, 3.6, 3.7; RFC 7427; RFC 4754. What is accepted, what is refused and why, and what happens
// while a signer or a verifier takes its time.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

#include "sim/pair.h"
#include "sim/world/scripted_peer.h"
#include "support/ocsp.h"
#include "support/pki.h"

using namespace svti;
using namespace svti::sim;
using namespace std::chrono_literals;
using crypto::KeyType;
using model::AuthMethod;
using model::Cause;
using sa::Notice;
using test::dns;
using test::Holder;
using test::request;

namespace {

// keys of RSA take their time: made once
const Holder& root() {
  static const Holder kRoot = test::new_root("C=CH, O=Example, CN=Root");
  return kRoot;
}
const Holder& other_root() {
  static const Holder kRoot = test::new_root("C=CH, O=Other, CN=Root");
  return kRoot;
}

struct End {
  std::vector<model::LocalCertificatePtr> certificates;
  std::vector<std::shared_ptr<const model::PrivateKey>> keys;
  std::vector<model::AuthorityPtr> trusts = {test::authority("root", root())};
  AuthMethod local = AuthMethod::Certificate, remote = AuthMethod::Certificate;
  std::string local_id, remote_id;  // empty: left out

  End& with(const std::string& name, const Holder& holder, const std::vector<Bytes>& authorities = {}) {
    certificates.push_back(test::local_certificate(name, holder, authorities));
    keys.push_back(test::private_key(holder));
    return *this;
  }
  ConfigurationParts parts(model::Vpn vpn) const {
    vpn.authentication.local = local;
    vpn.authentication.remote = remote;
    vpn.authentication.certificates = certificates;
    vpn.authentication.authorities = trusts;
    if (!local_id.empty()) vpn.local_id = identity(local_id);
    if (!remote_id.empty()) vpn.remote_id = identity(remote_id);
    return {.vpns = {std::move(vpn)}, .private_keys = keys};
  }
};

// left.example and right.example, of the same root
End left_end(KeyType type = KeyType::EcdsaP256) {
  End out;
  out.with("left", test::issue(request("C=CH, O=Example, CN=left", {dns("left.example")}), root(), type), {root().certificate});
  return out;
}
End right_end(KeyType type = KeyType::EcdsaP256) {
  End out;
  out.with("right", test::issue(request("C=CH, O=Example, CN=right", {dns("right.example")}), root(), type), {root().certificate});
  return out;
}

struct Outcome {
  bool up = false;
  Cause left{}, right{};  // of the last explanation at each end
  std::string left_reason, right_reason, right_advice;
};

Outcome connect(Pair& pair) {
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(3));
  Outcome out;
  out.up = pair.left.child_sas().size() == 1 && pair.right.child_sas().size() == 1;
  if (!pair.left.explanations().empty()) {
    out.left = pair.left.explanations().back().cause;
    out.left_reason = pair.left.explanations().back().reason;
  }
  if (!pair.right.explanations().empty()) {
    out.right = pair.right.explanations().back().cause;
    out.right_reason = pair.right.explanations().back().reason;
    out.right_advice = pair.right.explanations().back().advice.text;
  }
  return out;
}

Outcome outcome(const End& left, const End& right) {
  Pair pair(left.parts(left_vpn()), right.parts(right_vpn()));
  const Outcome out = connect(pair);
  if (!out.up) {
    pair.world.run_for(seconds(60));
    pair.check_nothing_left();
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(certificates)

const std::vector<int> kTypes = {0, 1, 2, 3, 4, 5};  // of KeyType

// IKE_SA_INIT { SA, KE, Ni, N(SIGNATURE_HASH_ALGORITHMS) } -->  <-- { SA, KE, Nr, N(SIGNATURE_HASH_ALGORITHMS), CERTREQ }
// IKE_AUTH { IDi, CERT, CERTREQ, AUTH, SA, TSi, TSr } -->  <-- { IDr, CERT, AUTH, SA, TSi, TSr }
BOOST_DATA_TEST_CASE(both_ends_with_every_kind_of_key, boost::unit_test::data::make(kTypes), number) {
  const auto type = static_cast<KeyType>(number);
  Pair pair(left_end(type).parts(left_vpn()), right_end(type).parts(right_vpn()));
  pair.connect();
  pair.check_one_pair();
  BOOST_TEST(pair.right.logged("received IKE_AUTH request 1 { IDi CERT CERTREQ AUTH"));
  // without local-id the subject is who we are
  BOOST_TEST(pair.right.ike_sas()[0].remote_id == "C=CH, O=Example, CN=left");
  BOOST_TEST(pair.left.ike_sas()[0].remote_id == "C=CH, O=Example, CN=right");
  const auto certificates_are_told = [&] {
    const auto at_left = pair.left.ike_sas().at(0), at_right = pair.right.ike_sas().at(0);
    BOOST_TEST(!at_left.local_certificate.empty());
    BOOST_TEST(!at_right.local_certificate.empty());
    BOOST_CHECK(at_left.local_certificate == at_right.remote_certificate);
    BOOST_CHECK(at_right.local_certificate == at_left.remote_certificate);
  };
  certificates_are_told();
  BOOST_TEST(pair.right.rekey("left").has_value());
  pair.world.run_for(seconds(20));
  pair.check_one_pair();
  certificates_are_told();
}

BOOST_AUTO_TEST_CASE(identities_are_alternative_names_or_the_subject) {
  End left = left_end(), right = right_end();
  left.local_id = "LEFT.example";
  left.remote_id = "right.example";  // sent as IDr: right has no local-id, and is whom it is asked for
  right.remote_id = "left.example";
  Pair pair(left.parts(left_vpn()), right.parts(right_vpn()));
  pair.connect();
  BOOST_TEST(pair.left.ike_sas()[0].remote_id == "right.example");
  BOOST_TEST(pair.right.ike_sas()[0].remote_id == "LEFT.example");

  left.local_id = "C=ch, O=example, CN=LEFT";
  right.remote_id = "C=CH, O=Example, CN=*";
  left.remote_id = "C=*, O=Example, CN=right";
  BOOST_TEST(outcome(left, right).up);
  right.remote_id = "C=CH, O=Elsewhere, CN=*";
  BOOST_TEST((outcome(left, right).right == Cause::RemoteId));
}

BOOST_AUTO_TEST_CASE(nobody_is_another_than_the_certificate_says) {
  // left has a good certificate of its own, and says that it is somebody else
  End left = left_end(), right = right_end();
  model::LocalCertificate forged = *left.certificates.front();
  forged.identities.push_back(identity("boss.example"));
  left.certificates = {std::make_shared<const model::LocalCertificate>(forged)};
  left.local_id = "boss.example";
  const Outcome out = outcome(left, right);
  BOOST_TEST(!out.up);
  BOOST_TEST((out.right == Cause::RemoteId));
  BOOST_TEST(out.right_reason == "its certificate \"C=CH, O=Example, CN=left\" is not of boss.example, which it says it is");
  BOOST_TEST((out.left == Cause::Authentication));
  // and ours refuses to begin with a local-id that no certificate has
  left = left_end();
  left.local_id = "boss.example";
  BOOST_TEST((outcome(left, right).left == Cause::NoCertificate));
}

BOOST_AUTO_TEST_CASE(a_certificate_without_its_key_proves_nothing) {
  End left = left_end();
  const End thief = left_end();
  model::LocalCertificate stolen = *left.certificates.front();
  stolen.key_id = thief.keys.front()->id;
  left.certificates = {std::make_shared<const model::LocalCertificate>(stolen)};
  left.keys = thief.keys;
  const Outcome out = outcome(left, right_end());
  BOOST_TEST((out.right == Cause::WrongSignature));
  BOOST_TEST(out.right_reason == "the signature is wrong (ECDSA with SHA-256)");
}

BOOST_AUTO_TEST_CASE(only_the_authorities_of_the_vpn_are_trusted) {
  End right = right_end();
  right.trusts = {test::authority("other", other_root())};
  Outcome out = outcome(left_end(), right);
  BOOST_TEST((out.right == Cause::Certificate));
  BOOST_TEST(out.right_reason.find("neither trusted") != std::string::npos);
  BOOST_TEST(out.right_advice.find("certificate-authority") != std::string::npos);
  right.trusts.clear();
  BOOST_TEST((outcome(left_end(), right).right == Cause::Certificate));
  // the other way round: the initiator does not trust the responder
  End left = left_end();
  left.trusts = {test::authority("other", other_root())};
  out = outcome(left, right_end());
  BOOST_TEST(!out.up);
  BOOST_TEST((out.left == Cause::Certificate));
}

BOOST_AUTO_TEST_CASE(time_is_the_worlds) {
  for (const bool expired : {true, false}) {
    Pair pair(left_end().parts(left_vpn()), right_end().parts(right_vpn()));
    pair.world.wall = expired ? test::kToday + 24h * 366 : test::kToday - 24h * 2;
    const Outcome out = connect(pair);
    BOOST_TEST(!out.up);
    BOOST_TEST((out.right == Cause::Certificate));
    BOOST_TEST(out.right_reason.find(expired ? "expired on 2027-11-01" : "is valid only from 2026-10-31") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_revoked_peer_is_refused) {
  const Holder holder = test::issue(request("CN=left"), root());
  End left;
  left.with("left", holder);
  End right = right_end();
  model::Authority authority = *right.trusts.front();
  const std::string serial = crypto::read_certificate(holder.certificate)->serial;
  authority.crls = {test::need(crypto::make_revocation_list({{serial, test::kToday - 1h}}, 1, test::kToday - 1h, test::kToday + 24h,
                                                            root().certificate, root().key.view()))};
  right.trusts = {std::make_shared<const model::Authority>(authority)};
  const Outcome out = outcome(left, right);
  BOOST_TEST((out.right == Cause::Certificate));
  BOOST_TEST(out.right_reason == "certificate \"CN=left\" was revoked on 2026-10-31 23:00 UTC (serial " + serial +
                                     "), says the revocation list 01 of \"C=CH, O=Example, CN=Root\"");
}

// RFC 4806. IKE_SA_INIT --> <-- { ..., CERTREQ, CERTREQ(OCSP) }   { IDi, CERT, CERT(OCSP), CERTREQ, CERTREQ(OCSP), AUTH, ... } -->
BOOST_AUTO_TEST_CASE(an_ocsp_response_goes_with_the_certificate_to_whom_asks_for_it) {
  const auto said = [](crypto::Standing standing, const End& of) {
    return test::ocsp_response({standing, test::kToday - 1h, test::kToday + 1h}, {}, of.certificates.front()->der, root().certificate,
                               root().certificate, root().key);
  };
  const End left = left_end(), right = right_end();
  model::Vpn left_wants = left_vpn(), right_wants = right_vpn();
  left_wants.authentication.revocation = right_wants.authentication.revocation = model::Revocation::Strict;
  {
    Pair pair(left.parts(left_wants), right.parts(right_wants));
    pair.left.staple = said(crypto::Standing::Good, left);
    pair.right.staple = said(crypto::Standing::Good, right);
    BOOST_TEST(connect(pair).up);
    BOOST_TEST(pair.right.logged("received IKE_AUTH request 1 { IDi CERT CERT CERTREQ CERTREQ AUTH"));
  }
  {  // revoked, of another certificate, none
    Pair pair(left.parts(left_wants), right.parts(right_wants));
    pair.left.staple = said(crypto::Standing::Revoked, left);
    BOOST_TEST(connect(pair).right_reason.find("says the OCSP responder") != std::string::npos);
    pair.left.staple = said(crypto::Standing::Good, right);
    BOOST_TEST(connect(pair).right_reason.find("is not known") != std::string::npos);
    pair.left.staple = from_hex("3003").value();
    BOOST_TEST(connect(pair).right_reason.find("is not known") != std::string::npos);
    pair.left.staple.clear();
    BOOST_TEST(connect(pair).right_reason.find("is not known") != std::string::npos);
  }
  // who does not ask gets none
  Pair pair(left.parts(left_vpn()), right.parts(right_vpn()));
  pair.left.staple = said(crypto::Standing::Revoked, left);
  pair.connect();
  BOOST_TEST(pair.right.logged("received IKE_AUTH request 1 { IDi CERT CERTREQ AUTH"));
}

BOOST_AUTO_TEST_CASE(intermediate_authorities_are_sent) {
  crypto::CertificateRequest middle_request = request("C=CH, O=Example, CN=Middle");
  middle_request.authority = true;
  const Holder middle = test::issue(middle_request, root());
  const Holder holder = test::issue(request("CN=left"), middle);
  // known from the configuration's authorities; the root is not sent
  End left;
  left.with("left", holder, {root().certificate, middle.certificate});
  BOOST_TEST(left.certificates.front()->chain.size() == 1U);
  BOOST_TEST(left.certificates.front()->issuers.size() == 2U);
  Pair pair(left.parts(left_vpn()), right_end().parts(right_vpn()));
  pair.connect();
  BOOST_TEST(pair.right.logged("received IKE_AUTH request 1 { IDi CERT CERT CERTREQ AUTH"));
  // without it the chain has a hole
  End alone;
  alone.with("left", holder);
  BOOST_TEST((outcome(alone, right_end()).right == Cause::Certificate));
}

BOOST_AUTO_TEST_CASE(the_certificate_that_the_peer_asks_for_is_taken_else_the_first) {
  const Holder of_other = test::issue(request("CN=left of other"), other_root());
  const Holder of_root = test::issue(request("CN=left of root"), root());
  End left;
  left.with("other", of_other, {other_root().certificate}).with("root", of_root, {root().certificate});
  Pair pair(left.parts(left_vpn()), right_end().parts(right_vpn()));
  pair.connect();
  BOOST_TEST(pair.right.ike_sas()[0].remote_id == "CN=left of root");
  // asked for neither, the first goes
  End right = right_end();
  right.trusts = {test::authority("leaf", of_other)};
  Pair second(left.parts(left_vpn()), right.parts(right_vpn()));
  second.connect();
  BOOST_TEST(second.right.ike_sas()[0].remote_id == "CN=left of other");
}

BOOST_AUTO_TEST_CASE(each_end_may_have_a_method_of_its_own) {
  for (const bool left_has_certificate : {true, false}) {
    End left = left_has_certificate ? left_end() : End{};
    End right = left_has_certificate ? End{} : right_end();
    (left_has_certificate ? left.remote : left.local) = AuthMethod::PresharedKey;
    (left_has_certificate ? right.local : right.remote) = AuthMethod::PresharedKey;
    if (!left_has_certificate) left.remote_id = "C=CH, O=Example, CN=right";
    BOOST_TEST(outcome(left, right).up);
  }
  // a method that is not the one configured is refused, whatever key it would have
  End left = left_end();
  End right = right_end();
  right.remote = AuthMethod::PresharedKey;
  Outcome out = outcome(left, right);
  BOOST_TEST((out.right == Cause::AuthMethod));
  BOOST_TEST(out.right_reason == "it used authentication method 14, pre-shared-key is configured");
  left.local = AuthMethod::PresharedKey;
  out = outcome(left, right_end());
  BOOST_TEST((out.right == Cause::AuthMethod));
}

// RFC 9593: a key where a certificate is wanted is known before the identity goes out, and stands in the reason
BOOST_AUTO_TEST_CASE(what_the_peer_says_it_takes_is_compared_with_what_we_have) {
  End left = left_end(), right = right_end();
  left.local = AuthMethod::Certificate;
  right.remote = AuthMethod::PresharedKey;
  right.local = AuthMethod::Certificate;
  ConfigurationParts of_right = right.parts(right_vpn());
  of_right.global.cookie_threshold = model::GlobalOptions::kCookieAlways;  // then there is room for it
  Pair pair(left.parts(left_vpn()), std::move(of_right));
  const Outcome refused = connect(pair);
  BOOST_TEST(!refused.up);
  BOOST_TEST(pair.left.logged("the peer says that it takes pre-shared keys, and no certificate: it will refuse us (local-auth-method)"));
  BOOST_TEST(refused.left_reason.find("it has said that it takes pre-shared keys, and no certificate") != std::string::npos);

  End agreed = left_end(), other = right_end();
  Pair good(agreed.parts(left_vpn()), other.parts(right_vpn()));
  BOOST_TEST(connect(good).up);
  BOOST_TEST(good.right.logged("TSi TSr N(SUPPORTED_AUTH_METHODS) }"));
  BOOST_TEST(!good.left.logged("the peer says that"));
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_signature_keeps_nobody_and_gives_up) {
  Pair pair(left_end().parts(left_vpn()), right_end().parts(right_vpn()));
  pair.world.answer_after = seconds(3600);
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(24));
  BOOST_TEST(pair.left.core().ike_sas() == 1U);
  pair.world.run_for(seconds(20));
  BOOST_TEST(pair.left.core().ike_sas() == 0U);
  BOOST_TEST(pair.right.core().ike_sas() == 0U);
  BOOST_TEST(pair.left.explanations().back().reason == "the signer did not answer");
  // and the answer that comes at last is nobody's
  pair.world.run_for(seconds(4000));
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(slow_answers_and_retransmissions_do_not_disturb_each_other) {
  Pair pair(left_end().parts(left_vpn()), right_end().parts(right_vpn()));
  pair.world.answer_after = seconds(6);  // longer than the first retransmission
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(40));
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(a_signer_that_is_gone_is_said_to_be) {
  Pair pair(left_end().parts(left_vpn()), right_end().parts(right_vpn()));
  pair.right.signer_gone = true;
  Outcome out = connect(pair);
  BOOST_TEST(!out.up);
  BOOST_TEST((out.right == Cause::Signer));
  BOOST_TEST(out.right_reason == "certificate right cannot sign: the signer is gone");
  pair.right.signer_gone = false;
  pair.left.signer_gone = true;
  out = connect(pair);
  BOOST_TEST((out.left == Cause::Signer));
  pair.left.signer_gone = false;
  BOOST_TEST(connect(pair).up);
}

BOOST_AUTO_TEST_CASE(a_configuration_that_changed_meanwhile_does_not_let_the_peer_in) {
  Pair pair(left_end().parts(left_vpn()), right_end().parts(right_vpn()));
  pair.world.answer_after = seconds(2);
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(3));  // the verifier of right is at it
  End stricter = right_end();
  stricter.remote_id = "nobody.example";
  pair.right.apply(configuration(stricter.parts(right_vpn())));
  pair.world.run_for(seconds(10));
  BOOST_TEST(pair.right.ike_sas().empty());
}

// CVE-2021-41991: more certificates than anybody needs
BOOST_AUTO_TEST_CASE(cve_2021_41991_a_peer_may_send_as_many_certificates_as_it_likes) {
  End left = left_end();
  model::LocalCertificate many = *left.certificates.front();
  for (int i = 0; i < 100; ++i) many.chain.push_back(i % 2 == 0 ? other_root().certificate : Bytes(300, static_cast<std::uint8_t>(i)));
  left.certificates = {std::make_shared<const model::LocalCertificate>(many)};
  BOOST_TEST(outcome(left, right_end()).up);
}

// CVE-2026-77205: a bad certificate does not spoil the good one that comes next
BOOST_AUTO_TEST_CASE(cve_2026_77205_a_bad_certificate_first_and_a_good_one_then) {
  Pair pair(left_end().parts(left_vpn()), right_end().parts(right_vpn()));
  End bad;
  bad.with("left", test::issue(request("C=CH, O=Example, CN=left"), other_root()));
  pair.left.apply(configuration(bad.parts(left_vpn())));
  BOOST_TEST(!connect(pair).up);
  pair.left.apply(configuration(left_end().parts(left_vpn())));
  BOOST_TEST(connect(pair).up);
}

// CVE-2026-14957: a key of 1024 bits, the guide's; CVE-2026-50722: lengths of signatures; CVE-2026-77207: what is no certificate
BOOST_AUTO_TEST_CASE(cve_2026_14957_and_77207_keys_signatures_and_certificates_that_are_none) {
  std::ifstream in(SVTI_SOURCE_DIR "/tests/vectors/guide/certificate.conf");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::size_t begin = text.find("-----BEGIN CERTIFICATE");
  const std::string pem = text.substr(begin, text.find("-----END CERTIFICATE-----") + 25 - begin);
  model::LocalCertificate weak = test::need(auth::read_local_certificate("weak", as_bytes(pem), {}));
  End left = left_end();
  weak.key_id = left.keys.front()->id;
  const model::LocalCertificate good = *left.certificates.front();
  left.certificates = {std::make_shared<const model::LocalCertificate>(weak)};
  BOOST_TEST(outcome(left, right_end()).right_reason.find("an RSA key of 1024 bits is too weak") != std::string::npos);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, good.der.size() / 2, good.der.size() - 1}) {
    model::LocalCertificate cut = good;
    cut.der.resize(size);
    left.certificates = {std::make_shared<const model::LocalCertificate>(cut)};
    BOOST_TEST((outcome(left, right_end()).right == Cause::Certificate));
  }
}

BOOST_AUTO_TEST_CASE(lossy_networks_bring_it_up_all_the_same) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Pair pair(left_end().parts(left_vpn()), right_end().parts(right_vpn()), seed);
    pair.world.weather = {.loss = 0.2, .duplication = 0.2, .least_delay = milliseconds(5), .most_delay = milliseconds(400)};
    BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
    BOOST_TEST(pair.world.run_until([&] { return pair.left.child_sas().size() == 1 && pair.right.child_sas().size() == 1; }, seconds(160)));
  }
}

// RFC 8784: the initiator signs twice, with and without the PPK
BOOST_AUTO_TEST_CASE(signatures_are_made_with_a_ppk_and_without_it) {
  for (const bool right_has_it : {true, false}) {
    ConfigurationParts left = left_end().parts(left_vpn()), right = right_end().parts(right_vpn());
    left.vpns[0].ike.ppk_id = identity("quantum.example");
    left.ppks = {{"quantum.example", "secret"}};
    right.ppks = {{right_has_it ? "quantum.example" : "other.example", "secret"}};
    Pair pair(std::move(left), std::move(right));
    BOOST_TEST(connect(pair).up);
    pair.check_one_pair();
    BOOST_TEST(pair.right.logged("N(PPK_IDENTITY) N(NO_PPK_AUTH)"));
    BOOST_TEST(pair.left.ike_sas()[0].ppk == right_has_it);
    BOOST_TEST(pair.right.ike_sas()[0].ppk == right_has_it);
  }
}

BOOST_AUTO_TEST_SUITE_END()
