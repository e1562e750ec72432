// SPDX-License-Identifier: Apache-2.0
// IPv4 and IPv6 addresses, prefixes and UDP endpoints as values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace svti {

enum class IpFamily : std::uint8_t { V4, V6 };

// An address of either family; default-constructed it is 0.0.0.0. Ordered by family, then by value.
class IpAddress {
 public:
  IpAddress() = default;
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress any(IpFamily family);
  static Result<IpAddress> from_bytes(ByteView octets);   // 4 or 16 octets, network order
  static Result<IpAddress> parse(std::string_view text);  // dotted or RFC 4291 text, no zone, no port

  IpFamily family() const { return family_; }
  bool is_v4() const { return family_ == IpFamily::V4; }
  bool is_v6() const { return family_ == IpFamily::V6; }
  bool is_any() const;                                                     // 0.0.0.0 or ::
  ByteView bytes() const { return {octets_.data(), is_v4() ? 4U : 16U}; }  // borrows from this object
  std::uint8_t bits() const { return is_v4() ? 32 : 128; }
  std::string to_string() const;

  auto operator<=>(const IpAddress&) const = default;
  bool operator==(const IpAddress&) const = default;

 private:
  IpFamily family_ = IpFamily::V4;
  std::array<std::uint8_t, 16> octets_{};
};

// Address and prefix length with the host bits zero.
class Prefix {
 public:
  Prefix() = default;                                     // 0.0.0.0/0
  Prefix(const IpAddress& address, std::uint8_t length);  // clears host bits; length is cut to the family's bits
  static Result<Prefix> parse(std::string_view text);     // "a/len", or "a" alone for a host; host bits set are an error
  static Prefix host(const IpAddress& address) { return {address, address.bits()}; }
  static Prefix any(IpFamily family) { return {IpAddress::any(family), 0}; }

  const IpAddress& address() const { return address_; }
  std::uint8_t length() const { return length_; }
  IpFamily family() const { return address_.family(); }
  bool contains(const IpAddress& address) const;
  bool contains(const Prefix& other) const;
  IpAddress first() const { return address_; }
  IpAddress last() const;
  std::string to_string() const;

  auto operator<=>(const Prefix&) const = default;
  bool operator==(const Prefix&) const = default;

 private:
  IpAddress address_;
  std::uint8_t length_ = 0;
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  std::string to_string() const;  // "192.0.2.1:500", "[2001:db8::1]:500"
  auto operator<=>(const Endpoint&) const = default;
  bool operator==(const Endpoint&) const = default;
};

}  // namespace svti

template <>
struct std::hash<svti::IpAddress> {
  std::size_t operator()(const svti::IpAddress& address) const noexcept;
};
