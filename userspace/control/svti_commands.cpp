// SPDX-License-Identifier: Apache-2.0
// Commands of our own beside the protocol's: configuration text, and the whole state.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "control/command_table.h"
#include "control/render_state.h"

namespace svti::control {

namespace {

constexpr std::size_t kTextPiece = 32 * 1024;         // octets of text in one event
constexpr std::size_t kDiagnosticsRoom = 256 * 1024;  // octets of a load's response for diagnostics
constexpr std::size_t kNamesRoom = 32 * 1024;         // and for the names in each part of its plan

// one event a piece of the text that `next` yields
Reply stream_text(const Call& call, std::string event, std::function<std::optional<std::string>()> next) {
  if (!call.requester->listens_to(event)) return failure(fmt::format("the text comes in {} events: register for them first", event));
  struct Pieces {
    std::function<std::optional<std::string>()> next;
    std::string text;
    std::size_t sent = 0;
  };
  auto pieces = std::make_shared<Pieces>(Pieces{std::move(next), {}, 0});
  return Streamed{std::move(event),
                  [pieces]() -> std::optional<vici::Message> {
                    while (pieces->sent == pieces->text.size()) {
                      std::optional<std::string> text = pieces->next();
                      if (!text) return std::nullopt;
                      pieces->text = std::move(*text);
                      pieces->sent = 0;
                    }
                    const std::string_view piece = std::string_view(pieces->text).substr(pieces->sent, kTextPiece);
                    pieces->sent += piece.size();
                    vici::Message message;
                    message.add("text", piece);
                    return message;
                  },
                  success()};
}

Reply show_config(const Call& call) {
  const auto nodefault = call.parameters.flag("nodefault", false);
  if (!nodefault) return failure(nodefault.error().message);
  const auto json = call.parameters.flag("json", false);
  if (!json) return failure(json.error().message);
  const auto secrets = call.parameters.flag("secrets", false);
  if (!secrets) return failure(secrets.error().message);

  engine::ShowConfigOptions options;
  options.defaults = !*nodefault;
  options.secrets = *secrets;
  options.format = *json ? engine::ConfigFormat::Json : engine::ConfigFormat::Text;
  Result<std::string> shown = call.service.show_config(options);
  if (!shown) return failure(shown.error().message);
  auto text = std::make_shared<std::optional<std::string>>(std::move(*shown));
  return stream_text(call, "svti-config", [text] { return std::exchange(*text, std::nullopt); });
}

Reply show_state(const Call& call) {
  const auto json = call.parameters.flag("json", false);
  if (!json) return failure(json.error().message);
  const std::string vpn(call.parameters.text("vpn"));
  model::RuntimeState state = call.service.state(std::string(model::kMainVrf));
  const bool known = vpn.empty() || call.service.configuration(std::string(model::kMainVrf))->vpns.contains(vpn) ||
                     state.vpn_counters.contains(vpn) ||
                     std::any_of(state.ike_sas.begin(), state.ike_sas.end(), [&](const model::IkeSaState& sa) { return sa.name == vpn; });
  if (!known) return failure(fmt::format("no VPN \"{}\" is configured, and no SA of one is left", printable(vpn)));
  auto renderer = std::make_shared<StateRenderer>(std::move(state), *json ? StateFormat::Json : StateFormat::Text, vpn);
  return stream_text(call, "svti-state", [renderer] { return renderer->next(); });
}

Result<std::set<Subsystem>> wanted_subsystems(const vici::Message& parameters) {
  vici::List names;
  if (const vici::List* list = parameters.list("subsystem")) names = *list;
  if (const std::string* value = parameters.find("subsystem")) names = {*value};
  std::set<Subsystem> wanted;
  for (const std::string& name : names) {
    const auto found = std::find(kSubsystemNames.begin(), kSubsystemNames.end(), name);
    if (found == kSubsystemNames.end()) {
      return config_error(fmt::format("no log subsystem \"{}\": there are {}", printable(name), fmt::join(kSubsystemNames, ", ")));
    }
    wanted.insert(static_cast<Subsystem>(found - kSubsystemNames.begin()));
  }
  return wanted;
}

vici::Message log_line_event(const LogLine& line) {
  vici::Message message;
  message.add("subsystem", to_string(line.subsystem)).add_number("level", int{line.level});
  if (!line.vpn.empty()) message.add("vpn", line.vpn);
  message.add("msg", std::string_view(line.text).substr(0, vici::kMaxValueSize));
  return message;
}

// Never answered: the lines come until the client leaves.
Reply follow_log(const Call& call) {
  const auto level = call.parameters.number("level", 1, 0, 4);
  if (!level) return failure(level.error().message);
  const auto subsystems = wanted_subsystems(call.parameters);
  if (!subsystems) return failure(subsystems.error().message);
  if (!call.requester->listens_to("svti-log")) return failure("the lines come in svti-log events: register for them first");

  LogSink sink = [client = std::weak_ptr(call.requester), request = call.request, vpn = std::string(call.parameters.text("vpn")),
                  wanted = *subsystems](const LogLine& line) {
    if (!vpn.empty() && line.vpn != vpn) return;
    if (!wanted.empty() && !wanted.contains(line.subsystem)) return;
    if (const auto requester = client.lock()) requester->send_event(request, "svti-log", log_line_event(line));
  };
  auto end = call.service.subscribe_log(static_cast<LogLevel>(*level), std::move(sink));
  call.requester->hold(std::shared_ptr<void>(nullptr, [end = std::move(end)](void*) { end(); }));
  return Deferred{};
}

void add_diagnostics(vici::Message& message, const std::vector<config::Diagnostic>& diagnostics) {
  // Values are cut to what is surely enough; 64 covers the framing of an entry.
  const auto cut = [](const std::string& value) { return std::string_view(value).substr(0, 4096); };
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

// how many, and as many names as there is room for
void add_names(vici::Section& plan, const std::string& what, const std::vector<std::string>& names) {
  plan.add_number(what, names.size());
  vici::List list;
  std::size_t room = kNamesRoom;
  for (const std::string& name : names) {
    if (name.size() + 3 > room) break;
    room -= name.size() + 3;
    list.push_back(name);
  }
  plan.add_list(what + "-vpns", std::move(list));
}

Reply load_config(const Call& call) {
  const auto more = call.parameters.flag("more", false);
  if (!more) return failure(more.error().message);
  vici::List pieces;
  if (const vici::List* list = call.parameters.list("text")) pieces = *list;
  if (const std::string* value = call.parameters.find("text")) pieces = {*value};
  for (const std::string& piece : pieces) {
    if (call.upload.size() + piece.size() > kMaxUpload) {
      call.upload = {};
      return failure(fmt::format("configuration of more than {} MiB", kMaxUpload / (1024 * 1024)));
    }
    call.upload += piece;
  }
  if (*more) return success();

  const std::string text = std::exchange(call.upload, {});
  const engine::LoadOutcome outcome = call.service.load(text, call.parameters.text("file", "-"), {});
  vici::Message message = outcome.applied ? success() : failure("configuration not applied");
  message.add_flag("applied", outcome.applied);
  add_diagnostics(message, outcome.diagnostics);
  vici::Section& plan = message.add_section("plan");
  add_names(plan, "added", outcome.added);
  add_names(plan, "changed", outcome.changed);
  add_names(plan, "removed", outcome.removed);
  plan.add_number("unchanged", outcome.unchanged.size());
  return message;
}

constexpr Command kCommands[] = {
    {"svti-load-config", load_config},
    {"svti-show-config", show_config},
    {"svti-show-state", show_state},
    {"svti-follow-log", follow_log},
};

}  // namespace

std::span<const Command> svti_commands() { return kCommands; }

}  // namespace svti::control
