// SPDX-License-Identifier: Apache-2.0
// The body of an Encrypted payload (RFC 7296 3.14):
//
//   CBC + integrity   IV (a block) | ciphertext of (payloads | padding | pad length) | ICV over prefix, IV and ciphertext
//   CTR + integrity   IV (8)       | the same (RFC 5930)
//   AEAD              IV (8)       | ciphertext of (payloads | padding | pad length) | ICV; associated data is the prefix (RFC 5282 5.1,
//                                    RFC 7634 4)
#include "crypto/sk_cipher.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>

#include "crypto/mac.h"
#include "crypto/owned.h"

namespace svti::crypto {
namespace {

constexpr std::size_t kCounterIvSize = 8;  // of all but CBC: RFC 5930 2, RFC 5282 3.1, RFC 7634 2
constexpr std::size_t kMaxNonceSize = 12;  // salt and IV
constexpr std::size_t kCounterSize = 4;    // RFC 3686 4

using Cipher = Owned<EVP_CIPHER, EVP_CIPHER_free>;
using Context = Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

enum class Mode : std::uint8_t { Cbc, Ctr, Gcm, Ccm, ChaCha };

// A cipher that OpenSSL was asked for once. All that differs between the algorithms.
struct Known {
  wire::EncryptionId id;
  std::uint16_t key_bits;  // the transform's attribute; 0: it has none
  const char* name;        // OpenSSL's
  Mode mode;
  std::size_t key_size;
  std::size_t salt_size;  // behind the key in SK_e
  std::size_t block;      // the ciphertext is a multiple of it
  std::size_t icv_size;   // of an AEAD, or 0
};

using enum wire::EncryptionId;
constexpr Known kKnown[] = {
    {TripleDesCbc, 0, "DES-EDE3-CBC", Mode::Cbc, 24, 0, 8, 0},
    {AesCbc, 128, "AES-128-CBC", Mode::Cbc, 16, 0, 16, 0},
    {AesCbc, 192, "AES-192-CBC", Mode::Cbc, 24, 0, 16, 0},
    {AesCbc, 256, "AES-256-CBC", Mode::Cbc, 32, 0, 16, 0},
    {CamelliaCbc, 128, "CAMELLIA-128-CBC", Mode::Cbc, 16, 0, 16, 0},
    {CamelliaCbc, 192, "CAMELLIA-192-CBC", Mode::Cbc, 24, 0, 16, 0},
    {CamelliaCbc, 256, "CAMELLIA-256-CBC", Mode::Cbc, 32, 0, 16, 0},
    {AesCtr, 128, "AES-128-CTR", Mode::Ctr, 16, 4, 1, 0},
    {AesCtr, 192, "AES-192-CTR", Mode::Ctr, 24, 4, 1, 0},
    {AesCtr, 256, "AES-256-CTR", Mode::Ctr, 32, 4, 1, 0},
    {AesCcm8, 128, "AES-128-CCM", Mode::Ccm, 16, 3, 1, 8},
    {AesCcm8, 192, "AES-192-CCM", Mode::Ccm, 24, 3, 1, 8},
    {AesCcm8, 256, "AES-256-CCM", Mode::Ccm, 32, 3, 1, 8},
    {AesCcm12, 128, "AES-128-CCM", Mode::Ccm, 16, 3, 1, 12},
    {AesCcm12, 192, "AES-192-CCM", Mode::Ccm, 24, 3, 1, 12},
    {AesCcm12, 256, "AES-256-CCM", Mode::Ccm, 32, 3, 1, 12},
    {AesCcm16, 128, "AES-128-CCM", Mode::Ccm, 16, 3, 1, 16},
    {AesCcm16, 192, "AES-192-CCM", Mode::Ccm, 24, 3, 1, 16},
    {AesCcm16, 256, "AES-256-CCM", Mode::Ccm, 32, 3, 1, 16},
    {AesGcm8, 128, "AES-128-GCM", Mode::Gcm, 16, 4, 1, 8},
    {AesGcm8, 192, "AES-192-GCM", Mode::Gcm, 24, 4, 1, 8},
    {AesGcm8, 256, "AES-256-GCM", Mode::Gcm, 32, 4, 1, 8},
    {AesGcm12, 128, "AES-128-GCM", Mode::Gcm, 16, 4, 1, 12},
    {AesGcm12, 192, "AES-192-GCM", Mode::Gcm, 24, 4, 1, 12},
    {AesGcm12, 256, "AES-256-GCM", Mode::Gcm, 32, 4, 1, 12},
    {AesGcm16, 128, "AES-128-GCM", Mode::Gcm, 16, 4, 1, 16},
    {AesGcm16, 192, "AES-192-GCM", Mode::Gcm, 24, 4, 1, 16},
    {AesGcm16, 256, "AES-256-GCM", Mode::Gcm, 32, 4, 1, 16},
    {ChaCha20Poly1305, 0, "ChaCha20-Poly1305", Mode::ChaCha, 32, 4, 1, 16},
};

// null when no provider has it. Found once, for the life of the program.
const EVP_CIPHER* provided(const Known& known) {
  static const auto kCiphers = [] {
    std::array<Cipher, std::size(kKnown)> out;
    for (std::size_t i = 0; i < out.size(); ++i) out[i].reset(EVP_CIPHER_fetch(nullptr, kKnown[i].name, nullptr));
    ERR_clear_error();
    return out;
  }();
  return kCiphers[static_cast<std::size_t>(&known - kKnown)].get();
}

struct Suite {
  const Known* known = nullptr;
  const EVP_CIPHER* cipher = nullptr;
  MacKind mac{};  // without AEAD
  std::size_t icv_size = 0;

