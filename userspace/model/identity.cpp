// SPDX-License-Identifier: Apache-2.0
#include "model/identity.h"

#include <algorithm>

#include "base/log.h"
#include "model/distinguished_name.h"

namespace svti::model {

namespace {

using wire::IdType;

// RFC 7296 3.5 reserves type 0, so that no identity of a peer can be taken for the wildcard
constexpr IdType kAnyType{0};
constexpr std::string_view kAnyText = "%any";
constexpr std::size_t kMaxIdentitySize = 255;  // a DNS name's; RFC 7296 sets no limit
constexpr std::size_t kMaxNameSize = 1024;     // characters of a distinguished name

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view ours, std::string_view theirs) {
  return std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(), [](char a, char b) { return lower(a) == lower(b); });
}

bool ends_ignoring_case(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && equal_ignoring_case(text.substr(text.size() - suffix.size()), suffix);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_character(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '_' || c == '.'; }
bool is_graphic(char c) { return c > 0x20 && c < 0x7f; }

tl::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  return config_error("'" + printable(text) + "' is not an identity: " + std::string(why));
}

// "*." or nothing, then letters, digits, '-', '_' and '.'
Status check_domain(std::string_view whole, std::string_view domain) {
  if (domain.starts_with("*.")) domain.remove_prefix(2);
  if (domain.empty() || domain.front() == '.') return refuse(whole, "a domain name is missing");
  if (domain.find("..") != std::string_view::npos) return refuse(whole, "two dots in a row");
  const auto bad = std::find_if_not(domain.begin(), domain.end(), is_name_character);
  if (bad == domain.end()) return {};
  if (*bad == '*')
    return refuse(whole, "'*' may only stand for the first part, as in *.example.com or *@example.com; %any matches everything");
  return refuse(whole, "a domain name has letters, digits, '-', '_' and '.' only");
}

Identity from_text(IdType type, std::string_view text) { return {type, to_bytes(as_bytes(text))}; }

// what stands before and behind the last '@'
struct Mailbox {
  std::string_view user;
  std::string_view domain;
};

Mailbox split_mailbox(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

Result<Identity> parse_mailbox(std::string_view text) {
  const Mailbox mailbox = split_mailbox(text);
  if (mailbox.user.empty()) return refuse(text, "nothing stands before '@'; a domain name is written without '@', a key id as @#hex");
  // a backslash would be printed as an escape, and not be read back
  if (!std::all_of(mailbox.user.begin(), mailbox.user.end(), [](char c) { return is_graphic(c) && c != '\\'; }))
    return refuse(text, "a mail address is printable ASCII without spaces or backslashes");
  if (mailbox.user != "*" && mailbox.user.find('*') != std::string_view::npos)
    return refuse(text, "'*' may only stand for the whole user, as in *@example.com");
  if (mailbox.domain.starts_with("*")) return refuse(text, "'*' may only stand for the user, as in *@example.com");
  const Status domain = check_domain(text, mailbox.domain);
  if (!domain) return fail(domain.error());
  return from_text(IdType::Rfc822Addr, text);
}

Result<Identity> parse_key_id(std::string_view text) {
  auto octets = from_hex(text.substr(2));
  if (!octets || octets->empty()) return refuse(text, "a key id is @# and an even number of hexadecimal digits");
  return Identity{IdType::KeyId, std::move(*octets)};
}

bool same_value(const Identity& ours, const Identity& theirs) {
  const std::string_view our_text = as_text(ours.data);
  const std::string_view their_text = as_text(theirs.data);
  if (ours.type == IdType::Fqdn) return equal_ignoring_case(our_text, their_text);
  if (ours.type != IdType::Rfc822Addr) return ours.data == theirs.data;
  // RFC 5321 2.4: the local part has a case, the domain has none
  const Mailbox our_box = split_mailbox(our_text);
  const Mailbox their_box = split_mailbox(their_text);
  return our_box.user == their_box.user && equal_ignoring_case(our_box.domain, their_box.domain);
}

// "*.domain" or "*@domain": what must end the presented identity; empty for an identity that is no pattern
std::string_view pattern_suffix(const Identity& selector) {
  const std::string_view text = as_text(selector.data);
  if (selector.type == IdType::Fqdn && text.starts_with("*.")) return text.substr(1);
  if (selector.type == IdType::Rfc822Addr && text.starts_with("*@")) return text.substr(1);
  return {};
}

}  // namespace

