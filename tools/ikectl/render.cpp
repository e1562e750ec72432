// SPDX-License-Identifier: Apache-2.0
#include "ikectl/render.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "base/log.h"

namespace svti::ikectl {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLineLimit = 4096;  // characters of a message shown

std::string dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

config::Diagnostics diagnostics_of(const vici::Message& response) {
  config::Diagnostics found;
  const vici::Section* diagnostics = response.section("diagnostics");
  if (diagnostics == nullptr) return found;
  for (const vici::Entry& entry : diagnostics->entries()) {
    const auto* each = std::get_if<vici::Section>(&entry.content);
    if (each == nullptr) continue;
    config::Diagnostic& one = found.emplace_back();
    one.warning = each->text("severity") == "warning";
    one.file = each->text("file");
    one.line = static_cast<unsigned>(each->number("line", 0, 0, std::numeric_limits<unsigned>::max()).value_or(0));
    one.leaf = each->text("leaf");
    one.message = each->text("message");
  }
  return found;
}

Json to_json(const config::Diagnostics& found) {
  Json list = Json::array();
  for (const config::Diagnostic& each : found) {
    list.push_back({{"severity", each.warning ? "warning" : "error"},
                    {"file", each.file},
                    {"line", each.line},
                    {"leaf", each.leaf},
                    {"message", each.message}});
  }
  return list;
}

Json to_json(const std::vector<config::Change>& changes) {
  static constexpr const char* kKinds[] = {"added", "removed", "changed"};
  Json list = Json::array();
  for (const config::Change& change : changes) {
    Json each{{"kind", kKinds[static_cast<std::size_t>(change.kind)]}, {"path", change.path}};
    if (!change.before.empty()) each["before"] = change.before;
    if (!change.after.empty()) each["after"] = change.after;
    if (change.restart) each["restart"] = true;
    list.push_back(std::move(each));
  }
  return list;
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

std::string diagnostics_text(const config::Diagnostics& found, bool color) {
  std::string out;
  for (const config::Diagnostic& each : found) {
    std::string line = printable(each.file, kLineLimit);
    if (each.line != 0 && !each.file.empty()) line += fmt::format(":{}", each.line);  // an edit has no file
    if (!line.empty()) line += ": ";
    if (!each.leaf.empty()) line += printable(each.leaf, kLineLimit) + ": ";
    if (each.warning) line += "warning: ";
    line += printable(each.message, kLineLimit);
    out += paint(line, each.warning ? Color::Yellow : Color::Red, color) + "\n";
  }
  return out;
}

std::string check_json(bool valid, const config::Diagnostics& found) { return dump({{"valid", valid}, {"diagnostics", to_json(found)}}); }

std::string load_diagnostics_text(const vici::Message& response, bool color) {
  std::string out = diagnostics_text(diagnostics_of(response), color);
  if (const std::string* omitted = response.find("diagnostics-omitted")) out += fmt::format("and {} more\n", *omitted);
  return out;
}

std::string load_notes(const vici::Message& response) {
  std::string out;
  const vici::Section* plan = response.section("plan");
  if (const vici::List* leaves = plan == nullptr ? nullptr : plan->list("restart")) {
    out += "takes effect when the daemon is restarted:";
    for (const std::string& leaf : *leaves) out += (&leaf == &leaves->front() ? " " : ", ") + printable(leaf, kLineLimit);
    out += "\n";
  }
  if (const std::string* time = response.find("confirm-within"))
    out += fmt::format("rolls back in {} s, unless `ikectl confirm` comes before\n", printable(*time));
  return out;
}

std::string load_summary(const vici::Message& response) {
  const vici::Section* plan = response.section("plan");
  if (response.text("success") == "yes") {
    const bool applied = response.text("applied") == "yes";
    return fmt::format("configuration {}: {}\n{}", applied ? "applied" : "would be applied", plan == nullptr ? "" : plan_text(*plan),
                       load_notes(response));
  }
  std::size_t errors = 0;
  for (const config::Diagnostic& each : diagnostics_of(response)) errors += !each.warning;
  if (errors == 0)
    return "configuration not applied: " + printable(response.text("errmsg", "the daemon gives no reason"), kLineLimit) + "\n";
  return fmt::format("configuration not applied: {} error{}, what ran before goes on\n", errors, errors == 1 ? "" : "s");
}

std::string load_json(const vici::Message& response, const std::vector<config::Change>& changes) {
  Json json{{"applied", response.text("applied") == "yes"}, {"diagnostics", to_json(diagnostics_of(response))}};
  for (const char* number : {"diagnostics-omitted", "confirm-within"}) {
    if (response.find(number) != nullptr) json[number] = response.number(number, 0).value_or(0);
  }
  if (const vici::Section* plan = response.section("plan")) {
    Json& out = json["plan"] = Json::object();
    for (const char* what : {"added", "changed", "removed"}) {
      const vici::List* names = plan->list(std::string(what) + "-vpns");
      out[what] = {{"count", plan->number(what, 0).value_or(0)}, {"vpns", names == nullptr ? vici::List{} : *names}};
    }
    out["unchanged"] = {{"count", plan->number("unchanged", 0).value_or(0)}};
    if (const vici::List* leaves = plan->list("restart")) out["restart"] = *leaves;
  }
  json["changes"] = to_json(changes);
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
  if (event.find("lost") != nullptr) json["lost"] = event.number("lost", 0).value_or(0);
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
