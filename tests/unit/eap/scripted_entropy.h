// SPDX-License-Identifier: Apache-2.0
// Randomness that is the same octets again and again, for tests with published values.
#pragma once

#include "base/entropy.h"

namespace svti::test {

class ScriptedEntropy : public Entropy {
 public:
  explicit ScriptedEntropy(ByteView octets) : octets_(to_bytes(octets)) {}
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& octet : out) octet = octets_[next_++ % octets_.size()];
  }

 private:
  Bytes octets_;
  std::size_t next_ = 0;
};

}  // namespace svti::test
