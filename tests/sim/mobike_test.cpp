// SPDX-License-Identifier: Apache-2.0
// MOBIKE (RFC 4555): addresses of either end come and go, with and without a NAT, and the SAs go on.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "sim/pair.h"
#include "sim/world/scripted_peer.h"

using namespace svti;
using namespace svti::sim;
using sa::Notice;
using wire::ExchangeType;
using wire::NotifyType;

namespace {

const Change kMobile = [](model::Vpn& vpn) {
  vpn.ike.mobike = true;
  vpn.local_address.reset();
  vpn.ike.dpd_delay = seconds(60);
  vpn.local_id = identity(vpn.name == "right" ? "left.example" : "right.example");
  vpn.remote_id = identity(vpn.name == "right" ? "right.example" : "left.example");
  if (vpn.name == "left") vpn.remote_address.reset();
};

const char* const kOther = "198.51.100.7";

struct Mobile : Pair {
  explicit Mobile(model::GlobalOptions global = {}) : Pair(kMobile, kMobile, global) {}
  void up() {
    connect();
    BOOST_TEST(left.ike_sas().at(0).mobike);
    BOOST_TEST(right.ike_sas().at(0).mobike);
    BOOST_TEST_REQUIRE(carries());
  }
  // the same IKE SA and CHILD SA as before, between these addresses
  void check_moved(const char* at_left, const char* at_right) {
    BOOST_TEST(left.ike_sas().at(0).local.address.to_string() == at_left);
    BOOST_TEST(right.ike_sas().at(0).remote.address.to_string() == at_left);
    BOOST_TEST(right.ike_sas().at(0).local.address.to_string() == at_right);
    BOOST_TEST(left.ike_sas().at(0).remote.address.to_string() == at_right);
    check_one_pair();
    for (Node* node : {&left, &right}) {
      BOOST_TEST(node->count(Notice::Kind::IkeDown) == 0U);
      BOOST_TEST(node->count(Notice::Kind::ChildDown) == 0U);
    }
  }
  void end() {
    left.close();
    right.close();
    world.run_for(seconds(60));
    check_nothing_left();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mobike)

BOOST_AUTO_TEST_CASE(a_change_of_paths_is_looked_at_once_for_all_ike_sas) {
  World world(1);
  const auto many = [](model::Vpn vpn) {
    ConfigurationParts parts;
    for (const char* name : {"one", "two", "three"}) {
      kMobile(vpn);
      vpn.name = name;
      vpn.ike.unique_sa = model::UniqueSa::Never;
      vpn.local_id = identity(std::string(name) + ".left.example");
      vpn.remote_id = identity(std::string(name) + ".right.example");
      parts.vpns.push_back(vpn);
    }
    return parts;
  };
  ConfigurationParts of_right = many(right_vpn());
  for (model::Vpn& vpn : of_right.vpns) {
    std::swap(vpn.local_id, vpn.remote_id);
    vpn.remote_address.reset();
  }
  Node& left = world.add("left", address(kLeft), configuration(many(left_vpn())));
  Node& right = world.add("right", address(kRight), configuration(std::move(of_right)));
  for (const char* name : {"one", "two", "three"}) BOOST_TEST(left.initiate(name).has_value());
  world.run_for(seconds(2));
  BOOST_TEST_REQUIRE(left.ike_sas().size() == 3U);
  BOOST_TEST_REQUIRE(right.ike_sas().size() == 3U);
  const std::size_t before = left.looks();
  left.act([](sa::Core& core, TimePoint now, sa::Effects& out) { core.paths_changed(now, out); });
  BOOST_TEST(left.looks() == before + 1);
}

BOOST_AUTO_TEST_CASE(the_initiators_address_changes_and_everything_goes_on) {
  Mobile pair;
  pair.up();
  const auto reqid = pair.right.child_sas().at(0).reqid;
  const auto spi = pair.left.child_sas().at(0).spi_in;
  pair.left.set_addresses({address(kOther)});
  pair.world.run_for(seconds(1));
  pair.check_moved(kOther, "192.0.2.2");
  BOOST_TEST(pair.left.child_sas().at(0).spi_in == spi);
  pair.traffic_for(seconds(1));
  // back again, and rekeyed: the reqid is the one there was
  pair.left.set_addresses({address(kLeft)});
  pair.world.run_for(seconds(1));
  pair.check_moved("192.0.2.1", "192.0.2.2");
  for (Node* node : {&pair.left, &pair.right}) {
    BOOST_TEST_REQUIRE(node->rekey(node == &pair.left ? "right" : "left", "net").has_value());
    pair.traffic_for(seconds(8));
  }
  BOOST_TEST(pair.right.child_sas().at(0).reqid == reqid);
  pair.end();
}

BOOST_AUTO_TEST_CASE(it_still_decides_after_the_peer_has_rekeyed_the_ike_sa) {
  Mobile pair;
  pair.up();
  BOOST_TEST_REQUIRE(pair.right.rekey("left").has_value());
  pair.world.run_for(seconds(5));
  BOOST_TEST(!pair.left.ike_sas().at(0).initiator);
  pair.left.set_addresses({address(kOther)});
  pair.world.run_for(seconds(2));
  pair.check_moved(kOther, "192.0.2.2");
  pair.end();
}

BOOST_AUTO_TEST_CASE(the_responders_address_changes_it_tells_and_the_initiator_moves) {
  Mobile pair;
  pair.up();
  pair.right.set_addresses({address("192.0.2.2"), address(kOther)});
  pair.world.run_for(seconds(1));
  pair.check_moved("192.0.2.1", "192.0.2.2");  // another one is no reason to move
  pair.right.set_addresses({address(kOther)});
  pair.world.run_for(seconds(2));
  pair.check_moved("192.0.2.1", kOther);
  pair.traffic_for(seconds(1));
  pair.end();
}

BOOST_AUTO_TEST_CASE(into_a_nat_and_out_of_it_again) {
  Mobile pair;
  pair.up();
  BOOST_TEST(!pair.left.child_sas().at(0).udp_encap);
  pair.world.put_behind_nat("10.66.0.5", address("203.0.113.9"));
  pair.left.set_addresses({address("10.66.0.5")});
  pair.world.run_for(seconds(1));
  BOOST_TEST(pair.right.ike_sas().at(0).remote.address.to_string() == "203.0.113.9");
  for (Node* node : {&pair.left, &pair.right}) {
    BOOST_TEST(node->child_sas().at(0).udp_encap);
    for (const auto& [id, sa] : node->kernel().sad()) BOOST_TEST(sa.sa.encapsulation.has_value());
  }
  pair.traffic_for(seconds(1));
  // the NAT forgets: the sign of life shows it, and the SAs follow
  pair.world.put_behind_nat("10.66.0.5", address("203.0.113.9"));
  pair.world.run_for(seconds(150));
  BOOST_TEST(pair.carries());
  pair.left.set_addresses({address(kLeft)});
  pair.world.run_for(seconds(1));
  pair.check_moved("192.0.2.1", "192.0.2.2");
  for (Node* node : {&pair.left, &pair.right}) {
    BOOST_TEST(!node->child_sas().at(0).udp_encap);
    for (const auto& [id, sa] : node->kernel().sad()) BOOST_TEST(!sa.sa.encapsulation.has_value());
  }
  pair.end();
}

BOOST_AUTO_TEST_CASE(whatever_is_lost_and_under_way_it_comes_to_the_new_addresses) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Pair pair(Pair::parts(left_vpn(), kMobile, {}), Pair::parts(right_vpn(), kMobile, {}), seed);
    pair.connect();
    SeededEntropy& chance = pair.world.chance();
    pair.world.weather = {0.1, 0.2, milliseconds(5), milliseconds(400)};
    for (int i = 0; i < 6; ++i) {
      Node& node = chance.chance(0.5) ? pair.left : pair.right;
      if (chance.chance(0.3)) (void)node.rekey(&node == &pair.left ? "right" : "left", chance.chance(0.5) ? "net" : "");
      std::vector<IpAddress> addresses;
      for (const char* one : {kOther, "198.51.100.8", "198.51.100.9"}) {
        if (chance.chance(0.5)) addresses.push_back(address(one));
      }
      // of the two never both at once: nobody could tell the other
      if (&node == &pair.left) {
        if (addresses.empty()) addresses.push_back(address(kLeft));
        pair.left.set_addresses(addresses);
      } else {
        pair.right.set_addresses({address(kRight)});
      }
      pair.world.run_for(seconds(1 + chance.below(20)));
    }
    pair.world.weather = {};
    pair.world.run_for(seconds(400));  // what nobody answers any more is given up
    if (pair.left.core().ike_sas() != 1 || pair.right.core().ike_sas() != 1 || !pair.carries()) {
      BOOST_TEST_MESSAGE("seed " << seed);
      for (const std::string& line : pair.world.trace()) BOOST_TEST_MESSAGE(line);
    }
    BOOST_TEST_CONTEXT("seed " << seed) { pair.check_one_pair(); }
  }
}

