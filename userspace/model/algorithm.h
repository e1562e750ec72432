// SPDX-License-Identifier: Apache-2.0
// The algorithms' names in the configuration (configuration.md 2.14 of the guide's digest) and what they mean on the wire.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "wire/payload.h"

namespace svti::model {

// Kem: a key exchange that comes beside one of DhGroup alone
enum class AlgorithmKind : std::uint8_t { Encryption, Aead, Integrity, Prf, DhGroup, Kem };

struct Algorithm {
  std::string_view keyword;  // "aes128-cbc", "aes256-gcm-128", "hmac-sha256", "modp2048"
  AlgorithmKind kind{};
  std::uint16_t id = 0;          // IANA transform id
  std::uint16_t key_bits = 0;    // Key Length attribute, 0 where the transform has none
  std::uint16_t key_octets = 0;  // KEYMAT taken for it, an AEAD's salt included; 0 for PRFs and groups
  std::uint16_t icv_bits = 0;    // of an AEAD or integrity algorithm
  bool for_ike = false;
  bool for_esp = false;
};

// every algorithm this version negotiates, by kind and then strength
std::span<const Algorithm> algorithms();
const Algorithm* find_algorithm(AlgorithmKind kind, std::string_view keyword);  // null: unknown
// Aead and Encryption share a transform type; null: unknown
const Algorithm* find_algorithm(const wire::Transform& transform);
// the keyword, or "encryption 99 (128 bits)" for what is not known
std::string name_of(const wire::Transform& transform);
wire::Transform to_transform(const Algorithm& algorithm);
// a group or KEM as additional key exchange `number` (RFC 9370), "none" for one that may be left out; nothing: not known
std::optional<wire::Transform> additional_key_exchange(unsigned number, std::string_view keyword);
bool is_aead(const wire::Transform& transform);
// the PRF that goes with an integrity algorithm where no prf-alg is given ("IKE policy templates")
std::optional<wire::PrfId> prf_of_integrity(std::uint16_t integrity_id);

}  // namespace svti::model
