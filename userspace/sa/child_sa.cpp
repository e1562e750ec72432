// SPDX-License-Identifier: Apache-2.0
// CHILD SAs: selection of policy and proposal (RFC 7296 2.7, 2.9), keys (2.17), and what the kernel is asked for.
#include "sa/child_sa.h"

#include <algorithm>

#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::ChildSaPhase;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;
using wire::TransformType;

namespace {

constexpr Duration kEncryptionEnds = seconds(1);  // of a packet for which the kernel has chosen an SA

std::uint64_t tenth_more(std::uint64_t value) { return value + value / 10; }

seconds life_of(const model::IpsecPolicy& ipsec) {
  return ipsec.life_time.value_or(seconds(tenth_more(static_cast<std::uint64_t>(ipsec.rekey_time.count()))));
}

}  // namespace

std::uint32_t IkeSa::spi_of(const wire::Proposal& proposal) {
  Reader reader(proposal.spi);
  const auto spi = reader.u32();
  return spi && reader.empty() ? *spi : 0;
}

ChildSa* IkeSa::find_child(std::uint32_t unique_id) const {
  const auto found = std::find_if(children_.begin(), children_.end(), [&](const auto& child) { return child->unique_id == unique_id; });
  return found == children_.end() ? nullptr : found->get();
}

ChildSa* IkeSa::find_child_by_spi_out(wire::ProtocolId protocol, std::uint32_t spi) const {
  const auto found = std::find_if(children_.begin(), children_.end(),
                                  [&](const auto& child) { return child->outbound.spi == spi && child->outbound.protocol == protocol; });
  return found == children_.end() ? nullptr : found->get();
}

void IkeSa::child_notice(const ChildSa& child, Notice::Kind kind, std::string reason, Effects& out) const {
  out.emplace_back(Notice{kind, vpn_->name, child.policy->name, id_, child.unique_id, child.reqid, std::move(reason)});
}

// Transport mode is between the two outer addresses themselves (RFC 4301 4.1), and AH signs them, so that no NAT may change them.
std::string IkeSa::hindrance(const model::SecurityPolicy& policy, const Selectors& local, const Selectors& remote) const {
  if (policy.action == model::PolicyAction::Ah && encapsulate()) return "AH cannot pass a NAT, nor be encapsulated in UDP";
  if (policy.mode != model::Mode::Transport) return {};
  const auto is_host = [](const Selectors& selectors, const IpAddress& host) {
    return std::all_of(selectors.begin(), selectors.end(), [&](const auto& one) { return one.start == host && one.end == host; });
  };
  if (is_host(local, local_.address) && is_host(remote, remote_.address)) return {};
  return "transport mode is for traffic between " + local_.address.to_string() + " and " + remote_.address.to_string() +
         " alone: local-ts and remote-ts must name no other address";
}

// RFC 7296 2.23.1: the peer knows the end that is behind a NAT by another address than we do. Such an address, the only one it names, is
// exchanged for the one here.
IkeSa::SeenSelectors IkeSa::seen_here(const Selectors& named, bool behind_nat, const IpAddress& here) {
  SeenSelectors out{named, std::nullopt};
  const bool one_host = !named.empty() && std::all_of(named.begin(), named.end(), [&](const auto& one) {
    return one.start == named.front().start && one.end == named.front().start;
  });
  if (!behind_nat || !one_host || named.front().start == here || named.front().start.family() != here.family()) return out;
  out.named = named.front().start;
  for (wire::TrafficSelector& one : out.selectors) one.start = one.end = here;
  return out;
}

// OpenIKED asks for the address 0.0.0.0 or :: alone where it means the virtual address that it is about to be given.
static Selectors asked_for(const Selectors& theirs, const std::vector<IpAddress>& given) {
  Selectors out;
  for (const wire::TrafficSelector& one : theirs) {
    const auto vip =
        std::find_if(given.begin(), given.end(), [&](const IpAddress& address) { return address.family() == one.start.family(); });
    out.push_back(one);
    if (one.start.is_any() && one.end.is_any() && vip != given.end()) out.back().start = out.back().end = *vip;
  }
  return out;
}

