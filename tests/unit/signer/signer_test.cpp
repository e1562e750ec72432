// SPDX-License-Identifier: Apache-2.0
// The signer's process: what it signs, what it cannot do, and what the daemon does when it dies.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>

#include "signer/client.h"
#include "support/pki.h"

using namespace svti;
using signer::Client;
using signer::Started;

namespace {

// the child runs `body` with the other end of a socket
template <typename Body>
Result<Started> start(Body body) {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) return system_error("no socket");
  const pid_t process = fork();
  if (process == 0) _exit(body(pair[1]));
  close(pair[1]);
  return Started{pair[0], process};
}

struct Rig {
  boost::asio::io_context loop{1};
  std::vector<std::string> log;
  Client client{loop, [] { return start(signer::serve); }, [this](const LogLine& line) { log.push_back(line.text); }};
  std::optional<Result<crypto::Signature>> answer;

  void ask(const Bytes& id, Bytes octets = Bytes(100)) {
    answer.reset();
    client.sign({id, std::move(octets), {crypto::SignatureHash::Sha256, crypto::SignatureHash::Identity}, crypto::RsaPadding::Pss},
                [this](Result<crypto::Signature> signature) { answer = std::move(signature); });
    for (int i = 0; i < 2000 && !answer; ++i) loop.run_for(std::chrono::milliseconds(5));
    BOOST_REQUIRE(answer);
  }
};

std::shared_ptr<const model::PrivateKey> new_key(crypto::KeyType type, Bytes* public_key = nullptr) {
  const test::Holder holder{test::need(crypto::new_private_key(type, 2048)), {}};
  if (public_key != nullptr) *public_key = test::need(crypto::SigningKey::from_pkcs8(holder.key.view())).public_key();
  return test::private_key(holder);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(signer_process)

BOOST_AUTO_TEST_CASE(it_signs_with_every_kind_of_key) {
  Rig rig;
  for (const auto type : {crypto::KeyType::Rsa, crypto::KeyType::EcdsaP256, crypto::KeyType::Ed25519}) {
    Bytes public_key;
    const auto key = new_key(type, &public_key);
    rig.client.set_keys({key});
    const Bytes octets(60'000, 7);
    rig.ask(key->id, octets);
    BOOST_TEST_REQUIRE(rig.answer->has_value());
    BOOST_TEST(crypto::VerifyingKey::from_spki(public_key)->verify(**rig.answer, octets).has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_key_that_is_not_there_or_not_any_more_is_said_to_be) {
  Rig rig;
  const auto key = new_key(crypto::KeyType::EcdsaP256);
  rig.ask(key->id);
  BOOST_TEST(rig.answer->error().message == "the signer has no such key");
  rig.client.set_keys({key});
  rig.ask(key->id);
  BOOST_TEST(rig.answer->has_value());
  rig.client.set_keys({});
  rig.ask(key->id);
  BOOST_TEST(rig.answer->error().message == "the signer has no such key");
}

BOOST_DATA_TEST_CASE(the_daemon_survives_its_death_and_starts_another, boost::unit_test::data::make({false, true}), is_gone) {
  Rig rig;
  const auto key = new_key(crypto::KeyType::EcdsaP256);
  rig.client.set_keys({key});
  rig.ask(key->id);
  BOOST_TEST(rig.answer->has_value());
  const pid_t first = rig.client.process();
  kill(first, SIGKILL);
  // asked while it dies, or when its end is still to be read from the socket
  siginfo_t end{};
  if (is_gone) BOOST_TEST_REQUIRE(waitid(P_PID, static_cast<id_t>(first), &end, WEXITED | WNOWAIT) == 0);
  rig.ask(key->id);
  BOOST_TEST_REQUIRE(!rig.answer->has_value());
  BOOST_TEST(rig.answer->error().message == "the signer has ended: signal 9 (Killed)");
  BOOST_TEST_REQUIRE(!rig.log.empty());
  BOOST_TEST(rig.log.front().starts_with("the signer has ended (signal 9 (Killed)): nothing can be signed until"));
  rig.ask(key->id);
  BOOST_TEST(rig.answer->error().message.starts_with("the signer has ended"));
  rig.loop.run_for(std::chrono::milliseconds(500));
  BOOST_TEST(rig.client.process() != first);
  rig.ask(key->id);
  BOOST_TEST(rig.answer->has_value());
}

#if !defined(__SANITIZE_ADDRESS__)
BOOST_AUTO_TEST_CASE(behind_its_filter_there_are_no_files_no_sockets_and_no_processes) {
  const auto attempts = {
      +[] { return open("/etc/passwd", O_RDONLY | O_CLOEXEC); },
      +[] { return socket(AF_INET, SOCK_DGRAM, 0); },
      +[] { return static_cast<int>(fork()); },
      +[] {
        char* none[] = {nullptr};
        return execve("/bin/true", none, none);
      },
      +[] { return kill(getppid(), 0); },
  };
  for (const auto& attempt : attempts) {
    const auto child = start([&](int socket) {
      if (!signer::enter_sandbox(socket)) return 1;
      (void)attempt();
      return 2;
    });
    int status = 0;
    BOOST_TEST_REQUIRE(waitpid(child->process, &status, 0) == child->process);
    close(child->socket);
    BOOST_TEST(WIFSIGNALED(status));
    BOOST_TEST(WTERMSIG(status) == SIGSYS);
  }
}
#endif

BOOST_AUTO_TEST_CASE(a_daemon_gone_mad_gets_no_further) {
  const auto child = start(signer::serve);
  for (const Bytes& packet :
       {Bytes{0}, Bytes{9, 9}, Bytes{1}, Bytes{1, 200, 1}, Bytes{2, 1, 1, 1}, Bytes{3, 0}, Bytes(90'000, 3), Bytes{1, 1, 1, 0x30}}) {
    BOOST_TEST(send(child->socket, packet.data(), packet.size(), 0) == static_cast<ssize_t>(packet.size()));
  }
  const Secret question = encode(signer::Request(signer::SignOctets{5, {{1}, {2}, {}, crypto::RsaPadding::Pss}}));
  BOOST_TEST(send(child->socket, question.view().data(), question.size(), 0) > 0);
  // what it answers first may be to one of the above; the last is to this
  Bytes answer(1000);
  ssize_t size = 0;
  do size = recv(child->socket, answer.data(), answer.size(), 0);
  while (size > 0 && signer::decode_answer(ByteView(answer).first(static_cast<std::size_t>(size)))->number != 5);
  BOOST_TEST(size > 0);
  close(child->socket);
  int status = 0;
  BOOST_TEST(waitpid(child->process, &status, 0) == child->process);
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
