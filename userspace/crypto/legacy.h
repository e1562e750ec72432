// SPDX-License-Identifier: Apache-2.0
// What MD5-Challenge and MSCHAPv2 are made of and nothing else may use: MD4, MD5, DES.
#pragma once

#include <array>
#include <initializer_list>
#include <span>

#include "base/bytes.h"

namespace svti::crypto {

// RFC 1320. Our own: OpenSSL has it in its legacy provider alone, which is a package of its own in places and no part of a FIPS one.
std::array<std::uint8_t, 16> md4(ByteView octets);

// RFC 1321, over the parts one after the other. Error: the OpenSSL that runs has it not.
Result<std::array<std::uint8_t, 16>> md5(std::initializer_list<ByteView> parts);

// One block under a DES key of 56 bits, without the parity bits (RFC 2759 8.6). By Triple-DES with three equal keys, which is DES and in
// the default provider. Error: the OpenSSL that runs has it not.
Result<std::array<std::uint8_t, 8>> des_encrypt(std::span<const std::uint8_t, 8> block, std::span<const std::uint8_t, 7> key);

}  // namespace svti::crypto
