// SPDX-License-Identifier: Apache-2.0
// The shell of `ikectl edit` without a terminal and without a daemon: the guide's own sessions, and what goes wrong in one.
#include "ikectl/shell.h"

#include <boost/test/unit_test.hpp>
#include <sstream>

#include "ikectl/line_editor.h"

using namespace svti;
using ikectl::Shell;

namespace {

constexpr std::string_view kRunning = R"(ike
    ike-policy-template iketemp1
        ike-proposal 1
            aead-alg aes128-gcm-128
            prf-alg hmac-sha256
            dh-group curve25519
            ..
        ..
    ipsec-policy-template ipsectemp1
        esp-proposal 1
            aead-alg aes128-gcm-128
            ..
        ..
    vpn hq
        ike-policy template iketemp1
        ipsec-policy template ipsectemp1
        local-address 192.0.2.1
        remote-address 198.51.100.1
        security-policy trunk
            local-ts subnet 192.168.0.0/24
            remote-ts subnet 192.168.99.0/24
            ..
        ..
    pre-shared-key hq
        id 198.51.100.1
        secret "well kept"
        ..
    ..
)";

struct FakeDaemon : ikectl::ShellDaemon {
  std::string text{kRunning};
  bool accepts = true;
  std::vector<config::Edit> applied;
  std::optional<std::chrono::seconds> confirm_within;
  std::string calls;

  Result<config::Document> running() override {
    auto parsed = config::Document::parse(text, "running");
    BOOST_REQUIRE_MESSAGE(parsed, (parsed ? "" : parsed.error().front().to_string()));
    return *parsed;
  }
  Result<bool> apply(const std::vector<config::Edit>& edits, std::optional<std::chrono::seconds> within, std::ostream&) override {
    if (!accepts) return false;
    applied = edits;
    confirm_within = within;
    config::PrintOptions plain;
    plain.defaults = false;
    text = running()->edited(edits).value().print(plain).value();
    return true;
  }
  Status confirm() override {
    calls += "confirm ";
    return {};
  }
  Status roll_back() override {
    calls += "rollback ";
    return {};
  }
  Status show_state(const std::string& vrf, const std::string& vpn, std::ostream& out) override {
    out << "state of " << vrf << " " << vpn << "\n";
    return {};
  }
};

struct Session {
  FakeDaemon daemon;
  std::ostringstream out;
  Shell shell{daemon, "vrouter", out, false};

