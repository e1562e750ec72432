// SPDX-License-Identifier: Apache-2.0
#include "engine/verifier.h"

namespace svti::engine {

namespace {

constexpr std::size_t kMostKnown = 64;

Result<crypto::TrustedAuthorities> read(const std::vector<model::AuthorityPtr>& authorities) {
  std::vector<Bytes> certificates, lists;
  for (const model::AuthorityPtr& one : authorities) {
    certificates.push_back(one->der);
    lists.insert(lists.end(), one->crls.begin(), one->crls.end());
  }
  return crypto::TrustedAuthorities::make(certificates, lists);
}

}  // namespace

crypto::RevocationPolicy policy_of(model::Revocation revocation) {
  switch (revocation) {
    case model::Revocation::Relaxed:
      return crypto::RevocationPolicy::Relaxed;
    case model::Revocation::IfUri:
      return crypto::RevocationPolicy::IfPossible;
    case model::Revocation::Strict:
      break;
  }
  return crypto::RevocationPolicy::Strict;
}

crypto::Verification Verifier::verify(const sa::VerifyCertificate& question, std::chrono::sys_seconds now) {
  std::vector<const model::Authority*> key;
  for (const model::AuthorityPtr& one : question.authorities) key.push_back(one.get());
  if (known_.size() >= kMostKnown && !known_.contains(key)) known_.clear();
  auto trust = known_.find(key);
  if (trust == known_.end()) trust = known_.emplace(key, Trust{question.authorities, read(question.authorities)}).first;
  const auto& authorities = trust->second.authorities;
  if (!authorities)
    return tl::unexpected<crypto::ChainFailure>(crypto::ChainFailure{crypto::ChainDefect::Untrusted, authorities.error().message});
  crypto::Evidence more{{}, question.ocsp_responses};
  for (const Bytes& der : question.crls) {
    if (auto list = crypto::Crl::read(der)) more.lists.push_back(std::move(*list));
  }
  return authorities->verify(question.certificate, question.intermediates, now, crypto::RevocationPolicy::Relaxed, more);
}

}  // namespace svti::engine
