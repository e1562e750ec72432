// SPDX-License-Identifier: Apache-2.0
// What happens to SAs, as the protocol's events: ike-updown, ike-rekey, ike-update, child-updown, child-rekey, alert, and the three that
// FRR's nhrpd listens to.
#pragma once

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/service.h"
#include "vici/message.h"

namespace svti::control {

inline constexpr std::array<std::string_view, 9> kSaEvents = {"ike-updown",
                                                              "ike-rekey",
                                                              "ike-update",
                                                              "child-updown",
                                                              "child-rekey",
                                                              "alert",
                                                              "child-state-installed",
                                                              "child-state-rekeyed",
                                                              "child-state-destroying"};

// one happening may be told by several events
std::vector<std::pair<std::string_view, vici::Message>> sa_events(const engine::Event& event);

}  // namespace svti::control
