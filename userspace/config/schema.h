// SPDX-License-Identifier: Apache-2.0
// The YANG schema (docs/yang) as the text form needs it: keywords, kinds, what a value may be. Made once, never changed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

struct ly_ctx;
struct lysc_node;
struct lyd_node;

namespace svti::config {

enum class Kind : std::uint8_t { Container, List, Leaf, LeafList };

// how a leaf is written and checked beyond its YANG type: the annotation `form` of svti-types.yang
enum class Form : std::uint8_t { Plain, Duration, Secret, Private, Identity, OwnIdentity, IpAddress, IpPrefix, IpRange };

struct SchemaNode {
  const lysc_node* yang = nullptr;
  const SchemaNode* parent = nullptr;  // null for `ike`
  std::string_view name;
  Kind kind{};
  Form form = Form::Plain;
  bool in_seconds = false;  // a duration with a unit can be written
  bool one_line = false;
  bool mandatory = false;
  std::uint32_t min_elements = 0;
  std::uint32_t max_elements = UINT32_MAX;
  std::optional<std::string> no_effect_yet;   // the value that asks for nothing
  std::string allowed;                        // of a leaf: "0..4096", "one of a, b or c"
  std::vector<std::string_view> enumeration;  // of a leaf: its words, for "did you mean"
  const SchemaNode* key = nullptr;            // of a list: the leaf that names an entry
  std::string reference;                      // of a leafref: "/ike/pool/name"
  std::vector<std::unique_ptr<SchemaNode>> children;
  std::unordered_map<std::string_view, const SchemaNode*> by_name;

  bool is_leaf() const { return kind == Kind::Leaf || kind == Kind::LeafList; }
  bool hides() const { return form == Form::Secret || form == Form::Private; }
  const SchemaNode* child(std::string_view keyword) const;  // null: none
};

class Schema {
 public:
  // The one schema. It lives as long as anybody holds it. That our own modules do not compile is a bug: std::logic_error.
  static std::shared_ptr<const Schema> instance();
  ~Schema();
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;

  ly_ctx* context() const { return context_; }
  const SchemaNode& ike() const { return *ike_; }

 private:
  Schema();

  ly_ctx* context_ = nullptr;
  std::unique_ptr<SchemaNode> ike_;
};

// the schema node of a data node
const SchemaNode& schema_of(const lyd_node* node);

}  // namespace svti::config
