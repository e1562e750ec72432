// SPDX-License-Identifier: Apache-2.0
// Thousands of runs, each another course of events: rekeys from either end and from both at once, deletions, crashes, partitions,
// reauthentication, addresses and NAT mappings that change, strangers who replay and forge, on a network that loses, doubles and reorders;
// some with EAP, a PPK, tickets.
// Whatever happened, when the network is fair again the two gateways must end with exactly one IKE SA and one CHILD SA for each
// security-policy, traffic must flow, and after closing nothing may be left.
//
// As many threads as there are CPUs share the runs; what a seed does is the same on each.
//
//   SVTI_SIM_SEED=N    that run alone, its trace printed (also: sim_core --run_test=courses -- --seed N)
//   SVTI_SIM_RUNS=N    so many runs instead of kRuns; 0: until one fails
//   SVTI_SIM_FIRST=N   the first seed
#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "sim/world/configurations.h"
#include "sim/world/world.h"

using namespace svti;
using namespace svti::sim;
using model::AuthMethod;
using model::ChildSaPhase;
using model::IkeSaPhase;
using sa::Notice;

namespace {

constexpr std::uint64_t kRuns = 9000;

// a packet in each direction for each security-policy: "net", and "net2" of the runs that have two
const std::array kToRight{Packet{address("10.1.0.1"), address("10.2.0.1")}, Packet{address("10.3.0.1"), address("10.4.0.1")}};
const std::array kToLeft{Packet{address("10.2.0.1"), address("10.1.0.1")}, Packet{address("10.4.0.1"), address("10.3.0.1")}};

constexpr std::string_view kOutside = "198.51.100.1";  // of the NAT
constexpr std::string_view kMoved = "198.51.100.7";    // where the left gateway goes

// What one run is about; all of it drawn from the seed.
struct Course {
  bool gentle = false;       // nothing but rekeys, and a network that loses: no packet may be lost
  bool both_active = false;  // either end initiates: two IKE SAs may come of it, which is no violation
  bool nat = false;          // the left gateway is behind one, which forgets its mappings unless the course is gentle
  bool mobile = false;       // MOBIKE, and the left gateway's address changes unless the course is gentle
  bool reauthenticates = false;
  bool strangers = false;
  std::size_t policies = 1;
  Weather weather;
  Duration length{};
};

class Run {
 public:
  explicit Run(std::uint64_t seed);
  World& world() { return world_; }

 private:
  SeededEntropy& chance() { return world_.chance(); }
  seconds some_seconds(int least, int most) {
    return seconds(least + static_cast<int>(chance().below(static_cast<std::uint64_t>(most - least))));
  }
  model::Vpn vary(model::Vpn vpn, bool initiates);
  void storm();
  void something_happens();
  void the_path_changes();
  void a_stranger_sends();
  void traffic();
  bool calm() const;
  bool mirrored() const;
  void settle();
  void rekeys_without_loss();
  void close();
  bool interrupted() const;
  Node& either() { return chance().chance(0.5) ? *left_ : *right_; }
  std::string peer_of(const Node& node) const { return &node == left_ ? "right" : "left"; }

