// SPDX-License-Identifier: Apache-2.0
// Messages, timers and state of an IKE SA: RFC 7296 sections 2.1 to 2.4 and 2.21.
#include "sa/ike_sa.h"

#include <algorithm>
#include <cassert>

#include "sa/explain.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::IkeSaPhase;
using wire::ExchangeType;
using wire::NotifyType;

namespace {

constexpr Duration kHalfOpenLife = seconds(30);
constexpr Duration kAnswerAgainFor = seconds(10);  // after a fatal answer: retransmissions of the request get it again
constexpr Duration kKeepalive = seconds(20);       // RFC 3948 4
constexpr std::uint64_t kRetryLeast = 2'000'000;   // microseconds before a request the peer put off is made again
constexpr std::uint64_t kRetrySpread = 8'000'000;

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;  // clang 14 does not deduce it by itself

void keep_earliest(std::optional<TimePoint>& earliest, const std::optional<TimePoint>& candidate) {
  if (candidate && (!earliest || *candidate < *earliest)) earliest = candidate;
}

std::string in_fragments(const std::vector<Bytes>& messages) {
  return messages.size() == 1 ? std::string() : " in " + std::to_string(messages.size()) + " fragments";
}

seconds until(TimePoint now, TimePoint then) { return then <= now ? seconds(0) : std::chrono::duration_cast<seconds>(then - now); }

}  // namespace

IkeSa::IkeSa(Context& context, Role role, VpnPtr vpn, const Endpoint& local, const Endpoint& remote, TimePoint now)
    : ctx_(context),
      id_(context.ids->next_ike++),
      role_(role),
      vpn_(std::move(vpn)),
      local_(local),
      remote_(remote),
      created_at_(now),
      last_heard_(now),
      last_sent_(now) {}

IkeSa::~IkeSa() {
  ctx_.ike_spis.erase(our_spi());
  abandon_request();
  drop_peer_followup();
}

// The request under way will not be answered, or the answer no longer matters: what it had set aside is given back.
void IkeSa::abandon_request() {
  if (auth_ && auth_->sent && auth_->sent->child) ctx_.child_spis.erase(auth_->sent->child->spi);
  auth_.reset();
  if (!request_) return;
  if (const auto* auth = std::get_if<AuthRequest>(&*request_); auth != nullptr && auth->child) ctx_.child_spis.erase(auth->child->spi);
  if (const auto* create = std::get_if<CreateChildRequest>(&*request_)) ctx_.child_spis.erase(create->offer.spi);
  if (const auto* rekey = std::get_if<RekeyIkeRequest>(&*request_)) ctx_.ike_spis.erase(rekey->offer.spi);
  request_.reset();
  window_.finish();
}

std::unique_ptr<IkeSa> IkeSa::as_initiator(Context& context, VpnPtr vpn, const Endpoint& local, const Endpoint& remote, TimePoint now) {
  std::unique_ptr<IkeSa> sa(new IkeSa(context, Role::Initiator, std::move(vpn), local, remote, now));
  sa->spi_i_ = context.new_ike_spi();
  return sa;
}

std::unique_ptr<IkeSa> IkeSa::as_responder(Context& context, const Endpoint& local, const Endpoint& remote, wire::IkeSpi peer_spi,
                                           TimePoint now) {
  std::unique_ptr<IkeSa> sa(new IkeSa(context, Role::Responder, nullptr, local, remote, now));
  sa->spi_i_ = peer_spi;
  sa->spi_r_ = context.new_ike_spi();
  sa->give_up_at_ = now + kHalfOpenLife;
  return sa;
}

void IkeSa::log(Effects& out, Subsystem subsystem, LogLevel level, std::string text) const {
  const std::string name = vpn_ ? vpn_->name : remote_.to_string();
  out.emplace_back(
      LogLine{subsystem, level, vpn_ ? vpn_->name : std::string(), name + "[" + std::to_string(id_) + "] " + std::move(text), id_});
}

void IkeSa::notice(Effects& out, Notice::Kind kind, std::string reason) const {
  out.emplace_back(Notice{kind, vpn_ ? vpn_->name : std::string(), {}, id_, 0, 0, std::move(reason)});
}

void IkeSa::set_phase(IkeSaPhase phase, Effects& out) {
  if (phase == phase_) return;
  log(out, Subsystem::Ike, 2,
      "IKE SA " + std::string(model::kIkeSaPhaseNames[static_cast<std::size_t>(phase_)]) + " => " +
          std::string(model::kIkeSaPhaseNames[static_cast<std::size_t>(phase)]));
  phase_ = phase;
}

void IkeSa::die(Effects& out) {
  assert(children_.empty());
  if (dead_) return;
  dead_ = true;
  release_addresses(out);
  log(out, Subsystem::Manager, 2, "IKE SA gone");
}

wire::Header IkeSa::header(ExchangeType exchange, bool response, std::uint32_t message_id) const {
  wire::Header out;
  out.initiator_spi = spi_i_;
  out.responder_spi = spi_r_;
  out.exchange = exchange;
  out.from_initiator = role_ == Role::Initiator;
  out.response = response;
  out.message_id = message_id;
  return out;
}

crypto::SkCipher& IkeSa::outbound_cipher() {
  return role_ == Role::Initiator ? keys_->initiator_to_responder : keys_->responder_to_initiator;
}
crypto::SkCipher& IkeSa::inbound_cipher() {
  return role_ == Role::Initiator ? keys_->responder_to_initiator : keys_->initiator_to_responder;
}

