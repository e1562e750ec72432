// SPDX-License-Identifier: Apache-2.0
// Looks at the chains of certificates that peers show. One thread.
#pragma once

#include <chrono>
#include <map>
#include <vector>

#include "crypto/trust.h"
#include "sa/effects.h"

namespace svti::engine {

crypto::RevocationPolicy policy_of(model::Revocation revocation);

class Verifier {
 public:
  // By what is at hand: the configuration, and what the peer sent. Gaps are left to crypto::judge().
  crypto::Verification verify(const sa::VerifyCertificate& question, std::chrono::sys_seconds now);

 private:
  // What was read once serves every peer with the same authorities. Keeps them alive, so that an address means one of them.
  struct Trust {
    std::vector<model::AuthorityPtr> of;
    Result<crypto::TrustedAuthorities> authorities;
  };
  std::map<std::vector<const model::Authority*>, Trust> known_;
};

}  // namespace svti::engine
