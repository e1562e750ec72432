// SPDX-License-Identifier: Apache-2.0
// IKE_FOLLOWUP_KE, both roles: RFC 9370 2.2.4. CREATE_CHILD_SA has agreed on everything, and the SA is made when the last additional key
// exchange is done.
//
// Both ends may rekey the same SA at once. When both CREATE_CHILD_SA are through, the four nonces say which of the two loses
// (RFC 7296 2.8.1): whoever began it does not go on with it.
#include "sa/followup_ke.h"

#include <algorithm>

#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::Cause;
using model::ChildSaPhase;
using wire::ExchangeType;
using wire::NotifyType;

namespace {

constexpr std::size_t kLinkSize = 16;
constexpr Duration kPeerGoesOnWithin = seconds(60);  // else what it has begun is forgotten
constexpr std::uint32_t kMaxRounds = 4;

wire::NotifyPayload link_notify(Bytes link) { return {NotifyType::AdditionalKeyExchange, wire::ProtocolId::None, {}, std::move(link)}; }

std::unique_ptr<FollowupOffer> offer_of(const Payloads& answer, Secret first, std::vector<wire::KeGroup> groups, const Bytes& our_nonce) {
  const auto* link = find_notify(answer, NotifyType::AdditionalKeyExchange);
  if (link == nullptr) return nullptr;
  auto out = std::make_unique<FollowupOffer>();
  out->state = {std::move(groups), std::move(first), {}, link->data};
  out->answer = answer;
  out->lowest_nonce = std::min(our_nonce, find_payload<wire::NoncePayload>(answer)->data);
  return out;
}

}  // namespace

// --- initiator --------------------------------------------------------------------------------------------------------------

void IkeSa::begin_followup(ChildOffer offer, const Payloads& answer, Secret first, TimePoint now, Effects& out) {
  const auto* sa = find_payload<wire::SaPayload>(answer);
  offer.more = offer_of(answer, std::move(first), additional_groups(sa->proposals.front()), offer.nonce);
  if (!offer.more) {
    offer_failed(offer, offer_failure(offer, Cause::Malformed, "the peer's answer has no ADDITIONAL_KEY_EXCHANGE", now), now, out);
    return;
  }
  send_followup(std::move(offer), now, out);
}

void IkeSa::begin_followup(IkeOffer offer, const Payloads& answer, Secret first, TimePoint now, Effects& out) {
  const auto* sa = find_payload<wire::SaPayload>(answer);
  offer.more = offer_of(answer, std::move(first), additional_groups(sa->proposals.front()), offer.nonce);
  if (!offer.more) return rekey_ike_failed(offer, Cause::Malformed, "the peer's answer has no ADDITIONAL_KEY_EXCHANGE", false, now, out);
  send_followup(std::move(offer), now, out);
}

// The peer's rekey of the same SA (`rekeys` 0: of this IKE SA) is under way, and of the nonces ours are the ones that lose.
bool IkeSa::peer_followup_wins(const Bytes& our_lowest, std::uint32_t rekeys) const {
  if (!peer_followup_ || (rekeys == 0 ? !peer_followup_->ike : peer_followup_->rekeys != rekeys)) return false;
  return our_lowest < std::min(peer_followup_->nonce_i, peer_followup_->nonce_r);
}

void IkeSa::send_followup(ChildOffer offer, TimePoint now, Effects& out) {
  const ChildSa* old = find_child(offer.rekeys);
  const Bytes* theirs = old != nullptr && old->replaced_by != 0 ? &old->replacement_nonce
                        : offer.replaced_by != 0                ? &offer.replacement_nonce
                                                                : nullptr;
  const bool theirs_made = theirs != nullptr && offer.more->lowest_nonce < *theirs;
  if (offer.rekeys != 0 && (theirs_made || peer_followup_wins(offer.more->lowest_nonce, offer.rekeys))) {
    log(out, Subsystem::Child, 1, "both ends rekey CHILD SA " + offer.policy + ": the peer's goes on");
    ctx_.child_spis.erase(offer.spi);
    return;
  }
  auto ke = crypto::KeyExchange::create(offer.more->state.groups.front(), ctx_.entropy);
  if (!ke) return offer_failed(offer, offer_failure(offer, Cause::KeyExchangeGroup, ke.error().message, now), now, out);
  offer.more->ke = std::move(*ke);
  const Payloads payloads = {wire::KePayload{offer.more->ke->group(), to_bytes(offer.more->ke->public_value())},
                             link_notify(offer.more->state.link)};
  send_request(ExchangeType::IkeFollowupKe, payloads, CreateChildRequest{std::move(offer)}, now, out);
}

