// SPDX-License-Identifier: Apache-2.0
#include "radius/client.h"

#include <boost/test/unit_test.hpp>
#include <set>

#include "../eap/scripted_entropy.h"

using namespace svti;
using namespace svti::radius;

namespace {

model::RadiusServer server(std::string name, std::string_view address) {
  model::RadiusServer out;
  out.name = std::move(name);
  out.address = *IpAddress::parse(address);
  out.secret = Secret(as_bytes("secret of " + out.name));
  out.nas_identifier = "gw";
  return out;
}

struct Servers {
  explicit Servers(std::size_t count = 1, std::uint16_t sockets = 1) {
    auto made = std::make_shared<model::Radius>();
    for (std::size_t i = 0; i < count; ++i) {
      made->servers.push_back(server(std::string(1, static_cast<char>('a' + i)), "192.0.2." + std::to_string(i + 1)));
      made->servers.back().sockets = sockets;
    }
    configuration = made;
    client.emplace(configuration, entropy);
  }

  std::uint64_t ask(std::string to = {}, Code code = Code::AccessRequest) {
    Attributes attributes;
    attributes.add(Type::UserName, std::string_view("joe"));
    const std::uint64_t number = client->ask({code, attributes, std::move(to)}, now, effects);
    take();
    return number;
  }
  void take() {
    for (Client::Effect& effect : effects) {
      if (auto* send = std::get_if<Client::Send>(&effect)) sent.push_back(std::move(*send));
      if (auto* answer = std::get_if<Client::Answer>(&effect)) answers.push_back(std::move(*answer));
      if (auto* one = std::get_if<LogLine>(&effect)) log += one->text + "\n";
    }
    effects.clear();
  }
  // lets time pass to the next deadline; false: there is none
  bool wait() {
    const auto deadline = client->next_deadline();
    if (!deadline) return false;
    now = *deadline;
    client->on_deadline(now, effects);
    take();
    return true;
  }
  Bytes response(Code code, const Attributes& attributes = {}) const { return response_to(sent.back(), code, attributes); }
  Bytes response_to(const Client::Send& request, Code code, const Attributes& attributes = {}) const {
    const auto packet = parse_packet(request.packet);
    return *encode_response(code, packet->id, attributes, configuration->servers[request.socket.server].secret, packet->authenticator);
  }
  void receive(const Bytes& octets) { receive_at(sent.back().socket, octets); }
  void receive_at(const Client::Socket& socket, const Bytes& octets) {
    client->receive(socket, octets, effects);
    take();
  }
  const model::RadiusServerState state(std::size_t i = 0) const { return client->state(now)[i]; }

