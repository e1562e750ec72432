// SPDX-License-Identifier: Apache-2.0
#include "radius/client.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace svti::radius {

namespace {

constexpr std::uint32_t kMicrosoft = 311;  // RFC 2548 2
constexpr std::uint8_t kSendKey = 16, kRecvKey = 17;
constexpr std::size_t kMskSize = 64;
constexpr Duration kShortestWait = milliseconds(10);
constexpr Duration kLongestWait = seconds(60);

std::string name_of(const model::RadiusServer& server) { return "RADIUS server " + server.name + " (" + server.address.to_string() + ")"; }

LogLine line(LogLevel level, std::string text) { return {Subsystem::Network, level, {}, std::move(text)}; }

bool answers(Code request, Code response) {
  if (request == Code::AccountingRequest) return response == Code::AccountingResponse;
  return response == Code::AccessAccept || response == Code::AccessReject || response == Code::AccessChallenge;
}

// The end that sends with its Send-Key is the NAS, so that its Recv-Key is the peer's first half (RFC 5216 2.3). Methods with short keys
// fill up with zeros, as the peer does.
Result<Secret> msk_of(const PacketView& packet, const Authenticator& request, const Secret& secret) {
  const auto recv = packet.of_vendor(kMicrosoft, kRecvKey), send = packet.of_vendor(kMicrosoft, kSendKey);
  if (!recv || !send) return Secret();
  auto first = decrypt_mppe_key(*recv, request, secret);
  if (!first) return first;
  auto second = decrypt_mppe_key(*send, request, secret);
  if (!second) return second;
  Secret out(std::max(kMskSize, first->size() + second->size()));
  std::copy(first->view().begin(), first->view().end(), out.mutable_view().begin());
  std::copy(second->view().begin(), second->view().end(), out.mutable_view().begin() + static_cast<std::ptrdiff_t>(first->size()));
  return out;
}

}  // namespace

Client::Client(model::RadiusPtr configuration, Entropy& entropy) : configuration_(std::move(configuration)), entropy_(entropy) {
  for (const model::RadiusServer& server : configuration_->servers) {
    Server& one = servers_.emplace_back();
    one.counts.name = server.name;
    one.counts.address = server.address;
  }
}

std::uint64_t Client::ask(Question question, TimePoint now, Effects& out) {
  const std::uint64_t number = next_number_++;
  Pending& pending = pending_[number];
  pending.question = std::move(question);
  pending.asked.resize(servers_.size());
  for (std::size_t i = 0; i < servers_.size(); ++i)
    pending.asked[i] = !pending.question.server.empty() && configuration_->servers[i].name != pending.question.server;
  ask_next(number, now, out);
  return number;
}

// the next server that was not asked: alive ones first
std::optional<std::size_t> Client::choose(const Pending& pending, TimePoint now) const {
  std::optional<std::size_t> dead;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (pending.asked[i]) continue;
    if (!servers_[i].dead_until || *servers_[i].dead_until <= now) return i;
    if (!dead || *servers_[i].dead_until < *servers_[*dead].dead_until) dead = i;
  }
  return dead;
}

bool Client::take_id(std::uint64_t number, Pending& pending, std::size_t server) {
  const std::uint16_t sockets = configuration_->servers[server].sockets;
  for (std::uint16_t i = 0; i < sockets; ++i) {
    const Socket socket{server, pending.question.code == Code::AccountingRequest,
                        static_cast<std::uint16_t>(servers_[server].next_socket++ % sockets)};
    Ids& ids = ids_[socket];
    if (ids.taken.size() == 256) continue;
    while (ids.taken.contains(ids.next)) ++ids.next;
    pending.socket = socket;
    pending.id = ids.next++;
    ids.taken.emplace(pending.id, number);
    return true;
  }
  return false;
}

void Client::release_id(const Pending& pending) { ids_[pending.socket].taken.erase(pending.id); }

void Client::ask_next(std::uint64_t number, TimePoint now, Effects& out) {
  Pending& pending = pending_.at(number);
  const auto add = [&](const std::string& what) { pending.story += (pending.story.empty() ? "" : ", ") + what; };
  for (auto choice = choose(pending, now); choice; choice = choose(pending, now)) {
    const model::RadiusServer& server = configuration_->servers[*choice];
    pending.asked[*choice] = true;
    if (!take_id(number, pending, *choice)) {
      add(name_of(server) + " has too many requests to answer");
      continue;
    }
    Attributes attributes = pending.question.attributes;
    attributes.add(Type::NasIdentifier, server.nas_identifier);
    entropy_.fill(pending.authenticator);
    auto packet = encode_request(pending.question.code, pending.id, attributes, server.secret, pending.authenticator);
    if (!packet) {
      release_id(pending);
      return finish(number, fail(packet.error()), out);
    }
    pending.packet = std::move(*packet);
    // the others' authenticator follows from the content
    std::copy_n(pending.packet.begin() + 4, pending.authenticator.size(), pending.authenticator.begin());
    pending.retransmissions = 0;
    pending.hint.clear();
    pending.deadline = now + wait_of(server, 0);
    ++servers_[*choice].counts.requests;
    out.emplace_back(line(2, to_string(pending.question.code) + " " + std::to_string(pending.id) + " to " + name_of(server)));
    out.emplace_back(Send{pending.socket, pending.packet});
    return;
  }
  finish(number, system_error(pending.story.empty() ? "there is no RADIUS server of that name any more" : pending.story), out);
}

Duration Client::wait_of(const model::RadiusServer& server, std::uint32_t retransmissions) const {
  const double wait = std::chrono::duration<double, std::micro>(server.retransmit_timeout).count() *
                      std::pow(server.retransmit_base, static_cast<double>(retransmissions));
  const double longest = std::chrono::duration<double, std::micro>(kLongestWait).count();
  return std::max(kShortestWait, Duration(static_cast<Duration::rep>(std::min(wait, longest))));
}

