// SPDX-License-Identifier: Apache-2.0
#include "crypto/prf.h"

#include <boost/test/unit_test.hpp>
#include <stdexcept>
#include <thread>

#include "fixed_entropy.h"
#include "vectors.h"

using namespace svti;
using namespace svti::crypto;
using wire::PrfId;

namespace {

std::string prf(PrfId id, ByteView key, std::initializer_list<ByteView> parts) {
  return to_hex(Prf::create(id).value()(key, parts).view());
}

struct Rfc4231 {
  Bytes key;
  Bytes data;
  const char* sha256;
  const char* sha384;
  const char* sha512;
};

// RFC 4231 4.2 to 4.4, 4.7 and 4.8: keys shorter and longer than a block of the hash
const Rfc4231 kRfc4231[] = {
    {Bytes(20, 0x0b), to_bytes(as_bytes("Hi There")), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
     "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
     "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
    {to_bytes(as_bytes("Jefe")), to_bytes(as_bytes("what do ya want for nothing?")),
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
     "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
     "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
    {Bytes(20, 0xaa), Bytes(50, 0xdd), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
     "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
     "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb"},
    {Bytes(131, 0xaa), to_bytes(as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")),
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
     "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
     "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
};

}  // namespace

BOOST_AUTO_TEST_CASE(prf_is_the_hmac_of_rfc_4231) {
  for (const Rfc4231& vector : kRfc4231) {
    BOOST_TEST(prf(PrfId::HmacSha256, vector.key, {vector.data}) == vector.sha256);
    BOOST_TEST(prf(PrfId::HmacSha384, vector.key, {vector.data}) == vector.sha384);
    BOOST_TEST(prf(PrfId::HmacSha512, vector.key, {vector.data}) == vector.sha512);
  }
}

BOOST_AUTO_TEST_CASE(prf_with_sha1_is_the_hmac_of_rfc_2202) {
  BOOST_TEST(prf(PrfId::HmacSha1, Bytes(20, 0x0b), {as_bytes("Hi There")}) == "b617318655057264e28bc0b6fb378c8ef146be00");
  BOOST_TEST(prf(PrfId::HmacSha1, as_bytes("Jefe"), {as_bytes("what do ya want for nothing?")}) ==
             "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

BOOST_AUTO_TEST_CASE(prf_with_md5_is_the_hmac_of_rfc_2202) {
  BOOST_TEST(prf(PrfId::HmacMd5, Bytes(16, 0x0b), {as_bytes("Hi There")}) == "9294727a3638bb1c13f48ef8158bfc9d");
  BOOST_TEST(prf(PrfId::HmacMd5, as_bytes("Jefe"), {as_bytes("what do ya want for nothing?")}) == "750c783e6ab0b503eaa86e310a5db738");
}

// RFC 4434 2: keys of 16 octets, fewer, and more
BOOST_AUTO_TEST_CASE(prf_of_aes_xcbc_is_that_of_rfc_4434) {
  const Bytes text = hex("000102030405060708090a0b0c0d0e0f10111213");
  BOOST_TEST(prf(PrfId::AesXcbc, hex("000102030405060708090a0b0c0d0e0f"), {text}) == "47f51b4564966215b8985c63055ed308");
  BOOST_TEST(prf(PrfId::AesXcbc, hex("00010203040506070809"), {text}) == "0fa087af7d866e7653434e602fdde835");
  BOOST_TEST(prf(PrfId::AesXcbc, hex("000102030405060708090a0b0c0d0e0fedcb"), {text}) == "8cd3c93ae598a9803006ffb67c40e9e4");
}

// RFC 3566 4.6, of which the ICV is the first 96 bits: nothing, less than a block, a block, more
BOOST_AUTO_TEST_CASE(aes_xcbc_is_that_of_rfc_3566) {
  const Bytes key = hex("000102030405060708090a0b0c0d0e0f");
  const Bytes text = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021");
  BOOST_TEST(prf(PrfId::AesXcbc, key, {}) == "75f0251d528ac01c4573dfd584d79f29");
  BOOST_TEST(prf(PrfId::AesXcbc, key, {ByteView(text).first(3)}) == "5b376580ae2f19afe7219ceef172756f");
  BOOST_TEST(prf(PrfId::AesXcbc, key, {ByteView(text).first(16)}) == "d2a246fa349b68a79998a4394ff7a263");
  BOOST_TEST(prf(PrfId::AesXcbc, key, {ByteView(text).first(20)}) == "47f51b4564966215b8985c63055ed308");
  BOOST_TEST(prf(PrfId::AesXcbc, key, {ByteView(text).first(32)}) == "f54f0ec8d2b9f3d36807734bd5283fd4");
  BOOST_TEST(prf(PrfId::AesXcbc, key, {text}) == "becbb3bccdb518a30677d5481fb6b4d8");
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    BOOST_TEST(prf(PrfId::AesXcbc, key, {ByteView(text).first(cut), {}, ByteView(text).subspan(cut)}) ==
               "becbb3bccdb518a30677d5481fb6b4d8");
}

// RFC 4493 4, RFC 4615 4
BOOST_AUTO_TEST_CASE(prf_of_aes_cmac_is_that_of_rfc_4615) {
  BOOST_TEST(prf(PrfId::AesCmac, hex("2b7e151628aed2a6abf7158809cf4f3c"), {}) == "bb1d6929e95937287fa37d129b756746");
  const Bytes text = hex("000102030405060708090a0b0c0d0e0f10111213");
  BOOST_TEST(prf(PrfId::AesCmac, hex("000102030405060708090a0b0c0d0e0fedcb"), {text}) == "84a348a4a45d235babfffc0d2b4da09a");
  BOOST_TEST(prf(PrfId::AesCmac, hex("000102030405060708090a0b0c0d0e0f"), {text}) == "980ae87b5f4c9c5214f5b6a8455e4c2d");
  BOOST_TEST(prf(PrfId::AesCmac, hex("00010203040506070809"), {text}) == "290d9e112edb09ee141fcf64c0b72f3d");
}

// RFC 7296 2.14
BOOST_AUTO_TEST_CASE(the_prfs_of_aes_take_half_a_key_of_each_nonce_for_skeyseed) {
  const Bytes ni(32, 0x11), nr(20, 0x22);
  for (const PrfId id : {PrfId::AesXcbc, PrfId::AesCmac})
    BOOST_TEST(to_hex(Prf::create(id)->skeyseed_key(ni, nr)) == "11111111111111112222222222222222");
  BOOST_TEST(to_hex(Prf::create(PrfId::HmacSha256)->skeyseed_key(ni, nr)) == to_hex(concat({ni, nr})));
}

BOOST_AUTO_TEST_CASE(parts_are_one_text_wherever_it_is_cut) {
  const Bytes key = hex("00112233");
  const auto whole = as_bytes("what do ya want for nothing?");
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    BOOST_TEST(prf(PrfId::HmacSha256, key, {whole.first(cut), {}, whole.subspan(cut)}) == prf(PrfId::HmacSha256, key, {whole}));
  }
  // computed with Python's hmac: the key and the text may both be empty
  BOOST_TEST(prf(PrfId::HmacSha256, {}, {}) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

BOOST_AUTO_TEST_CASE(keys_of_an_ike_sa_are_those_of_nists_ikev2_vectors) {
  // CAVP, SP 800-135 IKEv2 KDF, SHA-1, first vector: SKEYSEED and all of prf+ with it
  const Bytes ni = hex("3651fef5c9c35e93");
  const Bytes nr = hex("c09a8b90a3f04d59");
  const Bytes spi_i = hex("8e5c3ae507221684");
  const Bytes spi_r = hex("b1f201bb155c3acd");
  const Bytes g_ir = hex(
      "d084a30166a50fb7325c3960874a839449ef9741c2f4f947d0201dd8c1269273d79509f37e3ca3eb4fa2fe2a28254e289cd3f34dad4eb4df1a07685a4b8a94fa"
      "61e2491f7598b3ce65547ff133b3f63d1ac4175eaa695033f3cedb026a6873a36455172a8540b8a5d23a0143bed0390ee49b168269d75fffee9fb62be965993c");
  const Bytes g_ir_new = hex(
      "52f00ab174c25d5b7139ae5ff4e8e9eddee5992d2e36adf8a559ffd90dab1442e4fbe429d320c0f33552a17d1557fa41ea70e8fb916c4fa27ed52b5f8ebd8461"
      "afa78f1159159a64055ac5f6319e29c28eae58cbc6847770f32c3fed1d04750484f854790f95e9ec01bc5bc461f24966462e359511329305038e94deb6dd42c2");
  const Prf prf = Prf::create(PrfId::HmacSha1).value();

  const Secret skeyseed = prf(concat({ni, nr}), {g_ir});
  BOOST_TEST(to_hex(skeyseed.view()) == "cd2e8050137832245f1dbacc6e4f0a92f94d45d6");

  const Secret keys = prf.plus(skeyseed.view(), concat({ni, nr, spi_i, spi_r}), 132);
  BOOST_TEST(to_hex(keys.view()) ==
             "6f1b12cad3cbe097b35430356d869d54cddb0198ec859174d53ceb92dddedbe2436db69f60977c58fa63bbb667f8d36920b109baae8f6c61a9ac49fe"
             "da01843225d080ec5539d5881a25521ffb2a0a91874a9c0a27fcc2d717eb8963a9e3a89c7ab264757284c28cf8c3ca40576f4220b052b1fb8e9ad60b"
             "a3c80557323331a8cbb89f20");

  const Secret sk_d = keys.slice(0, 20);
  const Secret child = prf.plus(sk_d.view(), concat({ni, nr}), 132);
  BOOST_TEST(to_hex(child.view()) ==
             "4727dc0ef94eb326ce131cf282fb652faa638ad0ddae3786a11bcc0309876009f8c485de011ad962c5b1ca8a41ff8145445749079c5686e26ffebbc3"
             "42f06981f3da745e11ca0976424d1f8caec623d59dc7186deb20a27b411d1dcb70a365440bf7de905088b0692e8addc094e18d1939bdb67e89798ca6"
             "b239e2ccb81c2409dac0106c");

  const Secret child_with_dh = prf.plus(sk_d.view(), concat({g_ir_new, ni, nr}), 132);
  BOOST_TEST(to_hex(child_with_dh.view()) ==
             "b109c21ad4c0797768c1cec9e63554681e48f224bca7f23c20c4ea7041983451e9aa1d5408656c8a975ff1b9d9a12c75ffeb64bdecb30174664cccb4"
             "e14f1c377b7f6d1525af77c7092aac3e47f917ebae8297fb5539d2008ce830823a09cc197361d4a289c72745f6ce9fefe812be5bf55b3200fbb82e41"
             "a4a40877d3fe106db909707b");

  BOOST_TEST(to_hex(prf(sk_d.view(), {g_ir_new, ni, nr}).view()) == "3b03bce748c96d5e8306918d2ff89b68f0648da3");
}

BOOST_AUTO_TEST_CASE(prf_plus_chains_each_block_to_the_one_before) {
  for (const PrfId id :
       {PrfId::HmacMd5, PrfId::HmacSha1, PrfId::AesXcbc, PrfId::HmacSha256, PrfId::HmacSha384, PrfId::HmacSha512, PrfId::AesCmac}) {
    const Prf prf = Prf::create(id).value();
    const Bytes key = hex("0102030405060708");
    const Bytes seed = hex("a0a1a2a3");
    Bytes expected;
    Bytes previous;
    for (std::uint8_t counter = 1; counter < 5; ++counter) {
      previous = to_bytes(prf(key, {previous, seed, ByteView(&counter, 1)}).view());
      expected.insert(expected.end(), previous.begin(), previous.end());
    }
    for (std::size_t size = 0; size <= expected.size(); ++size) {
      BOOST_TEST(to_hex(prf.plus(key, seed, size).view()) == to_hex(ByteView(expected).first(size)));
    }
  }
}

// tests/vectors/make_crypto.py: Python's hmac, and the AES of python3-cryptography
BOOST_AUTO_TEST_CASE(prf_plus_agrees_with_another_implementation) {
  const auto vectors = crypto_vectors().at("prf_plus");
  BOOST_TEST(vectors.size() == 7U);
  for (const auto& vector : vectors) {
    const auto text = [&vector](const char* key) { return vector.at(key).get<std::string>(); };
    const Prf prf = Prf::create(static_cast<PrfId>(vector.at("prf").get<std::uint16_t>())).value();
    BOOST_TEST(to_hex(prf.plus(hex(text("key")), hex(text("seed")), text("output").size() / 2).view()) == text("output"));
  }
}

BOOST_AUTO_TEST_CASE(prf_plus_ends_at_255_blocks) {
  const Prf prf = Prf::create(PrfId::HmacSha256).value();
  const Bytes key = hex("00");
  const Secret longest = prf.plus(key, key, 255 * 32);
  const std::uint8_t last = 255;
  BOOST_TEST(to_hex(longest.view().last(32)) == to_hex(prf(key, {longest.view().subspan(253 * 32, 32), key, ByteView(&last, 1)}).view()));
  BOOST_CHECK_THROW(prf.plus(key, key, 255 * 32 + 1), std::length_error);
}

BOOST_AUTO_TEST_CASE(prf_that_is_not_ours_is_refused) {
  for (const unsigned id : {0U, 3U, 9U, 1025U, 65535U}) {
    const auto prf = Prf::create(static_cast<PrfId>(id));
    BOOST_TEST_REQUIRE(!prf);
    BOOST_CHECK(prf.error().fault == Fault::Configuration);
  }
}

BOOST_AUTO_TEST_CASE(threads_share_a_prf) {
  const Prf prf = Prf::create(PrfId::HmacSha256).value();
  std::vector<std::string> results(4);
  std::vector<std::thread> threads;
  for (std::string& result : results) {
    threads.emplace_back([&prf, &result] {
      for (int i = 0; i < 200; ++i) result = to_hex(prf.plus(as_bytes("key"), as_bytes("seed"), 100).view());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& result : results) BOOST_TEST(result == to_hex(prf.plus(as_bytes("key"), as_bytes("seed"), 100).view()));
}

BOOST_AUTO_TEST_CASE(sha1_is_that_of_fips_180) {
  BOOST_TEST(to_hex(sha1({as_bytes("abc")})) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  BOOST_TEST(to_hex(sha1({as_bytes("a"), {}, as_bytes("bc")})) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  BOOST_TEST(to_hex(sha1({})) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}
