// SPDX-License-Identifier: Apache-2.0
#include "engine/logger.h"

#include <syslog.h>

#include <cstdio>
#include <vector>

namespace svti::engine {

void Logger::write(const LogLine& line, const model::LoggingConfig& levels) {
  const auto subsystem = static_cast<std::size_t>(line.subsystem);
  const std::string text = std::string(to_string(line.subsystem)) + ": " + line.text;
  // One process, two facilities: hence syslog(3) with the facility in each call rather than a sink that is opened with one.
  if (line.level <= levels.daemon[subsystem]) syslog(LOG_DAEMON | LOG_NOTICE, "%s", text.c_str());
  if (line.level <= levels.authpriv[subsystem]) syslog(LOG_AUTHPRIV | LOG_NOTICE, "%s", text.c_str());
  if (line.level <= stderr_level_) std::fprintf(stderr, "%s\n", text.c_str());
  // a subscriber may go while it is being told
  std::vector<std::uint64_t> ids;
  for (const auto& [id, subscriber] : subscribers_) {
    if (line.level <= subscriber.level) ids.push_back(id);
  }
  for (const std::uint64_t id : ids) {
    const auto found = subscribers_.find(id);
    if (found == subscribers_.end()) continue;
    const LogSink sink = found->second.sink;
    sink(line);
  }
}

std::function<void()> Logger::subscribe(LogLevel level, LogSink sink) {
  const std::uint64_t id = next_subscriber_++;
  subscribers_.emplace(id, Subscriber{level, std::move(sink)});
  return [this, id] { subscribers_.erase(id); };
}

}  // namespace svti::engine
