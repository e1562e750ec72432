// SPDX-License-Identifier: Apache-2.0
// More than one round of authentication, both roles: RFC 4739.
//
//   initiator                                        responder
//   IDi, AUTH, N(ANOTHER_AUTH_FOLLOWS), SA, TSi, TSr  ──►
//                                                     ◄── IDr, AUTH, N(ANOTHER_AUTH_FOLLOWS)     that where it too has another round
//   IDi, AUTH                                         ──►  without AUTH where it wants EAP, and empty where it has no round left
//                                                     ◄── IDr, AUTH, SA, TSi, TSr                the first two where it has a round left
//
// Each end has proven itself in every round that is configured for it, and has announced no other, before the IKE SA is established: which
// answer that comes with is peer_keeps_to_rounds() and last_round(). Whom a round is about is in AuthExchange::vpn, a copy of the VPN with
// what that round asks for; the others of these files do not know which round it is.
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::AuthMethod;
using model::Cause;
using model::Side;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;

namespace {

constexpr Duration kLongestRound = seconds(60);  // from an answer of ours to the end of the round that the peer begins then

std::string times(std::size_t rounds) { return rounds == 1 ? "once" : std::to_string(rounds) + " times"; }

}  // namespace

// False: there have to be several rounds, and this peer cannot.
bool IkeSa::begin_rounds(const VpnPtr& vpn, TimePoint now, Effects& out) {
  if (!vpn->authentication.has_several_rounds()) return true;
  const bool able =
      role_ == Role::Initiator ? init_->several_rounds : find_notify(auth_->payloads, NotifyType::MultipleAuthSupported) != nullptr;
  // Which of several requests with AUTH names the PPK, and what the others are made with, RFC 8784 leaves open.
  if (!able || init_->ppk || vpn->ike.ppk_required || (role_ == Role::Initiator && init_->use_ppk)) {
    const auto advise = [&](model::Explanation& why) {
      why.advice = {Side::Either, "vpn " + vpn->name, "have each end authenticate itself once"};
    };
    cannot_prove(Cause::AuthMethod,
                 able ? "a PPK together with several rounds of authentication is not supported yet"
                      : "the peer does not do several rounds of authentication (RFC 4739)",
                 advise, now, out);
    return false;
  }
  rounds_.emplace();
  rounds_->whole = vpn;
  if (role_ == Role::Responder) rounds_->opening = auth_->payloads;
  return true;
}

// The VPN, with what the round under way asks of each end in place of what the first does.
VpnPtr IkeSa::vpn_of_round() const {
  if (!rounds_) return vpn_;
  if (!in_further_round()) return rounds_->whole;
  auto out = std::make_shared<model::Vpn>(*rounds_->whole);
  const model::Authentication& whole = rounds_->whole->authentication;
  model::Authentication& how = out->authentication;
  if (proof_due(true) && rounds_->ours > 0) {
    const model::FurtherRound& round = whole.further_local.at(rounds_->ours - 1);
    how.local = round.method;
    how.certificates = round.certificates;
    how.local_eap_id = round.eap_id;
    out->local_id = round.id;
  }
  if (proof_due(false) && rounds_->theirs > 0) {
    const model::FurtherRound& round = whole.further_remote.at(rounds_->theirs - 1);
    how.remote = round.method;
    how.authorities = round.authorities;
    how.revocation = round.revocation;
    how.remote_eap_id = round.eap_id;
    out->remote_id = round.id;
  }
  how.further_local.clear();
  how.further_remote.clear();
  return out;
}

// that end has to prove who it is in the round under way
bool IkeSa::proof_due(bool ours) const {
  if (!rounds_) return true;
  const model::Authentication& whole = rounds_->whole->authentication;
  return ours ? rounds_->ours <= whole.further_local.size() : rounds_->theirs <= whole.further_remote.size();
}

// that end has to do so again after the round under way
bool IkeSa::another_follows(bool ours) const {
  if (!rounds_) return false;
  const model::Authentication& whole = rounds_->whole->authentication;
  return ours ? rounds_->ours < whole.further_local.size() : rounds_->theirs < whole.further_remote.size();
}

void IkeSa::add_another_auth(Payloads& payloads) const {
  if (another_follows(true)) payloads.push_back(wire::NotifyPayload{NotifyType::AnotherAuthFollows, wire::ProtocolId::None, {}, {}});
}

// from the message with an AUTH of the peer
void IkeSa::learn_another_auth(const Payloads& payloads) {
  if (rounds_ && find_payload<wire::AuthPayload>(payloads) != nullptr)
    rounds_->follows = rounds_->follows || find_notify(payloads, NotifyType::AnotherAuthFollows) != nullptr;
}

