// SPDX-License-Identifier: Apache-2.0
// Whoever holds the private keys: asked for signatures, never for a key.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "crypto/signature.h"
#include "model/credentials.h"

namespace svti::auth {

struct SigningRequest {
  Bytes key_id;  // model::PrivateKey::id
  Bytes octets;
  std::vector<crypto::SignatureHash> announced;  // by the peer; empty: it does not know RFC 7427
  crypto::RsaPadding padding = crypto::RsaPadding::Pss;
};

class Signer {
 public:
  using Done = std::function<void(Result<crypto::Signature>)>;

  Signer() = default;
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;
  virtual ~Signer() = default;

  // The keys there are from now on.
  virtual void set_keys(const std::vector<std::shared_ptr<const model::PrivateKey>>& keys) = 0;
  // `done` is called once, from this call or later. Errors: the key is not there or cannot do what the peer asks for, or the signer is
  // gone.
  virtual void sign(SigningRequest request, Done done) = 0;
};

}  // namespace svti::auth
