// SPDX-License-Identifier: Apache-2.0
#include "config/values.h"

#include <libyang/libyang.h>

#include <array>
#include <charconv>
#include <utility>

#include "config/findings.h"
#include "model/identity.h"
#include "wire/redirect.h"

namespace svti::config {

namespace {

constexpr std::array<std::pair<char, std::uint32_t>, 4> kUnits = {{{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};

bool is_encoded(std::string_view value) { return value.starts_with("0x") || value.starts_with("0s"); }

tl::unexpected<Error> not_allowed(const SchemaNode& leaf, const Word& word) {
  return config_error(quoted(word.text) + " is not allowed: expected " + leaf.allowed + did_you_mean(word.text, leaf.enumeration));
}

// In the tree a secret is text as it is, unless it begins with 0x or 0s. Quoted text that begins so is therefore kept in hexadecimal.
Result<std::string> secret_value(const SchemaNode& leaf, const Word& word) {
  if (word.text.empty()) return config_error("the secret is empty: expected " + leaf.allowed);
  if (!is_encoded(word.text)) return word.text;
  if (word.is_quoted) return "0x" + to_hex(as_bytes(word.text));
  const auto decoded = decode_secret(word.text);
  if (!decoded) return config_error(decoded.error().message + "; text that begins with 0x or 0s is written in quotes");
  return word.text;
}

Result<std::string> identity_value(const SchemaNode& leaf, const Word& word) {
  const auto identity = model::Identity::parse(word.text);
  if (!identity) return fail(identity.error());
  const std::string canonical = identity->to_string();
  if (leaf.form == Form::OwnIdentity && identity->is_pattern())
    return config_error(quoted(word.text) + " is a wildcard; this host needs one identity: " + leaf.allowed);
  return canonical;
}

Result<std::string> range_value(const Word& word) {
  const std::size_t dash = word.text.find('-');
  if (dash == std::string::npos) {
    const auto prefix = Prefix::parse(word.text);
    if (!prefix) return fail(prefix.error());
    return word.text.find('/') == std::string::npos ? prefix->address().to_string() : prefix->to_string();
  }
  const auto first = IpAddress::parse(std::string_view(word.text).substr(0, dash));
  const auto last = IpAddress::parse(std::string_view(word.text).substr(dash + 1));
  if (!first) return fail(first.error());
  if (!last) return fail(last.error());
  if (first->family() != last->family()) return config_error(quoted(word.text) + " mixes IPv4 and IPv6");
  if (*last < *first) return config_error(quoted(word.text) + " ends before it begins");
  return first->to_string() + "-" + last->to_string();
}

Result<std::string> interface_address(const SchemaNode& leaf, const Word& word, IpFamily family) {
  const std::size_t slash = word.text.find('/');
  const auto address = IpAddress::parse(std::string_view(word.text).substr(0, slash));
  // without a length it is a network of one
  const unsigned most = family == IpFamily::V4 ? 32 : 128;
  unsigned length = most;
  const char* end = word.text.data() + word.text.size();
  bool is_number = true;
  if (slash != std::string::npos) {
    const auto [stop, error] = std::from_chars(word.text.data() + slash + 1, end, length);
    is_number = error == std::errc{} && stop == end;
  }
  if (!address || address->family() != family || !is_number || length > most) return not_allowed(leaf, word);
  return address->to_string() + "/" + std::to_string(length);
}

// what the form asks for beyond the YANG type
Result<std::string> in_form(const SchemaNode& leaf, const Word& word) {
  if (leaf.in_seconds) {
    const auto value = parse_seconds(word.text);
    if (!value) return fail(value.error());
    return std::to_string(*value);
  }
  switch (leaf.form) {
    case Form::Secret:
      return secret_value(leaf, word);
    case Form::Identity:
    case Form::OwnIdentity:
      return identity_value(leaf, word);
    case Form::IpAddress: {
      const auto address = IpAddress::parse(word.text);
      if (!address) return not_allowed(leaf, word);
      return address->to_string();
    }
    case Form::IpPrefix: {
      const auto prefix = Prefix::parse(word.text);
      if (!prefix) return fail(prefix.error());
      return prefix->to_string();
    }
    case Form::IpRange:
      return range_value(word);
    case Form::Ipv4Interface:
      return interface_address(leaf, word, IpFamily::V4);
    case Form::Ipv6Interface:
      return interface_address(leaf, word, IpFamily::V6);
    case Form::Gateway: {
      const auto gateway = wire::GatewayIdentity::parse(word.text);
      if (!gateway) return not_allowed(leaf, word);
      return gateway->to_string();
    }
    case Form::Duration:
    case Form::Private:
    case Form::Plain:
      break;
  }
  return word.text;
}

}  // namespace

Result<std::uint32_t> parse_seconds(std::string_view text) {
  const auto wrong = [&] {
    return config_error(quoted(text) + " is not a duration: expected seconds, or a number with s, m, h or d, at most 4294967295 seconds");
  };
  std::string_view digits = text;
  std::uint64_t unit = 1;
  for (const auto& [suffix, octets] : kUnits) {
    if (digits.empty() || digits.back() != suffix) continue;
    unit = octets;
    digits.remove_suffix(1);
    break;
  }
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (error != std::errc{} || end != digits.data() + digits.size()) return wrong();
  if (count * unit > UINT32_MAX) return wrong();
  return static_cast<std::uint32_t>(count * unit);
}

std::string format_seconds(std::uint32_t value) {
  if (value == 0) return "0s";
  for (const auto& [suffix, size] : kUnits) {
    if (value % size == 0) return std::to_string(value / size) + suffix;
  }
  return std::to_string(value) + "s";  // not reached: the last unit divides everything
}

Result<Secret> decode_secret(std::string_view value) {
  if (!is_encoded(value)) return Secret(as_bytes(value));
  auto octets = value.starts_with("0x") ? from_hex(value.substr(2)) : from_base64(value.substr(2));
  if (!octets)
    return config_error((value.starts_with("0x") ? "the secret is not hexadecimal: " : "the secret is not base64: ") +
                        octets.error().message);
  if (octets->empty()) return config_error("the secret is empty");
  Secret out{ByteView(*octets)};
  wipe(*octets);
  return out;
}

Result<std::string> to_value(const Schema& schema, const SchemaNode& leaf, const Word& word) {
  auto value = in_form(leaf, word);
  if (!value) return value;
  const char* canonical = nullptr;
  const LY_ERR result = lyd_value_validate(schema.context(), leaf.yang, value->data(), value->size(), nullptr, nullptr, &canonical);
  // incomplete: a reference, looked up later
  if (result != LY_SUCCESS && result != LY_EINCOMPLETE) {
    if (!leaf.hides()) return not_allowed(leaf, word);
    return config_error("the value is not allowed: expected " + leaf.allowed);
  }
  if (canonical) {
    *value = canonical;
    lydict_remove(schema.context(), canonical);
  }
  return value;
}

std::string to_text(const SchemaNode& leaf, std::string_view value) {
  if (leaf.form == Form::Duration) {
    std::uint32_t count = 0;
    std::from_chars(value.data(), value.data() + value.size(), count);
    return format_seconds(count);
  }
  // an encoded secret stays bare: in quotes it would be text
  return as_word(value);
}

}  // namespace svti::config
