// SPDX-License-Identifier: Apache-2.0
// IKE_AUTH with pre-shared keys, both roles: RFC 7296 1.2, 2.15, 2.21.2.
#include <algorithm>

#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::Cause;
using model::Identity;
using model::IkeSaPhase;
using model::Side;
using model::Verdict;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;

namespace {

wire::IdPayload id_payload(PayloadType type, const Identity& id) { return {type, id.type, id.data}; }
Identity identity_of(const wire::IdPayload& payload) { return {payload.id_type, payload.data}; }

void explain_method(const model::Vpn& vpn, const std::string& theirs, model::Explanation& out) {
  out.tables.push_back({"authentication", {{"method", "pre-shared-key", theirs, Verdict::Fails}}});
  out.advice = {Side::Theirs, "vpn " + vpn.name + " ike-policy remote-auth-method",
                "set the peer's own method (local-auth-method) to pre-shared-key: certificates and EAP are not supported yet"};
}

std::string method_name(wire::AuthMethod method) {
  if (method == wire::AuthMethod::SharedKeyMic) return "pre-shared-key";
  return "certificate (method " + std::to_string(static_cast<unsigned>(method)) + ")";
}

void explain_missing_key(const model::Configuration& configuration, const Identity& local, const Identity& remote,
                         model::Explanation& out) {
  explain_keys(configuration.preshared_keys, nullptr, local, remote, out);
  out.advice = {Side::Ours, "pre-shared-key",
                cell("add a pre-shared-key with `id " + cell(remote.to_string()) + "`, or that id to an entry there is")};
}

void explain_wrong_key(const model::PresharedKey& key, const Identity& local, const Identity& remote, model::Explanation& out) {
  explain_keys({}, &key, local, remote, out);
  out.tables.push_back({"authentication", {{"secret of " + key.name, "hidden", "another", Verdict::Fails}}});
  out.advice = {Side::Either, "pre-shared-key " + key.name + " secret",
                "set the same secret here and at the peer, for these two identities"};
}

constexpr Duration kFailedLife = seconds(10);  // an answered failure is remembered this long for retransmissions

}  // namespace

Bytes IkeSa::auth_octets(const model::PresharedKey& key, bool ours) const {
  // RFC 7296 2.15: each end signs its own first message, the other's nonce and its own identity
  const bool initiators = ours == (role_ == Role::Initiator);
  const wire::IdPayload id = id_payload(initiators ? PayloadType::IdInitiator : PayloadType::IdResponder, ours ? local_id_ : remote_id_);
  const Secret auth = auth::shared_key_auth(keys_->prf, key.secret, ours ? init_->our_message : init_->peer_message,
                                            initiators ? init_->nonce_r : init_->nonce_i, initiators ? keys_->sk_pi : keys_->sk_pr,
                                            wire::encode_id_body(id));
  return to_bytes(auth.view());
}

void IkeSa::send_auth(TimePoint now, Effects& out) {
  const Identity expected = vpn_->remote_id.value_or(Identity::of(remote_.address));
  const model::PresharedKey* key = ctx_.psks.find(local_id_, expected);
  if (key == nullptr) {
    model::Explanation why = connect_failure(Cause::NoKey,
                                             "no pre-shared key for local identity " + local_id_.to_string() + " and remote identity " +
                                                 expected.to_string() + ": add a pre-shared-key with `id " + expected.to_string() + "`",
                                             now);
    explain_missing_key(*ctx_.config, local_id_, expected, why);
    return fail_connect(std::move(why), now, out, false);
  }
  Payloads payloads;
  payloads.push_back(id_payload(PayloadType::IdInitiator, local_id_));
  if (vpn_->remote_id && !vpn_->remote_id->is_pattern()) payloads.push_back(id_payload(PayloadType::IdResponder, *vpn_->remote_id));
  payloads.push_back(wire::AuthPayload{wire::AuthMethod::SharedKeyMic, auth_octets(*key, true)});
  // RFC 7296 2.4: with no other IKE SA between these identities, whatever the peer still has is from before a crash of ours
  if (vpn_->ike.unique_sa != model::UniqueSa::Never && !ctx_.established_between(local_id_, expected, now)) {
    payloads.push_back(wire::NotifyPayload{NotifyType::InitialContact, wire::ProtocolId::None, {}, {}});
  }

  AuthRequest request;
  if (wanted_.empty() && !vpn_->policies.empty()) wanted_.push_back(vpn_->policies.front().name);  // IKE_AUTH always asks for one
  if (!wanted_.empty()) {
    request.child = make_offer({Job::Kind::CreateChild, wanted_.front(), 0, {}, 0}, true, out);
    if (request.child) {
      for (wire::Payload& payload : offer_payloads(*request.child, true)) payloads.push_back(std::move(payload));
    }
  }
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
  set_phase(IkeSaPhase::Established, out);
  begin_lifetime(now);
  log(out, Subsystem::Ike, 0,
      "IKE SA established between " + local_.address.to_string() + " [" + local_id_.to_string() + "] and " + remote_.address.to_string() +
          " [" + remote_id_.to_string() + "], " + to_string(choice_));
  notice(out, Notice::Kind::IkeUp);
  explain_success(false, now, out);
}

