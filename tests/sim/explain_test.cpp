// SPDX-License-Identifier: Apache-2.0
// Broken pairs of configurations: each side must name the right first cause, and the leaf to change.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <optional>

#include "sim/pair.h"

using namespace svti;
using namespace svti::sim;
using model::Cause;
using model::Explanation;

namespace {

struct Expected {
  Cause cause{};
  std::string leaf;
};

// `left` initiates; its VPN is called "right", and the other's "left".
struct Broken {
  std::string name;
  std::function<void(ConfigurationParts& left, ConfigurationParts& right)> breaks;
  Expected at_left;
  std::optional<Expected> at_right;     // nothing: it cannot know
  bool rekey = false;                   // it shows when the CHILD SA is rekeyed
  Duration within = milliseconds(500);  // less than what would be tried next
};
std::ostream& operator<<(std::ostream& out, const Broken& one) { return out << one.name; }

model::Vpn& vpn_of(ConfigurationParts& parts) { return parts.vpns.front(); }

auto ike(std::vector<std::string> left, std::vector<std::string> right) {
  return [=](ConfigurationParts& at_left, ConfigurationParts& at_right) {
    const auto set = [](model::Vpn& vpn, const std::vector<std::string>& words) {
      vpn.ike.proposals.clear();
      for (const std::string& one : words)
        vpn.ike.proposals.push_back(ike_proposal(one, static_cast<std::uint8_t>(vpn.ike.proposals.size() + 1)));
    };
    set(vpn_of(at_left), left);
    set(vpn_of(at_right), right);
  };
}

auto esp(std::string left, std::string right) {
  return [=](ConfigurationParts& at_left, ConfigurationParts& at_right) {
    vpn_of(at_left).ipsec.esp_proposals = {esp_proposal(left)};
    vpn_of(at_right).ipsec.esp_proposals = {esp_proposal(right)};
  };
}

auto both(std::function<void(model::Vpn&)> left, std::function<void(model::Vpn&)> right) {
  return [=](ConfigurationParts& at_left, ConfigurationParts& at_right) {
    if (left) left(vpn_of(at_left));
    if (right) right(vpn_of(at_right));
  };
}

auto ids(std::string left_id, std::string left_expects, std::string right_id, std::string right_expects) {
  const auto set = [](model::Vpn& vpn, const std::string& own, const std::string& other) {
    if (!own.empty()) vpn.local_id = identity(own);
    if (!other.empty()) vpn.remote_id = identity(other);
  };
  return both([=](model::Vpn& vpn) { set(vpn, left_id, left_expects); }, [=](model::Vpn& vpn) { set(vpn, right_id, right_expects); });
}

auto keys(std::string_view left, std::string_view right) {
  return [=](ConfigurationParts& at_left, ConfigurationParts& at_right) {
    at_left.secret = left;
    at_right.secret = right;
  };
}

model::SelectorConfig selector(std::string_view subnet, std::uint8_t protocol, std::uint16_t port = 0) {
  return {prefix(subnet), protocol, port, port == 0 ? std::uint16_t{65535} : port};
}

auto esn(bool left, bool right) {
  return both([=](model::Vpn& vpn) { vpn.ipsec.esp_proposals[0].transforms.back().id = left; },
              [=](model::Vpn& vpn) { vpn.ipsec.esp_proposals[0].transforms.back().id = right; });
}

const Expected kOffer{Cause::IkeProposal, "vpn right ike-policy ike-proposal"};
const Expected kEspOffer{Cause::ChildProposal, "vpn right ipsec-policy esp-proposal"};
const Expected kNotAccepted{Cause::Authentication, "vpn right local-id"};
const Expected kAsked{Cause::TrafficSelectors, "vpn right security-policy net"};
const Expected kPfs{Cause::PfsGroup, "vpn right ipsec-policy esp-proposal 1 dh-group"};

std::vector<Broken> broken_pairs() {
  const std::string gcm = "aes128-gcm-128/hmac-sha256/curve25519";
  const std::string here = "vpn left ike-policy ike-proposal", child = "vpn left ipsec-policy esp-proposal";
  const std::string net = "vpn left security-policy net ";
  const auto policy = [](model::Vpn& vpn) -> model::SecurityPolicy& { return vpn.policies.front(); };
  return {
      // IKE_SA_INIT
      {"ike encryption", ike({"aes256-cbc/hmac-sha256/curve25519"}, {"aes128-cbc/hmac-sha256/curve25519"}), kOffer,
       Expected{Cause::IkeProposal, here + " 1 enc-alg"}},
      {"ike integrity", ike({"aes128-cbc/hmac-sha256/curve25519"}, {"aes128-cbc/hmac-sha512/curve25519"}), kOffer,
       Expected{Cause::IkeProposal, here + " 1 auth-alg"}},
      {"ike prf", ike({gcm}, {"aes128-gcm-128/hmac-sha512/curve25519"}), kOffer, Expected{Cause::IkeProposal, here + " 1 prf-alg"}},
      {"ike group", ike({gcm}, {"aes128-gcm-128/hmac-sha256/ecp256"}), kOffer, Expected{Cause::IkeProposal, here + " 1 dh-group"}},
      {"ike key length", ike({gcm}, {"aes256-gcm-128/hmac-sha256/curve25519"}), kOffer, Expected{Cause::IkeProposal, here + " 1 aead-alg"}},
      {"ike AEAD and CBC", ike({gcm}, {"aes128-cbc/hmac-sha256/curve25519"}), kOffer, Expected{Cause::IkeProposal, here}},
      {"several ike proposals: the closest pair counts",
       ike({"aes256-gcm-128/hmac-sha256/ecp256", "aes128-cbc/hmac-sha256/ecp256"},
           {"aes256-gcm-64/hmac-sha512/curve25519", "aes128-cbc/hmac-sha256/curve25519"}),
       kOffer, Expected{Cause::IkeProposal, here + " 2 dh-group"}},
      {"remote address", both({}, [](model::Vpn& vpn) { vpn.remote_address = address("192.0.2.9"); }), kOffer,
       Expected{Cause::NoVpn, "vpn left remote-address"}},
      {"local address", both({}, [](model::Vpn& vpn) { vpn.local_address = address("192.0.2.77"); }), kOffer,
       Expected{Cause::NoVpn, "vpn left local-address"}},
      {"version", both({}, [](model::Vpn& vpn) { vpn.version = 1; }), kOffer, Expected{Cause::Version, "vpn left version"}},
      {"nobody there", both([](model::Vpn& vpn) { vpn.remote_address = address("192.0.2.50"); }, {}),
       Expected{Cause::NoAnswer, "vpn right remote-address"}, std::nullopt, false, seconds(200)},
      // IKE_AUTH
      {"initiator's identity", ids("a.example", "", "", "b.example"), kNotAccepted, Expected{Cause::RemoteId, "vpn left remote-id"}},
      {"identity of another type", ids("a@b.example", "", "", "b.example"), kNotAccepted, Expected{Cause::RemoteId, "vpn left remote-id"}},
      {"address where a name is expected", ids("", "", "", "b.example"), kNotAccepted, Expected{Cause::RemoteId, "vpn left remote-id"}},
      {"responder asked to be another", ids("", "x.example", "y.example", ""), kNotAccepted, Expected{Cause::LocalId, "vpn left local-id"}},
      {"responder is another", ids("", "*.b.example", "gw.c.example", ""), Expected{Cause::RemoteId, "vpn right remote-id"},
       Expected{Cause::Authentication, "vpn left local-id"}},
      {"any address, another identity",
       [](ConfigurationParts& left, ConfigurationParts& right) {
         vpn_of(left).local_id = identity("a.example");
         vpn_of(right).remote_address.reset();
         vpn_of(right).remote_id = identity("b.example");
       },
       kNotAccepted, Expected{Cause::RemoteId, "vpn left remote-id"}},
      {"secrets differ", keys("correct horse", "battery staple"), kNotAccepted, Expected{Cause::WrongKey, "pre-shared-key default secret"}},
      {"responder has no key", keys("correct horse", ""), kNotAccepted, Expected{Cause::NoKey, "pre-shared-key"}},
      {"initiator has no key", keys("", "correct horse"), Expected{Cause::NoKey, "pre-shared-key"}, std::nullopt},
      // the CHILD SA of IKE_AUTH
      {"esp encryption", esp("aes256-cbc/hmac-sha256", "aes128-cbc/hmac-sha256"), kEspOffer,
       Expected{Cause::ChildProposal, child + " 1 enc-alg"}},
      {"esp integrity", esp("aes128-cbc/hmac-sha256", "aes128-cbc/hmac-sha512"), kEspOffer,
       Expected{Cause::ChildProposal, child + " 1 auth-alg"}},
      {"esp key length", esp("aes128-gcm-128", "aes256-gcm-128"), kEspOffer, Expected{Cause::ChildProposal, child + " 1 aead-alg"}},
      {"esp AEAD and CBC", esp("aes128-gcm-128", "aes128-cbc/hmac-sha256"), kEspOffer, Expected{Cause::ChildProposal, child}},
      {"esp extended sequence numbers", esn(true, false), kEspOffer, Expected{Cause::ChildProposal, child + " 1 esn"}},
      {"their local subnet", both([=](model::Vpn& vpn) { policy(vpn).remote_ts = {{prefix("10.9.0.0/24")}}; }, {}), kAsked,
       Expected{Cause::TrafficSelectors, net + "local-ts subnet"}},
      {"their remote subnet", both([=](model::Vpn& vpn) { policy(vpn).local_ts = {{prefix("10.8.0.0/24")}}; }, {}), kAsked,
       Expected{Cause::TrafficSelectors, net + "remote-ts subnet"}},
      {"selector protocol",
       both([=](model::Vpn& vpn) { policy(vpn).remote_ts = {selector("10.2.0.0/24", 6)}; },
            [=](model::Vpn& vpn) { policy(vpn).local_ts = {selector("10.2.0.0/24", 17)}; }),
       kAsked, Expected{Cause::TrafficSelectors, net + "local-ts protocol"}},
      {"selector port",
       both([=](model::Vpn& vpn) { policy(vpn).remote_ts = {selector("10.2.0.0/24", 6, 80)}; },
            [=](model::Vpn& vpn) { policy(vpn).local_ts = {selector("10.2.0.0/24", 6, 443)}; }),
       kAsked, Expected{Cause::TrafficSelectors, net + "local-ts port"}},
      {"no security-policy", both({}, [](model::Vpn& vpn) { vpn.policies.clear(); }), kAsked,
       Expected{Cause::TrafficSelectors, "vpn left security-policy"}},
      // CREATE_CHILD_SA
      {"pfs at the initiator alone", esp("aes128-gcm-128/curve25519", "aes128-gcm-128"), kPfs,
       Expected{Cause::PfsGroup, child + " 1 dh-group"}, true},
      {"pfs at the responder alone", esp("aes128-gcm-128", "aes128-gcm-128/curve25519"), kPfs,
       Expected{Cause::PfsGroup, child + " 1 dh-group"}, true},
      {"pfs groups", esp("aes128-gcm-128/curve25519", "aes128-gcm-128/ecp256"), kPfs, Expected{Cause::PfsGroup, child + " 1 dh-group"},
       true},
      {"a second security-policy",
       both([](model::Vpn& vpn) { vpn.policies.push_back(security_policy("voice", "10.11.0.0/24", "10.12.0.0/24")); }, {}),
       Expected{Cause::TrafficSelectors, "vpn right security-policy voice"}, Expected{Cause::TrafficSelectors, net + "local-ts subnet"}},
  };
}

const Explanation* last_failure(const Node& node) {
  const Explanation* out = nullptr;
  for (const Explanation& one : node.explanations()) {
    // what is told of a VPN comes before what is told of a stranger
    if (!one.succeeded && (out == nullptr || !one.vpn.empty() || out->vpn.empty())) out = &one;
  }
  return out;
}

std::string text_of(const Explanation& one) {
  std::string out = one.reason + "|" + one.local_id + "|" + one.remote_id + "|" + one.advice.leaf + "|" + one.advice.text;
  for (const model::ComparisonTable& table : one.tables) {
    out += "|" + table.title;
    for (const model::Comparison& row : table.rows) out += "|" + row.what + "|" + row.ours + "|" + row.theirs;
  }
  for (const model::RejectedVpn& vpn : one.rejected) out += "|" + vpn.vpn + "|" + vpn.ours + "|" + vpn.theirs;
  return out;
}

void check(const Node& node, const std::optional<Expected>& expected) {
  const Explanation* why = last_failure(node);
  if (!expected) {
    BOOST_TEST((why == nullptr));
    return;
  }
  BOOST_TEST_REQUIRE((why != nullptr), node.name() << " explains nothing");
  const auto name = [](Cause cause) { return std::string(model::kCauseNames[static_cast<std::size_t>(cause)]); };
  BOOST_TEST(name(why->cause) == name(expected->cause), node.name() << ": " << why->reason);
  BOOST_TEST(why->advice.leaf == expected->leaf);
  BOOST_TEST(!why->advice.text.empty());
  BOOST_TEST(!why->reason.empty());
  BOOST_TEST(!why->exchange.empty());
  for (const std::string_view secret : {"correct horse", "battery staple"}) BOOST_TEST((text_of(*why).find(secret) == std::string::npos));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(explain)

BOOST_DATA_TEST_CASE(a_broken_pair_names_its_first_cause_at_both_ends, boost::unit_test::data::make(broken_pairs()), broken) {
  ConfigurationParts of_left{.vpns = {left_vpn()}}, of_right{.vpns = {right_vpn()}};
  broken.breaks(of_left, of_right);
  Pair pair(std::move(of_left), std::move(of_right));
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  if (broken.rekey) {
    pair.world.run_for(seconds(1));
    BOOST_TEST_REQUIRE(pair.left.child_sas().size() == 1U);
    BOOST_TEST((last_failure(pair.left) == nullptr));
    BOOST_TEST_REQUIRE(pair.left.rekey("right", "net").has_value());
  }
  pair.world.run_for(broken.within);
  check(pair.left, broken.at_left);
  check(pair.right, broken.at_right);
}

BOOST_AUTO_TEST_CASE(success_is_told_too) {
  Pair pair;
  pair.connect();
  for (const Node* node : {&pair.left, &pair.right}) {
    BOOST_TEST_REQUIRE(node->explanations().size() == 2U);
    for (const Explanation& one : node->explanations()) {
      BOOST_TEST(one.succeeded);
      BOOST_TEST(one.authenticated);
      BOOST_TEST(one.exchange == "IKE_AUTH");
      BOOST_TEST_REQUIRE(one.tables.size() == 1U);
    }
    BOOST_TEST(node->explanations()[1].policy == "net");
  }
  BOOST_TEST(pair.left.explanations()[0].initiator);
  BOOST_TEST(!pair.right.explanations()[0].initiator);
}

BOOST_AUTO_TEST_CASE(proposals_stand_side_by_side_and_the_first_that_fails_is_marked) {
  ConfigurationParts of_left{.vpns = {left_vpn()}}, of_right{.vpns = {right_vpn()}};
  ike({"aes256-cbc/hmac-sha256/curve25519"}, {"aes128-cbc/hmac-sha256/curve25519"})(of_left, of_right);
  vpn_of(of_right).ike.labels = {{30}};
  Pair pair(std::move(of_left), std::move(of_right));
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(1));
  const Explanation& why = *last_failure(pair.right);
  BOOST_TEST_REQUIRE(why.tables.size() == 1U);
  const auto& rows = why.tables[0].rows;
  BOOST_TEST(why.tables[0].title == "vpn left ike-policy ike-proposal 30 with the peer's proposal 1");
  BOOST_TEST_REQUIRE(rows.size() == 4U);
  BOOST_TEST(rows[0].what == "encryption algorithm");
  BOOST_TEST(rows[0].ours == "aes128-cbc");
  BOOST_TEST(rows[0].theirs == "aes256-cbc");
  BOOST_TEST((rows[0].verdict == model::Verdict::Fails));
  for (std::size_t i = 1; i < rows.size(); ++i) BOOST_TEST((rows[i].verdict == model::Verdict::Fits));
  BOOST_TEST(!why.authenticated);
  // the initiator knows its own half
  BOOST_TEST((last_failure(pair.left)->tables[0].rows[0].verdict == model::Verdict::Unknown));
}

BOOST_AUTO_TEST_CASE(no_answer_says_what_was_sent_and_what_came_back) {
  Pair pair([](model::Vpn& vpn) { vpn.remote_address = address("192.0.2.50"); });
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(1));
  pair.left.act([&](sa::Core& core, TimePoint now, sa::Effects&) {
    core.returned({address("192.0.2.50"), 500}, "Connection refused\x1b[2J", now);
  });
  pair.world.run_for(seconds(200));
  const Explanation* why = last_failure(pair.left);
  BOOST_TEST_REQUIRE((why != nullptr && why->sent.has_value()));
  BOOST_TEST(why->sent->exchange == "IKE_SA_INIT");
  BOOST_TEST(why->sent->to.to_string() == "192.0.2.50:500");
  BOOST_TEST(why->sent->times == 6U);
  BOOST_TEST(why->sent->over.count() == 165);
  BOOST_TEST(why->sent->icmp == "Connection refused\\x1b[2J");
}

