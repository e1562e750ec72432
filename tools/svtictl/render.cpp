// SPDX-License-Identifier: Apache-2.0
#include "svtictl/render.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <linux/svti.h>
#include <netinet/in.h>

#include <array>
#include <nlohmann/json.hpp>

namespace svti::svtictl {
namespace {

using Json = nlohmann::ordered_json;

// A counter of the module: its name in the contract, and what it means to who reads it.
struct Reason {
  const char* name;
  const char* meaning;
};

constexpr const char* kReasonNames[] = SVTI_XSTATS_NAMES;
constexpr std::array kReasonMeanings{
    "routed here, but no policy of this interface covers the packet",
    "a policy with action block covers the packet",
    "a policy covers the packet, but there is no usable SA: is the peer up?",
    "waited for an SA, but too many packets did or it took too long",
    "no route to the peer's outer address",
    "the route to the peer leads back into this interface",
    "larger than the path carries; the sender was told by ICMP",
    "neither IPv4 nor IPv6, or cut short",
    "the transformation failed: crypto, memory, or the SA had just gone",
    "not dropped: kept until an SA was negotiated",
    "decrypted, but no policy of this interface allows the packet",
    "decrypted, but a policy with action block covers the packet",
    "decrypted by another SA than the policy demands",
    "decrypted while the interface was down: 'ip link set up'",
    "decrypted to neither IPv4 nor IPv6",
};
static_assert(std::size(kReasonNames) == SVTI_XSTATS_MAX && kReasonMeanings.size() == SVTI_XSTATS_MAX);

std::string reason_name(std::uint32_t type) {
  return type >= 1 && type <= SVTI_XSTATS_MAX ? kReasonNames[type - 1] : fmt::format("reason-{}", type);
}

std::string_view reason_meaning(std::uint32_t type) {
  return type >= 1 && type <= SVTI_XSTATS_MAX ? kReasonMeanings[type - 1] : "counted by a newer module than this svtictl knows";
}

bool is_drop(const ReasonCount& reason) { return reason.type != SVTI_XSTATS_TX_QUEUED; }

// SGR codes of ECMA-48; plain text when colour is off
class Paint {
 public:
  explicit Paint(const Style& style) : on_(style.colour && !style.json) {}
  std::string bold(std::string_view text) const { return wrap("1", text); }
  std::string good(std::string_view text) const { return wrap("32", text); }
  std::string bad(std::string_view text) const { return wrap("31", text); }
  std::string name(std::string_view text) const { return wrap("36", text); }
  std::string faint(std::string_view text) const { return wrap("2", text); }

