// SPDX-License-Identifier: Apache-2.0
// Chains of certificates: who is trusted, and why not. The bad ones of the guide are in tests/vectors/guide.
#include "crypto/trust.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

#include "crypto/credential.h"
#include "crypto/issuing.h"
#include "crypto/owned.h"

using namespace svti;
using namespace svti::crypto;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::sys_seconds kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 1);

CertificateRequest request(std::string subject, bool authority = false) {
  CertificateRequest out;
  out.subject = std::move(subject);
  out.not_before = kNow - 24h;
  out.not_after = kNow + 24h * 365;
  out.authority = authority;
  return out;
}

struct Holder {
  Secret key;
  Bytes certificate;
};

Bytes public_key(const Secret& key) { return SigningKey::from_pkcs8(key.view()).value().public_key(); }

Holder root(const std::string& name, KeyType type = KeyType::EcdsaP256) {
  Secret key = new_private_key(type).value();
  Bytes certificate = self_sign(request("C=CH, O=Example, CN=" + name, true), key.view()).value();
  return {std::move(key), std::move(certificate)};
}

Holder issued(const CertificateRequest& what, const Holder& by, KeyType type = KeyType::EcdsaP256) {
  Secret key = new_private_key(type).value();
  auto certificate = issue(what, public_key(key), by.certificate, by.key.view());
  BOOST_REQUIRE_MESSAGE(certificate, (certificate ? "" : certificate.error().message));
  return {std::move(key), std::move(*certificate)};
}

struct Question {
  std::vector<Bytes> authorities;
  std::vector<Bytes> lists = {};
  std::vector<Bytes> intermediates = {};
  std::chrono::sys_seconds at = kNow;
  RevocationPolicy policy = RevocationPolicy::Relaxed;
};

Verification ask(const Bytes& certificate, const Question& question) {
  const auto trusted = TrustedAuthorities::make(question.authorities, question.lists);
  BOOST_REQUIRE_MESSAGE(trusted, (trusted ? "" : trusted.error().message));
  return trusted->verify(certificate, question.intermediates, question.at, question.policy);
}

// "ok", or why not
std::string verdict(const Bytes& certificate, const Question& question) {
  const auto chain = ask(certificate, question);
  return chain ? "ok" : chain.error().message;
}

bool says(const std::string& text, std::string_view part) {
  BOOST_TEST_MESSAGE(text);
  return text.find(part) != std::string::npos;
}

// the certificate signed anew by `by`, after `change`: what the issuing side of this product does not write
template <typename Change>
Bytes signed_anew(const Bytes& certificate_der, const Holder& by, const EVP_MD* hash, Change change) {
  const unsigned char* at = certificate_der.data();
  const Owned<X509, X509_free> certificate(d2i_X509(nullptr, &at, static_cast<long>(certificate_der.size())));
  at = by.key.view().data();
  const Owned<EVP_PKEY, EVP_PKEY_free> key(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(by.key.size())));
  change(certificate.get());
  BOOST_REQUIRE(X509_sign(certificate.get(), key.get(), hash) > 0);
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate.get(), &der);
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

void add_constraints(X509* certificate, const char* constraints) {
  const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(X509V3_EXT_nconf_nid(nullptr, nullptr, NID_name_constraints, constraints));
  BOOST_REQUIRE(X509_add_ext(certificate, extension.get(), -1) == 1);
}

void constrain(Holder& holder, const char* constraints) {
  holder.certificate =
      signed_anew(holder.certificate, holder, EVP_sha256(), [&](X509* certificate) { add_constraints(certificate, constraints); });
}

// one extension in place of what there is; the signature does not fit any more
Bytes changed(const Bytes& der, int nid, const char* value) {
  const unsigned char* at = der.data();
  const Owned<X509, X509_free> certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  for (int i = X509_get_ext_by_NID(certificate.get(), nid, -1); i >= 0; i = X509_get_ext_by_NID(certificate.get(), nid, -1))
    X509_EXTENSION_free(X509_delete_ext(certificate.get(), i));
  if (value != nullptr) {
    const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(X509V3_EXT_nconf_nid(nullptr, nullptr, nid, value));
    X509_add_ext(certificate.get(), extension.get(), -1);
  }
  // encoded anew, with the change
  unsigned char* raw = nullptr;
  const int size =
      i2d_re_X509_tbs(certificate.get(), &raw) > 0 ? (OPENSSL_free(raw), raw = nullptr, i2d_X509(certificate.get(), &raw)) : -1;
  BOOST_REQUIRE(size > 0);
  Bytes out(raw, raw + size);
  OPENSSL_free(raw);
  return out;
}

