// SPDX-License-Identifier: Apache-2.0
// Bodies written by hand from the pictures of RFC 7296 section 3, and what must be refused about each.
#include "wire/payload.h"

#include <boost/test/unit_test.hpp>

#include "support.h"

using namespace svti;
using namespace svti::wire;

namespace {

// the one payload of a chain that parses
template <typename T>
T only(PayloadType type, std::string_view body) {
  const auto parsed = parse_one(type, hex(body));
  BOOST_TEST_REQUIRE(parsed.has_value());
  BOOST_TEST_REQUIRE(parsed->size() == 1U);
  // what parses is written as it came
  BOOST_TEST(to_hex(ByteView(encode_payloads(*parsed)).subspan(kGenericHeaderSize)) == to_hex(hex(body)));
  return std::get<T>(parsed->front());
}

bool refuses(PayloadType type, std::string_view body) { return refused(parse_one(type, hex(body))); }

}  // namespace

// ---- the chain ----

BOOST_AUTO_TEST_CASE(empty_chain_has_no_payloads) {
  BOOST_TEST(parse_payloads(PayloadType::None, {}).value().empty());
  BOOST_TEST(encode_payloads({}).empty());
  BOOST_CHECK(first_type({}) == PayloadType::None);
  BOOST_TEST(refused(parse_payloads(PayloadType::None, hex("00"))));
  BOOST_TEST(refused(parse_payloads(PayloadType::VendorId, {})));
}

BOOST_AUTO_TEST_CASE(chain_follows_next_payload) {
  const auto parsed = parse_payloads(PayloadType::VendorId, hex("2b000005 61  30000006 6262  00000004"));
  BOOST_TEST_REQUIRE(parsed.has_value());
  const std::vector<Payload> expected = {VendorIdPayload{{'a'}}, VendorIdPayload{{'b', 'b'}}, EapPayload{}};
  BOOST_CHECK(*parsed == expected);
  BOOST_TEST(to_hex(encode_payloads(expected)) == "2b0000056130000006626200000004");
}

BOOST_AUTO_TEST_CASE(generic_header_lengths_are_checked) {
  for (const char* data : {"00000000", "00000003", "00000005", "0000ffff", "000004", "00", "0000000400", "2b000004", "2b000004000000"}) {
    BOOST_TEST(refused(parse_payloads(PayloadType::VendorId, hex(data))));
  }
}

// RFC 7296 2.5
BOOST_AUTO_TEST_CASE(unknown_payloads_keep_their_critical_bit_and_known_ones_have_none) {
  const auto parsed = parse_payloads(static_cast<PayloadType>(200), hex("c9 80 0005 aa  2b 00 0005 bb  00 80 0005 cc"));
  BOOST_TEST_REQUIRE(parsed.has_value());
  const std::vector<Payload> expected = {UnknownPayload{static_cast<PayloadType>(200), true, {0xaa}},
                                         UnknownPayload{static_cast<PayloadType>(201), false, {0xbb}}, VendorIdPayload{{0xcc}}};
  BOOST_CHECK(*parsed == expected);
  BOOST_TEST(to_hex(encode_payloads(expected)) == "c9800005aa2b000005bb00000005cc");
  // the seven reserved bits beside it say nothing
  BOOST_CHECK(*parse_payloads(static_cast<PayloadType>(200), hex("00 7f 0004")) ==
              std::vector<Payload>({UnknownPayload{static_cast<PayloadType>(200), false, {}}}));
}

// cve-lessons 5 (CVE-2015-3991): payloads of IKEv1 have no meaning here
BOOST_AUTO_TEST_CASE(payload_types_of_ikev1_are_unknown) {
  for (unsigned type = 1; type < 33; ++type) {
    const auto parsed = parse_one(static_cast<PayloadType>(type), hex("0011223344"));
    BOOST_TEST_REQUIRE(parsed.has_value());
    BOOST_TEST(std::holds_alternative<UnknownPayload>(parsed->front()));
  }
}

