// SPDX-License-Identifier: Apache-2.0
// Proposals, traffic selectors, message rules and the choice of a VPN. RFC 7296 1.2, 2.5, 2.7, 2.9, 3.3.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include "model/algorithm.h"
#include "sa/message_rules.h"
#include "sa/proposal.h"
#include "sa/selectors.h"
#include "sa/vpn_index.h"
#include "sim/world/configurations.h"

using namespace svti;
using namespace svti::sa;
using namespace svti::sim;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;
using wire::ProtocolId;
using wire::TransformType;

namespace {

std::vector<wire::Proposal> esp(std::initializer_list<const char*> list) {
  std::vector<wire::Proposal> out;
  for (const char* words : list) out.push_back(esp_proposal(words, static_cast<std::uint8_t>(out.size() + 1)));
  return out;
}

std::string chosen(const std::vector<wire::Proposal>& ours, const std::vector<wire::Proposal>& theirs,
                   KeyExchangeUse ke = KeyExchangeUse::Negotiate) {
  const auto choice = choose_proposal(ours, theirs, ke);
  return choice ? to_string(*choice) : "none";
}

Selectors selectors(std::initializer_list<const char*> list) {
  Selectors out;
  for (const char* text : list) out.push_back(wire::TrafficSelector::of(prefix(text)));
  return out;
}

const Selectors kTcp80 = {wire::TrafficSelector::of(prefix("10.1.0.0/16"), 6, 80, 80)};

}  // namespace

BOOST_AUTO_TEST_SUITE(proposals)

BOOST_AUTO_TEST_CASE(the_first_of_our_proposals_that_the_peer_can_meet_is_chosen_with_its_number) {
  const auto ours = esp({"aes256-gcm-128", "aes128-cbc/hmac-sha256"});
  const auto theirs = esp({"aes128-cbc/hmac-sha256", "aes256-gcm-128"});
  const auto choice = choose_proposal(ours, theirs, KeyExchangeUse::Negotiate);
  BOOST_TEST_REQUIRE(choice.has_value());
  BOOST_TEST(to_string(*choice) == "aes256-gcm-128");
  BOOST_TEST(choice->number == 2);
}

BOOST_AUTO_TEST_CASE(within_a_proposal_our_order_decides_and_one_transform_of_each_type_is_left) {
  const auto ours = esp({"aes256-cbc,aes128-cbc/hmac-sha512,hmac-sha256"});
  const auto theirs = esp({"aes128-cbc,aes256-cbc/hmac-sha256,hmac-sha512"});
  BOOST_TEST(chosen(ours, theirs) == "aes256-cbc/hmac-sha512");
  BOOST_TEST(choose_proposal(ours, theirs, KeyExchangeUse::Negotiate)->transforms.size() == 3U);
}

BOOST_AUTO_TEST_CASE(key_length_is_part_of_the_transform) {
  BOOST_TEST(chosen(esp({"aes256-cbc/hmac-sha256"}), esp({"aes128-cbc/hmac-sha256"})) == "none");
}

BOOST_AUTO_TEST_CASE(pfs_on_one_side_alone_does_not_fit_but_in_ike_auth_it_is_not_looked_at) {
  const auto with = esp({"aes128-gcm-128/curve25519"});
  const auto without = esp({"aes128-gcm-128"});
  BOOST_TEST(chosen(with, without) == "none");
  BOOST_TEST(chosen(without, with) == "none");
  BOOST_TEST(chosen(with, without, KeyExchangeUse::Ignore) == "aes128-gcm-128");
  BOOST_TEST(chosen(with, with, KeyExchangeUse::Ignore) == "aes128-gcm-128");
}

BOOST_AUTO_TEST_CASE(none_as_a_group_makes_pfs_optional) {
  auto optional = esp({"aes128-gcm-128/curve25519"});
  optional[0].transforms.push_back(wire::transform(TransformType::KeyExchange, wire::KeGroup::None));
  BOOST_TEST(chosen(esp({"aes128-gcm-128"}), optional) == "aes128-gcm-128");
  BOOST_TEST(chosen(esp({"aes128-gcm-128/curve25519"}), optional) == "aes128-gcm-128/curve25519");
}

BOOST_AUTO_TEST_CASE(a_transform_type_that_is_not_known_spoils_its_proposal_alone) {
  auto theirs = esp({"aes128-gcm-128", "aes256-gcm-128"});
  theirs[0].transforms.push_back({static_cast<TransformType>(77), 1, 0, false});
  BOOST_TEST(chosen(esp({"aes128-gcm-128", "aes256-gcm-128"}), theirs) == "aes256-gcm-128");
}

