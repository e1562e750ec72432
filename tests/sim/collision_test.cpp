// SPDX-License-Identifier: Apache-2.0
// The collision matrix: whatever one end does while the other does whatever (RFC 7296 2.8, 2.25), each pair at each distance in time, as it
// is and with each message lost once. Two security-policies: "net" is up before, "more" may be asked for.
//
//            | new CHILD | rekey CHILD | delete CHILD | rekey IKE | delete IKE |
//   in the end there is, of the CHILD SAs that nobody deleted, one of each and the same at both ends; of the IKE SA one, or none.
#include <array>
#include <boost/test/unit_test.hpp>
#include <set>

#include "sim/pair.h"

using namespace svti;
using namespace svti::sim;

namespace {

enum class Deed { NewChild, RekeyChild, DeleteChild, RekeyIke, DeleteIke };
constexpr std::array kDeeds{Deed::NewChild, Deed::RekeyChild, Deed::DeleteChild, Deed::RekeyIke, Deed::DeleteIke};
constexpr std::array<std::string_view, 5> kNames{"new CHILD", "rekey CHILD", "delete CHILD", "rekey IKE", "delete IKE"};

std::string_view name_of(Deed deed) { return kNames[static_cast<std::size_t>(deed)]; }

void perform(Node& node, const std::string& peer, Deed deed) {
  switch (deed) {
    case Deed::NewChild:
      return (void)node.initiate(peer, "more");
    case Deed::RekeyChild:
      return (void)node.rekey(peer, "net");
    case Deed::DeleteChild:
      return (void)node.terminate(peer, "net");
    case Deed::RekeyIke:
      return (void)node.rekey(peer);
    case Deed::DeleteIke:
      return (void)node.terminate(peer);
  }
}

// `additional`: with a second key exchange, so that what CREATE_CHILD_SA begins is done with IKE_FOLLOWUP_KE alone (RFC 9370)
Change with_more(const char* ours, const char* theirs, bool additional) {
  return [=](model::Vpn& vpn) {
    vpn.policies.push_back(security_policy("more", ours, theirs));
    if (!additional) return;
    vpn.ike.proposals = {ike_proposal(std::string(kCheapIke) + "/ke1_ecp256")};
    vpn.ipsec.esp_proposals = {esp_proposal("aes128-gcm-128/curve25519/ke1_ecp256")};
  };
}

std::multiset<std::string> names(const Node& node) {
  std::multiset<std::string> out;
  for (const auto& child : node.child_sas()) out.insert(child.name);
  return out;
}

// What must be there in the end. What was deleted may have been asked for again after that, by the other end, so it may be there once.
void check_outcome(Pair& pair, Deed left, Deed right) {
  const auto either = [&](Deed deed) { return left == deed || right == deed; };
  const auto ours = pair.left.ike_sas(), theirs = pair.right.ike_sas();
  BOOST_TEST_REQUIRE(ours.size() == theirs.size());
  BOOST_TEST_REQUIRE(ours.size() <= 1U);
  BOOST_TEST(pair.left.core().ike_sas() == ours.size());
  BOOST_TEST(pair.right.core().ike_sas() == theirs.size());
  // A new CHILD SA that is asked for while the IKE SA is deleted begins another.
  if (either(Deed::DeleteIke)) {
    if (!either(Deed::NewChild)) BOOST_TEST(ours.empty());
  } else {
    BOOST_TEST(ours.size() == 1U);
  }
  if (!ours.empty()) {
    BOOST_TEST(ours[0].initiator_spi == theirs[0].initiator_spi);
    BOOST_TEST(ours[0].responder_spi == theirs[0].responder_spi);
  }
  std::set<std::pair<std::uint32_t, std::uint32_t>> here, there;
  for (const auto& child : pair.left.child_sas()) here.emplace(child.spi_in, child.spi_out);
  for (const auto& child : pair.right.child_sas()) there.emplace(child.spi_out, child.spi_in);
  BOOST_TEST((here == there));
  const auto up = names(pair.left);
  BOOST_TEST(up.count("net") <= 1U);
  BOOST_TEST(up.count("more") <= 1U);
  if (!either(Deed::DeleteIke)) {
    BOOST_TEST(up.count("net") == (either(Deed::DeleteChild) ? 0U : 1U));
    BOOST_TEST(up.count("more") == (either(Deed::NewChild) ? 1U : 0U));
  }
  for (Node* node : {&pair.left, &pair.right}) BOOST_TEST(node->kernel().sad().size() == 2 * up.size());
  if (up.count("net") == 1) BOOST_TEST(pair.carries());
}

void meet(bool additional, const std::vector<int>& distances) {
  std::size_t cases = 0;
  for (const Deed left : kDeeds) {
    for (const Deed right : kDeeds) {
      for (const int after : distances) {
        int sent = 0;
        for (int lost = -1; lost < sent; ++lost) {
          BOOST_TEST_CONTEXT("left: " << name_of(left) << ", right after " << after << " ms: " << name_of(right)
                                      << ", datagram lost: " << lost) {
            Pair pair(with_more("10.3.0.0/24", "10.4.0.0/24", additional), with_more("10.4.0.0/24", "10.3.0.0/24", additional), {},
                      ++cases);
            BOOST_TEST_REQUIRE(pair.left.initiate("right", "net").has_value());
            pair.world.run_for(seconds(1));
            sent = 0;
            pair.world.lose = [&](const Node&, const wire::Header&, const model::Datagram&) { return sent++ == lost; };
            perform(pair.left, "right", left);
            pair.world.run_for(milliseconds(after));
            perform(pair.right, "left", right);
            pair.world.run_for(seconds(400));
            check_outcome(pair, left, right);
            if (!pair.world.violations().empty()) return;
          }
        }
      }
    }
  }
  BOOST_TEST_MESSAGE(cases << " cases");
  BOOST_TEST(cases > 5U * 5U * distances.size());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(collisions)

BOOST_AUTO_TEST_CASE(every_deed_meets_every_other_at_every_distance_with_every_message_lost) { meet(false, {0, 5, 15, 25, 35}); }

BOOST_AUTO_TEST_CASE(every_deed_meets_every_other_with_additional_key_exchanges_too) { meet(true, {0, 5, 15, 25, 35, 45, 55}); }

BOOST_AUTO_TEST_SUITE_END()
