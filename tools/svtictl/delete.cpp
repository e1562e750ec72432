// SPDX-License-Identifier: Apache-2.0
// svtictl delete: removes an interface, but only an SVTI.
#include <fmt/format.h>

#include "svtictl/links.h"
#include "svtictl/verbs.h"

namespace svti::svtictl {

Result<std::string> run(const DeleteArguments& arguments, const Style& style) {
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  const auto link = find_link(*netlink, arguments.name);
  if (!link) return fail(link.error());
  if (link->kind != "svti") {
    const std::string what = link->kind.empty() ? "no SVTI" : fmt::format("of kind {}, not an SVTI", link->kind);
    return config_error(fmt::format("{} is {}; remove it with 'ip link delete {}' if you mean it", arguments.name, what, arguments.name));
  }
  // By index: what is removed is what was looked at, even if the name was given to another interface meanwhile.
  if (const auto deleted = delete_link(*netlink, link->index); !deleted) {
    return fail(refusal(fmt::format("cannot delete {}", arguments.name), deleted.error()));
  }
  return render_done("deleted", arguments.name, style);
}

}  // namespace svti::svtictl
