// SPDX-License-Identifier: Apache-2.0
#include "model/identity.h"

#include <boost/test/unit_test.hpp>

using svti::as_bytes;
using svti::Bytes;
using svti::IpAddress;
using svti::model::Identity;
using svti::wire::IdType;

namespace {

Identity id(std::string_view text) {
  auto parsed = Identity::parse(text);
  BOOST_TEST_REQUIRE(parsed.has_value(), text);
  return *parsed;
}

std::string refusal(std::string_view text) {
  const auto parsed = Identity::parse(text);
  BOOST_TEST_REQUIRE(!parsed.has_value(), "accepted: " << text);
  BOOST_TEST((parsed.error().fault == svti::Fault::Configuration));
  return parsed.error().message;
}

// what a peer sends, unchecked
Identity presented(IdType type, std::string_view octets) { return {type, svti::to_bytes(as_bytes(octets))}; }

}  // namespace

BOOST_AUTO_TEST_SUITE(identity)

BOOST_AUTO_TEST_CASE(the_form_of_the_text_decides_the_type) {
  BOOST_TEST((id("192.0.2.1").type == IdType::Ipv4Addr));
  BOOST_TEST((id("192.0.2.1").data == Bytes{192, 0, 2, 1}));
  BOOST_TEST((id("2001:db8::1").type == IdType::Ipv6Addr));
  BOOST_TEST(id("2001:db8::1").data.size() == 16U);
  BOOST_TEST((id("secgwb.6wind.net").type == IdType::Fqdn));
  BOOST_TEST((id("siteA").type == IdType::Fqdn));
  BOOST_TEST((id("user1@6wind.net").type == IdType::Rfc822Addr));
  BOOST_TEST((id("@#0a0B").type == IdType::KeyId));
  BOOST_TEST((id("@#0a0B").data == Bytes{0x0a, 0x0b}));
  BOOST_TEST(id("%any").is_any());
}

BOOST_AUTO_TEST_CASE(what_is_parsed_prints_as_written) {
  for (const char* text : {"192.0.2.1", "2001:db8::1", "secgwb.6wind.net", "*.6wind.net", "user1@6wind.net", "*@6wind.net", "@#0a0b",
                           "%any", "C=FR, O=6WIND S.A., L=Paris, CN=SecGW-A", "CN=a\\, b\\+c, O=x\\\\y", "O=M\\c3\\bcller, CN=*",
                           "1.2.3.4=x, CN=gw", "DC=net, DC=6wind, UID=17", "CN=gw+OU=vpn", "emailAddress=a@b.c, CN=gw"}) {
    BOOST_TEST(id(text).to_string() == text);
    BOOST_TEST((id(id(text).to_string()) == id(text)));
  }
}

BOOST_AUTO_TEST_CASE(slips_are_refused_rather_than_taken_for_names) {
  BOOST_TEST(refusal("192.0.2.300").find("no IPv4 address") != std::string::npos);
  BOOST_TEST(refusal("2001:db8::g").find("no IPv6 address") != std::string::npos);
  BOOST_TEST(refusal("KN=gw, O=example").find("'KN' is no attribute type") != std::string::npos);
  BOOST_TEST(refusal("CN=gw, O=").find("O has no value") != std::string::npos);
  BOOST_TEST(refusal("CN=gw, example").find("expected TYPE=VALUE") != std::string::npos);
  BOOST_TEST(refusal("*").find("%any") != std::string::npos);
  BOOST_TEST(refusal("gw.*.net").find("'*'") != std::string::npos);
  BOOST_TEST(refusal("us*@example.com").find("'*'") != std::string::npos);
  BOOST_TEST(refusal("us\\er@example.com").find("backslashes") != std::string::npos);
  BOOST_TEST(refusal("user@*.example.com").find("'*'") != std::string::npos);
  for (const char* text : {"", "@example.com", "user@", "@#", "@#abc", "@#zz", "a..b", "gw example", "%any6", ".example.com", "*.", "gw/1"})
    refusal(text);
  refusal(std::string(256, 'a'));
  refusal(std::string_view("192.0.2.1\0x", 11));
}

BOOST_AUTO_TEST_CASE(exact_beats_pattern_beats_wildcard) {
  const Identity peer = id("gw1.example.com");
  BOOST_TEST(id("gw1.example.com").match_rank(peer) == 3);
  BOOST_TEST(id("*.example.com").match_rank(peer) == 2);
  BOOST_TEST(Identity::any().match_rank(peer) == 1);
  BOOST_TEST(id("gw2.example.com").match_rank(peer) == 0);
  BOOST_TEST(id("192.0.2.1").match_rank(id("192.0.2.1")) == 3);
  BOOST_TEST(id("192.0.2.1").match_rank(id("192.0.2.2")) == 0);
}

BOOST_AUTO_TEST_CASE(domains_have_no_case_and_mail_users_have) {
  BOOST_TEST(id("GW1.Example.com").matches(id("gw1.eXample.COM")));
  BOOST_TEST(id("*.EXAMPLE.com").matches(id("gw1.example.COM")));
  BOOST_TEST(id("Alice@EXAMPLE.com").matches(id("Alice@example.com")));
  BOOST_TEST(!id("alice@example.com").matches(id("Alice@example.com")));
  BOOST_TEST(!id("@#61").matches(id("@#41")));
}

