// SPDX-License-Identifier: Apache-2.0
#include "svtictl/netlink.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "svtictl/decode.h"
#include "svtictl/netns.h"

namespace svti::svtictl {
namespace {

// A dump loses its place when the table changes under it; a busy table may do that a few times in a row.
constexpr int kDumpTries = 5;

[[noreturn]] void too_large() { throw std::length_error("netlink request larger than its buffer"); }

// libnl's error numbers are its own and hide errno; what its socket calls leave in errno is what the user needs
KernelError socket_error(int libnl_error) { return {errno != 0 ? errno : EIO, nl_geterror(libnl_error)}; }

}  // namespace

Error refusal(std::string_view action, const KernelError& error, std::string_view fix) {
  std::string sentence(action);
  const char* const words = std::strerror(error.code);
  sentence += error.text.empty() ? fmt::format(": {}", words) : fmt::format(": the kernel says \"{}\" ({})", error.text, words);
  if (error.code == EPERM || error.code == EACCES) fix = "run it as root (CAP_NET_ADMIN is needed)";
  if (!fix.empty()) sentence += fmt::format("; {}", fix);
  return {Fault::Surroundings, sentence};
}

Request::Request(int type, int flags) : message_(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags)) {
  if (message_ == nullptr) throw std::bad_alloc();
}

Request::~Request() {
  if (message_ != nullptr) nlmsg_free(message_);
}

Request::Request(Request&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}

Request& Request::operator=(Request&& other) noexcept {
  std::swap(message_, other.message_);
  return *this;
}

void Request::append(const void* data, std::size_t size) {
  if (nlmsg_append(message_, const_cast<void*>(data), size, NLMSG_ALIGNTO) < 0) too_large();
}

Request& Request::put(int attribute, ByteView value) {
  if (nla_put(message_, attribute, static_cast<int>(value.size()), value.data()) < 0) too_large();
  return *this;
}

Request& Request::put_u8(int attribute, std::uint8_t value) { return put(attribute, {&value, 1}); }

Request& Request::put_u16_network(int attribute, std::uint16_t value) {
  const std::uint16_t octets = htons(value);
  return put(attribute, {reinterpret_cast<const std::uint8_t*>(&octets), sizeof octets});
}

Request& Request::put_u32(int attribute, std::uint32_t value) {
  if (nla_put_u32(message_, attribute, value) < 0) too_large();
  return *this;
}

Request& Request::put_i32(int attribute, std::int32_t value) { return put_u32(attribute, static_cast<std::uint32_t>(value)); }

Request& Request::put_text(int attribute, std::string_view value) {
  if (nla_put_string(message_, attribute, std::string(value).c_str()) < 0) too_large();
  return *this;
}

void* Request::open_nest(int attribute) {
  nlattr* const start = nla_nest_start(message_, attribute | NLA_F_NESTED);
  if (start == nullptr) too_large();
  return start;
}

void Request::close_nest(void* start) { nla_nest_end(message_, static_cast<nlattr*>(start)); }

ByteView Request::view() const {
  const nlmsghdr* const header = nlmsg_hdr(message_);
  return {reinterpret_cast<const std::uint8_t*>(header), header->nlmsg_len};
}

Result<Netlink> Netlink::open() { return open_protocol(NETLINK_ROUTE); }

Result<Netlink> Netlink::open_generic() { return open_protocol(NETLINK_GENERIC); }

Result<Netlink> Netlink::open_xfrm() { return open_protocol(NETLINK_XFRM); }

int Netlink::fd() const { return nl_socket_get_fd(socket_); }

Result<Netlink> Netlink::open_protocol(int protocol) {
  errno = 0;
  Netlink netlink(nl_socket_alloc());
  if (netlink.socket_ == nullptr) throw std::bad_alloc();
  if (const int error = nl_connect(netlink.socket_, protocol); error < 0) {
    return fail(refusal("cannot open a netlink socket", socket_error(error)));
  }
  const int on = 1;
  const int fd = nl_socket_get_fd(netlink.socket_);
  // All three are refinements that every kernel svti runs on has; without one of them answers are only less precise.
  for (const int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK}) {
    static_cast<void>(setsockopt(fd, SOL_NETLINK, option, &on, sizeof on));
  }
  return netlink;
}

