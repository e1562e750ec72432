// SPDX-License-Identifier: Apache-2.0
#include "config/diff.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "config/printer.h"
#include "config/text.h"

namespace svti::config {

namespace {

using Siblings = std::vector<const Node*>;
constexpr std::size_t kNamesShown = 8;

// of the children from `from` on: where those of that keyword end
std::size_t end_of(const std::vector<NodePtr>& children, std::size_t from, const SchemaNode& schema) {
  while (from < children.size() && children[from]->schema == &schema) ++from;
  return from;
}

// "a b c" or, when there are many, their beginning
std::string names_of(const Siblings& entries) {
  std::string out;
  for (std::size_t i = 0; i < std::min(entries.size(), kNamesShown); ++i) out += (i > 0 ? " " : "") + as_word(entries[i]->text);
  return entries.size() > kNamesShown ? out + " ..." : out;
}

class Differ {
 public:
  // two nodes of one place; either may be missing when it is a container that means nothing by itself
  void walk(const SchemaNode& schema, const Node* before, const Node* after, const std::string& path) {
    static const std::vector<NodePtr> kNone;
    const auto& old_children = before ? before->children : kNone;
    const auto& new_children = after ? after->children : kNone;
    std::size_t old_at = 0;
    std::size_t new_at = 0;
    for (const auto& child : schema.children) {
      const std::size_t old_end = end_of(old_children, old_at, *child);
      const std::size_t new_end = end_of(new_children, new_at, *child);
      if (old_at == old_end && new_at == new_end) continue;
      const auto nodes = [](const std::vector<NodePtr>& from, std::size_t first, std::size_t last) {
        Siblings out;
        for (std::size_t i = first; i < last; ++i) out.push_back(from[i].get());
        return out;
      };
      if (child->kind == Kind::List || child->kind == Kind::LeafList) {
        entries(*child, nodes(old_children, old_at, old_end), nodes(new_children, new_at, new_end), path);
      } else {
        single(*child, old_at < old_end ? old_children[old_at].get() : nullptr, new_at < new_end ? new_children[new_at].get() : nullptr,
               path);
      }
      old_at = old_end;
      new_at = new_end;
    }
  }

  std::vector<Change> take() && { return std::move(changes_); }

 private:
  void single(const SchemaNode& schema, const Node* before, const Node* after, const std::string& parent) {
    if (before == after) return;
    const std::string path = joined(parent, schema.name);
    if (schema.is_leaf()) {
      if (before && after && before->text == after->text) return;
      add(schema, path, before, after);
    } else if (schema.presence && (!before || !after)) {
      add(schema, path, before, after);
    } else {
      walk(schema, before, after, path);
    }
  }

  void entries(const SchemaNode& schema, Siblings before, Siblings after, const std::string& parent) {
    // after an edit nearly all are the same objects at both ends
    const auto head = std::mismatch(before.begin(), before.end(), after.begin(), after.end());
    before.erase(before.begin(), head.first);
    after.erase(after.begin(), head.second);
    while (!before.empty() && !after.empty() && before.back() == after.back()) {
      before.pop_back();
      after.pop_back();
    }
    std::unordered_map<std::string_view, const Node*> old_by_key;
    std::unordered_map<std::string_view, const Node*> new_by_key;
    for (const Node* one : before) old_by_key.emplace(one->text, one);
    for (const Node* one : after) new_by_key.emplace(one->text, one);
    const std::string list = joined(parent, schema.name);
    Siblings old_kept;
    for (const Node* one : before) {
      if (new_by_key.contains(one->text)) {
        old_kept.push_back(one);
      } else {
        add(schema, entry_path(schema, list, *one), one, nullptr);
      }
    }
    Siblings new_kept;
    for (const Node* one : after) {
      const auto old = old_by_key.find(one->text);
      if (old == old_by_key.end()) {
        add(schema, entry_path(schema, list, *one), nullptr, one);
        continue;
      }
      new_kept.push_back(one);
      if (schema.kind == Kind::List && old->second != one) walk(schema, old->second, one, entry_path(schema, list, *one));
    }
    const bool same_order = std::equal(old_kept.begin(), old_kept.end(), new_kept.begin(), new_kept.end(),
                                       [](const Node* ours, const Node* theirs) { return ours->text == theirs->text; });
    if (!same_order) changes_.push_back({Change::Kind::Changed, list, names_of(before), names_of(after), false, schema.restart});
  }

  void add(const SchemaNode& schema, std::string path, const Node* before, const Node* after) {
    Change change;
    change.kind = !before ? Change::Kind::Added : !after ? Change::Kind::Removed : Change::Kind::Changed;
    change.path = std::move(path);
    if (schema.is_leaf()) {
      change.secret = schema.hides();
      if (before) change.before = print_value(*before, false);
      if (after) change.after = print_value(*after, false);
    }
    // what is written out, and was the default before, is no change of behaviour
    const bool same_effect = schema.default_value && effect(schema, before) == effect(schema, after);
    change.restart = schema.restart && !same_effect;
    changes_.push_back(std::move(change));
  }

  static std::string_view effect(const SchemaNode& leaf, const Node* node) {
    return node ? std::string_view(node->text) : *leaf.default_value;
  }

  static std::string joined(const std::string& parent, std::string_view step) {
    return parent.empty() ? std::string(step) : parent + " " + std::string(step);
  }
  // a value of a leaf-list is told apart in before and after
  static std::string entry_path(const SchemaNode& schema, const std::string& list, const Node& entry) {
    return schema.kind == Kind::LeafList ? list : list + " " + as_word(entry.text);
  }

  std::vector<Change> changes_;
};

}  // namespace

std::vector<Change> difference(const Node& before, const Node& after) {
  if (&before == &after) return {};
  Differ differ;
  differ.walk(*after.schema, &before, &after, "");
  return std::move(differ).take();
}

}  // namespace svti::config
