// SPDX-License-Identifier: Apache-2.0
#include "control/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"
#include "config/weak_algorithms.h"
#include "control/option_values.h"
#include "control/proposal_keywords.h"

namespace svti::control {

namespace {

using model::StartAction;

// An option's value: one, or the items of a list.
using Values = std::vector<std::string>;

// What is wrong with a value.
struct Complaint {
  bool supported = true;  // false: it is right, only not here
  std::string detail;
};
using Taken = std::optional<Complaint>;  // none: it was taken

Complaint invalid(std::string detail) { return {true, std::move(detail)}; }
Complaint unsupported(std::string detail = {}) { return {false, std::move(detail)}; }

std::string as_text(const Values& values) {
  std::string out;
  for (const std::string& value : values) out += (out.empty() ? "" : ", ") + value;
  return out;
}

// list items may hold several values in one text, as configuration files write them
Values split_at_commas(const Values& values) {
  Values out;
  for (const std::string& value : values) {
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(','), rest.size());
      std::string_view one = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
      while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
      if (!one.empty()) out.emplace_back(one);
    }
  }
  return out;
}

// What an option's value goes into; most options have just one.
template <typename Draft>
struct Option {
  std::string_view name;
  Taken (*take)(Draft& draft, const Values& values);
};

template <typename T, typename Target>
Taken store(const Result<T>& value, Target& target) {
  if (!value) return invalid(value.error().message);
  target = *value;
  return {};
}

// for options that ask for nothing but with a value that we do not carry out
template <typename Draft>
Taken only_off(Draft&, const Values& values) {
  const auto wanted = parse_yes_no(as_text(values));
  if (!wanted) return invalid(wanted.error().message);
  return *wanted ? Taken(unsupported("expected no")) : Taken();
}
template <typename Draft>
Taken only_on(Draft&, const Values& values) {
  const auto wanted = parse_yes_no(as_text(values));
  if (!wanted) return invalid(wanted.error().message);
  return *wanted ? Taken() : Taken(unsupported("expected yes"));
}
template <typename Draft>
Taken either(Draft&, const Values& values) {
  const auto wanted = parse_yes_no(as_text(values));
  return wanted ? Taken() : Taken(invalid(wanted.error().message));
}
template <typename Draft>
Taken only_empty(Draft&, const Values& values) {
  return as_text(values).empty() ? Taken() : Taken(unsupported());
}
template <typename Draft>
Taken only_zero(Draft&, const Values& values) {
  const std::string text = as_text(values);
  return text.empty() || text == "0" || text == "0x0" ? Taken() : Taken(unsupported("expected 0"));
}
template <typename Draft>
Taken anything(Draft&, const Values&) {
  return {};
}

// --- children ---------------------------------------------------------------------------------------------------------------

struct ChildDraft {
  model::SecurityPolicy policy;
  model::IpsecPolicy ipsec;
  std::vector<std::string>& warnings;

  void warn(std::string text) { warnings.push_back("child " + policy.name + ": " + std::move(text)); }
};

Taken selectors(const Values& values, std::vector<model::SelectorConfig>& out) {
  out.clear();
  for (const std::string& text : split_at_commas(values)) {
    const auto selector = parse_selector(text);
    if (!selector) return invalid(selector.error().message);
    out.push_back(*selector);
  }
  if (out.empty()) out.emplace_back();
  return {};
}

Taken start_action(const Values& values, StartAction& out) {
  const std::string text = as_text(values);
  if (text == "none")
    out = StartAction::None;
  else if (text == "trap" || text == "route" || text == "hold")
    out = StartAction::Trap;
  else if (text == "start" || text == "restart" || text == "trap|start" || text == "start|trap")
    out = StartAction::Start;
  else
    return invalid("expected none, trap or start");
  return {};
}

Taken dpd_action(ChildDraft& draft, const Values& values) {
  const std::string text = as_text(values);
  if (text == "clear" || text == "none")
    draft.ipsec.dpd_action = model::DpdAction::Clear;
  else if (text == "trap" || text == "hold" || text == "route")
    draft.ipsec.dpd_action = model::DpdAction::Trap;
  else if (text == "restart" || text == "start")
    draft.ipsec.dpd_action = model::DpdAction::Restart;
  else
    return invalid("expected clear, trap or restart");
  return {};
}

