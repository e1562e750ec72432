// SPDX-License-Identifier: Apache-2.0
// `explain`: why the last negotiations of a VPN ended as they did, or who was refused as a stranger.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "base/log.h"
#include "ikectl/client.h"
#include "ikectl/render.h"
#include "ikectl/verbs.h"

namespace svti::ikectl {

namespace {

void explain(Context& context, const std::string& vpn) {
  Result<Client> client = Client::connect(context.socket);
  if (!client) return context.report(client.error());
  vici::Message parameters;
  if (!vpn.empty()) parameters.add("vpn", vpn);
  std::vector<vici::Message> events;
  const Result<vici::Message> response =
      client->call("svti-explain", parameters, "svti-explain", [&](const vici::Message& event) { events.push_back(event); });
  if (!response) return context.report(response.error());
  if (const Status outcome = outcome_of(*response); !outcome) return context.report(outcome.error());
  if (context.json) {
    std::cout << explanations_json(events);
    return;
  }
  if (events.empty()) {
    std::cout << (vpn.empty() ? "nobody was refused for want of a VPN\n" : printable(vpn) + ": nothing was negotiated yet\n");
    return;
  }
  const bool color = context.color_on(STDOUT_FILENO);
  for (std::size_t i = 0; i < events.size(); ++i) std::cout << (i == 0 ? "" : "\n") << explanation_text(events[i], color);
}

}  // namespace

void add_explain(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("explain", "Why the last negotiation ended as it did");
  const auto vpn = std::make_shared<std::string>();
  verb->add_option("VPN", *vpn, "The VPN; without one: peers refused because no VPN matched");
  verb->footer(
      "Shows what each side had side by side, marks what does not fit, and says what to change.\n\n"
      "Examples:\n"
      "  ikectl explain siteA-siteB\n"
      "  ikectl explain\n"
      "  ikectl explain siteA-siteB --json | jq '.[0].advice'");
  verb->callback([&context, vpn] { explain(context, *vpn); });
}

}  // namespace svti::ikectl
