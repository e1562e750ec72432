// SPDX-License-Identifier: Apache-2.0
// IKE fragmentation (RFC 7383): a protected message that one IP datagram of modest size does not hold goes in pieces, each protected by
// itself. Large datagrams would be cut by IP instead, and fragments of IP are what middleboxes drop.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/ip.h"
#include "base/time.h"
#include "crypto/sk_cipher.h"
#include "wire/message.h"

namespace svti::sa {

// More than these, and a message is not put together: what it may cost is bounded, for a peer that is not authenticated too. The
// largest message in datagrams of 576 octets stays below it.
inline constexpr std::uint16_t kMaxFragments = 160;
inline constexpr std::size_t kMaxReassembled = wire::kMaxMessageSize;

// The octets that an IKE message between these may have for its IP datagram not to pass `datagram_size`: IP, UDP and the non-ESP
// marker of port 4500 taken off.
std::size_t message_room(const IpAddress& remote, std::size_t datagram_size);

// The message protected: one datagram's payload, or as many Encrypted Fragments as it takes when it passes `room` and `may_fragment`.
// Error: it is larger than can be sent either way.
Result<std::vector<Bytes>> seal_message(crypto::SkCipher& cipher, const wire::Header& header, wire::PayloadType first_inner,
                                        ByteView plaintext, std::size_t room, bool may_fragment, Entropy& entropy);

// The pieces of one message that is expected, requests and responses apart. It takes what was authenticated, and that alone.
class Reassembly {
 public:
  struct Whole {
    wire::PayloadType first_inner{};
    Bytes plaintext;
  };

  // Whether this fragment could bring the message on: worth the cost of deciphering it. RFC 7383 2.6: one that is there already, or one of
  // fewer pieces than the sender has cut the message into since, could not.
  bool wants(wire::ExchangeType exchange, const wire::EncryptedFragmentPayload& fragment) const;
  // `content` is what was in `fragment`, verified. The message, when this was the last that was missing; everything is forgotten then.
  std::optional<Whole> add(wire::ExchangeType exchange, const wire::EncryptedFragmentPayload& fragment, Bytes content, TimePoint now);
  void clear();
  bool empty() const { return contents_.empty(); }
  std::size_t octets() const { return octets_; }
  // When what is here is given up, should nothing come any more. The sender sends all pieces anew each time, so that nothing is lost by it.
  std::optional<TimePoint> expires() const;

 private:
  wire::ExchangeType exchange_{};
  wire::PayloadType first_inner_{};
  std::uint16_t total_ = 0;
  std::map<std::uint16_t, Bytes> contents_;
  std::size_t octets_ = 0;
  TimePoint last_{};
};

}  // namespace svti::sa
