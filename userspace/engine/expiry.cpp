// SPDX-License-Identifier: Apache-2.0
#include "engine/expiry.h"

#include <cstdio>
#include <string>
#include <string_view>

namespace svti::engine {

namespace {

std::string date_of(std::chrono::sys_seconds time) {
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(time)};
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                static_cast<unsigned>(day.day()));
  return text;
}

// `entry`: a model::LocalCertificate or a model::Authority
template <typename Entry>
void look_at(std::string_view kind, const Entry& entry, std::chrono::sys_seconds now, std::vector<LogLine>& out) {
  const std::string who = std::string(kind) + " " + entry.name + " (" + entry.subject + ")";
  std::string text;
  if (entry.not_after < now) {
    text = who + " expired on " + date_of(entry.not_after) + ": replace it";
  } else if (entry.not_before > now) {
    text = who + " is valid only from " + date_of(entry.not_before) + ": is the clock right?";
  } else if (entry.not_after - now < kWarnBefore) {
    const auto days = std::chrono::duration_cast<std::chrono::days>(entry.not_after - now).count();
    text = who + " expires on " + date_of(entry.not_after) + ", in " + std::to_string(days) + " days: have it renewed";
  } else {
    return;
  }
  out.push_back({Subsystem::Config, 0, {}, std::move(text)});
}

}  // namespace

std::vector<LogLine> expiry_warnings(const model::Configuration& configuration, std::chrono::sys_seconds now) {
  std::vector<LogLine> out;
  for (const auto& one : configuration.certificates) look_at("certificate", *one, now, out);
  for (const auto& one : configuration.authorities) look_at("certificate-authority", *one, now, out);
  return out;
}

}  // namespace svti::engine
