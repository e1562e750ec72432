// SPDX-License-Identifier: Apache-2.0
// The protocol core: all IKE SAs of one worker. Sans-IO: datagrams, deadlines, kernel events and commands go in together with
// `now`, effects come out. It opens no socket, reads no clock, knows no thread, and draws randomness from `Entropy` alone.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "sa/context.h"
#include "sa/cookie.h"
#include "sa/effects.h"
#include "sa/ike_sa.h"

namespace svti::sa {

class Core {
 public:
  // both must outlive the Core
  Core(Entropy& entropy, Context::SourceAddress source_address);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // The reqid of an outbound policy that the last life of the daemon left in the kernel; before the first apply().
  void seed_reqid(const model::PolicyId& outbound, std::uint32_t reqid) { ctx_.reqids.seed(outbound, reqid); }

  // A peer may still use this virtual address, since the last life of the daemon; before the first apply().
  void reserve_address(const IpAddress& address) { reserved_.push_back(address); }

  // What QCD_TOKENs are made with, of this Core alone and the same in every life of the daemon; without it none are made. Before the first
  // IKE SA.
  void set_crash_secret(Secret secret) { ctx_.crash_tokens.set_secret(std::move(secret)); }

  // What tickets are made with (RFC 5723), of this Core alone and the same in every life of the daemon; without it none are given. `wall`:
  // seconds since 1970, now. Before the first IKE SA.
  void set_ticket_secret(Secret secret, std::function<seconds()> wall) { ctx_.tickets.set_secret(std::move(secret), std::move(wall)); }

  // Unique ids come from `ids`, which must outlive the Core; before the first IKE SA.
  void share_ids(UniqueIds& ids) { ctx_.ids = &ids; }

  // Takes a configuration in place of the one before. IKE SAs of VPNs that are gone or changed are deleted; the others are left
  // alone. Traps are set and connections begun as start-action says.
  void apply(model::ConfigurationPtr configuration, TimePoint now, Effects& out);

  void receive(const model::Datagram& datagram, TimePoint now, Effects& out);
  // when on_deadline() must be called; nothing to wait for: nothing
  std::optional<TimePoint> next_deadline() const;
  void on_deadline(TimePoint now, Effects& out);

  // What ICMP, or our own routing, said about datagrams to `to`: only ever told to a human.
  void returned(const Endpoint& to, std::string text, TimePoint now) { ctx_.returned.add(to, std::move(text), now); }

  // from the kernel
  void acquire(std::uint32_t reqid, TimePoint now, Effects& out);
  void expire(const model::SaId& id, bool hard, TimePoint now, Effects& out);
  // ESP of this inbound SA now comes from elsewhere
  void mapping_moved(const model::SaId& id, const Endpoint& from, TimePoint now, Effects& out);
  // an address of ours, or a route, came or went
  void paths_changed(TimePoint now, Effects& out);
  // Asked for our addresses when the way to a peer may have changed; without it there are none to move to. Before the first apply().
  void set_local_addresses(std::function<std::vector<IpAddress>()> lookup) { ctx_.local_addresses = std::move(lookup); }
  // Told of the keys of each IKE SA; before the first IKE SA.
  void set_key_sink(KeySink sink) { ctx_.key_sink = std::move(sink); }
  void install_failed(std::uint32_t child, const std::string& reason, TimePoint now, Effects& out);

  // the answers to the effects Sign, VerifyCertificate, Staple and LookUpCertificates
  void on_signature(const Ticket& ticket, Result<crypto::Signature> signature, TimePoint now, Effects& out);
  void on_verified(const Ticket& ticket, crypto::Verification chain, TimePoint now, Effects& out);
  void on_stapled(const Ticket& ticket, Bytes response, TimePoint now, Effects& out);
  void on_looked_up(const Ticket& ticket, Result<std::vector<Bytes>> certificates, TimePoint now, Effects& out);
  // An IKE SA that RADIUS has accepted ends by then, unless sooner for other reasons. False: there is none.
  bool limit_session(std::uint32_t ike, seconds from_now, TimePoint now, Effects& out);
  void on_radius_answer(const Ticket& ticket, radius::EapAnswer answer, TimePoint now, Effects& out);
  // the answer to whatever else EAP asked for and goes on with
  void on_eap_step(const Ticket& ticket, eap::Step step, TimePoint now, Effects& out);

  // All kernel SAs there are, after events were lost: a CHILD SA of which one is missing is closed.
  void resync(const std::set<model::SaId>& present, TimePoint now, Effects& out);

