// SPDX-License-Identifier: Apache-2.0
// A network namespace of the test program's own, so that it can bind what it likes and disturbs nobody.
#pragma once

#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

namespace svti::test {

// runs a shell command; throws with its text when it fails
inline void run(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

// Moves this process into a new network namespace with lo up. As an ordinary user through a user namespace in which it is root.
inline void enter_network_namespace() {
  const auto user = geteuid();
  const auto group = getegid();
  if (unshare(user == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    throw std::runtime_error("no network namespace for the test: run it as root, or allow user namespaces");
  }
  if (user != 0) {
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << "0 " << user << " 1";
    std::ofstream("/proc/self/gid_map") << "0 " << group << " 1";
  }
  run("ip link set lo up");
}

// As BOOST_TEST_GLOBAL_FIXTURE: the whole program runs in such a namespace.
struct InNetworkNamespace {
  InNetworkNamespace() { enter_network_namespace(); }
};

}  // namespace svti::test
