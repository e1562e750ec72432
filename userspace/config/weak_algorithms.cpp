// SPDX-License-Identifier: Apache-2.0
#include "config/weak_algorithms.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "config/schema.h"
#include "model/algorithm.h"

namespace svti::config {

namespace {

void collect(const SchemaNode& node, std::set<std::string_view>& out) {
  out.insert(node.deprecated.begin(), node.deprecated.end());
  for (const auto& child : node.children) collect(*child, out);
}

// A word means the same in whichever leaf it stands.
std::set<std::string_view> deprecated_words(const Schema& schema) {
  std::set<std::string_view> out;
  collect(schema.root(), out);
  return out;
}

}  // namespace

std::vector<std::string> weak_algorithms(std::span<const wire::Proposal> proposals) {
  static const auto kSchema = Schema::instance();
  static const std::set<std::string_view> kWeak = deprecated_words(*kSchema);
  std::vector<std::string> out;
  for (const wire::Proposal& proposal : proposals) {
    for (wire::Transform transform : proposal.transforms) {
      if (wire::is_additional_ke(transform.type)) transform.type = wire::TransformType::KeyExchange;  // a group is as weak there
      std::string name = model::name_of(transform);
      if (kWeak.contains(name) && std::find(out.begin(), out.end(), name) == out.end()) out.push_back(std::move(name));
    }
  }
  return out;
}

}  // namespace svti::config
