// SPDX-License-Identifier: Apache-2.0
// Octets of NETLINK_XFRM. What is encoded is compared with messages as iproute2 sends them, written out here field by field from
// linux/xfrm.h (x86-64 and others of its byte order and alignment); what is decoded is built the same way. What the kernel itself
// makes of the messages is shown by tests/vm/test_kernel_adapter.py.
#include "kernel/xfrm_message.h"

#include <netinet/in.h>
// the kernel's headers want libc's before them
#include <linux/netlink.h>
#include <linux/xfrm.h>

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstring>

#include "kernel/netlink_message.h"

using namespace svti;
using namespace svti::kernel;

namespace {

IpAddress address(const char* text) { return *IpAddress::parse(text); }
Prefix prefix(const char* text) { return *Prefix::parse(text); }

// the single message in `octets`
MessageView view(const Bytes& octets) {
  MessageView out;
  BOOST_REQUIRE(for_each_message(octets, [&](const MessageView& message) -> Status {
    out = message;
    return {};
  }));
  return out;
}

Attributes attributes_of(const Bytes& octets, std::size_t fixed) {
  auto out = Attributes::parse(behind(view(octets).payload, fixed));
  BOOST_REQUIRE(out);
  return *out;
}

std::string hex(const Attributes& attributes, std::uint16_t type) {
  const auto octets = attributes.find(type);
  return octets ? to_hex(*octets) : "absent";
}

// the octets of `text` in hexadecimal, filled with zeros up to `size`
std::string hex_name(std::string_view text, std::size_t size = 64) {
  Bytes octets = to_bytes(as_bytes(text));
  octets.resize(size);
  return to_hex(octets);
}

std::string hex_number(std::uint32_t value) { return to_hex({reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)}); }

model::AddSa gcm_sa() {
  model::AddSa out;
  out.id = {address("192.0.2.2"), 0xc0ffee01, wire::ProtocolId::Esp};
  out.source = address("192.0.2.1");
  out.reqid = 0x53000001;
  out.if_id = 7;
  out.encryption = wire::transform(wire::TransformType::Encryption, wire::EncryptionId::AesGcm16, 128);
  out.encryption_key = Secret(*from_hex("000102030405060708090a0b0c0d0e0f10111213"));
  return out;
}

model::AddSa cbc_sa() {
  model::AddSa out = gcm_sa();
  out.encryption = wire::transform(wire::TransformType::Encryption, wire::EncryptionId::AesCbc, 128);
  out.encryption_key = Secret(*from_hex("000102030405060708090a0b0c0d0e0f"));
  out.integrity = wire::transform(wire::TransformType::Integrity, wire::IntegrityId::HmacSha256_128);
  out.integrity_key = Secret(Bytes(32, 0xaa));
  return out;
}

xfrm_usersa_info info_of(const Bytes& message) {
  const auto out = read_struct<xfrm_usersa_info>(view(message).payload, "info");
  BOOST_REQUIRE(out);
  return *out;
}

Bytes encoded(const model::AddSa& request) {
  auto out = encode(request);
  BOOST_REQUIRE_MESSAGE(out, out.error().message);
  return *out;
}

std::string refusal(const model::AddSa& request) {
  const auto out = encode(request);
  return out ? "" : out.error().message;
}

// a message as the kernel sends it: header, fixed part, attributes
class FromKernel {
 public:
  explicit FromKernel(std::uint16_t type) { octets_.resize(sizeof(nlmsghdr)), header().nlmsg_type = type; }

  template <typename T>
  FromKernel& fixed(const T& structure) {
    put(&structure, sizeof(T));
    return *this;
  }
  template <typename T>
  FromKernel& attribute(std::uint16_t type, const T& value) {
    const nlattr head{static_cast<std::uint16_t>(NLA_HDRLEN + sizeof(T)), type};
    put(&head, sizeof(head));
    put(&value, sizeof(T));
    return *this;
  }
  Bytes octets() {
    header().nlmsg_len = static_cast<std::uint32_t>(octets_.size());
    return octets_;
  }

 private:
  nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(octets_.data()); }
  void put(const void* data, std::size_t size) {
    const auto* begin = static_cast<const std::uint8_t*>(data);
    octets_.insert(octets_.end(), begin, begin + size);
    octets_.resize(NLMSG_ALIGN(octets_.size()));
  }

  Bytes octets_;
};

xfrm_address_t xfrm(const char* text) {
  xfrm_address_t out{};
  const IpAddress from = address(text);
  std::memcpy(&out, from.bytes().data(), from.bytes().size());
  return out;
}

xfrm_user_tmpl esp_template(std::uint32_t reqid) {
  xfrm_user_tmpl out{};
  out.id.proto = IPPROTO_ESP;
  out.family = AF_INET;
  out.reqid = reqid;
  return out;
}