// False, and refused: what the peer has announced is not what is configured for it.
bool IkeSa::peer_keeps_to_rounds(TimePoint now, Effects& out) {
  if (!rounds_ || rounds_->follows == another_follows(false)) return true;
  const std::size_t wanted = 1 + rounds_->whole->authentication.further_remote.size();
  const std::string reason = rounds_->follows ? "it wants to authenticate itself more often than the " + times(wanted) + " configured"
                                              : "it authenticates itself " + times(rounds_->theirs + 1) + ", and has to " + times(wanted);
  refuse_peer(
      Cause::AuthMethod, reason,
      [&](model::Explanation& why) {
        why.advice = {Side::Either, "vpn " + rounds_->whole->name, "have as many rounds of authentication at both ends"};
      },
      now, out);
  return false;
}

void IkeSa::close_round() {
  if (proof_due(true)) ++rounds_->ours;
  if (proof_due(false)) ++rounds_->theirs;
  rounds_->follows = false;
  eap_.reset();
  auth_->certificate.reset();
  init_->staple.reset();
  auth_->payloads.clear();
}

// --- initiator --------------------------------------------------------------------------------------------------------------

// The peer has done its part of a round, and accepted ours.
void IkeSa::end_round(TimePoint now, Effects& out) {
  if (!rounds_) return accept_responder(now, out);
  if (!proof_due(false) && !eap_ && find_payload<wire::AuthPayload>(auth_->payloads) != nullptr)
    return refuse_peer(Cause::Malformed, "it authenticates itself once more, unasked", {}, now, out);
  if (!peer_keeps_to_rounds(now, out)) return;
  if (last_round()) return accept_responder(now, out);
  close_round();
  log(out, Subsystem::Ike, 1, "another round of authentication follows");
  auth_->vpn = vpn_of_round();
  if (!proof_due(true)) return send_round_request({}, now, out);
  if (auth_->vpn->local_id) local_id_ = *auth_->vpn->local_id;
  prove_ourselves(now, out);
}

// Ends in the answer to it; `proof` is empty where we ask for EAP, or have no round left.
void IkeSa::send_round_request(const Proof& proof, TimePoint now, Effects& out) {
  AuthRequest request = std::move(*auth_->sent);
  const bool shared = auth_->vpn->authentication.local == AuthMethod::PresharedKey;
  auth_.reset();
  Payloads payloads;
  if (proof_due(true)) {
    payloads.push_back(id_payload(true));
    if (proof.certificate) add_certificates(payloads, *proof.certificate);
    if (!eap_) payloads.push_back(proof.auth);
    if (!eap_) add_another_auth(payloads);
    if (shared) log(out, Subsystem::Ike, 1, "authenticating as " + local_id_.to_string() + " with a pre-shared key");
  }
  send_request(ExchangeType::IkeAuth, payloads, std::move(request), now, out);
}

// --- responder --------------------------------------------------------------------------------------------------------------

// The peer has proven itself in this round, and there is another: `proof` is ours of this one.
void IkeSa::answer_round(const Proof& proof, TimePoint now, Effects& out) {
  Payloads answer;
  if (eap_) {
    answer.push_back(proof.auth);  // the rest went out with the first EAP packet
  } else if (proof_due(true)) {
    answer.push_back(id_payload(true));
    if (proof.certificate) add_certificates(answer, *proof.certificate);
    answer.push_back(proof.auth);
    add_another_auth(answer);
  }
  send_response(auth_->request, answer, out);
  close_round();
  rounds_->awaits_peer = true;
  give_up_at_ = now + kLongestRound;
  log(out, Subsystem::Ike, 1, "another round of authentication follows");
}

void IkeSa::on_round_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out) {
  rounds_->awaits_peer = false;
  auth_->request = header;
  auth_->vpn = vpn_of_round();
  auth_->payloads = payloads;
  const auto* id = find_id(payloads, PayloadType::IdInitiator);
  if (proof_due(true) && auth_->vpn->local_id) local_id_ = *auth_->vpn->local_id;
  if (!proof_due(false)) {
    if (id != nullptr || find_payload<wire::AuthPayload>(payloads) != nullptr)
      return refuse_peer(Cause::Malformed, "it authenticates itself once more, unasked", {}, now, out);
    return peer_accepted(now, out);
  }
  if (id == nullptr) return refuse_peer(Cause::Malformed, "it does not say who it is in another round of authentication", {}, now, out);
  remote_id_ = {id->id_type, id->data};
  if (const auto& wanted = auth_->vpn->remote_id; wanted && !wanted->matches(remote_id_)) {
    return refuse_peer(Cause::RemoteId, "it says it is " + remote_id_.to_string() + ", remote-id is " + wanted->to_string(), {}, now, out);
  }
  check_peer(now, out);
}

}  // namespace svti::sa
