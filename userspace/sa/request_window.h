// SPDX-License-Identifier: Apache-2.0
// The outstanding request of an IKE SA and its retransmission (RFC 7296 2.1, 2.3; the guide's "Retransmission constants").
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "model/config.h"
#include "model/network.h"

namespace svti::sa {

// timeout(try) = timeout * base^try for try 0..tries: 1 + tries datagrams, then as many waits
struct RetransmitPolicy {
  std::uint32_t tries = 5;
  Duration timeout = milliseconds(4000);
  double base = 1.8;

  static RetransmitPolicy of(const model::GlobalOptions& options);
  // never below 100 ms: a base below 1 or a timeout of 0 would spin (configuration.md 5.17); never above an hour
  Duration delay(std::uint32_t attempt) const;
};

// Window size 1: at most one request is under way.
class RequestWindow {
 public:
  enum class Step { Retransmit, GiveUp };

  bool busy() const { return !request_.empty(); }
  std::uint32_t message_id() const { return message_id_; }
  std::uint32_t retransmissions() const { return attempt_; }
  TimePoint begun_at() const { return begun_at_; }  // of the request under way, or the last
  // the request: one, or all of its fragments (RFC 7383 2.5: they are retransmitted together)
  const std::vector<model::Datagram>& datagrams() const { return request_; }
  // `request` was just sent for the first time, and is not empty; must not be busy()
  void begin(TimePoint now, std::uint32_t message_id, std::vector<model::Datagram> request, const RetransmitPolicy& policy);
  void finish() { request_.clear(); }
  // retransmissions go between these two from now on
  void move(const Endpoint& local, const Endpoint& remote);
  // when on_deadline() must be called; nothing when not busy
  std::optional<TimePoint> deadline() const;
  // called when `now` has reached deadline(): either datagrams() are to be sent again, or the peer is unreachable (then no longer busy)
  Step on_deadline(TimePoint now);

 private:
  std::vector<model::Datagram> request_;
  std::uint32_t message_id_ = 0;
  std::uint32_t attempt_ = 0;
  TimePoint deadline_{}, begun_at_{};
  RetransmitPolicy policy_;
};

}  // namespace svti::sa
