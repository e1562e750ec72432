// SPDX-License-Identifier: Apache-2.0
// The kernel's IPsec (NETLINK_XFRM) and routing (NETLINK_ROUTE) of the network namespace in which it is created.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "base/log.h"
#include "base/result.h"
#include "model/kernel.h"

namespace svti::kernel {

// One thread: that of the event loop. Every callback comes from the loop, never from inside a method, and none after the
// destructor. Requests still unanswered then are given up without a callback; what flush() sent is in the kernel all the same.
//
// The kernel carries a request out while it is being sent, so the order of requests holds across the two protocols. At most
// kWindow requests are unanswered at a time: their answers fit the receive buffer.
class NetlinkKernel final : public model::Kernel {
 public:
  static constexpr std::size_t kWindow = 256;

  // Opens the sockets and reads the SVTIs that exist. `loop` must outlive the kernel. Needs CAP_NET_ADMIN for all but questions.
  static Result<std::unique_ptr<NetlinkKernel>> create(boost::asio::io_context& loop, LogSink log);
  ~NetlinkKernel() override;

  void submit(model::KernelRequest request, Done done) override;
  // sends until the window is full; the rest follows from the loop as answers come
  void flush() override;
  Result<model::KernelInventory> inventory() override;
  Result<model::SaStatus> query(const model::SaId& id) override;
  // Asked of rtnetlink rather than of a connected UDP socket: connect() also consults the IPsec policies, so that a trap policy
  // for the destination would raise an acquire, and a block policy refuse, and it cannot say why there is no route.
  Result<IpAddress> source_address(const IpAddress& destination) override;
  Result<std::vector<IpAddress>> local_addresses() override;
  void set_events(model::KernelEvents* events) override;

 private:
  class Impl;
  explicit NetlinkKernel(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;
};

}  // namespace svti::kernel
