// SPDX-License-Identifier: Apache-2.0
// Commands of our own that change the configuration: a whole text, single paths, confirm and rollback.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "control/command_table.h"

namespace svti::control {

namespace {

constexpr std::size_t kDiagnosticsRoom = 256 * 1024;  // octets of the response for diagnostics
constexpr std::size_t kNamesRoom = 32 * 1024;         // and for the names in each part of its plan
constexpr std::size_t kLongestShown = 4096;           // octets of a path or value in an event or a diagnostic
constexpr std::int64_t kLongestConfirm = 86400;       // seconds
constexpr char kEndOfEdit = '\0';                     // between the edits in an upload: no edit holds one

std::string_view cut(const std::string& value) { return std::string_view(value).substr(0, kLongestShown); }

void add_diagnostics(vici::Message& message, const std::vector<config::Diagnostic>& diagnostics) {
  // 64 covers the framing of an entry.
  const auto size = [&](const config::Diagnostic& each) {
    return cut(each.file).size() + cut(each.leaf).size() + cut(each.message).size() + 64;
  };

  // Errors have the first claim on the room; what is shown stays in the order of the text.
  std::vector<bool> shown(diagnostics.size());
  std::size_t room = kDiagnosticsRoom;
  std::size_t omitted = 0;
  for (const bool warnings : {false, true}) {
    for (std::size_t i = 0; i < diagnostics.size(); ++i) {
      if (diagnostics[i].warning != warnings) continue;
      shown[i] = size(diagnostics[i]) <= room;
      shown[i] ? room -= size(diagnostics[i]) : ++omitted;
    }
  }
  vici::Section& list = message.add_section("diagnostics");
  for (std::size_t i = 0; i < diagnostics.size(); ++i) {
    if (!shown[i]) continue;
    list.add_section(std::to_string(i + 1))
        .add("severity", diagnostics[i].warning ? "warning" : "error")
        .add("file", cut(diagnostics[i].file))
        .add_number("line", diagnostics[i].line)
        .add("leaf", cut(diagnostics[i].leaf))
        .add("message", cut(diagnostics[i].message));
  }
  if (omitted > 0) message.add_number("diagnostics-omitted", omitted);
}

// as many names as there is room for
vici::List names_that_fit(const std::vector<std::string>& names) {
  vici::List list;
  std::size_t room = kNamesRoom;
  for (const std::string& name : names) {
    if (name.size() + 3 > room) break;
    room -= name.size() + 3;
    list.push_back(name);
  }
  return list;
}

void add_names(vici::Section& plan, const std::string& what, const std::vector<std::string>& names) {
  plan.add_number(what, names.size());
  plan.add_list(what + "-vpns", names_that_fit(names));
}

vici::Message change_event(const config::Change& change) {
  static constexpr std::string_view kKinds[] = {"added", "removed", "changed"};
  vici::Message message;
  message.add("kind", kKinds[static_cast<std::size_t>(change.kind)]).add("path", cut(change.path));
  const auto add_value = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) message.add(name, change.secret ? std::string_view("<hidden>") : cut(value));
  };
  add_value("before", change.before);
  add_value("after", change.after);
  if (change.secret) message.add_flag("secret", true);
  if (change.restart) message.add_flag("restart", true);
  return message;
}

Result<engine::LoadOptions> load_options(const vici::Message& parameters) {
  engine::LoadOptions options;
  const auto dry_run = parameters.flag("dry-run", false);
  if (!dry_run) return fail(dry_run.error());
  const auto confirm = parameters.number("confirm", 0, 0, kLongestConfirm);
  if (!confirm) return fail(confirm.error());
  options.dry_run = *dry_run;
  if (*confirm > 0) options.confirm_within = std::chrono::seconds(*confirm);
  return options;
}

