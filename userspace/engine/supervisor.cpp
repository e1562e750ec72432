// SPDX-License-Identifier: Apache-2.0
#include "engine/supervisor.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <set>

#include "base/pairwise.h"
#include "config/text.h"
#include "engine/secret_file.h"

namespace svti::engine {

using boost::asio::steady_timer;

namespace {

const std::string kMain{model::kMainVrf};
// answers of the kernel to what an engine asked at last are waited for that long before its sockets go
constexpr auto kFarewell = std::chrono::milliseconds(300);

bool any_error(const config::Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](const config::Diagnostic& one) { return !one.warning; });
}

const model::ConfigurationPtr& no_ike() {
  static const model::ConfigurationPtr kNone = std::make_shared<const model::Configuration>();
  return kNone;
}

const model::Configuration& ike_of(const model::System& system, const std::string& vrf) {
  const auto found = system.vrfs.find(vrf);
  return found == system.vrfs.end() || !found->second.ike ? *no_ike() : *found->second.ike;
}

std::string own_text(const config::Document& document) {
  config::PrintOptions options;
  options.defaults = false;
  // the whole of it: there is no path that could be missing
  return document.print(options).value();
}

}  // namespace

Supervisor::Supervisor(boost::asio::io_context& loop, Logger& logger, Options options)
    : loop_(loop),
      logger_(logger),
      options_(std::move(options)),
      file_(options_.state_dir),
      interfaces_(options_.links, [this](const LogLine& line) { logger_.write(line); }),
      retry_timer_(loop) {
  if (options_.fetcher == nullptr) return;
  const auto log = [this](const LogLine& line) { logger_.write(line); };
  const auto clock = [] { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); };
  revocation_ =
      std::make_unique<Revocation>(loop_, *options_.fetcher, options_.state_dir.empty() ? "" : options_.state_dir + "/crl", log, clock,
                                   [this](std::function<void()> work, std::function<void()> done) {
                                     boost::asio::post(background_, [this, work = std::move(work), done = std::move(done)]() mutable {
                                       work();
                                       boost::asio::post(loop_, std::move(done));
                                     });
                                   });
  lookup_ = std::make_unique<CertificateLookup>(loop_, *options_.fetcher, log, clock);
}

Supervisor::~Supervisor() = default;

// --- configuration ----------------------------------------------------------------------------------------------------------

Result<LoadOutcome> Supervisor::start() {
  config::Diagnostics problems;
  if (!options_.state_dir.empty()) {
    crypto::SystemEntropy entropy;
    auto secret = host_secret(options_.state_dir, entropy);
    if (secret) {
      host_secret_ = std::move(*secret);
    } else {
      problems.push_back({true,
                          options_.state_dir,
                          0,
                          {},
                          "a crash of this daemon will be noticed by its peers no sooner than they ask: " + secret.error().message});
    }
  }
  if (Status opened = open(kMain); !opened) return fail(opened.error());
  std::optional<std::string> startup;
  if (!options_.startup_file.empty()) {
    auto text = read_file(options_.startup_file);
    if (!text) return fail(text.error());
    startup = std::move(*text);
  }
  const std::string digest = RunningFile::digest(startup);
  const auto warn = [&](std::string text) { problems.push_back({true, file_.path(), 0, {}, std::move(text)}); };
  auto saved = file_.load();
  if (!saved) warn("the running configuration of the last run is lost: " + saved.error().message);
  const bool goes_on = saved && *saved && (*saved)->startup_digest == digest;
  std::optional<config::Document> document;
  if (goes_on) {
    auto parsed = config::Document::parse((*saved)->text, file_.path());
    if (parsed) {
      document = std::move(*parsed);
      log(Subsystem::Config, 1, "going on with the running configuration of the last run, " + file_.path());
    } else {
      warn("the running configuration of the last run is not taken: " + parsed.error().front().to_string());
    }
  }
  if (!document) {
    auto parsed = config::Document::parse(startup.value_or(""), options_.startup_file);
    if (!parsed) {
      LoadOutcome refused;
      refused.diagnostics = std::move(parsed.error());
      return refused;
    }
    document = std::move(*parsed);
    // A daemon that cannot keep its configuration serves all the same.
    const Status kept = startup ? file_.save({digest, own_text(*document)}) : Status();
    if (!kept) warn("changes by command will be refused: " + kept.error().message);
  }
  if (saved && *saved && !goes_on) {
    if (const auto former = config::Document::parse((*saved)->text, file_.path())) interfaces_.remember(*former->resolved());
  }
  LoadOutcome out = change(Parsed(std::move(*document)), {}, {}, digest);
  out.diagnostics.insert(out.diagnostics.begin(), problems.begin(), problems.end());
  return out;
}

