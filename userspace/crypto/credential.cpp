// SPDX-License-Identifier: Apache-2.0
#include "crypto/credential.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <limits>
#include <memory>
#include <new>

#include "crypto/owned.h"

namespace svti::crypto {
namespace {

using Bio = Owned<BIO, BIO_free_all>;
using X509Ptr = Owned<X509, X509_free>;
using CrlPtr = Owned<X509_CRL, X509_CRL_free>;
using KeyPtr = Owned<EVP_PKEY, EVP_PKEY_free>;
using PublicPtr = Owned<X509_PUBKEY, X509_PUBKEY_free>;

bool is_pem(ByteView octets) { return as_text(octets).find("-----BEGIN ") != std::string_view::npos; }

Bio reader_of(ByteView octets) {
  Bio bio(BIO_new_mem_buf(octets.data(), static_cast<int>(octets.size())));
  if (!bio) throw std::bad_alloc();
  return bio;
}

// no prompt on the daemon's terminal, ever
int no_password(char*, int, int, void*) { return 0; }

// PEM by `read_pem`, DER by `read_der`, which must take all octets
template <typename Ptr, typename ReadPem, typename ReadDer>
Ptr read(ByteView octets, ReadPem read_pem, ReadDer read_der) {
  if (is_pem(octets)) {
    const Bio bio = reader_of(octets);
    return Ptr(read_pem(bio.get(), nullptr, no_password, nullptr));
  }
  const unsigned char* at = octets.data();
  Ptr out(read_der(nullptr, &at, static_cast<long>(octets.size())));
  if (at != octets.data() + octets.size()) out.reset();
  return out;
}

Bytes sha1(const unsigned char* octets, std::size_t size) {
  Bytes out(EVP_MAX_MD_SIZE);
  unsigned length = 0;
  if (EVP_Digest(octets, size, out.data(), &length, EVP_sha1(), nullptr) != 1) throw std::bad_alloc();
  out.resize(length);
  return out;
}

Bytes key_id_of(X509_PUBKEY* key) {
  const unsigned char* bits = nullptr;
  int size = 0;
  if (key == nullptr || X509_PUBKEY_get0_param(nullptr, &bits, &size, nullptr, key) != 1) return {};
  return sha1(bits, static_cast<std::size_t>(size));
}

Bytes key_id_of(EVP_PKEY* key) {
  X509_PUBKEY* raw = nullptr;
  if (X509_PUBKEY_set(&raw, key) != 1) return {};
  const PublicPtr owned(raw);
  return key_id_of(raw);
}

Result<Certificate> parse_x509(ByteView octets) {
  const auto x509 = read<X509Ptr>(octets, PEM_read_bio_X509, d2i_X509);
  if (!x509) return config_error("is not an X.509 certificate in DER or PEM");
  Certificate out;
  out.kind = CertificateKind::X509;
  out.der = encoded(x509.get(), i2d_X509);
  out.subject = text_of(X509_get_subject_name(x509.get()));
  out.key_id = key_id_of(X509_get_X509_PUBKEY(x509.get()));
  out.ca = X509_check_ca(x509.get()) == 1;
  return out;
}

Result<Certificate> parse_crl(ByteView octets) {
  const auto crl = read<CrlPtr>(octets, PEM_read_bio_X509_CRL, d2i_X509_CRL);
  if (!crl) return config_error("is not a certificate revocation list in DER or PEM");
  Certificate out;
  out.kind = CertificateKind::Crl;
  out.der = encoded(crl.get(), i2d_X509_CRL);
  out.subject = text_of(X509_CRL_get_issuer(crl.get()));
  return out;
}

Result<Certificate> parse_public_key(ByteView octets) {
  const auto key = read<KeyPtr>(octets, PEM_read_bio_PUBKEY, d2i_PUBKEY);
  if (!key) return config_error("is not a public key (SubjectPublicKeyInfo) in DER or PEM");
  Certificate out;
  out.kind = CertificateKind::PublicKey;
  out.der = encoded(key.get(), i2d_PUBKEY);
  out.key_id = key_id_of(key.get());
  return out;
}

std::string type_of(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
      return "rsa";
    case EVP_PKEY_EC:
      return "ecdsa";
    case EVP_PKEY_ED25519:
      return "ed25519";
    case EVP_PKEY_ED448:
      return "ed448";
    default:
      return {};
  }
}

Result<PrivateKey> described(EVP_PKEY* key) {
  PrivateKey out;
  out.type = type_of(key);
  if (out.type.empty()) return config_error("is a private key of a kind that is not supported: expected rsa, ecdsa, ed25519 or ed448");
  out.key_id = key_id_of(key);
  const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> pkcs8(EVP_PKEY2PKCS8(key));
  if (!pkcs8) return config_error("is a private key that cannot be written as PKCS#8");
  unsigned char* der = nullptr;
  const int size = i2d_PKCS8_PRIV_KEY_INFO(pkcs8.get(), &der);
  if (size < 0) throw std::bad_alloc();
  out.der = Secret(ByteView(der, static_cast<std::size_t>(size)));
  OPENSSL_clear_free(der, static_cast<std::size_t>(size));
  return out;
}

// Of PBKDF2 in the parameters of PBES2; 0: none that can be read, or another function (OpenSSL bounds the memory of scrypt)
long rounds_of(const ASN1_STRING* parameters) {
  const unsigned char* at = ASN1_STRING_get0_data(parameters);
  const Owned<PBE2PARAM, PBE2PARAM_free> outer(d2i_PBE2PARAM(nullptr, &at, ASN1_STRING_length(parameters)));
  if (!outer) return 0;
  const ASN1_OBJECT* object = nullptr;
  int kind = 0;
  const void* value = nullptr;
  X509_ALGOR_get0(&object, &kind, &value, outer->keyfunc);
  if (OBJ_obj2nid(object) != NID_id_pbkdf2 || kind != V_ASN1_SEQUENCE) return 0;
  const auto* inner = static_cast<const ASN1_STRING*>(value);
  at = ASN1_STRING_get0_data(inner);
  const Owned<PBKDF2PARAM, PBKDF2PARAM_free> derivation(d2i_PBKDF2PARAM(nullptr, &at, ASN1_STRING_length(inner)));
  if (!derivation) return 0;
  const long rounds = ASN1_INTEGER_get(derivation->iter);
  return rounds < 0 ? std::numeric_limits<long>::max() : rounds;  // more than a long holds
}

}  // namespace

