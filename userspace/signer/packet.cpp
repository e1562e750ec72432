// SPDX-License-Identifier: Apache-2.0
#include "signer/packet.h"

#include <algorithm>

#include "base/log.h"

namespace svti::signer {

namespace {

enum class Kind : std::uint8_t { Put = 1, Remove = 2, Sign = 3 };

constexpr std::size_t kMaxId = 64;
constexpr std::size_t kMaxHashes = 64;
constexpr std::size_t kMaxReason = 500;  // characters of an error

Result<Bytes> take_id(Reader& reader) {
  const auto size = reader.u8();
  if (!size || *size > kMaxId) return peer_error("key id of a size that no key id has");
  const auto id = reader.take(*size);
  if (!id) return fail(id.error());
  return to_bytes(*id);
}

void put_id(Writer& writer, const Bytes& id) {
  writer.u8(static_cast<std::uint8_t>(id.size()));
  writer.bytes(id);
}

Result<Request> decode_sign(Reader& reader) {
  SignOctets out;
  const auto number = reader.u64();
  const auto padding = number ? reader.u8() : Result<std::uint8_t>(fail(number.error()));
  const auto count = padding ? reader.u8() : padding;
  if (!count || *padding > 1 || *count > kMaxHashes) return peer_error("malformed request for a signature");
  out.number = *number;
  out.request.padding = static_cast<crypto::RsaPadding>(*padding);
  for (unsigned i = 0; i < *count; ++i) {
    const auto hash = reader.u16();
    if (!hash) return fail(hash.error());
    out.request.announced.push_back(static_cast<crypto::SignatureHash>(*hash));
  }
  auto id = take_id(reader);
  if (!id) return fail(id.error());
  out.request.key_id = std::move(*id);
  out.request.octets = to_bytes(reader.take_rest());
  return out;
}

}  // namespace

Secret encode(const Request& request) {
  Writer writer;
  if (const auto* put = std::get_if<PutKey>(&request)) {
    writer.u8(static_cast<std::uint8_t>(Kind::Put));
    put_id(writer, put->id);
    writer.bytes(put->pkcs8.view());
  } else if (const auto* remove = std::get_if<RemoveKey>(&request)) {
    writer.u8(static_cast<std::uint8_t>(Kind::Remove));
    put_id(writer, remove->id);
  } else {
    const auto& sign = std::get<SignOctets>(request);
    const std::size_t hashes = std::min(sign.request.announced.size(), kMaxHashes);
    writer.u8(static_cast<std::uint8_t>(Kind::Sign));
    writer.u64(sign.number);
    writer.u8(static_cast<std::uint8_t>(sign.request.padding));
    writer.u8(static_cast<std::uint8_t>(hashes));
    for (std::size_t i = 0; i < hashes; ++i) writer.u16(static_cast<std::uint16_t>(sign.request.announced[i]));
    put_id(writer, sign.request.key_id);
    writer.bytes(sign.request.octets);
  }
  Bytes octets = std::move(writer).take();
  Secret out{ByteView(octets)};
  wipe(octets);
  return out;
}

Result<Request> decode_request(ByteView packet) {
  Reader reader(packet);
  const auto kind = reader.u8();
  if (!kind) return fail(kind.error());
  switch (static_cast<Kind>(*kind)) {
    case Kind::Put: {
      auto id = take_id(reader);
      if (!id) return fail(id.error());
      return PutKey{std::move(*id), Secret(reader.take_rest())};
    }
    case Kind::Remove: {
      auto id = take_id(reader);
      if (!id) return fail(id.error());
      if (!reader.empty()) return peer_error("octets behind a key id");
      return RemoveKey{std::move(*id)};
    }
    case Kind::Sign:
      return decode_sign(reader);
  }
  return peer_error("request of the unknown kind " + std::to_string(*kind));
}

Bytes encode(const Answer& answer) {
  Writer writer;
  writer.u64(answer.number);
  writer.u8(answer.signature ? 1 : 0);
  if (answer.signature) {
    writer.u8(static_cast<std::uint8_t>(answer.signature->method));
    writer.bytes(answer.signature->data);
  } else {
    writer.bytes(as_bytes(std::string_view(answer.signature.error().message).substr(0, kMaxReason)));
  }
  return std::move(writer).take();
}

Result<Answer> decode_answer(ByteView packet) {
  Reader reader(packet);
  const auto number = reader.u64();
  const auto good = number ? reader.u8() : Result<std::uint8_t>(fail(number.error()));
  if (!good || *good > 1) return peer_error("malformed answer of the signer");
  if (*good == 0) return Answer{*number, system_error(printable(as_text(reader.take_rest()), kMaxReason))};
  const auto method = reader.u8();
  if (!method) return fail(method.error());
  return Answer{*number, crypto::Signature{static_cast<wire::AuthMethod>(*method), to_bytes(reader.take_rest())}};
}

}  // namespace svti::signer
