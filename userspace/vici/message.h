// SPDX-License-Identifier: Apache-2.0
// A VICI message: a tree of sections, lists and values, and its octets on the wire (docs/vici.md, "Messages").
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace svti::vici {

inline constexpr std::size_t kMaxNameSize = 255;     // octets: its length is one octet
inline constexpr std::size_t kMaxValueSize = 65535;  // octets: its length is two
inline constexpr std::size_t kMaxDepth = 16;         // sections within sections; the protocol's own messages need four

struct Entry;
using List = std::vector<std::string>;

// What stands between a section's start and its end, in the order of the wire; a whole message is one, unnamed. Owns all of it. Values are
// octets: text without a terminator mostly, DER now and then.
class Section {
 public:
  // Builder. References given out hold until the next entry is added to the same section.
  Section& add(std::string_view name, std::string_view value);  // returns *this
  Section& add_flag(std::string_view name, bool value) { return add(name, value ? "yes" : "no"); }
  template <std::integral Number>
  Section& add_number(std::string_view name, Number value) {
    return add(name, std::to_string(value));
  }
  Section& add_list(std::string_view name, List items);  // returns *this
  Section& add_section(std::string_view name);           // returns the new, empty section

  // Reader. Pointers and views borrow from this section.
  const std::string* find(std::string_view name) const;  // value of a key; null: no such key
  std::string_view text(std::string_view name, std::string_view absent = {}) const;
  Result<bool> flag(std::string_view name, bool absent) const;  // yes, true, enabled, 1; no, false, disabled, 0
  Result<std::int64_t> number(std::string_view name, std::int64_t absent, std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                              std::int64_t most = std::numeric_limits<std::int64_t>::max()) const;  // decimal, least..most
  const List* list(std::string_view name) const;                                                    // null: no such list
  const Section* section(std::string_view name) const;                                              // the first of that name; null: none
  const std::vector<Entry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }

  bool operator==(const Section&) const;

 private:
  std::vector<Entry> entries_;
};

using Message = Section;

struct Entry {
  std::string name;
  std::variant<std::string, List, Section> content;

  bool operator==(const Entry&) const = default;
};

// Everything the format asks for is checked: balance, lists without lists, no control octet in a name, names of keys and lists unique
// within their section (sections may repeat), kMaxDepth, nothing left over. Memory is bounded by a small multiple of the input.
Result<Message> parse_message(ByteView data);

// Error (of Fault::Surroundings) where the format has no room: a name or value too long, too deep, a control octet in a name.
Result<Bytes> encode_message(const Message& message);

}  // namespace svti::vici