// RFC 7296 3.14
BOOST_AUTO_TEST_CASE(encrypted_payload_is_the_last) {
  const auto parsed = parse_payloads(PayloadType::VendorId, hex("2e000004  23 00 0008 01020304"));
  BOOST_TEST_REQUIRE(parsed.has_value());
  const std::vector<Payload> expected = {VendorIdPayload{}, EncryptedPayload{PayloadType::IdInitiator, {1, 2, 3, 4}}};
  BOOST_CHECK(*parsed == expected);
  BOOST_TEST(refused(parse_payloads(PayloadType::Encrypted, hex("23 00 0008 01020304 00000004"))));
  BOOST_TEST(refused(parse_payloads(PayloadType::Encrypted, hex("2e 00 0008 01020304 23 00 0008 01020304"))));
  BOOST_TEST(refused(parse_payloads(PayloadType::Encrypted, hex("23 00 0009 01020304"))));
  BOOST_CHECK_THROW(encode_payloads(expected), std::logic_error);
}

// RFC 7383 2.5: no chain follows behind it; RFC 7383 2.6: numbers that make no sense are refused
BOOST_AUTO_TEST_CASE(encrypted_fragment_says_which_of_how_many_it_is_and_ends_the_chain) {
  const auto parsed = parse_payloads(PayloadType::EncryptedFragment, hex("23 00 0009 0001000299"));
  BOOST_TEST_REQUIRE(parsed.has_value());
  BOOST_CHECK(*parsed == std::vector<Payload>({EncryptedFragmentPayload{PayloadType::IdInitiator, 1, 2, {0x99}}}));
  BOOST_TEST(refused(parse_payloads(PayloadType::EncryptedFragment, hex("23 00 0007 000100"))));
  for (const char* numbers : {"0000 0000", "0000 0002", "0001 0000", "0003 0002"})
    BOOST_TEST(refused(parse_payloads(PayloadType::EncryptedFragment, hex(std::string("23 00 0009") + numbers + "99"))));
  BOOST_CHECK_THROW(encode_payloads({EncryptedFragmentPayload{PayloadType::None, 1, 1, {}}}), std::logic_error);
  BOOST_TEST(refused(parse_payloads(PayloadType::EncryptedFragment, hex("23 00 0009 0001000299 00000004"))));
}

BOOST_AUTO_TEST_CASE(more_than_128_payloads_are_refused) {
  const auto chain = [](std::size_t count) {
    Writer out;
    for (std::size_t i = 0; i < count; ++i) out.bytes(hex(i + 1 < count ? "2b000004" : "00000004"));
    return std::move(out).take();
  };
  BOOST_TEST(parse_payloads(PayloadType::VendorId, chain(kMaxPayloads)).value().size() == kMaxPayloads);
  BOOST_TEST(refused(parse_payloads(PayloadType::VendorId, chain(kMaxPayloads + 1))));
  BOOST_TEST(refused(parse_payloads(PayloadType::VendorId, chain(16000))));
}

BOOST_AUTO_TEST_CASE(payload_too_large_to_encode_is_our_bug) {
  BOOST_CHECK_NO_THROW(encode_payloads({VendorIdPayload{Bytes(65531)}}));
  BOOST_CHECK_THROW(encode_payloads({VendorIdPayload{Bytes(65532)}}), std::length_error);
}

