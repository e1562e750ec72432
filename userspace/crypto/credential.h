// SPDX-License-Identifier: Apache-2.0
// Certificates, revocation lists and private keys as files and clients bring them: DER or PEM in, what can be told of them out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

namespace svti::crypto {

enum class CertificateKind : std::uint8_t { X509, Crl, PublicKey };

struct Certificate {
  CertificateKind kind{};
  Bytes der;
  std::string subject;  // "C=CH, O=Example, CN=gw"; of a revocation list its issuer; empty for a public key
  Bytes key_id;         // SHA-1 over the subjectPublicKey bits (RFC 5280 4.2.1.2 (1)); empty for a revocation list
  bool ca = false;      // may issue certificates

  bool operator==(const Certificate&) const = default;
};

// Errors of Fault::Configuration: not of that kind, or octets left over behind DER. Nothing is verified.
Result<Certificate> parse_certificate(ByteView octets, CertificateKind kind);

// Several in PEM, at most kMaxInOneText of one kind and nothing else, or one in DER.
inline constexpr std::size_t kMaxInOneText = 64;
Result<std::vector<Certificate>> parse_certificates(ByteView octets, CertificateKind kind);

struct PrivateKey {
  std::string type;  // "rsa", "ecdsa", "ed25519", "ed448"
  Bytes key_id;      // of its public key, as in Certificate
  Secret der;        // PKCS#8, not encrypted
};

// DER (PKCS#1, SEC 1, PKCS#8) or PEM, not encrypted.
Result<PrivateKey> parse_private_key(ByteView octets);

// PEM that says of itself that it is encrypted, in PKCS#8 or as before it
bool is_encrypted_key(ByteView pem);
// More rounds of PBKDF2 are refused: they would hold up the daemon.
inline constexpr long kMostKeyRounds = 4'000'000;
// ENCRYPTED PRIVATE KEY in PEM: PKCS#8 by PBES2 (RFC 8018 6.2), with PBKDF2 or scrypt. Errors of Fault::Configuration say whether it is the
// passphrase or the encryption.
Result<PrivateKey> decrypt_private_key(ByteView pem, const Secret& passphrase);

}  // namespace svti::crypto
