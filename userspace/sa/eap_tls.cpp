// SPDX-License-Identifier: Apache-2.0
// EAP-TLS in IKE_AUTH: which certificates the ends show, who signs for ours, and whether the other end's is trusted and of whom it has to
// be (RFC 5216 5.2, 5.3, RFC 9190 2.2). Certificates, authorities and revocation are the VPN's, as with certificates in AUTH.
#include <algorithm>

#include "auth/certificates.h"
#include "sa/explain.h"
#include "sa/ike_sa.h"

namespace svti::sa {

using crypto::ChainDefect;
using crypto::ChainFailure;
using crypto::TlsSession;
using model::Cause;
using model::Identity;
using model::Side;
using model::Verdict;

namespace {

constexpr Duration kLongestWait = seconds(25);  // for an answer from outside

// "@realm" (RFC 9190 2.1.4, RFC 7542 2.4), which is no identity of ours but octets: who it is, its certificate alone says
bool is_anonymous(const Identity& id) { return id.type == wire::IdType::KeyId && !id.data.empty() && id.data.front() == '@'; }

TlsSession::Setup setup_of(TlsSession::Role role, const std::vector<model::LocalCertificatePtr>& certificates) {
  TlsSession::Setup out{role, {}, {}};
  for (const model::LocalCertificatePtr& one : certificates) out.credentials.push_back({one->der, one->chain});
  return out;
}

}  // namespace

// --- beginning --------------------------------------------------------------------------------------------------------------

// False: it cannot be, and that was told.
bool IkeSa::begin_eap_tls_peer(const Identity& user, TimePoint now, Effects& out) {
  const model::Vpn& vpn = *auth_->vpn;
  auto& ours = eap_->certificates;
  ours = vpn.authentication.certificates;
  if (!is_anonymous(user)) std::erase_if(ours, [&](const auto& one) { return !one->proves(user); });
  if (ours.empty()) {
    eap_.reset();
    cannot_prove(
        Cause::NoCertificate,
        "none of our certificates is of " + user.to_string() + ", our EAP identity: it must be the subject or a subjectAltName",
        [&](model::Explanation& why) {
          why.advice = {Side::Ours, "vpn " + vpn.name + (vpn.authentication.local_eap_id ? " local-eap-id" : " local-id"),
                        "set it to an identity of the certificate"};
        },
        now, out);
    return false;
  }
  eap_->peer.emplace(setup_of(TlsSession::Role::Client, ours), eap_octets(user));
  return true;
}

bool IkeSa::begin_eap_tls_server(Bytes identity, TimePoint now, Effects& out) {
  const model::Vpn& vpn = *auth_->vpn;
  const auto& candidates = vpn.authentication.certificates;
  auto certificate = auth::choose_certificate(candidates, &local_id_, init_->peer_authorities);
  if (!certificate) certificate = auth::choose_certificate(candidates, nullptr, init_->peer_authorities);
  if (!certificate) {
    refuse_peer(
        Cause::NoCertificate, "EAP-TLS needs a certificate of ours, and " + vpn.name + " has none",
        [&](model::Explanation& why) {
          why.advice = {Side::Ours, "vpn " + vpn.name + " certificate", "name one"};
        },
        now, out);
    return false;
  }
  eap_->certificates = {certificate};
  TlsSession::Setup setup = setup_of(TlsSession::Role::Server, eap_->certificates);
  for (const model::AuthorityPtr& one : vpn.authentication.authorities) setup.authorities.push_back(one->der);
  eap_->server.emplace(std::move(setup), std::move(identity), ctx_.entropy);
  return true;
}

// --- questions of TLS -------------------------------------------------------------------------------------------------------

void IkeSa::ask_for_eap_answer(eap::Question question, TimePoint now, Effects& out) {
  if (auto* signature = std::get_if<eap::SignatureQuestion>(&question)) {
    eap_->credential = signature->credential;
    const model::LocalCertificate& certificate = *eap_->certificates.at(signature->credential);
    log(out, Subsystem::Ike, 2, "signing within TLS with the key of certificate " + certificate.name);
    eap_->wish = std::move(signature->wish);
    const Ticket ticket = await_eap_step("the signer", kLongestWait, now);
    out.emplace_back(Sign{ticket, {certificate.key_id, eap_->wish.octets, {eap_->wish.hash}, eap_->wish.padding}});
    return;
  }
  auto& certificates = std::get<eap::ChainQuestion>(question).certificates;
  eap_->shown = certificates.front();
  const auto facts = crypto::read_certificate(eap_->shown);
  const auto refuse = [&](ChainFailure why) { on_eap_refused(std::move(why), now, out); };
  if (!facts) return refuse({ChainDefect::Unreadable, "its certificate " + facts.error().message});
  const auto end = role_ == Role::Initiator ? crypto::TlsEnd::Server : crypto::TlsEnd::Client;
  if (const std::string wrong = crypto::tls_hindrance(eap_->shown, end); !wrong.empty())
    return refuse({ChainDefect::Purpose, "certificate \"" + facts->subject_text + "\": " + wrong});
  if (auto wrong = eap_name_refusal(*facts)) return refuse(std::move(*wrong));
  const model::Vpn& vpn = *auth_->vpn;
  VerifyCertificate verify{await_eap_step("the check of its certificate", kLongestWait, now),
                           vpn.name,
                           eap_->shown,
                           {},
                           vpn.authentication.authorities,
                           vpn.authentication.revocation,
                           {},
                           {}};
  verify.intermediates.assign(std::make_move_iterator(certificates.begin() + 1), std::make_move_iterator(certificates.end()));
  out.emplace_back(std::move(verify));
}

// Whose the certificate has to be, and is not. A user's is of its EAP identity; a gateway's that has nothing else to prove itself by (RFC
// 5998) of its IKE identity, and else of remote-eap-id.
std::optional<ChainFailure> IkeSa::eap_name_refusal(const crypto::CertificateFacts& facts) {
  const model::Authentication& how = auth_->vpn->authentication;
  const std::vector<Identity> names = auth::identities_of(facts);
  Identity expected;
  if (role_ == Role::Initiator) {
    expected = eap_->only ? remote_id_ : how.remote_eap_id.value_or(remote_id_);
  } else {
    const Identity user = eap_identity(eap_user());
    const bool named = std::any_of(names.begin(), names.end(), [&](const Identity& one) { return one.match_rank(user) == 3; });
    const bool nameless = how.remote_eap_id && how.remote_eap_id->is_pattern() && is_anonymous(user);
    expected = nameless ? *how.remote_eap_id : user;
    if (named && how.remote_eap_id && !how.remote_eap_id->matches(user)) {
      return ChainFailure{ChainDefect::Other,
                          "its EAP identity is " + user.to_string() + ", remote-eap-id is " + how.remote_eap_id->to_string()};
    }
  }
  // of several that fit, a name that people gave rather than the subject
  std::optional<Identity> proven;
  for (const Identity& one : names) {
    const bool fits = expected.is_pattern() ? expected.matches(one) : one.match_rank(expected) == 3;
    if (fits && (!proven || proven->type == wire::IdType::DerAsn1Dn)) proven = one;
  }
  eap_->expected = expected;
  if (!proven) {
    return ChainFailure{ChainDefect::Other, "its certificate \"" + facts.subject_text + "\" is not of " + expected.to_string() +
                                                (role_ == Role::Initiator ? ", who the gateway has to be" : ", its EAP identity")};
  }
  eap_->proven = expected.is_pattern() ? *proven : expected;
  return std::nullopt;
}

void IkeSa::on_eap_refused(ChainFailure why, TimePoint now, Effects& out) {
  eap_->refused = why;
  eap_->cause = Cause::Certificate;
  answer_eap(std::optional(std::move(why)), now, out);
}

void IkeSa::on_eap_signature(std::uint64_t number, Result<crypto::Signature> signature, TimePoint now, Effects& out) {
  if (!stop_awaiting_eap_step(number)) return;
  Result<Bytes> bare = signature ? crypto::bare_signature(*signature, eap_->wish) : Result<Bytes>(fail(signature.error()));
  if (!bare) eap_->cause = Cause::Signer;
  answer_eap(std::move(bare), now, out);
}

void IkeSa::on_eap_verified(std::uint64_t number, crypto::Verification chain, TimePoint now, Effects& out) {
  if (!stop_awaiting_eap_step(number)) return;
  if (!chain) return on_eap_refused(std::move(chain.error()), now, out);
  if (!chain->revocation_known)
    log(out, Subsystem::Ike, 2, "whether the peer's certificate is revoked is not known: " + chain->revocation_gap);
  answer_eap(std::optional<ChainFailure>(), now, out);
}

void IkeSa::answer_eap(eap::Answer answer, TimePoint now, Effects& out) {
  take_eap_step(role_ == Role::Initiator ? eap_->peer->answer(std::move(answer)) : eap_->server->answer(std::move(answer)), now, out);
}

// --- the end ----------------------------------------------------------------------------------------------------------------

void IkeSa::eap_tls_succeeded(Effects& out) {
  if (role_ == Role::Responder && eap_->proven) remote_eap_id_ = eap_->proven;
  if (!local_certificate_) local_certificate_ = eap_->certificates.at(eap_->credential);
  if (remote_certificate_.empty()) remote_certificate_ = eap_->shown;
  log(out, Subsystem::Ike, 1, role_ == Role::Initiator ? eap_->peer->describe() : eap_->server->describe());
}

void IkeSa::explain_eap_tls(const model::Vpn& vpn, const std::string& user, model::Explanation& why) const {
  const auto facts = eap_->shown.empty() ? Result<crypto::CertificateFacts>(peer_error("none")) : crypto::read_certificate(eap_->shown);
  if (eap_->refused && facts) {
    const bool name = eap_->refused->defect == ChainDefect::Other && !eap_->proven;
    explain_certificate(vpn, *facts, eap_->expected.value_or(remote_id_), name ? Verdict::Fails : Verdict::Fits,
                        name ? Verdict::NotCompared : Verdict::Fails, why);
    why.advice = certificate_advice(vpn, eap_->refused->defect);
    if (name)
      why.advice = {Side::Either, "vpn " + vpn.name + " remote-eap-id",
                    "it must be the subject or a subjectAltName of the peer's certificate"};
    return;
  }
  why.tables.push_back({"EAP", {{"method", "eap-tls", "", Verdict::NotCompared}, {"identity", cell(user), "", Verdict::NotCompared}}});
  if (why.cause == Cause::Signer) {
    why.advice = {Side::Ours, "certificate " + eap_->certificates.at(eap_->credential)->name,
                  "see the log of the signer, or give the VPN another certificate"};
    return;
  }
  why.advice = {Side::Either, "vpn " + vpn.name + " certificate",
                "each end needs a certificate that the other's remote-ca-certificate vouches for, and must use eap-tls"};
}

}  // namespace svti::sa
