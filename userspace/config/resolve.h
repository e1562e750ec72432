// SPDX-License-Identifier: Apache-2.0
// A validated data tree to model::Configuration: templates folded into VPNs, keywords to transforms, text to values.
#pragma once

#include "config/findings.h"
#include "config/tree.h"
#include "model/config.h"

namespace svti::config {

// Rules on the effective values of a VPN are checked here: with an error among the findings the result is not to be used.
model::ConfigurationPtr resolve(const lyd_node* ike, Findings& findings);

// one warning for each kind of node that is set and has no effect yet
void warn_without_effect(const lyd_node* ike, Findings& findings);

}  // namespace svti::config