Result<std::vector<Bytes>> IkeSa::protect(ExchangeType exchange, bool response, std::uint32_t message_id, const Payloads& payloads) {
  if (exchange == ExchangeType::IkeIntermediate)
    sign_intermediate(header(exchange, response, message_id), wire::first_type(payloads), wire::encode_payloads(payloads));
  const std::size_t room = message_room(remote_.address, ctx_.config->global.fragment_size);
  return seal_message(outbound_cipher(), header(exchange, response, message_id), wire::first_type(payloads),
                      wire::encode_payloads(payloads), room, fragmentation_, ctx_.entropy);
}

std::vector<model::Datagram> IkeSa::datagrams(std::vector<Bytes> messages) const {
  std::vector<model::Datagram> out;
  out.reserve(messages.size());
  for (Bytes& message : messages) out.push_back({local_, remote_, std::move(message)});
  return out;
}

void IkeSa::transmit(const std::vector<Bytes>& messages, Effects& out) const {
  for (model::Datagram& datagram : datagrams(messages)) out.emplace_back(SendDatagram{std::move(datagram)});
}

void IkeSa::count_message(ExchangeType exchange, bool response, bool inbound) {
  static constexpr std::array kFirst = {model::Counter::IkeInitInReq, model::Counter::IkeAuthInReq, model::Counter::CreateChildInReq,
                                        model::Counter::InfoInReq};
  const auto index = static_cast<std::size_t>(exchange) - static_cast<std::size_t>(ExchangeType::IkeSaInit);
  if (index >= kFirst.size()) return;
  const auto counter = static_cast<std::uint8_t>(kFirst[index]) + (inbound ? 0 : 2) + (response ? 1 : 0);
  ctx_.count(static_cast<model::Counter>(counter), vpn_.get());
}

void IkeSa::send_request(ExchangeType exchange, const Payloads& payloads, Request request, TimePoint now, Effects& out) {
  const std::uint32_t message_id = next_request_id_;
  const bool first = exchange == ExchangeType::IkeSaInit || exchange == ExchangeType::IkeSessionResume;
  auto messages = first
                      ? Result<std::vector<Bytes>>(std::vector<Bytes>{wire::encode_message(header(exchange, false, message_id), payloads)})
                      : protect(exchange, false, message_id, payloads);
  if (!messages) {
    log(out, Subsystem::Encoding, 1, wire::to_string(exchange) + " request cannot be sent: " + messages.error().message);
    return;
  }
  ++next_request_id_;
  request_ = std::move(request);
  requested_ = exchange;
  count_message(exchange, false, false);
  log(out, Subsystem::Encoding, 2,
      "sending " + wire::to_string(exchange) + " request " + std::to_string(message_id) + " to " + remote_.to_string() + " " +
          names_of(payloads, false) + in_fragments(*messages));
  if (first) init_->our_message = messages->front();
  last_sent_ = now;
  response_pieces_.clear();
  transmit(*messages, out);
  window_.begin(now, message_id, datagrams(std::move(*messages)), ctx_.retransmission());
}

void IkeSa::send_response(const wire::Header& request, const Payloads& payloads, Effects& out) {
  auto messages = protect(request.exchange, true, request.message_id, payloads);
  if (!messages) {
    log(out, Subsystem::Encoding, 1, wire::to_string(request.exchange) + " response cannot be sent: " + messages.error().message);
    return;
  }
  count_message(request.exchange, true, false);
  log(out, Subsystem::Encoding, 2,
      "sending " + wire::to_string(request.exchange) + " response " + std::to_string(request.message_id) + " to " +
          reply_remote_.to_string() + " " + names_of(payloads, true) + in_fragments(*messages));
  // RFC 7296 2.11: to where the request came from
  for (const Bytes& message : *messages) out.emplace_back(SendDatagram{{reply_local_, reply_remote_, message}});
  last_response_ = std::move(*messages);
}

void IkeSa::refuse_request(const wire::Header& request, NotifyType type, Bytes data, Effects& out) {
  send_response(request, {wire::NotifyPayload{type, wire::ProtocolId::None, {}, std::move(data)}}, out);
}

// RFC 7296 2.21.3: INVALID_SYNTAX ends the IKE SA at both ends, with no Delete
void IkeSa::refuse_as_malformed(const wire::Header& request, const std::string& reason, TimePoint now, Effects& out) {
  refuse_request(request, NotifyType::InvalidSyntax, {}, out);
  model::Explanation why;
  why.cause = model::Cause::Malformed;
  why.reason = reason;
  out.emplace_back(Explained{told(request.exchange, false, std::move(why), now)});
  destroy(reason, now, out);
}

bool IkeSa::answer_again(const model::Datagram& datagram, Effects& out) const {
  if (dead_ || phase_ != IkeSaPhase::Connecting || !init_ || !equal(init_->peer_message, datagram.payload)) return false;
  out.emplace_back(SendDatagram{{datagram.local, datagram.remote, init_->our_message}});
  return true;
}

