// SPDX-License-Identifier: Apache-2.0
// A netlink socket: opened with libnl, read and written in whole datagrams.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "kernel/netlink_message.h"

struct nl_sock;

namespace svti::kernel {

class NetlinkSocket {
 public:
  enum class Waiting { Blocking, NonBlocking };

  // `protocol`: NETLINK_XFRM or NETLINK_ROUTE. `groups`: multicast groups to join.
  static Result<NetlinkSocket> open(int protocol, Waiting waiting, std::initializer_list<int> groups = {});

  int fd() const;
  // Kernel-side, a request is carried out before this returns; its answer then waits to be read. All messages go or none does.
  // 0 or an errno.
  int send(ByteView messages);

  struct Received {
    int error = 0;      // an errno: EAGAIN nothing there, ENOBUFS messages were lost
    ByteView datagram;  // valid until the next call
  };
  // one datagram from the kernel; what others send is dropped
  Received receive();

  // Sends one request to a blocking socket and calls `visit` for each message of the answer up to its end. For a dump that the
  // kernel calls inconsistent (NLM_F_DUMP_INTR), and for lost messages, `restart` is called and the question put again, five
  // times at most. Both the buffer and the request
  // are wiped afterwards: they may hold keys.
  Status ask(Bytes request, const std::function<void()>& restart, const std::function<Status(const MessageView&)>& visit);

 private:
  struct Free {
    void operator()(nl_sock* socket) const;
  };
  explicit NetlinkSocket(nl_sock* socket);
  enum class Verdict { Complete, Inconsistent };
  Result<Verdict> collect(std::uint32_t sequence, bool is_dump, const std::function<Status(const MessageView&)>& visit);

  std::unique_ptr<nl_sock, Free> socket_;
  Bytes buffer_;
  std::size_t filled_ = 0;  // most octets that came since the last wipe
  std::uint32_t sequence_ = 0;
};

}  // namespace svti::kernel
