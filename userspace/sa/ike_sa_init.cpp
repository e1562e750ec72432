// SPDX-License-Identifier: Apache-2.0
// IKE_SA_INIT, both roles: RFC 7296 1.2, 2.6 (cookies), 2.7 and 1.2 (INVALID_KE_PAYLOAD), 2.23 (NAT detection),
// RFC 7383 2.3 (fragmentation).
#include <algorithm>

#include "crypto/prf.h"
#include "sa/explain.h"
#include "sa/ike_sa.h"
#include "sa/message_rules.h"

namespace svti::sa {

using model::Cause;
using model::IkeSaPhase;
using wire::ExchangeType;
using wire::NotifyType;
using wire::PayloadType;

namespace {

constexpr std::size_t kNonceSize = 32;      // at least half the key size of every PRF we have (RFC 7296 2.10)
constexpr std::uint32_t kMaxRounds = 5;     // cookie and group may each be asked for more than once; a peer that goes on is refused
constexpr std::size_t kMaxCookieSize = 64;  // RFC 7296 2.6

// RFC 7296 2.23: SHA-1 over SPIs as in the header, address and port
Bytes nat_detection_hash(wire::IkeSpi spi_i, wire::IkeSpi spi_r, const Endpoint& endpoint) {
  Writer spis;
  spis.u64(spi_i);
  spis.u64(spi_r);
  Writer port;
  port.u16(endpoint.port);
  return crypto::sha1({spis.view(), endpoint.address.bytes(), port.view()});
}

wire::NotifyPayload status(NotifyType type, Bytes data) { return {type, wire::ProtocolId::None, {}, std::move(data)}; }

bool wants_childless(const model::Vpn& vpn) {
  return vpn.ike.childless == model::Childless::Prefer || vpn.ike.childless == model::Childless::Force;
}

}  // namespace

void IkeSa::start(std::vector<std::string> policies, std::uint32_t attempt, TimePoint now, Effects& out) {
  wanted_ = std::move(policies);
  attempt_ = attempt;
  local_id_ = local_identity(*vpn_, local_.address);
  init_ = InitExchange{};
  init_->nonce_i = ctx_.entropy.bytes(kNonceSize);
  init_->group = first_group(vpn_->ike.proposals);
  log(out, Subsystem::Ike, 0, std::string(resuming_ ? "resuming" : "initiating") + " IKE SA to " + remote_.address.to_string());
  set_phase(IkeSaPhase::Connecting, out);
  if (!resuming_) return send_init(now, out);
  local_id_ = resuming_->session.local_id;
  send_resume(now, out);
}

void IkeSa::send_init(TimePoint now, Effects& out) {
  if (!init_->ke || init_->ke->group() != init_->group) {
    auto ke = crypto::KeyExchange::create(init_->group, ctx_.entropy);
    if (!ke) return fail_connect(connect_failure(Cause::KeyExchangeGroup, ke.error().message, now), now, out, false);
    init_->ke = std::move(*ke);
  }
  Payloads payloads;
  if (!init_->cookie.empty()) payloads.push_back(status(NotifyType::Cookie, init_->cookie));
  payloads.push_back(wire::SaPayload{vpn_->ike.proposals});
  payloads.push_back(wire::KePayload{init_->group, to_bytes(init_->ke->public_value())});
  payloads.push_back(wire::NoncePayload{init_->nonce_i});
  add_nat_detection(payloads);
  if (ctx_.config->global.fragment_size != 0) payloads.push_back(status(NotifyType::FragmentationSupported, {}));
  if (vpn_->authentication.uses_certificates()) add_auth_methods(payloads, {});
  if (offers_additional_groups(vpn_->ike.proposals)) payloads.push_back(status(NotifyType::IntermediateExchangeSupported, {}));
  if (offers_ppk()) payloads.push_back(status(NotifyType::UsePpk, {}));
  // RFC 6023 and RFC 4739 ask for these in the response alone. Here they make room for that: no answer is larger than what it answers.
  if (wants_childless(*vpn_)) payloads.push_back(status(NotifyType::ChildlessIkev2Supported, {}));
  if (vpn_->authentication.has_several_rounds()) payloads.push_back(status(NotifyType::MultipleAuthSupported, {}));
  offer_redirect(payloads);
  window_.finish();
  next_request_id_ = 0;  // every IKE_SA_INIT request has message id 0 (RFC 7296 2.2)
  ++init_->rounds;
  send_request(ExchangeType::IkeSaInit, payloads, InitRequest{}, now, out);
}

bool IkeSa::forced_encapsulation() const {
  return vpn_ ? vpn_->ike.udp_encap : ctx_.index.forces_encapsulation(local_.address, remote_.address);
}

void IkeSa::add_nat_detection(Payloads& payloads) const {
  // udp-encap: a source hash that cannot match makes the peer see a NAT (the guide's "udp-encap")
  payloads.push_back(status(NotifyType::NatDetectionSourceIp,
                            forced_encapsulation() ? ctx_.entropy.bytes(20) : nat_detection_hash(spi_i_, spi_r_, local_)));
  payloads.push_back(status(NotifyType::NatDetectionDestinationIp, nat_detection_hash(spi_i_, spi_r_, remote_)));
}

void IkeSa::detect_nat(const Payloads& payloads, const Endpoint& local, const Endpoint& remote, wire::IkeSpi spi_r, Effects& out) {
  const Bytes from = nat_detection_hash(spi_i_, spi_r, remote);
  const Bytes to = nat_detection_hash(spi_i_, spi_r, local);
  bool source_seen = false, source_matches = false, destination_seen = false, destination_matches = false;
  for (const wire::Payload& payload : payloads) {
    const auto* notify = std::get_if<wire::NotifyPayload>(&payload);
    if (notify == nullptr) continue;
    if (notify->type == NotifyType::NatDetectionSourceIp) {
      source_seen = true;
      source_matches |= notify->data == from;  // several may come: one for each address the sender has
    } else if (notify->type == NotifyType::NatDetectionDestinationIp) {
      destination_seen = true;
      destination_matches |= notify->data == to;
    }
  }
  peer_behind_nat_ = source_seen && !source_matches;
  const bool forced = forced_encapsulation();
  we_behind_nat_ = (destination_seen && !destination_matches) || (forced && destination_seen);
  if (peer_behind_nat_) log(out, Subsystem::Ike, 1, "the peer is behind a NAT");
  if (we_behind_nat_) log(out, Subsystem::Ike, 1, forced ? "UDP encapsulation as configured" : "we are behind a NAT");
}

void IkeSa::on_init_response(const wire::Message& message, const model::Datagram& datagram, TimePoint now, Effects& out) {
  const auto fail_with = [&](Cause cause, std::string reason) {
    fail_connect(connect_failure(cause, std::move(reason), now), now, out, false);
  };
  if (!requesting<InitRequest>() || message.header.message_id != 0) return;
  const Payloads& payloads = message.payloads;
  if (const auto violation = check_message(ExchangeType::IkeSaInit, true, payloads)) {
    // anyone could have sent it: the right answer may still come
    ctx_.count(model::Counter::Invalid, vpn_.get());
    return log(out, Subsystem::Ike, 1, "IKE_SA_INIT response ignored: " + violation->reason);
  }
  count_message(ExchangeType::IkeSaInit, true, true);
  if (const auto* redirect = find_notify(payloads, NotifyType::Redirect)) return on_init_redirect(*redirect, now, out);
  if (const auto* cookie = find_notify(payloads, NotifyType::Cookie)) {
    if (cookie->data.empty() || cookie->data.size() > kMaxCookieSize)
      return log(out, Subsystem::Ike, 1, "IKE_SA_INIT response ignored: cookie of an impossible size");
    if (cookie->data == init_->cookie) return log(out, Subsystem::Ike, 2, "IKE_SA_INIT response ignored: this cookie was sent already");
    if (init_->rounds >= kMaxRounds) {
      model::Explanation why = connect_failure(Cause::Cookie, "the peer asks for cookies without end", now);
      why.advice = {model::Side::Theirs, "global-options dos-protection cookie-threshold",
                    "the peer never takes the cookie it gave: behind a NAT or a balancer each request may reach another host"};
      return fail_connect(std::move(why), now, out, false);
    }
    log(out, Subsystem::Ike, 2, "the peer asks for a cookie");
    init_->cookie = cookie->data;
    return send_init(now, out);
  }
  if (const auto* other = find_notify(payloads, NotifyType::InvalidKePayload)) {
    Reader reader(other->data);
    const auto group = static_cast<wire::KeGroup>(reader.u16().value_or(0));
    if (reader.empty() && group == init_->group)
      return log(out, Subsystem::Ike, 2, "IKE_SA_INIT response ignored: this group was sent already");
    const bool usable = reader.empty() && offers_group(vpn_->ike.proposals, group);
    if (!usable || init_->rounds >= kMaxRounds) {
      model::Explanation why = connect_failure(Cause::KeyExchangeGroup, "the peer asks for a key exchange group that was not offered", now);
      explain_group(OwnProposals::ike(*vpn_), group, why);
      return fail_connect(std::move(why), now, out, false);
    }
    log(out, Subsystem::Ike, 1, "the peer asks for another key exchange group: " + std::to_string(static_cast<int>(group)));
    init_->group = group;
    return send_init(now, out);
  }
  if (const auto* error = find_error(payloads)) {
    std::string reason = "the peer answered " + wire::to_string(error->type);
    if (error->type == NotifyType::NoProposalChosen) reason += " to " + to_string(vpn_->ike.proposals);
    const Cause cause = error->type == NotifyType::NoProposalChosen      ? Cause::IkeProposal
                        : error->type == NotifyType::InvalidMajorVersion ? Cause::Version
                                                                         : Cause::Refused;
    return fail_with(cause, reason);
  }

  const auto* sa = find_payload<wire::SaPayload>(payloads);
  const auto* ke = find_payload<wire::KePayload>(payloads);
  const auto* nonce = find_payload<wire::NoncePayload>(payloads);
  const auto choice =
      sa->proposals.size() == 1 ? accept_choice(vpn_->ike.proposals, sa->proposals.front(), KeyExchangeUse::Negotiate) : std::nullopt;
  if (!choice) return fail_with(Cause::Malformed, "the peer chose " + to_string(sa->proposals) + ", which was not offered");
  const wire::Transform* group = find_transform(*choice, wire::TransformType::KeyExchange);
  if (group == nullptr || ke->group != init_->group || group->id != static_cast<std::uint16_t>(ke->group)) {
    return fail_with(Cause::Malformed, "the peer's key exchange is not of the group it chose");
  }
  if (message.header.responder_spi == 0) return log(out, Subsystem::Ike, 1, "IKE_SA_INIT response ignored: no responder SPI");
  init_->intermediate.supported = find_notify(payloads, NotifyType::IntermediateExchangeSupported) != nullptr;
  init_->intermediate.groups = additional_groups(*choice);
  if (init_->intermediate.pending() && !init_->intermediate.supported)
    return fail_with(Cause::Malformed, "the peer chose additional key exchanges, and no IKE_INTERMEDIATE for them");
  init_->use_ppk = offers_ppk() && find_notify(payloads, NotifyType::UsePpk) != nullptr;
  if (auto why = ppk_hindrance(init_->use_ppk, now)) return fail_connect(std::move(*why), now, out, false);
  init_->peer_accepts_childless = find_notify(payloads, NotifyType::ChildlessIkev2Supported) != nullptr;
  init_->several_rounds = find_notify(payloads, NotifyType::MultipleAuthSupported) != nullptr;
  if (vpn_->ike.childless == model::Childless::Force && !init_->peer_accepts_childless) {
    model::Explanation why = connect_failure(Cause::Refused, "the peer does not know IKE SAs without CHILD SA (childless force)", now);
    why.advice = {model::Side::Either, "vpn " + vpn_->name + " ike-policy childless",
                  "set prefer here, or have the peer accept them (RFC 6023)"};
    return fail_connect(std::move(why), now, out, false);
  }
  const auto shared = init_->ke->shared_secret(ke->data);
  if (!shared) return fail_with(Cause::Malformed, "the peer's key exchange value is refused: " + shared.error().message);

  spi_r_ = message.header.responder_spi;
  auto keys = derive_ike_keys(*choice, {init_->nonce_i, nonce->data, spi_i_, spi_r_}, *shared, ctx_.key_sink);
  if (!keys) return fail_with(Cause::IkeProposal, keys.error().message);
  keys_ = std::move(*keys);
  choice_ = *choice;
  init_->ke.reset();
  remember_peer_methods(payloads);
  learn_announcements(payloads, out);
  finish_first_exchange(payloads, datagram, now, out);
  log(out, Subsystem::Ike, 1, "IKE_SA_INIT done: " + to_string(choice_));
  if (const std::string instead = announced_instead(); !instead.empty())
    log(out, Subsystem::Ike, 0, "the peer says that " + instead + ": it will refuse us (local-auth-method)");
  go_on_to_auth(now, out);
}

bool IkeSa::begins_childless() const { return wants_childless(*vpn_) && init_->peer_accepts_childless; }

// What an IKE_SA_INIT and an IKE_SESSION_RESUME response have in common, once there are keys.
void IkeSa::finish_first_exchange(const Payloads& response, const model::Datagram& datagram, TimePoint now, Effects& out) {
  init_->nonce_r = find_payload<wire::NoncePayload>(response)->data;
  init_->peer_message = datagram.payload;
  last_heard_ = now;
  request_.reset();
  window_.finish();
  detect_nat(response, datagram.local, datagram.remote, spi_r_, out);
  fragmentation_ = ctx_.config->global.fragment_size != 0 && find_notify(response, NotifyType::FragmentationSupported) != nullptr;
  // RFC 7296 2.23: with a NAT in between the rest goes over port 4500; RFC 4555 3.3: and so it does when there might be one some day
  const bool may_move = vpn_->ike.mobike && find_notify(response, NotifyType::NatDetectionSourceIp) != nullptr;
  if ((!encapsulate() && !may_move) || local_.port != model::kIkePort) return;
  local_.port = model::kNatTraversalPort;
  remote_.port = model::kNatTraversalPort;
}

void IkeSa::fail_connect(model::Explanation why, TimePoint now, Effects& out, bool retry) {
  const std::string reason = why.reason;
  out.emplace_back(Explained{std::move(why)});
  const std::uint32_t tries = vpn_->ike.keying_tries;
  if (retry && (tries == 0 || attempt_ < tries)) {
    log(out, Subsystem::Ike, 1, "attempt " + std::to_string(attempt_) + " failed: " + reason + "; trying again");
    FollowUp note{FollowUp::Kind::Retry, vpn_->name, {}, replaces_, attempt_, wanted_};
    note.between = between_;
    ctx_.follow_ups.push_back(std::move(note));
  } else {
    log(out, Subsystem::Ike, 0, "IKE SA not established: " + reason);
    notice(out, Notice::Kind::IkeFailed, reason);
  }
  abandon_request();
  while (!children_.empty()) remove_child(*children_.back(), reason, false, now, out);
  die(out);
}

Status IkeSa::accept_init(const wire::Message& request, const model::Datagram& datagram, const wire::Proposal& choice, bool proven,
                          TimePoint now, Effects& out) {
  const auto* ke = find_payload<wire::KePayload>(request.payloads);
  const auto* nonce = find_payload<wire::NoncePayload>(request.payloads);
  const auto own = crypto::KeyExchange::respond(ke->group, ke->data, ctx_.entropy);
  if (!own) return fail(own.error());
  init_ = InitExchange{};
  init_->nonce_i = nonce->data;
  init_->nonce_r = ctx_.entropy.bytes(kNonceSize);
  init_->peer_message = datagram.payload;
  auto keys = derive_ike_keys(choice, {init_->nonce_i, init_->nonce_r, spi_i_, spi_r_}, own->shared_secret, ctx_.key_sink);
  if (!keys) return fail(keys.error());
  keys_ = std::move(*keys);
  choice_ = choice;
  set_phase(IkeSaPhase::Connecting, out);
  count_message(ExchangeType::IkeSaInit, false, true);
  detect_nat(request.payloads, datagram.local, datagram.remote, 0, out);  // in the request the responder's SPI is still zero

  Payloads payloads;
  payloads.push_back(wire::SaPayload{{choice}});
  payloads.push_back(wire::KePayload{ke->group, own->public_value});
  payloads.push_back(wire::NoncePayload{init_->nonce_r});
  add_nat_detection(payloads);
  // RFC 7383 2.3: said in answer to a peer that says so alone
  fragmentation_ = ctx_.config->global.fragment_size != 0 && find_notify(request.payloads, NotifyType::FragmentationSupported) != nullptr;
  if (fragmentation_) payloads.push_back(status(NotifyType::FragmentationSupported, {}));
  redirects_ = follows_redirects(request.payloads);
  // Which VPN the peer means is not known yet: what is said fits all that it may be.
  remember_peer_methods(request.payloads);
  if (const auto certificates = ctx_.index.certificates(local_.address, remote_.address); certificates.used)
    add_auth_methods(payloads, certificates);
  // RFC 9242 3.1: in answer to a peer that says so
  init_->intermediate.supported = find_notify(request.payloads, NotifyType::IntermediateExchangeSupported) != nullptr;
  init_->intermediate.groups = additional_groups(choice);
  if (init_->intermediate.supported) payloads.push_back(status(NotifyType::IntermediateExchangeSupported, {}));
  // RFC 8784 3: in answer to a peer that says so alone
  init_->use_ppk = !ctx_.ppks.empty() && find_notify(request.payloads, NotifyType::UsePpk) != nullptr;
  if (init_->use_ppk) payloads.push_back(status(NotifyType::UsePpk, {}));
  // RFC 6023 3. Where nobody needs it, it is no reason to ask the peer for a cookie.
  const auto encoded = [&] { return wire::encode_message(header(ExchangeType::IkeSaInit, true, 0), payloads); };
  // RFC 9593: no reason for a cookie either
  const auto methods = ctx_.index.remote_methods(local_.address, remote_.address);
  const auto announcements = auth_announcements(methods.shared_keys, methods.certificates);
  if (ctx_.index.has_several_rounds(local_.address, remote_.address)) payloads.push_back(status(NotifyType::MultipleAuthSupported, {}));
  const auto childless = ctx_.index.childless(local_.address, remote_.address);
  if (childless.accepted) payloads.push_back(status(NotifyType::ChildlessIkev2Supported, {}));
  init_->our_message = encoded();
  if (childless.accepted && !childless.wanted && init_->our_message.size() > datagram.payload.size()) {
    payloads.pop_back();
    init_->our_message = encoded();
  }
  if (announcements) {
    payloads.push_back(*announcements);
    const std::size_t room = datagram.payload.size();
    Bytes longer = encoded();
    if (proven || longer.size() <= room || init_->our_message.size() > room) init_->our_message = std::move(longer);
  }
  expected_request_id_ = 1;
  last_heard_ = last_sent_ = now;
  count_message(ExchangeType::IkeSaInit, true, false);
  log(out, Subsystem::Ike, 1, "IKE_SA_INIT from " + remote_.to_string() + " answered: " + to_string(choice_));
  transmit(std::vector<Bytes>{init_->our_message}, out);
  return {};
}

}  // namespace svti::sa
