// SPDX-License-Identifier: Apache-2.0
// svtictl show: state of one or all SVTIs.
#include "svtictl/links.h"
#include "svtictl/verbs.h"

namespace svti::svtictl {

Result<std::string> run(const ShowArguments& arguments, const Style& style) {
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  const auto svtis = read_svtis(*netlink, arguments.name);
  if (!svtis) return fail(svtis.error());
  return render_interfaces(*svtis, style);
}

}  // namespace svti::svtictl
