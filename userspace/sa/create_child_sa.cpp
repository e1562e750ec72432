// SPDX-License-Identifier: Apache-2.0
// CREATE_CHILD_SA, both roles: new CHILD SAs, rekeying of CHILD SAs and of the IKE SA (RFC 7296 1.3, 2.8, 2.17, 2.18, 2.25).
#include <algorithm>

#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::Cause;
using model::ChildSaPhase;
using model::IkeSaPhase;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;
using wire::ProtocolId;

namespace {

constexpr std::size_t kNonceSize = 32;
constexpr Duration kLoserLife = seconds(180);  // longer than a Delete is retransmitted
constexpr std::uint32_t kMaxRounds = 4;        // of one negotiation: other groups, put off by the peer

Bytes lowest(const Bytes& ours, const Bytes& theirs) { return std::min(ours, theirs); }

// RFC 7296 2.8.1: of the four nonces the lowest marks the exchange that loses; whoever began it closes what it made.
bool ours_loses(const Bytes& our_lowest, const Bytes& their_lowest) { return our_lowest < their_lowest; }

Bytes spi_octets(std::uint32_t spi) {
  Writer out;
  out.u32(spi);
  return std::move(out).take();
}

Bytes spi_octets(wire::IkeSpi spi) {
  Writer out;
  out.u64(spi);
  return std::move(out).take();
}

Bytes group_octets(wire::KeGroup group) {
  Writer out;
  out.u16(static_cast<std::uint16_t>(group));
  return std::move(out).take();
}

wire::KeGroup group_of(const wire::Proposal& choice) {
  const wire::Transform* transform = find_transform(choice, wire::TransformType::KeyExchange);
  return transform == nullptr ? wire::KeGroup::None : static_cast<wire::KeGroup>(transform->id);
}

}  // namespace

std::optional<IkeSa::ChildOffer> IkeSa::make_offer(const Job& job, bool in_auth, Effects& out) {
  ChildOffer offer;
  offer.job = job;
  const ChildSa* old = job.kind == Job::Kind::RekeyChild ? find_child(job.child) : nullptr;
  offer.policy = old == nullptr ? job.policy : old->policy->name;
  const model::SecurityPolicy* policy = vpn_->find_policy(offer.policy);
  if (policy == nullptr) {
    log(out, Subsystem::Child, 1, "security-policy " + offer.policy + " is not configured");
    return std::nullopt;
  }
  offer.rekeys = old == nullptr ? 0 : old->unique_id;
  const std::vector<wire::Proposal>& proposals = vpn_->proposals_of(*policy);
  offer.proposals = in_auth ? without_key_exchange(proposals) : proposals;
  // A rekey asks for what was agreed on before: anything wider could be narrowed otherwise this time.
  offer.local = old == nullptr ? local_selectors(*policy) : old->local;
  offer.remote = old == nullptr ? remote_selectors(*policy) : old->remote;
  if (vips_.requested) pair_families(offer.local, offer.remote);
  if (offer.local.empty()) {
    log(out, Subsystem::Child, 0, "CHILD SA " + offer.policy + ": no virtual address of the family of its remote-ts");
    out.emplace_back(Notice{Notice::Kind::ChildFailed, vpn_->name, offer.policy, id_, 0, 0, "no virtual address of that family"});
    return std::nullopt;
  }
  offer.transport = policy->mode == model::Mode::Transport;
  if (const std::string why_not = hindrance(*policy, offer.local, offer.remote); !why_not.empty()) {
    log(out, Subsystem::Child, 0, "CHILD SA " + offer.policy + " not asked for: " + why_not);
    out.emplace_back(Notice{Notice::Kind::ChildFailed, vpn_->name, offer.policy, id_, 0, 0, why_not});
    return std::nullopt;
  }
  if (!in_auth) {
    offer.nonce = ctx_.entropy.bytes(kNonceSize);
    const wire::KeGroup group = job.group == wire::KeGroup::None ? first_group(offer.proposals) : job.group;
    if (group != wire::KeGroup::None) {
      auto ke = crypto::KeyExchange::create(group, ctx_.entropy);
      if (!ke) {
        log(out, Subsystem::Child, 1, "CHILD SA " + offer.policy + ": " + ke.error().message);
        return std::nullopt;
      }
      offer.ke = std::move(*ke);
    }
  }
  offer.spi = ctx_.new_child_spi();
  for (wire::Proposal& proposal : offer.proposals) proposal.spi = spi_octets(offer.spi);
  return offer;
}

