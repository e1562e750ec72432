// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <time.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>

#include "engine/expiry.h"
#include "engine/host_name.h"
#include "engine/secret_file.h"

namespace svti::engine {

using boost::asio::steady_timer;

namespace {

constexpr std::uint64_t kFirstTrapOwner = std::uint64_t{1} << 32;  // smaller owners are CHILD SAs
constexpr auto kStopWait = std::chrono::milliseconds(1500);        // for peers to confirm that they deleted our IKE SAs

}  // namespace

Engine::Engine(boost::asio::io_context& loop, model::Kernel& kernel, model::Transport& transport, Logger& logger, Place place)
    : loop_(loop),
      kernel_(kernel),
      transport_(transport),
      logger_(logger),
      place_(std::move(place)),
      core_(entropy_,
            [this](const IpAddress& destination) -> std::optional<IpAddress> {
              const auto source = kernel_.source_address(destination);
              if (!source) return std::nullopt;
              return *source;
            }),
      radius_(radius_host()),
      timer_(loop),
      expiry_timer_(loop) {
  if (place_.ids != nullptr) core_.share_ids(*place_.ids);
  // of this VRF alone: another one would tell the tokens of our IKE SAs
  if (place_.host_secret != nullptr && !place_.host_secret->empty()) {
    core_.set_crash_secret(derived_secret(*place_.host_secret, "QCD_TOKEN of VRF " + place_.vrf));
    core_.set_ticket_secret(derived_secret(*place_.host_secret, "tickets of VRF " + place_.vrf),
                            [] { return std::chrono::duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch()); });
  }
  core_.set_key_sink(place_.key_sink);
  core_.set_local_addresses([this] {
    auto addresses = kernel_.local_addresses();
    if (addresses) return std::move(*addresses);
    log(Subsystem::Kernel, 1, addresses.error().message);
    return std::vector<IpAddress>{};
  });
  kernel_.set_events(this);
  transport_.set_receive([this](const model::Datagram& datagram) {
    sa::Effects effects;
    core_.receive(datagram, now(), effects);
    perform(std::move(effects));
  });
  transport_.set_returned([this](const Endpoint& sent_to, const std::string& text) { core_.returned(sent_to, text, now()); });
}

Engine::~Engine() {
  kernel_.set_events(nullptr);
  transport_.set_receive({});
  transport_.set_returned({});
}

TimePoint Engine::now() const {
  // CLOCK_BOOTTIME: time asleep counts, as it does for the peer and for the kernel's SA lifetimes
  timespec ts{};
  clock_gettime(CLOCK_BOOTTIME, &ts);
  return TimePoint(std::chrono::duration_cast<Duration>(seconds(ts.tv_sec)) + Duration(ts.tv_nsec / 1000));
}

void Engine::write(LogLine line) {
  if (place_.vrf != model::kMainVrf) {
    if (line.vpn.empty()) line.text = "vrf " + place_.vrf + ": " + line.text;
    line.vpn = model::qualified_name(place_.vrf, line.vpn);
  }
  logger_.write(line, core_.configuration()->logging);
}

void Engine::log(Subsystem subsystem, LogLevel level, std::string text) { write({subsystem, level, {}, std::move(text)}); }

// --- effects ----------------------------------------------------------------------------------------------------------------

void Engine::submit(model::KernelRequest request) {
  const std::string what = model::describe(request);
  kernel_.submit(std::move(request), [this, what](const Status& status) {
    if (!status) log(Subsystem::Kernel, 1, what + ": " + status.error().message);
  });
}

void Engine::submit(PolicyTable::Requests requests, std::uint64_t owner) {
  for (model::KernelRequest& request : requests) {
    const bool needed = std::holds_alternative<model::SetPolicy>(request) && owner < kFirstTrapOwner;
    if (!needed) {
      submit(std::move(request));
      continue;
    }
    const std::string what = model::describe(request);
    kernel_.submit(std::move(request), [this, what, owner](const Status& status) {
      if (status) return;
      log(Subsystem::Kernel, 0, what + ": " + status.error().message);
      sa::Effects effects;
      core_.install_failed(static_cast<std::uint32_t>(owner), status.error().message, now(), effects);
      perform(std::move(effects));
    });
  }
}

void Engine::submit_needed(model::KernelRequest request, std::uint32_t child) {
  const std::string what = model::describe(request);
  kernel_.submit(std::move(request), [this, what, child](const Status& status) {
    if (status) return;
    log(Subsystem::Kernel, 0, what + ": " + status.error().message);
    sa::Effects effects;
    core_.install_failed(child, status.error().message, now(), effects);
    perform(std::move(effects));
  });
}

