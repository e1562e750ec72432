// SPDX-License-Identifier: Apache-2.0
// A kernel that says yes to everything and does nothing: for load tests of the protocol, without privileges.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "model/kernel.h"

namespace svti::kernel {

// One thread: that of the event loop, which must outlive it. It has no events, its inventory is empty.
class NullKernel final : public model::Kernel {
 public:
  explicit NullKernel(boost::asio::io_context& loop);

  void submit(model::KernelRequest request, Done done) override;
  void flush() override {}
  Result<model::KernelInventory> inventory() override { return model::KernelInventory{}; }
  Result<model::SaStatus> query(const model::SaId& id) override;
  Result<IpAddress> source_address(const IpAddress& destination) override;  // the loopback address of its family
  Result<std::vector<IpAddress>> local_addresses() override { return std::vector<IpAddress>{}; }
  void set_events(model::KernelEvents*) override {}

 private:
  boost::asio::io_context& loop_;
  std::shared_ptr<bool> alive_;  // no callback after the destructor
};

}  // namespace svti::kernel
