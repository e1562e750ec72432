// SPDX-License-Identifier: Apache-2.0
// Time as an argument: the protocol never asks a clock. The engine makes TimePoints from CLOCK_BOOTTIME, tests from nothing.
#pragma once

#include <chrono>
#include <cstdint>

namespace svti {

// Monotonic microseconds since an arbitrary start. No now(): who wants to know is told.
struct MonotonicClock {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = std::chrono::duration<rep, period>;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};

using Duration = MonotonicClock::duration;
using TimePoint = MonotonicClock::time_point;

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace svti
