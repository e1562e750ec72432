// SPDX-License-Identifier: Apache-2.0
// How many IKE SAs two gateways have with one another: both ends that begin at once (in the spirit of RFC 7296 2.8.1), INITIAL_CONTACT
// (2.4), and unique-sa.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <set>

#include "sim/pair.h"
#include "sim/world/scripted_peer.h"

using namespace svti;
using namespace svti::sim;
using model::UniqueSa;
using sa::Notice;
using wire::ExchangeType;

namespace svti::model {
static std::ostream& operator<<(std::ostream& out, UniqueSa value) { return out << "unique-sa " << static_cast<int>(value); }
}  // namespace svti::model

namespace {

Change unique(UniqueSa value) {
  return [=](model::Vpn& vpn) { vpn.ike.unique_sa = value; };
}

Change three_policies(bool mirrored) {
  return [=](model::Vpn& vpn) {
    for (const std::string net : {"3", "5"}) {
      const std::string left = "10." + net + ".1.0/24", right = "10." + net + ".2.0/24";
      vpn.policies.push_back(security_policy("net" + net, mirrored ? right : left, mirrored ? left : right));
    }
  };
}

// no CHILD SA twice, every one at both ends, and none of the network's doing
void check_no_twins(const Pair& pair, std::size_t children) {
  for (const Node* node : {&pair.left, &pair.right}) {
    BOOST_TEST(node->ike_sas().size() == 1U);
    std::set<std::string> names;
    for (const auto& child : node->child_sas()) BOOST_TEST(names.insert(child.name).second);
    BOOST_TEST(names.size() == children);
  }
}

// Once packets pass in both directions they go on to do so, whatever becomes of the SAs.
void traffic_never_stops(Pair& pair, Duration duration) {
  for (const TimePoint limit = pair.world.now() + seconds(60); pair.world.now() < limit;) {
    if (!pair.left.child_sas().empty() && !pair.right.child_sas().empty() && pair.carries()) break;
    pair.world.run_for(milliseconds(1));
  }
  pair.traffic_for(duration, milliseconds(7));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(uniqueness)

// IKE_SA_INIT -->  <-- IKE_SA_INIT (crossing, and all that follows of both)
// The one with the lower initiator's SPI is deleted by the initiator of the other one.
BOOST_AUTO_TEST_CASE(both_ends_that_begin_at_once_have_one_pair_in_the_end_whatever_message_is_lost) {
  std::size_t victims = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    for (std::size_t victim = 0;; ++victim) {
      Pair pair({}, {}, {}, seed);
      std::size_t at = 0;
      pair.world.lose = [&](const Node&, const wire::Header&, const model::Datagram&) { return at++ == victim; };
      BOOST_TEST(pair.left.initiate("right").has_value());
      BOOST_TEST(pair.right.initiate("left").has_value());
      traffic_never_stops(pair, seconds(40));
      pair.world.run_for(seconds(20));
      pair.check_one_pair();
      if (at <= victim) break;
      ++victims;
    }
  }
  BOOST_TEST(victims > 30U);
}

BOOST_AUTO_TEST_CASE(a_message_lost_three_times_stops_no_traffic) {
  for (std::size_t victim = 0; victim < 14; ++victim) {
    Pair pair;
    std::map<std::size_t, int> lost;
    std::vector<std::size_t> seen;
    pair.world.lose = [&](const Node&, const wire::Header&, const model::Datagram& datagram) {
      const std::size_t hash = std::hash<std::string_view>{}(as_text(datagram.payload));
      auto found = std::find(seen.begin(), seen.end(), hash);
      if (found == seen.end()) found = seen.insert(seen.end(), hash);
      return static_cast<std::size_t>(found - seen.begin()) == victim && ++lost[hash] <= 3;
    };
    BOOST_TEST(pair.left.initiate("right").has_value());
    BOOST_TEST(pair.right.initiate("left").has_value());
    traffic_never_stops(pair, seconds(90));
    pair.world.run_for(seconds(100));
    pair.check_one_pair();
  }
}

BOOST_AUTO_TEST_CASE(several_policies_come_up_once_each_when_both_ends_begin_at_once) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Pair pair(three_policies(false), three_policies(true), {}, seed);
    pair.world.weather.most_delay = milliseconds(10 + 15 * (seed % 4));
    BOOST_TEST(pair.left.initiate("right").has_value());
    pair.world.run_for(milliseconds(seed % 3 * 12));
    BOOST_TEST(pair.right.initiate("left").has_value());
    pair.world.run_for(seconds(60));
    check_no_twins(pair, 3);
    BOOST_TEST(pair.carries());
  }
}

