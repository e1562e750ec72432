// SPDX-License-Identifier: Apache-2.0
// What a network device can do for ESP, as ethtool tells it.
#pragma once

#include <string>

#include "base/result.h"

namespace svti {

struct EspFeatures {
  bool hw_offload = false;       // esp-hw-offload: it encrypts and decrypts
  bool tx_csum_offload = false;  // esp-tx-csum-hw-offload: it completes inner checksums of what it encrypts

  bool operator==(const EspFeatures&) const = default;
};

// The features that are on. `socket`: any, of the network namespace that the device is in. Asks the kernel and does not wait; needs no
// privilege. Error: no such device, or ethtool knows no features of it.
Result<EspFeatures> esp_features(int socket, const std::string& device);

}  // namespace svti
