// SPDX-License-Identifier: Apache-2.0
#include "kernel/null_kernel.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace svti::kernel {

NullKernel::NullKernel(boost::asio::io_context& loop) : loop_(loop), alive_(std::make_shared<bool>(true)) {}

void NullKernel::submit(model::KernelRequest, Done done) {
  if (!done) return;
  boost::asio::post(loop_, [alive = std::weak_ptr(alive_), done = std::move(done)] {
    if (!alive.expired()) done({});
  });
}

Result<model::SaStatus> NullKernel::query(const model::SaId& id) {
  return system_error("SA " + id.destination.to_string() + " is in no kernel: this one installs nothing");
}

Result<IpAddress> NullKernel::source_address(const IpAddress& destination) {
  return IpAddress::parse(destination.is_v4() ? "127.0.0.1" : "::1");
}

}  // namespace svti::kernel
