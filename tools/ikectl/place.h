// SPDX-License-Identifier: Apache-2.0
// A place in the configuration tree, and how a line of words leads from one to another.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/schema.h"

namespace svti::ikectl {

// A context, or a leaf in it with the values that follow its name.
struct Place {
  struct Step {
    const config::SchemaNode* node = nullptr;
    std::string key;  // of a list entry
  };
  struct Leaf {
    const config::SchemaNode* node = nullptr;
    std::vector<std::string> values;
  };
  std::vector<Step> contexts;  // from the top; none: the top itself
  std::vector<Leaf> leaves;    // several where a container stands on one line: "sp-hash-ipv4 local 16 remote 24"

  const config::SchemaNode& node() const;  // the innermost context's
  std::string path() const;                // of the context, as words: "vrf main ike vpn hq"; empty for the top
  std::string label() const;               // "vpn hq", "ike"; empty for the top
};

// Follows `words` from `start`, which must have no leaves. The error names the word that leads nowhere, and the near ones.
Result<Place> follow(const Place& start, std::span<const std::string> words);

}  // namespace svti::ikectl
