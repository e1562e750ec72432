// SPDX-License-Identifier: Apache-2.0
// Values have been checked one by one when they were read. Here come the rules between them, all of them in one walk. A must expression is
// libyang's to evaluate; it gets the subtree that the expression may look at: the list entry or container around it.
#include "config/validate.h"

#include <libyang/libyang.h>

#include <map>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace svti::config {

namespace {

struct YangTreeDeleter {
  void operator()(lyd_node* root) const noexcept { lyd_free_all(root); }
};
using YangTree = std::unique_ptr<lyd_node, YangTreeDeleter>;

// schema and values of a subtree, octet for octet; lines and outer context left out
void append_signature(const Node& node, std::string& out) {
  const auto* schema = node.schema;
  out.append(reinterpret_cast<const char*>(&schema), sizeof schema);
  const std::size_t size = node.text.size();
  out.append(reinterpret_cast<const char*>(&size), sizeof size).append(node.text);
  for (const NodePtr& child : node.children) append_signature(*child, out);
  out.push_back('\0');
}

// Evaluates must expressions. Equal subtrees are evaluated once: with 10,000 VPNs there are few different proposals.
class Musts {
 public:
  explicit Musts(const Schema& schema) : schema_(schema) {}

  // the words for each must that does not hold at `node`, a child of the last of `ancestors` (from the root, which is left out)
  const std::vector<std::string>& broken(const std::vector<const Node*>& ancestors, const Node& node) {
    const Node& scope = node.is_leaf() ? *ancestors.back() : node;
    std::string signature;
    append_signature(scope, signature);
    append_signature(node, signature);
    const auto [known, is_new] = known_.try_emplace(std::move(signature));
    if (is_new) known->second = evaluate(ancestors, node);
    return known->second;
  }

 private:
  std::vector<std::string> evaluate(const std::vector<const Node*>& ancestors, const Node& node) const {
    YangTree tree;
    lyd_node* at = nullptr;
    for (const Node* ancestor : ancestors) {
      at = add(at, *ancestor);
      if (!tree) tree.reset(at);
    }
    if (node.is_leaf()) {
      lyd_node* self = nullptr;
      for (const NodePtr& child : ancestors.back()->children) {
        lyd_node* made = copy(at, *child);
        if (child.get() == &node) self = made;
      }
      at = self;
    } else {
      at = copy(at, node);
    }
    return evaluate(at, node);
  }

  static std::vector<std::string> evaluate(const lyd_node* at, const Node& node) {
    std::vector<std::string> out;
    const lysc_must* musts = lysc_node_musts(node.schema->yang);
    LY_ARRAY_COUNT_TYPE i = 0;
    LY_ARRAY_FOR(musts, i) {
      ly_bool holds = 0;
      if (lyd_eval_xpath(at, lyxp_get_expr(musts[i].cond), &holds) == LY_SUCCESS && holds) continue;
      out.push_back(musts[i].emsg ? musts[i].emsg : "breaks the rule " + std::string(lyxp_get_expr(musts[i].cond)));
    }
    return out;
  }

  // The values have passed their types: only memory can be missing.
  lyd_node* add(lyd_node* parent, const Node& node) const {
    const lysc_node* yang = node.schema->yang;
    lyd_node* out = nullptr;
    LY_ERR result = LY_SUCCESS;
    if (node.is_leaf()) {
      result = lyd_new_term(parent, yang->module, yang->name, node.text.c_str(), 0, &out);
    } else if (node.schema->kind == Kind::List) {
      result = lyd_new_list(parent, yang->module, yang->name, 0, &out, node.text.c_str());
    } else {
      result = lyd_new_inner(parent, yang->module, yang->name, 0, &out);
    }
    if (result != LY_SUCCESS) throw std::bad_alloc();
    return out;
  }

  lyd_node* copy(lyd_node* parent, const Node& node) const {
    lyd_node* out = add(parent, node);
    for (const NodePtr& child : node.children) copy(out, *child);
    return out;
  }

  const Schema& schema_;
  std::unordered_map<std::string, std::vector<std::string>> known_;
};

class Validator {
 public:
  Validator(const Schema& schema, const std::unordered_set<const Node*>& damaged, Findings& findings)
      : schema_(schema), damaged_(damaged), findings_(findings), musts_(schema) {}

