// SPDX-License-Identifier: Apache-2.0
#include "engine/radius.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>

#include "sa/eap_auth.h"

namespace svti::engine {

using boost::asio::steady_timer;
using radius::AcctStatus;
using radius::TerminateCause;

namespace {

constexpr Duration kUntilEstablished = seconds(60);  // from Access-Accept; no IKE SA is half open for longer

seconds wall() { return std::chrono::duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch()); }

// as the core says why an IKE SA went
TerminateCause cause_of(const std::string& reason) {
  if (reason.starts_with("the peer does not answer") || reason.starts_with("the peer has lost it")) return TerminateCause::LostCarrier;
  if (reason.starts_with("end of its life")) return TerminateCause::SessionTimeout;
  if (reason.starts_with("terminated by command")) return TerminateCause::AdminReset;
  if (reason.starts_with("shutting down")) return TerminateCause::NasRequest;
  return TerminateCause::UserRequest;
}

}  // namespace

Radius::Radius(Host host) : host_(std::move(host)), timer_(host_.loop) {}

void Radius::configure(const model::RadiusPtr& configuration) {
  const bool same = configuration == configuration_ || (configuration && configuration_ && *configuration == *configuration_);
  if (same) return;
  const auto lost = std::exchange(asked_, {});
  listeners_.clear();
  dynamic_.reset();
  sockets_.clear();
  client_.reset();
  configuration_ = configuration;
  arm_timer();
  for (const auto& [number, question] : lost) {
    boost::asio::post(host_.loop, [this, ticket = question.ticket, alive = std::weak_ptr(alive_)] {
      if (!alive.expired())
        host_.answered(ticket, {radius::EapAnswer::Kind::None, {}, {}, "the RADIUS servers of the configuration changed meanwhile"});
    });
  }
  if (!configuration_) return;
  client_ = std::make_shared<radius::Client>(configuration_, host_.entropy);
  if (configuration_->dynamic_authorization_port) listen();
  radius::Client::Effects effects;
  client_->on_deadline(host_.now(), effects);  // names are looked up before anybody waits for it
  if (configuration_->accounting && !announced_) {
    announced_ = true;
    client_->ask({radius::Code::AccountingRequest, radius::accounting_on(wall())}, host_.now(), effects);
  }
  carry_out(std::move(effects));
}

// --- questions --------------------------------------------------------------------------------------------------------------

void Radius::ask(sa::AskRadius question) {
  if (!client_) {
    boost::asio::post(host_.loop, [this, ticket = question.ticket, alive = std::weak_ptr(alive_)] {
      if (!alive.expired()) host_.answered(ticket, {radius::EapAnswer::Kind::None, {}, {}, "there is no eap-radius server to ask"});
    });
    return;
  }
  // an IKE SA asks one thing at a time: who asks again does not wait for the answer to what it asked before
  for (auto one = asked_.begin(); one != asked_.end();) {
    const auto old = one++;
    if (old->second.ticket.ike != question.ticket.ike) continue;
    client_->forget(old->first);
    asked_.erase(old);
  }
  radius::Client::Effects effects;
  const std::uint64_t number = client_->ask(
      {radius::Code::AccessRequest, radius::access_attributes(question.question), question.question.server}, host_.now(), effects);
  asked_.emplace(number, std::move(question));
  carry_out(std::move(effects));
}