tl::expected<IkeSa::Selection, IkeSa::Refusal> IkeSa::select_child(const Payloads& payloads, KeyExchangeUse ke,
                                                                   const std::string& only_policy) const {
  const auto* sa = find_payload<wire::SaPayload>(payloads);
  const auto* ts_i = find_ts(payloads, PayloadType::TsInitiator);
  const auto* ts_r = find_ts(payloads, PayloadType::TsResponder);
  if (sa == nullptr || ts_i == nullptr || ts_r == nullptr) {
    model::Explanation why;
    why.cause = model::Cause::Malformed;
    why.reason = "no SA, TSi or TSr payload";
    return tl::unexpected(Refusal{NotifyType::TsUnacceptable, {}, std::move(why)});
  }
  if (auto refusal = address_refusal()) return tl::unexpected(std::move(*refusal));
  if (init_ && vpn_->ike.childless == model::Childless::Force) {
    model::Explanation why;
    why.cause = model::Cause::Refused;
    why.reason = "a CHILD SA in IKE_AUTH, where there is to be none (childless force)";
    why.advice = {model::Side::Either, "vpn " + vpn_->name + " ike-policy childless", "set prefer or force at the peer, or allow here"};
    return tl::unexpected(Refusal{NotifyType::NoAdditionalSas, {}, std::move(why)});
  }
  const bool transport = find_notify(payloads, NotifyType::UseTransportMode) != nullptr;
  const SeenSelectors ours = seen_here(ts_r->selectors, transport && we_behind_nat_, local_.address);
  const SeenSelectors theirs = seen_here(asked_for(ts_i->selectors, vips_.theirs), transport && peer_behind_nat_, remote_.address);
  Selection best;
  std::optional<Refusal> refusal;  // the first of a policy that has the selectors
  const auto refuse = [&](model::Explanation why) {
    if (!refusal) refusal = Refusal{NotifyType::NoProposalChosen, {}, std::move(why)};
  };
  for (const model::SecurityPolicy& policy : vpn_->policies) {
    if (!policy.negotiated() || (!only_policy.empty() && policy.name != only_policy)) continue;
    Selection one;
    one.policy = &policy;
    one.local_named = ours.named;
    one.remote_named = theirs.named;
    one.local = narrow(local_selectors(policy), ours.selectors);
    one.remote = narrow(remote_selectors(policy), theirs.selectors);
    if (!vips_.theirs.empty()) pair_families(one.local, one.remote);
    if (one.local.empty() || one.remote.empty()) continue;
    if (policy.mode == model::Mode::Transport) {
      const std::string why_not = transport ? hindrance(policy, one.local, one.remote) : "the peer asks for tunnel mode";
      if (!why_not.empty()) {
        model::Explanation why;
        why.cause = model::Cause::Mode;
        why.policy = policy.name;
        why.reason = why_not;
        why.advice = {model::Side::Either, "vpn " + vpn_->name + " security-policy " + policy.name + " mode",
                      "set the same mode here and at the peer"};
        refuse(std::move(why));
        continue;
      }
    }
    const std::vector<wire::Proposal>& proposals = vpn_->proposals_of(policy);
    const auto choice = choose_proposal(proposals, sa->proposals, ke);
    if (!choice) {
      model::Explanation why;
      why.policy = policy.name;
      why.reason = "no proposal fits: " + explain_mismatch(proposals, sa->proposals, ke);
      explain_proposals(OwnProposals::child(*vpn_, policy, ke), sa->proposals, why);
      refuse(std::move(why));
      continue;
    }
    if (const std::string why_not = hindrance(policy, one.local, one.remote); !why_not.empty()) {
      model::Explanation why;
      why.cause = model::Cause::Mode;
      why.policy = policy.name;
      why.reason = why_not;
      refuse(std::move(why));
      continue;
    }
    one.choice = *choice;
    const auto chosen =
        std::find_if(sa->proposals.begin(), sa->proposals.end(), [&](const auto& proposal) { return proposal.number == choice->number; });
    one.choice.spi = chosen->spi;
    if (spi_of(one.choice) <= 255) {
      model::Explanation why;
      why.cause = model::Cause::Malformed;
      why.policy = policy.name;
      why.reason = "an SPI of ESP that RFC 4303 reserves";
      return tl::unexpected(Refusal{NotifyType::NoProposalChosen, {}, std::move(why)});
    }
    // a policy that takes all the peer asks for is better than one that takes a part
    const bool whole = within(ours.selectors, one.local) && within(theirs.selectors, one.remote);
    if (whole) return one;
    if (best.policy == nullptr) best = std::move(one);
  }
  if (best.policy != nullptr) return best;
  if (refusal) return tl::unexpected(std::move(*refusal));
  model::Explanation why;
  why.policy = only_policy;
  why.reason = "no security-policy covers local " + to_string(ts_r->selectors) + " and remote " + to_string(ts_i->selectors);
  const IpAddress& remote = vips_.theirs.empty() ? remote_.address : vips_.theirs.front();
  // whatever it asks for, with a virtual address it is that alone
  Selectors asked;
  for (const IpAddress& address : vips_.theirs) asked.push_back(wire::TrafficSelector::of(Prefix::host(address)));
  asked = narrow(asked, theirs.selectors);
  explain_selectors(*vpn_, only_policy, local_.address, remote, {ours.selectors, asked.empty() ? theirs.selectors : asked}, why);
  return tl::unexpected(Refusal{NotifyType::TsUnacceptable, {}, std::move(why)});
}

