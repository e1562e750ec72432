// SPDX-License-Identifier: Apache-2.0
#include "config/printer.h"

#include <libyang/libyang.h>

#include <nlohmann/json.hpp>

#include "config/values.h"

namespace svti::config {

namespace {

using nlohmann::ordered_json;

bool shows(const lyd_node* node, const PrintOptions& options) { return options.defaults || !is_default(node); }

// Without defaults an empty container says nothing, unless its presence means something.
bool is_empty(const lyd_node* container, const PrintOptions& options) {
  if (lysc_is_np_cont(container->schema) == 0) return false;
  for (const lyd_node* child : Children(container)) {
    if (!shows(child, options)) continue;
    if (schema_of(child).kind != Kind::Container || !is_empty(child, options)) return false;
  }
  return true;
}

class TextPrinter {
 public:
  explicit TextPrinter(const PrintOptions& options) : options_(options) {}

  void print(const lyd_node* node, unsigned depth) {
    if (!shows(node, options_)) return;
    const SchemaNode& schema = schema_of(node);
    if (schema.kind == Kind::Container && is_empty(node, options_)) return;
    out_.append(4U * depth, ' ').append(schema.name);
    if (schema.is_leaf()) {
      print_value(node, schema);
      out_ += "\n";
      return;
    }
    if (schema.kind == Kind::List) out_ += " " + as_word(key_of(node));
    if (schema.one_line) {
      print_on_line(node);
      return;
    }
    out_ += "\n";
    for (const lyd_node* child : Children(node)) print(child, depth + 1);
    out_.append(4U * (depth + 1), ' ').append("..\n");
  }

  std::string take() && { return std::move(out_); }

 private:
  void print_value(const lyd_node* leaf, const SchemaNode& schema) {
    out_ += " ";
    out_ += schema.hides() && !options_.secrets ? std::string(kHiddenText) : to_text(schema, value_of(leaf));
  }

  void print_on_line(const lyd_node* container) {
    for (const lyd_node* child : Children(container)) {
      if (!shows(child, options_)) continue;
      out_.append(" ").append(schema_of(child).name);
      print_value(child, schema_of(child));
    }
    out_ += "\n";
  }

  const PrintOptions& options_;
  std::string out_;
};

// RFC 7951 6: 64-bit numbers and decimals are strings
ordered_json json_value(const lyd_node* leaf) {
  const lyd_value* value = &reinterpret_cast<const lyd_node_term*>(leaf)->value;
  if (value->realtype->basetype == LY_TYPE_UNION) value = &value->subvalue->value;
  switch (value->realtype->basetype) {
    case LY_TYPE_BOOL:
      return value->boolean != 0;
    case LY_TYPE_UINT8:
      return value->uint8;
    case LY_TYPE_UINT16:
      return value->uint16;
    case LY_TYPE_UINT32:
      return value->uint32;
    default:
      return value_of(leaf);
  }
}

class JsonPrinter {
 public:
  explicit JsonPrinter(const PrintOptions& options) : options_(options) {}

  ordered_json object(const lyd_node* parent) const {
    ordered_json out = ordered_json::object();
    const SchemaNode& schema = schema_of(parent);
    if (schema.kind == Kind::List) out[std::string(schema.key->name)] = json_value(lyd_child(parent));
    for (const lyd_node* child : Children(parent)) add(out, child);
    return out;
  }

 private:
  void add(ordered_json& out, const lyd_node* node) const {
    if (!shows(node, options_)) return;
    const SchemaNode& schema = schema_of(node);
    const std::string name(schema.name);
    switch (schema.kind) {
      case Kind::Container:
        if (!is_empty(node, options_)) out[name] = object(node);
        break;
      case Kind::List:
        out[name].push_back(object(node));
        break;
      case Kind::Leaf:
        out[name] = leaf(node, schema);
        break;
      case Kind::LeafList:
        out[name].push_back(leaf(node, schema));
        break;
    }
  }

  ordered_json leaf(const lyd_node* node, const SchemaNode& schema) const {
    if (schema.hides() && !options_.secrets) return kHiddenText;
    return json_value(node);
  }

  const PrintOptions& options_;
};

}  // namespace

std::string print_text(const lyd_node* ike, const PrintOptions& options) {
  TextPrinter printer(options);
  printer.print(ike, 0);
  return std::move(printer).take();
}

std::string print_json(const lyd_node* ike, const PrintOptions& options) {
  return ordered_json({{"svti-ike:ike", JsonPrinter(options).object(ike)}}).dump(2) + "\n";
}

}  // namespace svti::config
