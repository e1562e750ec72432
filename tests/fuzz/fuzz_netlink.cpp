// SPDX-License-Identifier: Apache-2.0
// A datagram as a kernel, newer or broken, may send it: messages, attributes and everything that the adapter reads from them.
#include <linux/netlink.h>

#include "kernel/link_message.h"
#include "kernel/netlink_message.h"
#include "kernel/route_message.h"
#include "kernel/xfrm_message.h"

using namespace svti;
using namespace svti::kernel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes datagram(data, data + size);  // aligned, as a receive buffer is
  (void)for_each_message(datagram, [](const MessageView& message) -> Status {
    if (message.type == NLMSG_ERROR || message.type == NLMSG_DONE) {
      const auto ack = parse_ack(message);
      if (ack) (void)to_string(*ack);
      return {};
    }
    // XFRM and rtnetlink number their messages alike: all are tried on everything.
    (void)decode_event(message);
    (void)decode_sa(message);
    (void)decode_policy(message);
    (void)decode_link(message);
    (void)decode_link_details(message);
    (void)decode_address(message);
    (void)decode_nsid(message);
    (void)decode_route(message);
    (void)decode_rule(message);
    (void)decode_source_address(message);
    return {};
  });
  return 0;
}
