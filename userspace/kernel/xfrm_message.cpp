// SPDX-License-Identifier: Apache-2.0
#include "kernel/xfrm_message.h"

#include <netinet/in.h>
// the kernel's headers want libc's before them
#include <linux/netlink.h>
#include <linux/udp.h>
#include <linux/xfrm.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/secret.h"

namespace svti::kernel {

namespace {

constexpr std::uint16_t kAcknowledged = NLM_F_REQUEST | NLM_F_ACK;
constexpr std::size_t kSaMessageSize = 2048;   // fixed part 248, algorithms up to 3 * 200, replay bitmap up to 540
constexpr std::uint16_t kSaDirAttribute = 33;  // XFRMA_SA_DIR, which the headers of 6.1 lack
constexpr std::uint8_t kOffloadPacket = 4;     // XFRM_OFFLOAD_PACKET, likewise
constexpr std::uint32_t kLargestReplayWindow = XFRMA_REPLAY_ESN_MAX;
constexpr std::uint32_t kLegacyReplayWindow = 32;  // bits of xfrm_replay_state.bitmap

std::uint16_t to_af(IpFamily family) { return family == IpFamily::V4 ? AF_INET : AF_INET6; }

std::uint8_t to_ip_protocol(wire::ProtocolId protocol) { return protocol == wire::ProtocolId::Ah ? IPPROTO_AH : IPPROTO_ESP; }

xfrm_address_t to_xfrm(const IpAddress& address) {
  xfrm_address_t out{};
  std::memcpy(&out, address.bytes().data(), address.bytes().size());
  return out;
}

Result<IpAddress> to_address(const xfrm_address_t& address, unsigned family) {
  if (family != AF_INET && family != AF_INET6) return system_error("xfrm: address family " + std::to_string(family));
  return IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(&address), family == AF_INET ? 4U : 16U});
}

Result<Prefix> to_prefix(const xfrm_address_t& address, unsigned length, unsigned family) {
  const auto base = to_address(address, family);
  if (!base) return fail(base.error());
  if (length > base->bits()) return system_error("xfrm: prefix length " + std::to_string(length));
  return Prefix(*base, static_cast<std::uint8_t>(length));
}

Result<model::SaId> to_sa_id(const xfrm_address_t& destination, __be32 spi, std::uint8_t protocol, unsigned family) {
  const auto address = to_address(destination, family);
  if (!address) return fail(address.error());
  return model::SaId{*address, ntohl(spi), protocol == IPPROTO_AH ? wire::ProtocolId::Ah : wire::ProtocolId::Esp};
}

bool is_esp_or_ah(std::uint8_t protocol) { return protocol == IPPROTO_ESP || protocol == IPPROTO_AH; }

// ---- SAs

struct KernelAlgorithm {
  std::uint16_t id;
  std::string_view name;
  unsigned bits;  // of the ICV; 0 for a cipher alone
};

constexpr std::uint16_t value(wire::EncryptionId id) { return static_cast<std::uint16_t>(id); }
constexpr std::uint16_t value(wire::IntegrityId id) { return static_cast<std::uint16_t>(id); }

