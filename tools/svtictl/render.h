// SPDX-License-Identifier: Apache-2.0
// Values to text for people and to JSON for programs. JSON uses the leaf names of the guide's state; a leaf that has no value is absent.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "svtictl/values.h"

namespace svti::svtictl {

// How to print. Colour marks what a person looks for first; it never carries meaning alone.
struct Style {
  bool json = false;
  bool colour = false;
};

std::string render_interfaces(const std::vector<Svti>& interfaces, const Style& style);
std::string render_interface(const Svti& interface, const Style& style);  // one: an object instead of an array
std::string render_stats(const std::vector<Svti>& interfaces, const Style& style);
// policies as they are given; `trace` marks the one that its packet meets and tells how long the lookup was
std::string render_spd(const std::vector<SpdPolicy>& policies, const std::optional<Trace>& trace, const Style& style);
std::string render_sad(const std::vector<SadState>& states, const Style& style);
std::string render_trace(const Flow& flow, const Trace& trace, const Style& style);
std::string render_offload(const std::vector<OffloadDevice>& devices, const std::vector<OffloadedSa>& sas, const Style& style);
std::string render_routes(const std::vector<Route>& routes, std::uint32_t table, const Style& style);
std::string render_rules(const std::vector<Rule>& rules, std::uint32_t table, const Style& style);
// what a verb that changes something says on success: nothing in text, {"done": what, "name": name} in JSON
std::string render_done(std::string_view what, std::string_view name, const Style& style);
// an error, for standard error
std::string render_error(std::string_view message, const Style& style);

// names of RTN_* and RTPROT_* as ip-route(8) prints them, numbers where there is no name
std::string route_type_name(std::uint8_t type);
std::string protocol_name(std::uint8_t protocol);

}  // namespace svti::svtictl
