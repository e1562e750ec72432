// SPDX-License-Identifier: Apache-2.0
// What a Service can tell of its own state where it keeps no index for it.
#include "engine/service.h"

namespace svti::engine {

std::size_t Service::matching(const Target& target) {
  std::size_t count = 0;
  for (const model::IkeSaState& sa : state(target.vrf).ike_sas) {
    if ((!target.vpn.empty() && sa.name != target.vpn) || (target.ike_id != 0 && sa.unique_id != target.ike_id)) continue;
    if (target.policy.empty() && target.child_id == 0) ++count;
    for (const model::ChildSaState& child : sa.children) {
      const bool wanted = !target.policy.empty() || target.child_id != 0;
      const bool meant =
          (target.policy.empty() || child.name == target.policy) && (target.child_id == 0 || child.unique_id == target.child_id);
      if (wanted && meant) ++count;
    }
  }
  return count;
}

std::vector<std::string> Service::trapped_policies(const std::string& vrf, const std::string& vpn) {
  std::vector<std::string> out;
  const auto& vpns = configuration(vrf)->vpns;
  const auto found = vpns.find(vpn);
  if (found == vpns.end() || !found->second->remote_address) return out;
  for (const model::SecurityPolicy& policy : found->second->policies) {
    if (found->second->ipsec_of(policy).start_action != model::StartAction::None) out.push_back(policy.name);
  }
  return out;
}

}  // namespace svti::engine
