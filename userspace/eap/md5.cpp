// SPDX-License-Identifier: Apache-2.0
#include "eap/md5.h"

#include <array>

#include "crypto/legacy.h"

namespace svti::eap {

namespace {

constexpr std::size_t kChallengeSize = 16;
constexpr std::size_t kDigestSize = 16;

// value-size, value, name
Bytes encode(ByteView value, std::string_view name) {
  const std::array size = {static_cast<std::uint8_t>(value.size())};
  return concat({size, value, as_bytes(name)});
}

Result<ByteView> parse_value(ByteView data) {
  Reader reader(data);
  const auto size = reader.u8();
  if (!size) return peer_error("EAP-MD5 without content");
  const auto value = reader.take(*size);
  if (!value) return peer_error("EAP-MD5 value of " + std::to_string(*size) + " octets is cut off");
  return value;  // what follows is a name that proves nothing
}

// RFC 1994 4.1: over identifier, secret and challenge
auto digest(std::uint8_t identifier, const Secret& password, ByteView challenge) {
  const std::array first = {identifier};
  return crypto::md5({first, password.view(), challenge});
}

}  // namespace

Md5Server::Md5Server(Secret password, std::string name, Entropy& entropy)
    : password_(std::move(password)), name_(std::move(name)), entropy_(entropy) {}

Method::Reply Md5Server::begin(std::uint8_t) {
  challenge_ = entropy_.bytes(kChallengeSize);
  return send(encode(challenge_, name_));
}

Method::Reply Md5Server::receive(std::uint8_t identifier, ByteView data) {
  const auto value = parse_value(data);
  if (!value) return failed(value.error().message);
  const auto expected = digest(identifier, password_, challenge_);
  if (!expected) return failed(expected.error().message);
  if (!constant_time_equal(*value, *expected)) return failed("the password does not match");
  complete_ = true;
  return done();
}

Md5Peer::Md5Peer(Secret password, std::string name) : password_(std::move(password)), name_(std::move(name)) {}

Method::Reply Md5Peer::begin(std::uint8_t) { return failed("a peer begins nothing"); }

Method::Reply Md5Peer::receive(std::uint8_t identifier, ByteView data) {
  const auto challenge = parse_value(data);
  if (!challenge) return failed(challenge.error().message);
  // RFC 1994 4.1: a challenge of one octet at least
  if (challenge->empty()) return failed("EAP-MD5 challenge without octets");
  const auto response = digest(identifier, password_, *challenge);
  if (!response) return failed(response.error().message);
  static_assert(kDigestSize == std::tuple_size_v<std::remove_cvref_t<decltype(*response)>>);
  complete_ = true;
  return send(encode(*response, name_));
}

}  // namespace svti::eap
