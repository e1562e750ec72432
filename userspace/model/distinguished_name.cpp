// SPDX-License-Identifier: Apache-2.0
#include "model/distinguished_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/log.h"

namespace svti::model {

namespace {

constexpr std::uint8_t kObjectIdentifier = 0x06, kUtf8String = 0x0c, kPrintableString = 0x13, kIa5String = 0x16, kSequence = 0x30,
                       kSet = 0x31;
constexpr std::size_t kMaxAttributes = 64;  // more make no name that anybody has
constexpr std::size_t kMaxValueSize = 1024;

struct AttributeType {
  std::string_view name;
  std::string_view oid;
  std::uint8_t string_type;  // 0: PrintableString when it can be, else UTF8String
};
// the first of a type is how it is printed; RFC 4519, RFC 5280 A.1
constexpr std::array kTypes = {
    AttributeType{"CN", "2.5.4.3", 0},
    AttributeType{"SN", "2.5.4.4", 0},
    AttributeType{"surname", "2.5.4.4", 0},
    AttributeType{"serialNumber", "2.5.4.5", kPrintableString},
    AttributeType{"C", "2.5.4.6", kPrintableString},
    AttributeType{"L", "2.5.4.7", 0},
    AttributeType{"ST", "2.5.4.8", 0},
    AttributeType{"S", "2.5.4.8", 0},
    AttributeType{"street", "2.5.4.9", 0},
    AttributeType{"O", "2.5.4.10", 0},
    AttributeType{"OU", "2.5.4.11", 0},
    AttributeType{"title", "2.5.4.12", 0},
    AttributeType{"T", "2.5.4.12", 0},
    AttributeType{"description", "2.5.4.13", 0},
    AttributeType{"postalCode", "2.5.4.17", 0},
    AttributeType{"name", "2.5.4.41", 0},
    AttributeType{"N", "2.5.4.41", 0},
    AttributeType{"GN", "2.5.4.42", 0},
    AttributeType{"G", "2.5.4.42", 0},
    AttributeType{"givenName", "2.5.4.42", 0},
    AttributeType{"initials", "2.5.4.43", 0},
    AttributeType{"I", "2.5.4.43", 0},
    AttributeType{"generationQualifier", "2.5.4.44", 0},
    AttributeType{"dnQualifier", "2.5.4.46", kPrintableString},
    AttributeType{"pseudonym", "2.5.4.65", 0},
    AttributeType{"organizationIdentifier", "2.5.4.97", 0},
    AttributeType{"UID", "0.9.2342.19200300.100.1.1", 0},
    AttributeType{"DC", "0.9.2342.19200300.100.1.25", kIa5String},
    AttributeType{"emailAddress", "1.2.840.113549.1.9.1", kIa5String},
    AttributeType{"E", "1.2.840.113549.1.9.1", kIa5String},
    AttributeType{"email", "1.2.840.113549.1.9.1", kIa5String},
    AttributeType{"unstructuredName", "1.2.840.113549.1.9.2", 0},
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

// X.680 PrintableString
bool is_printable_string(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || std::string_view(" '()+,-./:=?").find(c) != std::string_view::npos;
  });
}

// ---- DER

void append_length(std::size_t size, Bytes& out) {
  if (size < 0x80) return out.push_back(static_cast<std::uint8_t>(size));
  if (size < 0x100) return out.insert(out.end(), {0x81, static_cast<std::uint8_t>(size)}), void();
  out.insert(out.end(), {0x82, static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)});
}

