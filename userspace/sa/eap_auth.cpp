// SPDX-License-Identifier: Apache-2.0
// IKE_AUTH with EAP, both roles: RFC 7296 2.16, RFC 5998.
//
//   initiator                                        responder
//   IDi, [CERTREQ], SA, TSi, TSr, ...           ──►
//                                               ◄── IDr, [CERT], AUTH, EAP      AUTH is left out where EAP alone proves (RFC 5998)
//   EAP                                         ──►
//                                               ◄── EAP                         as often as the method needs
//   EAP                                         ──►
//                                               ◄── EAP (Success)
//   AUTH, [N(PPK_IDENTITY), [N(NO_PPK_AUTH)]]   ──►                             RFC 8784
//                                               ◄── AUTH, [N(PPK_IDENTITY)], SA, TSi, TSr, ...
#include "sa/eap_auth.h"

#include "auth/psk.h"
#include "model/distinguished_name.h"
#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::AuthMethod;
using model::Cause;
using model::Identity;
using model::Side;
using model::Verdict;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;
using Stage = EapExchange::Stage;

namespace {

constexpr std::uint32_t kMaxRounds = 64;        // RFC 7296 2.16 asks for ten at least
constexpr Duration kLongestTalk = seconds(60);  // from the first IKE_AUTH request to the last: a stranger has no more
constexpr Duration kFailedLife = seconds(10);   // an answered failure is remembered this long for retransmissions

void explain_eap_key(const model::Configuration& configuration, const std::string& user, model::Explanation& out) {
  std::vector<model::Comparison> rows;
  for (const auto& key : configuration.eap_keys) {
    std::string ids;
    for (const Identity& id : key->ids) ids += (ids.empty() ? "" : ", ") + id.to_string();
    if (rows.size() < model::kMaxRows) rows.push_back({cell(key->name), cell(ids.empty() ? "any" : ids), cell(user), Verdict::Fails});
  }
  if (!rows.empty()) out.tables.push_back({"eap-key", std::move(rows)});
  out.advice = {Side::Ours, "eap-key", cell("add an eap-key with `id " + cell(user) + "`, or that id to an entry there is")};
}

}  // namespace

std::optional<eap::Type> eap_type_of(AuthMethod method) {
  if (method == AuthMethod::EapMd5) return eap::Type::Md5Challenge;
  if (method == AuthMethod::EapMschapv2) return eap::Type::MsChapV2;
  if (method == AuthMethod::EapTls) return eap::Type::Tls;
  return std::nullopt;
}

Bytes eap_octets(const Identity& identity) {
  if (identity.type == wire::IdType::Fqdn || identity.type == wire::IdType::Rfc822Addr || identity.type == wire::IdType::KeyId)
    return identity.data;
  return to_bytes(as_bytes(identity.to_string()));
}

Identity eap_identity(ByteView octets) {
  auto parsed = Identity::parse(as_text(octets));
  if (parsed && !parsed->is_pattern()) return *parsed;
  if (model::decode_name(octets)) return {wire::IdType::DerAsn1Dn, to_bytes(octets)};  // so strongSwan writes a distinguished name
  return {wire::IdType::KeyId, to_bytes(octets)};
}

const Identity& IkeSa::peer_identity() const { return remote_eap_id_ ? *remote_eap_id_ : remote_id_; }

bool IkeSa::eap_awaits_peer() const { return eap_ && eap_->stage != Stage::Asked && auth_ && auth_->awaited == 0; }

AuthRound IkeSa::auth_round() const {
  if (!eap_) return in_further_round() ? AuthRound::Further : AuthRound::Whole;
  switch (eap_->stage) {
    case Stage::Asked:
      if (role_ == Role::Responder) return AuthRound::Whole;
      return in_further_round() ? AuthRound::FurtherEap : AuthRound::EapBegins;
    case Stage::Method:
      return AuthRound::Eap;
    case Stage::Proof:
      break;
  }
  return AuthRound::EapEnds;
}

// AUTH is made with the MSK; without one each end takes its own SK_p (RFC 7296 2.16).
Bytes IkeSa::eap_auth_octets(bool ours, bool without_ppk) const {
  model::PresharedKey key;
  key.secret = eap_->msk.empty() ? sk_p(ours, without_ppk).clone() : eap_->msk.clone();
  return auth_octets(key, ours, without_ppk);
}

