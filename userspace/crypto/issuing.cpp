// SPDX-License-Identifier: Apache-2.0
#include "crypto/issuing.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>

#include "base/ip.h"
#include "crypto/alt_names.h"
#include "crypto/owned.h"

namespace svti::crypto {
namespace {

using std::chrono::sys_seconds;

using X509Ptr = Owned<X509, X509_free>;
using CrlPtr = Owned<X509_CRL, X509_CRL_free>;
using KeyPtr = Owned<EVP_PKEY, EVP_PKEY_free>;
using NamePtr = Owned<X509_NAME, X509_NAME_free>;
using NumberPtr = Owned<ASN1_INTEGER, ASN1_INTEGER_free>;
using Pkcs10Ptr = Owned<X509_REQ, X509_REQ_free>;
void free_extensions(STACK_OF(X509_EXTENSION) * stack) { sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free); }
using TimePtr = Owned<ASN1_TIME, ASN1_TIME_free>;

constexpr int kSerialOctets = 16;
constexpr int kMostRsaBits = 16384;
constexpr long kVersion3 = 2;  // of certificates
constexpr long kCrlVersion2 = 1;

void require(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL cannot make the certificate");
}
std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// the attributes of a name: split at commas that do not stand in quotes
std::vector<std::string> split_name(std::string_view text) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (const char c : text) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

Result<NamePtr> name_of(std::string_view text) {
  auto name = owned<NamePtr>(X509_NAME_new());
  for (const std::string& part : split_name(text)) {
    const std::size_t equals = part.find('=');
    const std::string attribute(trimmed(std::string_view(part).substr(0, equals)));
    if (equals == std::string::npos || attribute.empty())
      return config_error("\"" + std::string(trimmed(part)) + "\" is not ATTRIBUTE=VALUE, as in \"C=CH, O=Example, CN=gw\"");
    const std::string value(trimmed(std::string_view(part).substr(equals + 1)));
    const ErrorQueue queue;
    if (X509_NAME_add_entry_by_txt(name.get(), attribute.c_str(), MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                                   static_cast<int>(value.size()), -1, 0) != 1) {
      return config_error("attribute " + attribute + " cannot have the value \"" + value + "\": " + queue.last());
    }
  }
  return name;
}

Result<NamePtr> name_in(ByteView der) {
  const unsigned char* at = der.data();
  NamePtr name(d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size())));
  if (!name) return config_error("the name of the subject cannot be read");
  return name;
}

Result<KeyPtr> private_key_of(ByteView pkcs8) {
  const ErrorQueue queue;
  const unsigned char* at = pkcs8.data();
  const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(pkcs8.size())));
  KeyPtr key(info ? EVP_PKCS82PKEY(info.get()) : nullptr);
  if (!key) return config_error("is not a private key in PKCS#8");
  return key;
}

TimePtr asn1_time(sys_seconds time) { return owned<TimePtr>(ASN1_TIME_set(nullptr, time.time_since_epoch().count())); }

// EdDSA hashes by itself
const EVP_MD* digest_for(const EVP_PKEY* key) {
  const int id = EVP_PKEY_get_base_id(key);
  if (id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448) return nullptr;
  const int bits = EVP_PKEY_get_security_bits(key);
  return bits >= 256 ? EVP_sha512() : bits >= 192 ? EVP_sha384() : EVP_sha256();
}

void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(X509V3_EXT_nconf_nid(nullptr, &context, nid, value));
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

