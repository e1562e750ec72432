// SPDX-License-Identifier: Apache-2.0
#include "crypto/owned.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

namespace svti::crypto {

ErrorQueue::ErrorQueue() { ERR_clear_error(); }
ErrorQueue::~ErrorQueue() { ERR_clear_error(); }

Bytes take_der(unsigned char* der, int size) {
  if (size < 0) throw std::bad_alloc();
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

std::string text_of(const X509_name_st* name) {
  const auto bio = owned<Owned<BIO, BIO_free_all>>(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, (ASN1_STRFLGS_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) | XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string ErrorQueue::last() const {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "" : reason;
}

}  // namespace svti::crypto
