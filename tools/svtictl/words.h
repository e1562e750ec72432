// SPDX-License-Identifier: Apache-2.0
// The words of a command line to values, each checked on its own. Errors are of Fault::Configuration and say what is allowed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "svtictl/verbs.h"

namespace svti::svtictl {

// any interface name that the kernel could hold
Result<std::string> parse_interface_name(std::string_view word);
// the same, beginning with "svti": a rule of this tool, not of the kernel
Result<std::string> parse_svti_name(std::string_view word);
// 1..4294967295, decimal or with 0x; a leading zero is not octal but an error
Result<std::uint32_t> parse_svti_id(std::string_view word);
Result<bool> parse_on_off(std::string_view word);
Result<std::uint32_t> parse_mtu_or_auto(std::string_view word);           // the same, or 0 for "auto"
Result<std::uint32_t> parse_mtu(std::string_view word);                   // 68 (RFC 791) to 65535
Result<std::uint32_t> parse_table(std::string_view word);                 // 1..4294967295
Result<std::uint32_t> parse_u32(std::string_view word);                   // 0..4294967295: priority, metric
Result<Prefix> parse_prefix(std::string_view word);                       // as Prefix::parse
Result<IpAddress> parse_address(std::string_view word);                   // as IpAddress::parse
Result<InterfaceAddress> parse_interface_address(std::string_view word);  // "a/len", or "a" for a host
Result<std::uint8_t> parse_route_type(std::string_view word);             // RTN_*
Result<SpHash> parse_sp_hash_ipv4(std::string_view word);                 // "LOCAL/REMOTE", prefix lengths
Result<SpHash> parse_sp_hash_ipv6(std::string_view word);
Result<std::uint16_t> parse_port(std::string_view word);              // 0..65535
Result<std::uint8_t> parse_protocol(std::string_view word);           // 0..255, or tcp, udp, icmp, icmpv6, sctp, gre, esp
Result<bool> parse_direction(std::string_view word);                  // out: true, in: false
Result<std::vector<IpFamily>> parse_families(std::string_view word);  // ipv4, ipv6, both

}  // namespace svti::svtictl
