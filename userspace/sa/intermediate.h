// SPDX-License-Identifier: Apache-2.0
// IKE_INTERMEDIATE, between IKE_SA_INIT and IKE_AUTH (RFC 9242), and the additional key exchanges that it carries (RFC 9370 2.2.2).
#pragma once

#include <cstdint>
#include <vector>

#include "base/secret.h"
#include "wire/message.h"

namespace svti::sa {

// Of a peer that is not authenticated: what an honest one sends is far below both.
inline constexpr std::uint32_t kMaxIntermediateExchanges = 10;
inline constexpr std::size_t kMaxIntermediateOctets = 16384;  // of the payloads of one message

struct Intermediate {
  bool supported = false;             // both have said INTERMEDIATE_EXCHANGE_SUPPORTED
  std::vector<wire::KeGroup> groups;  // agreed on in IKE_SA_INIT, in their order
  std::size_t done = 0;               // of these
  std::uint32_t exchanges = 0;        // requests sent, or received
  Secret int_auth_i, int_auth_r;      // over all messages of the initiator, and of the responder (RFC 9242 3.3.2)
  std::uint32_t auth_id = 0;          // message id of the first IKE_AUTH

  bool pending() const { return done < groups.size(); }
  // what AUTH is made over besides what RFC 7296 says; empty without any IKE_INTERMEDIATE
  Bytes int_auth() const {
    if (exchanges == 0) return {};
    Writer id;
    id.u32(auth_id);
    return concat({int_auth_i.view(), int_auth_r.view(), id.view()});
  }
};

}  // namespace svti::sa
