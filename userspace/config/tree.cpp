// SPDX-License-Identifier: Apache-2.0
#include "config/tree.h"

#include <libyang/libyang.h>

#include <new>

namespace svti::config {

void TreeDeleter::operator()(lyd_node* root) const noexcept { lyd_free_all(root); }

Tree new_tree(const Schema& schema) {
  lyd_node* root = nullptr;
  // the schema is ours: only memory can be missing
  if (lyd_new_inner(nullptr, schema.ike().yang->module, "ike", 0, &root) != LY_SUCCESS) throw std::bad_alloc();
  return Tree(root);
}

void set_line(lyd_node* node, unsigned line) { node->priv = reinterpret_cast<void*>(static_cast<std::uintptr_t>(line)); }

unsigned line_of(const lyd_node* node) { return static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(node->priv)); }

bool is_default(const lyd_node* node) { return (node->flags & LYD_DEFAULT) != 0; }

std::string_view value_of(const lyd_node* leaf) { return lyd_get_value(leaf); }

std::string_view key_of(const lyd_node* list_entry) { return lyd_get_value(lyd_child(list_entry)); }

const lyd_node* first_child(const lyd_node* node) { return lyd_child_no_keys(node); }

const lyd_node* next_sibling(const lyd_node* node) { return node->next; }

std::string path_of(const lyd_node* node) {
  std::string out;
  for (const lyd_node* at = node; at && schema_of(at).parent; at = lyd_parent(at)) {
    const SchemaNode& schema = schema_of(at);
    std::string step(schema.name);
    if (schema.kind == Kind::List) step += " " + std::string(key_of(at));
    out = out.empty() ? step : step + " " + out;
  }
  return out;
}

const lyd_node* child_named(const lyd_node* parent, std::string_view name) {
  for (const lyd_node* child : Children(parent)) {
    if (schema_of(child).name == name) return child;
  }
  return nullptr;
}

}  // namespace svti::config
