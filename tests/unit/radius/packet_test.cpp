// SPDX-License-Identifier: Apache-2.0
#include "radius/packet.h"

#include <boost/test/unit_test.hpp>

#include "radius/accounting.h"
#include "radius/dynamic_authorization.h"
#include "radius/eap.h"

using namespace svti;
using namespace svti::radius;

namespace {

Secret secret(std::string_view text) { return Secret(as_bytes(text)); }
const Secret& known() {
  static const Secret kSecret = secret("xyzzy5461");
  return kSecret;
}

Authenticator authenticator(std::string_view hex) {
  const Bytes octets = *from_hex(hex);
  Authenticator out{};
  std::copy(octets.begin(), octets.end(), out.begin());
  return out;
}

Authenticator counting() {
  Authenticator out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i);
  return out;
}

// Made with Python's hashlib and hmac: answer to request 7 with authenticator 00 01 .. 0f. Message-Authenticator, EAP Success 7,
// MS-MPPE-Recv-Key 40..5f and -Send-Key 80..9f, Framed-IP-Address, Class, Session-Timeout, User-Name, Acct-Interim-Interval.
const Bytes& accept() {
  static const Bytes kAccept = *from_hex(
      "020700bc52669215eeff0c292e8aadad95610f845012242ecc6628c2e664c6d94414bac3a8564f06030700041a3a0000013711348001d1a657ec2cb5f798022c6ccf"
      "4e9642d4ab43e38de2e96a22713bad312ee2e14b90558e3cac143b6097efa52718dc4d6f1a3a0000013710348002b1eb093a6241f2ece3daf9525f1cc856c3f499"
      "c6208cda025c5968c018f078ecd3b88d24bc93dcb5c5e774bcec3b7ca708060a4d000719056162631b0600000e1001056a6f65550600000005");
  return kAccept;
}
// likewise: Disconnect-Request 3 of user joe, Event-Timestamp 1700000000
const Bytes& disconnect() {
  static const Bytes kDisconnect =
      *from_hex("28030031f4fb399fee3ffb743b50f36fb29a841301056a6f6537066553f100501211888a90653de050090df67bdac9769b");
  return kDisconnect;
}

