// SPDX-License-Identifier: Apache-2.0
// The body of an Encrypted payload (RFC 7296 3.14):
//
//   AES-CBC + HMAC   IV (16) | ciphertext of (payloads | padding | pad length) | ICV over prefix, IV and ciphertext
//   AES-GCM          IV (8)  | ciphertext of (payloads | padding | pad length) | ICV; associated data is the prefix (RFC 5282 5.1)
#include "crypto/sk_cipher.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>

#include "crypto/hmac.h"

namespace svti::crypto {
namespace {

constexpr std::size_t kAesBlock = 16;
constexpr std::size_t kSaltSize = 4;   // RFC 5282 4
constexpr std::size_t kGcmIvSize = 8;  // RFC 5282 3.1
constexpr std::size_t kGcmNonceSize = kSaltSize + kGcmIvSize;

// all that differs between the algorithms
struct Suite {
  const EVP_CIPHER* cipher = nullptr;  // lives as long as the program
  std::size_t key_size = 0;            // AES key alone
  bool aead = false;
  Hash hash{};  // without AEAD
  std::size_t icv_size = 0;

  std::size_t iv_size() const { return aead ? kGcmIvSize : kAesBlock; }
  std::size_t encryption_key_size() const { return key_size + (aead ? kSaltSize : 0); }
  std::size_t integrity_key_size() const { return aead ? 0 : hash_size(hash); }
  // RFC 7296 3.14 and RFC 5282 3: payloads, padding and the pad length's own octet; the least padding that is allowed
  std::size_t padded_size(std::size_t plaintext_size) const {
    return aead ? plaintext_size + 1 : (plaintext_size + 1 + kAesBlock - 1) / kAesBlock * kAesBlock;
  }
};

struct FreeCipher {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

// AES with `key_bits`, found in OpenSSL once; null for another key size or when no provider has it
const EVP_CIPHER* aes(bool gcm, std::uint16_t key_bits) {
  using Cipher = std::unique_ptr<EVP_CIPHER, FreeCipher>;
  static const auto kFetch = [](const char* name) { return Cipher(EVP_CIPHER_fetch(nullptr, name, nullptr)); };
  static const std::array<Cipher, 3> kCbc = {kFetch("AES-128-CBC"), kFetch("AES-192-CBC"), kFetch("AES-256-CBC")};
  static const std::array<Cipher, 3> kGcm = {kFetch("AES-128-GCM"), kFetch("AES-192-GCM"), kFetch("AES-256-GCM")};
  if (key_bits != 128 && key_bits != 192 && key_bits != 256) return nullptr;
  const std::size_t at = (key_bits - 128U) / 64U;
  return (gcm ? kGcm[at] : kCbc[at]).get();
}

bool choose_icv(wire::IntegrityId integrity, Suite& out) {
  switch (integrity) {
    case wire::IntegrityId::HmacSha1_96:
      out.hash = Hash::Sha1;
      out.icv_size = 12;
      return true;
    case wire::IntegrityId::HmacSha256_128:
      out.hash = Hash::Sha256;
      out.icv_size = 16;
      return true;
    case wire::IntegrityId::HmacSha384_192:
      out.hash = Hash::Sha384;
      out.icv_size = 24;
      return true;
    case wire::IntegrityId::HmacSha512_256:
      out.hash = Hash::Sha512;
      out.icv_size = 32;
      return true;
    case wire::IntegrityId::None:
      return false;
  }
  return false;  // the enumeration is open
}

// RFC 5282 7.2; 0 for what is not AES-GCM
std::size_t gcm_icv_size(wire::EncryptionId id) {
  switch (id) {
    case wire::EncryptionId::AesGcm8:
      return 8;
    case wire::EncryptionId::AesGcm12:
      return 12;
    case wire::EncryptionId::AesGcm16:
      return 16;
    default:
      return 0;
  }
}

Result<Suite> suite_of(const wire::Transform& encryption, wire::IntegrityId integrity) {
  const auto id = static_cast<wire::EncryptionId>(encryption.id);
  Suite out;
  out.icv_size = gcm_icv_size(id);
  out.aead = out.icv_size != 0;
  const bool known =
      encryption.type == wire::TransformType::Encryption && !encryption.unknown_attribute && (out.aead || id == wire::EncryptionId::AesCbc);
  if (!known) return config_error("encryption transform " + std::to_string(encryption.id) + " is not supported for IKE");
  out.cipher = aes(out.aead, encryption.key_bits);
  if (out.cipher == nullptr) return config_error("AES with a key of " + std::to_string(encryption.key_bits) + " bits is not supported");
  out.key_size = encryption.key_bits / 8U;
  if (out.aead) {
    // RFC 5282 8: an AEAD is offered without integrity, or with NONE
    if (integrity != wire::IntegrityId::None) return config_error("AES-GCM does not go with an integrity transform");
    return out;
  }
  if (!choose_icv(integrity, out) || !hmac_available(out.hash)) {
    return config_error("AES-CBC with integrity transform " + std::to_string(static_cast<unsigned>(integrity)) + " is not supported");
  }
  return out;
}

void require(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL's AES failed");
}

int as_int(std::size_t size) { return static_cast<int>(size); }  // no more than a message: 65535

// In one place, so that every refusal reads alike.
tl::unexpected<Error> refused() { return peer_error("Encrypted payload does not verify"); }

}  // namespace

// Keys alone are kept, and OpenSSL's contexts made for each message: that is under a microsecond of some ten that a message
// costs, and otherwise four contexts of 1 to 2 kB would stand idle in each IKE SA between one liveness check and the next.
struct SkCipher::Impl {
  Suite suite;
  Secret encryption_key;      // AES key; with an AEAD the salt behind it (RFC 5282 7.1)
  Secret integrity_key;       // empty with an AEAD
  std::uint64_t next_iv = 0;  // AEAD only: unique for the life of the key, which is this object's

