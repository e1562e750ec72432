// SPDX-License-Identifier: Apache-2.0
// Commands that list what is configured and loaded, an event for each: list-conns, list-policies, list-certs, list-authorities.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "control/catalogue.h"
#include "control/command_table.h"
#include "control/overlay_keeper.h"
#include "control/render_connection.h"

namespace svti::control {

namespace {

// one event for each of `items`, made when the client takes it
template <typename Item, typename Render>
Reply stream(std::string event, std::vector<Item> items, Render render) {
  struct Listing {
    std::vector<Item> items;
    std::size_t next = 0;
  };
  auto listing = std::make_shared<Listing>(Listing{std::move(items), 0});
  return Streamed{std::move(event),
                  [listing, render = std::move(render)]() -> std::optional<vici::Message> {
                    if (listing->next == listing->items.size()) return std::nullopt;
                    return render(std::exchange(listing->items[listing->next++], {}));
                  },
                  {}};
}

using VpnPtr = std::shared_ptr<const model::Vpn>;

struct ListedVpn {
  std::string name;
  VpnPtr vpn;
  std::vector<AuthRound> rounds;
};

// all VPNs of the daemon, with those that clients loaded and nobody can bring up
std::vector<ListedVpn> all_vpns(const Call& call, bool with_unusable) {
  std::vector<ListedVpn> out;
  for (const std::string& vrf : call.service.vrfs()) {
    const model::ConfigurationPtr configuration = call.service.configuration(vrf);
    if (!configuration) continue;
    for (const auto& [name, vpn] : configuration->vpns) {
      const auto loaded = call.loaded.catalogue.connections().find(name);
      const bool ours = vrf == model::kMainVrf && loaded != call.loaded.catalogue.connections().end() && !call.loaded.overlay.in_text(name);
      out.push_back({model::qualified_name(vrf, name), vpn, ours ? loaded->second.rounds : rounds_of(*vpn)});
    }
  }
  if (!with_unusable) return out;
  for (const auto& [name, connection] : call.loaded.catalogue.connections()) {
    if (!connection.refusal.empty()) out.push_back({name, connection.vpn, connection.rounds});
  }
  return out;
}

Reply list_conns(const Call& call) {
  if (!call.requester->listens_to("list-conn")) return vici::Message{};
  (void)call.loaded.overlay.apply();
  std::vector<ListedVpn> vpns = all_vpns(call, true);
  if (const std::string* ike = call.parameters.find("ike")) std::erase_if(vpns, [&](const ListedVpn& one) { return one.name != *ike; });
  return stream("list-conn", std::move(vpns), [](const ListedVpn& one) { return list_conn_event(one.name, *one.vpn, one.rounds); });
}

Reply list_policies(const Call& call) {
  const auto trap = call.parameters.flag("trap", false);
  const auto drop = call.parameters.flag("drop", false);
  const auto pass = call.parameters.flag("pass", false);
  for (const auto* flag : {&trap, &drop, &pass}) {
    if (!*flag) return failure(flag->error().message);
  }
  if (!call.requester->listens_to("list-policy")) return vici::Message{};
  (void)call.loaded.overlay.apply();
  const std::string* ike = call.parameters.find("ike");
  const std::string* child = call.parameters.find("child");
  struct Installed {
    std::string vpn_name;
    VpnPtr vpn;
    std::string policy;
  };
  std::vector<Installed> found;
  // pass and drop policies are none of the daemon's yet: there is nothing to list
  for (const ListedVpn& one : *trap ? all_vpns(call, false) : std::vector<ListedVpn>()) {
    if (ike != nullptr && one.name != *ike) continue;
    const auto [vrf, name] = model::split_qualified_name(one.name);
    for (const std::string& policy : call.service.trapped_policies(vrf, name)) {
      if (child == nullptr || policy == *child) found.push_back({one.name, one.vpn, policy});
    }
  }
  return stream("list-policy", std::move(found), [](const Installed& one) {
    const model::SecurityPolicy* policy = one.vpn->find_policy(one.policy);
    return policy == nullptr ? vici::Message{} : list_policy_event(one.vpn_name, *policy);
  });
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}

std::string_view type_name(crypto::CertificateKind kind) {
  switch (kind) {
    case crypto::CertificateKind::X509:
      return "X509";
    case crypto::CertificateKind::Crl:
      return "X509_CRL";
    case crypto::CertificateKind::PublicKey:
      break;
  }
  return "PUBKEY";
}

// Those of the configuration text, beside what clients loaded. Returns which of them have a private key.
std::set<Bytes> add_configured(const Call& call, std::vector<LoadedCertificate>& all) {
  std::set<Bytes> known, with_key;
  for (const LoadedCertificate& one : all) known.insert(one.certificate.der);
  const auto add = [&](const Bytes& der, std::string flag) {
    if (!known.insert(der).second) return;
    auto certificate = crypto::parse_certificate(der, crypto::CertificateKind::X509);
    if (certificate) all.push_back({std::move(*certificate), std::move(flag)});
  };
  for (const std::string& vrf : call.service.vrfs()) {
    const model::ConfigurationPtr configuration = call.service.configuration(vrf);
    if (!configuration) continue;
    for (const auto& one : configuration->certificates) {
      const bool fresh = !known.contains(one->der);
      add(one->der, "NONE");
      if (fresh) with_key.insert(one->der);
      for (const Bytes& der : one->chain) add(der, "CA");
    }
    for (const auto& one : configuration->authorities) add(one->der, "CA");
  }
  return with_key;
}

Reply list_certs(const Call& call) {
  if (!call.requester->listens_to("list-cert")) return vici::Message{};
  const std::string type = upper(call.parameters.text("type", "ANY"));
  const std::string flag = upper(call.parameters.text("flag", "ANY"));
  const std::string subject(call.parameters.text("subject"));
  struct Listed {
    LoadedCertificate loaded;
    bool has_key = false;
    auth::KeyState key;  // of one that has
  };
  std::vector<Listed> wanted;
  std::vector<LoadedCertificate> all = call.loaded.catalogue.certificates();
  std::set<Bytes> with_key = add_configured(call, all);
  for (LoadedCertificate& loaded : all) {
    const crypto::Certificate& one = loaded.certificate;
    if (type != "ANY" && type != type_name(one.kind)) continue;
    if (flag != "ANY" && flag != loaded.flag) continue;
    if (!subject.empty() && subject != "%any" && subject != one.subject) continue;
    const bool has_key = call.loaded.catalogue.has_key_of(one) || with_key.contains(one.der);
    auth::KeyState key = has_key ? call.service.key_state(one.key_id) : auth::KeyState{};
    wanted.push_back({std::move(loaded), has_key, std::move(key)});
  }
  return stream("list-cert", std::move(wanted), [](const Listed& one) {
    vici::Message event;
    event.add("type", type_name(one.loaded.certificate.kind));
    if (!one.loaded.flag.empty()) event.add("flag", one.loaded.flag);
    if (one.has_key) event.add_flag("has_privkey", true).add("svti-key-place", one.key.place);
    if (!one.key.problem.empty()) event.add("svti-key-problem", one.key.problem);
    event.add("data", as_text(one.loaded.certificate.der));
    return event;
  });
}

Reply list_authorities(const Call& call) {
  if (!call.requester->listens_to("list-authority")) return vici::Message{};
  const std::string* only = call.parameters.find("name");
  std::vector<std::pair<std::string, Authority>> wanted;
  for (const auto& [name, authority] : call.loaded.catalogue.authorities()) {
    if (only == nullptr || name == *only) wanted.emplace_back(name, authority);
  }
  return stream("list-authority", std::move(wanted), [](const std::pair<std::string, Authority>& one) {
    vici::Message event;
    vici::Section& section = event.add_section(one.first);
    section.add("cacert", one.second.ca.subject).add_list("crl_uris", one.second.crl_uris).add_list("ocsp_uris", one.second.ocsp_uris);
    if (!one.second.cert_uri_base.empty()) section.add("cert_uri_base", one.second.cert_uri_base);
    return event;
  });
}

constexpr Command kCommands[] = {
    {"list-conns", list_conns},
    {"list-policies", list_policies},
    {"list-certs", list_certs},
    {"list-authorities", list_authorities},
};

}  // namespace

std::span<const Command> list_commands() { return kCommands; }

}  // namespace svti::control
