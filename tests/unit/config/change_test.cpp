// SPDX-License-Identifier: Apache-2.0
// VRFs, paths, edits and differences.
#include <boost/test/unit_test.hpp>

#include "config/document.h"

using namespace svti;
using config::Change;
using config::Document;
using config::Edit;

namespace {

const char* const kBase =
    "ike-policy-template i ike-proposal 1 enc-alg aes128-cbc auth-alg hmac-sha256 dh-group ecp256\n"
    "ipsec-policy-template p esp-proposal 1 aead-alg aes128-gcm-128\n"
    "ike-policy-template i rekey-time 2h\n"
    "pre-shared-key k\n    id b.example\n    secret hunter2\n    ..\n"
    "vpn a\n    ike-policy template i\n    ipsec-policy template p\n    remote-address 192.0.2.1\n    security-policy s\n        ..\n    "
    "..\n"
    "vpn b\n    ike-policy template i\n    ipsec-policy template p\n    remote-address 192.0.2.2\n    security-policy s\n";

Document load(std::string_view text) {
  auto parsed = Document::parse(text, "f");
  BOOST_TEST_REQUIRE(parsed.has_value(), (parsed ? "" : parsed.error().front().to_string()));
  return *parsed;
}

Document edited(const Document& document, const std::vector<Edit>& edits) {
  auto out = document.edited(edits);
  BOOST_TEST_REQUIRE(out.has_value(), (out ? "" : out.error().front().to_string()));
  return *out;
}

std::string refusal(const Document& document, const std::vector<Edit>& edits) {
  const auto out = document.edited(edits);
  BOOST_TEST_REQUIRE(!out.has_value());
  return out.error().front().to_string();
}

std::string shown(const Document& document, const std::string& path) { return document.print({false, true, false, path}).value(); }

std::string plan(const Document& from, const Document& to) {
  std::string out;
  for (const Change& change : from.diff(to)) {
    out += change.kind == Change::Kind::Added ? "+" : change.kind == Change::Kind::Removed ? "-" : "~";
    out += change.path + "|" + change.before + "|" + change.after + (change.secret ? " secret" : "") + (change.restart ? " restart" : "") +
           "\n";
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(change)

BOOST_AUTO_TEST_CASE(what_has_no_effect_is_told_after_each_edit_while_it_is_there) {
  const Document before = load(kBase);
  BOOST_TEST(before.warnings().empty());
  const Document with = edited(before, {{false, "ike-policy-template i aggressive true"}});
  BOOST_TEST_REQUIRE(with.warnings().size() == 1U);
  BOOST_TEST(with.warnings().front().leaf == "ike-policy-template i aggressive");
  // an edit elsewhere
  const Document still = edited(with, {{false, "vpn a remote-address 192.0.2.9"}});
  BOOST_TEST(still.warnings().size() == 1U);
  const Document without = edited(still, {{true, "ike-policy-template i aggressive"}});
  BOOST_TEST(without.warnings().empty());
  BOOST_TEST(edited(without, {{false, "vpn a remote-address 192.0.2.1"}}).warnings().empty());
}

BOOST_AUTO_TEST_CASE(an_edit_of_one_vpn_leaves_the_others_the_same_objects_and_one_of_a_template_does_not) {
  const Document before = load(kBase);
  const auto vpns = [](const Document& document) { return document.resolved()->vrfs.at("main").ike->vpns; };
  const Document after = edited(before, {{false, "vpn a remote-address 192.0.2.9"}});
  BOOST_CHECK(vpns(after).at("b") == vpns(before).at("b"));
  BOOST_TEST(vpns(after).at("a")->remote_address->to_string() == "192.0.2.9");
  const Document changed = edited(after, {{false, "ike-policy-template i rekey-time 5h"}});
  for (const char* name : {"a", "b"}) BOOST_TEST(vpns(changed).at(name)->ike.rekey_time.count() == 5 * 3600);
}

BOOST_AUTO_TEST_CASE(vrfs_stand_apart_and_print_again) {
  const Document document = load(
      "vrf blue\n    ike\n        global-options threads 2\n        ..\n    interface svti svti7 svti-id 7 link-vrf main\n    ..\n"
      "/ vrf main ike global-options threads 3\ninterface svti svti7\n    svti-id 8\n    ipv4 address 10.0.0.1/24\n");
  const auto system = document.resolved();
  BOOST_TEST(system->vrfs.at("blue").ike->global.threads == 2U);
  BOOST_TEST(system->vrfs.at("main").ike->global.threads == 3U);
  BOOST_TEST(system->vrfs.at("blue").interfaces.front().link_vrf == "main");
  BOOST_TEST(system->vrfs.at("main").interfaces.front().addresses.front().address.to_string() == "10.0.0.1");
  const std::string text = document.print({false, true, false, ""}).value();
  BOOST_TEST(load(text).print({false, true, false, ""}).value() == text);
  BOOST_TEST(shown(document, "/ vrf blue ike global-options threads") == "threads 2\n");
  BOOST_TEST(shown(document, "interface svti svti7 svti-id") == "svti-id 8\n");
}

BOOST_AUTO_TEST_CASE(one_svti_id_names_one_interface_of_a_link_vrf) {
  const auto parsed = Document::parse("interface svti svti1 svti-id 7\n/ vrf blue interface svti svti2 svti-id 7 link-vrf main\n", "f");
  BOOST_TEST_REQUIRE(!parsed.has_value());
  BOOST_TEST(parsed.error().back().to_string().find("vrf blue interface svti svti2 svti-id: 7 is that of 'interface svti svti1' already") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_path_that_leads_nowhere_is_told) {
  const Document document = load(kBase);
  BOOST_TEST(document.print({true, true, false, "vpn ax"}).error().message == "there is no vpn 'ax' (did you mean 'a'?)");
  BOOST_TEST(document.print({true, true, false, "vpn a local-adress"}).error().message.find("did you mean 'local-address'") !=
             std::string::npos);
  BOOST_TEST(document.print({true, true, false, "vpn a local-address"}).error().message == "'vpn a local-address' is not set");
}

BOOST_AUTO_TEST_CASE(an_edit_shares_what_it_is_not_about) {
  const Document before = load(kBase);
  const Document after = edited(
      before, {{false, "vpn a ike-policy rekey-time 3h"}, {true, "vpn b remote-address"}, {false, "vpn b remote-address 192.0.2.3"}});
  const auto& old_ike = *before.resolved()->vrfs.at("main").ike;
  const auto& new_ike = *after.resolved()->vrfs.at("main").ike;
  BOOST_TEST(new_ike.preshared_keys.front() == old_ike.preshared_keys.front());
  BOOST_TEST(new_ike.vpns.at("a") != old_ike.vpns.at("a"));
  BOOST_TEST(new_ike.vpns.at("a")->ike.rekey_time.count() == 10800);
  BOOST_TEST(old_ike.vpns.at("a")->ike.rekey_time.count() == 7200);
  BOOST_TEST(plan(before, after) ==
             "+vrf main ike vpn a ike-policy rekey-time||3h\n~vrf main ike vpn b remote-address|192.0.2.2|192.0.2.3\n");
  BOOST_TEST(plan(after, after) == "");
  const Document whole = load(after.print({false, true, false, ""}).value());
  BOOST_TEST(plan(after, whole) == "");
  // a template concerns all that use it
  const Document other = edited(before, {{false, "ike-policy-template i rekey-time 5h"}});
  BOOST_TEST(other.resolved()->vrfs.at("main").ike->vpns.at("b")->ike.rekey_time.count() == 18000);
}

BOOST_AUTO_TEST_CASE(a_reload_of_the_same_text_gives_the_same_objects) {
  const Document before = load(kBase);
  const auto after = Document::parse(std::string("# moved down\n") + kBase, "g", &before);
  BOOST_TEST(after->resolved()->vrfs.at("main").ike->vpns.at("a") == before.resolved()->vrfs.at("main").ike->vpns.at("a"));
  BOOST_TEST(after->resolved()->vrfs.at("main").ike->preshared_keys == before.resolved()->vrfs.at("main").ike->preshared_keys);
}

BOOST_AUTO_TEST_CASE(edits_apply_whole_or_not_at_all) {
  const Document document = load(kBase);
  BOOST_TEST(refusal(document, {{false, "vpn a mtu 3"}}).find("1: vpn a: 'mtu' is not known") != std::string::npos);
  BOOST_TEST(refusal(document, {{true, "vpn c"}}).find("there is no vpn 'c'") != std::string::npos);
  BOOST_TEST(refusal(document, {{true, "vpn a local-address"}}).find("is not set") != std::string::npos);
  BOOST_TEST(refusal(document, {{false, "vpn a local-address"}}).find("needs a value") != std::string::npos);
  BOOST_TEST(refusal(document, {{true, "ike-policy-template i"}}).find("there is no ike-policy-template 'i'") != std::string::npos);
  BOOST_TEST(refusal(document, {{true, "pre-shared-key k secret"}}).find("is missing") != std::string::npos);
  BOOST_TEST(refusal(document, {{false, "ike-policy-template i ike-proposal 1 aead-alg aes128-gcm-128"}}).find("aead-alg goes without") !=
             std::string::npos);
  BOOST_TEST(refusal(document, {{false, ""}}).find("a path is missing") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_plan_hides_secrets_and_names_what_needs_a_restart) {
  const Document before = load(kBase);
  BOOST_TEST(plan(before, edited(before, {{false, "pre-shared-key k secret other"}, {false, "global-options threads 16"}})) ==
             "~vrf main ike pre-shared-key k secret|<hidden>|<hidden> secret\n+vrf main ike global-options threads||16\n");
  BOOST_TEST(plan(before, edited(before, {{false, "global-options threads 17"}, {true, "vpn b"}})) ==
             "+vrf main ike global-options threads||17 restart\n-vrf main ike vpn b||\n");
}

BOOST_AUTO_TEST_CASE(resolved_shows_values_instead_of_templates) {
  const Document document = load(kBase);
  const std::string text = document.print({true, true, true, "vpn a ike-policy"}).value();
  BOOST_TEST(text.find("template") == std::string::npos);
  BOOST_TEST(text.find("    rekey-time 2h\n") != std::string::npos);
  BOOST_TEST(text.find("    mobike false\n") != std::string::npos);
  const Document again = load(document.print({true, true, true, ""}).value());
  BOOST_TEST((*again.resolved()->vrfs.at("main").ike->vpns.at("a") == *document.resolved()->vrfs.at("main").ike->vpns.at("a")));
}

BOOST_AUTO_TEST_CASE(a_draft_that_names_no_template_is_resolved_without_it) {
  const auto draft = Document().draft({{false, "vpn v ike-policy template nowhere"}, {false, "vpn v ike-policy dpd-delay 3s"}});
  BOOST_TEST_REQUIRE(draft.has_value());
  BOOST_TEST(!draft->valid());
  BOOST_TEST(draft->print({false, true, true, "vpn v"}).value() == "vpn v\n    ike-policy\n        dpd-delay 3s\n        ..\n    ..\n");
}

BOOST_AUTO_TEST_CASE(a_path_is_completed) {
  const Document document = load(kBase);
  const auto words = [&](std::string_view path) {
    std::string out;
    for (const auto& one : document.complete(path)) out += one.word + " ";
    return out;
  };
  BOOST_TEST(words("vp") == "vpn ");
  BOOST_TEST(words("vpn ") == "a b ");
  BOOST_TEST(words("vpn a remote-a") == "remote-address ");
  BOOST_TEST(words("vpn a ike-policy template ") == "i ");
  BOOST_TEST(words("/ vrf main ike vpn a ike-policy mobike ") == "true false ");
  BOOST_TEST(words("nonsense ") == "");
}

BOOST_AUTO_TEST_SUITE_END()
