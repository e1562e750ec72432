// SPDX-License-Identifier: Apache-2.0
// Signatures in AUTH payloads: RFC 7296 3.8 (RSA), RFC 4754 (ECDSA), RFC 7427 and RFC 8420 (any, with its algorithm named).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"
#include "wire/auth_announcement.h"
#include "wire/ikev2.h"

namespace svti::crypto {

enum class KeyType : std::uint8_t { Rsa, EcdsaP256, EcdsaP384, EcdsaP521, Ed25519, Ed448 };
std::string to_string(KeyType type);  // "rsa", "ecdsa-p256", "ed25519"

// SIGNATURE_HASH_ALGORITHMS (RFC 7427 4, RFC 8420 2). Identity: the scheme hashes by itself (EdDSA).
enum class SignatureHash : std::uint16_t { Sha1 = 1, Sha256 = 2, Sha384 = 3, Sha512 = 4, Identity = 5 };
// what we can verify, to announce to the peer; SHA-1 is not among them (RFC 8247 3.2)
std::span<const SignatureHash> supported_signature_hashes();

// how RSA pads under RFC 7427
enum class RsaPadding : std::uint8_t { Pss, Pkcs1 };

struct Signature {
  wire::AuthMethod method{};
  Bytes data;  // the AUTH payload's: with method 14 the algorithm stands in front
  bool operator==(const Signature&) const = default;
};

// What a key is to sign outside of IKE, and how: the kind of the key says the rest. Hash Identity: EdDSA.
struct SignatureWish {
  Bytes octets;
  SignatureHash hash{};
  RsaPadding padding = RsaPadding::Pss;  // of RSA; PSS with a salt of the hash's size
};
// The signature without the algorithm that RFC 7427 puts in front (of ECDSA the SEQUENCE in DER). Error: it was made in another way.
Result<Bytes> bare_signature(const Signature& made, const SignatureWish& wish);

// what we verify, as AlgorithmIdentifiers of RFC 7427 in DER
const std::vector<Bytes>& verifiable_algorithms();
// What of SUPPORTED_AUTH_METHODS (RFC 9593) a key of this kind ("rsa", "ecdsa-p256") has: whether one of them, and then how RSA pads.
struct AnnouncedUse {
  bool usable = false;
  RsaPadding padding = RsaPadding::Pss;
};
AnnouncedUse use_of(std::string_view key_type, std::span<const wire::AuthAnnouncement> announced);

// smaller RSA keys neither sign nor verify
inline constexpr int kLeastRsaBits = 2048;

// A public key. Immutable; copies share it; may be used from several threads.
class VerifyingKey {
 public:
  // SubjectPublicKeyInfo in DER. An error names what is not supported: the kind of key, an RSA key below kLeastRsaBits, a curve.
  static Result<VerifyingKey> from_spki(ByteView der);

  KeyType type() const;
  // The signature over `octets`, whichever algorithm of its method the peer chose. Error of Fault::Peer: wrong, malformed, or an
  // algorithm that this key does not have or that is too weak (SHA-1 under RFC 7427).
  Status verify(const Signature& signature, ByteView octets) const;
  // "RSASSA-PSS with SHA-256", for the log; "method 9" where the method says it all
  static std::string describe(const Signature& signature);
  std::size_t signature_size() const;  // octets of the bare signature, of ECDSA r and s side by side

 private:
  struct Impl;
  explicit VerifyingKey(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// A private key; the memory that OpenSSL holds it in is wiped. Copies share it; may be used from several threads.
class SigningKey {
 public:
  // PKCS#8 in DER, not encrypted; errors as with VerifyingKey
  static Result<SigningKey> from_pkcs8(ByteView der);

  KeyType type() const;
  Bytes public_key() const;  // SubjectPublicKeyInfo in DER
  // Signs as RFC 7427 says when the peer announced hashes, else by the method of the key's kind: RSA with SHA-1, ECDSA with the curve's
  // hash. Error: no hash in common, or a kind of key (EdDSA) that only RFC 7427 can carry.
  Result<Signature> sign(ByteView octets, std::span<const SignatureHash> announced, RsaPadding padding) const;

 private:
  struct Impl;
  explicit SigningKey(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// What a device that keeps a private key is to do with octets that were hashed here.
struct DeviceWish {
  enum class Operation : std::uint8_t { RsaPkcs1, RsaPss, Ecdsa, EdDsa };
  Operation operation{};
  SignatureHash hash{};  // that was used; of PSS also for its mask, and its size is the salt's
  Bytes input;           // RsaPkcs1: DigestInfo in DER; RsaPss, Ecdsa: the hash; EdDsa: all octets
};
using Device = std::function<Result<Bytes>(const DeviceWish&)>;  // of ECDSA r and s side by side
// As SigningKey::sign(), by a device that has the private half of `key`. What comes back is verified: a wrong signature would give an RSA
// key away. `padding` is of RFC 7427; without it RSA is PKCS#1.
Result<Signature> sign_by_device(const VerifyingKey& key, ByteView octets, std::span<const SignatureHash> announced, RsaPadding padding,
                                 const Device& device);

// SubjectPublicKeyInfo in DER of what a device tells of a public key: modulus and exponent of RSA, big-endian; of EC and Edwards curves
// the parameters in DER (RFC 3279 2.3.5; of Edwards curves PKCS#11 also has the name as a PrintableString) and the point, bare or as OCTET
// STRING in DER. Errors of Fault::Configuration.
Result<Bytes> spki_of_rsa(ByteView modulus, ByteView exponent);
Result<Bytes> spki_of_ec(ByteView parameters, ByteView point);
Result<Bytes> spki_of_edwards(ByteView parameters, ByteView point);
Result<Bytes> spki_of_certificate(ByteView der);
Result<Bytes> key_id_of_spki(ByteView spki);  // SHA-1 over the subjectPublicKey bits (RFC 5280 4.2.1.2 (1))

}  // namespace svti::crypto
