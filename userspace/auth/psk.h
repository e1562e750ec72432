// SPDX-License-Identifier: Apache-2.0
// Pre-shared keys: which one belongs to a pair of identities, and the AUTH value it makes (RFC 7296 2.15).
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "crypto/prf.h"
#include "model/config.h"

namespace svti::auth {

// Finds keys by identity without walking all of them. Built once for a configuration, then only read.
class PskStore {
 public:
  PskStore() = default;
  explicit PskStore(const std::vector<std::shared_ptr<const model::PresharedKey>>& keys);

  // The most specific entry (the guide's "Pre-shared key authentication"): a selector for both ends, then for the peer, then an entry
  // without selectors; among equals an exact selector beats a pattern, an earlier entry a later one. Null: there is none.
  const model::PresharedKey* find(const model::Identity& local, const model::Identity& remote) const;

 private:
  std::vector<std::shared_ptr<const model::PresharedKey>> keys_;  // in the order of the configuration
  std::map<model::Identity, std::vector<std::size_t>> exact_;     // folded identity -> entries with that very selector
  std::vector<std::size_t> others_;                               // entries with a pattern, or with no selector at all
};

// AUTH = prf(prf(secret, "Key Pad for IKEv2"), message | nonce | prf(sk_p, id body)), where `message` is the sender's whole first
// message, `nonce` the receiver's, and `id_body` the sender's ID payload without its generic header. `int_auth` is what IKE_INTERMEDIATE
// exchanges add (RFC 9242 3.3.2).
Secret shared_key_auth(const crypto::Prf& prf, const Secret& secret, ByteView message, ByteView nonce, const Secret& sk_p, ByteView id_body,
                       ByteView int_auth = {});

}  // namespace svti::auth
