// SPDX-License-Identifier: Apache-2.0
#include "radius/client.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace svti::radius {

namespace {

constexpr std::uint32_t kMicrosoft = 311;  // RFC 2548 2
constexpr std::uint8_t kSendKey = 16, kRecvKey = 17;
constexpr std::size_t kMskSize = 64;
constexpr std::size_t kIds = 256;  // of a socket
constexpr Duration kShortestWait = milliseconds(10);
constexpr Duration kLongestWait = seconds(60);

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
    one.counts.host = server.host;
    if (server.host.empty()) one.address = server.address;
  }
}

std::string Client::name_of(std::size_t server) const {
  const model::RadiusServer& one = configuration_->servers[server];
  const auto& address = servers_[server].address;
  const std::string where = one.host + (!one.host.empty() && address ? " at " : "") + (address ? address->to_string() : "");
  return "RADIUS server " + one.name + " (" + where + ")";
}

bool Client::unknown(std::size_t server) const { return !servers_[server].address && servers_[server].reason.empty(); }

std::uint64_t Client::ask(Question question, TimePoint now, Effects& out) {
  const std::uint64_t number = next_number_++;
  Pending& pending = pending_[number];
  pending.question = std::move(question);
  pending.began = now;
  pending.asked.resize(servers_.size());
  for (std::size_t i = 0; i < servers_.size(); ++i)
    pending.asked[i] = !pending.question.server.empty() && configuration_->servers[i].name != pending.question.server;
  look_up_due(now, out);
  ask_next(number, now, out);
  return number;
}

// the next server that was not asked: alive ones first
std::optional<std::size_t> Client::choose(const Pending& pending, TimePoint now) const {
  std::optional<std::size_t> dead;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (pending.asked[i] || !servers_[i].address) continue;
    if (!servers_[i].dead_until || *servers_[i].dead_until <= now) return i;
    if (!dead || *servers_[i].dead_until < *servers_[*dead].dead_until) dead = i;
  }
  return dead;
}

// --- names ------------------------------------------------------------------------------------------------------------------

void Client::look_up_due(TimePoint now, Effects& out) {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    Server& server = servers_[i];
    if (configuration_->servers[i].host.empty() || server.looking_up || server.look_up_at > now) continue;
    server.looking_up = true;
    out.emplace_back(LookUp{i});
  }
}

void Client::looked_up(std::size_t number, Result<std::vector<IpAddress>> addresses, TimePoint now, Effects& out) {
  const model::RadiusServer& configured = configuration_->servers.at(number);
  Server& server = servers_[number];
  server.looking_up = false;
  if (addresses && configured.source_address) {
    std::erase_if(*addresses, [&](const IpAddress& one) { return one.family() != configured.source_address->family(); });
    if (addresses->empty()) addresses = system_error("the name has no address of the family of source-address");
  }
  if (addresses && addresses->empty()) addresses = system_error("the name has no address");
  if (!addresses) {
    server.look_up_at = now + kNamePause;
    const std::string why = "its name was not found: " + addresses.error().message;
    if (server.address) {
      out.emplace_back(line(1, name_of(number) + ": " + why + "; it is asked where it was"));
    } else {
      if (server.reason != why) out.emplace_back(line(0, name_of(number) + ": " + why + ": passed over until it is"));
      server.reason = why;
    }
    return ask_waiting(now, out);
  }
  server.look_up_at = now + kNameTime;
  const auto current = server.address ? std::find(addresses->begin(), addresses->end(), *server.address) : addresses->end();
  IpAddress chosen = addresses->front();
  if (current != addresses->end()) {
    // the order of answers means nothing: what serves is kept
    const bool dead = server.dead_until && *server.dead_until > now;
    const auto next = dead && current + 1 != addresses->end() ? current + 1 : addresses->begin();
    chosen = dead ? *next : *current;
  }
  const bool moved = server.address && *server.address != chosen;
  const bool news = server.address != chosen;
  out.emplace_back(Addresses{number, std::move(*addresses), moved});
  if (news) {
    server.address = chosen;
    server.dead_until.reset();
    server.reason.clear();
    out.emplace_back(line(1, name_of(number) + " is asked there from now on"));
  }
  // another address is another server: what was asked of the old one is another request
  std::vector<std::uint64_t> again;
  for (auto& [question, pending] : pending_) {
    if (!moved || pending.waiting || pending.socket.server != number) continue;
    release_ids(pending);
    pending.asked[number] = false;
    again.push_back(question);
  }
  for (const std::uint64_t question : again) ask_next(question, now, out);
  ask_waiting(now, out);
}

void Client::ask_waiting(TimePoint now, Effects& out) {
  std::vector<std::uint64_t> waiting;
  for (const auto& [number, pending] : pending_) {
    if (pending.waiting) waiting.push_back(number);
  }
  for (const std::uint64_t number : waiting) ask_next(number, now, out);
}

// --- requests ---------------------------------------------------------------------------------------------------------------

