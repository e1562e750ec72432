// SPDX-License-Identifier: Apache-2.0
#include "config/resolve.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "config/values.h"
#include "model/algorithm.h"

namespace svti::config {

namespace {

using model::AlgorithmKind;
using model::PolicyAction;
using model::StartAction;
using wire::TransformType;

// Values have passed the schema: a conversion cannot fail.

template <typename Number>
Number number(std::string_view value) {
  Number out{};
  std::from_chars(value.data(), value.data() + value.size(), out);
  return out;
}

bool truth(std::string_view value) { return value == "true"; }
seconds as_seconds(std::string_view value) { return seconds(number<std::uint32_t>(value)); }
LogLevel level(std::string_view value) { return value == "disable" ? kLogDisabled : number<LogLevel>(value); }

StartAction start_action(std::string_view value) {
  if (value == "none") return StartAction::None;
  return value == "start" ? StartAction::Start : StartAction::Trap;
}

model::DpdAction dpd_action(std::string_view value) {
  if (value == "clear") return model::DpdAction::Clear;
  return value == "trap" ? model::DpdAction::Trap : model::DpdAction::Restart;
}

model::UniqueSa unique_sa(std::string_view value) {
  if (value == "never") return model::UniqueSa::Never;
  if (value == "keep") return model::UniqueSa::Keep;
  return value == "replace" ? model::UniqueSa::Replace : model::UniqueSa::No;
}

PolicyAction policy_action(std::string_view value) {
  if (value == "ah") return PolicyAction::Ah;
  if (value == "pass") return PolicyAction::Pass;
  return value == "drop" ? PolicyAction::Drop : PolicyAction::Esp;
}

// How each leaf of a node gets into a struct. Leaves that are not named are somebody else's.
template <typename Target>
using Setters = std::vector<std::pair<std::string_view, void (*)(Target&, std::string_view)>>;

template <typename Target>
void apply(const lyd_node* node, const Setters<Target>& setters, Target& target) {
  for (const lyd_node* child : Children(node)) {
    const SchemaNode& schema = schema_of(child);
    if (!schema.is_leaf()) continue;
    const auto setter = std::find_if(setters.begin(), setters.end(), [&](const auto& entry) { return entry.first == schema.name; });
    if (setter != setters.end()) setter->second(target, value_of(child));
  }
}

using model::GlobalOptions;
using model::IkePolicy;
using model::IpsecPolicy;
using Value = std::string_view;

const Setters<IkePolicy>& ike_policy_setters() {
  static const Setters<IkePolicy> kSetters = {
      {"keying-tries", [](IkePolicy& policy, Value value) { policy.keying_tries = number<std::uint32_t>(value); }},
      {"unique-sa", [](IkePolicy& policy, Value value) { policy.unique_sa = unique_sa(value); }},
      {"reauth-time", [](IkePolicy& policy, Value value) { policy.reauth_time = as_seconds(value); }},
      {"rekey-time", [](IkePolicy& policy, Value value) { policy.rekey_time = as_seconds(value); }},
      {"dpd-delay", [](IkePolicy& policy, Value value) { policy.dpd_delay = as_seconds(value); }},
      {"aggressive", [](IkePolicy& policy, Value value) { policy.aggressive = truth(value); }},
      {"udp-encap", [](IkePolicy& policy, Value value) { policy.udp_encap = truth(value); }},
      {"mobike", [](IkePolicy& policy, Value value) { policy.mobike = truth(value); }},
  };
  return kSetters;
}

const Setters<IpsecPolicy>& ipsec_policy_setters() {
  static const Setters<IpsecPolicy> kSetters = {
      {"start-action", [](IpsecPolicy& policy, Value value) { policy.start_action = start_action(value); }},
      {"close-action", [](IpsecPolicy& policy, Value value) { policy.close_action = start_action(value); }},
      {"dpd-action", [](IpsecPolicy& policy, Value value) { policy.dpd_action = dpd_action(value); }},
      {"replay-window", [](IpsecPolicy& policy, Value value) { policy.replay_window = number<std::uint32_t>(value); }},
      {"rekey-time", [](IpsecPolicy& policy, Value value) { policy.rekey_time = as_seconds(value); }},
      {"rekey-bytes", [](IpsecPolicy& policy, Value value) { policy.rekey_bytes = number<std::uint64_t>(value); }},
      {"rekey-packets", [](IpsecPolicy& policy, Value value) { policy.rekey_packets = number<std::uint64_t>(value); }},
      {"encap-copy-dscp", [](IpsecPolicy& policy, Value value) { policy.encap_copy_dscp = truth(value); }},
      {"decap-copy-dscp", [](IpsecPolicy& policy, Value value) { policy.decap_copy_dscp = truth(value); }},
      {"encap-copy-df", [](IpsecPolicy& policy, Value value) { policy.encap_copy_df = truth(value); }},
  };
  return kSetters;
}

const Setters<GlobalOptions>& global_setters() {
  static const Setters<GlobalOptions> kSetters = {
      {"threads", [](GlobalOptions& global, Value value) { global.threads = number<std::uint32_t>(value); }},
      {"acquire-timeout", [](GlobalOptions& global, Value value) { global.acquire_timeout = as_seconds(value); }},
      {"install-routes", [](GlobalOptions& global, Value value) { global.install_routes = truth(value); }},
      {"routing-table", [](GlobalOptions& global, Value value) { global.routing_table = number<std::uint32_t>(value); }},
      {"routing-table-prio", [](GlobalOptions& global, Value value) { global.routing_table_prio = number<std::uint32_t>(value); }},
      {"retransmit-tries", [](GlobalOptions& global, Value value) { global.retransmit_tries = number<std::uint32_t>(value); }},
      {"retransmit-timeout",
       [](GlobalOptions& global, Value value) { global.retransmit_timeout = milliseconds(std::llround(number<double>(value) * 1000)); }},
      {"retransmit-base", [](GlobalOptions& global, Value value) { global.retransmit_base = number<double>(value); }},
      {"delete-rekeyed-delay", [](GlobalOptions& global, Value value) { global.delete_rekeyed_delay = as_seconds(value); }},
  };
  return kSetters;
}

const Setters<GlobalOptions>& dos_protection_setters() {
  static const Setters<GlobalOptions> kSetters = {
      {"cookie-threshold",
       [](GlobalOptions& global, Value value) {
         global.cookie_threshold = value == "always" ? GlobalOptions::kCookieAlways : number<std::uint32_t>(value);
       }},
      {"block-threshold", [](GlobalOptions& global, Value value) { global.block_threshold = number<std::uint32_t>(value); }},
      {"init-limit-half-open", [](GlobalOptions& global, Value value) { global.init_limit_half_open = number<std::uint32_t>(value); }},
  };
  return kSetters;
}

const Setters<GlobalOptions>& sp_hash_ipv4_setters() {
  static const Setters<GlobalOptions> kSetters = {
      {"local", [](GlobalOptions& global, Value value) { global.sp_hash_ipv4_local = number<std::uint8_t>(value); }},
      {"remote", [](GlobalOptions& global, Value value) { global.sp_hash_ipv4_remote = number<std::uint8_t>(value); }},
  };
  return kSetters;
}

const Setters<GlobalOptions>& sp_hash_ipv6_setters() {
  static const Setters<GlobalOptions> kSetters = {
      {"local", [](GlobalOptions& global, Value value) { global.sp_hash_ipv6_local = number<std::uint8_t>(value); }},
      {"remote", [](GlobalOptions& global, Value value) { global.sp_hash_ipv6_remote = number<std::uint8_t>(value); }},
  };
  return kSetters;
}

GlobalOptions global_options(const lyd_node* node) {
  GlobalOptions out;
  apply(node, global_setters(), out);
  apply(child_named(node, "dos-protection"), dos_protection_setters(), out);
  apply(child_named(node, "sp-hash-ipv4"), sp_hash_ipv4_setters(), out);
  apply(child_named(node, "sp-hash-ipv6"), sp_hash_ipv6_setters(), out);
  return out;
}

void facility_levels(const lyd_node* facility, std::array<LogLevel, kSubsystemNames.size()>& out) {
  if (const lyd_node* all = child_named(facility, "default")) out.fill(level(value_of(all)));
  for (const lyd_node* child : Children(facility)) {
    const auto subsystem = std::find(kSubsystemNames.begin(), kSubsystemNames.end(), schema_of(child).name);
    if (subsystem != kSubsystemNames.end()) out[static_cast<std::size_t>(subsystem - kSubsystemNames.begin())] = level(value_of(child));
  }
}

// Proposals

struct AlgorithmLeaf {
  std::string_view leaf;
  AlgorithmKind kind;
};
// in the order in which the transforms of a proposal are written
constexpr std::array<AlgorithmLeaf, 5> kAlgorithmLeaves = {{
    {"enc-alg", AlgorithmKind::Encryption},
    {"aead-alg", AlgorithmKind::Aead},
    {"prf-alg", AlgorithmKind::Prf},
    {"auth-alg", AlgorithmKind::Integrity},
    {"dh-group", AlgorithmKind::DhGroup},
}};

std::vector<wire::Transform> transforms_of(const lyd_node* proposal) {
  std::vector<wire::Transform> out;
  for (const AlgorithmLeaf& leaf : kAlgorithmLeaves) {
    for (const lyd_node* child : Children(proposal)) {
      if (schema_of(child).name != leaf.leaf) continue;
      // the schema's names and the table's are the same: a test compares them
      out.push_back(model::to_transform(*model::find_algorithm(leaf.kind, value_of(child))));
    }
  }
  return out;
}

// "IKE policy templates": without prf-alg the integrity algorithms serve as pseudo-random functions
void add_default_prfs(std::vector<wire::Transform>& transforms) {
  const auto is_prf = [](const wire::Transform& transform) { return transform.type == TransformType::Prf; };
  if (std::any_of(transforms.begin(), transforms.end(), is_prf)) return;
  std::vector<wire::Transform> prfs;
  for (const wire::Transform& transform : transforms) {
    if (transform.type != TransformType::Integrity) continue;
    if (const auto prf = model::prf_of_integrity(transform.id)) prfs.push_back(wire::transform(TransformType::Prf, *prf));
  }
  const auto first_integrity = std::find_if(transforms.begin(), transforms.end(),
                                            [](const wire::Transform& transform) { return transform.type == TransformType::Integrity; });
  transforms.insert(first_integrity, prfs.begin(), prfs.end());
}

// RFC 7296 3.3.2: the ESN transform is mandatory with ESP and AH
void add_esn(const lyd_node* proposal, std::vector<wire::Transform>& transforms) {
  const std::size_t before = transforms.size();
  for (const lyd_node* child : Children(proposal)) {
    if (schema_of(child).name != "esn") continue;
    transforms.push_back(wire::transform(TransformType::Esn, truth(value_of(child)) ? wire::EsnId::Esn : wire::EsnId::None));
  }
  if (transforms.size() == before) transforms.push_back(wire::transform(TransformType::Esn, wire::EsnId::None));
}

// the proposals of a policy in ascending order of id, numbered from 1; `protocol` says which list
std::vector<wire::Proposal> proposals_of(const lyd_node* policy, wire::ProtocolId protocol) {
  const std::string_view list = protocol == wire::ProtocolId::Ike   ? "ike-proposal"
                                : protocol == wire::ProtocolId::Esp ? "esp-proposal"
                                                                    : "ah-proposal";
  std::map<unsigned, const lyd_node*> by_id;
  for (const lyd_node* child : Children(policy)) {
    if (schema_of(child).name == list) by_id.emplace(number<unsigned>(key_of(child)), child);
  }
  std::vector<wire::Proposal> out;
  for (const auto& [id, node] : by_id) {
    wire::Proposal proposal;
    proposal.number = static_cast<std::uint8_t>(out.size() + 1);  // the schema allows 64
    proposal.protocol = protocol;
    proposal.transforms = transforms_of(node);
    if (protocol == wire::ProtocolId::Ike) {
      add_default_prfs(proposal.transforms);
    } else {
      add_esn(node, proposal.transforms);
    }
    out.push_back(std::move(proposal));
  }
  return out;
}

bool offers_esn(const std::vector<wire::Proposal>& proposals) {
  const wire::Transform esn = wire::transform(TransformType::Esn, wire::EsnId::Esn);
  return std::any_of(proposals.begin(), proposals.end(), [&](const wire::Proposal& proposal) {
    return std::find(proposal.transforms.begin(), proposal.transforms.end(), esn) != proposal.transforms.end();
  });
}

// Policies: a template's, or a VPN's with its template below it

struct EffectiveIkePolicy {
  IkePolicy policy;
  const lyd_node* local_auth = nullptr;  // the leaf in force; null: the default
  const lyd_node* remote_auth = nullptr;
};

void overlay(const lyd_node* node, EffectiveIkePolicy& out) {
  apply(node, ike_policy_setters(), out.policy);
  if (auto own = proposals_of(node, wire::ProtocolId::Ike); !own.empty()) out.policy.proposals = std::move(own);
  if (const lyd_node* leaf = child_named(node, "local-auth-method")) out.local_auth = leaf;
  if (const lyd_node* leaf = child_named(node, "remote-auth-method")) out.remote_auth = leaf;
}

void overlay(const lyd_node* node, IpsecPolicy& out) {
  apply(node, ipsec_policy_setters(), out);
  if (auto own = proposals_of(node, wire::ProtocolId::Esp); !own.empty()) out.esp_proposals = std::move(own);
  if (auto own = proposals_of(node, wire::ProtocolId::Ah); !own.empty()) out.ah_proposals = std::move(own);
}

template <typename Policy>
using Templates = std::map<std::string_view, Policy>;  // keys borrow from the tree

// `container` null: nothing is set
template <typename Policy>
Policy effective(const lyd_node* container, const Templates<Policy>& templates) {
  Policy out;
  const lyd_node* reference = child_named(container, "template");
  if (reference) out = templates.at(value_of(reference));  // the schema has found it
  overlay(container, out);
  return out;
}

model::SelectorConfig selector_of(const lyd_node* container) {
  model::SelectorConfig out;
  for (const lyd_node* child : Children(container)) {
    const std::string_view name = schema_of(child).name;
    if (name == "subnet") out.subnet = *Prefix::parse(value_of(child));
    if (name == "protocol") out.protocol = number<std::uint8_t>(value_of(child));
    if (name == "port") out.start_port = out.end_port = number<std::uint16_t>(value_of(child));
  }
  return out;
}

// One VPN. Refusals are for what would leave traffic or peers unprotected if it were merely left out.
class VpnResolver {
 public:
  VpnResolver(const lyd_node* vpn, Findings& findings) : node_(vpn), findings_(findings) { out_.name = key_of(vpn); }