void IkeSa::send_followup(IkeOffer offer, TimePoint now, Effects& out) {
  if (phase_ == model::IkeSaPhase::Deleting) return void(ctx_.ike_spis.erase(offer.spi));
  if ((peer_rekey_ && offer.more->lowest_nonce < peer_rekey_->lowest_nonce) || peer_followup_wins(offer.more->lowest_nonce, 0)) {
    log(out, Subsystem::Ike, 1, "both ends rekey the IKE SA: the peer's goes on");
    ctx_.ike_spis.erase(offer.spi);
    return;
  }
  auto ke = crypto::KeyExchange::create(offer.more->state.groups.front(), ctx_.entropy);
  if (!ke) return rekey_ike_failed(offer, Cause::KeyExchangeGroup, ke.error().message, false, now, out);
  offer.more->ke = std::move(*ke);
  const Payloads payloads = {wire::KePayload{offer.more->ke->group(), to_bytes(offer.more->ke->public_value())},
                             link_notify(offer.more->state.link)};
  send_request(ExchangeType::IkeFollowupKe, payloads, RekeyIkeRequest{std::move(offer)}, now, out);
}

// Takes the peer's half of one exchange. True: it was the last.
Result<bool> IkeSa::take_followup(FollowupOffer& more, const Payloads& payloads) const {
  const auto* ke = find_payload<wire::KePayload>(payloads);
  if (ke == nullptr || ke->group != more.ke->group()) return peer_error("the peer's additional key exchange is not the one agreed on");
  auto shared = more.ke->shared_secret(ke->data);
  if (!shared) return fail(shared.error());
  more.state.additional.push_back(std::move(*shared));
  more.state.groups.erase(more.state.groups.begin());
  if (more.state.groups.empty()) return true;
  const auto* link = find_notify(payloads, NotifyType::AdditionalKeyExchange);
  if (link == nullptr) return peer_error("the peer's answer has no ADDITIONAL_KEY_EXCHANGE");
  more.state.link = link->data;
  return false;
}

void IkeSa::on_followup_response(ChildOffer& offer, const Payloads& payloads, TimePoint now, Effects& out) {
  if (const auto* error = find_error(payloads)) {
    ChildSa* old = find_child(offer.rekeys);
    const bool theirs = offer.rekeys != 0 && (old == nullptr || old->replaced_by != 0 ||
                                              (peer_followup_ && !peer_followup_->ike && peer_followup_->rekeys == offer.rekeys));
    const bool again = error->type == NotifyType::StateNotFound || error->type == NotifyType::TemporaryFailure;
    if (!again || (!theirs && offer.job.rounds >= kMaxRounds)) return offer_failed(offer, refused_offer(offer, *error, now), now, out);
    // RFC 9370 2.2.4: the peer has forgotten what was begun, or decided that its own goes on
    ctx_.child_spis.erase(offer.spi);
    log(out, Subsystem::Child, 1, "CHILD SA " + offer.policy + ": the peer answered " + wire::to_string(error->type));
    if (theirs) return;
    if (old != nullptr && old->phase == ChildSaPhase::Rekeying) old->phase = ChildSaPhase::Installed;
    return retry_later(offer.job, now);
  }
  const auto last = take_followup(*offer.more, payloads);
  if (!last) {
    offer_failed(offer, offer_failure(offer, Cause::Malformed, last.error().message, now), now, out);
    return refuse_made(offer);
  }
  if (!*last) return send_followup(std::move(offer), now, out);
  const std::unique_ptr<FollowupOffer> more = std::move(offer.more);
  complete_child(offer, more->answer, more->state.first, more->state.additional, now, out);
}

void IkeSa::on_followup_response(IkeOffer& offer, const Payloads& payloads, TimePoint now, Effects& out) {
  if (const auto* error = find_error(payloads)) {
    const bool again = error->type == NotifyType::StateNotFound || error->type == NotifyType::TemporaryFailure;
    const bool theirs = being_handed_over() || peer_rekey_;
    if (again && theirs) {
      ctx_.ike_spis.erase(offer.spi);
      return log(out, Subsystem::Ike, 1, "IKE SA: the peer's rekey goes on");
    }
    return rekey_ike_failed(offer, Cause::Refused, "the peer answered " + wire::to_string(error->type), false, now, out);
  }
  const auto last = take_followup(*offer.more, payloads);
  if (!last) return rekey_ike_failed(offer, Cause::Malformed, last.error().message, false, now, out);
  if (!*last) return send_followup(std::move(offer), now, out);
  const std::unique_ptr<FollowupOffer> more = std::move(offer.more);
  complete_rekey_ike(offer, more->answer, more->state.first, more->state.additional, now, out);
}

// --- responder --------------------------------------------------------------------------------------------------------------

// Keeps what CREATE_CHILD_SA has agreed on; the result goes into its response. One of these at a time, as the window is one: what the peer
// began before and did not go on with is forgotten.
wire::NotifyPayload IkeSa::await_followup(PeerFollowup pending, Secret first, std::vector<wire::KeGroup> groups, TimePoint now) {
  drop_peer_followup();
  pending.state = {std::move(groups), std::move(first), {}, ctx_.entropy.bytes(kLinkSize)};
  pending.expires = now + kPeerGoesOnWithin;
  peer_followup_ = std::make_unique<PeerFollowup>(std::move(pending));
  return link_notify(peer_followup_->state.link);
}

