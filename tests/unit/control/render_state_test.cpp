// SPDX-License-Identifier: Apache-2.0
#include "control/render_state.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "support/fake_service.h"
#include "support/rendered_state.h"

using namespace svti;
using control::StateFormat;

namespace {

std::string render(model::RuntimeState state, StateFormat format, const std::string& vpn = {}, std::vector<std::string> applied = {}) {
  return test::rendered(std::move(state), format, vpn, test::pieces(std::move(applied)));
}

// what stands below the only VRF
nlohmann::json of_main(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  BOOST_TEST_REQUIRE(json.at("svti:vrf").size() == 1U);
  BOOST_TEST(json.at("svti:vrf").at(0).at("name") == "main");
  return json.at("svti:vrf").at(0);
}

// "IKE state" of the guide, without the applied configuration, and without the second half of the ike-sa that the page
// prints twice; with the leaves that the page lacks: initiator, the identities, mode.
const char* const kGuideState = R"(ike
    ike-sas
        total 1
        half-open 0
        ..
    task-processing
        worker-threads
            total 16
            idle 11
            critical 4
            high 0
            medium 1
            low 0
            ..
        task-queues
            critical 0
            high 0
            medium 0
            low 0
            scheduled 3
            ..
        ..
    counters
        ike-rekey-init 0
        ike-rekey-resp 0
        child-rekey 0
        invalid 0
        invalid-spi 0
        ike-init-in-req 0
        ike-init-in-resp 1
        ike-init-out-req 1
        ike-init-out-resp 0
        ike-auth-in-req 0
        ike-auth-in-resp 1
        ike-auth-out-req 1
        ike-auth-out-resp 0
        create-child-in-req 0
        create-child-in-resp 0
        create-child-out-req 0
        create-child-out-resp 0
        info-in-req 0
        info-in-resp 0
        info-out-req 0
        info-out-resp 0
        ..
    vpn-counters name vpn-hq
        ike-rekey-init 0
        ike-rekey-resp 0
        child-rekey 0
        invalid 0
        invalid-spi 0
        ike-init-in-req 0
        ike-init-in-resp 1
        ike-init-out-req 1
        ike-init-out-resp 0
        ike-auth-in-req 0
        ike-auth-in-resp 1
        ike-auth-out-req 1
        ike-auth-out-resp 0
        create-child-in-req 0
        create-child-in-resp 0
        create-child-out-req 0
        create-child-out-resp 0
        info-in-req 0
        info-in-resp 0
        info-out-req 0
        info-out-resp 0
        ..
    ike-sa unique-id 1
        name vpn-hq
        version 2
        state established
        initiator true
        local-address 10.125.0.1
        remote-address 10.125.0.2
        local-port 500
        remote-port 500
        local-id 10.125.0.1
        remote-id 10.125.0.2
        initiator-spi 6e6228d1c13daaf1
        responder-spi b2f0a5217f09662a
        enc-alg aes128-cbc
        auth-alg hmac-sha1
        prf-alg hmac-sha1
        dh-group modp2048
        established-time 24
        rekey-time 14170
        reauth-time 45567
        udp-encap false
        ppk false
        mobike false
        child-sa unique-id 2
            name site2site
            state installed
            reqid 1
            protocol esp
            mode tunnel
            udp-encap false
            mobike false
            spi-in c704d981
            spi-out c3dd14b9
            enc-alg aes128-cbc
            auth-alg hmac-sha1
            esn false
            bytes-in 304
            packets-in 2
            bytes-out 168
            packets-out 2
            installed-time 24
            rekey-time 3425
            life-time 3936
            local-ts
                subnet 10.100.0.0/24
                ..
            remote-ts
                subnet 10.200.0.0/24
                ..
            ..
        ..
    ..
)";

}  // namespace

BOOST_AUTO_TEST_SUITE(render_state)

BOOST_AUTO_TEST_CASE(the_guides_state_is_laid_out_as_the_guide_prints_it) {
  BOOST_TEST(render(test::guide_state(), StateFormat::Text) == kGuideState);
}