// The response, and before it the changes one by one, for a client that listens to them.
Reply tell(const Call& call, const engine::LoadOptions& options, engine::LoadOutcome outcome) {
  const bool refused = std::any_of(outcome.diagnostics.begin(), outcome.diagnostics.end(), [](const auto& each) { return !each.warning; });
  const bool done = outcome.applied || (options.dry_run && !refused);
  vici::Message message = done ? success() : failure("configuration not applied");
  message.add_flag("applied", outcome.applied);
  if (outcome.applied && options.confirm_within) message.add_number("confirm-within", options.confirm_within->count());
  add_diagnostics(message, outcome.diagnostics);
  vici::Section& plan = message.add_section("plan");
  add_names(plan, "added", outcome.added);
  add_names(plan, "changed", outcome.changed);
  add_names(plan, "removed", outcome.removed);
  plan.add_number("unchanged", outcome.unchanged.size());
  plan.add_number("changes", outcome.changes.size());
  if (!outcome.restart_leaves.empty()) plan.add_list("restart", names_that_fit(outcome.restart_leaves));
  if (outcome.changes.empty() || !call.requester->listens_to("svti-change")) return message;

  struct Telling {
    std::vector<config::Change> changes;
    std::size_t next = 0;
  };
  auto telling = std::make_shared<Telling>(Telling{std::move(outcome.changes), 0});
  return Streamed{"svti-change",
                  [telling]() -> std::optional<vici::Message> {
                    if (telling->next == telling->changes.size()) return std::nullopt;
                    return change_event(std::exchange(telling->changes[telling->next++], {}));
                  },
                  std::move(message)};
}

// Adds the items of `name`, a value or a list, each followed by `separator`. Error: more than a client may have under way.
Status take_upload(const Call& call, std::string_view name, std::string_view separator) {
  vici::List pieces;
  if (const vici::List* list = call.parameters.list(name)) pieces = *list;
  if (const std::string* value = call.parameters.find(name)) pieces = {*value};
  for (const std::string& piece : pieces) {
    if (call.upload.size() + piece.size() + separator.size() > kMaxUpload) {
      call.upload = {};
      return config_error(fmt::format("configuration of more than {} MiB", kMaxUpload / (1024 * 1024)));
    }
    call.upload.append(piece).append(separator);
  }
  return {};
}

Reply load_config(const Call& call) {
  const auto more = call.parameters.flag("more", false);
  if (!more) return failure(more.error().message);
  if (const Status taken = take_upload(call, "text", {}); !taken) return failure(taken.error().message);
  if (*more) return success();
  const std::string text = std::exchange(call.upload, {});
  const auto options = load_options(call.parameters);
  if (!options) return failure(options.error().message);
  return tell(call, *options, call.service.load(text, call.parameters.text("file", "-"), *options));
}

// "set vpn hq ike-policy mobike true", "delete vpn hq"
Result<config::Edit> parse_edit(std::string_view text) {
  const std::size_t blank = text.find(' ');
  const std::string_view verb = text.substr(0, blank);
  const std::string_view path = blank == std::string_view::npos ? std::string_view{} : text.substr(blank + 1);
  if ((verb != "set" && verb != "delete") || path.empty())
    return config_error(fmt::format("edit \"{}\": it takes the form \"set PATH VALUE\" or \"delete PATH\"", printable(text)));
  return config::Edit{verb == "delete", std::string(path)};
}

Reply edit_config(const Call& call) {
  const auto more = call.parameters.flag("more", false);
  if (!more) return failure(more.error().message);
  if (const Status taken = take_upload(call, "edits", std::string_view(&kEndOfEdit, 1)); !taken) return failure(taken.error().message);
  if (*more) return success();
  const std::string upload = std::exchange(call.upload, {});
  const auto options = load_options(call.parameters);
  if (!options) return failure(options.error().message);

  std::vector<config::Edit> edits;
  for (std::size_t at = 0; at < upload.size();) {
    const std::size_t end = upload.find(kEndOfEdit, at);
    auto edit = parse_edit(std::string_view(upload).substr(at, end - at));
    if (!edit) return failure(edit.error().message);
    edits.push_back(std::move(*edit));
    at = end + 1;
  }
  if (edits.empty()) return failure("edits is missing: a value or a list of \"set PATH VALUE\" and \"delete PATH\"");
  return tell(call, *options, call.service.edit(edits, *options));
}

Reply answer(const Status& outcome) { return outcome ? success() : failure(outcome.error().message); }
Reply confirm(const Call& call) { return answer(call.service.confirm()); }
Reply roll_back(const Call& call) { return answer(call.service.roll_back()); }

constexpr Command kCommands[] = {
    {"svti-load-config", load_config},
    {"svti-edit-config", edit_config},
    {"svti-confirm", confirm},
    {"svti-rollback", roll_back},
};

}  // namespace

std::span<const Command> svti_config_commands() { return kCommands; }

}  // namespace svti::control