 private:
  std::string wrap(std::string_view code, std::string_view text) const {
    return on_ ? fmt::format("\033[{}m{}\033[0m", code, text) : std::string(text);
  }
  bool on_;
};

std::string dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

// the name, else the number that stands for it
std::string link_text(const Svti& interface) { return interface.link.empty() ? fmt::format("if{}", interface.link_index) : interface.link; }
std::string netns_text(const Svti& interface) {
  return interface.link_netns.empty() ? fmt::format("nsid{}", *interface.link_nsid) : interface.link_netns;
}

Json counters_json(const Svti& interface) {
  return {{"in-octets", interface.in.octets},       {"in-unicast-pkts", interface.in.packets}, {"in-discards", interface.in.discards},
          {"in-errors", interface.in.errors},       {"out-octets", interface.out.octets},      {"out-unicast-pkts", interface.out.packets},
          {"out-discards", interface.out.discards}, {"out-errors", interface.out.errors}};
}

Json sp_hash_json(const SpHash& hash) { return {{"local", hash.local}, {"remote", hash.remote}}; }

Json interface_json(const Svti& interface) {
  Json out{{"name", interface.name},
           {"ifindex", interface.index},
           {"svti-id", interface.id},
           {"mtu", interface.mtu},
           {"mtu-fixed", !interface.auto_mtu},
           {"sa-per-cpu", interface.sa_per_cpu},
           {"promiscuous", interface.promiscuous},
           {"enabled", interface.enabled},
           {"oper-status", interface.oper_status}};
  if (interface.sp_hash_ipv4) out["sp-hash-ipv4"] = sp_hash_json(*interface.sp_hash_ipv4);
  if (interface.sp_hash_ipv6) out["sp-hash-ipv6"] = sp_hash_json(*interface.sp_hash_ipv6);
  if (interface.link_index != 0) out["link-interface"] = link_text(interface);
  if (interface.link_nsid) out["link-netns"] = netns_text(interface);
  out["addresses"] = interface.addresses;
  out["counters"] = counters_json(interface);
  return out;
}

std::string direction_text(std::string_view direction, const Counters& counters, const Paint& paint) {
  const auto fault = [&](std::string_view label, std::uint64_t value) {
    const std::string text = fmt::format("{} {}", label, value);
    return value == 0 ? text : paint.bad(text);
  };
  return fmt::format("    {:<4} packets {}  octets {}  {}  {}\n", direction, counters.packets, counters.octets,
                     fault("discards", counters.discards), fault("errors", counters.errors));
}

std::string headline(const Svti& interface, const Paint& paint) {
  return fmt::format("{}  svti-id {}", paint.name(interface.name), interface.id);
}

std::string interface_text(const Svti& interface, const Paint& paint) {
  const bool works = interface.oper_status == "UP" || interface.oper_status == "UNKNOWN";
  std::string out = fmt::format(
      "{}  {}  oper-status {}  mtu {}{}\n", headline(interface, paint), interface.enabled ? paint.good("enabled") : paint.bad("disabled"),
      works ? paint.good(interface.oper_status) : paint.bad(interface.oper_status), interface.mtu, interface.auto_mtu ? "" : " fixed");
  if (interface.link_index != 0) out += fmt::format("    link {}\n", link_text(interface));
  if (interface.sa_per_cpu) out += "    sa-per-cpu on\n";
  if (interface.link_nsid) out += fmt::format("    link-netns {}\n", netns_text(interface));
  for (const std::string& address : interface.addresses) out += fmt::format("    address {}\n", address);
  if (interface.sp_hash_ipv4 && interface.sp_hash_ipv6) {
    out += fmt::format("    sp-hash ipv4 {}/{}  ipv6 {}/{}\n", interface.sp_hash_ipv4->local, interface.sp_hash_ipv4->remote,
                       interface.sp_hash_ipv6->local, interface.sp_hash_ipv6->remote);
  }
  return out + direction_text("in", interface.in, paint) + direction_text("out", interface.out, paint);
}

Json stats_json(const Svti& interface) {
  Json drops = Json::object();
  std::uint64_t queued = 0;
  for (const ReasonCount& reason : interface.reasons) {
    if (is_drop(reason)) {
      drops[reason_name(reason.type)] = reason.packets;
    } else {
      queued = reason.packets;
    }
  }
  return {{"name", interface.name},
          {"svti-id", interface.id},
          {"counters", counters_json(interface)},
          {"drops", std::move(drops)},
          {"queued", queued}};
}

std::string ip_protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_ICMP:
      return "icmp";
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_GRE:
      return "gre";
    case IPPROTO_ESP:
      return "esp";
    case IPPROTO_AH:
      return "ah";
    case IPPROTO_ICMPV6:
      return "icmpv6";
    case IPPROTO_COMP:
      return "comp";
    case IPPROTO_SCTP:
      return "sctp";
    default:
      return fmt::format("{}", protocol);
  }
}

std::string mode_name(std::uint8_t mode) {
  constexpr std::array kNames{"transport", "tunnel", "route-optimization", "in-trigger", "beet"};
  return mode < kNames.size() ? kNames[mode] : fmt::format("{}", mode);
}

std::string_view way_name(std::uint8_t way) { return way == SVTI_WAY_SHORT ? "short" : way == SVTI_WAY_KERNEL ? "kernel" : "none"; }
std::string_view usable_name(std::uint8_t usable) { return usable == 0 ? "gone" : usable == 1 ? "usable" : "rekey-due"; }

std::string port_text(std::uint16_t port, std::uint16_t mask) {
  return mask == 0xffff ? fmt::format("{}", port) : fmt::format("{}/{:#x}", port, mask);
}

// protocol, ports and mark, as far as the policy names them
std::string narrowing(const SpdPolicy& policy) {
  std::string out;
  if (policy.protocol != 0) out += " proto " + ip_protocol_name(policy.protocol);
  if (policy.source_port_mask != 0) out += " sport " + port_text(policy.source_port, policy.source_port_mask);
  if (policy.destination_port_mask != 0) out += " dport " + port_text(policy.destination_port, policy.destination_port_mask);
  if (policy.mark_mask != 0) out += fmt::format(" mark {:#x}/{:#x}", policy.mark, policy.mark_mask);
  return out;
}

