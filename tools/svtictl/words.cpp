// SPDX-License-Identifier: Apache-2.0
#include "svtictl/words.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

namespace svti::svtictl {
namespace {

constexpr std::uint32_t kMax32 = std::numeric_limits<std::uint32_t>::max();

// the whole word as a number of that base; nothing when it is none or does not fit
std::optional<std::uint32_t> number(std::string_view word, int base) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return value;
}

Result<std::uint32_t> number_in(std::string_view word, std::uint32_t low, std::uint32_t high) {
  const auto value = number(word, 10);
  if (!value || *value < low || *value > high) return config_error(fmt::format("'{}' is not a number from {} to {}", word, low, high));
  return *value;
}

Result<SpHash> sp_hash(std::string_view word, std::uint8_t longest) {
  const std::size_t slash = word.find('/');
  if (slash == std::string_view::npos) {
    return config_error(fmt::format("'{}' is no pair of prefix lengths: LOCAL/REMOTE, each from 0 to {}", word, longest));
  }
  const auto local = number_in(word.substr(0, slash), 0, longest);
  if (!local) return fail(local.error());
  const auto remote = number_in(word.substr(slash + 1), 0, longest);
  if (!remote) return fail(remote.error());
  return SpHash{static_cast<std::uint8_t>(*local), static_cast<std::uint8_t>(*remote)};
}

constexpr std::pair<std::string_view, std::uint8_t> kProtocols[] = {
    {"icmp", IPPROTO_ICMP}, {"tcp", IPPROTO_TCP},       {"udp", IPPROTO_UDP},   {"gre", IPPROTO_GRE},
    {"esp", IPPROTO_ESP},   {"icmpv6", IPPROTO_ICMPV6}, {"sctp", IPPROTO_SCTP},
};

}  // namespace

Result<std::string> parse_interface_name(std::string_view word) {
  const bool odd = std::any_of(word.begin(), word.end(), [](char c) { return c == '/' || c == ':' || c <= ' ' || c == 0x7f; });
  if (word.empty() || word.size() >= IFNAMSIZ || odd || word == "." || word == "..") {
    return config_error(fmt::format("'{}' is no interface name: 1 to {} characters, none of them '/', ':' or a space", word, IFNAMSIZ - 1));
  }
  return std::string(word);
}

Result<std::string> parse_svti_name(std::string_view word) {
  if (!word.starts_with("svti")) return config_error(fmt::format("'{}' is no name for an SVTI: it must begin with 'svti'", word));
  return parse_interface_name(word);
}

Result<std::uint32_t> parse_svti_id(std::string_view word) {
  const bool hexadecimal = word.starts_with("0x") || word.starts_with("0X");
  const auto value = hexadecimal ? number(word.substr(2), 16) : word.starts_with('0') ? std::nullopt : number(word, 10);
  if (!value || *value == 0) {
    return config_error(fmt::format("'{}' is no svti-id: a number from 1 to {}, decimal or with 0x hexadecimal", word, kMax32));
  }
  return *value;
}

Result<std::uint32_t> parse_mtu(std::string_view word) { return number_in(word, 68, 65535); }
Result<std::uint32_t> parse_mtu_or_auto(std::string_view word) {
  if (word == "auto") return 0U;
  const auto mtu = parse_mtu(word);
  if (!mtu) return config_error(fmt::format("{}, nor 'auto'", mtu.error().message));
  return *mtu;
}
Result<std::uint32_t> parse_table(std::string_view word) { return number_in(word, 1, kMax32); }
Result<std::uint32_t> parse_u32(std::string_view word) { return number_in(word, 0, kMax32); }
Result<Prefix> parse_prefix(std::string_view word) { return Prefix::parse(word); }
Result<IpAddress> parse_address(std::string_view word) { return IpAddress::parse(word); }

Result<InterfaceAddress> parse_interface_address(std::string_view word) {
  const std::size_t slash = word.find('/');
  const auto address = IpAddress::parse(word.substr(0, slash));
  if (!address) return fail(address.error());
  if (slash == std::string_view::npos) return InterfaceAddress{*address, address->bits()};
  const auto length = number_in(word.substr(slash + 1), 0, address->bits());
  if (!length) return fail({Fault::Configuration, fmt::format("prefix length of '{}': {}", word, length.error().message)});
  return InterfaceAddress{*address, static_cast<std::uint8_t>(*length)};
}

Result<std::uint8_t> parse_route_type(std::string_view word) {
  for (const std::uint8_t type : {RTN_UNICAST, RTN_THROW, RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT}) {
    if (word == route_type_name(type)) return type;
  }
  return config_error(fmt::format("'{}' is not one of unicast, throw, blackhole, unreachable, prohibit", word));
}

Result<SpHash> parse_sp_hash_ipv4(std::string_view word) { return sp_hash(word, 32); }
Result<SpHash> parse_sp_hash_ipv6(std::string_view word) { return sp_hash(word, 128); }

Result<std::uint16_t> parse_port(std::string_view word) {
  const auto value = number_in(word, 0, 65535);
  if (!value) return fail(value.error());
  return static_cast<std::uint16_t>(*value);
}

Result<std::uint8_t> parse_protocol(std::string_view word) {
  for (const auto& [name, value] : kProtocols) {
    if (word == name) return value;
  }
  const auto value = number(word, 10);
  if (!value || *value > 255) {
    return config_error(fmt::format("'{}' is no protocol: a number from 0 to 255, or icmp, icmpv6, tcp, udp, sctp, gre, esp", word));
  }
  return static_cast<std::uint8_t>(*value);
}

Result<bool> parse_on_off(std::string_view word) {
  if (word != "on" && word != "off") return config_error(fmt::format("'{}' is not one of on, off", word));
  return word == "on";
}

Result<bool> parse_direction(std::string_view word) {
  if (word != "out" && word != "in") return config_error(fmt::format("'{}' is not one of out, in", word));
  return word == "out";
}

Result<std::vector<IpFamily>> parse_families(std::string_view word) {
  if (word == "ipv4") return std::vector{IpFamily::V4};
  if (word == "ipv6") return std::vector{IpFamily::V6};
  if (word == "both") return std::vector{IpFamily::V4, IpFamily::V6};
  return config_error(fmt::format("'{}' is not one of ipv4, ipv6, both", word));
}

}  // namespace svti::svtictl