Taken mode(ChildDraft& draft, const Values& values) {
  const std::string text = as_text(values);
  if (text == "tunnel") {
    draft.policy.mode = model::Mode::Tunnel;
  } else if (text == "transport") {
    draft.policy.mode = model::Mode::Transport;
  } else if (text == "pass") {
    draft.policy.action = model::PolicyAction::Pass;
  } else if (text == "drop") {
    draft.policy.action = model::PolicyAction::Drop;
  } else {
    for (const std::string_view known : {"transport_proxy", "beet", "iptfs"}) {
      if (text == known) return unsupported("expected tunnel, transport, pass or drop");
    }
    return invalid("expected tunnel, transport, pass or drop");
  }
  return {};
}

Taken copy_dscp(ChildDraft& draft, const Values& values) {
  const std::string text = as_text(values);
  if (text != "out" && text != "in" && text != "yes" && text != "no") return invalid("expected out, in, yes or no");
  draft.ipsec.encap_copy_dscp = text == "out" || text == "yes";
  draft.ipsec.decap_copy_dscp = text == "in" || text == "yes";
  return {};
}

Taken esp_proposals(ChildDraft& draft, const Values& values) {
  return store(parse_proposals(split_at_commas(values), wire::ProtocolId::Esp), draft.ipsec.esp_proposals);
}

Taken ah_proposals(ChildDraft& draft, const Values& values) {
  if (as_text(values).empty()) return {};
  return store(parse_proposals(split_at_commas(values), wire::ProtocolId::Ah), draft.ipsec.ah_proposals);
}

Taken hw_offload(ChildDraft& draft, const Values& values) {
  const std::string text = as_text(values);
  if (text == "no")
    draft.ipsec.hw_offload = model::HwOffload::No;
  else if (text == "auto")
    draft.ipsec.hw_offload = model::HwOffload::Auto;
  else if (text == "crypto" || text == "yes")  // "yes" is the older word
    draft.ipsec.hw_offload = model::HwOffload::Crypto;
  else
    return text == "packet" ? unsupported("Linux may send in clear with it; expected no, auto or crypto")
                            : invalid("expected no, auto or crypto");
  return {};
}

Taken tfc_padding(ChildDraft&, const Values& values) { return as_text(values) == "0" ? Taken() : Taken(unsupported("expected 0")); }

const std::vector<Option<ChildDraft>>& child_options() {
  using Draft = ChildDraft;
  static const std::vector<Option<Draft>> kOptions = {
      {"ah_proposals", ah_proposals},
      {"esp_proposals", esp_proposals},
      {"sha256_96", only_off<Draft>},
      {"local_ts", [](Draft& draft, const Values& values) { return selectors(values, draft.policy.local_ts); }},
      {"remote_ts", [](Draft& draft, const Values& values) { return selectors(values, draft.policy.remote_ts); }},
      {"rekey_time", [](Draft& draft, const Values& values) { return store(parse_time(as_text(values)), draft.ipsec.rekey_time); }},
      {"life_time", [](Draft& draft, const Values& values) { return store(parse_time(as_text(values)), draft.ipsec.life_time); }},
      {"rand_time", [](Draft& draft, const Values& values) { return store(parse_time(as_text(values)), draft.ipsec.rand_time); }},
      {"rekey_bytes", [](Draft& draft, const Values& values) { return store(parse_amount(as_text(values)), draft.ipsec.rekey_bytes); }},
      {"life_bytes", [](Draft& draft, const Values& values) { return store(parse_amount(as_text(values)), draft.ipsec.life_bytes); }},
      {"rand_bytes", [](Draft& draft, const Values& values) { return store(parse_amount(as_text(values)), draft.ipsec.rand_bytes); }},
      {"rekey_packets", [](Draft& draft, const Values& values) { return store(parse_amount(as_text(values)), draft.ipsec.rekey_packets); }},
      {"life_packets", [](Draft& draft, const Values& values) { return store(parse_amount(as_text(values)), draft.ipsec.life_packets); }},
      {"rand_packets", [](Draft& draft, const Values& values) { return store(parse_amount(as_text(values)), draft.ipsec.rand_packets); }},
      {"updown", only_empty<Draft>},
      {"hostaccess", either<Draft>},  // has a meaning for updown scripts alone
      {"mode", mode},
      {"policies", only_on<Draft>},
      {"policies_fwd_out", only_off<Draft>},
      {"dpd_action", dpd_action},
      {"ipcomp", only_off<Draft>},
      {"inactivity", only_zero<Draft>},
      {"reqid", only_zero<Draft>},
      {"priority",
       [](Draft& draft, const Values& values) { return store(parse_number(as_text(values), 0, UINT32_MAX), draft.policy.priority); }},
      {"interface", only_empty<Draft>},
      {"mark_in", only_zero<Draft>},
      {"mark_out", only_zero<Draft>},
      {"mark_in_sa", only_off<Draft>},
      {"set_mark_in", only_zero<Draft>},
      {"set_mark_out", only_zero<Draft>},
      {"if_id_in", [](Draft& draft, const Values& values) { return store(parse_interface_id(as_text(values)), draft.policy.svti_id_in); }},
      {"if_id_out",
       [](Draft& draft, const Values& values) { return store(parse_interface_id(as_text(values)), draft.policy.svti_id_out); }},
      {"label", only_empty<Draft>},
      {"label_mode", anything<Draft>},
      {"tfc_padding", tfc_padding},
      {"replay_window",
       [](Draft& draft, const Values& values) { return store(parse_number(as_text(values), 0, 4096), draft.ipsec.replay_window); }},
      {"per_cpu_sas", only_off<Draft>},
      {"hw_offload", hw_offload},
      {"start_action", [](Draft& draft, const Values& values) { return start_action(values, draft.ipsec.start_action); }},
      {"close_action", [](Draft& draft, const Values& values) { return start_action(values, draft.ipsec.close_action); }},
      {"copy_df", [](Draft& draft, const Values& values) { return store(parse_yes_no(as_text(values)), draft.ipsec.encap_copy_df); }},
      {"copy_ecn", only_on<Draft>},
      {"copy_dscp", copy_dscp},
  };
  return kOptions;
}

