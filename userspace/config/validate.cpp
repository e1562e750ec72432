// SPDX-License-Identifier: Apache-2.0
// libyang has the last word and stops at the first broken rule. Where it refuses, or reading has already failed, the tree is walked once
// more here, rule by rule, to tell all that is wrong in one go.
#include "config/validate.h"

#include <libyang/libyang.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace svti::config {

namespace {

lysc_must* musts_of(const lyd_node* node) { return lysc_node_musts(node->schema); }

class Explainer {
 public:
  Explainer(const ReadResult& read, Findings& findings) : read_(read), findings_(findings) {}

  void walk(const lyd_node* node) {
    if (findings_.full()) return;
    const SchemaNode& schema = schema_of(node);
    if (schema.is_leaf()) {
      check_musts(node);
      check_reference(node, schema);
      return;
    }
    if (!read_.damaged.contains(node)) {
      check_musts(node);
      check_missing(node, schema);
    }
    for (const lyd_node* child : Children(node)) walk(child);
  }

 private:
  void check_musts(const lyd_node* node) {
    const lysc_must* musts = musts_of(node);
    LY_ARRAY_COUNT_TYPE i = 0;
    LY_ARRAY_FOR(musts, i) {
      ly_bool holds = 0;
      if (lyd_eval_xpath(node, lyxp_get_expr(musts[i].cond), &holds) != LY_SUCCESS || holds) continue;
      findings_.error(line_of(node), path_of(node),
                      musts[i].emsg ? musts[i].emsg : "breaks the rule " + std::string(lyxp_get_expr(musts[i].cond)));
    }
  }

  void check_missing(const lyd_node* node, const SchemaNode& schema) {
    for (const auto& child : schema.children) {
      if (!child->mandatory && child->min_elements == 0) continue;
      if (child_named(node, child->name)) continue;
      const std::string path = path_of(node);
      findings_.error(line_of(node), (path.empty() ? "" : path + " ") + std::string(child->name), "is missing: " + child->allowed);
    }
  }

  void check_reference(const lyd_node* leaf, const SchemaNode& schema) {
    if (schema.reference.empty()) return;
    const std::set<std::string_view>& known = names_at(leaf, schema.reference);
    if (known.contains(value_of(leaf))) return;
    const std::vector<std::string_view> candidates(known.begin(), known.end());
    const std::string_view list = schema_of_reference(schema);
    findings_.error(line_of(leaf), path_of(leaf),
                    "there is no " + std::string(list) + " " + quoted(value_of(leaf)) + did_you_mean(value_of(leaf), candidates));
  }

  // "/ike/pool/name" names a pool
  static std::string_view schema_of_reference(const SchemaNode& schema) {
    const std::string_view path = schema.reference;
    const std::string_view entry = path.substr(0, path.rfind('/'));
    return entry.substr(entry.rfind('/') + 1);
  }

  // looked up once for each kind of reference: with many VPNs the search is the dear part
  const std::set<std::string_view>& names_at(const lyd_node* leaf, const std::string& path) {
    const auto [entry, is_new] = names_.try_emplace(path);
    if (!is_new) return entry->second;
    ly_set* found = nullptr;
    if (lyd_find_xpath(leaf, path.c_str(), &found) == LY_SUCCESS) {
      for (std::uint32_t i = 0; i < found->count; ++i) entry->second.insert(value_of(found->dnodes[i]));
    }
    ly_set_free(found, nullptr);
    return entry->second;
  }

  const ReadResult& read_;
  Findings& findings_;
  std::map<std::string, std::set<std::string_view>> names_;
};

}  // namespace

void validate(const Schema& schema, ReadResult& read, Findings& findings) {
  if (!findings.failed()) {
    lyd_node* root = read.tree.release();
    const LY_ERR result = lyd_validate_all(&root, schema.context(), LYD_VALIDATE_NO_STATE, nullptr);
    read.tree.reset(root);
    if (result == LY_SUCCESS) return;
  }
  Explainer(read, findings).walk(read.tree.get());
  if (findings.failed()) return;
  // a rule that the walk does not know: better libyang's words than none
  const ly_err_item* error = ly_err_last(schema.context());
  findings.error(0, error && error->path ? error->path : "",
                 error && error->msg ? error->msg : "the configuration breaks a rule of the schema");
}

}  // namespace svti::config
