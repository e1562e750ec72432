// SPDX-License-Identifier: Apache-2.0
// What is said about a certificate by who issued it: revocation lists (RFC 5280 5 and 6.3), their deltas, and OCSP responses (RFC 6960).
// Nothing is fetched here.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace svti::crypto {

enum class Standing : std::uint8_t { Good, Revoked, Unknown };
struct Finding {
  Standing standing = Standing::Unknown;
  std::string why;                                  // not Good: a sentence without a final stop
  std::optional<std::chrono::sys_seconds> until{};  // of Good: when what said so has to be asked for again
};

// A revocation list that was read. Immutable; copies share it. Its signature is verified where it is asked.
class Crl {
 public:
  struct Impl;
  // DER or PEM, one list. Errors of Fault::Peer.
  static Result<Crl> read(ByteView octets);

  std::string issuer_text() const;  // "C=CH, O=Example, CN=ca", printable
  std::string number() const;       // hexadecimal, "" when it has none
  std::chrono::sys_seconds this_update() const;
  std::optional<std::chrono::sys_seconds> next_update() const;  // none: it does not say
  std::size_t entries() const;
  bool is_delta() const;                               // RFC 5280 5.2.4
  const std::vector<std::string>& delta_uris() const;  // its Freshest CRL (5.2.6)
  Bytes der() const;
  // in the name of `issuer` (DER) and with its key, by a hash that is good enough; else why not
  Status signed_by(ByteView issuer) const;
  // of two lists from one place
  bool newer_than(const Crl& other) const;
  const Impl& impl() const { return *impl_; }

 private:
  explicit Crl(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// What lists say about `certificate`, which `issuer` signed (DER both). A list speaks when the issuer signed it and it covers the
// certificate; it clears when it is not out of date either. A delta counts together with a base that it fits (5.2.4).
Finding ask_lists(ByteView certificate, ByteView issuer, std::span<const Crl> lists, std::chrono::sys_seconds at);

// What is at hand besides the configuration's lists.
struct Evidence {
  std::vector<Crl> lists;
  std::vector<Bytes> responses;  // OCSP, DER, stapled
};

// Where to ask about a certificate: what its extensions name. Empty for one that cannot be read.
struct RevocationSources {
  std::vector<std::string> crl_uris;    // CRL distribution points of the issuer's own
  std::vector<std::string> delta_uris;  // Freshest CRL
  std::vector<std::string> ocsp_uris;   // authority information access
};
RevocationSources revocation_sources(ByteView certificate);

// DER of an OCSPRequest with a nonce (RFC 8954). Empty: one of the certificates cannot be read.
Bytes make_ocsp_request(ByteView certificate, ByteView issuer);

// What an OCSP response says about `certificate`, which `issuer` signed. The response is signed by the issuer, or by a responder that the
// issuer has certified for that (RFC 6960 4.2.2.2). `request`: what it answers, empty for one that was stapled; a nonce that differs from
// the request's speaks against it, none does not: responders answer from a store (RFC 5019).
Finding ask_ocsp(ByteView response, ByteView request, ByteView certificate, ByteView issuer, std::chrono::sys_seconds at);

// The name of an authority's entry in a directory (RFC 4514): "CN=ca,O=Example,C=CH", escaped for a URI. Empty: it cannot be read.
std::string directory_name(ByteView certificate);

// Which of `known` (DER) issued the certificate, by names and key identifiers and signature; empty: none.
Bytes issuer_among(ByteView certificate, std::span<const Bytes> known);

}  // namespace svti::crypto
