// SPDX-License-Identifier: Apache-2.0
#include "crypto/hmac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <cassert>
#include <new>
#include <stdexcept>

namespace svti::crypto {
namespace {

constexpr std::array<const char*, 4> kDigestNames = {"SHA1", "SHA256", "SHA384", "SHA512"};

struct FreeMac {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MAC_CTX, FreeMac>;

// Contexts with the hash set and no key. A copy of one costs a fraction of what finding the algorithm by name does. They are
// made once and only read from then on, hence safe to copy from several threads.
class Templates {
 public:
  Templates() {
    const std::unique_ptr<EVP_MAC, FreeMac> mac(EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr));
    if (!mac) return;
    for (std::size_t i = 0; i < contexts_.size(); ++i) {
      Context context(EVP_MAC_CTX_new(mac.get()));
      // the parameter's type is not const; the name is only read
      const std::array parameters = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(kDigestNames[i]), 0),
                                     OSSL_PARAM_construct_end()};
      if (context && EVP_MAC_CTX_set_params(context.get(), parameters.data()) == 1) contexts_[i] = std::move(context);
    }
  }
  const EVP_MAC_CTX* get(Hash hash) const { return contexts_[static_cast<std::size_t>(hash)].get(); }

 private:
  std::array<Context, kDigestNames.size()> contexts_;
};

const Templates& templates() {
  static const Templates kTemplates;
  return kTemplates;
}

}  // namespace

std::size_t hash_size(Hash hash) {
  static constexpr std::array<std::size_t, 4> kSizes = {20, 32, 48, 64};
  return kSizes[static_cast<std::size_t>(hash)];
}

bool hmac_available(Hash hash) { return templates().get(hash) != nullptr; }

void Hmac::Free::operator()(void* context) const { EVP_MAC_CTX_free(static_cast<EVP_MAC_CTX*>(context)); }

Hmac::Hmac(Hash hash, ByteView key) {
  if (!hmac_available(hash)) throw std::runtime_error("OpenSSL has no HMAC with this hash");
  context_.reset(EVP_MAC_CTX_dup(templates().get(hash)));
  if (!context_) throw std::bad_alloc();
  // OpenSSL takes a null pointer for "the key set before", so an empty key needs one that is not
  static constexpr std::uint8_t kNoKey = 0;
  const std::uint8_t* octets = key.empty() ? &kNoKey : key.data();
  if (EVP_MAC_init(static_cast<EVP_MAC_CTX*>(context_.get()), octets, key.size(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL refuses an HMAC key");
  }
}

void Hmac::compute(std::initializer_list<ByteView> parts, std::span<std::uint8_t> out) {
  auto* context = static_cast<EVP_MAC_CTX*>(context_.get());
  bool ok = true;
  for (const ByteView part : parts) ok = ok && EVP_MAC_update(context, part.data(), part.size()) == 1;
  std::size_t size = 0;
  ok = ok && EVP_MAC_final(context, out.data(), &size, out.size()) == 1;
  ok = ok && EVP_MAC_init(context, nullptr, 0, nullptr) == 1;  // same key, ready for the next
  if (!ok) throw std::runtime_error("OpenSSL's HMAC failed");
  assert(size == out.size());
}

}  // namespace svti::crypto
