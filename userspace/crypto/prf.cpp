// SPDX-License-Identifier: Apache-2.0
#include "crypto/prf.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>

#include "crypto/hmac.h"

namespace svti::crypto {
namespace {

std::optional<Hash> hash_of(wire::PrfId id) {
  switch (id) {
    case wire::PrfId::HmacSha1:
      return Hash::Sha1;
    case wire::PrfId::HmacSha256:
      return Hash::Sha256;
    case wire::PrfId::HmacSha384:
      return Hash::Sha384;
    case wire::PrfId::HmacSha512:
      return Hash::Sha512;
  }
  return std::nullopt;  // the enumeration is open
}

struct FreeDigest {
  void operator()(EVP_MD* digest) const { EVP_MD_free(digest); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

Result<Prf> Prf::create(wire::PrfId id) {
  const auto hash = hash_of(id);
  if (!hash) return config_error("pseudo-random function " + std::to_string(static_cast<unsigned>(id)) + " is not supported");
  if (!hmac_available(*hash)) return config_error("OpenSSL lacks pseudo-random function " + std::to_string(static_cast<unsigned>(id)));
  return Prf(id);
}

std::size_t Prf::output_size() const { return hash_size(*hash_of(id_)); }

Secret Prf::operator()(ByteView key, std::initializer_list<ByteView> parts) const {
  Secret out(output_size());
  Hmac(*hash_of(id_), key).compute(parts, out.mutable_view());
  return out;
}

Secret Prf::plus(ByteView key, ByteView seed, std::size_t size) const {
  const std::size_t step = output_size();
  // RFC 7296 2.13: the counter is one octet. Who asks for more has a bug, not a peer.
  if (size > 255 * step) throw std::length_error("prf+ of " + std::to_string(size) + " octets");
  Hmac hmac(*hash_of(id_), key);
  Secret out(size);
  Secret block(step);
  ByteView previous;  // nothing before the first
  std::uint8_t counter = 0;
  for (std::size_t done = 0; done < size; done += step) {
    ++counter;
    hmac.compute({previous, seed, ByteView(&counter, 1)}, block.mutable_view());
    const std::size_t count = std::min(step, size - done);
    std::copy_n(block.view().begin(), count, out.mutable_view().begin() + static_cast<std::ptrdiff_t>(done));
    previous = block.view();
  }
  return out;
}

Bytes sha1(std::initializer_list<ByteView> parts) {
  static const std::unique_ptr<EVP_MD, FreeDigest> kSha1(EVP_MD_fetch(nullptr, "SHA1", nullptr));
  if (!kSha1) throw std::runtime_error("OpenSSL has no SHA-1");
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
  if (!context) throw std::bad_alloc();
  bool ok = EVP_DigestInit_ex2(context.get(), kSha1.get(), nullptr) == 1;
  for (const ByteView part : parts) ok = ok && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  Bytes out(20);
  ok = ok && EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1;
  if (!ok) throw std::runtime_error("OpenSSL's SHA-1 failed");
  return out;
}

}  // namespace svti::crypto
