// SPDX-License-Identifier: Apache-2.0
// What a Configuration payload says (RFC 7296 3.15): attributes as values. Form alone; what is asked for, granted or believed is for `sa`.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "wire/payload.h"

namespace svti::wire {

enum class ConfigType : std::uint8_t { Request = 1, Reply = 2, Set = 3, Ack = 4 };

enum class ConfigAttribute : std::uint16_t {
  InternalIp4Address = 1,
  InternalIp4Netmask = 2,
  InternalIp4Dns = 3,
  InternalIp4Nbns = 4,
  InternalIp4Dhcp = 6,
  ApplicationVersion = 7,
  InternalIp6Address = 8,
  InternalIp6Dns = 10,
  InternalIp6Dhcp = 12,
  InternalIp4Subnet = 13,
  SupportedAttributes = 14,
  InternalIp6Subnet = 15,
};

// RFC 7296 3.15.1: an attribute without a value asks for one, or acknowledges: of those only the ones for addresses are kept.
struct Configuration {
  // An address, or a request for any (then IpAddress::any of that family). In the order in which they stand.
  std::vector<IpAddress> addresses;
  std::optional<IpAddress> netmask;  // of IPv4
  std::vector<IpAddress> dns, nbns, dhcp;
  std::vector<Prefix> subnets;
  bool asks_supported = false;  // SUPPORTED_ATTRIBUTES without a value
  bool asks_version = false;    // APPLICATION_VERSION, whatever its value

  bool operator==(const Configuration&) const = default;
};

// True where a value of `size` octets is none that RFC 7296 3.15.1 allows for an attribute of this type; of unknown types none is wrong.
bool bad_attribute_size(std::uint16_t type, std::size_t size);

// Attributes of types that are not known here are passed over (RFC 7296 3.15). An error is the sender's: a value of the wrong length (which
// parse_payloads has refused already), a prefix that is longer than its address, a netmask that is none.
Result<Configuration> read_configuration(const ConfigPayload& payload);

// An address that is any of its family is written without a value in a request. An IPv6 address goes with prefix length 128: it alone is
// the peer's. NBNS servers with an IPv6 address are left out: there is no attribute for them.
ConfigPayload write_configuration(ConfigType type, const Configuration& configuration);

// CFG_REQUEST for these addresses, and for the DNS, NBNS and DHCP servers of their families
ConfigPayload request_configuration(const std::vector<IpAddress>& addresses);

}  // namespace svti::wire
