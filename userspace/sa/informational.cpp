// SPDX-License-Identifier: Apache-2.0
// INFORMATIONAL, the responder's half: Delete, liveness, notifications (RFC 7296 1.4, 2.4).
#include <algorithm>

#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::ChildSaPhase;
using model::IkeSaPhase;
using wire::NotifyType;
using wire::ProtocolId;

namespace {

bool deletes_ike_sa(const Payloads& payloads) {
  return std::any_of(payloads.begin(), payloads.end(), [](const wire::Payload& payload) {
    const auto* one = std::get_if<wire::DeletePayload>(&payload);
    return one != nullptr && one->protocol == ProtocolId::Ike;
  });
}

}  // namespace

// The peer speaks on the new IKE SA before its Delete of the old one came: it has moved the CHILD SAs, and so do we. Unless what it
// says is that the new one goes, as the loser of a collision does.
void IkeSa::take_over_from_predecessor(const Payloads& payloads, TimePoint now, Effects& out) {
  if (predecessor_ == 0 || deletes_ike_sa(payloads)) return;
  IkeSa* predecessor = ctx_.find_ike(predecessor_);
  predecessor_ = 0;
  if (predecessor != nullptr && !predecessor->dead()) predecessor->hand_over(*this, now, out);
}

void IkeSa::on_informational_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out) {
  if (find_notify(payloads, NotifyType::AuthenticationFailed) != nullptr) {
    send_response(header, {}, out);
    log(out, Subsystem::Ike, 0, "the peer does not accept our authentication");
    model::Explanation why = connect_failure(model::Cause::Authentication, "the peer does not accept our authentication", now);
    why.initiator = false;
    why.authenticated = false;  // it authenticated itself, and then took us for somebody else
    out.emplace_back(Explained{std::move(why)});
    close_children("the peer does not accept our authentication", false, now, out);
    return destroy("the peer does not accept our authentication", now, out);
  }
  if (deletes_ike_sa(payloads)) {
    // RFC 7296 1.4.1: the answer to the Delete of an IKE SA is empty
    send_response(header, {}, out);
    IkeSa* successor = peer_rekey_ ? ctx_.find_ike(peer_rekey_->successor) : nullptr;
    if (successor != nullptr && successor->established()) {
      hand_over(*successor, now, out);
      successor->pump(now, out);
      set_phase(IkeSaPhase::Rekeyed, out);
    } else if (established() && predecessor_ == 0) {
      log(out, Subsystem::Ike, 0, "the peer deletes the IKE SA");
      close_children("the peer deletes the IKE SA", false, now, out);
      notice(out, Notice::Kind::IkeDown, "deleted by the peer");
    }
    while (!children_.empty()) remove_child(*children_.back(), "its IKE SA is deleted", true, now, out);
    release_addresses(out);
    // Kept a while to answer a retransmission of the Delete.
    jobs_.clear();
    delayed_.clear();
    abandon_request();
    set_phase(IkeSaPhase::Deleting, out);
    give_up_at_ = now + seconds(10);
    return;
  }
  Payloads response;
  for (const wire::Payload& payload : payloads) {
    if (const auto* one = std::get_if<wire::DeletePayload>(&payload)) {
      wire::DeletePayload answer{one->protocol, {}};
      on_delete_payload(*one, answer, now, out);
      if (!answer.spis.empty()) response.push_back(std::move(answer));
    }
    if (const auto* notify = std::get_if<wire::NotifyPayload>(&payload)) on_notification(*notify, now, out);
  }
  learn_crash_token(payloads);
  on_session_redirect(payloads, now, out);
  add_ticket(payloads, response, now);
  answer_configuration(payloads, response);
  on_mobike_request(payloads, response, now, out);
  send_response(header, response, out);
}

void IkeSa::on_notification(const wire::NotifyPayload& notify, TimePoint now, Effects& out) {
  log(out, Subsystem::Ike, 1, "the peer notifies " + wire::to_string(notify.type));
  if (notify.type != NotifyType::InvalidSpi) return;
  // RFC 7296 1.5: it gets packets of an SA that it does not have. Its answer to a rekey tells whether that is so (2.25.1).
  Reader reader(notify.data);
  const std::uint32_t spi = reader.u32().value_or(0);
  for (const auto& child : children_) {
    if (child->outbound.spi != spi || child->phase != ChildSaPhase::Installed || child->replaced_by != 0) continue;
    log(out, Subsystem::Child, 0, "the peer does not know CHILD SA " + child->policy->name + ", on which we send: rekeying it");
    return rekey_child(child->unique_id, now, out);
  }
}

void IkeSa::on_delete_payload(const wire::DeletePayload& payload, wire::DeletePayload& answer, TimePoint now, Effects& out) {
  for (const std::uint32_t spi : payload.spis) {
    ChildSa* child = find_child_by_spi_out(payload.protocol, spi);
    if (child == nullptr) {
      log(out, Subsystem::Child, 1, "the peer deletes a CHILD SA that is not there");
      if (requesting<CreateChildRequest>()) std::get<CreateChildRequest>(*request_).offer.deleted.push_back(spi);
      continue;
    }
    // RFC 7296 1.4.1: when both ends delete the same pair, neither answers with its SPI
    const auto* ours = requesting<DeleteChildRequest>() ? &std::get<DeleteChildRequest>(*request_) : nullptr;
    if (ours == nullptr || ours->child != child->unique_id) answer.spis.push_back(child->inbound.spi);
    // The loser of a collision goes, which we took for the one that stays because our own answer is still under way.
    for (const auto& other : children_) {
      if (other->replaced_by != child->unique_id) continue;
      other->replaced_by = 0;
      child->phase = ChildSaPhase::Rekeyed;
    }
    const bool replaced = child->replaced_by != 0 || child->phase == ChildSaPhase::Rekeyed;
    const bool ours_to_close = child->phase == ChildSaPhase::Deleting;
    const std::string policy = child->policy->name;
    const model::StartAction close_action = vpn_->ipsec_of(*child->policy).close_action;
    // Our own rekey of it goes on: what it makes takes its place.
    remove_child(*child, replaced ? "rekeyed" : "the peer deletes it", true, now, out);
    if (replaced || ours_to_close) continue;
    switch (close_action) {
      case model::StartAction::None:
        break;
      case model::StartAction::Trap:
        ctx_.follow_ups.push_back({FollowUp::Kind::Trap, vpn_->name, policy, 0, 0, {}});
        break;
      case model::StartAction::Start:
        start_later(policy);
        break;
    }
  }
}

void IkeSa::close_children(const std::string& reason, bool peer_dead, TimePoint now, Effects& out) {
  while (!children_.empty()) {
    ChildSa& child = *children_.back();
    const std::string policy = child.policy->name;
    const model::IpsecPolicy& ipsec = vpn_->ipsec_of(*child.policy);
    const bool replaced = child.phase == ChildSaPhase::Rekeyed || child.replaced_by != 0 || child.phase == ChildSaPhase::Deleting;
    remove_child(child, reason, true, now, out);
    if (replaced) continue;
    const model::DpdAction dead = ipsec.dpd_action;
    const model::StartAction closed = ipsec.close_action;
    const bool start = peer_dead ? dead == model::DpdAction::Restart : closed == model::StartAction::Start;
    const bool trap = peer_dead ? dead == model::DpdAction::Trap : closed == model::StartAction::Trap;
    if (start) start_later(policy);
    if (trap) ctx_.follow_ups.push_back({FollowUp::Kind::Trap, vpn_->name, policy, 0, 0, {}});
  }
}

}  // namespace svti::sa
