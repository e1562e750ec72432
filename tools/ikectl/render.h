// SPDX-License-Identifier: Apache-2.0
// What ikectl prints about the daemon's answers. No socket, no stream.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/document.h"
#include "vici/message.h"

namespace svti::ikectl {

enum class Color { Red, Yellow, Green };
std::string paint(std::string_view text, Color color, bool on);

// Each finding as "FILE:LINE: LEAF: MESSAGE", a warning's message headed by "warning: ", each with its newline.
std::string diagnostics_text(const config::Diagnostics& found, bool color);
// {"valid", "diagnostics": [...]} with a newline
std::string check_json(bool valid, const config::Diagnostics& found);

// Of the response to svti-load-config or svti-edit-config: its diagnostics as above, with how many were left out.
std::string load_diagnostics_text(const vici::Message& response, bool color);
// "configuration applied: 1 VPN added (hq), 0 changed, 0 removed, 3 unchanged", for a dry run headed by "would be applied", or
// "configuration not applied: 2 errors, ...". Further lines name what waits for a restart or for `ikectl confirm`. Each has its newline.
std::string load_summary(const vici::Message& response);
// those further lines alone
std::string load_notes(const vici::Message& response);
// {"applied", "diagnostics": [...], "plan": {...}, "changes": [...]} with a newline
std::string load_json(const vici::Message& response, const std::vector<config::Change>& changes);

// "[IKE] hq: message" of a log or control-log event
std::string log_line(const vici::Message& event);

// "[ike] hq: message" of a svti-log event, and the same as a JSON object without a newline
std::string follow_line(const vici::Message& event);
std::string follow_json(const vici::Message& event);

// an svti-explain event as a paragraph with aligned columns
std::string explanation_text(const vici::Message& event, bool color);
// svti-explain events as a list of objects, with a newline
std::string explanations_json(const std::vector<vici::Message>& events);

// {"vpn", "policy", "success", "error"} with a newline; policy and error only where there is one
std::string outcome_json(std::string_view vpn, std::string_view policy, const Status& outcome);

}  // namespace svti::ikectl
