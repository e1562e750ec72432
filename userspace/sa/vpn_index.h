// SPDX-License-Identifier: Apache-2.0
// Finds the VPN that a peer's message is about without walking all VPNs.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/config.h"

namespace svti::sa {

using VpnPtr = std::shared_ptr<const model::Vpn>;

// Built once for a configuration, then only read.
// what a CERTREQ says of all authorities that the peer may come from, whatever its round
std::vector<Bytes> hashes_of_authorities(const model::Authentication& authentication);

class VpnIndex {
 public:
  VpnIndex() = default;
  explicit VpnIndex(const model::Configuration& configuration);

  // IKE_SA_INIT: what may be offered to this pair of addresses: the proposal lists, each list once, of the VPNs with this remote address
  // first
  std::vector<const std::vector<wire::Proposal>*> ike_proposals(const IpAddress& local, const IpAddress& remote) const;

  // some VPN for this pair of addresses wants UDP encapsulation: which of them it is to be is not known before IKE_AUTH
  bool forces_encapsulation(const IpAddress& local, const IpAddress& remote) const;

  // IKE_SA_INIT: whether some VPN for this pair of addresses accepts an IKE SA without CHILD SA (RFC 6023), and whether one wants it so
  struct Childless {
    bool accepted = false, wanted = false;
  };
  Childless childless(const IpAddress& local, const IpAddress& remote) const;

  // IKE_SA_INIT: the gateway that all VPNs for this pair of addresses redirect to; nothing when they do not agree, or it is `local`
  std::optional<wire::GatewayIdentity> redirect(const IpAddress& local, const IpAddress& remote) const;

  // IKE_SA_INIT: what is said of certificates to this pair of addresses, before it is known which VPN they mean
  struct Certificates {
    bool used = false;               // by either end
    bool ocsp = false;               // a peer is asked for OCSP content (RFC 4806)
    bool lookups = false;            // its certificate may come by hash and URL (RFC 7296 3.6)
    std::vector<Bytes> authorities;  // that peers may come from, as CERTREQ names them; at most kMaxAuthorities
  };
  // how the peers of these VPNs may authenticate themselves (RFC 9593)
  struct RemoteMethods {
    bool shared_keys = false, certificates = false;
  };
  RemoteMethods remote_methods(const IpAddress& local, const IpAddress& remote) const;
  // one of these VPNs has more than one round of authentication (RFC 4739)
  bool has_several_rounds(const IpAddress& local, const IpAddress& remote) const;
  static constexpr std::size_t kMaxAuthorities = 16;
  Certificates certificates(const IpAddress& local, const IpAddress& remote) const;

  struct Peer {
    const IpAddress& local;
    const IpAddress& remote;
    const model::Identity& id;         // IDi
    const model::Identity* demanded;   // IDr, null when the peer names none
    const wire::Proposal& ike_choice;  // what IKE_SA_INIT agreed on
  };
  // IKE_AUTH: the VPN that fits best: exact identities before patterns, a fixed remote address before any. Null: none.
  VpnPtr find(const Peer& peer) const;

  // null: no VPN has this remote address
  const std::vector<VpnPtr>* with_remote_address(const IpAddress& remote) const;

 private:
  struct IdHash {
    std::size_t operator()(const model::Identity& id) const;
  };
  using List = std::vector<VpnPtr>;

  std::unordered_map<IpAddress, List> by_address_;           // VPNs with a remote address
  std::unordered_map<model::Identity, List, IdHash> by_id_;  // VPNs without one, with an exact remote-id
  List open_;                                                // VPNs with neither
  List open_certificates_;  // of VPNs without a remote address, one of each (local address, authentication)
  List open_proposals_;     // of VPNs without a remote address, one of each (local address, proposals, udp-encap, childless, redirect-to,
                            // remote-auth-method)
};

// the identity we claim: local-id, or the subject of the certificate, or the local address
model::Identity local_identity(const model::Vpn& vpn, const IpAddress& local);
// A peer that asks for `demanded` means this VPN: it is our identity or, without a local-id, one that a certificate of ours proves.
bool may_be(const model::Vpn& vpn, const IpAddress& local, const model::Identity& demanded);

}  // namespace svti::sa