void Engine::perform(sa::Effects effects) {
  std::vector<sa::Notice> notices;
  for (sa::Effect& effect : effects) {
    if (auto* send = std::get_if<sa::SendDatagram>(&effect)) {
      // What the peer will do with this message may reach us before the kernel got what stands before it in the list.
      kernel_.flush();
      if (const Status sent = transport_.send(send->datagram); !sent) {
        log(Subsystem::Network, 1, sent.error().message);
        core_.returned(send->datagram.remote, sent.error().message, now());
      }
    } else if (const auto* keepalive = std::get_if<sa::SendKeepalive>(&effect)) {
      (void)transport_.send_keepalive(keepalive->local, keepalive->remote);
    } else if (auto* install = std::get_if<sa::InstallSa>(&effect)) {
      submit_needed(std::move(install->sa), install->child);
    } else if (const auto* remove = std::get_if<sa::RemoveSa>(&effect)) {
      radius_.removing(remove->id);
      submit(model::DeleteSa{remove->id});
    } else if (auto* move = std::get_if<sa::MoveSa>(&effect)) {
      submit_needed(std::move(move->move), move->child);
    } else if (const auto* claim = std::get_if<sa::ClaimPolicies>(&effect)) {
      submit(policies_.claim(claim->owner, claim->policies), claim->owner);
    } else if (const auto* release = std::get_if<sa::ReleasePolicies>(&effect)) {
      submit(policies_.release(release->owner), kFirstTrapOwner);
    } else if (const auto* added = std::get_if<sa::InstallAddress>(&effect)) {
      const model::AddressId id{added->address, added->svti_id};
      addresses_.insert(id);
      orphan_addresses_.erase(id);
      policies_.add_address(id.address);
      kernel_.submit(model::AddAddress{id}, [this, id](const Status& status) {
        if (!status) log(Subsystem::Kernel, 0, model::describe(model::AddAddress{id}) + ": " + status.error().message);
      });
    } else if (const auto* removed = std::get_if<sa::RemoveAddress>(&effect)) {
      const model::AddressId id{removed->address, removed->svti_id};
      addresses_.erase(id);
      policies_.remove_address(id.address);
      submit(model::DeleteAddress{id});
    } else if (auto* one = std::get_if<sa::Notice>(&effect)) {
      notices.push_back(std::move(*one));
    } else if (auto* explained = std::get_if<sa::Explained>(&effect)) {
      explanations_.record(std::move(explained->explanation));
    } else if (auto* sign = std::get_if<sa::Sign>(&effect)) {
      perform(std::move(*sign));
    } else if (auto* verify = std::get_if<sa::VerifyCertificate>(&effect)) {
      perform(std::move(*verify));
    } else if (const auto* staple = std::get_if<sa::Staple>(&effect)) {
      perform(*staple);
    } else if (auto* lookup = std::get_if<sa::LookUpCertificates>(&effect)) {
      perform(std::move(*lookup));
    } else if (auto* asked = std::get_if<sa::AskRadius>(&effect)) {
      radius_.ask(std::move(*asked));
    } else if (auto* line = std::get_if<LogLine>(&effect)) {
      write(std::move(*line));
    }
  }
  kernel_.flush();
  arm_timer();
  for (const sa::Notice& one : notices) radius_.notice(one);
  // last: who is told may give the next command
  for (const sa::Notice& one : notices) publish(one);
  for (const sa::Notice& one : notices) notice(one);
}

// The answer comes in a turn of its own, whenever the signer gives it.
void Engine::perform(sa::Sign question) {
  auto done = [this, ticket = question.ticket, alive = std::weak_ptr(alive_)](Result<crypto::Signature> signature) {
    if (alive.expired()) return;
    boost::asio::post(loop_, [this, ticket, alive, signature = std::move(signature)]() mutable {
      if (alive.expired()) return;
      sa::Effects effects;
      core_.on_signature(ticket, std::move(signature), now(), effects);
      perform(std::move(effects));
    });
  };
  if (place_.signer == nullptr) return done(system_error("there is no signer"));
  place_.signer->sign(std::move(question.request), std::move(done));
}

// First the chain, by what is at hand. Only then servers are asked about what is not known: a stranger's certificate sends us nowhere.
void Engine::perform(sa::VerifyCertificate question) {
  boost::asio::post(loop_, [this, question = std::move(question), alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    const auto wall = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    auto chain = verifier_.verify(question, wall);
    if (!chain) return verified(question.ticket, std::move(chain));
    struct Asked {
      sa::Ticket ticket;
      crypto::VerifiedChain chain;
      crypto::RevocationPolicy policy;
      std::size_t open;
    };
    const auto asked = std::make_shared<Asked>(Asked{question.ticket, std::move(*chain), policy_of(question.revocation), 1});
    const auto answered = [this, asked, alive] {
      if (--asked->open == 0 && !alive.expired()) verified(asked->ticket, crypto::judge(std::move(asked->chain), asked->policy));
    };
    for (std::size_t i = 0; place_.revocation != nullptr && i < asked->chain.gaps.size(); ++i) {
      crypto::RevocationGap& gap = asked->chain.gaps[i];
      Revocation::Question about{place_.vrf, gap.certificate, gap.issuer, {}, {}};
      for (const model::AuthorityPtr& one : question.authorities) {
        if (one->der != gap.issuer) continue;
        about.crl_uris = one->crl_uris;
        about.ocsp_uris = one->ocsp_uris;
      }
      const bool configured = !about.crl_uris.empty() || !about.ocsp_uris.empty();
      if (!configured && !gap.names_where) continue;
      gap.names_where = true;
      ++asked->open;
      place_.revocation->ask(std::move(about), [asked, answered, i](crypto::Finding finding) {
        asked->chain.gaps[i].finding = std::move(finding);
        answered();
      });
    }
    answered();
  });
}

