// SPDX-License-Identifier: Apache-2.0
// What the .cpp files around OpenSSL share.
#pragma once

#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <string>

#include "base/bytes.h"

struct X509_name_st;
struct asn1_string_st;

namespace svti::crypto {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <typename T, auto Free>
using Owned = std::unique_ptr<T, Freed<Free>>;

// what OpenSSL made; it makes nothing only for want of memory
template <typename Ptr>
Ptr owned(typename Ptr::pointer made) {
  if (made == nullptr) throw std::bad_alloc();
  return Ptr(made);
}

Bytes take_der(unsigned char* der, int size);  // frees `der`; a size below 0 throws std::bad_alloc

// DER by one of the i2d functions
template <typename T, typename Encode>
Bytes encoded(T* object, Encode encode) {
  unsigned char* der = nullptr;
  const int size = encode(object, &der);
  return take_der(der, size);
}

std::string text_of(const X509_name_st* name);  // "C=CH, O=Example, CN=gw", printable
// of an ASN1_TIME; none: null, or not a time
std::optional<std::chrono::sys_seconds> time_of(const asn1_string_st* time);
Bytes octets_of(const asn1_string_st* string);

// A function of OpenSSL that failed leaves its reasons in the thread's queue, for the next one to stumble over: empty before and
// after the life of this object.
class ErrorQueue {
 public:
  ErrorQueue();
  ~ErrorQueue();
  ErrorQueue(const ErrorQueue&) = delete;
  ErrorQueue& operator=(const ErrorQueue&) = delete;
  std::string last() const;  // the latest reason, "" when there is none
};

}  // namespace svti::crypto
