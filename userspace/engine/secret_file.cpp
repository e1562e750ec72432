// SPDX-License-Identifier: Apache-2.0
#include "engine/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "crypto/prf.h"

namespace svti::engine {

namespace {

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<Error> cannot(const std::string& what, const std::string& path) {
  return system_error("cannot " + what + " " + path + ": " + std::strerror(errno));
}

// nothing: it is not there
Result<std::optional<Secret>> read_secret(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (file.fd() < 0 && errno == ENOENT) return std::nullopt;
  if (file.fd() < 0) return cannot("read", path);
  struct stat info {};
  if (::fstat(file.fd(), &info) != 0) return cannot("read", path);
  if (!S_ISREG(info.st_mode) || (info.st_mode & 0077) != 0)
    return system_error(path + " may be read by others: it is no secret; remove it, and another is made");
  Secret out(kHostSecretSize);
  std::uint8_t more = 0;
  const bool whole = ::read(file.fd(), out.mutable_view().data(), kHostSecretSize) == static_cast<ssize_t>(kHostSecretSize) &&
                     ::read(file.fd(), &more, 1) == 0;
  if (!whole) return system_error(path + " is not as the daemon wrote it: remove it, and another is made");
  return out;
}

}  // namespace

Result<Secret> host_secret(const std::string& state_dir, Entropy& entropy) {
  const std::string path = state_dir + "/secret";
  auto there = read_secret(path);
  if (!there) return fail(there.error());
  if (*there) return std::move(**there);
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);
  if (error) return system_error("cannot make the state directory " + state_dir + ": " + error.message());
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  Secret made(kHostSecretSize);
  entropy.fill(made.mutable_view());
  {
    const File file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file.fd() < 0) return cannot("write", temporary);
    const bool written =
        ::write(file.fd(), made.view().data(), made.size()) == static_cast<ssize_t>(made.size()) && ::fsync(file.fd()) == 0;
    if (!written) {
      auto why = cannot("write", temporary);
      ::unlink(temporary.c_str());
      return why;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return cannot("write", path);
  const File dir(::open(state_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.fd() >= 0) (void)::fsync(dir.fd());
  return made;
}

Secret derived_secret(const Secret& host_secret, std::string_view purpose) {
  static const crypto::Prf kPrf = *crypto::Prf::create(wire::PrfId::HmacSha256);
  return kPrf(host_secret.view(), {as_bytes(purpose)});
}

}  // namespace svti::engine
