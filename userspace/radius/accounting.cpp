// SPDX-License-Identifier: Apache-2.0
#include "radius/accounting.h"

namespace svti::radius {

namespace {

constexpr std::uint32_t kByRadius = 1;  // Acct-Authentic, RFC 2866 5.6
constexpr std::uint32_t kVirtual = 5;   // NAS-Port-Type

std::uint32_t seconds_of(seconds time) { return static_cast<std::uint32_t>(time.count()); }

void add_octets(Attributes& out, Type low, Type high, std::uint64_t octets) {
  out.add(low, static_cast<std::uint32_t>(octets));
  if (octets >> 32 != 0) out.add(high, static_cast<std::uint32_t>(octets >> 32));  // RFC 2869 5.1
}

}  // namespace

Attributes accounting_attributes(AcctStatus status, const Session& session, seconds wall, seconds lasted, const Traffic& traffic,
                                 TerminateCause cause) {
  Attributes out;
  out.add(Type::AcctStatusType, static_cast<std::uint32_t>(status))
      .add(Type::AcctSessionId, session.id)
      .add(Type::UserName, session.user)
      .add_nas_address(session.local.address)
      .add(Type::NasPort, session.ike)
      .add(Type::NasPortType, kVirtual)
      .add(Type::NasPortId, session.vpn)
      .add(Type::CalledStationId, session.local.to_string())
      .add(Type::CallingStationId, session.remote.to_string())
      .add(Type::AcctAuthentic, kByRadius)
      .add(Type::EventTimestamp, seconds_of(wall));
  for (const IpAddress& address : session.addresses)
    out.add(address.is_v4() ? Type::FramedIpAddress : Type::FramedIpv6Address, address.bytes());
  for (const Bytes& one : session.classes) out.add(Type::Class, one);
  if (status == AcctStatus::Start) return out;
  add_octets(out, Type::AcctInputOctets, Type::AcctInputGigawords, traffic.octets_in);
  add_octets(out, Type::AcctOutputOctets, Type::AcctOutputGigawords, traffic.octets_out);
  out.add(Type::AcctInputPackets, static_cast<std::uint32_t>(traffic.packets_in))
      .add(Type::AcctOutputPackets, static_cast<std::uint32_t>(traffic.packets_out))
      .add(Type::AcctSessionTime, seconds_of(lasted));
  if (status == AcctStatus::Stop) out.add(Type::AcctTerminateCause, static_cast<std::uint32_t>(cause));
  return out;
}

Attributes accounting_on(seconds wall) {
  Attributes out;
  out.add(Type::AcctStatusType, static_cast<std::uint32_t>(AcctStatus::On))
      .add(Type::AcctSessionId, std::string_view("0"))
      .add(Type::EventTimestamp, seconds_of(wall));
  return out;
}

}  // namespace svti::radius
