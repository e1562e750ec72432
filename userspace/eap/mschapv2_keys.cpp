// SPDX-License-Identifier: Apache-2.0
#include "eap/mschapv2_keys.h"

#include <algorithm>

#include "crypto/legacy.h"
#include "crypto/prf.h"
#include "eap/method.h"

namespace svti::eap {

namespace {

// The code points of UTF-8, one after the other; an error for what is none (RFC 3629 3 and 4).
Result<std::uint32_t> next_code_point(Reader& reader) {
  const std::uint8_t first = *reader.u8();
  if (first < 0x80) return first;
  const int more = first >= 0xf0 && first < 0xf8 ? 3 : first >= 0xe0 ? 2 : 1;
  const auto malformed = [] { return config_error("a password for MSCHAPv2 must be UTF-8"); };
  if (first < 0xc2 || first >= 0xf5) return malformed();
  std::uint32_t point = first & (0x3fU >> more);
  for (int i = 0; i < more; ++i) {
    const auto octet = reader.u8();
    if (!octet || (*octet & 0xc0) != 0x80) return malformed();
    point = point << 6 | (*octet & 0x3fU);
  }
  const bool overlong = (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
  const bool surrogate = point >= 0xd800 && point < 0xe000;
  if (overlong || surrogate || point > 0x10ffff) return malformed();
  return point;
}

// RFC 3079 3.4: the strings that the keys are made with
constexpr std::string_view kMagicMaster = "This is the MPPE Master Key";
constexpr std::string_view kMagicPeerSends = "On the client side, this is the send key; on the server side, it is the receive key.";
constexpr std::string_view kMagicPeerReceives = "On the client side, this is the receive key; on the server side, it is the send key.";
// RFC 2759 8.7
constexpr std::string_view kMagicSigning = "Magic server to client signing constant";
constexpr std::string_view kMagicPad = "Pad to make it do more than one iteration";

constexpr std::size_t kSessionKeySize = 16;

template <std::size_t N>
std::array<std::uint8_t, N> first_octets(ByteView octets) {
  std::array<std::uint8_t, N> out{};
  std::copy_n(octets.begin(), N, out.begin());
  return out;
}

}  // namespace

Result<Secret> nt_password_hash(const Secret& password) {
  Secret wide(2 * password.size());  // UTF-16 needs no more
  std::size_t size = 0;
  const auto put = [&](std::uint32_t unit) {
    wide.mutable_view()[size++] = static_cast<std::uint8_t>(unit);
    wide.mutable_view()[size++] = static_cast<std::uint8_t>(unit >> 8);
  };
  for (Reader reader(password.view()); !reader.empty();) {
    const auto point = next_code_point(reader);
    if (!point) return fail(point.error());
    if (*point < 0x10000) {
      put(*point);
    } else {
      put(0xd800 + ((*point - 0x10000) >> 10));
      put(0xdc00 + ((*point - 0x10000) & 0x3ff));
    }
  }
  auto hash = crypto::md4(wide.view().first(size));
  Secret out{ByteView(hash)};
  wipe(hash);
  return out;
}

std::string_view without_domain(std::string_view name) {
  const std::size_t at = name.find('\\');
  return at == std::string_view::npos ? name : name.substr(at + 1);
}

std::array<std::uint8_t, 8> challenge_hash(const MsChallenge& peers, const MsChallenge& authenticators, std::string_view name) {
  return first_octets<8>(crypto::sha1({peers, authenticators, as_bytes(without_domain(name))}));
}

Result<NtResponse> nt_response(std::span<const std::uint8_t, 8> challenge, const Secret& nt_hash) {
  Secret keys(21);  // RFC 2759 8.5: padded with zeros to three DES keys
  std::copy(nt_hash.view().begin(), nt_hash.view().end(), keys.mutable_view().begin());
  NtResponse out{};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto third = crypto::des_encrypt(challenge, keys.view().subspan(7 * i).first<7>());
    if (!third) return fail(third.error());
    std::copy(third->begin(), third->end(), out.begin() + static_cast<std::ptrdiff_t>(8 * i));
  }
  return out;
}

AuthenticatorResponse authenticator_response(const Secret& nt_hash, const NtResponse& response,
                                             std::span<const std::uint8_t, 8> challenge) {
  auto hash_of_hash = crypto::md4(nt_hash.view());
  const Bytes digest = crypto::sha1({hash_of_hash, response, as_bytes(kMagicSigning)});
  wipe(hash_of_hash);
  return first_octets<20>(crypto::sha1({digest, challenge, as_bytes(kMagicPad)}));
}

Secret mschapv2_msk(const Secret& nt_hash, const NtResponse& response) {
  static constexpr std::array<std::uint8_t, 40> kPad1{};
  std::array<std::uint8_t, 40> pad2{};
  pad2.fill(0xf2);
  auto hash_of_hash = crypto::md4(nt_hash.view());
  Bytes master = crypto::sha1({hash_of_hash, response, as_bytes(kMagicMaster)});
  const ByteView master_key = ByteView(master).first(kSessionKeySize);
  Secret out(kMskSize);
  std::size_t at = 0;
  for (const std::string_view magic : {kMagicPeerSends, kMagicPeerReceives}) {
    Bytes key = crypto::sha1({master_key, kPad1, as_bytes(magic), pad2});
    std::copy_n(key.begin(), kSessionKeySize, out.mutable_view().begin() + static_cast<std::ptrdiff_t>(at));
    at += kSessionKeySize;
    wipe(key);
  }
  wipe(master);
  wipe(hash_of_hash);
  return out;
}

}  // namespace svti::eap
