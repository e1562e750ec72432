// SPDX-License-Identifier: Apache-2.0
// The VICI server: clients on a unix socket, each with its own queue of requests and its own bounded output (docs/vici.md).
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "engine/service.h"

namespace svti::control {

inline constexpr std::string_view kDefaultSocket = "/run/svti-iked.vici";

struct ServerOptions {
  std::string path{kDefaultSocket};
  std::string group;    // may use the socket; empty: the daemon's own group
  std::string version;  // of the daemon, for clients that ask
  LogSink log;          // what happens on the socket; may be empty
  // for clients that ask for reload-settings: reads the daemon's own files again; may be empty
  std::function<Status()> reload;
  std::size_t max_clients = 256;
  // Octets waiting for one client that does not read. A streamed listing keeps far below it, events may reach it: then the client is
  // dropped.
  std::size_t max_queued = 2 * 1024 * 1024;
  milliseconds stall_timeout{30000};  // a client that takes nothing of what waits for it for so long is dropped
};

// Everything happens in the thread that runs `loop`; the destructor must be called there, or when the loop does not run.
class Server {
 public:
  // Binds `options.path` with mode 0660 and accepts. The file of a dead daemon is replaced; a socket that somebody answers on, or a file
  // that is no socket, is an error. `loop` and `service` must outlive the server; callbacks that `service` still holds then do nothing.
  static Result<std::unique_ptr<Server>> open(boost::asio::io_context& loop, engine::Service& service, ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();  // drops all clients and removes the socket file

  std::size_t clients() const;

  class Core;

 private:
  explicit Server(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace svti::control
