// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace svti {

ByteView as_bytes(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }

std::string_view as_text(ByteView view) { return {reinterpret_cast<const char*>(view.data()), view.size()}; }

bool equal(ByteView ours, ByteView theirs) { return std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end()); }

Bytes concat(std::initializer_list<ByteView> parts) {
  std::size_t size = 0;
  for (const ByteView part : parts) size += part.size();
  Bytes out;
  out.reserve(size);
  for (const ByteView part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

std::string to_hex(ByteView view) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(view.size() * 2);
  for (const std::uint8_t octet : view) {
    out.push_back(kDigits[octet >> 4]);
    out.push_back(kDigits[octet & 15]);
  }
  return out;
}

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

tl::unexpected<Error> past_end(std::size_t wanted, std::size_t left) {
  return peer_error(std::to_string(wanted) + " octets expected, " + std::to_string(left) + " left");
}

}  // namespace

Result<Bytes> from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return config_error("odd number of hexadecimal digits");
  Bytes out;
  out.reserve(digits.size() / 2);
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = hex_digit(digits[i]);
    const int low = hex_digit(digits[i + 1]);
    if (high < 0 || low < 0) return config_error("not a hexadecimal digit at position " + std::to_string(high < 0 ? i : i + 1));
    out.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return out;
}

Result<Bytes> from_base64(std::string_view text) {
  std::size_t digits = text.size();
  while (digits > 0 && text[digits - 1] == '=') --digits;
  const std::size_t padding = text.size() - digits;
  if (digits % 4 == 1 || (padding > 0 && (digits + padding) % 4 != 0)) return config_error("base64 text of an impossible length");
  Bytes out;
  out.reserve(digits * 3 / 4);
  std::uint32_t pending = 0;
  unsigned bits = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const int value = base64_digit(text[i]);
    if (value < 0) return config_error("not a base64 digit at position " + std::to_string(i));
    pending = pending << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<std::uint8_t>(pending >> bits & 0xff));
    }
  }
  if ((pending & ((1U << bits) - 1)) != 0) return config_error("base64 text with stray bits at its end");
  return out;
}

Result<std::uint8_t> Reader::u8() {
  if (rest_.empty()) return past_end(1, 0);
  const std::uint8_t value = rest_[0];
  rest_ = rest_.subspan(1);
  return value;
}

Result<std::uint16_t> Reader::u16() {
  if (rest_.size() < 2) return past_end(2, rest_.size());
  const auto value = static_cast<std::uint16_t>(rest_[0] << 8 | rest_[1]);
  rest_ = rest_.subspan(2);
  return value;
}

Result<std::uint32_t> Reader::u32() {
  if (rest_.size() < 4) return past_end(4, rest_.size());
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | rest_[static_cast<std::size_t>(i)];
  rest_ = rest_.subspan(4);
  return value;
}

Result<std::uint64_t> Reader::u64() {
  if (rest_.size() < 8) return past_end(8, rest_.size());
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | rest_[static_cast<std::size_t>(i)];
  rest_ = rest_.subspan(8);
  return value;
}

Result<ByteView> Reader::take(std::size_t count) {
  if (rest_.size() < count) return past_end(count, rest_.size());
  const ByteView out = rest_.first(count);
  rest_ = rest_.subspan(count);
  return out;
}

ByteView Reader::take_rest() {
  const ByteView out = rest_;
  rest_ = {};
  return out;
}

void Writer::u16(std::uint16_t value) {
  out_.push_back(static_cast<std::uint8_t>(value >> 8));
  out_.push_back(static_cast<std::uint8_t>(value));
}

void Writer::u32(std::uint32_t value) {
  u16(static_cast<std::uint16_t>(value >> 16));
  u16(static_cast<std::uint16_t>(value));
}

void Writer::u64(std::uint64_t value) {
  u32(static_cast<std::uint32_t>(value >> 32));
  u32(static_cast<std::uint32_t>(value));
}

void Writer::patch_u16(std::size_t at, std::uint16_t value) {
  assert(at + 2 <= out_.size());
  out_[at] = static_cast<std::uint8_t>(value >> 8);
  out_[at + 1] = static_cast<std::uint8_t>(value);
}

void Writer::patch_u32(std::size_t at, std::uint32_t value) {
  patch_u16(at, static_cast<std::uint16_t>(value >> 16));
  patch_u16(at + 2, static_cast<std::uint16_t>(value));
}

}  // namespace svti