  bool aead() const { return known->icv_size != 0; }
  std::size_t iv_size() const { return known->mode == Mode::Cbc ? known->block : kCounterIvSize; }
  std::size_t encryption_key_size() const { return known->key_size + known->salt_size; }
  std::size_t integrity_key_size() const { return aead() ? 0 : mac_size(mac); }
  // RFC 7296 3.14 and RFC 5282 3: payloads, padding and the pad length's own octet; the least padding that is allowed
  std::size_t padded_size(std::size_t plaintext_size) const { return (plaintext_size + known->block) / known->block * known->block; }
};

bool choose_icv(wire::IntegrityId integrity, Suite& out) {
  struct Row {
    wire::IntegrityId id;
    MacKind mac;
    std::size_t icv_size;
  };
  static constexpr Row kRows[] = {
      {wire::IntegrityId::HmacMd5_96, MacKind::HmacMd5, 12},        {wire::IntegrityId::HmacSha1_96, MacKind::HmacSha1, 12},
      {wire::IntegrityId::AesXcbc96, MacKind::AesXcbc, 12},         {wire::IntegrityId::AesCmac96, MacKind::AesCmac, 12},
      {wire::IntegrityId::HmacSha256_128, MacKind::HmacSha256, 16}, {wire::IntegrityId::HmacSha384_192, MacKind::HmacSha384, 24},
      {wire::IntegrityId::HmacSha512_256, MacKind::HmacSha512, 32},
  };
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& one) { return one.id == integrity; });
  if (row == std::end(kRows) || !mac_available(row->mac)) return false;
  out.mac = row->mac;
  out.icv_size = row->icv_size;
  return true;
}

Result<Suite> suite_of(const wire::Transform& encryption, wire::IntegrityId integrity) {
  const auto* known = std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Known& one) {
    return encryption.id == static_cast<std::uint16_t>(one.id) && encryption.key_bits == one.key_bits;
  });
  const std::string name =
      "encryption transform " + std::to_string(encryption.id) + " with a key of " + std::to_string(encryption.key_bits) + " bits";
  if (encryption.type != wire::TransformType::Encryption || encryption.unknown_attribute || known == std::end(kKnown))
    return config_error(name + " is not supported for IKE");
  Suite out;
  out.known = known;
  out.cipher = provided(*known);
  out.icv_size = known->icv_size;
  if (out.cipher == nullptr) return config_error("OpenSSL has no " + std::string(known->name));
  if (out.aead()) {
    // RFC 5282 8: an AEAD is offered without integrity, or with NONE
    if (integrity != wire::IntegrityId::None) return config_error("an AEAD does not go with an integrity transform");
    return out;
  }
  if (!choose_icv(integrity, out))
    return config_error(name + " with integrity transform " + std::to_string(static_cast<unsigned>(integrity)) + " is not supported");
  return out;
}