LoadOutcome Supervisor::reload() {
  LoadOutcome out;
  auto text = read_file(options_.startup_file);
  if (!text || !*text) {
    const std::string why = text ? options_.startup_file + " does not exist" : text.error().message;
    out.diagnostics.push_back({false, options_.startup_file, 0, {}, why});
    return out;
  }
  interfaces_.look_again();
  return load(**text, options_.startup_file, {});
}

LoadOutcome Supervisor::load(std::string_view text, std::string_view file_name, const LoadOptions& options) {
  // What was loaded by command and is the startup file word for word counts as the startup file.
  std::string digest = RunningFile::digest(std::string(text));
  const auto startup = options_.startup_file.empty() ? Result<std::optional<std::string>>(std::nullopt) : read_file(options_.startup_file);
  if (!startup || !*startup || **startup != text) digest = startup_digest_;
  return change(config::Document::parse(text, file_name, &document_), std::string(file_name), options, digest);
}

LoadOutcome Supervisor::edit(const std::vector<config::Edit>& edits, const LoadOptions& options) {
  return change(document_.edited(edits), {}, options, startup_digest_);
}

LoadOutcome Supervisor::change(Parsed parsed, const std::string& file_name, const LoadOptions& options, const std::string& digest) {
  LoadOutcome out;
  if (!parsed) {
    out.diagnostics = std::move(parsed.error());
    return out;
  }
  const auto refuse = [&](std::string why) {
    out.diagnostics.push_back({false, file_name, 0, {}, std::move(why)});
    return out;
  };
  out.diagnostics = parsed->warnings();
  out.changes = document_.diff(*parsed);
  for (const config::Change& one : out.changes) {
    if (one.restart) out.restart_leaves.push_back(one.path);
  }
  const model::SystemPtr before = document_.resolved();
  const model::SystemPtr after = parsed->resolved();
  compare(*before, *after, out);
  check(*after, file_name, out);
  // A daemon that starts serves what it can: there these are warnings, told when the interfaces are made.
  if (!startup_digest_.empty()) {
    for (config::Diagnostic& one : interfaces_.conflicts(*after)) {
      one.file = file_name;
      out.diagnostics.push_back(std::move(one));
    }
  }
  if (any_error(out.diagnostics) || options.dry_run) return out;
  if (stopping_) return refuse("the daemon is shutting down");
  if (trial_) return refuse("another change waits to be confirmed: confirm it, or roll it back, first");
  // startup_digest_ is empty while start() is at it, which has its own way with the file
  if (!options.confirm_within && !startup_digest_.empty()) {
    if (const Status saved = save(*parsed, digest); !saved) {
      return refuse(saved.error().message + ": a change that would not survive a restart is not made; nothing was changed");
    }
  }
  config::Document former = std::exchange(document_, std::move(*parsed));
  if (options.confirm_within) {
    begin_trial(std::move(former), *options.confirm_within);
  } else {
    startup_digest_ = digest;
  }
  main_with_overlay_.reset();
  settle(&out.diagnostics);
  out.applied = true;
  log(Subsystem::Config, 1,
      (file_name.empty() ? "configuration" : file_name) + " applied: " + std::to_string(out.added.size()) + " VPNs added, " +
          std::to_string(out.changed.size()) + " changed, " + std::to_string(out.removed.size()) + " removed, " +
          std::to_string(out.unchanged.size()) + " unchanged" + (trial_ ? "; on trial until it is confirmed" : ""));
  return out;
}

void Supervisor::compare(const model::System& before, const model::System& after, LoadOutcome& out) const {
  std::set<std::string> names;
  for (const model::System* system : {&before, &after}) {
    for (const auto& [name, vrf] : system->vrfs) names.insert(name);
  }
  for (const std::string& vrf : names) {
    const auto& olds = ike_of(before, vrf).vpns;
    const auto& news = ike_of(after, vrf).vpns;
    for_each_pair(olds, news, [&](const std::string& name, const auto* old, const auto* now) {
      auto& list = old == nullptr ? out.added : now == nullptr ? out.removed : *old == *now || **old == **now ? out.unchanged : out.changed;
      list.push_back(model::qualified_name(vrf, name));
    });
  }
}