  // `before`: the node that stood here, or null
  void walk(const Node& node, const Node* before, const std::string& path) {
    if (findings_.full()) return;
    if (node.is_leaf()) {
      check_musts(node, path);
      check_reference(node, path);
      return;
    }
    if (!damaged_.contains(&node)) {
      check_musts(node, path);
      check_missing(node, path);
    }
    if (node.schema->parent) ancestors_.push_back(&node);
    walk_children(node, before, path);
    if (node.schema->parent) ancestors_.pop_back();
  }

 private:
  void walk_children(const Node& node, const Node* before, const std::string& path) {
    std::unordered_set<const Node*> kept;
    if (before) {
      for (const NodePtr& child : before->children) kept.insert(child.get());
    }
    const bool references_hold = before && !lost_names(node, *before);
    for (const NodePtr& child : node.children) {
      const bool is_kept = kept.contains(child.get());
      if (is_kept && references_hold) continue;
      if (is_kept) {
        recheck_references(*child, path);
        continue;
      }
      walk(*child, before ? counterpart(*before, *child) : nullptr, step_path(path, *child));
    }
  }

  static const Node* counterpart(const Node& before, const Node& node) {
    return node.schema->kind == Kind::List ? before.entry(*node.schema, node.text) : before.child(node.schema->name);
  }

  // Has an entry gone that something may refer to? References stay within the node that holds the list.
  static bool lost_names(const Node& node, const Node& before) {
    if (!is_scope(*node.schema)) return false;
    std::set<std::pair<const SchemaNode*, std::string_view>> names;
    for (const NodePtr& child : node.children) {
      if (is_referred_to(*child->schema)) names.emplace(child->schema, child->text);
    }
    for (const NodePtr& child : before.children) {
      if (is_referred_to(*child->schema) && !names.contains({child->schema, child->text})) return true;
    }
    return false;
  }

  static bool is_scope(const SchemaNode& schema) { return schema.name == "ike"; }
  static bool is_referred_to(const SchemaNode& schema) { return schema.kind == Kind::List && schema.is_referred_to; }

  void recheck_references(const Node& node, const std::string& parent_path) {
    if (findings_.full()) return;
    if (node.is_leaf()) {
      if (node.schema->reference) check_reference(node, step_path(parent_path, node));
      return;
    }
    const std::string path = step_path(parent_path, node);
    ancestors_.push_back(&node);
    for (const NodePtr& child : node.children) recheck_references(*child, path);
    ancestors_.pop_back();
  }

  void check_musts(const Node& node, const std::string& path) {
    if (!node.schema->has_musts) return;
    for (const std::string& message : musts_.broken(ancestors_, node)) findings_.error(node.line, path, message);
  }

  void check_missing(const Node& node, const std::string& path) {
    for (const auto& child : node.schema->children) {
      if (!child->mandatory && child->min_elements == 0) continue;
      if (node.child(child->name)) continue;
      findings_.error(node.line, (path.empty() ? "" : path + " ") + std::string(child->name), "is missing: " + child->allowed);
    }
  }

  void check_reference(const Node& leaf, const std::string& path) {
    const SchemaNode* list = leaf.schema->reference;
    if (!list) return;
    const std::set<std::string_view>& known = names_of(*list);
    if (known.contains(leaf.text)) return;
    const std::vector<std::string_view> candidates(known.begin(), known.end());
    findings_.error(leaf.line, path,
                    "there is no " + std::string(list->name) + " " + quoted(leaf.text) + did_you_mean(leaf.text, candidates));
  }

  // the names in that list, in the ancestor that holds it; looked up once: with many VPNs the search is the dear part
  const std::set<std::string_view>& names_of(const SchemaNode& list) {
    const Node* holder = nullptr;
    for (const Node* ancestor : ancestors_) {
      if (ancestor->schema == list.parent) holder = ancestor;
    }
    const auto [entry, is_new] = names_.try_emplace({holder, &list});
    if (!is_new || !holder) return entry->second;
    for (const NodePtr& child : holder->children) {
      if (child->schema == &list) entry->second.insert(child->text);
    }
    return entry->second;
  }

  const Schema& schema_;
  const std::unordered_set<const Node*>& damaged_;
  Findings& findings_;
  Musts musts_;
  std::vector<const Node*> ancestors_;  // of the node being looked at, the root left out
  std::map<std::pair<const Node*, const SchemaNode*>, std::set<std::string_view>> names_;
};

}  // namespace

void validate(const Schema& schema, const Node& root, const std::unordered_set<const Node*>& damaged, const Node* before,
              Findings& findings) {
  Validator(schema, damaged, findings).walk(root, before, "");
}

}  // namespace svti::config
