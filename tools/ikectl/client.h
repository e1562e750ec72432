// SPDX-License-Identifier: Apache-2.0
// The blocking end of a VICI connection: one command at a time.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "vici/packet.h"

namespace svti::ikectl {

class Client {
 public:
  using OnEvent = std::function<void(const vici::Message&)>;

  // The error says what to do: start the daemon, or which group to join.
  static Result<Client> connect(const std::string& path);
  Client(Client&& other) noexcept;
  Client& operator=(Client&&) = delete;
  ~Client();

  // Sends a command and waits for its response, without a time limit. With `event`, listens to it from here on; each one that comes before
  // the response is given to `on_event`. A response that says success = no is a response, not an error.
  Result<vici::Message> call(std::string_view command, const vici::Message& parameters, std::string_view event = {},
                             const OnEvent& on_event = {});
  // Gives each `event` to `on_event` until the connection ends, which is an error.
  Status listen(std::string_view event, const OnEvent& on_event);

 private:
  explicit Client(int descriptor) : descriptor_(descriptor) {}
  Status listen_to(std::string_view event);
  Status send(vici::PacketType type, std::string_view name, const vici::Message& message = {});
  Result<vici::PacketView> receive();  // borrows until the next receive()

  int descriptor_ = -1;
  vici::SegmentReader segments_;
};

// success = no becomes the error that errmsg tells
Status outcome_of(const vici::Message& response);

}  // namespace svti::ikectl
