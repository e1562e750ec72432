// SPDX-License-Identifier: Apache-2.0
#include "auth/certificates.h"

#include <algorithm>

#include "crypto/credential.h"
#include "crypto/prf.h"
#include "crypto/signature.h"

namespace svti::auth {

using model::Identity;
using wire::IdType;

std::vector<Identity> identities_of(const crypto::CertificateFacts& facts) {
  std::vector<Identity> out;
  out.push_back({IdType::DerAsn1Dn, facts.subject});
  for (const crypto::AltName& name : facts.alt_names) {
    switch (name.kind) {
      case crypto::AltName::Kind::Dns:
        out.push_back({IdType::Fqdn, name.data});
        break;
      case crypto::AltName::Kind::Email:
        out.push_back({IdType::Rfc822Addr, name.data});
        break;
      case crypto::AltName::Kind::Ip:
        out.push_back({name.data.size() == 4 ? IdType::Ipv4Addr : IdType::Ipv6Addr, name.data});
        break;
    }
  }
  if (!facts.subject_key_id.empty()) out.push_back({IdType::KeyId, facts.subject_key_id});
  return out;
}

bool proves(const crypto::CertificateFacts& facts, const Identity& id) {
  const std::vector<Identity> identities = identities_of(facts);
  return std::any_of(identities.begin(), identities.end(), [&](const Identity& one) { return one.match_rank(id) == 3; });
}

std::string names_in(const std::vector<Identity>& identities) {
  std::string out;
  for (const Identity& one : identities) {
    if (one.type != IdType::KeyId) out += (out.empty() ? "" : ", ") + one.to_string();
  }
  return out;
}

Result<model::LocalCertificate> read_local_certificate(std::string name, ByteView text, std::span<const Bytes> authorities) {
  const auto certificates = crypto::parse_certificates(text, crypto::CertificateKind::X509);
  if (!certificates) return fail(certificates.error());
  if (certificates->empty()) return config_error("holds no certificate");
  const crypto::Certificate& own = certificates->front();
  const auto facts = crypto::read_certificate(own.der);
  if (!facts) return config_error(facts.error().message);

  model::LocalCertificate out;
  out.name = std::move(name);
  out.der = own.der;
  out.key_id = own.key_id;
  if (const auto key = crypto::VerifyingKey::from_spki(facts->public_key)) out.key_type = crypto::to_string(key->type());
  out.identities = identities_of(*facts);
  out.subject = facts->subject_text;
  out.not_before = facts->not_before;
  out.not_after = facts->not_after;
  std::vector<Bytes> known;
  for (std::size_t i = 1; i < certificates->size(); ++i) known.push_back((*certificates)[i].der);
  // what stands behind it is sent, whatever it is
  out.chain = known;
  known.insert(known.end(), authorities.begin(), authorities.end());
  crypto::Lineage lineage = crypto::lineage_of(own.der, known);
  out.issuers = std::move(lineage.hashes);
  for (Bytes& der : lineage.chain) {
    if (std::find(out.chain.begin(), out.chain.end(), der) == out.chain.end()) out.chain.push_back(std::move(der));
  }
  return out;
}

std::string weakness_of(ByteView certificate) {
  const auto facts = crypto::read_certificate(certificate);
  if (!facts) return facts.error().message;
  const auto key = crypto::VerifyingKey::from_spki(facts->public_key);
  return key ? std::string() : key.error().message;
}

Result<model::Authority> read_authority(std::string name, ByteView text) {
  const auto certificate = crypto::parse_certificate(text, crypto::CertificateKind::X509);
  if (!certificate) return fail(certificate.error());
  const auto facts = crypto::read_certificate(certificate->der);
  if (!facts) return config_error(facts.error().message);
  model::Authority out;
  out.name = std::move(name);
  out.der = certificate->der;
  out.hash = crypto::authority_hash(certificate->der).value();
  out.subject = facts->subject_text;
  out.not_before = facts->not_before;
  out.not_after = facts->not_after;
  return out;
}

Status fits_hash(ByteView octets, ByteView sha1) {
  if (!equal(crypto::sha1({octets}), sha1)) return peer_error("what is there has another hash");
  const auto facts = crypto::read_certificate(octets);
  if (!facts) return peer_error("what is there " + facts.error().message);
  return {};
}

model::LocalCertificatePtr choose_certificate(const std::vector<model::LocalCertificatePtr>& candidates, const Identity* id,
                                              std::span<const Bytes> wanted) {
  model::LocalCertificatePtr first;
  for (const model::LocalCertificatePtr& one : candidates) {
    if (id != nullptr && !one->proves(*id)) continue;
    if (!first) first = one;
    const bool asked_for = std::any_of(one->issuers.begin(), one->issuers.end(),
                                       [&](const Bytes& hash) { return std::find(wanted.begin(), wanted.end(), hash) != wanted.end(); });
    if (asked_for) return one;
  }
  return first;
}

Bytes signed_octets(const crypto::Prf& prf, ByteView message, ByteView nonce, const Secret& sk_p, ByteView id_body, ByteView int_auth) {
  const Secret maced_id = prf(sk_p.view(), {id_body});
  return concat({message, nonce, maced_id.view(), int_auth});
}

}  // namespace svti::auth
