// SPDX-License-Identifier: Apache-2.0
#include "crypto/signature.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "crypto/owned.h"

namespace svti::crypto {
namespace {

using wire::AuthMethod;

using KeyPtr = Owned<EVP_PKEY, EVP_PKEY_free>;
using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using AlgorithmPtr = Owned<X509_ALGOR, X509_ALGOR_free>;
using PssParameters = Owned<RSA_PSS_PARAMS, RSA_PSS_PARAMS_free>;
using EcdsaPtr = Owned<ECDSA_SIG, ECDSA_SIG_free>;

struct Hash {
  SignatureHash id;
  int nid;
  const EVP_MD* (*digest)();
  std::string_view name;
};
constexpr std::array<Hash, 4> kHashes = {{
    {SignatureHash::Sha1, NID_sha1, EVP_sha1, "SHA-1"},
    {SignatureHash::Sha256, NID_sha256, EVP_sha256, "SHA-256"},
    {SignatureHash::Sha384, NID_sha384, EVP_sha384, "SHA-384"},
    {SignatureHash::Sha512, NID_sha512, EVP_sha512, "SHA-512"},
}};

const Hash* find_hash(int nid) {
  const auto* found = std::find_if(kHashes.begin(), kHashes.end(), [&](const Hash& hash) { return hash.nid == nid; });
  return found == kHashes.end() ? nullptr : found;
}
const Hash& hash_of(SignatureHash id) { return kHashes.at(static_cast<std::size_t>(id) - 1); }

// RFC 4754: method, curve, hash and octets of r and of s go together
struct Curve {
  KeyType type;
  std::string_view openssl_name;
  AuthMethod method;
  SignatureHash hash;
  int size;
  int ecdsa_nid;  // ecdsa-with-... of that hash
};
constexpr std::array<Curve, 3> kCurves = {{
    {KeyType::EcdsaP256, "prime256v1", AuthMethod::EcdsaP256, SignatureHash::Sha256, 32, NID_ecdsa_with_SHA256},
    {KeyType::EcdsaP384, "secp384r1", AuthMethod::EcdsaP384, SignatureHash::Sha384, 48, NID_ecdsa_with_SHA384},
    {KeyType::EcdsaP521, "secp521r1", AuthMethod::EcdsaP521, SignatureHash::Sha512, 66, NID_ecdsa_with_SHA512},
}};
const Curve* find_curve(KeyType type) {
  const auto* found = std::find_if(kCurves.begin(), kCurves.end(), [&](const Curve& curve) { return curve.type == type; });
  return found == kCurves.end() ? nullptr : found;
}

void require(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL's signing failed");
}
Result<KeyType> type_of(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      if (EVP_PKEY_get_bits(key) >= kLeastRsaBits) return KeyType::Rsa;
      return config_error("an RSA key of " + std::to_string(EVP_PKEY_get_bits(key)) + " bits is too weak, " +
                          std::to_string(kLeastRsaBits) + " are the least");
    case EVP_PKEY_ED25519:
      return KeyType::Ed25519;
    case EVP_PKEY_ED448:
      return KeyType::Ed448;
    case EVP_PKEY_EC: {
      std::array<char, 64> group{};
      std::size_t size = 0;
      const bool named = EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1;
      for (const Curve& curve : kCurves) {
        if (named && curve.openssl_name == std::string_view(group.data(), size)) return curve.type;
      }
      return config_error("an ECDSA key on another curve than P-256, P-384 and P-521 is not supported");
    }
    default:
      return config_error("a key of a kind that is not supported: expected RSA, ECDSA, Ed25519 or Ed448");
  }
}

// ---- AlgorithmIdentifiers of RFC 7427 appendix A

struct Algorithm {
  enum class Kind { RsaPkcs1, RsaPss, Ecdsa, Ed25519, Ed448 } kind{};
  const Hash* hash = nullptr;  // none with EdDSA
  int salt = 0;                // octets, of PSS
};

std::string name_of(const Algorithm& algorithm) {
  const std::string hash = algorithm.hash == nullptr ? "" : " with " + std::string(algorithm.hash->name);
  switch (algorithm.kind) {
    case Algorithm::Kind::RsaPkcs1:
      return "RSASSA-PKCS1-v1_5" + hash;
    case Algorithm::Kind::RsaPss:
      return "RSASSA-PSS" + hash;
    case Algorithm::Kind::Ecdsa:
      return "ECDSA" + hash;
    case Algorithm::Kind::Ed25519:
      return "Ed25519";
    case Algorithm::Kind::Ed448:
      break;
  }
  return "Ed448";
}

int nid_of(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  return OBJ_obj2nid(object);
}

// the algorithm identifier that `parent` holds as its parameter (id-mgf1 has the hash there)
AlgorithmPtr inner_algorithm(const X509_ALGOR* parent) {
  int type = 0;
  const void* value = nullptr;
  X509_ALGOR_get0(nullptr, &type, &value, parent);
  if (type != V_ASN1_SEQUENCE) return nullptr;
  const auto* sequence = static_cast<const ASN1_STRING*>(value);
  const unsigned char* at = ASN1_STRING_get0_data(sequence);
  return AlgorithmPtr(d2i_X509_ALGOR(nullptr, &at, ASN1_STRING_length(sequence)));
}

std::optional<Algorithm> pss_of(const X509_ALGOR* algorithm) {
  int type = 0;
  const void* value = nullptr;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  if (type != V_ASN1_SEQUENCE) return std::nullopt;  // the defaults: SHA-1
  const auto* sequence = static_cast<const ASN1_STRING*>(value);
  const unsigned char* at = ASN1_STRING_get0_data(sequence);
  const PssParameters parameters(d2i_RSA_PSS_PARAMS(nullptr, &at, ASN1_STRING_length(sequence)));
  if (!parameters || parameters->hashAlgorithm == nullptr || parameters->maskGenAlgorithm == nullptr) return std::nullopt;
  const AlgorithmPtr mask_hash =
      nid_of(parameters->maskGenAlgorithm) == NID_mgf1 ? inner_algorithm(parameters->maskGenAlgorithm) : AlgorithmPtr();
  const Hash* hash = find_hash(nid_of(parameters->hashAlgorithm));
  if (!mask_hash || hash == nullptr || nid_of(mask_hash.get()) != hash->nid) return std::nullopt;
  const long salt = parameters->saltLength == nullptr ? 20 : ASN1_INTEGER_get(parameters->saltLength);
  if (salt < 0 || salt > EVP_MAX_MD_SIZE) return std::nullopt;
  return Algorithm{Algorithm::Kind::RsaPss, hash, static_cast<int>(salt)};
}

// none: not one that we know, or one with parameters that it must not have
std::optional<Algorithm> parse_algorithm(ByteView der) {
  const unsigned char* at = der.data();
  const AlgorithmPtr parsed(d2i_X509_ALGOR(nullptr, &at, static_cast<long>(der.size())));
  if (!parsed || at != der.data() + der.size()) return std::nullopt;
  const int nid = nid_of(parsed.get());
  if (nid == NID_rsassaPss) return pss_of(parsed.get());
  if (nid == NID_ED25519) return Algorithm{Algorithm::Kind::Ed25519};
  if (nid == NID_ED448) return Algorithm{Algorithm::Kind::Ed448};
  int digest = 0;
  int key = 0;
  if (OBJ_find_sigid_algs(nid, &digest, &key) != 1) return std::nullopt;
  const Hash* hash = find_hash(digest);
  if (hash == nullptr) return std::nullopt;
  if (key == NID_rsaEncryption) return Algorithm{Algorithm::Kind::RsaPkcs1, hash};
  if (key == NID_X9_62_id_ecPublicKey) return Algorithm{Algorithm::Kind::Ecdsa, hash};
  return std::nullopt;
}

Bytes encode_algorithm(const Algorithm& algorithm, const Curve* curve) {
  const auto made = owned<AlgorithmPtr>(X509_ALGOR_new());
  const auto set = [&](int nid, int parameter) { require(X509_ALGOR_set0(made.get(), OBJ_nid2obj(nid), parameter, nullptr) == 1); };
  switch (algorithm.kind) {
    case Algorithm::Kind::Ed25519:
      set(NID_ED25519, V_ASN1_UNDEF);
      break;
    case Algorithm::Kind::Ed448:
      set(NID_ED448, V_ASN1_UNDEF);
      break;
    case Algorithm::Kind::Ecdsa:
      set(curve->ecdsa_nid, V_ASN1_UNDEF);
      break;
    case Algorithm::Kind::RsaPkcs1: {
      int nid = 0;
      require(OBJ_find_sigid_by_algs(&nid, algorithm.hash->nid, NID_rsaEncryption) == 1);
      set(nid, V_ASN1_NULL);
      break;
    }
    case Algorithm::Kind::RsaPss: {
      const auto parameters = owned<PssParameters>(RSA_PSS_PARAMS_new());
      parameters->hashAlgorithm = X509_ALGOR_new();
      parameters->maskGenAlgorithm = X509_ALGOR_new();
      parameters->saltLength = ASN1_INTEGER_new();
      ASN1_STRING* hash = nullptr;
      require(parameters->hashAlgorithm != nullptr && parameters->maskGenAlgorithm != nullptr && parameters->saltLength != nullptr);
      X509_ALGOR_set0(parameters->hashAlgorithm, OBJ_nid2obj(algorithm.hash->nid), V_ASN1_NULL, nullptr);
      require(ASN1_item_pack(parameters->hashAlgorithm, ASN1_ITEM_rptr(X509_ALGOR), &hash) != nullptr);
      X509_ALGOR_set0(parameters->maskGenAlgorithm, OBJ_nid2obj(NID_mgf1), V_ASN1_SEQUENCE, hash);
      require(ASN1_INTEGER_set(parameters->saltLength, algorithm.salt) == 1);
      ASN1_STRING* packed = nullptr;
      require(ASN1_item_pack(parameters.get(), ASN1_ITEM_rptr(RSA_PSS_PARAMS), &packed) != nullptr);
      X509_ALGOR_set0(made.get(), OBJ_nid2obj(NID_rsassaPss), V_ASN1_SEQUENCE, packed);
      break;
    }
  }
  return encoded(made.get(), i2d_X509_ALGOR);
}

bool set_padding(EVP_PKEY_CTX* context, const Algorithm& algorithm) {
  if (algorithm.kind == Algorithm::Kind::RsaPkcs1) return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
  if (algorithm.kind != Algorithm::Kind::RsaPss) return true;
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(context, algorithm.hash->digest()) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, algorithm.salt) == 1;
}