Result<Identity> Identity::parse(std::string_view text) {
  if (text.empty()) return config_error("an identity may not be empty");
  const bool maybe_name = text.find('=') != std::string_view::npos;
  const std::size_t most = maybe_name ? kMaxNameSize : kMaxIdentitySize;
  if (text.size() > most) return refuse(text.substr(0, 40), "longer than " + std::to_string(most) + " octets");
  if (text == kAnyText) return any();
  if (text.find('\0') != std::string_view::npos) return refuse(text, "it holds a NUL");
  if (text.starts_with("@#")) return parse_key_id(text);
  if (maybe_name) {
    auto name = encode_name(text);
    if (name) return Identity{IdType::DerAsn1Dn, std::move(*name)};
    // what stands before the '@' of a mail address may have an '='
    if (text.find('@') == std::string_view::npos || text.find(',') != std::string_view::npos) return fail(name.error());
    if (text.size() > kMaxIdentitySize) return fail(name.error());
  }
  if (const auto address = IpAddress::parse(text)) return of(*address);
  if (text.find('@') != std::string_view::npos) return parse_mailbox(text);
  if (text.find(':') != std::string_view::npos) return refuse(text, "it has a ':' and is no IPv6 address");
  // a mistyped address must not become a name that nobody ever presents
  if (std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; }))
    return refuse(text, "it is made of digits and dots and is no IPv4 address");
  const Status domain = check_domain(text, text);
  if (!domain) return fail(domain.error());
  return from_text(IdType::Fqdn, text);
}

Identity Identity::of(const IpAddress& address) {
  return {address.is_v4() ? IdType::Ipv4Addr : IdType::Ipv6Addr, to_bytes(address.bytes())};
}

Identity Identity::any() { return {kAnyType, {}}; }

bool Identity::is_pattern() const {
  if (is_any()) return true;
  if (type == IdType::DerAsn1Dn) return has_wildcard(data);
  return (type == IdType::Fqdn || type == IdType::Rfc822Addr) && !data.empty() && data.front() == '*';
}

Identity Identity::folded() const {
  Identity out = *this;
  if (type == IdType::DerAsn1Dn) out.data = folded_name(data);
  if (type != IdType::Fqdn && type != IdType::Rfc822Addr) return out;
  for (std::uint8_t& octet : out.data) octet = static_cast<std::uint8_t>(lower(static_cast<char>(octet)));
  return out;
}

bool Identity::is_any() const { return type == kAnyType; }

bool Identity::matches(const Identity& presented) const { return match_rank(presented) > 0; }

int Identity::match_rank(const Identity& presented) const {
  if (is_any()) return 1;
  if (type != presented.type) return 0;
  if (type == IdType::DerAsn1Dn) {
    if (data == presented.data) return has_wildcard(data) ? 2 : 3;
    if (!name_matches(data, presented.data)) return 0;
    return has_wildcard(data) ? 2 : 3;
  }
  const std::string_view suffix = pattern_suffix(*this);
  if (suffix.empty()) return same_value(*this, presented) ? 3 : 0;
  const std::string_view text = as_text(presented.data);
  // a pattern is for names: octets that no name has, a NUL above all, must not hide in the part that is not compared
  const bool is_name = std::all_of(text.begin(), text.end(), is_graphic);
  return is_name && text.size() > suffix.size() && ends_ignoring_case(text, suffix) ? 2 : 0;
}

std::string Identity::to_string() const {
  if (is_any()) return std::string(kAnyText);
  switch (type) {
    case IdType::Fqdn:
    case IdType::Rfc822Addr:
      return printable(as_text(data));
    case IdType::KeyId:
      return "@#" + to_hex(data);
    case IdType::Ipv4Addr:
    case IdType::Ipv6Addr:
      if (const auto address = IpAddress::from_bytes(data); address && address->is_v4() == (type == IdType::Ipv4Addr))
        return address->to_string();
      break;
    case IdType::DerAsn1Dn:
      if (const auto name = decode_name(data)) return name->size() <= kMaxNameSize ? *name : name->substr(0, kMaxNameSize) + "...";
      break;
    default:
      break;
  }
  constexpr std::size_t kShown = 64;
  const ByteView shown = ByteView(data).first(std::min(data.size(), kShown));
  return "id-type-" + std::to_string(static_cast<unsigned>(type)) + " 0x" + to_hex(shown) + (data.size() > kShown ? "..." : "");
}

}  // namespace svti::model
