// SPDX-License-Identifier: Apache-2.0
// An IKE SA that one end has lost: INVALID_IKE_SPI outside an IKE SA (RFC 7296 2.21.4) and QCD_TOKEN (RFC 6290).
#include <boost/test/unit_test.hpp>

#include "sa/message_rules.h"
#include "sim/pair.h"
#include "sim/world/scripted_peer.h"

using namespace svti;
using namespace svti::sim;
using model::StartAction;
using sa::Notice;
using wire::ExchangeType;
using wire::NotifyType;
using wire::ProtocolId;

namespace {

constexpr Duration kDpd = seconds(30);

// the left end asks for signs of life; the right one waits for others to begin
const Change kAsks = [](model::Vpn& vpn) {
  vpn.ike.dpd_delay = seconds(30);
  vpn.ipsec.dpd_action = model::DpdAction::Restart;
};
const Change kWaits = [](model::Vpn& vpn) { vpn.remote_address.reset(); };

// what `node` sends from now on, seen and let pass
struct Seen {
  explicit Seen(World& world) {
    world.lose = [this](const Node& from, const wire::Header& header, const model::Datagram& datagram) {
      const auto message = wire::parse_message(datagram.payload);
      const auto* notify = sa::find_notify(message->payloads, NotifyType::InvalidIkeSpi);
      if (notify != nullptr) answers.push_back({from.name(), header, datagram});
      return false;
    };
  }
  struct One {
    std::string from;
    wire::Header header;
    model::Datagram datagram;
  };
  std::vector<One> answers;
};

std::optional<Bytes> token_in(const model::Datagram& datagram) {
  const auto message = wire::parse_message(datagram.payload);
  const auto* token = sa::find_notify(message->payloads, NotifyType::QcdToken);
  if (token == nullptr) return std::nullopt;
  return token->data;
}

// a request of an IKE SA that is not there, as large as an empty one that AES-GCM protects; nobody can tell from outside that it is none
Bytes stray(wire::IkeSpi spi_i, wire::IkeSpi spi_r, bool from_initiator, std::size_t body = 49, bool response = false) {
  wire::Header header;
  header.initiator_spi = spi_i;
  header.responder_spi = spi_r;
  header.exchange = ExchangeType::Informational;
  header.from_initiator = from_initiator;
  header.response = response;
  header.message_id = 7;
  Bytes out = wire::encrypted_prefix(header, wire::PayloadType::None, body);
  out.resize(out.size() + body, 0x5a);
  return out;
}

Bytes hint(const model::IkeSaState& sa, bool from_initiator, const std::vector<Bytes>& tokens = {}) {
  wire::Header header;
  header.initiator_spi = sa.initiator_spi;
  header.responder_spi = sa.responder_spi;
  header.exchange = ExchangeType::Informational;
  header.from_initiator = from_initiator;
  header.response = true;
  std::vector<wire::Payload> payloads = {wire::NotifyPayload{NotifyType::InvalidIkeSpi, ProtocolId::None, {}, {}}};
  for (const Bytes& token : tokens) payloads.push_back(wire::NotifyPayload{NotifyType::QcdToken, ProtocolId::None, {}, token});
  return wire::encode_message(header, payloads);
}

const Endpoint kLeftAt{address(kLeft), 500}, kRightAt{address(kRight), 500};

}  // namespace

BOOST_AUTO_TEST_SUITE(crash)

