// SPDX-License-Identifier: Apache-2.0
// What `show state --json` prints is instance data of docs/yang: parsed and validated by libyang, no leaf unknown, none missing. The other
// way round, no leaf of state stands in docs/yang that nothing prints.
#include <libyang/libyang.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "config/document.h"
#include "control/render_state.h"
#include "model/algorithm.h"
#include "support/fake_service.h"
#include "support/rendered_state.h"

using namespace svti;
using control::StateFormat;

namespace {

class Yang {
 public:
  Yang() {
    ly_log_options(LY_LOSTORE_LAST);
    BOOST_TEST_REQUIRE(ly_ctx_new(SVTI_SOURCE_DIR "/docs/yang", LY_CTX_NO_YANGLIBRARY, &context_) == LY_SUCCESS);
    module_ = ly_ctx_load_module(context_, "svti", nullptr, nullptr);
    BOOST_TEST_REQUIRE((module_ != nullptr), ly_errmsg(context_));
  }
  ~Yang() { ly_ctx_destroy(context_); }
  Yang(const Yang&) = delete;
  Yang& operator=(const Yang&) = delete;

  bool has(const std::string& path) const { return lys_find_path(context_, nullptr, path.c_str(), 0) != nullptr; }

  // "" or why it is not valid. `partial`: what is said of one VPN is not complete; leaves and values are looked at alone.
  std::string invalid(const std::string& json, bool partial = false) {
    lyd_node* tree = nullptr;
    const std::uint32_t parse = LYD_PARSE_STRICT | (partial ? LYD_PARSE_ONLY : 0U);
    const std::uint32_t validate = partial ? 0U : LYD_VALIDATE_PRESENT;
    const LY_ERR result = lyd_parse_data_mem(context_, json.c_str(), LYD_JSON, parse, validate, &tree);
    std::string why;
    if (result != LY_SUCCESS) why = ly_errmsg(context_) + std::string(" at ") + (ly_errpath(context_) ? ly_errpath(context_) : "?");
    if (tree != nullptr) collect(tree);
    lyd_free_all(tree);
    return why;
  }

  // leaves of state that were in nothing that was validated
  std::set<std::string> unseen() const {
    std::set<std::string> out;
    leaves(module_->compiled->data, out);
    for (const std::string& path : seen_) out.erase(path);
    return out;
  }

 private:
  static std::string path_of(const lysc_node* schema) {
    char* text = lysc_path(schema, LYSC_PATH_DATA, nullptr, 0);
    std::string out = text;
    std::free(text);
    return out;
  }

  void collect(const lyd_node* siblings) {
    for (const lyd_node* node = siblings; node != nullptr; node = node->next) {
      if (!(node->flags & LYD_DEFAULT)) seen_.insert(path_of(node->schema));
      collect(lyd_child(node));
    }
  }

  static void leaves(const lysc_node* siblings, std::set<std::string>& out) {
    for (const lysc_node* node = siblings; node != nullptr; node = node->next) {
      const bool is_leaf = node->nodetype == LYS_LEAF || node->nodetype == LYS_LEAFLIST;
      if (is_leaf && (node->flags & LYS_CONFIG_R) != 0) out.insert(path_of(node));
      if (!is_leaf) leaves(lysc_node_child(node), out);
    }
  }

