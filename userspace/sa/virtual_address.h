// SPDX-License-Identifier: Apache-2.0
// The virtual addresses of an IKE SA (RFC 7296 2.19): what the peer assigned to us, what we assigned to it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "wire/ikev2.h"

namespace svti::sa {

// Goes with the IKE SA through its rekeys.
struct VirtualAddresses {
  // We asked for some when it was made. Until the answer comes `ours` is empty.
  bool requested = false;
  std::vector<IpAddress> ours;
  std::uint32_t svti_id = 0;               // where ours are installed, 0: on lo
  std::vector<IpAddress> dns, nbns, dhcp;  // that came with them

  // The peer needs one: what its CHILD SAs are refused with while it has none.
  std::optional<wire::NotifyType> refusal;
  std::vector<IpAddress> theirs;
  std::vector<IpAddress> framed;  // that a RADIUS server has decided on, in place of the pools'
};

// Virtual addresses of this host, and how many IKE SAs need each; and what each VPN had last.
class OwnVirtualAddresses {
 public:
  using Id = std::pair<IpAddress, std::uint32_t>;        // with the svti-id
  bool claim(const Id& id) { return ++uses_[id] == 1; }  // true: nobody did before
  bool release(const Id& id) {                           // true: nobody does any more
    const auto use = uses_.find(id);
    if (use == uses_.end() || --use->second > 0) return false;
    uses_.erase(use);
    return true;
  }
  // asked for again by the next IKE SA of that VPN
  std::map<std::string, std::vector<IpAddress>, std::less<>> last;

 private:
  std::map<Id, std::uint32_t> uses_;
};

}  // namespace svti::sa
