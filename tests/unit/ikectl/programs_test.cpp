// SPDX-License-Identifier: Apache-2.0
// ikectl and swanctl as a user runs them, against the server over a fake engine in a thread of its own.
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "control/server.h"
#include "support/fake_service.h"
#include "support/temporary_folder.h"

using namespace svti;

namespace {

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

struct Rig {
  test::TemporaryFolder folder;
  test::FakeService service;  // touched by the test while no program runs
  boost::asio::io_context loop;
  std::unique_ptr<control::Server> server;
  std::thread thread;

  Rig() {
    control::ServerOptions options;
    options.path = folder.file("vici");
    options.version = "1.2.3";
    auto opened = control::Server::open(loop, service, options);
    BOOST_REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message));
    server = std::move(*opened);
    thread = std::thread([this] { loop.run(); });
  }
  ~Rig() { stop(); }
  void stop() {
    if (!thread.joinable()) return;
    loop.stop();
    thread.join();
    server.reset();
  }

  Outcome run(const std::string& command) {
    const std::string err = folder.file("stderr");
    FILE* pipe = popen(("LC_ALL=C.UTF-8 TZ=UTC timeout 20 " + command + " 2>" + err).c_str(), "r");
    BOOST_REQUIRE(pipe != nullptr);
    Outcome outcome;
    char octets[4096];
    for (std::size_t size; (size = fread(octets, 1, sizeof octets, pipe)) > 0;) outcome.out.append(octets, size);
    const int status = pclose(pipe);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    std::ifstream in(err);
    outcome.err = {std::istreambuf_iterator<char>(in), {}};
    return outcome;
  }
  Outcome ikectl(const std::string& arguments) { return run(IKECTL " --socket " + folder.file("vici") + " " + arguments); }
  Outcome swanctl(const std::string& arguments) { return run(SWANCTL " " + arguments + " --uri unix://" + folder.file("vici")); }
};

constexpr const char* kShellConfig = R"(ike
    ike-policy-template i
        ike-proposal 1
            aead-alg aes128-gcm-128
            prf-alg hmac-sha256
            dh-group curve25519
            ..
        ..
    ipsec-policy-template c
        esp-proposal 1
            aead-alg aes128-gcm-128
            ..
        ..
    vpn hq
        ike-policy template i
        ipsec-policy template c
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

