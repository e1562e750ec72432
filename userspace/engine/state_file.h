// SPDX-License-Identifier: Apache-2.0
// Files of the state directory.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace svti::engine {

// Owns a file descriptor; negative: none.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();
  int fd() const { return fd_; }

 private:
  int fd_;
};

// "cannot WHAT PATH: ", and errno in words
tl::unexpected<Error> cannot(std::string_view what, const std::string& path);

// Puts `content` in place of `directory`/`name`, mode 0600, whole or not at all, also over a power cut. Makes the directory where it is not
// there.
Status replace_file(const std::string& directory, const std::string& name, std::string_view content);

}  // namespace svti::engine
