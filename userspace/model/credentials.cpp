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

std::string Authentication::hindrance() const {
  for (const AuthMethod method : {local, remote}) {
    if (method == AuthMethod::EapTls)
      return std::string(name_of(method)) + " is not supported yet: expected pre-shared-key, certificate, eap-mschapv2 or eap-md5";
  }
  if (local == AuthMethod::EapRadius) return "eap-radius is a remote-auth-method: a RADIUS server says who the peer is, and not who we are";
  if (!is_eap(local) || !is_eap(remote)) return {};
  if (local != remote)
    return std::string(name_of(local)) + " here and " + std::string(name_of(remote)) + " there: both ends by EAP is one method for both";
  // RFC 5998 4: a method by which each end proves itself, and which gives a key
  if (local == AuthMethod::EapMd5)
    return "eap-md5 at both ends: it does not say who the gateway is, which has to have pre-shared-key or certificate";
  return {};
}

bool Authentication::operator==(const Authentication& other) const {
  return local == other.local && remote == other.remote && same(certificates, other.certificates) && same(authorities, other.authorities) &&
         revocation == other.revocation && local_eap_id == other.local_eap_id && remote_eap_id == other.remote_eap_id;
}

}  // namespace svti::model
