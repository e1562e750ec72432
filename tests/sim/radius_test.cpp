// SPDX-License-Identifier: Apache-2.0
// EAP passed on to RADIUS servers (RFC 3579). Left begins and is the user; right is the gateway, and asks the servers that the test plays:
// each an EAP server of its own behind the codec and the client that the daemon has.
#include <boost/test/unit_test.hpp>

#include "crypto/legacy.h"
#include "eap/conversation.h"
#include "radius/client.h"
#include "sim/pair.h"

using namespace svti;
using namespace svti::sim;
using model::AuthMethod;
using sa::Notice;

namespace {

struct Case {
  AuthMethod method = AuthMethod::EapMschapv2;
  std::string_view expected = "%any";  // remote-eap-id of the gateway; empty: none
  std::string_view password = "clientPass";
  std::size_t servers = 1;
  bool pool = true;
};

ConfigurationParts user(const Case& what) {
  model::Vpn vpn = left_vpn();
  vpn.authentication.local = what.method;
  vpn.authentication.local_eap_id = identity("joe@example.com");
  vpn.vip_request = {IpAddress::any(IpFamily::V4)};
  vpn.policies = {security_policy("net", "10.1.0.0/24", "10.2.0.0/24")};
  vpn.policies[0].local_ts[0].subnet.reset();
  ConfigurationParts out{.vpns = {std::move(vpn)}};
  out.eap_keys = {{"joe@example.com", what.password}};
  return out;
}

model::RadiusPtr servers_of(const Case& what) {
  auto out = std::make_shared<model::Radius>();
  for (std::size_t i = 0; i < what.servers; ++i) {
    model::RadiusServer& one = out->servers.emplace_back();
    one.name = std::string(1, static_cast<char>('a' + i));
    one.address = address("10.9.0." + std::to_string(i + 1));
    one.secret = Secret(as_bytes("sesame"));
    one.nas_identifier = "right";
  }
  return out;
}

ConfigurationParts gateway(const Case& what) {
  model::Vpn vpn = right_vpn();
  vpn.authentication.remote = AuthMethod::EapRadius;
  if (!what.expected.empty()) vpn.authentication.remote_eap_id = identity(what.expected);
  vpn.policies[0].remote_ts[0].subnet.reset();
  ConfigurationParts out{.vpns = {std::move(vpn)}};
  out.radius = servers_of(what);
  return out;
}

struct RadiusPair : Pair {
  explicit RadiusPair(const Case& what, std::uint64_t seed = 1)
      : Pair(user(what), gateway(what), seed), entropy(seed), configuration(servers_of(what)), client(configuration, entropy) {
    world.ask_radius = [this](Node& node, sa::AskRadius question) {
      BOOST_TEST(&node == &right);
      ++questions;
      radius::Client::Effects effects;
      const std::uint64_t number = client.ask(
          {radius::Code::AccessRequest, radius::access_attributes(question.question), question.question.server}, world.now(), effects);
      asked.emplace(number, std::move(question));
      carry_out(std::move(effects));
    };
  }

  void carry_out(radius::Client::Effects effects) {
    for (radius::Client::Effect& effect : effects) {
      if (const auto* send = std::get_if<radius::Client::Send>(&effect)) {
        if (send->socket.server < dead) continue;
        world.after(delay, [this, one = *send] { serve(one); });
      } else if (auto* answer = std::get_if<radius::Client::Answer>(&effect)) {
        const auto found = asked.find(answer->number);
        const sa::AskRadius question = std::move(found->second);
        asked.erase(found);
        radius::EapAnswer said = radius::read_answer(std::move(answer->reply), question.question.packet[1]);
        right.act(
            [&](sa::Core& core, TimePoint now, sa::Effects& out) { core.on_radius_answer(question.ticket, std::move(said), now, out); });
      }
    }
    if (const auto deadline = client.next_deadline()) {
      world.after(*deadline - world.now(), [this] {
        radius::Client::Effects due;
        client.on_deadline(world.now(), due);
        if (!due.empty()) carry_out(std::move(due));
      });
    }
  }

