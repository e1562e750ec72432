// SPDX-License-Identifier: Apache-2.0
// NetlinkKernel against the running kernel, in a network namespace of the program's own. What needs ESP or svti.ko is in
// tests/vm/test_kernel_adapter.py.
#include "kernel/netlink_kernel.h"

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "kernel/null_kernel.h"
#include "kernel/route_message.h"
#include "support/network_namespace.h"

using namespace svti;
using kernel::NetlinkKernel;
using svti::test::InNetworkNamespace;
BOOST_TEST_GLOBAL_FIXTURE(InNetworkNamespace);

namespace {

Prefix prefix(const std::string& text) { return *Prefix::parse(text); }
IpAddress address(const char* text) { return *IpAddress::parse(text); }

std::string output(const std::string& command) {
  std::string out;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  BOOST_REQUIRE(pipe != nullptr);
  std::array<char, 4096> part;
  while (const std::size_t size = fread(part.data(), 1, part.size(), pipe)) out.append(part.data(), size);
  pclose(pipe);
  return out;
}

struct Fixture {
  Fixture() {
    auto made = NetlinkKernel::create(loop, [this](const LogLine& line) { log.push_back(line.text); });
    BOOST_REQUIRE_MESSAGE(made, made.error().message);
    kernel = std::move(*made);
  }
  ~Fixture() {
    test::run("ip route flush table 220; ip -6 route flush table 220; ip xfrm policy flush; true");
    test::run("while ip rule del pref 220 2>/dev/null; do :; done; while ip -6 rule del pref 220 2>/dev/null; do :; done");
  }
  // submits, runs the loop until all is answered and gives the answers
  std::vector<Status> ask(std::vector<model::KernelRequest> requests) {
    std::vector<Status> out(requests.size());
    std::size_t answered = 0;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      kernel->submit(std::move(requests[i]), [&, i](Status status) {
        out[i] = std::move(status);
        ++answered;
      });
    }
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (answered < out.size() && std::chrono::steady_clock::now() < limit) {
      loop.restart();
      loop.run_one_for(std::chrono::milliseconds(100));
    }
    BOOST_REQUIRE_EQUAL(answered, out.size());
    return out;
  }
  Status ask(model::KernelRequest request) {
    std::vector<model::KernelRequest> one;
    one.push_back(std::move(request));
    return ask(std::move(one)).front();
  }
  template <typename... Request>
  std::vector<Status> ask_all(Request... requests) {
    std::vector<model::KernelRequest> all;
    (all.push_back(std::move(requests)), ...);
    return ask(std::move(all));
  }
  model::KernelInventory inventory() {
    auto out = kernel->inventory();
    BOOST_REQUIRE_MESSAGE(out, out.error().message);
    return *out;
  }

  boost::asio::io_context loop;
  std::vector<std::string> log;
  std::unique_ptr<NetlinkKernel> kernel;
};

const model::RouteId kThrow4{prefix("192.0.2.7/32"), 220, 0};
const model::RouteId kThrow6{prefix("2001:db8::7/128"), 220, 0};

