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

}  // namespace svti::model
