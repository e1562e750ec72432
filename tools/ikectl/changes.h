// SPDX-License-Identifier: Apache-2.0
// The difference of two configurations as ikectl prints it, leaf by leaf.
#pragma once

#include <string>
#include <vector>

#include "config/document.h"
#include "vici/message.h"

namespace svti::ikectl {

// "+ vpn lab", "- vpn hq local-id a", "~ vpn hq ike-policy mobike false -> true", each with its newline. Secrets are not shown.
std::string change_text(const config::Change& change, bool color);
std::string changes_text(const std::vector<config::Change>& changes, bool color);

// of a svti-change event
config::Change change_of(const vici::Message& event);

}  // namespace svti::ikectl
