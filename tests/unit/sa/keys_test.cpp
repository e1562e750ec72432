// SPDX-License-Identifier: Apache-2.0
// Key material against values computed with Python's hmac (RFC 7296 2.13 to 2.18).
#include "sa/keys.h"

#include <boost/test/unit_test.hpp>

#include "sim/world/configurations.h"
#include "sim/world/seeded_entropy.h"

using namespace svti;
using namespace svti::sa;
using svti::sim::esp_proposal;
using svti::sim::ike_proposal;

namespace {

Bytes counting(std::uint8_t first) {
  Bytes out(32);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(first + i);
  return out;
}

const Bytes kNonceI = counting(0), kNonceR = counting(100);
const KeySeed kSeed{kNonceI, kNonceR, 0x1122334455667788, 0x99aabbccddeeff00};
Secret repeated(std::uint8_t octet) { return Secret(ByteView(Bytes(32, octet))); }
std::string hex_of(const Secret& secret) { return to_hex(secret.view()); }

IkeKeys keys() { return derive_ike_keys(ike_proposal("aes128-gcm-128/hmac-sha256/curve25519"), kSeed, repeated(7)).value(); }

// `ours` and a cipher with the key given can read each other
void check_key(crypto::SkCipher& ours, std::string_view key) {
  const auto gcm = wire::transform(wire::TransformType::Encryption, wire::EncryptionId::AesGcm16, 128);
  auto expected = crypto::SkCipher::create(gcm, wire::IntegrityId::None, Secret(from_hex(key).value()), {}).value();
  sim::SeededEntropy entropy(1);
  const Bytes prefix(32, 0), text = {1, 2, 3};
  const auto opened = expected.open(prefix, ours.seal(prefix, text, entropy));
  BOOST_TEST_REQUIRE(opened.has_value());
  BOOST_TEST((*opened == text));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(key_material)

BOOST_AUTO_TEST_CASE(ike_keys_are_cut_from_prf_plus_in_the_order_of_the_rfc) {
  IkeKeys derived = keys();
  BOOST_TEST(hex_of(derived.sk_d) == "bc92da965dbb1c1de2271ea5b9509bf8dbed0a970419fc2264f772fb569bd2bd");
  BOOST_TEST(hex_of(derived.sk_pi) == "30e3a5134986e8812d8004a0317514e27fbdfec389b5fb7198085a4154ba3b19");
  BOOST_TEST(hex_of(derived.sk_pr) == "f2a047ef1c003999005ef8c77df0f640ee2131a2fe86c7bfc5556c54273e2b34");
  check_key(derived.initiator_to_responder, "3b6390ed526d5eaf916a052eeb29e5a10ba52783");
  check_key(derived.responder_to_initiator, "b36480e22ded017a28d966539f692a587bd09eb7");
}

// RFC 8784 3: SK_d, SK_pi and SK_pr alone; the ciphers keep their keys
BOOST_AUTO_TEST_CASE(a_ppk_goes_into_three_of_the_seven_keys) {
  IkeKeys mixed = keys();
  const IkeSecrets before = mix_ppk(mixed, repeated(9));
  BOOST_TEST(hex_of(mixed.sk_d) == "db31fe9e943e22a5e61ae4305e39764c75dcb385b25df19ca8148113e93f7ec5");
  BOOST_TEST(hex_of(mixed.sk_pi) == "f83eef79154df0f91db7aa5ded351d1d490f89fe5d66a3de50854d3d08d43305");
  BOOST_TEST(hex_of(mixed.sk_pr) == "ddda52fcb1307a3d194686a21aa9dbd086de0a6ad5cd3853f3682a194d0162b8");
  BOOST_TEST(hex_of(before.sk_d) == hex_of(keys().sk_d));
  BOOST_TEST(hex_of(before.sk_pi) == hex_of(keys().sk_pi));
  BOOST_TEST(hex_of(before.sk_pr) == hex_of(keys().sk_pr));
  check_key(mixed.initiator_to_responder, "3b6390ed526d5eaf916a052eeb29e5a10ba52783");
  check_key(mixed.responder_to_initiator, "b36480e22ded017a28d966539f692a587bd09eb7");
}

BOOST_AUTO_TEST_CASE(keys_of_a_rekeyed_ike_sa_come_from_the_old_sk_d) {
  const IkeKeys old = keys();
  const auto rekeyed = derive_rekeyed_ike_keys(ike_proposal("aes128-gcm-128/hmac-sha256/curve25519"), kSeed, repeated(8), old);
  BOOST_TEST(hex_of(rekeyed.value().sk_d) == "4de11d7ac1f2325542df918ad8df232304e546825e294a71bd70ff1670d3f52a");
}

// RFC 9370 2.2.4: SK(0) | Ni | Nr | SK(1) | SK(2)
BOOST_AUTO_TEST_CASE(secrets_of_additional_key_exchanges_come_behind_the_nonces) {
  const IkeKeys old = keys();
  Secret more[] = {repeated(10), Secret(ByteView(Bytes(24, 11)))};
  const auto rekeyed = derive_rekeyed_ike_keys(ike_proposal("aes128-gcm-128/hmac-sha256/curve25519"), kSeed, repeated(8), old, more);
  BOOST_TEST(hex_of(rekeyed.value().sk_d) == "f6b1dab15685b68345707b44006b3244ead3e2674d7c810aa02d01e9d33cdef4");
  const auto child = derive_child_keys(esp_proposal("aes128-gcm-128"), old, kNonceI, kNonceR, repeated(8), more).value();
  BOOST_TEST(hex_of(child.encryption_i) == "222c8fb115b1f1b179681f9119b3cbcd1dea2d9d");
  BOOST_TEST(hex_of(child.encryption_r) == "16bc5b6987606df84478005eb3f15ec14f1a0f97");
}

BOOST_AUTO_TEST_CASE(child_keys_without_pfs_are_initiators_encryption_and_integrity_then_responders) {
  const auto child = derive_child_keys(esp_proposal("aes128-cbc/hmac-sha256"), keys(), kNonceI, kNonceR, Secret()).value();
  BOOST_TEST(hex_of(child.encryption_i) == "eb4d2aa387e321557b30db26d39480e5");
  BOOST_TEST(hex_of(child.integrity_i) == "735b41aca9b41256efbc1c7cac31af6c38c88c4dcf44051efec0984283b200ca");
  BOOST_TEST(hex_of(child.encryption_r) == "5c764f4cb3ed1eac7cafdae7ae2fd3cb");
  BOOST_TEST(hex_of(child.integrity_r) == "9645283a35bc78689d02cb6955968e85c45b0a5760b94f208a19a99a73bff15f");
}

BOOST_AUTO_TEST_CASE(with_pfs_the_new_shared_secret_stands_before_the_nonces) {
  const auto child = derive_child_keys(esp_proposal("aes128-cbc/hmac-sha256"), keys(), kNonceI, kNonceR, repeated(9)).value();
  BOOST_TEST(hex_of(child.encryption_i) == "ecaa8ad38a7f9219f9d78592d207c662");
  BOOST_TEST(hex_of(child.integrity_i) == "5b776fd8ecdcd12e2ed1f98d25fde6e892a7347bd9077fde1d26e96725132f9d");
  BOOST_TEST(hex_of(child.encryption_r) == "02974a8d97517771a3440ce4305cb4ac");
  BOOST_TEST(hex_of(child.integrity_r) == "fbd939df36379350e8d9ff7219d16884812098bc13a21c27df6c93384a3029a3");
}

BOOST_AUTO_TEST_CASE(an_aeads_key_has_its_salt_and_no_integrity_key) {
  const auto child = derive_child_keys(esp_proposal("aes256-gcm-128"), keys(), kNonceI, kNonceR, Secret()).value();
  BOOST_TEST(child.encryption_i.size() == 36U);
  BOOST_TEST(child.integrity_i.empty());
}

BOOST_AUTO_TEST_SUITE_END()
