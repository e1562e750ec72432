// SPDX-License-Identifier: Apache-2.0
// Gateways that send their clients to another one (RFC 5685): in IKE_SA_INIT, in IKE_AUTH, and out of an IKE SA that stands. The client is
// who began the first IKE SA, the gateway the other end.
#include "wire/redirect.h"

#include <algorithm>

#include "sa/core.h"
#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::Cause;
using model::IkeSaPhase;
using wire::GatewayIdentity;
using wire::NotifyType;

namespace {

constexpr Duration kRedirectedLife = seconds(30);  // the client's Delete is awaited that long

wire::NotifyPayload status(NotifyType type, Bytes data) { return {type, wire::ProtocolId::None, {}, std::move(data)}; }

}  // namespace

bool follows_redirects(const Payloads& init_request) {
  return find_notify(init_request, NotifyType::RedirectSupported) != nullptr ||
         find_notify(init_request, NotifyType::RedirectedFrom) != nullptr;
}

bool RedirectCounts::allows(const std::string& vpn, TimePoint now) {
  return counts_.try_emplace(vpn, kMost, kPeriod).first->second.allows(now);
}

// --- client ------------------------------------------------------------------------------------------------------------------

void IkeSa::offer_redirect(Payloads& payloads) {
  redirects_ = vpn_->ike.redirect;
  if (!redirects_) return;
  // RFC 5685 3: the one stands in place of the other
  payloads.push_back(redirected_from_ ? status(NotifyType::RedirectedFrom, wire::encode_redirect({*redirected_from_, {}}))
                                      : status(NotifyType::RedirectSupported, {}));
}

// Where to go from here; an error says why not.
Result<IpAddress> IkeSa::redirect_target(const GatewayIdentity& gateway, TimePoint now) {
  if (!gateway.address) return peer_error("it sends us to the host " + gateway.fqdn + ", and host names are not looked up here");
  if (gateway.address->is_any()) return peer_error("it sends us nowhere");
  if (*gateway.address == remote_.address) return peer_error("it sends us to itself");
  // RFC 5685 5: a loop
  if (!ctx_.redirects.allows(vpn_->name, now))
    return peer_error("it sends us to " + gateway.to_string() + " after " + std::to_string(RedirectCounts::kMost) + " redirections in " +
                      std::to_string(RedirectCounts::kPeriod.count() / 1'000'000) + " s: a loop");
  return *gateway.address;
}

void IkeSa::go_to(const IpAddress& gateway, std::vector<std::string> policies, std::uint32_t replaces, Effects& out) {
  log(out, Subsystem::Ike, 0, "redirected from " + remote_.address.to_string() + " to " + gateway.to_string());
  FollowUp note{FollowUp::Kind::Redirect, vpn_->name, {}, replaces, 0, std::move(policies)};
  note.gateway = gateway;
  note.from = remote_.address;
  ctx_.follow_ups.push_back(std::move(note));
}

// Unprotected. Who can send our nonce back has seen our request, and could have kept it from the gateway just as well.
void IkeSa::on_init_redirect(const wire::NotifyPayload& redirect, TimePoint now, Effects& out) {
  const auto ignore = [&](const std::string& why) { log(out, Subsystem::Ike, 1, "IKE_SA_INIT response ignored: it redirects us, " + why); };
  if (!redirects_) return ignore("which was not offered");
  const auto data = wire::parse_redirect(redirect.data);
  if (!data) return ignore("with " + data.error().message);
  if (!equal(data->nonce, init_->nonce_i)) return ignore("with a nonce that is not ours");
  const auto gateway = redirect_target(data->gateway, now);
  if (!gateway)
    return fail_connect(connect_failure(Cause::Refused, "the gateway does not serve us: " + gateway.error().message, now), now, out, false);
  go_to(*gateway, wanted_, replaces_, out);
  request_.reset();
  window_.finish();
  die(out);
}

