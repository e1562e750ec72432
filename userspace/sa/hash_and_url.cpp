// SPDX-License-Identifier: Apache-2.0
// Certificates by hash and URL: RFC 7296 3.6 and HTTP_CERT_LOOKUP_SUPPORTED. What is fetched to learn who the peer is, is fetched for a
// stranger: only from where the configuration says that an authority publishes what it has issued, so that the peer chooses 20 octets of a
// path and nothing else (CVE-2022-40617, ADR 0018).
#include <algorithm>

#include "auth/certificates.h"
#include "base/log.h"
#include "crypto/prf.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::Cause;
using model::Side;

namespace {

constexpr std::size_t kSha1Size = 20;
constexpr std::size_t kMostLookups = 4;  // of a peer's certificate and the authorities above it
constexpr std::size_t kToldOfUrl = 200;  // octets

// Where a CERT payload of encoding 12 says that its certificate is, when that is where an authority publishes its certificates.
Result<CertificateUrl> place_of(ByteView data, const std::vector<model::AuthorityPtr>& authorities) {
  if (data.size() <= kSha1Size) return peer_error("a hash and URL of " + std::to_string(data.size()) + " octets");
  CertificateUrl out{std::string(as_text(data.subspan(kSha1Size))), to_bytes(data.first(kSha1Size))};
  bool any = false;
  for (const model::AuthorityPtr& one : authorities) {
    any = any || !one->cert_uri_base.empty();
    if (out.url == one->published_at(out.sha1)) return out;
  }
  if (!any) return peer_error("and no authority of the VPN has a cert-uri-base: nothing is fetched for a stranger");
  return peer_error("as " + printable(out.url, kToldOfUrl) + ", which is not the cert-uri-base of an authority of the VPN and the hash");
}

}  // namespace

wire::CertPayload IkeSa::certificate_payload(const Bytes& der) const {
  if (!init_->peer_looks_up) return {kX509Signature, der};
  for (const model::AuthorityPtr& one : ctx_.config->authorities) {
    if (one->cert_uri_base.empty()) continue;
    const std::vector<Bytes> above = crypto::lineage_of(der, std::vector<Bytes>{one->der}).hashes;
    if (above.empty() || above.front() != one->hash) continue;
    Bytes sha1 = crypto::sha1({der});
    const std::string url = one->published_at(sha1);
    return {kHashAndUrl, concat({sha1, as_bytes(url)})};
  }
  return {kX509Signature, der};
}

void IkeSa::refuse_lookup(std::string reason, model::Advice advice, TimePoint now, Effects& out) {
  refuse_peer(
      Cause::CertificateLookup, std::move(reason), [&](model::Explanation& why) { why.advice = std::move(advice); }, now, out);
}

bool IkeSa::look_up_certificates(TimePoint now, Effects& out) {
  if (!auth_->looked_up.empty()) return false;
  std::vector<CertificateUrl> wanted;
  bool first = true;  // the one that AUTH was made with
  for (const wire::Payload& payload : auth_->payloads) {
    const auto* one = std::get_if<wire::CertPayload>(&payload);
    if (one == nullptr || (one->encoding != kX509Signature && one->encoding != kHashAndUrl && one->encoding != kHashAndUrlOfBundle))
      continue;
    const bool needed = std::exchange(first, false);
    if (one->encoding == kX509Signature) continue;
    auto place = one->encoding == kHashAndUrl ? place_of(one->data, auth_->vpn->authentication.authorities)
                                              : Result<CertificateUrl>(peer_error("as a bundle, which is not supported"));
    if (place && wanted.size() == kMostLookups) place = peer_error("as more than " + std::to_string(kMostLookups) + " are");
    if (place) {
      wanted.push_back(std::move(*place));
    } else if (needed) {
      refuse_lookup("it sent its certificate by hash and URL, " + place.error().message,
                    {Side::Either, "certificate-authority cert-uri-base",
                     "have the peer send the certificate itself, or make this what the peer puts in front of the hash"},
                    now, out);
      return true;
    } else {
      log(out, Subsystem::Ike, 1, "a certificate by hash and URL is passed over: it was sent " + place.error().message);
    }
  }
  if (wanted.empty()) return false;
  for (const CertificateUrl& one : wanted) log(out, Subsystem::Ike, 1, "looking up a certificate of the peer at " + one.url);
  auth_->looked_up = wanted;
  const Ticket ticket = await_answer(now);
  out.emplace_back(LookUpCertificates{ticket, remote_.address, std::move(wanted)});
  return true;
}

void IkeSa::on_looked_up(std::uint64_t number, Result<std::vector<Bytes>> certificates, TimePoint now, Effects& out) {
  if (dead_ || !auth_ || auth_->awaited != number || auth_->looked_up.empty()) return;
  auth_->awaited = 0;
  if (!certificates) {
    return refuse_lookup("its certificate was not to be had: " + certificates.error().message,
                         {Side::Either, "certificate-authority cert-uri-base",
                          "put the certificate there, make the server answer, or have the peer send the certificate itself"},
                         now, out);
  }
  // from here on it is as if the peer had sent them
  auto found = certificates->begin();
  for (wire::Payload& payload : auth_->payloads) {
    auto* one = std::get_if<wire::CertPayload>(&payload);
    if (one == nullptr || one->encoding != kHashAndUrl || found == certificates->end()) continue;
    const auto place = place_of(one->data, auth_->vpn->authentication.authorities);
    if (place && *place == auth_->looked_up.at(static_cast<std::size_t>(found - certificates->begin()))) *one = {kX509Signature, *found++};
  }
  check_signature(*find_payload<wire::AuthPayload>(auth_->payloads), now, out);
}

}  // namespace svti::sa
