// SPDX-License-Identifier: Apache-2.0
// Liveness, what follows when a CHILD SA or the peer is gone, and changes of configuration. RFC 7296 1.4, 2.4; the guide's dpd-action and
// close-action.
#include <boost/test/unit_test.hpp>

#include "sim/pair.h"

using namespace svti;
using namespace svti::sim;
using model::DpdAction;
using model::StartAction;
using sa::Notice;

namespace {

Change dpd(DpdAction action) {
  return [action](model::Vpn& vpn) {
    vpn.ike.dpd_delay = seconds(30);
    vpn.ipsec.dpd_action = action;
  };
}

Change on_close(StartAction action) {
  return [action](model::Vpn& vpn) { vpn.ipsec.close_action = action; };
}

bool out_policy(Node& node) { return node.kernel().lookup(model::Direction::Out, kToRight) != nullptr; }

}  // namespace

BOOST_AUTO_TEST_SUITE(lifetime)

// INFORMATIONAL { } -->  <-- { }
BOOST_AUTO_TEST_CASE(a_silent_peer_is_asked_for_a_sign_of_life_every_dpd_delay) {
  Pair pair(dpd(DpdAction::Clear));
  pair.connect();
  pair.world.run_for(seconds(305));
  const auto counters = pair.left.core().state(pair.world.now()).counters;
  const auto sent = counters.values[static_cast<std::size_t>(model::Counter::InfoOutReq)];
  BOOST_TEST(sent == 10U);
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(a_replayed_message_is_no_sign_of_life) {
  Pair pair(dpd(DpdAction::Clear));
  std::optional<model::Datagram> old;
  pair.world.lose = [&](const Node& from, const wire::Header&, const model::Datagram& datagram) {
    if (from.name() == "right") old = datagram;
    return false;
  };
  pair.connect();
  pair.right.crash();
  const model::Datagram replayed{old->remote, old->local, old->payload};
  for (int i = 0; i < 40 && !pair.left.ike_sas().empty(); ++i) {
    pair.left.inject(replayed);
    pair.world.run_for(seconds(10));
  }
  BOOST_TEST(pair.left.ike_sas().empty());
}

BOOST_AUTO_TEST_CASE(dpd_action_clear_removes_everything_of_a_dead_peer) {
  Pair pair(dpd(DpdAction::Clear));
  pair.connect();
  pair.right.crash();
  pair.world.run_for(seconds(30 + 165 + 1));
  BOOST_TEST(pair.left.count(Notice::Kind::IkeDown) == 1U);
  BOOST_TEST(pair.left.core().ike_sas() == 0U);
  BOOST_TEST(!out_policy(pair.left));
  pair.world.run_for(seconds(6));
  BOOST_TEST(pair.left.kernel().sad().empty());
}

BOOST_AUTO_TEST_CASE(dpd_action_trap_waits_for_the_next_packet) {
  Pair pair(dpd(DpdAction::Trap));
  pair.connect();
  pair.right.crash();
  pair.world.run_for(seconds(200));
  BOOST_TEST(pair.left.core().ike_sas() == 0U);
  BOOST_TEST(out_policy(pair.left));
  pair.right.restart();
  BOOST_TEST((pair.world.probe(pair.left, kToRight) == Probe::Held));
  pair.world.run_for(seconds(10));
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(dpd_action_restart_tries_again_at_once) {
  Pair pair([](model::Vpn& vpn) {
    dpd(DpdAction::Restart)(vpn);
    vpn.ike.keying_tries = 0;
  });
  pair.connect();
  pair.right.crash();
  pair.world.run_for(seconds(500));
  pair.right.restart();
  pair.world.run_for(seconds(100));
  pair.check_one_pair();
}

// INFORMATIONAL { D(CHILD) } -->  <-- { D(CHILD) }
BOOST_AUTO_TEST_CASE(close_action_says_what_follows_when_the_peer_deletes_a_child_sa) {
  for (const StartAction action : {StartAction::None, StartAction::Trap, StartAction::Start}) {
    Pair pair(on_close(action));
    pair.connect();
    BOOST_TEST(pair.right.terminate("left", "net").has_value());
    pair.world.run_for(seconds(10));
    BOOST_TEST(pair.left.child_sas().size() == (action == StartAction::Start ? 1U : 0U));
    BOOST_TEST(out_policy(pair.left) == (action != StartAction::None));
    BOOST_TEST(pair.left.ike_sas().size() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(close_action_is_for_what_the_peer_closes_not_for_our_own_command) {
  Pair pair(on_close(StartAction::Start));
  pair.connect();
  BOOST_TEST(pair.left.terminate("right").has_value());
  pair.world.run_for(seconds(30));
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(a_changed_vpn_is_closed_and_begun_anew_and_the_others_are_left_alone) {
  model::Vpn kept = left_vpn();
  kept.name = "kept";
  kept.remote_address = address("192.0.2.3");
  kept.policies = {security_policy("net", "10.1.0.0/24", "10.3.0.0/24")};
  kept.ipsec.start_action = StartAction::Start;
  model::Vpn changed = left_vpn();
  changed.ipsec.start_action = StartAction::Start;
  model::Vpn third_vpn = vpn("left", "192.0.2.3", kLeft);
  third_vpn.policies = {security_policy("net", "10.3.0.0/24", "10.1.0.0/24")};
  World world(1);
  Node& right = world.add("right", address(kRight), configuration({.vpns = {right_vpn()}}));
  Node& third = world.add("third", address("192.0.2.3"), configuration({.vpns = {third_vpn}}));
  Node& left = world.add("left", address(kLeft), configuration({.vpns = {kept, changed}}));
  world.run_for(seconds(5));
  BOOST_TEST_REQUIRE(left.ike_sas().size() == 2U);
  const auto spi_of = [&] { return third.ike_sas().at(0).initiator_spi; };
  const auto spi_before = spi_of();
  const auto changed_before = right.ike_sas().at(0).initiator_spi;
  changed.ike.dpd_delay = seconds(17);
  left.apply(configuration({.vpns = {kept, changed}}));
  world.run_for(seconds(60));
  BOOST_TEST(spi_of() == spi_before);
  BOOST_TEST_REQUIRE(right.ike_sas().size() == 1U);
  BOOST_TEST(right.ike_sas()[0].initiator_spi != changed_before);
  BOOST_TEST((world.probe(left, kToRight) == Probe::Delivered));
  BOOST_TEST((world.probe(left, {address("10.1.0.1"), address("10.3.0.1")}) == Probe::Delivered));
  left.apply(configuration({.vpns = {kept}}));
  world.run_for(seconds(60));
  BOOST_TEST(spi_of() == spi_before);
  BOOST_TEST(right.ike_sas().empty());
  BOOST_TEST(left.ike_sas().size() == 1U);
  BOOST_TEST(world.violations().empty());
}

BOOST_AUTO_TEST_CASE(the_same_configuration_again_changes_nothing) {
  Pair pair([](model::Vpn& vpn) { vpn.ipsec.start_action = StartAction::Start; });
  pair.world.run_for(seconds(1));
  const auto spi = pair.left.ike_sas().at(0).initiator_spi;
  model::Vpn same = left_vpn();
  same.ipsec.start_action = StartAction::Start;
  pair.left.apply(configuration({.vpns = {same}}));
  pair.world.run_for(seconds(30));
  BOOST_TEST(pair.left.ike_sas().at(0).initiator_spi == spi);
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(closing_tells_the_peer_and_leaves_nothing) {
  Pair pair([](model::Vpn& vpn) { vpn.ipsec.start_action = StartAction::Start; }, on_close(StartAction::Trap));
  pair.world.run_for(seconds(1));
  pair.left.close();
  BOOST_TEST(pair.left.kernel().sad().empty());
  BOOST_TEST(pair.left.kernel().spd().empty());
  pair.world.run_for(seconds(30));
  BOOST_TEST(pair.right.ike_sas().empty());
  // whoever knocks while we close is not let in
  BOOST_TEST(pair.right.initiate("left").has_value());
  pair.world.run_for(seconds(10));
  BOOST_TEST(pair.left.core().ike_sas() == 0U);
}

BOOST_AUTO_TEST_CASE(reqids_left_by_the_last_life_are_taken_up) {
  World world(1);
  World seeded(1);
  model::Vpn vpn = left_vpn();
  vpn.ipsec.start_action = StartAction::Trap;
  Node& before = world.add("left", address(kLeft), configuration({.vpns = {vpn}}));
  const model::SetPolicy* policy = before.kernel().lookup(model::Direction::Out, kToRight);
  BOOST_TEST_REQUIRE(policy != nullptr);
  Node& after = seeded.add("left", address(kLeft), configuration({}));
  after.core().seed_reqid(policy->id, 0x53001234);
  after.apply(configuration({.vpns = {vpn}}));
  BOOST_TEST(after.kernel().lookup(model::Direction::Out, kToRight)->reqid == 0x53001234U);
}

BOOST_AUTO_TEST_CASE(a_policy_with_options_of_its_own_keeps_to_them) {
  Pair pair([](model::Vpn& vpn) {
    vpn.ipsec.start_action = StartAction::None;
    vpn.ipsec.rekey_time = seconds(3600);
    model::IpsecPolicy own = vpn.ipsec;
    own.start_action = StartAction::Start;
    own.rekey_time = seconds(500);
    own.rand_time = seconds(0);
    own.life_time = seconds(700);
    vpn.policies.front().ipsec = std::make_shared<const model::IpsecPolicy>(own);
  });
  pair.world.run_for(seconds(1));
  pair.check_one_pair();
  const model::ChildSaState child = pair.left.child_sas().at(0);
  BOOST_TEST(child.rekey->count() == 499);
  BOOST_TEST(child.life->count() == 699);
  const std::uint32_t spi = child.spi_in;
  pair.world.run_for(seconds(510));
  pair.check_one_pair();
  BOOST_TEST(pair.left.child_sas().at(0).spi_in != spi);
}

BOOST_AUTO_TEST_CASE(an_ike_sa_lives_over_time_longer_than_its_rekey_was_due) {
  Pair pair([](model::Vpn& vpn) {
    vpn.ike.rekey_time = seconds(1000);
    vpn.ike.rand_time = seconds(0);
    vpn.ike.over_time = seconds(50);
  });
  pair.connect();
  BOOST_TEST(pair.left.ike_sas().at(0).rekey->count() == 999);
  pair.right.crash();
  pair.world.run_for(seconds(1040));
  BOOST_TEST(pair.left.core().ike_sas() == 1U);
  BOOST_TEST((pair.left.ike_sas().at(0).phase != model::IkeSaPhase::Deleting));
  pair.world.run_for(seconds(20));
  BOOST_TEST((pair.left.ike_sas().empty() || pair.left.ike_sas().at(0).phase == model::IkeSaPhase::Deleting));
}

BOOST_AUTO_TEST_CASE(a_trap_is_set_and_released_by_command) {
  World world(1);
  model::Vpn vpn = left_vpn();
  vpn.ipsec.start_action = StartAction::None;
  sa::Core& core = world.add("left", address(kLeft), configuration({.vpns = {vpn}})).core();
  const std::string policy = vpn.policies.front().name;
  sa::Effects out;
  BOOST_TEST(!core.uninstall("right", {}, out));
  BOOST_TEST(!core.install("nobody", {}, out));
  BOOST_TEST(!core.install("right", "nothing", out));
  BOOST_TEST(out.empty());
  BOOST_TEST(core.install("right", policy, out).has_value());
  BOOST_TEST(std::holds_alternative<sa::ClaimPolicies>(out.at(0)));
  BOOST_TEST(core.trapped_policies("right") == std::vector{policy});
  BOOST_TEST(core.install("right", {}, out).has_value());  // it is there already
  out.clear();
  BOOST_TEST(core.uninstall("right", {}, out).has_value());
  BOOST_TEST(std::holds_alternative<sa::ReleasePolicies>(out.at(0)));
  BOOST_TEST(core.trapped_policies("right").empty());
}

BOOST_AUTO_TEST_SUITE_END()
