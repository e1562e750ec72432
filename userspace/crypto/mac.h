// SPDX-License-Identifier: Apache-2.0
// Message authentication codes as the PRFs and integrity algorithms of this layer need them, on OpenSSL: HMAC (RFC 2104), AES-CMAC
// (RFC 4493) and AES-XCBC-MAC (RFC 3566).
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>

#include "base/bytes.h"

namespace svti::crypto {

enum class MacKind : std::uint8_t { HmacMd5, HmacSha1, HmacSha256, HmacSha384, HmacSha512, AesXcbc, AesCmac };

std::size_t mac_size(MacKind kind);  // octets
bool mac_available(MacKind kind);    // false: the loaded OpenSSL providers lack it
bool is_aes(MacKind kind);           // AES-128: its keys are of kAesMacKeySize octets and no others
inline constexpr std::size_t kAesMacKeySize = 16;

// A MAC under one key. Holds the key's state until it dies, and wipes it then. Not thread-safe; several may live at once.
class Mac {
 public:
  // `key` of any length with HMAC. Throws std::runtime_error when mac_available() is false, std::length_error for a key that AES does not
  // take.
  Mac(MacKind kind, ByteView key);
  Mac(Mac&&) noexcept;
  Mac& operator=(Mac&&) noexcept;
  ~Mac();

  // MAC of the parts concatenated into `out`, of mac_size() octets. Any number of times, each a new computation.
  void compute(std::initializer_list<ByteView> parts, std::span<std::uint8_t> out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace svti::crypto
