// SPDX-License-Identifier: Apache-2.0
#include "crypto/sk_cipher.h"

#include <boost/test/unit_test.hpp>
#include <set>

#include "crypto/system_entropy.h"
#include "fixed_entropy.h"
#include "vectors.h"

using namespace svti;
using namespace svti::crypto;
using wire::EncryptionId;
using wire::IntegrityId;
using wire::TransformType;

namespace {

wire::Transform encryption(EncryptionId id, std::uint16_t bits) { return wire::transform(TransformType::Encryption, id, bits); }

SkCipher cipher(const wire::Transform& transform, IntegrityId integrity, ByteView sk_e, ByteView sk_a) {
  return SkCipher::create(transform, integrity, Secret(sk_e), Secret(sk_a)).value();
}

std::string opened(SkCipher& with, ByteView prefix, ByteView body) {
  const auto text = with.open(prefix, body);
  return text ? to_hex(*text) : "refused";
}

const wire::Transform kGcm = encryption(EncryptionId::AesGcm16, 128);
const wire::Transform kCbc = encryption(EncryptionId::AesCbc, 256);

SkCipher gcm() { return cipher(kGcm, IntegrityId::None, hex("000102030405060708090a0b0c0d0e0f10111213"), {}); }
SkCipher cbc() { return cipher(kCbc, IntegrityId::HmacSha256_128, Bytes(32, 0x11), Bytes(32, 0x22)); }

// every octet of prefix and body changed, each alone, and every shorter body
void check_tampering(SkCipher& with, ByteView prefix, ByteView body) {
  BOOST_TEST_REQUIRE(with.open(prefix, body).has_value());
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    Bytes changed = to_bytes(prefix);
    changed[i] ^= 0x01;
    BOOST_TEST(opened(with, changed, body) == "refused");
  }
  for (std::size_t i = 0; i < body.size(); ++i) {
    for (const unsigned bit : {0x01U, 0x80U}) {
      Bytes changed = to_bytes(body);
      changed[i] = static_cast<std::uint8_t>(changed[i] ^ bit);
      BOOST_TEST(opened(with, prefix, changed) == "refused");
    }
  }
  for (std::size_t size = 0; size < body.size(); ++size) BOOST_TEST(opened(with, prefix, body.first(size)) == "refused");
  BOOST_TEST(opened(with, prefix, concat({body, Bytes(1)})) == "refused");
  BOOST_TEST(opened(with, prefix, concat({body, Bytes(16)})) == "refused");
  BOOST_TEST(opened(with, prefix.subspan(1), body) == "refused");
  BOOST_TEST_REQUIRE(with.open(prefix, body).has_value());  // a refusal spoils nothing
}

}  // namespace

// The GCM specification (McGrew and Viega), test cases 4, 10 and 16: salt and IV are its nonce, its plaintext ends in 0x39, which is
// read as a pad length and leaves two octets
BOOST_AUTO_TEST_CASE(gcm_opens_the_specifications_test_cases) {
  struct Case {
    std::uint16_t bits;
    const char* key;
    const char* ciphertext;
    const char* tag;
  };
  const Case cases[] = {
      {128, "feffe9928665731c6d6a8f9467308308",
       "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
       "5bc94fbc3221a5db94fae95ae7121a47"},
      {192, "feffe9928665731c6d6a8f9467308308feffe9928665731c",
       "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710",
       "2519498e80f1478f37ba55bd6d27618c"},
      {256, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
       "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
       "76fc6ece0f4e1768cddf8853bb2d551b"},
  };
  const Bytes aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  for (const Case& one : cases) {
    const std::pair<EncryptionId, std::size_t> tags[] = {
        {EncryptionId::AesGcm8, 8}, {EncryptionId::AesGcm12, 12}, {EncryptionId::AesGcm16, 16}};
    for (const auto& [id, size] : tags) {
      SkCipher with = cipher(encryption(id, one.bits), IntegrityId::None, concat({hex(one.key), hex("cafebabe")}), {});
      const Bytes tag = hex(one.tag);
      BOOST_TEST(opened(with, aad, concat({hex("facedbaddecaf888"), hex(one.ciphertext), ByteView(tag).first(size)})) == "d931");
    }
  }
}

