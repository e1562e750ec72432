// SPDX-License-Identifier: Apache-2.0
// Configurations for tests, in the keywords of the guide.
#pragma once

#include <string_view>

#include "model/config.h"

namespace svti::sim {

// "aes128-gcm-128/hmac-sha256/curve25519": algorithms by keyword, several of a type separated by "," as "aes128-cbc,aes256-cbc/...". The
// PRF of an IKE proposal is that of its integrity algorithm; with an AEAD the hash named is the PRF alone.
wire::Proposal ike_proposal(std::string_view words, std::uint8_t number = 1);
// Additional key exchanges (RFC 9370): "ke1_ecp256,ke1_none/ke2_modp2048".
// "aes256-cbc/hmac-sha256" or, with PFS, "aes256-cbc/hmac-sha256/ecp256"
wire::Proposal esp_proposal(std::string_view words, std::uint8_t number = 1);

IpAddress address(std::string_view text);
Prefix prefix(std::string_view text);
model::Identity identity(std::string_view text);

// the cheapest to compute, for runs in the thousands
inline constexpr std::string_view kCheapIke = "aes128-gcm-128/hmac-sha256/curve25519";
inline constexpr std::string_view kCheapEsp = "aes128-gcm-128";

model::SecurityPolicy security_policy(std::string name, std::string_view local, std::string_view remote);
// start-action none, no liveness, cheap algorithms, identities left to the addresses, no security-policy yet
model::Vpn vpn(std::string name, std::string_view local, std::string_view remote);

// What the two gateways of most tests have: left 192.0.2.1 with 10.1.0.0/24, right 192.0.2.2 with 10.2.0.0/24, one security-policy "net".
inline constexpr std::string_view kLeft = "192.0.2.1";
inline constexpr std::string_view kRight = "192.0.2.2";
model::Vpn left_vpn();
model::Vpn right_vpn();

struct ConfigurationParts {
  std::vector<model::Vpn> vpns = {};
  std::string_view secret = "correct horse";  // a pre-shared key without selectors; empty: none
  model::GlobalOptions global = {};
  std::vector<std::shared_ptr<const model::PrivateKey>> private_keys = {};
  std::vector<model::Pool> pools = {};
  std::vector<std::pair<std::string_view, std::string_view>> ppks = {};      // id, secret
  std::vector<std::pair<std::string_view, std::string_view>> eap_keys = {};  // id, secret
  model::RadiusPtr radius = nullptr;
  std::vector<model::AuthorityPtr> authorities = {};
};
model::ConfigurationPtr configuration(ConfigurationParts parts);

}  // namespace svti::sim
