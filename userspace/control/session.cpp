// SPDX-License-Identifier: Apache-2.0
#include "control/session.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "base/log.h"
#include "control/render_vici.h"

namespace svti::control {

namespace {

// Output waiting for the client from which on its next request, or the next piece of a listing, waits.
constexpr std::size_t kLowWater = 64 * 1024;
// And from which on lines of the log are left out, until the client has read down to the low water.
constexpr std::size_t kLogRoom = 256 * 1024;

LogLine lost_lines(std::uint64_t count) {
  return {Subsystem::Daemon, 0, {}, std::to_string(count) + " lines of the log are lost here: they were not read in time"};
}

}  // namespace

Session::Session(Socket socket, std::shared_ptr<const Host> host)
    : socket_(std::move(socket)), host_(std::move(host)), stall_timer_(socket_.get_executor()) {}

void Session::start() { read(); }

void Session::close() {
  closed_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
  stall_timer_.cancel();
  streamed_.reset();
  events_.clear();
  held_.clear();
}

void Session::break_off(const std::string& why) {
  if (broken_ || closed_) return;
  broken_ = true;
  // Not now: the caller may be in the middle of a walk over all sessions, or of one of our own functions.
  boost::asio::post(socket_.get_executor(), [self = shared_from_this(), why] {
    if (!self->closed_) self->host_->on_broken(self, why);
  });
}

void Session::read() {
  // More than a segment is not needed to go on, so it stays in the socket until it is.
  if (reading_ || closed_ || segments_.buffered() > vici::kMaxSegmentSize + 4) return;
  reading_ = true;
  socket_.async_read_some(boost::asio::buffer(input_),
                          [self = shared_from_this()](const boost::system::error_code& failure, std::size_t size) {
                            self->reading_ = false;
                            if (self->closed_) return;
                            if (failure) return self->break_off({});
                            self->segments_.append(ByteView(self->input_).first(size));
                            self->pump();
                            self->read();
                          });
}

void Session::pump_later() {
  if (pump_posted_ || closed_) return;
  pump_posted_ = true;
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->pump_posted_ = false;
    self->pump();
    self->read();
  });
}

void Session::pump() {
  if (closed_ || broken_ || pump_posted_ || queued() >= kLowWater) return;
  if (streamed_) return stream();
  if (answering_) return;
  const Result<std::optional<ByteView>> segment = segments_.next();
  if (!segment) return break_off(segment.error().message);
  if (!*segment) return;
  handle(**segment);
  pump_later();
}

void Session::stream() {
  while (queued() < kLowWater) {
    if (broken_) return;
    const std::optional<vici::Message> message = streamed_->next();
    if (!message) {
      const vici::Message response = std::move(std::exchange(streamed_, std::nullopt)->response);
      return respond(request_, response);
    }
    send_event(request_, streamed_->event, *message);
  }
}

void Session::handle(ByteView segment) {
  const Result<vici::PacketView> packet = vici::parse_packet(segment);
  // Without its type and name nothing can be answered, and the client would take the next answer for this one's.
  if (!packet) return break_off(packet.error().message);
  switch (packet->type) {
    case vici::PacketType::CommandRequest:
      return handle_request(*packet);
    case vici::PacketType::EventRegister:
    case vici::PacketType::EventUnregister:
      return handle_registration(*packet);
    default:
      return break_off("packet type " + std::to_string(static_cast<unsigned>(packet->type)) + " is not for a client to send");
  }
}

void Session::handle_request(const vici::PacketView& packet) {
  ++request_;
  answering_ = true;
  const Result<vici::Message> parameters = vici::parse_message(packet.message);
  if (!parameters) return respond(request_, failure("malformed message: " + parameters.error().message));

  const Call call{host_->service, host_->version, host_->started, shared_from_this(), request_, *parameters, upload_, host_->loaded};
  std::optional<Reply> reply = carry_out(packet.name, call);
  host_->loaded.overlay.follow();
  if (!reply) {
    answering_ = false;
    return send(vici::PacketType::CommandUnknown);
  }
  if (const auto* message = std::get_if<vici::Message>(&*reply)) return respond(request_, *message);
  if (auto* streamed = std::get_if<Streamed>(&*reply)) streamed_ = std::move(*streamed);
}

