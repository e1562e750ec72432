// SPDX-License-Identifier: Apache-2.0
#include "engine/running_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "config/text.h"
#include "crypto/mac.h"
#include "engine/state_file.h"

namespace svti::engine {

namespace {

constexpr std::string_view kHead = "# svti-iked: running configuration, written by the daemon. Startup file: ";
// a text, and the head of a running configuration
constexpr off_t kMaxFile = config::kMaxTextSize + 4096;

}  // namespace

Result<std::optional<std::string>> read_file(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0 && errno == ENOENT) return std::nullopt;
  if (file.fd() < 0) return cannot("read", path);
  struct stat info {};
  if (::fstat(file.fd(), &info) != 0) return cannot("read", path);
  if (info.st_size > kMaxFile) return system_error(path + " is larger than 16 MiB: not a configuration");
  std::string text;
  std::array<char, 64 * 1024> piece{};
  for (;;) {
    const ssize_t size = ::read(file.fd(), piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return cannot("read", path);
    if (size == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(size));
    if (text.size() > static_cast<std::size_t>(kMaxFile)) return system_error(path + " is larger than 16 MiB: not a configuration");
  }
}

std::string RunningFile::digest(const std::optional<std::string>& startup) {
  if (!startup) return "none";
  constexpr std::string_view kKey = "svti-iked startup file";
  std::array<std::uint8_t, 32> out{};
  const auto octets = [](std::string_view text) { return ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()); };
  crypto::Mac(crypto::MacKind::HmacSha256, octets(kKey)).compute({octets(*startup)}, out);
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const std::uint8_t octet : out) {
    hex += kDigits[octet >> 4];
    hex += kDigits[octet & 15];
  }
  return hex;
}

Result<std::optional<RunningFile::Saved>> RunningFile::load() const {
  if (dir_.empty()) return std::nullopt;
  auto text = read_file(path());
  if (!text) return fail(text.error());
  if (!*text) return std::nullopt;
  const std::string& content = **text;
  const auto end = content.find('\n');
  if (!content.starts_with(kHead) || end == std::string::npos) {
    return system_error(path() + " does not begin as the daemon writes it: not taken; remove it");
  }
  return Saved{content.substr(kHead.size(), end - kHead.size()), content.substr(end + 1)};
}

Status RunningFile::save(const Saved& saved) const {
  if (dir_.empty()) return {};
  return replace_file(dir_, "running.conf", std::string(kHead) + saved.startup_digest + "\n" + saved.text);
}

}  // namespace svti::engine
