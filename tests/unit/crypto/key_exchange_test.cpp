// SPDX-License-Identifier: Apache-2.0
#include "crypto/key_exchange.h"

#include <boost/test/unit_test.hpp>

#include "crypto/system_entropy.h"
#include "fixed_entropy.h"
#include "vectors.h"

using namespace svti;
using namespace svti::crypto;
using wire::KeGroup;

namespace {

// generator 2, and a safe prime
constexpr KeGroup kModp[] = {KeGroup::Modp768,  KeGroup::Modp1024, KeGroup::Modp1536, KeGroup::Modp2048,
                             KeGroup::Modp3072, KeGroup::Modp4096, KeGroup::Modp6144, KeGroup::Modp8192};
constexpr KeGroup kSubgroup[] = {KeGroup::Modp1024s160, KeGroup::Modp2048s224, KeGroup::Modp2048s256};
constexpr KeGroup kEcp[] = {KeGroup::Ecp224,       KeGroup::Ecp256,       KeGroup::Ecp384,       KeGroup::Ecp521,
                            KeGroup::Brainpool224, KeGroup::Brainpool256, KeGroup::Brainpool384, KeGroup::Brainpool512};
constexpr KeGroup kMontgomery[] = {KeGroup::Curve25519, KeGroup::Curve448};

std::vector<KeGroup> all_groups() {
  std::vector<KeGroup> out(std::begin(kModp), std::end(kModp));
  out.insert(out.end(), std::begin(kEcp), std::end(kEcp));
  out.insert(out.end(), std::begin(kSubgroup), std::end(kSubgroup));
  out.insert(out.end(), std::begin(kMontgomery), std::end(kMontgomery));
  return out;
}

std::unique_ptr<KeyExchange> with_private(KeGroup group, std::string_view private_key) {
  FixedEntropy entropy(hex(private_key));
  auto out = KeyExchange::create(group, entropy).value();
  BOOST_TEST(entropy.left() == 0U);
  return out;
}

std::string shared(KeyExchange& ours, ByteView theirs) {
  const auto secret = ours.shared_secret(theirs);
  return secret ? to_hex(secret->view()) : "refused: " + secret.error().message;
}

void check_refused(KeyExchange& ours, ByteView theirs) {
  const auto secret = ours.shared_secret(theirs);
  BOOST_TEST_CONTEXT("group " << static_cast<unsigned>(ours.group()) << ", value of " << theirs.size() << " octets") {
    BOOST_TEST_REQUIRE(!secret);
    BOOST_CHECK(secret.error().fault == Fault::Peer);
  }
}

struct Vector {
  KeGroup group;
  const char* private_i;
  const char* public_i;
  const char* private_r;
  const char* public_r;
  const char* shared;
};

const Vector kVectors[] = {
    // RFC 5903 8.1 to 8.3
    {KeGroup::Ecp256, "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
     "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811805271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
     "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
     "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf6356fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
     "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"},
    {KeGroup::Ecp384, "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
     "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa"
     "9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
     "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b8ed2960e4bd55a7448fc",
     "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571"
     "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
     "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746"},
    {KeGroup::Ecp521,
     "0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a095aa85a30fe1c2952c6771d937ba9777f5957b2639bab072462f68c27a57382d4a52",
     "0015417e84dbf28c0ad3c278713349dc7df153c897a1891bd98bab4357c9ecbee1e3bf42e00b8e380aeae57c2d107564941885942af5a7f4601723c4195d176ced3e"
     "017cae20b6641d2eeb695786d8c946146239d099e18e1d5a514c739d7cb4a10ad8a788015ac405d7799dc75e7b7d5b6cf2261a6a7f1507438bf01beb6ca3926f9582",
     "0145ba99a847af43793fdd0e872e7cdfa16be30fdc780f97bccc3f078380201e9c677d600b343757a3bdbf2a3163e4c2f869cca7458aa4a4effc311f5cb151685eb9",
     "00d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97c356436adc6e95bb0352f6be64a6c2912d4ef2d0433ced2b6171640012d9460f"
     "015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d9852077b87220b6536c5c408a1d2aebb8e86d678ae49cb57091f4732296579ab44fcd17f0fc56a",
     "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d1427e73ca4baa240a34786859810c06b3c715a3a8cc3151f2bee417996d19f3dde"
     "a"},
    // RFC 7748 6.1 and 6.2
    {KeGroup::Curve25519, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
     "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
     "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
     "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
    {KeGroup::Curve448, "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b",
     "9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c22c5d9bbc836647241d953d40c5b12da88120d53177f80e532c41fa0",
     "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d",
     "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609",
     "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a449a5037514a879d"},
};

std::uint8_t exponent_octets(KeGroup group) {
  switch (group) {
    case KeGroup::Modp768:
    case KeGroup::Modp1024:
    case KeGroup::Modp1536:
    case KeGroup::Modp2048:
      return 29;
    case KeGroup::Modp3072:
      return 35;
    case KeGroup::Modp4096:
      return 41;
    case KeGroup::Modp6144:
      return 47;
    default:
      return 50;
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(published_vectors_of_rfc_5903_and_rfc_7748) {
  for (const Vector& vector : kVectors) {
    const auto initiator = with_private(vector.group, vector.private_i);
    const auto responder = with_private(vector.group, vector.private_r);
    BOOST_TEST(to_hex(initiator->public_value()) == vector.public_i);
    BOOST_TEST(to_hex(responder->public_value()) == vector.public_r);
    BOOST_TEST(shared(*initiator, hex(vector.public_r)) == vector.shared);
    BOOST_TEST(shared(*responder, hex(vector.public_i)) == vector.shared);
  }
}

// tests/vectors/make_crypto.py: primes by the formulas of RFC 2409 and RFC 3526, powers by Python's integers
BOOST_AUTO_TEST_CASE(modp_groups_agree_with_another_arithmetic) {
  const auto vectors = crypto_vectors().at("modp");
  BOOST_TEST(vectors.size() == std::size(kModp));
  for (const auto& vector : vectors) {
    const auto group = static_cast<KeGroup>(vector.at("group").get<std::uint16_t>());
    const auto ours = with_private(group, vector.at("private").get<std::string>());
    BOOST_TEST(to_hex(ours->public_value()) == vector.at("public").get<std::string>());
    BOOST_TEST(shared(*ours, hex(vector.at("peer").get<std::string>())) == vector.at("shared").get<std::string>());
  }
}

BOOST_AUTO_TEST_CASE(two_sides_agree_in_every_group) {
  SystemEntropy entropy;
  for (const KeGroup group : all_groups()) {
    const auto ours = KeyExchange::create(group, entropy).value();
    const auto theirs = KeyExchange::create(group, entropy).value();
    BOOST_CHECK(ours->group() == group);
    BOOST_TEST(ours->public_value().size() == public_value_size(group));
    BOOST_TEST(!equal(ours->public_value(), theirs->public_value()));
    BOOST_TEST(shared(*ours, theirs->public_value()) == shared(*theirs, ours->public_value()));
  }
}

BOOST_AUTO_TEST_CASE(sizes_are_those_of_the_rfcs) {
  const std::pair<KeGroup, std::size_t> sizes[] = {
      {KeGroup::Modp2048, 256},    {KeGroup::Modp3072, 384},     {KeGroup::Modp4096, 512},     {KeGroup::Modp6144, 768},
      {KeGroup::Modp8192, 1024},   {KeGroup::Ecp256, 64},        {KeGroup::Ecp384, 96},        {KeGroup::Ecp521, 132},
      {KeGroup::Curve25519, 32},   {KeGroup::Curve448, 56},      {KeGroup::Modp768, 96},       {KeGroup::Modp1024, 128},
      {KeGroup::Modp1536, 192},    {KeGroup::Modp1024s160, 128}, {KeGroup::Modp2048s224, 256}, {KeGroup::Modp2048s256, 256},
      {KeGroup::Ecp224, 56},       {KeGroup::Brainpool224, 56},  {KeGroup::Brainpool256, 64},  {KeGroup::Brainpool384, 96},
      {KeGroup::Brainpool512, 128}};
  for (const auto& [group, size] : sizes) BOOST_TEST(public_value_size(group) == size);
}

BOOST_AUTO_TEST_CASE(the_same_entropy_gives_the_same_key) {
  for (const KeGroup group : all_groups()) {
    CountingEntropy first;
    CountingEntropy second;
    BOOST_TEST(
        equal(KeyExchange::create(group, first).value()->public_value(), KeyExchange::create(group, second).value()->public_value()));
  }
}

// cve-lessons 6 (CVE-2014-9221): numbers that are private, unknown or an implementation's own
BOOST_AUTO_TEST_CASE(other_groups_are_refused) {
  CountingEntropy entropy;
  for (const unsigned number : {0U, 3U, 4U, 6U, 13U, 25U, 33U, 34U, 255U, 1024U, 1025U, 1040U, 32768U, 65535U}) {
    const auto group = static_cast<KeGroup>(number);
    BOOST_TEST(!supported(group));
    BOOST_TEST(public_value_size(group) == 0U);
    const auto made = KeyExchange::create(group, entropy);
    BOOST_TEST_REQUIRE(!made);
    BOOST_CHECK(made.error().fault == Fault::Configuration);
  }
}

// cve-lessons 8 (CVE-2023-41913)
BOOST_AUTO_TEST_CASE(values_of_another_length_are_refused_in_every_group) {
  SystemEntropy entropy;
  for (const KeGroup group : all_groups()) {
    const auto ours = KeyExchange::create(group, entropy).value();
    const auto theirs = KeyExchange::create(group, entropy).value();
    const std::size_t size = public_value_size(group);
    Bytes value = to_bytes(theirs->public_value());
    check_refused(*ours, {});
    check_refused(*ours, ByteView(value).first(size - 1));
    check_refused(*ours, ByteView(value).subspan(1));
    check_refused(*ours, concat({value, Bytes{0}}));
    check_refused(*ours, concat({Bytes{0}, value}));
    value.resize(65535);
    check_refused(*ours, value);
    value.resize(65536);
    check_refused(*ours, value);
  }
}

// RFC 6989 2.1; cve-lessons 32 (CVE-2015-3240 and others: g^x = 0)
BOOST_AUTO_TEST_CASE(modp_values_outside_2_to_p_minus_2_are_refused) {
  const auto vectors = crypto_vectors().at("modp");
  for (const auto& vector : vectors) {
    const auto group = static_cast<KeGroup>(vector.at("group").get<std::uint16_t>());
    const auto ours = with_private(group, vector.at("private").get<std::string>());
    const Bytes prime = hex(vector.at("prime").get<std::string>());  // ends in 64 one bits: the last octet may be changed by itself
    const std::size_t size = prime.size();
    const auto small = [size](std::uint8_t value) {
      Bytes out(size);
      out.back() = value;
      return out;
    };
    const auto near = [&prime](int difference) {
      Bytes out = prime;
      out.back() = static_cast<std::uint8_t>(out.back() + difference);
      return out;
    };
    Bytes prime_plus_1 = prime;  // carries through the eight octets of ones
    for (std::size_t i = size; i-- > 0;) {
      if (++prime_plus_1[i] != 0) break;
    }
    check_refused(*ours, small(0));
    check_refused(*ours, small(1));
    check_refused(*ours, near(-1));
    check_refused(*ours, prime);
    check_refused(*ours, prime_plus_1);
    check_refused(*ours, Bytes(size, 0xff));
    BOOST_TEST(shared(*ours, small(2)) == to_hex(ours->public_value()));  // the generator itself
    BOOST_TEST(ours->shared_secret(near(-2)).has_value());
  }
}

// RFC 6989 2.2: groups whose prime is no safe one
BOOST_AUTO_TEST_CASE(modp_values_outside_the_subgroup_are_refused) {
  CountingEntropy entropy;
  for (const KeGroup group : kSubgroup) {
    const auto ours = KeyExchange::create(group, entropy).value();
    const std::size_t size = public_value_size(group);
    for (const unsigned value : {0U, 1U, 2U, 3U, 5U}) {
      Bytes small(size);
      small.back() = static_cast<std::uint8_t>(value);
      check_refused(*ours, small);
    }
    Bytes random = entropy.bytes(size);
    random.front() = 0x3f;
    check_refused(*ours, random);
    const auto theirs = KeyExchange::create(group, entropy).value();
    BOOST_TEST(shared(*ours, theirs->public_value()) == shared(*theirs, ours->public_value()));
  }
}

BOOST_AUTO_TEST_CASE(shared_values_keep_their_leading_zeros) {
  // RFC 7296 2.14: as long as the modulus. Each secret starts with a zero octet in one case of 256.
  CountingEntropy entropy;
  const auto ours = KeyExchange::create(KeGroup::Modp2048, entropy).value();
  bool seen = false;
  for (int i = 0; i < 4000 && !seen; ++i) {
    Bytes value(256);
    entropy.fill(std::span(value).last(255));
    const auto secret = ours->shared_secret(value);
    BOOST_TEST_REQUIRE(secret.has_value());
    BOOST_TEST_REQUIRE(secret->size() == 256U);
    seen = secret->view()[0] == 0;
  }
  BOOST_TEST(seen);
}

// RFC 6989 2.3
BOOST_AUTO_TEST_CASE(points_off_the_curve_are_refused) {
  SystemEntropy entropy;
  for (const KeGroup group : kEcp) {
    const auto ours = KeyExchange::create(group, entropy).value();
    const auto theirs = KeyExchange::create(group, entropy).value();
    const std::size_t size = public_value_size(group);
    const Bytes good = to_bytes(theirs->public_value());
    check_refused(*ours, Bytes(size));        // what an encoding of infinity might look like
    check_refused(*ours, Bytes(size, 0xff));  // beyond the field
    for (std::size_t bit = 0; bit < 8 * size; bit += 37) {
      Bytes bad = good;
      bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ 1U << bit % 8);
      check_refused(*ours, bad);
    }
    Bytes swapped = concat({ByteView(good).last(size / 2), ByteView(good).first(size / 2)});
    check_refused(*ours, swapped);
  }
}

BOOST_AUTO_TEST_CASE(coordinates_are_not_reduced_modulo_the_field) {
  // x + p names the same point where it fits in the octets: P-521's do
  const auto ours = with_private(KeGroup::Ecp521, kVectors[2].private_i);
  Bytes value = hex(kVectors[2].public_r);
  unsigned carry = 0;
  for (std::size_t i = 66; i-- > 0;) {  // p = 2^521 - 1
    const unsigned sum = value[i] + (i == 0 ? 0x01U : 0xffU) + carry;
    value[i] = static_cast<std::uint8_t>(sum);
    carry = sum >> 8;
  }
  check_refused(*ours, value);
}

// uniform in [1, order - 1]: 0, the order and what is above it are drawn again
BOOST_AUTO_TEST_CASE(scalars_outside_the_range_are_drawn_again) {
  const std::string order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";  // SEC 2, 2.4.2
  const std::string zero(64, '0');
  const std::string ones(64, 'f');
  const auto made = with_private(KeGroup::Ecp256, zero + order + ones + kVectors[0].private_i);
  BOOST_TEST(to_hex(made->public_value()) == kVectors[0].public_i);
  // order - 1 is taken: the point is the generator mirrored, with its x
  const auto last = with_private(KeGroup::Ecp256, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550");
  BOOST_TEST(to_hex(last->public_value().first(32)) == "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296");
}

BOOST_AUTO_TEST_CASE(modp_exponent_zero_is_drawn_again) {
  for (const KeGroup group : kModp) {
    Bytes octets(exponent_octets(group));
    Bytes one = octets;
    one.back() = 1;
    FixedEntropy entropy(concat({octets, one}));
    const auto made = KeyExchange::create(group, entropy).value();
    BOOST_TEST(entropy.left() == 0U);
    BOOST_TEST(made->public_value().back() == 2U);  // g^1
  }
}

// RFC 8031 5, RFC 7748 6.1: points of small order give an all-zero secret
BOOST_AUTO_TEST_CASE(small_order_points_are_refused) {
  SystemEntropy entropy;
  const auto x25519 = KeyExchange::create(KeGroup::Curve25519, entropy).value();
  for (const char* value : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    check_refused(*x25519, hex(value));
  }
  const auto x448 = KeyExchange::create(KeGroup::Curve448, entropy).value();
  check_refused(*x448, Bytes(56));
  Bytes one(56);
  one[0] = 1;
  check_refused(*x448, one);
  // a refusal spoils nothing for the next
  const auto theirs = KeyExchange::create(KeGroup::Curve25519, entropy).value();
  BOOST_TEST(shared(*x25519, theirs->public_value()) == shared(*theirs, x25519->public_value()));
}

// what a responder does in one step; for groups the same as in two
BOOST_AUTO_TEST_CASE(a_responder_answers_in_every_group) {
  SystemEntropy entropy;
  std::vector<KeGroup> groups = all_groups();
  for (const KeGroup kem : {KeGroup::MlKem512, KeGroup::MlKem768, KeGroup::MlKem1024}) {
    if (supported(kem)) groups.push_back(kem);
  }
  for (const KeGroup group : groups) {
    const auto ours = KeyExchange::create(group, entropy).value();
    const auto answer = KeyExchange::respond(group, ours->public_value(), entropy);
    BOOST_TEST_REQUIRE(answer.has_value());
    BOOST_TEST(shared(*ours, answer->public_value) == to_hex(answer->shared_secret.view()));
    for (const Bytes& bad : {Bytes{}, Bytes(ours->public_value().size() - 1), Bytes(ours->public_value().size() + 1)}) {
      const auto refused = KeyExchange::respond(group, bad, entropy);
      BOOST_TEST_REQUIRE(!refused);
      BOOST_CHECK(refused.error().fault == Fault::Peer);
    }
  }
}

// OpenSSL has it from 3.5 on: before, a clear refusal and no crash
BOOST_AUTO_TEST_CASE(ml_kem_is_there_when_openssl_has_it) {
  SystemEntropy entropy;
  const std::tuple<KeGroup, std::size_t, std::size_t> sizes[] = {
      {KeGroup::MlKem512, 800, 768}, {KeGroup::MlKem768, 1184, 1088}, {KeGroup::MlKem1024, 1568, 1568}};
  for (const auto& [group, key, ciphertext] : sizes) {
    if (!supported(group)) {
      BOOST_TEST_MESSAGE(provider_version() << " has no ML-KEM");
      BOOST_TEST(public_value_size(group) == 0U);
      BOOST_CHECK(KeyExchange::create(group, entropy).error().fault == Fault::Configuration);
      BOOST_CHECK(KeyExchange::respond(group, Bytes(key), entropy).error().fault == Fault::Configuration);
      continue;
    }
    const auto ours = KeyExchange::create(group, entropy).value();
    BOOST_TEST(ours->public_value().size() == key);
    BOOST_TEST(KeyExchange::respond(group, ours->public_value(), entropy)->public_value.size() == ciphertext);
    BOOST_CHECK(KeyExchange::respond(group, Bytes(key, 0xff), entropy).error().fault == Fault::Peer);  // coefficients that are not reduced
    check_refused(*ours, Bytes(ciphertext - 1));
  }
}
