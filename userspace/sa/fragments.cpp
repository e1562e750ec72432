// SPDX-License-Identifier: Apache-2.0
#include "sa/fragments.h"

#include <algorithm>

namespace svti::sa {

namespace {

constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kNonEspMarker = 4;
constexpr Duration kPiecesLive = seconds(120);  // more than the longest pause between two retransmissions of most

// the most plaintext that is no longer than `size` when sealed; 0: none is
std::size_t most_plaintext(const crypto::SkCipher& cipher, std::size_t size) {
  std::size_t out = size;
  while (out > 0 && cipher.sealed_size(out) > size) --out;
  return out;
}

Bytes sealed(crypto::SkCipher& cipher, Bytes prefix, ByteView plaintext, Entropy& entropy) {
  const Bytes body = cipher.seal(prefix, plaintext, entropy);
  prefix.insert(prefix.end(), body.begin(), body.end());
  return prefix;
}

}  // namespace

std::size_t message_room(const IpAddress& remote, std::size_t datagram_size) {
  const std::size_t around = (remote.is_v6() ? kIpv6Header : kIpv4Header) + kUdpHeader + kNonEspMarker;
  return datagram_size > around ? datagram_size - around : 0;
}

Result<std::vector<Bytes>> seal_message(crypto::SkCipher& cipher, const wire::Header& header, wire::PayloadType first_inner,
                                        ByteView plaintext, std::size_t room, bool may_fragment, Entropy& entropy) {
  const std::size_t whole = cipher.sealed_size(plaintext.size());
  if (!may_fragment || wire::kEncryptedPrefixSize + whole <= room) {
    if (wire::kEncryptedPrefixSize + whole > wire::kMaxMessageSize) return config_error("message larger than a datagram can be");
    return std::vector<Bytes>{sealed(cipher, wire::encrypted_prefix(header, first_inner, whole), plaintext, entropy)};
  }
  const std::size_t piece =
      room <= wire::kEncryptedFragmentPrefixSize ? 0 : most_plaintext(cipher, room - wire::kEncryptedFragmentPrefixSize);
  if (piece == 0) return config_error("datagrams of this size hold no fragment");
  const std::size_t total = (plaintext.size() + piece - 1) / piece;
  if (total > UINT16_MAX) return config_error("message larger than its fragments can carry");
  std::vector<Bytes> out;
  for (std::size_t number = 1; number <= total; ++number) {
    const ByteView content = plaintext.subspan((number - 1) * piece).first(std::min(piece, plaintext.size() - (number - 1) * piece));
    // RFC 7383 2.5: the first fragment alone names the first payload
    Bytes prefix =
        wire::encrypted_fragment_prefix(header, number == 1 ? first_inner : wire::PayloadType::None, static_cast<std::uint16_t>(number),
                                        static_cast<std::uint16_t>(total), cipher.sealed_size(content.size()));
    out.push_back(sealed(cipher, std::move(prefix), content, entropy));
  }
  return out;
}

bool Reassembly::wants(wire::ExchangeType exchange, const wire::EncryptedFragmentPayload& fragment) const {
  if (fragment.total > kMaxFragments) return false;
  if (contents_.empty() || exchange != exchange_ || fragment.total > total_) return true;
  return fragment.total == total_ && !contents_.contains(fragment.number);
}

std::optional<Reassembly::Whole> Reassembly::add(wire::ExchangeType exchange, const wire::EncryptedFragmentPayload& fragment, Bytes content,
                                                 TimePoint now) {
  if (!wants(exchange, fragment)) return std::nullopt;
  // RFC 7383 2.6: more pieces than before, so the sender has cut it anew for a smaller path; the old ones do not fit in between
  if (exchange != exchange_ || fragment.total != total_) clear();
  if (octets_ + content.size() > kMaxReassembled) {
    clear();
    return std::nullopt;
  }
  exchange_ = exchange;
  total_ = fragment.total;
  last_ = now;
  if (fragment.number == 1) first_inner_ = fragment.first_inner;
  octets_ += content.size();
  contents_.emplace(fragment.number, std::move(content));
  if (contents_.size() < total_) return std::nullopt;
  Whole whole;
  whole.first_inner = first_inner_;
  whole.plaintext.reserve(octets_);
  for (const auto& [number, part] : contents_) whole.plaintext.insert(whole.plaintext.end(), part.begin(), part.end());
  clear();
  return whole;
}

void Reassembly::clear() {
  contents_.clear();
  octets_ = 0;
  total_ = 0;
}

std::optional<TimePoint> Reassembly::expires() const {
  if (contents_.empty()) return std::nullopt;
  return last_ + kPiecesLive;
}

}  // namespace svti::sa