// what the text alone cannot know
void Supervisor::check(const model::System& after, const std::string& file_name, LoadOutcome& out) const {
  for (const auto& [name, vpn] : ike_of(after, kMain).vpns) {
    if (!overlay_.vpns.contains(name)) continue;
    out.diagnostics.push_back(
        {false, file_name, 0, "vpn " + name, "a client of the control socket has loaded a connection of that name: unload it first"});
  }
  for (const auto& [name, vrf] : after.vrfs) {
    for (const model::SvtiInterface& svti : vrf.interfaces) {
      const std::string link = svti.link_vrf.empty() ? name : svti.link_vrf;
      const model::Configuration& ike = ike_of(after, link);
      if (link == name || !ike.global.install_routes) continue;
      const bool used = std::any_of(ike.vpns.begin(), ike.vpns.end(), [&](const auto& vpn) {
        const auto& policies = vpn.second->policies;
        return std::any_of(policies.begin(), policies.end(), [&](const auto& policy) { return policy.svti_id_out == svti.svti_id; });
      });
      if (!used) continue;
      out.diagnostics.push_back({true, file_name, 0, "vrf " + name + " interface svti " + svti.name,
                                 "reverse routes through an SVTI outside the VRF of its VPN (" + link +
                                     ") are not supported yet: add the routes in VRF " + name + " yourself"});
    }
  }
}

Status Supervisor::save(const config::Document& document, const std::string& digest) const {
  const std::string text = own_text(document);
  // Written out it may be longer than what was loaded.
  if (text.size() > config::kMaxTextSize)
    return config_error("the running configuration would have " + std::to_string(text.size()) + " octets; " +
                        std::to_string(config::kMaxTextSize) + " can be loaded");
  return file_.save({digest, text});
}

void Supervisor::begin_trial(config::Document before, seconds time) {
  trial_ = std::make_unique<Trial>(Trial{std::move(before), steady_timer(loop_, time)});
  trial_->timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) (void)end_trial("it was not confirmed in time");
  });
}

Status Supervisor::end_trial(const std::string& why) {
  if (!trial_) return config_error("nothing waits to be confirmed: there is nothing to roll back");
  document_ = std::move(trial_->before);
  trial_.reset();
  main_with_overlay_.reset();
  log(Subsystem::Config, 0, "the change is rolled back: " + why);
  settle(nullptr);
  return {};
}

Status Supervisor::confirm() {
  if (!trial_) return config_error("nothing waits to be confirmed: there was no load on trial, or its time is over and it was rolled back");
  // The time goes on when this fails: what cannot be kept is rolled back.
  if (const Status saved = save(document_, startup_digest_); !saved) return saved;
  trial_.reset();
  log(Subsystem::Config, 1, "the change is confirmed");
  return {};
}

Status Supervisor::roll_back() { return end_trial("by command"); }

Result<std::string> Supervisor::show_config(const ShowConfigOptions& options) const {
  const config::PrintOptions print{options.defaults, options.secrets, options.resolved, options.path};
  return options.format == ConfigFormat::Json ? document_.to_json(print) : document_.print(print);
}

Service::Pieces Supervisor::config_pieces(const std::string& vrf, const std::string& vpn, const ShowConfigOptions& options) const {
  const config::PrintOptions print{options.defaults, options.secrets, options.resolved, {}};
  return document_.ike_pieces(vrf, vpn, print, options.format == ConfigFormat::Json);
}

Status Supervisor::set_overlay(model::Overlay overlay) {
  const auto& vpns = ike_of(*document_.resolved(), kMain).vpns;
  for (const auto& [name, vpn] : overlay.vpns) {
    if (vpns.contains(name)) return config_error("VPN " + name + " is in the configuration text: give the connection another name");
  }
  overlay_ = std::move(overlay);
  main_with_overlay_.reset();
  settle(nullptr);
  return {};
}

auth::KeyState Supervisor::key_state(const Bytes& key_id) const {
  return options_.signer == nullptr ? auth::KeyState{"nowhere", "there is no signer"} : options_.signer->state(key_id);
}