  // a server: the State of a conversation is its number
  void serve(const radius::Client::Send& request) {
    const auto packet = radius::parse_packet(request.packet);
    const Secret& secret = configuration->servers[request.socket.server].secret;
    ++served;
    // RFC 5080 2.2.2: the same request again is no other one
    const auto key = std::pair(request.socket.server, to_bytes(packet->octets));
    Bytes& answered = answers[key];
    if (answered.empty()) answered = think(*packet, secret);
    world.after(delay, [this, answer = answered, socket = request.socket] {
      radius::Client::Effects came;
      client.receive(socket, answer, came);
      carry_out(std::move(came));
    });
  }
  Bytes think(const radius::PacketView& packet, const Secret& secret) {
    const Bytes said = packet.joined(radius::Type::EapMessage);
    const auto* state = packet.find(radius::Type::State);
    eap::Step step;
    if (state == nullptr) {
      const auto hello = eap::parse_packet(said);
      BOOST_TEST_REQUIRE(hello.has_value());
      conversations.push_back(std::make_unique<eap::Server>(
          method == AuthMethod::EapMd5 ? eap::Type::Md5Challenge : eap::Type::MsChapV2, to_bytes(hello->data), "radius",
          [](const Bytes&) -> Result<Secret> { return Secret(as_bytes("clientPass")); }, entropy));
      step = conversations.back()->begin();
    } else {
      step = conversations.at(state->value[0])->receive(said);
    }
    radius::Attributes out;
    out.add_split(radius::Type::EapMessage, step.packet);
    radius::Code code = radius::Code::AccessReject;
    if (step.kind == eap::Step::Kind::Send) {
      code = radius::Code::AccessChallenge;
      const std::uint8_t number = state == nullptr ? static_cast<std::uint8_t>(conversations.size() - 1) : state->value[0];
      out.add(radius::Type::State, Bytes{number});
    } else if (step.kind == eap::Step::Kind::Success) {
      code = radius::Code::AccessAccept;
      for (const auto& [type, number] : numbers) out.add(type, number);
      if (!named.empty()) out.add(radius::Type::UserName, named);
      if (!step.msk.empty() && keys) add_keys(out, step.msk, packet.authenticator, secret);
    }
    return *radius::encode_response(code, packet.id, out, secret, packet.authenticator);
  }
  // RFC 2548 2.4: the inverse of what the client does is the same XOR
  static void add_keys(radius::Attributes& out, const Secret& msk, const radius::Authenticator& request, const Secret& secret) {
    for (const auto& [type, at] : {std::pair{std::uint8_t{17}, std::size_t{0}}, std::pair{std::uint8_t{16}, std::size_t{16}}}) {
      Bytes plain(32);
      plain[0] = 16;
      std::copy_n(msk.view().begin() + static_cast<std::ptrdiff_t>(at), 16, plain.begin() + 1);
      const Bytes salt = {0x80, type};
      Bytes cipher;
      for (std::size_t block = 0; block < plain.size(); block += 16) {
        const auto pad = block == 0 ? crypto::md5({secret.view(), request, salt}) : crypto::md5({secret.view(), ByteView(cipher).last(16)});
        for (std::size_t i = 0; i < 16; ++i) cipher.push_back(plain[block + i] ^ (*pad)[i]);
      }
      out.add(radius::Type::VendorSpecific,
              concat({Bytes{0, 0, 1, 0x37, type, static_cast<std::uint8_t>(4 + cipher.size())}, salt, cipher}));
    }
  }

  void try_to_connect(seconds time = seconds(5)) {
    BOOST_TEST_REQUIRE(left.initiate("right").has_value());
    world.run_for(time);
  }
  std::string reason(Node& node) { return node.explanations().empty() ? std::string() : node.explanations().back().reason; }
  void check_refused(std::string_view why) {
    BOOST_TEST(left.count(Notice::Kind::IkeUp) == 0U);
    BOOST_TEST(right.count(Notice::Kind::IkeUp) == 0U);
    BOOST_TEST(reason(right).find(why) != std::string::npos, reason(right));
    world.run_for(seconds(200));
    check_nothing_left();
  }

