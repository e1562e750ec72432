// SPDX-License-Identifier: Apache-2.0
// The file of a listening unix socket: who may connect, and what to do with one that is there already.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace svti::control {

// A listening stream socket bound to `path`; closes the descriptor and removes the file, if it is still this one, when it dies.
class SocketFile {
 public:
  // Mode 0660, owned by `group` unless that is empty; nobody can connect before that is so. A file whose daemon is dead is replaced. Errors
  // say what to do about them. Two daemons that start within the same instant may both take a dead one's file over; the later keeps it.
  static Result<SocketFile> listen(const std::string& path, const std::string& group);
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&&) = delete;
  ~SocketFile();

  int release();  // the descriptor, now the caller's to close; the file stays this object's

 private:
  SocketFile(std::string path, int descriptor, dev_t device, ino_t inode)
      : path_(std::move(path)), descriptor_(descriptor), device_(device), inode_(inode) {}

  std::string path_;  // empty: moved from
  int descriptor_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace svti::control
