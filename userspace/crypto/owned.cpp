// SPDX-License-Identifier: Apache-2.0
#include "crypto/owned.h"

#include <openssl/err.h>

namespace svti::crypto {

ErrorQueue::ErrorQueue() { ERR_clear_error(); }
ErrorQueue::~ErrorQueue() { ERR_clear_error(); }

std::string ErrorQueue::last() const {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "" : reason;
}

}  // namespace svti::crypto
