// SPDX-License-Identifier: Apache-2.0
// A line is a path of containers and list entries from the open context, then pairs of leaf and value. Without a leaf at its end it opens
// the contexts it names; ".." closes the innermost. What a printed configuration leaves out at its head (`vrf main`, `ike`) and at its
// end (closing "..") may be left out. A line that begins with "/" is a command: a path from the top, whatever is open.
#include "config/reader.h"

#include <algorithm>
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
constexpr std::string_view kFromTop = "/";
using model::kMainVrf;

// One open context. `node` null: what stands in it is checked and not kept.
struct Context {
  const SchemaNode* schema = nullptr;
  Node* node = nullptr;
  std::string path;     // for findings
  unsigned indent = 0;  // of the line that opened it
};

// A list entry (or a value of a leaf-list, or a container) below its parent.
struct Slot {
  const Node* parent;
  const SchemaNode* schema;
  std::string_view key;  // borrowed from the node that is kept there

  bool operator==(const Slot&) const = default;
};
struct SlotHash {
  std::size_t operator()(const Slot& slot) const noexcept {
    return std::hash<const void*>{}(slot.parent) * 31 + std::hash<const void*>{}(slot.schema) * 17 +
           std::hash<std::string_view>{}(slot.key);
  }
};

std::string joined(std::string_view path, std::string_view step) {
  return path.empty() ? std::string(step) : std::string(path) + " " + std::string(step);
}

class TextReader {
 public:
  TextReader(const Schema& schema, std::string_view text, Findings& findings)
      : schema_(schema), findings_(findings), lines_(text, findings), root_(make_node(schema.root())) {
    contexts_.push_back({&schema.root(), root_.get(), "", 0});
  }

  ReadResult read() && {
    while (lines_.peek() && !findings_.full()) read_line(lines_.next());
    tidy(*root_);
    return {std::move(root_), std::move(damaged_)};
  }

 private:
  // What the walk over one line has come to.
  struct Walk {
    const Line& line;
    std::size_t at = 0;            // next word
    bool from_top = false;         // a command line: it neither begins in the open context nor opens one
    std::vector<Context> entered;  // contexts named on this line
    bool has_leaf = false;
  };

  void read_line(Line line);
  bool close(const Line& line);
  bool step(Walk& walk);
  void enter_container(Walk& walk, const Context& context, const SchemaNode& schema);
  void enter_entry(Walk& walk, const Context& context, const SchemaNode& schema);
  bool take_leaf(Walk& walk, const Context& context, const SchemaNode& schema);
  bool unknown(Walk& walk);
  void set_leaf(const Context& context, const SchemaNode& leaf, const Word& word);
  Context implied(std::string_view keyword, unsigned line);
  Node* find_or_add(const Context& context, const SchemaNode& schema, std::string key, unsigned line);
  bool stays_closed(const SchemaNode& container, const Line& line) const;
  void skip_deeper(const Line& line);
  void error(const Context& context, unsigned line, std::string path, std::string message);
  const SchemaNode* child_of(const SchemaNode& schema, std::string_view keyword) const;
  const Context& innermost(const Walk& walk) const {
    if (!walk.entered.empty()) return walk.entered.back();
    return walk.from_top ? contexts_.front() : contexts_.back();
  }

  const Schema& schema_;
  Findings& findings_;
  LineReader lines_;
  NodePtr root_;
  std::vector<Context> contexts_;
  std::unordered_map<Slot, Node*, SlotHash> known_;
  std::unordered_map<Slot, std::uint32_t, SlotHash> counts_;  // entries of a list; no key
  std::unordered_set<const Node*> damaged_;
};

void TextReader::error(const Context& context, unsigned line, std::string path, std::string message) {
  if (context.node) damaged_.insert(context.node);
  findings_.error(line, std::move(path), std::move(message));
}

