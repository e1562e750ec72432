// SPDX-License-Identifier: Apache-2.0
// Against the published values: RFC 1320 A.5, RFC 2759 9.2, RFC 3079 3.5.3 (FIPS 46 for DES).
#include "eap/mschapv2.h"

#include <boost/test/unit_test.hpp>

#include "crypto/legacy.h"
#include "unit/eap/scripted_entropy.h"

using namespace svti;
using namespace svti::eap;
using crypto::des_encrypt;
using crypto::md4;
using crypto::md5;
using test::ScriptedEntropy;

namespace {

Bytes hex(std::string_view digits) { return from_hex(digits).value(); }
Secret secret(std::string_view text) { return Secret(as_bytes(text)); }
std::string md4_of(std::string_view text) { return to_hex(md4(as_bytes(text))); }

template <std::size_t N>
std::array<std::uint8_t, N> array(std::string_view digits) {
  std::array<std::uint8_t, N> out{};
  const Bytes octets = hex(digits);
  BOOST_TEST_REQUIRE(octets.size() == N);
  std::copy(octets.begin(), octets.end(), out.begin());
  return out;
}

// RFC 2759 9.2
const auto kAuthenticatorChallenge = array<16>("5b5d7c7d7b3f2f3e3c2c602132262628");
const auto kPeerChallenge = array<16>("21402324255e262a28295f2b3a337c7e");
const auto kNtResponse = array<24>("82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df");
constexpr std::string_view kUser = "User";
constexpr std::string_view kPassword = "clientPass";
constexpr std::string_view kProof = "407A5589115FD0D6209F510FE9C04566932CDA56";

}  // namespace

BOOST_AUTO_TEST_SUITE(mschapv2)

BOOST_AUTO_TEST_CASE(md4_as_in_rfc_1320) {
  BOOST_TEST(md4_of("") == "31d6cfe0d16ae931b73c59d7e0c089c0");
  BOOST_TEST(md4_of("a") == "bde52cb31de33e46245e05fbdbd6fb24");
  BOOST_TEST(md4_of("abc") == "a448017aaf21d8525fc10ae87aa6729d");
  BOOST_TEST(md4_of("message digest") == "d9130a8164549fe818874806e1c7014b");
  BOOST_TEST(md4_of("abcdefghijklmnopqrstuvwxyz") == "d79e1c308aa5bbcdeea8ed63df412da9");
  BOOST_TEST(md4_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") == "043f8582f241db351ce627e153e7f0e4");
  BOOST_TEST(md4_of("12345678901234567890123456789012345678901234567890123456789012345678901234567890") ==
             "e33b4ddc9c38f2199c3e7b164fcc0536");
}

BOOST_AUTO_TEST_CASE(des_and_md5_are_those_of_the_standards) {
  // key 133457799bbcdff1 without its parity bits
  const auto key = array<7>("12695bc9b7b7f8");
  const auto block = array<8>("0123456789abcdef");
  BOOST_TEST(to_hex(des_encrypt(block, key).value()) == "85e813540f0ab405");
  BOOST_TEST(to_hex(md5({as_bytes("message "), as_bytes("digest")}).value()) == "f96b697d7cb7938d525a2f31aaf161d0");
}

BOOST_AUTO_TEST_CASE(the_hashes_and_the_response_of_rfc_2759) {
  const Secret nt_hash = nt_password_hash(secret(kPassword)).value();
  BOOST_TEST(to_hex(nt_hash.view()) == "44ebba8d5312b8d611474411f56989ae");
  const auto challenge = challenge_hash(kPeerChallenge, kAuthenticatorChallenge, kUser);
  BOOST_TEST(to_hex(challenge) == "d02e4386bce91226");
  BOOST_TEST(to_hex(challenge_hash(kPeerChallenge, kAuthenticatorChallenge, "EXAMPLE\\User")) == "d02e4386bce91226");
  BOOST_TEST(to_hex(nt_response(challenge, nt_hash).value()) == to_hex(kNtResponse));
  BOOST_TEST(to_hex(authenticator_response(nt_hash, kNtResponse, challenge)) == to_hex(hex(kProof)));
}

// RFC 3079 3.5.3: the server's send key with 128 bits; the other one follows the same way
BOOST_AUTO_TEST_CASE(the_keys_of_rfc_3079) {
  const Secret nt_hash = nt_password_hash(secret(kPassword)).value();
  const Secret msk = mschapv2_msk(nt_hash, kNtResponse);
  BOOST_TEST(msk.size() == kMskSize);
  BOOST_TEST(to_hex(msk.view().subspan(16, 16)) == "8b7cdc149b993a1ba118cb153f56dccb");
  BOOST_TEST(to_hex(msk.view().subspan(32)) == std::string(64, '0'));
}

BOOST_AUTO_TEST_CASE(a_password_is_utf_16) {
  const auto is_password = [](std::string_view text) { return nt_password_hash(secret(text)).has_value(); };
  // é, €, and a clef beyond the first plane
  BOOST_TEST(to_hex(nt_password_hash(secret("\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e")).value().view()) ==
             to_hex(md4(hex("e900ac2034d81edd"))));
  BOOST_TEST(is_password(""));
  for (const std::string_view bad : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
                                     "\xf8\x88\x80\x80\x80", "\xff", "a\xc3z"})
    BOOST_TEST(!is_password(bad), to_hex(as_bytes(bad)));
}

