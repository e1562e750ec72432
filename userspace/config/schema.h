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

namespace svti::config {

enum class Kind : std::uint8_t { Container, List, Leaf, LeafList };

// how a leaf is written and checked beyond its YANG type: the annotation `form` of svti-types.yang
enum class Form : std::uint8_t {
  Plain,
  Duration,
  Secret,
  Private,
  Identity,
  OwnIdentity,
  IpAddress,
  IpPrefix,
  IpRange,
  Ipv4Interface,
  Ipv6Interface,
  Gateway
};

// what a value is in JSON (RFC 7951 6): 64-bit numbers and decimals are strings
enum class JsonType : std::uint8_t { String, Number, Boolean };

struct SchemaNode {
  const lysc_node* yang = nullptr;
  const SchemaNode* parent = nullptr;  // null for the root
  std::string_view name;               // empty for the root
  std::size_t order = 0;               // among the children of its parent
  Kind kind{};
  Form form = Form::Plain;
  JsonType json = JsonType::String;
  bool in_seconds = false;  // a duration with a unit can be written
  bool one_line = false;
  bool presence = false;  // of a container: that it is there means something
  bool restart = false;   // a change takes effect with a restart
  bool mandatory = false;
  bool has_musts = false;
  std::uint32_t min_elements = 0;
  std::uint32_t max_elements = UINT32_MAX;
  std::optional<std::string> no_effect_yet;   // the value that asks for nothing
  std::string allowed;                        // of a leaf: "0..4096", "one of a, b or c"
  std::vector<std::string_view> enumeration;  // of a leaf: its words, for "did you mean"
  std::vector<std::string_view> deprecated;   // those of them that are warned of
  std::string description;                    // the first sentence of the schema's
  std::optional<std::string> default_value;   // of a leaf, canonical
  const SchemaNode* key = nullptr;            // of a list: the leaf that names an entry
  const SchemaNode* reference = nullptr;      // of a leaf: the list that it names an entry of
  bool is_referred_to = false;                // a list that some leaf names an entry of
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
  const SchemaNode& root() const { return *root_; }                   // holds nothing but `vrf`
  const SchemaNode& vrf() const { return *root_->children.front(); }  // the list
  const SchemaNode& ike() const { return *vrf().child("ike"); }       // of every VRF
  const SchemaNode& interface() const { return *vrf().child("interface"); }

 private:
  Schema();

  ly_ctx* context_ = nullptr;
  std::unique_ptr<SchemaNode> root_;
};

}  // namespace svti::config
