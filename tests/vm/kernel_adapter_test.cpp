// SPDX-License-Identifier: Apache-2.0
// NetlinkKernel against a kernel with ESP and svti.ko, as root, in the VM: tests/vm/test_kernel_adapter.py runs each case by name.
// Each case has network namespaces of its own:
//
//   ours 192.0.2.1, 2001:db8::1 (v0) ────── (v1) 192.0.2.2, 2001:db8::2 peer (ip netns)
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>
// the kernel's headers want libc's before them
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/svti.h>
#include <linux/xfrm.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "kernel/netlink_kernel.h"
#include "kernel/netlink_message.h"
#include "kernel/netlink_socket.h"
#include "kernel/route_message.h"
#include "net/udp_transport.h"
#include "support/network_namespace.h"

using namespace svti;
using kernel::NetlinkKernel;

namespace {

IpAddress address(const std::string& text) { return *IpAddress::parse(text); }
Prefix prefix(const std::string& text) { return *Prefix::parse(text); }

std::string output(const std::string& command) {
  std::string out;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  BOOST_REQUIRE(pipe != nullptr);
  std::array<char, 4096> part;
  while (const std::size_t size = fread(part.data(), 1, part.size(), pipe)) out.append(part.data(), size);
  pclose(pipe);
  return out;
}

struct Acquired {
  std::uint32_t reqid, if_id;
  wire::TrafficSelector source, destination;
};
struct Expired {
  model::SaId id;
  bool hard;
};
struct Mapped {
  model::SaId id;
  Endpoint now_from;
};
struct SvtiState {
  std::uint32_t id;
  bool up;

  bool operator==(const SvtiState&) const = default;
};

struct Recorder final : model::KernelEvents {
  void on_acquire(std::uint32_t reqid, std::uint32_t if_id, const wire::TrafficSelector& source,
                  const wire::TrafficSelector& destination) override {
    acquired.push_back({reqid, if_id, source, destination});
  }
  void on_expire(const model::SaId& id, bool hard) override { expired.push_back({id, hard}); }
  void on_offload(const model::SaId& id, const std::string& reason) override { offload.push_back({id, reason}); }
  void on_mapping(const model::SaId& id, const Endpoint& now_from) override { mapped.push_back({id, now_from}); }
  void on_svti(std::uint32_t svti_id, bool up) override { svtis.push_back({svti_id, up}); }
  void on_paths() override { ++paths; }
  void on_overrun() override { ++overruns; }

  std::vector<Acquired> acquired;
  std::vector<Expired> expired;
  std::vector<std::pair<model::SaId, std::string>> offload;
  std::vector<Mapped> mapped;
  std::vector<SvtiState> svtis;
  int overruns = 0;
  int paths = 0;
};

struct Fixture {
  Fixture() {
    BOOST_REQUIRE_EQUAL(unshare(CLONE_NEWNET), 0);
    test::run("ip link set lo up && ip netns add peer && ip link add v0 type veth peer name v1 netns peer");
    test::run("ip addr add 192.0.2.1/24 dev v0 && ip addr add 2001:db8::1/64 dev v0 nodad && ip link set v0 up");
    test::run("ip -n peer addr add 192.0.2.2/24 dev v1 && ip -n peer addr add 2001:db8::2/64 dev v1 nodad && ip -n peer link set v1 up");
    auto made = NetlinkKernel::create(loop, [this](const LogLine& line) { log.push_back(line.text); });
    BOOST_REQUIRE_MESSAGE(made, made.error().message);
    kernel = std::move(*made);
    kernel->set_events(&events);
  }
  ~Fixture() { test::run("ip netns del peer"); }

  // runs the loop until `done`
  void until(const std::function<bool()>& done, const char* what) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (!done() && std::chrono::steady_clock::now() < limit) {
      loop.restart();
      loop.run_one_for(std::chrono::milliseconds(100));
    }
    BOOST_REQUIRE_MESSAGE(done(), what);
  }
  Status ask(model::KernelRequest request) {
    std::optional<Status> answer;
    kernel->submit(std::move(request), [&](Status status) { answer = std::move(status); });
    until([&] { return answer.has_value(); }, "no answer");
    return *answer;
  }
  void must(model::KernelRequest request) {
    const Status status = ask(std::move(request));
    BOOST_REQUIRE_MESSAGE(status, status.error().message);
  }

  boost::asio::io_context loop;
  Recorder events;
  std::vector<std::string> log;
  std::unique_ptr<NetlinkKernel> kernel;
};

constexpr const char* kGcmKey = "000102030405060708090a0b0c0d0e0f10111213";
constexpr const char* kCbcKey = "000102030405060708090a0b0c0d0e0f";
constexpr const char* kHmacKey = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
constexpr std::uint32_t kReqid = model::kReqidFirst + 5;

