// SPDX-License-Identifier: Apache-2.0
// What the daemon asks of the kernel's IPsec and routing, and what the kernel tells it. `kernel` implements it over netlink,
// tests over nothing. All of it happens in one network namespace.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "model/config.h"
#include "wire/payload.h"

namespace svti::model {

enum class Direction : std::uint8_t { In, Out, Forward };

// UDP encapsulation of ESP (RFC 3948): ports in host order, of the packets that this SA makes or takes
struct UdpEncapsulation {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;

  bool operator==(const UdpEncapsulation&) const = default;
};

struct SaId {
  IpAddress destination;
  std::uint32_t spi = 0;  // host order
  wire::ProtocolId protocol = wire::ProtocolId::Esp;

  auto operator<=>(const SaId&) const = default;
};

// One SA of the kernel (an XFRM state). Owns its keys.
struct AddSa {
  SaId id;
  IpAddress source;
  Direction direction = Direction::In;
  Mode mode = Mode::Tunnel;
  std::uint32_t reqid = 0;
  std::uint32_t if_id = 0;                   // svti-id, 0 none
  wire::Transform encryption;                // id 0: none (AH)
  std::optional<wire::Transform> integrity;  // none with an AEAD
  Secret encryption_key;                     // an AEAD's with its salt behind
  Secret integrity_key;
  std::optional<UdpEncapsulation> encapsulation;
  bool esn = false;
  std::uint32_t replay_window = 32;  // packets, inbound
  bool copy_dscp_out = true;
  bool copy_dscp_in = false;
  bool copy_df = true;
  // Not No: the device of the route to the peer is asked to encrypt or decrypt. Auto: without it the SA is made all the same.
  // Crypto: the request fails.
  HwOffload offload = HwOffload::No;
  // limits after which the kernel says Expire soft, or deletes the SA and says Expire hard; 0: none
  seconds soft_time{0};
  seconds hard_time{0};
  std::uint64_t soft_bytes = 0, hard_bytes = 0;
  std::uint64_t soft_packets = 0, hard_packets = 0;
};

struct DeleteSa {
  SaId id;
};

// An SA goes on between other addresses or ports, with its keys, sequence numbers, replay window and lifetimes. With another destination
// it is another SA, made beside the one there is, which the caller deletes when no policy needs it any more; its outbound sequence
// numbers begin far above the other's, so that the two never protect two packets under one number. Otherwise it is changed in place.
struct MoveSa {
  SaId id;
  IpAddress destination;  // the new one, or that of `id`
  IpAddress source;
  std::optional<UdpEncapsulation> encapsulation;
};

// Names a policy within its direction.
struct PolicyId {
  Direction direction = Direction::Out;
  Prefix source;
  Prefix destination;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0;  // 0 with mask 0: any
  std::uint16_t source_port_mask = 0;
  std::uint16_t destination_port = 0;
  std::uint16_t destination_port_mask = 0;
  std::uint32_t if_id = 0;

  auto operator<=>(const PolicyId&) const = default;
};

// One policy of the kernel, made or replaced.
struct SetPolicy {
  PolicyId id;
  PolicyAction action = PolicyAction::Esp;  // Pass: allow without a template; Drop: block
  std::uint32_t priority = 0;               // smaller wins
  // the template; unused with Pass and Drop
  Mode mode = Mode::Tunnel;
  std::uint32_t reqid = 0;
  IpAddress tunnel_source;  // unspecified in transport mode
  IpAddress tunnel_destination;
};

struct DeletePolicy {
  PolicyId id;
};

// A route of the daemon's own (protocol kRouteProtocol). `svti_id` 0: a throw route, which makes the lookup go on with the next rule.
struct RouteId {
  Prefix destination;
  std::uint32_t table = 220;
  std::uint32_t svti_id = 0;

  auto operator<=>(const RouteId&) const = default;
};
struct AddRoute {
  RouteId id;
  std::optional<IpAddress> source{};  // for packets that have none yet; an address of this host
};                                    // made or replaced; Error when no interface has that svti-id, or it is down
struct DeleteRoute {
  RouteId id;
};  // gone already: no error

// "priority P: lookup table T", protocol kRouteProtocol, of one family
struct RuleId {
  IpFamily family = IpFamily::V4;
  std::uint32_t table = 220;
  std::uint32_t priority = 220;

  auto operator<=>(const RuleId&) const = default;
};
struct AddRule {
  RuleId id;
};  // already there: no error and no second one
struct DeleteRule {
  RuleId id;
};  // gone already: no error

// A virtual address of this host (protocol kRouteProtocol), a network of its own. `svti_id` 0: on lo.
struct AddressId {
  IpAddress address;
  std::uint32_t svti_id = 0;