// --- INVALID_IKE_SPI ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_request_for_an_ike_sa_that_is_not_there_is_answered_with_its_own_spis_and_no_more_octets) {
  Pair pair;
  for (const bool from_initiator : {false, true}) {
    for (const std::size_t body : {std::size_t{1}, std::size_t{8}, std::size_t{25}, std::size_t{49}, std::size_t{1000}}) {
      pair.world.run_for(seconds(2));
      const Bytes request = stray(1, 2, from_initiator, body);
      const auto answers = pair.left.inject({kLeftAt, kRightAt, request});
      if (request.size() < wire::kHeaderSize + 8) {
        BOOST_TEST(answers.empty());
        continue;
      }
      BOOST_TEST_REQUIRE(answers.size() == 1U);
      BOOST_TEST(answers[0].payload.size() <= request.size());
      BOOST_TEST((answers[0].remote == kRightAt));
      const auto message = wire::parse_message(answers[0].payload).value();
      BOOST_TEST(message.header.response);
      BOOST_TEST(message.header.initiator_spi == 1U);
      BOOST_TEST(message.header.responder_spi == 2U);
      BOOST_TEST(message.header.message_id == 7U);
      BOOST_TEST(message.header.from_initiator == !from_initiator);
      BOOST_TEST(has_notify(message.payloads, NotifyType::InvalidIkeSpi));
      // the token where there is room for it
      BOOST_TEST(token_in(answers[0]).has_value() == (request.size() >= 60));
    }
  }
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(a_response_and_what_is_not_protected_is_not_answered) {
  Pair pair;
  BOOST_TEST(pair.left.inject({kLeftAt, kRightAt, stray(1, 2, true, 49, true)}).empty());
  model::IkeSaState nobody;
  nobody.initiator_spi = 1;
  nobody.responder_spi = 2;
  // the answer of somebody who has lost it as well, said to be a request or a response
  for (const bool response : {false, true}) {
    Bytes message = hint(nobody, true, {Bytes(64, 1)});
    if (!response) message[19] &= 0xdf;
    BOOST_TEST_REQUIRE(wire::parse_message(message).value().header.response == response);
    BOOST_TEST(pair.left.inject({kLeftAt, kRightAt, message}).empty());
  }
  // nor anything while it is shutting down
  pair.left.close();
  BOOST_TEST(pair.left.inject({kLeftAt, kRightAt, stray(1, 2, true)}).empty());
}

