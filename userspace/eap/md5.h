// SPDX-License-Identifier: Apache-2.0
// EAP-MD5 (RFC 3748 5.4, RFC 1994): the peer proves that it has a password. No key comes of it, and the peer learns nothing of the server.
#pragma once

#include "eap/method.h"

namespace svti::eap {

class Md5Server : public Method {
 public:
  // `name` is shown to the peer
  Md5Server(Secret password, std::string name, Entropy& entropy);

  Type type() const override { return Type::Md5Challenge; }
  Reply begin(std::uint8_t identifier) override;
  Reply receive(std::uint8_t identifier, ByteView data) override;
  bool complete() const override { return complete_; }
  Secret msk() const override { return {}; }

 private:
  const Secret password_;
  const std::string name_;
  Bytes challenge_;
  Entropy& entropy_;
  bool complete_ = false;
};

class Md5Peer : public Method {
 public:
  Md5Peer(Secret password, std::string name);

  Type type() const override { return Type::Md5Challenge; }
  Reply begin(std::uint8_t identifier) override;
  Reply receive(std::uint8_t identifier, ByteView data) override;
  bool complete() const override { return complete_; }
  Secret msk() const override { return {}; }

 private:
  const Secret password_;
  const std::string name_;
  bool complete_ = false;
};

}  // namespace svti::eap
