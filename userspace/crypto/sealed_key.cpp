// SPDX-License-Identifier: Apache-2.0
#include "crypto/sealed_key.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <array>
#include <stdexcept>

#include "crypto/credential.h"
#include "crypto/owned.h"
#include "crypto/signature.h"

namespace svti::crypto {
namespace {

using CipherPtr = Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kTagSize = 16;
constexpr std::size_t kMostOctets = 64 * 1024;  // of RSA with 16,384 bits it has a quarter

void require(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL cannot seal a private key");
}

struct Parts {
  ByteView head, public_key, nonce, encrypted, tag;
};
Result<Parts> split(ByteView octets) {
  Parts out;
  Reader reader(octets);
  const auto version = reader.u8();
  if (version && *version != kVersion)
    return config_error("is sealed in version " + std::to_string(*version) + ", which is not known here");
  const auto size = version ? reader.u16() : Result<std::uint16_t>(fail(version.error()));
  const auto key = size ? reader.take(*size) : Result<ByteView>(fail(size.error()));
  const auto nonce = key ? reader.take(kNonceSize) : key;
  if (!nonce) return config_error("is not a sealed private key that can be read");
  const ByteView rest = reader.take_rest();
  if (rest.size() <= kTagSize) return config_error("is not a sealed private key that can be read");
  out.head = octets.first(octets.size() - rest.size() - kNonceSize);
  out.public_key = *key;
  out.nonce = *nonce;
  out.encrypted = rest.first(rest.size() - kTagSize);
  out.tag = rest.last(kTagSize);
  return out;
}

}  // namespace

bool is_sealed_key(ByteView pem) {
  return as_text(pem).find("-----BEGIN " + std::string(kSealedKeyLabel) + "-----") != std::string_view::npos;
}

Result<SealedKey> parse_sealed_key(ByteView pem) {
  const ErrorQueue queue;
  if (pem.size() > kMostOctets) return config_error("is too large");
  const auto bio = owned<Owned<BIO, BIO_free_all>>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  unsigned char* data = nullptr;
  long size = 0;
  if (PEM_bytes_read_bio(&data, &size, nullptr, std::string(kSealedKeyLabel).c_str(), bio.get(), nullptr, nullptr) != 1)
    return config_error("is not a sealed private key in PEM");
  SealedKey out;
  out.octets.assign(data, data + size);
  OPENSSL_free(data);
  const auto parts = split(out.octets);
  if (!parts) return fail(parts.error());
  const auto public_key = parse_certificate(parts->public_key, CertificateKind::PublicKey);
  if (!public_key) return config_error("is sealed around a public key that cannot be read");
  out.key_id = public_key->key_id;
  return out;
}

Bytes seal_key(ByteView pkcs8, const Secret& sealing_key) {
  require(sealing_key.size() == kSealingKeySize);
  const auto key = SigningKey::from_pkcs8(pkcs8);
  require(key.has_value());
  const Bytes public_key = key->public_key();
  Writer writer;
  writer.u8(kVersion);
  writer.u16(static_cast<std::uint16_t>(public_key.size()));
  writer.bytes(public_key);
  std::array<std::uint8_t, kNonceSize> nonce{};
  std::array<std::uint8_t, kTagSize> tag{};
  Bytes encrypted(pkcs8.size());
  require(RAND_bytes(nonce.data(), static_cast<int>(nonce.size())) == 1);
  const auto cipher = owned<CipherPtr>(EVP_CIPHER_CTX_new());
  int size = 0;
  require(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, sealing_key.view().data(), nonce.data()) == 1 &&
          EVP_EncryptUpdate(cipher.get(), nullptr, &size, writer.view().data(), static_cast<int>(writer.size())) == 1 &&
          EVP_EncryptUpdate(cipher.get(), encrypted.data(), &size, pkcs8.data(), static_cast<int>(pkcs8.size())) == 1 &&
          EVP_EncryptFinal_ex(cipher.get(), encrypted.data() + size, &size) == 1 &&
          EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize, tag.data()) == 1);
  writer.bytes(nonce);
  writer.bytes(encrypted);
  writer.bytes(tag);
  return std::move(writer).take();
}

Result<Secret> open_sealed_key(ByteView octets, const Secret& sealing_key) {
  const ErrorQueue queue;
  require(sealing_key.size() == kSealingKeySize);
  const auto parts = split(octets);
  if (!parts) return fail(parts.error());
  Secret pkcs8(parts->encrypted.size());
  Bytes tag = to_bytes(parts->tag);
  const auto cipher = owned<CipherPtr>(EVP_CIPHER_CTX_new());
  int size = 0;
  std::uint8_t none = 0;  // GCM has nothing left for its end
  require(EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, sealing_key.view().data(), parts->nonce.data()) == 1 &&
          EVP_DecryptUpdate(cipher.get(), nullptr, &size, parts->head.data(), static_cast<int>(parts->head.size())) == 1 &&
          EVP_DecryptUpdate(cipher.get(), pkcs8.mutable_view().data(), &size, parts->encrypted.data(),
                            static_cast<int>(parts->encrypted.size())) == 1 &&
          EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1);
  if (EVP_DecryptFinal_ex(cipher.get(), &none, &size) != 1)
    return config_error("was sealed by another gateway, or with a sealing key that is gone: make a new one");
  return pkcs8;
}

}  // namespace svti::crypto
