// SPDX-License-Identifier: Apache-2.0
#include "config/fold.h"

#include <array>
#include <string_view>

namespace svti::config {

namespace {

constexpr std::array<std::string_view, 2> kPolicies = {"ike-policy", "ipsec-policy"};
constexpr std::string_view kTemplate = "template";

std::string template_list(std::string_view policy) { return std::string(policy) + "-template"; }

// the same values under another schema node that has the same children: a template's proposal becomes a VPN's
NodePtr recast(const Node& node, const SchemaNode& schema) {
  NodePtr out = make_node(schema, node.text, node.line);
  for (const NodePtr& child : node.children) out->children.push_back(recast(*child, *schema.child(child->schema->name)));
  return out;
}

}  // namespace

Folder::Folder(const Node& ike, bool defaults) : ike_(ike), defaults_(defaults) {
  for (const NodePtr& child : ike.children) {
    for (const std::string_view policy : kPolicies) {
      if (child->schema->name == template_list(policy)) templates_[child->schema][child->text] = child.get();
    }
  }
}

TreePtr Folder::shown(const NodePtr& child) const {
  if (child->schema->name == "vpn") return vpn(*child);
  return templates_.contains(child->schema) ? nullptr : child;
}

NodePtr Folder::vpn(const Node& node) const {
  auto out = make_node(*node.schema, node.text, node.line);
  for (const NodePtr& child : node.children) {
    if (child->schema->name != kPolicies[0] && child->schema->name != kPolicies[1]) out->children.push_back(child);
  }
  for (const std::string_view name : kPolicies) {
    NodePtr folded_policy = policy(*node.schema->child(name), node.child(name), *ike_.schema->child(template_list(name)));
    if (!folded_policy->children.empty()) insert(*out, std::move(folded_policy));
  }
  return out;
}

NodePtr Folder::policy(const SchemaNode& schema, const Node* own, const SchemaNode& template_schema) const {
  const Node* base = base_of(own, template_schema);
  auto out = make_node(schema);
  for (const auto& child : schema.children) {
    if (child->name == kTemplate) continue;
    const SchemaNode& in_template = *template_schema.child(child->name);
    if (own && own->child(child->name)) {
      for (const NodePtr& one : own->children) {
        if (one->schema == child.get()) out->children.push_back(one);
      }
    } else if (base && base->child(child->name)) {
      for (const NodePtr& one : base->children) {
        if (one->schema == &in_template) out->children.push_back(recast(*one, *child));
      }
    } else if (defaults_ && in_template.default_value) {
      out->children.push_back(make_node(*child, *in_template.default_value));
    }
  }
  return out;
}

const Node* Folder::base_of(const Node* own, const SchemaNode& list) const {
  const Node* reference = own ? own->child(kTemplate) : nullptr;
  if (!reference) return nullptr;
  // In a draft it may name what is not there.
  const auto entries = templates_.find(&list);
  if (entries == templates_.end()) return nullptr;
  const auto found = entries->second.find(reference->text);
  return found == entries->second.end() ? nullptr : found->second;
}

NodePtr folded(const Node& root, bool defaults) {
  auto out = make_node(*root.schema);
  for (const NodePtr& vrf : root.children) {
    auto shown = make_node(*vrf->schema, vrf->text, vrf->line);
    for (const NodePtr& child : vrf->children) {
      if (child->schema->name != "ike") {
        shown->children.push_back(child);
        continue;
      }
      const Folder folder(*child, defaults);
      auto ike = make_node(*child->schema);
      for (const NodePtr& one : child->children) {
        // whoever gets the tree only shows it
        if (TreePtr instead = folder.shown(one)) ike->children.push_back(std::const_pointer_cast<Node>(std::move(instead)));
      }
      shown->children.push_back(std::move(ike));
    }
    out->children.push_back(std::move(shown));
  }
  return out;
}

}  // namespace svti::config
