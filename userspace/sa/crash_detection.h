// SPDX-License-Identifier: Apache-2.0
// What tells a peer that we have lost an IKE SA: the hint INVALID_IKE_SPI (RFC 7296 2.21.4), and the proof QCD_TOKEN (RFC 6290).
#pragma once

#include <map>
#include <optional>

#include "base/ip.h"
#include "base/secret.h"
#include "base/time.h"
#include "sa/rate_limit.h"
#include "wire/message.h"

namespace svti::sa {

// Tokens are a keyed function of role and SPIs, so that whoever has the secret can make the token of an IKE SA that it has forgotten. A
// value of the secret must never serve two Cores: each would tell the tokens of the other's IKE SAs (RFC 6290 9.2).
class CrashTokens {
 public:
  static constexpr std::size_t kSize = 16;   // octets of ours; small, so that it fits into the answer to a small request
  static constexpr std::size_t kLeast = 16;  // of theirs: RFC 6290 4.1
  static constexpr std::size_t kMost = 128;

  void set_secret(Secret secret) { secret_ = std::move(secret); }
  bool any() const { return !secret_.empty(); }
  // the token of an IKE SA that we have, or had, in this role; nothing without a secret
  std::optional<Bytes> make(bool as_initiator, wire::IkeSpi spi_i, wire::IkeSpi spi_r) const;

 private:
  Secret secret_;
};

// Who may be told, how often, that an IKE SA is not there: each address and all together. What it remembers is bounded by the latter.
class UnknownSpiAnswers {
 public:
  static constexpr std::uint32_t kOfAddress = 4;  // in kPeriod
  static constexpr std::uint32_t kOfAll = 64;
  static constexpr Duration kPeriod = seconds(1);

  bool allows(const IpAddress& address, TimePoint now);
  std::size_t remembered() const { return counts_.size(); }

 private:
  RateLimit all_{kOfAll, kPeriod};
  std::map<IpAddress, std::uint32_t> counts_;  // in the present period
  std::optional<TimePoint> since_;
};

}  // namespace svti::sa
