// SPDX-License-Identifier: Apache-2.0
// Keys of IKE SAs in a file that Wireshark reads, for whoever asks for it on the command line. Those of CHILD SAs are in the kernel (ip
// xfrm state).
#pragma once

#include <string>

#include "base/result.h"
#include "sa/keys.h"

namespace svti::engine {

// Opens `path` to append to, mode 0600 when it is made; a symbolic link or another's file is refused. Each IKE SA gets a line of
// ikev2_decryption_table. Lines that cannot be written are left out.
Result<sa::KeySink> open_key_log(const std::string& path);

}  // namespace svti::engine