constexpr KernelAlgorithm kAeads[] = {
    {value(wire::EncryptionId::AesGcm8), "rfc4106(gcm(aes))", 64},
    {value(wire::EncryptionId::AesGcm12), "rfc4106(gcm(aes))", 96},
    {value(wire::EncryptionId::AesGcm16), "rfc4106(gcm(aes))", 128},
    {value(wire::EncryptionId::AesCcm8), "rfc4309(ccm(aes))", 64},
    {value(wire::EncryptionId::AesCcm12), "rfc4309(ccm(aes))", 96},
    {value(wire::EncryptionId::AesCcm16), "rfc4309(ccm(aes))", 128},
    {value(wire::EncryptionId::NullAesGmac), "rfc4543(gcm(aes))", 128},
    {value(wire::EncryptionId::ChaCha20Poly1305), "rfc7539esp(chacha20,poly1305)", 128},
};
constexpr KernelAlgorithm kCiphers[] = {
    {value(wire::EncryptionId::TripleDesCbc), "cbc(des3_ede)", 0},
    {value(wire::EncryptionId::Null), "ecb(cipher_null)", 0},
    {value(wire::EncryptionId::AesCbc), "cbc(aes)", 0},
    {value(wire::EncryptionId::AesCtr), "rfc3686(ctr(aes))", 0},
    {value(wire::EncryptionId::CamelliaCbc), "cbc(camellia)", 0},
};
constexpr KernelAlgorithm kIntegrities[] = {
    {value(wire::IntegrityId::HmacMd5_96), "hmac(md5)", 96},         {value(wire::IntegrityId::HmacSha1_96), "hmac(sha1)", 96},
    {value(wire::IntegrityId::AesXcbc96), "xcbc(aes)", 96},          {value(wire::IntegrityId::AesCmac96), "cmac(aes)", 96},
    {value(wire::IntegrityId::HmacSha256_128), "hmac(sha256)", 128}, {value(wire::IntegrityId::HmacSha384_192), "hmac(sha384)", 192},
    {value(wire::IntegrityId::HmacSha512_256), "hmac(sha512)", 256},
};

const KernelAlgorithm* find(std::span<const KernelAlgorithm> table, std::uint16_t id) {
  const auto it = std::find_if(table.begin(), table.end(), [&](const KernelAlgorithm& entry) { return entry.id == id; });
  return it == table.end() ? nullptr : &*it;
}

// struct xfrm_algo, xfrm_algo_auth or xfrm_algo_aead: name, key length in bits, for the last two the ICV's bits, key
template <typename Header>
void put_algorithm(MessageBuilder& message, std::uint16_t type, const KernelAlgorithm& algorithm, ByteView key) {
  Header header{};
  std::memcpy(header.alg_name, algorithm.name.data(), algorithm.name.size());
  header.alg_key_len = static_cast<unsigned>(key.size() * 8);
  if constexpr (requires { header.alg_icv_len; }) header.alg_icv_len = algorithm.bits;
  if constexpr (requires { header.alg_trunc_len; }) header.alg_trunc_len = algorithm.bits;
  Secret octets(sizeof(header) + key.size());
  std::memcpy(octets.mutable_view().data(), &header, sizeof(header));
  if (!key.empty()) std::memcpy(octets.mutable_view().data() + sizeof(header), key.data(), key.size());
  message.attribute(type, octets.view());
}

Status put_algorithms(MessageBuilder& message, const model::AddSa& request) {
  const bool is_ah = request.id.protocol == wire::ProtocolId::Ah;
  if (!is_ah) {
    if (const KernelAlgorithm* aead = find(kAeads, request.encryption.id)) {
      if (request.integrity) return system_error("an integrity algorithm beside an AEAD");
      put_algorithm<xfrm_algo_aead>(message, XFRMA_ALG_AEAD, *aead, request.encryption_key.view());
      return {};
    }
  }
  // RFC 8221 4: ESP without integrity is not to be used; AH is nothing but.
  if (!request.integrity) return system_error("no integrity algorithm");
  const KernelAlgorithm* integrity = find(kIntegrities, request.integrity->id);
  if (integrity == nullptr)
    return system_error("integrity algorithm " + std::to_string(request.integrity->id) + " is not one for the kernel");
  put_algorithm<xfrm_algo_auth>(message, XFRMA_ALG_AUTH_TRUNC, *integrity, request.integrity_key.view());
  if (is_ah) return {};

  const KernelAlgorithm* cipher = find(kCiphers, request.encryption.id);
  if (cipher == nullptr)
    return system_error("encryption algorithm " + std::to_string(request.encryption.id) + " is not one for the kernel");
  put_algorithm<xfrm_algo>(message, XFRMA_ALG_CRYPT, *cipher, request.encryption_key.view());
  return {};
}