void Engine::verified(const sa::Ticket& ticket, crypto::Verification chain) {
  sa::Effects effects;
  core_.on_verified(ticket, std::move(chain), now(), effects);
  perform(std::move(effects));
}

void Engine::perform(const sa::Staple& question) {
  auto done = [this, ticket = question.ticket, alive = std::weak_ptr(alive_)](Bytes response) {
    if (alive.expired()) return;
    boost::asio::post(loop_, [this, ticket, alive, response = std::move(response)] {
      if (alive.expired()) return;
      sa::Effects effects;
      core_.on_stapled(ticket, response, now(), effects);
      perform(std::move(effects));
    });
  };
  std::vector<Bytes> known = question.certificate->chain;
  for (const model::AuthorityPtr& one : core_.configuration()->authorities) known.push_back(one->der);
  Revocation::Question about{place_.vrf, question.certificate->der, crypto::issuer_among(question.certificate->der, known), {}, {}};
  if (place_.revocation == nullptr || about.issuer.empty()) return done({});
  for (const model::AuthorityPtr& one : core_.configuration()->authorities) {
    if (one->der == about.issuer) about.ocsp_uris = one->ocsp_uris;
  }
  place_.revocation->staple(std::move(about), std::move(done));
}

void Engine::perform(sa::LookUpCertificates question) {
  auto done = [this, ticket = question.ticket, alive = std::weak_ptr(alive_)](Result<std::vector<Bytes>> certificates) {
    if (alive.expired()) return;
    boost::asio::post(loop_, [this, ticket, alive, certificates = std::move(certificates)]() mutable {
      if (alive.expired()) return;
      sa::Effects effects;
      core_.on_looked_up(ticket, std::move(certificates), now(), effects);
      perform(std::move(effects));
    });
  };
  if (place_.lookup == nullptr) return done(system_error("nothing can be fetched"));
  place_.lookup->look_up(place_.vrf, question.peer, std::move(question.at), std::move(done));
}

Radius::Host Engine::radius_host() {
  return {loop_,
          entropy_,
          place_.open_socket,
          [this] { return now(); },
          [this](LogLevel level, std::string text) { log(Subsystem::Network, level, std::move(text)); },
          [this](const sa::Ticket& ticket, radius::EapAnswer answer) {
            sa::Effects effects;
            core_.on_radius_answer(ticket, std::move(answer), now(), effects);
            perform(std::move(effects));
          },
          [this](std::uint32_t id) { return ike_sa(id); },
          [this](const model::SaId& id) -> std::optional<model::SaStatus> {
            auto status = kernel_.query(id);
            return status ? std::optional(std::move(*status)) : std::nullopt;
          },
          [this](std::uint32_t id) {
            sa::Effects effects;
            const bool begun = core_.terminate(sa::Core::Selection{{}, {}, id, 0}, now(), effects).has_value();
            perform(std::move(effects));
            return begun;
          },
          [this](std::uint32_t id, seconds from_now) {
            sa::Effects effects;
            const bool there = core_.limit_session(id, from_now, now(), effects);
            perform(std::move(effects));
            return there;
          },
          [this](const std::string& host, std::function<void(Result<std::vector<IpAddress>>)> done) {
            if (place_.fetcher != nullptr) return look_up_host(*place_.fetcher, place_.vrf, host, std::move(done));
            boost::asio::post(loop_, [done = std::move(done)] { done(system_error("there is nothing to look it up with")); });
          }};
}

void Engine::arm_timer() {
  const auto deadline = core_.next_deadline();
  if (!deadline) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::max(Duration(0), *deadline - now()));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    sa::Effects effects;
    core_.on_deadline(now(), effects);
    perform(std::move(effects));
  });
}

// --- kernel events ----------------------------------------------------------------------------------------------------------

void Engine::on_acquire(std::uint32_t reqid, std::uint32_t, const wire::TrafficSelector&, const wire::TrafficSelector&) {
  sa::Effects effects;
  core_.acquire(reqid, now(), effects);
  perform(std::move(effects));
}

void Engine::on_expire(const model::SaId& id, bool hard) {
  if (hard) {
    for (auto& [reqid, sas] : orphans_) {
      if (std::erase(sas, id) == 0 || !sas.empty()) continue;
      const std::uint32_t gone = reqid;
      orphans_.erase(gone);
      drop_orphan_policies(gone);
      break;
    }
  }
  sa::Effects effects;
  core_.expire(id, hard, now(), effects);
  perform(std::move(effects));
}

// Its keys and sequence numbers are nowhere but in the kernel, or were: a rekey gives it others, and tries the device again.
void Engine::on_offload(const model::SaId& id, const std::string& reason) {
  log(Subsystem::Kernel, 1, "the CHILD SA of " + model::describe(id) + " is rekeyed: " + reason);
  sa::Effects effects;
  core_.expire(id, false, now(), effects);
  perform(std::move(effects));
}

void Engine::on_mapping(const model::SaId& id, const Endpoint& now_from) {
  sa::Effects effects;
  core_.mapping_moved(id, now_from, now(), effects);
  perform(std::move(effects));
}

