// SPDX-License-Identifier: Apache-2.0
// IKE fragmentation (RFC 7383): agreed on in IKE_SA_INIT, then every message that is too large for one datagram goes in pieces. Here the
// datagrams are so small that all but the shortest messages do.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "sim/pair.h"
#include "sim/world/scripted_peer.h"

using namespace svti;
using namespace svti::sim;
using sa::Notice;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;

namespace {

model::GlobalOptions datagrams_of(std::uint32_t size) {
  model::GlobalOptions out;
  out.fragment_size = size;
  return out;
}

Change proposes(std::string ike, std::string esp) {
  return [=](model::Vpn& vpn) {
    vpn.ike.proposals = {ike_proposal(ike)};
    vpn.ipsec.esp_proposals = {esp_proposal(esp)};
  };
}

// what goes over the wire, "IKE_AUTH request 1, fragment 2" a line
struct Recorder {
  explicit Recorder(World& world) {
    world.lose = [this](const Node&, const wire::Header& header, const model::Datagram& datagram) {
      const std::uint16_t fragment = fragment_number(datagram.payload);
      lines.push_back(to_string(header) + (fragment == 0 ? "" : ", fragment " + std::to_string(fragment)));
      largest = std::max(largest, datagram.payload.size());
      return lost && lost(header, fragment);
    };
  }
  std::size_t count(const std::string& line) const { return static_cast<std::size_t>(std::count(lines.begin(), lines.end(), line)); }
  std::size_t fragments() const {
    return static_cast<std::size_t>(
        std::count_if(lines.begin(), lines.end(), [](const auto& line) { return line.find("fragment") != std::string::npos; }));
  }

  std::vector<std::string> lines;
  std::size_t largest = 0;
  std::function<bool(const wire::Header&, std::uint16_t fragment)> lost;
};

// a responder with small datagrams, and a peer that does what it is told
struct Attack {
  explicit Attack(std::uint32_t fragment_size = 1280)
      : world(7),
        responder(world.add("right", address(kRight), configuration({.vpns = {right_vpn()}, .global = datagrams_of(fragment_size)}))),
        peer(world.chance(), {address(kLeft), 500}, {address(kRight), 500}) {}
  ~Attack() {
    for (const std::string& violation : world.violations()) BOOST_ERROR(violation);
  }

  void init(bool offers = true) {
    auto payloads = peer.init_payloads();
    if (offers) payloads.push_back(wire::NotifyPayload{NotifyType::FragmentationSupported, wire::ProtocolId::None, {}, {}});
    const auto answers = responder.inject(peer.init(payloads));
    BOOST_TEST_REQUIRE(answers.size() == 1U);
    BOOST_TEST(has_notify(wire::parse_message(answers[0].payload)->payloads, NotifyType::FragmentationSupported) == offers);
    BOOST_TEST_REQUIRE(peer.accept_init(answers[0].payload));
  }
  std::vector<model::Datagram> auth(std::size_t total) { return peer.fragments(ExchangeType::IkeAuth, peer.auth_payloads(), total, 1); }
  wire::Header header() const {
    wire::Header out;
    out.initiator_spi = peer.spi_i();
    out.responder_spi = peer.spi_r();
    out.exchange = ExchangeType::IkeAuth;
    out.from_initiator = true;
    out.message_id = 1;
    return out;
  }
  bool established() const { return responder.ike_sas().size() == 1; }

