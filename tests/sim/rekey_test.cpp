// SPDX-License-Identifier: Apache-2.0
// Rekeying of CHILD SAs and IKE SAs, by one end and by both, with every message lost once; and what meets it: Delete, expiry, new policies.
// RFC 7296 1.3, 1.4.1, 2.8, 2.17, 2.18, 2.25.
#include <boost/test/unit_test.hpp>

#include "sim/pair.h"

using namespace svti;
using namespace svti::sim;
using sa::Notice;
using wire::ExchangeType;

namespace {

const Change kPfs = [](model::Vpn& vpn) { vpn.ipsec.esp_proposals = {esp_proposal("aes128-gcm-128/ecp256")}; };

// what both ends do at the same moment
using Moment = std::function<void(Pair&)>;
const Moment kBothRekeyChild = [](Pair& pair) {
  BOOST_TEST(pair.left.rekey("right", "net").has_value());
  BOOST_TEST(pair.right.rekey("left", "net").has_value());
};
const Moment kBothRekeyIke = [](Pair& pair) {
  BOOST_TEST(pair.left.rekey("right").has_value());
  BOOST_TEST(pair.right.rekey("left").has_value());
};
const Moment kChildAndIke = [](Pair& pair) {
  BOOST_TEST(pair.left.rekey("right", "net").has_value());
  BOOST_TEST(pair.right.rekey("left").has_value());
};

// Loses the n-th datagram after the moment, for every n until there is no n-th any more; under traffic of which nothing may be lost.
// Returns how often left's rekey survived and how often right's.
struct Survivors {
  int ours = 0, theirs = 0;
};
Survivors with_each_message_lost(const Moment& moment, std::uint64_t seeds, const Change& change = {}) {
  Survivors out;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    int sent = 0;
    for (int lost = -1; lost < sent; ++lost) {
      BOOST_TEST_CONTEXT("seed " << seed << ", datagram lost: " << lost) {
        Pair pair(change, change, {}, seed);
        pair.connect();
        sent = 0;
        pair.world.lose = [&](const Node&, const wire::Header&, const model::Datagram&) { return sent++ == lost; };
        moment(pair);
        pair.traffic_for(seconds(2), milliseconds(7));
        // the loser of a collision that its maker never heard of goes by itself after three minutes
        pair.traffic_for(seconds(200), milliseconds(500));
        pair.check_one_pair();
        out.ours += pair.left.logged("ours stays") ? 1 : 0;
        out.theirs += pair.left.logged("the peer's stays") ? 1 : 0;
        BOOST_TEST(!pair.left.logged("closed"));
        BOOST_TEST(!pair.right.logged("closed"));
        if (!pair.world.violations().empty()) return out;
      }
    }
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rekeying)

// CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, TSi, TSr } -->  <-- { SA, Nr, TSi, TSr };  INFORMATIONAL { D } -->  <-- { D }
BOOST_AUTO_TEST_CASE(a_child_sa_is_rekeyed_from_either_end_without_losing_a_packet_whatever_message_is_lost) {
  (void)with_each_message_lost([](Pair& pair) { BOOST_TEST(pair.left.rekey("right", "net").has_value()); }, 2);
  (void)with_each_message_lost([](Pair& pair) { BOOST_TEST(pair.right.rekey("left", "net").has_value()); }, 2);
}

// with KEi and KEr
BOOST_AUTO_TEST_CASE(with_pfs_a_rekeyed_child_sa_has_a_key_exchange_of_its_own) {
  (void)with_each_message_lost([](Pair& pair) { BOOST_TEST(pair.right.rekey("left", "net").has_value()); }, 2, kPfs);
  Pair pair(kPfs, kPfs);
  pair.connect();
  // the first CHILD SA takes its keys from the IKE SA's exchange, whatever the proposal says (RFC 7296 1.2)
  const auto group = [&] { return pair.left.child_sas()[0].transforms.size(); };
  const std::size_t before = group();
  BOOST_TEST(pair.left.rekey("right", "net").has_value());
  pair.world.run_for(seconds(10));
  BOOST_TEST(group() == before + 1);
}

// CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, KE(ecp256), TSi, TSr } -->  <-- { N(INVALID_KE_PAYLOAD, curve25519) }, and again with that
BOOST_AUTO_TEST_CASE(invalid_ke_payload_for_a_child_sa_is_met_with_the_group_asked_for) {
  Pair pair([](model::Vpn& vpn) { vpn.ipsec.esp_proposals = {esp_proposal("aes128-gcm-128/ecp256,curve25519")}; },
            [](model::Vpn& vpn) { vpn.ipsec.esp_proposals = {esp_proposal("aes128-gcm-128/curve25519")}; });
  pair.connect();
  BOOST_TEST(pair.left.rekey("right", "net").has_value());
  pair.traffic_for(seconds(10), milliseconds(50));
  BOOST_TEST(pair.left.logged("the peer asks for key exchange group 31"));
  for (const Node* node : {&pair.left, &pair.right}) {
    BOOST_TEST(node->count(Notice::Kind::ChildRekeyed) == 1U);
    BOOST_TEST(node->count(Notice::Kind::ChildGone) == 1U);
    BOOST_TEST(node->count(Notice::Kind::ChildDown) == 0U);
  }
  pair.check_one_pair();
}

// CREATE_CHILD_SA { SA, Ni, KE } -->  <-- { SA, Nr, KE };  INFORMATIONAL { D } -->  <-- { }
BOOST_AUTO_TEST_CASE(an_ike_sa_is_rekeyed_from_either_end_whatever_message_is_lost_and_keeps_its_child_sas) {
  (void)with_each_message_lost([](Pair& pair) { BOOST_TEST(pair.left.rekey("right").has_value()); }, 2);
  (void)with_each_message_lost([](Pair& pair) { BOOST_TEST(pair.right.rekey("left").has_value()); }, 2);
}

BOOST_AUTO_TEST_CASE(invalid_ke_payload_for_an_ike_sa_is_met_with_the_group_asked_for) {
  // IKE_SA_INIT finds ecp256 as well; the rekey begins with the first group again
  Pair pair([](model::Vpn& vpn) { vpn.ike.proposals = {ike_proposal("aes128-gcm-128/hmac-sha256/curve25519,ecp256")}; },
            [](model::Vpn& vpn) { vpn.ike.proposals = {ike_proposal("aes128-gcm-128/hmac-sha256/ecp256")}; });
  pair.connect();
  BOOST_TEST(pair.left.rekey("right").has_value());
  pair.world.run_for(seconds(20));
  BOOST_TEST(pair.left.count(Notice::Kind::IkeRekeyed) == 1U);
  pair.check_one_pair();
}

// CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, TSi, TSr } -->   (crosses the peer's own)   <-- CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, TSi, TSr }
BOOST_AUTO_TEST_CASE(of_two_simultaneous_child_rekeys_the_one_with_the_lowest_nonce_loses_whatever_message_is_lost) {
  const Survivors survivors = with_each_message_lost(kBothRekeyChild, 8);
  BOOST_TEST(survivors.ours > 0);
  BOOST_TEST(survivors.theirs > 0);
}

BOOST_AUTO_TEST_CASE(of_two_simultaneous_child_rekeys_with_pfs_one_survives) { (void)with_each_message_lost(kBothRekeyChild, 2, kPfs); }

BOOST_AUTO_TEST_CASE(of_two_simultaneous_ike_rekeys_the_one_with_the_lowest_nonce_loses_whatever_message_is_lost) {
  const Survivors survivors = with_each_message_lost(kBothRekeyIke, 8);
  BOOST_TEST(survivors.ours > 0);
  BOOST_TEST(survivors.theirs > 0);
}

// RFC 7296 2.25: TEMPORARY_FAILURE holds the one back until the other is through
BOOST_AUTO_TEST_CASE(a_child_rekey_that_meets_an_ike_rekey_is_put_off_and_both_get_done) {
  (void)with_each_message_lost(kChildAndIke, 4);
  Pair pair;
  pair.connect();
  kChildAndIke(pair);
  pair.world.run_for(seconds(60));
  BOOST_TEST(pair.left.count(Notice::Kind::ChildRekeyed) == 1U);
  BOOST_TEST(pair.left.count(Notice::Kind::IkeRekeyed) == 1U);
  pair.check_one_pair();
}

// INFORMATIONAL { D(CHILD) } -->   (crosses)   <-- CREATE_CHILD_SA { N(REKEY_SA), ... }
BOOST_AUTO_TEST_CASE(a_child_sa_that_one_end_deletes_while_the_other_rekeys_it_is_gone_at_both) {
  Pair pair;
  pair.connect();
  BOOST_TEST(pair.left.terminate("right", "net").has_value());
  BOOST_TEST(pair.right.rekey("left", "net").has_value());
  pair.world.run_for(seconds(60));
  BOOST_TEST(pair.left.child_sas().empty());
  BOOST_TEST(pair.right.child_sas().empty());
  BOOST_TEST(pair.left.ike_sas().size() == 1U);
  BOOST_TEST(pair.left.kernel().sad().empty());
  BOOST_TEST(pair.right.kernel().sad().empty());
}

BOOST_AUTO_TEST_CASE(a_child_sa_that_both_ends_delete_at_once_is_gone_at_both) {
  Pair pair;
  pair.connect();
  BOOST_TEST(pair.left.terminate("right", "net").has_value());
  BOOST_TEST(pair.right.terminate("left", "net").has_value());
  pair.world.run_for(seconds(30));
  BOOST_TEST(pair.left.kernel().sad().empty());
  BOOST_TEST(pair.right.kernel().sad().empty());
  BOOST_TEST(pair.left.ike_sas().size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_ike_sa_that_is_deleted_while_either_end_rekeys_it_is_gone_with_what_it_was_rekeyed_to) {
  for (const bool by_left : {true, false}) {
    for (const int microseconds : {0, 5'000, 15'000, 25'000, 35'000}) {
      BOOST_TEST_CONTEXT("rekeyed by " << (by_left ? "left" : "right") << ", deleted by left after " << microseconds << " us") {
        Pair pair;
        pair.connect();
        BOOST_TEST((by_left ? pair.left.rekey("right") : pair.right.rekey("left")).has_value());
        pair.world.run_for(Duration(microseconds));
        BOOST_TEST(pair.left.terminate("right").has_value());
        pair.world.run_for(seconds(400));
        BOOST_TEST(pair.left.core().ike_sas() == 0U);
        BOOST_TEST(pair.right.core().ike_sas() == 0U);
        pair.check_nothing_left();
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(an_ike_sa_that_is_deleted_while_a_child_sa_is_rekeyed_is_gone) {
  Pair pair;
  pair.connect();
  BOOST_TEST(pair.left.rekey("right", "net").has_value());
  BOOST_TEST(pair.left.terminate("right").has_value());
  pair.world.run_for(seconds(60));
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(an_ike_sa_that_both_ends_delete_at_once_is_gone_at_both) {
  Pair pair;
  pair.connect();
  BOOST_TEST(pair.left.terminate("right").has_value());
  BOOST_TEST(pair.right.terminate("left").has_value());
  pair.world.run_for(seconds(60));
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(the_old_inbound_sa_lingers_for_delete_rekeyed_delay) {
  model::GlobalOptions global;
  global.delete_rekeyed_delay = seconds(9);
  Pair pair({}, {}, global);
  pair.connect();
  const std::uint32_t old_spi = pair.left.child_sas()[0].spi_in;
  const auto installed = [&] { return pair.left.kernel().find({address(kLeft), old_spi, wire::ProtocolId::Esp}) != nullptr; };
  BOOST_TEST(pair.left.rekey("right", "net").has_value());
  pair.world.run_for(milliseconds(100));
  BOOST_TEST(pair.left.child_sas().size() == 1U);
  BOOST_TEST(installed());
  pair.world.run_for(milliseconds(8800));
  BOOST_TEST(installed());
  pair.world.run_for(milliseconds(200));
  BOOST_TEST(!installed());
}

// The responder of a rekey cannot know whether its answer arrived before the Delete of the old SA comes (RFC 7296 2.8).
BOOST_AUTO_TEST_CASE(the_responders_outbound_sa_changes_only_when_the_peer_deletes_the_old_one) {
  Pair pair;
  pair.connect();
  const std::uint32_t old_spi = pair.right.child_sas()[0].spi_out;
  const auto used = [&] { return pair.right.kernel().outbound(*pair.right.kernel().lookup(model::Direction::Out, kToLeft))->sa.id.spi; };
  pair.world.lose = [](const Node&, const wire::Header& header, const model::Datagram&) {
    return header.exchange == ExchangeType::Informational;
  };
  BOOST_TEST(pair.left.rekey("right", "net").has_value());
  pair.world.run_for(seconds(2));
  BOOST_TEST(pair.right.child_sas().size() == 2U);
  BOOST_TEST(used() == old_spi);
  pair.world.lose = {};
  pair.world.run_for(seconds(10));
  BOOST_TEST(used() != old_spi);
  BOOST_TEST(pair.carries());
}

BOOST_AUTO_TEST_CASE(rekey_times_are_kept_by_both_ends_for_a_day_without_losing_a_packet) {
  const Change times = [](model::Vpn& vpn) {
    vpn.ike.rekey_time = seconds(14400);
    vpn.ipsec.rekey_time = seconds(3600);
  };
  Pair pair(times, times);
  pair.connect();
  pair.traffic_for(seconds(86400), seconds(13));
  pair.world.run_for(seconds(60));
  pair.check_one_pair();
  BOOST_TEST(pair.left.count(Notice::Kind::ChildRekeyed) >= 24U);
  BOOST_TEST(pair.left.count(Notice::Kind::IkeRekeyed) >= 6U);
  BOOST_TEST(pair.left.count(Notice::Kind::IkeDown) == 0U);
}

BOOST_AUTO_TEST_CASE(the_kernels_soft_limit_rekeys_and_its_hard_limit_deletes) {
  Pair pair;
  pair.connect();
  const auto inbound = [&] { return model::SaId{address(kLeft), pair.left.child_sas()[0].spi_in, wire::ProtocolId::Esp}; };
  pair.left.act([&](sa::Core& core, TimePoint now, sa::Effects& out) { core.expire(inbound(), false, now, out); });
  pair.traffic_for(seconds(10), milliseconds(100));
  BOOST_TEST(pair.left.count(Notice::Kind::ChildRekeyed) == 1U);
  pair.check_one_pair();
  pair.left.act([&](sa::Core& core, TimePoint now, sa::Effects& out) { core.expire(inbound(), true, now, out); });
  pair.world.run_for(seconds(10));
  BOOST_TEST(pair.left.child_sas().empty());
  BOOST_TEST(pair.right.child_sas().empty());
}

BOOST_AUTO_TEST_CASE(a_child_sa_that_the_kernel_refuses_is_deleted_at_both_ends) {
  Pair pair;
  pair.connect();
  const std::uint32_t child = pair.left.child_sas()[0].unique_id;
  pair.left.act([&](sa::Core& core, TimePoint now, sa::Effects& out) { core.install_failed(child, "no memory", now, out); });
  pair.world.run_for(seconds(10));
  BOOST_TEST(pair.left.count(Notice::Kind::ChildFailed) == 1U);
  BOOST_TEST(pair.right.child_sas().empty());
  BOOST_TEST(pair.left.ike_sas().size() == 1U);
}

BOOST_AUTO_TEST_CASE(advice_for_a_child_sa_that_is_refused_names_the_leaf_that_helps) {
  for (const bool device : {false, true}) {
    Pair pair([&](model::Vpn& vpn) { vpn.ipsec.hw_offload = device ? model::HwOffload::Crypto : model::HwOffload::Auto; });
    pair.connect();
    const std::uint32_t child = pair.left.child_sas()[0].unique_id;
    pair.left.act([&](sa::Core& core, TimePoint now, sa::Effects& out) { core.install_failed(child, "no room", now, out); });
    BOOST_TEST(pair.left.explanations().back().advice.leaf ==
               (device ? "vpn right ipsec-policy hw-offload" : "vpn right ipsec-policy esp-proposal"));
  }
}

// The kernel drops a packet whose SA goes between its choice and its encryption.
BOOST_AUTO_TEST_CASE(the_old_outbound_sa_goes_a_moment_after_the_new_one_is_used) {
  Pair pair;
  pair.connect();
  const auto outbound = [](Node& node) {
    const auto& sad = node.kernel().sad();
    return std::count_if(sad.begin(), sad.end(), [](const auto& sa) { return sa.second.sa.direction == model::Direction::Out; });
  };
  BOOST_TEST_REQUIRE(pair.left.rekey("right", "net").has_value());
  pair.world.run_for(milliseconds(200));
  for (Node* node : {&pair.left, &pair.right}) {
    BOOST_TEST(node->child_sas().size() == 1U);
    BOOST_TEST(outbound(*node) == 2);
  }
  pair.traffic_for(milliseconds(1200));
  for (Node* node : {&pair.left, &pair.right}) BOOST_TEST(outbound(*node) == 1);
  // nobody else sends: then there is nothing to wait for
  BOOST_TEST_REQUIRE(pair.left.terminate("right", "net").has_value());
  pair.world.run_for(milliseconds(100));
  for (Node* node : {&pair.left, &pair.right}) BOOST_TEST(outbound(*node) == 0);
}

BOOST_AUTO_TEST_CASE(an_ike_sa_deleted_while_its_successor_takes_over_still_says_so) {
  const Change lively = [](model::Vpn& vpn) { vpn.ike.dpd_delay = seconds(20); };
  Pair pair(lively, lively);
  pair.connect();
  const auto old = pair.left.ike_sas()[0].initiator_spi;
  bool cut = false;
  pair.world.lose = [&](const Node& from, const wire::Header& header, const model::Datagram&) {
    return (header.initiator_spi == old && header.exchange == ExchangeType::Informational) || (cut && &from == &pair.left);
  };
  // Left has answered right's rekeying, no Delete of the old IKE SA comes, and a sign of life is under way when it is told to close. Then
  // right speaks on the new one.
  BOOST_TEST_REQUIRE(pair.right.rekey("left").has_value());
  pair.world.run_for(seconds(30));
  cut = true;
  BOOST_TEST_REQUIRE(pair.left.terminate("right").has_value());
  pair.world.run_for(seconds(60));
  pair.world.lose = {};
  pair.world.run_for(seconds(600));
  BOOST_TEST(pair.left.core().ike_sas() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
