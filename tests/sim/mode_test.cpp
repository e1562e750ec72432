// SPDX-License-Identifier: Apache-2.0
// What a security-policy may be besides ESP in a tunnel: AH, transport mode, ESN in each order, passing and dropping, several selectors.
// RFC 7296 1.3.1, 2.9, 3.3.2; RFC 4301 4.1, 4.4.1; RFC 4302.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "sim/pair.h"
#include "sim/world/scripted_peer.h"

using namespace svti;
using namespace svti::sim;
using model::Mode;
using model::PolicyAction;
using sa::Notice;
using wire::EsnId;
using wire::ExchangeType;
using wire::TransformType;

namespace {

wire::Proposal ah_proposal(std::string_view integrity, std::vector<EsnId> esn = {EsnId::None}) {
  wire::Proposal out = esp_proposal("aes128-cbc/" + std::string(integrity));
  out.protocol = wire::ProtocolId::Ah;
  std::erase_if(out.transforms, [](const auto& one) { return one.type == TransformType::Encryption || one.type == TransformType::Esn; });
  for (const EsnId id : esn) out.transforms.push_back(wire::transform(TransformType::Esn, id));
  return out;
}

void use_ah(model::Vpn& vpn) {
  vpn.policies[0].action = PolicyAction::Ah;
  vpn.ipsec.esp_proposals.clear();
  vpn.ipsec.ah_proposals = {ah_proposal("hmac-sha256")};
}

// between the gateways themselves
void use_transport(model::Vpn& vpn) {
  vpn.policies[0].mode = Mode::Transport;
  vpn.policies[0].local_ts = {{}};
  vpn.policies[0].remote_ts = {{}};
}

const Packet kOuterToRight{address(kLeft), address(kRight)};
const Packet kOuterToLeft{address(kRight), address(kLeft)};

bool carries_outer(Pair& pair) {
  return pair.world.probe(pair.left, kOuterToRight) == Probe::Delivered && pair.world.probe(pair.right, kOuterToLeft) == Probe::Delivered;
}

std::string reason_of(const Node& node, Notice::Kind kind) {
  for (const Notice& notice : node.notices()) {
    if (notice.kind == kind) return notice.reason;
  }
  return "(no such notice)";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(modes)

BOOST_AUTO_TEST_CASE(ah_protects_the_traffic_of_a_policy_that_says_so_and_is_rekeyed_and_deleted_by_either_end) {
  Pair pair(use_ah, use_ah);
  pair.connect();
  for (Node* node : {&pair.left, &pair.right}) {
    const auto child = node->child_sas().at(0);
    BOOST_TEST((child.protocol == wire::ProtocolId::Ah));
    BOOST_TEST(child.transforms.size() == 2U);  // integrity and ESN: AH encrypts nothing
    for (const auto& [id, sa] : node->kernel().sad()) {
      BOOST_TEST((id.protocol == wire::ProtocolId::Ah));
      BOOST_TEST(sa.sa.encryption_key.size() == 0U);
      BOOST_TEST(sa.sa.integrity_key.size() == 32U);
    }
    for (const auto& [id, policy] : node->kernel().spd()) BOOST_TEST((policy.set.action == PolicyAction::Ah));
  }
  BOOST_TEST(pair.carries());
  for (Node* node : {&pair.left, &pair.right}) {
    const auto before = pair.left.child_sas()[0].spi_in;
    BOOST_TEST_REQUIRE(node->rekey(node == &pair.left ? "right" : "left", "net").has_value());
    pair.world.run_for(seconds(10));
    BOOST_TEST(pair.left.child_sas().at(0).spi_in != before);
    pair.check_one_pair();
  }
  BOOST_TEST_REQUIRE(pair.right.terminate("left", "net").has_value());
  pair.world.run_for(seconds(10));
  BOOST_TEST(pair.left.kernel().sad().empty());
  BOOST_TEST(pair.right.kernel().sad().empty());
}

BOOST_AUTO_TEST_CASE(ah_and_esp_have_no_proposal_in_common) {
  Pair pair(use_ah);
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(5));
  BOOST_TEST(pair.left.ike_sas().size() == 1U);
  BOOST_TEST(pair.left.child_sas().empty());
  BOOST_TEST(pair.right.kernel().sad().empty());
  BOOST_TEST(reason_of(pair.left, Notice::Kind::ChildFailed).find("NO_PROPOSAL_CHOSEN") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(ah_is_not_asked_for_behind_a_nat) {
  Pair pair(use_ah, [](model::Vpn& vpn) {
    use_ah(vpn);
    vpn.remote_address.reset();
  });
  pair.world.put_behind_nat(pair.left, address("203.0.113.9"));
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(5));
  BOOST_TEST(reason_of(pair.left, Notice::Kind::ChildFailed).find("AH cannot pass a NAT") != std::string::npos);
  BOOST_TEST(pair.left.kernel().sad().empty());
  BOOST_TEST(pair.right.kernel().sad().empty());
}

BOOST_AUTO_TEST_CASE(transport_mode_is_agreed_on_between_the_outer_addresses_and_kept_by_rekeys) {
  Pair pair(use_transport, use_transport);
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(5));
  for (int i = 0; i < 3; ++i) {
    for (Node* node : {&pair.left, &pair.right}) {
      BOOST_TEST_REQUIRE(node->child_sas().size() == 1U);
      BOOST_TEST((node->child_sas()[0].mode == Mode::Transport));
      for (const auto& [id, sa] : node->kernel().sad()) BOOST_TEST((sa.sa.mode == Mode::Transport));
      for (const auto& [id, policy] : node->kernel().spd()) {
        BOOST_TEST((policy.set.mode == Mode::Transport));
        BOOST_TEST((id.direction != model::Direction::Forward));
      }
    }
    BOOST_TEST(carries_outer(pair));
    BOOST_TEST_REQUIRE((i == 0 ? pair.left.rekey("right", "net") : pair.right.rekey("left", "net")).has_value());
    pair.world.run_for(seconds(10));
  }
}

// RFC 7296 2.23.1: each end knows the other by the address that it sees
BOOST_AUTO_TEST_CASE(transport_mode_passes_a_nat_on_either_side_and_is_rekeyed_by_either_end) {
  const IpAddress outside = address("203.0.113.9");
  for (const bool left_inside : {true, false}) {
    Pair pair(
        [&](model::Vpn& vpn) {
          use_transport(vpn);
          if (!left_inside) vpn.remote_address = outside;
        },
        [](model::Vpn& vpn) {
          use_transport(vpn);
          vpn.remote_address.reset();
        });
    pair.world.put_behind_nat(left_inside ? pair.left : pair.right, outside);
    if (!left_inside) pair.world.forward_ports(pair.right);
    BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
    pair.world.run_for(seconds(5));
    const Packet to_right{address(kLeft), left_inside ? address(kRight) : outside};
    const Packet to_left{address(kRight), left_inside ? outside : address(kLeft)};
    for (int i = 0; i < 3; ++i) {
      for (Node* node : {&pair.left, &pair.right}) {
        BOOST_TEST_REQUIRE(node->child_sas().size() == 1U);
        BOOST_TEST((node->child_sas()[0].mode == Mode::Transport));
      }
      BOOST_TEST((pair.world.probe(pair.left, to_right) == Probe::Delivered));
      BOOST_TEST((pair.world.probe(pair.right, to_left) == Probe::Delivered));
      BOOST_TEST_REQUIRE((i == 0 ? pair.left.rekey("right", "net") : pair.right.rekey("left", "net")).has_value());
      pair.world.run_for(seconds(10));
    }
    for (const std::string& violation : pair.world.violations()) BOOST_ERROR(violation);
  }
}

BOOST_AUTO_TEST_CASE(transport_mode_with_ah) {
  const Change both = [](model::Vpn& vpn) {
    use_ah(vpn);
    use_transport(vpn);
  };
  Pair pair(both, both);
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(5));
  BOOST_TEST(carries_outer(pair));
}

