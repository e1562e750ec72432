// SPDX-License-Identifier: Apache-2.0
#include "kernel/netlink_links.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>

#include "kernel/link_message.h"
#include "kernel/route_message.h"

namespace svti::kernel {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

bool same_file(int ours, int theirs) {
  struct stat one {
  }, other{};
  return ::fstat(ours, &one) == 0 && ::fstat(theirs, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

void no_restart() {}

}  // namespace

Result<std::unique_ptr<NetlinkLinks>> NetlinkLinks::open(std::string vrf, Namespaces namespaces) {
  std::optional<NetlinkSocket> socket;
  const Status opened = namespaces.within(vrf, [&]() -> Status {
    auto made = NetlinkSocket::open(NETLINK_ROUTE, NetlinkSocket::Waiting::Blocking);
    if (!made) return fail(made.error());
    socket.emplace(std::move(*made));
    return {};
  });
  if (!opened) return fail(opened.error());
  return std::unique_ptr<NetlinkLinks>(new NetlinkLinks(std::move(vrf), std::move(namespaces), std::move(*socket)));
}

Status NetlinkLinks::order(Bytes request) {
  return socket_.ask(std::move(request), no_restart, [](const MessageView&) -> Status { return {}; });
}

Result<std::optional<std::int32_t>> NetlinkLinks::nsid_of(const std::string& vrf, bool assign) {
  if (vrf == vrf_) return std::nullopt;
  const auto theirs = namespaces_.open(vrf);
  if (!theirs) return fail(theirs.error());
  const Descriptor there(*theirs);
  const auto ours = namespaces_.open(vrf_);
  if (!ours) return fail(ours.error());
  const Descriptor here(*ours);
  if (same_file(here.get(), there.get())) return std::nullopt;

  std::optional<std::int32_t> nsid;
  const auto look = [&] {
    return socket_.ask(encode_get_nsid(there.get()), no_restart, [&](const MessageView& message) -> Status {
      const auto decoded = decode_nsid(message);
      if (!decoded) return fail(decoded.error());
      nsid = *decoded;
      return {};
    });
  };
  if (const Status looked = look(); !looked) return fail(looked.error());
  if (nsid || !assign) return nsid ? nsid : std::optional<std::int32_t>(-1);
  // That somebody else gave it a number in between serves as well.
  const Status assigned = order(encode_new_nsid(there.get()));
  if (const Status looked = look(); !looked) return fail(looked.error());
  if (!nsid)
    return assigned ? system_error("the kernel gave VRF " + vrf + " no number")
                    : Result<std::optional<std::int32_t>>(fail(assigned.error()));
  return nsid;
}

Result<std::uint32_t> NetlinkLinks::underlying_of(const model::SvtiInterface& svti) {
  if (svti.link_interface.empty()) return 0;
  std::uint32_t ifindex = 0;
  const Status looked = namespaces_.within(svti.link_vrf, [&]() -> Status {
    ifindex = if_nametoindex(svti.link_interface.c_str());
    if (ifindex == 0) return system_error("VRF " + svti.link_vrf + " has no interface " + svti.link_interface);
    return {};
  });
  if (!looked) return fail(looked.error());
  return ifindex;
}

Result<std::vector<model::LinkStatus>> NetlinkLinks::list(const std::vector<model::SvtiInterface>& asked) {
  std::map<std::string_view, const model::SvtiInterface*> wanted;
  for (const model::SvtiInterface& svti : asked) wanted.emplace(svti.name, &svti);

  std::map<std::uint32_t, LinkDetails> found;
  Status read = socket_.ask(
      encode_dump_links_with_counters(), [&] { found.clear(); },
      [&](const MessageView& message) -> Status {
        auto link = decode_link_details(message);
        if (!link) return fail(link.error());
        if (*link && ((*link)->is_svti || wanted.contains((*link)->status.name))) found.emplace((*link)->status.ifindex, std::move(**link));
        return {};
      });
  if (!read) return fail(read.error());
  if (found.empty()) return std::vector<model::LinkStatus>{};
  read = socket_.ask(
      encode_dump_addresses(),
      [&] {
        for (auto& [ifindex, link] : found) link.status.addresses.clear();
      },
      [&](const MessageView& message) -> Status {
        const auto address = decode_address(message);
        if (!address) return fail(address.error());
        // a virtual address is no interface's own, and its IKE SA's to take away
        if (!*address || (*address)->ours) return {};
        if (const auto link = found.find(static_cast<std::uint32_t>((*address)->ifindex)); link != found.end())
          link->second.status.addresses.push_back({(*address)->address, (*address)->prefix_length});
        return {};
      });
  if (!read) return fail(read.error());

  std::map<std::string, std::optional<std::int32_t>> nsids;  // of link VRFs that are there
  for (const model::SvtiInterface& svti : asked) {
    if (nsids.contains(svti.link_vrf)) continue;
    if (const auto nsid = nsid_of(svti.link_vrf, false)) nsids.emplace(svti.link_vrf, *nsid);
  }
  std::vector<model::LinkStatus> out;
  for (auto& [ifindex, link] : found) {
    if (const auto svti = wanted.find(link.status.name); svti != wanted.end()) {
      const auto nsid = nsids.find(svti->second->link_vrf);
      link.status.link_vrf_fits = nsid != nsids.end() && nsid->second == link.nsid;
      const auto underlying = underlying_of(*svti->second);
      link.status.link_interface_fits = underlying && *underlying == link.underlying;
    }
    out.push_back(std::move(link.status));
  }
  return out;
}

Status NetlinkLinks::add(const model::SvtiInterface& svti) {
  const auto nsid = nsid_of(svti.link_vrf, true);
  if (!nsid) return fail(nsid.error());
  const auto underlying = underlying_of(svti);
  if (!underlying) return fail(underlying.error());
  Status made = order(encode_add_svti(svti, *underlying, *nsid));
  if (!made && ::access("/sys/module/svti", F_OK) != 0)
    return system_error(made.error().message + "; the kernel module svti is not loaded: modprobe svti");
  return made;
}

Status NetlinkLinks::remove(const model::LinkStatus& link) { return order(encode_delete_link(link.ifindex)); }

Status NetlinkLinks::adopt(const model::LinkStatus& link) { return order(encode_set_group(link.ifindex, model::kLinkGroup)); }

Status NetlinkLinks::set_link_interface(const model::LinkStatus& link, const model::SvtiInterface& svti) {
  const auto underlying = underlying_of(svti);
  if (!underlying) return fail(underlying.error());
  return order(encode_set_underlying(link.ifindex, *underlying));
}

Status NetlinkLinks::set_mtu(const model::LinkStatus& link, std::uint32_t mtu) { return order(encode_set_mtu(link.ifindex, mtu)); }

Status NetlinkLinks::set_up(const model::LinkStatus& link, bool up) {
  return order(encode_set_flags(link.ifindex, up ? IFF_UP : 0, IFF_UP));
}

Status NetlinkLinks::set_promiscuous(const model::LinkStatus& link, bool promiscuous) {
  return order(encode_set_flags(link.ifindex, promiscuous ? IFF_PROMISC : 0, IFF_PROMISC));
}

Status NetlinkLinks::set_description(const model::LinkStatus& link, const std::string& description) {
  return order(encode_set_alias(link.ifindex, description));
}

// No netlink message switches IPv6 off; the file is that of the namespace in which it is opened.
Status NetlinkLinks::set_ipv6(const model::LinkStatus& link, bool enabled) {
  return namespaces_.within(vrf_, [&]() -> Status {
    const std::string path = "/proc/sys/net/ipv6/conf/" + link.name + "/disable_ipv6";
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.get() < 0 || ::write(file.get(), enabled ? "0" : "1", 1) != 1) return system_error(path + ": " + std::strerror(errno));
    return {};
  });
}

Status NetlinkLinks::add_address(const model::LinkStatus& link, const model::InterfaceAddress& address) {
  return order(encode_address(link.ifindex, address, true));
}

Status NetlinkLinks::remove_address(const model::LinkStatus& link, const model::InterfaceAddress& address) {
  return order(encode_address(link.ifindex, address, false));
}

}  // namespace svti::kernel
