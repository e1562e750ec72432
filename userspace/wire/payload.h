// SPDX-License-Identifier: Apache-2.0
// The payloads of IKEv2 as values (RFC 7296 section 3). They own their octets. Parsing checks form alone: whether a payload may
// stand where it stands, how often, and what it means is for `sa` to decide.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ip.h"
#include "wire/ikev2.h"

namespace svti::wire {

// RFC 7296 3.3.2. `key_bits` is the Key Length attribute, 0 when absent. An unknown attribute makes the whole transform one
// that cannot be chosen (3.3.6): `unknown_attribute` then is true. So does a Key Length that is 0, repeated or not in the short form.
// The attribute itself is not kept, hence not encoded either.
struct Transform {
  TransformType type{};
  std::uint16_t id = 0;
  std::uint16_t key_bits = 0;
  bool unknown_attribute = false;

  auto operator<=>(const Transform&) const = default;
};

template <typename Id>
Transform transform(TransformType type, Id id, std::uint16_t key_bits = 0) {
  return {type, static_cast<std::uint16_t>(id), key_bits, false};
}

// RFC 7296 3.3.1. `spi`: 0, 4 (ESP, AH) or 8 (IKE) octets, empty in IKE_SA_INIT; any for a protocol that is not known. What was
// parsed has at least one transform, and its number is 1, 2, 3... in a list, anything but 0 when it is alone (an answer).
struct Proposal {
  std::uint8_t number = 1;
  ProtocolId protocol = ProtocolId::None;
  Bytes spi;
  std::vector<Transform> transforms;  // in order of preference within a type

  bool operator==(const Proposal&) const = default;
};

// RFC 7296 3.13.1: an inclusive range of addresses and ports. protocol 0 is any. Ports 0..65535 are any; start 65535 with
// end 0 is OPAQUE. For ICMP the ports are type and code (4301 4.4.1.1).
struct TrafficSelector {
  std::uint8_t protocol = 0;
  std::uint16_t start_port = 0;
  std::uint16_t end_port = 65535;
  IpAddress start;
  IpAddress end;  // same family as start

  static TrafficSelector of(const Prefix& prefix, std::uint8_t protocol = 0, std::uint16_t start_port = 0, std::uint16_t end_port = 65535);
  // RFC 4301 4.4.1.1: any port includes OPAQUE, a range of ports does not
  bool any_port() const { return start_port == 0 && end_port == 65535; }
  bool opaque_port() const { return start_port == 65535 && end_port == 0; }
  // covers all that `other` covers
  bool contains(const TrafficSelector& other) const;
  // the fewest prefixes that cover exactly start..end, in ascending order; at most 62 (IPv4) or 254 (IPv6)
  std::vector<Prefix> prefixes() const;
  std::string to_string() const;  // "10.1.0.0/16", "10.1.0.1-10.1.0.9", "10.1.0.0/16 protocol 6 port 80"

