// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "ikectl/client.h"
#include "ikectl/verbs.h"

namespace svti::ikectl {

namespace {

void version(Context& context) {
  if (!context.json) std::cout << "ikectl " SVTI_VERSION "\n";
  Result<Client> client = Client::connect(context.socket);
  if (!client) return context.report(client.error());
  const Result<vici::Message> daemon = client->call("version", {});
  if (!daemon) return context.report(daemon.error());

  const auto text = [&](const char* key) { return printable(daemon->text(key)); };
  if (context.json) {
    nlohmann::ordered_json json{{"ikectl", SVTI_VERSION}};
    for (const char* key : {"daemon", "version", "sysname", "release", "machine"}) json[key] = text(key);
    std::cout << json.dump(2) << '\n';
    return;
  }
  std::cout << text("daemon") << ' ' << text("version") << " on " << text("sysname") << ' ' << text("release") << ' ' << text("machine")
            << '\n';
}

}  // namespace

void add_version(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("version", "Print the versions of ikectl and of the daemon that runs");
  verb->footer(
      "Examples:\n"
      "  ikectl version\n"
      "  ikectl version --json");
  verb->callback([&context] { version(context); });
}

}  // namespace svti::ikectl