BOOST_AUTO_TEST_CASE(an_ike_auth_that_is_lost_is_told_apart) {
  Pair pair;
  pair.world.lose = [](const Node&, const wire::Header& header, const model::Datagram&) {
    return header.exchange == wire::ExchangeType::IkeAuth;
  };
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(200));
  BOOST_TEST((last_failure(pair.left)->cause == Cause::NoAnswer));
  BOOST_TEST(last_failure(pair.left)->exchange == "IKE_AUTH");
  BOOST_TEST_REQUIRE((last_failure(pair.right) != nullptr));
  BOOST_TEST((last_failure(pair.right)->cause == Cause::NoAnswer));
  BOOST_TEST(last_failure(pair.right)->vpn == "left");
}

BOOST_AUTO_TEST_CASE(a_refusal_of_the_kernel_is_told_after_the_success) {
  Pair pair;
  pair.connect();
  const std::uint32_t child = pair.left.child_sas()[0].unique_id;
  pair.left.act(
      [&](sa::Core& core, TimePoint now, sa::Effects& out) { core.install_failed(child, "No such file or directory", now, out); });
  const Explanation* why = last_failure(pair.left);
  BOOST_TEST_REQUIRE((why != nullptr));
  BOOST_TEST((why->cause == Cause::Kernel));
  BOOST_TEST(why->policy == "net");
  BOOST_TEST(why->advice.leaf == "vpn right ipsec-policy esp-proposal");
}

