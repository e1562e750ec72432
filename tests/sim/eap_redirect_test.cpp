// SPDX-License-Identifier: Apache-2.0
// Redirect in IKE_AUTH with EAP (RFC 5685 6): after EAP, by our gateway; in place of EAP, by one that the test plays.
#include <boost/test/unit_test.hpp>

#include "auth/psk.h"
#include "sa/message_rules.h"
#include "sa/proposal.h"
#include "sim/pair.h"
#include "wire/redirect.h"

using namespace svti;
using namespace svti::sim;
using model::AuthMethod;
using sa::Notice;
using wire::ExchangeType;
using wire::GatewayIdentity;
using wire::NotifyType;
using wire::PayloadType;

namespace {

constexpr std::string_view kOther = "192.0.2.3";
using Payloads = std::vector<wire::Payload>;

ConfigurationParts client_parts(AuthMethod method, AuthMethod gateway) {
  model::Vpn vpn = left_vpn();
  vpn.authentication.local = method;
  vpn.authentication.remote = gateway;
  vpn.authentication.local_eap_id = identity("joe@example.com");
  ConfigurationParts out{.vpns = {std::move(vpn)}};
  out.eap_keys = {{"joe@example.com", "clientPass"}};
  return out;
}

// With `to` it redirects, and in IKE_AUTH: before it is known which VPN is meant there are two that do not agree.
ConfigurationParts gateway_parts(AuthMethod method, AuthMethod gateway, std::string_view at, std::string_view to = {}) {
  model::Vpn vpn = right_vpn();
  vpn.local_address = address(at);
  vpn.authentication.local = gateway;
  vpn.authentication.remote = method;
  vpn.authentication.remote_eap_id = identity("%any");
  ConfigurationParts out{.vpns = {vpn}};
  if (!to.empty()) {
    out.vpns[0].ike.redirect_to = GatewayIdentity::parse(to).value();
    vpn.name = "second";
    vpn.remote_id = identity("somebody@example.org");
    out.vpns.push_back(std::move(vpn));
  }
  out.eap_keys = {{"joe@example.com", "clientPass"}};
  return out;
}

struct Three {
  explicit Three(AuthMethod method, AuthMethod gateway, std::uint64_t seed = 1, bool follows = true)
      : world(seed),
        client(world.add("client", address(kLeft),
                         [&] {
                           ConfigurationParts parts = client_parts(method, gateway);
                           parts.vpns[0].ike.redirect = follows;
                           return configuration(std::move(parts));
                         }())),
        first(world.add("first", address(kRight), configuration(gateway_parts(method, gateway, kRight, kOther)))),
        other(world.add("other", address(kOther), configuration(gateway_parts(method, gateway, kOther)))) {}
  ~Three() {
    for (const std::string& violation : world.violations()) BOOST_ERROR(violation);
  }
  void check_with(Node& used, Node& not_used) {
    BOOST_TEST(client.core().ike_sas() == 1U);
    BOOST_TEST_REQUIRE(client.child_sas().size() == 1U);
    BOOST_TEST(client.ike_sas().at(0).remote.address.to_string() == used.address().to_string());
    BOOST_TEST(used.ike_sas().at(0).remote_eap_id == "joe@example.com");
    BOOST_TEST(not_used.child_sas().empty());
    BOOST_TEST((world.probe(client, kToRight) == Probe::Delivered));
  }

  World world;
  Node& client;
  Node& first;
  Node& other;
};

// A gateway that answers one client with what the test wants it to say.
class ScriptedGateway {
 public:
  explicit ScriptedGateway(World& world) : entropy_(world.chance()), spi_(entropy_.u64() | 1) {
    world.lose = [this](const Node& from, const wire::Header&, const model::Datagram& datagram) {
      if (from.name() == "client" && datagram.remote.address == address(kRight)) sent.push_back(datagram);
      return false;
    };
  }

  std::vector<model::Datagram> sent;  // by the client

