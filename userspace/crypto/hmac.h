// SPDX-License-Identifier: Apache-2.0
// HMAC (RFC 2104) as the PRFs and integrity algorithms of this layer need it, on OpenSSL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>

#include "base/bytes.h"

namespace svti::crypto {

enum class Hash : std::uint8_t { Sha1, Sha256, Sha384, Sha512 };

std::size_t hash_size(Hash hash);  // octets
bool hmac_available(Hash hash);    // false: the loaded OpenSSL providers lack it

// HMAC under one key. Holds the key's state until it dies; OpenSSL wipes it then. Not thread-safe; several may live at once.
class Hmac {
 public:
  // throws std::runtime_error when hmac_available() is false
  Hmac(Hash hash, ByteView key);

  // HMAC of the parts concatenated into `out`, of hash_size() octets. Any number of times, each a new computation.
  void compute(std::initializer_list<ByteView> parts, std::span<std::uint8_t> out);

 private:
  struct Free {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> context_;
};

}  // namespace svti::crypto