  model::Vpn resolve(const Templates<EffectiveIkePolicy>& ike_templates, const Templates<IpsecPolicy>& ipsec_templates) && {
    const EffectiveIkePolicy ike = effective(child_named(node_, "ike-policy"), ike_templates);
    out_.ike = ike.policy;
    out_.ipsec = effective(child_named(node_, "ipsec-policy"), ipsec_templates);
    for (const lyd_node* child : Children(node_)) read(child);
    check_auth(ike.local_auth);
    check_auth(ike.remote_auth);
    check_peers();
    check_proposals();
    return std::move(out_);
  }

 private:
  void error(const lyd_node* at, std::string message) { findings_.error(line_of(at), path_of(at), std::move(message)); }
  void warning(const lyd_node* at, std::string message) { findings_.warning(line_of(at), path_of(at), std::move(message)); }

  void read(const lyd_node* child) {
    const std::string_view name = schema_of(child).name;
    if (name == "description") out_.description = value_of(child);
    if (name == "version") read_version(child);
    if (name == "local-address") out_.local_address = *IpAddress::parse(value_of(child));
    if (name == "remote-address") out_.remote_address = *IpAddress::parse(value_of(child));
    if (name == "local-id") out_.local_id = *model::Identity::parse(value_of(child));
    if (name == "remote-id") read_remote_id(child);
    if (name == "vip-pool" || name == "vip-request") error(child, "virtual addresses are not supported yet");
    if (name == "security-policy") read_policy(child);
  }

