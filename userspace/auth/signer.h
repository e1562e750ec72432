// SPDX-License-Identifier: Apache-2.0
// Whoever holds the private keys: asked for signatures, never for a key.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crypto/signature.h"
#include "crypto/trust.h"
#include "model/credentials.h"

namespace svti::auth {

struct SigningRequest {
  Bytes key_id;  // model::PrivateKey::id
  Bytes octets;
  std::vector<crypto::SignatureHash> announced;  // by the peer; empty: it does not know RFC 7427
  crypto::RsaPadding padding = crypto::RsaPadding::Pss;
};

// Where a private key is, and whether it can sign.
struct KeyState {
  std::string place;    // "signer", or "token LABEL"
  std::string problem;  // why it cannot sign; empty: it can, as far as is known
};

// What a token says of a key that was found on it, and has signed.
struct TokenKeyFound {
  std::string label;  // of the token
  Bytes public_key;   // SubjectPublicKeyInfo in DER
};

class Signer {
 public:
  using Done = std::function<void(Result<crypto::Signature>)>;

  Signer() = default;
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;
  virtual ~Signer() = default;

  // The keys there are from now on.
  virtual void set_keys(const std::vector<std::shared_ptr<const model::PrivateKey>>& keys) = 0;
  // `done` is called once, from this call or later. Errors: the key is not there or cannot do what the peer asks for, or the signer is
  // gone.
  virtual void sign(SigningRequest request, Done done) = 0;

  virtual KeyState state(const Bytes& /*key_id*/) const { return {"signer", {}}; }
  // Looks for a key on a token, and has it sign on trial. `done` is called once, from this call or later.
  using Found = std::function<void(Result<TokenKeyFound>)>;
  virtual void find_on_token(std::shared_ptr<const model::TokenKey> /*key*/, Found done) {
    done(config_error("keys on tokens are not supported by this signer"));
  }
};

// What a key is to be that is made where it will sign.
struct NewKeyWish {
  crypto::KeyType type{};
  int rsa_bits = 0;     // of RSA
  std::string subject;  // as crypto::parse_name() takes it
  std::vector<crypto::AltName> alt_names;
};
struct NewKey {
  Bytes sealed;   // crypto::SealedKey::octets
  Bytes request;  // for its certificate, PKCS#10 in DER
};

class KeyMaker {
 public:
  using Done = std::function<void(Result<NewKey>)>;

  KeyMaker() = default;
  KeyMaker(const KeyMaker&) = delete;
  KeyMaker& operator=(const KeyMaker&) = delete;
  virtual ~KeyMaker() = default;

  // `done` is called once, from this call or later. Errors: another is being made, it took too long, or what the wish asks for cannot be.
  virtual void make(NewKeyWish wish, Done done) = 0;
};

}  // namespace svti::auth
