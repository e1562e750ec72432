// SPDX-License-Identifier: Apache-2.0
// A fetcher's process: it speaks HTTP and LDAP with servers that it does not know, for one answer, and ends. What it says to the daemon are
// octets, which are believed no more than what a peer sends.
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace svti::fetch {

// Reads a request from `socket`, answers it, and ends. Gives up first what fetching does not need: the user root, capabilities,
// descriptors, writing files, other programs (enter_sandbox()). The exit status of the process.
int serve(int socket);
Status enter_sandbox(int keep);

// A fetcher that was started, and our end of its socket (SOCK_STREAM).
struct Started {
  int socket = -1;
  pid_t process = -1;
};
// Runs this program again with the argument `--fetcher`, its socket as descriptor 3. The process ends with this one.
Result<Started> start_process();
inline constexpr int kSocket = 3;

}  // namespace svti::fetch