// no event tells: only that nothing comes back over the path in use
BOOST_AUTO_TEST_CASE(a_path_that_fails_silently_is_left_for_one_that_works) {
  Mobile pair;
  pair.left.set_addresses({address(kLeft), address(kOther)});
  pair.up();
  pair.world.block(address(kLeft), address(kRight));
  pair.world.run_for(seconds(130));
  pair.check_moved(kOther, "192.0.2.2");
  pair.end();
}

// There are more paths than retransmissions: the one that routing prefers comes first.
BOOST_AUTO_TEST_CASE(of_many_paths_the_best_is_tried_first) {
  Mobile pair;
  pair.right.set_addresses({address(kRight), address("10.2.0.2"), address("10.2.0.3"), address("10.2.0.4"), address("10.2.0.5")});
  pair.left.set_addresses({address(kLeft), address(kOther)});
  pair.up();
  pair.left.set_addresses({address(kOther), address(kLeft)});
  pair.world.run_for(seconds(2));
  pair.check_moved("192.0.2.1", "192.0.2.2");
  pair.world.block(address(kLeft), address(kRight));
  pair.world.run_for(seconds(130));
  pair.check_moved(kOther, "192.0.2.2");
  pair.end();
}

BOOST_AUTO_TEST_CASE(a_better_path_is_taken_only_with_mobike_prefer_best_path) {
  for (const bool prefer : {false, true}) {
    model::GlobalOptions global;
    global.mobike_prefer_best_path = prefer;
    Mobile pair(global);
    pair.up();
    pair.left.set_addresses({address(kOther), address(kLeft)});  // the first is what routing prefers
    pair.world.run_for(seconds(2));
    pair.check_moved(prefer ? kOther : "192.0.2.1", "192.0.2.2");
    pair.end();
  }
}