// The anti-replay window. The 32 bits of the legacy state do without an attribute; ESN, and a larger window, need the bitmap.
// The octets of XFRMA_REPLAY_ESN_VAL; empty where the legacy state is enough.
Result<Bytes> make_replay_state(const model::AddSa& request) {
  const bool inbound = request.direction == model::Direction::In;
  if (request.replay_window > kLargestReplayWindow) {
    return config_error("replay window of " + std::to_string(request.replay_window) + " packets; the kernel's largest is " +
                        std::to_string(kLargestReplayWindow));
  }
  if (inbound && request.esn && request.replay_window == 0) {
    return config_error("extended sequence numbers need a replay window: the kernel refuses 0");
  }
  const std::uint32_t window = inbound ? request.replay_window : 0;
  if (!request.esn && window <= kLegacyReplayWindow) return Bytes{};

  // The kernel keeps its high sequence bits in this structure, so an outbound SA with ESN has one too, and it must not be empty.
  xfrm_replay_state_esn state{};
  state.replay_window = std::max(window, inbound ? 1U : kLegacyReplayWindow);
  state.bmp_len = (state.replay_window + 31) / 32;
  Bytes out(sizeof(state) + state.bmp_len * sizeof(std::uint32_t));
  std::memcpy(out.data(), &state, sizeof(state));
  return out;
}

xfrm_lifetime_cfg to_lifetime(const model::AddSa& request) {
  const auto or_never = [](std::uint64_t limit) { return limit == 0 ? XFRM_INF : limit; };
  xfrm_lifetime_cfg out{};
  out.soft_byte_limit = or_never(request.soft_bytes);
  out.hard_byte_limit = or_never(request.hard_bytes);
  out.soft_packet_limit = or_never(request.soft_packets);
  out.hard_packet_limit = or_never(request.hard_packets);
  // for times 0 is the kernel's "never"
  out.soft_add_expires_seconds = static_cast<std::uint64_t>(std::max<seconds::rep>(request.soft_time.count(), 0));
  out.hard_add_expires_seconds = static_cast<std::uint64_t>(std::max<seconds::rep>(request.hard_time.count(), 0));
  return out;
}

xfrm_usersa_id to_usersa_id(const model::SaId& id) {
  xfrm_usersa_id out{};
  out.daddr = to_xfrm(id.destination);
  out.spi = htonl(id.spi);
  out.family = to_af(id.destination.family());
  out.proto = to_ip_protocol(id.protocol);
  return out;
}

// ---- policies

std::uint8_t to_xfrm(model::Direction direction) {
  switch (direction) {
    case model::Direction::In:
      return XFRM_POLICY_IN;
    case model::Direction::Out:
      return XFRM_POLICY_OUT;
    case model::Direction::Forward:
      return XFRM_POLICY_FWD;
  }
  return XFRM_POLICY_OUT;
}

std::uint8_t to_xfrm(model::Mode mode) { return mode == model::Mode::Tunnel ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT; }

xfrm_selector to_selector(const model::PolicyId& id) {
  xfrm_selector out{};
  out.family = to_af(id.destination.family());
  out.daddr = to_xfrm(id.destination.address());
  out.saddr = to_xfrm(id.source.address());
  out.prefixlen_d = id.destination.length();
  out.prefixlen_s = id.source.length();
  out.proto = id.protocol;
  out.dport = htons(id.destination_port);
  out.dport_mask = htons(id.destination_port_mask);
  out.sport = htons(id.source_port);
  out.sport_mask = htons(id.source_port_mask);
  return out;
}

Result<model::PolicyId> to_policy_id(const xfrm_selector& selector, std::uint32_t if_id) {
  const auto source = to_prefix(selector.saddr, selector.prefixlen_s, selector.family);
  const auto destination = to_prefix(selector.daddr, selector.prefixlen_d, selector.family);
  if (!source) return fail(source.error());
  if (!destination) return fail(destination.error());
  model::PolicyId out;
  out.source = *source;
  out.destination = *destination;
  out.protocol = selector.proto;
  out.source_port = ntohs(selector.sport);
  out.source_port_mask = ntohs(selector.sport_mask);
  out.destination_port = ntohs(selector.dport);
  out.destination_port_mask = ntohs(selector.dport_mask);
  out.if_id = if_id;
  return out;
}

