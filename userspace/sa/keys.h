// SPDX-License-Identifier: Apache-2.0
// Key material of IKE SAs and CHILD SAs (RFC 7296 2.13 to 2.18).
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "base/secret.h"
#include "crypto/prf.h"
#include "crypto/sk_cipher.h"
#include "wire/message.h"

namespace svti::sa {

// What an IKE SA keeps: SK_d, SK_pi, SK_pr; SK_a and SK_e live in the two ciphers.
struct IkeKeys {
  crypto::Prf prf;
  Secret sk_d, sk_pi, sk_pr;
  crypto::SkCipher initiator_to_responder;
  crypto::SkCipher responder_to_initiator;
};

struct KeySeed {
  ByteView nonce_i, nonce_r;  // without payload headers
  wire::IkeSpi spi_i = 0, spi_r = 0;
};

// The keys that protect an IKE SA's messages, for a key log that somebody has asked for. Borrowed for the call alone.
struct MessageKeys {
  wire::IkeSpi spi_i = 0, spi_r = 0;
  const wire::Proposal& choice;
  ByteView sk_ei, sk_er, sk_ai, sk_ar;
};
using KeySink = std::function<void(const MessageKeys&)>;  // empty: nobody is told, which is the rule

// RFC 7296 2.14: SKEYSEED = prf(Ni | Nr, g^ir)
Result<IkeKeys> derive_ike_keys(const wire::Proposal& choice, const KeySeed& seed, const Secret& shared_secret, const KeySink& told = {});
// RFC 7296 2.18: SKEYSEED = prf(SK_d of the old SA, g^ir | Ni | Nr), with the old SA's PRF; RFC 9370 2.2.4: and behind that the secrets of
// the additional key exchanges. The same, with the same nonces and SPIs, updates the keys after each of them in IKE_INTERMEDIATE (2.2.2).
Result<IkeKeys> derive_rekeyed_ike_keys(const wire::Proposal& choice, const KeySeed& seed, const Secret& shared_secret, const IkeKeys& old,
                                        std::span<const Secret> additional = {}, const KeySink& told = {});

// SK_d, SK_pi and SK_pr of an IKE SA
struct IkeSecrets {
  Secret sk_d, sk_pi, sk_pr;
};
// RFC 8784 3: each of the three becomes prf+(PPK, itself); the keys of the ciphers stay. Returns what they were before.
IkeSecrets mix_ppk(IkeKeys& keys, const Secret& ppk);

// RFC 5723 5.1: SKEYSEED = prf(SK_d of the old SA, "Resumption" | Ni | Nr); `choice` is the old one's, and so is the PRF
Result<IkeKeys> derive_resumed_ike_keys(const wire::Proposal& choice, const KeySeed& seed, const Secret& sk_d, const KeySink& told = {});

// Keys of a pair of ESP SAs. An AEAD's encryption key has its salt behind it and no integrity key.
struct ChildKeys {
  Secret encryption_i, integrity_i;  // of the SA from initiator to responder of the exchange that made it
  Secret encryption_r, integrity_r;
};
// RFC 7296 2.17; `shared_secret` is empty without PFS. RFC 9370 2.2.4: `additional` secrets come behind the nonces. Error of
// Fault::Configuration: an algorithm that is not known.
Result<ChildKeys> derive_child_keys(const wire::Proposal& choice, const IkeKeys& ike, ByteView nonce_i, ByteView nonce_r,
                                    const Secret& shared_secret, std::span<const Secret> additional = {});

}  // namespace svti::sa
