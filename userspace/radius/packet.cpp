// SPDX-License-Identifier: Apache-2.0
#include "radius/packet.h"

#include <algorithm>
#include <optional>

#include "crypto/legacy.h"
#include "crypto/mac.h"

namespace svti::radius {

namespace {

constexpr std::size_t kAuthenticatorAt = 4;
constexpr std::size_t kAuthenticatorSize = 16;
constexpr std::size_t kVendorSize = 4;
constexpr std::size_t kSaltSize = 2;

std::uint32_t number_of(ByteView octets) {
  std::uint32_t out = 0;
  for (const std::uint8_t octet : octets) out = out << 8 | octet;
  return out;
}

Authenticator as_authenticator(ByteView octets) {
  Authenticator out{};
  std::copy_n(octets.begin(), out.size(), out.begin());
  return out;
}

Result<Authenticator> hmac_md5(const Secret& secret, std::initializer_list<ByteView> parts) {
  if (!crypto::mac_available(crypto::MacKind::HmacMd5)) return system_error("this OpenSSL has no MD5 (FIPS): RADIUS cannot do without");
  Authenticator out{};
  crypto::Mac(crypto::MacKind::HmacMd5, secret.view()).compute(parts, out);
  return out;
}

// RFC 3579 3.2: over the packet with `authenticator` in its header and zeros in the Message-Authenticator that begins at `at`
Result<Authenticator> message_authenticator(ByteView packet, std::size_t at, const Authenticator& authenticator, const Secret& secret) {
  static constexpr Authenticator kZeros{};
  return hmac_md5(secret, {packet.first(kAuthenticatorAt), authenticator, packet.subspan(kHeaderSize, at - kHeaderSize), kZeros,
                           packet.subspan(at + kAuthenticatorSize)});
}

// RFC 2865 3, RFC 2866 3
Result<Authenticator> packet_authenticator(ByteView packet, const Authenticator& authenticator, const Secret& secret) {
  return crypto::md5({packet.first(kAuthenticatorAt), authenticator, packet.subspan(kHeaderSize), secret.view()});
}

// `field`: what stands for the authenticator while the Message-Authenticator is made. `random`: the packet keeps it as its authenticator.
Result<Bytes> encode(Code code, std::uint8_t id, const Attributes& attributes, const Secret& secret, const Authenticator& field,
                     bool random) {
  const std::size_t size = kHeaderSize + 2 + kAuthenticatorSize + attributes.size();
  if (size > kMaxPacketSize)
    return peer_error("a RADIUS packet of " + std::to_string(size) + " octets would be larger than " + std::to_string(kMaxPacketSize));
  Writer out;
  out.u8(static_cast<std::uint8_t>(code));
  out.u8(id);
  out.u16(static_cast<std::uint16_t>(size));
  out.bytes(field);
  out.u8(static_cast<std::uint8_t>(Type::MessageAuthenticator));
  out.u8(2 + kAuthenticatorSize);
  const std::size_t at = out.size();
  out.zeros(kAuthenticatorSize);
  out.bytes(attributes.octets());
  Bytes packet = std::move(out).take();
  const auto mac = message_authenticator(packet, at, field, secret);
  if (!mac) return fail(mac.error());
  std::copy(mac->begin(), mac->end(), packet.begin() + static_cast<std::ptrdiff_t>(at));
  if (random) return packet;
  const auto authenticator = packet_authenticator(packet, field, secret);
  if (!authenticator) return fail(authenticator.error());
  std::copy(authenticator->begin(), authenticator->end(), packet.begin() + kAuthenticatorAt);
  return packet;
}

Status verify(const PacketView& packet, const Authenticator& field, const Secret& secret, bool strict) {
  const auto expected = packet_authenticator(packet.octets, field, secret);
  if (!expected) return fail(expected.error());
  if (!constant_time_equal(*expected, packet.authenticator))
    return peer_error("its authenticator is wrong: the shared secret is another one");
  const AttributeView* mac = nullptr;
  for (const AttributeView& one : packet.attributes) {
    if (one.type != Type::MessageAuthenticator) continue;
    if (mac != nullptr) return peer_error("it has two Message-Authenticators");
    mac = &one;
  }
  if (mac == nullptr && strict)
    return peer_error("it has no Message-Authenticator, so that it may be forged (CVE-2024-3596): have the server send it");
  if (mac == nullptr) return {};
  if (mac->value.size() != kAuthenticatorSize) return peer_error("its Message-Authenticator has another size than 16 octets");
  const auto right =
      message_authenticator(packet.octets, static_cast<std::size_t>(mac->value.data() - packet.octets.data()), field, secret);
  if (!right) return fail(right.error());
  if (!constant_time_equal(*right, mac->value)) return peer_error("its Message-Authenticator is wrong: the shared secret is another one");
  return {};
}

}  // namespace

const AttributeView* PacketView::find(Type type) const {
  const auto found = std::find_if(attributes.begin(), attributes.end(), [&](const AttributeView& one) { return one.type == type; });
  return found == attributes.end() ? nullptr : &*found;
}

std::optional<std::uint32_t> PacketView::number(Type type) const {
  const AttributeView* one = find(type);
  if (one == nullptr || one->value.size() != 4) return std::nullopt;
  return number_of(one->value);
}

std::string PacketView::text(Type type) const {
  const AttributeView* one = find(type);
  return one == nullptr ? std::string() : std::string(as_text(one->value));
}

Bytes PacketView::joined(Type type) const {
  Bytes out;
  for (const AttributeView& one : attributes) {
    if (one.type == type) out.insert(out.end(), one.value.begin(), one.value.end());
  }
  return out;
}

std::optional<ByteView> PacketView::of_vendor(std::uint32_t vendor, std::uint8_t type) const {
  for (const AttributeView& one : attributes) {
    if (one.type != Type::VendorSpecific || one.value.size() < kVendorSize || number_of(one.value.first(kVendorSize)) != vendor) continue;
    for (ByteView rest = one.value.subspan(kVendorSize); rest.size() >= 2;) {
      const std::size_t size = rest[1];
      // what a vendor puts there need not have this form: then there is nothing to find
      if (size < 2 || size > rest.size()) break;
      if (rest[0] == type) return rest.subspan(2, size - 2);
      rest = rest.subspan(size);
    }
  }
  return std::nullopt;
}

Result<PacketView> parse_packet(ByteView octets) {
  if (octets.size() < kHeaderSize) return peer_error("RADIUS packet of " + std::to_string(octets.size()) + " octets");
  const std::size_t size = static_cast<std::size_t>(octets[2]) << 8 | octets[3];
  if (size < kHeaderSize || size > kMaxPacketSize || size > octets.size())
    return peer_error("RADIUS packet of " + std::to_string(octets.size()) + " octets that says it has " + std::to_string(size));
  PacketView out;
  out.code = static_cast<Code>(octets[0]);
  out.id = octets[1];
  out.octets = octets.first(size);  // RFC 2865 3: what is behind is padding
  out.authenticator = as_authenticator(out.octets.subspan(kAuthenticatorAt, kAuthenticatorSize));
  for (ByteView rest = out.octets.subspan(kHeaderSize); !rest.empty();) {
    // CVE-2026-35333: a length below that of the two octets before it would never end
    if (rest.size() < 2 || rest[1] < 2 || rest[1] > rest.size())
      return peer_error("RADIUS attribute " + std::to_string(rest[0]) + " with a length of " +
                        (rest.size() < 2 ? std::string("none") : std::to_string(rest[1])) + " in " + std::to_string(rest.size()) +
                        " octets");
    out.attributes.push_back({static_cast<Type>(rest[0]), rest.subspan(2, rest[1] - 2)});
    rest = rest.subspan(rest[1]);
  }
  return out;
}

Attributes& Attributes::add(Type type, ByteView value) {
  value = value.first(std::min(value.size(), kMaxValueSize));
  octets_.push_back(static_cast<std::uint8_t>(type));
  octets_.push_back(static_cast<std::uint8_t>(value.size() + 2));
  octets_.insert(octets_.end(), value.begin(), value.end());
  return *this;
}

Attributes& Attributes::add(Type type, std::uint32_t number) {
  Writer value;
  value.u32(number);
  return add(type, value.view());
}

Attributes& Attributes::add_split(Type type, ByteView value) {
  for (; !value.empty(); value = value.subspan(std::min(value.size(), kMaxValueSize))) add(type, value);
  return *this;
}

Attributes& Attributes::add_nas_address(const IpAddress& address) {
  return add(address.is_v4() ? Type::NasIpAddress : Type::NasIpv6Address, address.bytes());
}

Result<Bytes> encode_request(Code code, std::uint8_t id, const Attributes& attributes, const Secret& secret, const Authenticator& random) {
  const bool access = code == Code::AccessRequest;
  return encode(code, id, attributes, secret, access ? random : Authenticator{}, access);
}

Result<Bytes> encode_response(Code code, std::uint8_t id, const Attributes& attributes, const Secret& secret,
                              const Authenticator& request) {
  return encode(code, id, attributes, secret, request, false);
}

Status verify_response(const PacketView& response, const Authenticator& request, const Secret& secret, bool strict) {
  return verify(response, request, secret, strict);
}

Status verify_request(const PacketView& request, const Secret& secret, bool strict) { return verify(request, {}, secret, strict); }

Result<Secret> decrypt_mppe_key(ByteView value, const Authenticator& request, const Secret& secret) {
  if (value.size() < kSaltSize + kAuthenticatorSize || (value.size() - kSaltSize) % kAuthenticatorSize != 0)
    return peer_error("MS-MPPE key of " + std::to_string(value.size()) + " octets");
  const ByteView salt = value.first(kSaltSize), ciphertext = value.subspan(kSaltSize);
  Secret plain(ciphertext.size());
  for (std::size_t at = 0; at < ciphertext.size(); at += kAuthenticatorSize) {
    auto pad = at == 0 ? crypto::md5({secret.view(), request, salt})
                       : crypto::md5({secret.view(), ciphertext.subspan(at - kAuthenticatorSize, kAuthenticatorSize)});
    if (!pad) return fail(pad.error());
    for (std::size_t i = 0; i < pad->size(); ++i) plain.mutable_view()[at + i] = ciphertext[at + i] ^ (*pad)[i];
    wipe(*pad);
  }
  const std::size_t size = plain.view()[0];
  if (size == 0 || size > plain.size() - 1) return peer_error("MS-MPPE key that does not decrypt: the shared secret is another one");
  return plain.slice(1, size);
}

std::string to_string(Code code) {
  switch (code) {
    case Code::AccessRequest:
      return "Access-Request";
    case Code::AccessAccept:
      return "Access-Accept";
    case Code::AccessReject:
      return "Access-Reject";
    case Code::AccountingRequest:
      return "Accounting-Request";
    case Code::AccountingResponse:
      return "Accounting-Response";
    case Code::AccessChallenge:
      return "Access-Challenge";
    case Code::DisconnectRequest:
      return "Disconnect-Request";
    case Code::DisconnectAck:
      return "Disconnect-ACK";
    case Code::DisconnectNak:
      return "Disconnect-NAK";
    case Code::CoaRequest:
      return "CoA-Request";
    case Code::CoaAck:
      return "CoA-ACK";
    case Code::CoaNak:
      return "CoA-NAK";
  }
  return "code " + std::to_string(static_cast<unsigned>(code));
}

}  // namespace svti::radius
