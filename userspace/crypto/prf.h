// SPDX-License-Identifier: Apache-2.0
// Pseudo-random functions and hashes of IKEv2 (RFC 7296 2.13), on OpenSSL.
#pragma once

#include <cstddef>
#include <initializer_list>

#include "base/secret.h"
#include "wire/ikev2.h"

namespace svti::crypto {

// HMAC with one hash, or a MAC of AES-128 (RFC 4434, RFC 4615). A value; cheap to copy; safe to use from several threads.
class Prf {
 public:
  // Error of Fault::Configuration when `id` is not one of PrfId or the provider lacks it.
  static Result<Prf> create(wire::PrfId id);

  wire::PrfId id() const { return id_; }
  std::size_t output_size() const;  // octets; also the preferred key size (RFC 7296 2.13)

  // the key for SKEYSEED of IKE_SA_INIT: Ni | Nr, of which the PRFs of AES take the first 64 bits each (RFC 7296 2.14)
  Bytes skeyseed_key(ByteView nonce_i, ByteView nonce_r) const;
  // prf(key, parts concatenated); `key` of any length
  Secret operator()(ByteView key, std::initializer_list<ByteView> parts) const;
  // prf+(key, seed), the first `size` octets; size at most 255 times output_size()
  Secret plus(ByteView key, ByteView seed, std::size_t size) const;

 private:
  explicit Prf(wire::PrfId id) : id_(id) {}
  wire::PrfId id_;
};

// SHA-1 over the parts concatenated, 20 octets: for NAT detection alone (RFC 7296 2.23)
Bytes sha1(std::initializer_list<ByteView> parts);

}  // namespace svti::crypto
