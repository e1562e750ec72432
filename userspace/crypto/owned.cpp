// SPDX-License-Identifier: Apache-2.0
#include "crypto/owned.h"

#include <openssl/asn1.h>
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

std::optional<std::chrono::sys_seconds> time_of(const asn1_string_st* time) {
  tm broken{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &broken) != 1) return std::nullopt;
  const std::chrono::year_month_day day{std::chrono::year(broken.tm_year + 1900),
                                        std::chrono::month(static_cast<unsigned>(broken.tm_mon + 1)),
                                        std::chrono::day(static_cast<unsigned>(broken.tm_mday))};
  return std::chrono::sys_days(day) + std::chrono::hours(broken.tm_hour) + std::chrono::minutes(broken.tm_min) +
         std::chrono::seconds(broken.tm_sec);
}

Bytes octets_of(const asn1_string_st* string) {
  const unsigned char* data = ASN1_STRING_get0_data(string);
  return {data, data + ASN1_STRING_length(string)};
}

std::string ErrorQueue::last() const {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "" : reason;
}

}  // namespace svti::crypto
