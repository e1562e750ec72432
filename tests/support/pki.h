// SPDX-License-Identifier: Apache-2.0
// Authorities and certificates for tests, made on the spot.
#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "auth/certificates.h"
#include "crypto/credential.h"
#include "crypto/issuing.h"

namespace svti::test {

inline constexpr std::chrono::sys_seconds kToday = std::chrono::sys_days(std::chrono::year(2026) / 11 / 1);

template <typename T>
T need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

struct Holder {
  Secret key;  // PKCS#8
  Bytes certificate;
};

inline crypto::CertificateRequest request(std::string subject, std::vector<crypto::AltName> names = {}) {
  crypto::CertificateRequest out;
  out.subject = std::move(subject);
  out.alt_names = std::move(names);
  out.not_before = kToday - std::chrono::hours(24);
  out.not_after = kToday + std::chrono::hours(24 * 365);
  return out;
}

inline crypto::AltName dns(std::string_view name) { return {crypto::AltName::Kind::Dns, to_bytes(as_bytes(name))}; }

inline Holder new_root(const std::string& subject, crypto::KeyType type = crypto::KeyType::EcdsaP256) {
  crypto::CertificateRequest what = request(subject);
  what.authority = true;
  Secret key = need(crypto::new_private_key(type, 2048));
  Bytes certificate = need(crypto::self_sign(what, key.view()));
  return {std::move(key), std::move(certificate)};
}

inline Holder issue(const crypto::CertificateRequest& what, const Holder& by, crypto::KeyType type = crypto::KeyType::EcdsaP256) {
  Secret key = need(crypto::new_private_key(type, 2048));
  const Bytes public_key = need(crypto::SigningKey::from_pkcs8(key.view())).public_key();
  Bytes certificate = need(crypto::issue(what, public_key, by.certificate, by.key.view()));
  return {std::move(key), std::move(certificate)};
}

// as the configuration would have it
inline model::AuthorityPtr authority(std::string name, const Holder& of) {
  return std::make_shared<const model::Authority>(need(auth::read_authority(std::move(name), of.certificate)));
}
inline model::LocalCertificatePtr local_certificate(std::string name, const Holder& of, const std::vector<Bytes>& authorities = {}) {
  return std::make_shared<const model::LocalCertificate>(need(auth::read_local_certificate(std::move(name), of.certificate, authorities)));
}
inline std::shared_ptr<const model::PrivateKey> private_key(const Holder& of) {
  crypto::PrivateKey key = need(crypto::parse_private_key(of.key.view()));
  auto out = std::make_shared<model::PrivateKey>();
  out->id = std::move(key.key_id);
  out->pkcs8 = std::move(key.der);
  return out;
}

}  // namespace svti::test
