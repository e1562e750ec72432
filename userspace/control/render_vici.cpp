// SPDX-License-Identifier: Apache-2.0
#include "control/render_vici.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace svti::control {

namespace {

struct TransformName {
  wire::TransformType type;
  std::uint16_t id;
  std::string_view name;
};

using enum wire::TransformType;

// Transform ids of the IANA registry, named as clients of the protocol know them.
constexpr TransformName kTransformNames[] = {
    {Encryption, 3, "3DES_CBC"},
    {Encryption, 11, "NULL"},
    {Encryption, 12, "AES_CBC"},
    {Encryption, 13, "AES_CTR"},
    {Encryption, 14, "AES_CCM_8"},
    {Encryption, 15, "AES_CCM_12"},
    {Encryption, 16, "AES_CCM_16"},
    {Encryption, 18, "AES_GCM_8"},
    {Encryption, 19, "AES_GCM_12"},
    {Encryption, 20, "AES_GCM_16"},
    {Encryption, 21, "NULL_AES_GMAC"},
    {Encryption, 23, "CAMELLIA_CBC"},
    {Encryption, 28, "CHACHA20_POLY1305"},
    {Integrity, 1, "HMAC_MD5_96"},
    {Integrity, 2, "HMAC_SHA1_96"},
    {Integrity, 5, "AES_XCBC_96"},
    {Integrity, 8, "AES_CMAC_96"},
    {Integrity, 12, "HMAC_SHA2_256_128"},
    {Integrity, 13, "HMAC_SHA2_384_192"},
    {Integrity, 14, "HMAC_SHA2_512_256"},
    {Prf, 1, "PRF_HMAC_MD5"},
    {Prf, 2, "PRF_HMAC_SHA1"},
    {Prf, 4, "PRF_AES128_XCBC"},
    {Prf, 5, "PRF_HMAC_SHA2_256"},
    {Prf, 6, "PRF_HMAC_SHA2_384"},
    {Prf, 7, "PRF_HMAC_SHA2_512"},
    {Prf, 8, "PRF_AES128_CMAC"},
    {KeyExchange, 1, "MODP_768"},
    {KeyExchange, 2, "MODP_1024"},
    {KeyExchange, 5, "MODP_1536"},
    {KeyExchange, 14, "MODP_2048"},
    {KeyExchange, 15, "MODP_3072"},
    {KeyExchange, 16, "MODP_4096"},
    {KeyExchange, 17, "MODP_6144"},
    {KeyExchange, 18, "MODP_8192"},
    {KeyExchange, 19, "ECP_256"},
    {KeyExchange, 20, "ECP_384"},
    {KeyExchange, 21, "ECP_521"},
    {KeyExchange, 22, "MODP_1024_160"},
    {KeyExchange, 23, "MODP_2048_224"},
    {KeyExchange, 24, "MODP_2048_256"},
    {KeyExchange, 26, "ECP_224"},
    {KeyExchange, 27, "ECP_224_BP"},
    {KeyExchange, 28, "ECP_256_BP"},
    {KeyExchange, 29, "ECP_384_BP"},
    {KeyExchange, 30, "ECP_512_BP"},
    {KeyExchange, 31, "CURVE_25519"},
    {KeyExchange, 32, "CURVE_448"},
    {KeyExchange, 35, "ML_KEM_512"},
    {KeyExchange, 36, "ML_KEM_768"},
    {KeyExchange, 37, "ML_KEM_1024"},
};

// in the order of Subsystem
constexpr std::array<std::string_view, kSubsystemNames.size()> kLogGroups = {"ASN", "CHD", "CFG", "DMN", "ENC", "IKE",
                                                                             "ESP", "JOB", "KNL", "MGR", "NET"};

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}