// --- authentication ---------------------------------------------------------------------------------------------------------

constexpr std::size_t kMaxRounds = 8;  // of each end

struct AuthDraft {
  AuthRound round;
};

Taken auth(AuthDraft& draft, const Values& values) {
  const std::string text = as_text(values);
  if (text == "psk") {
    draft.round.auth_class = "pre-shared key";
    return {};
  }
  for (const std::string_view known : {"pubkey", "rsa", "ecdsa", "ed25519", "ed448", "any"}) {
    if (!text.starts_with(known)) continue;
    draft.round.auth_class = text == "any" ? "any" : "public key";
    return {};
  }
  for (const model::AuthMethod method :
       {model::AuthMethod::EapMschapv2, model::AuthMethod::EapMd5, model::AuthMethod::EapTls, model::AuthMethod::EapRadius}) {
    if (text != name_of(method)) continue;
    draft.round.auth_class = "EAP";
    draft.round.eap = method;
    return {};
  }
  static constexpr std::string_view kExpected = "expected psk, pubkey, eap-mschapv2, eap-md5, eap-tls or eap-radius";
  if (text.starts_with("eap") || text.starts_with("xauth")) return unsupported(std::string(kExpected));
  return invalid(std::string(kExpected));
}

Taken certificates(const Values& values, std::vector<crypto::Certificate>& out) {
  for (const std::string& value : values) {
    auto certificate = crypto::parse_certificate(as_bytes(value), crypto::CertificateKind::X509);
    if (!certificate) return invalid("one of them " + certificate.error().message);
    out.push_back(std::move(*certificate));
  }
  return {};
}

