// SPDX-License-Identifier: Apache-2.0
// Who is asked about a certificate, when, how often, and what is kept of it. The servers are a fake.
#include "engine/revocation.h"

#include <array>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/ocsp.h"
#include "support/pki.h"

using namespace svti;
using namespace std::chrono_literals;
using crypto::Finding;
using crypto::Standing;
using engine::Revocation;
using test::Holder;
using test::kToday;

namespace {

struct FakeServers final : model::Fetcher {
  std::map<std::string, std::function<Result<Bytes>(const model::Fetch&)>> at;
  std::vector<model::Fetch> asked;
  std::vector<std::pair<model::Fetch, Done>> held;  // while `hold`
  bool hold = false;

  void fetch(model::Fetch what, Done done) override {
    asked.push_back(what);
    held.emplace_back(std::move(what), std::move(done));
  }
  void answer_all() {
    while (!held.empty()) {
      auto [what, done] = std::move(held.front());
      held.erase(held.begin());
      const auto server = at.find(what.uri);
      done(server == at.end() ? Result<Bytes>(system_error("connection refused")) : server->second(what));
    }
  }
  std::size_t times(const std::string& uri) const {
    return static_cast<std::size_t>(std::count_if(asked.begin(), asked.end(), [&](const auto& one) { return one.uri == uri; }));
  }
};

const std::string kList = "http://crl.example/ca.crl", kDelta = "http://crl.example/delta.crl", kResponder = "http://ocsp.example/";

struct Fixture {
  boost::asio::io_context loop;
  FakeServers servers;
  std::chrono::sys_seconds now = kToday;
  std::filesystem::path dir = std::filesystem::temp_directory_path() / ("svti-revocation-" + std::to_string(::getpid()));
  Holder ca = test::new_root("C=CH, O=Example, CN=ca");
  std::unique_ptr<Revocation> revocation = make();

  Fixture() = default;
  ~Fixture() { std::filesystem::remove_all(dir); }
  std::unique_ptr<Revocation> make() {
    return std::make_unique<Revocation>(
        loop, servers, dir.string(), [](const LogLine&) {}, [this] { return now; });
  }

