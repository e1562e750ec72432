// SPDX-License-Identifier: Apache-2.0
// Session resumption (RFC 5723): tickets by value. The gateway puts what it would have to remember of an IKE SA into a ticket that nobody
// else can read or change; the client keeps it, and shows it when the gateway has lost the IKE SA.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/entropy.h"
#include "base/secret.h"
#include "base/time.h"
#include "model/credentials.h"
#include "model/identity.h"
#include "wire/message.h"

namespace svti::sa {

// What both ends remember of the IKE SA that is resumed.
struct Session {
  model::Identity local_id, remote_id;
  wire::Proposal choice;
  Secret sk_d;
  bool ppk = false;  // in its keys (RFC 8784), and so in those that follow from them
};

// By which the client has proven who it is, where that was EAP of the gateway's own.
struct EapProof {
  model::AuthMethod method{};
  model::Identity id;
  Bytes mark;  // in a ticket: TicketMint::mark() of the password; empty: a method without
};

// ... and the gateway besides
struct TicketContent {
  Bytes number;              // by which it is known again
  seconds expires{0};        // since 1970, as all of these
  seconds authenticated{0};  // until then; 0: no limit
  wire::IkeSpi own_spi = 0;  // the gateway's, of the IKE SA that it was given in
  std::string vpn;
  Session session;
  std::optional<EapProof> eap = std::nullopt;
};

// Makes tickets and reads them. Ticket = version (1) | day (4) | IV, ciphertext and ICV of AES-CBC with HMAC-SHA-256, under a key of that
// day.
class TicketMint {
 public:
  static constexpr seconds kLife{86400};            // of a ticket at most, and of a key
  static constexpr std::size_t kMostSpent = 65536;  // tickets that are known to have been used
  static constexpr std::size_t kMostTicket = 2048;  // octets; a larger one is none of ours

  // `secret`: of this Core alone, the same in every life of the daemon. `wall`: seconds since 1970, now.
  void set_secret(Secret secret, std::function<seconds()> wall);
  bool any() const { return !secret_.empty(); }
  seconds wall() const { return wall_(); }

  Bytes make(const TicketContent& content, Entropy& entropy) const;
  // Another for another password. Says nothing of it without the secret.
  Bytes mark(const Secret& password) const;
  // nothing: it is not ours, was changed, has expired, or was used
  std::optional<TicketContent> read(ByteView ticket) const;
  // it was used: in this life of ours it is not taken again
  void spend(const TicketContent& content);
  bool is_spent(const TicketContent& content) const { return spent_.contains(content.number); }

 private:
  Secret secret_;
  std::function<seconds()> wall_;
  std::map<Bytes, seconds> spent_;  // number, and when it expires
};

// What the client keeps.
struct KeptTicket {
  Bytes ticket;
  TimePoint expires{};
  IpAddress gateway;
  Session session;
  std::optional<TimePoint> reauth_at;  // a resumption does not put it off
  std::optional<EapProof> eap;         // ours, without a mark
};

}  // namespace svti::sa
