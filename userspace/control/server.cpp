// SPDX-License-Identifier: Apache-2.0
#include "control/server.h"

#include <algorithm>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <set>

#include "control/render_events.h"
#include "control/render_vici.h"
#include "control/session.h"
#include "control/socket_file.h"

namespace svti::control {

namespace {

constexpr milliseconds kAcceptRetry{1000};  // after an accept that failed for want of descriptors or memory
constexpr LogLevel kLogEventLevel = 1;      // the protocol's `log` event carries levels 0 and 1

}  // namespace

class Server::Core : public std::enable_shared_from_this<Server::Core> {
 public:
  Core(boost::asio::io_context& loop, engine::Service& service, ServerOptions options, SocketFile file)
      : service_(service),
        options_(std::move(options)),
        loaded_(loop, service, options_.log, options_.reload),
        file_(std::move(file)),
        acceptor_(loop, boost::asio::local::stream_protocol(), file_.release()),
        retry_timer_(loop) {}

  void start() {
    auto host = std::make_shared<Session::Host>(Session::Host{
        service_, loaded_, options_.version, std::chrono::system_clock::now(), options_.max_queued, options_.stall_timeout, {}, {}, {}});
    host->on_registrations = [core = weak_from_this()] {
      if (const auto self = core.lock()) self->follow_if_wanted();
    };
    host->on_broken = [core = weak_from_this()](const std::shared_ptr<Session>& session, const std::string& why) {
      if (const auto self = core.lock()) self->drop(session, why);
    };
    host->log = [core = weak_from_this()](std::string text) {
      if (const auto self = core.lock()) self->log(1, std::move(text));
    };
    host_ = std::move(host);
    accept();
  }

  void close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    retry_timer_.cancel();
    for (const auto& session : sessions_) session->close();
    sessions_.clear();
    follow_if_wanted();
  }

  std::size_t clients() const { return sessions_.size(); }

 private:
  void accept() {
    acceptor_.async_accept([core = weak_from_this()](const boost::system::error_code& failure, Session::Socket socket) {
      const auto self = core.lock();
      if (!self || !self->acceptor_.is_open()) return;
      if (failure) return self->accept_later(failure.message());
      self->add(std::move(socket));
      self->accept();
    });
  }

  void accept_later(const std::string& why) {
    log(1, "cannot accept a client: " + why);
    retry_timer_.expires_after(kAcceptRetry);
    retry_timer_.async_wait([core = weak_from_this()](const boost::system::error_code& failure) {
      const auto self = core.lock();
      if (self && !failure) self->accept();
    });
  }

  void add(Session::Socket socket) {
    if (sessions_.size() >= options_.max_clients) {
      log(1, "client refused: there are " + std::to_string(sessions_.size()) + " already");
      return;
    }
    const auto session = std::make_shared<Session>(std::move(socket), host_);
    sessions_.insert(session);
    session->start();
  }

  void drop(const std::shared_ptr<Session>& session, const std::string& why) {
    session->close();
    sessions_.erase(session);
    follow_if_wanted();
    if (!why.empty()) log(1, "client dropped: " + why);
  }

  void follow_if_wanted() {
    follow_log_if_wanted();
    follow_sas_if_wanted();
  }

  // Happenings are made into events only while somebody listens to that very event.
  void follow_sas_if_wanted() {
    const bool wanted = std::any_of(kSaEvents.begin(), kSaEvents.end(), [this](std::string_view event) { return anybody_listens(event); });
    if (wanted == static_cast<bool>(unfollow_sas_)) return;
    if (!wanted) return std::exchange(unfollow_sas_, nullptr)();
    unfollow_sas_ = service_.subscribe_events([core = weak_from_this()](const engine::Event& happened) {
      const auto self = core.lock();
      if (!self) return;
      for (const auto& [name, message] : sa_events(happened)) {
        for (const auto& session : self->sessions_) session->broadcast(name, message);
      }
    });
  }

  bool anybody_listens(std::string_view event) const {
    return std::any_of(sessions_.begin(), sessions_.end(), [event](const auto& session) { return session->listens_to(event); });
  }

  // Log lines are made into events only while somebody listens.
  void follow_log_if_wanted() {
    const bool wanted = anybody_listens("log");
    if (wanted == static_cast<bool>(unfollow_log_)) return;
    if (!wanted) return std::exchange(unfollow_log_, nullptr)();
    unfollow_log_ = service_.subscribe_log(kLogEventLevel, [core = weak_from_this()](const LogLine& line) {
      const auto self = core.lock();
      if (!self) return;
      const vici::Message event = log_event(line);
      for (const auto& session : self->sessions_) session->broadcast("log", event);
    });
  }

  void log(LogLevel level, std::string text) const {
    if (options_.log) options_.log(LogLine{Subsystem::Daemon, level, {}, "control socket: " + std::move(text)});
  }

  engine::Service& service_;
  ServerOptions options_;
  Loaded loaded_;
  SocketFile file_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  boost::asio::steady_timer retry_timer_;
  std::shared_ptr<const Session::Host> host_;
  std::set<std::shared_ptr<Session>> sessions_;
  std::function<void()> unfollow_log_, unfollow_sas_;  // empty: not followed
};

Result<std::unique_ptr<Server>> Server::open(boost::asio::io_context& loop, engine::Service& service, ServerOptions options) {
  Result<SocketFile> file = SocketFile::listen(options.path, options.group);
  if (!file) return fail(file.error());
  auto core = std::make_shared<Core>(loop, service, std::move(options), std::move(*file));
  core->start();
  return std::unique_ptr<Server>(new Server(std::move(core)));
}

Server::Server(std::shared_ptr<Core> core) : core_(std::move(core)) {}
Server::~Server() { core_->close(); }
std::size_t Server::clients() const { return core_->clients(); }

}  // namespace svti::control
