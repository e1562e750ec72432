// SPDX-License-Identifier: Apache-2.0
// A fetcher's process: it speaks HTTP, LDAP or DNS with servers that it does not know, for one answer, and ends. What it says to the daemon
// are octets, which are believed no more than what a peer sends.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace svti::fetch {

// Reads a request from `socket`, answers it, and ends. Gives up first what fetching does not need: the user root, capabilities,
// descriptors, writing files, other programs (enter_sandbox()). The exit status of the process.
// `vrf`: unless it is main, what /etc/netns/VRF holds stands in place of the files of these names in /etc, as with `ip netns exec`: another
// network has other name servers.
int serve(int socket, const std::string& vrf);
Status enter_sandbox(int keep);

// A fetcher that was started, and our end of its socket (SOCK_STREAM).
struct Started {
  int socket = -1;
  pid_t process = -1;
};
// Runs this program again with the arguments `--fetcher` and `vrf`, its socket as descriptor 3, in the network namespace that the caller
// stands in, which is that VRF's. The process ends with this one.
Result<Started> start_process(const std::string& vrf);
inline constexpr int kSocket = 3;

}  // namespace svti::fetch
