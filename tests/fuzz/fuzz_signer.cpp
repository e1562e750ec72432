// SPDX-License-Identifier: Apache-2.0
// What a daemon that was taken over may ask of the signer or of a token's process, and what they may answer. What parses must encode to
// what it came from.
#include <cstdlib>

#include "signer/token_packet.h"

using namespace svti;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView packet(data, size);
  if (const auto request = signer::decode_request(packet)) {
    if (!equal(signer::encode(*request).view(), packet)) std::abort();
  }
  if (const auto answer = signer::decode_answer(packet); answer && answer->given) {
    if (!equal(signer::encode(*answer), packet)) std::abort();
  }
  if (const auto request = signer::decode_token_request(packet)) {
    if (!equal(signer::encode(*request).view(), packet)) std::abort();
  }
  if (const auto answer = signer::decode_token_answer(packet); answer && answer->result) {
    // a label is made printable
    const bool found = std::holds_alternative<auth::TokenKeyFound>(*answer->result);
    if (!found && !equal(signer::encode(*answer), packet)) std::abort();
  }
  return 0;
}
