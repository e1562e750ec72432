// SPDX-License-Identifier: Apache-2.0
// `show state` as the user reads it, the guide's "IKE state": the applied configuration, then the runtime state, in the native text form or
// as JSON with the same leaves.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "engine/service.h"
#include "model/state.h"

namespace svti::control {

enum class StateFormat { Text, Json };

// Renders piece by piece, so that a hundred thousand SAs never stand in memory as text. The pieces joined are the whole: in text a tree
// under `ike`, and one under `interface` where there are any; in JSON one object, an SA a line, which is instance data of docs/yang (RFC
// 7951: 64-bit numbers are strings).
class StateRenderer {
 public:
  // Asked for one thing after the other as the rendering comes to it.
  struct Sources {
    engine::Service::Pieces applied;                           // the configuration in that format, as config_pieces() has it
    std::function<std::optional<model::IkeSaState>()> ike_sa;  // nothing: that was the last
  };
  // `summary`: the state without SAs. With `vpn` only that VPN's counters, no totals and no interfaces.
  StateRenderer(model::RuntimeState summary, Sources sources, StateFormat format, const std::string& vpn = {},
                std::string vrf = std::string(model::kMainVrf));

  // the next piece, never empty; none after the last
  std::optional<std::string> next();

 private:
  enum class Part { Begin, Applied, Totals, VpnCounters, IkeSas, End, Done };

  std::string totals();
  std::string vpn_counters();
  std::string ike_sa(const model::IkeSaState& sa);
  std::string end() const;

  model::RuntimeState state_;
  Sources sources_;
  StateFormat format_;
  bool whole_;  // not one VPN only
  std::string vrf_;
  Part part_ = Part::Begin;
  bool has_applied_ = false;
  decltype(model::RuntimeState::vpn_counters)::const_iterator next_vpn_;
  bool first_sa_ = true;
};

}  // namespace svti::control
