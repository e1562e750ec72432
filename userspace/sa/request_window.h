// SPDX-License-Identifier: Apache-2.0
// The outstanding request of an IKE SA and its retransmission (RFC 7296 2.1, 2.3; the guide's "Retransmission constants").
#pragma once

#include <cstdint>
#include <optional>

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

  bool busy() const { return request_.has_value(); }
  std::uint32_t message_id() const { return message_id_; }
  std::uint32_t retransmissions() const { return attempt_; }
  TimePoint begun_at() const { return begun_at_; }  // of the request under way, or the last
  const model::Datagram& datagram() const { return *request_; }
  // `request` was just sent for the first time; must not be busy()
  void begin(TimePoint now, std::uint32_t message_id, model::Datagram request, const RetransmitPolicy& policy);
  void finish() { request_.reset(); }
  // when on_deadline() must be called; nothing when not busy
  std::optional<TimePoint> deadline() const;
  // called when `now` has reached deadline(): either datagram() is to be sent again, or the peer is unreachable (then no longer busy)
  Step on_deadline(TimePoint now);

 private:
  std::optional<model::Datagram> request_;
  std::uint32_t message_id_ = 0;
  std::uint32_t attempt_ = 0;
  TimePoint deadline_{}, begun_at_{};
  RetransmitPolicy policy_;
};

}  // namespace svti::sa
