// SPDX-License-Identifier: Apache-2.0
// A byte stream as a client may send it: cut into segments, packets and messages. What parses must encode to the octets it came from.
#include <cstdlib>

#include "vici/packet.h"

using namespace svti;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  vici::SegmentReader reader;
  // Two pieces, so that the seam within a segment is tried as well.
  reader.append({data, size / 2});
  for (int piece = 0; piece < 2; ++piece) {
    while (true) {
      const auto segment = reader.next();
      if (!segment || !*segment) break;
      const auto packet = vici::parse_packet(**segment);
      if (!packet) continue;
      const auto message = vici::parse_message(packet->message);
      if (!message) continue;
      const auto encoded = vici::encode_packet(packet->type, packet->name, *message);
      if (!encoded || !equal(ByteView(*encoded).subspan(4), **segment)) std::abort();
    }
    if (piece == 0) reader.append({data + size / 2, size - size / 2});
  }
  return 0;
}
