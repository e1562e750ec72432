// SPDX-License-Identifier: Apache-2.0
// Virtual addresses over the Configuration payload (RFC 7296 2.19, 3.15): clients that ask, a gateway with pools.
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "model/pool.h"
#include "sim/pair.h"
#include "sim/world/scripted_peer.h"
#include "wire/configuration.h"

using namespace svti;
using namespace svti::sim;

namespace {

constexpr const char* kClient = "198.51.100.1";
constexpr const char* kOtherClient = "198.51.100.2";

model::Pool pool(std::string name, const std::vector<std::string>& ranges) {
  model::Pool out;
  out.name = std::move(name);
  for (const std::string& one : ranges) out.ranges.push_back(model::parse_address_range(one).value());
  return out;
}

// the guide's concentrator: no remote-address, no remote-ts
model::Vpn hub(std::vector<std::string> pools) {
  model::Vpn out = vpn("rw", kRight, kLeft);
  out.remote_address.reset();
  out.policies = {security_policy("hub", "10.2.0.0/24", "0.0.0.0/0")};
  out.policies[0].remote_ts[0].subnet.reset();
  out.vip_pools = std::move(pools);
  return out;
}

model::Vpn road_warrior(std::string_view id, std::vector<IpAddress> request = {address("0.0.0.0")}, const char* at = kClient) {
  model::Vpn out = vpn("hq", at, kRight);
  out.local_id = identity(id);
  out.policies = {security_policy("net", "0.0.0.0/0", "10.2.0.0/24")};
  out.policies[0].local_ts[0].subnet.reset();
  out.vip_request = std::move(request);
  return out;
}

struct Hub {
  explicit Hub(std::vector<model::Pool> pools, const Change& change = {}, std::uint64_t seed = 1)
      : world(seed), gateway(world.add("gateway", address(kRight), settings(std::move(pools), change))) {}
  ~Hub() {
    for (const std::string& violation : world.violations()) BOOST_ERROR(violation);
  }
  static model::ConfigurationPtr settings(std::vector<model::Pool> pools, const Change& change = {}) {
    std::vector<std::string> names;
    for (const model::Pool& one : pools) names.push_back(one.name);
    model::Vpn made = hub(std::move(names));
    if (change) change(made);
    ConfigurationParts parts{.vpns = {std::move(made)}};
    parts.pools = std::move(pools);
    parts.global.block_threshold = 0;
    parts.global.cookie_threshold = 0;
    return configuration(std::move(parts));
  }
  Node& client(const std::string& id, std::vector<IpAddress> request = {address("0.0.0.0")}, const char* at = kClient,
               const Change& change = {}) {
    model::Vpn made = road_warrior(id, std::move(request), at);
    if (change) change(made);
    return world.add(id, address(at), configuration({.vpns = {std::move(made)}}));
  }
  void connect(Node& client) {
    BOOST_TEST_REQUIRE(client.initiate("hq").has_value());
    world.run_for(seconds(1));
  }
  // the virtual addresses of a client that is connected, by what each end says
  std::string address_of(Node& client) {
    const auto sas = client.ike_sas();
    if (sas.size() != 1) return std::to_string(sas.size()) + " IKE SAs";
    std::string out;
    for (const IpAddress& one : sas[0].local_vips) out += (out.empty() ? "" : " ") + one.to_string();
    for (const model::IkeSaState& theirs : gateway.ike_sas()) {
      const bool same =
          std::is_permutation(theirs.remote_vips.begin(), theirs.remote_vips.end(), sas[0].local_vips.begin(), sas[0].local_vips.end());
      if (theirs.initiator_spi == sas[0].initiator_spi && !same) return "the ends disagree";
    }
    return out;
  }
  model::PoolState pool_state(std::string_view name = "p") {
    for (model::PoolState& one : gateway.core().pools(true)) {
      if (one.name == name) return one;
    }
    return {};
  }

