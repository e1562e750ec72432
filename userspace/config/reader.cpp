// SPDX-License-Identifier: Apache-2.0
// A line is a path of containers and list entries from the open context, then pairs of leaf and value. Without a leaf at its end it opens
// the contexts it names; ".." closes the innermost. What a printed configuration leaves out at its head (`vrf main`, `ike`) and at its
// end (closing "..") may be left out.
#include "config/reader.h"

#include <libyang/libyang.h>

#include <algorithm>
#include <new>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/text.h"
#include "config/values.h"

namespace svti::config {

namespace {

constexpr std::string_view kClose = "..";
constexpr std::string_view kElision = "(...)";
constexpr std::string_view kOnlyVrf = "main";

// One open context. `schema` null: the top of the text, or a `vrf`. `node` null: what stands in it is checked and not kept.
struct Context {
  const SchemaNode* schema = nullptr;
  lyd_node* node = nullptr;
  std::string path;     // for findings
  unsigned indent = 0;  // of the line that opened it
};

// A list entry below its parent; with an empty key, the list.
struct Slot {
  const lyd_node* parent;
  const SchemaNode* schema;
  std::string key;

  bool operator==(const Slot&) const = default;
};
struct SlotHash {
  std::size_t operator()(const Slot& slot) const noexcept {
    return std::hash<const void*>{}(slot.parent) * 31 + std::hash<const void*>{}(slot.schema) * 17 + std::hash<std::string>{}(slot.key);
  }
};

std::string joined(std::string_view path, std::string_view step) {
  return path.empty() ? std::string(step) : std::string(path) + " " + std::string(step);
}

class TextReader {
 public:
  TextReader(const Schema& schema, std::string_view text, Findings& findings)
      : schema_(schema), findings_(findings), lines_(text, findings), tree_(new_tree(schema)) {
    contexts_.push_back({nullptr, tree_.get(), "", 0});
  }

  ReadResult read() && {
    while (lines_.peek() && !findings_.full()) read_line(lines_.next());
    return {std::move(tree_), std::move(damaged_)};
  }

 private:
  // What the walk over one line has come to.
  struct Walk {
    const Line& line;
    std::size_t at = 0;            // next word
    std::vector<Context> entered;  // contexts named on this line
    bool has_leaf = false;
  };

  void read_line(Line line);
  bool close(const Line& line);
  bool step(Walk& walk);
  bool enter_vrf(Walk& walk);
  bool enter_container(Walk& walk, const SchemaNode& schema);
  bool enter_entry(Walk& walk, const SchemaNode& schema);
  bool take_leaf(Walk& walk, const SchemaNode& schema);
  bool unknown(Walk& walk);
  void set_leaf(const Context& context, const SchemaNode& leaf, const Word& word);
  static lyd_node* find_child(const lyd_node* parent, const SchemaNode& schema, const std::string& value);
  lyd_node* find_or_add_container(const Context& context, const SchemaNode& schema, unsigned line);
  lyd_node* find_or_add_entry(const Context& context, const SchemaNode& schema, const std::string& key, unsigned line);
  bool fits_type(const SchemaNode& leaf, const std::string& value) const;
  bool stays_closed(const SchemaNode& container, const Line& line) const;
  void skip_deeper(const Line& line);
  void error(const Context& context, unsigned line, std::string path, std::string message);
  const SchemaNode* child_of(const Context& context, std::string_view keyword) const;
  const Context& innermost(const Walk& walk) const { return walk.entered.empty() ? contexts_.back() : walk.entered.back(); }

