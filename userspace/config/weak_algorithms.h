// SPDX-License-Identifier: Apache-2.0
// Algorithms that are negotiated where they are asked for, and warned of (RFC 8221, RFC 8247): those that the schema calls deprecated.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "wire/payload.h"

namespace svti::config {

inline constexpr const char* kIsWeak = "is weak (RFC 8221, RFC 8247): for a peer that has nothing better";

// The configuration's names of those in the proposals, each once, in the order in which they stand there.
std::vector<std::string> weak_algorithms(std::span<const wire::Proposal> proposals);

}  // namespace svti::config