// why an AUTH after EAP is not what it should be
std::string IkeSa::unlike_key() const {
  return init_->ppk ? " and the PPK " + printable(as_text(init_->ppk->id), 64) + ": it has another PPK, or somebody else did that EAP"
                    : ": somebody else did that EAP";
}

bool IkeSa::proves_eap(const Payloads& payloads) const {
  const auto* auth = find_payload<wire::AuthPayload>(payloads);
  return auth != nullptr && auth->method == wire::AuthMethod::SharedKeyMic && constant_time_equal(auth->data, eap_auth_octets(false));
}

void IkeSa::explain_eap(Cause cause, const std::string& user, model::Explanation& why) const {
  const model::Vpn& vpn = auth_ ? *auth_->vpn : *vpn_;
  if (eap_ && eap_->radius) return explain_radius(user, why);
  const bool initiator = role_ == Role::Initiator;
  const std::string method(name_of(eap_ ? eap_->method : initiator ? vpn.authentication.local : vpn.authentication.remote));
  if (eap_ && eap_->method == AuthMethod::EapTls) return explain_eap_tls(vpn, user, why);
  if (cause == Cause::NoKey) return explain_eap_key(*ctx_.config, user, why);
  why.tables.push_back({"EAP", {{"method", method, "", Verdict::NotCompared}, {"identity", cell(user), "", Verdict::NotCompared}}});
  why.advice = {Side::Either, "eap-key",
                cell("the secret of " + cell(user) + " must be the same at both ends, and both must use " + method)};
}

// --- initiator --------------------------------------------------------------------------------------------------------------

// Our first request goes out without AUTH.
void IkeSa::ask_for_eap(TimePoint now, Effects& out) {
  const model::Vpn& vpn = *auth_->vpn;
  const model::Authentication& how = vpn.authentication;
  const auto type = eap_type_of(how.local);
  if (role_ == Role::Responder || !type) {
    return cannot_prove(
        Cause::AuthMethod, "local-auth-method " + std::string(name_of(how.local)) + " is for the end that begins, and the peer has begun",
        [&](model::Explanation& why) {
          why.advice = {Side::Either, "vpn " + vpn.name + " ike-policy local-auth-method", "begin from here, or use another method here"};
        },
        now, out);
  }
  const Identity user = how.local_eap_id.value_or(local_id_);
  const bool tls = *type == eap::Type::Tls;
  const model::EapKey* key = tls ? nullptr : ctx_.eap_keys.find(vpn.remote_id.value_or(Identity::of(remote_.address)), user);
  if (key == nullptr && !tls) {
    const std::string name = user.to_string();
    return cannot_prove(
        Cause::NoKey, "no eap-key for our EAP identity " + name + ": add one with `id " + name + "`",
        [&](model::Explanation& why) { explain_eap(Cause::NoKey, name, why); }, now, out);
  }
  eap_ = std::make_unique<EapExchange>();
  eap_->method = how.local;
  eap_->only = model::is_eap(how.remote);
  if (!tls) eap_->peer.emplace(*type, eap_octets(user), key->secret.clone(), ctx_.entropy);
  if (tls && !begin_eap_tls_peer(user, now, out)) return;
  local_eap_id_ = user;
  log(out, Subsystem::Ike, 1,
      "authenticating as " + local_id_.to_string() + " by " + std::string(name_of(how.local)) + ", EAP identity " + user.to_string());
  proven({}, now, out);
}