model::SetPolicy policy(model::Direction direction, const char* source, const char* destination) {
  model::SetPolicy out;
  out.id.direction = direction;
  out.id.source = prefix(source);
  out.id.destination = prefix(destination);
  out.reqid = model::kReqidFirst + 3;
  out.priority = 77;
  out.tunnel_source = address("198.51.100.1");
  out.tunnel_destination = address("198.51.100.2");
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(netlink_kernel)

BOOST_FIXTURE_TEST_CASE(throw_routes_come_and_go_without_residue, Fixture) {
  test::run("ip route add throw 203.0.113.0/24 table 220; ip -6 route add throw 2001:db8:1::/48 table 220");  // somebody else's
  const std::string before = output("ip route show table 220; ip -6 route show table 220");
  for (const model::RouteId& id : {kThrow4, kThrow6, model::RouteId{prefix("0.0.0.0/0"), 220, 0}, model::RouteId{prefix("::/0"), 220, 0}}) {
    for (int i = 0; i < 2; ++i) {  // the second replaces the first
      const Status status = ask(model::AddRoute{id});
      BOOST_REQUIRE_MESSAGE(status, status.error().message);
      BOOST_REQUIRE_EQUAL(inventory().routes.size(), 1U);
      BOOST_CHECK(inventory().routes.front() == id);
    }
    const std::string shown = output("ip route show table 220 proto 219; ip -6 route show table 220 proto 219");
    BOOST_TEST(shown.find("throw ") == 0U, shown);
    for (int i = 0; i < 2; ++i) {
      const Status status = ask(model::DeleteRoute{id});
      BOOST_REQUIRE_MESSAGE(status, status.error().message);
    }
    BOOST_TEST(inventory().routes.empty());
    BOOST_TEST(output("ip route show table 220; ip -6 route show table 220") == before);
  }
}

BOOST_FIXTURE_TEST_CASE(deleting_a_route_spares_the_same_one_of_another_program, Fixture) {
  test::run("ip route add throw 192.0.2.7 table 220; ip -6 route add throw 2001:db8::7 table 220");
  BOOST_TEST(ask(model::DeleteRoute{kThrow4}).has_value());
  BOOST_TEST(ask(model::DeleteRoute{kThrow6}).has_value());
  BOOST_TEST(output("ip route show table 220").find("192.0.2.7") != std::string::npos);
  BOOST_TEST(output("ip -6 route show table 220").find("2001:db8::7") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_route_of_ours_that_leads_nowhere_known_is_listed_and_can_be_deleted, Fixture) {
  test::run("ip route add 10.9.0.0/16 dev lo table 220 proto 219; ip -6 route add 2001:db8:9::/48 dev lo table 220 proto 219");
  const auto routes = inventory().routes;
  BOOST_REQUIRE_EQUAL(routes.size(), 2U);
  for (const model::RouteId& id : routes) {
    BOOST_TEST(id.svti_id == kernel::kNotAnSvti);
    BOOST_TEST(ask(model::DeleteRoute{id}).has_value());
  }
  BOOST_TEST(inventory().routes.empty());
}

BOOST_FIXTURE_TEST_CASE(a_route_needs_its_interface, Fixture) {
  const Status status = ask(model::AddRoute{{prefix("10.2.0.0/16"), 220, 4711}});
  BOOST_REQUIRE(!status);
  BOOST_TEST(status.error().message == "add route 10.2.0.0/16 svti-id 4711 table 220: no interface with svti-id 4711");
  // with the interface the route is gone
  BOOST_TEST(ask(model::DeleteRoute{{prefix("10.2.0.0/16"), 220, 4711}}).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_rule_is_there_once_and_beside_those_of_others, Fixture) {
  for (const IpFamily family : {IpFamily::V4, IpFamily::V6}) {
    const std::string ip = family == IpFamily::V4 ? "ip" : "ip -6";
    const model::RuleId id{family, 220, 220};
    test::run(ip + " rule add pref 220 lookup 220");  // strongSwan's looks the same but for the protocol
    const std::string before = output(ip + " rule");
    const auto answers = ask_all(model::AddRule{id}, model::AddRule{id}, model::AddRule{id});
    for (const Status& status : answers) BOOST_REQUIRE_MESSAGE(status, status.error().message);
    BOOST_REQUIRE_EQUAL(inventory().rules.size(), 1U);
    BOOST_CHECK(inventory().rules.front() == id);

    BOOST_TEST(ask(model::DeleteRule{id}).has_value());
    BOOST_TEST(inventory().rules.empty());
    BOOST_TEST(ask(model::DeleteRule{id}).has_value());
    BOOST_TEST(output(ip + " rule") == before);
    test::run(ip + " rule del pref 220");
  }
}

BOOST_FIXTURE_TEST_CASE(rules_of_other_forms_are_not_ours, Fixture) {
  test::run("ip rule add pref 300 blackhole protocol 219; ip rule add pref 301 lookup 220 protocol 4");
  BOOST_TEST(inventory().rules.empty());
  test::run("ip rule del pref 300; ip rule del pref 301");
}

BOOST_FIXTURE_TEST_CASE(virtual_addresses_come_and_go_beside_those_of_others, Fixture) {
  test::run("ip addr add 192.0.2.9/32 dev lo && ip -6 addr add 2001:db8::9/128 dev lo nodad");  // somebody else's
  const std::string before = output("ip -o addr show");
  for (const char* text : {"192.168.99.1", "2001:db8:99::1"}) {
    const model::AddressId id{address(text), 0};
    for (int i = 0; i < 2; ++i) {
      const Status status = ask(model::AddAddress{id});
      BOOST_REQUIRE_MESSAGE(status, status.error().message);
      BOOST_CHECK((inventory().addresses == std::vector{id}));
    }
    const std::string shown = output("ip -o addr show dev lo");
    BOOST_TEST(shown.find(std::string(text) + (id.address.is_v4() ? "/32" : "/128")) != std::string::npos, shown);
    BOOST_TEST(shown.find("tentative") == std::string::npos, shown);
    // as the source of a route
    if (id.address.is_v4()) test::run("ip route add 203.0.113.0/24 dev lo src 192.168.99.1 && ip route del 203.0.113.0/24");
    for (int i = 0; i < 2; ++i) BOOST_TEST(ask(model::DeleteAddress{id}).has_value());
    BOOST_TEST(inventory().addresses.empty());
  }
  for (const char* text : {"192.0.2.9", "2001:db8::9"}) {
    const Status status = ask(model::AddAddress{{address(text), 0}});
    BOOST_REQUIRE(!status);
    BOOST_TEST(status.error().message ==
               "add address " + std::string(text) + " on lo: the interface has it already, from somebody else, who keeps it");
    BOOST_TEST(ask(model::DeleteAddress{{address(text), 0}}).has_value());
  }
  const Status nowhere = ask(model::AddAddress{{address("192.168.99.1"), 4711}});
  BOOST_REQUIRE(!nowhere);
  BOOST_TEST(nowhere.error().message == "add address 192.168.99.1 svti-id 4711: no interface with svti-id 4711");
  BOOST_TEST(ask(model::DeleteAddress{{address("192.168.99.1"), 4711}}).has_value());
  BOOST_TEST(output("ip -o addr show") == before);
  test::run("ip addr del 192.0.2.9/32 dev lo && ip -6 addr del 2001:db8::9/128 dev lo");
}

BOOST_FIXTURE_TEST_CASE(policies_are_made_replaced_listed_and_deleted, Fixture) {
  test::run("ip xfrm policy add dir out src 10.7.0.0/16 dst 10.8.0.0/16 action block");  // somebody else's
  model::SetPolicy out = policy(model::Direction::Out, "10.1.0.0/16", "10.2.0.0/16");
  model::SetPolicy drop = policy(model::Direction::In, "2001:db8:1::/48", "2001:db8:2::/48");
  drop.action = model::PolicyAction::Drop;
  model::SetPolicy pass = policy(model::Direction::Forward, "10.3.0.0/16", "10.4.0.0/16");
  pass.action = model::PolicyAction::Pass;
  const std::vector<model::SetPolicy> all{out, drop, pass};
  for (const model::SetPolicy& each : all) {
    for (int i = 0; i < 2; ++i) {
      const Status status = ask(each);
      BOOST_REQUIRE_MESSAGE(status, status.error().message);
    }
  }
  const auto listed = inventory().policies;
  BOOST_REQUIRE_EQUAL(listed.size(), 3U);
  for (const model::SetPolicy& each : all) {
    const auto found = std::find_if(listed.begin(), listed.end(), [&](const model::PolicyStatus& one) { return one.id == each.id; });
    BOOST_REQUIRE(found != listed.end());
    BOOST_TEST(found->priority == 77U);
    BOOST_TEST(found->reqid == (each.action == model::PolicyAction::Esp ? each.reqid : 0U));
  }
  const std::string shown = output("ip xfrm policy");
  BOOST_TEST(shown.find("tmpl src 198.51.100.1 dst 198.51.100.2") != std::string::npos, shown);
  BOOST_TEST(shown.find("proto esp reqid 1392508931 mode tunnel") != std::string::npos, shown);

  for (const model::SetPolicy& each : all) {
    BOOST_TEST(ask(model::DeletePolicy{each.id}).has_value());
    BOOST_TEST(ask(model::DeletePolicy{each.id}).has_value());
  }
  BOOST_TEST(inventory().policies.empty());
  BOOST_TEST(output("ip xfrm policy").find("10.8.0.0/16") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(deleting_an_sa_that_is_gone_is_no_error_and_asking_for_it_is, Fixture) {
  const model::SaId id{address("192.0.2.2"), 0xc0ffee01, wire::ProtocolId::Esp};
  BOOST_TEST(ask(model::DeleteSa{id}).has_value());
  const auto answer = kernel->query(id);
  BOOST_REQUIRE(!answer);
  BOOST_TEST(answer.error().message.find("192.0.2.2") != std::string::npos);
  BOOST_TEST(answer.error().message.find("(ESRCH)") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(hash_thresholds_are_set, Fixture) {
  const Status status = ask(model::SetPolicyHash{16, 24, 48, 64});
  BOOST_REQUIRE_MESSAGE(status, status.error().message);
  const std::string shown = output("ip -s -s xfrm policy count");
  BOOST_TEST(shown.find("local 16 remote 24") != std::string::npos, shown);
  BOOST_TEST(shown.find("local 48 remote 64") != std::string::npos, shown);
  test::run("ip xfrm policy set hthresh4 32 32 hthresh6 128 128");
}

BOOST_FIXTURE_TEST_CASE(the_acquire_timeout_is_set_where_the_namespace_has_one, Fixture) {
  const Status status = ask(model::SetAcquireTimeout{seconds(77)});
  const std::string file = "/proc/sys/net/core/xfrm_acq_expires";
  if (access(file.c_str(), F_OK) == 0) {
    BOOST_REQUIRE_MESSAGE(status, status.error().message);
    BOOST_TEST(output("cat " + file) == "77\n");
  } else {  // a user namespace: the kernel hides it there
    BOOST_REQUIRE(!status);
    BOOST_TEST(status.error().message == "set acquire timeout 77s: cannot open " + file + ": No such file or directory (ENOENT)");
  }
}

BOOST_FIXTURE_TEST_CASE(more_requests_than_the_window_are_carried_out_in_order, Fixture) {
  // Each destination is added, deleted and added: only in order does every one of them stay.
  constexpr unsigned kCount = 3 * NetlinkKernel::kWindow;
  std::vector<model::KernelRequest> requests;
  for (unsigned i = 0; i < kCount; ++i) {
    const model::RouteId id{Prefix(IpAddress::v4(0x0a000000 + i), 32), 220, 0};
    requests.push_back(model::AddRoute{id});
    requests.push_back(model::DeleteRoute{id});
    // goes by the other socket
    if (i % 100 == 0) requests.push_back(model::DeleteSa{{address("192.0.2.2"), i + 1, wire::ProtocolId::Esp}});
    requests.push_back(model::AddRoute{id});
  }
  for (const Status& status : ask(std::move(requests))) BOOST_REQUIRE_MESSAGE(status, status.error().message);
  BOOST_TEST(inventory().routes.size() == kCount);
}

BOOST_FIXTURE_TEST_CASE(order_holds_across_the_two_protocols, Fixture) {
  // What the policy is, when the route comes, shows that the policy was first: both are there after each pair, none in between.
  std::vector<std::string> order;
  const auto note = [&](const char* what) {
    return [&order, what](const Status& status) { order.push_back(status ? what : status.error().message); };
  };
  kernel->submit(policy(model::Direction::Out, "10.1.0.0/16", "10.2.0.0/16"), note("policy"));
  kernel->submit(model::AddRoute{kThrow4}, note("route"));
  kernel->submit(model::DeletePolicy{policy(model::Direction::Out, "10.1.0.0/16", "10.2.0.0/16").id}, note("no policy"));
  kernel->flush();
  // All was carried out by then, though nobody was told yet.
  BOOST_TEST(order.empty());
  BOOST_TEST(inventory().policies.empty());
  BOOST_TEST(inventory().routes.size() == 1U);
  loop.restart();
  loop.run_for(std::chrono::milliseconds(200));
  BOOST_TEST(order.size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(nothing_is_sent_before_flush_or_the_end_of_the_turn, Fixture) {
  bool answered = false;
  kernel->submit(model::AddRoute{kThrow4}, [&](Status) { answered = true; });
  BOOST_TEST(inventory().routes.empty());
  kernel->flush();
  BOOST_TEST(inventory().routes.size() == 1U);
  BOOST_TEST(!answered);
  loop.restart();
  loop.run_for(std::chrono::milliseconds(100));
  BOOST_TEST(answered);
}

BOOST_FIXTURE_TEST_CASE(requests_may_follow_from_answers, Fixture) {
  int depth = 0;
  std::function<void(Status)> next = [&](const Status& status) {
    BOOST_REQUIRE_MESSAGE(status, status.error().message);
    if (++depth == 100) return;
    kernel->submit(model::AddRoute{{Prefix(IpAddress::v4(0x0a000000 + static_cast<std::uint32_t>(depth)), 32), 220, 0}}, next);
    if (depth % 2 == 0) kernel->flush();
  };
  kernel->submit(model::AddRoute{kThrow4}, next);
  loop.restart();
  loop.run_for(std::chrono::milliseconds(500));
  BOOST_TEST(depth == 100);
}

BOOST_FIXTURE_TEST_CASE(no_callback_comes_after_the_end, Fixture) {
  bool answered = false;
  kernel->submit(model::AddRoute{kThrow4}, [&](Status) { answered = true; });
  kernel->submit(model::AddRoute{{prefix("10.2.0.0/16"), 220, 4711}}, [&](Status) { answered = true; });
  kernel->flush();
  kernel.reset();
  loop.restart();
  loop.run_for(std::chrono::milliseconds(100));
  BOOST_TEST(!answered);
  BOOST_TEST(output("ip route show table 220").find("192.0.2.7") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_source_address_is_the_one_that_the_route_has, Fixture) {
  test::run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
  test::run("ip addr add 192.0.2.1/24 dev v0 && ip addr add 192.0.2.3/24 dev v0");
  test::run("ip -6 addr add 2001:db8::1/64 dev v0 nodad && ip route add 198.51.100.0/24 via 192.0.2.9 src 192.0.2.3");
  // neither a policy nor what the socket would connect to matters
  test::run("ip xfrm policy add dir out src 0.0.0.0/0 dst 192.0.2.0/24 action block");
  const auto source = [&](const char* destination) {
    const auto out = kernel->source_address(address(destination));
    return out ? out->to_string() : out.error().message;
  };
  BOOST_TEST(source("192.0.2.7") == "192.0.2.1");
  BOOST_TEST(source("198.51.100.7") == "192.0.2.3");
  BOOST_TEST(source("2001:db8::7") == "2001:db8::1");
  BOOST_TEST(source("127.0.0.1") == "127.0.0.1");
  BOOST_TEST(source("203.0.113.1") == "no way to 203.0.113.1: Network is unreachable (ENETUNREACH)");
  test::run("ip route add unreachable 203.0.113.0/24");
  BOOST_TEST(source("203.0.113.1").find("no way to 203.0.113.1: No route to host (EHOSTUNREACH)") == 0U);
  test::run("ip link del v0");
}

BOOST_AUTO_TEST_CASE(the_null_kernel_says_yes_from_the_loop) {
  boost::asio::io_context loop;
  auto kernel = std::make_unique<kernel::NullKernel>(loop);
  int answered = 0;
  kernel->submit(model::AddRoute{kThrow4}, [&](const Status& status) { answered += status ? 1 : 0; });
  kernel->submit(model::DeleteRoute{kThrow4}, {});
  BOOST_TEST(answered == 0);
  loop.run();
  BOOST_TEST(answered == 1);
  BOOST_TEST(kernel->inventory()->routes.empty());
  kernel->submit(model::AddRoute{kThrow4}, [&](const Status&) { ++answered; });
  kernel.reset();
  loop.restart();
  loop.run();
  BOOST_TEST(answered == 1);
}

BOOST_AUTO_TEST_SUITE_END()
