// SPDX-License-Identifier: Apache-2.0
// MODP and ECP are computed with OpenSSL's BIGNUM and EC_POINT functions instead of EVP_PKEY: EVP makes a key pair only from its
// own generator, and a simulation must be able to draw the private key from its seed. The arithmetic is the same that EVP
// ends in, constant-time for private keys. Curve25519 and Curve448 have raw private keys in EVP.
#include "crypto/key_exchange.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>

#include <array>
#include <new>
#include <stdexcept>
#include <string>

namespace svti::crypto {
namespace {

using wire::KeGroup;

struct FreeOpenSsl {
  void operator()(BIGNUM* number) const { BN_clear_free(number); }
  void operator()(BN_CTX* context) const { BN_CTX_free(context); }
  void operator()(BN_MONT_CTX* context) const { BN_MONT_CTX_free(context); }
  void operator()(EC_GROUP* group) const { EC_GROUP_free(group); }
  void operator()(EC_POINT* point) const { EC_POINT_clear_free(point); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};
template <typename T>
using Owned = std::unique_ptr<T, FreeOpenSsl>;
using Number = Owned<BIGNUM>;

void require(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL's key exchange failed");
}

template <typename T>
Owned<T> owned(T* made) {
  if (made == nullptr) throw std::bad_alloc();
  return Owned<T>(made);
}

// a refusal of the peer's value, without what OpenSSL has to say left behind in this thread
tl::unexpected<Error> refuse(std::string why) {
  ERR_clear_error();
  return peer_error(std::move(why));
}

Number number() { return owned(BN_new()); }
Number number(ByteView big_endian) { return owned(BN_bin2bn(big_endian.data(), static_cast<int>(big_endian.size()), nullptr)); }

void write_padded(const BIGNUM* number, std::span<std::uint8_t> out) {
  require(BN_bn2binpad(number, out.data(), static_cast<int>(out.size())) == static_cast<int>(out.size()));
}

tl::unexpected<Error> wrong_size(std::size_t got, std::size_t wanted) {
  return peer_error("KE value of " + std::to_string(got) + " octets, this group has " + std::to_string(wanted));
}

// ---- MODP, RFC 2409, RFC 3526, RFC 5114 ----

struct ModpGroup {
  Number prime;
  Number prime_minus_1;
  Number generator;
  Number order;  // of the generator's subgroup, where the prime is no safe one; else null
  Owned<BN_MONT_CTX> montgomery;
  std::size_t size;   // octets of the prime
  int exponent_bits;  // of a private key
};

ModpGroup make_modp(Number prime, Number generator, Number order, int exponent_bits) {
  ModpGroup out{std::move(prime), number(), std::move(generator), std::move(order), owned(BN_MONT_CTX_new()), 0, exponent_bits};
  out.size = static_cast<std::size_t>(BN_num_bytes(out.prime.get()));
  const auto context = owned(BN_CTX_new());
  require(BN_sub(out.prime_minus_1.get(), out.prime.get(), BN_value_one()) == 1);
  require(BN_MONT_CTX_set(out.montgomery.get(), out.prime.get(), context.get()) == 1);
  return out;
}

// Exponents of twice the strength that OpenSSL (and SP 800-56A, by RFC 7919 5.2) gives the group: 112, 137, 162, 187 and 200
// bits; what is smaller than 2048 bits has no less. RFC 3526 8 estimates less for each.
ModpGroup make_modp(BIGNUM* (*prime)(BIGNUM*), int exponent_bits) {
  Number two = number();
  require(BN_set_word(two.get(), 2) == 1);
  return make_modp(owned(prime(nullptr)), std::move(two), nullptr, exponent_bits);
}

// by OpenSSL's name of a group of RFC 5114
ModpGroup make_modp(const char* name) {
  const auto context = owned(EVP_PKEY_CTX_new_from_name(nullptr, "DHX", nullptr));
  std::string group = name;  // OpenSSL's parameters are not const
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0), OSSL_PARAM_construct_end()};
  EVP_PKEY* made = nullptr;
  require(EVP_PKEY_paramgen_init(context.get()) == 1 && EVP_PKEY_CTX_set_params(context.get(), params) == 1 &&
          EVP_PKEY_paramgen(context.get(), &made) == 1);
  const auto key = owned(made);
  const auto parameter = [&](const char* which) {
    BIGNUM* value = nullptr;
    require(EVP_PKEY_get_bn_param(key.get(), which, &value) == 1);
    return owned(value);
  };
  Number order = parameter(OSSL_PKEY_PARAM_FFC_Q);
  const int bits = BN_num_bits(order.get());
  return make_modp(parameter(OSSL_PKEY_PARAM_FFC_P), parameter(OSSL_PKEY_PARAM_FFC_G), std::move(order), bits);
}

// made on first use and only read afterwards; null for what is no MODP group
const ModpGroup* modp_group(KeGroup group) {
  switch (group) {
    case KeGroup::Modp768: {
      static const ModpGroup kGroup = make_modp(BN_get_rfc2409_prime_768, 225);
      return &kGroup;
    }
    case KeGroup::Modp1024: {
      static const ModpGroup kGroup = make_modp(BN_get_rfc2409_prime_1024, 225);
      return &kGroup;
    }
    case KeGroup::Modp1536: {
      static const ModpGroup kGroup = make_modp(BN_get_rfc3526_prime_1536, 225);
      return &kGroup;
    }
    case KeGroup::Modp2048: {
      static const ModpGroup kGroup = make_modp(BN_get_rfc3526_prime_2048, 225);
      return &kGroup;
    }
    case KeGroup::Modp3072: {
      static const ModpGroup kGroup = make_modp(BN_get_rfc3526_prime_3072, 275);
      return &kGroup;
    }
    case KeGroup::Modp4096: {
      static const ModpGroup kGroup = make_modp(BN_get_rfc3526_prime_4096, 325);
      return &kGroup;
    }
    case KeGroup::Modp6144: {
      static const ModpGroup kGroup = make_modp(BN_get_rfc3526_prime_6144, 375);
      return &kGroup;
    }
    case KeGroup::Modp8192: {
      static const ModpGroup kGroup = make_modp(BN_get_rfc3526_prime_8192, 400);
      return &kGroup;
    }
    case KeGroup::Modp1024s160: {
      static const ModpGroup kGroup = make_modp("dh_1024_160");
      return &kGroup;
    }
    case KeGroup::Modp2048s224: {
      static const ModpGroup kGroup = make_modp("dh_2048_224");
      return &kGroup;
    }
    case KeGroup::Modp2048s256: {
      static const ModpGroup kGroup = make_modp("dh_2048_256");
      return &kGroup;
    }
    default:
      return nullptr;
  }
}

// uniform among the numbers of at most `bits` bits that are not 0
Number draw(int bits, Entropy& entropy) {
  Secret octets(static_cast<std::size_t>(bits + 7) / 8);
  for (;;) {
    entropy.fill(octets.mutable_view());
    octets.mutable_view()[0] &= static_cast<std::uint8_t>(0xff >> (8 * octets.size() - static_cast<std::size_t>(bits)));
    Number out = number(octets.view());
    BN_set_flags(out.get(), BN_FLG_CONSTTIME);
    if (!BN_is_zero(out.get())) return out;
  }
}

class Modp final : public KeyExchange {
 public:
  Modp(KeGroup id, const ModpGroup& group, Entropy& entropy)
      : id_(id), group_(group), private_(draw(group.exponent_bits, entropy)), public_(group.size) {
    power(group_.generator.get(), public_);
  }

