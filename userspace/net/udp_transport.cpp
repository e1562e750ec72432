// SPDX-License-Identifier: Apache-2.0
#include "net/udp_transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
// the kernel's headers want libc's before them
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/xfrm.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace svti::net {

namespace asio = boost::asio;
using model::Datagram;

namespace {

constexpr std::size_t kMarkerSize = 4;          // RFC 3948 2.2: four zero octets, where ESP has its SPI
constexpr std::size_t kIkeHeaderSize = 28;      // RFC 7296 3.1
constexpr std::size_t kLargestPayload = 65507;  // of UDP over IPv4
constexpr std::size_t kSlot = 65536;            // of the receive buffer
constexpr std::size_t kBatch = 32;              // datagrams for one system call
constexpr std::size_t kBatchesPerTurn = 4;      // of one socket, then the others have their turn
constexpr std::size_t kErrorsPerTurn = 16;
constexpr int kReceiveBuffer = 4 * 1024 * 1024;  // some 5,000 IKE messages: a restart of many peers at once

bool needs_zone(const IpAddress& address) { return address.is_v6() && address.bytes()[0] == 0xfe && (address.bytes()[1] & 0xc0) == 0x80; }

socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& out) {
  std::memset(&out, 0, sizeof(out));
  const ByteView octets = endpoint.address.bytes();
  if (endpoint.address.is_v4()) {
    auto& address = reinterpret_cast<sockaddr_in&>(out);
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    std::memcpy(&address.sin_addr, octets.data(), octets.size());
    return sizeof(sockaddr_in);
  }
  auto& address = reinterpret_cast<sockaddr_in6&>(out);
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(endpoint.port);
  std::memcpy(&address.sin6_addr, octets.data(), octets.size());
  return sizeof(sockaddr_in6);
}

IpAddress to_address(const void* octets, std::size_t size) {
  return *IpAddress::from_bytes({static_cast<const std::uint8_t*>(octets), size});
}

Endpoint to_endpoint(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in&>(from);
    return {to_address(&address.sin_addr, 4), ntohs(address.sin_port)};
  }
  const auto& address = reinterpret_cast<const sockaddr_in6&>(from);
  return {to_address(&address.sin6_addr, 16), ntohs(address.sin6_port)};
}

std::string error_text(int error) { return std::strerror(error); }

// What an ICMP message, or our own routing, says about one destination. Nothing is wrong with the socket.
bool is_about_the_path(int error) {
  return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == EHOSTDOWN || error == ENETDOWN ||
         error == EPROTO || error == ENOPROTOOPT || error == EACCES || error == EMSGSIZE || error == EOPNOTSUPP;
}

std::string describe_icmp(std::uint8_t type, std::uint8_t code) {
  if (type == ICMP_DEST_UNREACH) {
    switch (code) {
      case ICMP_NET_UNREACH:
        return "network unreachable";
      case ICMP_HOST_UNREACH:
        return "host unreachable";
      case ICMP_PROT_UNREACH:
        return "protocol unreachable";
      case ICMP_PORT_UNREACH:
        return "port unreachable";
      case ICMP_FRAG_NEEDED:
        return "fragmentation needed";
      case ICMP_NET_ANO:
      case ICMP_HOST_ANO:
      case ICMP_PKT_FILTERED:
        return "administratively prohibited";
      default:
        break;
    }
  }
  if (type == ICMP_TIME_EXCEEDED) return "time exceeded on the way";
  return "ICMP type " + std::to_string(type) + " code " + std::to_string(code);
}

