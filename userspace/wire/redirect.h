// SPDX-License-Identifier: Apache-2.0
// The data of the notifications REDIRECT and REDIRECTED_FROM (RFC 5685 7.2, 7.3).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/ip.h"

namespace svti::wire {

// A gateway by its address or, without one, by its name.
struct GatewayIdentity {
  std::optional<IpAddress> address;
  std::string fqdn;  // of letters, digits, '-' and '.', at most 255

  // "192.0.2.1", "2001:db8::1" or a host name; an error of Fault::Configuration: none of these
  static Result<GatewayIdentity> parse(std::string_view text);
  std::string to_string() const { return address ? address->to_string() : fqdn; }
  bool operator==(const GatewayIdentity&) const = default;
};

struct RedirectData {
  GatewayIdentity gateway;
  Bytes nonce;  // the initiator's, in IKE_SA_INIT alone
};

// Error of Fault::Peer: an unknown type of identity, a length that it cannot have, a name that is none.
Result<RedirectData> parse_redirect(ByteView data);
// REDIRECT; without a nonce also REDIRECTED_FROM
Bytes encode_redirect(const GatewayIdentity& gateway, ByteView nonce = {});

}  // namespace svti::wire
