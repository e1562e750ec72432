// SPDX-License-Identifier: Apache-2.0
#include "base/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace svti {

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress out;
  for (unsigned i = 0; i < 4; ++i) out.octets_[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return out;
}

IpAddress IpAddress::any(IpFamily family) {
  IpAddress out;
  out.family_ = family;
  return out;
}

Result<IpAddress> IpAddress::from_bytes(ByteView octets) {
  if (octets.size() != 4 && octets.size() != 16) return peer_error("address of " + std::to_string(octets.size()) + " octets");
  IpAddress out;
  out.family_ = octets.size() == 4 ? IpFamily::V4 : IpFamily::V6;
  std::copy(octets.begin(), octets.end(), out.octets_.begin());
  return out;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string terminated(text);
  IpAddress out;
  if (text.find('\0') != std::string_view::npos) return config_error("an address with a NUL character");  // inet_pton would stop there
  if (inet_pton(AF_INET, terminated.c_str(), out.octets_.data()) == 1) return out;
  out.family_ = IpFamily::V6;
  if (inet_pton(AF_INET6, terminated.c_str(), out.octets_.data()) == 1) return out;
  return config_error("'" + terminated + "' is not an IPv4 or IPv6 address");
}

bool IpAddress::is_any() const {
  return std::all_of(octets_.begin(), octets_.end(), [](std::uint8_t octet) { return octet == 0; });
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(is_v4() ? AF_INET : AF_INET6, octets_.data(), text.data(), text.size());
  return text.data();
}

namespace {

// `address` with the bits behind `length` all 0 or all 1
IpAddress with_host_bits(const IpAddress& address, std::uint8_t length, bool ones) {
  Bytes octets = to_bytes(address.bytes());
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const int kept = std::clamp(length - static_cast<int>(i) * 8, 0, 8);
    const auto host = static_cast<std::uint8_t>(0xff >> kept);
    octets[i] = static_cast<std::uint8_t>(ones ? octets[i] | host : octets[i] & ~host);
  }
  return *IpAddress::from_bytes(octets);
}

}  // namespace

Prefix::Prefix(const IpAddress& address, std::uint8_t length)
    : address_(with_host_bits(address, std::min(length, address.bits()), false)), length_(std::min(length, address.bits())) {}

Result<Prefix> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return fail(address.error());
  if (slash == std::string_view::npos) return Prefix::host(*address);
  const std::string_view digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size() || length > address->bits()) {
    return config_error("prefix length of '" + std::string(text) + "' is not a number from 0 to " + std::to_string(address->bits()));
  }
  const Prefix out(*address, static_cast<std::uint8_t>(length));
  if (out.address() != *address) return config_error("'" + std::string(text) + "' has host bits set; the prefix is " + out.to_string());
  return out;
}

bool Prefix::contains(const IpAddress& address) const {
  return address.family() == family() && with_host_bits(address, length_, false) == address_;
}

bool Prefix::contains(const Prefix& other) const { return other.length_ >= length_ && contains(other.address_); }

IpAddress Prefix::last() const { return with_host_bits(address_, length_, true); }

std::string Prefix::to_string() const { return address_.to_string() + "/" + std::to_string(length_); }

std::string Endpoint::to_string() const {
  return (address.is_v4() ? address.to_string() : "[" + address.to_string() + "]") + ":" + std::to_string(port);
}

}  // namespace svti

std::size_t std::hash<svti::IpAddress>::operator()(const svti::IpAddress& address) const noexcept {
  return std::hash<std::string_view>{}(svti::as_text(address.bytes()));
}