void Supervisor::find_on_token(std::shared_ptr<const model::TokenKey> key, auth::Signer::Found done) {
  if (options_.signer == nullptr) return done(system_error("there is no signer"));
  options_.signer->find_on_token(std::move(key), std::move(done));
}

model::ConfigurationPtr Supervisor::wanted(const std::string& vrf) const {
  const model::SystemPtr system = document_.resolved();
  const auto found = system->vrfs.find(vrf);
  const model::ConfigurationPtr text = found == system->vrfs.end() ? nullptr : found->second.ike;
  if (vrf != kMain) return text;
  const bool nothing = overlay_.vpns.empty() && overlay_.preshared_keys.empty() && overlay_.eap_keys.empty() && overlay_.ppks.empty() &&
                       overlay_.private_keys.empty() && overlay_.pools.empty();
  if (nothing) return text ? text : no_ike();
  if (main_with_overlay_) return main_with_overlay_;
  auto both = std::make_shared<model::Configuration>(text ? *text : *no_ike());
  both->vpns.insert(overlay_.vpns.begin(), overlay_.vpns.end());
  both->pools.insert(overlay_.pools.begin(), overlay_.pools.end());
  both->preshared_keys.insert(both->preshared_keys.end(), overlay_.preshared_keys.begin(), overlay_.preshared_keys.end());
  both->eap_keys.insert(both->eap_keys.end(), overlay_.eap_keys.begin(), overlay_.eap_keys.end());
  both->ppks.insert(both->ppks.end(), overlay_.ppks.begin(), overlay_.ppks.end());
  both->certificates.insert(both->certificates.end(), overlay_.certificates.begin(), overlay_.certificates.end());
  both->authorities.insert(both->authorities.end(), overlay_.authorities.begin(), overlay_.authorities.end());
  both->private_keys.insert(both->private_keys.end(), overlay_.private_keys.begin(), overlay_.private_keys.end());
  return both;
}

// --- VRFs -------------------------------------------------------------------------------------------------------------------

Status Supervisor::open(const std::string& vrf) {
  auto adapters = options_.open(vrf, [this, vrf](const LogLine& line) {
    LogLine qualified = line;
    if (vrf != kMain) qualified.text = "vrf " + vrf + ": " + line.text;
    logger_.write(qualified);
  });
  if (!adapters) return fail(adapters.error());
  Place place;
  place.adapters = std::move(*adapters);
  place.engine = std::make_unique<Engine>(loop_, *place.adapters.kernel, *place.adapters.transport, logger_,
                                          Engine::Place{vrf, &ids_, &publish_, options_.signer, &host_secret_, options_.key_sink,
                                                        revocation_.get(), place.adapters.open_socket, lookup_.get(), options_.fetcher});
  if (Status started = place.engine->start(); !started) return started;
  places_.emplace(vrf, std::move(place));
  return {};
}

void Supervisor::settle(config::Diagnostics* problems) {
  main_with_overlay_ = wanted(kMain);
  logger_.configure(main_with_overlay_->logging);
  std::set<std::string> names{kMain};
  const model::SystemPtr system = document_.resolved();
  for (const auto& [name, vrf] : system->vrfs) {
    if (vrf.ike) names.insert(name);
  }
  if (options_.signer != nullptr) {
    std::vector<std::shared_ptr<const model::PrivateKey>> keys;
    for (const std::string& name : names) {
      if (const model::ConfigurationPtr ike = wanted(name)) keys.insert(keys.end(), ike->private_keys.begin(), ike->private_keys.end());
    }
    options_.signer->set_keys(keys);
  }
  // before what is to use them
  config::Diagnostics missing;
  if (!interfaces_.settle(*system, missing)) retry_later();
  if (problems != nullptr) {
    for (const config::Diagnostic& one : missing) log(Subsystem::Kernel, 1, one.leaf + ": " + one.message);
    problems->insert(problems->end(), missing.begin(), missing.end());
  }
  // gone first: what they leave may be wanted elsewhere
  for (auto& [name, place] : places_) {
    if (!names.contains(name) && !place.leaving) leave(name);
  }
  for (const std::string& name : names) {
    if (!places_.contains(name)) {
      if (const Status opened = open(name); !opened) {
        const std::string text = opened.error().message + "; its VPNs come up when it is there";
        log(Subsystem::Daemon, 1, "vrf " + name + ": " + text);
        if (problems != nullptr) problems->push_back({true, {}, 0, "vrf " + name, text});
        retry_later();
        continue;
      }
    }
    Place& place = places_.find(name)->second;
    const model::ConfigurationPtr configuration = wanted(name);
    if (place.leaving || place.applied == configuration) continue;
    place.applied = configuration;
    place.engine->apply(configuration);
  }
}

