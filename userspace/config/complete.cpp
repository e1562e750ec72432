// SPDX-License-Identifier: Apache-2.0
#include "config/complete.h"

#include <utility>

#include "config/path.h"
#include "config/text.h"

namespace svti::config {

namespace {

class Completer {
 public:
  Completer(const Schema& schema, const Node& root, std::string_view prefix) : schema_(schema), root_(root), prefix_(prefix) {}

  std::vector<Completion> run(const std::vector<Word>& before) && {
    if (before.empty()) {
      // from `ike` of VRF main, and what begins a path elsewhere
      add_keywords(schema_.ike());
      add_keywords(schema_.vrf());
      add_keywords(schema_.root());
      return std::move(out_);
    }
    walk(from_top(schema_, before));
    return std::move(out_);
  }

 private:
  void walk(const std::vector<Word>& words) {
    const SchemaNode* schema = &schema_.root();
    const Node* node = &root_;
    std::vector<const Node*> ancestors{node};
    for (std::size_t i = 0; i < words.size(); ++i) {
      const SchemaNode* child = schema->child(words[i].text);
      if (!child || child == schema->key) return;
      const bool is_last = i + 1 == words.size();
      if (child->is_leaf()) {
        if (is_last) return add_values(*child, node, ancestors);
        // behind the value of a leaf its siblings may follow
        ++i;
        continue;
      }
      if (child->kind == Kind::List) {
        if (is_last) return add_entries(*child, node);
        const std::string& key = words[++i].text;
        node = node ? node->entry(*child, key) : nullptr;
      } else {
        node = node ? node->child(child->name) : nullptr;
      }
      schema = child;
      ancestors.push_back(node);
    }
    add_keywords(*schema);
  }

  void add(std::string word, std::string description) {
    if (word.starts_with(prefix_)) out_.push_back({std::move(word), std::move(description)});
  }

  void add_keywords(const SchemaNode& schema) {
    for (const auto& child : schema.children) {
      if (child.get() != schema.key) add(std::string(child->name), child->description);
    }
  }

  void add_entries(const SchemaNode& list, const Node* parent) {
    if (!parent) return;
    for (const NodePtr& child : parent->children) {
      if (child->schema == &list) add(as_word(child->text), "");
    }
  }

  void add_values(const SchemaNode& leaf, const Node* parent, const std::vector<const Node*>& ancestors) {
    for (const std::string_view word : leaf.enumeration) add(std::string(word), "");
    if (leaf.reference) {
      for (const Node* ancestor : ancestors) {
        if (ancestor && ancestor->schema == leaf.reference->parent) add_entries(*leaf.reference, ancestor);
      }
      return;
    }
    if (!leaf.enumeration.empty() || leaf.hides() || !parent) return;
    for (const NodePtr& child : parent->children) {
      if (child->schema == &leaf) add(as_word(child->text), leaf.allowed);
    }
  }

  const Schema& schema_;
  const Node& root_;
  std::string_view prefix_;
  std::vector<Completion> out_;
};

}  // namespace

std::vector<Completion> completions(const Schema& schema, const Node& root, std::string_view partial_path) {
  auto words = path_words(partial_path);
  if (!words) return {};
  std::string prefix;
  const bool has_prefix = !partial_path.empty() && partial_path.back() != ' ' && partial_path.back() != '\t';
  if (has_prefix && !words->empty()) {
    prefix = words->back().text;
    words->pop_back();
  }
  return Completer(schema, root, prefix).run(*words);
}

}  // namespace svti::config
