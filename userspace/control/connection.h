// SPDX-License-Identifier: Apache-2.0
// A connection as a client loads it (load-conn), told in terms of the model: a VPN, its children security policies.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/credential.h"
#include "model/config.h"
#include "vici/message.h"

namespace svti::control {

// One end's way to authenticate, as list-conns shows it.
struct AuthRound {
  std::string section;                      // "local-1", "remote-1", "remote-2"
  unsigned order = 0;                       // `round`: those of an end come in this order, and then as they stand
  std::string auth_class;                   // "pre-shared key", "public key", "EAP", "any"
  std::string id;                           // as it was given; empty: by address, or any
  std::optional<model::Identity> identity;  // what that is; none: by address, or any
  std::vector<crypto::Certificate> certificates, cas;
  std::vector<std::string> groups, cert_policies;
  model::Revocation revocation = model::Revocation::Relaxed;
  std::optional<model::AuthMethod> eap;   // with the class "EAP"
  std::optional<model::Identity> eap_id;  // none: the IKE identity
  std::optional<model::Identity> aaa_id;  // with eap-tls, of ours: whom the server has to be

  bool local() const { return section.starts_with("local"); }
};

struct Connection {
  std::shared_ptr<const model::Vpn> vpn;  // without the certificates: those are the catalogue's
  std::vector<AuthRound> rounds;
  std::string refusal;                // why nobody can bring it up; empty: it is a VPN like others
  std::vector<std::string> warnings;  // what was taken otherwise than it was written
};

// The section of load-conn named `name`. Errors are in the protocol's words: "unknown option: X, config discarded", "invalid value for: X,
// config discarded", behind which we say more; what we know and do not support is refused by name.
Result<Connection> parse_connection(const std::string& name, const vici::Section& section);

}  // namespace svti::control
