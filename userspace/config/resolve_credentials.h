// SPDX-License-Identifier: Apache-2.0
// Certificates, authorities and private keys of one `ike`: PEM to values, with what is wrong with it said at its leaf.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "config/findings.h"
#include "config/tree.h"
#include "model/config.h"

namespace svti::config {

// What became of the entries of a tree; the next tree takes over those it shares.
struct ResolvedCredentials {
  struct Certificate {
    model::LocalCertificatePtr certificate;        // null: it has errors
    std::shared_ptr<const model::PrivateKey> key;  // null: it, or its PIN, cannot be read
    bool has_findings = false;                     // which have to be told each time
  };
  std::unordered_map<const Node*, Certificate> certificates;
  std::unordered_map<const Node*, model::AuthorityPtr> authorities;
};

class CredentialResolver {
 public:
  // `before` may be null; all must outlive it
  CredentialResolver(const Node& ike, std::string path, const ResolvedCredentials* before, ResolvedCredentials& resolved,
                     Findings& findings);

  // null: there is none of that name that can be used
  model::LocalCertificatePtr certificate(std::string_view name) const;
  model::AuthorityPtr authority(std::string_view name) const;
  void fill(model::Configuration& out) const;

 private:
  void read_authority(const Node& node);
  void read_certificate(const Node& node);
  void read_token_key(const Node& node, const Node& uri, const Node* file, model::LocalCertificate certificate,
                      ResolvedCredentials::Certificate& out);
  std::string path_of(const Node& entry, std::string_view leaf) const;

  const std::string path_;
  const ResolvedCredentials* before_;
  ResolvedCredentials& resolved_;
  Findings& findings_;
  bool same_authorities_ = false;                                              // as in `before`
  std::vector<Bytes> known_;                                                   // DER of all authorities
  std::map<std::string_view, ResolvedCredentials::Certificate> certificates_;  // names borrow from the tree
  std::map<std::string_view, model::AuthorityPtr> authorities_;
};

}  // namespace svti::config