void IkeSa::on_eap_response(AuthRequest& request, const Payloads& payloads, TimePoint now, Effects& out) {
  if (!auth_) {
    auth_.emplace();
    auth_->vpn = vpn_of_round();
  }
  auth_->sent = std::move(request);
  const auto* eap = find_payload<wire::EapPayload>(payloads);
  if (eap_->stage == Stage::Asked) return on_eap_begun(payloads, now, out);
  if (const auto* error = find_error(payloads); error != nullptr && !find_payload<wire::AuthPayload>(payloads) && eap == nullptr) {
    const std::string user = local_eap_id_->to_string();
    const std::string after =
        eap_->stage == Stage::Proof && init_->ppk ? ", of which EAP has succeeded: it may lack our PPK, or have another" : "";
    model::Explanation why = connect_failure(error->type == NotifyType::AuthenticationFailed ? Cause::Authentication : Cause::Refused,
                                             "the peer answered " + wire::to_string(error->type) + " to EAP identity " + user + after, now);
    explain_eap(Cause::Authentication, user, why);
    if (!after.empty()) advise_same_ppk(why);
    return fail_connect(std::move(why), now, out, false);
  }
  if (eap_->stage == Stage::Method) return take_eap_step(eap_->peer->receive(eap->data), now, out);
  // The responder has accepted us: now it is told when we do not accept it.
  if (!settle_ppk(payloads, now, out)) return;
  if (!proves_eap(payloads)) {
    model::Explanation why = connect_failure(Cause::Authentication, "its AUTH was not made with the key that EAP gave" + unlike_key(), now);
    if (init_->ppk) advise_same_ppk(why);
    return refuse_responder(std::move(why), now, out);
  }
  auth_->payloads = payloads;
  learn_another_auth(payloads);
  end_round(now, out);
}

// the first answer: who the responder is, its AUTH, and the first EAP packet
void IkeSa::on_eap_begun(const Payloads& payloads, TimePoint now, Effects& out) {
  const auto* error = find_error(payloads);
  const auto* id = find_id(payloads, PayloadType::IdResponder);
  const auto fail = [&](Cause cause, std::string reason, const model::Advice& advice) {
    model::Explanation why = connect_failure(cause, std::move(reason), now);
    if (!advice.text.empty()) why.advice = advice;
    fail_connect(std::move(why), now, out, false);
  };
  if (error != nullptr) {
    const bool refused = error->type == NotifyType::AuthenticationFailed;
    return fail(refused ? Cause::Authentication : Cause::Refused,
                "the peer answered " + wire::to_string(error->type) +
                    (refused ? ": it knows no " + local_id_.to_string() + " who uses EAP (its log says more)" : std::string()),
                {Side::Either, "vpn " + vpn_->name + " local-id", "the peer must ask for EAP from " + cell(local_id_.to_string())});
  }
  // RFC 5685 6: in place of EAP, from who has proven to be the gateway
  const bool redirected = redirects_ && !in_further_round() && find_payload<wire::EapPayload>(payloads) == nullptr &&
                          find_notify(payloads, NotifyType::Redirect) != nullptr;
  if ((proof_due(false) && id == nullptr) || (find_payload<wire::EapPayload>(payloads) == nullptr && !redirected))
    return fail(Cause::Malformed, "the peer's answer to our wish for EAP has no " + std::string(id == nullptr ? "IDr" : "EAP"), {});
  if (!proof_due(false) && find_payload<wire::AuthPayload>(payloads) != nullptr)
    return fail(Cause::Malformed, "it authenticates itself once more, unasked", {});
  auth_->payloads = payloads;
  if (!proof_due(false)) return begin_eap_method(now, out);
  remote_id_ = {id->id_type, id->data};
  if (const auto& wanted = auth_->vpn->remote_id; wanted && !wanted->matches(remote_id_))
    return fail(Cause::RemoteId, "it says it is " + remote_id_.to_string() + ", remote-id is " + wanted->to_string(), {});
  if (redirected && find_payload<wire::AuthPayload>(payloads) == nullptr)
    return fail(Cause::Malformed, "it redirects us, and does not prove who it is", {});
  // Without AUTH it is EAP that has to prove who the responder is, if that may be.
  if (find_payload<wire::AuthPayload>(payloads) == nullptr && eap_->only) return begin_eap_method(now, out);
  if (find_payload<wire::AuthPayload>(payloads) == nullptr) {
    return fail(Cause::AuthMethod, "it does not prove who it is before EAP",
                {Side::Either, "vpn " + vpn_->name + " ike-policy remote-auth-method",
                 "have the peer authenticate itself by " + std::string(name_of(vpn_->authentication.remote))});
  }
  check_peer(now, out);
}

// --- responder --------------------------------------------------------------------------------------------------------------

