// SPDX-License-Identifier: Apache-2.0
// rtnetlink for a command-line tool: build a request, send it, wait for the answer. Over libnl, which has no model of link kind
// "svti" and drops the kernel's sentence (extack): both are done here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

struct nl_msg;
struct nl_sock;

namespace svti::svtictl {

class Netns;

// A refusal by the kernel.
struct KernelError {
  int code = 0;      // errno value, positive
  std::string text;  // NLMSGERR_ATTR_MSG, empty when the kernel gave none
};

template <typename T>
using KernelResult = tl::expected<T, KernelError>;

// "<action>: the kernel says "<text>" (<errno in words>); <fix>", the sentence a user reads. Adds the fix itself for EPERM.
Error refusal(std::string_view action, const KernelError& error, std::string_view fix = {});

// A request under construction. Growing beyond 4 KiB is a bug of the caller and throws std::length_error.
class Request {
 public:
  Request(int type, int flags);  // RTM_*, NLM_F_*; NLM_F_REQUEST is implied
  ~Request();
  Request(Request&&) noexcept;
  Request& operator=(Request&&) noexcept;

  // the family header (ifinfomsg, rtmsg, ...): once, before any attribute
  template <typename Header>
  Request& header(const Header& value) {
    append(&value, sizeof value);
    return *this;
  }
  Request& put(int attribute, ByteView value);
  Request& put_u8(int attribute, std::uint8_t value);
  Request& put_u16_network(int attribute, std::uint16_t value);  // in network order
  Request& put_u32(int attribute, std::uint32_t value);
  Request& put_i32(int attribute, std::int32_t value);
  Request& put_text(int attribute, std::string_view value);  // with a final zero
  template <typename Fill>
  Request& nest(int attribute, Fill fill) {
    void* const start = open_nest(attribute);
    fill(*this);
    close_nest(start);
    return *this;
  }

  ByteView view() const;  // the message as it stands; borrows
  nl_msg* get() const { return message_; }

 private:
  void append(const void* data, std::size_t size);
  void* open_nest(int attribute);
  void close_nest(void* start);

  nl_msg* message_;
};

// A NETLINK_ROUTE, NETLINK_GENERIC or NETLINK_XFRM socket with extack and strict checking of dump requests. Not thread-safe.
class Netlink {
 public:
  static Result<Netlink> open();                       // in the network namespace of the calling thread
  static Result<Netlink> open_generic();               // the same, of NETLINK_GENERIC
  static Result<Netlink> open_xfrm();                  // the same, of NETLINK_XFRM
  static Result<Netlink> open_in(const Netns& netns);  // in `netns`; the thread is back in its own on return
  ~Netlink();
  Netlink(Netlink&&) noexcept;
  Netlink& operator=(Netlink&&) noexcept;

  // for a request that changes something: ends with the kernel's acknowledgement
  KernelResult<void> execute(Request& request);
  // for a get or a dump: each answer with its nlmsghdr. A dump that the kernel marks as interrupted is repeated.
  KernelResult<std::vector<Bytes>> query(Request& request);
  int fd() const;
  // events of a multicast group (RTNLGRP_*) are to be received: use a socket for nothing else from then on
  KernelResult<void> join(int group);
  // waits for events; ENOBUFS when some were lost
  KernelResult<std::vector<Bytes>> next_events();

 private:
  explicit Netlink(nl_sock* socket) : socket_(socket) {}
  static Result<Netlink> open_protocol(int protocol);
  KernelResult<std::vector<Bytes>> query_once(Request& request, bool& interrupted);

  nl_sock* socket_;
};

}  // namespace svti::svtictl