void Engine::on_paths() {
  sa::Effects effects;
  core_.paths_changed(now(), effects);
  perform(std::move(effects));
}

void Engine::on_svti(std::uint32_t svti_id, bool up) {
  log(Subsystem::Kernel, 2, "SVTI with svti-id " + std::to_string(svti_id) + (up ? " is up" : " is down"));
  if (!up) return;
  for (const model::AddressId& id : addresses_) {
    if (id.svti_id == svti_id) submit(model::AddAddress{id});
  }
  submit(policies_.routes_through(svti_id), kFirstTrapOwner);
  kernel_.flush();
}

void Engine::on_overrun() {
  // Acquires that were lost come again with the next packet after acquire-timeout; what expired unseen is found by looking.
  log(Subsystem::Kernel, 0, "events of the kernel were lost: its socket overran; looking at what is there");
  kernel_.flush();
  const auto inventory = kernel_.inventory();
  if (!inventory) return log(Subsystem::Kernel, 0, "the kernel cannot be asked: " + inventory.error().message);
  std::set<model::SaId> present;
  for (const model::SaStatus& sa : inventory->sas) present.insert(sa.id);
  sa::Effects effects;
  core_.resync(present, now(), effects);
  perform(std::move(effects));
}

// --- start and orphans ------------------------------------------------------------------------------------------------------

Status Engine::start() {
  auto inventory = kernel_.inventory();
  if (!inventory) return fail(inventory.error());
  for (const model::PolicyStatus& policy : inventory->policies) {
    if (policy.id.direction != model::Direction::Out) continue;
    core_.seed_reqid(policy.id, policy.reqid);
    // a client of a former run may be there still
    const Prefix& peer = policy.id.destination;
    if (peer == Prefix::host(peer.address())) core_.reserve_address(peer.address());
  }
  if (!inventory->sas.empty())
    log(Subsystem::Kernel, 1, std::to_string(inventory->sas.size()) + " SAs of a former run are in the kernel and go on carrying traffic");
  left_ = std::move(*inventory);
  return {};
}

void Engine::reconcile() {
  if (!left_) return;
  const model::KernelInventory left = std::move(*left_);
  left_.reset();
  std::set<std::uint32_t> svti_ids;
  for (const auto& [name, vpn] : core_.configuration()->vpns) {
    for (const model::SecurityPolicy& policy : vpn->policies) svti_ids.insert({policy.svti_id_in, policy.svti_id_out});
  }
  for (const model::SaStatus& sa : left.sas) {
    if (core_.trap_owner(sa.reqid) || (sa.if_id != 0 && svti_ids.contains(sa.if_id))) {
      orphans_[sa.reqid].push_back(sa.id);
    } else {
      submit(model::DeleteSa{sa.id});
    }
  }
  for (const model::PolicyStatus& policy : left.policies) {
    if (policies_.wants(policy.id)) continue;
    if (orphans_.contains(policy.reqid)) {
      orphan_policies_[policy.reqid].push_back(policy.id);
    } else {
      submit(model::DeletePolicy{policy.id});
    }
  }
  for (const model::RouteId& route : left.routes) {
    if (!policies_.wants(route)) submit(model::DeleteRoute{route});
  }
  for (const model::RuleId& rule : left.rules) {
    if (!policies_.wants(rule)) submit(model::DeleteRule{rule});
  }
  for (const model::AddressId& address : left.addresses) {
    if (!addresses_.contains(address)) orphan_addresses_.insert(address);
  }
  const std::set<model::AddressId> had = orphan_addresses_;
  drop_orphan_addresses();
  kernel_.flush();
  // Nobody knows the keys of the IKE SA any more: a new one is made while the old SAs still carry the traffic.
  std::vector<sa::Core::TrapOwner> owners;
  for (const auto& [reqid, sas] : orphans_) {
    if (auto owner = core_.trap_owner(reqid)) owners.push_back(std::move(*owner));
  }
  // What has a virtual address was no trap's: any VPN that asks for one may have been it.
  if (!had.empty()) {
    for (const auto& [name, vpn] : core_.configuration()->vpns) {
      if (vpn->vip_request.empty() || !vpn->remote_address) continue;
      for (const model::SecurityPolicy& policy : vpn->policies) {
        if (vpn->ipsec_of(policy).start_action == model::StartAction::None) continue;
        owners.push_back({name, policy.name});
      }
    }
  }
  for (const auto& [vpn, policy] : owners) {
    sa::Effects effects;
    (void)core_.initiate(vpn, policy, now(), effects);
    perform(std::move(effects));
  }
}

void Engine::drop_orphan_policies(std::uint32_t reqid) {
  const auto policies = orphan_policies_.find(reqid);
  if (policies == orphan_policies_.end()) return;
  for (const model::PolicyId& id : policies->second) {
    if (!policies_.wants(id)) submit(model::DeletePolicy{id});
  }
  orphan_policies_.erase(policies);
  drop_orphan_addresses();
  kernel_.flush();
}