Result<Netlink> Netlink::open_in(const Netns& netns) {
  auto home = Netns::self();
  if (!home) return fail(home.error());
  if (const auto entered = netns.enter(); !entered) return fail(entered.error());
  auto netlink = open();
  if (const auto back = home->enter(); !back) return fail(back.error());
  return netlink;
}

Netlink::~Netlink() {
  if (socket_ != nullptr) nl_socket_free(socket_);
}

Netlink::Netlink(Netlink&& other) noexcept : socket_(std::exchange(other.socket_, nullptr)) {}

Netlink& Netlink::operator=(Netlink&& other) noexcept {
  std::swap(socket_, other.socket_);
  return *this;
}

KernelResult<void> Netlink::execute(Request& request) {
  const auto answers = query(request);
  if (!answers) return tl::unexpected(answers.error());
  return {};
}

KernelResult<std::vector<Bytes>> Netlink::query(Request& request) {
  KernelResult<std::vector<Bytes>> answers;
  for (int tries = 0; tries < kDumpTries; ++tries) {
    bool interrupted = false;
    answers = query_once(request, interrupted);
    if (!interrupted) return answers;
  }
  return tl::unexpected(KernelError{EAGAIN, "the table changed each time it was read"});
}

KernelResult<void> Netlink::join(int group) {
  errno = 0;
  if (const int error = nl_socket_add_membership(socket_, group); error < 0) return tl::unexpected(socket_error(error));
  return {};
}

KernelResult<std::vector<Bytes>> Netlink::next_events() {
  sockaddr_nl from{};
  unsigned char* raw = nullptr;
  errno = 0;
  const int received = nl_recv(socket_, &from, &raw, nullptr);
  const std::unique_ptr<unsigned char, decltype(&std::free)> buffer(raw, &std::free);
  if (received <= 0) return tl::unexpected(errno == ENOBUFS ? KernelError{ENOBUFS, ""} : socket_error(received));
  std::vector<Bytes> events;
  int rest = from.nl_pid == 0 ? received : 0;
  for (auto* header = reinterpret_cast<nlmsghdr*>(raw); nlmsg_ok(header, rest) != 0; header = nlmsg_next(header, &rest)) {
    events.push_back(to_bytes({reinterpret_cast<const std::uint8_t*>(header), header->nlmsg_len}));
  }
  return events;
}

KernelResult<std::vector<Bytes>> Netlink::query_once(Request& request, bool& interrupted) {
  nlmsghdr* const sent = nlmsg_hdr(request.get());
  sent->nlmsg_seq = 0;  // libnl numbers a message only when it has no number: a repeated dump gets a new one
  errno = 0;
  if (const int error = nl_send_auto(socket_, request.get()); error < 0) return tl::unexpected(socket_error(error));

  std::vector<Bytes> answers;
  for (;;) {
    sockaddr_nl from{};
    unsigned char* raw = nullptr;
    errno = 0;
    const int received = nl_recv(socket_, &from, &raw, nullptr);
    const std::unique_ptr<unsigned char, decltype(&std::free)> buffer(raw, &std::free);
    if (received <= 0) return tl::unexpected(socket_error(received));
    if (from.nl_pid != 0) continue;  // another process, not the kernel

    int rest = received;
    for (auto* header = reinterpret_cast<nlmsghdr*>(raw); nlmsg_ok(header, rest) != 0; header = nlmsg_next(header, &rest)) {
      if (header->nlmsg_seq != sent->nlmsg_seq) continue;
      if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
      const ByteView message(reinterpret_cast<const std::uint8_t*>(header), header->nlmsg_len);
      if (header->nlmsg_type == NLMSG_ERROR || header->nlmsg_type == NLMSG_DONE) {
        auto ended = decode_end(message);
        if (!ended) return tl::unexpected(std::move(ended.error()));
        return answers;
      }
      answers.push_back(to_bytes(message));
    }
  }
}

}  // namespace svti::svtictl
