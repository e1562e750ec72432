// SPDX-License-Identifier: Apache-2.0
#include "sa/address_pool.h"

#include <boost/test/unit_test.hpp>
#include <chrono>

#include "sim/world/configurations.h"

using namespace svti;
using namespace svti::sa;
using sim::address;
using sim::identity;

namespace {

AddressPools::Pools pools(const std::vector<std::pair<std::string, std::vector<std::string>>>& named) {
  AddressPools::Pools out;
  for (const auto& [name, ranges] : named) {
    auto pool = std::make_shared<model::Pool>();
    pool->name = name;
    for (const std::string& one : ranges) pool->ranges.push_back(model::parse_address_range(one).value());
    out[name] = pool;
  }
  return out;
}

struct Desk {
  AddressPools pools;
  std::vector<std::string> order{"p"};
  std::uint32_t next_holder = 1;
  std::string assign(std::string_view who, std::string_view wanted = "0.0.0.0", std::uint32_t holder = 0) {
    const model::Identity id = identity(who);
    const IpAddress wish = address(wanted);
    const auto grant = pools.assign({id, order, wish.family(), wish, {}, holder == 0 ? next_holder++ : holder});
    return grant ? grant->address.to_string() : "none";
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(address_pool)

BOOST_AUTO_TEST_CASE(ranges_are_used_up_in_their_order_without_network_and_broadcast) {
  Desk desk;
  desk.pools.configure(pools({{"p", {"10.0.0.9", "10.0.1.0/30", "10.0.0.3-10.0.0.4", "10.0.2.0/31", "255.255.255.255"}}}));
  for (const char* expected :
       {"10.0.0.9", "10.0.1.1", "10.0.1.2", "10.0.0.3", "10.0.0.4", "10.0.2.0", "10.0.2.1", "255.255.255.255", "none"})
    BOOST_TEST(desk.assign("u" + std::to_string(desk.next_holder)) == expected);
  BOOST_TEST(desk.pools.state(false).at(0).size == 8U);
}

BOOST_AUTO_TEST_CASE(several_pools_are_used_in_the_order_of_the_vpn) {
  Desk desk;
  desk.order = {"gone", "q", "p"};
  desk.pools.configure(pools({{"p", {"10.0.0.1", "2001:db8::1"}}, {"q", {"10.1.0.1"}}}));
  BOOST_TEST(desk.assign("a") == "10.1.0.1");
  BOOST_TEST(desk.assign("b") == "10.0.0.1");
  BOOST_TEST(desk.assign("c") == "none");
  BOOST_TEST(desk.assign("c", "::") == "2001:db8::1");
  BOOST_TEST(desk.assign("d", "::") == "none");
  // another VPN does not get what only this one's pools have
  desk.order = {"q"};
  desk.pools.release(address("10.0.0.1"), 2);
  BOOST_TEST(desk.assign("b", "10.0.0.1") == "none");
}

BOOST_AUTO_TEST_CASE(sizes_and_ranges_of_all_kinds) {
  const auto size = [](std::string_view text) { return model::size_of(model::parse_address_range(text).value()); };
  BOOST_TEST(size("10.0.0.0/24") == 254U);
  BOOST_TEST(size("0.0.0.0/0") == 0xfffffffeU);
  BOOST_TEST(size("10.0.0.7") == 1U);
  BOOST_TEST(size("2001:db8::/64") == 0xfffffffffffffffeU);
  BOOST_TEST(size("2001:db8::/63") == UINT64_MAX);
  BOOST_TEST(size("::/0") == UINT64_MAX);
  BOOST_TEST(size("2001:db8::ffff:ffff:ffff:ffff-2001:db8:0:1::") == 2U);
  for (const char* wrong : {"", "10.0.0.1-", "10.0.0.9-10.0.0.1", "10.0.0.1-2001:db8::1", "10.0.0.1/24", "10.0.0.1-10.0.0.2-10.0.0.3"})
    BOOST_TEST(!model::parse_address_range(wrong).has_value(), wrong);
  BOOST_TEST(model::next_address(address("10.0.255.255")).to_string() == "10.1.0.0");
}

BOOST_AUTO_TEST_CASE(the_latest_of_its_addresses_comes_back_to_an_identity) {
  Desk desk;
  desk.pools.configure(pools({{"p", {"10.0.0.0/24"}}}));
  desk.assign("a", "0.0.0.0", 1);
  desk.assign("a", "0.0.0.0", 2);
  desk.pools.release(address("10.0.0.1"), 1);
  desk.pools.release(address("10.0.0.2"), 2);
  BOOST_TEST(desk.assign("b") == "10.0.0.3");
  BOOST_TEST(desk.assign("a") == "10.0.0.2");
  BOOST_TEST(desk.assign("a", "10.0.0.1") == "10.0.0.1");
  BOOST_TEST(desk.assign("a") == "10.0.0.4");
}

BOOST_AUTO_TEST_CASE(a_lease_is_online_until_its_last_holder_lets_go) {
  Desk desk;
  desk.pools.configure(pools({{"p", {"10.0.0.1"}}}));
  desk.assign("a", "0.0.0.0", 1);
  desk.pools.hold(address("10.0.0.1"), 2);
  desk.pools.release(address("10.0.0.1"), 1);
  desk.pools.release(address("10.0.0.1"), 1);
  BOOST_TEST(desk.pools.online("p"));
  BOOST_TEST(desk.assign("a") == "none");
  desk.pools.release(address("10.0.0.1"), 2);
  BOOST_TEST(!desk.pools.online("p"));
  desk.pools.release(address("10.0.0.77"), 2);
  const auto state = desk.pools.state(true).at(0);
  BOOST_TEST(state.offline == 1U);
  BOOST_TEST(state.leases.at(0).identity == "a");
  BOOST_TEST(!state.leases.at(0).online);
}

BOOST_AUTO_TEST_CASE(an_address_that_is_reserved_goes_to_who_asks_for_it_or_last_of_all) {
  Desk desk;
  desk.pools.configure(pools({{"p", {"10.0.0.1-10.0.0.4"}}}));
  desk.pools.reserve(address("10.0.0.1"));
  desk.pools.reserve(address("10.0.0.2"));
  desk.pools.reserve(address("10.9.9.9"));
  BOOST_TEST(desk.assign("a") == "10.0.0.3");
  BOOST_TEST(desk.assign("b", "10.0.0.2") == "10.0.0.2");
  BOOST_TEST(desk.assign("c", "0.0.0.0", 9) == "10.0.0.4");
  desk.pools.release(address("10.0.0.4"), 9);
  BOOST_TEST(desk.assign("d") == "10.0.0.4");
  BOOST_TEST(desk.assign("e") == "10.0.0.1");
  BOOST_TEST(desk.assign("f") == "none");
}

BOOST_AUTO_TEST_CASE(a_change_keeps_what_fits_and_names_who_holds_the_rest) {
  Desk desk;
  desk.order = {"p", "q"};
  desk.pools.configure(pools({{"p", {"10.0.0.1-10.0.0.3"}}, {"q", {"10.1.0.1"}}}));
  for (std::uint32_t holder = 1; holder <= 4; ++holder) desk.assign("u" + std::to_string(holder), "0.0.0.0", holder);
  desk.pools.release(address("10.0.0.3"), 3);
  // 10.0.0.2 moves to the other pool, 10.0.0.1 is gone
  const auto homeless = desk.pools.configure(pools({{"p", {"10.0.0.3"}}, {"q", {"10.1.0.1", "10.0.0.2"}}}));
  BOOST_TEST((homeless == std::set<std::uint32_t>{1}));
  desk.pools.release(address("10.0.0.1"), 1);
  const auto state = desk.pools.state(true);
  BOOST_TEST(state.at(0).offline == 1U);
  BOOST_TEST(state.at(1).online == 2U);
  BOOST_TEST(desk.assign("u3") == "10.0.0.3");
  BOOST_TEST(desk.assign("u9") == "none");
  BOOST_TEST(desk.pools.configure({}).size() == 3U);
  BOOST_TEST(desk.pools.state(true).empty());
}

// 200,000 clients of a pool that has room for half of them at a time: what is quadratic takes hours
BOOST_AUTO_TEST_CASE(many_leases_cost_little_each) {
  Desk desk;
  desk.pools.configure(pools({{"p", {"10.0.0.0/15"}}}));
  const auto begun = std::chrono::steady_clock::now();
  std::vector<std::string> had;
  for (std::uint32_t i = 1; i <= 100'000; ++i) had.push_back(desk.assign("user" + std::to_string(i), "0.0.0.0", i));
  for (std::uint32_t i = 1; i <= 100'000; ++i) desk.pools.release(address(had[i - 1]), i);
  for (std::uint32_t i = 1; i <= 100'000; i += 2) BOOST_TEST_REQUIRE(desk.assign("user" + std::to_string(i), "0.0.0.0", i) == had[i - 1]);
  for (std::uint32_t i = 1; i <= 100'000; i += 2) desk.assign("other" + std::to_string(i), "0.0.0.0", 200'000 + i);
  BOOST_TEST(desk.pools.state(false).at(0).online == 100'000U);
  BOOST_TEST_MESSAGE("200,000 assignments and 100,000 releases took "
                     << std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count() << " s");
}

BOOST_AUTO_TEST_SUITE_END()