Bytes sign_with(EVP_PKEY* key, const Algorithm& algorithm, ByteView octets) {
  const auto context = owned<DigestContext>(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;
  const EVP_MD* digest = algorithm.hash == nullptr ? nullptr : algorithm.hash->digest();
  require(EVP_DigestSignInit(context.get(), &key_context, digest, nullptr, key) == 1 && set_padding(key_context, algorithm));
  std::size_t size = 0;
  require(EVP_DigestSign(context.get(), nullptr, &size, octets.data(), octets.size()) == 1);
  Bytes out(size);
  require(EVP_DigestSign(context.get(), out.data(), &size, octets.data(), octets.size()) == 1);
  out.resize(size);
  return out;
}

bool verify_with(EVP_PKEY* key, const Algorithm& algorithm, ByteView signature, ByteView octets) {
  const auto context = owned<DigestContext>(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;
  const EVP_MD* digest = algorithm.hash == nullptr ? nullptr : algorithm.hash->digest();
  return EVP_DigestVerifyInit(context.get(), &key_context, digest, nullptr, key) == 1 && set_padding(key_context, algorithm) &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), octets.data(), octets.size()) == 1;
}

// RFC 4754: r and s side by side, where OpenSSL has a SEQUENCE
Bytes to_raw_ecdsa(ByteView der, const Curve& curve) {
  const unsigned char* at = der.data();
  const auto pair = owned<EcdsaPtr>(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  Bytes out(2 * static_cast<std::size_t>(curve.size));
  require(BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out.data(), curve.size) == curve.size &&
          BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out.data() + curve.size, curve.size) == curve.size);
  return out;
}

