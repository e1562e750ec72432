// SPDX-License-Identifier: Apache-2.0
// Another end of TLS, made of OpenSSL as any program would: it has its key, believes anything, and does what a test wants of it.
#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "support/pki.h"

namespace svti::test {

class PlainTls {
 public:
  struct Options {
    bool server = false;
    int least = TLS1_2_VERSION, most = TLS1_3_VERSION;
    bool certificate = true;
  };

  PlainTls(const Options& options, const Holder& holder) : context_(SSL_CTX_new(TLS_method())) {
    need_one(SSL_CTX_set_min_proto_version(context_.get(), options.least));
    need_one(SSL_CTX_set_max_proto_version(context_.get(), options.most));
    if (options.least < TLS1_2_VERSION) need_one(SSL_CTX_set_cipher_list(context_.get(), "ALL:@SECLEVEL=0"));
    if (options.certificate) {
      const unsigned char* at = holder.certificate.data();
      X509* certificate = d2i_X509(nullptr, &at, static_cast<long>(holder.certificate.size()));
      const unsigned char* key_at = holder.key.view().data();
      EVP_PKEY* key = d2i_AutoPrivateKey(nullptr, &key_at, static_cast<long>(holder.key.size()));
      need_one(SSL_CTX_use_certificate(context_.get(), certificate));
      need_one(SSL_CTX_use_PrivateKey(context_.get(), key));
      X509_free(certificate);
      EVP_PKEY_free(key);
    }
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    ssl_.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    if (options.server)
      SSL_set_accept_state(ssl_.get());
    else
      SSL_set_connect_state(ssl_.get());
  }

  // octets of the other end in, ours out
  Bytes go_on(ByteView received) {
    if (!received.empty()) BIO_write(in_, received.data(), static_cast<int>(received.size()));
    if (!open_) open_ = SSL_do_handshake(ssl_.get()) == 1;
    return take();
  }
  Bytes take() {
    Bytes out(BIO_ctrl_pending(out_));
    if (!out.empty()) BIO_read(out_, out.data(), static_cast<int>(out.size()));
    return out;
  }
  bool open() const { return open_; }
  SSL* ssl() { return ssl_.get(); }
  Bytes write(ByteView content) {
    SSL_write(ssl_.get(), content.data(), static_cast<int>(content.size()));
    return take();
  }
  // what came from the application of the other end
  Bytes read() {
    Bytes out(64);
    const int size = SSL_read(ssl_.get(), out.data(), static_cast<int>(out.size()));
    out.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return out;
  }
  // RFC 5216 2.3, RFC 9190 2.3
  std::string msk() {
    Bytes out(128);
    const unsigned char type = 13;
    const bool newer = SSL_version(ssl_.get()) == TLS1_3_VERSION;
    const std::string label = newer ? "EXPORTER_EAP_TLS_Key_Material" : "client EAP encryption";
    need_one(SSL_export_keying_material(ssl_.get(), out.data(), out.size(), label.data(), label.size(), newer ? &type : nullptr,
                                        newer ? 1 : 0, newer ? 1 : 0));
    return to_hex(ByteView(out).first(64));
  }

 private:
  static void need_one(long result) {
    if (result != 1) throw std::runtime_error("OpenSSL does not do what the test wants");
  }
  template <auto Free>
  struct Freed {
    template <typename T>
    void operator()(T* object) const {
      Free(object);
    }
  };
  std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>> context_;
  std::unique_ptr<SSL, Freed<SSL_free>> ssl_;
  BIO *in_ = nullptr, *out_ = nullptr;
  bool open_ = false;
};

}  // namespace svti::test
