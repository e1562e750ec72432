// SPDX-License-Identifier: Apache-2.0
// Each announcement is its own length, the method, and where certificates go with it the authority and perhaps the algorithm.
#include "wire/auth_announcement.h"

namespace svti::wire {

namespace {

constexpr std::size_t kMost = 255;

bool without_certificate(AuthMethod method) { return method == AuthMethod::SharedKeyMic || method == AuthMethod::Null; }

}  // namespace

Result<std::vector<AuthAnnouncement>> parse_auth_announcements(ByteView data) {
  std::vector<AuthAnnouncement> out;
  Reader reader(data);
  while (!reader.empty()) {
    const std::uint8_t length = *reader.u8();
    if (length < 2 || length - 1U > reader.remaining()) return peer_error("announcement of " + std::to_string(length) + " octets");
    if (out.size() == kMost) return peer_error("more than " + std::to_string(kMost) + " announcements");
    Reader one(*reader.take(length - 1U));
    AuthAnnouncement announcement;
    announcement.method = static_cast<AuthMethod>(*one.u8());
    if (!one.empty()) announcement.authority = *one.u8();
    announcement.algorithm = to_bytes(one.take_rest());
    if (announcement.method == AuthMethod::DigitalSignature && announcement.algorithm.empty())
      return peer_error("announcement of digital signatures without an algorithm");
    out.push_back(std::move(announcement));
  }
  return out;
}

Bytes encode_auth_announcements(std::span<const AuthAnnouncement> announcements) {
  Writer out;
  for (const AuthAnnouncement& one : announcements) {
    const std::size_t length = without_certificate(one.method) ? 2 : 3 + one.algorithm.size();
    out.u8(static_cast<std::uint8_t>(length));
    out.u8(static_cast<std::uint8_t>(one.method));
    if (length == 2) continue;
    out.u8(one.authority);
    out.bytes(one.algorithm);
  }
  return std::move(out).take();
}

}  // namespace svti::wire
