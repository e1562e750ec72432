// SPDX-License-Identifier: Apache-2.0
#include "vici/packet.h"

#include <boost/test/unit_test.hpp>

using namespace svti;
using namespace svti::vici;

namespace {

std::string refusal(std::string_view hex) {
  const Bytes segment = from_hex(hex).value();
  const Result<PacketView> parsed = parse_packet(segment);
  return parsed ? "accepted" : parsed.error().message;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(packet)

BOOST_AUTO_TEST_CASE(packets_of_each_type_have_their_layout) {
  Message message;
  message.add("a", "b");
  BOOST_TEST(to_hex(encode_packet(PacketType::CommandRequest, "version").value()) ==
             "00000009"
             "00"
             "07"
             "76657273696f6e");
  BOOST_TEST(to_hex(encode_packet(PacketType::CommandResponse, {}, message).value()) ==
             "00000007"
             "01"
             "030161000162");
  BOOST_TEST(to_hex(encode_packet(PacketType::CommandUnknown).value()) ==
             "00000001"
             "02");
  BOOST_TEST(to_hex(encode_packet(PacketType::EventRegister, "log", message).value()) ==
             "00000005"
             "03"
             "03"
             "6c6f67");
  BOOST_TEST(to_hex(encode_packet(PacketType::EventConfirm).value()) ==
             "00000001"
             "05");
  BOOST_TEST(to_hex(encode_packet(PacketType::Event, "log", message).value()) ==
             "0000000b"
             "07"
             "03"
             "6c6f67"
             "030161000162");
}

BOOST_AUTO_TEST_CASE(a_packet_is_read_back_with_its_message_unparsed) {
  const Bytes segment = from_hex("07036c6f67ffff").value();
  const PacketView packet = parse_packet(segment).value();
  BOOST_CHECK(packet.type == PacketType::Event);
  BOOST_TEST(packet.name == "log");
  BOOST_TEST(to_hex(packet.message) == "ffff");
}

BOOST_AUTO_TEST_CASE(malformed_packets_are_refused_with_the_reason) {
  BOOST_TEST(refusal("") == "packet without a type");
  BOOST_TEST(refusal("08") == "packet type 8 is unknown");
  BOOST_TEST(refusal("00") == "1 octets expected, 0 left");
  BOOST_TEST(refusal("00056162") == "5 octets expected, 2 left");
  BOOST_TEST(refusal("0000") == "packet with the name \"\"");
  BOOST_TEST(refusal("0003610a62") == "packet with the name \"a\\x0ab\"");
  BOOST_TEST(refusal("0301610000") == "2 octets behind the packet");
  BOOST_TEST(refusal("0500") == "1 octets behind the packet");
}

BOOST_AUTO_TEST_CASE(a_packet_is_as_large_as_a_segment_and_no_larger) {
  Message message;
  message.add_list("l", List(7, std::string(65535, 'x')));
  const std::size_t overhead = 4 + 1;  // the length, the type
  const std::size_t filled = encode_packet(PacketType::CommandResponse, {}, message).value().size() - overhead;
  const std::size_t value_frame = 1 + 2 + 2;  // element, name of one octet with its length, value length: what a further key costs
  const std::size_t room = kMaxSegmentSize - 1 - filled - value_frame;
  Message exact = message;
  exact.add("k", std::string(room, 'x'));
  BOOST_TEST(encode_packet(PacketType::CommandResponse, {}, exact).value().size() == kMaxSegmentSize + 4);
  Message over = message;
  over.add("k", std::string(room + 1, 'x'));
  BOOST_TEST(!encode_packet(PacketType::CommandResponse, {}, over).has_value());
}

BOOST_AUTO_TEST_CASE(a_stream_is_cut_the_same_whatever_the_pieces_it_arrives_in) {
  Bytes stream;
  for (const char* name : {"version", "stats", "list-sas"}) {
    const Bytes segment = encode_packet(PacketType::CommandRequest, name).value();
    stream.insert(stream.end(), segment.begin(), segment.end());
  }
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    SegmentReader reader;
    std::vector<std::string> names;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      reader.append(ByteView(stream).subspan(at, std::min(step, stream.size() - at)));
      while (const std::optional<ByteView> segment = reader.next().value()) names.emplace_back(parse_packet(*segment).value().name);
    }
    BOOST_CHECK((names == std::vector<std::string>{"version", "stats", "list-sas"}));
    BOOST_TEST(reader.buffered() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(half_a_segment_waits_and_costs_no_more_than_it_is) {
  SegmentReader reader;
  reader.append(from_hex("00080000"
                         "00")
                    .value());  // announces exactly the limit
  BOOST_TEST(!reader.next().value().has_value());
  BOOST_TEST(reader.buffered() == 5U);
}

BOOST_AUTO_TEST_CASE(a_length_above_the_limit_ends_the_stream) {
  SegmentReader reader;
  reader.append(from_hex("00080001").value());
  BOOST_TEST(reader.next().error().message == "segment of 524289 octets, at most 524288 are allowed");
  reader.append(from_hex("00000001"
                         "05")
                    .value());
  BOOST_TEST(!reader.next().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