  KeGroup group() const override { return id_; }
  ByteView public_value() const override { return public_; }

  Result<Secret> shared_secret(ByteView peer_public_value) override {
    if (peer_public_value.size() != group_.size) return wrong_size(peer_public_value.size(), group_.size);
    // RFC 6989 2.1: for a safe prime 1 < y < p - 1 is all there is to check. A peer's value that is no square (subgroup of
    // order 2q) betrays one bit of a private key that is used once. OpenSSL's own check raises y to q: with it the exchange would cost
    // 4.4 times as much with modp2048, 9 times with modp8192 (tests/bench/bench_key_exchange.cpp).
    const Number theirs = number(peer_public_value);
    if (BN_cmp(theirs.get(), BN_value_one()) <= 0 || BN_cmp(theirs.get(), group_.prime_minus_1.get()) >= 0) {
      return peer_error("KE value outside the group");
    }
    // RFC 6989 2.2: elsewhere there are small subgroups, in which a peer's value would betray the private key
    if (group_.order && !in_subgroup(theirs.get())) return peer_error("KE value outside the subgroup");
    Secret out(group_.size);
    power(theirs.get(), out.mutable_view());
    return out;
  }

 private:
  // base ^ private mod p, padded to the size of p (RFC 7296 2.14)
  void power(const BIGNUM* base, std::span<std::uint8_t> out) const {
    const auto context = owned(BN_CTX_new());
    const Number result = number();
    require(BN_mod_exp_mont_consttime(result.get(), base, private_.get(), group_.prime.get(), context.get(), group_.montgomery.get()) == 1);
    write_padded(result.get(), out);
  }