  void read_version(const lyd_node* leaf) {
    out_.version = number<std::uint8_t>(value_of(leaf));
    if (out_.version != 2) error(leaf, "IKEv1 is not supported yet: expected 2");
  }

  void read_remote_id(const lyd_node* leaf) {
    const model::Identity id = *model::Identity::parse(value_of(leaf));
    if (!id.is_any()) out_.remote_id = id;
  }

  void read_policy(const lyd_node* node) {
    model::SecurityPolicy policy;
    policy.name = key_of(node);
    policy.local_ts = {selector_of(child_named(node, "local-ts"))};
    policy.remote_ts = {selector_of(child_named(node, "remote-ts"))};
    for (const lyd_node* child : Children(node)) {
      const std::string_view name = schema_of(child).name;
      if (name == "action") policy.action = policy_action(value_of(child));
      if (name == "mode") policy.mode = value_of(child) == "transport" ? model::Mode::Transport : model::Mode::Tunnel;
      if (name == "priority") policy.priority = number<std::uint32_t>(value_of(child));
      if (name == "svti-id-in") policy.svti_id_in = number<std::uint32_t>(value_of(child));
      if (name == "svti-id-out") policy.svti_id_out = number<std::uint32_t>(value_of(child));
    }
    check_policy(node, policy);
    has_policy_ = true;
    // what cannot be carried out must not be taken for an ESP policy by anybody
    if (policy.action == PolicyAction::Esp) out_.policies.push_back(std::move(policy));
  }

