// SPDX-License-Identifier: Apache-2.0
#include "eap/tls.h"

#include <boost/test/unit_test.hpp>
#include <map>

#include "eap/conversation.h"
#include "support/pki.h"
#include "unit/eap/plain_tls.h"
#include "unit/eap/scripted_entropy.h"

using namespace svti;
using namespace svti::eap;
using crypto::ChainDefect;
using crypto::ChainFailure;
using crypto::KeyType;
using crypto::TlsSession;
using test::Holder;
using test::PlainTls;
using test::ScriptedEntropy;
using Kind = Step::Kind;

namespace {

const Holder& root() {
  static const Holder kRoot = test::new_root("C=CH, O=Example, CN=Root");
  return kRoot;
}
const Holder& holder(const std::string& name, KeyType type = KeyType::EcdsaP256) {
  static std::map<std::pair<std::string, KeyType>, Holder> made;
  const auto [at, fresh] = made.try_emplace({name, type});
  if (fresh) at->second = test::issue(test::request("C=CH, O=Example, CN=" + name, {test::dns(name)}), root(), type);
  return at->second;
}

// Whoever is asked: signs with this key, and has this opinion of the other end's chain.
struct Answers {
  const Holder* holder = nullptr;
  std::optional<ChainFailure> verdict = {};
  std::string no_signature = {};
  std::vector<Bytes> seen = {};
  std::size_t asked = 0;

  Answer to(const Question& question) {
    ++asked;
    if (const auto* chain = std::get_if<ChainQuestion>(&question)) {
      seen = chain->certificates;
      return verdict;
    }
    if (!no_signature.empty()) return Result<Bytes>(system_error(no_signature));
    const auto& wish = std::get<SignatureQuestion>(question).wish;
    const auto key = test::need(crypto::SigningKey::from_pkcs8(holder->key.view()));
    const std::array hashes = {wish.hash};
    return crypto::bare_signature(test::need(key.sign(wish.octets, hashes, wish.padding)), wish);
  }
};

TlsSession::Setup setup_of(TlsSession::Role role, const Holder& of, std::vector<Bytes> chain = {}) {
  return {role,
          {{of.certificate, std::move(chain)}},
          role == TlsSession::Role::Server ? std::vector<Bytes>{root().certificate} : std::vector<Bytes>{}};
}

// ours on both sides
struct Talk {
  ScriptedEntropy entropy{Bytes{7}};
  Answers gateway, user;
  std::vector<Bytes> chain = {};  // behind both certificates
  Step server, peer;
  std::size_t packets = 0;
  std::string gateway_says;  // of a peer that tells before it fails

  // what happens to a packet on its way, numbered from 0
  std::function<void(std::size_t, Bytes&)> on_the_way = [](std::size_t, Bytes&) {};

  void run() {
    Server at_gateway(setup_of(TlsSession::Role::Server, *gateway.holder, chain), Bytes{'j', 'o', 'e'}, entropy);
    Peer at_user(setup_of(TlsSession::Role::Client, *user.holder, chain), Bytes{'j', 'o', 'e'});
    server = at_gateway.begin();
    while (true) {
      while (server.kind == Kind::Ask) server = at_gateway.answer(gateway.to(*server.question));
      BOOST_TEST_REQUIRE(packets < 60U);
      if (server.packet.empty()) return;
      on_the_way(packets++, server.packet);
      peer = at_user.receive(server.packet);
      while (peer.kind == Kind::Ask) peer = at_user.answer(user.to(*peer.question));
      if (server.kind != Kind::Send || peer.kind != Kind::Send) return;
      on_the_way(packets++, peer.packet);
      server = at_gateway.receive(peer.packet);
    }
  }
};

Talk talk(const Holder& gateway, const Holder& user) {
  Talk out;
  out.gateway.holder = &gateway;
  out.user.holder = &user;
  return out;
}

// data of EAP-TLS without fragments
Bytes whole(ByteView message) { return concat({Bytes{0}, message}); }
// the message in the packets of a method
Bytes gather(Method& method, Method::Reply& reply, Answers& answers) {
  Bytes out;
  while (true) {
    while (reply.kind == Method::Reply::Kind::Ask) reply = method.answer(answers.to(*reply.question));
    if (reply.kind != Method::Reply::Kind::Send) return out;
    const std::size_t header = (reply.data.at(0) & 0x80) != 0 ? 5 : 1;
    out.insert(out.end(), reply.data.begin() + static_cast<std::ptrdiff_t>(header), reply.data.end());
    if ((reply.data[0] & 0x40) == 0) return out;
    reply = method.receive(0, Bytes{0});
  }
}

constexpr auto kAllKeys = {KeyType::Rsa, KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::EcdsaP521, KeyType::Ed25519, KeyType::Ed448};

}  // namespace