bool Engine::orphan_needs(const IpAddress& address) const {
  return std::any_of(orphan_policies_.begin(), orphan_policies_.end(), [&](const auto& of_reqid) {
    return std::any_of(of_reqid.second.begin(), of_reqid.second.end(), [&](const model::PolicyId& id) {
      return id.direction == model::Direction::Out && id.source == Prefix::host(address);
    });
  });
}

void Engine::drop_orphan_addresses() {
  std::erase_if(orphan_addresses_, [&](const model::AddressId& id) {
    if (orphan_needs(id.address)) return false;
    log(Subsystem::Kernel, 1, "virtual address " + id.address.to_string() + " of a former run is removed");
    submit(model::DeleteAddress{id});
    return true;
  });
}

// A VPN with virtual addresses may have got others than before, so that the reqids do not tell what its new CHILD SA replaces.
void Engine::drop_orphans_towards(const IpAddress& peer) {
  std::vector<std::uint32_t> replaced;
  for (const auto& [reqid, sas] : orphans_) {
    const bool towards = std::any_of(sas.begin(), sas.end(), [&](const model::SaId& id) { return id.destination == peer; });
    if (towards && !core_.trap_owner(reqid)) replaced.push_back(reqid);
  }
  for (const std::uint32_t reqid : replaced) drop_orphans(reqid, "a new CHILD SA took their place");
}

void Engine::drop_orphans(std::uint32_t reqid, const std::string& why) {
  const auto found = orphans_.find(reqid);
  if (found == orphans_.end()) return;
  log(Subsystem::Kernel, 1, std::to_string(found->second.size()) + " SAs of a former run are removed: " + why);
  const auto leaving = leaving_.emplace(leaving_.end(), Leaving{steady_timer(loop_), std::move(found->second)});
  orphans_.erase(found);
  drop_orphan_policies(reqid);
  // as with a rekeyed CHILD SA: packets under way may still need them
  leaving->timer.expires_after(core_.configuration()->global.delete_rekeyed_delay);
  leaving->timer.async_wait([this, leaving](const boost::system::error_code& error) {
    if (error) return;
    for (const model::SaId& id : leaving->sas) submit(model::DeleteSa{id});
    kernel_.flush();
    leaving_.erase(leaving);
  });
}

// --- commands ---------------------------------------------------------------------------------------------------------------

void Engine::apply_globals(const model::GlobalOptions& options) {
  const bool first = !globals_;
  const model::GlobalOptions before = globals_.value_or(model::GlobalOptions{});
  globals_ = options;
  const auto thresholds = [](const model::GlobalOptions& one) {
    return std::tuple(one.sp_hash_ipv4_local, one.sp_hash_ipv4_remote, one.sp_hash_ipv6_local, one.sp_hash_ipv6_remote);
  };
  if (thresholds(options) != thresholds(before)) {
    submit(model::SetPolicyHash{options.sp_hash_ipv4_local, options.sp_hash_ipv4_remote, options.sp_hash_ipv6_local,
                                options.sp_hash_ipv6_remote});
  }
  if (first || options.acquire_timeout != before.acquire_timeout) submit(model::SetAcquireTimeout{options.acquire_timeout});
  submit(policies_.set_routing({options.install_routes, options.routing_table, options.routing_table_prio}), kFirstTrapOwner);
}

void Engine::apply(const model::ConfigurationPtr& configuration) {
  apply_globals(configuration->global);
  radius_.configure(configuration->radius);
  sa::Effects effects;
  core_.apply(configuration, now(), effects);
  explanations_.keep_only(*configuration);
  perform(std::move(effects));
  reconcile();
  warn_of_expiry();
}

// Now, and each day.
void Engine::warn_of_expiry() {
  const model::Configuration& configuration = *core_.configuration();
  if (configuration.certificates.empty() && configuration.authorities.empty()) return void(expiry_timer_.cancel());
  const auto wall = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  for (LogLine& line : expiry_warnings(configuration, wall)) write(std::move(line));
  expiry_timer_.expires_after(std::chrono::hours(24));
  expiry_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) warn_of_expiry();
  });
}

std::size_t Engine::matching(const Target& target) const {
  return core_.matching(target.vpn, target.policy, target.ike_id, target.child_id);
}

Status Engine::install(const Target& target) {
  sa::Effects effects;
  const Status status = core_.install(target.vpn, target.policy, effects);
  perform(std::move(effects));
  return status;
}

Status Engine::uninstall(const Target& target) {
  sa::Effects effects;
  const Status status = core_.uninstall(target.vpn, target.policy, effects);
  perform(std::move(effects));
  return status;
}

