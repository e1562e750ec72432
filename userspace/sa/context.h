// SPDX-License-Identifier: Apache-2.0
// What all IKE SAs of one Core share: configuration, randomness, tables of numbers in use, and the notes they leave for the Core.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "auth/ppk.h"
#include "auth/psk.h"
#include "base/entropy.h"
#include "model/state.h"
#include "sa/address_pool.h"
#include "sa/crash_detection.h"
#include "sa/effects.h"
#include "sa/keys.h"
#include "sa/rate_limit.h"
#include "sa/request_window.h"
#include "sa/resumption.h"
#include "sa/virtual_address.h"
#include "sa/vpn_index.h"

namespace svti::sa {

class IkeSa;

// Numbers that tie policies to SAs in the kernel. The same policies between the same addresses have the same reqid for as long as anybody
// uses it: a trap and the CHILD SA that answers it, a CHILD SA and the one it is rekeyed to.
class ReqidTable {
 public:
  // The reqid of policies already in the kernel, left by the daemon's last life: acquire() takes it up, so that its SAs go on serving.
  void seed(const model::PolicyId& outbound, std::uint32_t reqid) { seeds_[outbound] = reqid; }
  // `policies` as policies_for() makes them, whatever their reqid
  std::uint32_t acquire(const std::vector<model::SetPolicy>& policies);
  // another user of one that is in use
  std::uint32_t share(std::uint32_t reqid);
  void release(std::uint32_t reqid);
  // The policies of this reqid go on between other addresses: who acquires them so gets the same reqid.
  void moved(std::uint32_t reqid, const std::vector<model::SetPolicy>& policies);

 private:
  struct Key {
    std::vector<model::PolicyId> outbound;
    IpAddress local, remote;
    auto operator<=>(const Key&) const = default;
  };
  struct Use {
    std::vector<Key> keys;  // more than one: it has moved
    std::uint32_t count = 0;
  };
  static Key key_of(const std::vector<model::SetPolicy>& policies);
  std::uint32_t unused(const Key& key);

  std::map<Key, std::uint32_t> reqids_;
  std::unordered_map<std::uint32_t, Use> uses_;
  std::map<model::PolicyId, std::uint32_t> seeds_;
  std::uint32_t next_ = model::kReqidFirst;
};

// where a kernel SA belongs
struct SaOwner {
  std::uint32_t ike = 0;
  std::uint32_t child = 0;
};

// Addresses given by command to a VPN that leaves them open; nothing: as configured.
struct Between {
  std::optional<IpAddress> local, remote;
};

// what the Core has to do about a VPN after the IKE SA at hand is done with the message
struct FollowUp {
  enum class Kind : std::uint8_t { Start, Trap, InitialContact, Unique, Retry, Reauthenticate, Redirect, Resumed };
  Kind kind{};
  std::string vpn;
  std::string policy;         // Start, Trap
  std::uint32_t ike = 0;      // InitialContact: the IKE SA that stays; Unique: one that came up, or has a new CHILD SA; Retry: the one it
                              // is to replace; Reauthenticate: the old one; Redirect: the one to replace, 0: none
  std::uint32_t attempt = 0;  // Retry: how many attempts were made
  std::vector<std::string> policies;  // Retry, Reauthenticate, Redirect
  Between between = {};               // Start, Retry, Reauthenticate, Redirect: as it was begun before
  IpAddress gateway = {}, from = {};  // Redirect: where to, and who said so
  wire::IkeSpi spi = 0;               // Resumed: ours, of the IKE SA whose place was taken; `ike` is the one that took it
};

// The next unique ids. Several Cores may draw from the same.
struct UniqueIds {
  std::uint32_t next_ike = 1;
  std::uint32_t next_child = 1;
};

// What came back about datagrams sent to somewhere. Anybody can forge it: it is told, and never acted upon (RFC 7296 2.4).
class ReturnNotes {
 public:
  void add(const Endpoint& to, std::string text, TimePoint now);
  std::string about(const Endpoint& to, TimePoint since) const;  // empty: nothing since then

