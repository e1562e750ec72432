// SPDX-License-Identifier: Apache-2.0
// An IKE SA that one end has lost: RFC 7296 2.21.4 (INVALID_IKE_SPI outside an IKE SA), RFC 6290 (QCD_TOKEN).
#include "sa/crash_detection.h"

#include "crypto/prf.h"
#include "sa/core.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using wire::NotifyType;

namespace {

constexpr Duration kHintPeriod = seconds(30);  // a hint makes us look no more often
constexpr std::size_t kMostTokens = 4;         // of one message that are compared (RFC 6290 4.5 wants as many)

wire::NotifyPayload status(NotifyType type, Bytes data) { return {type, wire::ProtocolId::None, {}, std::move(data)}; }

}  // namespace

std::optional<Bytes> CrashTokens::make(bool as_initiator, wire::IkeSpi spi_i, wire::IkeSpi spi_r) const {
  if (secret_.empty()) return std::nullopt;
  static const crypto::Prf kPrf = *crypto::Prf::create(wire::PrfId::HmacSha256);
  Writer about;
  about.u8(as_initiator ? 1 : 0);
  about.u64(spi_i);
  about.u64(spi_r);
  const Secret mac = kPrf(secret_.view(), {about.view()});
  return to_bytes(mac.view().first(kSize));
}

bool UnknownSpiAnswers::allows(const IpAddress& address, TimePoint now) {
  if (!since_ || now - *since_ >= kPeriod) {
    since_ = now;
    counts_.clear();
  }
  const auto known = counts_.find(address);
  if (known != counts_.end() && known->second == kOfAddress) return false;
  if (!all_.allows(now)) return false;
  ++counts_[address];
  return true;
}

// --- who has lost it ---------------------------------------------------------------------------------------------------------

void Core::on_unknown_ike_spi(const wire::Message& message, const model::Datagram& datagram, TimePoint now, Effects& out) {
  const wire::Header& header = message.header;
  log(out, Subsystem::Manager, 1,
      wire::to_string(header.exchange) + " from " + datagram.remote.to_string() + " for an IKE SA that is not there");
  // A response is never answered. Nor is what carries its payloads in the open, as only an answer of this kind does: two ends that have
  // both lost it would go on for ever.
  if (closed_ || header.response || !is_protected(message)) return;
  // RFC 6290 10.3: the token of an IKE SA that we have is told to nobody. Which of the SPIs is said to be ours is the sender's word alone,
  // and one that we have set aside may belong to an IKE SA that the peer has already.
  if (ctx_.ike_spis.contains(header.initiator_spi) || ctx_.ike_spis.contains(header.responder_spi)) return;
  if (!ctx_.unknown_spi_answers.allows(datagram.remote.address, now)) return;
  std::vector<wire::Payload> payloads = {status(NotifyType::InvalidIkeSpi, {})};
  if (auto token = ctx_.crash_tokens.make(!header.from_initiator, header.initiator_spi, header.responder_spi)) {
    payloads.push_back(status(NotifyType::QcdToken, std::move(*token)));
    if (answer_unprotected(datagram, header, payloads, out)) return;
    payloads.pop_back();  // there is no room for it
  }
  (void)answer_unprotected(datagram, header, payloads, out);
}

void IkeSa::add_crash_token(Payloads& payloads) const {
  if (auto token = ctx_.crash_tokens.make(role_ == Role::Initiator, spi_i_, spi_r_))
    payloads.push_back(status(NotifyType::QcdToken, std::move(*token)));
}

// --- who still has it --------------------------------------------------------------------------------------------------------

void IkeSa::learn_crash_token(const Payloads& payloads) {
  const auto* token = find_notify(payloads, NotifyType::QcdToken);
  if (token == nullptr || token->data.size() < CrashTokens::kLeast || token->data.size() > CrashTokens::kMost) return;
  peer_token_ = Secret(ByteView(token->data));
}

// Anybody may have sent it: it makes us ask the peer, now and then, and only the peer's token does more.
void IkeSa::on_unprotected(const wire::Message& message, TimePoint now, Effects& out) {
  const wire::Header& header = message.header;
  const bool of_this = header.initiator_spi == spi_i_ && header.responder_spi == spi_r_ && spi_r_ != 0;
  if (!of_this || !header.response || header.from_initiator == (role_ == Role::Initiator)) return;
  if (find_notify(message.payloads, NotifyType::InvalidIkeSpi) == nullptr) return;
  std::size_t tokens = 0;
  for (const wire::Payload& payload : message.payloads) {
    const auto* notify = std::get_if<wire::NotifyPayload>(&payload);
    if (notify == nullptr || notify->type != NotifyType::QcdToken || ++tokens > kMostTokens) continue;
    if (!peer_token_.empty() && constant_time_equal(peer_token_.view(), notify->data)) return on_peer_lost_it(now, out);
  }
  if (tokens > 0) log(out, Subsystem::Ike, 1, "a QCD_TOKEN that is not the peer's is ignored");
  if (!established() || request_ || (hinted_at_ && now - *hinted_at_ < kHintPeriod)) return;
  hinted_at_ = now;
  log(out, Subsystem::Ike, 1, "somebody says that the peer does not know this IKE SA: asking the peer");
  enqueue({Job::Kind::Liveness, {}, 0, {}, {}, 0}, now, out);
}

// RFC 6290 4.5: it proves that it has forgotten. All of it goes without a word, and begins anew as dpd-action says.
void IkeSa::on_peer_lost_it(TimePoint now, Effects& out) {
  // The old one of a rekey is no more at the peer: the CHILD SAs are the new one's.
  IkeSa* successor = peer_rekey_ ? ctx_.find_ike(peer_rekey_->successor) : nullptr;
  if (successor != nullptr && successor->established()) {
    hand_over(*successor, now, out);
    successor->pump(now, out);
    set_phase(model::IkeSaPhase::Rekeyed, out);
  }
  close_as_dead("the peer has lost it (QCD_TOKEN)", now, out);
}

}  // namespace svti::sa
