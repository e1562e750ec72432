// SPDX-License-Identifier: Apache-2.0
// Data tree to native text form, and to JSON (RFC 7951).
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/document.h"
#include "config/fold.h"
#include "config/path.h"

namespace svti::config {

inline constexpr std::string_view kHiddenText = "<hidden>";

std::string print_text(const Place& place, const PrintOptions& options);
std::string print_json(const Place& place, const PrintOptions& options);
// What one VRF's `ike`, or one entry of a list in it, holds as pieces: see Document::ike_pieces().
class IkePrinter {
 public:
  // `ike`, and where only one entry is wanted `only`; they must outlive it
  IkePrinter(const SchemaNode& schema, const Node* ike, const Node* only, PrintOptions options, bool json);
  std::optional<std::string> next();  // never empty

 private:
  std::string text(const SchemaNode& schema, const Node* node) const;
  std::string json(const SchemaNode& schema, const Node* node);

  PrintOptions options_;
  bool json_;
  std::optional<Folder> folder_;
  // null: the default
  std::vector<std::pair<const SchemaNode*, NodePtr>> children_;
  std::size_t next_ = 0;
  const SchemaNode* open_list_ = nullptr;
  bool first_ = true;
};

// one value as the text form has it, hidden when it has to be
std::string print_value(const Node& leaf, bool secrets);

}  // namespace svti::config