void require(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL's cipher failed");
}

int as_int(std::size_t size) { return static_cast<int>(size); }  // no more than a message: 65535

// In one place, so that every refusal reads alike.
tl::unexpected<Error> refused() { return peer_error("Encrypted payload does not verify"); }

}  // namespace

// Keys alone are kept, and OpenSSL's contexts made for each message: that is under a microsecond of some ten that a message
// costs, and otherwise four contexts of 1 to 2 kB would stand idle in each IKE SA between one liveness check and the next.
struct SkCipher::Impl {
  Suite suite;
  Secret encryption_key;      // the salt behind it (RFC 5282 7.1)
  Secret integrity_key;       // empty with an AEAD
  std::uint64_t next_iv = 0;  // but for CBC: unique for the life of the key, which is this object's

  std::size_t text_size(ByteView body) const { return body.size() - suite.iv_size() - suite.icv_size; }

  // the IV of a new message, into the beginning of `body`
  void draw_iv(std::span<std::uint8_t> body, Entropy& entropy) {
    const auto iv = body.first(suite.iv_size());
    if (suite.known->mode == Mode::Cbc) return entropy.fill(iv);  // RFC 7296 3.14: not to be guessed before it is sent
    for (std::size_t i = 0; i < iv.size(); ++i) iv[i] = static_cast<std::uint8_t>(next_iv >> (56 - 8 * i));
    ++next_iv;  // an IKE SA that could wrap it has sent 2^32 messages four billion times
  }

  // `out` receives as many octets as `text` has, and may be the same
  void cipher(EVP_CIPHER_CTX* context, ByteView text, std::span<std::uint8_t> out) const {
    int size = 0;
    require(EVP_CipherUpdate(context, out.data(), &size, text.data(), as_int(text.size())) == 1 && size == as_int(text.size()));
  }

  // CBC and CTR
  Context plain_context(bool encrypt, ByteView iv) const {
    std::array<std::uint8_t, kMaxNonceSize + kCounterSize> first{};  // CTR: nonce, IV, and a counter that begins with 1
    const std::uint8_t* start = iv.data();
    if (suite.known->mode == Mode::Ctr) {
      write_nonce(iv, first);
      first.back() = 1;
      start = first.data();
    }
    Context out = owned<Context>(EVP_CIPHER_CTX_new());
    require(EVP_CipherInit_ex2(out.get(), suite.cipher, encryption_key.view().data(), start, encrypt ? 1 : 0, nullptr) == 1);
    require(EVP_CIPHER_CTX_set_padding(out.get(), 0) == 1);
    return out;
  }

  // `tag`: what is expected of a message to be opened; null for one that is sealed
  Context aead_context(ByteView prefix, ByteView iv, std::uint8_t* tag, std::size_t text_size) const {
    std::array<std::uint8_t, kMaxNonceSize> nonce{};
    write_nonce(iv, nonce);
    const int encrypt = tag == nullptr ? 1 : 0;
    const bool ccm = suite.known->mode == Mode::Ccm;
    const int nonce_size = as_int(suite.known->salt_size + iv.size());
    Context out = owned<Context>(EVP_CIPHER_CTX_new());
    require(EVP_CipherInit_ex2(out.get(), suite.cipher, nullptr, nullptr, encrypt, nullptr) == 1);
    require(EVP_CIPHER_CTX_ctrl(out.get(), EVP_CTRL_AEAD_SET_IVLEN, nonce_size, nullptr) == 1);
    // CCM is told the tag's length, or the tag, before the key
    if (ccm || tag != nullptr) require(EVP_CIPHER_CTX_ctrl(out.get(), EVP_CTRL_AEAD_SET_TAG, as_int(suite.icv_size), tag) == 1);
    require(EVP_CipherInit_ex2(out.get(), nullptr, encryption_key.view().data(), nonce.data(), encrypt, nullptr) == 1);
    int size = 0;
    if (ccm) require(EVP_CipherUpdate(out.get(), nullptr, &size, nullptr, as_int(text_size)) == 1);  // and the text's
    require(EVP_CipherUpdate(out.get(), nullptr, &size, prefix.data(), as_int(prefix.size())) == 1);
    return out;
  }