  ly_ctx* context_ = nullptr;
  const lys_module* module_ = nullptr;
  std::set<std::string> seen_;
};

std::string render(const model::RuntimeState& state, engine::Service::Pieces applied = test::pieces({}), const std::string& vpn = {}) {
  return test::rendered(state, StateFormat::Json, vpn, std::move(applied));
}

// several SAs and CHILD SAs, with every leaf that may be there
model::RuntimeState full_state() {
  using wire::TransformType;
  model::RuntimeState state = test::guide_state();
  state.vpn_counters["other"] = {};
  state.counters.values.fill(UINT64_MAX);
  for (const auto validity :
       {model::Validity::Valid, model::Validity::ExpiresSoon, model::Validity::Expired, model::Validity::NotYetValid}) {
    for (const bool authority : {false, true}) {
      state.certificates.push_back({"c" + std::to_string(static_cast<int>(validity)),
                                    "CN=a \"b\"",
                                    authority,
                                    {},
                                    {},
                                    validity,
                                    {},
                                    authority ? "" : "signer",
                                    authority ? "" : "it is sealed"});
      if (!authority) continue;
      model::RevocationState list{"http://a.example/l",       false, true, "0a", true, {}, std::chrono::sys_seconds{}, 7,
                                  std::chrono::sys_seconds{}, {},    {}};
      model::RevocationState responder{"http://a.example/", true, false, {}, false, {}, {}, 0, {}, std::chrono::sys_seconds{}, "a \"b\""};
      state.certificates.back().revocation = {list, responder};
    }
  }
  model::IkeSaState& sa = state.ike_sas.emplace_back(test::guide_ike_sa());
  sa.unique_id = 2;
  sa.local_eap_id = "bob";
  sa.remote_eap_id = "carol";
  sa.eap_method = "eap-md5";
  sa.radius_server = "fr";
  state.radius_servers.push_back(
      {"fr", "radius.example", *IpAddress::parse("192.0.2.9"), false, "it did not answer", 1, 2, 3, 4, 5, 6, 7, 8, 9});
  sa.local_vips = {IpAddress::parse("10.9.0.1").value(), IpAddress::parse("2001:db8::9").value()};
  sa.remote_vips = {IpAddress::parse("10.9.0.2").value()};
  sa.dns = sa.nbns = sa.dhcp = {IpAddress::parse("10.9.0.53").value()};
  sa.remote = {IpAddress::parse("2001:db8::1").value(), 4500};
  sa.transforms = {wire::transform(TransformType::Encryption, wire::EncryptionId::AesGcm16, 128),
                   wire::transform(TransformType::Prf, wire::PrfId::HmacSha256),
                   wire::transform(TransformType::KeyExchange, wire::KeGroup::Curve25519)};
  model::ChildSaState& child = sa.children[0];
  child.svti_id_in = 1;
  child.svti_id_out = UINT32_MAX;
  child.bytes_in = UINT64_MAX;
  child.offload = model::OffloadStatus{model::Offload::Crypto, "eth0", "for the reader"};
  child.transforms.push_back(wire::transform(TransformType::KeyExchange, wire::KeGroup::Curve25519));
  for (unsigned number = 1; number <= wire::kMaxAdditionalKe; ++number) {
    for (auto* transforms : {&sa.transforms, &child.transforms})
      transforms->push_back(wire::transform(wire::additional_ke(number), wire::KeGroup::MlKem768));
  }
  const Prefix prefix = Prefix::parse("10.1.0.0/16").value();
  wire::TrafficSelector range = wire::TrafficSelector::of(prefix);
  range.end = IpAddress::parse("10.2.1.127").value();
  child.local_ts = {wire::TrafficSelector::of(prefix, 6, 80, 80), range, wire::TrafficSelector::of(prefix, 17, 1, 65535)};
  child.remote_ts = {wire::TrafficSelector::of(prefix, 6, 443, 443), wire::TrafficSelector::of(Prefix::parse("::/0").value())};
  model::ChildSaState& second = sa.children.emplace_back(child);
  second.unique_id = 3;
  second.transforms = {wire::transform(TransformType::Encryption, wire::EncryptionId::AesGcm16, 256)};
  model::SvtiState& svti = state.interfaces.emplace_back();
  svti.configured.name = "svti7";
  svti.configured.svti_id = 7;
  svti.configured.link_vrf = "main";
  svti.configured.link_interface = "eth0";
  svti.configured.description = "for the reader";
  svti.link.emplace();
  svti.link->ifindex = 12;
  svti.link->mtu = 1500;
  svti.link->addresses = {{IpAddress::parse("10.0.0.1").value(), 24}, {IpAddress::parse("fe80::1").value(), 64}};
  return state;
}

// the same with no leaf that may be absent
model::RuntimeState bare_state() {
  model::RuntimeState state = test::guide_state();
  model::IkeSaState& sa = state.ike_sas[0];
  sa.name.clear();
  sa.local_id.clear();
  sa.remote_id.clear();
  sa.transforms.clear();
  sa.rekey.reset();
  sa.reauth.reset();
  sa.children[0].rekey.reset();
  sa.children[0].life.reset();
  sa.children[0].transforms.clear();
  sa.children[0].local_ts.clear();
  sa.children[0].remote_ts.clear();
  model::SvtiState& svti = state.interfaces.emplace_back();
  svti.configured.name = "svti7";
  svti.configured.svti_id = 7;
  svti.configured.link_vrf = "main";
  return state;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(state_yang)

BOOST_AUTO_TEST_CASE(state_is_instance_data_and_no_leaf_of_state_is_never_shown) {
  Yang yang;
  BOOST_TEST(yang.invalid(render({})) == "");
  BOOST_TEST(yang.invalid(render(bare_state())) == "");
  BOOST_TEST(yang.invalid(render(test::guide_state())) == "");
  BOOST_TEST(yang.invalid(render(full_state())) == "");
  for (const std::string& path : yang.unseen()) BOOST_ERROR("docs/yang has " + path + ", which show state never prints");
}

BOOST_AUTO_TEST_CASE(a_leaf_too_many_or_too_few_is_found) {
  Yang yang;
  auto json = nlohmann::json::parse(render(full_state()));
  const auto without = [&](const std::string& pointer) {
    auto less = json;
    const nlohmann::json::json_pointer where(pointer);
    less.at(where.parent_pointer()).erase(where.back());
    return yang.invalid(less.dump());
  };
  const std::string sa = "/svti:vrf/0/ike/ike-sa/1";
  for (const std::string& needed :
       {std::string("/svti:vrf/0/ike/ike-sas/total"), std::string("/svti:vrf/0/ike/counters/invalid-spi"),
        std::string("/svti:vrf/0/ike/task-processing/task-queues/scheduled"), sa + "/unique-id", sa + "/state", sa + "/initiator",
        sa + "/child-sa/0/spi-in", sa + "/child-sa/0/bytes-in", sa + "/child-sa/0/local-ts/0/subnet"}) {
    BOOST_TEST(without(needed) != "", needed << " may be missing");
  }
  for (const std::string& where : {std::string("/svti:vrf/0/ike"), std::string("/svti:vrf/0/ike/counters"), sa, sa + "/child-sa/0"}) {
    auto more = json;
    more[nlohmann::json::json_pointer(where)]["unheard-of"] = 1;
    BOOST_TEST(yang.invalid(more.dump()) != "", "a leaf more in " << where);
  }
  auto wrong = json;
  wrong[nlohmann::json::json_pointer(sa)]["state"] = "happy";
  BOOST_TEST(yang.invalid(wrong.dump()) != "");
}

BOOST_AUTO_TEST_CASE(every_phase_and_every_algorithm_that_can_be_negotiated_has_its_name) {
  Yang yang;
  for (std::size_t phase = 0; phase < model::kIkeSaPhaseNames.size(); ++phase) {
    model::RuntimeState state = test::guide_state();
    state.ike_sas[0].phase = static_cast<model::IkeSaPhase>(phase);
    BOOST_TEST(yang.invalid(render(state)) == "");
  }
  for (std::size_t phase = 0; phase < model::kChildSaPhaseNames.size(); ++phase) {
    model::RuntimeState state = test::guide_state();
    state.ike_sas[0].children[0].phase = static_cast<model::ChildSaPhase>(phase);
    BOOST_TEST(yang.invalid(render(state)) == "");
  }
  for (const model::Algorithm& algorithm : model::algorithms()) {
    model::RuntimeState state = test::guide_state();
    state.ike_sas[0].transforms = {model::to_transform(algorithm)};
    if (algorithm.kind == model::AlgorithmKind::Kem) state.ike_sas[0].transforms[0].type = wire::TransformType::AdditionalKe1;
    if (algorithm.kind != model::AlgorithmKind::Prf) state.ike_sas[0].children[0].transforms = state.ike_sas[0].transforms;
    BOOST_TEST(yang.invalid(render(state)) == "", algorithm.keyword);
  }
}

// the text: what print() has of the same
BOOST_AUTO_TEST_CASE(the_pieces_of_a_configuration_are_its_text) {
  for (const auto& entry : std::filesystem::directory_iterator(SVTI_SOURCE_DIR "/tests/fuzz/corpus/fuzz_config")) {
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto document = config::Document::parse(text, entry.path().filename().string());
    if (!document || !document->resolved()->vrfs.contains("main") || !document->resolved()->vrfs.at("main").ike) continue;
    for (const bool resolved : {false, true}) {
      const config::PrintOptions options{!resolved, true, resolved, "vrf main ike"};
      std::string joined = "ike\n";
      const auto next = document->ike_pieces("main", {}, options, false);
      while (const auto piece = next()) joined += *piece;
      BOOST_TEST(joined + "    ..\n" == document->print(options).value(), entry.path());
    }
    BOOST_TEST(!document->ike_pieces("main", "no-such-vpn", {}, false)());
    BOOST_TEST(!document->ike_pieces("no-such-vrf", {}, {}, false)());
  }
}

BOOST_AUTO_TEST_CASE(the_applied_configuration_is_instance_data_with_it) {
  Yang yang;
  std::size_t blocks = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SVTI_SOURCE_DIR "/tests/fuzz/corpus/fuzz_config")) {
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto document = config::Document::parse(text, entry.path().filename().string());
    if (!document) continue;  // a block that stands for itself, of what must be together
    const bool has_ike = document->resolved()->vrfs.contains("main") && document->resolved()->vrfs.at("main").ike;
    if (!has_ike) continue;
    ++blocks;
    for (const bool secrets : {false, true}) {
      config::PrintOptions options{true, secrets, true, {}};
      BOOST_TEST(yang.invalid(render(full_state(), document->ike_pieces("main", {}, options, true))) == "", entry.path());
      for (const auto& [name, vpn] : document->resolved()->vrfs.at("main").ike->vpns) {
        BOOST_TEST(yang.invalid(render(full_state(), document->ike_pieces("main", name, options, true), name), true) == "",
                   entry.path() << " " << name);
      }
      options.resolved = false;
      BOOST_TEST(yang.invalid(document->to_json(options).value(), true) == "", "show config of " << entry.path());
    }
  }
  BOOST_TEST(blocks > 5U);
}