bool Client::choose_socket(std::uint64_t number, Pending& pending, std::size_t server) {
  const std::uint16_t sockets = configuration_->servers[server].sockets;
  for (std::uint16_t i = 0; i < sockets; ++i) {
    const Socket socket{server, pending.question.code == Code::AccountingRequest,
                        static_cast<std::uint16_t>(servers_[server].next_socket++ % sockets)};
    pending.socket = socket;
    if (take_id(number, pending)) return true;
  }
  return false;
}

// False: there is none left on its socket.
bool Client::take_id(std::uint64_t number, Pending& pending) {
  Ids& ids = ids_[pending.socket];
  if (ids.taken.size() == kIds) return false;
  while (ids.taken.contains(ids.next)) ++ids.next;
  pending.id = ids.next++;
  ids.taken.emplace(pending.id, number);
  return true;
}

void Client::release_ids(Pending& pending) {
  for (const auto& [id, authenticator] : pending.sent) ids_[pending.socket].taken.erase(id);
  pending.sent.clear();
}

// The packet to its server, under the id that was taken for it.
Status Client::encode(Pending& pending, TimePoint now) {
  const model::RadiusServer& server = configuration_->servers[pending.socket.server];
  Attributes attributes = pending.question.attributes;
  attributes.add(Type::NasIdentifier, server.nas_identifier);
  pending.delay = std::chrono::duration_cast<seconds>(now - pending.began);
  if (pending.question.code == Code::AccountingRequest)
    attributes.add(Type::AcctDelayTime, static_cast<std::uint32_t>(pending.delay.count()));
  Authenticator& authenticator = pending.sent[pending.id];
  entropy_.fill(authenticator);
  auto packet = encode_request(pending.question.code, pending.id, attributes, server.secret, authenticator);
  if (!packet) return fail(packet.error());
  pending.packet = std::move(*packet);
  // the others' authenticator follows from the content
  std::copy_n(pending.packet.begin() + 4, authenticator.size(), authenticator.begin());
  return {};
}

void Client::ask_next(std::uint64_t number, TimePoint now, Effects& out) {
  Pending& pending = pending_.at(number);
  const bool waited = std::exchange(pending.waiting, false);
  const auto add = [&](const std::string& what) { pending.story += (pending.story.empty() ? "" : ", ") + what; };
  const auto dead = [&](std::size_t i) { return servers_[i].dead_until && *servers_[i].dead_until > now; };
  bool nameless = false, alive = false;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (pending.asked[i]) continue;
    nameless = nameless || unknown(i);
    alive = alive || (servers_[i].address && !dead(i));
    if (servers_[i].address || unknown(i)) continue;
    pending.asked[i] = true;
    add(name_of(i) + ": " + servers_[i].reason);
  }
  if (nameless && !alive && !(waited && pending.deadline <= now)) {
    pending.waiting = true;
    if (!waited) pending.deadline = now + kNameWait;
    return;
  }
  for (auto choice = choose(pending, now); choice; choice = choose(pending, now)) {
    const model::RadiusServer& server = configuration_->servers[*choice];
    pending.asked[*choice] = true;
    if (!choose_socket(number, pending, *choice)) {
      add(name_of(*choice) + " has too many requests to answer");
      continue;
    }
    if (const Status encoded = encode(pending, now); !encoded) {
      release_ids(pending);
      return finish(number, fail(encoded.error()), out);
    }
    pending.retransmissions = 0;
    pending.hint.clear();
    pending.deadline = now + wait_of(server, 0);
    ++servers_[*choice].counts.requests;
    out.emplace_back(line(2, to_string(pending.question.code) + " " + std::to_string(pending.id) + " to " + name_of(*choice)));
    out.emplace_back(Send{pending.socket, *servers_[*choice].address, pending.packet});
    return;
  }
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (!pending.asked[i]) add(name_of(i) + ": its name is still being looked up");
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
    out.emplace_back(line(1, "packet of " + name_of(from.server) + " dropped: " + what));
  };
  const auto packet = parse_packet(octets);
  if (!packet) return bad(packet.error().message);
  const auto ids = ids_.find(from);
  const auto question = ids == ids_.end() ? std::map<std::uint8_t, std::uint64_t>::iterator() : ids->second.taken.find(packet->id);
  if (ids == ids_.end() || question == ids->second.taken.end())
    return out.emplace_back(line(2, to_string(packet->code) + " " + std::to_string(packet->id) + " of " + name_of(from.server) +
                                        " answers nothing: dropped")),
           void();
  const std::uint64_t number = question->second;
  Pending& pending = pending_.at(number);
  if (!answers(pending.question.code, packet->code))
    return bad(to_string(packet->code) + " answers no " + to_string(pending.question.code));
  // RFC 2866 has no Message-Authenticator, and a forged Accounting-Response only spares us a retransmission
  const Authenticator request = pending.sent.at(packet->id);
  const bool strict = pending.question.code == Code::AccessRequest;
  if (const Status right = verify_response(*packet, request, server.secret, strict); !right) {
    pending.hint = right.error().message;
    return bad(right.error().message);
  }
  if (state.dead_until) out.emplace_back(line(0, name_of(from.server) + " answers again"));
  state.dead_until.reset();
  state.reason.clear();
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
  out.emplace_back(line(2, to_string(packet->code) + " " + std::to_string(packet->id) + " of " + name_of(from.server)));
  auto reply = read(*packet, pending, request);
  release_ids(pending);
  finish(number, std::move(reply), out);
}

