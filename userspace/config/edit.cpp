// SPDX-License-Identifier: Apache-2.0
#include "config/edit.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "config/path.h"
#include "config/values.h"

namespace svti::config {

namespace {

class Editor {
 public:
  Editor(const Schema& schema, const Node& root, Findings& findings)
      : schema_(schema), findings_(findings), root_(std::make_shared<Node>(root)) {
    own_.insert(root_.get());
  }

  void apply(const Edit& edit, unsigned number) {
    number_ = number;
    auto words = path_words(edit.path);
    if (!words) return error("", words.error().message);
    if (words->empty() || (words->size() == 1 && words->front().text == "/"))
      return error("", "a path is missing: vpn hq ike-policy mobike true");
    path_ = from_top(schema_, std::move(*words));
    at_ = 0;
    edit.remove ? remove() : set();
  }

  NodePtr take() && {
    tidy(*root_);
    return std::move(root_);
  }

 private:
  void error(std::string where, std::string message) { findings_.error(number_, std::move(where), std::move(message)); }
  bool at_end() const { return at_ == path_.size(); }

  // the child of that keyword in the schema; null, and an error, when there is none
  const SchemaNode* keyword(const SchemaNode& schema, const std::string& where) {
    const Word& word = path_[at_];
    const SchemaNode* child = word.is_quoted ? nullptr : schema.child(word.text);
    if (child && child != schema.key) return ++at_, child;
    error(where, unknown_keyword(schema, "", word.text));
    return nullptr;
  }

  // A copy of the child that may be changed, put into its place; what it holds stays shared.
  Node* own(Node& parent, std::size_t index) {
    NodePtr& slot = parent.children[index];
    if (own_.contains(slot.get())) return slot.get();
    slot = std::make_shared<Node>(*slot);
    own_.insert(slot.get());
    return slot.get();
  }

  Node* add(Node& parent, const SchemaNode& schema, std::string text) {
    NodePtr node = make_node(schema, std::move(text));
    Node* added = node.get();
    own_.insert(added);
    insert(parent, std::move(node));
    return added;
  }

  static std::size_t index_of(const Node& parent, const SchemaNode& schema, const std::string* text) {
    const auto found = std::find_if(parent.children.begin(), parent.children.end(),
                                    [&](const NodePtr& one) { return one->schema == &schema && (!text || one->text == *text); });
    return static_cast<std::size_t>(found - parent.children.begin());
  }

  void set() {
    Node* node = root_.get();
    std::string where;
    bool has_leaf = false;
    while (!at_end()) {
      const SchemaNode* child = keyword(*node->schema, where);
      if (!child) return;
      if (child->is_leaf()) {
        if (!set_leaf(*node, *child, where)) return;
        has_leaf = true;
        continue;
      }
      if (has_leaf) return error(where, quoted(child->name) + " cannot stand behind a leaf");
      node = child->kind == Kind::List ? enter_entry(*node, *child, where) : enter_container(*node, *child);
      if (!node) return;
      where = step_path(where, *node);
    }
  }

  Node* enter_container(Node& parent, const SchemaNode& schema) {
    const std::size_t index = index_of(parent, schema, nullptr);
    return index < parent.children.size() ? own(parent, index) : add(parent, schema, "");
  }

  Node* enter_entry(Node& parent, const SchemaNode& schema, const std::string& where) {
    const auto key = value(*schema.key, step_path(where, schema, ""), "needs a " + std::string(schema.key->name));
    if (!key) return nullptr;
    const std::size_t index = index_of(parent, schema, &*key);
    if (index < parent.children.size()) return own(parent, index);
    const auto entries =
        std::count_if(parent.children.begin(), parent.children.end(), [&](const NodePtr& one) { return one->schema == &schema; });
    if (static_cast<std::uint64_t>(entries) < schema.max_elements) return add(parent, schema, *key);
    error(step_path(where, schema, ""), "at most " + std::to_string(schema.max_elements) + " entries are allowed");
    return nullptr;
  }

