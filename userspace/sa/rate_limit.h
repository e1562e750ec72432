// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace svti::sa {

// Allows so many in each period of time.
class RateLimit {
 public:
  RateLimit(std::uint32_t count, Duration period) : count_(count), period_(period) {}
  bool allows(TimePoint now);

 private:
  std::uint32_t count_, used_ = 0;
  Duration period_;
  std::optional<TimePoint> since_;
};

}  // namespace svti::sa