// cve-lessons 7 and 31: a body cut anywhere, or missing
BOOST_AUTO_TEST_CASE(bodies_without_their_fixed_part_are_refused) {
  const std::pair<PayloadType, std::size_t> heads[] = {{PayloadType::SecurityAssociation, 12 + 8},
                                                       {PayloadType::KeyExchange, 4},
                                                       {PayloadType::IdInitiator, 4},
                                                       {PayloadType::IdResponder, 4},
                                                       {PayloadType::Certificate, 1},
                                                       {PayloadType::CertificateRequest, 1},
                                                       {PayloadType::Authentication, 4},
                                                       {PayloadType::Nonce, 16},
                                                       {PayloadType::Notify, 4},
                                                       {PayloadType::Delete, 4},
                                                       {PayloadType::TsInitiator, 20},
                                                       {PayloadType::TsResponder, 20},
                                                       {PayloadType::Configuration, 4}};
  for (const auto& [type, size] : heads) {
    for (std::size_t have = 0; have < size; ++have) {
      BOOST_TEST_CONTEXT(to_string(type) << " of " << have) {
        BOOST_TEST(refused(parse_one(type, Bytes(have))));
        BOOST_TEST(refused(parse_one(type, Bytes(have, 0xff))));
      }
    }
  }
}

// ---- SA ----

namespace {

constexpr const char* kTwoProposals =
    "02 00 0034 01 01 00 05"                   // proposal 1 of IKE, no SPI, five transforms
    "  03 00 000c 01 00 000c 800e 0100"        //   AES-CBC with 256 bits
    "  03 00 0008 02 00 0005"                  //   PRF HMAC-SHA-256
    "  03 00 0008 03 00 000c"                  //   HMAC-SHA-256-128
    "  03 00 0008 04 00 001f"                  //   Curve25519
    "  00 00 0008 04 00 000e"                  //   2048-bit MODP
    "00 00 0024 02 01 08 02 1122334455667788"  // proposal 2 with an SPI, two transforms
    "  03 00 000c 01 00 0014 800e 0080"        //   AES-GCM-16 with 128 bits
    "  00 00 0008 02 00 0006";                 //   PRF HMAC-SHA-384

}

BOOST_AUTO_TEST_CASE(sa_payload) {
  const auto sa = only<SaPayload>(PayloadType::SecurityAssociation, kTwoProposals);
  const SaPayload expected{
      {{1,
        ProtocolId::Ike,
        {},
        {transform(TransformType::Encryption, EncryptionId::AesCbc, 256), transform(TransformType::Prf, PrfId::HmacSha256),
         transform(TransformType::Integrity, IntegrityId::HmacSha256_128), transform(TransformType::KeyExchange, KeGroup::Curve25519),
         transform(TransformType::KeyExchange, KeGroup::Modp2048)}},
       {2,
        ProtocolId::Ike,
        hex("1122334455667788"),
        {transform(TransformType::Encryption, EncryptionId::AesGcm16, 128), transform(TransformType::Prf, PrfId::HmacSha384)}}}};
  BOOST_CHECK(sa == expected);
}

BOOST_AUTO_TEST_CASE(sa_payload_cut_anywhere_is_refused) {
  const Bytes whole = hex(kTwoProposals);
  for (std::size_t size = 0; size < whole.size(); ++size)
    BOOST_TEST(refused(parse_one(PayloadType::SecurityAssociation, ByteView(whole).first(size))));
  BOOST_TEST(refused(parse_one(PayloadType::SecurityAssociation, concat({whole, Bytes{0}}))));
  BOOST_TEST(refused(parse_one(PayloadType::SecurityAssociation, concat({whole, whole}))));
}

