// SPDX-License-Identifier: Apache-2.0
// What the daemon and the signer's process say to each other, one packet at a time. The daemon is not believed either: it may have been
// taken over by what it parses.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "auth/signer.h"

namespace svti::signer {

// The largest packet: an IKE_SA_INIT message is at most 64 KiB, a key far less.
inline constexpr std::size_t kMaxPacket = 96 * 1024;

struct PutKey {
  Bytes id;
  Secret pkcs8;
};
struct RemoveKey {
  Bytes id;
};
struct SignOctets {
  std::uint64_t number = 0;  // given back with the answer
  auth::SigningRequest request;
};
// what crypto::SealedKey holds; the signer has the sealing key
struct PutSealedKey {
  Bytes id;
  Bytes sealed;
};
struct MakeKey {
  std::uint64_t number = 0;  // given back with the answer
  auth::NewKeyWish wish;
};
using Request = std::variant<PutKey, RemoveKey, SignOctets, PutSealedKey, MakeKey>;

struct Answer {
  std::uint64_t number = 0;
  Result<std::variant<crypto::Signature, auth::NewKey>> given;
};

// Secret: a key may be in it.
Secret encode(const Request& request);
Result<Request> decode_request(ByteView packet);
Bytes encode(const Answer& answer);
Result<Answer> decode_answer(ByteView packet);

// octets behind their number in two octets; at most 65,535
void put_sized(Writer& writer, ByteView octets);
Result<ByteView> take_sized(Reader& reader);  // borrows

}  // namespace svti::signer
