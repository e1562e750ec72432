// SPDX-License-Identifier: Apache-2.0
// The interfaces of one network namespace over rtnetlink.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kernel/netlink_socket.h"
#include "model/links.h"

namespace svti::kernel {

class NetlinkLinks final : public model::Links {
 public:
  // How VRFs are reached. Both are called in the thread that uses the links, which stands in VRF main.
  struct Namespaces {
    std::function<Result<int>(const std::string& vrf)> open;  // a descriptor of the namespace; the taker's to close
    // `work` is called while the thread stands in that namespace
    std::function<Status(const std::string& vrf, const std::function<Status()>& work)> within;
  };

  // Error: there is no such namespace, or it may not be entered.
  static Result<std::unique_ptr<NetlinkLinks>> open(std::string vrf, Namespaces namespaces);

  Result<std::vector<model::LinkStatus>> list(const std::vector<model::SvtiInterface>& asked) override;
  Status add(const model::SvtiInterface& svti) override;
  Status remove(const model::LinkStatus& link) override;
  Status adopt(const model::LinkStatus& link) override;
  Status set_link_interface(const model::LinkStatus& link, const model::SvtiInterface& svti) override;
  Status set_mtu(const model::LinkStatus& link, std::uint32_t mtu) override;
  Status set_up(const model::LinkStatus& link, bool up) override;
  Status set_promiscuous(const model::LinkStatus& link, bool promiscuous) override;
  Status set_description(const model::LinkStatus& link, const std::string& description) override;
  Status set_ipv6(const model::LinkStatus& link, bool enabled) override;
  Status add_address(const model::LinkStatus& link, const model::InterfaceAddress& address) override;
  Status remove_address(const model::LinkStatus& link, const model::InterfaceAddress& address) override;

 private:
  NetlinkLinks(std::string vrf, Namespaces namespaces, NetlinkSocket socket)
      : vrf_(std::move(vrf)), namespaces_(std::move(namespaces)), socket_(std::move(socket)) {}

  // none: it is this one
  Result<std::optional<std::int32_t>> nsid_of(const std::string& vrf, bool assign);
  // 0: none is wanted
  Result<std::uint32_t> underlying_of(const model::SvtiInterface& svti);
  Status order(Bytes request);

  const std::string vrf_;
  const Namespaces namespaces_;
  NetlinkSocket socket_;
};

}  // namespace svti::kernel
