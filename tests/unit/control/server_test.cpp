// SPDX-License-Identifier: Apache-2.0
// Clients on a real unix socket against the server over a fake engine; server and clients share the test's thread.
#include "control/server.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <deque>
#include <fstream>
#include <optional>

#include "control/commands.h"
#include "support/fake_service.h"
#include "support/temporary_folder.h"
#include "vici/packet.h"

using namespace svti;
using vici::PacketType;

namespace {

struct Received {
  PacketType type{};
  std::string name;
  vici::Message message;
};

struct Rig {
  test::TemporaryFolder folder;
  boost::asio::io_context loop;
  test::FakeService service;
  std::vector<std::string> log;
  std::unique_ptr<control::Server> server;

  explicit Rig(const std::function<void(control::ServerOptions&)>& change = {}) {
    control::ServerOptions options = this->options();
    if (change) change(options);
    auto opened = control::Server::open(loop, service, options);
    BOOST_REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message));
    server = std::move(*opened);
  }
  control::ServerOptions options() {
    control::ServerOptions options;
    options.path = folder.file("vici");
    options.version = "1.2.3";
    options.log = [this](const LogLine& line) { log.push_back(line.text); };
    return options;
  }
  std::string path() const { return folder.file("vici"); }

  // Runs the loop until `reached`, or gives up after half a minute.
  bool run_until(const std::function<bool()>& reached) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!reached()) {
      if (std::chrono::steady_clock::now() > end) return false;
      loop.restart();
      loop.run_one_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  void settle() {
    for (int i = 0; i < 20; ++i) {
      loop.restart();
      loop.poll();
    }
  }
};