 private:
  struct Note {
    std::string text;
    TimePoint at;
  };
  std::map<Endpoint, Note> notes_;  // a bounded number
};

// Redirections of each VPN, for more of them in a time are a loop (RFC 5685 5).
class RedirectCounts {
 public:
  static constexpr std::uint32_t kMost = 5;          // MAX_REDIRECTS
  static constexpr Duration kPeriod = seconds(300);  // REDIRECT_LOOP_DETECT_PERIOD

  bool allows(const std::string& vpn, TimePoint now);
  void forget(const std::string& vpn) { counts_.erase(vpn); }

 private:
  std::map<std::string, RateLimit> counts_;
};

struct Context {
  using SourceAddress = std::function<std::optional<IpAddress>(const IpAddress& destination)>;

  Context(Entropy& source, SourceAddress lookup);
  ~Context();  // here IkeSa is incomplete
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Entropy& entropy;
  SourceAddress source_address;  // the address that would be sent from to reach a destination
  std::function<std::vector<IpAddress>()> local_addresses = [] { return std::vector<IpAddress>{}; };
  std::vector<IpAddress> addresses();  // of ours: as local_addresses() says, asked once while there is `one_look`
  struct Look {
    std::optional<std::vector<IpAddress>> seen;
  };
  std::optional<Look> one_look;
  KeySink key_sink;
  model::ConfigurationPtr config = std::make_shared<model::Configuration>();
  VpnIndex index;
  auth::PskStore psks;
  auth::PskStore eap_keys;  // the peer of both roles is the user, by its EAP identity
  auth::PpkStore ppks;

  AddressPools pools;                 // virtual addresses of clients
  OwnVirtualAddresses own_addresses;  // and our own

  model::Counters counters;
  std::map<std::string, model::Counters, std::less<>> vpn_counters;
  ReqidTable reqids;
  std::map<model::SaId, SaOwner> sa_owners;
  std::unordered_set<wire::IkeSpi> ike_spis;
  std::unordered_set<std::uint32_t> child_spis;  // inbound
  UniqueIds own_ids;
  UniqueIds* ids = &own_ids;

  ReturnNotes returned;
  // explanations for peers that nothing is known of: each walks the whole configuration
  RateLimit explained_strangers{8, seconds(1)};
  CrashTokens crash_tokens;
  RedirectCounts redirects;
  TicketMint tickets;
  std::map<std::string, KeptTicket> kept_tickets;  // of gateways that are not there any more, by VPN
  UnknownSpiAnswers unknown_spi_answers;

  // notes for the Core
  std::vector<std::unique_ptr<IkeSa>> newborn;  // IKE SAs made by rekeying
  std::vector<FollowUp> follow_ups;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> handed_over;  // an IKE SA, and the one that has its CHILD SAs since it was rekeyed
  std::vector<std::uint32_t> rescheduled;                            // IKE SAs other than the one at hand whose deadline may have changed
  // SAs that outlive their CHILD SA: inbound ones for packets under way, outbound ones for those that the kernel is just encrypting
  struct Lingering {
    model::SaId id;
    bool inbound = false;
  };
  std::multimap<TimePoint, Lingering> lingering;  // by when they go
  std::function<IkeSa*(std::uint32_t)> find_ike;  // by unique id; null when gone
  // the established IKE SAs between these identities
  std::function<std::vector<IkeSa*>(const model::Identity& local, const model::Identity& remote)> between;
  // an IKE SA between these identities is there that was established at `since` or before
  std::function<bool(const model::Identity& local, const model::Identity& remote, TimePoint since)> established_between;

  RetransmitPolicy retransmission() const { return RetransmitPolicy::of(config->global); }
  wire::IkeSpi new_ike_spi();
  // RFC 4303 2.1 reserves 0 to 255
  std::uint32_t new_child_spi();
  void count(model::Counter counter, const model::Vpn* vpn);
  // a random part of at most a tenth, so that the ends do not rekey at the same moment
  // `time`, less a random part of up to `spread`; none: a tenth
  Duration jittered(seconds time, std::optional<seconds> spread = {});
  // the same for octets and packets
  std::uint64_t jittered(std::uint64_t amount, std::optional<std::uint64_t> spread);
};

}  // namespace svti::sa
