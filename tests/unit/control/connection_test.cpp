// SPDX-License-Identifier: Apache-2.0
// load-conn: what each option becomes, and how what cannot be is refused.
#include "control/connection.h"

#include <boost/test/unit_test.hpp>

#include "control/option_values.h"
#include "control/proposal_keywords.h"
#include "control/render_connection.h"
#include "model/algorithm.h"

using namespace svti;
using control::Connection;
using wire::ProtocolId;

namespace {

std::string names_of(const wire::Proposal& proposal) {
  std::string out;
  for (const wire::Transform& one : proposal.transforms) out += (out.empty() ? "" : " ") + model::name_of(one);
  return out;
}

std::string proposal(const std::string& text, ProtocolId protocol = ProtocolId::Ike) {
  const auto parsed = control::parse_proposals({text}, protocol);
  if (!parsed) return parsed.error().message;
  return parsed->size() == 1 ? names_of(parsed->front()) : std::to_string(parsed->size()) + " proposals";
}

// a connection as swanctl sends it: pre-shared keys, one child
vici::Section site() {
  vici::Section section;
  section.add("version", "2").add_list("local_addrs", {"192.0.2.1"}).add_list("remote_addrs", {"198.51.100.1"});
  section.add_list("proposals", {"aes128-sha256-modp2048", "aes128gcm16-prfsha256-x25519"});
  section.add_section("local").add("auth", "psk").add("id", "gwa.example");
  section.add_section("remote").add("auth", "psk").add("id", "gwb.example");
  section.add_section("children")
      .add_section("net")
      .add_list("local_ts", {"10.1.0.0/16"})
      .add_list("remote_ts", {"10.2.0.0/16", "10.3.0.0/16[tcp/80]"})
      .add_list("esp_proposals", {"aes256gcm16-esn"})
      .add("start_action", "trap")
      .add("if_id_in", "100")
      .add("if_id_out", "0x64");
  return section;
}

std::string refusal(const vici::Section& section) {
  const auto connection = control::parse_connection("site", section);
  return connection ? "" : connection.error().message;
}

std::string refused_option(std::string_view name, std::string_view value) {
  vici::Section section = site();
  section.add(name, value);
  return refusal(section);
}

std::string refused_child_option(std::string_view name, std::string_view value) {
  vici::Section section;
  section.add_section("children").add_section("net").add(name, value);
  return refusal(section);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(connection)

BOOST_AUTO_TEST_CASE(proposal_keywords_become_our_transforms) {
  BOOST_TEST(proposal("aes256-sha256-modp2048") == "aes256-cbc hmac-sha256 hmac-sha256 modp2048");
  BOOST_TEST(proposal("aes128gcm16-prfsha256-x25519") == "aes128-gcm-128 hmac-sha256 curve25519");
  BOOST_TEST(proposal("aes128gcm16-prfsha256-curve25519") == "aes128-gcm-128 hmac-sha256 curve25519");
  BOOST_TEST(proposal("aes192gcm96-sha384-ecp384") == "aes192-gcm-96 hmac-sha384 ecp384");  // the AEAD borrows the PRF alone
  BOOST_TEST(proposal("aes-sha1-prfsha512-ecp256-modp3072") == "aes128-cbc hmac-sha512 hmac-sha1 ecp256 modp3072");
  BOOST_TEST(proposal("aes128-sha256", ProtocolId::Esp) == "aes128-cbc hmac-sha256 no-esn");
  BOOST_TEST(proposal("aes128gcm16-ecp256-esn-noesn", ProtocolId::Esp) == "aes128-gcm-128 ecp256 esn no-esn");
  BOOST_TEST(proposal("aes128gcm16-modpnone", ProtocolId::Esp) == "aes128-gcm-128 no-esn");
  BOOST_TEST(proposal("3des-md5-modp1024") == "3des-cbc hmac-md5 hmac-md5 modp1024");
  BOOST_TEST(proposal("camellia256-aesxcbc-ecp512bp") == "camellia256-cbc aes-xcbc aes-xcbc brainpool512");
  BOOST_TEST(proposal("aes256ctr-sha256-prfaescmac-x448") == "aes256-ctr aes-cmac hmac-sha256 curve448");
  BOOST_TEST(proposal("aes192ccm12-prfaesxcbc-modp2048s256") == "aes192-ccm-96 aes-xcbc modp2048s256");
  BOOST_TEST(proposal("chacha20poly1305-prfmd5-ecp224") == "chacha20-poly1305 hmac-md5 ecp224");
  BOOST_TEST(proposal("null-aescmac", ProtocolId::Esp) == "null aes-cmac no-esn");
  BOOST_TEST(proposal("aes256gmac", ProtocolId::Esp) == "aes256-gmac no-esn");
  BOOST_TEST(proposal("default") == "2 proposals");
  BOOST_TEST(proposal("default", ProtocolId::Esp) == "2 proposals");
  const auto numbered = control::parse_proposals({"aes128gcm16", "default", "aes256-sha512"}, ProtocolId::Esp);
  BOOST_TEST_REQUIRE(numbered.has_value());
  BOOST_TEST(numbered->size() == 4U);
  BOOST_TEST(int{numbered->back().number} == 4);
  BOOST_TEST(control::parse_proposals({}, ProtocolId::Ike)->size() == 2U);
}

BOOST_AUTO_TEST_CASE(additional_key_exchanges_have_their_number_in_front) {
  const auto read = control::parse_proposals({"aes128gcm16-prfsha256-x25519-ke1_ecp256-ke1_none-ke7_x25519"}, ProtocolId::Ike);
  BOOST_TEST_REQUIRE(read.has_value());
  const auto& transforms = read->front().transforms;
  const auto has = [&](wire::TransformType type, unsigned id) {
    return std::any_of(transforms.begin(), transforms.end(), [&](const auto& one) { return one.type == type && one.id == id; });
  };
  BOOST_TEST(has(wire::TransformType::AdditionalKe1, 19));
  BOOST_TEST(has(wire::TransformType::AdditionalKe1, 0));
  BOOST_TEST(has(wire::TransformType::AdditionalKe7, 31));
  BOOST_TEST(proposal("aes128gcm16-prfsha256-x25519-ke1_foo") ==
             "proposal 'aes128gcm16-prfsha256-x25519-ke1_foo': 'ke1_foo' is not a key exchange");
  BOOST_TEST(proposal("aes128gcm16-ke1_x25519", ProtocolId::Esp) ==
             "proposal 'aes128gcm16-ke1_x25519': ke1_ to ke7_ come beside a key exchange group, such as x25519");
  BOOST_TEST(proposal("aes128gcm16-x25519-ke8_x25519", ProtocolId::Esp).find("'ke8_x25519' is not an algorithm") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_proposal_that_cannot_be_says_what_is_wrong_with_it) {
  BOOST_TEST(proposal("aes256-sha257-modp2048") == "proposal 'aes256-sha257-modp2048': 'sha257' is not an algorithm");
  BOOST_TEST(proposal("des-sha1-modp2048") == "proposal 'des-sha1-modp2048': 'des' is not supported");
  BOOST_TEST(proposal("camellia128ctr-sha1-modp2048") == "proposal 'camellia128ctr-sha1-modp2048': 'camellia128ctr' is not supported");
  BOOST_TEST(proposal("null-sha256-modp2048") == "proposal 'null-sha256-modp2048': null encrypts nothing: it is for ESP alone");
  BOOST_TEST(proposal("aes128gmac-prfsha256-modp2048") ==
             "proposal 'aes128gmac-prfsha256-modp2048': aes128-gmac encrypts nothing: it is for ESP alone");
  BOOST_TEST(proposal("aes256-sha256") == "proposal 'aes256-sha256': a key exchange group is missing, such as x25519 or modp2048");
  BOOST_TEST(proposal("aes128gcm16-x25519") == "proposal 'aes128gcm16-x25519': a PRF is missing, such as prfsha256");
  BOOST_TEST(proposal("aes128", ProtocolId::Esp) == "proposal 'aes128': an integrity algorithm is missing, such as sha256");
  BOOST_TEST(proposal("sha256", ProtocolId::Esp) == "proposal 'sha256': an encryption algorithm is missing, such as aes256");
  BOOST_TEST(proposal("aes128-aes128gcm16-sha256", ProtocolId::Esp) ==
             "proposal 'aes128-aes128gcm16-sha256': an AEAD algorithm cannot stand beside one that is none: write two proposals");
  BOOST_TEST(proposal("aes128--sha256", ProtocolId::Esp) == "proposal 'aes128--sha256': '' is not an algorithm");
}

BOOST_AUTO_TEST_CASE(values_are_read_as_configuration_files_write_them) {
  BOOST_TEST(control::parse_time("4h")->count() == 14400);
  BOOST_TEST(control::parse_time("90")->count() == 90);
  BOOST_TEST(control::parse_time("2d")->count() == 172800);
  BOOST_TEST(!control::parse_time("4 h"));
  BOOST_TEST(!control::parse_time(""));
  BOOST_TEST(!control::parse_time("-1"));
  BOOST_TEST(!control::parse_time("99999999999d"));
  BOOST_TEST(*control::parse_amount("500M") == 500U << 20U);
  BOOST_TEST(*control::parse_interface_id("0x64") == 100U);
  BOOST_TEST(!control::parse_interface_id("%unique"));
  BOOST_TEST(!control::parse_peer_addresses({"%any"})->has_value());
  BOOST_TEST(!control::parse_peer_addresses({})->has_value());
  BOOST_TEST(control::parse_peer_addresses({"2001:db8::1"})->value().to_string() == "2001:db8::1");
  BOOST_TEST(!control::parse_peer_addresses({"192.0.2.1", "192.0.2.2"}));
  BOOST_TEST(!control::parse_peer_addresses({"gw.example"}));
  BOOST_TEST(control::parse_peer_identity("@gw.example")->to_string() == "gw.example");
  BOOST_TEST(control::parse_peer_identity("@@joe@example.com")->to_string() == "joe@example.com");
  BOOST_TEST((control::parse_peer_identity("keyid:ab")->data == to_bytes(as_bytes("ab"))));
  BOOST_TEST(control::parse_peer_identity("C=CH, CN=gw")->to_string() == "C=CH, CN=gw");
}

BOOST_AUTO_TEST_CASE(selectors_are_read_and_shown_alike) {
  for (const char* text : {"10.0.0.0/24", "dynamic", "10.0.0.0/24[tcp/80]", "dynamic[udp]", "2001:db8::/32[tcp/1024-2047]"}) {
    const auto selector = control::parse_selector(text);
    BOOST_TEST_REQUIRE(selector.has_value(), text);
    BOOST_TEST(control::vici_name(*selector) == text);
  }
  BOOST_TEST(control::parse_selector("10.0.0.5")->subnet->to_string() == "10.0.0.5/32");
  BOOST_TEST(control::parse_selector("10.0.0.0/8[icmp/8]")->start_port == 0x0800);
  BOOST_TEST(control::parse_selector("10.0.0.0/8[icmp/8]")->end_port == 0x08ff);
  for (const char* text :
       {"10.0.0.0/33", "10.0.0.0-10.0.0.9", "10.0.0.0/24[tcp", "ten", "10.0.0.0/24[tcp/http/x]", "dynamic[tcp/9-8]", "dynamic[999]"})
    BOOST_TEST(!control::parse_selector(text), text);
}

BOOST_AUTO_TEST_CASE(a_connection_becomes_a_vpn) {
  const auto connection = control::parse_connection("site", site());
  BOOST_REQUIRE_MESSAGE(connection, (connection ? "" : connection.error().message));
  BOOST_TEST(connection->refusal == "");
  BOOST_TEST(connection->warnings.empty());
  const model::Vpn& vpn = *connection->vpn;
  BOOST_TEST(vpn.name == "site");
  BOOST_TEST(vpn.local_address->to_string() == "192.0.2.1");
  BOOST_TEST(vpn.remote_address->to_string() == "198.51.100.1");
  BOOST_TEST(vpn.local_id->to_string() == "gwa.example");
  BOOST_TEST(vpn.remote_id->to_string() == "gwb.example");
  BOOST_TEST(vpn.ike.proposals.size() == 2U);
  BOOST_TEST_REQUIRE(vpn.policies.size() == 1U);
  const model::SecurityPolicy& policy = vpn.policies.front();
  BOOST_TEST(policy.name == "net");
  BOOST_TEST(policy.remote_ts.size() == 2U);
  BOOST_TEST(policy.svti_id_in == 100U);
  BOOST_TEST(policy.svti_id_out == 100U);
  BOOST_TEST(names_of(vpn.ipsec_of(policy).esp_proposals.front()) == "aes256-gcm-128 esn");
  BOOST_TEST((vpn.ipsec_of(policy).start_action == model::StartAction::Trap));
  // the protocol's defaults, not ours
  BOOST_TEST((vpn.ipsec.close_action == model::StartAction::None));
  BOOST_TEST((vpn.ipsec.dpd_action == model::DpdAction::Clear));
}

BOOST_AUTO_TEST_CASE(a_child_that_differs_keeps_its_own_options) {
  vici::Section section = site();
  section.add_section("children")
      .add_section("other")
      .add("rekey_time", "5m")
      .add("life_time", "10m")
      .add("start_action", "start")
      .add("hw_offload", "auto");
  const auto connection = control::parse_connection("site", section);
  BOOST_TEST_REQUIRE(connection.has_value());
  const model::Vpn& vpn = *connection->vpn;
  BOOST_TEST_REQUIRE(vpn.policies.size() == 2U);
  BOOST_TEST(vpn.policies[0].ipsec == nullptr);
  BOOST_TEST(vpn.ipsec_of(vpn.policies[0]).rekey_time.count() == 3600);
  BOOST_TEST(vpn.ipsec_of(vpn.policies[1]).rekey_time.count() == 300);
  BOOST_TEST(vpn.ipsec_of(vpn.policies[1]).life_time->count() == 600);
  BOOST_TEST((vpn.ipsec_of(vpn.policies[1]).start_action == model::StartAction::Start));
  BOOST_TEST((vpn.ipsec_of(vpn.policies[0]).hw_offload == model::HwOffload::No));
  BOOST_TEST((vpn.ipsec_of(vpn.policies[1]).hw_offload == model::HwOffload::Auto));
}

BOOST_AUTO_TEST_CASE(eap_of_either_end) {
  const auto with_auth = [](std::string_view local, std::string_view remote) {
    vici::Section section;
    section.add_list("remote_addrs", {"198.51.100.1"});
    section.add_section("local").add("auth", local).add("eap_id", "joe@example.com");
    section.add_section("remote").add("auth", remote).add("eap_id", "%any");
    section.add_section("children").add_section("net").add("start_action", "trap");
    return section;
  };
  const auto gateway = control::parse_connection("site", with_auth("psk", "eap-mschapv2"));
  BOOST_TEST_REQUIRE(gateway.has_value());
  const model::Vpn& vpn = *gateway->vpn;
  BOOST_CHECK(vpn.authentication.remote == model::AuthMethod::EapMschapv2);
  BOOST_TEST(vpn.authentication.remote_eap_id->is_any());
  BOOST_TEST(!vpn.authentication.local_eap_id.has_value());
  BOOST_CHECK(vpn.ipsec.start_action == model::StartAction::None);
  BOOST_TEST(gateway->warnings.back() == "EAP is for peers that begin: start_action is treated as none");
  const auto user = control::parse_connection("site", with_auth("eap-md5", "psk"));
  BOOST_TEST_REQUIRE(user.has_value());
  BOOST_CHECK(user->vpn->authentication.local == model::AuthMethod::EapMd5);
  BOOST_TEST(user->vpn->authentication.local_eap_id->to_string() == "joe@example.com");
  BOOST_CHECK(user->vpn->ipsec.start_action == model::StartAction::Trap);
  BOOST_TEST(refusal(with_auth("eap-md5", "eap-md5")).find("it does not say who the gateway is") != std::string::npos);
  BOOST_TEST(refusal(with_auth("eap-md5", "eap-mschapv2")).find("one method for both") != std::string::npos);
  vici::Section ppk = with_auth("psk", "eap-md5");
  ppk.add("ppk_id", "a");
  BOOST_TEST(refusal(ppk) == "");
}

BOOST_AUTO_TEST_CASE(refusals_are_in_the_protocols_words) {
  BOOST_TEST(refused_option("no_such_thing", "1") == "unknown option: no_such_thing, config discarded");
  BOOST_TEST(refused_child_option("no_such_thing", "1") == "unknown option: no_such_thing, config discarded");
  BOOST_TEST(refused_option("rekey_time", "soon") ==
             "invalid value for: rekey_time, config discarded ('soon' is not a time such as 90s, 15m, 4h or 1d)");
  BOOST_TEST(refused_option("version", "1") == "not supported yet: version with this value, config discarded (IKEv1; expected 2)");
  BOOST_TEST(refused_option("vips", "0.0.0.0, ::") == "");
  BOOST_TEST(refused_option("vips", "0.0.0.0, 10.0.0.1") ==
             "not supported yet: vips with this value, config discarded (expected at most one of each family)");
  BOOST_TEST(refused_option("vips", "none") == "invalid value for: vips, config discarded ('none' is not an IPv4 or IPv6 address)");
  BOOST_TEST(refused_option("pools", "") == "");  // asks for nothing
  BOOST_TEST(refused_option("mediation", "no") == "");
  BOOST_TEST(refused_child_option("mode", "transport") == "");
  BOOST_TEST(refused_child_option("mode", "beet") ==
             "not supported yet: mode with this value, config discarded (expected tunnel, transport, pass or drop)");
  BOOST_TEST(refused_child_option("mode", "sideways") ==
             "invalid value for: mode, config discarded (expected tunnel, transport, pass or drop)");
  BOOST_TEST(refused_child_option("updown", "/bin/sh") == "not supported yet: updown with this value, config discarded");
  for (const char* offload : {"no", "auto", "crypto", "yes"}) BOOST_TEST(refused_child_option("hw_offload", offload) == "");
  BOOST_TEST(
      refused_child_option("hw_offload", "packet") ==
      "not supported yet: hw_offload with this value, config discarded (Linux may send in clear with it; expected no, auto or crypto)");
  BOOST_TEST(refused_child_option("hw_offload", "maybe") ==
             "invalid value for: hw_offload, config discarded (expected no, auto or crypto)");
  vici::Section many = site();
  for (int i = 2; i <= 9; ++i) many.add_section("local-" + std::to_string(i)).add("auth", "psk");
  BOOST_TEST(refusal(many) == "more than 8 local sections, config discarded");
  vici::Section users = site();
  users.add_section("local-2").add("auth", "eap-mschapv2");
  users.add_section("remote-2").add("auth", "eap-mschapv2");
  BOOST_TEST(refusal(users).find("EAP at both ends is for one round of authentication") != std::string::npos);
  vici::Section secret = site();
  secret.add("ppk_id", "spare").add_section("remote-2").add("auth", "pubkey");
  BOOST_TEST(refusal(secret).starts_with("not supported yet: ppk_id together with several rounds"));
  vici::Section required = site();
  required.add("ppk_required", "yes").add_section("remote-2").add("auth", "pubkey");
  BOOST_TEST(refusal(required).starts_with("not supported yet: ppk_required together with several rounds"));
  vici::Section eap = site();
  eap.add_section("remote-2").add("auth", "eap-ttls");
  BOOST_TEST(
      refusal(eap) ==
      "not supported yet: auth with this value, config discarded (expected psk, pubkey, eap-mschapv2, eap-md5, eap-tls or eap-radius)");
  vici::Section aaa;
  aaa.add_section("local").add("auth", "psk").add("aaa_id", "aaa.example");
  BOOST_TEST(refusal(aaa).starts_with("not supported yet: aaa_id without local auth eap-tls"));
  vici::Section stray;
  stray.add_section("somewhere");
  BOOST_TEST(refusal(stray) == "unknown option: somewhere, config discarded");
  vici::Section same = site();
  same.add_section("children").add_section("net");
  BOOST_TEST(refusal(same) == "child net stands there twice, config discarded");
}

BOOST_AUTO_TEST_CASE(ends_may_authenticate_with_certificates) {
  vici::Section section;
  section.add_section("local").add("auth", "pubkey").add("id", "C=CH, O=Example, CN=gw");
  section.add_section("remote").add("auth", "pubkey").add("id", "C=CH, O=Example, CN=*").add("revocation", "strict");
  const auto connection = control::parse_connection("site", section);
  BOOST_TEST_REQUIRE(connection.has_value());
  BOOST_TEST(connection->refusal == "");
  const model::Authentication& how = connection->vpn->authentication;
  BOOST_TEST((how.local == model::AuthMethod::Certificate && how.remote == model::AuthMethod::Certificate));
  BOOST_TEST((how.revocation == model::Revocation::Strict));
  BOOST_TEST(connection->vpn->local_id->to_string() == "C=CH, O=Example, CN=gw");
  BOOST_TEST(connection->vpn->remote_id->is_pattern());
  const vici::Message event = control::list_conn_event("site", *connection->vpn, connection->rounds);
  const vici::Section* local = event.section("site")->section("local-1");
  BOOST_TEST_REQUIRE(local != nullptr);
  BOOST_TEST(local->text("class") == "public key");
  BOOST_TEST(local->text("id") == "C=CH, O=Example, CN=gw");
}

BOOST_AUTO_TEST_CASE(an_end_may_authenticate_itself_in_several_rounds) {
  vici::Section section;
  section.add_section("local").add("auth", "pubkey").add("id", "gw.example");
  section.add_section("remote-user").add("auth", "eap-mschapv2").add("id", "laptop.example").add("eap_id", "%any").add("round", "2");
  section.add_section("remote-host").add("auth", "pubkey").add("id", "*.example").add("round", "1").add("revocation", "strict");
  const auto connection = control::parse_connection("site", section);
  BOOST_TEST_REQUIRE(connection.has_value());
  const model::Authentication& how = connection->vpn->authentication;
  BOOST_TEST((how.remote == model::AuthMethod::Certificate && how.revocation == model::Revocation::Strict));
  BOOST_TEST(connection->vpn->remote_id->to_string() == "*.example");
  BOOST_TEST(how.further_local.empty());
  BOOST_TEST_REQUIRE(how.further_remote.size() == 1U);
  BOOST_TEST((how.further_remote[0].method == model::AuthMethod::EapMschapv2));
  BOOST_TEST(how.further_remote[0].id->to_string() == "laptop.example");
  BOOST_TEST(how.further_remote[0].eap_id->is_pattern());
  BOOST_TEST(!how.may_initiate());
  const vici::Message event = control::list_conn_event("site", *connection->vpn, connection->rounds);
  BOOST_TEST(event.section("site")->section("remote-1")->text("id") == "*.example");
  BOOST_TEST(event.section("site")->section("remote-2")->text("class") == "EAP");
}

BOOST_AUTO_TEST_CASE(a_user_of_eap_tls_may_name_the_server) {
  vici::Section section;
  section.add_section("local").add("auth", "eap-tls").add("eap_id", "joe@example.com").add("aaa_id", "aaa.example");
  section.add_section("remote").add("auth", "pubkey").add("id", "gw.example");
  const auto connection = control::parse_connection("site", section);
  BOOST_TEST_REQUIRE(connection.has_value());
  const model::Authentication& how = connection->vpn->authentication;
  BOOST_TEST((how.local == model::AuthMethod::EapTls && how.remote == model::AuthMethod::Certificate));
  BOOST_TEST(how.local_eap_id->to_string() == "joe@example.com");
  BOOST_TEST(how.remote_eap_id->to_string() == "aaa.example");
  const vici::Message event = control::list_conn_event("site", *connection->vpn, connection->rounds);
  BOOST_TEST(event.section("site")->section("local-1")->text("eap-type") == "TLS");
}

BOOST_AUTO_TEST_CASE(without_a_peer_nothing_is_begun_and_that_is_said) {
  vici::Section section;
  section.add_section("children").add_section("net").add("start_action", "start");
  const auto connection = control::parse_connection("any", section);
  BOOST_TEST_REQUIRE(connection.has_value());
  BOOST_TEST((connection->vpn->ipsec.start_action == model::StartAction::None));
  BOOST_TEST(connection->warnings.front() == "without remote_addrs there is nobody to negotiate with: start_action is treated as none");
}

BOOST_AUTO_TEST_CASE(a_connection_is_listed_with_its_children) {
  const auto connection = control::parse_connection("site", site());
  const vici::Message event = control::list_conn_event("blue/site", *connection->vpn, connection->rounds);
  const vici::Section* listed = event.section("blue/site");
  BOOST_TEST_REQUIRE(listed != nullptr);
  BOOST_TEST(listed->text("version") == "IKEv2");
  BOOST_TEST((*listed->list("local_addrs") == vici::List{"192.0.2.1"}));
  BOOST_TEST(listed->text("rekey_time") == "14400");
  BOOST_TEST(listed->section("remote-1")->text("class") == "pre-shared key");
  const vici::Section* child = listed->section("children")->section("net");
  BOOST_TEST_REQUIRE(child != nullptr);
  BOOST_TEST(child->text("mode") == "TUNNEL");
  BOOST_TEST((*child->list("remote-ts") == vici::List{"10.2.0.0/16", "10.3.0.0/16[tcp/80]"}));
}

BOOST_AUTO_TEST_SUITE_END()
