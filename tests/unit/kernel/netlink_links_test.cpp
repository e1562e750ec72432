// SPDX-License-Identifier: Apache-2.0
// NetlinkLinks against the running kernel, on an interface that every kernel has; that it makes SVTIs is in
// tests/vm/test_iked_interface.py.
#include "kernel/netlink_links.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "support/network_namespace.h"

using namespace svti;
using kernel::NetlinkLinks;

namespace {

struct Fixture {
  Fixture() {
    test::run("ip link add one type veth peer name two");
    const auto within = [](const std::string&, const std::function<Status()>& work) { return work(); };
    const auto open = [](const std::string&) -> Result<int> { return ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC); };
    auto made = NetlinkLinks::open("main", {open, within});
    BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().message));
    links = std::move(*made);
    asked.name = "one";
    asked.svti_id = 1;
    asked.link_vrf = "main";
  }
  ~Fixture() { test::run("ip link del one"); }

  model::LinkStatus one() {
    const auto found = links->list({asked});
    BOOST_REQUIRE_MESSAGE(found, (found ? "" : found.error().message));
    BOOST_REQUIRE(found->size() == 1U);
    return found->front();
  }
  static model::InterfaceAddress address(const char* text, std::uint8_t length) { return {IpAddress::parse(text).value(), length}; }

  std::unique_ptr<NetlinkLinks> links;
  model::SvtiInterface asked;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(netlink_links)

BOOST_FIXTURE_TEST_CASE(an_interface_is_told_as_it_is_and_changed_leaf_by_leaf, Fixture) {
  const model::LinkStatus before = one();
  BOOST_TEST(before.name == "one");
  BOOST_TEST(before.svti_id == 0U);
  BOOST_TEST(before.mtu == 1500U);
  BOOST_TEST(before.group == 0U);
  BOOST_TEST(!before.up);
  BOOST_TEST(!before.promiscuous);
  BOOST_TEST(before.ipv6_enabled);
  BOOST_TEST(before.link_vrf_fits);
  BOOST_TEST(before.link_interface_fits);
  BOOST_TEST(before.addresses.empty());

  BOOST_TEST(links->adopt(before).has_value());
  BOOST_TEST(links->set_mtu(before, 1400).has_value());
  BOOST_TEST(links->set_promiscuous(before, true).has_value());
  BOOST_TEST(links->set_description(before, "to B, over there").has_value());
  BOOST_TEST(links->add_address(before, address("10.0.0.1", 24)).has_value());
  BOOST_TEST(links->add_address(before, address("fd00::1", 64)).has_value());
  BOOST_TEST(links->set_up(before, true).has_value());
  const model::LinkStatus now = one();
  BOOST_TEST(now.ifindex == before.ifindex);
  BOOST_TEST(now.group == model::kLinkGroup);
  BOOST_TEST(now.mtu == 1400U);
  BOOST_TEST(now.promiscuous);
  BOOST_TEST(now.up);
  BOOST_TEST(now.description == "to B, over there");
  const bool has_both = std::find(now.addresses.begin(), now.addresses.end(), address("10.0.0.1", 24)) != now.addresses.end() &&
                        std::find(now.addresses.begin(), now.addresses.end(), address("fd00::1", 64)) != now.addresses.end();
  BOOST_TEST(has_both);

  BOOST_TEST(links->remove_address(now, address("10.0.0.1", 24)).has_value());
  BOOST_TEST(links->set_description(now, "").has_value());
  BOOST_TEST(links->set_up(now, false).has_value());
  BOOST_TEST(one().description == "");
  BOOST_TEST(!one().up);
}

BOOST_FIXTURE_TEST_CASE(what_the_kernel_refuses_is_told_in_its_words, Fixture) {
  const Status again = links->set_mtu(one(), 1);
  BOOST_TEST_REQUIRE(!again.has_value());
  BOOST_TEST(again.error().message.find("EINVAL") != std::string::npos, again.error().message);
  asked.link_interface = "nowhere";
  BOOST_TEST(!one().link_interface_fits);
  const Status made = links->add(asked);
  BOOST_TEST_REQUIRE(!made.has_value());
  BOOST_TEST(made.error().message == "VRF main has no interface nowhere");
  BOOST_TEST(links->list({})->empty());
}

BOOST_AUTO_TEST_SUITE_END()
