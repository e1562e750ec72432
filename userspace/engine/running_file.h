// SPDX-License-Identifier: Apache-2.0
// The running configuration on disk, so that it survives a restart. It holds secrets: mode 0600, and replaced as a whole.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace svti::engine {

class RunningFile {
 public:
  // `dir` is made when it is not there; empty: nothing is kept
  explicit RunningFile(std::string dir) : dir_(std::move(dir)) {}

  struct Saved {
    std::string startup_digest;  // of the startup file that was in force
    std::string text;            // native form, whole
  };
  // nothing: there is none; an error: it is there and cannot be read
  Result<std::optional<Saved>> load() const;
  // On disk when it returns without an error; with one, the file before is still there.
  Status save(const Saved& saved) const;
  std::string path() const { return dir_ + "/running.conf"; }

  // names the content of a startup file; of none: "none"
  static std::string digest(const std::optional<std::string>& startup);

 private:
  std::string dir_;
};

// the content of a file; nothing: there is none
Result<std::optional<std::string>> read_file(const std::string& path);

}  // namespace svti::engine