// The peer's first request has no AUTH, and its VPN wants EAP of it.
void IkeSa::serve_eap(TimePoint now, Effects& out) {
  const VpnPtr vpn = auth_->vpn;
  const model::Authentication& how = vpn->authentication;
  const auto type = eap_type_of(how.remote);
  const bool radius = how.remote == AuthMethod::EapRadius;
  if (!type && !radius) return refuse_peer(Cause::AuthMethod, std::string(name_of(how.remote)) + " is not supported yet", {}, now, out);
  eap_ = std::make_unique<EapExchange>();
  eap_->method = how.remote;
  eap_->only = model::is_eap(how.local);
  if (eap_->only && find_notify(auth_->payloads, NotifyType::EapOnlyAuthentication) == nullptr) {
    return refuse_peer(
        Cause::AuthMethod,
        "it wants us to authenticate ourselves by other means than EAP, and local-auth-method is " + std::string(name_of(how.local)),
        [&](model::Explanation& why) {
          why.advice = {Side::Either, "vpn " + vpn->name + " ike-policy local-auth-method",
                        "set it to pre-shared-key or certificate here, or have the peer do with EAP alone (RFC 5998)"};
        },
        now, out);
  }
  give_up_at_ = now + kLongestTalk;
  if (radius) {
    if (!ctx_.config->radius) return refuse_peer(Cause::AuthMethod, "there is no eap-radius server to ask", {}, now, out);
    eap_->radius.emplace();
    log(out, Subsystem::Ike, 1, "the peer " + remote_id_.to_string() + " is to prove itself to the RADIUS servers");
    return proof_due(true) ? prove_ourselves(now, out) : answer_with_eap({}, now, out);
  }
  // who is meant by EAP: as configured, asked for, or the IKE identity
  const bool ask = how.remote_eap_id && how.remote_eap_id->is_pattern();
  const Bytes identity = ask ? Bytes() : eap_octets(how.remote_eap_id.value_or(remote_id_));
  const auto password_of = [this, vpn](const Bytes& octets) -> Result<Secret> {
    const Identity user = eap_identity(octets);
    const auto& wanted = vpn->authentication.remote_eap_id;
    if (wanted && !wanted->matches(user))
      return config_error("its EAP identity is " + user.to_string() + ", remote-eap-id is " + wanted->to_string());
    const model::EapKey* key = ctx_.eap_keys.find(local_id_, user);
    if (key == nullptr) return config_error("no eap-key for its EAP identity " + user.to_string());
    return key->secret.clone();
  };
  if (*type == eap::Type::Tls) {
    if (!begin_eap_tls_server(identity, now, out)) return;
  } else {
    eap_->server.emplace(*type, identity, std::string(as_text(eap_octets(local_id_))), password_of, ctx_.entropy);
  }
  log(out, Subsystem::Ike, 1,
      "the peer " + remote_id_.to_string() + " is to prove itself by " + std::string(name_of(how.remote)) +
          (ask ? ", and asked for its EAP identity" : std::string()));
  if (eap_->only || !proof_due(true)) return answer_with_eap({}, now, out);
  prove_ourselves(now, out);
}

// our half is there: it goes out with the first EAP packet
void IkeSa::answer_with_eap(const Proof& proof, TimePoint now, Effects& out) {
  Payloads answer;
  if (proof_due(true)) answer.push_back(id_payload(true));
  if (proof.certificate) add_certificates(answer, *proof.certificate);
  auth_->certificate.reset();  // it has done its part
  if (!eap_->only && proof_due(true)) answer.push_back(proof.auth);
  if (!eap_->only && proof_due(true)) add_another_auth(answer);
  eap_->stage = Stage::Method;
  eap_->beginning = std::move(answer);
  if (eap_->radius) return begin_passing_on(now, out);
  take_eap_step(eap_->server->begin(), now, out);
}

void IkeSa::on_eap_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out) {
  auth_->request = header;
  if (eap_->stage == Stage::Method) {
    const Bytes& packet = find_payload<wire::EapPayload>(payloads)->data;
    if (eap_->radius) return pass_on(packet, now, out);
    if (packet.size() > 1) eap_->identifier = packet[1];
    return take_eap_step(eap_->server->receive(packet), now, out);
  }
  Payloads proof = payloads;
  if (!take_ppk(proof, now, out)) return;
  if (!proves_eap(proof)) {
    const auto fill_in = [&](model::Explanation& why) {
      if (init_->ppk) advise_same_ppk(why);
    };
    return refuse_peer(Cause::WrongKey, "its AUTH was not made with the key that EAP gave" + unlike_key(), fill_in, now, out);
  }
  learn_crash_token(payloads);
  learn_another_auth(payloads);
  peer_accepted(now, out);
}

