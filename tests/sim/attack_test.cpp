// SPDX-License-Identifier: Apache-2.0
// Inputs that broke other IKE daemons (tests named after the row in the list of past vulnerabilities), sent to a responder. Each must end
// with no crash, no authentication, no state that was not there before, and no more octets out than came in.
//
// Which row is where, and which belong to what is not carried, stands in docs/protocol-map.md.
#include <boost/test/unit_test.hpp>

#include "sa/message_rules.h"
#include "sim/pair.h"
#include "sim/world/scripted_peer.h"

using namespace svti;
using namespace svti::sim;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;
using wire::ProtocolId;

namespace {

using Payloads = ScriptedPeer::Payloads;

// a responder, and a peer that does what it is told
struct Attack {
  explicit Attack(std::string_view secret = "correct horse", std::string_view proposal = kCheapIke)
      : world(7),
        responder(world.add("right", address(kRight), configuration({.vpns = {vpn_for(proposal)}, .secret = secret}))),
        peer(world.chance(), {address(kLeft), 500}, {address(kRight), 500}, proposal) {}
  ~Attack() {
    for (const std::string& violation : world.violations()) BOOST_ERROR(violation);
  }

  static model::Vpn vpn_for(std::string_view proposal) {
    model::Vpn vpn = right_vpn();
    vpn.ike.proposals = {ike_proposal(proposal)};
    return vpn;
  }

  // what the responder sends at once; never more octets than came in
  std::vector<model::Datagram> ask(const model::Datagram& datagram) {
    const auto answers = responder.inject(datagram);
    std::size_t octets = 0;
    for (const auto& answer : answers) octets += answer.payload.size();
    BOOST_TEST(octets <= datagram.payload.size());
    return answers;
  }
  void init() {
    const auto answers = ask(peer.init());
    BOOST_TEST_REQUIRE(answers.size() == 1U);
    BOOST_TEST_REQUIRE(peer.accept_init(answers[0].payload));
  }
  void authenticate() {
    init();
    const auto answers = responder.inject(peer.request(ExchangeType::IkeAuth, peer.auth_payloads()));
    BOOST_TEST_REQUIRE(answers.size() == 1U);
    BOOST_TEST_REQUIRE(responder.child_sas().size() == 1U);
  }
  // the error notification in the one answer to this protected request; nothing when there is no answer
  std::optional<NotifyType> refusal(const model::Datagram& request) {
    const auto answers = responder.inject(request);
    if (answers.empty()) return std::nullopt;
    const auto payloads = peer.open(answers[0].payload);
    BOOST_TEST_REQUIRE(payloads.has_value());
    for (const auto& payload : *payloads) {
      if (const auto* notify = std::get_if<wire::NotifyPayload>(&payload); notify != nullptr && is_error(notify->type)) return notify->type;
    }
    return NotifyType{};
  }
  void check_unauthenticated() {
    BOOST_TEST(responder.ike_sas().empty());
    BOOST_TEST(responder.kernel().sad().empty());
    BOOST_TEST(responder.kernel().spd().empty());
  }
  void check_nothing_left() {
    check_unauthenticated();
    BOOST_TEST(responder.core().ike_sas() == 0U);
    BOOST_TEST(!responder.core().next_deadline().has_value());
  }