void Client::receive(const Socket& from, ByteView octets, Effects& out) {
  assert(from.server < servers_.size());
  const model::RadiusServer& server = configuration_->servers[from.server];
  Server& state = servers_[from.server];
  const auto bad = [&](const std::string& what) {
    ++state.counts.bad_answers;
    out.emplace_back(line(1, "packet of " + name_of(server) + " dropped: " + what));
  };
  const auto packet = parse_packet(octets);
  if (!packet) return bad(packet.error().message);
  const auto ids = ids_.find(from);
  const auto question = ids == ids_.end() ? std::map<std::uint8_t, std::uint64_t>::iterator() : ids->second.taken.find(packet->id);
  if (ids == ids_.end() || question == ids->second.taken.end())
    return out.emplace_back(line(
               2, to_string(packet->code) + " " + std::to_string(packet->id) + " of " + name_of(server) + " answers nothing: dropped")),
           void();
  const std::uint64_t number = question->second;
  Pending& pending = pending_.at(number);
  if (!answers(pending.question.code, packet->code))
    return bad(to_string(packet->code) + " answers no " + to_string(pending.question.code));
  // RFC 2866 has no Message-Authenticator, and a forged Accounting-Response only spares us a retransmission
  const bool strict = pending.question.code == Code::AccessRequest;
  if (const Status right = verify_response(*packet, pending.authenticator, server.secret, strict); !right) {
    pending.hint = right.error().message;
    return bad(right.error().message);
  }
  if (state.dead_until) out.emplace_back(line(0, name_of(server) + " answers again"));
  state.dead_until.reset();
  switch (packet->code) {
    case Code::AccessAccept:
      ++state.counts.accepts;
      break;
    case Code::AccessReject:
      ++state.counts.rejects;
      break;
    case Code::AccessChallenge:
      ++state.counts.challenges;
      break;
    default:
      ++state.counts.accounting_responses;
  }
  out.emplace_back(line(2, to_string(packet->code) + " " + std::to_string(packet->id) + " of " + name_of(server)));
  auto reply = read(*packet, pending);
  release_id(pending);
  finish(number, std::move(reply), out);
}

Result<Reply> Client::read(const PacketView& packet, const Pending& pending) const {
  const model::RadiusServer& server = configuration_->servers[pending.socket.server];
  Reply out{to_bytes(packet.octets), server.name, {}};
  if (packet.code != Code::AccessAccept) return out;
  auto msk = msk_of(packet, pending.authenticator, server.secret);
  if (!msk) return fail(Fault::Peer, name_of(server) + " accepts with keys that cannot be read: " + msk.error().message);
  out.msk = std::move(*msk);
  return out;
}

std::optional<TimePoint> Client::next_deadline() const {
  std::optional<TimePoint> earliest;
  for (const auto& [number, pending] : pending_) {
    if (!earliest || pending.deadline < *earliest) earliest = pending.deadline;
  }
  return earliest;
}

void Client::on_deadline(TimePoint now, Effects& out) {
  std::vector<std::uint64_t> due;
  for (const auto& [number, pending] : pending_) {
    if (pending.deadline <= now) due.push_back(number);
  }
  for (const std::uint64_t number : due) {
    Pending& pending = pending_.at(number);
    const model::RadiusServer& server = configuration_->servers[pending.socket.server];
    if (pending.retransmissions >= server.retransmit_tries) {
      give_up(number, now, out);
      continue;
    }
    // RFC 5080 2.2.1: the very same packet, so that the server knows it again
    pending.deadline = now + wait_of(server, ++pending.retransmissions);
    ++servers_[pending.socket.server].counts.retransmissions;
    out.emplace_back(line(1, "retransmission " + std::to_string(pending.retransmissions) + " of " + to_string(pending.question.code) + " " +
                                 std::to_string(pending.id) + " to " + name_of(server)));
    out.emplace_back(Send{pending.socket, pending.packet});
  }
}

void Client::give_up(std::uint64_t number, TimePoint now, Effects& out) {
  Pending& pending = pending_.at(number);
  const model::RadiusServer& server = configuration_->servers[pending.socket.server];
  Server& state = servers_[pending.socket.server];
  ++state.counts.timeouts;
  // what answers badly is there, and no other one will do better for that
  std::string what =
      name_of(server) +
      (pending.hint.empty()
           ? " did not answer (a server is silent as well when the shared secret is another one, or it does not know this NAS)"
           : " was not believed: " + pending.hint);
  if (!state.dead_until || *state.dead_until <= now) out.emplace_back(line(0, what + ": passed over for a minute"));
  state.dead_until = now + kDeadTime;
  pending.story += (pending.story.empty() ? "" : ", ") + what;
  release_id(pending);
  ask_next(number, now, out);
}

void Client::finish(std::uint64_t number, Result<Reply> reply, Effects& out) {
  pending_.erase(number);
  out.emplace_back(Answer{number, std::move(reply)});
}

void Client::forget(std::uint64_t question) {
  const auto found = pending_.find(question);
  if (found == pending_.end()) return;
  release_id(found->second);
  pending_.erase(found);
}

std::vector<model::RadiusServerState> Client::state(TimePoint now) const {
  std::vector<model::RadiusServerState> out;
  for (const Server& server : servers_) {
    out.push_back(server.counts);
    out.back().alive = !server.dead_until || *server.dead_until <= now;
  }
  for (const auto& [number, pending] : pending_) ++out[pending.socket.server].pending;
  return out;
}

}  // namespace svti::radius