  void write_nonce(ByteView iv, std::span<std::uint8_t> out) const {
    const ByteView salt = encryption_key.view().subspan(suite.known->key_size);
    std::copy(iv.begin(), iv.end(), std::copy(salt.begin(), salt.end(), out.begin()));
  }

  // the whole MAC, of which the first `suite.icv_size` octets are the ICV
  Bytes icv(ByteView prefix, ByteView iv_and_ciphertext) const {
    Bytes out(mac_size(suite.mac));
    Mac(suite.mac, integrity_key.view()).compute({prefix, iv_and_ciphertext}, out);
    return out;
  }

  // `body` has room for all; between IV and ICV it holds the padded plaintext, which is enciphered in place
  void seal(ByteView prefix, std::span<std::uint8_t> body, Entropy& entropy) {
    draw_iv(body, entropy);
    const auto iv = body.first(suite.iv_size());
    const auto text = body.subspan(iv.size(), text_size(body));
    const auto tag = body.last(suite.icv_size);
    if (suite.aead()) {
      const Context context = aead_context(prefix, iv, nullptr, text.size());
      cipher(context.get(), text, text);
      int size = 0;
      require(EVP_CipherFinal_ex(context.get(), nullptr, &size) == 1);
      require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, as_int(tag.size()), tag.data()) == 1);
      return;
    }
    cipher(plain_context(true, iv).get(), text, text);
    const Bytes full = icv(prefix, body.first(iv.size() + text.size()));
    std::copy_n(full.begin(), tag.size(), tag.begin());
  }

  // `text` receives the deciphered octets; false, with nothing worth reading in `text`, when the ICV is wrong
  bool open(ByteView prefix, ByteView body, std::span<std::uint8_t> text) const {
    const ByteView iv = body.first(suite.iv_size()), ciphertext = body.subspan(iv.size(), text.size()), tag = body.last(suite.icv_size);
    if (!suite.aead()) {
      const Bytes full = icv(prefix, body.first(iv.size() + text.size()));
      if (CRYPTO_memcmp(full.data(), tag.data(), tag.size()) != 0) return false;
      cipher(plain_context(false, iv).get(), ciphertext, text);
      return true;
    }
    std::array<std::uint8_t, 16> expected{};  // OpenSSL's call takes no pointer to const
    std::copy(tag.begin(), tag.end(), expected.begin());
    const Context context = aead_context(prefix, iv, expected.data(), text.size());
    int size = 0;
    const bool deciphered = EVP_CipherUpdate(context.get(), text.data(), &size, ciphertext.data(), as_int(text.size())) == 1;
    if (suite.known->mode == Mode::Ccm) return deciphered;  // which verifies, and there is no final call
    return deciphered && EVP_CipherFinal_ex(context.get(), nullptr, &size) == 1;
  }
};

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
  impl_->seal(prefix, body, entropy);
  return body;
}

Result<Bytes> SkCipher::open(ByteView prefix, ByteView body) {
  const Suite& suite = impl_->suite;
  const std::size_t around = suite.iv_size() + suite.icv_size;
  if (body.size() <= around) return refused();  // not even a pad length
  Bytes text(body.size() - around);
  if (text.size() % suite.known->block != 0) return refused();
  if (!impl_->open(prefix, body, text)) {
    wipe(text);  // an AEAD deciphers before it knows
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
