// SPDX-License-Identifier: Apache-2.0
// EAP-TLS: RFC 5216 with TLS 1.2, RFC 9190 with TLS 1.3. Each end shows a certificate and proves that it has its key; both have an MSK
// then. Who the other end is stands in its certificate: whoever answers the question about its chain compares names.
//
//   server                                      peer
//   Start                                   ──►
//                                           ◄── ClientHello
//   ServerHello ... Finished                ──►                  in fragments, each of which the peer confirms by a packet without content
//                                           ◄── Certificate ... Finished
//   TLS 1.2: Finished; 1.3: one octet of 0  ──►                  RFC 9190 2.1.1: nothing else is to come, and an EAP Success may
//                                           ◄── without content
#pragma once

#include <optional>

#include "crypto/tls.h"
#include "eap/method.h"

namespace svti::eap {

// TLS messages as type data of packets, and back (RFC 5216 2.1.5, 3.1).
class TlsFragments {
 public:
  static constexpr std::size_t kFragmentSize = 1024;     // octets of TLS in a packet of ours
  static constexpr std::size_t kMaxMessage = 32 * 1024;  // of the other end
  static constexpr std::uint8_t kStart = 0x20;

  // A message to send; an empty one is a packet without content.
  void load(Bytes message);
  bool sending() const { return at_ < message_.size(); }  // some of it is left
  Bytes next();

  // One packet's data. A message that is whole now; nothing: more of it follows, once it was answered by a packet without content. Error:
  // its form is wrong, or the message too large.
  Result<std::optional<Bytes>> take(ByteView data);

 private:
  Bytes message_, received_;
  std::size_t at_ = 0;
  std::optional<std::size_t> announced_;  // size of the message that is being received in fragments
};

class TlsMethod : public Method {
 public:
  Type type() const override { return Type::Tls; }
  Reply answer(Answer answer) override;
  bool complete() const override { return state_ == State::Complete; }
  Secret msk() const override { return msk_.clone(); }
  std::string describe() const override { return session_->describe(); }

 protected:
  enum class State : std::uint8_t {
    Begun,
    Handshake,
    Finishing,  // server: its last message awaits its confirmation; peer: of TLS 1.3, the octet that says that no more will come
    Told,       // the other end was told why it fails
    Complete,
  };
  using Stop = crypto::TlsSession::Stop;

  TlsMethod(Result<crypto::TlsSession> session, bool server) : session_(std::move(session)), server_(server) {}
  // what to do now that the handshake is through
  virtual Reply opened() = 0;

  // What the other end's packet means for what is under way: an answer to it, or a whole message in `message`.
  std::optional<Reply> take_packet(ByteView data, Bytes& message);
  Reply go_on(Stop stop);
  Reply flush();  // what TLS has to say
  Reply give_up(std::string reason);
  std::optional<std::string> derive_key();  // an error, if any

  Result<crypto::TlsSession> session_;
  const bool server_;
  TlsFragments fragments_;
  State state_ = State::Begun;
  std::string reason_;  // of Told

 private:
  Secret msk_;
};

class TlsServer final : public TlsMethod {
 public:
  explicit TlsServer(const crypto::TlsSession::Setup& setup) : TlsMethod(crypto::TlsSession::make(setup), true) {}

  Reply begin(std::uint8_t identifier) override;
  Reply receive(std::uint8_t identifier, ByteView data) override;
  std::string refusal() const override { return state_ == State::Told ? reason_ : std::string(); }

 private:
  Reply opened() override;
};

class TlsPeer final : public TlsMethod {
 public:
  explicit TlsPeer(const crypto::TlsSession::Setup& setup) : TlsMethod(crypto::TlsSession::make(setup), false) {}

  Reply begin(std::uint8_t identifier) override;
  Reply receive(std::uint8_t identifier, ByteView data) override;
  std::string refusal() const override { return reason_; }

 private:
  Reply opened() override;
  Reply on_indication();
};

}  // namespace svti::eap