BOOST_AUTO_TEST_CASE(json_has_the_same_leaves) {
  const auto json = of_main(render(test::guide_state(), StateFormat::Json));
  const auto& ike = json.at("ike");
  BOOST_TEST(ike.at("ike-sas").at("total") == 1);
  BOOST_TEST(ike.at("counters").size() == 21U);
  BOOST_TEST(ike.at("vpn-counters").at(0).at("name") == "vpn-hq");
  BOOST_TEST(ike.at("vpn-counters").at(0).at("ike-auth-out-req") == "1");
  const auto& sa = ike.at("ike-sa").at(0);
  BOOST_TEST(sa.at("unique-id") == 1);
  BOOST_TEST(sa.at("initiator") == true);
  const auto& child = sa.at("child-sa").at(0);
  BOOST_TEST(child.at("spi-in") == "c704d981");
  BOOST_TEST(child.at("bytes-in") == "304");
  BOOST_TEST(child.at("local-ts").at(0).at("subnet").at(0) == "10.100.0.0/24");

  // every leaf of the text is in the JSON, and the other way round: count the names
  std::size_t leaves = 0;
  const std::function<void(const nlohmann::json&)> count = [&](const nlohmann::json& tree) {
    if (tree.is_primitive()) ++leaves;
    for (const auto& inner : tree) {
      if (tree.is_structured()) count(inner);
    }
  };
  count(ike);
  std::size_t lines = 0;
  std::istringstream text(render(test::guide_state(), StateFormat::Text));
  for (std::string line; std::getline(text, line);) {
    line.erase(0, line.find_first_not_of(' '));
    lines += line != ".." && line.find(' ') != std::string::npos;  // a leaf, or a list entry's head with its key
  }
  BOOST_TEST(leaves == lines);
}

BOOST_AUTO_TEST_CASE(offload_is_told_where_it_was_asked_for) {
  auto state = test::guide_state();
  auto& child = state.ike_sas.at(0).children.at(0);
  child.offload = model::OffloadStatus{model::Offload::Crypto, "eth0", {}};
  const std::string taken = render(state, StateFormat::Text);
  BOOST_TEST(
      taken.find("esn false\n            offload crypto\n            offload-device eth0\n            bytes-in") != std::string::npos,
      taken);
  child.offload = model::OffloadStatus{model::Offload::None, {}, "outbound: eth0: no room"};
  const auto json = of_main(render(state, StateFormat::Json)).at("ike").at("ike-sa").at(0).at("child-sa").at(0);
  BOOST_TEST(json.at("offload") == "none");
  BOOST_TEST(!json.contains("offload-device"));
  BOOST_TEST(json.at("offload-reason") == "outbound: eth0: no room");
}

BOOST_AUTO_TEST_CASE(the_applied_configuration_stands_first) {
  const std::string text = render(test::guide_state(), StateFormat::Text, {}, {"    enabled true\n", "    vpn a\n        ..\n"});
  BOOST_TEST(text.starts_with("ike\n    enabled true\n    vpn a\n        ..\n    ike-sas\n"));
  BOOST_TEST(text.ends_with("\n        ..\n    ..\n"));
  const auto json =
      of_main(render(test::guide_state(), StateFormat::Json, {}, {"\"enabled\": true", ",\n\"vpn\": [\n{\"name\": \"a\"}", "\n]"}));
  BOOST_TEST(json.at("ike").at("vpn").at(0).at("name") == "a");
  BOOST_TEST(json.at("ike").at("ike-sas").at("total") == 1);
}

BOOST_AUTO_TEST_CASE(of_one_vpn_there_are_no_totals) {
  const std::string text = render(test::guide_state(), StateFormat::Text, "vpn-hq", {"    vpn vpn-hq\n        version 2\n        ..\n"});
  BOOST_TEST(text.starts_with("ike\n    vpn vpn-hq\n        version 2\n        ..\n    vpn-counters name vpn-hq\n"));
  const auto json = of_main(render(test::guide_state(), StateFormat::Json, "vpn-hq", {"\"vpn\": [\n{\"name\": \"vpn-hq\"}", "\n]"}));
  BOOST_TEST(json.at("ike").at("vpn").at(0).at("name") == "vpn-hq");
  BOOST_TEST(!json.at("ike").contains("ike-sas"));
}