BOOST_AUTO_TEST_CASE(proposal_substructure_is_checked) {
  const auto type = PayloadType::SecurityAssociation;
  const auto accepted = [type](const char* body) { return parse_one(type, hex(body)).has_value(); };
  BOOST_TEST(accepted("00 00 0010 01 01 00 01  00000008 02000005"));
  BOOST_TEST(accepted("00 00 0010 07 01 00 01  00000008 02000005"));  // an answer repeats the number
  BOOST_TEST(accepted("00 ff 0010 01 01 00 01  00ff0008 02ff0005"));  // reserved octets are ignored
  BOOST_TEST(accepted("00 00 0014 01 03 04 01 11223344 00000008 02000005"));
  BOOST_TEST(accepted("00 00 0014 01 02 04 01 11223344 00000008 02000005"));
  BOOST_TEST(accepted("00 00 0013 01 09 03 01 112233 00000008 02000005"));  // a protocol that is not known: passed over, not refused
  // last flag
  BOOST_TEST(refuses(type, "02 00 0010 01 01 00 01  00000008 02000005"));
  BOOST_TEST(refuses(type, "01 00 0010 01 01 00 01  00000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 0010 01 01 00 01  00000008 02000005  00 00 0010 02 01 00 01  00000008 02000005"));
  BOOST_TEST(refuses(type, "03 00 0010 01 01 00 01  00000008 02000005  00 00 0010 02 01 00 01  00000008 02000005"));
  // number
  BOOST_TEST(refuses(type, "00 00 0010 00 01 00 01  00000008 02000005"));
  BOOST_TEST(refuses(type, "02 00 0010 01 01 00 01  00000008 02000005  00 00 0010 03 01 00 01  00000008 02000005"));
  BOOST_TEST(refuses(type, "02 00 0010 01 01 00 01  00000008 02000005  00 00 0010 01 01 00 01  00000008 02000005"));
  BOOST_TEST(refuses(type, "02 00 0010 02 01 00 01  00000008 02000005  00 00 0010 03 01 00 01  00000008 02000005"));
  // SPI
  BOOST_TEST(refuses(type, "00 00 0014 01 01 04 01 11223344 00000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 0010 01 03 00 01  00000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 0018 01 03 08 01 1122334455667788 00000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 0010 01 01 08 01  00000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 0010 01 09 ff 01  00000008 02000005"));
  // number of transforms
  BOOST_TEST(refuses(type, "00 00 0008 01 01 00 00"));
  BOOST_TEST(refuses(type, "00 00 0010 01 01 00 00  00000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 0010 01 01 00 02  00000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 0010 01 01 00 ff  00000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 0018 01 01 00 01  03000008 02000005 00000008 02000005"));
  // lengths
  BOOST_TEST(refuses(type, "00 00 0000 01 01 00 01  00000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 0007 01 01 00 01  00000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 000f 01 01 00 01  00000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 0011 01 01 00 01  00000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 ffff 01 01 00 01  00000008 02000005"));
}

BOOST_AUTO_TEST_CASE(transform_substructure_is_checked) {
  const auto type = PayloadType::SecurityAssociation;
  // last flag
  BOOST_TEST(refuses(type, "00 00 0010 01 01 00 01  03000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 0010 01 01 00 01  02000008 02000005"));
  BOOST_TEST(refuses(type, "00 00 0018 01 01 00 02  00000008 02000005 00000008 02000006"));
  BOOST_TEST(refuses(type, "00 00 0018 01 01 00 02  02000008 02000005 00000008 02000006"));
  // lengths
  for (const char* length : {"0000", "0004", "0007", "0009", "000a", "000b", "000c", "ffff"}) {
    BOOST_TEST(refuses(type, std::string("00 00 0010 01 01 00 01  0000") + length + " 02000005"));
  }
}

BOOST_AUTO_TEST_CASE(too_many_proposals_are_refused) {
  const auto sa = [](std::size_t count) {
    Writer out;
    for (std::size_t i = 1; i <= count; ++i) {
      out.u8(i < count ? 2 : 0);
      out.bytes(hex("00 0010"));
      out.u8(static_cast<std::uint8_t>(i));
      out.bytes(hex("01 00 01 00000008 02000005"));
    }
    return std::move(out).take();
  };
  BOOST_TEST(parse_one(PayloadType::SecurityAssociation, sa(kMaxProposals)).has_value());
  BOOST_TEST(refused(parse_one(PayloadType::SecurityAssociation, sa(kMaxProposals + 1))));
}