// RFC 7296 1.3.1: the initiator that cannot do with a tunnel deletes it
BOOST_AUTO_TEST_CASE(an_initiator_that_wants_transport_mode_and_gets_a_tunnel_deletes_it) {
  Pair pair(use_transport, [](model::Vpn& vpn) {
    use_transport(vpn);
    vpn.policies[0].mode = Mode::Tunnel;
  });
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(10));
  BOOST_TEST(reason_of(pair.left, Notice::Kind::ChildFailed).find("does not agree to transport mode") != std::string::npos);
  BOOST_TEST(pair.left.ike_sas().size() == 1U);
  for (Node* node : {&pair.left, &pair.right}) {
    BOOST_TEST(node->child_sas().empty());
    BOOST_TEST(node->kernel().sad().empty());
  }
  // the same in CREATE_CHILD_SA
  BOOST_TEST_REQUIRE(pair.left.initiate("right", "net").has_value());
  pair.world.run_for(seconds(10));
  BOOST_TEST(pair.right.child_sas().empty());
  BOOST_TEST(pair.right.kernel().sad().empty());
  BOOST_TEST(pair.right.count(Notice::Kind::ChildDown) == 2U);
}

BOOST_AUTO_TEST_CASE(a_responder_that_wants_transport_mode_makes_no_tunnel) {
  Pair pair(
      [](model::Vpn& vpn) {
        use_transport(vpn);
        vpn.policies[0].mode = Mode::Tunnel;
      },
      use_transport);
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(5));
  BOOST_TEST(reason_of(pair.left, Notice::Kind::ChildFailed).find("NO_PROPOSAL_CHOSEN") != std::string::npos);
  BOOST_TEST(pair.right.logged("the peer asks for tunnel mode"));
  BOOST_TEST(pair.right.kernel().sad().empty());
}

