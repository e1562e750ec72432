// SPDX-License-Identifier: Apache-2.0
// What is configured, resolved: templates folded into each VPN, defaults filled in. Immutable once made; swapped whole.
// Leaves, ranges and defaults are the guide's (docs/yang). Durations are whole seconds, 0 means "off".
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/time.h"
#include "model/credentials.h"
#include "model/identity.h"
#include "model/pool.h"
#include "model/radius.h"
#include "wire/payload.h"
#include "wire/redirect.h"

namespace svti::model {

enum class StartAction : std::uint8_t { None, Trap, Start };  // start-action and close-action
enum class DpdAction : std::uint8_t { Clear, Trap, Restart };
enum class PolicyAction : std::uint8_t { Esp, Ah, Pass, Drop };
enum class Mode : std::uint8_t { Tunnel, Transport };
// Who encrypts and decrypts ESP: the kernel; the device where it will, else the kernel; the device or nobody. Packet is
// refused by resolving (ADR 0021).
enum class HwOffload : std::uint8_t { No, Auto, Crypto, Packet };
enum class UniqueSa : std::uint8_t { No, Never, Keep, Replace };
// IKE SAs without a CHILD SA of their IKE_AUTH (RFC 6023): accepted, begun where the peer can, nothing else, not accepted
enum class Childless : std::uint8_t { Allow, Prefer, Force, Never };
inline constexpr std::array<std::string_view, 4> kChildlessNames = {"allow", "prefer", "force", "never"};
constexpr std::string_view name_of(Childless childless) { return kChildlessNames.at(static_cast<std::size_t>(childless)); }

constexpr bool is_negotiated(PolicyAction action) { return action == PolicyAction::Esp || action == PolicyAction::Ah; }

// One side of a security-policy. Without a prefix the selector is dynamic: the outer address, or the virtual IP.
struct SelectorConfig {
  std::optional<Prefix> subnet;
  std::uint8_t protocol = 0;  // 0 any
  std::uint16_t start_port = 0;
  std::uint16_t end_port = 65535;

  bool operator==(const SelectorConfig&) const = default;
};

// The id under which a proposal stands in the configuration, to name it. Another id is not another proposal: all compare equal.
struct ProposalLabel {
  std::uint16_t id = 0;
  friend bool operator==(ProposalLabel, ProposalLabel) { return true; }
};

struct IkePolicy {
  std::vector<wire::Proposal> proposals;  // number 1.., protocol IKE, in order of preference
  std::vector<ProposalLabel> labels;      // of `proposals`; may be shorter
  std::uint32_t keying_tries = 1;         // 0: for ever
  UniqueSa unique_sa = UniqueSa::No;
  seconds reauth_time{0};
  seconds rekey_time{14400};
  std::optional<seconds> over_time;  // from when a rekey was due to the end of the SA; none: a tenth of rekey_time
  std::optional<seconds> rand_time;  // a rekey comes up to this much earlier; none: a tenth of rekey_time
  seconds dpd_delay{0};
  bool udp_encap = false;
  bool mobike = false;
  Childless childless = Childless::Allow;
  std::optional<Identity> ppk_id;  // none: as initiator no PPK, as responder whichever the peer names
  bool ppk_required = false;
  bool aggressive = false;
  bool redirect = true;                              // as a client: go where the gateway sends us (RFC 5685)
  bool session_resumption = false;                   // RFC 5723, in both roles
  std::optional<wire::GatewayIdentity> redirect_to;  // as a gateway: where clients are sent

  bool operator==(const IkePolicy&) const = default;
};

struct IpsecPolicy {
  std::vector<wire::Proposal> esp_proposals;  // protocol ESP; a KeyExchange transform asks for PFS; ESN transforms always present
  std::vector<ProposalLabel> esp_labels;      // of `esp_proposals`; may be shorter
  std::vector<wire::Proposal> ah_proposals;   // protocol AH, otherwise the same
  std::vector<ProposalLabel> ah_labels;
  StartAction start_action = StartAction::Trap;
  StartAction close_action = StartAction::Trap;
  DpdAction dpd_action = DpdAction::Restart;
  std::uint32_t replay_window = 32;  // packets
  seconds rekey_time{3600};
  std::uint64_t rekey_bytes = 0;
  std::uint64_t rekey_packets = 0;
  // the end of the SA where no rekey came; none: a tenth behind the rekey's
  std::optional<seconds> life_time;
  std::optional<std::uint64_t> life_bytes;
  std::optional<std::uint64_t> life_packets;
  // a rekey comes up to this much earlier; none: a tenth
  std::optional<seconds> rand_time;
  std::optional<std::uint64_t> rand_bytes;
  std::optional<std::uint64_t> rand_packets;
  bool encap_copy_dscp = true;
  bool decap_copy_dscp = false;
  bool encap_copy_df = true;
  HwOffload hw_offload = HwOffload::No;

  bool operator==(const IpsecPolicy&) const = default;
};

struct SecurityPolicy {
  std::string name;
  std::vector<SelectorConfig> local_ts;   // at least one
  std::vector<SelectorConfig> remote_ts;  // at least one
  PolicyAction action = PolicyAction::Esp;
  Mode mode = Mode::Tunnel;
  std::uint32_t priority = 0;    // 0: computed from the selectors' width
  std::uint32_t svti_id_in = 0;  // 0: none
  std::uint32_t svti_id_out = 0;
  std::shared_ptr<const IpsecPolicy> ipsec;  // where it differs from the VPN's; null: the VPN's

