// SPDX-License-Identifier: Apache-2.0
// IKE identities (RFC 7296 3.5) as they are configured, compared and shown.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "wire/payload.h"

namespace svti::model {

struct Identity {
  wire::IdType type = wire::IdType::Fqdn;
  Bytes data;

  // "192.0.2.1" and "2001:db8::1" are addresses, "user@host" an RFC 822 address, "%any" the wildcard, "@#hex" a key id, "C=CH, CN=gw" a
  // distinguished name, all else an FQDN.
  static Result<Identity> parse(std::string_view text);
  static Identity of(const IpAddress& address);
  static Identity any();  // matches everything; never sent

  bool is_any() const;
  bool is_pattern() const;  // the wildcard, or a selector with "*"
  Identity folded() const;  // names in lower case: equal identities have equal folded forms
  // `this` is the selector: the wildcard, the same value (FQDN, mail domain and distinguished name compared without regard to case),
  // "*.domain" / "*@domain", or a distinguished name of which a value is "*"
  bool matches(const Identity& presented) const;
  // 0 no match, 1 wildcard %any, 2 pattern, 3 exact
  int match_rank(const Identity& presented) const;
  std::string to_string() const;  // octets of a peer made printable

  auto operator<=>(const Identity&) const = default;
  bool operator==(const Identity&) const = default;
};

}  // namespace svti::model
