// SPDX-License-Identifier: Apache-2.0
#include "control/option_values.h"

#include <netdb.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "base/log.h"

namespace svti::control {

namespace {

std::string quoted(std::string_view text) { return "'" + printable(text, 64) + "'"; }

// all of `text`, or nothing
std::optional<std::uint64_t> whole_number(std::string_view text, int base = 10) {
  std::uint64_t out = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

struct Unit {
  char letter;
  std::uint64_t factor;
};

std::optional<std::uint64_t> with_unit(std::string_view text, std::initializer_list<Unit> units) {
  std::uint64_t factor = 1;
  if (!text.empty()) {
    const auto* unit = std::find_if(units.begin(), units.end(), [&](const Unit& one) { return (text.back() | 0x20) == one.letter; });
    if (unit != units.end()) {
      factor = unit->factor;
      text.remove_suffix(1);
    }
  }
  const auto number = whole_number(text);
  if (!number || *number > std::numeric_limits<std::uint64_t>::max() / factor) return std::nullopt;
  return *number * factor;
}

bool is_any_address(std::string_view text) {
  return text == "%any" || text == "%any4" || text == "%any6" || text == "0.0.0.0" || text == "::" || text == "0.0.0.0/0" || text == "::/0";
}

// the protocol's number; /etc/protocols is asked for names
Result<std::uint8_t> parse_protocol(std::string_view text) {
  if (text.empty() || text == "%any" || text == "any") return std::uint8_t{0};
  if (const auto number = whole_number(text)) {
    if (*number <= 255) return static_cast<std::uint8_t>(*number);
    return config_error("protocol " + quoted(text) + " is not between 0 and 255");
  }
  // those that selectors name in practice, even where there is no /etc/protocols
  constexpr std::pair<std::string_view, std::uint8_t> kCommon[] = {{"icmp", 1}, {"tcp", 6},        {"udp", 17},  {"gre", 47},
                                                                   {"esp", 50}, {"ipv6-icmp", 58}, {"ospf", 89}, {"sctp", 132}};
  for (const auto& [name, number] : kCommon) {
    if (text == name) return number;
  }
  if (const protoent* entry = getprotobyname(std::string(text).c_str())) return static_cast<std::uint8_t>(entry->p_proto);
  return config_error(quoted(text) + " is not a protocol");
}

Result<std::uint16_t> parse_port(std::string_view text) {
  if (const auto number = whole_number(text); number && *number <= 65535) return static_cast<std::uint16_t>(*number);
  if (const servent* entry = getservbyname(std::string(text).c_str(), nullptr)) return ntohs(static_cast<std::uint16_t>(entry->s_port));
  return config_error(quoted(text) + " is not a port");
}

Status parse_ports(std::string_view text, model::SelectorConfig& out) {
  if (text.empty() || text == "%any" || text == "any") return {};
  if (text == "opaque") return config_error("port opaque is not supported");
  const bool icmp = out.protocol == 1 || out.protocol == 58;
  const std::size_t dash = text.find('-');
  const auto first = parse_port(text.substr(0, dash));
  if (!first) return fail(first.error());
  if (icmp && *first <= 255) {
    // RFC 4301 4.4.1.1: type in the upper octet, code in the lower; a type alone means all its codes
    out.start_port = static_cast<std::uint16_t>(*first << 8);
    out.end_port = static_cast<std::uint16_t>(*first << 8 | 0xff);
    if (dash != std::string_view::npos) return config_error("a range of ICMP types is not supported");
    return {};
  }
  const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
  if (!last) return fail(last.error());
  if (*last < *first) return config_error("ports " + quoted(text) + " run backwards");
  out.start_port = *first;
  out.end_port = *last;
  return {};
}

}  // namespace

Result<bool> parse_yes_no(std::string_view text) {
  if (text == "yes" || text == "true" || text == "enabled" || text == "1") return true;
  if (text == "no" || text == "false" || text == "disabled" || text == "0") return false;
  return config_error(quoted(text) + " is neither yes nor no");
}

Result<std::uint32_t> parse_number(std::string_view text, std::uint32_t least, std::uint32_t most) {
  if (const auto number = whole_number(text); number && *number >= least && *number <= most) return static_cast<std::uint32_t>(*number);
  return config_error(quoted(text) + " is not a number from " + std::to_string(least) + " to " + std::to_string(most));
}

Result<seconds> parse_time(std::string_view text) {
  const auto number = with_unit(text, {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}});
  if (number && *number <= std::numeric_limits<std::uint32_t>::max()) return seconds(static_cast<seconds::rep>(*number));
  return config_error(quoted(text) + " is not a time such as 90s, 15m, 4h or 1d");
}

Result<std::uint64_t> parse_amount(std::string_view text) {
  if (const auto number = with_unit(text, {{'k', 1ULL << 10}, {'m', 1ULL << 20}, {'g', 1ULL << 30}})) return *number;
  return config_error(quoted(text) + " is not an amount such as 5000, 64k, 500m or 2g");
}

Result<std::uint32_t> parse_interface_id(std::string_view text) {
  if (text.starts_with("%unique")) return config_error(quoted(text) + ": an id made for each SA is not supported, give a number");
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  const auto number = hex ? whole_number(text.substr(2), 16) : whole_number(text);
  if (number && *number <= std::numeric_limits<std::uint32_t>::max()) return static_cast<std::uint32_t>(*number);
  return config_error(quoted(text) + " is not an interface id: a number, or hexadecimal behind 0x");
}

Result<std::optional<IpAddress>> parse_peer_addresses(const std::vector<std::string>& texts) {
  std::optional<IpAddress> out;
  for (const std::string& each : texts) {
    const std::string_view text = trimmed(each);
    if (text.empty() || is_any_address(text)) return std::optional<IpAddress>{};
    const auto address = IpAddress::parse(text);
    if (!address && text.find('/') != std::string_view::npos)
      return config_error("subnet " + quoted(text) + " is not supported yet, give one address or %any");
    if (!address) return config_error(quoted(text) + " is not an IP address; host names and ranges are not supported yet");
    if (out && *out != *address) return config_error("several addresses are not supported yet, give one or %any");
    out = *address;
  }
  return out;
}

Result<model::Identity> parse_peer_identity(std::string_view text) {
  if (text.starts_with("@#")) return model::Identity::parse(text);
  if (text.starts_with("@@")) return model::Identity::parse(text.substr(2));
  if (text.starts_with("@")) return model::Identity::parse(text.substr(1));
  if (text.starts_with("keyid:")) return model::Identity::parse("@#" + to_hex(as_bytes(text.substr(6))));
  for (const std::string_view prefix : {"fqdn:", "email:", "rfc822:", "ipv4:", "ipv6:"}) {
    if (text.starts_with(prefix)) return model::Identity::parse(text.substr(prefix.size()));
  }
  return model::Identity::parse(text);
}

Result<model::SelectorConfig> parse_selector(std::string_view whole) {
  std::string_view text = trimmed(whole);
  model::SelectorConfig out;
  std::string_view narrowing;
  if (const std::size_t bracket = text.find('['); bracket != std::string_view::npos) {
    if (text.back() != ']') return config_error(quoted(text) + ": ']' is missing");
    narrowing = text.substr(bracket + 1, text.size() - bracket - 2);
    text = text.substr(0, bracket);
  }
  if (!text.empty() && text != "dynamic") {
    if (text.find('-') != std::string_view::npos) return config_error("range " + quoted(text) + " is not supported yet, give subnets");
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    const auto length = slash == std::string_view::npos ? std::optional<std::uint64_t>(128) : whole_number(text.substr(slash + 1));
    if (!address || !length || (slash != std::string_view::npos && *length > address->bits())) {
      return config_error(quoted(text) + " is neither a subnet nor dynamic");
    }
    out.subnet = Prefix(*address, static_cast<std::uint8_t>(*length));
  }
  const std::size_t slash = narrowing.find('/');
  const auto protocol = parse_protocol(narrowing.substr(0, slash));
  if (!protocol) return fail(protocol.error());
  out.protocol = *protocol;
  if (slash == std::string_view::npos) return out;
  if (const Status ports = parse_ports(narrowing.substr(slash + 1), out); !ports) return fail(ports.error());
  return out;
}

}  // namespace svti::control
