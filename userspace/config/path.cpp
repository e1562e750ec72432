// SPDX-License-Identifier: Apache-2.0
#include "config/path.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "config/values.h"

namespace svti::config {

namespace {

using model::kMainVrf;

std::vector<std::string_view> keywords_of(const SchemaNode& schema) {
  std::vector<std::string_view> out;
  for (const auto& child : schema.children) {
    if (child.get() != schema.key) out.push_back(child->name);
  }
  return out;
}

}  // namespace

std::string unknown_keyword(const SchemaNode& schema, std::string_view where, std::string_view word) {
  const std::vector<std::string_view> known = keywords_of(schema);
  std::string guess = did_you_mean(word, known);
  if (guess.empty()) guess = "; known there: " + one_of(known);
  return quoted(word) + " is not known" + (where.empty() ? "" : " in '" + std::string(where) + "'") + guess;
}

std::string no_such_entry(const SchemaNode& list, const Node* parent, std::string_view key) {
  std::vector<std::string_view> known;
  if (parent) {
    for (const NodePtr& child : parent->children) {
      if (child->schema == &list) known.emplace_back(child->text);
    }
  }
  return "there is no " + std::string(list.name) + " " + quoted(key) + did_you_mean(key, known);
}

Result<std::vector<Word>> path_words(std::string_view path) {
  if (path.size() > kMaxPathSize) return config_error("a path of " + std::to_string(path.size()) + " octets is too long");
  Findings findings("");
  const auto checked = checked_text(path, findings);
  if (!checked) return config_error("in the path: " + std::move(findings).take().front().message);
  LineReader lines(*checked, findings);
  std::vector<Word> words;
  if (lines.peek()) words = lines.next().words;
  const bool goes_on = lines.peek() != nullptr;
  if (findings.failed()) return config_error("in the path: " + std::move(findings).take().front().message);
  if (goes_on) return config_error("a path is one line; a value with line ends is written in quotes");
  return words;
}

std::vector<Word> from_top(const Schema& schema, std::vector<Word> words) {
  const auto plain = [](std::string_view text) { return Word{std::string(text), 0, false}; };
  if (!words.empty() && !words.front().is_quoted && words.front().text == "/") {
    words.erase(words.begin());
    return words;
  }
  if (words.empty() || words.front().text == schema.vrf().name) return words;
  std::vector<Word> out{plain(schema.vrf().name), plain(kMainVrf)};
  const SchemaNode* in_vrf = schema.vrf().child(words.front().text);
  if (!in_vrf || in_vrf == schema.vrf().key) out.push_back(plain(schema.ike().name));
  std::move(words.begin(), words.end(), std::back_inserter(out));
  return out;
}

Result<Place> locate(const Schema& schema, const Node& root, std::string_view path) {
  auto parsed = path_words(path);
  if (!parsed) return fail(parsed.error());
  const std::vector<Word> words = from_top(schema, std::move(*parsed));
  Place at{&schema.root(), &root, nullptr, false};
  std::string where;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (at.schema->is_leaf()) return config_error(quoted(words[i].text) + " is left over behind '" + where + "'");
    const SchemaNode* child = at.schema->child(words[i].text);
    if (!child || child == at.schema->key) return config_error(unknown_keyword(*at.schema, where, words[i].text));
    where += (where.empty() ? "" : " ") + words[i].text;
    const bool by_key = child->kind == Kind::List || child->kind == Kind::LeafList;
    if (by_key && i + 1 == words.size()) return Place{child, nullptr, at.node, true};
    const Node* parent = at.node;
    if (!by_key) {
      at = {child, parent ? parent->child(child->name) : nullptr, parent, false};
      continue;
    }
    const Word& key = words[++i];
    auto value = to_value(schema, child->kind == Kind::List ? *child->key : *child, key);
    const Node* found = value && parent ? parent->entry(*child, *value) : nullptr;
    if (!found) return config_error(no_such_entry(*child, parent, key.text));
    where += " " + key.text;
    at = {child, found, parent, false};
  }
  return at;
}

}  // namespace svti::config
