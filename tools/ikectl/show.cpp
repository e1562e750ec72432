// SPDX-License-Identifier: Apache-2.0
// `show config` and `show state`: the daemon streams the text, this prints it as it comes.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "ikectl/client.h"
#include "ikectl/verbs.h"

namespace svti::ikectl {

namespace {

void show(Context& context, std::string_view command, std::string_view event, vici::Message parameters) {
  parameters.add_flag("json", context.json);
  Result<Client> client = Client::connect(context.socket);
  if (!client) return context.report(client.error());
  const Result<vici::Message> response =
      client->call(command, parameters, event, [](const vici::Message& piece) { std::cout << piece.text("text"); });
  if (!response) return context.report(response.error());
  if (const Status outcome = outcome_of(*response); !outcome) return context.report(outcome.error());
}

void add_show_config(CLI::App& show_verb, Context& context) {
  struct Options {
    std::string nodefault;
    bool secrets = false;
  };
  CLI::App* verb = show_verb.add_subcommand("config", "The configuration that the daemon runs");
  const auto options = std::make_shared<Options>();
  verb->add_option("nodefault", options->nodefault, "The word nodefault: only what differs from the defaults")
      ->check(CLI::IsMember({"nodefault"}));
  verb->add_flag("--secrets", options->secrets, "Print secrets in clear");
  verb->footer(
      "The text form can be loaded again; without --secrets its secrets are hidden.\n\n"
      "Examples:\n"
      "  ikectl show config\n"
      "  ikectl show config nodefault --secrets > backup.conf\n"
      "  ikectl show config --json");
  verb->callback([&context, options] {
    vici::Message parameters;
    parameters.add_flag("nodefault", !options->nodefault.empty()).add_flag("secrets", options->secrets);
    show(context, "svti-show-config", "svti-config", std::move(parameters));
  });
}

void add_show_state(CLI::App& show_verb, Context& context) {
  CLI::App* verb = show_verb.add_subcommand("state", "SAs and counters at this moment");
  const auto vpn = std::make_shared<std::string>();
  verb->add_option("VPN", *vpn, "Only this VPN");
  verb->footer(
      "Examples:\n"
      "  ikectl show state\n"
      "  ikectl show state siteA-siteB\n"
      "  ikectl show state --json | jq '.ike.\"ike-sa\"[] | {name, state}'");
  verb->callback([&context, vpn] {
    vici::Message parameters;
    if (!vpn->empty()) parameters.add("vpn", *vpn);
    show(context, "svti-show-state", "svti-state", std::move(parameters));
  });
}

}  // namespace

void add_show(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("show", "Print the configuration or the state");
  verb->require_subcommand(1);
  verb->fallthrough();
  verb->footer(
      "Examples:\n"
      "  ikectl show config nodefault\n"
      "  ikectl show state siteA-siteB --json");
  add_show_config(*verb, context);
  add_show_state(*verb, context);
}

}  // namespace svti::ikectl
