// SPDX-License-Identifier: Apache-2.0
// The interactive shell of `ikectl edit`: contexts, a candidate configuration, and the commands on it, as the guide's examples look and
// feel. It knows no terminal and no socket: lines go in, text comes out.
#pragma once

#include <chrono>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.h"
#include "ikectl/place.h"

namespace svti::ikectl {

// what the shell wants of the daemon
class ShellDaemon {
 public:
  virtual ~ShellDaemon() = default;
  virtual Result<config::Document> running() = 0;
  // Applies the edits to what runs, whole or not at all, and prints findings and plan to `out`. False: refused, `out` says why.
  virtual Result<bool> apply(const std::vector<config::Edit>& edits, std::optional<std::chrono::seconds> confirm_within,
                             std::ostream& out) = 0;
  virtual Status confirm() = 0;
  virtual Status roll_back() = 0;
  virtual Status show_state(const std::string& vrf, const std::string& vpn, std::ostream& out) = 0;
};

class Shell {
 public:
  struct Choice {
    std::string word;
    std::string help;
  };

  // `daemon` and `out` must outlive the shell.
  Shell(ShellDaemon& daemon, std::string host_name, std::ostream& out, bool color);
  Status start();  // takes what runs as the candidate; to be called first

  // "HOST running vpn hq#! ": `!` while the candidate is not valid
  std::string prompt() const;
  // Carries one line out: a command, a context to enter, a leaf to set. An error changed nothing.
  Status carry_out(std::string_view line);
  bool ended() const { return ended_; }
  bool has_changes() const { return !edits_.empty(); }

  // what may stand where `line`, the part before the cursor, ends
  std::vector<Choice> choices(std::string_view line) const;

 private:
  using Words = std::vector<std::string>;
  struct Command;

  static const std::vector<Command>& commands();
  Status leave(const Words& words);
  Status remove(const Words& words);
  Status show(const Words& words);
  Status show_config(Words words);
  Status show_state(const Words& words);
  Status diff(const Words& words);
  Status check(const Words& words);
  Status commit(const Words& words);
  Status confirm(const Words& words);
  Status roll_back(const Words& words);
  Status discard(const Words& words);
  Status help(const Words& words);
  Status end(const Words& words);
  Status enter_or_set(const Words& words);

  Result<Place> place_of(const Words& words) const;  // a first word "/" counts from the top
  Status change(std::vector<config::Edit> edits);
  const config::Document& shown() const { return candidate_ ? *candidate_ : *running_; }
  std::string problems_text() const;
  bool exists(const Place& place) const;
  void leave_what_is_gone();

  ShellDaemon& daemon_;
  std::string host_name_;
  std::ostream& out_;
  bool color_;
  std::optional<config::Document> running_;    // as it was when the shell began, or last committed
  std::optional<config::Document> candidate_;  // running_ with edits_; none: nothing has been changed
  std::vector<config::Edit> edits_;
  Place context_;  // where the prompt stands
  bool warned_of_changes_ = false;
  bool ended_ = false;
};

}  // namespace svti::ikectl
