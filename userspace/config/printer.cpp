// SPDX-License-Identifier: Apache-2.0
#include "config/printer.h"

#include <nlohmann/json.hpp>

#include "config/values.h"

namespace svti::config {

namespace {

// What a node holds, in the order of the schema: what is written, and between it the defaults.
// `emit` gets the child's schema, and its node or null for a default.
template <typename Emit>
void for_each_shown(const SchemaNode& schema, const Node* node, const PrintOptions& options, Emit emit) {
  std::size_t next = 0;
  for (const auto& child : schema.children) {
    if (child.get() == schema.key) continue;
    bool is_written = false;
    while (node && next < node->children.size() && node->children[next]->schema == child.get()) {
      emit(*child, node->children[next]);
      is_written = true;
      ++next;
    }
    if (is_written || !options.defaults) continue;
    if (child->default_value || (child->kind == Kind::Container && !child->presence)) emit(*child, NodePtr());
  }
}

// Without anything to show a container says nothing, unless its presence means something.
bool is_empty(const SchemaNode& schema, const Node* node, const PrintOptions& options) {
  if (schema.kind != Kind::Container || schema.presence) return false;
  bool out = true;
  for_each_shown(schema, node, options,
                 [&](const SchemaNode& child, const NodePtr& shown) { out = out && is_empty(child, shown.get(), options); });
  return out;
}

std::string_view value_of(const SchemaNode& leaf, const Node* node) { return node ? std::string_view(node->text) : *leaf.default_value; }

class TextPrinter {
 public:
  explicit TextPrinter(const PrintOptions& options) : options_(options) {}

  void print(const SchemaNode& schema, const Node* node, unsigned depth) {
    if (is_empty(schema, node, options_)) return;
    out_.append(4U * depth, ' ').append(schema.name);
    if (schema.is_leaf()) {
      add_value(schema, node);
      out_ += '\n';
      return;
    }
    if (schema.kind == Kind::List) out_.append(" ").append(as_word(node->text));
    if (schema.one_line) {
      print_on_line(schema, node);
      return;
    }
    out_ += '\n';
    print_children(schema, node, depth + 1);
    out_.append(4U * (depth + 1), ' ').append("..\n");
  }

  void print_children(const SchemaNode& schema, const Node* node, unsigned depth) {
    for_each_shown(schema, node, options_, [&](const SchemaNode& child, const NodePtr& shown) { print(child, shown.get(), depth); });
  }

  std::string take() && { return std::move(out_); }

 private:
  void add_value(const SchemaNode& schema, const Node* leaf) {
    out_ += ' ';
    if (schema.hides() && !options_.secrets) {
      out_ += kHiddenText;
    } else {
      out_ += to_text(schema, value_of(schema, leaf));
    }
  }

  void print_on_line(const SchemaNode& schema, const Node* container) {
    for_each_shown(schema, container, options_, [&](const SchemaNode& child, const NodePtr& shown) {
      out_.append(" ").append(child.name);
      add_value(child, shown.get());
    });
    out_ += '\n';
  }

  const PrintOptions& options_;
  std::string out_;
};

// Written as it goes: an object tree of a large configuration would be many times its text.
class JsonPrinter {
 public:
  explicit JsonPrinter(const PrintOptions& options) : options_(options) {}

  void print(const Place& place) {
    out_ += "{\n";
    depth_ = 1;
    const auto member = [&](const SchemaNode& schema) {
      indent();
      out_.append("\"svti:").append(schema.name).append("\": ");
    };
    if (!place.schema->parent) {
      if (place.node->children.empty()) {
        out_ = "{}\n";
        return;
      }
      member(*place.schema->children.front());
      list(place.node->children, *place.schema->children.front());
    } else if (place.whole_list) {
      member(*place.schema);
      if (place.parent) {
        list(place.parent->children, *place.schema);
      } else {
        out_ += "[]";
      }
    } else if (place.schema->kind == Kind::List || place.schema->kind == Kind::LeafList) {
      member(*place.schema);
      begin('[');
      separate();
      value(*place.schema, place.node);
      end(']');
    } else {
      member(*place.schema);
      value(*place.schema, place.node);
    }
    out_ += "\n}\n";
  }

  void value(const SchemaNode& schema, const Node* node) {
    if (schema.is_leaf()) {
      leaf(schema, value_of(schema, node));
      return;
    }
    begin('{');
    if (schema.kind == Kind::List) {
      separate();
      name(*schema.key);
      leaf(*schema.key, node->text);
    }
    const SchemaNode* open_list = nullptr;
    for_each_shown(schema, node, options_, [&](const SchemaNode& child, const NodePtr& shown) {
      if (is_empty(child, shown.get(), options_) || &child == open_list) return;
      separate();
      name(child);
      if (child.kind == Kind::List || child.kind == Kind::LeafList) {
        open_list = &child;  // all its entries at once
        list(node->children, child);
      } else {
        value(child, shown.get());
      }
    });
    end('}');
  }