BOOST_AUTO_TEST_CASE(a_stranger_is_told_why_each_vpn_did_not_match) {
  ConfigurationParts of_right{.vpns = {right_vpn()}};
  vpn_of(of_right).remote_address = address("192.0.2.9");
  for (int i = 0; i < 40; ++i) {
    of_right.vpns.push_back(right_vpn());
    of_right.vpns.back().name = "other" + std::to_string(i);
    of_right.vpns.back().local_address = address("192.0.2.77");
    of_right.vpns.back().remote_address = address("192.0.2.9");
  }
  Pair pair({.vpns = {left_vpn()}}, std::move(of_right));
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(1));
  BOOST_TEST_REQUIRE(pair.right.explanations().size() == 1U);
  const Explanation& why = pair.right.explanations()[0];
  BOOST_TEST(why.vpn.empty());
  BOOST_TEST(why.rejected.size() == model::kMaxRejectedVpns);
  BOOST_TEST(why.rejected_more == 41U - model::kMaxRejectedVpns);
  // the one where only one thing is wrong is the closest
  BOOST_TEST(why.rejected[0].vpn == "left");
  BOOST_TEST(why.rejected[0].leaf == "remote-address");
  BOOST_TEST(why.rejected[0].ours == "192.0.2.9");
  BOOST_TEST(why.rejected[0].theirs == "192.0.2.1");
}

