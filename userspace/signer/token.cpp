// SPDX-License-Identifier: Apache-2.0
#include "signer/token.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "base/log.h"

namespace svti::signer {

namespace {

// A module is not believed: what it counts and measures is bounded.
constexpr CK_ULONG kMostSlots = 1024;
constexpr CK_ULONG kMostAttribute = 64 * 1024;  // octets; the largest is a certificate
constexpr std::size_t kMostSignature = 2048;
constexpr std::size_t kMostModules = 64;

using Failure = Token::Failure;
template <typename T>
using Found = tl::expected<T, Failure>;

tl::unexpected<Failure> failure(std::string message, bool pin_refused = false) {
  return tl::unexpected<Failure>(Failure{std::move(message), pin_refused});
}

std::string words(CK_RV error) {
  std::array<char, 20> number{};
  std::snprintf(number.data(), number.size(), "0x%lx", error);
  const char* text = p11_kit_strerror(error);
  return (text != nullptr ? std::string(text) + ", " : std::string()) + "CKR " + number.data();
}

using UriPtr = std::unique_ptr<P11KitUri, void (*)(P11KitUri*)>;

// fields of PKCS#11 are padded with blanks
template <std::size_t Size>
std::string text_of(const unsigned char (&field)[Size]) {
  std::string_view text(reinterpret_cast<const char*>(field), Size);
  while (text.ends_with(' ') || text.ends_with('\0')) text.remove_suffix(1);
  return printable(text);
}

Status may_load(const char* path, uid_t owner) {
  const std::unique_ptr<char, void (*)(void*)> real(realpath(path, nullptr), std::free);
  struct stat about {};
  if (!real || stat(real.get(), &about) != 0)
    return config_error("module " + printable(path) + " cannot be found: " + std::strerror(errno));
  if (!S_ISREG(about.st_mode)) return config_error("module " + printable(path) + " is not a file");
  if (about.st_uid != 0 && about.st_uid != owner)
    return config_error("module " + printable(path) + " does not belong to root: chown root it");
  if ((about.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return config_error("module " + printable(path) + " can be written by others: chmod go-w it");
  return {};
}

// CKR of a login that says nothing about the PIN
bool is_absence(CK_RV error) { return error == CKR_TOKEN_NOT_PRESENT || error == CKR_DEVICE_REMOVED; }

struct HashNames {
  CK_MECHANISM_TYPE hash;
  CK_ULONG mask;
  CK_ULONG size;
};
HashNames names_of(crypto::SignatureHash hash) {
  switch (hash) {
    case crypto::SignatureHash::Sha384:
      return {CKM_SHA384, CKG_MGF1_SHA384, 48};
    case crypto::SignatureHash::Sha512:
      return {CKM_SHA512, CKG_MGF1_SHA512, 64};
    default:
      return {CKM_SHA256, CKG_MGF1_SHA256, 32};
  }
}

}  // namespace

struct Token::Impl {
  struct Key {
    CK_OBJECT_HANDLE object = 0;
    crypto::VerifyingKey public_key;
    bool asks_each_time = false;  // CKA_ALWAYS_AUTHENTICATE
  };

  uid_t owner;
  std::function<void(LoginNote)> note;
  CK_FUNCTION_LIST* module = nullptr;
  CK_SLOT_ID slot = 0;
  std::optional<CK_SESSION_HANDLE> session;
  std::string label;
  bool logged_in = false;
  Secret pin;  // that was taken
  std::map<Bytes, Key> keys;

  // --- module and token

  Found<std::vector<CK_FUNCTION_LIST*>> load(P11KitUri* uri) const {
    std::vector<CK_FUNCTION_LIST*> out;
    if (const char* path = p11_kit_uri_get_module_path(uri)) {
      if (const Status may = may_load(path, owner); !may) return failure(may.error().message);
      CK_FUNCTION_LIST* one = p11_kit_module_load(path, 0);
      if (one == nullptr) {
        const char* why = p11_kit_message();
        return failure("module " + printable(path) + " cannot be loaded: " + printable(why != nullptr ? why : "no reason was given"));
      }
      if (const CK_RV error = p11_kit_module_initialize(one); error != CKR_OK)
        return failure("module " + printable(path) + " does not start: " + words(error));
      return std::vector{one};
    }
    CK_FUNCTION_LIST** all = p11_kit_modules_load_and_initialize(0);
    if (all == nullptr) return failure("the modules of p11-kit's configuration cannot be loaded: name one by module-path");
    const char* name = p11_kit_uri_get_module_name(uri);
    for (; *all != nullptr && out.size() < kMostModules; ++all) {
      const std::unique_ptr<char, void (*)(void*)> its(p11_kit_module_get_name(*all), std::free);
      if (name == nullptr || (its && std::strcmp(name, its.get()) == 0)) out.push_back(*all);
    }
    if (out.empty() && name != nullptr)
      return failure("there is no module " + printable(name) +
                     " in p11-kit's configuration (p11-kit list-modules): name one by module-path");
    return out;
  }

  struct Seen {
    CK_FUNCTION_LIST* module;
    CK_SLOT_ID slot;
    std::string label;
  };

  // Tokens of `one` that fit; `others`: labels of those that do not.
  static void look(CK_FUNCTION_LIST* one, P11KitUri* uri, std::vector<Seen>& fitting, std::string& others) {
    CK_INFO about{};
    if (one->C_GetInfo(&about) == CKR_OK && p11_kit_uri_match_module_info(uri, &about) == 0) return;
    CK_ULONG count = 0;
    if (one->C_GetSlotList(CK_TRUE, nullptr, &count) != CKR_OK || count == 0) return;
    std::vector<CK_SLOT_ID> slots(std::min(count, kMostSlots));
    count = slots.size();
    if (one->C_GetSlotList(CK_TRUE, slots.data(), &count) != CKR_OK) return;
    slots.resize(std::min<std::size_t>(count, slots.size()));
    const CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(uri);
    for (const CK_SLOT_ID id : slots) {
      CK_SLOT_INFO place{};
      CK_TOKEN_INFO token{};
      if (one->C_GetSlotInfo(id, &place) != CKR_OK || one->C_GetTokenInfo(id, &token) != CKR_OK) continue;
      if ((token.flags & CKF_TOKEN_INITIALIZED) == 0) continue;
      const bool fits = (wanted == static_cast<CK_SLOT_ID>(-1) || wanted == id) && p11_kit_uri_match_slot_info(uri, &place) == 1 &&
                        p11_kit_uri_match_token_info(uri, &token) == 1;
      if (fits) {
        fitting.push_back({one, id, text_of(token.label)});
      } else if (others.size() < 200) {
        others += (others.empty() ? "" : ", ") + text_of(token.label);
      }
    }
  }

  Found<void> reach(P11KitUri* uri) {
    if (session) return {};
    const auto modules = load(uri);
    if (!modules) return tl::unexpected(modules.error());
    std::vector<Seen> fitting;
    std::string others;
    for (CK_FUNCTION_LIST* one : *modules) look(one, uri, fitting, others);
    if (fitting.empty())
      return failure("no token fits: put it in, or mend the URI (" + (others.empty() ? "there is none" : "there is " + others) + ")");
    if (fitting.size() > 1) return failure(std::to_string(fitting.size()) + " tokens fit: name one by token, serial or slot-id");
    const Seen& one = fitting.front();
    CK_SESSION_HANDLE handle = 0;
    if (const CK_RV error = one.module->C_OpenSession(one.slot, CKF_SERIAL_SESSION, nullptr, nullptr, &handle); error != CKR_OK)
      return failure("token " + one.label + " opens no session: " + words(error));
    module = one.module;
    slot = one.slot;
    label = one.label;
    session = handle;
    return {};
  }

  // Never where it could lock the token.
  Found<void> log_in(const Secret& given) {
    CK_TOKEN_INFO about{};
    if (const CK_RV error = module->C_GetTokenInfo(slot, &about); error != CKR_OK)
      return failure("token " + label + " says nothing of itself: " + words(error));
    if ((about.flags & CKF_LOGIN_REQUIRED) == 0) return {};
    if (logged_in) {
      if (constant_time_equal(pin.view(), given.view())) return {};
      return failure("token " + label + " was opened with another PIN: give the same for all of its keys");
    }
    if (given.empty())
      return failure("token " + label + " wants a PIN: put it into a file, and name that by pin-source or private-key-passphrase-file");
    if ((about.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0)
      return failure("token " + label + " wants its PIN on a reader's keys, which is not supported yet");
    if ((about.flags & CKF_USER_PIN_LOCKED) != 0)
      return failure("the PIN of token " + label + " is locked: unlock it with the PUK or as its SO", true);
    if ((about.flags & CKF_USER_PIN_FINAL_TRY) != 0)
      return failure("the PIN of token " + label +
                     " has one try left, which is not taken: log in by hand (pkcs11-tool --login --test), which gives the others back");
    note({false});
    Secret copy = given.clone();
    const CK_RV error = module->C_Login(*session, CKU_USER, copy.mutable_view().data(), copy.size());
    if (error == CKR_OK || error == CKR_USER_ALREADY_LOGGED_IN) {
      note({true});
      logged_in = true;
      pin = given.clone();
      return {};
    }
    if (is_absence(error)) note({true});
    const std::string why = error == CKR_PIN_INCORRECT ? "the PIN is wrong" : error == CKR_PIN_LOCKED ? "the PIN is locked" : words(error);
    return failure("token " + label + " refuses the login: " + why, !is_absence(error));
  }

  // --- objects

  // the value of an attribute; none: it has none, or it is too large
  std::optional<Bytes> attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const {
    CK_ATTRIBUTE one{type, nullptr, 0};
    if (module->C_GetAttributeValue(*session, object, &one, 1) != CKR_OK || one.ulValueLen > kMostAttribute) return std::nullopt;
    Bytes value(one.ulValueLen);
    one.pValue = value.data();
    if (module->C_GetAttributeValue(*session, object, &one, 1) != CKR_OK || one.ulValueLen > value.size()) return std::nullopt;
    value.resize(one.ulValueLen);
    return value;
  }
  std::optional<CK_ULONG> number(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const {
    const auto value = attribute(object, type);
    CK_ULONG out = 0;
    if (!value || value->size() != sizeof out) return std::nullopt;
    std::memcpy(&out, value->data(), sizeof out);
    return out;
  }

  // At most two of them: more are not wanted.
  Found<std::vector<CK_OBJECT_HANDLE>> find(std::vector<CK_ATTRIBUTE> like) const {
    std::array<CK_OBJECT_HANDLE, 2> found{};
    CK_ULONG count = 0;
    CK_RV error = module->C_FindObjectsInit(*session, like.data(), like.size());
    if (error == CKR_OK) {
      error = module->C_FindObjects(*session, found.data(), found.size(), &count);
      (void)module->C_FindObjectsFinal(*session);
    }
    if (error != CKR_OK) return failure("token " + label + " cannot be searched: " + words(error));
    if (count > found.size()) return failure("token " + label + " finds more objects than were asked for: its module is broken");
    return std::vector<CK_OBJECT_HANDLE>(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count));
  }

  Found<CK_OBJECT_HANDLE> find_key(P11KitUri* uri) const {
    CK_OBJECT_CLASS kind = CKO_PRIVATE_KEY;
    std::vector<CK_ATTRIBUTE> like{{CKA_CLASS, &kind, sizeof kind}};
    for (const CK_ATTRIBUTE_TYPE type : {CKA_ID, CKA_LABEL}) {
      if (const CK_ATTRIBUTE* one = p11_kit_uri_get_attribute(uri, type)) like.push_back(*one);
    }
    const auto found = find(std::move(like));
    if (!found) return tl::unexpected(found.error());
    if (found->empty()) return failure("token " + label + " has no such private key: mend id or object of the URI");
    if (found->size() > 1) return failure("token " + label + " has several such private keys: name one by id and object");
    return found->front();
  }

  // What the token tells of the public half: by the key itself, its public key, or a certificate beside it.
  Found<Bytes> public_half(CK_OBJECT_HANDLE key) const {
    std::vector<CK_OBJECT_HANDLE> sources{key};
    auto id = attribute(key, CKA_ID);
    const auto beside = [&](CK_OBJECT_CLASS kind) -> std::vector<CK_OBJECT_HANDLE> {
      if (!id || id->empty()) return {};
      const auto found = find({{CKA_CLASS, &kind, sizeof kind}, {CKA_ID, id->data(), id->size()}});
      return found ? *found : std::vector<CK_OBJECT_HANDLE>();
    };
    for (const CK_OBJECT_HANDLE one : beside(CKO_PUBLIC_KEY)) sources.push_back(one);
    const auto type = number(key, CKA_KEY_TYPE);
    for (const CK_OBJECT_HANDLE one : sources) {
      Result<Bytes> made = config_error("nothing was told");
      if (type == CKK_RSA) {
        const auto modulus = attribute(one, CKA_MODULUS), exponent = attribute(one, CKA_PUBLIC_EXPONENT);
        if (modulus && exponent) made = crypto::spki_of_rsa(*modulus, *exponent);
      } else if (type == CKK_EC || type == CKK_EC_EDWARDS) {
        const auto parameters = attribute(one, CKA_EC_PARAMS), point = attribute(one, CKA_EC_POINT);
        if (parameters && point)
          made = type == CKK_EC ? crypto::spki_of_ec(*parameters, *point) : crypto::spki_of_edwards(*parameters, *point);
      }
      if (made) return std::move(*made);
    }
    for (const CK_OBJECT_HANDLE one : beside(CKO_CERTIFICATE)) {
      const auto der = attribute(one, CKA_VALUE);
      auto made = der ? crypto::spki_of_certificate(*der) : Result<Bytes>(config_error("nothing was told"));
      if (made) return std::move(*made);
    }
    return failure("token " + label +
                   " does not tell the public half of the key: put the public key or the certificate on it, with the same id");
  }

  // --- signing

  bool has(CK_MECHANISM_TYPE mechanism) const {
    CK_MECHANISM_INFO about{};
    return module->C_GetMechanismInfo(slot, mechanism, &about) == CKR_OK && (about.flags & CKF_SIGN) != 0;
  }

  Result<Bytes> operate(const Key& key, const crypto::DeviceWish& wish, bool& broken) const {
    const HashNames names = names_of(wish.hash);
    CK_RSA_PKCS_PSS_PARAMS pss{names.hash, names.mask, names.size};
    CK_MECHANISM mechanism{};
    std::string_view name;
    switch (wish.operation) {
      case crypto::DeviceWish::Operation::RsaPkcs1:
        mechanism = {CKM_RSA_PKCS, nullptr, 0};
        name = "RSA PKCS#1 (CKM_RSA_PKCS)";
        break;
      case crypto::DeviceWish::Operation::RsaPss:
        mechanism = {CKM_RSA_PKCS_PSS, &pss, sizeof pss};
        name = "RSA-PSS (CKM_RSA_PKCS_PSS)";
        break;
      case crypto::DeviceWish::Operation::Ecdsa:
        mechanism = {CKM_ECDSA, nullptr, 0};
        name = "ECDSA (CKM_ECDSA)";
        break;
      case crypto::DeviceWish::Operation::EdDsa:
        mechanism = {CKM_EDDSA, nullptr, 0};
        name = "EdDSA (CKM_EDDSA)";
        break;
    }
    if (!has(mechanism.mechanism)) return system_error("token " + label + " does not sign by " + std::string(name));
    broken = true;
    if (const CK_RV error = module->C_SignInit(*session, &mechanism, key.object); error != CKR_OK)
      return system_error("token " + label + " does not begin to sign by " + std::string(name) + ": " + words(error));
    if (key.asks_each_time) {
      Secret copy = pin.clone();
      if (const CK_RV error = module->C_Login(*session, CKU_CONTEXT_SPECIFIC, copy.mutable_view().data(), copy.size()); error != CKR_OK)
        return system_error("token " + label + " refuses the login for one signature: " + words(error));
    }
    Bytes input = wish.input;
    Bytes signature(kMostSignature);
    CK_ULONG size = signature.size();
    if (const CK_RV error = module->C_Sign(*session, input.data(), input.size(), signature.data(), &size); error != CKR_OK)
      return system_error("token " + label + " does not sign: " + words(error));
    if (size > signature.size()) return system_error("the token's signature has " + std::to_string(size) + " octets: its module is broken");
    signature.resize(size);
    broken = false;
    return signature;
  }

  Result<crypto::Signature> sign(const Key& key, ByteView octets, std::span<const crypto::SignatureHash> announced,
                                 crypto::RsaPadding padding, bool& broken) const {
    // what knows RFC 7427 and RSA knows both paddings, and has announced neither
    if (key.public_key.type() == crypto::KeyType::Rsa && !has(CKM_RSA_PKCS_PSS)) padding = crypto::RsaPadding::Pkcs1;
    return crypto::sign_by_device(key.public_key, octets, announced, padding,
                                  [&](const crypto::DeviceWish& wish) { return operate(key, wish, broken); });
  }
};

Token::Token(uid_t owner, std::function<void(LoginNote)> note)
    : impl_(new Impl{owner, std::move(note), nullptr, 0, {}, {}, false, {}, {}}) {}
// Modules are not finalised: the process ends, and one that hangs should not hang here.
Token::~Token() = default;

tl::expected<auth::TokenKeyFound, Token::Failure> Token::open(const OpenKey& request) {
  const UriPtr uri(p11_kit_uri_new(), p11_kit_uri_free);
  if (!uri || p11_kit_uri_parse(request.uri.c_str(), P11_KIT_URI_FOR_ANY, uri.get()) != P11_KIT_URI_OK)
    return failure("is not a PKCS#11 URI");
  if (const auto reached = impl_->reach(uri.get()); !reached) return tl::unexpected(reached.error());
  if (const auto in = impl_->log_in(request.pin); !in) return tl::unexpected(in.error());
  const auto object = impl_->find_key(uri.get());
  if (!object) return tl::unexpected(object.error());
  auto spki = request.public_key.empty() ? impl_->public_half(*object) : Found<Bytes>(request.public_key);
  if (!spki) return tl::unexpected(spki.error());
  const auto key = crypto::VerifyingKey::from_spki(*spki);
  if (!key) return failure(key.error().message);
  const auto always = impl_->attribute(*object, CKA_ALWAYS_AUTHENTICATE);
  Impl::Key opened{*object, *key, always && always->size() == 1 && always->front() != CK_FALSE};
  static constexpr std::array kTrial = {crypto::SignatureHash::Sha256, crypto::SignatureHash::Sha384, crypto::SignatureHash::Sha512,
                                        crypto::SignatureHash::Identity};
  if (const auto tried = impl_->sign(opened, Bytes(32, 0x5a), kTrial, crypto::RsaPadding::Pss, broken_); !tried)
    return failure(tried.error().message);
  impl_->keys.insert_or_assign(request.id, std::move(opened));
  return auth::TokenKeyFound{impl_->label, std::move(*spki)};
}

void Token::close(const Bytes& id) { impl_->keys.erase(id); }

Result<crypto::Signature> Token::sign(const auth::SigningRequest& request) {
  const auto found = impl_->keys.find(request.key_id);
  if (found == impl_->keys.end()) return system_error("the token's process has no such key");
  return impl_->sign(found->second, request.octets, request.announced, request.padding, broken_);
}

}  // namespace svti::signer
