// SPDX-License-Identifier: Apache-2.0
// Cutting protected messages into pieces, and putting them together: RFC 7383 2.5 and 2.6.
#include "sa/fragments.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "sim/world/configurations.h"
#include "sim/world/seeded_entropy.h"

using namespace svti;
using namespace svti::sa;
using namespace svti::sim;
using wire::EncryptedFragmentPayload;
using wire::ExchangeType;
using wire::PayloadType;

namespace {

TimePoint at(int second) { return TimePoint(seconds(second)); }

struct Suite {
  const char* name;
  wire::Transform encryption;
  wire::IntegrityId integrity;
};
std::ostream& operator<<(std::ostream& out, const Suite& suite) { return out << suite.name; }
const std::vector<Suite> kSuites = {
    {"aes128-gcm-128", wire::transform(wire::TransformType::Encryption, wire::EncryptionId::AesGcm16, 128), wire::IntegrityId::None},
    {"aes256-gcm-64", wire::transform(wire::TransformType::Encryption, wire::EncryptionId::AesGcm8, 256), wire::IntegrityId::None},
    {"aes128-cbc/hmac-sha1", wire::transform(wire::TransformType::Encryption, wire::EncryptionId::AesCbc, 128),
     wire::IntegrityId::HmacSha1_96},
    {"aes256-cbc/hmac-sha512", wire::transform(wire::TransformType::Encryption, wire::EncryptionId::AesCbc, 256),
     wire::IntegrityId::HmacSha512_256},
};

crypto::SkCipher cipher(const Suite& suite) {
  const auto sizes = crypto::sk_key_sizes(suite.encryption, suite.integrity).value();
  return crypto::SkCipher::create(suite.encryption, suite.integrity, Secret(Bytes(sizes.encryption, 1)), Secret(Bytes(sizes.integrity, 2)))
      .value();
}

wire::Header header() {
  wire::Header out;
  out.initiator_spi = 1;
  out.responder_spi = 2;
  out.exchange = ExchangeType::IkeAuth;
  out.from_initiator = true;
  out.message_id = 1;
  return out;
}

EncryptedFragmentPayload piece(std::uint16_t number, std::uint16_t total) {
  return {number == 1 ? PayloadType::Nonce : PayloadType::None, number, total, {}};
}

Bytes counted(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fragments)

BOOST_DATA_TEST_CASE(a_message_of_any_size_comes_out_of_its_pieces_as_it_went_in_and_no_piece_is_larger_than_agreed, kSuites, suite) {
  SeededEntropy entropy(1);
  crypto::SkCipher ours = cipher(suite), theirs = cipher(suite);
  for (const std::size_t room : {std::size_t{150}, std::size_t{544}, std::size_t{1248}}) {
    for (std::size_t size = 0; size < 4 * room; size += 37) {
      const Bytes plaintext = counted(size);
      const auto messages = seal_message(ours, header(), PayloadType::Nonce, plaintext, room, true, entropy);
      BOOST_TEST_REQUIRE(messages.has_value());
      const bool fits = wire::kEncryptedPrefixSize + ours.sealed_size(size) <= room;
      BOOST_TEST((messages->size() == 1) == fits);  // RFC 7383 2.5: what fits is not fragmented
      if (fits) continue;
      Reassembly pieces;
      std::optional<Reassembly::Whole> whole;
      // the last first: they may come in any order
      for (auto message = messages->rbegin(); message != messages->rend(); ++message) {
        BOOST_TEST(message->size() <= room);
        BOOST_TEST(!whole.has_value());
        const auto parsed = wire::parse_message(*message);
        BOOST_TEST_REQUIRE(parsed.has_value());
        const auto& fragment = std::get<EncryptedFragmentPayload>(parsed->payloads.at(0));
        BOOST_TEST(fragment.total == messages->size());
        auto content = theirs.open(ByteView(*message).first(message->size() - fragment.body.size()), fragment.body);
        BOOST_TEST_REQUIRE(content.has_value());
        whole = pieces.add(ExchangeType::IkeAuth, fragment, std::move(*content), at(0));
      }
      BOOST_TEST_REQUIRE(whole.has_value());
      BOOST_TEST((whole->first_inner == PayloadType::Nonce));
      BOOST_TEST(whole->plaintext == plaintext, boost::test_tools::per_element());
      BOOST_TEST(pieces.empty());
    }
  }
}

BOOST_DATA_TEST_CASE(number_and_total_of_a_piece_are_protected_with_it, kSuites, suite) {
  SeededEntropy entropy(1);
  crypto::SkCipher ours = cipher(suite), theirs = cipher(suite);
  const auto messages = seal_message(ours, header(), PayloadType::Nonce, counted(500), 200, true, entropy).value();
  for (std::size_t octet = 0; octet < messages[1].size(); ++octet) {
    Bytes damaged = messages[1];
    damaged[octet] ^= 1;
    const std::size_t prefix = wire::kEncryptedFragmentPrefixSize;
    BOOST_TEST(!theirs.open(ByteView(damaged).first(prefix), ByteView(damaged).subspan(prefix)).has_value());
  }
}

BOOST_AUTO_TEST_CASE(without_agreement_a_message_stays_whole_and_ends_at_what_a_datagram_carries) {
  SeededEntropy entropy(1);
  crypto::SkCipher ours = cipher(kSuites[0]);
  BOOST_TEST(seal_message(ours, header(), PayloadType::Nonce, counted(5000), 1248, false, entropy).value().size() == 1U);
  BOOST_TEST(!seal_message(ours, header(), PayloadType::Nonce, counted(65535), 1248, false, entropy).has_value());
  BOOST_TEST(
      !seal_message(ours, header(), PayloadType::Nonce, counted(500), wire::kEncryptedFragmentPrefixSize + 8, true, entropy).has_value());
}

BOOST_AUTO_TEST_CASE(the_room_for_a_message_leaves_what_ip_udp_and_the_marker_take) {
  BOOST_TEST(message_room(address("192.0.2.1"), 1280) == 1248U);
  BOOST_TEST(message_room(address("2001:db8::1"), 1280) == 1228U);
  BOOST_TEST(message_room(address("2001:db8::1"), 40) == 0U);
}

BOOST_AUTO_TEST_CASE(a_piece_that_comes_twice_counts_once) {
  Reassembly pieces;
  BOOST_TEST(!pieces.add(ExchangeType::IkeAuth, piece(1, 2), {1}, at(0)).has_value());
  BOOST_TEST(!pieces.wants(ExchangeType::IkeAuth, piece(1, 2)));
  BOOST_TEST(!pieces.add(ExchangeType::IkeAuth, piece(1, 2), {9}, at(0)).has_value());
  BOOST_TEST(pieces.octets() == 1U);
  const auto whole = pieces.add(ExchangeType::IkeAuth, piece(2, 2), {2}, at(0));
  BOOST_TEST_REQUIRE(whole.has_value());
  BOOST_TEST(whole->plaintext == Bytes({1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(cut_into_more_pieces_the_message_begins_anew_and_pieces_of_the_larger_cut_are_refused) {
  Reassembly pieces;
  (void)pieces.add(ExchangeType::IkeAuth, piece(2, 2), {2, 2}, at(0));
  BOOST_TEST(!pieces.add(ExchangeType::IkeAuth, piece(1, 3), {7}, at(0)).has_value());
  BOOST_TEST(pieces.octets() == 1U);
  BOOST_TEST(!pieces.wants(ExchangeType::IkeAuth, piece(1, 2)));
  BOOST_TEST(!pieces.add(ExchangeType::IkeAuth, piece(1, 2), {1, 1}, at(0)).has_value());
  BOOST_TEST(!pieces.add(ExchangeType::IkeAuth, piece(3, 3), {9}, at(0)).has_value());
  const auto whole = pieces.add(ExchangeType::IkeAuth, piece(2, 3), {8}, at(0));
  BOOST_TEST_REQUIRE(whole.has_value());
  BOOST_TEST(whole->plaintext == Bytes({7, 8, 9}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_pieces_may_take_is_bounded_in_number_and_octets) {
  Reassembly pieces;
  BOOST_TEST(!pieces.wants(ExchangeType::IkeAuth, piece(1, kMaxFragments + 1)));
  for (std::uint16_t number = 1; number < kMaxFragments; ++number) {
    BOOST_TEST(!pieces.add(ExchangeType::IkeAuth, piece(number, kMaxFragments), Bytes(60000), at(0)).has_value());
    BOOST_TEST(pieces.octets() <= kMaxReassembled);
  }
}

BOOST_AUTO_TEST_CASE(pieces_are_given_up_when_no_more_come) {
  Reassembly pieces;
  BOOST_TEST(!pieces.expires().has_value());
  (void)pieces.add(ExchangeType::IkeAuth, piece(1, 2), {1}, at(10));
  BOOST_TEST((pieces.expires() == at(130)));
  pieces.clear();
  BOOST_TEST(pieces.octets() == 0U);
  BOOST_TEST(!pieces.expires().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