void Radius::carry_out(radius::Client::Effects effects) {
  for (radius::Client::Effect& effect : effects) {
    if (auto* line = std::get_if<LogLine>(&effect)) {
      host_.log(line->level, std::move(line->text));
    } else if (const auto* send = std::get_if<radius::Client::Send>(&effect)) {
      const model::RadiusServer& server = configuration_->servers.at(send->socket.server);
      const Endpoint to{send->to, send->socket.accounting ? server.accounting_port : server.auth_port};
      auto& socket = sockets_[send->socket];
      if (!socket && host_.open) {
        const IpAddress any = IpAddress::any(send->to.family());
        auto opened =
            host_.open({{server.source_address.value_or(any), 0}, to}, [this, from = send->socket](const Endpoint&, ByteView octets) {
              radius::Client::Effects came;
              client_->receive(from, octets, came);
              carry_out(std::move(came));
            });
        if (opened)
          socket = std::move(*opened);
        else
          host_.log(0, opened.error().message);
      }
      if (!socket) continue;
      if (const Status sent = socket->send(to, send->packet); !sent) host_.log(1, sent.error().message);
    } else if (const auto* unknown = std::get_if<radius::Client::LookUp>(&effect)) {
      look_up(unknown->server);
    } else if (auto* known = std::get_if<radius::Client::Addresses>(&effect)) {
      if (known->moved) std::erase_if(sockets_, [&](const auto& one) { return one.first.server == known->server; });
      if (dynamic_) dynamic_->set_addresses(known->server, std::move(known->all));
    } else if (auto* answer = std::get_if<radius::Client::Answer>(&effect)) {
      const auto asked = asked_.find(answer->number);
      if (asked == asked_.end()) {  // accounting
        if (!answer->reply) host_.log(0, "accounting is lost: " + answer->reply.error().message);
        continue;
      }
      const sa::AskRadius question = std::move(asked->second);
      asked_.erase(asked);
      const Bytes& packet = question.question.packet;
      radius::EapAnswer said = radius::read_answer(std::move(answer->reply), packet.size() > 1 ? packet[1] : std::uint8_t{0});
      if (said.kind == radius::EapAnswer::Kind::Accept) remember(question, said);
      // in a turn of its own: this one may be within an effect of the core
      boost::asio::post(host_.loop, [this, ticket = question.ticket, said = std::make_shared<radius::EapAnswer>(std::move(said)),
                                     alive = std::weak_ptr(alive_)] {
        if (!alive.expired()) host_.answered(ticket, std::move(*said));
      });
    }
  }
  arm_timer();
}

void Radius::look_up(std::size_t server) {
  host_.look_up(configuration_->servers.at(server).host,
                [this, server, client = std::weak_ptr(client_)](Result<std::vector<IpAddress>> addresses) {
                  const auto same = client.lock();
                  if (!same) return;  // other servers are configured meanwhile
                  radius::Client::Effects effects;
                  same->looked_up(server, std::move(addresses), host_.now(), effects);
                  carry_out(std::move(effects));
                });
}

void Radius::arm_timer() {
  const auto deadline = client_ ? client_->next_deadline() : std::nullopt;
  if (!deadline) return void(timer_.cancel());
  timer_.expires_after(std::max(Duration(0), *deadline - host_.now()));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || !client_) return;
    radius::Client::Effects effects;
    client_->on_deadline(host_.now(), effects);
    carry_out(std::move(effects));
  });
}

std::vector<model::RadiusServerState> Radius::state() const {
  return client_ ? client_->state(host_.now()) : std::vector<model::RadiusServerState>();
}

// --- sessions ---------------------------------------------------------------------------------------------------------------

void Radius::remember(const sa::AskRadius& question, const radius::EapAnswer& answer) {
  const TimePoint now = host_.now();
  std::erase_if(accepted_, [&](const auto& one) { return one.second.at + kUntilEstablished < now; });
  Accepted& accepted = accepted_[question.ticket.ike];
  accepted.facts.vpn = question.question.vpn;
  accepted.facts.user = answer.user.empty() ? question.question.identity : answer.user;
  accepted.facts.local = question.question.local;
  accepted.facts.remote = question.question.remote;
  accepted.facts.ike = question.ticket.ike;
  accepted.facts.classes = answer.classes;
  accepted.interim = answer.interim_interval.value_or(seconds(0));
  accepted.at = now;
}