class TestClient {
 public:
  explicit TestClient(Rig& rig) : rig_(rig), descriptor_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    rig.path().copy(address.sun_path, sizeof address.sun_path - 1);
    BOOST_REQUIRE(connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;
  ~TestClient() { leave(); }

  void leave() {
    if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
  }
  void send_octets(ByteView octets) {
    while (!octets.empty()) {
      const ssize_t taken = ::send(descriptor_, octets.data(), octets.size(), MSG_NOSIGNAL);
      if (taken > 0) octets = octets.subspan(static_cast<std::size_t>(taken));
      if (taken < 0 && errno != EAGAIN) return;
      rig_.loop.restart();
      rig_.loop.poll();
    }
  }
  void send(PacketType type, std::string_view name, const vici::Message& message = {}) {
    send_octets(vici::encode_packet(type, name, message).value());
  }
  void request(std::string_view command, const vici::Message& parameters = {}) { send(PacketType::CommandRequest, command, parameters); }
  void listen(std::string_view event) {
    send(PacketType::EventRegister, event);
    BOOST_CHECK(receive().type == PacketType::EventConfirm);
  }

  // the next packet; the test fails when none comes
  Received receive() {
    BOOST_REQUIRE(rig_.run_until([this] { return take() || closed_; }));
    BOOST_REQUIRE_MESSAGE(!inbox_.empty(), "the server closed the connection");
    Received first = std::move(inbox_.front());
    inbox_.pop_front();
    return first;
  }
  vici::Message response() {
    Received received = receive();
    BOOST_REQUIRE(received.type == PacketType::CommandResponse);
    return std::move(received.message);
  }
  vici::Message call(std::string_view command, const vici::Message& parameters = {}) {
    request(command, parameters);
    return response();
  }
  // the concatenated `text` of events up to the response, which must be a success
  std::string streamed(std::string_view command, std::string_view event, const vici::Message& parameters = {}) {
    request(command, parameters);
    std::string out;
    while (true) {
      Received received = receive();
      if (received.type == PacketType::CommandResponse) {
        BOOST_TEST(received.message.text("success") == "yes");
        return out;
      }
      BOOST_TEST(received.name == event);
      out += received.message.text("text");
    }
  }
  bool quiet() {
    rig_.settle();
    return !take();
  }
  bool dropped() {
    return rig_.run_until([this] {
      take();
      return closed_;
    });
  }

 private:
  bool take() {
    std::uint8_t octets[65536];
    ssize_t size = 0;
    while (inbox_.empty() && !closed_ && (size = recv(descriptor_, octets, sizeof octets, 0)) >= 0) {
      closed_ = size == 0;
      segments_.append(ByteView(octets).first(static_cast<std::size_t>(size)));
      while (const auto segment = segments_.next().value()) {
        const vici::PacketView packet = vici::parse_packet(*segment).value();
        inbox_.push_back({packet.type, std::string(packet.name), vici::parse_message(packet.message).value()});
      }
    }
    closed_ = closed_ || (size < 0 && errno == ECONNRESET);
    return !inbox_.empty();
  }

  Rig& rig_;
  int descriptor_;
  vici::SegmentReader segments_;
  std::deque<Received> inbox_;
  bool closed_ = false;
};

vici::Message parameters(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
  vici::Message message;
  for (const auto& [key, value] : pairs) message.add(key, value);
  return message;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(server)

BOOST_AUTO_TEST_CASE(version_names_the_daemon) {
  Rig rig;
  TestClient client(rig);
  const vici::Message response = client.call("version");
  BOOST_TEST(response.text("daemon") == "svti-iked");
  BOOST_TEST(response.text("version") == "1.2.3");
  BOOST_TEST(response.text("sysname") == "Linux");
}

BOOST_AUTO_TEST_CASE(an_unknown_command_and_event_say_so_and_the_client_goes_on) {
  Rig rig;
  TestClient client(rig);
  client.request("no-such-command");
  BOOST_CHECK(client.receive().type == PacketType::CommandUnknown);
  client.send(PacketType::EventRegister, "no-such-event");
  BOOST_CHECK(client.receive().type == PacketType::EventUnknown);
  client.send(PacketType::EventUnregister, "log");
  BOOST_CHECK(client.receive().type == PacketType::EventUnknown);
  BOOST_TEST(client.call("version").text("daemon") == "svti-iked");
}

BOOST_AUTO_TEST_CASE(requests_sent_without_waiting_are_answered_in_order) {
  // as FRR's nhrpd does
  Rig rig;
  TestClient client(rig);
  client.send(PacketType::EventRegister, "no-such-event");
  client.send(PacketType::EventRegister, "list-sa");
  client.request("list-sas");
  client.send(PacketType::EventUnregister, "list-sa");
  client.request("list-sas");
  client.request("version");
  BOOST_CHECK(client.receive().type == PacketType::EventUnknown);
  BOOST_CHECK(client.receive().type == PacketType::EventConfirm);
  const Received event = client.receive();
  BOOST_CHECK(event.type == PacketType::Event);
  BOOST_TEST(event.message.section("vpn-hq")->text("state") == "ESTABLISHED");
  BOOST_TEST(client.response().empty());
  BOOST_CHECK(client.receive().type == PacketType::EventConfirm);
  BOOST_TEST(client.response().empty());  // not registered any more: no event before it
  BOOST_TEST(client.response().text("daemon") == "svti-iked");
}

BOOST_AUTO_TEST_CASE(a_thousand_pipelined_requests_all_come_back) {
  Rig rig;
  TestClient client(rig);
  Bytes all;
  const Bytes one = vici::encode_packet(PacketType::CommandRequest, "version").value();
  for (int i = 0; i < 1000; ++i) all.insert(all.end(), one.begin(), one.end());
  client.send_octets(all);
  for (int i = 0; i < 1000; ++i) client.response();
  BOOST_TEST(client.quiet());
}

BOOST_AUTO_TEST_CASE(a_request_may_come_octet_by_octet) {
  Rig rig;
  TestClient client(rig);
  const Bytes request = vici::encode_packet(PacketType::CommandRequest, "version").value();
  for (const std::uint8_t& octet : request) {
    BOOST_TEST(client.quiet());
    client.send_octets({&octet, 1});
  }
  BOOST_TEST(client.response().text("version") == "1.2.3");
}

BOOST_AUTO_TEST_CASE(half_a_packet_disturbs_nobody) {
  Rig rig;
  TestClient half(rig), whole(rig);
  half.send_octets(from_hex("00001000"
                            "00")
                       .value());
  BOOST_TEST(whole.call("version").text("version") == "1.2.3");
  half.leave();
  BOOST_TEST(rig.run_until([&] { return rig.server->clients() == 1; }));
  BOOST_TEST(whole.call("version").text("version") == "1.2.3");
}

BOOST_AUTO_TEST_CASE(a_malformed_message_is_answered_and_a_malformed_packet_ends_the_connection) {
  Rig rig;
  TestClient client(rig), other(rig);
  client.send_octets(from_hex("0000000a"
                              "00"
                              "0776657273696f6e"
                              "02")
                         .value());
  BOOST_TEST(client.response().text("errmsg") == "malformed message: end of a section that was not begun");
  BOOST_TEST(client.call("version").text("version") == "1.2.3");

  for (const char* broken : {"00000001"
                             "63",
                             "00000000",
                             "00000003"
                             "000561",
                             "00000001"
                             "05",
                             "00080001"}) {
    TestClient one(rig);
    one.send_octets(from_hex(broken).value());
    BOOST_TEST(one.dropped(), broken);
  }
  BOOST_TEST(rig.log.size() == 5U);
  BOOST_TEST(rig.log.back() == "control socket: client dropped: segment of 524289 octets, at most 524288 are allowed");
  BOOST_TEST(other.call("version").text("version") == "1.2.3");
}

BOOST_AUTO_TEST_CASE(many_clients_are_served_and_too_many_refused) {
  Rig rig([](control::ServerOptions& options) { options.max_clients = 50; });
  std::deque<TestClient> clients;
  for (int i = 0; i < 50; ++i) BOOST_TEST(clients.emplace_back(rig).call("version").text("version") == "1.2.3");
  TestClient excess(rig);
  BOOST_TEST(excess.dropped());
  clients.pop_front();
  BOOST_TEST(rig.run_until([&] { return rig.server->clients() == 49; }));
  TestClient next(rig);
  BOOST_TEST(next.call("version").text("version") == "1.2.3");
}

BOOST_AUTO_TEST_CASE(log_lines_go_to_every_listener_and_are_followed_only_while_there_is_one) {
  Rig rig;
  TestClient one(rig), two(rig), deaf(rig);
  BOOST_TEST(rig.service.log_subscribers() == 0U);
  one.listen("log");
  two.listen("log");
  one.listen("log");  // twice is once
  deaf.listen("control-log");
  BOOST_TEST(rig.service.log_subscribers() == 1U);
  rig.service.log({Subsystem::Ike, 1, "vpn-hq", "hello"});
  for (TestClient* client : {&one, &two}) {
    const Received event = client->receive();
    BOOST_TEST(event.name == "log");
    BOOST_TEST(event.message.text("group") == "IKE");
    BOOST_TEST(event.message.text("ikesa-name") == "vpn-hq");
    BOOST_TEST(event.message.text("msg") == "hello");
    BOOST_TEST(client->quiet());
  }
  BOOST_TEST(deaf.quiet());
  one.send(PacketType::EventUnregister, "log");
  BOOST_CHECK(one.receive().type == PacketType::EventConfirm);
  BOOST_TEST(rig.service.log_subscribers() == 1U);
  two.leave();
  BOOST_TEST(rig.run_until([&] { return rig.service.log_subscribers() == 0; }));
}

BOOST_AUTO_TEST_CASE(the_log_is_followed_by_vpn_subsystem_and_level_until_the_client_leaves) {
  Rig rig;
  TestClient client(rig), other(rig);
  BOOST_TEST(client.call("svti-follow-log").text("errmsg") == "the lines come in svti-log events: register for them first");
  client.listen("svti-log");
  BOOST_TEST(client.call("svti-follow-log", parameters({{"subsystem", "ipsek"}}))
                 .text("errmsg")
                 .starts_with("no log subsystem \"ipsek\": there are asn1, child"));
  BOOST_TEST(client.call("svti-follow-log", parameters({{"level", "5"}})).text("errmsg") ==
             "level is \"5\", it takes a number from 0 to 4");
  BOOST_TEST(rig.service.log_subscribers() == 0U);
  vici::Message filter = parameters({{"vpn", "vpn-hq"}, {"level", "2"}});
  filter.add_list("subsystem", {"ike", "child"});
  client.request("svti-follow-log", filter);
  BOOST_REQUIRE(rig.run_until([&] { return rig.service.log_subscribers() == 1; }));
  BOOST_TEST(rig.service.log_levels.back() == 2);
  rig.service.log({Subsystem::Network, 1, "vpn-hq", "another subsystem"});
  rig.service.log({Subsystem::Ike, 1, "vpn-lab", "another VPN"});
  rig.service.log({Subsystem::Ike, 1, "", "no VPN"});
  BOOST_TEST(client.quiet());
  rig.service.log({Subsystem::Child, 2, "vpn-hq", "wanted"});
  const Received event = client.receive();
  BOOST_TEST(event.name == "svti-log");
  BOOST_TEST(event.message.text("subsystem") == "child");
  BOOST_TEST(event.message.text("level") == "2");
  BOOST_TEST(event.message.text("vpn") == "vpn-hq");
  BOOST_TEST(event.message.text("msg") == "wanted");
  BOOST_TEST(other.call("version").text("version") == "1.2.3");
  client.leave();
  BOOST_TEST(rig.run_until([&] { return rig.service.log_subscribers() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_listener_that_never_reads_is_dropped_and_the_others_miss_nothing) {
  Rig rig([](control::ServerOptions& options) { options.max_queued = 256 * 1024; });
  TestClient reader(rig), sleeper(rig);
  reader.listen("ike-updown");
  sleeper.listen("ike-updown");
  engine::Event event;
  event.kind = engine::Event::Kind::IkeUp;
  event.vpn = "vpn-hq";
  auto ike = std::make_shared<model::IkeSaState>(test::guide_ike_sa());
  ike->remote_id = std::string(400, '.');
  event.ike = ike;
  for (int i = 0; i < 1500; ++i) {
    rig.service.tell(event);
    BOOST_REQUIRE(reader.receive().name == "ike-updown");
  }
  BOOST_TEST(rig.server->clients() == 1U);
  BOOST_REQUIRE(rig.log.size() == 1U);
  BOOST_TEST(rig.log[0].starts_with("control socket: client dropped: does not read: 26"), rig.log[0]);
}

BOOST_AUTO_TEST_CASE(a_follower_of_the_log_that_is_slow_loses_lines_is_told_how_many_and_goes_on) {
  Rig rig([](control::ServerOptions& options) { options.stall_timeout = milliseconds(50); });
  TestClient reader(rig), listener(rig), follower(rig);
  reader.listen("log");
  listener.listen("log");
  follower.listen("svti-log");
  follower.request("svti-follow-log");
  BOOST_REQUIRE(rig.run_until([&] { return rig.service.log_subscribers() == 2; }));
  constexpr std::size_t kLines = 8000;
  for (std::size_t i = 0; i < kLines; ++i) {
    rig.service.log({Subsystem::Ike, 1, "", std::to_string(i) + std::string(400, '.')});
    BOOST_REQUIRE(reader.receive().message.text("msg").starts_with(std::to_string(i) + "."));
  }
  const auto later = std::chrono::steady_clock::now() + std::chrono::milliseconds(150);
  BOOST_TEST(rig.run_until([&] { return std::chrono::steady_clock::now() > later; }));
  BOOST_TEST(rig.server->clients() == 3U);
  BOOST_TEST(rig.log.empty());
  // each line is there, in its order, or counted in the gap where it is missing
  for (TestClient* slow : {&listener, &follower}) {
    std::size_t next = 0, told = 0;
    while (next < kLines) {
      const Received event = slow->receive();
      const std::string message(event.message.text("msg"));
      const std::size_t number = std::stoul(message);
      if (message.find("lines of the log are lost") == std::string::npos) {
        BOOST_REQUIRE(number == next);
        ++next;
        continue;
      }
      BOOST_TEST(number > 0U);
      if (slow == &follower) BOOST_TEST(event.message.text("lost") == std::to_string(number));
      next += number;
      ++told;
    }
    BOOST_TEST(told > 0U);
  }
  rig.service.log({Subsystem::Ike, 1, "", "and on"});
  for (TestClient* slow : {&listener, &follower}) BOOST_TEST(slow->receive().message.text("msg") == "and on");
}

BOOST_AUTO_TEST_CASE(clients_that_stop_within_a_packet_hold_no_more_than_it_and_disturb_nobody) {
  Rig rig;
  TestClient other(rig);
  const auto resident = [] {
    std::ifstream file("/proc/self/statm");
    long pages = 0;
    file >> pages >> pages;
    return pages * sysconf(_SC_PAGESIZE) / 1024 / 1024;
  };
  const long before = resident();
  std::deque<TestClient> halves;
  // the largest packet there may be, but for its last octet
  Bytes almost = from_hex("00080000").value();
  almost.resize(4 + 512 * 1024 - 1, 'x');
  constexpr long kHalves = 100;
  for (long i = 0; i < kHalves; ++i) {
    halves.emplace_back(rig).send_octets(almost);
    if (i % 10 == 0) BOOST_TEST(other.call("version").text("version") == "1.2.3");
  }
  rig.settle();
  // a buffer that grows has at most twice what is in it, and for a moment the one before
  BOOST_TEST(resident() - before < kHalves * 3 / 2 + 20);
  BOOST_TEST(rig.server->clients() == static_cast<std::size_t>(kHalves) + 1);
  halves.clear();
  BOOST_TEST(rig.run_until([&] { return rig.server->clients() == 2; }));
  BOOST_TEST(other.call("version").text("version") == "1.2.3");
}

BOOST_AUTO_TEST_CASE(a_listing_waits_for_its_reader_and_ends_when_there_is_none) {
  Rig rig([](control::ServerOptions& options) {
    options.max_queued = 256 * 1024;
    options.stall_timeout = milliseconds(1000);
  });
  // some 12 MB as events, far more than may wait for one client
  rig.service.current.ike_sas.assign(12000, test::guide_ike_sa());
  TestClient reader(rig), sleeper(rig);
  for (TestClient* client : {&reader, &sleeper}) client->listen("list-sa");
  sleeper.request("list-sas");
  reader.request("list-sas");
  std::size_t events = 0;
  while (reader.receive().type == PacketType::Event) ++events;
  BOOST_TEST(events == 12000U);
  BOOST_TEST(rig.run_until([&] { return rig.server->clients() == 1; }));
  BOOST_REQUIRE(rig.log.size() == 1U);
  BOOST_TEST(rig.log[0] == "control socket: client dropped: took nothing for 1000 ms");
}

BOOST_AUTO_TEST_CASE(an_sa_is_asked_for_when_the_reader_comes_to_it) {
  for (const auto& [command, event] : {std::pair{"list-sas", "list-sa"}, std::pair{"svti-show-state", "svti-state"}}) {
    Rig rig;
    rig.service.current.ike_sas.assign(5000, test::guide_ike_sa());
    TestClient client(rig);
    client.listen(event);
    client.request(command);
    BOOST_TEST(rig.run_until([&] { return rig.service.sas_asked > 10; }));
    rig.settle();
    BOOST_TEST(rig.service.sas_asked < 1000U, command);  // the rest of them is in nobody's memory
    while (client.receive().type == PacketType::Event) {
    }
    BOOST_TEST(rig.service.sas_asked == 5000U, command);
  }
}

BOOST_AUTO_TEST_CASE(list_sas_filters_by_name_and_id) {
  Rig rig;
  model::IkeSaState other = test::guide_ike_sa();
  other.name = "other";
  other.unique_id = 9;
  other.children[0].name = "trunk";
  other.children[0].unique_id = 33;
  rig.service.current.ike_sas.push_back(other);
  TestClient client(rig);
  client.listen("list-sa");
  const auto listed = [&](const vici::Message& filter) {
    client.request("list-sas", filter);
    std::string names;
    for (Received received = client.receive(); received.type == PacketType::Event; received = client.receive()) {
      names += received.message.entries()[0].name + " ";
    }
    return names;
  };
  BOOST_TEST(listed({}) == "vpn-hq other ");
  BOOST_TEST(listed(parameters({{"ike", "other"}, {"noblock", "yes"}})) == "other ");
  BOOST_TEST(listed(parameters({{"ike-id", "1"}})) == "vpn-hq ");
  BOOST_TEST(listed(parameters({{"child", "trunk"}})) == "other ");
  BOOST_TEST(listed(parameters({{"child-id", "2"}})) == "vpn-hq ");
  BOOST_TEST(listed(parameters({{"ike", "nobody"}})) == "");
  BOOST_TEST(client.call("list-sas", parameters({{"ike-id", "x"}})).text("errmsg") ==
             "ike-id is \"x\", it takes a number from 0 to 4294967295");
}

BOOST_AUTO_TEST_CASE(addresses_are_given_to_a_connection_without_any_as_nhrpd_does) {
  Rig rig;
  TestClient client(rig);
  // no waiting between the registrations and the commands
  for (const char* event : {"child-state-installed", "child-state-rekeyed", "child-state-destroying", "list-sa"})
    client.send(PacketType::EventRegister, event);
  client.request("list-sas");
  client.request("initiate", parameters({{"child", "site2site"},
                                         {"timeout", "-1"},
                                         {"async", "1"},
                                         {"init-limits", "0"},
                                         {"my-host", "192.0.2.1"},
                                         {"other-host", "198.51.100.7"}}));
  for (int i = 0; i < 4; ++i) BOOST_CHECK(client.receive().type == PacketType::EventConfirm);
  BOOST_CHECK(client.receive().type == PacketType::Event);
  BOOST_TEST(client.response().empty());
  BOOST_TEST(client.response().text("success") == "yes");
  BOOST_REQUIRE(rig.service.attempts.size() == 1U);
  const engine::Target& target = rig.service.attempts[0].target;
  BOOST_TEST(target.vpn == "vpn-hq");
  BOOST_TEST(target.policy == "site2site");
  BOOST_TEST(target.local->to_string() == "192.0.2.1");
  BOOST_TEST(target.remote->to_string() == "198.51.100.7");
  BOOST_TEST(client.call("initiate", parameters({{"child", "site2site"}, {"other-host", "gw.example"}})).text("errmsg") ==
             "other-host \"gw.example\" is not an address");

  // what nhrpd reads: addresses and identities of the IKE SA at depth 1, unique id and state of the CHILD SA at depth 3
  engine::Event event;
  event.kind = engine::Event::Kind::ChildUp;
  event.vrf = "main";
  event.vpn = "vpn-hq";
  event.ike_id = 1;
  event.child_id = 2;
  event.ike = std::make_shared<const model::IkeSaState>(test::guide_ike_sa());
  rig.service.tell(event);
  const Received installed = client.receive();
  BOOST_CHECK(installed.type == PacketType::Event);
  BOOST_TEST(installed.name == "child-state-installed");
  const vici::Section* ike = installed.message.section("vpn-hq");
  BOOST_REQUIRE(ike != nullptr);
  BOOST_TEST(ike->text("uniqueid") == "1");
  BOOST_TEST(ike->text("local-host") == "10.125.0.1");
  BOOST_TEST(ike->text("remote-host") == "10.125.0.2");
  BOOST_TEST(ike->text("local-id") == "10.125.0.1");
  BOOST_TEST(ike->text("remote-id") == "10.125.0.2");
  const vici::Section* child = ike->section("child-sas")->section("site2site-2");
  BOOST_REQUIRE(child != nullptr);
  BOOST_TEST(child->text("uniqueid") == "2");
  BOOST_TEST(child->text("state") == "INSTALLED");
}

BOOST_AUTO_TEST_CASE(initiate_streams_its_progress_to_its_own_client_and_then_responds) {
  Rig rig;
  TestClient client(rig), bystander(rig);
  client.listen("control-log");
  bystander.listen("control-log");
  client.request("initiate", parameters({{"ike", "vpn-hq"}, {"child", "site2site"}, {"timeout", "5000"}}));
  BOOST_REQUIRE(rig.run_until([&] { return rig.service.attempts.size() == 1; }));
  BOOST_TEST(rig.service.attempts[0].what == "initiate vpn-hq site2site 5000");
  BOOST_TEST(client.quiet());
  rig.service.attempts[0].progress({Subsystem::Ike, 1, "vpn-hq", "IKE_SA_INIT sent"});
  rig.service.attempts[0].progress({Subsystem::Ike, 2, "vpn-hq", "detail"});  // above the default loglevel
  rig.service.attempts[0].done({});
  rig.service.attempts[0].progress({Subsystem::Ike, 1, "vpn-hq", "too late"});
  const Received event = client.receive();
  BOOST_TEST(event.name == "control-log");
  BOOST_TEST(event.message.text("msg") == "IKE_SA_INIT sent");
  BOOST_TEST(client.response().text("success") == "yes");
  BOOST_TEST(client.quiet());
  BOOST_TEST(bystander.quiet());
}

BOOST_AUTO_TEST_CASE(a_failure_is_told_whether_it_comes_at_once_or_later) {
  Rig rig;
  TestClient client(rig);
  rig.service.on_attempt = [](auto& attempt) { attempt.done(config_error("no VPN \"x\"")); };
  for (const char* timeout : {"0", "-1"}) {
    const vici::Message response = client.call("initiate", parameters({{"ike", "x"}, {"timeout", timeout}}));
    BOOST_TEST(response.text("success") == "no");
    BOOST_TEST(response.text("errmsg") == "no VPN \"x\"");
  }
  rig.service.on_attempt = nullptr;
  client.request("terminate", parameters({{"ike", "vpn-hq"}}));
  BOOST_REQUIRE(rig.run_until([&] { return rig.service.attempts.size() == 3; }));
  BOOST_TEST(rig.service.attempts[2].what == "terminate vpn-hq  0");
  rig.service.attempts[2].done(peer_error("the peer did not answer"));
  BOOST_TEST(client.response().text("errmsg") == "the peer did not answer");
}

BOOST_AUTO_TEST_CASE(who_does_not_wait_is_answered_at_once_and_not_again) {
  Rig rig;
  TestClient client(rig);
  BOOST_TEST(client.call("initiate", parameters({{"child", "site2site"}, {"timeout", "-1"}})).text("success") == "yes");
  BOOST_TEST(client.call("initiate", parameters({{"child", "site2site"}, {"async", "1"}})).text("success") == "yes");
  rig.service.attempts[0].done(peer_error("late"));
  rig.service.attempts[1].done({});
  BOOST_TEST(client.quiet());
  BOOST_TEST(client.call("version").text("version") == "1.2.3");
}

BOOST_AUTO_TEST_CASE(the_next_request_waits_for_the_one_before) {
  Rig rig;
  TestClient client(rig);
  client.request("rekey", parameters({{"ike", "vpn-hq"}, {"child", "site2site"}}));
  client.request("version");
  BOOST_REQUIRE(rig.run_until([&] { return rig.service.attempts.size() == 1; }));
  BOOST_TEST(rig.service.attempts[0].what == "rekey vpn-hq site2site");
  BOOST_TEST(client.quiet());
  rig.service.attempts[0].done({});
  BOOST_TEST(client.response().text("success") == "yes");
  BOOST_TEST(client.response().text("version") == "1.2.3");
}

BOOST_AUTO_TEST_CASE(the_outcome_for_a_client_or_server_that_is_gone_goes_nowhere) {
  Rig rig;
  {
    TestClient client(rig);
    client.listen("control-log");
    client.request("initiate", parameters({{"ike", "vpn-hq"}}));
    BOOST_REQUIRE(rig.run_until([&] { return rig.service.attempts.size() == 1; }));
  }
  BOOST_TEST(rig.run_until([&] { return rig.server->clients() == 0; }));
  rig.service.attempts[0].progress({Subsystem::Ike, 1, "vpn-hq", "still trying"});
  rig.service.attempts[0].done({});

  TestClient client(rig);
  client.listen("log");
  client.request("terminate", parameters({{"ike", "vpn-hq"}}));
  BOOST_REQUIRE(rig.run_until([&] { return rig.service.attempts.size() == 2; }));
  rig.server.reset();
  BOOST_TEST(rig.service.log_subscribers() == 0U);
  rig.service.attempts[1].progress({Subsystem::Ike, 1, "vpn-hq", "still trying"});
  rig.service.attempts[1].done({});
  BOOST_TEST(client.dropped());
  rig.settle();
}

BOOST_AUTO_TEST_CASE(a_policy_alone_finds_its_vpn_where_it_is_the_only_one) {
  Rig rig;
  TestClient client(rig);
  rig.service.on_attempt = [](auto& attempt) { attempt.done({}); };
  BOOST_TEST(client.call("initiate", parameters({{"child", "site2site"}})).text("success") == "yes");
  BOOST_TEST(rig.service.attempts.back().what == "initiate vpn-hq site2site 0");
  const auto refusal = [&](std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
    return std::string(client.call("initiate", parameters(pairs)).text("errmsg"));
  };
  BOOST_TEST(refusal({{"child", "shared"}}) == "VPNs vpn-hq and vpn-lab both have a security-policy shared: name one with ike");
  BOOST_TEST(refusal({{"child", "none"}}) == "no VPN has a security-policy \"none\"");
  BOOST_TEST(refusal({}) == "missing name: ike takes a VPN, child a security-policy, ike-id and child-id an SA");
  BOOST_TEST(refusal({{"ike", "vpn-hq"}, {"timeout", "soon"}}) == "timeout is \"soon\", it takes a number from -1 to 2147483647");
  BOOST_TEST(rig.service.attempts.size() == 1U);
}

BOOST_AUTO_TEST_CASE(counters_are_global_of_one_vpn_or_of_all) {
  Rig rig;
  TestClient client(rig);
  const vici::Message global = client.call("get-counters");
  BOOST_TEST(global.section("counters")->section("")->text("ike-init-out-req") == "1");
  BOOST_TEST(global.section("counters")->section("")->entries().size() == 21U);
  BOOST_TEST(global.text("success") == "yes");
  BOOST_TEST(client.call("get-counters", parameters({{"name", "vpn-hq"}})).section("counters")->section("vpn-hq") != nullptr);
  BOOST_TEST(client.call("get-counters", parameters({{"all", "yes"}})).section("counters")->entries().size() == 1U);
  BOOST_TEST(client.call("get-counters", parameters({{"name", "x"}})).text("success") == "no");
}

BOOST_AUTO_TEST_CASE(stats_tell_the_uptime_and_the_sas) {
  Rig rig;
  rig.service.current.ike_sas_half_open = 3;
  TestClient client(rig);
  const vici::Message stats = client.call("stats");
  BOOST_TEST(stats.section("ikesas")->text("total") == "1");
  BOOST_TEST(stats.section("ikesas")->text("half-open") == "3");
  BOOST_TEST(stats.section("uptime")->text("running").ends_with("seconds"));
}

BOOST_AUTO_TEST_CASE(load_config_passes_the_text_on_and_tells_every_finding_and_the_plan) {
  Rig rig;
  rig.service.outcome.applied = true;
  rig.service.outcome.diagnostics = {{true, "f", 3, "vpn a", "no effect yet"}};
  rig.service.outcome.added = {"a", "b"};
  rig.service.outcome.unchanged = {"c"};
  TestClient client(rig);
  vici::Message request;
  request.add_list("text", {"ike\n", "    ..\n"}).add("file", "f");
  const vici::Message response = client.call("svti-load-config", request);
  BOOST_TEST(rig.service.loaded_text == "ike\n    ..\n");
  BOOST_TEST(rig.service.loaded_file == "f");
  BOOST_TEST(response.text("success") == "yes");
  BOOST_TEST(response.text("applied") == "yes");
  const vici::Section* diagnostic = response.section("diagnostics")->section("1");
  BOOST_REQUIRE(diagnostic != nullptr);
  BOOST_TEST(diagnostic->text("severity") == "warning");
  BOOST_TEST(diagnostic->text("line") == "3");
  BOOST_TEST(diagnostic->text("leaf") == "vpn a");
  BOOST_TEST(diagnostic->text("message") == "no effect yet");
  const vici::Section* plan = response.section("plan");
  BOOST_TEST(plan->text("added") == "2");
  BOOST_CHECK((*plan->list("added-vpns") == vici::List{"a", "b"}));
  BOOST_TEST(plan->text("removed") == "0");
  BOOST_TEST(plan->text("unchanged") == "1");
}

BOOST_AUTO_TEST_CASE(a_configuration_larger_than_a_packet_comes_in_several_requests) {
  Rig rig;
  rig.service.outcome.applied = true;
  TestClient client(rig), other(rig);
  std::string expected;
  for (int i = 0; i < 5; ++i) {
    vici::Message request;
    request.add_flag("more", i < 4).add_list("text", vici::List(7, std::string(60000, static_cast<char>('a' + i))));
    expected += std::string(420000, static_cast<char>('a' + i));
    if (i == 2) {
      BOOST_TEST(other.call("svti-load-config", parameters({{"text", "mine"}})).text("applied") == "yes");
      BOOST_TEST(rig.service.loaded_text == "mine");
    }
    BOOST_TEST(client.call("svti-load-config", request).text("success") == "yes");
  }
  BOOST_CHECK(rig.service.loaded_text == expected);
}

BOOST_AUTO_TEST_CASE(a_flood_of_configuration_text_is_refused_and_forgotten) {
  Rig rig;
  TestClient client(rig);
  vici::Message request;
  request.add_flag("more", true).add_list("text", vici::List(7, std::string(65000, 'x')));
  std::size_t sent = 0;
  vici::Message response;
  do {
    response = client.call("svti-load-config", request);
    sent += 7 * 65000;
  } while (response.text("success") == "yes" && sent < 2 * control::kMaxUpload);
  BOOST_TEST(response.text("errmsg") == "configuration of more than 16 MiB");
  BOOST_TEST(sent < control::kMaxUpload + 8 * 65000);
  client.call("svti-load-config", parameters({{"text", "small"}}));
  BOOST_TEST(rig.service.loaded_text == "small");
}

BOOST_AUTO_TEST_CASE(more_findings_than_a_packet_holds_are_counted_and_errors_come_first) {
  Rig rig;
  rig.service.outcome.diagnostics.assign(5000, {true, "file", 1, "leaf", std::string(300, 'w')});
  rig.service.outcome.diagnostics.push_back({false, "file", 9, "last", "the error"});
  rig.service.outcome.added.assign(100000, "a-vpn-with-some-name");
  TestClient client(rig);
  const vici::Message response = client.call("svti-load-config", parameters({{"text", ""}}));
  BOOST_TEST(response.text("applied") == "no");
  const auto& shown = response.section("diagnostics")->entries();
  BOOST_TEST(std::get<vici::Section>(shown.back().content).text("message") == "the error");
  BOOST_TEST(std::to_string(5001 - shown.size()) == response.text("diagnostics-omitted"));
  BOOST_TEST(response.section("plan")->text("added") == "100000");
}

BOOST_AUTO_TEST_CASE(a_dry_run_changes_nothing_and_succeeds_where_a_load_would) {
  Rig rig;
  rig.service.outcome.changed = {"a"};
  TestClient client(rig);
  vici::Message response = client.call("svti-load-config", parameters({{"text", "x"}, {"dry-run", "yes"}}));
  BOOST_TEST(rig.service.load_options.dry_run);
  BOOST_TEST(response.text("success") == "yes");
  BOOST_TEST(response.text("applied") == "no");
  rig.service.outcome.diagnostics = {{false, "-", 1, "vpn", "is wrong"}};
  response = client.call("svti-load-config", parameters({{"text", "x"}, {"dry-run", "yes"}}));
  BOOST_TEST(response.text("success") == "no");
}

BOOST_AUTO_TEST_CASE(changes_come_one_by_one_before_the_response_to_who_listens_and_without_secrets) {
  using Kind = config::Change::Kind;
  Rig rig;
  rig.service.outcome.applied = true;
  rig.service.outcome.restart_leaves = {"global-options threads"};
  rig.service.outcome.changes = {{Kind::Added, "vrf main ike vpn lab", "", "", false, false},
                                 {Kind::Changed, "global-options threads", "16", "20", false, true},
                                 {Kind::Changed, "pre-shared-key k secret", "old", "new", true, false}};
  TestClient deaf(rig), client(rig);
  const vici::Message alone = deaf.call("svti-load-config", parameters({{"text", "x"}, {"confirm", "60"}}));
  BOOST_TEST(alone.section("plan")->text("changes") == "3");
  BOOST_CHECK(*alone.section("plan")->list("restart") == vici::List{"global-options threads"});
  BOOST_TEST(alone.text("confirm-within") == "60");
  BOOST_CHECK(rig.service.load_options.confirm_within == seconds(60));

  client.listen("svti-change");
  client.request("svti-load-config", parameters({{"text", "x"}}));
  const vici::Message added = client.receive().message;
  BOOST_TEST(added.text("kind") == "added");
  BOOST_TEST(added.text("path") == "vrf main ike vpn lab");
  BOOST_TEST(added.find("after") == nullptr);
  const vici::Message changed = client.receive().message;
  BOOST_TEST(changed.text("before") == "16");
  BOOST_TEST(changed.text("after") == "20");
  BOOST_TEST(changed.text("restart") == "yes");
  const vici::Message secret = client.receive().message;
  BOOST_TEST(secret.text("before") == "<hidden>");
  BOOST_TEST(secret.text("after") == "<hidden>");
  BOOST_TEST(client.response().text("applied") == "yes");
  BOOST_TEST(deaf.call("svti-load-config", parameters({{"text", "x"}, {"confirm", "86401"}})).text("errmsg") ==
             "confirm is \"86401\", it takes a number from 0 to 86400");
}

BOOST_AUTO_TEST_CASE(edits_are_passed_on_in_their_order_from_one_request_or_several) {
  Rig rig;
  rig.service.outcome.applied = true;
  TestClient client(rig);
  vici::Message request;
  request.add_list("edits", {"set vpn hq ike-policy mobike true", "delete vpn lab"}).add_flag("more", true);
  BOOST_TEST(client.call("svti-edit-config", request).text("success") == "yes");
  BOOST_TEST(rig.service.edits.empty());
  BOOST_TEST(client.call("svti-edit-config", parameters({{"edits", "set vpn hq local-id \"a b\""}, {"dry-run", "yes"}})).text("success") ==
             "yes");
  BOOST_REQUIRE(rig.service.edits.size() == 3U);
  BOOST_TEST(rig.service.edits[0].path == "vpn hq ike-policy mobike true");
  BOOST_TEST(!rig.service.edits[0].remove);
  BOOST_TEST(rig.service.edits[1].path == "vpn lab");
  BOOST_TEST(rig.service.edits[1].remove);
  BOOST_TEST(rig.service.edits[2].path == "vpn hq local-id \"a b\"");
  BOOST_TEST(rig.service.load_options.dry_run);
  for (const char* wrong : {"put vpn hq", "set", "delete ", ""})
    BOOST_TEST(client.call("svti-edit-config", parameters({{"edits", wrong}}))
                   .text("errmsg")
                   .ends_with("it takes the form \"set PATH VALUE\" or \"delete PATH\""),
               wrong);
  BOOST_TEST(client.call("svti-edit-config").text("errmsg").starts_with("edits is missing"));
}

BOOST_AUTO_TEST_CASE(confirm_and_rollback_say_when_nothing_waits) {
  Rig rig;
  TestClient client(rig);
  BOOST_TEST(client.call("svti-confirm").text("success") == "yes");
  BOOST_TEST(client.call("svti-rollback").text("success") == "yes");
  BOOST_TEST(rig.service.confirmed == 1U);
  BOOST_TEST(rig.service.rolled_back == 1U);
  rig.service.pending = config_error("nothing waits to be confirmed");
  BOOST_TEST(client.call("svti-confirm").text("errmsg") == "nothing waits to be confirmed");
  BOOST_TEST(client.call("svti-rollback").text("success") == "no");
}

BOOST_AUTO_TEST_CASE(show_state_is_of_one_vrf_with_its_configuration_resolved) {
  Rig rig;
  rig.service.other_vrfs["red"] = rig.service.running;
  rig.service.other_states["red"].ike_sas_total = 7;
  TestClient client(rig);
  client.listen("svti-state");
  const std::string text = client.streamed("svti-show-state", "svti-state", parameters({{"vrf", "red"}}));
  BOOST_TEST(text.find("total 7\n") != std::string::npos);
  BOOST_TEST(rig.service.shown.path == "red ");
  BOOST_TEST(rig.service.shown.resolved);
  BOOST_TEST(rig.service.shown.defaults);
  BOOST_TEST(!rig.service.shown.secrets);
  client.streamed("svti-show-state", "svti-state", parameters({{"vpn", "vpn-hq"}, {"secrets", "yes"}}));
  BOOST_TEST(rig.service.shown.path == "main vpn-hq");
  BOOST_TEST(rig.service.shown.secrets);
  BOOST_TEST(client.call("svti-show-state", parameters({{"vrf", "blue"}})).text("errmsg") ==
             "no VRF \"blue\" is configured: there is main, red");
}

BOOST_AUTO_TEST_CASE(show_config_streams_the_text_whole) {
  Rig rig;
  rig.service.config_text.clear();
  for (int i = 0; rig.service.config_text.size() < 3'000'000; ++i) rig.service.config_text += "vpn " + std::to_string(i) + "\n";
  TestClient client(rig);
  BOOST_TEST(client.call("svti-show-config").text("errmsg") == "the text comes in svti-config events: register for them first");
  client.listen("svti-config");
  const std::string text = client.streamed("svti-show-config", "svti-config", parameters({{"nodefault", "yes"}, {"json", "yes"}}));
  BOOST_CHECK(text == rig.service.config_text);
  BOOST_TEST(!rig.service.shown.defaults);
  BOOST_TEST(!rig.service.shown.secrets);
  BOOST_CHECK(rig.service.shown.format == engine::ConfigFormat::Json);
  BOOST_TEST(rig.service.shown.path == "");
  client.streamed("svti-show-config", "svti-config", parameters({{"secrets", "yes"}, {"path", "vpn hq"}, {"resolved", "yes"}}));
  BOOST_TEST(rig.service.shown.secrets);
  BOOST_TEST(rig.service.shown.defaults);
  BOOST_TEST(rig.service.shown.resolved);
  BOOST_TEST(rig.service.shown.path == "vpn hq");
}

BOOST_AUTO_TEST_CASE(show_state_streams_text_or_json_of_all_or_one_vpn) {
  Rig rig;
  TestClient client(rig);
  client.listen("svti-state");
  BOOST_TEST(client.streamed("svti-show-state", "svti-state").starts_with("ike\n    ike-sas\n"));
  BOOST_TEST(client.streamed("svti-show-state", "svti-state", parameters({{"json", "yes"}}))
                 .starts_with("{\"svti:vrf\":[{\"name\":\"main\",\"ike\":{\"ike-sas\""));
  rig.service.applied = {"    vpn vpn-lab\n        version 2\n        ..\n"};
  BOOST_TEST(client.streamed("svti-show-state", "svti-state", parameters({{"vpn", "vpn-lab"}})) ==
             "ike\n    vpn vpn-lab\n        version 2\n        ..\n    ..\n");
  BOOST_TEST(client.call("svti-show-state", parameters({{"vpn", "x"}})).text("errmsg") ==
             "no VPN \"x\" is configured, and no SA of one is left");
}

BOOST_AUTO_TEST_CASE(explanations_come_an_event_each) {
  Rig rig;
  model::Explanation why;
  why.vpn = "vpn-hq";
  why.exchange = "IKE_AUTH";
  why.cause = model::Cause::RemoteId;
  why.reason = "no VPN \x1b[2J";
  why.remote = {IpAddress::parse("192.0.2.1").value(), 500};
  why.tables.push_back({"identities", {{"remote identity", "a.example", "b.example", model::Verdict::Fails}}});
  why.advice = {model::Side::Either, "vpn vpn-hq remote-id", "set it to b.example here"};
  rig.service.explanations = {why};
  TestClient client(rig);
  BOOST_TEST(client.call("svti-explain", parameters({{"vpn", "vpn-hq"}})).text("success") == "no");  // not registered
  client.listen("svti-explain");
  client.request("svti-explain", parameters({{"vpn", "vpn-hq"}}));
  const vici::Message event = client.receive().message;
  BOOST_TEST(event.text("cause") == "remote-id");
  BOOST_TEST(event.text("reason") == "no VPN \\x1b[2J");
  BOOST_TEST(event.section("tables")->section("1")->section("rows")->section("1")->text("verdict") == "fails");
  BOOST_TEST(event.section("advice")->text("leaf") == "vpn vpn-hq remote-id");
  BOOST_TEST(client.receive().message.text("success") == "yes");
  BOOST_TEST(client.call("svti-explain", parameters({{"vpn", "x"}})).text("errmsg") == "no VPN \"x\" is configured");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(socket_file)

BOOST_AUTO_TEST_CASE(the_socket_is_open_to_owner_and_group_and_goes_with_the_server) {
  Rig rig;
  struct stat found {};
  BOOST_REQUIRE(stat(rig.path().c_str(), &found) == 0);
  BOOST_TEST((found.st_mode & 07777) == 0660U);
  rig.server.reset();
  BOOST_TEST(stat(rig.path().c_str(), &found) != 0);
}

BOOST_AUTO_TEST_CASE(the_socket_is_given_to_the_group_named) {
  // The group of this process is the only one that it may surely give files to.
  const group* own = getgrgid(getegid());
  BOOST_REQUIRE(own != nullptr);
  const std::string name = own->gr_name;
  Rig rig([&](control::ServerOptions& options) { options.group = name; });
  struct stat found {};
  BOOST_REQUIRE(stat(rig.path().c_str(), &found) == 0);
  BOOST_TEST(found.st_gid == getegid());
}

BOOST_AUTO_TEST_CASE(a_live_daemon_is_not_replaced_and_a_dead_ones_file_is) {
  Rig rig;
  const auto second = control::Server::open(rig.loop, rig.service, rig.options());
  BOOST_REQUIRE(!second);
  BOOST_TEST(second.error().message == "another daemon answers on " + rig.path() + ": stop it, or choose another socket");
  {
    TestClient client(rig);
    BOOST_TEST(client.call("version").text("version") == "1.2.3");  // unharmed
  }

  const std::string moved = rig.folder.file("moved");
  BOOST_REQUIRE(rename(rig.path().c_str(), moved.c_str()) == 0);
  rig.server.reset();  // its file is not at its path: it must leave what is there alone
  BOOST_REQUIRE(rename(moved.c_str(), rig.path().c_str()) == 0);
  auto third = control::Server::open(rig.loop, rig.service, rig.options());
  BOOST_REQUIRE_MESSAGE(third, (third ? "" : third.error().message));
  rig.server = std::move(*third);
  TestClient client(rig);
  BOOST_TEST(client.call("version").text("version") == "1.2.3");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_a_socket_is_refused_with_the_reason) {
  Rig rig;
  const auto refusal = [&](const std::string& path, const std::string& group = {}) {
    control::ServerOptions options = rig.options();
    options.path = path;
    options.group = group;
    const auto opened = control::Server::open(rig.loop, rig.service, options);
    return opened ? "opened" : opened.error().message;
  };
  const std::string file = rig.folder.file("file");
  std::ofstream(file) << "precious";
  BOOST_TEST(refusal(file) == file + " is there and is not a socket: remove it, or choose another socket");
  BOOST_TEST(refusal(std::string(200, 'p')).find("has 200 characters, 1 to 107 fit") != std::string::npos);
  BOOST_TEST(refusal("") != "opened");
  BOOST_TEST(refusal(rig.folder.file("no/such/folder")).starts_with("cannot bind "));
  BOOST_TEST(refusal(rig.folder.file("other"), "no-such-group") ==
             "no group \"no-such-group\" on this system: make it with `groupadd --system no-such-group`");
  struct stat found {};
  BOOST_TEST(stat(rig.folder.file("other").c_str(), &found) != 0);
}

BOOST_AUTO_TEST_SUITE_END()
