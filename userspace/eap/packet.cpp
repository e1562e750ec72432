// SPDX-License-Identifier: Apache-2.0
#include "eap/packet.h"

#include <cassert>

namespace svti::eap {

namespace {

constexpr std::size_t kHeaderSize = 4;  // code, identifier, length

}  // namespace

Result<PacketView> parse_packet(ByteView octets) {
  Reader reader(octets);
  const auto code = reader.u8();
  const auto identifier = reader.u8();
  const auto length = reader.u16();
  if (!length) return peer_error("EAP packet of " + std::to_string(octets.size()) + " octets");
  if (*length != octets.size())
    return peer_error("EAP packet says it has " + std::to_string(*length) + " octets, and has " + std::to_string(octets.size()));
  PacketView out{static_cast<Code>(*code), *identifier, {}, {}};
  switch (out.code) {
    case Code::Request:
    case Code::Response: {
      const auto type = reader.u8();
      if (!type) return peer_error("EAP packet without a type");
      out.type = static_cast<Type>(*type);
      out.data = reader.take_rest();
      return out;
    }
    case Code::Success:
    case Code::Failure:
      if (!reader.empty()) return peer_error("EAP Success or Failure with content");
      return out;
  }
  return peer_error("EAP packet of the unknown code " + std::to_string(*code));
}

Bytes encode_packet(Code code, std::uint8_t identifier, Type type, ByteView data) {
  const std::size_t size = kHeaderSize + 1 + data.size();
  assert(size <= kMaxPacketSize);
  Writer out;
  out.u8(static_cast<std::uint8_t>(code));
  out.u8(identifier);
  out.u16(static_cast<std::uint16_t>(size));
  out.u8(static_cast<std::uint8_t>(type));
  out.bytes(data);
  return std::move(out).take();
}

Bytes encode_packet(Code code, std::uint8_t identifier) {
  return {static_cast<std::uint8_t>(code), identifier, 0, static_cast<std::uint8_t>(kHeaderSize)};
}

std::string to_string(Type type) {
  switch (type) {
    case Type::Identity:
      return "EAP-Identity";
    case Type::Notification:
      return "EAP-Notification";
    case Type::Nak:
      return "EAP-Nak";
    case Type::Md5Challenge:
      return "EAP-MD5";
    case Type::Tls:
      return "EAP-TLS";
    case Type::MsChapV2:
      return "EAP-MSCHAPv2";
    case Type::Expanded:
      break;
  }
  return "EAP method " + std::to_string(static_cast<unsigned>(type));
}

}  // namespace svti::eap