const std::vector<Option<AuthDraft>>& auth_options() {
  using Draft = AuthDraft;
  static const std::vector<Option<Draft>> kOptions = {
      {"round",
       [](Draft& draft, const Values& values) {
         const std::string text = as_text(values);
         const auto number = parse_number(text, 0, 255);
         if (!number) return Taken(invalid(number.error().message));
         draft.round.order = static_cast<unsigned>(*number);
         return Taken();
       }},
      {"certs", [](Draft& draft, const Values& values) { return certificates(values, draft.round.certificates); }},
      {"cacerts", [](Draft& draft, const Values& values) { return certificates(values, draft.round.cas); }},
      {"pubkeys",
       [](Draft&, const Values& values) {
         for (const std::string& value : values) {
           const auto key = crypto::parse_certificate(as_bytes(value), crypto::CertificateKind::PublicKey);
           if (!key) return Taken(invalid("one of them " + key.error().message));
         }
         return values.empty() ? Taken() : Taken(unsupported("expected certs or cacerts"));
       }},
      {"auth", auth},
      {"id",
       [](Draft& draft, const Values& values) {
         draft.round.id = as_text(values);
         return Taken();
       }},
      {"eap_id",
       [](Draft& draft, const Values& values) {
         const std::string text = as_text(values);
         if (text.empty()) return Taken();
         return store(parse_peer_identity(text), draft.round.eap_id);
       }},
      {"aaa_id",
       [](Draft& draft, const Values& values) {
         const std::string text = as_text(values);
         if (text.empty()) return Taken();
         return store(parse_peer_identity(text), draft.round.aaa_id);
       }},
      {"xauth_id", only_empty<Draft>},
      {"groups",
       [](Draft& draft, const Values& values) {
         draft.round.groups = split_at_commas(values);
         return Taken();
       }},
      {"cert_policy",
       [](Draft& draft, const Values& values) {
         draft.round.cert_policies = split_at_commas(values);
         return Taken();
       }},
      {"ca_id", only_empty<Draft>},
      {"revocation",
       [](Draft& draft, const Values& values) {
         const auto name = std::find(model::kRevocationNames.begin(), model::kRevocationNames.end(), as_text(values));
         if (name == model::kRevocationNames.end()) return Taken(invalid("expected strict, ifuri or relaxed"));
         draft.round.revocation = static_cast<model::Revocation>(name - model::kRevocationNames.begin());
         return Taken();
       }},
  };
  return kOptions;
}

// --- connection -------------------------------------------------------------------------------------------------------------

struct ConnectionDraft {
  model::Vpn vpn;
  std::vector<AuthRound> rounds;
  std::uint32_t if_id_in = 0, if_id_out = 0;  // of children that name none
  std::vector<std::string> warnings;
  std::vector<std::pair<model::SecurityPolicy, model::IpsecPolicy>> children;
};

Taken version(ConnectionDraft&, const Values& values) {
  const std::string text = as_text(values);
  if (text == "0" || text == "2") return {};
  return text == "1" ? unsupported("IKEv1; expected 2") : invalid("expected 0, 1 or 2");
}

Taken ike_port(ConnectionDraft&, const Values& values) {
  const auto port = parse_number(as_text(values), 0, 65535);
  if (!port) return invalid(port.error().message);
  return *port == 0 || *port == 500 ? Taken() : Taken(unsupported("expected 500"));
}

Taken keying_tries(ConnectionDraft& draft, const Values& values) {
  const std::string text = as_text(values);
  if (text != "%forever") return store(parse_number(text, 0, UINT32_MAX), draft.vpn.ike.keying_tries);
  draft.vpn.ike.keying_tries = 0;
  return {};
}

Taken unique(ConnectionDraft& draft, const Values& values) {
  const std::string text = as_text(values);
  if (text == "no")
    draft.vpn.ike.unique_sa = model::UniqueSa::No;
  else if (text == "never")
    draft.vpn.ike.unique_sa = model::UniqueSa::Never;
  else if (text == "keep")
    draft.vpn.ike.unique_sa = model::UniqueSa::Keep;
  else if (text == "replace")
    draft.vpn.ike.unique_sa = model::UniqueSa::Replace;
  else
    return invalid("expected no, never, keep or replace");
  return {};
}

Taken mobike(ConnectionDraft& draft, const Values& values) {
  const auto wanted = parse_yes_no(as_text(values));
  if (!wanted) return invalid(wanted.error().message);
  draft.vpn.ike.mobike = *wanted;
  return {};
}

Taken reauth_time(ConnectionDraft& draft, const Values& values) {
  const auto time = parse_time(as_text(values));
  if (!time) return invalid(time.error().message);
  draft.vpn.ike.reauth_time = *time;
  return {};
}

Taken fragmentation(ConnectionDraft&, const Values& values) {
  const std::string text = as_text(values);
  if (text == "force") return unsupported("expected yes, accept or no");
  if (text == "accept") return {};
  const auto wanted = parse_yes_no(text);
  return wanted ? Taken() : Taken(invalid("expected yes, accept, force or no"));
}

