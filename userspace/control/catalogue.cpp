// SPDX-License-Identifier: Apache-2.0
#include "control/catalogue.h"

#include <algorithm>
#include <utility>

#include "auth/certificates.h"

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

Status Catalogue::put(const std::string& name, Authority authority) {
  ++revision_;
  return put_into(authorities_, name, std::move(authority));
}

Status Catalogue::put(const std::string& name, model::Pool pool) {
  ++revision_;
  return put_into(pools_, name, std::make_shared<const model::Pool>(std::move(pool)));
}

Status Catalogue::put(const std::string& id, SharedSecret secret) {
  ++revision_;
  if (!id.empty()) return put_into(secrets_, id, std::move(secret));
  if (unnamed_secrets_.size() >= kMaxEntries) return config_error("there are too many secrets without an id: give them one");
  unnamed_secrets_.push_back(std::move(secret));
  return {};
}

Status Catalogue::put(crypto::PrivateKey key) {
  ++revision_;
  const std::string id = to_hex(key.key_id);
  return put_into(keys_, id, std::move(key));
}

Status Catalogue::put(LoadedToken token) {
  ++revision_;
  const std::string id = to_hex(token.key_id);
  return put_into(tokens_, id, std::move(token));
}

Status Catalogue::put(LoadedCertificate certificate) {
  ++revision_;
  const Bytes der = certificate.certificate.der;
  return put_into(certificates_, der, std::move(certificate));
}

bool Catalogue::remove_connection(std::string_view name) {
  ++revision_;
  return erase(connections_, name);
}

bool Catalogue::remove_authority(std::string_view name) {
  ++revision_;
  return erase(authorities_, name);
}

bool Catalogue::remove_key(std::string_view id) {
  ++revision_;
  const bool plain = erase(keys_, id);
  return erase(tokens_, id) || plain;
}

bool Catalogue::remove_pool(std::string_view name) {
  ++revision_;
  return erase(pools_, name);
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
  tokens_.clear();
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
  const std::string id = to_hex(certificate.key_id);
  return !id.empty() && (keys_.contains(id) || tokens_.contains(id));
}

std::vector<std::shared_ptr<const model::PresharedKey>> Catalogue::keys_of(std::string_view type) const {
  std::vector<std::shared_ptr<const model::PresharedKey>> out;
  for (const auto& [id, secret] : secrets_) {
    if (secret.type == type) add_preshared_keys(id, secret, out);
  }
  for (const SharedSecret& secret : unnamed_secrets_) {
    if (secret.type == type) add_preshared_keys("(unnamed)", secret, out);
  }
  return out;
}

std::vector<std::shared_ptr<const model::Ppk>> Catalogue::ppks() const {
  std::vector<std::shared_ptr<const model::Ppk>> out;
  const auto add = [&](const std::string& name, const SharedSecret& secret) {
    if (secret.type != "PPK") return;
    auto ppk = std::make_shared<model::Ppk>();
    ppk->name = name;
    ppk->ids = secret.owners;
    ppk->secret = secret.data.clone();
    out.push_back(std::move(ppk));
  };
  for (const auto& [id, secret] : secrets_) add(id, secret);
  for (const SharedSecret& secret : unnamed_secrets_) add("(unnamed)", secret);
  return out;
}

// Certificates and authorities as the model has them, each made once.
class Catalogue::Credentials {
 public:
  explicit Credentials(const Catalogue& catalogue) : catalogue_(catalogue) {
    for (const auto& [der, loaded] : catalogue.certificates_) {
      if (loaded.certificate.kind == crypto::CertificateKind::Crl) lists_[loaded.certificate.subject].push_back(der);
    }
    for (const auto& [der, loaded] : catalogue.certificates_) {
      if (loaded.flag == "CA") all_authorities_.push_back(authority(loaded.certificate));
    }
    for (const auto& [name, one] : catalogue.authorities_) all_authorities_.push_back(authority(one.ca));
    std::erase(all_authorities_, nullptr);
    for (const model::AuthorityPtr& one : all_authorities_) known_.push_back(one->der);
  }

  model::Authentication complete(const Connection& connection) {
    model::Authentication out = connection.vpn->authentication;
    const bool tls = out.uses_eap_tls();  // in which both ends show certificates
    std::size_t locals = 0, remotes = 0;
    for (const AuthRound& round : connection.rounds) {
      if (round.local()) {
        const std::size_t number = locals++;
        model::FurtherRound* further = number == 0 ? nullptr : &out.further_local.at(number - 1);
        const model::AuthMethod method = further == nullptr ? out.local : further->method;
        if (method == model::AuthMethod::Certificate || method == model::AuthMethod::EapTls || (further == nullptr && tls))
          complete_local(round, further == nullptr ? out.certificates : further->certificates);
      } else {
        const std::size_t number = remotes++;
        model::FurtherRound* further = number == 0 ? nullptr : &out.further_remote.at(number - 1);
        complete_remote(round, out.uses_certificates() || tls, further == nullptr ? out.authorities : further->authorities);
      }
    }
    return out;
  }

