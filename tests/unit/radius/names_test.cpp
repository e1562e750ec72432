// SPDX-License-Identifier: Apache-2.0
// RADIUS servers by host name: when it is looked up, who is asked meanwhile, and what a new address changes.
#include <boost/test/unit_test.hpp>

#include "../eap/scripted_entropy.h"
#include "radius/client.h"
#include "radius/dynamic_authorization.h"

using namespace svti;
using namespace svti::radius;

namespace {

IpAddress at(std::string_view text) { return *IpAddress::parse(text); }

// "a" has a host name, "b", if it is there, an address
struct Named {
  explicit Named(bool second = false, std::optional<IpAddress> source = {}) {
    auto made = std::make_shared<model::Radius>();
    for (const char* name : {"a", "b"}) {
      model::RadiusServer& one = made->servers.emplace_back();
      one.name = name;
      one.secret = Secret(as_bytes("sesame"));
    }
    made->servers[0].host = "radius.example";
    made->servers[0].source_address = source;
    made->servers[1].address = at("192.0.2.2");
    if (!second) made->servers.pop_back();
    configuration = made;
    client.emplace(configuration, entropy);
  }
  void take() {
    for (Client::Effect& effect : effects) {
      if (std::get_if<Client::LookUp>(&effect)) ++looks;
      if (auto* one = std::get_if<Client::Addresses>(&effect)) known.push_back(std::move(*one));
      if (auto* one = std::get_if<Client::Send>(&effect)) sent.push_back(std::move(*one));
      if (auto* one = std::get_if<Client::Answer>(&effect)) answers.push_back(std::move(*one));
      if (auto* one = std::get_if<LogLine>(&effect)) log += one->text + "\n";
    }
    effects.clear();
  }
  void ask(Code code = Code::AccessRequest, std::string to = {}) {
    client->ask({code, {}, std::move(to)}, now, effects);
    take();
  }
  void wait() {
    now = *client->next_deadline();
    client->on_deadline(now, effects);
    take();
  }
  void found(std::initializer_list<std::string_view> addresses) {
    std::vector<IpAddress> all;
    for (const std::string_view one : addresses) all.push_back(at(one));
    client->looked_up(0, std::move(all), now, effects);
    take();
  }
  void not_found() {
    client->looked_up(0, system_error("Name or service not known"), now, effects);
    take();
  }
  void accept() {
    const Client::Send& request = sent.back();
    const auto packet = parse_packet(request.packet);
    client->receive(request.socket, *encode_response(Code::AccessAccept, packet->id, {}, Secret(as_bytes("sesame")), packet->authenticator),
                    effects);
    take();
  }
  model::RadiusServerState state() const { return client->state(now)[0]; }

