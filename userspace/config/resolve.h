// SPDX-License-Identifier: Apache-2.0
// A validated data tree to model::System: templates folded into VPNs, keywords to transforms, text to values.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "config/findings.h"
#include "config/resolve_credentials.h"
#include "config/tree.h"
#include "model/config.h"

namespace svti::config {

// What became of a tree, and what has to stay as it is for that to hold: the next tree takes over what it shares.
struct Resolution {
  struct Vpn {
    std::shared_ptr<const model::Vpn> vpn;
    const Node* ike_template = nullptr;
    const Node* ipsec_template = nullptr;
    std::vector<std::shared_ptr<const void>> credentials;  // that it names
    bool has_findings = false;                             // which have to be told each time
  };

  model::SystemPtr system;
  std::unordered_map<const Node*, Vpn> vpns;
  std::unordered_map<const Node*, std::shared_ptr<const model::PresharedKey>> keys;
  ResolvedCredentials credentials;
  // by the path of `ike`: all that its VPNs may refer to. While these are the same nodes, a VPN that is the same node resolves alike.
  std::map<std::string, std::vector<const Node*>> around;
  bool has_warnings = true;  // something in the tree is to be warned of
};

// Rules on the effective values of a VPN are checked here: with an error among the findings the result is not to be used. VPNs and keys
// that are equal to those of `before` (may be null) are the same objects.
Resolution resolve(const Schema& schema, const Node& root, const Resolution* before, Findings& findings);

// One warning for each kind of node that is set and has no effect yet, and for each weak algorithm; whether there is any. `only_new`: the
// tree that went before had none, so what is shared with it need not be looked at.
bool warn_of_leaves(const Node& root, bool only_new, Findings& findings);

}  // namespace svti::config