Bytes from_raw_ecdsa(ByteView raw, const Curve& curve) {
  const auto pair = owned<EcdsaPtr>(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(raw.data(), curve.size, nullptr);
  BIGNUM* s = BN_bin2bn(raw.data() + curve.size, curve.size, nullptr);
  require(ECDSA_SIG_set0(pair.get(), r, s) == 1);
  return encoded(pair.get(), i2d_ECDSA_SIG);
}

Bytes digest_of(const Hash& hash, ByteView octets) {
  Bytes digest(static_cast<std::size_t>(EVP_MD_get_size(hash.digest())));
  unsigned size = 0;
  require(EVP_Digest(octets.data(), octets.size(), digest.data(), &size, hash.digest(), nullptr) == 1);
  return digest;
}

// What RSASSA-PKCS1-v1_5 signs: the hash with its name (RFC 8017 9.2)
Bytes digest_info(const Hash& hash, ByteView octets) {
  const Bytes digest = digest_of(hash, octets);
  const Owned<X509_SIG, X509_SIG_free> info(X509_SIG_new());
  if (!info) throw std::bad_alloc();
  X509_ALGOR* algorithm = nullptr;
  ASN1_OCTET_STRING* value = nullptr;
  X509_SIG_getm(info.get(), &algorithm, &value);
  require(X509_ALGOR_set0(algorithm, OBJ_nid2obj(hash.nid), V_ASN1_NULL, nullptr) == 1 &&
          ASN1_OCTET_STRING_set(value, digest.data(), static_cast<int>(digest.size())) == 1);
  return encoded(info.get(), i2d_X509_SIG);
}

// Method 1 does not say which hash it is (RFC 7296 3.8): what was signed is taken out and compared whole, so that nothing can hide in it.
bool verify_rsa_unnamed(EVP_PKEY* key, ByteView signature, ByteView octets) {
  const auto context = owned<KeyContext>(EVP_PKEY_CTX_new(key, nullptr));
  Bytes signed_info(static_cast<std::size_t>(EVP_PKEY_get_size(key)));
  std::size_t size = signed_info.size();
  if (EVP_PKEY_verify_recover_init(context.get()) != 1 || EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_verify_recover(context.get(), signed_info.data(), &size, signature.data(), signature.size()) != 1) {
    return false;
  }
  signed_info.resize(size);
  return std::any_of(kHashes.begin(), kHashes.end(), [&](const Hash& hash) { return equal(signed_info, digest_info(hash, octets)); });
}

struct NamedSignature {
  Algorithm algorithm;
  ByteView value;
};

// RFC 7427 3: length of the algorithm identifier in one octet, the identifier, the signature
Result<NamedSignature> split(ByteView data) {
  Reader reader(data);
  const auto size = reader.u8();
  const auto identifier = size ? reader.take(*size) : Result<ByteView>(fail(size.error()));
  if (!identifier) return peer_error("AUTH has no whole algorithm identifier");
  const auto algorithm = parse_algorithm(*identifier);
  if (!algorithm) return peer_error("AUTH is signed with an algorithm that is not known: " + to_hex(*identifier));
  return NamedSignature{*algorithm, reader.take_rest()};
}

bool fits(Algorithm::Kind kind, KeyType type) {
  switch (kind) {
    case Algorithm::Kind::RsaPkcs1:
    case Algorithm::Kind::RsaPss:
      return type == KeyType::Rsa;
    case Algorithm::Kind::Ecdsa:
      return find_curve(type) != nullptr;
    case Algorithm::Kind::Ed25519:
      return type == KeyType::Ed25519;
    case Algorithm::Kind::Ed448:
      break;
  }
  return type == KeyType::Ed448;
}

// How a key of this kind signs for a peer.
struct Plan {
  AuthMethod method{};
  Algorithm algorithm;

  // `made`: with method 14 what OpenSSL has, else what goes into AUTH
  Signature wrap(const Bytes& made, const Curve* curve) const {
    if (method != AuthMethod::DigitalSignature) return {method, made};
    const Bytes identifier = encode_algorithm(algorithm, curve);
    const std::uint8_t size = static_cast<std::uint8_t>(identifier.size());
    return {method, concat({ByteView(&size, 1), identifier, made})};
  }
};

Result<Plan> plan_of(KeyType type, std::span<const SignatureHash> announced, RsaPadding padding) {
  const Curve* curve = find_curve(type);
  const auto knows = [&](SignatureHash hash) { return std::find(announced.begin(), announced.end(), hash) != announced.end(); };
  if (announced.empty()) {
    if (type == KeyType::Rsa) return Plan{AuthMethod::RsaSignature, {Algorithm::Kind::RsaPkcs1, &hash_of(SignatureHash::Sha1)}};
    if (curve == nullptr) return peer_error("the peer does not know RFC 7427, which a key of kind " + crypto::to_string(type) + " needs");
    return Plan{curve->method, {Algorithm::Kind::Ecdsa, &hash_of(curve->hash)}};
  }

  Algorithm algorithm;
  if (type == KeyType::Ed25519 || type == KeyType::Ed448) {
    if (!knows(SignatureHash::Identity)) return peer_error("the peer did not announce EdDSA (RFC 8420)");
    algorithm.kind = type == KeyType::Ed25519 ? Algorithm::Kind::Ed25519 : Algorithm::Kind::Ed448;
  } else if (curve != nullptr) {
    // a curve with the hash of its size: what every implementation of it has
    if (!knows(curve->hash)) return peer_error("the peer did not announce " + std::string(hash_of(curve->hash).name));
    algorithm = {Algorithm::Kind::Ecdsa, &hash_of(curve->hash)};
  } else {
    const auto ours = {SignatureHash::Sha256, SignatureHash::Sha384, SignatureHash::Sha512};
    const auto* common = std::find_if(ours.begin(), ours.end(), knows);
    if (common == ours.end()) return peer_error("the peer announced none of SHA-256, SHA-384 and SHA-512");
    algorithm.kind = padding == RsaPadding::Pss ? Algorithm::Kind::RsaPss : Algorithm::Kind::RsaPkcs1;
    algorithm.hash = &hash_of(*common);
    algorithm.salt = EVP_MD_get_size(algorithm.hash->digest());
  }
  return Plan{AuthMethod::DigitalSignature, algorithm};
}

constexpr std::array<SignatureHash, 4> kSupported = {SignatureHash::Sha256, SignatureHash::Sha384, SignatureHash::Sha512,
                                                     SignatureHash::Identity};

}  // namespace

