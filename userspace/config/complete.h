// SPDX-License-Identifier: Apache-2.0
// What may stand next in a path, for a shell that completes.
#pragma once

#include <string_view>
#include <vector>

#include "config/document.h"
#include "config/tree.h"

namespace svti::config {

// Nothing when the path makes no sense before its last word.
std::vector<Completion> completions(const Schema& schema, const Node& root, std::string_view partial_path);

}  // namespace svti::config
