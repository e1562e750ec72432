// SPDX-License-Identifier: Apache-2.0
#include "control/commands.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "control/render_state.h"
#include "control/render_vici.h"

namespace svti::control {

namespace {

constexpr std::size_t kTextPiece = 32 * 1024;         // octets of text in one event
constexpr std::size_t kDiagnosticsRoom = 256 * 1024;  // octets of a load's response for diagnostics
constexpr std::size_t kNamesRoom = 32 * 1024;         // and for the names in each part of its plan

Reply version(const Call& call) {
  utsname host{};
  uname(&host);
  vici::Message message;
  message.add("daemon", "svti-iked").add("version", call.version);
  message.add("sysname", host.sysname).add("release", host.release).add("machine", host.machine);
  return message;
}

// "3 days", the largest whole unit
std::string elapsed_text(std::chrono::seconds elapsed) {
  const auto count = elapsed.count();
  const auto unit = [](auto n, std::string_view name) { return fmt::format("{} {}{}", n, name, n == 1 ? "" : "s"); };
  if (count < 120) return unit(count, "second");
  if (count < 120 * 60) return unit(count / 60, "minute");
  if (count < 48 * 3600) return unit(count / 3600, "hour");
  return unit(count / 86400, "day");
}

Reply stats(const Call& call) {
  const auto now = std::chrono::system_clock::now();
  const model::RuntimeState state = call.service.state();
  vici::Message message;
  message.add_section("uptime")
      .add("running", elapsed_text(std::chrono::duration_cast<std::chrono::seconds>(now - call.started)))
      .add("since", fmt::format("{:%b %d %H:%M:%S %Y}", fmt::localtime(std::chrono::system_clock::to_time_t(call.started))));
  message.add_section("ikesas").add_number("total", state.ike_sas_total).add_number("half-open", state.ike_sas_half_open);
  return message;
}

Result<std::optional<std::uint32_t>> unique_id(const vici::Message& parameters, std::string_view name) {
  if (parameters.find(name) == nullptr) return std::nullopt;
  const auto value = parameters.number(name, 0, 0, std::numeric_limits<std::uint32_t>::max());
  if (!value) return fail(value.error());
  return static_cast<std::uint32_t>(*value);
}

Reply list_sas(const Call& call) {
  const auto ike_id = unique_id(call.parameters, "ike-id");
  if (!ike_id) return failure(ike_id.error().message);
  const auto child_id = unique_id(call.parameters, "child-id");
  if (!child_id) return failure(child_id.error().message);
  const std::string* ike = call.parameters.find("ike");
  const std::string* child = call.parameters.find("child");
  if (!call.requester->listens_to("list-sa")) return vici::Message{};

  const ChildFilter wanted = [name = child ? std::optional(*child) : std::nullopt, id = *child_id](const model::ChildSaState& candidate) {
    return (!name || candidate.name == *name) && (!id || candidate.unique_id == *id);
  };
  const bool only_with_children = child != nullptr || child_id->has_value();

  struct Listing {
    model::RuntimeState state;
    std::size_t next_sa = 0;
    std::vector<vici::Message> events;  // of the SA before next_sa, those left to send in reverse order
  };
  auto listing = std::make_shared<Listing>();
  listing->state = call.service.state();
  std::erase_if(listing->state.ike_sas, [&](const model::IkeSaState& sa) {
    if (ike != nullptr && sa.name != *ike) return true;
    if (*ike_id && sa.unique_id != **ike_id) return true;
    return only_with_children && std::none_of(sa.children.begin(), sa.children.end(), wanted);
  });

  return Streamed{"list-sa",
                  [listing, wanted]() -> std::optional<vici::Message> {
                    if (listing->events.empty()) {
                      if (listing->next_sa == listing->state.ike_sas.size()) return std::nullopt;
                      listing->events = list_sa_events(std::exchange(listing->state.ike_sas[listing->next_sa++], {}), wanted);
                      std::reverse(listing->events.begin(), listing->events.end());
                    }
                    vici::Message event = std::move(listing->events.back());
                    listing->events.pop_back();
                    return event;
                  },
                  {}};
}

Reply get_counters(const Call& call) {
  const auto all = call.parameters.flag("all", false);
  if (!all) return failure(all.error().message);
  const model::RuntimeState state = call.service.state();
  const std::string* name = call.parameters.find("name");
  vici::Message message;
  vici::Section& counters = message.add_section("counters");
  if (*all) {
    for (const auto& [vpn, values] : state.vpn_counters) add_counters(counters, vpn, values);
  } else if (name == nullptr) {
    add_counters(counters, "", state.counters);
  } else {
    const auto found = state.vpn_counters.find(*name);
    if (found == state.vpn_counters.end()) return failure(fmt::format("no counters of a VPN \"{}\"", printable(*name)));
    add_counters(counters, *name, found->second);
  }
  message.add_flag("success", true);
  return message;
}

struct Target {
  std::string vpn;
  std::string policy;  // empty: the whole VPN
};

// `ike` is a VPN, `child` a security policy. Whether the VPN is there is for the service to say: its SAs may outlive its configuration.
Result<Target> find_target(const Call& call) {
  const vici::Message& parameters = call.parameters;
  for (const char* id : {"ike-id", "child-id"}) {
    if (parameters.find(id) != nullptr) return config_error(fmt::format("{} is not supported yet: name the VPN with ike", id));
  }
  const std::string vpn(parameters.text("ike"));
  const std::string policy(parameters.text("child"));
  if (!vpn.empty()) return Target{vpn, policy};
  if (policy.empty()) return config_error("missing name: ike takes a VPN, child a security-policy");

  std::optional<Target> found;
  const model::ConfigurationPtr configuration = call.service.configuration();
  for (const auto& [name, candidate] : configuration->vpns) {
    if (candidate->find_policy(policy) == nullptr) continue;
    if (found)
      return config_error(fmt::format("VPNs {} and {} both have a security-policy {}: name one with ike", found->vpn, name, policy));
    found = Target{name, policy};
  }
  if (!found) return config_error(fmt::format("no VPN has a security-policy \"{}\"", printable(policy)));
  return *found;
}

engine::Service::Done answer_with_outcome(const Call& call) {
  return [client = std::weak_ptr(call.requester), request = call.request](const Status& outcome) {
    if (const auto requester = client.lock()) requester->respond(request, outcome ? success() : failure(outcome.error().message));
  };
}

LogSink report_progress(const Call& call, std::int64_t level) {
  return [client = std::weak_ptr(call.requester), request = call.request, level](const LogLine& line) {
    if (line.level > level) return;
    if (const auto requester = client.lock()) requester->send_event(request, "control-log", log_event(line));
  };
}

using Operation = void (engine::Service::*)(const std::string&, const std::string&, milliseconds, LogSink, engine::Service::Done);

// initiate and terminate: timeout in ms, 0 waits for the end, -1 (and async) does not wait at all
Reply run(const Call& call, Operation operation) {
  const Result<Target> target = find_target(call);
  if (!target) return failure(target.error().message);
  const auto timeout = call.parameters.number("timeout", 0, -1, std::numeric_limits<std::int32_t>::max());
  if (!timeout) return failure(timeout.error().message);
  const auto level = call.parameters.number("loglevel", 1, -1, 4);
  if (!level) return failure(level.error().message);
  const auto async = call.parameters.flag("async", false);
  if (!async) return failure(async.error().message);

  (call.service.*operation)(target->vpn, target->policy, milliseconds(std::max<std::int64_t>(*timeout, 0)), report_progress(call, *level),
                            answer_with_outcome(call));
  // What failed at once has been answered by now, and this is dropped.
  if (*timeout < 0 || *async) call.requester->respond(call.request, success());
  return Deferred{};
}

Reply initiate(const Call& call) { return run(call, &engine::Service::initiate); }
Reply terminate(const Call& call) { return run(call, &engine::Service::terminate); }

Reply rekey(const Call& call) {
  const Result<Target> target = find_target(call);
  if (!target) return failure(target.error().message);
  const auto reauth = call.parameters.flag("reauth", false);
  if (!reauth) return failure(reauth.error().message);
  if (*reauth) return failure("reauthentication is not supported yet: terminate and initiate the VPN");
  call.service.rekey(target->vpn, target->policy, answer_with_outcome(call));
  return Deferred{};
}

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
  auto text = std::make_shared<std::optional<std::string>>(call.service.show_config(options));
  return stream_text(call, "svti-config", [text] { return std::exchange(*text, std::nullopt); });
}

Reply show_state(const Call& call) {
  const auto json = call.parameters.flag("json", false);
  if (!json) return failure(json.error().message);
  const std::string vpn(call.parameters.text("vpn"));
  model::RuntimeState state = call.service.state();
  const bool known = vpn.empty() || call.service.configuration()->vpns.contains(vpn) || state.vpn_counters.contains(vpn) ||
                     std::any_of(state.ike_sas.begin(), state.ike_sas.end(), [&](const model::IkeSaState& sa) { return sa.name == vpn; });
  if (!known) return failure(fmt::format("no VPN \"{}\" is configured, and no SA of one is left", printable(vpn)));
  auto renderer = std::make_shared<StateRenderer>(std::move(state), *json ? StateFormat::Json : StateFormat::Text, vpn);
  return stream_text(call, "svti-state", [renderer] { return renderer->next(); });
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
  const engine::LoadOutcome outcome = call.service.load(text, call.parameters.text("file", "-"));
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

struct Command {
  std::string_view name;
  Reply (*carry_out)(const Call&);
};

constexpr Command kCommands[] = {
    {"version", version},
    {"stats", stats},
    {"list-sas", list_sas},
    {"initiate", initiate},
    {"terminate", terminate},
    {"rekey", rekey},
    {"get-counters", get_counters},
    {"svti-load-config", load_config},
    {"svti-show-config", show_config},
    {"svti-show-state", show_state},
};
constexpr std::string_view kEvents[] = {"log", "control-log", "list-sa", "svti-config", "svti-state"};

}  // namespace

std::optional<Reply> carry_out(std::string_view command, const Call& call) {
  const auto* found = std::find_if(std::begin(kCommands), std::end(kCommands), [&](const Command& known) { return known.name == command; });
  if (found == std::end(kCommands)) return std::nullopt;
  return found->carry_out(call);
}

bool is_known_event(std::string_view event) { return std::find(std::begin(kEvents), std::end(kEvents), event) != std::end(kEvents); }

vici::Message success() {
  vici::Message message;
  message.add_flag("success", true);
  return message;
}

vici::Message failure(std::string_view reason) {
  vici::Message message;
  message.add_flag("success", false).add("errmsg", reason.substr(0, vici::kMaxValueSize));
  return message;
}

}  // namespace svti::control
