// SPDX-License-Identifier: Apache-2.0
// X.509 as IKE uses it (RFC 4945, RFC 5280): what a certificate says, and whether authorities that are trusted vouch for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/revocation.h"

namespace svti::crypto {

struct AltName {
  enum class Kind : std::uint8_t { Dns, Email, Ip };  // dNSName, rfc822Name, iPAddress
  Kind kind{};
  Bytes data;  // text, or 4 or 16 octets

  bool operator==(const AltName&) const = default;
};

struct CertificateFacts {
  Bytes subject;             // DER of the Name, as in an ID payload of type ID_DER_ASN1_DN
  std::string subject_text;  // "C=CH, O=Example, CN=gw", printable
  std::string issuer_text;
  std::string serial;  // hexadecimal
  std::vector<AltName> alt_names;
  std::chrono::sys_seconds not_before, not_after;
  Bytes public_key;         // SubjectPublicKeyInfo in DER
  std::string signed_with;  // "ecdsa-with-SHA256"
  Bytes subject_key_id;     // its subjectKeyIdentifier; empty: it has none
  bool is_authority = false;
  std::vector<std::string> crl_uris;    // distribution points, http and ldap
  std::vector<std::string> delta_uris;  // Freshest CRL
  std::vector<std::string> ocsp_uris;   // authority information access
};

// Errors of Fault::Peer: not one certificate in DER. Nothing is verified; the strings are what the certificate claims.
Result<CertificateFacts> read_certificate(ByteView der);

// What a CERTREQ payload of encoding 4 names an authority by: SHA-1 of its SubjectPublicKeyInfo (RFC 7296 3.7). 20 octets.
Result<Bytes> authority_hash(ByteView certificate_der);

// The authorities above a certificate, as far as `known` has them.
struct Lineage {
  std::vector<Bytes> chain;   // DER, the issuer first; without one that is signed by itself
  std::vector<Bytes> hashes;  // authority_hash() of each, of that one too
};
// By names and key identifiers; no signature is verified. What cannot be read has no lineage.
Lineage lineage_of(ByteView certificate, std::span<const Bytes> known);

// Why a certificate may not be an end's within TLS (RFC 5280 4.2.1.3, 4.2.1.12, RFC 5216 5.3): a sentence about "its" key usage; empty: it
// may. One that does not say what its key is for may.
enum class TlsEnd : std::uint8_t { Client, Server };
std::string tls_hindrance(ByteView certificate, TlsEnd end);

enum class RevocationPolicy : std::uint8_t {
  Relaxed,     // refused only when known to be revoked
  IfPossible,  // refused too when the certificate names where to ask, and there is no valid answer ("ifuri")
  Strict,      // refused without a valid answer
};

// What speaks against a certificate.
enum class ChainDefect : std::uint8_t {
  Unreadable,
  Untrusted,  // no authority that is trusted stands above it
  Expired,
  NotYetValid,
  Weak,         // MD5, SHA-1, a key that is too small
  Constraints,  // of an authority: what it may issue, to whom, how deep
  Purpose,      // key usage, extended key usage
  Revoked,
  RevocationUnknown,  // and the policy wants it known
  Other,
};
struct ChainFailure {
  ChainDefect defect{};
  std::string message;  // which certificate, and why: a sentence without a final stop
};

// A certificate of a chain of which it is not known whether it is revoked.
struct RevocationGap {
  Bytes certificate, issuer;  // DER
  bool names_where = false;   // the certificate says where to ask
  Finding finding;            // Unknown; who has asked elsewhere puts the answer here, before judge()
};

// A chain that was verified.
struct VerifiedChain {
  std::vector<Bytes> certificates;  // DER, the end entity first, the trusted authority last
  bool revocation_known = false;    // a valid answer spoke for each certificate below the trusted one
  std::string revocation_gap;       // whose list is missing or out of date, when it is not known
  std::vector<RevocationGap> gaps;  // empty when it is known
};
using Verification = tl::expected<VerifiedChain, ChainFailure>;

// What the policy makes of the gaps: those that are filled by now go, the rest is refused or stays.
Verification judge(VerifiedChain chain, RevocationPolicy policy);

// Authorities that are trusted, and the revocation lists at hand. Immutable; copies share it; may be used from several threads.
class TrustedAuthorities {
 public:
  // DER each. Errors of Fault::Configuration name the one (counted from 1) that cannot be read.
  static Result<TrustedAuthorities> make(std::span<const Bytes> authorities, std::span<const Bytes> revocation_lists);

  // Verifies `certificate` at time `at`, with intermediates from the peer (at most kMaxIntermediates are looked at): signatures of at
  // least 112 bits of strength (no MD5, no SHA-1, RSA of 2048 bits), validity, basic constraints, path length, name constraints, key usage,
  // revocation, by the lists at hand and by what else there is. An authority that is trusted need not be a root.
  Verification verify(ByteView certificate, std::span<const Bytes> intermediates, std::chrono::sys_seconds at, RevocationPolicy policy,
                      const Evidence& more = {}) const;

  static constexpr std::size_t kMaxIntermediates = 16;
  static constexpr int kMaxDepth = 8;  // certificates between the end entity and the trusted authority

 private:
  struct Impl;
  explicit TrustedAuthorities(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace svti::crypto
