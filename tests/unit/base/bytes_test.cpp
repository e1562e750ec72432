// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <boost/test/unit_test.hpp>

#include "base/log.h"
#include "base/secret.h"

using namespace svti;

BOOST_AUTO_TEST_SUITE(bytes)

BOOST_AUTO_TEST_CASE(a_reader_never_passes_the_end_and_stays_where_it_was) {
  const Bytes data = {1, 2, 3};
  Reader reader(data);
  BOOST_TEST(*reader.u16() == 0x0102);
  const auto beyond = reader.u32();
  BOOST_REQUIRE(!beyond);
  BOOST_TEST((beyond.error().fault == Fault::Peer));
  BOOST_TEST(reader.remaining() == 1U);
  BOOST_TEST(*reader.u8() == 3);
  BOOST_TEST(!reader.u8());
  BOOST_TEST(!reader.take(1));
  BOOST_TEST(reader.take(0).has_value());
}

BOOST_AUTO_TEST_CASE(what_a_writer_writes_a_reader_reads) {
  Writer writer;
  writer.u8(0xab);
  writer.u16(0x0102);
  writer.u32(0x03040506);
  writer.u64(0x0708090a0b0c0d0eULL);
  writer.patch_u16(1, 0xffee);
  Reader reader(writer.view());
  BOOST_TEST(*reader.u8() == 0xab);
  BOOST_TEST(*reader.u16() == 0xffee);
  BOOST_TEST(*reader.u32() == 0x03040506U);
  BOOST_TEST(*reader.u64() == 0x0708090a0b0c0d0eULL);
  BOOST_TEST(reader.empty());
}

BOOST_AUTO_TEST_CASE(hexadecimal_goes_both_ways_and_refuses_the_rest) {
  BOOST_TEST(to_hex(*from_hex("00fFa5")) == "00ffa5");
  BOOST_TEST(!from_hex("abc"));
  BOOST_TEST(!from_hex("0g"));
  BOOST_TEST(from_hex("")->empty());
}

BOOST_AUTO_TEST_CASE(base64_of_rfc_4648_section_10) {
  for (const auto& [text, encoded] :
       {std::pair{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}}) {
    BOOST_TEST(as_text(*from_base64(encoded)) == text);
  }
  BOOST_TEST(as_text(*from_base64("Zg")) == "f");  // the guide's secrets come with and without padding
  for (const char* bad : {"Z", "Zg=", "Zh==", "Z*==", "Zm9v Zg=="}) BOOST_TEST(!from_base64(bad), bad);
}

BOOST_AUTO_TEST_CASE(text_of_a_peer_is_made_harmless) {
  BOOST_TEST(printable("a\x1b[31m\n\\") == "a\\x1b[31m\\x0a\\x5c");
  BOOST_TEST(printable(std::string(1000, 'x'), 20).size() < 24U);
}

BOOST_AUTO_TEST_CASE(secrets_move_and_wipe) {
  Secret one(as_bytes("key"));
  Secret two = std::move(one);
  BOOST_TEST(one.empty());
  BOOST_TEST(two.size() == 3U);
  BOOST_TEST(constant_time_equal(two.view(), as_bytes("key")));
  BOOST_TEST(!constant_time_equal(two.view(), as_bytes("kez")));
  BOOST_TEST(!constant_time_equal(two.view(), as_bytes("keys")));
  const Secret copy = two.clone();
  two.wipe();
  BOOST_TEST(two.empty());
  BOOST_TEST(constant_time_equal(copy.slice(1, 2).view(), as_bytes("ey")));
}

BOOST_AUTO_TEST_SUITE_END()
