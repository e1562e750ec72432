// SPDX-License-Identifier: Apache-2.0
#include "config/resolve_credentials.h"

#include <utility>

#include "auth/certificates.h"
#include "crypto/credential.h"

namespace svti::config {

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
  auto key = crypto::parse_private_key(as_bytes(key_pem->text));
  if (!key) return findings_.error(key_pem->line, path_of(node, "private-key"), key.error().message);
  if (key->key_id != certificate->key_id) {
    return findings_.error(key_pem->line, path_of(node, "private-key"),
                           "is not the key of the certificate: give both that were made together");
  }
  if (const std::string weakness = auth::weakness_of(certificate->der); !weakness.empty()) {
    out.has_findings = true;
    findings_.warning(pem->line, path_of(node, "certificate"), "cannot be used: " + weakness);
  }
  auto private_key = std::make_shared<model::PrivateKey>();
  private_key->id = std::move(key->key_id);
  private_key->pkcs8 = std::move(key->der);
  out.certificate = std::make_shared<const model::LocalCertificate>(std::move(*certificate));
  out.key = std::move(private_key);
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
    out.private_keys.push_back(one.key);
  }
  for (const auto& [name, one] : authorities_) {
    if (one) out.authorities.push_back(one);
  }
}

}  // namespace svti::config
