// SPDX-License-Identifier: Apache-2.0
#include "config/findings.h"

#include <algorithm>
#include <vector>

#include "base/log.h"

namespace svti::config {

namespace {

// Levenshtein distance with a swap of neighbours as one step; keywords are short, so the plain table does
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

constexpr std::size_t kLongestGuess = 64;
constexpr std::size_t kLongestPath = 256;

}  // namespace

void Findings::add(bool warning, std::size_t& count, unsigned line, std::string leaf, std::string message) {
  if (++count > kMaxFindings) return;
  // a finding is one line, whatever of the text it repeats
  for (std::string* part : {&leaf, &message}) std::replace(part->begin(), part->end(), '\n', ' ');
  if (leaf.size() > kLongestPath) leaf.resize(kLongestPath);
  kept_.push_back({warning, file_, line, std::move(leaf), std::move(message)});
}

void Findings::error(unsigned line, std::string leaf, std::string message) {
  add(false, errors_, line, std::move(leaf), std::move(message));
}

void Findings::warning(unsigned line, std::string leaf, std::string message) {
  add(true, warnings_, line, std::move(leaf), std::move(message));
}

Diagnostics Findings::take() && {
  std::stable_sort(kept_.begin(), kept_.end(), [](const Diagnostic& a, const Diagnostic& b) { return a.line < b.line; });
  if (warnings_ > kMaxFindings) kept_.push_back({true, file_, 0, "", "and " + std::to_string(warnings_ - kMaxFindings) + " more warnings"});
  if (errors_ >= kMaxFindings)
    kept_.push_back({false, file_, 0, "", "too many errors: there may be more than the " + std::to_string(kMaxFindings) + " shown"});
  return std::move(kept_);
}

std::string quoted(std::string_view text) { return "'" + printable(text, 80) + "'"; }

std::string did_you_mean(std::string_view text, std::span<const std::string_view> candidates) {
  if (text.empty() || text.size() > kLongestGuess) return "";
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(1, text.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kLongestGuess) continue;
    // what was cut short counts as near
    const std::size_t steps = text.size() >= 3 && candidate.starts_with(text) ? 1 : distance(text, candidate);
    if (steps >= least) continue;
    least = steps;
    nearest = candidate;
  }
  return nearest.empty() ? "" : " (did you mean '" + std::string(nearest) + "'?)";
}

std::string one_of(std::span<const std::string_view> words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace svti::config
