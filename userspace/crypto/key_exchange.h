// SPDX-License-Identifier: Apache-2.0
// Key exchange methods: MODP groups of RFC 3526, ECP groups of RFC 5903, Curve25519 and Curve448 of RFC 8031, ML-KEM of FIPS 203, on
// OpenSSL.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/entropy.h"
#include "base/secret.h"
#include "wire/ikev2.h"

namespace svti::crypto {

// One ephemeral key pair. Not thread-safe. The private key is drawn from `entropy`, so that a simulation can be replayed, and
// wiped with the object.
class KeyExchange {
 public:
  // Error of Fault::Configuration: a group that is not supported.
  static Result<std::unique_ptr<KeyExchange>> create(wire::KeGroup group, Entropy& entropy);
  virtual ~KeyExchange() = default;

  virtual wire::KeGroup group() const = 0;
  // as it stands in a KE payload: RFC 7296 3.4 (left-padded to the modulus), RFC 5903 7 (x and y), RFC 8031 3.1
  virtual ByteView public_value() const = 0;
  // Checks the peer's value as RFC 6989 demands (length; 1 < y < p - 1 for MODP; a point on the curve for ECP; not all-zero result
  // for Curve25519 and Curve448: RFC 8031 5). Any of these failing is an error of Fault::Peer. MODP and X25519: fixed length; ECP: x alone
  // (RFC 5903 7).
  virtual Result<Secret> shared_secret(ByteView peer_public_value) = 0;

  // The responder's whole part: its value depends on the initiator's with ML-KEM. Errors as of create() and shared_secret().
  struct Response {
    Bytes public_value;
    Secret shared_secret;
  };
  static Result<Response> respond(wire::KeGroup group, ByteView peer_public_value, Entropy& entropy);
};

// ML-KEM: when the OpenSSL that this process runs with has it (3.5 or later)
bool supported(wire::KeGroup group);
// which OpenSSL that is: "OpenSSL 3.0.19 27 Jan 2026"
std::string provider_version();
std::size_t public_value_size(wire::KeGroup group);  // octets, of the initiator's; 0 when not supported

}  // namespace svti::crypto