Taken childless(ConnectionDraft& draft, const Values& values) {
  const auto name = std::find(model::kChildlessNames.begin(), model::kChildlessNames.end(), as_text(values));
  if (name == model::kChildlessNames.end()) return invalid("expected allow, prefer, force or never");
  draft.vpn.ike.childless = static_cast<model::Childless>(name - model::kChildlessNames.begin());
  return {};
}

Taken ppk_id(ConnectionDraft& draft, const Values& values) {
  const std::string text = as_text(values);
  if (text.empty()) return {};
  const auto id = parse_peer_identity(text);
  if (!id) return invalid(id.error().message);
  draft.vpn.ike.ppk_id = *id;
  return {};
}

Taken dscp(ConnectionDraft&, const Values& values) {
  return as_text(values).find_first_not_of('0') == std::string::npos ? Taken() : Taken(unsupported("expected 000000"));
}

Taken vips(ConnectionDraft& draft, const Values& values) {
  for (const std::string& text : split_at_commas(values)) {
    const auto address = IpAddress::parse(text == "%any" || text == "%any4" ? "0.0.0.0" : text == "%any6" ? "::" : text);
    if (!address) return invalid(address.error().message);
    const bool twice = std::any_of(draft.vpn.vip_request.begin(), draft.vpn.vip_request.end(),
                                   [&](const IpAddress& other) { return other.family() == address->family(); });
    if (twice) return unsupported("expected at most one of each family");
    draft.vpn.vip_request.push_back(*address);
  }
  return {};
}

const std::vector<Option<ConnectionDraft>>& connection_options() {
  using Draft = ConnectionDraft;
  static const std::vector<Option<Draft>> kOptions = {
      {"version", version},
      {"local_addrs",
       [](Draft& draft, const Values& values) { return store(parse_peer_addresses(split_at_commas(values)), draft.vpn.local_address); }},
      {"remote_addrs",
       [](Draft& draft, const Values& values) { return store(parse_peer_addresses(split_at_commas(values)), draft.vpn.remote_address); }},
      {"local_port", ike_port},
      {"remote_port", ike_port},
      {"proposals",
       [](Draft& draft, const Values& values) {
         return store(parse_proposals(split_at_commas(values), wire::ProtocolId::Ike), draft.vpn.ike.proposals);
       }},
      {"vips", vips},
      {"aggressive", only_off<Draft>},
      {"pull", either<Draft>},  // has a meaning for IKEv1 alone
      {"dscp", dscp},
      {"encap", [](Draft& draft, const Values& values) { return store(parse_yes_no(as_text(values)), draft.vpn.ike.udp_encap); }},
      {"mobike", mobike},
      {"dpd_delay", [](Draft& draft, const Values& values) { return store(parse_time(as_text(values)), draft.vpn.ike.dpd_delay); }},
      {"dpd_timeout", anything<Draft>},  // has a meaning for IKEv1 alone
      {"fragmentation", fragmentation},
      {"childless", childless},
      // what certificates are asked for and sent: nothing to do with a pre-shared key
      {"send_certreq", either<Draft>},
      {"send_cert", anything<Draft>},
      {"ocsp", anything<Draft>},
      {"ppk_id", ppk_id},
      {"ppk_required", [](Draft& draft, const Values& values) { return store(parse_yes_no(as_text(values)), draft.vpn.ike.ppk_required); }},
      {"keyingtries", keying_tries},
      {"unique", unique},
      {"reauth_time", reauth_time},
      {"rekey_time", [](Draft& draft, const Values& values) { return store(parse_time(as_text(values)), draft.vpn.ike.rekey_time); }},
      {"over_time", [](Draft& draft, const Values& values) { return store(parse_time(as_text(values)), draft.vpn.ike.over_time); }},
      {"rand_time", [](Draft& draft, const Values& values) { return store(parse_time(as_text(values)), draft.vpn.ike.rand_time); }},
      {"pools",
       [](Draft& draft, const Values& values) {
         draft.vpn.vip_pools = split_at_commas(values);
         return Taken();
       }},
      {"if_id_in", [](Draft& draft, const Values& values) { return store(parse_interface_id(as_text(values)), draft.if_id_in); }},
      {"if_id_out", [](Draft& draft, const Values& values) { return store(parse_interface_id(as_text(values)), draft.if_id_out); }},
      {"mediation", only_off<Draft>},
      {"mediated_by", only_empty<Draft>},
      {"mediation_peer", only_empty<Draft>},
  };
  return kOptions;
}

