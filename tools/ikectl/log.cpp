// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <iostream>

#include "ikectl/client.h"
#include "ikectl/render.h"
#include "ikectl/verbs.h"

namespace svti::ikectl {

void add_log(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("log", "Follow the daemon's log (levels 0 and 1) until interrupted");
  verb->footer(
      "Examples:\n"
      "  ikectl log\n"
      "  ikectl log | grep siteA-siteB");
  verb->callback([&context] {
    Result<Client> client = Client::connect(context.socket);
    if (!client) return context.report(client.error());
    const Status ended = client->listen("log", [](const vici::Message& event) { std::cout << log_line(event) << std::endl; });
    context.report(ended.error());
  });
}

}  // namespace svti::ikectl
