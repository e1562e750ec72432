// SPDX-License-Identifier: Apache-2.0
// Stateless cookies against floods of IKE_SA_INIT from forged addresses (RFC 7296 2.6).
#pragma once

#include <optional>

#include "base/entropy.h"
#include "base/ip.h"
#include "base/secret.h"
#include "base/time.h"
#include "crypto/prf.h"
#include "wire/message.h"

namespace svti::sa {

// Cookie = version of the secret (1 octet) | HMAC-SHA-256(secret, Ni | IPi | SPIi) cut to 16 octets.
class CookieJar {
 public:
  explicit CookieJar(Entropy& entropy) : entropy_(entropy) {}

  Bytes make(TimePoint now, ByteView nonce, const IpAddress& initiator, wire::IkeSpi spi);
  // made by us, for this very sender, with the present secret or the one before
  bool valid(TimePoint now, ByteView cookie, ByteView nonce, const IpAddress& initiator, wire::IkeSpi spi);

 private:
  struct Generation {
    std::uint8_t version = 0;
    Secret secret;
  };
  void rotate(TimePoint now);
  Bytes compute(const Generation& generation, ByteView nonce, const IpAddress& initiator, wire::IkeSpi spi) const;

  Entropy& entropy_;
  std::optional<Generation> current_, previous_;
  TimePoint rotate_at_{};
};

}  // namespace svti::sa
