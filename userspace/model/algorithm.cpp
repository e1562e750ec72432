// SPDX-License-Identifier: Apache-2.0
#include "model/algorithm.h"

#include <algorithm>
#include <array>

namespace svti::model {

namespace {

using wire::EncryptionId;
using wire::IntegrityId;
using wire::KeGroup;
using wire::PrfId;
using wire::TransformType;

// `nonce`: octets behind the key in KEYMAT and in SK_e
constexpr Algorithm cipher(std::string_view keyword, EncryptionId id, std::uint16_t key_bits, std::uint16_t nonce = 0) {
  return {keyword,
          AlgorithmKind::Encryption,
          static_cast<std::uint16_t>(id),
          key_bits,
          static_cast<std::uint16_t>(key_bits / 8 + nonce),
          0,
          true,
          true};
}

// RFC 5930 2, RFC 3686 5.1: a nonce of four octets follows the key
constexpr Algorithm aes_ctr(std::string_view keyword, std::uint16_t key_bits) { return cipher(keyword, EncryptionId::AesCtr, key_bits, 4); }

// RFC 4106 8.1, RFC 5282 7.1: four octets of salt follow the key in KEYMAT and in SK_e; three with CCM (RFC 4309 7.1)
constexpr Algorithm aead(std::string_view keyword, EncryptionId id, std::uint16_t key_bits, std::uint16_t icv_bits,
                         std::uint16_t salt = 4) {
  return {keyword,
          AlgorithmKind::Aead,
          static_cast<std::uint16_t>(id),
          key_bits,
          static_cast<std::uint16_t>(key_bits / 8 + salt),
          icv_bits,
          true,
          true};
}

constexpr Algorithm aes_ccm(std::string_view keyword, std::uint16_t key_bits, EncryptionId id, std::uint16_t icv_bits) {
  return aead(keyword, id, key_bits, icv_bits, 3);
}

constexpr Algorithm esp_alone(Algorithm algorithm) {
  algorithm.for_ike = false;
  return algorithm;
}

// The transform has no Key Length attribute: the key has one size.
constexpr Algorithm fixed_key(Algorithm algorithm) {
  algorithm.key_bits = 0;
  return algorithm;
}

constexpr Algorithm integrity(std::string_view keyword, IntegrityId id, std::uint16_t key_octets, std::uint16_t icv_bits) {
  return {keyword, AlgorithmKind::Integrity, static_cast<std::uint16_t>(id), 0, key_octets, icv_bits, true, true};
}

constexpr Algorithm prf(std::string_view keyword, PrfId id) {
  return {keyword, AlgorithmKind::Prf, static_cast<std::uint16_t>(id), 0, 0, 0, true, false};
}

constexpr Algorithm kem(std::string_view keyword, KeGroup id) {
  return {keyword, AlgorithmKind::Kem, static_cast<std::uint16_t>(id), 0, 0, 0, true, true};
}

constexpr Algorithm group(std::string_view keyword, KeGroup id) {
  return {keyword, AlgorithmKind::DhGroup, static_cast<std::uint16_t>(id), 0, 0, 0, true, true};
}

constexpr std::array kAlgorithms = {
    cipher("aes128-cbc", EncryptionId::AesCbc, 128),
    cipher("aes192-cbc", EncryptionId::AesCbc, 192),
    cipher("aes256-cbc", EncryptionId::AesCbc, 256),
    aes_ctr("aes128-ctr", 128),
    aes_ctr("aes192-ctr", 192),
    aes_ctr("aes256-ctr", 256),
    cipher("camellia128-cbc", EncryptionId::CamelliaCbc, 128),
    cipher("camellia192-cbc", EncryptionId::CamelliaCbc, 192),
    cipher("camellia256-cbc", EncryptionId::CamelliaCbc, 256),
    fixed_key(cipher("3des-cbc", EncryptionId::TripleDesCbc, 192)),
    esp_alone(cipher("null", EncryptionId::Null, 0)),

    aead("aes128-gcm-64", EncryptionId::AesGcm8, 128, 64),
    aead("aes128-gcm-96", EncryptionId::AesGcm12, 128, 96),
    aead("aes128-gcm-128", EncryptionId::AesGcm16, 128, 128),
    aead("aes192-gcm-64", EncryptionId::AesGcm8, 192, 64),
    aead("aes192-gcm-96", EncryptionId::AesGcm12, 192, 96),
    aead("aes192-gcm-128", EncryptionId::AesGcm16, 192, 128),
    aead("aes256-gcm-64", EncryptionId::AesGcm8, 256, 64),
    aead("aes256-gcm-96", EncryptionId::AesGcm12, 256, 96),
    aead("aes256-gcm-128", EncryptionId::AesGcm16, 256, 128),
    aes_ccm("aes128-ccm-64", 128, EncryptionId::AesCcm8, 64),
    aes_ccm("aes128-ccm-96", 128, EncryptionId::AesCcm12, 96),
    aes_ccm("aes128-ccm-128", 128, EncryptionId::AesCcm16, 128),
    aes_ccm("aes192-ccm-64", 192, EncryptionId::AesCcm8, 64),
    aes_ccm("aes192-ccm-96", 192, EncryptionId::AesCcm12, 96),
    aes_ccm("aes192-ccm-128", 192, EncryptionId::AesCcm16, 128),
    aes_ccm("aes256-ccm-64", 256, EncryptionId::AesCcm8, 64),
    aes_ccm("aes256-ccm-96", 256, EncryptionId::AesCcm12, 96),
    aes_ccm("aes256-ccm-128", 256, EncryptionId::AesCcm16, 128),
    fixed_key(aead("chacha20-poly1305", EncryptionId::ChaCha20Poly1305, 256, 128)),
    esp_alone(aead("aes128-gmac", EncryptionId::NullAesGmac, 128, 128)),
    esp_alone(aead("aes192-gmac", EncryptionId::NullAesGmac, 192, 128)),
    esp_alone(aead("aes256-gmac", EncryptionId::NullAesGmac, 256, 128)),

    // RFC 2404, RFC 4868 2.6: the key is as long as the hash, the ICV half of it (96 bits with SHA-1). RFC 3566, RFC 4494: AES-128.
    integrity("hmac-sha1", IntegrityId::HmacSha1_96, 20, 96),
    integrity("hmac-sha256", IntegrityId::HmacSha256_128, 32, 128),
    integrity("hmac-sha384", IntegrityId::HmacSha384_192, 48, 192),
    integrity("hmac-sha512", IntegrityId::HmacSha512_256, 64, 256),
    integrity("aes-xcbc", IntegrityId::AesXcbc96, 16, 96),
    integrity("aes-cmac", IntegrityId::AesCmac96, 16, 96),
    integrity("hmac-md5", IntegrityId::HmacMd5_96, 16, 96),

    prf("hmac-sha1", PrfId::HmacSha1),
    prf("hmac-sha256", PrfId::HmacSha256),
    prf("hmac-sha384", PrfId::HmacSha384),
    prf("hmac-sha512", PrfId::HmacSha512),
    prf("aes-xcbc", PrfId::AesXcbc),
    prf("aes-cmac", PrfId::AesCmac),
    prf("hmac-md5", PrfId::HmacMd5),

    group("modp768", KeGroup::Modp768),
    group("modp1024", KeGroup::Modp1024),
    group("modp1536", KeGroup::Modp1536),
    group("modp2048", KeGroup::Modp2048),
    group("modp3072", KeGroup::Modp3072),
    group("modp4096", KeGroup::Modp4096),
    group("modp6144", KeGroup::Modp6144),
    group("modp8192", KeGroup::Modp8192),
    group("modp1024s160", KeGroup::Modp1024s160),
    group("modp2048s224", KeGroup::Modp2048s224),
    group("modp2048s256", KeGroup::Modp2048s256),
    group("ecp224", KeGroup::Ecp224),
    group("ecp256", KeGroup::Ecp256),
    group("ecp384", KeGroup::Ecp384),
    group("ecp521", KeGroup::Ecp521),
    group("brainpool224", KeGroup::Brainpool224),
    group("brainpool256", KeGroup::Brainpool256),
    group("brainpool384", KeGroup::Brainpool384),
    group("brainpool512", KeGroup::Brainpool512),
    group("curve25519", KeGroup::Curve25519),
    group("curve448", KeGroup::Curve448),

    kem("mlkem512", KeGroup::MlKem512),
    kem("mlkem768", KeGroup::MlKem768),
    kem("mlkem1024", KeGroup::MlKem1024),
};

TransformType type_of(AlgorithmKind kind) {
  switch (kind) {
    case AlgorithmKind::Encryption:
    case AlgorithmKind::Aead:
      return TransformType::Encryption;
    case AlgorithmKind::Integrity:
      return TransformType::Integrity;
    case AlgorithmKind::Prf:
      return TransformType::Prf;
    case AlgorithmKind::DhGroup:
    case AlgorithmKind::Kem:
      break;
  }
  return TransformType::KeyExchange;
}

std::string type_name(TransformType type) {
  switch (type) {
    case TransformType::Encryption:
      return "encryption";
    case TransformType::Prf:
      return "prf";
    case TransformType::Integrity:
      return "integrity";
    case TransformType::KeyExchange:
      return "key-exchange";
    case TransformType::Esn:
      return "esn";
    default:
      break;
  }
  if (is_additional_ke(type)) return "additional-key-exchange-" + std::to_string(number_of_additional_ke(type));
  return "transform-type-" + std::to_string(static_cast<unsigned>(type));
}

}  // namespace

std::span<const Algorithm> algorithms() { return kAlgorithms; }

const Algorithm* find_algorithm(AlgorithmKind kind, std::string_view keyword) {
  const auto found = std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                                  [&](const Algorithm& algorithm) { return algorithm.kind == kind && algorithm.keyword == keyword; });
  return found == kAlgorithms.end() ? nullptr : &*found;
}

