// SPDX-License-Identifier: Apache-2.0
#include "eap/tls.h"

#include <algorithm>
#include <array>
#include <utility>

namespace svti::eap {

namespace {

// RFC 5216 3.1; what else there is in that octet is passed over
constexpr std::uint8_t kLengthIncluded = 0x80;
constexpr std::uint8_t kMoreFragments = 0x40;

constexpr std::uint8_t kTypeCode = static_cast<std::uint8_t>(Type::Tls);
constexpr std::size_t kKeyMaterial = 128;    // MSK and EMSK
constexpr std::uint8_t kNothingFollows = 0;  // RFC 9190 2.5

}  // namespace

// --- fragments --------------------------------------------------------------------------------------------------------------

void TlsFragments::load(Bytes message) {
  message_ = std::move(message);
  at_ = 0;
}

Bytes TlsFragments::next() {
  const std::size_t size = std::min(kFragmentSize, message_.size() - at_);
  const bool first = at_ == 0, more = at_ + size < message_.size();
  Writer out;
  out.u8(static_cast<std::uint8_t>((first && more ? kLengthIncluded : 0) | (more ? kMoreFragments : 0)));
  if (first && more) out.u32(static_cast<std::uint32_t>(message_.size()));
  out.bytes(ByteView(message_).subspan(at_, size));
  at_ += size;
  return std::move(out).take();
}

Result<std::optional<Bytes>> TlsFragments::take(ByteView data) {
  Reader reader(data);
  const auto flags = reader.u8();
  if (!flags) return peer_error("EAP-TLS without flags");
  const bool more = (*flags & kMoreFragments) != 0;
  std::optional<std::size_t> length;
  if ((*flags & kLengthIncluded) != 0) {
    const auto field = reader.u32();
    if (!field) return peer_error("EAP-TLS without the length it announces");
    length = *field;
  }
  const ByteView part = reader.take_rest();
  if (!announced_) {
    if (more && !length) return peer_error("the first fragment of a TLS message does not say how long it is");
    if (length && *length > kMaxMessage)
      return peer_error("a TLS message of " + std::to_string(*length) + " octets is more than " + std::to_string(kMaxMessage));
    if (length && !more && *length != part.size())
      return peer_error("a TLS message says it has " + std::to_string(*length) + " octets, and has " + std::to_string(part.size()));
    if (!more && part.size() > kMaxMessage) return peer_error("a TLS message of " + std::to_string(part.size()) + " octets");
    if (!more) return to_bytes(part);
    announced_ = length;
  } else if (length && *length != *announced_) {
    return peer_error("the fragments of a TLS message do not agree on its length");
  }
  // without content it would go on for ever
  if (part.empty()) return peer_error("a fragment of a TLS message has no content");
  if (part.size() > *announced_ - received_.size()) return peer_error("the fragments of a TLS message are more than its length");
  received_.insert(received_.end(), part.begin(), part.end());
  if (more) return std::nullopt;
  if (received_.size() != *announced_) return peer_error("the fragments of a TLS message are less than its length");
  announced_.reset();
  return std::exchange(received_, {});
}

// --- both ends --------------------------------------------------------------------------------------------------------------

std::optional<Method::Reply> TlsMethod::take_packet(ByteView data, Bytes& message) {
  if (fragments_.sending()) {
    if (data.size() != 1 || (data[0] & (kMoreFragments | kLengthIncluded)) != 0)
      return failed("it does not confirm a fragment of our TLS message");
    return send(fragments_.next());
  }
  if (state_ == State::Told) return failed(reason_);
  auto taken = fragments_.take(data);
  if (!taken) return failed(taken.error().message);
  if (!*taken) return send({0});
  message = std::move(**taken);
  return std::nullopt;
}

Method::Reply TlsMethod::answer(Answer answer) {
  if (auto* signature = std::get_if<Result<Bytes>>(&answer)) return go_on(session_->give_signature(std::move(*signature)));
  return go_on(session_->give_verdict(std::get<std::optional<crypto::ChainFailure>>(answer)));
}

Method::Reply TlsMethod::flush() {
  fragments_.load(session_->take_output());
  return send(fragments_.next());
}

// RFC 5216 2.1.3: an alert says why, and the other end confirms it. A peer that was told by one answers without content.
Method::Reply TlsMethod::give_up(std::string reason) {
  state_ = State::Told;
  reason_ = std::move(reason);
  fragments_.load(session_->take_output());
  return server_ && !fragments_.sending() ? failed(reason_) : send(fragments_.next());
}

Method::Reply TlsMethod::go_on(Stop stop) {
  switch (stop.kind) {
    case Stop::Kind::Signature:
      return ask(SignatureQuestion{stop.credential, std::move(stop.wish)});
    case Stop::Kind::Chain:
      return ask(ChainQuestion{std::move(stop.chain)});
    case Stop::Kind::Octets: {
      fragments_.load(session_->take_output());
      if (!fragments_.sending()) return failed("its TLS message is not whole");
      return send(fragments_.next());
    }
    case Stop::Kind::Open:
      // TLS itself would wait for what belongs to them
      if (session_->unread() != 0) return failed("octets stand behind its TLS handshake");
      if (auto error = derive_key()) return failed(std::move(*error));
      return opened();
    case Stop::Kind::Broken:
      break;
  }
  return give_up(std::move(stop.reason));
}

std::optional<std::string> TlsMethod::derive_key() {
  static constexpr std::string_view kLabel12 = "client EAP encryption";          // RFC 5216 2.3
  static constexpr std::string_view kLabel13 = "EXPORTER_EAP_TLS_Key_Material";  // RFC 9190 2.3
  const std::array context = {kTypeCode};
  const auto key = session_->is_1_3() ? session_->export_key(kLabel13, context, kKeyMaterial)
                                      : session_->export_key(kLabel12, std::nullopt, kKeyMaterial);
  if (!key) return key.error().message;
  msk_ = Secret(key->view().first(kMskSize));
  return std::nullopt;
}

// --- server -----------------------------------------------------------------------------------------------------------------

Method::Reply TlsServer::begin(std::uint8_t) {
  if (!session_) return failed(session_.error().message);
  return send({TlsFragments::kStart});
}

Method::Reply TlsServer::receive(std::uint8_t, ByteView data) {
  Bytes message;
  if (auto reply = take_packet(data, message)) return std::move(*reply);
  if (state_ == State::Finishing) {
    if (message.empty()) {
      state_ = State::Complete;
      return done();
    }
    // of what may still come, an alert says something
    session_->receive(message);
    Bytes content;
    const Stop stop = session_->read(content);
    return failed(stop.kind == Stop::Kind::Broken ? stop.reason : "it goes on with TLS when all is said");
  }
  state_ = State::Handshake;
  session_->receive(message);
  return go_on(session_->go_on());
}

Method::Reply TlsServer::opened() {
  if (session_->is_1_3()) {
    const std::array indication = {kNothingFollows};
    if (const Status written = session_->write(indication); !written) return failed(written.error().message);
  }
  state_ = State::Finishing;
  return flush();
}

// --- peer -------------------------------------------------------------------------------------------------------------------

Method::Reply TlsPeer::begin(std::uint8_t) { return failed("a peer begins nothing"); }

Method::Reply TlsPeer::receive(std::uint8_t, ByteView data) {
  const bool start = data.size() == 1 && (data[0] & TlsFragments::kStart) != 0;
  if (start != (state_ == State::Begun)) return failed(start ? "it starts TLS again" : "it does not start TLS");
  if (start) {
    if (!session_) return failed(session_.error().message);
    state_ = State::Handshake;
    return go_on(session_->go_on());
  }
  Bytes message;
  if (auto reply = take_packet(data, message)) return std::move(*reply);
  if (state_ == State::Complete) return failed("it goes on with TLS when all is said");
  session_->receive(message);
  if (state_ == State::Finishing) return on_indication();
  return go_on(session_->go_on());
}

Method::Reply TlsPeer::opened() {
  state_ = session_->is_1_3() ? State::Finishing : State::Complete;
  return flush();  // of TLS 1.2 there is nothing, which confirms the server's Finished
}

// RFC 9190 2.5: until then the server might still say that it does not accept us.
Method::Reply TlsPeer::on_indication() {
  Bytes content;
  Stop stop = session_->read(content);
  if (stop.kind != Stop::Kind::Open) return give_up(std::move(stop.reason));
  if (content.empty()) return send({0});
  if (content != Bytes{kNothingFollows} || session_->unread() != 0)
    return failed("what it says at the end of TLS is not one octet of zero");
  state_ = State::Complete;
  return flush();
}

}  // namespace svti::eap
