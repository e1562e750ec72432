// SPDX-License-Identifier: Apache-2.0
// Choosing among proposals (RFC 7296 2.7, 3.3) and saying why none fits.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/payload.h"

namespace svti::sa {

enum class KeyExchangeUse {
  Negotiate,  // IKE_SA_INIT, CREATE_CHILD_SA
  Ignore,  // the CHILD SA of IKE_AUTH, which has no KE payload (RFC 7296 1.2): such transforms are left out on both sides, additional ones
           // too
};

// Responder: the first of our proposals that one of theirs can meet; within it, for each type our order decides. The result
// has their number, no SPI, and one transform of each type. Nothing: no proposal fits.
std::optional<wire::Proposal> choose_proposal(const std::vector<wire::Proposal>& ours, const std::vector<wire::Proposal>& theirs,
                                              KeyExchangeUse ke);

// Initiator: is `answer` one choice out of what we offered (RFC 7296 2.7: number, protocol, one transform of each offered type)?
// Returns it in normal form (no NONE integrity, no NONE key exchange).
std::optional<wire::Proposal> accept_choice(const std::vector<wire::Proposal>& offered, const wire::Proposal& answer, KeyExchangeUse ke);

// the chosen transform of a type; null when the choice has none
const wire::Transform* find_transform(const wire::Proposal& choice, wire::TransformType type);
bool offers_group(const std::vector<wire::Proposal>& proposals, wire::KeGroup group);
// first key exchange group of the proposals in order; None when there is none (no PFS)
wire::KeGroup first_group(const std::vector<wire::Proposal>& proposals);
std::vector<wire::Proposal> without_key_exchange(std::vector<wire::Proposal> proposals);
// Additional key exchanges (RFC 9370): those of a choice, in their order; whether any is offered; the proposals that can do without, then
// without them.
std::vector<wire::KeGroup> additional_groups(const wire::Proposal& choice);
bool offers_additional_groups(const std::vector<wire::Proposal>& proposals);
std::vector<wire::Proposal> without_additional_groups(std::vector<wire::Proposal> proposals);

// "aes128-cbc/hmac-sha256/modp2048", or "aes128-cbc,aes256-cbc/..." where several are offered
std::string to_string(const wire::Proposal& proposal);
std::string to_string(const std::vector<wire::Proposal>& proposals);
// Two proposals side by side, type by type, in the order in which they are compared: the types that either has. One that is not understood
// comes last, and does not fit.
struct TypeComparison {
  wire::TransformType type{};
  std::vector<wire::Transform> ours, theirs;
  bool fits = false;
};
std::vector<TypeComparison> compare_proposals(const wire::Proposal& ours, const wire::Proposal& theirs, KeyExchangeUse ke);
std::string_view name_of(wire::TransformType type);  // "key exchange group"

// why nothing fits, for the log: the closest pair and the first type with no transform in common
std::string explain_mismatch(const std::vector<wire::Proposal>& ours, const std::vector<wire::Proposal>& theirs, KeyExchangeUse ke);

}  // namespace svti::sa
