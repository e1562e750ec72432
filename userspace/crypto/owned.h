// SPDX-License-Identifier: Apache-2.0
// What the .cpp files around OpenSSL share. No type of OpenSSL is named here.
#pragma once

#include <memory>
#include <string>

namespace svti::crypto {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <typename T, auto Free>
using Owned = std::unique_ptr<T, Freed<Free>>;

// A function of OpenSSL that failed leaves its reasons in the thread's queue, for the next one to stumble over: empty before and
// after the life of this object.
class ErrorQueue {
 public:
  ErrorQueue();
  ~ErrorQueue();
  ErrorQueue(const ErrorQueue&) = delete;
  ErrorQueue& operator=(const ErrorQueue&) = delete;
  std::string last() const;  // the latest reason, "" when there is none
};

}  // namespace svti::crypto
