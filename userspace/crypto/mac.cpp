// SPDX-License-Identifier: Apache-2.0
#include "crypto/mac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <new>
#include <stdexcept>

#include "base/secret.h"
#include "crypto/owned.h"

namespace svti::crypto {
namespace {

using Context = Owned<EVP_MAC_CTX, EVP_MAC_CTX_free>;
using CipherContext = Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

// what OpenSSL has, in the order of MacKind; AES-XCBC is made of AES-CBC below
struct Provided {
  const char* mac;
  const char* parameter;
  const char* value;
};
constexpr std::array<Provided, 7> kProvided = {{
    {OSSL_MAC_NAME_HMAC, OSSL_MAC_PARAM_DIGEST, "MD5"},
    {OSSL_MAC_NAME_HMAC, OSSL_MAC_PARAM_DIGEST, "SHA1"},
    {OSSL_MAC_NAME_HMAC, OSSL_MAC_PARAM_DIGEST, "SHA256"},
    {OSSL_MAC_NAME_HMAC, OSSL_MAC_PARAM_DIGEST, "SHA384"},
    {OSSL_MAC_NAME_HMAC, OSSL_MAC_PARAM_DIGEST, "SHA512"},
    {nullptr, nullptr, nullptr},
    {OSSL_MAC_NAME_CMAC, OSSL_MAC_PARAM_CIPHER, "AES-128-CBC"},
}};

void require(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL's MAC failed");
}

// Contexts with the hash or cipher set, to be given a key. A copy of one costs a fraction of what finding the algorithm by name does. They
// are made once and only read from then on, hence safe to copy from several threads.
class Templates {
 public:
  Templates() {
    for (std::size_t i = 0; i < contexts_.size(); ++i) {
      const Provided& one = kProvided[i];
      if (one.mac == nullptr) continue;
      const Owned<EVP_MAC, EVP_MAC_free> mac(EVP_MAC_fetch(nullptr, one.mac, nullptr));
      if (!mac) continue;
      Context context(EVP_MAC_CTX_new(mac.get()));
      // the parameter's type is not const; the name is only read
      const std::array parameters = {OSSL_PARAM_construct_utf8_string(one.parameter, const_cast<char*>(one.value), 0),
                                     OSSL_PARAM_construct_end()};
      if (!context || EVP_MAC_CTX_set_params(context.get(), parameters.data()) != 1) continue;
      // a CMAC without a key cannot be copied
      static constexpr std::array<std::uint8_t, kAesMacKeySize> kAnyKey{};
      if (is_aes(static_cast<MacKind>(i)) && EVP_MAC_init(context.get(), kAnyKey.data(), kAnyKey.size(), nullptr) != 1) continue;
      contexts_[i] = std::move(context);
    }
  }
  const EVP_MAC_CTX* get(MacKind kind) const { return contexts_[static_cast<std::size_t>(kind)].get(); }

 private:
  std::array<Context, kProvided.size()> contexts_;
};

const Templates& templates() {
  static const Templates kTemplates;
  return kTemplates;
}

const EVP_CIPHER* aes_128_cbc() {
  static const Owned<EVP_CIPHER, EVP_CIPHER_free> kCipher(EVP_CIPHER_fetch(nullptr, "AES-128-CBC", nullptr));
  return kCipher.get();
}

// RFC 3566 4: CBC-MAC under K1, with K2 or K3 added to the last block, all three made of the key.
class Xcbc {
 public:
  explicit Xcbc(ByteView key) : keys_(3 * kBlock), context_(owned<CipherContext>(EVP_CIPHER_CTX_new())) {
    if (key.size() != kAesMacKeySize) throw std::length_error("AES-XCBC with a key of " + std::to_string(key.size()) + " octets");
    for (std::size_t i = 0; i < 3; ++i) {
      begin(key);
      std::array<std::uint8_t, kBlock> constant;
      constant.fill(static_cast<std::uint8_t>(i + 1));
      encrypt(constant, keys_.mutable_view().subspan(i * kBlock, kBlock));
    }
  }