BOOST_AUTO_TEST_CASE(without_it_at_either_end_nothing_is_offered_or_moved) {
  for (const bool left : {true, false}) {
    Pair pair(
        [=](model::Vpn& vpn) {
          kMobile(vpn);
          vpn.ike.mobike = left;
        },
        [=](model::Vpn& vpn) {
          kMobile(vpn);
          vpn.ike.mobike = !left;
        });
    pair.connect();
    BOOST_TEST(!pair.left.ike_sas().at(0).mobike);
    BOOST_TEST(!pair.right.ike_sas().at(0).mobike);
    pair.left.set_addresses({address(kOther)});
    pair.world.run_for(seconds(10));
    BOOST_TEST(pair.right.ike_sas().at(0).remote.address.to_string() == "192.0.2.1");
  }
}

// What a peer may ask for that is not ours: COOKIE2 comes back, a NAT that is not wanted is told, nothing moves without MOBIKE_SUPPORTED.
BOOST_DATA_TEST_CASE(update_sa_addresses_of_a_scripted_peer, boost::unit_test::data::make({false, true}), supported) {
  World world(5);
  model::Vpn vpn = right_vpn();
  vpn.ike.mobike = true;
  Node& node = world.add("right", address(kRight), configuration({.vpns = {vpn}}));
  SeededEntropy entropy(7);
  ScriptedPeer peer(entropy, {address(kLeft), 4500}, {address(kRight), 4500});
  BOOST_TEST_REQUIRE(peer.accept_init(node.inject(peer.init()).at(0).payload));
  auto payloads = peer.auth_payloads();
  const auto notify = [](NotifyType type, Bytes data = {}) {
    return wire::NotifyPayload{type, wire::ProtocolId::None, {}, std::move(data)};
  };
  if (supported) payloads.push_back(notify(NotifyType::MobikeSupported));
  const auto auth = peer.open(node.inject(peer.request(ExchangeType::IkeAuth, payloads)).at(0).payload);
  BOOST_TEST_REQUIRE(auth.has_value());
  BOOST_TEST(has_notify(*auth, NotifyType::MobikeSupported) == supported);

  const auto ask = [&](const std::vector<wire::Payload>& asked) {
    model::Datagram request = peer.request(ExchangeType::Informational, asked);
    request.remote = {address(kOther), 4500};
    const auto sent = node.inject(request);
    BOOST_TEST_REQUIRE(!sent.empty());
    BOOST_TEST((sent[0].remote == Endpoint{address(kOther), 4500}));  // RFC 7296 2.11
    return peer.open(sent[0].payload).value();
  };
  const Bytes cookie2(16, 0x5a);
  const auto answer =
      ask({notify(NotifyType::UpdateSaAddresses), notify(NotifyType::NoNatsAllowed, Bytes(12, 1)), notify(NotifyType::Cookie2, cookie2)});
  BOOST_TEST(has_notify(answer, NotifyType::Cookie2));
  BOOST_TEST(has_notify(answer, NotifyType::UnexpectedNatDetected) == supported);
  BOOST_TEST(node.ike_sas().at(0).remote.address.to_string() == "192.0.2.1");
  for (const auto& [id, sa] : node.kernel().sad()) BOOST_TEST((sa.sa.source.to_string() != kOther && id.destination.to_string() != kOther));
  (void)ask({notify(NotifyType::UpdateSaAddresses)});
  BOOST_TEST(node.ike_sas().at(0).remote.address.to_string() == (supported ? kOther : "192.0.2.1"));
}

