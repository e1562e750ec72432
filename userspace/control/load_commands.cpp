// SPDX-License-Identifier: Apache-2.0
// Commands that load and unload what the catalogue holds: load-*, unload-*, get-*, clear-creds, flush-certs.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "control/catalogue.h"
#include "control/command_table.h"
#include "control/option_values.h"
#include "control/overlay_keeper.h"
#include "crypto/token_uri.h"

namespace svti::control {

namespace {

constexpr std::size_t kNamesRoom = 500 * 1024;  // octets of names that a response has room for

void log(const Call& call, LogLevel level, std::string vpn, std::string text) {
  if (call.loaded.log) call.loaded.log(LogLine{Subsystem::Config, level, std::move(vpn), std::move(text)});
}

Reply outcome(const Status& status) { return status ? success() : failure(status.error().message); }

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}

// the names of all entries of one kind, under `key`; what a packet cannot hold is left out, and said
template <typename T>
Reply names(std::string_view key, const Catalogue::Named<T>& entries) {
  vici::List list;
  std::size_t room = kNamesRoom;
  for (const auto& [name, entry] : entries) {
    if (name.size() + 3 > room) break;
    room -= name.size() + 3;
    list.push_back(name);
  }
  vici::Message message;
  const std::size_t omitted = entries.size() - list.size();
  message.add_list(key, std::move(list));
  if (omitted > 0) message.add_number("omitted", omitted);
  return message;
}

struct NamedSection {
  const std::string& name;
  const vici::Section& section;
};

// the one section of a request, named as what is loaded
Result<NamedSection> only_section(const Call& call, std::string_view what) {
  const auto& entries = call.parameters.entries();
  if (entries.size() != 1 || !std::holds_alternative<vici::Section>(entries.front().content)) {
    return config_error(fmt::format("expected one section, named as the {}", what));
  }
  const std::string& name = entries.front().name;
  if (name.empty()) return config_error(fmt::format("the {} has no name", what));
  return NamedSection{name, std::get<vici::Section>(entries.front().content)};
}

Result<std::string> required(const Call& call, std::string_view key) {
  const std::string* value = call.parameters.find(key);
  if (value == nullptr || value->empty()) return config_error(fmt::format("missing {}", key));
  return *value;
}

// --- connections ------------------------------------------------------------------------------------------------------------

Reply load_conn(const Call& call) {
  const auto given = only_section(call, "connection");
  if (!given) return failure(given.error().message);
  const std::string& name = given->name;
  // the separator between a VRF and a VPN
  if (name.find('/') != std::string::npos) return failure(fmt::format("connection name {}: '/' is not allowed in it", printable(name)));
  if (call.loaded.overlay.in_text(name))
    return failure(fmt::format("VPN {} stands in the configuration text: unload it there, or take another name", name));
  auto connection = parse_connection(name, given->section);
  if (!connection) return failure(connection.error().message);
  for (const std::string& warning : connection->warnings) log(call, 1, name, fmt::format("connection {}: {}", name, warning));
  vici::List warnings = connection->warnings;
  if (const Status put = call.loaded.catalogue.put(name, std::move(*connection)); !put) return failure(put.error().message);
  vici::Message message = success();
  if (!warnings.empty()) message.add_list("warnings", std::move(warnings));
  return message;
}

Reply unload_conn(const Call& call) {
  const auto name = required(call, "name");
  if (!name) return failure(name.error().message);
  if (!call.loaded.catalogue.remove_connection(*name))
    return failure(fmt::format("connection '{}' not found for unloading", printable(*name)));
  return success();
}

Reply get_conns(const Call& call) { return names("conns", call.loaded.catalogue.connections()); }

// --- credentials ------------------------------------------------------------------------------------------------------------

Reply load_cert(const Call& call) {
  const std::string type = upper(call.parameters.text("type", "X509"));
  const std::string flag = upper(call.parameters.text("flag", "NONE"));
  const auto data = required(call, "data");
  if (!data) return failure(data.error().message);
  std::optional<crypto::CertificateKind> kind;
  if (type == "X509") kind = crypto::CertificateKind::X509;
  if (type == "X509_CRL") kind = crypto::CertificateKind::Crl;
  if (type == "PUBKEY") kind = crypto::CertificateKind::PublicKey;
  if (!kind) return failure(fmt::format("certificates of type {} are not supported: expected X509, X509_CRL or PUBKEY", printable(type)));
  if (flag != "NONE" && flag != "CA" && flag != "AA" && flag != "OCSP") return failure("invalid flag: expected NONE, CA, AA or OCSP");
  auto certificate = crypto::parse_certificate(as_bytes(*data), *kind);
  if (!certificate) return failure("data " + certificate.error().message);
  if (flag == "CA" && !certificate->ca)
    return failure(fmt::format("certificate '{}' is not one of a CA: expected flag NONE", certificate->subject));
  LoadedCertificate loaded{std::move(*certificate), {}};
  if (*kind == crypto::CertificateKind::X509) loaded.flag = loaded.certificate.ca ? "CA" : flag;
  return outcome(call.loaded.catalogue.put(std::move(loaded)));
}

Reply load_key(const Call& call) {
  const std::string type(call.parameters.text("type", "any"));
  const std::string* data = call.parameters.find("data");
  if (data == nullptr || data->empty()) return failure("missing data");
  auto key = crypto::parse_private_key(as_bytes(*data));
  if (!key) return failure("data " + key.error().message);
  const std::string wanted = upper(type);  // clients write it either way
  if (wanted != "ANY" && wanted != upper(key->type))
    return failure(fmt::format("data is a private key of type {}, not {}", key->type, printable(type)));
  const std::string id = to_hex(key->key_id);
  if (const Status put = call.loaded.catalogue.put(std::move(*key)); !put) return failure(put.error().message);
  vici::Message message = success();
  message.add("id", id);
  return message;
}

Reply unload_key(const Call& call) {
  const auto id = required(call, "id");
  if (!id) return failure(id.error().message);
  if (!call.loaded.catalogue.remove_key(*id)) return failure(fmt::format("no private key with id {} was loaded", printable(*id)));
  return success();
}

// Those on tokens are among them: a client that loads anew unloads what it did not load.
Reply get_keys(const Call& call) {
  Catalogue::Named<bool> all;
  for (const auto& [id, key] : call.loaded.catalogue.keys()) all.emplace(id, true);
  for (const auto& [id, token] : call.loaded.catalogue.tokens()) all.emplace(id, true);
  return names("keys", all);
}

// The key is found and has signed before it is loaded.
Reply load_token(const Call& call) {
  const auto handle = required(call, "handle");
  if (!handle) return failure(handle.error().message);
  const auto id = from_hex(handle->starts_with("0x") ? handle->substr(2) : *handle);
  if (!id) return failure("invalid handle: expected a CKA_ID in hexadecimal");
  const auto uri = crypto::token_uri_of(*id, call.parameters.text("slot"), call.parameters.text("module"));
  const auto parsed = uri ? crypto::parse_token_uri(*uri) : Result<crypto::TokenUri>(fail(uri.error()));
  if (!parsed) return failure("invalid token: " + parsed.error().message);
  auto key = std::make_shared<model::TokenKey>();
  key->uri = parsed->text;
  key->place = parsed->place;
  key->pin = Secret(as_bytes(call.parameters.text("pin")));
  key->source = "load-token " + to_hex(*id);
  const std::shared_ptr<const model::TokenKey> wanted = key;
  call.service.find_on_token(wanted, [&loaded = call.loaded, requester = std::weak_ptr(call.requester), request = call.request,
                                      wanted](Result<auth::TokenKeyFound> found) {
    const auto client = requester.lock();
    if (!client) return;  // gone, or the server is: nothing is loaded for it
    const auto key_id = found ? crypto::key_id_of_spki(found->public_key) : Result<Bytes>(fail(found.error()));
    if (!key_id) return client->respond(request, failure(key_id.error().message));
    auto known = std::make_shared<model::TokenKey>();
    known->uri = wanted->uri;
    known->place = wanted->place;
    known->pin = wanted->pin.clone();
    known->source = wanted->source;
    known->public_key = std::move(found->public_key);
    if (const Status put = loaded.catalogue.put(LoadedToken{*key_id, std::move(known)}); !put)
      return client->respond(request, failure(put.error().message));
    loaded.overlay.follow();
    vici::Message message = success();
    message.add("id", to_hex(*key_id));
    client->respond(request, message);
  });
  return Deferred{};
}

Reply load_shared(const Call& call) {
  const std::string type = upper(call.parameters.text("type"));
  const std::string id(call.parameters.text("id"));
  const bool known = type == "IKE" || type == "EAP" || type == "XAUTH" || type == "NTLM" || type == "PPK";
  if (!known) return failure(fmt::format("invalid shared key type: {}, expected IKE, EAP, XAUTH, NTLM or PPK", printable(type)));
  const std::string* data = call.parameters.find("data");
  if (data == nullptr || data->empty()) return failure("missing data: a secret may not be empty");
  SharedSecret secret{type, {}, Secret(as_bytes(*data))};
  if (const vici::List* owners = call.parameters.list("owners")) {
    for (const std::string& owner : *owners) {
      auto identity = parse_peer_identity(owner);
      if (!identity && type != "IKE" && type != "EAP" && type != "PPK") continue;  // nothing looks for it yet
      if (!identity) return failure("invalid owner: " + identity.error().message);
      secret.owners.push_back(std::move(*identity));
    }
  }
  if (type == "PPK" && secret.owners.empty()) return failure("missing owners: the ids that both ends know the PPK by");
  if (type != "IKE" && type != "EAP" && type != "PPK")
    log(call, 1, {}, fmt::format("secret {} of type {} is kept, and not used yet", printable(id), type));
  return outcome(call.loaded.catalogue.put(id, std::move(secret)));
}

Reply unload_shared(const Call& call) {
  const auto id = required(call, "id");
  if (!id) return failure(id.error().message);
  if (!call.loaded.catalogue.remove_secret(*id)) return failure(fmt::format("no shared secret with id {} was loaded", printable(*id)));
  return success();
}

Reply get_shared(const Call& call) { return names("keys", call.loaded.catalogue.secrets()); }

Reply clear_creds(const Call& call) {
  call.loaded.catalogue.clear_credentials();
  return success();
}

// what was fetched is meant, not what was loaded
Reply flush_certs(const Call& call) {
  const std::string type = upper(call.parameters.text("type", "ANY"));
  const bool any = type == "ANY";
  call.service.flush_revocation(any || type == "X509_CRL", any || type == "OCSP_RESPONSE");
  return success();
}

// --- authorities ------------------------------------------------------------------------------------------------------------

vici::List items_of(const vici::Entry& entry) {
  if (const auto* list = std::get_if<vici::List>(&entry.content)) return *list;
  const auto& value = std::get<std::string>(entry.content);
  return value.empty() ? vici::List{} : vici::List{value};
}

Reply load_authority(const Call& call) {
  const auto given = only_section(call, "authority");
  if (!given) return failure(given.error().message);
  Authority authority;
  for (const vici::Entry& entry : given->section.entries()) {
    if (std::holds_alternative<vici::Section>(entry.content))
      return failure(fmt::format("unknown option: {}, config discarded", printable(entry.name)));
    const vici::List items = items_of(entry);
    if (entry.name == "cacert") {
      auto ca = crypto::parse_certificate(as_bytes(items.empty() ? std::string_view() : items.front()), crypto::CertificateKind::X509);
      if (!ca) return failure("invalid value for: cacert, config discarded (it " + ca.error().message + ")");
      if (!ca->ca) return failure("invalid value for: cacert, config discarded (the certificate is not one of a CA)");
      authority.ca = std::move(*ca);
    } else if (entry.name == "crl_uris") {
      for (const std::string& uri : items) {
        if (!uri.starts_with("http://") && !uri.starts_with("ldap://"))
          return failure(
              fmt::format("invalid value for: crl_uris, config discarded ({} is not an http:// or ldap:// URI)", printable(uri, 200)));
      }
      authority.crl_uris = items;
    } else if (entry.name == "ocsp_uris") {
      for (const std::string& uri : items) {
        if (!uri.starts_with("http://") && !uri.starts_with("https://"))
          return failure(
              fmt::format("invalid value for: ocsp_uris, config discarded ({} is not an http:// or https:// URI)", printable(uri, 200)));
      }
      authority.ocsp_uris = items;
    } else if (entry.name == "cert_uri_base") {
      authority.cert_uri_base = items.empty() ? "" : items.front();
      if (!authority.cert_uri_base.empty() && !model::is_cert_uri_base(authority.cert_uri_base)) {
        return failure(fmt::format("invalid value for: cert_uri_base, config discarded ({} is not an http:// URI with a path)",
                                   printable(authority.cert_uri_base, 200)));
      }
    } else if (entry.name == "file" || entry.name == "handle" || entry.name == "slot" || entry.name == "module") {
      return failure(fmt::format("not supported yet: {} with this value, config discarded (use cacert)", entry.name));
    } else {
      return failure(fmt::format("unknown option: {}, config discarded", printable(entry.name)));
    }
  }
  if (authority.ca.der.empty()) return failure("missing cacert, config discarded");
  return outcome(call.loaded.catalogue.put(given->name, std::move(authority)));
}

Reply unload_authority(const Call& call) {
  const auto name = required(call, "name");
  if (!name) return failure(name.error().message);
  if (!call.loaded.catalogue.remove_authority(*name))
    return failure(fmt::format("authority '{}' not found for unloading", printable(*name)));
  return success();
}

Reply get_authorities(const Call& call) { return names("authorities", call.loaded.catalogue.authorities()); }

// --- pools ------------------------------------------------------------------------------------------------------------------

// attributes of a pool that are told to clients, and those that are known and told to nobody
bool is_other_attribute(std::string_view name) {
  constexpr std::string_view kAttributes[] = {"address", "netmask", "server", "split_include", "split_exclude"};
  const bool number = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
  return number || std::find(std::begin(kAttributes), std::end(kAttributes), name) != std::end(kAttributes);
}

Status read_pool_option(std::string_view name, const vici::List& items, model::Pool& pool) {
  for (const std::string& item : items) {
    if (name == "addrs") {
      const auto range = model::parse_address_range(item);
      if (!range) return fail(range.error());
      const bool twice = std::any_of(pool.ranges.begin(), pool.ranges.end(), [&](const auto& other) { return other.overlaps(*range); });
      if (twice) return config_error(fmt::format("{} overlaps another", printable(item, 64)));
      pool.ranges.push_back(*range);
    } else if (name == "subnet") {
      const auto subnet = Prefix::parse(item);
      if (!subnet) return fail(subnet.error());
      pool.subnets.push_back(*subnet);
    } else {
      const auto server = IpAddress::parse(item);
      if (!server) return fail(server.error());
      (name == "dns" ? pool.dns : name == "nbns" ? pool.nbns : pool.dhcp).push_back(*server);
    }
  }
  return {};
}

Reply load_pool(const Call& call) {
  const auto given = only_section(call, "pool");
  if (!given) return failure(given.error().message);
  if (!call.loaded.catalogue.pools().contains(given->name) &&
      call.service.configuration(std::string(model::kMainVrf))->pools.contains(given->name))
    return failure(fmt::format("pool {} stands in the configuration text: change it there, or take another name", printable(given->name)));
  model::Pool pool;
  pool.name = given->name;
  for (const vici::Entry& entry : given->section.entries()) {
    const bool ours =
        entry.name == "addrs" || entry.name == "dns" || entry.name == "nbns" || entry.name == "dhcp" || entry.name == "subnet";
    if (std::holds_alternative<vici::Section>(entry.content) || (!ours && !is_other_attribute(entry.name)))
      return failure(fmt::format("unknown option: {}, config discarded", printable(entry.name)));
    if (!ours) {
      log(call, 1, {},
          fmt::format("pool {}: attribute {} is kept back: clients are told of dns, nbns, dhcp and subnet alone", given->name,
                      printable(entry.name)));
      continue;
    }
    if (const Status taken = read_pool_option(entry.name, items_of(entry), pool); !taken)
      return failure(fmt::format("invalid value for: {}, config discarded ({})", entry.name, taken.error().message));
  }
  if (pool.ranges.empty()) return failure("missing addrs, config discarded");
  return outcome(call.loaded.catalogue.put(given->name, std::move(pool)));
}

Reply unload_pool(const Call& call) {
  const auto name = required(call, "name");
  if (!name) return failure(name.error().message);
  if (!call.loaded.catalogue.pools().contains(*name)) return failure(fmt::format("pool '{}' not found", printable(*name)));
  for (const model::PoolState& pool : call.service.pools(std::string(model::kMainVrf), false)) {
    if (pool.name == *name && pool.online > 0)
      return failure(
          fmt::format("pool '{}' has {} online lease{}, unable to unload", printable(*name), pool.online, pool.online == 1 ? "" : "s"));
  }
  call.loaded.catalogue.remove_pool(*name);
  return success();
}

constexpr std::uint64_t kMostAddresses = 0x7fffffff;  // as clients expect it: a signed number of 32 bits
constexpr std::size_t kLeasesRoom = 480 * 1024;       // octets of a response

// The leases from `from` on, as far as `room` lets; how many of them are in.
std::size_t add_leases(vici::Section& section, const std::vector<model::LeaseState>& leases, std::size_t from, std::size_t& room) {
  std::size_t at = from;
  for (; at < leases.size(); ++at) {
    const model::LeaseState& lease = leases[at];
    const std::string address = lease.address.to_string();
    const std::string identity = printable(lease.identity.empty() ? "%any" : lease.identity, 512);
    const std::size_t size = address.size() + identity.size() + 64;
    if (size > room) break;
    room -= size;
    section.add_section(std::to_string(at))
        .add("address", address)
        .add("identity", identity)
        .add("status", lease.online ? "online" : "offline");
  }
  return at - std::min(from, at);
}

Reply get_pools(const Call& call) {
  const auto leases = call.parameters.flag("leases", false);
  if (!leases) return failure(leases.error().message);
  const auto from = call.parameters.number("from", 0, 0);
  if (!from) return failure(from.error().message);
  const std::string* only = call.parameters.find("name");
  if (const Status applied = call.loaded.overlay.apply(); !applied) return failure(applied.error().message);
  vici::Message message;
  std::size_t room = kLeasesRoom;
  for (const std::string& vrf : call.service.vrfs()) {
    for (const model::PoolState& pool : call.service.pools(vrf, *leases)) {
      const std::string name = model::qualified_name(vrf, pool.name);
      if (only != nullptr && name != *only) continue;
      if (room < 1024) break;
      room -= std::min<std::size_t>(room, name.size() + 128);
      vici::Section& section = message.add_section(name);
      section.add("base", pool.base.to_string())
          .add_number("size", std::min(pool.size, kMostAddresses))
          .add_number("online", pool.online)
          .add_number("offline", pool.offline);
      if (!*leases) continue;
      const std::size_t first = std::min(static_cast<std::size_t>(*from), pool.leases.size());
      const std::size_t shown = add_leases(section.add_section("leases"), pool.leases, first, room);
      if (first + shown < pool.leases.size()) section.add_number("omitted", pool.leases.size() - first - shown);
    }
  }
  return message;
}

constexpr Command kCommands[] = {
    {"load-conn", load_conn},
    {"unload-conn", unload_conn},
    {"get-conns", get_conns},
    {"load-cert", load_cert},
    {"flush-certs", flush_certs},
    {"load-key", load_key},
    {"unload-key", unload_key},
    {"get-keys", get_keys},
    {"load-token", load_token},
    {"load-shared", load_shared},
    {"unload-shared", unload_shared},
    {"get-shared", get_shared},
    {"clear-creds", clear_creds},
    {"load-authority", load_authority},
    {"unload-authority", unload_authority},
    {"get-authorities", get_authorities},
    {"load-pool", load_pool},
    {"unload-pool", unload_pool},
    {"get-pools", get_pools},
};

}  // namespace

std::span<const Command> load_commands() { return kCommands; }

}  // namespace svti::control
