// SPDX-License-Identifier: Apache-2.0
#include "kernel/netlink_message.h"

#include <linux/netlink.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <stdexcept>

using namespace svti;
using namespace svti::kernel;

namespace {

MessageView message(std::uint16_t type, std::uint16_t flags, const Bytes& payload) { return {type, flags, 1, payload}; }

// nlmsgerr of a capped refusal, then NLMSGERR_ATTR_MSG "no such thing"
Bytes refusal(int error) {
  Bytes out = *from_hex(
      "00000000"
      "14000000"
      "1000"
      "0500"
      "01000000"
      "00000000"
      "1200"
      "0100"
      "6e6f2073756368207468696e6700"
      "0000");
  out[0] = static_cast<std::uint8_t>(-error);
  out[1] = out[2] = out[3] = 0xff;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(netlink_message)

BOOST_AUTO_TEST_CASE(an_acknowledgement_carries_errno_and_the_kernels_sentence) {
  const Bytes octets = refusal(EINVAL);
  const auto ack = parse_ack(message(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, octets));
  BOOST_REQUIRE(ack);
  BOOST_TEST(ack->error == EINVAL);
  BOOST_TEST(ack->text == "no such thing");
  BOOST_TEST(to_string(*ack) == "Invalid argument (EINVAL): no such thing");
  // without the flag what follows is not an explanation
  BOOST_TEST(parse_ack(message(NLMSG_ERROR, NLM_F_CAPPED, octets))->text.empty());
}

BOOST_AUTO_TEST_CASE(the_sentence_stands_behind_the_request_when_that_was_not_left_out) {
  // the request had 4 octets behind its header
  const Bytes octets = *from_hex(
      "eaffffff"
      "14000000"
      "1000"
      "0500"
      "01000000"
      "00000000"
      "deadbeef"
      "0700"
      "0100"
      "6e6f00"
      "00");
  BOOST_TEST(parse_ack(message(NLMSG_ERROR, NLM_F_ACK_TLVS, octets))->text == "no");
}

BOOST_AUTO_TEST_CASE(a_broken_explanation_leaves_the_verdict) {
  Bytes octets = refusal(EPERM);
  octets[20] = 0xff;  // a length beyond the end
  const auto ack = parse_ack(message(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, octets));
  BOOST_REQUIRE(ack);
  BOOST_TEST(ack->error == EPERM);
  BOOST_TEST(ack->text.empty());
  BOOST_TEST(!parse_ack(message(NLMSG_ERROR, 0, Bytes{1, 2, 3})));
}

BOOST_AUTO_TEST_CASE(the_end_of_a_dump_says_how_it_went) {
  BOOST_TEST(parse_ack(message(NLMSG_DONE, 0, Bytes{0, 0, 0, 0}))->error == 0);
  BOOST_TEST(parse_ack(message(NLMSG_DONE, 0, Bytes{0xff, 0xff, 0xff, 0xff}))->error == EPERM);
}

BOOST_AUTO_TEST_CASE(attributes_must_fill_their_room) {
  const auto parse = [](const char* digits) {
    const Bytes octets = *from_hex(digits);
    const auto out = Attributes::parse(octets);
    return out ? std::to_string(out->find(1) ? static_cast<int>(out->find(1)->size()) : -1) : "error";
  };
  BOOST_TEST(parse("") == "-1");
  BOOST_TEST(parse("04000100") == "0");
  BOOST_TEST(parse("0600010041420000") == "2");
  BOOST_TEST(parse("0400020006000100414200000800010041424344") == "4");  // of two the last
  BOOST_TEST(parse("03000100") == "error");                              // shorter than its own header
  BOOST_TEST(parse("0500010041") == "1");                                // the last needs no padding
  BOOST_TEST(parse("08000100414243") == "error");
  BOOST_TEST(parse("040001000400") == "error");
  BOOST_TEST(parse("04000180") == "0");  // NLA_F_NESTED is no part of the type
}

BOOST_AUTO_TEST_CASE(several_messages_in_one_datagram) {
  const Bytes octets = concat({MessageBuilder(16, 1).take(), MessageBuilder(17, 1).take()});
  std::vector<int> types;
  BOOST_REQUIRE(for_each_message(octets, [&](const MessageView& one) -> Status {
    types.push_back(one.type);
    return {};
  }));
  BOOST_TEST(types == (std::vector<int>{16, 17}));
}

BOOST_AUTO_TEST_CASE(a_message_that_outgrows_its_capacity_is_our_bug) {
  MessageBuilder small(16, 1, 32);
  BOOST_CHECK_THROW(small.attribute(1, ByteView(Bytes(64))), std::logic_error);
}

BOOST_AUTO_TEST_SUITE_END()