  explicit Session(std::string_view running = kRunning) {
    daemon.text = running;
    BOOST_REQUIRE(shell.start().has_value());
  }
  // what the line prints
  std::string operator()(const std::string& line) {
    out.str("");
    const Status done = shell.carry_out(line);
    BOOST_CHECK_MESSAGE(done, line << ": " << (done ? "" : done.error().message));
    return out.str();
  }
  std::string error(const std::string& line) {
    const Status done = shell.carry_out(line);
    BOOST_CHECK_MESSAGE(!done, line);
    return done ? "" : done.error().message;
  }
  // the words offered behind `line`
  std::string offered(std::string_view line) {
    std::string words;
    for (const Shell::Choice& choice : shell.choices(line)) words += choice.word + " ";
    return words;
  }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_SUITE(shell)

BOOST_AUTO_TEST_CASE(the_guides_first_session_has_the_guides_prompts) {
  Session session("ike\n    ..\n");
  const std::pair<const char*, const char*> steps[] = {
      {"vrf main", "vrouter running vrf main# "},
      {"ike", "vrouter running ike# "},
      {"ike-policy-template iketemp1", "vrouter running ike-policy-template iketemp1# "},
      {"ike-proposal 1", "vrouter running ike-proposal 1#! "},
      {"enc-alg aes128-cbc", "vrouter running ike-proposal 1#! "},
      {"auth-alg hmac-sha512", "vrouter running ike-proposal 1#! "},
      {"dh-group modp2048", "vrouter running ike-proposal 1# "},
      {"..", "vrouter running ike-policy-template iketemp1# "},
      {"..", "vrouter running ike# "},
  };
  BOOST_TEST(session.shell.prompt() == "vrouter running config# ");
  for (const auto& [line, prompt] : steps) {
    BOOST_TEST(session(line) == "");
    BOOST_TEST(session.shell.prompt() == prompt, "after " << line << ": " << session.shell.prompt());
  }
  BOOST_TEST(session("show config nodefault") ==
             "ike\n"
             "    ike-policy-template iketemp1\n"
             "        ike-proposal 1\n"
             "            enc-alg aes128-cbc\n"
             "            auth-alg hmac-sha512\n"
             "            dh-group modp2048\n"
             "            ..\n"
             "        ..\n"
             "    ..\n");
}

BOOST_AUTO_TEST_CASE(a_vpn_is_not_valid_until_it_is_whole_and_commit_waits_for_that) {
  Session session;
  session("/ vrf main ike");
  BOOST_TEST(session.shell.prompt() == "vrouter running ike# ");
  session("vpn lab");
  BOOST_TEST(session.shell.prompt() == "vrouter running vpn lab#! ");
  BOOST_TEST(has(session.error("commit"), "the candidate is not valid:\n    "));
  session("ike-policy template iketemp1");
  session("ipsec-policy template ipsectemp1");
  session("local-address 192.0.2.1");
  session("remote-address 203.0.113.9");
  session("security-policy trunk");
  session("local-ts subnet 10.0.0.0/8");
  session("remote-ts subnet 10.9.0.0/16");
  session("..");
  BOOST_TEST(session.shell.prompt() == "vrouter running vpn lab# ");
  BOOST_TEST(session("validate") == "the candidate is valid\n");
  BOOST_TEST(session.shell.has_changes());
  session("commit confirm 5m");
  BOOST_TEST(!session.shell.has_changes());
  BOOST_CHECK(session.daemon.confirm_within == std::chrono::seconds(300));
  BOOST_TEST(session.shell.prompt() == "vrouter running vpn lab# ");
  BOOST_TEST(session.error("commit") == "nothing has been changed");
  session("confirm");
  session("rollback");
  BOOST_TEST(session.daemon.calls == "confirm rollback ");
}

BOOST_AUTO_TEST_CASE(diff_tells_leaf_by_leaf_and_hides_secrets) {
  Session session;
  BOOST_TEST(session("diff") == "");
  session("/ vrf main ike vpn hq");
  session("ike-policy dpd-delay 30s");
  session("del remote-address");
  session("remote-address 198.51.100.7");
  session("/ vrf main ike pre-shared-key hq secret other");
  const std::string diff = session("diff");
  BOOST_TEST(has(diff, "+ vrf main ike vpn hq ike-policy dpd-delay 30s\n"), diff);
  BOOST_TEST(has(diff, "~ vrf main ike vpn hq remote-address 198.51.100.1 -> 198.51.100.7\n"), diff);
  BOOST_TEST(has(diff, "~ vrf main ike pre-shared-key hq secret <hidden> -> <hidden>\n"), diff);
  session("discard");
  BOOST_TEST(session("diff") == "");
}

BOOST_AUTO_TEST_CASE(a_line_that_is_wrong_in_itself_is_refused_and_changes_nothing) {
  Session session;
  session("/ vrf main ike vpn hq");
  BOOST_TEST(has(session.error("local-adress 10.0.0.1"), "there is no 'local-adress' in vpn hq (did you mean 'local-address'?)"));
  BOOST_TEST(has(session.error("local-address 10.0.0.256"), "local-address"));
  BOOST_TEST(has(session.error("del security-policy none"), "none"));
  BOOST_TEST(has(session.error("security-policy"), "security-policy needs a name"));
  BOOST_TEST(session.error("show") == "show takes config or state");
  BOOST_TEST(session.error("commit now") == "commit stands alone, or takes confirm and a time such as 60s");
  BOOST_TEST(!session.error("local-id \"open").empty());
  BOOST_TEST(!session.shell.has_changes());
  session("# a comment");
  session("");
}

BOOST_AUTO_TEST_CASE(what_the_daemon_refuses_stays_in_the_candidate) {
  Session session;
  session("/ vrf main ike vpn hq ike-policy dpd-delay 30s");
  session.daemon.accepts = false;
  BOOST_TEST(has(session.error("commit"), "still in the candidate"));
  BOOST_TEST(session.shell.has_changes());
  session.daemon.accepts = true;
  session("commit");
  BOOST_REQUIRE(session.daemon.applied.size() == 1U);
  BOOST_TEST(session.daemon.applied[0].path == "vrf main ike vpn hq ike-policy dpd-delay 30s");
}

BOOST_AUTO_TEST_CASE(whoever_deletes_the_context_stands_in_the_one_around_it) {
  Session session;
  session("/ vrf main ike vpn hq security-policy trunk");
  session("del / vrf main ike vpn hq");
  BOOST_TEST(session.shell.prompt() == "vrouter running ike# ");
}

BOOST_AUTO_TEST_CASE(show_prints_a_part_and_secrets_only_when_asked) {
  Session session;
  session("/ vrf main ike");
  BOOST_TEST(has(session("show config pre-shared-key hq"), "secret <hidden>\n"));
  BOOST_TEST(has(session("show config nodefault secrets pre-shared-key hq"), "secret \"well kept\"\n"));
  BOOST_TEST(!has(session("show config nodefault vpn hq"), "pre-shared-key"));
  BOOST_TEST(session("show state") == "state of main \n");
  session("vpn hq");
  BOOST_TEST(session("show state") == "state of main hq\n");
  BOOST_TEST(session("show state lab") == "state of main lab\n");
}

BOOST_AUTO_TEST_CASE(exit_warns_once_of_changes) {
  Session session;
  session("/ vrf main ike vpn hq ike-policy dpd-delay 30s");
  BOOST_TEST(has(session.error("exit"), "not committed"));
  BOOST_TEST(!session.shell.ended());
  session("exit");
  BOOST_TEST(session.shell.ended());
}

BOOST_AUTO_TEST_CASE(completion_knows_commands_keywords_names_and_words) {
  Session session;
  BOOST_TEST(session.offered("comm") == "commit ");
  BOOST_TEST(session.offered("show ") == "config state ");
  session("/ vrf main ike");
  BOOST_TEST(session.offered("vpn ") == "hq ");
  BOOST_TEST(session.offered("vpn hq sec") == "security-policy ");
  BOOST_TEST(session.offered("/ vrf main ike vpn hq sec") == "security-policy ");
  BOOST_TEST(session.offered("del vpn hq security-policy ") == "trunk ");
  BOOST_TEST(session.offered("show config nodefault vpn h") == "hq ");
  session("vpn hq");
  BOOST_TEST(session.offered("ike-policy mob") == "mobike ");
  BOOST_TEST(session.offered("ike-policy mobike t") == "true ");
  BOOST_TEST(session.offered("ike-policy template ") == "iketemp1 ");
  BOOST_TEST(!session.shell.choices("ike-policy mob").front().help.empty());
  BOOST_TEST(session.offered("nonsense ") == "");
}

BOOST_AUTO_TEST_CASE(tab_inserts_what_is_common_and_lists_what_is_not) {
  const std::vector<Shell::Choice> choices{{"local-address", "own addresses"}, {"local-id", "own identity"}};
  ikectl::Completed completed = ikectl::complete_word("vpn hq lo", choices, 80);
  BOOST_TEST(completed.insert == "cal-");
  completed = ikectl::complete_word("vpn hq local-", choices, 30);
  BOOST_TEST(completed.insert == "");
  BOOST_TEST(completed.listing == "  local-address  own addresses\n  local-id       own identity\n");
  BOOST_TEST(ikectl::complete_word("local-a", {choices[0]}, 80).insert == "ddress ");
}

BOOST_AUTO_TEST_SUITE_END()
