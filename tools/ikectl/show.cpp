// SPDX-License-Identifier: Apache-2.0
// `show config` and `show state`: the daemon streams the text, this prints it as it comes.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "ikectl/client.h"
#include "ikectl/target.h"
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
    std::vector<std::string> words;
    bool secrets = false;
    bool resolved = false;
  };
  CLI::App* verb = show_verb.add_subcommand("config", "The configuration that the daemon runs, or a part of it");
  const auto options = std::make_shared<Options>();
  verb->add_option("PATH", options->words, "[nodefault] [PATH]: only what differs from the defaults; only what is at PATH")->type_name("");
  verb->add_flag("--resolved", options->resolved, "Templates folded into the VPNs that use them");
  verb->add_flag("--secrets", options->secrets, "Print secrets in clear");
  verb->footer(
      "PATH counts from `vrf main ike`, or from the top when it begins with `vrf` or `/`. The text form\n"
      "can be loaded again; without --secrets its secrets are hidden.\n\n"
      "Examples:\n"
      "  ikectl show config\n"
      "  ikectl show config nodefault --secrets > backup.conf\n"
      "  ikectl show config vpn siteA-siteB --resolved\n"
      "  ikectl show config --json / vrf main ike logging");
  verb->callback([&context, options] {
    std::vector<std::string>& words = options->words;
    vici::Message parameters;
    const bool nodefault = !words.empty() && words.front() == "nodefault";
    if (nodefault) words.erase(words.begin());
    parameters.add_flag("nodefault", nodefault).add_flag("secrets", options->secrets).add_flag("resolved", options->resolved);
    if (!words.empty()) parameters.add("path", path_of(words));
    show(context, "svti-show-config", "svti-config", std::move(parameters));
  });
}

void add_show_state(CLI::App& show_verb, Context& context) {
  struct Options {
    std::string vpn;
    std::string vrf;
    bool secrets = false;
  };
  CLI::App* verb = show_verb.add_subcommand("state", "The applied configuration, SAs and counters at this moment");
  const auto options = std::make_shared<Options>();
  verb->add_option("VPN", options->vpn, "Only this VPN; VRF/NAME outside VRF main");
  verb->add_option("--vrf", options->vrf, "Another VRF than main")->type_name("NAME");
  verb->add_flag("--secrets", options->secrets, "Print secrets of the configuration in clear");
  verb->footer(
      "Examples:\n"
      "  ikectl show state\n"
      "  ikectl show state siteA-siteB\n"
      "  ikectl show state red/hq\n"
      "  ikectl show state --json | jq '.\"svti:vrf\"[0].ike.\"ike-sa\"[] | {name, state}'");
  verb->callback([&context, options] {
    const VpnName name = vpn_name(options->vrf, options->vpn);
    vici::Message parameters;
    parameters.add("vrf", name.vrf).add_flag("secrets", options->secrets);
    if (!name.vpn.empty()) parameters.add("vpn", name.vpn);
    show(context, "svti-show-state", "svti-state", std::move(parameters));
  });
}

}  // namespace

void add_show(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("show", "Print the configuration, the state, or the pools of virtual addresses");
  verb->require_subcommand(1);
  verb->fallthrough();
  verb->footer(
      "Examples:\n"
      "  ikectl show config nodefault\n"
      "  ikectl show state siteA-siteB --json");
  add_show_config(*verb, context);
  add_show_state(*verb, context);
  add_show_pools(*verb, context);
}

}  // namespace svti::ikectl
