// SPDX-License-Identifier: Apache-2.0
// All private keys of the daemon: those on tokens with a process for each place (token_client.h), all others with the signer.
#pragma once

#include "signer/token_client.h"

namespace svti::signer {

class TokenSigner final : public auth::Signer {
 public:
  static constexpr std::size_t kMostPlaces = 32;  // processes

  // `others` and `loop` must outlive it, as must what `log` needs; all in the thread that runs `loop`
  TokenSigner(boost::asio::io_context& loop, auth::Signer& others, TokenClient::Start start, TokenClient::Limits limits, LogSink log)
      : loop_(loop), others_(others), start_(std::move(start)), limits_(limits), log_(std::move(log)) {}

  void set_keys(const std::vector<std::shared_ptr<const model::PrivateKey>>& keys) override;
  void sign(auth::SigningRequest request, Done done) override;
  auth::KeyState state(const Bytes& key_id) const override;
  void find_on_token(std::shared_ptr<const model::TokenKey> key, Found done) override;

 private:
  TokenClient* client(const std::string& place);  // null: there are too many

  boost::asio::io_context& loop_;
  auth::Signer& others_;
  TokenClient::Start start_;
  TokenClient::Limits limits_;
  LogSink log_;
  std::map<std::string, std::unique_ptr<TokenClient>> clients_;  // by place
  std::map<Bytes, std::string> places_;                          // by key id
};

}  // namespace svti::signer
