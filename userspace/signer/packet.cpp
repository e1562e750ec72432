// SPDX-License-Identifier: Apache-2.0
#include "signer/packet.h"

#include <algorithm>

#include "base/log.h"

namespace svti::signer {

namespace {

enum class Kind : std::uint8_t { Put = 1, Remove = 2, Sign = 3, PutSealed = 4, Make = 5 };
enum class AnswerKind : std::uint8_t { Failed = 0, Signed = 1, Made = 2 };

constexpr std::size_t kMaxId = 64;
constexpr std::size_t kMaxHashes = 64;
constexpr std::size_t kMaxAltNames = 64;
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

Result<Request> decode_make(Reader& reader) {
  MakeKey out;
  const auto number = reader.u64();
  const auto type = number ? reader.u8() : Result<std::uint8_t>(fail(number.error()));
  const auto bits = type ? reader.u16() : Result<std::uint16_t>(fail(type.error()));
  const auto subject = bits ? take_sized(reader) : Result<ByteView>(fail(bits.error()));
  const auto count = subject ? reader.u8() : Result<std::uint8_t>(fail(subject.error()));
  if (!count || *type > static_cast<std::uint8_t>(crypto::KeyType::Ed448) || *count > kMaxAltNames)
    return peer_error("malformed request for a key");
  out.number = *number;
  out.wish.type = static_cast<crypto::KeyType>(*type);
  out.wish.rsa_bits = *bits;
  out.wish.subject = as_text(*subject);
  for (unsigned i = 0; i < *count; ++i) {
    const auto kind = reader.u8();
    const auto name = kind ? take_sized(reader) : Result<ByteView>(fail(kind.error()));
    if (!name || *kind > static_cast<std::uint8_t>(crypto::AltName::Kind::Ip)) return peer_error("malformed request for a key");
    out.wish.alt_names.push_back({static_cast<crypto::AltName::Kind>(*kind), to_bytes(*name)});
  }
  if (!reader.empty()) return peer_error("octets behind a request for a key");
  return out;
}

}  // namespace

void put_sized(Writer& writer, ByteView octets) {
  writer.u16(static_cast<std::uint16_t>(octets.size()));
  writer.bytes(octets);
}

Result<ByteView> take_sized(Reader& reader) {
  const auto size = reader.u16();
  if (!size) return fail(size.error());
  return reader.take(*size);
}

Secret encode(const Request& request) {
  Writer writer;
  if (const auto* put = std::get_if<PutKey>(&request)) {
    writer.u8(static_cast<std::uint8_t>(Kind::Put));
    put_id(writer, put->id);
    writer.bytes(put->pkcs8.view());
  } else if (const auto* remove = std::get_if<RemoveKey>(&request)) {
    writer.u8(static_cast<std::uint8_t>(Kind::Remove));
    put_id(writer, remove->id);
  } else if (const auto* sealed = std::get_if<PutSealedKey>(&request)) {
    writer.u8(static_cast<std::uint8_t>(Kind::PutSealed));
    put_id(writer, sealed->id);
    writer.bytes(sealed->sealed);
  } else if (const auto* make = std::get_if<MakeKey>(&request)) {
    const std::size_t names = std::min(make->wish.alt_names.size(), kMaxAltNames);
    writer.u8(static_cast<std::uint8_t>(Kind::Make));
    writer.u64(make->number);
    writer.u8(static_cast<std::uint8_t>(make->wish.type));
    writer.u16(static_cast<std::uint16_t>(make->wish.rsa_bits));
    put_sized(writer, as_bytes(make->wish.subject));
    writer.u8(static_cast<std::uint8_t>(names));
    for (std::size_t i = 0; i < names; ++i) {
      writer.u8(static_cast<std::uint8_t>(make->wish.alt_names[i].kind));
      put_sized(writer, make->wish.alt_names[i].data);
    }
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
    case Kind::PutSealed: {
      auto id = take_id(reader);
      if (!id) return fail(id.error());
      return PutSealedKey{std::move(*id), to_bytes(reader.take_rest())};
    }
    case Kind::Make:
      return decode_make(reader);
  }
  return peer_error("request of the unknown kind " + std::to_string(*kind));
}

Bytes encode(const Answer& answer) {
  Writer writer;
  writer.u64(answer.number);
  if (!answer.given) {
    writer.u8(static_cast<std::uint8_t>(AnswerKind::Failed));
    writer.bytes(as_bytes(std::string_view(answer.given.error().message).substr(0, kMaxReason)));
  } else if (const auto* signature = std::get_if<crypto::Signature>(&*answer.given)) {
    writer.u8(static_cast<std::uint8_t>(AnswerKind::Signed));
    writer.u8(static_cast<std::uint8_t>(signature->method));
    writer.bytes(signature->data);
  } else {
    const auto& made = std::get<auth::NewKey>(*answer.given);
    writer.u8(static_cast<std::uint8_t>(AnswerKind::Made));
    put_sized(writer, made.sealed);
    writer.bytes(made.request);
  }
  return std::move(writer).take();
}

Result<Answer> decode_answer(ByteView packet) {
  Reader reader(packet);
  const auto number = reader.u64();
  const auto kind = number ? reader.u8() : Result<std::uint8_t>(fail(number.error()));
  if (!kind) return peer_error("malformed answer of the signer");
  switch (static_cast<AnswerKind>(*kind)) {
    case AnswerKind::Failed:
      return Answer{*number, system_error(printable(as_text(reader.take_rest()), kMaxReason))};
    case AnswerKind::Signed: {
      const auto method = reader.u8();
      if (!method) return fail(method.error());
      return Answer{*number, crypto::Signature{static_cast<wire::AuthMethod>(*method), to_bytes(reader.take_rest())}};
    }
    case AnswerKind::Made: {
      const auto sealed = take_sized(reader);
      if (!sealed) return fail(sealed.error());
      return Answer{*number, auth::NewKey{to_bytes(*sealed), to_bytes(reader.take_rest())}};
    }
  }
  return peer_error("malformed answer of the signer");
}

}  // namespace svti::signer
