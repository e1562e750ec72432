// SPDX-License-Identifier: Apache-2.0
// The configuration text, parsed and resolved. What loads must load again as it is printed, to the same tree and with the same findings;
// with defaults written out it must still be accepted.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "config/document.h"

namespace {

using svti::config::Document;

void demand(bool condition, const char* what, const std::string& text) {
  if (condition) return;
  std::fprintf(stderr, "%s:\n%s\n", what, text.c_str());
  std::abort();
}

void check_diagnostics(const svti::config::Diagnostics& found, const std::string& text) {
  for (const auto& one : found) {
    demand(one.to_string().find('\n') == std::string::npos, "a finding of several lines", text);
    demand(!one.message.empty(), "a finding without words", text);
  }
  demand(found.size() <= 102, "findings without bound", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto first = Document::parse(text, "fuzz");
  if (!first) {
    demand(!first.error().empty(), "refused without a finding", text);
    check_diagnostics(first.error(), text);
    return 0;
  }
  check_diagnostics(first->warnings(), text);
  for (const bool defaults : {false, true}) {
    const std::string printed = first->print({defaults, true, false, ""}).value();
    const auto second = Document::parse(printed, "again");
    if (!second) demand(false, second.error().front().to_string().c_str(), printed);
    demand(second->to_json({true, true, false, ""}).value() == first->to_json({true, true, false, ""}).value(), "not the same tree",
           printed);
    demand(second->print({defaults, true, false, ""}).value() == printed, "not the same text", printed);
    demand(second->warnings().size() == first->warnings().size(), "not the same warnings", printed);
    demand(second->resolved()->vrfs.size() == first->resolved()->vrfs.size(), "not the same VRFs", printed);
    if (!defaults) demand(first->diff(*second).empty(), "different from itself", printed);
  }
  first->print({true, false, false, ""}).value();
  first->to_json({true, false, false, ""}).value();
  return 0;
}
