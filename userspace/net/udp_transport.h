// SPDX-License-Identifier: Apache-2.0
// IKE over UDP: sockets for the IKE port and the NAT-traversal port, in IPv4 and IPv6.
//
// On the NAT-traversal port the kernel takes ESP packets out (RFC 3948 2.1) and IKE messages carry the non-ESP marker (2.2).
// IKE itself is exempt from the IPsec policies of the host: each socket has a policy of its own that lets it pass.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "base/log.h"
#include "base/result.h"
#include "model/network.h"

namespace svti::net {

struct UdpPorts {
  std::uint16_t ike = model::kIkePort;
  std::uint16_t nat_traversal = model::kNatTraversalPort;
};

// One thread: that of the event loop. The receiver is called from the loop, never from inside a method, and not after the destructor.
// Addresses that need a zone (fe80::/10) are not supported: a datagram to one is refused, one from there dropped.
class UdpTransport final : public model::Transport {
 public:
  // Binds all addresses of the families that the host has. `loop` must outlive the transport. Error: a port is in use or not ours
  // to take. What makes it less useful without stopping it (no ESP in UDP, no policy exemption) is logged.
  static Result<std::unique_ptr<UdpTransport>> create(boost::asio::io_context& loop, UdpPorts ports, LogSink log);
  ~UdpTransport() override;  // sends what is queued

  // Queued and sent, with what else comes up, at the end of the loop's turn at the latest. `local`: exactly this source address, or
  // with an unspecified one the kernel's choice; its port must be one of the two. What goes wrong later is logged, as UDP is.
  Status send(const model::Datagram& datagram) override;
  Status send_keepalive(const Endpoint& local, const Endpoint& remote) override;
  void set_receive(Receive receive) override;
  void set_returned(Returned returned) override;
  void flush();  // sends what is queued now

 private:
  class Impl;
  explicit UdpTransport(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;
};

}  // namespace svti::net
