// SPDX-License-Identifier: Apache-2.0
// Names of hosts, looked up by a fetcher's process: the resolver blocks, and reads what anybody may send.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "model/fetcher.h"

namespace svti::engine {

inline constexpr std::chrono::seconds kLookUpTime{10};

// Calls `done` once, in a turn of its own, with at least one address, in the order in which they should be tried (RFC 6724), as the name
// servers of that VRF know them. An error says why there is none.
void look_up_host(model::Fetcher& fetcher, const std::string& vrf, const std::string& host,
                  std::function<void(Result<std::vector<IpAddress>>)> done);

}  // namespace svti::engine