void Supervisor::leave(const std::string& vrf) {
  Place& place = places_.find(vrf)->second;
  place.leaving = true;
  place.engine->on_stopped([this, vrf] {
    const auto farewell = std::make_shared<steady_timer>(loop_, kFarewell);
    farewell->async_wait([this, vrf, farewell](const boost::system::error_code& error) {
      if (error) return;
      places_.erase(vrf);
      if (!stopping_) settle(nullptr);
    });
  });
  place.engine->shut_down();
}

void Supervisor::retry_later() {
  retry_timer_.expires_after(options_.retry_vrf);
  retry_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !stopping_) settle(nullptr);
  });
}

Engine* Supervisor::find(const std::string& vrf) const {
  const auto found = places_.find(vrf);
  return found == places_.end() || found->second.leaving ? nullptr : found->second.engine.get();
}

Engine* Supervisor::find(const Target& target) const {
  if (target.vpn.empty() && (target.ike_id != 0 || target.child_id != 0)) {
    for (const auto& [name, place] : places_) {
      if (!place.leaving && place.engine->has_sa(target.ike_id, target.child_id)) return place.engine.get();
    }
  }
  return find(target.vrf);
}

void Supervisor::shut_down() {
  if (stopping_) return;
  stopping_ = true;
  retry_timer_.cancel();
  // What is on trial was never confirmed: the next life begins without it.
  trial_.reset();
  const auto remaining = std::make_shared<std::size_t>(places_.size());
  for (auto& [name, place] : places_) {
    place.engine->on_stopped([this, remaining] {
      if (--*remaining > 0) return;
      boost::asio::post(loop_, [this] {
        for (auto& [vrf, one] : places_) one.adapters.kernel->flush();
        if (stopped_) stopped_();
      });
    });
  }
  for (auto& [name, place] : places_) place.engine->shut_down();
}

// --- state and commands -----------------------------------------------------------------------------------------------------

std::vector<std::string> Supervisor::vrfs() const {
  std::vector<std::string> out{kMain};
  const model::SystemPtr system = document_.resolved();
  for (const auto& [name, vrf] : system->vrfs) {
    if (name != kMain) out.push_back(name);
  }
  return out;
}

model::RuntimeState Supervisor::summary(const std::string& vrf) {
  Engine* engine = find(vrf);
  return engine == nullptr ? model::RuntimeState{} : engine->summary();
}

std::vector<std::uint32_t> Supervisor::ike_sas(const Target& target) {
  const Engine* engine = find(target.vrf);
  return engine == nullptr ? std::vector<std::uint32_t>() : engine->ike_sas(target);
}

std::optional<model::IkeSaState> Supervisor::ike_sa(const std::string& vrf, std::uint32_t id) {
  Engine* engine = find(vrf);
  return engine == nullptr ? std::nullopt : engine->ike_sa(id);
}

std::vector<model::SvtiState> Supervisor::interfaces(const std::string& vrf) { return interfaces_.state(vrf, *document_.resolved()); }

std::vector<model::PoolState> Supervisor::pools(const std::string& vrf, bool with_leases) {
  const Engine* engine = find(vrf);
  return engine == nullptr ? std::vector<model::PoolState>{} : engine->pools(with_leases);
}

model::ConfigurationPtr Supervisor::configuration(const std::string& vrf) const {
  const model::ConfigurationPtr found = wanted(vrf);
  return found ? found : no_ike();
}

std::vector<model::Explanation> Supervisor::explain(const std::string& vrf, const std::string& vpn) const {
  const Engine* engine = find(vrf);
  return engine == nullptr ? std::vector<model::Explanation>{} : engine->explain(vpn);
}

