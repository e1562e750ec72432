// SPDX-License-Identifier: Apache-2.0
#include "ikectl/render.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/log.h"

namespace svti::ikectl {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLineLimit = 4096;  // characters of a message shown

std::string dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

template <typename Visit>
void each_diagnostic(const vici::Message& response, Visit visit) {
  const vici::Section* diagnostics = response.section("diagnostics");
  if (diagnostics == nullptr) return;
  for (const vici::Entry& entry : diagnostics->entries()) {
    if (const auto* diagnostic = std::get_if<vici::Section>(&entry.content)) visit(*diagnostic);
  }
}

std::string names_text(const vici::Section& plan, const std::string& what) {
  const vici::List* names = plan.list(what + "-vpns");
  if (names == nullptr || names->empty()) return {};
  constexpr std::size_t kShown = 8;
  std::string out;
  for (std::size_t i = 0; i < names->size() && i < kShown; ++i) out += (i == 0 ? "" : ", ") + printable((*names)[i]);
  return fmt::format(" ({}{})", out, names->size() > kShown ? ", ..." : "");
}

std::string plan_text(const vici::Section& plan) {
  const std::string_view added = plan.text("added", "0");
  return fmt::format("{} {} added{}, {} changed{}, {} removed{}, {} unchanged", added, added == "1" ? "VPN" : "VPNs",
                     names_text(plan, "added"), plan.text("changed", "0"), names_text(plan, "changed"), plan.text("removed", "0"),
                     names_text(plan, "removed"), plan.text("unchanged", "0"));
}

}  // namespace

std::string paint(std::string_view text, Color color, bool on) {
  if (!on) return std::string(text);
  const int code = color == Color::Red ? 31 : color == Color::Yellow ? 33 : 32;
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string load_diagnostics_text(const vici::Message& response, bool color) {
  std::string out;
  each_diagnostic(response, [&](const vici::Section& diagnostic) {
    const bool warning = diagnostic.text("severity") == "warning";
    std::string line = printable(diagnostic.text("file"), kLineLimit);
    if (const std::string_view number = diagnostic.text("line", "0"); number != "0") line += fmt::format(":{}", number);
    line += ": ";
    if (const std::string_view leaf = diagnostic.text("leaf"); !leaf.empty()) line += printable(leaf, kLineLimit) + ": ";
    if (warning) line += "warning: ";
    line += printable(diagnostic.text("message"), kLineLimit);
    out += paint(line, warning ? Color::Yellow : Color::Red, color) + "\n";
  });
  if (const std::string* omitted = response.find("diagnostics-omitted")) out += fmt::format("and {} more\n", *omitted);
  return out;
}

std::string load_summary(const vici::Message& response) {
  const vici::Section* plan = response.section("plan");
  if (response.text("applied") == "yes") return "configuration applied: " + (plan == nullptr ? "" : plan_text(*plan));
  std::size_t errors = 0;
  each_diagnostic(response, [&](const vici::Section& diagnostic) { errors += diagnostic.text("severity") == "error"; });
  if (errors == 0) return "configuration not applied: " + printable(response.text("errmsg", "the daemon gives no reason"), kLineLimit);
  return fmt::format("configuration not applied: {} error{}, what ran before goes on", errors, errors == 1 ? "" : "s");
}

std::string load_json(const vici::Message& response) {
  Json json{{"applied", response.text("applied") == "yes"}};
  json["diagnostics"] = Json::array();
  each_diagnostic(response, [&](const vici::Section& diagnostic) {
    json["diagnostics"].push_back({{"severity", diagnostic.text("severity")},
                                   {"file", diagnostic.text("file")},
                                   {"line", diagnostic.number("line", 0).value_or(0)},
                                   {"leaf", diagnostic.text("leaf")},
                                   {"message", diagnostic.text("message")}});
  });
  if (response.find("diagnostics-omitted") != nullptr) json["diagnostics-omitted"] = response.number("diagnostics-omitted", 0).value_or(0);
  if (const vici::Section* plan = response.section("plan")) {
    Json& out = json["plan"] = Json::object();
    for (const char* what : {"added", "changed", "removed"}) {
      const vici::List* names = plan->list(std::string(what) + "-vpns");
      out[what] = {{"count", plan->number(what, 0).value_or(0)}, {"vpns", names == nullptr ? vici::List{} : *names}};
    }
    out["unchanged"] = {{"count", plan->number("unchanged", 0).value_or(0)}};
  }
  return dump(json);
}

std::string log_line(const vici::Message& event) {
  std::string out = fmt::format("[{}] ", printable(event.text("group")));
  if (const std::string_view vpn = event.text("ikesa-name"); !vpn.empty()) out += printable(vpn) + ": ";
  return out + printable(event.text("msg"), kLineLimit);
}

std::string follow_line(const vici::Message& event) {
  std::string out = fmt::format("[{}] ", printable(event.text("subsystem")));
  if (const std::string_view vpn = event.text("vpn"); !vpn.empty()) out += printable(vpn) + ": ";
  return out + printable(event.text("msg"), kLineLimit);
}

std::string follow_json(const vici::Message& event) {
  Json json{{"subsystem", event.text("subsystem")}, {"level", event.number("level", 0).value_or(0)}};
  if (const std::string* vpn = event.find("vpn")) json["vpn"] = *vpn;
  json["msg"] = event.text("msg");
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string outcome_json(std::string_view vpn, std::string_view policy, const Status& outcome) {
  Json json{{"vpn", vpn}};
  if (!policy.empty()) json["policy"] = policy;
  json["success"] = outcome.has_value();
  if (!outcome) json["error"] = outcome.error().message;
  return dump(json);
}

}  // namespace svti::ikectl
