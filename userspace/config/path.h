// SPDX-License-Identifier: Apache-2.0
// Paths as they are written on a command line: words from the top, or from `ike` of VRF main.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/text.h"
#include "config/tree.h"

namespace svti::config {

inline constexpr std::size_t kMaxPathSize = 1U << 20;  // a certificate may be the value at its end

// The words of a path, quotes taken off. An error: no words of one line.
Result<std::vector<Word>> path_words(std::string_view path);

// Puts the words in front that a path may leave out, so that it begins with `vrf`: "vpn hq" is "vrf main ike vpn hq". Takes the "/" away.
std::vector<Word> from_top(const Schema& schema, std::vector<Word> words);

// Where a path leads.
struct Place {
  const SchemaNode* schema = nullptr;
  const Node* node = nullptr;    // null: a leaf, a list or a container of which nothing is written
  const Node* parent = nullptr;  // likewise
  bool whole_list = false;       // a list without a key, a leaf-list without a value
};

// An error: a word is not known, there is no such entry, or words are left over.
Result<Place> locate(const Schema& schema, const Node& root, std::string_view path);

// "'vpm' is not known in vpn hq (did you mean 'vpn'?)"
std::string unknown_keyword(const SchemaNode& schema, std::string_view where, std::string_view word);
// "there is no vpn 'x' (did you mean 'y'?)"
std::string no_such_entry(const SchemaNode& list, const Node* parent, std::string_view key);

}  // namespace svti::config
