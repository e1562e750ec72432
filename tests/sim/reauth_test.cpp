// SPDX-License-Identifier: Apache-2.0
// Reauthentication (RFC 7296 2.8.3, RFC 4478), and lifetimes in octets and packets.
#include <boost/test/unit_test.hpp>

#include "sim/pair.h"

using namespace svti;
using namespace svti::sim;
using model::StartAction;
using sa::Notice;

namespace {

const Change kReauth = [](model::Vpn& vpn) { vpn.ike.reauth_time = seconds(1000); };

model::GlobalOptions make_before_break() {
  model::GlobalOptions out;
  out.make_before_break = true;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(reauthentication)

BOOST_AUTO_TEST_CASE(break_before_make_deletes_first_and_lets_nothing_out_in_clear) {
  Pair pair(kReauth, [](model::Vpn& vpn) { vpn.remote_address.reset(); });
  pair.connect();
  const auto first = pair.left.ike_sas().at(0).initiator_spi;
  BOOST_TEST(pair.left.ike_sas().at(0).reauth.has_value());
  std::size_t clear = 0, held = 0;
  for (int i = 0; i < 110000; ++i) {
    pair.world.send_packet(pair.left, kToRight, [&](Probe outcome) {
      clear += outcome == Probe::Clear;
      held += outcome == Probe::Held;
    });
    pair.world.run_for(milliseconds(10));
    if (pair.left.count(Notice::Kind::IkeUp) == 2 && !pair.left.child_sas().empty()) break;
  }
  pair.world.run_for(seconds(20));
  BOOST_TEST(clear == 0U);
  BOOST_TEST(held > 0U);
  BOOST_TEST(pair.left.ike_sas().at(0).initiator_spi != first);
  BOOST_TEST(pair.left.count(Notice::Kind::IkeUp) == 2U);
  BOOST_TEST(pair.right.count(Notice::Kind::IkeUp) == 2U);
  pair.check_one_pair();
  // the traps were for that time alone: with start-action none there is none afterwards
  BOOST_TEST(pair.left.core().trapped_policies("right").empty());
  BOOST_TEST(pair.left.terminate("right").has_value());
  pair.world.run_for(seconds(10));
  BOOST_TEST(pair.left.kernel().spd().empty());
}

// A VPN without remote-address that a command has given one: what takes the place of its IKE SA goes to the same peer.
BOOST_AUTO_TEST_CASE(addresses_given_by_command_are_kept) {
  for (const bool lost : {false, true}) {
    Pair pair(
        [&](model::Vpn& vpn) {
          if (!lost) kReauth(vpn);
          vpn.remote_address.reset();
          vpn.ike.dpd_delay = seconds(30);
          vpn.ipsec.dpd_action = model::DpdAction::Restart;
        },
        [](model::Vpn& vpn) { vpn.remote_address.reset(); });
    pair.left.act([](sa::Core& core, TimePoint now, sa::Effects& out) {
      sa::Core::Between between;
      between.remote = address(kRight);
      BOOST_TEST(core.initiate("right", {}, between, now, out).has_value());
    });
    pair.world.run_for(seconds(2));
    BOOST_TEST_REQUIRE(pair.left.child_sas().size() == 1U);
    const auto first = pair.left.ike_sas().at(0).initiator_spi;
    if (lost) {
      pair.right.crash();
      pair.right.restart();
    }
    pair.world.run_for(seconds(lost ? 60 : 1020));
    pair.check_one_pair();
    BOOST_TEST(pair.left.ike_sas().at(0).initiator_spi != first);
  }
}

BOOST_AUTO_TEST_CASE(make_before_break_loses_no_packet) {
  Pair pair(
      kReauth, [](model::Vpn& vpn) { vpn.remote_address.reset(); }, make_before_break());
  pair.connect();
  pair.world.run_for(seconds(800));
  pair.traffic_for(seconds(300), milliseconds(20));
  BOOST_TEST(pair.left.count(Notice::Kind::IkeUp) == 2U);
  pair.check_one_pair();
  // again and again, whatever is lost of IKE
  pair.world.lose = [&](const Node&, const wire::Header&, const model::Datagram&) { return pair.world.chance().chance(0.2); };
  for (int i = 0; i < 5; ++i) pair.traffic_for(seconds(1000), milliseconds(500));
  pair.world.lose = {};
  pair.world.run_for(seconds(60));
  BOOST_TEST(pair.left.count(Notice::Kind::IkeUp) >= 6U);
  pair.check_one_pair();
}

// The responder has the new CHILD SA before the initiator has: it goes on with the old one until the initiator speaks on the new IKE SA.
BOOST_AUTO_TEST_CASE(make_before_break_loses_no_packet_when_its_ike_auth_response_is_lost) {
  for (const std::size_t times : {1U, 2U, 3U}) {
    Pair pair(
        kReauth, [](model::Vpn& vpn) { vpn.remote_address.reset(); }, make_before_break());
    pair.connect();
    std::size_t lost = 0;
    pair.world.lose = [&](const Node& from, const wire::Header& header, const model::Datagram&) {
      return &from == &pair.right && header.exchange == wire::ExchangeType::IkeAuth && header.response && lost < times && ++lost > 0;
    };
    pair.world.run_for(seconds(850));
    pair.traffic_for(seconds(200), milliseconds(20));
    BOOST_TEST(lost == times);
    BOOST_TEST(pair.left.count(Notice::Kind::IkeUp) == 2U);
    pair.check_one_pair();
  }
}

BOOST_AUTO_TEST_CASE(a_rekey_does_not_prolong_an_authentication) {
  Pair pair(
      [](model::Vpn& vpn) {
        vpn.ike.reauth_time = seconds(1000);
        vpn.ike.rekey_time = seconds(300);
      },
      [](model::Vpn& vpn) { vpn.remote_address.reset(); }, make_before_break());
  pair.connect();
  pair.world.run_for(seconds(1110));
  BOOST_TEST(pair.left.count(Notice::Kind::IkeRekeyed) >= 3U);
  BOOST_TEST(pair.left.count(Notice::Kind::IkeUp) == 2U);
  pair.check_one_pair();
}

// RFC 4478: the responder says how long, the initiator begins anew before
BOOST_AUTO_TEST_CASE(auth_lifetime_of_the_responder_is_kept) {
  Pair pair(
      {},
      [](model::Vpn& vpn) {
        kReauth(vpn);
        vpn.remote_address.reset();
      },
      make_before_break());
  pair.connect();
  BOOST_TEST(!pair.right.ike_sas().at(0).reauth.has_value());
  BOOST_TEST_REQUIRE(pair.left.ike_sas().at(0).reauth.has_value());
  BOOST_TEST(pair.left.ike_sas().at(0).reauth->count() <= 1000);
  pair.world.run_for(seconds(1001));
  BOOST_TEST(pair.left.count(Notice::Kind::IkeUp) == 2U);
  pair.check_one_pair();
}

// ... and where it does not, the responder ends it
BOOST_AUTO_TEST_CASE(an_initiator_that_does_not_reauthenticate_is_closed) {
  Pair pair({}, [](model::Vpn& vpn) {
    kReauth(vpn);
    vpn.remote_address.reset();
  });
  pair.connect();
  pair.world.part(pair.left, pair.right);
  pair.world.run_for(seconds(1110));
  BOOST_TEST(pair.right.child_sas().empty());
  BOOST_TEST(pair.right.kernel().spd().empty());
}

BOOST_AUTO_TEST_CASE(by_command) {
  for (const bool make_first : {false, true}) {
    Pair pair({}, {}, make_first ? make_before_break() : model::GlobalOptions{});
    pair.connect();
    pair.left.act([](sa::Core& core, TimePoint now, sa::Effects& out) {
      sa::Core::Selection which;
      which.vpn = "right";
      which.reauthenticate = true;
      BOOST_TEST(core.rekey(which, now, out).has_value());
    });
    pair.world.run_for(seconds(20));
    BOOST_TEST(pair.left.count(Notice::Kind::IkeUp) == 2U);
    pair.check_one_pair();
  }
}

BOOST_AUTO_TEST_CASE(octets_and_packets_have_limits_of_their_own_in_the_kernel_with_jitter) {
  Pair pair([](model::Vpn& vpn) {
    vpn.ipsec.rekey_bytes = 1000000;
    vpn.ipsec.rekey_packets = 5000;
    vpn.ipsec.rekey_time = seconds(0);
    vpn.ipsec.start_action = StartAction::Start;
  });
  pair.world.run_for(seconds(2));
  std::set<std::uint64_t> soft;
  for (const auto& [id, sa] : pair.left.kernel().sad()) {
    BOOST_TEST(sa.sa.soft_bytes >= 900000U);
    BOOST_TEST(sa.sa.soft_bytes <= 1000000U);
    BOOST_TEST(sa.sa.hard_bytes == 1100000U);
    BOOST_TEST(sa.sa.soft_packets >= 4500U);
    BOOST_TEST(sa.sa.soft_packets <= 5000U);
    BOOST_TEST(sa.sa.hard_packets == 5500U);
    soft.insert(sa.sa.soft_bytes);
  }
  BOOST_TEST(soft.size() == 2U);
  const auto expire = [&](bool hard) {
    const auto child = pair.left.child_sas().at(0);
    pair.left.act([&](sa::Core& core, TimePoint now, sa::Effects& out) {
      core.expire({address(kRight), child.spi_out, wire::ProtocolId::Esp}, hard, now, out);
      core.expire({address(kRight), child.spi_out, wire::ProtocolId::Esp}, hard, now, out);  // both of a pair say so, and again
    });
  };
  expire(false);
  pair.traffic_for(seconds(8));
  BOOST_TEST(pair.left.count(Notice::Kind::ChildRekeyed) == 1U);
  pair.check_one_pair();
  // nobody rekeyed it: it goes, and with start-action start there is another
  expire(true);
  pair.world.run_for(seconds(10));
  BOOST_TEST(pair.left.count(Notice::Kind::ChildUp) == 2U);
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(a_second_attempt_before_the_first_has_failed_leaves_one_ike_sa) {
  Pair pair([](model::Vpn& vpn) { vpn.ike.reauth_time = seconds(4000), vpn.ike.keying_tries = 3; },
            [](model::Vpn& vpn) { vpn.remote_address.reset(); }, make_before_break());
  pair.connect();
  // IKE_SA_INIT finds no answer for as long as an attempt takes; then another is due
  bool deaf = true;
  pair.world.lose = [&](const Node&, const wire::Header& header, const model::Datagram&) {
    return deaf && header.exchange == wire::ExchangeType::IkeSaInit;
  };
  BOOST_TEST_REQUIRE(pair.world.run_until([&] { return pair.left.core().ike_sas() == 2; }, seconds(4000)));
  pair.world.run_for(seconds(150));
  deaf = false;
  pair.world.run_for(seconds(400));
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(an_ike_sa_whose_successor_has_taken_over_is_not_reauthenticated) {
  Pair pair([](model::Vpn& vpn) { kReauth(vpn), vpn.ike.dpd_delay = seconds(20); },
            [](model::Vpn& vpn) { vpn.remote_address.reset(), vpn.ike.dpd_delay = seconds(20); }, make_before_break());
  pair.connect();
  const auto old = pair.left.ike_sas().at(0).initiator_spi;
  const auto reauth = *pair.left.ike_sas().at(0).reauth;
  pair.world.run_for(reauth - seconds(60));
  // the Delete of the old one gets lost, again and again, until after the time to reauthenticate
  pair.world.lose = [&](const Node& from, const wire::Header& header, const model::Datagram&) {
    return header.initiator_spi == old && header.exchange == wire::ExchangeType::Informational && &from == &pair.right;
  };
  BOOST_TEST_REQUIRE(pair.right.rekey("left").has_value());
  pair.world.run_for(seconds(100));
  pair.world.lose = {};
  pair.world.run_for(seconds(300));
  BOOST_TEST(pair.left.count(Notice::Kind::IkeUp) == 2U);
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(an_ike_sa_rekeyed_while_it_is_reauthenticated_leaves_one) {
  Pair pair(
      kReauth, [](model::Vpn& vpn) { vpn.remote_address.reset(); }, make_before_break());
  pair.connect();
  bool deaf = true;
  pair.world.lose = [&](const Node&, const wire::Header& header, const model::Datagram&) {
    return deaf && header.exchange == wire::ExchangeType::IkeSaInit;
  };
  BOOST_TEST_REQUIRE(pair.world.run_until([&] { return pair.left.core().ike_sas() == 2; }, seconds(1100)));
  BOOST_TEST_REQUIRE(pair.right.rekey("left").has_value());
  pair.world.run_for(seconds(20));
  deaf = false;
  pair.world.run_for(seconds(60));
  pair.check_one_pair();
}

BOOST_AUTO_TEST_SUITE_END()
