// SPDX-License-Identifier: Apache-2.0
// Entropy that a test chooses.
#pragma once

#include <algorithm>
#include <stdexcept>

#include "base/entropy.h"

namespace svti {

// Gives out the octets it was made with, in order, and throws when there are no more: a published private key, say.
class FixedEntropy final : public Entropy {
 public:
  explicit FixedEntropy(Bytes octets) : octets_(std::move(octets)) {}

  void fill(std::span<std::uint8_t> out) override {
    if (out.size() > octets_.size() - at_) throw std::runtime_error("more entropy drawn than the test has");
    std::copy_n(octets_.begin() + static_cast<std::ptrdiff_t>(at_), out.size(), out.begin());
    at_ += out.size();
  }
  std::size_t left() const { return octets_.size() - at_; }

 private:
  Bytes octets_;
  std::size_t at_ = 0;
};

// Counts up: never the same twice, the same in every run.
class CountingEntropy final : public Entropy {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& octet : out) octet = static_cast<std::uint8_t>(next_++ * 167 >> 3);
  }

 private:
  std::uint32_t next_ = 1;
};

inline Bytes hex(std::string_view digits) {
  std::string packed;
  for (const char c : digits) {
    if (c != ' ' && c != '\n') packed.push_back(c);
  }
  return from_hex(packed).value();
}

}  // namespace svti
