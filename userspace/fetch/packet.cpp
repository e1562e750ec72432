// SPDX-License-Identifier: Apache-2.0
#include "fetch/packet.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/log.h"

namespace svti::fetch {

namespace {

constexpr unsigned kConfigured = 1, kRedirects = 2;

}  // namespace

Bytes encode(const model::Fetch& request) {
  Writer writer;
  writer.u32(static_cast<std::uint32_t>(request.most_octets));
  writer.u16(static_cast<std::uint16_t>(request.time.count()));
  writer.u8(static_cast<std::uint8_t>((request.configured ? kConfigured : 0) | (request.redirects ? kRedirects : 0)));
  writer.u16(static_cast<std::uint16_t>(std::min(request.uri.size(), kMaxUri + 1)));
  writer.bytes(as_bytes(std::string_view(request.uri).substr(0, kMaxUri + 1)));
  writer.bytes(ByteView(request.body).first(std::min(request.body.size(), kMaxBody + 1)));
  return std::move(writer).take();
}

Result<model::Fetch> decode_request(ByteView packet) {
  Reader reader(packet);
  model::Fetch out;
  const auto most = reader.u32();
  const auto time = most ? reader.u16() : Result<std::uint16_t>(fail(most.error()));
  const auto flags = time ? reader.u8() : Result<std::uint8_t>(fail(time.error()));
  const auto size = flags ? reader.u16() : Result<std::uint16_t>(fail(flags.error()));
  if (!size || *size > kMaxUri || *flags > (kConfigured | kRedirects)) return peer_error("malformed request to fetch something");
  const auto uri = reader.take(*size);
  if (!uri || reader.remaining() > kMaxBody) return peer_error("malformed request to fetch something");
  out.most_octets = *most;
  out.time = std::chrono::seconds(*time);
  out.configured = (*flags & kConfigured) != 0;
  out.redirects = (*flags & kRedirects) != 0;
  out.uri = std::string(as_text(*uri));
  out.body = to_bytes(reader.take_rest());
  if (out.uri.find('\0') != std::string::npos) return peer_error("malformed request to fetch something");
  return out;
}

Bytes encode(const Result<Bytes>& answer) {
  Writer writer;
  writer.u8(answer ? 1 : 0);
  if (answer) {
    writer.bytes(*answer);
  } else {
    writer.bytes(as_bytes(std::string_view(answer.error().message).substr(0, kMaxReason)));
  }
  return std::move(writer).take();
}

Result<std::vector<IpAddress>> addresses_in(ByteView octets) {
  std::vector<IpAddress> out;
  for (std::string_view text = as_text(octets); !text.empty() && out.size() < kMostAddresses;) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto address = IpAddress::parse(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!address) return system_error("what the fetcher says is no address");
    if (std::find(out.begin(), out.end(), *address) == out.end()) out.push_back(*address);
  }
  if (out.empty()) return system_error("it has no address");
  return out;
}

Result<Bytes> decode_answer(ByteView packet) {
  Reader reader(packet);
  const auto good = reader.u8();
  if (!good || *good > 1) return system_error("the fetcher ended without an answer");
  if (*good == 0) return system_error(printable(as_text(reader.take_rest()), kMaxReason));
  return to_bytes(reader.take_rest());
}

namespace {

std::optional<Bytes> from_base64(std::string_view text) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Bytes out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    if (c == '=') break;
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<std::uint32_t>(digit)) & 0xffffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out.push_back(static_cast<std::uint8_t>(bits >> held & 0xff));
  }
  return out;
}

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

Result<Bytes> list_in_directory_entry(ByteView octets, bool delta) {
  // RFC 4523: where a CA's list is kept, and that of an authority below it
  static constexpr std::array<std::string_view, 2> kWhole = {"certificateRevocationList", "authorityRevocationList"};
  static constexpr std::array<std::string_view, 1> kDelta = {"deltaRevocationList"};
  const auto wanted = [&](std::string_view name) {
    name = name.substr(0, name.find(';'));  // ";binary"
    const auto is = [&](std::string_view one) { return same_name(one, name); };
    return delta ? std::any_of(kDelta.begin(), kDelta.end(), is) : std::any_of(kWhole.begin(), kWhole.end(), is);
  };
  std::string_view text = as_text(octets);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() != '\t') continue;
    line.remove_prefix(1);
    const std::size_t colon = line.find("::");
    if (colon == std::string_view::npos || !wanted(line.substr(0, colon))) continue;
    line.remove_prefix(colon + 2);
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    if (auto value = from_base64(line); value && !value->empty()) return std::move(*value);
  }
  return peer_error(delta ? "the directory has no deltaRevocationList there" : "the directory has no certificateRevocationList there");
}

}  // namespace svti::fetch
