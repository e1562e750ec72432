// SPDX-License-Identifier: Apache-2.0
#include "model/config.h"

#include <algorithm>

namespace svti::model {

const SecurityPolicy* Vpn::find_policy(std::string_view policy_name) const {
  const auto found =
      std::find_if(policies.begin(), policies.end(), [&](const SecurityPolicy& policy) { return policy.name == policy_name; });
  return found == policies.end() ? nullptr : &*found;
}

}  // namespace svti::model