  void seal_cbc(ByteView prefix, std::span<std::uint8_t> body, Entropy& entropy) const;
  void seal_gcm(ByteView prefix, std::span<std::uint8_t> body);
  // both: `text` receives the deciphered octets; false, with nothing worth reading in `text`, when the ICV is wrong
  bool open_cbc(ByteView prefix, ByteView body, std::span<std::uint8_t> text) const;
  bool open_gcm(ByteView prefix, ByteView body, std::span<std::uint8_t> text) const;

  // the whole HMAC, of which the first `suite.icv_size` octets are the ICV
  Bytes icv(ByteView prefix, ByteView iv_and_ciphertext) const {
    Bytes out(hash_size(suite.hash));
    Hmac(suite.hash, integrity_key.view()).compute({prefix, iv_and_ciphertext}, out);
    return out;
  }

  std::array<std::uint8_t, kGcmNonceSize> gcm_nonce(ByteView iv) const {
    std::array<std::uint8_t, kGcmNonceSize> out{};
    const ByteView salt = encryption_key.view().subspan(suite.key_size, kSaltSize);
    std::copy(salt.begin(), salt.end(), out.begin());
    std::copy(iv.begin(), iv.end(), out.begin() + kSaltSize);
    return out;
  }

  Context context(bool encrypt, const std::uint8_t* iv) const {
    Context out(EVP_CIPHER_CTX_new());
    if (!out) throw std::bad_alloc();
    require(EVP_CipherInit_ex2(out.get(), suite.cipher, encryption_key.view().data(), iv, encrypt ? 1 : 0, nullptr) == 1);
    return out;
  }
};

// `body` has room for all; between IV and ICV it holds the padded plaintext, which is enciphered in place
void SkCipher::Impl::seal_cbc(ByteView prefix, std::span<std::uint8_t> body, Entropy& entropy) const {
  const auto iv = body.first(kAesBlock);
  entropy.fill(iv);  // RFC 7296 3.14: not to be guessed before it is sent
  const auto text = body.subspan(kAesBlock, body.size() - kAesBlock - suite.icv_size);
  const Context aes = context(true, iv.data());
  int size = 0;
  require(EVP_CIPHER_CTX_set_padding(aes.get(), 0) == 1);
  require(EVP_EncryptUpdate(aes.get(), text.data(), &size, text.data(), as_int(text.size())) == 1 && size == as_int(text.size()));
  const Bytes full = icv(prefix, body.first(kAesBlock + text.size()));
  std::copy_n(full.begin(), suite.icv_size, body.last(suite.icv_size).begin());
}

void SkCipher::Impl::seal_gcm(ByteView prefix, std::span<std::uint8_t> body) {
  const auto iv = body.first(kGcmIvSize);
  for (std::size_t i = 0; i < kGcmIvSize; ++i) iv[i] = static_cast<std::uint8_t>(next_iv >> (56 - 8 * i));
  ++next_iv;  // an IKE SA that could wrap it has sent 2^32 messages four billion times
  const auto text = body.subspan(kGcmIvSize, body.size() - kGcmIvSize - suite.icv_size);
  const auto tag = body.last(suite.icv_size);
  const Context aes = context(true, gcm_nonce(iv).data());
  int size = 0;
  require(EVP_EncryptUpdate(aes.get(), nullptr, &size, prefix.data(), as_int(prefix.size())) == 1);
  require(EVP_EncryptUpdate(aes.get(), text.data(), &size, text.data(), as_int(text.size())) == 1 && size == as_int(text.size()));
  require(EVP_EncryptFinal_ex(aes.get(), nullptr, &size) == 1);
  require(EVP_CIPHER_CTX_ctrl(aes.get(), EVP_CTRL_AEAD_GET_TAG, as_int(tag.size()), tag.data()) == 1);
}

bool SkCipher::Impl::open_cbc(ByteView prefix, ByteView body, std::span<std::uint8_t> text) const {
  const Bytes full = icv(prefix, body.first(body.size() - suite.icv_size));
  if (CRYPTO_memcmp(full.data(), body.last(suite.icv_size).data(), suite.icv_size) != 0) return false;
  const Context aes = context(false, body.data());
  int size = 0;
  require(EVP_CIPHER_CTX_set_padding(aes.get(), 0) == 1);
  require(EVP_DecryptUpdate(aes.get(), text.data(), &size, body.data() + kAesBlock, as_int(text.size())) == 1 &&
          size == as_int(text.size()));
  return true;
}

bool SkCipher::Impl::open_gcm(ByteView prefix, ByteView body, std::span<std::uint8_t> text) const {
  std::array<std::uint8_t, 16> tag{};  // OpenSSL's call takes no pointer to const
  const ByteView received = body.last(suite.icv_size);
  std::copy(received.begin(), received.end(), tag.begin());
  const Context aes = context(false, gcm_nonce(body.first(kGcmIvSize)).data());
  int size = 0;
  require(EVP_CIPHER_CTX_ctrl(aes.get(), EVP_CTRL_AEAD_SET_TAG, as_int(suite.icv_size), tag.data()) == 1);
  require(EVP_DecryptUpdate(aes.get(), nullptr, &size, prefix.data(), as_int(prefix.size())) == 1);
  require(EVP_DecryptUpdate(aes.get(), text.data(), &size, body.data() + kGcmIvSize, as_int(text.size())) == 1 &&
          size == as_int(text.size()));
  return EVP_DecryptFinal_ex(aes.get(), nullptr, &size) == 1;
}

Result<SkKeySizes> sk_key_sizes(const wire::Transform& encryption, wire::IntegrityId integrity) {
  const auto suite = suite_of(encryption, integrity);
  if (!suite) return fail(suite.error());
  return SkKeySizes{suite->encryption_key_size(), suite->integrity_key_size()};
}

Result<SkCipher> SkCipher::create(const wire::Transform& encryption, wire::IntegrityId integrity, const Secret& sk_e, const Secret& sk_a) {
  const auto suite = suite_of(encryption, integrity);
  if (!suite) return fail(suite.error());
  if (sk_e.size() != suite->encryption_key_size() || sk_a.size() != suite->integrity_key_size()) {
    return config_error("SK_e of " + std::to_string(sk_e.size()) + " and SK_a of " + std::to_string(sk_a.size()) +
                        " octets do not fit the algorithms");
  }
  return SkCipher(std::make_unique<Impl>(Impl{*suite, sk_e.clone(), sk_a.clone()}));
}

SkCipher::SkCipher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SkCipher::SkCipher(SkCipher&&) noexcept = default;
SkCipher& SkCipher::operator=(SkCipher&&) noexcept = default;
SkCipher::~SkCipher() = default;

std::size_t SkCipher::sealed_size(std::size_t plaintext_size) const {
  const Suite& suite = impl_->suite;
  return suite.iv_size() + suite.padded_size(plaintext_size) + suite.icv_size;
}

Bytes SkCipher::seal(ByteView prefix, ByteView plaintext, Entropy& entropy) {
  const Suite& suite = impl_->suite;
  const std::size_t padded = suite.padded_size(plaintext.size());
  Bytes body(sealed_size(plaintext.size()));  // padding stays zero: RFC 7296 3.14 allows any
  std::copy(plaintext.begin(), plaintext.end(), body.begin() + static_cast<std::ptrdiff_t>(suite.iv_size()));
  body[suite.iv_size() + padded - 1] = static_cast<std::uint8_t>(padded - 1 - plaintext.size());
  if (suite.aead) {
    impl_->seal_gcm(prefix, body);
  } else {
    impl_->seal_cbc(prefix, body, entropy);
  }
  return body;
}

Result<Bytes> SkCipher::open(ByteView prefix, ByteView body) {
  const Suite& suite = impl_->suite;
  const std::size_t around = suite.iv_size() + suite.icv_size;
  if (body.size() <= around) return refused();  // not even a pad length
  Bytes text(body.size() - around);
  if (!suite.aead && text.size() % kAesBlock != 0) return refused();
  const bool verified = suite.aead ? impl_->open_gcm(prefix, body, text) : impl_->open_cbc(prefix, body, text);
  if (!verified) {
    wipe(text);  // GCM deciphers before it knows
    ERR_clear_error();
    return refused();
  }
  const std::size_t padding = text.back();
  if (padding + 1 > text.size()) {
    wipe(text);
    return refused();
  }
  text.resize(text.size() - padding - 1);
  return text;
}

}  // namespace svti::crypto
