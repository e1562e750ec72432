// SPDX-License-Identifier: Apache-2.0
// svtictl stats: counters of one or all SVTIs and the reasons for which packets were dropped.
#include "svtictl/links.h"
#include "svtictl/verbs.h"

namespace svti::svtictl {

Result<std::string> run(const StatsArguments& arguments, const Style& style) {
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  const auto svtis = read_svtis(*netlink, arguments.name);
  if (!svtis) return fail(svtis.error());
  return render_stats(*svtis, style);
}

}  // namespace svti::svtictl
