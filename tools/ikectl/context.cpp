// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "ikectl/render.h"
#include "ikectl/verbs.h"

namespace svti::ikectl {

void Context::report(const Error& error) {
  std::cout.flush();
  std::cerr << "ikectl: " << paint(error.message, Color::Red, color_on(STDERR_FILENO)) << '\n';
  exit_code = kFailed;
}

bool Context::color_on(int descriptor) const {
  if (color != "auto") return color == "always";
  return isatty(descriptor) != 0 && std::getenv("NO_COLOR") == nullptr;
}

}  // namespace svti::ikectl
