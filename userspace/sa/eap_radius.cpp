// SPDX-License-Identifier: Apache-2.0
// EAP of a peer passed on to RADIUS servers (RFC 3579): the responder's end of it.
//
//   peer                            this                                  RADIUS server
//                                   ◄─ EAP Request Identity                              unless remote-eap-id says who it is
//   EAP Response Identity        ─►    Access-Request { EAP }          ─►
//                                   ◄─                                 ◄─ Access-Challenge { EAP, State }      as often as the method needs
//   EAP Response                 ─►    Access-Request { EAP, State }   ─►
//                                   ◄─ EAP Success                     ◄─ Access-Accept { EAP, MS-MPPE keys }
#include "sa/explain.h"
#include "sa/ike_sa.h"

namespace svti::sa {

using model::Cause;
using model::Side;
using model::Verdict;
using Kind = eap::Step::Kind;
using Stage = EapExchange::Stage;

namespace {

constexpr Duration kForTheAnswer = seconds(2);  // of the time that a stranger has: to be told that no server answered
// RFC 3748 5.4 to 5.6: no key comes of these
constexpr std::uint8_t kMd5 = 4, kOneTimePassword = 5, kTokenCard = 6;

bool gives_key(std::uint8_t type) { return type > 3 && type != kMd5 && type != kOneTimePassword && type != kTokenCard; }

eap::Step failure(std::uint8_t identifier, std::string reason) {
  return {Kind::Failure, eap::encode_packet(eap::Code::Failure, identifier), {}, std::move(reason)};
}

}  // namespace

// The first EAP packet: ours when the peer is to say who it is, else the server's.
void IkeSa::begin_passing_on(TimePoint now, Effects& out) {
  const auto& wanted = auth_->vpn->authentication.remote_eap_id;
  eap_->identifier = static_cast<std::uint8_t>(ctx_.entropy.below(256));
  if (!wanted || wanted->is_pattern()) {
    eap_->radius->asked = eap_->identifier;
    return take_eap_step({Kind::Send, eap::encode_packet(eap::Code::Request, eap_->identifier, eap::Type::Identity, {})}, now, out);
  }
  eap_->radius->identity = eap_octets(*wanted);
  ask_radius(eap::encode_packet(eap::Code::Response, eap_->identifier, eap::Type::Identity, eap_->radius->identity), now, out);
}

// A packet of the peer. The server need not be bothered with what is no answer to its request.
void IkeSa::pass_on(const Bytes& octets, TimePoint now, Effects& out) {
  EapExchange::Radius& talk = *eap_->radius;
  const auto refuse = [&](std::string reason) { take_eap_step(failure(eap_->identifier, std::move(reason)), now, out); };
  const auto packet = eap::parse_packet(octets);
  if (!packet) return refuse(packet.error().message);
  if (packet->code != eap::Code::Response) return refuse("it answers with an EAP packet that is no response");
  eap_->identifier = packet->identifier;
  if (packet->identifier != talk.asked) return refuse("its EAP response answers another request");
  if (talk.identity.empty()) {
    const auto& wanted = auth_->vpn->authentication.remote_eap_id;
    if (packet->type != eap::Type::Identity) return refuse("asked for its EAP identity, it answers with " + eap::to_string(packet->type));
    if (packet->data.empty() || packet->data.size() > eap::kMaxIdentitySize)
      return refuse("its EAP identity has " + std::to_string(packet->data.size()) + " octets");
    talk.identity = to_bytes(packet->data);
    const model::Identity user = eap_identity(talk.identity);
    if (wanted && !wanted->matches(user))
      return refuse("its EAP identity is " + user.to_string() + ", remote-eap-id is " + wanted->to_string());
  }
  ask_radius(octets, now, out);
}

void IkeSa::ask_radius(Bytes packet, TimePoint now, Effects& out) {
  const EapExchange::Radius& talk = *eap_->radius;
  // RFC 2865 5.24: State is for the server that gave it
  const Duration longest = std::max(Duration(0), *give_up_at_ - now - kForTheAnswer);
  const std::string whom = talk.server.empty() ? "the RADIUS servers" : "RADIUS server " + talk.server;
  out.emplace_back(AskRadius{await_eap_step(whom, longest, now),
                             {std::move(packet), talk.identity, talk.state, talk.server, local_, remote_, id_, auth_->vpn->name}});
}

void IkeSa::on_radius_answer(std::uint64_t number, radius::EapAnswer answer, TimePoint now, Effects& out) {
  if (!stop_awaiting_eap_step(number)) return;
  EapExchange::Radius& talk = *eap_->radius;
  using Is = radius::EapAnswer::Kind;
  if (!answer.server.empty()) talk.server = answer.server;
  switch (answer.kind) {
    case Is::Challenge:
      talk.state = std::move(answer.state);
      talk.asked = answer.packet[1];
      if (answer.packet.size() > 4) talk.method = answer.packet[4];
      return take_eap_step({Kind::Send, std::move(answer.packet)}, now, out);
    case Is::Accept:
      break;
    case Is::None:
      talk.unanswered = true;
      [[fallthrough]];
    case Is::Reject:
      return take_eap_step(failure(eap_->identifier, std::move(answer.reason)), now, out);
  }
  // Without it the two ends would make AUTH of different keys, and nobody could tell why it is wrong.
  if (answer.msk.empty() && gives_key(talk.method))
    return take_eap_step(
        failure(eap_->identifier, "RADIUS server " + talk.server + " gives no key with EAP type " + std::to_string(talk.method) +
                                      ": have it send MS-MPPE-Recv-Key and MS-MPPE-Send-Key"),
        now, out);
  const auto& wanted = auth_->vpn->authentication.remote_eap_id;
  if (!answer.user.empty()) {
    // who it is to the server, where what it said first may be anybody (RFC 2865 5.1, RFC 7542)
    const model::Identity user = eap_identity(answer.user);
    if (wanted && !wanted->matches(user))
      return take_eap_step(failure(eap_->identifier, "to RADIUS server " + talk.server + " it is " + user.to_string() +
                                                         ", remote-eap-id is " + wanted->to_string()),
                           now, out);
    talk.identity = std::move(answer.user);
  }
  vips_.framed = std::move(answer.addresses);
  session_timeout_ = answer.session_timeout;
  radius_server_ = talk.server;
  take_eap_step({Kind::Success, std::move(answer.packet), std::move(answer.msk)}, now, out);
}

void IkeSa::explain_radius(const std::string& user, model::Explanation& why) const {
  const std::string server = eap_->radius->server.empty() ? "none answered" : eap_->radius->server;
  why.tables.push_back({"EAP",
                        {{"method", "eap-radius", "", Verdict::NotCompared},
                         {"server", cell(server), "", Verdict::NotCompared},
                         {"identity", cell(user), "", Verdict::NotCompared}}});
  if (eap_->radius->unanswered || eap_->radius->server.empty()) {
    why.advice = {Side::Ours, "eap-radius server",
                  "see that it runs, knows this gateway as its client with the same secret, and sends Message-Authenticator"};
  } else {
    why.advice = {Side::Either, "eap-radius server " + cell(server),
                  cell("the log of that server says why it does not accept " + cell(user))};
  }
}

void IkeSa::limit_session(seconds from_now, TimePoint now) {
  // what the former limit has set goes with it; a rekey that is due later than the end comes no more
  if (authentication_ends_ && dies_at_ == authentication_ends_) dies_at_.reset();
  authentication_ends_.reset();
  begin_authentication_lifetime(now);
  session_timeout_ = from_now;
  bound_session(now);
}

// RFC 2865 5.27: until then it may go on without being asked again
void IkeSa::bound_session(TimePoint now) {
  if (!session_timeout_) return;
  const TimePoint ends = now + Duration(*session_timeout_);
  authentication_ends_ = std::min(authentication_ends_.value_or(ends), ends);
  dies_at_ = std::min(dies_at_.value_or(ends), ends);
}

}  // namespace svti::sa
