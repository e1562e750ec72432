// SPDX-License-Identifier: Apache-2.0
// Every `show config` block of the guide (tests/vectors/guide), as it is printed there.
#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "config/document.h"
#include "model/algorithm.h"

using namespace svti;
using config::Diagnostic;
using config::Document;

namespace {

const std::filesystem::path kGuide = SVTI_SOURCE_DIR "/tests/vectors/guide";

std::string read_block(const std::string& name) {
  std::ifstream in(kGuide / (name + ".conf"), std::ios::binary);
  BOOST_TEST_REQUIRE(in.good(), "cannot read " << name);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

bool is_elision(const std::string& line) {
  return line.find_first_not_of(' ') != std::string::npos && line.substr(line.find_first_not_of(' ')) == "(...)";
}

std::string without_elisions(const std::string& text) {
  std::string out;
  for (const std::string& line : lines_of(text)) {
    if (!is_elision(line)) out += line + "\n";
  }
  return out;
}

std::vector<std::string> shown(const config::Diagnostics& found, bool warnings) {
  std::vector<std::string> out;
  for (const Diagnostic& one : found) {
    if (one.warning == warnings) out.push_back(one.to_string());
  }
  return out;
}

Document load(const std::string& text) {
  auto parsed = Document::parse(text, "guide");
  if (!parsed) {
    for (const Diagnostic& one : parsed.error()) BOOST_TEST_MESSAGE(one.to_string());
  }
  BOOST_TEST_REQUIRE(parsed.has_value());
  return std::move(*parsed);
}

// Blocks that show a part of a configuration whose other parts are not printed: the errors that remain when the elisions are taken out.
const std::map<std::string, std::vector<std::string>> kIncomplete = {
    {"crl",
     {"guide:3: certificate-authority hq-authority: '(...)' stands for what was left out of a printed configuration: write it out, or take "
      "this line away"}},
    {"crl-uri",
     {"guide:3: certificate-authority hq-authority: '(...)' stands for what was left out of a printed configuration: write it out, or take "
      "this line away",
      "guide:4: certificate-authority hq-authority: '(...)' stands for what was left out of a printed configuration: write it out, or take "
      "this line away"}},
    {"local-certificate",
     {"guide:4: vpn siteA-roadw ike-policy template: there is no ike-policy-template 'iketemp1'",
      "guide:8: vpn siteA-roadw ipsec-policy template: there is no ipsec-policy-template 'ipsectemp1'",
      "guide:10: vpn siteA-roadw certificate: there is no certificate 'secgw-a'"}},
    {"remote-certificate",
     {"guide:4: vpn siteA-roadw ike-policy template: there is no ike-policy-template 'iketemp1'",
      "guide:8: vpn siteA-roadw ipsec-policy template: there is no ipsec-policy-template 'ipsectemp1'",
      "guide:10: vpn siteA-roadw remote-ca-certificate: there is no certificate-authority 'hq-authority'"}},
};

std::vector<std::string> block_names() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(kGuide)) {
    if (entry.path().extension() == ".conf") out.push_back(entry.path().stem().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(guide)

BOOST_AUTO_TEST_CASE(all_blocks_are_here) { BOOST_TEST(block_names().size() == 34U); }

BOOST_DATA_TEST_CASE(a_block_loads_and_is_printed_again, boost::unit_test::data::make(block_names()), name) {
  const std::string text = without_elisions(read_block(name));
  const auto parsed = Document::parse(text, "guide");
  if (const auto expected = kIncomplete.find(name); expected != kIncomplete.end()) {
    BOOST_TEST_REQUIRE(!parsed.has_value());
    BOOST_TEST(shown(parsed.error(), false) == expected->second, boost::test_tools::per_element());
    return;
  }
  BOOST_TEST_REQUIRE(parsed.has_value(), (parsed ? "" : parsed.error().front().to_string()));
  for (const bool defaults : {true, false}) {
    const std::string printed = parsed->print({defaults, true, false, "ike"}).value();
    const Document again = load(printed);
    BOOST_TEST(again.print({defaults, true, false, "ike"}).value() == printed);
    BOOST_TEST(again.to_json({true, true, false, ""}).value() == parsed->to_json({true, true, false, ""}).value());
  }
}

BOOST_DATA_TEST_CASE(a_line_that_was_left_out_is_named, boost::unit_test::data::make(block_names()), name) {
  const std::string text = read_block(name);
  std::vector<unsigned> expected;
  unsigned number = 0;
  for (const std::string& line : lines_of(text)) {
    ++number;
    if (line.find("(...)") != std::string::npos) expected.push_back(number);
  }
  if (expected.empty()) return;
  const auto parsed = Document::parse(text, "guide");
  BOOST_TEST_REQUIRE(!parsed.has_value());
  std::vector<unsigned> found;
  for (const Diagnostic& one : parsed.error()) {
    if (one.message.find("'(...)' stands for") != std::string::npos) found.push_back(one.line);
  }
  BOOST_TEST(found == expected, boost::test_tools::per_element());
}

// the others stand in another order there, or are printed with defaults or without their last ".."
BOOST_AUTO_TEST_CASE(a_block_prints_octet_for_octet_as_in_the_guide) {
  for (const char* name : {"acquire-timeout", "ah-proposal", "certificate", "certificate-authority", "dos-protection", "eap-key",
                           "esn-aead", "esn-either", "esn-refused", "esn-required", "esp-proposal", "ike-proposal", "pfs", "pre-shared-key",
                           "retransmission", "sa-table", "threads", "vpn"}) {
    BOOST_TEST_CONTEXT(name) {
      const std::string block = without_elisions(read_block(name));
      const std::string printed = load(block).print({false, true, false, "ike"}).value();
      BOOST_TEST((printed == block || printed == block + "    ..\n"), printed);
    }
  }
}

BOOST_AUTO_TEST_CASE(templates_start_with_the_guides_defaults) {
  for (const char* kind : {"ike-policy-template", "ipsec-policy-template"}) {
    const std::string block = read_block(std::string(kind) + "-defaults");
    const Document document = load(lines_of(block).front() + "\n..\n");
    const std::string printed = document.print({true, true, false, "ike"}).value();
    for (const std::string& line : lines_of(block)) BOOST_TEST(printed.find("    " + line + "\n") != std::string::npos, line);
  }
}

BOOST_AUTO_TEST_CASE(the_site_to_site_vpn_loads_with_its_svti) {
  std::string text = read_block("site-to-site");
  const std::string anchor = "            remote-ts subnet 192.168.99.0/24\n";
  BOOST_TEST_REQUIRE(text.find(anchor) != std::string::npos);
  text.insert(text.find(anchor) + anchor.size(), "            svti-id-in 100\n            svti-id-out 100\n");
  const Document document = load(text);
  BOOST_TEST(document.warnings().empty());

  const model::ConfigurationPtr configuration = document.resolved()->vrfs.at("main").ike;
  BOOST_TEST_REQUIRE(configuration->vpns.size() == 1U);
  const model::Vpn& vpn = *configuration->vpns.at("siteA-siteB");
  BOOST_TEST(vpn.local_address->to_string() == "192.0.2.1");
  BOOST_TEST(vpn.remote_address->to_string() == "198.51.100.1");
  BOOST_TEST(vpn.local_id->to_string() == "secgwa.6wind.net");
  BOOST_TEST(vpn.remote_id->to_string() == "secgwb.6wind.net");
  BOOST_TEST_REQUIRE(vpn.policies.size() == 1U);
  const model::SecurityPolicy& trunk = vpn.policies.front();
  BOOST_TEST(trunk.name == "trunk");
  BOOST_TEST(trunk.local_ts.front().subnet->to_string() == "192.168.0.0/24");
  BOOST_TEST(trunk.remote_ts.front().subnet->to_string() == "192.168.99.0/24");
  BOOST_TEST(trunk.svti_id_in == 100U);
  BOOST_TEST(trunk.svti_id_out == 100U);

  using wire::TransformType;
  BOOST_TEST_REQUIRE(vpn.ike.proposals.size() == 1U);
  const wire::Proposal ike{
      1,
      wire::ProtocolId::Ike,
      {},
      {{TransformType::Encryption, 12, 128}, {TransformType::Prf, 7}, {TransformType::Integrity, 14}, {TransformType::KeyExchange, 14}}};
  BOOST_TEST((vpn.ike.proposals.front() == ike));
  BOOST_TEST_REQUIRE(vpn.ipsec.esp_proposals.size() == 1U);
  const wire::Proposal esp{
      1, wire::ProtocolId::Esp, {}, {{TransformType::Encryption, 12, 128}, {TransformType::Integrity, 12}, {TransformType::Esn, 0}}};
  BOOST_TEST((vpn.ipsec.esp_proposals.front() == esp));
  BOOST_TEST((vpn.ipsec.start_action == model::StartAction::Trap));

  BOOST_TEST_REQUIRE(configuration->preshared_keys.size() == 1U);
  const model::PresharedKey& key = *configuration->preshared_keys.front();
  BOOST_TEST(key.name == "siteb");
  BOOST_TEST(key.ids.front().to_string() == "secgwb.6wind.net");
  // decoded by coreutils' base64
  BOOST_TEST(to_hex(key.secret.view()) == "79a277d517f31cd46f5121f4a14620ef39d35b42");
}

BOOST_AUTO_TEST_SUITE_END()
