// SPDX-License-Identifier: Apache-2.0
// One end of a TLS connection, version 1.2 (RFC 5246) or 1.3 (RFC 8446), whose octets somebody else carries. Both ends show certificates.
// What takes time, a signature by a key that is elsewhere or a look at the peer's chain, is asked for by a Stop, and the connection goes
// on once it is told. No tickets, no resumption, no renegotiation, no compression.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "crypto/signature.h"
#include "crypto/trust.h"

namespace svti::crypto {

class TlsSession {
 public:
  enum class Role : std::uint8_t { Client, Server };

  struct Credential {
    Bytes certificate;         // DER
    std::vector<Bytes> chain;  // DER of what is sent behind it
  };
  struct Setup {
    Role role{};
    // What this end may show. A server has one. A client shows the first that was issued, at whatever distance, by an authority that the
    // server names, else the first.
    std::vector<Credential> credentials;
    std::vector<Bytes> authorities;  // DER: a server names them to the client
  };

  // What it cannot go on without.
  struct Stop {
    enum class Kind : std::uint8_t {
      Octets,     // of the peer: receive(), and go_on()
      Signature,  // by the key of `credential`: give_signature()
      Chain,      // whether the peer's is trusted: give_verdict()
      Open,       // nothing: both ends have finished
      Broken,     // for good
    };
    Kind kind{};
    std::size_t credential = 0;     // of Signature
    SignatureWish wish = {};        // of Signature
    std::vector<Bytes> chain = {};  // of Chain: DER, the end entity first
    std::string reason = {};        // of Broken: a sentence without a final stop, "it" being the peer
  };

  // Errors: a certificate that cannot be read or used, or of Fault::Surroundings an OpenSSL that cannot do this.
  static Result<TlsSession> make(const Setup& setup);
  TlsSession(TlsSession&&) noexcept;
  TlsSession& operator=(TlsSession&&) noexcept;
  ~TlsSession();

  // Octets of the peer; they are looked at by go_on() and read().
  void receive(ByteView octets);
  std::size_t unread() const;
  // Octets for the peer, also when it is broken: the alert that says so.
  Bytes take_output();

  // All three, and read(), stop at the next thing. One thread.
  Stop go_on();
  Stop give_signature(Result<Bytes> signature);  // without its algorithm
  // Nothing: it is trusted. The message of a refusal is the Stop's reason then; the peer is told in the words of TLS.
  Stop give_verdict(const std::optional<ChainFailure>& refusal);

  // ---- once it is Open

  bool is_1_3() const;
  // Octets of the application. Of read() `into` has what came, perhaps nothing; Open: no more is there; Broken: the peer has ended it.
  Stop read(Bytes& into);
  Status write(ByteView octets);
  // RFC 5705, RFC 8446 7.5: without `context` there is none, which is another than an empty one in TLS 1.2.
  Result<Secret> export_key(std::string_view label, std::optional<ByteView> context, std::size_t size) const;
  std::string describe() const;  // "TLSv1.3, TLS_AES_256_GCM_SHA384"

 private:
  struct Impl;
  explicit TlsSession(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace svti::crypto
