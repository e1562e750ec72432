// SPDX-License-Identifier: Apache-2.0
#include "config/resolve.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "auth/certificates.h"
#include "config/values.h"
#include "config/weak_algorithms.h"
#include "crypto/key_exchange.h"
#include "model/algorithm.h"
#include "model/pool.h"

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

model::Childless childless(std::string_view value) {
  const auto name = std::find(model::kChildlessNames.begin(), model::kChildlessNames.end(), value);
  return static_cast<model::Childless>(name - model::kChildlessNames.begin());
}

model::HwOffload hw_offload(std::string_view value) {
  if (value == "auto") return model::HwOffload::Auto;
  if (value == "crypto") return model::HwOffload::Crypto;
  return value == "packet" ? model::HwOffload::Packet : model::HwOffload::No;
}

PolicyAction policy_action(std::string_view value) {
  if (value == "ah") return PolicyAction::Ah;
  if (value == "pass") return PolicyAction::Pass;
  return value == "drop" ? PolicyAction::Drop : PolicyAction::Esp;
}

const std::vector<NodePtr>& children_of(const Node* node) {
  static const std::vector<NodePtr> kNone;
  return node ? node->children : kNone;
}

const Node* child_named(const Node* node, std::string_view name) { return node ? node->child(name) : nullptr; }

// How each leaf of a node gets into a struct. Leaves that are not named are somebody else's.
template <typename Target>
using Setters = std::vector<std::pair<std::string_view, void (*)(Target&, std::string_view)>>;

template <typename Target>
void apply(std::string_view leaf, std::string_view value, const Setters<Target>& setters, Target& target) {
  const auto setter = std::find_if(setters.begin(), setters.end(), [&](const auto& entry) { return entry.first == leaf; });
  if (setter != setters.end()) setter->second(target, value);
}

template <typename Target>
void apply(const Node* node, const Setters<Target>& setters, Target& target) {
  for (const NodePtr& child : children_of(node)) {
    if (child->is_leaf()) apply(child->schema->name, child->text, setters, target);
  }
}

