// SPDX-License-Identifier: Apache-2.0
// OpenSSL's TLS between two memory BIOs. It knows no "later" for signatures, nor on the server's side for chains: its calls run as ASYNC
// jobs, and the callbacks pause the job (docs/adr/0017).
#include "crypto/tls.h"

#include <openssl/async.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <new>

#include "base/log.h"
#include "crypto/owned.h"
#include "crypto/remote_key.h"

namespace svti::crypto {
namespace {

using ContextPtr = Owned<SSL_CTX, SSL_CTX_free>;
using SslPtr = Owned<SSL, SSL_free>;
using X509Ptr = Owned<X509, X509_free>;
void free_names(STACK_OF(X509_NAME) * names) { sk_X509_NAME_pop_free(names, X509_NAME_free); }
using NameStack = Owned<STACK_OF(X509_NAME), free_names>;
void free_certificates(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }
using CertificateStack = Owned<STACK_OF(X509), free_certificates>;

constexpr long kMostCertificateOctets = 32 * 1024;
constexpr std::size_t kMostCertificates = TrustedAuthorities::kMaxIntermediates + 1;
constexpr std::size_t kMostRead = 4096;  // octets of the application by one read()

// forward secrecy and AEAD alone (RFC 9325 4.2); those of 1.3 are OpenSSL's
constexpr const char* kCiphers12 = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* kGroups = "X25519:P-256:P-384:P-521";
constexpr const char* kSignatures =
    "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519:ed448:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:"
    "rsa_pss_rsae_sha512:rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512";

X509Ptr parse_x509(ByteView der) {
  const unsigned char* at = der.data();
  X509Ptr out(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (at != der.data() + der.size()) out.reset();
  return out;
}

// The alert that goes out with it is OpenSSL's choice for that error.
int x509_error(ChainDefect defect) {
  switch (defect) {
    case ChainDefect::Untrusted:
      return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    case ChainDefect::Expired:
      return X509_V_ERR_CERT_HAS_EXPIRED;
    case ChainDefect::NotYetValid:
      return X509_V_ERR_CERT_NOT_YET_VALID;
    case ChainDefect::Weak:
      return X509_V_ERR_CA_MD_TOO_WEAK;
    case ChainDefect::Constraints:
      return X509_V_ERR_INVALID_CA;
    case ChainDefect::Purpose:
      return X509_V_ERR_INVALID_PURPOSE;
    case ChainDefect::Revoked:
      return X509_V_ERR_CERT_REVOKED;
    case ChainDefect::Unreadable:
    case ChainDefect::RevocationUnknown:
    case ChainDefect::Other:
      break;
  }
  return X509_V_ERR_CERT_REJECTED;
}

}  // namespace

struct TlsSession::Impl final : RemoteSigner {
  struct Shown {
    X509Ptr certificate;
    CertificateStack chain;
    RemoteKeyPtr key;
  };

  Role role{};
  std::vector<Shown> shown;
  SslPtr ssl;
  BIO *incoming = nullptr, *outgoing = nullptr;  // of `ssl`
  bool open = false;
  std::optional<std::string> broken;  // why
  std::string alert;                  // of the peer

  // between a callback that has paused and whoever answers it
  std::optional<Stop> question;
  std::optional<Bytes> signature;
  std::optional<ChainFailure> refusal;
  bool answered = false, abandoned = false, paused = false;
  std::string own_reason;  // why this end has broken it off

  ~Impl() {
    if (!paused) return;
    // A job that is not run to its end is never given back.
    const ErrorQueue queue;
    abandoned = true;
    std::array<unsigned char, 1> octet{};
    if (open)
      SSL_read(ssl.get(), octet.data(), 1);
    else
      SSL_do_handshake(ssl.get());
  }

  // True: it was answered.
  bool ask(Stop what) {
    question = std::move(what);
    answered = false;
    while (!answered && !abandoned) {
      if (ASYNC_get_current_job() == nullptr || ASYNC_pause_job() != 1) return false;
    }
    return answered;
  }