BOOST_AUTO_TEST_CASE(transport_mode_is_refused_for_addresses_behind_the_ends) {
  const Change wide = [](model::Vpn& vpn) { vpn.policies[0].mode = Mode::Transport; };
  Pair asking(wide, wide);
  BOOST_TEST_REQUIRE(asking.left.initiate("right").has_value());
  asking.world.run_for(seconds(5));
  BOOST_TEST(reason_of(asking.left, Notice::Kind::ChildFailed).find("transport mode is for traffic between") != std::string::npos);
  // a peer that asks for it all the same
  World world(3);
  Node& node = world.add("right", address(kRight), configuration({.vpns = {[&] {
                                                                    model::Vpn vpn = right_vpn();
                                                                    wide(vpn);
                                                                    return vpn;
                                                                  }()}}));
  SeededEntropy entropy(9);
  ScriptedPeer peer(entropy, {address(kLeft), 500}, {address(kRight), 500});
  BOOST_TEST_REQUIRE(peer.accept_init(node.inject(peer.init()).at(0).payload));
  auto payloads = peer.auth_payloads();
  payloads.push_back(wire::NotifyPayload{wire::NotifyType::UseTransportMode, wire::ProtocolId::None, {}, {}});
  const auto answer = peer.open(node.inject(peer.request(ExchangeType::IkeAuth, payloads)).at(0).payload);
  BOOST_TEST_REQUIRE(answer.has_value());
  BOOST_TEST(has_notify(*answer, wire::NotifyType::NoProposalChosen));
  BOOST_TEST(node.kernel().sad().empty());
}

