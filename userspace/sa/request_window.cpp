// SPDX-License-Identifier: Apache-2.0
#include "sa/request_window.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace svti::sa {

RetransmitPolicy RetransmitPolicy::of(const model::GlobalOptions& options) {
  return {options.retransmit_tries, options.retransmit_timeout, options.retransmit_base};
}

Duration RetransmitPolicy::delay(std::uint32_t attempt) const {
  static constexpr double kLeast = 100'000.0;
  static constexpr double kMost = 3'600'000'000.0;
  const double microseconds = static_cast<double>(timeout.count()) * std::pow(base, attempt);
  return Duration(static_cast<Duration::rep>(std::clamp(microseconds, kLeast, kMost)));
}

void RequestWindow::begin(TimePoint now, std::uint32_t message_id, std::vector<model::Datagram> request, const RetransmitPolicy& policy) {
  assert(!busy());
  request_ = std::move(request);
  message_id_ = message_id;
  attempt_ = 0;
  begun_at_ = now;
  policy_ = policy;
  deadline_ = now + policy_.delay(0);
}

void RequestWindow::move(const Endpoint& local, const Endpoint& remote) {
  for (model::Datagram& datagram : request_) {
    datagram.local = local;
    datagram.remote = remote;
  }
}

std::optional<TimePoint> RequestWindow::deadline() const {
  if (!busy()) return std::nullopt;
  return deadline_;
}

RequestWindow::Step RequestWindow::on_deadline(TimePoint now) {
  if (attempt_ == policy_.tries) {
    request_.clear();
    return Step::GiveUp;
  }
  ++attempt_;
  deadline_ = now + policy_.delay(attempt_);
  return Step::Retransmit;
}

}  // namespace svti::sa