model::RuntimeState Engine::summary() {
  model::RuntimeState out = core_.summary();
  // One worker, which is at this very command. What comes in is carried out as it comes: nothing waits in a queue of ours.
  out.tasks.workers_total = 1;
  out.tasks.workers.medium = 1;
  out.tasks.scheduled = core_.scheduled() + leaving_.size();
  for (const Waiter& waiter : waiters_) out.tasks.scheduled += waiter.timer ? 1 : 0;
  out.radius_servers = radius_.state();
  const model::Configuration& configuration = *core_.configuration();
  out.certificates = certificate_states(configuration, std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
  for (std::size_t i = 0; i < configuration.certificates.size(); ++i) {  // they come first
    const Bytes& id = configuration.certificates[i]->key_id;
    const auto& keys = configuration.private_keys;
    if (place_.signer == nullptr || std::none_of(keys.begin(), keys.end(), [&](const auto& key) { return key->id == id; })) continue;
    auto [place, problem] = place_.signer->state(id);
    out.certificates[i].key_place = std::move(place);
    out.certificates[i].key_problem = std::move(problem);
  }
  for (model::CertificateState& state : out.certificates) {
    for (const model::AuthorityPtr& one : configuration.authorities) {
      if (state.authority && one->name == state.name && place_.revocation != nullptr)
        state.revocation = place_.revocation->states(place_.vrf, *one);
    }
  }
  return out;
}

std::vector<std::uint32_t> Engine::ike_sas(const Target& target) const {
  return core_.listed({target.vpn, target.policy, target.ike_id, target.child_id});
}

std::optional<model::IkeSaState> Engine::ike_sa(std::uint32_t id) {
  auto out = core_.sa_state(id, now());
  if (!out) return out;
  for (model::ChildSaState& child : out->children) add_kernel_counts(*out, child);
  return out;
}

namespace {

// What both directions have. Where they differ the reason says which one has less.
std::optional<model::OffloadStatus> lesser_offload(const std::optional<model::OffloadStatus>& in,
                                                   const std::optional<model::OffloadStatus>& out) {
  if (!in || !out || *in == *out) return in ? in : out;
  const bool outbound = out->offload < in->offload || (out->offload == in->offload && in->reason.empty());
  model::OffloadStatus lesser = outbound ? *out : *in;
  if (!lesser.reason.empty()) lesser.reason.insert(0, outbound ? "outbound: " : "inbound: ");
  return lesser;
}

}  // namespace

// An SA that the kernel does not have (any more) counts nothing.
void Engine::add_kernel_counts(const model::IkeSaState& ike, model::ChildSaState& child) {
  const auto since = [](std::uint64_t unix_time) -> std::optional<seconds> {
    if (unix_time == 0) return std::nullopt;
    const auto passed = std::chrono::system_clock::now().time_since_epoch() - seconds(static_cast<seconds::rep>(unix_time));
    return std::max(seconds(0), std::chrono::duration_cast<seconds>(passed));
  };
  if (const auto in = kernel_.query({ike.local.address, child.spi_in, child.protocol})) {
    child.bytes_in = in->bytes;
    child.packets_in = in->packets;
    child.used_in = since(in->last_used);
    child.offload = in->offload;
  }
  if (const auto sent = kernel_.query({ike.remote.address, child.spi_out, child.protocol})) {
    child.bytes_out = sent->bytes;
    child.packets_out = sent->packets;
    child.used_out = since(sent->last_used);
    child.offload = lesser_offload(child.offload, sent->offload);
  }
}

std::set<std::string> Engine::policies_of(const std::string& vpn, const std::string& policy) const {
  if (!policy.empty()) return {policy};
  std::set<std::string> out;
  const auto& vpns = core_.configuration()->vpns;
  if (const auto found = vpns.find(vpn); found != vpns.end()) {
    for (const model::SecurityPolicy& one : found->second->policies) out.insert(one.name);
  }
  return out;
}

void Engine::wait(Waiter::For what, const std::string& vpn, std::set<std::string> policies, milliseconds timeout, LogSink progress,
                  Service::Done done) {
  const auto waiter = waiters_.emplace(waiters_.end());
  waiter->what = what;
  waiter->vpn = vpn;
  waiter->policies = std::move(policies);
  waiter->done = std::move(done);
  if (progress) {
    waiter->unsubscribe = logger_.subscribe(1, [name = model::qualified_name(place_.vrf, vpn), progress](const LogLine& line) {
      if (line.vpn == name) progress(line);
    });
  }
  if (timeout.count() <= 0) return;
  waiter->timer = std::make_unique<steady_timer>(loop_, timeout);
  waiter->timer->async_wait([this, waiter](const boost::system::error_code& error) {
    if (!error) finish(waiter, system_error("still under way after the time given: `ikectl show state` tells how it goes on"));
  });
}

void Engine::finish(Waiters::iterator waiter, Status status) {
  const Service::Done done = std::move(waiter->done);
  if (waiter->unsubscribe) waiter->unsubscribe();
  waiters_.erase(waiter);
  if (done) done(std::move(status));
}

void Engine::notice(const sa::Notice& notice) {
  using Kind = sa::Notice::Kind;
  switch (notice.kind) {
    case Kind::ChildUp:
      drop_orphans(notice.reqid, "a new CHILD SA took their place");
      if (const auto vpn = core_.configuration()->vpns.find(notice.vpn);
          vpn != core_.configuration()->vpns.end() && !vpn->second->vip_request.empty() && vpn->second->remote_address)
        drop_orphans_towards(*vpn->second->remote_address);
      break;
    case Kind::ChildFailed:
    case Kind::IkeFailed: {
      std::vector<std::uint32_t> failed;
      for (const auto& [reqid, sas] : orphans_) {
        const auto owner = core_.trap_owner(reqid);
        if (owner && owner->vpn == notice.vpn && (notice.policy.empty() || owner->policy == notice.policy)) failed.push_back(reqid);
      }
      for (const std::uint32_t reqid : failed) drop_orphans(reqid, "no new CHILD SA could be made: " + notice.reason);
      break;
    }
    default:
      break;
  }
  for (auto waiter = waiters_.begin(); waiter != waiters_.end();) {
    const auto one = waiter++;
    if (one->vpn != notice.vpn) continue;
    const bool up = one->what == Waiter::For::Up;
    if (one->ike != 0 && notice.ike != one->ike) continue;
    switch (notice.kind) {
      case Kind::ChildUp:
        if (up && one->policies.erase(notice.policy) > 0 && one->policies.empty()) finish(one, {});
        break;
      case Kind::ChildDown:
        if (up || (one->child != 0 && one->child != notice.child)) break;
        if (one->policies.erase(notice.policy) > 0 && one->policies.empty()) finish(one, {});
        break;
      case Kind::ChildFailed:
        if (up && one->policies.contains(notice.policy)) finish(one, system_error(notice.policy + ": " + notice.reason));
        break;
      case Kind::IkeDown:
        if (up && core_.established(notice.vpn)) break;  // another one stays
        [[fallthrough]];
      case Kind::IkeFailed:
        finish(one, up ? Status(system_error(notice.reason)) : Status());
        break;
      case Kind::IkeUp:
        if (up && one->policies.empty()) finish(one, {});
        break;
      case Kind::IkeRekeyed:
      case Kind::ChildRekeyed:
      case Kind::ChildGone:
        break;
    }
  }
}

void Engine::initiate(const Target& target, milliseconds timeout, LogSink progress, Service::Done done) {
  const std::string &vpn = target.vpn, &policy = target.policy;
  const sa::Core::Between between{target.local, target.remote};
  if (target.ike_id != 0 || target.child_id != 0) return done(config_error("an SA that is there cannot be set up: name the VPN"));
  std::set<std::string> missing = policies_of(vpn, policy);
  for (const std::uint32_t id : core_.listed({vpn, {}, 0, 0})) {
    const model::IkeSaState ike = *core_.sa_state(id, now());
    if (ike.name != vpn || (between.local && *between.local != ike.local.address)) continue;
    if (between.remote && *between.remote != ike.remote.address) continue;
    for (const model::ChildSaState& child : ike.children) {
      if (child.phase == model::ChildSaPhase::Installed) missing.erase(child.name);
    }
  }
  const bool known = core_.configuration()->vpns.contains(vpn);
  if (known && missing.empty()) return done({});
  wait(Waiter::For::Up, vpn, std::move(missing), timeout, std::move(progress), std::move(done));
  const auto waiter = std::prev(waiters_.end());
  sa::Effects effects;
  const Status begun = core_.initiate(vpn, policy, between, now(), effects);
  // of several IKE SAs of one VPN, to several peers, the one with this peer counts
  if (begun && between.remote) waiter->ike = core_.usable(vpn, between);
  if (!begun) {
    finish(waiter, begun);
    return perform(std::move(effects));
  }
  perform(std::move(effects));
}

void Engine::terminate(const Target& target, milliseconds timeout, LogSink progress, Service::Done done) {
  const sa::Core::Selection which{target.vpn, target.policy, target.ike_id, target.child_id};
  std::string vpn = target.vpn;
  std::set<std::string> policies;
  if (!target.policy.empty()) policies.insert(target.policy);
  if (vpn.empty() || (target.child_id != 0 && policies.empty())) {
    // the log and the notices go by name
    for (const model::IkeSaState& ike : core_.state(now()).ike_sas) {
      if (target.ike_id != 0 && ike.unique_id != target.ike_id) continue;
      for (const model::ChildSaState& child : ike.children) {
        if (target.child_id == 0 ? child.name != target.policy : child.unique_id != target.child_id) continue;
        policies = {child.name};
        vpn = ike.name;
      }
      if (target.ike_id != 0) vpn = ike.name;
    }
  }
  wait(Waiter::For::Down, vpn, std::move(policies), timeout, std::move(progress), std::move(done));
  const auto waiter = std::prev(waiters_.end());
  waiter->ike = target.ike_id;
  waiter->child = target.child_id;
  sa::Effects effects;
  const Status begun = core_.terminate(which, now(), effects);
  if (!begun) return finish(waiter, begun);
  // an IKE SA that was not established is gone already, without a notice
  const bool silent = !which.of_children() && std::none_of(effects.begin(), effects.end(), [](const sa::Effect& effect) {
    const auto* one = std::get_if<sa::Notice>(&effect);
    return one != nullptr && one->kind == sa::Notice::Kind::IkeDown;
  });
  perform(std::move(effects));
  if (silent) finish(waiter, {});
}

void Engine::rekey(const Target& target, const Service::Done& done) {
  sa::Effects effects;
  const Status begun = core_.rekey({target.vpn, target.policy, target.ike_id, target.child_id, target.reauthenticate}, now(), effects);
  perform(std::move(effects));
  done(begun);
}

Result<std::size_t> Engine::redirect(const Target& target, const RedirectedPeers& peers, const wire::GatewayIdentity& gateway) {
  sa::Effects effects;
  auto asked = core_.redirect({target.vpn, target.ike_id, peers.addresses, peers.id}, gateway, now(), effects);
  perform(std::move(effects));
  return asked;
}

std::vector<model::Explanation> Engine::explain(const std::string& vpn) const {
  return vpn.empty() ? explanations_.strangers(now()) : explanations_.of(vpn, now());
}

bool Engine::has_sa(std::uint32_t ike, std::uint32_t child) const {
  const auto holds = [&](const model::IkeSaState& sa) {
    if (child == 0) return true;
    return std::any_of(sa.children.begin(), sa.children.end(), [&](const auto& one) { return one.unique_id == child; });
  };
  if (ike != 0) {
    const auto sa = core_.sa_state(ike, now());
    return sa && holds(*sa);
  }
  const model::RuntimeState state = core_.state(now());
  return std::any_of(state.ike_sas.begin(), state.ike_sas.end(), holds);
}

void Engine::watch() {
  for (model::IkeSaState& ike : core_.state(now()).ike_sas) {
    const std::uint32_t id = ike.unique_id;
    last_seen_.try_emplace(id, std::make_shared<const model::IkeSaState>(std::move(ike)));
  }
}

void Engine::publish(const sa::Notice& notice) {
  if (place_.events == nullptr || !*place_.events) return last_seen_.clear();
  using From = sa::Notice::Kind;
  using Kind = Event::Kind;
  static const std::map<From, Kind> kKinds = {
      {From::IkeUp, Kind::IkeUp},           {From::IkeDown, Kind::IkeDown},           {From::IkeFailed, Kind::Alert},
      {From::IkeRekeyed, Kind::IkeRekeyed}, {From::ChildUp, Kind::ChildUp},           {From::ChildDown, Kind::ChildDown},
      {From::ChildFailed, Kind::Alert},     {From::ChildRekeyed, Kind::ChildRekeyed}, {From::ChildGone, Kind::ChildGone}};
  const auto seen = [&](std::uint32_t ike) -> std::shared_ptr<const model::IkeSaState> {
    const auto found = last_seen_.find(ike);
    return found == last_seen_.end() ? nullptr : found->second;
  };
  const auto before = seen(notice.ike);
  std::shared_ptr<const model::IkeSaState> now_is;
  if (auto state = core_.sa_state(notice.ike, now())) now_is = std::make_shared<const model::IkeSaState>(std::move(*state));
  Event event{
      kKinds.at(notice.kind), place_.vrf, notice.vpn, notice.policy, notice.ike, notice.child, notice.former, notice.reason, {}, {}, {}};
  event.ike = now_is ? now_is : before;
  if (before && (notice.kind == From::IkeDown || notice.kind == From::ChildDown || notice.kind == From::ChildGone)) {
    // what is down is shown as it was while it was there, on its way out
    const bool whole = notice.kind == From::IkeDown;
    auto last = std::make_shared<model::IkeSaState>(*before);
    if (whole) last->phase = model::IkeSaPhase::Deleting;
    for (model::ChildSaState& child : last->children) {
      if (whole || child.unique_id == notice.child) child.phase = model::ChildSaPhase::Deleting;
    }
    event.ike = std::move(last);
  }
  if (notice.kind == From::IkeRekeyed) event.former = seen(notice.former);
  if (notice.kind == From::ChildRekeyed) event.former = before;
  if (notice.kind == From::IkeDown || notice.kind == From::IkeFailed) {
    last_seen_.erase(notice.ike);
  } else if (now_is) {
    last_seen_[notice.ike] = now_is;
  }
  if (notice.kind == From::IkeRekeyed) last_seen_.erase(notice.former);
  (*place_.events)(event);
}

void Engine::shut_down() {
  if (stopping_) return;
  stopping_ = true;
  log(Subsystem::Daemon, 0, "shutting down");
  sa::Effects effects;
  core_.close(now(), effects);
  perform(std::move(effects));
  for (auto& [reqid, sas] : orphans_) {
    for (const model::SaId& id : sas) submit(model::DeleteSa{id});
  }
  for (const Leaving& leaving : leaving_) {
    for (const model::SaId& id : leaving.sas) submit(model::DeleteSa{id});
  }
  for (auto& [reqid, policies] : orphan_policies_) {
    for (const model::PolicyId& id : policies) submit(model::DeletePolicy{id});
  }
  for (const model::AddressId& id : orphan_addresses_) submit(model::DeleteAddress{id});
  kernel_.flush();
  stop_timer_ = std::make_unique<steady_timer>(loop_);
  const auto give_up_at = std::chrono::steady_clock::now() + kStopWait;
  const auto look = std::make_shared<std::function<void()>>();
  *look = [this, give_up_at, weak = std::weak_ptr(look)] {
    if (core_.ike_sas() == 0 || std::chrono::steady_clock::now() >= give_up_at) {
      sa::Effects last;
      core_.close(now(), last);
      perform(std::move(last));
      if (stopped_) stopped_();
      return;
    }
    stop_timer_->expires_after(std::chrono::milliseconds(20));
    stop_timer_->async_wait([again = weak.lock()](const boost::system::error_code& error) {
      if (!error && again) (*again)();
    });
  };
  (*look)();
}

}  // namespace svti::engine