BOOST_AUTO_TEST_CASE(answers_are_limited_for_each_address_and_for_all_and_so_is_what_is_remembered) {
  Pair pair;
  std::size_t of_one = 0, of_all = 0;
  for (int i = 0; i < 100; ++i) of_one += pair.left.inject({kLeftAt, kRightAt, stray(1, 2, true)}).size();
  BOOST_TEST(of_one == sa::UnknownSpiAnswers::kOfAddress);
  for (std::uint32_t i = 0; i < 5000; ++i) {
    const Endpoint from{address("198.18." + std::to_string(i / 250) + "." + std::to_string(i % 250)), 500};
    of_all += pair.left.inject({kLeftAt, from, stray(1, 2, true)}).size();
  }
  BOOST_TEST(of_one + of_all == sa::UnknownSpiAnswers::kOfAll);
  pair.world.run_for(seconds(1));
  BOOST_TEST(pair.left.inject({kLeftAt, kRightAt, stray(1, 2, true)}).size() == 1U);
  sa::UnknownSpiAnswers answers;
  for (std::uint32_t i = 0; i < 100000; ++i) {
    (void)answers.allows(address("10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255)),
                         TimePoint(milliseconds(i / 10)));
    BOOST_TEST_REQUIRE(answers.remembered() <= sa::UnknownSpiAnswers::kOfAll);
  }
}

BOOST_AUTO_TEST_CASE(the_hint_is_not_believed_and_makes_us_ask_the_peer_now_and_then) {
  Pair pair;
  pair.connect();
  const auto before = pair.left.ike_sas().at(0);
  std::size_t asked = 0;
  for (int i = 0; i < 90; ++i) {
    asked += pair.left.inject({kLeftAt, kRightAt, hint(before, false)}).size();
    pair.world.run_for(seconds(1));
  }
  BOOST_TEST(asked == 3U);
  pair.check_one_pair();
  BOOST_TEST(pair.left.ike_sas().at(0).initiator_spi == before.initiator_spi);
  // nor is one that is not for this IKE SA, or is said to come from us
  pair.world.run_for(seconds(60));
  model::IkeSaState other = before;
  other.responder_spi ^= 1;
  BOOST_TEST(pair.left.inject({kLeftAt, kRightAt, hint(other, false)}).empty());
  BOOST_TEST(pair.left.inject({kLeftAt, kRightAt, hint(before, true)}).empty());
  Bytes request = hint(before, false);
  request[19] &= 0xdf;
  BOOST_TEST(pair.left.inject({kLeftAt, kRightAt, request}).empty());
}

// --- QCD_TOKEN ---------------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_peer_that_has_crashed_and_come_back_is_found_out_in_one_round_trip) {
  Pair pair(kAsks, kWaits);
  pair.connect();
  pair.right.crash();
  pair.right.restart();
  BOOST_TEST(!pair.carries());
  Seen seen(pair.world);
  const TimePoint crashed = pair.world.now();
  BOOST_TEST(pair.world.run_until([&] { return pair.left.count(Notice::Kind::IkeDown) == 1; }, seconds(200)));
  // asked after dpd-delay, and a round trip of 20 ms later it knows; without a token it would ask for 165 s
  BOOST_TEST((pair.world.now() - crashed <= kDpd + milliseconds(20)));
  BOOST_TEST(pair.left.logged("QCD_TOKEN"));
  pair.world.run_for(milliseconds(100));
  BOOST_TEST(pair.carries());
  pair.world.run_for(seconds(10));
  pair.check_one_pair();
  BOOST_TEST(seen.answers.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_host_that_has_lost_its_secret_is_found_out_by_its_silence) {
  Pair pair(kAsks, kWaits);
  pair.connect();
  pair.right.crash();
  pair.right.forgets_secret = true;
  pair.right.restart();
  const TimePoint crashed = pair.world.now();
  BOOST_TEST(pair.world.run_until([&] { return pair.left.count(Notice::Kind::IkeDown) == 1; }, seconds(300)));
  BOOST_TEST((pair.world.now() - crashed > seconds(160)));
  BOOST_TEST(pair.left.logged("not the peer's"));
  pair.world.run_for(seconds(10));
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(either_end_and_either_role_after_rekeys_by_either_end_whatever_is_lost_and_doubled) {
  for (const bool left_crashes : {false, true}) {
    for (const char* rekeyed_by : {"", "left", "right", "left right", "right left"}) {
      BOOST_TEST_CONTEXT((left_crashes ? "left" : "right") << " crashes after rekeys by: " << rekeyed_by) {
        const Change asks = [](model::Vpn& vpn) {
          kAsks(vpn);
          vpn.ipsec.start_action = StartAction::None;
        };
        Pair pair(asks, asks);
        pair.connect();
        for (std::string_view rest = rekeyed_by; !rest.empty();) {
          const std::string_view name = rest.substr(0, rest.find(' '));
          rest.remove_prefix(std::min(rest.size(), name.size() + 1));
          Node& node = name == "left" ? pair.left : pair.right;
          BOOST_TEST(node.rekey(name == "left" ? "right" : "left").has_value());
          pair.world.run_for(seconds(5));
        }
        pair.check_one_pair();
        Node& crashes = left_crashes ? pair.left : pair.right;
        Node& stays = left_crashes ? pair.right : pair.left;
        crashes.crash();
        crashes.restart();
        pair.world.weather.duplication = 0.5;
        pair.world.weather.most_delay = milliseconds(100);
        std::size_t lost = 2;  // the first answers do not arrive
        pair.world.lose = [&](const Node& from, const wire::Header& header, const model::Datagram&) {
          return &from == &crashes && header.response && lost > 0 && lost-- > 0;
        };
        const TimePoint crashed = pair.world.now();
        BOOST_TEST(pair.world.run_until([&] { return stays.count(Notice::Kind::IkeDown) == 1; }, seconds(200)));
        BOOST_TEST((pair.world.now() - crashed <= kDpd + seconds(13)));
        BOOST_TEST(stays.logged("QCD_TOKEN"));
        pair.world.run_for(seconds(20));
        pair.check_one_pair();
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(dpd_action_says_what_follows) {
  for (const model::DpdAction action : {model::DpdAction::Clear, model::DpdAction::Trap, model::DpdAction::Restart}) {
    Pair pair(
        [&](model::Vpn& vpn) {
          kAsks(vpn);
          vpn.ipsec.dpd_action = action;
          vpn.ipsec.start_action = StartAction::None;
        },
        kWaits);
    pair.connect();
    pair.right.crash();
    pair.right.restart();
    pair.left.act([&](sa::Core& core, TimePoint now, sa::Effects& out) {
      core.receive({kLeftAt, kRightAt, hint(pair.left.ike_sas().at(0), false)}, now, out);
    });
    pair.world.run_for(milliseconds(25));
    BOOST_TEST(pair.left.count(Notice::Kind::IkeDown) == 1U);
    pair.world.run_for(seconds(2));
    BOOST_TEST(pair.left.child_sas().size() == (action == model::DpdAction::Restart ? 1U : 0U));
    BOOST_TEST((pair.world.probe(pair.left, kToRight) == Probe::Held) == (action == model::DpdAction::Trap));
  }
}

// RFC 6290 10.3 and its like: a token that is told while the IKE SA is there would end it
BOOST_AUTO_TEST_CASE(the_token_of_an_ike_sa_that_is_there_is_told_to_nobody) {
  Pair pair(kAsks, kAsks);
  pair.connect();
  const auto sa = pair.left.ike_sas().at(0);
  std::vector<std::pair<wire::IkeSpi, wire::IkeSpi>> spis = {{sa.initiator_spi, sa.responder_spi},
                                                             {sa.responder_spi, sa.initiator_spi},
                                                             {sa.initiator_spi, sa.responder_spi ^ 1},
                                                             {sa.initiator_spi ^ 1, sa.responder_spi}};
  std::vector<Bytes> told;
  for (const auto& [spi_i, spi_r] : spis) {
    for (Node* node : {&pair.left, &pair.right}) {
      for (const bool from_initiator : {false, true}) {
        pair.world.run_for(seconds(2));
        const Endpoint here{node->address(), 500};
        for (const auto& answer : node->inject({here, {address("198.51.100.7"), 500}, stray(spi_i, spi_r, from_initiator, 200)})) {
          if (auto token = token_in(answer)) told.push_back(std::move(*token));
        }
      }
    }
  }
  // Where one of the SPIs is not the node's it may answer; what it tells ends nothing.
  pair.world.run_for(seconds(2));
  for (Node* node : {&pair.left, &pair.right}) {
    const Endpoint here{node->address(), 500}, there{node == &pair.left ? address(kRight) : address(kLeft), 500};
    for (const Bytes& token : told) (void)node->inject({here, there, hint(sa, node == &pair.right, {token})});
  }
  pair.world.run_for(seconds(2));
  pair.check_one_pair();
  BOOST_TEST(pair.left.ike_sas().at(0).initiator_spi == sa.initiator_spi);
}

// ... nor that of one which the peer of a rekey has already, and we not yet
BOOST_AUTO_TEST_CASE(nor_is_that_of_an_ike_sa_that_is_being_rekeyed_to) {
  Pair pair;
  pair.connect();
  wire::IkeSpi spi_r = 0;
  pair.world.lose = [&](const Node& from, const wire::Header& header, const model::Datagram&) {
    return &from == &pair.right && header.exchange == ExchangeType::CreateChildSa && header.response;
  };
  BOOST_TEST(pair.left.rekey("right").has_value());
  pair.world.run_for(milliseconds(100));
  wire::IkeSpi spi_i = 0;
  for (const auto& sa : pair.right.ike_sas()) {
    if (sa.initiator_spi == pair.left.ike_sas().at(0).initiator_spi) continue;
    spi_i = sa.initiator_spi;
    spi_r = sa.responder_spi;
  }
  BOOST_TEST_REQUIRE(spi_i != 0U);
  for (const bool from_initiator : {false, true})
    BOOST_TEST(pair.left.inject({kLeftAt, {address("198.51.100.7"), 500}, stray(spi_i, spi_r, from_initiator, 200)}).empty());
  pair.world.lose = {};
  pair.world.run_for(seconds(30));
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(tokens_are_the_secrets_the_roles_and_the_spis) {
  sa::CrashTokens none, one, other;
  BOOST_TEST(!none.make(true, 1, 2).has_value());
  one.set_secret(Secret(Bytes(32, 1)));
  other.set_secret(Secret(Bytes(32, 2)));
  const Bytes token = one.make(true, 1, 2).value();
  BOOST_TEST(token.size() >= sa::CrashTokens::kLeast);
  BOOST_TEST((token == one.make(true, 1, 2).value()));
  for (const Bytes& another :
       {one.make(false, 1, 2).value(), one.make(true, 2, 1).value(), one.make(true, 1, 3).value(), other.make(true, 1, 2).value()})
    BOOST_TEST((token != another));
}

BOOST_AUTO_TEST_CASE(wrong_tokens_end_nothing_and_of_several_the_fourth_is_still_looked_at) {
  Pair pair(kAsks, kWaits);
  pair.connect();
  const auto sa = pair.left.ike_sas().at(0);
  for (const std::vector<Bytes>& tokens :
       {std::vector<Bytes>{{}}, {Bytes(16, 0)}, {Bytes(128, 7)}, std::vector<Bytes>(100, Bytes(16, 1))}) {
    (void)pair.left.inject({kLeftAt, kRightAt, hint(sa, false, tokens)});
    pair.world.run_for(seconds(1));
    BOOST_TEST(pair.left.ike_sas().size() == 1U);
  }
  pair.right.crash();
  pair.right.restart();
  const auto answers = pair.right.inject({kRightAt, kLeftAt, stray(sa.initiator_spi, sa.responder_spi, true, 200)});
  pair.world.part(pair.left, pair.right);
  BOOST_TEST_REQUIRE(answers.size() == 1U);
  const Bytes token = token_in(answers[0]).value();
  (void)pair.left.inject({kLeftAt, kRightAt, hint(sa, false, {Bytes(16, 1), Bytes(16, 2), Bytes(16, 3), Bytes(16, 4), token})});
  BOOST_TEST(pair.left.ike_sas().size() == 1U);
  (void)pair.left.inject({kLeftAt, kRightAt, hint(sa, false, {Bytes(16, 1), Bytes(16, 2), Bytes(16, 3), token})});
  BOOST_TEST(pair.left.ike_sas().empty());
}

// a peer that knows nothing of RFC 6290 is none the worse, and one that sends a token of a size that is none neither
BOOST_AUTO_TEST_CASE(a_peer_without_tokens_or_with_impossible_ones) {
  for (const std::size_t size : {0, 15, 16, 128, 129, 4000}) {
    World world(3);
    Node& responder = world.add("right", address(kRight), configuration({.vpns = {right_vpn()}}));
    ScriptedPeer peer(world.chance(), kLeftAt, kRightAt);
    BOOST_TEST_REQUIRE(peer.accept_init(responder.inject(peer.init()).at(0).payload));
    auto payloads = peer.auth_payloads();
    const Bytes token(size, 9);
    if (size > 0) payloads.insert(payloads.begin() + 2, wire::NotifyPayload{NotifyType::QcdToken, ProtocolId::None, {}, token});
    const auto answers = responder.inject(peer.request(ExchangeType::IkeAuth, payloads));
    BOOST_TEST_REQUIRE(answers.size() == 1U);
    BOOST_TEST(has_notify(peer.open(answers[0].payload).value(), NotifyType::QcdToken));
    BOOST_TEST_REQUIRE(responder.ike_sas().size() == 1U);
    (void)responder.inject({kRightAt, kLeftAt, hint(responder.ike_sas().at(0), true, {token})});
    BOOST_TEST(responder.ike_sas().size() == (size == 16 || size == 128 ? 0U : 1U));
  }
}

BOOST_AUTO_TEST_SUITE_END()
