// SPDX-License-Identifier: Apache-2.0
#include "eap/mschapv2.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/log.h"

namespace svti::eap {

namespace {

enum class OpCode : std::uint8_t { Challenge = 1, Response = 2, Success = 3, Failure = 4, ChangePassword = 7 };

constexpr std::size_t kHeaderSize = 4;     // operation, identifier, length
constexpr std::size_t kResponseSize = 49;  // peer's challenge, 8 octets of zeros, NT response, flags
constexpr unsigned kAuthenticationFailure = 691;
constexpr std::size_t kMaxShownMessage = 200;  // of a server's text in our log

// RFC 2759 section 6
std::string_view meaning_of(unsigned error) {
  switch (error) {
    case 646:
      return "logon not allowed at this hour";
    case 647:
      return "account disabled";
    case 648:
      return "password expired";
    case 649:
      return "no permission to dial in";
    case kAuthenticationFailure:
      return "wrong user or password";
    case 709:
      return "password could not be changed";
    default:
      return "unknown error";
  }
}

struct Parsed {
  OpCode operation{};
  std::uint8_t id = 0;
  ByteView body;
};

// A peer's Success and Failure are the operation alone; some send the header beside it.
Result<Parsed> parse(ByteView data) {
  Reader reader(data);
  const auto operation = reader.u8();
  if (!operation) return peer_error("EAP-MSCHAPv2 without content");
  Parsed out{static_cast<OpCode>(*operation), 0, {}};
  const bool bare = out.operation == OpCode::Success || out.operation == OpCode::Failure;
  if (bare && reader.empty()) return out;
  const auto id = reader.u8();
  const auto length = reader.u16();
  if (!length) return peer_error("EAP-MSCHAPv2 header is cut off");
  if (*length != data.size()) return peer_error(fmt::format("EAP-MSCHAPv2 says it has {} octets, and has {}", *length, data.size()));
  out.id = *id;
  out.body = reader.take_rest();
  return out;
}

Bytes encode(OpCode operation, std::uint8_t id, std::initializer_list<ByteView> parts) {
  Writer out;
  out.u8(static_cast<std::uint8_t>(operation));
  out.u8(id);
  out.u16(0);
  for (const ByteView part : parts) out.bytes(part);
  out.patch_u16(2, static_cast<std::uint16_t>(out.size()));
  return std::move(out).take();
}

std::string upper_hex(ByteView octets) {
  std::string out = to_hex(octets);
  for (char& c : out) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

// the value behind " E=" or the like, up to a space; the first may stand at the very beginning
std::string_view field(std::string_view text, std::string_view key) {
  for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    if (at != 0 && text[at - 1] != ' ') continue;
    const std::string_view rest = text.substr(at + key.size());
    return rest.substr(0, rest.find(' '));
  }
  return {};
}

// "M=" is the last, and has spaces
std::string_view message_of(std::string_view text) {
  const std::size_t at = text.find(" M=");
  return at == std::string_view::npos ? std::string_view() : text.substr(at + 3, kMaxShownMessage);
}

}  // namespace

// --- server -----------------------------------------------------------------------------------------------------------------

MsChapV2Server::MsChapV2Server(Secret password, std::string user, std::string name, Entropy& entropy)
    : password_(std::move(password)), user_(std::move(user)), name_(std::move(name)), entropy_(entropy) {}

void MsChapV2Server::draw_challenge() { entropy_.fill(challenge_); }

Method::Reply MsChapV2Server::begin(std::uint8_t identifier) {
  draw_challenge();
  id_ = identifier;
  static constexpr std::array kSize = {static_cast<std::uint8_t>(std::tuple_size_v<MsChallenge>)};
  return send(encode(OpCode::Challenge, id_, {kSize, challenge_, as_bytes(name_)}));
}

Method::Reply MsChapV2Server::receive(std::uint8_t, ByteView data) {
  const auto message = parse(data);
  if (!message) return failed(message.error().message);
  // Which operation may come is a matter of what was said before (CVE-2015-8023).
  const bool may_respond = state_ == State::Challenged || (state_ == State::ToldFailure && failures_ <= kRetries);
  if (message->operation == OpCode::Response && may_respond) {
    // a second Response may count on (RFC 2759 6), and need not
    const bool expected = message->id == id_ || (failures_ > 0 && message->id == static_cast<std::uint8_t>(id_ + 1));
    if (!expected) return failed("its MSCHAPv2 response answers another challenge");
    id_ = message->id;
    return on_response(message->body);
  }
  if (message->operation == OpCode::Success && state_ == State::ToldSuccess) {
    state_ = State::Complete;
    return done();
  }
  if (message->operation == OpCode::Failure && state_ == State::ToldFailure) return failed(reason_);
  if (message->operation == OpCode::Failure && state_ == State::ToldSuccess) return failed("it does not believe that we have the password");
  return failed(fmt::format("MSCHAPv2 operation {}, which has no place here", static_cast<unsigned>(message->operation)));
}

Method::Reply MsChapV2Server::on_response(ByteView body) {
  Reader reader(body);
  const auto size = reader.u8();
  const auto value = reader.take(kResponseSize);
  if (!size || !value || *size != kResponseSize) return failed("its MSCHAPv2 response is cut off");
  const std::string_view name = as_text(reader.take_rest());
  if (without_domain(name) != without_domain(user_))
    return failed("its MSCHAPv2 response is of " + printable(name) + ", not of " + printable(user_));
  MsChallenge peers{};
  NtResponse response{};
  std::copy_n(value->begin(), peers.size(), peers.begin());
  std::copy_n(value->begin() + peers.size() + 8, response.size(), response.begin());

  const auto nt_hash = nt_password_hash(password_);
  if (!nt_hash) return failed("its eap-key cannot be used: " + nt_hash.error().message);
  const auto challenge = challenge_hash(peers, challenge_, name);
  const auto expected = nt_response(challenge, *nt_hash);
  if (!expected) return failed(expected.error().message);
  if (!constant_time_equal(response, *expected)) return refuse("the password does not match");
  msk_ = mschapv2_msk(*nt_hash, response);
  state_ = State::ToldSuccess;
  const std::string text = "S=" + upper_hex(authenticator_response(*nt_hash, response, challenge)) + " M=Welcome";
  return send(encode(OpCode::Success, id_, {as_bytes(text)}));
}

Method::Reply MsChapV2Server::refuse(std::string reason) {
  reason_ = std::move(reason);
  state_ = State::ToldFailure;
  ++failures_;
  draw_challenge();
  const std::string text = fmt::format("E={} R={} C={} V=3 M=Wrong user or password", kAuthenticationFailure, failures_ <= kRetries ? 1 : 0,
                                       upper_hex(challenge_));
  return send(encode(OpCode::Failure, id_, {as_bytes(text)}));
}

// --- peer -------------------------------------------------------------------------------------------------------------------

MsChapV2Peer::MsChapV2Peer(Secret password, std::string user, Entropy& entropy)
    : password_(std::move(password)), user_(std::move(user)), entropy_(entropy) {}

Method::Reply MsChapV2Peer::begin(std::uint8_t) { return failed("a peer begins nothing"); }

Method::Reply MsChapV2Peer::receive(std::uint8_t, ByteView data) {
  const auto message = parse(data);
  if (!message) return failed(message.error().message);
  switch (message->operation) {
    case OpCode::Challenge:
      if (state_ == State::Begun) return on_challenge(data);
      break;
    case OpCode::Success:
      if (state_ == State::Responded) return on_success(message->body);
      break;
    case OpCode::Failure:
      if (state_ == State::Responded) return on_failure(message->body);
      break;
    default:
      break;
  }
  return failed(fmt::format("MSCHAPv2 operation {}, which has no place here", static_cast<unsigned>(message->operation)));
}

Method::Reply MsChapV2Peer::on_challenge(ByteView data) {
  Reader reader(data.subspan(1));
  const auto id = reader.u8();
  (void)reader.u16();
  const auto size = reader.u8();
  const auto value = reader.take(std::tuple_size_v<MsChallenge>);
  if (!id || !size || !value || *size != std::tuple_size_v<MsChallenge>) return failed("its MSCHAPv2 challenge is malformed");
  MsChallenge theirs{}, ours{};
  std::copy(value->begin(), value->end(), theirs.begin());
  entropy_.fill(ours);
  const auto nt_hash = nt_password_hash(password_);
  if (!nt_hash) return failed("the eap-key cannot be used: " + nt_hash.error().message);
  const auto challenge = challenge_hash(ours, theirs, user_);
  const auto response = nt_response(challenge, *nt_hash);
  if (!response) return failed(response.error().message);
  expected_ = authenticator_response(*nt_hash, *response, challenge);
  msk_ = mschapv2_msk(*nt_hash, *response);
  state_ = State::Responded;
  static constexpr std::array kSize = {static_cast<std::uint8_t>(kResponseSize)};
  static constexpr std::array<std::uint8_t, 8> kReserved{};
  static constexpr std::array<std::uint8_t, 1> kFlags{};
  return send(encode(OpCode::Response, *id, {kSize, ours, kReserved, *response, kFlags, as_bytes(user_)}));
}

Method::Reply MsChapV2Peer::on_success(ByteView body) {
  const std::string_view text = as_text(body);
  const auto proof = from_hex(field(text, "S="));
  if (!proof || !constant_time_equal(*proof, expected_)) return failed("the server does not prove that it has the password");
  state_ = State::Complete;
  return send({static_cast<std::uint8_t>(OpCode::Success)});
}

// Another password there is not: whether the server lets us try again makes no difference. The text may be of any form, and short
// (CVE-2025-62291).
Method::Reply MsChapV2Peer::on_failure(ByteView body) {
  const std::string_view text = as_text(body);
  const std::string_view code = field(text, "E=");
  unsigned error = 0;
  const auto [end, wrong] = std::from_chars(code.data(), code.data() + code.size(), error);
  const bool known = wrong == std::errc() && end == code.data() + code.size() && !code.empty();
  refusal_ = "the server refuses user " + printable(user_) +
             (known ? fmt::format(": error {}, {}", error, meaning_of(error)) : std::string(" and does not say why"));
  if (const std::string_view said = message_of(text); !said.empty()) refusal_ += " (\"" + printable(said) + "\")";
  state_ = State::Refused;
  return send({static_cast<std::uint8_t>(OpCode::Failure)});
}

}  // namespace svti::eap
