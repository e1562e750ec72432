// SPDX-License-Identifier: Apache-2.0
// Where the two ends of an IKE SA are. A peer behind a NAT that gets another mapping is followed (RFC 7296 2.23), and the CHILD SAs
// follow the IKE SA.
#include <algorithm>

#include "sa/ike_sa.h"

namespace svti::sa {

using model::IkeSaPhase;

namespace {

bool same_addresses(const ChildSa& child, const Endpoint& local, const Endpoint& remote) {
  return child.local_at.address == local.address && child.remote_at.address == remote.address;
}

}  // namespace

std::optional<model::UdpEncapsulation> IkeSa::encapsulation(bool inbound) const {
  if (!encapsulate()) return std::nullopt;
  return inbound ? model::UdpEncapsulation{remote_.port, local_.port} : model::UdpEncapsulation{local_.port, remote_.port};
}

// A protected message that is new has come. RFC 7296 2.23: the answer goes to where the request came from. The port may move to 4500;
// behind a NAT the address may move too, and only such a message can say so.
void IkeSa::follow(const model::Datagram& datagram, bool response, TimePoint now, Effects& out) {
  reply_local_ = datagram.local;
  reply_remote_ = datagram.remote;
  if (datagram.remote == remote_ && datagram.local == local_) return;
  if (mobike_ && phase_ != IkeSaPhase::Connecting) return;  // RFC 4555 3.5: there addresses change when that is asked for
  const bool same_address = datagram.remote.address == remote_.address && datagram.local.address == local_.address;
  // Before it is authenticated too: who is behind no NAT has one address, and a stranger's copy of its message, sent from elsewhere before
  // the original arrives, is no move.
  const bool connecting = phase_ == IkeSaPhase::Connecting;
  const bool may_move = (peer_behind_nat_ && !(connecting && response)) || (same_address && !response);
  if (may_move) move_to(datagram.local, datagram.remote, now, out);
}

void IkeSa::mapping_moved(const Endpoint& from, TimePoint now, Effects& out) {
  if (!established() || !peer_behind_nat_ || from == remote_ || from.address.family() != remote_.address.family()) return;
  move_to(local_, from, now, out);
}

void IkeSa::move_to(const Endpoint& local, const Endpoint& remote, TimePoint now, Effects& out) {
  if (local == local_ && remote == remote_) return;
  log(out, Subsystem::Network, phase_ == IkeSaPhase::Connecting ? 2 : 1,
      "peer now at " + remote.to_string() + ", was " + remote_.to_string() +
          (local == local_ ? std::string() : "; we are at " + local.to_string() + ", were at " + local_.to_string()));
  local_ = local;
  remote_ = remote;
  window_.move(local, remote);
  for (const auto& child : children_) move_child(*child, now, out);
}

// The kernel's SAs and policies go on between the ends of the IKE SA.
void IkeSa::move_child(ChildSa& child, TimePoint now, Effects& out) {
  const bool moved = child.local_at != local_ || child.remote_at != remote_ || child.udp_encap != encapsulate();
  // without UDP encapsulation it has no ports
  if (!moved || (!encapsulate() && !child.udp_encap && same_addresses(child, local_, remote_))) return;
  const bool addresses = !same_addresses(child, local_, remote_);
  const bool bound =
      child.policy->mode == model::Mode::Transport ? addresses : child.policy->action == model::PolicyAction::Ah && encapsulate();
  if (bound) return delete_child(child.unique_id, "it cannot move to other addresses, or into UDP", now, out);
  const model::SaId inbound{local_.address, child.inbound.spi, child.inbound.protocol};
  const model::SaId outbound{remote_.address, child.outbound.spi, child.outbound.protocol};
  child.local_at = local_;
  child.remote_at = remote_;
  child.udp_encap = encapsulate();
  out.emplace_back(MoveSa{child.unique_id, {child.inbound, local_.address, remote_.address, encapsulation(true)}});
  if (child.outbound_installed) {
    out.emplace_back(MoveSa{child.unique_id, {child.outbound, remote_.address, local_.address, encapsulation(false)}});
  } else if (child.pending_outbound) {
    child.pending_outbound->id = outbound;
    child.pending_outbound->source = local_.address;
    child.pending_outbound->encapsulation = encapsulation(false);
  }
  if (!addresses) return;
  auto policies = policies_for(child.local, child.remote, {child.policy, local_.address, remote_.address, child.reqid});
  ctx_.reqids.moved(child.reqid, policies);
  out.emplace_back(ClaimPolicies{child.unique_id, std::move(policies)});
  // Only now does nobody need what stands between the old addresses.
  if (inbound != child.inbound) out.emplace_back(RemoveSa{child.inbound});
  if (outbound != child.outbound && child.outbound_installed) out.emplace_back(RemoveSa{child.outbound});
  const SaOwner owner = ctx_.sa_owners[child.inbound];
  ctx_.sa_owners.erase(child.inbound);
  ctx_.sa_owners.erase(child.outbound);
  child.inbound = inbound;
  child.outbound = outbound;
  ctx_.sa_owners[inbound] = ctx_.sa_owners[outbound] = owner;
}

}  // namespace svti::sa