  World world;
  Node& gateway;
};

bool carries(Hub& hub, Node& client, std::string_view vip, std::string_view behind = "10.2.0.9") {
  const IpAddress inside = address(vip), server = address(behind);
  return hub.world.probe(client, {inside, server}) == Probe::Delivered &&
         hub.world.probe(hub.gateway, {server, inside}) == Probe::Delivered;
}

// payloads of an IKE_AUTH request of a scripted client that asks with this CP
ScriptedPeer::Payloads auth_with(const ScriptedPeer& peer, std::optional<wire::ConfigPayload> cp, std::string_view ts = "0.0.0.0/0") {
  ScriptedPeer::Payloads out = peer.auth_payloads();
  for (wire::Payload& one : out) {
    auto* selectors = std::get_if<wire::TsPayload>(&one);
    if (selectors != nullptr && selectors->type == wire::PayloadType::TsInitiator)
      selectors->selectors = {wire::TrafficSelector::of(prefix(ts))};
  }
  if (cp) out.insert(out.begin() + 2, *cp);
  return out;
}

// what the gateway answers to IKE_AUTH with that CP
std::optional<ScriptedPeer::Payloads> answer_to(Hub& hub, SeededEntropy& entropy, std::optional<wire::ConfigPayload> cp,
                                                const std::string& from) {
  ScriptedPeer peer(entropy, {address(from), 500}, {address(kRight), 500});
  const auto init = hub.gateway.inject(peer.init());
  if (init.size() != 1 || !peer.accept_init(init[0].payload)) return std::nullopt;
  const auto auth = hub.gateway.inject(peer.request(wire::ExchangeType::IkeAuth, auth_with(peer, std::move(cp))));
  if (auth.size() != 1) return std::nullopt;
  return peer.open(auth[0].payload);
}

wire::ConfigPayload raw(wire::ConfigType type, std::vector<wire::ConfigPayload::Attribute> attributes) {
  return {static_cast<std::uint8_t>(type), std::move(attributes)};
}

const wire::ConfigPayload* reply_in(const ScriptedPeer::Payloads& payloads) {
  for (const wire::Payload& one : payloads) {
    if (const auto* found = std::get_if<wire::ConfigPayload>(&one)) return found;
  }
  return nullptr;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(virtual_address)

BOOST_AUTO_TEST_CASE(a_client_gets_an_address_with_the_servers_of_the_pool_and_uses_it) {
  model::Pool one = pool("p", {"192.168.99.0/24"});
  one.dns = {address("192.168.3.99"), address("2001:db8::53")};
  one.nbns = {address("192.168.3.98")};
  one.dhcp = {address("192.168.3.100")};
  Hub hub({one});
  Node& user = hub.client("user1@example.net");
  hub.connect(user);
  BOOST_TEST(hub.address_of(user) == "192.168.99.1");
  const model::IkeSaState sa = user.ike_sas().at(0);
  BOOST_TEST(sa.dns.size() == 2U);
  BOOST_TEST(sa.nbns.at(0).to_string() == "192.168.3.98");
  BOOST_TEST(sa.dhcp.at(0).to_string() == "192.168.3.100");
  BOOST_TEST(user.child_sas().at(0).local_ts.at(0).to_string() == "192.168.99.1/32");
  BOOST_TEST(hub.gateway.child_sas().at(0).remote_ts.at(0).to_string() == "192.168.99.1/32");
  BOOST_TEST((user.virtual_addresses() == std::set<std::pair<IpAddress, std::uint32_t>>{{address("192.168.99.1"), 7}}));
  BOOST_TEST(carries(hub, user, "192.168.99.1"));
  // from another address nothing passes
  BOOST_TEST((hub.world.probe(user, {address(kClient), address("10.2.0.9")}) != Probe::Delivered));
}

BOOST_AUTO_TEST_CASE(both_families_come_from_one_pool_or_from_two) {
  for (const bool two : {false, true}) {
    std::vector<model::Pool> pools = two ? std::vector{pool("p", {"192.168.99.7"}), pool("q", {"2001:db8:99::/64"})}
                                         : std::vector{pool("p", {"2001:db8:99::/64", "192.168.99.7"})};
    Hub hub(std::move(pools), [](model::Vpn& vpn) {
      vpn.policies.push_back(security_policy("six", "2001:db8:2::/64", "::/0"));
      vpn.policies[1].remote_ts[0].subnet.reset();
    });
    Node& user = hub.client("user1@example.net", {address("::"), address("0.0.0.0")}, kClient, [](model::Vpn& vpn) {
      vpn.policies.push_back(security_policy("six", "::/0", "2001:db8:2::/64"));
      vpn.policies[1].local_ts[0].subnet.reset();
    });
    hub.connect(user);
    BOOST_TEST(hub.address_of(user) == "2001:db8:99::1 192.168.99.7");
    BOOST_TEST(user.child_sas().size() == 2U);
    BOOST_TEST(carries(hub, user, "192.168.99.7"));
    BOOST_TEST(carries(hub, user, "2001:db8:99::1", "2001:db8:2::9"));
  }
}

BOOST_AUTO_TEST_CASE(a_client_that_comes_back_gets_its_address_again) {
  Hub hub({pool("p", {"192.168.99.0/24"})});
  Node& one = hub.client("user1@example.net");
  Node& other = hub.client("user2@example.net", {address("0.0.0.0")}, kOtherClient);
  hub.connect(one);
  hub.connect(other);
  BOOST_TEST(hub.address_of(other) == "192.168.99.2");
  BOOST_TEST(one.terminate("hq").has_value());
  hub.world.run_for(seconds(1));
  BOOST_TEST(one.virtual_addresses().empty());
  BOOST_TEST(hub.pool_state().online == 1U);
  BOOST_TEST(hub.pool_state().offline == 1U);
  BOOST_TEST(other.terminate("hq").has_value());
  hub.world.run_for(seconds(1));
  one.crash();
  one.restart();  // it remembers nothing
  hub.connect(other);
  hub.connect(one);
  BOOST_TEST(hub.address_of(one) == "192.168.99.1");
  BOOST_TEST(hub.address_of(other) == "192.168.99.2");
}

BOOST_AUTO_TEST_CASE(a_client_that_was_killed_gets_the_address_that_its_old_ike_sa_has) {
  Hub hub({pool("p", {"192.168.99.0/24"})});
  Node& user = hub.client("user1@example.net");
  hub.connect(user);
  user.crash();
  user.restart();
  hub.connect(user);
  BOOST_TEST(hub.address_of(user) == "192.168.99.1");
  BOOST_TEST(hub.gateway.ike_sas().size() == 1U);  // INITIAL_CONTACT
  BOOST_TEST(hub.pool_state().online == 1U);
  BOOST_TEST(hub.pool_state().offline == 0U);
  BOOST_TEST(carries(hub, user, "192.168.99.1"));
}

BOOST_AUTO_TEST_CASE(a_dry_pool_gives_the_oldest_address_of_who_is_gone_and_then_none) {
  Hub hub({pool("p", {"192.168.99.1-192.168.99.2"})});
  std::vector<Node*> users;
  for (int i = 1; i <= 4; ++i) {
    const std::string at = "198.51.100." + std::to_string(i);
    users.push_back(&hub.client("user" + std::to_string(i) + "@example.net", {address("0.0.0.0")}, at.c_str()));
  }
  hub.connect(*users[0]);
  hub.connect(*users[1]);
  BOOST_TEST(users[1]->terminate("hq").has_value());
  hub.world.run_for(seconds(1));
  hub.connect(*users[2]);
  BOOST_TEST(hub.address_of(*users[2]) == "192.168.99.2");
  hub.connect(*users[3]);
  BOOST_TEST(users[3]->ike_sas().empty());
  BOOST_TEST(users[3]->virtual_addresses().empty());
  BOOST_TEST(users[3]->logged("INTERNAL_ADDRESS_FAILURE"));
  BOOST_TEST(users[3]->child_sas().empty());
  const auto& told = users[3]->explanations();
  BOOST_TEST(std::any_of(told.begin(), told.end(), [](const auto& one) { return one.cause == model::Cause::VirtualAddress; }));
  const auto& theirs = hub.gateway.explanations();
  BOOST_TEST(std::any_of(theirs.begin(), theirs.end(), [](const auto& one) { return one.cause == model::Cause::VirtualAddress; }));
  BOOST_TEST(hub.gateway.core().ike_sas() == 2U);  // the client deleted what it could not use
  BOOST_TEST(users[0]->terminate("hq").has_value());
  hub.world.run_for(seconds(1));
  hub.connect(*users[3]);
  BOOST_TEST(hub.address_of(*users[3]) == "192.168.99.1");
}

BOOST_AUTO_TEST_CASE(rekeying_keeps_the_address_at_both_ends) {
  Hub hub({pool("p", {"192.168.99.0/24"})});
  Node& user = hub.client("user1@example.net");
  hub.connect(user);
  for (int round = 0; round < 6; ++round) {
    Node& who = round % 2 == 0 ? user : hub.gateway;
    BOOST_TEST(who.rekey(round % 2 == 0 ? "hq" : "rw").has_value());
    hub.world.run_for(seconds(20));
    BOOST_TEST(hub.address_of(user) == "192.168.99.1");
    BOOST_TEST(user.virtual_addresses().size() == 1U);
    BOOST_TEST(hub.pool_state().online == 1U);
    BOOST_TEST(carries(hub, user, "192.168.99.1"));
    // CHILD SAs are made and rekeyed on an IKE SA that had its addresses from another
    BOOST_TEST(who.rekey(round % 2 == 0 ? "hq" : "rw", round % 2 == 0 ? "net" : "hub").has_value());
    hub.world.run_for(seconds(20));
    BOOST_TEST(carries(hub, user, "192.168.99.1"));
  }
  // both at once
  BOOST_TEST(user.rekey("hq").has_value());
  BOOST_TEST(hub.gateway.rekey("rw").has_value());
  hub.world.run_for(seconds(300));
  BOOST_TEST(hub.address_of(user) == "192.168.99.1");
  BOOST_TEST(carries(hub, user, "192.168.99.1"));
  BOOST_TEST(user.terminate("hq").has_value());
  hub.world.run_for(seconds(20));
  BOOST_TEST(user.virtual_addresses().empty());
  BOOST_TEST(hub.pool_state().online == 0U);
  BOOST_TEST(hub.pool_state().offline == 1U);
}

BOOST_AUTO_TEST_CASE(two_clients_with_one_identity_get_an_address_each) {
  Hub hub({pool("p", {"192.168.99.0/24"})});
  const Change quiet = [](model::Vpn& vpn) { vpn.ike.unique_sa = model::UniqueSa::Never; };  // no INITIAL_CONTACT
  Node& one = hub.client("group.example.net", {address("0.0.0.0")}, kClient, quiet);
  model::Vpn made = road_warrior("group.example.net", {address("192.168.99.1")}, kOtherClient);
  quiet(made);
  Node& other = hub.world.add("other", address(kOtherClient), configuration({.vpns = {std::move(made)}}));
  hub.connect(one);
  hub.connect(other);
  BOOST_TEST(hub.address_of(one) == "192.168.99.1");
  BOOST_TEST(hub.address_of(other) == "192.168.99.2");  // it asked for that of the first
  BOOST_TEST(carries(hub, one, "192.168.99.1"));
  BOOST_TEST(carries(hub, other, "192.168.99.2"));
  BOOST_TEST(hub.gateway.ike_sas().size() == 2U);
}

BOOST_AUTO_TEST_CASE(an_address_that_is_asked_for_is_given_when_it_is_free_and_in_a_pool) {
  Hub hub({pool("p", {"192.168.99.0/24"})});
  Node& one = hub.client("user1@example.net", {address("192.168.99.77")});
  Node& other = hub.client("user2@example.net", {address("192.168.99.77")}, kOtherClient);
  Node& third = hub.client("user3@example.net", {address("10.66.66.66")}, "198.51.100.3");
  Node& fourth = hub.client("user4@example.net", {address("192.168.99.255")}, "198.51.100.4");
  for (Node* node : {&one, &other, &third, &fourth}) hub.connect(*node);
  BOOST_TEST(hub.address_of(one) == "192.168.99.77");
  BOOST_TEST(hub.address_of(other) == "192.168.99.1");
  BOOST_TEST(hub.address_of(third) == "192.168.99.2");
  BOOST_TEST(hub.address_of(fourth) == "192.168.99.3");
}

BOOST_AUTO_TEST_CASE(remote_ts_is_met_with_the_address) {
  // configuration.md 5.37; the protocol of a dynamic one is kept
  for (const auto& [subnet, works] : {std::pair<std::string, bool>{"192.168.99.0/28", true}, {"192.168.98.0/24", false}}) {
    Hub hub({pool("p", {"192.168.99.0/24"})}, [&](model::Vpn& vpn) { vpn.policies[0].remote_ts[0].subnet = prefix(subnet); });
    Node& user = hub.client("user1@example.net");
    hub.connect(user);
    BOOST_TEST(user.child_sas().size() == (works ? 1U : 0U));
    if (works) BOOST_TEST(hub.gateway.child_sas().at(0).remote_ts.at(0).to_string() == "192.168.99.1/32");
    if (works) continue;
    BOOST_TEST(user.logged("TS_UNACCEPTABLE"));
    const model::Advice& advice = hub.gateway.explanations().back().advice;
    BOOST_TEST(advice.leaf == "vpn rw security-policy hub remote-ts subnet");
    BOOST_TEST(advice.text.find("192.168.99.1") != std::string::npos, advice.text);
  }
  Hub hub({pool("p", {"192.168.99.0/24"})}, [](model::Vpn& vpn) { vpn.policies[0].remote_ts[0].protocol = 6; });
  Node& user = hub.client("user1@example.net");
  hub.connect(user);
  BOOST_TEST_REQUIRE(hub.gateway.child_sas().size() == 1U);
  BOOST_TEST(hub.gateway.child_sas()[0].remote_ts.at(0).to_string() == "192.168.99.1/32 protocol 6");
  BOOST_TEST(user.child_sas().at(0).local_ts.at(0).to_string() == "192.168.99.1/32 protocol 6");
}

BOOST_AUTO_TEST_CASE(a_client_that_asks_for_none_gets_no_child_sa) {
  Hub hub({pool("p", {"192.168.99.0/24"})});
  Node& user = hub.client("user1@example.net", {});
  hub.connect(user);
  BOOST_TEST(user.child_sas().empty());
  BOOST_TEST(user.logged("FAILED_CP_REQUIRED"));
  BOOST_TEST(hub.gateway.ike_sas().size() == 1U);
  // nor later
  BOOST_TEST(user.initiate("hq", "net").has_value());
  hub.world.run_for(seconds(1));
  BOOST_TEST(user.child_sas().empty());
}

BOOST_AUTO_TEST_CASE(a_gateway_without_a_pool_ignores_the_request_and_the_client_gives_up) {
  Hub hub({});
  Node& user = hub.client("user1@example.net");
  hub.connect(user);
  BOOST_TEST(user.core().ike_sas() == 0U);
  BOOST_TEST(hub.gateway.core().ike_sas() == 0U);
  BOOST_TEST(user.kernel().sad().empty());
  BOOST_TEST(hub.gateway.logged("has no vip-pool"));
}

BOOST_AUTO_TEST_CASE(a_changed_pool_leaves_what_still_fits_alone) {
  Hub hub({pool("p", {"192.168.99.1-192.168.99.9"})});
  Node& one = hub.client("user1@example.net");
  Node& other = hub.client("user2@example.net", {address("0.0.0.0")}, kOtherClient);
  hub.connect(one);
  hub.connect(other);
  const std::uint64_t before = one.ike_sas().at(0).initiator_spi;
  model::Pool smaller = pool("p", {"192.168.99.5", "192.168.99.1"});
  smaller.dns = {address("192.0.2.53")};
  hub.gateway.apply(Hub::settings({smaller}));
  hub.world.run_for(seconds(5));
  BOOST_TEST(one.ike_sas().at(0).initiator_spi == before);
  BOOST_TEST(carries(hub, one, "192.168.99.1"));
  BOOST_TEST(other.ike_sas().empty());
  BOOST_TEST(other.virtual_addresses().empty());
  BOOST_TEST(hub.gateway.logged("in no pool any more"));
  hub.connect(other);
  BOOST_TEST(hub.address_of(other) == "192.168.99.5");
  BOOST_TEST(other.ike_sas().at(0).dns.at(0).to_string() == "192.0.2.53");
}

BOOST_AUTO_TEST_CASE(addresses_that_a_former_life_gave_away_are_not_given_to_another) {
  Hub hub({pool("p", {"192.168.99.1-192.168.99.3"})});
  Node& one = hub.client("user1@example.net");
  hub.connect(one);
  hub.gateway.crash();
  // what the engine does with the policies that it finds
  hub.gateway.restart();
  hub.gateway.act([](sa::Core& core, TimePoint now, sa::Effects& out) {
    core.reserve_address(address("192.168.99.1"));
    core.apply(Hub::settings({pool("p", {"192.168.99.1-192.168.99.3"})}), now, out);
  });
  Node& other = hub.client("user2@example.net", {address("0.0.0.0")}, kOtherClient);
  hub.connect(other);
  BOOST_TEST(hub.address_of(other) == "192.168.99.2");
  // the first one notices that its IKE SA is gone, and asks for what it had
  BOOST_TEST(one.terminate("hq").has_value());
  hub.world.run_for(seconds(200));
  hub.connect(one);
  BOOST_TEST(hub.address_of(one) == "192.168.99.1");
}

BOOST_AUTO_TEST_CASE(many_clients_come_and_go) {
  Hub hub({pool("p", {"10.64.0.1-10.64.0.50"}), pool("q", {"10.65.0.0/24"})});
  std::vector<Node*> users;
  for (int i = 0; i < 100; ++i) {
    const std::string at = "198.51.101." + std::to_string(i + 1);
    users.push_back(&hub.client("user" + std::to_string(i) + ".example.net", {address("0.0.0.0")}, at.c_str()));
  }
  for (Node* user : users) BOOST_TEST_REQUIRE(user->initiate("hq").has_value());
  hub.world.run_for(seconds(5));
  std::set<std::string> seen;
  for (Node* user : users) seen.insert(hub.address_of(*user));
  BOOST_TEST(seen.size() == 100U);
  BOOST_TEST(hub.pool_state("p").online == 50U);
  BOOST_TEST(hub.pool_state("q").online == 50U);
  std::map<Node*, std::string> had;
  for (std::size_t i = 0; i < users.size(); i += 3) {
    had[users[i]] = hub.address_of(*users[i]);
    BOOST_TEST(users[i]->terminate("hq").has_value());
  }
  hub.world.run_for(seconds(5));
  for (const auto& [user, address] : had) {
    hub.connect(*user);
    BOOST_TEST(hub.address_of(*user) == address);
  }
  BOOST_TEST(hub.pool_state("p").online + hub.pool_state("q").online == 100U);
}

BOOST_AUTO_TEST_CASE(loss_and_reordering_leave_no_address_behind) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Hub hub({pool("p", {"192.168.99.0/28"})}, {}, seed);
    hub.world.weather = {0.25, 0.1, milliseconds(5), milliseconds(400)};
    Node& user = hub.client("user1@example.net");
    BOOST_TEST_REQUIRE(user.initiate("hq").has_value());
    hub.world.run_for(seconds(120));
    for (int i = 0; i < 4; ++i) {
      (void)user.rekey("hq");
      (void)hub.gateway.rekey("rw");
      hub.world.run_for(seconds(100));
    }
    hub.world.weather = {};
    hub.world.run_for(seconds(400));
    if (user.ike_sas().size() == 1) BOOST_TEST(carries(hub, user, "192.168.99.1"));
    (void)user.terminate("hq");
    (void)hub.gateway.terminate("rw");
    hub.world.run_for(seconds(400));
    BOOST_TEST(user.virtual_addresses().empty());
    BOOST_TEST(hub.pool_state().online == 0U);
    BOOST_TEST(hub.pool_state().leases.size() <= 1U);
  }
}

