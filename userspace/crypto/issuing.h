// SPDX-License-Identifier: Apache-2.0
// The other side of X.509: making keys, certificates and revocation lists, for `ikectl pki` and for tests. The daemon does not use it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
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