BOOST_AUTO_TEST_CASE(interfaces_stand_behind_ike) {
  model::RuntimeState state;
  model::SvtiState& svti = state.interfaces.emplace_back();
  svti.configured.name = "svti-hq";
  svti.configured.svti_id = 100;
  svti.configured.link_vrf = "blue";
  svti.configured.description = "two words";
  svti.configured.addresses = {{IpAddress::parse("10.0.0.1").value(), 24}};
  state.interfaces.push_back(svti);
  state.interfaces[0].link.emplace();
  model::LinkStatus& link = *state.interfaces[0].link;
  link.ifindex = 7;
  link.mtu = 1438;
  link.up = true;
  link.oper_status = 6;
  link.addresses = {{IpAddress::parse("10.0.0.1").value(), 24}, {IpAddress::parse("fe80::1").value(), 64}};
  link.counters.in_octets = 12;
  const std::string text = render(state, StateFormat::Text);
  const std::string expected = R"(interface
    svti svti-hq
        svti-id 100
        mtu 1438
        enabled true
        promiscuous false
        description "two words"
        ipv4
            enabled true
            address 10.0.0.1/24
            ..
        ipv6
            enabled true
            address fe80::1/64
            ..
        link-vrf blue
        ifindex 7
        admin-status UP
        oper-status UP
        counters
            in-octets 12
            in-unicast-pkts 0
            in-discards 0
            in-errors 0
            out-octets 0
            out-unicast-pkts 0
            out-discards 0
            out-errors 0
            ..
        ..
    svti svti-hq
        svti-id 100
        enabled true
        promiscuous false
        description "two words"
        ipv4
            enabled true
            address 10.0.0.1/24
            ..
        ipv6
            enabled true
            ..
        link-vrf blue
        ..
    ..
)";
  BOOST_TEST(text.ends_with("\n    ..\n" + expected), text);
  BOOST_TEST(of_main(render(state, StateFormat::Json)).at("interface").at("svti").at(0).at("counters").at("in-octets") == "12");
  BOOST_TEST(render(state, StateFormat::Text, "vpn-hq").find("svti-hq") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(nothing_there_is_still_a_tree) {
  BOOST_TEST(of_main(render({}, StateFormat::Json)).at("ike").at("ike-sa").empty());
  const std::string text = render({}, StateFormat::Text);
  BOOST_TEST(text.find("total 0\n") != std::string::npos);
  BOOST_TEST(text.ends_with("        ..\n    ..\n"));
}

BOOST_AUTO_TEST_CASE(one_vpn_shows_its_own_counters_and_sas_alone) {
  model::RuntimeState state = test::guide_state();
  state.vpn_counters["other"] = {};
  state.ike_sas.push_back(test::guide_ike_sa());
  state.ike_sas.back().name = "other";
  state.ike_sas.back().unique_id = 7;
  const std::string text = render(state, StateFormat::Text, "vpn-hq");
  BOOST_TEST(text.starts_with("ike\n    vpn-counters name vpn-hq\n"));
  BOOST_TEST(text.find("other") == std::string::npos);
  BOOST_TEST(text.find("ike-sa unique-id 1\n") != std::string::npos);
  const auto json = of_main(render(state, StateFormat::Json, "other"));
  BOOST_TEST(!json.at("ike").contains("counters"));
  BOOST_TEST(json.at("ike").at("ike-sa").size() == 1U);
  BOOST_TEST(json.at("ike").at("ike-sa").at(0).at("unique-id") == 7);
}

BOOST_AUTO_TEST_CASE(many_vpns_and_sas_stay_valid_json_piece_by_piece) {
  model::RuntimeState state = test::guide_state();
  for (int i = 0; i < 5; ++i) {
    state.vpn_counters["vpn" + std::to_string(i)] = {};
    state.ike_sas.push_back(test::guide_ike_sa());
  }
  const auto json = of_main(render(state, StateFormat::Json));
  BOOST_TEST(json.at("ike").at("vpn-counters").size() == 6U);
  BOOST_TEST(json.at("ike").at("ike-sa").size() == 6U);
}

BOOST_AUTO_TEST_CASE(optional_leaves_appear_only_where_they_mean_something) {
  model::RuntimeState state = test::guide_state();
  model::IkeSaState& sa = state.ike_sas[0];
  sa.name.clear();
  sa.reauth.reset();
  sa.transforms = {wire::transform(wire::TransformType::Encryption, wire::EncryptionId::AesGcm16, 128)};
  sa.children[0].svti_id_in = 100;
  sa.children[0].svti_id_out = 101;
  sa.children[0].transforms.push_back(wire::transform(wire::TransformType::KeyExchange, wire::KeGroup::Curve25519));
  const std::string text = render(state, StateFormat::Text);
  const auto has = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  BOOST_TEST(has("ike-sa unique-id 1\n        version 2\n"));
  BOOST_TEST(!has("reauth-time"));
  BOOST_TEST(has("        aead-alg aes128-gcm-128\n        established-time"));
  BOOST_TEST(has("            svti-id-in 100\n            svti-id-out 101\n"));
  BOOST_TEST(has("            dh-group curve25519\n            esn false\n"));
}

BOOST_AUTO_TEST_CASE(selectors_with_a_protocol_have_a_context_of_their_own) {
  model::RuntimeState state = test::guide_state();
  const Prefix prefix = Prefix::parse("10.1.0.0/16").value();
  wire::TrafficSelector range = wire::TrafficSelector::of(Prefix::parse("10.2.0.0/24").value());
  range.end = IpAddress::parse("10.2.1.127").value();
  state.ike_sas[0].children[0].local_ts = {wire::TrafficSelector::of(prefix, 6, 80, 80), range, wire::TrafficSelector::of(prefix, 17),
                                           wire::TrafficSelector::of(prefix, 6, 1024, 2047)};
  const std::string text = render(state, StateFormat::Text);
  const std::string expected = R"(            local-ts
                subnet 10.2.0.0/24
                subnet 10.2.1.0/25
                ..
            local-ts
                subnet 10.1.0.0/16
                protocol 6
                port 80
                ..
            local-ts
                subnet 10.1.0.0/16
                protocol 17
                ..
            local-ts
                subnet 10.1.0.0/16
                protocol 6
                port 1024-2047
                ..
)";
  BOOST_TEST(text.find(expected) != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(values_that_are_not_one_word_are_quoted) {
  model::RuntimeState state = test::guide_state();
  state.ike_sas[0].remote_id = "C=CH, O=\"x\"";
  BOOST_TEST(render(state, StateFormat::Text).find("remote-id \"C=CH, O=\\\"x\\\"\"\n") != std::string::npos);
  state.ike_sas[0].name = "bad \xff octet";
  BOOST_TEST(of_main(render(state, StateFormat::Json)).at("ike").at("ike-sa").size() == 1U);
}

BOOST_AUTO_TEST_CASE(certificates_stand_behind_the_counters_where_there_are_any) {
  model::RuntimeState state = test::guide_state();
  const auto at = std::chrono::sys_days{std::chrono::year{2026} / 11 / 28} + std::chrono::hours(9);
  state.certificates = {{"gw",
                         "CN=gw",
                         false,
                         at,
                         at + std::chrono::hours(24 * 365),
                         model::Validity::ExpiresSoon,
                         {},
                         "token vault",
                         "the PIN was refused"}};
  const std::string text = test::rendered(state, StateFormat::Text);
  BOOST_TEST(text.find("    certificate-state name gw\n"
                       "        subject CN=gw\n"
                       "        validity expires-soon\n"
                       "        not-before 2026-11-28T09:00:00Z\n"
                       "        not-after 2027-11-28T09:00:00Z\n"
                       "        key-place \"token vault\"\n"
                       "        key-problem \"the PIN was refused\"\n"
                       "        ..\n") != std::string::npos);
  BOOST_TEST(text.find("certificate-authority-state") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
