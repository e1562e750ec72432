// SPDX-License-Identifier: Apache-2.0
#include "control/render_vici.h"

#include <boost/test/unit_test.hpp>

#include "support/fake_service.h"
#include "vici/packet.h"

using namespace svti;

namespace {

const control::ChildFilter kAll = [](const model::ChildSaState&) { return true; };

std::string flatten(const vici::Section& section, const std::string& indent = {}) {
  std::string out;
  for (const vici::Entry& entry : section.entries()) {
    if (const auto* value = std::get_if<std::string>(&entry.content)) out += indent + entry.name + "=" + *value + "\n";
    if (const auto* inner = std::get_if<vici::Section>(&entry.content))
      out += indent + entry.name + "{\n" + flatten(*inner, indent + " ") + indent + "}\n";
    if (const auto* list = std::get_if<vici::List>(&entry.content)) {
      out += indent + entry.name + "[";
      for (const std::string& item : *list) out += item + ",";
      out += "]\n";
    }
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(render_vici)

BOOST_AUTO_TEST_CASE(an_ike_sa_is_listed_in_the_protocols_spelling) {
  model::IkeSaState sa = test::guide_ike_sa();
  sa.children[0].svti_id_in = 100;
  sa.children[0].udp_encap = true;
  const auto events = control::list_sa_events(sa, kAll);
  BOOST_REQUIRE(events.size() == 1U);
  BOOST_TEST(flatten(events[0]) == R"(vpn-hq{
 uniqueid=1
 version=2
 state=ESTABLISHED
 local-host=10.125.0.1
 local-port=500
 local-id=10.125.0.1
 remote-host=10.125.0.2
 remote-port=500
 remote-id=10.125.0.2
 initiator=yes
 initiator-spi=6e6228d1c13daaf1
 responder-spi=b2f0a5217f09662a
 encr-alg=AES_CBC
 encr-keysize=128
 integ-alg=HMAC_SHA1_96
 prf-alg=PRF_HMAC_SHA1
 dh-group=MODP_2048
 established=24
 rekey-time=14170
 reauth-time=45567
 child-sas{
  site2site-2{
   name=site2site
   uniqueid=2
   reqid=1
   state=INSTALLED
   mode=TUNNEL
   protocol=ESP
   encap=yes
   spi-in=c704d981
   spi-out=c3dd14b9
   if-id-in=00000064
   encr-alg=AES_CBC
   encr-keysize=128
   integ-alg=HMAC_SHA1_96
   bytes-in=304
   packets-in=2
   bytes-out=168
   packets-out=2
   rekey-time=3425
   life-time=3936
   install-time=24
   local-ts[10.100.0.0/24,]
   remote-ts[10.200.0.0/24,]
  }
 }
}
)");
}

BOOST_AUTO_TEST_CASE(an_unauthenticated_responder_has_a_name_and_lacks_what_is_not_known) {
  model::IkeSaState sa;
  sa.phase = model::IkeSaPhase::Connecting;
  const auto events = control::list_sa_events(sa, kAll);
  const vici::Section* section = events.at(0).section("(unnamed)");
  BOOST_REQUIRE(section != nullptr);
  BOOST_TEST(section->text("state") == "CONNECTING");
  for (const char* absent : {"established", "initiator", "rekey-time", "encr-alg"}) BOOST_TEST(section->find(absent) == nullptr, absent);
}

BOOST_AUTO_TEST_CASE(what_only_some_sas_have_is_there_when_they_have_it) {
  model::IkeSaState sa = test::guide_ike_sa();
  sa.remote_eap_id = "carol";
  sa.remote_certificate = from_hex("3000ff").value();
  sa.remote_vips = {IpAddress::parse("10.9.0.2").value(), IpAddress::parse("2001:db8::2").value()};
  sa.children[0].used_in = seconds(3);
  const auto events = control::list_sa_events(sa, kAll);
  const vici::Section* section = events.at(0).section("vpn-hq");
  BOOST_TEST(section->text("remote-eap-id") == "carol");
  BOOST_TEST(section->list("local-vips") == nullptr);
  BOOST_TEST(section->text("remote-cert-data") == std::string_view("0\0\xff", 3));
  BOOST_TEST(section->find("local-cert-data") == nullptr);
  BOOST_TEST(*section->list("remote-vips") == (vici::List{"10.9.0.2", "2001:db8::2"}), boost::test_tools::per_element());
  const vici::Section* child = section->section("child-sas")->section("site2site-2");
  BOOST_TEST(child->text("use-in") == "3");
  BOOST_TEST(child->find("use-out") == nullptr);
}

BOOST_AUTO_TEST_CASE(thousands_of_children_go_in_several_events_that_each_fit) {
  model::IkeSaState sa = test::guide_ike_sa();
  sa.children.resize(1000, sa.children[0]);
  for (std::uint32_t i = 0; i < 1000; ++i) sa.children[i].unique_id = i;
  const auto events = control::list_sa_events(sa, kAll);
  BOOST_TEST(events.size() == 4U);
  std::size_t listed = 0;
  for (const auto& event : events) {
    BOOST_TEST(vici::encode_packet(vici::PacketType::Event, "list-sa", event).has_value());
    listed += event.section("vpn-hq")->section("child-sas")->entries().size();
  }
  BOOST_TEST(listed == 1000U);
}

BOOST_AUTO_TEST_CASE(names_of_algorithms_and_selectors) {
  using wire::TransformType;
  const auto name = [](auto id, TransformType type) { return control::vici_name(wire::transform(type, id)); };
  BOOST_TEST(name(wire::EncryptionId::AesGcm16, TransformType::Encryption) == "AES_GCM_16");
  BOOST_TEST(name(wire::IntegrityId::HmacSha256_128, TransformType::Integrity) == "HMAC_SHA2_256_128");
  BOOST_TEST(name(wire::PrfId::HmacSha512, TransformType::Prf) == "PRF_HMAC_SHA2_512");
  BOOST_TEST(name(wire::KeGroup::Curve25519, TransformType::KeyExchange) == "CURVE_25519");
  BOOST_TEST(name(std::uint16_t{1234}, TransformType::KeyExchange) == "(1234)");

  const Prefix prefix = Prefix::parse("10.1.0.0/16").value();
  BOOST_TEST(control::vici_name(wire::TrafficSelector::of(prefix)) == "10.1.0.0/16");
  BOOST_TEST(control::vici_name(wire::TrafficSelector::of(prefix, 6, 80, 80)) == "10.1.0.0/16[tcp/80]");
  BOOST_TEST(control::vici_name(wire::TrafficSelector::of(prefix, 99)) == "10.1.0.0/16[99]");
  BOOST_TEST(control::vici_name(wire::TrafficSelector::of(prefix, 17, 1, 9)) == "10.1.0.0/16[udp/1-9]");
  wire::TrafficSelector range = wire::TrafficSelector::of(Prefix::parse("10.1.0.1").value());
  range.end = IpAddress::parse("10.1.0.9").value();
  BOOST_TEST(control::vici_name(range) == "10.1.0.1..10.1.0.9");
}

BOOST_AUTO_TEST_CASE(log_lines_have_the_protocols_group) {
  BOOST_TEST(flatten(control::log_event({Subsystem::Network, 1, "hq", "sent"})) == "group=NET\nlevel=1\nikesa-name=hq\nmsg=sent\n");
  BOOST_TEST(flatten(control::log_event({Subsystem::Child, 0, "", "x"})) == "group=CHD\nlevel=0\nmsg=x\n");
}

BOOST_AUTO_TEST_SUITE_END()
