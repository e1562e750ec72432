// SPDX-License-Identifier: Apache-2.0
// An EAP method, one end of it (RFC 3748 section 2: the peer proves who it is, the server asks). Sans-IO: what the other end said goes in,
// what is to be said comes out. One object for one conversation.
#pragma once

#include <string>

#include "base/entropy.h"
#include "base/secret.h"
#include "eap/packet.h"

namespace svti::eap {

// Octets of an MSK: RFC 3748 7.10 asks for 64 at least.
inline constexpr std::size_t kMskSize = 64;

class Method {
 public:
  // What a method makes of what came.
  struct Reply {
    enum class Kind : std::uint8_t {
      Send,    // `data`, behind the type
      Done,    // of a server alone: the peer has proven who it is
      Failed,  // `reason`: a sentence without a final stop
    };
    Kind kind{};
    Bytes data = {};
    std::string reason = {};
  };

  Method() = default;
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;
  virtual ~Method() = default;

  virtual Type type() const = 0;
  // Server: its first request, with that identifier. A peer has none.
  virtual Reply begin(std::uint8_t identifier) = 0;
  // Type data of the packet with that identifier.
  virtual Reply receive(std::uint8_t identifier, ByteView data) = 0;
  // Peer: an EAP Success may come now; before that it would be somebody's forgery (CVE-2021-45079).
  virtual bool complete() const = 0;
  // Once it is done: the key that both ends have now, kMskSize octets; empty where the method makes none.
  virtual Secret msk() const = 0;
  // Peer: what the server said against us. Server: what it said against the peer, which may try again. Empty: nothing.
  virtual std::string refusal() const { return {}; }

 protected:
  static Reply send(Bytes data) { return {Reply::Kind::Send, std::move(data), {}}; }
  static Reply done() { return {Reply::Kind::Done, {}, {}}; }
  static Reply failed(std::string reason) { return {Reply::Kind::Failed, {}, std::move(reason)}; }
};

}  // namespace svti::eap