Payloads IkeSa::offer_payloads(const ChildOffer& offer, bool in_auth) const {
  Payloads out;
  if (const ChildSa* old = find_child(offer.rekeys)) {
    out.push_back(wire::NotifyPayload{NotifyType::RekeySa, old->inbound.protocol, spi_octets(old->inbound.spi), {}});
  }
  out.push_back(wire::SaPayload{offer.proposals});
  if (!in_auth) out.push_back(wire::NoncePayload{offer.nonce});
  if (offer.ke) out.push_back(wire::KePayload{offer.ke->group(), to_bytes(offer.ke->public_value())});
  out.push_back(wire::TsPayload{PayloadType::TsInitiator, offer.local});
  out.push_back(wire::TsPayload{PayloadType::TsResponder, offer.remote});
  if (offer.transport) out.push_back(wire::NotifyPayload{NotifyType::UseTransportMode, ProtocolId::None, {}, {}});
  return out;
}

void IkeSa::begin_create_child(const Job& job, TimePoint now, Effects& out) {
  ChildSa* old = nullptr;
  if (job.kind == Job::Kind::CreateChild && serves(job.policy)) return;  // the peer made it meanwhile
  // ... or is about to
  if (job.kind == Job::Kind::CreateChild && peer_followup_ && peer_followup_->policy == job.policy) return retry_later(job, now);
  if (job.kind == Job::Kind::RekeyChild) {
    old = find_child(job.child);
    // meanwhile deleted, or rekeyed by the peer
    if (old == nullptr || old->replaced_by != 0 || (old->phase != ChildSaPhase::Installed && old->phase != ChildSaPhase::Rekeying)) return;
  }
  auto offer = make_offer(job, false, out);
  if (!offer) return;
  if (old != nullptr) {
    old->phase = ChildSaPhase::Rekeying;
    log(out, Subsystem::Child, 1, "rekeying CHILD SA " + old->policy->name + "{" + std::to_string(old->unique_id) + "}");
  }
  const Payloads payloads = offer_payloads(*offer, false);
  send_request(ExchangeType::CreateChildSa, payloads, CreateChildRequest{std::move(*offer)}, now, out);
}

void IkeSa::offer_failed(const ChildOffer& offer, model::Explanation why, TimePoint now, Effects& out) {
  const std::string reason = why.reason;
  out.emplace_back(Explained{std::move(why)});
  ctx_.child_spis.erase(offer.spi);
  log(out, Subsystem::Child, 0, "CHILD SA " + offer.policy + (offer.rekeys == 0 ? " not established: " : " not rekeyed: ") + reason);
  if (offer.rekeys == 0) {
    out.emplace_back(Notice{Notice::Kind::ChildFailed, vpn_->name, offer.policy, id_, 0, 0, reason});
    return;
  }
  ChildSa* old = find_child(offer.rekeys);
  if (old == nullptr || old->phase != ChildSaPhase::Rekeying) return;
  old->phase = ChildSaPhase::Installed;
  old->rekey_at = now + seconds(30) + ctx_.jittered(seconds(30));  // it lives until dies_at: try again before
}

// The peer has made what we cannot take: its half goes by our Delete (RFC 7296 1.3.1, 2.9).
void IkeSa::refuse_made(const ChildOffer& offer) {
  if (!established() || offer.proposals.empty()) return;
  jobs_.push_back({Job::Kind::RefuseChild, {}, 0, {local_.address, offer.spi, offer.proposals.front().protocol}, {}, 0});
}

bool IkeSa::try_other_group(const Job& job, const std::vector<wire::Proposal>& offered, const wire::NotifyPayload& notify, TimePoint now,
                            Effects& out) {
  Reader reader(notify.data);
  const auto group = static_cast<wire::KeGroup>(reader.u16().value_or(0));
  if (!reader.empty() || job.rounds >= kMaxRounds || group == job.group || !offers_group(offered, group)) return false;
  Job again = job;
  again.group = group;
  log(out, Subsystem::Ike, 1, "the peer asks for key exchange group " + std::to_string(static_cast<int>(group)));
  jobs_.push_front(std::move(again));
  pump(now, out);
  return true;
}

