// SPDX-License-Identifier: Apache-2.0
// What an IKE SA says about how its negotiations ended.
#include "sa/explain.h"
#include "sa/ike_sa.h"

namespace svti::sa {

using model::Cause;
using model::Explanation;
using model::Side;
using model::Verdict;
using wire::ExchangeType;
using wire::NotifyType;

namespace {

Explanation because(Cause cause, std::string reason) {
  Explanation out;
  out.cause = cause;
  out.reason = std::move(reason);
  return out;
}

// what to look at when IKE_SA_INIT goes without an answer; `icmp` as the transport tells it
std::string advice_on_silence(const std::string& icmp, const IpAddress& local) {
  if (icmp.ends_with("port unreachable"))
    return "its host is there, and no IKE daemon listens: start one, or check that the address is the peer's";
  if (icmp.ends_with("host unreachable") || icmp.ends_with("network unreachable"))
    return "no host with that address can be reached: check that it is the peer's, and the routes on the way";
  if (icmp.ends_with("administratively prohibited")) return "a filter on the way refuses: let UDP ports 500 and 4500 pass both ways";
  return "check that it is the peer's, that an IKE daemon listens there and knows " + local.to_string() +
         ", and that UDP ports 500 and 4500 pass both ways";
}

}  // namespace

Explanation IkeSa::told(ExchangeType exchange, bool initiator, Explanation why, TimePoint now) const {
  if (vpn_) why.vpn = vpn_->name;
  why.exchange = wire::to_string(exchange);
  why.initiator = initiator;
  why.authenticated = established_at_ != TimePoint{};
  why.local = local_;
  why.remote = remote_;
  if (!local_id_.data.empty()) why.local_id = cell(local_id_.to_string());
  if (!remote_id_.data.empty()) why.remote_id = cell(remote_id_.to_string());
  why.at = now;
  return why;
}

Explanation IkeSa::connect_failure(Cause cause, std::string reason, TimePoint now) const {
  Explanation out = told(keys_ ? ExchangeType::IkeAuth : ExchangeType::IkeSaInit, true, because(cause, std::move(reason)), now);
  switch (cause) {
    case Cause::IkeProposal:
      explain_refused_proposals(OwnProposals::ike(*vpn_), out);
      break;
    case Cause::RemoteId:
      explain_identities(*vpn_, local_id_, nullptr, &remote_id_, out);
      out.advice = {Side::Either, "vpn " + vpn_->name + " remote-id",
                    cell("set it to " + cell(remote_id_.to_string()) + " here, or the peer's local-id to " +
                         (vpn_->remote_id ? vpn_->remote_id->to_string() : remote_.address.to_string()))};
      break;
    case Cause::Authentication: {
      const model::Identity expected = vpn_->remote_id.value_or(model::Identity::of(remote_.address));
      explain_identities(*vpn_, local_id_, nullptr, nullptr, out);
      out.tables.back().rows.front().verdict = Verdict::Unknown;
      out.tables.back().rows.front().theirs.clear();
      if (vpn_->authentication.local != model::AuthMethod::PresharedKey) {
        out.advice = {Side::Either, "vpn " + vpn_->name + " local-id",
                      cell("the peer's remote-id must be " + local_id_.to_string() +
                           " and it must trust the authority that issued our certificate; its log says what it did not accept")};
        break;
      }
      explain_keys(ctx_.config->preshared_keys, ctx_.psks.find(local_id_, expected), local_id_, expected, out);
      out.advice = {Side::Either, "vpn " + vpn_->name + " local-id",
                    cell("the peer's remote-id must be " + local_id_.to_string() +
                         " and its pre-shared key the same as ours; its log says which is not")};
      break;
    }
    case Cause::Version:
      out.advice = {Side::Theirs, "vpn " + vpn_->name + " version", "set the peer to IKE version 2: no other is supported yet"};
      break;
    case Cause::Malformed:
      out.advice = {Side::Theirs, {}, "the peer breaks the protocol: its log, and ours at level 2, have the message"};
      break;
    case Cause::Refused:
      out.advice = {Side::Theirs, {}, "the peer's log says why it refuses"};
      break;
    default:
      break;
  }
  return out;
}

Explanation IkeSa::auth_refusal(Cause cause, std::string reason, TimePoint now) const {
  return told(ExchangeType::IkeAuth, false, because(cause, std::move(reason)), now);
}

Explanation IkeSa::offer_failure(const ChildOffer& offer, Cause cause, std::string reason, TimePoint now) const {
  Explanation out =
      told(offer.nonce.empty() ? ExchangeType::IkeAuth : ExchangeType::CreateChildSa, true, because(cause, std::move(reason)), now);
  out.policy = offer.policy;
  out.rekey = offer.rekeys != 0;
  if (cause == Cause::Malformed)
    out.advice = {Side::Theirs, {}, "the peer breaks the protocol: its log, and ours at level 2, have the message"};
  return out;
}

Explanation IkeSa::refused_offer(const ChildOffer& offer, const wire::NotifyPayload& error, TimePoint now) const {
  Explanation out = offer_failure(offer, Cause::Refused, "the peer answered " + wire::to_string(error.type), now);
  const model::SecurityPolicy* policy = vpn_->find_policy(offer.policy);
  if (policy == nullptr) return out;  // it was configured away meanwhile
  const OwnProposals ours = OwnProposals::child(*vpn_, *policy, offer.nonce.empty() ? KeyExchangeUse::Ignore : KeyExchangeUse::Negotiate);
  switch (error.type) {
    case NotifyType::NoProposalChosen:
      explain_refused_proposals(ours, out);
      // What was good in IKE_AUTH and is not now is the key exchange: there it is not negotiated (RFC 7296 1.2).
      if (out.rekey) {
        out.cause = Cause::PfsGroup;
        out.advice = {
            Side::Either, ours.path_of(0) + " dh-group",
            "make it the same here and at the peer: the first CHILD SA came up because IKE_AUTH does without dh-group, a rekey does not"};
      }
      break;
    case NotifyType::InvalidKePayload: {
      Reader reader(error.data);
      explain_group(ours, static_cast<wire::KeGroup>(reader.u16().value_or(0)), out);
      break;
    }
    case NotifyType::TsUnacceptable:
    case NotifyType::SinglePairRequired:
      explain_refused_selectors(*vpn_, offer.policy, offer.local, offer.remote, out);
      break;
    default:
      out.advice = {Side::Theirs, {}, "the peer's log says why it refuses"};
      break;
  }
  return out;
}

Explanation IkeSa::rekey_failure(Cause cause, std::string reason, bool initiator, TimePoint now) const {
  Explanation out = told(ExchangeType::CreateChildSa, initiator, because(cause, std::move(reason)), now);
  out.rekey = true;
  return out;
}

Explanation IkeSa::no_answer(TimePoint now) const {
  const bool begun = phase_ == model::IkeSaPhase::Connecting;
  const ExchangeType exchange = !keys_ ? ExchangeType::IkeSaInit : begun ? ExchangeType::IkeAuth : ExchangeType::Informational;
  Explanation out = told(exchange, true, because(Cause::NoAnswer, "no answer from " + remote_.to_string()), now);
  model::Transmission sent;
  sent.exchange = out.exchange;
  sent.from = local_;
  sent.to = remote_;
  sent.times = window_.retransmissions() + 1;
  sent.over = std::chrono::duration_cast<seconds>(now - window_.begun_at());
  sent.icmp = ctx_.returned.about(remote_, window_.begun_at());
  out.sent = std::move(sent);
  const std::string leaf = "vpn " + vpn_->name + " remote-address";
  if (exchange == ExchangeType::IkeSaInit)
    out.advice = {Side::Either, leaf, advice_on_silence(out.sent->icmp, local_.address)};
  else if (exchange == ExchangeType::IkeAuth)
    out.advice = {Side::Either, leaf,
                  "the peer answers IKE_SA_INIT and not IKE_AUTH: let UDP port " + std::to_string(remote_.port) +
                      " and fragments of large datagrams pass, or look at the peer's log"};
  else
    out.advice = {Side::Either, leaf, "the peer was there and is not any more: look at the way to it, and at its log"};
  return out;
}

void IkeSa::explain_success(bool rekeyed, TimePoint now, Effects& out) const {
  Explanation why = told(rekeyed ? ExchangeType::CreateChildSa : ExchangeType::IkeAuth, role_ == Role::Initiator, {}, now);
  why.succeeded = true;
  why.authenticated = true;
  why.rekey = rekeyed;
  const std::string proposal = cell(to_string(choice_));
  why.reason = (rekeyed ? "IKE SA rekeyed with " : "IKE SA established with ") + proposal;
  why.tables.push_back({"agreed on",
                        {{"IKE proposal", proposal, proposal, Verdict::Fits},
                         {"local identity", why.local_id, why.local_id, Verdict::Fits},
                         {"remote identity", why.remote_id, why.remote_id, Verdict::Fits},
                         {"authentication", std::string(name_of(vpn_->authentication.local)),
                          std::string(name_of(vpn_->authentication.remote)), Verdict::Fits}}});
  out.emplace_back(Explained{std::move(why)});
}

}  // namespace svti::sa
