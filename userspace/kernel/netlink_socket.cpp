// SPDX-License-Identifier: Apache-2.0
#include "kernel/netlink_socket.h"

#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/secret.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

namespace svti::kernel {

namespace {

// The kernel's dumps come in datagrams of at most 32 KiB.
constexpr std::size_t kDatagramSize = 64 * 1024;
// Room for bursts of events (a hard expiry of 10,000 SAs) and for a full window of answers.
constexpr int kReceiveBuffer = 8 * 1024 * 1024;
constexpr int kAnswerSeconds = 10;
constexpr int kDumpTries = 5;

void set_option(int fd, int level, int option, int value) { (void)setsockopt(fd, level, option, &value, sizeof(value)); }

}  // namespace

void NetlinkSocket::Free::operator()(nl_sock* socket) const { nl_socket_free(socket); }

NetlinkSocket::NetlinkSocket(nl_sock* socket) : socket_(socket), buffer_(kDatagramSize) {}

Result<NetlinkSocket> NetlinkSocket::open(int protocol, Waiting waiting, std::initializer_list<int> groups) {
  NetlinkSocket out(nl_socket_alloc());
  if (!out.socket_) throw std::bad_alloc();
  nl_sock* socket = out.socket_.get();
  const std::string name = protocol == NETLINK_XFRM ? "NETLINK_XFRM" : "NETLINK_ROUTE";
  if (const int error = nl_connect(socket, protocol); error < 0) {
    return system_error("cannot open a " + name + " socket: " + nl_geterror(error) +
                        (protocol == NETLINK_XFRM ? "; does the kernel have CONFIG_XFRM_USER (modprobe xfrm_user)?" : ""));
  }
  for (const int group : groups) {
    if (const int error = nl_socket_add_membership(socket, group); error < 0) {
      return system_error("cannot join group " + std::to_string(group) + " of " + name + ": " + nl_geterror(error));
    }
  }
  const int fd = out.fd();
  if (waiting == Waiting::NonBlocking) nl_socket_set_nonblocking(socket);
  // Best effort all of them: they make errors clearer and losses rarer. Forced where we may (CAP_NET_ADMIN), else up to rmem_max.
  if (int size = kReceiveBuffer; setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0) {
    set_option(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  }
  set_option(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
  // A refusal would otherwise carry the whole request back, keys included.
  set_option(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
  // Dumps of routes then come filtered by protocol. (Linux 4.20)
  set_option(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  const timeval limit{kAnswerSeconds, 0};
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  return out;
}

int NetlinkSocket::fd() const { return nl_socket_get_fd(socket_.get()); }

int NetlinkSocket::send(ByteView messages) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  for (;;) {
    if (::sendto(fd(), messages.data(), messages.size(), 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel)) >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

NetlinkSocket::Received NetlinkSocket::receive() {
  for (;;) {
    sockaddr_nl sender{};
    iovec part{buffer_.data(), buffer_.size()};
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof(sender);
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    const ssize_t size = ::recvmsg(fd(), &header, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return {errno, {}};
    filled_ = std::max(filled_, static_cast<std::size_t>(size));
    // Any process may send to a netlink port; only the kernel has port 0.
    if (header.msg_namelen != sizeof(sender) || sender.nl_pid != 0) continue;
    // Larger than anything the kernel makes: what is cut off is lost.
    if ((header.msg_flags & MSG_TRUNC) != 0) return {ENOBUFS, {}};
    return {0, {buffer_.data(), static_cast<std::size_t>(size)}};
  }
}

Status NetlinkSocket::ask(Bytes request, const std::function<void()>& restart, const std::function<Status(const MessageView&)>& visit) {
  const auto first = read_struct<nlmsghdr>(request, "request");
  if (!first) return fail(first.error());
  const bool is_dump = (first->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

  Result<Verdict> verdict = Verdict::Inconsistent;
  for (int attempt = 0; attempt < kDumpTries && verdict && *verdict == Verdict::Inconsistent; ++attempt) {
    if (attempt > 0) restart();
    set_sequence(request, ++sequence_);
    if (const int error = send(request); error != 0) {
      verdict = system_error("cannot send to the kernel: " + to_string(Ack{error, {}}));
      break;
    }
    verdict = collect(sequence_, is_dump, visit);
  }
  wipe({buffer_.data(), filled_});
  wipe(request);
  filled_ = 0;
  if (!verdict) return fail(verdict.error());
  if (*verdict == Verdict::Inconsistent) return system_error("the kernel's tables change faster than they can be read");
  return {};
}

// reads until the end of the answer to `sequence`
Result<NetlinkSocket::Verdict> NetlinkSocket::collect(std::uint32_t sequence, bool is_dump,
                                                      const std::function<Status(const MessageView&)>& visit) {
  bool complete = false;
  bool consistent = true;
  while (!complete) {
    const Received received = receive();
    if (received.error == ENOBUFS) return Verdict::Inconsistent;
    if (received.error == EAGAIN) return system_error("the kernel did not answer within " + std::to_string(kAnswerSeconds) + " s");
    if (received.error != 0) return system_error("cannot read the kernel's answer: " + to_string(Ack{received.error, {}}));
    const Status status = for_each_message(received.datagram, [&](const MessageView& message) -> Status {
      if (message.sequence != sequence) return {};  // left over from a question that was given up
      if ((message.flags & NLM_F_DUMP_INTR) != 0) consistent = false;
      if (message.type == NLMSG_ERROR || message.type == NLMSG_DONE) {
        complete = true;
        // Without an error code NLMSG_DONE ends a dump that went well.
        if (message.type == NLMSG_DONE && message.payload.size() < sizeof(int)) return {};
        const auto ack = parse_ack(message);
        if (!ack) return fail(ack.error());
        if (ack->error == EINTR || ack->error == EAGAIN) {
          consistent = false;
          return {};
        }
        if (ack->error != 0) return system_error(to_string(*ack));
        return {};
      }
      if (message.type == NLMSG_NOOP) return {};
      if (!is_dump) complete = true;
      return visit(message);
    });
    if (!status) return fail(status.error());
  }
  return consistent ? Verdict::Complete : Verdict::Inconsistent;
}

}  // namespace svti::kernel
