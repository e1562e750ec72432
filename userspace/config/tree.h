// SPDX-License-Identifier: Apache-2.0
// The data tree: libyang's, held so that it cannot leak, each node remembering the line it was written on.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "config/schema.h"

namespace svti::config {

struct TreeDeleter {
  void operator()(lyd_node* root) const noexcept;
};
using Tree = std::unique_ptr<lyd_node, TreeDeleter>;  // the `ike` container; its Schema must outlive it

Tree new_tree(const Schema& schema);  // an empty `ike`, no defaults yet

void set_line(lyd_node* node, unsigned line);
unsigned line_of(const lyd_node* node);  // 0 for a default
bool is_default(const lyd_node* node);
std::string_view value_of(const lyd_node* leaf);      // canonical; borrowed from the tree
std::string_view key_of(const lyd_node* list_entry);  // likewise
const lyd_node* first_child(const lyd_node* node);    // keys of a list entry left out; null: none
const lyd_node* next_sibling(const lyd_node* node);
// path from `ike`, keys included: "vpn siteA-siteB security-policy trunk local-ts subnet"; empty for `ike`
std::string path_of(const lyd_node* node);

// the children of a node, keys left out: for (const lyd_node* child : Children(node))
class Children {
 public:
  class Iterator {
   public:
    explicit Iterator(const lyd_node* node) : node_(node) {}
    const lyd_node* operator*() const { return node_; }
    Iterator& operator++() {
      node_ = next_sibling(node_);
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const lyd_node* node_;
  };

  explicit Children(const lyd_node* parent) : first_(parent ? first_child(parent) : nullptr) {}
  Iterator begin() const { return Iterator(first_); }
  Iterator end() const { return Iterator(nullptr); }

 private:
  const lyd_node* first_;
};

// the only child of that name, or null
const lyd_node* child_named(const lyd_node* parent, std::string_view name);

}  // namespace svti::config
