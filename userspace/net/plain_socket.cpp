// SPDX-License-Identifier: Apache-2.0
#include "net/plain_socket.h"

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>

namespace svti::net {

namespace {

using boost::asio::ip::udp;

constexpr std::size_t kLargest = 65536;
constexpr int kPerTurn = 64;  // then the others of the loop have their turn

udp::endpoint to_asio(const Endpoint& endpoint) {
  const ByteView octets = endpoint.address.bytes();
  if (endpoint.address.is_v4()) {
    boost::asio::ip::address_v4::bytes_type bytes{};
    std::copy(octets.begin(), octets.end(), bytes.begin());
    return {boost::asio::ip::address_v4(bytes), endpoint.port};
  }
  boost::asio::ip::address_v6::bytes_type bytes{};
  std::copy(octets.begin(), octets.end(), bytes.begin());
  return {boost::asio::ip::address_v6(bytes), endpoint.port};
}

Endpoint from_asio(const udp::endpoint& endpoint) {
  if (endpoint.address().is_v4()) return {*IpAddress::from_bytes(endpoint.address().to_v4().to_bytes()), endpoint.port()};
  return {*IpAddress::from_bytes(endpoint.address().to_v6().to_bytes()), endpoint.port()};
}

// What waits for the socket holds it weakly: it may end within the receiver.
class Socket : public std::enable_shared_from_this<Socket> {
 public:
  Socket(boost::asio::io_context& loop, model::PlainSocket::Receive receive) : socket_(loop), receive_(std::move(receive)) {}

  Status open(const model::PlainSocket::Where& where) {
    const auto what = "UDP socket for " + (where.remote ? where.remote->to_string() : where.local.to_string());
    const udp::endpoint local = to_asio(where.local);
    boost::system::error_code error;
    socket_.open(local.protocol(), error);
    if (error) return system_error(what + ": " + error.message());
    if (local.protocol() == udp::v6()) socket_.set_option(boost::asio::ip::v6_only(true), error);
    if (!error) socket_.bind(local, error);
    if (!error && where.remote) socket_.connect(to_asio(*where.remote), error);
    if (!error) socket_.non_blocking(true, error);
    if (error) return system_error(what + ": " + error.message());
    connected_ = where.remote.has_value();
    return {};
  }

  Status send(const Endpoint& to, ByteView octets) {
    boost::system::error_code error;
    const auto buffer = boost::asio::buffer(octets.data(), octets.size());
    if (connected_)
      socket_.send(buffer, 0, error);
    else
      socket_.send_to(buffer, to_asio(to), 0, error);
    if (error) return system_error("cannot send to " + to.to_string() + ": " + error.message());
    return {};
  }

  void watch() {
    socket_.async_wait(udp::socket::wait_read, [weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (!self || error) return;
      self->read();
      if (self->receive_) self->watch();
    });
  }

  void close() {
    receive_ = {};
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

 private:
  void read() {
    for (int i = 0; i < kPerTurn && receive_; ++i) {
      udp::endpoint from;
      boost::system::error_code error;
      const std::size_t size = socket_.receive_from(boost::asio::buffer(buffer_), from, 0, error);
      if (error == boost::asio::error::would_block) return;
      if (error) continue;  // what ICMP says: whoever waits for an answer waits in vain
      const auto receive = receive_;
      receive(from_asio(from), ByteView(buffer_).first(size));
    }
  }

  udp::socket socket_;
  model::PlainSocket::Receive receive_;
  bool connected_ = false;
  std::array<std::uint8_t, kLargest> buffer_{};
};

class Handle final : public model::PlainSocket {
 public:
  explicit Handle(std::shared_ptr<Socket> socket) : socket_(std::move(socket)) {}
  ~Handle() override { socket_->close(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Status send(const Endpoint& to, ByteView octets) override { return socket_->send(to, octets); }

 private:
  std::shared_ptr<Socket> socket_;
};

}  // namespace

Result<std::unique_ptr<model::PlainSocket>> open_plain_socket(boost::asio::io_context& loop, const model::PlainSocket::Where& where,
                                                              model::PlainSocket::Receive receive) {
  auto socket = std::make_shared<Socket>(loop, std::move(receive));
  if (Status opened = socket->open(where); !opened) return fail(opened.error());
  socket->watch();
  return std::make_unique<Handle>(std::move(socket));
}

}  // namespace svti::net
