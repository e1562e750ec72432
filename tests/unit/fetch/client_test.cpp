// SPDX-License-Identifier: Apache-2.0
// The daemon's side of fetchers: processes that answer, that die, that never end. What they fetch is made up.
#include "fetch/client.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>

#include "fetch/packet.h"

using namespace svti;
using namespace svti::fetch;

namespace {

// In the child: reads the request, and does what its URI says.
[[noreturn]] void play(int socket) {
  Bytes packet(4096);
  std::size_t held = 0;
  for (ssize_t size = 1; size > 0;) {
    size = recv(socket, packet.data() + held, packet.size() - held, 0);
    if (size > 0) held += static_cast<std::size_t>(size);
  }
  const auto request = decode_request(ByteView(packet).first(held));
  if (!request || request->uri == "die") _exit(1);
  while (request->uri == "hang") pause();
  Bytes answer = encode(Result<Bytes>(Bytes(request->uri == "much" ? 100'000 : 10, 7)));
  if (request->uri == "fail") answer = encode(Result<Bytes>(system_error("connection refused")));
  for (std::size_t sent = 0; sent < answer.size();) {
    const ssize_t size = send(socket, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
    if (size <= 0) _exit(1);
    sent += static_cast<std::size_t>(size);
  }
  _exit(0);
}

int started = 0;

Result<Started> start(const std::string& vrf) {
  if (vrf == "gone") return system_error("there is no network namespace gone");
  std::array<int, 2> pair{};
  BOOST_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
  ++started;
  const pid_t process = fork();
  if (process == 0) {
    close(pair[0]);
    play(pair[1]);
  }
  close(pair[1]);
  return Started{pair[0], process};
}

struct Fixture {
  boost::asio::io_context loop;
  Client client{loop, start};
  std::map<std::string, std::string> said;

  void fetch(const std::string& uri, const std::string& as = {}) {
    client.fetch({uri, {}, 1000, std::chrono::seconds(1), false}, [this, name = as.empty() ? uri : as](Result<Bytes> answer) {
      BOOST_TEST(!said.contains(name));
      said[name] = answer ? std::to_string(answer->size()) + " octets" : answer.error().message;
    });
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(fetch_client, Fixture)

BOOST_AUTO_TEST_CASE(an_answer_comes_and_a_process_that_has_none_is_an_error) {
  for (const char* uri : {"good", "fail", "die", "much", "hang"}) fetch(uri);
  BOOST_TEST(said.empty());  // in a turn of its own
  loop.run();
  BOOST_TEST(said["good"] == "10 octets");
  BOOST_TEST(said["fail"] == "connection refused");
  BOOST_TEST(said["die"] == "the fetcher ended without an answer");
  BOOST_TEST(said["much"] == "the fetcher says more than it was asked");
  BOOST_TEST(said["hang"] == "there was no answer within 1 s");
}

BOOST_AUTO_TEST_CASE(some_at_a_time_the_others_wait_and_too_many_are_refused) {
  started = 0;
  for (std::size_t i = 0; i < Client::kMostAtOnce; ++i) fetch("hang", "hang " + std::to_string(i));
  for (std::size_t i = Client::kMostAtOnce; i < Client::kMostWaiting; ++i) fetch("good", "good " + std::to_string(i));
  fetch("good", "one too many");
  loop.run_for(std::chrono::milliseconds(300));
  BOOST_TEST(static_cast<std::size_t>(started) == Client::kMostAtOnce);
  BOOST_TEST(said["one too many"] == "too much is being fetched");
  loop.restart();
  loop.run();
  BOOST_TEST(said.size() == Client::kMostWaiting + 1);
  BOOST_TEST(said["hang 0"] == "there was no answer within 1 s");
  BOOST_TEST(said["good 100"] == "10 octets");
}

BOOST_AUTO_TEST_CASE(a_process_is_started_for_the_vrf_and_one_that_is_not_there_is_an_error) {
  model::Fetch what{"good", {}, 1000, std::chrono::seconds(1), false};
  what.vrf = "gone";
  std::string why;
  client.fetch(what, [&](const Result<Bytes>& answer) { why = answer ? "" : answer.error().message; });
  loop.run();
  BOOST_TEST(why == "there is no network namespace gone");
}

BOOST_AUTO_TEST_SUITE_END()
