// SPDX-License-Identifier: Apache-2.0
// IKE_AUTH, both roles: RFC 7296 1.2, 2.21.2. Who the ends are is for authentication.cpp to find out.
#include <algorithm>

#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::Cause;
using model::Identity;
using model::IkeSaPhase;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;

namespace {

Identity identity_of(const wire::IdPayload& payload) { return {payload.id_type, payload.data}; }

constexpr Duration kAskWhetherUp = milliseconds(500);
constexpr Duration kFailedLife = seconds(10);  // an answered failure is remembered this long for retransmissions

}  // namespace

void IkeSa::send_auth(TimePoint now, Effects& out) {
  auth_.emplace();
  auth_->vpn = vpn_;
  if (resuming_) return send_auth_request({{wire::AuthMethod::SharedKeyMic, resumed_auth(true)}, nullptr}, now, out);
  if (!is_eap(vpn_->authentication.local)) begin_ppk();  // with EAP at its end
  if (begin_rounds(vpn_, now, out)) prove_ourselves(now, out);
}

void IkeSa::send_auth_request(const Proof& proof, TimePoint now, Effects& out) {
  auth_.reset();
  const Identity expected = vpn_->remote_id.value_or(Identity::of(remote_.address));
  Payloads payloads;
  payloads.push_back(id_payload(true));
  if (proof.certificate) add_certificates(payloads, *proof.certificate);
  if (const auto hashes = hashes_of_authorities(vpn_->authentication); !hashes.empty()) payloads.push_back(certificate_request(hashes));
  if (vpn_->authentication.wants_ocsp()) payloads.push_back(wire::CertReqPayload{kOcspContent, {}});
  if (vpn_->authentication.looks_up() && !resuming_)
    payloads.push_back(wire::NotifyPayload{NotifyType::HttpCertLookupSupported, wire::ProtocolId::None, {}, {}});
  if (vpn_->remote_id && !vpn_->remote_id->is_pattern())
    payloads.push_back(wire::IdPayload{PayloadType::IdResponder, vpn_->remote_id->type, vpn_->remote_id->data});
  if (!eap_) payloads.push_back(proof.auth);
  if (!eap_) add_another_auth(payloads);
  if (rounds_) payloads.push_back(wire::NotifyPayload{NotifyType::MultipleAuthSupported, wire::ProtocolId::None, {}, {}});
  if (eap_ && eap_->only) payloads.push_back(wire::NotifyPayload{NotifyType::EapOnlyAuthentication, wire::ProtocolId::None, {}, {}});
  add_ppk(payloads);
  if (!eap_) add_crash_token(payloads);  // RFC 6290 4.2: behind AUTH
  // RFC 7296 2.4: with no other IKE SA between these identities, whatever the peer still has is from before a crash of ours
  if (!resuming_ && vpn_->ike.unique_sa != model::UniqueSa::Never && !ctx_.established_between(local_id_, expected, now)) {
    payloads.push_back(wire::NotifyPayload{NotifyType::InitialContact, wire::ProtocolId::None, {}, {}});
  }

  AuthRequest request;
  if (wanted_.empty()) {  // at least one is always asked for
    const auto first = std::find_if(vpn_->policies.begin(), vpn_->policies.end(), [](const auto& one) { return one.negotiated(); });
    if (first != vpn_->policies.end()) wanted_.push_back(first->name);
  }
  request_addresses(payloads);
  if (!wanted_.empty() && !begins_childless()) {
    request.child = make_offer({Job::Kind::CreateChild, wanted_.front(), 0, {}, {}, 0}, true, out);
    if (request.child) {
      for (wire::Payload& payload : offer_payloads(*request.child, true)) payloads.push_back(std::move(payload));
    }
  }
  if (vpn_->ike.mobike) offer_mobike(payloads);
  if (vpn_->ike.session_resumption) payloads.push_back(wire::NotifyPayload{NotifyType::TicketRequest, wire::ProtocolId::None, {}, {}});
  const model::AuthMethod remote = vpn_->authentication.remote;
  const auto announcements = auth_announcements(remote == model::AuthMethod::PresharedKey, remote == model::AuthMethod::Certificate);
  if (announcements && !resuming_) payloads.push_back(*announcements);
  if (!proof.certificate && !resuming_ && !eap_)
    log(out, Subsystem::Ike, 1, "authenticating as " + local_id_.to_string() + " with a pre-shared key");
  send_request(ExchangeType::IkeAuth, payloads, std::move(request), now, out);
}

