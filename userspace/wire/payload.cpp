// SPDX-License-Identifier: Apache-2.0
// Chains of payloads and their bodies, read and written. A parse function gets the body of one payload, its generic header already
// consumed, and must use it up to the last octet.
#include "wire/payload.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "wire/configuration.h"
#include "wire/message.h"

namespace svti::wire {
namespace {

constexpr std::uint8_t kCriticalFlag = 0x80;

// RFC 7296 3.3.1 and 3.3.2: first octet of a substructure; the values are left from IKEv1's payload numbers
constexpr std::uint8_t kLast = 0;
constexpr std::uint8_t kMoreProposals = 2;
constexpr std::uint8_t kMoreTransforms = 3;
constexpr std::size_t kProposalHeaderSize = 8;
constexpr std::size_t kTransformHeaderSize = 8;

// RFC 7296 3.3.5
constexpr std::uint16_t kAttributeFormatTv = 0x8000;
constexpr std::uint16_t kKeyLengthAttribute = 14;

// RFC 7296 3.13.1
constexpr std::uint8_t kTsIpv4Range = 7;
constexpr std::uint8_t kTsIpv6Range = 8;
constexpr std::size_t kSelectorHeaderSize = 4;

constexpr std::size_t kIkeSpiSize = 8;
constexpr std::size_t kEspSpiSize = 4;

std::string octets(std::size_t count) { return std::to_string(count) + " octets"; }

// ---- Security Association, RFC 7296 3.3 ----

// RFC 7296 3.3.5: attributes fill `body`. One that is not exactly "Key Length once, as type and value" leaves a transform that
// nobody can choose; the proposal around it stays readable (3.3.6).
Status parse_attributes(ByteView body, Transform& out) {
  Reader in(body);
  while (!in.empty()) {
    const auto type = in.u16();
    if (!type) return fail(type.error());
    const auto value = in.u16();  // or the length of a longer one
    if (!value) return fail(value.error());
    if ((*type & kAttributeFormatTv) == 0) {
      const auto skipped = in.take(*value);
      if (!skipped) return fail(skipped.error());
      out.unknown_attribute = true;
      continue;
    }
    const bool usable = *type == (kAttributeFormatTv | kKeyLengthAttribute) && out.key_bits == 0 && *value != 0;
    if (!usable) {
      out.unknown_attribute = true;
      continue;
    }
    out.key_bits = *value;
  }
  return {};
}

Result<Transform> parse_transform(Reader& in, bool last) {
  const auto head = in.take(kTransformHeaderSize);
  if (!head) return fail(head.error());
  Reader fields(*head);
  const std::uint8_t more = *fields.u8();
  *fields.u8();  // reserved
  const std::uint16_t length = *fields.u16();
  Transform out;
  out.type = static_cast<TransformType>(*fields.u8());
  *fields.u8();  // reserved
  out.id = *fields.u16();
  if (more != (last ? kLast : kMoreTransforms)) return peer_error("transform chain broken: " + std::to_string(more));
  if (length < kTransformHeaderSize) return peer_error("transform of " + octets(length));
  const auto attributes = in.take(length - kTransformHeaderSize);
  if (!attributes) return fail(attributes.error());
  if (const auto ok = parse_attributes(*attributes, out); !ok) return fail(ok.error());
  return out;
}

// RFC 7296 3.3.1; a protocol that is not known may have SPIs of any size, since its proposal is only there to be passed over
bool proposal_spi_size_allowed(ProtocolId protocol, std::size_t size) {
  switch (protocol) {
    case ProtocolId::Ike:
      return size == 0 || size == kIkeSpiSize;
    case ProtocolId::Ah:
    case ProtocolId::Esp:
      return size == kEspSpiSize;
    default:
      return true;
  }
}

// `body`: what follows the proposal's last flag, reserved octet and length
Result<Proposal> parse_proposal(ByteView body) {
  Reader in(body);
  const auto head = in.take(kProposalHeaderSize - 4);
  if (!head) return fail(head.error());
  Proposal out;
  out.number = (*head)[0];
  out.protocol = static_cast<ProtocolId>((*head)[1]);
  const std::size_t spi_size = (*head)[2];
  const std::size_t count = (*head)[3];  // one octet: never above kMaxTransforms
  if (!proposal_spi_size_allowed(out.protocol, spi_size)) {
    return peer_error("proposal for " + to_string(out.protocol) + " with SPI of " + octets(spi_size));
  }
  if (count == 0) return peer_error("proposal without transforms");
  const auto spi = in.take(spi_size);
  if (!spi) return fail(spi.error());
  out.spi = to_bytes(*spi);
  for (std::size_t i = 0; i < count; ++i) {
    auto one = parse_transform(in, i + 1 == count);
    if (!one) return fail(one.error());
    out.transforms.push_back(*one);
  }
  if (!in.empty()) return peer_error(octets(in.remaining()) + " after the last transform");
  return out;
}

Result<Payload> parse_sa(ByteView body) {
  Reader in(body);
  SaPayload out;
  while (!in.empty()) {
    if (out.proposals.size() == kMaxProposals) return peer_error("more than " + std::to_string(kMaxProposals) + " proposals");
    const auto head = in.take(4);
    if (!head) return fail(head.error());
    const std::uint8_t more = (*head)[0];
    const std::size_t length = static_cast<std::size_t>((*head)[2] << 8 | (*head)[3]);
    if (length < kProposalHeaderSize) return peer_error("proposal of " + octets(length));
    const auto rest = in.take(length - 4);
    if (!rest) return fail(rest.error());
    if (more != (in.empty() ? kLast : kMoreProposals)) return peer_error("proposal chain broken: " + std::to_string(more));
    auto proposal = parse_proposal(*rest);
    if (!proposal) return fail(proposal.error());
    // RFC 7296 3.3.1: an offer counts from 1; an answer repeats the number that was chosen, and is alone
    const bool counted = out.proposals.empty() ? proposal->number != 0 : proposal->number == out.proposals.back().number + 1;
    if (!counted) return peer_error("proposal number " + std::to_string(proposal->number) + " out of sequence");
    out.proposals.push_back(std::move(*proposal));
  }
  if (out.proposals.empty()) return peer_error("SA payload without proposals");
  if (out.proposals.size() > 1 && out.proposals.front().number != 1) return peer_error("first of several proposals is not number 1");
  return out;
}

void write_transform(Writer& out, const Transform& transform, bool last) {
  const std::size_t attributes = transform.key_bits != 0 ? 4 : 0;
  out.u8(last ? kLast : kMoreTransforms);
  out.u8(0);
  out.u16(static_cast<std::uint16_t>(kTransformHeaderSize + attributes));
  out.u8(static_cast<std::uint8_t>(transform.type));
  out.u8(0);
  out.u16(transform.id);
  if (attributes == 0) return;
  out.u16(kAttributeFormatTv | kKeyLengthAttribute);
  out.u16(transform.key_bits);
}

void write_proposal(Writer& out, const Proposal& proposal, bool last) {
  if (proposal.transforms.empty() || proposal.transforms.size() > kMaxTransforms || proposal.spi.size() > 255) {
    throw std::length_error("proposal that cannot be encoded");
  }
  const std::size_t start = out.size();
  out.u8(last ? kLast : kMoreProposals);
  out.u8(0);
  out.u16(0);  // length, below
  out.u8(proposal.number);
  out.u8(static_cast<std::uint8_t>(proposal.protocol));
  out.u8(static_cast<std::uint8_t>(proposal.spi.size()));
  out.u8(static_cast<std::uint8_t>(proposal.transforms.size()));
  out.bytes(proposal.spi);
  for (const Transform& one : proposal.transforms) write_transform(out, one, &one == &proposal.transforms.back());
  out.patch_u16(start + 2, static_cast<std::uint16_t>(out.size() - start));  // at most 8 + 255 + 255 * 12
}

void write_body(Writer& out, const SaPayload& sa) {
  for (const Proposal& proposal : sa.proposals) write_proposal(out, proposal, &proposal == &sa.proposals.back());
}

// ---- the bodies of a fixed head and a rest ----

// the first `head` octets are skipped by the caller's own reading; `what` names the payload in the error
Status at_least(ByteView body, std::size_t head, std::string_view what) {
  if (body.size() < head) return peer_error(std::string(what) + " payload of " + octets(body.size()));
  return {};
}

// RFC 7296 3.4: group, two reserved octets, value. Whether group and size of the value fit each other is known to `crypto`.
Result<Payload> parse_ke(ByteView body) {
  if (const auto ok = at_least(body, 4, "KE"); !ok) return fail(ok.error());
  return KePayload{static_cast<KeGroup>(body[0] << 8 | body[1]), to_bytes(body.subspan(4))};
}

void write_body(Writer& out, const KePayload& ke) {
  out.u16(static_cast<std::uint16_t>(ke.group));
  out.u16(0);
  out.bytes(ke.data);
}

// RFC 7296 3.5
Result<Payload> parse_id(PayloadType type, ByteView body) {
  if (const auto ok = at_least(body, 4, "ID"); !ok) return fail(ok.error());
  IdPayload out{type, static_cast<IdType>(body[0]), to_bytes(body.subspan(4))};
  const bool sized =
      (out.id_type != IdType::Ipv4Addr || out.data.size() == 4) && (out.id_type != IdType::Ipv6Addr || out.data.size() == 16);
  if (!sized) return peer_error("address identity of " + octets(out.data.size()));
  return out;
}

void write_body(Writer& out, const IdPayload& id) {
  out.u8(static_cast<std::uint8_t>(id.id_type));
  out.zeros(3);
  out.bytes(id.data);
}

// RFC 7296 3.6 and 3.7
template <typename Cert>
Result<Payload> parse_cert(ByteView body) {
  if (const auto ok = at_least(body, 1, "certificate"); !ok) return fail(ok.error());
  return Cert{body[0], to_bytes(body.subspan(1))};
}

void write_body(Writer& out, const CertPayload& cert) {
  out.u8(cert.encoding);
  out.bytes(cert.data);
}

void write_body(Writer& out, const CertReqPayload& request) {
  out.u8(request.encoding);
  out.bytes(request.data);
}

// RFC 7296 3.8
Result<Payload> parse_auth(ByteView body) {
  if (const auto ok = at_least(body, 4, "AUTH"); !ok) return fail(ok.error());
  return AuthPayload{static_cast<AuthMethod>(body[0]), to_bytes(body.subspan(4))};
}

void write_body(Writer& out, const AuthPayload& auth) {
  out.u8(static_cast<std::uint8_t>(auth.method));
  out.zeros(3);
  out.bytes(auth.data);
}

Result<Payload> parse_nonce(ByteView body) {
  // RFC 7296 3.9: 16 to 256 octets, both included
  if (body.size() < kMinNonceSize || body.size() > kMaxNonceSize) return peer_error("nonce of " + octets(body.size()));
  return NoncePayload{to_bytes(body)};
}

void write_body(Writer& out, const NoncePayload& nonce) { out.bytes(nonce.data); }

// RFC 7296 3.10: SPIs are those of ESP and AH; the IKE SA's stand in the header. Protocols that are not known may have any.
bool notify_spi_size_allowed(ProtocolId protocol, std::size_t size) {
  switch (protocol) {
    case ProtocolId::Ike:
      return size == 0;
    case ProtocolId::Ah:
    case ProtocolId::Esp:
      return size == 0 || size == kEspSpiSize;
    default:
      return true;
  }
}

Result<Payload> parse_notify(ByteView body) {
  if (const auto ok = at_least(body, 4, "N"); !ok) return fail(ok.error());
  NotifyPayload out;
  out.protocol = static_cast<ProtocolId>(body[0]);
  const std::size_t spi_size = body[1];
  out.type = static_cast<NotifyType>(body[2] << 8 | body[3]);
  if (!notify_spi_size_allowed(out.protocol, spi_size)) {
    return peer_error("notification about " + to_string(out.protocol) + " with SPI of " + octets(spi_size));
  }
  Reader in(body.subspan(4));
  const auto spi = in.take(spi_size);
  if (!spi) return fail(spi.error());
  out.spi = to_bytes(*spi);
  if (out.spi.empty()) out.protocol = ProtocolId::None;  // RFC 7296 3.10: without SPI it must be ignored
  out.data = to_bytes(in.take_rest());
  return out;
}

void write_body(Writer& out, const NotifyPayload& notify) {
  if (notify.spi.size() > 255) throw std::length_error("notification with SPI of " + octets(notify.spi.size()));
  out.u8(static_cast<std::uint8_t>(notify.protocol));
  out.u8(static_cast<std::uint8_t>(notify.spi.size()));
  out.u16(static_cast<std::uint16_t>(notify.type));
  out.bytes(notify.spi);
  out.bytes(notify.data);
}

// RFC 7296 3.11: no SPI for the IKE SA, four octets each for ESP and AH
Result<Payload> parse_delete(ByteView body) {
  if (const auto ok = at_least(body, 4, "D"); !ok) return fail(ok.error());
  DeletePayload out;
  out.protocol = static_cast<ProtocolId>(body[0]);
  const std::size_t spi_size = body[1];
  const std::size_t count = static_cast<std::size_t>(body[2] << 8 | body[3]);
  const bool ike = out.protocol == ProtocolId::Ike;
  if (!ike && out.protocol != ProtocolId::Ah && out.protocol != ProtocolId::Esp) return peer_error("delete of " + to_string(out.protocol));
  if (spi_size != (ike ? 0 : kEspSpiSize)) return peer_error("delete of " + to_string(out.protocol) + " with SPIs of " + octets(spi_size));
  if (ike && count != 0) return peer_error("delete of IKE with " + std::to_string(count) + " SPIs");
  Reader in(body.subspan(4));
  if (in.remaining() != count * spi_size) return peer_error("delete of " + std::to_string(count) + " SPIs in " + octets(in.remaining()));
  out.spis.reserve(count);
  for (std::size_t i = 0; i < count; ++i) out.spis.push_back(*in.u32());
  return out;
}

void write_body(Writer& out, const DeletePayload& deletion) {
  out.u8(static_cast<std::uint8_t>(deletion.protocol));
  out.u8(deletion.protocol == ProtocolId::Ike ? 0 : kEspSpiSize);
  out.u16(static_cast<std::uint16_t>(deletion.spis.size()));
  for (const std::uint32_t spi : deletion.spis) out.u32(spi);
}

void write_body(Writer& out, const VendorIdPayload& vendor) { out.bytes(vendor.data); }

// ---- Traffic Selector, RFC 7296 3.13 ----

// one selector of `family`, the selector's head before `in` already read
Result<TrafficSelector> parse_range(std::uint8_t protocol, IpFamily family, ByteView body) {
  const std::size_t address_size = family == IpFamily::V4 ? 4 : 16;
  if (body.size() != 4 + 2 * address_size) return peer_error("traffic selector of " + octets(kSelectorHeaderSize + body.size()));
  Reader in(body);
  TrafficSelector out;
  out.protocol = protocol;
  out.start_port = *in.u16();
  out.end_port = *in.u16();
  out.start = *IpAddress::from_bytes(*in.take(address_size));
  out.end = *IpAddress::from_bytes(*in.take(address_size));
  if (out.start > out.end)
    return peer_error("traffic selector that ends before it starts: " + out.start.to_string() + "-" + out.end.to_string());
  if (out.start_port > out.end_port && !out.opaque_port()) {
    return peer_error("traffic selector with ports " + std::to_string(out.start_port) + "-" + std::to_string(out.end_port));
  }
  return out;
}

Result<Payload> parse_ts(PayloadType type, ByteView body) {
  if (const auto ok = at_least(body, 4, "TS"); !ok) return fail(ok.error());
  const std::size_t count = body[0];  // one octet: never above kMaxSelectors
  if (count == 0) return peer_error("TS payload without selectors");
  Reader in(body.subspan(4));
  TsPayload out{type, {}};
  for (std::size_t i = 0; i < count; ++i) {
    const auto head = in.take(kSelectorHeaderSize);
    if (!head) return fail(head.error());
    const std::uint8_t kind = (*head)[0];
    const std::size_t length = static_cast<std::size_t>((*head)[2] << 8 | (*head)[3]);
    if (length < kSelectorHeaderSize) return peer_error("traffic selector of " + octets(length));
    const auto rest = in.take(length - kSelectorHeaderSize);
    if (!rest) return fail(rest.error());
    if (kind != kTsIpv4Range && kind != kTsIpv6Range) continue;
    auto selector = parse_range((*head)[1], kind == kTsIpv4Range ? IpFamily::V4 : IpFamily::V6, *rest);
    if (!selector) return fail(selector.error());
    out.selectors.push_back(*selector);
  }
  if (!in.empty()) return peer_error(octets(in.remaining()) + " after the last traffic selector");
  return out;
}

void write_body(Writer& out, const TsPayload& ts) {
  if (ts.selectors.size() > kMaxSelectors) throw std::length_error(std::to_string(ts.selectors.size()) + " traffic selectors");
  out.u8(static_cast<std::uint8_t>(ts.selectors.size()));
  out.zeros(3);
  for (const TrafficSelector& selector : ts.selectors) {
    const std::size_t size = kSelectorHeaderSize + 4 + selector.start.bytes().size() + selector.end.bytes().size();
    out.u8(selector.start.is_v4() ? kTsIpv4Range : kTsIpv6Range);
    out.u8(selector.protocol);
    out.u16(static_cast<std::uint16_t>(size));
    out.u16(selector.start_port);
    out.u16(selector.end_port);
    out.bytes(selector.start.bytes());
    out.bytes(selector.end.bytes());
  }
}

// ---- Configuration, RFC 7296 3.15 ----

Result<Payload> parse_configuration(ByteView body) {
  if (const auto ok = at_least(body, 4, "CP"); !ok) return fail(ok.error());
  ConfigPayload out{body[0], {}};
  Reader in(body.subspan(4));
  while (!in.empty()) {
    const auto type = in.u16();
    if (!type) return fail(type.error());
    const auto length = in.u16();
    if (!length) return fail(length.error());
    const auto value = in.take(*length);
    if (!value) return fail(value.error());
    const auto known = static_cast<std::uint16_t>(*type & 0x7fff);  // the first bit is reserved
    if (bad_attribute_size(known, value->size()))
      return peer_error("configuration attribute " + std::to_string(known) + " of " + octets(value->size()));
    if (out.attributes.size() == kMaxConfigAttributes)
      return peer_error("more than " + std::to_string(kMaxConfigAttributes) + " configuration attributes");
    out.attributes.push_back({known, to_bytes(*value)});
  }
  return out;
}

void write_body(Writer& out, const ConfigPayload& configuration) {
  out.u8(configuration.type);
  out.zeros(3);
  for (const auto& attribute : configuration.attributes) {
    if (attribute.value.size() > 65535) throw std::length_error("configuration attribute of " + octets(attribute.value.size()));
    out.u16(attribute.type & 0x7fff);
    out.u16(static_cast<std::uint16_t>(attribute.value.size()));
    out.bytes(attribute.value);
  }
}

void write_body(Writer& out, const EapPayload& eap) { out.bytes(eap.data); }

void write_body(Writer& out, const UnknownPayload& unknown) { out.bytes(unknown.body); }

// the Encrypted payload is written with its message: message.h
void write_body(Writer&, const EncryptedPayload&) { throw std::logic_error("Encrypted payload in a chain to encode"); }

void write_body(Writer&, const EncryptedFragmentPayload&) { throw std::logic_error("Encrypted Fragment payload in a chain to encode"); }

// ---- Encrypted Fragment, RFC 7383 2.5 ----

Result<Payload> parse_fragment(PayloadType first_inner, ByteView body) {
  Reader in(body);
  const auto number = in.u16();
  const auto total = in.u16();
  if (!number || !total) return peer_error("Encrypted Fragment payload of " + octets(body.size()));
  if (*number == 0 || *number > *total) return peer_error("fragment " + std::to_string(*number) + " of " + std::to_string(*total));
  return EncryptedFragmentPayload{first_inner, *number, *total, to_bytes(in.take_rest())};
}

// ---- the chain ----

Result<Payload> parse_body(PayloadType type, bool critical, ByteView body) {
  switch (type) {
    case PayloadType::SecurityAssociation:
      return parse_sa(body);
    case PayloadType::KeyExchange:
      return parse_ke(body);
    case PayloadType::IdInitiator:
    case PayloadType::IdResponder:
      return parse_id(type, body);
    case PayloadType::Certificate:
      return parse_cert<CertPayload>(body);
    case PayloadType::CertificateRequest:
      return parse_cert<CertReqPayload>(body);
    case PayloadType::Authentication:
      return parse_auth(body);
    case PayloadType::Nonce:
      return parse_nonce(body);
    case PayloadType::Notify:
      return parse_notify(body);
    case PayloadType::Delete:
      return parse_delete(body);
    case PayloadType::VendorId:
      return VendorIdPayload{to_bytes(body)};
    case PayloadType::TsInitiator:
    case PayloadType::TsResponder:
      return parse_ts(type, body);
    case PayloadType::Configuration:
      return parse_configuration(body);
    case PayloadType::Eap:
      return EapPayload{to_bytes(body)};
    default:
      return UnknownPayload{type, critical, to_bytes(body)};
  }
}

// RFC 7296 3.14, RFC 7383 2.5: nothing follows these; their Next Payload names the first payload inside
bool ends_chain(PayloadType type) { return type == PayloadType::Encrypted || type == PayloadType::EncryptedFragment; }

struct TypeOf {
  PayloadType operator()(const SaPayload&) const { return PayloadType::SecurityAssociation; }
  PayloadType operator()(const KePayload&) const { return PayloadType::KeyExchange; }
  PayloadType operator()(const IdPayload& id) const { return id.type; }
  PayloadType operator()(const CertPayload&) const { return PayloadType::Certificate; }
  PayloadType operator()(const CertReqPayload&) const { return PayloadType::CertificateRequest; }
  PayloadType operator()(const AuthPayload&) const { return PayloadType::Authentication; }
  PayloadType operator()(const NoncePayload&) const { return PayloadType::Nonce; }
  PayloadType operator()(const NotifyPayload&) const { return PayloadType::Notify; }
  PayloadType operator()(const DeletePayload&) const { return PayloadType::Delete; }
  PayloadType operator()(const VendorIdPayload&) const { return PayloadType::VendorId; }
  PayloadType operator()(const TsPayload& ts) const { return ts.type; }
  PayloadType operator()(const EncryptedPayload&) const { return PayloadType::Encrypted; }
  PayloadType operator()(const EncryptedFragmentPayload&) const { return PayloadType::EncryptedFragment; }
  PayloadType operator()(const ConfigPayload&) const { return PayloadType::Configuration; }
  PayloadType operator()(const EapPayload&) const { return PayloadType::Eap; }
  PayloadType operator()(const UnknownPayload& unknown) const { return unknown.type; }
};

}  // namespace

PayloadType type_of(const Payload& payload) { return std::visit(TypeOf{}, payload); }

PayloadType first_type(const std::vector<Payload>& payloads) { return payloads.empty() ? PayloadType::None : type_of(payloads.front()); }

Result<std::vector<Payload>> parse_payloads(PayloadType first, ByteView data) {
  Reader in(data);
  std::vector<Payload> out;
  for (PayloadType type = first; type != PayloadType::None;) {
    if (out.size() == kMaxPayloads) return peer_error("more than " + std::to_string(kMaxPayloads) + " payloads");
    const auto head = in.take(kGenericHeaderSize);
    if (!head) return peer_error(to_string(type) + " payload missing or without header");
    const auto next = static_cast<PayloadType>((*head)[0]);
    // RFC 7296 2.5 and 3.2: the bit has a meaning for payloads that are not understood, and for no other
    const bool critical = ((*head)[1] & kCriticalFlag) != 0;
    const std::size_t length = static_cast<std::size_t>((*head)[2] << 8 | (*head)[3]);
    if (length < kGenericHeaderSize) return peer_error(to_string(type) + " payload of " + octets(length));
    const auto body = in.take(length - kGenericHeaderSize);
    if (!body) return peer_error(to_string(type) + " payload: " + body.error().message);
    if (type == PayloadType::Encrypted) {
      out.emplace_back(EncryptedPayload{next, to_bytes(*body)});
    } else {
      auto payload = type == PayloadType::EncryptedFragment ? parse_fragment(next, *body) : parse_body(type, critical, *body);
      if (!payload) return fail(payload.error());
      out.push_back(std::move(*payload));
    }
    if (ends_chain(type)) break;
    type = next;
  }
  if (!in.empty()) return peer_error(octets(in.remaining()) + " after the last payload");
  return out;
}

Bytes encode_payloads(const std::vector<Payload>& payloads) {
  Writer out;
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const std::size_t start = out.size();
    const auto* unknown = std::get_if<UnknownPayload>(&payloads[i]);
    out.u8(static_cast<std::uint8_t>(i + 1 < payloads.size() ? type_of(payloads[i + 1]) : PayloadType::None));
    out.u8(unknown != nullptr && unknown->critical ? kCriticalFlag : 0);
    out.u16(0);  // length, below
    std::visit([&out](const auto& payload) { write_body(out, payload); }, payloads[i]);
    const std::size_t length = out.size() - start;
    if (length > 65535) throw std::length_error(to_string(type_of(payloads[i])) + " payload of " + octets(length));
    out.patch_u16(start + 2, static_cast<std::uint16_t>(length));
  }
  return std::move(out).take();
}

Bytes encode_id_body(const IdPayload& id) {
  Writer out;
  write_body(out, id);
  return std::move(out).take();
}

}  // namespace svti::wire