Status put_template(MessageBuilder& message, const model::SetPolicy& request) {
  xfrm_user_tmpl tmpl{};
  if (request.mode == model::Mode::Tunnel) {
    if (request.tunnel_source.family() != request.tunnel_destination.family()) {
      return system_error("tunnel from " + request.tunnel_source.to_string() + " to " + request.tunnel_destination.to_string() +
                          ": one family is needed");
    }
    tmpl.family = to_af(request.tunnel_destination.family());
    tmpl.saddr = to_xfrm(request.tunnel_source);
    tmpl.id.daddr = to_xfrm(request.tunnel_destination);
  } else {
    tmpl.family = to_af(request.id.destination.family());
  }
  tmpl.id.proto = request.action == model::PolicyAction::Ah ? IPPROTO_AH : IPPROTO_ESP;
  tmpl.reqid = request.reqid;
  tmpl.mode = to_xfrm(request.mode);
  tmpl.share = XFRM_SHARE_ANY;
  // any algorithm: the reqid says which SAs may serve
  tmpl.aalgos = tmpl.ealgos = tmpl.calgos = UINT32_MAX;
  message.attribute(XFRMA_TMPL, tmpl);
  return {};
}

// The selector's port as IKE writes it. For ICMP the kernel has the type as source port and the code as destination port, IKE
// both in one number (RFC 7296 3.13.1).
wire::TrafficSelector to_traffic_selector(const Prefix& prefix, const xfrm_selector& selector, __be16 port, __be16 mask) {
  if (selector.proto == IPPROTO_ICMP || selector.proto == IPPROTO_ICMPV6) {
    if (selector.sport_mask == 0) return wire::TrafficSelector::of(prefix, selector.proto);
    const auto type_and_code = static_cast<std::uint16_t>((ntohs(selector.sport) & 0xff) << 8 | (ntohs(selector.dport) & 0xff));
    return wire::TrafficSelector::of(prefix, selector.proto, type_and_code, type_and_code);
  }
  if (mask == 0) return wire::TrafficSelector::of(prefix, selector.proto);
  return wire::TrafficSelector::of(prefix, selector.proto, ntohs(port), ntohs(port));
}

Result<XfrmEvent> decode_acquire(ByteView payload) {
  const auto acquire = read_struct<xfrm_user_acquire>(payload, "xfrm_user_acquire");
  if (!acquire) return fail(acquire.error());
  const auto attributes = Attributes::parse(behind(payload, sizeof(xfrm_user_acquire)));
  if (!attributes) return fail(attributes.error());
  const auto tmpl = attributes->get<xfrm_user_tmpl>(XFRMA_TMPL);
  if (!tmpl || !is_esp_or_ah(acquire->id.proto)) return std::monostate{};
  const auto source = to_prefix(acquire->sel.saddr, acquire->sel.prefixlen_s, acquire->sel.family);
  const auto destination = to_prefix(acquire->sel.daddr, acquire->sel.prefixlen_d, acquire->sel.family);
  if (!source) return fail(source.error());
  if (!destination) return fail(destination.error());

  Acquire out;
  out.reqid = tmpl->reqid;
  out.if_id = attributes->get<std::uint32_t>(XFRMA_IF_ID).value_or(0);
  out.source = to_traffic_selector(*source, acquire->sel, acquire->sel.sport, acquire->sel.sport_mask);
  out.destination = to_traffic_selector(*destination, acquire->sel, acquire->sel.dport, acquire->sel.dport_mask);
  return out;
}

Result<XfrmEvent> decode_expire(ByteView payload) {
  const auto expire = read_struct<xfrm_user_expire>(payload, "xfrm_user_expire");
  if (!expire) return fail(expire.error());
  // SPI 0: the larval SA of an acquire that nobody served in time
  if (!is_esp_or_ah(expire->state.id.proto) || expire->state.id.spi == 0) return std::monostate{};
  const auto id = to_sa_id(expire->state.id.daddr, expire->state.id.spi, expire->state.id.proto, expire->state.family);
  if (!id) return fail(id.error());
  return Expire{*id, expire->state.reqid, expire->hard != 0};
}