// The same words as the guide: hashed by the thresholds, or not.
std::string place_text(const SpdPolicy& policy) {
  return fmt::format("{} {}/{}{}, {} of {}", policy.hashed ? "hashed" : "unhashed, bucket", policy.bucket_source, policy.bucket_destination,
                     policy.bucket_ports ? " and ports" : "", policy.bucket_position + 1, policy.bucket_size);
}

Json policy_json(const SpdPolicy& policy) {
  Json out{{"direction", policy.out ? "out" : "in"},
           {"priority", policy.priority},
           {"index", policy.index},
           {"action", policy.blocks ? "block" : "allow"},
           {"source", policy.source.to_string()},
           {"destination", policy.destination.to_string()}};
  if (policy.protocol != 0) out["protocol"] = ip_protocol_name(policy.protocol);
  if (policy.source_port_mask != 0) out["source-port"] = port_text(policy.source_port, policy.source_port_mask);
  if (policy.destination_port_mask != 0) out["destination-port"] = port_text(policy.destination_port, policy.destination_port_mask);
  if (policy.mark_mask != 0) out["mark"] = fmt::format("{:#x}/{:#x}", policy.mark, policy.mark_mask);
  if (policy.sub) out["sub"] = true;
  out["templates"] = policy.templates;
  return out;
}

Json place_json(const SpdPolicy& policy) {
  return {{"hashed", policy.hashed},      {"source-bits", policy.bucket_source}, {"destination-bits", policy.bucket_destination},
          {"ports", policy.bucket_ports}, {"bucket-size", policy.bucket_size},   {"bucket-position", policy.bucket_position}};
}

Json lookup_json(const Trace& trace) {
  Json out{{"groups", trace.tuples}, {"buckets-visited", trace.probes}, {"candidates", trace.candidates}};
  if (trace.policy) out["index"] = trace.policy->index;
  return out;
}

std::string lookup_text(const Trace& trace) {
  return fmt::format("{} of {} groups of buckets visited, {} candidate{} compared", trace.probes, trace.tuples, trace.candidates,
                     trace.candidates == 1 ? "" : "s");
}

std::string policy_text(const SpdPolicy& policy, const Paint& paint) {
  return fmt::format("{:<3} priority {} index {}  {}  {} -> {}{}{}", policy.out ? "out" : "in", policy.priority, policy.index,
                     policy.blocks           ? paint.bad("block")
                     : policy.templates == 0 ? paint.bad("no template")
                                             : paint.good("protect"),
                     policy.source.to_string(), policy.destination.to_string(), narrowing(policy), policy.sub ? "  (sub)" : "");
}

std::string flow_text(const Flow& flow) {
  std::string out = fmt::format("{} -> {}", flow.source.to_string(), flow.destination.to_string());
  if (flow.protocol != 0) out += " proto " + ip_protocol_name(flow.protocol);
  if (flow.source_port != 0) out += fmt::format(" sport {}", flow.source_port);
  if (flow.destination_port != 0) out += fmt::format(" dport {}", flow.destination_port);
  if (flow.mark != 0) out += fmt::format(" mark {:#x}", flow.mark);
  return out;
}

std::string verdict_text(const Flow& flow, const Trace& trace) {
  if (trace.verdict != 0) return fmt::format("{}: {}", reason_name(trace.verdict), reason_meaning(trace.verdict));
  if (!flow.out) return "let in, when one of the SAs that the policy demands has decrypted it";
  return trace.way == SVTI_WAY_SHORT ? "encrypted and sent" : "the kernel's own lookup decides: more than the SVTI's tables is needed";
}

std::string stats_text(const Svti& interface, const Paint& paint) {
  std::string out =
      headline(interface, paint) + "\n" + direction_text("in", interface.in, paint) + direction_text("out", interface.out, paint);
  if (interface.reasons.empty()) return out;
  out += fmt::format("    {:<14} {:>12}  {}\n", "reason", "packets", "meaning");
  for (const ReasonCount& reason : interface.reasons) {
    const std::string line = fmt::format("    {:<14} {:>12}  {}", reason_name(reason.type), reason.packets, reason_meaning(reason.type));
    out += (reason.packets == 0 ? paint.faint(line) : is_drop(reason) ? paint.bad(line) : line) + "\n";
  }
  return out;
}