// RFC 7296 3.3.5 and 3.3.6: an attribute not understood spoils the transform, not the message
BOOST_AUTO_TEST_CASE(transform_attributes) {
  const auto with = [](std::string_view attributes) {
    const Bytes octets = hex(attributes);
    Writer out;
    out.bytes(hex("00 00"));
    out.u16(static_cast<std::uint16_t>(16 + octets.size()));
    out.bytes(hex("01 01 00 01 00 00"));
    out.u16(static_cast<std::uint16_t>(8 + octets.size()));
    out.bytes(hex("01 00 000c"));
    out.bytes(octets);
    return parse_one(PayloadType::SecurityAssociation, out.view());
  };
  const auto one = [&with](std::string_view attributes) {
    const auto parsed = with(attributes);
    BOOST_TEST_REQUIRE(parsed.has_value());
    return std::get<SaPayload>(parsed->front()).proposals.at(0).transforms.at(0);
  };
  BOOST_CHECK(one("") == transform(TransformType::Encryption, EncryptionId::AesCbc));
  BOOST_CHECK(one("800e 0080") == transform(TransformType::Encryption, EncryptionId::AesCbc, 128));
  BOOST_CHECK(one("800e ffff") == transform(TransformType::Encryption, EncryptionId::AesCbc, 65535));
  for (const char* attributes : {
           "800f 0001",            // another attribute
           "800e 0080 800f 0001",  // beside Key Length
           "0011 0002 aabb",       // in the long form
           "0011 0000",            // long form, empty
           "000e 0002 0080",       // Key Length in the long form, which it never has
           "800e 0080 800e 0100",  // twice
           "800e 0000",            // of no bits
       }) {
    BOOST_TEST(one(attributes).unknown_attribute);
  }
  for (const char* attributes : {"80", "800e", "800e 00", "0011 0003 aabb", "0011 ffff", "800e 0080 00"})
    BOOST_TEST(refused(with(attributes)));
}

// ---- KE, ID, CERT, CERTREQ, AUTH, Nonce ----

// cve-lessons 6: a group number is only a number here
BOOST_AUTO_TEST_CASE(ke_payload) {
  BOOST_CHECK(only<KePayload>(PayloadType::KeyExchange, "001f 0000 aabbcc") == (KePayload{KeGroup::Curve25519, {0xaa, 0xbb, 0xcc}}));
  BOOST_CHECK(only<KePayload>(PayloadType::KeyExchange, "0401 0000 aa") == (KePayload{static_cast<KeGroup>(1025), {0xaa}}));
  BOOST_CHECK(only<KePayload>(PayloadType::KeyExchange, "0000 0000") == KePayload{});
  BOOST_TEST(parse_one(PayloadType::KeyExchange, hex("001f ffff aa")).has_value());
}

BOOST_AUTO_TEST_CASE(id_payload) {
  const auto type = PayloadType::IdInitiator;
  BOOST_CHECK(only<IdPayload>(type, "02 000000 6777") == (IdPayload{type, IdType::Fqdn, {'g', 'w'}}));
  BOOST_CHECK(only<IdPayload>(PayloadType::IdResponder, "01 000000 c0000201") ==
              (IdPayload{PayloadType::IdResponder, IdType::Ipv4Addr, {192, 0, 2, 1}}));
  BOOST_TEST(parse_one(type, hex("05 000000 20010db8000000000000000000000001")).has_value());
  BOOST_TEST(parse_one(type, hex("02 ffffff 6777")).has_value());  // reserved
  BOOST_TEST(refuses(type, "01 000000 c00002"));
  BOOST_TEST(refuses(type, "01 000000 c000020101"));
  BOOST_TEST(refuses(type, "01 000000"));
  BOOST_TEST(refuses(type, "05 000000 c0000201"));
  BOOST_TEST(to_hex(encode_id_body({type, IdType::Fqdn, {'g', 'w'}})) == "020000006777");
}