BOOST_AUTO_TEST_CASE(bodies_made_by_another_hand_open_and_are_made_alike) {
  std::size_t sealed_alike = 0;
  const auto vectors = crypto_vectors().at("sk");
  BOOST_TEST(!vectors.empty());
  for (const auto& vector : vectors) {
    const auto text = [&vector](const char* key) { return hex(vector.at(key).get<std::string>()); };
    const auto id = static_cast<EncryptionId>(vector.at("encryption").get<std::uint16_t>());
    const auto integrity = static_cast<IntegrityId>(vector.at("integrity").get<std::uint16_t>());
    SkCipher with = cipher(encryption(id, vector.at("bits").get<std::uint16_t>()), integrity, text("sk_e"), text("sk_a"));
    const Bytes prefix = text("prefix");
    const Bytes plaintext = text("plaintext");
    const Bytes body = text("body");
    BOOST_TEST(opened(with, prefix, body) == to_hex(plaintext));
    if (!vector.at("least_padding").get<bool>()) continue;
    const bool cbc = id == EncryptionId::AesCbc || id == EncryptionId::CamelliaCbc || id == EncryptionId::TripleDesCbc;
    FixedEntropy entropy(cbc ? text("iv") : Bytes{});
    BOOST_TEST(to_hex(with.seal(prefix, plaintext, entropy)) == to_hex(body));
    BOOST_TEST(with.sealed_size(plaintext.size()) == body.size());
    ++sealed_alike;
  }
  BOOST_TEST(sealed_alike == 3U * (4 * 4 + 3 * 3) + 4 * (3 + 3 * 2 + 1) + 3 * 10);
}

BOOST_AUTO_TEST_CASE(every_size_comes_back_with_the_least_padding) {
  CountingEntropy entropy;
  const Bytes prefix(32, 0x5a);
  SkCipher with_cbc = cbc();
  SkCipher with_gcm = gcm();
  for (std::size_t size = 0; size < 70; ++size) {
    const Bytes text = entropy.bytes(size);
    const Bytes cbc_body = with_cbc.seal(prefix, text, entropy);
    BOOST_TEST(cbc_body.size() == 16 + (size / 16 + 1) * 16 + 16);
    BOOST_TEST(cbc_body.size() == with_cbc.sealed_size(size));
    BOOST_TEST(opened(with_cbc, prefix, cbc_body) == to_hex(text));
    const Bytes gcm_body = with_gcm.seal(prefix, text, entropy);
    BOOST_TEST(gcm_body.size() == 8 + size + 1 + 16);
    BOOST_TEST(gcm_body.size() == with_gcm.sealed_size(size));
    BOOST_TEST(opened(with_gcm, prefix, gcm_body) == to_hex(text));
  }
}

BOOST_AUTO_TEST_CASE(no_octet_may_change) {
  CountingEntropy entropy;
  const Bytes prefix = entropy.bytes(32);
  const Bytes text = entropy.bytes(37);
  SkCipher with_gcm = gcm();
  check_tampering(with_gcm, prefix, with_gcm.seal(prefix, text, entropy));
  for (const EncryptionId id : {EncryptionId::AesGcm8, EncryptionId::AesGcm12}) {
    SkCipher with = cipher(encryption(id, 256), IntegrityId::None, Bytes(36, 0x33), {});
    check_tampering(with, prefix, with.seal(prefix, text, entropy));
  }
  const std::pair<IntegrityId, std::size_t> integrities[] = {{IntegrityId::HmacSha1_96, 20},
                                                             {IntegrityId::HmacSha256_128, 32},
                                                             {IntegrityId::HmacSha384_192, 48},
                                                             {IntegrityId::HmacSha512_256, 64}};
  for (const auto& [integrity, size] : integrities) {
    SkCipher with = cipher(encryption(EncryptionId::AesCbc, 128), integrity, Bytes(16, 0x44), Bytes(size, 0x55));
    check_tampering(with, prefix, with.seal(prefix, text, entropy));
  }
}

