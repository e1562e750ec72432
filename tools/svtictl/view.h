// SPDX-License-Identifier: Apache-2.0
// What the module shows of an SVTI over its generic netlink family "svti": SPD, SAD, and what would happen to a packet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "svtictl/netlink.h"
#include "svtictl/values.h"

namespace svti::svtictl {

class View {
 public:
  // of the interface of that name, in the network namespace of the calling thread
  static Result<View> open(const std::string& name);

  Result<std::vector<SpdPolicy>> policies();  // in order of match, out before in
  Result<std::vector<SadState>> states();     // those for sending first
  Result<Trace> trace(const Flow& flow);

 private:
  View(Netlink netlink, std::string name, std::uint32_t index, std::uint16_t family)
      : netlink_(std::move(netlink)), name_(std::move(name)), index_(index), family_(family) {}
  Request request(std::uint8_t command, int flags) const;

  Netlink netlink_;
  std::string name_;
  std::uint32_t index_;
  std::uint16_t family_;  // number of the generic netlink family
};

}  // namespace svti::svtictl
