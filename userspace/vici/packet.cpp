// SPDX-License-Identifier: Apache-2.0
#include "vici/packet.h"

#include <algorithm>

#include "base/log.h"

namespace svti::vici {

Result<PacketView> parse_packet(ByteView segment) {
  Reader in(segment);
  const Result<std::uint8_t> type = in.u8();
  if (!type) return peer_error("packet without a type");
  if (*type > static_cast<std::uint8_t>(PacketType::Event)) return peer_error("packet type " + std::to_string(*type) + " is unknown");

  PacketView packet{static_cast<PacketType>(*type), {}, {}};
  if (has_name(packet.type)) {
    const Result<std::uint8_t> size = in.u8();
    if (!size) return fail(size.error());
    const Result<ByteView> name = in.take(*size);
    if (!name) return fail(name.error());
    packet.name = as_text(*name);
    const bool plain = std::all_of(packet.name.begin(), packet.name.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (packet.name.empty() || !plain) return peer_error("packet with the name \"" + printable(packet.name) + "\"");
  }
  if (has_message(packet.type)) packet.message = in.take_rest();
  if (!in.empty()) return peer_error(std::to_string(in.remaining()) + " octets behind the packet");
  return packet;
}

Result<Bytes> encode_packet(PacketType type, std::string_view name, const Message& message) {
  Writer out;
  out.u32(0);  // the length, patched below
  out.u8(static_cast<std::uint8_t>(type));
  if (has_name(type)) {
    if (name.size() > kMaxNameSize) return system_error("VICI name of " + std::to_string(name.size()) + " octets, at most 255 fit");
    out.u8(static_cast<std::uint8_t>(name.size()));
    out.bytes(as_bytes(name));
  }
  if (has_message(type)) {
    const Result<Bytes> encoded = encode_message(message);
    if (!encoded) return fail(encoded.error());
    out.bytes(*encoded);
  }
  const std::size_t size = out.size() - 4;
  if (size > kMaxSegmentSize) return system_error("VICI packet of " + std::to_string(size) + " octets, at most 524288 fit");
  out.patch_u32(0, static_cast<std::uint32_t>(size));
  return std::move(out).take();
}

void SegmentReader::append(ByteView octets) {
  // What was given out goes before more comes, so the buffer stays as small as its content.
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(consumed_));
  consumed_ = 0;
  buffer_.insert(buffer_.end(), octets.begin(), octets.end());
}

Result<std::optional<ByteView>> SegmentReader::next() {
  Reader in(ByteView(buffer_).subspan(consumed_));
  const Result<std::uint32_t> size = in.u32();
  if (!size) return std::nullopt;
  if (*size > kMaxSegmentSize) return peer_error("segment of " + std::to_string(*size) + " octets, at most 524288 are allowed");
  const Result<ByteView> data = in.take(*size);
  if (!data) return std::nullopt;
  consumed_ += 4 + *size;
  return *data;
}

}  // namespace svti::vici