void Radius::notice(const sa::Notice& notice) {
  using Kind = sa::Notice::Kind;
  switch (notice.kind) {
    case Kind::IkeUp:
      return begin_session(notice.ike);
    case Kind::IkeDown:
    case Kind::IkeFailed:
      accepted_.erase(notice.ike);
      return end_session(notice.ike, notice.reason);
    case Kind::IkeRekeyed: {
      auto former = sessions_.extract(notice.former);
      if (former.empty()) return;
      former.key() = notice.ike;
      const auto moved = sessions_.insert(std::move(former)).position;
      look(moved->first, moved->second);
      return arm_interim(moved->first, moved->second);
    }
    default:
      break;
  }
  if (const auto session = sessions_.find(notice.ike); session != sessions_.end()) look(session->first, session->second);
}

void Radius::begin_session(std::uint32_t ike) {
  const auto accepted = accepted_.find(ike);
  if (accepted == accepted_.end()) return;
  Session session;
  session.facts = std::move(accepted->second.facts);
  session.interim = accepted->second.interim;
  accepted_.erase(accepted);
  if (session.interim.count() == 0 && configuration_) session.interim = configuration_->accounting_interval;
  session.facts.id = to_hex(host_.entropy.bytes(8)) + "-" + std::to_string(ike);
  session.began = host_.now();
  if (const auto state = host_.state(ike)) session.facts.addresses = state->remote_vips;
  const auto begun = sessions_.insert_or_assign(ike, std::move(session)).first;
  look(ike, begun->second);
  account(AcctStatus::Start, begun->second);
  arm_interim(ike, begun->second);
}

void Radius::end_session(std::uint32_t ike, const std::string& reason) {
  auto session = sessions_.extract(ike);
  if (session.empty()) return;
  account(AcctStatus::Stop, session.mapped(), session.mapped().ended_by_server ? TerminateCause::AdminReset : cause_of(reason));
}

// What its CHILD SAs have carried; those that it has lost sight of keep what was seen last.
void Radius::look(std::uint32_t ike, Session& session) {
  const auto state = host_.state(ike);
  if (!state) return;
  for (const model::ChildSaState& child : state->children) {
    const auto keep = [](radius::Traffic& seen, const radius::Traffic& now) {
      if (now.packets_in >= seen.packets_in && now.packets_out >= seen.packets_out) seen = now;
    };
    keep(session.carried[{child.spi_in, child.protocol, true}], {child.bytes_in, child.packets_in, 0, 0});
    keep(session.carried[{child.spi_out, child.protocol, false}], {0, 0, child.bytes_out, child.packets_out});
  }
}

void Radius::removing(const model::SaId& id) {
  for (auto& [ike, session] : sessions_) {
    for (const bool inbound : {true, false}) {
      const auto carried = session.carried.find({id.spi, id.protocol, inbound});
      // an inbound and an outbound SA may have the same SPI: they go to different ends
      if (carried == session.carried.end() || inbound != (id.destination == session.facts.local.address)) continue;
      if (const auto last = host_.query(id)) {
        radius::Traffic& traffic = carried->second;
        (inbound ? traffic.octets_in : traffic.octets_out) = last->bytes;
        (inbound ? traffic.packets_in : traffic.packets_out) = last->packets;
      }
      session.closed += carried->second;
      session.carried.erase(carried);
      return;
    }
  }
}

radius::Traffic Radius::total(const Session& session) const {
  radius::Traffic out = session.closed;
  for (const auto& [key, traffic] : session.carried) out += traffic;
  return out;
}

void Radius::account(AcctStatus status, const Session& session, TerminateCause cause) {
  if (!client_ || !configuration_->accounting) return;
  const auto lasted = std::chrono::duration_cast<seconds>(host_.now() - session.began);
  radius::Client::Effects effects;
  client_->ask(
      {radius::Code::AccountingRequest, radius::accounting_attributes(status, session.facts, wall(), lasted, total(session), cause)},
      host_.now(), effects);
  carry_out(std::move(effects));
}

