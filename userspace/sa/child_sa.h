// SPDX-License-Identifier: Apache-2.0
// One CHILD SA: a pair of ESP or AH SAs with their selectors. Belongs to an IkeSa, which alone changes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/kernel.h"
#include "model/state.h"
#include "sa/proposal.h"
#include "sa/selectors.h"
#include "sa/vpn_index.h"

namespace svti::sa {

struct ChildSa {
  std::uint32_t unique_id = 0;
  VpnPtr vpn;  // keeps `policy` alive
  const model::SecurityPolicy* policy = nullptr;
  model::ChildSaPhase phase = model::ChildSaPhase::Created;
  std::uint32_t reqid = 0;
  model::SaId inbound, outbound;
  wire::Proposal choice;
  Endpoint local_at, remote_at;  // between which its SAs are in the kernel
  bool udp_encap = false;
  Selectors local, remote;
  // made, but not yet given to the kernel: the peer may not be ready to receive on it (rekey, responder)
  std::optional<model::AddSa> pending_outbound;
  bool outbound_installed = false;
  // The peer's IKE SA crossed one of ours, or follows one of its own, whose CHILD SA serves these policies: this one sends when that one no
  // longer does, or the peer has shown that it has this one.
  bool waits_for_twin = false;

  TimePoint installed_at{};
  std::optional<TimePoint> rekey_at, dies_at;

  // the CHILD SA that the peer made to replace this one, and the lowest nonce of that exchange (RFC 7296 2.8.1)
  std::uint32_t replaced_by = 0;
  Bytes replacement_nonce;
};

}  // namespace svti::sa
