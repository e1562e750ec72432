// SPDX-License-Identifier: Apache-2.0
// A whole responder: every octet of the input comes from the network. The first octet of each record chooses what happens with the rest of
// it: a raw datagram, the header of a known IKE SA with a raw body, decrypted payloads sealed with the right keys (in whatever exchange and
// state the input says, whole or in fragments), an octet changed in an honest message, or time that passes. What must hold is checked by
// the simulated world: no SA without an owner, no message id used twice, no deadline in the past; and nothing unprotected is answered with
// more octets than came.
#include <algorithm>
#include <cstdlib>

#include "sim/world/configurations.h"
#include "sim/world/scripted_peer.h"
#include "sim/world/world.h"

using namespace svti;
using namespace svti::sim;
using wire::ExchangeType;

namespace {

constexpr std::size_t kMaxRecords = 24;

class Scenario {
 public:
  Scenario()
      : world_(1),
        node_(world_.add("right", address(kRight), configured())),
        peer_(world_.chance(), {address(kLeft), 500}, {address(kRight), 500}) {}

  void run(ByteView input) {
    Reader reader(input);
    for (std::size_t i = 0; i < kMaxRecords && !reader.empty(); ++i) {
      const std::uint8_t what = reader.u8().value_or(0);
      const std::size_t size = reader.u16().value_or(0);
      const ByteView rest = reader.take(std::min(size, reader.remaining())).value_or(ByteView{});
      record(what, rest);
    }
    world_.run_for(seconds(1000));
    check();
  }

 private:
  static const model::ConfigurationPtr& configured() {
    static const model::ConfigurationPtr kConfiguration = [] {
      model::Vpn vpn = right_vpn();
      vpn.ike.dpd_delay = seconds(60);
      vpn.ike.session_resumption = true;
      vpn.ipsec.esp_proposals = {esp_proposal("aes128-gcm-128/curve25519"), esp_proposal("aes128-gcm-128", 2)};
      model::Vpn eap = right_vpn();
      eap.name = "users";
      eap.remote_id = identity("joe.example");
      eap.authentication.remote = model::AuthMethod::EapMschapv2;
      eap.authentication.remote_eap_id = model::Identity::any();
      return configuration({.vpns = {vpn, eap}, .eap_keys = {{"joe", "a password that no fuzzer finds"}}});
    }();
    return kConfiguration;
  }

  void record(std::uint8_t what, ByteView octets) {
    switch (what % 8) {
      case 0:
        return unprotected(octets);
      case 1:
        return with_header(octets);
      case 2:
        return connect(false);
      case 3:
        return what < 0x80 ? connect(true) : ask_for_eap();
      case 4:
        return sealed(octets);
      case 5:
        return damaged(octets);
      case 6:
        return world_.run_for(milliseconds(100 * (octets.empty() ? 1 : octets[0])));
      case 7:
        return what < 0x80 ? our_turn(octets) : fragment(octets);
    }
  }

  // anybody's datagram
  void unprotected(ByteView octets) {
    std::size_t out = 0;
    for (const auto& answer : node_.inject({{address(kRight), 500}, {address(kLeft), 500}, to_bytes(octets)})) out += answer.payload.size();
    if (out > octets.size()) std::abort();
  }

  // the header of the IKE SA at hand, all else raw
  void with_header(ByteView octets) {
    if (octets.size() < 3) return;
    wire::Header header;
    header.initiator_spi = peer_.spi_i();
    header.responder_spi = (octets[0] & 1) != 0 ? peer_.spi_r() : 0;
    header.exchange = static_cast<ExchangeType>(34 + (octets[0] >> 6));
    header.from_initiator = (octets[0] & 2) != 0;
    header.response = (octets[0] & 4) != 0;
    header.message_id = octets[1];
    Bytes message = wire::encode_message(header, {});
    message[16] = octets[2];  // first payload
    message.insert(message.end(), octets.begin() + 3, octets.end());
    for (std::size_t i = 0; i < 4; ++i) message[24 + i] = static_cast<std::uint8_t>(message.size() >> (8 * (3 - i)));
    (void)node_.inject({{address(kRight), 500}, peer_.local(), message});
  }

