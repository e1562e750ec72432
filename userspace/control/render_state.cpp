// SPDX-License-Identifier: Apache-2.0
#include "control/render_state.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "model/algorithm.h"

namespace svti::control {

namespace {

// One tree serves both forms: an object is a context, an array of objects a list, an array of scalars a leaf-list. A list whose entries
// begin with a scalar is keyed by it.
using Tree = nlohmann::ordered_json;

constexpr std::size_t kIndent = 4;

std::string to_json(const Tree& tree) { return tree.dump(-1, ' ', false, Tree::error_handler_t::replace); }

// as it stands where it is one word of the text form, otherwise quoted
std::string text_value(const Tree& scalar) {
  if (!scalar.is_string()) return scalar.dump();
  const std::string& value = scalar.get_ref<const std::string&>();
  if (!value.empty() && value != ".." && value.find_first_of(" \t\r\n\"\\#") == std::string::npos) return value;
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

void print_member(const std::string& name, const Tree& value, std::size_t depth, std::string& out);

void print_context(const std::string& head, Tree::const_iterator first, Tree::const_iterator last, std::size_t depth, std::string& out) {
  out.append(depth * kIndent, ' ').append(head).append("\n");
  for (; first != last; ++first) print_member(first.key(), first.value(), depth + 1, out);
  out.append((depth + 1) * kIndent, ' ').append("..\n");
}

void print_member(const std::string& name, const Tree& value, std::size_t depth, std::string& out) {
  if (value.is_object()) return print_context(name, value.begin(), value.end(), depth, out);
  if (!value.is_array()) {
    out.append(depth * kIndent, ' ').append(name).append(" ").append(text_value(value)).append("\n");
    return;
  }
  for (const Tree& item : value) {
    if (!item.is_object()) {
      print_member(name, item, depth, out);
      continue;
    }
    auto first = item.begin();
    std::string head = name;
    if (first != item.end() && first->is_primitive()) {
      head += " " + first.key() + " " + text_value(*first);
      ++first;
    }
    print_context(head, first, item.end(), depth, out);
  }
}

// RFC 7951 6.1: what may need more than the 53 bits of a double is a string. In the text form that makes no difference.
std::string wide(std::uint64_t number) { return std::to_string(number); }

Tree counters_tree(const model::Counters& counters, Tree tree = Tree::object()) {
  for (std::size_t i = 0; i < model::kCounterNames.size(); ++i) tree[std::string(model::kCounterNames[i])] = wide(counters.values[i]);
  return tree;
}

void add_algorithms(Tree& tree, const std::vector<wire::Transform>& transforms) {
  for (const wire::Transform& transform : transforms) {
    const std::string name = model::name_of(transform);
    switch (transform.type) {
      case wire::TransformType::Encryption:
        tree[model::is_aead(transform) ? "aead-alg" : "enc-alg"] = name;
        break;
      case wire::TransformType::Integrity:
        if (transform.id != 0) tree["auth-alg"] = name;  // NONE goes with an AEAD
        break;
      case wire::TransformType::Prf:
        tree["prf-alg"] = name;
        break;
      case wire::TransformType::KeyExchange:
        if (transform.id != 0) tree["dh-group"] = name;
        break;
      case wire::TransformType::Esn:
        break;  // a leaf of its own
      default:
        if (!is_additional_ke(transform.type) || transform.id == 0) break;
        tree[fmt::format("additional-key-exchange-{}", number_of_additional_ke(transform.type))] = name;
    }
  }
}

Tree subnets_of(const wire::TrafficSelector& selector) {
  Tree subnets = Tree::array();
  for (const Prefix& prefix : selector.prefixes()) subnets.push_back(prefix.to_string());
  return subnets;
}

// Selectors of all traffic share one context; one with a protocol or ports has its own.
Tree selectors_tree(const std::vector<wire::TrafficSelector>& selectors) {
  Tree plain = Tree::array();
  Tree narrowed = Tree::array();
  for (const wire::TrafficSelector& selector : selectors) {
    const Tree subnets = subnets_of(selector);
    if (selector.protocol == 0 && selector.any_port()) {
      plain.insert(plain.end(), subnets.begin(), subnets.end());
      continue;
    }
    Tree context{{"subnet", subnets}};
    if (selector.protocol != 0) context["protocol"] = selector.protocol;
    if (!selector.any_port()) {
      context["port"] = selector.start_port == selector.end_port ? std::to_string(selector.start_port)
                                                                 : fmt::format("{}-{}", selector.start_port, selector.end_port);
    }
    narrowed.push_back(std::move(context));
  }
  Tree all = Tree::array();
  if (!plain.empty()) all.push_back(Tree{{"subnet", plain}});
  all.insert(all.end(), narrowed.begin(), narrowed.end());
  return all;
}

Tree child_tree(const model::ChildSaState& child, bool mobike) {
  Tree tree;
  tree["unique-id"] = child.unique_id;
  tree["name"] = child.name;
  tree["state"] = model::kChildSaPhaseNames.at(static_cast<std::size_t>(child.phase));
  tree["reqid"] = child.reqid;
  tree["protocol"] = child.protocol == wire::ProtocolId::Ah ? "ah" : "esp";
  tree["mode"] = child.mode == model::Mode::Transport ? "transport" : "tunnel";
  tree["udp-encap"] = child.udp_encap;
  tree["mobike"] = mobike;
  tree["spi-in"] = fmt::format("{:08x}", child.spi_in);
  tree["spi-out"] = fmt::format("{:08x}", child.spi_out);
  if (child.svti_id_in != 0) tree["svti-id-in"] = child.svti_id_in;
  if (child.svti_id_out != 0) tree["svti-id-out"] = child.svti_id_out;
  add_algorithms(tree, child.transforms);
  tree["esn"] = child.esn;
  if (child.offload) {
    tree["offload"] = model::kOffloadNames.at(static_cast<std::size_t>(child.offload->offload));
    if (!child.offload->device.empty()) tree["offload-device"] = child.offload->device;
    if (!child.offload->reason.empty()) tree["offload-reason"] = child.offload->reason;
  }
  tree["bytes-in"] = wide(child.bytes_in);
  tree["packets-in"] = wide(child.packets_in);
  tree["bytes-out"] = wide(child.bytes_out);
  tree["packets-out"] = wide(child.packets_out);
  tree["installed-time"] = child.installed.count();
  if (child.rekey) tree["rekey-time"] = child.rekey->count();
  if (child.life) tree["life-time"] = child.life->count();
  tree["local-ts"] = selectors_tree(child.local_ts);
  tree["remote-ts"] = selectors_tree(child.remote_ts);
  return tree;
}

void add_addresses(Tree& tree, const std::string& name, const std::vector<IpAddress>& addresses) {
  if (addresses.empty()) return;
  for (const IpAddress& address : addresses) tree[name].push_back(address.to_string());
}

Tree ike_sa_tree(const model::IkeSaState& sa) {
  Tree tree;
  tree["unique-id"] = sa.unique_id;
  if (!sa.name.empty()) tree["name"] = sa.name;
  tree["version"] = sa.version;
  tree["state"] = model::kIkeSaPhaseNames.at(static_cast<std::size_t>(sa.phase));
  tree["initiator"] = sa.initiator;
  tree["local-address"] = sa.local.address.to_string();
  tree["remote-address"] = sa.remote.address.to_string();
  tree["local-port"] = sa.local.port;
  tree["remote-port"] = sa.remote.port;
  if (!sa.local_id.empty()) tree["local-id"] = sa.local_id;
  if (!sa.remote_id.empty()) tree["remote-id"] = sa.remote_id;
  if (!sa.local_eap_id.empty()) tree["local-eap-id"] = sa.local_eap_id;
  if (!sa.remote_eap_id.empty()) tree["remote-eap-id"] = sa.remote_eap_id;
  if (!sa.eap_method.empty()) tree["eap-method"] = sa.eap_method;
  if (!sa.radius_server.empty()) tree["radius-server"] = sa.radius_server;
  add_addresses(tree, "local-vip", sa.local_vips);
  add_addresses(tree, "remote-vip", sa.remote_vips);
  add_addresses(tree, "dns", sa.dns);
  add_addresses(tree, "nbns", sa.nbns);
  add_addresses(tree, "dhcp", sa.dhcp);
  tree["initiator-spi"] = fmt::format("{:016x}", sa.initiator_spi);
  tree["responder-spi"] = fmt::format("{:016x}", sa.responder_spi);
  add_algorithms(tree, sa.transforms);
  tree["established-time"] = sa.established.count();
  if (sa.rekey) tree["rekey-time"] = sa.rekey->count();
  if (sa.reauth) tree["reauth-time"] = sa.reauth->count();
  tree["udp-encap"] = sa.udp_encap;
  tree["ppk"] = sa.ppk;
  tree["mobike"] = sa.mobike;
  tree["child-sa"] = Tree::array();
  for (const model::ChildSaState& child : sa.children) tree["child-sa"].push_back(child_tree(child, sa.mobike));
  return tree;
}

Tree ike_sas_tree(const model::RuntimeState& state) { return Tree{{"total", state.ike_sas_total}, {"half-open", state.ike_sas_half_open}}; }

// RFC 6991 date-and-time, UTC
std::string time_text(std::chrono::sys_seconds time) { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", time); }

Tree revocation_tree(const model::RevocationState& state) {
  Tree tree{{"uri", state.uri}, {"kind", state.ocsp ? "ocsp" : state.delta ? "delta-crl" : "crl"}};
  if (state.held) {
    if (!state.number.empty()) tree["number"] = state.number;
    tree["this-update"] = time_text(state.this_update);
    if (state.next_update) tree["next-update"] = time_text(*state.next_update);
    tree["revoked"] = wide(state.entries);
  }
  if (state.last_answer) tree["last-answer"] = time_text(*state.last_answer);
  if (state.last_failure) {
    tree["last-failure"] = time_text(*state.last_failure);
    tree["failure"] = state.failure;
  }
  return tree;
}

// name of the list, and its entries: of certificates or of authorities
std::pair<std::string, Tree> certificates_tree(const model::RuntimeState& state, bool authorities) {
  Tree entries = Tree::array();
  for (const model::CertificateState& one : state.certificates) {
    if (one.authority != authorities) continue;
    entries.push_back(Tree{{"name", one.name},
                           {"subject", one.subject},
                           {"validity", model::kValidityNames.at(static_cast<std::size_t>(one.validity))},
                           {"not-before", time_text(one.not_before)},
                           {"not-after", time_text(one.not_after)}});
    if (!one.key_place.empty()) entries.back()["key-place"] = one.key_place;
    if (!one.key_problem.empty()) entries.back()["key-problem"] = one.key_problem;
    for (const model::RevocationState& source : one.revocation) entries.back()["revocation"].push_back(revocation_tree(source));
  }
  return {authorities ? "certificate-authority-state" : "certificate-state", std::move(entries)};
}

constexpr std::string_view kRadiusServers = "radius-server-state";

Tree radius_servers_tree(const model::RuntimeState& state) {
  Tree entries = Tree::array();
  for (const model::RadiusServerState& one : state.radius_servers) {
    Tree& tree = entries.emplace_back(Tree{{"name", one.name}});
    if (!one.host.empty()) tree["host"] = one.host;
    if (one.address) tree["address"] = one.address->to_string();
    tree["alive"] = one.alive;
    if (!one.reason.empty()) tree["reason"] = printable(one.reason, 500);
    const std::pair<std::string_view, std::uint64_t> counts[] = {{"requests", one.requests},
                                                                 {"retransmissions", one.retransmissions},
                                                                 {"pending", one.pending},
                                                                 {"accepts", one.accepts},
                                                                 {"rejects", one.rejects},
                                                                 {"challenges", one.challenges},
                                                                 {"accounting-responses", one.accounting_responses},
                                                                 {"timeouts", one.timeouts},
                                                                 {"bad-answers", one.bad_answers}};
    for (const auto& [name, count] : counts) tree[std::string(name)] = wide(count);
  }
  return entries;
}

Tree tasks_tree(const model::TaskState& tasks) {
  const auto add = [](Tree& tree, const model::TaskState::ByPriority& counts) {
    tree["critical"] = counts.critical;
    tree["high"] = counts.high;
    tree["medium"] = counts.medium;
    tree["low"] = counts.low;
  };
  Tree workers{{"total", tasks.workers_total}, {"idle", tasks.workers_idle}};
  add(workers, tasks.workers);
  Tree queues = Tree::object();
  add(queues, tasks.queued);
  queues["scheduled"] = tasks.scheduled;
  return Tree{{"worker-threads", std::move(workers)}, {"task-queues", std::move(queues)}};
}

Tree family_tree(const std::vector<model::InterfaceAddress>& addresses, IpFamily family, bool enabled) {
  Tree tree{{"enabled", enabled}};
  for (const model::InterfaceAddress& one : addresses) {
    if (one.address.family() == family) tree["address"].push_back(fmt::format("{}/{}", one.address.to_string(), one.prefix_length));
  }
  return tree;
}

// The leaves of the configuration with the values that the kernel has for them, and those that only the kernel knows.
Tree interface_tree(const model::SvtiState& svti) {
  const model::SvtiInterface& configured = svti.configured;
  Tree tree{{"name", configured.name}, {"svti-id", configured.svti_id}};
  if (svti.link || configured.mtu) tree["mtu"] = svti.link ? svti.link->mtu : *configured.mtu;
  tree["enabled"] = configured.enabled;
  tree["promiscuous"] = svti.link ? svti.link->promiscuous : configured.promiscuous;
  if (!configured.description.empty()) tree["description"] = configured.description;
  const auto& addresses = svti.link ? svti.link->addresses : configured.addresses;
  tree["ipv4"] = family_tree(addresses, IpFamily::V4, configured.ipv4_enabled);
  tree["ipv6"] = family_tree(addresses, IpFamily::V6, configured.ipv6_enabled);
  tree["link-vrf"] = configured.link_vrf;
  if (!configured.link_interface.empty()) tree["link-interface"] = configured.link_interface;
  if (!svti.link) return tree;
  const model::LinkCounters& counters = svti.link->counters;
  tree["ifindex"] = svti.link->ifindex;
  tree["admin-status"] = svti.link->up ? "UP" : "DOWN";
  tree["oper-status"] =
      svti.link->oper_status < model::kOperStatusNames.size() ? model::kOperStatusNames[svti.link->oper_status] : "UNKNOWN";
  tree["counters"] = Tree{{"in-octets", wide(counters.in_octets)},       {"in-unicast-pkts", wide(counters.in_packets)},
                          {"in-discards", wide(counters.in_discards)},   {"in-errors", wide(counters.in_errors)},
                          {"out-octets", wide(counters.out_octets)},     {"out-unicast-pkts", wide(counters.out_packets)},
                          {"out-discards", wide(counters.out_discards)}, {"out-errors", wide(counters.out_errors)}};
  return tree;
}

std::string list_entry(StateFormat format, const std::string& name, const Tree& entry, bool first) {
  if (format == StateFormat::Json) return (first ? "\n" : ",\n") + to_json(entry);
  std::string out;
  print_member(name, Tree::array({entry}), 1, out);
  return out;
}

}  // namespace

StateRenderer::StateRenderer(model::RuntimeState summary, Sources sources, StateFormat format, const std::string& vpn, std::string vrf)
    : state_(std::move(summary)), sources_(std::move(sources)), format_(format), whole_(vpn.empty()), vrf_(std::move(vrf)) {
  if (!whole_) std::erase_if(state_.vpn_counters, [&](const auto& entry) { return entry.first != vpn; });
  next_vpn_ = state_.vpn_counters.begin();
}

std::optional<std::string> StateRenderer::next() {
  const bool json = format_ == StateFormat::Json;
  switch (part_) {
    case Part::Begin:
      part_ = Part::Applied;
      return json ? "{\"svti:vrf\":[{\"name\":" + to_json(vrf_) + ",\"ike\":{" : "ike\n";
    case Part::Applied:
      if (auto piece = sources_.applied()) {
        has_applied_ = true;
        return piece;
      }
      part_ = Part::Totals;
      [[fallthrough]];
    case Part::Totals:
      part_ = Part::VpnCounters;
      if (std::string out = totals(); !out.empty()) return out;
      [[fallthrough]];
    case Part::VpnCounters:
      if (next_vpn_ != state_.vpn_counters.end()) return vpn_counters();
      part_ = Part::IkeSas;
      if (json) return "],\n\"ike-sa\":[";
      [[fallthrough]];
    case Part::IkeSas:
      if (const auto sa = sources_.ike_sa()) return ike_sa(*sa);
      part_ = Part::End;
      [[fallthrough]];
    case Part::End:
      part_ = Part::Done;
      return end();
    case Part::Done:
      break;
  }
  return std::nullopt;
}

std::string StateRenderer::totals() {
  std::string out;
  if (format_ == StateFormat::Text) {
    if (!whole_) return out;
    print_member("ike-sas", ike_sas_tree(state_), 1, out);
    print_member("task-processing", tasks_tree(state_.tasks), 1, out);
    print_member("counters", counters_tree(state_.counters), 1, out);
    for (const bool authorities : {false, true}) {
      const auto [name, entries] = certificates_tree(state_, authorities);
      print_member(name, entries, 1, out);
    }
    print_member(std::string(kRadiusServers), radius_servers_tree(state_), 1, out);
    return out;
  }
  if (has_applied_) out += ",\n";
  if (whole_) {
    out += "\"ike-sas\":" + to_json(ike_sas_tree(state_)) + ",\n\"task-processing\":" + to_json(tasks_tree(state_.tasks)) +
           ",\n\"counters\":" + to_json(counters_tree(state_.counters)) + ",\n";
    for (const bool authorities : {false, true}) {
      const auto [name, entries] = certificates_tree(state_, authorities);
      if (!entries.empty()) out += to_json(name) + ":" + to_json(entries) + ",\n";
    }
    if (!state_.radius_servers.empty()) out += to_json(std::string(kRadiusServers)) + ":" + to_json(radius_servers_tree(state_)) + ",\n";
  }
  return out + "\"vpn-counters\":[";
}

std::string StateRenderer::end() const {
  const bool interfaces = whole_ && !state_.interfaces.empty();
  if (format_ == StateFormat::Json) {
    if (!interfaces) return "]}}]}\n";
    std::string out = "]},\n\"interface\":{\"svti\":[";
    for (const model::SvtiState& svti : state_.interfaces) {
      out += (&svti == &state_.interfaces.front() ? "\n" : ",\n") + to_json(interface_tree(svti));
    }
    return out + "]}}]}\n";
  }
  std::string out = std::string(kIndent, ' ') + "..\n";
  if (!interfaces) return out;
  out += "interface\n";
  for (const model::SvtiState& svti : state_.interfaces) {
    const Tree tree = interface_tree(svti);
    print_context("svti " + text_value(tree.front()), std::next(tree.begin()), tree.end(), 1, out);
  }
  return out + std::string(kIndent, ' ') + "..\n";
}

std::string StateRenderer::vpn_counters() {
  const bool first = next_vpn_ == state_.vpn_counters.begin();
  const Tree entry = counters_tree(next_vpn_->second, Tree{{"name", next_vpn_->first}});
  ++next_vpn_;
  return list_entry(format_, "vpn-counters", entry, first);
}

std::string StateRenderer::ike_sa(const model::IkeSaState& sa) {
  return list_entry(format_, "ike-sa", ike_sa_tree(sa), std::exchange(first_sa_, false));
}

}  // namespace svti::control
