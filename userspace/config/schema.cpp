// SPDX-License-Identifier: Apache-2.0
#include "config/schema.h"

#include <libyang/libyang.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "config/embedded.h"
#include "config/findings.h"

namespace svti::config {

namespace {

constexpr std::array<std::pair<std::string_view, Form>, 11> kForms = {{
    {"duration", Form::Duration},
    {"secret", Form::Secret},
    {"private", Form::Private},
    {"identity", Form::Identity},
    {"own-identity", Form::OwnIdentity},
    {"ip-address", Form::IpAddress},
    {"ip-prefix", Form::IpPrefix},
    {"ip-range", Form::IpRange},
    {"ipv4-interface", Form::Ipv4Interface},
    {"ipv6-interface", Form::Ipv6Interface},
    {"gateway", Form::Gateway},
}};

Form form_named(std::string_view name) {
  const auto found = std::find_if(kForms.begin(), kForms.end(), [&](const auto& entry) { return entry.first == name; });
  if (found == kForms.end()) throw std::logic_error("docs/yang: unknown form '" + std::string(name) + "'");
  return found->second;
}

LY_ERR give_module(const char* name, const char*, const char* submodule, const char*, void*, LYS_INFORMAT* format, const char** text,
                   void (**free_text)(void*, void*)) {
  const std::string_view wanted = submodule ? submodule : name;
  for (const EmbeddedModule& module : embedded_modules()) {
    if (module.name != wanted) continue;
    *format = LYS_IN_YANG;
    *text = module.text;
    *free_text = nullptr;
    return LY_SUCCESS;
  }
  return LY_ENOTFOUND;
}

// fraction-digits 3: 60000 is 60.0
std::string decimal_text(std::int64_t value, unsigned fraction_digits) {
  std::string digits = std::to_string(value);
  if (digits.size() <= fraction_digits) digits.insert(0, fraction_digits + 1 - digits.size(), '0');
  digits.insert(digits.size() - fraction_digits, 1, '.');
  while (digits.ends_with('0') && !digits.ends_with(".0")) digits.pop_back();
  return digits;
}

std::string bounds(std::string_view low, std::string_view high) { return std::string(low) + ".." + std::string(high); }

std::string range_of(const lysc_range* range, bool is_signed, unsigned fraction_digits, std::string unlimited) {
  if (!range) return unlimited;
  std::string out;
  LY_ARRAY_COUNT_TYPE i = 0;
  LY_ARRAY_FOR(range->parts, i) {
    const auto& part = range->parts[i];
    if (i > 0) out += " or ";
    if (fraction_digits > 0) {
      out += bounds(decimal_text(part.min_64, fraction_digits), decimal_text(part.max_64, fraction_digits));
    } else if (is_signed) {
      out += bounds(std::to_string(part.min_64), std::to_string(part.max_64));
    } else {
      out += bounds(std::to_string(part.min_u64), std::to_string(part.max_u64));
    }
  }
  return out;
}

std::string string_text(const lysc_type_str& type) {
  // the last pattern is that of the most derived type: it says most
  for (LY_ARRAY_COUNT_TYPE i = LY_ARRAY_COUNT(type.patterns); i > 0; --i) {
    if (type.patterns[i - 1]->emsg) return type.patterns[i - 1]->emsg;
  }
  return type.length ? "text of " + range_of(type.length, false, 0, "") + " octets" : "text";
}

// what a value of the type should be, and the words of its enumerations, deprecated ones too
std::string describe(const lysc_type* type, SchemaNode& node) {
  switch (type->basetype) {
    case LY_TYPE_ENUM: {
      const auto* enumeration = reinterpret_cast<const lysc_type_enum*>(type);
      std::vector<std::string_view> own;
      LY_ARRAY_COUNT_TYPE i = 0;
      LY_ARRAY_FOR(enumeration->enums, i) {
        const lysc_type_bitenum_item& word = enumeration->enums[i];
        node.enumeration.emplace_back(word.name);
        const bool deprecated = (word.flags & LYS_STATUS_MASK) == LYS_STATUS_DEPRC;
        (deprecated ? node.deprecated : own).emplace_back(word.name);
      }
      return one_of(own);
    }
    case LY_TYPE_BOOL:
      node.enumeration.insert(node.enumeration.end(), {"true", "false"});
      return "true or false";
    case LY_TYPE_UINT8:
      return range_of(reinterpret_cast<const lysc_type_num*>(type)->range, false, 0, "0..255");
    case LY_TYPE_UINT16:
      return range_of(reinterpret_cast<const lysc_type_num*>(type)->range, false, 0, "0..65535");
    case LY_TYPE_UINT32:
      return range_of(reinterpret_cast<const lysc_type_num*>(type)->range, false, 0, "0..4294967295");
    case LY_TYPE_UINT64:
      return range_of(reinterpret_cast<const lysc_type_num*>(type)->range, false, 0, "0..18446744073709551615");
    case LY_TYPE_DEC64: {
      const auto* decimal = reinterpret_cast<const lysc_type_dec*>(type);
      return range_of(decimal->range, true, decimal->fraction_digits, "a number") + " with at most " +
             std::to_string(decimal->fraction_digits) + " decimals";
    }
    case LY_TYPE_STRING:
      return string_text(*reinterpret_cast<const lysc_type_str*>(type));
    case LY_TYPE_LEAFREF:
      return describe(reinterpret_cast<const lysc_type_leafref*>(type)->realtype, node);
    case LY_TYPE_UNION: {
      const auto* alternatives = reinterpret_cast<const lysc_type_union*>(type);
      std::string out;
      LY_ARRAY_COUNT_TYPE i = 0;
      LY_ARRAY_FOR(alternatives->types, i) { out += (i > 0 ? " or " : "") + describe(alternatives->types[i], node); }
      return out;
    }
    default:
      throw std::logic_error("docs/yang: a type that the text form does not know");
  }
}

const lysc_type* type_of(const lysc_node* node) {
  return node->nodetype == LYS_LEAF ? reinterpret_cast<const lysc_node_leaf*>(node)->type
                                    : reinterpret_cast<const lysc_node_leaflist*>(node)->type;
}

const char* units_of(const lysc_node* node) {
  return node->nodetype == LYS_LEAF ? reinterpret_cast<const lysc_node_leaf*>(node)->units
                                    : reinterpret_cast<const lysc_node_leaflist*>(node)->units;
}

std::string allowed_by(Form form, std::string described) {
  switch (form) {
    case Form::Duration:
      return "seconds, or a number with s, m, h or d: 90s, 5m, 4h, 1d";
    case Form::Secret:
      return "\"text\" in quotes, 0x and hexadecimal digits, 0s and base64, or one word";
    case Form::Identity:
      return "an address, a domain name, user@domain, @#hex, *.domain, *@domain or %any";
    case Form::OwnIdentity:
      return "an address, a domain name, user@domain or @#hex";
    case Form::IpAddress:
      return "an IPv4 or IPv6 address";
    case Form::IpPrefix:
      return "an IPv4 or IPv6 prefix such as 10.0.0.0/24";
    case Form::IpRange:
      return "an address, a prefix, or FIRST-LAST";
    case Form::Ipv4Interface:
      return "an IPv4 address with its prefix length, such as 10.0.0.1/24";
    case Form::Ipv6Interface:
      return "an IPv6 address with its prefix length, such as fd00::1/64";
    case Form::Gateway:
      return "an address, or a host name";
    case Form::Plain:
    case Form::Private:
      break;
  }
  return described;
}

void annotate(SchemaNode& node) {
  LY_ARRAY_COUNT_TYPE i = 0;
  LY_ARRAY_FOR(node.yang->exts, i) {
    const std::string_view name = node.yang->exts[i].def->name;
    const char* argument = node.yang->exts[i].argument;
    if (name == "form") node.form = form_named(argument);
    if (name == "one-line") node.one_line = true;
    if (name == "restart") node.restart = true;
    if (name == "no-effect-yet") node.no_effect_yet = argument;
  }
}

JsonType json_type(const lysc_type* type) {
  switch (type->basetype) {
    case LY_TYPE_BOOL:
      return JsonType::Boolean;
    case LY_TYPE_UINT8:
    case LY_TYPE_UINT16:
    case LY_TYPE_UINT32:
      return JsonType::Number;
    case LY_TYPE_UNION: {
      // a number or a word: what is written tells which
      const auto* alternatives = reinterpret_cast<const lysc_type_union*>(type);
      LY_ARRAY_COUNT_TYPE i = 0;
      LY_ARRAY_FOR(alternatives->types, i) {
        if (json_type(alternatives->types[i]) == JsonType::Number) return JsonType::Number;
      }
      return JsonType::String;
    }
    default:
      return JsonType::String;
  }
}

std::string first_sentence(const char* text) {
  if (!text) return "";
  std::string out;
  for (const char* at = text; *at; ++at) {
    const bool blank = *at == ' ' || *at == '\n';
    if (blank && out.ends_with(' ')) continue;
    out.push_back(blank ? ' ' : *at);
    if (out.ends_with(". ")) break;
  }
  while (out.ends_with(' ') || out.ends_with('.')) out.pop_back();
  return out;
}

void fill_leaf(SchemaNode& node) {
  const lysc_type* type = type_of(node.yang);
  node.allowed = allowed_by(node.form, describe(type, node));
  const char* units = units_of(node.yang);
  node.in_seconds = units && std::string_view(units) == "seconds" && type->basetype != LY_TYPE_DEC64;
  node.json = json_type(type);
  if (node.kind == Kind::LeafList) {
    const auto* list = reinterpret_cast<const lysc_node_leaflist*>(node.yang);
    node.min_elements = list->min;
    node.max_elements = list->max;
  } else {
    const auto* leaf = reinterpret_cast<const lysc_node_leaf*>(node.yang);
    if (leaf->dflt) node.default_value = lyd_value_get_canonical(leaf->module->ctx, leaf->dflt);
    node.mandatory = (node.yang->flags & LYS_MAND_TRUE) != 0 && (node.yang->flags & LYS_KEY) == 0;
  }
}

Kind kind_of(const lysc_node* yang) {
  switch (yang->nodetype) {
    case LYS_CONTAINER:
      return Kind::Container;
    case LYS_LIST:
      return Kind::List;
    case LYS_LEAF:
      return Kind::Leaf;
    case LYS_LEAFLIST:
      return Kind::LeafList;
    default:
      throw std::logic_error("docs/yang: a kind of node that the text form does not know");
  }
}

std::unique_ptr<SchemaNode> make_node(const lysc_node* yang, const SchemaNode* parent) {
  auto node = std::make_unique<SchemaNode>();
  node->yang = yang;
  node->order = parent->children.size();
  node->parent = parent;
  node->name = yang->name;
  node->kind = kind_of(yang);
  node->description = first_sentence(yang->dsc);
  node->has_musts = lysc_node_musts(yang) != nullptr;
  annotate(*node);
  // libyang leaves `priv` to its user; from here on the schema is read only
  const_cast<lysc_node*>(yang)->priv = node.get();
  if (node->is_leaf()) {
    fill_leaf(*node);
    return node;
  }
  if (node->kind == Kind::Container) node->presence = lysc_is_np_cont(yang) == 0;
  if (node->kind == Kind::List) {
    const auto* list = reinterpret_cast<const lysc_node_list*>(yang);
    node->min_elements = list->min;
    node->max_elements = list->max;
  }
  const lysc_node* child = nullptr;
  while ((child = lys_getnext(child, yang, nullptr, 0))) {
    if ((child->flags & LYS_CONFIG_R) != 0) continue;  // state is nobody's to set
    node->children.push_back(make_node(child, node.get()));
    const SchemaNode* made = node->children.back().get();
    node->by_name.emplace(made->name, made);
    if (node->kind == Kind::List && (child->flags & LYS_KEY) != 0) node->key = made;
  }
  return node;
}

// The list that a leafref's path names an entry of. Ours all have the form "../../pool/name": steps up, then a list and its key.
SchemaNode* list_at(const SchemaNode& leaf, std::string_view path) {
  constexpr std::string_view kUp = "../";
  const SchemaNode* at = &leaf;
  for (; at && path.starts_with(kUp); path.remove_prefix(kUp.size())) at = at->parent;
  const std::size_t slash = path.find('/');
  const SchemaNode* list = at ? at->child(path.substr(0, slash)) : nullptr;
  const bool is_key = list && list->key && slash != std::string_view::npos && path.substr(slash + 1) == list->key->name;
  if (!is_key) throw std::logic_error("docs/yang: " + std::string(leaf.name) + " refers to nothing that is known");
  return static_cast<SchemaNode*>(list->yang->priv);
}

// once all nodes are made: which list does each leafref point into?
void bind_references(SchemaNode& node) {
  if (node.is_leaf() && type_of(node.yang)->basetype == LY_TYPE_LEAFREF) {
    SchemaNode* list = list_at(node, lyxp_get_expr(reinterpret_cast<const lysc_type_leafref*>(type_of(node.yang))->path));
    list->is_referred_to = true;
    node.reference = list;
  }
  for (const auto& child : node.children) bind_references(*child);
}

}  // namespace

const SchemaNode* SchemaNode::child(std::string_view keyword) const {
  const auto found = by_name.find(keyword);
  return found == by_name.end() ? nullptr : found->second;
}

std::shared_ptr<const Schema> Schema::instance() {
  static const std::shared_ptr<const Schema> only(new Schema);
  return only;
}

Schema::Schema() {
  // libyang's findings are told in our own words; none of its lines goes to standard error
  ly_log_options(LY_LOSTORE_LAST);
  if (ly_ctx_new(nullptr, LY_CTX_NO_YANGLIBRARY | LY_CTX_DISABLE_SEARCHDIRS | LY_CTX_DISABLE_SEARCHDIR_CWD, &context_) != LY_SUCCESS)
    throw std::bad_alloc();
  ly_ctx_set_module_imp_clb(context_, give_module, nullptr);
  const lys_module* module = ly_ctx_load_module(context_, "svti", nullptr, nullptr);
  if (!module || !module->compiled || !module->compiled->data) {
    const ly_err_item* error = ly_err_last(context_);
    const std::string why = error && error->msg ? error->msg : "unknown error";
    ly_ctx_destroy(context_);
    throw std::logic_error("docs/yang: " + why);
  }
  root_ = std::make_unique<SchemaNode>();
  root_->kind = Kind::Container;
  root_->children.push_back(make_node(module->compiled->data, root_.get()));
  root_->by_name.emplace(vrf().name, &vrf());
  bind_references(*root_);
}

Schema::~Schema() { ly_ctx_destroy(context_); }

}  // namespace svti::config
