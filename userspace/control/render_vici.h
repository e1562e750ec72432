// SPDX-License-Identifier: Apache-2.0
// State in the spelling of the VICI protocol, which existing clients parse: list-sa, counters, log lines (docs/vici.md).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "model/state.h"
#include "vici/message.h"

namespace svti::control {

// the name under which an IKE SA stands that has no VPN yet
inline constexpr std::string_view kUnnamedSa = "(unnamed)";
// CHILD SAs in one list-sa event: a packet has room for a few hundred. What exceeds it goes on in a further event for the same IKE SA.
inline constexpr std::size_t kMaxChildrenPerEvent = 256;

// Adds an IKE SA without its CHILD SAs, or a CHILD SA. An empty `name` is its own: the VPN's, or NAME-UNIQUEID. Returns the section added.
vici::Section& add_ike_sa(vici::Section& parent, const model::IkeSaState& sa, std::string_view name = {});
void add_child_sa(vici::Section& parent, const model::ChildSaState& child, std::string_view name = {});

using ChildFilter = std::function<bool(const model::ChildSaState&)>;

// the list-sa events of one IKE SA with those CHILD SAs that `wanted` takes: at least one event
std::vector<vici::Message> list_sa_events(const model::IkeSaState& sa, const ChildFilter& wanted);

// adds the section `name` with the 21 counters
void add_counters(vici::Section& parent, std::string_view name, const model::Counters& counters);

// the payload of `log` and `control-log`: group, level, ikesa-name and ikesa-uniqued (where known), msg
vici::Message log_event(const LogLine& line);

// the payload of `svti-log`: subsystem, level, vpn (where known), msg
vici::Message follow_event(const LogLine& line);

// "AES_CBC", "HMAC_SHA2_256_128", "PRF_HMAC_SHA1", "CURVE_25519"; an unknown one as "(1234)"
std::string vici_name(const wire::Transform& transform);
// "10.0.0.0/8", "10.0.0.1..10.0.0.9", "10.0.0.0/8[tcp/80]", "10.0.0.0/8[17]"
std::string vici_name(const wire::TrafficSelector& selector);

}  // namespace svti::control
