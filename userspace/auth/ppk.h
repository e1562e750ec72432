// SPDX-License-Identifier: Apache-2.0
// Postquantum preshared keys: which one an id means, and the PPK_IDENTITY notification (RFC 8784).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "model/config.h"

namespace svti::auth {

// Built once for a configuration, then only read.
class PpkStore {
 public:
  PpkStore() = default;
  explicit PpkStore(const std::vector<std::shared_ptr<const model::Ppk>>& keys);

  // Of several with the same id the first counts. Null: there is none.
  const model::Ppk* find(ByteView id) const;
  bool empty() const { return keys_.empty(); }

 private:
  std::map<Bytes, std::shared_ptr<const model::Ppk>> keys_;
};

// RFC 8784 5.1: the data of PPK_IDENTITY: a type, PPK_ID_FIXED here, and the id.
Bytes encode_ppk_identity(ByteView id);
// The id in it, borrowed from `data`; nothing for another type of id (PPK_ID_OPAQUE names keys that are made for one use), or an empty one.
std::optional<ByteView> parse_ppk_identity(ByteView data);

}  // namespace svti::auth
