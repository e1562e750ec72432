// SPDX-License-Identifier: Apache-2.0
// An OpenSSL provider of two operations: keys (of which it has the public half alone, kept by the default provider) and signatures.
#include "crypto/remote_key.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace svti::crypto {
namespace {

using KeyPtr = Owned<EVP_PKEY, EVP_PKEY_free>;
using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;

constexpr const char* kProvider = "svti";
constexpr const char* kQuery = "provider=svti";
constexpr const char* kTheirs = "provider=default";
// what remote_key() gives the provider: a pointer to one of these, within one call
constexpr const char* kSourceName = "svti-source";
struct Source {
  EVP_PKEY* shown;
  RemoteSigner* signer;
  std::size_t key;
};

OSSL_LIB_CTX* library = nullptr;  // once remote_key_library() has been called

// ---- keys

struct KeyData {
  const char* type;
  KeyPtr shown;  // the public half
  RemoteSigner* signer = nullptr;
  std::size_t key = 0;
};
const KeyData& data_of(const void* data) { return *static_cast<const KeyData*>(data); }

constexpr std::array<const char*, 4> kTypes = {"RSA", "EC", "ED25519", "ED448"};

template <std::size_t Type>
void* new_key(void*) {
  return new (std::nothrow) KeyData{kTypes[Type], {}, nullptr, 0};
}
void free_key(void* data) { delete static_cast<KeyData*>(data); }

int has(const void* data, int) { return data_of(data).shown ? 1 : 0; }

int match(const void* ours, const void* theirs, int selection) {
  if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0) return 1;
  const KeyData &one = data_of(ours), &other = data_of(theirs);
  return one.shown && other.shown && EVP_PKEY_eq(one.shown.get(), other.shown.get()) == 1 ? 1 : 0;
}

// From remote_key(), or the public key of a certificate that is to be compared with ours.
int import_key(void* data, int, const OSSL_PARAM* parameters) {
  auto& into = *static_cast<KeyData*>(data);
  if (const OSSL_PARAM* given = OSSL_PARAM_locate_const(parameters, kSourceName)) {
    const Source* source = nullptr;
    if (given->data_size != sizeof source) return 0;
    std::memcpy(&source, given->data, sizeof source);
    if (EVP_PKEY_up_ref(source->shown) != 1) return 0;
    into.shown.reset(source->shown);
    into.signer = source->signer;
    into.key = source->key;
    return 1;
  }
  const KeyContext context(EVP_PKEY_CTX_new_from_name(library, into.type, kTheirs));
  EVP_PKEY* made = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, const_cast<OSSL_PARAM*>(parameters)) != 1) {
    return 0;
  }
  into.shown.reset(made);
  return 1;
}

// The public half alone goes elsewhere: asked for more, OpenSSL learns that it has to sign here.
int export_key(void* data, int selection, OSSL_CALLBACK* callback, void* argument) {
  const KeyData& key = data_of(data);
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 || !key.shown) return 0;
  return EVP_PKEY_export(key.shown.get(), EVP_PKEY_PUBLIC_KEY, callback, argument);
}

const OSSL_PARAM* key_types(int) {
  static const std::array<OSSL_PARAM, 2> kKnown = {{OSSL_PARAM_octet_string(kSourceName, nullptr, 0), OSSL_PARAM_END}};
  return kKnown.data();
}

int get_parameters(void* data, OSSL_PARAM* parameters) {
  const KeyData& key = data_of(data);
  return key.shown ? EVP_PKEY_get_params(key.shown.get(), parameters) : 0;
}

const OSSL_PARAM* gettable_parameters(void*) {
  static const std::array<OSSL_PARAM, 8> kKnown = {
      {OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr), OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
       OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr), OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, nullptr, 0),
       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, nullptr, 0), OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0),
       OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, nullptr, 0), OSSL_PARAM_END}};
  return kKnown.data();
}

template <std::size_t Type>
const char* operation_name(int operation) {
  if (operation != OSSL_OP_SIGNATURE) return nullptr;
  return std::string_view(kTypes[Type]) == "EC" ? "ECDSA" : kTypes[Type];
}

using Function = void (*)();
template <typename F>
Function function(F* pointer) {
  return reinterpret_cast<Function>(pointer);
}

template <std::size_t Type>
const OSSL_DISPATCH* key_functions() {
  static const std::array<OSSL_DISPATCH, 12> kFunctions = {{
      {OSSL_FUNC_KEYMGMT_NEW, function(new_key<Type>)},
      {OSSL_FUNC_KEYMGMT_FREE, function(free_key)},
      {OSSL_FUNC_KEYMGMT_HAS, function(has)},
      {OSSL_FUNC_KEYMGMT_MATCH, function(match)},
      {OSSL_FUNC_KEYMGMT_IMPORT, function(import_key)},
      {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, function(key_types)},
      {OSSL_FUNC_KEYMGMT_EXPORT, function(export_key)},
      {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, function(key_types)},
      {OSSL_FUNC_KEYMGMT_GET_PARAMS, function(get_parameters)},
      {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, function(gettable_parameters)},
      {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, function(operation_name<Type>)},
      {0, nullptr},
  }};
  return kFunctions.data();
}

