// SPDX-License-Identifier: Apache-2.0
// The other side of X.509: making keys, requests for certificates (PKCS#10), certificates and revocation lists: for `ikectl pki`, for
// tests, and in the signer's process for keys that it makes. The daemon's own process reads names by it and writes PEM, and signs nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/signature.h"
#include "crypto/trust.h"

namespace svti::crypto {

// "C=CH, O=Example Ltd, CN=gw": attributes in that order, values with a comma in double quotes. DER of the Name.
Result<Bytes> parse_name(std::string_view text);

// PKCS#8 in DER. `rsa_bits` is looked at for RSA alone, kLeastRsaBits to 16384.
Result<Secret> new_private_key(KeyType type, int rsa_bits = 3072);

// What commands call a kind of key that can be made: "ecdsa-p256", "rsa-3072".
struct KeyKind {
  std::string_view name;
  KeyType type;
  int rsa_bits;
};
std::span<const KeyKind> key_kinds();                 // the first is what is made when nothing is said
const KeyKind* find_key_kind(std::string_view name);  // null: there is none of that name

// "192.0.2.1", "gw.example.net", "user@example.net"
Result<AltName> parse_alt_name(const std::string& text);

// A request for a certificate (PKCS#10, RFC 2986) in DER, signed with the private key that the certificate is to be for. `subject` as
// parse_name() takes it. Errors of Fault::Configuration.
Result<Bytes> make_pkcs10(const std::string& subject, const std::vector<AltName>& alt_names, ByteView private_key);
struct Pkcs10 {
  std::string subject_text;  // "CN=gw", printable
  Bytes subject;             // DER of the Name
  std::vector<AltName> alt_names;
  Bytes public_key;  // SubjectPublicKeyInfo
};
// DER or PEM. Errors of Fault::Configuration; its signature is verified, so whoever made it has the private key.
Result<Pkcs10> read_pkcs10(ByteView octets);

struct CertificateRequest {
  std::string subject;  // as parse_name() takes it
  std::vector<AltName> alt_names;
  std::chrono::sys_seconds not_before, not_after;
  bool authority = false;
  std::optional<int> path_length;  // of an authority: authorities below it
  std::vector<std::string> crl_uris;
  std::vector<std::string> delta_uris{};  // Freshest CRL (RFC 5280 4.2.1.15)
  std::vector<std::string> ocsp_uris{};   // of the authority's OCSP responder
  bool ocsp_signing = false;              // the certificate is a responder's (RFC 6960 4.2.2.2)
  Bytes subject_der{};                    // the Name, taken in place of `subject` unless it is empty
};

// Both return DER; the private key is PKCS#8. A certificate of an end entity may sign, and serve both ends of IKE and of TLS.
Result<Bytes> self_sign(const CertificateRequest& request, ByteView private_key);
// `public_key` is SubjectPublicKeyInfo. Error: the private key is not the authority's, or it is none.
Result<Bytes> issue(const CertificateRequest& request, ByteView public_key, ByteView authority, ByteView authority_key);

struct RevokedCertificate {
  std::string serial;  // hexadecimal, as in CertificateFacts
  std::chrono::sys_seconds when;
};
struct RevocationList {
  std::string issuer_text;
  std::uint64_t number = 0;  // 0 when it has none
  std::chrono::sys_seconds this_update, next_update;
  std::vector<RevokedCertificate> revoked;
  std::optional<std::uint64_t> base{};  // of a delta: number of the list that it adds to
  std::vector<std::string> delta_uris{};
};
// Errors of Fault::Configuration. Nothing is verified.
Result<RevocationList> read_revocation_list(ByteView der);
// DER of a revocation list (RFC 5280 5), version 2. `base`: it is a delta, to be added to the list of that number (5.2.4). `delta_uris`:
// where its deltas are to be had (5.2.6); a delta has none.
Result<Bytes> make_revocation_list(const std::vector<RevokedCertificate>& revoked, std::uint64_t number,
                                   std::chrono::sys_seconds this_update, std::chrono::sys_seconds next_update, ByteView authority,
                                   ByteView authority_key, std::optional<std::uint64_t> base = std::nullopt,
                                   const std::vector<std::string>& delta_uris = {});

std::string to_pem(std::string_view label, ByteView der);  // label "CERTIFICATE", "X509 CRL"

}  // namespace svti::crypto
