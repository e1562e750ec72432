// SPDX-License-Identifier: Apache-2.0
// Makes keys in a signer of its own, for that takes long (RSA) and others wait for the signer. One at a time.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>

#include "auth/signer.h"
#include "signer/service.h"

namespace svti::signer {

class KeyMaker final : public auth::KeyMaker {
 public:
  using Start = std::function<Result<Started>()>;
  static constexpr std::chrono::minutes kLongest{5};  // an RSA key of 8,192 bits takes a minute on a slow machine

  // Everything happens in the thread that runs `loop`, which must outlive it.
  KeyMaker(boost::asio::io_context& loop, Start start) : loop_(loop), start_(std::move(start)), limit_(loop) {}
  ~KeyMaker() override;

  void make(auth::NewKeyWish wish, Done done) override;

 private:
  void await_answer();
  void on_readable();
  void finish(Result<auth::NewKey> made);
  void end_process();

  boost::asio::io_context& loop_;
  Start start_;
  boost::asio::steady_timer limit_;
  Started started_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> socket_;
  Done done_;  // set while a key is being made
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace svti::signer