void IkeSa::on_auth_response(AuthRequest& request, const Payloads& payloads, TimePoint now, Effects& out) {
  const auto give_back_spi = [&] {
    if (request.child) ctx_.child_spis.erase(request.child->spi);
  };
  const auto* error = find_error(payloads);
  const auto* id = find_id(payloads, PayloadType::IdResponder);
  const auto* auth = find_payload<wire::AuthPayload>(payloads);
  if (id == nullptr || auth == nullptr) {
    give_back_spi();
    std::string reason = error == nullptr ? "the peer's answer has no AUTH" : "the peer answered " + wire::to_string(error->type);
    if (error != nullptr && error->type == NotifyType::AuthenticationFailed) {
      reason += ": it does not accept " + local_id_.to_string() + " or the pre-shared key (its log says which)";
    }
    const Cause cause = error == nullptr                                  ? Cause::Malformed
                        : error->type == NotifyType::AuthenticationFailed ? Cause::Authentication
                                                                          : Cause::Refused;
    return fail_connect(connect_failure(cause, std::move(reason), now), now, out, false);
  }
  remote_id_ = identity_of(*id);
  const auto refuse = [&](model::Explanation why) {
    const std::string reason = why.reason;
    out.emplace_back(Explained{std::move(why)});
    give_back_spi();
    log(out, Subsystem::Ike, 0, "authentication of the peer failed: " + reason);
    notice(out, Notice::Kind::IkeFailed, reason);
    set_phase(IkeSaPhase::Deleting, out);
    jobs_.clear();
    enqueue({Job::Kind::AuthenticationFailed, {}, 0, {}, 0}, now, out);
  };
  const Identity expected = vpn_->remote_id.value_or(Identity::of(remote_.address));
  if (vpn_->remote_id && !vpn_->remote_id->matches(remote_id_)) {
    return refuse(
        connect_failure(Cause::RemoteId, "it says it is " + remote_id_.to_string() + ", remote-id is " + expected.to_string(), now));
  }
  const model::PresharedKey* key = ctx_.psks.find(local_id_, remote_id_);
  if (auth->method != wire::AuthMethod::SharedKeyMic) {
    model::Explanation why = connect_failure(
        Cause::AuthMethod,
        "it used authentication method " + std::to_string(static_cast<int>(auth->method)) + ", pre-shared-key is configured", now);
    explain_method(*vpn_, method_name(auth->method), why);
    return refuse(std::move(why));
  }
  if (key == nullptr) {
    model::Explanation why = connect_failure(Cause::NoKey, "no pre-shared key for " + remote_id_.to_string(), now);
    explain_missing_key(*ctx_.config, local_id_, remote_id_, why);
    return refuse(std::move(why));
  }
  if (!constant_time_equal(auth->data, auth_octets(*key, false))) {
    model::Explanation why =
        connect_failure(Cause::WrongKey, "the pre-shared key of " + remote_id_.to_string() + " does not match ours", now);
    explain_wrong_key(*key, local_id_, remote_id_, why);
    return refuse(std::move(why));
  }

  const Bytes nonce_i = init_->nonce_i, nonce_r = init_->nonce_r;
  become_established(now, out);
  if (request.child) {
    std::erase(wanted_, request.child->policy);
    if (error != nullptr) {
      // RFC 7296 1.2: the IKE SA stands even when the CHILD SA could not be made
      offer_failed(*request.child, refused_offer(*request.child, *error, now), now, out);
    } else if (const auto selection = accept_answer(*request.child, payloads, KeyExchangeUse::Ignore); !selection) {
      offer_failed(*request.child, offer_failure(*request.child, Cause::Malformed, selection.error().message, now), now, out);
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
  for (const std::string& policy : wanted_) jobs_.push_back({Job::Kind::CreateChild, policy, 0, {}, 0});
  wanted_.clear();
}

void IkeSa::refuse_authentication(const wire::Header& header, const std::string& reason, TimePoint now, Effects& out) {
  log(out, Subsystem::Ike, 0, "peer " + remote_.to_string() + " refused: " + reason);
  notice(out, Notice::Kind::IkeFailed, reason);
  refuse_request(header, NotifyType::AuthenticationFailed, {}, out);
  set_phase(IkeSaPhase::Deleting, out);
  give_up_at_ = now + kFailedLife;
}

void IkeSa::on_auth_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out) {
  const auto* id = find_id(payloads, PayloadType::IdInitiator);
  const auto* demanded = find_id(payloads, PayloadType::IdResponder);
  const auto* auth = find_payload<wire::AuthPayload>(payloads);
  remote_id_ = identity_of(*id);
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
  local_id_ = local_identity(*vpn, local_.address);
  const auto refuse = [&](Cause cause, std::string reason, const auto& fill_in) {
    model::Explanation why = auth_refusal(cause, std::move(reason), now);
    why.vpn = vpn->name;
    explain_identities(*vpn, local_id_, demanded == nullptr ? nullptr : &demanded_id, &remote_id_, why);
    fill_in(why);
    const std::string text = why.reason;
    out.emplace_back(Explained{std::move(why)});
    refuse_authentication(header, text, now, out);
  };
  if (auth == nullptr || auth->method != wire::AuthMethod::SharedKeyMic) {
    const std::string theirs = auth == nullptr ? "EAP" : method_name(auth->method);
    return refuse(Cause::AuthMethod,
                  auth == nullptr ? "it asks for EAP, pre-shared-key is configured"
                                  : "it used authentication method " + std::to_string(static_cast<int>(auth->method)) +
                                        ", pre-shared-key is configured",
                  [&](model::Explanation& why) { explain_method(*vpn, theirs, why); });
  }
  const model::PresharedKey* key = ctx_.psks.find(local_id_, remote_id_);
  if (key == nullptr) {
    return refuse(Cause::NoKey,
                  "no pre-shared key for local identity " + local_id_.to_string() + " and remote identity " + remote_id_.to_string(),
                  [&](model::Explanation& why) { explain_missing_key(*ctx_.config, local_id_, remote_id_, why); });
  }
  if (!constant_time_equal(auth->data, auth_octets(*key, false))) {
    return refuse(Cause::WrongKey, "the pre-shared key of " + remote_id_.to_string() + " does not match ours",
                  [&](model::Explanation& why) { explain_wrong_key(*key, local_id_, remote_id_, why); });
  }
  const bool initial_contact = find_notify(payloads, NotifyType::InitialContact) != nullptr;
  // A peer that has lost the other one says so. One that came up while this one was on its way is no older one: both ends began at once.
  if (vpn->ike.unique_sa == model::UniqueSa::Keep && !initial_contact && ctx_.established_between(local_id_, remote_id_, created_at_)) {
    return refuse_authentication(header, "there is an IKE SA with " + remote_id_.to_string() + " already (unique-sa keep)", now, out);
  }
  vpn_ = vpn;
  Payloads answer;
  answer.push_back(id_payload(PayloadType::IdResponder, local_id_));
  answer.push_back(wire::AuthPayload{wire::AuthMethod::SharedKeyMic, auth_octets(*key, true)});
  const Bytes nonce_i = init_->nonce_i, nonce_r = init_->nonce_r;
  become_established(now, out);
  if (initial_contact && vpn_->ike.unique_sa != model::UniqueSa::Never) {
    ctx_.follow_ups.push_back({FollowUp::Kind::InitialContact, vpn_->name, {}, id_, 0, {}});
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
}

}  // namespace svti::sa
