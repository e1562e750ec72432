// SPDX-License-Identifier: Apache-2.0
// Changes of the daemon's configuration over its socket: what load, diff, set, delete and edit share.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.h"
#include "ikectl/client.h"

namespace svti::ikectl {

struct ChangeOptions {
  bool dry_run = false;
  std::optional<std::chrono::seconds> confirm_within;
};

struct ChangeOutcome {
  vici::Message response;  // of svti-load-config or svti-edit-config
  std::vector<config::Change> changes;

  bool applied() const { return response.text("applied") == "yes"; }
  bool refused() const { return response.text("success") != "yes"; }
};

// the text of a file, "-" for standard input; at most what the daemon takes
Result<std::string> read_text(const std::string& file);
Result<ChangeOutcome> load(Client& client, std::string_view text, const std::string& file, const ChangeOptions& options);
Result<ChangeOutcome> edit(Client& client, const std::vector<config::Edit>& edits, const ChangeOptions& options);

// "60s", "5m", "1h", or a number of seconds; none: it is neither, or is 0 or above a day
std::optional<std::chrono::seconds> parse_seconds(std::string_view text);

}  // namespace svti::ikectl