void IkeSa::receive(const wire::Message& message, const model::Datagram& datagram, TimePoint now, Effects& out) {
  if (dead_) return;
  const wire::Header& header = message.header;
  if (!keys_) {
    if (role_ == Role::Initiator && header.exchange == ExchangeType::IkeSaInit && header.response)
      on_init_response(message, datagram, now, out);
    if (role_ == Role::Initiator && header.exchange == ExchangeType::IkeSessionResume && header.response)
      on_resume_response(message, datagram, now, out);
    return;
  }
  // Nothing unprotected is believed once there are keys (RFC 7296 2.21.4).
  if (!is_protected(message)) return on_unprotected(message, now, out);
  const auto* encrypted = std::get_if<wire::EncryptedPayload>(&message.payloads.front());
  const auto* fragment = std::get_if<wire::EncryptedFragmentPayload>(&message.payloads.front());
  if (fragment != nullptr && !fragmentation_) return;
  if (header.from_initiator == (role_ == Role::Initiator) || header.initiator_spi != spi_i_ || header.responder_spi != spi_r_) return;

  Reassembly& pieces = header.response ? response_pieces_ : request_pieces_;
  if (fragment != nullptr && expects(header) && !pieces.wants(header.exchange, *fragment)) {
    return log(out, Subsystem::Encoding, 2,
               "fragment " + std::to_string(fragment->number) + " of " + std::to_string(fragment->total) + " brings nothing new, dropped");
  }
  const Bytes& body = fragment == nullptr ? encrypted->body : fragment->body;
  const bool again = !header.response && header.message_id + 1 == expected_request_id_ && !last_response_.empty();
  // RFC 9370 2.2.2: since the answer to that request the keys are others
  crypto::SkCipher& cipher = again && former_inbound_cipher_ ? *former_inbound_cipher_ : inbound_cipher();
  auto plaintext = cipher.open(ByteView(datagram.payload).first(datagram.payload.size() - body.size()), body);
  if (!plaintext) {
    ctx_.count(model::Counter::Invalid, vpn_.get());
    log(out, Subsystem::Encoding, 1,
        wire::to_string(header.exchange) + " from " + datagram.remote.to_string() + " dropped: " + plaintext.error().message);
    return;
  }
  if (again) {
    // RFC 7383 2.6.1: once for all fragments of the request, not once for each
    if (fragment != nullptr && fragment->number != 1) return;
    log(out, Subsystem::Encoding, 2, "request " + std::to_string(header.message_id) + " came again, answered again");
    // RFC 7296 2.11: to where it came from this time
    for (const Bytes& response : last_response_) out.emplace_back(SendDatagram{{datagram.local, datagram.remote, response}});
    return;
  }
  if (!expects(header)) {
    log(out, Subsystem::Encoding, 2, "message id " + std::to_string(header.message_id) + " is not one expected now, dropped");
    return;
  }
  if (!header.response && !accepts_request(header.exchange)) {
    log(out, Subsystem::Ike, 1, wire::to_string(header.exchange) + " request dropped: the peer is not authenticated");
    return;
  }
  Reassembly::Whole whole;
  if (fragment != nullptr) {
    auto complete = pieces.add(header.exchange, *fragment, std::move(*plaintext), now);
    if (header.exchange == ExchangeType::IkeIntermediate && pieces.octets() > kMaxIntermediateOctets) pieces.clear();
    if (!complete) return;
    whole = std::move(*complete);
  } else {
    pieces.clear();  // RFC 7383 2.6: the message has come whole
    whole = {encrypted->first_inner, std::move(*plaintext)};
  }
  if (header.exchange == ExchangeType::IkeIntermediate) {
    if (whole.plaintext.size() > kMaxIntermediateOctets) return log(out, Subsystem::Ike, 1, "IKE_INTERMEDIATE of an absurd size dropped");
    sign_intermediate(header, whole.first_inner, whole.plaintext);
  }
  // RFC 7296 2.4: only what is fresh proves that the peer is alive; an old message may be anybody's replay
  last_heard_ = now;
  follow(datagram, header.response, now, out);
  if (established()) send_on_all(out);
  const auto payloads = wire::parse_payloads(whole.first_inner, whole.plaintext);
  count_message(header.exchange, header.response, true);
  if (!payloads) {
    ctx_.count(model::Counter::Invalid, vpn_.get());
    log(out, Subsystem::Encoding, 1, wire::to_string(header.exchange) + " is malformed: " + payloads.error().message);
  }
  log(out, Subsystem::Encoding, 2,
      "received " + wire::to_string(header.exchange) + (header.response ? " response " : " request ") + std::to_string(header.message_id) +
          (payloads ? " " + names_of(*payloads, header.response) : std::string()));
  if (header.response) {
    if (!payloads) return destroy("its response is malformed", now, out);
    on_response(header, *payloads, now, out);
    if (!dead_) on_probed(now, out);
  } else {
    ++expected_request_id_;
    last_response_.clear();
    former_inbound_cipher_.reset();
    if (payloads) {
      on_request(header, *payloads, now, out);
    } else {
      refuse_as_malformed(header, "its request is malformed", now, out);
    }
  }
  if (!dead_) pump(now, out);
}

// the one request or the one response that may come now (window size 1)
bool IkeSa::expects(const wire::Header& header) const {
  if (!header.response) return header.message_id == expected_request_id_;
  return request_.has_value() && header.message_id == window_.message_id() && header.exchange == requested_;
}