  World world;
  Node& responder;
  ScriptedPeer peer;
};

Payloads without(Payloads payloads, PayloadType type) {
  std::erase_if(payloads, [&](const wire::Payload& payload) { return wire::type_of(payload) == type; });
  return payloads;
}

template <typename P, typename F>
Payloads changed(Payloads payloads, F&& change) {
  for (wire::Payload& payload : payloads) {
    if (auto* found = std::get_if<P>(&payload)) change(*found);
  }
  return payloads;
}

wire::NotifyPayload rekey_sa(std::uint32_t spi) {
  Writer octets;
  octets.u32(spi);
  return {NotifyType::RekeySa, ProtocolId::Esp, std::move(octets).take(), {}};
}

wire::SaPayload esp_offer(Bytes spi = {0xc0, 0xff, 0xee, 0x02}) {
  wire::Proposal proposal = esp_proposal(kCheapEsp);
  proposal.spi = std::move(spi);
  return {{std::move(proposal)}};
}

wire::SaPayload ike_offer() {
  wire::Proposal proposal = ike_proposal(kCheapIke);
  proposal.spi = Bytes(8, 0x5a);
  return {{std::move(proposal)}};
}

const wire::TsPayload kTsi{PayloadType::TsInitiator, {wire::TrafficSelector::of(prefix("10.1.0.0/24"))}};
const wire::TsPayload kTsr{PayloadType::TsResponder, {wire::TrafficSelector::of(prefix("10.2.0.0/24"))}};

// every group that a configuration can name
constexpr const char* kGroups[] = {"modp2048", "modp3072", "modp4096", "modp6144", "modp8192", "ecp256", "ecp384", "ecp521", "curve25519"};

// What turns an honest public value of a group into one that RFC 6989 2 (RFC 8031 5) refuses. For p - 1, p and p + 1, and for a point of
// small order in another form: key_exchange_test.
using Spoil = std::function<void(Bytes&)>;
std::vector<std::pair<std::string, Spoil>> bad_values_of(std::string_view group) {
  const auto filled = [](std::uint8_t octet) { return [octet](Bytes& value) { std::fill(value.begin(), value.end(), octet); }; };
  std::vector<std::pair<std::string, Spoil>> out = {{"0", filled(0)}};
  if (group == "curve25519") {
    out.emplace_back("1", [](Bytes& value) { std::fill(value.begin(), value.end(), std::uint8_t{0}), value.front() = 1; });
    return out;  // any other octets are a point of it or of its twist
  }
  out.emplace_back("1", [](Bytes& value) { std::fill(value.begin(), value.end(), std::uint8_t{0}), value.back() = 1; });
  out.emplace_back("above the modulus", filled(0xff));
  if (group.starts_with("ecp")) out.emplace_back("off the curve", [](Bytes& value) { value.back() ^= 1; });
  return out;
}

void check_bad_value(Attack& attack, const model::Datagram& request) {
  const auto answers = attack.ask(request);
  BOOST_TEST_REQUIRE(answers.size() == 1U);
  const auto message = wire::parse_message(answers[0].payload);
  BOOST_TEST(has_notify(message->payloads, NotifyType::InvalidSyntax));
  attack.check_nothing_left();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(attacks)

// rows 1 and 2: CREATE_CHILD_SA before IKE_AUTH, for a CHILD SA and for the IKE SA itself
BOOST_AUTO_TEST_CASE(cve_2026_78135_and_cve_2014_2338_nothing_but_ike_auth_is_accepted_before_authentication) {
  const Payloads requests[] = {
      {esp_offer(), wire::NoncePayload{Bytes(32, 1)}, kTsi, kTsr},
      {rekey_sa(0xc0ffee01), esp_offer(), wire::NoncePayload{Bytes(32, 1)}, kTsi, kTsr},
      {ike_offer(), wire::NoncePayload{Bytes(32, 1)}, wire::KePayload{wire::KeGroup::Curve25519, Bytes(32, 9)}},
  };
  for (const Payloads& request : requests) {
    Attack attack;
    attack.init();
    BOOST_TEST(attack.ask(attack.peer.request(ExchangeType::CreateChildSa, request, 1)).empty());
    BOOST_TEST(attack.ask(attack.peer.request(ExchangeType::CreateChildSa, request, 0)).empty());
    BOOST_TEST(attack.ask(attack.peer.request(ExchangeType::Informational, {}, 1)).empty());
    BOOST_TEST(attack.ask(attack.peer.request(ExchangeType::Informational, {wire::DeletePayload{ProtocolId::Ike, {}}}, 1)).empty());
    BOOST_TEST(attack.ask(attack.peer.request(static_cast<ExchangeType>(99), {}, 1)).empty());
    attack.check_unauthenticated();
    // none of it took the message id of the IKE_AUTH that an honest peer may still send
    BOOST_TEST(!attack.responder.inject(attack.peer.request(ExchangeType::IkeAuth, attack.peer.auth_payloads(), 1)).empty());
    BOOST_TEST(attack.responder.child_sas().size() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_peer_whose_authentication_failed_can_do_nothing_more) {
  Attack attack;
  attack.init();
  BOOST_TEST((attack.refusal(attack.peer.request(ExchangeType::IkeAuth, attack.peer.auth_payloads("wrong"), 1)) ==
              NotifyType::AuthenticationFailed));
  const Payloads child = {esp_offer(), wire::NoncePayload{Bytes(32, 1)}, kTsi, kTsr};
  BOOST_TEST(attack.ask(attack.peer.request(ExchangeType::IkeAuth, attack.peer.auth_payloads(), 2)).empty());
  BOOST_TEST(attack.ask(attack.peer.request(ExchangeType::CreateChildSa, child, 2)).empty());
  BOOST_TEST(attack.ask(attack.peer.request(ExchangeType::Informational, {}, 2)).empty());
  attack.check_unauthenticated();
  attack.world.run_for(seconds(60));
  attack.check_nothing_left();
}

// row 5: the other version's header and payload types
BOOST_AUTO_TEST_CASE(cve_2015_3991_payloads_and_headers_of_ikev1_are_not_taken_for_ikev2) {
  Attack attack;
  model::Datagram version_1 = attack.peer.init();
  version_1.payload[17] = 0x10;
  BOOST_TEST(attack.ask(version_1).empty());
  Payloads with_v1_payload = attack.peer.init_payloads();
  with_v1_payload.insert(with_v1_payload.begin(), wire::UnknownPayload{static_cast<PayloadType>(1), true, Bytes(40, 0)});
  const auto answers = attack.ask(attack.peer.init(with_v1_payload));
  BOOST_TEST_REQUIRE(answers.size() == 1U);
  const auto message = wire::parse_message(answers[0].payload);
  BOOST_TEST(has_notify(message->payloads, NotifyType::UnsupportedCriticalPayload));
  attack.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(a_higher_major_version_is_answered_with_ours_and_leaves_nothing) {
  Attack attack;
  model::Datagram version_3 = attack.peer.init();
  version_3.payload[17] = 0x30;
  const auto answers = attack.ask(version_3);
  BOOST_TEST_REQUIRE(answers.size() == 1U);
  const auto message = wire::parse_message(answers[0].payload);
  BOOST_TEST_REQUIRE(message.has_value());
  BOOST_TEST(message->header.major == 2);
  BOOST_TEST(has_notify(message->payloads, NotifyType::InvalidMajorVersion));
  attack.check_nothing_left();
}

// row 6: groups that are private, reserved, unknown, or an internal number of some implementation
BOOST_AUTO_TEST_CASE(cve_2014_9221_unknown_groups_are_refused) {
  for (const int group : {0, 1, 2, 5, 13, 17, 18, 22, 30, 33, 255, 1024, 1025, 1026, 32768, 65535}) {
    Attack attack;
    const auto id = static_cast<wire::KeGroup>(group);
    // offered, and in the KE payload; then only in the KE payload
    for (const bool offered : {true, false}) {
      Payloads payloads = changed<wire::KePayload>(attack.peer.init_payloads(), [&](wire::KePayload& ke) { ke.group = id; });
      if (offered) {
        payloads = changed<wire::SaPayload>(payloads, [&](wire::SaPayload& sa) {
          for (auto& transform : sa.proposals[0].transforms) {
            if (transform.type == wire::TransformType::KeyExchange) transform.id = static_cast<std::uint16_t>(group);
          }
        });
      }
      const auto answers = attack.ask(attack.peer.init(payloads));
      BOOST_TEST(answers.size() <= 1U);
      for (const auto& answer : answers) {
        const auto message = wire::parse_message(answer.payload);
        BOOST_TEST(has_notify(message->payloads, offered ? NotifyType::NoProposalChosen : NotifyType::InvalidKePayload));
      }
      attack.check_nothing_left();
    }
  }
}

// rows 7 and 32: each mandatory payload missing, or there twice
BOOST_AUTO_TEST_CASE(cve_2009_1958_and_cve_2013_6467_every_payload_may_be_missing_or_double) {
  for (const PayloadType type : {PayloadType::SecurityAssociation, PayloadType::KeyExchange, PayloadType::Nonce}) {
    Attack attack;
    BOOST_TEST(attack.ask(attack.peer.init(without(attack.peer.init_payloads(), type))).empty());
    Payloads twice = attack.peer.init_payloads();
    const Payloads again = attack.peer.init_payloads();
    for (const auto& payload : again) {
      if (wire::type_of(payload) == type) twice.push_back(payload);
    }
    BOOST_TEST(attack.ask(attack.peer.init(twice)).empty());
    attack.check_nothing_left();
  }
  for (const PayloadType type : {PayloadType::IdInitiator, PayloadType::Authentication, PayloadType::SecurityAssociation,
                                 PayloadType::TsInitiator, PayloadType::TsResponder}) {
    for (const bool twice : {false, true}) {
      BOOST_TEST_CONTEXT(wire::to_string(type) << (twice ? " twice" : " missing")) {
        Attack attack;
        attack.init();
        Payloads payloads = attack.peer.auth_payloads();
        if (twice) {
          for (const auto& payload : Payloads(payloads)) {
            if (wire::type_of(payload) == type) payloads.push_back(payload);
          }
        } else {
          payloads = without(std::move(payloads), type);
        }
        BOOST_TEST(attack.refusal(attack.peer.request(ExchangeType::IkeAuth, payloads)).has_value());
        BOOST_TEST(attack.responder.child_sas().empty());
        BOOST_TEST(attack.responder.kernel().sad().empty());
        const bool proves_identity = !twice && type != PayloadType::IdInitiator && type != PayloadType::Authentication;
        BOOST_TEST(attack.responder.ike_sas().size() == (proves_identity ? 1U : 0U));
      }
    }
  }
}

// row 8: key exchange data of every wrong length
BOOST_AUTO_TEST_CASE(cve_2023_41913_key_exchange_data_of_a_wrong_length_is_refused_for_every_group) {
  for (const char* group : kGroups) {
    const std::string proposal = std::string("aes128-cbc/hmac-sha256/") + group;
    Attack attack("correct horse", proposal);
    std::size_t right_size = 0;
    (void)changed<wire::KePayload>(attack.peer.init_payloads(), [&](const wire::KePayload& ke) { right_size = ke.data.size(); });
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, right_size - 1, right_size + 1, std::size_t{60000}}) {
      check_bad_value(attack, attack.peer.init(changed<wire::KePayload>(attack.peer.init_payloads(),
                                                                        [&](wire::KePayload& ke) { ke.data.resize(size, 7); })));
    }
  }
}

// row 32 (CVE-2015-3240), RFC 6989: public values that make the shared secret known, or are of no element of the group
BOOST_AUTO_TEST_CASE(cve_2015_3240_public_values_that_are_none_are_bad_syntax_in_every_group) {
  for (const char* group : kGroups) {
    for (const auto& [name, bad] : bad_values_of(group)) {
      BOOST_TEST_CONTEXT(group << ", " << name) {
        const std::string proposal = std::string("aes128-cbc/hmac-sha256/") + group;
        Attack attack("correct horse", proposal);
        const Payloads honest = attack.peer.init_payloads();
        check_bad_value(attack, attack.peer.init(changed<wire::KePayload>(honest, [&, bad = bad](wire::KePayload& ke) { bad(ke.data); })));
      }
    }
  }
}

// the same in a rekey of the IKE SA, whose response is protected and ends the IKE SA, and from a responder
BOOST_AUTO_TEST_CASE(public_values_that_are_none_end_an_ike_sa_and_an_attempt) {
  for (const char* group : {"modp2048", "ecp256", "curve25519"}) {
    const std::string proposal = std::string("aes128-cbc/hmac-sha256/") + group;
    for (const auto& [name, bad] : bad_values_of(group)) {
      BOOST_TEST_CONTEXT(group << ", " << name) {
        Attack attack("correct horse", proposal);
        attack.authenticate();
        wire::Proposal rekey = ike_proposal(proposal);
        rekey.spi = Bytes(8, 0x5a);
        wire::KePayload ke = *std::get_if<wire::KePayload>(&attack.peer.init_payloads().at(1));
        bad(ke.data);
        const Payloads payloads = {wire::SaPayload{{rekey}}, wire::NoncePayload{Bytes(32, 1)}, ke};
        BOOST_TEST((attack.refusal(attack.peer.request(ExchangeType::CreateChildSa, payloads)) == NotifyType::InvalidSyntax));
        attack.world.run_for(seconds(30));
        attack.check_nothing_left();

        const auto proposes = [&](model::Vpn& vpn) { vpn.ike.proposals = {ike_proposal(proposal)}; };
        Pair pair(proposes, proposes);
        pair.world.lose = [&, bad = bad](const Node& from, const wire::Header& header, const model::Datagram& datagram) {
          if (&from != &pair.right || header.exchange != ExchangeType::IkeSaInit) return false;
          auto message = wire::parse_message(datagram.payload).value();
          model::Datagram changed_one = datagram;
          changed_one.payload = wire::encode_message(
              message.header, changed<wire::KePayload>(message.payloads, [&](wire::KePayload& one) { bad(one.data); }));
          std::swap(changed_one.local, changed_one.remote);
          pair.world.after(milliseconds(1), [&pair, changed_one] { (void)pair.left.inject(changed_one); });
          return true;
        };
        BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
        pair.world.run_for(seconds(2));
        BOOST_TEST(pair.left.count(sa::Notice::Kind::IkeFailed) == 1U);
        BOOST_TEST(pair.left.logged("key exchange value is refused"));
        BOOST_TEST(pair.left.core().ike_sas() == 0U);
      }
    }
  }
}

// row 29: nothing configured to compare with
BOOST_AUTO_TEST_CASE(cve_2024_2357_a_missing_pre_shared_key_is_a_refusal) {
  Attack attack("");
  attack.init();
  BOOST_TEST(
      (attack.refusal(attack.peer.request(ExchangeType::IkeAuth, attack.peer.auth_payloads(""))) == NotifyType::AuthenticationFailed));
  attack.check_unauthenticated();
  attack.world.run_for(seconds(60));
  attack.check_nothing_left();
}

// row 30: rekey requests with an SA payload that is missing, of another protocol, or without what is needed
BOOST_AUTO_TEST_CASE(cve_2023_38710_rekey_proposals_that_make_no_sense_are_refused_and_harm_nothing) {
  const wire::NoncePayload nonce{Bytes(32, 1)};
  const wire::KePayload ke{wire::KeGroup::Curve25519, Bytes(32, 9)};
  wire::SaPayload no_dh = ike_offer();
  std::erase_if(no_dh.proposals[0].transforms,
                [](const wire::Transform& transform) { return transform.type == wire::TransformType::KeyExchange; });
  wire::SaPayload no_spi = ike_offer();
  no_spi.proposals[0].spi.clear();
  wire::SaPayload zero_spi = ike_offer();
  zero_spi.proposals[0].spi = Bytes(8, 0);
  wire::SaPayload ah = esp_offer();
  ah.proposals[0].protocol = ProtocolId::Ah;
  wire::SaPayload esp_then_ike = esp_offer();
  esp_then_ike.proposals.push_back(ike_offer().proposals[0]);
  esp_then_ike.proposals[0].protocol = ProtocolId::Ah;
  esp_then_ike.proposals[1].number = 2;

  const Payloads survivable[] = {
      {no_dh, nonce, ke},
      {ike_offer(), nonce},                                                           // no KE
      {ike_offer(), nonce, wire::KePayload{wire::KeGroup::Modp2048, Bytes(256, 9)}},  // KE of another group
      {ah, nonce, kTsi, kTsr},
      {esp_then_ike, nonce, ke},                               // a CHILD SA by its first proposal, an IKE SA by its second
      {rekey_sa(0xdeadbeef), esp_offer(), nonce, kTsi, kTsr},  // a CHILD SA that is not there
      {rekey_sa(0), esp_offer(), nonce, kTsi, kTsr},
      {esp_offer({0, 0, 0, 0}), nonce, kTsi, kTsr},  // an SPI that RFC 4303 reserves
      {esp_offer({0, 0, 0, 255}), nonce, kTsi, kTsr},
      {esp_offer(), nonce},  // no traffic selectors
      {esp_offer(), nonce, kTsi},
      {wire::NotifyPayload{NotifyType::RekeySa, ProtocolId::Esp, {}, {}}, esp_offer(), nonce, kTsi, kTsr},  // REKEY_SA without an SPI
  };
  int number = 0;
  for (const Payloads& request : survivable) {
    BOOST_TEST_CONTEXT("request " << number++) {
      Attack attack;
      attack.authenticate();
      const auto refused = attack.refusal(attack.peer.request(ExchangeType::CreateChildSa, request));
      BOOST_TEST_REQUIRE(refused.has_value());
      BOOST_TEST(wire::to_string(*refused) != wire::to_string(NotifyType{}));
      BOOST_TEST(attack.responder.ike_sas().size() == 1U);
      BOOST_TEST(attack.responder.core().ike_sas() == 1U);
      BOOST_TEST(attack.responder.child_sas().size() == 1U);
    }
  }
  // malformed beyond repair: INVALID_SYNTAX, and the IKE SA goes (RFC 7296 2.21.3)
  const Payloads fatal[] = {
      {nonce, ke},
      {nonce, kTsi, kTsr},
      {esp_offer(), kTsi, kTsr},
      {},
      {wire::SaPayload{}, nonce, ke},
      {no_spi, nonce, ke},
      {zero_spi, nonce, ke},
      {ike_offer(), nonce, wire::KePayload{wire::KeGroup::Curve25519, Bytes(32, 0)}},  // RFC 6989: a value that is no public value
      {esp_offer(), nonce, wire::TsPayload{PayloadType::TsInitiator, {}}, kTsr},
      {wire::NotifyPayload{NotifyType::RekeySa, ProtocolId::Ike, Bytes(8, 1), {}}, esp_offer(), nonce, kTsi, kTsr},
  };
  for (const Payloads& request : fatal) {
    Attack attack;
    attack.authenticate();
    BOOST_TEST((attack.refusal(attack.peer.request(ExchangeType::CreateChildSa, request)) == NotifyType::InvalidSyntax));
    attack.world.run_for(seconds(30));
    attack.check_nothing_left();
  }
}

// row 31: repeated and nonsensical Delete payloads
BOOST_AUTO_TEST_CASE(cve_2023_38711_and_others_repeated_deletes_are_answered_once_and_harm_nothing) {
  Attack attack;
  attack.authenticate();
  const wire::DeletePayload theirs{ProtocolId::Esp, {0xc0ffee01, 0xc0ffee01, 0xdeadbeef, 0}};
  const auto answers = attack.responder.inject(
      attack.peer.request(ExchangeType::Informational, {theirs, theirs, wire::DeletePayload{ProtocolId::Ah, {0xc0ffee01}}}));
  BOOST_TEST_REQUIRE(answers.size() == 1U);
  const auto payloads = attack.peer.open(answers[0].payload);
  std::size_t spis = 0;
  for (const auto& payload : *payloads) {
    if (const auto* one = std::get_if<wire::DeletePayload>(&payload)) spis += one->spis.size();
  }
  BOOST_TEST(spis == 1U);
  BOOST_TEST(attack.responder.child_sas().empty());
  BOOST_TEST(attack.responder.ike_sas().size() == 1U);
  BOOST_TEST(attack.responder.inject(attack.peer.request(ExchangeType::Informational, {theirs})).size() == 1U);
  BOOST_TEST(attack.responder.ike_sas().size() == 1U);
}

// row 31: every payload of IKE_AUTH, its inside cut short at every octet (the outer lengths made to fit)
BOOST_AUTO_TEST_CASE(cve_2023_38712_and_others_messages_cut_short_anywhere_inside_authenticate_nobody) {
  Attack whole;
  whole.init();
  const Payloads payloads = whole.peer.auth_payloads();
  const Bytes plaintext = wire::encode_payloads(payloads);
  for (std::size_t size = 0; size < plaintext.size(); ++size) {
    Attack attack;
    attack.init();
    const Bytes own = wire::encode_payloads(attack.peer.auth_payloads());
    const auto answers =
        attack.responder.inject(attack.peer.request_raw(ExchangeType::IkeAuth, wire::first_type(payloads), ByteView(own).first(size)));
    BOOST_TEST(answers.size() <= 1U);
    attack.check_unauthenticated();
  }
}

BOOST_AUTO_TEST_CASE(an_ike_sa_init_cut_short_at_any_octet_is_not_answered_with_more_and_leaves_nothing) {
  Attack attack;
  const model::Datagram whole = attack.peer.init();
  for (std::size_t size = 0; size < whole.payload.size(); ++size) {
    model::Datagram cut = whole;
    cut.payload.resize(size);
    BOOST_TEST(attack.ask(cut).empty());
    // with a length field that says so
    if (size < wire::kHeaderSize) continue;
    for (std::size_t i = 0; i < 4; ++i) cut.payload[24 + i] = static_cast<std::uint8_t>(size >> (8 * (3 - i)));
    (void)attack.ask(cut);
  }
  attack.check_nothing_left();
}

// row 32 (CVE-2020-1763): INFORMATIONAL that nobody protected
BOOST_AUTO_TEST_CASE(cve_2020_1763_unprotected_requests_to_an_ike_sa_are_neither_answered_nor_believed) {
  Attack attack;
  attack.authenticate();
  for (const ExchangeType exchange :
       {ExchangeType::Informational, ExchangeType::IkeAuth, ExchangeType::CreateChildSa, ExchangeType::IkeSaInit}) {
    for (const std::uint32_t message_id : {0U, 1U, 2U, 3U}) {
      for (const bool response : {false, true}) {
        wire::Header header;
        header.initiator_spi = attack.peer.spi_i();
        header.responder_spi = attack.peer.spi_r();
        header.exchange = exchange;
        header.from_initiator = true;
        header.response = response;
        header.message_id = message_id;
        const Bytes message = wire::encode_message(header, {wire::DeletePayload{ProtocolId::Ike, {}}});
        BOOST_TEST(attack.ask({{address(kRight), 500}, {address(kLeft), 500}, message}).empty());
      }
    }
  }
  BOOST_TEST(attack.responder.child_sas().size() == 1U);
}

// row 32 (CVE-2019-10155): the integrity check is not skipped
BOOST_AUTO_TEST_CASE(cve_2019_10155_a_message_with_any_octet_changed_is_dropped) {
  for (const std::string_view proposal : {kCheapIke, std::string_view("aes128-cbc/hmac-sha256/curve25519")}) {
    Attack attack("correct horse", proposal);
    attack.authenticate();
    const model::Datagram request = attack.peer.request(ExchangeType::Informational, {wire::DeletePayload{ProtocolId::Ike, {}}});
    for (std::size_t i = 0; i < request.payload.size(); ++i) {
      model::Datagram changed_one = request;
      changed_one.payload[i] ^= 0x01;
      (void)attack.ask(changed_one);
      BOOST_TEST_REQUIRE(attack.responder.child_sas().size() == 1U);
    }
    BOOST_TEST(attack.responder.inject(request).size() == 1U);
    BOOST_TEST(attack.responder.ike_sas().empty());
  }
}

// row 32 (CVE-2016-5391): IKE proposals without a key exchange
BOOST_AUTO_TEST_CASE(cve_2016_5391_an_ike_proposal_without_key_exchange_is_refused) {
  Attack attack;
  const auto answers = attack.ask(attack.peer.init(changed<wire::SaPayload>(attack.peer.init_payloads(), [](wire::SaPayload& sa) {
    std::erase_if(sa.proposals[0].transforms,
                  [](const wire::Transform& transform) { return transform.type == wire::TransformType::KeyExchange; });
  })));
  BOOST_TEST_REQUIRE(answers.size() == 1U);
  BOOST_TEST(has_notify(wire::parse_message(answers[0].payload)->payloads, NotifyType::NoProposalChosen));
  attack.check_nothing_left();
}

// row 23: EAP where nobody has agreed on it, and NULL authentication where nobody has asked for it
BOOST_AUTO_TEST_CASE(cve_2026_77206_eap_and_null_authentication_authenticate_nobody) {
  const auto auth_with = [](Payloads payloads, wire::AuthMethod method, const Bytes& data) {
    return changed<wire::AuthPayload>(std::move(payloads), [&](wire::AuthPayload& auth) { auth = {method, data}; });
  };
  // an EAP payload beside an honest AUTH, instead of it, and alone
  for (const std::size_t kind : {0U, 1U, 2U}) {
    for (const Bytes& eap : {Bytes{}, Bytes{2, 0, 0, 4}, Bytes{3, 0, 0, 4}, Bytes{1, 0, 0, 5, 1}, Bytes(2000, 3)}) {
      Attack attack;
      attack.init();
      Payloads payloads = attack.peer.auth_payloads();
      if (kind > 0) payloads = without(std::move(payloads), PayloadType::Authentication);
      if (kind > 1) payloads.clear();
      payloads.push_back(wire::EapPayload{eap});
      BOOST_TEST(attack.refusal(attack.peer.request(ExchangeType::IkeAuth, payloads)).has_value());
      attack.check_unauthenticated();
    }
  }
  Attack honest;
  honest.init();
  Bytes good;
  (void)changed<wire::AuthPayload>(honest.peer.auth_payloads(), [&](wire::AuthPayload& auth) { good = auth.data; });
  for (int method = 0; method < 256; ++method) {
    if (method == static_cast<int>(wire::AuthMethod::SharedKeyMic)) continue;
    Attack attack;
    attack.init();
    for (const Bytes& data : {Bytes{}, good}) {
      const auto payloads = auth_with(attack.peer.auth_payloads(), static_cast<wire::AuthMethod>(method), data);
      (void)attack.responder.inject(attack.peer.request(ExchangeType::IkeAuth, payloads));
      attack.check_unauthenticated();
    }
  }
  // and after it: an EAP payload has no place in any other exchange
  Attack attack;
  attack.authenticate();
  BOOST_TEST(
      (attack.refusal(attack.peer.request(ExchangeType::Informational, {wire::EapPayload{{3, 0, 0, 4}}})) == NotifyType::InvalidSyntax));
}

// row 28: proposals of things that do not go together
BOOST_AUTO_TEST_CASE(cve_2024_3652_odd_proposals_are_refused_and_the_good_one_among_them_is_taken) {
  using wire::transform;
  using wire::TransformType;
  const auto encryption = [](std::uint16_t id, std::uint16_t bits = 0) { return transform(TransformType::Encryption, id, bits); };
  const auto integrity = [](wire::IntegrityId id) { return transform(TransformType::Integrity, id); };
  const wire::Transform esn = transform(TransformType::Esn, wire::EsnId::None);
  const std::vector<std::vector<wire::Transform>> odd = {
      {encryption(21, 128), esn},  // ENCR_NULL_AUTH_AES_GMAC
      {encryption(21, 128), integrity(wire::IntegrityId::HmacSha256_128), esn},
      {encryption(11), esn},  // ENCR_NULL with nothing
      {encryption(11), integrity(wire::IntegrityId::None), esn},
      {encryption(20, 128), integrity(wire::IntegrityId::HmacSha256_128), esn},  // an AEAD with integrity
      {encryption(12, 128), esn},                                                // CBC without
      {encryption(12, 128), integrity(wire::IntegrityId::None), esn},
      {encryption(20, 0), esn},
      {encryption(20, 1), esn},
      {encryption(20, 65535), esn},  // lengths of keys that are none
      {esn},
      {integrity(wire::IntegrityId::HmacSha256_128), esn},
      {encryption(65535, 128), esn},
      {transform(static_cast<TransformType>(77), 1), encryption(20, 128), esn},  // of an unknown type
  };
  for (std::size_t number = 0; number < odd.size(); ++number) {
    BOOST_TEST_CONTEXT("proposal " << number) {
      for (const bool good_behind : {false, true}) {
        Attack attack;
        attack.authenticate();
        wire::SaPayload sa = esp_offer();
        wire::Proposal first = sa.proposals.front();
        first.transforms = odd[number];
        sa.proposals.front().number = 2;
        if (!good_behind) sa.proposals.clear();
        sa.proposals.insert(sa.proposals.begin(), first);
        const auto refused =
            attack.refusal(attack.peer.request(ExchangeType::CreateChildSa, {sa, wire::NoncePayload{Bytes(32, 1)}, kTsi, kTsr}));
        BOOST_TEST_REQUIRE(refused.has_value());
        BOOST_TEST((*refused == (good_behind ? NotifyType{} : NotifyType::NoProposalChosen)));
        BOOST_TEST(attack.responder.child_sas().size() == (good_behind ? 2U : 1U));
      }
    }
  }
}

// row 34: the state of a responder after whatever is said in whatever order; nobody is authenticated but by a right AUTH
BOOST_AUTO_TEST_CASE(cve_2026_50751_no_order_of_messages_authenticates_without_a_right_auth) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Attack attack;
      attack.init();
      SeededEntropy dice(seed);
      for (int i = 0; i < 30; ++i) {
        Payloads payloads = attack.peer.auth_payloads(dice.chance(0.5) ? "wrong" : "");
        for (std::size_t drops = dice.below(4); drops > 0 && !payloads.empty(); --drops)
          payloads.erase(payloads.begin() + static_cast<std::ptrdiff_t>(dice.below(payloads.size())));
        const Payloads more[] = {{wire::NotifyPayload{NotifyType::InitialContact, ProtocolId::None, {}, {}}},
                                 {wire::DeletePayload{ProtocolId::Ike, {}}},
                                 {esp_offer(), wire::NoncePayload{Bytes(32, 1)}},
                                 {wire::EapPayload{{3, 0, 0, 4}}},
                                 {wire::CertPayload{4, Bytes(20, 1)}},
                                 {wire::NotifyPayload{NotifyType::AuthenticationFailed, ProtocolId::None, {}, {}}}};
        const Payloads& extra = more[dice.below(std::size(more))];
        payloads.insert(payloads.end(), extra.begin(), extra.end());
        static constexpr ExchangeType kExchanges[] = {ExchangeType::IkeAuth,         ExchangeType::CreateChildSa,
                                                      ExchangeType::Informational,   ExchangeType::IkeSaInit,
                                                      static_cast<ExchangeType>(38), static_cast<ExchangeType>(43)};
        const auto exchange = kExchanges[dice.below(std::size(kExchanges))];
        (void)attack.responder.inject(attack.peer.request(exchange, payloads, static_cast<std::uint32_t>(dice.below(4))));
        attack.check_unauthenticated();
      }
      attack.world.run_for(seconds(60));
      attack.check_nothing_left();
    }
  }
}