  std::optional<Bytes> sign_remotely(std::size_t key, SignatureWish wish) noexcept override {
    Stop stop{Stop::Kind::Signature};
    stop.credential = key;
    stop.wish = std::move(wish);
    if (!ask(std::move(stop))) return std::nullopt;
    return std::exchange(signature, std::nullopt);
  }

  int verify(X509_STORE_CTX* store) {
    Stop stop{Stop::Kind::Chain};
    const auto add = [&](X509* certificate) {
      if (certificate != nullptr && stop.chain.size() < kMostCertificates) stop.chain.push_back(encoded(certificate, i2d_X509));
    };
    X509* leaf = X509_STORE_CTX_get0_cert(store);
    add(leaf);
    STACK_OF(X509)* others = X509_STORE_CTX_get0_untrusted(store);
    for (int i = 0; i < sk_X509_num(others); ++i) {
      if (X509_cmp(sk_X509_value(others, i), leaf) != 0) add(sk_X509_value(others, i));
    }
    const bool told = ask(std::move(stop));
    const int error = !told ? X509_V_ERR_UNSPECIFIED : refusal ? x509_error(refusal->defect) : X509_V_OK;
    if (told && refusal) own_reason = refusal->message;
    X509_STORE_CTX_set_error(store, error);
    return error == X509_V_OK ? 1 : 0;
  }

  // RFC 8446 4.2.4, RFC 5246 7.4.4
  int choose() {
    if (shown.empty()) return 1;
    const STACK_OF(X509_NAME)* wanted = role == Role::Client ? SSL_get0_peer_CA_list(ssl.get()) : nullptr;
    const auto named = [&](const X509* certificate) {
      for (int i = 0; i < sk_X509_NAME_num(wanted); ++i) {
        if (X509_NAME_cmp(sk_X509_NAME_value(wanted, i), X509_get_issuer_name(certificate)) == 0) return true;
      }
      return false;
    };
    const auto fits = [&](const Shown& one) {
      if (named(one.certificate.get())) return true;
      for (int i = 0; i < sk_X509_num(one.chain.get()); ++i) {
        if (named(sk_X509_value(one.chain.get(), i))) return true;
      }
      return false;
    };
    auto chosen = wanted == nullptr ? shown.begin() : std::find_if(shown.begin(), shown.end(), fits);
    if (chosen == shown.end()) chosen = shown.begin();
    const bool taken = SSL_use_certificate(ssl.get(), chosen->certificate.get()) == 1 &&
                       SSL_use_PrivateKey(ssl.get(), chosen->key.get()) == 1 && SSL_set1_chain(ssl.get(), chosen->chain.get()) == 1;
    if (!taken) own_reason = "OpenSSL does not take our certificate";
    return taken ? 1 : 0;
  }

  Stop stopped(int result, const ErrorQueue& queue) {
    paused = false;
    switch (SSL_get_error(ssl.get(), result)) {
      case SSL_ERROR_WANT_ASYNC:
        paused = true;
        return *question;
      case SSL_ERROR_WANT_ASYNC_JOB:
        return break_off("too many handshakes are under way");
      case SSL_ERROR_WANT_READ:
        return {Stop::Kind::Octets};
      case SSL_ERROR_ZERO_RETURN:
        return break_off("it has closed the TLS connection");
      default:
        break;
    }
    if (!own_reason.empty()) return break_off(own_reason);
    if (!alert.empty()) return break_off("it broke TLS off: " + alert);
    const std::string why = queue.last();
    return break_off("TLS failed" + (why.empty() ? std::string() : ": " + printable(why)));
  }

  Stop break_off(std::string reason) {
    broken = std::move(reason);
    Stop out{Stop::Kind::Broken};
    out.reason = *broken;
    return out;
  }

  Stop go_on() {
    if (broken) return break_off(*broken);
    if (open) return {Stop::Kind::Open};
    const ErrorQueue queue;
    const int result = SSL_do_handshake(ssl.get());
    if (result != 1) return stopped(result, queue);
    paused = false;
    open = true;
    return {Stop::Kind::Open};
  }

