// SPDX-License-Identifier: Apache-2.0
// Reauthentication: an IKE SA is begun anew after reauth-time, or when the peer says how long its authentication is good for
// (RFC 7296 2.8.3, RFC 4478).
#include <algorithm>

#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using wire::NotifyType;

namespace {

constexpr Duration kTryAgain = seconds(120);  // while the old IKE SA still stands

}  // namespace

void IkeSa::begin_authentication_lifetime(TimePoint now) {
  const model::IkePolicy& ike = vpn_->ike;
  if (ike.reauth_time.count() == 0) return;
  // Who cannot begin, because the peer may be anywhere, ends the IKE SA when the peer has not begun.
  if ((vpn_->remote_address || between_.remote) && vpn_->authentication.may_initiate()) {
    reauth_at_ = now + ctx_.jittered(ike.reauth_time, ike.rand_time);
  }
  const Duration over = ike.over_time ? Duration(*ike.over_time) : Duration(ike.reauth_time) / 10;
  authentication_ends_ = now + Duration(ike.reauth_time) + over;
  dies_at_ = std::min(dies_at_.value_or(*authentication_ends_), *authentication_ends_);
}

void IkeSa::add_auth_lifetime(Payloads& answer) const {
  seconds good_for = vpn_->ike.reauth_time;
  if (authenticated_until_) good_for = std::max(*authenticated_until_ - ctx_.tickets.wall(), seconds(1));  // less, where it was resumed
  if (session_timeout_) good_for = good_for.count() == 0 ? *session_timeout_ : std::min(good_for, *session_timeout_);
  if (good_for.count() == 0) return;
  Writer lifetime;
  lifetime.u32(static_cast<std::uint32_t>(good_for.count()));
  answer.push_back(wire::NotifyPayload{NotifyType::AuthLifetime, wire::ProtocolId::None, {}, std::move(lifetime).take()});
}

// RFC 4478 3: begun anew before the time that the responder gives
void IkeSa::learn_auth_lifetime(const Payloads& payloads, TimePoint now) {
  const auto* notify = find_notify(payloads, NotifyType::AuthLifetime);
  if (notify == nullptr) return;
  Reader reader(notify->data);
  const auto lifetime = reader.u32();
  if (!lifetime || !reader.empty() || *lifetime == 0) return;
  const TimePoint at = now + ctx_.jittered(seconds(*lifetime), std::max(seconds(*lifetime / 5), seconds(1)));
  if (!reauth_at_ || at < *reauth_at_) reauth_at_ = at;
}

void IkeSa::reauthenticate(TimePoint now, Effects& out) {
  reauth_at_.reset();
  if (!established()) return;
  if (awaits_hand_over() || being_handed_over()) {
    reauth_at_ = now + kTryAgain;
    return;
  }
  if (!vpn_->remote_address && !between_.remote)
    return log(out, Subsystem::Ike, 1, "it cannot be reauthenticated from here: its VPN has no remote-address");
  log(out, Subsystem::Ike, 1, "reauthenticating");
  reauth_at_ = now + kTryAgain;
  FollowUp note{FollowUp::Kind::Reauthenticate, vpn_->name, {}, id_, 0, served()};
  note.between = between_;
  ctx_.follow_ups.push_back(std::move(note));
}

void IkeSa::restart(std::vector<std::string> policies, TimePoint now, Effects& out) {
  if (!established()) return;
  restart_ = std::move(policies);
  delete_ike("reauthentication", now, out);
}

void IkeSa::begin_anew() {
  for (std::string& policy : std::exchange(restart_, {})) start_later(std::move(policy));
}

void IkeSa::start_later(std::string policy) const {
  FollowUp note{FollowUp::Kind::Start, vpn_->name, std::move(policy), 0, 0, {}};
  note.between = between_;
  ctx_.follow_ups.push_back(std::move(note));
}

// RFC 4555 3.8: behind a NAT it shows whether the mapping is still the same
Payloads IkeSa::liveness_payloads() const {
  Payloads out;
  if (mobike_ && mobike_initiator_ && we_behind_nat_) add_nat_detection(out);
  // ... and our token makes the request large enough for an answer with the peer's, should it have lost this IKE SA
  add_crash_token(out);
  if (wants_ticket()) out.push_back(wire::NotifyPayload{NotifyType::TicketRequest, wire::ProtocolId::None, {}, {}});
  return out;
}

}  // namespace svti::sa