const Algorithm* find_algorithm(const wire::Transform& given) {
  wire::Transform transform = given;
  if (is_additional_ke(given.type)) transform.type = TransformType::KeyExchange;
  const auto found = std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                                  [&](const Algorithm& algorithm) { return to_transform(algorithm) == transform; });
  return found == kAlgorithms.end() ? nullptr : &*found;
}

std::string name_of(const wire::Transform& transform) {
  if (const Algorithm* known = find_algorithm(transform)) return std::string(known->keyword);
  // what no leaf names, but what every proposal shows
  if (transform == wire::transform(TransformType::Esn, wire::EsnId::Esn)) return "esn";
  if (transform == wire::transform(TransformType::Esn, wire::EsnId::None)) return "no-esn";
  std::string out = type_name(transform.type) + " " + std::to_string(transform.id);
  if (transform.key_bits != 0) out += " (" + std::to_string(transform.key_bits) + " bits)";
  if (transform.unknown_attribute) out += " with an unknown attribute";
  return out;
}

wire::Transform to_transform(const Algorithm& algorithm) { return {type_of(algorithm.kind), algorithm.id, algorithm.key_bits, false}; }

std::optional<wire::Transform> additional_key_exchange(unsigned number, std::string_view keyword) {
  const TransformType type = wire::additional_ke(number);
  if (keyword == "none") return wire::transform(type, KeGroup::None);
  for (const AlgorithmKind kind : {AlgorithmKind::DhGroup, AlgorithmKind::Kem}) {
    if (const Algorithm* known = find_algorithm(kind, keyword)) return wire::Transform{type, known->id, 0, false};
  }
  return std::nullopt;
}