void Radius::arm_interim(std::uint32_t ike, Session& session) {
  if (session.interim.count() == 0) return void(session.timer.reset());
  session.timer = std::make_unique<steady_timer>(host_.loop, session.interim);
  session.timer->async_wait([this, ike](const boost::system::error_code& error) {
    const auto found = sessions_.find(ike);
    if (error || found == sessions_.end()) return;
    look(ike, found->second);
    account(AcctStatus::Interim, found->second);
    arm_interim(ike, found->second);
  });
}

// --- RFC 5176 ---------------------------------------------------------------------------------------------------------------

void Radius::listen() {
  dynamic_ = std::make_unique<radius::DynamicAuthorization>(configuration_);
  for (const IpFamily family : {IpFamily::V4, IpFamily::V6}) {
    const bool wanted = std::any_of(configuration_->servers.begin(), configuration_->servers.end(),
                                    [&](const model::RadiusServer& one) { return !one.host.empty() || one.address.family() == family; });
    if (!wanted || !host_.open) continue;
    const std::size_t listener = listeners_.size();
    auto opened = host_.open({{IpAddress::any(family), *configuration_->dynamic_authorization_port}, {}},
                             [this, listener](const Endpoint& from, ByteView octets) { on_dynamic(listener, from, octets); });
    if (opened)
      listeners_.push_back(std::move(*opened));
    else
      host_.log(0, "dynamic-authorization: " + opened.error().message);
  }
}

void Radius::on_dynamic(std::size_t listener, const Endpoint& from, ByteView octets) {
  auto outcome = dynamic_->receive(from, octets, wall());
  if (!outcome.log.empty()) host_.log(1, "dynamic-authorization: " + outcome.log);
  if (outcome.request) {
    const bool done = carry_out(*outcome.request);
    outcome.response = dynamic_->answer(done ? std::nullopt : std::optional(radius::ErrorCause::SessionContextNotFound));
  }
  if (!outcome.response) return;
  if (const Status sent = listeners_.at(listener)->send(from, *outcome.response); !sent) host_.log(1, sent.error().message);
}

// false: there is no such session
bool Radius::carry_out(const radius::DynamicAuthorization::Request& request) {
  std::vector<std::uint32_t> meant;
  for (const auto& [ike, session] : sessions_) {
    const radius::Session& facts = session.facts;
    const bool fits = (!request.user || *request.user == facts.user) && (!request.session || *request.session == facts.id) &&
                      (!request.port || *request.port == facts.ike) &&
                      (!request.calling_station || *request.calling_station == facts.remote.to_string()) &&
                      (!request.called_station || *request.called_station == facts.local.to_string()) &&
                      std::all_of(request.addresses.begin(), request.addresses.end(), [&](const IpAddress& one) {
                        return std::find(facts.addresses.begin(), facts.addresses.end(), one) != facts.addresses.end();
                      });
    if (fits) meant.push_back(ike);
  }
  bool done = false;
  for (const std::uint32_t ike : meant) {
    const auto session = sessions_.find(ike);
    if (session == sessions_.end()) continue;
    if (request.code == radius::Code::DisconnectRequest) {
      host_.log(0, "RADIUS server " + request.server + " disconnects " + sa::eap_identity(session->second.facts.user).to_string());
      session->second.ended_by_server = true;
      done = host_.terminate(ike) || done;
      continue;
    }
    if (request.session_timeout && !host_.limit_session(ike, *request.session_timeout)) continue;
    if (request.interim_interval) {
      session->second.interim = *request.interim_interval;
      arm_interim(ike, session->second);
    }
    host_.log(1, "RADIUS server " + request.server + " changes the session of " + sa::eap_identity(session->second.facts.user).to_string());
    done = true;
  }
  return done;
}

}  // namespace svti::engine
