// SPDX-License-Identifier: Apache-2.0
// Accounting-Requests (RFC 2866, RFC 2869): one session is one IKE SA, through its rekeys.
#pragma once

#include "radius/eap.h"

namespace svti::radius {

enum class AcctStatus : std::uint32_t { Start = 1, Stop = 2, Interim = 3, On = 7 };
// RFC 2866 5.10
enum class TerminateCause : std::uint32_t { UserRequest = 1, LostCarrier = 2, SessionTimeout = 5, AdminReset = 6, NasRequest = 10 };

struct Traffic {
  std::uint64_t octets_in = 0, packets_in = 0;  // from the peer
  std::uint64_t octets_out = 0, packets_out = 0;

  Traffic& operator+=(const Traffic& other) {
    octets_in += other.octets_in;
    packets_in += other.packets_in;
    octets_out += other.octets_out;
    packets_out += other.packets_out;
    return *this;
  }
};

struct Session {
  std::string id;  // Acct-Session-Id, of this session alone
  std::string vpn;
  Bytes user;
  Endpoint local, remote;
  std::uint32_t ike = 0;  // unique id when it began
  std::vector<IpAddress> addresses;
  std::vector<Bytes> classes;
};

// `lasted`, `traffic`: of Stop and Interim; `cause` of Stop. `wall`: seconds since 1970.
Attributes accounting_attributes(AcctStatus status, const Session& session, seconds wall, seconds lasted, const Traffic& traffic,
                                 TerminateCause cause);
// The NAS has come up: whatever sessions it had are over (RFC 2866 5.1).
Attributes accounting_on(seconds wall);

}  // namespace svti::radius
