// SPDX-License-Identifier: Apache-2.0
// Data tree to native text form, and to JSON (RFC 7951).
#pragma once

#include <string>

#include "config/document.h"
#include "config/path.h"

namespace svti::config {

inline constexpr std::string_view kHiddenText = "<hidden>";

std::string print_text(const Place& place, const PrintOptions& options);
std::string print_json(const Place& place, const PrintOptions& options);
// one value as the text form has it, hidden when it has to be
std::string print_value(const Node& leaf, bool secrets);

}  // namespace svti::config
