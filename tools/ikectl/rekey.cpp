// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "ikectl/target.h"

namespace svti::ikectl {

void add_rekey(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("rekey", "Rekey a VPN's IKE SA, or the CHILD SAs of one policy");
  const auto target = std::make_shared<Target>();
  add_target(*verb, *target);
  verb->footer(
      "Examples:\n"
      "  ikectl rekey siteA-siteB\n"
      "  ikectl rekey siteA-siteB trunk");
  verb->callback([&context, target] { run_on_target(context, "rekey", "rekeyed", *target, {}); });
}

}  // namespace svti::ikectl