  SeededEntropy entropy;
  model::RadiusPtr configuration;
  radius::Client client;
  AuthMethod method = AuthMethod::EapMschapv2;
  Duration delay = milliseconds(5);
  std::size_t dead = 0;  // so many of the servers, from the first
  bool keys = true;
  std::vector<std::pair<radius::Type, std::uint32_t>> numbers = {{radius::Type::FramedIpAddress, 0x0a4d0007}};
  std::string named;
  std::size_t questions = 0, served = 0;
  std::map<std::uint64_t, sa::AskRadius> asked;
  std::vector<std::unique_ptr<eap::Server>> conversations;
  std::map<std::pair<std::size_t, Bytes>, Bytes> answers;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(remote_authentication)

BOOST_AUTO_TEST_CASE(a_server_says_who_the_peer_is_and_where) {
  for (const AuthMethod method : {AuthMethod::EapMschapv2, AuthMethod::EapMd5}) {
    for (const std::string_view expected : {"%any", "", "joe@example.com", "*@example.com"}) {
      BOOST_TEST_CONTEXT(name_of(method) << ' ' << expected) {
        RadiusPair pair({.method = method, .expected = expected});
        pair.method = method;
        pair.try_to_connect();
        BOOST_TEST_REQUIRE(pair.right.ike_sas().size() == 1U);
        const model::IkeSaState sa = pair.right.ike_sas()[0];
        BOOST_TEST(sa.eap_method == "eap-radius");
        BOOST_TEST(sa.remote_eap_id == "joe@example.com");
        BOOST_TEST(sa.radius_server == "a");
        BOOST_TEST_REQUIRE(sa.remote_vips.size() == 1U);
        BOOST_TEST(sa.remote_vips[0].to_string() == "10.77.0.7");
        BOOST_TEST(pair.right.child_sas().size() == 1U);
        // the same through a rekey
        BOOST_TEST(pair.right.rekey("left").has_value());
        pair.world.run_for(seconds(20));
        BOOST_TEST_REQUIRE(pair.right.ike_sas().size() == 1U);
        BOOST_TEST(pair.right.ike_sas()[0].radius_server == "a");
        BOOST_TEST(pair.right.ike_sas()[0].remote_vips == sa.remote_vips);
        pair.left.close();
        pair.world.run_for(seconds(20));
        pair.check_nothing_left();
      }
    }
  }
}

// the peer retransmits meanwhile, and is answered once
// They let a peer in each time anew, and have to be asked.
BOOST_AUTO_TEST_CASE(a_session_of_radius_servers_is_not_resumed) {
  RadiusPair pair({});
  for (Node* node : {&pair.left, &pair.right}) {
    ConfigurationParts parts = node == &pair.left ? user({}) : gateway({});
    parts.vpns[0].ike.session_resumption = true;
    node->apply(sim::configuration(std::move(parts)));
  }
  pair.try_to_connect();
  BOOST_TEST_REQUIRE(pair.right.ike_sas().size() == 1U);
  BOOST_TEST(pair.right.logged("N(TICKET_REQUEST)"));
  BOOST_TEST(pair.left.logged("the gateway gives no ticket"));
}

BOOST_AUTO_TEST_CASE(a_slow_server_is_waited_for) {
  RadiusPair pair({});
  pair.delay = seconds(3);
  pair.try_to_connect(seconds(55));
  BOOST_TEST(pair.right.child_sas().size() == 1U);
  BOOST_TEST(pair.questions == 3U);  // identity, response, and the peer's Success
  BOOST_TEST(pair.left.logged("retransmission"));
}

BOOST_AUTO_TEST_CASE(the_next_server_takes_over) {
  RadiusPair pair({.servers = 2});
  pair.dead = 1;
  pair.try_to_connect(seconds(30));
  BOOST_TEST_REQUIRE(pair.right.ike_sas().size() == 1U);
  BOOST_TEST(pair.right.ike_sas()[0].radius_server == "b");
}

BOOST_AUTO_TEST_CASE(no_server_no_peer) {
  RadiusPair pair({});
  pair.dead = 1;
  pair.try_to_connect(seconds(40));
  pair.check_refused("RADIUS server a (10.9.0.1) did not answer");
}

BOOST_AUTO_TEST_CASE(the_wait_has_an_end_whatever_the_servers_do) {
  RadiusPair pair({.servers = 4});
  pair.dead = 4;
  pair.try_to_connect(seconds(70));
  pair.check_refused("did not answer");
}

BOOST_AUTO_TEST_CASE(who_is_rejected_stays_outside) {
  RadiusPair pair({.password = "guessed"});
  pair.try_to_connect();
  pair.check_refused("EAP with joe@example.com failed: RADIUS server a rejects it");
  BOOST_TEST(pair.reason(pair.left).find("joe@example.com") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_peer_that_is_not_expected_is_asked_of_nobody) {
  RadiusPair pair({.expected = "*@elsewhere.example"});
  pair.try_to_connect();
  pair.check_refused("its EAP identity is joe@example.com, remote-eap-id is *@elsewhere.example");
  BOOST_TEST(pair.questions == 0U);
}

BOOST_AUTO_TEST_CASE(a_method_with_keys_needs_them) {
  RadiusPair pair({});
  pair.keys = false;
  pair.try_to_connect();
  pair.check_refused("gives no key with EAP type 26");
}

// what the server says counts for more than what the peer said first
BOOST_AUTO_TEST_CASE(the_server_may_know_the_peer_by_another_name) {
  RadiusPair pair({});
  pair.named = "josephine@example.com";
  pair.try_to_connect();
  BOOST_TEST_REQUIRE(pair.right.ike_sas().size() == 1U);
  BOOST_TEST(pair.right.ike_sas()[0].remote_eap_id == "josephine@example.com");
  RadiusPair other({.expected = "joe@example.com"});
  other.named = "josephine@example.com";
  other.try_to_connect();
  other.check_refused("to RADIUS server a it is josephine@example.com");
}

// RFC 2865 5.27
BOOST_AUTO_TEST_CASE(a_session_ends_when_the_server_says) {
  RadiusPair pair({});
  pair.numbers.push_back({radius::Type::SessionTimeout, 100});
  pair.try_to_connect(seconds(90));
  BOOST_TEST(pair.left.logged("N(AUTH_LIFETIME)"));
  pair.dead = 1;
  pair.world.run_for(seconds(60));
  BOOST_TEST(pair.right.child_sas().empty());
}

BOOST_AUTO_TEST_CASE(a_lossy_network_changes_nothing) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      RadiusPair pair({}, seed);
      pair.world.weather.loss = 0.15;
      pair.world.weather.duplication = 0.2;
      pair.world.weather.most_delay = milliseconds(200);
      pair.try_to_connect(seconds(55));
      BOOST_TEST(pair.right.count(Notice::Kind::IkeUp) <= 1U);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