BOOST_AUTO_TEST_CASE(cert_auth_eap_and_vendor_id_payloads) {
  BOOST_CHECK(only<CertPayload>(PayloadType::Certificate, "04 3082") == (CertPayload{4, {0x30, 0x82}}));
  BOOST_CHECK(only<CertReqPayload>(PayloadType::CertificateRequest, "04") == (CertReqPayload{4, {}}));
  BOOST_CHECK(only<AuthPayload>(PayloadType::Authentication, "02 000000 aabb") == (AuthPayload{AuthMethod::SharedKeyMic, {0xaa, 0xbb}}));
  BOOST_CHECK(only<EapPayload>(PayloadType::Eap, "01020304") == (EapPayload{{1, 2, 3, 4}}));
  BOOST_CHECK(only<VendorIdPayload>(PayloadType::VendorId, "61") == (VendorIdPayload{{'a'}}));
}

BOOST_AUTO_TEST_CASE(nonce_has_16_to_256_octets) {
  for (std::size_t size = 0; size < 300; ++size) {
    const auto parsed = parse_one(PayloadType::Nonce, Bytes(size, 0x5a));
    BOOST_TEST(parsed.has_value() == (size >= 16 && size <= 256));
  }
}

// ---- Notify and Delete ----

BOOST_AUTO_TEST_CASE(notify_payload) {
  const auto type = PayloadType::Notify;
  BOOST_CHECK(only<NotifyPayload>(type, "00 00 4006 aabb") == (NotifyPayload{NotifyType::Cookie, ProtocolId::None, {}, {0xaa, 0xbb}}));
  BOOST_CHECK(only<NotifyPayload>(type, "03 04 4009 01020304") == (NotifyPayload{NotifyType::RekeySa, ProtocolId::Esp, {1, 2, 3, 4}, {}}));
  BOOST_CHECK(only<NotifyPayload>(type, "02 04 000b 01020304 ff") ==
              (NotifyPayload{NotifyType::InvalidSpi, ProtocolId::Ah, {1, 2, 3, 4}, {0xff}}));
  // RFC 7296 3.10: without SPI the protocol is ignored
  BOOST_CHECK(parse_one(type, hex("01 00 4004 aa")).value().front() ==
              Payload(NotifyPayload{NotifyType::NatDetectionSourceIp, ProtocolId::None, {}, {0xaa}}));
  BOOST_TEST(refuses(type, "01 08 0004 0102030405060708"));  // the IKE SA's SPIs stand in the header
  BOOST_TEST(refuses(type, "03 08 4009 0102030405060708"));
  BOOST_TEST(refuses(type, "03 04 4009 010203"));
  BOOST_TEST(refuses(type, "03 04 4009"));
  BOOST_TEST(refuses(type, "07 ff 4009 00"));
  BOOST_TEST(refuses(type, "00 00 40"));
}

BOOST_AUTO_TEST_CASE(delete_payload) {
  const auto type = PayloadType::Delete;
  BOOST_CHECK(only<DeletePayload>(type, "01 00 0000") == (DeletePayload{ProtocolId::Ike, {}}));
  BOOST_CHECK(only<DeletePayload>(type, "03 04 0002 00000001 fffffffe") == (DeletePayload{ProtocolId::Esp, {1, 0xfffffffe}}));
  BOOST_CHECK(only<DeletePayload>(type, "02 04 0001 00000001") == (DeletePayload{ProtocolId::Ah, {1}}));
  BOOST_TEST(refuses(type, "01 08 0001 0102030405060708"));
  BOOST_TEST(refuses(type, "01 00 0001"));
  BOOST_TEST(refuses(type, "01 04 0001 01020304"));
  BOOST_TEST(refuses(type, "03 00 0000"));
  BOOST_TEST(refuses(type, "03 08 0001 0102030405060708"));
  BOOST_TEST(refuses(type, "03 04 0002 01020304"));
  BOOST_TEST(refuses(type, "03 04 0001 0102030405"));
  BOOST_TEST(refuses(type, "03 04 0001 0102030405060708"));
  BOOST_TEST(refuses(type, "03 04 ffff 01020304"));
  BOOST_TEST(refuses(type, "00 00 0000"));
  BOOST_TEST(refuses(type, "04 04 0001 01020304"));
}

