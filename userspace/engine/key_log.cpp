// SPDX-License-Identifier: Apache-2.0
#include "engine/key_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

#include "base/secret.h"
#include "sa/proposal.h"

namespace svti::engine {
namespace {

using wire::EncryptionId;
using wire::IntegrityId;

// the names are Wireshark's; empty: it has none
std::string encryption_name(const wire::Transform* one) {
  if (one == nullptr) return {};
  const std::string bits = std::to_string(one->key_bits);
  switch (static_cast<EncryptionId>(one->id)) {
    case EncryptionId::AesCbc:
      return "AES-CBC-" + bits + " [RFC3602]";
    case EncryptionId::TripleDesCbc:
      return "3DES [RFC2451]";
    case EncryptionId::AesCtr:
      return "AES-CTR-" + bits + " [RFC5930]";
    case EncryptionId::AesCcm8:
      return "AES-CCM-" + bits + " with 8 octet ICV [RFC5282]";
    case EncryptionId::AesCcm12:
      return "AES-CCM-" + bits + " with 12 octet ICV [RFC5282]";
    case EncryptionId::AesCcm16:
      return "AES-CCM-" + bits + " with 16 octet ICV [RFC5282]";
    case EncryptionId::AesGcm8:
      return "AES-GCM-" + bits + " with 8 octet ICV [RFC5282]";
    case EncryptionId::AesGcm12:
      return "AES-GCM-" + bits + " with 12 octet ICV [RFC5282]";
    case EncryptionId::AesGcm16:
      return "AES-GCM-" + bits + " with 16 octet ICV [RFC5282]";
    default:
      return {};
  }
}

std::string integrity_name(const wire::Transform* one) {
  switch (one == nullptr ? IntegrityId::None : static_cast<IntegrityId>(one->id)) {
    case IntegrityId::None:
      return "NONE [RFC4306]";
    case IntegrityId::HmacMd5_96:
      return "HMAC_MD5_96 [RFC2403]";
    case IntegrityId::AesXcbc96:
    case IntegrityId::AesCmac96:
      return {};
    case IntegrityId::HmacSha1_96:
      return "HMAC_SHA1_96 [RFC2404]";
    case IntegrityId::HmacSha256_128:
      return "HMAC_SHA2_256_128 [RFC4868]";
    case IntegrityId::HmacSha384_192:
      return "HMAC_SHA2_384_192 [RFC4868]";
    case IntegrityId::HmacSha512_256:
      return "HMAC_SHA2_512_256 [RFC4868]";
  }
  return {};
}

std::string hex_of(wire::IkeSpi spi) {
  Writer out;
  out.u64(spi);
  return to_hex(out.view());
}

void append(Secret& line, std::size_t& at, std::string_view text) {
  std::copy(text.begin(), text.end(), line.mutable_view().begin() + static_cast<std::ptrdiff_t>(at));
  at += text.size();
}

}  // namespace

Result<sa::KeySink> open_key_log(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return system_error(path + ": " + std::strerror(errno));
  const std::shared_ptr<const int> file(new int(fd), [](const int* one) {
    ::close(*one);
    delete one;
  });
  struct stat status = {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077) != 0)
    return system_error(path + " must be a file of ours that nobody else may read");
  return sa::KeySink([file](const sa::MessageKeys& keys) {
    const std::string encryption = encryption_name(sa::find_transform(keys.choice, wire::TransformType::Encryption));
    const std::string integrity = integrity_name(sa::find_transform(keys.choice, wire::TransformType::Integrity));
    if (encryption.empty() || integrity.empty()) {  // a name that is not there would spoil the whole table
      const std::string comment = "# " + hex_of(keys.spi_i) + ": Wireshark cannot read " + sa::to_string(keys.choice) + "\n";
      if (::write(*file, comment.data(), comment.size()) < 0) return;
      return;
    }
    // the line, and each key's digits, in memory that is wiped
    Secret line(1024);
    std::size_t at = 0;
    const auto key = [&](ByteView octets) {
      std::string digits = to_hex(octets);
      append(line, at, digits);
      wipe(std::span(reinterpret_cast<std::uint8_t*>(digits.data()), digits.size()));
    };
    append(line, at, hex_of(keys.spi_i) + "," + hex_of(keys.spi_r) + ",");
    key(keys.sk_ei);
    append(line, at, ",");
    key(keys.sk_er);
    append(line, at, ",\"" + encryption + "\",");
    key(keys.sk_ai);
    append(line, at, ",");
    key(keys.sk_ar);
    append(line, at, ",\"" + integrity + "\"\n");
    if (::write(*file, line.view().data(), at) < 0) return;
  });
}

}  // namespace svti::engine