Bytes tlv(std::uint8_t tag, ByteView content) {
  Bytes out{tag};
  append_length(content.size(), out);
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

struct Element {
  std::uint8_t tag = 0;
  ByteView content;
};

// one element with a definite length of at most two octets, the shortest form; nothing: there is none
std::optional<Element> next(Reader& reader) {
  const auto tag = reader.u8();
  const auto first = tag ? reader.u8() : tag;
  if (!first) return std::nullopt;
  std::size_t size = *first;
  if (size == 0x81) {
    const auto more = reader.u8();
    if (!more || *more < 0x80) return std::nullopt;
    size = *more;
  } else if (size == 0x82) {
    const auto more = reader.u16();
    if (!more || *more < 0x100) return std::nullopt;
    size = *more;
  } else if (size >= 0x80) {
    return std::nullopt;
  }
  const auto content = reader.take(size);
  if (!content) return std::nullopt;
  return Element{*tag, *content};
}

Bytes encode_base128(std::uint64_t arc) {
  Bytes out{static_cast<std::uint8_t>(arc & 0x7f)};
  for (arc >>= 7; arc != 0; arc >>= 7) out.insert(out.begin(), static_cast<std::uint8_t>(0x80 | (arc & 0x7f)));
  return out;
}

// content octets; nothing: it is no OID
std::optional<Bytes> encode_oid(std::string_view dotted) {
  std::vector<std::uint64_t> arcs;
  for (std::string_view rest = dotted;;) {
    std::uint64_t arc = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), arc);
    if (error != std::errc{} || arc > UINT32_MAX) return std::nullopt;
    arcs.push_back(arc);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    if (rest.empty()) break;
    if (rest.front() != '.' || arcs.size() > 32) return std::nullopt;
    rest.remove_prefix(1);
  }
  if (arcs.size() < 2 || arcs[0] > 2 || (arcs[0] < 2 && arcs[1] > 39)) return std::nullopt;
  Bytes out = encode_base128(arcs[0] * 40 + arcs[1]);
  for (std::size_t i = 2; i < arcs.size(); ++i) {
    const Bytes arc = encode_base128(arcs[i]);
    out.insert(out.end(), arc.begin(), arc.end());
  }
  return out;
}

std::string dotted(ByteView oid) {
  std::string out;
  std::uint64_t arc = 0;
  bool first = true;
  for (const std::uint8_t octet : oid) {
    if (arc >> 56 != 0) return "0x" + to_hex(oid);  // larger than any that is in use
    arc = arc << 7 | (octet & 0x7f);
    if ((octet & 0x80) != 0) continue;
    if (first) {
      const std::uint64_t top = std::min<std::uint64_t>(arc / 40, 2);
      out = std::to_string(top) + "." + std::to_string(arc - top * 40);
    } else {
      out += "." + std::to_string(arc);
    }
    first = false;
    arc = 0;
  }
  return out;
}

// ---- names taken apart

struct Attribute {
  ByteView oid;
  std::uint8_t string_type = 0;
  ByteView value;
};
using Rdn = std::vector<Attribute>;

std::optional<Attribute> parse_attribute(ByteView content) {
  Reader reader(content);
  const auto oid = next(reader);
  const auto value = oid ? next(reader) : oid;
  if (!value || !reader.empty() || oid->tag != kObjectIdentifier || oid->content.empty() || (oid->content.back() & 0x80) != 0)
    return std::nullopt;
  return Attribute{oid->content, value->tag, value->content};
}

// borrows from `der`; nothing: no Name
std::optional<std::vector<Rdn>> parse_name(ByteView der) {
  Reader outer(der);
  const auto name = next(outer);
  if (!name || !outer.empty() || name->tag != kSequence) return std::nullopt;
  std::vector<Rdn> out;
  std::size_t count = 0;
  for (Reader rdns(name->content); !rdns.empty();) {
    const auto set = next(rdns);
    if (!set || set->tag != kSet || set->content.empty()) return std::nullopt;
    Rdn rdn;
    for (Reader attributes(set->content); !attributes.empty();) {
      const auto sequence = next(attributes);
      const auto attribute = sequence && sequence->tag == kSequence ? parse_attribute(sequence->content) : std::nullopt;
      if (!attribute || ++count > kMaxAttributes) return std::nullopt;
      rdn.push_back(*attribute);
    }
    out.push_back(std::move(rdn));
  }
  return out;
}

