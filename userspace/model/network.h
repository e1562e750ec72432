// SPDX-License-Identifier: Apache-2.0
// IKE datagrams in and out (UDP 500 and 4500). `net` implements it over sockets, tests over nothing.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/ip.h"
#include "base/result.h"

namespace svti::model {

inline constexpr std::uint16_t kIkePort = 500;
inline constexpr std::uint16_t kNatTraversalPort = 4500;  // RFC 3948: IKE there has the four-octet non-ESP marker in front

struct Datagram {
  Endpoint local;  // its port says which of the two sockets
  Endpoint remote;
  Bytes payload;  // the IKE message alone: non-ESP marker removed, or yet to be added
};

class Transport {
 public:
  using Receive = std::function<void(const Datagram&)>;
  using Returned = std::function<void(const Endpoint& sent_to, const std::string& text)>;

  virtual ~Transport() = default;
  // Sent now or dropped: UDP gives no promise. The error is for the log.
  virtual Status send(const Datagram& datagram) = 0;
  // one octet 0xff from the NAT-traversal port (RFC 3948 2.3)
  virtual Status send_keepalive(const Endpoint& local, const Endpoint& remote) = 0;
  // called from the event loop for each datagram; keepalives and runts are dropped before
  virtual void set_receive(Receive receive) = 0;
  // Called from the event loop with what ICMP, or our own routing, said about a datagram: "192.0.2.9 answered: port unreachable". Anybody
  // can forge it: it is told, and never acted upon (RFC 7296 2.4).
  virtual void set_returned(Returned returned) = 0;
};

// A UDP socket for something else than IKE, of the VRF it was opened for.
class PlainSocket {
 public:
  // Called from the event loop for each datagram, not from inside send(), and not after the destructor.
  using Receive = std::function<void(const Endpoint& from, ByteView octets)>;
  struct Where {
    Endpoint local;                  // an unspecified address: the kernel's choice; port 0: any that is free
    std::optional<Endpoint> remote;  // nobody else is listened to; none: anybody
  };

  virtual ~PlainSocket() = default;
  virtual Status send(const Endpoint& to, ByteView octets) = 0;
};

using OpenPlainSocket = std::function<Result<std::unique_ptr<PlainSocket>>(const PlainSocket::Where& where, PlainSocket::Receive receive)>;

}  // namespace svti::model
