// SPDX-License-Identifier: Apache-2.0
#include "eap/conversation.h"

#include <array>
#include <cassert>

#include "base/log.h"
#include "eap/md5.h"
#include "eap/mschapv2.h"
#include "eap/tls.h"

namespace svti::eap {

namespace {

std::string shown(ByteView identity) { return printable(as_text(identity)); }

}  // namespace

// --- server -----------------------------------------------------------------------------------------------------------------

Server::Server(Type method, Bytes identity, std::string name, PasswordOf password_of, Entropy& entropy)
    : type_(method), identity_(std::move(identity)), name_(std::move(name)), password_of_(std::move(password_of)), entropy_(entropy) {
  assert(type_ == Type::Md5Challenge || type_ == Type::MsChapV2);
}

Server::Server(crypto::TlsSession::Setup setup, Bytes identity, Entropy& entropy)
    : type_(Type::Tls), identity_(std::move(identity)), setup_(std::move(setup)), entropy_(entropy) {}

Step Server::begin() {
  identifier_ = static_cast<std::uint8_t>(entropy_.below(256));
  if (!identity_.empty()) return begin_method();
  return {Step::Kind::Send, encode_packet(Code::Request, identifier_, Type::Identity, {})};
}

Step Server::begin_method() {
  if (type_ == Type::Tls) {
    method_ = std::make_unique<TlsServer>(setup_);
    return take(method_->begin(identifier_));
  }
  auto password = password_of_(identity_);
  if (!password) no_password_ = password.error().message;
  Secret secret = password ? std::move(*password) : Secret(as_bytes(to_hex(entropy_.bytes(16))));
  if (type_ == Type::Md5Challenge)
    method_ = std::make_unique<Md5Server>(std::move(secret), name_, entropy_);
  else
    method_ = std::make_unique<MsChapV2Server>(std::move(secret), std::string(as_text(identity_)), name_, entropy_);
  return take(method_->begin(identifier_));
}

Step Server::receive(ByteView octets) {
  const auto packet = parse_packet(octets);
  if (!packet) return fail(packet.error().message);
  if (packet->code != Code::Response) return fail("it answers with an EAP packet that is no response");
  // RFC 3748 4.1. Its carrier loses and doubles nothing, so that another one is no late arrival but a fault.
  if (packet->identifier != identifier_) return fail("its EAP response answers another request");
  ++identifier_;
  if (!method_) {
    if (packet->type != Type::Identity) return fail("asked for its EAP identity, it answers with " + to_string(packet->type));
    if (packet->data.empty()) return fail("its EAP identity is empty");
    if (packet->data.size() > kMaxIdentitySize)
      return fail("its EAP identity has " + std::to_string(packet->data.size()) + " octets, more than " + std::to_string(kMaxIdentitySize));
    identity_ = to_bytes(packet->data);
    return begin_method();
  }
  if (packet->type == Type::Nak) {
    std::string wanted;
    for (const std::uint8_t type : packet->data.first(std::min<std::size_t>(packet->data.size(), 8))) {
      if (type != 0) wanted += (wanted.empty() ? "" : " or ") + to_string(static_cast<Type>(type));
    }
    return fail("it does not do " + to_string(type_) + (wanted.empty() ? "" : ", but " + wanted));
  }
  if (packet->type != type_) return fail("asked for " + to_string(type_) + ", it answers with " + to_string(packet->type));
  return take(method_->receive(packet->identifier, packet->data));
}

Step Server::answer(Answer answer) { return take(method_->answer(std::move(answer))); }

Step Server::take(Method::Reply reply) {
  switch (reply.kind) {
    case Method::Reply::Kind::Send:
      return {Step::Kind::Send, encode_packet(Code::Request, identifier_, type_, reply.data)};
    case Method::Reply::Kind::Done:
      if (!no_password_.empty() || !method_->complete()) return fail("the password does not match");
      return {Step::Kind::Success, encode_packet(Code::Success, static_cast<std::uint8_t>(identifier_ - 1)), method_->msk()};
    case Method::Reply::Kind::Ask:
      return {Step::Kind::Ask, {}, {}, {}, std::move(reply.question)};
    case Method::Reply::Kind::Failed:
      break;
  }
  return fail(std::move(reply.reason));
}

std::string Server::refusal() const {
  const std::string said = method_ ? method_->refusal() : std::string();
  return said.empty() || no_password_.empty() ? said : no_password_;
}

Step Server::fail(std::string reason) {
  if (!no_password_.empty()) reason = no_password_;
  return {Step::Kind::Failure, encode_packet(Code::Failure, static_cast<std::uint8_t>(identifier_ - 1)), {}, std::move(reason)};
}

// --- peer -------------------------------------------------------------------------------------------------------------------

Peer::Peer(Type method, Bytes identity, Secret password, Entropy& entropy) : identity_(std::move(identity)) {
  assert(method == Type::Md5Challenge || method == Type::MsChapV2);
  const std::string name(as_text(identity_));
  if (method == Type::Md5Challenge)
    method_ = std::make_unique<Md5Peer>(std::move(password), name);
  else
    method_ = std::make_unique<MsChapV2Peer>(std::move(password), name, entropy);
}

Peer::Peer(const crypto::TlsSession::Setup& setup, Bytes identity)
    : identity_(std::move(identity)), method_(std::make_unique<TlsPeer>(setup)) {}

Step Peer::receive(ByteView octets) {
  const auto failure = [](std::string reason) { return Step{Step::Kind::Failure, {}, {}, std::move(reason)}; };
  const auto packet = parse_packet(octets);
  if (!packet) return failure(packet.error().message);
  switch (packet->code) {
    case Code::Request:
      return on_request(*packet);
    case Code::Response:
      return failure("it sends an EAP response to the end that is asked");
    case Code::Success:
      // CVE-2021-45079: not before the method is through
      if (!method_->complete()) return failure("it says EAP Success before " + to_string(method_->type()) + " is done");
      return {Step::Kind::Success, {}, method_->msk()};
    case Code::Failure:
      break;
  }
  if (std::string said = method_->refusal(); !said.empty()) return failure(std::move(said));
  return failure("it refuses EAP identity " + shown(identity_) + " or its " + (method_->type() == Type::Tls ? "certificate" : "password"));
}

Step Peer::respond(Type type, ByteView data) const { return {Step::Kind::Send, encode_packet(Code::Response, identifier_, type, data)}; }

Step Peer::take(Method::Reply reply) const {
  switch (reply.kind) {
    case Method::Reply::Kind::Send:
      return respond(method_->type(), reply.data);
    case Method::Reply::Kind::Ask:
      return {Step::Kind::Ask, {}, {}, {}, std::move(reply.question)};
    case Method::Reply::Kind::Done:
    case Method::Reply::Kind::Failed:
      break;
  }
  return {Step::Kind::Failure, {}, {}, std::move(reply.reason)};
}

Step Peer::answer(Answer answer) { return take(method_->answer(std::move(answer))); }

Step Peer::on_request(const PacketView& packet) {
  identifier_ = packet.identifier;
  if (packet.type == Type::Notification) return respond(Type::Notification, {});  // RFC 3748 5.2
  if (packet.type == method_->type()) {
    begun_ = true;
    return take(method_->receive(packet.identifier, packet.data));
  }
  // RFC 3748 2.1: one method, which once begun is gone through
  if (begun_)
    return {Step::Kind::Failure, {}, {}, "it asks for " + to_string(packet.type) + " in the middle of " + to_string(method_->type())};
  if (packet.type == Type::Identity) return respond(Type::Identity, identity_);
  const std::array wanted = {static_cast<std::uint8_t>(method_->type())};
  return respond(Type::Nak, wanted);
}

}  // namespace svti::eap
