// SPDX-License-Identifier: Apache-2.0
#include "config/tree.h"

#include <algorithm>
#include <optional>

namespace svti::config {

namespace {

constexpr std::string_view kMain = "main";

bool before(const NodePtr& one, const NodePtr& other) { return one->schema->order < other->schema->order; }

std::optional<std::string> find_below(const Node& top, std::string_view path, const Node& node) {
  if (&top == &node) return std::string(path);
  for (const NodePtr& child : top.children) {
    if (auto found = find_below(*child, step_path(path, *child), node)) return found;
  }
  return std::nullopt;
}

}  // namespace

const Node* Node::child(std::string_view keyword) const {
  const SchemaNode* wanted = schema->child(keyword);
  if (!wanted) return nullptr;
  const auto found = std::lower_bound(children.begin(), children.end(), wanted->order,
                                      [](const NodePtr& one, std::size_t order) { return one->schema->order < order; });
  return found != children.end() && (*found)->schema == wanted ? found->get() : nullptr;
}

const Node* Node::entry(const SchemaNode& list, std::string_view key) const {
  const auto found =
      std::find_if(children.begin(), children.end(), [&](const NodePtr& one) { return one->schema == &list && one->text == key; });
  return found == children.end() ? nullptr : found->get();
}

std::string_view Node::value(std::string_view leaf) const {
  if (const Node* set = child(leaf)) return set->text;
  const SchemaNode* known = schema->child(leaf);
  return known && known->default_value ? std::string_view(*known->default_value) : std::string_view();
}

NodePtr make_node(const SchemaNode& schema, std::string text, unsigned line) {
  auto out = std::make_shared<Node>();
  out->schema = &schema;
  out->line = line;
  out->text = std::move(text);
  return out;
}

void insert(Node& parent, NodePtr child) {
  const auto place = std::upper_bound(parent.children.begin(), parent.children.end(), child, before);
  parent.children.insert(place, std::move(child));
}

void tidy(Node& node) {
  for (const NodePtr& child : node.children) {
    // what another tree shares is tidy already
    if (!child->is_leaf() && child.use_count() == 1) tidy(*child);
  }
  std::erase_if(node.children, [](const NodePtr& child) {
    return child->schema->kind == Kind::Container && !child->schema->presence && child->children.empty();
  });
  if (!std::is_sorted(node.children.begin(), node.children.end(), before))
    std::stable_sort(node.children.begin(), node.children.end(), before);
}

bool equal(const Node& ours, const Node& theirs) {
  if (&ours == &theirs) return true;
  if (ours.schema != theirs.schema || ours.text != theirs.text) return false;
  return std::equal(ours.children.begin(), ours.children.end(), theirs.children.begin(), theirs.children.end(),
                    [](const NodePtr& one, const NodePtr& other) { return equal(*one, *other); });
}

std::string step_path(std::string_view parent, const SchemaNode& schema, std::string_view key) {
  const bool is_vrf = schema.parent && !schema.parent->parent;
  if (is_vrf && key == kMain) return "";
  if (parent.empty() && schema.kind == Kind::Container && schema.name == "ike") return "";
  std::string out(parent);
  if (!out.empty()) out += " ";
  out += schema.name;
  if (schema.kind == Kind::List && !key.empty()) out.append(" ").append(key);
  return out;
}

std::string step_path(std::string_view parent, const Node& node) {
  return step_path(parent, *node.schema, node.schema->kind == Kind::List ? std::string_view(node.text) : std::string_view());
}

std::string path_below(const Node& top, std::string_view path, const Node& node) {
  return find_below(top, path, node).value_or(std::string(path));
}

}  // namespace svti::config
