// SPDX-License-Identifier: Apache-2.0
#include <boost/test/unit_test.hpp>
#include <random>

#include "support.h"

using namespace svti;
using namespace svti::wire;

namespace {

TrafficSelector range(std::string_view start, std::string_view end, std::uint8_t protocol = 0, std::uint16_t start_port = 0,
                      std::uint16_t end_port = 65535) {
  return {protocol, start_port, end_port, address(start), address(end)};
}

std::string prefixes(std::string_view start, std::string_view end) {
  std::string out;
  for (const Prefix& one : range(start, end).prefixes()) out += (out.empty() ? "" : " ") + one.to_string();
  return out;
}

std::string both(const TrafficSelector& ours, const TrafficSelector& theirs) {
  const auto one = intersect(ours, theirs);
  const auto other = intersect(theirs, ours);
  BOOST_TEST(one.size() == other.size());
  if (one.empty()) return "nothing";
  BOOST_TEST_REQUIRE(one.size() == 1U);
  BOOST_CHECK(one == other);
  BOOST_TEST(ours.contains(one.front()));
  BOOST_TEST(theirs.contains(one.front()));
  return one.front().to_string();
}

}  // namespace

BOOST_AUTO_TEST_CASE(prefixes_cover_exactly_and_are_few) {
  BOOST_TEST(prefixes("0.0.0.0", "255.255.255.255") == "0.0.0.0/0");
  BOOST_TEST(prefixes("10.1.0.0", "10.1.255.255") == "10.1.0.0/16");
  BOOST_TEST(prefixes("10.1.0.1", "10.1.0.1") == "10.1.0.1/32");
  BOOST_TEST(prefixes("10.1.0.1", "10.1.0.9") == "10.1.0.1/32 10.1.0.2/31 10.1.0.4/30 10.1.0.8/31");
  BOOST_TEST(prefixes("10.1.0.255", "10.1.1.0") == "10.1.0.255/32 10.1.1.0/32");
  BOOST_TEST(prefixes("255.255.255.254", "255.255.255.255") == "255.255.255.254/31");
  BOOST_TEST(prefixes("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") == "::/0");
  BOOST_TEST(prefixes("2001:db8::ffff", "2001:db8::1:0") == "2001:db8::ffff/128 2001:db8::1:0/128");
  BOOST_TEST(range("0.0.0.1", "255.255.255.254").prefixes().size() == 62U);
  BOOST_TEST(range("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe").prefixes().size() == 254U);
}

