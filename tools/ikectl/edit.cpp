// SPDX-License-Identifier: Apache-2.0
// `ikectl edit`: the shell at a terminal, or fed from a pipe.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <optional>

#include "ikectl/changes.h"
#include "ikectl/line_editor.h"
#include "ikectl/render.h"
#include "ikectl/shell.h"
#include "ikectl/transfer.h"
#include "ikectl/verbs.h"

namespace svti::ikectl {

namespace {

// A connection for each command: the daemon may be restarted while somebody thinks.
class SocketDaemon : public ShellDaemon {
 public:
  SocketDaemon(std::string socket, bool color_out, bool color_err)
      : socket_(std::move(socket)), color_out_(color_out), color_err_(color_err) {}

  Result<config::Document> running() override {
    std::string text;
    vici::Message parameters;
    parameters.add_flag("nodefault", true).add_flag("secrets", true);
    const Status shown = stream("svti-show-config", "svti-config", parameters, [&](std::string_view piece) { text += piece; });
    if (!shown) return fail(shown.error());
    auto document = config::Document::parse(text, "the running configuration");
    if (!document)
      return system_error("ikectl and the daemon do not agree on what a configuration is: " + document.error().front().to_string());
    return std::move(*document);
  }

  Result<bool> apply(const std::vector<config::Edit>& edits, std::optional<std::chrono::seconds> confirm_within,
                     std::ostream& out) override {
    Result<Client> client = Client::connect(socket_);
    if (!client) return fail(client.error());
    const auto outcome = edit(*client, edits, {false, confirm_within});
    if (!outcome) return fail(outcome.error());
    out.flush();
    std::cerr << load_diagnostics_text(outcome->response, color_err_);
    (outcome->applied() ? out : std::cerr) << load_summary(outcome->response);
    return outcome->applied();
  }

  Status confirm() override { return command("svti-confirm"); }
  Status roll_back() override { return command("svti-rollback"); }

  Status show_state(const std::string& vrf, const std::string& vpn, std::ostream& out) override {
    vici::Message parameters;
    parameters.add("vrf", vrf);
    if (!vpn.empty()) parameters.add("vpn", vpn);
    return stream("svti-show-state", "svti-state", parameters, [&](std::string_view piece) { out << piece; });
  }

  bool color_out() const { return color_out_; }

 private:
  Status stream(std::string_view name, std::string_view event, const vici::Message& parameters,
                const std::function<void(std::string_view)>& take) {
    Result<Client> client = Client::connect(socket_);
    if (!client) return fail(client.error());
    const auto response = client->call(name, parameters, event, [&](const vici::Message& piece) { take(piece.text("text")); });
    if (!response) return fail(response.error());
    return outcome_of(*response);
  }

  Status command(std::string_view name) {
    Result<Client> client = Client::connect(socket_);
    if (!client) return fail(client.error());
    const auto response = client->call(name, {});
    if (!response) return fail(response.error());
    return outcome_of(*response);
  }

  std::string socket_;
  bool color_out_, color_err_;
};

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  const std::string_view whole(name);
  return std::string(whole.substr(0, whole.find('.')));
}

// A quoted value may go over several lines: whether the text ends within one.
bool ends_in_quotes(std::string_view text) {
  bool quoted = false, blank_before = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == '"')
        quoted = false;
      continue;
    }
    if (text[i] == '"' && blank_before) quoted = true;
    if (text[i] == '#' && blank_before) {
      const std::size_t end = text.find('\n', i);
      if (end == std::string_view::npos) return false;
      i = end;
    }
    blank_before = text[i] == ' ' || text[i] == '\t' || text[i] == '\n';
  }
  return quoted;
}

void at_terminal(Context& context, Shell& shell) {
  LineEditor editor([&](std::string_view before) { return shell.choices(before); });
  const bool color = context.color_on(STDERR_FILENO);
  while (!shell.ended()) {
    std::optional<std::string> line = editor.read(shell.prompt());
    while (line && ends_in_quotes(*line)) {
      const std::optional<std::string> more = editor.read("... ");
      line = more ? std::optional(*line + "\n" + *more) : std::nullopt;
    }
    if (!line) std::cout << "\n";  // ^D is exit
    const Status done = shell.carry_out(line ? *line : "exit");
    std::cout.flush();
    if (!done) std::cerr << paint(done.error().message, Color::Red, color) << '\n';
  }
}

// The first error ends it: what follows may have been meant for another context.
void from_pipe(Context& context, Shell& shell) {
  unsigned number = 0;
  std::string line;
  while (!shell.ended() && std::getline(std::cin, line)) {
    const unsigned first = ++number;
    std::string more;
    while (ends_in_quotes(line) && std::getline(std::cin, more)) {
      ++number;
      line += "\n" + more;
    }
    const Status done = shell.carry_out(line);
    if (!done) return context.report(Error{done.error().fault, "line " + std::to_string(first) + ": " + done.error().message});
  }
  if (shell.has_changes()) {
    context.report(Error{Fault::Configuration,
                         "line " + std::to_string(number) + ": the input ends without `commit`: nothing was changed since the last one"});
  }
}

void run(Context& context) {
  SocketDaemon daemon(context.socket, context.color_on(STDOUT_FILENO), context.color_on(STDERR_FILENO));
  Shell shell(daemon, host_name(), std::cout, daemon.color_out());
  if (const Status started = shell.start(); !started) return context.report(started.error());
  isatty(STDIN_FILENO) != 0 ? at_terminal(context, shell) : from_pipe(context, shell);
}

}  // namespace

void add_edit(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("edit", "Change the running configuration in a shell, and apply the changes as one");
  verb->footer(
      "The shell has the contexts of the text form: `vrf main`, `ike`, `vpn hq`; `..` leaves one, `/`\n"
      "goes to the top. Changes gather in a candidate; the prompt has a `!` while it cannot be applied.\n"
      "TAB completes and explains, `help` lists the commands. Lines may come from a pipe: the first error\n"
      "ends it with exit code 1, and without `commit` nothing is changed.\n\n"
      "Examples:\n"
      "  ikectl edit\n"
      "  printf '/ vrf main ike vpn hq ike-policy\\n dpd-delay 30s\\n commit\\n' | ikectl edit");
  verb->callback([&context] { run(context); });
}

}  // namespace svti::ikectl
