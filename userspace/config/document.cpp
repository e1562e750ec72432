// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include <stdexcept>
#include <utility>

#include "config/complete.h"
#include "config/diff.h"
#include "config/edit.h"
#include "config/findings.h"
#include "config/fold.h"
#include "config/printer.h"
#include "config/reader.h"
#include "config/resolve.h"
#include "config/schema.h"
#include "config/text.h"
#include "config/validate.h"

namespace svti::config {

struct Document::Impl {
  std::shared_ptr<const Schema> schema;  // before the tree, which points into it
  TreePtr root;
  Diagnostics warnings;
  Diagnostics problems;  // of a draft
  Resolution resolution;

  // Warnings are among the findings, and taken out; with an error there is no document.
  static tl::expected<Document, Diagnostics> finish(std::shared_ptr<const Schema> schema, TreePtr root, const Resolution* before,
                                                    Findings findings) {
    auto impl = std::make_shared<Impl>();
    // only a tree that keeps the rules can be resolved
    if (!findings.failed()) impl->resolution = resolve(*schema, *root, before, findings);
    const bool has_warnings = warn_of_leaves(*root, before && !before->has_warnings, findings);
    impl->resolution.has_warnings = has_warnings;
    const bool failed = findings.failed();
    Diagnostics found = std::move(findings).take();
    if (failed) return tl::unexpected(std::move(found));
    impl->schema = std::move(schema);
    impl->root = std::move(root);
    impl->warnings = std::move(found);
    return Document(std::move(impl));
  }

  // what is to be printed: of this tree, or of `shown`, which is made here and must live as long
  Result<Place> place(const PrintOptions& options, TreePtr& shown) const {
    shown = options.resolved ? folded(*root, options.defaults) : root;
    auto out = locate(*schema, *shown, options.path);
    if (!out) return out;
    const bool is_there =
        out->node || out->whole_list || out->schema->default_value || (out->schema->kind == Kind::Container && !out->schema->presence);
    if (!is_there) return config_error("'" + options.path + "' is not set");
    return out;
  }
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

Document::Document(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

tl::expected<Document, Diagnostics> Document::parse(std::string_view text, std::string_view file_name, const Document* before) {
  Findings findings(file_name);
  const auto checked = checked_text(text, findings);
  if (!checked) return tl::unexpected(std::move(findings).take());
  auto schema = Schema::instance();
  ReadResult read = read_text(*schema, *checked, findings);
  validate(*schema, *read.root, read.damaged, nullptr, findings);
  return Impl::finish(std::move(schema), std::move(read.root), before ? &before->impl_->resolution : nullptr, std::move(findings));
}

tl::expected<Document, Diagnostics> Document::edited(const std::vector<Edit>& edits) const {
  Findings findings("");
  NodePtr root = apply_edits(*impl_->schema, *impl_->root, edits, findings);
  if (!findings.failed()) validate(*impl_->schema, *root, {}, impl_->root.get(), findings);
  return Impl::finish(impl_->schema, std::move(root), &impl_->resolution, std::move(findings));
}

tl::expected<Document, Diagnostics> Document::draft(const std::vector<Edit>& edits) const {
  Findings findings("");
  NodePtr root = apply_edits(*impl_->schema, *impl_->root, edits, findings);
  if (findings.failed()) return tl::unexpected(std::move(findings).take());
  // The rules that an unfinished tree breaks are looked at again with each step.
  validate(*impl_->schema, *root, {}, valid() ? impl_->root.get() : nullptr, findings);
  auto finished = Impl::finish(impl_->schema, root, valid() ? &impl_->resolution : nullptr, std::move(findings));
  if (finished) return finished;
  auto impl = std::make_shared<Impl>();
  impl->schema = impl_->schema;
  impl->root = std::move(root);
  for (Diagnostic& each : finished.error()) (each.warning ? impl->warnings : impl->problems).push_back(std::move(each));
  return Document(std::move(impl));
}

const Diagnostics& Document::problems() const { return impl_->problems; }

const Diagnostics& Document::warnings() const { return impl_->warnings; }

std::vector<Change> Document::diff(const Document& to) const { return difference(*impl_->root, *to.impl_->root); }

Result<std::string> Document::print(const PrintOptions& options) const {
  TreePtr shown;
  const auto place = impl_->place(options, shown);
  if (!place) return fail(place.error());
  return print_text(*place, options);
}

Result<std::string> Document::to_json(const PrintOptions& options) const {
  TreePtr shown;
  const auto place = impl_->place(options, shown);
  if (!place) return fail(place.error());
  return print_json(*place, options);
}

std::function<std::optional<std::string>()> Document::ike_pieces(const std::string& vrf, const std::string& only_vpn,
                                                                 const PrintOptions& options, bool json) const {
  const Node* ike = nullptr;
  for (const NodePtr& one : impl_->root->children) {
    if (one->text == vrf) ike = one->child("ike");
  }
  const Node* only = nullptr;
  if (ike && !only_vpn.empty()) only = ike->entry(*ike->schema->child("vpn"), only_vpn);
  if (!ike || (!only && !only_vpn.empty())) return [] { return std::nullopt; };
  auto printer = std::make_shared<IkePrinter>(*ike->schema, ike, only, options, json);
  return [document = *this, printer] { return printer->next(); };
}

model::SystemPtr Document::resolved() const { return impl_->resolution.system; }

std::vector<Completion> Document::complete(std::string_view partial_path) const {
  return completions(*impl_->schema, *impl_->root, partial_path);
}

}  // namespace svti::config