void add_transforms(vici::Section& section, const std::vector<wire::Transform>& transforms) {
  for (const wire::Transform& transform : transforms) {
    if (transform.type != Encryption && transform.id == 0) continue;  // NONE: the key is absent
    switch (transform.type) {
      case Encryption:
        section.add("encr-alg", vici_name(transform));
        if (transform.key_bits != 0) section.add_number("encr-keysize", transform.key_bits);
        break;
      case Integrity:
        section.add("integ-alg", vici_name(transform));
        if (transform.key_bits != 0) section.add_number("integ-keysize", transform.key_bits);
        break;
      case Prf:
        section.add("prf-alg", vici_name(transform));
        break;
      case KeyExchange:
        section.add("dh-group", vici_name(transform));
        break;
      case Esn:
        break;  // a key of its own
      default:
        if (!is_additional_ke(transform.type)) break;
        section.add(fmt::format("ake{}", number_of_additional_ke(transform.type)), vici_name({KeyExchange, transform.id, 0, false}));
    }
  }
}

vici::List selector_list(const std::vector<wire::TrafficSelector>& selectors) {
  vici::List list;
  for (const wire::TrafficSelector& selector : selectors) list.push_back(vici_name(selector));
  return list;
}

void add_addresses(vici::Section& section, std::string_view name, const std::vector<IpAddress>& addresses) {
  if (addresses.empty()) return;
  vici::List list;
  for (const IpAddress& address : addresses) list.push_back(address.to_string());
  section.add_list(name, std::move(list));
}

void add_if_id(vici::Section& section, std::string_view name, std::uint32_t value) {
  if (value != 0) section.add(name, fmt::format("{:08x}", value));
}

void fill_child(vici::Section& section, const model::ChildSaState& child) {
  section.add("name", child.name)
      .add_number("uniqueid", child.unique_id)
      .add_number("reqid", child.reqid)
      .add("state", upper(model::kChildSaPhaseNames.at(static_cast<std::size_t>(child.phase))))
      .add("mode", child.mode == model::Mode::Transport ? "TRANSPORT" : "TUNNEL")
      .add("protocol", child.protocol == wire::ProtocolId::Ah ? "AH" : "ESP");
  if (child.udp_encap) section.add_flag("encap", true);
  section.add("spi-in", fmt::format("{:08x}", child.spi_in)).add("spi-out", fmt::format("{:08x}", child.spi_out));
  add_if_id(section, "if-id-in", child.svti_id_in);
  add_if_id(section, "if-id-out", child.svti_id_out);
  add_transforms(section, child.transforms);
  if (child.esn) section.add("esn", "1");
  section.add_number("bytes-in", child.bytes_in).add_number("packets-in", child.packets_in);
  if (child.used_in) section.add_number("use-in", child.used_in->count());
  section.add_number("bytes-out", child.bytes_out).add_number("packets-out", child.packets_out);
  if (child.used_out) section.add_number("use-out", child.used_out->count());
  if (child.rekey) section.add_number("rekey-time", child.rekey->count());
  if (child.life) section.add_number("life-time", child.life->count());
  section.add_number("install-time", child.installed.count());
  section.add_list("local-ts", selector_list(child.local_ts)).add_list("remote-ts", selector_list(child.remote_ts));
}

std::string protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case 1:
      return "icmp";
    case 6:
      return "tcp";
    case 17:
      return "udp";
    case 47:
      return "gre";
    case 58:
      return "ipv6-icmp";
    case 132:
      return "sctp";
    default:
      return std::to_string(protocol);
  }
}

}  // namespace