void IkeSa::drop_peer_followup() {
  if (!peer_followup_) return;
  if (peer_followup_->spi_in != 0) ctx_.child_spis.erase(peer_followup_->spi_in);
  if (peer_followup_->spi_r != 0) ctx_.ike_spis.erase(peer_followup_->spi_r);
  peer_followup_.reset();
}

// The peer has not gone on: what waited for it goes on itself.
void IkeSa::on_followup_overdue(TimePoint now, Effects& out) {
  const bool ike = peer_followup_->ike;
  ChildSa* old = find_child(peer_followup_->rekeys);
  log(out, Subsystem::Ike, 1, "the peer does not go on with its additional key exchanges");
  drop_peer_followup();
  if (ike && !requesting<RekeyIkeRequest>() && !peer_rekey_ && established()) {
    set_phase(model::IkeSaPhase::Established, out);
    rekey_at_ = now + seconds(30);
  }
  if (old != nullptr && old->phase == ChildSaPhase::Rekeying && !requesting<CreateChildRequest>()) {
    old->phase = ChildSaPhase::Installed;
    old->rekey_at = now + seconds(30);
  }
}

void IkeSa::on_followup_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out) {
  const auto* ke = find_payload<wire::KePayload>(payloads);
  const auto* link = find_notify(payloads, NotifyType::AdditionalKeyExchange);
  if (link == nullptr) return refuse_as_malformed(header, "IKE_FOLLOWUP_KE without ADDITIONAL_KEY_EXCHANGE", now, out);
  if (!established() || !peer_followup_ || !equal(link->data, peer_followup_->state.link)) {
    log(out, Subsystem::Ike, 1, "IKE_FOLLOWUP_KE that belongs to nothing under way");
    return refuse_request(header, NotifyType::StateNotFound, {}, out);
  }
  FollowupState& state = peer_followup_->state;
  if (ke->group != state.groups.front())
    return refuse_as_malformed(header, "its additional key exchange is not the one agreed on", now, out);
  auto answer = crypto::KeyExchange::respond(ke->group, ke->data, ctx_.entropy);
  if (!answer) return refuse_as_malformed(header, answer.error().message, now, out);
  state.additional.push_back(std::move(answer->shared_secret));
  state.groups.erase(state.groups.begin());
  const wire::KePayload payload{ke->group, std::move(answer->public_value)};
  if (state.groups.empty()) return finish_followup(header, payload, now, out);
  state.link = ctx_.entropy.bytes(kLinkSize);
  peer_followup_->expires = now + kPeerGoesOnWithin;
  send_response(header, {payload, link_notify(state.link)}, out);
}

void IkeSa::finish_followup(const wire::Header& header, const wire::KePayload& answer, TimePoint now, Effects& out) {
  const std::unique_ptr<PeerFollowup> done = std::move(peer_followup_);
  const auto forget = [&] {
    if (done->spi_in != 0) ctx_.child_spis.erase(done->spi_in);
    if (done->spi_r != 0) ctx_.ike_spis.erase(done->spi_r);
    refuse_request(header, NotifyType::StateNotFound, {}, out);
  };
  if (done->ike) {
    auto keys = derive_rekeyed_ike_keys(done->choice, {done->nonce_i, done->nonce_r, done->spi_i, done->spi_r}, done->state.first, *keys_,
                                        done->state.additional, ctx_.key_sink);
    if (!keys) return forget();
    complete_peer_rekey_ike(done->choice, done->spi_i, done->spi_r, std::move(*keys), std::min(done->nonce_i, done->nonce_r), now, out);
    return send_response(header, {answer}, out);
  }
  ChildSa* old = find_child(done->rekeys);
  // meanwhile deleted, or replaced by what we began
  const bool late = done->rekeys != 0 && (old == nullptr || old->phase == ChildSaPhase::Deleting || old->phase == ChildSaPhase::Rekeyed);
  if (late) return forget();
  ChildPlan plan{vpn_->find_policy(done->policy), done->choice, done->spi_in, spi_of(done->choice), done->local, done->remote};
  plan.nonce_i = done->nonce_i;
  plan.nonce_r = done->nonce_r;
  plan.shared_secret = &done->state.first;
  plan.additional = done->state.additional;
  plan.rekeyed = old;
  plan.outbound_now = old == nullptr;
  // Our request for the same has met the peer's: of the two that come of it ours goes.
  ChildOffer* ours = requesting<CreateChildRequest>() ? &std::get<CreateChildRequest>(*request_).offer : nullptr;
  if (old == nullptr && ours != nullptr && ours->rekeys == 0 && ours->policy == done->policy) ours->crossed = true;
  ChildSa* made = install_child(plan, now, out);
  if (made == nullptr) return refuse_request(header, NotifyType::NoProposalChosen, {}, out);
  if (old != nullptr) {
    old->replaced_by = made->unique_id;
    old->replacement_nonce = std::min(done->nonce_i, done->nonce_r);
    old->rekey_at.reset();
  }
  send_response(header, {answer}, out);
}

}  // namespace svti::sa