// the packets themselves, made of the values of RFC 2759
BOOST_AUTO_TEST_CASE(a_conversation_with_the_values_of_rfc_2759) {
  ScriptedEntropy server_entropy(kAuthenticatorChallenge), peer_entropy(kPeerChallenge);
  MsChapV2Server server(secret(kPassword), std::string(kUser), "gw", server_entropy);
  MsChapV2Peer peer(secret(kPassword), std::string(kUser), peer_entropy);
  const auto challenge = server.begin(7);
  BOOST_TEST(to_hex(challenge.data) == "0107001710" + to_hex(kAuthenticatorChallenge) + "6777");
  const auto response = peer.receive(7, challenge.data);
  BOOST_TEST(to_hex(response.data) ==
             "0207003a31" + to_hex(kPeerChallenge) + std::string(16, '0') + to_hex(kNtResponse) + "00" + to_hex(as_bytes(kUser)));
  BOOST_TEST(!server.complete());
  const auto success = server.receive(7, response.data);
  BOOST_TEST(as_text(ByteView(success.data).subspan(4)) == "S=" + std::string(kProof) + " M=Welcome");
  BOOST_TEST(!peer.complete());
  const auto end = peer.receive(8, success.data);
  BOOST_TEST(to_hex(end.data) == "03");
  BOOST_TEST(peer.complete());
  BOOST_CHECK(server.receive(8, end.data).kind == Method::Reply::Kind::Done);
  BOOST_TEST(server.complete());
  BOOST_TEST(to_hex(server.msk().view()) == to_hex(peer.msk().view()));
  BOOST_TEST(server.msk().size() == kMskSize);
}

