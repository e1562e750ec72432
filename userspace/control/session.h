// SPDX-License-Identifier: Apache-2.0
// One client of the VICI server: its octets in, its requests in order, its output bounded.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/commands.h"
#include "vici/packet.h"

namespace svti::control {

// The events that carry the daemon's log: of them a client that does not keep up loses lines, and is told how many, rather than being
// dropped.
inline constexpr std::string_view kLogEvent = "log";
inline constexpr std::string_view kFollowEvent = "svti-log";

// Requests are carried out one after the other in the order sent; the next waits until the one before is answered and the client has taken
// most of the answer. Meanwhile further input is read up to one segment, so that a client that goes away is noticed.
class Session : public Requester, public std::enable_shared_from_this<Session> {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;

  // What the session needs of the server; valid until close() was called.
  struct Host {
    engine::Service& service;
    Loaded& loaded;
    std::string version;
    std::chrono::system_clock::time_point started;
    std::size_t max_queued;
    milliseconds stall_timeout;
    std::function<void()> on_registrations;  // a registration came or went
    // close() is due, and is the host's to call; why: empty when the client left
    std::function<void(const std::shared_ptr<Session>& session, const std::string& why)> on_broken;
    std::function<void(std::string text)> log;
  };

  Session(Socket socket, std::shared_ptr<const Host> host);
  void start();
  void close();  // now; afterwards nothing is called any more

  void broadcast(std::string_view event, const vici::Message& message);  // to any client that listens

  bool listens_to(std::string_view event) const override { return events_.contains(event); }
  void send_event(std::uint64_t request, std::string_view event, const vici::Message& message) override;
  void respond(std::uint64_t request, const vici::Message& message) override;
  void hold(std::shared_ptr<void> held) override { held_.push_back(std::move(held)); }

 private:
  void read();
  void pump();        // takes the next step, if the client has room for what it yields
  void pump_later();  // in a turn of the loop of its own, so that one client cannot keep the loop
  void stream();
  void handle(ByteView segment);
  void handle_request(const vici::PacketView& packet);
  void handle_registration(const vici::PacketView& packet);
  void send(vici::PacketType type, std::string_view name = {}, const vici::Message& message = {});
  void write();
  void watch_progress();
  void send_line(std::string_view event, const vici::Message& message);
  void tell_lost();
  bool follows_log() const { return listens_to(kLogEvent) || listens_to(kFollowEvent); }
  void break_off(const std::string& why);
  std::size_t queued() const { return pending_.size() + writing_.size() - written_; }

  Socket socket_;
  std::shared_ptr<const Host> host_;
  boost::asio::steady_timer stall_timer_;
  std::array<std::uint8_t, 16 * 1024> input_{};
  vici::SegmentReader segments_;
  std::set<std::string, std::less<>> events_;
  std::string upload_;
  std::vector<std::shared_ptr<void>> held_;

  std::uint64_t request_ = 0;  // the latest
  bool answering_ = false;     // request_ has no response yet
  std::optional<Streamed> streamed_;

  Bytes pending_;  // output not yet given to the socket
  Bytes writing_;  // output the socket is taking
  std::size_t written_ = 0;
  std::uint64_t lost_log_ = 0, lost_follow_ = 0;  // lines since a client that is behind was last told
  bool reading_ = false;
  bool pump_posted_ = false;
  bool broken_ = false;
  bool closed_ = false;
};

}  // namespace svti::control
