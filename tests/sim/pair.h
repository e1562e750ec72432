// SPDX-License-Identifier: Apache-2.0
// Two gateways, left and right, as most tests want them.
#pragma once

#include <boost/test/unit_test.hpp>
#include <functional>
#include <string>

#include "sim/world/configurations.h"
#include "sim/world/world.h"

namespace svti::sim {

inline const Packet kToRight{address("10.1.0.1"), address("10.2.0.1")};
inline const Packet kToLeft{address("10.2.0.1"), address("10.1.0.1")};

using Change = std::function<void(model::Vpn&)>;

// Violations of what must always hold fail the test when the pair goes out of scope.
struct Pair {
  explicit Pair(const Change& change_left = {}, const Change& change_right = {}, model::GlobalOptions global = {}, std::uint64_t seed = 1)
      : Pair(parts(left_vpn(), change_left, global), parts(right_vpn(), change_right, global), seed) {}
  Pair(ConfigurationParts of_left, ConfigurationParts of_right, std::uint64_t seed = 1)
      : world(seed),
        left(world.add("left", address(kLeft), configuration(std::move(of_left)))),
        right(world.add("right", address(kRight), configuration(std::move(of_right)))) {}
  ~Pair() {
    for (const std::string& violation : world.violations()) BOOST_ERROR(violation);
    if (world.violations().empty()) return;
    for (const std::string& line : world.trace()) BOOST_TEST_MESSAGE(line);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  static ConfigurationParts parts(model::Vpn vpn, const Change& change, const model::GlobalOptions& global) {
    if (change) change(vpn);
    return {.vpns = {std::move(vpn)}, .global = global};
  }

  // left initiates; a second is long enough on a network that loses nothing
  void connect() {
    BOOST_TEST_REQUIRE(left.initiate("right").has_value());
    world.run_for(seconds(1));
    BOOST_TEST_REQUIRE(left.child_sas().size() == 1);
    BOOST_TEST_REQUIRE(right.child_sas().size() == 1);
  }
  // packets pass in both directions
  bool carries() { return world.probe(left, kToRight) == Probe::Delivered && world.probe(right, kToLeft) == Probe::Delivered; }
  // packets in both directions every few milliseconds; each must arrive
  void traffic_for(Duration duration, Duration interval = milliseconds(3)) {
    for (const TimePoint end = world.now() + duration; world.now() < end; world.run_for(interval)) {
      for (Node* from : {&left, &right}) {
        world.send_packet(*from, from == &left ? kToRight : kToLeft, [this, from](Probe outcome) {
          if (outcome != Probe::Delivered) world.violation("a packet of " + from->name() + " does not arrive");
        });
      }
    }
    world.run_for(milliseconds(100));  // the last ones arrive
  }
  // one IKE SA with one CHILD SA at each end, the same, carrying traffic, and nothing else
  void check_one_pair() {
    BOOST_TEST(left.core().ike_sas() == 1U);
    BOOST_TEST(right.core().ike_sas() == 1U);
    BOOST_TEST_REQUIRE(left.child_sas().size() == 1U);
    BOOST_TEST_REQUIRE(right.child_sas().size() == 1U);
    BOOST_TEST(left.ike_sas()[0].initiator_spi == right.ike_sas()[0].initiator_spi);
    BOOST_TEST(left.child_sas()[0].spi_in == right.child_sas()[0].spi_out);
    BOOST_TEST(left.child_sas()[0].spi_out == right.child_sas()[0].spi_in);
    BOOST_TEST(left.kernel().sad().size() == 2U);
    BOOST_TEST(right.kernel().sad().size() == 2U);
    BOOST_TEST(carries());
  }
  void check_nothing_left() {
    for (Node* node : {&left, &right}) {
      BOOST_TEST(node->core().ike_sas() == 0U);
      BOOST_TEST(node->kernel().sad().empty());
      BOOST_TEST(node->kernel().spd().empty());
    }
  }

  World world;
  Node& left;
  Node& right;
};

}  // namespace svti::sim
