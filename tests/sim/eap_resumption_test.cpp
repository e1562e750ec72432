// SPDX-License-Identifier: Apache-2.0
// Session resumption (RFC 5723) of a client that has proven itself by EAP: left is the client, right the gateway.
#include <boost/test/unit_test.hpp>

#include "model/pool.h"
#include "sim/pair.h"
#include "support/pki.h"

using namespace svti;
using namespace svti::sim;
using model::AuthMethod;
using sa::Notice;
using wire::ExchangeType;
using wire::NotifyType;

namespace {

constexpr std::string_view kUser = "joe@example.com";
model::Pool pool() {
  model::Pool out;
  out.name = "p";
  out.ranges = {model::parse_address_range("10.3.0.10-10.3.0.99").value()};
  return out;
}

const test::Holder& root() {
  static const test::Holder kRoot = test::new_root("C=CH, O=Example, CN=Root");
  return kRoot;
}

struct How {
  AuthMethod method = AuthMethod::EapMschapv2;
  AuthMethod gateway = AuthMethod::PresharedKey;
  bool pool = false;
};

std::string_view user_of(const How& how) { return how.method == AuthMethod::EapTls ? "joe.example" : kUser; }

void certify(const How& how, bool user, ConfigurationParts& out) {
  if (how.method != AuthMethod::EapTls) return;
  const std::string name = user ? "joe.example" : "gw.example";
  const auto holder = test::issue(test::request("C=CH, O=Example, CN=" + name, {test::dns(name)}), root());
  out.vpns[0].authentication.certificates = {test::local_certificate(name, holder)};
  out.vpns[0].authentication.authorities = {test::authority("root", root())};
  out.private_keys = {test::private_key(holder)};
}

ConfigurationParts client_parts(const How& how) {
  model::Vpn vpn = left_vpn();
  vpn.authentication.local = how.method;
  vpn.authentication.remote = how.gateway;
  vpn.authentication.local_eap_id = identity(user_of(how));
  if (how.method == AuthMethod::EapTls) vpn.authentication.remote_eap_id = identity("gw.example");
  vpn.ike.session_resumption = true;
  vpn.ike.dpd_delay = seconds(30);
  vpn.ipsec.dpd_action = model::DpdAction::Restart;
  if (how.pool) vpn.vip_request = {IpAddress::any(IpFamily::V4)};
  if (how.pool) vpn.policies[0].local_ts[0].subnet.reset();
  ConfigurationParts out{.vpns = {std::move(vpn)}};
  out.eap_keys = {{kUser, "clientPass"}};
  certify(how, true, out);
  return out;
}

ConfigurationParts gateway_parts(const How& how) {
  model::Vpn vpn = right_vpn();
  vpn.authentication.local = how.gateway;
  vpn.authentication.remote = how.method;
  vpn.authentication.remote_eap_id = identity("%any");
  vpn.ike.session_resumption = true;
  vpn.remote_address.reset();
  if (how.pool) vpn.vip_pools = {"p"};
  if (how.pool) vpn.policies[0].remote_ts[0].subnet.reset();
  ConfigurationParts out{.vpns = {std::move(vpn)}};
  out.eap_keys = {{kUser, "clientPass"}};
  if (how.pool) out.pools = {pool()};
  certify(how, false, out);
  return out;
}

struct ResumingPair : Pair {
  explicit ResumingPair(const How& how, std::uint64_t seed = 1) : ResumingPair(client_parts(how), gateway_parts(how), seed) {}
  ResumingPair(ConfigurationParts client, ConfigurationParts gateway, std::uint64_t seed = 1)
      : Pair(std::move(client), std::move(gateway), seed) {
    world.lose = [this](const Node&, const wire::Header& header, const model::Datagram& datagram) {
      inits += header.exchange == ExchangeType::IkeSaInit && !header.response;
      if (header.exchange == ExchangeType::IkeSessionResume) {
        resumes += !header.response;
        nacks += has(datagram, NotifyType::TicketNack);
      }
      return false;
    };
  }
  static bool has(const model::Datagram& datagram, NotifyType type) {
    const auto message = wire::parse_message(datagram.payload);
    if (!message) return false;
    for (const wire::Payload& one : message->payloads) {
      const auto* notify = std::get_if<wire::NotifyPayload>(&one);
      if (notify != nullptr && notify->type == type) return true;
    }
    return false;
  }

