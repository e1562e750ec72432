// SPDX-License-Identifier: Apache-2.0
// The arithmetic of MS-CHAP version 2 (RFC 2759 section 8) and of the keys that come of it (RFC 3079 section 3). Errors are of
// Fault::Surroundings (an OpenSSL without DES) unless said otherwise.
#pragma once

#include <array>
#include <string_view>

#include "base/secret.h"

namespace svti::eap {

using MsChallenge = std::array<std::uint8_t, 16>;  // of either end
using NtResponse = std::array<std::uint8_t, 24>;
using AuthenticatorResponse = std::array<std::uint8_t, 20>;

// NtPasswordHash: MD4 over the password in UTF-16, lower octet first; 16 octets. Error of Fault::Configuration: it is not UTF-8.
Result<Secret> nt_password_hash(const Secret& password);

// "DOMAIN\user" is "user" where both ends compute over a name (RFC 2759 4)
std::string_view without_domain(std::string_view name);

// ChallengeHash; `name` with or without a domain
std::array<std::uint8_t, 8> challenge_hash(const MsChallenge& peers, const MsChallenge& authenticators, std::string_view name);

// ChallengeResponse
Result<NtResponse> nt_response(std::span<const std::uint8_t, 8> challenge, const Secret& nt_hash);

// GenerateAuthenticatorResponse: how the server proves that it has the password
AuthenticatorResponse authenticator_response(const Secret& nt_hash, const NtResponse& response, std::span<const std::uint8_t, 8> challenge);

// The peer's send key, its receive key, of 16 octets each, and zeros: 64 octets. RFC 3079 3.4 with 128 bits, in the order in which a
// RADIUS server names them to its NAS, MS-MPPE-Recv-Key first.
Secret mschapv2_msk(const Secret& nt_hash, const NtResponse& response);

}  // namespace svti::eap
