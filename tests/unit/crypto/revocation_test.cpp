// SPDX-License-Identifier: Apache-2.0
// What lists, deltas and OCSP responders say, and whom they may speak for.
#include "crypto/revocation.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <boost/test/unit_test.hpp>

#include "crypto/credential.h"
#include "crypto/issuing.h"
#include "support/ocsp.h"

using namespace svti;
using namespace svti::crypto;
using namespace std::chrono_literals;
using test::ocsp_response;
using test::OcspSays;

namespace {

constexpr std::chrono::sys_seconds kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 1);

struct Holder {
  Secret key;
  Bytes certificate;
};

CertificateRequest request(std::string subject) {
  CertificateRequest out;
  out.subject = std::move(subject);
  out.not_before = kNow - 24h;
  out.not_after = kNow + 24h * 365;
  return out;
}

Holder root(const std::string& name) {
  CertificateRequest what = request("C=CH, O=Example, CN=" + name);
  what.authority = true;
  Secret key = new_private_key(KeyType::EcdsaP256).value();
  Bytes certificate = self_sign(what, key.view()).value();
  return {std::move(key), std::move(certificate)};
}

Holder issued(const CertificateRequest& what, const Holder& by) {
  Secret key = new_private_key(KeyType::EcdsaP256).value();
  const Bytes spki = SigningKey::from_pkcs8(key.view()).value().public_key();
  return {std::move(key), issue(what, spki, by.certificate, by.key.view()).value()};
}

struct ListOf {
  std::vector<Bytes> revoked = {};
  std::uint64_t number = 1;
  std::optional<std::uint64_t> base = {};
  std::chrono::sys_seconds next = kNow + 24h;
};
Bytes list_der(const Holder& by, const ListOf& what) {
  std::vector<RevokedCertificate> entries;
  for (const Bytes& one : what.revoked) entries.push_back({read_certificate(one)->serial, kNow - 1h});
  return make_revocation_list(entries, what.number, kNow - 24h, what.next, by.certificate, by.key.view(), what.base).value();
}
Crl list(const Holder& by, const ListOf& what) { return Crl::read(list_der(by, what)).value(); }

// another extension in a list, signed again
Bytes with_extension(const Bytes& der, const Holder& by, int nid, const char* value, const char* reason_code_of_first = nullptr) {
  const unsigned char* at = der.data();
  const Owned<X509_CRL, X509_CRL_free> crl(d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())));
  if (value != nullptr) {
    const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(X509V3_EXT_nconf_nid(nullptr, nullptr, nid, value));
    BOOST_REQUIRE(extension && X509_CRL_add_ext(crl.get(), extension.get(), -1) == 1);
  }
  if (reason_code_of_first != nullptr) {
    X509_REVOKED* entry = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl.get()), 0);
    const Owned<ASN1_ENUMERATED, ASN1_ENUMERATED_free> reason(ASN1_ENUMERATED_new());
    ASN1_ENUMERATED_set(reason.get(), std::stol(reason_code_of_first));
    BOOST_REQUIRE(X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason.get(), 0, 0) == 1);
  }
  at = by.key.view().data();
  const Owned<EVP_PKEY, EVP_PKEY_free> key(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(by.key.size())));
  BOOST_REQUIRE(X509_CRL_sign(crl.get(), key.get(), EVP_sha256()) > 0);
  return encoded(crl.get(), i2d_X509_CRL);
}

bool says(const Finding& finding, Standing standing, std::string_view part) {
  BOOST_TEST_MESSAGE(finding.why);
  return finding.standing == standing && finding.why.find(part) != std::string::npos;
}