Payloads IkeSa::child_answer(const Selection& selection, std::uint32_t spi_in) const {
  wire::Proposal proposal = selection.choice;
  Writer spi;
  spi.u32(spi_in);
  proposal.spi = std::move(spi).take();
  Payloads out;
  out.push_back(wire::SaPayload{{std::move(proposal)}});
  const auto as_named = [](Selectors selectors, const std::optional<IpAddress>& named) {
    if (named) {
      for (wire::TrafficSelector& one : selectors) one.start = one.end = *named;
    }
    return selectors;
  };
  out.push_back(wire::TsPayload{PayloadType::TsInitiator, as_named(selection.remote, selection.remote_named)});
  out.push_back(wire::TsPayload{PayloadType::TsResponder, as_named(selection.local, selection.local_named)});
  if (selection.policy->mode == model::Mode::Transport)
    out.push_back(wire::NotifyPayload{NotifyType::UseTransportMode, wire::ProtocolId::None, {}, {}});
  return out;
}

Result<IkeSa::Selection> IkeSa::accept_answer(const ChildOffer& offer, const Payloads& payloads, KeyExchangeUse ke) const {
  const auto* sa = find_payload<wire::SaPayload>(payloads);
  const auto* ts_i = find_ts(payloads, PayloadType::TsInitiator);
  const auto* ts_r = find_ts(payloads, PayloadType::TsResponder);
  if (sa == nullptr || ts_i == nullptr || ts_r == nullptr) return peer_error("the peer's answer has no SA, TSi or TSr payload");
  const auto choice = sa->proposals.size() == 1 ? accept_choice(offer.proposals, sa->proposals.front(), ke) : std::nullopt;
  if (!choice) return peer_error("the peer chose " + to_string(sa->proposals) + ", which was not offered");
  if (spi_of(*choice) <= 255) return peer_error("the peer chose an SPI that RFC 4303 reserves");
  // RFC 7296 2.23.1: strongSwan answers with the addresses that it sees, instead of those that it was asked with
  const Selectors local = seen_here(ts_i->selectors, offer.transport && we_behind_nat_, local_.address).selectors;
  const Selectors remote = seen_here(ts_r->selectors, offer.transport && peer_behind_nat_, remote_.address).selectors;
  // RFC 7296 2.9: the answer may be narrower than the offer, never wider
  const bool narrower = !local.empty() && !remote.empty() && within(local, offer.local) && within(remote, offer.remote);
  if (!narrower)
    return peer_error("the peer answered traffic selectors that were not offered: " + to_string(ts_i->selectors) + " and " +
                      to_string(ts_r->selectors));
  // RFC 7296 1.3.1: a peer that does not take it up makes a tunnel, which we did not ask for
  if (offer.transport && find_notify(payloads, NotifyType::UseTransportMode) == nullptr)
    return peer_error("the peer does not agree to transport mode");
  Selection out;
  out.policy = vpn_->find_policy(offer.policy);
  if (out.policy == nullptr) return config_error("its security-policy is no longer configured");
  out.choice = *choice;
  out.local = local;
  out.remote = remote;
  if (vips_.requested) {
    // asked for with any address, before ours was known
    out.local = narrow(local_selectors(*out.policy), ts_i->selectors);
    if (out.local.empty()) return peer_error("the peer's selectors leave our virtual address out: " + to_string(ts_i->selectors));
  }
  return out;
}

