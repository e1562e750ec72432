// SPDX-License-Identifier: Apache-2.0
// Connections and what belongs to them in the spelling of the protocol: list-conn, list-policy, list-cert, list-authority.
#pragma once

#include <string>
#include <vector>

#include "control/connection.h"
#include "vici/message.h"

namespace svti::control {

// `name`: the VPN's, with its VRF where that is not `main`
vici::Message list_conn_event(const std::string& name, const model::Vpn& vpn, const std::vector<AuthRound>& rounds);
// how a VPN of the configuration text authenticates
std::vector<AuthRound> rounds_of(const model::Vpn& vpn);

vici::Message list_policy_event(const std::string& vpn_name, const model::SecurityPolicy& policy);

// "10.0.0.0/24", "dynamic", "10.0.0.0/24[tcp/80]"
std::string vici_name(const model::SelectorConfig& selector);

}  // namespace svti::control