Result<XfrmEvent> decode_mapping(ByteView payload) {
  const auto mapping = read_struct<xfrm_user_mapping>(payload, "xfrm_user_mapping");
  if (!mapping) return fail(mapping.error());
  if (!is_esp_or_ah(mapping->id.proto)) return std::monostate{};
  const auto id = to_sa_id(mapping->id.daddr, mapping->id.spi, mapping->id.proto, mapping->id.family);
  const auto from = to_address(mapping->new_saddr, mapping->id.family);
  if (!id) return fail(id.error());
  if (!from) return fail(from.error());
  return Mapping{*id, mapping->reqid, Endpoint{*from, ntohs(mapping->new_sport)}};
}

void put_encapsulation(MessageBuilder& message, const std::optional<model::UdpEncapsulation>& wanted) {
  if (!wanted) return;
  xfrm_encap_tmpl encapsulation{};
  encapsulation.encap_type = UDP_ENCAP_ESPINUDP;
  encapsulation.encap_sport = htons(wanted->source_port);
  encapsulation.encap_dport = htons(wanted->destination_port);
  message.attribute(XFRMA_ENCAP, encapsulation);
}

}  // namespace

Result<Bytes> encode(const model::AddSa& request, int device) {
  if (request.source.family() != request.id.destination.family()) {
    return system_error("from " + request.source.to_string() + " to " + request.id.destination.to_string() + ": one family is needed");
  }
  const auto replay = make_replay_state(request);
  if (!replay) return fail(replay.error());

  xfrm_usersa_info info{};
  info.id.daddr = to_xfrm(request.id.destination);
  info.id.spi = htonl(request.id.spi);
  info.id.proto = to_ip_protocol(request.id.protocol);
  info.saddr = to_xfrm(request.source);
  info.family = to_af(request.source.family());
  info.reqid = request.reqid;
  info.mode = to_xfrm(request.mode);
  info.lft = to_lifetime(request);
  // Any inner packet may use it: policies decide. In tunnel mode of either family, which takes the flag; without it the kernel
  // makes it the outer family's.
  if (request.mode == model::Mode::Tunnel) {
    info.flags |= XFRM_STATE_AF_UNSPEC;
    // RFC 4301 6.2: errors of routers beyond the peer, whose addresses no policy covers, go by the policy of what they are about
    if (request.direction == model::Direction::In) info.flags |= XFRM_STATE_ICMP;
  } else {
    info.sel.family = info.family;
  }
  if (request.copy_dscp_in) info.flags |= XFRM_STATE_DECAP_DSCP;
  if (!request.copy_df) info.flags |= XFRM_STATE_NOPMTUDISC;
  if (request.esn) info.flags |= XFRM_STATE_ESN;
  // RFC 4302 3.3.3.2.1: inside IPv4 the header is a multiple of four octets; by itself the kernel makes it one of eight, as IPv6 needs
  if (request.id.protocol == wire::ProtocolId::Ah && info.family == AF_INET) info.flags |= XFRM_STATE_ALIGN4;
  if (replay->empty() && request.direction == model::Direction::In) info.replay_window = static_cast<std::uint8_t>(request.replay_window);

  MessageBuilder message(XFRM_MSG_NEWSA, kAcknowledged | NLM_F_CREATE | NLM_F_EXCL, kSaMessageSize);
  message.append(info);
  if (Status status = put_algorithms(message, request); !status) return fail(status.error());
  if (!replay->empty()) message.attribute(XFRMA_REPLAY_ESN_VAL, ByteView(*replay));
  if (request.if_id != 0) message.attribute(XFRMA_IF_ID, request.if_id);
  put_encapsulation(message, request.encapsulation);
  if (!request.copy_dscp_out) message.attribute(XFRMA_SA_EXTRA_FLAGS, std::uint32_t{XFRM_SA_XFLAG_DONT_ENCAP_DSCP});
  if (device != 0) {
    xfrm_user_offload offload{};
    offload.ifindex = device;
    offload.flags = request.direction == model::Direction::In ? XFRM_OFFLOAD_INBOUND : 0;
    message.attribute(XFRMA_OFFLOAD_DEV, offload);
  }
  return message.take();
}

