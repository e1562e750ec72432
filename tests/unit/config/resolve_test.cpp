// SPDX-License-Identifier: Apache-2.0
// From the text to model::Configuration.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>

#include "config/document.h"
#include "config/schema.h"
#include "crypto/key_exchange.h"
#include "model/algorithm.h"

using namespace svti;
using config::Document;
using wire::TransformType;

namespace {

model::ConfigurationPtr resolved(std::string_view text) {
  const auto parsed = Document::parse(text, "f");
  BOOST_TEST_REQUIRE(parsed.has_value(), (parsed ? "" : parsed.error().front().to_string()));
  return parsed->resolved()->vrfs.at("main").ike;
}

std::string first_error(std::string_view text) {
  const auto parsed = Document::parse(text, "f");
  BOOST_TEST_REQUIRE(!parsed.has_value(), "accepted: " << text);
  const auto error = std::find_if(parsed.error().begin(), parsed.error().end(), [](const config::Diagnostic& one) { return !one.warning; });
  return error->to_string();
}

std::string names(const wire::Proposal& proposal) {
  std::string out = std::to_string(proposal.number) + ":";
  for (const wire::Transform& transform : proposal.transforms) out += " " + model::name_of(transform);
  return out;
}

std::string names(const std::vector<wire::Proposal>& proposals) {
  std::string out;
  for (const wire::Proposal& proposal : proposals) out += (out.empty() ? "" : " | ") + names(proposal);
  return out;
}

const std::string kTemplates =
    "ike-policy-template i\n"
    "    keying-tries 7\n"
    "    dpd-delay 30s\n"
    "    udp-encap true\n"
    "    ike-proposal 1 enc-alg aes128-cbc auth-alg hmac-sha256 dh-group modp2048\n"
    "    ..\n"
    "ipsec-policy-template p\n"
    "    start-action start\n"
    "    replay-window 64\n"
    "    rekey-bytes 1000\n"
    "    encap-copy-df false\n"
    "    esp-proposal 1 aead-alg aes128-gcm-128\n"
    "    ..\n";

std::string vpn(const std::string& lines, const std::string& templates = kTemplates) {
  return templates +
         "vpn v\n    ike-policy template i\n    ipsec-policy template p\n    remote-address 192.0.2.2\n    security-policy s\n        "
         "..\n" +
         lines + "    ..\n";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(resolve)

BOOST_AUTO_TEST_CASE(an_empty_text_gives_the_models_defaults) {
  const model::ConfigurationPtr empty = resolved("ike");
  BOOST_TEST(empty->enabled);
  BOOST_TEST((empty->global == model::GlobalOptions{}));
  BOOST_TEST((empty->logging == model::LoggingConfig{}));
  BOOST_TEST(empty->preshared_keys.empty());
  BOOST_TEST(!resolved("enabled false")->enabled);
}

BOOST_AUTO_TEST_CASE(hw_offload_is_read_and_packet_refused) {
  const auto offload = [](const char* word) {
    const auto configuration = resolved(vpn("    ipsec-policy\n        hw-offload " + std::string(word) + "\n        ..\n"));
    return configuration->vpns.at("v")->ipsec.hw_offload;
  };
  BOOST_TEST((offload("no") == model::HwOffload::No));
  BOOST_TEST((offload("auto") == model::HwOffload::Auto));
  BOOST_TEST((offload("crypto") == model::HwOffload::Crypto));
  BOOST_TEST(first_error(vpn("    ipsec-policy\n        hw-offload packet\n        ..\n"))
                 .find("vpn v: hw-offload packet is refused: Linux hands the device clear text") != std::string::npos);
}

// the schema's defaults stand in templates, the model's in the structs: a VPN gets the same from both
BOOST_AUTO_TEST_CASE(an_empty_template_and_none_give_the_models_defaults) {
  const std::string proposals =
      "    ike-policy ike-proposal 1 enc-alg aes128-cbc auth-alg hmac-sha1 dh-group ecp256\n    ipsec-policy esp-proposal 1 aead-alg "
      "aes128-gcm-128\n";
  const std::string rest = "    remote-address 192.0.2.2\n    security-policy s\n        ..\n    ..\n";
  for (const std::string& head :
       {std::string("vpn v\n"),
        std::string(
            "ike-policy-template i\n..\nipsec-policy-template p\n..\nvpn v\n    ike-policy template i\n    ipsec-policy template p\n")}) {
    const model::ConfigurationPtr configuration = resolved(head + proposals + rest);
    model::Vpn vpn = *configuration->vpns.at("v");
    model::IkePolicy ike;
    ike.proposals = vpn.ike.proposals;
    ike.labels = vpn.ike.labels;
    BOOST_TEST((vpn.ike == ike));
    model::IpsecPolicy ipsec;
    ipsec.esp_proposals = vpn.ipsec.esp_proposals;
    ipsec.esp_labels = vpn.ipsec.esp_labels;
    BOOST_TEST((vpn.ipsec == ipsec));
    BOOST_TEST(vpn.version == 2);
    BOOST_TEST_REQUIRE(vpn.policies.size() == 1U);
    model::SecurityPolicy policy;
    policy.name = "s";
    policy.local_ts.resize(1);
    policy.remote_ts.resize(1);
    BOOST_TEST((vpn.policies.front() == policy));
  }
}

BOOST_AUTO_TEST_CASE(a_vpn_overrides_its_template_leaf_by_leaf) {
  const auto configuration =
      resolved(vpn("    ike-policy\n        keying-tries 0\n        ..\n    ipsec-policy\n        replay-window 0\n        start-action "
                   "none\n        ..\n"));
  const model::Vpn& out = *configuration->vpns.at("v");
  BOOST_TEST(out.ike.keying_tries == 0U);
  BOOST_TEST((out.ike.dpd_delay == seconds(30)));
  BOOST_TEST(out.ike.udp_encap);
  BOOST_TEST((out.ike.rekey_time == seconds(14400)));
  BOOST_TEST(names(out.ike.proposals) == "1: aes128-cbc hmac-sha256 hmac-sha256 modp2048");
  BOOST_TEST((out.ipsec.start_action == model::StartAction::None));
  BOOST_TEST((out.ipsec.close_action == model::StartAction::Trap));
  BOOST_TEST(out.ipsec.replay_window == 0U);
  BOOST_TEST(out.ipsec.rekey_bytes == 1000U);
  BOOST_TEST(!out.ipsec.encap_copy_df);
}

BOOST_AUTO_TEST_CASE(a_vpns_proposals_replace_those_of_its_template) {
  const auto configuration =
      resolved(vpn("    ike-policy ike-proposal 9 aead-alg aes256-gcm-128 prf-alg hmac-sha512 dh-group curve25519\n"));
  BOOST_TEST(names(configuration->vpns.at("v")->ike.proposals) == "1: aes256-gcm-128 hmac-sha512 curve25519");
}

BOOST_AUTO_TEST_CASE(templates_may_stand_behind_their_vpn) {
  const std::string text = vpn("", "") + kTemplates;
  BOOST_TEST(resolved(text)->vpns.at("v")->ike.keying_tries == 7U);
}

BOOST_AUTO_TEST_CASE(proposals_are_numbered_by_id_and_keep_the_order_of_algorithms) {
  const auto configuration = resolved(
      "ike-policy-template i\n"
      "    ike-proposal 20 aead-alg aes128-gcm-64 prf-alg hmac-sha1 dh-group ecp521\n"
      "    ike-proposal 3\n"
      "        dh-group ecp384\n"
      "        auth-alg hmac-sha512\n"
      "        enc-alg aes256-cbc\n"
      "        dh-group modp2048\n"
      "        enc-alg aes128-cbc\n"
      "        auth-alg hmac-sha1\n"
      "        ..\n"
      "    ..\n"
      "ipsec-policy-template p\n"
      "    esp-proposal 1 aead-alg aes128-gcm-128 dh-group ecp256\n"
      "    esp-proposal 2\n"
      "        enc-alg aes128-cbc\n"
      "        auth-alg hmac-sha256\n"
      "        esn true\n"
      "        esn false\n"
      "        ..\n"
      "    ah-proposal 1 auth-alg hmac-sha512 esn true\n"
      "    ..\n" +
      vpn("", ""));
  const model::Vpn& out = *configuration->vpns.at("v");
  BOOST_TEST(names(out.ike.proposals) ==
             "1: aes256-cbc aes128-cbc hmac-sha512 hmac-sha1 hmac-sha512 hmac-sha1 ecp384 modp2048 | 2: aes128-gcm-64 hmac-sha1 ecp521");
  BOOST_TEST((out.ike.proposals[0].protocol == wire::ProtocolId::Ike));
  // without prf-alg: the hashes of auth-alg, in their order
  std::vector<std::uint16_t> prfs;
  for (const wire::Transform& transform : out.ike.proposals[0].transforms) {
    if (transform.type == TransformType::Prf) prfs.push_back(transform.id);
  }
  BOOST_TEST(prfs == (std::vector<std::uint16_t>{7, 2}), boost::test_tools::per_element());
  BOOST_TEST(names(out.ipsec.esp_proposals) == "1: aes128-gcm-128 ecp256 no-esn | 2: aes128-cbc hmac-sha256 esn no-esn");
  BOOST_TEST((out.ipsec.esp_proposals[1].protocol == wire::ProtocolId::Esp));
  BOOST_TEST(names(out.ipsec.ah_proposals) == "1: hmac-sha512 esn");
  BOOST_TEST((out.ipsec.ah_proposals[0].protocol == wire::ProtocolId::Ah));
}

BOOST_AUTO_TEST_CASE(what_a_vpn_lacks_is_an_error) {
  BOOST_TEST(first_error("vpn v\n    remote-address 192.0.2.2\n    security-policy s\n        ..\n") ==
             "f:1: vpn v: needs an ike-proposal, in its ike-policy or in the template of that");
  BOOST_TEST(first_error("vpn v\n    ike-policy ike-proposal 1 enc-alg aes128-cbc auth-alg hmac-sha1 dh-group ecp256\n    remote-address "
                         "192.0.2.2\n    security-policy s\n") ==
             "f:1: vpn v: needs an esp-proposal, in its ipsec-policy or in the template of that");
  BOOST_TEST(first_error(
                 vpn("    ipsec-policy\n        replay-window 0\n        esp-proposal 1 aead-alg aes128-gcm-128 esn true\n        ..\n")) ==
             "f:14: vpn v: esn true needs a replay-window of at least 1");
  BOOST_TEST(first_error(vpn("    local-address 2001:db8::1\n")) ==
             "f:14: vpn v: local-address and remote-address must both be IPv4 or both be IPv6");
  BOOST_TEST(
      first_error(vpn("    security-policy t\n        local-ts subnet 10.0.0.0/8\n        remote-ts subnet 2001:db8::/32\n        ..\n")) ==
      "f:20: vpn v security-policy t: local-ts and remote-ts must both be IPv4 or both be IPv6");
}

BOOST_AUTO_TEST_CASE(without_a_remote_address_a_vpn_only_responds) {
  const auto parsed = Document::parse(
      kTemplates + "vpn v\n    ike-policy template i\n    ipsec-policy template p\n    security-policy s\n        ..\n    ..\n", "f");
  BOOST_TEST_REQUIRE(parsed.has_value());
  BOOST_TEST_REQUIRE(parsed->warnings().size() == 1U);
  BOOST_TEST(parsed->warnings().front().to_string() ==
             "f:14: warning: vpn v: without remote-address there is nobody to negotiate with: start-action is treated as none");
  const auto configuration = parsed->resolved()->vrfs.at("main").ike;
  BOOST_TEST((configuration->vpns.at("v")->ipsec.start_action == model::StartAction::None));
  BOOST_TEST((configuration->vpns.at("v")->ipsec.close_action == model::StartAction::None));
}

BOOST_AUTO_TEST_CASE(peers_and_selectors) {
  const auto configuration =
      resolved(vpn("    description \"to the lab\"\n    local-id gw@example.com\n    remote-id *.example.com\n"
                   "    security-policy t\n        local-ts subnet 10.0.0.0/8 protocol 6 port 443\n        remote-ts protocol 17\n        "
                   "priority 9\n        svti-id-in 4294967295\n        svti-id-out 8\n        ..\n"));
  const model::Vpn& out = *configuration->vpns.at("v");
  BOOST_TEST(out.description == "to the lab");
  BOOST_TEST((out.local_id->type == wire::IdType::Rfc822Addr));
  BOOST_TEST(out.remote_id->to_string() == "*.example.com");
  BOOST_TEST(!out.local_address.has_value());
  const model::SecurityPolicy* policy = out.find_policy("t");
  BOOST_TEST_REQUIRE(policy);
  BOOST_TEST((policy->local_ts.front() == model::SelectorConfig{*Prefix::parse("10.0.0.0/8"), 6, 443, 443}));
  BOOST_TEST((policy->remote_ts.front() == model::SelectorConfig{std::nullopt, 17, 0, 65535}));
  BOOST_TEST(policy->priority == 9U);
  BOOST_TEST(policy->svti_id_in == 4294967295U);
  BOOST_TEST(policy->svti_id_out == 8U);
  BOOST_TEST(!resolved(vpn("    remote-id %any\n"))->vpns.at("v")->remote_id.has_value());
  BOOST_TEST(first_error(vpn("    local-id *.example.com\n")).find("is a wildcard; this host needs one identity") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(keys_and_their_selectors) {
  const auto configuration = resolved(
      "pre-shared-key all secret x\npre-shared-key two\n    id a.example\n    id *@b.example\n    id %any\n    secret 0x00ff\n    ..\n");
  BOOST_TEST_REQUIRE(configuration->preshared_keys.size() == 2U);
  BOOST_TEST(configuration->preshared_keys[0]->ids.empty());
  const model::PresharedKey& two = *configuration->preshared_keys[1];
  BOOST_TEST_REQUIRE(two.ids.size() == 3U);
  BOOST_TEST(two.ids[1].to_string() == "*@b.example");
  BOOST_TEST(two.ids[2].is_any());
  BOOST_TEST(to_hex(two.secret.view()) == "00ff");
}

BOOST_AUTO_TEST_CASE(global_options) {
  const auto global =
      resolved(
          "global-options\n    dos-protection cookie-threshold always block-threshold 6 init-limit-half-open 100\n    threads 20\n"
          "    acquire-timeout 60\n    sp-hash-ipv4 local 16 remote 24\n    sp-hash-ipv6 local 56 remote 64\n    install-routes true\n"
          "    routing-table 230\n    routing-table-prio 231\n    retransmit-tries 3\n    retransmit-timeout 0.125\n    retransmit-base "
          "1.5\n    delete-rekeyed-delay 7\n")
          ->global;
  model::GlobalOptions expected;
  expected.cookie_threshold = model::GlobalOptions::kCookieAlways;
  expected.block_threshold = 6;
  expected.init_limit_half_open = 100;
  expected.threads = 20;
  expected.acquire_timeout = seconds(60);
  expected.sp_hash_ipv4_local = 16;
  expected.sp_hash_ipv4_remote = 24;
  expected.sp_hash_ipv6_local = 56;
  expected.sp_hash_ipv6_remote = 64;
  expected.install_routes = true;
  expected.routing_table = 230;
  expected.routing_table_prio = 231;
  expected.retransmit_tries = 3;
  expected.retransmit_timeout = milliseconds(125);
  expected.retransmit_base = 1.5;
  expected.delete_rekeyed_delay = seconds(7);
  BOOST_TEST((global == expected));
}

BOOST_AUTO_TEST_CASE(log_levels_fall_back_to_the_facilitys_default) {
  const auto logging =
      resolved("logging\n    daemon\n        ike 4\n        network disable\n        default 1\n        ..\n    authpriv child 2\n")
          ->logging;
  for (std::size_t i = 0; i < kSubsystemNames.size(); ++i) {
    const int expected = kSubsystemNames[i] == "ike" ? 4 : kSubsystemNames[i] == "network" ? kLogDisabled : 1;
    BOOST_TEST(logging.daemon[i] == expected, kSubsystemNames[i]);
    BOOST_TEST(logging.authpriv[i] == (kSubsystemNames[i] == "child" ? 2 : kLogDisabled), kSubsystemNames[i]);
  }
}

// resolve() looks each keyword of the schema up in the model's table
BOOST_AUTO_TEST_CASE(the_schema_names_the_algorithms_of_the_model_and_no_others) {
  using model::AlgorithmKind;
  const auto schema = config::Schema::instance();
  const config::SchemaNode* ike = schema->ike().child("ike-policy-template")->child("ike-proposal");
  const config::SchemaNode* esp = schema->ike().child("ipsec-policy-template")->child("esp-proposal");
  for (const auto& [leaf, kind] : {std::pair{"enc-alg", AlgorithmKind::Encryption},
                                   {"aead-alg", AlgorithmKind::Aead},
                                   {"auth-alg", AlgorithmKind::Integrity},
                                   {"prf-alg", AlgorithmKind::Prf},
                                   {"dh-group", AlgorithmKind::DhGroup}}) {
    std::set<std::string_view> known;
    for (const model::Algorithm& algorithm : model::algorithms()) {
      if (algorithm.kind == kind) known.insert(algorithm.keyword);
    }
    const auto& in_ike = ike->child(leaf)->enumeration;
    BOOST_TEST((std::set<std::string_view>(in_ike.begin(), in_ike.end()) == known), leaf);
    if (kind == AlgorithmKind::Prf) continue;
    const auto& in_esp = esp->child(leaf)->enumeration;
    BOOST_TEST((std::set<std::string_view>(in_esp.begin(), in_esp.end()) == known), leaf);
  }
}

BOOST_AUTO_TEST_CASE(the_schema_names_the_additional_key_exchanges_of_the_model) {
  const auto schema = config::Schema::instance();
  std::set<std::string_view> known = {"none"};
  for (const model::Algorithm& algorithm : model::algorithms()) {
    if (algorithm.kind == model::AlgorithmKind::DhGroup || algorithm.kind == model::AlgorithmKind::Kem) known.insert(algorithm.keyword);
  }
  const config::SchemaNode* ike = schema->ike().child("ike-policy-template")->child("ike-proposal");
  const config::SchemaNode* ipsec = schema->ike().child("ipsec-policy-template");
  for (const config::SchemaNode* proposal : {ike, ipsec->child("esp-proposal"), ipsec->child("ah-proposal")}) {
    for (const char number : std::string_view("1234567")) {
      const auto& names_there = proposal->child(std::string("additional-key-exchange-") + number)->enumeration;
      BOOST_TEST((std::set<std::string_view>(names_there.begin(), names_there.end()) == known));
    }
  }
}

// RFC 9370; ML-KEM is refused where OpenSSL has it not
BOOST_AUTO_TEST_CASE(additional_key_exchanges_come_beside_a_group) {
  const auto templates = [](const std::string& esp) {
    return "ike-policy-template i\n    ike-proposal 1\n        enc-alg aes128-cbc\n        auth-alg hmac-sha256\n        dh-group "
           "modp2048\n"
           "        additional-key-exchange-1 ecp384\n        additional-key-exchange-1 none\n"
           "        additional-key-exchange-3 curve25519\n        ..\n    ..\n"
           "ipsec-policy-template p\n    esp-proposal 1\n        aead-alg aes128-gcm-128\n" +
           esp + "        ..\n    ..\n";
  };
  const std::string group = "        dh-group ecp256\n";
  const auto good = resolved(vpn("", templates(group + "        additional-key-exchange-2 ecp384\n")))->vpns.at("v");
  BOOST_TEST(names(good->ike.proposals) == "1: aes128-cbc hmac-sha256 hmac-sha256 modp2048 ecp384 additional-key-exchange-1 0 curve25519");
  BOOST_CHECK(good->ike.proposals[0].transforms.back().type == wire::TransformType::AdditionalKe3);
  BOOST_TEST(
      first_error(vpn("", templates("        additional-key-exchange-2 ecp384\n"))).find("come beside a dh-group, and there is none") !=
      std::string::npos);
  if (crypto::supported(wire::KeGroup::MlKem768)) return;
  const std::string error = first_error(vpn("", templates(group + "        additional-key-exchange-1 mlkem768\n")));
  BOOST_TEST(error.find("mlkem768 is not supported here: it needs OpenSSL 3.5 or later, this is " + crypto::provider_version()) !=
                 std::string::npos,
             error);
}

BOOST_AUTO_TEST_CASE(childless_and_ppk) {
  const std::string key = "ppk q\n    id quantum.example\n    secret s\n    ..\n";
  const auto plain = resolved(vpn(""))->vpns.at("v")->ike;
  BOOST_CHECK(plain.childless == model::Childless::Allow);
  BOOST_TEST(!plain.ppk_id.has_value());
  BOOST_TEST(!plain.ppk_required);
  const auto made = resolved(
      key + vpn("    ike-policy\n        childless force\n        ppk-id quantum.example\n        ppk-required true\n        ..\n"));
  const auto& ike = made->vpns.at("v")->ike;
  BOOST_CHECK(ike.childless == model::Childless::Force);
  BOOST_TEST(ike.ppk_id->to_string() == "quantum.example");
  BOOST_TEST(ike.ppk_required);
  BOOST_TEST_REQUIRE(made->ppks.size() == 1U);
  BOOST_TEST((as_text(made->ppks[0]->secret.view()) == "s"));
  BOOST_TEST((made->ppks[0]->ids == std::vector{model::Identity::parse("quantum.example").value()}));
}

BOOST_AUTO_TEST_SUITE_END()
