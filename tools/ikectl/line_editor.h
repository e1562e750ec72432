// SPDX-License-Identifier: Apache-2.0
// Lines from a person at a terminal, with history and completion: libedit, whose types stay in the .cpp file.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ikectl/shell.h"

namespace svti::ikectl {

// The history is this session's and is written nowhere: there may be secrets in it.
class LineEditor {
 public:
  using Complete = std::function<std::vector<Shell::Choice>(std::string_view before_cursor)>;

  explicit LineEditor(Complete complete);
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;
  ~LineEditor();

  // without its newline; none: the input has ended
  std::optional<std::string> read(const std::string& prompt);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// what TAB makes of the word begun, and what it lists when the choices have no more in common
struct Completed {
  std::string insert;
  std::string listing;
};
Completed complete_word(std::string_view before_cursor, const std::vector<Shell::Choice>& choices, std::size_t columns);

}  // namespace svti::ikectl
