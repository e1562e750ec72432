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
model::CertificateState state_of(const Entry& entry, bool authority, std::chrono::sys_seconds now) {
  model::CertificateState out{entry.name, entry.subject, authority, entry.not_before, entry.not_after};
  if (entry.not_after < now) {
    out.validity = model::Validity::Expired;
  } else if (entry.not_before > now) {
    out.validity = model::Validity::NotYetValid;
  } else if (entry.not_after - now < kWarnBefore) {
    out.validity = model::Validity::ExpiresSoon;
  }
  return out;
}

std::string warning_of(const model::CertificateState& one, std::chrono::sys_seconds now) {
  const std::string who = (one.authority ? "certificate-authority " : "certificate ") + one.name + " (" + one.subject + ")";
  switch (one.validity) {
    case model::Validity::Valid:
      break;
    case model::Validity::Expired:
      return who + " expired on " + date_of(one.not_after) + ": replace it";
    case model::Validity::NotYetValid:
      return who + " is valid only from " + date_of(one.not_before) + ": is the clock right?";
    case model::Validity::ExpiresSoon: {
      const auto days = std::chrono::duration_cast<std::chrono::days>(one.not_after - now).count();
      return who + " expires on " + date_of(one.not_after) + ", in " + std::to_string(days) + " days: have it renewed";
    }
  }
  return {};
}

}  // namespace

std::vector<model::CertificateState> certificate_states(const model::Configuration& configuration, std::chrono::sys_seconds now) {
  std::vector<model::CertificateState> out;
  for (const auto& one : configuration.certificates) out.push_back(state_of(*one, false, now));
  for (const auto& one : configuration.authorities) out.push_back(state_of(*one, true, now));
  return out;
}

std::vector<LogLine> expiry_warnings(const model::Configuration& configuration, std::chrono::sys_seconds now) {
  std::vector<LogLine> out;
  for (const model::CertificateState& one : certificate_states(configuration, now)) {
    if (one.validity != model::Validity::Valid) out.push_back({Subsystem::Config, 0, {}, warning_of(one, now)});
  }
  return out;
}

}  // namespace svti::engine
