// SPDX-License-Identifier: Apache-2.0
// The daemon's side of the signer's process. Survives its end: what was asked fails with a clear error, and another is started.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/log.h"
#include "signer/packet.h"
#include "signer/service.h"

namespace svti::signer {

class Client final : public auth::Signer {
 public:
  using Start = std::function<Result<Started>()>;
  static constexpr std::size_t kMostPending = 4096;  // signatures asked for at a time; more are refused

  // Everything happens in the thread that runs `loop`, which must outlive it, as must what `log` needs.
  Client(boost::asio::io_context& loop, Start start, LogSink log);
  ~Client() override;

  void set_keys(const std::vector<std::shared_ptr<const model::PrivateKey>>& keys) override;
  void sign(auth::SigningRequest request, Done done) override;
  auth::KeyState state(const Bytes& key_id) const override;
  pid_t process() const { return started_.process; }  // -1: there is none

 private:
  void begin();
  void put_all();
  bool transmit(const Request& request);
  void try_key(const Bytes& id);
  void await_answers();
  void on_readable();
  void ended(const std::string& why);

  boost::asio::io_context& loop_;
  Start start_;
  LogSink log_;
  Started started_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> socket_;
  boost::asio::steady_timer again_;
  std::chrono::milliseconds pause_;  // before the next start
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::map<Bytes, std::shared_ptr<const model::PrivateKey>> keys_;
  std::map<Bytes, std::string> problems_;  // of sealed keys that could not be opened
  std::map<std::uint64_t, Done> pending_;
  std::uint64_t next_ = 1;
  std::string last_words_;
};

}  // namespace svti::signer
