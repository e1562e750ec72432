// SPDX-License-Identifier: Apache-2.0
#include "signer/token_packet.h"

#include "base/log.h"

namespace svti::signer {

namespace {

constexpr std::uint8_t kOpen = 16;  // beside the signer's requests

enum class Outcome : std::uint8_t { Failed = 0, Signed = 1, Found = 2, TriesPin = 3, PinTaken = 4, PinRefused = 5 };

constexpr std::size_t kMaxReason = 500;  // characters of an error
constexpr std::size_t kMaxLabel = 64;

}  // namespace

Secret encode(const TokenRequest& request) {
  if (const auto* sign = std::get_if<SignOctets>(&request)) return encode(Request(*sign));
  if (const auto* remove = std::get_if<RemoveKey>(&request)) return encode(Request(*remove));
  const auto& open = std::get<OpenKey>(request);
  Writer writer;
  writer.u8(kOpen);
  writer.u64(open.number);
  put_sized(writer, open.id);
  put_sized(writer, as_bytes(open.uri));
  put_sized(writer, open.pin.view());
  put_sized(writer, open.public_key);
  Bytes octets = std::move(writer).take();
  Secret out{ByteView(octets)};
  wipe(octets);
  return out;
}

Result<TokenRequest> decode_token_request(ByteView packet) {
  if (packet.empty() || packet[0] != kOpen) {
    auto request = decode_request(packet);
    if (!request) return fail(request.error());
    if (auto* sign = std::get_if<SignOctets>(&*request)) return std::move(*sign);
    if (auto* remove = std::get_if<RemoveKey>(&*request)) return std::move(*remove);
    return peer_error("a key is put where keys are on a token");
  }
  Reader reader(packet.subspan(1));
  const auto number = reader.u64();
  const auto id = number ? take_sized(reader) : Result<ByteView>(fail(number.error()));
  const auto uri = id ? take_sized(reader) : id;
  const auto pin = uri ? take_sized(reader) : uri;
  const auto public_key = pin ? take_sized(reader) : pin;
  if (!public_key) return fail(public_key.error());
  if (!reader.empty()) return peer_error("octets behind a public key");
  return OpenKey{*number, to_bytes(*id), std::string(as_text(*uri)), Secret(*pin), to_bytes(*public_key)};
}

Bytes encode(const TokenAnswer& answer) {
  Writer writer;
  writer.u64(answer.number);
  const auto outcome = [&](Outcome one) { writer.u8(static_cast<std::uint8_t>(one)); };
  if (!answer.result) {
    outcome(answer.pin_refused ? Outcome::PinRefused : Outcome::Failed);
    writer.bytes(as_bytes(std::string_view(answer.result.error().message).substr(0, kMaxReason)));
  } else if (const auto* signature = std::get_if<crypto::Signature>(&*answer.result)) {
    outcome(Outcome::Signed);
    writer.u8(static_cast<std::uint8_t>(signature->method));
    writer.bytes(signature->data);
  } else if (const auto* found = std::get_if<auth::TokenKeyFound>(&*answer.result)) {
    outcome(Outcome::Found);
    put_sized(writer, as_bytes(found->label));
    writer.bytes(found->public_key);
  } else {
    outcome(std::get<LoginNote>(*answer.result).taken ? Outcome::PinTaken : Outcome::TriesPin);
  }
  return std::move(writer).take();
}

Result<TokenAnswer> decode_token_answer(ByteView packet) {
  Reader reader(packet);
  const auto number = reader.u64();
  const auto outcome = number ? reader.u8() : Result<std::uint8_t>(fail(number.error()));
  if (!outcome) return fail(outcome.error());
  switch (static_cast<Outcome>(*outcome)) {
    case Outcome::Failed:
    case Outcome::PinRefused:
      return TokenAnswer{*number, system_error(printable(as_text(reader.take_rest()), kMaxReason)),
                         static_cast<Outcome>(*outcome) == Outcome::PinRefused};
    case Outcome::Signed: {
      const auto method = reader.u8();
      if (!method) return fail(method.error());
      return TokenAnswer{*number, crypto::Signature{static_cast<wire::AuthMethod>(*method), to_bytes(reader.take_rest())}};
    }
    case Outcome::Found: {
      const auto label = take_sized(reader);
      if (!label) return fail(label.error());
      return TokenAnswer{*number, auth::TokenKeyFound{printable(as_text(*label), kMaxLabel), to_bytes(reader.take_rest())}};
    }
    case Outcome::TriesPin:
    case Outcome::PinTaken:
      if (!reader.empty()) return peer_error("octets behind a note");
      return TokenAnswer{*number, LoginNote{static_cast<Outcome>(*outcome) == Outcome::PinTaken}};
  }
  return peer_error("answer of the unknown kind " + std::to_string(*outcome));
}

}  // namespace svti::signer