// the PEM block of that label in a file of the guide's configurations
std::string pem_in(const std::string& file, const std::string& label) {
  std::ifstream in(std::string(SVTI_SOURCE_DIR "/tests/vectors/guide/") + file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::string end = "-----END " + label + "-----";
  const auto first = text.find("-----BEGIN " + label + "-----");
  BOOST_REQUIRE(first != std::string::npos);
  return text.substr(first, text.find(end, first) + end.size() - first) + "\n";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(trust)

BOOST_AUTO_TEST_CASE(a_certificate_says_who_it_is) {
  const Holder ca = root("ca");
  CertificateRequest what = request("C=CH, O=\"Example, Ltd\", CN=gw");
  what.alt_names = {{AltName::Kind::Dns, to_bytes(as_bytes("gw.example.net"))},
                    {AltName::Kind::Email, to_bytes(as_bytes("ops@example.net"))},
                    {AltName::Kind::Ip, from_hex("c0000201").value()}};
  what.crl_uris = {"http://crl.example.net/ca.crl", "ldap://ldap.example.net/cn=ca"};
  const auto facts = read_certificate(issued(what, ca, KeyType::Ed25519).certificate);
  BOOST_TEST_REQUIRE(facts.has_value());
  BOOST_TEST(facts->subject_text == "C=CH, O=Example\\, Ltd, CN=gw");
  BOOST_TEST(facts->issuer_text == "C=CH, O=Example, CN=ca");
  BOOST_TEST((facts->alt_names == what.alt_names));
  BOOST_TEST((facts->crl_uris == what.crl_uris));
  BOOST_TEST((facts->not_after == what.not_after));
  BOOST_TEST(!facts->is_authority);
  BOOST_TEST(equal(facts->subject, parse_name(what.subject).value()));
  BOOST_TEST((VerifyingKey::from_spki(facts->public_key)->type() == KeyType::Ed25519));
  BOOST_TEST(!read_certificate(from_hex("3003020100").value()).has_value());
}

BOOST_AUTO_TEST_CASE(only_what_a_trusted_authority_signed_is_trusted) {
  const Holder ours = root("ours");
  const Holder theirs = root("theirs", KeyType::Ed25519);
  const Holder same_name = root("ours");
  const Bytes gw = issued(request("CN=gw"), ours, KeyType::Rsa).certificate;
  BOOST_TEST(verdict(gw, {{ours.certificate}}) == "ok");
  BOOST_TEST(verdict(gw, {{theirs.certificate, ours.certificate}}) == "ok");
  BOOST_TEST(says(verdict(gw, {{theirs.certificate}}), "issued by \"C=CH, O=Example, CN=ours\", which is neither trusted"));
  BOOST_TEST(verdict(gw, {{same_name.certificate}}) != "ok");
  BOOST_TEST(verdict(gw, {}) != "ok");
  BOOST_TEST(says(verdict(self_sign(request("CN=gw"), new_private_key(KeyType::EcdsaP256)->view()).value(), {{ours.certificate}}),
                  "signed by itself"));
  // CVE-2026-77205: a bad certificate before the good one changes nothing
  BOOST_TEST(verdict(gw, {{ours.certificate}, {}, {from_hex("30").value(), theirs.certificate, same_name.certificate}}) == "ok");
}

BOOST_AUTO_TEST_CASE(a_chain_goes_through_authorities_only) {
  const Holder ca = root("ca");
  CertificateRequest below = request("CN=below", true);
  below.path_length = 0;
  const Holder intermediate = issued(below, ca);
  const Bytes gw = issued(request("CN=gw"), intermediate).certificate;
  BOOST_TEST(says(verdict(gw, {{ca.certificate}}), "CN=below"));
  const auto chain = ask(gw, {{ca.certificate}, {}, {intermediate.certificate}});
  BOOST_TEST_REQUIRE(chain.has_value());
  BOOST_TEST(chain->certificates.size() == 3U);
  // an authority below a root may be trusted by itself
  BOOST_TEST(verdict(gw, {{intermediate.certificate}}) == "ok");

  const Holder too_deep = issued(request("CN=too deep", true), intermediate);
  const Bytes far = issued(request("CN=far"), too_deep).certificate;
  BOOST_TEST(says(verdict(far, {{ca.certificate}, {}, {intermediate.certificate, too_deep.certificate}}), "path length"));

  const Holder end_entity = issued(request("CN=end entity"), ca);
  BOOST_TEST(!issue(request("CN=gw"), public_key(end_entity.key), end_entity.certificate, end_entity.key.view()).has_value());
}

BOOST_AUTO_TEST_CASE(validity_is_that_of_the_time_given) {
  const Holder ca = root("ca");
  CertificateRequest what = request("CN=gw");
  what.not_after = kNow + 1h;
  const Bytes gw = issued(what, ca).certificate;
  BOOST_TEST(verdict(gw, {{ca.certificate}, {}, {}, kNow + 59min}) == "ok");
  BOOST_TEST(says(verdict(gw, {{ca.certificate}, {}, {}, kNow + 2h}), "\"CN=gw\" expired on 2026-11-01 01:00 UTC"));
  BOOST_TEST(says(verdict(gw, {{ca.certificate}, {}, {}, kNow - 48h}), "valid only from 2026-10-31"));
}

BOOST_AUTO_TEST_CASE(who_is_revoked_is_refused_and_who_may_be_only_when_told_so) {
  const Holder ca = root("ca");
  const Holder other = root("other");
  CertificateRequest what = request("CN=gw");
  what.crl_uris = {"http://crl.example.net/ca.crl"};
  const Bytes gw = issued(what, ca).certificate;
  const Bytes silent = issued(request("CN=silent"), ca).certificate;
  const auto list = [&](const Holder& by, const std::vector<Bytes>& revoked, std::chrono::hours next = 24h) {
    std::vector<RevokedCertificate> entries;
    for (const Bytes& one : revoked) entries.push_back({read_certificate(one)->serial, kNow - 1h});
    return make_revocation_list(entries, 1, kNow - 24h, kNow + next, by.certificate, by.key.view()).value();
  };
  const auto with = [&](std::vector<Bytes> lists, RevocationPolicy policy) {
    return Question{{ca.certificate}, std::move(lists), {}, kNow, policy};
  };
  using enum RevocationPolicy;
  BOOST_TEST(says(verdict(gw, with({list(ca, {gw})}, Relaxed)), "\"CN=gw\" was revoked on 2026-10-31 23:00 UTC"));
  BOOST_TEST(verdict(gw, with({list(ca, {silent})}, Strict)) == "ok");
  BOOST_TEST(ask(gw, with({list(ca, {})}, Relaxed))->revocation_known);
  // nobody to ask
  BOOST_TEST(verdict(gw, with({}, Relaxed)) == "ok");
  BOOST_TEST(!ask(gw, with({}, Relaxed))->revocation_known);
  BOOST_TEST(says(verdict(gw, with({}, IfPossible)), "is not known: there is no revocation list"));
  BOOST_TEST(verdict(silent, with({}, IfPossible)) == "ok");
  BOOST_TEST(says(verdict(silent, with({}, Strict)), "is not known"));
  // a list that is out of date does not speak for anybody, but what it revoked stays revoked
  BOOST_TEST(says(verdict(gw, with({list(ca, {}, -1h)}, Strict)), "out of date since 2026-10-31"));
  BOOST_TEST(says(verdict(gw, with({list(ca, {gw}, -1h)}, Relaxed)), "was revoked"));
  // somebody else's list, and one in the authority's name that it did not sign
  BOOST_TEST(says(verdict(gw, with({list(other, {gw})}, Strict)), "there is no revocation list"));
  const Holder impostor = root("ca");
  BOOST_TEST(verdict(gw, with({list(impostor, {gw})}, Relaxed)) == "ok");
  BOOST_TEST(says(verdict(gw, with({list(impostor, {})}, Strict)), "wrong signature"));
}

// CVE-2026-35331: each kind of name, what is permitted and what is excluded, and an authority in between
BOOST_AUTO_TEST_CASE(name_constraints_bind_those_below) {
  const auto alt_name = [](AltName::Kind kind, Bytes data, std::string subject = "CN=gw") {
    CertificateRequest out = request(std::move(subject));
    out.alt_names = {{kind, std::move(data)}};
    return out;
  };
  const auto dns = [&](std::string_view name) { return alt_name(AltName::Kind::Dns, to_bytes(as_bytes(name))); };
  const auto email = [&](std::string_view name) { return alt_name(AltName::Kind::Email, to_bytes(as_bytes(name))); };
  const auto ip = [&](const char* hex) { return alt_name(AltName::Kind::Ip, from_hex(hex).value()); };
  const struct {
    const char* constraints;
    CertificateRequest what;
    const char* verdict;
  } cases[] = {
      {"permitted;DNS:example.net", dns("gw.example.net"), "ok"},
      {"permitted;DNS:example.net", dns("gw.example.org"), "permitted subtree violation"},
      {"permitted;DNS:example.net", dns("gw.notexample.net"), "permitted subtree violation"},
      {"excluded;DNS:example.net", dns("gw.example.net"), "excluded subtree violation"},
      {"excluded;DNS:example.net", dns("GW.EXAMPLE.NET"), "excluded subtree violation"},
      {"permitted;email:example.net", email("joe@example.net"), "ok"},
      {"permitted;email:example.net", email("joe@example.org"), "permitted subtree violation"},
      {"permitted;IP:192.0.2.0/255.255.255.0", ip("c0000207"), "ok"},
      {"permitted;IP:192.0.2.0/255.255.255.0", ip("c6336401"), "permitted subtree violation"},
      {"excluded;IP:192.0.2.0/255.255.255.0", ip("c0000207"), "excluded subtree violation"},
      // constraints on other kinds of names do not bind these
      {"permitted;email:example.net", dns("gw.example.org"), "ok"},
      // without a subjectAltName, who has a host's name for its common name is bound by those on dNSNames
      {"permitted;DNS:example.net", request("CN=gw.example.org"), "permitted subtree violation"},
  };
  for (const auto& [constraints, what, expected] : cases) {
    Holder ca = root("ca");
    constrain(ca, constraints);
    BOOST_TEST_CONTEXT(constraints) {
      BOOST_TEST(says(verdict(issued(what, ca).certificate, {{ca.certificate}}), expected));
      const Holder below = issued(request("CN=below", true), ca);
      BOOST_TEST(says(verdict(issued(what, below).certificate, {{ca.certificate}, {}, {below.certificate}}), expected));
    }
  }
  // and those of an authority in between
  const Holder ca = root("ca");
  Holder below = issued(request("CN=below", true), ca);
  below.certificate = signed_anew(below.certificate, ca, EVP_sha256(),
                                  [](X509* certificate) { add_constraints(certificate, "permitted;DNS:example.net"); });
  BOOST_TEST(verdict(issued(dns("gw.example.net"), below).certificate, {{ca.certificate}, {}, {below.certificate}}) == "ok");
  BOOST_TEST(
      says(verdict(issued(dns("gw.example.org"), below).certificate, {{ca.certificate}, {}, {below.certificate}}), "permitted subtree"));
}

BOOST_AUTO_TEST_CASE(signatures_with_a_weak_hash_are_refused) {
  const Holder ca = root("ca", KeyType::Rsa);
  const Bytes good = issued(request("CN=gw"), ca).certificate;
  const auto with = [&](const EVP_MD* hash) { return verdict(signed_anew(good, ca, hash, [](X509*) {}), {{ca.certificate}}); };
  BOOST_TEST(with(EVP_sha512()) == "ok");
  for (const EVP_MD* hash : {EVP_md5(), EVP_sha1()})
    BOOST_TEST(says(with(hash), "\"CN=gw\" is signed with a hash that is too weak (MD5 or SHA-1)"));
}

BOOST_AUTO_TEST_CASE(the_guides_example_certificates_are_refused) {
  const auto der = [](const std::string& file, CertificateKind kind, const std::string& label) {
    const auto parsed = parse_certificate(as_bytes(pem_in(file, label)), kind);
    BOOST_REQUIRE_MESSAGE(parsed, (parsed ? "" : parsed.error().message));
    return parsed->der;
  };
  const Bytes own = der("certificate.conf", CertificateKind::X509, "CERTIFICATE");
  const Bytes authority = der("certificate-authority.conf", CertificateKind::X509, "CERTIFICATE");
  const Bytes list = der("crl.conf", CertificateKind::Crl, "X509 CRL");
  BOOST_TEST(read_certificate(own).has_value());
  const auto facts = read_certificate(own).value();
  BOOST_TEST(facts.signed_with == "md5WithRSAEncryption");
  BOOST_TEST(read_certificate(authority)->signed_with == "md5WithRSAEncryption");
  BOOST_TEST((facts.not_after < kNow));
  // valid in time: refused for what it is made of
  BOOST_TEST(says(verdict(own, {{authority}, {list}, {}, facts.not_before + 24h}), "too small"));
  BOOST_TEST(says(VerifyingKey::from_spki(facts.public_key).error().message, "1024 bits is too weak"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_issued_is_said) {
  const Holder ca = root("ca");
  const Holder other = root("other");
  const Bytes key = public_key(other.key);
  BOOST_TEST(says(issue(request("gw"), key, ca.certificate, ca.key.view()).error().message, "not ATTRIBUTE=VALUE"));
  BOOST_TEST(says(issue(request("XX=gw"), key, ca.certificate, ca.key.view()).error().message, "attribute XX"));
  BOOST_TEST(says(issue(request("CN=gw"), key, ca.certificate, other.key.view()).error().message, "not that of the authority"));
  BOOST_TEST(says(new_private_key(KeyType::Rsa, 1024).error().message, "2048"));
  BOOST_TEST(says(make_revocation_list({{"xyz", kNow}}, 1, kNow, kNow, ca.certificate, ca.key.view()).error().message, "serial number"));
}

// RFC 5216 5.3
BOOST_AUTO_TEST_CASE(what_tls_wants_of_a_certificate) {
  const Bytes ours = issued(request("C=CH, O=Example, CN=gw"), root("Root")).certificate;
  BOOST_TEST(tls_hindrance(ours, TlsEnd::Server) == "");
  BOOST_TEST(tls_hindrance(ours, TlsEnd::Client) == "");
  const Bytes client = changed(ours, NID_ext_key_usage, "clientAuth");
  BOOST_TEST(tls_hindrance(client, TlsEnd::Client) == "");
  BOOST_TEST(tls_hindrance(client, TlsEnd::Server) == "its extended key usage does not allow serverAuth");
  const Bytes server = changed(ours, NID_ext_key_usage, "serverAuth");
  BOOST_TEST(tls_hindrance(server, TlsEnd::Server) == "");
  BOOST_TEST(tls_hindrance(server, TlsEnd::Client) == "its extended key usage does not allow clientAuth");
  BOOST_TEST(tls_hindrance(changed(ours, NID_ext_key_usage, "anyExtendedKeyUsage"), TlsEnd::Client) == "");
  BOOST_TEST(tls_hindrance(changed(ours, NID_ext_key_usage, "emailProtection"), TlsEnd::Client) ==
             "its extended key usage does not allow clientAuth");
  BOOST_TEST(tls_hindrance(changed(ours, NID_key_usage, "nonRepudiation"), TlsEnd::Client) ==
             "its key usage does not allow digitalSignature");
  BOOST_TEST(tls_hindrance(changed(changed(ours, NID_key_usage, nullptr), NID_ext_key_usage, nullptr), TlsEnd::Server) == "");
  BOOST_TEST(tls_hindrance(Bytes{0x30}, TlsEnd::Client) == "it is not an X.509 certificate");
}

BOOST_AUTO_TEST_SUITE_END()
