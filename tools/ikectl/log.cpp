// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "ikectl/client.h"
#include "ikectl/render.h"
#include "ikectl/verbs.h"

namespace svti::ikectl {

namespace {

struct Options {
  std::string vpn;
  std::vector<std::string> subsystems;
  int level = 1;
};

void follow(Context& context, const Options& options) {
  vici::Message filter;
  filter.add_number("level", options.level);
  if (!options.vpn.empty()) filter.add("vpn", options.vpn);
  if (!options.subsystems.empty()) filter.add_list("subsystem", options.subsystems);
  Result<Client> client = Client::connect(context.socket);
  if (!client) return context.report(client.error());
  const auto show = [&](const vici::Message& event) { std::cout << (context.json ? follow_json(event) : follow_line(event)) << std::endl; };
  // It is answered only when the filter is refused.
  const Result<vici::Message> refused = client->call("svti-follow-log", filter, "svti-log", show);
  if (!refused) return context.report(refused.error());
  const Status outcome = outcome_of(*refused);
  context.report(outcome ? Error{Fault::Surroundings, "the daemon ended the log"} : outcome.error());
}

}  // namespace

void add_log(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("log", "Follow the daemon's log until interrupted");
  const auto options = std::make_shared<Options>();
  verb->add_option("--vpn", options->vpn, "Only lines about this VPN; VRF/NAME outside VRF main");
  verb->add_option("--subsystem", options->subsystems, "Only lines of this subsystem; may be given several times")
      ->type_name("NAME")
      ->delimiter(',')
      ->allow_extra_args(false);
  verb->add_option("--level", options->level, "0 audit, 1 control flow and errors, 2 detail, 3 raw dumps, 4 secrets too")
      ->check(CLI::Range(0, 4))
      ->capture_default_str();
  verb->footer(
      "What is shown does not depend on the levels of `logging` in the configuration. With --json\n"
      "a line is a JSON object. Where lines come faster than they are read, some are left out; a line\n"
      "says how many (`lost` in JSON).\n\n"
      "Examples:\n"
      "  ikectl log\n"
      "  ikectl log --vpn siteA-siteB --level 2\n"
      "  ikectl log --subsystem ike,child\n"
      "  ikectl log --json | jq -r 'select(.level == 0) | .msg'");
  verb->callback([&context, options] { follow(context, *options); });
}

}  // namespace svti::ikectl