GENERAL_NAME* general_name(const AltName& name) {
  GENERAL_NAME* out = GENERAL_NAME_new();
  if (out == nullptr) throw std::bad_alloc();
  ASN1_STRING* value = ASN1_STRING_type_new(name.kind == AltName::Kind::Ip ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  require(value != nullptr && ASN1_STRING_set(value, name.data.data(), static_cast<int>(name.data.size())) == 1);
  GENERAL_NAME_set0_value(out, name.kind == AltName::Kind::Ip ? GEN_IPADD : name.kind == AltName::Kind::Dns ? GEN_DNS : GEN_EMAIL, value);
  return out;
}

Owned<GENERAL_NAMES, GENERAL_NAMES_free> general_names(const std::vector<AltName>& names) {
  auto list = owned<Owned<GENERAL_NAMES, GENERAL_NAMES_free>>(sk_GENERAL_NAME_new_null());
  for (const AltName& name : names) require(sk_GENERAL_NAME_push(list.get(), general_name(name)) > 0);
  return list;
}

void add_alt_names(X509* certificate, const std::vector<AltName>& names) {
  if (names.empty()) return;
  const auto list = general_names(names);
  require(X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), 0, X509V3_ADD_DEFAULT) == 1);
}

// what both extensions with places of lists are made of
std::string points(const std::vector<std::string>& uris) {
  std::string value;
  for (const std::string& uri : uris) value += (value.empty() ? "URI:" : ",URI:") + uri;
  return value;
}

Status check_uris(const std::vector<std::string>& uris) {
  for (const std::string& uri : uris) {
    if (uri.find_first_of(", ") != std::string::npos) return config_error("\"" + uri + "\" is not a URI");
  }
  return {};
}

void add_ocsp_uris(X509* certificate, X509* issuer, const std::vector<std::string>& uris) {
  if (uris.empty()) return;
  std::string value;
  for (const std::string& uri : uris) value += (value.empty() ? "OCSP;URI:" : ",OCSP;URI:") + uri;
  add_extension(certificate, issuer, NID_info_access, value.c_str());
}

// `issuer` null: it signs itself
Result<Bytes> make_certificate(const CertificateRequest& request, EVP_PKEY* public_key, X509* issuer, EVP_PKEY* signer) {
  auto name = request.subject_der.empty() ? name_of(request.subject) : name_in(request.subject_der);
  if (!name) return fail(name.error());
  for (const auto* uris : {&request.crl_uris, &request.delta_uris, &request.ocsp_uris}) {
    if (const Status right = check_uris(*uris); !right) return fail(right.error());
  }
  const auto made = owned<X509Ptr>(X509_new());
  X509* certificate = made.get();
  std::array<unsigned char, kSerialOctets> serial{};
  require(RAND_bytes(serial.data(), static_cast<int>(serial.size())) == 1);
  serial[0] = static_cast<unsigned char>((serial[0] & 0x7f) | 0x40);  // positive, and of full length
  const Owned<BIGNUM, BN_free> number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  require(number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr);
  require(X509_set_version(certificate, kVersion3) == 1 && X509_set_subject_name(certificate, name->get()) == 1 &&
          X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : name->get()) == 1 &&
          X509_set1_notBefore(certificate, asn1_time(request.not_before).get()) == 1 &&
          X509_set1_notAfter(certificate, asn1_time(request.not_after).get()) == 1 && X509_set_pubkey(certificate, public_key) == 1);
  X509* by = issuer == nullptr ? certificate : issuer;
  if (request.authority) {
    const std::string constraints =
        "critical,CA:TRUE" + (request.path_length ? ",pathlen:" + std::to_string(*request.path_length) : std::string());
    add_extension(certificate, by, NID_basic_constraints, constraints.c_str());
    add_extension(certificate, by, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    add_extension(certificate, by, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(certificate, by, NID_key_usage, "critical,digitalSignature");
    add_extension(certificate, by, NID_ext_key_usage,
                  request.ocsp_signing ? "OCSPSigning" : "serverAuth,clientAuth,1.3.6.1.5.5.7.3.17");  // the last: id-kp-ipsecIKE
  }
  add_extension(certificate, by, NID_subject_key_identifier, "hash");
  add_extension(certificate, by, NID_authority_key_identifier, "keyid");
  add_alt_names(certificate, request.alt_names);
  if (!request.crl_uris.empty()) add_extension(certificate, by, NID_crl_distribution_points, points(request.crl_uris).c_str());
  if (!request.delta_uris.empty()) add_extension(certificate, by, NID_freshest_crl, points(request.delta_uris).c_str());
  add_ocsp_uris(certificate, by, request.ocsp_uris);
  require(X509_sign(certificate, signer, digest_for(signer)) > 0);
  return encoded(certificate, i2d_X509);
}

struct Authority {
  X509Ptr certificate;
  KeyPtr key;
};
Result<Authority> read_authority(ByteView der, ByteView private_key) {
  const ErrorQueue queue;
  const unsigned char* at = der.data();
  X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!certificate) return config_error("the authority's certificate cannot be read");
  if (X509_check_ca(certificate.get()) != 1) return config_error("the certificate that is to sign is no authority's");
  auto key = private_key_of(private_key);
  if (!key) return config_error("the authority's private key " + key.error().message);
  if (X509_check_private_key(certificate.get(), key->get()) != 1)
    return config_error("the private key is not that of the authority's certificate");
  return Authority{std::move(certificate), std::move(*key)};
}

}  // namespace

