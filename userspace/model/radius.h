// SPDX-License-Identifier: Apache-2.0
// RADIUS servers that peers are authenticated by, and accounted to (the configuration's `eap-radius`). Immutable values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/secret.h"
#include "base/time.h"

namespace svti::model {

struct RadiusServer {
  std::string name;
  IpAddress address;
  std::string host = {};  // looked up to learn the address, which then means nothing; empty: the address holds
  Secret secret;
  std::optional<IpAddress> source_address;  // none: the kernel's choice
  std::uint32_t preference = 0;
  std::string nas_identifier;
  std::uint16_t auth_port = 1812, accounting_port = 1813;
  std::uint16_t sockets = 1;  // each takes 256 requests at a time
  std::uint32_t retransmit_tries = 4;
  milliseconds retransmit_timeout{2000};
  double retransmit_base = 1.4;

  bool operator==(const RadiusServer& other) const {
    return name == other.name && address == other.address && host == other.host &&
           constant_time_equal(secret.view(), other.secret.view()) && source_address == other.source_address &&
           preference == other.preference && nas_identifier == other.nas_identifier && auth_port == other.auth_port &&
           accounting_port == other.accounting_port && sockets == other.sockets && retransmit_tries == other.retransmit_tries &&
           retransmit_timeout == other.retransmit_timeout && retransmit_base == other.retransmit_base;
  }
};

struct Radius {
  std::vector<RadiusServer> servers;  // the one that is asked first comes first
  bool accounting = false;
  seconds accounting_interval{0};                           // between interim updates; 0: none unless the server asks for them
  std::optional<std::uint16_t> dynamic_authorization_port;  // none: nobody is listened to (RFC 5176)

  bool operator==(const Radius&) const = default;
};

using RadiusPtr = std::shared_ptr<const Radius>;

// how a server does, for the state
struct RadiusServerState {
  std::string name;
  std::string host;                  // empty: the configuration has the address
  std::optional<IpAddress> address;  // none: the host's name is being looked up, or has no address
  bool alive = true;           // false: it did not answer, and is passed over for a while where there are others; or it has no address
  std::string reason;          // why it is not alive
  std::uint64_t requests = 0;  // without retransmissions
  std::uint64_t retransmissions = 0;
  std::uint64_t accepts = 0, rejects = 0, challenges = 0, accounting_responses = 0;
  std::uint64_t timeouts = 0;     // requests that were given up
  std::uint64_t bad_answers = 0;  // malformed, or not authenticated with the secret
  std::uint64_t pending = 0;
};

}  // namespace svti::model
