// SPDX-License-Identifier: Apache-2.0
// What is kept between CREATE_CHILD_SA and the IKE_FOLLOWUP_KE exchanges that go on with it (RFC 9370 2.2.4).
#pragma once

#include <memory>
#include <vector>

#include "crypto/key_exchange.h"
#include "wire/message.h"

namespace svti::sa {

struct FollowupState {
  std::vector<wire::KeGroup> groups;  // to come, the next one in front
  Secret first;                       // SK(0), of CREATE_CHILD_SA; empty without one
  std::vector<Secret> additional;     // SK(1) and on
  Bytes link;                         // ADDITIONAL_KEY_EXCHANGE of the responder's last message
};

// the initiator's
struct FollowupOffer {
  FollowupState state;
  std::vector<wire::Payload> answer;        // to CREATE_CHILD_SA
  Bytes lowest_nonce;                       // of its two
  std::unique_ptr<crypto::KeyExchange> ke;  // under way
};

}  // namespace svti::sa