// Before authentication nothing but IKE_INTERMEDIATE and IKE_AUTH is a request (CVE-2026-78135, CVE-2014-2338), and only a responder gets
// one. Anything else is dropped rather than refused: an honest peer may have authenticated us already, and sends it again when its own
// IKE_AUTH response got lost.
bool IkeSa::accepts_request(ExchangeType exchange) const {
  if (phase_ == IkeSaPhase::Connecting) {
    if (role_ != Role::Responder || !init_ || (auth_ && !eap_awaits_peer() && !awaits_round())) return false;
    if (auth_) return exchange == ExchangeType::IkeAuth || exchange == ExchangeType::Informational;  // by the latter it ends
    const Intermediate& intermediate = init_->intermediate;
    // RFC 9242 3.2: IKE_INTERMEDIATE when both have said that they do it; RFC 9370 2.2.2: all that was agreed on, and then IKE_AUTH
    if (exchange == ExchangeType::IkeIntermediate) return intermediate.supported && intermediate.exchanges < kMaxIntermediateExchanges;
    return exchange == ExchangeType::IkeAuth && !intermediate.pending();
  }
  if (exchange == ExchangeType::IkeIntermediate) return false;
  return phase_ != IkeSaPhase::Created && vpn_ != nullptr;
}

void IkeSa::on_request(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out) {
  const bool authenticated = phase_ != IkeSaPhase::Connecting;
  if (authenticated && header.exchange == ExchangeType::IkeAuth) {
    log(out, Subsystem::Ike, 1, "IKE_AUTH request refused: the peer is authenticated already");
    return refuse_as_malformed(header, "IKE_AUTH request of an authenticated peer", now, out);
  }
  if (!authenticated && header.exchange == ExchangeType::Informational) return on_auth_broken_off(header, payloads, now, out);
  if (const auto violation = check_message(header.exchange, false, payloads, auth_round())) {
    log(out, Subsystem::Ike, 1, wire::to_string(header.exchange) + " request refused: " + violation->reason);
    if (!authenticated) {
      explain_to_address(ctx_, auth_refusal(model::Cause::Malformed, violation->reason, now), out);
      return refuse_authentication(header, violation->reason, now, out);
    }
    if (violation->notify == NotifyType::InvalidSyntax) return refuse_as_malformed(header, violation->reason, now, out);
    return refuse_request(header, violation->notify, violation->notify_data, out);
  }
  take_over_from_predecessor(payloads, now, out);
  switch (header.exchange) {
    case ExchangeType::IkeAuth:
      return on_auth_request(header, payloads, now, out);
    case ExchangeType::CreateChildSa:
      return on_create_child_request(header, payloads, now, out);
    case ExchangeType::Informational:
      return on_informational_request(header, payloads, now, out);
    case ExchangeType::IkeIntermediate:
      return on_intermediate_request(header, payloads, now, out);
    case ExchangeType::IkeFollowupKe:
      return on_followup_request(header, payloads, now, out);
    case ExchangeType::IkeSaInit:
    case ExchangeType::IkeSessionResume:
      break;
  }
  log(out, Subsystem::Ike, 1, "request of the unknown type " + wire::to_string(header.exchange) + " refused");
  refuse_as_malformed(header, "request of an unknown type", now, out);
}

void IkeSa::on_response(const wire::Header& header, const Payloads& payloads, TimePoint now, Effects& out) {
  Request request = std::move(*request_);
  request_.reset();
  window_.finish();
  if (const auto violation = check_message(header.exchange, true, payloads, auth_round())) {
    log(out, Subsystem::Ike, 1, wire::to_string(header.exchange) + " response refused: " + violation->reason);
    if (const auto* create = std::get_if<CreateChildRequest>(&request))
      offer_failed(create->offer, offer_failure(create->offer, model::Cause::Malformed, "the peer's answer is malformed", now), now, out);
    if (phase_ == IkeSaPhase::Connecting) {
      const std::string reason = "the peer's answer is malformed: " + violation->reason;
      return fail_connect(connect_failure(model::Cause::Malformed, reason, now), now, out, false);
    }
    return destroy(violation->reason, now, out);
  }
  if (phase_ == IkeSaPhase::Deleting && std::holds_alternative<CreateChildRequest>(request)) {
    // The Delete that waits behind it takes the peer's half along (RFC 7296 1.4.1).
    ctx_.child_spis.erase(std::get<CreateChildRequest>(request).offer.spi);
    return;
  }
  const bool fatal =
      find_notify(payloads, NotifyType::AuthenticationFailed) != nullptr || find_notify(payloads, NotifyType::InvalidSyntax) != nullptr;
  if (fatal && established()) {
    const std::string reason = "the peer answered " + wire::to_string(find_error(payloads)->type);
    model::Explanation why;
    why.cause = model::Cause::Refused;
    why.reason = reason;
    why.advice = {model::Side::Theirs, {}, "the peer's log says why it refuses"};
    out.emplace_back(Explained{told(header.exchange, true, std::move(why), now)});
    return destroy(reason, now, out);
  }
  std::visit(Overloaded{
                 [](InitRequest&) {},
                 [&](IntermediateRequest&) { on_intermediate_response(payloads, now, out); },
                 [](ResumeRequest&) {},
                 [&](AuthRequest& auth) { on_auth_response(auth, payloads, now, out); },
                 [&](CreateChildRequest& create) { on_create_child_response(create, payloads, now, out); },
                 [&](RekeyIkeRequest& rekey) { on_rekey_ike_response(rekey, payloads, now, out); },
                 [&](DeleteChildRequest& request_sent) {
                   if (ChildSa* child = find_child(request_sent.child)) remove_child(*child, {}, true, now, out);
                 },
                 [&](DeleteIkeRequest&) {
                   while (!children_.empty()) remove_child(*children_.back(), "its IKE SA is deleted", true, now, out);
                   begin_anew();
                   die(out);
                 },
                 [&](AuthenticationFailedRequest&) { die(out); },
                 [&](LivenessRequest&) {
                   learn_ticket(payloads, now, out);
                   on_liveness_response(payloads, now, out);
                 },
                 [&](UpdateAddressesRequest& update) { on_update_response(update, payloads, now, out); },
                 [](AnnounceAddressesRequest&) {},
                 [&](RoutabilityRequest& routability) { on_routability_response(routability, payloads, now, out); },
             },
             request);
}