Result<Bytes> parse_name(std::string_view text) {
  const auto name = name_of(text);
  if (!name) return fail(name.error());
  return encoded(name->get(), i2d_X509_NAME);
}

Result<Secret> new_private_key(KeyType type, int rsa_bits) {
  static constexpr std::array<const char*, 6> kAlgorithms = {"RSA", "P-256", "P-384", "P-521", "ED25519", "ED448"};
  const char* name = kAlgorithms.at(static_cast<std::size_t>(type));
  KeyPtr key;
  if (type == KeyType::Rsa) {
    if (rsa_bits < kLeastRsaBits || rsa_bits > kMostRsaBits)
      return config_error("an RSA key has " + std::to_string(kLeastRsaBits) + " to " + std::to_string(kMostRsaBits) + " bits");
    key.reset(EVP_RSA_gen(static_cast<unsigned>(rsa_bits)));
  } else if (type == KeyType::Ed25519 || type == KeyType::Ed448) {
    key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, name));
  } else {
    key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", name));
  }
  require(key != nullptr);
  const auto info = owned<Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>>(EVP_PKEY2PKCS8(key.get()));
  unsigned char* der = nullptr;
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info.get(), &der);
  require(size > 0);
  Secret out(ByteView(der, static_cast<std::size_t>(size)));
  OPENSSL_clear_free(der, static_cast<std::size_t>(size));
  return out;
}

Result<Bytes> self_sign(const CertificateRequest& request, ByteView private_key) {
  const ErrorQueue queue;
  const auto key = private_key_of(private_key);
  if (!key) return fail(key.error());
  return make_certificate(request, key->get(), nullptr, key->get());
}

Result<Bytes> issue(const CertificateRequest& request, ByteView public_key, ByteView authority, ByteView authority_key) {
  const ErrorQueue queue;
  const auto issuer = read_authority(authority, authority_key);
  if (!issuer) return fail(issuer.error());
  const unsigned char* at = public_key.data();
  const KeyPtr key(d2i_PUBKEY(nullptr, &at, static_cast<long>(public_key.size())));
  if (!key) return config_error("the public key cannot be read");
  return make_certificate(request, key.get(), issuer->certificate.get(), issuer->key.get());
}

