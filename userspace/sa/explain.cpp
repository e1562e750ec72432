// SPDX-License-Identifier: Apache-2.0
#include "sa/explain.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "model/algorithm.h"

namespace svti::sa {

using model::Advice;
using model::Cause;
using model::Comparison;
using model::ComparisonTable;
using model::Explanation;
using model::Identity;
using model::Side;
using model::Verdict;
using wire::Proposal;
using wire::Transform;
using wire::TransformType;

namespace {

constexpr std::size_t kMaxProposalsCompared = 16;  // of each side
constexpr std::size_t kMaxNames = 8;               // in a cell

Verdict verdict(bool fits) { return fits ? Verdict::Fits : Verdict::Fails; }

void add_table(Explanation& out, ComparisonTable table) {
  if (table.rows.size() > model::kMaxRows) table.rows.resize(model::kMaxRows);
  if (out.tables.size() < model::kMaxTables) out.tables.push_back(std::move(table));
}

std::string names_of(const std::vector<Transform>& transforms) {
  std::string out;
  for (std::size_t i = 0; i < transforms.size() && i < kMaxNames; ++i) {
    const Transform& one = transforms[i];
    out += i == 0 ? "" : ", ";
    if (one.type == TransformType::Esn)
      out += one.id == 0 ? "32 bit" : "extended";
    else
      out += model::name_of(one);
    if (one.unknown_attribute) out += " with an unknown attribute";
  }
  if (transforms.size() > kMaxNames) out += " and " + std::to_string(transforms.size() - kMaxNames) + " more";
  return cell(std::move(out));
}

// the keywords that the configuration has for these, empty when it has one for none of them
std::string keywords_of(const std::vector<Transform>& transforms) {
  std::string out;
  std::size_t count = 0;
  for (const Transform& one : transforms) {
    const bool esn = one.type == TransformType::Esn;
    if ((!esn && model::find_algorithm(one) == nullptr) || one.unknown_attribute || ++count > kMaxNames) continue;
    out += (out.empty() ? "" : " or ") + (esn ? std::string(one.id == 0 ? "false" : "true") : model::name_of(one));
  }
  return out;
}

bool has_aead(const Proposal& proposal) {
  return std::any_of(proposal.transforms.begin(), proposal.transforms.end(), [](const Transform& one) { return model::is_aead(one); });
}

std::string leaf_of(TransformType type, const Proposal& ours) {
  switch (type) {
    case TransformType::Encryption:
      return has_aead(ours) ? "aead-alg" : "enc-alg";
    case TransformType::Prf:
      return "prf-alg";
    case TransformType::Integrity:
      return "auth-alg";
    case TransformType::KeyExchange:
      return "dh-group";
    case TransformType::Esn:
      return "esn";
    default:
      break;
  }
  return is_additional_ke(type) ? "additional-key-exchange-" + std::to_string(number_of_additional_ke(type)) : std::string();
}

struct Pair {
  std::size_t ours = 0;
  const Proposal* theirs = nullptr;
  std::vector<TypeComparison> types;
  std::size_t fitting = 0;
  const TypeComparison* first_failure() const {
    const auto found = std::find_if(types.begin(), types.end(), [](const TypeComparison& one) { return !one.fits; });
    return found == types.end() ? nullptr : &*found;
  }
};

// The closest first. As many of theirs as of ours are looked at, so that a long list cannot make this long work.
std::vector<Pair> closest_pairs(const OwnProposals& ours, const std::vector<Proposal>& theirs) {
  std::vector<Pair> out;
  for (std::size_t i = 0; i < ours.proposals.size() && i < kMaxProposalsCompared; ++i) {
    for (std::size_t k = 0; k < theirs.size() && k < kMaxProposalsCompared; ++k) {
      if (ours.proposals[i].protocol != theirs[k].protocol) continue;
      Pair one{i, &theirs[k], compare_proposals(ours.proposals[i], theirs[k], ours.ke), 0};
      one.fitting = static_cast<std::size_t>(std::count_if(one.types.begin(), one.types.end(), [](const auto& type) { return type.fits; }));
      // several that fail are farther away than one, whatever else fits
      out.push_back(std::move(one));
    }
  }
  std::stable_sort(out.begin(), out.end(), [](const Pair& a, const Pair& b) {
    const std::size_t a_failing = a.types.size() - a.fitting, b_failing = b.types.size() - b.fitting;
    return std::tuple(a_failing, b.fitting) < std::tuple(b_failing, a.fitting);
  });
  return out;
}

ComparisonTable table_of(const OwnProposals& ours, const Pair& pair) {
  ComparisonTable out;
  out.title = ours.path_of(pair.ours) + " with the peer's proposal " + std::to_string(pair.theirs->number);
  for (const TypeComparison& type : pair.types)
    out.rows.push_back({std::string(name_of(type.type)), names_of(type.ours), names_of(type.theirs), verdict(type.fits)});
  return out;
}

// The one to change. Without prf-alg the pseudo-random function follows auth-alg: where both fail, that is the cause.
const TypeComparison& decisive(const Pair& pair) {
  const TypeComparison& first = *pair.first_failure();
  if (first.type != TransformType::Prf) return first;
  const auto integrity = std::find_if(pair.types.begin(), pair.types.end(),
                                      [](const TypeComparison& one) { return one.type == TransformType::Integrity && !one.fits; });
  return integrity == pair.types.end() ? first : *integrity;
}

Advice advice_for(const OwnProposals& ours, const Pair& pair) {
  const TypeComparison& failing = decisive(pair);
  const Proposal& own = ours.proposals[pair.ours];
  const std::string path = ours.path_of(pair.ours);
  const bool other_kind =
      has_aead(own) != has_aead(*pair.theirs) && (failing.type == TransformType::Encryption || failing.type == TransformType::Integrity);
  if (other_kind) {
    return {Side::Either, ours.path,
            cell("add a proposal like the peer's here (" + to_string(*pair.theirs) + "), or one like ours there (" + to_string(own) + ")")};
  }
  const std::string leaf = leaf_of(failing.type, own);
  const std::string mine = keywords_of(failing.ours), yours = keywords_of(failing.theirs);
  if (leaf.empty()) return {Side::Theirs, path, "take the transform type out that this version does not know"};
  const std::string full = path + " " + leaf;
  if (failing.theirs.empty()) return {Side::Either, full, "take " + leaf + " " + mine + " out here, or add it at the peer"};
  if (yours.empty()) {
    return {Side::Theirs, full,
            mine.empty() ? "take out what this version does not have" : "add " + mine + ": this version has nothing that the peer offers"};
  }
  if (failing.ours.empty()) return {Side::Either, full, "add " + leaf + " " + yours + " here, or take it out at the peer"};
  return {Side::Either, full, "add " + leaf + " " + yours + " here, or " + mine + " at the peer"};
}

bool of_child(const OwnProposals& ours) { return !ours.proposals.empty() && ours.proposals.front().protocol != wire::ProtocolId::Ike; }

Selectors without_ports(Selectors selectors) {
  for (wire::TrafficSelector& one : selectors) {
    one.protocol = 0;
    one.start_port = 0;
    one.end_port = 65535;
  }
  return selectors;
}

Selectors without_port_numbers(Selectors selectors) {
  for (wire::TrafficSelector& one : selectors) {
    one.start_port = 0;
    one.end_port = 65535;
  }
  return selectors;
}

bool meet(const Selectors& ours, const Selectors& theirs) { return !narrow(ours, theirs).empty(); }

// how far these get: address, protocol, port; 3: they fit
std::size_t closeness(const Selectors& ours, const Selectors& theirs) {
  if (meet(ours, theirs)) return 3;
  if (meet(without_port_numbers(ours), without_port_numbers(theirs))) return 2;
  return meet(without_ports(ours), without_ports(theirs)) ? 1 : 0;
}

constexpr std::array<std::string_view, 3> kSelectorLeaves = {"subnet", "protocol", "port"};

std::string key_name(const model::PresharedKey& key) { return "pre-shared-key " + key.name; }

std::string ids_of(const model::PresharedKey& key) {
  std::string out;
  for (const Identity& id : key.ids) {
    if (out.size() > model::kMaxValueText) break;
    out += (out.empty() ? "id " : ", ") + id.to_string();
  }
  return out.empty() ? "any identity" : cell(std::move(out));
}

}  // namespace

std::string cell(std::string text) {
  if (text.size() > model::kMaxValueText) text = text.substr(0, model::kMaxValueText - 3) + "...";
  return text;
}

std::string cell(const Selectors& selectors) {
  std::string out;
  for (std::size_t i = 0; i < selectors.size() && i < kMaxNames; ++i) out += (i == 0 ? "" : ", ") + selectors[i].to_string();
  if (selectors.size() > kMaxNames) out += " and " + std::to_string(selectors.size() - kMaxNames) + " more";
  return cell(out.empty() ? "nothing" : std::move(out));
}

// --- proposals --------------------------------------------------------------------------------------------------------------

OwnProposals OwnProposals::ike(const model::Vpn& vpn) {
  return {"vpn " + vpn.name + " ike-policy ike-proposal", vpn.ike.proposals, vpn.ike.labels, KeyExchangeUse::Negotiate};
}

OwnProposals OwnProposals::child(const model::Vpn& vpn, const model::SecurityPolicy& policy, KeyExchangeUse ke) {
  const model::IpsecPolicy& ipsec = vpn.ipsec_of(policy);
  if (policy.action == model::PolicyAction::Ah)
    return {"vpn " + vpn.name + " ipsec-policy ah-proposal", ipsec.ah_proposals, ipsec.ah_labels, ke};
  return {"vpn " + vpn.name + " ipsec-policy esp-proposal", ipsec.esp_proposals, ipsec.esp_labels, ke};
}

std::string OwnProposals::path_of(std::size_t index) const {
  return path + " " + std::to_string(index < labels.size() ? labels[index].id : proposals[index].number);
}

void explain_proposals(const OwnProposals& ours, const std::vector<Proposal>& theirs, Explanation& out) {
  out.cause = of_child(ours) ? Cause::ChildProposal : Cause::IkeProposal;
  const std::vector<Pair> pairs = closest_pairs(ours, theirs);
  for (const Pair& pair : pairs) add_table(out, table_of(ours, pair));
  if (pairs.empty()) {
    out.advice = {Side::Either, ours.path, "the peer offers nothing of this protocol (" + cell(to_string(theirs)) + ")"};
    return;
  }
  const TypeComparison* failing = pairs.front().first_failure();
  if (failing == nullptr) return;
  if (of_child(ours) && failing->type == TransformType::KeyExchange) out.cause = Cause::PfsGroup;
  out.advice = advice_for(ours, pairs.front());
}

void explain_refused_proposals(const OwnProposals& ours, Explanation& out) {
  const bool child = of_child(ours);
  out.cause = child ? Cause::ChildProposal : Cause::IkeProposal;
  for (std::size_t i = 0; i < ours.proposals.size() && i < model::kMaxTables; ++i) {
    ComparisonTable table{ours.path_of(i), {}};
    for (const TypeComparison& type : compare_proposals(ours.proposals[i], ours.proposals[i], ours.ke))
      table.rows.push_back({std::string(name_of(type.type)), names_of(type.ours), {}, Verdict::Unknown});
    add_table(out, std::move(table));
  }
  out.advice = {Side::Either, ours.path,
                child ? "make it and the peer's proposals have one in common; the peer's log has both"
                      : "make it and the peer's IKE proposals have one in common; the peer's log has both, and says whether it knows our "
                        "address at all"};
}

void explain_group(const OwnProposals& ours, wire::KeGroup wanted, Explanation& out) {
  explain_refused_proposals(ours, out);
  out.cause = of_child(ours) ? Cause::PfsGroup : Cause::KeyExchangeGroup;
  const Transform group = wire::transform(TransformType::KeyExchange, wanted);
  const std::string name = model::name_of(group);
  add_table(out, {"key exchange group", {{"key exchange group", "as above", cell(name), Verdict::Fails}}});
  const std::string leaf = ours.path_of(0) + " dh-group";
  if (model::find_algorithm(group) == nullptr)
    out.advice = {Side::Theirs, leaf, "offer a group that this version has: the peer asks for " + name};
  else
    out.advice = {Side::Either, leaf, "add dh-group " + name + " here, or one of ours at the peer"};
}

// --- traffic selectors ------------------------------------------------------------------------------------------------------

void explain_selectors(const model::Vpn& vpn, const std::string& only_policy, const IpAddress& local, const IpAddress& remote,
                       const AskedSelectors& asked, Explanation& out) {
  out.cause = Cause::TrafficSelectors;
  struct Fit {
    const model::SecurityPolicy* policy;
    std::size_t local, remote;
  };
  std::vector<Fit> fits;
  for (const model::SecurityPolicy& policy : vpn.policies) {
    if (!only_policy.empty() && policy.name != only_policy) continue;
    if (fits.size() == model::kMaxTables) break;
    fits.push_back({&policy, closeness(selectors_of(policy.local_ts, local), asked.local),
                    closeness(selectors_of(policy.remote_ts, remote), asked.remote)});
  }
  std::stable_sort(fits.begin(), fits.end(), [](const Fit& a, const Fit& b) { return a.local + a.remote > b.local + b.remote; });
  for (const Fit& fit : fits) {
    ComparisonTable table{"vpn " + vpn.name + " security-policy " + fit.policy->name, {}};
    table.rows.push_back({"local selector", cell(selectors_of(fit.policy->local_ts, local)), cell(asked.local), verdict(fit.local == 3)});
    table.rows.push_back(
        {"remote selector", cell(selectors_of(fit.policy->remote_ts, remote)), cell(asked.remote), verdict(fit.remote == 3)});
    add_table(out, std::move(table));
  }
  if (fits.empty()) {
    out.advice = {Side::Ours, "vpn " + vpn.name + " security-policy", "add a security-policy for what the peer asks for"};
    return;
  }
  const Fit& closest = fits.front();
  if (closest.local == 3 && closest.remote == 3) {  // each for itself, and yet no CHILD SA comes of it
    const std::string path = "vpn " + vpn.name + " security-policy " + closest.policy->name;
    out.advice =
        closest.policy->negotiated()
            ? model::Advice{Side::Either, path, "have fewer selectors, and addresses of the same families in local-ts and remote-ts"}
            : model::Advice{Side::Either, path + " action", "set esp or ah for what the peer asks for, or have it not ask"};
    return;
  }
  const bool local_fails = closest.local != 3;
  const std::string_view leaf = kSelectorLeaves[local_fails ? closest.local : closest.remote];
  const std::string side = local_fails ? "local-ts" : "remote-ts", other = local_fails ? "remote-ts" : "local-ts";
  out.advice = {Side::Either, "vpn " + vpn.name + " security-policy " + closest.policy->name + " " + side + " " + std::string(leaf),
                cell("make it cover what the peer asks for (" + cell(local_fails ? asked.local : asked.remote) +
                     ") here, or set the peer's " + other + " to ours")};
}

void explain_refused_selectors(const model::Vpn& vpn, const std::string& policy, const Selectors& local, const Selectors& remote,
                               Explanation& out) {
  out.cause = Cause::TrafficSelectors;
  const std::string path = "vpn " + vpn.name + " security-policy " + policy;
  add_table(out, {path, {{"local selector", cell(local), {}, Verdict::Unknown}, {"remote selector", cell(remote), {}, Verdict::Unknown}}});
  out.advice = {Side::Either, path,
                "its local-ts and remote-ts must be the remote and local selectors that the peer has; the peer's log has both"};
}

// --- identities and keys ----------------------------------------------------------------------------------------------------

void explain_identities(const model::Vpn& vpn, const Identity& local, const Identity* demanded, const Identity* presented,
                        Explanation& out) {
  ComparisonTable table{"identities", {}};
  const bool local_fits = demanded == nullptr || local.matches(*demanded);
  table.rows.push_back(
      {"local identity", cell(local.to_string()), demanded == nullptr ? "any" : cell(demanded->to_string()), verdict(local_fits)});
  const std::string configured = vpn.remote_id ? vpn.remote_id->to_string() : "any";
  if (presented == nullptr)
    table.rows.push_back({"remote identity", cell(configured), {}, Verdict::Unknown});
  else
    table.rows.push_back(
        {"remote identity", cell(configured), cell(presented->to_string()), verdict(!vpn.remote_id || vpn.remote_id->matches(*presented))});
  add_table(out, std::move(table));
}

void explain_keys(const PresharedKeys& keys, const model::PresharedKey* taken, const Identity& local, const Identity& remote,
                  Explanation& out) {
  ComparisonTable table{"pre-shared keys", {}};
  const std::string wanted = cell(remote.to_string());
  if (taken != nullptr) {
    table.rows.push_back({cell(key_name(*taken)), ids_of(*taken), wanted, Verdict::Fits});
  } else {
    for (const auto& key : keys) {
      if (table.rows.size() == model::kMaxRows) break;
      table.rows.push_back({cell(key_name(*key)), ids_of(*key), cell(local.to_string()) + " and " + wanted, Verdict::Fails});
    }
  }
  add_table(out, std::move(table));
}

// --- peers without a VPN ----------------------------------------------------------------------------------------------------

namespace {

struct Judgement {
  std::size_t failing = 0;
  std::size_t exact = 0;  // what fits, and is not configured for everybody
  model::RejectedVpn first;
  Cause cause = Cause::None;

