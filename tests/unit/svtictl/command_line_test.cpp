// SPDX-License-Identifier: Apache-2.0
#include "svtictl/command_line.h"

#include <linux/rtnetlink.h>

#include <boost/test/unit_test.hpp>
#include <sstream>

namespace svti::svtictl {
namespace {

std::variant<Invocation, Stop> parse(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return parse_command_line(words);
}

Invocation accepted(const std::string& line) {
  auto parsed = parse(line);
  if (const auto* stop = std::get_if<Stop>(&parsed)) BOOST_FAIL(line << ": " << stop->text);
  return std::get<Invocation>(std::move(parsed));
}

template <typename Arguments>
Arguments arguments(const std::string& line) {
  const Invocation invocation = accepted(line);
  BOOST_REQUIRE_MESSAGE(std::holds_alternative<Arguments>(invocation.verb), line << " is another verb");
  return std::get<Arguments>(invocation.verb);
}

// the sentence of a usage error, without the hint at the help
std::string refused(const std::string& line) {
  const auto parsed = parse(line);
  BOOST_REQUIRE_MESSAGE(std::holds_alternative<Stop>(parsed), "accepted: " << line);
  const Stop& stop = std::get<Stop>(parsed);
  BOOST_TEST(stop.exit_code == kExitUsage);
  return stop.text.substr(0, stop.text.rfind("; '"));
}

BOOST_AUTO_TEST_SUITE(command_line)

BOOST_AUTO_TEST_CASE(add_takes_its_words_in_any_order) {
  for (const char* line :
       {"add svti100 id 100 dev eth0 link-netns red mtu 1400 up", "add svti100 mtu 1400 up link-netns red dev eth0 id 0x64",
        "add svti100 --id 100 --dev=eth0 link-netns red --mtu 1400 --up"}) {
    const auto add = arguments<AddArguments>(line);
    BOOST_TEST(add.name == "svti100");
    BOOST_TEST(add.id == 100U);
    BOOST_TEST(add.dev == "eth0");
    BOOST_TEST(add.link_netns == "red");
    BOOST_TEST(add.mtu.value() == 1400U);
    BOOST_TEST(add.up);
    BOOST_TEST(add.addresses.empty());
  }
}

BOOST_AUTO_TEST_CASE(add_needs_no_more_than_name_and_id) {
  const auto add = arguments<AddArguments>("add svti1 id 1");
  BOOST_TEST(add.dev == "");
  BOOST_TEST(add.link_netns == "");
  BOOST_TEST(!add.mtu.has_value());
  BOOST_TEST(!add.up);
}

BOOST_AUTO_TEST_CASE(address_may_be_repeated_and_keeps_its_order) {
  const auto add = arguments<AddArguments>("add svti1 address 10.0.0.1/24 id 1 address 2001:db8::1/64 up");
  BOOST_REQUIRE(add.addresses.size() == 2U);
  BOOST_TEST(add.addresses[0].address.to_string() == "10.0.0.1");
  BOOST_TEST(add.addresses[0].length == 24);
  BOOST_TEST(add.addresses[1].address.to_string() == "2001:db8::1");
  BOOST_TEST(add.up);
}

BOOST_AUTO_TEST_CASE(a_value_that_looks_like_a_keyword_is_a_value) {
  const auto add = arguments<AddArguments>("add svti1 dev id id 5 link-netns up");
  BOOST_TEST(add.dev == "id");
  BOOST_TEST(add.id == 5U);
  BOOST_TEST(add.link_netns == "up");
  BOOST_TEST(!add.up);
  BOOST_TEST(accepted("-n show add svti1 id 5").netns == "show");
}

BOOST_AUTO_TEST_CASE(options_stand_before_or_behind_the_verb) {
  for (const char* line : {"-n red --json --color always show", "show --netns red --colour=always -j", "show -n red -j --color always"}) {
    const Invocation invocation = accepted(line);
    BOOST_TEST(invocation.netns == "red");
    BOOST_TEST(invocation.json);
    BOOST_TEST((invocation.colour == Colour::Always));
  }
  BOOST_TEST(!accepted("show").json);
  BOOST_TEST((accepted("show").colour == Colour::Auto));
  BOOST_TEST((accepted("route show --color=never").colour == Colour::Never));
}

BOOST_AUTO_TEST_CASE(show_and_stats_take_one_or_all) {
  BOOST_TEST(arguments<ShowArguments>("show").name == "");
  BOOST_TEST(arguments<ShowArguments>("show svti1").name == "svti1");
  BOOST_TEST(arguments<StatsArguments>("stats svti1").name == "svti1");
  BOOST_TEST(arguments<DeleteArguments>("delete svti1").name == "svti1");
}

BOOST_AUTO_TEST_CASE(routes) {
  BOOST_TEST(arguments<RouteShowArguments>("route").table == 220U);
  BOOST_TEST(arguments<RouteShowArguments>("route show table 300").table == 300U);

  const auto add = arguments<RouteAddArguments>("route add 10.2.0.0/16 dev svti1 src 10.1.0.1 metric 5 table 300");
  BOOST_TEST(add.prefix.to_string() == "10.2.0.0/16");
  BOOST_TEST(add.type == RTN_UNICAST);
  BOOST_TEST(add.dev == "svti1");
  BOOST_TEST(add.source.value().to_string() == "10.1.0.1");
  BOOST_TEST(add.metric == 5U);
  BOOST_TEST(add.table == 300U);
  BOOST_TEST(arguments<RouteAddArguments>("route add 192.0.2.1 type throw").type == RTN_THROW);

  const auto del = arguments<RouteDeleteArguments>("route delete ::/0 dev svti1");
  BOOST_TEST(del.prefix.to_string() == "::/0");
  BOOST_TEST(del.dev == "svti1");
  BOOST_TEST(del.table == 220U);
  BOOST_TEST(del.type == 0);
}

BOOST_AUTO_TEST_CASE(rules) {
  BOOST_TEST(arguments<RuleShowArguments>("rule").table == 220U);
  const auto add = arguments<RuleAddArguments>("rule add");
  BOOST_TEST(add.priority == 220U);
  BOOST_TEST(add.table == 220U);
  BOOST_TEST((add.families == std::vector{IpFamily::V4, IpFamily::V6}));
  BOOST_TEST((arguments<RuleAddArguments>("rule add family ipv6 priority 5").families == std::vector{IpFamily::V6}));
  BOOST_TEST(arguments<RuleDeleteArguments>("rule delete priority 5 table 6").priority == 5U);
}

BOOST_AUTO_TEST_CASE(refusals_name_the_word_and_what_is_allowed) {
  BOOST_TEST(refused("") == "a verb is needed, such as 'show'");
  BOOST_TEST(refused("frobnicate") == "unknown verb 'frobnicate'");
  BOOST_TEST(refused("add") == "NAME is required");
  BOOST_TEST(refused("add svti1") == "id is required");
  BOOST_TEST(refused("add svti1 id") == "'id' needs a value (N)");
  BOOST_TEST(refused("add svti1 id 1 id 2") == "'id' is there twice");
  BOOST_TEST(refused("add svti1 id 1 frobnicate") == "unexpected word 'frobnicate'");
  BOOST_TEST(refused("add svti1 id 1 --frobnicate") == "unknown option '--frobnicate'");
  BOOST_TEST(refused("add svti1 id 1 show") == "unexpected word 'show'");
  BOOST_TEST(refused("add tun0 id 1") == "'tun0' is no name for an SVTI: it must begin with 'svti'");
  BOOST_TEST(refused("add svti1 id 0") == "'0' is no svti-id: a number from 1 to 4294967295, decimal or with 0x hexadecimal");
  BOOST_TEST(refused("add svti1 id 1 address 10.0.0.1/33") == "prefix length of '10.0.0.1/33': '33' is not a number from 0 to 32");
  BOOST_TEST(refused("show svti1 svti2") == "unexpected word 'svti2'");
  BOOST_TEST(refused("rule add family inet") == "'inet' is not one of ipv4, ipv6, both");
  BOOST_TEST(refused("route add 10.0.0.1/8 dev x") == "'10.0.0.1/8' has host bits set; the prefix is 10.0.0.0/8");
}

BOOST_AUTO_TEST_CASE(a_route_that_contradicts_itself_is_refused) {
  BOOST_TEST(refused("route add 10.0.0.0/8").starts_with("route 10.0.0.0/8 leads nowhere"));
  BOOST_TEST(refused("route add 10.0.0.0/8 type throw dev svti1") == "a route of type throw has neither dev nor src");
  BOOST_TEST(refused("route add 10.0.0.0/8 dev svti1 src ::1") == "src ::1 and 10.0.0.0/8 are of different families");
}

BOOST_AUTO_TEST_CASE(set_takes_thresholds_as_a_pair_and_needs_something_to_set) {
  const auto set = std::get<SetArguments>(std::get<Invocation>(parse("set svti1 sp-hash-ipv6 56/64")).verb);
  BOOST_TEST(!set.sp_hash_ipv4);
  BOOST_TEST((set.sp_hash_ipv6 && set.sp_hash_ipv6->local == 56 && set.sp_hash_ipv6->remote == 64));
  BOOST_TEST(std::get<SetArguments>(std::get<Invocation>(parse("set svti1 mtu 1400")).verb).mtu.value() == 1400U);
  BOOST_TEST(std::get<SetArguments>(std::get<Invocation>(parse("set svti1 mtu auto")).verb).mtu.value() == 0U);
  for (const char* wrong : {"set svti1", "set svti1 mtu 67", "set svti1 mtu none", "set svti1 sp-hash-ipv4 16",
                            "set svti1 sp-hash-ipv4 33/0", "set svti1 sp-hash-ipv6 0/129"}) {
    BOOST_TEST(std::holds_alternative<Stop>(parse(wrong)), wrong);
  }
}

BOOST_AUTO_TEST_CASE(a_packet_has_two_addresses_of_one_family) {
  const auto trace = std::get<TraceArguments>(std::get<Invocation>(parse("trace svti1 from 10.0.0.1 to 10.0.0.2 proto tcp dport 80")).verb);
  BOOST_TEST(trace.flow.protocol == 6);
  BOOST_TEST(trace.flow.destination_port == 80);
  BOOST_TEST(trace.flow.out);
  BOOST_TEST(std::holds_alternative<Invocation>(parse("spd svti1")));
  for (const char* wrong : {"trace svti1", "trace svti1 from 10.0.0.1", "trace svti1 from 10.0.0.1 to ::1", "spd svti1 proto tcp",
                            "trace svti1 from 10.0.0.1 to 10.0.0.2 dir fwd"}) {
    BOOST_TEST(std::holds_alternative<Stop>(parse(wrong)), wrong);
  }
}

BOOST_AUTO_TEST_CASE(a_refusal_points_to_the_help_of_its_verb) {
  BOOST_TEST(std::get<Stop>(parse("route add 10.0.0.0/8 dev")).text.ends_with("; 'svtictl route add --help' shows how it is used"));
}

BOOST_AUTO_TEST_CASE(every_verb_has_help_with_examples) {
  for (const char* verb : {"",     "add",       "set",      "delete",      "show",       "monitor",      "stats",
                           "spd",  "sad",       "trace",    "route",       "route show", "route add",    "route delete",
                           "rule", "rule show", "rule add", "rule delete", "offload",    "offload show", "completion"}) {
    const auto parsed = parse(std::string(verb) + " --help");
    BOOST_REQUIRE(std::holds_alternative<Stop>(parsed));
    const Stop& stop = std::get<Stop>(parsed);
    BOOST_TEST(stop.exit_code == kExitOk);
    BOOST_TEST(stop.text.find("Usage: svtictl") != std::string::npos, verb);
    BOOST_TEST(stop.text.find("Examples:\n  svtictl ") != std::string::npos, verb);
  }
  BOOST_TEST(std::get<Stop>(parse("add --help")).text.find("Usage: svtictl add NAME id N [dev IFNAME]") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(completion_knows_every_verb_and_keyword) {
  const auto script = arguments<PrintArguments>("completion bash").text;
  for (const char* part : {"\"add\") words=\"id dev link-netns mtu sp-hash-ipv4 sp-hash-ipv6 address up",
                           "\"\") words=\"add set delete show monitor stats spd sad trace route rule offload completion",
                           "\"route add\") words=\"dev type src metric table", "complete -F _svtictl svtictl\n"}) {
    BOOST_TEST(script.find(part) != std::string::npos, part << " is not in\n" << script);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace svti::svtictl