// ---- signatures

struct Signing {
  const KeyData* key = nullptr;
  SignatureHash hash = SignatureHash::Identity;
  RsaPadding padding = RsaPadding::Pkcs1;
};

void* new_signing(void*, const char*) { return new (std::nothrow) Signing; }
void free_signing(void* signing) { delete static_cast<Signing*>(signing); }

std::optional<SignatureHash> hash_named(const char* name) {
  const std::string_view text = name == nullptr ? "" : name;
  if (text.empty()) return SignatureHash::Identity;
  if (text == "SHA256" || text == "SHA2-256") return SignatureHash::Sha256;
  if (text == "SHA384" || text == "SHA2-384") return SignatureHash::Sha384;
  if (text == "SHA512" || text == "SHA2-512") return SignatureHash::Sha512;
  return std::nullopt;
}

int set_signing_parameters(void* signing, const OSSL_PARAM* parameters) {
  auto& with = *static_cast<Signing*>(signing);
  if (const OSSL_PARAM* padding = OSSL_PARAM_locate_const(parameters, OSSL_SIGNATURE_PARAM_PAD_MODE)) {
    int number = 0;
    const char* text = nullptr;
    if (OSSL_PARAM_get_int(padding, &number) != 1) {
      if (OSSL_PARAM_get_utf8_string_ptr(padding, &text) != 1 && padding->data_type == OSSL_PARAM_UTF8_STRING)
        text = static_cast<const char*>(padding->data);
      if (text == nullptr) return 0;
      number = std::string_view(text) == OSSL_PKEY_RSA_PAD_MODE_PSS       ? RSA_PKCS1_PSS_PADDING
               : std::string_view(text) == OSSL_PKEY_RSA_PAD_MODE_PKCSV15 ? RSA_PKCS1_PADDING
                                                                          : 0;
    }
    if (number != RSA_PKCS1_PSS_PADDING && number != RSA_PKCS1_PADDING) return 0;
    with.padding = number == RSA_PKCS1_PSS_PADDING ? RsaPadding::Pss : RsaPadding::Pkcs1;
  }
  // The signer's salt has the size of the hash, which is what TLS wants (RFC 8446 4.2.3).
  if (const OSSL_PARAM* salt = OSSL_PARAM_locate_const(parameters, OSSL_SIGNATURE_PARAM_PSS_SALTLEN)) {
    int number = 0;
    if (OSSL_PARAM_get_int(salt, &number) == 1) return number == RSA_PSS_SALTLEN_DIGEST ? 1 : 0;
    return salt->data_type == OSSL_PARAM_UTF8_STRING && salt->data != nullptr &&
                   std::string_view(static_cast<const char*>(salt->data)) == OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST
               ? 1
               : 0;
  }
  return 1;
}

const OSSL_PARAM* settable_signing_parameters(void*, void*) {
  static const std::array<OSSL_PARAM, 3> kKnown = {{OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, nullptr, 0),
                                                    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, nullptr, 0), OSSL_PARAM_END}};
  return kKnown.data();
}

// What the signer does not do is not to be chosen: a curve goes with the hash of its size, EdDSA with none.
int begin_signing(void* signing, const char* hash_name, void* data, const OSSL_PARAM* parameters) {
  auto& with = *static_cast<Signing*>(signing);
  const auto hash = hash_named(hash_name);
  if (data == nullptr || !hash) return 0;
  const KeyData& key = data_of(data);
  if (!key.shown || key.signer == nullptr) return 0;
  const std::string_view type = key.type;
  const int bits = EVP_PKEY_get_bits(key.shown.get());
  if (type == "EC") {
    const auto curves = bits <= 256 ? SignatureHash::Sha256 : bits <= 384 ? SignatureHash::Sha384 : SignatureHash::Sha512;
    if (*hash != curves) return 0;
  } else if ((type == "RSA") == (*hash == SignatureHash::Identity)) {
    return 0;
  }
  with = {&key, *hash, RsaPadding::Pkcs1};
  return set_signing_parameters(signing, parameters);
}

int sign(void* signing, unsigned char* signature, std::size_t* size, std::size_t room, const unsigned char* octets, std::size_t count) {
  const auto& with = *static_cast<const Signing*>(signing);
  if (with.key == nullptr) return 0;
  if (signature == nullptr) {
    *size = static_cast<std::size_t>(EVP_PKEY_get_size(with.key->shown.get()));
    return 1;
  }
  const auto made = with.key->signer->sign_remotely(with.key->key, {Bytes(octets, octets + count), with.hash, with.padding});
  if (!made || made->size() > room) return 0;
  std::copy(made->begin(), made->end(), signature);
  *size = made->size();
  return 1;
}

