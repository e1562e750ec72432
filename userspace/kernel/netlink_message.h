// SPDX-License-Identifier: Apache-2.0
// Netlink messages as octets: built and taken apart with libnl, which stays behind this header. Octets are in host order and
// messages begin at a multiple of four, as netlink wants it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

struct nl_msg;
struct nlattr;

namespace svti::kernel {

// One message that came. Borrows from the datagram it lies in.
struct MessageView {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t sequence = 0;
  ByteView payload;  // what follows struct nlmsghdr, padding left out
};

// Calls `visit` for each message of a datagram, in order, until one yields an error, which is returned. A message that is cut
// short is an error.
Status for_each_message(ByteView datagram, const std::function<Status(const MessageView&)>& visit);

// The kernel's answer to one request: NLMSG_ERROR, or the NLMSG_DONE that ends a dump.
struct Ack {
  int error = 0;     // an errno, positive; 0: carried out
  std::string text;  // the kernel's own sentence (extended ack), often empty
};
Result<Ack> parse_ack(const MessageView& message);
// "Invalid argument (EINVAL)", with ": " and the kernel's sentence behind when there is one
std::string to_string(const Ack& ack);

// Reads a structure of the kernel's from the front of `octets`; too few octets are an error. More are none: newer kernels append.
template <typename T>
Result<T> read_struct(ByteView octets, const char* name) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (octets.size() < sizeof(T)) return system_error(std::string("netlink: ") + name + " of " + std::to_string(octets.size()) + " octets");
  T out;
  __builtin_memcpy(&out, octets.data(), sizeof(T));
  return out;
}
// what follows a structure of `size` octets, from the next multiple of four on; empty when nothing does
ByteView behind(ByteView payload, std::size_t size);

// A list of attributes. Borrows. Of a type that is there more than once the last counts.
class Attributes {
 public:
  // attributes must fill `octets` exactly
  static Result<Attributes> parse(ByteView octets);

  std::optional<ByteView> find(std::uint16_t type) const;
  // the value as T; none when it is absent or shorter than T
  template <typename T>
  std::optional<T> get(std::uint16_t type) const {
    const auto octets = find(type);
    if (!octets) return std::nullopt;
    const auto value = read_struct<T>(*octets, "attribute");
    return value ? std::optional<T>(*value) : std::nullopt;
  }
  // up to the first NUL
  std::optional<std::string> text(std::uint16_t type) const;

 private:
  std::vector<std::pair<std::uint16_t, ByteView>> found_;
};

// Builds one message. Its memory is wiped when it dies: it may hold keys.
class MessageBuilder {
 public:
  // `capacity`: octets for the whole message; that they suffice is the caller's to know (std::logic_error otherwise)
  MessageBuilder(std::uint16_t type, std::uint16_t flags, std::size_t capacity = 1024);

  template <typename T>
  void append(const T& structure) {
    static_assert(std::is_trivially_copyable_v<T>);
    append_octets({reinterpret_cast<const std::uint8_t*>(&structure), sizeof(T)});
  }
  void attribute(std::uint16_t type, ByteView value);
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void attribute(std::uint16_t type, const T& value) {
    attribute(type, ByteView{reinterpret_cast<const std::uint8_t*>(&value), sizeof(T)});
  }
  // a copy of the message, sequence number 0; it is the taker's to wipe
  Bytes take() const;

 private:
  struct Free {
    void operator()(nl_msg* message) const;
  };
  void append_octets(ByteView octets);

  std::unique_ptr<nl_msg, Free> message_;
};

// of each of the messages
void set_sequence(std::span<std::uint8_t> messages, std::uint32_t sequence);

}  // namespace svti::kernel
