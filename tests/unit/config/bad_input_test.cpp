// SPDX-License-Identifier: Apache-2.0
// Texts that nobody should send: cut short, damaged, endless. Each gets an error that can be read, in bounded time and memory, and what
// loads all the same is a whole tree.
#include <malloc.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "config/document.h"
#include "config/text.h"

using namespace svti;
using config::Document;

namespace {

std::map<std::string, std::string> guide_blocks() {
  std::map<std::string, std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(SVTI_SOURCE_DIR "/tests/fuzz/corpus/fuzz_config")) {
    std::ifstream file(entry.path());
    out[entry.path().filename()] = std::string(std::istreambuf_iterator<char>(file), {});
  }
  return out;
}

// loads, prints and loads again to the same; or has findings that can be read
void check_whole_or_refused(const std::string& text, const std::string& what) {
  const auto parsed = Document::parse(text, "f");
  if (!parsed) {
    BOOST_TEST_REQUIRE(!parsed.error().empty(), what);
    for (const config::Diagnostic& one : parsed.error()) {
      const bool readable = !one.message.empty() && one.to_string().find('\n') == std::string::npos;
      BOOST_TEST_REQUIRE(readable, what << ": " << one.to_string());
    }
    return;
  }
  const std::string printed = parsed->print({false, true, false, ""}).value();
  const auto again = Document::parse(printed, "f");
  BOOST_TEST_REQUIRE(again.has_value(), what);
  BOOST_TEST_REQUIRE(again->print({false, true, false, ""}).value() == printed, what);
}

// KiB that the process has held at most since the last reset
long peak(bool reset) {
  if (reset) std::ofstream("/proc/self/clear_refs") << 5;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
  }
  return 0;
}

struct Cost {
  long mib = 0;
  double seconds = 0;
};

template <typename Work>
Cost cost_of(Work work) {
  malloc_trim(0);
  const long before = peak(true);
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  return {(peak(false) - before) / 1024, time.count()};
}

std::string repeated(std::string_view piece, std::size_t octets) {
  std::string out;
  out.reserve(octets + piece.size());
  while (out.size() < octets) out += piece;
  out.resize(octets);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bad_input)

BOOST_AUTO_TEST_CASE(a_text_cut_short_anywhere_is_refused_or_a_whole_tree) {
  const auto blocks = guide_blocks();
  std::size_t cuts = 0;
  for (const char* name : {"site-to-site", "concentrator", "esp-proposal", "logging", "eap-radius", "templates"}) {
    const std::string& text = blocks.at(name);
    BOOST_TEST_REQUIRE(text.size() > 50U, name);
    for (std::size_t size = 0; size < text.size(); ++size, ++cuts)
      check_whole_or_refused(text.substr(0, size), std::string(name) + " up to octet " + std::to_string(size));
  }
  BOOST_TEST_MESSAGE(cuts << " cuts");
}

BOOST_AUTO_TEST_CASE(the_name_of_a_key_is_no_keyword) {
  const auto first = [](std::string_view text) { return Document::parse(text, "f").error().front().to_string(); };
  BOOST_TEST(first("vpn v\nname w\n").starts_with("f:2: vpn v name: is not known"));
  BOOST_TEST(first("ipsec-policy-template t\n    esp-proposal 1\n    id 2\n")
                 .starts_with("f:3: ipsec-policy-template t esp-proposal 1 id: is not known"));
  BOOST_TEST(first("vrf red\nname blue\n").starts_with("f:2: vrf red name: is not known"));
}

