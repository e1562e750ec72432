// SPDX-License-Identifier: Apache-2.0
// Network namespaces as the user names them (ip-netns(8)) and as the kernel numbers them (nsid).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "svtictl/netlink.h"

namespace svti::svtictl {

// An open network namespace; owns the file descriptor that keeps it alive.
class Netns {
 public:
  // `name` is a file in /run/netns or, when there is none, a process id
  static Result<Netns> open(std::string_view name);
  static Result<Netns> self();  // of the calling thread
  ~Netns();
  Netns(Netns&& other) noexcept;
  Netns& operator=(Netns&& other) noexcept;

  // moves the calling thread into it; needs CAP_SYS_ADMIN
  Status enter() const;
  bool same_as(const Netns& other) const;
  int fd() const { return fd_; }

 private:
  explicit Netns(int fd) : fd_(fd) {}
  static Result<Netns> open_path(const std::string& path, std::string_view name);

  int fd_;
};

// The number that the namespace of `netlink` has for `netns`; one is assigned when it has none yet.
Result<std::int32_t> nsid_for(Netlink& netlink, const Netns& netns);

// A namespace of /run/netns and the name it has there.
struct NamedNetns {
  std::string name;
  Netns netns;
};
// The reverse; nothing when no file in /run/netns is that namespace or none may be read.
std::optional<NamedNetns> find_netns(Netlink& netlink, std::int32_t nsid);

}  // namespace svti::svtictl
