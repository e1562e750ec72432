// SPDX-License-Identifier: Apache-2.0
// `show state` as the user reads it, the guide's "IKE state": the applied configuration, then the runtime state, in the native text form or
// as JSON with the same leaves.
#pragma once

#include <optional>
#include <string>

#include "model/state.h"

namespace svti::control {

enum class StateFormat { Text, Json };

// Renders piece by piece, so that a hundred thousand SAs never stand in memory as text. The pieces joined are the whole: in text a tree
// under `ike`, and one under `interface` where there are any; in JSON one object, an SA a line, which is instance data of docs/yang (RFC
// 7951: 64-bit numbers are strings).
class StateRenderer {
 public:
  // With `vpn`, only that VPN's counters and SAs, no totals and no interfaces. Takes the state over and frees each SA once it is rendered.
  // `applied` is the configuration of `ike`, or of the VPN, as show_config() has it in that format; empty: there is none.
  StateRenderer(model::RuntimeState state, StateFormat format, const std::string& vpn = {}, std::string applied = {},
                std::string vrf = std::string(model::kMainVrf));

  // the next piece, never empty; none after the last
  std::optional<std::string> next();

 private:
  enum class Part { Begin, VpnCounters, IkeSas, End, Done };

  std::string begin();
  std::string begin_text();
  std::string begin_json();
  std::string vpn_counters();
  std::string ike_sa();
  std::string end() const;

  model::RuntimeState state_;
  StateFormat format_;
  bool whole_;  // not one VPN only
  std::string applied_;
  std::string vrf_;
  Part part_ = Part::Begin;
  decltype(model::RuntimeState::vpn_counters)::const_iterator next_vpn_;
  std::size_t next_sa_ = 0;
};

}  // namespace svti::control
