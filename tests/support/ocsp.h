// SPDX-License-Identifier: Apache-2.0
// An OCSP responder for tests: signs what it is told to say.
#pragma once

#include <openssl/ocsp.h>
#include <openssl/x509.h>

#include <chrono>
#include <optional>

#include "base/secret.h"
#include "crypto/owned.h"
#include "crypto/revocation.h"

namespace svti::test {

struct OcspSays {
  crypto::Standing standing = crypto::Standing::Good;
  std::chrono::sys_seconds this_update;
  std::optional<std::chrono::sys_seconds> next_update;
  bool weak = false;  // signed with SHA-1
};

namespace detail {
using X509Ptr = crypto::Owned<X509, X509_free>;
inline X509Ptr x509(ByteView der) {
  const unsigned char* at = der.data();
  return X509Ptr(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
}
using TimePtr = crypto::Owned<ASN1_TIME, ASN1_TIME_free>;
inline TimePtr time(std::chrono::sys_seconds when) { return TimePtr(ASN1_GENERALIZEDTIME_set(nullptr, when.time_since_epoch().count())); }
}  // namespace detail

// DER of an OCSPResponse about `certificate`; the nonce is that of `request`, unless that is empty.
inline Bytes ocsp_response(const OcspSays& says, ByteView request, ByteView certificate, ByteView issuer, ByteView responder,
                           const Secret& key) {
  const auto subject = detail::x509(certificate), authority = detail::x509(issuer), signer = detail::x509(responder);
  const crypto::Owned<OCSP_BASICRESP, OCSP_BASICRESP_free> basic(OCSP_BASICRESP_new());
  const crypto::Owned<OCSP_CERTID, OCSP_CERTID_free> id(OCSP_cert_to_id(EVP_sha1(), subject.get(), authority.get()));
  const int status = says.standing == crypto::Standing::Good      ? V_OCSP_CERTSTATUS_GOOD
                     : says.standing == crypto::Standing::Revoked ? V_OCSP_CERTSTATUS_REVOKED
                                                                  : V_OCSP_CERTSTATUS_UNKNOWN;
  const auto from = detail::time(says.this_update);
  const auto to = says.next_update ? detail::time(*says.next_update) : nullptr;
  OCSP_basic_add1_status(basic.get(), id.get(), status, 0, from.get(), from.get(), to.get());
  if (!request.empty()) {
    const unsigned char* at = request.data();
    const crypto::Owned<OCSP_REQUEST, OCSP_REQUEST_free> asked(d2i_OCSP_REQUEST(nullptr, &at, static_cast<long>(request.size())));
    OCSP_copy_nonce(basic.get(), asked.get());
  }
  const unsigned char* at = key.view().data();
  const crypto::Owned<EVP_PKEY, EVP_PKEY_free> signing(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(key.size())));
  OCSP_basic_sign(basic.get(), signer.get(), signing.get(), says.weak ? EVP_sha1() : EVP_sha256(), nullptr, 0);
  const crypto::Owned<OCSP_RESPONSE, OCSP_RESPONSE_free> whole(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
  return crypto::encoded(whole.get(), i2d_OCSP_RESPONSE);
}

}  // namespace svti::test