  void compute(std::initializer_list<ByteView> parts, std::span<std::uint8_t> out) {
    begin(keys_.view().first(kBlock));
    std::array<std::uint8_t, kBlock> block{}, before{};
    std::size_t filled = 0;
    for (ByteView part : parts) {
      while (!part.empty()) {
        if (filled == kBlock) {  // more follows, so this is not the last
          encrypt(block, before);
          filled = 0;
        }
        const std::size_t count = std::min(kBlock - filled, part.size());
        std::copy_n(part.begin(), count, block.begin() + static_cast<std::ptrdiff_t>(filled));
        filled += count;
        part = part.subspan(count);
      }
    }
    const bool whole = filled == kBlock;
    if (!whole) {
      block[filled] = 0x80;
      std::fill(block.begin() + static_cast<std::ptrdiff_t>(filled) + 1, block.end(), std::uint8_t{0});
    }
    const ByteView last_key = keys_.view().subspan(whole ? kBlock : 2 * kBlock, kBlock);
    for (std::size_t i = 0; i < kBlock; ++i) block[i] ^= last_key[i];
    encrypt(block, out);
    wipe(block);
  }

 private:
  static constexpr std::size_t kBlock = 16;

  void begin(ByteView key) {
    static constexpr std::array<std::uint8_t, kBlock> kZero{};
    require(EVP_CipherInit_ex2(context_.get(), aes_128_cbc(), key.data(), kZero.data(), 1, nullptr) == 1);
    require(EVP_CIPHER_CTX_set_padding(context_.get(), 0) == 1);
  }
  void encrypt(ByteView block, std::span<std::uint8_t> out) {
    int size = 0;
    require(EVP_EncryptUpdate(context_.get(), out.data(), &size, block.data(), static_cast<int>(kBlock)) == 1 && size == kBlock);
  }

  Secret keys_;  // K1, K2, K3
  CipherContext context_;
};

}  // namespace

struct Mac::Impl {
  std::size_t size;
  Context provided;
  std::unique_ptr<Xcbc> xcbc;
};

std::size_t mac_size(MacKind kind) {
  static constexpr std::array<std::size_t, 7> kSizes = {16, 20, 32, 48, 64, 16, 16};
  return kSizes[static_cast<std::size_t>(kind)];
}

bool is_aes(MacKind kind) { return kind == MacKind::AesXcbc || kind == MacKind::AesCmac; }

bool mac_available(MacKind kind) { return kind == MacKind::AesXcbc ? aes_128_cbc() != nullptr : templates().get(kind) != nullptr; }

Mac::Mac(MacKind kind, ByteView key) : impl_(new Impl{mac_size(kind), nullptr, nullptr}) {
  if (!mac_available(kind)) throw std::runtime_error("OpenSSL has no such MAC");
  if (kind == MacKind::AesXcbc) {
    impl_->xcbc = std::make_unique<Xcbc>(key);
    return;
  }
  if (is_aes(kind) && key.size() != kAesMacKeySize)
    throw std::length_error("AES-CMAC with a key of " + std::to_string(key.size()) + " octets");
  impl_->provided = owned<Context>(EVP_MAC_CTX_dup(templates().get(kind)));
  // OpenSSL takes a null pointer for "the key set before", so an empty key needs one that is not
  static constexpr std::uint8_t kNoKey = 0;
  const std::uint8_t* octets = key.empty() ? &kNoKey : key.data();
  if (EVP_MAC_init(impl_->provided.get(), octets, key.size(), nullptr) != 1) throw std::runtime_error("OpenSSL refuses the key of a MAC");
}

Mac::Mac(Mac&&) noexcept = default;
Mac& Mac::operator=(Mac&&) noexcept = default;
Mac::~Mac() = default;

void Mac::compute(std::initializer_list<ByteView> parts, std::span<std::uint8_t> out) {
  assert(out.size() == impl_->size);
  if (impl_->xcbc) return impl_->xcbc->compute(parts, out);
  EVP_MAC_CTX* context = impl_->provided.get();
  bool ok = true;
  for (const ByteView part : parts) ok = ok && EVP_MAC_update(context, part.data(), part.size()) == 1;
  std::size_t size = 0;
  ok = ok && EVP_MAC_final(context, out.data(), &size, out.size()) == 1;
  ok = ok && EVP_MAC_init(context, nullptr, 0, nullptr) == 1;  // same key, ready for the next
  require(ok && size == out.size());
}

}  // namespace svti::crypto