model::AddSa gcm_sa(model::Direction direction, std::uint32_t spi) {
  const bool inbound = direction == model::Direction::In;
  model::AddSa out;
  out.id = {address(inbound ? "192.0.2.1" : "192.0.2.2"), spi, wire::ProtocolId::Esp};
  out.source = address(inbound ? "192.0.2.2" : "192.0.2.1");
  out.direction = direction;
  out.reqid = kReqid;
  out.encryption = wire::transform(wire::TransformType::Encryption, wire::EncryptionId::AesGcm16, 128);
  out.encryption_key = Secret(*from_hex(kGcmKey));
  return out;
}

model::AddSa cbc_sa(model::Direction direction, std::uint32_t spi) {
  model::AddSa out = gcm_sa(direction, spi);
  out.encryption = wire::transform(wire::TransformType::Encryption, wire::EncryptionId::AesCbc, 128);
  out.encryption_key = Secret(*from_hex(kCbcKey));
  out.integrity = wire::transform(wire::TransformType::Integrity, wire::IntegrityId::HmacSha256_128);
  out.integrity_key = Secret(*from_hex(kHmacKey));
  return out;
}

model::SetPolicy out_policy(const char* source, const char* destination, std::uint32_t if_id = 0) {
  model::SetPolicy out;
  out.id.source = prefix(source);
  out.id.destination = prefix(destination);
  out.id.if_id = if_id;
  out.reqid = kReqid;
  out.priority = 1000;
  out.tunnel_source = address("192.0.2.1");
  out.tunnel_destination = address("192.0.2.2");
  return out;
}

// what `ip` shows of all SAs, but for times and counters
std::string states() {
  return output(
      "ip -s -d xfrm state | grep -v -e 'add .* use' -e 'stats:' -e 'replay-window 0 replay' -e 'lifetime current' -e 'bytes), '");
}

// With `ours` and with `theirs`, a line for `ip xfrm state add`, the kernel has the same SA.
void same_sa(Fixture& fixture, model::AddSa ours, const std::string& theirs) {
  const model::SaId id = ours.id;
  test::run("ip xfrm state add " + theirs);
  const std::string wanted = states();
  test::run("ip xfrm state flush");
  fixture.must(std::move(ours));
  BOOST_TEST(states() == wanted);
  BOOST_TEST(wanted.find("proto ") != std::string::npos, wanted);
  fixture.must(model::DeleteSa{id});
  BOOST_TEST(output("ip xfrm state").empty());
}

void make_svti(const char* name, std::uint32_t id) {
  const auto attribute = [](std::uint16_t type, const Bytes& value) {
    Bytes out(4);
    const auto size = static_cast<std::uint16_t>(4 + value.size());
    std::memcpy(out.data(), &size, 2);
    std::memcpy(out.data() + 2, &type, 2);
    out.insert(out.end(), value.begin(), value.end());
    out.resize((out.size() + 3) & ~std::size_t{3});
    return out;
  };
  Bytes id_octets(4);
  std::memcpy(id_octets.data(), &id, 4);
  kernel::MessageBuilder message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  message.append(ifinfomsg{});
  message.attribute(IFLA_IFNAME, as_bytes(std::string_view(name, std::strlen(name) + 1)));
  const Bytes kind = attribute(IFLA_INFO_KIND, to_bytes(as_bytes(std::string_view("svti\0", 5))));
  message.attribute(IFLA_LINKINFO, ByteView(concat({kind, attribute(IFLA_INFO_DATA, attribute(IFLA_SVTI_ID, id_octets))})));
  auto socket = kernel::NetlinkSocket::open(NETLINK_ROUTE, kernel::NetlinkSocket::Waiting::Blocking);
  BOOST_REQUIRE(socket);
  const Status made = socket->ask(
      message.take(), [] {}, [](const kernel::MessageView&) -> Status { return {}; });
  BOOST_REQUIRE_MESSAGE(made, "is svti.ko loaded? " + (made ? "" : made.error().message));
}

}  // namespace

// v0 is a veth, which offloads nothing. Devices that do: test_iked_offload.py
BOOST_FIXTURE_TEST_CASE(without_a_device_that_can_an_sa_is_in_software_or_fails, Fixture) {
  model::AddSa sa = gcm_sa(model::Direction::Out, 0x2001);
  const model::SaId id = sa.id;
  sa.offload = model::HwOffload::Crypto;
  const Status refused = ask(std::move(sa));
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().message.find("not offloaded: v0 has no esp-hw-offload") != std::string::npos, refused.error().message);
  BOOST_TEST(output("ip xfrm state").empty());

  sa = gcm_sa(model::Direction::Out, 0x2001);
  sa.offload = model::HwOffload::Auto;
  must(std::move(sa));
  const auto status = kernel->query(id);
  BOOST_REQUIRE(status);
  BOOST_REQUIRE(status->offload);
  BOOST_TEST((*status->offload == model::OffloadStatus{model::Offload::None, {}, "v0 has no esp-hw-offload"}));
  must(model::DeleteSa{id});
  BOOST_TEST(!kernel->query(id));
  must(gcm_sa(model::Direction::Out, 0x2001));
  BOOST_TEST(!kernel->query(id)->offload);  // not asked for
}

