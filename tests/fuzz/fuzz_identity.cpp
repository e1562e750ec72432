// SPDX-License-Identifier: Apache-2.0
// Identities and certificates as a peer may send them, and identities as people may write them.
#include <cstdlib>

#include "auth/certificates.h"
#include "crypto/credential.h"
#include "crypto/signature.h"
#include "model/distinguished_name.h"

using namespace svti;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView octets(data, size);
  // what is parsed and printed says the same again
  if (const auto id = model::Identity::parse(as_text(octets))) {
    const auto again = model::Identity::parse(id->to_string());
    if (id->to_string().size() < 900 && (!again || !(again->folded() == id->folded()))) std::abort();
    if (!id->is_pattern() && id->match_rank(*id) != 3) std::abort();
  }
  model::Identity presented{wire::IdType::DerAsn1Dn, to_bytes(octets)};
  const auto selector = model::Identity::parse("C=CH, O=*, CN=gw");
  if (presented.to_string().size() > 2000) std::abort();
  (void)selector->matches(presented);
  (void)presented.folded();
  if (const auto facts = crypto::read_certificate(octets)) {
    (void)auth::names_in(auth::identities_of(*facts));
    if (auth::proves(*facts, model::Identity::any())) std::abort();
    const auto key = crypto::VerifyingKey::from_spki(facts->public_key);
    if (key) (void)key->verify({wire::AuthMethod::DigitalSignature, to_bytes(octets)}, octets);
  }
  (void)crypto::parse_certificates(octets, crypto::CertificateKind::X509);
  (void)auth::read_local_certificate("x", octets, {});
  return 0;
}