vici::Section& add_ike_sa(vici::Section& parent, const model::IkeSaState& sa, std::string_view name) {
  if (name.empty()) name = sa.name.empty() ? kUnnamedSa : std::string_view(sa.name);
  vici::Section& section = parent.add_section(name);
  section.add_number("uniqueid", sa.unique_id)
      .add_number("version", unsigned{sa.version})
      .add("state", upper(model::kIkeSaPhaseNames.at(static_cast<std::size_t>(sa.phase))))
      .add("local-host", sa.local.address.to_string())
      .add_number("local-port", sa.local.port)
      .add("local-id", sa.local_id.empty() ? "%any" : sa.local_id)
      .add("remote-host", sa.remote.address.to_string())
      .add_number("remote-port", sa.remote.port)
      .add("remote-id", sa.remote_id.empty() ? "%any" : sa.remote_id);
  if (!sa.remote_eap_id.empty()) section.add("remote-eap-id", sa.remote_eap_id);
  const auto add_certificate = [&](std::string_view key, const Bytes& der) {
    if (!der.empty() && der.size() <= vici::kMaxValueSize)
      section.add(key, std::string_view(reinterpret_cast<const char*>(der.data()), der.size()));
  };
  add_certificate("local-cert-data", sa.local_certificate);
  add_certificate("remote-cert-data", sa.remote_certificate);
  if (sa.initiator) section.add_flag("initiator", true);
  section.add("initiator-spi", fmt::format("{:016x}", sa.initiator_spi)).add("responder-spi", fmt::format("{:016x}", sa.responder_spi));
  if (sa.nat_local) section.add_flag("nat-local", true);
  if (sa.nat_remote) section.add_flag("nat-remote", true);
  if (sa.nat_local || sa.nat_remote) section.add_flag("nat-any", true);
  add_transforms(section, sa.transforms);
  if (sa.ppk) section.add_flag("ppk", true);
  const bool established = sa.phase != model::IkeSaPhase::Created && sa.phase != model::IkeSaPhase::Connecting;
  if (established) section.add_number("established", sa.established.count());
  if (sa.rekey) section.add_number("rekey-time", sa.rekey->count());
  if (sa.reauth) section.add_number("reauth-time", sa.reauth->count());
  add_addresses(section, "local-vips", sa.local_vips);
  add_addresses(section, "remote-vips", sa.remote_vips);
  return section;
}

void add_child_sa(vici::Section& parent, const model::ChildSaState& child, std::string_view name) {
  fill_child(parent.add_section(name.empty() ? fmt::format("{}-{}", child.name, child.unique_id) : std::string(name)), child);
}

std::vector<vici::Message> list_sa_events(const model::IkeSaState& sa, const ChildFilter& wanted) {
  std::vector<vici::Message> events;
  vici::Section* children = nullptr;
  std::size_t in_event = 0;
  const auto begin_event = [&] {
    children = &add_ike_sa(events.emplace_back(), sa).add_section("child-sas");
    in_event = 0;
  };
  begin_event();
  for (const model::ChildSaState& child : sa.children) {
    if (!wanted(child)) continue;
    if (in_event == kMaxChildrenPerEvent) begin_event();
    add_child_sa(*children, child);
    ++in_event;
  }
  return events;
}

void add_counters(vici::Section& parent, std::string_view name, const model::Counters& counters) {
  vici::Section& section = parent.add_section(name);
  for (std::size_t i = 0; i < model::kCounterNames.size(); ++i) section.add_number(model::kCounterNames[i], counters.values[i]);
}

vici::Message log_event(const LogLine& line) {
  vici::Message message;
  message.add("group", kLogGroups.at(static_cast<std::size_t>(line.subsystem))).add_number("level", int{line.level});
  if (!line.vpn.empty()) message.add("ikesa-name", line.vpn);
  if (line.ike_id != 0) message.add_number("ikesa-uniqued", line.ike_id);
  message.add("msg", std::string_view(line.text).substr(0, vici::kMaxValueSize));
  return message;
}

vici::Message follow_event(const LogLine& line) {
  vici::Message message;
  message.add("subsystem", to_string(line.subsystem)).add_number("level", int{line.level});
  if (!line.vpn.empty()) message.add("vpn", line.vpn);
  message.add("msg", std::string_view(line.text).substr(0, vici::kMaxValueSize));
  return message;
}

std::string vici_name(const wire::Transform& transform) {
  for (const TransformName& known : kTransformNames) {
    if (known.type == transform.type && known.id == transform.id) return std::string(known.name);
  }
  return fmt::format("({})", transform.id);
}

std::string vici_name(const wire::TrafficSelector& selector) {
  const std::vector<Prefix> prefixes = selector.prefixes();
  std::string out = prefixes.size() == 1 ? prefixes[0].to_string() : selector.start.to_string() + ".." + selector.end.to_string();
  if (selector.protocol == 0 && selector.any_port()) return out;
  out += "[" + protocol_name(selector.protocol);
  if (!selector.any_port()) {
    out += fmt::format("/{}", selector.start_port);
    if (selector.end_port != selector.start_port) out += fmt::format("-{}", selector.end_port);
  }
  return out + "]";
}

}  // namespace svti::control