namespace {

// Outbound sequence numbers that an SA which moves to another destination skips: what the old one still sends meanwhile stays below.
// An AEAD must never protect two packets with one number (RFC 4106 3.1).
constexpr std::uint32_t kSequenceGap = 1U << 22;

// what a new SA takes over from the one it continues; the rest the kernel makes anew
// (XFRMA_OFFLOAD_DEV is not: another device may lead to the new addresses, and a rekey asks that one.)
constexpr std::uint16_t kKeptAttributes[] = {
    XFRMA_ALG_AEAD, XFRMA_ALG_AUTH_TRUNC, XFRMA_ALG_CRYPT, XFRMA_ALG_COMP,      XFRMA_TFCPAD, XFRMA_MARK,
    XFRMA_SEC_CTX,  XFRMA_SA_EXTRA_FLAGS, XFRMA_SET_MARK,  XFRMA_SET_MARK_MASK, XFRMA_IF_ID,  kSaDirAttribute,
};

// sequence numbers and replay window as they are; `gap` is added to the outbound number
void put_replay(MessageBuilder& message, const Attributes& attributes, std::uint32_t gap) {
  if (const auto octets = attributes.find(XFRMA_REPLAY_ESN_VAL); octets && octets->size() >= sizeof(xfrm_replay_state_esn)) {
    Bytes copy = to_bytes(*octets);
    xfrm_replay_state_esn state;
    std::memcpy(&state, copy.data(), sizeof(state));
    if (state.oseq + gap < state.oseq) ++state.oseq_hi;
    state.oseq += gap;
    std::memcpy(copy.data(), &state, sizeof(state));
    message.attribute(XFRMA_REPLAY_ESN_VAL, ByteView(copy));
  } else if (auto state_of_32 = attributes.get<xfrm_replay_state>(XFRMA_REPLAY_VAL)) {
    // without extended numbers the end of them is the end of the SA
    state_of_32->oseq = state_of_32->oseq > UINT32_MAX - gap ? UINT32_MAX : state_of_32->oseq + gap;
    message.attribute(XFRMA_REPLAY_VAL, *state_of_32);
  }
}

}  // namespace

Result<Bytes> encode(const model::MoveSa& request, const MessageView& current) {
  const auto present = read_struct<xfrm_usersa_info>(current.payload, "xfrm_usersa_info");
  if (!present) return fail(present.error());
  const auto attributes = Attributes::parse(behind(current.payload, sizeof(xfrm_usersa_info)));
  if (!attributes) return fail(attributes.error());
  if (request.source.family() != request.destination.family()) return system_error("an SA cannot move to addresses of two families");
  xfrm_usersa_info info = *present;
  info.id.daddr = to_xfrm(request.destination);
  info.saddr = to_xfrm(request.source);
  info.family = to_af(request.source.family());
  const bool same_id = request.destination == request.id.destination;
  const auto old_source = to_address(present->saddr, present->family);
  const bool in_place = same_id && old_source && *old_source == request.source &&
                        attributes->find(XFRMA_ENCAP).has_value() == request.encapsulation.has_value();

  MessageBuilder message(in_place ? XFRM_MSG_UPDSA : XFRM_MSG_NEWSA,
                         in_place ? kAcknowledged : static_cast<std::uint16_t>(kAcknowledged | NLM_F_CREATE | NLM_F_EXCL), kSaMessageSize);
  message.append(info);
  for (const std::uint16_t type : kKeptAttributes) {
    if (const auto value = attributes->find(type)) message.attribute(type, *value);
  }
  put_encapsulation(message, request.encapsulation);
  // In place the kernel takes the ports and leaves what it counts alone; ESN demands the attribute all the same.
  put_replay(message, *attributes, in_place ? 0 : kSequenceGap);
  if (!in_place) message.attribute(XFRMA_LTIME_VAL, present->curlft);
  Bytes made = message.take();
  if (in_place || !same_id) return made;
  // Of one destination and SPI there is one SA at a time: the old one goes in the same breath.
  MessageBuilder removal(XFRM_MSG_DELSA, NLM_F_REQUEST);
  removal.append(to_usersa_id(request.id));
  Bytes both = removal.take();
  both.reserve(both.size() + made.size());
  both.insert(both.end(), made.begin(), made.end());
  wipe(made);
  return both;
}