// cve-lessons 31 (CVE-2023-38711, CVE-2023-38712): the parser keeps them all and in order, `sa` decides
BOOST_AUTO_TEST_CASE(repeated_deletes_are_kept_apart) {
  const auto parsed = parse_payloads(PayloadType::Delete, hex("2a00000c 03040001 00000001  2a00000c 03040001 00000001  00000008 01000000"));
  BOOST_TEST_REQUIRE(parsed.has_value());
  const DeletePayload esp{ProtocolId::Esp, {1}};
  BOOST_CHECK(*parsed == std::vector<Payload>({esp, esp, DeletePayload{ProtocolId::Ike, {}}}));
}

BOOST_AUTO_TEST_CASE(delete_may_fill_a_payload) {
  DeletePayload many{ProtocolId::Esp, {}};
  for (std::uint32_t i = 0; i < 16381; ++i) many.spis.push_back(i);
  const Bytes encoded = encode_payloads({many});
  BOOST_TEST(encoded.size() == 65532U);
  BOOST_CHECK(parse_payloads(PayloadType::Delete, encoded).value().front() == Payload(many));
}

// ---- TS ----

BOOST_AUTO_TEST_CASE(ts_payload) {
  const auto ts = only<TsPayload>(PayloadType::TsResponder,
                                  "03 000000"
                                  "07 06 0010 0050 005a 0a010000 0a01ffff"
                                  "08 00 0028 0000 ffff 20010db8000100000000000000000000 20010db80001ffffffffffffffffffff"
                                  "07 01 0010 ffff 0000 0a020001 0a020001");
  const TsPayload expected{PayloadType::TsResponder,
                           {TrafficSelector::of(prefix("10.1.0.0/16"), 6, 80, 90), TrafficSelector::of(prefix("2001:db8:1::/48")),
                            TrafficSelector::of(prefix("10.2.0.1"), 1, 65535, 0)}};
  BOOST_CHECK(ts == expected);
}

// cve-lessons 31 (CVE-2023-23009)
BOOST_AUTO_TEST_CASE(ts_payload_is_checked) {
  const auto type = PayloadType::TsInitiator;
  const std::string one = "07 00 0010 0000 ffff 0a010000 0a01ffff";
  BOOST_TEST(parse_one(type, hex("01 000000" + one)).has_value());
  BOOST_TEST(parse_one(type, hex("01 ffffff" + one)).has_value());  // reserved
  // number of selectors
  BOOST_TEST(refuses(type, "00 000000"));
  BOOST_TEST(refuses(type, "00 000000" + one));
  BOOST_TEST(refuses(type, "01 000000" + one + one));
  BOOST_TEST(refuses(type, "02 000000" + one));
  BOOST_TEST(refuses(type, "ff 000000" + one));
  BOOST_TEST(refuses(type, "01 000000" + one + "00"));
  // length of a selector
  for (const char* length : {"0000", "0003", "0004", "0008", "000f", "0011", "0028", "ffff"}) {
    BOOST_TEST(refuses(type, std::string("01 000000 07 00 ") + length + " 0000 ffff 0a010000 0a01ffff"));
  }
  BOOST_TEST(refuses(type, "01 000000 08 00 0010 0000 ffff 0a010000 0a01ffff"));
  BOOST_TEST(refuses(type, "01 000000 07 00 0028 0000 ffff 20010db8000100000000000000000000 20010db80001ffffffffffffffffffff"));
  // order
  BOOST_TEST(refuses(type, "01 000000 07 00 0010 0000 ffff 0a010001 0a010000"));
  BOOST_TEST(refuses(type, "01 000000 07 06 0010 0051 0050 0a010000 0a01ffff"));
  BOOST_TEST(refuses(type, "01 000000 07 06 0010 ffff 0001 0a010000 0a01ffff"));
  BOOST_TEST(refuses(type, "01 000000 07 06 0010 fffe 0000 0a010000 0a01ffff"));
  BOOST_TEST(parse_one(type, hex("01 000000 07 06 0010 ffff 0000 0a010000 0a01ffff")).has_value());  // OPAQUE
}