BOOST_AUTO_TEST_CASE(no_iv_comes_twice) {
  SystemEntropy entropy;
  const Bytes prefix(32);
  SkCipher with_cbc = cbc();
  SkCipher with_gcm = gcm();
  std::set<Bytes> cbc_ivs;
  std::set<Bytes> gcm_ivs;
  for (int i = 0; i < 1000; ++i) {
    const Bytes cbc_body = with_cbc.seal(prefix, {}, entropy);
    const Bytes gcm_body = with_gcm.seal(prefix, {}, entropy);
    cbc_ivs.insert(Bytes(cbc_body.begin(), cbc_body.begin() + 16));
    gcm_ivs.insert(Bytes(gcm_body.begin(), gcm_body.begin() + 8));
  }
  BOOST_TEST(cbc_ivs.size() == 1000U);
  BOOST_TEST(gcm_ivs.size() == 1000U);
}

BOOST_AUTO_TEST_CASE(gcm_counts_on_when_moved) {
  CountingEntropy entropy;
  const Bytes prefix(32);
  SkCipher first = gcm();
  BOOST_TEST(to_hex(ByteView(first.seal(prefix, {}, entropy)).first(8)) == "0000000000000000");
  SkCipher second = std::move(first);
  BOOST_TEST(to_hex(ByteView(second.seal(prefix, {}, entropy)).first(8)) == "0000000000000001");
  first = std::move(second);
  BOOST_TEST(to_hex(ByteView(first.seal(prefix, {}, entropy)).first(8)) == "0000000000000002");
}

// RFC 7296 3.14: any padding the sender likes, as long as it is inside. Only who holds the keys can send this.
BOOST_AUTO_TEST_CASE(pad_length_beyond_the_text_is_refused_like_a_wrong_icv) {
  const Bytes prefix(32);
  const auto vectors = crypto_vectors().at("sk_bad_padding");
  BOOST_TEST(!vectors.empty());
  for (const auto& vector : vectors) {
    const auto text = [&vector](const char* key) { return hex(vector.at(key).get<std::string>()); };
    SkCipher with = cipher(encryption(static_cast<EncryptionId>(vector.at("encryption").get<std::uint16_t>()), 128),
                           static_cast<IntegrityId>(vector.at("integrity").get<std::uint16_t>()), text("sk_e"), text("sk_a"));
    const auto refused = with.open(prefix, text("body"));
    BOOST_TEST_REQUIRE(!refused);
    Bytes other = text("body");
    other.back() ^= 1;
    const auto wrong_icv = with.open(prefix, other);
    BOOST_TEST_REQUIRE(!wrong_icv);
    BOOST_CHECK(refused.error().fault == Fault::Peer && wrong_icv.error().fault == Fault::Peer);
    BOOST_TEST(refused.error().message == wrong_icv.error().message);
  }
}

BOOST_AUTO_TEST_CASE(another_key_does_not_open) {
  CountingEntropy entropy;
  const Bytes prefix(32);
  SkCipher ours = gcm();
  const Bytes body = ours.seal(prefix, as_bytes("payloads"), entropy);
  for (std::size_t i = 0; i < 20; ++i) {  // the salt is part of it
    Bytes key = hex("000102030405060708090a0b0c0d0e0f10111213");
    key[i] ^= 1;
    SkCipher theirs = cipher(kGcm, IntegrityId::None, key, {});
    BOOST_TEST(opened(theirs, prefix, body) == "refused");
  }
}