void Session::handle_registration(const vici::PacketView& packet) {
  const bool add = packet.type == vici::PacketType::EventRegister;
  const bool done = add ? is_known_event(packet.name) : events_.erase(std::string(packet.name)) > 0;
  if (!done) return send(vici::PacketType::EventUnknown);
  if (add) events_.emplace(packet.name);
  send(vici::PacketType::EventConfirm);
  host_->on_registrations();
}

void Session::broadcast(std::string_view event, const vici::Message& message) {
  if (!listens_to(event)) return;
  if (event == kLogEvent || event == kFollowEvent) return send_line(event, message);
  send(vici::PacketType::Event, event, message);
}

void Session::send_line(std::string_view event, const vici::Message& message) {
  std::uint64_t& lost = event == kLogEvent ? lost_log_ : lost_follow_;
  // Once a line is lost, those that follow are too until that is told: lines stand in their order, with gaps where they are.
  if (lost > 0 || queued() > std::min(kLogRoom, host_->max_queued / 2)) {
    ++lost;
    return;
  }
  send(vici::PacketType::Event, event, message);
}

void Session::tell_lost() {
  if (queued() >= kLowWater) return;
  if (const std::uint64_t lost = std::exchange(lost_log_, 0); lost > 0 && listens_to(kLogEvent))
    send(vici::PacketType::Event, kLogEvent, log_event(lost_lines(lost)));
  if (const std::uint64_t lost = std::exchange(lost_follow_, 0); lost > 0 && listens_to(kFollowEvent)) {
    vici::Message message = follow_event(lost_lines(lost));
    message.add_number("lost", lost);
    send(vici::PacketType::Event, kFollowEvent, message);
  }
}

void Session::send_event(std::uint64_t request, std::string_view event, const vici::Message& message) {
  if (request == request_ && answering_) broadcast(event, message);
}

void Session::respond(std::uint64_t request, const vici::Message& message) {
  if (closed_ || request != request_ || !answering_) return;
  answering_ = false;
  send(vici::PacketType::CommandResponse, {}, message);
  pump_later();
}

void Session::send(vici::PacketType type, std::string_view name, const vici::Message& message) {
  if (closed_ || broken_) return;
  Result<Bytes> packet = vici::encode_packet(type, name, message);
  if (!packet && type == vici::PacketType::CommandResponse)
    packet = vici::encode_packet(type, {}, failure("cannot answer: " + packet.error().message));
  if (!packet) return host_->log("an event " + std::string(name) + " is lost: " + packet.error().message);
  if (queued() + packet->size() > host_->max_queued) return break_off("does not read: " + std::to_string(queued()) + " octets wait for it");
  pending_.insert(pending_.end(), packet->begin(), packet->end());
  if (writing_.empty()) write();
}

void Session::write() {
  if (written_ == writing_.size()) {
    writing_.clear();
    written_ = 0;
    std::swap(writing_, pending_);
    if (writing_.empty()) {
      stall_timer_.cancel();
      return;
    }
  }
  watch_progress();
  const auto rest = boost::asio::buffer(writing_.data() + written_, writing_.size() - written_);
  socket_.async_write_some(rest, [self = shared_from_this()](const boost::system::error_code& failure, std::size_t size) {
    if (self->closed_) return;
    if (failure) return self->break_off({});
    self->written_ += size;
    self->write();
    self->tell_lost();
    self->pump();
  });
}

void Session::watch_progress() {
  // A terminal that was stopped for a while finds its log going on, with a gap; what waits for it is bounded.
  if (follows_log()) {
    stall_timer_.cancel();
    return;
  }
  stall_timer_.expires_after(host_->stall_timeout);
  stall_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& failure) {
    if (!failure && !self->closed_) self->break_off("took nothing for " + std::to_string(self->host_->stall_timeout.count()) + " ms");
  });
}

}  // namespace svti::control
