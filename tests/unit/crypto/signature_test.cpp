// SPDX-License-Identifier: Apache-2.0
// Signatures of AUTH. Vectors: RFC 6979 A.2.5, RFC 8032 7.1; algorithm identifiers: RFC 7427 appendix A.
#include "crypto/signature.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <boost/test/unit_test.hpp>

#include "crypto/owned.h"

using namespace svti;
using namespace svti::crypto;
using wire::AuthMethod;

namespace {

Bytes hex(std::string_view digits) { return from_hex(digits).value(); }

SigningKey new_key(const char* type, const char* group_or_bits = nullptr) {
  EVP_PKEY* made = nullptr;
  if (std::string_view(type) == "RSA")
    made = EVP_RSA_gen(static_cast<unsigned>(std::stoul(group_or_bits)));
  else
    made = group_or_bits ? EVP_PKEY_Q_keygen(nullptr, nullptr, type, group_or_bits) : EVP_PKEY_Q_keygen(nullptr, nullptr, type);
  const Owned<EVP_PKEY, EVP_PKEY_free> key(made);
  const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> info(EVP_PKEY2PKCS8(key.get()));
  unsigned char* der = nullptr;
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info.get(), &der);
  auto out = SigningKey::from_pkcs8(ByteView(der, static_cast<std::size_t>(size)));
  OPENSSL_free(der);
  BOOST_REQUIRE_MESSAGE(out, (out ? "" : out.error().message));
  return *out;
}

VerifyingKey public_of(const SigningKey& key) { return VerifyingKey::from_spki(key.public_key()).value(); }

const Bytes kOctets = hex("00112233445566778899aabbccddeeff");
const std::vector<SignatureHash> kAll(supported_signature_hashes().begin(), supported_signature_hashes().end());

std::string identifier_of(const Signature& signature) { return to_hex(ByteView(signature.data).subspan(1, signature.data.at(0))); }

