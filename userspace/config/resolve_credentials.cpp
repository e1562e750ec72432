// SPDX-License-Identifier: Apache-2.0
#include "config/resolve_credentials.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "auth/certificates.h"
#include "crypto/credential.h"
#include "crypto/sealed_key.h"
#include "crypto/signature.h"
#include "crypto/token_uri.h"

namespace svti::config {

namespace {

constexpr std::size_t kMaxPassphrase = 1024;  // octets

// The first line's end is not part of it: editors and echo put one there. Errors name the file and how to mend it.
Result<Secret> read_passphrase(const std::string& path) {
  const auto wrong = [&](const std::string& what) { return config_error("file " + path + " " + what); };
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return wrong(std::string("cannot be read: ") + std::strerror(errno));
  struct stat about {};
  Secret octets(kMaxPassphrase + 1);
  const bool known = fstat(file, &about) == 0;
  const ssize_t got = known && S_ISREG(about.st_mode) ? read(file, octets.mutable_view().data(), octets.size()) : -1;
  close(file);
  if (!known || !S_ISREG(about.st_mode)) return wrong("is not a regular file");
  if (about.st_uid != 0 && about.st_uid != geteuid()) return wrong("does not belong to root: chown root it");
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) return wrong("can be read or written by others: chmod 600 it");
  if (got < 0) return wrong("cannot be read");
  std::size_t size = static_cast<std::size_t>(got);
  if (size > kMaxPassphrase) return wrong("has more than " + std::to_string(kMaxPassphrase) + " octets");
  const std::string_view text = as_text(octets.view().first(size));
  if (text.ends_with("\r\n")) {
    size -= 2;
  } else if (text.ends_with('\n')) {
    size -= 1;
  }
  if (size == 0) return wrong("is empty: it has to hold the passphrase or the PIN");
  return octets.slice(0, size);
}

Result<model::PrivateKey> described(Result<crypto::PrivateKey> read) {
  if (!read) return fail(read.error());
  return model::PrivateKey{std::move(read->key_id), std::move(read->der)};
}

Result<model::PrivateKey> sealed_key(ByteView pem) {
  auto read = crypto::parse_sealed_key(pem);
  if (!read) return fail(read.error());
  return model::PrivateKey{std::move(read->key_id), Secret(), nullptr, std::move(read->octets)};
}

}  // namespace

CredentialResolver::CredentialResolver(const Node& ike, std::string path, const ResolvedCredentials* before, ResolvedCredentials& resolved,
                                       Findings& findings)
    : path_(std::move(path)), before_(before), resolved_(resolved), findings_(findings) {
  const SchemaNode* authorities = ike.schema->child("certificate-authority");
  const SchemaNode* certificates = ike.schema->child("certificate");
  std::size_t shared = 0;
  for (const NodePtr& child : ike.children) {
    if (child->schema != authorities) continue;
    shared += before_ && before_->authorities.contains(child.get());
    read_authority(*child);
  }
  // the chain above a certificate may run through any of them
  same_authorities_ = before_ && shared == authorities_.size() && shared == before_->authorities.size();
  for (const NodePtr& child : ike.children) {
    if (child->schema == certificates) read_certificate(*child);
  }
}

std::string CredentialResolver::path_of(const Node& entry, std::string_view leaf) const {
  return step_path(path_, entry) + " " + std::string(leaf);
}

void CredentialResolver::read_authority(const Node& node) {
  model::AuthorityPtr& out = authorities_[node.text];
  if (before_) {
    if (const auto kept = before_->authorities.find(&node); kept != before_->authorities.end()) out = kept->second;
  }
  if (!out) {
    const Node* pem = node.child("certificate");
    auto authority = auth::read_authority(node.text, as_bytes(pem->text));
    if (!authority) return findings_.error(pem->line, path_of(node, "certificate"), authority.error().message);
    if (const Node* crl = node.child("crl")) {
      const auto lists = crypto::parse_certificates(as_bytes(crl->text), crypto::CertificateKind::Crl);
      if (!lists) return findings_.error(crl->line, path_of(node, "crl"), lists.error().message);
      for (const crypto::Certificate& one : *lists) authority->crls.push_back(one.der);
    }
    for (const NodePtr& child : node.children) {
      if (child->schema->name == "crl-uri") authority->crl_uris.push_back(child->text);
      if (child->schema->name == "ocsp-uri") authority->ocsp_uris.push_back(child->text);
      if (child->schema->name == "cert-uri-base") authority->cert_uri_base = child->text;
    }
    out = std::make_shared<const model::Authority>(std::move(*authority));
  }
  known_.push_back(out->der);
  resolved_.authorities.emplace(&node, out);
}

