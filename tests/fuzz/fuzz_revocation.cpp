// SPDX-License-Identifier: Apache-2.0
// Revocation lists and OCSP responses as a server may send them, what a directory may say, and what a fetcher may answer.
#include <cstdlib>

#include "crypto/issuing.h"
#include "crypto/revocation.h"
#include "fetch/packet.h"

using namespace svti;

namespace {

struct Known {
  Bytes ca, gw, request;
};

const Known& known() {
  static const Known kKnown = [] {
    crypto::CertificateRequest what;
    what.subject = "CN=ca";
    what.not_before = std::chrono::sys_days(std::chrono::year(2020) / 1 / 1);
    what.not_after = std::chrono::sys_days(std::chrono::year(2040) / 1 / 1);
    what.authority = true;
    const Secret key = crypto::new_private_key(crypto::KeyType::EcdsaP256).value();
    Known out;
    out.ca = crypto::self_sign(what, key.view()).value();
    what.subject = "CN=gw";
    what.authority = false;
    what.crl_uris = {"http://crl.example/1"};
    out.gw = crypto::issue(what, crypto::SigningKey::from_pkcs8(key.view())->public_key(), out.ca, key.view()).value();
    out.request = crypto::make_ocsp_request(out.gw, out.ca);
    return out;
  }();
  return kKnown;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView octets(data, size);
  const auto now = std::chrono::sys_seconds(std::chrono::sys_days(std::chrono::year(2026) / 11 / 1));
  if (const auto list = crypto::Crl::read(octets)) {
    (void)list->issuer_text();
    (void)list->number();
    (void)list->entries();
    // nobody but the authority makes a list that speaks
    if (list->signed_by(known().ca)) std::abort();
    if (crypto::ask_lists(known().gw, known().ca, std::vector<crypto::Crl>{*list, *list}, now).standing != crypto::Standing::Unknown)
      std::abort();
    if (!crypto::Crl::read(list->der())) std::abort();
  }
  if (crypto::ask_ocsp(octets, known().request, known().gw, known().ca, now).standing != crypto::Standing::Unknown) std::abort();
  if (const auto found = fetch::list_in_directory_entry(octets, size % 2 == 0)) {
    if (found->empty() || found->size() > size) std::abort();
  }
  (void)fetch::decode_answer(octets);
  if (const auto found = fetch::addresses_in(octets); found && (found->empty() || found->size() > fetch::kMostAddresses)) std::abort();
  if (const auto request = fetch::decode_request(octets)) (void)fetch::encode(*request);
  (void)crypto::revocation_sources(octets);
  (void)crypto::directory_name(octets);
  return 0;
}