// RFC 5280 7.1, for the letters of ASCII: without regard to case, spaces at the ends left out and others counted once
std::string folded_value(ByteView value) {
  std::string out;
  for (const char c : as_text(value)) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out.push_back(lower(c));
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

// strings of one octet a character, or UTF-8, are compared as text; others as octets of their own type
bool is_text(std::uint8_t tag) { return tag == kUtf8String || tag == kPrintableString || tag == kIa5String; }

bool is_wildcard(const Attribute& attribute) { return is_text(attribute.string_type) && as_text(attribute.value) == "*"; }

bool attribute_matches(const Attribute& selector, const Attribute& presented) {
  if (!equal(selector.oid, presented.oid)) return false;
  if (is_wildcard(selector)) return true;
  if (is_text(selector.string_type) && is_text(presented.string_type)) return folded_value(selector.value) == folded_value(presented.value);
  return selector.string_type == presented.string_type && equal(selector.value, presented.value);
}

bool rdn_matches(const Rdn& selector, const Rdn& presented) {
  if (selector.size() != presented.size()) return false;
  return std::all_of(selector.begin(), selector.end(), [&](const Attribute& ours) {
    return std::any_of(presented.begin(), presented.end(), [&](const Attribute& theirs) { return attribute_matches(ours, theirs); });
  });
}

// ---- text

std::string escaped(const Attribute& attribute) {
  if (!is_text(attribute.string_type)) {
    const Bytes whole = tlv(attribute.string_type, attribute.value);
    return "#" + to_hex(whole);  // RFC 4514 2.4
  }
  // RFC 4514 2.4; what is not printable ASCII as the hexadecimal of its octets
  std::string out;
  for (const std::uint8_t octet : attribute.value) {
    if (octet < 0x20 || octet > 0x7e) {
      out += "\\" + to_hex(ByteView(&octet, 1));
      continue;
    }
    const char c = static_cast<char>(octet);
    if (std::string_view(",+\"\\/").find(c) != std::string_view::npos) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::string name_of(ByteView oid) {
  const std::string text = dotted(oid);
  for (const AttributeType& type : kTypes) {
    if (type.oid == text) return std::string(type.name);
  }
  return text;
}

tl::unexpected<Error> refuse(std::string_view text, const std::string& why) {
  return config_error("'" + printable(text) + "' is not a distinguished name: " + why);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// The text up to the next of `ends` outside quotes, quotes and backslashes taken out. `rest` then begins with that one.
std::string take_value(std::string_view& rest, std::string_view ends) {
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  std::string out;
  std::size_t kept = 0;  // what must not be trimmed away
  bool quoted = false;
  while (!rest.empty()) {
    const char c = rest.front();
    if (!quoted && ends.find(c) != std::string_view::npos) break;
    rest.remove_prefix(1);
    if (c == '"') {
      quoted = !quoted;
      kept = out.size();
    } else if (c == '\\' && !rest.empty()) {
      const auto octet = from_hex(rest.substr(0, 2));
      const bool coded = octet && octet->size() == 1;
      out.push_back(coded ? static_cast<char>(octet->front()) : rest.front());
      rest.remove_prefix(coded ? 2 : 1);
      kept = out.size();
    } else {
      out.push_back(c);
      if (quoted) kept = out.size();
    }
  }
  while (out.size() > kept && out.back() == ' ') out.pop_back();
  return out;
}

Result<Bytes> encode_attribute(std::string_view whole, std::string_view type, std::string value) {
  const auto known =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const AttributeType& one) { return equal_ignoring_case(one.name, type); });
  const auto oid = encode_oid(known == kTypes.end() ? type : known->oid);
  if (!oid) return refuse(whole, "'" + printable(type) + "' is no attribute type: expected C, ST, L, O, OU, CN, E, DC, UID..., or an OID");
  if (value.empty()) return refuse(whole, std::string(type) + " has no value");
  if (value.size() > kMaxValueSize) return refuse(whole, "the value of " + std::string(type) + " is too long");
  Bytes encoded_value;
  const bool as_der = value.front() == '#' && value.size() > 2;
  const auto given = as_der ? from_hex(std::string_view(value).substr(1)) : Result<Bytes>(config_error(""));
  if (given) {
    Reader reader(*given);
    if (!next(reader) || !reader.empty()) return refuse(whole, "what stands behind '#' is no DER");
    encoded_value = *given;
  } else {
    std::uint8_t string_type = known == kTypes.end() ? 0 : known->string_type;
    const bool ascii = std::all_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (string_type != kIa5String || !ascii) string_type = is_printable_string(value) ? kPrintableString : kUtf8String;
    encoded_value = tlv(string_type, as_bytes(value));
  }
  return tlv(kSequence, concat({tlv(kObjectIdentifier, *oid), encoded_value}));
}

}  // namespace

Result<Bytes> encode_name(std::string_view text) {
  const bool slashes = text.starts_with('/');
  std::string_view rest = slashes ? text.substr(1) : text;
  const std::string_view ends = slashes ? "/+" : ",+";
  Bytes content;
  std::vector<Bytes> rdn;
  std::size_t count = 0;
  while (true) {
    const std::size_t equals = rest.find('=');
    if (equals == std::string_view::npos) return refuse(text, "expected TYPE=VALUE, separated by commas, as in \"C=CH, O=Example, CN=gw\"");
    const std::string_view type = trimmed(rest.substr(0, equals));
    rest.remove_prefix(equals + 1);
    auto attribute = encode_attribute(text, type, take_value(rest, ends));
    if (!attribute) return fail(attribute.error());
    if (++count > kMaxAttributes) return refuse(text, "it has too many attributes");
    rdn.push_back(std::move(*attribute));
    if (!rest.empty() && rest.front() == '+') {
      rest.remove_prefix(1);
      continue;
    }
    std::sort(rdn.begin(), rdn.end());  // DER of a SET OF
    Bytes set;
    for (const Bytes& one : rdn) set.insert(set.end(), one.begin(), one.end());
    rdn.clear();
    const Bytes whole = tlv(kSet, set);
    content.insert(content.end(), whole.begin(), whole.end());
    if (rest.empty()) break;
    rest.remove_prefix(1);
  }
  return tlv(kSequence, content);
}

Result<std::string> decode_name(ByteView der) {
  const auto name = parse_name(der);
  if (!name) return peer_error("not a distinguished name in DER");
  std::string out;
  for (const Rdn& rdn : *name) {
    for (std::size_t i = 0; i < rdn.size(); ++i)
      out += (i > 0 ? "+" : out.empty() ? "" : ", ") + name_of(rdn[i].oid) + "=" + escaped(rdn[i]);
  }
  return out;
}

Bytes folded_name(ByteView der) {
  const auto name = parse_name(der);
  if (!name) return to_bytes(der);
  Bytes out;
  for (const Rdn& rdn : *name) {
    std::vector<Bytes> attributes;
    for (const Attribute& one : rdn) {
      const std::string text = folded_value(one.value);
      const Bytes value = is_text(one.string_type) ? tlv(kUtf8String, as_bytes(text)) : tlv(one.string_type, one.value);
      attributes.push_back(concat({tlv(kObjectIdentifier, one.oid), value}));
    }
    std::sort(attributes.begin(), attributes.end());
    Bytes set;
    for (const Bytes& one : attributes) set.insert(set.end(), one.begin(), one.end());
    const Bytes whole = tlv(kSet, set);
    out.insert(out.end(), whole.begin(), whole.end());
  }
  return tlv(kSequence, out);
}

bool has_wildcard(ByteView der) {
  const auto name = parse_name(der);
  return name && std::any_of(name->begin(), name->end(), [](const Rdn& rdn) { return std::any_of(rdn.begin(), rdn.end(), is_wildcard); });
}

bool name_matches(ByteView selector, ByteView presented) {
  const auto ours = parse_name(selector);
  const auto theirs = parse_name(presented);
  return ours && theirs && std::equal(ours->begin(), ours->end(), theirs->begin(), theirs->end(), rdn_matches);
}

}  // namespace svti::model