void IkeSa::begin_lifetime(TimePoint now) {
  const model::IkePolicy& ike = vpn_->ike;
  if (ike.rekey_time.count() == 0) return;
  rekey_at_ = now + ctx_.jittered(ike.rekey_time, ike.rand_time);
  dies_at_ = now + Duration(ike.rekey_time) + (ike.over_time ? Duration(*ike.over_time) : Duration(ike.rekey_time) / 10);
}

void IkeSa::become_established(TimePoint now, Effects& out) {
  established_at_ = now;
  give_up_at_.reset();
  eap_.reset();
  rounds_.reset();
  ppk_ = init_->ppk || (resuming_ && resuming_->session.ppk) || (resumed_ && resumed_->session.ppk);
  set_phase(IkeSaPhase::Established, out);
  begin_lifetime(now);
  begin_authentication_lifetime(now);
  bound_authentication(now);
  bound_session(now);
  log(out, Subsystem::Ike, 0,
      "IKE SA established between " + local_.address.to_string() + " [" + local_id_.to_string() + "] and " + remote_.address.to_string() +
          " [" + remote_id_.to_string() + "], " + to_string(choice_));
  notice(out, Notice::Kind::IkeUp);
  explain_success(false, now, out);
}

void IkeSa::on_auth_response(AuthRequest& request, const Payloads& payloads, TimePoint now, Effects& out) {
  if (eap_) return on_eap_response(request, payloads, now, out);
  const auto give_back_spi = [&] {
    if (request.child) ctx_.child_spis.erase(request.child->spi);
  };
  const auto* error = find_error(payloads);
  const auto* id = find_id(payloads, PayloadType::IdResponder);
  const auto* auth = find_payload<wire::AuthPayload>(payloads);
  const bool due = proof_due(false);
  const bool refused = error != nullptr && error->type == NotifyType::AuthenticationFailed;
  // Beside no AUTH, an error can be about the CHILD SA only where that is made.
  const bool fatal = error != nullptr && (refused || error->type == NotifyType::InvalidSyntax ||
                                          error->type == NotifyType::UnsupportedCriticalPayload || !last_round());
  if (due ? id == nullptr || auth == nullptr : fatal) {
    give_back_spi();
    std::string reason = error == nullptr ? "the peer's answer has no AUTH" : "the peer answered " + wire::to_string(error->type);
    if (refused) {
      const bool shared = vpn_of_round()->authentication.local == model::AuthMethod::PresharedKey;
      reason += ": it does not accept " + local_id_.to_string() + " or the " + (shared ? "pre-shared key" : "certificate") +
                " (its log says which)";
      if (const std::string instead = announced_instead(); !instead.empty()) reason += "; it has said that " + instead;
    }
    const Cause cause = error == nullptr ? Cause::Malformed : refused ? Cause::Authentication : Cause::Refused;
    return fail_connect(connect_failure(cause, std::move(reason), now), now, out, false);
  }
  auth_.emplace();
  auth_->vpn = vpn_of_round();
  auth_->payloads = payloads;
  auth_->sent = std::move(request);
  if (!due) return end_round(now, out);
  remote_id_ = identity_of(*id);
  if (const auto& wanted = auth_->vpn->remote_id; wanted && !wanted->matches(remote_id_)) {
    return refuse_responder(
        connect_failure(Cause::RemoteId, "it says it is " + remote_id_.to_string() + ", remote-id is " + wanted->to_string(), now), now,
        out);
  }
  if (resuming_) return on_resumed_auth_response(now, out);
  if (rounds_ || settle_ppk(payloads, now, out)) check_peer(now, out);
}

// We do not accept the peer, which has accepted us: it is told.
void IkeSa::refuse_responder(model::Explanation why, TimePoint now, Effects& out) {
  // Before the end of EAP, and of all rounds, it has not accepted us, and listens to no other exchange.
  const bool goes_on = (eap_ && auth_round() != AuthRound::EapEnds) || (rounds_ && (rounds_->follows || another_follows(true)));
  if (goes_on) return fail_connect(std::move(why), now, out, false);
  const std::string reason = why.reason;
  out.emplace_back(Explained{std::move(why)});
  abandon_request();
  log(out, Subsystem::Ike, 0, "authentication of the peer failed: " + reason);
  notice(out, Notice::Kind::IkeFailed, reason);
  set_phase(IkeSaPhase::Deleting, out);
  jobs_.clear();
  enqueue({Job::Kind::AuthenticationFailed, {}, 0, {}, {}, 0}, now, out);
}