BOOST_FIXTURE_TEST_CASE(sas_are_those_that_iproute2_would_make, Fixture) {
  using model::Direction;
  const std::string gcm = std::string(" aead 'rfc4106(gcm(aes))' 0x") + kGcmKey + " 128";
  const std::string cbc = std::string(" enc 'cbc(aes)' 0x") + kCbcKey + " auth-trunc 'hmac(sha256)' 0x" + kHmacKey + " 128";
  const std::string in = "src 192.0.2.2 dst 192.0.2.1 proto esp ";
  const std::string out = "src 192.0.2.1 dst 192.0.2.2 proto esp ";
  const std::string tunnel = " mode tunnel flag af-unspec reqid " + std::to_string(kReqid) + " ";
  const std::string inbound = tunnel + "flag icmp ";  // takes the ICMP errors about what it carries
  same_sa(*this, gcm_sa(Direction::In, 0x1001), in + "spi 0x1001" + inbound + "replay-window 32" + gcm);
  same_sa(*this, cbc_sa(Direction::Out, 0x1002), out + "spi 0x1002" + tunnel + cbc);
  {
    model::AddSa sa = gcm_sa(Direction::In, 0x1003);
    sa.esn = true;
    sa.replay_window = 1024;
    sa.if_id = 7;
    sa.copy_dscp_in = true;
    sa.copy_df = false;
    same_sa(*this, std::move(sa),
            in + "spi 0x1003" + inbound + "replay-window 1024 flag esn flag decap-dscp flag nopmtudisc if_id 7" + gcm);
  }
  {
    model::AddSa sa = gcm_sa(Direction::In, 0x1004);
    sa.replay_window = 256;
    sa.copy_dscp_out = false;
    sa.encapsulation = model::UdpEncapsulation{4500, 1027};
    same_sa(*this, std::move(sa),
            in + "spi 0x1004" + inbound + "replay-window 256 extra-flag dont-encap-dscp encap espinudp 4500 1027 0.0.0.0" + gcm);
  }
  {
    model::AddSa sa = gcm_sa(Direction::Out, 0x1005);
    sa.soft_time = seconds(3000);
    sa.hard_time = seconds(3600);
    sa.soft_bytes = 1000000;
    sa.hard_packets = 2000;
    same_sa(*this, std::move(sa),
            out + "spi 0x1005" + tunnel + "limit time-soft 3000 limit time-hard 3600 limit byte-soft 1000000 limit packet-hard 2000" + gcm);
  }
  {
    model::AddSa sa = cbc_sa(Direction::In, 0x1006);
    sa.mode = model::Mode::Transport;
    sa.id.destination = address("2001:db8::1");
    sa.source = address("2001:db8::2");
    same_sa(*this, std::move(sa),
            "src 2001:db8::2 dst 2001:db8::1 proto esp spi 0x1006 reqid " + std::to_string(kReqid) +
                " mode transport replay-window 32 sel src ::/0 dst ::/0" + cbc);
  }
  {
    model::AddSa sa = cbc_sa(Direction::Out, 0x1007);
    sa.id.protocol = wire::ProtocolId::Ah;
    sa.encryption = {};
    sa.encryption_key = {};
    same_sa(*this, std::move(sa),
            "src 192.0.2.1 dst 192.0.2.2 proto ah spi 0x1007 reqid " + std::to_string(kReqid) +
                " mode tunnel flag af-unspec align4 auth-trunc 'hmac(sha256)' 0x" + kHmacKey + " 128");
  }
}

BOOST_FIXTURE_TEST_CASE(every_algorithm_is_one_that_the_kernel_has, Fixture) {
  std::uint32_t spi = 0x2000;
  const auto try_aead = [&](wire::EncryptionId id, std::uint16_t bits, std::size_t octets) {
    model::AddSa sa = gcm_sa(model::Direction::In, ++spi);
    sa.encryption = wire::transform(wire::TransformType::Encryption, id, bits);
    sa.encryption_key = Secret(Bytes(octets, 0x11));
    must(std::move(sa));
  };
  for (const auto id : {wire::EncryptionId::AesGcm8, wire::EncryptionId::AesGcm12, wire::EncryptionId::AesGcm16}) {
    for (const std::size_t octets : {16U, 24U, 32U}) try_aead(id, static_cast<std::uint16_t>(octets * 8), octets + 4);
  }
  try_aead(wire::EncryptionId::ChaCha20Poly1305, 0, 36);
  struct Row {
    wire::EncryptionId cipher;
    std::size_t octets;
    wire::IntegrityId integrity;
    std::size_t integrity_octets;
  };
  for (const Row& row : {Row{wire::EncryptionId::AesCbc, 16, wire::IntegrityId::HmacSha1_96, 20},
                         Row{wire::EncryptionId::AesCbc, 32, wire::IntegrityId::HmacSha384_192, 48},
                         Row{wire::EncryptionId::AesCtr, 20, wire::IntegrityId::HmacSha512_256, 64},
                         Row{wire::EncryptionId::Null, 0, wire::IntegrityId::HmacSha256_128, 32},
                         Row{wire::EncryptionId::TripleDesCbc, 24, wire::IntegrityId::HmacSha256_128, 32}}) {
    model::AddSa sa = cbc_sa(model::Direction::In, ++spi);
    sa.encryption.id = static_cast<std::uint16_t>(row.cipher);
    Bytes key(row.octets);
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i * 13);  // 3DES wants three different keys
    sa.encryption_key = Secret(key);
    sa.integrity->id = static_cast<std::uint16_t>(row.integrity);
    sa.integrity_key = Secret(Bytes(row.integrity_octets, 0x22));
    must(std::move(sa));
  }
  BOOST_TEST(kernel->inventory()->sas.size() == spi - 0x2000);
}

