// SPDX-License-Identifier: Apache-2.0
// EAP packets (RFC 3748 section 4) as values: form alone.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace svti::eap {

enum class Code : std::uint8_t { Request = 1, Response = 2, Success = 3, Failure = 4 };

// RFC 3748 section 5; those of our methods, and those that any end has to know
enum class Type : std::uint8_t { Identity = 1, Notification = 2, Nak = 3, Md5Challenge = 4, Tls = 13, MsChapV2 = 26, Expanded = 254 };

struct PacketView {
  Code code{};
  std::uint8_t identifier = 0;
  Type type{};    // of Request and Response
  ByteView data;  // behind the type; borrows
};

inline constexpr std::size_t kMaxPacketSize = 65535;
// Of an identity: RFC 7542 lets no NAI be longer.
inline constexpr std::size_t kMaxIdentitySize = 253;

// The whole of `octets` is one packet: nothing may stand behind it, for the EAP payload of IKEv2 has no padding. The result borrows.
Result<PacketView> parse_packet(ByteView octets);
// a Request or a Response; `data` of up to kMaxPacketSize - 5 octets
Bytes encode_packet(Code code, std::uint8_t identifier, Type type, ByteView data);
// a Success or a Failure
Bytes encode_packet(Code code, std::uint8_t identifier);

std::string to_string(Type type);

}  // namespace svti::eap
