// SPDX-License-Identifier: Apache-2.0
// What ends authenticate with, besides pre-shared keys: certificates, the authorities that are trusted, and how. Immutable values; DER
// was read once, when the configuration was.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/secret.h"
#include "model/identity.h"

namespace svti::model {

enum class AuthMethod : std::uint8_t { PresharedKey, Certificate, EapMschapv2, EapMd5, EapTls, EapRadius };
inline constexpr std::array<std::string_view, 6> kAuthMethodNames = {"pre-shared-key", "certificate", "eap-mschapv2",
                                                                     "eap-md5",        "eap-tls",     "eap-radius"};
constexpr std::string_view name_of(AuthMethod method) { return kAuthMethodNames.at(static_cast<std::size_t>(method)); }
constexpr bool is_eap(AuthMethod method) { return method >= AuthMethod::EapMschapv2; }

// When a peer is refused for want of revocation information.
enum class Revocation : std::uint8_t { Relaxed, IfUri, Strict };
inline constexpr std::array<std::string_view, 3> kRevocationNames = {"relaxed", "ifuri", "strict"};

// A private key that a PKCS#11 token keeps, and uses itself.
struct TokenKey {
  std::string uri;     // RFC 7512: which token and which key, and the module; no PIN
  std::string place;   // the part of it that says which token, and the module: keys of one place are asked of one process
  Secret pin;          // empty: none
  std::string source;  // who gave it, for messages: "certificate gw private-key-uri"
  Bytes public_key;    // SubjectPublicKeyInfo in DER, as its certificate has it; empty: the token's own word is taken

  bool operator==(const TokenKey& other) const;
};

// A private key, for the signer alone. `id`: SHA-1 over the bits of its public key (RFC 5280 4.2.1.2 (1)).
struct PrivateKey {
  Bytes id;
  Secret pkcs8;                                     // DER, not encrypted; empty: it is sealed, or on a token
  std::shared_ptr<const TokenKey> token = nullptr;  // null: it is not
  Bytes sealed{};                                   // as crypto::SealedKey has it: the signer alone can open it; empty: it is not
};

// A certificate that this host may present.
struct LocalCertificate {
  std::string name;
  Bytes der;
  std::vector<Bytes> chain;          // DER of what is sent behind it: the authorities between it and a root
  Bytes key_id;                      // which private key signs for it
  std::string key_type;              // "rsa", "ecdsa-p256", "ed25519"
  std::vector<Bytes> issuers;        // what CERTREQ calls the authorities above it, as far as they are known: 20 octets each
  std::vector<Identity> identities;  // that it proves: its subject first
  std::string subject;
  std::chrono::sys_seconds not_before, not_after;

  bool proves(const Identity& id) const;
  bool operator==(const LocalCertificate&) const = default;
};
using LocalCertificatePtr = std::shared_ptr<const LocalCertificate>;

// An authority that may vouch for peers.
struct Authority {
  std::string name;
  Bytes der;
  Bytes hash;  // what CERTREQ calls it (RFC 7296 3.7), 20 octets
  std::string subject;
  std::chrono::sys_seconds not_before, not_after;
  std::vector<Bytes> crls;  // DER, from the configuration
  std::vector<std::string> crl_uris, ocsp_uris;
  // What it has issued is there, each certificate at this URI with the 40 digits of its SHA-1 hash behind it (RFC 7296 3.6); empty:
  // nowhere.
  std::string cert_uri_base;

  std::string published_at(ByteView sha1) const { return cert_uri_base.empty() ? std::string() : cert_uri_base + to_hex(sha1); }
  bool operator==(const Authority&) const = default;
};
using AuthorityPtr = std::shared_ptr<const Authority>;
// Of http, and with a path: what is put behind it may not become part of the host's name.
bool is_cert_uri_base(std::string_view text);

// What one end proves after its first round of authentication (RFC 4739).
struct FurtherRound {
  AuthMethod method = AuthMethod::Certificate;
  std::optional<Identity> id;                     // ours: none: that of a certificate, or the one before; the peer's: none: any
  std::optional<Identity> eap_id;                 // as local_eap_id and remote_eap_id
  std::vector<LocalCertificatePtr> certificates;  // of ours
  std::vector<AuthorityPtr> authorities;          // for the peer's
  Revocation revocation = Revocation::Relaxed;    // of the peer's

  bool operator==(const FurtherRound& other) const;
};

// How the two ends of a VPN prove who they are.
struct Authentication {
  AuthMethod local = AuthMethod::PresharedKey;
  AuthMethod remote = AuthMethod::PresharedKey;
  std::vector<LocalCertificatePtr> certificates;  // candidates, in the order of preference
  std::vector<AuthorityPtr> authorities;          // the only ones that are trusted for this peer
  Revocation revocation = Revocation::Relaxed;
  std::optional<Identity> local_eap_id;                     // none: the IKE identity
  std::optional<Identity> remote_eap_id;                    // none: the IKE identity; %any: the peer is asked
  std::vector<FurtherRound> further_local, further_remote;  // in order; both empty: each end authenticates itself once

  // EAP proves who the initiator is: who asks it of the peer cannot begin, unless it does EAP as well, and EAP alone (RFC 5998).
  bool may_initiate() const;
  // Why the two ends cannot prove who they are in this way, in a sentence without a final stop; empty: they can.
  std::string hindrance() const;
  bool uses_eap_tls() const { return local == AuthMethod::EapTls || remote == AuthMethod::EapTls; }  // in it both ends show certificates
  bool uses_certificates() const;  // within AUTH, by either end, in any round
  bool wants_ocsp() const;         // the peer is asked for what an OCSP responder says about its certificate (RFC 4806)
  bool looks_up() const;           // the peer's certificate may come by hash and URL: an authority has a cert_uri_base
  bool has_several_rounds() const { return !further_local.empty() || !further_remote.empty(); }
  bool operator==(const Authentication& other) const;
};

}  // namespace svti::model