struct Fixture {
  Holder ca = root("ca");
  Holder gw = issued(request("CN=gw"), ca);
  Holder other = issued(request("CN=other"), ca);
  Finding ask(const std::vector<Crl>& lists) const { return ask_lists(gw.certificate, ca.certificate, lists, kNow); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(revocation, Fixture)

BOOST_AUTO_TEST_CASE(a_list_is_read_in_der_and_in_pem) {
  const Bytes der = list_der(ca, {{gw.certificate}, 17});
  for (const Bytes& form : {der, to_bytes(as_bytes(to_pem("X509 CRL", der)))}) {
    const auto read = Crl::read(form);
    BOOST_TEST_REQUIRE(read.has_value());
    BOOST_TEST(read->number() == "11");
    BOOST_TEST(read->entries() == 1U);
    BOOST_TEST(!read->is_delta());
    BOOST_TEST(equal(read->der(), der));
    BOOST_TEST(read->signed_by(ca.certificate).has_value());
    BOOST_TEST(!read->signed_by(root("ca").certificate).has_value());
  }
  Bytes longer = der;
  longer.push_back(0);
  BOOST_TEST(!Crl::read(longer).has_value());
  BOOST_TEST(!Crl::read({}).has_value());
  BOOST_TEST(!Crl::read(as_bytes("<html>moved</html>")).has_value());
}

BOOST_AUTO_TEST_CASE(who_says_revoked_and_of_which_serial_number) {
  const Finding found = ask({list(ca, {{gw.certificate}, 3})});
  BOOST_TEST(says(found, Standing::Revoked,
                  "(serial " + read_certificate(gw.certificate)->serial + "), says the revocation list 03 of \"C=CH, O=Example, CN=ca\""));
}

BOOST_AUTO_TEST_CASE(a_delta_counts_with_the_base_that_it_fits) {
  const Crl base = list(ca, {{}, 5});
  BOOST_TEST(says(ask({base, list(ca, {{gw.certificate}, 6, 5})}), Standing::Revoked, "the delta revocation list 06"));
  BOOST_TEST(says(ask({list(ca, {{gw.certificate}, 6, 4}), base}), Standing::Revoked, "the delta revocation list 06"));
  // made for a later base, older than the base, of somebody else, about somebody else
  BOOST_TEST((ask({base, list(ca, {{gw.certificate}, 9, 8})}).standing == Standing::Good));
  BOOST_TEST((ask({base, list(ca, {{gw.certificate}, 4, 3})}).standing == Standing::Good));
  BOOST_TEST((ask({base, list(root("ca"), {{gw.certificate}, 6, 5})}).standing == Standing::Good));
  BOOST_TEST((ask({base, list(ca, {{other.certificate}, 6, 5})}).standing == Standing::Good));
  // alone it clears nobody
  BOOST_TEST(says(ask({list(ca, {{}, 6, 5})}), Standing::Unknown, "not the list that it adds to"));
  // RFC 5280 5.3.1: removeFromCRL takes back what was on hold, while the delta is current
  const Crl held = list(ca, {{gw.certificate}, 5});
  const auto taken_back = [&](std::chrono::sys_seconds next) {
    return Crl::read(with_extension(list_der(ca, {{gw.certificate}, 6, 5, next}), ca, 0, nullptr, "8")).value();
  };
  BOOST_TEST((ask({held}).standing == Standing::Revoked));
  BOOST_TEST((ask({held, taken_back(kNow + 1h)}).standing == Standing::Good));
  BOOST_TEST((ask({held, taken_back(kNow - 1h)}).standing == Standing::Revoked));
}

// RFC 5280 6.3.3 (b)(2), 5.2: a list about others clears nobody, though it may revoke
BOOST_AUTO_TEST_CASE(a_list_speaks_for_whom_it_covers) {
  const auto scoped = [&](const char* scope, std::vector<Bytes> revoked = {}) {
    return Crl::read(with_extension(list_der(ca, {std::move(revoked)}), ca, NID_issuing_distribution_point, scope)).value();
  };
  BOOST_TEST((ask({scoped("critical,onlyuser:TRUE")}).standing == Standing::Good));
  BOOST_TEST(says(ask({scoped("critical,onlyCA:TRUE")}), Standing::Unknown, "about authorities only"));
  BOOST_TEST(says(ask({scoped("critical,onlyCA:TRUE", {gw.certificate})}), Standing::Revoked, "was revoked"));
  BOOST_TEST(says(ask({scoped("critical,onlyAA:TRUE")}), Standing::Unknown, "something else"));
  BOOST_TEST(says(ask({scoped("critical,indirectCRL:TRUE")}), Standing::Unknown, "something else"));
  BOOST_TEST(says(ask({scoped("critical,onlysomereasons:keyCompromise")}), Standing::Unknown, "something else"));
  // parts of the certificates: the one that the certificate names
  CertificateRequest what = request("CN=parts");
  what.crl_uris = {"http://crl.example.net/2.crl"};
  const Holder parts = issued(what, ca);
  const auto part = [&](const char* scope) { return ask_lists(parts.certificate, ca.certificate, std::vector<Crl>{scoped(scope)}, kNow); };
  BOOST_TEST((part("critical,fullname:URI:http://crl.example.net/2.crl").standing == Standing::Good));
  BOOST_TEST(says(part("critical,fullname:URI:http://crl.example.net/1.crl"), Standing::Unknown, "another part"));
  const auto unknown =
      Crl::read(with_extension(list_der(ca, {}), ca, NID_invalidity_date, "critical,DER:180f32303236303130313030303030305a"));
  BOOST_TEST_REQUIRE(unknown.has_value());
  BOOST_TEST(says(ask({*unknown}), Standing::Unknown, "critical extension"));
}

BOOST_AUTO_TEST_CASE(a_responder_is_believed_when_the_authority_vouches_for_it) {
  const Bytes question = make_ocsp_request(gw.certificate, ca.certificate);
  BOOST_TEST_REQUIRE(!question.empty());
  const OcspSays good{Standing::Good, kNow - 1h, kNow + 1h};
  const auto about = [&](const OcspSays& what, const Holder& responder, ByteView nonce_of) {
    return ask_ocsp(ocsp_response(what, nonce_of, gw.certificate, ca.certificate, responder.certificate, responder.key), question,
                    gw.certificate, ca.certificate, kNow);
  };
  const Finding found = about(good, ca, question);
  BOOST_TEST((found.standing == Standing::Good));
  BOOST_TEST((found.until == kNow + 1h));
  BOOST_TEST(says(about({Standing::Revoked, kNow - 1h, kNow + 1h}, ca, question), Standing::Revoked,
                  "says the OCSP responder \"C=CH, O=Example, CN=ca\""));
  BOOST_TEST(says(about({Standing::Unknown, kNow - 1h, kNow + 1h}, ca, question), Standing::Unknown,
                  "does not know certificate \"CN=gw\" (serial"));
  // RFC 6960 4.2.2.2: whom the authority has certified for that, and nobody else
  CertificateRequest what = request("CN=responder");
  what.ocsp_signing = true;
  const Holder responder = issued(what, ca);
  BOOST_TEST((about(good, responder, question).standing == Standing::Good));
  BOOST_TEST(says(about(good, other, question), Standing::Unknown, "signed neither by"));
  BOOST_TEST(says(about(good, issued(what, root("ca")), question), Standing::Unknown, "signed neither by"));
  BOOST_TEST(says(about(good, root("ca"), question), Standing::Unknown, "signed neither by"));
  what.not_after = kNow - 1h;
  BOOST_TEST(says(about(good, issued(what, ca), question), Standing::Unknown, "signed neither by"));
  OcspSays weak = good;
  weak.weak = true;
  BOOST_TEST(says(about(weak, ca, question), Standing::Unknown, "too weak"));
  // the nonce of another question is no answer; none may come from a store
  BOOST_TEST(says(about(good, ca, make_ocsp_request(gw.certificate, ca.certificate)), Standing::Unknown, "another nonce"));
  BOOST_TEST((about(good, ca, {}).standing == Standing::Good));
}

BOOST_AUTO_TEST_CASE(an_answer_holds_in_its_time) {
  const auto at = [&](Standing standing, std::chrono::sys_seconds from, std::optional<std::chrono::sys_seconds> to) {
    return ask_ocsp(ocsp_response({standing, from, to}, {}, gw.certificate, ca.certificate, ca.certificate, ca.key), {}, gw.certificate,
                    ca.certificate, kNow);
  };
  BOOST_TEST(says(at(Standing::Good, kNow - 2h, kNow - 1h), Standing::Unknown, "out of date since 2026-10-31 23:00"));
  BOOST_TEST(says(at(Standing::Good, kNow + 1h, kNow + 2h), Standing::Unknown, "valid only from"));
  BOOST_TEST((at(Standing::Good, kNow + 1min, kNow + 2h).standing == Standing::Good));  // clocks differ
  // without nextUpdate it is about now
  BOOST_TEST((at(Standing::Good, kNow, std::nullopt).standing == Standing::Good));
  BOOST_TEST((at(Standing::Good, kNow, std::nullopt).until == kNow + 60s));
  BOOST_TEST((at(Standing::Good, kNow - 1h, std::nullopt).standing == Standing::Unknown));
  // who was revoked stays so
  BOOST_TEST((at(Standing::Revoked, kNow - 2h, kNow - 1h).standing == Standing::Revoked));
}

BOOST_AUTO_TEST_CASE(an_answer_about_another_certificate_is_none) {
  const OcspSays good{Standing::Good, kNow, kNow + 1h};
  const Bytes about_other = ocsp_response(good, {}, other.certificate, ca.certificate, ca.certificate, ca.key);
  BOOST_TEST(says(ask_ocsp(about_other, {}, gw.certificate, ca.certificate, kNow), Standing::Unknown, "about another certificate"));
  BOOST_TEST(says(ask_ocsp(from_hex("30030a0106").value(), {}, gw.certificate, ca.certificate, kNow), Standing::Unknown, "unauthorized"));
  BOOST_TEST(says(ask_ocsp(from_hex("30030a0100").value(), {}, gw.certificate, ca.certificate, kNow), Standing::Unknown,
                  "kind that is not known"));
  BOOST_TEST(says(ask_ocsp({}, {}, gw.certificate, ca.certificate, kNow), Standing::Unknown, "not an OCSP response"));
}

BOOST_AUTO_TEST_CASE(a_staple_and_what_the_peer_sends_serve_as_evidence) {
  const auto trusted = TrustedAuthorities::make(std::vector<Bytes>{ca.certificate}, {}).value();
  const auto verify = [&](const Evidence& more) { return trusted.verify(gw.certificate, {}, kNow, RevocationPolicy::Strict, more); };
  BOOST_TEST((verify({}).error().defect == ChainDefect::RevocationUnknown));
  const auto stapled = [&](Standing standing) {
    return ocsp_response({standing, kNow, kNow + 1h}, {}, gw.certificate, ca.certificate, ca.certificate, ca.key);
  };
  BOOST_TEST(verify({{}, {stapled(Standing::Good)}}).has_value());
  BOOST_TEST((verify({{}, {stapled(Standing::Revoked)}}).error().defect == ChainDefect::Revoked));
  BOOST_TEST(verify({{list(ca, {})}, {}}).has_value());
  // a list that revokes is not undone by a staple from before
  BOOST_TEST((verify({{list(ca, {{gw.certificate}})}, {stapled(Standing::Good)}}).error().defect == ChainDefect::Revoked));
}

BOOST_AUTO_TEST_CASE(a_name_in_a_directory_is_fit_for_a_uri) {
  BOOST_TEST(directory_name(ca.certificate) == "CN=ca,O=Example,C=CH");
  BOOST_TEST(directory_name(self_sign(request("O=\"A, B ?\", CN=x y"), ca.key.view()).value()) == "CN=x%20y,O=A%5C,%20B%20%3F");
}

BOOST_AUTO_TEST_SUITE_END()