bool IkeSa::queued(Job::Kind kind, std::uint32_t child) const {
  return std::any_of(jobs_.begin(), jobs_.end(), [&](const Job& job) { return job.kind == kind && job.child == child; });
}

void IkeSa::enqueue(Job job, TimePoint now, Effects& out) {
  jobs_.push_back(std::move(job));
  pump(now, out);
}

void IkeSa::retry_later(Job job, TimePoint now) {
  const auto delay = Duration(static_cast<Duration::rep>(kRetryLeast + ctx_.entropy.below(kRetrySpread)));
  delayed_.push_back({now + delay, std::move(job)});
}

// The peer has rekeyed this IKE SA: as soon as it has our answer the CHILD SAs are the new one's.
bool IkeSa::being_handed_over() const {
  if (peer_followup_of_ike()) return true;  // as soon as its key exchanges are done
  if (!peer_rekey_) return false;
  const IkeSa* successor = ctx_.find_ike(peer_rekey_->successor);
  return successor != nullptr && successor->established();
}

bool IkeSa::may_begin(const Job& job) const {
  if (job.kind == Job::Kind::DeleteIke || job.kind == Job::Kind::AuthenticationFailed) return true;
  if (!established()) return false;
  // What concerns CHILD SAs waits for the new IKE SA: here the peer may know of them no more (RFC 7296 2.25.2).
  return job.kind == Job::Kind::Liveness || !being_handed_over();
}

void IkeSa::pump(TimePoint now, Effects& out) {
  while (!dead_ && keys_ && !request_) {
    const auto next = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& job) { return may_begin(job); });
    if (next == jobs_.end()) return;
    Job job = std::move(*next);
    jobs_.erase(next);
    begin(std::move(job), now, out);
  }
}

void IkeSa::begin(Job job, TimePoint now, Effects& out) {
  ++job.rounds;
  switch (job.kind) {
    case Job::Kind::CreateChild:
      return begin_create_child(job, now, out);
    case Job::Kind::RekeyChild:
      return begin_create_child(job, now, out);
    case Job::Kind::RekeyIke:
      return begin_rekey_ike(job, now, out);
    case Job::Kind::Liveness:
      return send_request(ExchangeType::Informational, liveness_payloads(), LivenessRequest{}, now, out);
    case Job::Kind::UpdateAddresses:
      return begin_update(now, out);
    case Job::Kind::AnnounceAddresses: {
      Payloads payloads;
      add_addresses(payloads, false);
      return send_request(ExchangeType::Informational, payloads, AnnounceAddressesRequest{}, now, out);
    }
    case Job::Kind::Routability: {
      RoutabilityRequest request{ctx_.entropy.bytes(16)};
      const wire::NotifyPayload cookie2{NotifyType::Cookie2, wire::ProtocolId::None, {}, request.cookie2};
      return send_request(ExchangeType::Informational, {cookie2}, std::move(request), now, out);
    }
    case Job::Kind::Redirect:
      return send_request(ExchangeType::Informational,
                          {wire::NotifyPayload{NotifyType::Redirect, wire::ProtocolId::None, {}, wire::encode_redirect(job.gateway)}},
                          LivenessRequest{}, now, out);
    case Job::Kind::DeleteChild: {
      ChildSa* child = find_child(job.child);
      if (child == nullptr) return;
      const wire::DeletePayload payload{child->inbound.protocol, {child->inbound.spi}};
      return send_request(ExchangeType::Informational, {payload}, DeleteChildRequest{job.child}, now, out);
    }
    case Job::Kind::RefuseChild:
      return send_request(ExchangeType::Informational, {wire::DeletePayload{job.refused.protocol, {job.refused.spi}}}, LivenessRequest{},
                          now, out);
    case Job::Kind::DeleteIke:
      return send_request(ExchangeType::Informational, {wire::DeletePayload{wire::ProtocolId::Ike, {}}}, DeleteIkeRequest{}, now, out);
    case Job::Kind::AuthenticationFailed:
      // RFC 7296 2.21.2: the initiator that cannot accept the responder says so in an exchange of its own
      return send_request(ExchangeType::Informational,
                          {wire::NotifyPayload{NotifyType::AuthenticationFailed, wire::ProtocolId::None, {}, {}}},
                          AuthenticationFailedRequest{}, now, out);
  }
}

std::optional<TimePoint> IkeSa::next_deadline() const {
  if (dead_) return std::nullopt;
  std::optional<TimePoint> earliest = window_.deadline();
  keep_earliest(earliest, give_up_at_);
  if (auth_ && auth_->awaited != 0) keep_earliest(earliest, auth_->give_up_at);
  keep_earliest(earliest, request_pieces_.expires());
  keep_earliest(earliest, response_pieces_.expires());
  for (const DelayedJob& delayed : delayed_) keep_earliest(earliest, delayed.at);
  if (!established()) return earliest;
  keep_earliest(earliest, rekey_at_);
  keep_earliest(earliest, dies_at_);
  keep_earliest(earliest, reauth_at_);
  keep_earliest(earliest, retire_at_);
  if (peer_followup_) keep_earliest(earliest, peer_followup_->expires);
  for (const auto& child : children_) {
    keep_earliest(earliest, child->rekey_at);
    keep_earliest(earliest, child->dies_at);
  }
  if (vpn_->ike.dpd_delay.count() > 0 && !request_) keep_earliest(earliest, last_heard_ + vpn_->ike.dpd_delay);
  if (we_behind_nat_) keep_earliest(earliest, last_sent_ + kKeepalive);
  return earliest;
}