  void check_policy(const lyd_node* node, const model::SecurityPolicy& policy) {
    check_action(node, policy);
    if (policy.mode == model::Mode::Transport) error(child_named(node, "mode"), "transport is not supported yet: expected tunnel");
    const auto& local = policy.local_ts.front().subnet;
    const auto& remote = policy.remote_ts.front().subnet;
    if (local && remote && local->family() != remote->family()) error(node, "local-ts and remote-ts must both be IPv4 or both be IPv6");
    if ((policy.svti_id_in == 0) != (policy.svti_id_out == 0)) {
      const std::string set = policy.svti_id_in != 0 ? "svti-id-in" : "svti-id-out";
      warning(node, "only " + set + " is set: the other direction does not pass through an SVTI");
    }
  }

  void check_action(const lyd_node* node, const model::SecurityPolicy& policy) {
    const lyd_node* leaf = child_named(node, "action");
    const bool has_svti = policy.svti_id_in != 0 || policy.svti_id_out != 0;
    switch (policy.action) {
      case PolicyAction::Esp:
        return;
      case PolicyAction::Ah:
        return error(leaf, "ah is not supported yet: expected esp");
      case PolicyAction::Pass:
        if (has_svti) return error(leaf, "pass cannot stand with an svti-id: what is routed into an SVTI would leave it unprotected");
        return warning(leaf, "pass has no effect yet: the policy is left out");
      case PolicyAction::Drop:
        // an SVTI drops what no policy matches; without one, clear traffic that was to be dropped would pass
        if (!has_svti) return error(leaf, "drop is not supported yet without an svti-id");
        return warning(leaf, "drop has no effect yet: the policy is left out; an SVTI drops what no other policy matches");
    }
  }

