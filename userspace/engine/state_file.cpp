// SPDX-License-Identifier: Apache-2.0
#include "engine/state_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace svti::engine {

namespace {

Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return cannot("write", path);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  // a full disk may say so only here
  if (::fsync(fd) != 0) return cannot("write", path);
  return {};
}

}  // namespace

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

tl::unexpected<Error> cannot(std::string_view what, const std::string& path) {
  return system_error("cannot " + std::string(what) + " " + path + ": " + std::strerror(errno));
}

Status replace_file(const std::string& directory, const std::string& name, std::string_view content) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return system_error("cannot make the state directory " + directory + ": " + error.message());
  const std::string path = directory + "/" + name, temporary = path + ".new";
  {
    ::unlink(temporary.c_str());
    const File file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file.fd() < 0) return cannot("write", temporary);
    Status written = write_all(file.fd(), content, temporary);
    if (!written) {
      ::unlink(temporary.c_str());
      return written;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return cannot("write", path);
  // the rename itself, over a power cut
  const File dir(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.fd() >= 0) (void)::fsync(dir.fd());
  return {};
}

}  // namespace svti::engine