Result<Bytes> bare_signature(const Signature& made, const SignatureWish& wish) {
  const ErrorQueue queue;
  if (made.method != AuthMethod::DigitalSignature) return system_error("the signature does not name its algorithm");
  const auto named = split(made.data);
  if (!named) return fail(named.error());
  const Algorithm& algorithm = named->algorithm;
  const bool eddsa = algorithm.kind == Algorithm::Kind::Ed25519 || algorithm.kind == Algorithm::Kind::Ed448;
  const bool rsa = algorithm.kind == Algorithm::Kind::RsaPss || algorithm.kind == Algorithm::Kind::RsaPkcs1;
  const bool padded = !rsa || (algorithm.kind == Algorithm::Kind::RsaPss) == (wish.padding == RsaPadding::Pss);
  const bool hashed = eddsa ? wish.hash == SignatureHash::Identity : algorithm.hash->id == wish.hash;
  if (!padded || !hashed) return system_error("the signature is made by " + name_of(algorithm) + ", which was not asked for");
  return to_bytes(named->value);
}

std::string to_string(KeyType type) {
  constexpr std::array<std::string_view, 6> kNames = {"rsa", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "ed448"};
  return std::string(kNames.at(static_cast<std::size_t>(type)));
}

std::span<const SignatureHash> supported_signature_hashes() { return kSupported; }

