// SPDX-License-Identifier: Apache-2.0
// The data of the notification SUPPORTED_AUTH_METHODS (RFC 9593 3.2).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/ikev2.h"

namespace svti::wire {

// A way to authenticate that its sender takes from the other end.
struct AuthAnnouncement {
  AuthMethod method{};         // may be one that is not known
  std::uint8_t authority = 0;  // the n-th of the sender's CERTREQs, from 1; 0: any. Nothing with a method without certificates.
  Bytes algorithm;             // with DigitalSignature: AlgorithmIdentifier in DER, as in RFC 7427; at most 252 octets
  bool operator==(const AuthAnnouncement&) const = default;
};

// Error of Fault::Peer: a length that its announcement cannot have, or more than 255 announcements.
Result<std::vector<AuthAnnouncement>> parse_auth_announcements(ByteView data);
Bytes encode_auth_announcements(std::span<const AuthAnnouncement> announcements);

}  // namespace svti::wire
