// SPDX-License-Identifier: Apache-2.0
// svtictl: reads the command line, enters the namespace that it names, runs the verb, prints.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <variant>
#include <vector>

#include "svtictl/command_line.h"
#include "svtictl/netns.h"
#include "svtictl/render.h"
#include "svtictl/verbs.h"

namespace {

using namespace svti::svtictl;

// https://no-color.org: set and not empty turns colour off, unless it is asked for
bool wants_colour(Colour colour, int fd) {
  if (colour != Colour::Auto) return colour == Colour::Always;
  const char* const no_color = std::getenv("NO_COLOR");
  return (no_color == nullptr || *no_color == '\0') && isatty(fd) == 1;
}

svti::Result<std::string> perform(const Invocation& invocation, const Style& style) {
  if (!invocation.netns.empty()) {
    const auto netns = Netns::open(invocation.netns);
    if (!netns) return svti::fail(netns.error());
    if (const auto entered = netns->enter(); !entered) return svti::fail(entered.error());
  }
  return std::visit([&](const auto& arguments) { return run(arguments, style); }, invocation.verb);
}

// all of it, or an exit status that says it did not arrive
int print(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!written) std::perror("svtictl: cannot write to standard output");
  return written ? kExitOk : kExitFailure;
}

}  // namespace

int main(int argc, char** argv) {
  const auto parsed = parse_command_line({argv + 1, argv + argc});
  if (const auto* stop = std::get_if<Stop>(&parsed)) {
    if (stop->exit_code == kExitOk) return print(stop->text);
    std::fprintf(stderr, "svtictl: %s\n", stop->text.c_str());
    return stop->exit_code;
  }
  const auto& invocation = std::get<Invocation>(parsed);
  const auto done = perform(invocation, {invocation.json, wants_colour(invocation.colour, STDOUT_FILENO)});
  if (done) return print(*done);
  const Style style{invocation.json, wants_colour(invocation.colour, STDERR_FILENO)};
  std::fputs(render_error(done.error().message, style).c_str(), stderr);
  return kExitFailure;
}
