// SPDX-License-Identifier: Apache-2.0
// A leaf's value on its way between the text form and the tree.
#pragma once

#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "config/schema.h"
#include "config/text.h"

namespace svti::config {

// The value that the tree gets for `word`: it fits the YANG type, in its canonical form. An error says what is wrong and what is allowed,
// and never shows a secret.
Result<std::string> to_value(const Schema& schema, const SchemaNode& leaf, const Word& word);
// a value of the tree as it is written in the text form
std::string to_text(const SchemaNode& leaf, std::string_view value);

// "90", "90s", "5m", "4h", "1d"
Result<std::uint32_t> parse_seconds(std::string_view text);
// with the largest unit that divides it: "4h", "90s", "0s"
std::string format_seconds(std::uint32_t value);
// the octets of a `secret` value of the tree
Result<Secret> decode_secret(std::string_view value);

}  // namespace svti::config
