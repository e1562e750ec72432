// SPDX-License-Identifier: Apache-2.0
#include "control/socket_file.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace svti::control {

namespace {

constexpr int kBacklog = 64;

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

tl::unexpected<Error> errno_error(const std::string& what) { return system_error(what + ": " + std::strerror(errno)); }

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return config_error("socket path \"" + path + "\" has " + std::to_string(path.size()) + " characters, 1 to " +
                        std::to_string(sizeof address.sun_path - 1) + " fit");
  }
  path.copy(address.sun_path, path.size());
  return address;
}

Result<gid_t> gid_of(const std::string& group) {
  if (group.empty()) return static_cast<gid_t>(-1);  // chown's "leave it"
  const struct group* entry = getgrnam(group.c_str());
  if (entry == nullptr) return config_error("no group \"" + group + "\" on this system: make it with `groupadd --system " + group + "`");
  return entry->gr_gid;
}

Status remove_dead(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return errno == ENOENT ? Status{} : errno_error("cannot look at " + path);
  if (!S_ISSOCK(found.st_mode)) return system_error(path + " is there and is not a socket: remove it, or choose another socket");

  const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.get() < 0) return errno_error("cannot make a socket");
  // EAGAIN: somebody listens and is busy. Only a refusal proves that nobody does.
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN) {
    return system_error("another daemon answers on " + path + ": stop it, or choose another socket");
  }
  if (errno != ECONNREFUSED) return errno_error("cannot tell whether a daemon answers on " + path);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error("cannot remove " + path + ", left by a dead daemon");
  return {};
}

}  // namespace

Result<SocketFile> SocketFile::listen(const std::string& path, const std::string& group) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return fail(address.error());
  const Result<gid_t> gid = gid_of(group);
  if (!gid) return fail(gid.error());
  if (const Status removed = remove_dead(path, *address); !removed) return fail(removed.error());

  Descriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (listener.get() < 0) return errno_error("cannot make a socket");
  // On Linux the file takes over the mode of the unbound socket: it is the owner's alone until group and mode are as they shall be.
  if (fchmod(listener.get(), 0600) != 0) return errno_error("cannot restrict the socket");
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) return errno_error("cannot bind " + path);

  struct stat bound {};
  if (lstat(path.c_str(), &bound) != 0) return errno_error("cannot look at " + path);
  SocketFile file(path, listener.release(), bound.st_dev, bound.st_ino);
  if (*gid != static_cast<gid_t>(-1) && lchown(path.c_str(), static_cast<uid_t>(-1), *gid) != 0)
    return errno_error("cannot give " + path + " to the group " + group);
  if (chmod(path.c_str(), 0660) != 0) return errno_error("cannot set the mode of " + path);
  if (::listen(file.descriptor_, kBacklog) != 0) return errno_error("cannot listen on " + path);
  return file;
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), descriptor_(other.release()), device_(other.device_), inode_(other.inode_) {}

SocketFile::~SocketFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (path_.empty()) return;
  struct stat found {};
  if (lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) unlink(path_.c_str());
}

int SocketFile::release() { return std::exchange(descriptor_, -1); }

}  // namespace svti::control