  void check_auth(const lyd_node* leaf) {
    if (!leaf || value_of(leaf) == "pre-shared-key") return;
    const std::string used = schema_of(leaf).parent->kind == Kind::List ? ", and VPN " + quoted(out_.name) + " uses it" : "";
    error(leaf, std::string(value_of(leaf)) + " is not supported yet" + used + ": expected pre-shared-key");
  }

  void check_peers() {
    const auto& local = out_.local_address;
    const auto& remote = out_.remote_address;
    if (local && remote && local->family() != remote->family())
      error(node_, "local-address and remote-address must both be IPv4 or both be IPv6");
    if (!has_policy_) warning(node_, "has no security-policy: there is nothing to negotiate");
    if (remote) return;
    if (out_.ipsec.start_action != StartAction::None) {
      warning(node_, "without remote-address there is nobody to negotiate with: start-action is treated as none");
    }
    out_.ipsec.start_action = StartAction::None;
    out_.ipsec.close_action = StartAction::None;
  }

  void check_proposals() {
    if (out_.ike.proposals.empty()) error(node_, "needs an ike-proposal, in its ike-policy or in the template of that");
    if (out_.policies.empty()) return;
    if (out_.ipsec.esp_proposals.empty()) error(node_, "needs an esp-proposal, in its ipsec-policy or in the template of that");
    // RFC 4303 3.3.3 asks for no window, Linux does: it refuses an SA with ESN and none
    if (out_.ipsec.replay_window == 0 && offers_esn(out_.ipsec.esp_proposals)) error(node_, "esn true needs a replay-window of at least 1");
  }

