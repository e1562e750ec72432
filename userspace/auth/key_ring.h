// SPDX-License-Identifier: Apache-2.0
// Private keys that sign in this very process: what the signer's process holds, and what tests use in its place.
#pragma once

#include <map>

#include "auth/signer.h"

namespace svti::auth {

class KeyRing final : public Signer {
 public:
  void set_keys(const std::vector<std::shared_ptr<const model::PrivateKey>>& keys) override;
  // `done` is called before it returns
  void sign(SigningRequest request, Done done) override { done(sign_now(request)); }

  // PKCS#8, not encrypted. A key that cannot be used is kept as such: sign() says why.
  void add(const Bytes& id, ByteView pkcs8);
  void add_unusable(const Bytes& id, Error why) { keys_.insert_or_assign(id, fail(std::move(why))); }
  void remove(const Bytes& id) { keys_.erase(id); }
  Result<crypto::Signature> sign_now(const SigningRequest& request) const;
  std::size_t size() const { return keys_.size(); }

 private:
  std::map<Bytes, Result<crypto::SigningKey>> keys_;
};

}  // namespace svti::auth