  auto operator<=>(const TrafficSelector&) const = default;
};
// the selector that covers what both cover; empty when there is nothing
std::vector<TrafficSelector> intersect(const TrafficSelector& ours, const TrafficSelector& theirs);

struct SaPayload {
  std::vector<Proposal> proposals;
  bool operator==(const SaPayload&) const = default;
};
struct KePayload {
  KeGroup group{};
  Bytes data;
  bool operator==(const KePayload&) const = default;
};
// `type` says IDi or IDr. RFC 7296 3.5: three reserved octets, ignored on receipt, zero when sent.
struct IdPayload {
  PayloadType type = PayloadType::IdInitiator;
  IdType id_type{};
  Bytes data;
  bool operator==(const IdPayload&) const = default;
};
struct CertPayload {
  std::uint8_t encoding = 0;
  Bytes data;
  bool operator==(const CertPayload&) const = default;
};
struct CertReqPayload {
  std::uint8_t encoding = 0;
  Bytes data;
  bool operator==(const CertReqPayload&) const = default;
};
struct AuthPayload {
  AuthMethod method{};
  Bytes data;
  bool operator==(const AuthPayload&) const = default;
};
struct NoncePayload {
  Bytes data;  // kMinNonceSize to kMaxNonceSize octets
  bool operator==(const NoncePayload&) const = default;
};
// RFC 7296 3.10: without an SPI the protocol is ignored, so what was parsed has ProtocolId::None then. ESP and AH: SPI of 4 octets.
struct NotifyPayload {
  NotifyType type{};
  ProtocolId protocol = ProtocolId::None;
  Bytes spi;
  Bytes data;
  bool operator==(const NotifyPayload&) const = default;
};
// all SPIs of one size: none for IKE, 4 octets for ESP and AH
struct DeletePayload {
  ProtocolId protocol{};
  std::vector<std::uint32_t> spis;
  bool operator==(const DeletePayload&) const = default;
};
struct VendorIdPayload {
  Bytes data;
  bool operator==(const VendorIdPayload&) const = default;
};
struct TsPayload {
  PayloadType type = PayloadType::TsInitiator;
  std::vector<TrafficSelector> selectors;
  bool operator==(const TsPayload&) const = default;
};
// RFC 7296 3.14, always the last payload: what follows the generic header, undecrypted, and the type of the first payload inside
struct EncryptedPayload {
  PayloadType first_inner = PayloadType::None;
  Bytes body;
  bool operator==(const EncryptedPayload&) const = default;
};
// RFC 7383 2.5, always alone in its message: one piece of what the payloads of a message are together. What was parsed has
// 1 <= number <= total. `first_inner` has a meaning in the first fragment alone.
struct EncryptedFragmentPayload {
  PayloadType first_inner = PayloadType::None;
  std::uint16_t number = 0;
  std::uint16_t total = 0;
  Bytes body;
  bool operator==(const EncryptedFragmentPayload&) const = default;
};
// RFC 7296 3.15. What was parsed has values of a length that their type allows; what they say: configuration.h
struct ConfigPayload {
  std::uint8_t type = 0;  // ConfigType
  struct Attribute {
    std::uint16_t type = 0;
    Bytes value;
    bool operator==(const Attribute&) const = default;
  };
  std::vector<Attribute> attributes;
  bool operator==(const ConfigPayload&) const = default;
};
struct EapPayload {
  Bytes data;
  bool operator==(const EapPayload&) const = default;
};
// a payload type that is not known here
struct UnknownPayload {
  PayloadType type{};
  bool critical = false;
  Bytes body;
  bool operator==(const UnknownPayload&) const = default;
};

using Payload =
    std::variant<SaPayload, KePayload, IdPayload, CertPayload, CertReqPayload, AuthPayload, NoncePayload, NotifyPayload, DeletePayload,
                 VendorIdPayload, TsPayload, EncryptedPayload, EncryptedFragmentPayload, ConfigPayload, EapPayload, UnknownPayload>;

PayloadType type_of(const Payload& payload);

inline constexpr std::size_t kMinNonceSize = 16;  // RFC 7296 3.9
inline constexpr std::size_t kMaxNonceSize = 256;
inline constexpr std::size_t kMaxPayloads = 128;  // more in one message is refused: no exchange needs nearly as many
inline constexpr std::size_t kMaxProposals = 64;  // RFC 7296 sets no limit; work per message is bounded by these three
inline constexpr std::size_t kMaxTransforms = 255;
inline constexpr std::size_t kMaxSelectors = 255;
inline constexpr std::size_t kMaxConfigAttributes = 255;

// Parses a chain of payloads that begins with one of type `first` and fills `data` exactly. An EncryptedPayload or a fragment of one ends
// the chain. TS payloads with a selector type other than IPv4/IPv6 ranges: that selector is left out (a peer may offer labels); a payload
// whose selectors were all left out has an empty list.
Result<std::vector<Payload>> parse_payloads(PayloadType first, ByteView data);

// The chain encoded, generic headers included, each Next Payload set; the last one's is None. Critical bit 0 (RFC 7296 2.5)
// but for an UnknownPayload that says otherwise. Neither of the Encrypted payloads must occur: see message.h. Throws std::length_error or
// std::logic_error for what has no encoding (a payload above 65535 octets, a proposal without transforms, 256 selectors): a bug of ours.
Bytes encode_payloads(const std::vector<Payload>& payloads);
PayloadType first_type(const std::vector<Payload>& payloads);  // None for an empty chain

// The body of an ID payload (type, three zero octets, data), over which AUTH is computed (RFC 7296 2.15)
Bytes encode_id_body(const IdPayload& id);

}  // namespace svti::wire