BOOST_AUTO_TEST_CASE(prefixes_of_every_range_of_a_byte) {
  for (std::uint32_t start = 0; start < 256; ++start) {
    for (std::uint32_t end = start; end < 256; ++end) {
      const TrafficSelector selector{0, 0, 65535, IpAddress::v4(0xfffff000 + start), IpAddress::v4(0xfffff000 + end)};
      std::uint32_t next = start;
      std::size_t least = 0;  // by the greedy method: the largest aligned block that still fits, again and again
      for (std::uint32_t at = start; at <= end; ++least) {
        std::uint32_t size = 1;
        while (at % (2 * size) == 0 && at + 2 * size - 1 <= end) size *= 2;
        at += size;
      }
      const auto covering = selector.prefixes();
      for (const Prefix& one : covering) {
        BOOST_TEST_REQUIRE(one.first().to_string() == IpAddress::v4(0xfffff000 + next).to_string());
        next += 1U << (32 - one.length());
      }
      BOOST_TEST_REQUIRE(next == end + 1);
      BOOST_TEST_REQUIRE(covering.size() == least);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_selector_contains_what_it_covers) {
  const auto net = TrafficSelector::of(prefix("10.1.0.0/16"));
  BOOST_TEST(net.contains(net));
  BOOST_TEST(net.contains(TrafficSelector::of(prefix("10.1.2.0/24"), 6, 80, 80)));
  BOOST_TEST(!net.contains(TrafficSelector::of(prefix("10.0.0.0/8"))));
  BOOST_TEST(!net.contains(range("10.1.0.0", "10.2.0.0")));
  BOOST_TEST(!net.contains(TrafficSelector::of(prefix("::/0"))));
  BOOST_TEST(!TrafficSelector::of(prefix("::/0")).contains(net));
  const auto web = TrafficSelector::of(prefix("10.1.0.0/16"), 6, 80, 90);
  BOOST_TEST(!web.contains(net));
  BOOST_TEST(web.contains(TrafficSelector::of(prefix("10.1.0.0/16"), 6, 81, 90)));
  BOOST_TEST(!web.contains(TrafficSelector::of(prefix("10.1.0.0/16"), 6, 79, 80)));
  BOOST_TEST(!web.contains(TrafficSelector::of(prefix("10.1.0.0/16"), 17, 80, 90)));
  BOOST_TEST(!web.contains(TrafficSelector::of(prefix("10.1.0.0/16"), 0, 80, 90)));
}

// RFC 4301 4.4.1.1
BOOST_AUTO_TEST_CASE(opaque_is_part_of_any_and_of_no_range) {
  const auto opaque = TrafficSelector::of(prefix("10.1.0.0/16"), 6, 65535, 0);
  const auto any = TrafficSelector::of(prefix("10.1.0.0/16"), 6);
  const auto web = TrafficSelector::of(prefix("10.1.0.0/16"), 6, 80, 80);
  const auto most = TrafficSelector::of(prefix("10.1.0.0/16"), 6, 1, 65535);
  BOOST_TEST(opaque.opaque_port());
  BOOST_TEST(any.contains(opaque));
  BOOST_TEST(opaque.contains(opaque));
  BOOST_TEST(!opaque.contains(any));
  BOOST_TEST(!opaque.contains(web));
  BOOST_TEST(!web.contains(opaque));
  BOOST_TEST(!most.contains(opaque));
  BOOST_TEST(both(any, opaque) == "10.1.0.0/16 protocol 6 port opaque");
  BOOST_TEST(both(opaque, opaque) == "10.1.0.0/16 protocol 6 port opaque");
  BOOST_TEST(both(opaque, web) == "nothing");
  BOOST_TEST(both(opaque, most) == "nothing");
}

BOOST_AUTO_TEST_CASE(intersections) {
  const auto net = TrafficSelector::of(prefix("10.1.0.0/16"));
  BOOST_TEST(both(net, net) == "10.1.0.0/16");
  BOOST_TEST(both(net, TrafficSelector::of(prefix("0.0.0.0/0"))) == "10.1.0.0/16");
  BOOST_TEST(both(net, range("10.0.0.0", "10.1.0.9")) == "10.1.0.0-10.1.0.9");
  BOOST_TEST(both(net, range("10.1.255.255", "10.9.0.0")) == "10.1.255.255/32");
  BOOST_TEST(both(net, TrafficSelector::of(prefix("10.2.0.0/16"))) == "nothing");
  BOOST_TEST(both(net, TrafficSelector::of(prefix("::/0"))) == "nothing");
  BOOST_TEST(both(net, TrafficSelector::of(prefix("10.0.0.0/8"), 6, 80, 80)) == "10.1.0.0/16 protocol 6 port 80");
  const auto web = TrafficSelector::of(prefix("10.1.0.0/16"), 6, 80, 90);
  BOOST_TEST(both(web, TrafficSelector::of(prefix("10.1.0.0/16"), 6, 85, 100)) == "10.1.0.0/16 protocol 6 port 85-90");
  BOOST_TEST(both(web, TrafficSelector::of(prefix("10.1.0.0/16"), 0, 90, 100)) == "10.1.0.0/16 protocol 6 port 90");
  BOOST_TEST(both(web, TrafficSelector::of(prefix("10.1.0.0/16"), 6, 91, 100)) == "nothing");
  BOOST_TEST(both(web, TrafficSelector::of(prefix("10.1.0.0/16"), 17)) == "nothing");
  BOOST_TEST(both(TrafficSelector::of(prefix("2001:db8::/32")), range("2001:db8::1", "2001:db9::")) ==
             "2001:db8::1-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
}

// seeded: the same in every run
BOOST_AUTO_TEST_CASE(an_intersection_is_the_largest_that_both_contain) {
  std::mt19937 random(7);
  const auto draw = [&random](std::uint32_t bound) { return static_cast<std::uint16_t>(random() % bound); };
  const auto selector = [&draw] {
    const std::uint32_t start = draw(6);
    const std::uint16_t port = draw(4);
    const auto kind = draw(4);
    TrafficSelector out{static_cast<std::uint8_t>(draw(3)), 0, 65535, IpAddress::v4(start), IpAddress::v4(start + draw(4))};
    if (kind == 0) return out;
    out.start_port = kind == 1 ? 65535 : port;
    out.end_port = kind == 1 ? 0 : static_cast<std::uint16_t>(port + draw(3));
    return out;
  };
  for (int i = 0; i < 20000; ++i) {
    const TrafficSelector ours = selector();
    const TrafficSelector theirs = selector();
    const TrafficSelector third = selector();
    const auto common = intersect(ours, theirs);
    const bool in_both = ours.contains(third) && theirs.contains(third);
    BOOST_TEST_REQUIRE(in_both == (!common.empty() && common.front().contains(third)));
    if (!common.empty()) BOOST_TEST_REQUIRE((ours.contains(common.front()) && theirs.contains(common.front())));
  }
}

BOOST_AUTO_TEST_CASE(selectors_as_text) {
  BOOST_TEST(TrafficSelector::of(prefix("10.1.0.0/16")).to_string() == "10.1.0.0/16");
  BOOST_TEST(range("10.1.0.1", "10.1.0.9").to_string() == "10.1.0.1-10.1.0.9");
  BOOST_TEST(TrafficSelector::of(prefix("10.1.0.0/16"), 6, 80, 80).to_string() == "10.1.0.0/16 protocol 6 port 80");
  BOOST_TEST(TrafficSelector::of(prefix("10.1.0.0/16"), 17).to_string() == "10.1.0.0/16 protocol 17");
  BOOST_TEST(TrafficSelector::of(prefix("::/0"), 0, 65535, 0).to_string() == "::/0 port opaque");
}