BOOST_FIXTURE_TEST_CASE(policies_are_those_that_iproute2_would_make, Fixture) {
  const auto same_policy = [&](const model::SetPolicy& ours, const std::string& theirs) {
    test::run("ip xfrm policy update " + theirs);
    const std::string wanted = output("ip -d xfrm policy");
    test::run("ip xfrm policy flush");
    must(ours);
    BOOST_TEST(output("ip -d xfrm policy") == wanted);
    must(model::DeletePolicy{ours.id});
    BOOST_TEST(output("ip xfrm policy").empty());
  };
  const std::string tmpl = " tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid " + std::to_string(kReqid) + " mode tunnel";
  same_policy(out_policy("10.1.0.0/16", "10.2.0.0/16"), "dir out src 10.1.0.0/16 dst 10.2.0.0/16 priority 1000 flag icmp" + tmpl);
  same_policy(out_policy("2001:db8:1::/48", "2001:db8:2::/48", 7),
              "dir out src 2001:db8:1::/48 dst 2001:db8:2::/48 priority 1000 flag icmp if_id 7" + tmpl);
  model::SetPolicy ports = out_policy("10.1.0.0/16", "10.2.0.0/16");
  ports.id.direction = model::Direction::Forward;
  ports.id.protocol = IPPROTO_TCP;
  ports.id.destination_port = 443;
  ports.id.destination_port_mask = 0xffff;
  same_policy(ports, "dir fwd src 10.1.0.0/16 dst 10.2.0.0/16 proto tcp dport 443 priority 1000 flag icmp" + tmpl);
  model::SetPolicy transport = out_policy("192.0.2.1/32", "192.0.2.2/32");
  transport.id.direction = model::Direction::In;
  transport.mode = model::Mode::Transport;
  same_policy(transport,
              "dir in src 192.0.2.1 dst 192.0.2.2 priority 1000 tmpl proto esp reqid " + std::to_string(kReqid) + " mode transport");
}

BOOST_FIXTURE_TEST_CASE(a_refusal_names_request_error_and_the_kernels_reason, Fixture) {
  must(gcm_sa(model::Direction::In, 0xc0ffee01));
  const Status twice = ask(gcm_sa(model::Direction::In, 0xc0ffee01));
  BOOST_REQUIRE(!twice);
  BOOST_TEST(twice.error().message == "add SA 192.0.2.1 esp c0ffee01: File exists (EEXIST)");

  model::AddSa short_key = gcm_sa(model::Direction::In, 0xc0ffee02);
  short_key.encryption_key = Secret(Bytes(7));
  const Status refused = ask(std::move(short_key));
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().message ==
             "add SA 192.0.2.1 esp c0ffee02: Invalid argument (EINVAL): Kernel was unable to initialize cryptographic operations");

  // extended acknowledgement, from rtnetlink, which has had it longest
  test::run("ip link add dummy0 type dummy");
  auto socket = kernel::NetlinkSocket::open(NETLINK_ROUTE, kernel::NetlinkSocket::Waiting::Blocking);
  BOOST_REQUIRE(socket);
  const int ifindex = std::stoi(output("cat /sys/class/net/dummy0/ifindex 2>/dev/null || ip -o link show dummy0 | cut -d: -f1"));
  const Status down = socket->ask(
      kernel::encode(model::AddRoute{{prefix("10.2.0.0/16"), 220, 1}}, ifindex), [] {},
      [](const kernel::MessageView&) -> Status { return {}; });
  BOOST_REQUIRE(!down);
  BOOST_TEST(down.error().message.find("(ENETDOWN)") != std::string::npos, down.error().message);
}