Result<Bytes> make_revocation_list(const std::vector<RevokedCertificate>& revoked, std::uint64_t number, sys_seconds this_update,
                                   sys_seconds next_update, ByteView authority, ByteView authority_key, std::optional<std::uint64_t> base,
                                   const std::vector<std::string>& delta_uris) {
  const ErrorQueue queue;
  if (const Status right = check_uris(delta_uris); !right) return fail(right.error());
  const auto issuer = read_authority(authority, authority_key);
  if (!issuer) return fail(issuer.error());
  const auto list = owned<CrlPtr>(X509_CRL_new());
  require(X509_CRL_set_version(list.get(), kCrlVersion2) == 1 &&
          X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(issuer->certificate.get())) == 1 &&
          X509_CRL_set1_lastUpdate(list.get(), asn1_time(this_update).get()) == 1 &&
          X509_CRL_set1_nextUpdate(list.get(), asn1_time(next_update).get()) == 1);
  for (const RevokedCertificate& one : revoked) {
    BIGNUM* parsed = nullptr;
    if (one.serial.empty() || BN_hex2bn(&parsed, one.serial.c_str()) != static_cast<int>(one.serial.size())) {
      BN_free(parsed);
      return config_error("\"" + one.serial + "\" is not a serial number in hexadecimal");
    }
    const Owned<BIGNUM, BN_free> value(parsed);
    const NumberPtr serial(BN_to_ASN1_INTEGER(value.get(), nullptr));
    auto entry = owned<Owned<X509_REVOKED, X509_REVOKED_free>>(X509_REVOKED_new());
    require(serial && X509_REVOKED_set_serialNumber(entry.get(), serial.get()) == 1 &&
            X509_REVOKED_set_revocationDate(entry.get(), asn1_time(one.when).get()) == 1 &&
            X509_CRL_add0_revoked(list.get(), entry.get()) == 1);
    entry.release();
  }
  const auto list_number = owned<NumberPtr>(ASN1_INTEGER_new());
  require(ASN1_INTEGER_set_uint64(list_number.get(), number) == 1 &&
          X509_CRL_add1_ext_i2d(list.get(), NID_crl_number, list_number.get(), 0, X509V3_ADD_DEFAULT) == 1);
  if (base) {
    require(ASN1_INTEGER_set_uint64(list_number.get(), *base) == 1 &&
            X509_CRL_add1_ext_i2d(list.get(), NID_delta_crl, list_number.get(), 1, X509V3_ADD_DEFAULT) == 1);
  }
  if (!delta_uris.empty()) {
    const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(
        X509V3_EXT_nconf_nid(nullptr, nullptr, NID_freshest_crl, points(delta_uris).c_str()));
    require(extension && X509_CRL_add_ext(list.get(), extension.get(), -1) == 1);
  }
  require(X509_CRL_sort(list.get()) == 1 && X509_CRL_sign(list.get(), issuer->key.get(), digest_for(issuer->key.get())) > 0);
  return encoded(list.get(), i2d_X509_CRL);
}

Result<RevocationList> read_revocation_list(ByteView der) {
  const ErrorQueue queue;
  const unsigned char* at = der.data();
  const CrlPtr list(d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())));
  if (!list || at != der.data() + der.size()) return config_error("is not a revocation list");
  const auto this_update = time_of(X509_CRL_get0_lastUpdate(list.get()));
  const auto next_update = time_of(X509_CRL_get0_nextUpdate(list.get()));
  if (!this_update || !next_update) return config_error("is a revocation list without readable dates");
  RevocationList out{text_of(X509_CRL_get_issuer(list.get())), 0, *this_update, *next_update, {}, {}, {}};
  const NumberPtr number(static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(list.get(), NID_crl_number, nullptr, nullptr)));
  if (number) ASN1_INTEGER_get_uint64(&out.number, number.get());
  const NumberPtr base(static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(list.get(), NID_delta_crl, nullptr, nullptr)));
  if (base && ASN1_INTEGER_get_uint64(&out.base.emplace(), base.get()) != 1) return config_error("is a delta of a list without a number");
  if (const auto read = Crl::read(der)) out.delta_uris = read->delta_uris();
  STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(list.get());
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    const X509_REVOKED* entry = sk_X509_REVOKED_value(entries, i);
    const auto when = time_of(X509_REVOKED_get0_revocationDate(entry));
    out.revoked.push_back({to_hex(octets_of(X509_REVOKED_get0_serialNumber(entry))), when.value_or(*this_update)});
  }
  return out;
}

std::span<const KeyKind> key_kinds() {
  static constexpr std::array<KeyKind, 9> kKinds = {{{"ecdsa-p256", KeyType::EcdsaP256, 0},
                                                     {"ecdsa-p384", KeyType::EcdsaP384, 0},
                                                     {"ecdsa-p521", KeyType::EcdsaP521, 0},
                                                     {"ed25519", KeyType::Ed25519, 0},
                                                     {"ed448", KeyType::Ed448, 0},
                                                     {"rsa-2048", KeyType::Rsa, 2048},
                                                     {"rsa-3072", KeyType::Rsa, 3072},
                                                     {"rsa-4096", KeyType::Rsa, 4096},
                                                     {"rsa-8192", KeyType::Rsa, 8192}}};
  return kKinds;
}

