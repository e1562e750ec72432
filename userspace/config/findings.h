// SPDX-License-Identifier: Apache-2.0
// Collects what is wrong with a configuration text, and helps to say it well.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "config/document.h"

namespace svti::config {

// At most kMaxFindings errors and as many warnings are kept; the rest is counted.
class Findings {
 public:
  static constexpr std::size_t kMaxFindings = 50;

  explicit Findings(std::string_view file) : file_(file) {}

  void error(unsigned line, std::string leaf, std::string message);
  void warning(unsigned line, std::string leaf, std::string message);
  bool failed() const { return errors_ > 0; }
  // more errors would only be counted: whoever looks for errors may stop
  bool full() const { return errors_ >= kMaxFindings; }
  // in the order of the text; a last line tells how many were left out
  Diagnostics take() &&;

 private:
  void add(bool warning, std::size_t& count, unsigned line, std::string leaf, std::string message);

  std::string file_;
  Diagnostics kept_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
};

// 'text' in quotes, made printable and cut to a readable length
std::string quoted(std::string_view text);
// " (did you mean 'x'?)" when one candidate is near, else ""
std::string did_you_mean(std::string_view text, std::span<const std::string_view> candidates);
// "a, b or c"
std::string one_of(std::span<const std::string_view> words);

}  // namespace svti::config