void IkeSa::on_create_child_response(CreateChildRequest& request, const Payloads& payloads, TimePoint now, Effects& out) {
  ChildOffer& offer = request.offer;
  if (offer.more) return on_followup_response(offer, payloads, now, out);
  const auto fail_with = [&](std::string reason) {
    offer_failed(offer, offer_failure(offer, Cause::Malformed, std::move(reason), now), now, out);
    refuse_made(offer);
  };
  ChildSa* old = find_child(offer.rekeys);
  if (const auto* error = find_error(payloads)) {
    if (error->type == NotifyType::InvalidKePayload && try_other_group(offer.job, offer.proposals, *error, now, out)) {
      ctx_.child_spis.erase(offer.spi);
      return;
    }
    if (error->type == NotifyType::TemporaryFailure && offer.job.rounds < kMaxRounds) {
      ctx_.child_spis.erase(offer.spi);
      if (old != nullptr && old->phase == ChildSaPhase::Rekeying) old->phase = ChildSaPhase::Installed;
      log(out, Subsystem::Child, 1, "CHILD SA " + offer.policy + ": the peer is busy, trying again soon");
      return retry_later(offer.job, now);
    }
    offer_failed(offer, refused_offer(offer, *error, now), now, out);
    if (error->type == NotifyType::ChildSaNotFound && old != nullptr) {
      // RFC 7296 2.25.1: the peer does not have it, so neither should we, and another one is made
      remove_child(*old, "the peer does not know it", false, now, out);
      want_child(offer.policy, now, out);
    }
    return;
  }
  const auto* ke = find_payload<wire::KePayload>(payloads);
  const auto selection = accept_answer(offer, payloads, KeyExchangeUse::Negotiate);
  if (!selection) return fail_with(selection.error().message);
  const wire::KeGroup group = group_of(selection->choice);
  const bool pfs = group != wire::KeGroup::None;
  if (pfs != (ke != nullptr) || (pfs && (!offer.ke || ke->group != group || offer.ke->group() != group))) {
    return fail_with("the peer's key exchange is not of the group it chose");
  }
  Secret shared;
  if (pfs) {
    auto secret = offer.ke->shared_secret(ke->data);
    if (!secret) return fail_with(secret.error().message);
    shared = std::move(*secret);
  }
  if (!additional_groups(selection->choice).empty()) return begin_followup(std::move(offer), payloads, std::move(shared), now, out);
  complete_child(offer, payloads, shared, {}, now, out);
}

// All key exchanges are done; `shared` is empty without PFS.
void IkeSa::complete_child(ChildOffer& offer, const Payloads& payloads, const Secret& shared, std::span<const Secret> additional,
                           TimePoint now, Effects& out) {
  ChildSa* old = find_child(offer.rekeys);
  const auto* nonce = find_payload<wire::NoncePayload>(payloads);
  const auto selection = accept_answer(offer, payloads, KeyExchangeUse::Negotiate);
  if (!selection) return offer_failed(offer, offer_failure(offer, Cause::Malformed, selection.error().message, now), now, out);
  const bool gone = std::find(offer.deleted.begin(), offer.deleted.end(), spi_of(selection->choice)) != offer.deleted.end();
  if (gone) {
    const std::string reason = "the peer deleted it before its answer came";
    return offer_failed(offer, offer_failure(offer, Cause::Closed, reason, now), now, out);
  }
  // Their rekey of it that waits for more key exchanges: goes on, or not, by the same rule.
  const bool pending = offer.rekeys != 0 && peer_followup_ && !peer_followup_->ike && peer_followup_->rekeys == offer.rekeys;
  const bool pending_wins = pending && peer_followup_wins(lowest(offer.nonce, nonce->data), offer.rekeys);
  if (pending && !pending_wins) drop_peer_followup();
  // The peer's rekey of the same CHILD SA, which may even have removed the old one by now.
  const std::uint32_t theirs_id = old != nullptr ? old->replaced_by : offer.replaced_by;
  const bool collided = theirs_id != 0;
  const bool loses = pending_wins || (collided && ours_loses(lowest(offer.nonce, nonce->data),
                                                             old != nullptr ? old->replacement_nonce : offer.replacement_nonce));
  const std::string policy = selection->policy->name;
  ChildPlan plan{selection->policy, selection->choice, offer.spi, spi_of(selection->choice), selection->local, selection->remote};
  plan.initiator = true;
  plan.nonce_i = offer.nonce;
  plan.nonce_r = nonce->data;
  plan.shared_secret = &shared;
  plan.additional = additional;
  plan.rekeyed = old;
  // Our request met the peer's after that was done, so that two came of it: ours goes.
  const bool twin = offer.crossed && (serves(policy) || (peer_followup_ && peer_followup_->policy == policy));
  plan.outbound_now = !loses && !twin;
  ChildSa* made = install_child(plan, now, out);
  if (made == nullptr) {
    if (old != nullptr) old->phase = ChildSaPhase::Installed;
    return;
  }
  if (offer.rekeys == 0 && !twin) return;
  if (loses || twin) {
    log(out, Subsystem::Child, 1, "both ends " + std::string(twin ? "made" : "rekeyed") + " CHILD SA " + policy + ": the peer's stays");
    made->phase = ChildSaPhase::Rekeyed;
    jobs_.push_back({Job::Kind::DeleteChild, {}, made->unique_id, {}, {}, 0});
    return;
  }
  if (collided) {
    log(out, Subsystem::Child, 1, "both ends rekeyed CHILD SA " + policy + ": ours stays");
    if (ChildSa* theirs = find_child(theirs_id)) theirs->phase = ChildSaPhase::Rekeyed;
  }
  if (old == nullptr) return;  // the peer deleted it while we rekeyed it: the new one stands in its place
  old->replaced_by = 0;
  old->phase = ChildSaPhase::Rekeyed;
  old->dies_at.reset();
  jobs_.push_back({Job::Kind::DeleteChild, {}, old->unique_id, {}, {}, 0});
}