BOOST_AUTO_TEST_CASE(a_pattern_ends_at_a_label_and_stays_in_its_type) {
  BOOST_TEST(!id("*.example.com").matches(id("example.com")));
  BOOST_TEST(!id("*.example.com").matches(id("badexample.com")));
  BOOST_TEST(!id("*.example.com").matches(id("a@b.example.com")));
  BOOST_TEST(id("*@example.com").matches(id("bob@example.com")));
  BOOST_TEST(!id("*@example.com").matches(id("bob@sub.example.com")));
  BOOST_TEST(!id("*@example.com").matches(presented(IdType::Rfc822Addr, "@example.com")));
}

BOOST_AUTO_TEST_CASE(a_peer_cannot_be_the_wildcard_or_hide_octets_in_a_pattern) {
  BOOST_TEST(!id("gw.example.com").matches(presented(IdType::Fqdn, "%any")));
  BOOST_TEST(!presented(IdType::Fqdn, "%any").is_any());
  BOOST_TEST(!id("*.example.com").matches(presented(IdType::Fqdn, std::string("evil.org\0.example.com", 21))));
  BOOST_TEST(!id("*.example.com").matches(presented(IdType::Fqdn, "a b.example.com")));
}

BOOST_AUTO_TEST_CASE(distinguished_names_are_compared_by_attribute) {
  const Identity gw = id("C=FR, O=6WIND S.A., CN=gw");
  BOOST_TEST((gw.type == IdType::DerAsn1Dn));
  BOOST_TEST(gw.match_rank(id("c=fr,o=\"6wind  s.a.\",cn=GW ")) == 3);
  BOOST_TEST((gw.folded() == id("/C=FR/O=6wind S.A./CN=Gw").folded()));
  BOOST_TEST(gw.match_rank(id("C=FR, CN=gw, O=6WIND S.A.")) == 0);
  BOOST_TEST(gw.match_rank(id("C=FR, O=6WIND S.A.")) == 0);
  BOOST_TEST(gw.match_rank(id("C=FR, O=6WIND S.A., OU=gw")) == 0);
  BOOST_TEST(gw.match_rank(id("gw")) == 0);
  const Identity any = id("C=FR, O=*, CN=*");
  BOOST_TEST(any.is_pattern());
  BOOST_TEST(any.match_rank(gw) == 2);
  BOOST_TEST(any.match_rank(id("C=FR, O=x, OU=y, CN=gw")) == 0);
  BOOST_TEST(any.match_rank(id("C=DE, O=x, CN=gw")) == 0);
  // the peer's asterisk is a letter like others
  BOOST_TEST(gw.match_rank(any) == 0);
  // UTF8String and PrintableString say the same
  const Identity utf8 = presented(IdType::DerAsn1Dn, std::string("\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02GW", 15));
  BOOST_TEST(id("CN=gw").match_rank(utf8) == 3);
  BOOST_TEST((id("CN=gw").folded() == utf8.folded()));
}

BOOST_AUTO_TEST_CASE(names_that_a_peer_damaged_match_nothing) {
  // CVE-2013-6075: lengths that do not fit, in whatever place
  const Bytes name = id("C=FR, O=*, CN=gw").data;
  const Identity selector = id("C=FR, O=*, CN=gw");
  for (std::size_t cut = 0; cut < name.size(); ++cut) {
    Identity damaged{IdType::DerAsn1Dn, Bytes(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(cut))};
    BOOST_TEST(selector.match_rank(damaged) == 0);
    BOOST_TEST(!damaged.to_string().empty());
    (void)damaged.folded();
  }
  for (std::size_t at = 0; at < name.size(); ++at) {
    for (const std::uint8_t value : Bytes{0x00, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff}) {
      Identity damaged{IdType::DerAsn1Dn, name};
      damaged.data[at] = value;
      (void)selector.match_rank(damaged);
      (void)damaged.match_rank(selector);
      BOOST_TEST(damaged.to_string().size() < 2000U);
    }
  }
}

BOOST_AUTO_TEST_CASE(octets_of_a_peer_print_harmlessly) {
  BOOST_TEST(presented(IdType::Fqdn, "a\x1b[2J\n").to_string() == "a\\x1b[2J\\x0a");
  BOOST_TEST(presented(IdType::Ipv4Addr, "abc").to_string() == "id-type-1 0x616263");
  BOOST_TEST(presented(IdType::DerAsn1Dn, std::string(1000, '\0')).to_string().size() < 200U);
}

BOOST_AUTO_TEST_CASE(a_mail_address_with_an_equals_sign_is_no_longer_than_another) {
  const auto mailbox = [](std::size_t size) { return Identity::parse("a=" + std::string(size - 4, 'i') + "@e"); };
  BOOST_TEST(mailbox(255).has_value());
  BOOST_TEST(!mailbox(256).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