  void crash_and_come_back(model::ConfigurationPtr with = nullptr) {
    inits = resumes = nacks = 0;
    right.crash();
    right.restart();
    if (with) right.apply(std::move(with));
  }
  // until the client has noticed, and is up again or has failed
  void recover() {
    const auto ended = [&] { return left.count(Notice::Kind::IkeUp) + left.count(Notice::Kind::IkeFailed); };
    const std::size_t before = ended();
    BOOST_TEST(world.run_until([&] { return ended() > before; }, seconds(400)));
    world.run_for(seconds(10));
  }
  void check_user(const How& how) {
    check_up();
    for (Node* node : {&left, &right}) {
      const model::IkeSaState state = node->ike_sas()[0];
      BOOST_TEST(state.eap_method == name_of(how.method));
      BOOST_TEST((node == &left ? state.local_eap_id : state.remote_eap_id) == user_of(how));
    }
  }
  // check_one_pair(), with an address of the pool as well
  void check_up() {
    if (left.ike_sas().at(0).local_vips.empty()) return check_one_pair();
    BOOST_TEST(left.core().ike_sas() == 1U);
    BOOST_TEST(right.core().ike_sas() == 1U);
    BOOST_TEST((world.probe(left, {left.ike_sas()[0].local_vips[0], address("10.2.0.1")}) == Probe::Delivered));
  }