void IkeSa::on_create_child_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out) {
  const auto* sa = find_payload<wire::SaPayload>(payloads);
  const bool rekeys_ike = !sa->proposals.empty() && sa->proposals.front().protocol == ProtocolId::Ike;
  if (!established()) {
    log(out, Subsystem::Ike, 1, "CREATE_CHILD_SA request put off: this IKE SA is being closed");
    return refuse_request(header, NotifyType::TemporaryFailure, {}, out);
  }
  if (rekeys_ike) return on_rekey_ike_request(header, payloads, now, out);
  // RFC 7296 2.25.2: no change of CHILD SAs while this IKE SA is handed over
  if (requesting<RekeyIkeRequest>() || being_handed_over()) return refuse_request(header, NotifyType::TemporaryFailure, {}, out);
  const auto* rekey = find_notify(payloads, NotifyType::RekeySa);
  if (rekey == nullptr) return on_new_child_request(header, payloads, nullptr, now, out);

  Reader reader(rekey->spi);
  const std::uint32_t spi = reader.u32().value_or(0);
  ChildSa* old = reader.empty() ? find_child_by_spi_out(rekey->protocol, spi) : nullptr;
  // The peer made it, and its answer to us is still under way: it shall ask again (RFC 7296 2.25).
  if (old == nullptr && requesting<CreateChildRequest>()) return refuse_request(header, NotifyType::TemporaryFailure, {}, out);
  if (old == nullptr) {
    log(out, Subsystem::Child, 1, "the peer rekeys a CHILD SA that is not there");
    return send_response(header, {wire::NotifyPayload{NotifyType::ChildSaNotFound, rekey->protocol, rekey->spi, {}}}, out);
  }
  // RFC 7296 2.25.1: what is being closed, or already replaced, is not rekeyed
  const bool closing = old->phase == ChildSaPhase::Deleting || old->phase == ChildSaPhase::Rekeyed || old->replaced_by != 0;
  if (closing) return refuse_request(header, NotifyType::TemporaryFailure, {}, out);
  on_new_child_request(header, payloads, old, now, out);
}

void IkeSa::on_new_child_request(const wire::Header& header, const Payloads& payloads, ChildSa* old, TimePoint now, Effects& out) {
  const auto* nonce = find_payload<wire::NoncePayload>(payloads);
  const auto* ke = find_payload<wire::KePayload>(payloads);
  const auto selection = select_child(payloads, KeyExchangeUse::Negotiate, old == nullptr ? std::string() : old->policy->name);
  if (!selection) {
    model::Explanation why = selection.error().why;
    why.rekey = old != nullptr;
    log(out, Subsystem::Child, 0, "CHILD SA refused: " + why.reason);
    out.emplace_back(Explained{told(ExchangeType::CreateChildSa, false, std::move(why), now)});
    return refuse_request(header, selection.error().notify, selection.error().data, out);
  }
  // Both ends ask for the same CHILD SA at once. Of the two requests that of the IKE SA's initiator counts, so that one comes of it; the
  // other end tries again, and finds it made.
  ChildOffer* ours = requesting<CreateChildRequest>() ? &std::get<CreateChildRequest>(*request_).offer : nullptr;
  const bool crossing = old == nullptr && ours != nullptr && ours->rekeys == 0 && ours->policy == selection->policy->name;
  if (crossing) ours->crossed = true;
  if (crossing && role_ == Role::Initiator) {
    log(out, Subsystem::Child, 1, "CHILD SA " + ours->policy + ": both ends ask for it, our request goes first");
    return refuse_request(header, NotifyType::TemporaryFailure, {}, out);
  }
  crypto::KeyExchange::Response own;
  const wire::KeGroup group = group_of(selection->choice);
  const bool pfs = group != wire::KeGroup::None;
  if (pfs) {
    if (ke == nullptr || ke->group != group) return refuse_request(header, NotifyType::InvalidKePayload, group_octets(group), out);
    auto answer = crypto::KeyExchange::respond(group, ke->data, ctx_.entropy);
    // RFC 6989 2.5
    if (!answer && answer.error().fault == Fault::Peer) return refuse_as_malformed(header, answer.error().message, now, out);
    if (!answer) return refuse_request(header, NotifyType::NoProposalChosen, {}, out);
    own = std::move(*answer);
  }
  const Bytes own_nonce = ctx_.entropy.bytes(kNonceSize);
  const auto answer_with = [&](std::uint32_t spi_in) {
    Payloads answer = child_answer(*selection, spi_in);
    answer.insert(answer.begin() + 1, wire::NoncePayload{own_nonce});
    if (pfs) answer.insert(answer.begin() + 2, wire::KePayload{group, own.public_value});
    return answer;
  };
  if (auto groups = additional_groups(selection->choice); !groups.empty()) {
    PeerFollowup pending;
    pending.nonce_i = nonce->data;
    pending.nonce_r = own_nonce;
    pending.policy = selection->policy->name;
    pending.choice = selection->choice;
    pending.local = selection->local;
    pending.remote = selection->remote;
    pending.spi_in = ctx_.new_child_spi();
    pending.rekeys = old == nullptr ? 0 : old->unique_id;
    Payloads answer = answer_with(pending.spi_in);
    answer.push_back(await_followup(std::move(pending), std::move(own.shared_secret), std::move(groups), now));
    return send_response(header, answer, out);
  }
  ChildPlan plan{selection->policy,         selection->choice, ctx_.new_child_spi(),
                 spi_of(selection->choice), selection->local,  selection->remote};
  plan.nonce_i = nonce->data;
  plan.nonce_r = own_nonce;
  plan.shared_secret = &own.shared_secret;
  plan.rekeyed = old;
  // The initiator cannot receive on the new SA before it has our answer; it says so by deleting the old one.
  plan.outbound_now = old == nullptr;
  ChildSa* made = install_child(plan, now, out);
  if (made == nullptr) return refuse_request(header, NotifyType::NoProposalChosen, {}, out);
  if (old != nullptr) {
    old->replaced_by = made->unique_id;
    old->replacement_nonce = lowest(nonce->data, own_nonce);
    old->rekey_at.reset();
  }
  send_response(header, answer_with(plan.spi_in), out);
}

