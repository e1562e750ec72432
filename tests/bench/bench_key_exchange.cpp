// SPDX-License-Identifier: Apache-2.0
// What checking a peer's public value costs: one key exchange as a responder has it (a key pair, the check of RFC 6989, the shared secret),
// and beside it OpenSSL's full validation, which EVP_PKEY_derive_set_peer() would do for each. Processor time; run by hand.
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <cstdio>
#include <ctime>
#include <functional>

#include "crypto/key_exchange.h"
#include "crypto/system_entropy.h"

namespace {

using namespace svti;
using wire::KeGroup;

double microseconds(const std::function<void()>& action) {
  const std::clock_t begun = std::clock();
  int times = 0;
  while (std::clock() - begun < CLOCKS_PER_SEC / 2) action(), ++times;
  return 1e6 * static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC / times;
}

struct Group {
  KeGroup id;
  const char* name;
  const char* type;  // OpenSSL's
  const char* openssl_name;
};

EVP_PKEY* openssl_key(const Group& group, ByteView value) {
  Bytes octets = to_bytes(value);
  if (std::string_view(group.type) == "EC") octets.insert(octets.begin(), 4);  // an uncompressed point
  OSSL_PARAM_BLD* build = OSSL_PARAM_BLD_new();
  OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group.openssl_name, 0);
  BIGNUM* number = BN_bin2bn(octets.data(), static_cast<int>(octets.size()), nullptr);
  if (std::string_view(group.type) == "EC") {
    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, octets.data(), octets.size());
  } else {
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PUB_KEY, number);
  }
  OSSL_PARAM* params = OSSL_PARAM_BLD_to_param(build);
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, group.type, nullptr);
  EVP_PKEY* out = nullptr;
  EVP_PKEY_fromdata_init(context);
  EVP_PKEY_fromdata(context, &out, EVP_PKEY_PUBLIC_KEY, params);
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(params);
  OSSL_PARAM_BLD_free(build);
  BN_free(number);
  return out;
}

}  // namespace

int main() {
  crypto::SystemEntropy entropy;
  std::printf("%-10s %14s %18s %s\n", "group", "exchange, us", "full check, us", "exchange with it / without");
  for (const Group& group :
       {Group{KeGroup::Modp2048, "modp2048", "DH", "modp_2048"}, Group{KeGroup::Modp3072, "modp3072", "DH", "modp_3072"},
        Group{KeGroup::Modp4096, "modp4096", "DH", "modp_4096"}, Group{KeGroup::Modp6144, "modp6144", "DH", "modp_6144"},
        Group{KeGroup::Modp8192, "modp8192", "DH", "modp_8192"}, Group{KeGroup::Ecp256, "ecp256", "EC", "P-256"},
        Group{KeGroup::Ecp384, "ecp384", "EC", "P-384"}, Group{KeGroup::Ecp521, "ecp521", "EC", "P-521"}}) {
    const auto theirs = crypto::KeyExchange::create(group.id, entropy).value();
    EVP_PKEY* key = openssl_key(group, theirs->public_value());
    EVP_PKEY_CTX* check = EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr);
    if (key == nullptr || EVP_PKEY_public_check(check) != 1) return std::fprintf(stderr, "%s: OpenSSL refuses the value\n", group.name), 1;
    const double exchange = microseconds([&] {
      const auto ours = crypto::KeyExchange::create(group.id, entropy).value();
      if (!ours->shared_secret(theirs->public_value())) std::abort();
    });
    const double full = microseconds([&] { EVP_PKEY_public_check(check); });
    std::printf("%-10s %14.1f %18.1f %6.2f\n", group.name, exchange, full, (exchange + full) / exchange);
    EVP_PKEY_CTX_free(check);
    EVP_PKEY_free(key);
  }
}