BOOST_AUTO_TEST_CASE(an_answer_from_where_the_peer_never_said_to_be_moves_nothing) {
  Mobile pair;
  pair.up();
  // who is in between takes an answer, and hands it over with a source of its own
  std::optional<model::Datagram> taken;
  pair.world.lose = [&](const Node& from, const wire::Header& header, const model::Datagram& datagram) {
    if (&from != &pair.right || !header.response || taken) return false;
    taken = datagram;
    return true;
  };
  BOOST_TEST_REQUIRE(pair.left.rekey("right", "net").has_value());
  BOOST_TEST_REQUIRE(pair.world.run_until([&] { return taken.has_value(); }, seconds(1)));
  pair.left.inject({taken->remote, {address("203.0.113.66"), 4500}, taken->payload});
  pair.world.run_for(seconds(10));
  pair.check_moved("192.0.2.1", "192.0.2.2");
  pair.traffic_for(seconds(1));
  pair.end();
}

BOOST_AUTO_TEST_CASE(a_child_sa_that_moved_to_where_a_trap_stands_is_rekeyed_without_loss) {
  // The trap is set at the one address, the CHILD SA begins at the other and moves to the first: each brings a reqid of its own.
  Pair pair([](model::Vpn& vpn) { kMobile(vpn), vpn.remote_address = address(kRight), vpn.ipsec.start_action = model::StartAction::Trap; },
            kMobile);
  pair.left.set_addresses({address(kOther)});
  (void)pair.world.probe(pair.left, kToRight);
  pair.world.run_for(seconds(1));
  BOOST_TEST_REQUIRE(pair.carries());
  pair.left.set_addresses({address(kLeft)});
  pair.world.run_for(seconds(1));
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST_REQUIRE(pair.right.rekey("left", "net").has_value());
    pair.traffic_for(seconds(2));
  }
  pair.world.run_for(seconds(20));
  pair.check_one_pair();
}

BOOST_AUTO_TEST_SUITE_END()
