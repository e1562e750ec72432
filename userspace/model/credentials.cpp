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

bool TokenKey::operator==(const TokenKey& other) const {
  return uri == other.uri && source == other.source && public_key == other.public_key && constant_time_equal(pin.view(), other.pin.view());
}

bool LocalCertificate::proves(const Identity& id) const {
  return std::any_of(identities.begin(), identities.end(), [&](const Identity& one) { return one.match_rank(id) == 3; });
}

bool FurtherRound::operator==(const FurtherRound& other) const {
  return method == other.method && id == other.id && eap_id == other.eap_id && same(certificates, other.certificates) &&
         same(authorities, other.authorities) && revocation == other.revocation;
}

bool Authentication::may_initiate() const {
  const bool asks_for_eap = std::any_of(further_remote.begin(), further_remote.end(), [](const auto& one) { return is_eap(one.method); });
  return !asks_for_eap && (!is_eap(remote) || is_eap(local));
}

bool Authentication::uses_certificates() const {
  const auto by_certificate = [](const auto& one) { return one.method == AuthMethod::Certificate; };
  return local == AuthMethod::Certificate || remote == AuthMethod::Certificate ||
         std::any_of(further_local.begin(), further_local.end(), by_certificate) ||
         std::any_of(further_remote.begin(), further_remote.end(), by_certificate);
}

std::string Authentication::hindrance() const {
  if (has_several_rounds()) {
    const auto by_eap = [](const FurtherRound& one) { return is_eap(one.method); };
    const bool ours = is_eap(local) || std::any_of(further_local.begin(), further_local.end(), by_eap);
    const bool theirs = is_eap(remote) || std::any_of(further_remote.begin(), further_remote.end(), by_eap);
    if (ours && theirs) return "EAP at both ends is for one round of authentication";
    for (const auto* further : {&further_local, &further_remote}) {
      for (const FurtherRound& one : *further) {
        const Authentication alone{one.method, AuthMethod::PresharedKey, {}, {}, {}, {}, {}, {}, {}};
        if (const std::string wrong = alone.hindrance(); !wrong.empty()) return wrong;
      }
    }
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

bool Authentication::wants_ocsp() const {
  const auto wanted = [](AuthMethod method, const std::vector<AuthorityPtr>& above, Revocation policy) {
    const bool responders = std::any_of(above.begin(), above.end(), [](const auto& one) { return !one->ocsp_uris.empty(); });
    return method == AuthMethod::Certificate && (responders || policy != Revocation::Relaxed);
  };
  return wanted(remote, authorities, revocation) || std::any_of(further_remote.begin(), further_remote.end(), [&](const FurtherRound& one) {
           return wanted(one.method, one.authorities, one.revocation);
         });
}

bool Authentication::looks_up() const {
  const auto wanted = [](AuthMethod method, const std::vector<AuthorityPtr>& above) {
    return method == AuthMethod::Certificate &&
           std::any_of(above.begin(), above.end(), [](const auto& one) { return !one->cert_uri_base.empty(); });
  };
  return wanted(remote, authorities) ||
         std::any_of(further_remote.begin(), further_remote.end(), [&](const auto& one) { return wanted(one.method, one.authorities); });
}

bool is_cert_uri_base(std::string_view text) {
  static constexpr std::string_view kScheme = "http://";
  static constexpr std::size_t kMost = 1024;  // octets
  if (!text.starts_with(kScheme) || text.size() > kMost) return false;
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; })) return false;
  const auto slash = text.find('/', kScheme.size());
  return slash != std::string_view::npos && slash > kScheme.size();
}

bool Authentication::operator==(const Authentication& other) const {
  return local == other.local && remote == other.remote && same(certificates, other.certificates) && same(authorities, other.authorities) &&
         revocation == other.revocation && local_eap_id == other.local_eap_id && remote_eap_id == other.remote_eap_id &&
         further_local == other.further_local && further_remote == other.further_remote;
}

}  // namespace svti::model
