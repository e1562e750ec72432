// SPDX-License-Identifier: Apache-2.0
#include "model/credentials.h"

#include <algorithm>

namespace svti::model {

namespace {

template <typename Ptr>
bool same(const std::vector<Ptr>& ours, const std::vector<Ptr>& theirs) {
  return std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(), [](const Ptr& a, const Ptr& b) { return a == b || *a == *b; });
}

}  // namespace

bool LocalCertificate::proves(const Identity& id) const {
  return std::any_of(identities.begin(), identities.end(), [&](const Identity& one) { return one.match_rank(id) == 3; });
}

bool Authentication::operator==(const Authentication& other) const {
  return local == other.local && remote == other.remote && same(certificates, other.certificates) && same(authorities, other.authorities) &&
         revocation == other.revocation && local_eap_id == other.local_eap_id && remote_eap_id == other.remote_eap_id;
}

}  // namespace svti::model
