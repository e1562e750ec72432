// SPDX-License-Identifier: Apache-2.0
#include "ikectl/changes.h"

#include "base/log.h"
#include "ikectl/render.h"

namespace svti::ikectl {

namespace {

constexpr std::size_t kLineLimit = 4096;  // characters

// A PEM block is a word too; it is told by its first line.
std::string value_text(const std::string& value, bool secret) {
  if (secret) return "<hidden>";
  const std::size_t end = value.find('\n');
  return end == std::string::npos ? printable(value, kLineLimit) : printable(value.substr(0, end), kLineLimit) + " ...";
}

}  // namespace

std::string change_text(const config::Change& change, bool color) {
  using Kind = config::Change::Kind;
  const auto with = [&](const std::string& value) { return value.empty() ? "" : " " + value_text(value, change.secret); };
  std::string line = printable(change.path, kLineLimit);
  switch (change.kind) {
    case Kind::Added:
      line = paint("+ " + line + with(change.after), Color::Green, color);
      break;
    case Kind::Removed:
      line = paint("- " + line + with(change.before), Color::Red, color);
      break;
    case Kind::Changed:
      line = paint("~ " + line + with(change.before) + " ->" + with(change.after), Color::Yellow, color);
      break;
  }
  if (change.restart) line += "  (takes effect with a restart of the daemon)";
  return line + "\n";
}

std::string changes_text(const std::vector<config::Change>& changes, bool color) {
  std::string out;
  for (const config::Change& change : changes) out += change_text(change, color);
  return out;
}

config::Change change_of(const vici::Message& event) {
  using Kind = config::Change::Kind;
  config::Change change;
  const std::string_view kind = event.text("kind");
  change.kind = kind == "added" ? Kind::Added : kind == "removed" ? Kind::Removed : Kind::Changed;
  change.path = event.text("path");
  change.before = event.text("before");
  change.after = event.text("after");
  change.secret = event.flag("secret", false).value_or(true);
  change.restart = event.flag("restart", false).value_or(false);
  return change;
}

}  // namespace svti::ikectl
