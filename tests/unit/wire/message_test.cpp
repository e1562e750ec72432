// SPDX-License-Identifier: Apache-2.0
// Headers and whole messages: by hand, by scapy, by strongSwan.
#include "wire/message.h"

#include <boost/test/unit_test.hpp>

#include "support.h"
#include "wire/configuration.h"

using namespace svti;
using namespace svti::wire;

namespace {

// INFORMATIONAL request of the responder with a Vendor ID
constexpr const char* kSmall = "0102030405060708 1112131415161718 2b 20 25 00 00000007 00000022  00000006 6162";

Bytes changed(const char* digits, std::size_t at, std::uint8_t value) {
  Bytes out = hex(digits);
  out.at(at) = value;
  return out;
}

template <typename T>
const T& get(const Message& message, std::size_t at) {
  return std::get<T>(message.payloads.at(at));
}

}  // namespace

BOOST_AUTO_TEST_CASE(header_fields) {
  const auto message = parse_message(hex(kSmall));
  BOOST_TEST_REQUIRE(message.has_value());
  const Header expected{
      0x0102030405060708, 0x1112131415161718, PayloadType::VendorId, 2, 0, ExchangeType::Informational, false, false, false, 7, 34};
  BOOST_CHECK(message->header == expected);
  BOOST_CHECK(message->payloads == std::vector<Payload>({VendorIdPayload{{'a', 'b'}}}));
  BOOST_TEST(to_hex(encode_message(message->header, message->payloads)) == to_hex(hex(kSmall)));
}

BOOST_AUTO_TEST_CASE(header_flags) {
  const auto with = [](std::uint8_t octet) { return parse_header(changed(kSmall, 19, octet)).value(); };
  BOOST_TEST(with(0x08).from_initiator);
  BOOST_TEST(with(0x20).response);
  BOOST_TEST(with(0x10).higher_version);
  BOOST_CHECK(with(0xc7) == with(0x00));  // reserved bits are ignored
  Header header = with(0x38);
  BOOST_TEST(encode_message(header, {})[19] == 0x38);
  header.from_initiator = false;
  BOOST_TEST(encode_message(header, {})[19] == 0x30);
}

BOOST_AUTO_TEST_CASE(versions) {
  // RFC 7296 2.5: a minor version is ignored; the header of another major one is still read, so that it can be answered
  BOOST_TEST(parse_message(changed(kSmall, 17, 0x2f)).has_value());
  for (const unsigned version : {0x00U, 0x10U, 0x30U, 0xf0U}) {
    const auto header = parse_header(changed(kSmall, 17, static_cast<std::uint8_t>(version)));
    BOOST_TEST_REQUIRE(header.has_value());
    BOOST_TEST(header->major == version >> 4);
    BOOST_TEST(!parse_message(changed(kSmall, 17, static_cast<std::uint8_t>(version))));
  }
}

BOOST_AUTO_TEST_CASE(length_is_that_of_the_datagram) {
  for (const unsigned length : {0U, 27U, 28U, 33U, 35U, 255U}) {
    const auto header = parse_header(changed(kSmall, 27, static_cast<std::uint8_t>(length)));
    BOOST_TEST_REQUIRE(!header);
    BOOST_CHECK(header.error().fault == Fault::Peer);
  }
  BOOST_TEST(!parse_header(changed(kSmall, 24, 0x80)));
  const Bytes whole = hex(kSmall);
  for (std::size_t size = 0; size < whole.size(); ++size) BOOST_TEST(!parse_header(ByteView(whole).first(size)));
  BOOST_TEST(!parse_header(concat({whole, Bytes{0}})));
}

BOOST_AUTO_TEST_CASE(message_without_payloads) {
  const Bytes encoded =
      encode_message({.initiator_spi = 1, .responder_spi = 2, .exchange = ExchangeType::Informational, .message_id = 3}, {});
  BOOST_TEST(to_hex(encoded) ==
             "000000000000000100000000000000020020250000000003"
             "0000001c");
  BOOST_TEST(parse_message(encoded).value().payloads.empty());
}

BOOST_AUTO_TEST_CASE(message_larger_than_a_datagram_is_our_bug) {
  const VendorIdPayload half{Bytes(32767)};
  BOOST_CHECK_THROW(encode_message({}, {half, half}), std::length_error);
  BOOST_CHECK_THROW(encrypted_prefix({}, PayloadType::None, kMaxMessageSize - kEncryptedPrefixSize + 1), std::length_error);
  BOOST_CHECK_NO_THROW(encrypted_prefix({}, PayloadType::None, kMaxMessageSize - kEncryptedPrefixSize));
}

