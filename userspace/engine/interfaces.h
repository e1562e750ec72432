// SPDX-License-Identifier: Apache-2.0
// The SVTIs that the configuration names, in all VRFs: made, changed live, taken away with the configuration, and found again by a later
// life of the daemon. Whoever made an interface of that name and svti-id, it is the configuration's from then on.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "config/document.h"
#include "model/links.h"
#include "model/state.h"

namespace svti::engine {

class Interfaces {
 public:
  // the links of a VRF, used and closed at once: a namespace may be made anew behind the same name
  using Open = std::function<Result<std::unique_ptr<model::Links>>(const std::string& vrf)>;

  // `open` empty: interfaces are not this daemon's business, and nothing is done
  Interfaces(Open open, LogSink log) : open_(std::move(open)), log_(std::move(log)) {}

  // What keeps interfaces from being as wanted though the kernel would not mind: one that has the name and is not ours to replace.
  config::Diagnostics conflicts(const model::System& wanted);
  // Brings the kernel in line; what cannot be is told, and tried again next time. False: something is left to be done.
  bool settle(const model::System& wanted, config::Diagnostics& problems);
  // looks at every interface next time, also where the configuration is as before
  void look_again();
  // VRFs in which a former life of the daemon may have left some
  void remember(const model::System& former);
  std::vector<model::SvtiState> state(const std::string& vrf, const model::System& wanted) const;

 private:
  struct Known {
    std::vector<model::SvtiInterface> applied;
    bool settled = false;
  };
  struct Work;

  std::vector<std::string> pending(const model::System& wanted);
  void remove_leftovers(Work& work) const;
  void add_missing(Work& work) const;
  void bring_in_line(Work& work) const;
  void log(const std::string& vrf, LogLevel level, const std::string& text) const;

  Open open_;
  LogSink log_;
  std::map<std::string, Known> known_{{std::string(model::kMainVrf), {}}};
};

}  // namespace svti::engine
