// SPDX-License-Identifier: Apache-2.0
#include "sim/world/configurations.h"

#include <stdexcept>
#include <string>

#include "model/algorithm.h"

namespace svti::sim {

using model::AlgorithmKind;
using wire::TransformType;

namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (true) {
    const auto at = text.find(separator);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

// in the order in which a proposal names them
constexpr AlgorithmKind kKinds[] = {AlgorithmKind::Encryption, AlgorithmKind::Aead, AlgorithmKind::Integrity, AlgorithmKind::DhGroup};

const model::Algorithm& algorithm(std::string_view keyword) {
  for (const AlgorithmKind kind : kKinds) {
    if (const auto* found = model::find_algorithm(kind, keyword)) return *found;
  }
  throw std::invalid_argument("no algorithm " + std::string(keyword));
}

wire::Proposal proposal(std::string_view words, std::uint8_t number, wire::ProtocolId protocol) {
  const bool ike = protocol == wire::ProtocolId::Ike;
  wire::Proposal out{number, protocol, {}, {}};
  bool aead = false;
  for (const std::string_view part : split(words, '/')) {
    for (const std::string_view keyword : split(part, ',')) {
      if (keyword.size() > 4 && keyword.starts_with("ke") && keyword[3] == '_') {
        out.transforms.push_back(model::additional_key_exchange(static_cast<unsigned>(keyword[2] - '0'), keyword.substr(4)).value());
        continue;
      }
      const model::Algorithm& one = algorithm(keyword);
      aead |= one.kind == AlgorithmKind::Aead;
      const bool integrity = one.kind == AlgorithmKind::Integrity;
      if (!integrity || !aead) out.transforms.push_back(model::to_transform(one));
      if (integrity && ike) out.transforms.push_back(wire::transform(TransformType::Prf, *model::prf_of_integrity(one.id)));
    }
  }
  if (!ike) out.transforms.push_back(wire::transform(TransformType::Esn, wire::EsnId::None));
  return out;
}

}  // namespace

wire::Proposal ike_proposal(std::string_view words, std::uint8_t number) { return proposal(words, number, wire::ProtocolId::Ike); }
wire::Proposal esp_proposal(std::string_view words, std::uint8_t number) { return proposal(words, number, wire::ProtocolId::Esp); }

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }
Prefix prefix(std::string_view text) { return Prefix::parse(text).value(); }
model::Identity identity(std::string_view text) { return model::Identity::parse(text).value(); }

model::SecurityPolicy security_policy(std::string name, std::string_view local, std::string_view remote) {
  model::SecurityPolicy out;
  out.name = std::move(name);
  out.local_ts = {{prefix(local)}};
  out.remote_ts = {{prefix(remote)}};
  out.svti_id_in = out.svti_id_out = 7;
  return out;
}

model::Vpn vpn(std::string name, std::string_view local, std::string_view remote) {
  model::Vpn out;
  out.name = std::move(name);
  out.local_address = address(local);
  out.remote_address = address(remote);
  out.ike.proposals = {ike_proposal(kCheapIke)};
  out.ipsec.esp_proposals = {esp_proposal(kCheapEsp)};
  out.ipsec.start_action = model::StartAction::None;
  out.ipsec.close_action = model::StartAction::None;
  out.ipsec.dpd_action = model::DpdAction::Clear;
  return out;
}

model::Vpn left_vpn() {
  model::Vpn out = vpn("right", kLeft, kRight);
  out.policies = {security_policy("net", "10.1.0.0/24", "10.2.0.0/24")};
  return out;
}

model::Vpn right_vpn() {
  model::Vpn out = vpn("left", kRight, kLeft);
  out.policies = {security_policy("net", "10.2.0.0/24", "10.1.0.0/24")};
  return out;
}

model::ConfigurationPtr configuration(ConfigurationParts parts) {
  auto out = std::make_shared<model::Configuration>();
  out->global = parts.global;
  out->private_keys = std::move(parts.private_keys);
  out->authorities = std::move(parts.authorities);
  for (model::Vpn& one : parts.vpns) {
    const std::string name = one.name;
    out->vpns.emplace(name, std::make_shared<const model::Vpn>(std::move(one)));
  }
  for (model::Pool& one : parts.pools) {
    const std::string name = one.name;
    out->pools.emplace(name, std::make_shared<const model::Pool>(std::move(one)));
  }
  if (!parts.secret.empty()) {
    auto key = std::make_shared<model::PresharedKey>();
    key->name = "default";
    key->secret = Secret(as_bytes(parts.secret));
    out->preshared_keys.push_back(std::move(key));
  }
  const auto key_of = [](std::string name, std::string_view id, std::string_view secret) {
    auto key = std::make_shared<model::PresharedKey>();
    key->name = std::move(name);
    key->ids = {identity(id)};
    key->secret = Secret(as_bytes(secret));
    return key;
  };
  for (const auto& [id, secret] : parts.ppks) out->ppks.push_back(key_of("ppk", id, secret));
  for (const auto& [id, secret] : parts.eap_keys) out->eap_keys.push_back(key_of("key of " + std::string(id), id, secret));
  out->radius = parts.radius;
  return out;
}

}  // namespace svti::sim