  test::ScriptedEntropy entropy{Bytes{1, 2, 3, 4, 5, 6, 7}};
  model::RadiusPtr configuration;
  std::optional<Client> client;
  TimePoint now{Duration(1)};
  Client::Effects effects;
  std::vector<Client::Send> sent;
  std::vector<Client::Answer> answers;
  std::string log;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(client)

BOOST_AUTO_TEST_CASE(a_question_is_answered) {
  Servers it;
  const std::uint64_t number = it.ask();
  BOOST_TEST_REQUIRE(it.sent.size() == 1U);
  const auto request = parse_packet(it.sent[0].packet);
  BOOST_TEST(request->text(Type::NasIdentifier) == "gw");
  BOOST_TEST(request->find(Type::MessageAuthenticator) != nullptr);
  it.receive(it.response(Code::AccessChallenge));
  BOOST_TEST_REQUIRE(it.answers.size() == 1U);
  BOOST_TEST(it.answers[0].number == number);
  BOOST_TEST_REQUIRE(it.answers[0].reply.has_value());
  BOOST_TEST(it.answers[0].reply->server == "a");
  BOOST_TEST(!it.client->next_deadline().has_value());
  BOOST_TEST(it.state().challenges == 1U);
  BOOST_TEST(it.state().pending == 0U);
  // the answer again answers nothing
  it.receive(it.response(Code::AccessAccept));
  BOOST_TEST(it.answers.size() == 1U);
}

BOOST_AUTO_TEST_CASE(retransmissions_are_those_that_the_configuration_says) {
  Servers it;
  it.ask();
  const TimePoint begin = it.now;
  while (it.wait()) {
  }
  // 2.0 s * (1 + 1.4 + 1.4^2 + 1.4^3 + 1.4^4)
  BOOST_TEST(it.sent.size() == 5U);
  for (const Client::Send& one : it.sent) BOOST_TEST(one.packet == it.sent[0].packet);
  BOOST_TEST(std::chrono::duration_cast<milliseconds>(it.now - begin).count() == 21891);
  BOOST_TEST_REQUIRE(it.answers.size() == 1U);
  BOOST_TEST_REQUIRE(!it.answers[0].reply.has_value());
  BOOST_TEST(it.answers[0].reply.error().message.find("RADIUS server a (192.0.2.1) did not answer") == 0U);
  BOOST_TEST(it.state().timeouts == 1U);
  BOOST_TEST(!it.state().alive);
}

BOOST_AUTO_TEST_CASE(the_next_server_is_asked_and_the_dead_one_left_alone) {
  Servers it(3);
  it.ask();
  while (it.sent.back().socket.server == 0) it.wait();
  BOOST_TEST(it.sent.back().socket.server == 1U);
  it.receive(it.response(Code::AccessAccept));
  BOOST_TEST(it.answers.back().reply->server == "b");
  it.ask();
  BOOST_TEST(it.sent.back().socket.server == 1U);
  it.receive(it.response(Code::AccessAccept));
  // after a while it gets another chance, and takes it
  it.now += Client::kDeadTime;
  it.ask();
  BOOST_TEST(it.sent.back().socket.server == 0U);
  it.receive(it.response(Code::AccessAccept));
  BOOST_TEST(it.state(0).alive);
  BOOST_TEST(it.log.find("RADIUS server a (192.0.2.1) answers again") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(accounting_tells_how_long_it_was_tried_each_time_under_another_id) {
  Servers it(2);
  it.ask("", Code::AccountingRequest);
  while (it.wait()) {
  }
  // of each server 2.0 s * (1 + 1.4 + 1.4^2 + 1.4^3 + 1.4^4), the second from 21.9 s on; in whole seconds
  const std::uint32_t delays[] = {0, 2, 4, 8, 14, 21, 23, 26, 30, 36};
  BOOST_TEST_REQUIRE(it.sent.size() == std::size(delays));
  std::set<std::pair<std::size_t, std::uint8_t>> ids;
  std::set<Authenticator> authenticators;
  for (std::size_t i = 0; i < it.sent.size(); ++i) {
    const auto packet = parse_packet(it.sent[i].packet);
    BOOST_TEST(*packet->number(Type::AcctDelayTime) == delays[i]);
    BOOST_TEST(verify_request(*packet, it.configuration->servers[it.sent[i].socket.server].secret, false).has_value());
    ids.emplace(it.sent[i].socket.server, packet->id);
    authenticators.insert(packet->authenticator);
  }
  BOOST_TEST(ids.size() == 10U);
  BOOST_TEST(authenticators.size() == 10U);
}

BOOST_AUTO_TEST_CASE(a_late_answer_to_an_earlier_accounting_request_is_one) {
  Servers it;
  it.ask("", Code::AccountingRequest);
  it.wait();
  BOOST_TEST_REQUIRE(it.sent.size() == 2U);
  const Bytes forged = it.response_to(it.sent[1], Code::AccountingResponse);
  Bytes wrong = forged;
  wrong[1] = parse_packet(it.sent[0].packet)->id;  // made for the other request
  it.receive(wrong);
  BOOST_TEST(it.answers.empty());
  it.receive(it.response_to(it.sent[0], Code::AccountingResponse));
  BOOST_TEST_REQUIRE(it.answers.size() == 1U);
  BOOST_TEST(it.answers[0].reply.has_value());
  // all its ids are free again
  it.receive(it.response_to(it.sent[1], Code::AccountingResponse));
  BOOST_TEST(it.answers.size() == 1U);
  BOOST_TEST(it.log.find("answers nothing") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(accounting_that_is_tried_within_the_second_or_with_few_free_ids_goes_as_it_was) {
  Servers it;
  auto made = std::make_shared<model::Radius>();
  made->servers.push_back(server("a", "192.0.2.1"));
  made->servers[0].retransmit_timeout = milliseconds(100);
  made->servers[0].retransmit_base = 1.0;
  it.client.emplace(it.configuration = made, it.entropy);
  it.ask("", Code::AccountingRequest);
  it.wait();
  BOOST_TEST(it.sent[0].packet == it.sent[1].packet);
  // half of the ids are left for what is asked next
  Servers full;
  for (int i = 0; i < 100; ++i) full.ask("", Code::AccountingRequest);
  while (full.sent.size() < 200) full.wait();
  const auto changed = [&](std::size_t i) { return full.sent[i].packet != full.sent[100 + i].packet; };
  for (std::size_t i = 0; i < 100; ++i) BOOST_TEST(changed(i) == (i < 28));
  for (int i = 0; i < 128; ++i) full.ask("", Code::AccountingRequest);
  BOOST_TEST(full.answers.empty());
}

// State is for the server that gave it (RFC 2865 5.24): nobody else is asked
BOOST_AUTO_TEST_CASE(what_a_server_began_is_for_that_server) {
  Servers it(2);
  it.ask("b");
  BOOST_TEST(it.sent.back().socket.server == 1U);
  while (it.wait()) {
  }
  for (const Client::Send& one : it.sent) BOOST_TEST(one.socket.server == 1U);
  BOOST_TEST_REQUIRE(it.answers.size() == 1U);
  BOOST_TEST(!it.answers[0].reply.has_value());
  it.ask("gone");
  BOOST_TEST(!it.answers.back().reply.has_value());
}

BOOST_AUTO_TEST_CASE(when_all_are_dead_all_are_asked) {
  Servers it(2);
  it.ask();
  while (it.wait()) {
  }
  BOOST_TEST(it.answers.back().reply.error().message.find("RADIUS server b") != std::string::npos);
  const std::size_t before = it.sent.size();
  it.ask();
  while (it.wait()) {
  }
  BOOST_TEST(it.sent.size() == 2 * before);
}

// CVE-2024-3596 and everything else that somebody on the way may send: dropped, and the right answer still counts
BOOST_AUTO_TEST_CASE(forgeries_are_dropped) {
  Servers it(2);
  it.ask();
  const Bytes right = it.response(Code::AccessAccept, Attributes().add_split(Type::EapMessage, *from_hex("03010004")));
  std::vector<Bytes> bad;
  for (std::size_t i = 0; i < right.size(); ++i) {
    bad.push_back(right);
    bad.back()[i] ^= 0x40;
  }
  bad.push_back({});
  bad.emplace_back(right.begin(), right.end() - 1);
  bad.push_back(it.response(Code::AccountingResponse));
  bad.push_back(it.response(Code::CoaAck));
  // of another server, which knows another secret
  Client::Send other = it.sent.back();
  other.socket.server = 1;
  bad.push_back(it.response_to(other, Code::AccessAccept));
  for (const Bytes& one : bad) it.receive(one);
  BOOST_TEST(it.answers.empty());
  it.receive_at(other.socket, right);  // nor is it taken from another one
  BOOST_TEST(it.answers.empty());
  it.receive(right);
  BOOST_TEST_REQUIRE(it.answers.size() == 1U);
  BOOST_TEST(it.answers[0].reply.has_value());
}

BOOST_AUTO_TEST_CASE(a_wrong_secret_is_said) {
  Servers it;
  it.ask();
  const auto request = parse_packet(it.sent.back().packet);
  it.receive(*encode_response(Code::AccessReject, request->id, {}, Secret(as_bytes("another")), request->authenticator));
  while (it.wait()) {
  }
  BOOST_TEST(it.answers.back().reply.error().message.find("the shared secret is another one") != std::string::npos);
  BOOST_TEST(it.state().bad_answers == 1U);
}

// 256 requests a socket, and then it is said that there are too many
BOOST_AUTO_TEST_CASE(ids_are_not_used_twice_at_once) {
  Servers it(1, 2);
  std::set<std::pair<Client::Socket, std::uint8_t>> used;
  for (int i = 0; i < 512; ++i) {
    it.ask();
    BOOST_TEST_REQUIRE(it.answers.empty());
    BOOST_TEST(used.insert({it.sent.back().socket, it.sent.back().packet[1]}).second);
  }
  const std::uint64_t last = it.ask();
  BOOST_TEST_REQUIRE(it.answers.size() == 1U);
  BOOST_TEST(it.answers[0].number == last);
  BOOST_TEST(it.answers[0].reply.error().message.find("too many requests") != std::string::npos);
  it.receive(it.response(Code::AccessReject));
  it.ask();
  BOOST_TEST(it.answers.size() == 2U);
  // accounting has sockets of its own
  it.ask({}, Code::AccountingRequest);
  BOOST_TEST(it.sent.back().socket.accounting);
  it.receive(it.response(Code::AccountingResponse));
  BOOST_TEST(it.answers.back().reply.has_value());
}

BOOST_AUTO_TEST_CASE(who_is_forgotten_gets_no_answer) {
  Servers it;
  const std::uint64_t number = it.ask();
  it.client->forget(number);
  BOOST_TEST(!it.client->next_deadline().has_value());
  it.receive(it.response(Code::AccessAccept));
  BOOST_TEST(it.answers.empty());
}

BOOST_AUTO_TEST_SUITE_END()