  void connect(bool authenticate) {
    if (!peer_.has_keys()) {
      auto payloads = peer_.init_payloads();
      payloads.push_back(wire::NotifyPayload{wire::NotifyType::FragmentationSupported, wire::ProtocolId::None, {}, {}});
      for (const auto& answer : node_.inject(peer_.init(payloads))) (void)peer_.accept_init(answer.payload);
    }
    if (authenticate && peer_.has_keys()) (void)node_.inject(peer_.request(ExchangeType::IkeAuth, peer_.auth_payloads()));
  }

  // IKE_AUTH without AUTH, as somebody of whom EAP is wanted
  void ask_for_eap() {
    connect(false);
    if (!peer_.has_keys()) return;
    auto payloads = peer_.auth_payloads();
    std::erase_if(payloads, [](const wire::Payload& one) { return wire::type_of(one) == wire::PayloadType::Authentication; });
    const model::Identity joe = identity("joe.example");
    payloads[0] = wire::IdPayload{wire::PayloadType::IdInitiator, joe.type, joe.data};
    (void)node_.inject(peer_.request(ExchangeType::IkeAuth, payloads));
  }

  // what only a peer with the keys can send: exchange, flags, message id and first payload as the input says
  void sealed(ByteView octets) {
    if (!peer_.has_keys() || octets.size() < 3) return;
    const auto exchange = static_cast<ExchangeType>(35 + (octets[0] & 3));
    const auto first = static_cast<wire::PayloadType>(octets[2]);
    const ByteView plaintext = octets.subspan(3);
    if ((octets[0] & 0x80) != 0) {
      wire::Header header;
      header.exchange = exchange;
      header.initiator_spi = peer_.spi_i();
      header.responder_spi = peer_.spi_r();
      header.message_id = octets[1];
      const auto payloads = wire::parse_payloads(first, plaintext);
      if (payloads) (void)node_.inject(peer_.answer(header, *payloads));
      return;
    }
    // mostly in sequence, so that the input need not count
    const auto message_id = octets[1] == 0xff ? std::optional<std::uint32_t>{} : std::optional<std::uint32_t>{octets[1]};
    (void)node_.inject(peer_.request_raw(exchange, first, plaintext, message_id));
  }

  // one fragment sealed with the right keys, all its numbers as the input says; or an honest IKE_AUTH request in pieces, one of them left
  // out
  void fragment(ByteView octets) {
    if (!peer_.has_keys() || octets.size() < 5) return;
    wire::Header header;
    header.initiator_spi = peer_.spi_i();
    header.responder_spi = peer_.spi_r();
    header.exchange = static_cast<ExchangeType>(35 + (octets[0] & 3));
    header.from_initiator = true;
    header.response = (octets[0] & 0x40) != 0;
    header.message_id = octets[1];
    if ((octets[0] & 0x80) != 0) {
      const std::size_t total = octets[3] % 40U + 1U;
      for (const auto& one : peer_.fragments(ExchangeType::IkeAuth, peer_.auth_payloads(), total, octets[1])) {
        if (fragment_number(one.payload) != octets[4]) (void)node_.inject(one);
      }
      return;
    }
    const auto first = static_cast<wire::PayloadType>(octets[2]);
    (void)node_.inject(peer_.fragment_raw(header, first, octets[3], octets[4], octets.subspan(5)));
  }

  void damaged(ByteView octets) {
    if (octets.size() < 3) return;
    model::Datagram datagram = peer_.has_keys() ? peer_.request(ExchangeType::IkeAuth, peer_.auth_payloads(), 1) : peer_.init();
    datagram.payload[(std::size_t{octets[0]} << 8 | octets[1]) % datagram.payload.size()] ^= octets[2];
    (void)node_.inject(datagram);
  }

  void our_turn(ByteView octets) {
    const std::uint8_t what = octets.empty() ? 0 : octets[0];
    switch (what % 4) {
      case 0:
        return void(node_.rekey("left", "net"));
      case 1:
        return void(node_.rekey("left"));
      case 2:
        return void(node_.terminate("left", "net"));
      case 3:
        return void(node_.terminate("left"));
    }
  }

  void check() {
    for (const std::string& violation : world_.violations()) {
      std::fprintf(stderr, "%s\n", violation.c_str());
      std::abort();
    }
    // whatever came, half-open IKE SAs are gone by now
    if (node_.core().state(world_.now()).ike_sas_half_open != 0) std::abort();
  }

  World world_;
  Node& node_;
  ScriptedPeer peer_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Scenario().run({data, size});
  return 0;
}
