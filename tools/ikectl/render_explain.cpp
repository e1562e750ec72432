// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "ikectl/render.h"

namespace svti::ikectl {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kTextLimit = 1024;  // characters of a value shown
constexpr std::size_t kWidestColumn = 44;

std::string value(const vici::Section& section, std::string_view name) { return printable(section.text(name), kTextLimit); }

template <typename Visit>
void each_section(const vici::Section& parent, std::string_view name, Visit visit) {
  const vici::Section* list = parent.section(name);
  if (list == nullptr) return;
  for (const vici::Entry& entry : list->entries()) {
    if (const auto* one = std::get_if<vici::Section>(&entry.content)) visit(*one);
  }
}

// One line: cells in columns, two spaces apart, no blanks at the end. A cell wider than its column pushes the rest along.
std::string line(std::string mark, const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string out = "  " + std::move(mark) + " ";
  for (std::size_t i = 0; i < cells.size(); ++i) out += fmt::format("{:<{}}  ", cells[i], widths[i]);
  out.erase(out.find_last_not_of(' ') + 1);
  return out + "\n";
}

// `theirs` empty and not known is the peer's secret, empty and known is none
std::string cell_text(const vici::Section& row, std::string_view side) {
  const std::string text = value(row, side);
  if (!text.empty()) return text;
  return side == "theirs" && row.text("verdict") == "unknown" ? "(not told)" : "none";
}

std::string table_text(const vici::Section& table, bool color) {
  struct Row {
    std::vector<std::string> cells;
    std::string verdict;
  };
  std::vector<Row> rows;
  std::vector<std::size_t> widths = {0, 4, 0};
  each_section(table, "rows", [&](const vici::Section& row) {
    rows.push_back({{value(row, "what"), cell_text(row, "ours"), cell_text(row, "theirs")}, std::string(row.text("verdict"))});
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], std::min(rows.back().cells[i].size(), kWidestColumn));
  });
  std::string out = "  " + value(table, "title") + "\n" + line(" ", {"", "ours", "theirs"}, widths);
  bool first_failure = true;
  for (const Row& row : rows) {
    const bool fails = row.verdict == "fails";
    const std::string mark = fails ? "!" : row.verdict == "unknown" ? "?" : row.verdict == "fits" ? "=" : " ";
    std::string text = line(mark, row.cells, widths);
    if (fails && first_failure) text.insert(text.size() - 1, "  <- does not fit");
    if (fails) first_failure = false;
    text.pop_back();
    out += (fails ? paint(text, Color::Red, color) : text) + "\n";
  }
  return out;
}

std::string age_text(const vici::Section& event) {
  const std::int64_t age = event.number("age", 0).value_or(0);
  if (age < 120) return fmt::format("{} s ago", age);
  if (age < 120 * 60) return fmt::format("{} min ago", age / 60);
  return fmt::format("{} h ago", age / 3600);
}

std::string headline(const vici::Section& event, bool color) {
  const bool succeeded = event.text("succeeded") == "yes";
  const std::string vpn = value(event, "vpn"), policy = value(event, "policy");
  std::string out = vpn.empty() ? "peer " + value(event, "remote") : vpn + (policy.empty() ? "" : " " + policy);
  const std::string outcome =
      succeeded ? paint("succeeded", Color::Green, color) : paint("failed: " + value(event, "cause"), Color::Red, color);
  out += fmt::format(": {} of {} {}, {}, {}", event.text("rekey") == "yes" ? "rekey" : "negotiation",
                     policy.empty() ? "the IKE SA" : "a CHILD SA", outcome, value(event, "exchange"), age_text(event));
  return out + "\n";
}

Json json_of(const vici::Section& section) {
  Json out = Json::object();
  for (const vici::Entry& entry : section.entries()) {
    if (const auto* text = std::get_if<std::string>(&entry.content)) {
      out[entry.name] = *text;
    } else if (const auto* list = std::get_if<vici::List>(&entry.content)) {
      out[entry.name] = *list;
    } else {
      out[entry.name] = json_of(std::get<vici::Section>(entry.content));
    }
  }
  return out;
}