// AUTH data of method 14 with that identifier in front of the signature that `from` carries
Signature with_identifier(const Signature& from, const Bytes& identifier) {
  const auto size = static_cast<std::uint8_t>(identifier.size());
  return {AuthMethod::DigitalSignature, concat({ByteView(&size, 1), identifier, ByteView(from.data).subspan(1U + from.data.at(0))})};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(signatures)

BOOST_AUTO_TEST_CASE(what_one_key_signs_its_public_key_verifies_and_nothing_else) {
  const SigningKey other = new_key("EC", "P-256");
  for (const SigningKey& key : {new_key("RSA", "2048"), new_key("EC", "P-256"), new_key("EC", "P-384"), new_key("EC", "P-521"),
                                new_key("ED25519"), new_key("ED448")}) {
    BOOST_TEST_CONTEXT(to_string(key.type())) {
      for (const RsaPadding padding : {RsaPadding::Pss, RsaPadding::Pkcs1}) {
        const auto signature = key.sign(kOctets, kAll, padding);
        BOOST_TEST_REQUIRE(signature.has_value());
        BOOST_TEST((signature->method == AuthMethod::DigitalSignature));
        BOOST_TEST(public_of(key).verify(*signature, kOctets).has_value());
        Bytes changed = kOctets;
        changed.back() ^= 1;
        BOOST_TEST(!public_of(key).verify(*signature, changed).has_value());
        BOOST_TEST(!public_of(other).verify(*signature, kOctets).has_value());
        Signature broken = *signature;
        broken.data.back() ^= 1;
        BOOST_TEST(!public_of(key).verify(broken, kOctets).has_value());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(algorithm_identifiers_are_those_of_rfc_7427) {
  const SigningKey rsa = new_key("RSA", "2048");
  const auto sha = [](SignatureHash hash) { return std::vector{hash}; };
  const auto of = [&](const SigningKey& key, SignatureHash hash, RsaPadding padding = RsaPadding::Pkcs1) {
    return identifier_of(key.sign(kOctets, sha(hash), padding).value());
  };
  BOOST_TEST(of(rsa, SignatureHash::Sha256) == "300d06092a864886f70d01010b0500");
  BOOST_TEST(of(rsa, SignatureHash::Sha384) == "300d06092a864886f70d01010c0500");
  BOOST_TEST(of(rsa, SignatureHash::Sha512) == "300d06092a864886f70d01010d0500");
  BOOST_TEST(of(rsa, SignatureHash::Sha256, RsaPadding::Pss) ==
             "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d0609608648016503040201"
             "0500a203020120");
  BOOST_TEST(of(new_key("EC", "P-256"), SignatureHash::Sha256) == "300a06082a8648ce3d040302");
  BOOST_TEST(of(new_key("EC", "P-384"), SignatureHash::Sha384) == "300a06082a8648ce3d040303");
  BOOST_TEST(of(new_key("EC", "P-521"), SignatureHash::Sha512) == "300a06082a8648ce3d040304");
  BOOST_TEST(of(new_key("ED25519"), SignatureHash::Identity) == "300506032b6570");
  BOOST_TEST(of(new_key("ED448"), SignatureHash::Identity) == "300506032b6571");
}

BOOST_AUTO_TEST_CASE(without_announced_hashes_the_method_of_the_keys_kind_is_used) {
  const auto sign = [](const SigningKey& key) { return key.sign(kOctets, {}, RsaPadding::Pss); };
  const SigningKey rsa = new_key("RSA", "2048");
  BOOST_TEST((sign(rsa)->method == AuthMethod::RsaSignature));
  BOOST_TEST(public_of(rsa).verify(*sign(rsa), kOctets).has_value());
  const SigningKey ec = new_key("EC", "P-521");
  BOOST_TEST((sign(ec)->method == AuthMethod::EcdsaP521));
  BOOST_TEST(sign(ec)->data.size() == 132U);
  BOOST_TEST(public_of(ec).verify(*sign(ec), kOctets).has_value());
  BOOST_TEST(!sign(new_key("ED25519")).has_value());
}

BOOST_AUTO_TEST_CASE(rfc_6979_p256_verifies_as_method_9) {
  const Bytes spki = hex(
      "3059301306072a8648ce3d020106082a8648ce3d030107034200"
      "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
  Signature signature{AuthMethod::EcdsaP256, hex("efd48b2aaCb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                                                 "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8")};
  const auto key = VerifyingKey::from_spki(spki);
  BOOST_TEST_REQUIRE(key.has_value());
  BOOST_TEST(key->verify(signature, as_bytes("sample")).has_value());
  BOOST_TEST(!key->verify(signature, as_bytes("Sample")).has_value());
  signature.data.pop_back();
  BOOST_TEST(key->verify(signature, as_bytes("sample")).error().message.find("63 octets") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(rfc_8032_ed25519_verifies) {
  const auto key = VerifyingKey::from_spki(hex("302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
  BOOST_TEST_REQUIRE(key.has_value());
  const Signature signature{AuthMethod::DigitalSignature,
                            hex("07300506032b6570e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
                                "cf9b46bd25bf5f0595bbe24655141438e7a100b")};
  BOOST_TEST(key->verify(signature, {}).has_value());
}

// CVE-2026-50721: what a signature says of itself must not decide whether it is looked at
// RFC 9593
BOOST_AUTO_TEST_CASE(what_a_key_has_of_what_the_peer_announced) {
  using wire::AuthAnnouncement;
  const auto& all = verifiable_algorithms();
  BOOST_TEST(all.size() == 11U);
  std::vector<AuthAnnouncement> announced;
  for (const Bytes& one : all) announced.push_back({wire::AuthMethod::DigitalSignature, 0, one});
  for (const char* type : {"rsa", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "ed448"}) {
    BOOST_TEST(use_of(type, announced).usable);
    BOOST_CHECK(use_of(type, announced).padding == RsaPadding::Pss);
    BOOST_TEST(!use_of(type, {}).usable);
  }
  // of one alone: SHA-384 with ECDSA is for P-384, PKCS#1 v1.5 is how RSA pads
  const std::vector<AuthAnnouncement> p384 = {announced.at(1)}, pkcs1 = {announced.back()};
  BOOST_TEST(use_of("ecdsa-p384", p384).usable);
  BOOST_TEST(!use_of("ecdsa-p256", p384).usable);
  BOOST_TEST(!use_of("rsa", p384).usable);
  BOOST_TEST(use_of("rsa", pkcs1).usable);
  BOOST_CHECK(use_of("rsa", pkcs1).padding == RsaPadding::Pkcs1);
  const std::vector<AuthAnnouncement> older = {{wire::AuthMethod::EcdsaP256, 0, {}}, {wire::AuthMethod::RsaSignature, 0, {}}};
  BOOST_TEST(use_of("ecdsa-p256", older).usable);
  BOOST_TEST(!use_of("ed25519", older).usable);
  const std::vector<AuthAnnouncement> odd = {{wire::AuthMethod::DigitalSignature, 0, hex("ffff")},
                                             {static_cast<wire::AuthMethod>(99), 0, {}},
                                             {wire::AuthMethod::SharedKeyMic, 0, {}}};
  BOOST_TEST(!use_of("rsa", odd).usable);
}

BOOST_AUTO_TEST_CASE(weak_foreign_and_malformed_algorithms_are_refused) {
  const SigningKey rsa = new_key("RSA", "2048");
  const Signature good = rsa.sign(kOctets, kAll, RsaPadding::Pkcs1).value();
  const auto refused = [&](const Signature& signature) {
    const Status status = public_of(rsa).verify(signature, kOctets);
    return status ? std::string("accepted") : status.error().message;
  };
  BOOST_TEST(refused(with_identifier(good, hex("300d06092a864886f70d0101050500"))).find("too weak") != std::string::npos);  // SHA-1
  BOOST_TEST(refused(with_identifier(good, hex("300a06082a8648ce3d040302"))).find("the key is rsa") != std::string::npos);
  BOOST_TEST(refused(with_identifier(good, hex("300d06092a864886f70d0101040500"))).find("not known") != std::string::npos);  // MD5
  BOOST_TEST(refused(with_identifier(good, hex("300b06092a864886f70d01010a"))).find("not known") != std::string::npos);  // PSS with SHA-1
  BOOST_TEST(refused(with_identifier(good, {})).find("not known") != std::string::npos);
  BOOST_TEST(refused({AuthMethod::DigitalSignature, {}}).find("no whole algorithm") != std::string::npos);
  BOOST_TEST(refused({AuthMethod::DigitalSignature, hex("ff30")}).find("no whole algorithm") != std::string::npos);
  BOOST_TEST(refused({AuthMethod::EcdsaP256, Bytes(64)}).find("does not go with") != std::string::npos);
  BOOST_TEST(refused({AuthMethod::RsaSignature, Bytes(256)}) == "the signature is wrong");
  BOOST_TEST(refused({AuthMethod::RsaSignature, {}}) == "the signature is wrong");
}

// CVE-2018-16151, CVE-2018-16152: with a public exponent of 3 a block that begins as the padding and the hash should, and goes on as it
// likes, is a cube: who reads PKCS#1 v1.5 from its beginning takes it for a signature that anybody can make.
BOOST_AUTO_TEST_CASE(cve_2018_16151_a_hash_with_garbage_behind_it_is_no_signature) {
  const Bytes spki =
      hex("30820120300d06092a864886f70d01010105000382010d00308201080282010100e7ff8c1b2c4a074ee7c501adc0c3d6aed39b454ce94443e0ee7311"
          "77bd454a941e7ff55fb373be2b0bbfcdbe4d69800525c8d3ecc6b59d87f646147c804f153a3a9332f6122d5dddb260a5928cbfe05384af4d36324d56"
          "4b17cef9853bd5795b20e0a536b98068023f88a208aaa3a736b2855b34f5647a78cfb2dd3f2d5abceffad3b0f3bff6d518c270d64fff8d72312cb412"
          "af446ad620639e091f9c8e83fec782c24454ab93b26e85306c87f1a38a4582f3e9cefbb6cb03910b964e5e5167093fd104d2935d76ade2e3c7f6b410"
          "a0ef7983c6e4e522ff2c17d4033a5cff52265e538db2ffbc46774fe26e95267055edfbb1a3d5bfc288e22368da46d16b99020103");
  // cube roots, the zeros before them left out
  const Bytes sha1 =
      hex("32cbfd4a7adc7905583d75edab851cd700a52e579c7368819a39224adc2f9a1017424b928f4da4756ab876dd2a3a7a47134c1f21ce59b3ab1b64cd0b"
          "6269092a8d9747eef23c12d55e8242760e5e40da28a3bb5d3f");
  const Bytes sha256 =
      hex("32cbfd4a7adc7905583d767520f51640759176d37826f2ef63ae3dc7abb4836dce2136a9e0fcb3c1f22635c8b616e9457b6d82a0b8f60af09e7578e0"
          "9f14e350e0a5857b5dcfecc4bba3b0c280675d12ba88c2b4a2");
  const auto key = VerifyingKey::from_spki(spki);
  if (!key) return;  // refused even before
  const auto whole = [](const Bytes& root) { return concat({Bytes(256 - root.size(), 0), root}); };
  const Bytes identifier = hex("300d06092a864886f70d01010b0500");
  const auto size = static_cast<std::uint8_t>(identifier.size());
  BOOST_TEST(!key->verify({AuthMethod::RsaSignature, whole(sha1)}, kOctets).has_value());
  BOOST_TEST(!key->verify({AuthMethod::DigitalSignature, concat({ByteView(&size, 1), identifier, whole(sha256)})}, kOctets).has_value());
}

// CVE-2021-41990: a salt length in the parameters of RSASSA-PSS that overflows what it is added to
BOOST_AUTO_TEST_CASE(cve_2021_41990_a_pss_salt_of_an_impossible_length_is_refused) {
  const SigningKey rsa = new_key("RSA", "2048");
  const Signature good = rsa.sign(kOctets, kAll, RsaPadding::Pss).value();
  BOOST_TEST(public_of(rsa).verify(good, kOctets).has_value());
  // the same parameters with other lengths: 0, 31, 33, -1, 2^31 - 1, 2^32 - 1, 2^63
  for (const char* length : {"020100", "02011f", "020121", "0201ff", "02047fffffff", "020500ffffffff", "0209008000000000000000"}) {
    const Bytes salt = hex(length);
    const auto octets = static_cast<std::uint8_t>(salt.size());
    const auto of = [&](int without) { return Bytes{static_cast<std::uint8_t>(without + octets)}; };
    const Bytes head = hex("06092a864886f70d01010a"),
                hashes = hex("a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500");
    const Bytes identifier = concat({hex("30"), of(62), head, hex("30"), of(49), hashes, hex("a2"), of(0), salt});
    BOOST_TEST(!public_of(rsa).verify(with_identifier(good, identifier), kOctets).has_value(), length);
  }
}

BOOST_AUTO_TEST_CASE(keys_that_are_too_weak_or_of_another_kind_are_refused) {
  const auto refusal = [](const char* type, const char* parameter) {
    const Owned<EVP_PKEY, EVP_PKEY_free> key(std::string_view(type) == "RSA" ? EVP_RSA_gen(1024)
                                                                             : EVP_PKEY_Q_keygen(nullptr, nullptr, type, parameter));
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key.get(), &der);
    const auto read = VerifyingKey::from_spki(ByteView(der, static_cast<std::size_t>(size)));
    OPENSSL_free(der);
    return read ? std::string("accepted") : read.error().message;
  };
  BOOST_TEST(refusal("RSA", "1024").find("1024 bits is too weak") != std::string::npos);
  BOOST_TEST(refusal("EC", "secp256k1").find("another curve") != std::string::npos);
  BOOST_TEST(!VerifyingKey::from_spki(hex("3000")).has_value());
  BOOST_TEST(!SigningKey::from_pkcs8({}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
