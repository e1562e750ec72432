// SPDX-License-Identifier: Apache-2.0
// Where randomness comes from. The daemon gives the system's, a simulation a seeded one, so that a run can be replayed.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace svti {

class Entropy {
 public:
  virtual ~Entropy() = default;
  // fills all of `out`; never fails (the system's source ends the program rather than return weak octets)
  virtual void fill(std::span<std::uint8_t> out) = 0;

  Bytes bytes(std::size_t count);
  std::uint32_t u32();
  std::uint64_t u64();
  // uniform in [0, bound); 0 for bound 0
  std::uint64_t below(std::uint64_t bound);
};

}  // namespace svti
