// SPDX-License-Identifier: Apache-2.0
// Values as clients of the protocol write them in load-conn: times, amounts, addresses, identities, traffic selectors. Errors are of
// Fault::Configuration and say what is expected.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/config.h"

namespace svti::control {

Result<bool> parse_yes_no(std::string_view text);
Result<std::uint32_t> parse_number(std::string_view text, std::uint32_t least, std::uint32_t most);
Result<seconds> parse_time(std::string_view text);                // "90", "90s", "15m", "4h", "1d"
Result<std::uint64_t> parse_amount(std::string_view text);        // "5000", "64k", "500m", "2g": units of 1024
Result<std::uint32_t> parse_interface_id(std::string_view text);  // decimal, or hexadecimal behind 0x

// addresses of one end: none where any address will do. Ranges, host names and several addresses are not supported.
Result<std::optional<IpAddress>> parse_peer_addresses(const std::vector<std::string>& texts);
// "@name" is a domain name and "@@user@host" a mailbox; "fqdn:", "email:", "keyid:", "ipv4:", "ipv6:" may stand in front
Result<model::Identity> parse_peer_identity(std::string_view text);
// "10.0.0.0/24", "dynamic", "10.0.0.0/24[tcp/80]", "dynamic[udp]", "10.0.0.0/24[tcp/1024-2047]", "dynamic[icmp/8]"
Result<model::SelectorConfig> parse_selector(std::string_view text);

}  // namespace svti::control