Bytes encode(const model::DeleteSa& request) {
  MessageBuilder message(XFRM_MSG_DELSA, kAcknowledged);
  message.append(to_usersa_id(request.id));
  return message.take();
}

Result<Bytes> encode(const model::SetPolicy& request, std::uint32_t owner_index) {
  if (request.id.source.family() != request.id.destination.family()) {
    return system_error("policy from " + request.id.source.to_string() + " to " + request.id.destination.to_string() +
                        ": one family is needed");
  }
  const bool has_template = request.action == model::PolicyAction::Esp || request.action == model::PolicyAction::Ah;
  xfrm_userpolicy_info info{};
  info.sel = to_selector(request.id);
  info.lft.soft_byte_limit = info.lft.hard_byte_limit = XFRM_INF;
  info.lft.soft_packet_limit = info.lft.hard_packet_limit = XFRM_INF;
  info.priority = request.priority;
  info.index = has_template ? 0 : owner_index;
  info.dir = to_xfrm(request.id.direction);
  info.action = request.action == model::PolicyAction::Drop ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW;
  info.share = XFRM_SHARE_ANY;
  // as SAs with XFRM_STATE_ICMP at the peer: what routers on our side say
  if (has_template && request.mode == model::Mode::Tunnel && request.id.direction != model::Direction::In) info.flags |= XFRM_POLICY_ICMP;

  MessageBuilder message(XFRM_MSG_UPDPOLICY, kAcknowledged);
  message.append(info);
  if (has_template) {
    if (Status status = put_template(message, request); !status) return fail(status.error());
  }
  if (request.id.if_id != 0) message.attribute(XFRMA_IF_ID, request.id.if_id);
  return message.take();
}

Bytes encode(const model::DeletePolicy& request) {
  xfrm_userpolicy_id id{};
  id.sel = to_selector(request.id);
  id.dir = to_xfrm(request.id.direction);
  MessageBuilder message(XFRM_MSG_DELPOLICY, kAcknowledged);
  message.append(id);
  if (request.id.if_id != 0) message.attribute(XFRMA_IF_ID, request.id.if_id);
  return message.take();
}

Result<Bytes> encode(const model::SetPolicyHash& request) {
  if (request.ipv4_local > 32 || request.ipv4_remote > 32 || request.ipv6_local > 128 || request.ipv6_remote > 128) {
    return config_error("a policy hash threshold is at most 32 (IPv4) or 128 (IPv6)");
  }
  MessageBuilder message(XFRM_MSG_NEWSPDINFO, kAcknowledged);
  message.append(std::uint32_t{0});  // flags, unused
  message.attribute(XFRMA_SPD_IPV4_HTHRESH, xfrmu_spdhthresh{request.ipv4_local, request.ipv4_remote});
  message.attribute(XFRMA_SPD_IPV6_HTHRESH, xfrmu_spdhthresh{request.ipv6_local, request.ipv6_remote});
  return message.take();
}

std::uint32_t make_owner_index(std::uint32_t number, model::Direction direction) {
  return kOwnerIndexFirst + number % kOwnerIndexCount * 8 + to_xfrm(direction);
}

Bytes encode_get_sa(const model::SaId& id) {
  MessageBuilder message(XFRM_MSG_GETSA, NLM_F_REQUEST);
  message.append(to_usersa_id(id));
  return message.take();
}

Bytes encode_dump_sas() {
  // no fixed part: of a dump the kernel reads attributes (filters) alone
  return MessageBuilder(XFRM_MSG_GETSA, NLM_F_REQUEST | NLM_F_DUMP).take();
}

Bytes encode_dump_policies() { return MessageBuilder(XFRM_MSG_GETPOLICY, NLM_F_REQUEST | NLM_F_DUMP).take(); }

