// SPDX-License-Identifier: Apache-2.0
// VICI packets and the segments that carry them over a byte stream (docs/vici.md, "Transport" and "Packets").
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "vici/message.h"

namespace svti::vici {

inline constexpr std::size_t kMaxSegmentSize = 512 * 1024;  // octets, without the four of the length in front

enum class PacketType : std::uint8_t {
  CommandRequest = 0,
  CommandResponse = 1,
  CommandUnknown = 2,
  EventRegister = 3,
  EventUnregister = 4,
  EventConfirm = 5,
  EventUnknown = 6,
  Event = 7,
};
constexpr bool has_name(PacketType type) {
  return type == PacketType::CommandRequest || type == PacketType::EventRegister || type == PacketType::EventUnregister ||
         type == PacketType::Event;
}
constexpr bool has_message(PacketType type) {
  return type == PacketType::CommandRequest || type == PacketType::CommandResponse || type == PacketType::Event;
}

// One packet, its message not yet parsed: whoever must answer can name the command even when the message is broken. Borrows.
struct PacketView {
  PacketType type{};
  std::string_view name;  // empty for types without one
  ByteView message;       // empty for types without one
};

// the data of one segment
Result<PacketView> parse_packet(ByteView segment);

// A packet as a segment, length in front. `name` and `message` count only for types that have them. Error (Fault::Surroundings) when
// encode_message() has one, or when it is larger than kMaxSegmentSize.
Result<Bytes> encode_packet(PacketType type, std::string_view name = {}, const Message& message = {});

// Cuts a byte stream into segments. Holds what was appended and not yet given out, never more than that.
class SegmentReader {
 public:
  void append(ByteView octets);
  // Data of the next segment, none when it is not there yet. Borrowed until the next append(). An announced length above kMaxSegmentSize is
  // an error, for good: nothing in the stream tells where the following segment would begin.
  Result<std::optional<ByteView>> next();
  std::size_t buffered() const { return buffer_.size() - consumed_; }  // octets

 private:
  Bytes buffer_;
  std::size_t consumed_ = 0;
};

}  // namespace svti::vici
