// SPDX-License-Identifier: Apache-2.0
// A PKCS#11 module with one token and one RSA key, that misbehaves as SVTI_FAKE says. SVTI_FAKE_KEY: its key in PEM; SVTI_FAKE_LOG: gets a
// line for each login.
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <p11-kit/pkcs11.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

namespace {

int signatures = 0;
bool searching = false;

bool is(const char* what) {
  const char* mode = std::getenv("SVTI_FAKE");
  return mode != nullptr && std::strcmp(mode, what) == 0;
}
void hang() {
  while (true) pause();
}
template <std::size_t Size>
void fill(unsigned char (&field)[Size], const char* text) {
  std::memset(field, ' ', Size);
  std::memcpy(field, text, std::strlen(text));
}

CK_RV initialize(void*) { return CKR_OK; }
CK_RV finalize(void*) { return CKR_OK; }
CK_RV get_info(CK_INFO* out) {
  *out = {};
  out->cryptokiVersion = {2, 40};
  fill(out->manufacturerID, "svti");
  fill(out->libraryDescription, "fake");
  return CKR_OK;
}
CK_RV get_slot_list(unsigned char, CK_SLOT_ID* slots, CK_ULONG* count) {
  if (is("hang-slots")) hang();
  if (is("huge-slots")) {
    if (slots != nullptr) *slots = 1;
    *count = ~CK_ULONG{0} / 16;
    return CKR_OK;
  }
  if (slots != nullptr && *count == 0) return CKR_BUFFER_TOO_SMALL;
  if (slots != nullptr) *slots = 1;
  *count = 1;
  return CKR_OK;
}
CK_RV get_slot_info(CK_SLOT_ID id, CK_SLOT_INFO* out) {
  if (id != 1) return CKR_SLOT_ID_INVALID;
  *out = {};
  fill(out->slotDescription, "fake slot");
  fill(out->manufacturerID, "svti");
  out->flags = CKF_TOKEN_PRESENT;
  return CKR_OK;
}
CK_RV get_token_info(CK_SLOT_ID, CK_TOKEN_INFO* out) {
  *out = {};
  fill(out->label, "fake");
  fill(out->manufacturerID, "svti");
  fill(out->model, "f");
  fill(out->serialNumber, "1");
  out->flags = CKF_TOKEN_INITIALIZED | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED;
  if (is("final-try")) out->flags |= CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY;
  if (is("locked")) out->flags |= CKF_USER_PIN_LOCKED;
  return CKR_OK;
}
CK_RV get_mechanism_info(CK_SLOT_ID, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO* out) {
  if (type != CKM_RSA_PKCS || is("no-mechanism")) return CKR_MECHANISM_INVALID;
  *out = {};
  out->flags = CKF_SIGN;
  return CKR_OK;
}
CK_RV open_session(CK_SLOT_ID, CK_FLAGS, void*, CK_NOTIFY, CK_SESSION_HANDLE* out) {
  *out = 7;
  return CKR_OK;
}
CK_RV close_session(CK_SESSION_HANDLE) { return CKR_OK; }
CK_RV log_in(CK_SESSION_HANDLE, CK_USER_TYPE, unsigned char* pin, CK_ULONG size) {
  if (const char* file = std::getenv("SVTI_FAKE_LOG")) std::ofstream(file, std::ios::app) << "login\n";
  if (is("hang-login")) hang();
  if (is("die-in-login")) std::raise(SIGKILL);
  return std::string(reinterpret_cast<char*>(pin), size) == "1234" ? CKR_OK : CKR_PIN_INCORRECT;
}
CK_RV find_init(CK_SESSION_HANDLE, CK_ATTRIBUTE*, CK_ULONG) {
  searching = true;
  return CKR_OK;
}
CK_RV find(CK_SESSION_HANDLE, CK_OBJECT_HANDLE* out, CK_ULONG most, CK_ULONG* count) {
  *count = searching && most > 0 ? 1 : 0;
  if (most > 0) *out = 9;
  if (is("huge-objects")) *count = 1'000'000;
  searching = false;
  return CKR_OK;
}
CK_RV find_final(CK_SESSION_HANDLE) { return CKR_OK; }

EVP_PKEY* key() {
  static EVP_PKEY* const kKey = [] {
    FILE* file = std::fopen(std::getenv("SVTI_FAKE_KEY"), "re");
    return PEM_read_PrivateKey(file, nullptr, nullptr, nullptr);
  }();
  return kKey;
}

CK_RV get_attributes(CK_SESSION_HANDLE, CK_OBJECT_HANDLE, CK_ATTRIBUTE* attributes, CK_ULONG count) {
  for (CK_ULONG i = 0; i < count; ++i) {
    CK_ATTRIBUTE& one = attributes[i];
    std::string value;
    if (one.type == CKA_KEY_TYPE) {
      const CK_KEY_TYPE type = CKK_RSA;
      value.assign(reinterpret_cast<const char*>(&type), sizeof type);
    } else if (one.type == CKA_MODULUS || one.type == CKA_PUBLIC_EXPONENT) {
      BIGNUM* number = nullptr;
      EVP_PKEY_get_bn_param(key(), one.type == CKA_MODULUS ? "n" : "e", &number);
      value.resize(static_cast<std::size_t>(BN_num_bytes(number)));
      BN_bn2bin(number, reinterpret_cast<unsigned char*>(value.data()));
      BN_free(number);
    } else {
      one.ulValueLen = static_cast<CK_ULONG>(-1);
      return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (is("huge-attribute")) {
      one.ulValueLen = static_cast<CK_ULONG>(-2);
      return CKR_OK;
    }
    if (one.pValue != nullptr && one.ulValueLen < value.size()) return CKR_BUFFER_TOO_SMALL;
    if (one.pValue != nullptr) std::memcpy(one.pValue, value.data(), value.size());
    one.ulValueLen = value.size();
  }
  return CKR_OK;
}
CK_RV sign_init(CK_SESSION_HANDLE, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE) {
  ++signatures;
  if (is("session-lost") && signatures == 2) return CKR_SESSION_HANDLE_INVALID;
  return mechanism->mechanism == CKM_RSA_PKCS ? CKR_OK : CKR_MECHANISM_INVALID;
}
CK_RV sign(CK_SESSION_HANDLE, unsigned char* data, CK_ULONG size, unsigned char* out, CK_ULONG* room) {
  if (is("hang-sign") && signatures > 1) hang();
  if (is("die-sign") && signatures > 1) std::raise(SIGKILL);
  if (is("endless-signature")) {
    *room = CK_ULONG{1} << 40;
    return CKR_OK;
  }
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key(), nullptr);
  EVP_PKEY_sign_init(context);
  EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING);
  std::size_t made = *room;
  const bool right = EVP_PKEY_sign(context, out, &made, data, size) == 1;
  EVP_PKEY_CTX_free(context);
  *room = made;
  if (is("short-signature")) *room = 17;
  if (is("wrong-signature")) out[20] ^= 1;
  return right ? CKR_OK : CKR_FUNCTION_FAILED;
}

CK_FUNCTION_LIST functions = [] {
  CK_FUNCTION_LIST out{};
  out.version = {2, 40};
  out.C_Initialize = initialize;
  out.C_Finalize = finalize;
  out.C_GetInfo = get_info;
  out.C_GetSlotList = get_slot_list;
  out.C_GetSlotInfo = get_slot_info;
  out.C_GetTokenInfo = get_token_info;
  out.C_GetMechanismInfo = get_mechanism_info;
  out.C_OpenSession = open_session;
  out.C_CloseSession = close_session;
  out.C_Login = log_in;
  out.C_GetAttributeValue = get_attributes;
  out.C_FindObjectsInit = find_init;
  out.C_FindObjects = find;
  out.C_FindObjectsFinal = find_final;
  out.C_SignInit = sign_init;
  out.C_Sign = sign;
  return out;
}();

}  // namespace

extern "C" CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  *list = &functions;
  return CKR_OK;
}
