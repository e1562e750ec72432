// SPDX-License-Identifier: Apache-2.0
#include "crypto/prf.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>

#include "crypto/mac.h"

namespace svti::crypto {
namespace {

std::optional<MacKind> mac_of(wire::PrfId id) {
  switch (id) {
    case wire::PrfId::HmacMd5:
      return MacKind::HmacMd5;
    case wire::PrfId::HmacSha1:
      return MacKind::HmacSha1;
    case wire::PrfId::AesXcbc:
      return MacKind::AesXcbc;
    case wire::PrfId::HmacSha256:
      return MacKind::HmacSha256;
    case wire::PrfId::HmacSha384:
      return MacKind::HmacSha384;
    case wire::PrfId::HmacSha512:
      return MacKind::HmacSha512;
    case wire::PrfId::AesCmac:
      return MacKind::AesCmac;
  }
  return std::nullopt;  // the enumeration is open
}

// RFC 4434 2 and RFC 4615 3 make a key of any length one of 16 octets.
Secret aes_key(MacKind kind, ByteView key) {
  Secret out(kAesMacKeySize);
  if (key.size() == out.size() || (kind == MacKind::AesXcbc && key.size() < out.size())) {
    std::copy(key.begin(), key.end(), out.mutable_view().begin());
    return out;
  }
  const Secret zero(kAesMacKeySize);
  Mac(kind, zero.view()).compute({key}, out.mutable_view());
  return out;
}

Mac keyed(wire::PrfId id, ByteView key) {
  const MacKind kind = *mac_of(id);
  return is_aes(kind) ? Mac(kind, aes_key(kind, key).view()) : Mac(kind, key);
}

struct FreeDigest {
  void operator()(EVP_MD* digest) const { EVP_MD_free(digest); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

Result<Prf> Prf::create(wire::PrfId id) {
  const auto mac = mac_of(id);
  if (!mac) return config_error("pseudo-random function " + std::to_string(static_cast<unsigned>(id)) + " is not supported");
  if (!mac_available(*mac)) return config_error("OpenSSL lacks pseudo-random function " + std::to_string(static_cast<unsigned>(id)));
  return Prf(id);
}

std::size_t Prf::output_size() const { return mac_size(*mac_of(id_)); }

Bytes Prf::skeyseed_key(ByteView nonce_i, ByteView nonce_r) const {
  constexpr std::size_t kHalf = kAesMacKeySize / 2;
  if (!is_aes(*mac_of(id_))) return concat({nonce_i, nonce_r});
  return concat({nonce_i.first(kHalf), nonce_r.first(kHalf)});  // a nonce has 16 octets at least (RFC 7296 3.9)
}

Secret Prf::operator()(ByteView key, std::initializer_list<ByteView> parts) const {
  Secret out(output_size());
  keyed(id_, key).compute(parts, out.mutable_view());
  return out;
}

Secret Prf::plus(ByteView key, ByteView seed, std::size_t size) const {
  const std::size_t step = output_size();
  // RFC 7296 2.13: the counter is one octet. Who asks for more has a bug, not a peer.
  if (size > 255 * step) throw std::length_error("prf+ of " + std::to_string(size) + " octets");
  Mac mac = keyed(id_, key);
  Secret out(size);
  Secret block(step);
  ByteView previous;  // nothing before the first
  std::uint8_t counter = 0;
  for (std::size_t done = 0; done < size; done += step) {
    ++counter;
    mac.compute({previous, seed, ByteView(&counter, 1)}, block.mutable_view());
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
