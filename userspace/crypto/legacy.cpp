// SPDX-License-Identifier: Apache-2.0
#include "crypto/legacy.h"

#include <openssl/evp.h>

#include <algorithm>
#include <bit>

#include "base/secret.h"
#include "crypto/owned.h"

namespace svti::crypto {

namespace {

// RFC 1320 3.4: one block of 16 words into the state
class Md4 {
 public:
  void block(ByteView octets) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      words_[i] = static_cast<std::uint32_t>(octets[4 * i]) | static_cast<std::uint32_t>(octets[4 * i + 1]) << 8 |
                  static_cast<std::uint32_t>(octets[4 * i + 2]) << 16 | static_cast<std::uint32_t>(octets[4 * i + 3]) << 24;
    }
    const std::array before = state_;
    static constexpr std::array<std::uint8_t, 16> kThird = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};
    for (unsigned i = 0; i < 16; ++i) step((b() & c()) | (~b() & d()), words_[i], 0, kShifts[0][i % 4]);
    for (unsigned i = 0; i < 16; ++i)
      step((b() & c()) | (b() & d()) | (c() & d()), words_[i / 4 + i % 4 * 4], 0x5a827999, kShifts[1][i % 4]);
    for (unsigned i = 0; i < 16; ++i) step(b() ^ c() ^ d(), words_[kThird[i]], 0x6ed9eba1, kShifts[2][i % 4]);
    for (std::size_t i = 0; i < state_.size(); ++i) state_[i] += before[i];
    wipe({reinterpret_cast<std::uint8_t*>(words_.data()), sizeof words_});
  }
  const std::array<std::uint32_t, 4>& state() const { return state_; }

 private:
  static constexpr std::array<std::array<int, 4>, 3> kShifts = {{{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}}};

  std::uint32_t b() const { return state_[1]; }
  std::uint32_t c() const { return state_[2]; }
  std::uint32_t d() const { return state_[3]; }
  // a = (a + f + word + constant) <<< shift, and then the four change places
  void step(std::uint32_t f, std::uint32_t word, std::uint32_t constant, int shift) {
    const std::uint32_t a = std::rotl(state_[0] + f + word + constant, shift);
    state_ = {state_[3], a, state_[1], state_[2]};
  }

  std::array<std::uint32_t, 4> state_ = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  std::array<std::uint32_t, 16> words_{};
};

constexpr std::size_t kBlockSize = 64;

// seven bits an octet, the lowest bit for the parity that nobody looks at
void spread_key(std::span<const std::uint8_t, 7> key, std::span<std::uint8_t> out) {
  unsigned bits = 0, held = 0;
  std::size_t next = 0;
  for (std::uint8_t& octet : out) {
    if (held < 7) {
      bits = (bits << 8 | key[next++]) & 0xffff;
      held += 8;
    }
    held -= 7;
    octet = static_cast<std::uint8_t>((bits >> held & 0x7f) << 1);
  }
}

}  // namespace

std::array<std::uint8_t, 16> md4(ByteView octets) {
  Md4 hash;
  const std::uint64_t bits = static_cast<std::uint64_t>(octets.size()) * 8;
  ByteView rest = octets;
  for (; rest.size() >= kBlockSize; rest = rest.subspan(kBlockSize)) hash.block(rest.first(kBlockSize));
  std::array<std::uint8_t, 2 * kBlockSize> tail{};
  std::copy(rest.begin(), rest.end(), tail.begin());
  tail[rest.size()] = 0x80;
  const std::size_t end = rest.size() + 9 <= kBlockSize ? kBlockSize : 2 * kBlockSize;
  for (std::size_t i = 0; i < 8; ++i) tail[end - 8 + i] = static_cast<std::uint8_t>(bits >> (8 * i));
  for (std::size_t at = 0; at < end; at += kBlockSize) hash.block(ByteView(tail).subspan(at, kBlockSize));
  wipe(tail);
  std::array<std::uint8_t, 16> out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(hash.state()[i / 4] >> (8 * (i % 4)));
  return out;
}

Result<std::array<std::uint8_t, 16>> md5(std::initializer_list<ByteView> parts) {
  const ErrorQueue errors;
  std::array<std::uint8_t, 16> out{};
  const auto context = owned<Owned<EVP_MD_CTX, EVP_MD_CTX_free>>(EVP_MD_CTX_new());
  bool done = EVP_DigestInit_ex(context.get(), EVP_md5(), nullptr) == 1;
  for (const ByteView part : parts) done = done && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  if (!done || EVP_DigestFinal_ex(context.get(), out.data(), nullptr) != 1) return system_error("this OpenSSL has no MD5");
  return out;
}

Result<std::array<std::uint8_t, 8>> des_encrypt(std::span<const std::uint8_t, 8> block, std::span<const std::uint8_t, 7> key) {
  const ErrorQueue errors;
  Secret three(24);
  for (std::size_t i = 0; i < 3; ++i) spread_key(key, three.mutable_view().subspan(8 * i, 8));
  std::array<std::uint8_t, 8> out{};
  int size = 0;
  const auto context = owned<Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>>(EVP_CIPHER_CTX_new());
  const bool done = EVP_EncryptInit_ex(context.get(), EVP_des_ede3_ecb(), nullptr, three.view().data(), nullptr) == 1 &&
                    EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1 &&
                    EVP_EncryptUpdate(context.get(), out.data(), &size, block.data(), static_cast<int>(block.size())) == 1 &&
                    size == static_cast<int>(out.size());
  if (!done) return system_error("this OpenSSL has no DES");
  return out;
}

}  // namespace svti::crypto