// A program at a terminal of its own: what a person would type, what they would see.
class Terminal {
 public:
  explicit Terminal(const std::string& command) {
    child_ = forkpty(&master_, nullptr, nullptr, nullptr);
    BOOST_REQUIRE(child_ >= 0);
    if (child_ > 0) return;
    setenv("TERM", "xterm", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    execl("/bin/sh", "sh", "-c", ("exec timeout --foreground 60 " + command).c_str(), nullptr);
    _exit(127);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    if (child_ > 0) end();
    close(master_);
  }

  void type(std::string_view keys) { BOOST_REQUIRE(write(master_, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size())); }
  // what came since the last call up to `part`, escape sequences left out; the test fails when it does not come
  std::string wait_for(std::string_view part) {
    std::size_t found = 0;
    while ((found = seen_.find(part)) == std::string::npos) {
      pollfd ready{master_, POLLIN, 0};
      char octets[4096];
      const ssize_t size = poll(&ready, 1, 30'000) == 1 ? read(master_, octets, sizeof octets) : 0;
      if (size <= 0) break;
      for (ssize_t i = 0; i < size; ++i) take(octets[i]);
    }
    BOOST_REQUIRE_MESSAGE(found != std::string::npos, "\"" << part << "\" does not come, but \"" << seen_ << "\"");
    const std::string before = seen_.substr(0, found + part.size());
    seen_.erase(0, found + part.size());
    return before;
  }
  int end() {
    int status = 0;
    waitpid(std::exchange(child_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  void take(char octet) {
    if (octet == '\x1b') {
      in_escape_ = true;
    } else if (in_escape_) {
      in_escape_ = std::isalpha(static_cast<unsigned char>(octet)) == 0;
    } else if (octet != '\r') {
      seen_ += octet;
    }
  }

  int master_ = -1;
  pid_t child_ = -1;
  std::string seen_;
  bool in_escape_ = false;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_SUITE(ikectl_program)

BOOST_AUTO_TEST_CASE(load_prints_findings_and_plan_and_its_exit_code_says_whether_it_was_applied) {
  Rig rig;
  const std::string file = rig.folder.file("iked.conf");
  std::string text = "ike\n";
  while (text.size() < 1'200'000) text += "    # a comment that makes it larger than two packets\n";
  std::ofstream(file) << text;
  rig.service.outcome.applied = true;
  rig.service.outcome.added = {"hq"};
  rig.service.outcome.diagnostics = {{true, file, 2, "global-options snmp", "has no effect yet"}};
  Outcome done = rig.ikectl("load " + file);
  BOOST_TEST(done.code == 0);
  BOOST_TEST(done.out == "configuration applied: 1 VPN added (hq), 0 changed, 0 removed, 0 unchanged\n");
  BOOST_TEST(done.err == file + ":2: global-options snmp: warning: has no effect yet\n");
  BOOST_CHECK(rig.service.loaded_text == text);
  BOOST_TEST(rig.service.loaded_file == file);

  rig.service.outcome = {};
  rig.service.outcome.diagnostics = {{false, "-", 1, "vpm", "is unknown here; allowed: vpn"}};
  done = rig.run("echo vpm | " IKECTL " --socket " + rig.folder.file("vici") + " load -");
  BOOST_TEST(done.code == 1);
  BOOST_TEST(done.out == "");
  BOOST_TEST(done.err == "-:1: vpm: is unknown here; allowed: vpn\nconfiguration not applied: 1 error, what ran before goes on\n");
  BOOST_TEST(rig.service.loaded_text == "vpm\n");

  done = rig.ikectl("load --json " + file);
  BOOST_TEST(done.code == 1);
  BOOST_TEST(nlohmann::json::parse(done.out).at("diagnostics").at(0).at("leaf") == "vpm");

  done = rig.ikectl("load " + rig.folder.file("missing"));
  BOOST_TEST(done.code == 1);
  BOOST_TEST(has(done.err, "ikectl: cannot open "));
}

BOOST_AUTO_TEST_CASE(initiate_shows_progress_and_one_last_line) {
  Rig rig;
  rig.service.on_attempt = [](auto& attempt) {
    attempt.progress({Subsystem::Ike, 1, "vpn-hq", "IKE_SA_INIT sent"});
    attempt.done({});
  };
  Outcome done = rig.ikectl("initiate vpn-hq site2site --timeout 2.5");
  BOOST_TEST(done.code == 0);
  BOOST_TEST(done.out == "[IKE] vpn-hq: IKE_SA_INIT sent\nvpn-hq site2site: established\n");
  BOOST_TEST(rig.service.attempts.at(0).what == "initiate vpn-hq site2site 2500");

  rig.service.on_attempt = [](auto& attempt) { attempt.done(peer_error("NO_PROPOSAL_CHOSEN")); };
  done = rig.ikectl("initiate vpn-hq");
  BOOST_TEST(done.code == 1);
  BOOST_TEST(done.err == "ikectl: initiate vpn-hq failed: NO_PROPOSAL_CHOSEN\n");
  done = rig.ikectl("--json initiate vpn-hq");
  BOOST_TEST(done.code == 1);
  BOOST_TEST(nlohmann::json::parse(done.out).at("error") == "NO_PROPOSAL_CHOSEN");
}

BOOST_AUTO_TEST_CASE(terminate_and_rekey_say_what_they_did) {
  Rig rig;
  rig.service.on_attempt = [](auto& attempt) { attempt.done({}); };
  BOOST_TEST(rig.ikectl("terminate vpn-hq").out == "vpn-hq: terminated\n");
  BOOST_TEST(rig.ikectl("rekey vpn-hq site2site").out == "vpn-hq site2site: rekeyed\n");
  BOOST_TEST(rig.service.attempts.at(0).what == "terminate vpn-hq  0");
  BOOST_TEST(rig.service.attempts.at(1).what == "rekey vpn-hq site2site");
}

BOOST_AUTO_TEST_CASE(redirect_says_how_many_were_asked) {
  Rig rig;
  rig.service.redirect_matches = 3;
  BOOST_TEST(rig.ikectl("redirect vpn-hq 192.0.2.20").out == "vpn-hq: 3 redirected to 192.0.2.20\n");
  BOOST_TEST(rig.ikectl("redirect red/vpn gw2.example.org --peers 198.51.100.0/24").code == 0);
  BOOST_TEST(rig.service.redirections.at(0) == "redirect vpn-hq to 192.0.2.20");
  BOOST_TEST(rig.service.redirections.at(1) == "redirect red/vpn to gw2.example.org peers 198.51.100.0-198.51.100.255");
  rig.service.redirect_matches = 0;
  Outcome refused = rig.ikectl("redirect vpn-hq 192.0.2.20");
  BOOST_TEST(refused.code == 1);
  BOOST_TEST(refused.err == "ikectl: redirect vpn-hq failed: no matching SAs to redirect found\n");
  rig.service.redirect_refused = "IKE SA [7]: the peer does not follow redirections";
  refused = rig.ikectl("redirect vpn-hq 192.0.2.20");
  BOOST_TEST(refused.err == "ikectl: redirect vpn-hq failed: IKE SA [7]: the peer does not follow redirections\n");
  BOOST_TEST(has(rig.ikectl("redirect vpn-hq 192.0.2.300").err, "expected an address or a host name"));
  BOOST_TEST(rig.service.redirections.size() == 4U);
}

BOOST_AUTO_TEST_CASE(show_prints_what_the_daemon_streams) {
  Rig rig;
  rig.service.config_text = "ike\n    enabled true\n    ..\n";
  BOOST_TEST(rig.ikectl("show config").out == rig.service.config_text);
  BOOST_TEST(rig.ikectl("show config nodefault --secrets --json").out == rig.service.config_text);
  BOOST_TEST(!rig.service.shown.defaults);
  BOOST_TEST(rig.service.shown.secrets);
  BOOST_CHECK(rig.service.shown.format == engine::ConfigFormat::Json);
  BOOST_TEST(has(rig.ikectl("show state").out, "    ike-sa unique-id 1\n        name vpn-hq\n"));
  BOOST_TEST(
      nlohmann::json::parse(rig.ikectl("show state vpn-hq --json").out).at("svti:vrf").at(0).at("ike").at("ike-sa").at(0).at("state") ==
      "established");
  const Outcome unknown = rig.ikectl("show state nobody");
  BOOST_TEST(unknown.code == 1);
  BOOST_TEST(unknown.err == "ikectl: no VPN \"nobody\" is configured, and no SA of one is left\n");
}

BOOST_AUTO_TEST_CASE(pools_and_their_leases_are_shown_however_many_there_are) {
  Rig rig;
  model::PoolState vips{"user-vips", IpAddress::parse("10.0.0.1").value(), 65534, 0, 0, {}};
  for (std::uint32_t i = 1; i <= 20'000; ++i) {
    const bool online = i % 2 == 1;
    vips.leases.push_back({IpAddress::v4(0x0a000000 + i), "user" + std::to_string(i) + "@example.net", online});
    ++(online ? vips.online : vips.offline);
  }
  rig.service.pool_states = {vips, {"empty", IpAddress::parse("2001:db8::1").value(), UINT64_MAX, 0, 0, {}}};
  const std::string text = rig.ikectl("show pools").out;
  BOOST_TEST(text ==
             "POOL       BASE           ONLINE   OFFLINE        SIZE\n"
             "user-vips  10.0.0.1        10000     10000       65534\n"
             "empty      2001:db8::1         0         0  2147483647\n");
  const auto pools = nlohmann::json::parse(rig.ikectl("show pools --leases --json").out).at("pool");
  BOOST_TEST(pools.size() == 2U);
  BOOST_TEST(pools.at(0).at("leases").size() == 20'000U);
  BOOST_TEST(pools.at(0).at("leases").at(19'999).at("identity") == "user20000@example.net");
  BOOST_TEST(pools.at(1).at("leases").empty());
  BOOST_TEST(
      has(rig.ikectl("show pools user-vips --leases").out, "    10.0.0.2                                 offline  user2@example.net\n"));
  const Outcome unknown = rig.ikectl("show pools nowhere");
  BOOST_TEST(unknown.code == 1);
  BOOST_TEST(unknown.err == "ikectl: there is no pool nowhere\n");
}

BOOST_AUTO_TEST_CASE(ten_thousand_sas_are_shown) {
  Rig rig;
  rig.service.current.ike_sas.assign(10000, test::guide_ike_sa());
  BOOST_TEST(nlohmann::json::parse(rig.ikectl("show state --json").out).at("svti:vrf").at(0).at("ike").at("ike-sa").size() == 10000U);
}

BOOST_AUTO_TEST_CASE(check_needs_no_daemon) {
  Rig rig;
  rig.stop();
  const std::string file = rig.folder.file("iked.conf");
  std::ofstream(file) << "ike\n    global-options\n        threads 20\n        thread 20\n        ..\n    ..\n";
  Outcome done = rig.ikectl("check " + file);
  BOOST_TEST(done.code == 1);
  BOOST_TEST(has(done.err, file + ":4: "), done.err);
  BOOST_TEST(has(done.err, "did you mean 'threads'?"), done.err);
  done = rig.ikectl("check --json " + file);
  BOOST_TEST(done.code == 1);
  BOOST_TEST(nlohmann::json::parse(done.out).at("diagnostics").at(0).at("line") == 4);
  std::ofstream(file) << "ike\n    ..\n";
  done = rig.ikectl("check " + file);
  BOOST_TEST(done.code == 0);
  BOOST_TEST(done.out == file + ": valid\n");
  BOOST_TEST(rig.ikectl("check " + rig.folder.file("none")).code == 1);
}

BOOST_AUTO_TEST_CASE(diff_shows_changes_and_changes_nothing) {
  Rig rig;
  using Kind = config::Change::Kind;
  rig.service.outcome.changed = {"hq"};
  rig.service.outcome.changes = {{Kind::Changed, "vpn hq local-id", "a", "b", false, false}};
  const std::string file = rig.folder.file("iked.conf");
  std::ofstream(file) << "ike\n    ..\n";
  Outcome done = rig.ikectl("diff " + file);
  BOOST_TEST(done.code == 0);
  BOOST_TEST(done.out ==
             "~ vpn hq local-id a -> b\nconfiguration would be applied: 0 VPNs added, 1 changed (hq), 0 removed, 0 unchanged\n");
  BOOST_TEST(rig.service.load_options.dry_run);
  const auto json = nlohmann::json::parse(rig.ikectl("load --dry-run --json " + file).out);
  BOOST_TEST(json.at("changes").at(0).at("after") == "b");
  BOOST_TEST(json.at("applied") == false);
}

BOOST_AUTO_TEST_CASE(load_with_confirm_and_then_confirm_or_rollback) {
  Rig rig;
  rig.service.outcome.applied = true;
  Outcome done = rig.run("echo ike | " IKECTL " --socket " + rig.folder.file("vici") + " load --confirm 2m -");
  BOOST_TEST(done.code == 0);
  BOOST_TEST(has(done.out, "rolls back in 120 s, unless `ikectl confirm` comes before\n"), done.out);
  BOOST_CHECK(rig.service.load_options.confirm_within == seconds(120));
  BOOST_TEST(rig.ikectl("confirm").out == "confirmed\n");
  rig.service.pending = config_error("nothing waits to be confirmed");
  done = rig.ikectl("rollback");
  BOOST_TEST(done.code == 1);
  BOOST_TEST(done.err == "ikectl: nothing waits to be confirmed\n");
}

BOOST_AUTO_TEST_CASE(set_and_delete_pass_one_path_on) {
  Rig rig;
  rig.service.outcome.applied = true;
  BOOST_TEST(rig.ikectl("set vpn hq local-id 'two words'").out == "nothing to change\n");
  BOOST_REQUIRE(rig.service.edits.size() == 1U);
  BOOST_TEST(rig.service.edits[0].path == "vpn hq local-id \"two words\"");
  rig.service.outcome.changes = {{config::Change::Kind::Removed, "vpn hq", "", "", false, false}};
  BOOST_TEST(rig.ikectl("delete 'vpn hq'").out == "- vpn hq\n");
  BOOST_TEST(rig.service.edits[0].path == "vpn hq");
  BOOST_TEST(rig.service.edits[0].remove);
  rig.service.outcome = {};
  rig.service.outcome.diagnostics = {{false, "", 1, "vpn hq version", "is 3, it takes 1 or 2"}};
  const Outcome refused = rig.ikectl("set vpn hq version 3");
  BOOST_TEST(refused.code == 1);
  BOOST_TEST(has(refused.err, "vpn hq version: is 3, it takes 1 or 2\n"), refused.err);
}

BOOST_AUTO_TEST_CASE(a_command_that_is_none_is_named) {
  Rig rig;
  const Outcome unknown = rig.ikectl("shwo state");
  BOOST_TEST(unknown.code == 2);
  BOOST_TEST(unknown.err.starts_with("ikectl has no command 'shwo': there are check, diff, load,"), unknown.err);
  BOOST_TEST(rig.ikectl("show stat").err.starts_with("ikectl show has no command 'stat': there are config, state, pools\n"));
  BOOST_TEST(rig.ikectl("show").err.starts_with("ikectl show: a command is missing: there are config, state, pools\n"));
}

BOOST_AUTO_TEST_CASE(a_vpn_of_another_vrf_is_named_with_it) {
  Rig rig;
  rig.service.on_attempt = [](auto& attempt) { attempt.done({}); };
  BOOST_TEST(rig.ikectl("initiate --vrf red hq").out == "red/hq: established\n");
  rig.service.other_vrfs["red"] = rig.service.running;
  BOOST_TEST(rig.ikectl("show state red/vpn-hq").code == 0);
  BOOST_TEST(rig.service.shown.path == "red vpn-hq");
  rig.ikectl("show config nodefault --resolved vpn hq");
  BOOST_TEST(rig.service.shown.path == "vpn hq");
  BOOST_TEST(rig.service.shown.resolved);
  BOOST_TEST(!rig.service.shown.defaults);
}

BOOST_AUTO_TEST_CASE(load_at_a_terminal_shows_the_plan_and_asks) {
  Rig rig;
  rig.service.outcome.added = {"hq"};
  rig.service.outcome.changes = {{config::Change::Kind::Added, "vpn hq", "", "", false, false}};
  const std::string file = rig.folder.file("iked.conf");
  std::ofstream(file) << "ike\n    ..\n";
  const std::string command = IKECTL " --color never --socket " + rig.folder.file("vici") + " load " + file;
  {
    Terminal terminal(command);
    BOOST_TEST(has(terminal.wait_for("Apply? [y/N] "), "+ vpn hq\n"));
    terminal.type("n\n");
    terminal.wait_for("nothing was changed");
    BOOST_TEST(terminal.end() == 1);
  }
  BOOST_TEST(rig.service.load_options.dry_run);
  Terminal terminal(command);
  terminal.wait_for("Apply? [y/N] ");
  rig.service.outcome.applied = true;
  terminal.type("y\n");
  terminal.wait_for("configuration applied: 1 VPN added (hq)");
  BOOST_TEST(terminal.end() == 0);
  BOOST_TEST(!rig.service.load_options.dry_run);
}

BOOST_AUTO_TEST_CASE(the_shell_completes_recalls_and_commits_at_a_terminal) {
  Rig rig;
  rig.service.config_text = kShellConfig;
  Terminal terminal(IKECTL " --color never --socket " + rig.folder.file("vici") + " edit");
  terminal.wait_for(" running config# ");
  terminal.type("/ vrf main ike\n");
  terminal.wait_for(" running ike# ");
  terminal.type("vpn h\t\n");
  terminal.wait_for(" running vpn hq# ");
  terminal.type("local-\t\t");
  BOOST_TEST(has(terminal.wait_for("local-id"), "local-address"));
  terminal.type("\x03");  // ^C drops the line
  terminal.wait_for("^C");
  terminal.type("ike-policy mob\ttrue\n");
  terminal.wait_for("mobike true");
  terminal.wait_for(" running vpn hq# ");
  terminal.type("local-id \n");
  terminal.wait_for("local-id");
  terminal.type("diff\n");
  terminal.wait_for("vrf main ike vpn hq ike-policy mobike");
  terminal.wait_for("# ");
  rig.service.outcome.applied = true;
  terminal.type("commit\n");
  terminal.wait_for("configuration applied");
  terminal.wait_for("# ");
  terminal.type("\x1b[A");  // the line before
  terminal.wait_for("commit");
  terminal.type("\n");
  terminal.wait_for("nothing has been changed");
  terminal.type("exit\n");
  BOOST_TEST(terminal.end() == 0);
  BOOST_REQUIRE(rig.service.edits.size() == 1U);
  BOOST_TEST(rig.service.edits[0].path == "vrf main ike vpn hq ike-policy mobike true");
}

BOOST_AUTO_TEST_CASE(the_shell_takes_lines_from_a_pipe_and_ends_at_the_first_error) {
  Rig rig;
  rig.service.config_text = kShellConfig;
  const auto edit = [&](const std::string& lines) {
    return rig.run("printf '" + lines + "' | " IKECTL " --socket " + rig.folder.file("vici") + " edit");
  };
  rig.service.outcome.applied = true;
  Outcome done = edit("/ vrf main ike vpn hq\\n ike-policy\\n dpd-delay 30s\\n commit\\n");
  BOOST_TEST(done.code == 0, done.err);
  BOOST_REQUIRE(rig.service.edits.size() == 1U);
  BOOST_TEST(rig.service.edits[0].path == "vrf main ike vpn hq ike-policy dpd-delay 30s");

  rig.service.edits.clear();
  done = edit("/ vrf main ike vpn hq\\n# a comment\\nike-policy dpd-delay 1x\\ncommit\\n");
  BOOST_TEST(done.code == 1);
  BOOST_TEST(has(done.err, "ikectl: line 3: "), done.err);
  BOOST_TEST(has(done.err, "dpd-delay"), done.err);
  done = edit("/ vrf main ike vpn hq\\nike-policy dpd-delay 1s\\n");
  BOOST_TEST(done.code == 1);
  BOOST_TEST(has(done.err, "line 2: the input ends without `commit`"), done.err);
  BOOST_TEST(rig.service.edits.empty());
}

BOOST_AUTO_TEST_CASE(log_follows_what_its_filter_lets_through) {
  Rig rig;
  boost::asio::steady_timer timer(rig.loop);
  std::function<void()> speak = [&] {
    timer.expires_after(std::chrono::milliseconds(20));
    timer.async_wait([&](const boost::system::error_code& stopped) {
      if (stopped) return;
      rig.service.log({Subsystem::Ike, 1, "hq", "IKE_SA_INIT sent"});
      rig.service.log({Subsystem::Network, 1, "hq", "not asked for"});
      speak();
    });
  };
  boost::asio::post(rig.loop, speak);
  const Outcome text = rig.ikectl("log --vpn hq --subsystem ike,child --level 2 | head -n 2");
  BOOST_TEST(text.out == "[ike] hq: IKE_SA_INIT sent\n[ike] hq: IKE_SA_INIT sent\n");
  const auto json = nlohmann::json::parse(rig.ikectl("log --json --subsystem network | head -n 1").out);
  BOOST_TEST(json == nlohmann::json::parse(R"({"subsystem": "network", "level": 1, "vpn": "hq", "msg": "not asked for"})"));
  const Outcome refused = rig.ikectl("log --subsystem ipsek");
  BOOST_TEST(refused.code == 1);
  BOOST_TEST(has(refused.err, "no log subsystem \"ipsek\": there are asn1, child, config"));
  boost::asio::post(rig.loop, [&] { timer.cancel(); });
}

BOOST_AUTO_TEST_CASE(version_names_both_sides) {
  Rig rig;
  BOOST_TEST(has(rig.ikectl("version").out, "svti-iked 1.2.3 on Linux "));
  BOOST_TEST(nlohmann::json::parse(rig.ikectl("version --json").out).at("version") == "1.2.3");
}

BOOST_AUTO_TEST_CASE(without_a_daemon_the_error_says_how_to_start_it) {
  Rig rig;
  rig.stop();
  const Outcome gone = rig.ikectl("show state");
  BOOST_TEST(gone.code == 1);
  BOOST_TEST(has(gone.err, "svti-iked seems not to run: start it with `systemctl start svti-iked`"));
}

BOOST_AUTO_TEST_CASE(every_verb_has_help_with_examples_and_a_wrong_command_line_is_2) {
  Rig rig;
  for (const char* verb :
       {"",          "check", "diff",     "load", "confirm",     "rollback",   "set",        "delete", "edit",    "initiate",
        "terminate", "rekey", "redirect", "show", "show config", "show state", "show pools", "log",    "version", "completion"}) {
    const Outcome help = rig.ikectl(std::string(verb) + " --help");
    BOOST_TEST(help.code == 0, verb);
    BOOST_TEST(has(help.out, "Examples:\n  "), verb);
  }
  for (const char* wrong : {"", "unknown", "load", "initiate", "redirect", "redirect a", "show", "initiate a b c", "--color pink version",
                            "initiate a --timeout x", "load --confirm soon x", "set", "delete"}) {
    BOOST_TEST(rig.ikectl(wrong).code == 2, wrong);
  }
}

BOOST_AUTO_TEST_CASE(the_bash_completion_is_bash_and_offers_verbs_and_vpns) {
  Rig rig;
  rig.service.config_text = "ike\n    vpn hq\n        security-policy trunk\n            ..\n        ..\n    vpn lab\n        ..\n    ..\n";
  const std::string script = rig.folder.file("completion");
  std::ofstream(script) << rig.ikectl("completion bash").out;
  const std::string prelude = "bash -c 'ikectl() { " IKECTL " --socket " + rig.folder.file("vici") + " \"$@\"; }; source " + script + "; ";
  const std::string print = "; _ikectl; echo ${COMPREPLY[@]}'";
  BOOST_TEST(rig.run(prelude + "COMP_WORDS=(ikectl in) COMP_CWORD=1" + print).out == "initiate\n");
  BOOST_TEST(has(rig.run(prelude + "COMP_WORDS=(ikectl initiate \"\") COMP_CWORD=2" + print).out, "hq lab"));
  BOOST_TEST(rig.run(prelude + "COMP_WORDS=(ikectl initiate hq t) COMP_CWORD=3" + print).out == "trunk\n");
}

BOOST_AUTO_TEST_SUITE_END()

// An independent client of the protocol.
BOOST_AUTO_TEST_SUITE(swanctl_program, *boost::unit_test::enable_if<(sizeof(SWANCTL) > 1)>())

BOOST_AUTO_TEST_CASE(version_and_stats) {
  Rig rig;
  const Outcome version = rig.swanctl("--version --daemon");
  BOOST_TEST(has(version.out, "1.2.3 svti-iked (Linux, "), version.out + version.err);
  const Outcome stats = rig.swanctl("--stats");
  BOOST_TEST(stats.code == 0);
  BOOST_TEST(has(stats.out, "IKE_SAs: 1 total, 0 half-open"), stats.out + stats.err);
}

BOOST_AUTO_TEST_CASE(list_sas) {
  Rig rig;
  rig.service.current.ike_sas[0].children[0].svti_id_in = 100;
  const Outcome list = rig.swanctl("--list-sas");
  BOOST_TEST(list.code == 0);
  for (const char* part : {"vpn-hq: #1, ESTABLISHED, IKEv2, 6e6228d1c13daaf1_i* b2f0a5217f09662a_r",
                           "local  '10.125.0.1' @ 10.125.0.1[500]", "AES_CBC-128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_2048",
                           "established 24s ago", "site2site: #2, reqid 1, INSTALLED, TUNNEL, ESP:AES_CBC-128/HMAC_SHA1_96",
                           "in  c704d981 (-|0x00000064)", "304 bytes,     2 packets", "local  10.100.0.0/24", "remote 10.200.0.0/24"}) {
    BOOST_TEST(has(list.out, part), part << " in\n" << list.out << list.err);
  }
}

BOOST_AUTO_TEST_CASE(redirect) {
  Rig rig;
  rig.service.redirect_matches = 2;
  const Outcome done = rig.swanctl("--redirect --peer-ip 198.51.100.0-198.51.100.9 --gateway 192.0.2.20");
  BOOST_TEST(done.code == 0);
  BOOST_TEST(has(done.out, "redirect completed successfully"), done.out + done.err);
  BOOST_TEST(rig.swanctl("--redirect --peer-id *@example.org --ike vpn-hq --ike-id 7 --gateway gw2.example.org").code == 0);
  BOOST_TEST(rig.service.redirections.at(0) == "redirect  to 192.0.2.20 peers 198.51.100.0-198.51.100.9");
  BOOST_TEST(rig.service.redirections.at(1) == "redirect vpn-hq to gw2.example.org id *@example.org [7]");
  for (const char* wrong :
       {"--ike vpn-hq", "--gateway 192.0.2.20", "--ike vpn-hq --gateway 192.0.2.300", "--peer-ip nowhere --gateway 192.0.2.20"})
    BOOST_TEST(rig.swanctl(std::string("--redirect ") + wrong).code != 0, wrong);
  BOOST_TEST(rig.service.redirections.size() == 2U);
}

BOOST_AUTO_TEST_CASE(initiate_terminate_rekey_and_counters) {
  Rig rig;
  rig.service.on_attempt = [](auto& attempt) {
    if (attempt.progress) attempt.progress({Subsystem::Ike, 1, "vpn-hq", "progress"});
    attempt.done({});
  };
  const Outcome up = rig.swanctl("--initiate --child site2site");
  BOOST_TEST(up.code == 0);
  BOOST_TEST(up.out == "[IKE] progress\ninitiate completed successfully\n");
  BOOST_TEST(has(rig.swanctl("--terminate --ike vpn-hq").out, "terminate completed successfully"));
  BOOST_TEST(has(rig.swanctl("--rekey --child site2site").out, "rekey completed successfully"));
  BOOST_TEST(rig.service.attempts.at(2).what == "rekey vpn-hq site2site");
  const Outcome counters = rig.swanctl("--counters");
  BOOST_TEST(counters.code == 0);
  BOOST_TEST(has(counters.out, "ike-init-out-req"), counters.out + counters.err);

  rig.service.on_attempt = [](auto& attempt) { attempt.done(peer_error("AUTHENTICATION_FAILED")); };
  const Outcome failed = rig.swanctl("--initiate --child site2site");
  BOOST_TEST(failed.code != 0);
  BOOST_TEST(has(failed.err, "initiate failed: AUTHENTICATION_FAILED"), failed.err);
}

BOOST_AUTO_TEST_SUITE_END()