const std::vector<Bytes>& verifiable_algorithms() {
  static const std::vector<Bytes> kAlgorithms = [] {
    std::vector<Bytes> out;
    for (const Curve& curve : kCurves) out.push_back(encode_algorithm({Algorithm::Kind::Ecdsa, &hash_of(curve.hash)}, &curve));
    for (const auto kind : {Algorithm::Kind::Ed25519, Algorithm::Kind::Ed448}) out.push_back(encode_algorithm({kind}, nullptr));
    for (const auto kind : {Algorithm::Kind::RsaPss, Algorithm::Kind::RsaPkcs1}) {
      for (const SignatureHash hash : {SignatureHash::Sha256, SignatureHash::Sha384, SignatureHash::Sha512})
        out.push_back(encode_algorithm({kind, &hash_of(hash), EVP_MD_get_size(hash_of(hash).digest())}, nullptr));
    }
    return out;
  }();
  return kAlgorithms;
}

AnnouncedUse use_of(std::string_view key_type, std::span<const wire::AuthAnnouncement> announced) {
  const ErrorQueue queue;
  bool pss = false, pkcs1 = false, other = false;
  for (const wire::AuthAnnouncement& one : announced) {
    if (one.method == AuthMethod::RsaSignature) pkcs1 |= key_type == "rsa";
    for (const Curve& curve : kCurves) other |= one.method == curve.method && key_type == crypto::to_string(curve.type);
    if (one.method != AuthMethod::DigitalSignature) continue;
    const auto algorithm = parse_algorithm(one.algorithm);
    if (!algorithm) continue;
    switch (algorithm->kind) {
      case Algorithm::Kind::RsaPss:
        pss |= key_type == "rsa";
        break;
      case Algorithm::Kind::RsaPkcs1:
        pkcs1 |= key_type == "rsa";
        break;
      case Algorithm::Kind::Ecdsa:
        for (const Curve& curve : kCurves) other |= algorithm->hash->id == curve.hash && key_type == crypto::to_string(curve.type);
        break;
      case Algorithm::Kind::Ed25519:
        other |= key_type == "ed25519";
        break;
      case Algorithm::Kind::Ed448:
        other |= key_type == "ed448";
        break;
    }
  }
  return {pss || pkcs1 || other, pkcs1 && !pss ? RsaPadding::Pkcs1 : RsaPadding::Pss};
}

