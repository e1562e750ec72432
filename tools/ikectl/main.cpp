// SPDX-License-Identifier: Apache-2.0
// ikectl: commands svti-iked over its VICI socket. Exit code 0: done, 1: not done, 2: the command line is wrong.
#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "ikectl/verbs.h"

namespace {

// CLI11 says "a subcommand is required" also where a word stands that is none.
std::string missing_command(const CLI::App& app, int argc, char** argv) {
  const CLI::App* at = &app;
  std::string path = app.get_name(), unknown;
  for (int i = 1; i < argc && unknown.empty(); ++i) {
    const std::string word = argv[i];
    if (word == "--socket" || word == "--color") {
      ++i;  // its value
    } else if (!word.starts_with('-')) {
      const auto commands = at->get_subcommands([&](const CLI::App* one) { return one->check_name(word); });
      if (commands.empty()) {
        unknown = word;
      } else {
        at = commands.front();
        path += " " + word;
      }
    }
  }
  std::string all;
  for (const CLI::App* one : at->get_subcommands([](const CLI::App*) { return true; })) all += (all.empty() ? "" : ", ") + one->get_name();
  return (unknown.empty() ? path + ": a command is missing" : path + " has no command '" + unknown + "'") + ": there are " + all;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace svti::ikectl;

  CLI::App app("Commands the IKE daemon svti-iked.", "ikectl");
  Context context;
  app.add_option("--socket", context.socket, "The daemon's control socket")->capture_default_str();
  app.add_option("--color", context.color, "auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  app.add_flag("--json", context.json, "Print JSON");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(
      "Examples:\n"
      "  ikectl load /etc/svti/iked.conf\n"
      "  ikectl set vpn siteA-siteB ike-policy mobike true\n"
      "  ikectl initiate siteA-siteB\n"
      "  ikectl show state siteA-siteB\n"
      "  ikectl explain siteA-siteB\n"
      "  ikectl COMMAND --help");
  add_check(app, context);
  add_diff(app, context);
  add_load(app, context);
  add_confirm(app, context);
  add_rollback(app, context);
  add_set(app, context);
  add_delete(app, context);
  add_edit(app, context);
  add_initiate(app, context);
  add_terminate(app, context);
  add_rekey(app, context);
  add_redirect(app, context);
  add_show(app, context);
  add_explain(app, context);
  add_log(app, context);
  add_pki(app, context);
  add_version(app, context);
  add_completion(app, context);

  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    if (std::string(error.what()).find("subcommand") == std::string::npos) return app.exit(error) == 0 ? kDone : kUsage;
    std::cerr << missing_command(app, argc, argv) << "\nRun with --help for more information.\n";
    return kUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  std::cout.flush();
  if (!std::cout) {
    std::cerr << "ikectl: cannot write to standard output\n";
    return kFailed;
  }
  return context.exit_code;
}
