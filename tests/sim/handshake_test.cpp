// SPDX-License-Identifier: Apache-2.0
// IKE_SA_INIT and IKE_AUTH: algorithms, retries, NAT, authentication, what becomes of the first CHILD SA. RFC 7296 1.2, 2.6
// to 2.9, 2.15, 2.21, 2.23.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "sim/pair.h"

using namespace svti;
using namespace svti::sim;
using model::StartAction;
using sa::Notice;
using wire::ExchangeType;

namespace {

Change proposes(std::string ike, std::string esp) {
  return [=](model::Vpn& vpn) {
    vpn.ike.proposals = {ike_proposal(ike)};
    vpn.ipsec.esp_proposals = {esp_proposal(esp)};
  };
}

std::string reason_of(const Node& node, Notice::Kind kind) {
  for (const Notice& notice : node.notices()) {
    if (notice.kind == kind) return notice.reason;
  }
  return "(no such notice)";
}

ConfigurationParts with_key(model::Vpn vpn, std::string_view secret) { return {.vpns = {std::move(vpn)}, .secret = secret}; }

// what goes over the wire, "IKE_SA_INIT request 0" a line
std::vector<std::string> recorded;
void record(World& world) {
  recorded.clear();
  world.lose = [](const Node&, const wire::Header& header, const model::Datagram&) {
    recorded.push_back(to_string(header));
    return false;
  };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(handshake)

BOOST_AUTO_TEST_CASE(a_vpn_without_addresses_is_initiated_to_peers_that_a_command_names) {
  World world(1);
  const auto open = [](model::Vpn vpn) {
    vpn.local_address.reset();
    vpn.remote_address.reset();
    return vpn;
  };
  Node& hub = world.add("hub", address(kLeft), configuration({.vpns = {open(left_vpn())}}));
  Node& first = world.add("first", address(kRight), configuration({.vpns = {open(right_vpn())}}));
  Node& second = world.add("second", address("192.0.2.3"), configuration({.vpns = {open(right_vpn())}}));
  const auto initiate = [&](const sa::Core::Between& between) {
    Status status;
    hub.act([&](sa::Core& core, TimePoint now, sa::Effects& out) { status = core.initiate("right", "", between, now, out); });
    return status;
  };
  BOOST_TEST(initiate(sa::Core::Between{}).error().message == "VPN right has no remote-address: it can only respond");
  BOOST_TEST(initiate({address("2001:db8::1"), address(kRight)}).error().message ==
             "from 2001:db8::1 to " + std::string(kRight) + ": both must be IPv4, or both IPv6");
  for (const std::string_view peer : {kRight, std::string_view("192.0.2.3"), kRight}) {  // the second time it is there already
    BOOST_TEST(initiate({address(kLeft), address(peer)}).has_value());
    world.run_for(seconds(1));
  }
  BOOST_TEST(hub.core().ike_sas() == 2U);
  BOOST_TEST(hub.child_sas().size() == 2U);
  BOOST_TEST(first.child_sas().size() == 1U);
  BOOST_TEST(second.child_sas().size() == 1U);
  BOOST_TEST(hub.core().usable("right", {{}, address("192.0.2.3")}) != hub.core().usable("right", {{}, address(kRight)}));
  for (const std::string& violation : world.violations()) BOOST_ERROR(violation);
}

BOOST_AUTO_TEST_CASE(an_address_that_is_configured_is_not_changed_by_a_command) {
  Pair pair;
  pair.left.act([&](sa::Core& core, TimePoint now, sa::Effects& out) {
    BOOST_TEST(core.initiate("right", "", {{}, address("192.0.2.9")}, now, out).error().message ==
               "VPN right has remote-address " + std::string(kRight) + ", not 192.0.2.9");
    BOOST_TEST(core.initiate("right", "", {address(kLeft), address(kRight)}, now, out).has_value());
  });
  pair.world.run_for(seconds(1));
  pair.check_one_pair();
}

const std::vector<std::string> kIkeChoices = {
    "aes128-cbc/hmac-sha1/modp2048",
    "aes192-cbc/hmac-sha256/modp3072",
    "aes256-cbc/hmac-sha384/modp4096",
    "aes256-cbc/hmac-sha512/ecp256",
    "aes128-cbc/hmac-sha256/ecp384",
    "aes128-cbc/hmac-sha256/ecp521",
    "aes128-cbc/hmac-sha256/curve25519",
    "aes128-gcm-128/hmac-sha256/curve25519",
    "aes192-gcm-96/hmac-sha384/ecp256",
    "aes256-gcm-64/hmac-sha512/ecp384",
    "aes256-gcm-128/hmac-sha1/modp2048",
    "aes128-ctr/hmac-sha256/curve448",
    "aes256-ctr/aes-xcbc/ecp224",
    "camellia128-cbc/aes-cmac/brainpool256",
    "camellia256-cbc/hmac-md5/modp1024",
    "3des-cbc/hmac-sha1/modp1536",
    "chacha20-poly1305/hmac-sha256/brainpool384",
    "aes128-ccm-64/aes-xcbc/ecp256",
    "aes192-ccm-96/aes-cmac/modp2048s256",
    "aes256-ccm-128/hmac-sha512/brainpool512",
    "aes192-ctr/hmac-md5/modp768",
    "camellia192-cbc/aes-xcbc/modp1024s160",
    "aes128-cbc/aes-cmac/modp2048s224",
    "aes128-gcm-128/aes-cmac/brainpool224",
};
const std::vector<std::string> kEspChoices = {
    "aes128-cbc/hmac-sha1",
    "aes192-cbc/hmac-sha256",
    "aes256-cbc/hmac-sha384",
    "aes256-cbc/hmac-sha512",
    "aes128-cbc/hmac-sha256",
    "aes256-cbc/hmac-sha1",
    "aes128-gcm-64",
    "aes128-gcm-128",
    "aes192-gcm-96",
    "aes256-gcm-64",
    "aes256-gcm-128",
    "aes128-ctr/hmac-sha256",
    "aes256-ctr/aes-xcbc",
    "camellia128-cbc/aes-cmac",
    "camellia256-cbc/hmac-md5",
    "3des-cbc/hmac-sha1",
    "chacha20-poly1305",
    "aes128-ccm-64",
    "aes192-ccm-96",
    "aes256-ccm-128",
    "null/hmac-sha256",
    "aes128-gmac",
    "aes192-gmac",
    "aes256-gmac",
};

// IKE_SA_INIT { SA, KE, Ni } -->  <-- { SA, KE, Nr };  IKE_AUTH { IDi, AUTH, SA, TSi, TSr } -->  <-- { IDr, AUTH, SA, TSi, TSr }
// then CREATE_CHILD_SA for both kinds of rekey, from the other end, so that every algorithm also derives from SK_d
BOOST_DATA_TEST_CASE(two_exchanges_bring_up_both_sas_with_every_algorithm_and_both_can_be_rekeyed,
                     boost::unit_test::data::make(kIkeChoices) ^ boost::unit_test::data::make(kEspChoices), ike, esp) {
  Pair pair(proposes(ike, esp), proposes(ike, esp));
  record(pair.world);
  pair.connect();
  const std::vector<std::string> expected = {"IKE_SA_INIT request 0", "IKE_SA_INIT response 0", "IKE_AUTH request 1",
                                             "IKE_AUTH response 1"};
  BOOST_TEST(recorded == expected, boost::test_tools::per_element());
  BOOST_TEST(
      pair.right.logged("received IKE_AUTH request 1 { IDi AUTH N(QCD_TOKEN) N(INITIAL_CONTACT) SA TSi TSr N(SUPPORTED_AUTH_METHODS) }"));
  BOOST_TEST(pair.left.logged("received IKE_AUTH response 1 { IDr AUTH N(QCD_TOKEN) SA TSi TSr }"));
  BOOST_TEST(pair.carries());
  BOOST_TEST(pair.right.rekey("left", "net").has_value());
  pair.world.run_for(seconds(1));
  BOOST_TEST(pair.carries());
  BOOST_TEST(pair.right.rekey("left").has_value());
  pair.world.run_for(seconds(20));
  pair.check_one_pair();
  BOOST_TEST(pair.left.ike_sas()[0].initiator_spi != 0U);
  BOOST_TEST(pair.left.count(Notice::Kind::IkeRekeyed) == 1U);
  BOOST_TEST(pair.left.count(Notice::Kind::ChildRekeyed) == 1U);
}

BOOST_AUTO_TEST_CASE(the_responders_preference_decides_among_several_proposals) {
  const auto lists = [](model::Vpn& vpn) {
    vpn.ike.proposals = {ike_proposal("aes128-cbc,aes256-cbc/hmac-sha256,hmac-sha512/ecp256,curve25519", 1), ike_proposal(kCheapIke, 2)};
  };
  const auto reversed = [](model::Vpn& vpn) { vpn.ike.proposals = {ike_proposal("aes256-cbc/hmac-sha512/ecp256", 1)}; };
  Pair pair(lists, reversed);
  pair.connect();
  BOOST_TEST(pair.left.logged("IKE_SA_INIT done: aes256-cbc/"));
}

// IKE_SA_INIT { SA, KE(curve25519), Ni } -->
//                                            <-- { N(INVALID_KE_PAYLOAD, ecp256) }
// IKE_SA_INIT { SA, KE(ecp256), Ni } -->     <-- { SA, KE, Nr }
BOOST_AUTO_TEST_CASE(invalid_ke_payload_makes_the_initiator_try_the_group_the_peer_wants) {
  Pair pair(proposes("aes128-gcm-128/hmac-sha256/curve25519,ecp256", "aes128-gcm-128"),
            proposes("aes128-gcm-128/hmac-sha256/ecp256", "aes128-gcm-128"));
  record(pair.world);
  pair.connect();
  const std::vector<std::string> expected = {"IKE_SA_INIT request 0",  "IKE_SA_INIT response 0", "IKE_SA_INIT request 0",
                                             "IKE_SA_INIT response 0", "IKE_AUTH request 1",     "IKE_AUTH response 1"};
  BOOST_TEST(recorded == expected, boost::test_tools::per_element());
  BOOST_TEST(pair.carries());
}

BOOST_AUTO_TEST_CASE(a_doubled_invalid_ke_payload_answer_changes_nothing) {
  Pair pair(proposes("aes128-gcm-128/hmac-sha256/curve25519,ecp256", "aes128-gcm-128"),
            proposes("aes128-gcm-128/hmac-sha256/ecp256", "aes128-gcm-128"));
  pair.world.weather.duplication = 1.0;
  pair.connect();
  BOOST_TEST(pair.carries());
}

// IKE_SA_INIT { SA, KE, Ni } -->             <-- { N(COOKIE) }
// IKE_SA_INIT { N(COOKIE), SA, KE, Ni } -->  <-- { SA, KE, Nr }
BOOST_AUTO_TEST_CASE(a_cookie_is_asked_for_and_sent_back_when_cookies_are_always_wanted) {
  model::GlobalOptions global;
  global.cookie_threshold = model::GlobalOptions::kCookieAlways;
  Pair pair({}, {}, global);
  pair.connect();
  BOOST_TEST(pair.right.logged("asking 192.0.2.1:500 for a cookie"));
  BOOST_TEST(pair.carries());
}

BOOST_AUTO_TEST_CASE(a_cookie_is_asked_for_once_as_many_ike_sas_as_the_threshold_are_half_open) {
  model::GlobalOptions global;
  global.cookie_threshold = 2;
  global.block_threshold = 0;
  Pair pair({}, {}, global);
  // IKE_SA_INIT goes through, IKE_AUTH does not: half open at the responder
  pair.world.lose = [](const Node&, const wire::Header& header, const model::Datagram&) {
    return header.exchange == ExchangeType::IkeAuth;
  };
  for (int i = 0; i < 2; ++i) {
    BOOST_TEST(pair.left.initiate("right").has_value());
    pair.world.run_for(milliseconds(100));
    BOOST_TEST(pair.left.terminate("right").has_value());
  }
  BOOST_TEST(!pair.right.logged("for a cookie"));
  BOOST_TEST(pair.right.core().state(pair.world.now()).ike_sas_half_open == 2U);
  pair.world.lose = {};
  pair.connect();
  BOOST_TEST(pair.right.logged("asking 192.0.2.1:500 for a cookie"));
}

BOOST_AUTO_TEST_CASE(a_cookie_and_another_group_may_be_asked_for_one_after_the_other) {
  model::GlobalOptions global;
  global.cookie_threshold = model::GlobalOptions::kCookieAlways;
  Pair pair(proposes("aes128-gcm-128/hmac-sha256/curve25519,ecp256", "aes128-gcm-128"),
            proposes("aes128-gcm-128/hmac-sha256/ecp256", "aes128-gcm-128"), global);
  pair.connect();
  BOOST_TEST(pair.left.logged("the peer asks for a cookie"));
  BOOST_TEST(pair.left.logged("the peer asks for another key exchange group: 19"));
  BOOST_TEST(pair.carries());
}

BOOST_AUTO_TEST_CASE(a_responder_that_asks_for_another_cookie_each_time_is_given_up) {
  World world(1);
  Node& left = world.add("left", address(kLeft), configuration({.vpns = {left_vpn()}}));
  int requests = 0;
  world.lose = [&](const Node&, const wire::Header& header, const model::Datagram& datagram) {
    ++requests;
    wire::Header answer = header;
    answer.from_initiator = false;
    answer.response = true;
    const Bytes cookie(16, static_cast<std::uint8_t>(requests));
    const Bytes message = wire::encode_message(answer, {wire::NotifyPayload{wire::NotifyType::Cookie, wire::ProtocolId::None, {}, cookie}});
    world.after(milliseconds(1), [&left, datagram, message] { left.inject({datagram.local, datagram.remote, message}); });
    return true;
  };
  BOOST_TEST(left.initiate("right").has_value());
  world.run_for(seconds(10));
  BOOST_TEST(requests == 5);
  BOOST_TEST(reason_of(left, Notice::Kind::IkeFailed) == "the peer asks for cookies without end");
  BOOST_TEST(left.core().ike_sas() == 0U);
}

BOOST_AUTO_TEST_CASE(behind_a_nat_on_the_initiators_side_both_move_to_port_4500_and_encapsulate) {
  Pair pair;
  const IpAddress outside = address("198.51.100.1");
  pair.world.put_behind_nat(pair.left, outside);
  // the responder takes whoever knows the key: the NAT's address is not in its configuration
  model::Vpn anybody = right_vpn();
  anybody.remote_address.reset();
  anybody.remote_id = model::Identity::any();
  pair.right.apply(configuration({.vpns = {anybody}}));
  pair.connect();
  const auto ours = pair.left.ike_sas()[0], theirs = pair.right.ike_sas()[0];
  BOOST_TEST(ours.local.port == 4500);
  BOOST_TEST(ours.remote.port == 4500);
  BOOST_TEST(theirs.remote.address.to_string() == outside.to_string());
  BOOST_TEST(theirs.local.port == 4500);
  BOOST_TEST((ours.udp_encap && theirs.udp_encap));
  for (Node* node : {&pair.left, &pair.right}) {
    for (const auto& [id, entry] : node->kernel().sad()) BOOST_TEST(entry.sa.encapsulation.has_value());
  }
  BOOST_TEST(pair.left.logged("we are behind a NAT"));
  BOOST_TEST(pair.right.logged("the peer is behind a NAT"));
  BOOST_TEST(pair.carries());
  // RFC 3948 4: whoever is behind the NAT keeps its mapping alive, every 20 seconds
  pair.world.run_for(seconds(100));
  BOOST_TEST(pair.left.keepalives() == 5U);
  BOOST_TEST(pair.right.keepalives() == 0U);
}

BOOST_AUTO_TEST_CASE(udp_encapsulation_that_is_configured_makes_both_ends_see_a_nat) {
  Pair pair([](model::Vpn& vpn) { vpn.ike.udp_encap = true; });
  pair.connect();
  BOOST_TEST(pair.left.ike_sas()[0].remote.port == 4500);
  BOOST_TEST(pair.right.child_sas()[0].udp_encap);
  BOOST_TEST(pair.carries());
}

BOOST_AUTO_TEST_CASE(without_a_nat_both_stay_on_port_500) {
  Pair pair;
  pair.connect();
  BOOST_TEST(pair.left.ike_sas()[0].remote.port == 500);
  BOOST_TEST(!pair.left.child_sas()[0].udp_encap);
}

BOOST_AUTO_TEST_CASE(a_wrong_pre_shared_key_is_refused_and_said_in_both_logs) {
  Pair pair(with_key(left_vpn(), "correct horse"), with_key(right_vpn(), "battery staple"));
  BOOST_TEST(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(1));
  BOOST_TEST(pair.right.logged("the pre-shared key of 192.0.2.1 does not match ours"));
  BOOST_TEST(reason_of(pair.left, Notice::Kind::IkeFailed).find("AUTHENTICATION_FAILED") != std::string::npos);
  BOOST_TEST(pair.right.ike_sas().empty());
  pair.world.run_for(seconds(60));
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(without_a_key_the_initiator_sends_no_ike_auth_and_names_both_identities) {
  Pair pair(with_key(left_vpn(), ""), with_key(right_vpn(), "battery staple"));
  BOOST_TEST(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(60));
  const std::string reason = reason_of(pair.left, Notice::Kind::IkeFailed);
  BOOST_TEST(reason.find("no pre-shared key for local identity 192.0.2.1 and remote identity 192.0.2.2") == 0U);
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(without_a_key_the_responder_refuses_and_names_both_identities) {
  Pair pair(with_key(left_vpn(), "correct horse"), with_key(right_vpn(), ""));
  BOOST_TEST(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(60));
  BOOST_TEST(pair.right.logged("no pre-shared key for local identity 192.0.2.2 and remote identity 192.0.2.1"));
  BOOST_TEST(pair.left.count(Notice::Kind::IkeFailed) == 1U);
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(a_responder_that_is_somebody_else_is_told_so_and_both_forget_the_ike_sa) {
  Pair pair([](model::Vpn& vpn) { vpn.remote_id = model::Identity::any(); },
            [](model::Vpn& vpn) { vpn.local_id = identity("right.example.org"); });
  pair.connect();
  BOOST_TEST(pair.left.ike_sas()[0].remote_id == "right.example.org");
  Pair other([](model::Vpn& vpn) { vpn.remote_id = identity("*.example.com"); },
             [](model::Vpn& vpn) { vpn.local_id = identity("right.example.org"); });
  BOOST_TEST(other.left.initiate("right").has_value());
  other.world.run_for(seconds(60));
  BOOST_TEST(reason_of(other.left, Notice::Kind::IkeFailed) == "it says it is right.example.org, remote-id is *.example.com");
  BOOST_TEST(other.right.logged("the peer does not accept our authentication"));
  other.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(no_common_ike_proposal_is_refused_with_a_reason) {
  Pair pair(proposes("aes128-cbc/hmac-sha256/ecp256", "aes128-gcm-128"), proposes("aes256-cbc/hmac-sha256/ecp256", "aes128-gcm-128"));
  BOOST_TEST(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(1));
  BOOST_TEST(pair.right.logged("has no encryption algorithm in common"));
  BOOST_TEST(reason_of(pair.left, Notice::Kind::IkeFailed).find("NO_PROPOSAL_CHOSEN") != std::string::npos);
  pair.check_nothing_left();
}

// IKE_AUTH { IDi, AUTH, SA, TSi, TSr } -->  <-- { IDr, AUTH, N(NO_PROPOSAL_CHOSEN) }
BOOST_AUTO_TEST_CASE(no_common_esp_proposal_leaves_the_ike_sa_standing) {
  Pair pair(proposes(std::string(kCheapIke), "aes128-gcm-128"), proposes(std::string(kCheapIke), "aes256-gcm-128"));
  BOOST_TEST(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(1));
  BOOST_TEST(pair.left.ike_sas().size() == 1U);
  BOOST_TEST(pair.right.ike_sas().size() == 1U);
  BOOST_TEST(reason_of(pair.left, Notice::Kind::ChildFailed).find("NO_PROPOSAL_CHOSEN") != std::string::npos);
  BOOST_TEST(pair.left.kernel().sad().empty());
  BOOST_TEST(pair.right.kernel().sad().empty());
}

BOOST_AUTO_TEST_CASE(ts_unacceptable_leaves_the_ike_sa_standing) {
  Pair pair({}, [](model::Vpn& vpn) { vpn.policies = {security_policy("net", "10.9.0.0/24", "10.1.0.0/24")}; });
  BOOST_TEST(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(1));
  BOOST_TEST(pair.left.ike_sas().size() == 1U);
  BOOST_TEST(reason_of(pair.left, Notice::Kind::ChildFailed).find("TS_UNACCEPTABLE") != std::string::npos);
  BOOST_TEST(pair.right.logged("no security-policy covers local 10.2.0.0/24 and remote 10.1.0.0/24"));
}

BOOST_AUTO_TEST_CASE(the_responder_narrows_to_what_it_has_and_both_agree_on_it) {
  Pair pair([](model::Vpn& vpn) { vpn.policies = {security_policy("net", "10.0.0.0/8", "10.0.0.0/8")}; });
  pair.connect();
  BOOST_TEST(pair.left.child_sas()[0].remote_ts[0].to_string() == "10.2.0.0/24");
  BOOST_TEST((pair.left.child_sas()[0].remote_ts == pair.right.child_sas()[0].local_ts));
  BOOST_TEST(pair.carries());
  // a rekey keeps the narrowed selectors
  BOOST_TEST(pair.left.rekey("right", "net").has_value());
  pair.world.run_for(seconds(20));
  BOOST_TEST(pair.left.child_sas()[0].remote_ts[0].to_string() == "10.2.0.0/24");
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(every_policy_of_the_vpn_gets_its_child_sa_the_first_in_ike_auth) {
  Pair pair([](model::Vpn& vpn) { vpn.policies.push_back(security_policy("lab", "10.3.0.0/24", "10.4.0.0/24")); },
            [](model::Vpn& vpn) { vpn.policies.push_back(security_policy("lab", "10.4.0.0/24", "10.3.0.0/24")); });
  BOOST_TEST(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(1));
  BOOST_TEST(pair.left.child_sas().size() == 2U);
  BOOST_TEST(pair.right.child_sas().size() == 2U);
  BOOST_TEST((pair.world.probe(pair.left, {address("10.3.0.9"), address("10.4.0.9")}) == Probe::Delivered));
  BOOST_TEST(pair.carries());
}

BOOST_AUTO_TEST_CASE(start_action_none_waits_for_a_command) {
  Pair pair;
  pair.world.run_for(seconds(300));
  BOOST_TEST(pair.left.core().ike_sas() == 0U);
  BOOST_TEST(pair.left.kernel().spd().empty());
  BOOST_TEST((pair.world.probe(pair.left, kToRight) == Probe::Clear));
}

BOOST_AUTO_TEST_CASE(start_action_trap_waits_for_a_packet_and_lets_none_out_in_clear) {
  Pair pair([](model::Vpn& vpn) { vpn.ipsec.start_action = StartAction::Trap; });
  pair.world.run_for(seconds(300));
  BOOST_TEST(pair.left.core().ike_sas() == 0U);
  BOOST_TEST((pair.world.probe(pair.left, kToRight) == Probe::Held));
  BOOST_TEST((pair.world.probe(pair.left, kToRight) == Probe::Held));  // two acquires, one IKE SA
  pair.world.run_for(seconds(1));
  pair.check_one_pair();
  // the trap outlives the CHILD SA
  BOOST_TEST(pair.left.terminate("right").has_value());
  pair.world.run_for(seconds(1));
  BOOST_TEST((pair.world.probe(pair.left, kToRight) == Probe::Held));
}

BOOST_AUTO_TEST_CASE(start_action_start_connects_at_once) {
  Pair pair([](model::Vpn& vpn) { vpn.ipsec.start_action = StartAction::Start; });
  pair.world.run_for(seconds(1));
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(both_ends_that_start_at_once_come_up_and_carry_traffic) {
  const auto start = [](model::Vpn& vpn) { vpn.ipsec.start_action = StartAction::Start; };
  Pair pair(start, start);
  pair.world.run_for(seconds(20));
  // two IKE SAs crossed: neither INITIAL_CONTACT means the other, so both stand (RFC 7296 2.4 speaks of what was there before)
  BOOST_TEST(pair.left.ike_sas().size() == pair.right.ike_sas().size());
  BOOST_TEST(pair.carries());
}

BOOST_AUTO_TEST_CASE(initial_contact_after_a_crash_leaves_one_set) {
  Pair pair([](model::Vpn& vpn) { vpn.ipsec.start_action = StartAction::Start; });
  pair.world.run_for(seconds(1));
  pair.left.crash();
  pair.world.run_for(seconds(5));
  pair.left.restart();
  pair.world.run_for(seconds(20));
  BOOST_TEST(pair.right.logged("the peer began anew (INITIAL_CONTACT)"));
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(a_half_open_ike_sa_is_forgotten_after_30_seconds) {
  Pair pair;
  pair.world.lose = [](const Node&, const wire::Header& header, const model::Datagram&) {
    return header.exchange == ExchangeType::IkeAuth;
  };
  BOOST_TEST(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(29));
  BOOST_TEST(pair.right.core().ike_sas() == 1U);
  pair.world.run_for(seconds(2));
  BOOST_TEST(pair.right.core().ike_sas() == 0U);
}

BOOST_AUTO_TEST_CASE(one_address_cannot_have_more_half_open_ike_sas_than_block_threshold) {
  model::GlobalOptions global;
  global.block_threshold = 2;
  global.cookie_threshold = 0;
  Pair pair({}, {}, global);
  pair.world.lose = [](const Node&, const wire::Header& header, const model::Datagram&) {
    return header.exchange == ExchangeType::IkeAuth;
  };
  for (int i = 0; i < 4; ++i) {
    BOOST_TEST(pair.left.initiate("right").has_value());
    pair.world.run_for(milliseconds(100));
    BOOST_TEST(pair.left.terminate("right").has_value());
  }
  BOOST_TEST(pair.right.core().state(pair.world.now()).ike_sas_half_open == 2U);
  BOOST_TEST(pair.right.logged("block-threshold"));
}

BOOST_AUTO_TEST_CASE(all_addresses_together_cannot_have_more_half_open_ike_sas_than_init_limit) {
  model::GlobalOptions global;
  global.block_threshold = 0;
  global.cookie_threshold = 0;
  global.init_limit_half_open = 3;
  Pair pair({}, {}, global);
  pair.world.lose = [](const Node&, const wire::Header& header, const model::Datagram&) {
    return header.exchange == ExchangeType::IkeAuth;
  };
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST(pair.left.initiate("right").has_value());
    pair.world.run_for(milliseconds(100));
    BOOST_TEST(pair.left.terminate("right").has_value());
  }
  BOOST_TEST(pair.right.core().state(pair.world.now()).ike_sas_half_open == 3U);
  BOOST_TEST(pair.right.logged("init-limit-half-open"));
}

// IKE_SA_INIT request, four seconds, again: 4 + 7.2 + 12.96 + 23.33 + 41.99 + 75.58 seconds (the guide's "Retransmission constants")
BOOST_AUTO_TEST_CASE(six_datagrams_go_out_and_the_waits_add_up_to_165_seconds) {
  World world(1);
  Node& left = world.add("left", address(kLeft), configuration({.vpns = {left_vpn()}}));
  std::vector<double> sent;
  world.lose = [&](const Node&, const wire::Header&, const model::Datagram&) {
    sent.push_back(static_cast<double>(world.now().time_since_epoch().count()) / 1e6);
    return true;
  };
  BOOST_TEST(left.initiate("right").has_value());
  BOOST_TEST(world.run_until([&] { return left.count(Notice::Kind::IkeFailed) == 1; }, seconds(1000)));
  const std::vector<double> expected = {0, 4, 11.2, 24.16, 47.488, 89.4784};
  BOOST_TEST_REQUIRE(sent.size() == expected.size());
  for (std::size_t i = 0; i < sent.size(); ++i) BOOST_TEST(sent[i] == expected[i], boost::test_tools::tolerance(1e-6));
  BOOST_TEST(static_cast<double>(world.now().time_since_epoch().count()) / 1e6 == 165.06, boost::test_tools::tolerance(1e-4));
  BOOST_TEST(left.core().ike_sas() == 0U);
}

BOOST_AUTO_TEST_CASE(keying_tries_is_how_often_an_unanswered_attempt_is_made) {
  World world(1);
  model::Vpn vpn = left_vpn();
  vpn.ike.keying_tries = 3;
  Node& left = world.add("left", address(kLeft), configuration({.vpns = {vpn}}));
  BOOST_TEST(left.initiate("right").has_value());
  BOOST_TEST(world.run_until([&] { return left.count(Notice::Kind::IkeFailed) == 1; }, seconds(10000)));
  BOOST_TEST(static_cast<double>(world.now().time_since_epoch().count()) / 1e6 == 3 * 165.06, boost::test_tools::tolerance(1e-4));
}

BOOST_AUTO_TEST_CASE(a_request_that_overtakes_the_ike_auth_response_is_not_answered_and_harms_nothing) {
  Pair pair({}, [](model::Vpn& vpn) { vpn.ike.dpd_delay = seconds(2); });
  int lost = 0;
  pair.world.lose = [&](const Node&, const wire::Header& header, const model::Datagram&) {
    return header.exchange == ExchangeType::IkeAuth && header.response && lost++ == 0;
  };
  // right is established and asks for a sign of life before left has its IKE_AUTH response
  BOOST_TEST(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(10));
  BOOST_TEST(pair.left.logged("request dropped: the peer is not authenticated"));
  pair.check_one_pair();
}

BOOST_AUTO_TEST_CASE(a_trap_stands_before_there_is_a_route_and_gets_the_local_address_with_it) {
  Pair pair([](model::Vpn& vpn) {
    vpn.local_address.reset();
    vpn.ipsec.start_action = StartAction::Trap;
  });
  pair.left.crash();
  pair.left.set_addresses({});
  pair.left.restart();
  BOOST_TEST((pair.world.probe(pair.left, kToRight) == Probe::Held));
  pair.world.run_for(seconds(1));
  BOOST_TEST(pair.left.core().ike_sas() == 0U);
  pair.left.set_addresses({address(kLeft)});
  BOOST_TEST_REQUIRE(pair.left.kernel().spd().size() == 3U);
  for (const auto& [id, policy] : pair.left.kernel().spd()) {
    if (id.direction == model::Direction::Out) BOOST_TEST(policy.set.tunnel_source.to_string() == kLeft);
    BOOST_TEST(policy.claims.size() == 1U);
  }
  BOOST_TEST((pair.world.probe(pair.left, kToRight) == Probe::Held));
  pair.world.run_for(seconds(1));
  pair.check_one_pair();
}

BOOST_AUTO_TEST_SUITE_END()
