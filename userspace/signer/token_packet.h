// SPDX-License-Identifier: Apache-2.0
// What the daemon and the process of a token say to each other, one packet at a time: the signer's requests for signatures, and keys that
// are opened. A module is foreign code: what comes from its process is believed no more than what the signer is told.
#pragma once

#include "signer/packet.h"

namespace svti::signer {

struct OpenKey {
  std::uint64_t number = 0;  // given back with the answer
  Bytes id;
  std::string uri;   // model::TokenKey
  Secret pin;        // empty: none
  Bytes public_key;  // empty: the token's own word is taken
};
using TokenRequest = std::variant<OpenKey, RemoveKey, SignOctets>;

// Comes before the answer to OpenKey when a PIN is about to be tried, and when the token took it: whoever sees the process end between
// the two does not know whether the try was counted.
struct LoginNote {
  bool taken = false;
};
struct TokenAnswer {
  std::uint64_t number = 0;
  Result<std::variant<crypto::Signature, auth::TokenKeyFound, LoginNote>> result;
  bool pin_refused = false;  // the reason of an error: the same PIN must not be tried again
};

Secret encode(const TokenRequest& request);  // Secret: a PIN may be in it
Result<TokenRequest> decode_token_request(ByteView packet);
Bytes encode(const TokenAnswer& answer);
Result<TokenAnswer> decode_token_answer(ByteView packet);

}  // namespace svti::signer
