// SPDX-License-Identifier: Apache-2.0
// Certificates by hash and URL: RFC 7296 3.6. What is fetched, what never is, and what becomes of an IKE SA that waits.
#include <boost/test/unit_test.hpp>

#include "crypto/prf.h"
#include "sim/pair.h"
#include "sim/world/scripted_peer.h"
#include "support/pki.h"

using namespace svti;
using namespace svti::sim;
using crypto::KeyType;
using model::AuthMethod;
using model::Cause;
using test::dns;
using test::Holder;
using test::request;

namespace {

const std::string kBase = "http://ca.example/certs/";
constexpr std::uint8_t kHashAndUrl = 12, kBundle = 13;

const Holder& root() {
  static const Holder kRoot = test::new_root("C=CH, O=Example, CN=Root");
  return kRoot;
}
const Holder& of_left() {
  static const Holder kHolder = test::issue(request("CN=left"), root());
  return kHolder;
}
const Holder& of_right() {
  static const Holder kHolder = test::issue(request("CN=right"), root());
  return kHolder;
}

model::AuthorityPtr published(const Holder& authority, const std::string& base) {
  model::Authority out = *test::authority("root", authority);
  out.cert_uri_base = base;
  return std::make_shared<const model::Authority>(std::move(out));
}

std::string url_of(const Bytes& certificate, const std::string& base = kBase) { return base + to_hex(crypto::sha1({certificate})); }

// `trusts`: for the peer; `knows`: of ours
ConfigurationParts end(model::Vpn vpn, const Holder& holder, std::vector<model::AuthorityPtr> trusts, std::vector<Bytes> above = {}) {
  vpn.authentication.local = vpn.authentication.remote = AuthMethod::Certificate;
  vpn.authentication.certificates = {test::local_certificate("own", holder, above)};
  vpn.authentication.authorities = trusts;
  return {.vpns = {std::move(vpn)}, .private_keys = {test::private_key(holder)}, .authorities = std::move(trusts)};
}

struct Web : Pair {
  explicit Web(const std::string& left_base = kBase, const std::string& right_base = kBase, std::uint64_t seed = 1)
      : Pair(end(left_vpn(), of_left(), {published(root(), left_base)}), end(right_vpn(), of_right(), {published(root(), right_base)}),
             seed) {
    for (Node* one : {&left, &right}) {
      for (const Holder* holder : {&of_left(), &of_right()}) one->web[url_of(holder->certificate)] = holder->certificate;
    }
  }
  void refused(const std::string& reason) {
    BOOST_TEST_REQUIRE(left.initiate("right").has_value());
    world.run_for(seconds(40));
    BOOST_TEST_REQUIRE(!right.explanations().empty());
    const model::Explanation& why = right.explanations().back();
    BOOST_TEST((why.cause == Cause::CertificateLookup));
    BOOST_TEST(why.reason.find(reason) != std::string::npos, why.reason);
    BOOST_TEST(why.advice.leaf.find("cert-uri-base") != std::string::npos);
    BOOST_TEST(right.child_sas().empty());
    world.run_for(seconds(60));
    check_nothing_left();
  }
};

// A stranger with keys of its own, and CERT payloads as they are given.
struct Stranger {
  Stranger(Web& web, std::uint16_t port) : pair(web), entropy(port), peer(entropy, {address(kLeft), port}, {address(kRight), 500}) {}
  bool begin() {
    auto answers = pair.right.inject(peer.init());
    // what is said of certificates is more than it has sent: it has to show first that it is where it says
    ScriptedPeer::Payloads payloads = peer.init_payloads();
    if (answers.size() != 1) return false;
    const auto message = wire::parse_message(answers[0].payload);
    if (const auto* cookie = message ? std::get_if<wire::NotifyPayload>(&message->payloads.at(0)) : nullptr;
        cookie != nullptr && cookie->type == wire::NotifyType::Cookie) {
      payloads.insert(payloads.begin(), *cookie);
      answers = pair.right.inject(peer.init(payloads));
    }
    return answers.size() == 1 && peer.accept_init(answers[0].payload);
  }
  // what it gets as an answer, opened
  std::optional<ScriptedPeer::Payloads> send(const std::vector<wire::CertPayload>& certificates) {
    ScriptedPeer::Payloads payloads = peer.auth_payloads();
    for (wire::Payload& one : payloads) {
      if (auto* auth = std::get_if<wire::AuthPayload>(&one)) auth->method = wire::AuthMethod::DigitalSignature;
    }
    for (const wire::CertPayload& one : certificates) payloads.insert(payloads.begin() + 1, one);
    last = peer.request(wire::ExchangeType::IkeAuth, payloads, 1);
    const auto answers = pair.right.inject(last);
    return answers.empty() ? std::nullopt : peer.open(answers[0].payload);
  }
  Web& pair;
  SeededEntropy entropy;
  ScriptedPeer peer;
  model::Datagram last;
};

wire::CertPayload by_url(std::string_view url, Bytes hash = Bytes(20, 0xab), std::uint8_t encoding = kHashAndUrl) {
  return {encoding, concat({hash, as_bytes(url)})};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(hash_and_url)

// IKE_SA_INIT ... <-- { ..., CERTREQ, N(HTTP_CERT_LOOKUP_SUPPORTED) }
// IKE_AUTH { IDi, CERT(12), CERTREQ, N(HTTP_CERT_LOOKUP_SUPPORTED), AUTH, ... } -->  <-- { IDr, CERT(12), AUTH, ... }
BOOST_AUTO_TEST_CASE(both_ends_send_a_hash_and_a_url_and_look_up_the_others) {
  Web pair;
  pair.connect();
  pair.check_one_pair();
  BOOST_TEST_REQUIRE(pair.right.lookups.size() == 1U);
  BOOST_TEST_REQUIRE(pair.right.lookups[0].at.size() == 1U);
  BOOST_TEST(pair.right.lookups[0].at[0].url == url_of(of_left().certificate));
  BOOST_TEST((pair.right.lookups[0].peer == pair.left.address()));
  BOOST_TEST_REQUIRE(pair.left.lookups.size() == 1U);
  BOOST_TEST(pair.left.lookups[0].at[0].url == url_of(of_right().certificate));
  BOOST_CHECK(pair.right.ike_sas().at(0).remote_certificate == of_left().certificate);
}

BOOST_AUTO_TEST_CASE(it_is_said_and_done_only_where_an_authority_has_a_place) {
  for (const bool left_has : {true, false}) {
    Web pair(left_has ? kBase : "", left_has ? "" : kBase);
    pair.connect();
    // who has no place knows none for its own certificate either, and asks for none
    BOOST_TEST(pair.left.lookups.empty());
    BOOST_TEST(pair.right.lookups.empty());
    BOOST_TEST(pair.left.logged("N(HTTP_CERT_LOOKUP_SUPPORTED)") == left_has);
  }
  Web pair("", "");
  pair.connect();
  BOOST_TEST(!pair.left.logged("HTTP_CERT_LOOKUP_SUPPORTED"));
  BOOST_TEST(!pair.right.logged("HTTP_CERT_LOOKUP_SUPPORTED"));
}

BOOST_AUTO_TEST_CASE(authorities_in_between_go_so_too_where_their_issuer_publishes) {
  crypto::CertificateRequest what = request("CN=Between");
  what.authority = true;
  const Holder between = test::issue(what, root()), leaf = test::issue(request("CN=left"), between);
  for (const bool all : {true, false}) {
    ConfigurationParts left = end(left_vpn(), leaf, {published(root(), kBase)}, {between.certificate});
    if (all) left.authorities.push_back(published(between, kBase));
    Pair pair(std::move(left), end(right_vpn(), of_right(), {published(root(), kBase)}));
    for (const Holder* one : {&between, &leaf, &of_right()}) {
      for (Node* node : {&pair.left, &pair.right}) node->web[url_of(one->certificate)] = one->certificate;
    }
    pair.connect();
    BOOST_TEST_REQUIRE(pair.right.lookups.size() == 1U);
    // `root` has issued the one in between, and does not say where that one publishes
    BOOST_TEST(pair.right.lookups[0].at.size() == (all ? 2U : 1U));
    BOOST_TEST(pair.right.lookups[0].at.back().url == url_of(between.certificate));
  }
}

BOOST_AUTO_TEST_CASE(a_url_that_is_elsewhere_is_not_fetched) {
  Web pair("http://evil.example/certs/");
  pair.refused("http://evil.example/certs/");
  BOOST_TEST(pair.right.lookups.empty());
}

BOOST_AUTO_TEST_CASE(what_is_not_found_or_has_another_hash_or_is_no_certificate_is_refused) {
  {
    Web pair;
    pair.right.web.clear();
    pair.refused("not found");
  }
  {
    Web pair;
    pair.right.web[url_of(of_left().certificate)] = of_right().certificate;
    pair.refused("another hash");
  }
}

// nobody else waits, and who waits gives up
BOOST_AUTO_TEST_CASE(a_lookup_without_an_answer_ends_with_the_ike_sa) {
  Web pair;
  pair.world.no_lookups = true;
  BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
  pair.world.run_for(seconds(40));
  BOOST_TEST(pair.right.lookups.size() == 1U);  // for the request and its retransmissions
  BOOST_TEST((pair.right.explanations().back().cause == Cause::Certificate));
  // an answer that comes too late is for nobody
  pair.right.act([&](sa::Core& core, TimePoint now, sa::Effects& out) {
    core.on_looked_up(pair.right.lookups[0].ticket, std::vector<Bytes>{of_left().certificate}, now, out);
  });
  BOOST_TEST(pair.right.ike_sas().empty());
  pair.world.run_for(seconds(60));
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_CASE(lossy_networks_bring_it_up_all_the_same) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Web pair(kBase, kBase, seed);
    pair.world.answer_after = milliseconds(700);
    pair.world.weather = {.loss = 0.2, .duplication = 0.2, .least_delay = milliseconds(5), .most_delay = milliseconds(400)};
    BOOST_TEST_REQUIRE(pair.left.initiate("right").has_value());
    BOOST_TEST(pair.world.run_until([&] { return pair.left.child_sas().size() == 1 && pair.right.child_sas().size() == 1; }, seconds(160)));
    BOOST_TEST(pair.right.lookups.size() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_stranger_chooses_the_hash_and_nothing_else) {
  const Bytes hash(20, 0xab);
  const std::string good = kBase + to_hex(hash);
  std::string upper = good;
  upper.replace(kBase.size(), 2, "AB");
  const std::vector<wire::CertPayload> bad = {by_url(""),
                                              by_url(kBase),
                                              by_url(good + "/"),
                                              by_url(good + "?x"),
                                              by_url(kBase + "../" + to_hex(hash)),
                                              by_url(upper),
                                              by_url("https://ca.example/certs/" + to_hex(hash)),
                                              by_url("file:///certs/" + to_hex(hash)),
                                              by_url(good, Bytes(20, 0xac)),
                                              by_url(std::string(1, '\0') + good),
                                              by_url(good + std::string(1, '\0')),
                                              by_url("", Bytes(19, 0xab)),
                                              by_url("", {}),
                                              by_url(good, hash, kBundle),
                                              by_url("http://ca.example/certs/" + std::string(60000, 'a'))};
  std::uint16_t port = 1000;
  for (const wire::CertPayload& one : bad) {
    Web pair;
    Stranger stranger(pair, ++port);
    BOOST_TEST_REQUIRE(stranger.begin());
    BOOST_TEST(stranger.send({one}).has_value());  // refused at once
    BOOST_TEST(pair.right.lookups.empty());
    BOOST_TEST((pair.right.explanations().back().cause == Cause::CertificateLookup));
  }
  Web pair;
  Stranger stranger(pair, 500);
  BOOST_TEST_REQUIRE(stranger.begin());
  BOOST_TEST(!stranger.send({by_url(good)}).has_value());
  BOOST_TEST(pair.right.lookups.size() == 1U);
}

// Each IKE SA asks once for at most four, and how many there may be half-open of one address is bounded (block-threshold).
BOOST_AUTO_TEST_CASE(a_flood_of_strangers_asks_for_a_bounded_number) {
  Web pair;
  pair.world.no_lookups = true;
  std::size_t begun = 0;
  for (std::uint16_t port = 1000; port < 1200; ++port) {
    Stranger stranger(pair, port);
    if (!stranger.begin()) continue;
    ++begun;
    std::vector<wire::CertPayload> many;
    for (std::uint8_t i = 0; i < 100; ++i) {
      const Bytes hash(20, static_cast<std::uint8_t>(i + port));
      many.push_back(by_url(kBase + to_hex(hash), hash));
    }
    stranger.send(many);
    for (int again = 0; again < 5; ++again) pair.right.inject(stranger.last);
  }
  BOOST_TEST(begun == model::GlobalOptions{}.block_threshold);
  BOOST_TEST(pair.right.lookups.size() == begun);
  for (const auto& one : pair.right.lookups) BOOST_TEST(one.at.size() == 4U);
  pair.world.run_for(seconds(60));
  pair.check_nothing_left();
}

BOOST_AUTO_TEST_SUITE_END()
