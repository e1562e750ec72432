// SPDX-License-Identifier: Apache-2.0
// Templates folded into the VPNs that use them.
#pragma once

#include <string_view>
#include <unordered_map>

#include "config/tree.h"

namespace svti::config {

// A tree without templates in which every VPN has, of its policies, all that holds for it: its own leaf, else that of its template, else
// (with `defaults`) the default of templates. Only for showing: it shares nodes with `root`.
NodePtr folded(const Node& root, bool defaults);

// The same of one `ike`, child by child.
class Folder {
 public:
  Folder(const Node& ike, bool defaults);  // `ike` must outlive it
  // what is shown in place of a child of `ike`; null: a template, which is not shown
  TreePtr shown(const NodePtr& child) const;

 private:
  NodePtr vpn(const Node& node) const;
  NodePtr policy(const SchemaNode& schema, const Node* own, const SchemaNode& template_schema) const;
  const Node* base_of(const Node* own, const SchemaNode& list) const;

  const Node& ike_;
  const bool defaults_;
  std::unordered_map<const SchemaNode*, std::unordered_map<std::string_view, const Node*>> templates_;
};

}  // namespace svti::config