BOOST_AUTO_TEST_CASE(ts_of_another_type_is_left_out) {
  // RFC 9478's label between two ranges
  const auto parsed = parse_one(PayloadType::TsInitiator, hex("03 000000"
                                                              "07 00 0010 0000 ffff 0a010000 0a01ffff"
                                                              "0a 00 0008 6c61626c"
                                                              "07 00 0010 0000 ffff 0a020000 0a02ffff"));
  BOOST_TEST_REQUIRE(parsed.has_value());
  BOOST_CHECK(parsed->front() ==
              Payload(TsPayload{PayloadType::TsInitiator,
                                {TrafficSelector::of(prefix("10.1.0.0/16")), TrafficSelector::of(prefix("10.2.0.0/16"))}}));
  const auto none = parse_one(PayloadType::TsInitiator, hex("01 000000 0a 00 0004"));
  BOOST_TEST_REQUIRE(none.has_value());
  BOOST_TEST(std::get<TsPayload>(none->front()).selectors.empty());
  BOOST_TEST(refuses(PayloadType::TsInitiator, "01 000000 0a 00 0003"));
  BOOST_TEST(refuses(PayloadType::TsInitiator, "01 000000 0a 00 0005"));
}

// ---- CP ----

BOOST_AUTO_TEST_CASE(configuration_payload) {
  const auto configuration = only<ConfigPayload>(PayloadType::Configuration, "01 000000 0001 0000 0003 0004 01020304");
  BOOST_CHECK(configuration == (ConfigPayload{1, {{1, {}}, {3, {1, 2, 3, 4}}}}));
  BOOST_CHECK(parse_one(PayloadType::Configuration, hex("01 000000 8001 0000")).value().front() == Payload(ConfigPayload{1, {{1, {}}}}));
  BOOST_TEST(refuses(PayloadType::Configuration, "01 000000 00"));
  BOOST_TEST(refuses(PayloadType::Configuration, "01 000000 0001"));
  BOOST_TEST(refuses(PayloadType::Configuration, "01 000000 0001 0001"));
  BOOST_TEST(refuses(PayloadType::Configuration, "01 000000 0001 ffff 00"));
}

// ---- names ----

BOOST_AUTO_TEST_CASE(numbers_have_the_names_of_the_rfc) {
  BOOST_TEST(to_string(ExchangeType::IkeSaInit) == "IKE_SA_INIT");
  BOOST_TEST(to_string(ExchangeType::CreateChildSa) == "CREATE_CHILD_SA");
  BOOST_TEST(to_string(static_cast<ExchangeType>(99)) == "EXCHANGE_99");
  BOOST_TEST(to_string(PayloadType::TsInitiator) == "TSi");
  BOOST_TEST(to_string(static_cast<PayloadType>(200)) == "PAYLOAD_200");
  BOOST_TEST(to_string(NotifyType::NoProposalChosen) == "NO_PROPOSAL_CHOSEN");
  BOOST_TEST(to_string(NotifyType::NatDetectionSourceIp) == "NAT_DETECTION_SOURCE_IP");
  BOOST_TEST(to_string(static_cast<NotifyType>(12345)) == "NOTIFY_12345");
  BOOST_TEST(to_string(ProtocolId::Esp) == "ESP");
  BOOST_TEST(to_string(static_cast<ProtocolId>(9)) == "PROTOCOL_9");
}
