// SPDX-License-Identifier: Apache-2.0
// What the protocol core wants done. Values: the core performs none of it; `engine` does, in the order given.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "auth/signer.h"
#include "base/log.h"
#include "model/credentials.h"
#include "model/explanation.h"
#include "model/kernel.h"
#include "model/network.h"
#include "radius/eap.h"

namespace svti::sa {

struct SendDatagram {
  model::Datagram datagram;
};

struct SendKeepalive {
  Endpoint local, remote;
};

// One SA into the kernel, for the CHILD SA `child`. A failure is told to Core::install_failed().
struct InstallSa {
  std::uint32_t child = 0;
  model::AddSa sa;
};

struct RemoveSa {
  model::SaId id;
};

// An SA of the CHILD SA `child` goes on between other addresses or ports. A failure is told to Core::install_failed().
struct MoveSa {
  std::uint32_t child = 0;
  model::MoveSa move;
};

// Policies that `owner` (a trap or a CHILD SA) needs from now on, in place of what it claimed before. The same policy may have
// several owners: it stays in the kernel, in the form of the claim made last, until the last of them releases it. Reverse
// routes go with the outbound ones.
struct ClaimPolicies {
  std::uint64_t owner = 0;
  std::vector<model::SetPolicy> policies;
};

struct ReleasePolicies {
  std::uint64_t owner = 0;
};

// A virtual address of ours, on the SVTI with this svti-id or, with 0, on lo. Before the policies that lead from it, and after they are
// gone.
struct InstallAddress {
  IpAddress address;
  std::uint32_t svti_id = 0;
};

struct RemoveAddress {
  IpAddress address;
  std::uint32_t svti_id = 0;
};

// What happened to a VPN, for whoever waits for it or watches.
struct Notice {
  enum class Kind : std::uint8_t { IkeUp, IkeDown, IkeFailed, IkeRekeyed, ChildUp, ChildDown, ChildFailed, ChildRekeyed, ChildGone };
  Kind kind{};  // ChildGone: it was replaced before, so its policy is not down
  std::string vpn;
  std::string policy;     // of the Child kinds
  std::uint32_t ike = 0;  // unique ids; 0 where it does not apply
  std::uint32_t child = 0;
  std::uint32_t reqid = 0;   // of the Child kinds
  std::string reason;        // of the Failed and Down kinds: a sentence without a final stop
  std::uint32_t former = 0;  // of the Rekeyed kinds: the unique id of what was replaced
};

// A negotiation ended: why, for whoever asks later.
struct Explained {
  model::Explanation explanation;
};

// Who waits for an answer: it is given back as it is.
struct Ticket {
  std::uint32_t ike = 0;     // unique id
  std::uint64_t number = 0;  // of the question

  auto operator<=>(const Ticket&) const = default;
};

// To be signed by a key that the core never sees. Answered by Core::on_signature(); whoever waits gives up by itself in the end.
struct Sign {
  Ticket ticket;
  auth::SigningRequest request;
};

// Whether one of these authorities vouches for a certificate, at the time it is. Its key has signed AUTH already; within
// EAP-TLS it has to sign before that is through. Answered by Core::on_verified(). Nothing that the certificate names may be fetched before
// its chain ends at one of the authorities (CVE-2022-40617).
struct VerifyCertificate {
  Ticket ticket;
  std::string vpn;
  Bytes certificate;                 // DER
  std::vector<Bytes> intermediates;  // DER, as the peer sent them
  std::vector<model::AuthorityPtr> authorities;
  model::Revocation revocation{};
  std::vector<Bytes> crls;            // DER, that the peer sent (CERT encoding 7)
  std::vector<Bytes> ocsp_responses;  // DER, that the peer sent (RFC 4806)
};

// What an OCSP responder says about a certificate of ours, for a peer that asked for it (RFC 4806). Answered by Core::on_stapled(), with
// nothing when there is nothing to be had within a few seconds.
struct Staple {
  Ticket ticket;
  model::LocalCertificatePtr certificate;
};

// A certificate that a peer has sent by hash and URL (RFC 7296 3.6).
struct CertificateUrl {
  std::string url;  // below the cert-uri-base of an authority of the VPN: the hash is all of it that the peer chose
  Bytes sha1;       // of the certificate's DER

  bool operator==(const CertificateUrl&) const = default;
};

// Certificates to be had where the configuration says that they are published. Answered by Core::on_looked_up(), with what
// auth::fits_hash() accepts, in this order, or with why not.
struct LookUpCertificates {
  Ticket ticket;
  IpAddress peer;  // has shown that it is there: IKE_AUTH came with the keys of IKE_SA_INIT
  std::vector<CertificateUrl> at;
};

// EAP of a peer for the RADIUS servers. Answered by Core::on_radius_answer(), once.
struct AskRadius {
  Ticket ticket;
  radius::EapQuestion question;
};

using Effect = std::variant<SendDatagram, SendKeepalive, InstallSa, RemoveSa, MoveSa, ClaimPolicies, ReleasePolicies, InstallAddress,
                            RemoveAddress, Notice, Explained, Sign, VerifyCertificate, Staple, LookUpCertificates, AskRadius, LogLine>;
using Effects = std::vector<Effect>;

}  // namespace svti::sa