std::string describe_icmpv6(std::uint8_t type, std::uint8_t code) {
  if (type == ICMPV6_DEST_UNREACH) {
    switch (code) {
      case ICMPV6_NOROUTE:
        return "network unreachable";
      case ICMPV6_ADM_PROHIBITED:
        return "administratively prohibited";
      case ICMPV6_ADDR_UNREACH:
        return "host unreachable";
      case ICMPV6_PORT_UNREACH:
        return "port unreachable";
      default:
        break;
    }
  }
  if (type == ICMPV6_PKT_TOOBIG) return "packet too big";
  if (type == ICMPV6_TIME_EXCEED) return "time exceeded on the way";
  return "ICMPv6 type " + std::to_string(type) + " code " + std::to_string(code);
}

// who says what: "192.0.2.9 answered: port unreachable"; what this host finds out by itself has no such sender
std::string describe_error(const sock_extended_err& error, const sockaddr_storage& offender) {
  const bool v4 = error.ee_origin == SO_EE_ORIGIN_ICMP, v6 = error.ee_origin == SO_EE_ORIGIN_ICMP6;
  if ((!v4 && !v6) || (offender.ss_family != AF_INET && offender.ss_family != AF_INET6))
    return error_text(static_cast<int>(error.ee_errno));
  return to_endpoint(offender).address.to_string() +
         " answered: " + (v4 ? describe_icmp(error.ee_type, error.ee_code) : describe_icmpv6(error.ee_type, error.ee_code));
}

// A control message with room for one packet info of either family and, on the error queue, the error and its offender.
union Control {
  cmsghdr align;
  std::array<char, 256> octets;
};

}  // namespace

class UdpTransport::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& loop, UdpPorts ports, LogSink log) : loop_(loop), ports_(ports), log_(std::move(log)) {}

  Status open();
  Status send(const Endpoint& local, const Endpoint& remote, Bytes octets);
  void set_receive(Receive receive) { receive_ = std::move(receive); }
  void set_returned(Returned returned) { returned_ = std::move(returned); }
  void flush();
  void close();
  const UdpPorts& ports() const { return ports_; }

 private:
  struct Outgoing {
    Endpoint local;
    Endpoint remote;
    Bytes octets;
  };
  struct Socket {
    Socket(asio::io_context& loop, IpFamily of_family, std::uint16_t of_port) : socket(loop), family(of_family), port(of_port) {}
    int fd() { return socket.native_handle(); }

    asio::ip::udp::socket socket;
    IpFamily family;
    std::uint16_t port;
    std::vector<Outgoing> outgoing;
  };

  Result<std::unique_ptr<Socket>> open_socket(IpFamily family, std::uint16_t port);
  Status prepare(Socket& socket);
  void exempt_from_policies(Socket& socket);
  void take_esp_out(Socket& socket);
  void watch(Socket& socket);
  void read(Socket& socket);
  void read_errors(Socket& socket);
  void received(Socket& socket, msghdr& header, ByteView octets);
  void send_batch(Socket& socket, std::span<const Outgoing> batch);
  void flush(Socket& socket);
  Socket* find(IpFamily family, std::uint16_t port);
  bool is_nat_traversal(const Socket& socket) const { return socket.port == ports_.nat_traversal; }
  void came_back(const Endpoint& sent_to, const std::string& text);
  void log(LogLevel level, std::string text) const { log_({Subsystem::Network, level, {}, std::move(text)}); }

  asio::io_context& loop_;
  UdpPorts ports_;
  LogSink log_;
  Receive receive_;
  Returned returned_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  bool flush_posted_ = false;
  bool closed_ = false;
  // one batch of received datagrams; not cleared, so pages that no datagram reaches take no memory
  std::unique_ptr<std::uint8_t[]> buffer_ = std::make_unique_for_overwrite<std::uint8_t[]>(kBatch * kSlot);
};

// ---- set-up

Status UdpTransport::Impl::open() {
  if (ports_.ike == ports_.nat_traversal) return config_error("the IKE port and the NAT-traversal port are the same");
  for (const IpFamily family : {IpFamily::V4, IpFamily::V6}) {
    for (const std::uint16_t port : {ports_.ike, ports_.nat_traversal}) {
      auto socket = open_socket(family, port);
      if (!socket) return fail(socket.error());
      if (*socket) sockets_.push_back(std::move(*socket));
    }
  }
  if (sockets_.empty()) return system_error("the host has neither IPv4 nor IPv6");
  for (const auto& socket : sockets_) watch(*socket);
  return {};
}

