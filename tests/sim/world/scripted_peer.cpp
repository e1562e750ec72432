// SPDX-License-Identifier: Apache-2.0
#include "sim/world/scripted_peer.h"

#include "auth/psk.h"
#include "sa/message_rules.h"
#include "sa/proposal.h"

namespace svti::sim {

using wire::NotifyType;
using wire::PayloadType;
using wire::ProtocolId;

namespace {

Bytes nat_hash(wire::IkeSpi spi_i, const Endpoint& endpoint) {
  Writer spis, port;
  spis.u64(spi_i);
  spis.u64(0);
  port.u16(endpoint.port);
  return crypto::sha1({spis.view(), endpoint.address.bytes(), port.view()});
}

}  // namespace

bool has_notify(const std::vector<wire::Payload>& payloads, NotifyType type) { return sa::find_notify(payloads, type) != nullptr; }

ScriptedPeer::ScriptedPeer(Entropy& entropy, const Endpoint& local, const Endpoint& remote, std::string_view proposal)
    : entropy_(entropy),
      local_(local),
      remote_(remote),
      proposal_(ike_proposal(proposal)),
      nonce_i_(entropy.bytes(32)),
      spi_i_(entropy.u64() | 1) {
  ke_ = crypto::KeyExchange::create(sa::first_group({proposal_}), entropy).value();
}

ScriptedPeer::Payloads ScriptedPeer::init_payloads() const {
  return {wire::SaPayload{{proposal_}}, wire::KePayload{ke_->group(), to_bytes(ke_->public_value())}, wire::NoncePayload{nonce_i_},
          wire::NotifyPayload{NotifyType::NatDetectionSourceIp, ProtocolId::None, {}, nat_hash(spi_i_, local_)},
          wire::NotifyPayload{NotifyType::NatDetectionDestinationIp, ProtocolId::None, {}, nat_hash(spi_i_, remote_)}};
}

model::Datagram ScriptedPeer::init(const Payloads& payloads) {
  wire::Header header;
  header.initiator_spi = spi_i_;
  header.exchange = wire::ExchangeType::IkeSaInit;
  header.from_initiator = true;
  init_message_ = wire::encode_message(header, payloads);
  return datagram(init_message_);
}

bool ScriptedPeer::accept_init(ByteView response) {
  const auto message = wire::parse_message(response);
  if (!message) return false;
  const auto* sa = sa::find_payload<wire::SaPayload>(message->payloads);
  const auto* ke = sa::find_payload<wire::KePayload>(message->payloads);
  const auto* nonce = sa::find_payload<wire::NoncePayload>(message->payloads);
  if (sa == nullptr || ke == nullptr || nonce == nullptr) return false;
  const auto shared = ke_->shared_secret(ke->data);
  const auto choice = sa::accept_choice({proposal_}, sa->proposals.front(), sa::KeyExchangeUse::Negotiate);
  if (!shared || !choice) return false;
  spi_r_ = message->header.responder_spi;
  nonce_r_ = nonce->data;
  keys_ = std::move(sa::derive_ike_keys(*choice, {nonce_i_, nonce_r_, spi_i_, spi_r_}, *shared).value());
  return true;
}

ScriptedPeer::Payloads ScriptedPeer::auth_payloads(std::string_view secret) const {
  const model::Identity id = model::Identity::of(local_.address);
  const wire::IdPayload idi{PayloadType::IdInitiator, id.type, id.data};
  const Secret auth =
      auth::shared_key_auth(keys_->prf, Secret(as_bytes(secret)), init_message_, nonce_r_, keys_->sk_pi, wire::encode_id_body(idi));
  wire::Proposal esp = esp_proposal(kCheapEsp);
  esp.spi = {0xc0, 0xff, 0xee, 0x01};
  return {idi, wire::AuthPayload{wire::AuthMethod::SharedKeyMic, to_bytes(auth.view())}, wire::SaPayload{{esp}},
          wire::TsPayload{PayloadType::TsInitiator, {wire::TrafficSelector::of(prefix("10.1.0.0/24"))}},
          wire::TsPayload{PayloadType::TsResponder, {wire::TrafficSelector::of(prefix("10.2.0.0/24"))}}};
}

Bytes ScriptedPeer::seal(wire::Header header, PayloadType first, ByteView plaintext) {
  crypto::SkCipher& cipher = keys_->initiator_to_responder;
  Bytes message = wire::encrypted_prefix(header, first, cipher.sealed_size(plaintext.size()));
  const Bytes body = cipher.seal(message, plaintext, entropy_);
  message.insert(message.end(), body.begin(), body.end());
  return message;
}

model::Datagram ScriptedPeer::request_raw(wire::ExchangeType exchange, PayloadType first, ByteView plaintext,
                                          std::optional<std::uint32_t> message_id) {
  wire::Header header;
  header.initiator_spi = spi_i_;
  header.responder_spi = spi_r_;
  header.exchange = exchange;
  header.from_initiator = true;
  header.message_id = message_id ? *message_id : next_message_id_++;
  return datagram(seal(header, first, plaintext));
}

std::vector<model::Datagram> ScriptedPeer::fragments(wire::ExchangeType exchange, const Payloads& payloads, std::size_t total,
                                                     std::optional<std::uint32_t> message_id) {
  wire::Header header;
  header.initiator_spi = spi_i_;
  header.responder_spi = spi_r_;
  header.exchange = exchange;
  header.from_initiator = true;
  header.message_id = message_id ? *message_id : next_message_id_++;
  const Bytes plaintext = wire::encode_payloads(payloads);
  const std::size_t piece = (plaintext.size() + total - 1) / total;
  std::vector<model::Datagram> out;
  for (std::size_t number = 1; number <= total; ++number) {
    const std::size_t start = std::min((number - 1) * piece, plaintext.size());
    const ByteView content = ByteView(plaintext).subspan(start, std::min(piece, plaintext.size() - start));
    const auto first = number == 1 ? wire::first_type(payloads) : PayloadType::None;
    out.push_back(fragment_raw(header, first, static_cast<std::uint16_t>(number), static_cast<std::uint16_t>(total), content));
  }
  return out;
}

model::Datagram ScriptedPeer::fragment_raw(const wire::Header& header, PayloadType first, std::uint16_t number, std::uint16_t total,
                                           ByteView content) {
  crypto::SkCipher& cipher = keys_->initiator_to_responder;
  Bytes message = wire::encrypted_fragment_prefix(header, first, number, total, cipher.sealed_size(content.size()));
  const Bytes body = cipher.seal(message, content, entropy_);
  message.insert(message.end(), body.begin(), body.end());
  return datagram(std::move(message));
}

model::Datagram ScriptedPeer::request(wire::ExchangeType exchange, const Payloads& payloads, std::optional<std::uint32_t> message_id) {
  return request_raw(exchange, wire::first_type(payloads), wire::encode_payloads(payloads), message_id);
}

model::Datagram ScriptedPeer::answer(const wire::Header& request, const Payloads& payloads) {
  wire::Header header = request;
  header.from_initiator = true;
  header.response = true;
  return datagram(seal(header, wire::first_type(payloads), wire::encode_payloads(payloads)));
}

std::optional<ScriptedPeer::Payloads> ScriptedPeer::open(ByteView datagram) {
  const auto message = wire::parse_message(datagram);
  if (!message || !keys_ || message->payloads.size() != 1) return std::nullopt;
  const auto* encrypted = std::get_if<wire::EncryptedPayload>(&message->payloads.front());
  if (encrypted == nullptr) return std::nullopt;
  const auto plaintext = keys_->responder_to_initiator.open(datagram.first(datagram.size() - encrypted->body.size()), encrypted->body);
  if (!plaintext) return std::nullopt;
  const auto payloads = wire::parse_payloads(encrypted->first_inner, *plaintext);
  if (!payloads) return std::nullopt;
  return *payloads;
}

}  // namespace svti::sim