  World world;
  Node& responder;
  ScriptedPeer peer;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fragmentation)

const std::vector<std::string> kIkeChoices = {"aes128-gcm-128/hmac-sha256/curve25519", "aes256-gcm-64/hmac-sha512/ecp384",
                                              "aes128-cbc/hmac-sha1/modp2048", "aes256-cbc/hmac-sha512/ecp256"};

// IKE_SA_INIT { SA, KE, Ni, N(IKEV2_FRAGMENTATION_SUPPORTED) } -->  <-- { SA, KE, Nr, N(IKEV2_FRAGMENTATION_SUPPORTED) }
// IKE_AUTH SKF(1/n) ... SKF(n/n) -->                                <-- SKF(1/m) ... SKF(m/m)
BOOST_DATA_TEST_CASE(every_exchange_goes_in_fragments_when_datagrams_are_small, boost::unit_test::data::make(kIkeChoices), ike) {
  Pair pair(proposes(ike, "aes128-gcm-128/curve25519"), proposes(ike, "aes128-gcm-128/curve25519"), datagrams_of(200));
  Recorder seen(pair.world);
  pair.connect();
  BOOST_TEST(seen.count("IKE_AUTH request 1, fragment 2") == 1U);
  BOOST_TEST(seen.count("IKE_AUTH response 1, fragment 2") == 1U);
  BOOST_TEST(seen.count("IKE_AUTH request 1") == 0U);
  seen.largest = 0;
  for (Node* node : {&pair.left, &pair.right}) {
    const std::string vpn = node == &pair.left ? "right" : "left";
    BOOST_TEST(node->rekey(vpn, "net").has_value());
    pair.traffic_for(seconds(10));
    BOOST_TEST(node->rekey(vpn).has_value());  // the IKE SA that comes of it fragments as well
    pair.traffic_for(seconds(10));
  }
  BOOST_TEST(seen.count("CREATE_CHILD_SA request 0, fragment 2") >= 1U);
  BOOST_TEST(seen.largest <= 200U - 32U);
  BOOST_TEST(pair.left.count(Notice::Kind::IkeRekeyed) == 2U);
  BOOST_TEST(pair.left.count(Notice::Kind::ChildRekeyed) == 2U);
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(what_fits_is_not_fragmented) {
  Pair pair;
  Recorder seen(pair.world);
  pair.connect();
  BOOST_TEST(pair.left.rekey("right").has_value());
  pair.world.run_for(seconds(5));
  BOOST_TEST(seen.fragments() == 0U);
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(many_traffic_selectors_make_a_message_of_two_fragments_at_the_default_size) {
  const auto many = [](bool mirrored) {
    return [=](model::Vpn& vpn) {
      std::vector<model::SelectorConfig> nets;
      for (int i = 0; i < 100; ++i) nets.push_back({prefix("10.1." + std::to_string(i) + ".0/24"), 0, 0, 65535});
      (mirrored ? vpn.policies[0].remote_ts : vpn.policies[0].local_ts) = nets;
    };
  };
  Pair pair(many(false), many(true));
  Recorder seen(pair.world);
  pair.connect();
  BOOST_TEST(seen.count("IKE_AUTH request 1, fragment 2") == 1U);
  BOOST_TEST(seen.count("IKE_AUTH request 1, fragment 3") == 0U);
  BOOST_TEST(seen.largest == 1248U);
  BOOST_TEST((pair.world.probe(pair.left, {address("10.1.99.1"), address("10.2.0.1")}) == Probe::Delivered));
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_offer_it_gets_whole_messages) {
  for (const bool left_offers : {true, false}) {
    Pair pair(Pair::parts(left_vpn(), {}, datagrams_of(left_offers ? 200 : 0)),
              Pair::parts(right_vpn(), {}, datagrams_of(left_offers ? 0 : 200)));
    Recorder seen(pair.world);
    pair.connect();
    BOOST_TEST(seen.fragments() == 0U);
    BOOST_TEST(seen.count("IKE_AUTH request 1") == 1U);
    pair.check_one_pair();
  }
}

// Each fragment of each message is lost once, each fragment alone: the request's retransmission brings all of them.
BOOST_AUTO_TEST_CASE(any_fragment_may_be_lost) {
  for (std::size_t victim = 0;; ++victim) {
    Pair pair({}, {}, datagrams_of(160));
    Recorder seen(pair.world);
    std::size_t at = 0;
    seen.lost = [&](const wire::Header&, std::uint16_t fragment) { return fragment != 0 && at++ == victim; };
    BOOST_TEST(pair.left.initiate("right").has_value());
    pair.world.run_for(seconds(10));
    BOOST_TEST(pair.right.rekey("left", "net").has_value());
    pair.traffic_for(seconds(10), milliseconds(50));
    BOOST_TEST(pair.left.rekey("right").has_value());
    pair.traffic_for(seconds(20), milliseconds(50));
    pair.check_one_pair();
    BOOST_TEST(pair.left.count(Notice::Kind::IkeUp) == 1U);
    if (at <= victim) {
      BOOST_TEST(victim > 8U);
      break;
    }
  }
}

// RFC 7383 2.6.1: the fragments of a request that was answered already bring the answer once, not once each
BOOST_AUTO_TEST_CASE(a_request_that_comes_again_in_fragments_is_answered_again_once) {
  Attack attack(160);
  attack.init();
  const auto request = attack.auth(4);
  std::size_t answers = 0;
  for (const auto& fragment : request) answers += attack.responder.inject(fragment).size();
  BOOST_TEST(attack.established());
  BOOST_TEST(answers > 1U);
  std::size_t again = 0;
  for (const auto& fragment : request) {
    const auto sent = attack.responder.inject(fragment);
    BOOST_TEST((fragment_number(fragment.payload) == 1) == !sent.empty());
    again += sent.size();
  }
  BOOST_TEST(again == answers);
  BOOST_TEST(attack.responder.child_sas().size() == 1U);
}

BOOST_AUTO_TEST_CASE(fragments_in_any_order_doubled_and_between_others_make_the_message) {
  Attack attack;
  attack.init();
  auto request = attack.auth(5);
  std::reverse(request.begin(), request.end());
  for (std::size_t i = 0; i + 1 < request.size(); ++i) {
    for (int twice = 0; twice < 2; ++twice) BOOST_TEST(attack.responder.inject(request[i]).empty());
  }
  BOOST_TEST(!attack.established());
  BOOST_TEST(attack.responder.inject(request.back()).size() == 1U);
  BOOST_TEST(attack.established());
}

// RFC 7383 2.5.2: the sender has found a smaller path and cuts the message anew
BOOST_AUTO_TEST_CASE(a_message_cut_into_more_fragments_replaces_the_pieces_that_are_there) {
  Attack attack;
  attack.init();
  const auto coarse = attack.auth(2), fine = attack.auth(6);
  BOOST_TEST(attack.responder.inject(coarse[0]).empty());
  for (std::size_t i = 0; i < 5; ++i) BOOST_TEST(attack.responder.inject(fine[i]).empty());
  BOOST_TEST(attack.responder.inject(coarse[1]).empty());  // late
  BOOST_TEST(!attack.established());
  BOOST_TEST(attack.responder.inject(fine[5]).size() == 1U);
  BOOST_TEST(attack.established());
}

BOOST_AUTO_TEST_CASE(the_whole_message_after_some_of_its_fragments_is_taken) {
  Attack attack;
  attack.init();
  BOOST_TEST(attack.responder.inject(attack.auth(2)[0]).empty());
  BOOST_TEST(attack.responder.inject(attack.peer.request(ExchangeType::IkeAuth, attack.peer.auth_payloads(), 1)).size() == 1U);
  BOOST_TEST(attack.established());
}

BOOST_AUTO_TEST_CASE(fragments_nobody_agreed_on_are_dropped) {
  Attack attack;
  attack.init(false);
  for (const auto& fragment : attack.auth(2)) BOOST_TEST(attack.responder.inject(fragment).empty());
  BOOST_TEST(!attack.established());
}

// CVE-2026-12413, CVE-2013-6076
BOOST_AUTO_TEST_CASE(cve_2026_12413_and_cve_2013_6076_numbers_that_make_no_sense_are_dropped_and_harm_nothing) {
  Attack attack;
  attack.init();
  const Bytes content(40, 0);
  const std::pair<std::uint16_t, std::uint16_t> kNumbers[] = {{0, 0}, {0, 2}, {1, 0}, {3, 2}, {65535, 1}, {1, 65535}, {65535, 65535}};
  for (const auto& [number, total] : kNumbers)
    BOOST_TEST(
        attack.responder.inject(attack.peer.fragment_raw(attack.header(), PayloadType::IdInitiator, number, total, content)).empty());
  BOOST_TEST(!attack.established());
  for (const auto& fragment : attack.auth(3)) (void)attack.responder.inject(fragment);
  BOOST_TEST(attack.established());
}

BOOST_AUTO_TEST_CASE(cve_2026_12413_more_payloads_than_a_message_may_have_are_refused_when_they_come_in_fragments) {
  Attack attack;
  attack.init();
  for (const auto& fragment : attack.auth(3)) (void)attack.responder.inject(fragment);
  BOOST_TEST_REQUIRE(attack.established());
  const ScriptedPeer::Payloads many(wire::kMaxPayloads + 1, wire::VendorIdPayload{{1}});
  std::vector<model::Datagram> answers;
  for (const auto& fragment : attack.peer.fragments(ExchangeType::Informational, many, 2, 2)) answers = attack.responder.inject(fragment);
  BOOST_TEST_REQUIRE(answers.size() == 1U);
  BOOST_TEST(has_notify(attack.peer.open(answers[0].payload).value(), NotifyType::InvalidSyntax));
}

// Only what is authenticated is kept: a stranger can neither fill the memory nor keep the right piece out.
BOOST_AUTO_TEST_CASE(a_forged_fragment_takes_no_place) {
  Attack attack;
  attack.init();
  const auto request = attack.auth(2);
  for (const auto& fragment : request) {
    for (std::size_t octet = wire::kHeaderSize; octet < fragment.payload.size(); octet += 3) {
      model::Datagram forged = fragment;
      forged.payload[octet] ^= 0x40;
      BOOST_TEST(attack.responder.inject(forged).empty());
    }
  }
  BOOST_TEST(!attack.established());
  std::size_t answers = 0;
  for (const auto& fragment : request) answers += attack.responder.inject(fragment).size();
  BOOST_TEST(answers == 1U);
  BOOST_TEST(attack.established());
}

BOOST_AUTO_TEST_CASE(fragments_of_a_message_that_never_gets_whole_are_forgotten_with_the_half_open_ike_sa) {
  Attack attack;
  attack.init();
  for (std::uint16_t number = 1; number < sa::kMaxFragments; ++number)
    (void)attack.responder.inject(
        attack.peer.fragment_raw(attack.header(), PayloadType::IdInitiator, number, sa::kMaxFragments, Bytes(1000)));
  attack.world.run_for(seconds(40));
  BOOST_TEST(attack.responder.core().ike_sas() == 0U);
  BOOST_TEST(!attack.responder.core().next_deadline().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
