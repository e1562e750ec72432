// SPDX-License-Identifier: Apache-2.0
// The daemon's side of a token's process: keys of one place (model::TokenKey). The process is started when it is needed, killed when it
// does not answer in time, and started again not before a pause that grows. A PIN that was refused is not tried again.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "signer/service.h"
#include "signer/token_packet.h"

namespace svti::signer {

class TokenClient {
 public:
  using Start = std::function<Result<Started>()>;
  using Keys = std::map<Bytes, std::shared_ptr<const model::TokenKey>>;  // by model::PrivateKey::id
  static constexpr std::size_t kMostPending = 64;                        // asked for at a time; more are refused
  static constexpr std::size_t kMostPins = 16;                           // refused ones that are remembered
  struct Limits {
    std::chrono::milliseconds answer{10'000};  // for each; the peer's SA waits 25 s at most
    std::chrono::milliseconds first_pause{1'000}, longest_pause{60'000};
  };

  // Everything happens in the thread that runs `loop`, which must outlive it, as must what `log` needs.
  TokenClient(boost::asio::io_context& loop, Start start, Limits limits, LogSink log);
  ~TokenClient();
  TokenClient(const TokenClient&) = delete;
  TokenClient& operator=(const TokenClient&) = delete;

  // The keys there are from now on; those that are new, or have not been usable, are opened. Without any the process ends.
  void set_keys(Keys keys);
  bool has_keys() const { return !keys_.empty(); }
  bool knows_refused_pins() const { return !refused_.empty(); }
  bool is_busy() const { return !pending_.empty(); }
  void sign(auth::SigningRequest request, auth::Signer::Done done);
  void find(const std::shared_ptr<const model::TokenKey>& key, auth::Signer::Found done);
  // nothing: it is not one of the keys
  std::optional<auth::KeyState> state(const Bytes& id) const;
  pid_t process() const { return started_.process; }  // -1: there is none

 private:
  using Outcome = Result<std::variant<crypto::Signature, auth::TokenKeyFound, LoginNote>>;
  struct Held {
    std::shared_ptr<const model::TokenKey> key;
    std::string label;     // of the token; empty: not known
    std::string problem;   // empty: it is usable
    bool opening = false;  // asked for, and not answered
    bool opened = false;   // in the process that there is now
  };
  struct Pending {
    std::uint64_t number = 0;
    Secret packet;
    std::function<void(Outcome)> done;
    std::shared_ptr<const model::TokenKey> opens;  // null: a signature
    Bytes signs_by;                                // the key of a signature
    bool reopened = false;                         // it was put before this one
    bool resent = false;                           // to another process
  };

  Pending opening(const Bytes& id, Held& held);
  void ask(Pending pending);
  void send_next();
  Status begin();
  void await_answers();
  void on_readable();
  void take(TokenAnswer answer);
  void fail_first(const std::string& why);
  void ended(const std::string& why);
  std::string end_process();
  void refuse(const Secret& pin);
  bool is_refused(const Secret& pin) const;
  void report(Held& held, const std::string& problem);

  boost::asio::io_context& loop_;
  Start start_;
  Limits limits_;
  LogSink log_;
  Started started_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> socket_;
  boost::asio::steady_timer patience_;
  std::chrono::milliseconds pause_;                                    // after an end that was not its own wish
  std::chrono::steady_clock::time_point started_at_{}, not_before_{};  // the process; the next one
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::map<Bytes, Held> keys_;
  std::deque<Pending> pending_;
  bool sent_ = false;  // the first of them; the others wait for its answer: one may hold the same wrong PIN
  std::vector<Secret> refused_;
  bool pin_in_flight_ = false;  // of the first: given to the token, and nothing said of it
  std::uint64_t next_ = 1;
  std::string last_words_;
};

}  // namespace svti::signer
