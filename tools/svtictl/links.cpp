// SPDX-License-Identifier: Apache-2.0
#include "svtictl/links.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/svti.h>
#include <sys/socket.h>

#include <cerrno>

#include "svtictl/netns.h"

namespace svti::svtictl {
namespace {

KernelResult<Link> get_link(Netlink& netlink, Request& request) {
  const auto answers = netlink.query(request);
  if (!answers) return tl::unexpected(answers.error());
  for (const Bytes& answer : *answers) {
    if (auto link = decode_link(answer)) return std::move(*link);
  }
  return tl::unexpected(KernelError{EBADMSG, "its answer describes no interface that svtictl understands"});
}

// Fills in the names of the link namespace and of the underlying link. What cannot be looked up (no right to enter, no name)
// stays empty and is shown by its number.
void name_link(Netlink& netlink, Svti& svti) {
  const auto named = svti.link_nsid ? find_netns(netlink, *svti.link_nsid) : std::nullopt;
  if (named) svti.link_netns = named->name;
  if (svti.link_index == 0 || (svti.link_nsid && !named)) return;

  ifinfomsg header{};
  header.ifi_index = static_cast<int>(svti.link_index);
  Request request(RTM_GETLINK, 0);
  request.header(header);
  if (!named) {
    if (const auto link = get_link(netlink, request)) svti.link = link->name;
    return;
  }
  if (auto there = Netlink::open_in(named->netns)) {
    if (const auto link = get_link(*there, request)) svti.link = link->name;
  }
}

Status read_addresses(Netlink& netlink, std::vector<Svti>& svtis) {
  Request request(RTM_GETADDR, NLM_F_DUMP);
  request.header(ifaddrmsg{});
  const auto answers = netlink.query(request);
  if (!answers) return fail(refusal("cannot list addresses", answers.error()));
  for (const Bytes& answer : *answers) {
    const auto address = decode_address(answer);
    if (!address) continue;
    for (Svti& svti : svtis) {
      if (svti.index == address->first) svti.addresses.push_back(address->second);
    }
  }
  return {};
}

}  // namespace

Result<Link> find_link(Netlink& netlink, const std::string& name) {
  Request request(RTM_GETLINK, 0);
  request.header(ifinfomsg{}).put_text(IFLA_IFNAME, name);
  auto link = get_link(netlink, request);
  if (link) return std::move(*link);
  if (link.error().code == ENODEV) return config_error(fmt::format("there is no interface '{}'; 'ip link' shows those there are", name));
  return fail(refusal(fmt::format("cannot look up {}", name), link.error()));
}

Result<std::map<std::uint32_t, Link>> all_links(Netlink& netlink) {
  Request request(RTM_GETLINK, NLM_F_DUMP);
  request.header(ifinfomsg{});
  const auto answers = netlink.query(request);
  if (!answers) return fail(refusal("cannot list interfaces", answers.error()));
  std::map<std::uint32_t, Link> out;
  for (const Bytes& answer : *answers) {
    if (auto link = decode_link(answer)) out.emplace(link->index, std::move(*link));
  }
  return out;
}

Result<std::vector<Svti>> read_svtis(Netlink& netlink, const std::string& name) {
  std::vector<Svti> out;
  if (name.empty()) {
    auto links = all_links(netlink);
    if (!links) return fail(links.error());
    for (auto& [index, link] : *links) {
      if (link.svti) out.push_back(std::move(*link.svti));
    }
  } else {
    auto link = find_link(netlink, name);
    if (!link) return fail(link.error());
    if (!link->svti) return config_error(fmt::format("{} is not an SVTI; 'svtictl show' lists them", name));
    out.push_back(std::move(*link->svti));
  }
  if (const auto read = read_addresses(netlink, out); !read) return fail(read.error());
  for (Svti& svti : out) name_link(netlink, svti);
  return out;
}

void put_sp_hash(Request& data, const std::optional<SpHash>& ipv4, const std::optional<SpHash>& ipv6) {
  if (ipv4) data.put_u8(IFLA_SVTI_SP_HASH_IPV4_LOCAL, ipv4->local).put_u8(IFLA_SVTI_SP_HASH_IPV4_REMOTE, ipv4->remote);
  if (ipv6) data.put_u8(IFLA_SVTI_SP_HASH_IPV6_LOCAL, ipv6->local).put_u8(IFLA_SVTI_SP_HASH_IPV6_REMOTE, ipv6->remote);
}

KernelResult<void> delete_link(Netlink& netlink, std::uint32_t index) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(index);
  Request request(RTM_DELLINK, 0);
  request.header(header);
  return netlink.execute(request);
}

}  // namespace svti::svtictl