// At the top, what stands in VRF main and in its `ike` may begin a line as well.
const SchemaNode* TextReader::child_of(const SchemaNode& schema, std::string_view keyword) const {
  if (&schema != &schema_.root()) return schema.child(keyword);
  for (const SchemaNode* parent : {&schema_.root(), &schema_.vrf(), &schema_.ike()}) {
    // "name" is the key of `vrf`, no keyword
    if (const SchemaNode* child = parent->child(keyword); child && child != parent->key) return child;
  }
  return nullptr;
}

// the context that the keyword of a line at the top stands in
Context TextReader::implied(std::string_view keyword, unsigned line) {
  const Context& top = contexts_.front();
  if (schema_.root().child(keyword)) return top;
  Context vrf{&schema_.vrf(), find_or_add(top, schema_.vrf(), std::string(kMainVrf), line), "", 0};
  if (schema_.vrf().child(keyword) && keyword != schema_.vrf().key->name) return vrf;
  return {&schema_.ike(), find_or_add(vrf, schema_.ike(), "", line), "", 0};
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
  const bool from_top = !line.words.front().is_quoted && line.words.front().text == kFromTop;
  Walk walk{line, from_top ? 1U : 0U, from_top, {}, false};
  if (from_top && line.words.size() == 1) {
    error(contexts_.back(), line.number, contexts_.back().path, "'/' begins a line with a path from the top: / vrf main ike vpn hq");
    return;
  }
  while (walk.at < line.words.size()) {
    if (!step(walk)) return;
  }
  if (walk.has_leaf || from_top) return;
  if (stays_closed(*walk.entered.back().schema, line)) return;
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
  const Context& innermost_context = innermost(walk);
  if (word.is_quoted) {
    error(innermost_context, word.line, innermost_context.path, "a keyword is expected, not a quoted value");
    return false;
  }
  const SchemaNode* schema = child_of(*innermost_context.schema, word.text);
  if (!schema || schema == innermost_context.schema->key) return unknown(walk);
  const bool at_top = innermost_context.schema == &schema_.root();
  const Context context = at_top ? implied(word.text, word.line) : innermost_context;
  if (schema->is_leaf()) return take_leaf(walk, context, *schema);
  if (walk.has_leaf) {
    error(context, word.line, joined(context.path, word.text), "begins a line of its own");
    return false;
  }
  if (schema->kind == Kind::List) {
    enter_entry(walk, context, *schema);
  } else {
    enter_container(walk, context, *schema);
  }
  return true;
}

void TextReader::enter_container(Walk& walk, const Context& context, const SchemaNode& schema) {
  Node* node = find_or_add(context, schema, "", walk.line.words[walk.at].line);
  walk.entered.push_back({&schema, node, step_path(context.path, schema, ""), walk.line.indent});
  ++walk.at;
}

void TextReader::enter_entry(Walk& walk, const Context& context, const SchemaNode& schema) {
  const Word& keyword = walk.line.words[walk.at];
  const std::string path = step_path(context.path, schema, "");
  if (walk.at + 1 >= walk.line.words.size()) {
    error(context, keyword.line, path, "needs a " + std::string(schema.key->name) + ": " + schema.key->allowed);
    walk.entered.push_back({&schema, nullptr, path, walk.line.indent});
    ++walk.at;
    return;
  }
  const Word& key = walk.line.words[walk.at + 1];
  auto value = to_value(schema_, *schema.key, key);
  Node* node = nullptr;
  std::string entry_path = step_path(context.path, schema, key.text);
  if (value) {
    node = find_or_add(context, schema, std::move(*value), keyword.line);
  } else {
    error(context, key.line, path, value.error().message);
  }
  walk.at += 2;
  walk.entered.push_back({&schema, node, std::move(entry_path), walk.line.indent});
}

bool TextReader::take_leaf(Walk& walk, const Context& context, const SchemaNode& schema) {
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
  if (walk.at == walk.line.words.size() || (may_go_on && child_of(*context.schema, walk.line.words[walk.at].text))) return true;
  error(context, walk.line.words[walk.at].line, joined(context.path, schema.name),
        "more than one word behind it: a value with blanks is written in quotes");
  return false;
}

