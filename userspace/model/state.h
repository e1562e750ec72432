// SPDX-License-Identifier: Apache-2.0
// Runtime state as `show state` tells it (the guide's "IKE state"): plain values, taken at one moment.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "model/config.h"
#include "model/kernel.h"
#include "model/links.h"
#include "wire/message.h"

namespace svti::model {

// The 21 counters in the guide's order. IKEv2 only; each message counted once.
enum class Counter : std::uint8_t {
  IkeRekeyInit,
  IkeRekeyResp,
  ChildRekey,
  Invalid,
  InvalidSpi,
  IkeInitInReq,
  IkeInitInResp,
  IkeInitOutReq,
  IkeInitOutResp,
  IkeAuthInReq,
  IkeAuthInResp,
  IkeAuthOutReq,
  IkeAuthOutResp,
  CreateChildInReq,
  CreateChildInResp,
  CreateChildOutReq,
  CreateChildOutResp,
  InfoInReq,
  InfoInResp,
  InfoOutReq,
  InfoOutResp,
};
inline constexpr std::array<std::string_view, 21> kCounterNames = {
    "ike-rekey-init",        "ike-rekey-resp",      "child-rekey",          "invalid",
    "invalid-spi",           "ike-init-in-req",     "ike-init-in-resp",     "ike-init-out-req",
    "ike-init-out-resp",     "ike-auth-in-req",     "ike-auth-in-resp",     "ike-auth-out-req",
    "ike-auth-out-resp",     "create-child-in-req", "create-child-in-resp", "create-child-out-req",
    "create-child-out-resp", "info-in-req",         "info-in-resp",         "info-out-req",
    "info-out-resp"};

struct Counters {
  std::array<std::uint64_t, kCounterNames.size()> values{};
  std::uint64_t& operator[](Counter counter) { return values[static_cast<std::size_t>(counter)]; }
};

enum class IkeSaPhase : std::uint8_t { Created, Connecting, Established, Rekeying, Rekeyed, Deleting };
inline constexpr std::array<std::string_view, 6> kIkeSaPhaseNames = {"created",  "connecting", "established",
                                                                     "rekeying", "rekeyed",    "deleting"};
enum class ChildSaPhase : std::uint8_t { Created, Installing, Installed, Rekeying, Rekeyed, Deleting, Deleted };
inline constexpr std::array<std::string_view, 7> kChildSaPhaseNames = {"created", "installing", "installed", "rekeying",
                                                                       "rekeyed", "deleting",   "deleted"};

struct ChildSaState {
  std::uint32_t unique_id = 0;
  std::string name;  // security-policy
  ChildSaPhase phase{};
  std::uint32_t reqid = 0;
  wire::ProtocolId protocol = wire::ProtocolId::Esp;
  Mode mode = Mode::Tunnel;
  bool udp_encap = false;
  std::uint32_t spi_in = 0, spi_out = 0;
  std::uint32_t svti_id_in = 0, svti_id_out = 0;
  std::vector<wire::Transform> transforms;  // encryption, integrity, key exchange (PFS) as chosen
  bool esn = false;
  std::optional<OffloadStatus> offload;  // of both directions, the lesser; absent: not asked for, and none
  // from the kernel; 0 when it could not be asked
  std::uint64_t bytes_in = 0, packets_in = 0, bytes_out = 0, packets_out = 0;
  std::optional<seconds> used_in, used_out;  // since the last packet; nothing: none yet, or not known
  seconds installed{0};                      // since
  std::optional<seconds> rekey, life;        // until
  std::vector<wire::TrafficSelector> local_ts, remote_ts;
};

struct IkeSaState {
  std::uint32_t unique_id = 0;
  std::string name;  // VPN; empty on a responder before authentication
  std::uint8_t version = 2;
  IkeSaPhase phase{};
  bool initiator = false;  // we are the original initiator
  Endpoint local, remote;
  std::string local_id, remote_id;
  Bytes local_certificate, remote_certificate;     // DER, of the end entities; empty: authenticated otherwise
  std::string local_eap_id, remote_eap_id;         // empty: that end did not use EAP
  std::string eap_method;                          // "eap-mschapv2"; empty: none
  std::string radius_server;                       // that has accepted the peer; empty: none
  std::vector<IpAddress> local_vips, remote_vips;  // that we were given, that we gave
  std::vector<IpAddress> dns, nbns, dhcp;          // servers that were named with local_vips
  wire::IkeSpi initiator_spi = 0, responder_spi = 0;
  std::vector<wire::Transform> transforms;  // encryption, integrity, prf, key exchange as chosen
  seconds established{0};
  std::optional<seconds> rekey, reauth;
  bool udp_encap = false;
  bool nat_local = false, nat_remote = false;  // a NAT was seen in front of us, of the peer
  bool mobike = false;
  bool ppk = false;  // a postquantum preshared key is in its keys (RFC 8784)
  std::vector<ChildSaState> children;
};

// The engine's work, by urgency (the state tree's task-processing): what waits, and who does it.
struct TaskState {
  std::uint64_t workers_total = 0, workers_idle = 0;
  struct ByPriority {
    std::uint64_t critical = 0, high = 0, medium = 0, low = 0;
  };
  ByPriority workers;           // busy with a task of that priority
  ByPriority queued;            // waiting for a worker
  std::uint64_t scheduled = 0;  // to be done at a known time
};

// an interface of the configuration
struct SvtiState {
  SvtiInterface configured;
  std::optional<LinkStatus> link;  // none: the kernel has no such interface
};

enum class Validity : std::uint8_t { Valid, ExpiresSoon, Expired, NotYetValid };
inline constexpr std::array<std::string_view, 4> kValidityNames = {"valid", "expires-soon", "expired", "not-yet-valid"};

// what a server says about the certificates of an authority
struct RevocationState {
  std::string uri;
  bool ocsp = false;  // else a revocation list
  bool held = false;  // the list
  std::string number;
  bool delta = false;
  std::chrono::sys_seconds this_update{};
  std::optional<std::chrono::sys_seconds> next_update;
  std::uint64_t entries = 0;                            // certificates in the list
  std::optional<std::chrono::sys_seconds> last_answer;  // of the server
  std::optional<std::chrono::sys_seconds> last_failure;
  std::string failure;
};

// until when a certificate, or an authority's, may be used
struct CertificateState {
  std::string name, subject;
  bool authority = false;
  std::chrono::sys_seconds not_before, not_after;
  Validity validity = Validity::Valid;
  std::vector<RevocationState> revocation{};  // of an authority
  std::string key_place{};                    // "signer", "token LABEL"; empty: its key is not there
  std::string key_problem{};                  // why its key cannot sign; empty: it can, as far as is known
};

struct RuntimeState {
  std::uint64_t ike_sas_total = 0;
  std::uint64_t ike_sas_half_open = 0;
  TaskState tasks;
  Counters counters;
  std::map<std::string, Counters, std::less<>> vpn_counters;
  std::vector<IkeSaState> ike_sas;    // by unique-id
  std::vector<SvtiState> interfaces;  // in the order of the configuration
  std::vector<CertificateState> certificates;
  std::vector<RadiusServerState> radius_servers;  // in the order in which they are asked
};

}  // namespace svti::model
