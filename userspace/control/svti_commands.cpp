// SPDX-License-Identifier: Apache-2.0
// Commands of our own beside the protocol's that show something: the configuration as text, the whole state, the log.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "config/text.h"
#include "control/command_table.h"
#include "control/render_state.h"
#include "control/render_vici.h"

namespace svti::control {

namespace {

constexpr std::size_t kTextPiece = 32 * 1024;  // octets of text in one event

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
  engine::ShowConfigOptions options;
  const auto nodefault = call.parameters.flag("nodefault", false);
  if (!nodefault) return failure(nodefault.error().message);
  const auto json = call.parameters.flag("json", false);
  if (!json) return failure(json.error().message);
  const auto secrets = call.parameters.flag("secrets", false);
  if (!secrets) return failure(secrets.error().message);
  const auto resolved = call.parameters.flag("resolved", false);
  if (!resolved) return failure(resolved.error().message);

  options.defaults = !*nodefault;
  options.secrets = *secrets;
  options.resolved = *resolved;
  options.format = *json ? engine::ConfigFormat::Json : engine::ConfigFormat::Text;
  options.path = call.parameters.text("path");
  Result<std::string> shown = call.service.show_config(options);
  if (!shown) return failure(shown.error().message);
  auto text = std::make_shared<std::optional<std::string>>(std::move(*shown));
  return stream_text(call, "svti-config", [text] { return std::exchange(*text, std::nullopt); });
}

Reply show_state(const Call& call) {
  const auto json = call.parameters.flag("json", false);
  if (!json) return failure(json.error().message);
  const auto secrets = call.parameters.flag("secrets", false);
  if (!secrets) return failure(secrets.error().message);
  const std::string vrf(call.parameters.text("vrf", model::kMainVrf));
  const std::string vpn(call.parameters.text("vpn"));
  const std::vector<std::string> vrfs = call.service.vrfs();
  if (std::find(vrfs.begin(), vrfs.end(), vrf) == vrfs.end())
    return failure(fmt::format("no VRF \"{}\" is configured: there is {}", printable(vrf), fmt::join(vrfs, ", ")));

  model::RuntimeState summary = call.service.summary(vrf);
  if (vpn.empty()) summary.interfaces = call.service.interfaces(vrf);
  std::vector<std::uint32_t> sas = call.service.ike_sas({vrf, vpn, {}});
  const bool known =
      vpn.empty() || !sas.empty() || summary.vpn_counters.contains(vpn) || call.service.configuration(vrf)->vpns.contains(vpn);
  if (!known) return failure(fmt::format("no VPN \"{}\" is configured, and no SA of one is left", printable(vpn)));

  engine::ShowConfigOptions options;
  options.secrets = *secrets;
  options.resolved = true;
  options.format = *json ? engine::ConfigFormat::Json : engine::ConfigFormat::Text;
  // A VPN that was taken out of the configuration, or that a VICI client loaded, is not in the text: its SAs are shown alone.
  StateRenderer::Sources sources;
  sources.applied = call.service.config_pieces(vrf, vpn, options);
  std::reverse(sas.begin(), sas.end());
  sources.ike_sa = [&service = call.service, vrf, left = std::move(sas)]() mutable -> std::optional<model::IkeSaState> {
    while (!left.empty()) {
      const std::uint32_t id = left.back();
      left.pop_back();
      if (auto sa = service.ike_sa(vrf, id)) return sa;  // else it is gone meanwhile
    }
    return std::nullopt;
  };
  const StateFormat format = *json ? StateFormat::Json : StateFormat::Text;
  auto renderer = std::make_shared<StateRenderer>(std::move(summary), std::move(sources), format, vpn, vrf);
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
    if (const auto requester = client.lock()) requester->send_event(request, "svti-log", follow_event(line));
  };
  auto end = call.service.subscribe_log(static_cast<LogLevel>(*level), std::move(sink));
  call.requester->hold(std::shared_ptr<void>(nullptr, [end = std::move(end)](void*) { end(); }));
  return Deferred{};
}

constexpr Command kCommands[] = {
    {"svti-show-config", show_config},
    {"svti-show-state", show_state},
    {"svti-follow-log", follow_log},
};

}  // namespace

std::span<const Command> svti_commands() { return kCommands; }

}  // namespace svti::control
