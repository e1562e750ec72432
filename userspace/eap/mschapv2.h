// SPDX-License-Identifier: Apache-2.0
// EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2, RFC 2759): each end proves to the other that it has the password, and both have an MSK
// then.
//
//   server                                     peer
//   Challenge { challenge, name }          ──►
//                                          ◄── Response { its challenge, NT response, name }
//   Success { "S=" authenticator response }──►
//                                          ◄── Success
//   or, the password being wrong,
//   Failure { "E=691 R=1 C=" new challenge}──►
//                                          ◄── Failure, or with R=1 another Response
#pragma once

#include "eap/method.h"
#include "eap/mschapv2_keys.h"

namespace svti::eap {

class MsChapV2Server : public Method {
 public:
  // A peer whose password was wrong may try again so often.
  static constexpr unsigned kRetries = 2;

  // `user`: whose password it is; the peer may put a domain before it. `name` is shown to the peer.
  MsChapV2Server(Secret password, std::string user, std::string name, Entropy& entropy);

  Type type() const override { return Type::MsChapV2; }
  Reply begin(std::uint8_t identifier) override;
  Reply receive(std::uint8_t identifier, ByteView data) override;
  bool complete() const override { return state_ == State::Complete; }
  Secret msk() const override { return msk_.clone(); }
  std::string refusal() const override { return state_ == State::ToldFailure ? reason_ : std::string(); }

 private:
  enum class State : std::uint8_t { Challenged, ToldSuccess, ToldFailure, Complete };

  Reply on_response(ByteView body);
  Reply refuse(std::string reason);
  void draw_challenge();

  const Secret password_;
  const std::string user_, name_;
  Entropy& entropy_;
  State state_ = State::Challenged;
  MsChallenge challenge_{};
  std::uint8_t id_ = 0;  // of the Response awaited
  unsigned failures_ = 0;
  std::string reason_;  // of the last failure
  Secret msk_;
};

class MsChapV2Peer : public Method {
 public:
  MsChapV2Peer(Secret password, std::string user, Entropy& entropy);

  Type type() const override { return Type::MsChapV2; }
  Reply begin(std::uint8_t identifier) override;
  Reply receive(std::uint8_t identifier, ByteView data) override;
  bool complete() const override { return state_ == State::Complete; }
  Secret msk() const override { return msk_.clone(); }
  std::string refusal() const override { return refusal_; }

 private:
  enum class State : std::uint8_t { Begun, Responded, Refused, Complete };

  Reply on_challenge(ByteView data);
  Reply on_success(ByteView data);
  Reply on_failure(ByteView data);

  const Secret password_;
  const std::string user_;
  Entropy& entropy_;
  State state_ = State::Begun;
  AuthenticatorResponse expected_{};
  Secret msk_;
  std::string refusal_;
};

}  // namespace svti::eap
