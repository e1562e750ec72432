// SPDX-License-Identifier: Apache-2.0
#include "svtictl/netns.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "svtictl/decode.h"

namespace svti::svtictl {
namespace {

constexpr std::string_view kNetnsFolder = "/run/netns/";

// RTM_*NSID about the namespace behind `fd`
Request nsid_request(int type, int fd) {
  Request request(type, 0);
  request.header(rtgenmsg{AF_UNSPEC}).put_u32(NETNSA_FD, static_cast<std::uint32_t>(fd));
  return request;
}

KernelResult<std::int32_t> get_nsid(Netlink& netlink, int fd) {
  auto request = nsid_request(RTM_GETNSID, fd);
  const auto answers = netlink.query(request);
  if (!answers) return tl::unexpected(answers.error());
  for (const Bytes& answer : *answers) {
    if (const auto nsid = decode_nsid(answer)) return *nsid;
  }
  return NETNSA_NSID_NOT_ASSIGNED;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Result<Netns> Netns::open_path(const std::string& path, std::string_view name) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_error(fmt::format("cannot open network namespace '{}': {}", name, std::strerror(errno)));
  return Netns(fd);
}

Result<Netns> Netns::open(std::string_view name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos) {
    return config_error(fmt::format("'{}' is not the name of a network namespace", name));
  }
  const std::string path = std::string(kNetnsFolder) + std::string(name);
  if (access(path.c_str(), F_OK) == 0) return open_path(path, name);
  if (!is_number(name)) {
    return config_error(
        fmt::format("there is no network namespace '{}'; 'ip netns list' shows their names, 'ip netns add {}' makes it", name, name));
  }
  const std::string process = fmt::format("/proc/{}/ns/net", name);
  if (access(process.c_str(), F_OK) != 0) {
    return config_error(fmt::format("there is neither a network namespace nor a process '{}'; 'ip netns list' shows the names", name));
  }
  return open_path(process, name);
}

Result<Netns> Netns::self() { return open_path("/proc/thread-self/ns/net", "of this process"); }

Netns::~Netns() {
  if (fd_ >= 0) close(fd_);
}

Netns::Netns(Netns&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Netns& Netns::operator=(Netns&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Status Netns::enter() const {
  if (setns(fd_, CLONE_NEWNET) == 0) return {};
  // setns says EINVAL for a file that is no namespace: `ip netns` leaves such a file behind when its mount has gone.
  if (errno == EINVAL) return system_error("cannot enter the network namespace: its file is stale; make it again with 'ip netns'");
  return fail(refusal("cannot enter the network namespace", {errno, {}}));
}

bool Netns::same_as(const Netns& other) const {
  struct stat ours {};
  struct stat theirs {};
  if (fstat(fd_, &ours) != 0 || fstat(other.fd_, &theirs) != 0) return false;
  return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

Result<std::int32_t> nsid_for(Netlink& netlink, const Netns& netns) {
  constexpr std::string_view kAction = "cannot number the link namespace";
  const auto known = get_nsid(netlink, netns.fd());
  if (!known) return fail(refusal(kAction, known.error()));
  if (*known >= 0) return *known;

  auto request = nsid_request(RTM_NEWNSID, netns.fd());
  request.put_i32(NETNSA_NSID, NETNSA_NSID_NOT_ASSIGNED);  // the kernel chooses
  const auto assigned = netlink.execute(request);
  // EEXIST: someone else gave it a number in between, which serves as well.
  if (!assigned && assigned.error().code != EEXIST) return fail(refusal(kAction, assigned.error()));
  const auto nsid = get_nsid(netlink, netns.fd());
  if (!nsid) return fail(refusal(kAction, nsid.error()));
  if (*nsid < 0) return system_error(fmt::format("{}: the kernel gave it no number", kAction));
  return *nsid;
}

std::optional<NamedNetns> find_netns(Netlink& netlink, std::int32_t nsid) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(kNetnsFolder, ignored)) {
    const std::string name = entry.path().filename();
    auto netns = Netns::open(name);
    if (!netns) continue;
    const auto number = get_nsid(netlink, netns->fd());
    if (number && *number == nsid) return NamedNetns{name, std::move(*netns)};
  }
  return std::nullopt;
}

}  // namespace svti::svtictl