// RFC 3748 4.2: the peer is told by an EAP Failure; RFC 7296 2.16: which ends the IKE SA
void IkeSa::refuse_eap(const eap::Step& step, TimePoint now, Effects& out) {
  if (!eap_->beginning.empty()) {
    return refuse_peer(
        Cause::Authentication, step.reason,
        [&](model::Explanation& why) { explain_eap(Cause::Authentication, remote_id_.to_string(), why); }, now, out);
  }
  const Bytes octets = eap_user();
  const std::string user = octets.empty() ? remote_id_.to_string() : eap_identity(octets).to_string();
  const bool missing = !eap_->radius && eap_->method != AuthMethod::EapTls && !octets.empty() &&
                       ctx_.eap_keys.find(local_id_, eap_identity(octets)) == nullptr;
  model::Explanation why = auth_refusal(missing ? Cause::NoKey : eap_->cause.value_or(Cause::Authentication),
                                        "EAP with " + user + " failed: " + step.reason, now);
  why.vpn = auth_->vpn->name;
  explain_eap(why.cause, user, why);
  const std::string reason = why.reason;
  out.emplace_back(Explained{std::move(why)});
  const wire::Header request = auth_->request;
  auth_.reset();
  log(out, Subsystem::Ike, 0, "peer " + remote_.to_string() + " refused: " + reason);
  notice(out, Notice::Kind::IkeFailed, reason);
  send_response(request, {wire::EapPayload{step.packet}}, out);
  set_phase(model::IkeSaPhase::Deleting, out);
  give_up_at_ = now + kFailedLife;
}

// the peer does not go on: why, as far as we know
model::Explanation IkeSa::auth_abandoned(std::string reason, TimePoint now) const {
  if (!eap_) {
    model::Explanation why = auth_refusal(
        Cause::Authentication, std::move(reason) + " after " + std::to_string(rounds_->theirs) + " rounds of authentication", now);
    why.vpn = rounds_->whole->name;
    return why;
  }
  const Bytes octets = eap_user();
  const std::string user = octets.empty() ? remote_id_.to_string() : eap_identity(octets).to_string();
  if (const std::string said = eap_->server ? eap_->server->refusal() : std::string(); !said.empty())
    reason += ", having been told as " + user + " that " + said;
  model::Explanation why = auth_refusal(eap_->cause.value_or(Cause::Authentication), std::move(reason), now);
  why.vpn = auth_->vpn->name;
  explain_eap(Cause::Authentication, user, why);
  return why;
}

// RFC 7296 2.21.2: an initiator that ends it says so in an INFORMATIONAL. Whatever is in there, nothing else comes of it.
void IkeSa::on_auth_broken_off(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out) {
  const auto* error = find_error(payloads);
  model::Explanation why = auth_abandoned(
      (eap_ ? "it broke off EAP" : "it broke off") + (error == nullptr ? std::string() : " (" + wire::to_string(error->type) + ")"), now);
  const std::string reason = why.reason;
  out.emplace_back(Explained{std::move(why)});
  auth_.reset();
  log(out, Subsystem::Ike, 0, "peer " + remote_.to_string() + " gone: " + reason);
  notice(out, Notice::Kind::IkeFailed, reason);
  send_response(header, {}, out);
  set_phase(model::IkeSaPhase::Deleting, out);
  give_up_at_ = now + kFailedLife;
}

// --- both -------------------------------------------------------------------------------------------------------------------

void IkeSa::begin_eap_method(TimePoint now, Effects& out) {
  eap_->stage = Stage::Method;
  const Bytes packet = find_payload<wire::EapPayload>(auth_->payloads)->data;
  take_eap_step(eap_->peer->receive(packet), now, out);
}

Bytes IkeSa::eap_user() const { return eap_->radius ? eap_->radius->identity : eap_->server->identity(); }

Ticket IkeSa::await_eap_step(std::string whom, Duration longest, TimePoint now) {
  auth_->awaited = ++questions_;
  auth_->give_up_at = now + longest;
  eap_->awaited = std::move(whom);
  return {id_, auth_->awaited};
}

