// SPDX-License-Identifier: Apache-2.0
// Certificates by hash and URL: what is fetched, how often, how much at a time, and what is kept of it. The servers are a fake.
#include "engine/certificate_lookup.h"

#include <boost/test/unit_test.hpp>

#include "crypto/prf.h"
#include "support/pki.h"

using namespace svti;
using namespace std::chrono_literals;
using engine::CertificateLookup;
using test::Holder;

namespace {

struct FakeServer final : model::Fetcher {
  std::map<std::string, Bytes> at;
  std::vector<model::Fetch> asked;
  std::deque<std::pair<model::Fetch, Done>> held;

  void fetch(model::Fetch what, Done done) override {
    asked.push_back(what);
    held.emplace_back(std::move(what), std::move(done));
  }
  void answer_one() {
    auto [what, done] = std::move(held.front());
    held.pop_front();
    const auto found = at.find(what.uri);
    done(found == at.end() ? Result<Bytes>(system_error("connection refused")) : Result<Bytes>(found->second));
  }
  void answer_all() {
    while (!held.empty()) answer_one();
  }
};

using Outcome = std::shared_ptr<std::optional<Result<std::vector<Bytes>>>>;

struct Fixture {
  boost::asio::io_context loop;
  FakeServer server;
  std::chrono::sys_seconds now = test::kToday;
  std::unique_ptr<CertificateLookup> lookup = std::make_unique<CertificateLookup>(
      loop, server, [](const LogLine&) {}, [this] { return now; });
  Holder ca = test::new_root("CN=ca");
  Bytes certificate = ca.certificate;

  static sa::CertificateUrl place(const Bytes& sha1) { return {"http://ca.example/" + to_hex(sha1), sha1}; }
  static sa::CertificateUrl nowhere(std::uint16_t number) {
    Bytes sha1(20, static_cast<std::uint8_t>(number));
    sha1[0] = static_cast<std::uint8_t>(number >> 8);
    return place(sha1);
  }
  sa::CertificateUrl good() const { return place(crypto::sha1({certificate})); }
  Outcome ask(std::vector<sa::CertificateUrl> at, std::string_view peer = "192.0.2.1", const std::string& vrf = "main") const {
    auto out = std::make_shared<std::optional<Result<std::vector<Bytes>>>>();
    lookup->look_up(vrf, IpAddress::parse(peer).value(), std::move(at),
                    [out](Result<std::vector<Bytes>> outcome) { *out = std::move(outcome); });
    return out;
  }
};

std::string why(const Outcome& outcome) { return !*outcome ? "open" : **outcome ? "" : (**outcome).error().message; }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(certificate_lookup, Fixture)

BOOST_AUTO_TEST_CASE(what_has_the_hash_is_taken_and_kept) {
  server.at[good().url] = certificate;
  const Outcome first = ask({good()}), second = ask({good()}, "192.0.2.2");
  BOOST_TEST_REQUIRE(server.asked.size() == 1U);  // both wait for the same
  const model::Fetch& what = server.asked[0];
  BOOST_TEST(!what.redirects);
  BOOST_TEST(what.configured);
  BOOST_TEST(what.most_octets == CertificateLookup::kMaxCertificate);
  BOOST_TEST((what.time == CertificateLookup::kFetchTime));
  server.answer_all();
  for (const Outcome& one : {first, second, ask({good()})}) {
    BOOST_TEST_REQUIRE(why(one) == "");
    BOOST_CHECK((**one)->at(0) == certificate);
  }
  BOOST_TEST(server.asked.size() == 1U);
  lookup->flush();
  ask({good()});
  BOOST_TEST(server.asked.size() == 2U);
}

BOOST_AUTO_TEST_CASE(several_come_back_in_their_order) {
  const Bytes other = test::new_root("CN=other").certificate;
  const sa::CertificateUrl at = place(crypto::sha1({other}));
  server.at[good().url] = certificate;
  server.at[at.url] = other;
  const Outcome both = ask({at, good(), at});
  BOOST_TEST(server.asked.size() == 2U);
  server.answer_one();
  BOOST_TEST(why(both) == "open");
  server.answer_all();
  BOOST_TEST_REQUIRE(why(both) == "");
  BOOST_CHECK((***both == std::vector<Bytes>{other, certificate, other}));
}

BOOST_AUTO_TEST_CASE(another_hash_and_what_is_no_certificate_are_refused) {
  server.at[nowhere(1).url] = certificate;
  const Bytes text = to_bytes(as_bytes("<html>"));
  const sa::CertificateUrl page = place(crypto::sha1({text}));
  server.at[page.url] = text;
  const Outcome first = ask({nowhere(1)}), second = ask({page});
  server.answer_all();
  BOOST_TEST(why(first).find("another hash") != std::string::npos, why(first));
  BOOST_TEST(why(second).find("is not") != std::string::npos, why(second));
}

BOOST_AUTO_TEST_CASE(what_failed_is_not_tried_again_for_a_while_and_nothing_else_suffers) {
  const Outcome first = ask({nowhere(1)});
  server.answer_all();
  BOOST_TEST(why(first) == nowhere(1).url + ": connection refused");
  BOOST_TEST(why(ask({nowhere(1)})) == why(first));
  BOOST_TEST(server.asked.size() == 1U);
  // a stranger who asks for what is not there takes nothing from the others
  server.at[good().url] = certificate;
  const Outcome other = ask({good()});
  server.answer_all();
  BOOST_TEST(why(other) == "");
  now += CertificateLookup::kFailurePause;
  ask({nowhere(1)});
  BOOST_TEST(server.asked.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_flood_is_bounded_for_each_address_and_for_all) {
  std::vector<Outcome> of_one;
  for (std::uint16_t i = 0; i < 100; ++i) of_one.push_back(ask({nowhere(i)}));
  BOOST_TEST(server.asked.size() == CertificateLookup::kMostAtOnce);
  const auto open = [](const std::vector<Outcome>& all) {
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const Outcome& one) { return why(one) == "open"; }));
  };
  BOOST_TEST(open(of_one) == CertificateLookup::kMostOfAddress);
  BOOST_TEST(why(of_one.back()).find("at its address") != std::string::npos);
  std::vector<Outcome> of_many;
  for (std::uint16_t i = 0; i < 200; ++i)
    of_many.push_back(ask({nowhere(static_cast<std::uint16_t>(1000 + i))}, "198.51.100." + std::to_string(i)));
  BOOST_TEST(open(of_one) + open(of_many) == CertificateLookup::kMostPeers);
  BOOST_TEST(server.asked.size() == CertificateLookup::kMostAtOnce);
  // one /64 of IPv6 is one address
  server.answer_all();
  std::vector<Outcome> of_link;
  for (std::uint16_t i = 0; i < 20; ++i)
    of_link.push_back(ask({nowhere(static_cast<std::uint16_t>(2000 + i))}, "2001:db8::" + std::to_string(i)));
  BOOST_TEST(open(of_link) == CertificateLookup::kMostOfAddress);
  server.answer_all();
  BOOST_TEST(open(of_one) + open(of_many) + open(of_link) == 0U);
  // and then there is room again
  server.at[good().url] = certificate;
  const Outcome after = ask({good()});
  server.answer_all();
  BOOST_TEST(why(after) == "");
}