void CredentialResolver::read_certificate(const Node& node) {
  ResolvedCredentials::Certificate& out = certificates_[node.text];
  if (before_ && same_authorities_) {
    const auto kept = before_->certificates.find(&node);
    if (kept != before_->certificates.end() && !kept->second.has_findings) {
      out = kept->second;
      resolved_.certificates.emplace(&node, out);
      return;
    }
  }
  const Node* pem = node.child("certificate");
  const Node* key_pem = node.child("private-key");
  auto certificate = auth::read_local_certificate(node.text, as_bytes(pem->text), known_);
  if (!certificate) return findings_.error(pem->line, path_of(node, "certificate"), certificate.error().message);
  const Node* file = node.child("private-key-passphrase-file");
  const Node* uri = node.child("private-key-uri");
  if ((uri == nullptr) == (key_pem == nullptr)) {
    return findings_.error(node.line, step_path(path_, node),
                           key_pem == nullptr ? "lacks a private key: give private-key or private-key-uri"
                                              : "has private-key and private-key-uri: give one of them");
  }
  if (uri != nullptr) return read_token_key(node, *uri, file, std::move(*certificate), out);
  const bool encrypted = crypto::is_encrypted_key(as_bytes(key_pem->text));
  if (encrypted && file == nullptr)
    return findings_.error(key_pem->line, path_of(node, "private-key"), "is encrypted: give private-key-passphrase-file too");
  if (!encrypted && file != nullptr)
    return findings_.error(file->line, path_of(node, "private-key-passphrase-file"),
                           "is for an encrypted private-key, and it is not: leave it out");
  const bool sealed = crypto::is_sealed_key(as_bytes(key_pem->text));
  auto passphrase = encrypted ? read_passphrase(file->text) : Result<Secret>();
  auto key = sealed       ? sealed_key(as_bytes(key_pem->text))
             : !encrypted ? described(crypto::parse_private_key(as_bytes(key_pem->text)))
             : passphrase ? described(crypto::decrypt_private_key(as_bytes(key_pem->text), *passphrase))
                          : Result<model::PrivateKey>(fail(passphrase.error()));
  if (!key && encrypted) {
    // Not an error: a file that is gone when the daemon starts must not cost the gateway its other VPNs.
    const std::string what = "cannot be used: " + std::string(passphrase ? "it " : "") + key.error().message;
    out.has_findings = true;
    findings_.warning(key_pem->line, path_of(node, passphrase ? "private-key" : "private-key-passphrase-file"),
                      passphrase ? what + " (passphrase of file " + file->text + ")" : what);
    out.certificate = std::make_shared<const model::LocalCertificate>(std::move(*certificate));
    resolved_.certificates.emplace(&node, out);
    return;
  }
  if (!key) return findings_.error(key_pem->line, path_of(node, "private-key"), key.error().message);
  if (key->id != certificate->key_id) {
    return findings_.error(key_pem->line, path_of(node, "private-key"),
                           "is not the key of the certificate: give both that were made together");
  }
  if (const std::string weakness = auth::weakness_of(certificate->der); !weakness.empty()) {
    out.has_findings = true;
    findings_.warning(pem->line, path_of(node, "certificate"), "cannot be used: " + weakness);
  }
  out.certificate = std::make_shared<const model::LocalCertificate>(std::move(*certificate));
  out.key = std::make_shared<const model::PrivateKey>(std::move(*key));
  resolved_.certificates.emplace(&node, out);
}

// The key itself is looked for by whoever talks with tokens, for which nobody waits here.
void CredentialResolver::read_token_key(const Node& node, const Node& uri, const Node* file, model::LocalCertificate certificate,
                                        ResolvedCredentials::Certificate& out) {
  const auto parsed = crypto::parse_token_uri(uri.text);
  if (!parsed) return findings_.error(uri.line, path_of(node, "private-key-uri"), parsed.error().message);
  if (file != nullptr && !parsed->pin_source.empty()) {
    return findings_.error(file->line, path_of(node, "private-key-passphrase-file"),
                           "names a file for the PIN, and pin-source of private-key-uri does too: leave one out");
  }
  auto spki = crypto::spki_of_certificate(certificate.der);
  if (!spki) return findings_.error(node.line, path_of(node, "certificate"), spki.error().message);
  out.has_findings = true;  // the file is read again with each configuration
  auto token = std::make_shared<model::TokenKey>();
  const std::string path = file != nullptr ? file->text : parsed->pin_source;
  const std::string_view leaf = file != nullptr ? "private-key-passphrase-file" : "private-key-uri";
  if (!path.empty()) {
    auto pin = read_passphrase(path);
    if (pin) {
      token->pin = std::move(*pin);
    } else {
      findings_.warning(file != nullptr ? file->line : uri.line, path_of(node, leaf), "cannot be used: " + pin.error().message);
    }
  }
  const bool usable = path.empty() || !token->pin.empty();
  if (const std::string weakness = auth::weakness_of(certificate.der); !weakness.empty())
    findings_.warning(node.line, path_of(node, "certificate"), "cannot be used: " + weakness);
  token->uri = parsed->text;
  token->place = parsed->place;
  token->source = path_of(node, "private-key-uri");
  token->public_key = std::move(*spki);
  auto key = std::make_shared<model::PrivateKey>();
  key->id = certificate.key_id;
  key->token = std::move(token);
  out.certificate = std::make_shared<const model::LocalCertificate>(std::move(certificate));
  if (usable) out.key = std::move(key);
  resolved_.certificates.emplace(&node, out);
}

model::LocalCertificatePtr CredentialResolver::certificate(std::string_view name) const {
  const auto found = certificates_.find(name);
  return found == certificates_.end() ? nullptr : found->second.certificate;
}

model::AuthorityPtr CredentialResolver::authority(std::string_view name) const {
  const auto found = authorities_.find(name);
  return found == authorities_.end() ? nullptr : found->second;
}

void CredentialResolver::fill(model::Configuration& out) const {
  for (const auto& [name, one] : certificates_) {
    if (!one.certificate) continue;
    out.certificates.push_back(one.certificate);
    if (one.key) out.private_keys.push_back(one.key);
  }
  for (const auto& [name, one] : authorities_) {
    if (one) out.authorities.push_back(one);
  }
}

}  // namespace svti::config