BOOST_FIXTURE_TEST_CASE(a_packet_without_an_sa_raises_an_acquire, Fixture) {
  must(out_policy("0.0.0.0/0", "10.2.0.0/16"));
  test::run("ip route add 10.2.0.0/16 via 192.0.2.2 src 192.0.2.1");
  test::run("ping -n -c 1 -W 1 -I 192.0.2.1 10.2.0.9 >/dev/null; true");  // without -I it probes with UDP first
  until([&] { return !events.acquired.empty(); }, "no acquire");
  const Acquired& ping = events.acquired.front();
  BOOST_TEST(ping.reqid == kReqid);
  BOOST_TEST(ping.if_id == 0U);
  BOOST_CHECK(ping.source == wire::TrafficSelector::of(prefix("192.0.2.1/32"), IPPROTO_ICMP, 0x0800, 0x0800));
  BOOST_CHECK(ping.destination == wire::TrafficSelector::of(prefix("10.2.0.9/32"), IPPROTO_ICMP, 0x0800, 0x0800));

  // a policy of somebody else
  events.acquired.clear();
  test::run("ip xfrm policy add dir out src 0.0.0.0/0 dst 10.3.0.0/16 tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 42 mode tunnel");
  test::run("ip route add 10.3.0.0/16 via 192.0.2.2; ping -n -c 1 -W 1 10.3.0.9 >/dev/null; true");
  loop.restart();
  loop.run_for(std::chrono::milliseconds(500));
  BOOST_TEST(events.acquired.empty());

  // UDP, with ports
  test::run("ip xfrm state flush");
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in own{}, target{};
  own.sin_family = target.sin_family = AF_INET;
  own.sin_port = htons(1234);
  target.sin_port = htons(5678);
  std::memcpy(&target.sin_addr, address("10.2.0.9").bytes().data(), 4);
  BOOST_REQUIRE_EQUAL(::bind(fd, reinterpret_cast<sockaddr*>(&own), sizeof(own)), 0);
  (void)::sendto(fd, "x", 1, 0, reinterpret_cast<sockaddr*>(&target), sizeof(target));
  ::close(fd);
  until([&] { return !events.acquired.empty(); }, "no acquire for UDP");
  BOOST_CHECK(events.acquired.front().source == wire::TrafficSelector::of(prefix("192.0.2.1/32"), IPPROTO_UDP, 1234, 1234));
  BOOST_CHECK(events.acquired.front().destination == wire::TrafficSelector::of(prefix("10.2.0.9/32"), IPPROTO_UDP, 5678, 5678));
  // what it leaves is no SA of ours that anybody could use
  const auto left = kernel->inventory();
  BOOST_REQUIRE(left);
  for (const model::SaStatus& sa : left->sas) BOOST_TEST(sa.id.spi == 0U);
}

BOOST_FIXTURE_TEST_CASE(limits_expire_softly_then_hard, Fixture) {
  model::AddSa timed = gcm_sa(model::Direction::Out, 0x3001);
  timed.soft_time = seconds(1);
  timed.hard_time = seconds(3);
  must(std::move(timed));
  const auto expired = [&](std::uint32_t spi, bool hard) {
    return std::any_of(events.expired.begin(), events.expired.end(),
                       [&](const Expired& one) { return one.id.spi == spi && one.hard == hard; });
  };
  until([&] { return expired(0x3001, false); }, "no soft expiry by time");
  BOOST_TEST(!expired(0x3001, true));
  BOOST_TEST(kernel->query({address("192.0.2.2"), 0x3001, wire::ProtocolId::Esp}).has_value());
  until([&] { return expired(0x3001, true); }, "no hard expiry by time");
  BOOST_TEST(!kernel->query({address("192.0.2.2"), 0x3001, wire::ProtocolId::Esp}).has_value());

  // by packets, which also shows counters
  must(out_policy("0.0.0.0/0", "10.2.0.0/16"));
  test::run("ip route add 10.2.0.0/16 via 192.0.2.2 src 192.0.2.1");
  model::AddSa counted = gcm_sa(model::Direction::Out, 0x3002);
  counted.soft_packets = 3;
  must(std::move(counted));
  test::run("ping -n -c 2 -i 0.2 -W 1 10.2.0.9 >/dev/null; true");
  const auto status = kernel->query({address("192.0.2.2"), 0x3002, wire::ProtocolId::Esp});
  BOOST_REQUIRE(status);
  BOOST_TEST(status->packets == 2U);
  BOOST_TEST(status->bytes > 0U);
  BOOST_TEST(status->reqid == kReqid);
  BOOST_TEST(!expired(0x3002, false));
  test::run("ping -n -c 2 -i 0.2 -W 1 10.2.0.9 >/dev/null; true");
  until([&] { return expired(0x3002, false); }, "no soft expiry by packets");
}

