// SPDX-License-Identifier: Apache-2.0
// Runs the protocol core of one VRF: brings it datagrams, kernel events, time and commands, and carries out its effects. One event loop,
// one thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <set>

#include "crypto/system_entropy.h"
#include "engine/certificate_lookup.h"
#include "engine/explanations.h"
#include "engine/logger.h"
#include "engine/policy_table.h"
#include "engine/radius.h"
#include "engine/revocation.h"
#include "engine/service.h"
#include "engine/verifier.h"
#include "model/kernel.h"
#include "model/network.h"
#include "sa/core.h"

namespace svti::engine {

class Engine final : private model::KernelEvents {
 public:
  struct Place {
    std::string vrf{model::kMainVrf};
    // both must outlive the engine; null: unique ids of its own, events for nobody
    sa::UniqueIds* ids = nullptr;
    EventSink* events = nullptr;     // asked at each event; an empty one listens to none
    auth::Signer* signer = nullptr;  // outlives the engine; null: nothing can be signed
    const Secret* host_secret =
        nullptr;                       // the same in every life of the daemon; null or empty: there is none. Read when the engine is made
    sa::KeySink key_sink = {};         // told of the keys of each IKE SA
    Revocation* revocation = nullptr;  // outlives the engine; null: no server is asked
    model::OpenPlainSocket open_socket = {};  // for RADIUS; empty: there is none
    CertificateLookup* lookup = nullptr;      // outlives the engine; null: nothing is fetched
    model::Fetcher* fetcher = nullptr;        // outlives the engine; null: no name is looked up
  };
  // All must outlive the engine; everything happens in the thread that runs `loop`.
  Engine(boost::asio::io_context& loop, model::Kernel& kernel, model::Transport& transport, Logger& logger, Place place);
  ~Engine() override;

  // Looks at what a former life of the daemon left in the kernel. Before the first load(). An error: the kernel cannot be asked.
  Status start();
  // told once, when shut_down() is through
  void on_stopped(std::function<void()> stopped) { stopped_ = std::move(stopped); }

  // Takes a configuration in place of the one before; SAs that the difference does not touch stay as they are.
  void apply(const model::ConfigurationPtr& configuration);
  const model::ConfigurationPtr& configuration() const { return core_.configuration(); }
  // as Service has them
  model::RuntimeState summary();
  std::vector<std::uint32_t> ike_sas(const Target& target) const;
  std::optional<model::IkeSaState> ike_sa(std::uint32_t id);
  bool has_sa(std::uint32_t ike, std::uint32_t child) const;  // an id of 0: any
  std::vector<model::PoolState> pools(bool with_leases) const { return core_.pools(with_leases); }
  std::vector<model::Explanation> explain(const std::string& vpn) const;
  // somebody begins to listen to events
  void watch();
  // as Service has them; the target's VRF is this one
  void initiate(const Target& target, milliseconds timeout, LogSink progress, Service::Done done);
  void terminate(const Target& target, milliseconds timeout, LogSink progress, Service::Done done);
  void rekey(const Target& target, const Service::Done& done);
  Result<std::size_t> redirect(const Target& target, const RedirectedPeers& peers, const wire::GatewayIdentity& gateway);
  std::size_t matching(const Target& target) const;
  Status install(const Target& target);
  Status uninstall(const Target& target);
  std::vector<std::string> trapped_policies(const std::string& vpn) const { return core_.trapped_policies(vpn); }
  Status reset_counters(const std::string& vpn, bool all) { return core_.reset_counters(vpn, all); }
  // Deletes all SAs, tells the peers, clears the kernel; a peer that does not answer is waited for shortly.
  void shut_down();

 private:
  // A command that waits for its outcome.
  struct Waiter {
    enum class For : std::uint8_t { Up, Down };
    For what{};
    std::string vpn;
    std::uint32_t ike = 0, child = 0;  // of these alone; 0 any
    std::set<std::string> policies;    // not yet up, or not yet down
    Service::Done done;
    std::function<void()> unsubscribe;
    std::unique_ptr<boost::asio::steady_timer> timer;
  };
  using Waiters = std::list<Waiter>;