BOOST_AUTO_TEST_CASE(encrypted_prefix_begins_a_message) {
  const Header header{
      .initiator_spi = 0x0102030405060708, .responder_spi = 9, .exchange = ExchangeType::IkeAuth, .from_initiator = true, .message_id = 1};
  const Bytes body(40, 0xee);
  const Bytes prefix = encrypted_prefix(header, PayloadType::IdInitiator, body.size());
  BOOST_TEST(prefix.size() == kEncryptedPrefixSize);
  const auto message = parse_message(concat({prefix, body}));
  BOOST_TEST_REQUIRE(message.has_value());
  BOOST_CHECK(message->payloads == std::vector<Payload>({EncryptedPayload{PayloadType::IdInitiator, body}}));
  BOOST_TEST(message->header.length == 72U);
  BOOST_CHECK(message->header.exchange == ExchangeType::IkeAuth);
  BOOST_TEST(message->header.from_initiator);
}

// ---- made by others: tests/vectors/make_scapy.py, make_strongswan.py ----

BOOST_AUTO_TEST_CASE(scapys_ike_sa_init) {
  const Bytes octets = hex(vectors("scapy.json").at("ike_sa_init").get<std::string>());
  const auto message = parse_message(octets);
  BOOST_TEST_REQUIRE(message.has_value());
  BOOST_TEST(message->header.from_initiator);
  BOOST_TEST(!message->header.response);
  BOOST_TEST_REQUIRE(message->payloads.size() == 6U);
  const auto& proposals = get<SaPayload>(*message, 0).proposals;
  BOOST_TEST_REQUIRE(proposals.size() == 2U);
  const std::vector<Transform> first = {transform(TransformType::Encryption, EncryptionId::AesCbc, 256),
                                        transform(TransformType::Encryption, EncryptionId::AesCbc, 128),
                                        transform(TransformType::Prf, PrfId::HmacSha256),
                                        transform(TransformType::Integrity, IntegrityId::HmacSha256_128),
                                        transform(TransformType::KeyExchange, KeGroup::Curve25519),
                                        transform(TransformType::KeyExchange, KeGroup::Modp2048)};
  BOOST_CHECK(proposals[0] == (Proposal{1, ProtocolId::Ike, {}, first}));
  BOOST_TEST(proposals[1].number == 2);
  BOOST_TEST(proposals[1].transforms.size() == 3U);
  BOOST_CHECK(get<KePayload>(*message, 1).group == KeGroup::Curve25519);
  BOOST_TEST(get<KePayload>(*message, 1).data.size() == 32U);
  BOOST_TEST(get<NoncePayload>(*message, 2).data.front() == 100);
  BOOST_CHECK(get<NotifyPayload>(*message, 3) == (NotifyPayload{NotifyType::NatDetectionSourceIp, ProtocolId::None, {}, Bytes(20)}));
  BOOST_CHECK(get<NotifyPayload>(*message, 4).type == NotifyType::FragmentationSupported);
  BOOST_CHECK(get<VendorIdPayload>(*message, 5).data == to_bytes(as_bytes("scapy")));
}

BOOST_AUTO_TEST_CASE(scapys_ike_auth_without_its_encryption) {
  const Bytes octets = hex(vectors("scapy.json").at("ike_auth_inside").get<std::string>());
  const auto message = parse_message(octets);
  BOOST_TEST_REQUIRE(message.has_value());
  BOOST_TEST_REQUIRE(message->payloads.size() == 8U);
  BOOST_CHECK(get<IdPayload>(*message, 0) == (IdPayload{PayloadType::IdInitiator, IdType::Fqdn, to_bytes(as_bytes("gw1.example"))}));
  BOOST_CHECK(get<IdPayload>(*message, 1) == (IdPayload{PayloadType::IdResponder, IdType::Ipv4Addr, {192, 0, 2, 2}}));
  BOOST_CHECK(get<AuthPayload>(*message, 2) == (AuthPayload{AuthMethod::SharedKeyMic, Bytes(32)}));
  const auto& proposals = get<SaPayload>(*message, 3).proposals;
  BOOST_TEST_REQUIRE(proposals.size() == 2U);
  BOOST_CHECK(proposals[0] ==
              (Proposal{1,
                        ProtocolId::Esp,
                        hex("c0ffee01"),
                        {transform(TransformType::Encryption, EncryptionId::AesGcm16, 256), transform(TransformType::Esn, EsnId::None)}}));
  const TsPayload tsi{PayloadType::TsInitiator,
                      {TrafficSelector::of(prefix("10.1.0.0/16"), 6, 80, 80), TrafficSelector::of(prefix("2001:db8:1::/48"))}};
  BOOST_CHECK(get<TsPayload>(*message, 4) == tsi);
  const TsPayload tsr{PayloadType::TsResponder, {{1, 65535, 0, address("10.2.0.1"), address("10.2.0.9")}}};
  BOOST_CHECK(get<TsPayload>(*message, 5) == tsr);
  BOOST_CHECK(get<NotifyPayload>(*message, 6) == (NotifyPayload{NotifyType::RekeySa, ProtocolId::Esp, hex("c0ffee03"), {}}));
  BOOST_CHECK(get<DeletePayload>(*message, 7) == (DeletePayload{ProtocolId::Esp, {0xc0ffee04, 0xc0ffee05}}));
  BOOST_TEST(to_hex(encode_message(message->header, message->payloads)) == to_hex(octets));
}