bool is_aead(const wire::Transform& transform) {
  if (transform.type != TransformType::Encryption) return false;
  // by the number alone: also for a key length that is not negotiated here
  switch (static_cast<EncryptionId>(transform.id)) {
    case EncryptionId::AesGcm8:
    case EncryptionId::AesGcm12:
    case EncryptionId::AesGcm16:
    case EncryptionId::AesCcm8:
    case EncryptionId::AesCcm12:
    case EncryptionId::AesCcm16:
    case EncryptionId::NullAesGmac:
    case EncryptionId::ChaCha20Poly1305:
      return true;
    default:
      return false;
  }
}

std::optional<wire::PrfId> prf_of_integrity(std::uint16_t integrity_id) {
  switch (static_cast<IntegrityId>(integrity_id)) {
    case IntegrityId::HmacMd5_96:
      return PrfId::HmacMd5;
    case IntegrityId::HmacSha1_96:
      return PrfId::HmacSha1;
    case IntegrityId::AesXcbc96:
      return PrfId::AesXcbc;
    case IntegrityId::AesCmac96:
      return PrfId::AesCmac;
    case IntegrityId::HmacSha256_128:
      return PrfId::HmacSha256;
    case IntegrityId::HmacSha384_192:
      return PrfId::HmacSha384;
    case IntegrityId::HmacSha512_256:
      return PrfId::HmacSha512;
    case IntegrityId::None:
      break;
  }
  return std::nullopt;
}

}  // namespace svti::model
