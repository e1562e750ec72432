// SPDX-License-Identifier: Apache-2.0
// For the .cpp files that read X.509 and PKCS#10.
#pragma once

#include <vector>

#include "crypto/trust.h"

struct stack_st_GENERAL_NAME;  // STACK_OF(GENERAL_NAME)

namespace svti::crypto {

// appends the kinds that AltName has; `names` may be null
void read_alt_names(const stack_st_GENERAL_NAME* names, std::vector<AltName>& out);

}  // namespace svti::crypto