std::string device_text(const NextHop& hop) { return hop.device.empty() ? fmt::format("if{}", hop.device_index) : hop.device; }

Json next_hop_json(const NextHop& hop) {
  Json out = Json::object();
  if (hop.gateway) out["gateway"] = hop.gateway->to_string();
  out["device"] = device_text(hop);
  if (hop.svti_id) out["svti-id"] = *hop.svti_id;
  if (hop.link_down) out["link-down"] = true;
  return out;
}

Json route_json(const Route& route) {
  Json out{{"table", route.table}, {"type", route_type_name(route.type)}, {"prefix", route.prefix.to_string()}};
  if (route.next_hops.size() == 1) out.update(next_hop_json(route.next_hops.front()));
  if (route.next_hops.size() > 1) {
    for (const NextHop& hop : route.next_hops) out["next-hops"].push_back(next_hop_json(hop));
  }
  if (route.source) out["source"] = route.source->to_string();
  out["metric"] = route.metric;
  out["protocol"] = protocol_name(route.protocol);
  return out;
}

std::string next_hop_text(const NextHop& hop, const Paint& paint) {
  std::string out;
  if (hop.gateway) out += fmt::format(" via {}", hop.gateway->to_string());
  out += fmt::format(" dev {}", hop.svti_id ? paint.name(device_text(hop)) : device_text(hop));
  if (hop.svti_id) out += fmt::format(" svti-id {}", *hop.svti_id);
  if (hop.link_down) out += paint.bad(" linkdown");
  return out;
}

std::string route_text(const Route& route, const Paint& paint) {
  std::string out;
  if (route.type != RTN_UNICAST) out += route_type_name(route.type) + " ";
  out += paint.bold(route.prefix.to_string());
  for (const NextHop& hop : route.next_hops) out += (route.next_hops.size() > 1 ? " nexthop" : "") + next_hop_text(hop, paint);
  out += fmt::format(" proto {}", protocol_name(route.protocol));
  if (route.source) out += fmt::format(" src {}", route.source->to_string());
  if (route.metric != 0) out += fmt::format(" metric {}", route.metric);
  return out + "\n";
}

std::string_view family_name(IpFamily family) { return family == IpFamily::V4 ? "ipv4" : "ipv6"; }

Json rule_json(const Rule& rule) {
  Json out{{"family", family_name(rule.family)}, {"priority", rule.priority}};
  if (rule.inverted) out["not"] = true;
  if (rule.from) out["from"] = rule.from->to_string();
  if (rule.to) out["to"] = rule.to->to_string();
  if (rule.mark != 0 || rule.mask != 0) {
    out["mark"] = rule.mark;
    out["mask"] = rule.mask;
  }
  if (!rule.input_device.empty()) out["input-device"] = rule.input_device;
  if (!rule.output_device.empty()) out["output-device"] = rule.output_device;
  out["table"] = rule.table;
  out["protocol"] = protocol_name(rule.protocol);
  return out;
}

std::string rule_text(const Rule& rule, const Paint& paint) {
  std::string out = fmt::format("{}  {}: {}from {}", family_name(rule.family), paint.bold(std::to_string(rule.priority)),
                                rule.inverted ? "not " : "", rule.from ? rule.from->to_string() : "all");
  if (rule.to) out += fmt::format(" to {}", rule.to->to_string());
  if (rule.mark != 0 || rule.mask != 0) out += fmt::format(" fwmark {:#x}/{:#x}", rule.mark, rule.mask);
  if (!rule.input_device.empty()) out += fmt::format(" iif {}", rule.input_device);
  if (!rule.output_device.empty()) out += fmt::format(" oif {}", rule.output_device);
  return out + fmt::format(" lookup {} proto {}\n", rule.table, protocol_name(rule.protocol));
}

// an array in JSON; in text one after the other, or a line that says there is nothing
template <typename Value, typename ToJson, typename ToText>
std::string render_all(const std::vector<Value>& values, const Style& style, std::string_view nothing, ToJson to_json, ToText to_text) {
  if (style.json) {
    Json out = Json::array();
    for (const Value& value : values) out.push_back(to_json(value));
    return dump(out);
  }
  if (values.empty()) return std::string(nothing) + "\n";
  const Paint paint(style);
  std::string out;
  for (const Value& value : values) out += to_text(value, paint);
  return out;
}

}  // namespace

