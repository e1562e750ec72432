// SPDX-License-Identifier: Apache-2.0
#include "eap/conversation.h"

#include <boost/test/unit_test.hpp>

#include "unit/eap/scripted_entropy.h"

using namespace svti;
using namespace svti::eap;
using test::ScriptedEntropy;
using Kind = Step::Kind;

namespace {

Bytes hex(std::string_view digits) { return from_hex(digits).value(); }
Bytes octets(std::string_view text) { return to_bytes(as_bytes(text)); }

const Bytes kOctets = {0x10, 0x21, 0x32, 0x43, 0x54, 0x65, 0x76, 0x87, 0x98, 0xa9, 0xba};

Server::PasswordOf users(std::string_view password) {
  return [password](const Bytes& identity) -> Result<Secret> {
    if (as_text(identity) != "joe") return config_error("no eap-key for " + std::string(as_text(identity)));
    return Secret(as_bytes(password));
  };
}

struct Talk {
  ScriptedEntropy entropy{kOctets};
  Step server, peer;
  std::size_t packets = 0;

  Talk(Type at_server, Type at_peer, std::string_view asked, std::string_view user, std::string_view password) {
    Server gateway(at_server, octets(asked), "gw", users("secret"), entropy);
    Peer client(at_peer, octets(user), Secret(as_bytes(password)), entropy);
    server = gateway.begin();
    while (true) {
      BOOST_TEST_REQUIRE(++packets < 20U);
      peer = client.receive(server.packet);
      if (server.kind != Kind::Send || peer.kind != Kind::Send) return;
      server = gateway.receive(peer.packet);
    }
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(conversation)

BOOST_AUTO_TEST_CASE(packets_are_read_and_written) {
  const Bytes packet = hex("0107000a046162636465");
  const auto request = parse_packet(packet).value();
  BOOST_CHECK(request.code == Code::Request);
  BOOST_TEST(request.identifier == 7);
  BOOST_CHECK(request.type == Type::Md5Challenge);
  BOOST_TEST(as_text(request.data) == "abcde");
  BOOST_TEST(to_hex(encode_packet(Code::Request, 7, Type::Md5Challenge, as_bytes("abcde"))) == "0107000a046162636465");
  BOOST_TEST(to_hex(encode_packet(Code::Success, 9)) == "03090004");
  BOOST_CHECK(parse_packet(hex("04090004")).value().code == Code::Failure);
  BOOST_TEST(parse_packet(hex("0201000501")).value().data.empty());
}

BOOST_AUTO_TEST_CASE(a_packet_has_the_size_it_says_and_nothing_behind_it) {
  for (const std::string_view bad :
       {"", "01", "0107", "010700", "01070004", "01070005", "0107000401", "010700060401ff", "0107000504ff", "03090005", "0309000501",
        "0309000400", "0509000501", "0009000501", "ffffffff", "01070000", "0107ffff04"})
    BOOST_TEST(!parse_packet(hex(bad)), bad);
}

BOOST_AUTO_TEST_CASE(each_method_to_its_end_with_and_without_being_asked_for_an_identity) {
  for (const Type method : {Type::Md5Challenge, Type::MsChapV2}) {
    for (const std::string_view asked : {"", "joe"}) {
      const Talk talk(method, method, asked, "joe", "secret");
      BOOST_CHECK(talk.server.kind == Kind::Success);
      BOOST_CHECK(talk.peer.kind == Kind::Success);
      BOOST_TEST(to_hex(talk.server.msk.view()) == to_hex(talk.peer.msk.view()));
      BOOST_TEST(talk.server.msk.size() == (is_mutual(method) ? kMskSize : 0));
      BOOST_TEST(talk.packets == (method == Type::MsChapV2 ? 3U : 2U) + (asked.empty() ? 1U : 0U));
    }
  }
}

// RFC 1994: the digest over identifier, secret and challenge, by md5sum
BOOST_AUTO_TEST_CASE(an_md5_response_is_what_another_program_computes) {
  ScriptedEntropy entropy(kOctets);
  Peer peer(Type::Md5Challenge, octets("joe"), Secret(as_bytes("secret")), entropy);
  // printf '\005secretchallenge' | md5sum
  const Step step =
      peer.receive(encode_packet(Code::Request, 5, Type::Md5Challenge, concat({Bytes{9}, as_bytes("challenge"), as_bytes("gw")})));
  BOOST_TEST(to_hex(step.packet) ==
             "020500190410127a561ad982d7040085866281192133"
             "6a6f65");
}

BOOST_AUTO_TEST_CASE(a_wrong_password_and_an_unknown_user_look_alike_to_the_peer) {
  for (const Type method : {Type::Md5Challenge, Type::MsChapV2}) {
    const Talk wrong(method, method, "", "joe", "sesame"), unknown(method, method, "", "eve", "sesame");
    for (const Talk* talk : {&wrong, &unknown}) {
      BOOST_CHECK(talk->server.kind == Kind::Failure);
      BOOST_CHECK(talk->peer.kind == Kind::Failure);
      BOOST_TEST(talk->server.packet.size() == 4U);
      BOOST_TEST(talk->server.packet[0] == 4);
      BOOST_TEST(talk->peer.reason.find("refuses") != std::string::npos, talk->peer.reason);
    }
    BOOST_TEST(wrong.packets == unknown.packets);
    BOOST_TEST(wrong.server.reason == "the password does not match");
    BOOST_TEST(unknown.server.reason == "no eap-key for eve");
  }
}

BOOST_AUTO_TEST_CASE(methods_that_differ_are_told) {
  const Talk talk(Type::MsChapV2, Type::Md5Challenge, "", "joe", "secret");
  BOOST_CHECK(talk.server.kind == Kind::Failure);
  BOOST_TEST(talk.server.reason == "it does not do EAP-MSCHAPv2, but EAP-MD5");
  BOOST_CHECK(talk.peer.kind == Kind::Failure);
}

// CVE-2021-45079
BOOST_AUTO_TEST_CASE(a_success_that_comes_early_is_none) {
  ScriptedEntropy entropy(kOctets);
  for (const Type method : {Type::Md5Challenge, Type::MsChapV2}) {
    Server server(method, octets("joe"), "gw", users("secret"), entropy);
    Peer peer(method, octets("joe"), Secret(as_bytes("secret")), entropy);
    const Step early = peer.receive(hex("03090004"));
    BOOST_CHECK(early.kind == Kind::Failure);
    BOOST_TEST(early.reason == "it says EAP Success before " + to_string(method) + " is done");
    Step request = server.begin();
    Step response = peer.receive(request.packet);
    if (method == Type::MsChapV2) {
      BOOST_CHECK(peer.receive(hex("03090004")).kind == Kind::Failure);  // the server has proven nothing yet
      request = server.receive(response.packet);
      response = peer.receive(request.packet);
    }
    const Step late = peer.receive(hex("03090004"));
    BOOST_CHECK(late.kind == Kind::Success);
    BOOST_TEST(late.msk.size() == (is_mutual(method) ? kMskSize : 0));
  }
}

BOOST_AUTO_TEST_CASE(the_peer_answers_what_any_peer_answers) {
  ScriptedEntropy entropy(kOctets);
  Peer peer(Type::MsChapV2, octets("joe"), Secret(as_bytes("secret")), entropy);
  BOOST_TEST(to_hex(peer.receive(hex("0103000501")).packet) == "02030008016a6f65");
  BOOST_TEST(to_hex(peer.receive(hex("0104000802686921")).packet) == "0204000502");  // Notification
  BOOST_TEST(to_hex(peer.receive(hex("010500060d20")).packet) == "02050006031a");    // EAP-TLS: Nak
  BOOST_TEST(to_hex(peer.receive(hex("0106000503")).packet) == "02060006031a");
  BOOST_CHECK(peer.receive(hex("0201000501")).kind == Kind::Failure);
  BOOST_CHECK(peer.receive(hex("04010004")).kind == Kind::Failure);
}

BOOST_AUTO_TEST_CASE(responses_that_answer_nothing_are_refused) {
  ScriptedEntropy entropy(kOctets);
  const auto refused = [&](const Bytes& packet, std::string_view reason, std::string_view asked = "joe") {
    Server server(Type::MsChapV2, octets(asked), "gw", users("secret"), entropy);
    Bytes answer = packet;
    const Step first = server.begin();
    if (answer.size() > 1 && answer[1] == 0) answer[1] = first.packet[1];  // the identifier that is awaited
    const Step step = server.receive(answer);
    BOOST_CHECK(step.kind == Kind::Failure);
    BOOST_TEST(step.reason.find(reason) != std::string::npos, step.reason);
  };
  refused({}, "EAP packet of 0 octets");
  refused(hex("0100000501"), "no response");
  refused(hex("03000004"), "no response");
  refused(hex("02ff000501"), "answers another request");
  refused(hex("0200000501"), "it answers with EAP-Identity");
  refused(hex("02000007031504"), "it does not do EAP-MSCHAPv2, but EAP method 21 or EAP-MD5");
  refused(hex("020000060300"), "it does not do EAP-MSCHAPv2");
  refused(hex("020000051a"), "without content");
  refused(hex("0200000501"), "its EAP identity is empty", "");
  refused(hex("020000051a"), "asked for its EAP identity", "");
  refused(encode_packet(Code::Response, 0, Type::Identity, Bytes(254, 'a')), "254 octets", "");
}

BOOST_AUTO_TEST_SUITE_END()
