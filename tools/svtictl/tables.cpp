// SPDX-License-Identifier: Apache-2.0
// svtictl spd, sad and trace: what the module knows, and what it would do with a packet.
#include <optional>

#include "svtictl/links.h"
#include "svtictl/verbs.h"
#include "svtictl/view.h"

namespace svti::svtictl {
namespace {

Flow flow_of(const FlowArguments& arguments) {
  return {arguments.out, *arguments.from, *arguments.to, arguments.protocol, arguments.source_port, arguments.destination_port,
          arguments.mark};
}

}  // namespace

Result<std::string> run(const SpdArguments& arguments, const Style& style) {
  auto view = View::open(arguments.name);
  if (!view) return fail(view.error());
  const auto policies = view->policies();
  if (!policies) return fail(policies.error());
  std::optional<Trace> trace;
  if (arguments.flow.from) {
    auto traced = view->trace(flow_of(arguments.flow));
    if (!traced) return fail(traced.error());
    trace = std::move(*traced);
  }
  return render_spd(*policies, trace, style);
}

Result<std::string> run(const SadArguments& arguments, const Style& style) {
  auto view = View::open(arguments.name);
  if (!view) return fail(view.error());
  const auto states = view->states();
  if (!states) return fail(states.error());
  return render_sad(*states, style);
}

Result<std::string> run(const TraceArguments& arguments, const Style& style) {
  auto view = View::open(arguments.name);
  if (!view) return fail(view.error());
  auto trace = view->trace(flow_of(arguments.flow));
  if (!trace) return fail(trace.error());

  // The name of the outer device can be told only where this is the link namespace as well.
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  const auto svtis = read_svtis(*netlink, arguments.name);
  if (!svtis) return fail(svtis.error());
  if (trace->out_index != 0 && !svtis->front().link_nsid) {
    const auto links = all_links(*netlink);
    if (!links) return fail(links.error());
    if (const auto found = links->find(trace->out_index); found != links->end()) trace->out_device = found->second.name;
  }
  return render_trace(flow_of(arguments.flow), *trace, style);
}

}  // namespace svti::svtictl