std::string render_interfaces(const std::vector<Svti>& interfaces, const Style& style) {
  return render_all(interfaces, style, "no SVTI here; 'svtictl add --help' shows how to make one", interface_json, interface_text);
}

std::string render_interface(const Svti& interface, const Style& style) {
  return style.json ? dump(interface_json(interface)) : interface_text(interface, Paint(style));
}

std::string render_stats(const std::vector<Svti>& interfaces, const Style& style) {
  return render_all(interfaces, style, "no SVTI here; 'svtictl add --help' shows how to make one", stats_json, stats_text);
}

std::string render_spd(const std::vector<SpdPolicy>& policies, const std::optional<Trace>& trace, const Style& style) {
  const auto met = [&](const SpdPolicy& policy) { return trace && trace->policy && trace->policy->index == policy.index; };
  if (style.json) {
    Json rows = Json::array();
    for (const SpdPolicy& policy : policies) {
      Json row = policy_json(policy);
      row["place"] = place_json(policy);
      if (met(policy)) row["met"] = true;
      rows.push_back(std::move(row));
    }
    Json out{{"policies", std::move(rows)}};
    if (trace) out["lookup"] = lookup_json(*trace);
    return dump(out);
  }
  const Paint paint(style);
  std::string out;
  for (const SpdPolicy& policy : policies) {
    out += fmt::format("{} {}  [{}]\n", met(policy) ? paint.bold("=>") : "  ", policy_text(policy, paint), place_text(policy));
  }
  if (trace) out += fmt::format("{}: {}\n", trace->policy ? "found" : "no policy", lookup_text(*trace));
  return out;
}

std::string render_sad(const std::vector<SadState>& states, const Style& style) {
  const Paint paint(style);
  Json rows = Json::array();
  std::string out;
  for (const SadState& state : states) {
    Json row{{"direction", state.outbound ? "out" : "in"},
             {"spi", fmt::format("{:#010x}", state.spi)},
             {"source", state.source.to_string()},
             {"destination", state.destination.to_string()},
             {"protocol", ip_protocol_name(state.protocol)},
             {"mode", mode_name(state.mode)},
             {"reqid", state.reqid},
             {"state", usable_name(state.usable)}};
    if (state.outbound) row["lookup"] = way_name(state.way);
    if (state.mtu) row["mtu"] = *state.mtu;
    rows.push_back(std::move(row));
    out += fmt::format("{:<3} {} spi {:#010x}  {} -> {}  {} reqid {}  {}", state.outbound ? "out" : "in", ip_protocol_name(state.protocol),
                       state.spi, state.source.to_string(), state.destination.to_string(), mode_name(state.mode), state.reqid,
                       state.usable == 1 ? paint.good("usable") : paint.bad(usable_name(state.usable)));
    if (state.outbound) out += fmt::format("  lookup {}", way_name(state.way));
    if (state.mtu) out += fmt::format("  mtu {}", *state.mtu);
    out += "\n";
  }
  return style.json ? dump(rows) : out;
}

std::string render_trace(const Flow& flow, const Trace& trace, const Style& style) {
  const std::string device = !trace.out_device.empty() ? trace.out_device : fmt::format("if{}", trace.out_index);
  if (style.json) {
    Json out{{"verdict", trace.verdict == 0 ? "pass" : reason_name(trace.verdict)},
             {"why", verdict_text(flow, trace)},
             {"lookup", lookup_json(trace)},
             {"state-lookup", way_name(trace.way)}};
    if (trace.policy) out["policy"] = policy_json(*trace.policy);
    if (trace.state) {
      out["spi"] = fmt::format("{:#010x}", trace.state->spi);
      out["reqid"] = trace.state->reqid;
    }
    if (trace.out_index != 0) out["out-interface"] = device;
    if (trace.mtu) out["mtu"] = *trace.mtu;
    return dump(out);
  }
  const Paint paint(style);
  std::string out = fmt::format("packet   {} {}\n", flow.out ? "out" : "in", flow_text(flow));
  out += fmt::format("policy   {}\n", trace.policy ? policy_text(*trace.policy, paint) : paint.bad("none"));
  out += fmt::format("         {}\n", lookup_text(trace));
  if (trace.state)
    out += fmt::format("SA       spi {:#010x} reqid {}  {}\n", trace.state->spi, trace.state->reqid, usable_name(trace.state->usable));
  if (trace.out_index != 0)
    out += fmt::format("route    out by {}{}\n", device, trace.mtu ? fmt::format(", room for {} octets", *trace.mtu) : "");
  const std::string verdict = verdict_text(flow, trace);
  return out + fmt::format("verdict  {}\n", trace.verdict == 0 ? paint.good(verdict) : paint.bad(verdict));
}