void IkeSa::begin_rekey_ike(const Job& job, TimePoint now, Effects& out) {
  if (being_handed_over()) return;
  IkeOffer offer;
  offer.job = job;
  offer.nonce = ctx_.entropy.bytes(kNonceSize);
  offer.proposals = vpn_->ike.proposals;
  auto ke = crypto::KeyExchange::create(job.group == wire::KeGroup::None ? first_group(offer.proposals) : job.group, ctx_.entropy);
  if (!ke) return log(out, Subsystem::Ike, 1, "IKE SA cannot be rekeyed: " + ke.error().message);
  offer.ke = std::move(*ke);
  offer.spi = ctx_.new_ike_spi();
  for (wire::Proposal& proposal : offer.proposals) proposal.spi = spi_octets(offer.spi);
  set_phase(IkeSaPhase::Rekeying, out);
  const Payloads payloads = {wire::SaPayload{offer.proposals}, wire::NoncePayload{offer.nonce},
                             wire::KePayload{offer.ke->group(), to_bytes(offer.ke->public_value())}};
  send_request(ExchangeType::CreateChildSa, payloads, RekeyIkeRequest{std::move(offer)}, now, out);
}

IkeSa* IkeSa::make_successor(Role role, wire::IkeSpi spi_i, wire::IkeSpi spi_r, wire::Proposal choice, IkeKeys keys, TimePoint now,
                             Effects& out) {
  std::unique_ptr<IkeSa> successor(new IkeSa(ctx_, role, vpn_, local_, remote_, now));
  successor->spi_i_ = spi_i;
  successor->spi_r_ = spi_r;
  successor->choice_ = std::move(choice);
  successor->keys_ = std::move(keys);
  successor->local_id_ = local_id_;
  successor->remote_id_ = remote_id_;
  successor->local_eap_id_ = local_eap_id_;
  successor->remote_eap_id_ = remote_eap_id_;
  successor->eap_method_ = eap_method_;
  successor->radius_server_ = radius_server_;
  successor->local_certificate_ = local_certificate_;
  successor->remote_certificate_ = remote_certificate_;
  successor->inherit_addresses(*this);
  successor->ppk_ = ppk_;
  successor->fragmentation_ = fragmentation_;  // agreed on in IKE_SA_INIT alone, so for all that follow from it
  successor->we_behind_nat_ = we_behind_nat_;
  successor->peer_behind_nat_ = peer_behind_nat_;
  successor->reply_local_ = reply_local_;
  successor->reply_remote_ = reply_remote_;
  successor->mobike_ = mobike_;
  successor->mobike_initiator_ = mobike_initiator_;
  successor->redirects_ = redirects_;
  successor->ticket_refused_ = ticket_refused_;
  successor->authenticated_until_ = authenticated_until_;
  successor->announced_ = announced_;
  successor->peer_addresses_ = peer_addresses_;
  successor->replaces_ = replaces_;
  successor->between_ = between_;
  successor->phase_ = IkeSaPhase::Established;
  successor->established_at_ = now;
  successor->retire_at_ = retire_at_;
  successor->retire_reason_ = retire_reason_;
  successor->begin_lifetime(now);
  // a rekey does not prolong an authentication
  successor->reauth_at_ = reauth_at_;
  successor->authentication_ends_ = authentication_ends_;
  if (authentication_ends_) successor->dies_at_ = std::min(successor->dies_at_.value_or(*authentication_ends_), *authentication_ends_);
  ctx_.count(role == Role::Initiator ? model::Counter::IkeRekeyInit : model::Counter::IkeRekeyResp, vpn_.get());
  log(out, Subsystem::Ike, 0, "IKE SA rekeyed, now [" + std::to_string(successor->id_) + "]");
  successor->notice(out, Notice::Kind::IkeRekeyed);
  std::get<Notice>(out.back()).former = id_;
  successor->explain_success(true, now, out);
  ctx_.newborn.push_back(std::move(successor));
  return ctx_.newborn.back().get();
}