BOOST_FIXTURE_TEST_CASE(a_peer_behind_a_nat_that_moves_is_told, Fixture) {
  auto transport = net::UdpTransport::create(loop, {}, [](const LogLine&) {});
  BOOST_REQUIRE_MESSAGE(transport, transport.error().message);
  bool ike = false;
  (*transport)->set_receive([&](const model::Datagram&) { ike = true; });
  model::AddSa in = gcm_sa(model::Direction::In, 0x4001);
  in.encapsulation = model::UdpEncapsulation{1027, 4500};  // where the peer was
  must(std::move(in));
  const std::string sa =
      "src 192.0.2.2 dst 192.0.2.1 proto esp spi 0x4001 mode tunnel flag af-unspec encap espinudp 4500 4500 0.0.0.0 "
      "aead 'rfc4106(gcm(aes))' 0x";
  test::run("ip -n peer xfrm state add " + sa + kGcmKey + " 128");
  test::run("ip -n peer xfrm policy add dir out src 0.0.0.0/0 dst 10.9.0.0/16 tmpl src 192.0.2.2 dst 192.0.2.1 proto esp mode tunnel");
  test::run("ip -n peer route add 10.9.0.0/16 via 192.0.2.1 && ip netns exec peer ping -n -c 1 -W 1 10.9.0.1 >/dev/null; true");
  until([&] { return !events.mapped.empty(); }, "no change of the mapping");
  BOOST_TEST(events.mapped.front().now_from.to_string() == "192.0.2.2:4500");
  BOOST_TEST(events.mapped.front().id.spi == 0x4001U);
  BOOST_TEST(events.mapped.front().id.destination.to_string() == "192.0.2.1");
  BOOST_TEST(!ike);  // the kernel took the ESP out
}

BOOST_FIXTURE_TEST_CASE(events_that_come_too_fast_are_told_as_an_overrun, Fixture) {
  must(gcm_sa(model::Direction::Out, 0x5001));
  BOOST_TEST(events.overruns == 0);
  // A key manager may have the kernel tell an expiry. Nobody reads meanwhile.
  xfrm_user_expire expire{};
  expire.state.family = AF_INET;
  expire.state.id.proto = IPPROTO_ESP;
  expire.state.id.spi = htonl(0x5001);
  std::memcpy(&expire.state.id.daddr, address("192.0.2.2").bytes().data(), 4);
  kernel::MessageBuilder message(XFRM_MSG_EXPIRE, NLM_F_REQUEST);
  message.append(expire);
  const Bytes one = message.take();
  Bytes many;
  for (int i = 0; i < 100; ++i) many.insert(many.end(), one.begin(), one.end());
  auto socket = kernel::NetlinkSocket::open(NETLINK_XFRM, kernel::NetlinkSocket::Waiting::NonBlocking);
  BOOST_REQUIRE(socket);
  for (int i = 0; i < 300; ++i) BOOST_REQUIRE_EQUAL(socket->send(many), 0);
  until([&] { return events.overruns > 0; }, "no overrun");
  // What fitted is told, and then life goes on.
  until([&] { return events.expired.size() > 1000; }, "no events beside the overrun");
  loop.restart();
  loop.run_for(std::chrono::seconds(2));
  BOOST_TEST(events.expired.size() < 30000U);
  events.expired.clear();
  BOOST_REQUIRE_EQUAL(socket->send(one), 0);
  until([&] { return events.expired.size() == 1; }, "no event after the overrun");
}

BOOST_FIXTURE_TEST_CASE(routes_follow_svtis, Fixture) {
  const model::RouteId v4{prefix("10.2.0.0/16"), 220, 7};
  const model::RouteId v6{prefix("2001:db8:2::/48"), 220, 7};
  BOOST_TEST(!ask(model::AddRoute{v4}));
  make_svti("svti7", 7);
  until([&] { return !events.svtis.empty(); }, "no event for a new interface");
  BOOST_CHECK((events.svtis.back() == SvtiState{7, false}));
  const Status down = ask(model::AddRoute{v4});
  BOOST_REQUIRE(!down);
  BOOST_TEST(down.error().message == "add route 10.2.0.0/16 svti-id 7 table 220: the interface with svti-id 7 is down");

  test::run("ip link set svti7 up");
  must(model::AddRoute{v4});  // before the loop has told
  must(model::AddRoute{v6});
  until([&] { return events.svtis.back() == SvtiState{7, true}; }, "no event for up");
  BOOST_TEST(output("ip route show table 220").find("10.2.0.0/16 dev svti7 proto 219 scope link") == 0U, output("ip route show table 220"));
  BOOST_TEST(output("ip -6 route show table 220").find("2001:db8:2::/48 dev svti7 proto 219") == 0U, output("ip -6 route show table 220"));
  // a throw route takes its place, and the other way round
  must(model::AddRoute{{v4.destination, 220, 0}});
  must(model::AddRoute{{v6.destination, 220, 0}});
  BOOST_TEST(output("ip route show table 220").find("throw 10.2.0.0/16 proto 219") == 0U, output("ip route show table 220"));
  BOOST_TEST(kernel->inventory()->routes.size() == 2U);
  must(model::AddRoute{v4});
  must(model::AddRoute{v6});
  auto routes = kernel->inventory()->routes;
  BOOST_REQUIRE_EQUAL(routes.size(), 2U);
  BOOST_CHECK(routes[0] == v4);
  BOOST_CHECK(routes[1] == v6);
  must(model::DeleteRoute{v6});
  BOOST_TEST(kernel->inventory()->routes.size() == 1U);

  // a second kernel object, as after a restart, knows the interface and the route
  auto second = NetlinkKernel::create(loop, [](const LogLine&) {});
  BOOST_REQUIRE(second);
  BOOST_CHECK((*second)->inventory()->routes == std::vector<model::RouteId>{v4});

  test::run("ip link del svti7");
  until([&] { return events.svtis.back() == SvtiState{7, false}; }, "no event for a deleted interface");
  must(model::DeleteRoute{v4});
  BOOST_TEST(kernel->inventory()->routes.empty());
}

