// SPDX-License-Identifier: Apache-2.0
#include "ikectl/transfer.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iostream>
#include <utility>

#include "ikectl/changes.h"

namespace svti::ikectl {

namespace {

constexpr std::size_t kMaxText = 16 * 1024 * 1024;  // octets: what the daemon takes
constexpr std::size_t kPiece = 32 * 1024;           // octets in one list item
constexpr std::size_t kRoom = 256 * 1024;           // octets of items in one request: well within a packet

// `items` go in requests with `more`, and a last one without, which the response belongs to.
Result<ChangeOutcome> send(Client& client, std::string_view command, std::string_view list, const std::vector<std::string_view>& items,
                           vici::Message last, const ChangeOptions& options) {
  last.add_flag("dry-run", options.dry_run);
  if (options.confirm_within) last.add_number("confirm", options.confirm_within->count());
  ChangeOutcome outcome;
  for (std::size_t at = 0;;) {
    vici::List part;
    for (std::size_t room = kRoom; at < items.size() && (part.empty() || items[at].size() <= room); ++at) {
      part.emplace_back(items[at]);
      room -= std::min(room, items[at].size());
    }
    vici::Message request = at < items.size() ? vici::Message{} : std::move(last);
    request.add_list(list, std::move(part));
    if (at < items.size()) request.add("more", "yes");
    auto response =
        client.call(command, request, "svti-change", [&](const vici::Message& event) { outcome.changes.push_back(change_of(event)); });
    if (!response) return fail(response.error());
    if (at < items.size()) {
      if (const Status taken = outcome_of(*response); !taken) return fail(taken.error());
      continue;
    }
    outcome.response = std::move(*response);
    return outcome;
  }
}

}  // namespace

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
    if (text.size() > kMaxText) return config_error(file + " has more than 16 MiB: this is no configuration the daemon takes");
  }
  if (in.bad() || !in.eof()) return system_error("cannot read " + file + ": " + std::strerror(errno));
  return text;
}

Result<ChangeOutcome> load(Client& client, std::string_view text, const std::string& file, const ChangeOptions& options) {
  std::vector<std::string_view> pieces;
  for (std::size_t at = 0; at < text.size(); at += kPiece) pieces.push_back(text.substr(at, kPiece));
  vici::Message last;
  last.add("file", file);
  return send(client, "svti-load-config", "text", pieces, std::move(last), options);
}

Result<ChangeOutcome> edit(Client& client, const std::vector<config::Edit>& edits, const ChangeOptions& options) {
  std::vector<std::string> lines;
  for (const config::Edit& each : edits) lines.push_back((each.remove ? "delete " : "set ") + each.path);
  return send(client, "svti-edit-config", "edits", {lines.begin(), lines.end()}, {}, options);
}

std::optional<std::chrono::seconds> parse_seconds(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value == 0 || value > 86400) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const unsigned factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (factor == 0 || value > 86400 / factor) return std::nullopt;
  return std::chrono::seconds(value * factor);
}

}  // namespace svti::ikectl
