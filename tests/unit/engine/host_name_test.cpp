// SPDX-License-Identifier: Apache-2.0
// Names of hosts: what a fetcher is asked, and what is believed of its answer.
#include "engine/host_name.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "fetch/packet.h"

using namespace svti;

namespace {

struct FakeFetcher : model::Fetcher {
  Result<Bytes> answer = Bytes();
  model::Fetch asked;

  void fetch(model::Fetch what, Done done) override {
    asked = std::move(what);
    done(answer);
  }
  std::string look_up(std::string_view said) {
    answer = to_bytes(as_bytes(said));
    return look_up();
  }
  std::string look_up() {
    std::string out;
    engine::look_up_host(*this, "red", "radius.example", [&](const Result<std::vector<IpAddress>>& found) {
      if (!found) out = found.error().message;
      for (std::size_t i = 0; found && i < found->size(); ++i) out += (i == 0 ? "" : " ") + (*found)[i].to_string();
    });
    return out;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(host_name, FakeFetcher)

BOOST_AUTO_TEST_CASE(addresses_come_in_their_order_and_once_each) {
  BOOST_TEST(look_up("2001:db8::1\n192.0.2.1\n192.0.2.1\n") == "2001:db8::1 192.0.2.1");
  BOOST_TEST(asked.uri == "dns:radius.example");
  BOOST_TEST(asked.vrf == "red");
  BOOST_TEST(asked.configured);
}

BOOST_AUTO_TEST_CASE(a_fetcher_is_not_believed) {
  BOOST_TEST(look_up("") == "it has no address");
  BOOST_TEST(look_up("192.0.2.1\nhello\n") == "what the fetcher says is no address");
  BOOST_TEST(look_up("\n") == "what the fetcher says is no address");
  std::string many;
  for (int i = 0; i < 100; ++i) many += "192.0.2." + std::to_string(i) + "\n";
  const std::string held = look_up(many);
  BOOST_TEST(static_cast<std::size_t>(std::count(held.begin(), held.end(), ' ')) == fetch::kMostAddresses - 1);
  answer = system_error("Name or service not known");
  BOOST_TEST(look_up() == "Name or service not known");
}

BOOST_AUTO_TEST_SUITE_END()