  bool in_subgroup(const BIGNUM* value) const {
    const auto context = owned(BN_CTX_new());
    const Number result = number();
    require(BN_mod_exp_mont(result.get(), value, group_.order.get(), group_.prime.get(), context.get(), group_.montgomery.get()) == 1);
    return BN_is_one(result.get());
  }

  KeGroup id_;
  const ModpGroup& group_;
  Number private_;
  Bytes public_;
};

// ---- ECP, RFC 5903, RFC 5114, RFC 6954 ----

struct EcpGroup {
  Owned<EC_GROUP> curve;
  const BIGNUM* order;     // borrowed from the curve
  std::size_t coordinate;  // octets
};

EcpGroup make_ecp(int nid) {
  EcpGroup out{owned(EC_GROUP_new_by_curve_name(nid)), nullptr, 0};
  out.order = EC_GROUP_get0_order(out.curve.get());
  out.coordinate = static_cast<std::size_t>(EC_GROUP_get_degree(out.curve.get()) + 7) / 8;
  return out;
}

const EcpGroup* ecp_group(KeGroup group) {
  switch (group) {
    case KeGroup::Ecp224: {
      static const EcpGroup kGroup = make_ecp(NID_secp224r1);
      return &kGroup;
    }
    case KeGroup::Brainpool224: {
      static const EcpGroup kGroup = make_ecp(NID_brainpoolP224r1);
      return &kGroup;
    }
    case KeGroup::Brainpool256: {
      static const EcpGroup kGroup = make_ecp(NID_brainpoolP256r1);
      return &kGroup;
    }
    case KeGroup::Brainpool384: {
      static const EcpGroup kGroup = make_ecp(NID_brainpoolP384r1);
      return &kGroup;
    }
    case KeGroup::Brainpool512: {
      static const EcpGroup kGroup = make_ecp(NID_brainpoolP512r1);
      return &kGroup;
    }
    case KeGroup::Ecp256: {
      static const EcpGroup kGroup = make_ecp(NID_X9_62_prime256v1);
      return &kGroup;
    }
    case KeGroup::Ecp384: {
      static const EcpGroup kGroup = make_ecp(NID_secp384r1);
      return &kGroup;
    }
    case KeGroup::Ecp521: {
      static const EcpGroup kGroup = make_ecp(NID_secp521r1);
      return &kGroup;
    }
    default:
      return nullptr;
  }
}

class Ecp final : public KeyExchange {
 public:
  Ecp(KeGroup id, const EcpGroup& group, Entropy& entropy)
      : id_(id), group_(group), private_(draw_scalar(group, entropy)), public_(2 * group.coordinate) {
    const auto context = owned(BN_CTX_new());
    const auto point = owned(EC_POINT_new(curve()));
    require(EC_POINT_mul(curve(), point.get(), private_.get(), nullptr, nullptr, context.get()) == 1);
    const Number x = number();
    const Number y = number();
    require(EC_POINT_get_affine_coordinates(curve(), point.get(), x.get(), y.get(), context.get()) == 1);
    write_padded(x.get(), std::span(public_).first(group_.coordinate));
    write_padded(y.get(), std::span(public_).last(group_.coordinate));
  }