// esn: true is required, false is refused, both are taken in order. The responder's order decides.
struct Esn {
  std::vector<EsnId> left, right;
  int outcome;  // 0, 1; -1: nothing in common
};
std::ostream& operator<<(std::ostream& out, const Esn& one) { return out << one.left.size() << " and " << one.right.size(); }
const std::vector<Esn> kEsn = {
    {{EsnId::Esn}, {EsnId::Esn}, 1},
    {{EsnId::None}, {EsnId::None}, 0},
    {{EsnId::Esn}, {EsnId::None}, -1},
    {{EsnId::None}, {EsnId::Esn}, -1},
    {{EsnId::Esn, EsnId::None}, {EsnId::None}, 0},
    {{EsnId::Esn, EsnId::None}, {EsnId::Esn}, 1},
    {{EsnId::Esn, EsnId::None}, {EsnId::None, EsnId::Esn}, 0},
    {{EsnId::None, EsnId::Esn}, {EsnId::Esn, EsnId::None}, 1},
};
BOOST_DATA_TEST_CASE(esn_is_required_refused_or_either_in_order,
                     boost::unit_test::data::make(kEsn) * boost::unit_test::data::make({false, true}), esn, ah) {
  const auto with = [ah](std::vector<EsnId> ids) {
    return [=](model::Vpn& vpn) {
      if (ah) {
        use_ah(vpn);
        vpn.ipsec.ah_proposals = {ah_proposal("hmac-sha256", ids)};
        return;
      }
      auto& transforms = vpn.ipsec.esp_proposals[0].transforms;
      std::erase_if(transforms, [](const auto& one) { return one.type == TransformType::Esn; });
      for (const EsnId id : ids) transforms.push_back(wire::transform(TransformType::Esn, id));
    };
  };
  Pair pair(with(esn.left), with(esn.right));
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(5));
  if (esn.outcome < 0) {
    BOOST_TEST(pair.left.child_sas().empty());
    BOOST_TEST(pair.right.kernel().sad().empty());
    return;
  }
  for (Node* node : {&pair.left, &pair.right}) {
    BOOST_TEST_REQUIRE(node->child_sas().size() == 1U);
    BOOST_TEST(node->child_sas()[0].esn == (esn.outcome == 1));
    for (const auto& [id, sa] : node->kernel().sad()) BOOST_TEST(sa.sa.esn == (esn.outcome == 1));
  }
  BOOST_TEST(pair.carries());
}

BOOST_AUTO_TEST_CASE(policies_that_pass_or_drop_stand_while_their_vpn_is_configured_and_no_peer_hears_of_them) {
  Pair pair([](model::Vpn& vpn) {
    model::SecurityPolicy pass = security_policy("printer", "10.1.0.0/24", "10.2.0.9/32");
    pass.action = PolicyAction::Pass;
    pass.svti_id_in = pass.svti_id_out = 0;
    model::SecurityPolicy drop = security_policy("never", "10.1.0.66/32", "10.2.0.0/24");
    drop.action = PolicyAction::Drop;
    vpn.policies.insert(vpn.policies.begin(), {pass, drop});
  });
  const Packet printer{address("10.1.0.1"), address("10.2.0.9")}, never{address("10.1.0.66"), address("10.2.0.1")};
  BOOST_TEST((pair.world.probe(pair.left, printer) == Probe::Clear));
  BOOST_TEST((pair.world.probe(pair.left, never) == Probe::Dropped));
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  BOOST_TEST(!pair.left.initiate("right", "never").has_value());
  pair.world.run_for(seconds(5));
  BOOST_TEST(pair.left.child_sas().size() == 1U);
  BOOST_TEST(pair.right.child_sas().size() == 1U);
  BOOST_TEST(pair.carries());
  BOOST_TEST((pair.world.probe(pair.left, never) == Probe::Dropped));
  pair.left.apply(configuration({.vpns = {left_vpn()}}));
  pair.world.run_for(seconds(20));
  for (const auto& [id, policy] : pair.left.kernel().spd()) BOOST_TEST((policy.set.action == PolicyAction::Esp));
  pair.left.close();
  pair.right.close();
  pair.world.run_for(seconds(20));
  pair.check_nothing_left();
}

