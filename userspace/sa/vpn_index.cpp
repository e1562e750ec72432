// SPDX-License-Identifier: Apache-2.0
#include "sa/vpn_index.h"

#include <algorithm>
#include <tuple>

#include "sa/proposal.h"

namespace svti::sa {

using model::Identity;
using model::Vpn;

namespace {

bool serves(const Vpn& vpn, const IpAddress& local) { return vpn.version == 2 && (!vpn.local_address || *vpn.local_address == local); }

// the choice made in IKE_SA_INIT could have come from this VPN's proposals
bool could_have_chosen(const Vpn& vpn, const wire::Proposal& choice) {
  return choose_proposal(vpn.ike.proposals, {choice}, KeyExchangeUse::Negotiate).has_value();
}

}  // namespace

std::vector<Bytes> hashes_of_authorities(const model::Authentication& authentication) {
  std::vector<Bytes> out;
  const auto add = [&](const std::vector<model::AuthorityPtr>& authorities) {
    for (const model::AuthorityPtr& one : authorities) {
      if (std::find(out.begin(), out.end(), one->hash) == out.end()) out.push_back(one->hash);
    }
  };
  add(authentication.authorities);
  for (const model::FurtherRound& round : authentication.further_remote) add(round.authorities);
  return out;
}

std::size_t VpnIndex::IdHash::operator()(const Identity& id) const {
  return std::hash<std::string_view>{}(as_text(id.data)) ^ static_cast<std::size_t>(id.type);
}

VpnIndex::VpnIndex(const model::Configuration& configuration) {
  for (const auto& [name, vpn] : configuration.vpns) {
    if (vpn->remote_address) {
      by_address_[*vpn->remote_address].push_back(vpn);
      continue;
    }
    if (vpn->remote_id && !vpn->remote_id->is_pattern()) {
      by_id_[vpn->remote_id->folded()].push_back(vpn);
    } else {
      open_.push_back(vpn);
    }
    const bool known = std::any_of(open_proposals_.begin(), open_proposals_.end(), [&vpn = vpn](const VpnPtr& other) {
      return other->local_address == vpn->local_address && other->version == vpn->version && other->ike.proposals == vpn->ike.proposals &&
             other->ike.udp_encap == vpn->ike.udp_encap && other->ike.childless == vpn->ike.childless &&
             other->ike.redirect_to == vpn->ike.redirect_to && other->authentication.remote == vpn->authentication.remote &&
             other->authentication.has_several_rounds() == vpn->authentication.has_several_rounds();
    });
    if (!known) open_proposals_.push_back(vpn);
    if (!vpn->authentication.uses_certificates()) continue;
    const bool same = std::any_of(open_certificates_.begin(), open_certificates_.end(), [&vpn = vpn](const VpnPtr& other) {
      return other->local_address == vpn->local_address && other->authentication.wants_ocsp() == vpn->authentication.wants_ocsp() &&
             other->authentication.looks_up() == vpn->authentication.looks_up() &&
             hashes_of_authorities(other->authentication) == hashes_of_authorities(vpn->authentication);
    });
    if (!same) open_certificates_.push_back(vpn);
  }
}

bool VpnIndex::forces_encapsulation(const IpAddress& local, const IpAddress& remote) const {
  const auto any = [&](const List& list) {
    return std::any_of(list.begin(), list.end(), [&](const VpnPtr& vpn) { return vpn->ike.udp_encap && serves(*vpn, local); });
  };
  const auto found = by_address_.find(remote);
  return found != by_address_.end() ? any(found->second) : any(open_proposals_);
}

VpnIndex::Childless VpnIndex::childless(const IpAddress& local, const IpAddress& remote) const {
  Childless out;
  const auto add = [&](const List& list) {
    for (const VpnPtr& vpn : list) {
      if (!serves(*vpn, local)) continue;
      out.accepted |= vpn->ike.childless != model::Childless::Never;
      out.wanted |= vpn->ike.childless == model::Childless::Prefer || vpn->ike.childless == model::Childless::Force;
    }
  };
  if (const auto found = by_address_.find(remote); found != by_address_.end()) add(found->second);
  add(open_proposals_);
  return out;
}

std::optional<wire::GatewayIdentity> VpnIndex::redirect(const IpAddress& local, const IpAddress& remote) const {
  std::optional<wire::GatewayIdentity> out;
  bool first = true, agreed = true;
  const auto look = [&](const List& list) {
    for (const VpnPtr& vpn : list) {
      if (!serves(*vpn, local)) continue;
      agreed &= first || out == vpn->ike.redirect_to;
      out = vpn->ike.redirect_to;
      first = false;
    }
  };
  if (const auto found = by_address_.find(remote); found != by_address_.end()) look(found->second);
  look(open_proposals_);
  const bool here = out && out->address == local;
  return agreed && !here ? out : std::nullopt;
}

std::vector<const std::vector<wire::Proposal>*> VpnIndex::ike_proposals(const IpAddress& local, const IpAddress& remote) const {
  std::vector<const std::vector<wire::Proposal>*> out;
  const auto add = [&](const List& list) {
    for (const VpnPtr& vpn : list) {
      if (!serves(*vpn, local)) continue;
      const bool known = std::any_of(out.begin(), out.end(), [&](const auto* other) { return *other == vpn->ike.proposals; });
      if (!known) out.push_back(&vpn->ike.proposals);
    }
  };
  if (const auto found = by_address_.find(remote); found != by_address_.end()) add(found->second);
  add(open_proposals_);
  return out;
}

VpnIndex::Certificates VpnIndex::certificates(const IpAddress& local, const IpAddress& remote) const {
  Certificates out;
  const auto add = [&](const List& list) {
    for (const VpnPtr& vpn : list) {
      if (!serves(*vpn, local) || !vpn->authentication.uses_certificates()) continue;
      out.used = true;
      out.ocsp = out.ocsp || vpn->authentication.wants_ocsp();
      out.lookups = out.lookups || vpn->authentication.looks_up();
      for (const Bytes& hash : hashes_of_authorities(vpn->authentication)) {
        const bool known = std::find(out.authorities.begin(), out.authorities.end(), hash) != out.authorities.end();
        if (!known && out.authorities.size() < kMaxAuthorities) out.authorities.push_back(hash);
      }
    }
  };
  if (const auto found = by_address_.find(remote); found != by_address_.end()) add(found->second);
  add(open_certificates_);
  return out;
}

bool VpnIndex::has_several_rounds(const IpAddress& local, const IpAddress& remote) const {
  const auto any = [&](const List& list) {
    return std::any_of(list.begin(), list.end(),
                       [&](const VpnPtr& vpn) { return vpn->authentication.has_several_rounds() && serves(*vpn, local); });
  };
  const auto found = by_address_.find(remote);
  return (found != by_address_.end() && any(found->second)) || any(open_proposals_);
}

VpnIndex::RemoteMethods VpnIndex::remote_methods(const IpAddress& local, const IpAddress& remote) const {
  RemoteMethods out;
  const auto add = [&](const List& list) {
    for (const VpnPtr& vpn : list) {
      if (!serves(*vpn, local)) continue;
      out.shared_keys |= vpn->authentication.remote == model::AuthMethod::PresharedKey;
      out.certificates |= vpn->authentication.remote == model::AuthMethod::Certificate;
    }
  };
  if (const auto found = by_address_.find(remote); found != by_address_.end()) add(found->second);
  add(open_proposals_);
  return out;
}

const std::vector<VpnPtr>* VpnIndex::with_remote_address(const IpAddress& remote) const {
  const auto found = by_address_.find(remote);
  return found == by_address_.end() ? nullptr : &found->second;
}

VpnPtr VpnIndex::find(const Peer& peer) const {
  VpnPtr best;
  std::tuple<int, int, int> best_score{};
  const auto consider = [&](const List& list) {
    for (const VpnPtr& vpn : list) {
      if (!serves(*vpn, peer.local)) continue;
      const int remote_rank = vpn->remote_id ? vpn->remote_id->match_rank(peer.id) : 1;
      if (remote_rank == 0) continue;
      // IDr is what the initiator would like us to be (RFC 7296 1.2): a VPN that is someone else does not fit
      const bool as_demanded = peer.demanded == nullptr || may_be(*vpn, peer.local, *peer.demanded);
      if (!as_demanded || !could_have_chosen(*vpn, peer.ike_choice)) continue;
      const std::tuple score{remote_rank, vpn->remote_address ? 1 : 0, vpn->local_address ? 1 : 0};
      if (best && score <= best_score) continue;
      best = vpn;
      best_score = score;
    }
  };
  if (const auto found = by_address_.find(peer.remote); found != by_address_.end()) consider(found->second);
  if (const auto found = by_id_.find(peer.id.folded()); found != by_id_.end()) consider(found->second);
  consider(open_);
  return best;
}

Identity local_identity(const Vpn& vpn, const IpAddress& local) {
  if (vpn.local_id) return *vpn.local_id;
  const auto& own = vpn.authentication;
  const bool certified = own.local == model::AuthMethod::Certificate || own.local == model::AuthMethod::EapTls;
  return certified && !own.certificates.empty() ? own.certificates.front()->identities.front() : Identity::of(local);
}

bool may_be(const Vpn& vpn, const IpAddress& local, const Identity& demanded) {
  if (local_identity(vpn, local).matches(demanded)) return true;
  const auto& own = vpn.authentication;
  if (vpn.local_id || own.local != model::AuthMethod::Certificate) return false;
  return std::any_of(own.certificates.begin(), own.certificates.end(), [&](const auto& one) { return one->proves(demanded); });
}

}  // namespace svti::sa