BOOST_FIXTURE_TEST_CASE(an_svti_is_ours_by_link_namespace_and_place, Fixture) {
  make_svti("svti8", 8);
  until([&] { return !events.svtis.empty(); }, "no event for a new interface");
  // moved away, it is not to be reached by routes of ours
  test::run("ip link set svti8 netns peer");
  until([&] { return events.svtis.size() == 2; }, "no event for an interface that left");
  BOOST_CHECK((events.svtis.back() == SvtiState{8, false}));
  events.svtis.clear();

  // One that was made over there, and moved here, still serves the SAs over there: the same number is no match.
  const int ours = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  const int peer = ::open("/run/netns/peer", O_RDONLY | O_CLOEXEC);
  BOOST_REQUIRE_EQUAL(setns(peer, CLONE_NEWNET), 0);
  make_svti("svti18", 18);
  BOOST_REQUIRE_EQUAL(setns(ours, CLONE_NEWNET), 0);
  test::run("ip -n peer link set svti18 netns " + std::to_string(getpid()) + " && ip link set svti18 up");
  ::close(ours);
  ::close(peer);
  const Status foreign = ask(model::AddRoute{{prefix("10.2.0.0/16"), 220, 18}});
  BOOST_REQUIRE(!foreign);
  BOOST_TEST(foreign.error().message.find("no interface with svti-id 18") != std::string::npos, foreign.error().message);
  loop.restart();
  loop.run_for(std::chrono::milliseconds(500));
  BOOST_TEST(events.svtis.empty());
}

BOOST_FIXTURE_TEST_CASE(an_acquire_through_an_svti_names_it, Fixture) {
  make_svti("svti9", 9);
  test::run("ip addr add 10.1.0.1/24 dev svti9 && ip link set svti9 up");
  must(out_policy("0.0.0.0/0", "10.2.0.0/16", 9));
  must(model::AddRoute{{prefix("10.2.0.0/16"), 220, 9}});
  must(model::AddRule{{IpFamily::V4, 220, 220}});
  test::run("ping -n -c 1 -W 1 -I 10.1.0.1 10.2.0.9 >/dev/null; true");
  until([&] { return !events.acquired.empty(); }, "no acquire");
  BOOST_TEST(events.acquired.front().if_id == 9U);
  BOOST_TEST(events.acquired.front().reqid == kReqid);
}

BOOST_FIXTURE_TEST_CASE(the_inventory_has_ours_and_nothing_else, Fixture) {
  must(gcm_sa(model::Direction::In, 0x6001));
  model::AddSa bound = cbc_sa(model::Direction::Out, 0x6002);
  bound.if_id = 7;
  must(std::move(bound));
  test::run(
      std::string("ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x6003 reqid 1 mode tunnel aead 'rfc4106(gcm(aes))' 0x") +
      kGcmKey + " 128");
  const auto inventory = kernel->inventory();
  BOOST_REQUIRE(inventory);
  BOOST_REQUIRE_EQUAL(inventory->sas.size(), 2U);
  for (const model::SaStatus& sa : inventory->sas) {
    BOOST_TEST(sa.reqid == kReqid);
    BOOST_TEST(sa.if_id == (sa.id.spi == 0x6002 ? 7U : 0U));
    BOOST_TEST(sa.source.to_string() == (sa.id.spi == 0x6002 ? "192.0.2.1" : "192.0.2.2"));
  }
}

BOOST_FIXTURE_TEST_CASE(a_thousand_sas_go_in_and_out, Fixture) {
  constexpr std::uint32_t kCount = 1000;
  std::size_t answered = 0;
  std::size_t refused = 0;
  const auto count = [&](const Status& status) {
    ++answered;
    if (!status) ++refused;
  };
  for (std::uint32_t i = 0; i < kCount; ++i) kernel->submit(gcm_sa(model::Direction::In, 0x7000 + i), count);
  until([&] { return answered == kCount; }, "not all were added");
  BOOST_TEST(kernel->inventory()->sas.size() == kCount);
  for (std::uint32_t i = 0; i < kCount; ++i)
    kernel->submit(model::DeleteSa{{address("192.0.2.1"), 0x7000 + i, wire::ProtocolId::Esp}}, count);
  until([&] { return answered == 2 * kCount; }, "not all were deleted");
  BOOST_TEST(refused == 0U);
  BOOST_TEST(kernel->inventory()->sas.empty());
}

