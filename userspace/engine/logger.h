// SPDX-License-Identifier: Apache-2.0
// Where log lines go: syslog (facilities daemon and authpriv, severity notice, as the guide's "Logging" says), standard error, and
// whoever listens.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "base/log.h"
#include "model/config.h"

namespace svti::engine {

class Logger {
 public:
  // `stderr_level`: lines at that level or below go to standard error too; kLogDisabled: none
  explicit Logger(LogLevel stderr_level) : stderr_level_(stderr_level) {}

  // levels for lines that come without their own
  void configure(const model::LoggingConfig& config) { config_ = config; }
  void write(const LogLine& line) { write(line, config_); }
  // by the levels of the VRF it is about
  void write(const LogLine& line, const model::LoggingConfig& levels);
  LogSink sink() {
    return [this](const LogLine& line) { write(line); };
  }
  // Lines at `level` or below go to `sink` until the returned function is called; calling it again does nothing. It may be called from the
  // sink.
  std::function<void()> subscribe(LogLevel level, LogSink sink);

 private:
  struct Subscriber {
    LogLevel level = 1;
    LogSink sink;
  };

  LogLevel stderr_level_;
  model::LoggingConfig config_;
  std::map<std::uint64_t, Subscriber> subscribers_;
  std::uint64_t next_subscriber_ = 1;
};

}  // namespace svti::engine
