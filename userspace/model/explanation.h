// SPDX-License-Identifier: Apache-2.0
// Why a negotiation ended as it did: what each side had, put side by side, and what to change. Plain values. They hold names of
// algorithms, entries, leaves and identities, never a secret; what came from a peer is made printable and cut to the bounds below.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/time.h"

namespace svti::model {

// The first thing that did not fit. As initiator we may know only what the peer notified: the cause then names what that is about.
enum class Cause : std::uint8_t {
  None,               // nothing: it succeeded
  NoRoute,            // there is no way to the peer
  NoAnswer,           // requests were sent, nothing came back
  Cookie,             // cookies were asked for without end
  Limit,              // a limit of dos-protection
  Version,            // an IKE version that is not supported, or not configured
  NoVpn,              // no VPN for these addresses
  IkeProposal,        // no ike-proposal in common
  KeyExchangeGroup,   // the group asked for was not offered, or is not the one chosen
  RemoteId,           // the peer is not who remote-id says
  LocalId,            // the peer asks for an identity that is not ours
  AuthMethod,         // certificates or EAP against a pre-shared key
  NoKey,              // no pre-shared-key for these identities
  WrongKey,           // one there is, and it is not the peer's
  Authentication,     // the peer refused ours, and does not tell why (RFC 7296 2.21.2)
  ChildProposal,      // no esp-proposal in common
  PfsGroup,           // likewise, for want of a key exchange group in common
  TrafficSelectors,   // no security-policy covers what is asked for
  Mode,               // transport mode or AH, where it cannot be or the peer does not do it
  Kernel,             // agreed on, and refused by the kernel
  Malformed,          // the peer breaks the protocol
  Refused,            // the peer answered with another error
  Closed,             // ended by a command or a change of configuration
  NoCertificate,      // none of ours proves local-id, or the peer sent none
  Certificate,        // the peer's certificate is not accepted: the reason says why
  WrongSignature,     // the peer's AUTH was not made with the key of its certificate
  Signer,             // ours could not be signed
  VirtualAddress,     // none is left in the pools, or none was asked for, or assigned
  NoPpk,              // the postquantum preshared key is missing at an end, or not used where it must be
  CertificateLookup,  // the peer sent its certificate by hash and URL, and it may not be fetched there, or cannot
};
inline constexpr std::array<std::string_view, 30> kCauseNames = {"none",
                                                                 "no-route",
                                                                 "no-answer",
                                                                 "cookie",
                                                                 "limit",
                                                                 "version",
                                                                 "no-vpn",
                                                                 "ike-proposal",
                                                                 "key-exchange-group",
                                                                 "remote-id",
                                                                 "local-id",
                                                                 "auth-method",
                                                                 "no-key",
                                                                 "wrong-key",
                                                                 "authentication",
                                                                 "child-proposal",
                                                                 "pfs-group",
                                                                 "traffic-selectors",
                                                                 "mode",
                                                                 "kernel",
                                                                 "malformed",
                                                                 "refused",
                                                                 "closed",
                                                                 "no-certificate",
                                                                 "certificate",
                                                                 "wrong-signature",
                                                                 "signer",
                                                                 "virtual-address",
                                                                 "no-ppk",
                                                                 "certificate-lookup"};

enum class Verdict : std::uint8_t {
  Fits,
  Fails,
  Unknown,      // the peer did not say what it has
  NotCompared,  // what came before had failed already
};
inline constexpr std::array<std::string_view, 4> kVerdictNames = {"fits", "fails", "unknown", "not-compared"};

// One thing of which both sides have a form.
struct Comparison {
  std::string what;  // "encryption", "key exchange", "local selector", "pre-shared key"
  std::string ours;
  std::string theirs;  // empty: not known, or none
  Verdict verdict{};
};

// Rows that belong together: one pair of proposals, the selectors of one security-policy, the identities.
struct ComparisonTable {
  std::string title;  // "ike-proposal 1 with their proposal 2"
  std::vector<Comparison> rows;
};

// why a VPN was not taken for a peer
struct RejectedVpn {
  std::string vpn;
  std::string leaf;  // "local-address", "remote-id": the first that does not fit
  std::string ours, theirs;
};

// A request that went without the answer it wanted.
struct Transmission {
  std::string exchange;  // "IKE_SA_INIT"
  Endpoint from, to;
  std::uint32_t times = 0;
  seconds over{0};   // from the first to the last
  std::string icmp;  // what came back about it; empty: nothing
};

enum class Side : std::uint8_t { Ours, Theirs, Either };
inline constexpr std::array<std::string_view, 3> kSideNames = {"ours", "theirs", "either"};

// What to change. The leaf is written as in our configuration, whichever side it is on.
struct Advice {
  Side side = Side::Either;
  std::string leaf;  // "vpn hq ike-policy ike-proposal 1 dh-group"; empty: no leaf would help
  std::string text;  // one sentence without a final stop
};

struct Explanation {
  std::string vpn;         // empty: none was found for the peer
  std::string policy;      // security-policy of the CHILD SA; empty: it is about the IKE SA
  std::string exchange;    // in which it ended: "IKE_SA_INIT", "IKE_AUTH", "CREATE_CHILD_SA"
  bool initiator = false;  // of that exchange
  bool rekey = false;
  bool succeeded = false;
  bool authenticated = false;  // false: anyone may have sent what this is about
  Cause cause = Cause::None;
  std::string reason;  // one sentence without a final stop; of a success: what was agreed on
  Endpoint local, remote;
  std::string local_id, remote_id;  // as far as they were known
  std::vector<ComparisonTable> tables;
  std::vector<RejectedVpn> rejected;
  std::size_t rejected_more = 0;  // VPNs of which `rejected` has no room
  std::optional<Transmission> sent;
  Advice advice;
  TimePoint at{};
  seconds age{0};              // since `at`, filled in when it is asked for
  std::uint32_t repeated = 0;  // how often the same came after the first time (strangers)
};

// The bounds, whatever a peer sends.
inline constexpr std::size_t kMaxTables = 16;
inline constexpr std::size_t kMaxRows = 24;          // in a table
inline constexpr std::size_t kMaxRejectedVpns = 16;  // the closest ones
inline constexpr std::size_t kMaxValueText = 240;    // characters in a cell or an identity
inline constexpr std::size_t kMaxStrangers = 32;     // refused peers without a VPN that an engine remembers

}  // namespace svti::model
