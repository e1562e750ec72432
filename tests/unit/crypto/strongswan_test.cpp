// SPDX-License-Identifier: Apache-2.0
// Whole IKE SAs of strongSwan, captured with their keys (tests/vectors/make_strongswan.py): every key is derived again, every message
// opened, read, and sealed again to the same octets.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>

#include "crypto/prf.h"
#include "crypto/sk_cipher.h"
#include "fixed_entropy.h"
#include "vectors.h"
#include "wire/message.h"

using namespace svti;
using namespace svti::crypto;
using namespace svti::wire;

namespace {

struct Algorithms {
  Transform encryption;
  IntegrityId integrity;
  PrfId prf;
};

const std::map<std::string, Algorithms> kAlgorithms = {
    {"cbc", {transform(TransformType::Encryption, EncryptionId::AesCbc, 256), IntegrityId::HmacSha256_128, PrfId::HmacSha256}},
    {"gcm", {transform(TransformType::Encryption, EncryptionId::AesGcm16, 128), IntegrityId::None, PrfId::HmacSha384}},
};

template <typename T>
const T& the(const std::vector<Payload>& payloads) {
  const auto found = std::find_if(payloads.begin(), payloads.end(), [](const Payload& one) { return std::holds_alternative<T>(one); });
  BOOST_TEST_REQUIRE((found != payloads.end()));
  return std::get<T>(*found);
}

Bytes spi(IkeSpi value) {
  Writer out;
  out.u64(value);
  return std::move(out).take();
}

// RFC 7296 2.14: SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr, compared with what strongSwan logged
void check_keys(const Prf& prf, const SkKeySizes& sizes, ByteView skeyseed, ByteView seed, const nlohmann::json& logged) {
  const auto text = [&logged](const char* key) { return logged.value(key, std::string()); };
  BOOST_TEST(to_hex(skeyseed) == text("skeyseed"));
  const std::size_t size = prf.output_size();
  const Secret keys = prf.plus(skeyseed, seed, 3 * size + 2 * sizes.integrity + 2 * sizes.encryption);
  BOOST_TEST(to_hex(keys.view()) ==
             text("sk_d") + text("sk_ai") + text("sk_ar") + text("sk_ei") + text("sk_er") + text("sk_pi") + text("sk_pr"));
}

// one IKE SA in both directions
struct Ciphers {
  SkCipher initiator;
  SkCipher responder;
};

Ciphers ciphers(const Algorithms& algorithms, const nlohmann::json& sa) {
  const auto make = [&](const char* sk_e, const char* sk_a) {
    return SkCipher::create(algorithms.encryption, algorithms.integrity, Secret(hex(sa.at(sk_e).get<std::string>())),
                            Secret(hex(sa.value(sk_a, std::string()))))
        .value();
  };
  return {make("sk_ei", "sk_ai"), make("sk_er", "sk_ar")};
}

// the payloads inside, which are written as they came; strongSwan's CBC padding is ours with other octets
std::vector<Payload> open(SkCipher& cipher, const Algorithms& algorithms, const Message& message, ByteView octets) {
  const auto& sealed = the<EncryptedPayload>(message.payloads);
  const ByteView prefix = octets.first(octets.size() - sealed.body.size());
  const auto text = cipher.open(prefix, sealed.body);
  BOOST_TEST_REQUIRE(text.has_value());
  const auto inside = parse_payloads(sealed.first_inner, *text);
  BOOST_TEST_REQUIRE(inside.has_value());
  BOOST_TEST(to_hex(encode_payloads(*inside)) == to_hex(*text));
  BOOST_TEST(cipher.sealed_size(text->size()) == sealed.body.size());
  if (algorithms.integrity == IntegrityId::None) return *inside;
  FixedEntropy iv(Bytes(sealed.body.begin(), sealed.body.begin() + 16));
  const Bytes again = cipher.seal(prefix, *text, iv);
  const std::size_t whole_blocks = 16 + text->size() / 16 * 16;  // before the block with the padding
  BOOST_TEST(to_hex(ByteView(again).first(whole_blocks)) == to_hex(ByteView(sealed.body).first(whole_blocks)));
  return *inside;
}

}  // namespace