void IkeSa::hand_over(IkeSa& successor, TimePoint now, Effects& out) {
  log(out, Subsystem::Ike, 2, std::to_string(children_.size()) + " CHILD SAs handed over to [" + std::to_string(successor.id_) + "]");
  for (auto& child : children_) {
    ctx_.sa_owners[child->inbound] = ctx_.sa_owners[child->outbound] = {successor.id_, child->unique_id};
    successor.children_.push_back(std::move(child));
    successor.move_child(*successor.children_.back(), now, out);  // the peer may have moved meanwhile
  }
  children_.clear();
  drop_peer_followup();
  std::erase_if(jobs_, [&](Job& job) {
    if (job.kind == Job::Kind::DeleteIke) return false;  // its own end still has to be told
    const bool only_here =
        job.kind == Job::Kind::RekeyIke || job.kind == Job::Kind::AuthenticationFailed || job.kind == Job::Kind::Liveness;
    if (!only_here) successor.jobs_.push_back(std::move(job));
    return true;
  });
  for (DelayedJob& delayed : delayed_) {
    if (delayed.job.kind != Job::Kind::RekeyIke) successor.delayed_.push_back(std::move(delayed));
  }
  delayed_.clear();
  // What was under way on this IKE SA will not be answered any more: begun anew on the other.
  if (request_) {
    if (auto* create = std::get_if<CreateChildRequest>(&*request_)) {
      ctx_.child_spis.erase(create->offer.spi);
      successor.jobs_.push_back(create->offer.job);
      if (ChildSa* old = successor.find_child(create->offer.rekeys); old != nullptr && old->phase == ChildSaPhase::Rekeying)
        old->phase = ChildSaPhase::Installed;
      request_.reset();
      window_.finish();
    } else if (auto* removal = std::get_if<DeleteChildRequest>(&*request_)) {
      successor.jobs_.push_back({Job::Kind::DeleteChild, {}, removal->child, {}, {}, 0});
      request_.reset();
      window_.finish();
    } else if (std::holds_alternative<UpdateAddressesRequest>(*request_)) {
      successor.jobs_.push_back({Job::Kind::UpdateAddresses, {}, 0, {}, {}, 0});
      request_.reset();
      window_.finish();
    }
  }
  reauth_at_.reset();  // that is the successor's now
  successor.predecessor_ = 0;
  ctx_.handed_over.emplace_back(id_, successor.id_);
  ctx_.rescheduled.push_back(successor.id_);
}

// The peer deletes this IKE SA, which its rekey made in vain. It may not know of it, when our answer never came: then it goes by itself.
void IkeSa::lose_collision(TimePoint now, Effects& out) {
  predecessor_ = 0;
  rekey_at_.reset();
  reauth_at_.reset();
  dies_at_.reset();
  if (!established()) return;
  set_phase(IkeSaPhase::Rekeyed, out);
  give_up_at_ = now + kLoserLife;
  ctx_.rescheduled.push_back(id_);
}

