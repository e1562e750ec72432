// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include <stdexcept>
#include <utility>

#include "config/findings.h"
#include "config/printer.h"
#include "config/reader.h"
#include "config/resolve.h"
#include "config/schema.h"
#include "config/text.h"
#include "config/validate.h"

namespace svti::config {

struct Document::Impl {
  std::shared_ptr<const Schema> schema;  // before the tree, which needs it to its end
  Tree tree;
  Diagnostics warnings;
  model::ConfigurationPtr resolved;
};

std::string Diagnostic::to_string() const {
  std::string out = file;
  if (line != 0) out += ":" + std::to_string(line);
  if (!out.empty()) out += ": ";
  if (warning) out += "warning: ";
  if (!leaf.empty()) out += leaf + ": ";
  return out + message;
}

Document::Document() {
  auto parsed = parse("", "");
  if (!parsed) throw std::logic_error("the empty configuration is refused: " + parsed.error().front().to_string());
  *this = std::move(*parsed);
}

Document::Document(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

tl::expected<Document, Diagnostics> Document::parse(std::string_view text, std::string_view file_name) {
  Findings findings(file_name);
  const auto checked = checked_text(text, findings);
  if (!checked) return tl::unexpected(std::move(findings).take());
  auto impl = std::make_unique<Impl>();
  impl->schema = Schema::instance();
  ReadResult read = read_text(*impl->schema, *checked, findings);
  validate(*impl->schema, read, findings);
  // only a tree that keeps the rules can be resolved
  if (!findings.failed()) impl->resolved = resolve(read.tree.get(), findings);
  warn_without_effect(read.tree.get(), findings);
  const bool failed = findings.failed();
  Diagnostics found = std::move(findings).take();
  if (failed) return tl::unexpected(std::move(found));
  impl->tree = std::move(read.tree);
  impl->warnings = std::move(found);
  return Document(std::move(impl));
}

const Diagnostics& Document::warnings() const { return impl_->warnings; }

std::string Document::print(const PrintOptions& options) const { return print_text(impl_->tree.get(), options); }

std::string Document::to_json(const PrintOptions& options) const { return print_json(impl_->tree.get(), options); }

model::ConfigurationPtr Document::resolved() const { return impl_->resolved; }

}  // namespace svti::config