  std::string take() && { return std::move(out_); }

 private:
  void indent() { out_.append(2U * depth_, ' '); }
  void begin(char bracket) {
    out_ += bracket;
    ++depth_;
    is_first_ = true;
  }
  void separate() {
    out_ += is_first_ ? "\n" : ",\n";
    is_first_ = false;
    indent();
  }
  void end(char bracket) {
    --depth_;
    if (!is_first_) {
      out_ += '\n';
      indent();
    }
    out_ += bracket;
    is_first_ = false;
  }

  void list(const std::vector<NodePtr>& siblings, const SchemaNode& schema) {
    begin('[');
    for (const NodePtr& one : siblings) {
      if (one->schema != &schema) continue;
      separate();
      value(schema, one.get());
    }
    end(']');
  }

  void name(const SchemaNode& schema) { out_.append("\"").append(schema.name).append("\": "); }

  void leaf(const SchemaNode& schema, std::string_view text) {
    if (schema.hides() && !options_.secrets) {
      string(kHiddenText);
    } else if (schema.json == JsonType::Boolean || (schema.json == JsonType::Number && text.find_first_not_of("0123456789") == text.npos)) {
      out_ += text;
    } else {
      string(text);
    }
  }

  void string(std::string_view text) {
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f; });
    if (plain) {
      out_.append("\"").append(text).append("\"");
    } else {
      out_ += nlohmann::json(text).dump();
    }
  }

  const PrintOptions& options_;
  std::string out_;
  unsigned depth_ = 0;
  bool is_first_ = true;
};

}  // namespace

std::string print_text(const Place& place, const PrintOptions& options) {
  TextPrinter printer(options);
  if (!place.schema->parent) {
    printer.print_children(*place.schema, place.node, 0);
  } else if (place.whole_list) {
    for (const NodePtr& child : place.parent ? place.parent->children : std::vector<NodePtr>{}) {
      if (child->schema == place.schema) printer.print(*place.schema, child.get(), 0);
    }
  } else {
    printer.print(*place.schema, place.node, 0);
  }
  return std::move(printer).take();
}

std::string print_json(const Place& place, const PrintOptions& options) {
  JsonPrinter printer(options);
  printer.print(place);
  return std::move(printer).take();
}

IkePrinter::IkePrinter(const SchemaNode& schema, const Node* ike, const Node* only, PrintOptions options, bool json)
    : options_(std::move(options)), json_(json) {
  if (ike && options_.resolved) folder_.emplace(*ike, options_.defaults);
  if (only == nullptr) {
    for_each_shown(schema, ike, options_, [&](const SchemaNode& child, const NodePtr& node) { children_.emplace_back(&child, node); });
    return;
  }
  for (const NodePtr& child : ike->children) {
    if (child.get() == only) children_.emplace_back(child->schema, child);
  }
}

std::optional<std::string> IkePrinter::next() {
  while (next_ < children_.size()) {
    const auto [schema, written] = std::exchange(children_[next_], {});
    ++next_;
    const TreePtr shown = written && folder_ ? folder_->shown(written) : written;
    if (written && !shown) continue;  // a template
    std::string piece = json_ ? json(*schema, shown.get()) : text(*schema, shown.get());
    if (!piece.empty()) return piece;
  }
  if (open_list_ == nullptr) return std::nullopt;
  open_list_ = nullptr;
  return "\n]";
}

std::string IkePrinter::text(const SchemaNode& schema, const Node* node) const {
  TextPrinter printer(options_);
  printer.print(schema, node, 1);
  return std::move(printer).take();
}

std::string IkePrinter::json(const SchemaNode& schema, const Node* node) {
  if (is_empty(schema, node, options_)) return {};
  std::string out;
  if (open_list_ != nullptr && open_list_ != &schema) {
    out += "\n]";
    open_list_ = nullptr;
  }
  if (!std::exchange(first_, false)) out += ",\n";
  const bool list = schema.kind == Kind::List || schema.kind == Kind::LeafList;
  if (open_list_ == nullptr) out.append("\"").append(schema.name).append(list ? "\": [\n" : "\": ");
  if (list) open_list_ = &schema;
  JsonPrinter printer(options_);
  printer.value(schema, node);
  return out + std::move(printer).take();
}

std::string print_value(const Node& leaf, bool secrets) {
  return leaf.schema->hides() && !secrets ? std::string(kHiddenText) : to_text(*leaf.schema, leaf.text);
}

}  // namespace svti::config