xfrm_user_acquire tcp_acquire() {
  xfrm_user_acquire out{};
  out.id.daddr = xfrm("192.0.2.2");
  out.id.proto = IPPROTO_ESP;
  out.saddr = xfrm("192.0.2.1");
  out.sel.family = AF_INET;
  out.sel.saddr = xfrm("10.1.0.5");
  out.sel.daddr = xfrm("10.2.0.9");
  out.sel.prefixlen_s = out.sel.prefixlen_d = 32;
  out.sel.proto = IPPROTO_TCP;
  out.sel.sport = htons(40000);
  out.sel.dport = htons(443);
  out.sel.sport_mask = out.sel.dport_mask = 0xffff;
  return out;
}

FromKernel acquire_message(const xfrm_user_acquire& acquire, std::uint32_t reqid = 0x53000009) {
  FromKernel out(XFRM_MSG_ACQUIRE);
  out.fixed(acquire).attribute(XFRMA_TMPL, esp_template(reqid)).attribute(XFRMA_IF_ID, std::uint32_t{7});
  return out;
}

template <typename T>
T event(const Bytes& octets) {
  const auto out = decode_event(view(octets));
  BOOST_REQUIRE_MESSAGE(out, out.error().message);
  BOOST_REQUIRE(std::holds_alternative<T>(*out));
  return std::get<T>(*out);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(xfrm_message)

BOOST_AUTO_TEST_CASE(an_aead_sa_octet_by_octet) {
  // ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0xc0ffee01 reqid 0x53000001 mode tunnel replay-window 32
  //   flag af-unspec if_id 7 aead 'rfc4106(gcm(aes))' 0x000102...13 128
  const std::string selector(112, '0');  // 56 octets: everything
  const std::string expected =
      "8c010000"
      "1000"
      "0506"
      "00000000"
      "00000000"    // nlmsghdr: NEWSA; REQUEST, ACK, EXCL, CREATE
      + selector +  //
      "c0000202000000000000000000000000"
      "c0ffee01"
      "32000000"                          // xfrm_id
      "c0000201000000000000000000000000"  // saddr
      "ffffffffffffffff"
      "ffffffffffffffff"
      "ffffffffffffffff"
      "ffffffffffffffff"  // octets, packets: soft, hard
      "0000000000000000"
      "0000000000000000"
      "0000000000000000"
      "0000000000000000"        // times
      + std::string(64, '0') +  // curlft
      std::string(24, '0') +    // stats
      "00000000"
      "01000053"
      "0200"
      "01"
      "20"
      "30"
      "00000000000000"  // seq reqid family mode window flags, padding
      "6000"
      "1200" +
      hex_name("rfc4106(gcm(aes))") +
      "a0000000"
      "80000000"                                  // ALG_AEAD: 160 bits of key, 128 of ICV
      "000102030405060708090a0b0c0d0e0f10111213"  //
      "0800"
      "1f00"
      "07000000";  // IF_ID
  Bytes message = encoded(gcm_sa());
  Bytes wanted = *from_hex(expected);
  const auto size = static_cast<std::uint32_t>(wanted.size());
  std::memcpy(wanted.data(), &size, sizeof(size));
  BOOST_TEST(to_hex(message) == to_hex(wanted));
}

BOOST_AUTO_TEST_CASE(a_cipher_with_hmac_has_two_algorithms) {
  const Bytes message = encoded(cbc_sa());
  const auto attributes = attributes_of(message, sizeof(xfrm_usersa_info));
  BOOST_TEST(hex(attributes, XFRMA_ALG_CRYPT) == hex_name("cbc(aes)") + "80000000" + "000102030405060708090a0b0c0d0e0f");
  BOOST_TEST(hex(attributes, XFRMA_ALG_AUTH_TRUNC) == hex_name("hmac(sha256)") + "00010000" + "80000000" + to_hex(Bytes(32, 0xaa)));
  BOOST_TEST(hex(attributes, XFRMA_ALG_AEAD) == "absent");
}

BOOST_AUTO_TEST_CASE(every_algorithm_has_its_kernel_name_and_icv) {
  struct Row {
    wire::EncryptionId id;
    const char* name;
    std::uint32_t icv_bits;
  };
  for (const Row& row :
       {Row{wire::EncryptionId::AesGcm8, "rfc4106(gcm(aes))", 64}, Row{wire::EncryptionId::AesGcm12, "rfc4106(gcm(aes))", 96},
        Row{wire::EncryptionId::AesGcm16, "rfc4106(gcm(aes))", 128}, Row{wire::EncryptionId::AesCcm8, "rfc4309(ccm(aes))", 64},
        Row{wire::EncryptionId::AesCcm12, "rfc4309(ccm(aes))", 96}, Row{wire::EncryptionId::AesCcm16, "rfc4309(ccm(aes))", 128},
        Row{wire::EncryptionId::NullAesGmac, "rfc4543(gcm(aes))", 128},
        Row{wire::EncryptionId::ChaCha20Poly1305, "rfc7539esp(chacha20,poly1305)", 128}}) {
    model::AddSa sa = gcm_sa();
    sa.encryption.id = static_cast<std::uint16_t>(row.id);
    const Bytes message = encoded(sa);
    BOOST_TEST(hex(attributes_of(message, sizeof(xfrm_usersa_info)), XFRMA_ALG_AEAD) ==
               hex_name(row.name) + "a0000000" + hex_number(row.icv_bits) + to_hex(sa.encryption_key.view()));
  }
  for (const auto& [id, name] : {std::pair{wire::EncryptionId::TripleDesCbc, "cbc(des3_ede)"},
                                 {wire::EncryptionId::CamelliaCbc, "cbc(camellia)"},
                                 {wire::EncryptionId::AesCtr, "rfc3686(ctr(aes))"},
                                 {wire::EncryptionId::Null, "ecb(cipher_null)"}}) {
    model::AddSa sa = cbc_sa();
    sa.encryption.id = static_cast<std::uint16_t>(id);
    const Bytes message = encoded(sa);
    BOOST_TEST(hex(attributes_of(message, sizeof(xfrm_usersa_info)), XFRMA_ALG_CRYPT).starts_with(hex_name(name)));
  }
  struct Mac {
    wire::IntegrityId id;
    const char* name;
    std::uint32_t bits;
  };
  for (const Mac& row : {Mac{wire::IntegrityId::HmacSha1_96, "hmac(sha1)", 96}, Mac{wire::IntegrityId::HmacSha256_128, "hmac(sha256)", 128},
                         Mac{wire::IntegrityId::HmacSha384_192, "hmac(sha384)", 192},
                         Mac{wire::IntegrityId::HmacSha512_256, "hmac(sha512)", 256}, Mac{wire::IntegrityId::HmacMd5_96, "hmac(md5)", 96},
                         Mac{wire::IntegrityId::AesXcbc96, "xcbc(aes)", 96}, Mac{wire::IntegrityId::AesCmac96, "cmac(aes)", 96}}) {
    model::AddSa sa = cbc_sa();
    sa.integrity->id = static_cast<std::uint16_t>(row.id);
    const Bytes message = encoded(sa);
    BOOST_TEST(hex(attributes_of(message, sizeof(xfrm_usersa_info)), XFRMA_ALG_AUTH_TRUNC) ==
               hex_name(row.name) + "00010000" + hex_number(row.bits) + to_hex(sa.integrity_key.view()));
  }
}

BOOST_AUTO_TEST_CASE(ah_has_integrity_alone) {
  model::AddSa sa = cbc_sa();
  sa.id.protocol = wire::ProtocolId::Ah;
  sa.encryption = {};
  sa.encryption_key = {};
  const Bytes message = encoded(sa);
  BOOST_TEST(info_of(message).id.proto == IPPROTO_AH);
  // as every other implementation pads it (RFC 4302 3.3.3.2.1)
  BOOST_TEST((info_of(message).flags & XFRM_STATE_ALIGN4) != 0);
  BOOST_TEST((info_of(encoded(cbc_sa())).flags & XFRM_STATE_ALIGN4) == 0);
  model::AddSa of_ipv6 = std::move(sa);
  of_ipv6.id.destination = address("2001:db8::2");
  of_ipv6.source = address("2001:db8::1");
  BOOST_TEST((info_of(encoded(of_ipv6)).flags & XFRM_STATE_ALIGN4) == 0);
  const auto attributes = attributes_of(message, sizeof(xfrm_usersa_info));
  BOOST_TEST(hex(attributes, XFRMA_ALG_CRYPT) == "absent");
  BOOST_TEST(attributes.find(XFRMA_ALG_AUTH_TRUNC).has_value());
}

BOOST_AUTO_TEST_CASE(algorithms_that_do_not_go_together_are_refused) {
  model::AddSa bare = cbc_sa();
  bare.integrity.reset();
  BOOST_TEST(refusal(bare) == "no integrity algorithm");
  model::AddSa doubled = gcm_sa();
  doubled.integrity = wire::transform(wire::TransformType::Integrity, wire::IntegrityId::HmacSha256_128);
  BOOST_TEST(refusal(doubled) == "an integrity algorithm beside an AEAD");
  model::AddSa unknown = cbc_sa();
  unknown.encryption.id = 99;
  BOOST_TEST(refusal(unknown) == "encryption algorithm 99 is not one for the kernel");
  model::AddSa mixed = gcm_sa();
  mixed.source = address("2001:db8::1");
  BOOST_TEST(refusal(mixed) == "from 2001:db8::1 to 192.0.2.2: one family is needed");
}

BOOST_AUTO_TEST_CASE(tunnel_takes_any_inner_family_and_transport_its_own) {
  const auto tunnel = info_of(encoded(gcm_sa()));
  BOOST_TEST((tunnel.flags & XFRM_STATE_AF_UNSPEC) != 0);
  BOOST_TEST(tunnel.sel.family == AF_UNSPEC);
  model::AddSa sa = gcm_sa();
  sa.mode = model::Mode::Transport;
  sa.source = address("2001:db8::1");
  sa.id.destination = address("2001:db8::2");
  const auto transport = info_of(encoded(sa));
  BOOST_TEST(transport.flags == 0);
  BOOST_TEST(transport.mode == XFRM_MODE_TRANSPORT);
  BOOST_TEST(transport.sel.family == AF_INET6);
  BOOST_TEST(transport.family == AF_INET6);
}

// RFC 4301 6.2: errors of routers that no policy covers come in by an SA, and leave by a policy, of what they are about; in tunnel mode
BOOST_AUTO_TEST_CASE(icmp_errors_go_by_what_they_are_about) {
  model::AddSa sa = gcm_sa();
  model::SetPolicy policy;
  for (const auto direction : {model::Direction::In, model::Direction::Out, model::Direction::Forward}) {
    for (const auto mode : {model::Mode::Tunnel, model::Mode::Transport}) {
      sa.direction = policy.id.direction = direction;
      sa.mode = policy.mode = mode;
      const bool tunnel = mode == model::Mode::Tunnel;
      BOOST_TEST(((info_of(encoded(sa)).flags & XFRM_STATE_ICMP) != 0) == (tunnel && direction == model::Direction::In));
      policy.action = model::PolicyAction::Esp;
      const auto flags = [&] { return read_struct<xfrm_userpolicy_info>(view(*encode(policy, 0x53000009)).payload, "policy")->flags; };
      BOOST_TEST(((flags() & XFRM_POLICY_ICMP) != 0) == (tunnel && direction != model::Direction::In));
      policy.action = model::PolicyAction::Drop;
      BOOST_TEST(flags() == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_replay_window_takes_the_form_that_it_needs) {
  const auto replay = [](model::Direction direction, bool esn, std::uint32_t window) {
    model::AddSa sa = gcm_sa();
    sa.direction = direction;
    sa.esn = esn;
    sa.replay_window = window;
    const Bytes message = encoded(sa);
    const auto info = info_of(message);
    BOOST_TEST(((info.flags & XFRM_STATE_ESN) != 0) == esn);
    return std::to_string(info.replay_window) + " " + hex(attributes_of(message, sizeof(xfrm_usersa_info)), XFRMA_REPLAY_ESN_VAL);
  };
  using model::Direction;
  const std::string zeros32(32, '0');
  // inbound, legacy: in the fixed part alone
  BOOST_TEST(replay(Direction::In, false, 0) == "0 absent");
  BOOST_TEST(replay(Direction::In, false, 32) == "32 absent");
  // bmp_len, oseq, seq, oseq_hi, seq_hi, window, then the bitmap; the fixed part must say 0
  BOOST_TEST(replay(Direction::In, false, 33) == "0 02000000" + zeros32 + "21000000" + std::string(16, '0'));
  BOOST_TEST(replay(Direction::In, true, 32) == "0 01000000" + zeros32 + "20000000" + std::string(8, '0'));
  BOOST_TEST(replay(Direction::In, true, 4096) == "0 80000000" + zeros32 + "00100000" + std::string(1024, '0'));
  // outbound: only ESN needs state
  BOOST_TEST(replay(Direction::Out, false, 4096) == "0 absent");
  BOOST_TEST(replay(Direction::Out, true, 0) == "0 01000000" + zeros32 + "20000000" + std::string(8, '0'));

  model::AddSa sa = gcm_sa();
  sa.replay_window = 4097;
  BOOST_TEST(refusal(sa).find("the kernel's largest is 4096") != std::string::npos);
  sa.replay_window = 0;
  sa.esn = true;
  BOOST_TEST(refusal(sa).find("need a replay window") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(dscp_df_encapsulation_and_limits) {
  model::AddSa sa = gcm_sa();
  sa.copy_dscp_out = false;
  sa.copy_dscp_in = true;
  sa.copy_df = false;
  sa.encapsulation = model::UdpEncapsulation{4500, 1027};
  sa.soft_time = seconds(3400);
  sa.hard_time = seconds(3600);
  sa.soft_bytes = 1000;
  sa.hard_packets = 2000;
  const Bytes message = encoded(sa);
  const auto info = info_of(message);
  const auto attributes = attributes_of(message, sizeof(xfrm_usersa_info));
  BOOST_TEST((info.flags & XFRM_STATE_DECAP_DSCP) != 0);
  BOOST_TEST((info.flags & XFRM_STATE_NOPMTUDISC) != 0);
  BOOST_TEST(hex(attributes, XFRMA_SA_EXTRA_FLAGS) == "01000000");  // DONT_ENCAP_DSCP
  BOOST_TEST(hex(attributes, XFRMA_ENCAP) ==
             "0200"
             "1194"
             "0403"
             "0000" +
                 std::string(32, '0'));
  BOOST_TEST(info.lft.soft_add_expires_seconds == 3400U);
  BOOST_TEST(info.lft.hard_add_expires_seconds == 3600U);
  BOOST_TEST(info.lft.soft_byte_limit == 1000U);
  BOOST_TEST(info.lft.hard_byte_limit == XFRM_INF);
  BOOST_TEST(info.lft.soft_packet_limit == XFRM_INF);
  BOOST_TEST(info.lft.hard_packet_limit == 2000U);
  BOOST_TEST(info.lft.soft_use_expires_seconds == 0U);

  const Bytes plain = encoded(gcm_sa());
  BOOST_TEST(info_of(plain).flags == (XFRM_STATE_AF_UNSPEC | XFRM_STATE_ICMP));
  BOOST_TEST(hex(attributes_of(plain, sizeof(xfrm_usersa_info)), XFRMA_ENCAP) == "absent");
}

BOOST_AUTO_TEST_CASE(a_device_is_asked_by_its_index_and_with_the_direction) {
  model::AddSa sa = gcm_sa();
  BOOST_TEST(hex(attributes_of(encoded(sa), sizeof(xfrm_usersa_info)), XFRMA_OFFLOAD_DEV) == "absent");
  const auto asked = [&](model::Direction direction) {
    sa.direction = direction;
    const auto message = encode(sa, 5);
    BOOST_REQUIRE(message);
    return hex(attributes_of(*message, sizeof(xfrm_usersa_info)), XFRMA_OFFLOAD_DEV);
  };
  BOOST_TEST(asked(model::Direction::Out) == "0500000000000000");  // struct xfrm_user_offload: ifindex, flags, padding
  BOOST_TEST(asked(model::Direction::In) == "0500000002000000");   // XFRM_OFFLOAD_INBOUND
}

BOOST_AUTO_TEST_CASE(what_a_device_does_for_an_sa_is_read) {
  const auto read = [](const char* offload) {
    MessageBuilder builder(XFRM_MSG_NEWSA, 0);
    builder.append(xfrm_usersa_info{});
    if (offload != nullptr) builder.attribute(XFRMA_OFFLOAD_DEV, ByteView(*from_hex(offload)));
    const Bytes message = builder.take();
    const auto out = decode_offload(view(message));
    BOOST_REQUIRE(out);
    return std::pair(out->offload, out->device);
  };
  BOOST_TEST((read(nullptr) == std::pair(model::Offload::None, 0)));
  BOOST_TEST((read("0500000002000000") == std::pair(model::Offload::Crypto, 5)));
  BOOST_TEST((read("0500000004000000") == std::pair(model::Offload::Packet, 5)));
  BOOST_TEST((read("0000000000000000") == std::pair(model::Offload::None, 0)));  // its device is going
  BOOST_TEST((read("05000000") == std::pair(model::Offload::None, 0)));          // cut short
}

BOOST_AUTO_TEST_CASE(an_sa_that_moves_leaves_its_device) {
  MessageBuilder builder(XFRM_MSG_NEWSA, 0);
  xfrm_usersa_info info{};
  info.family = AF_INET;
  builder.append(info);
  builder.attribute(XFRMA_OFFLOAD_DEV, ByteView(*from_hex("0500000000000000")));
  const Bytes current = builder.take();
  const model::MoveSa move{{address("192.0.2.2"), 1, wire::ProtocolId::Esp}, address("192.0.2.3"), address("192.0.2.1"), {}};
  const auto message = encode(move, view(current));
  BOOST_REQUIRE(message);
  BOOST_TEST(hex(attributes_of(*message, sizeof(xfrm_usersa_info)), XFRMA_OFFLOAD_DEV) == "absent");
}

BOOST_AUTO_TEST_CASE(deleting_an_sa_octet_by_octet) {
  const Bytes message = encode(model::DeleteSa{{address("2001:db8::2"), 0x01020304, wire::ProtocolId::Ah}});
  BOOST_TEST(to_hex(message) ==
             "28000000"
             "1100"
             "0500"
             "00000000"
             "00000000"  // DELSA; REQUEST, ACK
             "20010db8000000000000000000000002"
             "01020304"
             "0a00"
             "33"
             "00");
}

BOOST_AUTO_TEST_CASE(a_tunnel_policy_octet_by_octet) {
  // ip xfrm policy update dir out src 10.1.0.0/16 dst 10.2.0.0/16 proto tcp dport 443 priority 1000 if_id 7
  //   tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 0x53000001 mode tunnel
  model::SetPolicy policy;
  policy.id.source = prefix("10.1.0.0/16");
  policy.id.destination = prefix("10.2.0.0/16");
  policy.id.protocol = IPPROTO_TCP;
  policy.id.destination_port = 443;
  policy.id.destination_port_mask = 0xffff;
  policy.id.if_id = 7;
  policy.priority = 1000;
  policy.reqid = 0x53000001;
  policy.tunnel_source = address("192.0.2.1");
  policy.tunnel_destination = address("192.0.2.2");
  const auto message = encode(policy, 0x53000009);
  BOOST_REQUIRE(message);
  const std::string expected =
      "04010000"
      "1900"
      "0500"
      "00000000"
      "00000000"  // UPDPOLICY; REQUEST, ACK
      "0a020000000000000000000000000000"
      "0a010000000000000000000000000000"  // selector: daddr, saddr
      "01bb"
      "ffff"
      "0000"
      "0000"
      "0200"
      "10"
      "10"
      "06"
      "000000"
      "00000000"
      "00000000"  // ports, family, prefixes, protocol, ifindex, user
      "ffffffffffffffff"
      "ffffffffffffffff"
      "ffffffffffffffff"
      "ffffffffffffffff"        // no limits
      + std::string(64, '0') +  // nor times
      std::string(64, '0') +    // curlft
      "e8030000"
      "00000000"
      "01"
      "00"
      "02"
      "00"
      "00000000"  // priority, index, out, allow, flags (ICMP), share, padding
      "4400"
      "0500"  // TMPL
      "c0000202000000000000000000000000"
      "00000000"
      "32000000"
      "0200"
      "0000"  // id, family
      "c0000201000000000000000000000000"
      "01000053"
      "01"
      "00"
      "00"
      "00"  // saddr, reqid, tunnel
      "ffffffff"
      "ffffffff"
      "ffffffff"  // any algorithm
      "0800"
      "1f00"
      "07000000";  // IF_ID
  BOOST_TEST(to_hex(*message) == expected);
}

BOOST_AUTO_TEST_CASE(policies_that_pass_or_drop_say_whose_they_are_by_index) {
  model::SetPolicy policy;
  policy.id.direction = model::Direction::Forward;
  policy.action = model::PolicyAction::Drop;
  const auto message = encode(policy, make_owner_index(5, policy.id.direction));
  BOOST_REQUIRE(message);
  const auto info = read_struct<xfrm_userpolicy_info>(view(*message).payload, "policy");
  BOOST_REQUIRE(info);
  BOOST_TEST(info->action == XFRM_POLICY_BLOCK);
  BOOST_TEST(info->index == 0x5300002aU);  // 5 * 8 + the direction, which the kernel demands in the low bits
  BOOST_TEST(hex(attributes_of(*message, sizeof(xfrm_userpolicy_info)), XFRMA_TMPL) == "absent");
  // the range does not run over
  BOOST_TEST(make_owner_index(UINT32_MAX, model::Direction::Forward) <= model::kReqidLast);
  BOOST_TEST(make_owner_index(UINT32_MAX, model::Direction::Forward) >= model::kReqidFirst);
}

BOOST_AUTO_TEST_CASE(a_transport_policy_has_a_template_without_addresses) {
  model::SetPolicy policy;
  policy.id.source = prefix("2001:db8::1/128");
  policy.id.destination = prefix("2001:db8::2/128");
  policy.mode = model::Mode::Transport;
  policy.action = model::PolicyAction::Ah;
  const auto message = encode(policy, 0);
  BOOST_REQUIRE(message);
  const auto tmpl = attributes_of(*message, sizeof(xfrm_userpolicy_info)).get<xfrm_user_tmpl>(XFRMA_TMPL);
  BOOST_REQUIRE(tmpl);
  BOOST_TEST(tmpl->family == AF_INET6);
  BOOST_TEST(tmpl->id.proto == IPPROTO_AH);
  BOOST_TEST(tmpl->mode == XFRM_MODE_TRANSPORT);
  BOOST_TEST(std::memcmp(&tmpl->saddr, xfrm("::").a6, 16) == 0);

  policy.id.source = prefix("10.0.0.0/8");
  BOOST_TEST(!encode(policy, 0));
}

BOOST_AUTO_TEST_CASE(hash_thresholds_octet_by_octet) {
  const auto message = encode(model::SetPolicyHash{16, 24, 48, 64});
  BOOST_REQUIRE(message);
  BOOST_TEST(to_hex(*message) ==
             "24000000"
             "2400"
             "0500"
             "00000000"
             "00000000"
             "00000000"
             "0600"
             "0300"
             "10180000"
             "0600"
             "0400"
             "30400000");
  BOOST_TEST(!encode(model::SetPolicyHash{33, 32, 128, 128}));
}

BOOST_AUTO_TEST_CASE(an_acquire_tells_the_packet) {
  const auto acquire = event<Acquire>(acquire_message(tcp_acquire()).octets());
  BOOST_TEST(acquire.reqid == 0x53000009U);
  BOOST_TEST(acquire.if_id == 7U);
  BOOST_CHECK(acquire.source == wire::TrafficSelector::of(prefix("10.1.0.5/32"), IPPROTO_TCP, 40000, 40000));
  BOOST_CHECK(acquire.destination == wire::TrafficSelector::of(prefix("10.2.0.9/32"), IPPROTO_TCP, 443, 443));
}

BOOST_AUTO_TEST_CASE(icmp_type_and_code_are_one_number_on_both_sides) {
  xfrm_user_acquire ping = tcp_acquire();
  ping.sel.proto = IPPROTO_ICMP;
  ping.sel.sport = htons(8);  // type
  ping.sel.dport = htons(3);  // code
  const auto acquire = event<Acquire>(acquire_message(ping).octets());
  BOOST_CHECK(acquire.source == wire::TrafficSelector::of(prefix("10.1.0.5/32"), IPPROTO_ICMP, 0x0803, 0x0803));
  BOOST_CHECK(acquire.destination == wire::TrafficSelector::of(prefix("10.2.0.9/32"), IPPROTO_ICMP, 0x0803, 0x0803));
  ping.sel.sport_mask = ping.sel.dport_mask = 0;
  BOOST_TEST(event<Acquire>(acquire_message(ping).octets()).source.any_port());
}

BOOST_AUTO_TEST_CASE(an_expiry_tells_the_sa) {
  xfrm_user_expire expire{};
  expire.state.id.daddr = xfrm("2001:db8::2");
  expire.state.id.spi = htonl(0x01020304);
  expire.state.id.proto = IPPROTO_ESP;
  expire.state.family = AF_INET6;
  expire.state.reqid = 0x53000001;
  expire.hard = 1;
  const auto hard = event<Expire>(FromKernel(XFRM_MSG_EXPIRE).fixed(expire).octets());
  BOOST_TEST(hard.hard);
  BOOST_TEST(hard.id.spi == 0x01020304U);
  BOOST_TEST(hard.id.destination.to_string() == "2001:db8::2");
  BOOST_TEST(hard.reqid == 0x53000001U);
  expire.hard = 0;
  BOOST_TEST(!event<Expire>(FromKernel(XFRM_MSG_EXPIRE).fixed(expire).octets()).hard);
  // a larval SA, and an SA of something else than ESP or AH, are nobody's
  xfrm_user_expire larval = expire;
  larval.state.id.spi = 0;
  event<std::monostate>(FromKernel(XFRM_MSG_EXPIRE).fixed(larval).octets());
  xfrm_user_expire ipcomp = expire;
  ipcomp.state.id.proto = IPPROTO_COMP;
  event<std::monostate>(FromKernel(XFRM_MSG_EXPIRE).fixed(ipcomp).octets());
}

BOOST_AUTO_TEST_CASE(a_mapping_tells_the_new_endpoint) {
  xfrm_user_mapping mapping{};
  mapping.id.daddr = xfrm("192.0.2.1");
  mapping.id.spi = htonl(0x01020304);
  mapping.id.family = AF_INET;
  mapping.id.proto = IPPROTO_ESP;
  mapping.reqid = 0x53000001;
  mapping.old_saddr = xfrm("198.51.100.1");
  mapping.new_saddr = xfrm("198.51.100.2");
  mapping.old_sport = htons(4500);
  mapping.new_sport = htons(1027);
  const auto out = event<Mapping>(FromKernel(XFRM_MSG_MAPPING).fixed(mapping).octets());
  BOOST_TEST(out.now_from.to_string() == "198.51.100.2:1027");
  BOOST_TEST(out.id.destination.to_string() == "192.0.2.1");
  BOOST_TEST(out.reqid == 0x53000001U);
}

BOOST_AUTO_TEST_CASE(every_event_cut_anywhere_is_an_error_or_says_less_but_is_never_read_past) {
  xfrm_user_expire expire{};
  expire.state.family = AF_INET;
  expire.state.id.proto = IPPROTO_ESP;
  expire.state.id.spi = 1;
  xfrm_user_mapping mapping{};
  mapping.id.family = AF_INET;
  mapping.id.proto = IPPROTO_ESP;
  const Bytes messages[] = {acquire_message(tcp_acquire()).octets(), FromKernel(XFRM_MSG_EXPIRE).fixed(expire).octets(),
                            FromKernel(XFRM_MSG_MAPPING).fixed(mapping).octets()};
  const std::size_t fixed[] = {sizeof(xfrm_user_acquire), sizeof(xfrm_user_expire), sizeof(xfrm_user_mapping)};
  for (std::size_t i = 0; i < std::size(messages); ++i) {
    const MessageView whole = view(messages[i]);
    for (std::size_t size = 0; size < fixed[i]; ++size) {
      const Bytes exact(whole.payload.begin(),
                        whole.payload.begin() + static_cast<std::ptrdiff_t>(size));  // so that sanitizers see the end
      BOOST_REQUIRE(!decode_event({whole.type, 0, 0, exact}));
    }
    for (std::size_t size = fixed[i]; size < whole.payload.size(); ++size) {
      const Bytes exact(whole.payload.begin(), whole.payload.begin() + static_cast<std::ptrdiff_t>(size));
      (void)decode_event({whole.type, 0, 0, exact});
    }
    // a datagram cut short
    for (std::size_t size = 1; size < messages[i].size(); ++size) {
      const Bytes exact(messages[i].begin(), messages[i].begin() + static_cast<std::ptrdiff_t>(size));
      BOOST_REQUIRE(!for_each_message(exact, [](const MessageView&) -> Status { return {}; }));
    }
  }
}

BOOST_AUTO_TEST_CASE(nonsense_of_the_right_size_is_an_error) {
  xfrm_user_acquire bad_family = tcp_acquire();
  bad_family.sel.family = 99;
  BOOST_TEST(!decode_event(view(acquire_message(bad_family).octets())));
  xfrm_user_acquire bad_length = tcp_acquire();
  bad_length.sel.prefixlen_d = 33;
  BOOST_TEST(!decode_event(view(acquire_message(bad_length).octets())));
  // without a template nobody knows which policy it was
  event<std::monostate>(FromKernel(XFRM_MSG_ACQUIRE).fixed(tcp_acquire()).octets());
  event<std::monostate>(FromKernel(XFRM_MSG_NEWAE).fixed(tcp_acquire()).octets());
}

BOOST_AUTO_TEST_CASE(sas_of_a_dump) {
  xfrm_usersa_info info{};
  info.id.daddr = xfrm("192.0.2.2");
  info.id.spi = htonl(0xc0ffee01);
  info.id.proto = IPPROTO_ESP;
  info.saddr = xfrm("192.0.2.1");
  info.family = AF_INET;
  info.reqid = 0x53000001;
  info.curlft.bytes = 1234;
  info.curlft.packets = 5;
  const Bytes message = FromKernel(XFRM_MSG_NEWSA).fixed(info).attribute(XFRMA_IF_ID, std::uint32_t{7}).octets();
  const auto sa = decode_sa(view(message));
  BOOST_REQUIRE(sa);
  BOOST_TEST(sa->id.spi == 0xc0ffee01U);
  BOOST_TEST(sa->source.to_string() == "192.0.2.1");
  BOOST_TEST(sa->if_id == 7U);
  BOOST_TEST(sa->bytes == 1234U);
  BOOST_TEST(sa->packets == 5U);
}

BOOST_AUTO_TEST_CASE(policies_of_a_dump_are_ours_by_reqid_or_by_index) {
  model::SetPolicy policy;
  policy.id = {model::Direction::In, prefix("10.2.0.0/16"), prefix("10.1.0.0/16"), IPPROTO_UDP, 53, 0xffff, 0, 0, 7};
  policy.reqid = 0x53000001;
  policy.priority = 9;
  policy.mode = model::Mode::Transport;
  const auto decoded = [](const model::SetPolicy& from, std::uint32_t index) {
    Bytes message = *encode(from, index);
    const std::uint16_t type = XFRM_MSG_NEWPOLICY;
    std::memcpy(message.data() + offsetof(nlmsghdr, nlmsg_type), &type, sizeof(type));
    const auto out = decode_policy(view(message));
    BOOST_REQUIRE(out);
    return *out;
  };
  const auto ours = decoded(policy, 0);
  BOOST_REQUIRE(ours);
  BOOST_TEST(ours->ours);
  BOOST_CHECK(ours->status.id == policy.id);
  BOOST_TEST(ours->status.reqid == policy.reqid);
  BOOST_TEST(ours->status.priority == 9U);

  model::SetPolicy other = policy;
  other.reqid = 1;
  BOOST_TEST(!decoded(other, 0)->ours);
  model::SetPolicy drop = policy;
  drop.action = model::PolicyAction::Drop;
  BOOST_TEST(decoded(drop, make_owner_index(3, drop.id.direction))->ours);
  BOOST_TEST(!decoded(drop, 8)->ours);
  BOOST_CHECK(!decoded(drop, 3));  // direction 3: of a socket
}

BOOST_AUTO_TEST_SUITE_END()