namespace {

Status no_such_vrf(const Target& target) {
  return config_error("no IKE runs in VRF " + target.vrf + ": it is not configured, or its network namespace is not there");
}

Status nothing_named(const Target& target) {
  const bool named = !target.vpn.empty() || !target.policy.empty() || target.ike_id != 0 || target.child_id != 0;
  if (named) return {};
  return config_error("name a VPN, a security-policy, or an SA by its unique id");
}

}  // namespace

void Supervisor::initiate(const Target& target, milliseconds timeout, LogSink progress, Done done) {
  Engine* engine = find(target);
  if (engine == nullptr) return done(no_such_vrf(target));
  engine->initiate(target, timeout, std::move(progress), std::move(done));
}

void Supervisor::terminate(const Target& target, milliseconds timeout, LogSink progress, Done done) {
  if (Status named = nothing_named(target); !named) return done(named);
  Engine* engine = find(target);
  if (engine == nullptr) return done(no_such_vrf(target));
  engine->terminate(target, timeout, std::move(progress), std::move(done));
}

void Supervisor::rekey(const Target& target, Done done) {
  if (Status named = nothing_named(target); !named) return done(named);
  Engine* engine = find(target);
  if (engine == nullptr) return done(no_such_vrf(target));
  engine->rekey(target, done);
}

Result<std::size_t> Supervisor::redirect(const Target& target, const RedirectedPeers& peers, const wire::GatewayIdentity& gateway) {
  std::size_t asked = 0;
  std::optional<Error> refused;
  for (const auto& [name, place] : places_) {
    if (place.leaving || (!target.vpn.empty() && name != target.vrf)) continue;
    const auto here = place.engine->redirect(target, peers, gateway);
    if (here) asked += *here;
    if (!here) refused = here.error();
  }
  if (asked == 0 && refused) return fail(*refused);
  return asked;
}

std::size_t Supervisor::matching(const Target& target) {
  const Engine* engine = find(target);
  return engine == nullptr ? 0 : engine->matching(target);
}

Status Supervisor::install(const Target& target) {
  Engine* engine = find(target);
  return engine == nullptr ? no_such_vrf(target) : engine->install(target);
}

Status Supervisor::uninstall(const Target& target) {
  Engine* engine = find(target);
  return engine == nullptr ? no_such_vrf(target) : engine->uninstall(target);
}

std::vector<std::string> Supervisor::trapped_policies(const std::string& vrf, const std::string& vpn) {
  const Engine* engine = find(vrf);
  return engine == nullptr ? std::vector<std::string>() : engine->trapped_policies(vpn);
}

Status Supervisor::reset_counters(const std::string& vrf, const std::string& vpn, bool all) {
  Engine* engine = find(vrf);
  return engine == nullptr ? no_such_vrf({vrf, {}, {}}) : engine->reset_counters(vpn, all);
}

void Supervisor::make_key(auth::NewKeyWish wish, auth::KeyMaker::Done done) {
  if (options_.key_maker == nullptr) return done(system_error("this daemon has no signer"));
  options_.key_maker->make(std::move(wish), std::move(done));
}

void Supervisor::flush_revocation(bool lists, bool responses) {
  if (revocation_) revocation_->flush(lists, responses);
  if (lookup_) lookup_->flush();
}

std::function<void()> Supervisor::subscribe_log(LogLevel level, LogSink sink) { return logger_.subscribe(level, std::move(sink)); }

std::function<void()> Supervisor::subscribe_events(EventSink sink) {
  if (listeners_.empty()) {
    publish_ = [this](const Event& event) { publish(event); };
    for (const auto& [name, place] : places_) place.engine->watch();
  }
  const std::uint64_t id = next_listener_++;
  listeners_.emplace(id, std::move(sink));
  return [this, id] {
    listeners_.erase(id);
    // Not from within: the function is being called when a listener leaves at an event.
    boost::asio::post(loop_, [this] {
      if (listeners_.empty()) publish_ = nullptr;
    });
  };
}

void Supervisor::publish(const Event& event) {
  // a listener may go, or come, while it is being told
  std::vector<std::uint64_t> ids;
  for (const auto& [id, sink] : listeners_) ids.push_back(id);
  for (const std::uint64_t id : ids) {
    const auto found = listeners_.find(id);
    if (found == listeners_.end()) continue;
    const EventSink sink = found->second;
    sink(event);
  }
}

}  // namespace svti::engine
