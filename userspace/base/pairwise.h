// SPDX-License-Identifier: Apache-2.0
// Two sorted maps side by side.
#pragma once

namespace svti {

// Calls `visit(key, before, after)` for each key that either has, in order; a null pointer where a map has no such key. One walk over both,
// where looking each key up would cost a cache miss for every level of a tree.
template <typename Map, typename Visit>
void for_each_pair(const Map& before, const Map& after, Visit visit) {
  auto ours = before.begin();
  auto theirs = after.begin();
  const auto less = before.key_comp();
  while (ours != before.end() || theirs != after.end()) {
    if (theirs == after.end() || (ours != before.end() && less(ours->first, theirs->first))) {
      visit(ours->first, &ours->second, static_cast<const typename Map::mapped_type*>(nullptr));
      ++ours;
    } else if (ours == before.end() || less(theirs->first, ours->first)) {
      visit(theirs->first, static_cast<const typename Map::mapped_type*>(nullptr), &theirs->second);
      ++theirs;
    } else {
      visit(ours->first, &ours->second, &theirs->second);
      ++ours;
      ++theirs;
    }
  }
}

}  // namespace svti