struct VerifyingKey::Impl {
  KeyPtr key;
  KeyType type{};
};

Result<VerifyingKey> VerifyingKey::from_spki(ByteView der) {
  const ErrorQueue queue;
  const unsigned char* at = der.data();
  KeyPtr key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (!key || at != der.data() + der.size()) return config_error("is not a public key that can be read");
  const auto type = type_of(key.get());
  if (!type) return fail(type.error());
  return VerifyingKey(std::make_shared<const Impl>(Impl{std::move(key), *type}));
}

KeyType VerifyingKey::type() const { return impl_->type; }

Status VerifyingKey::verify(const Signature& signature, ByteView octets) const {
  const ErrorQueue queue;
  EVP_PKEY* key = impl_->key.get();
  bool right = false;
  if (signature.method == AuthMethod::DigitalSignature) {
    const auto named = split(signature.data);
    if (!named) return fail(named.error());
    const Algorithm& algorithm = named->algorithm;
    const std::string what = name_of(algorithm);
    if (!fits(algorithm.kind, impl_->type))
      return peer_error("AUTH is signed by " + what + ", the key is " + crypto::to_string(impl_->type));
    if (algorithm.hash != nullptr && algorithm.hash->id == SignatureHash::Sha1)
      return peer_error("AUTH is signed by " + what + ", too weak");
    right = verify_with(key, algorithm, named->value, octets);
  } else if (signature.method == AuthMethod::RsaSignature && impl_->type == KeyType::Rsa) {
    right = verify_rsa_unnamed(key, signature.data, octets);
  } else if (const Curve* curve = find_curve(impl_->type); curve != nullptr && signature.method == curve->method) {
    if (signature.data.size() != 2 * static_cast<std::size_t>(curve->size))
      return peer_error("AUTH has " + std::to_string(signature.data.size()) + " octets, " + std::to_string(2 * curve->size) +
                        " belong to method " + std::to_string(static_cast<int>(signature.method)));
    right = verify_with(key, {Algorithm::Kind::Ecdsa, &hash_of(curve->hash)}, from_raw_ecdsa(signature.data, *curve), octets);
  } else {
    return peer_error("authentication method " + std::to_string(static_cast<int>(signature.method)) + " does not go with a key of kind " +
                      crypto::to_string(impl_->type));
  }
  if (!right) return peer_error("the signature is wrong");
  return {};
}

std::size_t VerifyingKey::signature_size() const {
  if (const Curve* curve = find_curve(impl_->type)) return 2 * static_cast<std::size_t>(curve->size);
  return static_cast<std::size_t>(EVP_PKEY_get_size(impl_->key.get()));
}

std::string VerifyingKey::describe(const Signature& signature) {
  const ErrorQueue queue;
  if (signature.method == AuthMethod::DigitalSignature) {
    const auto named = split(signature.data);
    return named ? name_of(named->algorithm) : "an unknown algorithm";
  }
  return "method " + std::to_string(static_cast<int>(signature.method));
}

