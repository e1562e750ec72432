// SPDX-License-Identifier: Apache-2.0
// Nodes (a protocol core with its kernel each), the network between them, and one virtual clock. Everything follows from the seed: the same
// seed is the same run, octet for octet.
//
// After each step the world checks what must hold at every moment (see check()); whatever does not is a line in violations().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "sa/core.h"
#include "sim/world/fake_kernel.h"
#include "sim/world/seeded_entropy.h"

namespace svti::sim {

class World;

// One gateway. Lives as long as its World.
class Node {
 public:
  const std::string& name() const { return name_; }
  const IpAddress& address() const { return address_; }
  sa::Core& core() { return *core_; }
  FakeKernel& kernel() { return kernel_; }
  bool up() const { return core_ != nullptr; }
  // of this life, in order
  const std::vector<sa::Notice>& notices() const { return notices_; }
  std::size_t count(sa::Notice::Kind kind) const;
  const std::vector<model::Explanation>& explanations() const { return explanations_; }
  std::size_t keepalives() const { return keepalives_; }
  // virtual addresses that are installed, with the svti-id
  const std::set<std::pair<IpAddress, std::uint32_t>>& virtual_addresses() const { return virtual_addresses_; }
  // some line of this life's log contains `text`
  bool logged(std::string_view text) const;
  const std::vector<std::string>& log() const { return log_; }

  std::size_t looks() const { return looks_; }  // at its own addresses, for the core
  // The addresses it has from now on; what routing prefers is in front. The core is told.
  void set_addresses(std::vector<IpAddress> addresses);
  bool has(const IpAddress& address) const;
  void apply(model::ConfigurationPtr configuration);
  Status initiate(const std::string& vpn, const std::string& policy = {});
  Status terminate(const std::string& vpn, const std::string& policy = {});
  Status rekey(const std::string& vpn, const std::string& policy = {});
  void close();
  // a datagram straight into the core, the network passed by; returns what the core sends because of it (which is sent as well)
  std::vector<model::Datagram> inject(const model::Datagram& datagram);
  // any other input of the core; its effects are carried out
  void act(const std::function<void(sa::Core&, TimePoint, sa::Effects&)>& input);
  // killed: nothing is told to anybody. `restart` begins a new life with an empty kernel and the same configuration.
  void crash();
  void restart();

  bool signer_gone = false;  // signatures are refused
  Bytes staple;              // what an OCSP responder says about its certificate
  // where certificates are to be had by hash and URL; what is not there is not found
  std::map<std::string, Bytes> web;
  std::vector<sa::LookUpCertificates> lookups;  // that it asked for
  bool forgets_secret = false;  // the next life begins with another secret, as a host does that has lost its state directory

  // established IKE SAs, and their CHILD SAs
  std::vector<model::IkeSaState> ike_sas() const;
  std::vector<model::ChildSaState> child_sas() const;

 private:
  friend class World;
  Node(World& world, std::string name, const IpAddress& address, std::uint64_t seed);
  void be_born();