const OSSL_DISPATCH* signature_functions() {
  static const std::array<OSSL_DISPATCH, 7> kFunctions = {{
      {OSSL_FUNC_SIGNATURE_NEWCTX, function(new_signing)},
      {OSSL_FUNC_SIGNATURE_FREECTX, function(free_signing)},
      {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, function(begin_signing)},
      {OSSL_FUNC_SIGNATURE_DIGEST_SIGN, function(sign)},
      {OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, function(set_signing_parameters)},
      {OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, function(settable_signing_parameters)},
      {0, nullptr},
  }};
  return kFunctions.data();
}

// ---- the provider

const OSSL_ALGORITHM* operations(void*, int operation, int* no_store) {
  static const std::array<OSSL_ALGORITHM, 5> kKeys = {{
      {"RSA:rsaEncryption", kQuery, key_functions<0>(), nullptr},
      {"EC:id-ecPublicKey", kQuery, key_functions<1>(), nullptr},
      {"ED25519", kQuery, key_functions<2>(), nullptr},
      {"ED448", kQuery, key_functions<3>(), nullptr},
      {nullptr, nullptr, nullptr, nullptr},
  }};
  static const std::array<OSSL_ALGORITHM, 5> kSignatures = {{
      {"RSA:rsaEncryption", kQuery, signature_functions(), nullptr},
      {"ECDSA", kQuery, signature_functions(), nullptr},
      {"ED25519", kQuery, signature_functions(), nullptr},
      {"ED448", kQuery, signature_functions(), nullptr},
      {nullptr, nullptr, nullptr, nullptr},
  }};
  *no_store = 0;
  if (operation == OSSL_OP_KEYMGMT) return kKeys.data();
  if (operation == OSSL_OP_SIGNATURE) return kSignatures.data();
  return nullptr;
}

int begin_provider(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH*, const OSSL_DISPATCH** out, void** context) {
  static const std::array<OSSL_DISPATCH, 2> kFunctions = {{{OSSL_FUNC_PROVIDER_QUERY_OPERATION, function(operations)}, {0, nullptr}}};
  *out = kFunctions.data();
  *context = const_cast<OSSL_CORE_HANDLE*>(handle);
  return 1;
}

// never freed: what was made in it may outlive everything
OSSL_LIB_CTX* make_library() {
  OSSL_LIB_CTX* made = OSSL_LIB_CTX_new();
  if (made == nullptr) throw std::bad_alloc();
  // Where nobody says which, a peer's public key for one, the default provider is meant.
  if (OSSL_PROVIDER_load(made, "default") == nullptr || OSSL_PROVIDER_add_builtin(made, kProvider, begin_provider) != 1 ||
      OSSL_PROVIDER_load(made, kProvider) == nullptr || EVP_set_default_properties(made, "?provider=default") != 1) {
    OSSL_LIB_CTX_free(made);
    return nullptr;
  }
  return made;
}

}  // namespace

OSSL_LIB_CTX* remote_key_library() {
  static const bool kMade = (library = make_library()) != nullptr;
  return kMade ? library : nullptr;
}

void free_remote_key(evp_pkey_st* key) { EVP_PKEY_free(key); }

Result<RemoteKeyPtr> remote_key(ByteView spki, RemoteSigner& signer, std::size_t key) {
  const ErrorQueue queue;
  const auto readable = VerifyingKey::from_spki(spki);
  if (!readable) return fail(readable.error());
  OSSL_LIB_CTX* where = remote_key_library();
  if (where == nullptr) return system_error("OpenSSL has no default provider");
  const unsigned char* at = spki.data();
  const KeyPtr shown(d2i_PUBKEY_ex(nullptr, &at, static_cast<long>(spki.size()), where, kTheirs));
  if (!shown) return config_error("is not a public key that can be read");
  const auto* type = std::find_if(kTypes.begin(), kTypes.end(), [&](const char* one) { return EVP_PKEY_is_a(shown.get(), one) == 1; });
  if (type == kTypes.end()) return config_error("is a key of a kind that TLS does not have");
  const Source source{shown.get(), &signer, key};
  const Source* pointer = &source;
  std::array parameters = {OSSL_PARAM_construct_octet_string(kSourceName, &pointer, sizeof pointer), OSSL_PARAM_construct_end()};
  const auto context = owned<KeyContext>(EVP_PKEY_CTX_new_from_name(where, *type, kQuery));
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 || EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_KEYPAIR, parameters.data()) != 1)
    return system_error("OpenSSL does not take a key that is elsewhere: " + queue.last());
  return RemoteKeyPtr(made);
}

}  // namespace svti::crypto