Result<Reply> Client::read(const PacketView& packet, const Pending& pending, const Authenticator& request) const {
  const model::RadiusServer& server = configuration_->servers[pending.socket.server];
  Reply out{to_bytes(packet.octets), server.name, {}};
  if (packet.code != Code::AccessAccept) return out;
  auto msk = msk_of(packet, request, server.secret);
  if (!msk) return fail(Fault::Peer, name_of(pending.socket.server) + " accepts with keys that cannot be read: " + msk.error().message);
  out.msk = std::move(*msk);
  return out;
}

std::optional<TimePoint> Client::next_deadline() const {
  std::optional<TimePoint> earliest;
  const auto add = [&](TimePoint one) { earliest = std::min(earliest.value_or(one), one); };
  for (const auto& [number, pending] : pending_) add(pending.deadline);
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (!configuration_->servers[i].host.empty() && !servers_[i].looking_up) add(servers_[i].look_up_at);
  }
  return earliest;
}

void Client::on_deadline(TimePoint now, Effects& out) {
  look_up_due(now, out);
  std::vector<std::uint64_t> due;
  for (const auto& [number, pending] : pending_) {
    if (pending.deadline <= now) due.push_back(number);
  }
  for (const std::uint64_t number : due) {
    Pending& pending = pending_.at(number);
    if (pending.waiting) {
      ask_next(number, now, out);
      continue;
    }
    const model::RadiusServer& server = configuration_->servers[pending.socket.server];
    if (pending.retransmissions >= server.retransmit_tries) {
      give_up(number, now, out);
      continue;
    }
    // RFC 2866 5.2: how long it has been tried changes, and so what is signed, and with it the id (RFC 2866 3). Where ids are few
    // it goes as it was: the others are for what is asked next.
    const bool older = pending.question.code == Code::AccountingRequest && now - pending.began >= pending.delay + seconds(1);
    if (older && ids_[pending.socket].taken.size() < kIds / 2 && take_id(number, pending)) {
      if (const Status encoded = encode(pending, now); !encoded) {
        release_ids(pending);
        finish(number, fail(encoded.error()), out);
        continue;
      }
    }
    // RFC 5080 2.2.1: else the very same packet, so that the server knows it again
    pending.deadline = now + wait_of(server, ++pending.retransmissions);
    ++servers_[pending.socket.server].counts.retransmissions;
    out.emplace_back(line(1, "retransmission " + std::to_string(pending.retransmissions) + " of " + to_string(pending.question.code) + " " +
                                 std::to_string(pending.id) + " to " + name_of(pending.socket.server)));
    out.emplace_back(Send{pending.socket, *servers_[pending.socket.server].address, pending.packet});
  }
}

void Client::give_up(std::uint64_t number, TimePoint now, Effects& out) {
  Pending& pending = pending_.at(number);
  Server& state = servers_[pending.socket.server];
  ++state.counts.timeouts;
  // what answers badly is there, and no other one will do better for that
  std::string what =
      name_of(pending.socket.server) +
      (pending.hint.empty()
           ? " did not answer (a server is silent as well when the shared secret is another one, or it does not know this NAS)"
           : " was not believed: " + pending.hint);
  if (!state.dead_until || *state.dead_until <= now) {
    out.emplace_back(line(0, what + ": passed over for a minute"));
    state.look_up_at = now;  // its name may lead elsewhere by now
  }
  state.dead_until = now + kDeadTime;
  state.reason = what;
  pending.story += (pending.story.empty() ? "" : ", ") + what;
  release_ids(pending);
  look_up_due(now, out);
  ask_next(number, now, out);
}

void Client::finish(std::uint64_t number, Result<Reply> reply, Effects& out) {
  pending_.erase(number);
  out.emplace_back(Answer{number, std::move(reply)});
}

void Client::forget(std::uint64_t question) {
  const auto found = pending_.find(question);
  if (found == pending_.end()) return;
  if (!found->second.waiting) release_ids(found->second);
  pending_.erase(found);
}

std::vector<model::RadiusServerState> Client::state(TimePoint now) const {
  std::vector<model::RadiusServerState> out;
  for (const Server& server : servers_) {
    out.push_back(server.counts);
    out.back().address = server.address;
    out.back().alive = server.address ? !server.dead_until || *server.dead_until <= now : server.reason.empty();
    if (!out.back().alive) out.back().reason = server.reason;
  }
  for (const auto& [number, pending] : pending_) {
    if (!pending.waiting) ++out[pending.socket.server].pending;
  }
  return out;
}

}  // namespace svti::radius
