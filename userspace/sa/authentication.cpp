// SPDX-License-Identifier: Apache-2.0
// How each end of an IKE SA proves to the other who it is: RFC 7296 2.15 (shared keys and signatures), 3.6 and 3.7 (certificates), RFC 7427
// (which signatures the peer can read). What takes time, a signature or a look at a chain of certificates, is asked for by an effect; the
// IKE SA waits, and nobody else does.
#include <algorithm>

#include "auth/certificates.h"
#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::AuthMethod;
using model::Cause;
using model::Identity;
using model::Side;
using model::Verdict;
using wire::NotifyType;
using wire::PayloadType;

namespace {

constexpr std::size_t kMaxOfPeer = 8;  // revocation lists, and OCSP responses, of a peer: more are not looked at
constexpr std::size_t kAuthorityHashSize = 20;
constexpr std::size_t kMaxAuthorities = 64;     // of a peer's CERTREQs: more are not looked at
constexpr Duration kLongestWait = seconds(25);  // for an answer from outside; below the life of a half-open IKE SA

std::string method_of(wire::AuthMethod method) {
  if (method == wire::AuthMethod::SharedKeyMic) return "pre-shared-key";
  return "certificate (method " + std::to_string(static_cast<unsigned>(method)) + ")";
}

void explain_method(const model::Vpn& vpn, const std::string& theirs, model::Explanation& out) {
  const std::string ours(name_of(vpn.authentication.remote));
  out.tables.push_back({"authentication", {{"method", ours, theirs, Verdict::Fails}}});
  out.advice = {Side::Either, "vpn " + vpn.name + " ike-policy remote-auth-method",
                "make it what the peer uses, or set the peer's own method (local-auth-method) to " + ours};
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

std::string names_of(const std::vector<model::AuthorityPtr>& authorities) {
  std::string out;
  for (const auto& one : authorities) out += (out.empty() ? "" : ", ") + one->name + " (" + one->subject + ")";
  return out.empty() ? "none" : out;
}

std::vector<Bytes> sent_as(std::uint8_t encoding, const Payloads& payloads, std::size_t most) {
  std::vector<Bytes> out;
  for (const wire::Payload& payload : payloads) {
    const auto* certificate = std::get_if<wire::CertPayload>(&payload);
    if (certificate != nullptr && certificate->encoding == encoding && out.size() < most) out.push_back(certificate->data);
  }
  return out;
}

}  // namespace

void explain_certificate(const model::Vpn& vpn, const crypto::CertificateFacts& facts, const Identity& id, Verdict identity, Verdict chain,
                         model::Explanation& out) {
  out.tables.push_back({"certificate of the peer",
                        {{"identity", cell(id.to_string()), cell(auth::names_in(auth::identities_of(facts))), identity},
                         {"issuer", cell(names_of(vpn.authentication.authorities)), cell(facts.issuer_text), chain},
                         {"signed with", "", cell(facts.signed_with), chain}}});
}

model::Advice certificate_advice(const model::Vpn& vpn, crypto::ChainDefect defect) {
  const std::string trusted = "vpn " + vpn.name + " remote-ca-certificate";
  switch (defect) {
    case crypto::ChainDefect::Untrusted:
      return {Side::Either, trusted, "name the certificate-authority that issued it, or have the peer send the authorities in between"};
    case crypto::ChainDefect::Expired:
      return {Side::Theirs, "certificate", "renew it, or set the clock that is wrong"};
    case crypto::ChainDefect::NotYetValid:
      return {Side::Either, "certificate", "set the clock that is wrong, here or where it was issued"};
    case crypto::ChainDefect::Weak:
      return {Side::Theirs, "certificate", "have one issued with SHA-256 or better and a key of at least 2048 bits (RSA) or 256 (ECDSA)"};
    case crypto::ChainDefect::Constraints:
    case crypto::ChainDefect::Purpose:
      return {Side::Theirs, "certificate", "have one issued that may be used so"};
    case crypto::ChainDefect::Revoked:
      return {Side::Theirs, "certificate", "its authority took it back: have another issued"};
    case crypto::ChainDefect::RevocationUnknown:
      return {Side::Ours, "certificate-authority crl",
              "bring the revocation list up to date (crl), or make a server reachable that has it (crl-uri, ocsp-uri)"};
    case crypto::ChainDefect::Unreadable:
    case crypto::ChainDefect::Other:
      break;
  }
  return {Side::Theirs, "certificate", "have another issued"};
}

// --- what the ends can do ---------------------------------------------------------------------------------------------------

void IkeSa::remember_peer_methods(const Payloads& payloads) {
  if (const auto* hashes = find_notify(payloads, NotifyType::SignatureHashAlgorithms)) {
    for (Reader reader(hashes->data); reader.remaining() >= 2;)
      init_->peer_hashes.push_back(static_cast<crypto::SignatureHash>(*reader.u16()));
  }
  if (find_notify(payloads, NotifyType::HttpCertLookupSupported) != nullptr) init_->peer_looks_up = true;
  for (const wire::Payload& payload : payloads) {
    const auto* request = std::get_if<wire::CertReqPayload>(&payload);
    // RFC 4806 3.2: which responders it trusts is told, and ours may be another; it is free to look elsewhere then
    if (request != nullptr && request->encoding == kOcspContent) init_->peer_wants_ocsp = true;
    if (request == nullptr || request->encoding != kX509Signature) continue;
    for (Reader reader(request->data); reader.remaining() >= kAuthorityHashSize && init_->peer_authorities.size() < kMaxAuthorities;)
      init_->peer_authorities.push_back(to_bytes(*reader.take(kAuthorityHashSize)));
  }
}

void IkeSa::add_auth_methods(Payloads& payloads, const VpnIndex::Certificates& certificates) {
  Writer hashes;
  for (const crypto::SignatureHash hash : crypto::supported_signature_hashes()) hashes.u16(static_cast<std::uint16_t>(hash));
  payloads.push_back(wire::NotifyPayload{NotifyType::SignatureHashAlgorithms, wire::ProtocolId::None, {}, std::move(hashes).take()});
  if (!certificates.authorities.empty()) payloads.push_back(certificate_request(certificates.authorities));
  // RFC 4806 3.1: no hashes: any responder will do that the authority vouches for
  if (certificates.ocsp) payloads.push_back(wire::CertReqPayload{kOcspContent, {}});
  if (certificates.lookups) payloads.push_back(wire::NotifyPayload{NotifyType::HttpCertLookupSupported, wire::ProtocolId::None, {}, {}});
}

wire::CertReqPayload IkeSa::certificate_request(const std::vector<Bytes>& authorities) {
  wire::CertReqPayload out{kX509Signature, {}};
  for (const Bytes& hash : authorities) out.data.insert(out.data.end(), hash.begin(), hash.end());
  return out;
}

void IkeSa::add_certificates(Payloads& payloads, const model::LocalCertificate& certificate) const {
  // RFC 7296 3.6: the one that AUTH was made with comes first
  payloads.push_back(certificate_payload(certificate.der));
  for (const Bytes& der : certificate.chain) payloads.push_back(certificate_payload(der));
  if (init_->staple && !init_->staple->empty()) payloads.push_back(wire::CertPayload{kOcspContent, *init_->staple});
}

// --- waiting ----------------------------------------------------------------------------------------------------------------

Ticket IkeSa::await_answer(TimePoint now) {
  auth_->awaited = ++questions_;
  auth_->give_up_at = now + kLongestWait;
  return {id_, auth_->awaited};
}

void IkeSa::on_answer_overdue(TimePoint now, Effects& out) {
  if (eap_ && !eap_->awaited.empty()) return on_eap_step_overdue(now, out);
  const bool signing = auth_->certificate != nullptr;
  auth_->awaited = 0;
  if (signing) return cannot_prove(Cause::Signer, "the signer did not answer", {}, now, out);
  refuse_peer(Cause::Certificate, "its certificate could not be verified in time", {}, now, out);
}

// --- our half ---------------------------------------------------------------------------------------------------------------

const Secret& IkeSa::sk_p(bool ours, bool without_ppk) const {
  const bool initiators = ours == (role_ == Role::Initiator);
  if (without_ppk) return initiators ? init_->ppk->without.sk_pi : init_->ppk->without.sk_pr;
  return initiators ? keys_->sk_pi : keys_->sk_pr;
}

Bytes IkeSa::auth_octets(const model::PresharedKey& key, bool ours, bool without_ppk) const {
  // RFC 7296 2.15: each end signs its own first message, the other's nonce and its own identity
  const bool initiators = ours == (role_ == Role::Initiator);
  const wire::IdPayload id = id_payload(ours);
  const Secret auth = auth::shared_key_auth(keys_->prf, key.secret, ours ? init_->our_message : init_->peer_message,
                                            initiators ? init_->nonce_r : init_->nonce_i, sk_p(ours, without_ppk), wire::encode_id_body(id),
                                            init_->intermediate.int_auth());
  return to_bytes(auth.view());
}

Bytes IkeSa::signed_octets(bool ours, bool without_ppk) const {
  const bool initiators = ours == (role_ == Role::Initiator);
  return auth::signed_octets(keys_->prf, ours ? init_->our_message : init_->peer_message, initiators ? init_->nonce_r : init_->nonce_i,
                             sk_p(ours, without_ppk), wire::encode_id_body(id_payload(ours)), init_->intermediate.int_auth());
}

wire::IdPayload IkeSa::id_payload(bool ours) const {
  const bool initiators = ours == (role_ == Role::Initiator);
  const Identity& id = ours ? local_id_ : remote_id_;
  return {initiators ? PayloadType::IdInitiator : PayloadType::IdResponder, id.type, id.data};
}

// Ends in proven() or cannot_prove(), perhaps later.
void IkeSa::prove_ourselves(TimePoint now, Effects& out) {
  const model::Vpn& vpn = *auth_->vpn;
  if (role_ == Role::Initiator && !vpn.authentication.may_initiate()) {
    const std::string method(name_of(vpn.authentication.remote));
    return cannot_prove(
        Cause::AuthMethod, "remote-auth-method " + method + " is for peers that begin: EAP proves who the initiator is",
        [&](model::Explanation& why) {
          why.advice = {Side::Ours, "vpn " + vpn.name + " ipsec-policy start-action", "set it to none, and let the peer begin"};
        },
        now, out);
  }
  if (vpn.authentication.local == AuthMethod::PresharedKey) {
    const Identity expected = role_ == Role::Responder ? remote_id_ : vpn.remote_id.value_or(Identity::of(remote_.address));
    const model::PresharedKey* key = ctx_.psks.find(local_id_, expected);
    if (key != nullptr && lacks_no_ppk_auth()) init_->ppk->no_ppk_auth = auth_octets(*key, true, true);
    if (key != nullptr) return proven({{wire::AuthMethod::SharedKeyMic, auth_octets(*key, true)}, nullptr}, now, out);
    const std::string hint = role_ == Role::Responder ? "" : ": add a pre-shared-key with `id " + expected.to_string() + "`";
    return cannot_prove(
        Cause::NoKey,
        "no pre-shared key for local identity " + local_id_.to_string() + " and remote identity " + expected.to_string() + hint,
        [&](model::Explanation& why) { explain_missing_key(*ctx_.config, local_id_, expected, why); }, now, out);
  }
  if (is_eap(vpn.authentication.local)) return ask_for_eap(now, out);
  const Identity* id = vpn.local_id || role_ == Role::Responder ? &local_id_ : nullptr;
  auto candidates = announced_certificates(vpn);
  if (candidates.empty()) candidates = vpn.authentication.certificates;  // perhaps it can do more than it says
  const auto certificate = auth::choose_certificate(candidates, id, init_->peer_authorities);
  if (!certificate) {
    const std::string reason = "none of our certificates is of " + local_id_.to_string() + ": it must be the subject or a subjectAltName";
    return cannot_prove(
        Cause::NoCertificate, reason,
        [&](model::Explanation& why) {
          why.advice = {Side::Ours, "vpn " + vpn.name + " local-id", "set it to an identity of the certificate, or leave it out"};
        },
        now, out);
  }
  if (id == nullptr) local_id_ = certificate->identities.front();
  auth_->certificate = certificate;
  if (init_->peer_wants_ocsp && !init_->staple) {
    const Ticket ticket = await_answer(now);
    out.emplace_back(Staple{ticket, certificate});
    return;
  }
  sign(now, out);
}

void IkeSa::on_stapled(std::uint64_t number, Bytes response, TimePoint now, Effects& out) {
  if (dead_ || !auth_ || auth_->awaited != number || !auth_->certificate || init_->staple) return;
  auth_->awaited = 0;
  init_->staple = std::move(response);
  sign(now, out);
}

void IkeSa::sign(TimePoint now, Effects& out) {
  const model::LocalCertificatePtr certificate = auth_->certificate;
  log(out, Subsystem::Ike, 2, "signing with the key of certificate " + certificate->name);
  const Ticket ticket = await_answer(now);
  out.emplace_back(Sign{ticket,
                        {certificate->key_id, signed_octets(true, lacks_no_ppk_auth()), init_->peer_hashes,
                         crypto::use_of(certificate->key_type, init_->peer_takes).padding}});
}

void IkeSa::on_signature(std::uint64_t number, Result<crypto::Signature> signature, TimePoint now, Effects& out) {
  if (eap_ && !eap_->awaited.empty()) return on_eap_signature(number, std::move(signature), now, out);
  if (dead_ || !auth_ || auth_->awaited != number || !auth_->certificate) return;
  auth_->awaited = 0;
  const model::LocalCertificatePtr certificate = auth_->certificate;
  if (!signature) {
    return cannot_prove(
        Cause::Signer, "certificate " + certificate->name + " cannot sign: " + signature.error().message,
        [&](model::Explanation& why) {
          why.tables.push_back({"authentication", {{"certificate " + certificate->name, certificate->key_type, "", Verdict::Fails}}});
          why.advice = {Side::Ours, "certificate " + certificate->name, "see the log of the signer, or give the VPN another certificate"};
        },
        now, out);
  }
  if (lacks_no_ppk_auth()) {
    init_->ppk->no_ppk_auth = std::move(signature->data);
    return prove_ourselves(now, out);  // and now with the PPK
  }
  log(out, Subsystem::Ike, 1,
      "authenticating as " + local_id_.to_string() + " with certificate " + certificate->name + ", " +
          crypto::VerifyingKey::describe(*signature));
  local_certificate_ = certificate;
  proven({{signature->method, std::move(signature->data)}, certificate}, now, out);
}

void IkeSa::proven(const Proof& proof, TimePoint now, Effects& out) {
  if (role_ == Role::Initiator && in_further_round()) return send_round_request(proof, now, out);
  if (role_ == Role::Initiator) return send_auth_request(proof, now, out);
  if (auth_round() == AuthRound::Whole && eap_) return answer_with_eap(proof, now, out);
  answer_auth_request(proof, now, out);
}

void IkeSa::cannot_prove(Cause cause, std::string reason, const FillIn& fill_in, TimePoint now, Effects& out) {
  if (role_ == Role::Responder) return refuse_peer(cause, std::move(reason), fill_in, now, out);
  model::Explanation why = connect_failure(cause, std::move(reason), now);
  if (fill_in) fill_in(why);
  fail_connect(std::move(why), now, out, false);
}

// --- their half -------------------------------------------------------------------------------------------------------------

// Ends in peer_accepted() or refuse_peer(), perhaps later. The peer's AUTH is there unless it asks for EAP.
void IkeSa::check_peer(TimePoint now, Effects& out) {
  const model::Vpn& vpn = *auth_->vpn;
  const auto* auth = find_payload<wire::AuthPayload>(auth_->payloads);
  learn_another_auth(auth_->payloads);
  const std::string wanted(name_of(vpn.authentication.remote));
  const bool eap = is_eap(vpn.authentication.remote);
  if (auth == nullptr && eap) return serve_eap(now, out);
  if (auth == nullptr) {
    return refuse_peer(
        Cause::AuthMethod, "it asks for EAP, " + wanted + " is configured",
        [&](model::Explanation& why) { explain_method(vpn, "EAP", why); }, now, out);
  }
  const bool shared = auth->method == wire::AuthMethod::SharedKeyMic;
  if (eap || shared != (vpn.authentication.remote == AuthMethod::PresharedKey)) {
    return refuse_peer(
        Cause::AuthMethod,
        "it used authentication method " + std::to_string(static_cast<int>(auth->method)) + ", " + wanted + " is configured",
        [&](model::Explanation& why) { explain_method(vpn, method_of(auth->method), why); }, now, out);
  }
  if (shared) return check_shared_key(*auth, now, out);
  check_signature(*auth, now, out);
}

void IkeSa::check_shared_key(const wire::AuthPayload& auth, TimePoint now, Effects& out) {
  const model::PresharedKey* key = ctx_.psks.find(local_id_, remote_id_);
  if (key == nullptr) {
    const std::string reason = role_ == Role::Initiator ? "no pre-shared key for " + remote_id_.to_string()
                                                        : "no pre-shared key for local identity " + local_id_.to_string() +
                                                              " and remote identity " + remote_id_.to_string();
    return refuse_peer(
        Cause::NoKey, reason, [&](model::Explanation& why) { explain_missing_key(*ctx_.config, local_id_, remote_id_, why); }, now, out);
  }
  if (!constant_time_equal(auth.data, auth_octets(*key, false))) {
    return refuse_peer(
        Cause::WrongKey, "the pre-shared key of " + remote_id_.to_string() + " does not match ours",
        [&](model::Explanation& why) { explain_wrong_key(*key, local_id_, remote_id_, why); }, now, out);
  }
  peer_accepted(now, out);
}

// The cheap checks first, and the signature before anybody is asked about the chain: who has no key that fits costs no more than that.
void IkeSa::check_signature(const wire::AuthPayload& auth, TimePoint now, Effects& out) {
  const model::Vpn& vpn = *auth_->vpn;
  if (look_up_certificates(now, out)) return;
  std::vector<Bytes> certificates = sent_as(kX509Signature, auth_->payloads, auth_->payloads.size());
  if (certificates.empty()) {
    return refuse_peer(
        Cause::NoCertificate, "it sent no X.509 certificate",
        [&](model::Explanation& why) {
          why.advice = {Side::Theirs, "vpn certificate", "have it send its certificate, whether it is asked for one or not"};
        },
        now, out);
  }
  const auto facts = crypto::read_certificate(certificates.front());
  if (!facts) return refuse_peer(Cause::Certificate, "its certificate " + facts.error().message, {}, now, out);
  if (!auth::proves(*facts, remote_id_)) {
    return refuse_peer(
        Cause::RemoteId, "its certificate \"" + facts->subject_text + "\" is not of " + remote_id_.to_string() + ", which it says it is",
        [&](model::Explanation& why) {
          explain_certificate(vpn, *facts, remote_id_, Verdict::Fails, Verdict::NotCompared, why);
          why.advice = {Side::Theirs, "vpn local-id", "set it to the subject or to a subjectAltName of its certificate"};
        },
        now, out);
  }
  const auto key = crypto::VerifyingKey::from_spki(facts->public_key);
  if (!key) {
    return refuse_peer(
        Cause::Certificate, "the key of its certificate \"" + facts->subject_text + "\" cannot be used: " + key.error().message,
        [&](model::Explanation& why) {
          explain_certificate(vpn, *facts, remote_id_, Verdict::Fits, Verdict::NotCompared, why);
          why.advice = certificate_advice(vpn, crypto::ChainDefect::Weak);
        },
        now, out);
  }
  const crypto::Signature signature{auth.method, auth.data};
  if (const Status right = key->verify(signature, signed_octets(false)); !right) {
    return refuse_peer(
        Cause::WrongSignature, right.error().message + " (" + crypto::VerifyingKey::describe(signature) + ")",
        [&](model::Explanation& why) {
          explain_certificate(vpn, *facts, remote_id_, Verdict::Fits, Verdict::NotCompared, why);
          why.advice = {Side::Theirs, "certificate private-key",
                        "its private key must be the certificate's, and its signatures RFC 7427's"};
        },
        now, out);
  }
  log(out, Subsystem::Ike, 1,
      "the peer signs as " + remote_id_.to_string() + " with certificate \"" + facts->subject_text + "\", " +
          crypto::VerifyingKey::describe(signature));
  VerifyCertificate question{await_answer(now),
                             vpn.name,
                             std::move(certificates.front()),
                             {},
                             vpn.authentication.authorities,
                             vpn.authentication.revocation,
                             sent_as(kCrl, auth_->payloads, kMaxOfPeer),
                             sent_as(kOcspContent, auth_->payloads, kMaxOfPeer)};
  question.intermediates.assign(std::make_move_iterator(certificates.begin() + 1), std::make_move_iterator(certificates.end()));
  out.emplace_back(std::move(question));
}

void IkeSa::on_verified(std::uint64_t number, crypto::Verification chain, TimePoint now, Effects& out) {
  if (eap_ && !eap_->awaited.empty()) return on_eap_verified(number, std::move(chain), now, out);
  if (dead_ || !auth_ || auth_->awaited != number || auth_->certificate) return;
  auth_->awaited = 0;
  if (!chain) {
    return refuse_peer(
        Cause::Certificate, chain.error().message,
        [&](model::Explanation& why) {
          const std::vector<Bytes> certificates = sent_as(kX509Signature, auth_->payloads, 1);
          if (const auto facts = crypto::read_certificate(certificates.front()))
            explain_certificate(*auth_->vpn, *facts, remote_id_, Verdict::Fits, Verdict::Fails, why);
          why.advice = certificate_advice(*auth_->vpn, chain.error().defect);
        },
        now, out);
  }
  if (!chain->revocation_known)
    log(out, Subsystem::Ike, 2, "whether the peer's certificate is revoked is not known: " + chain->revocation_gap);
  remote_certificate_ = std::move(chain->certificates.front());
  peer_accepted(now, out);
}

void IkeSa::peer_accepted(TimePoint now, Effects& out) {
  if (role_ == Role::Initiator && eap_ && eap_->stage == EapExchange::Stage::Asked) {
    if (find_payload<wire::EapPayload>(auth_->payloads) == nullptr) return accept_responder(now, out);  // it redirects us
    return begin_eap_method(now, out);
  }
  if (role_ == Role::Initiator) return end_round(now, out);
  // Time has passed, perhaps: what was configured when the peer began may not be any more.
  const auto configured = ctx_.config->vpns.find(auth_->vpn->name);
  if (configured == ctx_.config->vpns.end() || *configured->second != (rounds_ ? *rounds_->whole : *auth_->vpn))
    return refuse_peer(Cause::Closed, "the configuration of " + auth_->vpn->name + " changed meanwhile", {}, now, out);
  if (!peer_keeps_to_rounds(now, out)) return;
  if (!eap_ && !proof_due(true)) return answer_auth_request({}, now, out);
  if (eap_) return answer_auth_request({{wire::AuthMethod::SharedKeyMic, eap_auth_octets(true)}, nullptr}, now, out);
  prove_ourselves(now, out);
}

void IkeSa::refuse_peer(Cause cause, std::string reason, const FillIn& fill_in, TimePoint now, Effects& out) {
  if (role_ == Role::Initiator) {
    model::Explanation why = connect_failure(cause, std::move(reason), now);
    if (fill_in) fill_in(why);
    return refuse_responder(std::move(why), now, out);
  }
  const auto* demanded = find_id(auth_->payloads, PayloadType::IdResponder);
  const Identity demanded_id = demanded == nullptr ? Identity{} : Identity{demanded->id_type, demanded->data};
  model::Explanation why = auth_refusal(cause, std::move(reason), now);
  why.vpn = auth_->vpn->name;
  explain_identities(*auth_->vpn, local_id_, demanded == nullptr ? nullptr : &demanded_id, &remote_id_, why);
  if (fill_in) fill_in(why);
  const std::string text = why.reason;
  const wire::Header request = auth_->request;
  out.emplace_back(Explained{std::move(why)});
  auth_.reset();
  refuse_authentication(request, text, now, out);
}

}  // namespace svti::sa