bool is_ours(std::uint32_t reqid) { return reqid >= model::kReqidFirst && reqid <= model::kReqidLast; }

Result<model::SaStatus> decode_sa(const MessageView& message) {
  if (message.type != XFRM_MSG_NEWSA) return system_error("xfrm: message type " + std::to_string(message.type) + " where an SA was due");
  const auto info = read_struct<xfrm_usersa_info>(message.payload, "xfrm_usersa_info");
  if (!info) return fail(info.error());
  const auto attributes = Attributes::parse(behind(message.payload, sizeof(xfrm_usersa_info)));
  if (!attributes) return fail(attributes.error());
  const auto id = to_sa_id(info->id.daddr, info->id.spi, info->id.proto, info->family);
  const auto source = to_address(info->saddr, info->family);
  if (!id) return fail(id.error());
  if (!source) return fail(source.error());

  model::SaStatus out;
  out.id = *id;
  out.source = *source;
  out.reqid = info->reqid;
  out.if_id = attributes->get<std::uint32_t>(XFRMA_IF_ID).value_or(0);
  out.bytes = info->curlft.bytes;
  out.packets = info->curlft.packets;
  // curlft.use_time would be the first use; some kernels do not keep the last
  out.last_used = attributes->get<std::uint64_t>(XFRMA_LASTUSED).value_or(0);
  return out;
}

Result<OffloadAnswer> decode_offload(const MessageView& message) {
  if (message.type != XFRM_MSG_NEWSA) return system_error("xfrm: message type " + std::to_string(message.type) + " where an SA was due");
  const auto attributes = Attributes::parse(behind(message.payload, sizeof(xfrm_usersa_info)));
  if (!attributes) return fail(attributes.error());
  const auto offload = attributes->get<xfrm_user_offload>(XFRMA_OFFLOAD_DEV);
  // While a device goes the kernel names none.
  if (!offload || offload->ifindex == 0) return OffloadAnswer{};
  const bool packet = (offload->flags & kOffloadPacket) != 0;
  return OffloadAnswer{packet ? model::Offload::Packet : model::Offload::Crypto, offload->ifindex};
}

Result<std::optional<PolicyAnswer>> decode_policy(const MessageView& message) {
  if (message.type != XFRM_MSG_NEWPOLICY)
    return system_error("xfrm: message type " + std::to_string(message.type) + " where a policy was due");
  const auto info = read_struct<xfrm_userpolicy_info>(message.payload, "xfrm_userpolicy_info");
  if (!info) return fail(info.error());
  const auto attributes = Attributes::parse(behind(message.payload, sizeof(xfrm_userpolicy_info)));
  if (!attributes) return fail(attributes.error());
  // A socket's policy has a direction of 3 and above in its index, and a family that is not needed.
  if (info->dir > XFRM_POLICY_FWD || (info->index & 7U) > XFRM_POLICY_FWD) return std::nullopt;
  const auto id = to_policy_id(info->sel, attributes->get<std::uint32_t>(XFRMA_IF_ID).value_or(0));
  if (!id) return fail(id.error());

  PolicyAnswer out;
  out.status.id = *id;
  out.status.id.direction = info->dir == XFRM_POLICY_IN    ? model::Direction::In
                            : info->dir == XFRM_POLICY_OUT ? model::Direction::Out
                                                           : model::Direction::Forward;
  out.status.priority = info->priority;
  const auto tmpl = attributes->get<xfrm_user_tmpl>(XFRMA_TMPL);
  out.status.reqid = tmpl ? tmpl->reqid : 0;
  // reqids and owner indices are numbers of one range
  out.ours = is_ours(tmpl ? tmpl->reqid : info->index);
  return out;
}

Result<XfrmEvent> decode_event(const MessageView& message) {
  switch (message.type) {
    case XFRM_MSG_ACQUIRE:
      return decode_acquire(message.payload);
    case XFRM_MSG_EXPIRE:
      return decode_expire(message.payload);
    case XFRM_MSG_MAPPING:
      return decode_mapping(message.payload);
    default:
      return std::monostate{};
  }
}

}  // namespace svti::kernel
