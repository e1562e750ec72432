// SPDX-License-Identifier: Apache-2.0
#include "engine/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "crypto/prf.h"
#include "engine/state_file.h"

namespace svti::engine {

namespace {

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
  Secret made(kHostSecretSize);
  entropy.fill(made.mutable_view());
  if (Status written = replace_file(state_dir, "secret", as_text(made.view())); !written) return fail(written.error());
  return made;
}

Secret derived_secret(const Secret& host_secret, std::string_view purpose) {
  static const crypto::Prf kPrf = *crypto::Prf::create(wire::PrfId::HmacSha256);
  return kPrf(host_secret.view(), {as_bytes(purpose)});
}

}  // namespace svti::engine