  KeGroup group() const override { return id_; }
  ByteView public_value() const override { return public_; }

  Result<Secret> shared_secret(ByteView peer_public_value) override {
    if (peer_public_value.size() != public_.size()) return wrong_size(peer_public_value.size(), public_.size());
    const auto context = owned(BN_CTX_new());
    const Number x = number(peer_public_value.first(group_.coordinate));
    const Number y = number(peer_public_value.last(group_.coordinate));
    // RFC 6989 2.3: coordinates within the field and a point of the curve. These curves have no small subgroups.
    if (BN_cmp(x.get(), EC_GROUP_get0_field(curve())) >= 0 || BN_cmp(y.get(), EC_GROUP_get0_field(curve())) >= 0) {
      return peer_error("KE value outside the field");
    }
    const auto point = owned(EC_POINT_new(curve()));
    if (EC_POINT_set_affine_coordinates(curve(), point.get(), x.get(), y.get(), context.get()) != 1) {
      return refuse("KE value is no point of the curve");
    }
    const auto product = owned(EC_POINT_new(curve()));
    require(EC_POINT_mul(curve(), product.get(), nullptr, point.get(), private_.get(), context.get()) == 1);
    const Number shared = number();
    require(EC_POINT_get_affine_coordinates(curve(), product.get(), shared.get(), nullptr, context.get()) == 1);
    Secret out(group_.coordinate);
    write_padded(shared.get(), out.mutable_view());
    return out;
  }

 private:
  const EC_GROUP* curve() const { return group_.curve.get(); }

  // uniform in [1, order - 1]: what falls outside is drawn again
  static Number draw_scalar(const EcpGroup& group, Entropy& entropy) {
    for (;;) {
      Number out = draw(BN_num_bits(group.order), entropy);
      if (BN_cmp(out.get(), group.order) < 0) return out;
    }
  }

  KeGroup id_;
  const EcpGroup& group_;
  Number private_;
  Bytes public_;
};

// ---- Curve25519 and Curve448, RFC 8031 ----

struct MontgomeryCurve {
  const char* name;  // OpenSSL's
  std::size_t size;  // octets of all: private, public and shared
};

const MontgomeryCurve* montgomery_curve(KeGroup group) {
  static constexpr MontgomeryCurve kX25519{"X25519", 32};
  static constexpr MontgomeryCurve kX448{"X448", 56};
  switch (group) {
    case KeGroup::Curve25519:
      return &kX25519;
    case KeGroup::Curve448:
      return &kX448;
    default:
      return nullptr;
  }
}

class Montgomery final : public KeyExchange {
 public:
  Montgomery(KeGroup id, const MontgomeryCurve& curve, Entropy& entropy) : id_(id), curve_(curve), public_(curve.size) {
    Secret octets(curve.size);  // RFC 7748 5: any octets are a private key, OpenSSL sets the fixed bits
    entropy.fill(octets.mutable_view());
    private_ = owned(EVP_PKEY_new_raw_private_key_ex(nullptr, curve.name, nullptr, octets.view().data(), octets.size()));
    std::size_t size = public_.size();
    require(EVP_PKEY_get_raw_public_key(private_.get(), public_.data(), &size) == 1 && size == public_.size());
  }

  KeGroup group() const override { return id_; }
  ByteView public_value() const override { return public_; }

