// SPDX-License-Identifier: Apache-2.0
// A configuration as the user wrote it: the guide's native text form over the YANG schema (docs/yang), and what it resolves to.
//
// Paths are the words of the text form: "vpn hq ike-policy mobike". They begin in `ike` of VRF main, or at the top where they begin with
// `vrf` (or, with `interface` and `ike`, in VRF main); "/ vrf main ike vpn hq" says so explicitly.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/result.h"
#include "model/config.h"

namespace svti::config {

// One finding about a configuration text. Shown as "FILE:LINE: LEAF: MESSAGE".
struct Diagnostic {
  bool warning = false;
  std::string file;
  unsigned line = 0;    // from 1; 0 when it is about the whole, or about what no text said
  std::string leaf;     // path, "vpn siteA-siteB local-address"
  std::string message;  // what is wrong, what is allowed, how to mend it

  std::string to_string() const;
};
using Diagnostics = std::vector<Diagnostic>;

struct PrintOptions {
  bool defaults = true;
  bool secrets = true;    // false: secret values print as "<hidden>"
  bool resolved = false;  // templates folded into the VPNs that use them, and not shown themselves
  std::string path;       // only what stands there; empty: everything
};

// One command that changes a configuration.
struct Edit {
  bool remove = false;
  std::string path;  // "vpn hq ike-policy mobike true"; to remove: a leaf, a value of a leaf-list, or a whole context
};

// One difference between two documents: a leaf, or a list entry (or context whose presence means something) that came or went as a whole.
struct Change {
  enum class Kind : std::uint8_t { Added, Removed, Changed };
  Kind kind{};
  std::string path;           // from the top: "vrf main ike vpn hq version"
  std::string before, after;  // values of a leaf in the text form; secret ones as "<hidden>". Both empty: the whole entry
  bool secret = false;
  bool restart = false;  // takes effect when the daemon starts again
};

// What may stand next in a path.
struct Completion {
  std::string word;
  std::string description;  // one line, from the schema; empty for names that the user gave
};

// A parsed and validated configuration tree. Immutable, so copies share everything; documents that come from each other by edits share
// what is equal.
class Document {
 public:
  // nothing configured: no VRF, no IKE
  Document();
  // Whole or not at all: any error means no document. Warnings (a leaf without effect yet, a weak algorithm) are in warnings(). VPNs and
  // keys that are equal to those of `before` are the same objects in resolved().
  static tl::expected<Document, Diagnostics> parse(std::string_view text, std::string_view file_name, const Document* before = nullptr);
  // All edits, in their order, or none. A finding's line is the number of its edit, from 1.
  tl::expected<Document, Diagnostics> edited(const std::vector<Edit>& edits) const;

  // The same for somebody who is in the middle of it: a rule between nodes that is broken (what a VPN lacks, a template that is not there)
  // is no error, but makes a document that is not valid. Such a one may be edited, printed and compared; it has nothing in resolved().
  tl::expected<Document, Diagnostics> draft(const std::vector<Edit>& edits) const;
  bool valid() const { return problems().empty(); }
  const Diagnostics& problems() const;  // what keeps a draft from being valid

  const Diagnostics& warnings() const;
  // what makes `to` of this document, in the order of the tree
  std::vector<Change> diff(const Document& to) const;
  // Native text form; parse(print(d)) gives the same tree. An error: there is no such path.
  Result<std::string> print(const PrintOptions& options) const;
  // RFC 7951; with a path, one object of what stands there
  Result<std::string> to_json(const PrintOptions& options) const;
  // What print() or to_json() shows of the `ike` of a VRF, or (with `only_vpn`) of one VPN in it, as pieces that are made one by one: a
  // large configuration never stands in memory as text. In text they are the lines below `ike`, one context deep, in JSON the members of
  // its object. options.path is not looked at. No VPN of that name, or no `ike`: no piece. They keep what they need of the document.
  std::function<std::optional<std::string>()> ike_pieces(const std::string& vrf, const std::string& only_vpn, const PrintOptions& options,
                                                         bool json) const;
  // templates folded into VPNs, defaults filled in
  model::SystemPtr resolved() const;
  // What may stand in place of the last word of `partial_path`, or behind it when it ends in a blank; what is configured comes with it.
  std::vector<Completion> complete(std::string_view partial_path) const;

 private:
  struct Impl;
  explicit Document(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace svti::config