BOOST_AUTO_TEST_CASE(key_sizes_are_those_of_the_algorithms) {
  struct Case {
    EncryptionId id;
    std::uint16_t bits;
    IntegrityId integrity;
    std::size_t sk_e;
    std::size_t sk_a;
  };
  const Case cases[] = {
      {EncryptionId::AesCbc, 128, IntegrityId::HmacSha1_96, 16, 20},    {EncryptionId::AesCbc, 192, IntegrityId::HmacSha256_128, 24, 32},
      {EncryptionId::AesCbc, 256, IntegrityId::HmacSha384_192, 32, 48}, {EncryptionId::AesCbc, 256, IntegrityId::HmacSha512_256, 32, 64},
      {EncryptionId::AesGcm16, 128, IntegrityId::None, 20, 0},          {EncryptionId::AesGcm12, 192, IntegrityId::None, 28, 0},
      {EncryptionId::AesGcm8, 256, IntegrityId::None, 36, 0},           {EncryptionId::AesCcm8, 128, IntegrityId::None, 19, 0},
      {EncryptionId::AesCcm16, 256, IntegrityId::None, 35, 0},          {EncryptionId::ChaCha20Poly1305, 0, IntegrityId::None, 36, 0},
      {EncryptionId::AesCtr, 192, IntegrityId::HmacSha256_128, 28, 32}, {EncryptionId::CamelliaCbc, 256, IntegrityId::AesXcbc96, 32, 16},
      {EncryptionId::TripleDesCbc, 0, IntegrityId::HmacMd5_96, 24, 16}, {EncryptionId::AesCbc, 128, IntegrityId::AesCmac96, 16, 16},
  };
  for (const Case& one : cases) {
    const auto sizes = sk_key_sizes(encryption(one.id, one.bits), one.integrity);
    BOOST_TEST_REQUIRE(sizes.has_value());
    BOOST_TEST(sizes->encryption == one.sk_e);
    BOOST_TEST(sizes->integrity == one.sk_a);
    for (const int off : {-1, 1}) {
      const Secret longer(static_cast<std::size_t>(static_cast<int>(one.sk_e) + off));
      BOOST_TEST(!SkCipher::create(encryption(one.id, one.bits), one.integrity, longer, Secret(one.sk_a)));
    }
    BOOST_TEST(!SkCipher::create(encryption(one.id, one.bits), one.integrity, Secret(one.sk_e), Secret(one.sk_a + 1)));
  }
}

BOOST_AUTO_TEST_CASE(combinations_that_make_no_cipher_are_refused) {
  wire::Transform unknown = kGcm;
  unknown.unknown_attribute = true;
  wire::Transform no_encryption = kGcm;
  no_encryption.type = TransformType::Prf;
  const std::pair<wire::Transform, IntegrityId> cases[] = {
      {kGcm, IntegrityId::HmacSha256_128},  // RFC 5282 8
      {kCbc, IntegrityId::None},
      {kCbc, static_cast<IntegrityId>(6)},
      {kCbc, static_cast<IntegrityId>(65535)},
      {encryption(EncryptionId::AesCbc, 0), IntegrityId::HmacSha256_128},
      {encryption(EncryptionId::AesCbc, 64), IntegrityId::HmacSha256_128},
      {encryption(EncryptionId::AesCbc, 160), IntegrityId::HmacSha256_128},
      {encryption(EncryptionId::AesCbc, 320), IntegrityId::HmacSha256_128},
      {encryption(EncryptionId::AesGcm16, 0), IntegrityId::None},
      {encryption(EncryptionId::AesGcm16, 65535), IntegrityId::None},
      {encryption(EncryptionId::Null, 0), IntegrityId::HmacSha256_128},
      {encryption(EncryptionId::TripleDesCbc, 192), IntegrityId::HmacSha256_128},
      {encryption(EncryptionId::ChaCha20Poly1305, 256), IntegrityId::None},
      {encryption(EncryptionId::AesCcm16, 128), IntegrityId::HmacSha256_128},
      {encryption(EncryptionId::AesCtr, 128), IntegrityId::None},
      {encryption(EncryptionId::NullAesGmac, 128), IntegrityId::None},
      {unknown, IntegrityId::None},
      {no_encryption, IntegrityId::None},
  };
  for (const auto& [transform, integrity] : cases) {
    const auto sizes = sk_key_sizes(transform, integrity);
    BOOST_TEST_REQUIRE(!sizes);
    BOOST_CHECK(sizes.error().fault == Fault::Configuration);
  }
}