// CREATE_CHILD_SA { SA, Ni, TSi, TSr } -->  (crosses the peer's own)
BOOST_AUTO_TEST_CASE(both_ends_that_ask_for_the_same_child_sa_at_once_get_one) {
  Pair pair(three_policies(false), three_policies(true));
  BOOST_TEST(pair.left.initiate("right", "net").has_value());
  pair.world.run_for(seconds(1));
  for (const char* policy : {"net3", "net5"}) {
    BOOST_TEST(pair.left.initiate("right", policy).has_value());
    BOOST_TEST(pair.right.initiate("left", policy).has_value());
  }
  pair.world.run_for(seconds(30));
  BOOST_TEST(pair.left.logged("both ends ask for it, our request goes first"));
  check_no_twins(pair, 3);
}

BOOST_AUTO_TEST_CASE(an_ike_sa_that_has_no_answer_yet_is_given_up_for_the_peers) {
  Pair pair;
  pair.world.lose = [&](const Node& from, const wire::Header& header, const model::Datagram&) {
    return &from == &pair.right && header.exchange == ExchangeType::IkeSaInit && !header.response;
  };
  BOOST_TEST(pair.right.initiate("left").has_value());
  BOOST_TEST(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(1));
  BOOST_TEST(pair.right.logged("the peer's IKE SA came first, ours is not needed"));
  pair.check_one_pair();
}

// A mesh: each of a hundred nodes has a VPN with the next six and the six before, and all start in the same moment.
BOOST_AUTO_TEST_CASE(a_hundred_nodes_that_all_start_at_once_have_no_twins) {
  constexpr std::size_t kNodes = 100, kNeighbours = 6;
  World world(11);
  world.weather = {0.02, 0.02, milliseconds(5), milliseconds(60)};
  const auto outer = [](std::size_t i) { return "192.0.2." + std::to_string(i + 1); };
  const auto inner = [](std::size_t i) { return "10.1." + std::to_string(i) + ".0/24"; };
  std::vector<Node*> nodes;
  for (std::size_t i = 0; i < kNodes; ++i) {
    ConfigurationParts parts;
    for (std::size_t distance = 1; distance <= kNeighbours; ++distance) {
      for (const std::size_t peer : {(i + distance) % kNodes, (i + kNodes - distance) % kNodes}) {
        model::Vpn one = vpn("to" + std::to_string(peer), outer(i), outer(peer));
        one.policies = {security_policy("net", inner(i), inner(peer))};
        one.ipsec.start_action = model::StartAction::Start;
        parts.vpns.push_back(std::move(one));
      }
    }
    parts.global.block_threshold = 0;
    nodes.push_back(&world.add("node" + std::to_string(i), address(outer(i)), configuration(std::move(parts))));
  }
  world.run_for(seconds(120));
  for (const std::string& violation : world.violations()) BOOST_ERROR(violation);
  std::size_t crossed = 0;
  for (Node* node : nodes) {
    BOOST_TEST(node->ike_sas().size() == 2 * kNeighbours);
    BOOST_TEST(node->child_sas().size() == 2 * kNeighbours);
    BOOST_TEST(node->kernel().sad().size() == 4 * kNeighbours);
    std::set<std::string> names;
    for (const auto& sa : node->ike_sas()) BOOST_TEST(names.insert(sa.name).second);
    if (node->logged("both ends began at once")) ++crossed;
  }
  BOOST_TEST(crossed > 10U);  // otherwise nothing was proven
}

// --- unique-sa --------------------------------------------------------------------------------------------------------------

// the right end forgets everything but its configuration and begins anew; its INITIAL_CONTACT is what tells the left one
BOOST_DATA_TEST_CASE(initial_contact_takes_away_what_was_there_unless_unique_sa_is_never,
                     boost::unit_test::data::make({UniqueSa::No, UniqueSa::Keep, UniqueSa::Replace, UniqueSa::Never}), value) {
  Pair pair(unique(value), unique(UniqueSa::No));
  pair.connect();
  pair.world.run_for(seconds(5));
  pair.right.crash();
  pair.right.restart();
  BOOST_TEST(pair.right.initiate("left").has_value());
  pair.world.run_for(seconds(2));
  BOOST_TEST(pair.left.ike_sas().size() == (value == UniqueSa::Never ? 2U : 1U));
  BOOST_TEST(pair.right.ike_sas().size() == 1U);
}