// Sections 2 and 3 of the guide, leaf by leaf.
BOOST_AUTO_TEST_CASE(every_leaf_of_the_guide_is_in_the_schema) {
  Yang yang;
  const auto check = [&](const std::string& where, std::string_view words) {
    std::istringstream list{std::string(words)};
    for (std::string leaf; list >> leaf;) BOOST_TEST(yang.has("/svti:vrf/" + where + leaf), where << leaf << " is not in docs/yang");
  };
  check("ike/", "enabled");
  check("ike/pre-shared-key/", "name id secret");
  check("ike/eap-key/", "name id secret");
  check("ike/certificate/", "name certificate private-key");
  check("ike/certificate-authority/", "name certificate crl crl-uri ocsp-uri");
  constexpr std::string_view kRadius = "nas-identifier auth-port sockets retransmit-tries retransmit-timeout retransmit-base";
  check("ike/eap-radius/", kRadius);
  check("ike/eap-radius/server/", kRadius);
  check("ike/eap-radius/server/", "name address secret source-address preference");
  for (const std::string facility : {"daemon", "authpriv"})
    check("ike/logging/" + facility + "/", "default asn1 child config daemon encoding ike ipsec job kernel manager network");
  check("ike/global-options/",
        "threads acquire-timeout sa-table-size sa-table-segments install-routes routing-table routing-table-prio retransmit-tries "
        "retransmit-timeout "
        "retransmit-base delete-rekeyed delete-rekeyed-delay make-before-break snmp mobike-prefer-best-path");
  check("ike/global-options/dos-protection/", "cookie-threshold block-threshold init-limit-half-open");
  check("ike/global-options/sp-hash-ipv4/", "local remote");
  check("ike/global-options/sp-hash-ipv6/", "local remote");
  check("ike/ha/", "enabled listen-ha-group local-address remote-address pool/name pool/address");
  check("ike/ha/seqnum-sync/", "oseq-shift sync-period-time sync-period-packets");
  constexpr std::string_view kIke =
      "local-auth-method remote-auth-method keying-tries unique-sa reauth-time rekey-time dpd-delay aggressive udp-encap mobike "
      "ike-proposal/id "
      "ike-proposal/enc-alg ike-proposal/auth-alg ike-proposal/aead-alg ike-proposal/prf-alg ike-proposal/dh-group";
  constexpr std::string_view kIpsec =
      "start-action close-action dpd-action replay-window rekey-time rekey-bytes rekey-packets encap-copy-dscp decap-copy-dscp "
      "encap-copy-df hw-offload "
      "esp-proposal/id esp-proposal/enc-alg esp-proposal/auth-alg esp-proposal/aead-alg esp-proposal/dh-group esp-proposal/esn "
      "ah-proposal/id "
      "ah-proposal/auth-alg ah-proposal/dh-group ah-proposal/esn";
  check("ike/ike-policy-template/", kIke);
  check("ike/vpn/ike-policy/", kIke);
  check("ike/ipsec-policy-template/", kIpsec);
  check("ike/vpn/ipsec-policy/", kIpsec);
  check("ike/vpn/",
        "name version description ike-policy/template ipsec-policy/template local-address remote-address local-id remote-id local-eap-id "
        "remote-eap-id certificate remote-ca-certificate vip-pool vip-request");
  check("ike/vpn/security-policy/",
        "name local-ts/subnet local-ts/protocol local-ts/port remote-ts/subnet remote-ts/protocol remote-ts/port action mode priority "
        "svti-id-in "
        "svti-id-out inject-routes/next-hop inject-routes/next-hop-backup inject-routes/vrf");
  check("ike/pool/", "name address dns nbns dhcp");
  check("interface/svti/",
        "name svti-id mtu enabled promiscuous description ipv4/enabled ipv4/address ipv6/enabled ipv6/address link-vrf link-interface "
        "ifindex "
        "admin-status oper-status counters/in-octets counters/in-unicast-pkts counters/in-discards counters/in-errors counters/out-octets "
        "counters/out-unicast-pkts counters/out-discards counters/out-errors");
  check("ike/ike-sas/", "total half-open");
  check("ike/task-processing/worker-threads/", "total idle critical high medium low");
  check("ike/task-processing/task-queues/", "critical high medium low scheduled");
  for (const std::string_view counter : model::kCounterNames) {
    check("ike/counters/", counter);
    check("ike/vpn-counters/", counter);
  }
  check("ike/vpn-counters/", "name");
  check("ike/ike-sa/",
        "unique-id name version state local-address remote-address local-port remote-port initiator-spi responder-spi enc-alg auth-alg "
        "aead-alg "
        "prf-alg dh-group established-time rekey-time reauth-time udp-encap mobike local-id remote-id local-eap-id remote-eap-id "
        "eap-method local-vip remote-vip "
        "dns nbns dhcp "
        "initiator");
  check("ike/ike-sa/child-sa/",
        "unique-id name state reqid protocol udp-encap mobike spi-in spi-out enc-alg auth-alg aead-alg dh-group esn offload offload-device "
        "offload-reason bytes-in packets-in "
        "bytes-out "
        "packets-out installed-time rekey-time life-time local-ts/subnet local-ts/protocol local-ts/port remote-ts/subnet svti-id-in "
        "svti-id-out "
        "mode");
}

BOOST_AUTO_TEST_SUITE_END()
