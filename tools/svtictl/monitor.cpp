// SPDX-License-Identifier: Apache-2.0
// svtictl monitor: link events of the kernel, of SVTIs alone, and only what changed. RFC 2863 has the names of the states.
#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "svtictl/decode.h"
#include "svtictl/links.h"
#include "svtictl/verbs.h"

namespace svti::svtictl {
namespace {

// what a line tells of an interface, and what is compared with the line before
struct Seen {
  std::string name;
  std::uint32_t id = 0;
  bool enabled = false;
  std::string oper_status;
  std::uint32_t mtu = 0;
  bool operator==(const Seen&) const = default;
};

Seen seen(const Svti& svti) { return {svti.name, svti.id, svti.enabled, svti.oper_status, svti.mtu}; }

std::string line(std::string_view event, const Seen& what, const Style& style) {
  if (!style.json) {
    return fmt::format("{:<8} {}  svti-id {}  {}  oper-status {}  mtu {}\n", event, what.name, what.id,
                       what.enabled ? "enabled" : "disabled", what.oper_status, what.mtu);
  }
  const nlohmann::ordered_json out{
      {"event", event}, {"name", what.name}, {"svti-id", what.id}, {"enabled", what.enabled}, {"oper-status", what.oper_status},
      {"mtu", what.mtu}};
  return out.dump() + "\n";
}

class Monitor {
 public:
  Monitor(std::string only, Style style) : only_(std::move(only)), style_(style) {}

  // false when nobody reads any more
  bool note(const Svti& svti, std::string_view event_if_new) {
    if (!only_.empty() && svti.name != only_) return true;
    const Seen now = seen(svti);
    const auto [entry, is_new] = known_.try_emplace(svti.index, now);
    if (!is_new && entry->second == now) return true;
    entry->second = now;
    return print(is_new ? event_if_new : "changed", now);
  }

  bool note_deleted(std::uint32_t index) {
    const auto entry = known_.find(index);
    if (entry == known_.end()) return true;
    const Seen was = entry->second;
    known_.erase(entry);
    return print("deleted", was);
  }

 private:
  bool print(std::string_view event, const Seen& what) const {
    const std::string text = line(event, what, style_);
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  }

  std::string only_;
  Style style_;
  std::map<std::uint32_t, Seen> known_;
};

// Those there are, as events. Also after events were lost: what vanished meanwhile is not told.
Status note_all(Monitor& monitor, const std::string& name) {
  auto netlink = Netlink::open();
  if (!netlink) return fail(netlink.error());
  const auto svtis = read_svtis(*netlink, name);
  if (!svtis) return fail(svtis.error());
  for (const Svti& svti : *svtis) monitor.note(svti, "present");
  return {};
}

}  // namespace

Result<std::string> run(const MonitorArguments& arguments, const Style& style) {
  auto events = Netlink::open();
  if (!events) return fail(events.error());
  if (const auto joined = events->join(RTNLGRP_LINK); !joined) return fail(refusal("cannot listen to link events", joined.error()));
  Monitor monitor(arguments.name, style);
  if (const auto noted = note_all(monitor, arguments.name); !noted) return fail(noted.error());

  for (;;) {
    const auto batch = events->next_events();
    if (!batch && batch.error().code == ENOBUFS) {
      if (const auto noted = note_all(monitor, ""); !noted) return fail(noted.error());
      continue;
    }
    if (!batch) return fail(refusal("cannot receive link events", batch.error()));
    for (const Bytes& message : *batch) {
      if (const auto deleted = decode_deleted_link(message)) {
        if (!monitor.note_deleted(*deleted)) return "";
        continue;
      }
      const auto link = decode_link(message);
      if (link && link->svti && !monitor.note(*link->svti, "created")) return "";
    }
  }
}

}  // namespace svti::svtictl