BOOST_AUTO_TEST_SUITE(tls)

BOOST_AUTO_TEST_CASE(both_ends_prove_a_key_that_they_do_not_have_themselves) {
  for (const KeyType type : kAllKeys) {
    BOOST_TEST_CONTEXT(crypto::to_string(type)) {
      Talk one = talk(holder("gw", type), holder("joe", type));
      one.run();
      BOOST_TEST(one.server.reason == "");
      BOOST_TEST(one.peer.reason == "");
      BOOST_TEST_REQUIRE((one.server.kind == Kind::Success && one.peer.kind == Kind::Success));
      BOOST_TEST(one.server.msk.size() == kMskSize);
      BOOST_TEST(to_hex(one.server.msk.view()) == to_hex(one.peer.msk.view()));
      BOOST_TEST(one.gateway.asked == 2U);  // a signature, and a chain
      BOOST_TEST(one.user.asked == 2U);
      BOOST_TEST((one.gateway.seen == std::vector<Bytes>{one.user.holder->certificate}));
      BOOST_TEST((one.user.seen == std::vector<Bytes>{one.gateway.holder->certificate}));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_plain_client_gets_the_same_key) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const KeyType type : kAllKeys) {
      BOOST_TEST_CONTEXT(version << ' ' << crypto::to_string(type)) {
        Answers answers{&holder("gw", type)};
        TlsServer server(setup_of(TlsSession::Role::Server, *answers.holder));
        PlainTls client({.least = version, .most = version}, holder("joe", type));
        BOOST_TEST((server.begin(0).data == Bytes{0x20}));
        Method::Reply reply = server.receive(0, whole(client.go_on({})));
        reply = server.receive(0, whole(client.go_on(gather(server, reply, answers))));
        const Bytes last = gather(server, reply, answers);
        client.go_on(last);
        BOOST_TEST(reply.reason == "");
        BOOST_TEST(client.open());
        BOOST_TEST(!server.complete());
        BOOST_TEST((client.read() == (version == TLS1_3_VERSION ? Bytes{0} : Bytes{})));
        BOOST_TEST((server.receive(0, Bytes{0}).kind == Method::Reply::Kind::Done));
        BOOST_TEST(to_hex(server.msk().view()) == client.msk());
        BOOST_TEST((answers.seen == std::vector<Bytes>{holder("joe", type).certificate}));
        // nothing to resume
        const SSL_SESSION* session = SSL_get_session(client.ssl());
        unsigned id = 0;
        SSL_SESSION_get_id(session, &id);
        BOOST_TEST(SSL_SESSION_has_ticket(session) == 0);
        BOOST_TEST((version == TLS1_3_VERSION || id == 0));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_plain_server_gets_the_same_key) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const KeyType type : kAllKeys) {
      BOOST_TEST_CONTEXT(version << ' ' << crypto::to_string(type)) {
        Answers answers{&holder("joe", type)};
        TlsPeer client(setup_of(TlsSession::Role::Client, *answers.holder));
        PlainTls server({.server = true, .least = version, .most = version}, holder("gw", type));
        Method::Reply reply = client.receive(0, Bytes{0x20});
        reply = client.receive(0, whole(server.go_on(gather(client, reply, answers))));
        Bytes last = server.go_on(gather(client, reply, answers));
        BOOST_TEST(server.open());
        if (version == TLS1_3_VERSION) {
          BOOST_TEST(!client.complete());
          last = concat({last, server.write(Bytes{0})});  // behind tickets, which are passed over
        }
        reply = client.receive(0, whole(last));
        BOOST_TEST(reply.reason == "");
        BOOST_TEST((reply.data == Bytes{0}));
        BOOST_TEST(client.complete());
        BOOST_TEST(to_hex(client.msk().view()) == server.msk());
        BOOST_TEST((answers.seen == std::vector<Bytes>{holder("gw", type).certificate}));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(tls_1_1_is_refused_by_both_ends) {
  Answers answers{&holder("gw", KeyType::Rsa)};
  TlsServer server(setup_of(TlsSession::Role::Server, *answers.holder));
  PlainTls client({.least = TLS1_VERSION, .most = TLS1_1_VERSION}, holder("joe", KeyType::Rsa));
  server.begin(0);
  Method::Reply reply = server.receive(0, whole(client.go_on({})));
  const Bytes alert = gather(server, reply, answers);
  BOOST_TEST(to_hex(alert) == "15030200020246");  // fatal, protocol_version
  reply = server.receive(0, Bytes{0});
  BOOST_TEST((reply.kind == Method::Reply::Kind::Failed));
  BOOST_TEST(reply.reason == "TLS failed: unsupported protocol");

  TlsPeer peer(setup_of(TlsSession::Role::Client, holder("joe", KeyType::Rsa)));
  PlainTls old({.server = true, .least = TLS1_VERSION, .most = TLS1_1_VERSION}, holder("gw", KeyType::Rsa));
  reply = peer.receive(0, Bytes{0x20});
  reply = peer.receive(0, whole(old.go_on(gather(peer, reply, answers))));
  BOOST_TEST((reply.kind == Method::Reply::Kind::Send));
  BOOST_TEST(peer.refusal() == "it broke TLS off: protocol version");
  BOOST_TEST(!peer.complete());
}

BOOST_AUTO_TEST_CASE(a_chain_that_is_refused_ends_it_and_the_other_end_is_told) {
  const std::map<ChainDefect, std::string> alerts = {{ChainDefect::Untrusted, "unknown CA"},
                                                     {ChainDefect::Expired, "certificate expired"},
                                                     {ChainDefect::Revoked, "certificate revoked"},
                                                     {ChainDefect::Purpose, "unsupported certificate"},
                                                     {ChainDefect::Other, "bad certificate"}};
  for (const auto& [defect, alert] : alerts) {
    BOOST_TEST_CONTEXT(alert) {
      Talk by_gateway = talk(holder("gw"), holder("joe"));
      by_gateway.gateway.verdict = ChainFailure{defect, "the certificate of joe is bad"};
      by_gateway.run();
      BOOST_TEST((by_gateway.server.kind == Kind::Failure));
      BOOST_TEST(by_gateway.server.reason == "the certificate of joe is bad");
      BOOST_TEST((by_gateway.peer.kind == Kind::Failure));
      BOOST_TEST(by_gateway.peer.reason == "it broke TLS off: " + alert);

      Talk by_user = talk(holder("gw"), holder("joe"));
      by_user.user.verdict = ChainFailure{defect, "the certificate of gw is bad"};
      by_user.run();
      BOOST_TEST((by_user.peer.kind == Kind::Failure));
      BOOST_TEST(by_user.peer.reason == "the certificate of gw is bad");
      BOOST_TEST((by_user.server.kind == Kind::Failure));
      BOOST_TEST(by_user.server.reason == "it broke TLS off: " + alert);
    }
  }
}

BOOST_AUTO_TEST_CASE(without_a_signature_it_ends) {
  Talk one = talk(holder("gw"), holder("joe"));
  one.gateway.no_signature = "the signer has ended";
  one.run();
  BOOST_TEST(one.server.reason == "our certificate cannot sign: the signer has ended");
  BOOST_TEST(one.peer.reason == "it broke TLS off: internal error");
  Talk other = talk(holder("gw"), holder("joe"));
  other.user.no_signature = "the signer has ended";
  other.run();
  BOOST_TEST(other.peer.reason == "our certificate cannot sign: the signer has ended");
  BOOST_TEST(other.server.reason == "it broke TLS off: internal error");
}

BOOST_AUTO_TEST_CASE(a_signature_by_another_key_is_none) {
  Talk one = talk(holder("gw"), holder("joe"));
  const Holder thief{holder("eve").key.clone(), holder("joe").certificate};
  one.user.holder = &thief;
  one.run();
  BOOST_TEST((one.server.kind == Kind::Failure));
  BOOST_TEST(one.server.reason == "TLS failed: bad signature");
  BOOST_TEST(one.peer.reason == "it broke TLS off: decrypt error");
}

BOOST_AUTO_TEST_CASE(a_client_without_certificate_is_refused) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Answers answers{&holder("gw")};
    TlsServer server(setup_of(TlsSession::Role::Server, *answers.holder));
    PlainTls client({.least = version, .most = version, .certificate = false}, holder("joe"));
    server.begin(0);
    Method::Reply reply = server.receive(0, whole(client.go_on({})));
    reply = server.receive(0, whole(client.go_on(gather(server, reply, answers))));
    BOOST_TEST(server.refusal() == "TLS failed: peer did not return a certificate");
    BOOST_TEST((server.receive(0, Bytes{0}).kind == Method::Reply::Kind::Failed));
  }
}

// RFC 9190 2.5; and CVE-2021-45079: an EAP Success before it is none.
BOOST_AUTO_TEST_CASE(the_end_of_tls_1_3_is_one_octet_of_zero_and_nothing_else) {
  for (const Bytes& indication : {Bytes{1}, Bytes{0, 0}, Bytes{}}) {
    BOOST_TEST_CONTEXT(to_hex(indication)) {
      Answers answers{&holder("joe")};
      TlsPeer client(setup_of(TlsSession::Role::Client, *answers.holder));
      PlainTls server({.server = true}, holder("gw"));
      Method::Reply reply = client.receive(0, Bytes{0x20});
      reply = client.receive(0, whole(server.go_on(gather(client, reply, answers))));
      const Bytes tickets = server.go_on(gather(client, reply, answers));
      const Bytes said = indication.empty() ? Bytes{} : server.write(indication);
      reply = client.receive(0, whole(concat({tickets, said})));
      BOOST_TEST(!client.complete());
      BOOST_TEST((reply.kind == (indication.empty() ? Method::Reply::Kind::Send : Method::Reply::Kind::Failed)));
      if (!indication.empty()) BOOST_TEST(reply.reason == "what it says at the end of TLS is not one octet of zero");
    }
  }
  Talk early = talk(holder("gw"), holder("joe"));
  early.on_the_way = [](std::size_t number, Bytes& packet) {
    // Start, ClientHello, the server's flight, ours; then the octet
    if (number == 4) packet = encode_packet(Code::Success, packet[1]);
  };
  early.run();
  BOOST_TEST((early.peer.kind == Kind::Failure));
  BOOST_TEST(early.peer.reason == "it says EAP Success before EAP-TLS is done");
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_into_a_packet_goes_in_fragments) {
  Talk one = talk(holder("gw", KeyType::Rsa), holder("joe", KeyType::Rsa));
  for (int i = 0; i < 6; ++i) one.chain.push_back(holder("authority" + std::to_string(i), KeyType::Rsa).certificate);
  std::size_t largest = 0, empty = 0;
  one.on_the_way = [&](std::size_t, Bytes& packet) {
    largest = std::max(largest, packet.size());
    empty += packet.size() == 6 && packet[5] == 0;
  };
  one.run();
  BOOST_TEST(one.server.reason == "");
  BOOST_TEST((one.server.kind == Kind::Success && one.peer.kind == Kind::Success));
  BOOST_TEST(largest == TlsFragments::kFragmentSize + 6 + 4);
  BOOST_TEST(empty > 8U);
  BOOST_TEST(one.gateway.seen.size() == 7U);
  BOOST_TEST(to_hex(one.server.msk.view()) == to_hex(one.peer.msk.view()));
}

BOOST_AUTO_TEST_CASE(fragments_are_put_together_and_bounded) {
  const auto taken = [](TlsFragments& into, std::string_view digits) -> std::string {
    const auto result = into.take(from_hex(digits).value());
    if (!result) return result.error().message;
    return *result ? to_hex(**result) : "more";
  };
  TlsFragments into;
  BOOST_TEST(taken(into, "00") == "");
  BOOST_TEST(taken(into, "00aabb") == "aabb");
  BOOST_TEST(taken(into, "8000000002aabb") == "aabb");
  BOOST_TEST(taken(into, "c000000005aabb") == "more");
  BOOST_TEST(taken(into, "40cc") == "more");
  BOOST_TEST(taken(into, "00ddee") == "aabbccddee");
  BOOST_TEST(taken(into, "c000000003aa") == "more");
  BOOST_TEST(taken(into, "c000000003bb") == "more");  // the length again, and the same
  BOOST_TEST(taken(into, "80000000030c") == "aabb0c");
  BOOST_TEST(taken(into, "1faabb") == "aabb");  // reserved bits

  const auto refused = [&](std::initializer_list<std::string_view> packets) {
    TlsFragments one;
    std::string last;
    for (const std::string_view packet : packets) last = taken(one, packet);
    return last;
  };
  BOOST_TEST(refused({""}) == "EAP-TLS without flags");
  BOOST_TEST(refused({"80000000"}) == "EAP-TLS without the length it announces");
  BOOST_TEST(refused({"40aa"}) == "the first fragment of a TLS message does not say how long it is");
  BOOST_TEST(refused({"8000000003aabb"}) == "a TLS message says it has 3 octets, and has 2");
  BOOST_TEST(refused({"c0ffffffffaa"}) == "a TLS message of 4294967295 octets is more than 32768");
  BOOST_TEST(refused({"c000008001aa"}) == "a TLS message of 32769 octets is more than 32768");
  BOOST_TEST(refused({"c000000003aa", "c000000004bb"}) == "the fragments of a TLS message do not agree on its length");
  BOOST_TEST(refused({"c000000003aa", "40"}) == "a fragment of a TLS message has no content");
  BOOST_TEST(refused({"c000000003aa", "00bbccdd"}) == "the fragments of a TLS message are more than its length");
  BOOST_TEST(refused({"c000000002aa", "40bb", "40cc"}) == "the fragments of a TLS message are more than its length");
  BOOST_TEST(refused({"c000000003aa", "00bb"}) == "the fragments of a TLS message are less than its length");
}

BOOST_AUTO_TEST_CASE(who_does_not_wait_for_the_fragments_is_refused) {
  Talk one = talk(holder("gw", KeyType::Rsa), holder("joe", KeyType::Rsa));
  one.chain.push_back(holder("authority", KeyType::Rsa).certificate);
  one.on_the_way = [](std::size_t number, Bytes& packet) {
    if (number == 3) packet = encode_packet(Code::Response, packet[1], Type::Tls, Bytes{0, 0x16});
  };
  one.run();
  BOOST_TEST(one.server.reason == "it does not confirm a fragment of our TLS message");
}

BOOST_AUTO_TEST_CASE(what_a_peer_is_not_to_be_told_is_refused) {
  const auto says = [](std::initializer_list<std::string_view> packets) {
    TlsPeer peer(setup_of(TlsSession::Role::Client, holder("joe")));
    Method::Reply reply;
    for (const std::string_view packet : packets) reply = peer.receive(0, from_hex(packet).value());
    return reply.kind == Method::Reply::Kind::Failed ? reply.reason : peer.refusal();
  };
  BOOST_TEST(says({""}) == "it does not start TLS");
  BOOST_TEST(says({"00"}) == "it does not start TLS");
  BOOST_TEST(says({"0016"}) == "it does not start TLS");
  BOOST_TEST(says({"20", "20"}) == "it starts TLS again");
  BOOST_TEST(says({"20", "00"}) == "its TLS message is not whole");
  BOOST_TEST(says({"20", "001603"}) == "its TLS message is not whole");
  BOOST_TEST(says({"20", "0015030300020228"}) == "it broke TLS off: handshake failure");
  BOOST_TEST(says({"20", "0015030300020228", "00"}) == "it broke TLS off: handshake failure");
  BOOST_TEST(says({"20", "00ffffffffffffffff"}).starts_with("TLS failed: "));
}

// Whatever is changed on the way: who succeeds has the other one's key.
BOOST_AUTO_TEST_CASE(a_changed_octet_ends_it) {
  for (const std::size_t number : {1, 2, 3, 4, 5}) {
    std::size_t size = 1, failures = 0, tries = 0;
    for (std::size_t at = 5; at < size; at += 1 + size / 40) {
      Talk one = talk(holder("gw"), holder("joe"));
      one.on_the_way = [&](std::size_t n, Bytes& packet) {
        if (n != number) return;
        size = packet.size();
        if (at < size) packet[at] ^= 0x04;
      };
      size = std::max<std::size_t>(size, 6);
      one.run();
      ++tries;
      const bool both = one.server.kind == Kind::Success && one.peer.kind == Kind::Success;
      failures += !both;
      if (both) BOOST_TEST(to_hex(one.server.msk.view()) == to_hex(one.peer.msk.view()));
      // The flags have bits without a meaning; all else is protected.
      if (at > 5) BOOST_TEST(!both, "packet " << number << " octet " << at);
      if (!both) BOOST_TEST((one.server.kind == Kind::Failure || one.peer.kind == Kind::Failure));
    }
    BOOST_TEST(failures + 1 >= tries);
  }
}

BOOST_AUTO_TEST_CASE(who_goes_away_in_the_middle_leaves_nothing) {
  for (const std::size_t answered : {0, 1}) {
    Answers gateway{&holder("gw")}, user{&holder("joe")};
    TlsServer server(setup_of(TlsSession::Role::Server, *gateway.holder));
    PlainTls client({}, *user.holder);
    server.begin(0);
    Method::Reply reply = server.receive(0, whole(client.go_on({})));
    BOOST_TEST((reply.kind == Method::Reply::Kind::Ask));
    if (answered == 1) {
      reply = server.receive(0, whole(client.go_on(gather(server, reply, gateway))));
      BOOST_TEST((reply.kind == Method::Reply::Kind::Ask));
      BOOST_TEST(std::holds_alternative<ChainQuestion>(*reply.question));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_client_shows_the_certificate_whose_authority_the_server_names) {
  const Holder other = test::new_root("C=CH, O=Other, CN=Root");
  const Holder stranger = test::issue(test::request("C=CH, O=Other, CN=joe"), other);
  for (const bool second : {false, true}) {
    TlsSession::Setup setup{TlsSession::Role::Client, {{stranger.certificate, {}}, {holder("joe").certificate, {}}}, {}};
    if (!second) std::swap(setup.credentials[0], setup.credentials[1]);
    TlsPeer client(setup);
    Answers gateway{&holder("gw")}, user{&holder("joe")};
    TlsServer server(setup_of(TlsSession::Role::Server, *gateway.holder));
    server.begin(0);
    Method::Reply ours = client.receive(0, Bytes{0x20});
    Method::Reply theirs = server.receive(0, whole(gather(client, ours, user)));
    ours = client.receive(0, whole(gather(server, theirs, gateway)));
    std::size_t credential = 9;
    while (ours.kind == Method::Reply::Kind::Ask) {
      if (const auto* question = std::get_if<SignatureQuestion>(&*ours.question)) credential = question->credential;
      ours = client.answer(user.to(*ours.question));
    }
    BOOST_TEST(credential == (second ? 1U : 0U));
  }
}

BOOST_AUTO_TEST_SUITE_END()