  // IKE_SA_INIT of the client, and ours
  model::Datagram answer_init() {
    asked_ = sent.at(0);
    const auto request = wire::parse_message(asked_.payload).value();
    const auto choice = sa::accept_choice({ike_proposal(kCheapIke)}, ike_proposal(kCheapIke), sa::KeyExchangeUse::Negotiate).value();
    auto ke = crypto::KeyExchange::create(sa::first_group({ike_proposal(kCheapIke)}), entropy_).value();
    nonce_i_ = sa::find_payload<wire::NoncePayload>(request.payloads)->data;
    const Bytes nonce_r = entropy_.bytes(32);
    header_ = request.header;
    header_.responder_spi = spi_;
    header_.from_initiator = false;
    header_.response = true;
    init_ = wire::encode_message(header_, {wire::SaPayload{{ike_proposal(kCheapIke)}},
                                           wire::KePayload{ke->group(), to_bytes(ke->public_value())}, wire::NoncePayload{nonce_r}});
    const Secret shared = ke->shared_secret(sa::find_payload<wire::KePayload>(request.payloads)->data).value();
    keys_ = std::move(sa::derive_ike_keys(choice, {nonce_i_, nonce_r, header_.initiator_spi, spi_}, shared).value());
    return {asked_.remote, asked_.local, init_};
  }
  // IDr, and AUTH made with this secret; without one no AUTH
  Payloads proof(std::string_view secret) const {
    const model::Identity id = model::Identity::of(address(kRight));
    const wire::IdPayload idr{PayloadType::IdResponder, id.type, id.data};
    if (secret.empty()) return {idr};
    const Secret auth =
        auth::shared_key_auth(keys_->prf, Secret(as_bytes(secret)), init_, nonce_i_, keys_->sk_pr, wire::encode_id_body(idr));
    return {idr, wire::AuthPayload{wire::AuthMethod::SharedKeyMic, to_bytes(auth.view())}};
  }
  // an answer to the client's last request, which has to be this exchange
  model::Datagram answer(ExchangeType exchange, const Payloads& payloads) {
    const auto request = wire::parse_header(sent.back().payload).value();
    BOOST_TEST((request.exchange == exchange));
    wire::Header header = header_;
    header.exchange = exchange;
    header.message_id = request.message_id;
    const Bytes plaintext = wire::encode_payloads(payloads);
    crypto::SkCipher& cipher = keys_->responder_to_initiator;
    Bytes message = wire::encrypted_prefix(header, wire::first_type(payloads), cipher.sealed_size(plaintext.size()));
    const Bytes body = cipher.seal(message, plaintext, entropy_);
    message.insert(message.end(), body.begin(), body.end());
    return {asked_.remote, asked_.local, std::move(message)};
  }

