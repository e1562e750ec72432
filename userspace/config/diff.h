// SPDX-License-Identifier: Apache-2.0
// What is different between two trees.
#pragma once

#include <vector>

#include "config/document.h"
#include "config/tree.h"

namespace svti::config {

// In the order of the tree; subtrees that both share are not entered.
std::vector<Change> difference(const Node& before, const Node& after);

}  // namespace svti::config