void IkeSa::on_deadline(TimePoint now, Effects& out) {
  if (dead_) return;
  if (give_up_at_ && *give_up_at_ <= now) {
    if (half_open()) {
      log(out, Subsystem::Ike, 1, "half-open IKE SA given up: the peer did not go on");
      model::Explanation why = auth_refusal(model::Cause::NoAnswer, "our IKE_SA_INIT response was not followed by IKE_AUTH", now);
      why.advice = {
          model::Side::Either, {}, "let UDP ports 500 and 4500 pass both ways, or look at the peer's log: it may have refused our answer"};
      if (auth_ && (eap_ || rounds_))
        out.emplace_back(Explained{auth_abandoned(eap_ ? "it did not go on with EAP" : "it did not go on", now)});
      else
        explain_to_address(ctx_, why, out);
    }
    return destroy("given up", now, out);
  }
  if (auth_ && auth_->awaited != 0 && auth_->give_up_at <= now) return on_answer_overdue(now, out);
  for (Reassembly* pieces : {&request_pieces_, &response_pieces_}) {
    if (const auto expires = pieces->expires(); expires && *expires <= now) pieces->clear();
  }
  if (const auto deadline = window_.deadline(); deadline && *deadline <= now) {
    if (window_.on_deadline(now) == RequestWindow::Step::GiveUp) return on_unreachable(now, out);
    log(out, Subsystem::Encoding, 1,
        "retransmission " + std::to_string(window_.retransmissions()) + " of request " + std::to_string(window_.message_id()) + " to " +
            window_.datagrams().front().remote.to_string());
    last_sent_ = now;
    probe(out);
    for (const model::Datagram& datagram : window_.datagrams()) out.emplace_back(SendDatagram{datagram});
  }
  std::vector<Job> due;
  std::erase_if(delayed_, [&](DelayedJob& delayed) {
    if (delayed.at > now) return false;
    due.push_back(std::move(delayed.job));
    return true;
  });
  for (Job& job : due) jobs_.push_back(std::move(job));
  if (!established()) return pump(now, out);

  if (dies_at_ && *dies_at_ <= now) {
    log(out, Subsystem::Ike, 1, "IKE SA reached the end of its life without being rekeyed");
    close_children("the IKE SA reached the end of its life", true, now, out);
    return delete_ike("end of its life", now, out);
  }
  if (peer_followup_ && peer_followup_->expires <= now) on_followup_overdue(now, out);
  if (retire_at_ && *retire_at_ <= now) return delete_duplicate(retire_reason_, now, out);
  if (reauth_at_ && *reauth_at_ <= now) reauthenticate(now, out);
  if (rekey_at_ && *rekey_at_ <= now) rekey(now, out);
  std::vector<std::uint32_t> rekeys, deaths;
  for (const auto& child : children_) {
    if (child->dies_at && *child->dies_at <= now)
      deaths.push_back(child->unique_id);
    else if (child->rekey_at && *child->rekey_at <= now)
      rekeys.push_back(child->unique_id);
  }
  for (const std::uint32_t child : rekeys) rekey_child(child, now, out);
  for (const std::uint32_t child : deaths) end_child(child, "it reached the end of its life", now, out);

  pump(now, out);
  if (dead_) return;
  // Any request will do as a sign of life (RFC 7296 2.4): one of its own is sent only when there is no other.
  const bool quiet = vpn_->ike.dpd_delay.count() > 0 && last_heard_ + vpn_->ike.dpd_delay <= now;
  if (quiet && !request_) enqueue({Job::Kind::Liveness, {}, 0, {}, {}, 0}, now, out);
  if (we_behind_nat_ && last_sent_ + kKeepalive <= now) {
    last_sent_ = now;
    out.emplace_back(SendKeepalive{local_, remote_});
  }
}

void IkeSa::on_unreachable(TimePoint now, Effects& out) {
  // nobody has seen the ticket: it is still good
  if (requesting<ResumeRequest>() && resuming_) ctx_.kept_tickets.insert_or_assign(vpn_->name, std::move(*resuming_));
  abandon_request();
  if (phase_ == IkeSaPhase::Connecting) return fail_connect(no_answer(now), now, out, true);
  if (established()) out.emplace_back(Explained{no_answer(now)});
  close_as_dead("the peer does not answer", now, out);
}

// The peer is not there any more, or knows nothing of this IKE SA.
void IkeSa::close_as_dead(const std::string& reason, TimePoint now, Effects& out) {
  abandon_request();
  keep_ticket();
  if (established()) {
    log(out, Subsystem::Ike, 0, "IKE SA with " + remote_.to_string() + " closed: " + reason);
    close_children(reason, true, now, out);
    notice(out, Notice::Kind::IkeDown, reason);
  }
  while (!children_.empty()) remove_child(*children_.back(), reason, true, now, out);
  begin_anew();
  die(out);
}

