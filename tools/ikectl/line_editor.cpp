// SPDX-License-Identifier: Apache-2.0
#include "ikectl/line_editor.h"

#include <histedit.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <utility>

namespace svti::ikectl {

namespace {

constexpr int kHistory = 1000;            // lines
constexpr std::size_t kMostListed = 100;  // choices
constexpr std::size_t kWidestWord = 32;   // columns
constexpr std::size_t kDefaultColumns = 80;

std::size_t columns_of(int descriptor) {
  winsize size{};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kDefaultColumns;
}

}  // namespace

struct LineEditor::Impl {
  EditLine* editor = nullptr;
  History* history = nullptr;
  Complete complete;
  std::string prompt;

  static Impl& of(EditLine* editor) {
    void* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return *static_cast<Impl*>(self);
  }
  static char* show_prompt(EditLine* editor) { return of(editor).prompt.data(); }

  static unsigned char on_tab(EditLine* editor, int) {
    const LineInfo* line = el_line(editor);
    const std::string_view before(line->buffer, static_cast<std::size_t>(line->cursor - line->buffer));
    const std::vector<Shell::Choice> choices = of(editor).complete(before);
    if (choices.empty()) return CC_REFRESH_BEEP;
    const Completed completed = complete_word(before, choices, columns_of(STDOUT_FILENO));
    if (!completed.insert.empty()) {
      el_insertstr(editor, completed.insert.c_str());
      return CC_REFRESH;
    }
    std::cout << '\n' << completed.listing << std::flush;
    return CC_REDISPLAY;
  }

  // ^C drops the line, not the shell.
  static unsigned char on_cancel(EditLine* editor, int) {
    const LineInfo* line = el_line(editor);
    el_cursor(editor, static_cast<int>(line->lastchar - line->cursor));
    el_deletestr(editor, static_cast<int>(line->lastchar - line->buffer));
    std::cout << "^C\n" << std::flush;
    return CC_REDISPLAY;
  }
};

LineEditor::LineEditor(Complete complete) : impl_(std::make_unique<Impl>()) {
  impl_->complete = std::move(complete);
  impl_->editor = el_init("ikectl", stdin, stdout, stderr);
  impl_->history = history_init();
  HistEvent event{};
  history(impl_->history, &event, H_SETSIZE, kHistory);
  history(impl_->history, &event, H_SETUNIQUE, 1);
  EditLine* editor = impl_->editor;
  el_set(editor, EL_CLIENTDATA, impl_.get());
  el_set(editor, EL_PROMPT, &Impl::show_prompt);
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_HIST, history, impl_->history);
  el_set(editor, EL_SIGNAL, 1);
  el_set(editor, EL_ADDFN, "ikectl-complete", "complete the word", &Impl::on_tab);
  el_set(editor, EL_BIND, "^I", "ikectl-complete", nullptr);
  el_set(editor, EL_ADDFN, "ikectl-cancel", "drop the line", &Impl::on_cancel);
  el_set(editor, EL_SETTY, "-d", "-isig", nullptr);
  el_set(editor, EL_BIND, "^C", "ikectl-cancel", nullptr);
  el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
}

LineEditor::~LineEditor() {
  history_end(impl_->history);
  el_end(impl_->editor);
}

std::optional<std::string> LineEditor::read(const std::string& prompt) {
  impl_->prompt = prompt;
  std::cout.flush();
  int size = 0;
  const char* line = el_gets(impl_->editor, &size);
  if (line == nullptr || size <= 0) return std::nullopt;
  std::string text(line, static_cast<std::size_t>(size));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  if (text.find_first_not_of(" \t") != std::string::npos) {
    HistEvent event{};
    history(impl_->history, &event, H_ENTER, text.c_str());
  }
  return text;
}

Completed complete_word(std::string_view before_cursor, const std::vector<Shell::Choice>& choices, std::size_t columns) {
  const std::size_t blank = before_cursor.find_last_of(" \t");
  const std::size_t begun = before_cursor.size() - (blank == std::string_view::npos ? 0 : blank + 1);
  std::string common = choices.front().word;
  for (const Shell::Choice& choice : choices) {
    const auto differ = std::mismatch(common.begin(), common.end(), choice.word.begin(), choice.word.end());
    common.erase(differ.first, common.end());
  }
  Completed completed;
  if (common.size() > begun) completed.insert = common.substr(begun);
  if (choices.size() == 1) completed.insert += ' ';
  if (!completed.insert.empty()) return completed;

  std::size_t width = 0;
  for (const Shell::Choice& choice : choices) width = std::max(width, std::min(choice.word.size(), kWidestWord));
  for (std::size_t i = 0; i < choices.size() && i < kMostListed; ++i) {
    std::string line = "  " + choices[i].word;
    if (!choices[i].help.empty()) {
      line.resize(std::max(line.size(), width + 2), ' ');
      line += "  " + choices[i].help;
    }
    if (line.size() > columns) line.resize(columns);
    completed.listing += line + "\n";
  }
  if (choices.size() > kMostListed) completed.listing += "  and " + std::to_string(choices.size() - kMostListed) + " more\n";
  return completed;
}

}  // namespace svti::ikectl
