// SPDX-License-Identifier: Apache-2.0
#include "model/config.h"

#include <algorithm>
#include <tuple>

namespace svti::model {

bool SecurityPolicy::operator==(const SecurityPolicy& other) const {
  const auto values = [](const SecurityPolicy& one) {
    return std::tie(one.name, one.local_ts, one.remote_ts, one.action, one.mode, one.priority, one.svti_id_in, one.svti_id_out);
  };
  if (values(*this) != values(other) || (ipsec == nullptr) != (other.ipsec == nullptr)) return false;
  return ipsec == nullptr || *ipsec == *other.ipsec;
}

const SecurityPolicy* Vpn::find_policy(std::string_view policy_name) const {
  const auto found =
      std::find_if(policies.begin(), policies.end(), [&](const SecurityPolicy& policy) { return policy.name == policy_name; });
  return found == policies.end() ? nullptr : &*found;
}

std::string qualified_name(std::string_view vrf, std::string_view vpn) {
  if (vrf == kMainVrf || vpn.empty()) return std::string(vpn);
  return std::string(vrf) + "/" + std::string(vpn);
}

QualifiedName split_qualified_name(std::string_view name) {
  const auto slash = name.find('/');
  if (slash == std::string_view::npos) return {std::string(kMainVrf), std::string(name)};
  return {std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))};
}

}  // namespace svti::model
