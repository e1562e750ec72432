// SPDX-License-Identifier: Apache-2.0
// Cookies, retransmission and numbers in use.
#include <boost/test/unit_test.hpp>

#include "sa/context.h"
#include "sa/cookie.h"
#include "sa/ike_sa.h"
#include "sa/request_window.h"
#include "sim/world/configurations.h"
#include "sim/world/seeded_entropy.h"

using namespace svti;
using namespace svti::sa;
using namespace svti::sim;

namespace {
const Bytes kNonce(32, 5);
const IpAddress kPeer = address("192.0.2.9");
constexpr wire::IkeSpi kSpi = 42;
TimePoint at(int second) { return TimePoint(seconds(second)); }
}  // namespace

BOOST_AUTO_TEST_SUITE(cookies)

BOOST_AUTO_TEST_CASE(a_cookie_is_valid_for_the_same_nonce_address_and_spi_alone) {
  SeededEntropy entropy(1);
  CookieJar jar(entropy);
  const Bytes cookie = jar.make(at(0), kNonce, kPeer, kSpi);
  BOOST_TEST(cookie.size() <= 64U);
  BOOST_TEST(jar.valid(at(1), cookie, kNonce, kPeer, kSpi));
  BOOST_TEST(!jar.valid(at(1), cookie, Bytes(32, 6), kPeer, kSpi));
  BOOST_TEST(!jar.valid(at(1), cookie, kNonce, address("192.0.2.8"), kSpi));
  BOOST_TEST(!jar.valid(at(1), cookie, kNonce, kPeer, kSpi + 1));
  BOOST_TEST(!jar.valid(at(1), {}, kNonce, kPeer, kSpi));
  Bytes longer = cookie;
  longer.push_back(0);
  BOOST_TEST(!jar.valid(at(1), longer, kNonce, kPeer, kSpi));
}

BOOST_AUTO_TEST_CASE(a_cookie_outlives_one_change_of_the_secret_but_not_two) {
  SeededEntropy entropy(1);
  CookieJar jar(entropy);
  const Bytes cookie = jar.make(at(0), kNonce, kPeer, kSpi);
  BOOST_TEST(jar.valid(at(121), cookie, kNonce, kPeer, kSpi));
  BOOST_TEST(!jar.valid(at(242), cookie, kNonce, kPeer, kSpi));
}

BOOST_AUTO_TEST_CASE(a_cookie_is_not_believed_after_a_long_silence) {
  SeededEntropy entropy(1);
  CookieJar jar(entropy);
  const Bytes cookie = jar.make(at(0), kNonce, kPeer, kSpi);
  BOOST_TEST(!jar.valid(at(100'000), cookie, kNonce, kPeer, kSpi));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(retransmission)

BOOST_AUTO_TEST_CASE(six_deadlines_add_up_to_165_seconds) {
  RequestWindow window;
  window.begin(at(0), 7, {model::Datagram{}}, RetransmitPolicy{});
  int retransmissions = 0;
  TimePoint now = at(0);
  while (window.busy()) {
    now = *window.deadline();
    if (window.on_deadline(now) == RequestWindow::Step::Retransmit) ++retransmissions;
  }
  BOOST_TEST(retransmissions == 5);
  BOOST_TEST(static_cast<double>((now - at(0)).count()) / 1e6 == 165.06, boost::test_tools::tolerance(1e-4));
}

BOOST_AUTO_TEST_CASE(a_timeout_of_nothing_does_not_spin_and_a_large_base_has_an_end) {
  const RetransmitPolicy none{5, milliseconds(0), 0.5};
  BOOST_TEST(none.delay(3).count() == 100'000);
  const RetransmitPolicy large{100, milliseconds(4000), 10.0};
  BOOST_TEST((large.delay(99) == seconds(3600)));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(numbers)

BOOST_AUTO_TEST_CASE(spis_are_never_reserved_and_never_given_twice) {
  // counts up from 0, each number twice
  class Counting final : public Entropy {
   public:
    void fill(std::span<std::uint8_t> out) override {
      std::fill(out.begin(), out.end(), std::uint8_t{0});
      const std::uint32_t value = calls_++ / 2;
      out[out.size() - 1] = static_cast<std::uint8_t>(value);
      out[out.size() - 2] = static_cast<std::uint8_t>(value >> 8);
    }

   private:
    std::uint32_t calls_ = 0;
  };
  Counting entropy;
  Context context(entropy, {});
  BOOST_TEST(context.new_ike_spi() == 1U);  // zero means "not chosen yet" (RFC 7296 3.1)
  BOOST_TEST(context.new_ike_spi() == 2U);
  BOOST_TEST(context.new_child_spi() == 256U);  // RFC 4303 2.1
  BOOST_TEST(context.new_child_spi() == 257U);
}

BOOST_AUTO_TEST_CASE(equal_policies_have_one_reqid_for_as_long_as_anybody_uses_it) {
  model::SecurityPolicy policy = security_policy("net", "10.1.0.0/24", "10.2.0.0/24");
  const auto policies = [&](const char* remote) {
    const Selectors local = {wire::TrafficSelector::of(prefix("10.1.0.0/24"))}, far = {wire::TrafficSelector::of(prefix("10.2.0.0/24"))};
    return policies_for(local, far, {&policy, address(kLeft), address(remote), 0});
  };
  ReqidTable table;
  const std::uint32_t trap = table.acquire(policies("192.0.2.2"));
  BOOST_TEST(table.acquire(policies("192.0.2.2")) == trap);
  BOOST_TEST(table.acquire(policies("192.0.2.3")) != trap);
  BOOST_TEST(trap >= model::kReqidFirst);
  table.release(trap);
  BOOST_TEST(table.acquire(policies("192.0.2.2")) == trap);
  table.release(trap);
  table.release(trap);
  BOOST_TEST(table.acquire(policies("192.0.2.2")) != trap);  // not at once: what was under way with the old one must not meet it
}

BOOST_AUTO_TEST_CASE(jitter_shortens_by_a_tenth_at_most) {
  SeededEntropy entropy(1);
  Context context(entropy, {});
  for (int i = 0; i < 1000; ++i) {
    const Duration time = context.jittered(seconds(3600));
    BOOST_TEST_REQUIRE((time <= seconds(3600) && time >= seconds(3240)));
  }
}

BOOST_AUTO_TEST_SUITE_END()