BOOST_AUTO_TEST_CASE(a_transform_with_an_attribute_that_is_not_known_is_not_chosen) {
  auto theirs = esp({"aes128-gcm-128"});
  for (auto& transform : theirs[0].transforms) {
    if (transform.type == TransformType::Encryption) transform.unknown_attribute = true;
  }
  BOOST_TEST(chosen(esp({"aes128-gcm-128"}), theirs) == "none");
}

BOOST_AUTO_TEST_CASE(a_peer_that_leaves_the_esn_transform_out_means_32_bit_numbers) {
  auto theirs = esp({"aes128-gcm-128"});
  std::erase_if(theirs[0].transforms, [](const auto& transform) { return transform.type == TransformType::Esn; });
  BOOST_TEST(chosen(esp({"aes128-gcm-128"}), theirs) == "aes128-gcm-128");
}

BOOST_AUTO_TEST_CASE(an_answer_must_be_one_choice_out_of_the_offer) {
  const auto offered = esp({"aes128-cbc,aes256-cbc/hmac-sha256", "aes128-gcm-128"});
  const auto accepts = [&](wire::Proposal answer) { return accept_choice(offered, answer, KeyExchangeUse::Negotiate).has_value(); };
  BOOST_TEST(accepts(esp_proposal("aes256-cbc/hmac-sha256", 1)));
  BOOST_TEST(accepts(esp_proposal("aes128-gcm-128", 2)));
  BOOST_TEST(!accepts(esp_proposal("aes128-gcm-128", 1)));                     // of the other proposal
  BOOST_TEST(!accepts(esp_proposal("aes128-cbc,aes256-cbc/hmac-sha256", 1)));  // no choice
  BOOST_TEST(!accepts(esp_proposal("aes256-cbc/hmac-sha512", 1)));
  BOOST_TEST(!accepts(esp_proposal("aes256-cbc/hmac-sha256", 3)));
  auto stripped = esp_proposal("aes256-cbc/hmac-sha256", 1);
  std::erase_if(stripped.transforms, [](const auto& transform) { return transform.type == TransformType::Integrity; });
  BOOST_TEST(!accepts(stripped));  // downgraded to no integrity
}

