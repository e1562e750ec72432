// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <memory>

#include "ikectl/target.h"

namespace svti::ikectl {

namespace {

struct Options {
  Target target;
  double timeout = 0;
};

}  // namespace

void add_terminate(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("terminate", "Delete a VPN's IKE SAs, or the CHILD SAs of one policy");
  const auto options = std::make_shared<Options>();
  add_target(*verb, options->target);
  verb->add_option("--timeout", options->timeout, "Seconds to wait for the peer's answer, 0 until it is known")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  verb->footer(
      "Examples:\n"
      "  ikectl terminate siteA-siteB\n"
      "  ikectl terminate siteA-siteB trunk");
  verb->callback([&context, options] {
    vici::Message parameters;
    parameters.add_number("timeout", std::llround(options->timeout * 1000));
    run_on_target(context, "terminate", "terminated", options->target, std::move(parameters));
  });
}

}  // namespace svti::ikectl
