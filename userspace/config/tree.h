// SPDX-License-Identifier: Apache-2.0
// The data tree. libyang says what a value may be; the tree itself is ours, so that documents can share what they have in common: a change
// of one leaf makes new nodes on the way down to it, and every other subtree stays the same object. "The same object" is then all that a
// comparison has to look at (docs/adr/0012-shared-configuration-trees.md).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"

namespace svti::config {

struct Node;
// Whoever made a node may change it until it is part of a Document; never afterwards.
using NodePtr = std::shared_ptr<Node>;
using TreePtr = std::shared_ptr<const Node>;

// Only what was written is in the tree: defaults are the schema's, and containers that say nothing are left out.
struct Node {
  const SchemaNode* schema = nullptr;
  unsigned line = 0;              // of the text; 0: not from a text
  std::string text;               // of a leaf: its canonical value; of a list entry: its key
  std::vector<NodePtr> children;  // in the order of the schema, entries of one list in the user's

  bool is_leaf() const { return schema->is_leaf(); }
  // the first child of that keyword, or null
  const Node* child(std::string_view keyword) const;
  // the entry of that list (or leaf-list) with that key (value), or null
  const Node* entry(const SchemaNode& list, std::string_view key) const;
  // of a leaf that is set: its value; else the schema's default; else ""
  std::string_view value(std::string_view leaf) const;
};

NodePtr make_node(const SchemaNode& schema, std::string text = "", unsigned line = 0);
// puts `child` behind its like, at the place that the schema gives it
void insert(Node& parent, NodePtr child);
// brings the children of every node into the schema's order and takes containers away that say nothing
void tidy(Node& node);
// the same schema, values and children; lines do not count
bool equal(const Node& ours, const Node& theirs);

// How a node is named in findings: keys included, from `ike` in VRF main, else from the top.
//   "vpn siteA-siteB local-address", "interface svti svti0 mtu", "vrf red ike vpn x"
std::string step_path(std::string_view parent, const Node& node);
std::string step_path(std::string_view parent, const SchemaNode& schema, std::string_view key);
// the same for a node below `top`, whose path is `path`; looked for, since nodes do not know their parents
std::string path_below(const Node& top, std::string_view path, const Node& node);

}  // namespace svti::config