// null: the host does not have this family
Result<std::unique_ptr<UdpTransport::Impl::Socket>> UdpTransport::Impl::open_socket(IpFamily family, std::uint16_t port) {
  const bool v4 = family == IpFamily::V4;
  const asio::ip::udp protocol = v4 ? asio::ip::udp::v4() : asio::ip::udp::v6();
  auto out = std::make_unique<Socket>(loop_, family, port);
  boost::system::error_code error;
  out->socket.open(protocol, error);
  if (error.value() == EAFNOSUPPORT) {
    log(1, std::string("no ") + (v4 ? "IPv4" : "IPv6") + " on this host");
    return nullptr;
  }
  if (error) return system_error("cannot open a UDP socket: " + error.message());
  if (Status status = prepare(*out); !status) return fail(status.error());

  out->socket.bind({protocol, port}, error);
  const std::string number = std::to_string(port);
  if (error.value() == EADDRINUSE) {
    return system_error("UDP port " + number + " is in use by another program (ss -ulpn 'sport = :" + number +
                        "' shows which): stop it; strongSwan, libreswan and other IKE daemons use the same ports");
  }
  if (error.value() == EACCES) return system_error("UDP port " + number + " needs root or CAP_NET_BIND_SERVICE");
  if (error.value() == EADDRNOTAVAIL && !v4) {  // IPv6 compiled in but switched off
    log(1, "no IPv6 on this host: it is disabled (net.ipv6.conf.all.disable_ipv6)");
    return nullptr;
  }
  if (error) return system_error("cannot bind UDP port " + number + ": " + error.message());
  return out;
}

