// SPDX-License-Identifier: Apache-2.0
// What clients loaded over the control protocol: connections, secrets, keys, certificates, authorities, pools. It goes with the daemon.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "control/connection.h"
#include "crypto/credential.h"
#include "model/config.h"
#include "model/overlay.h"

namespace svti::control {

struct SharedSecret {
  std::string type;  // "IKE", "EAP", "XAUTH", "NTLM", "PPK"
  std::vector<model::Identity> owners;
  Secret data;
};

// A private key on a token, by load-token.
struct LoadedToken {
  Bytes key_id;
  std::shared_ptr<const model::TokenKey> key;
};

struct LoadedCertificate {
  crypto::Certificate certificate;
  std::string flag;  // "NONE", "CA", "AA", "OCSP"; empty but with an X.509 certificate
};

struct Authority {
  crypto::Certificate ca;
  std::vector<std::string> crl_uris, ocsp_uris;
  std::string cert_uri_base;
};

class Catalogue {
 public:
  static constexpr std::size_t kMaxEntries = 200'000;  // of each kind

  template <typename T>
  using Named = std::map<std::string, T, std::less<>>;

  // In place of one of that name. Error: there are kMaxEntries already.
  Status put(const std::string& name, Connection connection);
  Status put(const std::string& name, Authority authority);
  Status put(const std::string& name, model::Pool pool);
  // `id` empty: a secret that cannot be named, hence neither listed nor removed but by clear_credentials()
  Status put(const std::string& id, SharedSecret secret);
  Status put(crypto::PrivateKey key);
  Status put(LoadedToken token);
  Status put(LoadedCertificate certificate);
  // false: there is none
  bool remove_connection(std::string_view name);
  bool remove_authority(std::string_view name);
  bool remove_pool(std::string_view name);
  bool remove_secret(std::string_view id);
  bool remove_key(std::string_view id);  // or one on a token
  // certificates, keys and secrets; what belongs to connections and authorities stays
  void clear_credentials();

  const Named<Connection>& connections() const { return connections_; }
  const Named<Authority>& authorities() const { return authorities_; }
  const Named<std::shared_ptr<const model::Pool>>& pools() const { return pools_; }
  const Named<SharedSecret>& secrets() const { return secrets_; }
  const Named<crypto::PrivateKey>& keys() const { return keys_; }  // by key id in hexadecimal
  const Named<LoadedToken>& tokens() const { return tokens_; }     // likewise
  // every certificate once: those loaded by themselves, those of connections and those of authorities
  std::vector<LoadedCertificate> certificates() const;
  bool has_key_of(const crypto::Certificate& certificate) const;

  // grows with each change to what overlay() yields
  std::uint64_t revision() const { return revision_; }
  // What the daemon can use: connections that nothing speaks against, with their certificates, and what goes with them.
  model::Overlay overlay() const;

 private:
  template <typename T>
  static bool erase(Named<T>& from, std::string_view name) {
    const auto found = from.find(name);
    if (found == from.end()) return false;
    from.erase(found);
    return true;
  }

  class Credentials;
  std::vector<std::shared_ptr<const model::PresharedKey>> keys_of(std::string_view type) const;  // "IKE", "EAP"
  std::vector<std::shared_ptr<const model::Ppk>> ppks() const;

  Named<Connection> connections_;
  Named<Authority> authorities_;
  Named<std::shared_ptr<const model::Pool>> pools_;
  Named<SharedSecret> secrets_;
  std::vector<SharedSecret> unnamed_secrets_;
  Named<crypto::PrivateKey> keys_;
  Named<LoadedToken> tokens_;
  std::map<Bytes, LoadedCertificate> certificates_;  // by DER
  std::uint64_t revision_ = 0;
};

}  // namespace svti::control
