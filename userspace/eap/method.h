// SPDX-License-Identifier: Apache-2.0
// An EAP method, one end of it (RFC 3748 section 2: the peer proves who it is, the server asks). Sans-IO: what the other end said goes in,
// what is to be said comes out. One object for one conversation.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/entropy.h"
#include "base/secret.h"
#include "crypto/signature.h"
#include "crypto/trust.h"
#include "eap/packet.h"

namespace svti::eap {

// Octets of an MSK: RFC 3748 7.10 asks for 64 at least.
inline constexpr std::size_t kMskSize = 64;

// What a method cannot do itself.
struct SignatureQuestion {
  std::size_t credential = 0;  // of those it was given: whose key signs
  crypto::SignatureWish wish;
};
struct ChainQuestion {
  std::vector<Bytes> certificates;  // DER, of the other end, the end entity first: are they trusted, and of whom they have to be?
};
using Question = std::variant<SignatureQuestion, ChainQuestion>;
// A signature without its algorithm, or why the chain is refused.
using Answer = std::variant<Result<Bytes>, std::optional<crypto::ChainFailure>>;

class Method {
 public:
  // What a method makes of what came.
  struct Reply {
    enum class Kind : std::uint8_t {
      Send,    // `data`, behind the type
      Done,    // of a server alone: the peer has proven who it is
      Failed,  // `reason`: a sentence without a final stop
      Ask,     // `question`; it goes on with answer()
    };
    Kind kind{};
    Bytes data = {};
    std::string reason = {};
    std::optional<Question> question = {};
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
  // To the question that it asked last.
  virtual Reply answer(Answer) { return failed("nothing was asked"); }
  // Peer: an EAP Success may come now; before that it would be somebody's forgery (CVE-2021-45079).
  virtual bool complete() const = 0;
  // Once it is done: the key that both ends have now, kMskSize octets; empty where the method makes none.
  virtual Secret msk() const = 0;
  // "TLSv1.3, TLS_AES_256_GCM_SHA384", once it is done; empty: there is nothing to tell
  virtual std::string describe() const { return {}; }
  // Peer: what the server said against us. Server: what it said against the peer, which may try again. Empty: nothing.
  virtual std::string refusal() const { return {}; }

 protected:
  static Reply send(Bytes data) { return {Reply::Kind::Send, std::move(data)}; }
  static Reply done() { return {Reply::Kind::Done}; }
  static Reply failed(std::string reason) { return {Reply::Kind::Failed, {}, std::move(reason)}; }
  static Reply ask(Question question) { return {Reply::Kind::Ask, {}, {}, std::move(question)}; }
};

}  // namespace svti::eap
