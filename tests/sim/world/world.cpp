// SPDX-License-Identifier: Apache-2.0
#include "sim/world/world.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "auth/certificates.h"
#include "sa/message_rules.h"

namespace svti::sim {

using sa::Effects;

namespace {

std::string seconds_of(TimePoint at) {
  char text[32];
  std::snprintf(text, sizeof text, "%12.6f", static_cast<double>(at.time_since_epoch().count()) / 1e6);
  return text;
}

bool same(const Secret& a, const Secret& b) { return equal(a.view(), b.view()); }

}  // namespace

std::uint16_t fragment_number(ByteView datagram) {
  const auto message = wire::parse_message(datagram);
  const auto* fragment =
      message && !message->payloads.empty() ? std::get_if<wire::EncryptedFragmentPayload>(&message->payloads.front()) : nullptr;
  return fragment == nullptr ? 0 : fragment->number;
}

std::string to_string(const wire::Header& header) {
  return wire::to_string(header.exchange) + (header.response ? " response " : " request ") + std::to_string(header.message_id);
}

// --- Node -------------------------------------------------------------------------------------------------------------------

Node::Node(World& world, std::string name, const IpAddress& address, std::uint64_t seed)
    : world_(world),
      name_(std::move(name)),
      address_(address),
      addresses_{address},
      entropy_(seed),
      secret_(SeededEntropy(seed ^ 0x5ec2e7).bytes(32)) {
  be_born();
}

void Node::be_born() {
  notices_.clear();
  explanations_.clear();
  log_.clear();
  core_ = std::make_unique<sa::Core>(entropy_, [this](const IpAddress& destination) -> std::optional<IpAddress> {
    if (addresses_.empty()) return std::nullopt;
    const auto fits =
        std::find_if(addresses_.begin(), addresses_.end(), [&](const auto& one) { return one.family() == destination.family(); });
    return fits == addresses_.end() ? addresses_.front() : *fits;
  });
  if (forgets_secret) secret_.front() ^= 1;
  core_->set_crash_secret(Secret(ByteView(secret_)));
  core_->set_ticket_secret(Secret(ByteView(secret_)), [this] {
    return world_.wall.time_since_epoch() + std::chrono::duration_cast<seconds>(world_.now().time_since_epoch());
  });
  core_->set_local_addresses([this] {
    ++looks_;
    return addresses_;
  });
}

std::size_t Node::count(sa::Notice::Kind kind) const {
  return static_cast<std::size_t>(std::count_if(notices_.begin(), notices_.end(), [&](const auto& notice) { return notice.kind == kind; }));
}

bool Node::logged(std::string_view text) const {
  return std::any_of(log_.begin(), log_.end(), [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

void Node::act(const std::function<void(sa::Core&, TimePoint, Effects&)>& input) {
  if (!core_) return;
  Effects effects;
  input(*core_, world_.now(), effects);
  world_.perform(*this, std::move(effects));
}

void Node::set_addresses(std::vector<IpAddress> addresses) {
  addresses_ = std::move(addresses);
  std::string all;
  for (const IpAddress& one : addresses_) all += " " + one.to_string();
  world_.note(name_, "*** has the addresses" + all);
  act([](sa::Core& core, TimePoint now, Effects& out) { core.paths_changed(now, out); });
}

bool Node::has(const IpAddress& address) const { return std::find(addresses_.begin(), addresses_.end(), address) != addresses_.end(); }

void Node::apply(model::ConfigurationPtr configuration) {
  configuration_ = std::move(configuration);
  act([&](sa::Core& core, TimePoint now, Effects& out) { core.apply(configuration_, now, out); });
}

Status Node::initiate(const std::string& vpn, const std::string& policy) {
  Status status;
  act([&](sa::Core& core, TimePoint now, Effects& out) { status = core.initiate(vpn, policy, now, out); });
  return status;
}

Status Node::terminate(const std::string& vpn, const std::string& policy) {
  Status status;
  act([&](sa::Core& core, TimePoint now, Effects& out) { status = core.terminate(vpn, policy, now, out); });
  return status;
}

Status Node::rekey(const std::string& vpn, const std::string& policy) {
  Status status;
  act([&](sa::Core& core, TimePoint now, Effects& out) { status = core.rekey(vpn, policy, now, out); });
  return status;
}

void Node::close() {
  act([](sa::Core& core, TimePoint now, Effects& out) { core.close(now, out); });
}

std::vector<model::Datagram> Node::inject(const model::Datagram& datagram) {
  std::vector<model::Datagram> sent;
  captured_ = &sent;
  act([&](sa::Core& core, TimePoint now, Effects& out) { core.receive(datagram, now, out); });
  captured_ = nullptr;
  return sent;
}

void Node::crash() {
  world_.note(name_, "*** crashes");
  core_.reset();
}

void Node::restart() {
  world_.note(name_, "*** starts again");
  kernel_.flush();
  virtual_addresses_.clear();
  be_born();
  act([&](sa::Core& core, TimePoint now, Effects& out) { core.apply(configuration_, now, out); });
}

std::vector<model::IkeSaState> Node::ike_sas() const {
  if (!core_) return {};
  std::vector<model::IkeSaState> out = core_->state(world_.now()).ike_sas;
  std::erase_if(out, [](const model::IkeSaState& sa) {
    return sa.phase != model::IkeSaPhase::Established && sa.phase != model::IkeSaPhase::Rekeying;
  });
  return out;
}

std::vector<model::ChildSaState> Node::child_sas() const {
  std::vector<model::ChildSaState> out;
  for (model::IkeSaState& sa : ike_sas()) std::move(sa.children.begin(), sa.children.end(), std::back_inserter(out));
  return out;
}

// --- World ------------------------------------------------------------------------------------------------------------------

World::World(std::uint64_t seed) : chance_(seed) {}
World::~World() = default;

Node& World::add(const std::string& name, const IpAddress& address, model::ConfigurationPtr configuration) {
  nodes_.push_back(std::unique_ptr<Node>(new Node(*this, name, address, chance_.next())));
  Node& node = *nodes_.back();
  node.apply(std::move(configuration));
  return node;
}

void World::note(const std::string& who, const std::string& text) { trace_.push_back(seconds_of(now_) + " " + who + ": " + text); }

void World::violation(std::string text) {
  trace_.push_back(seconds_of(now_) + " !!! " + text);
  violations_.push_back(std::move(text));
}

void World::put_behind_nat(std::string_view inside, const IpAddress& outside) { put_behind_nat(IpAddress::parse(inside).value(), outside); }

void World::put_behind_nat(const IpAddress& inside, const IpAddress& outside) {
  Nat& nat = nats_[inside];
  nat.outside = outside;
  nat.ports.clear();
  note("network", inside.to_string() + " is behind " + outside.to_string() + ", with new ports");
}

void World::forward_ports(const Node& node) {
  Nat& nat = nats_.at(node.address());
  for (const std::uint16_t port : {std::uint16_t{500}, std::uint16_t{4500}}) nat.ports[{node.address(), port}] = port;
}

Endpoint World::translate(const Endpoint& from) {
  const auto nat = nats_.find(from.address);
  if (nat == nats_.end()) return from;
  const auto [port, fresh] = nat->second.ports.try_emplace(from, nat_port_);
  if (fresh) ++nat_port_;
  return {nat->second.outside, port->second};
}

std::optional<Endpoint> World::translate_back(const Endpoint& to) const {
  for (const auto& [inside, nat] : nats_) {
    if (inside == to.address) return std::nullopt;  // no address of the world outside
    if (nat.outside != to.address) continue;
    const auto mapping = std::find_if(nat.ports.begin(), nat.ports.end(), [&](const auto& entry) { return entry.second == to.port; });
    if (mapping == nat.ports.end()) return std::nullopt;  // nobody inside has asked for it
    return mapping->first;
  }
  return to;
}

void World::after(Duration delay, std::function<void()> action) { actions_.emplace(now_ + delay, std::move(action)); }

Node* World::node_at(const IpAddress& address) {
  const auto found = std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& node) { return node->has(address); });
  return found == nodes_.end() ? nullptr : found->get();
}

void World::perform(Node& node, Effects effects) {
  for (sa::Effect& effect : effects) {
    if (auto* send_it = std::get_if<sa::SendDatagram>(&effect)) {
      if (node.captured_ != nullptr) node.captured_->push_back(send_it->datagram);
      send(node, send_it->datagram);
    } else if (auto* install = std::get_if<sa::InstallSa>(&effect)) {
      check_pair(node, install->sa);
      if (const std::string wrong = node.kernel_.install(install->child, std::move(install->sa)); !wrong.empty())
        violation(node.name() + ": " + wrong);
    } else if (const auto* remove = std::get_if<sa::RemoveSa>(&effect)) {
      if (const std::string wrong = node.kernel_.remove(remove->id); !wrong.empty()) violation(node.name() + ": " + wrong);
    } else if (const auto* moved = std::get_if<sa::MoveSa>(&effect)) {
      if (const std::string wrong = node.kernel_.move(moved->move); !wrong.empty()) violation(node.name() + ": " + wrong);
    } else if (auto* claim = std::get_if<sa::ClaimPolicies>(&effect)) {
      node.kernel_.claim(claim->owner, std::move(claim->policies));
    } else if (const auto* release = std::get_if<sa::ReleasePolicies>(&effect)) {
      if (const std::string wrong = node.kernel_.release(release->owner); !wrong.empty()) violation(node.name() + ": " + wrong);
    } else if (const auto* added = std::get_if<sa::InstallAddress>(&effect)) {
      if (!node.virtual_addresses_.insert({added->address, added->svti_id}).second)
        violation(node.name() + " installs an address twice: " + added->address.to_string());
    } else if (const auto* removed = std::get_if<sa::RemoveAddress>(&effect)) {
      if (node.virtual_addresses_.erase({removed->address, removed->svti_id}) == 0)
        violation(node.name() + " removes an address that is not there: " + removed->address.to_string());
    } else if (std::holds_alternative<sa::SendKeepalive>(effect)) {
      ++node.keepalives_;
    } else if (auto* notice = std::get_if<sa::Notice>(&effect)) {
      node.notices_.push_back(std::move(*notice));
    } else if (auto* explained = std::get_if<sa::Explained>(&effect)) {
      node.explanations_.push_back(std::move(explained->explanation));
    } else if (auto* sign = std::get_if<sa::Sign>(&effect)) {
      answer(node, std::move(*sign));
    } else if (auto* verify = std::get_if<sa::VerifyCertificate>(&effect)) {
      answer(node, std::move(*verify));
    } else if (const auto* staple = std::get_if<sa::Staple>(&effect)) {
      answer(node, *staple);
    } else if (const auto* lookup = std::get_if<sa::LookUpCertificates>(&effect)) {
      answer(node, *lookup);
    } else if (auto* asked = std::get_if<sa::AskRadius>(&effect)) {
      if (ask_radius) ask_radius(node, std::move(*asked));
    } else if (auto* line = std::get_if<LogLine>(&effect)) {
      note(node.name(), line->text);
      node.log_.push_back(std::move(line->text));
    }
  }
  check(node);
}

// The signer and the verifier of a node are outside its core, and take their time.
void World::answer(Node& node, sa::Sign question) {
  Result<crypto::Signature> signature = system_error("there is no such key");
  for (const auto& key : node.configuration_->private_keys) {
    if (key->id != question.request.key_id) continue;
    const auto usable = crypto::SigningKey::from_pkcs8(key->pkcs8.view());
    signature = usable ? usable->sign(question.request.octets, question.request.announced, question.request.padding)
                       : Result<crypto::Signature>(fail(usable.error()));
  }
  if (node.signer_gone) signature = system_error("the signer is gone");
  after(answer_after, [&node, ticket = question.ticket, signature = std::move(signature)] {
    node.act([&](sa::Core& core, TimePoint now, Effects& out) { core.on_signature(ticket, signature, now, out); });
  });
}

void World::answer(Node& node, const sa::Staple& question) {
  after(answer_after, [&node, ticket = question.ticket] {
    node.act([&](sa::Core& core, TimePoint now, Effects& out) { core.on_stapled(ticket, node.staple, now, out); });
  });
}

void World::answer(Node& node, const sa::LookUpCertificates& question) {
  node.lookups.push_back(question);
  if (no_lookups) return;
  std::vector<Bytes> all;
  Status right;
  for (const sa::CertificateUrl& one : question.at) {
    const auto found = node.web.find(one.url);
    if (right && found == node.web.end()) right = system_error(one.url + ": not found");
    if (right) right = auth::fits_hash(found->second, one.sha1);
    if (right) all.push_back(found->second);
  }
  const Result<std::vector<Bytes>> outcome = right ? Result<std::vector<Bytes>>(std::move(all)) : fail(right.error());
  after(answer_after, [&node, ticket = question.ticket, outcome] {
    node.act([&](sa::Core& core, TimePoint now, Effects& out) { core.on_looked_up(ticket, outcome, now, out); });
  });
}

void World::answer(Node& node, sa::VerifyCertificate question) {
  std::vector<Bytes> authorities, lists;
  for (const auto& one : question.authorities) {
    authorities.push_back(one->der);
    lists.insert(lists.end(), one->crls.begin(), one->crls.end());
  }
  after(answer_after, [this, &node, authorities, lists, question = std::move(question)] {
    const auto verified = crypto::TrustedAuthorities::make(authorities, lists)
                              .value()
                              .verify(question.certificate, question.intermediates, wall,
                                      static_cast<crypto::RevocationPolicy>(question.revocation), {{}, question.ocsp_responses});
    node.act([&](sa::Core& core, TimePoint now, Effects& out) { core.on_verified(question.ticket, verified, now, out); });
  });
}

// RFC 7296 2.2: a message id is used for one request and its response. IKE_SA_INIT alone is sent anew under the same number (2.6, 1.2),
// and what is answered outside of an IKE SA (2.5: a version of a stranger's) has the number that was asked with.
void World::check_message_id(const Node& from, const wire::Header& header, const model::Datagram& datagram) {
  if (header.exchange == wire::ExchangeType::IkeSaInit || header.responder_spi == 0) return;
  if (const auto message = wire::parse_message(datagram.payload); !message || !sa::is_protected(*message)) return;
  const std::uint16_t fragment = fragment_number(datagram.payload);
  const Slot slot{header.initiator_spi, header.responder_spi, header.from_initiator, header.response, header.message_id, fragment};
  const std::size_t hash = std::hash<std::string_view>{}(as_text(datagram.payload));
  const auto [known, fresh] = sent_.try_emplace(slot, hash);
  if (!fresh && known->second != hash)
    violation(from.name() + " sends another message under a number that it has used: " + to_string(header));
  if (fresh && header.response && fragment <= 1) ++exchanges_;
}

void World::send(Node& from, const model::Datagram& datagram) {
  const auto header = wire::parse_header(datagram.payload);
  if (!header) return violation(from.name() + " sends what is no IKE message");
  check_message_id(from, *header, datagram);
  if (!from.has(datagram.local.address) || blocked(datagram.local.address, datagram.remote.address))
    return note("network", to_string(*header) + " of " + from.name() + " goes nowhere from " + datagram.local.to_string());
  Flight flight{datagram, nullptr};
  flight.datagram.local = translate(datagram.local);
  if (lose && lose(from, *header, flight.datagram))
    return note("network", "loses " + to_string(*header) + " of " + from.name() + " (as told)");
  if (chance_.chance(weather.loss)) return note("network", "loses " + to_string(*header) + " of " + from.name());
  if (chance_.chance(weather.duplication)) {
    note("network", "doubles " + to_string(*header) + " of " + from.name());
    flights_.emplace(now_ + chance_.between(weather.least_delay, weather.most_delay), Flight{flight.datagram, nullptr});
  }
  flights_.emplace(now_ + chance_.between(weather.least_delay, weather.most_delay), std::move(flight));
}

void World::deliver(Flight& flight) {
  if (flight.esp) return flight.esp->then(receive_esp(*flight.esp));
  const auto inside = translate_back(flight.datagram.remote);
  if (!inside) return;
  const Endpoint to = *inside;
  Node* receiver = node_at(to.address);
  Node* sender = node_at(flight.datagram.local.address);
  if (receiver == nullptr || !receiver->up() || (sender != nullptr && parted(*sender, *receiver))) return;
  const model::Datagram arrived{to, flight.datagram.local, std::move(flight.datagram.payload)};
  receiver->act([&](sa::Core& core, TimePoint now, Effects& out) { core.receive(arrived, now, out); });
}

bool World::step() {
  std::optional<TimePoint> next;
  const auto sooner = [&](std::optional<TimePoint> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  if (!flights_.empty()) sooner(flights_.begin()->first);
  if (!actions_.empty()) sooner(actions_.begin()->first);
  for (const auto& node : nodes_) {
    if (node->up()) sooner(node->core_->next_deadline());
  }
  if (!next) return false;
  now_ = std::max(now_, *next);
  if (!flights_.empty() && flights_.begin()->first <= now_) {
    Flight flight = std::move(flights_.begin()->second);
    flights_.erase(flights_.begin());
    deliver(flight);
    return true;
  }
  if (!actions_.empty() && actions_.begin()->first <= now_) {
    const std::function<void()> action = std::move(actions_.begin()->second);
    actions_.erase(actions_.begin());
    action();
    return true;
  }
  for (const auto& node : nodes_) {
    if (!node->up()) continue;
    const auto deadline = node->core_->next_deadline();
    if (!deadline || *deadline > now_) continue;
    node->act([](sa::Core& core, TimePoint now, Effects& out) { core.on_deadline(now, out); });
    const auto after_it = node->core_->next_deadline();
    if (after_it && *after_it <= now_) {
      violation(node->name() + " wants to be called again in the same moment: it would spin");
      now_ += seconds(1);  // let the run go on
    }
  }
  return true;
}

void World::run_for(Duration duration) {
  bool reached = false;
  after(duration, [&] { reached = true; });
  while (!reached && step()) {
  }
}

bool World::run_until(const std::function<bool()>& done, Duration limit) {
  const TimePoint end = now_ + limit;
  while (!done()) {
    if (now_ >= end || !step()) return done();
  }
  return true;
}

// --- traffic ----------------------------------------------------------------------------------------------------------------

void World::send_packet(Node& from, const Packet& packet, std::function<void(Probe)> then) {
  const model::SetPolicy* policy = from.kernel_.lookup(model::Direction::Out, packet);
  if (policy == nullptr) return then(Probe::Clear);
  if (policy->action == model::PolicyAction::Pass) return then(Probe::Clear);
  if (policy->action == model::PolicyAction::Drop) return then(Probe::Dropped);
  const FakeKernel::Sa* outbound = from.kernel_.outbound(*policy);
  if (outbound == nullptr) {
    const std::uint32_t reqid = policy->reqid;
    from.act([&](sa::Core& core, TimePoint now, Effects& out) { core.acquire(reqid, now, out); });
    return then(Probe::Held);
  }
  const model::AddSa& sa = outbound->sa;
  if (!from.has(sa.source) || blocked(sa.source, sa.id.destination)) return then(Probe::Lost);
  model::AddSa copy;
  copy.id = sa.id;
  copy.source = sa.source;
  copy.reqid = sa.reqid;
  copy.mode = sa.mode;
  copy.encryption = sa.encryption;
  copy.integrity = sa.integrity;
  copy.encryption_key = sa.encryption_key.clone();
  copy.integrity_key = sa.integrity_key.clone();
  copy.encapsulation = sa.encapsulation;
  copy.esn = sa.esn;
  // RFC 3948: ESP in UDP has ports, which a NAT changes as it does with any other datagram
  const std::uint16_t port = sa.encapsulation ? sa.encapsulation->source_port : 0;
  auto esp = std::make_shared<Esp>(Esp{std::move(copy), packet, std::move(then), translate({sa.source, port})});
  flights_.emplace(now_ + chance_.between(weather.least_delay, weather.most_delay), Flight{{}, std::move(esp)});
}

Probe World::receive_esp(const Esp& esp) {
  const auto lost = [&](const std::string& why) {
    char spi[16];
    std::snprintf(spi, sizeof spi, "%08x", esp.sa.id.spi);
    note("network", std::string("ESP packet with SPI ") + spi + " to " + esp.sa.id.destination.to_string() + " lost: " + why);
    return Probe::Lost;
  };
  const auto inside =
      translate_back({esp.sa.id.destination, esp.sa.encapsulation ? esp.sa.encapsulation->destination_port : std::uint16_t{0}});
  if (!inside) return lost("the NAT has no mapping for it");
  const IpAddress to = inside->address;
  Node* receiver = node_at(to);
  if (receiver == nullptr) return lost("nobody is there");
  const FakeKernel::Sa* found = receiver->kernel_.find({to, esp.sa.id.spi, esp.sa.id.protocol});
  if (found == nullptr) return lost("no such SA");
  const model::AddSa& sa = found->sa;
  const bool agreed = sa.direction == model::Direction::In && sa.encryption == esp.sa.encryption && sa.integrity == esp.sa.integrity &&
                      sa.mode == esp.sa.mode && sa.esn == esp.sa.esn && same(sa.encryption_key, esp.sa.encryption_key) &&
                      same(sa.integrity_key, esp.sa.integrity_key) && sa.encapsulation.has_value() == esp.sa.encapsulation.has_value();
  if (!agreed) return lost("the ends do not agree on algorithms or keys");
  Packet inner = esp.packet;
  if (sa.mode == model::Mode::Transport) {  // its header is the outer one, which a NAT changes
    inner.source = esp.from.address;
    inner.destination = to;
  }
  const model::SetPolicy* policy = receiver->kernel_.lookup(model::Direction::In, inner);
  if (policy == nullptr) return lost("no policy for the inner packet");
  if (policy->reqid != sa.reqid || policy->tunnel_source != sa.source || policy->tunnel_destination != sa.id.destination)
    return lost("the policy wants another SA");
  // Linux takes a packet in UDP whatever its source, and says so
  const Endpoint expected{sa.source, sa.encapsulation ? sa.encapsulation->source_port : std::uint16_t{0}};
  if (esp.from != expected) {
    if (!sa.encapsulation) return lost("it comes from " + esp.from.to_string());
    const model::SaId id = sa.id;
    receiver->act([&](sa::Core& core, TimePoint now, Effects& out) { core.mapping_moved(id, esp.from, now, out); });
  }
  return Probe::Delivered;
}

Probe World::probe(Node& from, const Packet& packet) {
  std::optional<Probe> outcome;
  std::shared_ptr<Esp> esp;
  const Weather before = std::exchange(weather, Weather{0, 0, Duration(0), Duration(0)});
  send_packet(from, packet, [&](Probe probe) { outcome = probe; });
  weather = before;
  if (outcome) return *outcome;
  for (auto flight = flights_.begin(); flight != flights_.end(); ++flight) {
    if (!flight->second.esp || flight->second.esp->packet.source != packet.source || flight->first != now_) continue;
    esp = flight->second.esp;
    flights_.erase(flight);
    break;
  }
  return receive_esp(*esp);
}

// --- what holds at every moment ---------------------------------------------------------------------------------------------

// Both ends of an SA have the same algorithms and keys.
void World::check_pair(const Node& node, const model::AddSa& sa) {
  for (const auto& other : nodes_) {
    if (other.get() == &node) continue;
    for (const auto& [id, entry] : other->kernel_.sad()) {
      if (id.spi != sa.id.spi || entry.sa.direction == sa.direction) continue;
      const bool agreed = entry.sa.encryption == sa.encryption && entry.sa.integrity == sa.integrity &&
                          same(entry.sa.encryption_key, sa.encryption_key) && same(entry.sa.integrity_key, sa.integrity_key) &&
                          entry.sa.esn == sa.esn;
      if (!agreed) violation(node.name() + " and " + other->name() + " do not agree on an SA: " + model::describe(model::DeleteSa{id}));
    }
  }
}

// Every outbound SA belongs to a CHILD SA, every CHILD SA has its inbound SA, and every policy an owner.
void World::check(Node& node) {
  if (!node.up()) return;
  std::set<std::uint32_t> inbound, outbound;
  std::set<IpAddress> of_sas, installed;
  for (const auto& [address, svti_id] : node.virtual_addresses_) installed.insert(address);
  for (const model::IkeSaState& sa : node.core_->state(now_).ike_sas) {
    of_sas.insert(sa.local_vips.begin(), sa.local_vips.end());
    for (const model::ChildSaState& child : sa.children) {
      inbound.insert(child.spi_in);
      outbound.insert(child.spi_out);
    }
  }
  for (const auto& [id, entry] : node.kernel_.sad()) {
    if (entry.sa.direction == model::Direction::In) {
      inbound.erase(id.spi);
    } else if (!outbound.contains(id.spi) && !node.core_->lingers(id)) {
      violation(node.name() + " has an outbound SA that no CHILD SA owns: " + model::describe(model::DeleteSa{id}));
    }
  }
  if (of_sas != installed) violation(node.name() + " has virtual addresses installed other than those of its IKE SAs");
  for (const std::uint32_t spi : inbound)
    violation(node.name() + " has a CHILD SA whose inbound SA is not in the kernel: SPI " + std::to_string(spi));
}

}  // namespace svti::sim
