// SPDX-License-Identifier: Apache-2.0
// The YANG modules of docs/yang, put into the library by the build.
#pragma once

#include <span>

namespace svti::config {

struct EmbeddedModule {
  const char* name;
  const char* text;
};

std::span<const EmbeddedModule> embedded_modules();

}  // namespace svti::config