ChildSa* IkeSa::install_child(const ChildPlan& plan, TimePoint now, Effects& out) {
  const ExchangeType exchange = init_ ? ExchangeType::IkeAuth : ExchangeType::CreateChildSa;
  const auto give_up = [&](const std::string& reason) -> ChildSa* {
    ctx_.child_spis.erase(plan.spi_in);
    model::Explanation why;
    why.policy = plan.policy->name;
    why.rekey = plan.rekeyed != nullptr;
    why.reason = reason;
    explain_selectors(*vpn_, why.policy, local_.address, remote_.address, {plan.local, plan.remote}, why);
    out.emplace_back(Explained{told(exchange, plan.initiator, std::move(why), now)});
    log(out, Subsystem::Child, 0, "CHILD SA " + plan.policy->name + " cannot be made: " + reason);
    return nullptr;
  };
  static const Secret kNone;
  auto keys = derive_child_keys(plan.choice, *keys_, plan.nonce_i, plan.nonce_r,
                                plan.shared_secret == nullptr ? kNone : *plan.shared_secret, plan.additional);
  if (!keys) return give_up(keys.error().message);
  const auto policies_of = [&](std::uint32_t reqid) {
    return policies_for(plan.local, plan.remote, {plan.policy, local_.address, remote_.address, reqid});
  };
  auto policies = policies_of(0);
  if (policies.empty()) return give_up("its traffic selectors make no policy, or more than " + std::to_string(kMaxPolicies));

  auto child = std::make_unique<ChildSa>();
  child->unique_id = ctx_.ids->next_child++;
  child->vpn = vpn_;
  child->policy = plan.policy;
  // What it replaces, or what has replaced that meanwhile, may be between other addresses, or have been (RFC 4555): the reqid stays, so
  // that either SA serves.
  const auto twin = std::find_if(children_.begin(), children_.end(), [&](const auto& one) {
    const bool replaced = plan.rekeyed == nullptr ? one->policy->name == plan.policy->name : one.get() == plan.rekeyed;
    return replaced && one->local == plan.local && one->remote == plan.remote;
  });
  if (twin != children_.end()) ctx_.reqids.moved((*twin)->reqid, policies);
  child->reqid = twin != children_.end() ? ctx_.reqids.share((*twin)->reqid) : ctx_.reqids.acquire(policies);
  for (model::SetPolicy& policy : policies) policy.reqid = child->reqid;
  child->choice = plan.choice;
  child->local = plan.local;
  child->remote = plan.remote;
  child->local_at = local_;
  child->remote_at = remote_;
  child->udp_encap = encapsulate();
  child->inbound = {local_.address, plan.spi_in, plan.choice.protocol};
  child->outbound = {remote_.address, plan.spi_out, plan.choice.protocol};

  const model::IpsecPolicy& ipsec = vpn_->ipsec_of(*plan.policy);
  const wire::Transform* encryption = find_transform(plan.choice, TransformType::Encryption);
  const wire::Transform* integrity = find_transform(plan.choice, TransformType::Integrity);
  const wire::Transform* esn = find_transform(plan.choice, TransformType::Esn);
  const auto make = [&](bool inbound) {
    // "initiator" keys protect what the initiator of the exchange sends (RFC 7296 2.17)
    const bool initiators = inbound != plan.initiator;
    model::AddSa sa;
    sa.id = inbound ? child->inbound : child->outbound;
    sa.source = inbound ? remote_.address : local_.address;
    sa.direction = inbound ? model::Direction::In : model::Direction::Out;
    sa.mode = plan.policy->mode;
    sa.reqid = child->reqid;
    sa.if_id = inbound ? plan.policy->svti_id_in : plan.policy->svti_id_out;
    if (encryption != nullptr) sa.encryption = *encryption;
    if (integrity != nullptr) sa.integrity = *integrity;
    sa.encryption_key = std::move(initiators ? keys->encryption_i : keys->encryption_r);
    sa.integrity_key = std::move(initiators ? keys->integrity_i : keys->integrity_r);
    sa.encapsulation = encapsulation(inbound);
    sa.esn = esn != nullptr && esn->id != 0;
    sa.replay_window = ipsec.replay_window;
    sa.copy_dscp_out = ipsec.encap_copy_dscp;
    sa.copy_dscp_in = ipsec.decap_copy_dscp;
    sa.copy_df = ipsec.encap_copy_df;
    sa.offload = ipsec.hw_offload;
    // The core's own timer rekeys; the kernel's hard limit holds even when nobody is there to keep it.
    sa.hard_time = life_of(ipsec);
    sa.soft_bytes = ctx_.jittered(ipsec.rekey_bytes, ipsec.rand_bytes);
    sa.hard_bytes = ipsec.life_bytes.value_or(tenth_more(ipsec.rekey_bytes));
    sa.soft_packets = ctx_.jittered(ipsec.rekey_packets, ipsec.rand_packets);
    sa.hard_packets = ipsec.life_packets.value_or(tenth_more(ipsec.rekey_packets));
    return sa;
  };
  child->pending_outbound = make(false);
  ctx_.sa_owners[child->inbound] = ctx_.sa_owners[child->outbound] = {id_, child->unique_id};
  // Inbound before anything else: the peer may send as soon as it has our answer.
  out.emplace_back(InstallSa{child->unique_id, make(true)});
  out.emplace_back(ClaimPolicies{child->unique_id, std::move(policies)});
  child->phase = ChildSaPhase::Installed;
  child->installed_at = now;
  if (ipsec.rekey_time.count() > 0) child->rekey_at = now + ctx_.jittered(ipsec.rekey_time, ipsec.rand_time);
  if (const seconds life = life_of(ipsec); life.count() > 0) child->dies_at = now + life;
  children_.push_back(std::move(child));
  ChildSa* made = children_.back().get();
  made->waits_for_twin = plan.outbound_now && !plan.initiator && twin_sends(*made);
  if (plan.outbound_now && !made->waits_for_twin) activate_outbound(*made, out);
  log(out, Subsystem::Child, 0,
      "CHILD SA " + made->policy->name + "{" + std::to_string(made->unique_id) + "} established: local " + to_string(made->local) +
          " remote " + to_string(made->remote) + ", " + to_string(made->choice) + (made->udp_encap ? ", UDP encapsulated" : ""));
  if (plan.rekeyed != nullptr) ctx_.count(model::Counter::ChildRekey, vpn_.get());
  model::Explanation why;
  why.policy = made->policy->name;
  why.rekey = plan.rekeyed != nullptr;
  why.succeeded = true;
  const std::string proposal = cell(to_string(made->choice)), local = cell(made->local), remote = cell(made->remote);
  why.reason = "CHILD SA " + std::string(why.rekey ? "rekeyed" : "established") + " with " + proposal;
  why.tables.push_back(
      {"agreed on",
       {{plan.policy->action == model::PolicyAction::Ah ? "AH proposal" : "ESP proposal", proposal, proposal, model::Verdict::Fits},
        {"local selector", local, local, model::Verdict::Fits},
        {"remote selector", remote, remote, model::Verdict::Fits}}});
  out.emplace_back(Explained{told(exchange, plan.initiator, std::move(why), now)});
  child_notice(*made, plan.rekeyed == nullptr ? Notice::Kind::ChildUp : Notice::Kind::ChildRekeyed, {}, out);
  if (plan.rekeyed != nullptr) std::get<Notice>(out.back()).former = plan.rekeyed->unique_id;
  return made;
}

