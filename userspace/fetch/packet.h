// SPDX-License-Identifier: Apache-2.0
// What the daemon and a fetcher's process say to each other: one request, one answer, and the end.
#pragma once

#include <vector>

#include "base/ip.h"
#include "model/fetcher.h"

namespace svti::fetch {

inline constexpr std::size_t kMaxUri = 2048;        // octets
inline constexpr std::size_t kMaxBody = 16 * 1024;  // of a request
inline constexpr std::size_t kMaxReason = 500;      // characters of an error

// What is too large is cut off, which decode_request() refuses.
Bytes encode(const model::Fetch& request);
Result<model::Fetch> decode_request(ByteView packet);
Bytes encode(const Result<Bytes>& answer);
// The fetcher is not believed: what it has read came from anywhere.
Result<Bytes> decode_answer(ByteView packet);

// The octets of a revocation list in what libcurl makes of a directory's answer: `DN:` lines, and a line "\tATTRIBUTE: VALUE" or
// "\tATTRIBUTE:: BASE64" for each value. An error: there is none. `delta`: the value of deltaRevocationList is meant.
Result<Bytes> list_in_directory_entry(ByteView text, bool delta);

// What a fetcher says of a host: its addresses, one a line; at least one, each once, in their order.
inline constexpr std::size_t kMostAddresses = 16;  // more are left out
Result<std::vector<IpAddress>> addresses_in(ByteView text);

}  // namespace svti::fetch