BOOST_AUTO_TEST_CASE(strongswans_messages_are_read_and_written_alike) {
  const auto cases = vectors("strongswan.json");
  std::size_t count = 0;
  for (const auto& one : cases) {
    for (const auto& digits : one.at("messages")) {
      const Bytes octets = hex(digits.get<std::string>());
      const auto message = parse_message(octets);
      BOOST_TEST_REQUIRE(message.has_value());
      ++count;
      const auto* sealed = std::get_if<EncryptedPayload>(&message->payloads.back());
      if (sealed == nullptr) {
        BOOST_CHECK(message->header.exchange == ExchangeType::IkeSaInit);
        BOOST_TEST(to_hex(encode_message(message->header, message->payloads)) == to_hex(octets));
        continue;
      }
      BOOST_TEST(to_hex(concat({encrypted_prefix(message->header, sealed->first_inner, sealed->body.size()), sealed->body})) ==
                 to_hex(octets));
    }
  }
  BOOST_TEST(count == 20U);
}

// cve-lessons 31: every message of others, cut at every octet, with its length field as it was and made to fit
BOOST_AUTO_TEST_CASE(truncated_messages_are_refused) {
  std::vector<Bytes> messages;
  const auto scapy = vectors("scapy.json");
  for (const auto& digits : scapy) messages.push_back(hex(digits.get<std::string>()));
  const auto captures = vectors("strongswan.json");
  for (const auto& one : captures) {
    for (const auto& digits : one.at("messages")) messages.push_back(hex(digits.get<std::string>()));
  }
  for (const Bytes& whole : messages) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      BOOST_TEST_REQUIRE(!parse_message(cut));
      if (size < kHeaderSize) continue;
      cut[26] = static_cast<std::uint8_t>(size >> 8);
      cut[27] = static_cast<std::uint8_t>(size);
      BOOST_TEST_REQUIRE(!parse_message(cut));
    }
    Bytes longer = concat({whole, Bytes{0}});
    BOOST_TEST(!parse_message(longer));
    longer[26] = static_cast<std::uint8_t>(longer.size() >> 8);
    longer[27] = static_cast<std::uint8_t>(longer.size());
    BOOST_TEST(!parse_message(longer));
  }
}

// ---- read by others: tests/vectors/check_encodings.py has tshark judge the same octets ----