  World& world_;
  std::string name_;
  IpAddress address_;
  std::vector<IpAddress> addresses_;
  SeededEntropy entropy_;
  Bytes secret_;  // of the host: what outlives a crash
  std::unique_ptr<sa::Core> core_;
  FakeKernel kernel_;
  model::ConfigurationPtr configuration_;
  std::vector<sa::Notice> notices_;
  std::vector<model::Explanation> explanations_;
  std::vector<std::string> log_;
  std::size_t keepalives_ = 0;
  std::size_t looks_ = 0;
  std::set<std::pair<IpAddress, std::uint32_t>> virtual_addresses_;
  std::vector<model::Datagram>* captured_ = nullptr;
};

// how the network treats a datagram
struct Weather {
  double loss = 0.0;
  double duplication = 0.0;
  Duration least_delay = milliseconds(10);
  Duration most_delay = milliseconds(10);  // more than the least: datagrams overtake each other
};

enum class Probe {
  Delivered,
  Held,     // no SA: an acquire was raised
  Lost,     // the peer could not receive it
  Clear,    // no policy, or one that passes: outside an SVTI it would go in clear
  Dropped,  // a policy that drops
};

class World {
 public:
  explicit World(std::uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Node& add(const std::string& name, const IpAddress& address, model::ConfigurationPtr configuration);
  TimePoint now() const { return now_; }
  // randomness for the course of events, apart from the nodes' own
  SeededEntropy& chance() { return chance_; }

  Weather weather;
  std::chrono::sys_seconds wall = std::chrono::sys_days(std::chrono::year(2026) / 11 / 1);  // by which certificates are judged
  bool no_lookups = false;                                                                  // what is looked up is never answered
  Duration answer_after = milliseconds(1);                                                  // signers and verifiers take so long
  // Sees every datagram before the weather does; true: lost. For tests that lose one particular message.
  std::function<bool(const Node& from, const wire::Header& header, const model::Datagram& datagram)> lose;
  // What the RADIUS servers are asked; without it they say nothing.
  std::function<void(Node& node, sa::AskRadius question)> ask_radius;
  // nothing passes between these two until `joined` again
  void part(const Node& a, const Node& b) { parted_.insert({&a, &b}); }
  void join() { parted_.clear(); }
  // `node` is behind a NAT that shows `outside` to the world; again: the NAT forgets its mappings
  void put_behind_nat(const Node& node, const IpAddress& outside) { put_behind_nat(node.address(), outside); }
  // the NAT before it has ports 500 and 4500 for it, also for who calls from outside
  void forward_ports(const Node& node);
  void put_behind_nat(std::string_view inside, const IpAddress& outside);
  void put_behind_nat(const IpAddress& inside, const IpAddress& outside);
  // nothing passes between these two addresses
  void block(const IpAddress& a, const IpAddress& b) { blocked_.insert({a, b}); }

  // `action` happens after `delay`
  void after(Duration delay, std::function<void()> action);
  // moves the clock to the next event and lets it happen; false: nothing is left that could
  bool step();
  void run_for(Duration duration);
  // until `done()`, or `limit` has passed (then false)
  bool run_until(const std::function<bool()>& done, Duration limit);

  // An inner packet enters the tunnel at `from`, now. The outer packet takes its time like any other but is never lost; when it arrives the
  // outcome is told to `then`.
  void send_packet(Node& from, const Packet& packet, std::function<void(Probe)> then);
  // the same in one moment
  Probe probe(Node& from, const Packet& packet);

  const std::vector<std::string>& violations() const { return violations_; }
  void violation(std::string text);
  // what happened, a line each: events of the network, logs of the nodes
  const std::vector<std::string>& trace() const { return trace_; }
  void note(const std::string& who, const std::string& text);
  // IKE exchanges that were answered
  std::uint64_t exchanges() const { return exchanges_; }
  std::size_t in_flight() const { return flights_.size(); }

 private:
  friend class Node;
  struct Esp {
    model::AddSa sa;  // as the sender has it
    Packet packet;
    std::function<void(Probe)> then;
    Endpoint from;  // as the world sees it; port 0: not in UDP
  };
  struct Flight {
    model::Datagram datagram;  // local: the sender
    std::shared_ptr<Esp> esp;  // instead of the datagram
  };

  void perform(Node& node, sa::Effects effects);
  void answer(Node& node, sa::Sign question);
  void answer(Node& node, const sa::Staple& question);
  void answer(Node& node, const sa::LookUpCertificates& question);
  void answer(Node& node, sa::VerifyCertificate question);
  void send(Node& from, const model::Datagram& datagram);
  void deliver(Flight& flight);
  Probe receive_esp(const Esp& esp);
  Endpoint translate(const Endpoint& from);
  std::optional<Endpoint> translate_back(const Endpoint& to) const;
  Node* node_at(const IpAddress& address);
  void check(Node& node);
  void check_message_id(const Node& from, const wire::Header& header, const model::Datagram& datagram);
  void check_pair(const Node& node, const model::AddSa& sa);
  bool blocked(const IpAddress& a, const IpAddress& b) const { return blocked_.contains({a, b}) || blocked_.contains({b, a}); }
  bool parted(const Node& a, const Node& b) const { return parted_.contains({&a, &b}) || parted_.contains({&b, &a}); }

  SeededEntropy chance_;
  TimePoint now_{};
  std::vector<std::unique_ptr<Node>> nodes_;
  std::multimap<TimePoint, Flight> flights_;
  std::multimap<TimePoint, std::function<void()>> actions_;
  std::set<std::pair<const Node*, const Node*>> parted_;
  std::set<std::pair<IpAddress, IpAddress>> blocked_;
  struct Nat {
    IpAddress outside;
    std::map<Endpoint, std::uint16_t> ports;  // inside -> outside
  };
  std::map<IpAddress, Nat> nats_;  // by the inside address
  std::uint16_t nat_port_ = 20000;
  // what was sent under a message id of an IKE SA: its hash
  struct Slot {
    wire::IkeSpi spi_i, spi_r;
    bool from_initiator, response;
    std::uint32_t message_id;
    std::uint16_t fragment;
    auto operator<=>(const Slot&) const = default;
  };
  std::map<Slot, std::size_t> sent_;
  std::vector<std::string> violations_, trace_;
  std::uint64_t exchanges_ = 0;
};

// which Encrypted Fragment of its message this is; 0: it is the whole message
std::uint16_t fragment_number(ByteView datagram);
// "IKE_AUTH request 1"
std::string to_string(const wire::Header& header);

}  // namespace svti::sim
