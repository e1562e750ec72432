// SPDX-License-Identifier: Apache-2.0
#include "model/algorithm.h"

#include <boost/test/unit_test.hpp>
#include <set>

using namespace svti::model;
using svti::wire::TransformType;

BOOST_AUTO_TEST_SUITE(algorithm)

BOOST_AUTO_TEST_CASE(every_algorithm_is_found_by_name_and_by_number) {
  std::set<svti::wire::Transform> seen;
  for (const Algorithm& algorithm : algorithms()) {
    BOOST_TEST_CONTEXT(algorithm.keyword) {
      BOOST_TEST(find_algorithm(algorithm.kind, algorithm.keyword) == &algorithm);
      BOOST_TEST(find_algorithm(to_transform(algorithm)) == &algorithm);
      BOOST_TEST(name_of(to_transform(algorithm)) == algorithm.keyword);
      BOOST_TEST(seen.insert(to_transform(algorithm)).second);
      BOOST_TEST(is_aead(to_transform(algorithm)) == (algorithm.kind == AlgorithmKind::Aead));
    }
  }
  BOOST_TEST(seen.size() == 71U);
}

// numbers of the IANA registry; key sizes of RFC 3602, 3686, 4312, 2451, 4106, 4309, 4543, 5282, 7634, 2403, 2404, 3566, 4494, 4868
BOOST_AUTO_TEST_CASE(numbers_and_key_sizes_are_those_of_the_standards) {
  struct Row {
    AlgorithmKind kind;
    const char* keyword;
    unsigned id, key_bits, key_octets, icv_bits;
    bool for_ike = true;
  };
  const Row rows[] = {
      {AlgorithmKind::Encryption, "aes128-cbc", 12, 128, 16, 0},
      {AlgorithmKind::Encryption, "aes192-cbc", 12, 192, 24, 0},
      {AlgorithmKind::Encryption, "aes256-cbc", 12, 256, 32, 0},
      {AlgorithmKind::Aead, "aes128-gcm-64", 18, 128, 20, 64},
      {AlgorithmKind::Aead, "aes192-gcm-96", 19, 192, 28, 96},
      {AlgorithmKind::Aead, "aes256-gcm-128", 20, 256, 36, 128},
      {AlgorithmKind::Integrity, "hmac-sha1", 2, 0, 20, 96},
      {AlgorithmKind::Integrity, "hmac-sha256", 12, 0, 32, 128},
      {AlgorithmKind::Integrity, "hmac-sha384", 13, 0, 48, 192},
      {AlgorithmKind::Integrity, "hmac-sha512", 14, 0, 64, 256},
      {AlgorithmKind::Prf, "hmac-sha1", 2, 0, 0, 0},
      {AlgorithmKind::Prf, "hmac-sha256", 5, 0, 0, 0},
      {AlgorithmKind::Prf, "hmac-sha384", 6, 0, 0, 0},
      {AlgorithmKind::Prf, "hmac-sha512", 7, 0, 0, 0},
      {AlgorithmKind::DhGroup, "modp2048", 14, 0, 0, 0},
      {AlgorithmKind::DhGroup, "modp8192", 18, 0, 0, 0},
      {AlgorithmKind::DhGroup, "ecp256", 19, 0, 0, 0},
      {AlgorithmKind::DhGroup, "ecp521", 21, 0, 0, 0},
      {AlgorithmKind::DhGroup, "curve25519", 31, 0, 0, 0},
      {AlgorithmKind::DhGroup, "curve448", 32, 0, 0, 0},
      {AlgorithmKind::DhGroup, "modp768", 1, 0, 0, 0},
      {AlgorithmKind::DhGroup, "modp1536", 5, 0, 0, 0},
      {AlgorithmKind::DhGroup, "modp1024s160", 22, 0, 0, 0},
      {AlgorithmKind::DhGroup, "modp2048s256", 24, 0, 0, 0},
      {AlgorithmKind::DhGroup, "ecp224", 26, 0, 0, 0},
      {AlgorithmKind::DhGroup, "brainpool224", 27, 0, 0, 0},
      {AlgorithmKind::DhGroup, "brainpool512", 30, 0, 0, 0},
      {AlgorithmKind::Encryption, "aes256-ctr", 13, 256, 36, 0},
      {AlgorithmKind::Encryption, "camellia192-cbc", 23, 192, 24, 0},
      {AlgorithmKind::Encryption, "3des-cbc", 3, 0, 24, 0},
      {AlgorithmKind::Encryption, "null", 11, 0, 0, 0, false},
      {AlgorithmKind::Aead, "aes128-ccm-64", 14, 128, 19, 64},
      {AlgorithmKind::Aead, "aes256-ccm-128", 16, 256, 35, 128},
      {AlgorithmKind::Aead, "chacha20-poly1305", 28, 0, 36, 128},
      {AlgorithmKind::Aead, "aes192-gmac", 21, 192, 28, 128, false},
      {AlgorithmKind::Integrity, "hmac-md5", 1, 0, 16, 96},
      {AlgorithmKind::Integrity, "aes-xcbc", 5, 0, 16, 96},
      {AlgorithmKind::Integrity, "aes-cmac", 8, 0, 16, 96},
      {AlgorithmKind::Prf, "hmac-md5", 1, 0, 0, 0},
      {AlgorithmKind::Prf, "aes-xcbc", 4, 0, 0, 0},
      {AlgorithmKind::Prf, "aes-cmac", 8, 0, 0, 0},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.keyword) {
      const Algorithm* found = find_algorithm(row.kind, row.keyword);
      BOOST_TEST_REQUIRE(found);
      BOOST_TEST(found->id == row.id);
      BOOST_TEST(found->key_bits == row.key_bits);
      BOOST_TEST(found->key_octets == row.key_octets);
      BOOST_TEST(found->icv_bits == row.icv_bits);
      BOOST_TEST(found->for_ike == row.for_ike);
      BOOST_TEST(found->for_esp == (row.kind != AlgorithmKind::Prf));
    }
  }
}