BOOST_AUTO_TEST_CASE(who_has_given_up_is_taken_out_of_the_line) {
  std::vector<Outcome> all;
  for (std::uint16_t i = 0; i < 8; ++i) all.push_back(ask({nowhere(i)}, "192.0.2." + std::to_string(i)));
  const auto begun = std::chrono::steady_clock::now();
  loop.run();  // until the last timer is over
  BOOST_TEST((std::chrono::steady_clock::now() - begun < CertificateLookup::kAskTime + 5s));
  for (const Outcome& one : all) BOOST_TEST(why(one) == "there was no answer within 10 s");
  server.answer_all();
  BOOST_TEST(server.asked.size() == CertificateLookup::kMostAtOnce);
}

BOOST_AUTO_TEST_CASE(an_answer_after_the_end_is_for_nobody) {
  const Outcome one = ask({good()});
  lookup.reset();
  server.answer_all();
  BOOST_TEST(why(one) == "open");
}

BOOST_AUTO_TEST_CASE(a_url_is_fetched_from_the_vrf_of_the_peer) {
  const Outcome first = ask({good()});
  server.answer_all();
  BOOST_TEST(why(first) != "");
  // it failed in the other network
  server.at[good().url] = certificate;
  const Outcome second = ask({good()}, "192.0.2.1", "red");
  BOOST_TEST_REQUIRE(server.asked.size() == 2U);
  BOOST_TEST(server.asked[0].vrf == "main");
  BOOST_TEST(server.asked[1].vrf == "red");
  server.answer_all();
  BOOST_TEST(why(second) == "");
}

BOOST_AUTO_TEST_SUITE_END()
