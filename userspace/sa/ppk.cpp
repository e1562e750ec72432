// SPDX-License-Identifier: Apache-2.0
// Postquantum preshared keys, both roles: RFC 8784. A PPK that both ends have goes into SK_d, SK_pi and SK_pr of the first IKE SA, in
// IKE_AUTH; what is derived from SK_d later has it by itself. It is named in the request with the initiator's AUTH: with EAP that is the
// last one, and what the responder proves before is proven without.
#include "auth/ppk.h"

#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::Cause;
using model::Explanation;
using model::Side;
using model::Verdict;
using wire::NotifyType;

namespace {

wire::NotifyPayload notify(NotifyType type, Bytes data) { return {type, wire::ProtocolId::None, {}, std::move(data)}; }

std::string shown(ByteView id) { return printable(as_text(id), 64); }

// what is asked for beside what there is
void explain_ppks(const model::Configuration& configuration, const std::string& wanted, Explanation& out) {
  model::ComparisonTable table{"postquantum preshared keys", {}};
  for (const auto& ppk : configuration.ppks) {
    if (table.rows.size() == model::kMaxRows) break;
    std::string ids;
    for (const model::Identity& id : ppk->ids) ids += (ids.empty() ? "" : ", ") + id.to_string();
    table.rows.push_back({cell(ppk->name), cell(ids), cell(wanted), Verdict::Fails});
  }
  if (table.rows.empty()) table.rows.push_back({"id", "none", cell(wanted), Verdict::Fails});
  out.tables.push_back(std::move(table));
}

void advise_missing(const model::Configuration& configuration, const std::string& wanted, Explanation& out) {
  explain_ppks(configuration, wanted, out);
  out.advice = {Side::Ours, "ppk", cell("add a ppk with `id " + cell(wanted) + "` and the secret that the peer has under it")};
}

}  // namespace

// --- initiator --------------------------------------------------------------------------------------------------------------

bool IkeSa::offers_ppk() const { return vpn_->ike.ppk_id && ctx_.ppks.find(vpn_->ike.ppk_id->data) != nullptr; }

// why an IKE SA that needs a PPK cannot be, once the peer has answered IKE_SA_INIT; nothing: it can, or does not need one
std::optional<Explanation> IkeSa::ppk_hindrance(bool peer_uses_ppk, TimePoint now) const {
  if (!vpn_->ike.ppk_required || peer_uses_ppk) return std::nullopt;
  const std::string leaf = "vpn " + vpn_->name + " ike-policy ";
  if (!vpn_->ike.ppk_id) {
    Explanation why = connect_failure(Cause::NoPpk, "ppk-required is set, and no ppk-id", now);
    why.advice = {Side::Ours, leaf + "ppk-id", "name the ppk to use with this peer"};
    return why;
  }
  const std::string id = vpn_->ike.ppk_id->to_string();
  if (!offers_ppk()) {
    Explanation why = connect_failure(Cause::NoPpk, "there is no ppk with the id " + id + ", and ppk-required is set", now);
    advise_missing(*ctx_.config, id, why);
    return why;
  }
  // RFC 8784 3
  Explanation why = connect_failure(Cause::NoPpk, "the peer uses no postquantum preshared keys, and ppk-required is set", now);
  why.advice = {Side::Either, leaf + "ppk-required", "give the peer the PPK " + cell(id) + ", or do without here"};
  return why;
}

void IkeSa::begin_ppk() {
  if (!init_->use_ppk) return;
  const model::Ppk* ppk = ctx_.ppks.find(vpn_->ike.ppk_id->data);
  if (ppk == nullptr) return;  // removed meanwhile
  init_->ppk = PpkUse{vpn_->ike.ppk_id->data, mix_ppk(*keys_, ppk->secret), {}};
}

bool IkeSa::lacks_no_ppk_auth() const {
  return role_ == Role::Initiator && init_->ppk && !vpn_->ike.ppk_required && init_->ppk->no_ppk_auth.empty();
}

// One of its id is at both ends, and is not the same.
void IkeSa::advise_same_ppk(Explanation& why) const {
  const model::Ppk* ppk = ctx_.ppks.find(init_->ppk->id);
  why.advice = {Side::Either, "ppk " + (ppk == nullptr ? std::string() : ppk->name + " ") + "secret",
                cell("set the same secret here and at the peer for the PPK " + shown(init_->ppk->id))};
}

