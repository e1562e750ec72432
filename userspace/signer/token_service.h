// SPDX-License-Identifier: Apache-2.0
// The process of a token: it runs a PKCS#11 module, which is foreign code and needs files, devices, or the socket of pcscd. Hence beside
// the signer, whose keys it cannot see, and with less taken away: user, capabilities, programs, other sockets than AF_UNIX.
#pragma once

#include "signer/service.h"

namespace svti::signer {

// The user that it runs as, when the daemon is root and there is such a user; else nobody.
inline constexpr const char* kTokenUser = "svti-token";

// Gives up for good: user of root, capabilities, descriptors but `keep`, programs to run, and what else no module has to do with.
Status enter_token_sandbox(int keep);
// Answers on `socket` (SOCK_SEQPACKET) until the daemon closes it; then returns 0. Enters the sandbox first.
int serve_token(int socket);

}  // namespace svti::signer
