// SPDX-License-Identifier: Apache-2.0
#include "crypto/tls.h"

#include <boost/test/unit_test.hpp>

#include "support/pki.h"

using namespace svti;
using namespace svti::crypto;
using Role = TlsSession::Role;
using Stop = TlsSession::Stop;
using Kind = Stop::Kind;

namespace {

struct Party {
  test::Holder holder;
  TlsSession session;
  std::optional<ChainFailure> verdict;  // that it will give
  std::size_t signatures = 0, chains = 0;
  std::vector<Bytes> seen;  // the last chain
  Stop stop = {};

  Party(Role role, test::Holder of, const std::vector<Bytes>& authorities = {})
      : holder(std::move(of)), session(test::need(TlsSession::make({role, {{holder.certificate, {}}}, authorities}))) {}

  // until it needs octets of the other end, is open, or is broken
  void go_on() {
    stop = session.go_on();
    while (true) {
      if (stop.kind == Kind::Signature) {
        ++signatures;
        stop = session.give_signature(sign(stop.wish));
      } else if (stop.kind == Kind::Chain) {
        ++chains;
        seen = stop.chain;
        stop = session.give_verdict(verdict);
      } else {
        return;
      }
    }
  }
  Result<Bytes> sign(const SignatureWish& wish) const {
    const SigningKey key = test::need(SigningKey::from_pkcs8(holder.key.view()));
    const std::array hashes = {wish.hash};
    const auto made = key.sign(wish.octets, hashes, wish.padding);
    if (!made) return fail(made.error());
    return bare_signature(*made, wish);
  }
};

void talk(Party& client, Party& server) {
  for (int i = 0; i < 10; ++i) {
    client.go_on();
    server.session.receive(client.session.take_output());
    server.go_on();
    client.session.receive(server.session.take_output());
    if (client.stop.kind != Kind::Octets && server.stop.kind != Kind::Octets) return;
  }
}

const test::Holder& root() {
  static const test::Holder kRoot = test::new_root("C=CH, O=Example, CN=Root");
  return kRoot;
}
test::Holder holder(const std::string& name, KeyType type) {
  return test::issue(test::request("C=CH, O=Example, CN=" + name), root(), type);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tls)

BOOST_AUTO_TEST_CASE(each_kind_of_key_signs_from_outside) {
  for (const KeyType type : {KeyType::Rsa, KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::EcdsaP521, KeyType::Ed25519, KeyType::Ed448}) {
    BOOST_TEST_CONTEXT(to_string(type)) {
      Party client(Role::Client, holder("client", type)), server(Role::Server, holder("server", type), {root().certificate});
      talk(client, server);
      BOOST_TEST(client.stop.reason == "");
      BOOST_TEST(server.stop.reason == "");
      BOOST_TEST_REQUIRE((client.stop.kind == Kind::Open));
      BOOST_TEST_REQUIRE((server.stop.kind == Kind::Open));
      BOOST_TEST(client.session.is_1_3());
      BOOST_TEST(client.signatures == 1U);
      BOOST_TEST(server.signatures == 1U);
      BOOST_TEST((client.seen == std::vector<Bytes>{server.holder.certificate}));
      BOOST_TEST((server.seen == std::vector<Bytes>{client.holder.certificate}));
      BOOST_TEST(client.session.describe().starts_with("TLSv1.3, "));
      const Secret one = test::need(client.session.export_key("label", Bytes{13}, 128));
      const Secret other = test::need(server.session.export_key("label", Bytes{13}, 128));
      BOOST_TEST(to_hex(one.view()) == to_hex(other.view()));
      BOOST_TEST(server.session.write(Bytes{0}).has_value());
      client.session.receive(server.session.take_output());
      Bytes read;
      BOOST_TEST((client.session.read(read).kind == Kind::Open));
      BOOST_TEST((read == Bytes{0}));
      BOOST_TEST(client.session.unread() == 0U);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