  std::size_t inits = 0, resumes = 0, nacks = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(resumption_after_eap)

BOOST_AUTO_TEST_CASE(the_session_goes_on_with_a_ticket_and_no_eap) {
  const How hows[] = {{},
                      {.method = AuthMethod::EapMd5},
                      {.gateway = AuthMethod::EapMschapv2},
                      {.method = AuthMethod::EapTls},
                      {.method = AuthMethod::EapTls, .gateway = AuthMethod::EapTls},
                      {.pool = true}};
  for (const How& how : hows) {
    BOOST_TEST_CONTEXT(name_of(how.method) << ' ' << name_of(how.gateway) << ' ' << how.pool) {
      ResumingPair pair(how);
      pair.connect();
      pair.check_user(how);
      const auto vips = pair.left.ike_sas()[0].local_vips;
      BOOST_TEST(vips.size() == (how.pool ? 1U : 0U));
      // again and again: each time with the ticket of the time before, of the IKE SA as it began, or rekeyed
      for (int times = 1; times <= 3; ++times) {
        pair.crash_and_come_back();
        pair.recover();
        BOOST_TEST(pair.inits == 0U);
        BOOST_TEST(pair.resumes == 1U);
        BOOST_TEST(pair.nacks == 0U);
        BOOST_TEST(pair.right.logged("the peer resumes its session as "));
        BOOST_TEST(pair.right.logged(", EAP identity " + std::string(user_of(how))));
        BOOST_TEST(!pair.right.logged("is to prove itself by"));
        pair.check_user(how);
        BOOST_TEST((pair.left.ike_sas()[0].local_vips == vips));
        if (times > 1) continue;
        BOOST_TEST(pair.left.rekey("right").has_value());
        pair.world.run_for(seconds(25));
        pair.check_user(how);
      }
    }
  }
}

// Leases are the EAP identity's: the gateway that has the old IKE SA still gives what it gave before, and nobody else's.
BOOST_AUTO_TEST_CASE(a_gateway_that_still_has_the_old_ike_sa_gives_the_same_address) {
  ResumingPair pair({.pool = true});
  pair.connect();
  const auto vips = pair.left.ike_sas()[0].local_vips;
  pair.world.part(pair.left, pair.right);
  BOOST_TEST(pair.world.run_until([&] { return pair.left.count(Notice::Kind::IkeDown) == 1; }, seconds(300)));
  BOOST_TEST(pair.right.ike_sas().size() == 1U);
  pair.world.join();
  pair.inits = 0;
  pair.recover();
  BOOST_TEST(pair.inits == 0U);
  pair.check_user({.pool = true});
  BOOST_TEST((pair.left.ike_sas()[0].local_vips == vips));
  const auto pools = pair.right.core().pools(true);
  BOOST_TEST_REQUIRE(pools.size() == 1U);
  BOOST_TEST(pools[0].online == 1U);
  BOOST_TEST(pools[0].leases.at(0).identity == kUser);
}

// What the ticket stands for has to hold: else EAP is asked for again.
BOOST_AUTO_TEST_CASE(a_user_who_is_not_let_in_any_more_does_not_resume) {
  const auto changed = [](const std::function<void(ConfigurationParts&)>& change) {
    ConfigurationParts parts = gateway_parts({});
    change(parts);
    return configuration(std::move(parts));
  };
  const std::pair<std::string_view, model::ConfigurationPtr> cases[] = {
      {"the user is gone", changed([](ConfigurationParts& parts) { parts.eap_keys.clear(); })},
      {"the password is another", changed([](ConfigurationParts& parts) { parts.eap_keys[0].second = "another"; })},
      {"other users", changed([](ConfigurationParts& parts) { parts.vpns[0].authentication.remote_eap_id = identity("*@example.org"); })},
      {"the IKE identity", changed([](ConfigurationParts& parts) { parts.vpns[0].authentication.remote_eap_id.reset(); })},
      {"another method", changed([](ConfigurationParts& parts) { parts.vpns[0].authentication.remote = AuthMethod::EapMd5; })},
      {"no EAP", changed([](ConfigurationParts& parts) { parts.vpns[0].authentication.remote = AuthMethod::PresharedKey; })},
  };
  for (const auto& [what, with] : cases) {
    BOOST_TEST_CONTEXT(what) {
      ResumingPair pair((How()));
      pair.connect();
      pair.crash_and_come_back(with);
      pair.recover();
      BOOST_TEST(pair.resumes == 1U);
      BOOST_TEST(pair.nacks == 1U);
      BOOST_TEST(pair.inits > 0U);
      BOOST_TEST(pair.right.logged("its VPN would not have it prove itself so any more"));
      BOOST_TEST(pair.right.ike_sas().empty());
      BOOST_TEST(pair.right.kernel().sad().empty());
    }
  }
  // and what changes nothing for this user changes nothing
  ResumingPair pair((How()));
  pair.connect();
  pair.crash_and_come_back(changed([](ConfigurationParts& parts) {
    parts.eap_keys.emplace_back("eve@example.com", "x");
    parts.vpns[0].authentication.remote_eap_id = identity("*@example.com");
  }));
  pair.recover();
  BOOST_TEST(pair.inits == 0U);
  pair.check_user({});
}

BOOST_AUTO_TEST_CASE(who_had_no_eap_to_go_through_does_not_resume_where_there_is_now) {
  ConfigurationParts client = client_parts({}), gateway = gateway_parts({});
  client.vpns[0].authentication.local = gateway.vpns[0].authentication.remote = AuthMethod::PresharedKey;
  ResumingPair pair(std::move(client), std::move(gateway));
  pair.connect();
  pair.crash_and_come_back(configuration(gateway_parts({})));
  pair.recover();
  BOOST_TEST(pair.nacks == 1U);
  BOOST_TEST(pair.right.ike_sas().empty());
}

// nor where a PPK has to be in the keys by now; with one it is shown, and stays
BOOST_AUTO_TEST_CASE(a_ppk_stays_in_the_keys) {
  for (const bool has : {false, true}) {
    ConfigurationParts client = client_parts({}), gateway = gateway_parts({});
    client.ppks = {{"q.example", "secret"}};
    if (has) client.vpns[0].ike.ppk_id = identity("q.example");
    gateway.ppks = {{"q.example", "secret"}};
    ConfigurationParts later = gateway;
    later.vpns[0].ike.ppk_required = true;
    ResumingPair pair(std::move(client), std::move(gateway));
    pair.connect();
    BOOST_TEST(pair.right.ike_sas()[0].ppk == has);
    pair.crash_and_come_back(configuration(std::move(later)));
    pair.recover();
    BOOST_TEST(pair.nacks == (has ? 0U : 1U));
    BOOST_TEST(pair.right.ike_sas().size() == (has ? 1U : 0U));
    if (!has) continue;
    BOOST_TEST(pair.left.ike_sas().at(0).ppk);
    BOOST_TEST(pair.right.ike_sas().at(0).ppk);
    pair.check_user({});
  }
}

BOOST_AUTO_TEST_CASE(with_several_rounds_there_is_no_ticket) {
  ConfigurationParts client = client_parts({}), gateway = gateway_parts({});
  client.vpns[0].authentication.further_local.push_back({AuthMethod::PresharedKey, {}, {}, {}, {}, {}});
  gateway.vpns[0].authentication.further_remote.push_back({AuthMethod::PresharedKey, {}, {}, {}, {}, {}});
  ResumingPair pair(std::move(client), std::move(gateway));
  pair.connect();
  BOOST_TEST(pair.left.logged("the gateway gives no ticket"));
  pair.crash_and_come_back();
  pair.recover();
  BOOST_TEST(pair.resumes == 0U);
  pair.check_user({});
}

BOOST_AUTO_TEST_CASE(whatever_is_lost_and_doubled) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      ResumingPair pair({.method = seed % 2 == 0 ? AuthMethod::EapMschapv2 : AuthMethod::EapMd5}, seed);
      pair.connect();
      pair.crash_and_come_back();
      pair.world.weather = {0.15, 0.3, milliseconds(5), milliseconds(300)};
      pair.world.run_for(seconds(400));
      pair.world.weather = {};
      pair.world.run_for(seconds(300));
      // start-action none: an attempt that failed for good is not made again
      if (pair.left.count(Notice::Kind::IkeFailed) > 0) continue;
      pair.check_one_pair();
      BOOST_TEST(pair.right.ike_sas()[0].remote_eap_id == kUser);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
