// SPDX-License-Identifier: Apache-2.0
// What the protocol core wants done. Values: the core performs none of it; `engine` does, in the order given.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/log.h"
#include "model/explanation.h"
#include "model/kernel.h"
#include "model/network.h"

namespace svti::sa {

struct SendDatagram {
  model::Datagram datagram;
};

struct SendKeepalive {
  Endpoint local, remote;
};

// One SA into the kernel, for the CHILD SA `child`. A failure is told to Core::install_failed().
struct InstallSa {
  std::uint32_t child = 0;
  model::AddSa sa;
};

struct RemoveSa {
  model::SaId id;
};

// Policies that `owner` (a trap or a CHILD SA) needs from now on, in place of what it claimed before. The same policy may have
// several owners: it stays in the kernel, in the form of the claim made last, until the last of them releases it. Reverse
// routes go with the outbound ones.
struct ClaimPolicies {
  std::uint64_t owner = 0;
  std::vector<model::SetPolicy> policies;
};

struct ReleasePolicies {
  std::uint64_t owner = 0;
};

// What happened to a VPN, for whoever waits for it or watches.
struct Notice {
  enum class Kind : std::uint8_t { IkeUp, IkeDown, IkeFailed, IkeRekeyed, ChildUp, ChildDown, ChildFailed, ChildRekeyed };
  Kind kind{};
  std::string vpn;
  std::string policy;     // of the Child kinds
  std::uint32_t ike = 0;  // unique ids; 0 where it does not apply
  std::uint32_t child = 0;
  std::uint32_t reqid = 0;   // of the Child kinds
  std::string reason;        // of the Failed and Down kinds: a sentence without a final stop
  std::uint32_t former = 0;  // of the Rekeyed kinds: the unique id of what was replaced
};

// A negotiation ended: why, for whoever asks later.
struct Explained {
  model::Explanation explanation;
};

using Effect = std::variant<SendDatagram, SendKeepalive, InstallSa, RemoveSa, ClaimPolicies, ReleasePolicies, Notice, Explained, LogLine>;
using Effects = std::vector<Effect>;

}  // namespace svti::sa
