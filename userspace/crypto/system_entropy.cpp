// SPDX-License-Identifier: Apache-2.0
#include "crypto/system_entropy.h"

#include <openssl/rand.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace svti::crypto {

void SystemEntropy::fill(std::span<std::uint8_t> out) {
  static constexpr std::size_t kChunk = 1 << 20;  // OpenSSL counts in int
  while (!out.empty()) {
    const std::size_t count = std::min(out.size(), kChunk);
    if (RAND_bytes(out.data(), static_cast<int>(count)) != 1) {
      std::fputs("OpenSSL's random generator failed; no key may be made without it\n", stderr);
      std::abort();
    }
    out = out.subspan(count);
  }
}

}  // namespace svti::crypto
