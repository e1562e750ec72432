// SPDX-License-Identifier: Apache-2.0
// Octet strings: owned (Bytes), borrowed (ByteView), read with bounds (Reader), written in network order (Writer).
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace svti {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;  // borrows; valid as long as what it was made from

ByteView as_bytes(std::string_view text);
Bytes to_bytes(ByteView view);
std::string_view as_text(ByteView view);
bool equal(ByteView ours, ByteView theirs);  // not constant-time: for secrets see constant_time_equal in secret.h
Bytes concat(std::initializer_list<ByteView> parts);

// lower-case hexadecimal, two digits an octet, no separator
std::string to_hex(ByteView view);
// even number of digits, either case; anything else is an error of Fault::Configuration
Result<Bytes> from_hex(std::string_view digits);
// RFC 4648 section 4, padding optional; anything else is an error of Fault::Configuration
Result<Bytes> from_base64(std::string_view text);

// A cursor over borrowed octets in network order. Every read is checked: past the end it yields an error of Fault::Peer and
// does not move. Cheap to copy.
class Reader {
 public:
  explicit Reader(ByteView data) : rest_(data) {}

  std::size_t remaining() const { return rest_.size(); }
  bool empty() const { return rest_.empty(); }
  Result<std::uint8_t> u8();
  Result<std::uint16_t> u16();
  Result<std::uint32_t> u32();
  Result<std::uint64_t> u64();
  Result<ByteView> take(std::size_t count);
  ByteView take_rest();

 private:
  ByteView rest_;
};

// Appends in network order to octets it owns.
class Writer {
 public:
  void u8(std::uint8_t value) { out_.push_back(value); }
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void u64(std::uint64_t value);
  void bytes(ByteView value) { out_.insert(out_.end(), value.begin(), value.end()); }
  void zeros(std::size_t count) { out_.insert(out_.end(), count, 0); }
  // overwrites two or four octets written before; `at + size` must be within size()
  void patch_u16(std::size_t at, std::uint16_t value);
  void patch_u32(std::size_t at, std::uint32_t value);
  void patch_u8(std::size_t at, std::uint8_t value) { out_.at(at) = value; }
  std::size_t size() const { return out_.size(); }
  ByteView view() const { return out_; }
  Bytes take() && { return std::move(out_); }

 private:
  Bytes out_;
};

}  // namespace svti