BOOST_AUTO_TEST_CASE(names_belong_to_a_kind) {
  BOOST_TEST(find_algorithm(AlgorithmKind::Encryption, "aes128-gcm-128") == nullptr);
  BOOST_TEST(find_algorithm(AlgorithmKind::Aead, "aes128-cbc") == nullptr);
  BOOST_TEST(find_algorithm(AlgorithmKind::Encryption, "des-cbc") == nullptr);
  BOOST_TEST(find_algorithm(AlgorithmKind::Integrity, "hmac-sha256") != find_algorithm(AlgorithmKind::Prf, "hmac-sha256"));
}

BOOST_AUTO_TEST_CASE(what_is_not_known_still_has_a_name) {
  BOOST_TEST(name_of({TransformType::Encryption, 99, 128, false}) == "encryption 99 (128 bits)");
  BOOST_TEST(name_of({TransformType::Encryption, 12, 128, true}) == "encryption 12 (128 bits) with an unknown attribute");
  BOOST_TEST(name_of({TransformType::KeyExchange, 3, 0, false}) == "key-exchange 3");
  BOOST_TEST(name_of({TransformType::AdditionalKe4, 3, 0, false}) == "additional-key-exchange-4 3");
  BOOST_TEST(name_of({TransformType::AdditionalKe4, 19, 0, false}) == "ecp256");
  BOOST_TEST(name_of({static_cast<TransformType>(13), 1, 0, false}) == "transform-type-13 1");
  BOOST_TEST(name_of({TransformType::Esn, 1, 0, false}) == "esn");
  BOOST_TEST(find_algorithm(svti::wire::Transform{TransformType::Encryption, 12, 0, false}) == nullptr);
  BOOST_TEST(find_algorithm(svti::wire::Transform{TransformType::Encryption, 12, 128, true}) == nullptr);
}

BOOST_AUTO_TEST_CASE(the_prf_is_the_integrity_algorithms_hash) {
  for (const char* hash : {"hmac-md5", "hmac-sha1", "aes-xcbc", "aes-cmac", "hmac-sha256", "hmac-sha384", "hmac-sha512"}) {
    const auto prf = prf_of_integrity(find_algorithm(AlgorithmKind::Integrity, hash)->id);
    BOOST_TEST_REQUIRE(prf.has_value());
    BOOST_TEST(static_cast<std::uint16_t>(*prf) == find_algorithm(AlgorithmKind::Prf, hash)->id);
  }
  BOOST_TEST(!prf_of_integrity(0).has_value());
  BOOST_TEST(!prf_of_integrity(6).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
