// SPDX-License-Identifier: Apache-2.0
#include "vici/message.h"

#include <boost/test/unit_test.hpp>
#include <random>

using namespace svti;
using namespace svti::vici;

namespace {

// The example of the README of strongSwan's vici plugin, as that README encodes it.
const char* const kReadmeExample =
    "03046b6579310006"
    "76616c756531"                  // key1 = value1
    "010873656374696f6e31"          // section1 = {
    "010b7375622d73656374696f6e"    //   sub-section = {
    "03046b657932000676616c756532"  //     key2 = value2
    "02"                            //   }
    "04056c69737431"                //   list1 = [
    "0500056974656d31"              //     item1,
    "0500056974656d32"              //     item2
    "06"                            //   ]
    "02";                           // }

Message readme_message() {
  Message message;
  message.add("key1", "value1");
  Section& section = message.add_section("section1");
  section.add_section("sub-section").add("key2", "value2");
  section.add_list("list1", {"item1", "item2"});
  return message;
}

std::string refusal(std::string_view hex) {
  const Result<Message> parsed = parse_message(from_hex(hex).value());
  return parsed ? "accepted" : parsed.error().message;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(message)

BOOST_AUTO_TEST_CASE(the_example_of_the_readme_encodes_and_parses) {
  BOOST_TEST(to_hex(encode_message(readme_message()).value()) == kReadmeExample);
  const Message parsed = parse_message(from_hex(kReadmeExample).value()).value();
  BOOST_CHECK(parsed == readme_message());
  BOOST_TEST(parsed.text("key1") == "value1");
  BOOST_TEST(parsed.section("section1")->section("sub-section")->text("key2") == "value2");
  BOOST_CHECK((*parsed.section("section1")->list("list1") == List{"item1", "item2"}));
}

BOOST_AUTO_TEST_CASE(an_empty_message_is_no_octets) {
  BOOST_TEST(encode_message({}).value().empty());
  BOOST_TEST(parse_message({}).value().empty());
}

BOOST_AUTO_TEST_CASE(every_truncation_is_refused_or_a_shorter_message) {
  const Bytes whole = from_hex(kReadmeExample).value();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const bool boundary = size == 0 || size == 14;  // before and behind "key1 = value1"
    BOOST_TEST(parse_message(ByteView(whole).first(size)).has_value() == boundary, "first " << size << " octets");
  }
}

BOOST_AUTO_TEST_CASE(values_of_any_octets_and_of_the_greatest_size_survive) {
  std::string octets(kMaxValueSize, '\0');
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<char>(i * 7);
  Message message;
  message.add(std::string(kMaxNameSize, 'n'), octets).add("", "").add_list("empty", {}).add_list("items", {"", octets});
  message.add_section("");
  BOOST_CHECK(parse_message(encode_message(message).value()).value() == message);
}

BOOST_AUTO_TEST_CASE(what_has_no_room_is_not_encoded) {
  Message long_name, long_value, long_item, control;
  long_name.add(std::string(kMaxNameSize + 1, 'n'), "");
  long_value.add("v", std::string(kMaxValueSize + 1, 'v'));
  long_item.add_list("l", {std::string(kMaxValueSize + 1, 'v')});
  control.add_section("a\nb");
  for (const Message* message : {&long_name, &long_value, &long_item, &control}) BOOST_TEST(!encode_message(*message).has_value());
}

BOOST_AUTO_TEST_CASE(sections_nest_to_the_limit_and_no_deeper) {
  const auto nested = [](std::size_t depth) {
    std::string hex;
    for (std::size_t i = 0; i < depth; ++i) hex += "010161";
    for (std::size_t i = 0; i < depth; ++i) hex += "02";
    return hex;
  };
  BOOST_TEST(refusal(nested(kMaxDepth)) == "accepted");
  BOOST_TEST(refusal(nested(kMaxDepth + 1)) == "sections deeper than 16");
  BOOST_TEST(refusal(nested(100000)) == "sections deeper than 16");

  Message message;
  Section* innermost = &message;
  for (std::size_t i = 0; i < kMaxDepth; ++i) innermost = &innermost->add_section("a");
  BOOST_TEST(encode_message(message).has_value());
  innermost->add_section("a");
  BOOST_TEST(!encode_message(message).has_value());
}

BOOST_AUTO_TEST_CASE(malformed_messages_are_refused_with_the_reason) {
  BOOST_TEST(refusal("02") == "end of a section that was not begun");
  BOOST_TEST(refusal("010161") == "section without an end");
  BOOST_TEST(refusal("00") == "element 0 within a section");
  BOOST_TEST(refusal("07") == "element 7 within a section");
  BOOST_TEST(refusal("05000161") == "element 5 within a section");
  BOOST_TEST(refusal("06") == "element 6 within a section");
  BOOST_TEST(refusal("0401610401620606") == "element 4 within a list");
  BOOST_TEST(refusal("0401610301620000") == "element 3 within a list");
  BOOST_TEST(refusal("04016101016202") == "element 1 within a list");
  BOOST_TEST(refusal("040161") == "1 octets expected, 0 left");
  BOOST_TEST(refusal("03016100056162") == "5 octets expected, 2 left");
  BOOST_TEST(refusal("03010a0000") == "control octet in the name \"\\x0a\"");
}

BOOST_AUTO_TEST_CASE(keys_and_lists_are_unique_in_their_section_but_sections_may_repeat) {
  BOOST_TEST(refusal("0301610000"
                     "0301610000") == "\"a\" twice in one section");
  BOOST_TEST(refusal("0301610000"
                     "04016106") == "\"a\" twice in one section");
  BOOST_TEST(refusal("01016102"
                     "01016102") == "accepted");
  BOOST_TEST(refusal("0301610000"
                     "0101620301610000"
                     "02") == "accepted");
}

BOOST_AUTO_TEST_CASE(flags_and_numbers_are_read_strictly) {
  Message message;
  message.add("yes", "yes").add("enabled", "enabled").add("no", "0").add("odd", "maybe");
  message.add("n", "42").add("negative", "-1").add("junk", "42x").add("huge", "99999999999999999999").add("empty", "");
  BOOST_TEST(message.flag("yes", false).value());
  BOOST_TEST(message.flag("enabled", false).value());
  BOOST_TEST(!message.flag("no", true).value());
  BOOST_TEST(message.flag("absent", true).value());
  BOOST_TEST(message.flag("odd", true).error().message == "odd is \"maybe\", it takes yes or no");
  BOOST_TEST(message.number("n", 0).value() == 42);
  BOOST_TEST(message.number("absent", 7).value() == 7);
  BOOST_TEST(message.number("negative", 0, -1, 5).value() == -1);
  BOOST_TEST(message.number("negative", 0, 0, 5).error().message == "negative is \"-1\", it takes a number from 0 to 5");
  for (const char* name : {"junk", "huge", "empty"}) BOOST_TEST(!message.number(name, 0).has_value(), name);
}

BOOST_AUTO_TEST_CASE(random_trees_come_back_as_they_were) {
  std::mt19937 random(7296);
  const auto below = [&](std::uint32_t n) { return static_cast<std::size_t>(random() % n); };
  for (int round = 0; round < 300; ++round) {
    Message message;
    std::vector<Section*> open{&message};
    for (std::size_t step = 0, steps = below(60); step < steps; ++step) {
      const std::string name = "name" + std::to_string(step);
      switch (below(4)) {
        case 0:
          open.back()->add(name, std::string(below(300), static_cast<char>(random())));
          break;
        case 1:
          open.back()->add_list(name, List(below(9), "item" + name));
          break;
        case 2:
          if (open.size() <= kMaxDepth) open.push_back(&open.back()->add_section(name));
          break;
        default:
          if (open.size() > 1) open.pop_back();
      }
    }
    BOOST_CHECK(parse_message(encode_message(message).value()).value() == message);
  }
}

BOOST_AUTO_TEST_SUITE_END()