  void on_acquire(std::uint32_t reqid, std::uint32_t if_id, const wire::TrafficSelector& source,
                  const wire::TrafficSelector& destination) override;
  void on_expire(const model::SaId& id, bool hard) override;
  void on_offload(const model::SaId& id, const std::string& reason) override;
  void on_mapping(const model::SaId& id, const Endpoint& now_from) override;
  void on_paths() override;
  void on_svti(std::uint32_t svti_id, bool up) override;
  void on_overrun() override;

  TimePoint now() const;
  void add_kernel_counts(const model::IkeSaState& ike, model::ChildSaState& child);
  void log(Subsystem subsystem, LogLevel level, std::string text);
  void perform(sa::Effects effects);
  // an SA that a CHILD SA needs: a failure is told to the core
  void submit_needed(model::KernelRequest request, std::uint32_t child);
  void perform(sa::Sign question);
  void perform(sa::VerifyCertificate question);
  void perform(const sa::Staple& question);
  void perform(sa::LookUpCertificates question);
  void verified(const sa::Ticket& ticket, crypto::Verification chain);
  Radius::Host radius_host();
  void submit(PolicyTable::Requests requests, std::uint64_t owner);
  void submit(model::KernelRequest request);
  void arm_timer();
  void notice(const sa::Notice& notice);
  void publish(const sa::Notice& notice);
  void write(LogLine line);
  void wait(Waiter::For what, const std::string& vpn, std::set<std::string> policies, milliseconds timeout, LogSink progress,
            Service::Done done);
  void finish(Waiters::iterator waiter, Status status);
  std::set<std::string> policies_of(const std::string& vpn, const std::string& policy) const;
  void apply_globals(const model::GlobalOptions& options);
  void warn_of_expiry();

  // What a former life left: SAs that still carry traffic, by reqid, until something of ours takes their place.
  void reconcile();
  void drop_orphans(std::uint32_t reqid, const std::string& why);
  void drop_orphan_policies(std::uint32_t reqid);
  void drop_orphan_addresses();
  bool orphan_needs(const IpAddress& address) const;
  void drop_orphans_towards(const IpAddress& peer);

  boost::asio::io_context& loop_;
  model::Kernel& kernel_;
  model::Transport& transport_;
  Logger& logger_;
  Place place_;
  crypto::SystemEntropy entropy_;
  sa::Core core_;
  Verifier verifier_;
  Radius radius_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // answers may come after the end
  PolicyTable policies_;
  Explanations explanations_;
  boost::asio::steady_timer timer_;
  Waiters waiters_;
  // as last seen, while somebody listens to events: of an SA that is gone nothing can be asked any more
  std::map<std::uint32_t, std::shared_ptr<const model::IkeSaState>> last_seen_;
  std::optional<model::GlobalOptions> globals_;  // as last given to the kernel
  std::optional<model::KernelInventory> left_;   // found at start(), not yet reconciled
  std::map<std::uint32_t, std::vector<model::SaId>> orphans_;
  std::map<std::uint32_t, std::vector<model::PolicyId>> orphan_policies_;
  std::set<model::AddressId> addresses_;         // virtual addresses of ours
  std::set<model::AddressId> orphan_addresses_;  // ... and those of a former run, until no orphan policy leads from them
  // orphans whose place is taken, kept a little for packets under way
  struct Leaving {
    boost::asio::steady_timer timer;
    std::vector<model::SaId> sas;
  };
  std::list<Leaving> leaving_;
  boost::asio::steady_timer expiry_timer_;
  std::unique_ptr<boost::asio::steady_timer> stop_timer_;
  std::function<void()> stopped_;
  bool stopping_ = false;
};

}  // namespace svti::engine