  Status add(const Credential& credential) {
    Shown one;
    one.certificate = parse_x509(credential.certificate);
    if (!one.certificate) return config_error("our certificate cannot be read");
    one.chain = owned<CertificateStack>(sk_X509_new_null());
    for (const Bytes& der : credential.chain) {
      X509Ptr above = parse_x509(der);
      if (!above) return config_error("a certificate behind ours cannot be read");
      if (sk_X509_push(one.chain.get(), above.get()) <= 0) throw std::bad_alloc();
      above.release();
    }
    auto key = remote_key(encoded(X509_get_X509_PUBKEY(one.certificate.get()), i2d_X509_PUBKEY), *this, shown.size());
    if (!key) return fail(key.error());
    one.key = std::move(*key);
    shown.push_back(std::move(one));
    return {};
  }

  static Impl& of(const SSL* ssl) { return *static_cast<Impl*>(SSL_get_app_data(ssl)); }

  // No exception goes through OpenSSL: without memory the process ends, as it does everywhere.
  static int on_verify(X509_STORE_CTX* store, void*) noexcept {
    const auto* from = static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    return of(from).verify(store);
  }
  static int on_choose(SSL* from, void*) noexcept { return of(from).choose(); }
  static void on_info(const SSL* from, int where, int value) noexcept {
    if ((where & SSL_CB_ALERT) != 0 && (where & SSL_CB_READ) != 0) of(from).alert = SSL_alert_desc_string_long(value);
  }

