// SPDX-License-Identifier: Apache-2.0
// A private key that is somewhere else, as OpenSSL's TLS sees it: an EVP_PKEY whose public half is here, and whose signatures somebody is
// asked for (docs/adr/0017). For the .cpp files around OpenSSL.
#pragma once

#include <cstddef>
#include <optional>

#include "crypto/owned.h"
#include "crypto/signature.h"

struct evp_pkey_st;
struct ossl_lib_ctx_st;

namespace svti::crypto {

class RemoteSigner {
 public:
  // The bare signature (of ECDSA the SEQUENCE in DER); nothing: there will be none. Called by OpenSSL, from within whatever signs; it
  // returns once the signature is there.
  virtual std::optional<Bytes> sign_remotely(std::size_t key, SignatureWish wish) noexcept = 0;

 protected:
  ~RemoteSigner() = default;
};

// OpenSSL's default provider and ours: what uses such keys is to be made in it. Lives as long as the process. Null: OpenSSL has no default
// provider.
ossl_lib_ctx_st* remote_key_library();

// `spki`: SubjectPublicKeyInfo in DER. `signer` outlives the result, and is told `key` with each wish. Errors as of VerifyingKey.
void free_remote_key(evp_pkey_st* key);
using RemoteKeyPtr = Owned<evp_pkey_st, free_remote_key>;
Result<RemoteKeyPtr> remote_key(ByteView spki, RemoteSigner& signer, std::size_t key);

}  // namespace svti::crypto