void IkeSa::accept_responder(TimePoint now, Effects& out) {
  AuthRequest request = std::move(*auth_->sent);
  const Payloads payloads = std::move(auth_->payloads);
  auth_.reset();
  if (const auto* redirect = find_notify(payloads, NotifyType::Redirect); redirect != nullptr && redirects_)
    return on_auth_redirect(*redirect, request, now, out);
  const auto* error = find_error(payloads);
  const Bytes nonce_i = init_->nonce_i, nonce_r = init_->nonce_r;
  become_established(now, out);
  learn_crash_token(payloads);
  learn_mobike(payloads);
  learn_auth_lifetime(payloads, now);
  learn_ticket(payloads, now, out);
  take_addresses(payloads, out);
  if (lacks_address(request.child ? request.child->policy : std::string(), payloads, now, out)) {
    if (request.child) ctx_.child_spis.erase(request.child->spi);
    init_.reset();
    return;
  }
  if (request.child) {
    std::erase(wanted_, request.child->policy);
    if (error != nullptr) {
      // RFC 7296 1.2: the IKE SA stands even when the CHILD SA could not be made
      offer_failed(*request.child, refused_offer(*request.child, *error, now), now, out);
    } else if (const auto selection = accept_answer(*request.child, payloads, KeyExchangeUse::Ignore); !selection) {
      offer_failed(*request.child, offer_failure(*request.child, Cause::Malformed, selection.error().message, now), now, out);
      refuse_made(*request.child);
    } else {
      ChildPlan plan{selection->policy,         selection->choice, request.child->spi,
                     spi_of(selection->choice), selection->local,  selection->remote};
      plan.initiator = true;
      plan.nonce_i = nonce_i;
      plan.nonce_r = nonce_r;
      install_child(plan, now, out);
    }
  }
  init_.reset();
  for (const std::string& policy : wanted_) jobs_.push_back({Job::Kind::CreateChild, policy, 0, {}, {}, 0});
  wanted_.clear();
  pump(now, out);
}

void IkeSa::refuse_authentication(const wire::Header& header, const std::string& reason, TimePoint now, Effects& out, NotifyType type) {
  log(out, Subsystem::Ike, 0, "peer " + remote_.to_string() + " refused: " + reason);
  notice(out, Notice::Kind::IkeFailed, reason);
  refuse_request(header, type, {}, out);
  set_phase(IkeSaPhase::Deleting, out);
  give_up_at_ = now + kFailedLife;
}

void IkeSa::on_auth_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out) {
  if (eap_) return on_eap_request(header, payloads, now, out);
  if (awaits_round()) return on_round_request(header, payloads, now, out);
  const auto* id = find_id(payloads, PayloadType::IdInitiator);
  const auto* demanded = find_id(payloads, PayloadType::IdResponder);
  remote_id_ = identity_of(*id);
  if (resumed_) return on_resumed_auth_request(header, payloads, now, out);
  const Identity demanded_id = demanded == nullptr ? Identity{} : identity_of(*demanded);
  const VpnPtr vpn = ctx_.index.find({local_.address, remote_.address, remote_id_, demanded == nullptr ? nullptr : &demanded_id, choice_});
  if (!vpn) {
    const std::string reason = "no VPN for remote identity " + remote_id_.to_string() +
                               (demanded == nullptr ? "" : ", local identity " + demanded_id.to_string()) + ", addresses " +
                               local_.address.to_string() + " and " + remote_.address.to_string() + ", IKE proposal " + to_string(choice_);
    const UnknownPeer peer{local_.address, remote_.address, &remote_id_, demanded == nullptr ? nullptr : &demanded_id, &choice_, nullptr};
    explain_unknown_peer(ctx_, peer, auth_refusal(Cause::NoVpn, reason, now), out);
    return refuse_authentication(header, reason, now, out);
  }
  // Without a local-id we are whom the peer asks for, as far as a certificate proves it.
  const bool as_demanded = demanded != nullptr && !vpn->local_id && vpn->authentication.local == model::AuthMethod::Certificate;
  local_id_ = as_demanded ? demanded_id : local_identity(*vpn, local_.address);
  remember_peer_methods(payloads);
  learn_announcements(payloads, out);
  init_->intermediate.auth_id = header.message_id;
  auth_.emplace();
  auth_->vpn = vpn;
  auth_->payloads = payloads;
  auth_->request = header;
  if (take_ppk(auth_->payloads, now, out) && begin_rounds(vpn, now, out)) check_peer(now, out);
}