  Result<Secret> shared_secret(ByteView peer_public_value) override {
    if (peer_public_value.size() != curve_.size) return wrong_size(peer_public_value.size(), curve_.size);
    const auto theirs =
        owned(EVP_PKEY_new_raw_public_key_ex(nullptr, curve_.name, nullptr, peer_public_value.data(), peer_public_value.size()));
    const auto context = owned(EVP_PKEY_CTX_new_from_pkey(nullptr, private_.get(), nullptr));
    require(EVP_PKEY_derive_init(context.get()) == 1);
    require(EVP_PKEY_derive_set_peer_ex(context.get(), theirs.get(), 0) == 1);  // any octets are a public key: RFC 8031 3.1
    Secret out(curve_.size);
    std::size_t size = out.size();
    // OpenSSL fails when the result is all zero; checked here again since RFC 8031 5 and not OpenSSL's manual demands it
    const bool derived = EVP_PKEY_derive(context.get(), out.mutable_view().data(), &size) == 1 && size == out.size();
    const Secret zero(curve_.size);
    if (!derived || constant_time_equal(out.view(), zero.view())) return refuse("KE value of small order");
    return out;
  }

 private:
  KeGroup id_;
  const MontgomeryCurve& curve_;
  Owned<EVP_PKEY> private_;
  Bytes public_;
};

// ---- ML-KEM, FIPS 203: OpenSSL 3.5 and later ----

struct KemGroup {
  const char* name;               // OpenSSL's
  std::size_t encapsulation_key;  // octets: the initiator's value
  std::size_t ciphertext;         // the responder's
};
constexpr std::size_t kKemSeed = 64;    // d and z of FIPS 203 7.1
constexpr std::size_t kKemRandom = 32;  // m of 7.2
constexpr std::size_t kKemSecret = 32;

bool provided(const KemGroup& group) {
  EVP_KEM* kem = EVP_KEM_fetch(nullptr, group.name, nullptr);
  ERR_clear_error();
  EVP_KEM_free(kem);
  return kem != nullptr;
}

// null for what is no KEM, or not in this OpenSSL
const KemGroup* kem_group(KeGroup group) {
  static constexpr KemGroup kGroups[] = {{"ML-KEM-512", 800, 768}, {"ML-KEM-768", 1184, 1088}, {"ML-KEM-1024", 1568, 1568}};
  static const std::array<bool, 3> kProvided = {provided(kGroups[0]), provided(kGroups[1]), provided(kGroups[2])};
  if (group < KeGroup::MlKem512 || group > KeGroup::MlKem1024) return nullptr;
  const auto index = static_cast<std::size_t>(group) - static_cast<std::size_t>(KeGroup::MlKem512);
  return kProvided.at(index) ? &kGroups[index] : nullptr;
}

class Kem final : public KeyExchange {
 public:
  Kem(KeGroup id, const KemGroup& group, Entropy& entropy) : id_(id), group_(group), public_(group.encapsulation_key) {
    Secret seed(kKemSeed);
    entropy.fill(seed.mutable_view());
    const auto context = owned(EVP_PKEY_CTX_new_from_name(nullptr, group.name, nullptr));
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string("seed", seed.mutable_view().data(), seed.size()),
                                 OSSL_PARAM_construct_end()};
    EVP_PKEY* key = nullptr;
    require(EVP_PKEY_keygen_init(context.get()) == 1 && EVP_PKEY_CTX_set_params(context.get(), params) == 1 &&
            EVP_PKEY_generate(context.get(), &key) == 1);
    private_ = owned(key);
    std::size_t size = public_.size();
    require(EVP_PKEY_get_raw_public_key(private_.get(), public_.data(), &size) == 1 && size == public_.size());
  }

  KeGroup group() const override { return id_; }
  ByteView public_value() const override { return public_; }

