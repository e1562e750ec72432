// SPDX-License-Identifier: Apache-2.0
#include "net/namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace svti::net {

namespace {

std::string path_of(const std::string& vrf) { return vrf == "main" ? "/proc/thread-self/ns/net" : "/run/netns/" + vrf; }

}  // namespace

Result<int> open_namespace(const std::string& vrf) {
  // the name becomes part of a path
  if (vrf.empty() || vrf == "." || vrf == ".." || vrf.find('/') != std::string::npos)
    return config_error("\"" + vrf + "\" cannot name a VRF");
  const std::string path = path_of(vrf);
  const int there = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (there < 0 && errno == ENOENT)
    return system_error("there is no network namespace " + vrf + ": make it with `ip netns add " + vrf + "`");
  if (there < 0) return system_error(path + ": " + std::strerror(errno));
  return there;
}

Result<InNamespace> InNamespace::enter(const std::string& vrf) {
  if (vrf == "main") return InNamespace(-1);
  const auto opened = open_namespace(vrf);
  if (!opened) return fail(opened.error());
  const int there = *opened;
  const int home = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (home < 0) {
    const int error = errno;
    ::close(there);
    return system_error(std::string("/proc/thread-self/ns/net: ") + std::strerror(error));
  }
  const int entered = ::setns(there, CLONE_NEWNET);
  const int error = errno;
  ::close(there);
  if (entered == 0) return InNamespace(home);
  ::close(home);
  return system_error("cannot enter network namespace " + vrf + ": " + std::strerror(error) +
                      (error == EINVAL  ? "; " + path_of(vrf) + " is not a network namespace"
                       : error == EPERM ? "; it needs CAP_SYS_ADMIN"
                                        : ""));
}

InNamespace::InNamespace(InNamespace&& other) noexcept : home_(std::exchange(other.home_, -1)) {}

InNamespace::~InNamespace() {
  if (home_ < 0) return;
  if (::setns(home_, CLONE_NEWNET) != 0) {
    // To go on would be to act in somebody else's network. The kernel's SAs go on without us.
    std::perror("svti-iked: cannot go back to the own network namespace");
    std::abort();
  }
  ::close(home_);
}

}  // namespace svti::net
