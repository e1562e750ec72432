// SPDX-License-Identifier: Apache-2.0
#include "crypto/token_uri.h"

#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include <charconv>
#include <cstdlib>
#include <memory>
#include <new>

namespace svti::crypto {

namespace {

constexpr std::size_t kMaxUri = 2048;  // octets
constexpr std::size_t kMaxId = 256;

using UriPtr = std::unique_ptr<P11KitUri, void (*)(P11KitUri*)>;

UriPtr new_uri() {
  UriPtr uri(p11_kit_uri_new(), p11_kit_uri_free);
  if (!uri) throw std::bad_alloc();
  return uri;
}

std::string format(P11KitUri* uri) {
  char* made = nullptr;
  if (p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &made) != P11_KIT_URI_OK || made == nullptr) throw std::bad_alloc();
  const std::unique_ptr<char, void (*)(void*)> owner(made, std::free);
  return made;
}

Result<std::string> path_of(std::string_view source) {
  if (source.starts_with("file://")) source.remove_prefix(7);
  if (source.starts_with("file:")) source.remove_prefix(5);
  if (source.starts_with("/") && source.size() > 1) return std::string(source);
  return config_error("has a pin-source that is not the path of a file, from /");
}

}  // namespace

Result<TokenUri> parse_token_uri(std::string_view text) {
  if (text.size() > kMaxUri) return config_error("has more than " + std::to_string(kMaxUri) + " octets");
  if (text.find('\0') != std::string_view::npos) return config_error("is not a PKCS#11 URI");
  const UriPtr uri = new_uri();
  if (const int parsed = p11_kit_uri_parse(std::string(text).c_str(), P11_KIT_URI_FOR_ANY, uri.get()); parsed != P11_KIT_URI_OK) {
    const char* why = p11_kit_uri_message(parsed);
    return config_error("is not a PKCS#11 URI (RFC 7512): " + std::string(why != nullptr ? why : "it cannot be parsed"));
  }
  if (p11_kit_uri_any_unrecognized(uri.get()) != 0)
    return config_error(
        "has an attribute that is not known: write token, serial, manufacturer, model, id, object, type, slot-id, "
        "module-name, module-path or pin-source");
  if (p11_kit_uri_get_pin_value(uri.get()) != nullptr)
    return config_error("holds the PIN itself: put it into a file, and name that by pin-source");
  if (const CK_ATTRIBUTE* type = p11_kit_uri_get_attribute(uri.get(), CKA_CLASS)) {
    CK_OBJECT_CLASS kind{};
    if (type->ulValueLen == sizeof kind) kind = *static_cast<const CK_OBJECT_CLASS*>(type->pValue);
    if (type->ulValueLen != sizeof kind || kind != CKO_PRIVATE_KEY) return config_error("is not about a private key: write type=private");
  }
  if (p11_kit_uri_get_attribute(uri.get(), CKA_ID) == nullptr && p11_kit_uri_get_attribute(uri.get(), CKA_LABEL) == nullptr)
    return config_error("does not say which key of the token: write id or object");
  const char* path = p11_kit_uri_get_module_path(uri.get());
  if (path != nullptr && path[0] != '/') return config_error("has a module-path that does not begin with /");
  TokenUri out;
  if (const char* source = p11_kit_uri_get_pin_source(uri.get())) {
    auto file = path_of(source);
    if (!file) return fail(file.error());
    out.pin_source = std::move(*file);
  }
  p11_kit_uri_set_pin_source(uri.get(), nullptr);
  out.text = format(uri.get());
  p11_kit_uri_clear_attributes(uri.get());
  out.place = format(uri.get());
  return out;
}

Result<std::string> token_uri_of(ByteView id, std::string_view slot, std::string_view module) {
  if (id.empty() || id.size() > kMaxId) return config_error("a handle of " + std::to_string(id.size()) + " octets");
  const UriPtr uri = new_uri();
  Bytes copy = to_bytes(id);
  CK_ATTRIBUTE attribute{CKA_ID, copy.data(), copy.size()};
  if (p11_kit_uri_set_attribute(uri.get(), &attribute) != P11_KIT_URI_OK) throw std::bad_alloc();
  if (!slot.empty()) {
    CK_SLOT_ID number = 0;
    const auto [end, error] = std::from_chars(slot.data(), slot.data() + slot.size(), number);
    if (error != std::errc() || end != slot.data() + slot.size()) return config_error("a slot that is not a number");
    p11_kit_uri_set_slot_id(uri.get(), number);
  }
  const std::string name(module);
  if (name.starts_with("/")) {
    p11_kit_uri_set_module_path(uri.get(), name.c_str());
  } else if (!name.empty()) {
    p11_kit_uri_set_module_name(uri.get(), name.c_str());
  }
  return format(uri.get());
}

}  // namespace svti::crypto
