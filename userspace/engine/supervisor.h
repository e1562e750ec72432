// SPDX-License-Identifier: Apache-2.0
// The whole configuration and all VRFs: one Engine for each VRF that runs IKE, changes that are applied whole, tried and rolled back, and
// the running configuration that survives a restart.
//
// A change goes: parse, compare, write to disk, apply. What can fail stands before the first engine is touched, so that a change that is
// refused has changed nothing. A change on trial is not written before it is confirmed: a daemon that dies meanwhile comes back without it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "engine/engine.h"
#include "engine/interfaces.h"
#include "engine/running_file.h"

namespace svti::engine {

class Supervisor final : public Service {
 public:
  // what an Engine works with, made inside the VRF's network namespace
  struct Adapters {
    std::unique_ptr<model::Kernel> kernel;
    std::unique_ptr<model::Transport> transport;
    model::OpenPlainSocket open_socket = {};  // may be empty: there are none
  };
  struct Options {
    std::function<Result<Adapters>(const std::string& vrf, LogSink log)> open;
    Interfaces::Open links;               // may be empty: interfaces are left alone
    std::string state_dir;                // empty: the running configuration is not kept
    std::string startup_file;             // empty: none
    auth::Signer* signer = nullptr;       // outlives the supervisor; null: nothing can be signed
    auth::KeyMaker* key_maker = nullptr;  // outlives the supervisor; null: no key can be made
    sa::KeySink key_sink = {};            // told of the keys of each IKE SA
    model::Fetcher* fetcher = nullptr;    // outlives the supervisor; null: no server is asked about certificates
    milliseconds retry_vrf{5000};         // for a VRF that could not be opened
  };

  // loop and logger must outlive it; everything happens in the thread that runs `loop`
  Supervisor(boost::asio::io_context& loop, Logger& logger, Options options);
  ~Supervisor() override;

  // Opens VRF main and applies the running configuration of the last life, or the startup file when that has changed since or there is none
  // to go on with. The outcome's diagnostics say which. An error: there is nothing to work with.
  Result<LoadOutcome> start();
  // loads the startup file again
  LoadOutcome reload();
  // told once, when shut_down() is through
  void on_stopped(std::function<void()> stopped) { stopped_ = std::move(stopped); }

  LoadOutcome load(std::string_view text, std::string_view file_name, const LoadOptions& options) override;
  LoadOutcome edit(const std::vector<config::Edit>& edits, const LoadOptions& options) override;
  Status confirm() override;
  Status roll_back() override;
  Result<std::string> show_config(const ShowConfigOptions& options) const override;
  Pieces config_pieces(const std::string& vrf, const std::string& vpn, const ShowConfigOptions& options) const override;
  Status set_overlay(model::Overlay overlay) override;
  std::vector<std::string> vrfs() const override;
  model::RuntimeState summary(const std::string& vrf) override;
  std::vector<std::uint32_t> ike_sas(const Target& target) override;
  std::optional<model::IkeSaState> ike_sa(const std::string& vrf, std::uint32_t id) override;
  std::vector<model::SvtiState> interfaces(const std::string& vrf) override;
  std::vector<model::PoolState> pools(const std::string& vrf, bool with_leases) override;
  model::ConfigurationPtr configuration(const std::string& vrf) const override;
  std::vector<model::Explanation> explain(const std::string& vrf, const std::string& vpn) const override;
  void initiate(const Target& target, milliseconds timeout, LogSink progress, Done done) override;
  void terminate(const Target& target, milliseconds timeout, LogSink progress, Done done) override;
  void rekey(const Target& target, Done done) override;
  Result<std::size_t> redirect(const Target& target, const RedirectedPeers& peers, const wire::GatewayIdentity& gateway) override;
  std::size_t matching(const Target& target) override;
  Status install(const Target& target) override;
  Status uninstall(const Target& target) override;
  std::vector<std::string> trapped_policies(const std::string& vrf, const std::string& vpn) override;
  Status reset_counters(const std::string& vrf, const std::string& vpn, bool all) override;
  auth::KeyState key_state(const Bytes& key_id) const override;
  void find_on_token(std::shared_ptr<const model::TokenKey> key, auth::Signer::Found done) override;
  void flush_revocation(bool lists, bool responses) override;
  void make_key(auth::NewKeyWish wish, auth::KeyMaker::Done done) override;
  std::function<void()> subscribe_log(LogLevel level, LogSink sink) override;
  std::function<void()> subscribe_events(EventSink sink) override;
  void shut_down() override;

 private:
  // A VRF's engine and what it works with, in the order in which they are needed.
  struct Place {
    Adapters adapters;
    std::unique_ptr<Engine> engine;
    model::ConfigurationPtr applied;
    bool leaving = false;  // shutting down, because it is not configured any more
  };
  struct Trial {
    config::Document before;
    boost::asio::steady_timer timer;
  };

  using Parsed = tl::expected<config::Document, config::Diagnostics>;
  LoadOutcome change(Parsed parsed, const std::string& file_name, const LoadOptions& options, const std::string& digest);
  void compare(const model::System& before, const model::System& after, LoadOutcome& out) const;
  void check(const model::System& after, const std::string& file_name, LoadOutcome& out) const;
  Status save(const config::Document& document, const std::string& digest) const;
  void begin_trial(config::Document before, seconds time);
  Status end_trial(const std::string& why);

  // brings the engines in line with the configuration; problems become warnings
  void settle(config::Diagnostics* problems);
  Status open(const std::string& vrf);
  void leave(const std::string& vrf);
  void retry_later();
  Engine* find(const std::string& vrf) const;  // null: no IKE there
  Engine* find(const Target& target) const;
  model::ConfigurationPtr wanted(const std::string& vrf) const;  // null: no IKE there
  void log(Subsystem subsystem, LogLevel level, std::string text) { logger_.write({subsystem, level, {}, std::move(text)}); }
  void publish(const Event& event);

  boost::asio::io_context& loop_;
  Logger& logger_;
  Options options_;
  RunningFile file_;
  sa::UniqueIds ids_;
  Secret host_secret_;  // empty: there is none
  EventSink publish_;   // empty while nobody listens
  std::map<std::uint64_t, EventSink> listeners_;
  std::uint64_t next_listener_ = 1;

  config::Document document_;
  model::Overlay overlay_;
  model::ConfigurationPtr main_with_overlay_;  // null: made when it is needed
  std::string startup_digest_;
  std::unique_ptr<Trial> trial_;
  boost::asio::thread_pool background_{1};     // what takes long and touches nothing else
  std::unique_ptr<Revocation> revocation_;     // null: no server is asked
  std::unique_ptr<CertificateLookup> lookup_;  // likewise
  std::map<std::string, Place> places_;
  Interfaces interfaces_;
  boost::asio::steady_timer retry_timer_;
  std::function<void()> stopped_;
  bool stopping_ = false;
};

}  // namespace svti::engine