BOOST_AUTO_TEST_CASE(a_damaged_octet_is_refused_or_means_something_else) {
  for (const auto& [name, text] : guide_blocks()) {
    if (text.size() > 3000) continue;
    for (std::size_t at = 0; at < text.size(); at += 7) {
      for (const char octet : {'\0', '"', '\n', '\xc3', '\\', '.'}) {
        std::string damaged = text;
        damaged[at] = octet;
        check_whole_or_refused(damaged, name + " with octet " + std::to_string(at) + " damaged");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(nesting_is_as_deep_as_the_schema_and_no_deeper) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::string(static_cast<std::size_t>(i % 50), ' ') + "vpn v" + std::to_string(i) + "\n";
  const auto parsed = Document::parse(text, "f");
  BOOST_TEST_REQUIRE(!parsed.has_value());
  BOOST_TEST(parsed.error().front().to_string() == "f:2: vpn v0 vpn: stands in 'ike', not here");
  BOOST_TEST(Document::parse(repeated("vpn a ", 2000), "f").error().front().to_string() ==
             "f:1: more than 256 words in one line: is a line end missing?");
  check_whole_or_refused(repeated("security-policy a ", 100000), "policies in policies");
  check_whole_or_refused(repeated("vrf a\n", 100000), "VRFs in VRFs");
}

// Templates name no templates, so there is no cycle to make; a policy that names itself, or another kind, names nothing.
BOOST_AUTO_TEST_CASE(templates_cannot_be_made_to_go_in_circles) {
  const auto why = [](std::string_view text) {
    const auto parsed = Document::parse(text, "f");
    BOOST_TEST_REQUIRE(!parsed.has_value());
    return parsed.error().front().to_string();
  };
  BOOST_TEST(why("ike-policy-template a template a\n").starts_with("f:1: ike-policy-template a template: is not known"));
  BOOST_TEST(why("ike-policy-template a\n..\nvpn v ipsec-policy template a\n") ==
             "f:3: vpn v ipsec-policy template: there is no ipsec-policy-template 'a'");
  BOOST_TEST(
      why("/ vrf b ike ike-policy-template a\n/ vrf c ike vpn v ike-policy template a\n").find("there is no ike-policy-template 'a'") !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(endless_texts_are_refused_at_once_and_the_longest_in_bounded_memory) {
  for (const std::string_view piece : {std::string_view("\xff\x00\x17 garbage"), std::string_view("vpn"), std::string_view("\"")}) {
    const std::string text = repeated(piece, 100'000'000);
    std::string why;
    const Cost cost = cost_of([&] { why = Document::parse(text, "f").error().front().to_string(); });
    BOOST_TEST(why == "f: the text has 100000000 octets; 16777216 are allowed");
    BOOST_TEST(cost.mib < 2);
    BOOST_TEST(cost.seconds < 1.0);
  }
  // Up to the limit: its own copy, and nodes for what there is to keep.
#ifdef __SANITIZE_ADDRESS__
  constexpr long kMost = 800;  // MiB, with what the sanitizer holds back
#else
  constexpr long kMost = 200;
#endif
  std::map<std::string, std::string> longest = {
      {"octets that are no text", repeated("\xff\xfe", config::kMaxTextSize)},
      {"one word", repeated("x", config::kMaxTextSize)},
      {"quotes", repeated("description \"x", config::kMaxTextSize)},
      {"unknown leaves", repeated("bad leaf\n", config::kMaxTextSize)},
      {"a line of open contexts", repeated("vpn a ", config::kMaxTextSize)},
      {"blank lines", repeated("\n", config::kMaxTextSize)},
      {"comments", repeated("# comment\n", config::kMaxTextSize)},
      {"closed contexts", repeated("..\n", config::kMaxTextSize)},
      {"the same again", repeated("logging\n    ..\n\n", config::kMaxTextSize)},
  };
  std::string& values = longest["as many values as go in"] = "vpn v\n";
  for (unsigned i = 0; values.size() < config::kMaxTextSize - 40; ++i)
    values += "vip-request 10." + std::to_string(i >> 16 & 255) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255) + "\n";
  std::string& entries = longest["more entries than go in"];
  for (int i = 0; entries.size() < config::kMaxTextSize - 40; ++i) entries += "vpn " + std::to_string(i) + "\n..\n";
  for (const auto& [what, text] : longest) {
    const bool is_fine = what == "blank lines" || what == "comments" || what == "the same again";
    const Cost cost = cost_of([&, text = std::string_view(text)] { BOOST_TEST(Document::parse(text, "f").has_value() == is_fine, what); });
    BOOST_TEST_MESSAGE(what << ": " << cost.mib << " MiB, " << cost.seconds << " s");
    BOOST_TEST(cost.mib < kMost, what << " took " << cost.mib << " MiB");
  }
}

BOOST_AUTO_TEST_SUITE_END()