  test::ScriptedEntropy entropy{Bytes{1, 2, 3, 4, 5, 6, 7}};
  model::RadiusPtr configuration;
  std::optional<Client> client;
  TimePoint now{seconds(1)};
  Client::Effects effects;
  int looks = 0;
  std::vector<Client::Addresses> known;
  std::vector<Client::Send> sent;
  std::vector<Client::Answer> answers;
  std::string log;
};

bool has(const std::string& text, std::string_view part) {
  BOOST_TEST_MESSAGE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(names)

BOOST_AUTO_TEST_CASE(a_question_waits_for_the_first_look_up) {
  Named it;
  it.ask();
  it.ask(Code::AccountingRequest);
  BOOST_TEST(it.looks == 1);
  BOOST_TEST(it.sent.empty());
  BOOST_TEST(it.state().pending == 0U);
  BOOST_TEST(it.state().alive);
  BOOST_TEST(!it.state().address.has_value());
  it.found({"192.0.2.1"});
  BOOST_TEST_REQUIRE(it.sent.size() == 2U);
  for (const Client::Send& one : it.sent) BOOST_TEST(one.to.to_string() == "192.0.2.1");
  BOOST_TEST(it.state().address->to_string() == "192.0.2.1");
  BOOST_TEST(it.state().host == "radius.example");
  BOOST_TEST(has(it.log, "RADIUS server a (radius.example at 192.0.2.1)"));
}

BOOST_AUTO_TEST_CASE(it_does_not_wait_where_another_server_is_there) {
  Named it(true);
  it.ask();
  BOOST_TEST_REQUIRE(it.sent.size() == 1U);
  BOOST_TEST(it.sent[0].to.to_string() == "192.0.2.2");
  it.accept();
  BOOST_TEST(it.answers.size() == 1U);
  // what is for the named one alone waits
  it.ask(Code::AccessRequest, "a");
  BOOST_TEST(it.sent.size() == 1U);
  it.found({"192.0.2.1"});
  BOOST_TEST(it.sent.size() == 2U);
}

BOOST_AUTO_TEST_CASE(nor_forever) {
  Named it;
  it.ask();
  const TimePoint begin = it.now;
  it.wait();
  BOOST_TEST((it.now == begin + Client::kNameWait));
  BOOST_TEST_REQUIRE(it.answers.size() == 1U);
  BOOST_TEST(it.answers[0].reply.error().message == "RADIUS server a (radius.example): its name is still being looked up");
  BOOST_TEST(!it.client->next_deadline().has_value());  // one look-up at a time
}

BOOST_AUTO_TEST_CASE(a_name_that_is_not_found_makes_the_server_down_and_is_tried_again) {
  Named it(true);
  it.ask(Code::AccessRequest, "a");
  it.not_found();
  BOOST_TEST_REQUIRE(it.answers.size() == 1U);
  BOOST_TEST(it.answers[0].reply.error().message == "RADIUS server a (radius.example): its name was not found: Name or service not known");
  BOOST_TEST(!it.state().alive);
  BOOST_TEST(it.state().reason == "its name was not found: Name or service not known");
  BOOST_TEST(has(it.log, "its name was not found: Name or service not known: passed over until it is"));
  it.ask();
  BOOST_TEST(it.sent.back().to.to_string() == "192.0.2.2");
  it.accept();
  it.log.clear();
  const TimePoint before = it.now;
  it.wait();
  BOOST_TEST((it.now == before + Client::kNamePause));
  BOOST_TEST(it.looks == 2);
  it.not_found();
  BOOST_TEST(it.log == "");  // said once
  it.wait();
  it.found({"192.0.2.1"});
  BOOST_TEST(it.state().alive);
  BOOST_TEST(it.state().reason == "");
  it.ask();
  BOOST_TEST(it.sent.back().to.to_string() == "192.0.2.1");
}

BOOST_AUTO_TEST_CASE(it_is_looked_up_again_and_the_address_in_use_is_kept_as_long_as_it_is_one) {
  Named it;
  it.ask();
  it.found({"192.0.2.1", "192.0.2.8"});
  it.accept();
  const TimePoint before = it.now;
  it.wait();
  BOOST_TEST((it.now == before + Client::kNameTime));
  BOOST_TEST(it.looks == 2);
  it.found({"192.0.2.8", "192.0.2.1"});
  BOOST_TEST(it.state().address->to_string() == "192.0.2.1");
  BOOST_TEST(!it.known.back().moved);
  BOOST_TEST(it.known.back().all.size() == 2U);
  it.wait();
  it.not_found();  // a name server that is away is no reason to leave a server that answers
  BOOST_TEST(it.state().alive);
  BOOST_TEST(it.state().address->to_string() == "192.0.2.1");
  it.wait();
  it.ask();
  it.found({"192.0.2.8"});
  BOOST_TEST(it.known.back().moved);
  // what was asked is asked again there, as another request: the answer of the former address is none
  BOOST_TEST_REQUIRE(it.sent.size() == 3U);
  BOOST_TEST(it.sent[1].to.to_string() == "192.0.2.1");
  BOOST_TEST(it.sent[2].to.to_string() == "192.0.2.8");
  BOOST_TEST(it.sent[1].packet != it.sent[2].packet);
  it.accept();
  BOOST_TEST(it.answers.back().reply.has_value());
  BOOST_TEST(it.state().pending == 0U);
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_answer_is_looked_up_and_its_next_address_tried) {
  Named it;
  it.ask();
  it.found({"192.0.2.1", "192.0.2.8"});
  while (it.answers.empty()) it.wait();
  BOOST_TEST(!it.state().alive);
  BOOST_TEST(has(it.state().reason, "did not answer"));
  BOOST_TEST(it.looks == 2);
  it.found({"192.0.2.1", "192.0.2.8"});
  BOOST_TEST(it.state().alive);
  it.ask();
  BOOST_TEST(it.sent.back().to.to_string() == "192.0.2.8");
  // it goes round
  while (it.answers.size() == 1) it.wait();
  it.found({"192.0.2.1", "192.0.2.8"});
  BOOST_TEST(it.state().address->to_string() == "192.0.2.1");
}

BOOST_AUTO_TEST_CASE(addresses_are_of_the_family_of_source_address) {
  Named it(false, at("192.0.2.100"));
  it.ask();
  it.found({"2001:db8::1", "192.0.2.1"});
  BOOST_TEST(it.sent.back().to.to_string() == "192.0.2.1");
  Named other(false, at("192.0.2.100"));
  other.ask();
  other.found({"2001:db8::1"});
  BOOST_TEST(other.state().reason == "its name was not found: the name has no address of the family of source-address");
}

BOOST_AUTO_TEST_CASE(who_has_a_name_may_ask_for_a_disconnection_from_its_addresses) {
  const Named it;
  DynamicAuthorization dynamic(it.configuration);
  Attributes attributes;
  attributes.add(Type::UserName, std::string_view("joe")).add(Type::EventTimestamp, std::uint32_t{1000});
  Authenticator authenticator{};
  const Bytes request = *encode_request(Code::DisconnectRequest, 1, attributes, Secret(as_bytes("sesame")), authenticator);
  const Endpoint from{at("192.0.2.1"), 4000};
  BOOST_TEST(has(dynamic.receive(from, request, seconds(1000)).log, "that is no RADIUS server of ours"));
  dynamic.set_addresses(0, {at("192.0.2.8"), at("192.0.2.1")});
  BOOST_TEST(dynamic.receive(from, request, seconds(1000)).request.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