  void fill(model::Overlay& out) const {
    for (const auto& [der, one] : local_) out.certificates.push_back(one);
    for (const auto& [der, one] : authorities_) out.authorities.push_back(one);
    for (const auto& [id, key] : catalogue_.keys_) {
      auto one = std::make_shared<model::PrivateKey>();
      one->id = key.key_id;
      one->pkcs8 = key.der.clone();
      out.private_keys.push_back(std::move(one));
    }
    for (const auto& [id, token] : catalogue_.tokens_) {
      auto one = std::make_shared<model::PrivateKey>();
      one->id = token.key_id;
      one->token = token.key;
      out.private_keys.push_back(std::move(one));
    }
  }

 private:
  // Those that the connection names, else all that have a key.
  void complete_local(const AuthRound& round, std::vector<model::LocalCertificatePtr>& out) {
    const auto add = [&](const crypto::Certificate& one) {
      if (auto certificate = local(one)) out.push_back(std::move(certificate));
    };
    for (const crypto::Certificate& one : round.certificates) add(one);
    if (!round.certificates.empty()) return;
    for (const auto& [der, loaded] : catalogue_.certificates_) {
      if (loaded.flag != "CA" && catalogue_.has_key_of(loaded.certificate)) add(loaded.certificate);
    }
  }

  // Those that the connection names (a peer's own certificate vouches for itself alone), else all that were loaded, when any is `needed`.
  void complete_remote(const AuthRound& round, bool needed, std::vector<model::AuthorityPtr>& out) {
    for (const auto* list : {&round.cas, &round.certificates}) {
      for (const crypto::Certificate& one : *list) {
        if (auto trusted = authority(one)) out.push_back(std::move(trusted));
      }
    }
    if (round.cas.empty() && round.certificates.empty() && needed) out = all_authorities_;
  }

  model::AuthorityPtr authority(const crypto::Certificate& certificate) {
    const auto [entry, fresh] = authorities_.try_emplace(certificate.der);
    if (!fresh) return entry->second;
    auto made = auth::read_authority(certificate.subject, certificate.der);
    if (!made) return entry->second;
    if (const auto lists = lists_.find(certificate.subject); lists != lists_.end()) made->crls = lists->second;
    for (const auto& [name, one] : catalogue_.authorities_) {
      if (one.ca.der != certificate.der) continue;
      made->name = name;
      made->crl_uris = one.crl_uris;
      made->ocsp_uris = one.ocsp_uris;
      made->cert_uri_base = one.cert_uri_base;
    }
    entry->second = std::make_shared<const model::Authority>(std::move(*made));
    return entry->second;
  }

  model::LocalCertificatePtr local(const crypto::Certificate& certificate) {
    const auto [entry, fresh] = local_.try_emplace(certificate.der);
    if (!fresh) return entry->second;
    if (auto made = auth::read_local_certificate(certificate.subject, certificate.der, known_))
      entry->second = std::make_shared<const model::LocalCertificate>(std::move(*made));
    return entry->second;
  }

  const Catalogue& catalogue_;
  std::map<std::string, std::vector<Bytes>> lists_;  // revocation lists by their issuer
  std::map<Bytes, model::AuthorityPtr> authorities_;
  std::map<Bytes, model::LocalCertificatePtr> local_;
  std::vector<model::AuthorityPtr> all_authorities_;
  std::vector<Bytes> known_;
};

model::Overlay Catalogue::overlay() const {
  model::Overlay out;
  Credentials credentials(*this);
  for (const auto& [name, connection] : connections_) {
    if (!connection.refusal.empty()) continue;
    model::Authentication complete = credentials.complete(connection);
    if (complete == connection.vpn->authentication) {
      out.vpns.emplace_hint(out.vpns.end(), name, connection.vpn);
      continue;
    }
    auto vpn = std::make_shared<model::Vpn>(*connection.vpn);
    vpn->authentication = std::move(complete);
    out.vpns.emplace_hint(out.vpns.end(), name, std::move(vpn));
  }
  out.preshared_keys = keys_of("IKE");
  out.eap_keys = keys_of("EAP");
  out.ppks = ppks();
  out.pools = pools_;
  credentials.fill(out);
  return out;
}

}  // namespace svti::control
