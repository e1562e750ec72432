// SPDX-License-Identifier: Apache-2.0
// A process of the signer's kind, forked by the test in place of another run of the program.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "signer/service.h"

namespace svti::test {

// The child runs `body` with the other end of a socket, and ends with what it returns.
template <typename Body>
Result<signer::Started> forked(Body body) {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) return system_error("no socket");
  const pid_t process = fork();
  if (process == 0) _exit(body(pair[1]));
  close(pair[1]);
  return signer::Started{pair[0], process};
}

}  // namespace svti::test
