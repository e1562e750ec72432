// SPDX-License-Identifier: Apache-2.0
#include "auth/psk.h"

#include <algorithm>
#include <tuple>

namespace svti::auth {

using model::Identity;

namespace {

int best_rank(const model::PresharedKey& key, const Identity& id) {
  int best = 0;
  for (const Identity& selector : key.ids) best = std::max(best, selector.match_rank(id));
  return best;
}

// (both ends > peer > default, how exact the peer's selector is, how exact ours is); {0,0,0}: no match
using Score = std::tuple<int, int, int>;

Score score(const model::PresharedKey& key, const Identity& local, const Identity& remote) {
  if (key.ids.empty()) return {1, 0, 0};
  const int peer = best_rank(key, remote);
  if (peer == 0) return {};
  if (key.ids.size() == 1) return {2, peer, 0};
  const int own = best_rank(key, local);
  if (own == 0) return {};
  return {3, peer, own};
}

}  // namespace

PskStore::PskStore(const std::vector<std::shared_ptr<const model::PresharedKey>>& keys) : keys_(keys) {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const bool has_pattern = std::any_of(keys_[i]->ids.begin(), keys_[i]->ids.end(), [](const Identity& id) { return id.is_pattern(); });
    if (keys_[i]->ids.empty() || has_pattern) others_.push_back(i);
    if (has_pattern) continue;
    for (const Identity& id : keys_[i]->ids) exact_[id.folded()].push_back(i);
  }
}

const model::PresharedKey* PskStore::find(const Identity& local, const Identity& remote) const {
  const model::PresharedKey* best = nullptr;
  Score best_score{};
  std::size_t best_index = 0;
  const auto consider = [&](std::size_t index) {
    const Score candidate = score(*keys_[index], local, remote);
    const bool better = candidate > best_score || (candidate == best_score && best != nullptr && index < best_index);
    if (candidate == Score{} || !better) return;
    best = keys_[index].get();
    best_score = candidate;
    best_index = index;
  };
  if (const auto exact = exact_.find(remote.folded()); exact != exact_.end()) {
    for (const std::size_t index : exact->second) consider(index);
  }
  for (const std::size_t index : others_) consider(index);
  return best;
}

Secret shared_key_auth(const crypto::Prf& prf, const Secret& secret, ByteView message, ByteView nonce, const Secret& sk_p, ByteView id_body,
                       ByteView int_auth) {
  static constexpr std::string_view kPad = "Key Pad for IKEv2";
  const Secret key = prf(secret.view(), {as_bytes(kPad)});
  const Secret maced_id = prf(sk_p.view(), {id_body});
  return prf(key.view(), {message, nonce, maced_id.view(), int_auth});
}

}  // namespace svti::auth