  using Between = sa::Between;
  // Commands; errors of Fault::Configuration. `policy` empty: all of the VPN. The outcome comes as Notices.
  Status initiate(const std::string& vpn, const std::string& policy, TimePoint now, Effects& out) {
    return initiate(vpn, policy, {}, now, out);
  }
  // An IKE SA between other addresses is another one: a VPN without remote-address may be initiated to many peers.
  Status initiate(const std::string& vpn, const std::string& policy, const Between& between, TimePoint now, Effects& out);
  // the IKE SA of the VPN between these addresses that initiate() uses, or began; 0: there is none
  std::uint32_t usable(const std::string& vpn, const Between& between) const;
  // Which SAs a command is about: empty names and ids of 0 stand for any, but one of them must say something.
  struct Selection {
    std::string vpn, policy;
    std::uint32_t ike = 0, child = 0;
    bool reauthenticate = false;  // with rekey(): the IKE SA anew from the beginning (RFC 7296 2.8.3)
    bool of_children() const { return !policy.empty() || child != 0; }
  };
  Status terminate(const Selection& which, TimePoint now, Effects& out);
  Status rekey(const Selection& which, TimePoint now, Effects& out);
  // Which clients redirect() is about; what is left out stands for any.
  struct Peers {
    std::string vpn = {};
    std::uint32_t ike = 0;
    std::optional<model::AddressRange> addresses = {};
    std::optional<model::Identity> id = {};  // may be a pattern
  };
  // Asks clients with an established IKE SA to go to another gateway (RFC 5685 5). How many were asked; an error: there are some, and none
  // of them can be.
  Result<std::size_t> redirect(const Peers& peers, const wire::GatewayIdentity& gateway, TimePoint now, Effects& out);
  Status terminate(const std::string& vpn, const std::string& policy, TimePoint now, Effects& out) {
    return terminate(Selection{vpn, policy}, now, out);
  }
  Status rekey(const std::string& vpn, const std::string& policy, TimePoint now, Effects& out) {
    return rekey(Selection{vpn, policy}, now, out);
  }
  // Sets, or releases, the traps of a VPN or of one of its policies, whatever its start-action. Errors where there is none to set or
  // release.
  Status install(const std::string& vpn, const std::string& policy, Effects& out);
  Status uninstall(const std::string& vpn, const std::string& policy, Effects& out);
  // How many IKE SAs that are not on their way out, or CHILD SAs when `policy` or `child` is given. An empty name or 0 is any.
  std::size_t matching(const std::string& vpn, const std::string& policy, std::uint32_t ike, std::uint32_t child) const;
  // the policies of a VPN that have a trap
  std::vector<std::string> trapped_policies(const std::string& vpn) const;
  // Back to zero: those of one VPN, or with an empty name the global ones. `all`: every VPN's too.
  Status reset_counters(const std::string& vpn, bool all);
  // Deletes all IKE SAs, telling the peers; traps are released. Nothing new begins until the next apply().
  void close(TimePoint now, Effects& out);

  // whether anything established or under way uses this reqid (a trap alone does not count)
  bool carries(std::uint32_t reqid) const;
  // a kernel SA that no CHILD SA has any more, and that goes soon
  bool lingers(const model::SaId& id) const;
  // the VPN and policy whose trap has this reqid
  struct TrapOwner {
    std::string vpn, policy;
  };
  std::optional<TrapOwner> trap_owner(std::uint32_t reqid) const;

  // totals and counters, without SAs
  model::RuntimeState summary() const;
  // the same with them; children's byte and packet counts are the kernel's and left 0
  model::RuntimeState state(TimePoint now) const;
  // unique ids of those that the selection is about, or with an empty one of all, also of those on their way out
  std::vector<std::uint32_t> listed(const Selection& which) const;
  // of virtual addresses, by name
  std::vector<model::PoolState> pools(bool with_leases) const { return ctx_.pools.state(with_leases); }
  // of one IKE SA, by its unique id; nothing: it is gone
  std::optional<model::IkeSaState> sa_state(std::uint32_t ike, TimePoint now) const;
  // deadlines that are still to come
  std::size_t scheduled() const { return deadlines_.size() + ctx_.lingering.size() + (cookies_until_ ? 1 : 0); }
  const model::ConfigurationPtr& configuration() const { return ctx_.config; }
  // an IKE SA of this VPN stands
  bool established(const std::string& vpn) const;
  std::size_t ike_sas() const;  // without those that are over and only answer retransmissions

 private:
  struct Trap {
    std::uint64_t owner = 0;
    std::uint32_t reqid = 0;
    std::string vpn, policy;
    bool provisional = false;  // no local address was known
  };
  using TrapKey = std::pair<std::string, std::string>;

