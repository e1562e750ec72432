// SPDX-License-Identifier: Apache-2.0
// Says why a negotiation did not fit: puts what each side has side by side, finds the first thing that fails, and the leaf that would
// change it. Pure, and called on failures alone. What a peer sends is bounded here (model/explanation.h).
#pragma once

#include <string>
#include <vector>

#include "auth/psk.h"
#include "crypto/trust.h"
#include "model/explanation.h"
#include "sa/context.h"
#include "sa/proposal.h"
#include "sa/selectors.h"
#include "sa/vpn_index.h"

namespace svti::sa {

// text for a cell: printable, and no longer than kMaxValueText
std::string cell(std::string text);
std::string cell(const Selectors& selectors);

// One of our lists of proposals, as the configuration names it.
struct OwnProposals {
  std::string path;  // "vpn hq ike-policy ike-proposal"
  const std::vector<wire::Proposal>& proposals;
  const std::vector<model::ProposalLabel>& labels;
  KeyExchangeUse ke;

  static OwnProposals ike(const model::Vpn& vpn);
  static OwnProposals child(const model::Vpn& vpn, const model::SecurityPolicy& policy, KeyExchangeUse ke);
  std::string path_of(std::size_t index) const;  // "vpn hq ike-policy ike-proposal 1"
};

// Cause, tables and advice for proposals of which no pair fits: the closest pairs first.
void explain_proposals(const OwnProposals& ours, const std::vector<wire::Proposal>& theirs, model::Explanation& out);
// The peer refused them all and did not say what it has.
void explain_refused_proposals(const OwnProposals& ours, model::Explanation& out);
// The peer asks for a key exchange group that was not offered.
void explain_group(const OwnProposals& ours, wire::KeGroup wanted, model::Explanation& out);

// No security-policy (of that name, when it is given) fits the selectors that the peer asks for; `local` and `remote` are the outer
// addresses.
struct AskedSelectors {
  const Selectors& local;   // for our side
  const Selectors& remote;  // for its own
};
void explain_selectors(const model::Vpn& vpn, const std::string& only_policy, const IpAddress& local, const IpAddress& remote,
                       const AskedSelectors& asked, model::Explanation& out);
// The peer refused those that we asked for.
void explain_refused_selectors(const model::Vpn& vpn, const std::string& policy, const Selectors& local, const Selectors& remote,
                               model::Explanation& out);

// Which pre-shared keys were looked at for a pair of identities; `taken` null: none fits. Adds a table; names of entries, no secrets.
using PresharedKeys = std::vector<std::shared_ptr<const model::PresharedKey>>;
void explain_keys(const PresharedKeys& keys, const model::PresharedKey* taken, const model::Identity& local, const model::Identity& remote,
                  model::Explanation& out);
// What the peer showed beside what would have done; `chain`: where its chain is what fails. `facts` of its certificate; adds a table.
void explain_certificate(const model::Vpn& vpn, const crypto::CertificateFacts& facts, const model::Identity& id, model::Verdict identity,
                         model::Verdict chain, model::Explanation& out);
model::Advice certificate_advice(const model::Vpn& vpn, crypto::ChainDefect defect);
// identities as far as they were compared: configured, and presented (null: not known)
void explain_identities(const model::Vpn& vpn, const model::Identity& local, const model::Identity* demanded,
                        const model::Identity* presented, model::Explanation& out);

// A peer for which no VPN was found. Null where the negotiation had not come that far.
struct UnknownPeer {
  const IpAddress& local;
  const IpAddress& remote;
  const model::Identity* id = nullptr;
  const model::Identity* demanded = nullptr;
  const wire::Proposal* ike_choice = nullptr;
  const std::vector<wire::Proposal>* offered = nullptr;  // in IKE_SA_INIT, where none fits
};
struct Candidate {
  VpnPtr vpn;
  model::RejectedVpn rejected;
  model::Cause cause{};
  bool meant = false;  // its remote-address, or its very remote-id, is the peer's: it is this VPN's failure
};
// Why each VPN did not match, the closest first, at most kMaxRejectedVpns of them; `more` counts the others. Walks the whole configuration.
std::vector<Candidate> explain_candidates(const model::Configuration& configuration, const UnknownPeer& peer, std::size_t& more);
// cause, tables and advice for one of them
void explain_candidate(const Candidate& candidate, const UnknownPeer& peer, model::Explanation& out);

// Tells about a peer for whom no VPN was found: to everyone who asks for strangers, and to the VPNs that were meant. `base` has all that
// does not depend on the VPN. So that a flood cannot keep us busy, only some in a second are told why each VPN did not match.
void explain_unknown_peer(Context& context, const UnknownPeer& peer, model::Explanation base, Effects& out);
// Tells of something that befell a peer before it said who it is: to the VPNs whose remote-address it has, else as of a stranger.
void explain_to_address(const Context& context, const model::Explanation& base, Effects& out);

}  // namespace svti::sa
