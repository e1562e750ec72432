// SPDX-License-Identifier: Apache-2.0
// Certificates as IKE uses them: which identities one proves, which of ours is presented to a peer, and what its key signs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "crypto/prf.h"
#include "crypto/trust.h"
#include "model/credentials.h"

namespace svti::auth {

// RFC 4945 3.1: the subject first, then the alternative names, then the subjectKeyIdentifier as a key id
std::vector<model::Identity> identities_of(const crypto::CertificateFacts& facts);
// The certificate is about this very identity. RFC 7296 does not ask for it; without it any peer that a trusted authority knows could
// claim to be any other.
bool proves(const crypto::CertificateFacts& facts, const model::Identity& id);
// "C=CH, CN=gw, gw.example.com, 192.0.2.1", for whoever has to be told why not
std::string names_in(const std::vector<model::Identity>& identities);

// Reads PEM (the end entity first, authorities between it and a root behind it) or DER. `authorities`: DER of others that are known, of
// which those above it complete the chain. Errors of Fault::Configuration.
Result<model::LocalCertificate> read_local_certificate(std::string name, ByteView text, std::span<const Bytes> authorities);
// Why its key can sign nothing, or what else speaks against it whatever the time is; empty: nothing.
std::string weakness_of(ByteView certificate);
// Reads PEM or DER of one certificate of an authority. Errors of Fault::Configuration.
Result<model::Authority> read_authority(std::string name, ByteView text);

// What was found by `sha1` is a certificate (DER), and that one (RFC 7296 3.6); else why not. Errors of Fault::Peer.
Status fits_hash(ByteView octets, ByteView sha1);

// The certificate to present: of those that prove `id` (none given: of all) the first that has one of the authorities the peer asked for
// (`wanted`, 20 octets each) above it, else the first. Null: none proves it.
model::LocalCertificatePtr choose_certificate(const std::vector<model::LocalCertificatePtr>& candidates, const model::Identity* id,
                                              std::span<const Bytes> wanted);

// RFC 7296 2.15: what the key signs. `message` is the sender's whole first message, `nonce` the receiver's, `id_body` the sender's ID
// payload without its generic header, `int_auth` what IKE_INTERMEDIATE exchanges add (RFC 9242 3.3.2).
Bytes signed_octets(const crypto::Prf& prf, ByteView message, ByteView nonce, const Secret& sk_p, ByteView id_body, ByteView int_auth = {});

}  // namespace svti::auth
