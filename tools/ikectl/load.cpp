// SPDX-License-Identifier: Apache-2.0
// check, diff and load: a configuration file against the schema, against what runs, and into the daemon.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "ikectl/changes.h"
#include "ikectl/render.h"
#include "ikectl/transfer.h"
#include "ikectl/verbs.h"

namespace svti::ikectl {

namespace {

// Neither daemon nor socket: the tool knows the schema itself.
void check(Context& context, const std::string& file) {
  const Result<std::string> text = read_text(file);
  if (!text) return context.report(text.error());
  const auto parsed = config::Document::parse(*text, file);
  const config::Diagnostics& found = parsed ? parsed->warnings() : parsed.error();
  if (!parsed) context.exit_code = kFailed;
  std::cerr << diagnostics_text(found, context.color_on(STDERR_FILENO));
  if (context.json) std::cout << check_json(parsed.has_value(), found);
  if (parsed && !context.json) std::cout << file << ": valid\n";
}

struct LoadOptions {
  std::string file;
  std::string confirm;
  bool dry_run = false;
  bool yes = false;
};

bool is_yes(const std::string& answer) { return answer == "y" || answer == "yes"; }

// Only a person at a terminal is asked: a script has made up its mind.
bool asks(const LoadOptions& options) {
  return !options.yes && !options.dry_run && options.file != "-" && isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
}

void show_plan(Context& context, const ChangeOutcome& outcome) {
  std::cerr << load_diagnostics_text(outcome.response, context.color_on(STDERR_FILENO));
  if (context.json) {
    std::cout << load_json(outcome.response, outcome.changes);
  } else if (outcome.refused()) {
    std::cerr << load_summary(outcome.response);
  } else {
    std::cout << changes_text(outcome.changes, context.color_on(STDOUT_FILENO)) << load_summary(outcome.response);
  }
  if (outcome.refused()) context.exit_code = kFailed;
}

void show_result(Context& context, const ChangeOutcome& outcome) {
  std::cerr << load_diagnostics_text(outcome.response, context.color_on(STDERR_FILENO));
  if (!outcome.applied()) context.exit_code = kFailed;
  if (context.json) {
    std::cout << load_json(outcome.response, outcome.changes);
    return;
  }
  (outcome.applied() ? std::cout : std::cerr) << load_summary(outcome.response);
}

void run_load(Context& context, const LoadOptions& options) {
  ChangeOptions change;
  change.dry_run = options.dry_run;
  if (!options.confirm.empty()) change.confirm_within = parse_seconds(options.confirm);
  const Result<std::string> text = read_text(options.file);
  if (!text) return context.report(text.error());
  Result<Client> client = Client::connect(context.socket);
  if (!client) return context.report(client.error());

  if (asks(options)) {
    ChangeOptions plan = change;
    plan.dry_run = true;
    const Result<ChangeOutcome> planned = load(*client, *text, options.file, plan);
    if (!planned) return context.report(planned.error());
    show_plan(context, *planned);
    if (planned->refused()) return;
    std::string answer;
    std::cout << "Apply? [y/N] " << std::flush;
    if (!std::getline(std::cin, answer) || !is_yes(answer)) {
      return context.report(Error{Fault::Surroundings, "nothing was changed"});
    }
  }
  const Result<ChangeOutcome> outcome = load(*client, *text, options.file, change);
  if (!outcome) return context.report(outcome.error());
  options.dry_run ? show_plan(context, *outcome) : show_result(context, *outcome);
}

CLI::Option* add_file(CLI::App& verb, std::string& file) {
  return verb.add_option("FILE", file, "Configuration in the native text form; - reads standard input")->required();
}

}  // namespace

void add_check(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("check", "Say what is wrong with a configuration file, without a daemon");
  const auto file = std::make_shared<std::string>();
  add_file(*verb, *file);
  verb->footer(
      "Errors and warnings go to standard error as FILE:LINE: LEAF: MESSAGE; exit code 0: it can be\n"
      "loaded, 1: it cannot. What only the running machine can tell is not looked at.\n\n"
      "Examples:\n"
      "  ikectl check /etc/svti/ike.conf\n"
      "  ikectl check --json new.conf | jq '.diagnostics[] | {line, message}'");
  verb->callback([&context, file] { check(context, *file); });
}

void add_diff(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("diff", "Show what loading a file would change, leaf by leaf");
  const auto options = std::make_shared<LoadOptions>();
  options->dry_run = true;
  add_file(*verb, options->file);
  verb->footer(
      "+ comes, - goes, ~ gets another value. Secrets are not shown. The same as load --dry-run.\n\n"
      "Examples:\n"
      "  ikectl diff new.conf\n"
      "  ikectl diff --json new.conf | jq '.changes | length'");
  verb->callback([&context, options] { run_load(context, *options); });
}

void add_load(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("load", "Replace the daemon's configuration by that of a file, as a whole or not at all");
  const auto options = std::make_shared<LoadOptions>();
  add_file(*verb, options->file);
  verb->add_option("--confirm", options->confirm, "Roll back unless `ikectl confirm` comes within that time")
      ->type_name("TIME")
      ->check(CLI::Validator(
          [](const std::string& text) { return parse_seconds(text) ? "" : "takes 1s to 24h: a number with s, m or h, such as 60s"; }, ""));
  verb->add_flag("--dry-run", options->dry_run, "Show findings, changes and plan, and change nothing");
  verb->add_flag("--yes,-y", options->yes, "Do not ask");
  verb->footer(
      "On a terminal the changes are shown and a question is asked first. Errors and warnings go to\n"
      "standard error as FILE:LINE: LEAF: MESSAGE. With any error nothing is changed and the exit\n"
      "code is 1. SAs of VPNs that are the same as before are left alone.\n\n"
      "Examples:\n"
      "  ikectl load /etc/svti/ike.conf\n"
      "  ikectl load --confirm 60s new.conf && ping -c 3 branch && ikectl confirm\n"
      "  ikectl show config --secrets | sed 's/rekey-time 1h/rekey-time 2h/' | ikectl load -\n"
      "  ikectl load --json --dry-run new.conf | jq .plan");
  verb->callback([&context, options] { run_load(context, *options); });
}

}  // namespace svti::ikectl
