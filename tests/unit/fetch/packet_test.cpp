// SPDX-License-Identifier: Apache-2.0
// What the daemon and its fetchers say to each other, and what a directory says.
#include "fetch/packet.h"

#include <boost/test/unit_test.hpp>

using namespace svti;
using namespace svti::fetch;

BOOST_AUTO_TEST_SUITE(fetch_packets)

BOOST_AUTO_TEST_CASE(a_request_arrives_as_it_was) {
  const model::Fetch what{"http://ocsp.example/", {1, 2, 3}, 70000, std::chrono::seconds(6), true};
  const auto read = decode_request(encode(what));
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST(read->uri == what.uri);
  BOOST_TEST(equal(read->body, what.body));
  BOOST_TEST(read->most_octets == 70000U);
  BOOST_TEST((read->time == std::chrono::seconds(6)));
  BOOST_TEST(read->configured);
  BOOST_TEST(read->redirects);
  const auto straight = decode_request(encode({what.uri, {}, 1, {}, false, false}));
  BOOST_TEST_REQUIRE(straight.has_value());
  BOOST_TEST(!straight->configured);
  BOOST_TEST(!straight->redirects);
  const Bytes packet = encode(what);
  for (std::size_t size = 0; size < 9 + what.uri.size(); ++size) BOOST_TEST(!decode_request(ByteView(packet).first(size)).has_value());
  BOOST_TEST(!decode_request(encode({std::string(kMaxUri + 1, 'x'), {}, 1, {}, false})).has_value());
  BOOST_TEST(!decode_request(encode({"http://x", Bytes(kMaxBody + 1), 1, {}, false})).has_value());
  BOOST_TEST(!decode_request(encode({std::string("http://x\0y", 10), {}, 1, {}, false})).has_value());
}

BOOST_AUTO_TEST_CASE(an_answer_is_octets_or_a_reason) {
  BOOST_TEST(equal(*decode_answer(encode(Result<Bytes>(Bytes{7, 8}))), Bytes{7, 8}));
  BOOST_TEST(decode_answer(encode(Result<Bytes>(system_error("no route")))).error().message == "no route");
  BOOST_TEST(decode_answer(encode(Result<Bytes>(system_error("a\x1b[1mb")))).error().message.find('\x1b') == std::string::npos);
  BOOST_TEST(!decode_answer({}).has_value());
  BOOST_TEST(!decode_answer(Bytes{9, 1}).has_value());
}

BOOST_AUTO_TEST_CASE(a_list_is_found_in_a_directory_entry) {
  const auto find = [](std::string_view text, bool delta = false) { return list_in_directory_entry(as_bytes(text), delta); };
  const std::string head = "DN: CN=ca,O=Example\n\tobjectClass: pkiCA\n\tcACertificate;binary:: MAA=\n\n";
  const auto whole = find(head + "\tcertificateRevocationList;binary:: MAMCAQA=\n\n");
  BOOST_TEST_REQUIRE(whole.has_value());
  BOOST_TEST(to_hex(*whole) == "3003020100");
  BOOST_TEST(find("DN: x\n\tauthorityrevocationlist;BINARY:: MAA=\n").has_value());
  BOOST_TEST(find("DN: x\n\tdeltaRevocationList:: MAA=\n", true).has_value());
  BOOST_TEST(!find("DN: x\n\tdeltaRevocationList:: MAA=\n").has_value());
  BOOST_TEST(!find(head).has_value());
  BOOST_TEST(!find("\tcertificateRevocationList:: M*A=\n").has_value());
  BOOST_TEST(!find("\tcertificateRevocationList::").has_value());
  BOOST_TEST(!find("").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
