// SPDX-License-Identifier: Apache-2.0
#include "config/text.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace svti::config {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string hex_octet(unsigned char octet) {
  std::array<char, 5> text{};
  std::snprintf(text.data(), text.size(), "0x%02x", octet);
  return text.data();
}

// Octets of the UTF-8 character at the head of `text`; 0 when there is none: a stray or cut sequence, an overlong form, a surrogate,
// or a C1 control, which some terminals obey.
std::size_t utf8_size(std::string_view text) {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = octet(0);
  const std::size_t size = lead < 0x80                   ? 1
                           : lead >= 0xc2 && lead < 0xe0 ? 2
                           : (lead & 0xf0) == 0xe0       ? 3
                           : lead >= 0xf0 && lead < 0xf5 ? 4
                                                         : 0;
  if (size == 0 || size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return 0;
  }
  if (size == 2 && lead == 0xc2 && octet(1) < 0xa0) return 0;
  if (size == 3 && ((lead == 0xe0 && octet(1) < 0xa0) || (lead == 0xed && octet(1) >= 0xa0))) return 0;
  if (size == 4 && ((lead == 0xf0 && octet(1) < 0x90) || (lead == 0xf4 && octet(1) >= 0x90))) return 0;
  return size;
}

bool is_control(unsigned char c) { return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f; }

}  // namespace

std::optional<std::string> checked_text(std::string_view text, Findings& findings) {
  if (text.size() > kMaxTextSize) {
    findings.error(0, "", "the text has " + std::to_string(text.size()) + " octets; " + std::to_string(kMaxTextSize) + " are allowed");
    return std::nullopt;
  }
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::string out;
  out.reserve(text.size());
  unsigned line = 1;
  std::size_t line_start = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
    const auto c = static_cast<unsigned char>(text[i]);
    const std::size_t size = utf8_size(text.substr(i));
    if (is_control(c) || size == 0) {
      findings.error(line, "",
                     (size == 0 ? "octet that is no UTF-8 text, " : "control character ") + hex_octet(c) + " in column " +
                         std::to_string(i - line_start + 1));
      return std::nullopt;
    }
    out.append(text, i, size);
    i += size;
    if (c == '\n') {
      ++line;
      line_start = i;
    }
  }
  return out;
}

LineReader::LineReader(std::string_view text, Findings& findings) : rest_(text), findings_(findings) { advance(); }

Line LineReader::next() {
  Line out = std::move(*line_);
  advance();
  return out;
}

void LineReader::advance() {
  line_.reset();
  while (!rest_.empty()) {
    Line line;
    if (!read_words(line)) {
      rest_ = {};
      return;
    }
    if (line.words.empty()) continue;
    line_ = std::move(line);
    return;
  }
}

// up to and over the end of the line; false when there is no going on
bool LineReader::read_words(Line& line) {
  unsigned column = 0;
  while (!rest_.empty()) {
    const char c = rest_.front();
    if (c == '\n') {
      rest_.remove_prefix(1);
      ++number_;
      return true;
    }
    if (is_blank(c)) {
      column = c == '\t' ? (column / 8 + 1) * 8 : column + 1;
      rest_.remove_prefix(1);
      continue;
    }
    if (c == '#') {
      rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
      continue;
    }
    if (line.words.size() == kMaxWords) {
      findings_.error(number_, "", "more than " + std::to_string(kMaxWords) + " words in one line: is a line end missing?");
      return false;
    }
    Word word{"", number_, c == '"'};
    if (line.words.empty()) {
      line.number = number_;
      line.indent = column;
    }
    if (word.is_quoted) {
      if (!read_quoted(word)) return false;
    } else {
      const std::size_t size = std::min(rest_.find_first_of(" \t\n"), rest_.size());
      word.text = rest_.substr(0, size);
      rest_.remove_prefix(size);
    }
    line.words.push_back(std::move(word));
  }
  return true;
}

bool LineReader::read_quoted(Word& word) {
  rest_.remove_prefix(1);
  while (!rest_.empty()) {
    const std::size_t plain = std::min(rest_.find_first_of("\"\\\n"), rest_.size());
    word.text.append(rest_.substr(0, plain));
    rest_.remove_prefix(plain);
    if (rest_.empty()) break;
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '\n') {
      word.text.push_back(c);
      ++number_;
      continue;
    }
    if (c == '\\') {
      if (rest_.empty()) break;
      if (rest_.front() != '"' && rest_.front() != '\\') {
        findings_.error(number_, "", "unknown escape in a quoted value: \\\" stands for a quote, \\\\ for a backslash");
        continue;
      }
      word.text.push_back(rest_.front());
      rest_.remove_prefix(1);
      continue;
    }
    if (!rest_.empty() && !is_blank(rest_.front()) && rest_.front() != '\n') {
      findings_.error(number_, "", "a blank is missing behind the closing quote; a quote inside a quoted value is written \\\"");
    }
    return true;
  }
  findings_.error(word.line, "", "the quote that is opened here is never closed");
  return false;
}

std::string as_word(std::string_view value) {
  const bool bare = !value.empty() && value.front() != '#' && value.front() != '"' && value != ".." && value != "(...)" &&
                    std::all_of(value.begin(), value.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (bare) return std::string(value);
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
  return out;
}

}  // namespace svti::config
