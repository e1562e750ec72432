// SPDX-License-Identifier: Apache-2.0
// The messages of NETLINK_ROUTE that the daemon needs: routes and rules of its own, SVTI links. No socket here.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "kernel/netlink_message.h"
#include "model/kernel.h"

namespace svti::kernel {

// RouteId::svti_id of a route that leads elsewhere than to an SVTI
inline constexpr std::uint32_t kNotAnSvti = 0xffffffff;

// `ifindex`: of the SVTI; unused for a throw route (svti_id 0)
Bytes encode(const model::AddRoute& request, int ifindex);
// `ifindex` 0: through whatever interface it leads
Bytes encode(const model::DeleteRoute& request, int ifindex);
// `ifindex`: of lo or the SVTI
Bytes encode(const model::AddAddress& request, int ifindex);
Bytes encode(const model::DeleteAddress& request, int ifindex);
Bytes encode(const model::AddRule& request);
Bytes encode(const model::DeleteRule& request);

// "how is this reached", as UDP to port 500 from nowhere in particular
Bytes encode_get_route(const IpAddress& destination);
Bytes encode_dump_routes(IpFamily family);  // those of kRouteProtocol, from kernels that filter
Bytes encode_dump_rules(IpFamily family);
Bytes encode_dump_links();
Bytes encode_dump_addresses();  // of both families

// A route of kRouteProtocol; none: another's, or a copy in the route cache
struct RouteAnswer {
  Prefix destination;
  std::uint32_t table = 0;
  bool is_throw = false;
  int ifindex = 0;
};
Result<std::optional<RouteAnswer>> decode_route(const MessageView& message);
// An address of an interface, whoever put it there.
struct AddressAnswer {
  IpAddress address;
  std::uint8_t prefix_length = 0;
  int ifindex = 0;
  bool ours = false;    // IFA_PROTO is kRouteProtocol; kernels before 5.18 do not tell
  bool usable = false;  // from elsewhere: of global scope, neither tentative nor deprecated
};
// none: of another family
Result<std::optional<AddressAnswer>> decode_address(const MessageView& message);
// none: not a plain "lookup" rule of kRouteProtocol
Result<std::optional<model::RuleId>> decode_rule(const MessageView& message);
// the source address of an answer to encode_get_route
Result<IpAddress> decode_source_address(const MessageView& message);

// the interface by which it leads: its ifindex
Result<int> decode_route_device(const MessageView& message);

// an address or a route came or went, and it was not the daemon's own doing
bool is_path_event(const MessageView& message);

// What RTM_NEWLINK or RTM_DELLINK says of one link
struct LinkAnswer {
  int ifindex = 0;
  std::string name;
  std::uint32_t svti_id = 0;  // 0: not an SVTI, or one whose link namespace is another than ours
  bool up = false;            // administratively; false when it was deleted
  bool running = false;       // up, and its other end as well, as far as is known
  bool deleted = false;
};
// none: not about a link as a whole (a bridge port, for example)
Result<std::optional<LinkAnswer>> decode_link(const MessageView& message);

}  // namespace svti::kernel