// Says where the keyword would be right. When it is further out, a ".." was forgotten, and reading goes on there.
bool TextReader::unknown(Walk& walk) {
  const Context& context = innermost(walk);
  const Word& word = walk.line.words[walk.at];
  // The key of a list has a name and is no keyword: it is not what the word can have meant.
  const auto outer = std::find_if(contexts_.rbegin(), contexts_.rend(), [&](const Context& open) {
    const SchemaNode* child = child_of(*open.schema, word.text);
    return child != nullptr && child != open.schema->key;
  });
  if (walk.at == 0 && outer != contexts_.rend()) {
    const bool is_forgotten_close = walk.line.indent <= context.indent;
    const bool in_main_ike = outer->path.empty() && !schema_.root().child(word.text);
    const std::string home = in_main_ike ? "'ike'" : outer->path.empty() ? "the top" : "'" + outer->path + "'";
    error(
        context, word.line, joined(context.path, word.text),
        (home == "the top" ? "stands at " : "stands in ") + home + ", not here" + (is_forgotten_close ? ": a '..' is missing above" : ""));
    if (is_forgotten_close) {
      contexts_.erase(outer.base(), contexts_.end());
      return true;
    }
    skip_deeper(walk.line);
    return false;
  }
  std::vector<std::string_view> candidates;
  const bool at_top = context.schema == &schema_.root();
  for (const SchemaNode* parent : {context.schema, at_top ? &schema_.vrf() : nullptr, at_top ? &schema_.ike() : nullptr}) {
    if (!parent) continue;
    for (const auto& child : parent->children) {
      if (child.get() != parent->key) candidates.push_back(child->name);
    }
  }
  std::string guess = did_you_mean(word.text, candidates);
  if (guess.empty()) guess = "; known here: " + one_of(candidates);
  error(context, word.line, joined(context.path, word.text), "is not known" + guess);
  skip_deeper(walk.line);
  return false;
}

void TextReader::set_leaf(const Context& context, const SchemaNode& leaf, const Word& word) {
  auto value = to_value(schema_, leaf, word);
  if (!value) return error(context, word.line, joined(context.path, leaf.name), value.error().message);
  if (!context.node) return;
  if (leaf.kind == Kind::LeafList) {
    const auto earlier = known_.find(Slot{context.node, &leaf, *value});
    if (earlier == known_.end()) {
      find_or_add(context, leaf, std::move(*value), word.line);
      return;
    }
    return error(context, word.line, joined(context.path, leaf.name),
                 "already has this value on line " + std::to_string(earlier->second->line));
  }
  const auto& siblings = context.node->children;
  const auto earlier = std::find_if(siblings.begin(), siblings.end(), [&](const NodePtr& one) { return one->schema == &leaf; });
  if (earlier != siblings.end())
    return error(context, word.line, joined(context.path, leaf.name), "is already set on line " + std::to_string((*earlier)->line));
  context.node->children.push_back(make_node(leaf, std::move(*value), word.line));
}

// The container, list entry or leaf-list value below the context, made when it is not there yet; null when nothing is to be kept, or
// there are too many.
Node* TextReader::find_or_add(const Context& context, const SchemaNode& schema, std::string key, unsigned line) {
  if (!context.node) return nullptr;
  const auto found = known_.find(Slot{context.node, &schema, key});
  if (found != known_.end()) return found->second;
  if (schema.max_elements != UINT32_MAX && ++counts_[Slot{context.node, &schema, {}}] > schema.max_elements) {
    error(context, line, joined(context.path, schema.name), "at most " + std::to_string(schema.max_elements) + " entries are allowed");
    return nullptr;
  }
  NodePtr node = make_node(schema, std::move(key), line);
  Node* kept = node.get();
  context.node->children.push_back(std::move(node));
  known_.emplace(Slot{context.node, &schema, kept->text}, kept);
  return kept;
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
