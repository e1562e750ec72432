// SPDX-License-Identifier: Apache-2.0
// An engine::Service that does nothing but tell: what it was asked, and what the test gave it to answer.
#pragma once

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
  model::RuntimeState current = guide_state();
  model::ConfigurationPtr running;
  std::vector<model::Explanation> explanations;
  std::function<void(Attempt&)> on_attempt;  // may answer at once

  // seen by the test
  std::string loaded_text;
  std::string loaded_file;
  mutable engine::ShowConfigOptions shown;
  std::vector<Attempt> attempts;
  std::vector<LogLevel> log_levels;
  std::vector<LogSink> log_sinks;  // empty functions: unsubscribed
  std::size_t states_asked = 0;

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

  engine::LoadOutcome load(std::string_view text, std::string_view file_name) override {
    loaded_text = text;
    loaded_file = file_name;
    return outcome;
  }
  std::string show_config(const engine::ShowConfigOptions& options) const override {
    shown = options;
    return config_text;
  }
  model::RuntimeState state() override {
    ++states_asked;
    return current;
  }
  model::ConfigurationPtr configuration() const override { return running; }
  void initiate(const std::string& vpn, const std::string& policy, milliseconds timeout, LogSink progress, Done done) override {
    attempt("initiate " + vpn + " " + policy + " " + std::to_string(timeout.count()), std::move(progress), std::move(done));
  }
  void terminate(const std::string& vpn, const std::string& policy, milliseconds timeout, LogSink progress, Done done) override {
    attempt("terminate " + vpn + " " + policy + " " + std::to_string(timeout.count()), std::move(progress), std::move(done));
  }
  void rekey(const std::string& vpn, const std::string& policy, Done done) override {
    attempt("rekey " + vpn + " " + policy, {}, std::move(done));
  }
  std::vector<model::Explanation> explain(const std::string&, const std::string& vpn) const override {
    std::vector<model::Explanation> out;
    for (const model::Explanation& one : explanations) {
      if (one.vpn == vpn) out.push_back(one);
    }
    return out;
  }
  std::function<void()> subscribe_log(LogLevel level, LogSink sink) override {
    log_levels.push_back(level);
    log_sinks.push_back(std::move(sink));
    return [this, index = log_sinks.size() - 1] { log_sinks[index] = nullptr; };
  }
  void shut_down() override {}

 private:
  void attempt(std::string what, LogSink progress, Done done) {
    attempts.push_back({std::move(what), std::move(progress), std::move(done)});
    if (on_attempt) on_attempt(attempts.back());
  }
};

}  // namespace svti::test
