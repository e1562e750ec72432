// SPDX-License-Identifier: Apache-2.0
#include "ikectl/client.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace svti::ikectl {

namespace {

constexpr std::string_view kStartDaemon = "start it with `systemctl start svti-iked`, or name its socket with --socket";

std::string permission_hint(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return "run ikectl as root";  // its folder is closed to us
  const group* owner = getgrgid(found.st_gid);
  if (owner == nullptr || found.st_gid == 0) return "run ikectl as root";
  return std::string("it is open to the group ") + owner->gr_name + ": run ikectl as root, or join with `usermod -aG " + owner->gr_name +
         " USER`";
}

Error connect_error(const std::string& path, int code) {
  switch (code) {
    case ENOENT:
      return {Fault::Surroundings, "there is no socket " + path + ", svti-iked seems not to run: " + std::string(kStartDaemon)};
    case ECONNREFUSED:
      return {Fault::Surroundings, "nobody answers on " + path + ", svti-iked has ended: " + std::string(kStartDaemon)};
    case EACCES:
    case EPERM:
      return {Fault::Surroundings, "no permission to use " + path + "; " + permission_hint(path)};
    default:
      return {Fault::Surroundings, "cannot connect to " + path + ": " + std::strerror(code)};
  }
}

}  // namespace

Result<Client> Client::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return config_error("\"" + path + "\" cannot be the path of a socket");
  path.copy(address.sun_path, path.size());
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return system_error(std::string("cannot make a socket: ") + std::strerror(errno));
  Client client(descriptor);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return fail(connect_error(path, errno));
  return client;
}

Client::Client(Client&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), segments_(std::move(other.segments_)) {}

Client::~Client() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<vici::Message> Client::call(std::string_view command, const vici::Message& parameters, std::string_view event,
                                   const OnEvent& on_event) {
  if (!event.empty()) {
    if (const Status listening = listen_to(event); !listening) return fail(listening.error());
  }
  if (const Status sent = send(vici::PacketType::CommandRequest, command, parameters); !sent) return fail(sent.error());
  while (true) {
    const Result<vici::PacketView> packet = receive();
    if (!packet) return fail(packet.error());
    if (packet->type == vici::PacketType::CommandUnknown)
      return system_error("the daemon does not know the command " + std::string(command));
    Result<vici::Message> message = vici::parse_message(packet->message);
    if (!message || packet->type == vici::PacketType::CommandResponse) return message;
    if (packet->type != vici::PacketType::Event) return peer_error("the daemon's answer is out of order");
    if (on_event && packet->name == event) on_event(*message);
  }
}

Status Client::listen(std::string_view event, const OnEvent& on_event) {
  if (const Status listening = listen_to(event); !listening) return listening;
  while (true) {
    const Result<vici::PacketView> packet = receive();
    if (!packet) return fail(packet.error());
    const Result<vici::Message> message = vici::parse_message(packet->message);
    if (!message) return fail(message.error());
    if (packet->type == vici::PacketType::Event && packet->name == event) on_event(*message);
  }
}

Status Client::listen_to(std::string_view event) {
  if (const Status sent = send(vici::PacketType::EventRegister, event); !sent) return sent;
  while (true) {
    const Result<vici::PacketView> packet = receive();
    if (!packet) return fail(packet.error());
    if (packet->type == vici::PacketType::EventConfirm) return {};
    if (packet->type == vici::PacketType::EventUnknown) return system_error("the daemon does not know the event " + std::string(event));
    if (packet->type != vici::PacketType::Event) return peer_error("the daemon's answer is out of order");
  }
}

Status Client::send(vici::PacketType type, std::string_view name, const vici::Message& message) {
  const Result<Bytes> packet = vici::encode_packet(type, name, message);
  if (!packet) return fail(packet.error());
  for (std::size_t sent = 0; sent < packet->size();) {
    const ssize_t taken = ::send(descriptor_, packet->data() + sent, packet->size() - sent, MSG_NOSIGNAL);
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0) return system_error(std::string("the daemon does not take the request: ") + std::strerror(errno));
    sent += static_cast<std::size_t>(taken);
  }
  return {};
}

Result<vici::PacketView> Client::receive() {
  while (true) {
    const Result<std::optional<ByteView>> segment = segments_.next();
    if (!segment) return fail(segment.error());
    if (*segment) return vici::parse_packet(**segment);
    std::array<std::uint8_t, 64 * 1024> input;
    const ssize_t size = recv(descriptor_, input.data(), input.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error(std::string("the connection to the daemon broke: ") + std::strerror(errno));
    if (size == 0) return system_error("the daemon closed the connection; its log says why: `journalctl -u svti-iked`");
    segments_.append(ByteView(input).first(static_cast<std::size_t>(size)));
  }
}

Status outcome_of(const vici::Message& response) {
  const Result<bool> success = response.flag("success", true);
  if (!success) return fail(success.error());
  if (*success) return {};
  return system_error(printable(response.text("errmsg", "the daemon gives no reason"), 4096));
}

}  // namespace svti::ikectl