void IkeSa::add_ppk(Payloads& payloads) const {
  if (!init_->ppk) return;
  if (role_ == Role::Responder) return payloads.push_back(notify(NotifyType::PpkIdentity, {}));
  payloads.push_back(notify(NotifyType::PpkIdentity, auth::encode_ppk_identity(init_->ppk->id)));
  if (!init_->ppk->no_ppk_auth.empty()) payloads.push_back(notify(NotifyType::NoPpkAuth, init_->ppk->no_ppk_auth));
}

// The peer's answer says whether it has the PPK. False: it has not and must, so that this IKE SA is being closed.
bool IkeSa::settle_ppk(const Payloads& answer, TimePoint now, Effects& out) {
  if (find_notify(answer, NotifyType::PpkIdentity) != nullptr && init_->ppk) {
    log(out, Subsystem::Ike, 1, "the peer has the PPK " + shown(init_->ppk->id));
    return true;
  }
  if (vpn_->ike.ppk_required) {
    const std::string id = vpn_->ike.ppk_id ? vpn_->ike.ppk_id->to_string() : "none";
    Explanation why = connect_failure(Cause::NoPpk, "the peer has not used the PPK " + id + ", and ppk-required is set", now);
    explain_ppks(*ctx_.config, id, why);
    why.advice = {Side::Theirs, "ppk", cell("give it a ppk with `id " + cell(id) + "` and our secret")};
    refuse_responder(std::move(why), now, out);
    return false;
  }
  if (!init_->ppk) return true;
  log(out, Subsystem::Ike, 1, "the peer does not have the PPK " + shown(init_->ppk->id) + ": going on without");
  keys_->sk_d = std::move(init_->ppk->without.sk_d);
  keys_->sk_pi = std::move(init_->ppk->without.sk_pi);
  keys_->sk_pr = std::move(init_->ppk->without.sk_pr);
  init_->ppk.reset();
  return true;
}

// --- responder --------------------------------------------------------------------------------------------------------------

// RFC 8784 3: the table of what a responder does. `payloads`: of the peer's request; where it does without the PPK, AUTH is what
// NO_PPK_AUTH says. False: the peer is refused.
bool IkeSa::take_ppk(Payloads& payloads, TimePoint now, Effects& out) {
  const model::Vpn& vpn = *auth_->vpn;
  const auto refuse = [&](std::string reason, const std::string& id) {
    const auto fill_in = [&](Explanation& why) {
      if (!id.empty()) return advise_missing(*ctx_.config, id, why);
      why.advice = {Side::Either, "vpn " + vpn.name + " ike-policy ppk-required", "give the peer a PPK, or do without here"};
    };
    refuse_peer(Cause::NoPpk, std::move(reason), fill_in, now, out);
    return false;
  };
  const bool proof = find_payload<wire::AuthPayload>(payloads) != nullptr;
  if (!proof && init_->use_ppk) return true;  // EAP is to come first
  const auto* named = init_->use_ppk ? find_notify(payloads, NotifyType::PpkIdentity) : nullptr;
  if (named == nullptr) {
    if (!vpn.ike.ppk_required) return true;
    const bool missing = vpn.ike.ppk_id && ctx_.ppks.find(vpn.ike.ppk_id->data) == nullptr;
    return refuse("it uses no postquantum preshared key, and ppk-required is set", missing ? vpn.ike.ppk_id->to_string() : std::string());
  }
  if (rounds_) return refuse("a PPK together with several rounds of authentication is not supported yet", {});
  const auto id = auth::parse_ppk_identity(named->data);
  const bool wanted = id && (!vpn.ike.ppk_id || equal(vpn.ike.ppk_id->data, *id));
  if (const model::Ppk* ppk = wanted ? ctx_.ppks.find(*id) : nullptr) {
    init_->ppk = PpkUse{to_bytes(*id), mix_ppk(*keys_, ppk->secret), {}};
    log(out, Subsystem::Ike, 1, "the peer uses the PPK " + shown(*id));
    return true;
  }
  const std::string text = id ? shown(*id) : std::string("of a kind that is not supported");
  const auto* without = find_notify(payloads, NotifyType::NoPpkAuth);
  if (vpn.ike.ppk_required || without == nullptr) {
    const std::string reason = "it uses the PPK " + text + ", which " +
                               (id && !wanted ? "is not the ppk-id of " + vpn.name : "is not here") +
                               (vpn.ike.ppk_required ? ", and ppk-required is set" : ", and does not go on without");
    return refuse(reason, text);
  }
  log(out, Subsystem::Ike, 1, "the peer's PPK " + text + " is not here: going on without");
  for (wire::Payload& payload : payloads) {
    if (auto* auth = std::get_if<wire::AuthPayload>(&payload)) auth->data = without->data;
  }
  return true;
}

}  // namespace svti::sa
