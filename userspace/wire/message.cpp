// SPDX-License-Identifier: Apache-2.0
#include "wire/message.h"

#include <stdexcept>

namespace svti::wire {
namespace {

// RFC 7296 3.1: the other bits are reserved
constexpr std::uint8_t kInitiatorFlag = 0x08;
constexpr std::uint8_t kVersionFlag = 0x10;
constexpr std::uint8_t kResponseFlag = 0x20;

void write_header(Writer& out, const Header& header) {
  out.u64(header.initiator_spi);
  out.u64(header.responder_spi);
  out.u8(static_cast<std::uint8_t>(header.next_payload));
  out.u8(static_cast<std::uint8_t>(header.major << 4 | (header.minor & 0x0f)));
  out.u8(static_cast<std::uint8_t>(header.exchange));
  unsigned flags = 0;
  if (header.from_initiator) flags |= kInitiatorFlag;
  if (header.higher_version) flags |= kVersionFlag;
  if (header.response) flags |= kResponseFlag;
  out.u8(static_cast<std::uint8_t>(flags));
  out.u32(header.message_id);
  out.u32(header.length);
}

// Both the message and a datagram end at 65535 octets. Who gets here has built too large a message: a bug of ours, not of a peer.
std::uint32_t checked_length(std::size_t size) {
  if (size > kMaxMessageSize) throw std::length_error("IKE message of " + std::to_string(size) + " octets");
  return static_cast<std::uint32_t>(size);
}

}  // namespace

Result<Header> parse_header(ByteView datagram) {
  if (datagram.size() < kHeaderSize) return peer_error("IKE header of " + std::to_string(datagram.size()) + " octets");
  Reader in(datagram);
  Header out;
  out.initiator_spi = *in.u64();  // 28 octets are there: none of these can fail
  out.responder_spi = *in.u64();
  out.next_payload = static_cast<PayloadType>(*in.u8());
  const std::uint8_t version = *in.u8();
  out.major = version >> 4;
  out.minor = version & 0x0f;
  out.exchange = static_cast<ExchangeType>(*in.u8());
  const std::uint8_t flags = *in.u8();
  out.from_initiator = (flags & kInitiatorFlag) != 0;
  out.higher_version = (flags & kVersionFlag) != 0;
  out.response = (flags & kResponseFlag) != 0;
  out.message_id = *in.u32();
  out.length = *in.u32();
  if (out.length != datagram.size()) {
    return peer_error("IKE header says " + std::to_string(out.length) + " octets, the datagram has " + std::to_string(datagram.size()));
  }
  return out;
}

Result<Message> parse_message(ByteView datagram) {
  const auto header = parse_header(datagram);
  if (!header) return fail(header.error());
  // RFC 7296 2.5: another major version has other payloads, of which nothing is known; the minor version is ignored
  if (header->major != 2) return peer_error("IKE major version " + std::to_string(header->major));
  auto payloads = parse_payloads(header->next_payload, datagram.subspan(kHeaderSize));
  if (!payloads) return fail(payloads.error());
  return Message{*header, std::move(*payloads)};
}

Bytes encode_message(Header header, const std::vector<Payload>& payloads) {
  const Bytes chain = encode_payloads(payloads);
  header.next_payload = first_type(payloads);
  header.length = checked_length(kHeaderSize + chain.size());
  Writer out;
  write_header(out, header);
  out.bytes(chain);
  return std::move(out).take();
}

Bytes encrypted_prefix(Header header, PayloadType first_inner, std::size_t body_size) {
  header.next_payload = PayloadType::Encrypted;
  header.length = checked_length(kEncryptedPrefixSize + body_size);
  Writer out;
  write_header(out, header);
  out.u8(static_cast<std::uint8_t>(first_inner));
  out.u8(0);
  out.u16(static_cast<std::uint16_t>(kGenericHeaderSize + body_size));
  return std::move(out).take();
}

Bytes encrypted_fragment_prefix(Header header, PayloadType first_inner, std::uint16_t number, std::uint16_t total, std::size_t body_size) {
  header.next_payload = PayloadType::EncryptedFragment;
  header.length = checked_length(kEncryptedFragmentPrefixSize + body_size);
  Writer out;
  write_header(out, header);
  out.u8(static_cast<std::uint8_t>(first_inner));
  out.u8(0);
  out.u16(static_cast<std::uint16_t>(kEncryptedFragmentPrefixSize - kHeaderSize + body_size));
  out.u16(number);
  out.u16(total);
  return std::move(out).take();
}

}  // namespace svti::wire
