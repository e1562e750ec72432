// SPDX-License-Identifier: Apache-2.0
// A small certificate authority in files: enough for gateways and users of one's own. Needs no daemon.
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/ip.h"
#include "base/log.h"
#include "crypto/credential.h"
#include "crypto/issuing.h"
#include "crypto/sealed_key.h"
#include "ikectl/client.h"
#include "ikectl/render.h"
#include "ikectl/verbs.h"

namespace svti::ikectl {

namespace {

using crypto::KeyType;
using std::chrono::sys_seconds;

constexpr std::size_t kMaxFile = 1024 * 1024;  // octets: no certificate or list made here is near
constexpr mode_t kPublicMode = 0644;
constexpr mode_t kPrivateMode = 0600;
constexpr auto kSkew = std::chrono::minutes(5);  // by which the peer's clock may be behind
constexpr auto kExpiresSoon = std::chrono::days(30);

struct Options {
  std::string subject, out, kind{crypto::key_kinds().front().name}, authority, authority_key, public_key, signing_request, base,
      policy = "relaxed";
  std::vector<std::string> files, alt_names, crl_uris, delta_uris, ocsp_uris, authorities, lists;
  unsigned days = 0;
  bool force = false, sealed = false;
};
using OptionsPtr = std::shared_ptr<Options>;

sys_seconds now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }
std::string date(sys_seconds time) { return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", time); }
std::string pem_of_certificate(ByteView der) { return crypto::to_pem("CERTIFICATE", der); }

// ---- files

Error named(const std::string& file, Error error) {
  error.message = file + ": " + error.message;
  return error;
}

// The octets wipe themselves: they may be a private key.
Result<Secret> read_file(const std::string& file) {
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return system_error("cannot open " + file + ": " + std::strerror(errno));
  Secret buffer(kMaxFile + 1);
  std::size_t size = 0;
  ssize_t got = 0;
  while (size < buffer.size()) {
    got = read(descriptor, buffer.mutable_view().data() + size, buffer.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  const int failure = errno;
  close(descriptor);
  if (got < 0) return system_error("cannot read " + file + ": " + std::strerror(failure));
  if (size > kMaxFile) return config_error(file + " has more than 1 MiB: neither a certificate nor a key");
  return buffer.slice(0, size);
}

Result<crypto::Certificate> read_certificate(const std::string& file, crypto::CertificateKind kind) {
  const auto octets = read_file(file);
  if (!octets) return fail(octets.error());
  auto parsed = crypto::parse_certificate(octets->view(), kind);
  if (!parsed) return fail(named(file, parsed.error()));
  return parsed;
}

// every certificate of a PEM file, or the one of a DER file
Result<std::vector<Bytes>> read_certificates(const std::string& file) {
  const auto octets = read_file(file);
  if (!octets) return fail(octets.error());
  static constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  const std::string_view text = as_text(octets->view());
  std::vector<Bytes> out;
  std::size_t at = text.find(kBegin);
  do {
    const std::size_t next = at == std::string_view::npos ? at : text.find(kBegin, at + kBegin.size());
    const std::string_view one = at == std::string_view::npos ? text : text.substr(at, next - at);
    const auto parsed = crypto::parse_certificate(as_bytes(one), crypto::CertificateKind::X509);
    if (!parsed) return fail(named(file, parsed.error()));
    out.push_back(parsed->der);
    at = next;
  } while (at != std::string_view::npos);
  return out;
}

Result<crypto::PrivateKey> read_key(const std::string& file) {
  const auto octets = read_file(file);
  if (!octets) return fail(octets.error());
  auto parsed = crypto::parse_private_key(octets->view());
  if (!parsed) return fail(named(file, parsed.error()));
  return parsed;
}

// Whole or not at all: written beside, then renamed.
Status write_file(const std::string& file, std::string_view text, mode_t mode, bool force) {
  if (!force && access(file.c_str(), F_OK) == 0) return config_error(file + " is there already: name another with --out, or give --force");
  const std::string beside = file + ".new";
  unlink(beside.c_str());
  const int descriptor = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (descriptor < 0) return system_error("cannot write " + beside + ": " + std::strerror(errno));
  bool written = fchmod(descriptor, mode) == 0;
  for (std::size_t done = 0; written && done < text.size();) {
    const ssize_t size = write(descriptor, text.data() + done, text.size() - done);
    if (size < 0 && errno == EINTR) continue;
    written = size > 0;
    if (written) done += static_cast<std::size_t>(size);
  }
  written = written && fsync(descriptor) == 0;
  const int failure = errno;
  close(descriptor);
  if (written && rename(beside.c_str(), file.c_str()) == 0) return {};
  const std::string why = std::strerror(written ? errno : failure);
  unlink(beside.c_str());
  return system_error("cannot write " + file + ": " + why);
}

// ---- making

Result<std::vector<crypto::AltName>> alt_names_of(const Options& options) {
  std::vector<crypto::AltName> out;
  for (const std::string& text : options.alt_names) {
    auto name = crypto::parse_alt_name(text);
    if (!name) return fail(name.error());
    out.push_back(std::move(*name));
  }
  return out;
}

Result<crypto::CertificateRequest> request_of(const Options& options) {
  crypto::CertificateRequest out;
  out.subject = options.subject;
  out.not_before = now() - kSkew;
  out.not_after = now() + std::chrono::days(options.days);
  out.crl_uris = options.crl_uris;
  out.delta_uris = options.delta_uris;
  out.ocsp_uris = options.ocsp_uris;
  auto names = alt_names_of(options);
  if (!names) return fail(names.error());
  out.alt_names = std::move(*names);
  return out;
}

Result<Secret> new_key(const std::string& kind) {
  const crypto::KeyKind* found = crypto::find_key_kind(kind);
  return crypto::new_private_key(found->type, found->rsa_bits);
}

// the key first: a certificate without its key is worth nothing
Status write_pair(const Options& options, ByteView certificate, const Secret* key) {
  if (!options.force && access((options.out + ".pem").c_str(), F_OK) == 0)
    return config_error(options.out + ".pem is there already: name another with --out, or give --force");
  if (key != nullptr) {
    std::string pem = crypto::to_pem("PRIVATE KEY", key->view());
    const Status written = write_file(options.out + ".key", pem, kPrivateMode, options.force);
    wipe({reinterpret_cast<std::uint8_t*>(pem.data()), pem.size()});
    if (!written) return written;
  }
  return write_file(options.out + ".pem", pem_of_certificate(certificate), kPublicMode, options.force);
}

void tell_made(Context& context, const Options& options, ByteView certificate, bool with_key) {
  const auto facts = crypto::read_certificate(certificate);
  if (context.json) {
    nlohmann::ordered_json json{{"certificate", options.out + ".pem"}, {"serial", facts->serial}, {"not-after", date(facts->not_after)}};
    if (with_key) json["private-key"] = options.out + ".key";
    std::cout << json.dump(2) << '\n';
    return;
  }
  std::cout << options.out << ".pem" << (with_key ? " and " + options.out + ".key" : std::string()) << ": "
            << printable(facts->subject_text) << ", serial " << facts->serial << ", until " << date(facts->not_after) << '\n';
}

void make_authority(Context& context, const Options& options) {
  auto request = request_of(options);
  if (!request) return context.report(request.error());
  request->authority = true;
  const auto key = new_key(options.kind);
  if (!key) return context.report(key.error());
  const auto certificate = crypto::self_sign(*request, key->view());
  if (!certificate) return context.report(certificate.error());
  if (const Status written = write_pair(options, *certificate, &*key); !written) return context.report(written.error());
  tell_made(context, options, *certificate, true);
}

// The key first, and both or none: a request without its key is worth nothing.
void request(Context& context, const Options& options) {
  const auto names = alt_names_of(options);
  if (!names) return context.report(names.error());
  if (!options.force && access((options.out + ".csr").c_str(), F_OK) == 0)
    return context.report({Fault::Configuration, options.out + ".csr is there already: name another with --out, or give --force"});
  std::string key_pem, request_pem;
  if (options.sealed) {
    vici::Message parameters;
    parameters.add("type", options.kind).add("subject", options.subject).add_list("san", options.alt_names);
    auto client = Client::connect(context.socket);
    if (!client) return context.report(client.error());
    const auto response = client->call("svti-make-key", parameters);
    if (!response) return context.report(response.error());
    if (const Status outcome = outcome_of(*response); !outcome) return context.report(outcome.error());
    key_pem = response->text("private-key");
    request_pem = response->text("request");
  } else {
    const auto key = new_key(options.kind);
    if (!key) return context.report(key.error());
    const auto der = crypto::make_pkcs10(options.subject, *names, key->view());
    if (!der) return context.report(der.error());
    key_pem = crypto::to_pem("PRIVATE KEY", key->view());
    request_pem = crypto::to_pem("CERTIFICATE REQUEST", *der);
  }
  const Status written = write_file(options.out + ".key", key_pem, kPrivateMode, options.force);
  wipe({reinterpret_cast<std::uint8_t*>(key_pem.data()), key_pem.size()});
  if (!written) return context.report(written.error());
  if (const Status second = write_file(options.out + ".csr", request_pem, kPublicMode, options.force); !second)
    return context.report(second.error());
  if (context.json) {
    std::cout << nlohmann::ordered_json{{"request", options.out + ".csr"},
                                        {"private-key", options.out + ".key"},
                                        {"sealed", options.sealed}}
                     .dump(2)
              << '\n';
    return;
  }
  std::cout << options.out << ".csr and " << options.out << ".key"
            << (options.sealed ? ", which the daemon of this host alone can use" : "")
            << ": have an authority issue a certificate for the request\n";
}

// What a request asks for counts as far as the command line does not say otherwise.
Status take_request(const std::string& file, crypto::CertificateRequest& out, Bytes& public_key) {
  const auto octets = read_file(file);
  if (!octets) return fail(octets.error());
  auto read = crypto::read_pkcs10(octets->view());
  if (!read) return fail(named(file, read.error()));
  if (out.subject.empty()) out.subject_der = std::move(read->subject);
  if (out.alt_names.empty()) out.alt_names = std::move(read->alt_names);
  public_key = std::move(read->public_key);
  return {};
}

void issue(Context& context, const Options& options) {
  auto request = request_of(options);
  if (!request) return context.report(request.error());
  if (options.subject.empty() && options.signing_request.empty())
    return context.report({Fault::Configuration, "--subject is missing: it can be left out with --request alone"});
  const auto authority = read_certificate(options.authority, crypto::CertificateKind::X509);
  if (!authority) return context.report(authority.error());
  const auto authority_key = read_key(options.authority_key);
  if (!authority_key) return context.report(authority_key.error());
  Result<Secret> key = Secret();
  Bytes public_key;
  const bool made_key = options.public_key.empty() && options.signing_request.empty();
  if (!options.signing_request.empty()) {
    if (const Status taken = take_request(options.signing_request, *request, public_key); !taken) return context.report(taken.error());
  } else if (made_key) {
    key = new_key(options.kind);
    if (!key) return context.report(key.error());
    public_key = crypto::SigningKey::from_pkcs8(key->view())->public_key();
  } else {
    const auto given = read_certificate(options.public_key, crypto::CertificateKind::PublicKey);
    if (!given) return context.report(given.error());
    public_key = given->der;
  }
  const auto certificate = crypto::issue(*request, public_key, authority->der, authority_key->der.view());
  if (!certificate) return context.report(certificate.error());
  if (const Status written = write_pair(options, *certificate, made_key ? &*key : nullptr); !written)
    return context.report(written.error());
  tell_made(context, options, *certificate, made_key);
}

// A list of that authority.
Result<crypto::RevocationList> read_list(const std::string& file, const crypto::CertificateFacts& authority) {
  const auto octets = read_certificate(file, crypto::CertificateKind::Crl);
  if (!octets) return fail(octets.error());
  auto read = crypto::read_revocation_list(octets->der);
  if (!read) return fail(named(file, read.error()));
  if (read->issuer_text == authority.subject_text) return read;
  return config_error(file + " is the list of \"" + printable(read->issuer_text) + "\", not of \"" + printable(authority.subject_text) +
                      "\"");
}

// False: it was there.
bool add_entry(std::vector<crypto::RevokedCertificate>& entries, const crypto::RevokedCertificate& entry) {
  const bool there = std::any_of(entries.begin(), entries.end(), [&](const auto& one) { return one.serial == entry.serial; });
  if (!there) entries.push_back(entry);
  return !there;
}

// What is published: the list, or with a base the delta to it, which has what the base has not. Lists and deltas of an authority are
// numbered in one sequence (RFC 5280 5.2.3).
void make_list(Context& context, const Options& options) {
  const auto authority = read_certificate(options.authority, crypto::CertificateKind::X509);
  if (!authority) return context.report(authority.error());
  const auto authority_key = read_key(options.authority_key);
  if (!authority_key) return context.report(authority_key.error());
  const auto facts = crypto::read_certificate(authority->der);
  if (!facts) return context.report(named(options.authority, facts.error()));
  crypto::RevocationList list;
  if (access(options.out.c_str(), F_OK) == 0) {
    const auto former = read_list(options.out, *facts);
    if (!former) return context.report(former.error());
    if (former->base.has_value() == options.base.empty())
      return context.report({Fault::Configuration, options.out + (former->base ? " is a delta: give --delta-of, or name another with --out"
                                                                               : " is no delta: name another with --out")});
    list = *former;
  }
  std::vector<crypto::RevokedCertificate> in_base;
  if (!options.base.empty()) {
    const auto base = read_list(options.base, *facts);
    if (!base) return context.report(base.error());
    if (base->base || base->number == 0)
      return context.report({Fault::Configuration, options.base + (base->base ? " is a delta itself" : " has no number to be named by")});
    in_base = base->revoked;
    list.base = base->number;
    list.number = std::max(list.number, base->number);
    std::erase_if(list.revoked, [&](const auto& one) {
      return std::any_of(in_base.begin(), in_base.end(), [&](const auto& other) { return other.serial == one.serial; });
    });
  }
  std::size_t added = 0;
  for (const std::string& file : options.lists) {
    const auto delta = read_list(file, *facts);
    if (!delta) return context.report(delta.error());
    list.number = std::max(list.number, delta->number);
    for (const auto& one : delta->revoked) added += add_entry(list.revoked, one) ? 1U : 0U;
  }
  for (const std::string& file : options.files) {
    const auto certificates = read_certificates(file);
    if (!certificates) return context.report(certificates.error());
    const auto revoked = crypto::read_certificate(certificates->front());
    if (!revoked || revoked->issuer_text != facts->subject_text)
      return context.report({Fault::Configuration, file + " was not issued by " + options.authority});
    const crypto::RevokedCertificate entry{revoked->serial, now()};
    if (add_entry(in_base, entry)) added += add_entry(list.revoked, entry) ? 1U : 0U;
  }
  const std::vector<std::string>& delta_uris = options.delta_uris.empty() ? list.delta_uris : options.delta_uris;
  const auto der = crypto::make_revocation_list(list.revoked, list.number + 1, now() - kSkew, now() + std::chrono::days(options.days),
                                                authority->der, authority_key->der.view(), list.base, delta_uris);
  if (!der) return context.report(der.error());
  if (const Status written = write_file(options.out, crypto::to_pem("X509 CRL", *der), kPublicMode, true); !written)
    return context.report(written.error());
  std::cout << options.out << ": list " << list.number + 1 << (list.base ? ", delta of list " + std::to_string(*list.base) : "") << ", "
            << list.revoked.size() << " revoked (" << added << " new), until " << date(now() + std::chrono::days(options.days)) << '\n';
}

// ---- showing

std::string alt_name_text(const crypto::AltName& name) {
  if (name.kind != crypto::AltName::Kind::Ip) return printable(as_text(name.data));
  const auto address = IpAddress::from_bytes(name.data);
  return address ? address->to_string() : to_hex(name.data);
}

std::string key_text(const crypto::CertificateFacts& facts) {
  const auto key = crypto::VerifyingKey::from_spki(facts.public_key);
  return key ? crypto::to_string(key->type()) : "not usable: " + key.error().message;
}

nlohmann::ordered_json facts_json(const crypto::CertificateFacts& facts) {
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (const crypto::AltName& name : facts.alt_names) names.push_back(alt_name_text(name));
  return {{"subject", printable(facts.subject_text)},
          {"issuer", printable(facts.issuer_text)},
          {"serial", facts.serial},
          {"not-before", date(facts.not_before)},
          {"not-after", date(facts.not_after)},
          {"authority", facts.is_authority},
          {"key", key_text(facts)},
          {"signed-with", facts.signed_with},
          {"alternative-names", names},
          {"crl-uris", facts.crl_uris},
          {"freshest-crl-uris", facts.delta_uris},
          {"ocsp-uris", facts.ocsp_uris}};
}

std::string validity_note(const crypto::CertificateFacts& facts, bool color) {
  if (facts.not_after < now()) return paint("expired", Color::Red, color);
  if (facts.not_before > now()) return paint("not valid yet", Color::Red, color);
  const auto left = std::chrono::floor<std::chrono::days>(facts.not_after - now());
  const std::string text = fmt::format("{} day{} left", left.count(), left.count() == 1 ? "" : "s");
  return left < kExpiresSoon ? paint(text, Color::Yellow, color) : text;
}

void show_facts(const crypto::CertificateFacts& facts, bool color) {
  const auto line = [](std::string_view name, const std::string& value) { std::cout << fmt::format("{:<18} {}\n", name, value); };
  line("subject", printable(facts.subject_text));
  for (const crypto::AltName& name : facts.alt_names) line("alternative name", alt_name_text(name));
  line("issuer", printable(facts.issuer_text));
  line("serial", facts.serial);
  line("valid", date(facts.not_before) + " to " + date(facts.not_after) + ", " + validity_note(facts, color));
  line("key", key_text(facts));
  line("signed with", facts.signed_with);
  line("authority", facts.is_authority ? "yes" : "no");
  for (const std::string& uri : facts.crl_uris) line("crl-uri", printable(uri));
  for (const std::string& uri : facts.delta_uris) line("freshest-crl-uri", printable(uri));
  for (const std::string& uri : facts.ocsp_uris) line("ocsp-uri", printable(uri));
}

void show_list(const crypto::RevocationList& list, bool json) {
  if (json) {
    nlohmann::ordered_json revoked = nlohmann::ordered_json::array();
    for (const auto& one : list.revoked) revoked.push_back({{"serial", one.serial}, {"when", date(one.when)}});
    nlohmann::ordered_json shown{{"issuer", printable(list.issuer_text)}, {"number", list.number}};
    if (list.base) shown["delta-of"] = *list.base;
    shown["this-update"] = date(list.this_update);
    shown["next-update"] = date(list.next_update);
    shown["freshest-crl-uris"] = list.delta_uris;
    shown["revoked"] = revoked;
    std::cout << shown.dump(2) << '\n';
    return;
  }
  std::cout << "revocation list " << list.number << (list.base ? ", delta of list " + std::to_string(*list.base) + "," : "") << " of "
            << printable(list.issuer_text) << "\nfrom " << date(list.this_update) << " to " << date(list.next_update) << "\n"
            << list.revoked.size() << " revoked\n";
  for (const std::string& uri : list.delta_uris) std::cout << "deltas at " << printable(uri) << '\n';
  for (const auto& one : list.revoked) std::cout << "  " << one.serial << "  " << date(one.when) << '\n';
}

void show(Context& context, const Options& options) {
  for (const std::string& file : options.files) {
    const auto octets = read_file(file);
    if (!octets) return context.report(octets.error());
    if (const auto list = crypto::parse_certificate(octets->view(), crypto::CertificateKind::Crl)) {
      const auto read = crypto::read_revocation_list(list->der);
      if (!read) return context.report(named(file, read.error()));
      show_list(*read, context.json);
      continue;
    }
    const auto certificates = read_certificates(file);
    if (!certificates) return context.report(certificates.error());
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const Bytes& der : *certificates) {
      const auto facts = crypto::read_certificate(der);
      if (!facts) return context.report(named(file, facts.error()));
      if (context.json)
        all.push_back(facts_json(*facts));
      else
        show_facts(*facts, context.color_on(STDOUT_FILENO));
    }
    if (context.json) std::cout << all.dump(2) << '\n';
  }
}

void verify(Context& context, const Options& options) {
  static constexpr std::array<std::pair<std::string_view, crypto::RevocationPolicy>, 3> kPolicies = {
      {{"relaxed", crypto::RevocationPolicy::Relaxed},
       {"ifuri", crypto::RevocationPolicy::IfPossible},
       {"strict", crypto::RevocationPolicy::Strict}}};
  std::vector<Bytes> authorities, lists;
  for (const std::string& file : options.authorities) {
    const auto read = read_certificates(file);
    if (!read) return context.report(read.error());
    authorities.insert(authorities.end(), read->begin(), read->end());
  }
  for (const std::string& file : options.lists) {
    const auto read = read_certificate(file, crypto::CertificateKind::Crl);
    if (!read) return context.report(read.error());
    lists.push_back(read->der);
  }
  // the first certificate of the first file is looked at, all others may help
  std::vector<Bytes> given;
  for (const std::string& file : options.files) {
    const auto read = read_certificates(file);
    if (!read) return context.report(read.error());
    given.insert(given.end(), read->begin(), read->end());
  }
  const auto trusted = crypto::TrustedAuthorities::make(authorities, lists);
  if (!trusted) return context.report(trusted.error());
  const auto* policy = std::find_if(kPolicies.begin(), kPolicies.end(), [&](const auto& one) { return one.first == options.policy; });
  const auto chain = trusted->verify(given.front(), std::span(given).subspan(1), now(), policy->second);
  if (context.json) {
    nlohmann::ordered_json json{{"valid", chain.has_value()}};
    if (!chain) json["reason"] = chain.error().message;
    if (chain) json["revocation-known"] = chain->revocation_known;
    std::cout << json.dump(2) << '\n';
    if (!chain) context.exit_code = kFailed;
    return;
  }
  if (!chain) return context.report({Fault::Peer, chain.error().message});
  const bool color = context.color_on(STDOUT_FILENO);
  std::cout << paint("valid", Color::Green, color) << ": ";
  for (std::size_t i = 0; i < chain->certificates.size(); ++i)
    std::cout << (i == 0 ? "" : " <- ") << printable(crypto::read_certificate(chain->certificates[i])->subject_text);
  std::cout << '\n';
  if (!chain->revocation_known)
    std::cout << paint("not known whether it is revoked", Color::Yellow, color) << ": " << chain->revocation_gap << '\n';
}

// the configuration that carries the files, to be loaded or pasted
void print_config(Context& context, const Options& options) {
  const auto indented = [](std::string_view leaf, const std::string& pem) {
    std::string text = pem;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return fmt::format("        {} \"{}\"\n", leaf, text);
  };
  std::string out = "ike\n";
  for (const std::string& file : options.authorities) {
    const auto authority = read_certificate(file, crypto::CertificateKind::X509);
    if (!authority) return context.report(authority.error());
    out += "    certificate-authority " + options.subject + "-ca\n" + indented("certificate", pem_of_certificate(authority->der));
    for (const std::string& list_file : options.lists) {
      const auto list = read_certificate(list_file, crypto::CertificateKind::Crl);
      if (!list) return context.report(list.error());
      out += indented("crl", crypto::to_pem("X509 CRL", list->der));
    }
    out += "        ..\n";
  }
  const auto certificate = read_certificate(options.authority, crypto::CertificateKind::X509);
  if (!certificate) return context.report(certificate.error());
  const auto octets = read_file(options.authority_key);
  if (!octets) return context.report(octets.error());
  const auto sealed = crypto::is_sealed_key(octets->view()) ? crypto::parse_sealed_key(octets->view())
                                                            : Result<crypto::SealedKey>(config_error("is not sealed"));
  const auto key = sealed ? Result<crypto::PrivateKey>(crypto::PrivateKey{}) : crypto::parse_private_key(octets->view());
  if (!key) return context.report(named(options.authority_key, key.error()));
  if ((sealed ? sealed->key_id : key->key_id) != certificate->key_id)
    return context.report({Fault::Configuration, options.authority_key + " is not the key of " + options.authority});
  std::string key_pem = sealed ? crypto::to_pem(crypto::kSealedKeyLabel, sealed->octets) : crypto::to_pem("PRIVATE KEY", key->der.view());
  std::cout << out << "    certificate " << options.subject << "\n"
            << indented("certificate", pem_of_certificate(certificate->der)) << indented("private-key", key_pem) << "        ..\n    ..\n";
  wipe({reinterpret_cast<std::uint8_t*>(key_pem.data()), key_pem.size()});
}

// ---- command lines

CLI::App* add(CLI::App& pki, const OptionsPtr& options, Context& context, const char* name, const char* what, const char* examples,
              void (*run)(Context&, const Options&)) {
  CLI::App* verb = pki.add_subcommand(name, what);
  verb->footer(examples);
  verb->callback([&context, options, run] { run(context, *options); });
  return verb;
}

// the option of the subject
CLI::Option* add_naming(CLI::App& verb, const OptionsPtr& options, const char* out) {
  std::vector<std::string> kinds;
  for (const crypto::KeyKind& kind : crypto::key_kinds()) kinds.emplace_back(kind.name);
  CLI::Option* subject = verb.add_option("--subject", options->subject, "Whose it is: \"C=CH, O=Example, CN=gw\"");
  verb.add_option("--out", options->out, out)->required();
  verb.add_option("--key", options->kind, "Kind of key")->check(CLI::IsMember(kinds))->capture_default_str();
  verb.add_flag("--force", options->force, "Replace files that are there");
  return subject;
}

CLI::Option* add_making(CLI::App& verb, const OptionsPtr& options, unsigned days) {
  CLI::Option* subject = add_naming(verb, options, "Writes OUT.pem and, with mode 0600, OUT.key");
  options->days = days;
  verb.add_option("--days", options->days, "Days of validity")->check(CLI::Range(1, 36500))->capture_default_str();
  return subject;
}

void add_authority(CLI::App& verb, const OptionsPtr& options) {
  verb.add_option("--ca", options->authority, "Certificate of the authority")->required();
  verb.add_option("--ca-key", options->authority_key, "Its private key")->required();
}

}  // namespace

void add_pki(CLI::App& app, Context& context) {
  CLI::App* pki =
      app.add_subcommand("pki", "Make, show and verify certificates, in files; needs no daemon, but for keys that its signer makes");
  pki->require_subcommand(1);
  pki->footer(
      "Two gateways that trust each other by certificate:\n"
      "  ikectl pki ca --subject \"O=Example, CN=Example CA\" --out ca\n"
      "  ikectl pki issue --ca ca.pem --ca-key ca.key --subject \"CN=gwa\" --san gwa.example.net --out gwa\n"
      "  ikectl pki issue --ca ca.pem --ca-key ca.key --subject \"CN=gwb\" --san gwb.example.net --out gwb\n"
      "  ikectl pki config gwa --certificate gwa.pem --key gwa.key --ca ca.pem > gwa-credentials.conf\n"
      "  ikectl pki verify gwb.pem --ca ca.pem");
  const auto options = [] { return std::make_shared<Options>(); };

  OptionsPtr given = options();
  CLI::App* verb = add(*pki, given, context, "ca", "Make an authority: its key and its certificate",
                       "Example:\n  ikectl pki ca --subject \"C=CH, O=Example, CN=Example CA\" --out ca", make_authority);
  add_making(*verb, given, 3650)->required();

  given = options();
  verb = add(*pki, given, context, "request", "Make a key and a request for its certificate (PKCS#10)",
             "Examples:\n"
             "  ikectl pki request --subject \"C=CH, O=Example, CN=gw\" --san gw.example.net --out gw\n"
             "  ikectl pki request --sealed --subject \"CN=gw\" --san gw.example.net --out gw   # made by the daemon's signer, for this "
             "host alone",
             request);
  add_naming(*verb, given, "Writes OUT.csr and, with mode 0600, OUT.key")->required();
  verb->add_option("--san", given->alt_names, "Alternative name: address, host name or user@host; repeat for more");
  verb->add_flag("--sealed", given->sealed, "The daemon's signer makes the key, and it alone can open OUT.key");

  given = options();
  verb = add(
      *pki, given, context, "issue", "Issue a certificate for a gateway or a user",
      "Examples:\n"
      "  ikectl pki issue --ca ca.pem --ca-key ca.key --subject \"CN=gw\" --san gw.example.net --san 192.0.2.1 --out gw\n"
      "  ikectl pki issue --ca ca.pem --ca-key ca.key --subject \"CN=alice\" --san alice@example.net --public-key alice.pub --out alice\n"
      "  ikectl pki issue --ca ca.pem --ca-key ca.key --request gw.csr --out gw",
      issue);
  add_making(*verb, given, 825);
  add_authority(*verb, given);
  verb->add_option("--san", given->alt_names, "Alternative name: address, host name or user@host; repeat for more");
  verb->add_option("--crl-uri", given->crl_uris, "Where the authority's revocation list is to be had");
  verb->add_option("--freshest-crl-uri", given->delta_uris, "Where the delta to that list is to be had");
  verb->add_option("--ocsp-uri", given->ocsp_uris, "Where the authority's OCSP responder is");
  CLI::Option* public_key = verb->add_option("--public-key", given->public_key, "Certify this public key (PEM); no key is made");
  verb->add_option("--request", given->signing_request,
                   "Certify what this request (PKCS#10) asks for; --subject and --san take the place of its own; no key is made")
      ->excludes(public_key);

  given = options();
  verb = add(*pki, given, context, "crl", "Make the authority's revocation list, or add to it",
             "Examples:\n"
             "  ikectl pki crl --ca ca.pem --ca-key ca.key --out ca.crl                    # none revoked yet\n"
             "  ikectl pki crl alice.pem --ca ca.pem --ca-key ca.key --out ca.crl\n"
             "  ikectl pki crl bob.pem --ca ca.pem --ca-key ca.key --delta-of ca.crl --days 1 --out delta.crl\n"
             "  ikectl pki crl --with-delta delta.crl --ca ca.pem --ca-key ca.key --out ca.crl     # and bob too",
             make_list);
  verb->add_option("CERTIFICATE", given->files, "Certificates to revoke");
  verb->add_option("--out", given->out, "The list; the entries of the one that is there are kept")->required();
  CLI::Option* delta = verb->add_option("--delta-of", given->base, "Make a delta: what is revoked beyond this list");
  verb->add_option("--with-delta", given->lists, "Add the entries of this delta")->excludes(delta);
  verb->add_option("--freshest-crl-uri", given->delta_uris, "Where deltas to the list are to be had; kept from the one that is there")
      ->excludes(delta);
  given->days = 30;
  verb->add_option("--days", given->days, "Days until the next list is due")->check(CLI::Range(1, 36500))->capture_default_str();
  add_authority(*verb, given);

  given = options();
  verb = add(*pki, given, context, "show", "Show what certificates and revocation lists say",
             "Examples:\n  ikectl pki show gw.pem\n  ikectl pki show ca.crl --json", show);
  verb->add_option("FILE", given->files, "PEM or DER")->required();

  given = options();
  verb = add(*pki, given, context, "verify", "Verify a certificate as the daemon does",
             "Examples:\n"
             "  ikectl pki verify gw.pem --ca ca.pem\n"
             "  ikectl pki verify gw.pem intermediate.pem --ca root.pem --crl root.crl --revocation strict",
             verify);
  verb->add_option("FILE", given->files, "The certificate, and others that lead to the authority")->required();
  verb->add_option("--ca", given->authorities, "Trusted authorities")->required();
  verb->add_option("--crl", given->lists, "Revocation lists");
  verb->add_option("--revocation", given->policy,
                   "When whether it is revoked is not known: let pass, refuse when it says where to ask, refuse")
      ->check(CLI::IsMember({"relaxed", "ifuri", "strict"}))
      ->capture_default_str();

  given = options();
  verb = add(*pki, given, context, "config", "Print the configuration that carries a certificate, its key and authorities",
             "Example:\n  ikectl pki config gwa --certificate gwa.pem --key gwa.key --ca ca.pem", print_config);
  verb->add_option("NAME", given->subject, "Name of the entry; the authority's is NAME-ca")->required();
  verb->add_option("--certificate", given->authority, "The certificate")->required();
  verb->add_option("--key", given->authority_key, "Its private key")->required();
  verb->add_option("--ca", given->authorities, "The authority that vouches for the peers")->expected(1);
  verb->add_option("--crl", given->lists, "Its revocation list")->expected(1);
}

}  // namespace svti::ikectl
