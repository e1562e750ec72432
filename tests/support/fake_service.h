// SPDX-License-Identifier: Apache-2.0
// An engine::Service that does nothing but tell: what it was asked, and what the test gave it to answer.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/service.h"

namespace svti::test {

// The IKE SA of the guide's "IKE state" example.
inline model::IkeSaState guide_ike_sa() {
  using wire::TransformType;
  const std::vector<wire::Transform> aes_sha1{wire::transform(TransformType::Encryption, wire::EncryptionId::AesCbc, 128),
                                              wire::transform(TransformType::Integrity, wire::IntegrityId::HmacSha1_96)};
  model::ChildSaState child;
  child.unique_id = 2;
  child.name = "site2site";
  child.phase = model::ChildSaPhase::Installed;
  child.reqid = 1;
  child.spi_in = 0xc704d981;
  child.spi_out = 0xc3dd14b9;
  child.transforms = aes_sha1;
  child.bytes_in = 304;
  child.packets_in = 2;
  child.bytes_out = 168;
  child.packets_out = 2;
  child.installed = seconds(24);
  child.rekey = seconds(3425);
  child.life = seconds(3936);
  child.local_ts = {wire::TrafficSelector::of(Prefix::parse("10.100.0.0/24").value())};
  child.remote_ts = {wire::TrafficSelector::of(Prefix::parse("10.200.0.0/24").value())};

  model::IkeSaState sa;
  sa.unique_id = 1;
  sa.name = "vpn-hq";
  sa.phase = model::IkeSaPhase::Established;
  sa.initiator = true;
  sa.local = {IpAddress::parse("10.125.0.1").value(), 500};
  sa.remote = {IpAddress::parse("10.125.0.2").value(), 500};
  sa.local_id = "10.125.0.1";
  sa.remote_id = "10.125.0.2";
  sa.initiator_spi = 0x6e6228d1c13daaf1;
  sa.responder_spi = 0xb2f0a5217f09662a;
  sa.transforms = aes_sha1;
  sa.transforms.push_back(wire::transform(TransformType::Prf, wire::PrfId::HmacSha1));
  sa.transforms.push_back(wire::transform(TransformType::KeyExchange, wire::KeGroup::Modp2048));
  sa.established = seconds(24);
  sa.rekey = seconds(14170);
  sa.reauth = seconds(45567);
  sa.children = {child};
  return sa;
}

// the state of that example: one SA, four messages each way
inline model::RuntimeState guide_state() {
  model::RuntimeState state;
  state.ike_sas_total = 1;
  for (const auto counter :
       {model::Counter::IkeInitInResp, model::Counter::IkeInitOutReq, model::Counter::IkeAuthInResp, model::Counter::IkeAuthOutReq}) {
    state.counters[counter] = 1;
  }
  state.tasks.workers_total = 16;
  state.tasks.workers_idle = 11;
  state.tasks.workers.critical = 4;
  state.tasks.workers.medium = 1;
  state.tasks.scheduled = 3;
  state.vpn_counters["vpn-hq"] = state.counters;
  state.ike_sas = {guide_ike_sa()};
  return state;
}

// VPN `name` with security policies of these names
inline std::shared_ptr<const model::Vpn> vpn(const std::string& name, const std::vector<std::string>& policies) {
  auto out = std::make_shared<model::Vpn>();
  out->name = name;
  for (const std::string& policy : policies) {
    out->policies.emplace_back();
    out->policies.back().name = policy;
  }
  return out;
}

class FakeService : public engine::Service {
 public:
  struct Attempt {
    std::string what;  // "initiate vpn-hq site2site 5000"
    engine::Target target;
    LogSink progress;
    Done done;
  };

  FakeService() {
    auto made = std::make_shared<model::Configuration>();
    made->vpns["vpn-hq"] = vpn("vpn-hq", {"site2site", "shared"});
    made->vpns["vpn-lab"] = vpn("vpn-lab", {"shared"});
    running = made;
  }

  // given by the test
  engine::LoadOutcome outcome;
  std::string config_text = "ike\n    ..\n";
  std::vector<std::string> applied;  // pieces of the configuration
  model::RuntimeState current = guide_state();
  model::ConfigurationPtr running;
  std::vector<model::Explanation> explanations;
  std::vector<model::PoolState> pool_states;  // beside those that the overlay brings
  std::map<std::string, model::ConfigurationPtr> other_vrfs;
  std::map<std::string, model::RuntimeState> other_states;
  Status overlay_status;
  std::size_t redirect_matches = 1;
  std::optional<std::string> redirect_refused;
  std::function<void()> on_overlay;          // told of each
  Status pending;                            // what confirm() and roll_back() answer
  std::function<void(Attempt&)> on_attempt;  // may answer at once

