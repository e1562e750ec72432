// SPDX-License-Identifier: Apache-2.0
#include "crypto/trust.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <array>
#include <new>
#include <optional>
#include <string_view>

#include "crypto/alt_names.h"
#include "crypto/owned.h"

namespace svti::crypto {
namespace {

using std::chrono::sys_seconds;

using X509Ptr = Owned<X509, X509_free>;
using StorePtr = Owned<X509_STORE, X509_STORE_free>;
using BioPtr = Owned<BIO, BIO_free_all>;

void free_certificates(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }
using CertificateStack = Owned<STACK_OF(X509), free_certificates>;

constexpr int kSecurityLevel = 2;  // OpenSSL's: 112 bits

X509Ptr parse_x509(ByteView der) {
  const unsigned char* at = der.data();
  X509Ptr out(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (at != der.data() + der.size()) out.reset();
  return out;
}

std::string date_text(sys_seconds time) { return fmt::format("{:%Y-%m-%d %H:%M} UTC", time); }

Owned<GENERAL_NAMES, GENERAL_NAMES_free> alt_names_of(const X509* certificate) {
  return Owned<GENERAL_NAMES, GENERAL_NAMES_free>(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
}

bool is_authority(X509* certificate) { return X509_check_ca(certificate) == 1; }

// RFC 4945 5.1.3.2 and 5.1.3.12: an end entity that says what its key is for has to name signing, and something that IKE may pass for
std::optional<std::string> wrong_use(X509* certificate) {
  if ((X509_get_extension_flags(certificate) & EXFLAG_KUSAGE) != 0 &&
      (X509_get_key_usage(certificate) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0) {
    return "its key usage allows neither digitalSignature nor nonRepudiation";
  }
  const Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> uses(
      static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(certificate, NID_ext_key_usage, nullptr, nullptr)));
  if (!uses) return std::nullopt;
  static constexpr std::array kAllowed = {NID_anyExtendedKeyUsage, NID_server_auth, NID_client_auth, NID_ipsec_IKE,
                                          NID_ipsecEndSystem,      NID_ipsecTunnel, NID_ipsecUser};
  static constexpr std::string_view kIkeIntermediate = "1.3.6.1.5.5.8.2.2";
  for (int i = 0; i < sk_ASN1_OBJECT_num(uses.get()); ++i) {
    const ASN1_OBJECT* use = sk_ASN1_OBJECT_value(uses.get(), i);
    for (const int allowed : kAllowed) {
      if (OBJ_obj2nid(use) == allowed) return std::nullopt;
    }
    std::array<char, 80> dotted{};
    OBJ_obj2txt(dotted.data(), static_cast<int>(dotted.size()), use, 1);
    if (kIkeIntermediate == dotted.data()) return std::nullopt;
  }
  return "its extended key usage is for something else than IKE";
}

Result<CertificateFacts> facts_of(X509* certificate) {
  CertificateFacts out;
  const auto not_before = time_of(X509_get0_notBefore(certificate));
  const auto not_after = time_of(X509_get0_notAfter(certificate));
  if (!not_before || !not_after) return peer_error("the certificate has no readable validity");
  out.not_before = *not_before;
  out.not_after = *not_after;
  out.subject = encoded(X509_get_subject_name(certificate), i2d_X509_NAME);
  out.subject_text = text_of(X509_get_subject_name(certificate));
  out.issuer_text = text_of(X509_get_issuer_name(certificate));
  out.serial = to_hex(octets_of(X509_get0_serialNumber(certificate)));
  out.public_key = encoded(X509_get_X509_PUBKEY(certificate), i2d_X509_PUBKEY);
  out.signed_with = OBJ_nid2ln(X509_get_signature_nid(certificate));
  if (const ASN1_OCTET_STRING* id = X509_get0_subject_key_id(certificate)) out.subject_key_id = octets_of(id);
  out.is_authority = is_authority(certificate);
  read_alt_names(alt_names_of(certificate).get(), out.alt_names);
  RevocationSources sources = revocation_sources(encoded(certificate, i2d_X509));
  out.crl_uris = std::move(sources.crl_uris);
  out.delta_uris = std::move(sources.delta_uris);
  out.ocsp_uris = std::move(sources.ocsp_uris);
  return out;
}

// ---- what the verification ended with, in a sentence

ChainFailure explain(X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  X509* at = X509_STORE_CTX_get_current_cert(context);
  const std::string who = at == nullptr ? "the certificate" : "certificate \"" + text_of(X509_get_subject_name(at)) + "\"";
  const auto date = [&](const ASN1_TIME* time) { return time_of(time).has_value() ? date_text(*time_of(time)) : "an unreadable date"; };
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return {ChainDefect::Expired, who + " expired on " + date(X509_get0_notAfter(at))};
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return {ChainDefect::NotYetValid, who + " is valid only from " + date(X509_get0_notBefore(at))};
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return {ChainDefect::Untrusted, who + " was issued by \"" + (at == nullptr ? "" : text_of(X509_get_issuer_name(at))) +
                                          "\", which is neither trusted nor among the certificates that the peer sent"};
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return {ChainDefect::Untrusted, who + " is signed by itself and is not trusted"};
    case X509_V_ERR_CA_MD_TOO_WEAK:
      return {ChainDefect::Weak, who + " is signed with a hash that is too weak (MD5 or SHA-1)"};
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
      return {ChainDefect::Weak, who + " has a key that is too small: RSA needs 2048 bits"};
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_INVALID_NON_CA:
      return {ChainDefect::Constraints, who + " may not issue certificates (basic constraints)"};
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
      return {ChainDefect::Constraints,
              fmt::format("more than {} certificates stand between the peer's and a trusted one", TrustedAuthorities::kMaxDepth)};
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_SUBTREE_MINMAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
      return {ChainDefect::Constraints, who + ": " + X509_verify_cert_error_string(error)};
    default:
      return {ChainDefect::Other, who + ": " + X509_verify_cert_error_string(error)};
  }
}

tl::unexpected<ChainFailure> refused(ChainDefect defect, std::string message) {
  return tl::unexpected<ChainFailure>(ChainFailure{defect, std::move(message)});
}

}  // namespace

void read_alt_names(const STACK_OF(GENERAL_NAME) * names, std::vector<AltName>& out) {
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) out.push_back({AltName::Kind::Dns, octets_of(name->d.dNSName)});
    if (name->type == GEN_EMAIL) out.push_back({AltName::Kind::Email, octets_of(name->d.rfc822Name)});
    if (name->type == GEN_IPADD) out.push_back({AltName::Kind::Ip, octets_of(name->d.iPAddress)});
  }
}

