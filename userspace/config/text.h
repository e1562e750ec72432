// SPDX-License-Identifier: Apache-2.0
// The lexical side of the native text form: lines of words. A word is bare, up to the next blank, or "quoted"; a quoted word may span
// lines and knows the escapes \" and \\. '#' where a word could begin starts a comment. Nothing here knows what the words mean.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/findings.h"

namespace svti::config {

inline constexpr std::size_t kMaxTextSize = 16U << 20;  // octets
inline constexpr std::size_t kMaxWords = 256;           // of one line

struct Word {
  std::string text;
  unsigned line = 0;
  bool is_quoted = false;
};

// The words of one line; a quoted word may make it several lines of the text. `number` and `indent` are those of its first word.
struct Line {
  unsigned number = 0;
  unsigned indent = 0;      // columns; a tab goes to the next multiple of 8
  std::vector<Word> words;  // at least one
};

// Size, control characters, UTF-8, line ends. Returns the text with "\n" line ends; nothing, and one finding with its place, when it cannot
// be read at all.
std::optional<std::string> checked_text(std::string_view text, Findings& findings);

// Reads lines one by one, blank ones left out. After an error it cannot read over (an open quote, a line without end) it is at its end.
class LineReader {
 public:
  LineReader(std::string_view text, Findings& findings);  // borrows both

  const Line* peek() const { return line_ ? &*line_ : nullptr; }  // null at the end
  Line next();                                                    // must not be at the end

 private:
  void advance();
  bool read_words(Line& line);
  bool read_quoted(Word& word);

  std::string_view rest_;
  Findings& findings_;
  unsigned number_ = 1;  // of the line that rest_ begins in
  std::optional<Line> line_;
};

// `value` as a word that reads back as `value`: bare when it can be
std::string as_word(std::string_view value);

}  // namespace svti::config
