// SPDX-License-Identifier: Apache-2.0
// Two transports, or a transport and a plain socket, on loopback in a network namespace of the program's own.
#include "net/udp_transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "support/network_namespace.h"

using namespace svti;
using model::Datagram;
using net::UdpPorts;
using net::UdpTransport;

using svti::test::InNetworkNamespace;
BOOST_TEST_GLOBAL_FIXTURE(InNetworkNamespace);

namespace {

constexpr UdpPorts kOurs{500, 4500};
constexpr UdpPorts kTheirs{1500, 5500};

IpAddress address(const char* text) { return *IpAddress::parse(text); }

Bytes ike_message(std::size_t size, std::uint8_t fill = 0x5a) { return Bytes(size, fill); }

struct Lines {
  std::vector<LogLine> lines;

  LogSink sink() {
    return [this](const LogLine& line) { lines.push_back(line); };
  }
  bool has(const std::string& part) const {
    return std::any_of(lines.begin(), lines.end(), [&](const LogLine& line) { return line.text.find(part) != std::string::npos; });
  }
};

// A transport that keeps what it receives
struct Party {
  Party(boost::asio::io_context& loop, UdpPorts ports) {
    auto made = UdpTransport::create(loop, ports, log.sink());
    BOOST_REQUIRE_MESSAGE(made, made.error().message);
    transport = std::move(*made);
    transport->set_receive([this](const Datagram& datagram) { received.push_back(datagram); });
  }

  Lines log;
  std::unique_ptr<UdpTransport> transport;
  std::vector<Datagram> received;
};

// A plain UDP socket, to see and to make the octets on the wire
struct PlainSocket {
  explicit PlainSocket(const Endpoint& local) : fd(::socket(local.address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_storage own{};
    const socklen_t size = fill(local, own);
    BOOST_REQUIRE_EQUAL(::bind(fd, reinterpret_cast<sockaddr*>(&own), size), 0);
  }
  ~PlainSocket() { ::close(fd); }
  PlainSocket(const PlainSocket&) = delete;
  PlainSocket& operator=(const PlainSocket&) = delete;

  static socklen_t fill(const Endpoint& endpoint, sockaddr_storage& out) {
    if (endpoint.address.is_v4()) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(out);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(endpoint.port);
      std::memcpy(&v4.sin_addr, endpoint.address.bytes().data(), 4);
      return sizeof(v4);
    }
    auto& v6 = reinterpret_cast<sockaddr_in6&>(out);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address.bytes().data(), 16);
    return sizeof(v6);
  }
  void send(const Endpoint& to, const Bytes& octets) {
    sockaddr_storage target{};
    const socklen_t size = fill(to, target);
    BOOST_REQUIRE_EQUAL(::sendto(fd, octets.data(), octets.size(), 0, reinterpret_cast<sockaddr*>(&target), size),
                        static_cast<ssize_t>(octets.size()));
  }
  // empty when nothing is there
  Bytes receive() {
    Bytes out(65536);
    const ssize_t size = ::recv(fd, out.data(), out.size(), 0);
    out.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return out;
  }

  int fd;
};

// runs the loop until `done`, half a minute at most: the machine may be busy
void run_until(boost::asio::io_context& loop, const std::function<bool()>& done) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!done() && std::chrono::steady_clock::now() < limit) {
    loop.restart();
    loop.run_one_for(std::chrono::milliseconds(50));
  }
  BOOST_TEST(done(), "nothing came within half a minute");
}

// long enough for anything on loopback to have come
void run_a_while(boost::asio::io_context& loop) {
  loop.restart();
  loop.run_for(std::chrono::milliseconds(150));
}

