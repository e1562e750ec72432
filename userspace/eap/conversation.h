// SPDX-License-Identifier: Apache-2.0
// EAP between two ends (RFC 3748 section 4), the lower layer being somebody else's: packets in, packets and the outcome out. A conversation
// knows neither time nor how often it was asked: whoever carries it bounds both.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "crypto/tls.h"
#include "eap/method.h"

namespace svti::eap {

// What comes of a packet.
struct Step {
  enum class Kind : std::uint8_t {
    Send,     // `packet`, and then the other end's is awaited
    Success,  // server: `packet` is the EAP Success to be sent; peer: it has come
    Failure,  // server: `packet` is the EAP Failure to be sent; peer: nothing is to be sent
    Ask,      // nothing: `question` is to be answered first, by answer()
  };
  Kind kind{};
  Bytes packet = {};
  Secret msk = {};          // of Success; empty: the method makes none
  std::string reason = {};  // of Failure: a sentence without a final stop
  std::optional<Question> question = {};
};

// The asking end. A RADIUS server stands behind the same: its packets are passed on instead of made, and what it says is a Step as well.
class Server {
 public:
  // The password of a user. An error says why there is none; the conversation goes on as if there were one, so that the peer cannot find
  // out which users there are, and fails with that reason.
  using PasswordOf = std::function<Result<Secret>(const Bytes& identity)>;

  // `method`: MD5 or MSCHAPv2. `identity`: of the peer; empty: it is asked. `name` is shown to the peer. `entropy` outlives this object.
  Server(Type method, Bytes identity, std::string name, PasswordOf password_of, Entropy& entropy);
  // EAP-TLS
  Server(crypto::TlsSession::Setup setup, Bytes identity, Entropy& entropy);

  Step begin();
  Step receive(ByteView packet);
  Step answer(Answer answer);
  const Bytes& identity() const { return identity_; }  // empty: not known yet
  // what the peer's last answer lacked, while it may try again; empty: nothing
  std::string refusal() const;
  std::string describe() const { return method_ ? method_->describe() : std::string(); }  // Method::describe()

 private:
  Step begin_method();
  Step take(Method::Reply reply);
  Step fail(std::string reason);

  const Type type_;
  Bytes identity_;
  const std::string name_;
  const PasswordOf password_of_;
  const crypto::TlsSession::Setup setup_;  // of EAP-TLS
  Entropy& entropy_;
  std::uint8_t identifier_ = 0;  // of the request that awaits its response
  std::unique_ptr<Method> method_;
  std::string no_password_;  // why there is none
};

// The end that proves who it is.
class Peer {
 public:
  // `identity` is what it answers when it is asked, and its user's name
  Peer(Type method, Bytes identity, Secret password, Entropy& entropy);
  // EAP-TLS
  Peer(const crypto::TlsSession::Setup& setup, Bytes identity);

  // A packet of the server: a Response comes of it, or the outcome.
  Step receive(ByteView packet);
  Step answer(Answer answer);
  std::string describe() const { return method_->describe(); }

 private:
  Step on_request(const PacketView& packet);
  Step respond(Type type, ByteView data) const;
  Step take(Method::Reply reply) const;

  const Bytes identity_;
  std::uint8_t identifier_ = 0;  // of the request at hand
  std::unique_ptr<Method> method_;
  bool begun_ = false;
};

// whether the MSK of this method proves to each end that the other one has the secret too
constexpr bool is_mutual(Type type) { return type == Type::MsChapV2 || type == Type::Tls; }

}  // namespace svti::eap
