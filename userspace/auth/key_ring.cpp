// SPDX-License-Identifier: Apache-2.0
#include "auth/key_ring.h"

namespace svti::auth {

void KeyRing::set_keys(const std::vector<std::shared_ptr<const model::PrivateKey>>& keys) {
  keys_.clear();
  for (const auto& key : keys) {
    if (key->sealed.empty())
      add(key->id, key->pkcs8.view());
    else
      add_unusable(key->id, {Fault::Configuration, "the private key is sealed, and this signer has no sealing key"});
  }
}

void KeyRing::add(const Bytes& id, ByteView pkcs8) { keys_.insert_or_assign(id, crypto::SigningKey::from_pkcs8(pkcs8)); }

Result<crypto::Signature> KeyRing::sign_now(const SigningRequest& request) const {
  const auto found = keys_.find(request.key_id);
  if (found == keys_.end()) return system_error("the signer has no such key");
  if (!found->second) return fail(found->second.error());
  return found->second->sign(request.octets, request.announced, request.padding);
}

}  // namespace svti::auth
