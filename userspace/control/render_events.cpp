// SPDX-License-Identifier: Apache-2.0
#include "control/render_events.h"

#include <algorithm>

#include "control/render_vici.h"

namespace svti::control {

namespace {

using engine::Event;
using model::ChildSaState;
using model::IkeSaState;
using Named = std::vector<std::pair<std::string_view, vici::Message>>;

// what the IKE SA is called over the protocol
std::string name_of(const Event& event, const IkeSaState& sa) {
  return model::qualified_name(event.vrf, sa.name.empty() ? event.vpn : sa.name);
}

vici::Section& add_named(vici::Section& parent, const Event& event, const IkeSaState& sa) {
  return add_ike_sa(parent, sa, name_of(event, sa));
}

const ChildSaState* find_child(const std::shared_ptr<const IkeSaState>& sa, std::uint32_t id) {
  if (!sa || id == 0) return nullptr;
  const auto found = std::find_if(sa->children.begin(), sa->children.end(), [id](const ChildSaState& one) { return one.unique_id == id; });
  return found == sa->children.end() ? nullptr : &*found;
}

// the section of the IKE SA with `child` as its only one
vici::Section& add_with_child(vici::Message& message, const Event& event, const ChildSaState& child) {
  vici::Section& ike = add_named(message, event, *event.ike);
  add_child_sa(ike.add_section("child-sas"), child);
  return ike;
}

void child_event(Named& out, std::string_view name, const Event& event, const ChildSaState& child, bool up_key) {
  vici::Message message;
  if (up_key) message.add_flag("up", true);
  add_with_child(message, event, child);
  out.emplace_back(name, std::move(message));
}

void ike_updown(Named& out, const Event& event, bool up) {
  vici::Message message;
  if (up) message.add_flag("up", true);
  add_named(message, event, *event.ike);
  out.emplace_back("ike-updown", std::move(message));
}

void ike_rekey(Named& out, const Event& event) {
  if (!event.former) return;
  vici::Message message;
  vici::Section& pair = message.add_section(name_of(event, *event.ike));
  add_ike_sa(pair, *event.former, "old");
  add_ike_sa(pair, *event.ike, "new");
  out.emplace_back("ike-rekey", std::move(message));
}

void ike_update(Named& out, const Event& event) {
  vici::Message message;
  message.add("local-host", event.ike->local.address.to_string())
      .add_number("local-port", event.ike->local.port)
      .add("remote-host", event.ike->remote.address.to_string())
      .add_number("remote-port", event.ike->remote.port);
  add_named(message, event, event.former ? *event.former : *event.ike);
  out.emplace_back("ike-update", std::move(message));
}

void child_rekey(Named& out, const Event& event) {
  const ChildSaState* now = find_child(event.ike, event.child_id);
  if (now == nullptr) return;
  const ChildSaState* old = find_child(event.ike, event.former_id);
  if (old == nullptr) old = find_child(event.former, event.former_id);
  if (old != nullptr) {
    vici::Message message;
    vici::Section& ike = add_named(message, event, *event.ike);
    vici::Section& pair = ike.add_section("child-sas").add_section(now->name);
    add_child_sa(pair, *old, "old");
    add_child_sa(pair, *now, "new");
    out.emplace_back("child-rekey", std::move(message));
    child_event(out, "child-state-rekeyed", event, *old, false);
  }
  child_event(out, "child-state-installed", event, *now, false);
}

void alert(Named& out, const Event& event) {
  // a CHILD SA that failed while its IKE SA goes on has a type of its own; what else has none is not one of the protocol's
  const std::string_view type = event.alert.empty() && !event.policy.empty() ? "keep-on-child-sa-failure" : std::string_view(event.alert);
  if (type.empty()) return;
  vici::Message message;
  message.add("type", type);
  if (!event.reason.empty()) message.add("reason", event.reason);
  if (event.ike) add_named(message.add_section("ike-sa"), event, *event.ike);
  out.emplace_back("alert", std::move(message));
}

}  // namespace

Named sa_events(const Event& event) {
  Named out;
  if (event.kind == Event::Kind::Alert) {
    alert(out, event);
    return out;
  }
  if (!event.ike) return out;
  const ChildSaState* child = find_child(event.ike, event.child_id);
  switch (event.kind) {
    case Event::Kind::IkeUp:
    case Event::Kind::IkeDown:
      ike_updown(out, event, event.kind == Event::Kind::IkeUp);
      break;
    case Event::Kind::IkeRekeyed:
      ike_rekey(out, event);
      break;
    case Event::Kind::IkeUpdated:
      ike_update(out, event);
      break;
    case Event::Kind::ChildUp:
      if (child == nullptr) break;
      child_event(out, "child-updown", event, *child, true);
      child_event(out, "child-state-installed", event, *child, false);
      break;
    case Event::Kind::ChildDown:
      if (child == nullptr) break;
      child_event(out, "child-updown", event, *child, false);
      child_event(out, "child-state-destroying", event, *child, false);
      break;
    case Event::Kind::ChildRekeyed:
      child_rekey(out, event);
      break;
    case Event::Kind::ChildGone:
      if (child != nullptr) child_event(out, "child-state-destroying", event, *child, false);
      break;
    case Event::Kind::Alert:
      break;
  }
  return out;
}

}  // namespace svti::control