Status UdpTransport::Impl::prepare(Socket& socket) {
  const bool v4 = socket.family == IpFamily::V4;
  const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
  const auto set = [&](int at, int option, int value) { return ::setsockopt(socket.fd(), at, option, &value, sizeof(value)) == 0; };

  if (!v4 && !set(IPPROTO_IPV6, IPV6_V6ONLY, 1)) return system_error("IPV6_V6ONLY: " + error_text(errno));
  if (!set(level, v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, 1)) return system_error("cannot learn destination addresses: " + error_text(errno));
  // Large IKE messages (certificates) may be fragmented on their way; a don't-fragment bit would lose them.
  if (!set(level, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, v4 ? IP_PMTUDISC_DONT : IPV6_PMTUDISC_DONT)) {
    return system_error("cannot allow fragmentation: " + error_text(errno));
  }
  // What ICMP says about where we sent to, for the log
  (void)set(level, v4 ? IP_RECVERR : IPV6_RECVERR, 1);
  if (!set(SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBuffer)) (void)set(SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  boost::system::error_code error;
  socket.socket.native_non_blocking(true, error);
  if (error) return system_error("cannot make a socket non-blocking: " + error.message());
  exempt_from_policies(socket);
  if (is_nat_traversal(socket)) take_esp_out(socket);
  return {};
}

void UdpTransport::Impl::exempt_from_policies(Socket& socket) {
  const bool v4 = socket.family == IpFamily::V4;
  xfrm_userpolicy_info policy{};
  policy.action = XFRM_POLICY_ALLOW;
  policy.sel.family = v4 ? AF_INET : AF_INET6;
  for (const int direction : {XFRM_POLICY_IN, XFRM_POLICY_OUT}) {
    policy.dir = static_cast<__u8>(direction);
    if (::setsockopt(socket.fd(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_XFRM_POLICY : IPV6_XFRM_POLICY, &policy, sizeof(policy)) == 0)
      continue;
    log(1, "UDP port " + std::to_string(socket.port) +
               " is not exempt from IPsec policies, so a policy that covers the peer's own address would stop IKE: " + error_text(errno));
    return;
  }
}

void UdpTransport::Impl::take_esp_out(Socket& socket) {
  const int type = UDP_ENCAP_ESPINUDP;
  if (::setsockopt(socket.fd(), IPPROTO_UDP, UDP_ENCAP, &type, sizeof(type)) == 0) return;
  log(1, std::string("the kernel takes no ESP in UDP over ") + (socket.family == IpFamily::V4 ? "IPv4" : "IPv6") +
             ", so no NAT traversal: " + error_text(errno));
}

UdpTransport::Impl::Socket* UdpTransport::Impl::find(IpFamily family, std::uint16_t port) {
  const auto it = std::find_if(sockets_.begin(), sockets_.end(),
                               [&](const std::unique_ptr<Socket>& socket) { return socket->family == family && socket->port == port; });
  return it == sockets_.end() ? nullptr : it->get();
}

// ---- in

// async_wait() is level-triggered: what read() leaves wakes it again.
void UdpTransport::Impl::watch(Socket& socket) {
  socket.socket.async_wait(asio::ip::udp::socket::wait_read, [weak = weak_from_this(), &socket](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!self || error) return;
    self->read(socket);
    self->watch(socket);
  });
}

void UdpTransport::Impl::read(Socket& socket) {
  std::array<mmsghdr, kBatch> headers;
  std::array<iovec, kBatch> parts;
  std::array<sockaddr_storage, kBatch> senders;
  std::array<Control, kBatch> controls;
  for (std::size_t batch = 0; batch < kBatchesPerTurn; ++batch) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      parts[i] = {buffer_.get() + i * kSlot, kSlot};
      msghdr& header = headers[i].msg_hdr;
      header = {};
      header.msg_name = &senders[i];
      header.msg_namelen = sizeof(senders[i]);
      header.msg_iov = &parts[i];
      header.msg_iovlen = 1;
      header.msg_control = &controls[i];
      header.msg_controllen = sizeof(controls[i]);
    }
    const int count = ::recvmmsg(socket.fd(), headers.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (count < 0) {
      // The pending error of an earlier datagram, told once; its particulars are in the error queue.
      if (!is_about_the_path(errno)) log(1, "cannot receive on UDP port " + std::to_string(socket.port) + ": " + error_text(errno));
      continue;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      received(socket, headers[i].msg_hdr, {static_cast<const std::uint8_t*>(parts[i].iov_base), headers[i].msg_len});
    }
    if (static_cast<std::size_t>(count) < kBatch) break;
  }
  read_errors(socket);
}

void UdpTransport::Impl::received(Socket& socket, msghdr& header, ByteView octets) {
  const auto& sender = *static_cast<const sockaddr_storage*>(header.msg_name);
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || (sender.ss_family != AF_INET && sender.ss_family != AF_INET6)) return;
  Datagram out;
  out.remote = to_endpoint(sender);
  bool to_us_alone = false;
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(control), sizeof(info));
      out.local.address = to_address(&info.ipi_addr, 4);
      to_us_alone = info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr;  // not so for broadcast and multicast
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(control), sizeof(info));
      out.local.address = to_address(&info.ipi6_addr, 16);
      to_us_alone = !IN6_IS_ADDR_MULTICAST(&info.ipi6_addr);
    }
  }
  out.local.port = socket.port;
  if (!to_us_alone || needs_zone(out.remote.address) || out.remote.port == 0) return;

  if (is_nat_traversal(socket)) {
    if (octets.size() == 1 && octets[0] == 0xff) return;  // RFC 3948 2.3: a keepalive, of which a receiver takes no notice
    constexpr std::array<std::uint8_t, kMarkerSize> kMarker{};
    // Without the marker it is ESP, which the kernel takes where it can.
    if (octets.size() < kMarkerSize || !equal(octets.first(kMarkerSize), kMarker)) {
      log(2, "dropped a datagram of " + std::to_string(octets.size()) + " octets from " + out.remote.to_string() + ": no non-ESP marker");
      return;
    }
    octets = octets.subspan(kMarkerSize);
  }
  if (octets.size() < kIkeHeaderSize) {
    log(2,
        "dropped a datagram from " + out.remote.to_string() + ": " + std::to_string(octets.size()) + " octets are less than an IKE header");
    return;
  }
  out.payload = to_bytes(octets);
  if (receive_ && !closed_) receive_(out);
}

