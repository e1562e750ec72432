// SPDX-License-Identifier: Apache-2.0
// A VRF is a network namespace: "main" is the one the process was started in, any other is mounted as /run/netns/NAME (`ip netns add
// NAME`).
#pragma once

#include <string>

#include "base/result.h"

namespace svti::net {

// This thread is in the namespace while the object lives, and then in the one it came from. Sockets opened meanwhile stay in the namespace,
// and keep it alive. Objects must end in the reverse order of their making, in the thread that made them.
class InNamespace {
 public:
  // Error: there is no such namespace, or we may not enter it.
  static Result<InNamespace> enter(const std::string& vrf);
  InNamespace(InNamespace&& other) noexcept;
  InNamespace& operator=(InNamespace&&) = delete;
  ~InNamespace();

 private:
  explicit InNamespace(int home) : home_(home) {}
  int home_;  // -1: never left
};

// A descriptor of the namespace of that VRF, close-on-exec, the caller's to close. Of "main": the one the thread stands in.
Result<int> open_namespace(const std::string& vrf);

}  // namespace svti::net
