// SPDX-License-Identifier: Apache-2.0
// What the daemon does on command: the face of the engine towards `control`. Called and calling back in the event loop's thread.
//
// The configuration is one document of several VRFs; each VRF has state, SAs and VPNs of its own. Unique ids are unique over all VRFs.
// Where one name must do, a VPN outside VRF main is "VRF/NAME" (model::qualified_name).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/signer.h"
#include "base/log.h"
#include "base/result.h"
#include "config/document.h"
#include "model/explanation.h"
#include "model/overlay.h"
#include "model/state.h"

namespace svti::engine {

// What a command is about. An empty name or an id of 0 stands for any.
struct Target {
  std::string vrf{model::kMainVrf};
  std::string vpn{};
  std::string policy{};
  std::uint32_t ike_id = 0;
  std::uint32_t child_id = 0;
  // initiate() alone: addresses for a VPN that leaves them open; nothing: as configured
  std::optional<IpAddress> local{}, remote{};
  bool reauthenticate = false;  // rekey() of an IKE SA: begun anew instead
};

// Whom redirect() is about besides; what is left out stands for any.
struct RedirectedPeers {
  std::optional<model::AddressRange> addresses;
  std::optional<model::Identity> id;  // may be a pattern
};

struct LoadOptions {
  bool dry_run = false;  // check and compare only
  // Rolls back to the configuration before, unless confirm() comes within this time.
  std::optional<seconds> confirm_within;
};

// what a load found and did, or with dry_run would do
struct LoadOutcome {
  std::vector<config::Diagnostic> diagnostics;                  // errors and warnings, in the order of the text
  bool applied = false;                                         // false with any error, and with dry_run: nothing was changed
  std::vector<std::string> added, changed, removed, unchanged;  // VPNs, by qualified name
  std::vector<config::Change> changes;
  std::vector<std::string> restart_leaves;  // changed, and without effect before the daemon starts again
};

enum class ConfigFormat { Text, Json };
struct ShowConfigOptions {
  bool defaults = true;   // false: `nodefault`
  bool secrets = false;   // false: secrets print as a placeholder
  bool resolved = false;  // templates folded into what refers to them
  ConfigFormat format = ConfigFormat::Text;
  std::string path;  // "vpn hq", "/ vrf main ike vpn hq"; empty: everything
};

// What happened to an SA, as a value that may be kept.
struct Event {
  enum class Kind : std::uint8_t { IkeUp, IkeDown, IkeRekeyed, IkeUpdated, ChildUp, ChildDown, ChildRekeyed, ChildGone, Alert };
  Kind kind{};  // ChildGone: one that was replaced before
  std::string vrf;
  std::string vpn, policy;  // policy: of the Child kinds
  std::uint32_t ike_id = 0, child_id = 0;
  // IkeRekeyed, ChildRekeyed: the unique id of what was replaced
  std::uint32_t former_id = 0;
  std::string reason;  // of IkeDown, ChildDown and Alert: a sentence without a final stop
  // The IKE SA right after the event, or right before it went; null where an alert is about none. Shared, and never changed.
  std::shared_ptr<const model::IkeSaState> ike;
  // The rekeyed kinds: the IKE SA as it was before; null when it came up before anybody listened.
  std::shared_ptr<const model::IkeSaState> former;
  std::string alert;  // Alert: which one, in the control protocol's words; empty: it has none
};
using EventSink = std::function<void(const Event&)>;

class Service {
 public:
  using Done = std::function<void(Status)>;

  virtual ~Service() = default;

  // --- configuration: all of it is replaced, or nothing. What a change leaves alone keeps its SAs.
  virtual LoadOutcome load(std::string_view text, std::string_view file_name, const LoadOptions& options) = 0;
  virtual LoadOutcome edit(const std::vector<config::Edit>& edits, const LoadOptions& options) = 0;
  virtual Status confirm() = 0;    // error: nothing waits for it
  virtual Status roll_back() = 0;  // at once, instead of when the time is up; error: nothing waits to be confirmed
  // error: there is no such path
  virtual Result<std::string> show_config(const ShowConfigOptions& options) const = 0;
  // The `ike` of a VRF, or (`vpn` not empty) one VPN of it, as pieces made one by one: config::Document::ike_pieces(). Of what stands in
  // options.path nothing is looked at.
  using Pieces = std::function<std::optional<std::string>()>;
  virtual Pieces config_pieces(const std::string& vrf, const std::string& vpn, const ShowConfigOptions& options) const = 0;
  // What clients loaded besides the text, of VRF main; goes with the daemon. Replaces what was given before. Error: a VPN of that name is
  // in the text, and nothing was changed.
  virtual Status set_overlay(model::Overlay overlay) = 0;