  auto operator<=>(const AddressId&) const = default;
};
struct AddAddress {
  AddressId id;
};  // already there: no error, unless it is another's; Error when no interface has that svti-id
struct DeleteAddress {
  AddressId id;
};  // gone already, or another's: no error

// Thresholds of the stock policy hash (XFRMA_SPD_IPV4_HTHRESH, XFRMA_SPD_IPV6_HTHRESH)
struct SetPolicyHash {
  std::uint8_t ipv4_local = 32, ipv4_remote = 32, ipv6_local = 128, ipv6_remote = 128;
};
// life of the larval SA an acquire leaves (/proc/sys/net/core/xfrm_acq_expires)
struct SetAcquireTimeout {
  seconds value{165};
};

using KernelRequest = std::variant<AddSa, DeleteSa, MoveSa, SetPolicy, DeletePolicy, AddRoute, DeleteRoute, AddRule, DeleteRule, AddAddress,
                                   DeleteAddress, SetPolicyHash, SetAcquireTimeout>;

// "192.0.2.1 esp c0ffee01", for logs
std::string describe(const SaId& id);
// "add SA 192.0.2.1 esp c0ffee01", likewise
std::string describe(const KernelRequest& request);

// rtm_protocol, FRA_PROTOCOL and IFA_PROTO of what the daemon adds: so it finds its own after a crash, and touches nobody else's
inline constexpr std::uint8_t kRouteProtocol = 219;
// The daemon's reqids lie in [kReqidFirst, kReqidLast], for the same reason: XFRM objects name no owner. (ADR 0004)
inline constexpr std::uint32_t kReqidFirst = 0x53000000;
inline constexpr std::uint32_t kReqidLast = 0x53ffffff;

// What the kernel says. Called from the event loop, never from inside a Kernel method.
class KernelEvents {
 public:
  virtual ~KernelEvents() = default;
  // a packet matched the outbound policy with this reqid and if_id, and no SA was there. `packet`: its selector
  virtual void on_acquire(std::uint32_t reqid, std::uint32_t if_id, const wire::TrafficSelector& packet_source,
                          const wire::TrafficSelector& packet_destination) = 0;
  virtual void on_expire(const SaId& id, bool hard) = 0;
  // The SA is to be made anew, for `reason`: its device has lost it, or another device can take it (AddSa::offload). Once for each cause.
  virtual void on_offload(const SaId& id, const std::string& reason) = 0;
  // the peer's NAT mapping moved (RFC 3948): an inbound SA received from a new address or port
  virtual void on_mapping(const SaId& id, const Endpoint& now_from) = 0;
  // the interface with this svti-id came up, went down, appeared or vanished (then up is false)
  virtual void on_svti(std::uint32_t svti_id, bool up) = 0;
  // An address or a route came or went: the way to a peer may be another. Bursts are told once.
  virtual void on_paths() = 0;
  // messages were lost (ENOBUFS): whatever was learned from events may be stale
  virtual void on_overrun() = 0;
};

// what a device does for an SA
enum class Offload : std::uint8_t { None, Crypto, Packet };
inline constexpr std::array<std::string_view, 3> kOffloadNames = {"none", "crypto", "packet"};
struct OffloadStatus {
  Offload offload = Offload::None;
  std::string device;  // that does it; empty: none
  std::string reason;  // why there is less than was asked for; empty: there is not, or nothing was asked for
  bool operator==(const OffloadStatus&) const = default;
};

struct SaStatus {
  SaId id;
  IpAddress source;
  std::uint32_t reqid = 0;
  std::uint32_t if_id = 0;
  std::uint64_t bytes = 0;
  std::uint64_t packets = 0;
  std::uint64_t last_used = 0;  // seconds since 1970; 0: not yet, or the kernel does not keep it
  // of query(), also for an SA that is gone with its device, nothing counted; absent: none asked for, and none there
  std::optional<OffloadStatus> offload;
};

struct PolicyStatus {
  PolicyId id;
  std::uint32_t reqid = 0;
  std::uint32_t priority = 0;
};

// Everything of ours that is in the kernel: by reqid range and route protocol.
struct KernelInventory {
  std::vector<SaStatus> sas;
  std::vector<PolicyStatus> policies;
  std::vector<RouteId> routes;  // svti_id 0xffffffff when its interface is not an SVTI (any more)
  std::vector<RuleId> rules;
  std::vector<AddressId> addresses;  // on lo and on SVTIs
};

class Kernel {
 public:
  using Done = std::function<void(Status)>;

  virtual ~Kernel() = default;
  // Queues a request. Requests are carried out in the order given; several may travel in one batch. `done` (may be empty) is called from
  // the event loop with the kernel's answer, extack text included in the error. Nothing is sent before flush() or the end of the loop's
  // turn.
  virtual void submit(KernelRequest request, Done done) = 0;
  virtual void flush() = 0;
  // Blocking questions; small numbers of them, off the packet path.
  virtual Result<KernelInventory> inventory() = 0;
  virtual Result<SaStatus> query(const SaId& id) = 0;
  // the address that the kernel would send from to reach `destination`
  virtual Result<IpAddress> source_address(const IpAddress& destination) = 0;
  // our addresses of global scope that are usable now, those of SVTIs left out; in no particular order
  virtual Result<std::vector<IpAddress>> local_addresses() = 0;
  virtual void set_events(KernelEvents* events) = 0;  // not owned; null: none
};

}  // namespace svti::model