  // seen by the test
  std::string loaded_text;
  std::string loaded_file;
  engine::LoadOptions load_options;
  std::vector<config::Edit> edits;
  model::Overlay overlay;
  std::size_t confirmed = 0, rolled_back = 0;
  mutable engine::ShowConfigOptions shown;
  std::vector<Attempt> attempts;
  std::vector<LogLevel> log_levels;
  std::vector<LogSink> log_sinks;              // empty functions: unsubscribed
  std::vector<engine::EventSink> event_sinks;  // the same
  std::size_t sas_asked = 0;
  std::map<std::string, std::set<std::string>> traps;  // policies by VPN
  std::optional<auth::NewKeyWish> wished;              // what make_key() was asked for, and whom to tell
  auth::KeyMaker::Done tell_made;
  std::string flushed;  // what flush_revocation() was called with
  std::vector<std::string> resets;
  std::vector<std::string> redirections;

  std::size_t log_subscribers() const {
    std::size_t count = 0;
    for (const LogSink& sink : log_sinks) count += static_cast<bool>(sink);
    return count;
  }
  void log(const LogLine& line) {
    for (const LogSink& sink : std::vector(log_sinks)) {
      if (sink) sink(line);
    }
  }

  void tell(const engine::Event& event) {
    for (const engine::EventSink& sink : std::vector(event_sinks)) {
      if (sink) sink(event);
    }
  }

