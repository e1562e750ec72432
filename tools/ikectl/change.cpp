// SPDX-License-Identifier: Apache-2.0
// set and delete of single paths; confirm and rollback of a change that waits for it.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "ikectl/changes.h"
#include "ikectl/render.h"
#include "ikectl/target.h"
#include "ikectl/transfer.h"
#include "ikectl/verbs.h"

namespace svti::ikectl {

namespace {

struct Options {
  std::vector<std::string> words;
  std::string confirm;
  bool dry_run = false;
};

void run(Context& context, bool remove, const Options& options) {
  ChangeOptions change;
  change.dry_run = options.dry_run;
  if (!options.confirm.empty()) change.confirm_within = parse_seconds(options.confirm);
  Result<Client> client = Client::connect(context.socket);
  if (!client) return context.report(client.error());
  const Result<ChangeOutcome> outcome = edit(*client, {{remove, path_of(options.words)}}, change);
  if (!outcome) return context.report(outcome.error());
  std::cerr << load_diagnostics_text(outcome->response, context.color_on(STDERR_FILENO));
  if (outcome->refused()) context.exit_code = kFailed;
  if (context.json) {
    std::cout << load_json(outcome->response, outcome->changes);
  } else if (outcome->refused()) {
    std::cerr << load_summary(outcome->response);
  } else if (outcome->changes.empty()) {
    std::cout << "nothing to change\n";
  } else {
    std::cout << changes_text(outcome->changes, context.color_on(STDOUT_FILENO)) << load_notes(outcome->response);
  }
}

void add_change(CLI::App& app, Context& context, bool remove, const char* name, const char* help, const char* examples) {
  CLI::App* verb = app.add_subcommand(name, help);
  const auto options = std::make_shared<Options>();
  verb->add_option("PATH", options->words,
                   remove ? "Path of a leaf, a leaf and one of its values, or a context" : "Path of a leaf, and its value")
      ->required();
  verb->add_option("--confirm", options->confirm, "Roll back unless `ikectl confirm` comes within that time")
      ->type_name("TIME")
      ->check(CLI::Validator(
          [](const std::string& text) { return parse_seconds(text) ? "" : "takes 1s to 24h: a number with s, m or h, such as 60s"; }, ""));
  verb->add_flag("--dry-run", options->dry_run, "Show what would change, and change nothing");
  verb->footer(std::string("PATH counts from `vrf main ike`, or from the top when it begins with `vrf` or `/`. What the rest\n"
                           "of the configuration does not allow is refused.\n\n"
                           "Examples:\n") +
               examples);
  verb->callback([&context, remove, options] { run(context, remove, *options); });
}

void command(Context& context, const char* name, const char* done) {
  Result<Client> client = Client::connect(context.socket);
  if (!client) return context.report(client.error());
  const Result<vici::Message> response = client->call(name, {});
  if (!response) return context.report(response.error());
  if (const Status outcome = outcome_of(*response); !outcome) return context.report(outcome.error());
  if (!context.json) std::cout << done << '\n';
}

}  // namespace

void add_set(CLI::App& app, Context& context) {
  add_change(app, context, false, "set", "Set one leaf of the running configuration, or make a context",
             "  ikectl set vpn siteA-siteB ike-policy mobike true\n"
             "  ikectl set vrf red ike vpn hq remote-address 192.0.2.7\n"
             "  ikectl set logging daemon ike 2");
}

void add_delete(CLI::App& app, Context& context) {
  add_change(app, context, true, "delete", "Delete a leaf of the running configuration, a value of it, or a context",
             "  ikectl delete vpn siteA-siteB ike-policy mobike\n"
             "  ikectl delete pool user-vips dns 192.0.2.53\n"
             "  ikectl delete --dry-run vpn siteA-siteB");
}

void add_confirm(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("confirm", "Keep what was loaded with --confirm");
  verb->footer(
      "Examples:\n"
      "  ikectl load --confirm 60s new.conf\n"
      "  ikectl confirm");
  verb->callback([&context] { command(context, "svti-confirm", "confirmed"); });
}

void add_rollback(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("rollback", "Take back at once what was loaded with --confirm");
  verb->footer(
      "Examples:\n"
      "  ikectl load --confirm 60s new.conf\n"
      "  ikectl rollback");
  verb->callback([&context] { command(context, "svti-rollback", "rolled back"); });
}

}  // namespace svti::ikectl