// 64 proposals of 255 transforms, names and selectors as long as they may be: what is remembered stays small
BOOST_AUTO_TEST_CASE(what_a_peer_sends_is_bounded) {
  ConfigurationParts of_left{.vpns = {left_vpn()}}, of_right{.vpns = {right_vpn()}};
  model::Vpn& left = vpn_of(of_left);
  left.ike.proposals.clear();
  for (std::uint8_t i = 1; i <= 64; ++i) {
    left.ike.proposals.push_back(ike_proposal("aes256-cbc/hmac-sha256/curve25519", i));
    for (std::uint16_t k = 0; k < 60; ++k)
      left.ike.proposals.back().transforms.push_back({wire::TransformType::Encryption, static_cast<std::uint16_t>(1000 + k), 0, false});
  }
  Pair pair(std::move(of_left), std::move(of_right));
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(1));
  BOOST_TEST_REQUIRE((last_failure(pair.right) != nullptr));
  const Explanation& why = *last_failure(pair.right);
  BOOST_TEST(why.tables.size() == model::kMaxTables);
  for (const model::ComparisonTable& table : why.tables) {
    BOOST_TEST(table.rows.size() <= model::kMaxRows);
    for (const model::Comparison& row : table.rows) BOOST_TEST(row.theirs.size() <= model::kMaxValueText);
  }
}

BOOST_AUTO_TEST_SUITE_END()