// CVE-2015-8023 and its like: every operation in every state in which it has no place
BOOST_AUTO_TEST_CASE(what_comes_in_the_wrong_order_is_refused) {
  ScriptedEntropy entropy(kPeerChallenge);
  const Bytes challenge = MsChapV2Server(secret("x"), "u", "gw", entropy).begin(1).data;
  const auto refused = [](Method& method, ByteView data) {
    const auto reply = method.receive(1, data);
    BOOST_TEST(!method.complete());
    return reply.kind == Method::Reply::Kind::Failed && !reply.reason.empty();
  };
  for (const Bytes& data : {Bytes{3}, Bytes{4}, challenge, hex("03010006533d"), hex("0701000400"), Bytes{}, Bytes{9}}) {
    MsChapV2Server server(secret("x"), "u", "gw", entropy);
    (void)server.begin(1);
    BOOST_TEST(refused(server, data), to_hex(data));
    BOOST_TEST(server.msk().empty());
  }
  for (const Bytes& data : {Bytes{3}, Bytes{4}, hex("03010006533d"), hex("02010004"), hex("0701000400"), Bytes{}, Bytes{9}}) {
    MsChapV2Peer peer(secret("x"), "u", entropy);
    BOOST_TEST(refused(peer, data), to_hex(data));
    MsChapV2Peer later(secret("x"), "u", entropy);
    BOOST_REQUIRE(later.receive(1, challenge).kind == Method::Reply::Kind::Send);
    if (data != Bytes{4}) BOOST_TEST(refused(later, data), to_hex(data));
    BOOST_TEST(refused(later, challenge));  // one challenge, one response
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_has_not_the_password_is_not_believed) {
  ScriptedEntropy entropy(kPeerChallenge);
  for (const std::string_view text : {"S=407A5589115FD0D6209F510FE9C04566932CDA56 M=x", "S= M=x", "S=", "", "M=x", "S=40", "S=zz",
                                      "xS=407A5589115FD0D6209F510FE9C04566932CDA56"}) {
    MsChapV2Peer peer(secret("another"), std::string(kUser), entropy);
    MsChapV2Server server(secret(kPassword), std::string(kUser), "gw", entropy);
    (void)peer.receive(1, server.begin(1).data);
    Writer success;
    success.u8(3);
    success.u8(1);
    success.u16(static_cast<std::uint16_t>(4 + text.size()));
    success.bytes(as_bytes(text));
    const auto reply = peer.receive(2, success.view());
    BOOST_CHECK(reply.kind == Method::Reply::Kind::Failed);
    BOOST_TEST(reply.reason == "the server does not prove that it has the password");
    BOOST_TEST(!peer.complete());
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_password_may_be_given_again_so_often_and_no_more) {
  ScriptedEntropy entropy(kPeerChallenge);
  MsChapV2Server server(secret("right"), "joe", "gw", entropy);
  Bytes request = server.begin(1).data;
  Bytes challenge = request;
  for (unsigned attempt = 0; attempt <= MsChapV2Server::kRetries; ++attempt) {
    MsChapV2Peer peer(secret("wrong"), "joe", entropy);
    const auto reply = server.receive(1, peer.receive(1, challenge).data);
    BOOST_REQUIRE(reply.kind == Method::Reply::Kind::Send);
    const std::string text(as_text(ByteView(reply.data).subspan(4)));
    BOOST_TEST(text.starts_with(attempt < MsChapV2Server::kRetries ? "E=691 R=1 C=" : "E=691 R=0 C="), text);
    // the new challenge, put into the form of a first one
    const Bytes fresh = hex(text.substr(12, 32));
    challenge = concat({hex("0101001710"), fresh, as_bytes("gw")});
    challenge[3] = static_cast<std::uint8_t>(challenge.size());
    const auto understood = peer.receive(2, reply.data);
    BOOST_TEST(to_hex(understood.data) == "04");
    BOOST_TEST(peer.refusal() == "the server refuses user joe: error 691, wrong user or password (\"Wrong user or password\")");
  }
  MsChapV2Peer late(secret("right"), "joe", entropy);
  const auto too_late = server.receive(1, late.receive(1, challenge).data);
  BOOST_CHECK(too_late.kind == Method::Reply::Kind::Failed);
  BOOST_TEST(!server.complete());

  // the right one at the second attempt
  MsChapV2Server again(secret("right"), "joe", "gw", entropy);
  MsChapV2Peer wrong(secret("wrong"), "joe", entropy), right(secret("right"), "joe", entropy);
  const auto refusal = again.receive(1, wrong.receive(1, again.begin(1).data).data);
  Bytes second = concat({hex("0102001710"), hex(as_text(ByteView(refusal.data).subspan(16, 32))), as_bytes("gw")});
  second[3] = static_cast<std::uint8_t>(second.size());
  const auto success = again.receive(2, right.receive(2, second).data);
  BOOST_CHECK(again.receive(3, right.receive(3, success.data).data).kind == Method::Reply::Kind::Done);

  // and who gives up is told why
  MsChapV2Server given_up(secret("right"), "joe", "gw", entropy);
  MsChapV2Peer peer(secret("wrong"), "joe", entropy);
  const auto told = given_up.receive(1, peer.receive(1, given_up.begin(1).data).data);
  const auto end = given_up.receive(2, peer.receive(2, told.data).data);
  BOOST_CHECK(end.kind == Method::Reply::Kind::Failed);
  BOOST_TEST(end.reason == "the password does not match");
}

// CVE-2025-62291: a failure message shorter than it should be, or of any other form
BOOST_AUTO_TEST_CASE(a_failure_message_may_be_of_any_form) {
  ScriptedEntropy entropy(kPeerChallenge);
  const auto refusal = [&](std::string_view text) {
    MsChapV2Server server(secret("x"), "joe", "gw", entropy);
    MsChapV2Peer peer(secret("x"), "joe", entropy);
    (void)peer.receive(1, server.begin(1).data);
    Writer failure;
    failure.u8(4);
    failure.u8(1);
    failure.u16(static_cast<std::uint16_t>(4 + text.size()));
    failure.bytes(as_bytes(text));
    const auto reply = peer.receive(2, failure.view());
    BOOST_TEST(to_hex(reply.data) == "04");
    BOOST_TEST(!peer.complete());
    return peer.refusal();
  };
  BOOST_TEST(refusal("") == "the server refuses user joe and does not say why");
  BOOST_TEST(refusal("E=") == "the server refuses user joe and does not say why");
  BOOST_TEST(refusal("E=99999999999999999999") == "the server refuses user joe and does not say why");
  BOOST_TEST(refusal("E=648 R=0 C=") == "the server refuses user joe: error 648, password expired");
  BOOST_TEST(refusal(" M=") == "the server refuses user joe and does not say why");
  BOOST_TEST(refusal("C=00 E=647 M=a\x01 b") == "the server refuses user joe: error 647, account disabled (\"a\\x01 b\")");
  BOOST_TEST(refusal("E=1 M=" + std::string(5000, 'x')).size() < 300U);

  // an operation alone is a failure as well
  MsChapV2Server server(secret("x"), "joe", "gw", entropy);
  MsChapV2Peer peer(secret("x"), "joe", entropy);
  (void)peer.receive(1, server.begin(1).data);
  BOOST_TEST(to_hex(peer.receive(2, Bytes{4}).data) == "04");
}

BOOST_AUTO_TEST_CASE(every_response_cut_short_or_lengthened_is_refused) {
  ScriptedEntropy entropy(kPeerChallenge);
  MsChapV2Peer peer(secret("x"), "joe", entropy);
  const Bytes whole = peer.receive(1, MsChapV2Server(secret("x"), "joe", "gw", entropy).begin(1).data).data;
  const auto outcome = [&](Bytes data, bool mend) {
    MsChapV2Server server(secret("x"), "joe", "gw", entropy);
    (void)server.begin(1);
    if (mend && data.size() >= 4) data[3] = static_cast<std::uint8_t>(data.size());
    return server.receive(1, data).kind;
  };
  for (std::size_t size = 0; size < whole.size(); ++size) {
    for (const bool mend : {false, true})
      BOOST_CHECK(outcome(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), mend) == Method::Reply::Kind::Failed);
  }
  BOOST_CHECK(outcome(concat({whole, Bytes{'x'}}), true) == Method::Reply::Kind::Failed);  // another user's
  BOOST_CHECK(outcome(whole, false) == Method::Reply::Kind::Send);
  Bytes other_id = whole;
  other_id[1] = 9;
  BOOST_CHECK(outcome(other_id, false) == Method::Reply::Kind::Failed);
}

BOOST_AUTO_TEST_SUITE_END()