void IkeSa::on_rekey_ike_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out) {
  // RFC 7296 2.25.2: not while CHILD SAs are being made or closed
  const bool changing = requesting<CreateChildRequest>() || requesting<DeleteChildRequest>() || requesting<DeleteIkeRequest>();
  if (changing) return refuse_request(header, NotifyType::TemporaryFailure, {}, out);
  if (peer_rekey_) {
    // The window is one: whoever rekeys again has given up what it rekeyed to before.
    if (IkeSa* abandoned = ctx_.find_ike(peer_rekey_->successor); abandoned != nullptr && abandoned->predecessor_ == id_)
      abandoned->lose_collision(now, out);
    peer_rekey_.reset();
  }
  const auto* sa = find_payload<wire::SaPayload>(payloads);
  const auto* nonce = find_payload<wire::NoncePayload>(payloads);
  const auto* ke = find_payload<wire::KePayload>(payloads);
  auto choice = choose_proposal(vpn_->ike.proposals, sa->proposals, KeyExchangeUse::Negotiate);
  if (!choice) {
    const std::string reason = explain_mismatch(vpn_->ike.proposals, sa->proposals, KeyExchangeUse::Negotiate);
    log(out, Subsystem::Ike, 0, "rekey of the IKE SA refused: " + reason);
    model::Explanation why = rekey_failure(Cause::IkeProposal, "no proposal fits: " + reason, false, now);
    explain_proposals(OwnProposals::ike(*vpn_), sa->proposals, why);
    out.emplace_back(Explained{std::move(why)});
    return refuse_request(header, NotifyType::NoProposalChosen, {}, out);
  }
  const wire::KeGroup group = group_of(*choice);
  if (ke == nullptr || ke->group != group) return refuse_request(header, NotifyType::InvalidKePayload, group_octets(group), out);
  const auto chosen =
      std::find_if(sa->proposals.begin(), sa->proposals.end(), [&](const auto& one) { return one.number == choice->number; });
  Reader reader(chosen->spi);
  const wire::IkeSpi peer_new_spi = reader.u64().value_or(0);
  if (peer_new_spi == 0 || !reader.empty()) return refuse_as_malformed(header, "rekey of the IKE SA: no new SPI", now, out);
  auto own = crypto::KeyExchange::respond(group, ke->data, ctx_.entropy);
  if (!own) return refuse_as_malformed(header, "rekey of the IKE SA: " + own.error().message, now, out);
  const Bytes own_nonce = ctx_.entropy.bytes(kNonceSize);
  const wire::IkeSpi own_spi = ctx_.new_ike_spi();
  if (auto groups = additional_groups(*choice); !groups.empty()) {
    PeerFollowup pending;
    pending.nonce_i = nonce->data;
    pending.nonce_r = own_nonce;
    pending.ike = true;
    pending.choice = *choice;
    pending.spi_i = peer_new_spi;
    pending.spi_r = own_spi;
    wire::Proposal answer = *choice;
    answer.spi = spi_octets(own_spi);
    const wire::NotifyPayload link = await_followup(std::move(pending), std::move(own->shared_secret), std::move(groups), now);
    return send_response(
        header, {wire::SaPayload{{std::move(answer)}}, wire::NoncePayload{own_nonce}, wire::KePayload{group, own->public_value}, link},
        out);
  }
  auto keys =
      derive_rekeyed_ike_keys(*choice, {nonce->data, own_nonce, peer_new_spi, own_spi}, own->shared_secret, *keys_, {}, ctx_.key_sink);
  if (!keys) {
    ctx_.ike_spis.erase(own_spi);
    return refuse_request(header, NotifyType::NoProposalChosen, {}, out);
  }
  wire::Proposal answer = *choice;
  answer.spi = spi_octets(own_spi);
  const IkeSa* successor =
      complete_peer_rekey_ike(std::move(*choice), peer_new_spi, own_spi, std::move(*keys), lowest(nonce->data, own_nonce), now, out);
  Payloads payloads_sent = {wire::SaPayload{{std::move(answer)}}, wire::NoncePayload{own_nonce},
                            wire::KePayload{group, std::move(own->public_value)}};
  successor->add_crash_token(payloads_sent);
  send_response(header, payloads_sent, out);
}

IkeSa* IkeSa::complete_peer_rekey_ike(wire::Proposal choice, wire::IkeSpi spi_i, wire::IkeSpi spi_r, IkeKeys keys, Bytes lowest_nonce,
                                      TimePoint now, Effects& out) {
  IkeSa* successor = make_successor(Role::Responder, spi_i, spi_r, std::move(choice), std::move(keys), now, out);
  // The CHILD SAs follow when the peer deletes this IKE SA, or begins to use the new one: until then a collision may change which stays.
  successor->predecessor_ = id_;
  peer_rekey_ = PeerRekey{successor->id_, std::move(lowest_nonce)};
  rekey_at_.reset();
  set_phase(IkeSaPhase::Rekeying, out);
  successor->ask_for_ticket_later(now);
  return successor;
}

void IkeSa::rekey_ike_failed(IkeOffer& offer, Cause cause, const std::string& reason, bool proposal, TimePoint now, Effects& out) {
  ctx_.ike_spis.erase(offer.spi);
  if (!being_handed_over() && phase_ != IkeSaPhase::Deleting) {
    set_phase(IkeSaPhase::Established, out);
    rekey_at_ = now + seconds(30) + ctx_.jittered(seconds(30));
  }
  log(out, Subsystem::Ike, being_handed_over() ? 1 : 0, "IKE SA not rekeyed: " + reason);
  model::Explanation why = rekey_failure(cause, reason, true, now);
  if (proposal) explain_refused_proposals(OwnProposals::ike(*vpn_), why);
  out.emplace_back(Explained{std::move(why)});
}

