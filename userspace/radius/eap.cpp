// SPDX-License-Identifier: Apache-2.0
#include "radius/eap.h"

#include <algorithm>

#include "base/log.h"

namespace svti::radius {

namespace {

constexpr std::uint32_t kFramed = 2;        // Service-Type, RFC 2865 5.6
constexpr std::uint32_t kVirtual = 5;       // NAS-Port-Type, RFC 2865 5.41
constexpr std::uint32_t kFramedMtu = 1400;  // so large may the server's EAP packets be (RFC 3579 2.4)
constexpr std::size_t kMaxClasses = 8;      // more is not given back
constexpr std::size_t kMaxShownMessage = 128;
// RFC 3748 4
constexpr std::uint8_t kEapRequest = 1, kEapSuccess = 3;
constexpr std::size_t kEapHeaderSize = 4;

Bytes success(std::uint8_t identifier) { return {kEapSuccess, identifier, 0, kEapHeaderSize}; }

// RFC 2865 5.8: all ones and all ones but the last bit are for the user or the NAS to choose
std::optional<IpAddress> framed_v4(const PacketView& packet) {
  const auto number = packet.number(Type::FramedIpAddress);
  if (!number || *number == 0 || *number >= 0xfffffffe) return std::nullopt;
  const auto address = IpAddress::from_bytes(packet.find(Type::FramedIpAddress)->value);
  return address ? std::optional(*address) : std::nullopt;
}

std::optional<IpAddress> framed_v6(const PacketView& packet) {
  const AttributeView* one = packet.find(Type::FramedIpv6Address);
  if (one == nullptr || one->value.size() != 16) return std::nullopt;
  const auto address = IpAddress::from_bytes(one->value);
  return address && !address->is_any() ? std::optional(*address) : std::nullopt;
}

void read_accept(const PacketView& packet, EapAnswer& out) {
  if (const AttributeView* user = packet.find(Type::UserName)) out.user = to_bytes(user->value);
  for (const auto& address : {framed_v4(packet), framed_v6(packet)}) {
    if (address) out.addresses.push_back(*address);
  }
  if (const auto timeout = packet.number(Type::SessionTimeout); timeout && *timeout != 0) out.session_timeout = seconds(*timeout);
  if (const auto interim = packet.number(Type::AcctInterimInterval)) out.interim_interval = std::max(seconds(*interim), kShortestInterim);
  for (const AttributeView& one : packet.attributes) {
    if (one.type == Type::Class && out.classes.size() < kMaxClasses) out.classes.push_back(to_bytes(one.value));
  }
}

}  // namespace

Attributes access_attributes(const EapQuestion& question) {
  Attributes out;
  out.add(Type::UserName, question.identity)
      .add_nas_address(question.local.address)
      .add(Type::NasPort, question.ike)
      .add(Type::NasPortType, kVirtual)
      .add(Type::NasPortId, question.vpn)
      .add(Type::ServiceType, kFramed)
      .add(Type::FramedMtu, kFramedMtu)
      .add(Type::CalledStationId, question.local.to_string())
      .add(Type::CallingStationId, question.remote.to_string())
      .add_split(Type::EapMessage, question.packet);
  if (!question.state.empty()) out.add(Type::State, question.state);
  return out;
}

EapAnswer read_answer(Result<Reply> reply, std::uint8_t identifier) {
  EapAnswer out{EapAnswer::Kind::None};
  if (!reply) {
    out.reason = reply.error().message;
    return out;
  }
  const PacketView packet = reply->view();
  out.server = reply->server;
  out.packet = packet.joined(Type::EapMessage);
  const bool whole = out.packet.size() >= kEapHeaderSize;
  const auto nonsense = [&](const std::string& what) {
    out.reason = "RADIUS server " + out.server + " answers " + to_string(packet.code) + " " + what;
    return std::move(out);
  };
  switch (packet.code) {
    case Code::AccessChallenge:
      if (!whole || out.packet[0] != kEapRequest) return nonsense("without an EAP request");
      if (const AttributeView* state = packet.find(Type::State)) out.state = to_bytes(state->value);
      out.kind = EapAnswer::Kind::Challenge;
      return out;
    case Code::AccessAccept:
      // RFC 3579 2.6.3: the two must not say different things. Without EAP it may be meant for somebody else's request.
      if (!whole || out.packet[0] != kEapSuccess) return nonsense("without EAP Success");
      out.packet = success(identifier);
      out.msk = std::move(reply->msk);
      read_accept(packet, out);
      out.kind = EapAnswer::Kind::Accept;
      return out;
    default:
      break;
  }
  const std::string message = packet.text(Type::ReplyMessage);
  out.reason = "RADIUS server " + out.server + " rejects it" +
               (message.empty() ? std::string() : " (" + printable(message.substr(0, kMaxShownMessage)) + ")");
  out.kind = EapAnswer::Kind::Reject;
  return out;
}

}  // namespace svti::radius