template <typename Target>
void apply_defaults(const SchemaNode& schema, const Setters<Target>& setters, Target& target) {
  for (const auto& child : schema.children) {
    if (child->default_value) apply(child->name, *child->default_value, setters, target);
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
      {"ppk-id", [](IkePolicy& policy, Value value) { policy.ppk_id = *model::Identity::parse(value); }},
      {"ppk-required", [](IkePolicy& policy, Value value) { policy.ppk_required = truth(value); }},
      {"childless", [](IkePolicy& policy, Value value) { policy.childless = childless(value); }},
      {"redirect", [](IkePolicy& policy, Value value) { policy.redirect = truth(value); }},
      {"session-resumption", [](IkePolicy& policy, Value value) { policy.session_resumption = truth(value); }},
      {"redirect-to", [](IkePolicy& policy, Value value) { policy.redirect_to = *wire::GatewayIdentity::parse(value); }},
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
      {"hw-offload", [](IpsecPolicy& policy, Value value) { policy.hw_offload = hw_offload(value); }},
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
      {"make-before-break", [](GlobalOptions& global, Value value) { global.make_before_break = truth(value); }},
      {"mobike-prefer-best-path", [](GlobalOptions& global, Value value) { global.mobike_prefer_best_path = truth(value); }},
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

// one container below global-options, or itself: its defaults, then what is written
void apply_container(const SchemaNode& schema, const Node* node, const Setters<GlobalOptions>& setters, GlobalOptions& out) {
  apply_defaults(schema, setters, out);
  apply(node, setters, out);
}

GlobalOptions global_options(const SchemaNode& schema, const Node* node) {
  GlobalOptions out;
  apply_container(schema, node, global_setters(), out);
  apply_container(*schema.child("dos-protection"), child_named(node, "dos-protection"), dos_protection_setters(), out);
  apply_container(*schema.child("sp-hash-ipv4"), child_named(node, "sp-hash-ipv4"), sp_hash_ipv4_setters(), out);
  apply_container(*schema.child("sp-hash-ipv6"), child_named(node, "sp-hash-ipv6"), sp_hash_ipv6_setters(), out);
  return out;
}

void facility_levels(const SchemaNode& schema, const Node* facility, std::array<LogLevel, kSubsystemNames.size()>& out) {
  const Node* all = child_named(facility, "default");
  out.fill(level(all ? std::string_view(all->text) : *schema.child("default")->default_value));
  for (const NodePtr& child : children_of(facility)) {
    const auto subsystem = std::find(kSubsystemNames.begin(), kSubsystemNames.end(), child->schema->name);
    if (subsystem != kSubsystemNames.end()) out[static_cast<std::size_t>(subsystem - kSubsystemNames.begin())] = level(child->text);
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

std::vector<wire::Transform> transforms_of(const Node* proposal) {
  std::vector<wire::Transform> out;
  for (const AlgorithmLeaf& leaf : kAlgorithmLeaves) {
    for (const NodePtr& child : children_of(proposal)) {
      if (child->schema->name != leaf.leaf) continue;
      // the schema's names and the table's are the same: a test compares them
      out.push_back(model::to_transform(*model::find_algorithm(leaf.kind, child->text)));
    }
  }
  for (const NodePtr& child : children_of(proposal)) {
    static constexpr std::string_view kLeaf = "additional-key-exchange-";
    if (!child->schema->name.starts_with(kLeaf)) continue;
    out.push_back(
        *model::additional_key_exchange(number<unsigned>(std::string_view(child->schema->name).substr(kLeaf.size())), child->text));
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
void add_esn(const Node* proposal, std::vector<wire::Transform>& transforms) {
  const std::size_t before = transforms.size();
  for (const NodePtr& child : children_of(proposal)) {
    if (child->schema->name != "esn") continue;
    transforms.push_back(wire::transform(TransformType::Esn, truth(child->text) ? wire::EsnId::Esn : wire::EsnId::None));
  }
  if (transforms.size() == before) transforms.push_back(wire::transform(TransformType::Esn, wire::EsnId::None));
}

// the proposals of a policy in ascending order of id, numbered from 1; `protocol` says which list
std::vector<wire::Proposal> proposals_of(const Node* policy, wire::ProtocolId protocol, std::vector<model::ProposalLabel>* labels) {
  const std::string_view list = protocol == wire::ProtocolId::Ike   ? "ike-proposal"
                                : protocol == wire::ProtocolId::Esp ? "esp-proposal"
                                                                    : "ah-proposal";
  std::map<unsigned, const Node*> by_id;
  for (const NodePtr& child : children_of(policy)) {
    if (child->schema->name == list) by_id.emplace(number<unsigned>(child->text), child.get());
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
    if (labels != nullptr) labels->push_back({static_cast<std::uint16_t>(id)});
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
  const Node* local_auth = nullptr;  // the leaf in force; null: the default
  const Node* remote_auth = nullptr;
  model::Revocation revocation = model::Revocation::Relaxed;
};

void overlay(const Node* node, EffectiveIkePolicy& out) {
  apply(node, ike_policy_setters(), out.policy);
  std::vector<model::ProposalLabel> labels;
  if (auto own = proposals_of(node, wire::ProtocolId::Ike, &labels); !own.empty()) {
    out.policy.proposals = std::move(own);
    out.policy.labels = std::move(labels);
  }
  if (const Node* leaf = child_named(node, "local-auth-method")) out.local_auth = leaf;
  if (const Node* leaf = child_named(node, "remote-auth-method")) out.remote_auth = leaf;
  if (const Node* leaf = child_named(node, "revocation")) {
    const auto name = std::find(model::kRevocationNames.begin(), model::kRevocationNames.end(), leaf->text);
    out.revocation = static_cast<model::Revocation>(name - model::kRevocationNames.begin());
  }
}

void overlay(const Node* node, IpsecPolicy& out) {
  apply(node, ipsec_policy_setters(), out);
  std::vector<model::ProposalLabel> labels;
  if (auto own = proposals_of(node, wire::ProtocolId::Esp, &labels); !own.empty()) {
    out.esp_proposals = std::move(own);
    out.esp_labels = std::move(labels);
  }
  labels.clear();
  if (auto own = proposals_of(node, wire::ProtocolId::Ah, &labels); !own.empty()) {
    out.ah_proposals = std::move(own);
    out.ah_labels = std::move(labels);
  }
}

// where a policy begins before anything is written: the defaults of templates
EffectiveIkePolicy defaults_of(const SchemaNode& schema, const EffectiveIkePolicy*) {
  EffectiveIkePolicy out;
  apply_defaults(schema, ike_policy_setters(), out.policy);
  return out;
}

IpsecPolicy defaults_of(const SchemaNode& schema, const IpsecPolicy*) {
  IpsecPolicy out;
  apply_defaults(schema, ipsec_policy_setters(), out);
  return out;
}

// The templates of one kind, and what holds without one.
template <typename Policy>
class Templates {
 public:
  explicit Templates(const SchemaNode& schema) : schema_(schema), defaults_(defaults_of(schema, static_cast<Policy*>(nullptr))) {}

  void add(const Node* node) {
    if (node->schema != &schema_) return;
    const auto entry = by_name_.emplace(node->text, Entry{defaults_, node}).first;
    overlay(node, entry->second.policy);
  }

  // `container`: a VPN's own policy; null: nothing is set
  Policy effective(const Node* container) const {
    const Entry* base = base_of(container);
    Policy out = base ? base->policy : defaults_;
    overlay(container, out);
    return out;
  }
  // the template that it names, or null
  const Node* used_by(const Node* container) const {
    const Entry* base = base_of(container);
    return base ? base->node : nullptr;
  }

 private:
  struct Entry {
    Policy policy;
    const Node* node;
  };
  const Entry* base_of(const Node* container) const {
    const Node* reference = child_named(container, "template");
    return reference ? &by_name_.at(reference->text) : nullptr;  // validation has found it
  }

  const SchemaNode& schema_;
  Policy defaults_;
  std::unordered_map<std::string_view, Entry> by_name_;  // keys borrow from the tree
};

// what the VPNs of one `ike` have in common
struct Surroundings {
  const Node& ike;
  std::string path;  // of `ike`
  const CredentialResolver& credentials;
  Templates<EffectiveIkePolicy> ike_templates;
  Templates<IpsecPolicy> ipsec_templates;
};

model::SelectorConfig selector_of(const Node* container) {
  model::SelectorConfig out;
  for (const NodePtr& child : children_of(container)) {
    const std::string_view name = child->schema->name;
    if (name == "subnet") out.subnet = *Prefix::parse(child->text);
    if (name == "protocol") out.protocol = number<std::uint8_t>(child->text);
    if (name == "port") out.start_port = out.end_port = number<std::uint16_t>(child->text);
  }
  return out;
}

// One VPN. Refusals are for what would leave traffic or peers unprotected if it were merely left out.
class VpnResolver {
 public:
  VpnResolver(const Node& vpn, const Surroundings& around, Findings& findings) : node_(&vpn), around_(around), findings_(findings) {
    out_.name = vpn.text;
  }

  model::Vpn resolve() {
    const EffectiveIkePolicy ike = around_.ike_templates.effective(node_->child("ike-policy"));
    out_.ike = ike.policy;
    out_.ipsec = around_.ipsec_templates.effective(node_->child("ipsec-policy"));
    // ADR 0021: such an SA may send in clear, and what it receives passes by the SVTI.
    if (out_.ipsec.hw_offload == model::HwOffload::Packet)
      error(node_,
            "hw-offload packet is refused: Linux hands the device clear text that no SA is named with, which leaves as it is "
            "when routes or policies change: expected no, auto or crypto");
    out_.version = number<std::uint8_t>(node_->value("version"));
    if (out_.version != 2) error(node_->child("version"), "IKEv1 is not supported yet: expected 2");
    for (const NodePtr& child : node_->children) read(child.get());
    out_.authentication.local = auth_method(ike.local_auth);
    out_.authentication.remote = auth_method(ike.remote_auth);
    out_.authentication.revocation = ike.revocation;
    check_certificates();
    check_eap(ike.local_auth, ike.remote_auth);
    check_peers();
    check_virtual_addresses();
    check_proposals();
    return std::move(out_);
  }
  bool has_findings() const { return has_findings_; }

 private:
  void error(const Node* at, std::string message) {
    has_findings_ = true;
    findings_.error(at->line, path_of(at), std::move(message));
  }
  void warning(const Node* at, std::string message) {
    has_findings_ = true;
    findings_.warning(at->line, path_of(at), std::move(message));
  }
  // of a node of the VPN, or of a template
  std::string path_of(const Node* node) const {
    // findings are bounded, and so is the search for their places
    if (findings_.full()) return "";
    const std::string path = step_path(around_.path, *node_);
    if (node == node_) return path;
    const std::string within = path_below(*node_, path, *node);
    return within == path ? path_below(around_.ike, around_.path, *node) : within;
  }

  void read(const Node* child) {
    const std::string_view name = child->schema->name;
    if (name == "description") out_.description = child->text;
    if (name == "local-address") out_.local_address = *IpAddress::parse(child->text);
    if (name == "remote-address") out_.remote_address = *IpAddress::parse(child->text);
    if (name == "local-id") out_.local_id = *model::Identity::parse(child->text);
    if (name == "local-eap-id") out_.authentication.local_eap_id = *model::Identity::parse(child->text);
    if (name == "remote-eap-id") out_.authentication.remote_eap_id = *model::Identity::parse(child->text);
    if (name == "remote-id") read_remote_id(child);
    // what is missing here has errors of its own, which are told
    if (name == "certificate") {
      if (auto one = around_.credentials.certificate(child->text)) out_.authentication.certificates.push_back(std::move(one));
    }
    if (name == "remote-ca-certificate") {
      if (auto one = around_.credentials.authority(child->text)) out_.authentication.authorities.push_back(std::move(one));
    }
    if (name == "vip-pool") out_.vip_pools.push_back(child->text);
    if (name == "vip-request") read_vip_request(child);
    if (name == "security-policy") read_policy(child);
  }

  void read_remote_id(const Node* leaf) {
    const model::Identity id = *model::Identity::parse(leaf->text);
    if (!id.is_any()) out_.remote_id = id;
  }

  void read_vip_request(const Node* leaf) {
    const IpAddress asked = *IpAddress::parse(leaf->text);
    const bool twice = std::any_of(out_.vip_request.begin(), out_.vip_request.end(),
                                   [&](const IpAddress& other) { return other.family() == asked.family(); });
    if (twice) return error(leaf, std::string("a second ") + (asked.is_v4() ? "IPv4" : "IPv6") + " address: at most one of each family");
    out_.vip_request.push_back(asked);
  }

  void read_policy(const Node* node) {
    model::SecurityPolicy policy;
    policy.name = node->text;
    policy.local_ts = {selector_of(node->child("local-ts"))};
    policy.remote_ts = {selector_of(node->child("remote-ts"))};
    policy.action = policy_action(node->value("action"));
    policy.mode = node->value("mode") == "transport" ? model::Mode::Transport : model::Mode::Tunnel;
    policy.priority = number<std::uint32_t>(node->value("priority"));
    policy.svti_id_in = number<std::uint32_t>(node->value("svti-id-in"));
    policy.svti_id_out = number<std::uint32_t>(node->value("svti-id-out"));
    check_policy(node, policy);
    has_policy_ = true;
    out_.policies.push_back(std::move(policy));
  }

  void check_policy(const Node* node, const model::SecurityPolicy& policy) {
    check_action(node, policy);
    check_mode(node, policy);
    const auto& local = policy.local_ts.front().subnet;
    const auto& remote = policy.remote_ts.front().subnet;
    if (local && remote && local->family() != remote->family()) error(node, "local-ts and remote-ts must both be IPv4 or both be IPv6");
    if ((policy.svti_id_in == 0) != (policy.svti_id_out == 0)) {
      const std::string set = policy.svti_id_in != 0 ? "svti-id-in" : "svti-id-out";
      warning(node, "only " + set + " is set: the other direction does not pass through an SVTI");
    }
  }

  void check_action(const Node* node, const model::SecurityPolicy& policy) {
    const bool has_svti = policy.svti_id_in != 0 || policy.svti_id_out != 0;
    if (policy.action == PolicyAction::Pass && has_svti)
      error(child_named(node, "action"), "pass cannot stand with an svti-id: what is routed into an SVTI would leave it unprotected");
    if (!policy.negotiated() && !policy.remote_ts.front().subnet && !node_->child("remote-address"))
      error(node, "without remote-address its remote-ts needs a subnet");
  }

  void check_mode(const Node* node, const model::SecurityPolicy& policy) {
    if (policy.mode != model::Mode::Transport) return;
    const Node* leaf = child_named(node, "mode");
    if (!policy.negotiated()) return warning(leaf, "transport has no meaning for what passes or is dropped");
    const auto is_host = [](const model::SelectorConfig& one) {
      return !one.subnet || one.subnet->length() == one.subnet->address().bits();
    };
    if (!is_host(policy.local_ts.front()) || !is_host(policy.remote_ts.front()))
      return error(leaf, "transport is for the traffic of the two ends themselves: leave local-ts subnet and remote-ts subnet unset");
    if (policy.svti_id_in != 0 || policy.svti_id_out != 0)
      warning(leaf,
              "transport with an svti-id: the way to the peer has to lead through the SVTI for its traffic, and not for what leaves it");
  }

  model::AuthMethod auth_method(const Node* leaf) {
    if (!leaf) return model::AuthMethod::PresharedKey;
    const auto name = std::find(model::kAuthMethodNames.begin(), model::kAuthMethodNames.end(), leaf->text);
    return static_cast<model::AuthMethod>(name - model::kAuthMethodNames.begin());
  }

  void check_eap(const Node* local_leaf, const Node* remote_leaf) {
    const model::Authentication& how = out_.authentication;
    const auto at = [&](const Node* leaf) { return leaf ? leaf : node_; };
    const std::string local(name_of(how.local)), remote(name_of(how.remote));
    if (const std::string wrong = how.hindrance(); !wrong.empty()) {
      const Node* leaf = at(is_eap(how.remote) ? remote_leaf : local_leaf);
      const bool in_template = leaf != node_ && leaf->schema->parent->kind == Kind::List;
      return error(leaf, wrong + (in_template ? " (VPN " + quoted(out_.name) + " uses it)" : ""));
    }
    if (how.remote == model::AuthMethod::EapRadius && !around_.ike.child("eap-radius"))
      return error(at(remote_leaf), "there is no eap-radius server to ask (VPN " + quoted(out_.name) + " uses it)");
    const Node* local_eap_id = node_->child("local-eap-id");
    const Node* remote_eap_id = node_->child("remote-eap-id");
    if (local_eap_id && !is_eap(how.local)) warning(local_eap_id, "has no effect with local-auth-method " + local);
    if (remote_eap_id && !is_eap(how.remote) && !how.uses_eap_tls())
      warning(remote_eap_id, "has no effect with remote-auth-method " + remote);
    if (!is_eap(how.local) && !is_eap(how.remote)) return;
    if (is_eap(how.local) && is_eap(how.remote) && !how.uses_eap_tls()) {
      warning(at(local_leaf),
              local + " at both ends is EAP alone (RFC 5998): who takes the gateway's place may try passwords on what the user answers");
    }
    if (is_eap(how.local) && !is_eap(how.remote) && !out_.remote_address)
      warning(at(local_leaf), local + " is for the end that begins, and without remote-address this one never does");
    if (how.may_initiate() || !out_.remote_address) return;
    if (out_.ipsec.start_action != StartAction::None)
      warning(at(remote_leaf), remote + " is for peers that begin: start-action is treated as none");
    out_.ipsec.start_action = StartAction::None;
    out_.ipsec.close_action = StartAction::None;
  }

  void check_certificates() {
    const model::Authentication& ours = out_.authentication;
    const Node* certificate = node_->child("certificate");
    const Node* authority = node_->child("remote-ca-certificate");
    if (ours.local == model::AuthMethod::Certificate) {
      if (!certificate) return error(node_, "local-auth-method certificate needs a certificate: expected `certificate NAME`");
      const Node* id = node_->child("local-id");
      const auto fits = [&](const model::LocalCertificatePtr& one) { return one->proves(*out_.local_id); };
      if (id && !ours.certificates.empty() && std::none_of(ours.certificates.begin(), ours.certificates.end(), fits)) {
        const model::LocalCertificate& first = *ours.certificates.front();
        error(id, quoted(id->text) + " is not an identity of certificate " + first.name + ": expected one of " +
                      auth::names_in(first.identities) + ", or no local-id for the first of these");
      }
    } else if (ours.uses_eap_tls()) {
      if (!certificate) return error(node_, "eap-tls needs a certificate, for both ends show one: expected `certificate NAME`");
    } else if (certificate) {
      warning(certificate, "has no effect with local-auth-method " + std::string(name_of(ours.local)));
    }
    if (ours.remote == model::AuthMethod::Certificate) {
      if (!authority) error(node_, "remote-auth-method certificate needs a remote-ca-certificate: without one nobody is trusted");
    } else if (ours.uses_eap_tls()) {
      if (!authority) error(node_, "eap-tls needs a remote-ca-certificate: without one nobody is trusted");
    } else if (authority && ours.local != model::AuthMethod::Certificate) {
      warning(authority, "has no effect with remote-auth-method " + std::string(name_of(ours.remote)));
    }
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

  void check_virtual_addresses() {
    if (!out_.vip_request.empty() && !out_.remote_address)
      warning(node_->child("vip-request"), "without remote-address there is nobody to ask: it has no effect");
    const auto covers = [&](IpFamily family) {
      return std::any_of(out_.vip_request.begin(), out_.vip_request.end(), [&](const IpAddress& one) { return one.family() == family; });
    };
    for (const model::SecurityPolicy& policy : out_.policies) {
      const auto& local = policy.local_ts.front().subnet;
      const auto& remote = policy.remote_ts.front().subnet;
      if (out_.vip_request.empty() || local || !remote || covers(remote->family())) continue;
      const bool v4 = remote->family() == IpFamily::V4;
      warning(node_, std::string("security-policy ") + policy.name + " wants an " + (v4 ? "IPv4" : "IPv6") +
                         " address here, and vip-request asks for none: add vip-request " + (v4 ? "0.0.0.0" : "::"));
    }
  }

  // of a list of proposals, in force by whatever way
  void check_key_exchanges(const std::vector<wire::Proposal>& proposals, std::string_view list) {
    for (const wire::Proposal& proposal : proposals) {
      bool first = false, more = false;
      for (const wire::Transform& transform : proposal.transforms) {
        first |= transform.type == TransformType::KeyExchange;
        if (!is_additional_ke(transform.type) || transform.id == 0) continue;
        more = true;
        if (crypto::supported(static_cast<wire::KeGroup>(transform.id))) continue;
        error(node_, std::string(list) + ": " + model::name_of(transform) +
                         " is not supported here: it needs OpenSSL 3.5 or later, this is " + crypto::provider_version());
      }
      if (more && !first) error(node_, std::string(list) + ": additional-key-exchange-1 to 7 come beside a dh-group, and there is none");
    }
  }

  void check_proposals() {
    check_key_exchanges(out_.ike.proposals, "ike-proposal");
    check_key_exchanges(out_.ipsec.esp_proposals, "esp-proposal");
    check_key_exchanges(out_.ipsec.ah_proposals, "ah-proposal");
    if (out_.ike.proposals.empty()) error(node_, "needs an ike-proposal, in its ike-policy or in the template of that");
    const auto uses = [&](PolicyAction action) {
      return std::any_of(out_.policies.begin(), out_.policies.end(), [&](const auto& policy) { return policy.action == action; });
    };
    for (const auto& [action, proposals, list] : {std::tuple(PolicyAction::Esp, &out_.ipsec.esp_proposals, "an esp-proposal"),
                                                  std::tuple(PolicyAction::Ah, &out_.ipsec.ah_proposals, "an ah-proposal")}) {
      if (!uses(action)) continue;
      if (proposals->empty()) error(node_, std::string("needs ") + list + ", in its ipsec-policy or in the template of that");
      // RFC 4303 3.3.3 asks for no window, Linux does: it refuses an SA with ESN and none
      if (out_.ipsec.replay_window == 0 && offers_esn(*proposals)) error(node_, "esn true needs a replay-window of at least 1");
    }
  }

  const Node* node_;
  const Surroundings& around_;
  Findings& findings_;
  model::Vpn out_;
  bool has_policy_ = false;
  bool has_findings_ = false;
};

std::shared_ptr<const model::PresharedKey> preshared_key(const Node& node) {
  auto out = std::make_shared<model::PresharedKey>();
  out->name = node.text;
  for (const NodePtr& child : node.children) {
    if (child->schema->name == "id") out->ids.push_back(*model::Identity::parse(child->text));
    if (child->schema->name == "secret") out->secret = std::move(*decode_secret(child->text));
  }
  return out;
}

// Ranges of the pools of one `ike`: no address may be in two of them, or twice in one.
class PoolRanges {
 public:
  struct Place {
    model::AddressRange range;
    std::string pool, text;
  };
  // the one that overlaps, or null; takes `range` in
  const Place* add(const model::AddressRange& range, const std::string& pool, const std::string& text) {
    const auto behind = by_first_.upper_bound(range.first);
    if (behind != by_first_.begin() && std::prev(behind)->second.range.overlaps(range)) return &std::prev(behind)->second;
    if (behind != by_first_.end() && behind->second.range.overlaps(range)) return &behind->second;
    by_first_.emplace(range.first, Place{range, pool, text});
    return nullptr;
  }

 private:
  std::map<IpAddress, Place> by_first_;
};

std::shared_ptr<const model::Pool> pool_of(const Node& node, const std::string& path, PoolRanges& ranges, Findings& findings) {
  auto out = std::make_shared<model::Pool>();
  out->name = node.text;
  for (const NodePtr& child : node.children) {
    const std::string_view name = child->schema->name;
    if (name == "address") {
      const model::AddressRange range = *model::parse_address_range(child->text);
      if (const auto* other = ranges.add(range, node.text, child->text)) {
        findings.error(child->line, step_path(path, *child),
                       "overlaps address " + other->text + (other->pool == node.text ? "" : " of pool " + quoted(other->pool)));
        continue;
      }
      out->ranges.push_back(range);
      continue;
    }
    const auto add = [&](std::vector<IpAddress>& list) { list.push_back(*IpAddress::parse(child->text)); };
    if (name == "dns") add(out->dns);
    if (name == "dhcp") add(out->dhcp);
    if (name == "nbns") {
      add(out->nbns);
      if (out->nbns.back().is_v6())
        findings.warning(child->line, step_path(path, *child),
                         "does not reach the client: IKEv2 tells IPv4 addresses of NBNS servers alone");
    }
  }
  return out;
}

bool equal(const model::PresharedKey& ours, const model::PresharedKey& theirs) {
  return ours.name == theirs.name && ours.ids == theirs.ids && constant_time_equal(ours.secret.view(), theirs.secret.view());
}

// `around`: eap-radius, whose leaves hold where the server has none
model::RadiusServer radius_server(const Node& node, const Node& around, const std::string& path, Findings& findings) {
  const auto value = [&](std::string_view leaf) -> std::string_view {
    const Node* own = node.child(leaf);
    return own ? std::string_view(own->text) : std::string_view(around.value(leaf));
  };
  model::RadiusServer out;
  out.name = node.text;
  const Node* address = node.child("address");
  if (const auto parsed = IpAddress::parse(address->text)) {
    out.address = *parsed;
  } else {
    out.host = address->text;
  }
  out.secret = *decode_secret(node.value("secret"));
  if (const Node* source = node.child("source-address")) {
    out.source_address = *IpAddress::parse(source->text);
    if (out.host.empty() && out.source_address->family() != out.address.family())
      findings.error(source->line, path + " source-address", "is of another family than address");
  }
  out.preference = number<std::uint32_t>(node.value("preference"));
  out.nas_identifier = value("nas-identifier");
  out.auth_port = number<std::uint16_t>(value("auth-port"));
  out.accounting_port = number<std::uint16_t>(value("accounting-port"));
  out.sockets = number<std::uint16_t>(value("sockets"));
  out.retransmit_tries = number<std::uint32_t>(value("retransmit-tries"));
  out.retransmit_timeout = milliseconds(std::llround(number<double>(value("retransmit-timeout")) * 1000));
  out.retransmit_base = number<double>(value("retransmit-base"));
  return out;
}

// null: there is no server
std::shared_ptr<model::Radius> radius(const Node* node, const std::string& path, Findings& findings) {
  if (!node) return nullptr;
  auto out = std::make_shared<model::Radius>();
  out->accounting = truth(node->value("accounting"));
  out->accounting_interval = as_seconds(node->value("accounting-interval"));
  if (const Node* dynamic = node->child("dynamic-authorization"))
    out->dynamic_authorization_port = number<std::uint16_t>(dynamic->value("port"));
  for (const NodePtr& child : node->children) {
    if (child->schema->name == "server")
      out->servers.push_back(radius_server(*child, *node, step_path(path + " eap-radius", *child), findings));
  }
  std::stable_sort(out->servers.begin(), out->servers.end(), [](const auto& a, const auto& b) { return a.preference > b.preference; });
  if (!out->servers.empty()) return out;
  findings.warning(node->line, path + " eap-radius", "has no server");
  return nullptr;
}

// One `ike`. Takes over from `before`, the resolution of the tree that went before, and `running`, what that made of the same VRF.
class IkeResolver {
 public:
  IkeResolver(const Node& ike, std::string path, const Resolution* before, const model::Configuration* running, Resolution& resolution,
              Findings& findings)
      : credentials_(ike, path, before ? &before->credentials : nullptr, resolution.credentials, findings),
        around_{ike, std::move(path), credentials_, Templates<EffectiveIkePolicy>(*ike.schema->child("ike-policy-template")),
                Templates<IpsecPolicy>(*ike.schema->child("ipsec-policy-template"))},
        before_(before),
        running_(running),
        resolution_(resolution),
        findings_(findings) {}

  model::ConfigurationPtr resolve() {
    const Node& ike = around_.ike;
    auto out = std::make_shared<model::Configuration>();
    out->enabled = truth(ike.value("enabled"));
    out->global = global_options(*ike.schema->child("global-options"), ike.child("global-options"));
    const SchemaNode& logging = *ike.schema->child("logging");
    facility_levels(*logging.child("daemon"), child_named(ike.child("logging"), "daemon"), out->logging.daemon);
    facility_levels(*logging.child("authpriv"), child_named(ike.child("logging"), "authpriv"), out->logging.authpriv);
    // a template may stand behind the VPN that uses it
    for (const NodePtr& child : ike.children) {
      around_.ike_templates.add(child.get());
      around_.ipsec_templates.add(child.get());
    }
    credentials_.fill(*out);
    const SchemaNode* keys = ike.schema->child("pre-shared-key");
    const SchemaNode* eap_keys = ike.schema->child("eap-key");
    const SchemaNode* vpns = ike.schema->child("vpn");
    std::vector<const Node*>& around = resolution_.around[around_.path];
    for (const NodePtr& child : ike.children) {
      if (child->schema != keys && child->schema != eap_keys && child->schema != vpns) around.push_back(child.get());
    }
    if (before_) {
      const auto earlier = before_->around.find(around_.path);
      same_around_ = earlier != before_->around.end() && earlier->second == around;
    }
    if (auto servers = radius(ike.child("eap-radius"), around_.path, findings_)) {
      const bool same = running_ && running_->radius && *running_->radius == *servers;
      out->radius = same ? running_->radius : std::move(servers);
    }
    const SchemaNode* ppks = ike.schema->child("ppk");
    const SchemaNode* pools = ike.schema->child("pool");
    PoolRanges ranges;
    for (const NodePtr& child : ike.children) {
      if (child->schema == pools) {
        auto pool = pool_of(*child, step_path(around_.path, *child), ranges, findings_);
        const auto running = running_ ? running_->pools.find(child->text) : decltype(running_->pools.begin()){};
        const bool same = running_ && running != running_->pools.end() && *running->second == *pool;
        out->pools.emplace(child->text, same ? running->second : std::move(pool));
      }
      if (child->schema == keys) out->preshared_keys.push_back(key(*child, &model::Configuration::preshared_keys, running_keys_));
      if (child->schema == eap_keys) out->eap_keys.push_back(key(*child, &model::Configuration::eap_keys, running_eap_keys_));
      if (child->schema == ppks) out->ppks.push_back(ppk(*child));
      if (child->schema == vpns) out->vpns.emplace(child->text, vpn(*child));
    }
    return out;
  }

 private:
  using Keys = std::vector<std::shared_ptr<const model::PresharedKey>>;
  using KeysByName = std::unordered_map<std::string_view, const std::shared_ptr<const model::PresharedKey>*>;

  // `running_by_name`: those of the list that run, once they are looked at
  std::shared_ptr<const model::PresharedKey> key(const Node& node, Keys model::Configuration::*list, KeysByName& running_by_name) {
    std::shared_ptr<const model::PresharedKey> out = taken_over(before_ ? &before_->keys : nullptr, node);
    if (!out) {
      out = preshared_key(node);
      if (running_ && running_by_name.empty()) {
        for (const auto& one : running_->*list) running_by_name.emplace(one->name, &one);
      }
      const auto running = running_by_name.find(node.text);
      if (running != running_by_name.end() && equal(**running->second, *out)) out = *running->second;
    }
    resolution_.keys.emplace(&node, out);
    return out;
  }

  // the same object while it is the same key
  std::shared_ptr<const model::Ppk> ppk(const Node& node) const {
    std::shared_ptr<const model::Ppk> out = preshared_key(node);
    if (!running_) return out;
    const auto same = std::find_if(running_->ppks.begin(), running_->ppks.end(), [&](const auto& one) { return equal(*one, *out); });
    return same == running_->ppks.end() ? out : *same;
  }

  static std::shared_ptr<const model::PresharedKey> taken_over(
      const std::unordered_map<const Node*, std::shared_ptr<const model::PresharedKey>>* from, const Node& node) {
    if (!from) return nullptr;
    const auto found = from->find(&node);
    return found == from->end() ? nullptr : found->second;
  }

  std::shared_ptr<const model::Vpn> vpn(const Node& node) {
    if (same_around_) {
      const auto earlier = before_->vpns.find(&node);
      if (earlier != before_->vpns.end() && !earlier->second.has_findings)
        return resolution_.vpns.emplace(&node, earlier->second).first->second.vpn;
    }
    Resolution::Vpn entry;
    entry.ike_template = around_.ike_templates.used_by(node.child("ike-policy"));
    entry.ipsec_template = around_.ipsec_templates.used_by(node.child("ipsec-policy"));
    for (const NodePtr& child : node.children) {
      if (child->schema->name == "certificate") entry.credentials.push_back(credentials_.certificate(child->text));
      if (child->schema->name == "remote-ca-certificate") entry.credentials.push_back(credentials_.authority(child->text));
    }
    if (const Resolution::Vpn* earlier = unchanged(node, entry)) {
      entry = *earlier;
    } else {
      VpnResolver resolver(node, around_, findings_);
      model::Vpn made = resolver.resolve();
      entry.has_findings = resolver.has_findings();
      const auto running =
          running_ ? running_->vpns.find(node.text) : std::map<std::string, std::shared_ptr<const model::Vpn>>::const_iterator();
      const bool same = running_ && running != running_->vpns.end() && *running->second == made;
      entry.vpn = same ? running->second : std::make_shared<const model::Vpn>(std::move(made));
    }
    return resolution_.vpns.emplace(&node, std::move(entry)).first->second.vpn;
  }

  const Resolution::Vpn* unchanged(const Node& node, const Resolution::Vpn& now) const {
    if (!before_) return nullptr;
    const auto found = before_->vpns.find(&node);
    if (found == before_->vpns.end() || found->second.has_findings) return nullptr;
    return found->second.ike_template == now.ike_template && found->second.ipsec_template == now.ipsec_template &&
                   found->second.credentials == now.credentials
               ? &found->second
               : nullptr;
  }

  CredentialResolver credentials_;
  Surroundings around_;
  const Resolution* before_;
  const model::Configuration* running_;
  bool same_around_ = false;
  Resolution& resolution_;
  Findings& findings_;
  KeysByName running_keys_, running_eap_keys_;
};

// "10.0.0.1/24", as values.cpp has checked it
model::InterfaceAddress interface_address(std::string_view text) {
  const std::size_t slash = text.find('/');
  return {*IpAddress::parse(text.substr(0, slash)), number<std::uint8_t>(text.substr(slash + 1))};
}

model::SvtiInterface interface(const Node& node, const std::string& vrf) {
  model::SvtiInterface out;
  out.name = node.text;
  out.svti_id = number<std::uint32_t>(node.value("svti-id"));
  if (const Node* mtu = node.child("mtu")) out.mtu = number<std::uint32_t>(mtu->text);
  out.enabled = truth(node.value("enabled"));
  out.promiscuous = truth(node.value("promiscuous"));
  out.description = node.value("description");
  for (const std::string_view family : {"ipv4", "ipv6"}) {
    const Node* container = node.child(family);
    const SchemaNode& schema = *node.schema->child(family);
    const Node* enabled = child_named(container, "enabled");
    (family == "ipv4" ? out.ipv4_enabled : out.ipv6_enabled) =
        truth(enabled ? std::string_view(enabled->text) : *schema.child("enabled")->default_value);
    for (const NodePtr& child : children_of(container)) {
      if (child->schema->name == "address") out.addresses.push_back(interface_address(child->text));
    }
  }
  const Node* link = node.child("link-vrf");
  out.link_vrf = link ? link->text : vrf;
  out.link_interface = node.value("link-interface");
  return out;
}

// (link-vrf, svti-id) names one interface, in whatever VRF that stands
class SvtiIds {
 public:
  explicit SvtiIds(Findings& findings) : findings_(findings) {}

  void check(const model::SvtiInterface& interface, const Node& node, const std::string& path) {
    const auto [first, is_new] = paths_.try_emplace({interface.link_vrf, interface.svti_id}, path);
    if (is_new) return;
    findings_.error(node.child("svti-id")->line, path + " svti-id",
                    std::to_string(interface.svti_id) + " is that of '" + first->second + "' already, with the same link-vrf " +
                        interface.link_vrf + ": each needs its own");
  }

 private:
  Findings& findings_;
  std::map<std::pair<std::string, std::uint32_t>, std::string> paths_;
};

}  // namespace

Resolution resolve(const Schema& schema, const Node& root, const Resolution* before, Findings& findings) {
  Resolution out;
  auto system = std::make_shared<model::System>();
  SvtiIds svti_ids(findings);
  for (const NodePtr& node : root.children) {
    model::Vrf vrf;
    vrf.name = node->text;
    const std::string path = step_path("", *node);
    if (const Node* ike = node->child(schema.ike().name)) {
      const model::Vrf* running = nullptr;
      if (before) {
        const auto found = before->system->vrfs.find(vrf.name);
        if (found != before->system->vrfs.end()) running = &found->second;
      }
      vrf.ike = IkeResolver(*ike, step_path(path, *ike), before, running ? running->ike.get() : nullptr, out, findings).resolve();
    }
    const Node* interfaces = node->child(schema.interface().name);
    for (const NodePtr& child : children_of(interfaces)) {
      vrf.interfaces.push_back(interface(*child, vrf.name));
      svti_ids.check(vrf.interfaces.back(), *child, step_path(step_path(path, *interfaces), *child));
    }
    system->vrfs.emplace(vrf.name, std::move(vrf));
  }
  out.system = std::move(system);
  return out;
}

namespace {

void warn_below(const Node& node, const Node& root, bool only_new, std::set<std::string_view>& warned, Findings& findings) {
  for (const NodePtr& child : node.children) {
    if (only_new && child.use_count() > 1) continue;
    const SchemaNode& schema = *child->schema;
    const auto deprecated = std::find(schema.deprecated.begin(), schema.deprecated.end(), child->text);
    if (deprecated != schema.deprecated.end() && warned.insert(*deprecated).second)
      findings.warning(child->line, path_below(root, "", *child), kIsWeak);
    if (!schema.no_effect_yet) {
      if (!schema.is_leaf()) warn_below(*child, root, only_new, warned, findings);
      continue;
    }
    if (schema.is_leaf() && *schema.no_effect_yet == child->text) continue;
    if (!warned.insert(schema.name).second) continue;
    findings.warning(child->line, path_below(root, "", *child),
                     "has no effect yet: this version keeps and shows it, and does nothing with it");
  }
}

}  // namespace

bool warn_of_leaves(const Node& root, bool only_new, Findings& findings) {
  std::set<std::string_view> warned;
  warn_below(root, root, only_new, warned, findings);
  return !warned.empty();
}

}  // namespace svti::config
