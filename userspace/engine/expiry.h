// SPDX-License-Identifier: Apache-2.0
// Certificates that have expired, or are about to: said before it stops a VPN.
#pragma once

#include <chrono>
#include <vector>

#include "base/log.h"
#include "model/config.h"
#include "model/state.h"

namespace svti::engine {

inline constexpr std::chrono::hours kWarnBefore{24 * 30};

// each certificate and each authority of the configuration
std::vector<model::CertificateState> certificate_states(const model::Configuration& configuration, std::chrono::sys_seconds now);
// A line of level 0 for each of which something is wrong with the time.
std::vector<LogLine> expiry_warnings(const model::Configuration& configuration, std::chrono::sys_seconds now);

}  // namespace svti::engine