void IkeSa::answer_auth_request(const Proof& proof, TimePoint now, Effects& out) {
  if (rounds_ && !last_round()) return answer_round(proof, now, out);
  const bool due = proof_due(true);
  const VpnPtr vpn = rounds_ ? rounds_->whole : auth_->vpn;
  const wire::Header header = auth_->request;
  const Payloads payloads = std::move(rounds_ ? rounds_->opening : auth_->payloads);
  auth_.reset();
  const bool initial_contact = find_notify(payloads, NotifyType::InitialContact) != nullptr;
  // A peer that has lost the other one says so. One that came up while this one was on its way is no older one: both ends began at once.
  if (vpn->ike.unique_sa == model::UniqueSa::Keep && !initial_contact && !resumed_ &&
      ctx_.established_between(local_id_, peer_identity(), created_at_)) {
    return refuse_authentication(header, "there is an IKE SA with " + peer_identity().to_string() + " already (unique-sa keep)", now, out);
  }
  // RFC 6023 3: all three are left out, or none
  const bool childless = find_payload<wire::SaPayload>(payloads) == nullptr && find_payload<wire::TsPayload>(payloads) == nullptr;
  if (childless && vpn->ike.childless == model::Childless::Never) {
    model::Explanation why = auth_refusal(Cause::Refused, "it begins an IKE SA without CHILD SA, which " + vpn->name + " never does", now);
    why.vpn = vpn->name;
    why.advice = {model::Side::Either, "vpn " + vpn->name + " ike-policy childless", "set allow here, or never at the peer"};
    const std::string reason = why.reason;
    out.emplace_back(Explained{std::move(why)});
    return refuse_authentication(header, reason, now, out, NotifyType::InvalidSyntax);
  }
  vpn_ = vpn;
  Payloads answer;
  if (!eap_ && due) answer.push_back(id_payload(true));  // with EAP the peer has it
  if (proof.certificate) add_certificates(answer, *proof.certificate);
  if (eap_ || due) answer.push_back(proof.auth);
  add_ppk(answer);
  if (redirects_in_auth()) return redirect_in_auth(header, std::move(answer), now, out);
  add_crash_token(answer);
  const Bytes nonce_i = init_->nonce_i, nonce_r = init_->nonce_r;
  become_established(now, out);
  learn_crash_token(payloads);
  learn_mobike(payloads);
  if (mobike_) offer_mobike(answer);
  add_auth_lifetime(answer);
  add_ticket(payloads, answer, now);
  if (initial_contact && vpn_->ike.unique_sa != model::UniqueSa::Never) {
    ctx_.follow_ups.push_back({FollowUp::Kind::InitialContact, vpn_->name, {}, id_, 0, {}});
  }

  assign_addresses(
      payloads,
      resumed_ || vpn_->ike.unique_sa == model::UniqueSa::Replace || (initial_contact && vpn_->ike.unique_sa != model::UniqueSa::Never),
      answer, out);
  if (childless) {
    log(out, Subsystem::Ike, 1, "the peer asks for no CHILD SA yet");
    send_response(header, answer, out);
    init_.reset();
    return;
  }
  const auto selection = select_child(payloads, KeyExchangeUse::Ignore, {});
  if (!selection) {
    log(out, Subsystem::Child, 0, "CHILD SA refused: " + selection.error().why.reason);
    out.emplace_back(Explained{told(ExchangeType::IkeAuth, false, selection.error().why, now)});
    answer.push_back(wire::NotifyPayload{selection.error().notify, wire::ProtocolId::None, {}, selection.error().data});
  } else {
    ChildPlan plan{selection->policy,         selection->choice, ctx_.new_child_spi(),
                   spi_of(selection->choice), selection->local,  selection->remote};
    plan.nonce_i = nonce_i;
    plan.nonce_r = nonce_r;
    if (install_child(plan, now, out) == nullptr) {
      answer.push_back(wire::NotifyPayload{NotifyType::NoProposalChosen, wire::ProtocolId::None, {}, {}});
    } else {
      for (wire::Payload& payload : child_answer(*selection, plan.spi_in)) answer.push_back(std::move(payload));
    }
  }
  send_response(header, answer, out);
  init_.reset();
  // Until the peer has this answer it receives on the CHILD SA of before alone: asked soon, it says that it has it.
  const bool waits = std::any_of(children_.begin(), children_.end(), [](const auto& child) { return child->waits_for_twin; });
  if (waits) delayed_.push_back({now + kAskWhetherUp, {Job::Kind::Liveness, {}, 0, {}, {}, 0}});
}

}  // namespace svti::sa
