// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>

#include "ikectl/client.h"
#include "ikectl/render.h"
#include "ikectl/verbs.h"

namespace svti::ikectl {

namespace {

constexpr std::size_t kMaxText = 64 * 1024 * 1024;  // octets: what the daemon takes
constexpr std::size_t kPiece = 32 * 1024;           // octets in one list item
constexpr std::size_t kPiecesPerRequest = 8;        // well within a packet

Result<std::string> read_text(const std::string& file) {
  std::ifstream opened;
  if (file != "-") {
    opened.open(file, std::ios::binary);
    if (!opened) return system_error("cannot open " + file + ": " + std::strerror(errno));
  }
  std::istream& in = file == "-" ? std::cin : opened;
  std::string text;
  std::string piece(kPiece, '\0');
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0) {
    text.append(piece, 0, static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxText) return config_error(file + " has more than 64 MiB: this is no configuration the daemon takes");
  }
  if (in.bad() || !in.eof()) return system_error("cannot read " + file + ": " + std::strerror(errno));
  return text;
}

// The text goes in requests with `more`, and a last one without, which the response belongs to.
Result<vici::Message> send_text(Client& client, const std::string& text, const std::string& file) {
  std::size_t sent = 0;
  while (true) {
    vici::List pieces;
    for (; sent < text.size() && pieces.size() < kPiecesPerRequest; sent += pieces.back().size())
      pieces.push_back(text.substr(sent, kPiece));
    vici::Message request;
    request.add_list("text", std::move(pieces));
    const bool last = sent == text.size();
    request.add(last ? "file" : "more", last ? file : "yes");
    Result<vici::Message> response = client.call("svti-load-config", request);
    if (!response || last) return response;
    if (const Status taken = outcome_of(*response); !taken) return fail(taken.error());
  }
}

void load(Context& context, const std::string& file) {
  const Result<std::string> text = read_text(file);
  if (!text) return context.report(text.error());
  Result<Client> client = Client::connect(context.socket);
  if (!client) return context.report(client.error());
  const Result<vici::Message> response = send_text(*client, *text, file);
  if (!response) return context.report(response.error());

  const bool applied = response->text("applied") == "yes";
  if (!applied) context.exit_code = kFailed;
  std::cerr << load_diagnostics_text(*response, context.color_on(STDERR_FILENO));
  if (context.json) {
    std::cout << load_json(*response);
    return;
  }
  (applied ? std::cout : std::cerr) << load_summary(*response) << '\n';
}

}  // namespace

void add_load(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("load", "Replace the daemon's configuration by that of a file, as a whole or not at all");
  const auto file = std::make_shared<std::string>();
  verb->add_option("FILE", *file, "Configuration in the native text form; - reads standard input")->required();
  verb->footer(
      "Errors and warnings go to standard error as FILE:LINE: LEAF: MESSAGE. With any error nothing\n"
      "is changed and the exit code is 1.\n\n"
      "Examples:\n"
      "  ikectl load /etc/svti/iked.conf\n"
      "  ikectl show config | sed 's/rekey-time 3600/rekey-time 7200/' | ikectl load -\n"
      "  ikectl load --json new.conf | jq .plan");
  verb->callback([&context, file] { load(context, *file); });
}

}  // namespace svti::ikectl