struct SigningKey::Impl {
  KeyPtr key;
  KeyType type{};
};

Result<SigningKey> SigningKey::from_pkcs8(ByteView der) {
  const ErrorQueue queue;
  const unsigned char* at = der.data();
  const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())));
  KeyPtr key(info && at == der.data() + der.size() ? EVP_PKCS82PKEY(info.get()) : nullptr);
  if (!key) return config_error("is not a private key in PKCS#8");
  const auto type = type_of(key.get());
  if (!type) return fail(type.error());
  return SigningKey(std::make_shared<const Impl>(Impl{std::move(key), *type}));
}

KeyType SigningKey::type() const { return impl_->type; }

Bytes SigningKey::public_key() const { return encoded(impl_->key.get(), i2d_PUBKEY); }

Result<Signature> SigningKey::sign(ByteView octets, std::span<const SignatureHash> announced, RsaPadding padding) const {
  const ErrorQueue queue;
  const auto plan = plan_of(impl_->type, announced, padding);
  if (!plan) return fail(plan.error());
  const Bytes made = sign_with(impl_->key.get(), plan->algorithm, octets);
  const Curve* curve = find_curve(impl_->type);
  return plan->wrap(plan->method == AuthMethod::DigitalSignature || curve == nullptr ? made : to_raw_ecdsa(made, *curve), curve);
}

Result<Signature> sign_by_device(const VerifyingKey& key, ByteView octets, std::span<const SignatureHash> announced, RsaPadding padding,
                                 const Device& device) {
  const auto plan = plan_of(key.type(), announced, padding);
  if (!plan) return fail(plan.error());
  const Algorithm& algorithm = plan->algorithm;
  DeviceWish wish;
  {
    const ErrorQueue queue;
    wish.hash = algorithm.hash == nullptr ? SignatureHash::Identity : algorithm.hash->id;
    switch (algorithm.kind) {
      case Algorithm::Kind::RsaPkcs1:
        wish.operation = DeviceWish::Operation::RsaPkcs1;
        wish.input = digest_info(*algorithm.hash, octets);
        break;
      case Algorithm::Kind::RsaPss:
        wish.operation = DeviceWish::Operation::RsaPss;
        wish.input = digest_of(*algorithm.hash, octets);
        break;
      case Algorithm::Kind::Ecdsa:
        wish.operation = DeviceWish::Operation::Ecdsa;
        wish.input = digest_of(*algorithm.hash, octets);
        break;
      case Algorithm::Kind::Ed25519:
      case Algorithm::Kind::Ed448:
        wish.operation = DeviceWish::Operation::EdDsa;
        wish.input = to_bytes(octets);
        break;
    }
  }
  auto made = device(wish);
  if (!made) return fail(made.error());
  const ErrorQueue queue;
  const std::size_t right = key.signature_size();
  if (made->size() != right)
    return system_error("the token's signature has " + std::to_string(made->size()) + " octets and not " + std::to_string(right));
  const Curve* curve = find_curve(key.type());
  const bool bare = plan->method != AuthMethod::DigitalSignature;
  if (curve != nullptr && !bare) *made = from_raw_ecdsa(*made, *curve);
  Signature out = plan->wrap(*made, curve);
  if (const Status verified = key.verify(out, octets); !verified)
    return system_error("the token's signature does not fit the public key: it is another key, or the token is broken");
  return out;
}

namespace {

Bytes encoded_spki(EVP_PKEY* key) { return encoded(key, i2d_PUBKEY); }

// what is in an OCTET STRING, which PKCS#11 has around points, and some modules have not
ByteView bare_point(ByteView point, std::size_t size) {
  if (point.size() == size || point.size() < 3 || point[0] != V_ASN1_OCTET_STRING) return point;
  const unsigned char* at = point.data();
  long length = 0;
  int tag = 0, kind = 0;
  if ((ASN1_get_object(&at, &length, &tag, &kind, static_cast<long>(point.size())) & 0x80) != 0 || length < 0) return point;
  return ByteView(at, static_cast<std::size_t>(length));
}

}  // namespace