  // --- state
  virtual std::vector<std::string> vrfs() const = 0;  // that are configured; main comes first
  // Totals, tasks and counters, without SAs; empty when there is no such VRF, or it has no IKE.
  virtual model::RuntimeState summary(const std::string& vrf) = 0;
  // The unique ids of all IKE SAs that the target is about, in their order, those on their way out too. With `policy` or `child_id` those
  // with such a CHILD SA. Each is asked for by itself, so that the SAs of a large gateway never stand in memory twice.
  virtual std::vector<std::uint32_t> ike_sas(const Target& target) = 0;
  // of one IKE SA, with the kernel's counts; nothing: it is gone
  virtual std::optional<model::IkeSaState> ike_sa(const std::string& vrf, std::uint32_t id) = 0;
  // the interfaces that the configuration of that VRF names, as the kernel has them
  virtual std::vector<model::SvtiState> interfaces(const std::string&) { return {}; }
  // of virtual addresses, by name; empty when there is no such VRF, or it has no IKE
  virtual std::vector<model::PoolState> pools(const std::string&, bool) { return {}; }
  // text and overlay together; never null
  virtual model::ConfigurationPtr configuration(const std::string& vrf) const = 0;
  // Why the last negotiations of a VPN ended as they did, newest first: the last of its IKE SA, the last of each security-policy, and the
  // last request refused to somebody who was not authenticated. `vpn` empty: those refused for whom no VPN was found, a bounded number.
  virtual std::vector<model::Explanation> explain(const std::string& vrf, const std::string& vpn) const = 0;

  // --- SAs
  // Sets a CHILD SA up (all policies of the VPN when `policy` is empty). `progress` gets the log lines about this VPN until `done` is
  // called, once. A positive timeout ends the wait (not the attempt) with an error.
  virtual void initiate(const Target& target, milliseconds timeout, LogSink progress, Done done) = 0;
  // Deletes IKE SAs, or only CHILD SAs when `policy` or `child_id` is given. Error at once when there is nothing to delete.
  virtual void terminate(const Target& target, milliseconds timeout, LogSink progress, Done done) = 0;
  // Rekeys IKE SAs, or CHILD SAs when `policy` or `child_id` is given.
  virtual void rekey(const Target& target, Done done) = 0;
  // Sends clients with an established IKE SA to another gateway (RFC 5685): those of `vpn` and `ike_id`, and of `peers`; at least one of
  // these says something. In all VRFs when `vpn` is empty. How many were asked; an error: there are some, and none of them can be.
  virtual Result<std::size_t> redirect(const Target& target, const RedirectedPeers& peers, const wire::GatewayIdentity& gateway) = 0;
  // how many IKE SAs, or CHILD SAs when `policy` or `child_id` is given, terminate() would be about
  virtual std::size_t matching(const Target& target) = 0;

  // --- traps: policies whose first packet brings a CHILD SA up, as start-action trap sets them
  // Sets, or releases, those of a VPN or of one of its policies, until its configuration changes.
  virtual Status install(const Target& target) = 0;
  virtual Status uninstall(const Target& target) = 0;
  virtual std::vector<std::string> trapped_policies(const std::string& vrf, const std::string& vpn) = 0;

  // Sets the counters of one VPN to zero, or with an empty name the global ones of that VRF. `all`: those of all its VPNs too.
  virtual Status reset_counters(const std::string& vrf, const std::string& vpn, bool all) = 0;
  // Where a private key is, and whether it can sign.
  virtual auth::KeyState key_state(const Bytes& /*key_id*/) const { return {"signer", {}}; }
  // Looks for a key on a PKCS#11 token; `done` comes once, when it has signed on trial, or with the reason why it has not.
  virtual void find_on_token(std::shared_ptr<const model::TokenKey> /*key*/, auth::Signer::Found done) {
    done(config_error("keys on tokens are not supported here"));
  }
  // Forgets what servers said about certificates: revocation lists, OCSP responses; and peers' certificates that were looked up, always.
  virtual void flush_revocation(bool lists, bool responses) = 0;
  // Makes a private key that the signer alone can open, and a request for its certificate; keeps neither.
  virtual void make_key(auth::NewKeyWish wish, auth::KeyMaker::Done done) = 0;

  // --- what happens; to `sink` until the returned function is called
  virtual std::function<void()> subscribe_log(LogLevel level, LogSink sink) = 0;
  virtual std::function<void()> subscribe_events(EventSink sink) = 0;

  virtual void shut_down() = 0;
};

}  // namespace svti::engine
