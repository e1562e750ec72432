// SPDX-License-Identifier: Apache-2.0
// A private key that only the signer of this host can open. It made the key, and sealed it with a key that no other process knows; whoever
// keeps it (the configuration text, backups, version control) keeps nothing that can sign.
//
// PEM "SVTI SEALED PRIVATE KEY" around: version (1 octet, 1), length of the public key (2), SubjectPublicKeyInfo, nonce (12), PKCS#8
// encrypted by AES-256-GCM with all that stands before the nonce as associated data, tag (16).
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

namespace svti::crypto {

inline constexpr std::size_t kSealingKeySize = 32;
inline constexpr std::string_view kSealedKeyLabel = "SVTI SEALED PRIVATE KEY";

bool is_sealed_key(ByteView pem);

struct SealedKey {
  Bytes key_id;  // of its public key, as in crypto::Certificate. Believed by nobody who has not opened it.
  Bytes octets;  // for open_sealed_key()
};
// Of PEM. Errors of Fault::Configuration: nothing is opened, only read.
Result<SealedKey> parse_sealed_key(ByteView pem);

// `pkcs8` not encrypted, the sealing key of kSealingKeySize. What stands in the PEM. Throws std::runtime_error when OpenSSL cannot.
Bytes seal_key(ByteView pkcs8, const Secret& sealing_key);
// PKCS#8. Error of Fault::Configuration: it was not sealed with this key, or was changed since.
Result<Secret> open_sealed_key(ByteView octets, const Secret& sealing_key);

}  // namespace svti::crypto