// --- reading a section ------------------------------------------------------------------------------------------------------

tl::unexpected<Error> unknown(std::string_view option) {
  return config_error(fmt::format("unknown option: {}, config discarded", printable(option, 64)));
}

tl::unexpected<Error> complain(std::string_view option, const Complaint& complaint) {
  const std::string name = printable(option, 64);
  std::string text = complaint.supported ? fmt::format("invalid value for: {}, config discarded", name)
                                         : fmt::format("not supported yet: {} with this value, config discarded", name);
  if (!complaint.detail.empty()) text += " (" + complaint.detail + ")";
  return config_error(std::move(text));
}

template <typename Draft>
Status take_option(const vici::Entry& entry, const std::vector<Option<Draft>>& options, Draft& draft) {
  const auto option = std::find_if(options.begin(), options.end(), [&](const auto& known) { return known.name == entry.name; });
  if (option == options.end()) return unknown(entry.name);
  const auto* value = std::get_if<std::string>(&entry.content);
  const Taken wrong = option->take(draft, value != nullptr ? Values{*value} : std::get<vici::List>(entry.content));
  if (wrong) return complain(entry.name, *wrong);
  return {};
}

bool is_section(const vici::Entry& entry) { return std::holds_alternative<vici::Section>(entry.content); }

Result<AuthRound> parse_round(const vici::Entry& entry) {
  AuthDraft draft;
  draft.round.section = entry.name;
  draft.round.auth_class = "public key";  // the protocol's default
  for (const vici::Entry& option : std::get<vici::Section>(entry.content).entries()) {
    if (is_section(option)) {
      // certificates by token or by the daemon's own files
      const bool known = option.name.starts_with("cert") || option.name.starts_with("cacert");
      if (known)
        return config_error(fmt::format("not supported yet: {} as a section, config discarded (use certs or cacerts)", option.name));
      return unknown(option.name);
    }
    if (const Status taken = take_option(option, auth_options(), draft); !taken) return fail(taken.error());
  }
  const std::string& id = draft.round.id;
  if (id.empty() || id == "%any") return draft.round;
  const auto parsed = parse_peer_identity(id);
  if (!parsed) return complain("id", invalid(parsed.error().message));
  draft.round.identity = *parsed;
  return draft.round;
}

Status parse_child(const vici::Entry& entry, ConnectionDraft& connection) {
  if (!is_section(entry)) return unknown(entry.name);
  ChildDraft draft{{}, {}, connection.warnings};
  draft.policy.name = entry.name;
  draft.policy.local_ts.emplace_back();
  draft.policy.remote_ts.emplace_back();
  draft.policy.svti_id_in = connection.if_id_in;
  draft.policy.svti_id_out = connection.if_id_out;
  // the protocol's defaults, where they are not ours
  draft.ipsec.start_action = StartAction::None;
  draft.ipsec.close_action = StartAction::None;
  draft.ipsec.dpd_action = model::DpdAction::Clear;
  for (const vici::Entry& option : std::get<vici::Section>(entry.content).entries()) {
    if (is_section(option)) return unknown(option.name);
    if (const Status taken = take_option(option, child_options(), draft); !taken) return taken;
  }
  if (!draft.ipsec.ah_proposals.empty()) {
    if (!draft.ipsec.esp_proposals.empty()) return complain("ah_proposals", invalid("beside esp_proposals: a child has one of the two"));
    if (draft.policy.negotiated()) draft.policy.action = model::PolicyAction::Ah;
  }
  const bool has_svti = draft.policy.svti_id_in != 0 || draft.policy.svti_id_out != 0;
  if (draft.policy.action == model::PolicyAction::Pass && has_svti)
    return complain("mode", invalid("pass cannot stand with an if_id: what is routed into the interface would leave it unprotected"));
  if (draft.ipsec.esp_proposals.empty()) draft.ipsec.esp_proposals = *parse_proposals({}, wire::ProtocolId::Esp);
  const wire::Transform esn = wire::transform(wire::TransformType::Esn, wire::EsnId::Esn);
  const auto& in_use = draft.policy.action == model::PolicyAction::Ah ? draft.ipsec.ah_proposals : draft.ipsec.esp_proposals;
  const bool offers_esn = std::any_of(in_use.begin(), in_use.end(), [&](const wire::Proposal& one) {
    return std::find(one.transforms.begin(), one.transforms.end(), esn) != one.transforms.end();
  });
  // Linux refuses an SA with ESN and no window
  if (offers_esn && draft.ipsec.replay_window == 0) return complain("replay_window", invalid("esn needs at least 1"));
  const bool life_before_rekey =
      draft.ipsec.life_time && draft.ipsec.life_time->count() != 0 && *draft.ipsec.life_time <= draft.ipsec.rekey_time;
  if (life_before_rekey) draft.warn("life_time is not above rekey_time: the SA ends before its rekey is due");
  connection.children.emplace_back(std::move(draft.policy), std::move(draft.ipsec));
  return {};
}

