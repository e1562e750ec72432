// SPDX-License-Identifier: Apache-2.0
#include "control/catalogue.h"

#include <utility>

namespace svti::control {

namespace {

template <typename Map, typename Key, typename T>
Status put_into(Map& map, const Key& key, T value) {
  if (map.size() >= Catalogue::kMaxEntries && !map.contains(key)) {
    return config_error("there are " + std::to_string(map.size()) + " already: unload some first");
  }
  map.insert_or_assign(key, std::move(value));
  return {};
}

// An owner alone names the peer; two and more also name both ends of a pair, which is more specific (auth::PskStore).
void add_preshared_keys(const std::string& name, const SharedSecret& secret, std::vector<std::shared_ptr<const model::PresharedKey>>& out) {
  const auto add = [&](std::vector<model::Identity> ids) {
    auto key = std::make_shared<model::PresharedKey>();
    key->name = name;
    key->ids = std::move(ids);
    key->secret = secret.data.clone();
    out.push_back(std::move(key));
  };
  if (secret.owners.size() != 1) add(secret.owners);
  for (const model::Identity& owner : secret.owners) add({owner});
}

}  // namespace

Status Catalogue::put(const std::string& name, Connection connection) {
  ++revision_;
  return put_into(connections_, name, std::move(connection));
}

Status Catalogue::put(const std::string& name, Authority authority) { return put_into(authorities_, name, std::move(authority)); }
Status Catalogue::put(const std::string& name, Pool pool) { return put_into(pools_, name, pool); }

Status Catalogue::put(const std::string& id, SharedSecret secret) {
  ++revision_;
  if (!id.empty()) return put_into(secrets_, id, std::move(secret));
  if (unnamed_secrets_.size() >= kMaxEntries) return config_error("there are too many secrets without an id: give them one");
  unnamed_secrets_.push_back(std::move(secret));
  return {};
}

Status Catalogue::put(crypto::PrivateKey key) {
  const std::string id = to_hex(key.key_id);
  return put_into(keys_, id, std::move(key));
}

Status Catalogue::put(LoadedCertificate certificate) {
  const Bytes der = certificate.certificate.der;
  return put_into(certificates_, der, std::move(certificate));
}

bool Catalogue::remove_connection(std::string_view name) {
  ++revision_;
  return erase(connections_, name);
}

bool Catalogue::remove_secret(std::string_view id) {
  ++revision_;
  return erase(secrets_, id);
}

void Catalogue::clear_credentials() {
  ++revision_;
  secrets_.clear();
  unnamed_secrets_.clear();
  keys_.clear();
  certificates_.clear();
}

std::vector<LoadedCertificate> Catalogue::certificates() const {
  std::map<Bytes, LoadedCertificate> all = certificates_;
  const auto add = [&](const crypto::Certificate& one) { all.try_emplace(one.der, LoadedCertificate{one, one.ca ? "CA" : "NONE"}); };
  for (const auto& [name, authority] : authorities_) add(authority.ca);
  for (const auto& [name, connection] : connections_) {
    for (const AuthRound& round : connection.rounds) {
      for (const crypto::Certificate& one : round.certificates) add(one);
      for (const crypto::Certificate& one : round.cas) add(one);
    }
  }
  std::vector<LoadedCertificate> out;
  for (auto& [der, one] : all) out.push_back(std::move(one));
  return out;
}

bool Catalogue::has_key_of(const crypto::Certificate& certificate) const {
  return !certificate.key_id.empty() && keys_.contains(to_hex(certificate.key_id));
}

std::map<std::string, std::shared_ptr<const model::Vpn>, std::less<>> Catalogue::vpns() const {
  std::map<std::string, std::shared_ptr<const model::Vpn>, std::less<>> out;
  for (const auto& [name, connection] : connections_) {
    if (connection.refusal.empty()) out.emplace_hint(out.end(), name, connection.vpn);
  }
  return out;
}

std::vector<std::shared_ptr<const model::PresharedKey>> Catalogue::preshared_keys() const {
  std::vector<std::shared_ptr<const model::PresharedKey>> out;
  for (const auto& [id, secret] : secrets_) {
    if (secret.type == "IKE") add_preshared_keys(id, secret, out);
  }
  for (const SharedSecret& secret : unnamed_secrets_) {
    if (secret.type == "IKE") add_preshared_keys("(unnamed)", secret, out);
  }
  return out;
}

}  // namespace svti::control
