// SPDX-License-Identifier: Apache-2.0
#include "ikectl/place.h"

#include "config/findings.h"
#include "config/text.h"

namespace svti::ikectl {

namespace {

using config::Kind;
using config::SchemaNode;

std::string did_you_mean(const SchemaNode& node, std::string_view word) {
  std::vector<std::string_view> names;
  for (const auto& child : node.children) names.push_back(child->name);
  return config::did_you_mean(word, names);
}

}  // namespace

const SchemaNode& Place::node() const {
  static const auto kSchema = config::Schema::instance();  // places point into it
  return contexts.empty() ? kSchema->root() : *contexts.back().node;
}

std::string Place::path() const {
  std::string out;
  for (const Step& step : contexts) {
    out += (out.empty() ? "" : " ") + std::string(step.node->name);
    if (step.node->kind == Kind::List) out += " " + config::as_word(step.key);
  }
  return out;
}

std::string Place::label() const {
  if (contexts.empty()) return {};
  const Step& last = contexts.back();
  return std::string(last.node->name) + (last.node->kind == Kind::List ? " " + last.key : "");
}

Result<Place> follow(const Place& start, std::span<const std::string> words) {
  Place place{start.contexts, {}};
  for (std::size_t at = 0; at < words.size();) {
    const SchemaNode& here = place.node();
    const SchemaNode* next = here.child(words[at]);
    if (next == nullptr) {
      const std::string where = place.contexts.empty() ? "at the top" : "in " + place.label();
      return config_error("there is no " + config::quoted(words[at]) + " " + where + did_you_mean(here, words[at]));
    }
    ++at;
    if (next->is_leaf()) {
      Place::Leaf leaf{next, {}};
      // Where a container stands on one line the next word may be the next leaf; elsewhere all that follows is the value.
      if (at < words.size()) leaf.values.push_back(words[at++]);
      while (!here.one_line && at < words.size()) leaf.values.push_back(words[at++]);
      place.leaves.push_back(std::move(leaf));
      continue;
    }
    if (!place.leaves.empty()) return config_error(config::quoted(next->name) + " begins a line of its own");
    Place::Step step{next, {}};
    if (next->kind == Kind::List) {
      if (at == words.size()) return config_error(std::string(next->name) + " needs a name");
      step.key = words[at++];
    }
    place.contexts.push_back(std::move(step));
  }
  return place;
}

}  // namespace svti::ikectl
