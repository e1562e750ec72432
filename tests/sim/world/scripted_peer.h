// SPDX-License-Identifier: Apache-2.0
// An initiator that says whatever a test wants it to say: it has real keys, and no state machine that would keep it from misbehaving.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "crypto/key_exchange.h"
#include "model/network.h"
#include "sa/keys.h"
#include "sim/world/configurations.h"
#include "wire/message.h"

namespace svti::sim {

// Builds messages of one IKE SA as its initiator and reads the responder's. Sends nothing itself.
class ScriptedPeer {
 public:
  using Payloads = std::vector<wire::Payload>;

  // `local` is the peer, `remote` the node under test; `proposal` is offered with the public value of its group
  ScriptedPeer(Entropy& entropy, const Endpoint& local, const Endpoint& remote, std::string_view proposal = kCheapIke);

  // the payloads of an honest IKE_SA_INIT request: SA, KE, Ni and NAT detection that finds none
  Payloads init_payloads() const;
  model::Datagram init(const Payloads& payloads);
  model::Datagram init() { return init(init_payloads()); }
  // takes the responder's IKE_SA_INIT response; false: it is no success
  bool accept_init(ByteView response);

  // IDi, AUTH with the secret, SA, TSi and TSr for 10.1.0.0/24 to 10.2.0.0/24
  Payloads auth_payloads(std::string_view secret = "correct horse") const;
  // any request, protected; without a message id the next one
  model::Datagram request(wire::ExchangeType exchange, const Payloads& payloads, std::optional<std::uint32_t> message_id = {});
  // the same with the decrypted octets given as they are
  model::Datagram request_raw(wire::ExchangeType exchange, wire::PayloadType first, ByteView plaintext,
                              std::optional<std::uint32_t> message_id = {});
  // the same in `total` Encrypted Fragments (RFC 7383); offer FRAGMENTATION_SUPPORTED in IKE_SA_INIT first
  std::vector<model::Datagram> fragments(wire::ExchangeType exchange, const Payloads& payloads, std::size_t total,
                                         std::optional<std::uint32_t> message_id = {});
  // one fragment, its header, numbers and content as they are given
  model::Datagram fragment_raw(const wire::Header& header, wire::PayloadType first, std::uint16_t number, std::uint16_t total,
                               ByteView content);
  // what is inside a protected message of the responder; nothing when it cannot be opened
  std::optional<Payloads> open(ByteView datagram);
  // an answer without payloads to a request of the responder
  model::Datagram answer(const wire::Header& request, const Payloads& payloads);

  const Endpoint& local() const { return local_; }
  wire::IkeSpi spi_i() const { return spi_i_; }
  wire::IkeSpi spi_r() const { return spi_r_; }
  bool has_keys() const { return keys_.has_value(); }

 private:
  model::Datagram datagram(Bytes message) const { return {remote_, local_, std::move(message)}; }  // as the node under test receives it
  Bytes seal(wire::Header header, wire::PayloadType first, ByteView plaintext);

  Entropy& entropy_;
  Endpoint local_, remote_;
  wire::Proposal proposal_;
  std::unique_ptr<crypto::KeyExchange> ke_;
  Bytes nonce_i_, nonce_r_, init_message_;
  wire::IkeSpi spi_i_ = 0, spi_r_ = 0;
  std::optional<sa::IkeKeys> keys_;
  std::uint32_t next_message_id_ = 1;
};

bool has_notify(const std::vector<wire::Payload>& payloads, wire::NotifyType type);

}  // namespace svti::sim