// The peer does not know whether we have this one before it has our answer. Where both ends began at once, or it authenticates anew, there
// is another one that it does know of.
bool IkeSa::twin_sends(const ChildSa& child) const {
  const bool in_auth = init_.has_value();
  const auto others = ctx_.between(local_id_, peer_identity());
  return std::any_of(others.begin(), others.end(), [&](const IkeSa* other) {
    if (other == this || (!in_auth && (!other->initiated() || !other->crosses(*this)))) return false;
    return std::any_of(other->children_.begin(), other->children_.end(),
                       [&](const auto& one) { return one->reqid == child.reqid && one->outbound_installed; });
  });
}

// ... and it does when it speaks on this IKE SA,
void IkeSa::send_on_all(Effects& out) {
  for (const auto& child : children_) {
    if (child->waits_for_twin) activate_outbound(*child, out);
  }
}

// or closes the other one, or we do.
void IkeSa::stop_sending(ChildSa& child, TimePoint now, Effects& out) {
  if (!child.outbound_installed) return;
  for (IkeSa* other : ctx_.between(local_id_, peer_identity())) {
    for (const auto& one : other->children_) {
      if (one->reqid == child.reqid && one->waits_for_twin) other->activate_outbound(*one, out);
    }
  }
  child.outbound_installed = false;
  // The kernel drops the packet for which it has chosen an SA that goes before the packet is encrypted. While another SA is chosen for
  // those that come now, the old one can wait for the last.
  const auto sends = [&](const IkeSa& sa) {
    return std::any_of(sa.children_.begin(), sa.children_.end(),
                       [&](const auto& one) { return one->reqid == child.reqid && one->outbound_installed; });
  };
  const auto others = ctx_.between(local_id_, peer_identity());
  if (sends(*this) || std::any_of(others.begin(), others.end(), [&](const IkeSa* other) { return sends(*other); })) {
    ctx_.lingering.emplace(now + kEncryptionEnds, Context::Lingering{child.outbound, false});
  } else {
    out.emplace_back(RemoveSa{child.outbound});
  }
}

