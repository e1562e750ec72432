// SPDX-License-Identifier: Apache-2.0
// A configuration as the user wrote it: the guide's native text form over the YANG schema (docs/yang), and what it resolves to.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "model/config.h"

namespace svti::config {

// One finding about a configuration text. Shown as "FILE:LINE: LEAF: MESSAGE".
struct Diagnostic {
  bool warning = false;
  std::string file;
  unsigned line = 0;    // from 1; 0 when it is about the whole
  std::string leaf;     // path from `ike`, "vpn siteA-siteB local-address"
  std::string message;  // what is wrong, what is allowed, how to mend it

  std::string to_string() const;
};
using Diagnostics = std::vector<Diagnostic>;

struct PrintOptions {
  bool defaults = true;
  bool secrets = true;  // false: secret values print as "<hidden>"
};

// One command that changes a configuration.
struct Edit {
  bool remove = false;
  std::string path;  // "vpn hq ike-policy mobike true"; to remove: a leaf, a value of a leaf-list, or a whole context
};

// One difference between two documents: a leaf, or a list entry (or context whose presence means something) that came or went as a whole.
struct Change {
  enum class Kind : std::uint8_t { Added, Removed, Changed };
  Kind kind{};
  std::string path;           // from the top: "vrf main ike vpn hq version"
  std::string before, after;  // values of a leaf in the text form; secret ones as "<hidden>". Both empty: the whole entry
  bool secret = false;
  bool restart = false;  // takes effect when the daemon starts again
};

// A parsed and validated configuration tree. Immutable; cheap to move; not to be shared between threads.
class Document {
 public:
  // an empty configuration, all defaults
  Document();
  // Whole or not at all: any error means no document. Warnings (a leaf without effect yet) are in warnings().
  static tl::expected<Document, Diagnostics> parse(std::string_view text, std::string_view file_name);
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  const Diagnostics& warnings() const;
  // native text form; parse(print(d)) gives the same tree
  std::string print(const PrintOptions& options) const;
  std::string to_json(const PrintOptions& options) const;
  // templates folded into VPNs, defaults filled in
  model::ConfigurationPtr resolved() const;

 private:
  struct Impl;
  explicit Document(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace svti::config
