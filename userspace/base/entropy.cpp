// SPDX-License-Identifier: Apache-2.0
#include "base/entropy.h"

#include <array>
#include <limits>

namespace svti {

Bytes Entropy::bytes(std::size_t count) {
  Bytes out(count);
  fill(out);
  return out;
}

std::uint32_t Entropy::u32() { return static_cast<std::uint32_t>(u64()); }

std::uint64_t Entropy::u64() {
  std::array<std::uint8_t, 8> octets{};
  fill(octets);
  std::uint64_t value = 0;
  for (const std::uint8_t octet : octets) value = value << 8 | octet;
  return value;
}

std::uint64_t Entropy::below(std::uint64_t bound) {
  if (bound == 0) return 0;
  // values of the last, incomplete run of `bound` would come up more often than the others: draw again
  const std::uint64_t limit = std::numeric_limits<std::uint64_t>::max() / bound * bound;
  for (;;) {
    const std::uint64_t value = u64();
    if (value < limit) return value % bound;
  }
}

}  // namespace svti
