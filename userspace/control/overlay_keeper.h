// SPDX-License-Identifier: Apache-2.0
// Brings what the catalogue holds to the engine: a little after the last of a series of changes, or at once when somebody needs it.
// Ten thousand connections that are loaded one by one must not be applied ten thousand times.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/log.h"
#include "control/catalogue.h"
#include "engine/service.h"

namespace svti::control {

class OverlayKeeper {
 public:
  // all must outlive it
  OverlayKeeper(boost::asio::io_context& loop, engine::Service& service, const Catalogue& catalogue, LogSink log);

  // the catalogue may have changed: it is applied within a second
  void follow();
  // Now, when it has changed. An error is the engine's; it is logged too, and told again until a later change is taken.
  Status apply();
  // whether a VPN of that name stands in the configuration text, not in what we brought
  bool in_text(const std::string& name) const;

 private:
  boost::asio::steady_timer timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // a timer that has fired may come after the end
  engine::Service& service_;
  const Catalogue& catalogue_;
  LogSink log_;
  std::uint64_t applied_ = 0;  // the catalogue's revision
  std::uint64_t followed_ = 0;
  std::optional<std::chrono::steady_clock::time_point> latest_;  // when a series of changes is applied at the latest
  Status outcome_;
  std::set<std::string, std::less<>> names_;  // of the VPNs applied
};

}  // namespace svti::control
