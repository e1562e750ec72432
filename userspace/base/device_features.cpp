// SPDX-License-Identifier: Apache-2.0
// The ioctl rather than ethtool's netlink family: no family to look up, and every kernel and socket has it.
#include "base/device_features.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

namespace svti {

namespace {

// `command` begins with the number of an ethtool command.
int ask(int socket, const std::string& device, void* command) {
  ifreq request{};
  if (device.size() >= sizeof(request.ifr_name)) return ENODEV;
  std::memcpy(request.ifr_name, device.data(), device.size());
  request.ifr_data = static_cast<char*>(command);
  return ::ioctl(socket, SIOCETHTOOL, &request) == 0 ? 0 : errno;
}

// A header of ethtool's with `size` octets behind it, zero at first. Of words, for their alignment.
template <typename Header>
struct Command {
  explicit Command(std::size_t size) : words((sizeof(Header) + size + 3) / 4) {}
  Header& header() { return *reinterpret_cast<Header*>(words.data()); }
  const char* behind() const { return reinterpret_cast<const char*>(words.data()) + sizeof(Header); }

  std::vector<std::uint32_t> words;
};

}  // namespace

Result<EspFeatures> esp_features(int socket, const std::string& device) {
  const auto failed = [&](int error) { return system_error("ethtool knows no features of " + device + ": " + std::strerror(error)); };
  Command<ethtool_sset_info> count(sizeof(std::uint32_t));
  count.header().cmd = ETHTOOL_GSSET_INFO;
  count.header().sset_mask = 1ULL << ETH_SS_FEATURES;
  if (const int error = ask(socket, device, count.words.data()); error != 0) return failed(error);
  std::uint32_t number = 0;
  if (count.header().sset_mask != 0) std::memcpy(&number, count.behind(), sizeof(number));
  if (number == 0) return failed(EOPNOTSUPP);

  Command<ethtool_gstrings> names(std::size_t{number} * ETH_GSTRING_LEN);
  names.header().cmd = ETHTOOL_GSTRINGS;
  names.header().string_set = ETH_SS_FEATURES;
  names.header().len = number;
  if (const int error = ask(socket, device, names.words.data()); error != 0) return failed(error);

  const std::uint32_t blocks = (number + 31) / 32;
  Command<ethtool_gfeatures> features(blocks * sizeof(ethtool_get_features_block));
  features.header().cmd = ETHTOOL_GFEATURES;
  features.header().size = blocks;
  if (const int error = ask(socket, device, features.words.data()); error != 0) return failed(error);

  const auto is_on = [&](std::string_view wanted) {
    for (std::uint32_t i = 0; i < number; ++i) {
      const char* const name = names.behind() + std::size_t{i} * ETH_GSTRING_LEN;
      if (std::string_view(name, strnlen(name, ETH_GSTRING_LEN)) != wanted) continue;
      ethtool_get_features_block block{};
      std::memcpy(&block, features.behind() + i / 32 * sizeof(block), sizeof(block));
      return (block.active >> (i % 32) & 1U) != 0;
    }
    return false;
  };
  return EspFeatures{is_on("esp-hw-offload"), is_on("esp-tx-csum-hw-offload")};
}

}  // namespace svti
