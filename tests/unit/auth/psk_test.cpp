// SPDX-License-Identifier: Apache-2.0
#include "auth/psk.h"

#include <boost/test/unit_test.hpp>

using namespace svti;
using namespace svti::auth;
using model::Identity;

namespace {

Identity id(std::string_view text) { return Identity::parse(text).value(); }

struct Entry {
  std::string name;
  std::vector<std::string> ids;
};

PskStore store(const std::vector<Entry>& entries) {
  std::vector<std::shared_ptr<const model::PresharedKey>> keys;
  for (const Entry& entry : entries) {
    auto key = std::make_shared<model::PresharedKey>();
    key->name = entry.name;
    for (const std::string& text : entry.ids) key->ids.push_back(id(text));
    key->secret = Secret(as_bytes(entry.name));
    keys.push_back(std::move(key));
  }
  return PskStore(keys);
}

std::string found(const PskStore& keys, std::string_view local, std::string_view remote) {
  const auto* key = keys.find(id(local), id(remote));
  return key == nullptr ? "none" : key->name;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_key_for_both_ends_goes_before_one_for_the_peer_and_that_before_one_for_anybody) {
  const PskStore keys = store({{"anybody", {}}, {"peer", {"peer.example"}}, {"both", {"us.example", "peer.example"}}});
  BOOST_TEST(found(keys, "us.example", "peer.example") == "both");
  BOOST_TEST(found(keys, "other.example", "peer.example") == "peer");
  BOOST_TEST(found(keys, "us.example", "stranger.example") == "anybody");
}

BOOST_AUTO_TEST_CASE(the_order_of_the_selectors_of_an_entry_does_not_matter) {
  for (const auto& ids : {std::vector<std::string>{"us.example", "peer.example"}, std::vector<std::string>{"peer.example", "us.example"}}) {
    const PskStore keys = store({{"both", ids}});
    BOOST_TEST(found(keys, "us.example", "peer.example") == "both");
    BOOST_TEST(found(keys, "peer.example", "us.example") == "both");
    BOOST_TEST(found(keys, "us.example", "stranger.example") == "none");
    BOOST_TEST(found(keys, "stranger.example", "peer.example") == "none");
  }
}

BOOST_AUTO_TEST_CASE(an_exact_selector_goes_before_a_pattern_and_that_before_the_wildcard) {
  const PskStore keys = store({{"wildcard", {"%any"}}, {"pattern", {"*.example"}}, {"exact", {"peer.example"}}});
  BOOST_TEST(found(keys, "us", "peer.example") == "exact");
  BOOST_TEST(found(keys, "us", "other.example") == "pattern");
  BOOST_TEST(found(keys, "us", "192.0.2.9") == "wildcard");
}

BOOST_AUTO_TEST_CASE(of_two_equal_entries_the_first_is_taken) {
  BOOST_TEST(found(store({{"first", {"peer.example"}}, {"second", {"peer.example"}}}), "us", "peer.example") == "first");
  BOOST_TEST(found(store({{"first", {}}, {"second", {}}}), "us", "peer.example") == "first");
  BOOST_TEST(found(store({{"first", {"*.example"}}, {"second", {"*.example"}}}), "us", "peer.example") == "first");
}

BOOST_AUTO_TEST_CASE(names_are_compared_without_regard_to_case_and_types_are_kept_apart) {
  const PskStore keys = store({{"name", {"Peer.Example"}}, {"address", {"192.0.2.1"}}, {"mail", {"someone@Example.ORG"}}});
  BOOST_TEST(found(keys, "us", "pEER.eXAMPLE") == "name");
  BOOST_TEST(found(keys, "us", "192.0.2.1") == "address");
  BOOST_TEST(found(keys, "us", "someone@example.org") == "mail");
  const Identity not_an_address{wire::IdType::Fqdn, to_bytes(as_bytes("192.0.2.1"))};
  BOOST_TEST((keys.find(id("us"), not_an_address) == nullptr));
}

BOOST_AUTO_TEST_CASE(an_entry_with_a_pattern_for_one_end_and_a_name_for_the_other_is_found) {
  const PskStore keys = store({{"mixed", {"us.example", "*.branch.example"}}});
  BOOST_TEST(found(keys, "us.example", "x.branch.example") == "mixed");
  BOOST_TEST(found(keys, "other.example", "x.branch.example") == "none");
}

BOOST_AUTO_TEST_CASE(without_entries_there_is_no_key) { BOOST_TEST(found(PskStore(), "us", "peer") == "none"); }

// computed with Python's hmac: prf = HMAC-SHA-256
BOOST_AUTO_TEST_CASE(auth_is_the_prf_over_message_nonce_and_maced_identity) {
  const auto prf = crypto::Prf::create(wire::PrfId::HmacSha256).value();
  Bytes nonce(16);
  for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] = static_cast<std::uint8_t>(i);
  const wire::IdPayload idi{wire::PayloadType::IdInitiator, wire::IdType::Ipv4Addr, {192, 0, 2, 1}};
  const Secret auth = shared_key_auth(prf, Secret(as_bytes("correct horse")), as_bytes("first message of ours"), nonce,
                                      Secret(ByteView(Bytes(32, 3))), wire::encode_id_body(idi));
  BOOST_TEST(to_hex(auth.view()) == "e8c44bb59b8cfec3cf0f104d6d8576999c74d8e3e9b3ff1a8933630677ed0c15");
}
