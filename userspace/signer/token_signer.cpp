// SPDX-License-Identifier: Apache-2.0
#include "signer/token_signer.h"

#include <utility>

namespace svti::signer {

namespace {

constexpr std::string_view kTooMany = "more than 32 tokens are in use: name each by the same attributes in all URIs";

}  // namespace

TokenClient* TokenSigner::client(const std::string& place) {
  if (const auto found = clients_.find(place); found != clients_.end()) return found->second.get();
  if (clients_.size() >= kMostPlaces) {
    std::erase_if(clients_, [](const auto& one) { return !one.second->has_keys() && !one.second->is_busy(); });
    if (clients_.size() >= kMostPlaces) return nullptr;
  }
  return clients_.emplace(place, std::make_unique<TokenClient>(loop_, start_, limits_, log_)).first->second.get();
}

void TokenSigner::set_keys(const std::vector<std::shared_ptr<const model::PrivateKey>>& keys) {
  std::vector<std::shared_ptr<const model::PrivateKey>> others;
  std::map<std::string, TokenClient::Keys> wanted;
  places_.clear();
  for (const auto& key : keys) {
    if (!key->token) {
      others.push_back(key);
    } else if (places_.emplace(key->id, key->token->place).second) {
      wanted[key->token->place].emplace(key->id, key->token);
    }
  }
  others_.set_keys(others);
  for (auto& [place, one] : clients_) {
    if (!wanted.contains(place)) one->set_keys({});
  }
  for (auto& [place, of_place] : wanted) {
    if (TokenClient* one = client(place)) {
      one->set_keys(std::move(of_place));
    } else if (log_) {
      log_({Subsystem::Daemon, 0, {}, of_place.begin()->second->source + ": cannot be used: " + std::string(kTooMany)});
    }
  }
  // Who has refused a PIN is kept, for as long as there is room: the refusal is not forgotten with the key.
  std::erase_if(clients_,
                [](const auto& one) { return !one.second->has_keys() && !one.second->is_busy() && !one.second->knows_refused_pins(); });
}

void TokenSigner::sign(auth::SigningRequest request, Done done) {
  const auto place = places_.find(request.key_id);
  if (place == places_.end()) return others_.sign(std::move(request), std::move(done));
  const auto found = clients_.find(place->second);
  if (found == clients_.end()) return done(config_error(std::string(kTooMany)));
  found->second->sign(std::move(request), std::move(done));
}

auth::KeyState TokenSigner::state(const Bytes& key_id) const {
  const auto place = places_.find(key_id);
  if (place == places_.end()) return others_.state(key_id);
  const auto found = clients_.find(place->second);
  const auto known = found == clients_.end() ? std::nullopt : found->second->state(key_id);
  return known ? *known : auth::KeyState{"token", std::string(kTooMany)};
}

void TokenSigner::find_on_token(std::shared_ptr<const model::TokenKey> key, Found done) {
  TokenClient* one = client(key->place);
  if (one == nullptr) return done(config_error(std::string(kTooMany)));
  one->find(key, std::move(done));
}

}  // namespace svti::signer
