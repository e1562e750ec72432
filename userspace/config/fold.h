// SPDX-License-Identifier: Apache-2.0
// Templates folded into the VPNs that use them.
#pragma once

#include "config/tree.h"

namespace svti::config {

// A tree without templates in which every VPN has, of its policies, all that holds for it: its own leaf, else that of its template, else
// (with `defaults`) the default of templates. Only for showing: it shares nodes with `root`.
NodePtr folded(const Node& root, bool defaults);

}  // namespace svti::config