  engine::LoadOutcome load(std::string_view text, std::string_view file_name, const engine::LoadOptions& options) override {
    loaded_text = text;
    loaded_file = file_name;
    load_options = options;
    return outcome;
  }
  engine::LoadOutcome edit(const std::vector<config::Edit>& steps, const engine::LoadOptions& options) override {
    edits = steps;
    load_options = options;
    return outcome;
  }
  Status confirm() override {
    ++confirmed;
    return pending;
  }
  Status roll_back() override {
    ++rolled_back;
    return pending;
  }
  Result<std::string> show_config(const engine::ShowConfigOptions& options) const override {
    shown = options;
    return config_text;
  }
  Status set_overlay(model::Overlay given) override {
    if (overlay_status) overlay = std::move(given);
    if (on_overlay) on_overlay();
    return overlay_status;
  }
  std::vector<std::string> vrfs() const override {
    std::vector<std::string> names{std::string(model::kMainVrf)};
    for (const auto& [name, configuration] : other_vrfs) names.push_back(name);
    return names;
  }
  Pieces config_pieces(const std::string& vrf, const std::string& vpn, const engine::ShowConfigOptions& options) const override {
    shown = options;
    shown.path = vrf + " " + vpn;
    return [left = applied]() mutable -> std::optional<std::string> {
      if (left.empty()) return std::nullopt;
      std::string piece = left.front();
      left.erase(left.begin());
      return piece;
    };
  }
  model::RuntimeState summary(const std::string& vrf) override {
    model::RuntimeState out = state_of(vrf);
    out.ike_sas.clear();
    return out;
  }
  std::vector<std::uint32_t> ike_sas(const engine::Target& target) override {
    std::vector<std::uint32_t> out;
    for (const model::IkeSaState& sa : state_of(target.vrf).ike_sas) {
      const auto fits = [&](const model::ChildSaState& child) {
        return (target.policy.empty() || child.name == target.policy) && (target.child_id == 0 || child.unique_id == target.child_id);
      };
      if (!target.vpn.empty() && sa.name != target.vpn) continue;
      if (target.ike_id != 0 && sa.unique_id != target.ike_id) continue;
      const bool of_children = !target.policy.empty() || target.child_id != 0;
      if (of_children && std::none_of(sa.children.begin(), sa.children.end(), fits)) continue;
      out.push_back(sa.unique_id);
    }
    return out;
  }
  std::optional<model::IkeSaState> ike_sa(const std::string& vrf, std::uint32_t id) override {
    ++sas_asked;
    for (const model::IkeSaState& sa : state_of(vrf).ike_sas) {
      if (sa.unique_id == id) return sa;
    }
    return std::nullopt;
  }
  std::vector<model::PoolState> pools(const std::string& vrf, bool with_leases) override {
    if (vrf != model::kMainVrf) return {};
    std::vector<model::PoolState> out = pool_states;
    for (const auto& [name, pool] : overlay.pools) {
      if (std::any_of(out.begin(), out.end(), [&](const auto& one) { return one.name == name; })) continue;
      model::PoolState& one = out.emplace_back();
      one.name = name;
      one.base = pool->ranges.front().first;
      for (const model::AddressRange& range : pool->ranges) one.size += model::size_of(range);
    }
    if (!with_leases) {
      for (model::PoolState& one : out) one.leases.clear();
    }
    return out;
  }
  model::ConfigurationPtr configuration(const std::string& vrf) const override {
    if (vrf == model::kMainVrf) return running;
    const auto found = other_vrfs.find(vrf);
    return found == other_vrfs.end() ? std::make_shared<const model::Configuration>() : found->second;
  }
  void initiate(const engine::Target& target, milliseconds timeout, LogSink progress, Done done) override {
    attempt("initiate", target, std::to_string(timeout.count()), std::move(progress), std::move(done));
  }
  std::vector<model::Explanation> explain(const std::string&, const std::string& vpn) const override {
    std::vector<model::Explanation> out;
    for (const model::Explanation& one : explanations) {
      if (one.vpn == vpn) out.push_back(one);
    }
    return out;
  }
  void terminate(const engine::Target& target, milliseconds timeout, LogSink progress, Done done) override {
    attempt("terminate", target, std::to_string(timeout.count()), std::move(progress), std::move(done));
  }
  void rekey(const engine::Target& target, Done done) override { attempt("rekey", target, {}, {}, std::move(done)); }
  Result<std::size_t> redirect(const engine::Target& target, const engine::RedirectedPeers& peers,
                               const wire::GatewayIdentity& gateway) override {
    std::string what = "redirect " + model::qualified_name(target.vrf, target.vpn) + " to " + gateway.to_string();
    if (peers.addresses) what += " peers " + peers.addresses->first.to_string() + "-" + peers.addresses->last.to_string();
    if (peers.id) what += " id " + peers.id->to_string();
    if (target.ike_id != 0) what += " [" + std::to_string(target.ike_id) + "]";
    redirections.push_back(std::move(what));
    if (redirect_refused) return config_error(*redirect_refused);
    return redirect_matches;
  }
  std::size_t matching(const engine::Target& target) override {
    const bool of_children = !target.policy.empty() || target.child_id != 0;
    const std::vector<std::uint32_t> ids = ike_sas(target);
    if (!of_children) return ids.size();
    std::size_t count = 0;
    for (const std::uint32_t id : ids) {
      const auto sa = ike_sa(target.vrf, id);
      for (const model::ChildSaState& child : sa->children) {
        count += (target.policy.empty() || child.name == target.policy) && (target.child_id == 0 || child.unique_id == target.child_id);
      }
    }
    return count;
  }
  Status install(const engine::Target& target) override {
    traps[target.vpn].insert(target.policy);
    return {};
  }
  Status uninstall(const engine::Target& target) override {
    if (traps[target.vpn].erase(target.policy) == 0) return config_error("VPN " + target.vpn + " has no trap");
    return {};
  }
  std::vector<std::string> trapped_policies(const std::string& vrf, const std::string& vpn) override {
    const auto found = traps.find(vpn);
    if (vrf != model::kMainVrf || found == traps.end()) return {};
    return {found->second.begin(), found->second.end()};
  }
  Status reset_counters(const std::string& vrf, const std::string& vpn, bool all) override {
    resets.push_back(vrf + " " + vpn + (all ? " all" : ""));
    return {};
  }
  void make_key(auth::NewKeyWish wish, auth::KeyMaker::Done done) override {
    wished = std::move(wish);
    tell_made = std::move(done);
  }
  auth::KeyState key_state(const Bytes&) const override { return key_state_answer; }
  void find_on_token(std::shared_ptr<const model::TokenKey> key, auth::Signer::Found done) override {
    token_asked = std::move(key);
    token_done = std::move(done);
  }
  auth::KeyState key_state_answer{"signer", {}};
  std::shared_ptr<const model::TokenKey> token_asked;
  auth::Signer::Found token_done;
  void flush_revocation(bool lists, bool responses) override {
    flushed += (lists ? "lists " : "") + std::string(responses ? "responses " : "");
  }
  std::function<void()> subscribe_log(LogLevel level, LogSink sink) override {
    log_levels.push_back(level);
    log_sinks.push_back(std::move(sink));
    return [this, index = log_sinks.size() - 1] { log_sinks[index] = nullptr; };
  }
  std::function<void()> subscribe_events(engine::EventSink sink) override {
    event_sinks.push_back(std::move(sink));
    return [this, index = event_sinks.size() - 1] { event_sinks[index] = nullptr; };
  }
  void shut_down() override {}

 private:
  const model::RuntimeState& state_of(const std::string& vrf) const {
    static const model::RuntimeState kNone;
    if (vrf == model::kMainVrf) return current;
    const auto found = other_states.find(vrf);
    return found == other_states.end() ? kNone : found->second;
  }
  void attempt(const std::string& verb, const engine::Target& target, const std::string& timeout, LogSink progress, Done done) {
    std::string what = verb + " " + model::qualified_name(target.vrf, target.vpn) + " " + target.policy;
    if (!timeout.empty()) what += " " + timeout;
    attempts.push_back({std::move(what), target, std::move(progress), std::move(done)});
    if (on_attempt) on_attempt(attempts.back());
  }
};

}  // namespace svti::test