  bool set_leaf(Node& parent, const SchemaNode& leaf, const std::string& where) {
    auto text = value(leaf, step_path(where, leaf, ""), "needs a value");
    if (!text) return false;
    if (leaf.kind == Kind::Leaf) {
      const std::size_t index = index_of(parent, leaf, nullptr);
      if (index == parent.children.size()) {
        add(parent, leaf, std::move(*text));
      } else if (parent.children[index]->text != *text) {
        parent.children[index] = make_node(leaf, std::move(*text));
      }
      return true;
    }
    if (index_of(parent, leaf, &*text) < parent.children.size()) return true;
    const auto values =
        std::count_if(parent.children.begin(), parent.children.end(), [&](const NodePtr& one) { return one->schema == &leaf; });
    if (static_cast<std::uint64_t>(values) >= leaf.max_elements) {
      error(step_path(where, leaf, ""), "at most " + std::to_string(leaf.max_elements) + " entries are allowed");
      return false;
    }
    add(parent, leaf, std::move(*text));
    return true;
  }

  // the next word as a value of that leaf
  std::optional<std::string> value(const SchemaNode& leaf, const std::string& where, const std::string& missing) {
    if (at_end()) {
      error(where, missing + ": " + leaf.allowed);
      return std::nullopt;
    }
    auto out = to_value(schema_, leaf, path_[at_++]);
    if (out) return std::move(*out);
    error(where, out.error().message);
    return std::nullopt;
  }

  // Removing goes down the old tree first: a path that leads nowhere must not leave copies of half of it.
  void remove() {
    Node* node = root_.get();
    std::string where;
    while (true) {
      const SchemaNode* child = keyword(*node->schema, where);
      if (!child) return;
      const std::string here = step_path(where, *child, "");
      const bool by_key = child->kind == Kind::List;
      const bool has_word = !at_end();
      if (by_key && !has_word) return error(here, "needs a " + std::string(child->key->name) + ": which one is to go?");
      std::optional<std::string> text;
      if (by_key || (child->is_leaf() && has_word)) {
        text = value(by_key ? *child->key : *child, here, "");
        if (!text) return;
      }
      const std::size_t index = index_of(*node, *child, text ? &*text : nullptr);
      if (index == node->children.size()) return nothing_there(*node, *child, here, text);
      if (at_end()) {
        std::erase_if(node->children, [&](const NodePtr& one) { return one->schema == child && (!text || one->text == *text); });
        return;
      }
      if (child->is_leaf()) return error(here, quoted(path_[at_].text) + " is left over");
      node = own(*node, index);
      where = step_path(where, *node);
    }
  }

  void nothing_there(const Node& parent, const SchemaNode& schema, const std::string& where, const std::optional<std::string>& text) {
    if (schema.kind == Kind::List) return error(where, no_such_entry(schema, &parent, *text));
    const Node* set = schema.kind == Kind::Leaf ? parent.child(schema.name) : nullptr;
    if (set) return error(where, "has another value: leave the value away to remove the leaf");
    error(where, schema.kind == Kind::LeafList && text ? "does not have that value" : "is not set");
  }

  const Schema& schema_;
  Findings& findings_;
  NodePtr root_;
  std::unordered_set<const Node*> own_;  // made here: may be changed
  std::vector<Word> path_;
  std::size_t at_ = 0;  // next word of it
  unsigned number_ = 0;
};

}  // namespace

NodePtr apply_edits(const Schema& schema, const Node& root, const std::vector<Edit>& edits, Findings& findings) {
  Editor editor(schema, root, findings);
  unsigned number = 0;
  for (const Edit& edit : edits) {
    if (findings.full()) break;
    editor.apply(edit, ++number);
  }
  return std::move(editor).take();
}

}  // namespace svti::config
