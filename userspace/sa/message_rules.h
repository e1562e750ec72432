// SPDX-License-Identifier: Apache-2.0
// Which payloads an exchange carries, how often, and whether protected (RFC 7296 section 1.2 to 1.4, 2.5, appendix C).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "wire/message.h"

namespace svti::sa {

struct RuleViolation {
  wire::NotifyType notify{};  // UNSUPPORTED_CRITICAL_PAYLOAD (its data: the payload type) or INVALID_SYNTAX
  Bytes notify_data;
  std::string reason;
};

// Which of the IKE_AUTH exchanges it is (RFC 7296 2.16): the only one, or with EAP the answer to the first, those in between, the last.
// Further: that with which a round after the first begins (RFC 4739), FurtherEap: the answer to it when we ask for EAP.
enum class AuthRound : std::uint8_t { Whole, EapBegins, Eap, EapEnds, Further, FurtherEap };

// Form is for `wire`; this says whether the payloads of a message, decrypted, may stand in it. A message that carries an error notification
// needs none of the payloads that its success would have.
std::optional<RuleViolation> check_message(wire::ExchangeType exchange, bool response, const std::vector<wire::Payload>& payloads,
                                           AuthRound round = AuthRound::Whole);

// The payloads as the RFC writes them, "{ N(REKEY_SA) SA Ni KEi TSi TSr }". For the log.
std::string names_of(const std::vector<wire::Payload>& payloads, bool response);

// It is one Encrypted payload, or a fragment of one, and nothing else.
bool is_protected(const wire::Message& message);

template <typename P>
const P* find_payload(const std::vector<wire::Payload>& payloads) {
  for (const wire::Payload& payload : payloads) {
    if (const P* found = std::get_if<P>(&payload)) return found;
  }
  return nullptr;
}
const wire::IdPayload* find_id(const std::vector<wire::Payload>& payloads, wire::PayloadType type);
const wire::TsPayload* find_ts(const std::vector<wire::Payload>& payloads, wire::PayloadType type);
const wire::NotifyPayload* find_notify(const std::vector<wire::Payload>& payloads, wire::NotifyType type);
// the first notification below 16384
const wire::NotifyPayload* find_error(const std::vector<wire::Payload>& payloads);

}  // namespace svti::sa
