// SPDX-License-Identifier: Apache-2.0
#include "model/kernel.h"

#include <boost/test/unit_test.hpp>

using namespace svti;
using namespace svti::model;

BOOST_AUTO_TEST_SUITE(kernel_describe)

BOOST_AUTO_TEST_CASE(a_request_is_told_in_a_line_without_its_keys) {
  AddSa sa;
  sa.id = {*IpAddress::parse("192.0.2.1"), 0xc0ffee01, wire::ProtocolId::Esp};
  sa.encryption_key = Secret(Bytes(20, 0x41));
  BOOST_TEST(describe(KernelRequest(DeleteSa{sa.id})) == "delete SA 192.0.2.1 esp c0ffee01");
  sa.if_id = 7;
  BOOST_TEST(describe(KernelRequest(std::move(sa))) == "add SA 192.0.2.1 esp c0ffee01 svti-id 7");

  PolicyId policy{Direction::Forward, *Prefix::parse("10.1.0.0/16"), *Prefix::parse("2001:db8::/32"), 6, 0, 0, 443, 0xffff, 9};
  BOOST_TEST(describe(KernelRequest(DeletePolicy{policy})) ==
             "delete policy fwd 10.1.0.0/16 to 2001:db8::/32 port 443 protocol 6 svti-id 9");
  BOOST_TEST(describe(KernelRequest(AddRoute{{*Prefix::parse("10.1.0.0/16"), 220, 9}})) == "add route 10.1.0.0/16 svti-id 9 table 220");
  BOOST_TEST(describe(KernelRequest(AddRoute{{*Prefix::parse("10.1.0.0/16"), 220, 0}})) == "add route throw 10.1.0.0/16 table 220");
  BOOST_TEST(describe(KernelRequest(DeleteRule{{IpFamily::V6, 220, 100}})) == "delete rule IPv6 priority 100 lookup table 220");
  BOOST_TEST(describe(KernelRequest(SetPolicyHash{16, 24, 56, 64})) == "set policy hash IPv4 local 16 remote 24, IPv6 local 56 remote 64");
  BOOST_TEST(describe(KernelRequest(SetAcquireTimeout{seconds(60)})) == "set acquire timeout 60s");
}

BOOST_AUTO_TEST_CASE(a_policy_is_found_by_its_name) {
  Vpn vpn;
  vpn.policies.resize(2);
  vpn.policies[0].name = "trunk";
  vpn.policies[1].name = "voice";
  BOOST_TEST(vpn.find_policy("voice") == &vpn.policies[1]);
  BOOST_TEST(vpn.find_policy("voices") == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
