// SPDX-License-Identifier: Apache-2.0
// The secret of this host, by which it knows again after a restart what it has made before: the file `secret` in the state directory.
#pragma once

#include <string>

#include "base/entropy.h"
#include "base/secret.h"

namespace svti::engine {

inline constexpr std::size_t kHostSecretSize = 32;  // octets

// Reads it, or makes it when it is not there, mode 0600. An error: it cannot be read or made, others than its owner may read it, or it is
// not what was written; then it is left as it is.
Result<Secret> host_secret(const std::string& state_dir, Entropy& entropy);

// What is made of it for one purpose; of different purposes, nothing can be learned about each other.
Secret derived_secret(const Secret& host_secret, std::string_view purpose);

}  // namespace svti::engine