bool IkeSa::stop_awaiting_eap_step(std::uint64_t number) {
  if (dead_ || !auth_ || !eap_ || eap_->awaited.empty() || auth_->awaited != number) return false;
  auth_->awaited = 0;
  eap_->awaited.clear();
  return true;
}

void IkeSa::on_eap_step(std::uint64_t number, eap::Step step, TimePoint now, Effects& out) {
  if (stop_awaiting_eap_step(number)) take_eap_step(std::move(step), now, out);
}

void IkeSa::on_eap_step_overdue(TimePoint now, Effects& out) {
  eap::Step step{eap::Step::Kind::Failure, {}, {}, eap_->awaited + " did not answer in time"};
  if (role_ == Role::Responder) step.packet = eap::encode_packet(eap::Code::Failure, eap_->identifier);
  stop_awaiting_eap_step(auth_->awaited);
  take_eap_step(std::move(step), now, out);
}

// What EAP says next, at once or after a while: everything that it awaits ends here.
void IkeSa::take_eap_step(eap::Step step, TimePoint now, Effects& out) {
  using Kind = eap::Step::Kind;
  const bool initiator = role_ == Role::Initiator;
  if (step.kind == Kind::Ask) return ask_for_eap_answer(std::move(*step.question), now, out);
  if (++eap_->rounds > kMaxRounds && step.kind == Kind::Send) {
    step.kind = Kind::Failure;
    step.reason = "EAP does not come to an end";
    if (!initiator) step.packet = eap::encode_packet(eap::Code::Failure, step.packet.at(1));
  }
  // RFC 5998 3: it is EAP alone that proves who the responder is, hence a method by which both do
  const auto type = eap_type_of(eap_->method);  // none: RADIUS servers know, and eap_radius.cpp has looked
  if (step.kind == Kind::Success && step.msk.empty() && type && (eap_->only || eap::is_mutual(*type))) {
    step.kind = Kind::Failure;
    step.reason = eap::to_string(*type) + " gave no key";
    if (!initiator) step.packet = eap::encode_packet(eap::Code::Failure, step.packet.at(1));
  }
  if (step.kind == Kind::Failure && !initiator) return refuse_eap(step, now, out);
  if (step.kind == Kind::Failure) {
    const std::string user = local_eap_id_->to_string();
    model::Explanation why =
        connect_failure(eap_->cause.value_or(Cause::Authentication), "EAP as " + user + " failed: " + step.reason, now);
    why.tables.clear();
    explain_eap(Cause::Authentication, user, why);
    return fail_connect(std::move(why), now, out, false);
  }
  Payloads payloads;
  if (step.kind == Kind::Send || !initiator) payloads.push_back(wire::EapPayload{std::move(step.packet)});
  if (step.kind == Kind::Success) {
    eap_->msk = std::move(step.msk);
    eap_->stage = Stage::Proof;
    eap_method_ = eap_->method;
    if (!initiator) remote_eap_id_ = eap_identity(eap_user());
    if (type == eap::Type::Tls) eap_tls_succeeded(out);
    log(out, Subsystem::Ike, 1,
        std::string(name_of(eap_->method)) + " succeeded with EAP identity " + (initiator ? *local_eap_id_ : *remote_eap_id_).to_string());
  }
  if (step.kind == Kind::Success && initiator) {
    begin_ppk();
    if (lacks_no_ppk_auth()) init_->ppk->no_ppk_auth = eap_auth_octets(true, true);
    payloads.push_back(wire::AuthPayload{wire::AuthMethod::SharedKeyMic, eap_auth_octets(true)});
    add_another_auth(payloads);
    add_ppk(payloads);
    add_crash_token(payloads);
  }
  if (!initiator) {
    payloads.insert(payloads.begin(), std::make_move_iterator(eap_->beginning.begin()), std::make_move_iterator(eap_->beginning.end()));
    eap_->beginning.clear();
    return send_response(auth_->request, payloads, out);
  }
  AuthRequest request = std::move(*auth_->sent);
  auth_->sent.reset();
  send_request(ExchangeType::IkeAuth, payloads, std::move(request), now, out);
}

}  // namespace svti::sa