BOOST_AUTO_TEST_CASE(our_messages_are_those_that_tshark_has_judged) {
  const std::vector<Transform> ike = {
      transform(TransformType::Encryption, EncryptionId::AesCbc, 256), transform(TransformType::Prf, PrfId::HmacSha256),
      transform(TransformType::Integrity, IntegrityId::HmacSha256_128), transform(TransformType::KeyExchange, KeGroup::Curve25519)};
  const std::vector<Transform> aead = {transform(TransformType::Encryption, EncryptionId::AesGcm16, 128),
                                       transform(TransformType::Prf, PrfId::HmacSha512),
                                       transform(TransformType::KeyExchange, KeGroup::Ecp256)};
  const std::vector<Transform> esp = {transform(TransformType::Encryption, EncryptionId::AesGcm16, 256),
                                      transform(TransformType::Esn, EsnId::None), transform(TransformType::Esn, EsnId::Esn)};
  const Header init{.initiator_spi = 0x0102030405060708, .exchange = ExchangeType::IkeSaInit, .from_initiator = true};
  const Header response{.initiator_spi = 0x0102030405060708,
                        .responder_spi = 0x1112131415161718,
                        .exchange = ExchangeType::CreateChildSa,
                        .response = true,
                        .message_id = 9};
  Configuration configuration;
  configuration.addresses = {address("192.168.99.1"), address("2001:db8::5")};
  configuration.dns = {address("192.168.3.99"), address("2001:db8::53")};
  configuration.nbns = {address("192.168.3.98")};
  configuration.dhcp = {address("192.168.3.97"), address("2001:db8::54")};
  configuration.subnets = {prefix("10.0.0.0/9"), prefix("2001:db8:1::/48")};
  configuration.asks_version = configuration.asks_supported = true;
  const std::map<std::string, Bytes> ours = {
      {"ike_sa_init", encode_message(init, {SaPayload{{{1, ProtocolId::Ike, {}, ike}, {2, ProtocolId::Ike, {}, aead}}},
                                            KePayload{KeGroup::Curve25519, Bytes(32, 0x77)}, NoncePayload{Bytes(32, 0x66)},
                                            NotifyPayload{NotifyType::NatDetectionSourceIp, ProtocolId::None, {}, Bytes(20, 1)},
                                            NotifyPayload{NotifyType::NatDetectionDestinationIp, ProtocolId::None, {}, Bytes(20, 2)},
                                            NotifyPayload{NotifyType::SignatureHashAlgorithms, ProtocolId::None, {}, {0, 2, 0, 3, 0, 4}},
                                            VendorIdPayload{Bytes(16, 3)}})},
      {"create_child_sa", encode_message(response, {NotifyPayload{NotifyType::RekeySa, ProtocolId::Esp, {1, 2, 3, 4}, {}},
                                                    SaPayload{{{1, ProtocolId::Esp, {5, 6, 7, 8}, esp}}}, NoncePayload{Bytes(16, 0x55)},
                                                    TsPayload{PayloadType::TsInitiator,
                                                              {TrafficSelector::of(prefix("10.1.0.0/16"), 6, 80, 90),
                                                               TrafficSelector::of(prefix("2001:db8::/32"))}},
                                                    TsPayload{PayloadType::TsResponder, {TrafficSelector::of(prefix("0.0.0.0/0"))}}})},
      {"ike_auth_inside",
       encode_message({.initiator_spi = 1, .responder_spi = 2, .exchange = ExchangeType::IkeAuth, .from_initiator = true, .message_id = 1},
                      {IdPayload{PayloadType::IdInitiator, IdType::Ipv4Addr, {192, 0, 2, 1}},
                       IdPayload{PayloadType::IdResponder, IdType::Rfc822Addr, to_bytes(as_bytes("gw@example.net"))},
                       AuthPayload{AuthMethod::SharedKeyMic, Bytes(32, 0x99)}, CertReqPayload{4, Bytes(20, 0x11)},
                       ConfigPayload{1, {{1, {}}, {8, {}}}}})},
      {"ike_auth_configuration",
       encode_message({.initiator_spi = 1, .responder_spi = 2, .exchange = ExchangeType::IkeAuth, .response = true, .message_id = 1},
                      {IdPayload{PayloadType::IdResponder, IdType::Fqdn, to_bytes(as_bytes("gw.example.net"))},
                       AuthPayload{AuthMethod::SharedKeyMic, Bytes(32, 0x99)}, write_configuration(ConfigType::Reply, configuration)})},
      {"informational", encode_message({.initiator_spi = 1, .responder_spi = 2, .exchange = ExchangeType::Informational, .message_id = 2},
                                       {DeletePayload{ProtocolId::Esp, {0xc0ffee01, 0xc0ffee02}}, DeletePayload{ProtocolId::Ike, {}},
                                        NotifyPayload{NotifyType::InvalidSyntax, ProtocolId::None, {}, {}}})},
      {"encrypted", concat({encrypted_prefix(response, PayloadType::Notify, 48), Bytes(48, 0xee)})},
  };
  const auto judged = vectors("encoded.json");
  BOOST_TEST(judged.size() == ours.size());
  for (const auto& [name, octets] : ours) {
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST(to_hex(octets) == judged.value(name, std::string()));
      // and what we write we read
      const auto parsed = parse_message(octets);
      BOOST_TEST_REQUIRE(parsed.has_value());
      if (name != "encrypted") BOOST_TEST(to_hex(encode_message(parsed->header, parsed->payloads)) == to_hex(octets));
    }
  }
}
