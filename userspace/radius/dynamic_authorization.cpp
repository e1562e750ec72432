// SPDX-License-Identifier: Apache-2.0
#include "radius/dynamic_authorization.h"

#include <algorithm>

#include "base/log.h"
#include "radius/eap.h"

namespace svti::radius {

DynamicAuthorization::DynamicAuthorization(model::RadiusPtr configuration) : configuration_(std::move(configuration)) {
  for (const model::RadiusServer& one : configuration_->servers) {
    addresses_.emplace_back();
    if (one.host.empty()) addresses_.back().push_back(one.address);
  }
}

bool DynamicAuthorization::is_of(const IpAddress& address, std::size_t server) const {
  const auto& all = addresses_[server];
  return std::find(all.begin(), all.end(), address) != all.end();
}

DynamicAuthorization::Outcome DynamicAuthorization::receive(const Endpoint& from, ByteView octets, seconds wall) {
  const auto drop = [&](const std::string& why) { return Outcome{{}, {}, "packet of " + from.to_string() + " dropped: " + why}; };
  // before anything else is done for it: a stranger gets nothing
  const auto& servers = configuration_->servers;
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (is_of(from.address, i)) candidates.push_back(i);
  }
  if (candidates.empty()) return drop("that is no RADIUS server of ours");
  const auto packet = parse_packet(octets);
  if (!packet) return drop(packet.error().message);
  if (packet->code != Code::DisconnectRequest && packet->code != Code::CoaRequest) return drop(to_string(packet->code) + " is not for us");
  std::string wrong;
  const auto server = std::find_if(candidates.begin(), candidates.end(), [&](std::size_t one) {
    const Status right = verify_request(*packet, servers[one].secret, true);
    if (!right) wrong = right.error().message;
    return right.has_value();
  });
  if (server == candidates.end()) return drop(wrong);
  const auto stamp = packet->number(Type::EventTimestamp);
  if (!stamp) return drop("it has no Event-Timestamp, so that it may be a replay");
  const seconds age = wall - seconds(*stamp);
  if (age > kWindow || -age > kWindow)
    return drop("its Event-Timestamp is " + std::to_string(age.count()) + " s from our time: a replay, or a clock is wrong");
  for (; !order_.empty() && (wall - order_.front().first > 2 * kWindow || order_.size() >= kMaxRemembered); order_.pop_front())
    answers_.erase(order_.front().second);
  asked_ = {{from, packet->id, packet->authenticator}, packet->code, *server, wall};
  // RFC 5176 2.3: asked once, done once. The port may be another one in a replay, and is no part of what was authenticated.
  const auto same = std::find_if(answers_.begin(), answers_.end(), [&](const auto& one) {
    return one.first.from.address == from.address && one.first.id == packet->id && one.first.authenticator == packet->authenticator;
  });
  if (same != answers_.end()) return {same->second, {}, {}};
  return read(*packet);
}

DynamicAuthorization::Outcome DynamicAuthorization::refuse(ErrorCause cause, std::string log) {
  return {answer(cause), {}, to_string(asked_.code) + " of " + asked_.key.from.to_string() + " refused: " + std::move(log)};
}

DynamicAuthorization::Outcome DynamicAuthorization::read(const PacketView& packet) {
  Request out;
  out.code = packet.code;
  out.server = configuration_->servers[asked_.server].name;
  const bool change = packet.code == Code::CoaRequest;
  bool identified = false, changes = false;
  for (const AttributeView& one : packet.attributes) {
    const bool number = one.value.size() == 4;
    switch (one.type) {
      case Type::MessageAuthenticator:
      case Type::EventTimestamp:
      case Type::ProxyState:
      case Type::NasIpAddress:
      case Type::NasIpv6Address:
      case Type::Class:
      case Type::ReplyMessage:
      case Type::AcctTerminateCause:
        continue;
      case Type::NasIdentifier:
        if (as_text(one.value) != configuration_->servers[asked_.server].nas_identifier)
          return refuse(ErrorCause::NasIdentificationMismatch, "it is for NAS " + printable(as_text(one.value)));
        continue;
      case Type::UserName:
        out.user = to_bytes(one.value);
        break;
      case Type::AcctSessionId:
        out.session = std::string(as_text(one.value));
        break;
      case Type::CallingStationId:
        out.calling_station = std::string(as_text(one.value));
        break;
      case Type::CalledStationId:
        out.called_station = std::string(as_text(one.value));
        break;
      case Type::NasPort:
        out.port = packet.number(Type::NasPort);
        if (!out.port) return refuse(ErrorCause::UnsupportedAttribute, "its NAS-Port has no four octets");
        break;
      case Type::FramedIpAddress:
      case Type::FramedIpv6Address: {
        const auto address = IpAddress::from_bytes(one.value);
        if (!address || address->is_v4() != (one.type == Type::FramedIpAddress))
          return refuse(ErrorCause::UnsupportedAttribute, "its Framed address has another size than an address");
        out.addresses.push_back(*address);
        break;
      }
      case Type::SessionTimeout:
      case Type::AcctInterimInterval:
        if (!change || !number || packet.number(one.type).value_or(0) == 0)
          return refuse(ErrorCause::UnsupportedAttribute,
                        "attribute " + std::to_string(static_cast<unsigned>(one.type)) + " cannot stand there so");
        if (const seconds asked{*packet.number(one.type)}; one.type == Type::SessionTimeout) {
          out.session_timeout = asked;
        } else {
          out.interim_interval = std::max(asked, kShortestInterim);
        }
        changes = true;
        continue;
      default:
        // RFC 5176 3.1: what cannot be done is not passed over
        return refuse(ErrorCause::UnsupportedAttribute,
                      "attribute " + std::to_string(static_cast<unsigned>(one.type)) + " is not supported");
    }
    identified = true;
  }
  if (!identified) return refuse(ErrorCause::MissingAttribute, "it does not say which session");
  if (change && !changes) return refuse(ErrorCause::MissingAttribute, "it changes neither Session-Timeout nor Acct-Interim-Interval");
  return {{}, std::move(out), {}};
}

Bytes DynamicAuthorization::answer(std::optional<ErrorCause> refusal) {
  const bool disconnect = asked_.code == Code::DisconnectRequest;
  const Code code = refusal ? (disconnect ? Code::DisconnectNak : Code::CoaNak) : (disconnect ? Code::DisconnectAck : Code::CoaAck);
  Attributes attributes;
  if (refusal) attributes.add(Type::ErrorCause, static_cast<std::uint32_t>(*refusal));
  auto packet = encode_response(code, asked_.key.id, attributes, configuration_->servers[asked_.server].secret, asked_.key.authenticator);
  Bytes out = packet ? std::move(*packet) : Bytes();  // it was verified with what it is made with
  if (answers_.insert_or_assign(asked_.key, out).second) order_.emplace_back(asked_.wall, asked_.key);
  return out;
}

}  // namespace svti::radius