const KeyKind* find_key_kind(std::string_view name) {
  const auto kinds = key_kinds();
  const auto found = std::find_if(kinds.begin(), kinds.end(), [&](const KeyKind& one) { return one.name == name; });
  return found == kinds.end() ? nullptr : &*found;
}

Result<AltName> parse_alt_name(const std::string& text) {
  if (const auto address = IpAddress::parse(text)) return AltName{AltName::Kind::Ip, to_bytes(address->bytes())};
  const bool printable = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
  if (text.empty() || !printable || text.find_first_of(",:/") != std::string::npos)
    return config_error("\"" + text + "\" is no alternative name: expected an address, a host name, or user@host");
  return AltName{text.find('@') == std::string::npos ? AltName::Kind::Dns : AltName::Kind::Email, to_bytes(as_bytes(text))};
}

Result<Bytes> make_pkcs10(const std::string& subject, const std::vector<AltName>& alt_names, ByteView private_key) {
  const ErrorQueue queue;
  const auto key = private_key_of(private_key);
  if (!key) return fail(key.error());
  const auto name = name_of(subject);
  if (!name) return fail(name.error());
  const auto request = owned<Pkcs10Ptr>(X509_REQ_new());
  require(X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 && X509_REQ_set_subject_name(request.get(), name->get()) == 1 &&
          X509_REQ_set_pubkey(request.get(), key->get()) == 1);
  if (!alt_names.empty()) {
    STACK_OF(X509_EXTENSION)* made = nullptr;
    const bool added = X509V3_add1_i2d(&made, NID_subject_alt_name, general_names(alt_names).get(), 0, X509V3_ADD_DEFAULT) == 1;
    const Owned<STACK_OF(X509_EXTENSION), free_extensions> extensions(made);
    require(added && X509_REQ_add_extensions(request.get(), extensions.get()) == 1);
  }
  require(X509_REQ_sign(request.get(), key->get(), digest_for(key->get())) > 0);
  return encoded(request.get(), i2d_X509_REQ);
}

Result<Pkcs10> read_pkcs10(ByteView octets) {
  const ErrorQueue queue;
  const auto bio = owned<Owned<BIO, BIO_free_all>>(BIO_new_mem_buf(octets.data(), static_cast<int>(octets.size())));
  Pkcs10Ptr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (!request) {
    const unsigned char* at = octets.data();
    request.reset(d2i_X509_REQ(nullptr, &at, static_cast<long>(octets.size())));
  }
  if (!request) return config_error("is not a request for a certificate (PKCS#10) in PEM or DER");
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || X509_REQ_verify(request.get(), key) != 1)
    return config_error("is a request for a certificate whose signature is not by the key that it names");
  Pkcs10 out;
  out.subject_text = text_of(X509_REQ_get_subject_name(request.get()));
  out.subject = encoded(X509_REQ_get_subject_name(request.get()), i2d_X509_NAME);
  out.public_key = encoded(key, i2d_PUBKEY);
  const Owned<STACK_OF(X509_EXTENSION), free_extensions> extensions(X509_REQ_get_extensions(request.get()));
  const Owned<GENERAL_NAMES, GENERAL_NAMES_free> names(
      static_cast<GENERAL_NAMES*>(X509V3_get_d2i(extensions.get(), NID_subject_alt_name, nullptr, nullptr)));
  read_alt_names(names.get(), out.alt_names);
  return out;
}

std::string to_pem(std::string_view label, ByteView der) {
  const auto bio = owned<Owned<BIO, BIO_free_all>>(BIO_new(BIO_s_mem()));
  require(PEM_write_bio(bio.get(), std::string(label).c_str(), "", der.data(), static_cast<long>(der.size())) > 0);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace svti::crypto
