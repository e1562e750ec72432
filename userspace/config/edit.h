// SPDX-License-Identifier: Apache-2.0
// Applies edits to a tree without touching it.
#pragma once

#include <vector>

#include "config/document.h"
#include "config/findings.h"
#include "config/tree.h"

namespace svti::config {

// A tree that shares with `root` whatever no edit is about. Findings have the number of the edit for a line; with an error among them the
// result is not to be used. Rules between nodes are not looked at.
NodePtr apply_edits(const Schema& schema, const Node& root, const std::vector<Edit>& edits, Findings& findings);

}  // namespace svti::config