// The VPN has the first child's options; a child that differs keeps its own.
void adopt_children(ConnectionDraft& draft) {
  if (draft.children.empty()) {
    draft.warnings.emplace_back("it has no children: there is nothing to negotiate");
    return;
  }
  draft.vpn.ipsec = draft.children.front().second;
  for (auto& [policy, ipsec] : draft.children) {
    if (ipsec != draft.vpn.ipsec) policy.ipsec = std::make_shared<const model::IpsecPolicy>(std::move(ipsec));
    draft.vpn.policies.push_back(std::move(policy));
  }
}

// What our own configuration warns of as well, each once.
void warn_of_weak(ConnectionDraft& draft) {
  std::vector<wire::Proposal> all = draft.vpn.ike.proposals;
  for (const auto& [policy, ipsec] : draft.children) {
    if (!policy.negotiated()) continue;
    const auto& in_use = policy.action == model::PolicyAction::Ah ? ipsec.ah_proposals : ipsec.esp_proposals;
    all.insert(all.end(), in_use.begin(), in_use.end());
  }
  for (const std::string& name : config::weak_algorithms(all)) draft.warnings.push_back(name + " " + config::kIsWeak);
}

Status check_families(const model::Vpn& vpn) {
  const auto& local = vpn.local_address;
  const auto& remote = vpn.remote_address;
  if (local && remote && local->family() != remote->family())
    return complain("remote_addrs", invalid("local_addrs and remote_addrs must both be IPv4 or both be IPv6"));
  return {};
}

void never_begins(model::Vpn& vpn, std::string_view why, std::vector<std::string>& warnings) {
  bool wanted = false;
  const auto leave_out = [&](model::IpsecPolicy& ipsec) {
    wanted = wanted || ipsec.start_action != StartAction::None;
    ipsec.start_action = ipsec.close_action = StartAction::None;
  };
  leave_out(vpn.ipsec);
  for (model::SecurityPolicy& policy : vpn.policies) {
    if (!policy.ipsec) continue;
    model::IpsecPolicy own = *policy.ipsec;
    leave_out(own);
    policy.ipsec = std::make_shared<const model::IpsecPolicy>(std::move(own));
  }
  if (wanted) warnings.push_back(fmt::format("{}: start_action is treated as none", why));
}

model::AuthMethod method_of(const AuthRound& round) {
  return round.eap.value_or(round.auth_class == "pre-shared key" ? model::AuthMethod::PresharedKey : model::AuthMethod::Certificate);
}

