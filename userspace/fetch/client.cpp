// SPDX-License-Identifier: Apache-2.0
#include "fetch/client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "fetch/packet.h"

namespace svti::fetch {

namespace {

constexpr std::chrono::seconds kGrace{2};  // a process that does not keep its time is ended
constexpr std::size_t kPiece = 64 * 1024;

}  // namespace

struct Client::Running {
  Running(boost::asio::io_context& loop, const Started& of, Waiting job)
      : started(of), socket(loop, of.socket), timer(loop), of_job(std::move(job)) {}
  Started started;
  boost::asio::posix::stream_descriptor socket;
  boost::asio::steady_timer timer;
  Waiting of_job;
  Bytes answer;
  std::array<std::uint8_t, kPiece> piece{};
};

Client::Client(boost::asio::io_context& loop, Start start) : loop_(loop), start_(std::move(start)) {}

Client::~Client() {
  for (const auto& job : running_) {
    kill(job->started.process, SIGKILL);
    waitpid(job->started.process, nullptr, 0);
  }
}

void Client::fetch(model::Fetch what, Done done) {
  if (waiting_.size() >= kMostWaiting) {
    return boost::asio::post(loop_, [done = std::move(done)] { done(system_error("too much is being fetched")); });
  }
  waiting_.push_back({std::move(what), std::move(done)});
  boost::asio::post(loop_, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) begin_next();
  });
}

void Client::begin_next() {
  while (running_.size() < kMostAtOnce && !waiting_.empty()) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    auto started = start_(next.what.vrf);
    if (!started) {
      next.done(fail(started.error()));
      continue;
    }
    const Bytes request = encode(next.what);
    const auto job = std::make_shared<Running>(loop_, *started, std::move(next));
    running_.push_back(job);
    // a new socket has room for it
    const bool sent =
        send(started->socket, request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(request.size());
    shutdown(started->socket, SHUT_WR);
    if (!sent) {
      finish(job, system_error("the fetcher was not reached"));
      continue;
    }
    fcntl(started->socket, F_SETFL, fcntl(started->socket, F_GETFL) | O_NONBLOCK);
    job->timer.expires_after(job->of_job.what.time + kGrace);
    job->timer.async_wait([this, job, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
      if (!error && !alive.expired())
        finish(job, system_error("there was no answer within " + std::to_string(job->of_job.what.time.count()) + " s"));
    });
    read(job);
  }
}

void Client::read(const std::shared_ptr<Running>& job) {
  job->socket.async_read_some(boost::asio::buffer(job->piece), [this, job, alive = std::weak_ptr(alive_)](
                                                                   const boost::system::error_code& error, std::size_t size) {
    if (alive.expired() || error == boost::asio::error::operation_aborted) return;
    if (error) return finish(job, decode_answer(job->answer));
    job->answer.insert(job->answer.end(), job->piece.begin(), job->piece.begin() + static_cast<std::ptrdiff_t>(size));
    if (job->answer.size() > job->of_job.what.most_octets + kMaxReason + 1)
      return finish(job, system_error("the fetcher says more than it was asked"));
    read(job);
  });
}

void Client::finish(const std::shared_ptr<Running>& job, Result<Bytes> answer) {
  const auto at = std::find(running_.begin(), running_.end(), job);
  if (at == running_.end()) return;  // ended before
  running_.erase(at);
  job->timer.cancel();
  job->socket.close();
  kill(job->started.process, SIGKILL);
  waitpid(job->started.process, nullptr, 0);
  boost::asio::post(loop_, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) begin_next();
  });
  job->of_job.done(std::move(answer));
}

}  // namespace svti::fetch
