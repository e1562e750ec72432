// SPDX-License-Identifier: Apache-2.0
// The IKE header (RFC 7296 3.1) and whole messages.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "wire/payload.h"

namespace svti::wire {

using IkeSpi = std::uint64_t;  // zero: not yet chosen

inline constexpr std::size_t kHeaderSize = 28;
inline constexpr std::size_t kGenericHeaderSize = 4;
inline constexpr std::size_t kMaxMessageSize = 65535;  // what a UDP datagram can carry

struct Header {
  IkeSpi initiator_spi = 0;
  IkeSpi responder_spi = 0;
  PayloadType next_payload = PayloadType::None;
  std::uint8_t major = 2;
  std::uint8_t minor = 0;
  ExchangeType exchange{};
  bool from_initiator = false;  // I flag: sent by the original initiator of the IKE SA
  bool response = false;        // R flag
  bool higher_version = false;  // V flag
  std::uint32_t message_id = 0;
  std::uint32_t length = 0;  // whole message

  bool operator==(const Header&) const = default;
};

// The first 28 octets, of any major version. Error: shorter than that, or the length field is not the datagram's size.
Result<Header> parse_header(ByteView datagram);

struct Message {
  Header header;
  std::vector<Payload> payloads;
};

// A whole IKEv2 datagram, the non-ESP marker already removed. The payloads inside an Encrypted payload, or a fragment of
// one, are not parsed.
Result<Message> parse_message(ByteView datagram);

// An unencrypted message. header.next_payload and header.length are filled in here. This and encrypted_prefix() throw
// std::length_error when the message would pass kMaxMessageSize: a bug of ours.
Bytes encode_message(Header header, const std::vector<Payload>& payloads);

// What stands before the body of an Encrypted payload that is alone in its message: header and generic header, with lengths for a
// body (IV, ciphertext, padding, ICV) of `body_size` octets. It is the associated data of an AEAD and the start of what a
// separate ICV covers (RFC 5282 5.1, RFC 7296 3.14). The message is this followed by the body.
Bytes encrypted_prefix(Header header, PayloadType first_inner, std::size_t body_size);

// The same for an Encrypted Fragment payload (RFC 7383 2.5): its number and the number of all stand before the body and are
// protected with the rest. `first_inner` is None in all but the first.
Bytes encrypted_fragment_prefix(Header header, PayloadType first_inner, std::uint16_t number, std::uint16_t total, std::size_t body_size);

// sizes of what these make
inline constexpr std::size_t kEncryptedPrefixSize = kHeaderSize + kGenericHeaderSize;
inline constexpr std::size_t kEncryptedFragmentPrefixSize = kEncryptedPrefixSize + 4;

}  // namespace svti::wire