// ---- a peer that says what it likes

BOOST_AUTO_TEST_CASE(hostile_requests_are_refused_or_passed_over) {
  using wire::ConfigType;
  SeededEntropy entropy(7);
  Hub hub({pool("p", {"192.168.99.0/24"})});
  int number = 0;
  const auto notify = [&](std::optional<wire::ConfigPayload> cp) -> std::string {
    const auto answer = answer_to(hub, entropy, std::move(cp), "198.51.102." + std::to_string(++number));
    if (!answer) return "no answer";
    for (const wire::Payload& one : *answer) {
      if (const auto* found = std::get_if<wire::NotifyPayload>(&one); found != nullptr && wire::is_error(found->type))
        return wire::to_string(found->type);
    }
    const auto* reply = reply_in(*answer);
    if (reply == nullptr) return "no CP";
    const auto read = wire::read_configuration(*reply);
    return reply->type == 2 && read ? std::to_string(read->addresses.size()) + " addresses" : "a CP that is no reply";
  };
  BOOST_TEST(notify(std::nullopt) == "FAILED_CP_REQUIRED");
  BOOST_TEST(notify(raw(ConfigType::Request, {})) == "FAILED_CP_REQUIRED");
  BOOST_TEST(notify(raw(ConfigType::Request, {{3, {}}})) == "FAILED_CP_REQUIRED");  // DNS alone
  // of the other types none asks for anything
  BOOST_TEST(notify(raw(ConfigType::Reply, {{1, {192, 168, 99, 9}}})) == "FAILED_CP_REQUIRED");
  BOOST_TEST(notify(raw(ConfigType::Set, {{1, {192, 168, 99, 9}}})) == "FAILED_CP_REQUIRED");
  BOOST_TEST(notify(raw(ConfigType::Ack, {})) == "FAILED_CP_REQUIRED");
  BOOST_TEST(notify(raw(static_cast<ConfigType>(99), {{1, {}}})) == "FAILED_CP_REQUIRED");
  BOOST_TEST(notify(raw(ConfigType::Request, {{8, {}}})) == "INTERNAL_ADDRESS_FAILURE");  // IPv6, of which the pool has none
  // one address of a family, whatever the number that is asked for; unknown attributes are passed over
  BOOST_TEST(notify(raw(ConfigType::Request, std::vector<wire::ConfigPayload::Attribute>(200, {1, {}}))) == "1 addresses");
  BOOST_TEST(notify(raw(ConfigType::Request, {{1, {}}, {30000, Bytes(1000, 7)}, {21, {}}})) == "1 addresses");
  // a value of the wrong length makes the message malformed
  BOOST_TEST(notify(raw(ConfigType::Request, {{1, {1, 2, 3}}})) == "INVALID_SYNTAX");
  BOOST_TEST(notify(raw(ConfigType::Request, {{8, Bytes(16, 1)}})) == "INVALID_SYNTAX");
  // a prefix longer than the address
  BOOST_TEST(notify(raw(ConfigType::Request, {{8, Bytes(17, 0xff)}})) == "FAILED_CP_REQUIRED");
  // whatever is wished for that is in no pool
  for (const Bytes& wish : {Bytes{127, 0, 0, 1}, Bytes{224, 0, 0, 1}, Bytes{255, 255, 255, 255}, Bytes{10, 2, 0, 1}}) {
    BOOST_TEST(notify(raw(ConfigType::Request, {{1, wish}})) == "1 addresses");
  }
}