void IkeSa::activate_outbound(ChildSa& child, Effects& out) {
  if (!child.pending_outbound) return;
  out.emplace_back(InstallSa{child.unique_id, std::move(*child.pending_outbound)});
  child.pending_outbound.reset();
  child.outbound_installed = true;
  child.waits_for_twin = false;
}

void IkeSa::remove_child(ChildSa& child, const std::string& reason, bool linger, TimePoint now, Effects& out) {
  const std::uint32_t unique_id = child.unique_id;
  ChildSa* successor = child.replaced_by == 0 ? nullptr : find_child(child.replaced_by);
  // A successor that is itself on its way out is not used any more: what replaced it is.
  if (successor != nullptr && successor->phase != ChildSaPhase::Rekeyed && successor->phase != ChildSaPhase::Deleting)
    activate_outbound(*successor, out);
  for (const auto& other : children_) {
    if (other->replaced_by == unique_id) other->replaced_by = 0;
  }
  if (requesting<CreateChildRequest>() && child.replaced_by != 0) {
    // our own rekey of it is under way: when the answer comes, the nonces still decide which of the two new ones stays
    ChildOffer& offer = std::get<CreateChildRequest>(*request_).offer;
    if (offer.rekeys == unique_id) {
      offer.replaced_by = child.replaced_by;
      offer.replacement_nonce = std::move(child.replacement_nonce);
    }
  }
  stop_sending(child, now, out);
  if (linger) {
    // RFC 7296 2.8: packets protected with the old SA may still be under way
    ctx_.lingering.emplace(now + ctx_.config->global.delete_rekeyed_delay, Context::Lingering{child.inbound, true});
  } else {
    out.emplace_back(RemoveSa{child.inbound});
    ctx_.child_spis.erase(child.inbound.spi);
  }
  out.emplace_back(ReleasePolicies{unique_id});
  ctx_.sa_owners.erase(child.inbound);
  ctx_.sa_owners.erase(child.outbound);
  ctx_.reqids.release(child.reqid);
  const bool replaced = child.phase == ChildSaPhase::Rekeyed || successor != nullptr;
  log(out, Subsystem::Child, replaced ? 1 : 0,
      "CHILD SA " + child.policy->name + "{" + std::to_string(unique_id) + "} removed" + (reason.empty() ? "" : ": " + reason));
  child_notice(child, replaced ? Notice::Kind::ChildGone : Notice::Kind::ChildDown, reason, out);
  std::erase_if(children_, [&](const auto& one) { return one->unique_id == unique_id; });
}

}  // namespace svti::sa