  void add(bool fits, bool special, Cause why, std::string_view leaf, std::string ours, std::string theirs) {
    if (fits) {
      exact += special;
    } else if (failing++ == 0) {
      cause = why;
      first.leaf = leaf;
      first.ours = cell(std::move(ours));
      first.theirs = cell(std::move(theirs));
    }
  }
};

std::string any_or(const std::optional<IpAddress>& address) { return address ? address->to_string() : "any"; }

Judgement judge(const model::Vpn& vpn, const UnknownPeer& peer) {
  Judgement out;
  out.first.vpn = vpn.name;
  out.add(vpn.version == 2, false, Cause::Version, "version", std::to_string(vpn.version), "2");
  out.add(!vpn.local_address || *vpn.local_address == peer.local, vpn.local_address.has_value(), Cause::NoVpn, "local-address",
          any_or(vpn.local_address), peer.local.to_string());
  out.add(!vpn.remote_address || *vpn.remote_address == peer.remote, vpn.remote_address.has_value(), Cause::NoVpn, "remote-address",
          any_or(vpn.remote_address), peer.remote.to_string());
  if (peer.id != nullptr) {
    const int rank = vpn.remote_id ? vpn.remote_id->match_rank(*peer.id) : 1;
    out.add(rank > 0, rank == 3, Cause::RemoteId, "remote-id", vpn.remote_id ? vpn.remote_id->to_string() : "any", peer.id->to_string());
  }
  if (peer.demanded != nullptr) {
    const Identity own = local_identity(vpn, peer.local);
    out.add(own.matches(*peer.demanded), true, Cause::LocalId, "local-id", own.to_string(), peer.demanded->to_string());
  }
  if (peer.ike_choice != nullptr) {
    const bool fits = choose_proposal(vpn.ike.proposals, {*peer.ike_choice}, KeyExchangeUse::Negotiate).has_value();
    out.add(fits, false, Cause::IkeProposal, "ike-policy ike-proposal", to_string(vpn.ike.proposals), to_string(*peer.ike_choice));
  }
  if (peer.offered != nullptr)
    out.add(false, false, Cause::IkeProposal, "ike-policy ike-proposal", to_string(vpn.ike.proposals), to_string(*peer.offered));
  return out;
}

}  // namespace

std::vector<Candidate> explain_candidates(const model::Configuration& configuration, const UnknownPeer& peer, std::size_t& more) {
  struct Ranked {
    Judgement judgement;
    VpnPtr vpn;
  };
  const auto closer = [](const Ranked& a, const Ranked& b) {
    return std::tuple(a.judgement.failing, b.judgement.exact) < std::tuple(b.judgement.failing, a.judgement.exact);
  };
  std::vector<Ranked> closest;
  more = 0;
  for (const auto& [name, vpn] : configuration.vpns) {
    Ranked one{judge(*vpn, peer), vpn};
    if (one.judgement.failing == 0) continue;
    closest.insert(std::upper_bound(closest.begin(), closest.end(), one, closer), std::move(one));
    if (closest.size() <= model::kMaxRejectedVpns) continue;
    closest.pop_back();
    ++more;
  }
  std::vector<Candidate> out;
  for (Ranked& one : closest) {
    const bool by_address = one.vpn->remote_address == peer.remote;
    const bool by_id = peer.id != nullptr && one.vpn->remote_id && one.vpn->remote_id->match_rank(*peer.id) == 3;
    out.push_back({std::move(one.vpn), std::move(one.judgement.first), one.judgement.cause, by_address || by_id});
  }
  return out;
}

void explain_candidate(const Candidate& candidate, const UnknownPeer& peer, Explanation& out) {
  const model::Vpn& vpn = *candidate.vpn;
  const model::RejectedVpn& why = candidate.rejected;
  out.cause = candidate.cause;
  if (candidate.cause == Cause::IkeProposal) {
    const std::vector<Proposal> chosen = peer.ike_choice == nullptr ? std::vector<Proposal>{} : std::vector<Proposal>{*peer.ike_choice};
    return explain_proposals(OwnProposals::ike(vpn), peer.offered != nullptr ? *peer.offered : chosen, out);
  }
  if (peer.id != nullptr) explain_identities(vpn, local_identity(vpn, peer.local), peer.demanded, peer.id, out);
  out.advice.leaf = "vpn " + vpn.name + " " + why.leaf;
  out.advice.side = Side::Either;
  switch (candidate.cause) {
    case Cause::RemoteId:
      out.advice.text = "set it to " + why.theirs + " here, or the peer's own identity (local-id) to " + why.ours;
      break;
    case Cause::LocalId:
      out.advice.text = "set it to " + why.theirs + " here, or the identity that the peer expects (remote-id) to " + why.ours;
      break;
    case Cause::Version:
      out.advice = {Side::Ours, out.advice.leaf, "set it to 2: no other version is supported yet"};
      break;
    case Cause::NoVpn:
    default:
      out.advice.text = "the peer came " + std::string(why.leaf == "local-address" ? "to " : "from ") + why.theirs + ", configured is " +
                        why.ours + ": set the one to the other";
      break;
  }
  out.advice.text = cell(std::move(out.advice.text));
}

void explain_unknown_peer(Context& context, const UnknownPeer& peer, Explanation base, Effects& out) {
  if (!context.explained_strangers.allows(base.at)) {
    base.rejected_more = context.config->vpns.size();
    if (base.cause == Cause::None) base.cause = Cause::NoVpn;
    out.emplace_back(Explained{std::move(base)});
    return;
  }
  const std::vector<Candidate> candidates = explain_candidates(*context.config, peer, base.rejected_more);
  for (const Candidate& candidate : candidates) {
    base.rejected.push_back(candidate.rejected);
    if (!candidate.meant) continue;
    Explanation one = base;
    one.rejected.clear();
    one.rejected_more = 0;
    one.vpn = candidate.vpn->name;
    explain_candidate(candidate, peer, one);
    out.emplace_back(Explained{std::move(one)});
  }
  if (candidates.empty()) {
    base.cause = Cause::NoVpn;
    base.advice = {Side::Ours, "vpn", "no VPN is configured"};
  } else {
    explain_candidate(candidates.front(), peer, base);
  }
  out.emplace_back(Explained{std::move(base)});
}

void explain_to_address(const Context& context, const Explanation& base, Effects& out) {
  const auto* vpns = context.index.with_remote_address(base.remote.address);
  if (vpns == nullptr) return void(out.emplace_back(Explained{base}));
  for (std::size_t i = 0; i < vpns->size() && i < model::kMaxRejectedVpns; ++i) {
    Explanation one = base;
    one.vpn = (*vpns)[i]->name;
    if (one.advice.leaf == "version") one.advice.leaf = "vpn " + one.vpn + " version";
    out.emplace_back(Explained{std::move(one)});
  }
}

}  // namespace svti::sa
