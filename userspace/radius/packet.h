// SPDX-License-Identifier: Apache-2.0
// RADIUS packets: RFC 2865 (form, authenticators), RFC 2866 (accounting), RFC 3579 (EAP-Message, Message-Authenticator), RFC 2548 (MS-MPPE
// keys), RFC 5176 (Disconnect, CoA). Errors about what came are of Fault::Peer; an OpenSSL without MD5 (FIPS) is Fault::Surroundings.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ip.h"
#include "base/secret.h"

namespace svti::radius {

enum class Code : std::uint8_t {
  AccessRequest = 1,
  AccessAccept = 2,
  AccessReject = 3,
  AccountingRequest = 4,
  AccountingResponse = 5,
  AccessChallenge = 11,
  DisconnectRequest = 40,
  DisconnectAck = 41,
  DisconnectNak = 42,
  CoaRequest = 43,
  CoaAck = 44,
  CoaNak = 45,
};

enum class Type : std::uint8_t {
  UserName = 1,
  NasIpAddress = 4,
  NasPort = 5,
  ServiceType = 6,
  FramedIpAddress = 8,
  FramedMtu = 12,
  ReplyMessage = 18,
  State = 24,
  Class = 25,
  VendorSpecific = 26,
  SessionTimeout = 27,
  CalledStationId = 30,
  CallingStationId = 31,
  NasIdentifier = 32,
  ProxyState = 33,
  AcctStatusType = 40,
  AcctDelayTime = 41,
  AcctInputOctets = 42,
  AcctOutputOctets = 43,
  AcctSessionId = 44,
  AcctAuthentic = 45,
  AcctSessionTime = 46,
  AcctInputPackets = 47,
  AcctOutputPackets = 48,
  AcctTerminateCause = 49,
  AcctInputGigawords = 52,
  AcctOutputGigawords = 53,
  EventTimestamp = 55,
  NasPortType = 61,
  EapMessage = 79,
  MessageAuthenticator = 80,
  AcctInterimInterval = 85,
  NasPortId = 87,
  NasIpv6Address = 95,
  ErrorCause = 101,
  FramedIpv6Address = 168,
};

inline constexpr std::size_t kHeaderSize = 20;
inline constexpr std::size_t kMaxPacketSize = 4096;  // RFC 2865 3
inline constexpr std::size_t kMaxValueSize = 253;

using Authenticator = std::array<std::uint8_t, 16>;

struct AttributeView {
  Type type{};
  ByteView value;  // borrows
};

// A packet of good form. Borrows the octets it was parsed from.
struct PacketView {
  Code code{};
  std::uint8_t id = 0;
  Authenticator authenticator{};
  ByteView octets;  // without what stands behind its length
  std::vector<AttributeView> attributes;

  const AttributeView* find(Type type) const;            // the first; null: none
  std::optional<std::uint32_t> number(Type type) const;  // nothing: none of four octets
  std::string text(Type type) const;                     // of the first; empty: none
  Bytes joined(Type type) const;                         // of all, one after the other: EAP-Message (RFC 3579 3.1)
  // the first of a vendor (RFC 2865 5.26), null: none
  std::optional<ByteView> of_vendor(std::uint32_t vendor, std::uint8_t type) const;
};

Result<PacketView> parse_packet(ByteView octets);

// What a packet says, in order.
class Attributes {
 public:
  Attributes& add(Type type, ByteView value);  // what is longer than an attribute is cut
  Attributes& add(Type type, std::string_view text) { return add(type, as_bytes(text)); }
  Attributes& add(Type type, std::uint32_t number);
  Attributes& add_split(Type type, ByteView value);  // into as many as it needs
  Attributes& add_nas_address(const IpAddress& address);
  ByteView octets() const { return octets_; }
  std::size_t size() const { return octets_.size(); }

 private:
  Bytes octets_;
};

// A request with its Message-Authenticator, which comes first. `random`: the Request Authenticator of an Access-Request; those of the
// others follow from their content. Error: larger than a packet may be, or no MD5 here.
Result<Bytes> encode_request(Code code, std::uint8_t id, const Attributes& attributes, const Secret& secret,
                             const Authenticator& random = {});
// A response to the request with that authenticator.
Result<Bytes> encode_response(Code code, std::uint8_t id, const Attributes& attributes, const Secret& secret, const Authenticator& request);

// Whether a response was made by who has the secret, in answer to the request with that authenticator. `strict`: it must have a
// Message-Authenticator, without which it can be forged (CVE-2024-3596); one that is there is checked in any case.
Status verify_response(const PacketView& response, const Authenticator& request, const Secret& secret, bool strict);
// the same for a request of the code Accounting, Disconnect or CoA
Status verify_request(const PacketView& request, const Secret& secret, bool strict);

// MS-MPPE-Send-Key or MS-MPPE-Recv-Key (RFC 2548 2.4.2 and 2.4.3): salt and ciphertext. `request`: the authenticator of the request that it
// came in answer to.
Result<Secret> decrypt_mppe_key(ByteView value, const Authenticator& request, const Secret& secret);

std::string to_string(Code code);

}  // namespace svti::radius