Result<Certificate> parse_certificate(ByteView octets, CertificateKind kind) {
  const ErrorQueue queue;
  if (octets.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return config_error("is too large");
  switch (kind) {
    case CertificateKind::X509:
      return parse_x509(octets);
    case CertificateKind::Crl:
      return parse_crl(octets);
    case CertificateKind::PublicKey:
      break;
  }
  return parse_public_key(octets);
}

Result<std::vector<Certificate>> parse_certificates(ByteView octets, CertificateKind kind) {
  std::vector<Certificate> out;
  const auto add = [&](ByteView one) -> Status {
    auto parsed = parse_certificate(one, kind);
    if (!parsed) return fail(parsed.error());
    out.push_back(std::move(*parsed));
    return {};
  };
  if (!is_pem(octets)) {
    if (Status added = add(octets); !added) return fail(added.error());
    return out;
  }
  static constexpr std::string_view kBegin = "-----BEGIN ";
  std::string_view rest = as_text(octets);
  for (std::size_t at = rest.find(kBegin); at != std::string_view::npos;) {
    rest.remove_prefix(at);
    at = rest.find(kBegin, 1);
    if (out.size() == kMaxInOneText) return config_error("has more than " + std::to_string(kMaxInOneText) + " parts");
    if (Status added = add(as_bytes(rest.substr(0, at))); !added) return fail(added.error());
  }
  return out;
}

Result<PrivateKey> parse_private_key(ByteView octets) {
  const ErrorQueue queue;
  if (octets.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return config_error("is too large");
  const auto key = read<KeyPtr>(octets, PEM_read_bio_PrivateKey, d2i_AutoPrivateKey);
  if (!key) return config_error("is not a private key in DER or PEM, or is encrypted");
  return described(key.get());
}

bool is_encrypted_key(ByteView pem) {
  const std::string_view text = as_text(pem);
  return text.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != std::string_view::npos ||
         text.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos;
}

Result<PrivateKey> decrypt_private_key(ByteView pem, const Secret& passphrase) {
  static constexpr std::string_view kAnew = "encrypt it anew: openssl pkcs8 -topk8 -v2 aes256 -in OLD -out NEW";
  const ErrorQueue queue;
  if (pem.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return config_error("is too large");
  if (as_text(pem).find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos)
    return config_error("is encrypted in the way of before PKCS#8, which is weak: " + std::string(kAnew));
  const Bio bio = reader_of(pem);
  const Owned<X509_SIG, X509_SIG_free> encrypted(PEM_read_bio_PKCS8(bio.get(), nullptr, no_password, nullptr));
  if (!encrypted) return config_error("is not an encrypted private key (PKCS#8) that can be read");
  const X509_ALGOR* algorithm = nullptr;
  X509_SIG_get0(encrypted.get(), &algorithm, nullptr);
  const ASN1_OBJECT* object = nullptr;
  int kind = 0;
  const void* value = nullptr;
  X509_ALGOR_get0(&object, &kind, &value, algorithm);
  if (OBJ_obj2nid(object) != NID_pbes2 || kind != V_ASN1_SEQUENCE) {
    const char* name = OBJ_nid2sn(OBJ_obj2nid(object));
    return config_error("is encrypted by " + std::string(name == nullptr ? "an unknown scheme" : name) +
                        " and not by PBES2: " + std::string(kAnew));
  }
  if (const long rounds = rounds_of(static_cast<const ASN1_STRING*>(value)); rounds > kMostKeyRounds) {
    return config_error("is encrypted with " + std::to_string(rounds) + " rounds of PBKDF2, " + std::to_string(kMostKeyRounds) +
                        " are the most: " + std::string(kAnew));
  }
  const ByteView secret = passphrase.view();
  const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> info(
      PKCS8_decrypt(encrypted.get(), reinterpret_cast<const char*>(secret.data()), static_cast<int>(secret.size())));
  const KeyPtr key(info ? EVP_PKCS82PKEY(info.get()) : nullptr);
  if (!key) return config_error("cannot be decrypted: the passphrase is wrong, or the cipher is not supported");
  return described(key.get());
}

}  // namespace svti::crypto
