// SPDX-License-Identifier: Apache-2.0
// The rules of the schema between nodes: mandatory leaves, least numbers, references, must expressions.
#pragma once

#include <unordered_set>

#include "config/findings.h"
#include "config/tree.h"

namespace svti::config {

// Every broken rule is a finding at the line of the node that breaks it. `damaged`: nodes whose lacks are not told. What `before`, a tree
// that kept all rules, has in common with this one is not looked at again.
void validate(const Schema& schema, const Node& root, const std::unordered_set<const Node*>& damaged, const Node* before,
              Findings& findings);

}  // namespace svti::config