std::string render_offload(const std::vector<OffloadDevice>& devices, const std::vector<OffloadedSa>& sas, const Style& style) {
  const Paint paint(style);
  Json out{{"device", Json::array()}, {"sa", Json::array()}};
  std::string text;
  for (const OffloadDevice& device : devices) {
    out["device"].push_back({{"name", device.name}, {"esp-hw-offload", device.crypto}, {"esp-tx-csum-hw-offload", device.inner_checksum}});
    text += fmt::format("device {}  esp-hw-offload {}  esp-tx-csum-hw-offload {}\n", paint.name(device.name), device.crypto ? "on" : "off",
                        device.inner_checksum ? "on" : "off");
  }
  if (devices.empty()) text = "no device with ESP offload here\n";
  for (const OffloadedSa& sa : sas) {
    const std::string_view what = sa.device_index == 0 ? "none" : sa.packet ? "packet" : "crypto";
    Json row{{"spi", fmt::format("{:#010x}", sa.spi)},
             {"source", sa.source.to_string()},
             {"destination", sa.destination.to_string()},
             {"protocol", ip_protocol_name(sa.protocol)},
             {"reqid", sa.reqid}};
    if (sa.svti_id != 0) row["svti-id"] = sa.svti_id;
    row["offload"] = what;
    text += fmt::format("{} spi {:#010x}  {} -> {}  reqid {}", ip_protocol_name(sa.protocol), sa.spi, sa.source.to_string(),
                        sa.destination.to_string(), sa.reqid);
    if (sa.svti_id != 0) text += fmt::format(" svti-id {}", sa.svti_id);
    text += fmt::format("  offload {}", what);
    if (sa.device_index != 0) {
      row["offload-device"] = sa.device;
      row["direction"] = sa.inbound ? "in" : "out";
      text += fmt::format(" {} by {}", sa.inbound ? "in" : "out", paint.good(sa.device));
    }
    text += "\n";
    out["sa"].push_back(std::move(row));
  }
  return style.json ? dump(out) : text;
}

std::string render_routes(const std::vector<Route>& routes, std::uint32_t table, const Style& style) {
  return render_all(routes, style, fmt::format("table {} is empty", table), route_json, route_text);
}

std::string render_rules(const std::vector<Rule>& rules, std::uint32_t table, const Style& style) {
  return render_all(rules, style, fmt::format("no rule leads to table {}; 'svtictl rule add' makes one", table), rule_json, rule_text);
}

std::string render_done(std::string_view what, std::string_view name, const Style& style) {
  return style.json ? dump({{"done", what}, {"name", name}}) : "";
}

std::string render_error(std::string_view message, const Style& style) {
  if (style.json) return dump({{"error", message}});
  return fmt::format("svtictl: {}\n", Paint(style).bad(message));
}

std::string route_type_name(std::uint8_t type) {
  constexpr std::array kNames{"unspec",    "unicast",     "local",    "broadcast", "anycast", "multicast",
                              "blackhole", "unreachable", "prohibit", "throw",     "nat",     "xresolve"};
  static_assert(kNames.size() == RTN_MAX + 1);
  return type < kNames.size() ? kNames[type] : fmt::format("{}", type);
}

std::string protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case RTPROT_UNSPEC:
      return "unspec";
    case RTPROT_REDIRECT:
      return "redirect";
    case RTPROT_KERNEL:
      return "kernel";
    case RTPROT_BOOT:
      return "boot";
    case RTPROT_STATIC:
      return "static";
    case RTPROT_RA:
      return "ra";
    case RTPROT_ZEBRA:
      return "zebra";
    case RTPROT_BIRD:
      return "bird";
    case RTPROT_DHCP:
      return "dhcp";
    case RTPROT_BGP:
      return "bgp";
    case RTPROT_OSPF:
      return "ospf";
    case kProtocolSvti:
      return "svti";
    default:
      return fmt::format("{}", protocol);
  }
}

}  // namespace svti::svtictl
