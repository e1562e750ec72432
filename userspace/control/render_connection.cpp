// SPDX-License-Identifier: Apache-2.0
#include "control/render_connection.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "control/render_vici.h"

namespace svti::control {

namespace {

constexpr std::array<std::string_view, 4> kUniqueNames = {"UNIQUE_NO", "UNIQUE_NEVER", "UNIQUE_KEEP", "UNIQUE_REPLACE"};  // of UniqueSa
constexpr std::array<std::string_view, 3> kDpdNames = {"clear", "trap", "restart"};                                       // of DpdAction
constexpr std::array<std::string_view, 3> kActionNames = {"none", "trap", "start"};                                       // of StartAction

vici::List address_list(const std::optional<IpAddress>& address) { return {address ? address->to_string() : "%any"}; }

vici::List selector_list(const std::vector<model::SelectorConfig>& selectors) {
  vici::List out;
  for (const model::SelectorConfig& one : selectors) out.push_back(vici_name(one));
  return out;
}

std::string_view mode_name(model::Mode mode) { return mode == model::Mode::Transport ? "TRANSPORT" : "TUNNEL"; }

vici::List subjects(const std::vector<crypto::Certificate>& certificates) {
  vici::List out;
  for (const crypto::Certificate& one : certificates) out.push_back(one.subject);
  return out;
}

void add_if_any(vici::Section& section, std::string_view name, vici::List items) {
  if (!items.empty()) section.add_list(name, std::move(items));
}

// as strongSwan calls the methods
std::string_view eap_word(model::AuthMethod method) {
  if (method == model::AuthMethod::EapRadius) return "RADIUS";
  if (method == model::AuthMethod::EapTls) return "TLS";
  return method == model::AuthMethod::EapMd5 ? "MD5" : "MSCHAPV2";
}

void add_round(vici::Section& connection, const AuthRound& round) {
  vici::Section& section = connection.add_section(round.section);
  section.add("class", round.auth_class);
  if (round.eap) section.add("eap-type", eap_word(*round.eap));
  if (round.eap_id) section.add("eap_id", round.eap_id->to_string());
  if (!round.id.empty()) section.add("id", round.id);
  add_if_any(section, "groups", round.groups);
  add_if_any(section, "cert_policy", round.cert_policies);
  add_if_any(section, "certs", subjects(round.certificates));
  add_if_any(section, "cacerts", subjects(round.cas));
}

void add_child(vici::Section& children, const model::SecurityPolicy& policy, const model::IpsecPolicy& ipsec) {
  vici::Section& section = children.add_section(policy.name);
  // 0 as well: swanctl prints what is absent
  section.add("mode", mode_name(policy.mode))
      .add_number("rekey_time", ipsec.rekey_time.count())
      .add_number("rekey_bytes", ipsec.rekey_bytes)
      .add_number("rekey_packets", ipsec.rekey_packets);
  section.add("dpd_action", kDpdNames.at(static_cast<std::size_t>(ipsec.dpd_action)))
      .add("close_action", kActionNames.at(static_cast<std::size_t>(ipsec.close_action)))
      .add_list("local-ts", selector_list(policy.local_ts))
      .add_list("remote-ts", selector_list(policy.remote_ts));
  if (policy.priority != 0) section.add_number("priority", policy.priority);
}

}  // namespace

vici::Message list_conn_event(const std::string& name, const model::Vpn& vpn, const std::vector<AuthRound>& rounds) {
  vici::Message event;
  vici::Section& connection = event.add_section(name);
  connection.add_list("local_addrs", address_list(vpn.local_address))
      .add_list("remote_addrs", address_list(vpn.remote_address))
      .add_number("local_port", 500)
      .add_number("remote_port", 500)
      .add("version", vpn.version == 1 ? "IKEv1" : "IKEv2")
      .add_number("reauth_time", vpn.ike.reauth_time.count())
      .add_number("rekey_time", vpn.ike.rekey_time.count())
      .add("unique", kUniqueNames.at(static_cast<std::size_t>(vpn.ike.unique_sa)))
      .add("childless", name_of(vpn.ike.childless));
  if (vpn.ike.ppk_id) connection.add("ppk_id", vpn.ike.ppk_id->to_string());
  if (vpn.ike.ppk_required) connection.add("ppk_required", "yes");
  if (vpn.ike.dpd_delay.count() != 0) connection.add_number("dpd_delay", vpn.ike.dpd_delay.count());
  for (const AuthRound& round : rounds) add_round(connection, round);
  vici::Section& children = connection.add_section("children");
  for (const model::SecurityPolicy& policy : vpn.policies) add_child(children, policy, vpn.ipsec_of(policy));
  return event;
}

std::vector<AuthRound> rounds_of(const model::Vpn& vpn) {
  const auto round = [](std::string section, const std::optional<model::Identity>& id, model::AuthMethod method) {
    AuthRound out;
    out.section = std::move(section);
    out.auth_class = method == model::AuthMethod::PresharedKey ? "pre-shared key" : is_eap(method) ? "EAP" : "public key";
    if (id) out.id = id->to_string();
    if (is_eap(method)) out.eap = method;
    return out;
  };
  const model::Authentication& how = vpn.authentication;
  std::vector<AuthRound> out = {round("local-1", vpn.local_id, how.local), round("remote-1", vpn.remote_id, how.remote)};
  if (out.front().eap) out.front().eap_id = how.local_eap_id;
  if (out.back().eap) out.back().eap_id = how.remote_eap_id;
  for (const auto& one : how.certificates)
    out.front().certificates.push_back({crypto::CertificateKind::X509, one->der, one->subject, one->key_id, false});
  for (const auto& one : how.authorities) out.back().cas.push_back({crypto::CertificateKind::X509, one->der, one->subject, {}, true});
  return out;
}

vici::Message list_policy_event(const std::string& vpn_name, const model::SecurityPolicy& policy) {
  vici::Message event;
  event.add_section(vpn_name + "/" + policy.name)
      .add("child", policy.name)
      .add("ike", vpn_name)
      .add("mode", mode_name(policy.mode))
      .add_list("local-ts", selector_list(policy.local_ts))
      .add_list("remote-ts", selector_list(policy.remote_ts));
  return event;
}

std::string vici_name(const model::SelectorConfig& selector) {
  const Prefix prefix = selector.subnet.value_or(Prefix());
  const std::string text = vici_name(wire::TrafficSelector::of(prefix, selector.protocol, selector.start_port, selector.end_port));
  if (selector.subnet) return text;
  return "dynamic" + text.substr(std::min(text.find('['), text.size()));
}

}  // namespace svti::control
