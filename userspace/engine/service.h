// SPDX-License-Identifier: Apache-2.0
// What the daemon does on command: the face of the engine towards `control`. Called and calling back in the event loop's thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "config/document.h"
#include "model/explanation.h"
#include "model/state.h"

namespace svti::engine {

// what a load found and did
struct LoadOutcome {
  std::vector<config::Diagnostic> diagnostics;                  // errors and warnings, in the order of the text
  bool applied = false;                                         // false with any error: nothing was changed
  std::vector<std::string> added, changed, removed, unchanged;  // VPN names
};

enum class ConfigFormat { Text, Json };
struct ShowConfigOptions {
  bool defaults = true;  // false: `nodefault`
  bool secrets = false;  // false: secrets print as a placeholder
  ConfigFormat format = ConfigFormat::Text;
};

class Service {
 public:
  using Done = std::function<void(Status)>;

  virtual ~Service() = default;

  // replaces the whole configuration, or changes nothing
  virtual LoadOutcome load(std::string_view text, std::string_view file_name) = 0;
  virtual std::string show_config(const ShowConfigOptions& options) const = 0;
  virtual model::RuntimeState state() = 0;
  virtual model::ConfigurationPtr configuration() const = 0;

  // Sets a CHILD SA up (all policies of the VPN when `policy` is empty). `progress` gets the log lines about this VPN until `done` is
  // called, once. A positive timeout ends the wait (not the attempt) with an error.
  virtual void initiate(const std::string& vpn, const std::string& policy, milliseconds timeout, LogSink progress, Done done) = 0;
  // Deletes the VPN's IKE SAs, or only the CHILD SAs of `policy` when it is given. Error at once when there is nothing to delete.
  virtual void terminate(const std::string& vpn, const std::string& policy, milliseconds timeout, LogSink progress, Done done) = 0;
  // Rekeys the VPN's IKE SA, or the CHILD SAs of `policy` when it is given.
  virtual void rekey(const std::string& vpn, const std::string& policy, Done done) = 0;

  // Why the last negotiations of a VPN ended as they did, newest first: the last of its IKE SA, the last of each security-policy, and the
  // last request refused to somebody who was not authenticated. `vpn` empty: those refused for whom no VPN was found, a bounded number.
  virtual std::vector<model::Explanation> explain(const std::string& vrf, const std::string& vpn) const = 0;

  // Every log line at `level` or below goes to `sink` until the returned function is called.
  virtual std::function<void()> subscribe_log(LogLevel level, LogSink sink) = 0;
  virtual void shut_down() = 0;
};

}  // namespace svti::engine
