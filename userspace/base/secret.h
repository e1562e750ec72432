// SPDX-License-Identifier: Apache-2.0
// Key material: wiped when it dies, never copied by accident, never printed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace svti {

// Owns octets that are overwritten before their memory is given back. Movable, not copyable: clone() says so when a copy is meant.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::size_t size) : octets_(size) {}
  explicit Secret(ByteView octets) : octets_(octets.begin(), octets.end()) {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept : octets_(std::move(other.octets_)) { other.octets_.clear(); }
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(); }

  Secret clone() const { return Secret(view()); }
  std::size_t size() const { return octets_.size(); }
  bool empty() const { return octets_.empty(); }
  ByteView view() const { return octets_; }                   // borrows from this Secret
  std::span<std::uint8_t> mutable_view() { return octets_; }  // to fill it in place
  Secret slice(std::size_t offset, std::size_t size) const;   // offset + size must not pass the end
  void wipe() noexcept;                                       // now empty

 private:
  Bytes octets_;
};

void wipe(std::span<std::uint8_t> octets) noexcept;
// the time depends on the sizes alone; different sizes are unequal
bool constant_time_equal(ByteView ours, ByteView theirs) noexcept;

}  // namespace svti
