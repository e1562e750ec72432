// SPDX-License-Identifier: Apache-2.0
// A whole state, rendered at once.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/render_state.h"

namespace svti::test {

inline engine::Service::Pieces pieces(std::vector<std::string> all) {
  return [left = std::move(all), at = std::size_t{0}]() mutable -> std::optional<std::string> {
    return at < left.size() ? std::optional(left[at++]) : std::nullopt;
  };
}

// with `vpn`, of that VPN alone
inline std::string rendered(model::RuntimeState state, control::StateFormat format, const std::string& vpn = {},
                            engine::Service::Pieces applied = pieces({})) {
  control::StateRenderer::Sources sources;
  sources.applied = std::move(applied);
  sources.ike_sa = [&vpn, sas = std::exchange(state.ike_sas, {}), at = std::size_t{0}]() mutable -> std::optional<model::IkeSaState> {
    while (at < sas.size() && !vpn.empty() && sas[at].name != vpn) ++at;
    return at < sas.size() ? std::optional(sas[at++]) : std::nullopt;
  };
  control::StateRenderer renderer(std::move(state), std::move(sources), format, vpn);
  std::string out;
  while (const auto piece = renderer.next()) out += *piece;
  return out;
}

}  // namespace svti::test
