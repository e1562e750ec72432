// SPDX-License-Identifier: Apache-2.0
// Paths, edits and differences of configurations. The input is a text, then behind a NUL lines "set PATH VALUE" and "delete PATH"; each
// path is also shown and completed. What an edit makes must print and load again as the same tree; the difference from before is empty
// exactly when nothing changed, and the document before stays as it was.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.h"

namespace {

using svti::config::Document;
using svti::config::Edit;

void demand(bool condition, const char* what, const std::string& text) {
  if (condition) return;
  std::fprintf(stderr, "%s:\n%s\n", what, text.c_str());
  std::abort();
}

std::string text_of(const Document& document) { return document.print({false, true, false, ""}).value(); }

std::vector<Edit> edits_of(std::string_view lines) {
  std::vector<Edit> out;
  while (!lines.empty() && out.size() < 16) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    const bool remove = line.starts_with("delete ");
    if (remove || line.starts_with("set ")) out.push_back({remove, std::string(line.substr(remove ? 7 : 4))});
  }
  return out;
}

void look_at(const Document& document, const std::string& path) {
  for (const bool resolved : {false, true}) {
    const auto text = document.print({true, true, resolved, path});
    const auto json = document.to_json({true, true, resolved, path});
    demand(text.has_value() == json.has_value(), "shown in one form only", path);
  }
  for (const auto& one : document.complete(path)) demand(!one.word.empty(), "a completion without a word", path);
}

void check_change(const Document& before, const Document& after) {
  const std::string text = text_of(after);
  const auto again = Document::parse(text, "again", &before);
  if (!again) demand(false, again.error().front().to_string().c_str(), text);
  demand(text_of(*again) == text, "not the same text", text);
  const auto changes = before.diff(after);
  demand(changes.empty() == (text_of(before) == text), "a difference that is none, or none that is one", text);
  demand(after.diff(before).empty() == changes.empty(), "a difference in one direction only", text);
  demand(after.diff(*again).empty(), "different from itself", text);
  for (const auto& change : changes) demand(!change.path.empty(), "a change without a path", text);
  demand(after.resolved() != nullptr, "not resolved", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view text = input.substr(0, input.find('\0'));
  const std::vector<Edit> edits = edits_of(input.substr(std::min(input.size(), text.size() + 1)));
  const auto parsed = Document::parse(text, "fuzz");
  const Document before = parsed ? *parsed : Document();
  const std::string text_before = text_of(before);

  for (const Edit& edit : edits) look_at(before, edit.path);
  const auto after = before.edited(edits);
  const auto draft = before.draft(edits);
  if (after) {
    demand(draft.has_value() && draft->valid(), "an edit that is no draft", std::string(input));
    demand(text_of(*draft) == text_of(*after), "a draft that is another", std::string(input));
    check_change(before, *after);
  } else {
    demand(!after.error().empty(), "refused without a finding", std::string(input));
    demand(!draft || !draft->valid(), "a draft that cannot be made", std::string(input));
  }
  if (draft) {
    for (const Edit& edit : edits) look_at(*draft, edit.path);
  }
  demand(text_of(before) == text_before, "the document before has changed", text_before);
  return 0;
}
