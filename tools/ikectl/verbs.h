// SPDX-License-Identifier: Apache-2.0
// The verbs of ikectl: each adds its subcommand to the command line, and runs when the command line asks for it.
#pragma once

#include <string>

#include "base/result.h"

namespace CLI {
class App;
}

namespace svti::ikectl {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

// the options of every verb, and what the verb that ran came to
struct Context {
  std::string socket = "/run/svti-iked.vici";
  std::string color = "auto";
  bool json = false;
  int exit_code = kDone;

  // Prints "ikectl: " and the error, and sets the exit code.
  void report(const Error& error);
  bool color_on(int descriptor) const;  // `auto`: when it is a terminal and NO_COLOR is not set
};

// `context` must outlive `app`.
void add_check(CLI::App& app, Context& context);
void add_diff(CLI::App& app, Context& context);
void add_load(CLI::App& app, Context& context);
void add_confirm(CLI::App& app, Context& context);
void add_rollback(CLI::App& app, Context& context);
void add_set(CLI::App& app, Context& context);
void add_delete(CLI::App& app, Context& context);
void add_edit(CLI::App& app, Context& context);
void add_initiate(CLI::App& app, Context& context);
void add_terminate(CLI::App& app, Context& context);
void add_rekey(CLI::App& app, Context& context);
void add_redirect(CLI::App& app, Context& context);
void add_show(CLI::App& app, Context& context);
void add_show_pools(CLI::App& show_verb, Context& context);
void add_explain(CLI::App& app, Context& context);
void add_log(CLI::App& app, Context& context);
void add_pki(CLI::App& app, Context& context);
void add_version(CLI::App& app, Context& context);
void add_completion(CLI::App& app, Context& context);

}  // namespace svti::ikectl