// row 33: a responder never sends on its own to an address that has not shown that it is there, and never more than it got
BOOST_AUTO_TEST_CASE(cve_2016_5361_an_unanswered_responder_sends_nothing_again) {
  Attack attack;
  const model::Datagram request = attack.peer.init();
  std::size_t out = 0;
  attack.world.lose = [&](const Node&, const wire::Header&, const model::Datagram& datagram) {
    out += datagram.payload.size();
    return true;
  };
  attack.init();
  attack.world.run_for(seconds(300));
  BOOST_TEST(out <= request.payload.size());
  attack.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(a_request_shorter_than_the_answer_is_first_asked_for_a_cookie) {
  Attack attack;
  // without NAT detection the request is shorter than our answer with it
  Payloads bare = attack.peer.init_payloads();
  std::erase_if(bare, [](const wire::Payload& payload) { return wire::type_of(payload) == PayloadType::Notify; });
  const auto answers = attack.ask(attack.peer.init(bare));
  BOOST_TEST_REQUIRE(answers.size() == 1U);
  const auto message = wire::parse_message(answers[0].payload);
  BOOST_TEST(has_notify(message->payloads, NotifyType::Cookie));
  attack.check_nothing_left();
  // with the cookie in front the sender has shown where it is
  const auto* cookie = std::get_if<wire::NotifyPayload>(&message->payloads[0]);
  bare.insert(bare.begin(), *cookie);
  const auto accepted = attack.responder.inject(attack.peer.init(bare));
  BOOST_TEST_REQUIRE(accepted.size() == 1U);
  BOOST_TEST(attack.peer.accept_init(accepted[0].payload));
}

BOOST_AUTO_TEST_CASE(a_cookie_of_somebody_else_or_made_up_is_no_cookie) {
  Attack attack;
  attack.responder.apply(configuration({.vpns = {right_vpn()}, .global = [] {
                                          model::GlobalOptions global;
                                          global.cookie_threshold = model::GlobalOptions::kCookieAlways;
                                          return global;
                                        }()}));
  ScriptedPeer other(attack.world.chance(), {address(kLeft), 500}, {address(kRight), 500});
  const auto others = attack.ask(other.init());
  BOOST_TEST_REQUIRE(others.size() == 1U);
  const auto stolen = std::get<wire::NotifyPayload>(wire::parse_message(others[0].payload)->payloads[0]);
  wire::NotifyPayload made_up = stolen;
  made_up.data.back() ^= 1;
  for (const auto& cookie : {stolen, made_up, wire::NotifyPayload{NotifyType::Cookie, ProtocolId::None, {}, {}}}) {
    Payloads payloads = attack.peer.init_payloads();
    payloads.insert(payloads.begin(), cookie);
    const auto answers = attack.ask(attack.peer.init(payloads));
    BOOST_TEST_REQUIRE(answers.size() == 1U);
    BOOST_TEST(has_notify(wire::parse_message(answers[0].payload)->payloads, NotifyType::Cookie));
  }
  attack.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(the_same_request_twice_gets_the_same_answer_and_another_with_its_spi_gets_none) {
  Attack attack;
  const model::Datagram request = attack.peer.init();
  const auto first = attack.ask(request);
  const auto again = attack.ask(request);
  BOOST_TEST_REQUIRE(first.size() == 1U);
  BOOST_TEST_REQUIRE(again.size() == 1U);
  BOOST_TEST((first[0].payload == again[0].payload));
  BOOST_TEST(attack
                 .ask(attack.peer.init(
                     changed<wire::NoncePayload>(attack.peer.init_payloads(), [](wire::NoncePayload& nonce) { nonce.data[0] ^= 1; })))
                 .empty());
  BOOST_TEST(attack.responder.core().ike_sas() == 1U);
}

// RFC 7296 2.1, 2.2: a request that comes again is answered again and acted on once
BOOST_AUTO_TEST_CASE(a_replayed_request_gets_the_old_answer_and_older_ones_get_none) {
  Attack attack;
  attack.authenticate();
  const model::Datagram first =
      attack.peer.request(ExchangeType::CreateChildSa, {esp_offer(), wire::NoncePayload{Bytes(32, 1)}, kTsi, kTsr});
  const auto answer = attack.responder.inject(first);
  const auto again = attack.responder.inject(first);
  BOOST_TEST_REQUIRE(again.size() == 1U);
  BOOST_TEST((answer[0].payload == again[0].payload));
  BOOST_TEST(attack.responder.child_sas().size() == 2U);
  BOOST_TEST(attack.responder.inject(attack.peer.request(ExchangeType::Informational, {})).size() == 1U);
  BOOST_TEST(attack.responder.inject(first).empty());
  BOOST_TEST(attack.responder.inject(attack.peer.request(ExchangeType::Informational, {}, 99)).empty());
}

BOOST_AUTO_TEST_CASE(an_unknown_critical_payload_is_named_in_the_refusal_and_one_that_is_not_critical_is_skipped) {
  Attack attack;
  attack.authenticate();
  const wire::UnknownPayload critical{static_cast<PayloadType>(200), true, {1, 2, 3}};
  wire::UnknownPayload harmless = critical;
  harmless.critical = false;
  const auto answers = attack.responder.inject(attack.peer.request(ExchangeType::Informational, {critical}));
  BOOST_TEST_REQUIRE(answers.size() == 1U);
  const auto payloads = attack.peer.open(answers[0].payload);
  BOOST_TEST_REQUIRE(payloads->size() == 1U);
  const auto& notify = std::get<wire::NotifyPayload>(payloads->front());
  BOOST_TEST((notify.type == NotifyType::UnsupportedCriticalPayload));
  BOOST_TEST((notify.data == Bytes{200}));
  BOOST_TEST(attack.responder.ike_sas().size() == 1U);
  const auto accepted = attack.responder.inject(attack.peer.request(ExchangeType::Informational, {harmless}));
  BOOST_TEST_REQUIRE(accepted.size() == 1U);
  BOOST_TEST(attack.peer.open(accepted[0].payload)->empty());
}

// RFC 7296 2.23: only behind a NAT does an address change. The first IKE_AUTH is kept back, and a copy of it comes from elsewhere.
BOOST_AUTO_TEST_CASE(a_copy_of_an_ike_auth_sent_from_elsewhere_is_answered_there_and_moves_nobody) {
  Pair pair;
  std::size_t copies = 0;
  pair.world.lose = [&](const Node&, const wire::Header& header, const model::Datagram& datagram) {
    if (header.exchange != ExchangeType::IkeAuth || header.response || copies != 0) return false;
    ++copies;
    model::Datagram copy{datagram.remote, {address("203.0.113.66"), 1955}, datagram.payload};
    pair.world.after(milliseconds(1), [&pair, copy] { (void)pair.right.inject(copy); });
    return true;
  };
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(10));
  BOOST_TEST(copies == 1U);
  BOOST_TEST_REQUIRE(pair.right.ike_sas().size() == 1U);
  BOOST_CHECK(pair.right.ike_sas()[0].remote.address == address(kLeft));
  pair.check_one_pair();
}

// RFC 7296 1.5, 2.25.1: it is asked about by a rekey, and made anew when the peer does not have it
BOOST_AUTO_TEST_CASE(invalid_spi_of_the_peer_leads_to_another_child_sa) {
  Attack attack;
  attack.authenticate();
  const auto spi_out = [&] {
    for (const auto& [id, sa] : attack.responder.kernel().sad()) {
      if (sa.sa.direction == model::Direction::Out) return id.spi;
    }
    return std::uint32_t{0};
  };
  const auto notification = [&](std::uint32_t spi) {
    Writer octets;
    octets.u32(spi);
    return attack.peer.request(ExchangeType::Informational,
                               {wire::NotifyPayload{NotifyType::InvalidSpi, ProtocolId::None, {}, std::move(octets).take()}});
  };
  BOOST_TEST(attack.responder.inject(notification(spi_out() + 1)).size() == 1U);  // of another SPI: acknowledged, no more
  const auto sent = attack.responder.inject(notification(spi_out()));
  BOOST_TEST_REQUIRE(sent.size() == 2U);
  const auto request = std::find_if(sent.begin(), sent.end(), [](const auto& one) { return !wire::parse_header(one.payload)->response; });
  BOOST_TEST_REQUIRE((request != sent.end()));
  const auto asked = attack.peer.open(request->payload);
  BOOST_TEST_REQUIRE(asked.has_value());
  const auto* rekey = sa::find_notify(*asked, NotifyType::RekeySa);
  BOOST_TEST_REQUIRE(rekey != nullptr);
  const auto next = attack.responder.inject(attack.peer.answer(
      wire::parse_header(request->payload).value(), {wire::NotifyPayload{NotifyType::ChildSaNotFound, rekey->protocol, rekey->spi, {}}}));
  BOOST_TEST(attack.responder.child_sas().empty());
  BOOST_TEST_REQUIRE(next.size() == 1U);
  const auto anew = attack.peer.open(next[0].payload);
  BOOST_TEST_REQUIRE(anew.has_value());
  BOOST_TEST((wire::parse_header(next[0].payload)->exchange == ExchangeType::CreateChildSa));
  BOOST_TEST(sa::find_notify(*anew, NotifyType::RekeySa) == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