bool IkeSa::serves(const std::string& policy) const {
  return std::any_of(children_.begin(), children_.end(), [&](const auto& child) {
    const bool leaving = child->phase == model::ChildSaPhase::Deleting || child->phase == model::ChildSaPhase::Rekeyed;
    return child->policy->name == policy && !leaving;
  });
}

std::vector<std::string> IkeSa::served() const {
  std::vector<std::string> out;
  for (const auto& child : children_) {
    if (serves(child->policy->name)) out.push_back(child->policy->name);
  }
  return out;
}

std::vector<std::string> IkeSa::take_wanted() {
  std::vector<std::string> out = std::exchange(wanted_, {});
  // The first is in the IKE_AUTH request, or in the CREATE_CHILD_SA request, that may be under way; asked for twice it is made once.
  if (requesting<CreateChildRequest>() && std::get<CreateChildRequest>(*request_).offer.rekeys == 0)
    out.push_back(std::get<CreateChildRequest>(*request_).offer.policy);
  std::erase_if(jobs_, [&](const Job& job) {
    if (job.kind == Job::Kind::CreateChild) out.push_back(job.policy);
    return job.kind == Job::Kind::CreateChild;
  });
  std::erase_if(delayed_, [&](const DelayedJob& delayed) {
    if (delayed.job.kind == Job::Kind::CreateChild) out.push_back(delayed.job.policy);
    return delayed.job.kind == Job::Kind::CreateChild;
  });
  return out;
}

void IkeSa::retire(TimePoint at, std::string reason) {
  if (!established() || retire_at_) return;
  retire_at_ = at;
  retire_reason_ = std::move(reason);
}

void IkeSa::want_child(const std::string& policy, TimePoint now, Effects& out) {
  const bool queued_already =
      std::any_of(jobs_.begin(), jobs_.end(), [&](const Job& job) { return job.policy == policy; }) ||
      std::any_of(delayed_.begin(), delayed_.end(), [&](const DelayedJob& delayed) { return delayed.job.policy == policy; });
  const auto* requested = requesting<CreateChildRequest>() ? &std::get<CreateChildRequest>(*request_).offer : nullptr;
  if (serves(policy) || queued_already || (requested != nullptr && requested->policy == policy)) return;
  if (phase_ == IkeSaPhase::Created || phase_ == IkeSaPhase::Connecting) {
    if (std::find(wanted_.begin(), wanted_.end(), policy) == wanted_.end()) wanted_.push_back(policy);
    return;
  }
  enqueue({Job::Kind::CreateChild, policy, 0, {}, {}, 0}, now, out);
}

void IkeSa::rekey(TimePoint now, Effects& out) {
  rekey_at_.reset();
  if (!established() || requesting<RekeyIkeRequest>() || queued(Job::Kind::RekeyIke) || being_handed_over()) return;
  enqueue({Job::Kind::RekeyIke, {}, 0, {}, {}, 0}, now, out);
}

void IkeSa::rekey_child(std::uint32_t child, TimePoint now, Effects& out) {
  ChildSa* old = find_child(child);
  if (old == nullptr) return;
  old->rekey_at.reset();
  if (old->phase != model::ChildSaPhase::Installed || queued(Job::Kind::RekeyChild, child)) return;
  enqueue({Job::Kind::RekeyChild, {}, child, {}, {}, 0}, now, out);
}

void IkeSa::delete_child(std::uint32_t unique_id, const std::string& reason, TimePoint now, Effects& out) {
  ChildSa* child = find_child(unique_id);
  if (child == nullptr || child->phase == model::ChildSaPhase::Deleting) return;
  if (!reason.empty()) log(out, Subsystem::Child, 1, "deleting CHILD SA " + child->policy->name + ": " + reason);
  child->phase = model::ChildSaPhase::Deleting;
  child->rekey_at.reset();
  child->dies_at.reset();
  enqueue({Job::Kind::DeleteChild, {}, unique_id, {}, {}, 0}, now, out);
}

// What lived too long without a rekey goes; with start-action start another one is made.
void IkeSa::end_child(std::uint32_t unique_id, const std::string& reason, TimePoint now, Effects& out) {
  const ChildSa* child = find_child(unique_id);
  if (child == nullptr || child->phase == model::ChildSaPhase::Deleting) return;
  const bool used = child->phase != model::ChildSaPhase::Rekeyed && child->replaced_by == 0;
  if (used && vpn_->ipsec_of(*child->policy).start_action == model::StartAction::Start) start_later(child->policy->name);
  delete_child(unique_id, reason, now, out);
}

void IkeSa::delete_ike(const std::string& reason, TimePoint now, Effects& out) {
  if (dead_ || phase_ == IkeSaPhase::Deleting) return;
  if (phase_ == IkeSaPhase::Created || phase_ == IkeSaPhase::Connecting) return destroy(reason, now, out);
  log(out, Subsystem::Ike, 1, "deleting IKE SA" + (reason.empty() ? "" : ": " + reason));
  const bool was_up = established();
  while (!children_.empty()) remove_child(*children_.back(), reason, true, now, out);
  release_addresses(out);
  set_phase(IkeSaPhase::Deleting, out);
  if (was_up) notice(out, Notice::Kind::IkeDown, reason);
  jobs_.clear();
  delayed_.clear();
  enqueue({Job::Kind::DeleteIke, {}, 0, {}, {}, 0}, now, out);
}

bool IkeSa::crosses(const IkeSa& other) const {
  return role_ != other.role_ && created_at_ <= other.established_at_ && other.created_at_ <= established_at_;
}

