// SPDX-License-Identifier: Apache-2.0
// What a daemon that was taken over may ask of the signer, and what a signer may answer. What parses must encode to what it came from.
#include <cstdlib>

#include "signer/packet.h"

using namespace svti;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView packet(data, size);
  if (const auto request = signer::decode_request(packet)) {
    if (!equal(signer::encode(*request).view(), packet)) std::abort();
  }
  if (const auto answer = signer::decode_answer(packet); answer && answer->signature) {
    if (!equal(signer::encode(*answer), packet)) std::abort();
  }
  return 0;
}
