// SPDX-License-Identifier: Apache-2.0
#include "wire/redirect.h"

#include <algorithm>

namespace svti::wire {

namespace {

constexpr std::uint8_t kIpv4 = 1, kIpv6 = 2, kFqdn = 3;
constexpr std::size_t kMostName = 255;

bool is_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
  };
  return !text.empty() && text.size() <= kMostName && text.front() != '.' && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), allowed);
}

}  // namespace

Result<GatewayIdentity> GatewayIdentity::parse(std::string_view text) {
  if (const auto address = IpAddress::parse(text)) return GatewayIdentity{*address, {}};
  if (!is_name(text)) return config_error("expected an address or a host name");
  // what looks like an address and is none would be looked up in vain
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  if (digits) return config_error("expected an address or a host name");
  return GatewayIdentity{std::nullopt, std::string(text)};
}

Result<RedirectData> parse_redirect(ByteView data) {
  Reader reader(data);
  const auto type = reader.u8();
  if (!type) return fail(type.error());
  const auto size = reader.u8();
  if (!size) return fail(size.error());
  const auto identity = reader.take(*size);
  if (!identity) return fail(identity.error());
  RedirectData out;
  out.nonce = to_bytes(reader.take_rest());
  switch (*type) {
    case kIpv4:
    case kIpv6:
      if (identity->size() != (*type == kIpv4 ? 4U : 16U)) return peer_error("address of " + std::to_string(identity->size()) + " octets");
      if (auto address = IpAddress::from_bytes(*identity)) out.gateway.address = *address;
      break;
    case kFqdn:
      if (!is_name(as_text(*identity))) return peer_error("host name that is none");
      out.gateway.fqdn = std::string(as_text(*identity));
      break;
    default:
      return peer_error("gateway of the unknown type " + std::to_string(*type));
  }
  return out;
}

Bytes encode_redirect(const GatewayIdentity& gateway, ByteView nonce) {
  Writer out;
  const Bytes identity = gateway.address ? to_bytes(gateway.address->bytes()) : to_bytes(as_bytes(gateway.fqdn));
  out.u8(!gateway.address ? kFqdn : gateway.address->is_v6() ? kIpv6 : kIpv4);
  out.u8(static_cast<std::uint8_t>(identity.size()));
  out.bytes(identity);
  out.bytes(nonce);
  return std::move(out).take();
}

}  // namespace svti::wire
