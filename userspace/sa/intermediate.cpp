// SPDX-License-Identifier: Apache-2.0
// IKE_INTERMEDIATE, both roles: RFC 9242; RFC 9370 2.2.2 (key exchanges in it). Each message is protected with the keys that the exchanges
// before have made, and is in what IKE_AUTH authenticates.
#include "sa/intermediate.h"

#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::Cause;
using wire::ExchangeType;
using wire::NotifyType;

// RFC 9242 3.3.2: prf over the value before, the message up to the generic header of its Encrypted payload with the lengths as they were
// without IV, padding and ICV, and what is inside. The same for a message that came in fragments.
void IkeSa::sign_intermediate(const wire::Header& header, wire::PayloadType first_inner, ByteView plaintext) {
  const Secret& key = header.from_initiator ? keys_->sk_pi : keys_->sk_pr;
  Secret& value = header.from_initiator ? init_->intermediate.int_auth_i : init_->intermediate.int_auth_r;
  value = keys_->prf(key.view(), {value.view(), wire::encrypted_prefix(header, first_inner, plaintext.size()), plaintext});
}

// RFC 9370 2.2.2
Status IkeSa::update_keys(const Secret& shared_secret) {
  auto keys = derive_rekeyed_ike_keys(choice_, {init_->nonce_i, init_->nonce_r, spi_i_, spi_r_}, shared_secret, *keys_, {}, ctx_.key_sink);
  if (!keys) return fail(keys.error());
  if (role_ == Role::Responder) former_inbound_cipher_ = std::move(inbound_cipher());
  keys_ = std::move(*keys);
  ++init_->intermediate.done;
  return {};
}

// --- initiator --------------------------------------------------------------------------------------------------------------

void IkeSa::go_on_to_auth(TimePoint now, Effects& out) {
  Intermediate& intermediate = init_->intermediate;
  if (!intermediate.pending()) {
    intermediate.auth_id = next_request_id_;
    return send_auth(now, out);
  }
  auto ke = crypto::KeyExchange::create(intermediate.groups[intermediate.done], ctx_.entropy);
  if (!ke) return fail_connect(connect_failure(Cause::KeyExchangeGroup, ke.error().message, now), now, out, false);
  init_->ke = std::move(*ke);
  ++intermediate.exchanges;
  send_request(ExchangeType::IkeIntermediate, {wire::KePayload{init_->ke->group(), to_bytes(init_->ke->public_value())}},
               IntermediateRequest{}, now, out);
}

void IkeSa::on_intermediate_response(const Payloads& payloads, TimePoint now, Effects& out) {
  const auto fail_with = [&](Cause cause, std::string reason) {
    fail_connect(connect_failure(cause, std::move(reason), now), now, out, false);
  };
  if (const auto* error = find_error(payloads))
    return fail_with(Cause::Refused, "the peer answered " + wire::to_string(error->type) + " to an additional key exchange");
  const auto* ke = find_payload<wire::KePayload>(payloads);
  if (ke == nullptr || ke->group != init_->ke->group())
    return fail_with(Cause::Malformed, "the peer's additional key exchange is not the one agreed on");
  const auto shared = init_->ke->shared_secret(ke->data);
  if (!shared) return fail_with(Cause::Malformed, "the peer's additional key exchange value is refused: " + shared.error().message);
  init_->ke.reset();
  if (const Status updated = update_keys(*shared); !updated) return fail_with(Cause::IkeProposal, updated.error().message);
  go_on_to_auth(now, out);
}

// --- responder --------------------------------------------------------------------------------------------------------------

void IkeSa::on_intermediate_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out) {
  Intermediate& intermediate = init_->intermediate;
  ++intermediate.exchanges;
  const auto* ke = find_payload<wire::KePayload>(payloads);
  const auto refuse = [&](const std::string& reason) {
    explain_to_address(ctx_, auth_refusal(Cause::Malformed, reason, now), out);
    refuse_authentication(header, reason, now, out, NotifyType::InvalidSyntax);
  };
  const bool fits = intermediate.pending() ? ke != nullptr && ke->group == intermediate.groups[intermediate.done] : ke == nullptr;
  if (!fits) return refuse("its additional key exchange is not the one agreed on");
  if (ke == nullptr) return send_response(header, {}, out);  // RFC 9242 3.2: for something else, which we do not know
  const auto answer = crypto::KeyExchange::respond(ke->group, ke->data, ctx_.entropy);
  if (!answer) return refuse("its additional key exchange value is refused: " + answer.error().message);
  send_response(header, {wire::KePayload{ke->group, answer->public_value}}, out);
  // what comes next is protected with the new keys
  if (const Status updated = update_keys(answer->shared_secret); !updated) return refuse(updated.error().message);
  log(out, Subsystem::Ike, 1,
      "additional key exchange " + std::to_string(intermediate.done) + " of " + std::to_string(intermediate.groups.size()) + " done");
}

}  // namespace svti::sa