// a request whose selectors only a policy that passes covers
BOOST_AUTO_TEST_CASE(a_policy_that_passes_or_drops_is_no_answer_to_a_peer) {
  for (const PolicyAction action : {PolicyAction::Pass, PolicyAction::Drop}) {
    Pair pair({}, [=](model::Vpn& vpn) {
      vpn.policies[0].action = action;
      vpn.policies[0].svti_id_in = vpn.policies[0].svti_id_out = 0;
    });
    BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
    pair.world.run_for(seconds(5));
    BOOST_TEST(reason_of(pair.left, Notice::Kind::ChildFailed).find("TS_UNACCEPTABLE") != std::string::npos);
    BOOST_TEST(pair.right.kernel().sad().empty());
    BOOST_TEST_REQUIRE(!pair.right.explanations().empty());
    BOOST_TEST(pair.right.explanations().back().advice.leaf == "vpn left security-policy net action");
  }
}

// Each side's selectors fit, and no packet could have both.
BOOST_AUTO_TEST_CASE(selectors_of_which_no_policy_comes_are_refused_and_the_advice_says_why) {
  const auto change = [](bool at_left) {
    return [at_left](model::Vpn& vpn) {
      auto& policy = vpn.policies[0];
      (at_left ? policy.local_ts : policy.remote_ts)[0].subnet = prefix("10.1.0.0/24");
      (at_left ? policy.remote_ts : policy.local_ts)[0].subnet = prefix("2001:db8:2::/48");
    };
  };
  Pair pair(change(true), change(false));
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(5));
  BOOST_TEST(pair.left.child_sas().empty());
  BOOST_TEST(pair.right.child_sas().empty());
  BOOST_TEST(pair.right.kernel().sad().empty());
  std::string leaves, advice;
  for (const auto& why : pair.right.explanations()) leaves += why.advice.leaf + "\n", advice += why.advice.text + "\n";
  BOOST_TEST(leaves.find("vpn left security-policy net\n") != std::string::npos, leaves);
  BOOST_TEST(advice.find("addresses of the same families") != std::string::npos, advice);
}

// several selectors with ranges, protocols, ports and ICMP types, narrowed by the responder; a policy for each pair
BOOST_AUTO_TEST_CASE(several_selectors_with_protocols_and_ports_are_narrowed_one_by_one) {
  const auto selector = [](std::string_view subnet, std::uint8_t protocol = 0, std::uint16_t first = 0, std::uint16_t last = 65535) {
    return model::SelectorConfig{prefix(subnet), protocol, first, last};
  };
  Pair pair(
      [&](model::Vpn& vpn) {
        vpn.policies[0].local_ts = {selector("10.1.0.0/24"), selector("2001:db8:1::/48")};
        vpn.policies[0].remote_ts = {selector("10.2.0.0/16"), selector("2001:db8:2::/48")};
      },
      [&](model::Vpn& vpn) {
        vpn.policies[0].local_ts = {selector("10.2.0.0/24", 6, 80, 80), selector("10.2.1.0/24", 17, 5000, 5007),
                                    selector("10.2.2.0/24", 1, 0x0800, 0x08ff), selector("2001:db8:2::/48")};
        vpn.policies[0].remote_ts = {selector("10.1.0.0/24"), selector("2001:db8:1::/48")};
      });
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(5));
  BOOST_TEST_REQUIRE(pair.left.child_sas().size() == 1U);
  BOOST_TEST_REQUIRE(pair.right.child_sas().size() == 1U);
  BOOST_TEST((pair.left.child_sas()[0].remote_ts == pair.right.child_sas()[0].local_ts));
  BOOST_TEST(pair.left.child_sas()[0].remote_ts.size() == 4U);
  std::size_t out = 0;
  for (const auto& [id, policy] : pair.left.kernel().spd()) out += id.direction == model::Direction::Out;
  BOOST_TEST(out == 4U);  // each pair of one family
  BOOST_TEST((pair.world.probe(pair.left, {address("2001:db8:1::1"), address("2001:db8:2::1")}) == Probe::Delivered));
}

BOOST_AUTO_TEST_SUITE_END()