  template <typename F>
  void touch(std::uint32_t id, TimePoint now, Effects& out, F&& action);
  void settle(TimePoint now, Effects& out);
  void adopt(std::unique_ptr<IkeSa> sa);
  void reschedule(const IkeSa& sa);
  void forget(std::uint32_t id);
  void no_longer_half_open(std::uint32_t id);
  IkeSa* find(std::uint32_t id) const;
  void keep_unique(std::uint32_t id, TimePoint now, Effects& out);
  void give_way_to(std::uint32_t id, TimePoint now, Effects& out);
  std::vector<std::uint32_t> selected(const Selection& which) const;
  static std::vector<std::uint32_t> selected_children(const IkeSa& sa, const Selection& which);
  void follow_up(const FollowUp& note, TimePoint now, Effects& out);

  void on_init_request(const wire::Message& message, const model::Datagram& datagram, TimePoint now, Effects& out);
  void on_resume_request(const wire::Message& message, const model::Datagram& datagram, bool proven, TimePoint now, Effects& out);
  // `effects` are what it answers with; `proven`: the sender has shown that it is where it says
  void take_in_half_open(std::unique_ptr<IkeSa> born, Effects effects, const wire::Message& message, const model::Datagram& datagram,
                         bool proven, TimePoint now, Effects& out);
  void ask_for_cookie(const wire::Message& message, const model::Datagram& datagram, TimePoint now, Effects& out);
  void on_unknown_ike_spi(const wire::Message& message, const model::Datagram& datagram, TimePoint now, Effects& out);
  // false: it would be larger than the request, and is not sent
  static bool answer_unprotected(const model::Datagram& request, const wire::Header& header, const std::vector<wire::Payload>& payloads,
                                 Effects& out);
  void answer_init(const model::Datagram& request, const wire::Header& header, wire::NotifyType type, Bytes data, Effects& out);
  model::Explanation refusal(const model::Datagram& datagram, model::Cause cause, std::string reason, TimePoint now) const;
  bool cookie_needed(TimePoint now);
  std::size_t half_open() const { return half_open_.size(); }
  void log(Effects& out, Subsystem subsystem, LogLevel level, std::string text) const;

  struct Beginning {
    std::uint32_t replaces = 0;                // the IKE SA that goes when the new one stands
    std::optional<IpAddress> redirected_from;  // by this gateway, to one that is not remote-address
  };
  Status connect(const VpnPtr& vpn, std::vector<std::string> policies, const Between& between, std::uint32_t attempt, TimePoint now,
                 Effects& out, const Beginning& beginning);
  void follow_redirect(const VpnPtr& vpn, const FollowUp& note, TimePoint now, Effects& out);
  bool redirect_init(const wire::Message& request, const model::Datagram& datagram, ByteView nonce, Effects& out);
  void reauthenticate(const VpnPtr& vpn, const FollowUp& note, TimePoint now, Effects& out);
  void release_stopgaps(std::uint32_t id, Effects& out);
  void finish_reauthentication(std::uint32_t id, TimePoint now, Effects& out);
  void set_trap(const VpnPtr& vpn, const model::SecurityPolicy& policy, Effects& out);
  void set_shunt(const VpnPtr& vpn, const model::SecurityPolicy& policy, Effects& out);
  void settle_traps(Effects& out);
  void release_trap(const TrapKey& key, Effects& out);
  void start_vpn(const VpnPtr& vpn, TimePoint now, Effects& out);
  void stop_vpn(const std::string& vpn, const std::string& reason, TimePoint now, Effects& out);

  Context ctx_;
  CookieJar cookies_;
  std::optional<TimePoint> cookies_until_;
  bool closed_ = false;
  std::vector<IpAddress> reserved_;

  std::map<std::uint32_t, std::unique_ptr<IkeSa>> sas_;     // by unique id
  std::set<std::uint32_t> replacing_;                       // IKE SAs that were begun to take the place of another
  std::unordered_map<wire::IkeSpi, std::uint32_t> by_spi_;  // our SPI
  // all that have a VPN, by its name
  std::multimap<std::string, std::uint32_t, std::less<>> by_vpn_;
  using Identities = std::pair<model::Identity, model::Identity>;  // ours, theirs
  std::multimap<Identities, std::uint32_t> by_identities_;         // once established
  using Origin = std::pair<Endpoint, wire::IkeSpi>;                // where the first message came from, SPIi
  std::map<Origin, std::uint32_t> half_open_;                      // as responder
  std::unordered_map<std::uint32_t, Origin> origin_of_half_open_;
  std::map<IpAddress, std::uint32_t> half_open_of_;
  std::set<std::pair<TimePoint, std::uint32_t>> deadlines_;
  std::unordered_map<std::uint32_t, TimePoint> deadline_of_;
  std::map<TrapKey, Trap> traps_;
  std::set<TrapKey> stopgaps_;  // of these: until the new IKE SA of a reauthentication has the CHILD SA
  std::unordered_map<std::uint32_t, TrapKey> trap_of_reqid_;
  std::uint64_t next_trap_ = std::uint64_t{1} << 32;
};

}  // namespace svti::sa