// The gateway has authenticated us and we have it. There is no CHILD SA, and the client deletes the IKE SA (RFC 5685 6).
void IkeSa::on_auth_redirect(const wire::NotifyPayload& redirect, const AuthRequest& request, TimePoint now, Effects& out) {
  if (request.child) ctx_.child_spis.erase(request.child->spi);
  init_.reset();
  eap_.reset();
  rounds_.reset();
  const auto data = wire::parse_redirect(redirect.data);
  const auto gateway = data ? redirect_target(data->gateway, now) : fail(data.error());
  set_phase(IkeSaPhase::Deleting, out);
  jobs_.clear();
  if (gateway) {
    go_to(*gateway, wanted_, replaces_, out);
  } else {
    const std::string reason = "the gateway does not serve us: " + gateway.error().message;
    out.emplace_back(Explained{connect_failure(Cause::Refused, reason, now)});
    log(out, Subsystem::Ike, 0, "IKE SA not established: " + reason);
    notice(out, Notice::Kind::IkeFailed, reason);
  }
  enqueue({Job::Kind::DeleteIke, {}, 0, {}, {}, 0}, now, out);
}

// The old IKE SA serves until the new one does, as in a reauthentication; then it is deleted (RFC 5685 5).
void IkeSa::on_session_redirect(const Payloads& payloads, TimePoint now, Effects& out) {
  const auto* redirect = find_notify(payloads, NotifyType::Redirect);
  if (redirect == nullptr || !established()) return;
  const auto refuse = [&](const std::string& why) { log(out, Subsystem::Ike, 0, "the peer redirects us, which is not followed: " + why); };
  if (!redirects_) return refuse("it was not offered");
  if (!mobike_initiator_) return refuse("we are the gateway, it is the client");
  const auto data = wire::parse_redirect(redirect->data);
  const auto gateway = data ? redirect_target(data->gateway, now) : fail(data.error());
  if (!gateway) return refuse(gateway.error().message);
  go_to(*gateway, served(), id_, out);
}

void Core::follow_redirect(const VpnPtr& vpn, const FollowUp& note, TimePoint now, Effects& out) {
  Between between;
  between.remote = note.gateway;
  const Status begun = connect(vpn, note.policies, between, 1, now, out, {note.ike, note.from});
  if (begun) return;
  log(out, Subsystem::Ike, 0, vpn->name + ": the redirection cannot be followed: " + begun.error().message);
  if (note.ike == 0) out.emplace_back(Notice{Notice::Kind::IkeFailed, vpn->name, {}, 0, 0, 0, begun.error().message});
}

// --- gateway -----------------------------------------------------------------------------------------------------------------

// Answered without a state. When it is not known yet which VPN is meant, all that it may be must agree; else it is for IKE_AUTH.
bool Core::redirect_init(const wire::Message& request, const model::Datagram& datagram, ByteView nonce, Effects& out) {
  if (!follows_redirects(request.payloads)) return false;
  const auto gateway = ctx_.index.redirect(datagram.local.address, datagram.remote.address);
  if (!gateway) return false;
  log(out, Subsystem::Ike, 1, "IKE_SA_INIT from " + datagram.remote.to_string() + " redirected to " + gateway->to_string());
  answer_init(datagram, request.header, NotifyType::Redirect, wire::encode_redirect(*gateway, nonce), out);
  return true;
}

bool IkeSa::redirects_in_auth() const {
  const auto& gateway = vpn_->ike.redirect_to;
  return redirects_ && gateway && gateway->address != local_.address;
}

void IkeSa::redirect_in_auth(const wire::Header& header, Payloads answer, TimePoint now, Effects& out) {
  log(out, Subsystem::Ike, 0,
      "peer " + remote_.to_string() + " [" + remote_id_.to_string() + "] redirected to " + vpn_->ike.redirect_to->to_string());
  answer.push_back(status(NotifyType::Redirect, wire::encode_redirect(*vpn_->ike.redirect_to)));
  send_response(header, answer, out);
  init_.reset();
  eap_.reset();
  rounds_.reset();
  set_phase(IkeSaPhase::Deleting, out);
  give_up_at_ = now + kRedirectedLife;
}

Status IkeSa::redirect(const GatewayIdentity& gateway, TimePoint now, Effects& out) {
  if (!established() || awaits_hand_over()) return config_error("it is not established");
  if (mobike_initiator_) return config_error("the peer is the gateway: a client redirects nobody");
  if (!redirects_) return config_error("the peer does not follow redirections");
  log(out, Subsystem::Ike, 0, "redirecting the peer to " + gateway.to_string());
  Job job{Job::Kind::Redirect, {}, 0, {}, {}, 0};
  job.gateway = gateway;
  enqueue(std::move(job), now, out);
  return {};
}

}  // namespace svti::sa