  static Result<SSL_CTX*> make_context(Role role);
  // One for each role, for all sessions; never freed.
  static Result<SSL_CTX*> context_of(Role role) {
    static const Result<SSL_CTX*> kServer = make_context(Role::Server);
    static const Result<SSL_CTX*> kClient = make_context(Role::Client);
    return role == Role::Server ? kServer : kClient;
  }
};

Result<SSL_CTX*> TlsSession::Impl::make_context(Role role) {
  const ErrorQueue queue;
  OSSL_LIB_CTX* library = remote_key_library();
  if (library == nullptr) return system_error("OpenSSL has no default provider");
  if (ASYNC_is_capable() != 1) return system_error("OpenSSL has no ASYNC jobs on this system");
  ContextPtr made(SSL_CTX_new_ex(library, nullptr, role == Role::Server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* context = made.get();
  // What a file of the system says of TLS has been read by now: everything that matters is said here.
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1 || SSL_CTX_set_cipher_list(context, kCiphers12) != 1 ||
      SSL_CTX_set1_groups_list(context, kGroups) != 1 || SSL_CTX_set1_sigalgs_list(context, kSignatures) != 1 ||
      SSL_CTX_set1_client_sigalgs_list(context, kSignatures) != 1 || SSL_CTX_set_num_tickets(context, 0) != 1) {
    return system_error("OpenSSL cannot do TLS: " + queue.last());
  }
  SSL_CTX_set_security_level(context, 2);
  SSL_CTX_clear_options(context, SSL_OP_ENABLE_MIDDLEBOX_COMPAT | SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
  // Servers that do not say how they renegotiate (RFC 5746): strongSwan's is one. There is one handshake, and its keys are all that is
  // used.
  SSL_CTX_set_options(context, SSL_OP_LEGACY_SERVER_CONNECT);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context, kMostCertificateOctets);
  SSL_CTX_set_quiet_shutdown(context, 1);
  SSL_CTX_set_mode(context, SSL_MODE_ASYNC);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, on_verify, nullptr);
  SSL_CTX_set_cert_cb(context, on_choose, nullptr);
  SSL_CTX_set_info_callback(context, on_info);
  return made.release();
}

TlsSession::TlsSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsSession::TlsSession(TlsSession&&) noexcept = default;
TlsSession& TlsSession::operator=(TlsSession&&) noexcept = default;
TlsSession::~TlsSession() = default;

Result<TlsSession> TlsSession::make(const Setup& setup) {
  const auto context = Impl::context_of(setup.role);
  if (!context) return fail(context.error());
  const ErrorQueue queue;
  auto impl = std::make_unique<Impl>();
  impl->role = setup.role;
  for (const Credential& one : setup.credentials) {
    if (Status added = impl->add(one); !added) return fail(added.error());
  }
  impl->ssl = owned<SslPtr>(SSL_new(*context));
  SSL* ssl = impl->ssl.get();
  SSL_set_app_data(ssl, impl.get());
  impl->incoming = BIO_new(BIO_s_mem());
  impl->outgoing = BIO_new(BIO_s_mem());
  if (impl->incoming == nullptr || impl->outgoing == nullptr) throw std::bad_alloc();
  SSL_set_bio(ssl, impl->incoming, impl->outgoing);
  if (setup.role == Role::Client) {
    SSL_set_connect_state(ssl);
    return TlsSession(std::move(impl));
  }
  SSL_set_accept_state(ssl);
  auto names = owned<NameStack>(sk_X509_NAME_new_null());
  for (const Bytes& der : setup.authorities) {
    const X509Ptr authority = parse_x509(der);
    if (!authority) return config_error("an authority's certificate cannot be read");
    auto name = owned<Owned<X509_NAME, X509_NAME_free>>(X509_NAME_dup(X509_get_subject_name(authority.get())));
    if (sk_X509_NAME_push(names.get(), name.get()) <= 0) throw std::bad_alloc();
    name.release();
  }
  SSL_set0_CA_list(ssl, names.release());
  return TlsSession(std::move(impl));
}

void TlsSession::receive(ByteView octets) {
  if (octets.empty()) return;
  if (BIO_write(impl_->incoming, octets.data(), static_cast<int>(octets.size())) != static_cast<int>(octets.size())) throw std::bad_alloc();
}

std::size_t TlsSession::unread() const { return BIO_ctrl_pending(impl_->incoming); }

Bytes TlsSession::take_output() {
  Bytes out(BIO_ctrl_pending(impl_->outgoing));
  if (!out.empty()) BIO_read(impl_->outgoing, out.data(), static_cast<int>(out.size()));
  return out;
}

TlsSession::Stop TlsSession::go_on() { return impl_->go_on(); }

TlsSession::Stop TlsSession::give_signature(Result<Bytes> signature) {
  if (signature)
    impl_->signature = std::move(*signature);
  else
    impl_->own_reason = "our certificate cannot sign: " + signature.error().message;
  impl_->answered = true;
  return impl_->go_on();
}

TlsSession::Stop TlsSession::give_verdict(const std::optional<ChainFailure>& refusal) {
  impl_->refusal = refusal;
  impl_->answered = true;
  return impl_->go_on();
}

bool TlsSession::is_1_3() const { return SSL_version(impl_->ssl.get()) == TLS1_3_VERSION; }

TlsSession::Stop TlsSession::read(Bytes& into) {
  if (impl_->broken) return impl_->break_off(*impl_->broken);
  const ErrorQueue queue;
  std::array<unsigned char, 256> octets{};
  while (into.size() < kMostRead) {
    const int size = SSL_read(impl_->ssl.get(), octets.data(), octets.size());
    if (size <= 0) {
      Stop stop = impl_->stopped(size, queue);
      return stop.kind == Stop::Kind::Octets ? Stop{Stop::Kind::Open} : std::move(stop);
    }
    into.insert(into.end(), octets.begin(), octets.begin() + size);
  }
  return impl_->break_off("it sends more than it should through TLS");
}

Status TlsSession::write(ByteView octets) {
  const ErrorQueue queue;
  if (SSL_write(impl_->ssl.get(), octets.data(), static_cast<int>(octets.size())) != static_cast<int>(octets.size()))
    return system_error("TLS sends nothing: " + queue.last());
  return {};
}

Result<Secret> TlsSession::export_key(std::string_view label, std::optional<ByteView> context, std::size_t size) const {
  const ErrorQueue queue;
  Secret out(size);
  if (SSL_export_keying_material(impl_->ssl.get(), out.mutable_view().data(), size, label.data(), label.size(),
                                 context ? context->data() : nullptr, context ? context->size() : 0, context ? 1 : 0) != 1) {
    return system_error("TLS gives no key: " + queue.last());
  }
  return out;
}

std::string TlsSession::describe() const {
  return std::string(SSL_get_version(impl_->ssl.get())) + ", " + SSL_get_cipher_name(impl_->ssl.get());
}

}  // namespace svti::crypto