std::string error_of(ByteView octets) {
  const auto parsed = parse_packet(octets);
  return parsed ? std::string() : parsed.error().message;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(packets)

// RFC 2865 7.1, 7.2, 7.3: responses to the requests with these authenticators
BOOST_AUTO_TEST_CASE(responses_of_rfc_2865_are_right) {
  const struct {
    std::string_view request, response;
  } kExamples[] = {
      {"0f403f9473978057bd83d5cb98f4227a", "0200002686fe220e7624ba2a1005f6bf9b55e0b20606000000010f06000000000e06c0a80103"},
      {"2aee86f08d0d55969ca5978e0d3367a2",
       "0201003815efbc7dab26cfa3dc34d9c03c8601a406060000000207060000000108 06fffffffe0a06000000020d06000000010c06000005dc"},
  };
  for (const auto& one : kExamples) {
    std::string hex(one.response);
    std::erase(hex, ' ');
    Bytes octets = *from_hex(hex);
    const auto packet = parse_packet(octets);
    BOOST_TEST_REQUIRE(packet.has_value());
    BOOST_TEST(verify_response(*packet, authenticator(one.request), known(), false).has_value());
    // they are older than Message-Authenticator
    const Status strict = verify_response(*packet, authenticator(one.request), known(), true);
    BOOST_TEST_REQUIRE(!strict.has_value());
    BOOST_TEST(strict.error().message.find("no Message-Authenticator") != std::string::npos);
    BOOST_TEST(!verify_response(*packet, authenticator(one.request), secret("xyzzy5462"), false).has_value());
    for (std::size_t at = 0; at < octets.size(); ++at) {
      octets[at] ^= 1;
      const auto forged = parse_packet(octets);
      BOOST_TEST(!(forged && verify_response(*forged, authenticator(one.request), known(), false)));
      octets[at] ^= 1;
    }
  }
}

BOOST_AUTO_TEST_CASE(an_accounting_request_of_pyrad_is_right) {
  const Bytes octets = *from_hex("0409001e4c52306fd7711c3bbe9daf4b46e83b422806000000012c047331");
  const auto packet = parse_packet(octets);
  BOOST_TEST_REQUIRE(packet.has_value());
  BOOST_TEST(verify_request(*packet, known(), false).has_value());
  BOOST_TEST(*packet->number(Type::AcctStatusType) == 1U);
  BOOST_TEST(packet->text(Type::AcctSessionId) == "s1");
}

// CVE-2026-35333: a length of 0 or 1 would never end, one too long reads what is not there
BOOST_AUTO_TEST_CASE(lengths_that_are_wrong_are_refused) {
  for (const int length : {0, 1, 9, 255}) {
    Bytes octets = *from_hex("0107001b000102030405060708090a0b0c0d0e0f01056a6f6501");
    octets.push_back(static_cast<std::uint8_t>(length));
    BOOST_TEST(error_of(octets).find("RADIUS attribute 1 with a length of") != std::string::npos, length);
  }
  BOOST_TEST(error_of(*from_hex("01070014000102030405060708090a0b0c0d0e")) != "");
  BOOST_TEST(error_of(*from_hex("01070013000102030405060708090a0b0c0d0e0f")) != "");
  BOOST_TEST(error_of(*from_hex("01071001000102030405060708090a0b0c0d0e0f")) != "");
  BOOST_TEST(error_of(*from_hex("01070015000102030405060708090a0b0c0d0e0f05")) != "");  // half an attribute
  BOOST_TEST(error_of({}) != "");
  // behind the length is padding
  BOOST_TEST(error_of(*from_hex("01070014000102030405060708090a0b0c0d0e0fffff")) == "");
  // of what a vendor has put there nothing is read that is not there
  for (const char* inside : {"", "00000137", "0000013711", "000001371100", "000001371101", "0000013711ff00"}) {
    Bytes octets = *from_hex("02070000000102030405060708090a0b0c0d0e0f");
    const Bytes value = *from_hex(inside);
    octets.push_back(26);
    octets.push_back(static_cast<std::uint8_t>(value.size() + 2));
    octets.insert(octets.end(), value.begin(), value.end());
    octets[3] = static_cast<std::uint8_t>(octets.size());
    const auto packet = parse_packet(octets);
    BOOST_TEST_REQUIRE(packet.has_value());
    BOOST_TEST(!packet->of_vendor(311, 17).has_value());
  }
}

BOOST_AUTO_TEST_CASE(eap_goes_in_pieces_and_comes_back_whole) {
  Bytes eap(1000);
  for (std::size_t i = 0; i < eap.size(); ++i) eap[i] = static_cast<std::uint8_t>(i * 7);
  const EapQuestion question{
      eap, to_bytes(as_bytes("joe")), {1, 2, 3}, {}, {*IpAddress::parse("192.0.2.1"), 4500}, {*IpAddress::parse("198.51.100.1"), 4500}, 9,
      "rw"};
  const auto octets = encode_request(Code::AccessRequest, 5, access_attributes(question), known(), counting());
  BOOST_TEST_REQUIRE(octets.has_value());
  const auto packet = parse_packet(*octets);
  BOOST_TEST_REQUIRE(packet.has_value());
  BOOST_TEST(packet->authenticator == counting());
  // CVE-2024-3596: it comes first
  BOOST_TEST(static_cast<int>(packet->attributes.front().type) == static_cast<int>(Type::MessageAuthenticator));
  BOOST_TEST(packet->joined(Type::EapMessage) == eap);
  BOOST_TEST(packet->text(Type::UserName) == "joe");
  BOOST_TEST(packet->text(Type::CallingStationId) == "198.51.100.1:4500");
  BOOST_TEST(equal(packet->find(Type::State)->value, Bytes{1, 2, 3}));
  const auto pieces =
      std::count_if(packet->attributes.begin(), packet->attributes.end(), [](const auto& one) { return one.type == Type::EapMessage; });
  BOOST_TEST(pieces == 4);
  // larger than a packet may be: said, not sent
  EapQuestion large = question;
  large.packet.resize(5000);
  BOOST_TEST(!encode_request(Code::AccessRequest, 5, access_attributes(large), known(), counting()).has_value());
}

BOOST_AUTO_TEST_CASE(keys_of_rfc_2548_are_read) {
  const auto packet = parse_packet(accept());
  BOOST_TEST_REQUIRE(packet.has_value());
  BOOST_TEST_REQUIRE(verify_response(*packet, counting(), known(), true).has_value());
  const auto recv = decrypt_mppe_key(*packet->of_vendor(311, 17), counting(), known());
  const auto send = decrypt_mppe_key(*packet->of_vendor(311, 16), counting(), known());
  BOOST_TEST_REQUIRE((recv && send));
  BOOST_TEST(recv->size() == 32U);
  BOOST_TEST(recv->view()[0] == 0x40);
  BOOST_TEST(send->view()[31] == 0x9f);
  BOOST_TEST(!decrypt_mppe_key({}, counting(), known()).has_value());
  BOOST_TEST(!decrypt_mppe_key(Bytes(17), counting(), known()).has_value());
  BOOST_TEST(!decrypt_mppe_key(Bytes(19), counting(), known()).has_value());
}

BOOST_AUTO_TEST_CASE(an_accept_says_who_and_where) {
  const EapAnswer answer = read_answer(Reply{accept(), "fr", secret("msk")}, 9);
  BOOST_TEST((answer.kind == EapAnswer::Kind::Accept));
  BOOST_TEST(answer.packet == *from_hex("03090004"));  // with the identifier that the peer expects
  BOOST_TEST(as_text(answer.user) == "joe");
  BOOST_TEST_REQUIRE(answer.addresses.size() == 1U);
  BOOST_TEST(answer.addresses[0].to_string() == "10.77.0.7");
  BOOST_TEST(answer.session_timeout->count() == 3600);
  BOOST_TEST(answer.interim_interval->count() == 60);  // less would be too often
  BOOST_TEST((answer.classes == std::vector<Bytes>{to_bytes(as_bytes("abc"))}));
}

// RFC 3579 2.6.3: code and EAP that contradict each other; CVE-2021-45079: success that is none
BOOST_AUTO_TEST_CASE(answers_that_contradict_themselves_are_none) {
  const struct {
    Code code;
    std::string_view eap;
    EapAnswer::Kind kind;
  } kCases[] = {
      {Code::AccessAccept, "03010004", EapAnswer::Kind::Accept},
      {Code::AccessAccept, "04010004", EapAnswer::Kind::None},
      {Code::AccessAccept, "", EapAnswer::Kind::None},
      {Code::AccessAccept, "0101000501", EapAnswer::Kind::None},
      {Code::AccessChallenge, "0101000501", EapAnswer::Kind::Challenge},
      {Code::AccessChallenge, "03010004", EapAnswer::Kind::None},
      {Code::AccessChallenge, "", EapAnswer::Kind::None},
      {Code::AccessReject, "03010004", EapAnswer::Kind::Reject},
      {Code::AccessReject, "", EapAnswer::Kind::Reject},
  };
  for (const auto& one : kCases) {
    Attributes attributes;
    attributes.add_split(Type::EapMessage, *from_hex(one.eap));
    const auto octets = encode_response(one.code, 1, attributes, known(), counting());
    const EapAnswer answer = read_answer(Reply{*octets, "fr", {}}, 1);
    BOOST_TEST((answer.kind == one.kind), to_string(one.code) << ' ' << one.eap);
    BOOST_TEST((one.kind == EapAnswer::Kind::Accept || one.kind == EapAnswer::Kind::Challenge) == answer.reason.empty());
  }
}

// RFC 2869 5.1: what does not fit in 32 bits
BOOST_AUTO_TEST_CASE(accounting_counts_beyond_four_gigabytes) {
  const Session session{"s",
                        "rw",
                        to_bytes(as_bytes("joe")),
                        {*IpAddress::parse("192.0.2.1"), 500},
                        {*IpAddress::parse("2001:db8::1"), 500},
                        3,
                        {*IpAddress::parse("10.0.0.1"), *IpAddress::parse("fd00::1")},
                        {{1}}};
  const Traffic traffic{(std::uint64_t{5} << 32) + 7, 11, 13, 17};
  const auto octets = encode_request(
      Code::AccountingRequest, 1,
      accounting_attributes(AcctStatus::Stop, session, seconds(1), seconds(60), traffic, TerminateCause::LostCarrier), known());
  const auto packet = parse_packet(*octets);
  BOOST_TEST_REQUIRE(packet.has_value());
  BOOST_TEST(verify_request(*packet, known(), true).has_value());
  BOOST_TEST(*packet->number(Type::AcctInputOctets) == 7U);
  BOOST_TEST(*packet->number(Type::AcctInputGigawords) == 5U);
  BOOST_TEST(!packet->number(Type::AcctOutputGigawords).has_value());
  BOOST_TEST(*packet->number(Type::AcctSessionTime) == 60U);
  BOOST_TEST(*packet->number(Type::AcctTerminateCause) == 2U);
  BOOST_TEST(packet->find(Type::FramedIpv6Address)->value.size() == 16U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(dynamic_authorization)

namespace {

constexpr seconds kNow{1700000000};

struct Fixture {
  Fixture() {
    auto made = std::make_shared<model::Radius>();
    model::RadiusServer& server = made->servers.emplace_back();
    server.name = "fr";
    server.address = *IpAddress::parse("192.0.2.9");
    server.secret = known().clone();
    server.nas_identifier = "gw";
    configuration = made;
    dynamic.emplace(configuration);
  }
  DynamicAuthorization::Outcome ask(Code code, const Attributes& more, bool stamp = true, std::string_view with = "xyzzy5461",
                                    std::uint8_t id = 1) {
    Attributes attributes = more;
    if (stamp) attributes.add(Type::EventTimestamp, static_cast<std::uint32_t>(kNow.count()));
    return dynamic->receive(from, *encode_request(code, id, attributes, secret(with)), kNow);
  }
  // code and Error-Cause of a response, which has to be authentic
  std::pair<Code, std::uint32_t> read(const Bytes& response, ByteView request) {
    const auto packet = parse_packet(response);
    BOOST_TEST_REQUIRE(packet.has_value());
    BOOST_TEST(verify_response(*packet, parse_packet(request)->authenticator, known(), true).has_value());
    return {packet->code, packet->number(Type::ErrorCause).value_or(0)};
  }
  Endpoint from{*IpAddress::parse("192.0.2.9"), 40000};
  model::RadiusPtr configuration;
  std::optional<DynamicAuthorization> dynamic;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_request_is_carried_out_once, Fixture) {
  auto outcome = dynamic->receive(from, disconnect(), kNow);
  BOOST_TEST_REQUIRE(outcome.request.has_value());
  BOOST_TEST(as_text(*outcome.request->user) == "joe");
  const Bytes response = dynamic->answer(std::nullopt);
  BOOST_TEST((read(response, disconnect()) == std::pair(Code::DisconnectAck, 0U)));
  // again, and from another port: the same answer, nothing done
  for (const std::uint16_t port : {std::uint16_t{40000}, std::uint16_t{40001}}) {
    from.port = port;
    outcome = dynamic->receive(from, disconnect(), kNow + seconds(10));
    BOOST_TEST(!outcome.request.has_value());
    BOOST_TEST_REQUIRE(outcome.response.has_value());
    BOOST_TEST(*outcome.response == response);
  }
}

BOOST_FIXTURE_TEST_CASE(who_may_not_ask_gets_no_answer, Fixture) {
  const auto silent = [](const DynamicAuthorization::Outcome& outcome) {
    return !outcome.request && !outcome.response && !outcome.log.empty();
  };
  for (const int age : {301, -301, 1000000}) BOOST_TEST(silent(dynamic->receive(from, disconnect(), kNow + seconds(age))), age);
  Attributes joe;
  joe.add(Type::UserName, std::string_view("joe"));
  BOOST_TEST(silent(ask(Code::DisconnectRequest, joe, false)));
  BOOST_TEST(silent(ask(Code::DisconnectRequest, joe, true, "guessed")));
  BOOST_TEST(silent(ask(Code::AccountingRequest, joe)));
  Bytes forged = disconnect();
  forged.back() ^= 1;
  BOOST_TEST(silent(dynamic->receive(from, forged, kNow)));
  from.address = *IpAddress::parse("192.0.2.10");
  BOOST_TEST(silent(dynamic->receive(from, disconnect(), kNow)));
}

// RFC 5176 3.6
BOOST_FIXTURE_TEST_CASE(what_cannot_be_done_is_refused_with_its_cause, Fixture) {
  const auto cause = [&](Code code, const Attributes& attributes) {
    static std::uint8_t id = 1;
    const auto outcome = ask(code, attributes, true, "xyzzy5461", ++id);
    BOOST_TEST_REQUIRE(outcome.response.has_value());
    return *parse_packet(*outcome.response)->number(Type::ErrorCause);
  };
  const auto with = [](Type type, std::string_view text) {
    return Attributes().add(Type::UserName, std::string_view("joe")).add(type, text);
  };
  BOOST_TEST(cause(Code::DisconnectRequest, {}) == 402U);
  BOOST_TEST(cause(Code::DisconnectRequest, with(static_cast<Type>(11), "filter")) == 401U);
  BOOST_TEST(cause(Code::DisconnectRequest, with(Type::SessionTimeout, "1234")) == 401U);
  BOOST_TEST(cause(Code::DisconnectRequest, with(Type::NasIdentifier, "other")) == 403U);
  BOOST_TEST(cause(Code::DisconnectRequest, with(Type::FramedIpAddress, "abc")) == 401U);
  BOOST_TEST(cause(Code::CoaRequest, with(Type::NasIdentifier, "gw")) == 402U);
  BOOST_TEST(cause(Code::CoaRequest, with(Type::SessionTimeout, "12")) == 401U);
  const auto fine = ask(Code::CoaRequest, Attributes().add(Type::AcctSessionId, std::string_view("s")).add(Type::SessionTimeout, 600U));
  BOOST_TEST_REQUIRE(fine.request.has_value());
  BOOST_TEST(fine.request->session_timeout->count() == 600);
  BOOST_TEST(*fine.request->session == "s");
  // RFC 2869 5.16
  const auto often = ask(Code::CoaRequest, Attributes().add(Type::AcctSessionId, std::string_view("s")).add(Type::AcctInterimInterval, 1U),
                         true, "xyzzy5461", 77);
  BOOST_TEST_REQUIRE(often.request.has_value());
  BOOST_TEST(often.request->interim_interval->count() == 60);
  const auto packet = parse_packet(dynamic->answer(ErrorCause::SessionContextNotFound));
  BOOST_TEST((packet->code == Code::CoaNak));
}

BOOST_FIXTURE_TEST_CASE(what_is_remembered_has_an_end, Fixture) {
  for (int i = 0; i < 3000; ++i) {
    Attributes attributes;
    attributes.add(Type::AcctSessionId, std::to_string(i));
    BOOST_TEST_REQUIRE(ask(Code::DisconnectRequest, attributes).request.has_value());
    dynamic->answer(std::nullopt);
  }
}

BOOST_AUTO_TEST_SUITE_END()
