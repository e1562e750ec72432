// SPDX-License-Identifier: Apache-2.0
#include "auth/ppk.h"

namespace svti::auth {

namespace {

constexpr std::uint8_t kPpkIdFixed = 2;

}  // namespace

PpkStore::PpkStore(const std::vector<std::shared_ptr<const model::Ppk>>& keys) {
  for (const auto& key : keys) {
    for (const model::Identity& id : key->ids) keys_.try_emplace(id.data, key);
  }
}

const model::Ppk* PpkStore::find(ByteView id) const {
  const auto found = keys_.find(to_bytes(id));
  return found == keys_.end() ? nullptr : found->second.get();
}

Bytes encode_ppk_identity(ByteView id) { return concat({Bytes{kPpkIdFixed}, id}); }

std::optional<ByteView> parse_ppk_identity(ByteView data) {
  if (data.size() < 2 || data[0] != kPpkIdFixed) return std::nullopt;
  return data.subspan(1);
}

}  // namespace svti::auth