struct Pair {
  boost::asio::io_context loop;
  Party ours{loop, kOurs};
  Party theirs{loop, kTheirs};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(datagrams_keep_octets_and_endpoints_on_both_ports_and_families, Pair) {
  // The kernel makes the route of an IPv6 address a moment after it has accepted the address.
  test::run(
      "ip -6 address replace fd00::2/128 dev lo nodad && ip -6 address replace fd00::3/128 dev lo nodad &&"
      "until [ $(ip -6 route show table local | grep -c '^local fd00::[23] ') = 2 ]; do sleep 0.02; done");
  struct Case {
    const char* from;
    std::uint16_t from_port;
    const char* to;
    std::uint16_t to_port;
  };
  // Neither address is the one that the kernel would choose.
  for (const Case& c : {Case{"127.0.0.2", 500, "127.0.0.3", 1500}, Case{"127.0.0.2", 4500, "127.0.0.3", 5500},
                        Case{"fd00::2", 500, "fd00::3", 1500}, Case{"fd00::2", 4500, "fd00::3", 5500}}) {
    BOOST_TEST_INFO_SCOPE("from " << c.from << ", port " << c.from_port);
    const Datagram sent{{address(c.from), c.from_port}, {address(c.to), c.to_port}, ike_message(300)};
    theirs.received.clear();
    BOOST_REQUIRE(ours.transport->send(sent));
    run_until(loop, [&] { return !theirs.received.empty(); });
    BOOST_REQUIRE_EQUAL(theirs.received.size(), 1U);
    const Datagram& got = theirs.received.front();
    BOOST_TEST(got.payload == sent.payload);
    BOOST_TEST(got.local.to_string() == sent.remote.to_string());
    BOOST_TEST(got.remote.to_string() == sent.local.to_string());

    // and the answer, sent from where the question arrived, finds the way back
    ours.received.clear();
    BOOST_REQUIRE(theirs.transport->send({got.local, got.remote, ike_message(28, 7)}));
    run_until(loop, [&] { return !ours.received.empty(); });
    BOOST_REQUIRE_EQUAL(ours.received.size(), 1U);
    BOOST_TEST(ours.received.front().local.to_string() == sent.local.to_string());
    BOOST_TEST(ours.received.front().remote.to_string() == sent.remote.to_string());
  }
}

BOOST_FIXTURE_TEST_CASE(the_marker_is_on_the_wire_of_the_nat_traversal_port_alone, Pair) {
  PlainSocket peer({address("127.0.0.9"), 9999});
  const Bytes message = ike_message(40);
  BOOST_REQUIRE(ours.transport->send({{address("127.0.0.1"), 500}, {address("127.0.0.9"), 9999}, message}));
  ours.transport->flush();
  BOOST_TEST(peer.receive() == message);
  BOOST_REQUIRE(ours.transport->send({{address("127.0.0.1"), 4500}, {address("127.0.0.9"), 9999}, message}));
  ours.transport->flush();
  BOOST_TEST(peer.receive() == concat({Bytes{0, 0, 0, 0}, message}));

  peer.send({address("127.0.0.1"), 4500}, concat({Bytes{0, 0, 0, 0}, message}));
  run_until(loop, [&] { return !ours.received.empty(); });
  BOOST_TEST(ours.received.at(0).payload == message);
}

BOOST_FIXTURE_TEST_CASE(a_keepalive_is_one_octet_and_is_not_passed_on, Pair) {
  PlainSocket peer({address("127.0.0.9"), 9999});
  BOOST_REQUIRE(ours.transport->send_keepalive({address("127.0.0.1"), 4500}, {address("127.0.0.9"), 9999}));
  ours.transport->flush();
  BOOST_TEST(peer.receive() == Bytes{0xff});
  BOOST_TEST(!ours.transport->send_keepalive({address("127.0.0.1"), 500}, {address("127.0.0.9"), 9999}));

  peer.send({address("127.0.0.1"), 4500}, {0xff});
  run_a_while(loop);
  BOOST_TEST(ours.received.empty());
}

BOOST_FIXTURE_TEST_CASE(what_is_no_ike_message_is_dropped, Pair) {
  PlainSocket peer({address("127.0.0.9"), 9999});
  const Endpoint ike{address("127.0.0.1"), 500};
  const Endpoint nat{address("127.0.0.1"), 4500};
  peer.send(ike, {});
  peer.send(ike, ike_message(27));
  peer.send(nat, {});
  peer.send(nat, {0, 0, 0});
  peer.send(nat, {0, 0, 0, 0});
  peer.send(nat, concat({Bytes{0, 0, 0, 0}, ike_message(27)}));
  peer.send(nat, ike_message(100));  // ESP with an SPI that nobody has
  run_a_while(loop);
  BOOST_TEST(ours.received.empty());
  // the sockets live
  peer.send(ike, ike_message(28));
  run_until(loop, [&] { return ours.received.size() == 1; });
  peer.send(nat, concat({Bytes{0, 0, 0, 0}, ike_message(28)}));
  run_until(loop, [&] { return ours.received.size() == 2; });
}

BOOST_FIXTURE_TEST_CASE(a_datagram_larger_than_any_mtu_arrives_whole, Pair) {
  // so that it is fragmented
  test::run("ip link set lo mtu 1500");
  Bytes message(60000);
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<std::uint8_t>(i * 7);
  for (const char* host : {"127.0.0.1", "::1"}) {
    theirs.received.clear();
    BOOST_REQUIRE(ours.transport->send({{address(host), 4500}, {address(host), 5500}, message}));
    run_until(loop, [&] { return !theirs.received.empty(); });
    BOOST_TEST(theirs.received.at(0).payload == message);
  }
  test::run("ip link set lo mtu 65536");
  BOOST_TEST(!ours.transport->send({{address("127.0.0.1"), 500}, {address("127.0.0.1"), 1500}, Bytes(65508)}));
}

BOOST_FIXTURE_TEST_CASE(bursts_larger_than_a_batch_arrive_in_order, Pair) {
  constexpr std::size_t kCount = 500;
  for (std::size_t i = 0; i < kCount; ++i) {
    Bytes message = ike_message(64);
    message[0] = static_cast<std::uint8_t>(i >> 8);
    message[1] = static_cast<std::uint8_t>(i);
    BOOST_REQUIRE(ours.transport->send({{address("127.0.0.1"), 500}, {address("127.0.0.1"), 1500}, message}));
  }
  run_until(loop, [&] { return theirs.received.size() == kCount; });
  for (std::size_t i = 0; i < kCount; ++i) {
    const Bytes& message = theirs.received.at(i).payload;
    BOOST_REQUIRE_EQUAL(static_cast<std::size_t>(message[0]) << 8 | message[1], i);
  }
}

BOOST_FIXTURE_TEST_CASE(reading_leaves_the_loop_to_others_between_batches, Pair) {
  // 600 datagrams wait; a handler posted when the first is handed over must come before the last is.
  std::size_t handed_over_when_posted_ran = 0;
  std::size_t handed_over = 0;
  theirs.transport->set_receive([&](const Datagram&) {
    if (++handed_over == 1) boost::asio::post(loop, [&] { handed_over_when_posted_ran = handed_over; });
  });
  for (int i = 0; i < 600; ++i)
    BOOST_REQUIRE(ours.transport->send({{address("127.0.0.1"), 500}, {address("127.0.0.1"), 1500}, ike_message(64)}));
  ours.transport->flush();
  run_until(loop, [&] { return handed_over == 600; });
  BOOST_TEST(handed_over_when_posted_ran > 0U);
  BOOST_TEST(handed_over_when_posted_ran < 600U);
}

BOOST_AUTO_TEST_CASE(a_port_in_use_is_said_with_what_to_do) {
  boost::asio::io_context loop;
  const PlainSocket other({address("0.0.0.0"), 4500});
  Lines log;
  const auto made = UdpTransport::create(loop, kOurs, log.sink());
  BOOST_REQUIRE(!made);
  BOOST_TEST(made.error().message.find("UDP port 4500 is in use") != std::string::npos);
  BOOST_TEST(made.error().message.find("ss -ulpn") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_closed_port_is_told_and_harms_nobody, Pair) {
  std::vector<std::pair<Endpoint, std::string>> returned;
  ours.transport->set_returned([&](const Endpoint& sent_to, const std::string& text) { returned.emplace_back(sent_to, text); });
  for (int i = 0; i < 3; ++i) {
    BOOST_REQUIRE(ours.transport->send({{address("127.0.0.1"), 500}, {address("127.0.0.7"), 9}, ike_message(28)}));
    BOOST_REQUIRE(ours.transport->send({{address("127.0.0.1"), 500}, {address("127.0.0.1"), 1500}, ike_message(28)}));
    ours.transport->flush();
  }
  run_until(loop,
            [&] { return theirs.received.size() == 3 && ours.log.has("cannot reach 127.0.0.7:9: 127.0.0.7 answered: port unreachable"); });
  for (const LogLine& line : ours.log.lines) {
    if (line.text.find("127.0.0.7") != std::string::npos) BOOST_TEST(static_cast<int>(line.level) == 2);
  }
  BOOST_REQUIRE(!returned.empty());
  for (const auto& [sent_to, text] : returned) {
    BOOST_TEST(sent_to.to_string() == "127.0.0.7:9");
    BOOST_TEST(text == "127.0.0.7 answered: port unreachable");
  }
}

BOOST_FIXTURE_TEST_CASE(a_closed_port_is_told_over_ipv6_too, Pair) {
  std::vector<std::string> returned;
  ours.transport->set_returned([&](const Endpoint&, const std::string& text) { returned.push_back(text); });
  BOOST_REQUIRE(ours.transport->send({{address("::1"), 500}, {address("::1"), 9}, ike_message(28)}));
  run_until(loop, [&] { return !returned.empty(); });
  BOOST_TEST(returned.front() == "::1 answered: port unreachable");
}

BOOST_FIXTURE_TEST_CASE(what_our_own_routing_refuses_is_told, Pair) {
  std::vector<std::string> returned;
  ours.transport->set_returned([&](const Endpoint&, const std::string& text) { returned.push_back(text); });
  BOOST_REQUIRE(ours.transport->send({{address("0.0.0.0"), 500}, {address("198.51.100.1"), 500}, ike_message(28)}));  // no route
  run_until(loop, [&] { return !returned.empty(); });
  BOOST_TEST(returned.front() == "Network is unreachable");
}

BOOST_FIXTURE_TEST_CASE(one_bad_destination_does_not_take_the_batch_with_it, Pair) {
  const Endpoint good{address("127.0.0.1"), 1500};
  BOOST_REQUIRE(ours.transport->send({{address("127.0.0.1"), 500}, good, ike_message(28)}));
  BOOST_REQUIRE(ours.transport->send({{address("192.0.2.1"), 500}, good, ike_message(28)}));                          // not our address
  BOOST_REQUIRE(ours.transport->send({{address("0.0.0.0"), 500}, {address("198.51.100.1"), 500}, ike_message(28)}));  // no route
  BOOST_REQUIRE(ours.transport->send({{address("127.0.0.1"), 500}, good, ike_message(28)}));
  run_until(loop, [&] { return theirs.received.size() == 2; });
  BOOST_TEST(ours.log.has("from 192.0.2.1:500 to 127.0.0.1:1500: "));  // the reason varies with the kernel
  BOOST_TEST(ours.log.has("to 198.51.100.1:500: Network is unreachable"));
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_sent_is_refused, Pair) {
  const auto refused = [&](const Endpoint& local, const Endpoint& remote) {
    return !ours.transport->send({local, remote, ike_message(28)});
  };
  BOOST_TEST(refused({address("127.0.0.1"), 501}, {address("127.0.0.1"), 1500}));
  BOOST_TEST(refused({address("127.0.0.1"), 500}, {address("::1"), 1500}));
  BOOST_TEST(refused({address("127.0.0.1"), 500}, {address("0.0.0.0"), 1500}));
  BOOST_TEST(refused({address("127.0.0.1"), 500}, {address("127.0.0.1"), 0}));
  BOOST_TEST(refused({address("::1"), 500}, {address("fe80::1"), 1500}));
}

BOOST_AUTO_TEST_CASE(the_receiver_may_end_the_transport) {
  boost::asio::io_context loop;
  Party theirs(loop, kTheirs);
  std::size_t handed_over = 0;
  Party ours(loop, kOurs);
  theirs.transport->set_receive([&](const Datagram&) {
    ++handed_over;
    theirs.transport.reset();
  });
  for (int i = 0; i < 10; ++i)
    BOOST_REQUIRE(ours.transport->send({{address("127.0.0.1"), 500}, {address("127.0.0.1"), 1500}, ike_message(28)}));
  run_a_while(loop);
  BOOST_TEST(handed_over == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_queued_goes_out_before_the_transport_ends) {
  boost::asio::io_context loop;
  Party theirs(loop, kTheirs);
  {
    Party ours(loop, kOurs);
    BOOST_REQUIRE(ours.transport->send({{address("127.0.0.1"), 500}, {address("127.0.0.1"), 1500}, ike_message(28)}));
  }
  run_until(loop, [&] { return theirs.received.size() == 1; });
}

BOOST_AUTO_TEST_CASE(a_host_without_ipv6_is_served_over_ipv4) {
  test::run("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6");
  {
    Pair pair;
    BOOST_REQUIRE(pair.ours.transport->send({{address("127.0.0.1"), 500}, {address("127.0.0.1"), 1500}, ike_message(28)}));
    run_until(pair.loop, [&] { return pair.theirs.received.size() == 1; });
  }
  test::run("echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6");
}
