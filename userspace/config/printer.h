// SPDX-License-Identifier: Apache-2.0
// Data tree to native text form, and to JSON (RFC 7951).
#pragma once

#include <string>

#include "config/document.h"
#include "config/tree.h"

namespace svti::config {

inline constexpr std::string_view kHiddenText = "<hidden>";

std::string print_text(const lyd_node* ike, const PrintOptions& options);
std::string print_json(const lyd_node* ike, const PrintOptions& options);

}  // namespace svti::config
