// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"

#include <string.h>

#include <cassert>

namespace svti {

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    octets_ = std::move(other.octets_);
    other.octets_.clear();
  }
  return *this;
}

Secret Secret::slice(std::size_t offset, std::size_t size) const {
  assert(offset + size <= octets_.size());
  return Secret(view().subspan(offset, size));
}

void Secret::wipe() noexcept {
  svti::wipe(octets_);
  octets_.clear();
}

void wipe(std::span<std::uint8_t> octets) noexcept {
  if (!octets.empty()) explicit_bzero(octets.data(), octets.size());
}

bool constant_time_equal(ByteView ours, ByteView theirs) noexcept {
  if (ours.size() != theirs.size()) return false;
  volatile std::uint8_t difference = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) difference = static_cast<std::uint8_t>(difference | (ours[i] ^ theirs[i]));
  return difference == 0;
}

}  // namespace svti
