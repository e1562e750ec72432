// SPDX-License-Identifier: Apache-2.0
#include "ikectl/render.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "ikectl/changes.h"
#include "ikectl/transfer.h"

using namespace svti;

namespace {

void add_diagnostic(vici::Message& response, std::string_view severity, std::string_view line, std::string_view leaf,
                    std::string_view message) {
  vici::Section* list = const_cast<vici::Section*>(response.section("diagnostics"));
  if (list == nullptr) list = &response.add_section("diagnostics");
  list->add_section("n").add("severity", severity).add("file", "iked.conf").add("line", line).add("leaf", leaf).add("message", message);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(render)

BOOST_AUTO_TEST_CASE(diagnostics_are_file_line_leaf_message) {
  vici::Message response;
  add_diagnostic(response, "error", "7", "vpn a version", "is 3, it takes 1 or 2");
  add_diagnostic(response, "warning", "9", "vpn a snmp", "has no effect yet");
  add_diagnostic(response, "error", "0", "", "is empty");
  add_diagnostic(response, "error", "1", "", "bad\x1b[31m");
  BOOST_TEST(ikectl::load_diagnostics_text(response, false) ==
             "iked.conf:7: vpn a version: is 3, it takes 1 or 2\n"
             "iked.conf:9: vpn a snmp: warning: has no effect yet\n"
             "iked.conf: is empty\n"
             "iked.conf:1: bad\\x1b[31m\n");
  BOOST_TEST(ikectl::load_diagnostics_text(response, true).starts_with("\x1b[31miked.conf:7: "));
  response.add("diagnostics-omitted", "12");
  BOOST_TEST(ikectl::load_diagnostics_text(response, false).ends_with("and 12 more\n"));
}

BOOST_AUTO_TEST_CASE(the_summary_counts_and_names) {
  vici::Message applied;
  applied.add("success", "yes").add("applied", "yes");
  vici::Section& plan = applied.add_section("plan");
  plan.add("added", "1").add_list("added-vpns", {"hq"}).add("changed", "9");
  plan.add_list("changed-vpns", {"a", "b", "c", "d", "e", "f", "g", "h", "i"});
  plan.add("removed", "0").add_list("removed-vpns", {}).add("unchanged", "5");
  BOOST_TEST(ikectl::load_summary(applied) ==
             "configuration applied: 1 VPN added (hq), 9 changed (a, b, c, d, e, f, g, h, ...), 0 removed, 5 unchanged\n");
  const auto json = nlohmann::json::parse(ikectl::load_json(applied, {}));
  BOOST_TEST(json.at("applied") == true);
  BOOST_TEST(json.at("plan").at("added").at("vpns").at(0) == "hq");
  BOOST_TEST(json.at("plan").at("changed").at("count") == 9);
  BOOST_TEST(json.at("plan").at("unchanged").at("count") == 5);

  vici::Message refused;
  refused.add("success", "no").add("applied", "no").add("errmsg", "configuration not applied");
  BOOST_TEST(ikectl::load_summary(refused) == "configuration not applied: configuration not applied\n");
  add_diagnostic(refused, "warning", "1", "", "x");
  add_diagnostic(refused, "error", "1", "", "x");
  BOOST_TEST(ikectl::load_summary(refused) == "configuration not applied: 1 error, what ran before goes on\n");
  BOOST_TEST(nlohmann::json::parse(ikectl::load_json(refused, {})).at("diagnostics").size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_plan_names_what_waits_for_a_restart_and_for_a_confirmation) {
  vici::Message response;
  response.add("success", "yes").add("applied", "yes").add("confirm-within", "60");
  response.add_section("plan").add("added", "0").add_list("restart", {"global-options threads", "global-options sa-table-size"});
  BOOST_TEST(ikectl::load_notes(response) ==
             "takes effect when the daemon is restarted: global-options threads, global-options sa-table-size\n"
             "rolls back in 60 s, unless `ikectl confirm` comes before\n");
  const auto json = nlohmann::json::parse(ikectl::load_json(response, {}));
  BOOST_TEST(json.at("confirm-within") == 60);
  BOOST_TEST(json.at("plan").at("restart").size() == 2U);
  vici::Message dry;
  dry.add("success", "yes").add("applied", "no").add_section("plan").add("added", "2");
  BOOST_TEST(ikectl::load_summary(dry).starts_with("configuration would be applied: 2 VPNs added"));
}

BOOST_AUTO_TEST_CASE(changes_are_lines_with_a_sign_and_secrets_are_hidden) {
  using Kind = config::Change::Kind;
  const std::vector<config::Change> changes{
      {Kind::Added, "vpn lab", "", "", false, false},
      {Kind::Added, "vpn hq version", "", "2", false, false},
      {Kind::Removed, "vpn hq local-id", "a.example", "", false, false},
      {Kind::Changed, "global-options threads", "16", "20", false, true},
      {Kind::Changed, "pre-shared-key k secret", "old", "new", true, false},
      {Kind::Added, "certificate c certificate", "", "-----BEGIN CERTIFICATE-----\nMII\n", false, false}};
  BOOST_TEST(ikectl::changes_text(changes, false) ==
             "+ vpn lab\n"
             "+ vpn hq version 2\n"
             "- vpn hq local-id a.example\n"
             "~ global-options threads 16 -> 20  (takes effect with a restart of the daemon)\n"
             "~ pre-shared-key k secret <hidden> -> <hidden>\n"
             "+ certificate c certificate -----BEGIN CERTIFICATE----- ...\n");
  BOOST_TEST(ikectl::change_text(changes[2], true) == "\x1b[31m- vpn hq local-id a.example\x1b[0m\n");
}

BOOST_AUTO_TEST_CASE(times_have_units) {
  BOOST_CHECK(ikectl::parse_seconds("60") == std::chrono::seconds(60));
  BOOST_CHECK(ikectl::parse_seconds("60s") == std::chrono::seconds(60));
  BOOST_CHECK(ikectl::parse_seconds("5m") == std::chrono::seconds(300));
  BOOST_CHECK(ikectl::parse_seconds("24h") == std::chrono::seconds(86400));
  for (const char* wrong : {"", "0", "s", "-1", "25h", "1d", "1 m", "99999999999", "4294967295h"})
    BOOST_CHECK(!ikectl::parse_seconds(wrong));
}

BOOST_AUTO_TEST_CASE(log_lines_and_outcomes) {
  vici::Message event;
  event.add("group", "IKE").add("ikesa-name", "hq").add("msg", "a\x07z");
  BOOST_TEST(ikectl::log_line(event) == "[IKE] hq: a\\x07z");
  BOOST_TEST(nlohmann::json::parse(ikectl::outcome_json("hq", "", {})) == nlohmann::json::parse(R"({"vpn":"hq","success":true})"));
  BOOST_TEST(nlohmann::json::parse(ikectl::outcome_json("hq", "p", system_error("no"))) ==
             nlohmann::json::parse(R"({"vpn":"hq","policy":"p","success":false,"error":"no"})"));
}

BOOST_AUTO_TEST_CASE(an_explanation_is_columns_and_one_line_of_advice) {
  vici::Message event;
  event.add("vpn", "hq").add("policy", "").add("exchange", "IKE_SA_INIT").add("role", "responder");
  event.add("rekey", "no").add("succeeded", "no").add("authenticated", "no").add("cause", "ike-proposal");
  event.add("reason", "no proposal fits").add("local", "192.0.2.2:500").add("remote", "192.0.2.1:500");
  event.add("age", "5").add("repeated", "0").add("rejected-more", "0");
  vici::Section& table = event.add_section("tables").add_section("1");
  table.add("title", "ike-proposal 1 with the peer's proposal 1");
  vici::Section& rows = table.add_section("rows");
  rows.add_section("1").add("what", "encryption algorithm").add("ours", "aes128-cbc").add("theirs", "aes256-cbc").add("verdict", "fails");
  rows.add_section("2").add("what", "key exchange group").add("ours", "ecp256").add("theirs", "").add("verdict", "unknown");
  event.add_section("advice").add("side", "either").add("leaf", "vpn hq enc-alg").add("text", "add it");
  BOOST_TEST(ikectl::explanation_text(event, false) ==
             "hq: negotiation of the IKE SA failed: ike-proposal, IKE_SA_INIT, 5 s ago\n"
             "  no proposal fits\n"
             "  we were the responder: 192.0.2.2:500 with 192.0.2.1:500\n"
             "  the peer was not authenticated: anyone may have sent this\n"
             "\n"
             "  ike-proposal 1 with the peer's proposal 1\n"
             "                          ours        theirs\n"
             "  ! encryption algorithm  aes128-cbc  aes256-cbc  <- does not fit\n"
             "  ? key exchange group    ecp256      (not told)\n"
             "\n"
             "  change here or at the peer: vpn hq enc-alg: add it\n");
  const auto json = nlohmann::json::parse(ikectl::explanations_json({event}));
  BOOST_TEST(json[0]["cause"] == "ike-proposal");
  BOOST_TEST(json[0]["succeeded"] == false);
  BOOST_TEST(json[0]["tables"][0]["rows"][0]["theirs"] == "aes256-cbc");
  BOOST_TEST(json[0]["advice"]["leaf"] == "vpn hq enc-alg");
}

BOOST_AUTO_TEST_SUITE_END()