 private:
  Entropy& entropy_;
  wire::IkeSpi spi_;
  model::Datagram asked_;
  wire::Header header_;
  Bytes nonce_i_, init_;
  std::optional<sa::IkeKeys> keys_;
};

wire::NotifyPayload redirection(std::string_view to) {
  return {NotifyType::Redirect, wire::ProtocolId::None, {}, wire::encode_redirect(GatewayIdentity::parse(to).value())};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(redirection_with_eap)

// { AUTH } --> <-- { AUTH N(REDIRECT) }
BOOST_AUTO_TEST_CASE(after_eap_when_both_ends_have_proven_themselves) {
  for (const AuthMethod method : {AuthMethod::EapMschapv2, AuthMethod::EapMd5}) {
    for (const AuthMethod gateway : {AuthMethod::PresharedKey, AuthMethod::EapMschapv2}) {
      if (method == AuthMethod::EapMd5 && gateway != AuthMethod::PresharedKey) continue;
      Three net(method, gateway);
      BOOST_TEST(net.client.initiate("right").has_value());
      net.world.run_for(seconds(2));
      net.check_with(net.other, net.first);
      BOOST_TEST(net.first.logged("succeeded with EAP identity joe@example.com"));
      BOOST_TEST(net.first.logged("redirected to 192.0.2.3"));
      BOOST_TEST(net.client.logged("{ AUTH N(REDIRECT) }"));
      BOOST_TEST(net.client.count(Notice::Kind::IkeFailed) == 0U);
      BOOST_TEST(net.first.count(Notice::Kind::IkeUp) == 0U);
      net.world.run_for(seconds(40));
      BOOST_TEST(net.first.core().ike_sas() == 0U);
      BOOST_TEST(!net.first.core().next_deadline().has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_follow_is_served_where_it_is) {
  Three net(AuthMethod::EapMschapv2, AuthMethod::PresharedKey, 1, false);
  BOOST_TEST(net.client.initiate("right").has_value());
  net.world.run_for(seconds(2));
  net.check_with(net.first, net.other);
}

BOOST_AUTO_TEST_CASE(whatever_is_lost_and_doubled) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Three net(AuthMethod::EapMschapv2, AuthMethod::PresharedKey, seed);
      net.world.weather = {0.15, 0.3, milliseconds(5), milliseconds(300)};
      BOOST_TEST(net.client.initiate("right").has_value());
      net.world.run_for(seconds(400));
      net.world.weather = {};
      net.world.run_for(seconds(200));
      if (net.client.count(Notice::Kind::IkeFailed) > 0) continue;
      net.check_with(net.other, net.first);
    }
  }
}

// { IDi SA TSi TSr } --> <-- { IDr AUTH N(REDIRECT) }: no EAP, and the client goes there and tells this one
BOOST_AUTO_TEST_CASE(in_place_of_eap_once_the_gateway_has_proven_itself) {
  World world(5);
  Node& client = world.add("client", address(kLeft), configuration(client_parts(AuthMethod::EapMschapv2, AuthMethod::PresharedKey)));
  Node& other =
      world.add("other", address(kOther), configuration(gateway_parts(AuthMethod::EapMschapv2, AuthMethod::PresharedKey, kOther)));
  ScriptedGateway gateway(world);
  BOOST_TEST(client.initiate("right").has_value());
  (void)client.inject(gateway.answer_init());
  Payloads payloads = gateway.proof("correct horse");
  payloads.push_back(redirection(kOther));
  (void)client.inject(gateway.answer(ExchangeType::IkeAuth, payloads));
  // the Delete of the IKE SA with the first
  (void)client.inject(gateway.answer(ExchangeType::Informational, {}));
  world.run_for(seconds(2));
  BOOST_TEST(client.core().ike_sas() == 1U);
  BOOST_TEST_REQUIRE(client.ike_sas().size() == 1U);
  BOOST_TEST(client.ike_sas()[0].remote.address.to_string() == kOther);
  BOOST_TEST(other.child_sas().size() == 1U);
  BOOST_TEST((world.probe(client, kToRight) == Probe::Delivered));
  BOOST_TEST(client.count(Notice::Kind::IkeFailed) == 0U);
  for (const std::string& violation : world.violations()) BOOST_ERROR(violation);
}

// Who has proven nothing, or proves the wrong thing, sends nobody anywhere.
BOOST_AUTO_TEST_CASE(by_whom_the_client_does_not_know_it_is_not_redirected) {
  struct Try {
    std::string_view secret;  // empty: no AUTH
    AuthMethod gateway = AuthMethod::PresharedKey;
    bool follows = true;
    std::string_view to = kOther;
    std::string_view reason;
  };
  const Try tries[] = {
      {"sesame", AuthMethod::PresharedKey, true, kOther, "the pre-shared key of 192.0.2.2 does not match ours"},
      {"", AuthMethod::PresharedKey, true, kOther, "it redirects us, and does not prove who it is"},
      {"", AuthMethod::EapMschapv2, true, kOther, "it redirects us, and does not prove who it is"},
      {"correct horse", AuthMethod::PresharedKey, false, kOther, "has no EAP"},
      {"correct horse", AuthMethod::PresharedKey, true, kRight, "it sends us to itself"},
  };
  for (const Try& one : tries) {
    BOOST_TEST_CONTEXT(one.reason << ' ' << name_of(one.gateway)) {
      World world(5);
      ConfigurationParts parts = client_parts(AuthMethod::EapMschapv2, one.gateway);
      parts.vpns[0].ike.redirect = one.follows;
      Node& client = world.add("client", address(kLeft), configuration(std::move(parts)));
      ScriptedGateway gateway(world);
      BOOST_TEST(client.initiate("right").has_value());
      (void)client.inject(gateway.answer_init());
      Payloads payloads = gateway.proof(one.secret);
      payloads.push_back(redirection(one.to));
      (void)client.inject(gateway.answer(ExchangeType::IkeAuth, payloads));
      std::string reasons;
      for (const auto& why : client.explanations()) reasons += why.reason + "\n";
      BOOST_TEST(reasons.find(one.reason) != std::string::npos, reasons);
      BOOST_TEST(client.count(Notice::Kind::IkeFailed) == 1U);
      world.run_for(seconds(300));
      for (const auto& datagram : gateway.sent) BOOST_TEST(datagram.remote.address.to_string() == kRight);
      BOOST_TEST(client.core().ike_sas() == 0U);
      BOOST_TEST(client.kernel().sad().empty());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
