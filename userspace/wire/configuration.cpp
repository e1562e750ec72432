// SPDX-License-Identifier: Apache-2.0
#include "wire/configuration.h"

#include <algorithm>
#include <array>

namespace svti::wire {

namespace {

constexpr std::size_t kIp4 = 4;
constexpr std::size_t kIp6 = 16;

struct AttributeForm {
  ConfigAttribute type{};
  std::size_t size = 0;  // of a value, beside which there may be none
  bool any_size = false;
};
// RFC 7296 3.15.1, which gives INTERNAL_IP6_SUBNET no empty form; requests ask for it with one all the same.
constexpr std::array kForms = {
    AttributeForm{ConfigAttribute::InternalIp4Address, kIp4},     AttributeForm{ConfigAttribute::InternalIp4Netmask, kIp4},
    AttributeForm{ConfigAttribute::InternalIp4Dns, kIp4},         AttributeForm{ConfigAttribute::InternalIp4Nbns, kIp4},
    AttributeForm{ConfigAttribute::InternalIp4Dhcp, kIp4},        AttributeForm{ConfigAttribute::ApplicationVersion, 0, true},
    AttributeForm{ConfigAttribute::InternalIp6Address, kIp6 + 1}, AttributeForm{ConfigAttribute::InternalIp6Dns, kIp6},
    AttributeForm{ConfigAttribute::InternalIp6Dhcp, kIp6},        AttributeForm{ConfigAttribute::InternalIp4Subnet, 2 * kIp4},
    AttributeForm{ConfigAttribute::SupportedAttributes, 0, true}, AttributeForm{ConfigAttribute::InternalIp6Subnet, kIp6 + 1},
};

// 255.255.255.0 -> 24
std::optional<std::uint8_t> length_of_mask(ByteView mask) {
  std::uint8_t length = 0;
  bool ended = false;
  for (const std::uint8_t octet : mask) {
    for (int bit = 7; bit >= 0; --bit) {
      const bool one = (octet >> bit & 1) != 0;
      if (one && ended) return std::nullopt;
      if (one) ++length;
      ended = ended || !one;
    }
  }
  return length;
}

// an address, then the length of its prefix
Result<Prefix> prefix_of(ByteView value) {
  const std::uint8_t length = value.back();
  if (length > 128) return peer_error("prefix length " + std::to_string(length) + " of an IPv6 address");
  return Prefix(*IpAddress::from_bytes(value.first(kIp6)), length);
}

Status read(const ConfigPayload::Attribute& attribute, Configuration& out) {
  const ByteView value = attribute.value;
  if (bad_attribute_size(attribute.type, value.size()))
    return peer_error("configuration attribute " + std::to_string(attribute.type) + " of " + std::to_string(value.size()) + " octets");
  const auto address = [&](std::vector<IpAddress>& list) {
    if (!value.empty()) list.push_back(*IpAddress::from_bytes(value));
  };
  switch (static_cast<ConfigAttribute>(attribute.type)) {
    case ConfigAttribute::InternalIp4Address:
      out.addresses.push_back(value.empty() ? IpAddress::any(IpFamily::V4) : *IpAddress::from_bytes(value));
      break;
    case ConfigAttribute::InternalIp6Address: {
      if (value.empty()) {
        out.addresses.push_back(IpAddress::any(IpFamily::V6));
        break;
      }
      if (const auto prefix = prefix_of(value); !prefix) return fail(prefix.error());
      out.addresses.push_back(*IpAddress::from_bytes(value.first(kIp6)));
      break;
    }
    case ConfigAttribute::InternalIp4Netmask:
      if (!value.empty() && !length_of_mask(value)) return peer_error("a netmask that is none");
      if (!value.empty()) out.netmask = *IpAddress::from_bytes(value);
      break;
    case ConfigAttribute::InternalIp4Dns:
    case ConfigAttribute::InternalIp6Dns:
      address(out.dns);
      break;
    case ConfigAttribute::InternalIp4Nbns:
      address(out.nbns);
      break;
    case ConfigAttribute::InternalIp4Dhcp:
    case ConfigAttribute::InternalIp6Dhcp:
      address(out.dhcp);
      break;
    case ConfigAttribute::InternalIp4Subnet: {
      if (value.empty()) break;
      const auto length = length_of_mask(value.subspan(kIp4));
      if (!length) return peer_error("a netmask that is none");
      out.subnets.emplace_back(*IpAddress::from_bytes(value.first(kIp4)), *length);
      break;
    }
    case ConfigAttribute::InternalIp6Subnet: {
      if (value.empty()) break;
      const auto prefix = prefix_of(value);
      if (!prefix) return fail(prefix.error());
      out.subnets.push_back(*prefix);
      break;
    }
    case ConfigAttribute::SupportedAttributes:
      out.asks_supported = out.asks_supported || value.empty();
      break;
    case ConfigAttribute::ApplicationVersion:
      out.asks_version = true;
      break;
  }
  return {};
}

void add(ConfigPayload& payload, ConfigAttribute type, Bytes value = {}) {
  payload.attributes.push_back({static_cast<std::uint16_t>(type), std::move(value)});
}

void add_servers(ConfigPayload& payload, const std::vector<IpAddress>& servers, ConfigAttribute v4, std::optional<ConfigAttribute> v6) {
  for (const IpAddress& server : servers) {
    if (server.is_v4()) add(payload, v4, to_bytes(server.bytes()));
    if (server.is_v6() && v6) add(payload, *v6, to_bytes(server.bytes()));
  }
}

void add_address(ConfigPayload& payload, const IpAddress& address, bool request) {
  const bool any = request && address.is_any();
  if (address.is_v4()) return add(payload, ConfigAttribute::InternalIp4Address, any ? Bytes{} : to_bytes(address.bytes()));
  Bytes value;
  if (!any) {
    value = to_bytes(address.bytes());
    value.push_back(128);
  }
  add(payload, ConfigAttribute::InternalIp6Address, std::move(value));
}

void add_subnet(ConfigPayload& payload, const Prefix& subnet) {
  Bytes value = to_bytes(subnet.address().bytes());
  if (subnet.family() == IpFamily::V6) {
    value.push_back(subnet.length());
    return add(payload, ConfigAttribute::InternalIp6Subnet, std::move(value));
  }
  const std::uint32_t mask = subnet.length() == 0 ? 0 : ~std::uint32_t{0} << (32 - subnet.length());
  for (int shift = 24; shift >= 0; shift -= 8) value.push_back(static_cast<std::uint8_t>(mask >> shift));
  add(payload, ConfigAttribute::InternalIp4Subnet, std::move(value));
}

}  // namespace

bool bad_attribute_size(std::uint16_t type, std::size_t size) {
  if (type == static_cast<std::uint16_t>(ConfigAttribute::SupportedAttributes)) return size % 2 != 0;
  const auto form =
      std::find_if(kForms.begin(), kForms.end(), [&](const AttributeForm& one) { return static_cast<std::uint16_t>(one.type) == type; });
  return form != kForms.end() && !form->any_size && size != 0 && size != form->size;
}

Result<Configuration> read_configuration(const ConfigPayload& payload) {
  Configuration out;
  for (const ConfigPayload::Attribute& attribute : payload.attributes) {
    if (const Status ok = read(attribute, out); !ok) return fail(ok.error());
  }
  return out;
}

ConfigPayload write_configuration(ConfigType type, const Configuration& configuration) {
  ConfigPayload out{static_cast<std::uint8_t>(type), {}};
  for (const IpAddress& address : configuration.addresses) add_address(out, address, type == ConfigType::Request);
  if (configuration.netmask) add(out, ConfigAttribute::InternalIp4Netmask, to_bytes(configuration.netmask->bytes()));
  add_servers(out, configuration.dns, ConfigAttribute::InternalIp4Dns, ConfigAttribute::InternalIp6Dns);
  add_servers(out, configuration.nbns, ConfigAttribute::InternalIp4Nbns, std::nullopt);
  add_servers(out, configuration.dhcp, ConfigAttribute::InternalIp4Dhcp, ConfigAttribute::InternalIp6Dhcp);
  for (const Prefix& subnet : configuration.subnets) add_subnet(out, subnet);
  if (configuration.asks_version) add(out, ConfigAttribute::ApplicationVersion);  // RFC 7296 2.20: an answer may tell nothing
  if (configuration.asks_supported) {
    Writer supported;
    for (const AttributeForm& form : kForms) supported.u16(static_cast<std::uint16_t>(form.type));
    add(out, ConfigAttribute::SupportedAttributes, type == ConfigType::Request ? Bytes{} : std::move(supported).take());
  }
  return out;
}

ConfigPayload request_configuration(const std::vector<IpAddress>& addresses) {
  Configuration asked;
  asked.addresses = addresses;
  ConfigPayload out = write_configuration(ConfigType::Request, asked);
  const auto asks = [&](IpFamily family) {
    return std::any_of(addresses.begin(), addresses.end(), [&](const IpAddress& address) { return address.family() == family; });
  };
  if (asks(IpFamily::V4)) {
    add(out, ConfigAttribute::InternalIp4Dns);
    add(out, ConfigAttribute::InternalIp4Nbns);
    add(out, ConfigAttribute::InternalIp4Dhcp);
    add(out, ConfigAttribute::InternalIp4Subnet);
  }
  if (asks(IpFamily::V6)) {
    add(out, ConfigAttribute::InternalIp6Dns);
    add(out, ConfigAttribute::InternalIp6Dhcp);
    add(out, ConfigAttribute::InternalIp6Subnet);
  }
  return out;
}

}  // namespace svti::wire