// sections that are lists on the wire become lists
Json list_of(const vici::Section& parent, std::string_view name) {
  Json out = Json::array();
  each_section(parent, name, [&](const vici::Section& one) { out.push_back(json_of(one)); });
  return out;
}

}  // namespace

std::string explanation_text(const vici::Message& event, bool color) {
  std::string out = headline(event, color);
  out += "  " + value(event, "reason") + "\n";
  const std::string local_id = value(event, "local-id"), remote_id = value(event, "remote-id");
  const auto with_id = [](const std::string& endpoint, const std::string& id) { return endpoint + (id.empty() ? "" : " [" + id + "]"); };
  out += fmt::format("  we were the {}: {} with {}\n", value(event, "role"), with_id(value(event, "local"), local_id),
                     with_id(value(event, "remote"), remote_id));
  const bool failed = event.text("succeeded") != "yes";
  if (failed && event.text("authenticated") != "yes" && event.text("role") == "responder")
    out += "  the peer was not authenticated: anyone may have sent this\n";
  if (const std::string repeated = value(event, "repeated"); !repeated.empty() && repeated != "0")
    out += "  the same came " + repeated + " times before\n";
  if (const vici::Section* sent = event.section("sent")) {
    out += fmt::format("  {} was sent {} times in {} s from {} to {}; {}\n", value(*sent, "exchange"), value(*sent, "times"),
                       value(*sent, "over"), value(*sent, "from"), value(*sent, "to"),
                       sent->text("icmp").empty() ? "nothing came back" : "ICMP: " + value(*sent, "icmp"));
  }
  each_section(event, "tables", [&](const vici::Section& table) { out += "\n" + table_text(table, color); });
  std::string rejected;
  each_section(event, "rejected", [&](const vici::Section& vpn) {
    rejected +=
        fmt::format("    {}: {} is {}, the peer's {}\n", value(vpn, "vpn"), value(vpn, "leaf"), value(vpn, "ours"), value(vpn, "theirs"));
  });
  const std::string more = value(event, "rejected-more");
  if (!rejected.empty()) out += "\n  why no VPN matched\n" + rejected;
  if (!more.empty() && more != "0") out += "    and " + more + " VPNs more\n";
  const vici::Section* advice = event.section("advice");
  if (failed && advice != nullptr && !advice->text("text").empty()) {
    const std::string_view side = advice->text("side");
    const std::string where = side == "ours" ? "here" : side == "theirs" ? "at the peer" : "here or at the peer";
    const std::string leaf = value(*advice, "leaf");
    out +=
        "\n  " + paint("change " + where, Color::Yellow, color) + ": " + (leaf.empty() ? "" : leaf + ": ") + value(*advice, "text") + "\n";
  }
  return out;
}

std::string explanations_json(const std::vector<vici::Message>& events) {
  Json out = Json::array();
  for (const vici::Message& event : events) {
    Json one = json_of(event);
    for (const char* flag : {"rekey", "succeeded", "authenticated"}) one[flag] = event.text(flag) == "yes";
    for (const char* number : {"age", "repeated", "rejected-more"}) one[number] = event.number(number, 0).value_or(0);
    Json tables = Json::array();
    each_section(event, "tables", [&](const vici::Section& table) {
      tables.push_back({{"title", table.text("title")}, {"rows", list_of(table, "rows")}});
    });
    one["tables"] = std::move(tables);
    one["rejected"] = list_of(event, "rejected");
    if (const vici::Section* sent = event.section("sent")) {
      for (const char* number : {"times", "over"}) one["sent"][number] = sent->number(number, 0).value_or(0);
    }
    out.push_back(std::move(one));
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace svti::ikectl