  bool negotiated() const { return is_negotiated(action); }  // not: it passes or drops, and no peer hears of it
  bool operator==(const SecurityPolicy& other) const;
};

struct Vpn {
  std::string name;
  std::string description;
  std::uint8_t version = 2;
  std::optional<IpAddress> local_address;   // none: any
  std::optional<IpAddress> remote_address;  // none: any, such a VPN only responds
  std::optional<Identity> local_id;         // none: the local address, or the subject of the certificate
  std::optional<Identity> remote_id;        // none: any
  Authentication authentication;
  IkePolicy ike;
  IpsecPolicy ipsec;
  std::vector<std::string> vip_pools;    // responder: pools that clients get virtual addresses from, in order of preference
  std::vector<IpAddress> vip_request;    // initiator: virtual addresses to ask for, at most one of a family; any: whichever there is
  std::vector<SecurityPolicy> policies;  // in the order of the configuration

  const SecurityPolicy* find_policy(std::string_view policy_name) const;
  const IpsecPolicy& ipsec_of(const SecurityPolicy& policy) const { return policy.ipsec ? *policy.ipsec : ipsec; }
  // those of the policy's protocol, ESP or AH
  const std::vector<wire::Proposal>& proposals_of(const SecurityPolicy& policy) const {
    return policy.action == PolicyAction::Ah ? ipsec_of(policy).ah_proposals : ipsec_of(policy).esp_proposals;
  }
  bool operator==(const Vpn&) const = default;
};

struct PresharedKey {
  std::string name;
  std::vector<Identity> ids;
  Secret secret;
};

// of EAP identities, text as it is
using EapKey = PresharedKey;

// A postquantum preshared key (RFC 8784). Its ids are octets that both ends know it by; of an Identity only those count.
using Ppk = PresharedKey;

struct GlobalOptions {
  static constexpr std::uint32_t kCookieAlways = UINT32_MAX;

  std::uint32_t cookie_threshold = 10;  // half-open IKE SAs from which a cookie is asked; 0 never, kCookieAlways always
  std::uint32_t block_threshold = 5;    // half-open IKE SAs of one peer address; 0 no limit
  std::uint32_t init_limit_half_open = 0;
  std::uint32_t threads = 16;
  seconds acquire_timeout{165};
  std::uint8_t sp_hash_ipv4_local = 32;
  std::uint8_t sp_hash_ipv4_remote = 32;
  std::uint8_t sp_hash_ipv6_local = 128;
  std::uint8_t sp_hash_ipv6_remote = 128;
  bool install_routes = false;
  std::uint32_t routing_table = 220;
  std::uint32_t routing_table_prio = 220;
  std::uint32_t retransmit_tries = 5;
  milliseconds retransmit_timeout{4000};
  double retransmit_base = 1.8;
  seconds delete_rekeyed_delay{5};
  bool make_before_break = false;        // reauthentication: the new IKE SA first, then the old one goes
  bool mobike_prefer_best_path = false;  // move to the path that routing prefers even when the one in use still works
  // IP datagram beyond which a protected IKE message goes in fragments (RFC 7383 2.5.1); 0: fragmentation is not offered. Not configurable.
  std::uint32_t fragment_size = 1280;

  bool operator==(const GlobalOptions&) const = default;
};

// Highest level that goes to a facility, for each subsystem; kLogDisabled for none
struct LoggingConfig {
  std::array<LogLevel, kSubsystemNames.size()> daemon{};    // all 0
  std::array<LogLevel, kSubsystemNames.size()> authpriv{};  // all disabled

  LoggingConfig() { authpriv.fill(kLogDisabled); }
  bool operator==(const LoggingConfig&) const = default;
};

struct Configuration {
  bool enabled = true;
  GlobalOptions global;
  LoggingConfig logging;
  std::map<std::string, std::shared_ptr<const Vpn>, std::less<>> vpns;
  std::vector<std::shared_ptr<const PresharedKey>> preshared_keys;
  std::vector<std::shared_ptr<const EapKey>> eap_keys;
  std::vector<std::shared_ptr<const Ppk>> ppks;
  std::vector<LocalCertificatePtr> certificates;
  std::vector<AuthorityPtr> authorities;
  std::vector<std::shared_ptr<const PrivateKey>> private_keys;  // of `certificates`, for the signer
  std::map<std::string, std::shared_ptr<const Pool>, std::less<>> pools;
  RadiusPtr radius;  // null: no servers
};

using ConfigurationPtr = std::shared_ptr<const Configuration>;

struct InterfaceAddress {
  IpAddress address;
  std::uint8_t prefix_length = 0;

  bool operator==(const InterfaceAddress&) const = default;
};

struct SvtiInterface {
  std::string name;
  std::uint32_t svti_id = 0;
  std::optional<std::uint32_t> mtu;  // none: left to the kernel
  bool enabled = true;
  bool promiscuous = false;
  std::string description;
  bool ipv4_enabled = true;
  bool ipv6_enabled = true;
  std::vector<InterfaceAddress> addresses;  // IPv4 first
  std::string link_vrf;                     // where IKE runs; its own VRF when the configuration names none
  std::string link_interface;               // empty: none

  bool operator==(const SvtiInterface&) const = default;
};

// A network namespace: "main" is the daemon's own, any other is /run/netns/NAME.
struct Vrf {
  std::string name;
  ConfigurationPtr ike;  // null: no IKE there
  std::vector<SvtiInterface> interfaces;
};

inline constexpr std::string_view kMainVrf = "main";

// The whole configuration. Parts that did not change from one to the next are the same objects.
struct System {
  std::map<std::string, Vrf, std::less<>> vrfs;
};

using SystemPtr = std::shared_ptr<const System>;

// "hq" in VRF main, "blue/hq" in VRF blue: a VPN's name where one word must say which. Neither part has a slash of its own.
std::string qualified_name(std::string_view vrf, std::string_view vpn);
struct QualifiedName {
  std::string vrf, vpn;
};
QualifiedName split_qualified_name(std::string_view name);

}  // namespace svti::model
