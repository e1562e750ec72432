// SPDX-License-Identifier: Apache-2.0
#include "control/overlay_keeper.h"

#include <algorithm>
#include <utility>

namespace svti::control {

namespace {

constexpr milliseconds kQuiet{50};   // after the last change
constexpr milliseconds kMost{1000};  // after the first

}  // namespace

OverlayKeeper::OverlayKeeper(boost::asio::io_context& loop, engine::Service& service, const Catalogue& catalogue, LogSink log)
    : timer_(loop), service_(service), catalogue_(catalogue), log_(std::move(log)) {}

void OverlayKeeper::follow() {
  if (catalogue_.revision() == followed_) return;
  followed_ = catalogue_.revision();
  const auto now = std::chrono::steady_clock::now();
  if (!latest_) latest_ = now + kMost;
  timer_.expires_at(std::min(*latest_, now + kQuiet));
  timer_.async_wait([this, alive = std::weak_ptr(alive_)](const boost::system::error_code& failure) {
    if (!failure && !alive.expired()) (void)apply();
  });
}

Status OverlayKeeper::apply() {
  if (catalogue_.revision() == applied_) return outcome_;
  applied_ = followed_ = catalogue_.revision();
  latest_.reset();
  timer_.cancel();
  model::Overlay overlay = catalogue_.overlay();
  std::set<std::string, std::less<>> names;
  for (const auto& [name, vpn] : overlay.vpns) names.insert(names.end(), name);
  outcome_ = service_.set_overlay(std::move(overlay));
  if (outcome_)
    names_ = std::move(names);
  else if (log_)
    log_(
        {Subsystem::Config, 0, {}, "connections and secrets loaded over the control socket are not in force: " + outcome_.error().message});
  return outcome_;
}

bool OverlayKeeper::in_text(const std::string& name) const {
  return service_.configuration(std::string(model::kMainVrf))->vpns.contains(name) && !names_.contains(name);
}

}  // namespace svti::control
