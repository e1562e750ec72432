// SPDX-License-Identifier: Apache-2.0
// What clients of the control socket loaded beside the configuration text: VPNs and secrets of VRF main. It goes with the daemon.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/config.h"

namespace svti::model {

struct Overlay {
  std::map<std::string, std::shared_ptr<const Vpn>, std::less<>> vpns;
  std::vector<std::shared_ptr<const PresharedKey>> preshared_keys;
  std::vector<std::shared_ptr<const EapKey>> eap_keys;
  std::vector<std::shared_ptr<const Ppk>> ppks;
  std::vector<LocalCertificatePtr> certificates;
  std::vector<AuthorityPtr> authorities;
  std::vector<std::shared_ptr<const PrivateKey>> private_keys;
  std::map<std::string, std::shared_ptr<const Pool>, std::less<>> pools;  // one that the text has as well is the text's
};

}  // namespace svti::model