// The first round of an end is the VPN's own, those after it are further ones (RFC 4739).
Status settle_rounds(ConnectionDraft& draft, std::string& refusal) {
  for (const bool local : {true, false}) {
    const bool none =
        std::none_of(draft.rounds.begin(), draft.rounds.end(), [&](const AuthRound& round) { return round.local() == local; });
    if (none) draft.rounds.push_back({local ? "local" : "remote", 0, "public key", {}, {}, {}, {}, {}, {}, {}, {}, {}, {}});
  }
  std::stable_sort(draft.rounds.begin(), draft.rounds.end(), [](const AuthRound& a, const AuthRound& b) {
    return std::make_tuple(!a.local(), a.order) < std::make_tuple(!b.local(), b.order);
  });
  model::Authentication& how = draft.vpn.authentication;
  std::size_t locals = 0, remotes = 0;
  for (AuthRound& round : draft.rounds) {
    if (round.auth_class == "any")
      refusal = "auth = any is not supported yet: expected psk, pubkey, eap-mschapv2, eap-md5, eap-tls or eap-radius";
    std::size_t& number = round.local() ? locals : remotes;
    if (++number > kMaxRounds)
      return config_error(fmt::format("more than {} {} sections, config discarded", kMaxRounds, round.local() ? "local" : "remote"));
    round.section = fmt::format("{}-{}", round.local() ? "local" : "remote", number);
    if (number > 1) {
      if (round.aaa_id) return config_error("not supported yet: aaa_id after the first round, config discarded");
      (round.local() ? how.further_local : how.further_remote)
          .push_back({method_of(round), round.identity, round.eap ? round.eap_id : std::nullopt, {}, {}, round.revocation});
      continue;
    }
    (round.local() ? draft.vpn.local_id : draft.vpn.remote_id) = round.identity;
    (round.local() ? how.local : how.remote) = method_of(round);
    if (round.eap) (round.local() ? how.local_eap_id : how.remote_eap_id) = round.eap_id;
    if (!round.local()) how.revocation = round.revocation;
  }
  for (const AuthRound& round : draft.rounds) {
    if (!round.aaa_id) continue;
    // whom the gateway has to be within EAP, where it has proven itself by other means before
    if (!round.local() || how.local != model::AuthMethod::EapTls || is_eap(how.remote))
      return config_error("not supported yet: aaa_id without local auth eap-tls, or with EAP at both ends, config discarded");
    how.remote_eap_id = round.aaa_id;
  }
  if (const std::string wrong = how.hindrance(); !wrong.empty())
    return config_error(fmt::format("invalid value for: auth, config discarded ({})", wrong));
  if ((draft.vpn.ike.ppk_id || draft.vpn.ike.ppk_required) && how.has_several_rounds())
    return config_error(fmt::format("not supported yet: {} together with several rounds of authentication, config discarded",
                                    draft.vpn.ike.ppk_id ? "ppk_id" : "ppk_required"));
  return {};
}

}  // namespace

Result<Connection> parse_connection(const std::string& name, const vici::Section& section) {
  ConnectionDraft draft;
  draft.vpn.name = name;
  // options first: children take some of them over, wherever they stand
  for (const vici::Entry& entry : section.entries()) {
    if (is_section(entry)) continue;
    if (const Status taken = take_option(entry, connection_options(), draft); !taken) return fail(taken.error());
  }
  for (const vici::Entry& entry : section.entries()) {
    if (!is_section(entry)) continue;
    if (entry.name == "children") {
      for (const vici::Entry& child : std::get<vici::Section>(entry.content).entries()) {
        const bool twice =
            std::any_of(draft.children.begin(), draft.children.end(), [&](const auto& one) { return one.first.name == child.name; });
        if (twice) return config_error(fmt::format("child {} stands there twice, config discarded", printable(child.name, 64)));
        if (const Status taken = parse_child(child, draft); !taken) return fail(taken.error());
      }
    } else if (entry.name.starts_with("local") || entry.name.starts_with("remote")) {
      auto round = parse_round(entry);
      if (!round) return fail(round.error());
      draft.rounds.push_back(std::move(*round));
    } else {
      return unknown(entry.name);
    }
  }
  if (const Status families = check_families(draft.vpn); !families) return fail(families.error());
  if (draft.vpn.ike.proposals.empty()) draft.vpn.ike.proposals = *parse_proposals({}, wire::ProtocolId::Ike);
  adopt_children(draft);
  warn_of_weak(draft);
  if (!draft.vpn.remote_address) never_begins(draft.vpn, "without remote_addrs there is nobody to negotiate with", draft.warnings);

  Connection out;
  if (const Status settled = settle_rounds(draft, out.refusal); !settled) return fail(settled.error());
  if (!draft.vpn.authentication.may_initiate()) never_begins(draft.vpn, "EAP is for peers that begin", draft.warnings);
  if (!out.refusal.empty()) draft.warnings.push_back(out.refusal);
  out.rounds = std::move(draft.rounds);
  out.warnings = std::move(draft.warnings);
  out.vpn = std::make_shared<const model::Vpn>(std::move(draft.vpn));
  return out;
}

}  // namespace svti::control
