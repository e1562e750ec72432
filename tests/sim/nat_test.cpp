// SPDX-License-Identifier: Apache-2.0
// A NAT that moves: the IKE SA and its CHILD SAs follow the peer to its new address and port (RFC 7296 2.23, RFC 3948), forced UDP
// encapsulation.
#include <boost/test/unit_test.hpp>

#include "sim/pair.h"
#include "sim/world/scripted_peer.h"

using namespace svti;
using namespace svti::sim;
using sa::Notice;

namespace {

const Change kAnyPeer = [](model::Vpn& vpn) { vpn.remote_address.reset(); };

struct BehindNat : Pair {
  explicit BehindNat(const Change& change_left = {}) : Pair(change_left, kAnyPeer) {
    world.put_behind_nat(left, address("203.0.113.9"));
    BOOST_TEST_REQUIRE(left.initiate("right").has_value());
    world.run_for(seconds(5));
    BOOST_TEST_REQUIRE(carries());
  }
  Endpoint seen() { return right.ike_sas().at(0).remote; }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(nat)

BOOST_AUTO_TEST_CASE(esp_from_a_new_port_moves_the_ike_sa_and_the_child_sas_without_losing_a_packet_that_the_nat_lets_pass) {
  BehindNat pair;
  const Endpoint before = pair.seen();
  pair.world.put_behind_nat(pair.left, address("203.0.113.9"));
  // nothing of the peer's finds in before the first packet out has made a mapping
  BOOST_TEST((pair.world.probe(pair.right, kToLeft) == Probe::Lost));
  BOOST_TEST((pair.world.probe(pair.left, kToRight) == Probe::Delivered));
  BOOST_TEST((pair.seen() != before));
  BOOST_TEST((pair.seen().address == before.address));
  pair.traffic_for(seconds(1));
  pair.check_one_pair();
  // rekeyed where the peer is now
  BOOST_TEST_REQUIRE(pair.right.rekey("left", "net").has_value());
  pair.world.run_for(seconds(10));
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(another_address_of_the_nat_is_followed_as_well) {
  BehindNat pair;
  const auto reqid = pair.right.child_sas()[0].reqid;
  pair.world.put_behind_nat(pair.left, address("203.0.113.77"));
  BOOST_TEST((pair.world.probe(pair.left, kToRight) == Probe::Delivered));
  BOOST_TEST((pair.seen().address == address("203.0.113.77")));
  pair.traffic_for(seconds(1));
  BOOST_TEST(pair.right.child_sas()[0].reqid == reqid);
  // a rekey keeps the reqid, so that the old SA still serves
  BOOST_TEST_REQUIRE(pair.left.rekey("right", "net").has_value());
  pair.traffic_for(seconds(8));
  BOOST_TEST(pair.right.child_sas().at(0).reqid == reqid);
  BOOST_TEST_REQUIRE(pair.left.rekey("right").has_value());
  pair.traffic_for(seconds(8));
  pair.check_one_pair();
  pair.world.run_for(seconds(1));
  pair.left.close();
  pair.right.close();
  pair.world.run_for(seconds(30));
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(an_ike_message_from_a_new_address_moves_both_in_either_role) {
  BehindNat pair([](model::Vpn& vpn) { vpn.ike.dpd_delay = seconds(30); });
  pair.world.put_behind_nat(pair.left, address("203.0.113.78"));
  pair.world.run_for(seconds(40));  // its sign of life
  BOOST_TEST((pair.seen().address == address("203.0.113.78")));
  BOOST_TEST(pair.carries());
  // a request of the other end that is under way when the NAT moves: retransmitted to where the peer is now
  pair.world.put_behind_nat(pair.left, address("203.0.113.79"));
  BOOST_TEST_REQUIRE(pair.right.rekey("left", "net").has_value());
  pair.world.run_for(seconds(1));
  BOOST_TEST((pair.world.probe(pair.left, kToRight) == Probe::Delivered));
  pair.world.run_for(seconds(20));
  BOOST_TEST(pair.right.count(Notice::Kind::ChildRekeyed) == 1U);
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(a_peer_that_is_not_behind_a_nat_is_not_followed) {
  Pair pair;
  pair.connect();
  const auto state = pair.right.ike_sas().at(0);
  pair.right.act([&](sa::Core& core, TimePoint now, sa::Effects& out) {
    const auto child = pair.right.child_sas().at(0);
    core.mapping_moved({address(kRight), child.spi_in, wire::ProtocolId::Esp}, {address("198.51.100.66"), 4500}, now, out);
  });
  BOOST_TEST((pair.right.ike_sas().at(0).remote == state.remote));
  pair.check_one_pair();
}

// RFC 7296 2.23: only what is protected and new moves anything
BOOST_AUTO_TEST_CASE(a_replayed_or_damaged_message_from_elsewhere_moves_nothing) {
  BehindNat pair;
  const Endpoint before = pair.seen();
  model::Datagram last;
  pair.world.lose = [&](const Node& from, const wire::Header&, const model::Datagram& datagram) {
    if (&from == &pair.left) last = datagram;
    return false;
  };
  BOOST_TEST_REQUIRE(pair.left.rekey("right", "net").has_value());
  pair.world.run_for(seconds(10));
  BOOST_TEST_REQUIRE(!last.payload.empty());
  const model::Datagram replayed{{address(kRight), 4500}, {address("198.51.100.66"), 4500}, last.payload};
  pair.right.inject(replayed);
  model::Datagram damaged = replayed;
  damaged.payload[23] += 1;  // the message id that is due
  pair.right.inject(damaged);
  BOOST_TEST((pair.seen() == before));
  BOOST_TEST(pair.carries());
}

BOOST_AUTO_TEST_CASE(udp_encap_makes_both_ends_encapsulate_though_there_is_no_nat) {
  for (const bool ours : {true, false}) {
    const Change forced = [](model::Vpn& vpn) { vpn.ike.udp_encap = true; };
    Pair pair(ours ? forced : Change{}, ours ? Change{} : forced);
    pair.connect();
    for (Node* node : {&pair.left, &pair.right}) {
      BOOST_TEST(node->ike_sas().at(0).udp_encap);
      BOOST_TEST(node->ike_sas().at(0).local.port == 4500);
      for (const auto& [id, sa] : node->kernel().sad()) {
        BOOST_TEST_REQUIRE(sa.sa.encapsulation.has_value());
        BOOST_TEST(sa.sa.encapsulation->source_port == 4500);
        BOOST_TEST(sa.sa.encapsulation->destination_port == 4500);
      }
    }
    pair.check_one_pair();
    pair.world.run_for(seconds(65));
    BOOST_TEST((ours ? pair.left : pair.right).keepalives() >= 2U);
  }
}

BOOST_AUTO_TEST_SUITE_END()
