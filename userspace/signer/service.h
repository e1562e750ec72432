// SPDX-License-Identifier: Apache-2.0
// The signer's process: it holds the private keys, and has nothing but a socket to the daemon. No network, no files, no other process.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "base/secret.h"

namespace svti::signer {

// Gives up for good what signing does not need: user and group of root, capabilities, namespaces, descriptors but `keep`, all system calls
// but a few (others end the process). An error: something could not be given up.
Status enter_sandbox(int keep);
// The sealing key (crypto::kSealingKeySize octets) in that file, which is made when it is not there. It has to be a file of this process's
// user, and closed to others; the error says what is wrong.
Result<Secret> sealing_key(const std::string& path);
// Answers on `socket` (SOCK_SEQPACKET) until the daemon closes it; then returns 0. Reads the sealing key, then enters the sandbox. With an
// empty path there is none: keys can be neither opened nor made.
int serve(int socket, const std::string& sealing_key_path);

// A signer that was started, and our end of its socket.
struct Started {
  int socket = -1;
  pid_t process = -1;
};
// Runs this program again with the arguments `--signer` and the path, its socket as descriptor 3. The process ends with this one.
Result<Started> start_process(const std::string& sealing_key_path);
// The same with `--token`, for one that uses a token (token_service.h). It has the environment of this one, which modules are configured
// by.
Result<Started> start_token_process();
inline constexpr int kSocket = 3;

}  // namespace svti::signer