  const lyd_node* node_;
  Findings& findings_;
  model::Vpn out_;
  bool has_policy_ = false;
};

std::shared_ptr<const model::PresharedKey> preshared_key(const lyd_node* node) {
  auto out = std::make_shared<model::PresharedKey>();
  out->name = key_of(node);
  for (const lyd_node* child : Children(node)) {
    if (schema_of(child).name == "id") out->ids.push_back(*model::Identity::parse(value_of(child)));
    if (schema_of(child).name == "secret") out->secret = std::move(*decode_secret(value_of(child)));
  }
  return out;
}

}  // namespace

model::ConfigurationPtr resolve(const lyd_node* ike, Findings& findings) {
  auto out = std::make_shared<model::Configuration>();
  Templates<EffectiveIkePolicy> ike_templates;
  Templates<IpsecPolicy> ipsec_templates;
  // a template may stand behind the VPN that uses it
  for (const lyd_node* child : Children(ike)) {
    if (schema_of(child).name == "ike-policy-template") overlay(child, ike_templates[key_of(child)]);
    if (schema_of(child).name == "ipsec-policy-template") overlay(child, ipsec_templates[key_of(child)]);
  }
  for (const lyd_node* child : Children(ike)) {
    const std::string_view name = schema_of(child).name;
    if (name == "enabled") out->enabled = truth(value_of(child));
    if (name == "global-options") out->global = global_options(child);
    if (name == "logging") {
      facility_levels(child_named(child, "daemon"), out->logging.daemon);
      facility_levels(child_named(child, "authpriv"), out->logging.authpriv);
    }
    if (name == "pre-shared-key") out->preshared_keys.push_back(preshared_key(child));
    if (name != "vpn") continue;
    auto vpn = std::make_shared<const model::Vpn>(VpnResolver(child, findings).resolve(ike_templates, ipsec_templates));
    out->vpns.emplace(vpn->name, vpn);
  }
  return out;
}

namespace {

void warn_below(const lyd_node* node, std::set<std::string_view>& warned, Findings& findings) {
  for (const lyd_node* child : Children(node)) {
    if (is_default(child)) continue;
    const SchemaNode& schema = schema_of(child);
    if (!schema.no_effect_yet) {
      if (!schema.is_leaf()) warn_below(child, warned, findings);
      continue;
    }
    if (schema.is_leaf() && *schema.no_effect_yet == value_of(child)) continue;
    if (!warned.insert(schema.name).second) continue;
    findings.warning(line_of(child), path_of(child), "has no effect yet: this version keeps and shows it, and does nothing with it");
  }
}

}  // namespace

void warn_without_effect(const lyd_node* ike, Findings& findings) {
  std::set<std::string_view> warned;
  warn_below(ike, warned, findings);
}

}  // namespace svti::config