BOOST_AUTO_TEST_CASE(the_explanation_names_the_first_type_without_anything_in_common) {
  const auto why = [](const char* ours, const char* theirs) {
    return explain_mismatch(esp({ours}), esp({theirs}), KeyExchangeUse::Negotiate);
  };
  BOOST_TEST(why("aes128-cbc/hmac-sha256", "aes128-cbc/hmac-sha512").find("no integrity algorithm in common") != std::string::npos);
  BOOST_TEST(why("aes128-gcm-128/ecp256", "aes128-gcm-128/ecp384").find("no key exchange group in common") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(traffic_selectors)

BOOST_AUTO_TEST_CASE(narrowing_leaves_what_both_cover_and_nothing_twice) {
  BOOST_TEST(to_string(narrow(selectors({"10.0.0.0/8"}), selectors({"10.1.0.0/16", "192.168.0.0/16"}))) == "10.1.0.0/16");
  BOOST_TEST(to_string(narrow(selectors({"10.1.0.0/24", "10.1.0.0/16"}), selectors({"10.0.0.0/8"}))) == "10.1.0.0/16");
  BOOST_TEST(narrow(selectors({"10.0.0.0/8"}), selectors({"2001:db8::/32"})).empty());
  BOOST_TEST(to_string(narrow(selectors({"0.0.0.0/0"}), kTcp80)) == to_string(kTcp80));
}

BOOST_AUTO_TEST_CASE(wider_is_not_within) {
  BOOST_TEST(within(selectors({"10.1.2.0/24"}), selectors({"10.1.0.0/16"})));
  BOOST_TEST(!within(selectors({"10.0.0.0/8"}), selectors({"10.1.0.0/16"})));
  BOOST_TEST(!within(selectors({"10.1.0.0/16"}), kTcp80));
}

BOOST_AUTO_TEST_CASE(each_pair_of_prefixes_makes_an_out_an_in_and_a_forward_policy) {
  model::SecurityPolicy policy = security_policy("net", "10.1.0.0/24", "10.2.0.0/24");
  const auto policies =
      policies_for(selectors({"10.1.0.0/24", "10.3.0.0/24"}), selectors({"10.2.0.0/24"}), {&policy, address(kLeft), address(kRight), 5});
  BOOST_TEST(policies.size() == 6U);
  const auto& out = policies[0];
  BOOST_TEST((out.id.direction == model::Direction::Out));
  BOOST_TEST(out.id.source.to_string() == "10.1.0.0/24");
  BOOST_TEST(out.tunnel_source.to_string() == kLeft);
  BOOST_TEST(policies[1].id.source.to_string() == "10.2.0.0/24");
  BOOST_TEST(policies[1].tunnel_source.to_string() == kRight);
}

BOOST_AUTO_TEST_CASE(a_narrower_policy_has_the_smaller_priority) {
  model::SecurityPolicy policy = security_policy("net", "10.1.0.0/24", "10.2.0.0/24");
  const auto priority = [&](const Selectors& local) {
    return policies_for(local, selectors({"10.2.0.0/24"}), {&policy, address(kLeft), address(kRight), 5}).at(0).priority;
  };
  BOOST_TEST(priority(selectors({"10.1.0.0/24"})) < priority(selectors({"10.1.0.0/16"})));
  BOOST_TEST(priority(kTcp80) < priority(selectors({"10.1.0.0/16"})));
  policy.priority = 77;
  BOOST_TEST(priority(kTcp80) == 77U);
}

BOOST_AUTO_TEST_CASE(a_port_range_becomes_the_fewest_masks) {
  model::SecurityPolicy policy = security_policy("net", "10.1.0.0/24", "10.2.0.0/24");
  const Selectors ports = {wire::TrafficSelector::of(prefix("10.1.0.0/24"), 17, 1000, 1023)};  // 1000..1007, 1008..1023
  const auto policies = policies_for(ports, selectors({"10.2.0.0/24"}), {&policy, address(kLeft), address(kRight), 5});
  BOOST_TEST(policies.size() == 6U);
  BOOST_TEST(policies[0].id.source_port == 1000);
  BOOST_TEST(policies[0].id.source_port_mask == 0xfff8);
  BOOST_TEST(policies[0].id.protocol == 17);
}

// RFC 4301 4.4.1.1; in the kernel the type stands in the source port and the code in the destination port, in each direction
BOOST_AUTO_TEST_CASE(types_and_codes_of_icmp_stand_where_the_kernel_has_them) {
  const model::SecurityPolicy policy = security_policy("net", "10.1.0.0/24", "10.2.0.0/24");
  const auto ports = [&](std::uint16_t first, std::uint16_t last, std::uint8_t protocol = 1) {
    const Selectors local = {wire::TrafficSelector::of(prefix("10.1.0.0/24"), protocol, first, last)};
    std::string out;
    for (const auto& set : policies_for(local, selectors({"10.2.0.0/24"}), {&policy, address(kLeft), address(kRight), 5})) {
      if (set.id.direction == model::Direction::Forward) continue;
      out += fmt::format("{}{}/{:x} {}/{:x}", out.empty() ? "" : ", ", set.id.source_port, set.id.source_port_mask, set.id.destination_port,
                         set.id.destination_port_mask);
    }
    return out;
  };
  BOOST_TEST(ports(8 * 256, 8 * 256) == "8/ffff 0/ffff, 8/ffff 0/ffff");          // an echo request, out and in
  BOOST_TEST(ports(3 * 256, 3 * 256 + 255, 58) == "3/ffff 0/0, 3/ffff 0/0");      // time exceeded, any code
  BOOST_TEST(ports(0, 65535) == "0/0 0/0, 0/0 0/0");                              // any ICMP
  BOOST_TEST(ports(3 * 256 + 4, 3 * 256 + 5) == "3/ffff 4/fffe, 3/ffff 4/fffe");  // codes 4 and 5
  BOOST_TEST(ports(3 * 256 + 254, 5 * 256 + 255) ==                               // from the middle of a type
             "3/ffff 254/fffe, 3/ffff 254/fffe, 4/fffe 0/0, 4/fffe 0/0");
  BOOST_TEST(ports(65535, 0).empty());  // OPAQUE: no type and code to be seen
}

BOOST_AUTO_TEST_CASE(a_peer_cannot_make_us_fill_the_kernel) {
  model::SecurityPolicy policy = security_policy("net", "10.1.0.0/24", "10.2.0.0/24");
  Selectors many;
  for (int i = 0; i < 200; ++i)
    many.push_back(wire::TrafficSelector::of(Prefix(IpAddress::v4(0x0a000001U + static_cast<std::uint32_t>(i) * 4), 31)));
  BOOST_TEST(policies_for(many, many, {&policy, address(kLeft), address(kRight), 5}).empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(rules_of_messages)

BOOST_AUTO_TEST_CASE(an_error_notification_stands_for_all_that_success_would_have) {
  const std::vector<wire::Payload> error = {wire::NotifyPayload{NotifyType::NoProposalChosen, ProtocolId::None, {}, {}}};
  for (const auto exchange : {ExchangeType::IkeSaInit, ExchangeType::IkeAuth, ExchangeType::CreateChildSa}) {
    BOOST_TEST(!check_message(exchange, true, error).has_value());
    BOOST_TEST(check_message(exchange, false, error).has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_status_notification_does_not) {
  const std::vector<wire::Payload> status = {wire::NotifyPayload{NotifyType::InitialContact, ProtocolId::None, {}, {}}};
  BOOST_TEST(check_message(ExchangeType::IkeAuth, true, status).has_value());
  // but COOKIE alone is an answer to IKE_SA_INIT, and to nothing else
  const std::vector<wire::Payload> cookie = {wire::NotifyPayload{NotifyType::Cookie, ProtocolId::None, {}, Bytes(16, 1)}};
  BOOST_TEST(!check_message(ExchangeType::IkeSaInit, true, cookie).has_value());
  BOOST_TEST(check_message(ExchangeType::IkeAuth, true, cookie).has_value());
}

BOOST_AUTO_TEST_CASE(a_payload_that_has_no_place_in_the_exchange_is_refused) {
  BOOST_TEST(check_message(ExchangeType::Informational, false, {wire::EapPayload{{1, 2, 3, 4}}}).has_value());
  BOOST_TEST(check_message(ExchangeType::Informational, false, {wire::SaPayload{esp({"aes128-gcm-128"})}}).has_value());
  BOOST_TEST(!check_message(ExchangeType::Informational, false, {wire::VendorIdPayload{{1}}}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(vpns)

BOOST_AUTO_TEST_CASE(exact_identities_go_before_patterns_and_a_fixed_address_before_any) {
  const auto with_id = [](model::Vpn one, const char* id) {
    one.remote_id = identity(id);
    return one;
  };
  model::Vpn anywhere = with_id(vpn("anywhere", kRight, kLeft), "peer.example");
  anywhere.remote_address.reset();
  model::Vpn pattern = with_id(vpn("pattern", kRight, kLeft), "*.example");
  pattern.remote_address.reset();
  const VpnIndex index(*configuration({.vpns = {with_id(vpn("fixed", kRight, kLeft), "peer.example"), anywhere, pattern}}));
  const wire::Proposal choice = ike_proposal(kCheapIke);
  const auto found = [&](const char* from, const char* id) {
    const IpAddress local = address(kRight), remote = address(from);
    const model::Identity presented = identity(id);
    const VpnPtr one = index.find({local, remote, presented, nullptr, choice});
    return one ? one->name : std::string("none");
  };
  BOOST_TEST(found("192.0.2.1", "peer.example") == "fixed");
  BOOST_TEST(found("198.51.100.7", "peer.example") == "anywhere");
  BOOST_TEST(found("198.51.100.7", "other.example") == "pattern");
  BOOST_TEST(found("198.51.100.7", "other.invalid") == "none");
}

BOOST_AUTO_TEST_CASE(a_vpn_whose_ike_proposals_were_not_what_ike_sa_init_chose_does_not_fit) {
  model::Vpn strong = vpn("strong", kRight, kLeft);
  strong.ike.proposals = {ike_proposal("aes256-gcm-128/hmac-sha512/ecp384")};
  const VpnIndex index(*configuration({.vpns = {strong}}));
  const IpAddress local = address(kRight), remote = address(kLeft);
  const model::Identity id = model::Identity::of(remote);
  BOOST_TEST((index.find({local, remote, id, nullptr, ike_proposal(kCheapIke)}) == nullptr));
  BOOST_TEST((index.find({local, remote, id, nullptr, strong.ike.proposals[0]}) != nullptr));
}

BOOST_AUTO_TEST_CASE(the_identity_that_the_peer_demands_of_us_must_be_ours) {
  model::Vpn named = vpn("named", kRight, kLeft);
  named.local_id = identity("gateway.example");
  const VpnIndex index(*configuration({.vpns = {named}}));
  const IpAddress local = address(kRight), remote = address(kLeft);
  const model::Identity id = model::Identity::of(remote), ours = identity("Gateway.Example"), other = identity("other.example");
  const wire::Proposal choice = ike_proposal(kCheapIke);
  BOOST_TEST((index.find({local, remote, id, &ours, choice}) != nullptr));
  BOOST_TEST((index.find({local, remote, id, &other, choice}) == nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
