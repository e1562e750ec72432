// SPDX-License-Identifier: Apache-2.0
#include "engine/policy_table.h"

#include <boost/test/unit_test.hpp>

using namespace svti;
using engine::PolicyTable;

namespace {

constexpr std::uint64_t kTrap = 1'000'000;

model::SetPolicy outbound(const std::string& destination, std::uint32_t svti_id, std::uint32_t reqid,
                          const std::string& peer = "198.51.100.1") {
  model::SetPolicy policy;
  policy.id.direction = model::Direction::Out;
  policy.id.source = *Prefix::parse("192.168.0.0/24");
  policy.id.destination = *Prefix::parse(destination);
  policy.id.if_id = svti_id;
  policy.reqid = reqid;
  policy.tunnel_source = *IpAddress::parse("192.0.2.1");
  policy.tunnel_destination = *IpAddress::parse(peer);
  return policy;
}

// the requests in short, "policy 192.168.99.0/24 reqid 1", one string each
std::vector<std::string> brief(const PolicyTable::Requests& requests) {
  std::vector<std::string> out;
  for (const model::KernelRequest& request : requests) {
    if (const auto* one = std::get_if<model::SetPolicy>(&request))
      out.push_back("set " + one->id.destination.to_string() + " reqid " + std::to_string(one->reqid));
    if (const auto* one = std::get_if<model::DeletePolicy>(&request)) out.push_back("unset " + one->id.destination.to_string());
    const auto route = [](const char* verb, const model::RouteId& id) {
      return verb + (id.svti_id == 0 ? std::string("throw ") : "svti " + std::to_string(id.svti_id) + " ") + id.destination.to_string();
    };
    if (const auto* one = std::get_if<model::AddRoute>(&request)) out.push_back(route("+", one->id));
    if (const auto* one = std::get_if<model::DeleteRoute>(&request)) out.push_back(route("-", one->id));
    if (const auto* one = std::get_if<model::AddRule>(&request))
      out.push_back(std::string("+rule ") + (one->id.family == IpFamily::V4 ? "4" : "6"));
    if (const auto* one = std::get_if<model::DeleteRule>(&request))
      out.push_back(std::string("-rule ") + (one->id.family == IpFamily::V4 ? "4" : "6"));
  }
  return out;
}

using Lines = std::vector<std::string>;

PolicyTable with_routes() {
  PolicyTable table;
  table.set_routing({true, 220, 220});
  return table;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(policy_table)

BOOST_AUTO_TEST_CASE(a_policy_stays_until_its_last_owner_lets_go) {
  PolicyTable table;
  BOOST_TEST(brief(table.claim(kTrap, {outbound("192.168.99.0/24", 100, 1)})) == Lines{"set 192.168.99.0/24 reqid 1"},
             boost::test_tools::per_element());
  BOOST_TEST(table.claim(1, {outbound("192.168.99.0/24", 100, 1)}).empty());  // the same: nothing to tell the kernel
  BOOST_TEST(table.claim(2, {outbound("192.168.99.0/24", 100, 1)}).empty());
  BOOST_TEST(table.release(1).empty());
  BOOST_TEST(table.release(2).empty());
  BOOST_TEST(brief(table.release(kTrap)) == Lines{"unset 192.168.99.0/24"}, boost::test_tools::per_element());
  BOOST_TEST(table.release(kTrap).empty());
}

BOOST_AUTO_TEST_CASE(the_latest_claim_is_in_force_and_the_one_before_comes_back) {
  PolicyTable table;
  table.claim(1, {outbound("192.168.99.0/24", 100, 1)});
  BOOST_TEST(brief(table.claim(2, {outbound("192.168.99.0/24", 100, 2)})) == Lines{"set 192.168.99.0/24 reqid 2"},
             boost::test_tools::per_element());
  BOOST_TEST(brief(table.release(2)) == Lines{"set 192.168.99.0/24 reqid 1"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_new_claim_replaces_the_owners_old_one) {
  PolicyTable table;
  table.claim(1, {outbound("192.168.1.0/24", 100, 1), outbound("192.168.2.0/24", 100, 1)});
  const Lines expected = {"set 192.168.3.0/24 reqid 1", "unset 192.168.1.0/24"};
  BOOST_TEST(brief(table.claim(1, {outbound("192.168.2.0/24", 100, 1), outbound("192.168.3.0/24", 100, 1)})) == expected,
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(equal_selectors_on_two_svtis_are_two_policies) {
  PolicyTable table;
  table.claim(1, {outbound("192.168.99.0/24", 100, 1)});
  BOOST_TEST(brief(table.claim(2, {outbound("192.168.99.0/24", 200, 2)})) == Lines{"set 192.168.99.0/24 reqid 2"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(routes_and_rule_come_and_go_with_the_policy) {
  PolicyTable table = with_routes();
  const Lines up = {"set 192.168.99.0/24 reqid 1", "+svti 100 192.168.99.0/24", "+rule 4"};
  BOOST_TEST(brief(table.claim(1, {outbound("192.168.99.0/24", 100, 1)})) == up, boost::test_tools::per_element());
  BOOST_TEST(brief(table.routes_through(100)) == Lines{"+svti 100 192.168.99.0/24"}, boost::test_tools::per_element());
  const Lines down = {"unset 192.168.99.0/24", "-rule 4", "-svti 100 192.168.99.0/24"};
  BOOST_TEST(brief(table.release(1)) == down, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_default_route_gets_the_way_to_the_peer_and_to_our_own_site_thrown_out_first) {
  PolicyTable table = with_routes();
  const Lines up = {"set 0.0.0.0/0 reqid 1", "+throw 192.168.0.0/24", "+throw 198.51.100.1/32", "+svti 100 0.0.0.0/0", "+rule 4"};
  BOOST_TEST(brief(table.claim(1, {outbound("0.0.0.0/0", 100, 1)})) == up, boost::test_tools::per_element());
  // a second CHILD SA of the same: nothing new, and nothing gone while one is left
  BOOST_TEST(table.claim(2, {outbound("0.0.0.0/0", 100, 1)}).empty());
  BOOST_TEST(table.release(1).empty());
  const Lines down = {"unset 0.0.0.0/0", "-rule 4", "-svti 100 0.0.0.0/0", "-throw 192.168.0.0/24", "-throw 198.51.100.1/32"};
  BOOST_TEST(brief(table.release(2)) == down, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_site_within_the_remote_selector_keeps_its_own_routes) {
  // hub and spoke: the spoke is 192.168.0.0/24, all sites together are 192.168.0.0/16
  PolicyTable table = with_routes();
  const Lines up = {"set 192.168.0.0/16 reqid 1", "+throw 192.168.0.0/24", "+svti 100 192.168.0.0/16", "+rule 4"};
  BOOST_TEST(brief(table.claim(1, {outbound("192.168.0.0/16", 100, 1)})) == up, boost::test_tools::per_element());
  const Lines down = {"unset 192.168.0.0/16", "-rule 4", "-svti 100 192.168.0.0/16", "-throw 192.168.0.0/24"};
  BOOST_TEST(brief(table.release(1)) == down, boost::test_tools::per_element());
  // the same on both sides: who is where is not for routes to say, but the route is wanted
  const Lines same = {"set 192.168.0.0/24 reqid 1", "+svti 100 192.168.0.0/24", "+rule 4"};
  BOOST_TEST(brief(table.claim(1, {outbound("192.168.0.0/24", 100, 1)})) == same, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(two_svtis_that_want_one_destination_share_the_route_in_turn) {
  PolicyTable table = with_routes();
  table.claim(1, {outbound("192.168.99.0/24", 100, 1)});
  const Lines second = {"set 192.168.99.0/24 reqid 2", "+svti 200 192.168.99.0/24"};
  BOOST_TEST(brief(table.claim(2, {outbound("192.168.99.0/24", 200, 2)})) == second, boost::test_tools::per_element());
  const Lines back = {"unset 192.168.99.0/24", "+svti 100 192.168.99.0/24"};
  BOOST_TEST(brief(table.release(2)) == back, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_virtual_address_is_the_source_of_the_route_while_a_policy_leads_from_it) {
  PolicyTable table = with_routes();
  const IpAddress ours = *IpAddress::parse("192.168.99.1");
  model::SetPolicy trap = outbound("192.168.0.0/24", 100, 1), own = outbound("192.168.0.0/24", 100, 2);
  trap.id.source = *Prefix::parse("0.0.0.0/0");
  own.id.source = Prefix::host(ours);
  const auto sources = [](const PolicyTable::Requests& requests) {
    Lines out;
    for (const model::KernelRequest& request : requests) {
      if (const auto* one = std::get_if<model::AddRoute>(&request)) out.push_back(one->source ? one->source->to_string() : "none");
      if (std::holds_alternative<model::DeleteRoute>(request)) out.emplace_back("deleted");
    }
    return out;
  };
  BOOST_TEST(sources(table.claim(kTrap, {trap})) == Lines{"none"}, boost::test_tools::per_element());
  table.add_address(ours);
  BOOST_TEST(sources(table.claim(1, {own})) == Lines{"192.168.99.1"}, boost::test_tools::per_element());
  BOOST_TEST(sources(table.claim(2, {own})).empty());  // rekeyed
  BOOST_TEST(sources(table.release(1)).empty());
  BOOST_TEST(sources(table.routes_through(100)) == Lines{"192.168.99.1"}, boost::test_tools::per_element());
  BOOST_TEST(sources(table.release(2)) == Lines{"none"}, boost::test_tools::per_element());
  table.remove_address(ours);
  // an address of a host that is no virtual one is left to the kernel to choose
  BOOST_TEST(sources(table.claim(3, {own})).empty());
  BOOST_TEST(sources(table.release(3)).empty());
  BOOST_TEST(sources(table.release(kTrap)) == Lines{"deleted"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(policies_without_an_svti_make_no_route) {
  PolicyTable table = with_routes();
  BOOST_TEST(brief(table.claim(1, {outbound("192.168.99.0/24", 0, 1)})) == Lines{"set 192.168.99.0/24 reqid 1"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(turning_routes_off_and_on_takes_them_away_and_brings_them_back) {
  PolicyTable table = with_routes();
  table.claim(1, {outbound("192.168.99.0/24", 100, 1)});
  const Lines off = {"-rule 4", "-svti 100 192.168.99.0/24"};
  BOOST_TEST(brief(table.set_routing({false, 220, 220})) == off, boost::test_tools::per_element());
  const Lines on = {"+svti 100 192.168.99.0/24", "+rule 4"};
  BOOST_TEST(brief(table.set_routing({true, 230, 230})) == on, boost::test_tools::per_element());
  BOOST_TEST(table.wants(model::RouteId{*Prefix::parse("192.168.99.0/24"), 230, 100}));
  BOOST_TEST(!table.wants(model::RouteId{*Prefix::parse("192.168.99.0/24"), 220, 100}));
}

BOOST_AUTO_TEST_SUITE_END()
