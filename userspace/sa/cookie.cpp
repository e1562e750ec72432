// SPDX-License-Identifier: Apache-2.0
#include "sa/cookie.h"

namespace svti::sa {

namespace {
constexpr Duration kSecretLife = seconds(120);
constexpr std::size_t kSecretSize = 32;
constexpr std::size_t kMacSize = 16;
}  // namespace

void CookieJar::rotate(TimePoint now) {
  if (current_ && now < rotate_at_) return;
  const bool stale = current_ && now >= rotate_at_ + kSecretLife;  // nothing it made may still be believed
  previous_ = stale ? std::nullopt : std::move(current_);
  Generation next;
  next.version = previous_ ? static_cast<std::uint8_t>(previous_->version + 1) : static_cast<std::uint8_t>(entropy_.u32());
  next.secret = Secret(kSecretSize);
  entropy_.fill(next.secret.mutable_view());
  current_ = std::move(next);
  rotate_at_ = now + kSecretLife;
}

Bytes CookieJar::compute(const Generation& generation, ByteView nonce, const IpAddress& initiator, wire::IkeSpi spi) const {
  static const crypto::Prf kPrf = *crypto::Prf::create(wire::PrfId::HmacSha256);
  Writer spi_octets;
  spi_octets.u64(spi);
  const Secret mac = kPrf(generation.secret.view(), {nonce, initiator.bytes(), spi_octets.view()});
  Bytes out{generation.version};
  const ByteView cut = mac.view().first(kMacSize);
  out.insert(out.end(), cut.begin(), cut.end());
  return out;
}

Bytes CookieJar::make(TimePoint now, ByteView nonce, const IpAddress& initiator, wire::IkeSpi spi) {
  rotate(now);
  return compute(*current_, nonce, initiator, spi);
}

bool CookieJar::valid(TimePoint now, ByteView cookie, ByteView nonce, const IpAddress& initiator, wire::IkeSpi spi) {
  rotate(now);
  if (cookie.size() != 1 + kMacSize) return false;
  for (const auto* generation : {&current_, &previous_}) {
    if (!*generation || (*generation)->version != cookie[0]) continue;
    return constant_time_equal(compute(**generation, nonce, initiator, spi), cookie);
  }
  return false;
}

}  // namespace svti::sa