Result<Bytes> spki_of_rsa(ByteView modulus, ByteView exponent) {
  const ErrorQueue queue;
  const auto rejected = [] { return config_error("the token's RSA key has no public half that can be read"); };
  if (modulus.empty() || exponent.empty() || modulus.size() > 2048 || exponent.size() > 2048) return rejected();
  using Number = Owned<BIGNUM, BN_free>;
  const auto n = owned<Number>(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
  const auto e = owned<Number>(BN_bin2bn(exponent.data(), static_cast<int>(exponent.size()), nullptr));
  const auto builder = owned<Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>>(OSSL_PARAM_BLD_new());
  require(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
          OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1);
  const auto parameters = owned<Owned<OSSL_PARAM, OSSL_PARAM_free>>(OSSL_PARAM_BLD_to_param(builder.get()));
  const auto context = owned<KeyContext>(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 || EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
    return rejected();
  return encoded_spki(KeyPtr(made).get());
}

Result<Bytes> spki_of_ec(ByteView parameters, ByteView point) {
  const ErrorQueue queue;
  const unsigned char* at = parameters.data();
  const Owned<ASN1_OBJECT, ASN1_OBJECT_free> name(d2i_ASN1_OBJECT(nullptr, &at, static_cast<long>(parameters.size())));
  const int nid = name ? OBJ_obj2nid(name.get()) : NID_undef;
  for (const Curve& curve : kCurves) {
    if (OBJ_sn2nid(std::string(curve.openssl_name).c_str()) != nid) continue;
    const ByteView bare = bare_point(point, 1 + 2 * static_cast<std::size_t>(curve.size));
    std::string group(curve.openssl_name);
    Bytes octets = to_bytes(bare);
    const std::array<OSSL_PARAM, 3> values = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
                                              OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, octets.data(), octets.size()),
                                              OSSL_PARAM_construct_end()};
    const auto context = owned<KeyContext>(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
    EVP_PKEY* made = nullptr;
    std::array<OSSL_PARAM, 3> copy = values;
    if (EVP_PKEY_fromdata_init(context.get()) != 1 || EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, copy.data()) != 1)
      return config_error("the token's ECDSA key has no point that can be read");
    return encoded_spki(KeyPtr(made).get());
  }
  return config_error("the token's ECDSA key is on another curve than P-256, P-384 and P-521");
}

Result<Bytes> spki_of_edwards(ByteView parameters, ByteView point) {
  const ErrorQueue queue;
  // PrintableString "edwards25519" or "edwards448", or the OBJECT IDENTIFIER of RFC 8410
  static constexpr std::string_view kName25519 = "edwards25519";
  const unsigned char* at = parameters.data();
  const Owned<ASN1_OBJECT, ASN1_OBJECT_free> name(d2i_ASN1_OBJECT(nullptr, &at, static_cast<long>(parameters.size())));
  const bool named = parameters.size() > 2 && as_text(parameters.subspan(2)) == kName25519;
  if (!named && (!name || OBJ_obj2nid(name.get()) != NID_ED25519)) return config_error("the token's Edwards key is not Ed25519");
  const ByteView bare = bare_point(point, 32);
  const KeyPtr key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bare.data(), bare.size()));
  if (!key) return config_error("the token's Ed25519 key has no point that can be read");
  return encoded_spki(key.get());
}

Result<Bytes> spki_of_certificate(ByteView der) {
  const ErrorQueue queue;
  const unsigned char* at = der.data();
  const Owned<X509, X509_free> certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  EVP_PKEY* key = certificate ? X509_get0_pubkey(certificate.get()) : nullptr;
  if (key == nullptr) return config_error("the certificate has no public key that can be read");
  return encoded_spki(key);
}

Result<Bytes> key_id_of_spki(ByteView spki) {
  const ErrorQueue queue;
  const unsigned char* at = spki.data();
  const Owned<X509_PUBKEY, X509_PUBKEY_free> info(d2i_X509_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
  const unsigned char* bits = nullptr;
  int size = 0;
  if (!info || X509_PUBKEY_get0_param(nullptr, &bits, &size, nullptr, info.get()) != 1)
    return config_error("is not a public key that can be read");
  return digest_of(hash_of(SignatureHash::Sha1), ByteView(bits, static_cast<std::size_t>(size)));
}

}  // namespace svti::crypto