  // FIPS 203 7.3: any ciphertext of the right size gives a secret, one that is not the sender's when it was tampered with
  Result<Secret> shared_secret(ByteView ciphertext) override {
    if (ciphertext.size() != group_.ciphertext) return wrong_size(ciphertext.size(), group_.ciphertext);
    const auto context = owned(EVP_PKEY_CTX_new_from_pkey(nullptr, private_.get(), nullptr));
    Secret out(kKemSecret);
    std::size_t size = out.size();
    require(EVP_PKEY_decapsulate_init(context.get(), nullptr) == 1);
    const bool done = EVP_PKEY_decapsulate(context.get(), out.mutable_view().data(), &size, ciphertext.data(), ciphertext.size()) == 1;
    if (!done || size != out.size()) return refuse("KE value cannot be decapsulated");
    return out;
  }

  static Result<Response> respond(const KemGroup& group, ByteView encapsulation_key, Entropy& entropy) {
    if (encapsulation_key.size() != group.encapsulation_key) return wrong_size(encapsulation_key.size(), group.encapsulation_key);
    // FIPS 203 7.2: OpenSSL refuses a key with coefficients that are not reduced
    const Owned<EVP_PKEY> theirs(
        EVP_PKEY_new_raw_public_key_ex(nullptr, group.name, nullptr, encapsulation_key.data(), encapsulation_key.size()));
    if (!theirs) return refuse("KE value is no encapsulation key");
    const auto context = owned(EVP_PKEY_CTX_new_from_pkey(nullptr, theirs.get(), nullptr));
    Secret random(kKemRandom);
    entropy.fill(random.mutable_view());
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string("ikme", random.mutable_view().data(), random.size()),
                                 OSSL_PARAM_construct_end()};
    Response out{Bytes(group.ciphertext), Secret(kKemSecret)};
    std::size_t size = out.public_value.size(), secret_size = out.shared_secret.size();
    require(EVP_PKEY_encapsulate_init(context.get(), params) == 1);
    require(EVP_PKEY_encapsulate(context.get(), out.public_value.data(), &size, out.shared_secret.mutable_view().data(), &secret_size) ==
            1);
    require(size == out.public_value.size() && secret_size == out.shared_secret.size());
    return out;
  }

 private:
  KeGroup id_;
  const KemGroup& group_;
  Owned<EVP_PKEY> private_;
  Bytes public_;
};

}  // namespace

Result<KeyExchange::Response> KeyExchange::respond(KeGroup group, ByteView peer_public_value, Entropy& entropy) {
  if (const auto* kem = kem_group(group)) return Kem::respond(*kem, peer_public_value, entropy);
  auto own = create(group, entropy);
  if (!own) return fail(own.error());
  auto secret = (*own)->shared_secret(peer_public_value);
  if (!secret) return fail(secret.error());
  return Response{to_bytes((*own)->public_value()), std::move(*secret)};
}

std::string provider_version() { return OpenSSL_version(OPENSSL_VERSION); }

Result<std::unique_ptr<KeyExchange>> KeyExchange::create(KeGroup group, Entropy& entropy) {
  if (const auto* modp = modp_group(group)) return std::make_unique<Modp>(group, *modp, entropy);
  if (const auto* ecp = ecp_group(group)) return std::make_unique<Ecp>(group, *ecp, entropy);
  if (const auto* curve = montgomery_curve(group)) return std::make_unique<Montgomery>(group, *curve, entropy);
  if (const auto* kem = kem_group(group)) return std::make_unique<Kem>(group, *kem, entropy);
  return config_error("key exchange group " + std::to_string(static_cast<unsigned>(group)) + " is not supported");
}

bool supported(KeGroup group) { return public_value_size(group) != 0; }

std::size_t public_value_size(KeGroup group) {
  if (const auto* modp = modp_group(group)) return modp->size;
  if (const auto* ecp = ecp_group(group)) return 2 * ecp->coordinate;
  if (const auto* curve = montgomery_curve(group)) return curve->size;
  if (const auto* kem = kem_group(group)) return kem->encapsulation_key;
  return 0;
}

}  // namespace svti::crypto
