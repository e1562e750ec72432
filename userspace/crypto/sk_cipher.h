// SPDX-License-Identifier: Apache-2.0
// Protection of the Encrypted payload in one direction, on OpenSSL: CBC with AES, Camellia or Triple DES, or AES-CTR (RFC 5930), with a MAC
// beside it (RFC 7296 3.14); AES-GCM and AES-CCM (RFC 5282); ChaCha20-Poly1305 (RFC 7634).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/entropy.h"
#include "base/secret.h"
#include "wire/payload.h"

namespace svti::crypto {

// octets of SK_e and SK_a; SK_e includes an AEAD's salt (4 octets, 3 with CCM) and AES-CTR's nonce (4); an AEAD's SK_a is 0 long (RFC
// 5282 7.1)
struct SkKeySizes {
  std::size_t encryption = 0;
  std::size_t integrity = 0;
};
// Error of Fault::Configuration: an unsupported combination (AEAD with an integrity transform, another without, unknown key length).
Result<SkKeySizes> sk_key_sizes(const wire::Transform& encryption, wire::IntegrityId integrity);

// Owns its keys. Not thread-safe. Movable; a moved-from cipher may only be destroyed or assigned to.
class SkCipher {
 public:
  // Key sizes must be those of sk_key_sizes(). One object for each pair of keys: an AEAD's IVs are unique within it alone.
  static Result<SkCipher> create(const wire::Transform& encryption, wire::IntegrityId integrity, const Secret& sk_e, const Secret& sk_a);
  SkCipher(SkCipher&&) noexcept;
  SkCipher& operator=(SkCipher&&) noexcept;
  ~SkCipher();

  // octets that seal() makes of `plaintext_size` octets of payloads: IV, ciphertext with padding and pad length, ICV
  std::size_t sealed_size(std::size_t plaintext_size) const;
  // `prefix`: the message from the IKE header to the generic header of the Encrypted payload, lengths already those of the whole.
  // Never uses an IV twice: CBC draws it from `entropy`, the others count (RFC 5116 3.2 by way of RFC 5282 3.1).
  Bytes seal(ByteView prefix, ByteView plaintext, Entropy& entropy);
  // The payloads inside `body`, padding removed. ICV is compared in constant time before anything is decrypted or believed.
  // Any defect is the same error of Fault::Peer, so that nothing can be learned from which.
  Result<Bytes> open(ByteView prefix, ByteView body);

 private:
  struct Impl;
  explicit SkCipher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace svti::crypto