  const Schema& schema_;
  Findings& findings_;
  LineReader lines_;
  Tree tree_;
  std::vector<Context> contexts_;
  std::unordered_map<Slot, lyd_node*, SlotHash> entries_;  // a list finds its entries by key far faster than libyang's predicates do
  std::unordered_map<Slot, std::uint32_t, SlotHash> counts_;
  std::unordered_set<const lyd_node*> damaged_;
};

void TextReader::error(const Context& context, unsigned line, std::string path, std::string message) {
  if (context.node) damaged_.insert(context.node);
  findings_.error(line, std::move(path), std::move(message));
}

// `ike` and what stands in it may both begin a line at the top
const SchemaNode* TextReader::child_of(const Context& context, std::string_view keyword) const {
  if (context.schema) return context.schema->child(keyword);
  return keyword == schema_.ike().name ? &schema_.ike() : schema_.ike().child(keyword);
}

void TextReader::read_line(Line line) {
  const auto elided =
      std::find_if(line.words.begin(), line.words.end(), [](const Word& word) { return !word.is_quoted && word.text == kElision; });
  if (elided != line.words.end()) {
    error(contexts_.back(), elided->line, contexts_.back().path,
          "'(...)' stands for what was left out of a printed configuration: write it out, or take this line away");
    return;
  }
  if (close(line)) return;
  Walk walk{line, 0, {}, false};
  while (walk.at < line.words.size()) {
    if (!step(walk)) return;
  }
  if (walk.has_leaf) return;
  if (walk.entered.back().schema && stays_closed(*walk.entered.back().schema, line)) return;
  std::move(walk.entered.begin(), walk.entered.end(), std::back_inserter(contexts_));
}

bool TextReader::close(const Line& line) {
  if (line.words.front().is_quoted || line.words.front().text != kClose) return false;
  if (line.words.size() > 1) {
    error(contexts_.back(), line.number, contexts_.back().path, "'..' stands alone on its line");
  } else if (contexts_.size() == 1) {
    error(contexts_.back(), line.number, "", "'..' closes a context, and none is open");
  } else {
    contexts_.pop_back();
  }
  return true;
}

// one container, list entry, or leaf with its value; false when the rest of the line cannot be made sense of
bool TextReader::step(Walk& walk) {
  const Word& word = walk.line.words[walk.at];
  const Context& context = innermost(walk);
  if (word.is_quoted) {
    error(context, word.line, context.path, "a keyword is expected, not a quoted value");
    return false;
  }
  const bool at_top = !context.schema;
  if (at_top && word.text == "vrf") return enter_vrf(walk);
  const SchemaNode* schema = child_of(context, word.text);
  if (!schema) return unknown(walk);
  if (schema->is_leaf()) return take_leaf(walk, *schema);
  if (walk.has_leaf) {
    error(context, word.line, joined(context.path, word.text), "begins a line of its own");
    return false;
  }
  return schema->kind == Kind::List ? enter_entry(walk, *schema) : enter_container(walk, *schema);
}

bool TextReader::enter_vrf(Walk& walk) {
  const Word& keyword = walk.line.words[walk.at];
  if (walk.at + 1 >= walk.line.words.size()) {
    error(innermost(walk), keyword.line, "vrf", "needs a name: only 'vrf main' is supported yet");
    return false;
  }
  const Word& name = walk.line.words[walk.at + 1];
  const bool supported = name.text == kOnlyVrf;
  if (!supported)
    findings_.error(name.line, "vrf " + name.text, "is not supported yet: only 'vrf main', the network namespace the daemon runs in");
  walk.at += 2;
  walk.entered.push_back({nullptr, supported ? tree_.get() : nullptr, "", walk.line.indent});
  return true;
}

bool TextReader::enter_container(Walk& walk, const SchemaNode& schema) {
  const Context& context = innermost(walk);
  const unsigned line = walk.line.words[walk.at].line;
  lyd_node* node = &schema == &schema_.ike() ? context.node : find_or_add_container(context, schema, line);
  std::string path = &schema == &schema_.ike() ? std::string() : joined(context.path, schema.name);
  walk.entered.push_back({&schema, node, std::move(path), walk.line.indent});
  ++walk.at;
  return true;
}

bool TextReader::enter_entry(Walk& walk, const SchemaNode& schema) {
  const Context& context = innermost(walk);
  const Word& keyword = walk.line.words[walk.at];
  const std::string path = joined(context.path, schema.name);
  if (walk.at + 1 >= walk.line.words.size()) {
    error(context, keyword.line, path, "needs a " + std::string(schema.key->name) + ": " + schema.key->allowed);
    walk.entered.push_back({&schema, nullptr, path, walk.line.indent});
    ++walk.at;
    return true;
  }
  const Word& key = walk.line.words[walk.at + 1];
  lyd_node* node = nullptr;
  if (fits_type(*schema.key, key.text)) {
    node = find_or_add_entry(context, schema, key.text, keyword.line);
  } else {
    error(context, key.line, path, quoted(key.text) + " is not allowed: expected " + schema.key->allowed);
  }
  walk.at += 2;
  walk.entered.push_back({&schema, node, joined(path, key.text), walk.line.indent});
  return true;
}

bool TextReader::take_leaf(Walk& walk, const SchemaNode& schema) {
  const Context& context = innermost(walk);
  const Word& keyword = walk.line.words[walk.at];
  walk.has_leaf = true;
  if (walk.at + 1 >= walk.line.words.size()) {
    error(context, keyword.line, joined(context.path, schema.name), "needs a value: " + schema.allowed);
    ++walk.at;
    return true;
  }
  set_leaf(context, schema, walk.line.words[walk.at + 1]);
  walk.at += 2;
  // "sp-hash-ipv4 local 16 remote 24" goes on; "local-id a b" does not
  const bool may_go_on = !walk.entered.empty();
  if (walk.at == walk.line.words.size() || (may_go_on && child_of(context, walk.line.words[walk.at].text))) return true;
  error(context, walk.line.words[walk.at].line, joined(context.path, schema.name),
        "more than one word behind it: a value with blanks is written in quotes");
  return false;
}

// Says where the keyword would be right. When it is further out, a ".." was forgotten, and reading goes on there.
bool TextReader::unknown(Walk& walk) {
  const Context& context = innermost(walk);
  const Word& word = walk.line.words[walk.at];
  const auto outer =
      std::find_if(contexts_.rbegin(), contexts_.rend(), [&](const Context& open) { return child_of(open, word.text) != nullptr; });
  if (walk.at == 0 && outer != contexts_.rend()) {
    const bool is_forgotten_close = walk.line.indent <= context.indent;
    const std::string home = outer->path.empty() ? "ike" : outer->path;
    error(context, word.line, joined(context.path, word.text),
          "stands in '" + home + "', not here" + (is_forgotten_close ? ": a '..' is missing above" : ""));
    if (is_forgotten_close) {
      contexts_.erase(outer.base(), contexts_.end());
      return true;
    }
    skip_deeper(walk.line);
    return false;
  }
  std::vector<std::string_view> candidates;
  const SchemaNode& parent = context.schema ? *context.schema : schema_.ike();
  for (const auto& child : parent.children) {
    if (child.get() != parent.key) candidates.push_back(child->name);
  }
  std::string guess = did_you_mean(word.text, candidates);
  if (guess.empty()) guess = "; known here: " + one_of(candidates);
  error(context, word.line, joined(context.path, word.text), "is not known" + guess);
  skip_deeper(walk.line);
  return false;
}

void TextReader::set_leaf(const Context& context, const SchemaNode& leaf, const Word& word) {
  const auto value = to_value(leaf, word);
  if (!value) return error(context, word.line, joined(context.path, leaf.name), value.error().message);
  if (!fits_type(leaf, *value)) {
    const std::string what = leaf.hides() ? "the value" : quoted(word.text);
    const std::string guess = leaf.hides() ? "" : did_you_mean(word.text, leaf.enumeration);
    return error(context, word.line, joined(context.path, leaf.name), what + " is not allowed: expected " + leaf.allowed + guess);
  }
  if (!context.node) return;
  lyd_node* earlier = find_child(context.node, leaf, *value);
  if (earlier) {
    const std::string what = leaf.kind == Kind::Leaf ? "is already set" : "already has this value";
    return error(context, word.line, joined(context.path, leaf.name), what + " on line " + std::to_string(line_of(earlier)));
  }
  lyd_node* node = nullptr;
  // the value fits its type: only memory can be missing
  if (lyd_new_term(context.node, nullptr, leaf.yang->name, value->c_str(), 0, &node) != LY_SUCCESS) throw std::bad_alloc();
  set_line(node, word.line);
}

// the container, the leaf, or the leaf-list entry of that value; null: not there
lyd_node* TextReader::find_child(const lyd_node* parent, const SchemaNode& schema, const std::string& value) {
  const lyd_node* siblings = lyd_child(parent);
  if (!siblings) return nullptr;
  lyd_node* found = nullptr;
  const bool by_value = schema.kind == Kind::LeafList;
  lyd_find_sibling_val(siblings, schema.yang, by_value ? value.data() : nullptr, by_value ? value.size() : 0, &found);
  return found;
}

// the container below the context, made when it is not there yet; null when nothing is to be kept
lyd_node* TextReader::find_or_add_container(const Context& context, const SchemaNode& schema, unsigned line) {
  if (!context.node) return nullptr;
  if (lyd_node* found = find_child(context.node, schema, "")) return found;
  lyd_node* node = nullptr;
  if (lyd_new_inner(context.node, nullptr, schema.yang->name, 0, &node) != LY_SUCCESS) throw std::bad_alloc();
  set_line(node, line);
  return node;
}

// likewise a list entry; null also when there are too many
lyd_node* TextReader::find_or_add_entry(const Context& context, const SchemaNode& schema, const std::string& key, unsigned line) {
  if (!context.node) return nullptr;
  const auto [slot, is_new] = entries_.try_emplace(Slot{context.node, &schema, key}, nullptr);
  if (!is_new) return slot->second;
  if (++counts_[Slot{context.node, &schema, ""}] > schema.max_elements) {
    error(context, line, joined(context.path, schema.name), "at most " + std::to_string(schema.max_elements) + " entries are allowed");
    return nullptr;
  }
  if (lyd_new_list(context.node, nullptr, schema.yang->name, 0, &slot->second, key.c_str()) != LY_SUCCESS) throw std::bad_alloc();
  set_line(slot->second, line);
  return slot->second;
}

bool TextReader::fits_type(const SchemaNode& leaf, const std::string& value) const {
  const LY_ERR result = lyd_value_validate(schema_.context(), leaf.yang, value.data(), value.size(), nullptr, nullptr, nullptr);
  return result == LY_SUCCESS || result == LY_EINCOMPLETE;  // incomplete: a reference, looked up later
}

// A one-line container alone on its line is empty, as the guide prints it, unless what follows stands in it.
bool TextReader::stays_closed(const SchemaNode& container, const Line& line) const {
  if (!container.one_line) return false;
  const Line* next = lines_.peek();
  if (!next) return true;
  const Word& word = next->words.front();
  if (!word.is_quoted && word.text == kClose) return next->indent <= line.indent;
  return container.child(word.text) == nullptr;
}

// leaves out what is indented further than a line that was not understood
void TextReader::skip_deeper(const Line& line) {
  while (lines_.peek() && lines_.peek()->indent > line.indent) lines_.next();
}

}  // namespace

ReadResult read_text(const Schema& schema, std::string_view text, Findings& findings) { return TextReader(schema, text, findings).read(); }

}  // namespace svti::config
