// SPDX-License-Identifier: Apache-2.0
#include "vici/message.h"

#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "base/log.h"

namespace svti::vici {

namespace {

enum class Element : std::uint8_t { SectionStart = 1, SectionEnd = 2, KeyValue = 3, ListStart = 4, ListItem = 5, ListEnd = 6 };

bool valid_name(std::string_view name) {
  return std::none_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

Result<std::string_view> read_name(Reader& in) {
  const Result<std::uint8_t> size = in.u8();
  if (!size) return fail(size.error());
  const Result<ByteView> octets = in.take(*size);
  if (!octets) return fail(octets.error());
  const std::string_view name = as_text(*octets);
  if (!valid_name(name)) return peer_error("control octet in the name \"" + printable(name) + "\"");
  return name;
}

Result<std::string_view> read_value(Reader& in) {
  const Result<std::uint16_t> size = in.u16();
  if (!size) return fail(size.error());
  const Result<ByteView> octets = in.take(*size);
  if (!octets) return fail(octets.error());
  return as_text(*octets);
}

Result<List> read_items(Reader& in) {
  List items;
  while (true) {
    const Result<std::uint8_t> element = in.u8();
    if (!element) return fail(element.error());
    if (static_cast<Element>(*element) == Element::ListEnd) return items;
    if (static_cast<Element>(*element) != Element::ListItem) return peer_error("element " + std::to_string(*element) + " within a list");
    const Result<std::string_view> item = read_value(in);
    if (!item) return fail(item.error());
    items.emplace_back(*item);
  }
}

// Reads up to the section's end, or at depth 0 to the end of the data.
Status read_section(Reader& in, std::size_t depth, Section& out) {
  std::unordered_set<std::string_view> names;
  const auto duplicate = [&](std::string_view name) { return peer_error("\"" + printable(name) + "\" twice in one section"); };
  while (!in.empty()) {
    const std::uint8_t element = in.u8().value();
    if (static_cast<Element>(element) == Element::SectionEnd) {
      if (depth == 0) return peer_error("end of a section that was not begun");
      return {};
    }
    if (element < 1 || element > 4) return peer_error("element " + std::to_string(element) + " within a section");
    const Result<std::string_view> name = read_name(in);
    if (!name) return fail(name.error());
    switch (static_cast<Element>(element)) {
      case Element::SectionStart: {
        if (depth == kMaxDepth) return peer_error("sections deeper than " + std::to_string(kMaxDepth));
        if (const Status inner = read_section(in, depth + 1, out.add_section(*name)); !inner) return inner;
        break;
      }
      case Element::KeyValue: {
        if (!names.insert(*name).second) return duplicate(*name);
        const Result<std::string_view> value = read_value(in);
        if (!value) return fail(value.error());
        out.add(*name, *value);
        break;
      }
      default: {  // ListStart
        if (!names.insert(*name).second) return duplicate(*name);
        Result<List> items = read_items(in);
        if (!items) return fail(items.error());
        out.add_list(*name, std::move(*items));
        break;
      }
    }
  }
  if (depth != 0) return peer_error("section without an end");
  return {};
}

Status write_name(Writer& out, Element element, std::string_view name) {
  if (name.size() > kMaxNameSize) return system_error("VICI name of " + std::to_string(name.size()) + " octets, at most 255 fit");
  if (!valid_name(name)) return system_error("control octet in the VICI name \"" + printable(name) + "\"");
  out.u8(static_cast<std::uint8_t>(element));
  out.u8(static_cast<std::uint8_t>(name.size()));
  out.bytes(as_bytes(name));
  return {};
}

Status write_value(Writer& out, std::string_view value) {
  if (value.size() > kMaxValueSize) return system_error("VICI value of " + std::to_string(value.size()) + " octets, at most 65535 fit");
  out.u16(static_cast<std::uint16_t>(value.size()));
  out.bytes(as_bytes(value));
  return {};
}

Status write_section(Writer& out, const Section& section, std::size_t depth);

Status write_entry(Writer& out, const Entry& entry, std::size_t depth) {
  if (const auto* value = std::get_if<std::string>(&entry.content)) {
    if (const Status name = write_name(out, Element::KeyValue, entry.name); !name) return name;
    return write_value(out, *value);
  }
  if (const auto* items = std::get_if<List>(&entry.content)) {
    if (const Status name = write_name(out, Element::ListStart, entry.name); !name) return name;
    for (const std::string& item : *items) {
      out.u8(static_cast<std::uint8_t>(Element::ListItem));
      if (const Status value = write_value(out, item); !value) return value;
    }
    out.u8(static_cast<std::uint8_t>(Element::ListEnd));
    return {};
  }
  if (depth == kMaxDepth) return system_error("VICI sections deeper than " + std::to_string(kMaxDepth));
  if (const Status name = write_name(out, Element::SectionStart, entry.name); !name) return name;
  if (const Status inner = write_section(out, std::get<Section>(entry.content), depth + 1); !inner) return inner;
  out.u8(static_cast<std::uint8_t>(Element::SectionEnd));
  return {};
}

Status write_section(Writer& out, const Section& section, std::size_t depth) {
  for (const Entry& entry : section.entries()) {
    if (const Status written = write_entry(out, entry, depth); !written) return written;
  }
  return {};
}

template <typename Content>
const Content* find_content(const std::vector<Entry>& entries, std::string_view name) {
  for (const Entry& entry : entries) {
    const auto* content = std::get_if<Content>(&entry.content);
    if (content != nullptr && entry.name == name) return content;
  }
  return nullptr;
}

}  // namespace

Section& Section::add(std::string_view name, std::string_view value) {
  entries_.push_back({std::string(name), std::string(value)});
  return *this;
}

Section& Section::add_list(std::string_view name, List items) {
  entries_.push_back({std::string(name), std::move(items)});
  return *this;
}

Section& Section::add_section(std::string_view name) {
  entries_.push_back({std::string(name), Section{}});
  return std::get<Section>(entries_.back().content);
}

const std::string* Section::find(std::string_view name) const { return find_content<std::string>(entries_, name); }
const List* Section::list(std::string_view name) const { return find_content<List>(entries_, name); }
const Section* Section::section(std::string_view name) const { return find_content<Section>(entries_, name); }

std::string_view Section::text(std::string_view name, std::string_view absent) const {
  const std::string* value = find(name);
  return value == nullptr ? absent : std::string_view(*value);
}

Result<bool> Section::flag(std::string_view name, bool absent) const {
  const std::string* value = find(name);
  if (value == nullptr) return absent;
  if (*value == "yes" || *value == "true" || *value == "enabled" || *value == "1") return true;
  if (*value == "no" || *value == "false" || *value == "disabled" || *value == "0") return false;
  return peer_error(std::string(name) + " is \"" + printable(*value, 64) + "\", it takes yes or no");
}

Result<std::int64_t> Section::number(std::string_view name, std::int64_t absent, std::int64_t least, std::int64_t most) const {
  const std::string* value = find(name);
  if (value == nullptr) return absent;
  std::int64_t parsed = 0;
  const char* end = value->data() + value->size();
  const auto [stopped, failure] = std::from_chars(value->data(), end, parsed);
  if (failure == std::errc() && stopped == end && parsed >= least && parsed <= most) return parsed;
  return peer_error(std::string(name) + " is \"" + printable(*value, 64) + "\", it takes a number from " + std::to_string(least) + " to " +
                    std::to_string(most));
}

bool Section::operator==(const Section& other) const { return entries_ == other.entries_; }

Result<Message> parse_message(ByteView data) {
  Reader in(data);
  Message message;
  if (const Status read = read_section(in, 0, message); !read) return fail(read.error());
  return message;
}

Result<Bytes> encode_message(const Message& message) {
  Writer out;
  if (const Status written = write_section(out, message, 0); !written) return fail(written.error());
  return std::move(out).take();
}

}  // namespace svti::vici