  World world_;
  Course course_;
  Node* left_ = nullptr;
  Node* right_ = nullptr;
  std::deque<model::Datagram> overheard_;  // what strangers have to send again: the last ones, as they were sent
  bool was_up_ = false;
  bool disturbed_ = false;  // a crash, a partition, a deletion
  bool strict_ = false;     // every packet must arrive
};

model::Vpn Run::vary(model::Vpn vpn, bool initiates) {
  const bool pfs = chance().chance(0.25);
  if (pfs) vpn.ipsec.esp_proposals = {esp_proposal("aes128-gcm-128/curve25519")};
  vpn.ike.dpd_delay = some_seconds(20, 60);
  vpn.ike.rekey_time = chance().chance(0.3) ? seconds(0) : some_seconds(400, 3000);
  vpn.ipsec.rekey_time = chance().chance(0.3) ? seconds(0) : some_seconds(200, 1500);
  vpn.ike.keying_tries = 1 + static_cast<std::uint32_t>(chance().below(3));
  if (course_.policies == 2)
    vpn.policies.push_back(initiates && vpn.name == "right" ? security_policy("net2", "10.3.0.0/24", "10.4.0.0/24")
                                                            : security_policy("net2", "10.4.0.0/24", "10.3.0.0/24"));
  if (course_.nat || course_.mobile) {
    const bool at_left = vpn.name == "right";
    vpn.local_id = identity(at_left ? "left.example" : "right.example");
    vpn.remote_id = identity(at_left ? "right.example" : "left.example");
    if (!at_left) vpn.remote_address.reset();
  }
  if (course_.mobile) {
    vpn.ike.mobike = true;
    vpn.local_address.reset();
  }
  if (!initiates) return vpn;
  if (course_.reauthenticates) vpn.ike.reauth_time = some_seconds(300, 1200);
  vpn.ipsec.start_action = chance().chance(0.5) ? model::StartAction::Start : model::StartAction::Trap;
  vpn.ipsec.close_action = chance().chance(0.5) ? model::StartAction::Start : model::StartAction::Trap;
  vpn.ipsec.dpd_action = chance().chance(0.5) ? model::DpdAction::Restart : model::DpdAction::Trap;
  return vpn;
}

Run::Run(std::uint64_t seed) : world_(seed) {
  course_.gentle = chance().chance(0.4);
  course_.nat = chance().chance(0.25);
  course_.mobile = chance().chance(0.25);
  course_.both_active = !course_.gentle && !course_.nat && !course_.mobile && chance().chance(0.2);
  course_.reauthenticates = !course_.gentle && chance().chance(0.2);
  course_.strangers = chance().chance(0.3);
  if (chance().chance(0.3)) course_.policies = 2;
  course_.weather.loss = chance().chance(0.2) ? 0.0 : 0.02 * static_cast<double>(chance().below(16));
  course_.weather.duplication = 0.02 * static_cast<double>(chance().below(11));
  course_.weather.least_delay = milliseconds(1 + chance().below(40));
  course_.weather.most_delay = course_.weather.least_delay + milliseconds(chance().below(chance().chance(0.3) ? 3000 : 60));
  course_.length = some_seconds(300, 2400);
  model::Vpn left = vary(left_vpn(), true);
  model::Vpn right = vary(right_vpn(), course_.both_active);
  if (seed % 3 == 0) {  // more key exchanges than one (RFC 9370), for CHILD SAs where there is PFS or it is drawn by the seed
    left.ike.proposals = right.ike.proposals = {ike_proposal("aes128-gcm-128/hmac-sha256/curve25519/ke1_ecp256")};
    if (seed % 2 == 0) left.ipsec.esp_proposals = {esp_proposal("aes128-gcm-128/curve25519/ke1_ecp256")};
    if (seed % 4 == 0) left.ike.childless = model::Childless::Prefer;
  }
  right.ipsec.esp_proposals = left.ipsec.esp_proposals;
  world_.weather = course_.weather;
  if (course_.nat) world_.put_behind_nat(kLeft, address(kOutside));
  if (course_.strangers) {
    world_.lose = [this](const Node&, const wire::Header&, const model::Datagram& datagram) {
      overheard_.push_back(datagram);
      if (overheard_.size() > 40) overheard_.pop_front();
      return false;
    };
  }
  model::GlobalOptions global;
  global.make_before_break = chance().chance(0.5);
  if (chance().chance(0.25)) global.fragment_size = 150 + static_cast<std::uint32_t>(chance().below(200));
  ConfigurationParts at_left{.global = global}, at_right{.global = global};
  if (seed % 5 == 1 && !course_.both_active) {  // the left is a user, and the gateway leaves it to begin
    left.authentication.local = right.authentication.remote = seed % 2 == 0 ? AuthMethod::EapMschapv2 : AuthMethod::EapMd5;
    left.authentication.local_eap_id = identity("joe@example.com");
    right.authentication.remote_eap_id = identity("%any");
    at_left.eap_keys = at_right.eap_keys = {{"joe@example.com", "clientPass"}};
  }
  if (seed % 4 == 1) {  // a PPK, which the right has or does without
    left.ike.ppk_id = identity("quantum.example");
    left.ike.ppk_required = right.ike.ppk_required = seed % 8 == 1;
    if (course_.both_active) right.ike.ppk_id = left.ike.ppk_id;
    at_left.ppks = at_right.ppks = {{"quantum.example", "secret"}};
    if (seed % 16 == 5) at_right.ppks = {{"other.example", "secret"}};
  }
  left.ike.session_resumption = right.ike.session_resumption = seed % 3 == 1;
  at_left.vpns = {std::move(left)};
  at_right.vpns = {std::move(right)};
  left_ = &world_.add("left", address(kLeft), configuration(std::move(at_left)));
  right_ = &world_.add("right", address(kRight), configuration(std::move(at_right)));
  storm();
  if (!world_.violations().empty()) return;
  settle();
  if (!world_.violations().empty()) return;
  // reauthentication loses packets by its nature when it breaks before it makes, and when its answer comes late
  if (!course_.both_active && !course_.reauthenticates) rekeys_without_loss();
  if (!world_.violations().empty()) return;
  close();
}

// an IKE SA or a CHILD SA was lost, as the nodes themselves say
bool Run::interrupted() const {
  const auto ended = [](const Node& node) {
    return node.count(Notice::Kind::IkeDown) + node.count(Notice::Kind::ChildDown) + node.count(Notice::Kind::IkeFailed) != 0;
  };
  return disturbed_ || ended(*left_) || ended(*right_);
}

void Run::traffic() {
  const auto serves_all = [this](const Node& node) {
    std::set<std::string> served;
    for (const auto& child : node.child_sas()) served.insert(child.name);
    return node.up() && served.size() == course_.policies;
  };
  if (serves_all(*left_) && serves_all(*right_)) was_up_ = true;
  const bool must_arrive = strict_ || (course_.gentle && was_up_ && !interrupted());
  for (Node* from : {left_, right_}) {
    if (!from->up()) continue;
    for (std::size_t policy = 0; policy < course_.policies; ++policy) {
      world_.send_packet(*from, (from == left_ ? kToRight : kToLeft)[policy], [this, from, must_arrive](Probe outcome) {
        if (outcome == Probe::Clear && (from == left_ || course_.both_active))
          world_.violation("a packet of " + from->name() + " would leave in clear");
        if (must_arrive && outcome != Probe::Delivered && (strict_ || !interrupted()))
          world_.violation("a packet of " + from->name() + " is lost over a rekey");
      });
    }
  }
}

void Run::something_happens() {
  const auto rekey = [&](Node& node, bool child) { (void)node.rekey(peer_of(node), child ? "net" : ""); };
  switch (chance().below(course_.gentle ? 6 : 10)) {
    case 0:
      return rekey(either(), true);
    case 1:
      return rekey(either(), false);
    case 2:  // both at once
      rekey(*left_, true);
      return rekey(*right_, true);
    case 3:
      rekey(*left_, false);
      return rekey(*right_, false);
    case 4:
      rekey(*left_, true);
      return rekey(*right_, false);
    case 5:
      rekey(*right_, true);
      return world_.after(milliseconds(chance().below(200)), [this, rekey] { rekey(*left_, chance().chance(0.5)); });
    case 6: {
      disturbed_ = true;
      Node& node = either();
      (void)node.terminate(peer_of(node), chance().chance(0.6) ? "net" : "");
      return;
    }
    case 7: {
      disturbed_ = true;
      Node& node = either();
      if (!node.up()) return;
      node.crash();
      return world_.after(some_seconds(1, 60), [&node] { node.restart(); });
    }
    case 8:
      disturbed_ = true;
      world_.note("network", "*** parted");
      world_.part(*left_, *right_);
      return world_.after(some_seconds(5, 400), [this] { world_.join(); });
    default:
      (void)left_->initiate("right");
      return;
  }
}

void Run::the_path_changes() {
  disturbed_ = true;
  if (course_.nat && (!course_.mobile || chance().chance(0.5))) return world_.put_behind_nat(kLeft, address(kOutside));
  if (!course_.mobile || !left_->up()) return;
  switch (chance().below(4)) {
    case 0:
      return left_->set_addresses({address(kMoved)});
    case 1:
      return left_->set_addresses({address(kMoved), address(kLeft)});
    case 2:  // none for a while
      left_->set_addresses({});
      return world_.after(some_seconds(1, 30), [this] { left_->set_addresses({address(kLeft)}); });
    default:
      return left_->set_addresses({address(kLeft)});
  }
}

// Who sees everything, and knows no key: the same again, with an octet changed, cut short, from elsewhere.
void Run::a_stranger_sends() {
  if (overheard_.empty()) return;
  model::Datagram datagram = overheard_[chance().below(overheard_.size())];
  Node& victim = either();
  if (!victim.up()) return;
  std::swap(datagram.local, datagram.remote);
  datagram.local.address = victim.address();
  // A message that is valid, was never seen and comes from elsewhere is what a peer behind a NAT that moves looks like: those are from
  // where they were.
  const bool altered = chance().chance(0.5);
  if ((altered || !course_.nat) && chance().chance(0.5))
    datagram.remote = {address("203.0.113.66"), static_cast<std::uint16_t>(1024 + chance().below(1000))};
  switch (altered ? chance().below(2) : 2) {
    case 0:
      datagram.payload[chance().below(datagram.payload.size())] ^= static_cast<std::uint8_t>(1 + chance().below(255));
      break;
    case 1:
      datagram.payload.resize(chance().below(datagram.payload.size()));
      break;
    default:
      break;
  }
  world_.note("network", "*** a stranger sends " + std::to_string(datagram.payload.size()) + " octets to " + victim.name());
  victim.inject(datagram);
}

void Run::storm() {
  const TimePoint end = world_.now() + course_.length;
  while (world_.now() < end) {
    traffic();
    world_.run_for(chance().between(milliseconds(50), seconds(chance().chance(0.3) ? 60 : 4)));
    if (left_->up() && right_->up() && chance().chance(0.3)) something_happens();
    if (course_.strangers && chance().chance(0.3)) a_stranger_sends();
    if (!course_.gentle && (course_.nat || course_.mobile) && chance().chance(0.05)) the_path_changes();
    if (!world_.violations().empty()) return;
  }
}

// both ends have the same IKE SA and the same CHILD SA
bool Run::mirrored() const {
  const auto ours = left_->ike_sas(), theirs = right_->ike_sas();
  if (ours.size() != theirs.size() || ours.empty()) return false;
  for (const auto& one : ours) {
    const auto twin = std::find_if(theirs.begin(), theirs.end(), [&](const auto& other) {
      return other.initiator_spi == one.initiator_spi && other.responder_spi == one.responder_spi && other.initiator != one.initiator;
    });
    if (twin == theirs.end() || twin->children.size() != one.children.size()) return false;
    for (const auto& child : one.children) {
      const bool paired = std::any_of(twin->children.begin(), twin->children.end(), [&](const auto& other) {
        return other.spi_in == child.spi_out && other.spi_out == child.spi_in && other.local_ts == child.remote_ts &&
               other.remote_ts == child.local_ts;
      });
      if (!paired) return false;
    }
  }
  return true;
}

// nothing is under way, and everything there is is in use
bool Run::calm() const {
  for (Node* node : {left_, right_}) {
    if (!node->up()) return false;
    const auto state = node->core().state(world_.now());
    if (state.ike_sas.empty()) return false;
    std::size_t children = 0;
    for (const auto& sa : state.ike_sas) {
      if (sa.phase != IkeSaPhase::Established) return false;
      for (const auto& child : sa.children) {
        if (child.phase != ChildSaPhase::Installed) return false;
        ++children;
      }
    }
    if (children == 0 || node->kernel().sad().size() != 2 * children) return false;
    if (!course_.both_active && (state.ike_sas.size() != 1 || children != course_.policies)) return false;
  }
  return mirrored();
}

void Run::settle() {
  world_.weather = Weather{0, 0, milliseconds(10), milliseconds(30)};
  world_.join();
  world_.note("network", "*** is fair from now on");
  const TimePoint limit = world_.now() + seconds(1500);
  // A request that the partition swallowed may have its last retransmission behind it: what is left to fail fails now.
  for (int i = 0; i < 20; ++i) {
    traffic();
    world_.run_for(seconds(10));
  }
  while (!calm() && world_.now() < limit) {
    traffic();
    world_.run_for(seconds(5));
  }
  if (calm()) return;
  for (Node* node : {left_, right_}) {
    if (!node->up()) continue;
    for (const auto& sa : node->core().state(world_.now()).ike_sas) {
      std::string line = "left over: IKE SA [" + std::to_string(sa.unique_id) + "] " +
                         std::string(model::kIkeSaPhaseNames[static_cast<std::size_t>(sa.phase)]);
      for (const auto& child : sa.children)
        line += ", CHILD SA {" + std::to_string(child.unique_id) + "} " +
                std::string(model::kChildSaPhaseNames[static_cast<std::size_t>(child.phase)]);
      world_.note(node->name(), line);
    }
    world_.note(node->name(), std::to_string(node->kernel().sad().size()) + " SAs in the kernel");
  }
  world_.violation("25 minutes after the network became fair the two ends do not have one IKE SA and its CHILD SAs in common");
}

void Run::rekeys_without_loss() {
  strict_ = true;
  for (int round = 0; round < 4; ++round) {
    const std::uint64_t what = chance().below(6);
    if (what != 1) (void)left_->rekey("right", what % 2 == 0 ? "net" : "");
    if (what == 4 || what == 5) world_.run_for(milliseconds(chance().below(25)));
    if (what != 0) (void)right_->rekey("left", what < 3 ? "net" : "");
    for (int i = 0; i < 60; ++i) {
      traffic();
      world_.run_for(milliseconds(i < 30 ? 7 : 400));
      if (!world_.violations().empty()) return;
    }
  }
  strict_ = false;
  settle();
}

void Run::close() {
  left_->close();
  world_.run_for(milliseconds(chance().below(50)));
  right_->close();
  world_.run_for(seconds(400));
  for (Node* node : {left_, right_}) {
    const std::string who = node->name() + ", closed, still has ";
    if (node->core().ike_sas() != 0) world_.violation(who + "IKE SAs");
    if (!node->kernel().sad().empty()) world_.violation(who + "SAs in the kernel");
    if (!node->kernel().spd().empty()) world_.violation(who + "policies in the kernel");
    if (node->core().next_deadline()) world_.violation(who + "something to wait for");
  }
}

std::optional<std::uint64_t> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

std::optional<std::uint64_t> wanted_seed() {
  const auto& suite = boost::unit_test::framework::master_test_suite();
  for (int i = 1; i + 1 < suite.argc; ++i) {
    if (std::string_view(suite.argv[i]) == "--seed") return std::strtoull(suite.argv[i + 1], nullptr, 10);
  }
  return number_in("SVTI_SIM_SEED");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(courses)

BOOST_AUTO_TEST_CASE(whatever_happens_the_two_ends_agree_again_and_nothing_is_left) {
  const auto only = wanted_seed();
  const std::uint64_t first = only ? *only : number_in("SVTI_SIM_FIRST").value_or(1);
  const std::uint64_t runs = only ? 1 : number_in("SVTI_SIM_RUNS").value_or(kRuns);
  std::atomic<std::uint64_t> next = first;
  std::atomic<bool> enough = false;
  std::mutex mutex;  // of all below
  std::uint64_t exchanges = 0, seeds = 0;
  std::map<std::uint64_t, std::vector<std::string>> violated;  // by seed
  const auto work = [&] {
    while (!enough) {
      const std::uint64_t seed = next++;
      if (runs != 0 && seed >= first + runs) return;
      Run run(seed);
      const std::lock_guard lock(mutex);
      ++seeds;
      exchanges += run.world().exchanges();
      const bool fine = run.world().violations().empty();
      if (!fine) violated[seed] = run.world().violations();
      if (only || (!fine && violated.size() == 1)) {
        for (const std::string& line : run.world().trace()) std::fprintf(stderr, "%s\n", line.c_str());
      }
      if (violated.size() == (runs == 0 ? 1 : 20)) enough = true;
    }
  };
  std::vector<std::thread> threads(only ? 1 : std::max(1U, std::thread::hardware_concurrency()));
  for (std::thread& thread : threads) thread = std::thread(work);
  for (std::thread& thread : threads) thread.join();
  for (const auto& [seed, violations] : violated)
    for (const std::string& violation : violations) BOOST_ERROR("seed " + std::to_string(seed) + ": " + violation);
  BOOST_TEST(exchanges > seeds);  // a run without exchanges would prove nothing
  // It is what the whole program ends with.
  static std::string summary;
  summary = "sim: " + std::to_string(exchanges) + " exchanges, " + std::to_string(seeds) + " seeds, " + std::to_string(violated.size()) +
            " with violations\n";
  std::atexit([] { std::fputs(summary.c_str(), stdout); });
}

BOOST_AUTO_TEST_SUITE_END()