Result<CertificateFacts> read_certificate(ByteView der) {
  const ErrorQueue queue;
  const X509Ptr certificate = parse_x509(der);
  if (!certificate) return peer_error("is not an X.509 certificate");
  return facts_of(certificate.get());
}

Result<Bytes> authority_hash(ByteView certificate_der) {
  const ErrorQueue queue;
  const X509Ptr certificate = parse_x509(certificate_der);
  if (!certificate) return peer_error("is not an X.509 certificate");
  const Bytes key = encoded(X509_get_X509_PUBKEY(certificate.get()), i2d_X509_PUBKEY);
  Bytes out(20);
  if (EVP_Digest(key.data(), key.size(), out.data(), nullptr, EVP_sha1(), nullptr) != 1) throw std::bad_alloc();
  return out;
}

Lineage lineage_of(ByteView certificate, std::span<const Bytes> known) {
  const ErrorQueue queue;
  Lineage out;
  X509Ptr below = parse_x509(certificate);
  for (int depth = 0; below && depth < TrustedAuthorities::kMaxDepth && X509_self_signed(below.get(), 0) != 1; ++depth) {
    X509Ptr above;
    for (const Bytes& der : known) {
      X509Ptr one = parse_x509(der);
      if (!one || X509_check_issued(one.get(), below.get()) != X509_V_OK) continue;
      above = std::move(one);
      out.hashes.push_back(authority_hash(der).value());
      if (X509_self_signed(above.get(), 0) != 1) out.chain.push_back(der);
      break;
    }
    below = std::move(above);
  }
  return out;
}

std::string tls_hindrance(ByteView der, TlsEnd end) {
  const ErrorQueue queue;
  const X509Ptr certificate = parse_x509(der);
  if (!certificate) return "it is not an X.509 certificate";
  const std::uint32_t flags = X509_get_extension_flags(certificate.get());
  if ((flags & EXFLAG_KUSAGE) != 0 && (X509_get_key_usage(certificate.get()) & KU_DIGITAL_SIGNATURE) == 0)
    return "its key usage does not allow digitalSignature";
  const std::uint32_t wanted = end == TlsEnd::Server ? XKU_SSL_SERVER : XKU_SSL_CLIENT;
  if ((flags & EXFLAG_XKUSAGE) != 0 && (X509_get_extended_key_usage(certificate.get()) & (wanted | XKU_ANYEKU)) == 0)
    return end == TlsEnd::Server ? "its extended key usage does not allow serverAuth" : "its extended key usage does not allow clientAuth";
  return {};
}

struct TrustedAuthorities::Impl {
  StorePtr store;
  std::vector<Crl> lists;