// Told alone, since anybody can forge it (RFC 7296 2.4).
void UdpTransport::Impl::came_back(const Endpoint& sent_to, const std::string& text) {
  log(2, "cannot reach " + sent_to.to_string() + ": " + text);
  if (returned_ && !closed_) returned_(sent_to, text);
}

// What ICMP said about datagrams that we sent.
void UdpTransport::Impl::read_errors(Socket& socket) {
  for (std::size_t i = 0; i < kErrorsPerTurn; ++i) {
    sockaddr_storage destination{};
    Control control;
    msghdr header{};
    header.msg_name = &destination;
    header.msg_namelen = sizeof(destination);
    header.msg_control = &control;
    header.msg_controllen = sizeof(control);
    if (::recvmsg(socket.fd(), &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
      const bool v4 = part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR;
      const bool v6 = part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR;
      if (!v4 && !v6) continue;
      sock_extended_err error;
      std::memcpy(&error, CMSG_DATA(part), sizeof(error));
      if (destination.ss_family != AF_INET && destination.ss_family != AF_INET6) continue;
      // SO_EE_OFFENDER: the address behind the error
      sockaddr_storage offender{};
      const std::size_t offered = part->cmsg_len - CMSG_LEN(sizeof(error));
      std::memcpy(&offender, CMSG_DATA(part) + sizeof(error), std::min(offered, sizeof(offender)));
      came_back(to_endpoint(destination), describe_error(error, offender));
    }
  }
}

// ---- out

Status UdpTransport::Impl::send(const Endpoint& local, const Endpoint& remote, Bytes octets) {
  const std::string target = remote.to_string();
  if (octets.size() > kLargestPayload)
    return system_error(std::to_string(octets.size()) + " octets to " + target + ": larger than a datagram");
  if (local.address.family() != remote.address.family())
    return system_error("from " + local.to_string() + " to " + target + ": one family is needed");
  if (needs_zone(remote.address)) return system_error("to " + target + ": link-local addresses are not supported");
  if (remote.address.is_any() || remote.port == 0) return system_error("to " + target + ": nobody is there");
  Socket* const socket = find(local.address.family(), local.port);
  if (socket == nullptr) return system_error("to " + target + ": no socket for " + local.to_string());

  socket->outgoing.push_back({local, remote, std::move(octets)});
  if (socket->outgoing.size() >= kBatch) {
    flush(*socket);
    return {};
  }
  if (flush_posted_) return {};
  flush_posted_ = true;
  asio::post(loop_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->flush();
  });
  return {};
}

void UdpTransport::Impl::flush() {
  flush_posted_ = false;
  for (const auto& socket : sockets_) flush(*socket);
}

// The receiver may end the transport while a batch of datagrams is being handed to it.
void UdpTransport::Impl::close() {
  flush();
  closed_ = true;
}

void UdpTransport::Impl::flush(Socket& socket) {
  const auto outgoing = std::exchange(socket.outgoing, {});
  for (std::size_t at = 0; at < outgoing.size(); at += kBatch) {
    send_batch(socket, std::span(outgoing).subspan(at, std::min(kBatch, outgoing.size() - at)));
  }
}

