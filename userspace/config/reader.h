// SPDX-License-Identifier: Apache-2.0
// Native text form to data tree.
#pragma once

#include <string_view>
#include <unordered_set>

#include "config/findings.h"
#include "config/tree.h"

namespace svti::config {

struct ReadResult {
  NodePtr root;
  // nodes below which something was found wrong: what they seem to lack may only have been misspelt
  std::unordered_set<const Node*> damaged;
};

// Reads the whole text, whatever it finds. The tree is well formed and every value fits its type; rules between nodes, mandatory leaves
// and references are not looked at yet. `text` comes from checked_text().
ReadResult read_text(const Schema& schema, std::string_view text, Findings& findings);

}  // namespace svti::config
