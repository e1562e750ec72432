// SPDX-License-Identifier: Apache-2.0
// The daemon's side: a fetcher's process for each fetch, some at a time. Whatever becomes of it, it is ended when its time is over.
#pragma once

#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "fetch/service.h"
#include "model/fetcher.h"

namespace svti::fetch {

class Client final : public model::Fetcher {
 public:
  using Start = std::function<Result<Started>(const std::string& vrf)>;  // in that VRF's network namespace
  static constexpr std::size_t kMostAtOnce = 8;                          // processes
  static constexpr std::size_t kMostWaiting = 256;                       // for one; more are refused

  // Everything happens in the thread that runs `loop`, which must outlive it.
  Client(boost::asio::io_context& loop, Start start);
  ~Client() override;

  void fetch(model::Fetch what, Done done) override;

 private:
  struct Running;
  struct Waiting {
    model::Fetch what;
    Done done;
  };
  void begin_next();
  void read(const std::shared_ptr<Running>& job);
  void finish(const std::shared_ptr<Running>& job, Result<Bytes> answer);

  boost::asio::io_context& loop_;
  Start start_;
  std::list<std::shared_ptr<Running>> running_;
  std::deque<Waiting> waiting_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace svti::fetch
