// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <memory>

#include "ikectl/target.h"

namespace svti::ikectl {

namespace {

struct Options {
  Target target;
  double timeout = 0;
  int level = 1;
};

}  // namespace

void add_initiate(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("initiate", "Set a VPN up: its IKE SA and its CHILD SAs");
  const auto options = std::make_shared<Options>();
  add_target(*verb, options->target);
  verb->add_option("--timeout", options->timeout, "Seconds to wait, 0 until the attempt ends; the attempt itself goes on")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  verb->add_option("--loglevel", options->level, "Detail of the progress shown, -1 (none) to 4")
      ->check(CLI::Range(-1, 4))
      ->capture_default_str();
  verb->footer(
      "Shows the daemon's log lines about the VPN until it is up or has failed; exit code 0 or 1.\n\n"
      "Examples:\n"
      "  ikectl initiate siteA-siteB\n"
      "  ikectl initiate siteA-siteB trunk --timeout 10");
  verb->callback([&context, options] {
    vici::Message parameters;
    parameters.add_number("timeout", std::llround(options->timeout * 1000)).add_number("loglevel", options->level);
    run_on_target(context, "initiate", "established", options->target, std::move(parameters));
  });
}

}  // namespace svti::ikectl
