// SPDX-License-Identifier: Apache-2.0
#include "svtictl/render.h"

#include <linux/rtnetlink.h>
#include <linux/svti.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

namespace svti::svtictl {
namespace {

using nlohmann::json;

const Style kText{};
const Style kJson{true, false};
const Style kColour{false, true};

Svti sample() {
  Svti out;
  out.name = "svti100";
  out.index = 5;
  out.id = 100;
  out.mtu = 1400;
  out.enabled = true;
  out.oper_status = "UP";
  out.link_index = 7;
  out.link = "eth0";
  out.link_nsid = 3;
  out.link_netns = "red";
  out.addresses = {"10.0.0.1/24", "fe80::1/64"};
  out.in = {1000, 10, 1, 0};
  out.out = {2000, 20, 0, 2};
  out.reasons = {{SVTI_XSTATS_TX_NO_POLICY, 3}, {SVTI_XSTATS_TX_QUEUED, 4}, {SVTI_XSTATS_MAX + 1, 5}};
  return out;
}

Route route_to(const char* prefix, const char* device, std::optional<std::uint32_t> svti_id) {
  Route out;
  out.type = RTN_UNICAST;
  out.prefix = Prefix::parse(prefix).value();
  out.next_hops.push_back({std::nullopt, 5, device, false, svti_id});
  out.protocol = kProtocolSvti;
  return out;
}

BOOST_AUTO_TEST_SUITE(render)

BOOST_AUTO_TEST_CASE(interfaces_as_json_have_the_leaves_of_the_guide) {
  const json out = json::parse(render_interfaces({sample()}, kJson));
  const json expected = {{{"name", "svti100"},
                          {"ifindex", 5},
                          {"svti-id", 100},
                          {"mtu", 1400},
                          {"mtu-fixed", true},
                          {"sa-per-cpu", false},
                          {"promiscuous", false},
                          {"enabled", true},
                          {"oper-status", "UP"},
                          {"link-interface", "eth0"},
                          {"link-netns", "red"},
                          {"addresses", {"10.0.0.1/24", "fe80::1/64"}},
                          {"counters",
                           {{"in-octets", 1000},
                            {"in-unicast-pkts", 10},
                            {"in-discards", 1},
                            {"in-errors", 0},
                            {"out-octets", 2000},
                            {"out-unicast-pkts", 20},
                            {"out-discards", 0},
                            {"out-errors", 2}}}}};
  BOOST_TEST(out == expected, out.dump(2));
}

BOOST_AUTO_TEST_CASE(leaves_without_a_value_are_absent) {
  Svti svti = sample();
  svti.link_index = 0;
  svti.link_nsid.reset();
  const json out = json::parse(render_interface(svti, kJson));
  BOOST_TEST(out.is_object());
  BOOST_TEST(!out.contains("link-interface"));
  BOOST_TEST(!out.contains("link-netns"));
}

BOOST_AUTO_TEST_CASE(what_has_no_name_here_is_shown_by_its_number) {
  Svti svti = sample();
  svti.link.clear();
  svti.link_netns.clear();
  const json out = json::parse(render_interface(svti, kJson));
  BOOST_TEST(out["link-interface"] == "if7");
  BOOST_TEST(out["link-netns"] == "nsid3");
}

BOOST_AUTO_TEST_CASE(interfaces_as_text) {
  BOOST_TEST(render_interfaces({sample()}, kText) ==
             "svti100  svti-id 100  enabled  oper-status UP  mtu 1400 fixed\n"
             "    link eth0\n"
             "    link-netns red\n"
             "    address 10.0.0.1/24\n"
             "    address fe80::1/64\n"
             "    in   packets 10  octets 1000  discards 1  errors 0\n"
             "    out  packets 20  octets 2000  discards 0  errors 2\n");
}

BOOST_AUTO_TEST_CASE(stats_keep_what_was_queued_apart_from_what_was_dropped) {
  const json out = json::parse(render_stats({sample()}, kJson));
  BOOST_TEST(out[0]["drops"] == json({{"tx-no-policy", 3}, {"reason-16", 5}}));
  BOOST_TEST(out[0]["queued"] == 4);
  BOOST_TEST(out[0]["svti-id"] == 100);
  BOOST_TEST(out[0]["counters"]["out-unicast-pkts"] == 20);
}

BOOST_AUTO_TEST_CASE(stats_as_text_say_what_a_reason_means) {
  const std::string out = render_stats({sample()}, kText);
  BOOST_TEST(
      out.find("    tx-no-policy              3  routed here, but no policy of this interface covers the packet\n") != std::string::npos,
      out);
  BOOST_TEST(out.find("    tx-queued                 4  not dropped: kept until an SA was negotiated\n") != std::string::npos, out);
}

BOOST_AUTO_TEST_CASE(every_reason_of_the_contract_has_the_name_it_has_there) {
  const char* const names[] = SVTI_XSTATS_NAMES;
  Svti svti = sample();
  svti.reasons.clear();
  for (std::uint32_t type = 1; type <= SVTI_XSTATS_MAX; ++type) svti.reasons.push_back({type, type});
  const json out = json::parse(render_stats({svti}, kJson))[0];
  for (std::uint32_t type = 1; type <= SVTI_XSTATS_MAX; ++type) {
    if (type == SVTI_XSTATS_TX_QUEUED) continue;
    BOOST_TEST(out["drops"][names[type - 1]] == type);
  }
  BOOST_TEST(out["queued"] == static_cast<std::uint32_t>(SVTI_XSTATS_TX_QUEUED));
}

BOOST_AUTO_TEST_CASE(routes_as_text_read_like_ip_route) {
  Route throwing = route_to("192.0.2.1/32", "", std::nullopt);
  throwing.type = RTN_THROW;
  throwing.next_hops.clear();
  Route other = route_to("2001:db8::/32", "eth0", std::nullopt);
  other.next_hops.front().gateway = IpAddress::parse("fe80::1").value();
  other.next_hops.front().link_down = true;
  other.protocol = RTPROT_STATIC;
  other.metric = 7;
  Route mine = route_to("10.2.0.0/16", "svti100", 100);
  mine.source = IpAddress::parse("10.1.0.1").value();
  BOOST_TEST(render_routes({mine, throwing, other}, 220, kText) ==
             "10.2.0.0/16 dev svti100 svti-id 100 proto svti src 10.1.0.1\n"
             "throw 192.0.2.1/32 proto svti\n"
             "2001:db8::/32 via fe80::1 dev eth0 linkdown proto static metric 7\n");
}

BOOST_AUTO_TEST_CASE(routes_as_json) {
  Route several = route_to("10.3.0.0/16", "svti100", 100);
  several.next_hops.push_back({IpAddress::parse("10.9.0.9").value(), 9, "", true, std::nullopt});
  const json out = json::parse(render_routes({route_to("10.2.0.0/16", "svti100", 100), several}, 220, kJson));
  const json expected = {
      {{"table", 220},
       {"type", "unicast"},
       {"prefix", "10.2.0.0/16"},
       {"device", "svti100"},
       {"svti-id", 100},
       {"metric", 0},
       {"protocol", "svti"}},
      {{"table", 220},
       {"type", "unicast"},
       {"prefix", "10.3.0.0/16"},
       {"next-hops", {{{"device", "svti100"}, {"svti-id", 100}}, {{"gateway", "10.9.0.9"}, {"device", "if9"}, {"link-down", true}}}},
       {"metric", 0},
       {"protocol", "svti"}}};
  BOOST_TEST(out == expected, out.dump(2));
}

BOOST_AUTO_TEST_CASE(rules_in_both_forms) {
  Rule rule;
  rule.family = IpFamily::V6;
  rule.priority = 220;
  rule.table = 220;
  rule.protocol = kProtocolSvti;
  BOOST_TEST(render_rules({rule}, 220, kText) == "ipv6  220: from all lookup 220 proto svti\n");
  BOOST_TEST(json::parse(render_rules({rule}, 220, kJson)) ==
             json({{{"family", "ipv6"}, {"priority", 220}, {"table", 220}, {"protocol", "svti"}}}));
  rule.inverted = true;
  rule.from = Prefix::parse("2001:db8::/32").value();
  rule.to = Prefix::parse("::/0").value();
  rule.mark = 5;
  rule.mask = 255;
  rule.input_device = "v0";
  rule.protocol = 77;
  BOOST_TEST(render_rules({rule}, 220, kText) == "ipv6  220: not from 2001:db8::/32 to ::/0 fwmark 0x5/0xff iif v0 lookup 220 proto 77\n");
}

BOOST_AUTO_TEST_CASE(offload_tells_devices_and_every_sa) {
  OffloadedSa out;
  out.spi = 0xc0ffee01;
  out.source = IpAddress::parse("192.0.2.1").value();
  out.destination = IpAddress::parse("192.0.2.2").value();
  out.protocol = 50;
  out.reqid = 7;
  out.svti_id = 100;
  OffloadedSa in = out;
  in.device_index = 3;
  in.device = "eth0";
  in.inbound = true;
  const OffloadDevice device{"eth0", true, false};
  BOOST_TEST(render_offload({device}, {out, in}, kText) ==
             "device eth0  esp-hw-offload on  esp-tx-csum-hw-offload off\n"
             "esp spi 0xc0ffee01  192.0.2.1 -> 192.0.2.2  reqid 7 svti-id 100  offload none\n"
             "esp spi 0xc0ffee01  192.0.2.1 -> 192.0.2.2  reqid 7 svti-id 100  offload crypto in by eth0\n");
  const json tree = json::parse(render_offload({device}, {out, in}, kJson));
  BOOST_TEST(tree.at("device") == json({{{"name", "eth0"}, {"esp-hw-offload", true}, {"esp-tx-csum-hw-offload", false}}}));
  BOOST_TEST(tree.at("sa").at(0).at("offload") == "none");
  BOOST_TEST(!tree.at("sa").at(0).contains("offload-device"));
  BOOST_TEST(tree.at("sa").at(1).at("offload-device") == "eth0");
  in.packet = true;
  BOOST_TEST(render_offload({}, {in}, kText).ends_with("offload packet in by eth0\n"));
  BOOST_TEST(render_offload({}, {}, kText) == "no device with ESP offload here\n");
}

BOOST_AUTO_TEST_CASE(nothing_is_an_empty_array_or_a_line) {
  BOOST_TEST(render_interfaces({}, kJson) == "[]\n");
  BOOST_TEST(render_routes({}, 300, kText) == "table 300 is empty\n");
  BOOST_TEST(render_rules({}, 300, kText) == "no rule leads to table 300; 'svtictl rule add' makes one\n");
  BOOST_TEST(render_done("deleted", "svti100", kText) == "");
  BOOST_TEST(json::parse(render_done("deleted", "svti100", kJson)) == json({{"done", "deleted"}, {"name", "svti100"}}));
}

BOOST_AUTO_TEST_CASE(colour_is_only_where_it_was_asked_for_and_never_in_json) {
  BOOST_TEST(render_interfaces({sample()}, kText).find('\033') == std::string::npos);
  BOOST_TEST(render_interfaces({sample()}, kColour).find("\033[36msvti100\033[0m") != std::string::npos);
  BOOST_TEST(render_interfaces({sample()}, {true, true}).find('\033') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_error_is_one_line) {
  BOOST_TEST(render_error("it broke", kText) == "svtictl: it broke\n");
  BOOST_TEST(json::parse(render_error("it \"broke\"", kJson)) == json({{"error", "it \"broke\""}}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace svti::svtictl
