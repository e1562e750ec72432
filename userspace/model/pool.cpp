// SPDX-License-Identifier: Apache-2.0
#include "model/pool.h"

#include <algorithm>
#include <cstdint>

namespace svti::model {

namespace {

// the `count` octets from `from` on, as a number
std::uint64_t number_in(const IpAddress& address, std::size_t from, std::size_t count) {
  std::uint64_t out = 0;
  for (const std::uint8_t octet : address.bytes().subspan(from, count)) out = out << 8 | octet;
  return out;
}

IpAddress previous_address(const IpAddress& address) {
  Bytes octets = to_bytes(address.bytes());
  for (auto octet = octets.rbegin(); octet != octets.rend() && (*octet)-- == 0; ++octet) {
  }
  return *IpAddress::from_bytes(octets);
}

}  // namespace

IpAddress next_address(const IpAddress& address) {
  Bytes octets = to_bytes(address.bytes());
  for (auto octet = octets.rbegin(); octet != octets.rend() && ++*octet == 0; ++octet) {
  }
  return *IpAddress::from_bytes(octets);
}

std::uint64_t size_of(const AddressRange& range) {
  if (range.first.is_v4()) return number_in(range.last, 0, 4) - number_in(range.first, 0, 4) + 1;
  const std::uint64_t low = number_in(range.last, 8, 8) - number_in(range.first, 8, 8);
  const std::uint64_t borrow = number_in(range.last, 8, 8) < number_in(range.first, 8, 8) ? 1 : 0;
  const bool more = number_in(range.last, 0, 8) - number_in(range.first, 0, 8) != borrow;
  return more || low == UINT64_MAX ? UINT64_MAX : low + 1;
}

Result<AddressRange> parse_address_range(std::string_view text) {
  if (const std::size_t dash = text.find('-'); dash != std::string_view::npos) {
    const auto first = IpAddress::parse(text.substr(0, dash));
    if (!first) return fail(first.error());
    const auto last = IpAddress::parse(text.substr(dash + 1));
    if (!last) return fail(last.error());
    if (first->family() != last->family()) return config_error("a range of IPv4 and IPv6 mixed");
    if (*last < *first) return config_error("a range that ends before it begins");
    return AddressRange{*first, *last};
  }
  const auto prefix = Prefix::parse(text);
  if (!prefix) return fail(prefix.error());
  const bool whole = prefix->address().bits() - prefix->length() < 2;  // RFC 3021: a link of two has no broadcast
  if (whole) return AddressRange{prefix->first(), prefix->last()};
  return AddressRange{next_address(prefix->first()), previous_address(prefix->last())};
}

}  // namespace svti::model
