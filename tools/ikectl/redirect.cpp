// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <iostream>
#include <memory>

#include "ikectl/client.h"
#include "ikectl/render.h"
#include "ikectl/target.h"

namespace svti::ikectl {

namespace {

struct Options {
  std::string vpn, vrf, gateway, peers;
};

void run(Context& context, const Options& options) {
  vici::Message parameters;
  const std::string vpn = vpn_name(options.vrf, options.vpn).qualified();
  parameters.add("ike", vpn).add("gateway", options.gateway);
  if (!options.peers.empty()) parameters.add("peer-ip", options.peers);
  Result<Client> client = Client::connect(context.socket);
  if (!client) return context.report(client.error());
  const Result<vici::Message> response = client->call("redirect", parameters);
  if (!response) return context.report(response.error());
  const Status outcome = outcome_of(*response);
  if (context.json) std::cout << outcome_json(vpn, {}, outcome);
  if (!outcome) return context.report(Error{outcome.error().fault, "redirect " + vpn + " failed: " + outcome.error().message});
  if (context.json) return;
  const std::string text = vpn + ": " + std::string(response->text("matches")) + " redirected to " + options.gateway;
  std::cout << paint(text, Color::Green, context.color_on(STDOUT_FILENO)) << '\n';
}

}  // namespace

void add_redirect(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("redirect", "Send the clients of a VPN to another gateway (RFC 5685)");
  const auto options = std::make_shared<Options>();
  verb->add_option("VPN", options->vpn, "Name of the VPN; VRF/NAME outside VRF main")->required();
  verb->add_option("GATEWAY", options->gateway, "Address or host name of the gateway to go to")->required();
  verb->add_option("--peers", options->peers, "Only clients at these addresses")->type_name("ADDRESS|SUBNET|FIRST-LAST");
  verb->add_option("--vrf", options->vrf, "Another VRF than main")->type_name("NAME");
  verb->footer(
      "Examples:\n"
      "  ikectl redirect road-warriors 192.0.2.20\n"
      "  ikectl redirect road-warriors 192.0.2.20 --peers 198.51.100.0/24");
  verb->callback([&context, options] { run(context, *options); });
}

}  // namespace svti::ikectl