  // who knows says it: a staple was made for this very certificate
  Finding ask(ByteView certificate, ByteView issuer, sys_seconds at, const Evidence& more) const {
    std::vector<Crl> all = lists;
    all.insert(all.end(), more.lists.begin(), more.lists.end());
    Finding out = ask_lists(certificate, issuer, all, at);
    for (const Bytes& response : more.responses) {
      if (out.standing == Standing::Revoked) return out;
      Finding stapled = ask_ocsp(response, {}, certificate, issuer, at);
      if (stapled.standing != Standing::Unknown) out = std::move(stapled);
    }
    return out;
  }
};

Result<TrustedAuthorities> TrustedAuthorities::make(std::span<const Bytes> authorities, std::span<const Bytes> revocation_lists) {
  const ErrorQueue queue;
  auto impl = std::make_shared<Impl>();
  impl->store = owned<StorePtr>(X509_STORE_new());
  for (std::size_t i = 0; i < authorities.size(); ++i) {
    const X509Ptr authority = parse_x509(authorities[i]);
    if (!authority) return config_error("authority " + std::to_string(i + 1) + " is not an X.509 certificate");
    if (X509_STORE_add_cert(impl->store.get(), authority.get()) != 1) throw std::bad_alloc();
  }
  for (std::size_t i = 0; i < revocation_lists.size(); ++i) {
    auto list = Crl::read(revocation_lists[i]);
    if (!list) return config_error("revocation list " + std::to_string(i + 1) + " " + list.error().message);
    impl->lists.push_back(std::move(*list));
  }
  return TrustedAuthorities(std::move(impl));
}

Verification TrustedAuthorities::verify(ByteView certificate, std::span<const Bytes> intermediates, sys_seconds at, RevocationPolicy policy,
                                        const Evidence& more) const {
  const ErrorQueue queue;
  const X509Ptr leaf = parse_x509(certificate);
  if (!leaf) return refused(ChainDefect::Unreadable, "the peer's certificate cannot be read");
  const auto others = owned<CertificateStack>(sk_X509_new_null());
  for (const Bytes& der : intermediates.first(std::min(intermediates.size(), kMaxIntermediates))) {
    // what cannot be read may be of a kind that we do not know, and is not needed
    X509Ptr one = parse_x509(der);
    if (one && sk_X509_push(others.get(), one.get()) > 0) one.release();
  }

  const auto context = owned<Owned<X509_STORE_CTX, X509_STORE_CTX_free>>(X509_STORE_CTX_new());
  if (X509_STORE_CTX_init(context.get(), impl_->store.get(), leaf.get(), others.get()) != 1) throw std::bad_alloc();
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(parameters, at.time_since_epoch().count());
  X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
  X509_VERIFY_PARAM_set_depth(parameters, kMaxDepth);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  if (X509_verify_cert(context.get()) != 1) return tl::unexpected<ChainFailure>(explain(context.get()));
  if (const auto wrong = wrong_use(leaf.get()))
    return refused(ChainDefect::Purpose, "certificate \"" + text_of(X509_get_subject_name(leaf.get())) + "\": " + *wrong);

  VerifiedChain out;
  STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context.get());
  for (int i = 0; i < sk_X509_num(chain); ++i) out.certificates.push_back(encoded(sk_X509_value(chain, i), i2d_X509));
  // the last is trusted as it is
  for (std::size_t i = 0; i + 1 < out.certificates.size(); ++i) {
    Finding finding = impl_->ask(out.certificates[i], out.certificates[i + 1], at, more);
    if (finding.standing == Standing::Good) continue;
    const RevocationSources sources = revocation_sources(out.certificates[i]);
    const bool names_where = !sources.crl_uris.empty() || !sources.ocsp_uris.empty();
    out.gaps.push_back({out.certificates[i], out.certificates[i + 1], names_where, std::move(finding)});
  }
  return judge(std::move(out), policy);
}

Verification judge(VerifiedChain chain, RevocationPolicy policy) {
  std::erase_if(chain.gaps, [](const RevocationGap& gap) { return gap.finding.standing == Standing::Good; });
  for (const RevocationGap& gap : chain.gaps) {
    if (gap.finding.standing == Standing::Revoked) return refused(ChainDefect::Revoked, gap.finding.why);
  }
  chain.revocation_known = chain.gaps.empty();
  for (const RevocationGap& gap : chain.gaps) {
    chain.revocation_gap = gap.finding.why;
    if (policy == RevocationPolicy::Relaxed || (policy == RevocationPolicy::IfPossible && !gap.names_where)) continue;
    const auto facts = read_certificate(gap.certificate);
    return refused(ChainDefect::RevocationUnknown, "whether certificate \"" + (facts ? facts->subject_text : std::string()) +
                                                       "\" (serial " + (facts ? facts->serial : std::string()) +
                                                       ") is revoked is not known: " + gap.finding.why);
  }
  return chain;
}

}  // namespace svti::crypto