// Keys, counters, sequence numbers and replay window go along; a new destination leaves the old SA, whose numbers are not used again.
BOOST_FIXTURE_TEST_CASE(an_sa_moves_to_other_ports_and_addresses_and_goes_on, Fixture) {
  const std::string show = "ip -s -d xfrm state";
  for (const bool esn : {false, true}) {
    must(out_policy("0.0.0.0/0", "10.2.0.0/16"));
    test::run("ip route replace 10.2.0.0/16 via 192.0.2.2 src 192.0.2.1; ip -n peer addr replace 192.0.2.9/24 dev v1");
    model::AddSa sa = gcm_sa(model::Direction::Out, 0x8001);
    sa.encapsulation = model::UdpEncapsulation{4500, 1027};
    sa.esn = esn;
    sa.soft_packets = 1000;
    sa.hard_time = seconds(500);
    const model::SaId id = sa.id;
    must(std::move(sa));
    test::run("ping -n -c 3 -i 0.2 -W 1 10.2.0.9 >/dev/null; true");
    const auto hex = [&] {
      return std::stoul(output(show + " | sed -n 's/.*[^-]oseq 0x\\([0-9a-f]*\\).*/\\1/p' | tail -n 1"), nullptr, 16);
    };
    BOOST_TEST(hex() == 3U);

    // ports: in place
    must(model::MoveSa{id, id.destination, address("192.0.2.1"), model::UdpEncapsulation{4500, 2048}});
    std::string shown = output(show);
    BOOST_TEST(shown.find("sport 4500 dport 2048") != std::string::npos, shown);
    BOOST_TEST(hex() == 3U);
    BOOST_TEST(kernel->query(id)->packets == 3U);
    test::run("ping -n -c 1 -W 1 10.2.0.9 >/dev/null; true");
    BOOST_TEST(hex() == 4U);

    // another source, no more UDP: one SA, made anew in one breath
    must(model::MoveSa{id, id.destination, address("192.0.2.44"), std::nullopt});
    shown = output(show);
    BOOST_TEST(shown.find("espinudp") == std::string::npos, shown);
    BOOST_TEST(kernel->inventory()->sas.size() == 1U);
    BOOST_TEST(kernel->query(id)->source.to_string() == "192.0.2.44");
    BOOST_TEST(kernel->query(id)->packets == 4U);
    BOOST_TEST(hex() == 4U + 0x400000U);
    BOOST_TEST(shown.find("soft 1000(packets)") != std::string::npos, shown);

    // another destination: beside the old one
    must(model::MoveSa{id, address("192.0.2.9"), address("192.0.2.1"), model::UdpEncapsulation{4500, 4500}});
    BOOST_TEST(kernel->inventory()->sas.size() == 2U);
    const model::SaId moved{address("192.0.2.9"), id.spi, id.protocol};
    model::SetPolicy policy = out_policy("0.0.0.0/0", "10.2.0.0/16");
    policy.tunnel_destination = moved.destination;
    must(policy);
    must(model::DeleteSa{id});
    test::run("ping -n -c 1 -W 1 10.2.0.9 >/dev/null; true");
    BOOST_TEST(kernel->query(moved)->packets == 5U);
    BOOST_TEST(hex() == 5U + 0x800000U);
    must(model::DeleteSa{moved});
    // what is gone cannot move
    const Status gone = ask(model::MoveSa{id, id.destination, address("192.0.2.1"), std::nullopt});
    BOOST_REQUIRE(!gone);
    BOOST_TEST(gone.error().message.find("move SA 192.0.2.2 esp 00008001") != std::string::npos, gone.error().message);
  }
}

BOOST_FIXTURE_TEST_CASE(addresses_and_routes_that_come_and_go_are_told_once_and_listed, Fixture) {
  const auto addresses = kernel->local_addresses();
  BOOST_REQUIRE(addresses);
  const auto has = [](const std::vector<IpAddress>& all, const char* one) {
    return std::find(all.begin(), all.end(), address(one)) != all.end();
  };
  BOOST_TEST(has(*addresses, "192.0.2.1"));
  BOOST_TEST(has(*addresses, "2001:db8::1"));
  BOOST_TEST(!has(*addresses, "127.0.0.1"));
  test::run("ip addr add 192.0.2.7/24 dev v0; ip addr del 192.0.2.7/24 dev v0; ip route add 10.77.0.0/16 via 192.0.2.2");
  until([&] { return events.paths > 0; }, "no event");
  BOOST_TEST(events.paths == 1);
  BOOST_TEST(!has(*kernel->local_addresses(), "192.0.2.7"));
  // our own routes are none of that
  const auto quiet = [&](int seconds_long) {
    events.paths = 0;
    loop.restart();
    loop.run_for(std::chrono::seconds(seconds_long));
    return events.paths == 0;
  };
  make_svti("svti9", 9);
  test::run("ip link set svti9 addrgenmode none up");
  quiet(4);  // IPv6 addresses stop being tentative, which is an event
  must(model::AddRoute{{prefix("10.99.0.0/16"), 220, 9}});
  BOOST_TEST(quiet(1));
}
