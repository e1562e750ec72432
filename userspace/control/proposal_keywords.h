// SPDX-License-Identifier: Apache-2.0
// Proposals as clients of the protocol write them: "aes256-sha256-modp2048", "aes128gcm16-prfsha256-x25519", "default".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/payload.h"

namespace svti::control {

// Proposals numbered from 1, in order of preference; an empty list, and the word `default`, stand for our defaults. `protocol` is Ike or
// Esp. An error of Fault::Configuration names the keyword, and says whether it is unknown, not supported, or missing.
Result<std::vector<wire::Proposal>> parse_proposals(const std::vector<std::string>& texts, wire::ProtocolId protocol);

}  // namespace svti::control