// at most kBatch datagrams
void UdpTransport::Impl::send_batch(Socket& socket, std::span<const Outgoing> batch) {
  std::array<mmsghdr, kBatch> headers;
  std::array<iovec, kBatch> parts;
  std::array<sockaddr_storage, kBatch> targets;
  std::array<Control, kBatch> controls;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Outgoing& datagram = batch[i];
    parts[i] = {const_cast<std::uint8_t*>(datagram.octets.data()), datagram.octets.size()};
    msghdr& header = headers[i].msg_hdr;
    header = {};
    header.msg_name = &targets[i];
    header.msg_namelen = to_sockaddr(datagram.remote, targets[i]);
    header.msg_iov = &parts[i];
    header.msg_iovlen = 1;
    if (datagram.local.address.is_any()) continue;  // the kernel chooses the source
    const bool v4 = datagram.local.address.is_v4();
    const ByteView source = datagram.local.address.bytes();
    controls[i].octets.fill(0);
    header.msg_control = &controls[i];
    header.msg_controllen = v4 ? CMSG_SPACE(sizeof(in_pktinfo)) : CMSG_SPACE(sizeof(in6_pktinfo));
    cmsghdr* const control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
    control->cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
    control->cmsg_len = v4 ? CMSG_LEN(sizeof(in_pktinfo)) : CMSG_LEN(sizeof(in6_pktinfo));
    std::memcpy(CMSG_DATA(control) + (v4 ? offsetof(in_pktinfo, ipi_spec_dst) : offsetof(in6_pktinfo, ipi6_addr)), source.data(),
                source.size());
  }

  std::size_t sent = 0;
  bool retried = false;
  while (sent < batch.size()) {
    const int count = ::sendmmsg(socket.fd(), headers.data() + sent, static_cast<unsigned>(batch.size() - sent), MSG_DONTWAIT);
    if (count > 0) {
      sent += static_cast<std::size_t>(count);
      retried = false;
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    // May be the pending error of an earlier datagram to somebody else, told once: so try again.
    if (is_about_the_path(error) && !std::exchange(retried, true)) continue;
    const bool no_source = error == EINVAL || error == EADDRNOTAVAIL || error == ENODEV;
    const std::string why = no_source ? "the host does not have this source address (any more)" : error_text(error);
    log(is_about_the_path(error) ? 2 : 1,
        "cannot send from " + batch[sent].local.to_string() + " to " + batch[sent].remote.to_string() + ": " + why);
    if (returned_ && !closed_) returned_(batch[sent].remote, why);
    ++sent;  // dropped: whoever sent it retransmits
    retried = false;
  }
}

// ---- the outside

UdpTransport::UdpTransport(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
UdpTransport::~UdpTransport() { impl_->close(); }

Result<std::unique_ptr<UdpTransport>> UdpTransport::create(asio::io_context& loop, UdpPorts ports, LogSink log) {
  auto impl = std::make_shared<Impl>(loop, ports, std::move(log));
  if (Status status = impl->open(); !status) return fail(status.error());
  return std::unique_ptr<UdpTransport>(new UdpTransport(std::move(impl)));
}

Status UdpTransport::send(const Datagram& datagram) {
  Bytes octets;
  octets.reserve(kMarkerSize + datagram.payload.size());
  if (datagram.local.port == impl_->ports().nat_traversal) octets.resize(kMarkerSize);
  octets.insert(octets.end(), datagram.payload.begin(), datagram.payload.end());
  return impl_->send(datagram.local, datagram.remote, std::move(octets));
}

Status UdpTransport::send_keepalive(const Endpoint& local, const Endpoint& remote) {
  if (local.port != impl_->ports().nat_traversal)
    return system_error("a keepalive from " + local.to_string() + ": not the NAT-traversal port");
  return impl_->send(local, remote, Bytes{0xff});
}

void UdpTransport::set_receive(Receive receive) { impl_->set_receive(std::move(receive)); }

void UdpTransport::set_returned(Returned returned) { impl_->set_returned(std::move(returned)); }

void UdpTransport::flush() { impl_->flush(); }

}  // namespace svti::net