BOOST_AUTO_TEST_CASE(strongswans_ike_sas_open_with_keys_derived_here) {
  const auto cases = crypto_vectors("strongswan.json");
  BOOST_TEST(cases.size() == 2U);
  for (const auto& one : cases) {
    const Algorithms& algorithms = kAlgorithms.at(one.at("name").get<std::string>());
    const Prf prf = Prf::create(algorithms.prf).value();
    const SkKeySizes sizes = sk_key_sizes(algorithms.encryption, algorithms.integrity).value();
    std::vector<Bytes> datagrams;
    for (const auto& digits : one.at("messages")) datagrams.push_back(hex(digits.get<std::string>()));
    std::vector<Message> messages;
    for (const Bytes& datagram : datagrams) messages.push_back(parse_message(datagram).value());
    BOOST_TEST_REQUIRE(messages.size() == 10U);
    const auto& first = one.at("ike_sas").at(0);
    const auto& rekeyed = one.at("ike_sas").at(1);

    // HDR, SAi1, KEi, Ni -->   <-- HDR, SAr1, KEr, Nr
    const Bytes& ni = the<NoncePayload>(messages[0].payloads).data;
    const Bytes& nr = the<NoncePayload>(messages[1].payloads).data;
    const Header& header = messages[1].header;
    const Secret skeyseed = prf(concat({ni, nr}), {hex(first.at("shared").get<std::string>())});
    check_keys(prf, sizes, skeyseed.view(), concat({ni, nr, spi(header.initiator_spi), spi(header.responder_spi)}), first);

    // HDR, SK {IDi, IDr, AUTH, SAi2, TSi, TSr} -->   <-- HDR, SK {IDr, AUTH, N}
    Ciphers sa = ciphers(algorithms, first);
    const auto request = open(sa.initiator, algorithms, messages[2], datagrams[2]);
    BOOST_CHECK((the<IdPayload>(request) == IdPayload{PayloadType::IdInitiator, IdType::Fqdn, to_bytes(as_bytes("gw1.example"))}));
    BOOST_TEST(the<TsPayload>(request).selectors.at(0).to_string() == "10.1.0.0/16");
    const auto response = open(sa.responder, algorithms, messages[3], datagrams[3]);
    // RFC 7296 2.15, the responder's octets: its IKE_SA_INIT, Ni, prf(SK_pr, IDr')
    const Secret padded = prf(as_bytes("correct horse"), {as_bytes("Key Pad for IKEv2")});
    const Secret mac_of_id = prf(hex(first.at("sk_pr").get<std::string>()), {encode_id_body(the<IdPayload>(response))});
    BOOST_TEST(to_hex(prf(padded.view(), {datagrams[1], ni, mac_of_id.view()}).view()) == to_hex(the<AuthPayload>(response).data));

    // CREATE_CHILD_SA: HDR, SK {SA, Ni, KEi} -->   <-- HDR, SK {SA, Nr, KEr}: RFC 7296 2.18
    const auto rekey = open(sa.initiator, algorithms, messages[4], datagrams[4]);
    const auto rekeyed_by = open(sa.responder, algorithms, messages[5], datagrams[5]);
    const Bytes& new_ni = the<NoncePayload>(rekey).data;
    const Bytes& new_nr = the<NoncePayload>(rekeyed_by).data;
    const Bytes& new_spi_i = the<SaPayload>(rekey).proposals.at(0).spi;
    const Bytes& new_spi_r = the<SaPayload>(rekeyed_by).proposals.at(0).spi;
    const Secret new_skeyseed =
        prf(hex(first.at("sk_d").get<std::string>()), {hex(rekeyed.at("shared").get<std::string>()), new_ni, new_nr});
    check_keys(prf, sizes, new_skeyseed.view(), concat({new_ni, new_nr, new_spi_i, new_spi_r}), rekeyed);

    // the old IKE SA is deleted, then the new one: HDR, SK {D} -->   <-- HDR, SK {}
    BOOST_CHECK(open(sa.initiator, algorithms, messages[6], datagrams[6]) == std::vector<Payload>({DeletePayload{ProtocolId::Ike, {}}}));
    BOOST_TEST(open(sa.responder, algorithms, messages[7], datagrams[7]).empty());
    Ciphers next = ciphers(algorithms, rekeyed);
    BOOST_CHECK(open(next.initiator, algorithms, messages[8], datagrams[8]) == std::vector<Payload>({DeletePayload{ProtocolId::Ike, {}}}));
    BOOST_TEST(open(next.responder, algorithms, messages[9], datagrams[9]).empty());
    // and keys of one direction open nothing of the other
    const auto& sealed = the<EncryptedPayload>(messages[9].payloads);
    BOOST_TEST(!next.initiator.open(ByteView(datagrams[9]).first(datagrams[9].size() - sealed.body.size()), sealed.body));
  }
}
