// SPDX-License-Identifier: Apache-2.0
// The operating system's randomness by way of OpenSSL's generator.
#pragma once

#include "base/entropy.h"

namespace svti::crypto {

class SystemEntropy final : public Entropy {
 public:
  void fill(std::span<std::uint8_t> out) override;  // ends the program when the generator fails
};

}  // namespace svti::crypto
