// SPDX-License-Identifier: Apache-2.0
// Keys on PKCS#11 tokens, for the process that uses them: finds module, token and key by a URI, logs in, signs. Calls of a module may take
// as long as they like; whoever waits has to bound it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>

#include "signer/token_packet.h"

namespace svti::signer {

class Token {
 public:
  // Modules that are named by path have to belong to root or `owner`. `note` is told before a PIN is tried and when it was taken.
  Token(uid_t owner, std::function<void(LoginNote)> note);
  ~Token();

  struct Failure {
    std::string message;
    bool pin_refused = false;
  };
  // All keys have to be on one token. The key has signed on trial, and its signature was verified.
  tl::expected<auth::TokenKeyFound, Failure> open(const OpenKey& request);
  void close(const Bytes& id);
  Result<crypto::Signature> sign(const auth::SigningRequest& request);
  // The module failed where it should not: a new process is better.
  bool is_broken() const { return broken_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  bool broken_ = false;
};

}  // namespace svti::signer