BOOST_AUTO_TEST_CASE(who_asks_for_the_address_0_0_0_0_alone_gets_a_child_sa_of_the_one_that_it_is_given) {
  // as OpenIKED does: IKE_AUTH { ..., CP(CFG_REQUEST), SA, TSi (0.0.0.0/32), TSr }
  SeededEntropy entropy(7);
  Hub hub({pool("p", {"192.168.99.0/24"})});
  ScriptedPeer peer(entropy, {address(kClient), 500}, {address(kRight), 500});
  BOOST_TEST_REQUIRE(peer.accept_init(hub.gateway.inject(peer.init()).at(0).payload));
  auto asked = auth_with(peer, raw(wire::ConfigType::Request, {{1, {}}}), "0.0.0.0/32");
  BOOST_TEST_REQUIRE(peer.open(hub.gateway.inject(peer.request(wire::ExchangeType::IkeAuth, asked)).at(0).payload).has_value());
  const auto children = hub.gateway.child_sas();
  BOOST_TEST_REQUIRE(children.size() == 1U);
  BOOST_TEST_REQUIRE(children[0].remote_ts.size() == 1U);
  BOOST_TEST(children[0].remote_ts[0].to_string() == "192.168.99.1/32");
}

BOOST_AUTO_TEST_CASE(nothing_is_leased_before_authentication_or_outside_of_ike_auth) {
  using wire::ConfigType;
  SeededEntropy entropy(8);
  Hub hub({pool("p", {"192.168.99.0/24"})});
  ScriptedPeer peer(entropy, {address(kClient), 500}, {address(kRight), 500});
  // in IKE_SA_INIT it has no place
  ScriptedPeer early(entropy, {address(kClient), 777}, {address(kRight), 500});
  auto init = early.init_payloads();
  init.push_back(raw(ConfigType::Request, {{1, {}}}));
  BOOST_TEST(hub.gateway.inject(early.init(init)).empty());

  BOOST_TEST_REQUIRE(peer.accept_init(hub.gateway.inject(peer.init()).at(0).payload));
  // before IKE_AUTH nothing else is taken
  BOOST_TEST(hub.gateway.inject(peer.request(wire::ExchangeType::Informational, {raw(ConfigType::Request, {{1, {}}})}, 1)).empty());
  // with the wrong key
  ScriptedPeer liar(entropy, {address(kClient), 501}, {address(kRight), 500});
  BOOST_TEST_REQUIRE(liar.accept_init(hub.gateway.inject(liar.init()).at(0).payload));
  auto wrong = liar.auth_payloads("another");
  wrong.insert(wrong.begin() + 2, raw(ConfigType::Request, {{1, {}}}));
  const auto refused = hub.gateway.inject(liar.request(wire::ExchangeType::IkeAuth, wrong));
  BOOST_TEST(has_notify(*liar.open(refused.at(0).payload), wire::NotifyType::AuthenticationFailed));
  BOOST_TEST(hub.pool_state().leases.empty());

  const auto answer = hub.gateway.inject(
      peer.request(wire::ExchangeType::IkeAuth, auth_with(peer, raw(ConfigType::Request, {{1, {}}, {14, {}}, {7, {}}})), 1));
  const auto inside = peer.open(answer.at(0).payload);
  BOOST_TEST_REQUIRE((inside && reply_in(*inside) != nullptr));
  const auto& attributes = reply_in(*inside)->attributes;
  BOOST_TEST(std::any_of(attributes.begin(), attributes.end(), [](const auto& one) { return one.type == 14 && one.value.size() == 24; }));
  BOOST_TEST(hub.pool_state().online == 1U);
  // later requests ask in vain for more
  const auto later = hub.gateway.inject(peer.request(wire::ExchangeType::Informational, {raw(ConfigType::Request, {{1, {}}, {7, {}}})}, 2));
  const auto told = peer.open(later.at(0).payload);
  BOOST_TEST_REQUIRE((told && reply_in(*told) != nullptr));
  BOOST_TEST(wire::read_configuration(*reply_in(*told))->addresses.empty());
  BOOST_TEST(hub.pool_state().leases.size() == 1U);
  // a Set is passed over
  const auto set =
      hub.gateway.inject(peer.request(wire::ExchangeType::Informational, {raw(ConfigType::Set, {{1, {192, 168, 99, 200}}})}, 3));
  BOOST_TEST(peer.open(set.at(0).payload)->empty());
  BOOST_TEST(hub.pool_state().leases.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
