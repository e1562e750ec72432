// SPDX-License-Identifier: Apache-2.0
// EAP of a peer in RADIUS packets (RFC 3579): what a NAS asks, and what the server's answer means for the peer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/time.h"
#include "radius/client.h"

namespace svti::radius {

struct EapQuestion {
  Bytes packet;        // EAP Response of the peer
  Bytes identity;      // its EAP identity
  Bytes state;         // State of the server's last Access-Challenge; empty: this is the first
  std::string server;  // that gave it; empty: any
  Endpoint local, remote;
  std::uint32_t ike = 0;  // unique id of the IKE SA
  std::string vpn;
};

struct EapAnswer {
  enum class Kind : std::uint8_t {
    Challenge,  // `packet` is for the peer, whose response goes to `server` with `state`
    Accept,     // `packet` is EAP Success
    Reject,     // `reason`
    None,       // no server answered, or none that can be understood: `reason`
  };
  Kind kind{};
  Bytes packet = {};
  std::string server = {};
  std::string reason = {};  // a sentence without a final stop
  Bytes state = {};
  // of Accept
  Secret msk = {};                        // empty: the server gives none
  Bytes user = {};                        // User-Name: who the peer is to the server; empty: it does not say
  std::vector<IpAddress> addresses = {};  // Framed-IP-Address, Framed-IPv6-Address: at most one of a family
  std::optional<seconds> session_timeout = {};
  std::optional<seconds> interim_interval = {};
  std::vector<Bytes> classes = {};  // Class: given back in accounting
};

// RFC 2869 5.16: a server that asks for interim updates more often gets them so often.
inline constexpr seconds kShortestInterim{60};

Attributes access_attributes(const EapQuestion& question);
// `identifier`: of the EAP Response that was passed on
EapAnswer read_answer(Result<Reply> reply, std::uint8_t identifier);

}  // namespace svti::radius