BOOST_AUTO_TEST_CASE(initial_contact_is_not_sent_with_unique_sa_never) {
  for (const bool never : {false, true}) {
    Pair pair(unique(never ? UniqueSa::Never : UniqueSa::No));
    pair.connect();
    BOOST_TEST(pair.right.logged("N(INITIAL_CONTACT)") == !never);
  }
}

// a peer that has an IKE SA begins another one, and says nothing of INITIAL_CONTACT
struct Second {
  explicit Second(UniqueSa value) : world(3), responder(world.add("right", address(kRight), configuration({.vpns = {vpn_with(value)}}))) {}
  ~Second() {
    for (const std::string& violation : world.violations()) BOOST_ERROR(violation);
  }
  static model::Vpn vpn_with(UniqueSa value) {
    model::Vpn out = right_vpn();
    out.ike.unique_sa = value;
    return out;
  }
  void connect() {
    ScriptedPeer peer(world.chance(), {address(kLeft), 500}, {address(kRight), 500});
    const auto answers = responder.inject(peer.init());
    BOOST_TEST_REQUIRE(answers.size() == 1U);
    BOOST_TEST_REQUIRE(peer.accept_init(answers[0].payload));
    auto payloads = peer.auth_payloads();
    for (wire::Payload& payload : payloads) {
      if (auto* sa = std::get_if<wire::SaPayload>(&payload)) sa->proposals[0].spi[3] = ++spi;
    }
    (void)responder.inject(peer.request(ExchangeType::IkeAuth, payloads));
    world.run_for(seconds(1));
  }

  World world;
  Node& responder;
  std::uint8_t spi = 0;
};

BOOST_AUTO_TEST_CASE(a_second_ike_sa_stands_beside_the_first_with_unique_sa_no_and_never) {
  for (const UniqueSa value : {UniqueSa::No, UniqueSa::Never}) {
    Second second(value);
    second.connect();
    second.connect();
    second.world.run_for(seconds(60));
    BOOST_TEST(second.responder.ike_sas().size() == 2U);
  }
}

BOOST_AUTO_TEST_CASE(a_second_ike_sa_is_refused_with_unique_sa_keep) {
  Second second(UniqueSa::Keep);
  second.connect();
  BOOST_TEST_REQUIRE(second.responder.ike_sas().size() == 1U);
  const auto first = second.responder.ike_sas()[0].unique_id;
  second.connect();
  BOOST_TEST(second.responder.logged("already (unique-sa keep)"));
  BOOST_TEST_REQUIRE(second.responder.ike_sas().size() == 1U);
  BOOST_TEST(second.responder.ike_sas()[0].unique_id == first);
}

BOOST_AUTO_TEST_CASE(the_older_ike_sa_goes_with_unique_sa_replace) {
  Second second(UniqueSa::Replace);
  second.connect();
  BOOST_TEST_REQUIRE(second.responder.ike_sas().size() == 1U);
  const auto first = second.responder.ike_sas()[0].unique_id;
  second.connect();
  BOOST_TEST(second.responder.ike_sas().size() == 2U);
  second.world.run_for(seconds(15));
  BOOST_TEST_REQUIRE(second.responder.ike_sas().size() == 1U);
  BOOST_TEST(second.responder.ike_sas()[0].unique_id != first);
}

// With keep and replace at both ends as well, two that cross are no older and no newer one.
BOOST_DATA_TEST_CASE(beginning_at_once_leaves_one_pair_with_every_unique_sa,
                     boost::unit_test::data::make({UniqueSa::No, UniqueSa::Keep, UniqueSa::Replace, UniqueSa::Never}), value) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Pair pair(unique(value), unique(value), {}, seed);
    pair.world.weather.most_delay = milliseconds(30);
    BOOST_TEST(pair.left.initiate("right").has_value());
    BOOST_TEST(pair.right.initiate("left").has_value());
    traffic_never_stops(pair, seconds(30));
    pair.world.run_for(seconds(10));
    pair.check_one_pair();
  }
}

BOOST_AUTO_TEST_SUITE_END()