  Holder certificate(const std::string& name, bool crl = true, bool ocsp = false) const {
    auto what = test::request("CN=" + name);
    if (crl) what.crl_uris = {kList};
    if (ocsp) what.ocsp_uris = {kResponder};
    return test::issue(what, ca);
  }
  Bytes list(const std::vector<Bytes>& revoked, std::uint64_t number = 1, std::chrono::seconds next = 24h,
             std::optional<std::uint64_t> base = {}, const std::vector<std::string>& delta_uris = {}) const {
    std::vector<crypto::RevokedCertificate> entries;
    for (const Bytes& one : revoked) entries.push_back({crypto::read_certificate(one)->serial, kToday - 1h});
    return crypto::make_revocation_list(entries, number, kToday - 1h, kToday + next, ca.certificate, ca.key.view(), base, delta_uris)
        .value();
  }
  void serve(const std::string& uri, Bytes what) {
    servers.at[uri] = [what = std::move(what)](const model::Fetch&) { return Result<Bytes>(what); };
  }
  void serve_ocsp(const Bytes& about, Standing standing, std::chrono::seconds next = 1h) {
    servers.at[kResponder] = [this, about, standing, next](const model::Fetch& asked) -> Result<Bytes> {
      return test::ocsp_response({standing, now, now + next}, asked.body, about, ca.certificate, ca.certificate, ca.key);
    };
  }
  Finding ask(const Bytes& about, std::vector<std::string> crl_uris = {}, std::vector<std::string> ocsp_uris = {},
              const std::string& vrf = "main") {
    std::optional<Finding> out;
    revocation->ask({vrf, about, ca.certificate, std::move(crl_uris), std::move(ocsp_uris)},
                    [&](Finding found) { out = std::move(found); });
    servers.answer_all();
    BOOST_TEST_REQUIRE(out.has_value());
    return *out;
  }
};

bool has(const std::string& text, std::string_view part) {
  BOOST_TEST_MESSAGE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(revocation_service, Fixture)

BOOST_AUTO_TEST_CASE(a_list_is_fetched_once_and_kept_until_its_next_update) {
  const Holder good = certificate("good"), bad = certificate("bad");
  serve(kList, list({bad.certificate}));
  BOOST_TEST((ask(good.certificate).standing == Standing::Good));
  BOOST_TEST(has(ask(bad.certificate).why, "\"CN=bad\" was revoked on"));
  BOOST_TEST(servers.times(kList) == 1U);
  now += 25h;
  serve(kList, list({}, 2, 48h));
  BOOST_TEST((ask(bad.certificate).standing == Standing::Revoked));  // by the list that it has
  BOOST_TEST((ask(good.certificate).standing == Standing::Good));
  BOOST_TEST(servers.times(kList) == 2U);
  BOOST_TEST((ask(bad.certificate).standing == Standing::Good));  // by the newer list
}

BOOST_AUTO_TEST_CASE(many_who_ask_the_same_cost_one_fetch) {
  serve(kList, list({}));
  std::size_t answered = 0;
  for (int i = 0; i < 20; ++i) {
    const Holder one = certificate("gw" + std::to_string(i));
    revocation->ask({"main", one.certificate, ca.certificate, {}, {}},
                    [&](const Finding& found) { answered += found.standing == Standing::Good ? 1 : 0; });
  }
  BOOST_TEST(answered == 0U);
  servers.answer_all();
  BOOST_TEST(answered == 20U);
  BOOST_TEST(servers.times(kList) == 1U);
}

BOOST_AUTO_TEST_CASE(the_cache_survives_and_a_broken_file_of_it_is_thrown_away) {
  const Holder bad = certificate("bad");
  serve(kList, list({bad.certificate}));
  BOOST_TEST((ask(bad.certificate).standing == Standing::Revoked));
  servers.at.clear();
  revocation = make();
  BOOST_TEST((ask(bad.certificate).standing == Standing::Revoked));
  BOOST_TEST(servers.times(kList) == 1U);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) files.push_back(entry.path());
  BOOST_TEST_REQUIRE(files.size() == 1U);
  for (const Bytes& broken : {Bytes{0x30, 0x82}, list({}, 9)}) {
    // the second is a list, of an authority of the same name
    Bytes content = broken;
    if (content.size() > 2) {
      const Holder impostor = test::new_root("C=CH, O=Example, CN=ca");
      content = crypto::make_revocation_list({}, 9, kToday - 1h, kToday + 24h, impostor.certificate, impostor.key.view()).value();
    }
    std::ofstream(files[0], std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
    revocation = make();
    BOOST_TEST(has(ask(bad.certificate).why, "connection refused"));
    BOOST_TEST(!std::filesystem::exists(files[0]));
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_failed_is_left_alone_for_a_while) {
  const Holder gw = certificate("gw");
  BOOST_TEST(has(ask(gw.certificate).why, kList + ": connection refused"));
  BOOST_TEST(has(ask(gw.certificate).why, "connection refused"));
  BOOST_TEST(servers.times(kList) == 1U);
  now += 61s;
  serve(kList, list({}));
  BOOST_TEST((ask(gw.certificate).standing == Standing::Good));
  // what is not the authority's is no list, and what is older is not taken
  now += 25h;
  serve(kList, list({}, 1, 100h));
  BOOST_TEST((ask(gw.certificate).standing == Standing::Good));
  revocation->flush(true, true);
  BOOST_TEST(std::filesystem::is_empty(dir));
  const Holder impostor = test::new_root("C=CH, O=Example, CN=ca");
  serve(kList, crypto::make_revocation_list({}, 7, now - 1h, now + 24h, impostor.certificate, impostor.key.view()).value());
  BOOST_TEST(has(ask(gw.certificate).why, "has a wrong signature"));
  BOOST_TEST(std::filesystem::is_empty(dir));
}

BOOST_AUTO_TEST_CASE(an_older_list_does_not_take_the_place_of_a_newer_one) {
  const Holder gw = certificate("gw"), bad = certificate("bad");
  serve(kList, list({bad.certificate}, 5));
  BOOST_TEST((ask(gw.certificate).standing == Standing::Good));
  now += 25h;
  serve(kList, list({}, 4, 100h));
  BOOST_TEST(has(ask(gw.certificate).why, "older than what it had before"));
  BOOST_TEST((ask(bad.certificate).standing == Standing::Revoked));
}

BOOST_AUTO_TEST_CASE(responders_come_before_lists_and_the_configurations_before_the_certificates) {
  const Holder gw = certificate("gw", true, true);
  serve(kList, list({}));
  serve_ocsp(gw.certificate, Standing::Good);
  BOOST_TEST((ask(gw.certificate, {}, {"http://other.example/"}).standing == Standing::Good));
  BOOST_TEST_REQUIRE(servers.asked.size() == 2U);
  BOOST_TEST(servers.asked[0].uri == "http://other.example/");
  BOOST_TEST(servers.asked[0].configured);
  BOOST_TEST(servers.asked[1].uri == kResponder);
  BOOST_TEST(!servers.asked[1].configured);
  BOOST_TEST(!servers.asked[1].body.empty());
  // kept for as long as it holds
  BOOST_TEST((ask(gw.certificate).standing == Standing::Good));
  BOOST_TEST(servers.asked.size() == 2U);
  now += 2h;
  serve_ocsp(gw.certificate, Standing::Revoked);
  BOOST_TEST(has(ask(gw.certificate).why, "says the OCSP responder"));
  // who does not know is no answer: the list is next
  const Holder unknown = certificate("unknown", true, true);
  serve_ocsp(unknown.certificate, Standing::Unknown);
  BOOST_TEST((ask(unknown.certificate).standing == Standing::Good));
  BOOST_TEST(servers.times(kList) == 1U);
}

BOOST_AUTO_TEST_CASE(where_a_certificate_may_send_us) {
  auto what = test::request("CN=gw");
  what.crl_uris = {"file:///etc/passwd", "https://crl.example/a", "gopher://x/", "ldap://dir.example/cn=ca"};
  what.ocsp_uris = {"ldap://dir.example/"};
  const Holder gw = test::issue(what, ca);
  BOOST_TEST((ask(gw.certificate).standing == Standing::Unknown));
  BOOST_TEST_REQUIRE(servers.asked.size() == 1U);
  BOOST_TEST(servers.asked[0].uri == "ldap://dir.example/cn=ca");
  // of many only some are asked
  what.crl_uris.clear();
  what.ocsp_uris.clear();
  for (int i = 0; i < 40; ++i) what.crl_uris.push_back("http://crl.example/" + std::to_string(i));
  BOOST_TEST((ask(test::issue(what, ca).certificate).standing == Standing::Unknown));
  BOOST_TEST(servers.asked.size() == 1U + Revocation::kMostUris);
}

BOOST_AUTO_TEST_CASE(of_a_directory_alone_the_authoritys_entry_is_asked) {
  const Holder gw = certificate("gw", false);
  const std::string whole = "ldap://dir.example/CN=ca,O=Example,C=CH?certificateRevocationList;binary?base";
  serve(whole, list({gw.certificate}));
  BOOST_TEST((ask(gw.certificate, {"ldap://dir.example"}).standing == Standing::Revoked));
  BOOST_TEST(servers.times(whole) == 1U);
}

BOOST_AUTO_TEST_CASE(a_dead_server_costs_a_bounded_wait) {
  const Holder gw = certificate("gw");
  std::optional<Finding> found;
  revocation->ask({"main", gw.certificate, ca.certificate, {}, {}}, [&](Finding one) { found = std::move(one); });
  const auto began = std::chrono::steady_clock::now();
  loop.run();  // the fake never answers
  BOOST_TEST_REQUIRE(found.has_value());
  BOOST_TEST(has(found->why, "no answer within 15 s"));
  BOOST_TEST((std::chrono::steady_clock::now() - began < 25s));
  servers.answer_all();  // too late, and no harm
}

BOOST_AUTO_TEST_CASE(a_staple_is_what_the_responder_said_of_ours) {
  const Holder gw = certificate("gw", false, true);
  serve_ocsp(gw.certificate, Standing::Good);
  std::vector<Bytes> staples;
  const auto staple = [&] {
    revocation->staple({"main", gw.certificate, ca.certificate, {}, {}}, [&](Bytes one) { staples.push_back(std::move(one)); });
    servers.answer_all();
  };
  staple();
  staple();
  BOOST_TEST_REQUIRE(staples.size() == 2U);
  BOOST_TEST((crypto::ask_ocsp(staples[1], {}, gw.certificate, ca.certificate, now).standing == Standing::Good));
  BOOST_TEST(servers.asked.size() == 1U);
  now += 2h;
  servers.at.clear();
  staple();
  BOOST_TEST(staples.back().empty());
}

BOOST_AUTO_TEST_CASE(the_state_tells_what_is_held_and_what_failed) {
  model::Authority authority;
  authority.der = ca.certificate;
  authority.crl_uris = {"http://own.example/ca.crl"};
  BOOST_TEST(revocation->states("main", authority).size() == 1U);
  const Holder bad = certificate("bad");
  serve(kList, list({bad.certificate}, 0x1f));
  (void)ask(bad.certificate, authority.crl_uris);
  const auto states = revocation->states("main", authority);
  BOOST_TEST_REQUIRE(states.size() == 2U);
  BOOST_TEST(states[0].uri == kList);
  BOOST_TEST(states[0].held);
  BOOST_TEST(states[0].number == "1f");
  BOOST_TEST(states[0].entries == 1U);
  BOOST_TEST((states[0].next_update == kToday + 24h));
  BOOST_TEST(states[0].failure.empty());
  BOOST_TEST(states[1].failure == "connection refused");
  BOOST_TEST((states[1].last_failure == kToday));
}

BOOST_AUTO_TEST_CASE(lists_are_read_and_written_in_the_background_and_then_count) {
  std::filesystem::create_directories(dir);
  std::vector<std::pair<std::function<void()>, std::function<void()>>> jobs;
  revocation = std::make_unique<Revocation>(
      loop, servers, dir.string(), [](const LogLine&) {}, [this] { return now; },
      [&](std::function<void()> work, std::function<void()> done) { jobs.emplace_back(std::move(work), std::move(done)); });
  const Holder one = certificate("one");
  serve(kList, list({one.certificate}));
  Finding first{Standing::Good, {}}, second{Standing::Good, {}};
  revocation->ask({"main", one.certificate, ca.certificate, {}, {}}, [&](Finding found) { first = std::move(found); });
  servers.answer_all();
  BOOST_TEST_REQUIRE(jobs.size() == 1U);
  std::thread(jobs[0].first).join();
  // who asks meanwhile waits for the same
  revocation->ask({"main", one.certificate, ca.certificate, {}, {}}, [&](Finding found) { second = std::move(found); });
  BOOST_TEST((first.standing == Standing::Good));
  jobs[0].second();
  BOOST_TEST((first.standing == Standing::Revoked));
  BOOST_TEST((second.standing == Standing::Revoked));
  BOOST_TEST(servers.times(kList) == 1U);
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(dir), {}) == 1);
  // a job that comes back when nobody is there any more
  now += 25h;
  revocation->ask({"main", certificate("two").certificate, ca.certificate, {}, {}}, [&](Finding found) { first = std::move(found); });
  servers.answer_all();
  BOOST_TEST_REQUIRE(jobs.size() == 2U);
  jobs[1].first();
  revocation.reset();
  jobs[1].second();
}

BOOST_AUTO_TEST_CASE(servers_are_asked_from_the_vrf_that_it_is_about) {
  const Holder one = certificate("one");
  serve(kList, list({}));
  BOOST_TEST((ask(one.certificate).standing == Standing::Good));
  // the same URI leads elsewhere in another network: what is known of it there is another matter, in memory and on disk
  servers.at.erase(kList);
  BOOST_TEST(has(ask(one.certificate, {}, {}, "red").why, "connection refused"));
  serve(kList, list({one.certificate}));
  BOOST_TEST((ask(one.certificate, {}, {}, "blue").standing == Standing::Revoked));
  BOOST_TEST((ask(one.certificate).standing == Standing::Good));
  BOOST_TEST_REQUIRE(servers.asked.size() == 3U);
  for (const std::size_t i : {0U, 1U, 2U}) BOOST_TEST(servers.asked[i].vrf == (std::array{"main", "red", "blue"}.at(i)));
  revocation = make();
  BOOST_TEST((ask(one.certificate).standing == Standing::Good));
  BOOST_TEST((ask(one.certificate, {}, {}, "blue").standing == Standing::Revoked));
  BOOST_TEST(servers.asked.size() == 3U);
  model::Authority authority;
  authority.der = ca.certificate;
  BOOST_TEST_REQUIRE(revocation->states("blue", authority).size() == 1U);
  BOOST_TEST(revocation->states("blue", authority)[0].entries == 1U);
  BOOST_TEST(revocation->states("green", authority).empty());
}

// RFC 5280 4.2.1.15 and 5.2.6: the certificate says where deltas are, or the list does
BOOST_AUTO_TEST_CASE(a_delta_is_found_by_the_certificate_or_the_list_and_counts) {
  for (const bool by_certificate : {true, false}) {
    revocation->flush(true, true);
    servers.asked.clear();
    auto what = test::request("CN=gw");
    what.crl_uris = {kList};
    if (by_certificate) what.delta_uris = {kDelta};
    const Holder gw = test::issue(what, ca), other = certificate("other");
    serve(kList, list({}, 5, 24h, {}, by_certificate ? std::vector<std::string>() : std::vector{kDelta}));
    serve(kDelta, list({gw.certificate}, 6, 1h, 5));
    BOOST_TEST(has(ask(gw.certificate).why, "the delta revocation list 06"));
    BOOST_TEST_REQUIRE(servers.asked.size() == 2U);
    BOOST_TEST(servers.asked[0].uri == kList);
    BOOST_TEST(servers.asked[1].uri == kDelta);
    BOOST_TEST((ask(other.certificate).standing == Standing::Good));
    BOOST_TEST(servers.asked.size() == 2U);  // both are kept
    // the delta is due sooner than its base, and the newer one is fetched alone
    now += 2h;
    const Holder late = test::issue(what, ca);
    serve(kDelta, list({gw.certificate, late.certificate}, 7, 3h, 5));
    BOOST_TEST((ask(late.certificate).standing == Standing::Revoked));
    BOOST_TEST(servers.times(kDelta) == 2U);
    BOOST_TEST(servers.times(kList) == 1U);
    now -= 2h;
  }
}

BOOST_AUTO_TEST_CASE(without_its_delta_a_base_that_holds_is_enough_and_a_delta_of_another_base_is_none) {
  const Holder gw = certificate("gw");
  serve(kList, list({}, 5, 24h, {}, {kDelta}));
  BOOST_TEST((ask(gw.certificate).standing == Standing::Good));
  BOOST_TEST(servers.times(kDelta) == 1U);
  revocation->flush(true, true);
  serve(kDelta, list({gw.certificate}, 9, 1h, 8));  // to a list that is newer than the one there is
  BOOST_TEST((ask(gw.certificate).standing == Standing::Good));
  const Holder impostor = test::new_root("C=CH, O=Example, CN=ca");
  revocation->flush(true, true);
  serve(kDelta, crypto::make_revocation_list({{crypto::read_certificate(gw.certificate)->serial, kToday - 1h}}, 6, kToday - 1h, kToday + 1h,
                                             impostor.certificate, impostor.key.view(), 5)
                    .value());
  BOOST_TEST((ask(gw.certificate).standing == Standing::Good));
}

BOOST_AUTO_TEST_SUITE_END()