void IkeSa::delete_duplicate(const std::string& reason, TimePoint now, Effects& out) {
  if (dead_ || !established()) return;
  log(out, Subsystem::Ike, 1, "deleting IKE SA: " + reason);
  for (const auto& child : children_) stop_sending(*child, now, out);
  set_phase(IkeSaPhase::Deleting, out);
  notice(out, Notice::Kind::IkeDown, reason);
  jobs_.clear();
  delayed_.clear();
  enqueue({Job::Kind::DeleteIke, {}, 0, {}, {}, 0}, now, out);
}

void IkeSa::destroy(const std::string& reason, TimePoint now, Effects& out) {
  if (dead_) return;
  const bool was_up = established();
  while (!children_.empty()) remove_child(*children_.back(), reason, true, now, out);
  release_addresses(out);
  if (was_up) {
    log(out, Subsystem::Ike, 1, "IKE SA closed: " + reason);
    notice(out, Notice::Kind::IkeDown, reason);
  }
  // A fatal answer has just gone out: the peer may ask for it again.
  if (was_up && !last_response_.empty()) {
    set_phase(IkeSaPhase::Deleting, out);
    jobs_.clear();
    delayed_.clear();
    abandon_request();
    give_up_at_ = now + kAnswerAgainFor;
    return;
  }
  die(out);
}

void IkeSa::child_lost(std::uint32_t unique_id, const std::string& reason, TimePoint now, Effects& out) {
  ChildSa* child = find_child(unique_id);
  if (child == nullptr) return;
  log(out, Subsystem::Kernel, 0, "CHILD SA " + child->policy->name + " lost: " + reason);
  child_notice(*child, Notice::Kind::ChildFailed, reason, out);
  model::Explanation why;
  why.cause = model::Cause::Kernel;
  why.reason = reason;
  why.policy = child->policy->name;
  why.tables.push_back(
      {"agreed on", {{"ESP proposal", cell(to_string(child->choice)), cell(to_string(child->choice)), model::Verdict::Fits}}});
  why.advice = {model::Side::Ours, "vpn " + vpn_->name + " ipsec-policy esp-proposal",
                "the kernel refuses what was agreed on: it may lack an algorithm (/proc/crypto), or the SVTI; its own log says more"};
  if (vpn_->ipsec_of(*child->policy).hw_offload == model::HwOffload::Crypto)
    why.advice = {model::Side::Ours, "vpn " + vpn_->name + " ipsec-policy hw-offload",
                  "with auto the kernel does what the device refuses or has no room for"};
  out.emplace_back(Explained{told(wire::ExchangeType::CreateChildSa, role_ == Role::Initiator, std::move(why), now)});
  delete_child(unique_id, {}, now, out);
}

model::IkeSaState IkeSa::state(TimePoint now) const {
  model::IkeSaState out;
  out.unique_id = id_;
  out.name = vpn_ ? vpn_->name : "";
  out.phase = phase_;
  out.initiator = role_ == Role::Initiator;
  out.local = local_;
  out.remote = remote_;
  const bool identified = !local_id_.data.empty();
  out.local_id = identified ? local_id_.to_string() : "";
  out.remote_id = identified ? remote_id_.to_string() : "";
  if (local_eap_id_) out.local_eap_id = local_eap_id_->to_string();
  if (remote_eap_id_) out.remote_eap_id = remote_eap_id_->to_string();
  if (eap_method_) out.eap_method = name_of(*eap_method_);
  out.radius_server = radius_server_;
  if (local_certificate_) out.local_certificate = local_certificate_->der;
  out.remote_certificate = remote_certificate_;
  out.initiator_spi = spi_i_;
  out.responder_spi = spi_r_;
  out.transforms = choice_.transforms;
  out.established = established_at_ == TimePoint{} ? seconds(0) : until(established_at_, now);
  if (rekey_at_) out.rekey = until(now, *rekey_at_);
  if (reauth_at_) out.reauth = until(now, *reauth_at_);
  out.mobike = mobike_;
  out.ppk = ppk_;
  out.udp_encap = encapsulate();
  out.nat_local = we_behind_nat_;
  out.nat_remote = peer_behind_nat_;
  out.local_vips = vips_.ours;
  out.remote_vips = vips_.theirs;
  out.dns = vips_.dns;
  out.nbns = vips_.nbns;
  out.dhcp = vips_.dhcp;
  for (const auto& child : children_) {
    model::ChildSaState one;
    one.unique_id = child->unique_id;
    one.name = child->policy->name;
    one.phase = child->phase;
    one.reqid = child->reqid;
    one.mode = child->policy->mode;
    one.protocol = child->inbound.protocol;
    one.udp_encap = child->udp_encap;
    one.spi_in = child->inbound.spi;
    one.spi_out = child->outbound.spi;
    one.svti_id_in = child->policy->svti_id_in;
    one.svti_id_out = child->policy->svti_id_out;
    one.transforms = child->choice.transforms;
    const wire::Transform* esn = find_transform(child->choice, wire::TransformType::Esn);
    one.esn = esn != nullptr && esn->id != 0;
    one.installed = until(child->installed_at, now);
    if (child->rekey_at) one.rekey = until(now, *child->rekey_at);
    if (child->dies_at) one.life = until(now, *child->dies_at);
    one.local_ts = child->local;
    one.remote_ts = child->remote;
    out.children.push_back(std::move(one));
  }
  return out;
}

}  // namespace svti::sa