void IkeSa::on_rekey_ike_response(RekeyIkeRequest& request, const Payloads& payloads, TimePoint now, Effects& out) {
  IkeOffer& offer = request.offer;
  if (offer.more) return on_followup_response(offer, payloads, now, out);
  const bool closing = phase_ == IkeSaPhase::Deleting;
  const auto failed = [&](const std::string& reason) {
    const auto* error = find_error(payloads);
    const bool proposal = error != nullptr && (error->type == NotifyType::NoProposalChosen || error->type == NotifyType::InvalidKePayload);
    rekey_ike_failed(offer, error == nullptr ? Cause::Malformed : Cause::Refused, reason, proposal, now, out);
  };
  if (const auto* error = find_error(payloads)) {
    if (error->type == NotifyType::InvalidKePayload && !closing && try_other_group(offer.job, offer.proposals, *error, now, out)) {
      ctx_.ike_spis.erase(offer.spi);
      return;
    }
    if (error->type == NotifyType::TemporaryFailure && offer.job.rounds < kMaxRounds && !being_handed_over() && !closing) {
      ctx_.ike_spis.erase(offer.spi);
      set_phase(IkeSaPhase::Established, out);
      return retry_later(offer.job, now);
    }
    return failed("the peer answered " + wire::to_string(error->type));
  }
  const auto* sa = find_payload<wire::SaPayload>(payloads);
  const auto* ke = find_payload<wire::KePayload>(payloads);
  const auto choice =
      sa->proposals.size() == 1 ? accept_choice(offer.proposals, sa->proposals.front(), KeyExchangeUse::Negotiate) : std::nullopt;
  if (!choice || ke == nullptr || ke->group != group_of(*choice) || offer.ke->group() != ke->group)
    return failed("the peer chose what was not offered");
  Reader reader(choice->spi);
  const wire::IkeSpi peer_new_spi = reader.u64().value_or(0);
  if (peer_new_spi == 0 || !reader.empty()) return failed("the peer's answer has no new SPI");
  auto shared = offer.ke->shared_secret(ke->data);
  if (!shared) return failed(shared.error().message);
  if (!additional_groups(*choice).empty() && closing) {  // the peer has not made it yet, and will not
    ctx_.ike_spis.erase(offer.spi);
    return;
  }
  if (!additional_groups(*choice).empty()) return begin_followup(std::move(offer), payloads, std::move(*shared), now, out);
  complete_rekey_ike(offer, payloads, *shared, {}, now, out);
}

// All key exchanges are done.
void IkeSa::complete_rekey_ike(IkeOffer& offer, const Payloads& payloads, const Secret& shared, std::span<const Secret> additional,
                               TimePoint now, Effects& out) {
  const bool closing = phase_ == IkeSaPhase::Deleting;
  const auto* sa = find_payload<wire::SaPayload>(payloads);
  const auto* nonce = find_payload<wire::NoncePayload>(payloads);
  auto choice = accept_choice(offer.proposals, sa->proposals.front(), KeyExchangeUse::Negotiate);
  const wire::IkeSpi peer_new_spi = Reader(choice->spi).u64().value_or(0);
  auto keys =
      derive_rekeyed_ike_keys(*choice, {offer.nonce, nonce->data, offer.spi, peer_new_spi}, shared, *keys_, additional, ctx_.key_sink);
  if (!keys) return rekey_ike_failed(offer, Cause::IkeProposal, keys.error().message, false, now, out);

  const bool pending_wins = peer_followup_wins(lowest(offer.nonce, nonce->data), 0);
  if (peer_followup_of_ike() && !pending_wins) drop_peer_followup();
  const bool loses = pending_wins || (peer_rekey_ && ours_loses(lowest(offer.nonce, nonce->data), peer_rekey_->lowest_nonce));
  IkeSa* successor = make_successor(Role::Initiator, offer.spi, peer_new_spi, std::move(*choice), std::move(*keys), now, out);
  if (loses || closing) {
    // Closing: the peer has the new one as well, and takes it for the one that stays. Losing: the peer deletes this IKE SA in favour of its
    // own.
    log(out, Subsystem::Ike, 1,
        closing ? "rekeyed while being closed: the new IKE SA goes too" : "both ends rekeyed the IKE SA: the peer's stays");
    successor->jobs_.push_back({Job::Kind::DeleteIke, {}, 0, {}, {}, 0});
    successor->set_phase(IkeSaPhase::Rekeyed, out);
    return successor->pump(now, out);
  }
  if (peer_rekey_) {
    log(out, Subsystem::Ike, 1, "both ends rekeyed the IKE SA: ours stays");
    if (IkeSa* theirs = ctx_.find_ike(peer_rekey_->successor)) {
      theirs->lose_collision(now, out);
    }
    peer_rekey_.reset();
  }
  hand_over(*successor, now, out);
  set_phase(IkeSaPhase::Rekeyed, out);
  jobs_.push_back({Job::Kind::DeleteIke, {}, 0, {}, {}, 0});
  successor->learn_crash_token(payloads);
  // RFC 6290 4.3: ours goes in an exchange of its own, as the sign of life does
  if (ctx_.crash_tokens.any() || successor->wants_ticket()) successor->jobs_.push_front({Job::Kind::Liveness, {}, 0, {}, {}, 0});
  successor->pump(now, out);
}

}  // namespace svti::sa
