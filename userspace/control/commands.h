// SPDX-License-Identifier: Apache-2.0
// What each VICI command does, told in terms of engine::Service (docs/vici.md, "Commands"). No socket in here.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "control/catalogue.h"
#include "control/overlay_keeper.h"
#include "engine/service.h"
#include "vici/message.h"

namespace svti::control {

// The client that sent a request. Whoever answers later holds it weakly: it may vanish at any time. `request` names the request meant; what
// comes for one that is answered already is dropped.
class Requester {
 public:
  virtual ~Requester() = default;
  virtual bool listens_to(std::string_view event) const = 0;
  // to this client alone, and only if it listens to the event
  virtual void send_event(std::uint64_t request, std::string_view event, const vici::Message& message) = 0;
  virtual void respond(std::uint64_t request, const vici::Message& message) = 0;
  // Keeps `held` until the client leaves or the server closes, whichever is first; then drops it. For what a request began and never ends.
  virtual void hold(std::shared_ptr<void> held) = 0;
};

// What belongs to the server, not to one client.
struct Loaded {
  Catalogue catalogue;
  OverlayKeeper overlay;  // brings the catalogue to the engine
  LogSink log;            // may be empty
  // reads the daemon's own files again, as SIGHUP does; empty: there are none
  std::function<Status()> reload;

  Loaded(boost::asio::io_context& loop, engine::Service& service, LogSink sink, std::function<Status()> reload_files)
      : overlay(loop, service, catalogue, sink), log(std::move(sink)), reload(std::move(reload_files)) {}
};

struct Call {
  engine::Service& service;
  std::string_view version;                       // of the daemon
  std::chrono::system_clock::time_point started;  // when the server opened
  std::shared_ptr<Requester> requester;
  std::uint64_t request = 0;
  const vici::Message& parameters;
  std::string& upload;  // the client's own: configuration text that came in earlier requests with `more`
  Loaded& loaded;
};

// Events that are made one by one as the client takes them, then the response.
struct Streamed {
  std::string event;
  std::function<std::optional<vici::Message>()> next;  // none: that was the last
  vici::Message response;
};
// The response comes, or came, through Requester::respond.
struct Deferred {};
using Reply = std::variant<vici::Message, Streamed, Deferred>;

// none: there is no such command
std::optional<Reply> carry_out(std::string_view command, const Call& call);
bool is_known_event(std::string_view event);

vici::Message success();
vici::Message failure(std::string_view reason);  // success = no, errmsg

// octets of configuration text that one client may have under way
inline constexpr std::size_t kMaxUpload = 16 * 1024 * 1024;

}  // namespace svti::control
